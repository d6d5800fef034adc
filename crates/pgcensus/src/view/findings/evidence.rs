//! The command that shows the evidence of a finding, as one can paste it into a shell: of the same input, read in the same
//! way, and of the same sessions.
//!
//! ```text
//! findings --app 'web*' --last 1d pg.log   →   pgcensus history --app=web1 --since=… --until=… pg.log
//! zcat pg.gz | pgcensus refused -          →   … | pgcensus events --host=10.0.0.7 --since=… --until=… -
//! ```

use pgcensus_core::findings::{Argument, Finding, Kind};
use pgcensus_core::instant::Instant;

use crate::view::Show;
use crate::view::text::is_hidden;

/// What of the command line holds for such a command too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// The log comes from standard input.
    pub(crate) is_piped: bool,
    /// Words that name the input and say how it is read and shown, as a shell has to be given them.
    pub(crate) input: Vec<String>,
    /// Which sessions: flags with their values, `("--app", "web*")`.
    pub(crate) filter: Vec<(&'static str, String)>,
    /// From when on.
    pub(crate) since: Option<Instant>,
    /// Before when.
    pub(crate) until: Option<Instant>,
    /// Hours of each day.
    pub(crate) between: Option<String>,
}

/// The command line.
///
/// The finding's own name of a dimension stands for all that were asked for in it, since it is one of them, and its own
/// times for those of the window, since it may have begun before; an exclusion holds beside them. Who holds a full server is
/// told of all sessions.
pub(super) fn command(finding: &Finding, given: &Given, show: &Show<'_>) -> String {
    let server = (show.servers.len() > 1).then(|| show.server(finding.server));
    let is_of_all = finding.kind == Kind::Saturation;
    line(&finding.command, server, is_of_all, given, show)
}

/// Who held the connections at this instant, of all servers.
pub(crate) fn open_at(at: Instant, given: &Given, show: &Show<'_>) -> String {
    let own = [
        Argument::Word("sessions"),
        Argument::Word("--open"),
        Argument::At("--at", at),
    ];
    line(&own, None, true, given, show)
}

fn line(
    own: &[Argument],
    server: Option<&str>,
    is_of_all: bool,
    given: &Given,
    show: &Show<'_>,
) -> String {
    let has = |wanted: &str| {
        own.iter().any(|argument| match argument {
            Argument::Word(flag)
            | Argument::Named(flag, _)
            | Argument::Folded(flag, _)
            | Argument::At(flag, _) => *flag == wanted,
        })
    };
    let argument = |argument: &Argument| match argument {
        Argument::Word(word) => (*word).to_owned(),
        Argument::Named(flag, name) => format!("{flag}={}", quoted(&pattern(name))),
        Argument::Folded(flag, name) => {
            let words = name.split(|&byte| byte == b'#').map(pattern);
            let pattern = words.collect::<Vec<_>>().join("*");
            format!("{flag}={}", quoted(&pattern))
        }
        Argument::At(flag, at) => format!("{flag}={}", show.zone.rfc3339(*at)),
    };
    let begin = if given.is_piped { "… | " } else { "" };
    let mut words = vec![format!("{begin}pgcensus")];
    words.extend(own.iter().map(argument));
    if let Some(name) = server {
        words.push(format!("--server={}", quoted(&pattern(name.as_bytes()))));
    }
    let filter = given.filter.iter();
    let filter = filter.filter(|(flag, _)| {
        let is_server = flag.ends_with("-server");
        !(has(flag) || is_server && server.is_some() || is_of_all && !is_server)
    });
    words.extend(filter.map(|(flag, value)| format!("{flag}={}", quoted(value))));
    if !has("--at") {
        let times = [("--since", given.since), ("--until", given.until)];
        let times = times.into_iter().filter(|(flag, _)| !has(flag));
        words.extend(times.filter_map(|(flag, at)| Some(argument(&Argument::At(flag, at?)))));
        let between = given.between.iter();
        words.extend(between.map(|hours| format!("--between={}", quoted(hours))));
    }
    words.extend(given.input.iter().map(|word| quoted(word)));
    words.join(" ")
}

/// What finds this name: what cannot be typed is a wildcard.
fn pattern(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            '*' | '\\' => pattern.extend(['\\', c]),
            c if is_hidden(c) || c == '\u{fffd}' => pattern.push('*'),
            c => pattern.push(c),
        }
    }
    pattern
}

/// A word for a shell; what does not show is spelled out, as bash and zsh read it.
fn quoted(word: &str) -> String {
    if word.chars().any(is_hidden) {
        let spelled = word.chars().map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if is_hidden(c) => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                bytes.map(|byte| format!("\\x{byte:02x}")).collect()
            }
            c => c.to_string(),
        });
        return format!("$'{}'", spelled.collect::<String>());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-,:+=@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::example;
    use crate::view::findings::tests::findings;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        for (word, expected) in [
            ("pg.log", "pg.log"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
        assert_eq!(pattern(b"a\nb\xff"), "a*b*");
        assert_eq!(pattern(br"a*b\c"), r"a\*b\\c");
        assert_eq!(quoted("h\u{1b}[31m'x"), r"$'h\x1b[31m\'x'");
    }

    #[test]
    fn what_was_asked_for_holds_for_the_evidence_too() {
        let zone = example::zone();
        let show = example::show(&zone, 80);
        let (since, until) = (example::at(1, 0, 0), example::at(3, 0, 0));
        let given = Given {
            is_piped: true,
            input: vec!["--format=stderr".to_owned(), "-".to_owned()],
            filter: vec![
                ("--app", "web*".to_owned()),
                ("--exclude-user", "ops".to_owned()),
            ],
            since: Some(since),
            until: Some(until),
            between: Some("01:00-04:00".to_owned()),
        };
        let mut finding = findings().remove(1);
        let rows = [
            (
                vec![Argument::Word("sessions"), Argument::At("--at", since)],
                "… | pgcensus sessions --at=2025-11-23T01:00:00.000+00:00 --app='web*' --exclude-user=ops --format=stderr -",
            ),
            (
                vec![
                    Argument::Word("events"),
                    Argument::Named("--app", b"web1"[..].into()),
                    Argument::At("--since", example::at(0, 30, 0)),
                ],
                "… | pgcensus events --app=web1 --since=2025-11-23T00:30:00.000+00:00 --exclude-user=ops \
                 --until=2025-11-23T03:00:00.000+00:00 --between=01:00-04:00 --format=stderr -",
            ),
            (
                vec![Argument::Word("sessions"), Argument::Word("--open")],
                "… | pgcensus sessions --open --app='web*' --exclude-user=ops --since=2025-11-23T01:00:00.000+00:00 \
                 --until=2025-11-23T03:00:00.000+00:00 --between=01:00-04:00 --format=stderr -",
            ),
        ];
        for (command, expected) in rows {
            finding.command = command;
            assert_eq!(super::command(&finding, &given, &show), expected);
        }
        finding.kind = Kind::Saturation;
        finding.command = vec![Argument::Word("sessions"), Argument::At("--at", since)];
        assert_eq!(
            super::command(&finding, &given, &show),
            "… | pgcensus sessions --at=2025-11-23T01:00:00.000+00:00 --format=stderr -"
        );
    }
}
