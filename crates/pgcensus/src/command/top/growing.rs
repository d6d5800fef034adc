//! Answers from logs that go on: the past is read as a finished log is, and at its end what comes is followed, until
//! something else is asked for.
//!
//! Now and the past are the same folds over the same records. So a cursor in the past needs nothing that was kept: the logs, as
//! they are then, are read once more up to it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::tz::TimeZone;
use pgcensus_core::change::Change;
use pgcensus_core::instant::Instant as LogInstant;
use pgcensus_core::names::Names;
use pgcensus_core::zone::LogClock;
use tempfile::TempDir;

use super::super::input::ends;
use super::super::{Asked, time_spec};
use super::Message;
use super::desk::Desk;
use super::finished::Finished;
use super::folds::{Folds, Seen, Span};
use super::lines;
use crate::live::{Step, Tail};
use crate::pipeline::{Live, Run, Sink};
use crate::report::connections_max;
use crate::source::growing::Held;
use crate::source::input::Reading;
use crate::source::{Plan, Request, Stdin};
use crate::view::text::{shown, size};
use crate::view::top::moment::{Ask, Detail, Details, Lines, Moment};
use crate::view::watch::server_name;

/// Moments are told no faster than this.
const FRAME: Duration = Duration::from_millis(100);

/// So many times as long as a moment took to make, none is made: with a hundred thousand names it takes tens of milliseconds.
const RESTS: u32 = 10;

/// Of a log that is written, the time is told at least so often; where nothing has happened for a while, not quite as often.
const TICK: Duration = Duration::from_secs(1);
const TICK_IDLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

/// The window moves on at least so often: all is read once more.
const REBASE: Duration = Duration::from_secs(15 * 60);

/// What was said of the logs is shown for so long.
const SAID: Duration = Duration::from_secs(30);

/// Files that are held at most, each open.
const HELD_MAX: usize = 64;

/// Of standard input so much is kept; beyond it, it begins anew, which is said.
const STDIN_MAX: u64 = 4 << 30;

/// Logs that go on, or might.
pub(super) struct Growing<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) request: &'a Request,
    pub(super) log_timezone: Option<TimeZone>,
    pub(super) threads: usize,
    pub(super) chunk_size: usize,
    /// What `--since`, `--until` and the like leave of it.
    pub(super) limits: time_spec::Window,
    /// The last log time that was found at first.
    pub(super) last: Option<LogInstant>,
    /// What is wrong with standard input.
    pub(super) stdin: Option<Arc<Mutex<Option<String>>>>,
    /// What is and was at the paths that are asked for: a file that is renamed is one of the logs as before.
    pub(super) held: RefCell<Vec<Held>>,
}

/// The folds, while the log goes on.
#[derive(Clone)]
struct Shared(Rc<RefCell<Folds>>);

impl Sink for Shared {
    fn begins(&mut self, first: LogInstant) {
        self.0.borrow_mut().begins(first);
    }

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        self.0.borrow_mut().change(names, change)
    }

    fn ends(&mut self, last: LogInstant) {
        self.0.borrow_mut().ends(last);
    }
}

impl Growing<'_> {
    /// Answers questions until there are no more.
    pub(super) fn answer(&self, desk: &Desk, answers: &Sender<Message>) {
        while let Some((ask, reading)) = desk.next() {
            self.hold();
            let told = match ask.at {
                Some(_) => self.past(&ask, &reading, answers),
                None => self.now(&ask, &reading, desk, answers),
            };
            if let Err(err) = told
                && answers.send(Message::Failed(err)).is_err()
            {
                return;
            }
        }
    }

    /// The instant of a cursor.
    fn past(
        &self,
        ask: &Ask,
        reading: &Arc<Reading>,
        answers: &Sender<Message>,
    ) -> anyhow::Result<()> {
        let plan = self.plan(reading, false);
        let asked = self.asked.of(&plan);
        let finished = Finished {
            asked: &asked,
            log_timezone: self.log_timezone.clone(),
            threads: self.threads,
            chunk_size: self.chunk_size,
            limits: self.limits,
            input: self.input(&plan)?,
        };
        if let Some(moment) = finished.answer(ask, reading)? {
            answers.send(Message::Moment(Box::new(moment))).ok();
        }
        Ok(())
    }

    /// Now, and again whenever something has happened, until something else is asked for.
    fn now(
        &self,
        ask: &Ask,
        reading: &Arc<Reading>,
        desk: &Desk,
        answers: &Sender<Message>,
    ) -> anyhow::Result<()> {
        let request = self.request(reading, true);
        let plan = Plan::of(&request, nobody());
        let asked = self.asked.of(&plan);
        let span = Span::new(ask, self.limits, self.input(&plan)?);
        let folds = Folds::new(
            ask,
            span,
            asked.servers.len(),
            &asked.daily,
            &asked.zone,
            true,
        );
        let folds = Rc::new(RefCell::new(folds));
        let mut sink = Shared(folds.clone());
        let run = Run {
            servers: &plan.servers,
            log_timezone: self.log_timezone.clone(),
            threads: self.threads,
            chunk_size: self.chunk_size,
            filter: ask.filter.clone(),
            reading: reading.clone(),
        };
        let live = Live::begin(run, &mut sink, false)?;
        if live.is_stopped() || reading.interrupt.came() {
            return Ok(());
        }
        let mut tail = Tail::new(live, &plan, &request, None)?;
        desk.wakes(Some(Box::new(tail.waker())));
        let fixed = Fixed {
            max_connections: asked.connections_max.or_else(|| connections_max(&plan)),
            lines: lines_of(ask, &tail.shared.live, &plan, reading),
            problems: plan.problems.iter().map(ToString::to_string).collect(),
        };
        let mut told = Told::default();
        // By our clock, and by that of a log that nobody wrote for long.
        let (began, mut since) = (Instant::now(), None);
        let mut step = Step::Rests;
        while step != Step::Over && !desk.is_asked() {
            let now = tail.now();
            let from = *since.get_or_insert(now);
            let ms = now.zip(from).map_or(0, |(now, from)| now.since(from));
            if began.elapsed() > REBASE || ms > REBASE.as_millis() as i64 {
                desk.ask_again(ask);
                break;
            }
            let is_holding = tail.pass()?;
            told.said(&mut tail.shared.said);
            let changes = folds.borrow().changes();
            let wait = told.wait(changes, now);
            if wait.is_zero() {
                let begin = Instant::now();
                let moment =
                    self.moment(ask, &tail, &mut folds.borrow_mut(), &told, &fixed, &asked);
                if answers.send(Message::Moment(Box::new(moment))).is_err() {
                    break;
                }
                told.tells(changes, begin.elapsed());
                continue;
            }
            let wait = if is_holding { wait.min(FRAME) } else { wait };
            step = tail.step(wait)?;
        }
        desk.wakes(None);
        self.held.borrow_mut().append(&mut tail.held);
        Ok(())
    }

    /// Holds what is at the paths now; of more than can be held, those that came first are let go.
    fn hold(&self) {
        let mut held = self.held.borrow_mut();
        let named = self.request.servers.iter();
        let named = named.map(|(name, path)| (path, Some(name.clone())));
        let paths = self.request.paths.iter().map(|path| (path, None));
        for (path, server) in named.chain(paths) {
            held.extend(Held::at(path, server));
        }
        let mut kept: Vec<Held> = Vec::new();
        for file in held.drain(..) {
            let metadata = file.file.metadata();
            if metadata.is_ok_and(|own| !kept.iter().any(|kept| kept.is(&own))) {
                kept.push(file);
            }
        }
        kept.drain(..kept.len().saturating_sub(HELD_MAX));
        *held = kept;
    }

    fn moment(
        &self,
        ask: &Ask,
        tail: &Tail<'_, '_>,
        folds: &mut Folds,
        told: &Told,
        fixed: &Fixed,
        asked: &Asked<'_>,
    ) -> Moment {
        let live = &tail.shared.live;
        let now = tail.now();
        let input = live
            .input()
            .map(|(first, last)| (first, now.unwrap_or(last)));
        let seen = Seen {
            names: live.names(),
            filter: live.filter().clone(),
            trackers: live.servers().map(|(tracker, _)| tracker).collect(),
            input,
        };
        let mut moment = folds.moment(ask, &seen, now);
        if let Details::Backend(_, shown) = &mut moment.detail {
            shown.clone_from(&fixed.lines);
        }
        let names = live.names();
        moment.max_connections = fixed.max_connections;
        moment.servers = (0..live.servers().len())
            .map(|server| server_name(names, server))
            .collect();
        let clock = live.servers().next().map(|(_, clock)| clock);
        moment.zone = asked.zone_of(clock.zip(live.input()));
        moment.problems = told.problems(&tail.troubles());
        let of_stdin = self.stdin.iter();
        let of_stdin = of_stdin.map(|stdin| stdin.lock().unwrap_or_else(PoisonError::into_inner));
        moment
            .problems
            .extend(of_stdin.filter_map(|stdin| stdin.clone()));
        let unmatched = seen.filter.unmatched(names);
        moment
            .problems
            .extend(unmatched.filter(|_| input.is_some()));
        moment.problems.extend_from_slice(&fixed.problems);
        for problem in &mut moment.problems {
            *problem = shown(problem.as_bytes()).into_owned();
        }
        moment
    }

    fn plan(&self, reading: &Arc<Reading>, follows: bool) -> Plan {
        Plan::of(&self.request(reading, follows), nobody())
    }

    fn request(&self, reading: &Arc<Reading>, follows: bool) -> Request {
        Request {
            reading: reading.clone(),
            follows,
            held: self.held.borrow().clone(),
            ..self.request.clone()
        }
    }

    /// First and last log time, as far as the heads and tails of files tell.
    fn input(&self, plan: &Plan) -> anyhow::Result<Option<(LogInstant, LogInstant)>> {
        let mut clock = LogClock::new(self.log_timezone.clone());
        let (first, last) = ends(plan, &mut clock, None)?;
        let last = last.max(self.last);
        Ok(first.zip(last.or(first)))
    }
}

/// What does not change while the logs go on: it is that of the files as they were read at first.
struct Fixed {
    max_connections: Option<u32>,
    /// Those of the backend that is asked for.
    lines: Lines,
    /// What was wrong with the files.
    problems: Vec<String>,
}

/// The lines of the backend that is asked for.
fn lines_of(ask: &Ask, live: &Live<'_, '_>, plan: &Plan, reading: &Reading) -> Lines {
    let Detail::Backend(backend) = &ask.detail else {
        return Lines::default();
    };
    let id = usize::from(backend.server.0);
    let server = plan.servers.get(id).zip(live.servers().nth(id));
    server.map_or_else(Lines::default, |(server, (_, clock))| {
        let later = live.later_prefixes(id);
        lines::of(
            server,
            later,
            backend,
            &mut clock.clone(),
            &reading.interrupt,
        )
    })
}

/// What has been told.
#[derive(Default)]
struct Told {
    /// When the last moment was told, and of which change it was the last.
    last: Option<(Instant, u64)>,
    /// When something happened last.
    happened: Option<Instant>,
    /// What was said of the logs lately.
    said: VecDeque<(Instant, String)>,
    is_new: bool,
    /// How long it took to make the last moment.
    took: Duration,
}

impl Told {
    fn said(&mut self, said: &mut Vec<String>) {
        const SAID_MAX: usize = 8;
        let now = Instant::now();
        self.is_new |= !said.is_empty();
        self.said.extend(said.drain(..).map(|said| (now, said)));
        let is_old = |said: &VecDeque<(Instant, String)>| {
            said.len() > SAID_MAX || said.front().is_some_and(|(at, _)| at.elapsed() > SAID)
        };
        while is_old(&self.said) {
            self.said.pop_front();
            self.is_new = true;
        }
    }

    /// How long until the next moment is told; zero: now.
    fn wait(&mut self, changes: u64, now: Option<LogInstant>) -> Duration {
        let Some((at, told)) = self.last else {
            return Duration::ZERO;
        };
        let is_other = changes != told || self.is_new;
        if is_other {
            self.happened = Some(Instant::now());
        }
        let is_idle = self.happened.is_none_or(|at| at.elapsed() > IDLE);
        let wait = match (is_other, now) {
            (true, _) => FRAME,
            (false, None) => TICK_IDLE,
            (false, Some(_)) if is_idle => TICK_IDLE,
            (false, Some(_)) => TICK,
        };
        wait.max(RESTS * self.took).saturating_sub(at.elapsed())
    }

    fn tells(&mut self, changes: u64, took: Duration) {
        self.last = Some((Instant::now(), changes));
        self.took = took;
        self.is_new = false;
    }

    /// What is wrong with the logs, and what was said of them lately, the last first.
    fn problems(&self, troubles: &[String]) -> Vec<String> {
        let said = self.said.iter().rev().map(|(_, said)| said);
        let lately = said.filter(|said| !troubles.contains(said));
        troubles.iter().chain(lately).cloned().collect()
    }
}

fn nobody() -> Stdin {
    Stdin {
        is_piped: false,
        reader: Box::new(io::empty()),
    }
}

/// Standard input in a file that is followed: a screen reads what it shows more than once.
pub(in crate::command) struct Kept {
    _dir: TempDir,
    pub(in crate::command) path: PathBuf,
    /// Why it is not all of it.
    pub(in crate::command) problem: Arc<Mutex<Option<String>>>,
}

impl Kept {
    /// Keeps what comes until the process ends.
    pub(in crate::command) fn of(mut reader: Box<dyn Read + Send>) -> anyhow::Result<Kept> {
        let dir = TempDir::new().context("a temporary directory for standard input")?;
        let path = dir.path().join("stdin.log");
        let mut file =
            std::fs::File::create(&path).context("a temporary file for standard input")?;
        let problem = Arc::default();
        let said: Arc<Mutex<Option<String>>> = Arc::clone(&problem);
        let say = move |text: String| {
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        };
        let mut keep = move || -> io::Result<()> {
            loop {
                let n = io::copy(&mut reader.by_ref().take(STDIN_MAX), &mut file)?;
                if n < STDIN_MAX {
                    return Ok(());
                }
                let kept = size(STDIN_MAX);
                say(format!(
                    "standard input: of more than {kept}, what came first is dropped"
                ));
                file.set_len(0)?;
                io::Seek::rewind(&mut file)?;
            }
        };
        let said = Arc::clone(&problem);
        thread::Builder::new().spawn(move || {
            if let Err(err) = keep() {
                let text = format!(
                    "standard input cannot be kept in a temporary file any more ({err}); set TMPDIR to a directory with room for it"
                );
                *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
        })?;
        Ok(Kept {
            _dir: dir,
            path,
            problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_count_is_told_less_often() {
        let mut told = Told::default();
        assert_eq!(told.wait(1, None), Duration::ZERO);
        told.tells(1, Duration::from_millis(1));
        assert!(told.wait(2, None) <= FRAME);
        told.tells(2, Duration::from_secs(60));
        assert!(told.wait(3, None) > Duration::from_secs(500));
    }
}
