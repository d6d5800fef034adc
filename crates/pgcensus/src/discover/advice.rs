//! Whether a server logs what the census needs, and the statements that make it.

use super::Server;
use super::log::Target;
use crate::settings::Origin;

/// The prefix that is recommended: time, pid, and in a session its user and database.
const LINE_PREFIX: &str = "%m [%p] %q%u@%d ";

/// One setting that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) setting: &'static str,
    /// As configured, or the server's default; `None`: no configuration could be read.
    pub(crate) value: Option<String>,
    /// `None`: not known.
    pub(crate) is_enough: Option<bool>,
    /// What is missed without it.
    pub(crate) missed: &'static str,
    /// What to do.
    pub(crate) remedy: Option<Remedy>,
}

/// What makes a setting good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A statement; a reload makes it hold for sessions that begin then.
    Statement(String),
    /// The command line sets it, over which no statement prevails; the value to give there.
    CommandLine(&'static str),
}

/// The statement that makes the others hold.
pub(crate) const RELOAD: &str = "SELECT pg_reload_conf();";

/// Looks at all settings that matter; some of them only if they are wrong.
pub(crate) fn checks(server: &Server) -> Vec<Check> {
    let mut checks = vec![connections(server), disconnections(server)];
    checks.extend(line_prefix(server));
    checks.extend(min_messages(server));
    checks
}

/// The statements of all remedies, and a reload after them; none if nothing is to be done.
pub(crate) fn statements(checks: &[Check]) -> Vec<String> {
    let statement = |check: &Check| match &check.remedy {
        Some(Remedy::Statement(statement)) => Some(statement.clone()),
        Some(Remedy::CommandLine(_)) | None => None,
    };
    let mut statements: Vec<String> = checks.iter().filter_map(statement).collect();
    if !statements.is_empty() {
        statements.push(RELOAD.to_owned());
    }
    statements
}

/// Since 18 a list: `receipt` shows who never becomes a session, `authentication` who it really is, and
/// `authorization` the session. `on` still means these three, `all` also how long each step took.
fn connections(server: &Server) -> Check {
    let is_list = major(server) >= 18;
    let words = server.settings.list("log_connections");
    let has = |word: &str| words.iter().any(|given| given == word || given == "all");
    let is_on = match &words[..] {
        // Spelled out only, in a list.
        [one] if is_list && matches!(&**one, "on" | "true" | "yes" | "1") => true,
        _ => !is_list && server.settings.is_on("log_connections"),
    };
    let (is_enough, missed) = if is_on || has("receipt") && has("authorization") {
        (true, "")
    } else if is_list && has("authorization") {
        (false, "probes, and who is refused from where, are not seen")
    } else {
        (false, "who connects is not seen")
    };
    let value = if is_list {
        "'receipt,authentication,authorization'"
    } else {
        "on"
    };
    check(server, "log_connections", is_enough, missed, value)
}

fn disconnections(server: &Server) -> Check {
    let is_enough = server.settings.is_on("log_disconnections");
    let missed = "who leaves, and when, is not seen";
    check(server, "log_disconnections", is_enough, missed, "on")
}

/// Csvlog and jsonlog carry time and pid themselves, syslog a pid and a time.
fn line_prefix(server: &Server) -> Option<Check> {
    let log = &server.log;
    let is_text = log.formats.is_empty() || log.formats.contains(&"stderr");
    if !is_text || log.formats.len() > 1 || matches!(log.target, Target::Syslog(_)) {
        return None;
    }
    let text = server.settings.text("log_line_prefix");
    let has_time = has_escape(text, "mtn");
    let has_pid = has_escape(text, "pc");
    let missed = match (has_time, has_pid) {
        (true, true) => "",
        (true, false) => "without %p or %c sessions cannot be told apart",
        (false, true) => "without %m, %t or %n nothing has a time",
        (false, false) => "without %m and %p nothing has a time, and sessions cannot be told apart",
    };
    Some(check(
        server,
        "log_line_prefix",
        missed.is_empty(),
        missed,
        LINE_PREFIX,
    ))
}

/// Only where it hides what is written at the level `LOG`. From 19 on it has a level for each type of backend.
fn min_messages(server: &Server) -> Option<Check> {
    let words = server.settings.list("log_min_messages");
    let hides = |level: &str| matches!(level, "fatal" | "panic");
    let is_hidden = words.iter().any(|word| match word.split_once(':') {
        Some((kind, level)) => {
            matches!(kind.trim(), "backend" | "client backend") && hides(level.trim())
        }
        None => hides(word),
    });
    let missed = "connections and disconnections are not logged at this level";
    is_hidden.then(|| check(server, "log_min_messages", false, missed, "warning"))
}

/// Whether a prefix has one of these escapes, padded or not, and before `%q` or behind it.
fn has_escape(prefix: &str, letters: &str) -> bool {
    let mut parts = prefix.split('%');
    // What stands before the first one.
    parts.next();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // `%%`: what follows is text.
            parts.next();
            continue;
        }
        let escape = part.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
        if escape.starts_with(|c| letters.contains(c)) {
            return true;
        }
    }
    false
}

fn check(
    server: &Server,
    setting: &'static str,
    is_enough: bool,
    missed: &'static str,
    value: &'static str,
) -> Check {
    let set = server.settings.get(setting);
    if !server.has_settings() && set.is_none() {
        return Check {
            setting,
            value: None,
            is_enough: None,
            missed: "",
            remedy: None,
        };
    }
    let quoted = if value.starts_with('\'') || value == "on" {
        value.to_owned()
    } else {
        format!("'{value}'")
    };
    let remedy = (!is_enough).then(|| match set.map(|set| set.origin) {
        Some(Origin::CommandLine) => Remedy::CommandLine(value),
        Some(Origin::File) | None => {
            Remedy::Statement(format!("ALTER SYSTEM SET {setting} = {quoted};"))
        }
    });
    Check {
        setting,
        value: Some(server.settings.text(setting).to_owned()),
        is_enough: Some(is_enough),
        missed: if is_enough { "" } else { missed },
        remedy,
    }
}

fn major(server: &Server) -> u32 {
    let version = server.version.as_deref().unwrap_or_default();
    version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::discover::Way;

    fn statements_for(version: &str, conf: &str, formats: &[&'static str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("postgresql.conf");
        std::fs::write(&path, conf).unwrap();
        let mut server = Server::new(Path::new("/"), Way::Named);
        server.settings = crate::settings::Settings::of_file(Path::new("/"), &path);
        server.version = Some(version.to_owned());
        server.log.formats = formats.to_vec();
        statements(&checks(&server))
    }

    #[test]
    fn what_is_missing_has_a_statement() {
        let connections = "ALTER SYSTEM SET log_connections = on;";
        let list = "ALTER SYSTEM SET log_connections = 'receipt,authentication,authorization';";
        let disconnections = "ALTER SYSTEM SET log_disconnections = on;";
        let prefix = "ALTER SYSTEM SET log_line_prefix = '%m [%p] %q%u@%d ';";
        let level = "ALTER SYSTEM SET log_min_messages = 'warning';";
        let text = &["stderr"][..];
        let good = "log_connections = on\nlog_disconnections = 1\n";
        for (version, conf, formats, wanted) in [
            ("17", "", text, &[connections, disconnections][..]),
            ("18", "", text, &[list, disconnections]),
            ("17", good, text, &[]),
            ("18", good, text, &[]),
            (
                "18",
                "log_connections = 'ALL'\nlog_disconnections = on",
                text,
                &[],
            ),
            (
                "18",
                "log_connections = 'authorization, receipt'\nlog_disconnections = on",
                text,
                &[],
            ),
            (
                "18",
                "log_connections = 'authorization'\nlog_disconnections = on",
                text,
                &[list],
            ),
            (
                "18",
                "log_connections = off\nlog_disconnections = on",
                text,
                &[list],
            ),
            (
                "9.6",
                "log_connections = yes\nlog_disconnections = t\nlog_line_prefix = '%t '",
                text,
                &[prefix],
            ),
            (
                "17",
                &format!("{good}log_line_prefix = '%%m %%p'"),
                text,
                &[prefix],
            ),
            (
                "17",
                &format!("{good}log_line_prefix = '%-5c%%%10t'"),
                text,
                &[],
            ),
            (
                "17",
                &format!("{good}log_line_prefix = ''"),
                &["csvlog"],
                &[],
            ),
            (
                "17",
                &format!("{good}log_line_prefix = ''"),
                &["stderr", "csvlog"],
                &[],
            ),
            (
                "17",
                &format!("{good}log_min_messages = FATAL"),
                text,
                &[level],
            ),
            (
                "19",
                &format!("{good}log_min_messages = 'warning,backend:fatal'"),
                text,
                &[level],
            ),
        ] {
            let mut wanted: Vec<&str> = wanted.to_vec();
            if !wanted.is_empty() {
                wanted.push(RELOAD);
            }
            assert_eq!(
                statements_for(version, conf, formats),
                wanted,
                "{version}: {conf}"
            );
        }
    }

    #[test]
    fn nothing_prevails_over_the_command_line() {
        let mut server = Server::new(Path::new("/"), Way::Running);
        server.settings.add_option("log-disconnections", "off");
        let checks = checks(&server);
        assert_eq!(checks[0].is_enough, None);
        assert_eq!(checks[1].remedy, Some(Remedy::CommandLine("on")));
        assert!(statements(&checks).is_empty());
    }
}
