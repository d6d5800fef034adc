//! Rollup: what happened, kept so small that any stretch of it can be counted again without reading the log.
//!
//! How this works: a row says that sessions of one kind (the same names, see `Key`) opened, ended, were taken back or
//! refused at a time, and how many. Rows are in the order of the changes that they come from, and are
//! [told](Rollup::tell) to the folds as changes again. So whatever is counted from a rollup is counted by the same code
//! as what is counted from a log, and must be the same. A session is two rows of 32 bytes; who it was (pid, message) is not
//! kept: for that the log is read.
//!
//! What happened before a stretch is told as the sessions that it left open. Where there are more than [`ROWS_MAX`] rows, those of one
//! second and kind become one: counts at whole seconds stay what they are, and so does the most that were open at one
//! instant within it. Where that is not enough, the oldest are dropped, but for the sessions that they left open.

use std::rc::Rc;

use pgcensus_log::event::{ProbeReason, RefusalReason};
use rustc_hash::FxHashMap;

use crate::change::{Change, Probe, Refusal, What};
use crate::filter::{Filter, Who};
use crate::instant::Instant;
use crate::names::{Dimension, Name, NameId, Names};
use crate::session::{End, ServerId, Session};
use crate::snapshot::SESSION_TIME_BOUNDS_MS;

/// Rows kept at most, 32 bytes each; of more, the older ones are rolled up to whole seconds, and then dropped.
pub const ROWS_MAX: usize = 1_500_000;

/// Kinds kept at most; past it nothing is rolled up any more, and the log is read instead.
pub const KEYS_MAX: usize = 1 << 18;

/// What rows are rolled up to, in milliseconds.
const GRID_MS: i64 = 1_000;

/// The changes of a log.
pub struct Rollup {
    keys: Vec<Key>,
    ids: FxHashMap<Key, u32>,
    /// That of the last change: the next one is often of the same.
    last: Option<(Key, u32)>,
    /// Sessions of each key that the rows that were dropped left open.
    left_open: Vec<i64>,
    rows: Vec<Row>,
    /// So many of them are rolled up.
    rolled: usize,
    /// What happened before this was rolled up to whole seconds; was dropped.
    rolled_before: Option<Instant>,
    dropped_before: Option<Instant>,
    rows_max: usize,
    /// Why it is not all: there were too many kinds, or what happened has no time.
    is_over: bool,
    first: Option<Instant>,
}

/// All that sessions of one row have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    server: ServerId,
    /// In the order of [`Dimension::NAMED`]; of a client host the one that filters go by.
    names: [NameId; Dimension::NAMED.len()],
    walsender: bool,
    has_pid: bool,
    host_is_late: bool,
    /// It is no session.
    failed: Option<Failed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Failed {
    /// Why, and whether it was the second try.
    Refused(RefusalReason, bool),
    Probe(ProbeReason),
}

/// So many sessions of a key did the same.
#[derive(Clone, Copy, Debug)]
struct Row {
    at: Instant,
    /// Since when they were there, of those that were there unseen or were none; else [`Instant::UNKNOWN`].
    since: Instant,
    key: u32,
    n: u32,
    did: Did,
    /// How they ended: its place in [`End::ALL`].
    end: u8,
    /// The class of their session time; [`NO_CLASS`]: not known.
    class: u8,
    /// Nothing was known of the key before.
    is_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Did {
    /// It ended, and had been seen to open.
    Closed,
    /// It ended; `since` then it was there unseen.
    ClosedUnseen,
    /// It was none; it had opened at `since`.
    TakenBack,
    Opened,
    /// It was refused, or was a probe.
    Failed,
}

const NO_CLASS: u8 = u8::MAX;

/// A stretch of the log that is to be told: what happened before it matters by whom it left open alone, what happens after
/// it only by whom it shows to have been there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretch {
    /// `None`: from the first change on.
    pub since: Option<Instant>,
    /// The first instant after it; `None`: up to the last change.
    pub until: Option<Instant>,
}

impl Default for Rollup {
    fn default() -> Rollup {
        Rollup::new(ROWS_MAX)
    }
}

impl Rollup {
    /// Keeps so many rows at most.
    pub fn new(rows_max: usize) -> Rollup {
        Rollup {
            keys: Vec::new(),
            ids: FxHashMap::default(),
            last: None,
            left_open: Vec::new(),
            rows: Vec::new(),
            rolled: 0,
            rolled_before: None,
            dropped_before: None,
            rows_max,
            is_over: false,
            first: None,
        }
    }

    /// The log, or one of its files, begins or goes on at this time.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// The first log time.
    pub fn first(&self) -> Option<Instant> {
        self.first
    }

    /// Takes in a change.
    pub fn observe(&mut self, change: &Change) {
        if self.is_over || matches!(change.what, What::Server(..)) {
            return;
        }
        let Some((at, (id, is_first))) = change.at.zip(self.id(&change.what)) else {
            *self = Rollup {
                is_over: true,
                ..Rollup::new(self.rows_max)
            };
            return;
        };
        let mut row = Row {
            at,
            since: Instant::UNKNOWN,
            key: id,
            n: 1,
            did: Did::Failed,
            end: 0,
            class: NO_CLASS,
            is_first,
        };
        match &change.what {
            What::Opened(_) => row.did = Did::Opened,
            What::TakenBack(session) => {
                row.did = Did::TakenBack;
                row.since = session.opened_at().unwrap_or(at);
            }
            What::Closed(session) => {
                row.did = Did::Closed;
                if !session.was_seen_to_open() {
                    row.did = Did::ClosedUnseen;
                    row.since = session.session_start.unwrap_or(Instant::UNKNOWN);
                }
                row.end = session.end.unwrap_or(End::Lost) as u8;
                row.class = session.session_time_ms.map_or(NO_CLASS, class);
            }
            What::Refused(_) | What::Probe(_) | What::Server(..) => {}
        }
        self.rows.push(row);
        if self.rows.len() >= self.rows_max {
            self.make_room();
        }
    }

    /// The number of a key, and whether it is new; `None`: there are too many.
    fn id(&mut self, what: &What) -> Option<(u32, bool)> {
        let key = Key::of(what)?;
        if let Some((last, id)) = self.last
            && last == key
        {
            return Some((id, false));
        }
        if let Some(&id) = self.ids.get(&key) {
            self.last = Some((key, id));
            return Some((id, false));
        }
        if self.keys.len() >= KEYS_MAX {
            return None;
        }
        let id = self.keys.len() as u32;
        self.keys.push(key);
        self.left_open.push(0);
        self.ids.insert(key, id);
        Some((id, true))
    }

    /// Whether a stretch can be told as the log would tell it, for folds that begin and end to count at these edges;
    /// `filtered`: of some sessions alone.
    pub fn tells(&self, stretch: Stretch, edges: &[Instant], filtered: bool) -> bool {
        let is_kept = self.dropped_before.is_none() || stretch.since >= self.dropped_before;
        let is_exact = |at: Instant| Some(at) >= self.rolled_before || at.0 % GRID_MS == 0;
        // The most at one instant is known of all of them only.
        let is_whole =
            self.rolled_before.is_none() || !filtered || stretch.since >= self.rolled_before;
        !self.is_over && is_kept && is_whole && edges.iter().copied().all(is_exact)
    }

    /// The last instant up to this one that a stretch may begin at.
    pub fn aligned(&self, at: Instant) -> Instant {
        if Some(at) >= self.rolled_before {
            return at;
        }
        Instant(at.0.div_euclid(GRID_MS) * GRID_MS)
    }

    /// Tells a stretch once more, as the changes of those that `filter` lets pass. Who they were is not known: they have the
    /// names and times that are counted, and nothing else.
    pub fn tell(
        &self,
        names: &Names,
        filter: &mut Filter,
        stretch: Stretch,
        mut tell: impl FnMut(&Change),
    ) {
        let passes = self.keys.iter().map(|key| key.passes(names, filter));
        let passes: Vec<bool> = passes.collect();
        let mut teller = Teller::default();
        let mut tell_row = |row: &Row| {
            if passes[row.key as usize] {
                teller.tell(&self.keys[row.key as usize], row, &mut tell);
            }
        };
        let is_before = |row: &Row| stretch.since.is_some_and(|since| row.at < since);
        let begin = self.rows.iter().position(|row| !is_before(row));
        let (before, rows) = self.rows.split_at(begin.unwrap_or(self.rows.len()));
        let mut left_open = self.left_open.clone();
        for row in before {
            if row.is_first {
                // That there are such sessions is to be known, whenever they were.
                tell_row(row);
            } else {
                left_open[row.key as usize] += row.leaves_open();
            }
        }
        let since = stretch.since.or(self.first).unwrap_or_default();
        for (key, &n) in (0..).zip(&left_open) {
            if n != 0 {
                tell_row(&Row::left_open(key, n, since.plus_ms(-1)));
            }
        }
        let shows_before = |row: &Row| {
            let until = stretch.until.filter(|&until| row.at >= until);
            until.is_none_or(|until| row.is_first || row.may_begin_before(until))
        };
        rows.iter()
            .filter(|row| shows_before(row))
            .for_each(tell_row);
    }

    /// There are too many rows.
    fn make_room(&mut self) {
        self.roll(self.rows.len() / 4 * 3);
        let too_many = self.rows.len().saturating_sub(self.rows_max / 2);
        self.rolled -= too_many.min(self.rolled);
        for row in self.rows.drain(..too_many) {
            self.left_open[row.key as usize] += row.leaves_open();
            self.dropped_before = self.dropped_before.max(Some(row.at.plus_ms(1)));
        }
    }

    /// Rolls up the rows up to this one: those of a second are put together. Where most were open within it, it is cut in two,
    /// and in both parts the ends come before the beginnings: so the most that are open on the way are those
    /// that were, at the time when they were.
    fn roll(&mut self, end: usize) {
        let second = |row: &Row| row.at.0.div_euclid(GRID_MS);
        let mut rolled = Vec::new();
        for rows in self.rows[self.rolled..end].chunk_by(|a, b| second(a) == second(b)) {
            let (mut level, mut most, mut peak) = (0, 0, 0);
            for (i, row) in rows.iter().enumerate() {
                level += self.keys[row.key as usize].level(row);
                if level > most {
                    (most, peak) = (level, i + 1);
                }
            }
            let (up_to_peak, after) = rows.split_at(peak);
            put_together(up_to_peak, &mut rolled);
            put_together(after, &mut rolled);
        }
        let before = rolled.iter().map(|row| (second(row) + 1) * GRID_MS).max();
        self.rolled_before = self.rolled_before.max(before.map(Instant));
        let end_of_rolled = self.rolled + rolled.len();
        self.rows.splice(self.rolled..end, rolled);
        self.rolled = end_of_rolled;
    }
}

/// Rows of one second: those that say the same become one.
fn put_together(rows: &[Row], out: &mut Vec<Row>) {
    let Some(at) = rows.last().map(|row| row.at) else {
        return;
    };
    let kind = |row: &Row| (row.did, row.key, row.end, row.class, row.since);
    let mut rows = rows.to_vec();
    rows.sort_by_key(kind);
    for same in rows.chunk_by(|a, b| kind(a) == kind(b)) {
        out.push(Row {
            at,
            n: same.iter().map(|row| row.n).sum(),
            is_first: same.iter().any(|row| row.is_first),
            ..same[0]
        });
    }
}

impl Key {
    /// `None`: it is of no session.
    fn of(what: &What) -> Option<Key> {
        let id = |name: &Option<Name>| NameId::of(name.as_ref());
        Some(match what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session) => Key {
                server: session.server,
                names: [
                    id(&session.database),
                    id(&session.user),
                    id(&session.application_name),
                    id(&session.client_host),
                ],
                walsender: session.walsender,
                has_pid: session.pid.is_some(),
                host_is_late: session.client_host_is_late,
                failed: None,
            },
            What::Refused(refusal) => Key {
                server: refusal.server,
                names: Dimension::NAMED.map(|dimension| refusal.name(dimension)),
                walsender: refusal.walsender,
                has_pid: true,
                host_is_late: false,
                failed: Some(Failed::Refused(refusal.reason, refusal.is_retry)),
            },
            What::Probe(probe) => Key {
                server: probe.server,
                names: [
                    NameId::ABSENT,
                    NameId::ABSENT,
                    NameId::ABSENT,
                    id(&probe.client_host),
                ],
                walsender: false,
                has_pid: true,
                host_is_late: false,
                failed: Some(Failed::Probe(probe.reason)),
            },
            What::Server(..) => return None,
        })
    }

    fn names(&self) -> [Option<Name>; Dimension::NAMED.len()] {
        self.names
            .map(|id| (id != NameId::ABSENT).then(|| Name::from(id)))
    }

    fn passes(&self, names: &Names, filter: &mut Filter) -> bool {
        let [database, user, application_name, client_host] = &self.names();
        let who = Who {
            server: self.server,
            pid: None,
            session_id: None,
            user: user.as_ref(),
            database: database.as_ref(),
            application_name: application_name.as_ref(),
            client_host: client_host.as_ref(),
            received_only: matches!(self.failed, Some(Failed::Probe(_))),
        };
        filter.is_empty() || filter.matches(names, &who)
    }

    /// By how much a row changes how many clients are open, as far as is known while it happens.
    fn level(&self, row: &Row) -> i64 {
        if self.walsender || !self.has_pid {
            return 0;
        }
        match row.did {
            Did::Closed | Did::ClosedUnseen | Did::TakenBack => -i64::from(row.n),
            Did::Opened => i64::from(row.n),
            Did::Failed => 0,
        }
    }
}

impl Row {
    /// `n` sessions that are open then, or of which so many are not.
    fn left_open(key: u32, n: i64, at: Instant) -> Row {
        Row {
            at,
            since: Instant::UNKNOWN,
            key,
            n: n.unsigned_abs() as u32,
            did: if n < 0 { Did::Closed } else { Did::Opened },
            end: End::Lost as u8,
            class: NO_CLASS,
            is_first: false,
        }
    }

    /// How many more are open for it.
    fn leaves_open(&self) -> i64 {
        match self.did {
            Did::Opened => i64::from(self.n),
            Did::Closed | Did::TakenBack => -i64::from(self.n),
            // It was there before, and is not any more.
            Did::ClosedUnseen | Did::Failed => 0,
        }
    }

    /// It says something of the time before this instant, though it comes later.
    fn may_begin_before(&self, until: Instant) -> bool {
        matches!(self.did, Did::ClosedUnseen | Did::TakenBack) && self.since < until
    }
}

/// The class of a session time, by [`SESSION_TIME_BOUNDS_MS`].
fn class(ms: u64) -> u8 {
    SESSION_TIME_BOUNDS_MS
        .iter()
        .take_while(|&&bound| ms >= bound)
        .count() as u8
}

/// A time of this class.
fn time_of(class: u8) -> Option<u64> {
    let least = usize::from(class).checked_sub(1);
    let bound = least.map_or(Some(&0), |least| SESSION_TIME_BOUNDS_MS.get(least));
    bound.copied().filter(|_| class != NO_CLASS)
}

/// Makes changes of rows.
struct Teller {
    session: Rc<Session>,
    /// Whose names it has.
    key: Option<Key>,
}

impl Default for Teller {
    fn default() -> Teller {
        Teller {
            session: Rc::new(Session::new(ServerId(0), None, None)),
            key: None,
        }
    }
}

/// The pid of all that have one.
const SOME_PID: u32 = 1;

impl Teller {
    fn tell(&mut self, key: &Key, row: &Row, tell: &mut impl FnMut(&Change)) {
        let what = match key.failed {
            None => self.session(key, row),
            Some(Failed::Refused(reason, is_retry)) => refused(key, reason, is_retry),
            Some(Failed::Probe(reason)) => probe(key, reason),
        };
        let change = Change {
            at: Some(row.at),
            what,
            message: Box::default(),
        };
        for _ in 0..row.n {
            tell(&change);
        }
    }

    fn session(&mut self, key: &Key, row: &Row) -> What {
        let session = Rc::make_mut(&mut self.session);
        if self.key != Some(*key) {
            self.key = Some(*key);
            let [database, user, application_name, client_host] = key.names();
            *session = Session {
                walsender: key.walsender,
                user,
                database,
                application_name,
                client_host,
                client_host_is_late: key.host_is_late,
                ..Session::new(key.server, key.has_pid.then_some(SOME_PID), None)
            };
        }
        session.authorized_at = Some(row.at);
        session.session_start = None;
        session.end = None;
        session.session_time_ms = None;
        match row.did {
            Did::Opened | Did::Failed => return What::Opened(self.session.clone()),
            Did::TakenBack => {
                session.authorized_at = Some(row.since);
                return What::TakenBack(self.session.clone());
            }
            Did::ClosedUnseen => {
                session.authorized_at = None;
                session.session_start = row.since.known();
            }
            Did::Closed => {}
        }
        session.end = End::ALL.get(usize::from(row.end)).copied();
        session.session_time_ms = time_of(row.class);
        What::Closed(self.session.clone())
    }
}

fn refused(key: &Key, reason: RefusalReason, is_retry: bool) -> What {
    let [database, user, application_name, client_host] = key.names();
    What::Refused(Box::new(Refusal {
        walsender: key.walsender,
        user,
        database,
        application_name,
        client_host,
        is_retry,
        ..Refusal::new(&Session::new(key.server, Some(SOME_PID), None), reason)
    }))
}

fn probe(key: &Key, reason: ProbeReason) -> What {
    let [.., client_host] = key.names();
    What::Probe(Box::new(Probe {
        server: key.server,
        pid: Some(SOME_PID),
        session_id: None,
        client_host,
        client_port: None,
        received_at: None,
        reason,
    }))
}

#[cfg(test)]
mod tests;
