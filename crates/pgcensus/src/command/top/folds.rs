//! What a moment is made of: the folds that a log is run through, and the moment at their end. Whether the log is read for
//! one moment or goes on, or its changes are told once more from what is rolled up, they are the same.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use pgcensus_core::census::Census;
use pgcensus_core::change::{Change, What};
use pgcensus_core::filter::Filter;
use pgcensus_core::history::History;
use pgcensus_core::instant::Instant;
use pgcensus_core::lives::Lives;
use pgcensus_core::names::{Dimension, NameId, Names};
use pgcensus_core::present::Present;
use pgcensus_core::recent::Recent;
use pgcensus_core::rollup::{Rollup, Stretch};
use pgcensus_core::session::{ServerId, Session};
use pgcensus_core::snapshot::{By, HistorySnapshot, PeakSnapshot};
use pgcensus_core::tracker::Tracker;
use pgcensus_core::trend::{TREND, Trends};
use pgcensus_core::window::Window;
use pgcensus_core::zone::DisplayZone;

use super::super::{Daily, counts};
use crate::pipeline::Sink;
use crate::time_spec;
use crate::view::top::moment::{
    Ask, Detail, Details, EventRow, Lines, Moment, Rates, SessionRow, name_rows,
};

/// Rates are those of so many milliseconds before the instant, as those of `watch`.
const RATE_MS: i64 = 10_000;

/// Events that the overview has.
pub(super) const EVENTS: usize = 64;

/// Sessions that the panel of the oldest has.
const OLDEST: usize = 64;

/// Everything that a moment is made of.
pub(super) struct Folds {
    span: Span,
    detail: Detail,
    census: Census,
    timeline: History,
    lately: History,
    trends: Trends,
    recent: Recent,
    present: Present,
    /// Of the backend that is asked for.
    history: Recent,
    /// For the reason that is asked for.
    refusals: Recent,
    changes: u64,
}

/// For which log folds are made.
#[derive(Clone, Copy)]
pub(super) struct Of<'o> {
    /// Its servers.
    pub(super) servers: usize,
    pub(super) daily: &'o Daily,
    pub(super) zone: &'o DisplayZone,
    /// It goes on, and so does what is counted.
    pub(super) goes_on: bool,
}

/// What is known beside the folds, where the log has been read up to.
#[derive(Clone)]
pub(super) struct Seen<'o> {
    pub(super) names: &'o Names,
    pub(super) filter: Filter,
    /// By [`ServerId`].
    pub(super) trackers: Vec<&'o Tracker>,
    /// First and last log time.
    pub(super) input: Option<(Instant, Instant)>,
}

impl Folds {
    /// For what is asked.
    pub(super) fn new(ask: &Ask, span: Span, of: Of<'_>) -> Folds {
        let Of {
            servers,
            daily,
            zone,
            goes_on,
        } = of;
        let counted = |since| daily.limit(since, span.until);
        let plain = |since, until| Window {
            since,
            until,
            daily: None,
        };
        let view = plain(span.view_since, span.view_until);
        let lately = plain(span.lately_since, span.until);
        let end = span.at.filter(|_| !goes_on).map(|at| at.plus_ms(1));
        let trends_until = span.until.or(end);
        Folds {
            census: Census::new(counted(span.counters_since), None, servers),
            timeline: History::timeline(view, ask.columns, zone.clone()),
            lately: History::new(lately, Some(1), zone.clone()),
            trends: Trends::new(span.trend_step_ms, trends_until),
            recent: Recent::new(counted(span.counters_since)),
            present: Present::new(counted(span.since)),
            history: Recent::new(Window::default()),
            refusals: Recent::new(counted(span.counters_since)),
            detail: ask.detail.clone(),
            span,
            changes: 0,
        }
    }

    /// The same with all counts of what is rolled up, of those that a filter lets pass. `None`: it does not tell them exactly.
    pub(super) fn of_rollup(
        rollup: &Rollup,
        ask: &Ask,
        span: Span,
        of: Of<'_>,
        (names, filter): (&Names, &mut Filter),
    ) -> Option<Folds> {
        let filtered = !filter.is_empty();
        let is_of_names = !filtered || filter.is_of_names() && !names.overflowed();
        let stretch = span.stretch();
        if !is_of_names || !rollup.tells(stretch, &span.edges(), filtered) {
            return None;
        }
        let mut folds = Folds::new(ask, span, of);
        if let Some(first) = rollup.first() {
            folds.begins(first);
        }
        rollup.tell(names, filter, stretch, |change| folds.count(change));
        Some(folds)
    }

    /// How many changes were taken in.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The moment of counts alone: who is there one by one, and what happened, is still to come.
    pub(super) fn partial(&mut self, ask: &Ask, seen: &Seen<'_>) -> Moment {
        let nobody = Seen {
            trackers: Vec::new(),
            ..seen.clone()
        };
        let lives = seen.lives();
        Moment {
            detail: Details::None,
            is_partial: true,
            ..self.made(ask, &nobody, &lives, None)
        }
    }

    /// The moment, of a log that goes on at this time. What only the owner of the log knows is left out: the lines of a backend, servers and their zone, what is
    /// wrong.
    pub(super) fn moment(&mut self, ask: &Ask, seen: &Seen<'_>, now: Option<Instant>) -> Moment {
        let lives = seen.lives();
        self.made(ask, seen, &lives, now)
    }

    fn made(
        &mut self,
        ask: &Ask,
        seen: &Seen<'_>,
        lives: &[(ServerId, &Lives)],
        now: Option<Instant>,
    ) -> Moment {
        let Seen { names, input, .. } = *seen;
        let last = input.map(|(_, last)| last);
        let at = now.or(self.span.at).or(last);
        if let Some(now) = now {
            self.trends.advance(now);
        }
        // What is still there is not added up for good.
        let (mut census, mut present) = (self.census.clone(), self.present.clone());
        let end = last.unwrap_or(Instant::UNKNOWN);
        let (open, open_by) = self.still_there(seen, end, &mut census, &mut present);
        let mut census = census.snapshot(names, lives, input);
        // What may still be refused is among the open ones at once, and is counted as a connect when it is not.
        if now.is_some() && census.open.count.is_some() {
            census.open.count = Some(open);
            census.open.by = by_name(&open_by, names);
        }
        let (timeline, lately) = (self.timeline.clone(), self.lately.clone());
        let lately = lately.snapshot(lives, input, PeakSnapshot::default());
        let events = |recent: &Recent, n: usize| -> Vec<EventRow> {
            let changes = recent.changes().rev().take(n);
            changes.map(|change| EventRow::new(names, change)).collect()
        };
        let row = |session: &Session| SessionRow::new(names, session, at);
        let oldest_of = |sessions: &[Session]| -> Vec<SessionRow> {
            sessions.iter().take(OLDEST).map(row).collect()
        };
        let sessions = present.sessions();
        let oldest = match &self.detail {
            // They are not all among those that were kept.
            Detail::Sessions(Some(_)) => oldest_of(&census.oldest),
            _ => oldest_of(&sessions.open),
        };
        let detail = match &self.detail {
            Detail::Overview => Details::None,
            Detail::Sessions(_) => {
                let open = sessions.open.iter().map(row);
                let ended = sessions.ended.iter().map(|session| row(session));
                let all = open.chain(ended).collect();
                Details::Sessions(all, sessions.open_dropped, sessions.ended_dropped)
            }
            Detail::Events => Details::Events(events(&self.recent, usize::MAX)),
            Detail::Refusals(_) => Details::Events(events(&self.refusals, usize::MAX)),
            Detail::Backend(_) => {
                Details::Backend(events(&self.history, usize::MAX), Lines::default())
            }
        };
        let trends = &self.trends;
        let refused = census.refused_by_reason.iter();
        let refused = refused.map(|&(reason, n)| (reason, n, trends.refused(reason)));
        let dropped = self.recent.dropped_before();
        Moment {
            number: ask.number,
            at,
            input,
            rates: rates(&lately, input, at),
            rows: Dimension::ALL.map(|dimension| name_rows(&census, dimension, trends, names)),
            refused: refused.collect(),
            oldest,
            events: events(&self.recent, EVENTS),
            events_dropped: dropped.map(|before| (before, self.recent.changes().len())),
            asked: self.detail.clone(),
            detail,
            timeline: timeline.snapshot(lives, input, PeakSnapshot::default()),
            census,
            ..Moment::default()
        }
    }

    /// Takes a change into what is counted.
    pub(super) fn count(&mut self, change: &Change) {
        self.changes += 1;
        self.census.observe(change);
        self.timeline.observe(change);
        self.lately.observe(change);
        self.trends.observe(change);
    }

    /// Takes a change into what is shown one by one.
    pub(super) fn list(&mut self, names: &Names, change: &Change) {
        self.recent.observe(change);
        if let What::Closed(session) = &change.what
            && is_wanted(&self.detail, names, session)
        {
            self.present.observe(change);
        }
        match &self.detail {
            Detail::Backend(backend) => {
                if pid_of(&change.what) == (backend.server, Some(backend.pid)) {
                    self.history.observe(change);
                }
            }
            Detail::Refusals(reason) => {
                if matches!(&change.what, What::Refused(refusal) if refusal.reason == *reason) {
                    self.refusals.observe(change);
                }
            }
            Detail::Overview | Detail::Sessions(_) | Detail::Events => {}
        }
    }

    /// Goes on with the lists of others, whose window began earlier.
    pub(super) fn list_on(&mut self, before: Folds) {
        self.recent = before.recent;
        self.recent.moves_to(self.span.counters_since);
        self.refusals = before.refusals;
        self.refusals.moves_to(self.span.counters_since);
        self.present = before.present;
        self.present.moves_to(self.span.since);
        self.history = before.history;
    }

    /// From when on lists have what they show.
    pub(super) fn since(&self) -> Option<Instant> {
        self.span.since
    }

    /// Who is there at the end of what was read, how many clients these are, and of which names.
    fn still_there(
        &self,
        seen: &Seen<'_>,
        end: Instant,
        census: &mut Census,
        present: &mut Present,
    ) -> (u64, OpenBy) {
        let mut open = 0;
        let mut open_by = OpenBy::default();
        let names = seen.names;
        let mut filter = seen.filter.clone();
        for tracker in &seen.trackers {
            for session in tracker.open_sessions() {
                if !counts(&mut filter, names, session) {
                    continue;
                }
                if !session.walsender {
                    open += 1;
                    for (dimension, by) in Dimension::ALL.into_iter().zip(&mut open_by) {
                        *by.entry(session.name(dimension)).or_default() += 1;
                    }
                }
                census.still_open(session, end);
                if is_wanted(&self.detail, names, session) {
                    present.still_open(session);
                }
            }
            for (session, received_at) in tracker.pending() {
                if counts(&mut filter, names, session) {
                    census.still_pending(received_at);
                }
            }
        }
        (open, open_by)
    }
}

/// Open sessions by name, in the order of [`Dimension::ALL`].
type OpenBy = [HashMap<NameId, u64>; Dimension::ALL.len()];

/// Rows of them, the largest first, ties by bytes.
fn by_name(open_by: &OpenBy, names: &Names) -> By {
    Dimension::ALL.map(|dimension| {
        // A role may really be called `unknown`: its sessions and those without a name share a row.
        let mut rows: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (&id, &n) in &open_by[dimension as usize] {
            *rows.entry(names.text_of(dimension, id)).or_default() += n;
        }
        let mut rows: Vec<(Box<[u8]>, u64)> =
            rows.into_iter().map(|(name, n)| (name.into(), n)).collect();
        rows.sort_by_key(|&(_, n)| Reverse(n));
        rows
    })
}

impl Seen<'_> {
    /// Of the servers whose sessions may count.
    fn lives(&self) -> Vec<(ServerId, &Lives)> {
        let mut filter = self.filter.clone();
        let trackers = self.trackers.iter().enumerate();
        trackers
            .map(|(id, tracker)| (ServerId(id as u16), tracker.lives()))
            .filter(|&(server, _)| filter.has_server(self.names, server))
            .collect()
    }
}

impl Sink for Folds {
    fn begins(&mut self, first: Instant) {
        self.census.begins(first);
        self.timeline.begins(first);
        self.lately.begins(first);
    }

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        self.count(change);
        self.list(names, change);
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.census.ends(last);
        self.timeline.ends(last);
        self.lately.ends(last);
        self.recent.ends(last);
        self.present.ends(last);
    }
}

/// Whose backend a change is about.
fn pid_of(what: &What) -> (ServerId, Option<u32>) {
    match what {
        What::Opened(session) | What::TakenBack(session) | What::Closed(session) => {
            (session.server, session.pid)
        }
        What::Refused(refusal) => (refusal.server, refusal.pid),
        What::Probe(probe) => (probe.server, probe.pid),
        What::Server(server, pid, _) => (*server, *pid),
    }
}

/// A session of the list that is asked for: no walsender, as everywhere.
fn is_wanted(detail: &Detail, names: &Names, session: &Session) -> bool {
    match detail {
        _ if session.walsender => false,
        Detail::Sessions(Some((dimension, name))) => {
            names.text_of(*dimension, session.name(*dimension)) == &**name
        }
        _ => true,
    }
}

/// The stretches of time that an answer is about; each `until` is the first instant that does not count.
pub(super) struct Span {
    /// The instant, where it is not the end of the log.
    at: Option<Instant>,
    until: Option<Instant>,
    since: Option<Instant>,
    /// The same, or from the mark on.
    counters_since: Option<Instant>,
    view_since: Option<Instant>,
    view_until: Option<Instant>,
    lately_since: Option<Instant>,
    trend_step_ms: i64,
}

impl Span {
    pub(super) fn new(
        ask: &Ask,
        limits: time_spec::Window,
        input: Option<(Instant, Instant)>,
    ) -> Span {
        let last = limits.until.or(input.map(|(_, last)| last));
        // As `--at` has it: what happens then is not part of it.
        let until = ask.at.or(limits.until);
        let end = until.or(last);
        let first = input.map(|(first, _)| first);
        let begin = |end: Option<Instant>| {
            let since = end.zip(ask.window_ms).map(|(end, ms)| end.plus_ms(-ms));
            // Before the log begins there is nothing to show.
            since.max(limits.since).filter(|&since| Some(since) > first)
        };
        // Where the cursor begins before all that, it is in the middle.
        let is_outside = |end: Instant| {
            let from = ask.window_ms.map(|ms| end.plus_ms(-ms));
            ask.at.zip(from).is_some_and(|(at, from)| at < from)
        };
        let view_end = ask
            .view_end
            .or(last.filter(|&last| is_outside(last)).and_then(|_| {
                let half_ms = ask.window_ms? / 2;
                Some(ask.at?.plus_ms(half_ms))
            }));
        let since = begin(end);
        let from = since.max(first);
        let length_ms = end.zip(from).map_or(0, |(end, from)| end.since(from));
        Span {
            at: end,
            until,
            since,
            counters_since: since.max(ask.mark.filter(|&mark| {
                // Before the mark, counters are those of then.
                ask.at.is_none_or(|at| mark <= at)
            })),
            view_since: begin(view_end.or(last)),
            view_until: view_end.or(limits.until),
            lately_since: end.map(|end| end.plus_ms(-RATE_MS)),
            trend_step_ms: (length_ms / (TREND as i64 - 1)).max(1_000),
        }
    }
}

impl Span {
    /// Begins where what is rolled up can tell it from: up to a second earlier.
    pub(super) fn align(&mut self, rollup: &Rollup) {
        let marked = self.counters_since != self.since;
        for since in [&mut self.since, &mut self.view_since] {
            *since = since.map(|since| rollup.aligned(since));
        }
        if !marked {
            self.counters_since = self.since;
        }
    }

    /// What happened in it and who was there when it began is all that counts.
    fn stretch(&self) -> Stretch {
        // One more than there are instants in a trend, and what is rounded.
        let trend_ms = self.trend_step_ms * (TREND as i64 + 1);
        let trend_since = self.at.map(|at| at.plus_ms(-trend_ms));
        let sinces = [
            self.since,
            self.view_since,
            self.lately_since,
            trend_since.map(|since| Instant(since.0.div_euclid(1000) * 1000)),
        ];
        Stretch {
            since: sinces.into_iter().min().flatten(),
            until: self.until.zip(self.view_until).map(|(a, b)| a.max(b)),
        }
    }

    /// Where something begins or ends to count.
    fn edges(&self) -> Vec<Instant> {
        let edges = [
            self.since,
            self.counters_since,
            self.view_since,
            self.lately_since,
            self.until,
            self.view_until,
        ];
        edges.into_iter().flatten().collect()
    }
}

/// Per second in the ten seconds before an instant, or since the log began.
fn rates(
    lately: &HistorySnapshot,
    input: Option<(Instant, Instant)>,
    at: Option<Instant>,
) -> Option<Rates> {
    let (first, _) = input?;
    let since = at?.plus_ms(-RATE_MS).max(first);
    let seconds = at?.since(since) as f64 / 1000.0;
    let sum = |count: fn(&pgcensus_core::snapshot::Bucket) -> u64| {
        // Whole seconds.
        let buckets = lately.buckets.iter();
        let buckets = buckets.filter(|bucket| since.since(bucket.start) < 1000);
        let all: u64 = buckets.map(count).sum();
        all as f64 / seconds.max(1.0)
    };
    Some(Rates {
        connects: sum(|bucket| bucket.connects),
        disconnects: sum(|bucket| bucket.disconnects),
        refused: sum(|bucket| bucket.refused),
    })
}
