//! Every flag, and nothing else.
//!
//! ```text
//! pgcensus history --user app --json pg.log   →   Args { command: History, input, filter, window, show }
//! ```
//!
//! There are no subcommands in clap's sense: every option works with every command and stands where
//! one likes, and the first word that is no option is the command if it is the name of one. Times and
//! durations stay text here, since what `14:03` means depends on the log. Words that no longer mean
//! anything, here or in other programs, get an answer rather than a usage error (`cli/pgbadger.rs`).

mod compare;
mod config;
mod generate;
mod help;
mod pgbadger;
mod request;
#[cfg(test)]
mod tests;
mod typed;
mod usage;

use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{ColorChoice, FromArgMatches as _, ValueEnum};
use pgcensus_core::filter::{Filter, PatternError, edit_distance};
use pgcensus_core::findings::Severity;
use pgcensus_core::names::Dimension;
use pgcensus_log::translation::{self, LANGUAGES};

pub(crate) use self::compare::Compared;
pub(crate) use self::config::key_to_blame;
use self::generate::Generate;
use self::pgbadger::PgbadgerArgs;
pub(crate) use self::request::{Kind as ParameterKind, Parameter, parameters};
pub(crate) use self::typed::typed_filter;

/// What the operator asked for.
#[derive(Debug)]
pub(crate) struct Args {
    /// What to show.
    pub(crate) command: Command,
    /// Where the log is and how it is written.
    pub(crate) input: InputArgs,
    /// Which sessions count.
    pub(crate) filter: FilterArgs,
    /// Which time counts.
    pub(crate) window: WindowArgs,
    /// How it is shown.
    pub(crate) show: ShowArgs,
    /// `serve`: where, and for whom.
    pub(crate) serve: ServeArgs,
    /// `compare`: what.
    pub(crate) compared: Option<Compared>,
}

/// What to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Command {
    /// The census of the window.
    #[default]
    Summary,
    /// The same per interval.
    History,
    /// One line per session.
    Sessions,
    /// Why connections failed.
    Refused,
    /// One line per event.
    Events,
    /// The same, as they happen.
    Watch,
    /// The full-screen dashboard.
    Top,
    /// What calls for somebody, with the evidence.
    Findings,
    /// What changed between two windows or inputs.
    Compare,
    /// All of it on one page, to be looked at in a browser.
    Report,
    /// The servers of this machine, and what they log.
    Servers,
    /// The same numbers over HTTP, live.
    Serve,
}

impl Command {
    pub(crate) const ALL: [Command; 12] = [
        Command::Summary,
        Command::History,
        Command::Sessions,
        Command::Refused,
        Command::Events,
        Command::Watch,
        Command::Top,
        Command::Findings,
        Command::Compare,
        Command::Report,
        Command::Servers,
        Command::Serve,
    ];

    /// The word for it on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Command::Summary => "summary",
            Command::History => "history",
            Command::Sessions => "sessions",
            Command::Refused => "refused",
            Command::Events => "events",
            Command::Watch => "watch",
            Command::Top => "top",
            Command::Findings => "findings",
            Command::Compare => "compare",
            Command::Report => "report",
            Command::Servers => "servers",
            Command::Serve => "serve",
        }
    }
}

/// All flags, as clap sees them.
#[derive(Debug, clap::Parser)]
#[command(
    name = "pgcensus",
    version,
    disable_help_flag = true,
    disable_version_flag = true
)]
struct Flags {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    pgbadger: PgbadgerArgs,
}

/// Where the log is and how it is written.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "How it is read (found out; these overrule)")]
pub(crate) struct InputArgs {
    /// The words: files, directories, globs, `-`; the help says so beside the commands. None: stdin, or the servers of
    /// this machine.
    #[arg(hide = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Read the inputs that FILE lists, one a line
    #[arg(short = 'L', long = "logfile-list", value_name = "FILE")]
    pub(crate) lists: Vec<PathBuf>,
    /// Inputs with the names of their servers, and filters without.
    #[arg(
        long = "server",
        help = "PATH is the log of NAME; NAME alone is a filter",
        value_name = "NAME[=PATH]",
        value_parser = server
    )]
    pub(crate) servers: Vec<ServerArg>,
    /// stderr, csvlog or jsonlog, if found out wrongly
    #[arg(short = 'f', long, value_parser = log_format)]
    pub(crate) format: Option<LogFormat>,
    /// `log_line_prefix`, compiled where it is used.
    #[arg(
        short = 'p',
        long,
        help = "The log_line_prefix of the server, likewise",
        alias = "prefix",
        value_name = "PREFIX",
        allow_hyphen_values = true
    )]
    pub(crate) line_prefix: Option<String>,
    /// `lc_messages` of the server, for each language of the log one; none is English.
    #[arg(
        long = "lang",
        help = "The lc_messages of the server, such as de, fr or pt_BR; en for none",
        value_name = "LANG",
        value_delimiter = ',',
        value_parser = language
    )]
    languages: Vec<Language>,
    /// The zone of the log, in the words of the server's own setting.
    #[arg(
        long,
        help = "Its log_timezone, if the log's is ambiguous",
        value_name = "ZONE",
        allow_hyphen_values = true
    )]
    pub(crate) log_timezone: Option<String>,
    /// Read and decode with N threads
    #[arg(
        short = 'j',
        short_alias = 'J',
        long,
        aliases = ["jobs", "Jobs"],
        value_name = "N",
        value_parser = at_least_one
    )]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Bytes that are read at once: results never depend on it, which the tests show.
    #[arg(long, hide = true, value_name = "BYTES", value_parser = at_least_one)]
    pub(crate) chunk_size: Option<NonZeroUsize>,
}

impl InputArgs {
    /// The languages that were asked for: none for English alone; `None` where nothing was.
    pub(crate) fn languages(&self) -> Option<Vec<&'static str>> {
        let some = !self.languages.is_empty();
        some.then(|| {
            self.languages
                .iter()
                .filter_map(|language| language.0)
                .collect()
        })
    }
}

/// A language of PostgreSQL's catalogs; `None` is English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Language(Option<&'static str>);

/// `--server NAME=PATH`, or `--server NAME`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerArg {
    /// What its sessions are shown under; without a path a pattern of such names.
    pub(crate) name: String,
    /// A file, directory or glob; it is an input by this alone.
    pub(crate) path: Option<PathBuf>,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text with a `log_line_prefix`.
    Stderr,
    /// Comma-separated values.
    Csvlog,
    /// An object a line.
    Jsonlog,
}

/// Which sessions count.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Which sessions (exact names, * is a wildcard; repeat for more)")]
pub(crate) struct FilterArgs {
    /// Sessions in this database; 'unknown' for no name
    #[arg(short, long, aliases = ["database", "dbname"], value_name = "NAME")]
    pub(crate) db: Vec<String>,
    /// Sessions of this user
    #[arg(short, long, alias = "dbuser", value_name = "NAME")]
    pub(crate) user: Vec<String>,
    /// `application_name` at authorization.
    #[arg(
        short = 'N',
        long,
        help = "Sessions with this application_name",
        aliases = ["application", "application-name", "appname"],
        value_name = "NAME"
    )]
    pub(crate) app: Vec<String>,
    #[arg(
        help = "… from this address, 10.0.0.0/8, name or [local]",
        short = 'c',
        long,
        aliases = ["client-host", "dbclient"],
        value_name = "HOST"
    )]
    pub(crate) host: Vec<String>,
    /// Not in this database; exclusions win
    #[arg(long, aliases = ["exclude-database", "exclude-dbname"], value_name = "NAME")]
    pub(crate) exclude_db: Vec<String>,
    /// Not of this user
    #[arg(short_alias = 'U', long, alias = "exclude-dbuser", value_name = "NAME")]
    pub(crate) exclude_user: Vec<String>,
    /// Not with this name
    #[arg(
        long,
        aliases = ["exclude-application", "exclude-application-name", "exclude-appname"],
        value_name = "NAME"
    )]
    pub(crate) exclude_app: Vec<String>,
    /// Not from this host
    #[arg(
        long,
        aliases = ["exclude-client-host", "exclude-client", "exclude-dbclient"],
        value_name = "HOST"
    )]
    pub(crate) exclude_host: Vec<String>,
    /// Not of this server
    #[arg(long, value_name = "NAME")]
    pub(crate) exclude_server: Vec<String>,
    /// The sessions of this backend
    #[arg(long, alias = "include-pid", value_name = "PID")]
    pub(crate) pid: Vec<String>,
    /// The session with this id (%c)
    #[arg(long, aliases = ["session-id", "include-session"], value_name = "ID")]
    pub(crate) session: Vec<String>,
    /// Nobody is told who is left out: `serve` was called with a filter.
    #[arg(skip)]
    pub(crate) hides_others: bool,
}

impl FilterArgs {
    fn filter(&self) -> anyhow::Result<Filter> {
        let mut filter = Filter::default();
        for (flag, patterns, dimension) in [
            ("--db", &self.db, Dimension::Database),
            ("--user", &self.user, Dimension::User),
            ("--app", &self.app, Dimension::ApplicationName),
            ("--host", &self.host, Dimension::ClientHost),
        ] {
            each(flag, patterns, |pattern| filter.include(dimension, pattern))?;
        }
        for (flag, patterns, dimension) in [
            ("--exclude-db", &self.exclude_db, Dimension::Database),
            ("--exclude-user", &self.exclude_user, Dimension::User),
            (
                "--exclude-app",
                &self.exclude_app,
                Dimension::ApplicationName,
            ),
            ("--exclude-host", &self.exclude_host, Dimension::ClientHost),
            ("--exclude-server", &self.exclude_server, Dimension::Server),
        ] {
            each(flag, patterns, |pattern| filter.exclude(dimension, pattern))?;
        }
        each("--pid", &self.pid, |pid| filter.include_pid(pid))?;
        each("--session", &self.session, |id| filter.include_session(id))?;
        Ok(filter)
    }
}

impl FilterArgs {
    /// Each flag with each of its values.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("--db", &self.db),
            ("--user", &self.user),
            ("--app", &self.app),
            ("--host", &self.host),
            ("--exclude-db", &self.exclude_db),
            ("--exclude-user", &self.exclude_user),
            ("--exclude-app", &self.exclude_app),
            ("--exclude-host", &self.exclude_host),
            ("--exclude-server", &self.exclude_server),
            ("--pid", &self.pid),
            ("--session", &self.session),
        ];
        let all = all.into_iter();
        all.flat_map(|(flag, values)| values.iter().map(move |value| (flag, &**value)))
    }
}

fn each(
    flag: &str,
    values: &[String],
    mut take: impl FnMut(&str) -> Result<(), PatternError>,
) -> anyhow::Result<()> {
    values
        .iter()
        .try_for_each(|value| take(value).with_context(|| format!("{flag} '{value}'")))
}

/// Which time counts, as typed: what `14:03` means depends on the log.
#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
#[command(
    next_help_heading = "Which time (14:03, '2026-11-23 14:03 UTC', 'yesterday 14:03', -30m)"
)]
pub(crate) struct WindowArgs {
    /// From this time on
    #[arg(
        short = 'b',
        long,
        alias = "begin",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(
        short = 'e',
        long,
        alias = "end",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub(crate) until: Option<String>,
    /// The last 90m, 6h, 7d of the log, or all of it
    #[arg(long, value_name = "DURATION")]
    pub(crate) last: Option<String>,
    /// These hours of each day, such as 22:00-06:00
    #[arg(long, value_name = "HH:MM-HH:MM")]
    pub(crate) between: Option<String>,
    /// summary, sessions, top: who was there then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// compare: these inputs, or this window of one input …
    #[arg(long, value_name = "INPUT|A..B", num_args = 1..)]
    pub(crate) before: Vec<String>,
    /// … with these, or this one
    #[arg(long, value_name = "INPUT|A..B", num_args = 1..)]
    pub(crate) after: Vec<String>,
}

/// How the result is shown, and where it goes.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ShowArgs {
    /// JSON, by the contract in the manual
    #[arg(long)]
    pub(crate) json: bool,
    /// Comma-separated values
    #[arg(long)]
    pub(crate) csv: bool,
    /// Write to FILE (.json, .csv, .txt, .html; - is stdout)
    #[arg(short, long = "output", alias = "outfile", value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// At most N rows; 0 is all
    #[arg(
        short = 't',
        long,
        alias = "top",
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub(crate) limit: Option<usize>,
    /// By db, user, app, host or server, or two crossed
    #[arg(long, value_name = "DIM[,DIM]", value_delimiter = ',', value_parser = dimension)]
    pub(crate) by: Vec<Dimension>,
    /// history: 1m, 5m, 15m, 1h, 1d …
    #[arg(long, value_name = "DURATION")]
    pub(crate) bucket: Option<String>,
    /// sessions: those still open, oldest first
    #[arg(long)]
    pub(crate) open: bool,
    /// summary: do not fold health checks and the like
    #[arg(long)]
    pub(crate) no_fold: bool,
    /// summary, serve: metrics for node_exporter (.prom)
    #[arg(long, value_name = "FILE")]
    pub(crate) textfile: Option<PathBuf>,
    /// watch: each event, on a terminal too
    #[arg(long)]
    pub(crate) all: bool,
    /// findings: exit status 3 from this level on (warning)
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "warning",
        value_parser = severity
    )]
    pub(crate) fail_on: Option<Severity>,
    /// findings: a person's role, on one host at a time
    #[arg(long, value_name = "GLOB")]
    pub(crate) personal_user: Vec<String>,
    /// findings: wrong passwords, in lines for fail2ban
    #[arg(long, value_name = "FOR", hide_possible_values = true)]
    pub(crate) emit: Option<Emit>,
    /// sessions: by age, start or session time
    #[arg(long, value_name = "KEY", hide_possible_values = true)]
    pub(crate) sort: Option<Sort>,
    /// report: other names and no text of the log, to be shown
    #[arg(long)]
    pub(crate) anonymize: bool,
    /// Times in this zone instead of the log's
    #[arg(short = 'Z', long, value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) timezone: Option<String>,
    /// auto, always or never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    #[arg(hide_possible_values = true)]
    pub(crate) color: ColorChoice,
    /// Say what each input was taken for, and why
    #[arg(short = 'v', long, alias = "verbose")]
    pub(crate) explain: bool,
    /// Print what could not be read, with file and line
    #[arg(long)]
    pub(crate) unreadable: bool,
    /// No notes and no progress on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `serve`: where it listens, and whom it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "serve")]
pub(crate) struct ServeArgs {
    /// Where to listen (127.0.0.1:8432)
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// The token that each request must carry
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates for TLS, in PEM …
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// … with their key
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Another name by which it may be called
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// A file with all of this
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Say whether that file is right, and end
    #[arg(long)]
    pub(crate) check_config: bool,
}

/// `--sort`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The oldest first: by how long ago it opened, whether it has ended or not.
    Age,
    /// In the order in which they began.
    Start,
    /// The longest first.
    Time,
}

/// `--emit`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// Time and address of each wrong password.
    Fail2ban,
}

/// One place where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Where.
    pub(crate) target: Target,
    /// How.
    pub(crate) format: OutputFormat,
}

/// Where a result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `-`, or no `-o` at all.
    Stdout,
    /// A file, made new.
    File(PathBuf),
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// For people.
    Text,
    /// By the contract.
    Json,
    /// A table.
    Csv,
}

impl ShowArgs {
    /// Where the result of a command goes and how it is written there; stdout, where nothing else is named. What is for people
    /// is a page, where that is asked for.
    pub(crate) fn outputs(&self, command: Command) -> anyhow::Result<Vec<Output>> {
        let asked = match (self.json, self.csv) {
            (true, true) => {
                bail!("--json and --csv: stdout takes one of them; write the other with -o FILE")
            }
            (true, false) => Some(OutputFormat::Json),
            (false, true) => Some(OutputFormat::Csv),
            (false, false) => None,
        };
        let mut outputs: Vec<Output> = Vec::new();
        for path in &self.output {
            let output = output(path, asked, command)?;
            if outputs
                .iter()
                .any(|earlier| earlier.target == output.target)
            {
                bail!("-o '{}': given twice", path.display());
            }
            outputs.push(output);
        }
        if outputs.is_empty() {
            outputs.push(Output {
                target: Target::Stdout,
                format: asked.unwrap_or(OutputFormat::Text),
            });
        }
        // Who asks for JSON and gets none would learn it from the program that reads the file.
        if let Some(asked) = asked
            && outputs.iter().all(|output| output.format != asked)
        {
            let flag = if self.json { "--json" } else { "--csv" };
            bail!(
                "{flag} is for stdout, where nothing goes with -o FILE; add -o -, or name FILE *.{}",
                &flag[2..]
            );
        }
        Ok(outputs)
    }
}

fn output(path: &Path, asked: Option<OutputFormat>, command: Command) -> anyhow::Result<Output> {
    let is_page = command == Command::Report;
    let or_text = asked.unwrap_or(OutputFormat::Text);
    if path == Path::new("-") {
        return Ok(Output {
            target: Target::Stdout,
            format: or_text,
        });
    }
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    let format = match extension.as_deref() {
        None => or_text,
        Some("html" | "htm") if is_page => OutputFormat::Text,
        Some("json" | "jsonl" | "ndjson") => OutputFormat::Json,
        Some(_) if is_page => bail!(
            "-o '{}': a page is .html; its data alone is .json",
            path.display()
        ),
        Some("txt" | "text" | "log") => OutputFormat::Text,
        Some("csv") => OutputFormat::Csv,
        Some("html" | "htm") => bail!(
            "-o '{0}': report writes html: pgcensus report -o '{0}' …",
            path.display()
        ),
        Some(_) => bail!(
            "-o '{}': the extension says the format: .json, .jsonl, .csv, .txt or none",
            path.display()
        ),
    };
    Ok(Output {
        target: Target::File(path.to_owned()),
        format,
    })
}

impl LogFormat {
    /// The word for it on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            LogFormat::Stderr => "stderr",
            LogFormat::Csvlog => "csvlog",
            LogFormat::Jsonlog => "jsonlog",
        }
    }
}

fn server(text: &str) -> Result<ServerArg, String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok(ServerArg {
            name: name.to_owned(),
            path: Some(path.into()),
        }),
        None => Ok(ServerArg {
            name: text.to_owned(),
            path: None,
        }),
        Some(_) => Err("not NAME or NAME=PATH".to_owned()),
    }
}

/// The names that `log_destination` has for formats, and those of pgBadger.
fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        // What is around the server's text is found out.
        "stderr" | "rds" | "redshift" | "syslog" | "syslog2" | "logplex" => Ok(LogFormat::Stderr),
        "csvlog" | "csv" | "cvs" => Ok(LogFormat::Csvlog),
        "jsonlog" | "json" => Ok(LogFormat::Jsonlog),
        "pgbouncer" => Err("pgcensus reads PostgreSQL's log; PgBouncer's is left out".to_owned()),
        _ => Err("not one of stderr, csvlog, jsonlog".to_owned()),
    }
}

fn language(text: &str) -> Result<Language, String> {
    if matches!(text.split(['_', '.']).next(), Some("en" | "C" | "POSIX")) {
        return Ok(Language(None));
    }
    translation::language(text)
        .map(|language| Language(Some(language)))
        .ok_or_else(|| format!("not one of en, {}", LANGUAGES.join(", ")))
}

fn dimension(text: &str) -> Result<Dimension, String> {
    match text {
        "db" | "database" => Ok(Dimension::Database),
        "user" => Ok(Dimension::User),
        "app" | "application" | "application_name" | "application-name" => {
            Ok(Dimension::ApplicationName)
        }
        "host" | "client_host" | "client-host" => Ok(Dimension::ClientHost),
        "server" => Ok(Dimension::Server),
        _ => Err("not one of db, user, app, host, server".to_owned()),
    }
}

fn severity(text: &str) -> Result<Severity, String> {
    let mut all = Severity::ALL.into_iter();
    all.find(|severity| severity.as_str() == text)
        .ok_or_else(|| "not one of info, warning, critical".to_owned())
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "not a number from 1 on".to_owned())
}

impl Args {
    /// Where the result goes.
    pub(crate) fn outputs(&self) -> anyhow::Result<Vec<Output>> {
        self.show.outputs(self.command)
    }

    /// Which sessions count.
    pub(crate) fn filter(&self) -> anyhow::Result<Filter> {
        let mut filter = self.filter.filter()?;
        let servers = self.input.servers.iter();
        for ServerArg { name, .. } in servers.filter(|server| server.path.is_none()) {
            let name = std::slice::from_ref(name);
            each("--server", name, |name| {
                filter.include(Dimension::Server, name)
            })?;
        }
        Ok(filter)
    }

    /// Which sessions count, as one would type it into `top`.
    pub(crate) fn typed_filter(&self) -> String {
        let servers = self.input.servers.iter();
        let servers = servers.filter(|server| server.path.is_none());
        let servers: Vec<_> = servers.map(|server| server.name.clone()).collect();
        self.filter.as_typed(&servers)
    }

    /// The same for requests: on this input, whatever it was called with.
    pub(crate) fn for_requests(&self, input: InputArgs) -> Args {
        Args {
            command: self.command,
            input,
            filter: self.filter.clone(),
            window: WindowArgs::default(),
            show: ShowArgs {
                timezone: self.show.timezone.clone(),
                personal_user: self.show.personal_user.clone(),
                ..ShowArgs::default()
            },
            serve: ServeArgs::default(),
            compared: None,
        }
    }

    /// The command line of this process. `Err`: the answer has been printed, and this is the exit status.
    pub(crate) fn parse() -> Result<Args, ExitCode> {
        let exists = |path: &Path| path.exists();
        Args::read(std::env::args_os(), exists).map_err(|stop| match stop {
            Stop::Answer(text) => {
                // A closed pipe (`pgcensus --help | head`) is no failure.
                let _ = write!(anstream::stdout(), "{text}");
                ExitCode::SUCCESS
            }
            Stop::Usage(message) => {
                let _ = writeln!(anstream::stderr(), "pgcensus: {message}");
                ExitCode::from(2)
            }
        })
    }

    /// A command line, program name first. `exists` says whether a word names something to read.
    fn read(
        words: impl IntoIterator<Item = OsString>,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Args, Stop> {
        let words = with_level(words.into_iter().collect(), &exists)?;
        let flags = help::command()
            .try_get_matches_from(&words)
            .and_then(|matches| {
                let generate = matches.get_one::<Generate>(help::GENERATE).copied();
                Ok((generate, Flags::from_arg_matches(&matches)?))
            });
        let (generate, flags) = flags.map_err(|err| match err.kind() {
            clap::error::ErrorKind::DisplayHelp => {
                Stop::Answer(if words.iter().any(|word| word == "--help") {
                    help::long(None)
                } else {
                    help::short(None)
                })
            }
            clap::error::ErrorKind::DisplayVersion => Stop::Answer(err.render().ansi().to_string()),
            _ => Stop::Usage(usage::describe(&err)),
        })?;
        if let Some(generate) = generate {
            return Err(Stop::Answer(generate.text()));
        }

        let Flags {
            mut input,
            filter,
            mut window,
            mut show,
            serve,
            pgbadger,
        } = flags;
        pgbadger.apply(&mut show)?;
        let command = take_command(&mut input.inputs, &exists)?;
        let compared =
            compare::settle(command, &mut window, &mut input, &exists).map_err(Stop::Usage)?;
        let args = Args {
            command,
            input,
            filter,
            window,
            show,
            serve,
            compared,
        };
        usage::check(&args).map_err(Stop::Usage)?;
        let is_input = |pattern: &&String| pattern.contains('/') && exists(Path::new(pattern));
        if let Some(path) = args.show.personal_user.iter().find(is_input) {
            return Err(Stop::Usage(format!(
                "--personal-user '{path}': a file; give a role, or a pattern such as 'dev_*', before the inputs"
            )));
        }
        for path in args.input.inputs.iter().filter(|path| !exists(path)) {
            if let Some(message) = usage::not_an_input(path) {
                return Err(Stop::Usage(message));
            }
        }
        Ok(args)
    }
}

/// `--fail-on critical` is `--fail-on=critical`; alone it has a level of its own, so clap takes no word after it.
fn with_level(
    mut words: Vec<OsString>,
    exists: impl Fn(&Path) -> bool,
) -> Result<Vec<OsString>, Stop> {
    let flag = words.iter().position(|word| word == "--fail-on");
    if let Some(flag) = flag
        && let Some(level) = words.get(flag + 1).and_then(|word| word.to_str())
    {
        let is_word = !level.starts_with('-') && !exists(Path::new(level));
        match severity(level) {
            Ok(_) => {
                words[flag] = format!("--fail-on={level}").into();
                words.remove(flag + 1);
            }
            Err(err) if is_word => {
                return Err(Stop::Usage(format!("--fail-on '{level}': {err}")));
            }
            Err(_) => {}
        }
    }
    Ok(words)
}

/// The first word, if it is a command: it wins over a file of that name, which is `./history`.
fn take_command(
    inputs: &mut Vec<PathBuf>,
    exists: impl Fn(&Path) -> bool,
) -> Result<Command, Stop> {
    let Some(word) = inputs.first().and_then(|first| first.to_str()) else {
        return Ok(Command::default());
    };
    if let Some(command) = Command::ALL
        .into_iter()
        .find(|command| command.as_str() == word)
    {
        inputs.remove(0);
        return Ok(command);
    }
    if exists(Path::new(word)) {
        return Ok(Command::default());
    }
    if word == "help" {
        return Err(Stop::Answer(help::long(None)));
    }
    let meant = Command::ALL
        .into_iter()
        .find(|command| edit_distance(command.as_str(), word) <= 2);
    match meant {
        Some(command) => Err(Stop::Usage(format!(
            "'{word}': no such file and no command; did you mean {}?",
            command.as_str()
        ))),
        None => Ok(Command::default()),
    }
}

/// Why there are no [`Args`].
#[derive(Debug)]
enum Stop {
    /// What was asked for, for stdout.
    Answer(String),
    /// What is wrong, for stderr.
    Usage(String),
}
