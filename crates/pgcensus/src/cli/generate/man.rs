//! The man page: the texts of `--help`, in the order of other man pages, with files and environment.

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::cli::help::{ABOUT, COMMANDS, EXAMPLES, INPUT, Rows, STATUS, WORDS};

const DESCRIPTION: &str = "\
Counts from the server's own logs, without a query to the server. The first word that is no option is the command if it is the \
name of one, otherwise it is an input, and the command is summary. Options stand anywhere and mean the same with every command. \
The format of a log, its log_line_prefix, compression and order are found out.";

const FILES: Rows = &[
    (
        "postgresql.conf, postgresql.auto.conf",
        "beside a log, or of a server that was found: the log_line_prefix and log_timezone of the log",
    ),
    (
        "/etc/pgcensus/pgcensus.toml",
        "the configuration of the service of the Debian package, which runs pgcensus serve",
    ),
];

const ENVIRONMENT: Rows = &[
    (
        "PGDATA",
        "a data directory, whose server is found where no INPUT is named",
    ),
    (
        "PGCENSUS_TOKEN",
        "the token that requests to serve must carry, unless --token-file says it",
    ),
    (
        "NO_COLOR",
        "set and not empty: no colours, as --color never",
    ),
    (
        "TERM",
        "dumb: no progress on stderr; else what the terminal of top and watch can do",
    ),
    (
        "TMPDIR",
        "where standard input is kept, if it must be read twice",
    ),
];

/// The page, as roff.
pub(super) fn page(command: Command) -> String {
    let version = command.get_version().unwrap_or_default().to_owned();
    let options = options(&command);
    let man = Man::new(command)
        .title("PGCENSUS")
        // None, in quotes lest what follows take its place: that of a build would make each one another page.
        .date("\"\"")
        .source(format!("pgcensus {version}"))
        .manual("User Commands");
    let mut roff = Vec::new();
    man.render_title(&mut roff).expect(IN_MEMORY);
    section(
        &mut roff,
        "NAME",
        &[roman(format!("pgcensus - {}", one_line(ABOUT)))],
    );
    section(
        &mut roff,
        "SYNOPSIS",
        &[bold("pgcensus"), roman(" [COMMAND] [INPUT…] [OPTIONS]")],
    );
    section(&mut roff, "DESCRIPTION", &[roman(DESCRIPTION)]);
    rows(&mut roff, "COMMANDS", COMMANDS);
    rows(&mut roff, "INPUT", INPUT);
    section(&mut roff, "OPTIONS", &[]);
    roff.extend(options);
    rows(&mut roff, "WORDS", WORDS);
    rows(&mut roff, "EXIT STATUS", STATUS);
    rows(&mut roff, "FILES", FILES);
    rows(&mut roff, "ENVIRONMENT", ENVIRONMENT);
    rows(&mut roff, "EXAMPLES", EXAMPLES);
    String::from_utf8(roff).expect("roff of what is UTF-8")
}

const IN_MEMORY: &str = "a vector takes all";

/// The options below the headings that they have in the help. `clap_mangen` alone would make a section of each heading, in
/// capitals, where `-30m` is no minutes.
fn options(command: &Command) -> Vec<u8> {
    let visible = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    let mut headings: Vec<&str> = visible().filter_map(Arg::get_help_heading).collect();
    headings.dedup();
    let mut text = Vec::new();
    for heading in headings {
        let own = visible().filter(|arg| arg.get_help_heading() == Some(heading));
        let own = own.map(|arg| arg.clone().help_heading(None::<&str>));
        let alone = Command::new("pgcensus")
            .version("")
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args(own);
        let mut roff = Vec::new();
        let man = Man::new(alone);
        man.render_options_section(&mut roff).expect(IN_MEMORY);
        let roff = String::from_utf8(roff).expect("roff of what is UTF-8");
        let (_, below) = roff.split_once(".SH OPTIONS\n").expect("the section");
        write(Roff::new().control("SS", [heading]), &mut text);
        text.extend(below.bytes());
    }
    text
}

fn section(roff: &mut Vec<u8>, heading: &str, text: &[Inline]) {
    let mut section = Roff::new();
    section.control("SH", [heading]);
    if !text.is_empty() {
        section.text(text);
    }
    write(&section, roff);
}

/// Words and what they mean; a row without a word goes on with the one before.
fn rows(roff: &mut Vec<u8>, heading: &str, rows: Rows) {
    let mut section = Roff::new();
    section.control("SH", [heading]);
    for (word, meaning) in rows {
        if word.is_empty() {
            section.control("br", []);
        } else {
            section.control("TP", []).text([bold(*word)]);
        }
        section.text([roman(*meaning)]);
    }
    write(&section, roff);
}

fn write(section: &Roff, roff: &mut Vec<u8>) {
    // How apostrophes print is said once, by the title.
    let text = section.render();
    let lines = text.split_inclusive('\n');
    let own = lines.skip_while(|line| line.starts_with(".ie") || line.starts_with(".el"));
    roff.extend(own.flat_map(str::bytes));
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
