//! `sessions` and `events`: a row each, as they come.

use std::cmp::Reverse;
use std::io::Write;

use pgcensus_core::change::{Change, What};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::Names;
use pgcensus_core::present::as_open;
use pgcensus_core::session::Session;
use pgcensus_core::window::Window;

use super::{Asked, counts, form};
use crate::cli::Sort;
use crate::pipeline::{Outcome, Run, Sink};
use crate::time_spec;
use crate::view::events::Events;
use crate::view::sessions::Sessions;

/// Sessions that are sorted at most; past it, the rest is only counted.
const SORTED_MAX: usize = 262_144;

type WriteSession<'s> = dyn FnMut(&Session, &Names, Option<Instant>) -> anyhow::Result<()> + 's;

/// The rows of `sessions`: closed ones as they end, the others are kept.
struct SessionRows<'s> {
    window: Window,
    only_open: bool,
    /// All are sorted.
    sorts: bool,
    /// Those that are sorted, and those that were open at the end of the window.
    kept: Vec<Session>,
    /// Those that found no room.
    more: u64,
    write: &'s mut WriteSession<'s>,
}

impl SessionRows<'_> {
    fn keep(&mut self, session: Session) {
        if self.kept.len() < SORTED_MAX {
            self.kept.push(session);
        } else {
            self.more += 1;
        }
    }

    /// It was there at some instant of the window.
    fn overlaps(&self, session: &Session, end: Instant) -> bool {
        let after = session
            .opened_at()
            .is_some_and(|opened| self.window.is_after(opened));
        !after && !self.window.is_before(end)
    }
}

impl Sink for SessionRows<'_> {
    fn begins(&mut self, _: Instant) {}

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        let What::Closed(session) = &change.what else {
            return Ok(());
        };
        let at = change.at.unwrap_or(Instant::UNKNOWN);
        let counts_then = self.window.daily.as_ref().is_none_or(|daily| daily(at));
        if !counts_then || !self.overlaps(session, at) {
            return Ok(());
        }
        if self.window.is_after(at) {
            self.keep(as_open((**session).clone()));
        } else if self.sorts && !self.only_open {
            self.keep((**session).clone());
        } else if !self.only_open {
            (self.write)(session, names, None)?;
        }
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }
}

/// The rows of `events`.
struct EventRows<'s> {
    window: Window,
    write: &'s mut (dyn FnMut(&Change, &Names) -> anyhow::Result<()> + 's),
}

impl Sink for EventRows<'_> {
    fn begins(&mut self, _: Instant) {}

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        if change.at.is_none_or(|at| self.window.contains(at)) {
            (self.write)(change, names)?;
        }
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }
}

impl Asked<'_> {
    pub(super) fn sessions(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
    ) -> anyhow::Result<Outcome> {
        let show = self.show(&self.zone, false);
        let mut outputs: Vec<(Sessions<'_>, Box<dyn Write>)> = Vec::new();
        for output in self.outputs {
            outputs.push((
                Sessions::new(form(output.format), self.show_for(&show, output)),
                self.streams.open(output)?,
            ));
        }
        let mut write = |session: &Session, names: &Names, until: Option<Instant>| {
            for (view, out) in &mut outputs {
                view.row(session, names, until, out)?;
            }
            anyhow::Ok(())
        };
        let Asked { args, daily, .. } = self;
        let order = args.show.sort.or(args.show.open.then_some(Sort::Age));
        let mut rows = SessionRows {
            window: daily.limit(window.since, window.until),
            only_open: args.show.open,
            sorts: args.show.sort.is_some(),
            kept: Vec::new(),
            more: 0,
            write: &mut write,
        };
        let is_written = !rows.sorts && !rows.only_open;
        let outcome = self.read(run, &mut rows, is_written)?;
        if !self.is_known(&outcome, window.since) {
            return Ok(outcome);
        }
        let last = outcome.input.map(|(_, last)| last);
        // A window that was cut off ends with the last record.
        let is_reached = |until: &Instant| !outcome.is_stopped || Some(*until) <= last;
        let end = window.until.filter(is_reached).or(last);
        let servers = outcome.servers.iter();
        let mut filter = outcome.filter.clone();
        let mut open = Vec::new();
        for session in servers.flat_map(|server| server.tracker.open_sessions()) {
            if rows.overlaps(session, Instant(i64::MAX))
                && counts(&mut filter, &outcome.names, session)
            {
                open.push(session);
            }
        }
        let SessionRows { kept, more, .. } = rows;
        if more > 0 {
            let text = "more sessions are not sorted and not shown; give a window or a filter";
            writeln!(self.streams.err(), "pgcensus: {more} {text}").ok();
        }
        let mut sorted: Vec<&Session> = kept.iter().chain(open).collect();
        sort(&mut sorted, order, end);
        for session in sorted {
            write(session, &outcome.names, end)?;
        }
        for (view, mut out) in outputs {
            view.finish(&mut out)?;
            out.flush()?;
        }
        self.tell(&outcome);
        Ok(outcome)
    }

    pub(super) fn events(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
    ) -> anyhow::Result<Outcome> {
        let show = self.show(&self.zone, false);
        let mut outputs: Vec<(Events<'_>, Box<dyn Write>)> = Vec::new();
        for output in self.outputs {
            outputs.push((
                Events::new(form(output.format), self.show_for(&show, output)),
                self.streams.open(output)?,
            ));
        }
        let mut write = |change: &Change, names: &Names| {
            for (view, out) in &mut outputs {
                view.row(change, names, out)?;
            }
            anyhow::Ok(())
        };
        let mut rows = EventRows {
            window: self.daily.limit(window.since, window.until),
            write: &mut write,
        };
        let outcome = self.read(run, &mut rows, true)?;
        if !self.is_known(&outcome, window.since) {
            return Ok(outcome);
        }
        for (view, mut out) in outputs {
            view.finish(&mut out)?;
            out.flush()?;
        }
        self.tell(&outcome);
        Ok(outcome)
    }
}

/// Puts rows in order: by default as `connection authorized` came.
fn sort(rows: &mut [&Session], order: Option<Sort>, end: Option<Instant>) {
    let start = |session: &Session| session.session_start.or(session.authorized_at);
    let length = |session: &Session| match session.session_time_ms {
        Some(ms) => ms as i64,
        None => end
            .zip(start(session))
            .map_or(0, |(end, start)| end.since(start)),
    };
    match order {
        None => rows.sort_by_key(|session| (session.authorized_at, session.pid)),
        // Who began first is the oldest, whether the session has ended or not.
        Some(Sort::Age | Sort::Start) => rows.sort_by_key(|session| (start(session), session.pid)),
        Some(Sort::Time) => rows.sort_by_key(|session| (Reverse(length(session)), session.pid)),
    }
}
