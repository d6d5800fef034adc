//! Grid: how often each thing happened, in steps of time and by who it was; for a page that is cut and filtered without
//! the log at hand.
//!
//! How this works: a cell says that in a step of time something of one [`Kind`] happened so often, such as `opened, by shop/app/web
//! from 10.0.0.7: 12`. Whatever is counted of a stretch is a sum of cells: who opened in it, and who was there at its end (all who
//! came before that, less those who left). Steps are those of a history ([`CHAIN_S`]): each is a part of the next longer
//! one, so that cells are never divided. Where there are too many cells steps become longer.

use rustc_hash::{FxHashMap, FxHashSet};
use sketches_ddsketch::Config;

use crate::census::{SHORTEST_MS, began_inside, session_times};
use crate::change::{Change, What};
use crate::groups::Key;
use crate::history::CHAIN_S;
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{End, RefusalReason, Session};
use crate::snapshot::session_time_class;
use crate::window::Window;
use crate::zone::{DisplayZone, bucket_end, bucket_start};

/// Cells kept at most, 16 bytes each; of more, steps become longer. Most are of session times: up to a thousand in a step.
pub const CELLS_MAX: usize = 1_000_000;

/// Kinds told apart at most: a client can invent an application for each connection. Of more, the application of whoever comes
/// is [`NameId::OTHER`], and past twice as many all names are. A name that is joined once is joined everywhere, in the end: what
/// is told of a name is all of it.
pub const KINDS_MAX: usize = 100_000;

/// What happened, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One more is there, who did not open in the window: before it, or outside of the hours that count.
    There(Key),
    /// A session opened.
    Opened(Key),
    /// A session ended.
    Closed(Key, End),
    /// A connection was refused; the second of one attempt, or not.
    Refused(Key, RefusalReason, bool),
    /// A connection was a probe; of its names the client host is known alone.
    Probe(Key),
    /// A session that ended had lasted for so long.
    Lasted(Lasted),
}

/// How long a session had lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lasted {
    /// Its place among [`SESSION_TIME_BOUNDS_MS`](crate::snapshot::SESSION_TIME_BOUNDS_MS).
    pub class: u8,
    /// Its bin of the sketch of session times, see [`bin_ms`]; `None`: its end is only a bound, which no percentile counts.
    pub bin: Option<i32>,
}

/// What happened in a step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The begin of the step.
    pub start: Instant,
    /// The place of its kind in [`GridSnapshot::kinds`].
    pub kind: u32,
    /// How often, less what was taken back.
    pub n: i32,
}

/// The cells of a window.
#[derive(Clone, Debug, Default)]
pub struct GridSnapshot {
    /// The length of a step, in seconds.
    pub step_s: u64,
    /// What happened, in no order; what is of names that were joined may stand there twice.
    pub kinds: Vec<Kind>,
    /// In the order of time, then of kinds; none is 0.
    pub cells: Vec<Cell>,
    /// The longest session time that ended in each step, in the order of time, in milliseconds.
    pub longest: Vec<(Instant, u64)>,
    /// Some names were joined, see [`KINDS_MAX`].
    pub is_joined: bool,
}

/// Adds up changes to a grid.
pub struct Grid {
    window: Window,
    zone: DisplayZone,
    first: Option<Instant>,
    cells_max: usize,
    step_s: u64,
    /// The step at hand, and what happened in it.
    at_hand: (Instant, Instant),
    counts: FxHashMap<u32, i32>,
    ids: FxHashMap<Kind, u32>,
    kinds: Vec<Kind>,
    /// In no order.
    cells: Vec<Cell>,
    longest: Vec<(Instant, u64)>,
    /// Names that were joined: applications, and all others.
    joined: FxHashSet<(Dimension, NameId)>,
    session_times: Config,
}

impl Grid {
    /// A grid of this window, of so many cells at most.
    pub fn new(window: Window, zone: DisplayZone, cells_max: usize) -> Grid {
        Grid {
            window,
            zone,
            first: None,
            cells_max: cells_max.max(2),
            step_s: CHAIN_S[0],
            at_hand: (Instant::UNKNOWN, Instant::UNKNOWN),
            counts: FxHashMap::default(),
            ids: FxHashMap::default(),
            kinds: Vec::new(),
            cells: Vec::new(),
            longest: Vec::new(),
            joined: FxHashSet::default(),
            session_times: session_times(),
        }
    }

    /// The first log time of the input.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change. Walsenders are not part of a grid.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at else { return };
        match &change.what {
            What::Opened(session) if !session.walsender => self.opens(session, at, 1),
            What::TakenBack(session) if !session.walsender => {
                self.opens(session, session.opened_at().unwrap_or(at), -1);
            }
            What::Closed(session) if !session.walsender => self.closed(session, at),
            What::Refused(refusal) if self.window.contains(at) => {
                let key = Key {
                    server: refusal.server,
                    database: refusal.name(Dimension::Database),
                    application_name: refusal.name(Dimension::ApplicationName),
                    user: refusal.name(Dimension::User),
                    client_host: refusal.name(Dimension::ClientHost),
                };
                self.add(at, Kind::Refused(key, refusal.reason, refusal.is_retry), 1);
            }
            What::Probe(probe) if self.window.contains(at) => {
                let key = Key {
                    server: probe.server,
                    database: NameId::ABSENT,
                    application_name: NameId::ABSENT,
                    user: NameId::ABSENT,
                    client_host: NameId::of(probe.client_host.as_ref()),
                };
                self.add(at, Kind::Probe(key), 1);
            }
            _ => {}
        }
    }

    /// `n` more sessions like this one opened at `at`.
    fn opens(&mut self, session: &Session, at: Instant, n: i32) {
        let key = Key::of(session);
        if self.window.contains(at) {
            self.add(at, Kind::Opened(key), n);
            self.without_pid(session, key, at, -n);
        } else if session.pid.is_some() {
            self.there(key, at, n);
        }
    }

    /// Without a pid nobody is seen to leave: such a session is never one of those that are there.
    fn without_pid(&mut self, session: &Session, key: Key, at: Instant, n: i32) {
        if session.pid.is_none() {
            self.add(at, Kind::There(key), n);
        }
    }

    /// `n` more are there from an instant on that does not count.
    fn there(&mut self, key: Key, at: Instant, n: i32) {
        if self.window.is_after(at) {
            return;
        }
        let begin = self.window.since.or(self.first).unwrap_or(at);
        self.add(at.max(begin), Kind::There(key), n);
    }

    fn closed(&mut self, session: &Session, at: Instant) {
        let opened = session.opened_at().unwrap_or(Instant::UNKNOWN);
        if self.window.is_after(opened) {
            return;
        }
        let key = Key::of(session);
        if !session.was_seen_to_open() {
            match began_inside(&self.window, self.first, opened) {
                Some(at) => {
                    self.add(at, Kind::Opened(key), 1);
                    self.without_pid(session, key, at, -1);
                }
                None if session.pid.is_none() => {}
                None => self.there(key, opened, 1),
            }
        }
        if !self.window.contains(at) {
            if session.pid.is_some() {
                self.there(key, at, -1);
            }
            return;
        }
        self.add(at, Kind::Closed(key, session.end.unwrap_or(End::Lost)), 1);
        self.without_pid(session, key, at, 1);
        if let Some(ms) = session.session_time_ms {
            let bin = (!session.session_end_is_bound)
                .then(|| self.session_times.key((ms as f64).max(SHORTEST_MS)));
            let class = session_time_class(ms) as u8;
            self.add(at, Kind::Lasted(Lasted { class, bin }), 1);
            let start = self.step(at);
            match self.longest.last_mut() {
                Some((last, longest)) if *last == start => *longest = ms.max(*longest),
                _ => self.longest.push((start, ms)),
            }
        }
    }

    fn add(&mut self, at: Instant, kind: Kind, n: i32) {
        let kind = self.kind(kind);
        let (begin, end) = self.at_hand;
        if at >= end || end == Instant::UNKNOWN {
            self.step_over();
            let begin = bucket_start(&self.zone, self.step_s, at);
            self.at_hand = (begin, bucket_end(&self.zone, self.step_s, at));
        } else if at < begin {
            // What is told late.
            let start = bucket_start(&self.zone, self.step_s, at);
            return self.cells.push(Cell { start, kind, n });
        }
        *self.counts.entry(kind).or_default() += n;
    }

    /// The begin of the step that holds `at`.
    fn step(&self, at: Instant) -> Instant {
        let (begin, end) = self.at_hand;
        if at >= begin && at < end {
            begin
        } else {
            bucket_start(&self.zone, self.step_s, at)
        }
    }

    /// What happened in the step at hand is told; of too much, less is kept.
    fn step_over(&mut self) {
        let start = self.at_hand.0;
        let counts = self.counts.drain();
        self.cells
            .extend(counts.map(|(kind, n)| Cell { start, kind, n }));
        if self.cells.len() > self.cells_max {
            self.join();
            // So that it is not joined again at once.
            while self.cells.len() > self.cells_max * 3 / 4 && self.widen() {}
        }
    }

    /// Cells of one step and kind become one.
    fn join(&mut self) {
        self.cells
            .sort_unstable_by_key(|cell| (cell.start, cell.kind));
        self.cells.dedup_by(|next, cell| {
            let is_same = (next.start, next.kind) == (cell.start, cell.kind);
            cell.n += if is_same { next.n } else { 0 };
            is_same
        });
        self.cells.retain(|cell| cell.n != 0);
        self.longest.sort_unstable();
        self.longest.dedup_by(|next, longest| {
            let is_same = next.0 == longest.0;
            longest.1 = if is_same {
                next.1.max(longest.1)
            } else {
                longest.1
            };
            is_same
        });
    }

    /// Steps become longer; false: there are no longer ones.
    fn widen(&mut self) -> bool {
        let Some(&next) = CHAIN_S.iter().find(|&&s| s > self.step_s) else {
            return false;
        };
        self.widen_to(next);
        true
    }

    fn widen_to(&mut self, step_s: u64) {
        self.step_s = step_s;
        // Those of one wide step stand in a row: the calendar is asked once for each.
        let mut wide = (Instant::UNKNOWN, Instant::UNKNOWN);
        let mut start = |at: &mut Instant| {
            if *at < wide.0 || *at >= wide.1 {
                wide = (
                    bucket_start(&self.zone, step_s, *at),
                    bucket_end(&self.zone, step_s, *at),
                );
            }
            *at = wide.0;
        };
        self.cells
            .iter_mut()
            .for_each(|cell| start(&mut cell.start));
        self.longest.iter_mut().for_each(|(at, _)| start(at));
        if self.at_hand.1 != Instant::UNKNOWN {
            let at = self.at_hand.0;
            self.at_hand = (
                bucket_start(&self.zone, step_s, at),
                bucket_end(&self.zone, step_s, at),
            );
        }
        self.join();
    }

    fn kind(&mut self, kind: Kind) -> u32 {
        if let Some(&id) = self.ids.get(&kind) {
            return id;
        }
        let joined = match self.ids.len() {
            ..KINDS_MAX => kind,
            len => kind.map(|key| {
                let all = len >= 2 * KINDS_MAX;
                let is_joined = |d| all || d == Dimension::ApplicationName;
                for dimension in Dimension::NAMED.into_iter().filter(|&d| is_joined(d)) {
                    self.joined.insert((dimension, key.name(dimension)));
                }
                joined(key, is_joined)
            }),
        };
        if joined != kind
            && let Some(&id) = self.ids.get(&joined)
        {
            return id;
        }
        let id = self.kinds.len() as u32;
        self.kinds.push(joined);
        self.ids.insert(joined, id);
        id
    }

    /// The cells, in steps of this length or longer ones.
    pub fn snapshot(mut self, step_s: u64) -> GridSnapshot {
        self.step_over();
        self.join();
        if step_s > self.step_s {
            self.widen_to(step_s);
        }
        while self.cells.len() > self.cells_max && self.widen() {}
        if !self.joined.is_empty() {
            let names = &self.joined;
            let kinds = self.kinds.iter_mut();
            kinds.for_each(|kind| {
                *kind = kind.map(|key| joined(key, |d| names.contains(&(d, key.name(d)))));
            });
        }
        GridSnapshot {
            step_s: self.step_s,
            kinds: self.kinds,
            cells: self.cells,
            longest: self.longest,
            is_joined: !self.joined.is_empty(),
        }
    }

    /// The length of a step so far, in seconds.
    pub fn step_s(&self) -> u64 {
        self.step_s
    }
}

/// The same, but for names of dimensions that are joined.
fn joined(key: Key, is_joined: impl Fn(Dimension) -> bool) -> Key {
    let name = |dimension, name| {
        if is_joined(dimension) {
            NameId::OTHER
        } else {
            name
        }
    };
    Key {
        server: key.server,
        database: name(Dimension::Database, key.database),
        application_name: name(Dimension::ApplicationName, key.application_name),
        user: name(Dimension::User, key.user),
        client_host: name(Dimension::ClientHost, key.client_host),
    }
}

/// What stands for the session times of a bin, in milliseconds; a percentile is that, or the longest one if that is less.
pub fn bin_ms(bin: i32) -> u64 {
    session_times().value(bin).round() as u64
}

impl Kind {
    /// The same of somebody else.
    #[must_use]
    pub fn map(self, who: impl FnOnce(Key) -> Key) -> Kind {
        match self {
            Kind::There(key) => Kind::There(who(key)),
            Kind::Opened(key) => Kind::Opened(who(key)),
            Kind::Closed(key, end) => Kind::Closed(who(key), end),
            Kind::Refused(key, reason, is_retry) => Kind::Refused(who(key), reason, is_retry),
            Kind::Probe(key) => Kind::Probe(who(key)),
            Kind::Lasted(lasted) => Kind::Lasted(lasted),
        }
    }

    /// Who it was; `None` of session times.
    pub fn key(self) -> Option<Key> {
        match self {
            Kind::There(key)
            | Kind::Opened(key)
            | Kind::Closed(key, _)
            | Kind::Refused(key, ..)
            | Kind::Probe(key) => Some(key),
            Kind::Lasted(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::names::Names;
    use crate::session::ServerId;

    /// Sessions of three applications, one a second, each of ten seconds; every fifth was not seen to open.
    fn changes(names: &mut Names) -> Vec<Change> {
        let mut changes = Vec::new();
        for i in 0..3_000_i64 {
            let app = names.name(
                Dimension::ApplicationName,
                format!("app-{}", i % 3).as_bytes(),
            );
            let opened = Session {
                application_name: Some(app),
                session_start: Some(Instant(i * 1_000)),
                authorized_at: (i % 5 != 0).then_some(Instant(i * 1_000)),
                ..Session::new(ServerId(0), Some(i as u32), None)
            };
            let closed = Session {
                session_end: Some(Instant(i * 1_000 + 10_000)),
                session_time_ms: Some(10_000),
                end: Some(End::Client),
                ..opened.clone()
            };
            let change = |at, what| Change {
                at: Some(Instant(at)),
                what,
                message: Box::default(),
            };
            if opened.was_seen_to_open() {
                changes.push(change(i * 1_000, What::Opened(Rc::new(opened))));
            }
            changes.push(change(i * 1_000 + 10_000, What::Closed(Rc::new(closed))));
        }
        changes.sort_by_key(|change| change.at);
        changes
    }

    fn sums(grid: &GridSnapshot) -> FxHashMap<Kind, i32> {
        let mut sums = FxHashMap::default();
        for cell in &grid.cells {
            *sums.entry(grid.kinds[cell.kind as usize]).or_default() += cell.n;
        }
        sums
    }

    fn grid(changes: &[Change], cells_max: usize) -> GridSnapshot {
        let mut grid = Grid::new(Window::default(), DisplayZone::default(), cells_max);
        grid.begins(Instant(0));
        for change in changes {
            grid.observe(change);
        }
        grid.snapshot(1)
    }

    #[test]
    fn few_cells_are_longer_steps_with_the_same_sums() {
        let changes = changes(&mut Names::default());
        let fine = grid(&changes, usize::MAX);
        let coarse = grid(&changes, 200);
        assert_eq!(fine.step_s, 1);
        assert!(coarse.step_s > 60 && coarse.cells.len() <= 200);
        assert_eq!(sums(&fine), sums(&coarse));
        let opened = |grid: &GridSnapshot| {
            let sums = sums(grid).into_iter();
            let opened = sums.filter(|(kind, _)| matches!(kind, Kind::Opened(_)));
            opened.map(|(_, n)| n).sum::<i32>()
        };
        assert_eq!(opened(&coarse), 3_000);
        let step_ms = coarse.step_s as i64 * 1_000;
        assert!(coarse.cells.iter().all(|cell| cell.start.0 % step_ms == 0));
        let until = |grid: &GridSnapshot, ms| {
            let cells = grid.cells.iter().filter(|cell| cell.start.0 < ms);
            cells.map(|cell| cell.n).sum::<i32>()
        };
        for step in 1..4 {
            let ms = step * step_ms;
            assert_eq!(until(&fine, ms), until(&coarse, ms), "up to {ms}");
        }
    }

    #[test]
    fn more_kinds_than_are_told_apart_are_joined_and_lose_nothing() {
        let mut names = Names::default();
        let mut grid = Grid::new(Window::default(), DisplayZone::default(), CELLS_MAX);
        let n = 2 * KINDS_MAX as i64 + 500;
        for i in 0..n {
            let app = names.name(Dimension::ApplicationName, &i.to_le_bytes());
            let session = Session {
                application_name: Some(app),
                authorized_at: Some(Instant(i)),
                ..Session::new(ServerId(0), Some(1), None)
            };
            grid.observe(&Change {
                at: Some(Instant(i)),
                what: What::Opened(Rc::new(session)),
                message: Box::default(),
            });
        }
        let grid = grid.snapshot(1);
        assert!(grid.is_joined && grid.kinds.len() <= KINDS_MAX + 1);
        assert_eq!(
            grid.cells.iter().map(|cell| i64::from(cell.n)).sum::<i64>(),
            n
        );
    }
}
