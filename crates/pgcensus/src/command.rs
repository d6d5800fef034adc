//! From what was asked to what is shown: the input is found, the window settled, the pipeline run into the
//! fold of the command, and the views word the result.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::tz::TimeZone;
use pgcensus_core::census::Census;
use pgcensus_core::change::{Change, What};
use pgcensus_core::filter::{Filter, Who};
use pgcensus_core::history::History;
use pgcensus_core::instant::Instant;
use pgcensus_core::lives::Lives;
use pgcensus_core::names::{NAMES_MAX, Names};
use pgcensus_core::session::Session;
use pgcensus_core::snapshot::{CensusSnapshot, HistorySnapshot};
use pgcensus_core::tracker::BACKENDS_MAX;
use pgcensus_core::window::Window;
use pgcensus_core::zone::{DisplayZone, LogClock, bucket_start};
use pgcensus_log::line_prefix::LinePrefix;
use tempfile::NamedTempFile;

use clap::ColorChoice;

use crate::cli::{Args, Command, InputArgs, LogFormat, Output, OutputFormat, Sort, Target};
use crate::pipeline::{self, Outcome, Run, Sink};
use crate::report;
use crate::source::file::FileTime;
use crate::source::{FormatOption, Plan, Readable, Request, Stdin};
use crate::time_spec::{self, Between, DurationSpec, TimeSpec, WindowRequest, parse_bucket};
use crate::view::events::Events;
use crate::view::sessions::Sessions;
use crate::view::{self, Form, InputReport, Show};

/// The default bucket of `history`, and its default window.
const BUCKET_S: u64 = 15 * 60;
const BUCKETS: i64 = 4;

/// Columns of the sparkline of `summary`.
const TIMELINE: usize = 60;

/// Sessions that are sorted at most; past it, the rest is only counted.
const SORTED_MAX: usize = 262_144;

/// Runs a command to its end.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let outputs = args.show.outputs()?;
    let request = window_request(args)?;
    let bucket_s = args.show.bucket.as_deref().map(parse_bucket).transpose()?;
    let log_timezone = args
        .input
        .log_timezone
        .as_deref()
        .map(|name| time_zone("--log-timezone", name))
        .transpose()?;
    let timezone = args
        .show
        .timezone
        .as_deref()
        .map(|name| time_zone("--timezone", name))
        .transpose()?;

    let is_default_window =
        args.command == Command::History && bucket_s.is_none() && request.is_empty();
    let needs_end = is_default_window || request.needs_end();
    let mut input = input_request(&args.input)?;
    let spool = if needs_end {
        Spool::of_stdin(&mut input)?
    } else {
        Spool(None)
    };
    let mut plan = Plan::of(&input, Stdin::of_process());
    spool.rename(&mut plan);
    let mut err = io::stderr().lock();
    for problem in &plan.problems {
        writeln!(err, "pgcensus: {problem}").ok();
    }
    if args.show.explain {
        for line in plan.explain() {
            writeln!(err, "{line}").ok();
        }
    }
    if matches!(plan.readable(), Readable::None) {
        return Ok(ExitCode::from(2));
    }
    drop(err);

    // What the heads of the files tell of their times.
    let mut clock = LogClock::new(log_timezone.clone());
    let (first, last) = ends(&plan, &mut clock, needs_end)?;
    let zone = match (&timezone, &log_timezone) {
        (Some(zone), _) | (None, Some(zone)) => DisplayZone::Zone(zone.clone()),
        (None, None) => DisplayZone::Log(clock.log_zone()),
    };
    let mut window = time_spec::Window::default();
    if let (Some(first), Some(last)) = (first, last.or(first)) {
        if !request.is_empty() {
            // Without the end of a stream at hand, a time that does not need it cannot be outside.
            let end = if needs_end || last > first {
                last
            } else {
                Instant(i64::MAX / 2)
            };
            let resolved = request.resolve(&zone, first, end)?;
            window = resolved;
        } else if is_default_window {
            let since = bucket_start(&zone, BUCKET_S, last)
                .plus_ms(-(BUCKETS - 1) * BUCKET_S as i64 * 1000);
            window.since = Some(since).filter(|&since| since > first);
        }
    } else if !request.is_empty() && plan.servers.iter().any(|server| !server.files.is_empty()) {
        anyhow::bail!(
            "the log has no times (its log_line_prefix has no %m, %t or %n): no window can be taken of it"
        );
    }

    let threads = args
        .input
        .threads
        .map_or_else(default_threads, std::num::NonZero::get);
    let run = Run {
        servers: &plan.servers,
        log_timezone,
        threads,
        chunk_size: args
            .input
            .chunk_size
            .map_or(pipeline::CHUNK_SIZE, std::num::NonZero::get),
        filter,
    };
    let daily = Daily {
        between: request.between,
        zone: zone.clone(),
    };
    let asked = Asked {
        args,
        plan: &plan,
        outputs: &outputs,
        zone,
        fixed_zone: timezone.is_some(),
        daily,
        is_default_window,
        servers: plan
            .servers
            .iter()
            .map(|server| server.name.clone())
            .collect(),
    };
    let outcome = match args.command {
        Command::Summary => asked.summary(run, window)?,
        Command::History => asked.history(run, window, bucket_s)?,
        Command::Sessions => asked.sessions(run, window)?,
        Command::Events => asked.events(run, window)?,
    };
    let mut err = io::stderr().lock();
    for (server, input) in outcome.servers.iter().zip(&plan.servers) {
        for (file, log) in server.files.iter().zip(&input.files) {
            if let Some(error) = &file.error {
                writeln!(
                    err,
                    "pgcensus: {}: {error}; what was read before that is counted",
                    log.display
                )
                .ok();
            }
        }
    }
    if args.show.unreadable {
        report::unreadable(&plan, &outcome, &mut err)?;
    }
    let failed = outcome
        .servers
        .iter()
        .any(|server| server.files.iter().any(|file| file.error.is_some()));
    let all = matches!(plan.readable(), Readable::All) && !failed;
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn time_zone(flag: &str, name: &str) -> anyhow::Result<TimeZone> {
    TimeZone::get(name).with_context(|| {
        format!("{flag} '{name}': no such time zone; give a name such as Europe/Berlin")
    })
}

fn window_request(args: &Args) -> anyhow::Result<WindowRequest> {
    let time = |flag: &'static str, text: &Option<String>| {
        text.as_deref()
            .map(|text| TimeSpec::parse(text).with_context(|| flag))
            .transpose()
    };
    Ok(WindowRequest {
        since: time("--since", &args.window.since)?,
        until: time("--until", &args.window.until)?,
        at: time("--at", &args.window.at)?,
        last: args
            .window
            .last
            .as_deref()
            .map(DurationSpec::parse)
            .transpose()
            .context("--last")?,
        between: args
            .window
            .between
            .as_deref()
            .map(Between::parse)
            .transpose()
            .context("--between")?,
    })
}

fn input_request(input: &InputArgs) -> anyhow::Result<Request> {
    let line_prefix = input.line_prefix.as_deref();
    let line_prefix = line_prefix
        .map(|text| {
            LinePrefix::parse(text).map_err(|err| anyhow::anyhow!("--line-prefix '{text}': {err}"))
        })
        .transpose()?;
    Ok(Request {
        paths: input.inputs.clone(),
        log_lists: input.lists.clone(),
        servers: input
            .servers
            .iter()
            .map(|server| (server.name.clone(), server.path.clone()))
            .collect(),
        format: input.format.map(|format| match format {
            LogFormat::Stderr => FormatOption::Stderr,
            LogFormat::Csvlog => FormatOption::Csvlog,
            LogFormat::Jsonlog => FormatOption::Jsonlog,
        }),
        line_prefix,
    })
}

/// Standard input in a temporary file, which is gone with the process: a window that is counted from the end
/// of the input needs that end first.
struct Spool(Option<NamedTempFile>);

impl Spool {
    /// Puts the file in the place of standard input.
    fn of_stdin(request: &mut Request) -> anyhow::Result<Spool> {
        let is_stdin = |path: &PathBuf| path == Path::new("-");
        let nothing =
            request.paths.is_empty() && request.log_lists.is_empty() && request.servers.is_empty();
        if io::stdin().is_terminal() || !nothing && !request.paths.iter().any(is_stdin) {
            return Ok(Spool(None));
        }
        let mut file = NamedTempFile::new().context("a temporary file for standard input")?;
        io::copy(&mut io::stdin().lock(), &mut file).context("standard input")?;
        request.paths.retain(|path| !is_stdin(path));
        request
            .servers
            .push(("stdin".to_owned(), file.path().to_owned()));
        Ok(Spool(Some(file)))
    }

    /// It is shown as what it is.
    fn rename(&self, plan: &mut Plan) {
        if let Some(file) = &self.0 {
            let path = file.path().display().to_string();
            for log in plan.servers.iter_mut().flat_map(|server| &mut server.files) {
                if log.display == path {
                    "-".clone_into(&mut log.display);
                }
            }
        }
    }
}

/// First and last log time of the input, as far as the heads of its files tell; the last one of compressed
/// files only where it is needed, since it takes reading them.
fn ends(
    plan: &Plan,
    clock: &mut LogClock,
    needs_end: bool,
) -> anyhow::Result<(Option<Instant>, Option<Instant>)> {
    let (mut first, mut last) = (None::<Instant>, None::<Instant>);
    for log in plan.servers.iter().flat_map(|server| &server.files) {
        let mut instant = |time: &FileTime| clock.instant(time.as_deref());
        if let Some(time) = &log.first {
            let at = instant(time);
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        let end = if needs_end {
            log.last_time().with_context(|| log.display.clone())?
        } else {
            log.last.clone()
        };
        if let Some(time) = &end {
            last = last.max(Some(instant(time)));
        }
    }
    Ok((first, last))
}

/// A part of each day.
#[derive(Clone)]
struct Daily {
    between: Option<Between>,
    zone: DisplayZone,
}

impl Daily {
    fn limit(&self, since: Option<Instant>, until: Option<Instant>) -> Window {
        let Daily { between, zone } = self.clone();
        let daily = between.map(|between| -> Box<dyn Fn(Instant) -> bool + Send> {
            Box::new(move |at| between.contains(&zone, at))
        });
        Window {
            since,
            until,
            daily,
        }
    }
}

/// What `summary` and `history` add up.
struct Both {
    census: Census,
    history: History,
}

impl Sink for Both {
    fn begins(&mut self, first: Instant) {
        self.census.begins(first);
        self.history.begins(first);
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.census.observe(change);
        self.history.observe(change);
        Ok(())
    }
}

/// A command that is about to run.
struct Asked<'a> {
    args: &'a Args,
    plan: &'a Plan,
    outputs: &'a [Output],
    zone: DisplayZone,
    /// `--timezone` was given.
    fixed_zone: bool,
    daily: Daily,
    is_default_window: bool,
    servers: Vec<String>,
}

impl Asked<'_> {
    fn summary(&self, run: Run<'_>, window: time_spec::Window) -> anyhow::Result<Outcome> {
        let cross = match *self.args.show.by {
            [a, b] => Some((a, b)),
            _ => None,
        };
        let (since, until) = (window.since, window.until);
        let mut both = Both {
            census: Census::new(self.daily.limit(since, until), cross),
            history: History::timeline(
                Window {
                    since,
                    until,
                    daily: None,
                },
                TIMELINE,
                self.zone.clone(),
            ),
        };
        let outcome = pipeline::run(run, &mut both)?;
        let census = Self::census_snapshot(both.census, &outcome);
        let lives = lives(&outcome);
        let history = both
            .history
            .snapshot(&lives, outcome.input, census.peak.clone());
        let most = history.buckets.iter().map(|bucket| bucket.open_max);
        let timeline = most.filter(|_| census.open.count.is_some()).collect();
        let census = CensusSnapshot { timeline, ..census };
        let report = self.report(&outcome);
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Text => view::summary::text(&census, &report, &outcome.names, show, out),
            OutputFormat::Json => view::json::summary(&census, &report, show, out),
            OutputFormat::Csv => view::csv::summary(&census, show, out),
        })?;
        Ok(outcome)
    }

    fn history(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
        bucket_s: Option<u64>,
    ) -> anyhow::Result<Outcome> {
        let bucket_s = bucket_s.or(self.is_default_window.then_some(BUCKET_S));
        let (since, until) = (window.since, window.until);
        let mut both = Both {
            census: Census::new(self.daily.limit(since, until), None),
            history: History::new(self.daily.limit(since, until), bucket_s, self.zone.clone()),
        };
        let outcome = pipeline::run(run, &mut both)?;
        let census = Self::census_snapshot(both.census, &outcome);
        let history: HistorySnapshot =
            both.history
                .snapshot(&lives(&outcome), outcome.input, census.peak);
        let report = self.report(&outcome);
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Text => view::history::text(&history, &report, show, out),
            OutputFormat::Json => view::json::history(&history, &report, show, out),
            OutputFormat::Csv => view::csv::history(&history, &report, show, out),
        })?;
        Ok(outcome)
    }

    fn census_snapshot(mut census: Census, outcome: &Outcome) -> CensusSnapshot {
        let end = outcome.input.map_or(Instant::UNKNOWN, |(_, last)| last);
        for server in &outcome.servers {
            for session in server
                .tracker
                .open_sessions()
                .filter(|session| counts(&outcome.filter, &outcome.names, session))
            {
                census.still_open(session, end);
            }
            for (session, received_at) in server.tracker.pending() {
                if counts(&outcome.filter, &outcome.names, session) {
                    census.still_pending(received_at);
                }
            }
        }
        let mut snapshot = census.snapshot(&outcome.names, &lives(outcome), outcome.input);
        snapshot.bounds = bounds(outcome);
        snapshot
    }

    fn sessions(&self, run: Run<'_>, window: time_spec::Window) -> anyhow::Result<Outcome> {
        struct Rows<'s> {
            window: Window,
            only_open: bool,
            /// Rows that are sorted or come last: those that are open at the end.
            kept: Vec<Session>,
            keeps_all: bool,
            more: u64,
            write: &'s mut dyn FnMut(&Session, &Names, Option<Instant>) -> anyhow::Result<()>,
        }
        impl Rows<'_> {
            fn keep(&mut self, session: Session) {
                if self.kept.len() < SORTED_MAX {
                    self.kept.push(session);
                } else {
                    self.more += 1;
                }
            }
        }
        impl Sink for Rows<'_> {
            fn begins(&mut self, _: Instant) {}
            fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
                let What::Closed(session) = &change.what else {
                    return Ok(());
                };
                let at = change.at.unwrap_or(Instant::UNKNOWN);
                let opened = session.opened_at();
                let outside = self.window.is_before(at)
                    || opened.is_some_and(|opened| self.window.is_after(opened));
                if outside || !self.window.daily.as_ref().is_none_or(|daily| daily(at)) {
                    return Ok(());
                }
                if self.window.is_after(at) {
                    self.keep(as_open((**session).clone()));
                } else if self.keeps_all && !self.only_open {
                    self.keep((**session).clone());
                } else if !self.only_open {
                    (self.write)(session, names, None)?;
                }
                Ok(())
            }
        }
        let show = self.show(&self.zone, false);
        let mut outputs: Vec<(Sessions<'_>, Box<dyn Write>)> = Vec::new();
        for output in self.outputs {
            outputs.push((
                Sessions::new(form(output.format), self.show_for(&show, output)),
                open(output)?,
            ));
        }
        let mut write = |session: &Session, names: &Names, until: Option<Instant>| {
            for (view, out) in &mut outputs {
                view.row(session, names, until, out)?;
            }
            anyhow::Ok(())
        };
        let until = window.until;
        let window = self.daily.limit(window.since, until);
        let sort = self.args.show.sort;
        let only_open = self.args.show.open;
        let mut rows = Rows {
            window,
            only_open,
            kept: Vec::new(),
            keeps_all: sort.is_some(),
            more: 0,
            write: &mut write,
        };
        let outcome = pipeline::run(run, &mut rows)?;
        let mut open_at_end: Vec<Session> = Vec::new();
        for server in &outcome.servers {
            for session in server.tracker.open_sessions() {
                let begun = !session
                    .opened_at()
                    .is_some_and(|opened| rows.window.is_after(opened));
                if begun && counts(&outcome.filter, &outcome.names, session) {
                    open_at_end.push(session.clone());
                }
            }
        }
        rows.kept.extend(open_at_end);
        let start = |session: &Session| session.session_start.or(session.authorized_at);
        let mut kept = std::mem::take(&mut rows.kept);
        let more = rows.more;
        match sort.or(only_open.then_some(Sort::Age)) {
            // The longest-lived first, whether it has ended or not.
            Some(Sort::Age | Sort::Start) => {
                kept.sort_by_key(|session| (start(session), session.pid));
            }
            Some(Sort::Time) => {
                let end = until
                    .or(outcome.input.map(|(_, last)| last))
                    .unwrap_or(Instant::UNKNOWN);
                let length = |session: &Session| {
                    session.session_time_ms.map_or_else(
                        || start(session).map_or(0, |start| end.since(start)),
                        |ms| ms as i64,
                    )
                };
                kept.sort_by_key(|session| (std::cmp::Reverse(length(session)), session.pid));
            }
            None => kept.sort_by_key(|session| (session.authorized_at, session.pid)),
        }
        let end = until.or(outcome.input.map(|(_, last)| last));
        for session in &kept {
            write(session, &outcome.names, end)?;
        }
        for (view, mut out) in outputs {
            view.finish(&mut out)?;
            out.flush()?;
        }
        if more > 0 {
            writeln!(io::stderr(), "pgcensus: {more} more sessions not sorted ({SORTED_MAX} are kept); give a window or a filter").ok();
        }
        self.tell(&outcome);
        Ok(outcome)
    }

    fn events(&self, run: Run<'_>, window: time_spec::Window) -> anyhow::Result<Outcome> {
        struct Rows<'s> {
            window: Window,
            write: &'s mut dyn FnMut(&Change, &Names) -> anyhow::Result<()>,
        }
        impl Sink for Rows<'_> {
            fn begins(&mut self, _: Instant) {}
            fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
                if change.at.is_none_or(|at| self.window.contains(at)) {
                    (self.write)(change, names)
                } else {
                    Ok(())
                }
            }
        }
        let show = self.show(&self.zone, false);
        let mut outputs: Vec<(Events<'_>, Box<dyn Write>)> = Vec::new();
        for output in self.outputs {
            outputs.push((
                Events::new(form(output.format), self.show_for(&show, output)),
                open(output)?,
            ));
        }
        let mut write = |change: &Change, names: &Names| {
            for (view, out) in &mut outputs {
                view.row(change, names, out)?;
            }
            anyhow::Ok(())
        };
        let mut rows = Rows {
            window: self.daily.limit(window.since, window.until),
            write: &mut write,
        };
        let outcome = pipeline::run(run, &mut rows)?;
        for (view, mut out) in outputs {
            view.finish(&mut out)?;
            out.flush()?;
        }
        self.tell(&outcome);
        Ok(outcome)
    }

    /// Writes a snapshot to every output.
    fn write(
        &self,
        outcome: &Outcome,
        word: impl Fn(&Show<'_>, OutputFormat, &mut Box<dyn Write>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        // The whole log has been seen: each time is shown in the zone that the log had then.
        let seen = outcome
            .servers
            .first()
            .map(|server| DisplayZone::Log(server.clock.log_zone()));
        let zone = if self.fixed_zone || self.args.input.log_timezone.is_some() {
            None
        } else {
            seen
        };
        let zone = zone.as_ref().unwrap_or(&self.zone);
        let show = self.show(zone, self.is_default_window);
        for output in self.outputs {
            let mut out = open(output)?;
            word(&self.show_for(&show, output), output.format, &mut out)?;
            out.flush()?;
        }
        Self::nothing_matched(outcome);
        Ok(())
    }

    fn show<'z>(&'z self, zone: &'z DisplayZone, window_is_default: bool) -> Show<'z> {
        Show {
            zone,
            servers: &self.servers,
            color: false,
            width: 80,
            limit: self.args.show.limit,
            by: &self.args.show.by,
            terminal: false,
            window_is_default,
        }
    }

    /// A terminal has its own width, and colours unless they are not wanted.
    fn show_for<'z>(&self, show: &Show<'z>, output: &Output) -> Show<'z> {
        let is_stdout = output.target == Target::Stdout;
        let terminal = is_stdout && io::stdout().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let color = match self.args.show.color {
            ColorChoice::Always => is_stdout,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && wanted && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let size = terminal_size::terminal_size().filter(|_| terminal);
        Show {
            color,
            terminal,
            width: size.map_or(80, |(width, _)| usize::from(width.0)),
            ..*show
        }
    }

    fn report(&self, outcome: &Outcome) -> InputReport {
        report::of(self.plan, outcome)
    }

    /// What a stream of rows does not say by itself.
    fn tell(&self, outcome: &Outcome) {
        Self::nothing_matched(outcome);
        if self.args.show.quiet {
            return;
        }
        let mut err = io::stderr().lock();
        for (_, note) in view::summary::all_notes(&bounds(outcome), &self.report(outcome)) {
            writeln!(err, "pgcensus: {note}").ok();
        }
    }

    fn nothing_matched(outcome: &Outcome) {
        if let Some(text) = outcome.filter.unmatched(&outcome.names) {
            writeln!(io::stderr(), "pgcensus: {text}").ok();
        }
    }
}

/// A session as it was at an instant before its end.
fn as_open(session: Session) -> Session {
    Session {
        session_end: None,
        session_end_is_bound: false,
        session_time_ms: None,
        end: None,
        end_reason: None,
        ..session
    }
}

fn counts(filter: &Filter, names: &Names, session: &Session) -> bool {
    filter.is_empty() || filter.clone().matches(names, &Who::from(session))
}

fn lives(outcome: &Outcome) -> Vec<&Lives> {
    outcome
        .servers
        .iter()
        .map(|server| server.tracker.lives())
        .collect()
}

/// Bounds that were reached, in words.
fn bounds(outcome: &Outcome) -> Vec<String> {
    let mut bounds = Vec::new();
    if outcome.names.overflowed() {
        bounds.push(format!(
            "more than {NAMES_MAX} names, or 16 MiB of them: further ones are counted as (other)"
        ));
    }
    let untracked: u64 = outcome
        .servers
        .iter()
        .map(|server| server.tracker.untracked())
        .sum();
    if untracked > 0 {
        bounds.push(format!(
            "more than {BACKENDS_MAX} connections at once: {untracked} further ones are not tracked"
        ));
    }
    bounds
}

fn form(format: OutputFormat) -> Form {
    match format {
        OutputFormat::Text => Form::Text,
        OutputFormat::Json => Form::Json,
        OutputFormat::Csv => Form::Csv,
    }
}

fn open(output: &Output) -> anyhow::Result<Box<dyn Write>> {
    Ok(match &output.target {
        Target::Stdout => Box::new(BufWriter::with_capacity(1 << 16, io::stdout().lock())),
        Target::File(path) => {
            let file = File::create(path).with_context(|| format!("-o {}", path.display()))?;
            Box::new(BufWriter::with_capacity(1 << 16, file))
        }
    })
}
