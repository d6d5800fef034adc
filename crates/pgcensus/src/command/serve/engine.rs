//! The engine of `serve`: reads what is there, follows it and hands on what happens.
//!
//! Here is where all changes pass: what counts them for good beside the events is the fold of the metrics.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pgcensus_core::change::{Change, What};
use pgcensus_core::filter::{Who, WhoText};
use pgcensus_core::instant::Instant as LogInstant;
use pgcensus_core::metrics::Metrics;
use pgcensus_core::names::Names;
use pgcensus_core::window::Window;
use pgcensus_core::zone::DisplayZone;
use pgcensus_log::event::ServerEvent;

use super::super::last::Last;
use super::super::textfile;
use super::super::top::kept::Kept;
use super::IDLE;
use crate::interrupt::Interrupt;
use crate::live::{Amended, Step, Tail};
use crate::pipeline::{Live, LogId, Run, Sink};
use crate::report::connections_max;
use crate::source::{Plan, Request};
use crate::view::events::{self, Amendment};
use crate::view::metrics::{self, Exposition, Facts};
use crate::view::text::shown;
use crate::view::watch::server_name;
use crate::view::{Form, Show};
use crate::web::health::Health;
use crate::web::scrapes::Scrapes;
use crate::web::stream::{Event, Hub, KEPT_MAX};

/// Events that come within so long are handed on together: each costs every reader a wake-up else.
const PACE: Duration = Duration::from_millis(20);

/// Events of the past are handed on by so many.
const BATCH: usize = 64;

/// How often `--textfile` is written: as often as Prometheus asks by default.
const WRITES: Duration = Duration::from_secs(15);

/// When nothing has happened for so long, who has opened is not refused any more.
const QUIET: Duration = Duration::from_millis(250);

/// How often time passes without any record.
const PASSES: Duration = Duration::from_secs(1);

/// What reads and follows.
pub(super) struct Engine<'e> {
    zone: &'e DisplayZone,
    hub: Arc<Hub>,
    health: Arc<Health>,
    scrapes: Arc<Scrapes>,
    /// `--textfile`
    textfile: Option<&'e Path>,
    /// That of the one server that there is, where that is known.
    connections_max: Option<u32>,
    kept: Option<&'e Kept>,
}

/// What is told of changes.
struct Told<'e> {
    zone: &'e DisplayZone,
    /// What was there is being read: its last changes, and how many there were before them.
    past: Option<VecDeque<Change>>,
    dropped: u64,
    /// Names of servers, by their ids.
    servers: Vec<String>,
    /// To be handed on.
    events: Vec<Event>,
    last: Last<Change>,
    metrics: Metrics,
    /// When something happened last.
    heard: Instant,
    /// A server has started, maybe with other settings.
    has_started: bool,
}

impl Sink for Rc<RefCell<Told<'_>>> {
    fn begins(&mut self, first: LogInstant) {
        self.borrow_mut().metrics.begins(first);
    }

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        let told = &mut *self.borrow_mut();
        told.metrics.observe(change);
        told.heard = Instant::now();
        told.has_started |= matches!(change.what, What::Server(_, _, ServerEvent::Ready));
        // Its refusal follows, and says so.
        if let What::TakenBack(_) = change.what {
            return Ok(());
        }
        let Some(past) = &mut told.past else {
            told.tell(names, change, None);
            told.last.add(|| change.clone());
            return Ok(());
        };
        if past.len() == KEPT_MAX {
            past.pop_front();
            told.dropped += 1;
        }
        past.push_back(change.clone());
        Ok(())
    }

    fn ends(&mut self, _: LogInstant) {}

    fn may_go_on(&mut self, log: Option<LogId>) {
        self.borrow_mut().last.may_go_on(log);
    }
}

impl Told<'_> {
    /// Makes an event of a change, or of what comes to it.
    fn tell(&mut self, names: &Names, change: &Change, amendment: Option<Amendment<'_>>) {
        while self.servers.len() < names.servers() {
            self.servers.push(server_name(names, self.servers.len()));
        }
        let show = Show {
            zone: self.zone,
            servers: &self.servers,
            color: false,
            width: 80,
            limit: None,
            by: &[],
            terminal: false,
            window_is_default: false,
        };
        let mut line = Vec::new();
        match amendment {
            None => events::write(Form::Json, change, names, &show, &mut line),
            Some(amendment) => {
                events::write_amendment(Form::Json, change, amendment, names, &show, &mut line);
            }
        }
        let who = who(names, &change.what);
        self.events.push(Event { line, who });
    }

    /// A record whose events were told goes on.
    fn amend(&mut self, names: &Names, amended: &Amended) {
        let amendment = Amendment {
            lines: &amended.lines,
            is_event: amended.is_event,
        };
        let told: Vec<Change> = self.last.of(amended.log).to_vec();
        for change in &told {
            if !amended.is_event && events::pid(&change.what) == amended.pid {
                self.metrics.untell(change);
            }
            // Time went on with it, too, and ended what waited.
            if events::pid(&change.what) == amended.pid {
                self.tell(names, change, Some(amendment));
            }
        }
        if !amended.is_event {
            self.last.forget(amended.log);
        }
    }
}

/// Who is behind a change.
fn who(names: &Names, what: &What) -> WhoText {
    match what {
        What::Opened(session) | What::TakenBack(session) | What::Closed(session) => {
            WhoText::new(names, &Who::from(&**session))
        }
        What::Refused(refusal) => WhoText::new(names, &Who::from(&**refusal)),
        What::Probe(probe) => WhoText::new(names, &Who::from(&**probe)),
        What::Server(server, ..) => WhoText::of_server(names, *server),
    }
}

impl<'e> Engine<'e> {
    pub(super) fn new(
        zone: &'e DisplayZone,
        hub: Arc<Hub>,
        health: Arc<Health>,
        scrapes: Arc<Scrapes>,
        kept: Option<&'e Kept>,
    ) -> Engine<'e> {
        Engine {
            zone,
            hub,
            health,
            scrapes,
            textfile: None,
            connections_max: None,
            kept,
        }
    }

    /// Metrics are written there, too.
    pub(super) fn with_textfile(mut self, textfile: Option<&'e Path>) -> Engine<'e> {
        self.textfile = textfile;
        self
    }

    /// Of the one server that was found, whose settings need not lie beside its log.
    pub(super) fn with_connections_max(mut self, connections_max: Option<u32>) -> Engine<'e> {
        self.connections_max = connections_max;
        self
    }

    /// Follows until the interrupt comes, or nobody is served any more.
    pub(super) fn run(
        &mut self,
        run: Run<'_>,
        plan: &Plan,
        request: &Request,
        interrupt: &Interrupt,
        is_up: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let told = Rc::new(RefCell::new(Told {
            zone: self.zone,
            past: Some(VecDeque::new()),
            dropped: 0,
            servers: Vec::new(),
            events: Vec::new(),
            last: Last::default(),
            metrics: Metrics::new(Window::default()),
            heard: Instant::now(),
            has_started: false,
        }));
        let mut sink = told.clone();
        let live = Live::begin(run, &mut sink, true)?;
        if live.is_stopped() {
            return Ok(());
        }
        told.borrow_mut().has_started = false;
        self.connections_max = self.connections_max.or_else(|| connections_max(plan));
        let mut tail = Tail::new(live, plan, request, None, PACE / 4)?;
        self.scrapes.wakes(tail.waker());
        let mut written: Option<Instant> = None;
        let mut has_failed = false;
        self.tell_past(&mut told.borrow_mut(), tail.shared.live.names());
        // What was there was written before that was read.
        told.borrow_mut().metrics.finish();
        let (mut passed, mut published) = (Instant::now(), Instant::now());
        // A first look tells what is wrong, so that nobody is told that all is well before.
        let mut is_over = tail.step(Duration::ZERO)? == Step::Over;
        while !interrupt.came() && is_up() {
            self.health.follows(self.troubles(plan, &tail));
            let waits = if told.borrow().events.is_empty() {
                PASSES
            } else {
                PACE.saturating_sub(published.elapsed())
            };
            if is_over {
                // Of what does not grow there is nothing more to come, but it is served all the same.
                thread::sleep(waits.min(IDLE));
            } else {
                is_over = tail.step(waits)? == Step::Over;
            }
            if passed.elapsed() >= PASSES {
                passed = Instant::now();
                tail.pass()?;
                if let Some(now) = tail.now() {
                    told.borrow_mut().metrics.pass(now);
                }
            }
            let told = &mut *told.borrow_mut();
            for amended in std::mem::take(&mut tail.shared.amended) {
                told.amend(tail.shared.live.names(), &amended);
            }
            for said in tail.shared.said.drain(..) {
                writeln!(io::stderr(), "pgcensus: {}", shown(said.as_bytes())).ok();
            }
            if !told.events.is_empty() && published.elapsed() >= PACE {
                published = Instant::now();
                // Whoever is told that something happened may ask whether all is well.
                self.health.follows(self.troubles(plan, &tail));
                self.hub.publish(&mut told.events);
            }
            if told.heard.elapsed() >= QUIET {
                told.metrics.finish();
            }
            if std::mem::take(&mut told.has_started) {
                self.connections_max = connections_max(plan).or(self.connections_max);
            }
            for scrape in self.scrapes.take() {
                let text = self.metrics(&told.metrics, &mut tail, scrape.exposition);
                scrape.answer(text);
            }
            if let Some(path) = self.textfile
                && written.is_none_or(|written| written.elapsed() >= WRITES)
            {
                written = Some(Instant::now());
                let text = self.metrics(&told.metrics, &mut tail, Exposition::Classic);
                let wrote = textfile::write(path, &text);
                // Said once, and not each time until it works again.
                if let Err(err) = &wrote
                    && !has_failed
                {
                    writeln!(io::stderr(), "pgcensus: {err:#}").ok();
                }
                has_failed = wrote.is_err();
            }
        }
        Ok(())
    }

    /// What Prometheus is told now.
    fn metrics(
        &self,
        metrics: &Metrics,
        tail: &mut Tail<'_, '_>,
        exposition: Exposition,
    ) -> String {
        let live = &mut tail.shared.live;
        let last = live.input().map(|(_, last)| last);
        let now = jiff::Timestamp::now().as_millisecond();
        let (servers, names, filter) = live.known();
        let facts = Facts {
            now: Some(LogInstant(now)),
            ..Facts::of(metrics, servers, names, filter, last, self.connections_max)
        };
        metrics::text(metrics, names, &facts, exposition)
    }

    /// The last events of what was there: whoever comes back may have missed some of them.
    fn tell_past(&self, told: &mut Told<'_>, names: &Names) {
        self.hub.skip(told.dropped);
        for change in told.past.take().into_iter().flatten() {
            told.tell(names, &change, None);
            if told.events.len() >= BATCH {
                self.hub.publish(&mut told.events);
            }
        }
        self.hub.publish(&mut told.events);
        self.hub.begin();
    }

    /// What is wrong with the logs now.
    fn troubles(&self, plan: &Plan, tail: &Tail<'_, '_>) -> Vec<String> {
        let of_stdin = self.kept.and_then(|kept| {
            let problem = kept.problem.lock();
            problem.unwrap_or_else(PoisonError::into_inner).clone()
        });
        // Whoever follows says so only when it has looked for it in vain.
        let missing = plan.awaited.iter().filter(|path| !path.exists());
        let missing = missing.map(|path| format!("{}: no such file yet", path.display()));
        let mut troubles = tail.troubles();
        if troubles.is_empty() {
            troubles.extend(missing);
        }
        let troubles = troubles.into_iter().chain(of_stdin);
        troubles
            .map(|trouble| shown(trouble.as_bytes()).into_owned())
            .collect()
    }
}
