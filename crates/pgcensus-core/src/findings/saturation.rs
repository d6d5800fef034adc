//! Saturation: no connection was left, for the whole server, a role or a database, or soon none will be.
//!
//! A stretch in which clients are refused for it begins with a refusal and goes on until there is none for
//! [`QUIET_MS`]. At its beginning it is kept who held the connections, and what had grown in the minutes before.

mod told;

use std::collections::BTreeMap;

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::finding::Finding;
use super::groups::{self, Groups, Held};
use super::{Judge, Seen};
use crate::change::{Refusal, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId, Session};

/// Clients that find no connection try again within seconds or a minute: after five without a refusal it was over.
const QUIET_MS: i64 = 5 * 60_000;

/// Stretches kept at most of one limit; of more, the last is told as one.
const STRETCHES_MAX: usize = 1_000;

/// Limits of roles and databases that are followed at most; refusals by others are not told.
const LIMITS_MAX: usize = 1_000;

/// Client hosts of connections that had not logged in, counted at most; those of others are one.
const PENDING_MAX: usize = 1_000;

/// Names that held the most connections, kept of a stretch; beside them who had grown the most.
const HELD_MAX: usize = 5;

/// … of so long a time…
const SHARE_MS: i64 = 10 * 60_000;

/// … and of so many attempts: of fewer, a share of 5 % is one.
const ATTEMPTS_MIN: u64 = 20;

const DAY_MS: i64 = 24 * 3_600_000;

/// Days whose peaks are kept.
const DAYS_MAX: usize = 366;

/// What has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Limit {
    /// `max_connections`, with what is reserved of them.
    Server,
    /// `ALTER ROLE … CONNECTION LIMIT`
    Role(NameId),
    /// `ALTER DATABASE … CONNECTION LIMIT`
    Database(NameId),
    /// `max_wal_senders`
    Walsenders,
}

/// The fold.
#[derive(Default)]
pub(super) struct Saturation {
    limits: BTreeMap<(ServerId, Limit), Vec<Stretch>>,
    throttled: FxHashMap<(ServerId, Dimension, NameId), Throttled>,
    /// By [`ServerId`].
    servers: Vec<Server>,
}

/// The sessions of one server that were seen to open.
#[derive(Default)]
struct Server {
    open: i64,
    peaks: Peaks,
}

/// A time in which clients were refused.
struct Stretch {
    since: Instant,
    until: Instant,
    attempts: u64,
    connections: u64,
    /// Of a role or database: sessions that opened meanwhile.
    connects: u64,
    /// Open when it began, as far as they were seen to open.
    open: u64,
    reasons: FxHashMap<RefusalReason, u64>,
    applications: Vec<Held>,
    users: Vec<Held>,
    hosts: Vec<Held>,
    /// Connections that were there when it began and never logged in, by host.
    pending: FxHashMap<NameId, u64>,
}

/// A role or database that was refused lately.
#[derive(Clone, Copy)]
struct Throttled {
    /// The last refusal, and connects since then.
    last: Instant,
    connects: u64,
}

/// The most that were open on each day, counted from the first connect.
#[derive(Default)]
struct Peaks {
    first: Option<Instant>,
    /// When the last of `days` is over.
    until: Instant,
    days: Vec<i64>,
}

impl Saturation {
    /// Takes in a change; `groups` are those of all sessions, whether a filter keeps them or not.
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: [&Groups; 2]) {
        match seen.what {
            What::TakenBack(session) => self.closed(session.server),
            What::Closed(session) if session.was_seen_to_open() => self.closed(session.server),
            What::Refused(refusal) => {
                let limit = Limit::of(refusal);
                if limit != Some(Limit::Server) {
                    let host = refusal.name(Dimension::ClientHost);
                    self.was_pending(refusal.server, host, refusal.received_at, seen.at);
                }
                if let Some(limit) = limit {
                    self.refused(refusal, limit, seen, groups);
                }
            }
            What::Opened(_) | What::Closed(_) | What::Probe(_) | What::Server(..) => {}
        }
    }

    /// Takes in what opens or closes and does not count: it holds a connection as all do.
    pub(super) fn left_out(&mut self, server: ServerId, seen: &Seen<'_>) {
        let by = match seen.what {
            What::Opened(_) => 1,
            What::Closed(session) if !session.was_seen_to_open() => 0,
            _ => -1,
        };
        let server = self.server(server);
        server.open += by;
        server.peaks.observe(seen.at, server.open);
    }

    /// A connection came to nothing that was received so early: if that was before the server was full, it held a place then.
    pub(super) fn was_pending(
        &mut self,
        server: ServerId,
        host: NameId,
        received: Option<Instant>,
        until: Instant,
    ) {
        let full = self.limits.get_mut(&(server, Limit::Server));
        let Some(stretch) = full.and_then(|stretches| stretches.last_mut()) else {
            return;
        };
        let is_within = received.is_some_and(|received| received < stretch.since);
        if is_within && until > stretch.since {
            let has_room = stretch.pending.len() < PENDING_MAX;
            let host = match host {
                host if has_room || stretch.pending.contains_key(&host) => host,
                _ => NameId::OTHER,
            };
            *stretch.pending.entry(host).or_default() += 1;
        }
    }

    /// A session opened.
    #[inline]
    pub(super) fn opened(&mut self, session: &Session, at: Instant) {
        let server = self.server(session.server);
        server.open += 1;
        server.peaks.observe(at, server.open);
        if !self.throttled.is_empty() {
            self.connected(session, at);
        }
    }

    /// A session that was seen to open is open no more.
    #[inline]
    pub(super) fn closed(&mut self, server: ServerId) {
        self.server(server).open -= 1;
    }

    #[inline]
    fn server(&mut self, server: ServerId) -> &mut Server {
        let server = usize::from(server.0);
        if server >= self.servers.len() {
            self.grow(server);
        }
        &mut self.servers[server]
    }

    #[cold]
    fn grow(&mut self, server: usize) {
        self.servers.resize_with(server + 1, Server::default);
    }

    /// An attempt that was no refusal.
    #[cold]
    fn connected(&mut self, session: &Session, at: Instant) {
        for dimension in [Dimension::User, Dimension::Database] {
            let key = (session.server, dimension, session.name(dimension));
            if let Entry::Occupied(mut throttled) = self.throttled.entry(key) {
                if at.since(throttled.get().last) > QUIET_MS {
                    throttled.remove();
                } else {
                    throttled.get_mut().connects += 1;
                }
            }
        }
    }

    fn refused(&mut self, refusal: &Refusal, limit: Limit, seen: &Seen<'_>, groups: [&Groups; 2]) {
        let at = seen.at;
        let server = refusal.server;
        let of = match limit {
            Limit::Role(name) => Some((Dimension::User, name)),
            Limit::Database(name) => Some((Dimension::Database, name)),
            Limit::Server | Limit::Walsenders => None,
        };
        let mut connects = 0;
        if let Some((dimension, name)) = of {
            let key = (server, dimension, name);
            let has_room = self.throttled.len() < LIMITS_MAX || self.throttled.contains_key(&key);
            let now = Throttled {
                last: at,
                connects: 0,
            };
            let before = has_room.then(|| self.throttled.insert(key, now)).flatten();
            connects = before.map_or(0, |before| before.connects);
        }
        let key = (server, limit);
        if self.limits.len() >= LIMITS_MAX && !self.limits.contains_key(&key) {
            return;
        }
        let open = self.server(server).open;
        let stretches = self.limits.entry(key).or_default();
        let goes_on = stretches.len() >= STRETCHES_MAX;
        let last = stretches.last_mut();
        let last = last.filter(|last| goes_on || at.since(last.until) <= QUIET_MS);
        if let Some(last) = last {
            last.connects += connects;
            return last.refused(refusal, at);
        }
        let mut stretch = Stretch::new(seen, open, groups, server);
        stretch.refused(refusal, at);
        stretches.push(stretch);
    }

    pub(super) fn verdicts(&self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        for (&(server, limit), stretches) in &self.limits {
            let worst = stretches.iter().max_by_key(|stretch| stretch.connections);
            if let Some(worst) = worst {
                found.push(limit.told(judge, server, stretches, worst));
            }
        }
        for (id, server) in self.servers.iter().enumerate() {
            let id = ServerId(id as u16);
            let is_full = self.limits.contains_key(&(id, Limit::Server));
            if !is_full && let Some(finding) = server.peaks.verdict(judge, id) {
                found.push(finding);
            }
        }
    }
}

impl Limit {
    fn of(refusal: &Refusal) -> Option<Limit> {
        match refusal.reason {
            RefusalReason::TooManyClients | RefusalReason::SlotsReserved => Some(Limit::Server),
            RefusalReason::RoleLimit => Some(Limit::Role(refusal.name(Dimension::User))),
            RefusalReason::DatabaseLimit => {
                Some(Limit::Database(refusal.name(Dimension::Database)))
            }
            RefusalReason::WalsenderLimit => Some(Limit::Walsenders),
            _ => None,
        }
    }
}

impl Stretch {
    fn new(seen: &Seen<'_>, open: i64, groups: [&Groups; 2], server: ServerId) -> Stretch {
        let held = |dimension| {
            let mut held = groups::held(groups, server, dimension, seen.tick());
            let grown = held.iter().copied().max_by_key(|held| held.grown);
            held.truncate(HELD_MAX);
            let more = grown.filter(|grown| !held.contains(grown));
            held.extend(more);
            held
        };
        Stretch {
            since: seen.at,
            until: seen.at,
            attempts: 0,
            connections: 0,
            connects: 0,
            open: open.max(0) as u64,
            reasons: FxHashMap::default(),
            applications: held(Dimension::ApplicationName),
            users: held(Dimension::User),
            hosts: held(Dimension::ClientHost),
            pending: FxHashMap::default(),
        }
    }

    /// The share of attempts that was refused, where it went on for long enough to tell.
    fn share(&self) -> Option<(f64, &Stretch)> {
        let all = self.attempts + self.connects;
        let is_long = self.until.since(self.since) >= SHARE_MS && all >= ATTEMPTS_MIN;
        is_long.then(|| (self.attempts as f64 / all as f64, self))
    }

    fn refused(&mut self, refusal: &Refusal, at: Instant) {
        self.until = self.until.max(at);
        self.connections += 1;
        self.attempts += u64::from(!refusal.is_retry);
        *self.reasons.entry(refusal.reason).or_default() += 1;
    }
}

impl Peaks {
    #[inline]
    fn observe(&mut self, at: Instant, open: i64) {
        if at >= self.until {
            self.reach(at);
        }
        // What comes late is of the day that goes on.
        if let Some(peak) = self.days.last_mut() {
            *peak = (*peak).max(open);
        }
    }
    #[cold]
    fn reach(&mut self, at: Instant) {
        let first = *self.first.get_or_insert(at);
        let day = (at.since(first) / DAY_MS).min(DAYS_MAX as i64) as usize;
        self.days.resize(day + 1, 0);
        self.until = first.plus_ms((day as i64 + 1) * DAY_MS);
    }
}
