//! From what was asked to what is shown: the input is found, the window settled, the pipeline run into the
//! fold of the command, and the views word the result.

mod compare;
mod facts;
mod findings;
mod input;
mod last;
mod page;
mod refused;
mod rows;
mod serve;
mod servers;
pub(crate) mod streams;
mod textfile;
mod top;
mod totals;
mod watch;
mod written;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ColorChoice;
use pgcensus_core::filter::{Filter, Who};
use pgcensus_core::instant::Instant;
use pgcensus_core::lives::Lives;
use pgcensus_core::names::{NAMES_MAX, Names};
use pgcensus_core::session::{ServerId, Session};
use pgcensus_core::tracker::BACKENDS_MAX;
use pgcensus_core::window::Window;
use pgcensus_core::zone::{DisplayZone, LogClock, bucket_start, display_zone};

use crate::cli::{Args, Command, Compared, Output, OutputFormat, Target};
use crate::discover::{Choice, World};
use crate::interrupt::{self, Interrupt};
use crate::pipeline::{self, Outcome, Run, ServerOutcome, Sink};
use crate::progress::{Progress, Work};
use crate::report;
use crate::source::input::{LateServer, Reading};
use crate::source::{Plan, Problem, Readable, Request, Stdin};
use crate::time_spec::{self, Between, Stretch, parse_bucket};
use crate::view::text::shown;
use crate::view::{self, Form, InputReport, Partial, Show};
use input::{Spool, ends, input_request, time_zone, unread_ends, window_request};
pub(crate) use streams::Said;
use streams::{Answer, Streams};

/// The default bucket of `history`, and how many of them are its default window.
const BUCKET_S: u64 = 15 * 60;
const BUCKETS: i64 = 4;

/// The exit status of `--fail-on`, where there is a finding of that level.
const FAILS_STATUS: u8 = 3;

/// Runs a command to its end.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.command == Command::Serve {
        return serve::run(args);
    }
    // Without signals, Ctrl+C ends the program as ever.
    let interrupt = Interrupt::listen().unwrap_or_default();
    run_for(args, &interrupt, Streams::Process)
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The result has been written.
    Whole,
    /// What was asked for cannot be answered, in the words of the command line.
    Wrong(String),
    /// The log could not be read.
    Failed(String),
    /// It was ended before.
    Stopped,
}

/// Runs a command for a request: the result goes to `out`, what is said beside it to `said`, and nothing to the streams of the process. `stdin` is where
/// standard input is kept, if that is read.
pub(crate) fn answer(
    args: &Args,
    interrupt: &Interrupt,
    stdin: Option<PathBuf>,
    out: Box<dyn Write + Send>,
    said: &Arc<Said>,
) -> Answered {
    let answer = Answer::new(out, said.clone(), stdin);
    let done = run_for(args, interrupt, Streams::Request(answer));
    if interrupt.came() {
        return Answered::Stopped;
    }
    match done {
        Ok(status) if status == ExitCode::from(2) => Answered::Failed(said.text()),
        Ok(_) => Answered::Whole,
        Err(err) if err.chain().any(<dyn std::error::Error>::is::<io::Error>) => {
            Answered::Failed(format!("{err:#}"))
        }
        Err(err) => Answered::Wrong(format!("{err:#}")),
    }
}

/// Runs a command to its end, for whoever has these streams.
fn run_for(args: &Args, interrupt: &Interrupt, streams: Streams) -> anyhow::Result<ExitCode> {
    // What is added up is printed when all is read; rows and explanations need to know all servers before.
    let adds_up = matches!(
        args.command,
        Command::Summary
            | Command::History
            | Command::Refused
            | Command::Findings
            | Command::Compare
            | Command::Report
    ) && args.show.emit.is_none();
    let mut attempt = Attempt {
        interrupt: interrupt.clone(),
        trusts_begins: adds_up && !args.show.explain,
        is_second: false,
        said: Vec::new(),
        streams,
    };
    match run_once(args, &mut attempt) {
        Err(err) if err.is::<LateServer>() => {
            interrupt.release();
            attempt.trusts_begins = false;
            attempt.is_second = true;
            run_once(args, &mut attempt)
        }
        done => done,
    }
}

/// A run of a command, which proves to be in vain where a log is of more servers than its begin names: then
/// another one looks at all of it before.
struct Attempt {
    interrupt: Interrupt,
    trusts_begins: bool,
    is_second: bool,
    /// Problems that were said.
    said: Vec<String>,
    streams: Streams,
}

impl Attempt {
    /// What went wrong may do so because the servers are others.
    fn doubt(plan: &Plan, err: anyhow::Error) -> anyhow::Error {
        if plan.trusts_begins() {
            LateServer.into()
        } else {
            err
        }
    }
}

fn run_once(args: &Args, attempt: &mut Attempt) -> anyhow::Result<ExitCode> {
    let filter = args.filter()?;
    let outputs = args.outputs()?;
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

    if args.command == Command::Servers {
        let zone = timezone.map(DisplayZone::Zone).unwrap_or_default();
        return servers::run(args, &outputs, &zone);
    }

    let is_default_window =
        args.command == Command::History && bucket_s.is_none() && request.is_empty();
    // The screen reads its input more than once.
    let is_top = args.command == Command::Top;
    let windows = match &args.compared {
        Some(Compared::Windows(windows)) => &windows[..],
        _ => &[],
    };
    let needs_end = is_default_window
        || is_top
        || request.needs_end()
        || windows.iter().any(Stretch::needs_end);
    let interrupt = attempt.interrupt.clone();
    let progress = Progress::new(args.show.quiet || !moves_cursor());
    let mut input = input_request(&args.input, Reading::new(&interrupt))?;
    input.follows = matches!(args.command, Command::Watch | Command::Top);
    input.trusts_begins = attempt.trusts_begins;
    let streams = attempt.streams.clone();
    let mut stdin = streams.stdin(&input.reading)?;
    let is_piped = input.is_empty() && stdin.is_piped;
    let has_dash = args.input.inputs.iter().any(|path| path.as_os_str() == "-");
    // It is followed, and not read before.
    let mut piped_in = input.follows.then(|| stdin.take_of(&mut input)).flatten();
    let kept = match piped_in.take_if(|_| is_top) {
        Some((name, reader)) => {
            let kept = top::kept::Kept::of(reader)?;
            let name = name.unwrap_or_else(|| "stdin".to_owned());
            input.servers.push((name, kept.path.clone()));
            Some(kept)
        }
        None => None,
    };
    let choice = if piped_in.is_some() || kept.is_some() {
        Choice::default()
    } else {
        let is_quiet = args.show.quiet || attempt.is_second;
        find_servers(&mut input, &stdin, is_quiet, &streams)
    };
    let spool = if needs_end && !input.follows {
        Spool::of_stdin(&mut input, &mut stdin, &interrupt, &progress)?
    } else {
        Spool::default()
    };
    let reading = input.reading.clone();
    let looking = progress.show(Work::Look, &reading);
    let mut plan = Plan::of(&input, stdin);
    drop(looking);
    reading.late.check()?;
    spool.settle(&mut plan);
    streams.settle(&mut plan);
    plan.add_problems(choice.problems);
    let mut err = streams.err();
    if plan.servers.is_empty() && (reading.interrupt.came() || spool.is_cut) {
        writeln!(
            err,
            "pgcensus: stopped by Ctrl+C before there was anything to count"
        )
        .ok();
        return Ok(ExitCode::from(interrupt::EXIT_STATUS));
    }
    if is_piped && plan.is_empty() && !args.show.quiet {
        let text = "standard input was empty; without it (< /dev/null) the servers of this machine are read";
        writeln!(err, "pgcensus: {text}").ok();
    }
    let problems: Vec<_> = plan.problems.iter().map(Problem::to_string).collect();
    for problem in &problems {
        if !attempt.said.contains(problem) {
            writeln!(err, "pgcensus: {problem}").ok();
        }
    }
    attempt.said = problems;
    if args.show.explain {
        for line in plan.explain() {
            writeln!(err, "{line}").ok();
        }
    }
    let is_awaited = input.follows && (piped_in.is_some() || plan.may_come());
    if matches!(plan.readable(), Readable::None) && !is_awaited {
        return Ok(ExitCode::from(2));
    }
    drop(err);
    let servers: Vec<String> = plan
        .servers
        .iter()
        .map(|server| server.name.clone())
        .collect();
    let doubt = |err| Attempt::doubt(&plan, err);
    some_server_counts(&filter, &servers).map_err(doubt)?;

    // What the heads of the files tell of their times.
    let mut clock = LogClock::new(log_timezone.clone());
    let (first, last) = if needs_end {
        let total = unread_ends(&plan);
        let counted = Reading::new(&interrupt);
        let _line = (total > 0).then(|| progress.show(Work::FindEnd { total }, &counted));
        ends(&plan, &mut clock, Some(&counted)).map_err(doubt)?
    } else {
        ends(&plan, &mut clock, None)?
    };
    let zone = match (&timezone, &log_timezone) {
        (Some(zone), _) | (None, Some(zone)) => DisplayZone::Zone(zone.clone()),
        (None, None) => {
            let first = first.unwrap_or_default();
            display_zone(clock.log_zone(), first, last.unwrap_or(first))
        }
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
            let resolved = request.resolve(&zone, first, end).map_err(doubt)?;
            window = resolved;
        } else if is_default_window {
            let since = bucket_start(&zone, BUCKET_S, last)
                .plus_ms(-(BUCKETS - 1) * BUCKET_S as i64 * 1000);
            window.since = Some(since).filter(|&since| since > first);
        } else if args.command == Command::Watch {
            window.since = Some(last.plus_ms(-watch::PAST_MS));
        }
    } else if !request.is_empty()
        && !input.follows
        && plan.servers.iter().any(|server| !server.files.is_empty())
    {
        return Err(doubt(anyhow::anyhow!(
            "the log has no times (its log_line_prefix has no %m, %t or %n): no window can be taken of it"
        )));
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
        reading,
    };
    let daily = Daily {
        between: request.between,
        zone: zone.clone(),
    };
    let asked = Asked {
        args,
        plan: &plan,
        progress,
        outputs: &outputs,
        zone,
        fixed_zone: timezone.is_some(),
        daily,
        is_default_window,
        servers,
        connections_max: choice.connections_max,
        is_piped: is_piped || has_dash || streams.has_kept_stdin(),
        streams: streams.clone(),
    };
    let mut fails = false;
    let outcome = match args.command {
        Command::Summary => asked.summary(run, window)?,
        Command::History => asked.history(run, window, bucket_s)?,
        Command::Sessions => asked.sessions(run, window)?,
        Command::Refused => asked.refused(run, window)?,
        Command::Events => asked.events(run, window)?,
        Command::Report => asked.page(run, window)?,
        Command::Watch => asked.watch(run, window, &input, piped_in)?,
        Command::Top => return asked.top(run, window, &input, last, kept.as_ref()),
        Command::Findings if args.show.emit.is_some() => asked.guesses(run, window)?,
        Command::Findings => {
            let (outcome, findings) = asked.findings(run, window)?;
            let level = args.show.fail_on;
            fails = level.is_some_and(|level| findings.iter().any(|f| f.severity >= level));
            outcome
        }
        Command::Compare => {
            // As above: the end of a stream may lie anywhere.
            let is_known = needs_end || last > first;
            let end = last.filter(|_| is_known).unwrap_or(Instant(i64::MAX / 2));
            return asked.compare(run, first.map(|first| (first, end)));
        }
        Command::Servers | Command::Serve => unreachable!("they have returned"),
    };
    let status = asked.conclude(&outcome)?;
    let is_partial = asked.partial(&outcome).is_some();
    Ok(if fails && !is_partial {
        ExitCode::from(FAILS_STATUS)
    } else {
        status
    })
}

/// Which servers there are is known before they are read: who misspells one need not wait.
fn some_server_counts(filter: &Filter, servers: &[String]) -> anyhow::Result<()> {
    const LISTED: usize = 10;
    let names = Names::of_servers(servers.iter().map(String::as_str));
    let mut filter = filter.clone();
    let mut ids = (0..servers.len()).map(|id| ServerId(id as u16));
    if servers.is_empty() || ids.any(|id| filter.has_server(&names, id)) {
        return Ok(());
    }
    let listed = servers.iter().take(LISTED);
    let listed: Vec<_> = listed.map(|name| shown(name.as_bytes())).collect();
    let more = match servers.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let listed = listed.join(", ");
    anyhow::bail!("--server: none of the servers is meant; there are {listed}{more}")
}

/// Where nothing is named and nothing piped in, the servers of this machine are the input, which is said.
fn find_servers(input: &mut Request, stdin: &Stdin, is_quiet: bool, streams: &Streams) -> Choice {
    if !input.is_empty() || stdin.is_piped {
        return Choice::default();
    }
    let mut choice = Choice::of(&World::of_process());
    if !is_quiet {
        let mut err = streams.err();
        for line in &choice.said {
            writeln!(err, "pgcensus: {line}").ok();
        }
    }
    input.servers.append(&mut choice.inputs);
    input.places.append(&mut choice.places);
    choice
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
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
        let daily = between.map(|between| -> Arc<dyn Fn(Instant) -> bool + Send + Sync> {
            Arc::new(move |at| between.contains(&zone, at))
        });
        Window {
            since,
            until,
            daily,
        }
    }
}

/// A command that is about to run.
struct Asked<'a> {
    args: &'a Args,
    plan: &'a Plan,
    progress: Progress,
    outputs: &'a [Output],
    zone: DisplayZone,
    /// `--timezone` was given.
    fixed_zone: bool,
    daily: Daily,
    is_default_window: bool,
    servers: Vec<String>,
    /// Of the one server that was found, whose settings need not lie beside its log.
    connections_max: Option<u32>,
    /// Standard input is read.
    is_piped: bool,
    /// Where the result goes, and what is said beside it.
    streams: Streams,
}

impl Asked<'_> {
    /// What is to be said of what was read, when the result is written; and the exit status.
    fn conclude(&self, outcome: &Outcome) -> anyhow::Result<ExitCode> {
        let Asked { args, plan, .. } = self;
        let mut err = self.streams.err();
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
        if args.show.explain {
            report::explain(plan, outcome, &mut err)?;
        }
        if args.show.unreadable {
            report::unreadable(plan, outcome, &mut err)?;
        }
        let failed = outcome
            .servers
            .iter()
            .any(|server| server.files.iter().any(|file| file.error.is_some()));
        if args.command == Command::Watch {
            return Ok(ExitCode::SUCCESS);
        }
        if self.partial(outcome).is_some() {
            return Ok(ExitCode::from(interrupt::EXIT_STATUS));
        }
        let all = matches!(plan.readable(), Readable::All) && !failed;
        Ok(if all {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }

    /// Runs the pipeline, and says how it gets on, unless rows are `written` to the same terminal meanwhile.
    fn read(&self, run: Run<'_>, sink: &mut dyn Sink, written: bool) -> anyhow::Result<Outcome> {
        let reading = run.reading.clone();
        let is_on_screen = |output| self.streams.is_on_screen(output);
        let is_seen = written && self.outputs.iter().any(is_on_screen);
        let line = (!is_seen).then(|| self.progress.show(self.work(), &reading));
        let outcome = pipeline::run(run, sink)?;
        drop(line);
        reading.interrupt.release();
        Ok(outcome)
    }

    /// The same of other files.
    fn of<'p>(&'p self, plan: &'p Plan) -> Asked<'p> {
        Asked {
            plan,
            servers: plan
                .servers
                .iter()
                .map(|server| server.name.clone())
                .collect(),
            zone: self.zone.clone(),
            daily: self.daily.clone(),
            progress: Progress::new(true),
            streams: self.streams.clone(),
            ..*self
        }
    }

    /// When the whole log has been seen, each time is shown in the zone that the log had then, unless one is asked for.
    fn zone_of(&self, seen: Option<(&LogClock, (Instant, Instant))>) -> DisplayZone {
        let is_fixed = self.fixed_zone || self.args.input.log_timezone.is_some();
        match seen.filter(|_| !is_fixed) {
            Some((clock, (first, last))) => display_zone(clock.log_zone(), first, last),
            None => self.zone.clone(),
        }
    }

    /// All that there is to read.
    fn work(&self) -> Work {
        let files = self.plan.servers.iter().map(|server| server.files.len());
        Work::Read {
            total: self.plan.size(),
            files: files.sum::<usize>() as u64,
        }
    }

    /// What there is of a run that Ctrl+C has ended.
    fn partial(&self, outcome: &Outcome) -> Option<Partial> {
        if !outcome.is_stopped {
            return None;
        }
        let servers = outcome.servers.iter().zip(&self.servers);
        let is_unread = |server: &ServerOutcome| server.files.iter().all(|file| file.bytes == 0);
        Some(Partial {
            read: outcome.bytes,
            whole: self.plan.size().filter(|_| !self.plan.is_cut()),
            until: outcome.input.map(|(_, last)| last),
            unread: servers
                .filter(|(server, _)| is_unread(server))
                .map(|(_, name)| name.clone())
                .collect(),
        })
    }

    /// Whether anything is known of the window that begins at `since`; where Ctrl+C came before, that is said.
    fn is_known(&self, outcome: &Outcome, since: Option<Instant>) -> bool {
        let Some(partial) = self.partial(outcome) else {
            return true;
        };
        let is_known = match outcome.input {
            Some((_, last)) => since.is_none_or(|since| since <= last),
            None => outcome.events > 0,
        };
        if !is_known {
            let note = on_one_line(&partial, &self.show(&self.zone, false));
            let why = match outcome.input {
                Some(_) => "the window begins later, and nothing is known of it",
                None => "nothing could be counted",
            };
            writeln!(self.streams.err(), "pgcensus: {note}: {why}").ok();
        }
        is_known
    }

    /// Writes a snapshot to every output.
    fn write(
        &self,
        outcome: &Outcome,
        word: impl Fn(&Show<'_>, OutputFormat, &mut Box<dyn Write>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let clock = outcome.servers.first().map(|server| &server.clock);
        let zone = &self.zone_of(clock.zip(outcome.input));
        let show = self.show(zone, self.is_default_window);
        for output in self.outputs {
            let mut out = self.streams.open(output)?;
            word(&self.show_for(&show, output), output.format, &mut out)?;
            out.flush()?;
        }
        self.nothing_matched(outcome);
        let says_so = |output: &Output| {
            output.target == Target::Stdout && output.format == OutputFormat::Text
        };
        if !self.outputs.iter().any(says_so) {
            self.tell_partial(outcome, &show);
        }
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

    fn show_for<'z>(&self, show: &Show<'z>, output: &Output) -> Show<'z> {
        fitted(show, output, self.args.show.color, &self.streams)
    }

    fn report(&self, outcome: &Outcome) -> InputReport {
        let report = report::of(self.plan, outcome);
        InputReport {
            partial: self.partial(outcome),
            max_connections: self.connections_max.or(report.max_connections),
            ..report
        }
    }

    /// What a stream of rows does not say by itself.
    fn tell(&self, outcome: &Outcome) {
        self.nothing_matched(outcome);
        self.tell_partial(outcome, &self.show(&self.zone, false));
        if self.args.show.quiet {
            return;
        }
        let mut err = self.streams.err();
        for (_, note) in view::summary::all_notes(&bounds(outcome), &self.report(outcome)) {
            writeln!(err, "pgcensus: {note}").ok();
        }
    }

    fn tell_partial(&self, outcome: &Outcome, show: &Show<'_>) {
        if let Some(partial) = self.partial(outcome).filter(|_| !self.args.show.quiet) {
            let note = on_one_line(&partial, show);
            writeln!(self.streams.err(), "pgcensus: {note}").ok();
        }
    }

    fn nothing_matched(&self, outcome: &Outcome) {
        if let Some(text) = outcome.filter.unmatched(&outcome.names) {
            writeln!(self.streams.err(), "pgcensus: {text}").ok();
        }
    }
}

/// A terminal has its own width, and colours unless they are not wanted.
fn fitted<'z>(show: &Show<'z>, output: &Output, color: ColorChoice, streams: &Streams) -> Show<'z> {
    let is_stdout = output.target == Target::Stdout;
    let terminal = streams.is_terminal(output);
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let color = match color {
        ColorChoice::Always => is_stdout,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && wanted && moves_cursor(),
    };
    let size = terminal_size::terminal_size().filter(|_| terminal);
    Show {
        color,
        terminal,
        width: size.map_or(80, |(width, _)| usize::from(width.0)),
        ..*show
    }
}

/// Whether a terminal can do more than print lines, as far as it says so: that of an editor or of a job cannot.
fn moves_cursor() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    cfg!(not(unix)) || !matches!(&*term, "" | "dumb" | "unknown")
}

fn counts(filter: &mut Filter, names: &Names, session: &Session) -> bool {
    filter.is_empty() || filter.matches(names, &Who::from(session))
}

/// Of the servers whose sessions may count.
fn lives(outcome: &Outcome) -> Vec<(ServerId, &Lives)> {
    let mut filter = outcome.filter.clone();
    let servers = outcome.servers.iter().enumerate();
    servers
        .map(|(id, server)| (ServerId(id as u16), server.tracker.lives()))
        .filter(|&(server, _)| filter.has_server(&outcome.names, server))
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

fn on_one_line(partial: &Partial, show: &Show<'_>) -> String {
    partial.note(show).replace('\u{a0}', " ")
}
