//! The text of `-h` and `--help`: options grouped by what they are for; `--help` adds words and examples.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Arg, ArgAction, CommandFactory as _};

use super::Flags;
use super::generate::Generate;

const HEADING: Style = Style::new().bold();
const LITERAL: Style = AnsiColor::Cyan.on_default();

/// All of it fits into 80 columns: clap would break longer lines without their indentation.
pub(super) const ABOUT: &str = "\
Who is connected to PostgreSQL, who was, how that changes and why connections
fail, from the server's own logs";

pub(super) const COMMANDS: Rows = &[
    (
        "summary",
        "who is connected, the peak, connects, disconnects, refused",
    ),
    (
        "history",
        "the same per interval; the last 60 minutes, if not told otherwise",
    ),
    ("sessions", "one line per session"),
    (
        "refused",
        "why connections failed: by reason, whom, from where, since when",
    ),
    (
        "events",
        "in order: [+] connected, [-] disconnected, [!] refused",
    ),
    ("watch", "the same, live, until Ctrl+C"),
    (
        "top",
        "all of it on a full screen, at any instant of the log",
    ),
    (
        "findings",
        "what calls for somebody: who, since when, why, what to do",
    ),
    (
        "compare",
        "what changed from --before to --after, and is no chance",
    ),
    (
        "report",
        "one page to look at in a browser: report -o pg.html INPUT",
    ),
    (
        "servers",
        "the servers of this machine, and whether they log what is needed",
    ),
    (
        "serve",
        "the same numbers over HTTP, and events as they happen",
    ),
];

pub(super) const INPUT: Rows = &[
    (
        "INPUT",
        "logs, directories, quoted globs, tars, compressed too; - is stdin",
    ),
    (
        "",
        "none: what is piped in, else the logs of the servers of this machine",
    ),
];

pub(super) const WORDS: Rows = &[
    (
        "session",
        "a client served by a backend, from authorization to disconnection",
    ),
    ("open", "a session that has not ended: an active connection"),
    (
        "connect",
        "a session that opened; one refused after its authorization is none",
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

pub(super) const STATUS: Rows = &[
    ("0", "done"),
    ("1", "done, but some input was missing, truncated or no log"),
    ("2", "no input could be read, or wrong usage"),
    ("3", "findings --fail-on: there is one of that level"),
    ("130", "stopped by Ctrl+C; what was known was printed"),
];

pub(super) const EXAMPLES: Rows = &[
    ("pgcensus", "who is connected to the servers here"),
    ("pgcensus /var/log/postgresql", "the same of the logs there"),
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
        "pgcensus refused --last 1h pg.log",
        "why connections failed lately",
    ),
    (
        "pgcensus events --user 'app*' -",
        "what these users did, from stdin",
    ),
    ("pgcensus watch", "what happens on the servers here"),
    (
        "pgcensus compare --before a --after b",
        "what changed from log a to b",
    ),
    (
        "pgcensus --by user,host --json pg.log",
        "two dimensions crossed, as data",
    ),
];

/// The flag that asks for a man page or completions.
pub(super) const GENERATE: &str = "generate";

/// Words and what they mean.
pub(super) type Rows = &'static [(&'static str, &'static str)];

/// The command line as clap knows it, with its help.
pub(super) fn command() -> clap::Command {
    let styles = Styles::styled()
        .header(HEADING)
        .usage(HEADING)
        .literal(LITERAL);
    Flags::command()
        .styles(styles)
        .about(ABOUT)
        .override_usage("pgcensus [COMMAND] [INPUT…] [OPTIONS]     (without COMMAND: summary)")
        .before_help([list("Commands", COMMANDS, 8), list("Input", INPUT, 8)].join("\n"))
        .next_help_heading("Help")
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::HelpShort)
                .help("This; --help adds words, exit status and examples"),
        )
        .arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("The version"),
        )
        .arg(
            Arg::new(GENERATE)
                .long(GENERATE)
                .value_name("WHAT")
                .value_parser(clap::value_parser!(Generate))
                .hide_possible_values(true)
                .help("man or complete-bash, -zsh, -fish, -powershell"),
        )
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}")
        .max_term_width(100)
}

/// `-h`
pub(super) fn short(width: Option<usize>) -> String {
    render(command(), width)
}

/// `--help`
pub(super) fn long(width: Option<usize>) -> String {
    let after = [
        list("Words", WORDS, 8),
        list("Exit status", STATUS, 8),
        list("Examples", EXAMPLES, 37),
        "Options of pgBadger that mean the same are understood: see docs/manual.md.".to_owned(),
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

fn list(heading: &str, rows: Rows, width: usize) -> String {
    let mut text = format!("{HEADING}{heading}:{HEADING:#}\n");
    for (word, meaning) in rows {
        let padding = " ".repeat(width.saturating_sub(word.len()) + 2);
        let _ = writeln!(text, "  {LITERAL}{word}{LITERAL:#}{padding}{meaning}");
    }
    text
}
