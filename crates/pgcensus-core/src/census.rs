//! The census: who is here, who was at the peak, totals.
//!
//! How unseen beginnings are counted in one pass: a session that shows itself only by its disconnection was
//! there all the time since its start. If that lies before the log, it adds one to every instant until
//! its end. So beside `now`, the number known to be open, there is `level`, which falls by one at each such
//! end: the true count at any instant is its level plus the number of all sessions of that kind, and the
//! peak of the levels is the peak of the counts.
//!
//! Who was there at the peak, and how they had grown: see [`standing`](crate::standing).

use rustc_hash::FxHashMap;
use sketches_ddsketch::{Config, DDSketch};

use crate::change::{Change, Refusal, What};
use crate::instant::Instant;
use crate::lives::Lives;
use crate::names::{Dimension, NameId, Names};
use crate::session::{End, RefusalReason, ServerId, Session};
use crate::snapshot::{
    By, CensusSnapshot, Certainty, Cross, CrossRow, Marker, OLDEST_MAX, OpenSnapshot, PeakSnapshot,
    ServerSnapshot, SessionTimeSnapshot, session_time_class,
};
use crate::standing::{ByName, Standing};
use crate::window::Window;

/// Log times of whole seconds, and the milliseconds between fork and first line: a session that proves to have
/// begun this short before the first record began with it.
pub(crate) const START_GRACE_MS: i64 = 1_100;

/// A session time of none: what a sketch takes a logarithm of is more.
pub(crate) const SHORTEST_MS: f64 = 0.5;

/// How session times are sketched: one per cent; bins enough for a millisecond to centuries.
pub(crate) fn session_times() -> Config {
    Config::new(0.005, 4096, 0.1)
}

/// When a session that was not seen to open began, if that counts as a connect: it lies in the log, and in the window.
pub(crate) fn began_inside(
    window: &Window,
    first: Option<Instant>,
    opened: Instant,
) -> Option<Instant> {
    let first = first.filter(|&first| opened.plus_ms(START_GRACE_MS) >= first)?;
    Some(opened.max(first)).filter(|&at| window.contains(at))
}

/// Session times that are counted one by one.
const SHORT_MS: usize = 1024;

/// Rows of a cross at most; of more, the rest share a row `(other)`.
pub const CROSS_MAX: usize = 100_000;

/// Adds up changes to a census of a window.
#[derive(Clone)]
pub struct Census {
    window: Window,
    cross: Option<(Dimension, Dimension)>,
    clients: Count,
    walsenders: Count,
    /// Clients by [`ServerId`]; none where there is one server, whose clients are all.
    servers: Vec<ServerCount>,
    disconnects: [u64; 5],
    walsender_disconnects: u64,
    refused_attempts: u64,
    refused: FxHashMap<RefusalReason, u64>,
    probes: u64,
    pending: u64,
    session_times: DDSketch,
    /// How many times of so many milliseconds are to be added to it: most are short, and a place in the sketch takes a
    /// logarithm.
    short_times: Vec<u64>,
    session_time_max: Option<u64>,
    histogram: [u64; 9],
    open_by_age: [u64; 4],
    oldest: Vec<Session>,
    /// The first instant of the window has come.
    entered: bool,
    pids: Pids,
    first: Option<Instant>,
}

/// Sessions of one kind, by name.
#[derive(Clone)]
struct Count {
    open: Level,
    connects: i64,
    /// Its mark is the peak.
    names: Standing,
    cross: FxHashMap<(NameId, NameId), CrossCount>,
}

/// The clients of one of several servers, beside what is counted by name.
#[derive(Clone, Copy, Default)]
struct ServerCount {
    open: Level,
    disconnects: u64,
    pids: Pids,
}

/// Where one session is counted.
struct Counts<'c> {
    kind: &'c mut Count,
    /// Of a client, where there are several servers.
    server: Option<&'c mut ServerCount>,
    /// The first log time.
    first: Option<Instant>,
}

/// How many are open, and the most that were at one instant.
#[derive(Clone, Copy, Default)]
struct Level {
    now: i64,
    level: i64,
    peak_level: i64,
    peak: i64,
    peak_at: Option<Instant>,
    /// How many peaks there were.
    peaks: u32,
}

/// Sessions of logs with pids were seen, and of logs without: those are not told from each other.
#[derive(Clone, Copy, Default)]
struct Pids {
    seen: bool,
    missed: bool,
}

#[derive(Clone, Copy, Default)]
struct CrossCount {
    now: i64,
    connects: i64,
    refused: u64,
}

impl Census {
    /// A census of this window and of so many servers, each of several with a peak of its own; with rows for a cross of two
    /// dimensions.
    pub fn new(window: Window, cross: Option<(Dimension, Dimension)>, servers: usize) -> Census {
        let count = || Count {
            open: Level::default(),
            connects: 0,
            names: Standing::new(),
            cross: FxHashMap::default(),
        };
        let mut own = Vec::new();
        if servers > 1 {
            own.resize_with(servers, ServerCount::default);
        }
        Census {
            window,
            cross,
            clients: count(),
            walsenders: count(),
            servers: own,
            disconnects: [0; 5],
            walsender_disconnects: 0,
            refused_attempts: 0,
            refused: FxHashMap::default(),
            probes: 0,
            pending: 0,
            session_times: DDSketch::new(session_times()),
            short_times: vec![0; SHORT_MS],
            session_time_max: None,
            histogram: [0; 9],
            open_by_age: [0; 4],
            oldest: Vec::new(),
            entered: false,
            pids: Pids::default(),
            first: None,
        }
    }

    /// The first log time of the input: what began before it began before the log.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// When the peak so far was.
    pub fn peak_at(&self) -> Option<Instant> {
        self.clients.open.peak_at
    }

    /// Takes in a change.
    pub fn observe(&mut self, change: &Change) {
        let at = change.at.unwrap_or(Instant::UNKNOWN);
        if !self.entered && !self.window.is_before(at) {
            self.enter(self.window.since.unwrap_or(at));
        }
        match &change.what {
            What::Opened(session) => self.opened(session, at),
            What::TakenBack(session) => self.taken_back(session, at),
            What::Closed(session) => self.closed(session, at),
            What::Refused(refusal) if self.window.contains(at) => self.refusal(refusal),
            What::Probe(_) if self.window.contains(at) => self.probes += 1,
            What::Refused(_) | What::Probe(_) | What::Server(..) => {}
        }
    }

    /// Whoever is there at the first instant of the window may already be the peak.
    fn enter(&mut self, at: Instant) {
        self.entered = true;
        if self.window.contains(at) {
            let servers = self.servers.iter_mut();
            servers.for_each(|server| server.open.peak_check(at));
            for kind in [&mut self.clients, &mut self.walsenders] {
                kind.open(self.first, |open| open.peak_check(at));
            }
        }
    }

    /// How much this session counts among the open ones: without a pid nobody is seen to leave.
    fn weight(&mut self, session: &Session) -> i64 {
        let has_pid = session.pid.is_some();
        self.pids.saw(has_pid);
        if let Some(server) = self.counts(session).server {
            server.pids.saw(has_pid);
        }
        i64::from(has_pid)
    }

    fn opened(&mut self, session: &Session, at: Instant) {
        let weight = self.weight(session);
        if self.window.is_after(at) {
            return;
        }
        let inside = self.window.contains(at);
        let cross = self.cross;
        let mut counts = self.counts(session);
        if inside {
            counts.open(|open| open.peak_check(at));
        }
        counts.add(session, cross, at, weight, i64::from(inside));
        if inside {
            counts.open(|open| open.peak_check(at));
        }
    }

    fn taken_back(&mut self, session: &Session, at: Instant) {
        let opened = session.opened_at().unwrap_or(at);
        if self.window.is_after(opened) {
            return;
        }
        let weight = self.weight(session);
        let inside = self.window.contains(opened);
        let cross = self.cross;
        let mut counts = self.counts(session);
        if counts.kind.open.has_peak_since(opened) {
            counts.kind.names.was_at_mark(session, opened, -weight);
        }
        counts.open(|open| open.was_not_at_peak(opened, weight));
        counts.add(session, cross, opened, -weight, -i64::from(inside));
    }

    fn closed(&mut self, session: &Session, at: Instant) {
        let opened = session.opened_at().unwrap_or(Instant::UNKNOWN);
        if self.window.is_after(opened) && at != Instant::UNKNOWN {
            return;
        }
        let weight = self.weight(session);
        let inside = self.window.contains(at);
        let is_over = !self.window.is_after(at);
        let began_inside = began_inside(&self.window, self.first, opened).is_some();
        let cross = self.cross;
        let mut counts = self.counts(session);
        if inside {
            counts.open(|open| open.peak_check(at));
        }
        if !session.was_seen_to_open() {
            // It was there from its start on, unseen until now.
            counts.add(session, cross, opened, weight, i64::from(began_inside));
            if counts.kind.open.has_peak_since(opened) {
                counts.kind.names.was_at_mark(session, opened, weight);
            }
            counts.open(|open| open.began_unseen(opened, weight, inside.then_some(at)));
        }
        if !is_over {
            // At the end of the window it was still there.
            self.still_open(session, at);
            return;
        }
        counts.add(session, cross, at, -weight, 0);
        if !inside {
            return;
        }
        if let Some(server) = counts.server {
            server.disconnects += 1;
        }
        if session.walsender {
            self.walsender_disconnects += 1;
            return;
        }
        self.disconnects[session.end.unwrap_or(End::Lost) as usize] += 1;
        if let Some(ms) = session.session_time_ms {
            self.session_time_max = self.session_time_max.max(Some(ms));
            self.histogram[session_time_class(ms)] += 1;
            // A bound is no measured time.
            if !session.session_end_is_bound {
                match self.short_times.get_mut(ms as usize) {
                    Some(times) => *times += 1,
                    None => self.session_times.add(ms as f64),
                }
            }
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.refused_attempts += u64::from(!refusal.is_retry);
        *self.refused.entry(refusal.reason).or_default() += 1;
        self.clients.names.refused(refusal);
        if let Some((a, b)) = self.cross {
            self.clients.cross(refusal.name(a), refusal.name(b)).refused += 1;
        }
    }

    /// A session that is open at the end of the window: `until`, or the input's end, which is `end`.
    pub fn still_open(&mut self, session: &Session, end: Instant) {
        if session.walsender
            || session
                .opened_at()
                .is_some_and(|opened| self.window.is_after(opened))
        {
            return;
        }
        let end = self.window.until.unwrap_or(end);
        let start = session.session_start.or(session.authorized_at);
        let age = start.map_or(0, |start| end.since(start));
        let class = [60_000, 3_600_000, 86_400_000]
            .iter()
            .position(|&bound| age < bound)
            .unwrap_or(3);
        self.open_by_age[class] += 1;
        let rank =
            |session: &Session| (session.session_start.or(session.authorized_at), session.pid);
        let place = self
            .oldest
            .partition_point(|older| rank(older) <= rank(session));
        if place < OLDEST_MAX {
            self.oldest.insert(place, session.clone());
            self.oldest.truncate(OLDEST_MAX);
        }
    }

    /// A connection that is pending at the end of the input.
    pub fn still_pending(&mut self, received_at: Option<Instant>) {
        if !received_at.is_some_and(|at| self.window.is_after(at)) {
            self.pending += 1;
        }
    }

    /// Where a session like this one is counted.
    fn counts(&mut self, session: &Session) -> Counts<'_> {
        let first = self.first;
        if session.walsender {
            return Counts {
                kind: &mut self.walsenders,
                server: None,
                first,
            };
        }
        Counts {
            kind: &mut self.clients,
            server: self.servers.get_mut(usize::from(session.server.0)),
            first,
        }
    }

    /// The numbers. `input` is the first and last log time, `lives` those of all servers that count.
    pub fn snapshot(
        &mut self,
        names: &Names,
        lives: &[(ServerId, &Lives)],
        input: Option<(Instant, Instant)>,
    ) -> CensusSnapshot {
        for (ms, times) in self.short_times.iter_mut().enumerate() {
            let ms = (ms as f64).max(SHORTEST_MS);
            self.session_times.add_with_count(ms, std::mem::take(times));
        }
        if !self.entered
            && let Some((first, _)) = input
        {
            self.enter(self.window.since.unwrap_or(first));
        }
        let window = input.map(|(first, last)| {
            (
                self.window.since.map_or(first, |since| since.max(first)),
                self.window.until.unwrap_or(last),
            )
        });
        let refused = self.refused.values().sum();
        let clients_by = self.clients.names.by_name(names);
        let walsenders_by = self.walsenders.names.by_name(names);
        // The count at the end of the input is that after its last record.
        let exact_window =
            window.map(|(since, end)| (since, self.window.until.unwrap_or(end.plus_ms(1))));
        let known = Known::new(lives, self.pids, exact_window);
        let open = |count: &Count, by: &ByName| OpenSnapshot {
            by: if self.pids.know_open() {
                by.ranking(names, |name| name.now)
            } else {
                By::default()
            },
            ..known.open(&count.open)
        };
        let (who, growth) = clients_by.at_mark(names);
        let clients = &self.clients;
        let all = ServerCount {
            open: clients.open,
            disconnects: self.disconnects.iter().sum(),
            pids: self.pids,
        };
        let servers = lives.iter().map(|own| {
            let (server, _) = *own;
            let count = self.servers.get(usize::from(server.0)).unwrap_or(&all);
            let known = Known::new(std::slice::from_ref(own), count.pids, exact_window);
            let name = clients_by.get(Dimension::Server, server.into());
            ServerSnapshot {
                server,
                open: known.open(&count.open),
                peak: known.peak(&count.open),
                connects: name.connects.max(0) as u64,
                disconnects: count.disconnects,
                refused: name.refused,
            }
        });
        let servers = servers.collect();
        let mut refused_by_reason: Vec<_> = self
            .refused
            .iter()
            .map(|(&reason, &n)| (reason, n))
            .collect();
        refused_by_reason.sort_by_key(|&(reason, n)| (std::cmp::Reverse(n), reason.as_str()));
        let quantile = |q| {
            let ms = self.session_times.quantile(q).ok()??;
            Some((ms.round() as u64).min(self.session_time_max?))
        };
        CensusSnapshot {
            input,
            window,
            open: open(clients, &clients_by),
            walsenders: open(&self.walsenders, &walsenders_by),
            servers,
            walsender_connects: self.walsenders.connects.max(0) as u64,
            walsender_disconnects: self.walsender_disconnects,
            connects: clients.connects.max(0) as u64,
            connects_by: clients_by.ranking(names, |name| name.connects),
            disconnects: self.disconnects,
            refused_attempts: self.refused_attempts,
            refused_connections: refused,
            refused_by_reason,
            refused_by: clients_by.ranking(names, |name| name.refused as i64),
            probes: self.probes,
            pending: self.pending,
            peak: PeakSnapshot {
                by: if self.pids.know_open() {
                    who
                } else {
                    By::default()
                },
                grew: growth.filter(|_| clients.open.peak > 0 && self.pids.know_open()),
                ..known.peak(&clients.open)
            },
            session_time: SessionTimeSnapshot {
                p50: quantile(0.5),
                p95: quantile(0.95),
                p99: quantile(0.99),
                max: self.session_time_max,
                histogram: self.histogram,
            },
            open_by_age: self.open_by_age,
            oldest: self.oldest.clone(),
            cross: self
                .cross
                .map(|dimensions| clients.cross_rows(names, dimensions)),
            timeline: Vec::new(),
            noise: Vec::new(),
            bounds: Vec::new(),
        }
    }
}

/// What can be said of open sessions of some servers.
struct Known<'l> {
    lives: &'l [(ServerId, &'l Lives)],
    pids: Pids,
    open: Certainty,
    peak: Certainty,
    /// The last instant of the window.
    end: Instant,
}

impl<'l> Known<'l> {
    fn new(
        lives: &'l [(ServerId, &'l Lives)],
        pids: Pids,
        window: Option<(Instant, Instant)>,
    ) -> Known<'l> {
        let (since, until) = window.unwrap_or_default();
        let unseen = match (window, pids) {
            (Some(_), Pids { missed: false, .. }) => Certainty::Exact,
            (Some(_), Pids { seen: true, .. }) => Certainty::AtLeast,
            _ => Certainty::Unknown,
        };
        let certainty = |since| {
            let certainties = lives.iter().map(|(_, lives)| lives.between(since, until));
            certainties
                .reduce(Certainty::and)
                .unwrap_or(Certainty::Unknown)
                .and(unseen)
        };
        let end = until.plus_ms(-1);
        Known {
            lives,
            pids,
            open: certainty(end),
            peak: certainty(since),
            end,
        }
    }

    fn open(&self, open: &Level) -> OpenSnapshot {
        OpenSnapshot {
            count: self.pids.know_open().then_some(open.now.max(0) as u64),
            certainty: self.open,
            exact_since: self.exact_since(),
            by: By::default(),
        }
    }

    /// What made the last of them exact, where all are.
    fn exact_since(&self) -> Option<(Instant, Marker)> {
        if self.open != Certainty::Exact {
            return None;
        }
        let markers = self.lives.iter().map(|(_, lives)| lives.exact_at(self.end));
        let markers: Option<Vec<_>> = markers.collect();
        markers?.into_iter().max_by_key(|&(at, _)| at)
    }

    fn peak(&self, open: &Level) -> PeakSnapshot {
        let knows = self.pids.know_open();
        let at = open.peak_at.and_then(Instant::known);
        PeakSnapshot {
            count: knows.then_some(open.peak.max(0) as u64),
            at: at.filter(|_| knows && open.peak > 0),
            certainty: self.peak,
            ..PeakSnapshot::default()
        }
    }
}

impl Pids {
    fn saw(&mut self, has_pid: bool) {
        self.seen |= has_pid;
        self.missed |= !has_pid;
    }

    fn know_open(self) -> bool {
        self.seen || !self.missed
    }
}

impl Level {
    fn add(&mut self, n: i64) {
        self.now += n;
        self.level += n;
    }

    /// The count of this instant may be the peak.
    fn peak_check(&mut self, at: Instant) {
        if self.peak_at.is_none() || self.level > self.peak_level {
            self.peak_level = self.level;
            self.new_peak(at);
        }
    }

    fn new_peak(&mut self, at: Instant) {
        self.peak = self.now;
        self.peak_at = Some(at);
        self.peaks += 1;
    }

    fn has_peak_since(&self, opened: Instant) -> bool {
        self.peak_at.is_some_and(|peak| peak >= opened)
    }

    /// `n` sessions that opened then were none.
    fn was_not_at_peak(&mut self, opened: Instant, n: i64) {
        if self.has_peak_since(opened) {
            self.peak -= n;
            self.peak_level -= n;
        }
    }

    /// `n` sessions that were just added were there since `opened`; `at` is now, if it is in the window.
    fn began_unseen(&mut self, opened: Instant, n: i64, at: Option<Instant>) {
        self.level -= n;
        if self.has_peak_since(opened) {
            self.peak += n;
        }
        // Among those that began in the log unseen, the count of now can be more than any before.
        if let Some(at) = at.filter(|_| self.now > self.peak) {
            self.new_peak(at);
        }
    }
}

impl Counts<'_> {
    fn open(&mut self, change: impl Fn(&mut Level)) {
        self.kind.open(self.first, &change);
        if let Some(server) = &mut self.server {
            change(&mut server.open);
        }
    }

    /// Adds `n` sessions like this one, of them `connects` to those that opened.
    fn add(
        &mut self,
        session: &Session,
        cross: Option<(Dimension, Dimension)>,
        at: Instant,
        n: i64,
        connects: i64,
    ) {
        self.kind.add(session, cross, at, n, connects);
        self.open(|open| open.add(n));
    }
}

impl Count {
    /// Changes how many are open; if that makes a new peak, it remembers who is there.
    fn open(&mut self, first: Option<Instant>, change: impl Fn(&mut Level)) {
        let peaks = self.open.peaks;
        change(&mut self.open);
        if self.open.peaks != peaks
            && let Some(at) = self.open.peak_at
        {
            self.names.mark(at, first);
        }
    }

    /// Adds `n` sessions under the names of this one as of `at`, of them `connects` to those that opened.
    fn add(
        &mut self,
        session: &Session,
        cross: Option<(Dimension, Dimension)>,
        at: Instant,
        n: i64,
        connects: i64,
    ) {
        self.connects += connects;
        self.names.add(session, at, n, connects);
        if let Some((a, b)) = cross {
            let row = self.cross(session.name(a), session.name(b));
            row.now += n;
            row.connects += connects;
        }
    }

    fn cross(&mut self, a: NameId, b: NameId) -> &mut CrossCount {
        let full = self.cross.len() >= CROSS_MAX;
        let key = if full && !self.cross.contains_key(&(a, b)) {
            (NameId::OTHER, NameId::OTHER)
        } else {
            (a, b)
        };
        self.cross.entry(key).or_default()
    }

    fn cross_rows(&self, names: &Names, dimensions: (Dimension, Dimension)) -> Cross {
        let (a, b) = dimensions;
        let rows = self
            .cross
            .iter()
            .filter(|(_, n)| n.now > 0 || n.connects > 0 || n.refused > 0);
        let mut rows: Vec<CrossRow> = rows
            .map(|(key, n)| CrossRow {
                names: (
                    names.text_of(a, key.0).into(),
                    names.text_of(b, key.1).into(),
                ),
                open: n.now.max(0) as u64,
                connects: n.connects.max(0) as u64,
                refused: n.refused,
            })
            .collect();
        rows.sort_by(|x, y| {
            (y.open, y.connects, y.refused)
                .cmp(&(x.open, x.connects, x.refused))
                .then_with(|| x.names.cmp(&y.names))
        });
        Cross { dimensions, rows }
    }
}
