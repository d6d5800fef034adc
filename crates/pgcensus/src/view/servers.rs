//! `servers`: what was found on this machine, whether it logs what is needed, and the statements that make it.
//!
//! ```text
//! 16/main: PostgreSQL 16, port 5432, running since 23 Nov 05:21 UTC (pid 812, user postgres)
//!   data directory      /var/lib/postgresql/16/main
//!   log                 stderr: /var/log/postgresql/postgresql-16-main.log; 3 files, 12.3 MB
//!   log_connections     off: who connects is not seen
//! ```

use std::io;
use std::path::Path;

use pgcensus_core::instant::Instant;
use serde::Serialize;

use super::row::Row;
use super::text::{Width as _, counted, glued, left, paragraph, shown, size};
use super::{Show, Tone, json};
use crate::discover::Server;
use crate::discover::advice::{Check, Remedy, checks, statements};
use crate::discover::log::Target;

/// The column in which values begin.
const INDENT: usize = 22;

/// A paragraph for each server.
pub(crate) fn text(
    servers: &[Server],
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    for (i, server) in servers.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        one(server, show, out)?;
    }
    Ok(())
}

fn one(server: &Server, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let name = shown(server.name.as_bytes());
    let facts = format!(": {}", headline(server, show));
    let head = [(Tone::Headline, &*name), (Tone::Plain, &*facts)];
    paragraph(out, show, (0, 2), &head)?;
    if let Some(data) = &server.data_directory {
        line(show, out, "data directory", &[(Tone::Plain, &path(data))])?;
    }
    if let Some(file) = &server.config_file
        && file.parent() != server.data_directory.as_deref()
    {
        line(show, out, "configuration", &[(Tone::Plain, &path(file))])?;
    }
    let (tone, log) = log(server);
    line(show, out, "log", &[(tone, &log)])?;

    let checks = checks(server);
    for check in &checks {
        let value = check.value.as_deref().map_or("not known", |value| value);
        let value = match check.setting {
            // In quotes, so that a space at its end is seen.
            "log_line_prefix" if check.value.is_some() => {
                shown(format!("'{value}'").as_bytes()).into_owned()
            }
            _ => shown(value.as_bytes()).into_owned(),
        };
        let (tone, missed) = match check.is_enough {
            Some(true) => (Tone::Connected, String::new()),
            Some(false) => (Tone::Refused, format!(": {}", missed(check))),
            None => (Tone::Dim, String::new()),
        };
        line(
            show,
            out,
            check.setting,
            &[(tone, &value), (Tone::Plain, &missed)],
        )?;
    }
    for problem in server.log.problems.iter().chain(&server.problems) {
        line(
            show,
            out,
            "not read",
            &[(Tone::Refused, &shown(problem.as_bytes()))],
        )?;
    }
    let statements = statements(&checks);
    if !statements.is_empty() {
        let port = server
            .port
            .map_or_else(String::new, |port| format!(" -p {port}"));
        let when = match server.is_running {
            Some(false) => ", once it runs",
            _ => "",
        };
        let head = format!("  To log what is missing{when}, in psql{port}:");
        writeln!(out, "{}", show.paint(Tone::Title, &head))?;
        for statement in statements {
            writeln!(out, "    {statement}")?;
        }
    }
    Ok(())
}

fn missed(check: &Check) -> String {
    match check.remedy {
        Some(Remedy::CommandLine(value)) => format!(
            "{}; its command line sets it, over which ALTER SYSTEM does not prevail: start it with {}={value}",
            check.missed, check.setting
        ),
        _ => check.missed.to_owned(),
    }
}

/// `PostgreSQL 16, port 5432, running since 23 Nov 05:21 UTC (pid 812, user postgres)`
fn headline(server: &Server, show: &Show<'_>) -> String {
    let mut facts = Vec::new();
    match &server.version {
        Some(version) => facts.push(glued(&format!("PostgreSQL {version}"))),
        None => facts.push("PostgreSQL".to_owned()),
    }
    if let Some(port) = server.port {
        facts.push(glued(&format!("port {port}")));
    }
    let running = match (server.is_running, started(server)) {
        (Some(false), _) => "stopped".to_owned(),
        (Some(true), Some(at)) => format!("running since {}", glued(&show.zoned(at))),
        (Some(true), None) => "running".to_owned(),
        (None, Some(at)) => format!("started {}", glued(&show.zoned(at))),
        (None, None) => "not known whether it runs".to_owned(),
    };
    let mut of_process = Vec::new();
    if let Some(pid) = server.pid {
        of_process.push(format!("pid {pid}"));
    }
    if let Some(user) = &server.user {
        of_process.push(format!("user {}", shown(user.as_bytes())));
    }
    facts.push(running);
    let facts = facts.join(", ");
    if of_process.is_empty() {
        return facts;
    }
    format!("{facts} {}", glued(&format!("({})", of_process.join(", "))))
}

/// Formats and files of its log, or where else it goes.
fn log(server: &Server) -> (Tone, String) {
    let log = &server.log;
    if log.target != Target::Files {
        return (
            Tone::Refused,
            shown(log.target.says().as_bytes()).into_owned(),
        );
    }
    let mut text = log.formats.join(", ");
    if !text.is_empty() {
        text += ": ";
    }
    if let Some(place) = &log.shown {
        text += &path(place);
    }
    let files = counted(log.files.len() as u64, "file", "files");
    text += &format!("; {}", glued(&format!("{files}, {}", size(log.bytes))));
    let tone = if log.files.is_empty() {
        Tone::Refused
    } else {
        Tone::Plain
    };
    (tone, text)
}

fn line(
    show: &Show<'_>,
    out: &mut impl io::Write,
    title: &str,
    value: &[(Tone, &str)],
) -> io::Result<()> {
    let title = left(title, INDENT - 2);
    write!(out, "  {}", show.paint(Tone::Dim, &title))?;
    paragraph(out, show, (2 + title.width(), INDENT), value)
}

fn path(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes()).into_owned()
}

fn started(server: &Server) -> Option<Instant> {
    server
        .started_s
        .and_then(|s| s.checked_mul(1_000))
        .map(Instant)
}

/// One object: `servers`, a list.
pub(crate) fn json(
    servers: &[Server],
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let servers = servers
        .iter()
        .map(|server| Entry::new(server, show))
        .collect();
    json::write(&Entries { servers }, out)
}

#[derive(Serialize)]
struct Entries {
    servers: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    server: String,
    version: Option<String>,
    running: Option<bool>,
    pid: Option<u32>,
    user: Option<String>,
    started_at: Option<String>,
    port: Option<u16>,
    data_directory: Option<String>,
    config_file: Option<String>,
    log_target: &'static str,
    log: Option<String>,
    log_files: Vec<String>,
    log_bytes: u64,
    formats: Vec<&'static str>,
    settings: Vec<Setting>,
    statements: Vec<String>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: Option<String>,
    is_enough: Option<bool>,
    missed: Option<&'static str>,
}

impl Entry {
    fn new(server: &Server, show: &Show<'_>) -> Entry {
        let raw = |path: &Path| path.to_string_lossy().into_owned();
        let log = &server.log;
        let checks = checks(server);
        let problems = log.problems.iter().chain(&server.problems);
        Entry {
            server: server.name.clone(),
            version: server.version.clone(),
            running: server.is_running,
            pid: server.pid,
            user: server.user.clone(),
            started_at: json::time(started(server), show),
            port: server.port,
            data_directory: server.data_directory.as_deref().map(raw),
            config_file: server.config_file.as_deref().map(raw),
            log_target: log.target.as_str(),
            log: log.shown.as_deref().map(raw),
            log_files: log.files.iter().map(|file| raw(file)).collect(),
            log_bytes: log.bytes,
            formats: log.formats.clone(),
            statements: statements(&checks),
            settings: checks
                .into_iter()
                .map(|check| Setting {
                    name: check.setting,
                    value: check.value,
                    is_enough: check.is_enough,
                    missed: Some(check.missed).filter(|missed| !missed.is_empty()),
                })
                .collect(),
            problems: problems.cloned().collect(),
        }
    }
}

/// A row a server.
pub(crate) fn csv(servers: &[Server], show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let mut lines = b"server,version,running,pid,user,started_at,port,data_directory,config_file,\
        log_target,log,log_files,log_bytes,formats,log_connections,log_disconnections,\
        log_line_prefix,is_enough,statements,problems\n"
        .to_vec();
    for server in servers {
        let log = &server.log;
        let checks = checks(server);
        let path = |path: &'_ Option<std::path::PathBuf>| {
            path.as_ref()
                .map(|path| path.as_os_str().as_encoded_bytes().to_owned())
        };
        let mut row = Row::begin(show.csv(), &mut lines);
        row.text("server", Some(server.name.as_bytes()));
        row.text("version", server.version.as_deref().map(str::as_bytes));
        match server.is_running {
            Some(is_running) => row.flag("running", is_running),
            None => row.word("running", None),
        }
        row.number("pid", server.pid.map(u64::from));
        row.text("user", server.user.as_deref().map(str::as_bytes));
        row.time("started_at", started(server), show.zone);
        row.number("port", server.port.map(u64::from));
        row.text("data_directory", path(&server.data_directory).as_deref());
        row.text("config_file", path(&server.config_file).as_deref());
        row.word("log_target", Some(log.target.as_str()));
        row.text("log", path(&log.shown).as_deref());
        row.number("log_files", Some(log.files.len() as u64));
        row.number("log_bytes", Some(log.bytes));
        row.text("formats", Some(log.formats.join(" ").as_bytes()));
        for setting in ["log_connections", "log_disconnections", "log_line_prefix"] {
            let check = checks.iter().find(|check| check.setting == setting);
            let value = check.and_then(|check| check.value.as_deref());
            row.text(setting, value.map(str::as_bytes));
        }
        let is = |answer| checks.iter().any(|check| check.is_enough == answer);
        let is_enough = match (is(Some(false)), is(None)) {
            (true, _) => Some(false),
            (false, is_unknown) => (!is_unknown).then_some(true),
        };
        match is_enough {
            Some(is_enough) => row.flag("is_enough", is_enough),
            None => row.word("is_enough", None),
        }
        row.text("statements", Some(statements(&checks).join(" ").as_bytes()));
        let problems: Vec<&str> = log
            .problems
            .iter()
            .chain(&server.problems)
            .map(|p| &**p)
            .collect();
        row.text("problems", Some(problems.join("; ").as_bytes()));
        row.end();
    }
    out.write_all(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::Way;
    use crate::view::example;

    /// A running server that logs too little, and one that cannot be looked at.
    fn servers(root: &Path) -> Vec<Server> {
        let conf = root.join("postgresql.conf");
        let lines = "log_line_prefix = '%t '\nlog_disconnections = on\n";
        std::fs::write(&conf, lines).unwrap();
        let mut poor = Server::new(Path::new("/"), Way::Running);
        poor.settings = crate::settings::Settings::of_file(Path::new("/"), &conf);
        poor.name = "18/main".to_owned();
        poor.is_running = Some(true);
        (poor.pid, poor.port) = (Some(812), Some(5432));
        poor.user = Some("postgres".to_owned());
        poor.started_s = Some(1_763_875_266);
        poor.version = Some("18".to_owned());
        poor.data_directory = Some("/var/lib/postgresql/18/main".into());
        poor.config_file = Some("/etc/postgresql/18/main/postgresql.conf".into());
        poor.log.target = Target::Files;
        poor.log.formats = vec!["stderr"];
        poor.log.files = vec!["/var/log/postgresql/postgresql-18-main.log".into()];
        poor.log.shown = poor.log.files.first().cloned();
        poor.log.bytes = 12_345_678;

        let mut hidden = Server::new(Path::new("/"), Way::Running);
        hidden.name = "da\x1bta".to_owned();
        hidden.is_running = Some(true);
        hidden.pid = Some(9);
        hidden.data_directory = Some("/srv/da\x1bta".into());
        let denied = "/srv/da\x1bta: permission denied; sudo pgcensus, or run it as other";
        hidden.problems = vec![denied.to_owned()];
        vec![poor, hidden]
    }

    fn written(word: impl Fn(&[Server], &mut Vec<u8>) -> io::Result<()>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        word(&servers(dir.path()), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn servers_say_what_they_log_and_how_to_log_more() {
        let zone = example::zone();
        for width in [80, 200] {
            let text = written(|servers, out| text(servers, &example::show(&zone, width), out));
            insta::assert_snapshot!(format!("servers_{width}"), text);
        }
    }

    #[test]
    fn servers_are_data_too() {
        let zone = example::zone();
        let json = written(|servers, out| json(servers, &example::show(&zone, 80), out));
        insta::assert_snapshot!("servers_json", json);
        let csv = written(|servers, out| csv(servers, &example::piped(&zone), out));
        insta::assert_snapshot!("servers_csv", csv);
    }
}
