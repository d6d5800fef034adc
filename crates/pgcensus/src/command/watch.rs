//! `watch`: what has just happened, then what happens next, until Ctrl+C.

mod unread;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use pgcensus_core::change::{Change, What};
use pgcensus_core::instant::Instant as LogInstant;
use pgcensus_core::names::Names;
use pgcensus_core::window::Window;

use super::last::Last;
use super::{Asked, form, moves_cursor};
use crate::cli::{OutputFormat, Target};
use crate::live::{Amended, Step, Tail};
use crate::pipeline::{Live, LogId, Outcome, Run, Sink};
use crate::source::Request;
use crate::time_spec;
use crate::view::events::{self, Amendment};
use crate::view::text::shown;
use crate::view::watch::{self, Bursts, Counts, Past, Totals};
use crate::view::{Form, Show, Tone};
use unread::Unread;

/// Of what was there, without a window: the events of so much time.
pub(super) const PAST_MS: i64 = 5 * 60_000;

/// Events that are kept until they are shown; older ones are dropped, and that is said.
const KEPT_MAX: usize = 10_000;

/// The line of totals is drawn at most so often, and at least.
const DRAWN: Duration = Duration::from_millis(100);
const DRAWN_IDLE: Duration = Duration::from_secs(1);

/// How often time passes without any record.
const PASSES: Duration = Duration::from_secs(1);

/// Takes the line of totals away.
const CLEAR: &[u8] = b"\r\x1b[K";

/// Where the events go.
struct Watch<'w> {
    window: Window,
    /// What was there is being read.
    is_past: bool,
    /// Its last events, and whether older ones were dropped.
    past: VecDeque<Change>,
    is_dropped: bool,
    kept_max: usize,
    /// What the totals begin with.
    just_happened: Past,
    counts: Counts,
    last: Last<Told>,
    lines: Lines<'w>,
}

/// An event of a record that may go on.
struct Told {
    change: Change,
    /// On a terminal; else it is told with others.
    is_shown: bool,
}

/// What is written.
struct Lines<'w> {
    show: Show<'w>,
    servers: Vec<String>,
    outputs: Vec<Out>,
    /// Of a terminal: what recurs, unless all is wanted, and the totals.
    bursts: Option<Bursts>,
    totals: Option<Totals>,
    /// They stand below what was written.
    is_drawn: bool,
    drawn: Instant,
    row: Vec<u8>,
}

struct Out {
    form: Form,
    /// It is a terminal that can have a line in place, for people.
    is_terminal: bool,
    /// It is a terminal, whatever the form and whatever it can do.
    is_seen: bool,
    color: bool,
    to: Box<dyn Write>,
}

impl Sink for Rc<RefCell<Watch<'_>>> {
    fn begins(&mut self, _: LogInstant) {}

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        let watch = &mut *self.borrow_mut();
        if !change.at.is_none_or(|at| watch.window.contains(at)) {
            return Ok(());
        }
        if !watch.is_past {
            watch.counts.add(change);
            let is_shown = watch.lines.event(change, names)?;
            watch.last.add(|| Told {
                change: change.clone(),
                is_shown,
            });
            return Ok(());
        }
        watch.just_happened.add(change);
        if watch.past.len() == watch.kept_max {
            watch.past.pop_front();
            watch.is_dropped = true;
        }
        watch.past.push_back(change.clone());
        Ok(())
    }

    fn ends(&mut self, _: LogInstant) {}

    fn may_go_on(&mut self, log: Option<LogId>) {
        self.borrow_mut().last.may_go_on(log);
    }
}

impl Watch<'_> {
    /// A record whose events were told goes on: what comes now is told too.
    fn amend(&mut self, amended: &Amended, names: &Names) -> io::Result<()> {
        let amendment = Amendment {
            lines: &amended.lines,
            is_event: amended.is_event,
        };
        for Told { change, is_shown } in self.last.of(amended.log) {
            // Time went on with it, too, and ended what waited.
            if events::pid(&change.what) != amended.pid {
                continue;
            }
            if !amended.is_event {
                self.counts.take_back(change);
            }
            self.lines.amend(change, *is_shown, amendment, names)?;
        }
        if !amended.is_event {
            self.last.forget(amended.log);
        }
        Ok(())
    }

    /// Writes what was kept of the past; from now on events are written as they come.
    fn tell_past(&mut self, names: &Names) -> io::Result<()> {
        let past = std::mem::take(&mut self.past);
        if let Some(first) = past.front().filter(|_| self.is_dropped) {
            let text = watch::dropped(past.len(), first, &self.lines.show);
            self.lines.note(&text)?;
        }
        // What recurred is told by the seconds of the log.
        let (begin, first) = (Instant::now(), past.front().and_then(|first| first.at));
        let mut last = begin;
        for change in &past {
            let ms = change
                .at
                .zip(first)
                .map_or(0, |(at, first)| at.since(first));
            last = last.max(begin + Duration::from_millis(ms.max(0) as u64));
            self.lines.tell_bursts(last)?;
            self.lines.event(change, names)?;
        }
        self.lines.tell_bursts(last + PASSES)?;
        self.is_past = false;
        self.lines.bursts = self
            .lines
            .bursts
            .take()
            .map(|_| Bursts::new(Instant::now()));
        Ok(())
    }
}

impl Lines<'_> {
    /// Whether a terminal shows it by itself.
    fn event(&mut self, change: &Change, names: &Names) -> io::Result<bool> {
        if let What::TakenBack(_) = change.what {
            if let Some(bursts) = &mut self.bursts {
                bursts.take_back(change);
            }
            return Ok(false);
        }
        // Others may have come.
        while self.servers.len() < names.servers() {
            self.servers
                .push(watch::server_name(names, self.servers.len()));
        }
        let show = Show {
            servers: &self.servers,
            ..self.show
        };
        let is_shown = match &mut self.bursts {
            Some(bursts) => bursts.is_shown(change, names, &show),
            None => true,
        };
        for out in &mut self.outputs {
            if out.is_terminal && !is_shown {
                continue;
            }
            self.row.clear();
            let show = Show {
                color: out.color,
                terminal: out.is_seen,
                ..show
            };
            events::write(out.form, change, names, &show, &mut self.row);
            if out.is_terminal && std::mem::take(&mut self.is_drawn) {
                out.to.write_all(CLEAR)?;
            }
            out.to.write_all(&self.row)?;
        }
        Ok(is_shown)
    }

    fn amend(
        &mut self,
        change: &Change,
        is_shown: bool,
        amendment: Amendment<'_>,
        names: &Names,
    ) -> io::Result<()> {
        if let What::TakenBack(_) = change.what {
            return Ok(());
        }
        if self.outputs.iter().any(|out| out.form == Form::Csv) {
            let lines = String::from_utf8_lossy(amendment.lines);
            let what = if amendment.is_event {
                "the last record goes on"
            } else {
                "the last event has not happened, a client wrote it"
            };
            self.note(&format!("{what}: {}", lines.trim_end()))?;
        }
        for out in &mut self.outputs {
            if out.is_terminal && !is_shown && amendment.is_event {
                continue;
            }
            self.row.clear();
            let show = Show {
                color: out.color,
                servers: &self.servers,
                ..self.show
            };
            events::write_amendment(out.form, change, amendment, names, &show, &mut self.row);
            if out.is_terminal && std::mem::take(&mut self.is_drawn) {
                out.to.write_all(CLEAR)?;
            }
            out.to.write_all(&self.row)?;
        }
        Ok(())
    }

    /// A line about the log itself: among the events for people, beside them for programs.
    fn note(&mut self, text: &str) -> io::Result<()> {
        let text = shown(text.as_bytes());
        let Some(out) = self.outputs.iter_mut().find(|out| out.is_terminal) else {
            return writeln!(io::stderr(), "pgcensus: {text}");
        };
        if std::mem::take(&mut self.is_drawn) {
            out.to.write_all(CLEAR)?;
        }
        let show = Show {
            color: out.color,
            ..self.show
        };
        writeln!(out.to, "{}", show.paint(Tone::Dim, &format!("-- {text}")))
    }

    /// Tells what recurred up to now, if it is time.
    fn tell_bursts(&mut self, now: Instant) -> io::Result<()> {
        let Some(bursts) = &mut self.bursts else {
            return Ok(());
        };
        let Some(out) = self.outputs.iter_mut().find(|out| out.is_terminal) else {
            return Ok(());
        };
        let show = Show {
            color: out.color,
            ..self.show
        };
        let mut told = Vec::new();
        bursts.tell(now, &show, &mut told)?;
        if !told.is_empty() && std::mem::take(&mut self.is_drawn) {
            out.to.write_all(CLEAR)?;
        }
        out.to.write_all(&told)
    }

    /// Everything that was written is seen now, with the totals as of now.
    fn flush(&mut self, counts: &Counts, open: impl FnOnce() -> u64) -> io::Result<()> {
        let now = Instant::now();
        self.tell_bursts(now)?;
        let Some(out) = self.outputs.iter_mut().find(|out| out.is_terminal) else {
            return self.outputs.iter_mut().try_for_each(|out| out.to.flush());
        };
        let size = terminal_size::terminal_size();
        let show = Show {
            color: out.color,
            width: size.map_or(80, |(width, _)| usize::from(width.0)),
            servers: &self.servers,
            ..self.show
        };
        let time = now.duration_since(self.drawn);
        if let Some(totals) = &mut self.totals
            && (!self.is_drawn || time >= DRAWN_IDLE)
            && time >= DRAWN
        {
            let line = totals.line(now, counts, Some(open()), &show);
            write!(out.to, "\r{line}\x1b[K")?;
            self.is_drawn = true;
            self.drawn = now;
        }
        self.outputs.iter_mut().try_for_each(|out| out.to.flush())
    }

    /// How long it may take until there is something to write without any event.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let totals = self.totals.as_ref().map(|_| {
            let due = if self.is_drawn { DRAWN_IDLE } else { DRAWN };
            due.saturating_sub(now.duration_since(self.drawn))
        });
        let bursts = self.bursts.as_ref().and_then(Bursts::due);
        let bursts = bursts.map(|due| due.saturating_duration_since(now));
        totals.into_iter().chain(bursts).min().unwrap_or(PASSES)
    }

    fn end(&mut self) -> io::Result<()> {
        for out in &mut self.outputs {
            if out.is_terminal && std::mem::take(&mut self.is_drawn) {
                out.to.write_all(CLEAR)?;
            }
            out.to.flush()?;
        }
        Ok(())
    }
}

impl Asked<'_> {
    /// Until Ctrl+C or the end of all input.
    pub(super) fn watch(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
        request: &Request,
        stdin: Option<(Option<String>, Box<dyn Read + Send>)>,
    ) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let state = Rc::new(RefCell::new(self.watched(window)?));
        let mut sink = state.clone();
        let reading = run.reading.clone();
        let line = self.progress.show(self.work(), &reading);
        let live = Live::begin(run, &mut sink, true)?;
        drop(line);
        let mut is_over = live.is_stopped();
        let mut tail = Tail::new(live, self.plan, request, stdin, Duration::ZERO)?;
        {
            let watch = &mut *state.borrow_mut();
            watch.tell_past(tail.shared.live.names())?;
            if let Some(totals) = &mut watch.lines.totals {
                let (last, open) = (tail.now(), tail.shared.live.open());
                *totals = Totals::after(&watch.just_happened, last, open, Instant::now());
            }
        }
        let is_piped = self.outputs.iter().any(|out| out.target == Target::Stdout)
            && !io::stdout().is_terminal();
        let unread = if is_piped {
            Unread::wait(tail.waker())?
        } else {
            Unread::default()
        };
        let mut passed = Instant::now();
        while !is_over {
            unread.check()?;
            let wait = state.borrow().lines.wait();
            let step = tail.step(wait)?;
            if passed.elapsed() >= PASSES {
                passed = Instant::now();
                tail.pass()?;
            }
            let watch = &mut *state.borrow_mut();
            for amended in std::mem::take(&mut tail.shared.amended) {
                watch.amend(&amended, tail.shared.live.names())?;
            }
            if !self.args.show.quiet {
                for said in tail.shared.said.drain(..).chain(tail.still.drain(..)) {
                    watch.lines.note(&said)?;
                }
            }
            watch
                .lines
                .flush(&watch.counts, || tail.shared.live.open())?;
            is_over = step == Step::Over;
        }
        let open = tail.shared.live.open();
        let watch = &mut *state.borrow_mut();
        // What recurred and waited to be told together.
        watch.lines.tell_bursts(Instant::now() + PASSES)?;
        watch.lines.end()?;
        let summary = watch.counts.summary(began.elapsed(), Some(open));
        let is_for_people = |out: &Out| out.form == Form::Text;
        match watch
            .lines
            .outputs
            .iter_mut()
            .find(|out| is_for_people(out))
        {
            Some(out) => {
                writeln!(out.to, "{summary}")?;
                out.to.flush()?;
            }
            None if !self.args.show.quiet => {
                writeln!(io::stderr(), "pgcensus: {summary}").ok();
            }
            None => {}
        }
        let outcome = tail.shared.live.finish()?;
        self.nothing_matched(&outcome);
        Ok(outcome)
    }

    fn watched(&self, window: time_spec::Window) -> anyhow::Result<Watch<'_>> {
        let show = self.show(&self.zone, false);
        let mut outputs = Vec::new();
        for output in self.outputs {
            let fitted = self.show_for(&show, output);
            let is_text = output.format == OutputFormat::Text;
            outputs.push(Out {
                form: form(output.format),
                is_terminal: fitted.terminal && is_text && moves_cursor(),
                is_seen: fitted.terminal,
                color: fitted.color,
                to: self.streams.open(output)?,
            });
        }
        for out in outputs.iter_mut().filter(|out| out.form == Form::Csv) {
            out.to.write_all(events::CSV_HEAD)?;
        }
        let now = Instant::now();
        let is_terminal = outputs.iter().any(|out| out.is_terminal);
        let kept_max = match self.args.show.limit {
            None | Some(0) => KEPT_MAX,
            Some(limit) => limit.min(KEPT_MAX),
        };
        Ok(Watch {
            window: self.daily.limit(window.since, window.until),
            is_past: true,
            past: VecDeque::new(),
            is_dropped: false,
            kept_max,
            just_happened: Past::default(),
            counts: Counts::default(),
            last: Last::default(),
            lines: Lines {
                show,
                servers: Vec::new(),
                outputs,
                bursts: (is_terminal && !self.args.show.all).then(|| Bursts::new(now)),
                totals: is_terminal.then(|| Totals::new(now)),
                is_drawn: false,
                drawn: now.checked_sub(DRAWN_IDLE).unwrap_or(now),
                row: Vec::new(),
            },
        })
    }
}
