//! Answers from logs that go on: what is there is read once, as a finished log is, and then followed. What happens is rolled up
//! meanwhile, so that another filter, another window and a cursor in the past are counted again at once.
//!
//! ```text
//!                    ┌─► Rollup ─(told again)─► Folds of what is asked ─► Moment
//! read, then follow ─┼─► Recent, the last changes ─────▲  lists
//!                    └─► Folds of now
//! ```
//!
//! Who was there one by one and what a log says is not kept, beyond the last changes: for that the logs are read once more,
//! by a thread of its own ([`Growing::read`]), while the counts are shown.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use pgcensus_core::change::{Change, What};
use pgcensus_core::filter::{Filter, Who};
use pgcensus_core::instant::Instant as LogInstant;
use pgcensus_core::names::Names;
use pgcensus_core::recent::Recent;
use pgcensus_core::rollup::Rollup;
use pgcensus_core::window::Window;
use pgcensus_core::zone::LogClock;

use super::super::input::ends;
use super::super::{Asked, time_spec};
use super::Message;
use super::desk::Desk;
use super::earlier::Earlier;
use super::finished::Finished;
use super::folds::{Folds, Of, Seen, Span};
use super::told::{FRAME, TICK_IDLE, Told};
use crate::live::{Step, Tail};
use crate::pipeline::{Live, Run, Sink};
use crate::report::connections_max;
use crate::source::growing::Held;
use crate::source::input::Reading;
use crate::source::{Plan, Request, Stdin};
use crate::view::text::shown;
use crate::view::top::moment::{Ask, Moment};
use crate::view::watch::server_name;

/// The window of now moves on so often, and no more often than costs a thousandth of the time.
const MOVES: Duration = Duration::from_secs(10);
const MOVE_RESTS: u32 = 1000;

/// Where what is rolled up does not reach back that far, the logs are read again so often.
const READ_AGAIN: Duration = Duration::from_secs(15 * 60);

/// What comes within this is taken in together: four times a frame is soon enough, and being woken costs more than reading.
const PACE: Duration = Duration::from_millis(25);

/// Files that are held at most, each open.
const HELD_MAX: usize = 64;

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
    pub(super) held: Mutex<Vec<Held>>,
    /// What is to be read once more.
    pub(super) again: Desk,
    /// What was, for lists of now.
    pub(super) earlier: Mutex<Option<Moment>>,
}

/// What is kept of what happens.
struct Kept {
    rollup: Rollup,
    recent: Recent,
    /// Of now, where that is shown.
    now: Option<Now>,
}

/// What is counted and listed now.
struct Now {
    filter: Filter,
    folds: Folds,
}

#[derive(Clone)]
struct Shared(Rc<RefCell<Kept>>);

impl Sink for Shared {
    fn begins(&mut self, first: LogInstant) {
        let mut kept = self.0.borrow_mut();
        kept.rollup.begins(first);
        if let Some(now) = &mut kept.now {
            now.folds.begins(first);
        }
    }

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        let mut kept = self.0.borrow_mut();
        kept.rollup.observe(change);
        kept.recent.observe(change);
        if let Some(now) = &mut kept.now
            && passes(&mut now.filter, names, change)
        {
            now.folds.change(names, change)?;
        }
        Ok(())
    }

    fn ends(&mut self, _: LogInstant) {}
}

/// Whether a change is of those that count.
fn passes(filter: &mut Filter, names: &Names, change: &Change) -> bool {
    filter.is_empty()
        || match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session) => {
                filter.matches(names, &Who::from(&**session))
            }
            What::Refused(refusal) => filter.matches(names, &Who::from(&**refusal)),
            What::Probe(probe) => filter.matches(names, &Who::from(&**probe)),
            What::Server(server, ..) => filter.matches_server(names, *server),
        }
}

impl Growing<'_> {
    /// Answers questions until there are no more.
    pub(super) fn answer(&self, desk: &Desk, answers: &Sender<Message>) {
        while let Some((ask, reading)) = desk.next() {
            if let Err(err) = self.follow(ask, &reading, desk, answers)
                && answers.send(Message::Failed(err)).is_err()
            {
                return;
            }
        }
    }

    /// Answers from logs that are read once more, until there are no more questions.
    pub(super) fn read(&self, desk: &Desk, answers: &Sender<Message>) {
        while let Some((ask, reading)) = self.again.next() {
            let sent = match self.read_for(&ask, &reading) {
                Ok(None) => Ok(()),
                Ok(Some(moment)) if ask.is_earlier => {
                    *lock(&self.earlier) = Some(moment);
                    desk.wake();
                    Ok(())
                }
                Ok(Some(moment)) => answers.send(Message::Moment(Box::new(moment))),
                Err(err) => answers.send(Message::Failed(err)),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn read_for(&self, ask: &Ask, reading: &Arc<Reading>) -> anyhow::Result<Option<Moment>> {
        self.hold();
        let plan = Plan::of(&self.request(reading, false), Stdin::none());
        let asked = self.asked.of(&plan);
        let finished = Finished {
            asked: &asked,
            log_timezone: self.log_timezone.clone(),
            threads: self.threads,
            chunk_size: self.chunk_size,
            limits: self.limits,
            input: self.input(&plan)?,
        };
        finished.answer(ask, reading)
    }

    /// Reads what is there and follows it, until nothing is asked for any more, or something that only reading tells.
    fn follow(
        &self,
        first: Ask,
        reading: &Arc<Reading>,
        desk: &Desk,
        answers: &Sender<Message>,
    ) -> anyhow::Result<()> {
        self.hold();
        let request = self.request(reading, true);
        let plan = Plan::of(&request, Stdin::none());
        let asked = self.asked.of(&plan);
        let input = self.input(&plan)?;
        let now = first.at.is_none().then(|| Now {
            filter: first.filter.clone(),
            folds: Folds::new(
                &first,
                Span::new(&first, self.limits, input),
                of(&asked, asked.servers.len(), true),
            ),
        });
        let kept = Rc::new(RefCell::new(Kept {
            rollup: Rollup::default(),
            recent: Recent::new(Window::default()),
            now,
        }));
        let mut sink = Shared(kept.clone());
        let run = Run {
            servers: &plan.servers,
            log_timezone: self.log_timezone.clone(),
            threads: self.threads,
            chunk_size: self.chunk_size,
            filter: Filter::default(),
            reading: reading.clone(),
        };
        let live = Live::begin(run, &mut sink, false)?;
        if live.is_stopped() || reading.interrupt.came() {
            return Ok(());
        }
        let tail = Tail::new(live, &plan, &request, None, PACE)?;
        desk.wakes(Some(Box::new(tail.waker())));
        let fixed = Fixed {
            max_connections: asked.connections_max.or_else(|| connections_max(&plan)),
            problems: plan.problems.iter().map(ToString::to_string).collect(),
        };
        let mut following = Following {
            growing: self,
            asked: &asked,
            fixed,
            kept,
            tail,
            told: Told::default(),
            earlier: Earlier::default(),
            moved: Instant::now(),
            moved_at: None,
            took: Duration::ZERO,
        };
        let followed = following.run(first, desk, answers);
        desk.wakes(None);
        followed
    }

    /// Holds what is at the paths now; of more than can be held, those that came first are let go.
    fn hold(&self) {
        let mut held = lock(&self.held);
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

    fn request(&self, reading: &Arc<Reading>, follows: bool) -> Request {
        Request {
            reading: reading.clone(),
            follows,
            held: lock(&self.held).clone(),
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of<'o>(asked: &'o Asked<'_>, servers: usize, goes_on: bool) -> Of<'o> {
    Of {
        servers,
        daily: &asked.daily,
        zone: &asked.zone,
        goes_on,
    }
}

/// What does not change while the logs go on: it is that of the files as they were read at first.
struct Fixed {
    max_connections: Option<u32>,
    /// What was wrong with the files.
    problems: Vec<String>,
}

/// Logs that were read and are followed.
struct Following<'a, 's> {
    growing: &'a Growing<'a>,
    asked: &'a Asked<'a>,
    fixed: Fixed,
    kept: Rc<RefCell<Kept>>,
    tail: Tail<'a, 's>,
    told: Told,
    earlier: Earlier,
    /// When the window of now moved last, by our clock and that of the log, and how long that took.
    moved: Instant,
    moved_at: Option<LogInstant>,
    took: Duration,
}

impl Following<'_, '_> {
    fn run(&mut self, first: Ask, desk: &Desk, answers: &Sender<Message>) -> anyhow::Result<()> {
        let mut ask = first;
        let is_counted = self.kept.borrow().now.is_some();
        self.begin(&ask, answers, is_counted);
        let mut step = Step::Rests;
        while step != Step::Over && !desk.is_closed() {
            if let Some(next) = desk.take() {
                ask = next;
                if !self.begin(&ask, answers, false) {
                    desk.ask_again(&ask);
                    break;
                }
            }
            let is_holding = self.tail.pass()?;
            let still = std::mem::take(&mut self.tail.still);
            // That a finished log does not grow is no news to whoever looks at its past.
            if !self.tail.is_finished() {
                self.tail.shared.said.extend(still);
            }
            self.told.said(&mut self.tail.shared.said);
            let mut wait = TICK_IDLE;
            if ask.at.is_none() {
                if !self.moves_on(&ask) {
                    desk.ask_again(&ask);
                    break;
                }
                if self
                    .earlier
                    .take(&mut lock(&self.growing.earlier), ask.number)
                {
                    self.told.is_new = true;
                }
                wait = self.told.wait(self.changes(), self.tail.now());
                if wait.is_zero() {
                    if !self.tell(&ask, answers) {
                        break;
                    }
                    continue;
                }
            }
            let wait = if is_holding { wait.min(FRAME) } else { wait };
            step = self.tail.step(wait)?;
            if !self.tail.held.is_empty() {
                lock(&self.growing.held).append(&mut self.tail.held);
            }
            // What a record was counted for has not happened: read as it is now, it will not be.
            let amended = std::mem::take(&mut self.tail.shared.amended);
            if amended.iter().any(|amended| !amended.is_event) {
                desk.ask_again(&ask);
                break;
            }
        }
        Ok(())
    }

    /// Something else is asked for. False: it cannot be told without reading. What is now may have been counted while it was
    /// read, and listed: then nothing earlier is missing.
    fn begin(&mut self, ask: &Ask, answers: &Sender<Message>, is_counted: bool) -> bool {
        self.earlier = Earlier::default();
        if ask.at.is_some() {
            self.kept.borrow_mut().now = None;
            self.growing.again.ask(ask.clone());
            if let Some(moment) = self.past(ask) {
                answers.send(Message::Moment(Box::new(moment))).ok();
            }
            return true;
        }
        self.told.is_due();
        if is_counted {
            self.moved = Instant::now();
            self.moved_at = self.tail.now();
        } else if !self.count_now(ask, false) {
            return false;
        }
        let kept = self.kept.borrow();
        if let Some(now) = &kept.now {
            let dropped = kept.recent.dropped_before().filter(|_| !is_counted);
            self.earlier = Earlier::of(ask, dropped, now.folds.since());
        }
        match self.earlier.ask(ask) {
            Some(earlier) => self.growing.again.ask(earlier),
            None => self.growing.again.give_up(),
        }
        true
    }

    /// The counts at an instant of the past, as far as they are rolled up.
    fn past(&self, ask: &Ask) -> Option<Moment> {
        let kept = self.kept.borrow();
        let live = &self.tail.shared.live;
        let names = live.names();
        let span = Span::new(ask, self.growing.limits, live.input());
        let of = of(self.asked, live.servers().len(), false);
        let mut filter = ask.filter.clone();
        let folds = Folds::of_rollup(&kept.rollup, ask, span, of, (names, &mut filter));
        let seen = self.seen(filter, live.input());
        let mut moment = folds?.partial(ask, &seen);
        self.complete(&mut moment, &seen);
        Some(moment)
    }

    /// Counts now, from what is kept, and lists it, unless it `is_listed` as far back. False: what is kept does not reach back so
    /// far.
    fn count_now(&mut self, ask: &Ask, is_listed: bool) -> bool {
        let begin = Instant::now();
        let live = &self.tail.shared.live;
        let names = live.names();
        let now = self.tail.now();
        let mut kept = self.kept.borrow_mut();
        let input = live
            .input()
            .map(|(first, last)| (first, now.unwrap_or(last)));
        let mut span = Span::new(ask, self.growing.limits, input);
        span.align(&kept.rollup);
        let of = of(self.asked, live.servers().len(), true);
        let mut filter = ask.filter.clone();
        let folds = Folds::of_rollup(&kept.rollup, ask, span, of, (names, &mut filter));
        let Some(mut folds) = folds else {
            return false;
        };
        if let Some(before) = kept.now.take().filter(|_| is_listed) {
            folds.list_on(before.folds);
            self.earlier.moves_to(folds.since());
        } else {
            for change in kept.recent.changes() {
                if passes(&mut filter, names, change) {
                    folds.list(names, change);
                }
            }
        }
        kept.now = Some(Now { filter, folds });
        self.moved = Instant::now();
        self.moved_at = now;
        self.took = begin.elapsed();
        true
    }

    /// The window of now moves on with time. False: for that the logs have to be read again.
    fn moves_on(&mut self, ask: &Ask) -> bool {
        let moved = self.tail.now().zip(self.moved_at);
        let moved_ms = moved.map_or(0, |(now, at)| now.since(at));
        let elapsed = self.moved.elapsed();
        let is_due =
            moved_ms >= MOVES.as_millis() as i64 && elapsed >= MOVES.max(self.took * MOVE_RESTS);
        if self.moved_at.is_none() {
            self.moved_at = self.tail.now();
        }
        let is_long = elapsed >= READ_AGAIN || moved_ms >= READ_AGAIN.as_millis() as i64;
        !is_due || self.count_now(ask, true) || !is_long
    }

    fn changes(&self) -> u64 {
        self.kept
            .borrow()
            .now
            .as_ref()
            .map_or(0, |now| now.folds.changes())
    }

    /// Tells how it is now. False: nobody wants to know.
    fn tell(&mut self, ask: &Ask, answers: &Sender<Message>) -> bool {
        let begin = Instant::now();
        let now = self.tail.now();
        let input = self.tail.shared.live.input();
        let input = input.map(|(first, last)| (first, now.unwrap_or(last)));
        let mut kept = self.kept.borrow_mut();
        let Some(counted) = &mut kept.now else {
            return true;
        };
        let changes = counted.folds.changes();
        let seen = self.seen(counted.filter.clone(), input);
        let mut moment = counted.folds.moment(ask, &seen, now);
        self.complete(&mut moment, &seen);
        self.earlier.add_to(&mut moment);
        drop(kept);
        let sent = answers.send(Message::Moment(Box::new(moment)));
        self.told.tells(changes, begin.elapsed());
        sent.is_ok()
    }

    fn seen(&self, filter: Filter, input: Option<(LogInstant, LogInstant)>) -> Seen<'_> {
        let live = &self.tail.shared.live;
        Seen {
            names: live.names(),
            filter,
            trackers: live.servers().map(|(tracker, _)| tracker).collect(),
            input,
        }
    }

    /// What is known beside what is counted.
    fn complete(&self, moment: &mut Moment, seen: &Seen<'_>) {
        let live = &self.tail.shared.live;
        let names = live.names();
        moment.max_connections = self.fixed.max_connections;
        moment.servers = (0..live.servers().len())
            .map(|server| server_name(names, server))
            .collect();
        let clock = live.servers().next().map(|(_, clock)| clock);
        moment.zone = self.asked.zone_of(clock.zip(live.input()));
        moment.problems = self.told.problems(&self.tail.troubles());
        let of_stdin = self.growing.stdin.iter();
        moment
            .problems
            .extend(of_stdin.filter_map(|stdin| lock(stdin).clone()));
        let unmatched = seen.filter.unmatched(names);
        moment
            .problems
            .extend(unmatched.filter(|_| seen.input.is_some()));
        moment.problems.extend_from_slice(&self.fixed.problems);
        for problem in &mut moment.problems {
            *problem = shown(problem.as_bytes()).into_owned();
        }
    }
}
