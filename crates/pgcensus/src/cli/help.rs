//! The text of `-h` and `--help`: options grouped by what they are for; `--help` adds words and examples.

use anstyle::{AnsiColor, Style};
use clap::CommandFactory as _;
use clap::builder::Styles;

use super::Flags;

const HEADING: Style = Style::new().bold();
const LITERAL: Style = AnsiColor::Cyan.on_default();

const COMMANDS: &[(&str, &str)] = &[
    (
        "summary",
        "who is connected, the peak, connects, disconnects, refused (the default)",
    ),
    (
        "history",
        "the same per interval; the last 60 minutes, unless told otherwise",
    ),
    ("sessions", "one line per session"),
    (
        "events",
        "what happened, in order: [+] connected, [-] disconnected, [!] refused",
    ),
];

const WORDS: &[(&str, &str)] = &[
    (
        "session",
        "a client served by a backend, from authorization to disconnection",
    ),
    ("open", "a session that has not ended: an active connection"),
    (
        "connect",
        "a session that opened; one that was authorized, then refused, is none",
    ),
    (
        "pending",
        "a connection received, not yet authorized or refused",
    ),
    (
        "refused",
        "a connection turned down: password, pg_hba.conf, limits, shutdown",
    ),
    (
        "probe",
        "a connection received and nothing more: health checks, port scans",
    ),
];

const STATUS: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "done, but some input was missing, truncated or no log"),
    ("2", "no input could be read, or wrong usage"),
];

const EXAMPLES: &[(&str, &str)] = &[
    (
        "pgcensus /var/log/postgresql",
        "who is connected, by database, user and host",
    ),
    (
        "pgcensus --at 14:03 pg.log.gz",
        "who was, at three past two",
    ),
    ("pgcensus history --last all pg.log", "how it changed"),
    (
        "pgcensus sessions --open pg.log",
        "the oldest sessions first",
    ),
    (
        "pgcensus events --user 'app*' -",
        "what these users did, from stdin",
    ),
    (
        "pgcensus --by user,host --json pg.log",
        "two dimensions crossed, as data",
    ),
];

/// The command line as clap knows it, with its help.
pub(super) fn command() -> clap::Command {
    let styles = Styles::styled()
        .header(HEADING)
        .usage(HEADING)
        .literal(LITERAL);
    Flags::command()
        .styles(styles)
        .about("Who is connected to PostgreSQL, who was, how that changes and why connections fail,\nfrom the server's own logs")
        .override_usage("pgcensus [COMMAND] [INPUT…] [OPTIONS]")
        .before_help(list("Commands", COMMANDS, 8))
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}")
        .max_term_width(100)
        .mut_arg("exclude_db", |arg| arg.help("Not this database; exclusions win"))
        .mut_arg("exclude_user", |arg| arg.help("Not this user"))
        .mut_arg("exclude_app", |arg| arg.help("Not this application"))
        .mut_arg("exclude_host", |arg| arg.help("Not from this host"))
}

/// `-h`
pub(super) fn short(width: Option<usize>) -> String {
    render(
        command()
            .after_help("pgcensus --help explains the words, shows examples and the exit status."),
        width,
    )
}

/// `--help`
pub(super) fn long(width: Option<usize>) -> String {
    let after = [
        list("Words", WORDS, 8),
        list("Exit status", STATUS, 8),
        list("Examples", EXAMPLES, 38),
        "The options of pgBadger that mean the same are understood, see docs/manual.md.".to_owned(),
    ];
    render(command().after_help(after.join("\n")), width)
}

/// Both are laid out as clap's short help: its long one takes two lines and more for each option.
fn render(mut command: clap::Command, width: Option<usize>) -> String {
    if let Some(width) = width {
        command = command.term_width(width);
    }
    command.render_help().ansi().to_string()
}

fn list(heading: &str, rows: &[(&str, &str)], width: usize) -> String {
    let mut text = format!("{HEADING}{heading}:{HEADING:#}\n");
    for (word, meaning) in rows {
        let padding = " ".repeat(width.saturating_sub(word.len()) + 2);
        text.push_str(&format!("  {LITERAL}{word}{LITERAL:#}{padding}{meaning}\n"));
    }
    text
}
