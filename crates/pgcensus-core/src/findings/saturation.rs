//! Saturation: no connection was left, for the whole server, a role or a database, or soon none will be.
//!
//! A stretch in which clients are refused for it begins with a refusal and goes on until there is none for
//! [`QUIET_MS`]. At its beginning it is kept who held the connections, and what had grown in the minutes before.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::{GROWTH_MS, Groups, Held};
use super::{Judge, Seen, TICK_MS};
use crate::change::{Refusal, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId};

/// Clients that find no connection try again within seconds or a minute: after five without a refusal it was over.
const QUIET_MS: i64 = 5 * 60_000;

/// Stretches kept at most of one limit; of more, the last is told as one.
const STRETCHES_MAX: usize = 1_000;

/// Limits of roles and databases that are followed at most; refusals by others are not told.
const LIMITS_MAX: usize = 1_000;

/// Names that held the most connections, kept of a stretch; beside them who had grown the most.
const HELD_MAX: usize = 5;

/// A limit of a role or a database is often a wanted throttle. It is more than that where it turns away more than this share
/// of all attempts…
const REFUSED_SHARE: f64 = 0.05;

/// … of so long a time…
const SHARE_MS: i64 = 10 * 60_000;

/// … and of so many attempts: of fewer, a share of 5 % is one.
const ATTEMPTS_MIN: u64 = 20;

/// So near to `max_connections` the next deploy or failover finds no connection.
const NEAR: f64 = 0.9;

/// A pool of a fixed size sits near its limit by design; what calls for somebody is that each day's peak is higher than that of
/// the day before, so many days in a row: of fewer, chance makes one in two.
const RISING_DAYS: usize = 3;

/// Who grew by so much of all connections that are held filled them up; less is what goes on all the time.
const GROWN_SHARE: f64 = 0.1;

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
pub(super) struct Saturation {
    limits: BTreeMap<(ServerId, Limit), Vec<Stretch>>,
    /// Attempts of the roles and databases that were refused in the stretch of [`SHARE_MS`] that is going on.
    attempts: FxHashMap<(ServerId, Dimension, NameId), Attempts>,
    /// Which stretch, and the tick that it was reckoned for.
    share: i64,
    tick: i64,
    /// By [`GroupId`]: the stretch in which it last connected, and how often.
    connects: Vec<(i64, u32)>,
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
    /// Open when it began, as far as they were seen to open.
    open: u64,
    reasons: FxHashMap<RefusalReason, u64>,
    applications: Vec<Held>,
    users: Vec<Held>,
    hosts: Vec<Held>,
}

/// Attempts of a role or database.
#[derive(Default)]
struct Attempts {
    /// Those that were refused in the stretch that is going on.
    refused: u64,
    /// The largest share of a stretch that was refused, of how many attempts, and when it began.
    worst: Option<(f64, u64, Instant)>,
}

/// The most that were open on each day, counted from the first connect.
#[derive(Default)]
struct Peaks {
    first: Option<Instant>,
    /// When the last of `days` is over.
    until: Instant,
    days: Vec<i64>,
}

impl Default for Saturation {
    fn default() -> Saturation {
        Saturation {
            limits: BTreeMap::new(),
            attempts: FxHashMap::default(),
            share: i64::MIN,
            tick: i64::MIN,
            connects: Vec::new(),
            servers: Vec::new(),
        }
    }
}

impl Saturation {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        match seen.what {
            What::Opened(session) => {
                let server = self.server(session.server);
                server.open += 1;
                server.peaks.observe(seen.at, server.open);
                self.connected(seen, groups);
            }
            What::TakenBack(session) => self.server(session.server).open -= 1,
            What::Closed(session) if session.was_seen_to_open() => {
                self.server(session.server).open -= 1;
            }
            What::Refused(refusal) => {
                if let Some(limit) = Limit::of(refusal) {
                    self.refused(refusal, limit, seen, groups);
                }
            }
            What::Closed(_) | What::Probe(_) | What::Server(..) => {}
        }
    }

    fn server(&mut self, server: ServerId) -> &mut Server {
        let server = usize::from(server.0);
        if server >= self.servers.len() {
            self.servers.resize_with(server + 1, Server::default);
        }
        &mut self.servers[server]
    }

    /// An attempt that was no refusal.
    fn connected(&mut self, seen: &Seen<'_>, groups: &Groups) {
        self.reach(seen.tick, groups);
        let id = seen.group.0 as usize;
        if id >= self.connects.len() {
            self.connects.resize(id + 1, (i64::MIN, 0));
        }
        let connects = &mut self.connects[id];
        if connects.0 != self.share {
            *connects = (self.share, 0);
        }
        connects.1 += 1;
    }

    /// The stretch of this tick begins: what was before is judged.
    fn reach(&mut self, tick: i64, groups: &Groups) {
        if tick == self.tick {
            return;
        }
        self.tick = tick;
        let share = tick.div_euclid(SHARE_MS / TICK_MS);
        if share > self.share {
            self.settle(groups);
            self.share = share;
        }
    }

    /// Judges the stretch that is going on as if it were over.
    fn settle(&mut self, groups: &Groups) {
        let at = Instant(self.share.saturating_mul(SHARE_MS));
        for (&(server, dimension, name), attempts) in &mut self.attempts {
            if attempts.refused == 0 {
                continue;
            }
            let connects = groups.iter().filter(|(_, group)| {
                group.key.server == server && group.key.name(dimension) == name
            });
            let connects = connects.filter_map(|(id, _)| self.connects.get(id.0 as usize));
            let connects = connects.filter(|(share, _)| *share == self.share);
            let all = attempts.refused + connects.map(|(_, n)| u64::from(*n)).sum::<u64>();
            let share = attempts.refused as f64 / all as f64;
            if all >= ATTEMPTS_MIN && attempts.worst.is_none_or(|(worst, ..)| share > worst) {
                attempts.worst = Some((share, all, at));
            }
            attempts.refused = 0;
        }
    }

    fn refused(&mut self, refusal: &Refusal, limit: Limit, seen: &Seen<'_>, groups: &Groups) {
        self.reach(seen.tick, groups);
        let at = seen.at;
        let server = refusal.server;
        let of = match limit {
            Limit::Role(name) => Some((Dimension::User, name)),
            Limit::Database(name) => Some((Dimension::Database, name)),
            Limit::Server | Limit::Walsenders => None,
        };
        if let Some((dimension, name)) = of {
            let key = (server, dimension, name);
            if self.attempts.len() < LIMITS_MAX || self.attempts.contains_key(&key) {
                self.attempts.entry(key).or_default().refused += 1;
            }
        }
        let key = (server, limit);
        if self.limits.len() >= LIMITS_MAX && !self.limits.contains_key(&key) {
            return;
        }
        let open = self.server(server).open;
        let stretches = self.limits.entry(key).or_default();
        let goes_on = stretches.len() >= STRETCHES_MAX;
        let last = stretches.last_mut();
        match last.filter(|last| goes_on || at.since(last.until) <= QUIET_MS) {
            Some(last) => last.refused(refusal, at),
            None => {
                let mut stretch = Stretch::new(seen, open, groups, server);
                stretch.refused(refusal, at);
                stretches.push(stretch);
            }
        }
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        self.settle(judge.groups);
        for (&(server, limit), stretches) in &self.limits {
            let worst = stretches.iter().max_by_key(|stretch| stretch.connections);
            if let Some(worst) = worst {
                found.push(self.full(judge, server, limit, stretches, worst));
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

    fn full(
        &self,
        judge: &Judge<'_>,
        server: ServerId,
        limit: Limit,
        stretches: &[Stretch],
        worst: &Stretch,
    ) -> Finding {
        let names = judge.known.names;
        let text = |dimension, name| names.text_of(dimension, name);
        let connections: u64 = stretches.iter().map(|stretch| stretch.connections).sum();
        let attempts: u64 = stretches.iter().map(|stretch| stretch.attempts).sum();
        let mut who = Who::default();
        let (what, severity, test, advice) = match limit {
            Limit::Server => {
                let first = blamed(&worst.applications);
                who.application_name =
                    first.map(|held| text(Dimension::ApplicationName, held.name).into());
                (
                    Sentence::from("no connection was left"),
                    Severity::Critical,
                    Sentence::from(
                        "the server itself refused clients with SQLSTATE 53300 for all its connections",
                    ),
                    server_advice(),
                )
            }
            Limit::Role(name) => {
                let user = text(Dimension::User, name);
                who.user = Some(user.into());
                let (severity, test) = self.throttles(server, Dimension::User, name);
                let what = Sentence::from("the connection limit of role ").name(user);
                let advice = Sentence::from("ALTER ROLE ").name(user);
                (
                    what.text(" was reached"),
                    severity,
                    test,
                    advice.text(" CONNECTION LIMIT n, if it is not meant to throttle"),
                )
            }
            Limit::Database(name) => {
                let database = text(Dimension::Database, name);
                who.database = Some(database.into());
                let (severity, test) = self.throttles(server, Dimension::Database, name);
                let what = Sentence::from("the connection limit of database ").name(database);
                let advice = Sentence::from("ALTER DATABASE ").name(database);
                (
                    what.text(" was reached"),
                    severity,
                    test,
                    advice.text(" CONNECTION LIMIT n, if it is not meant to throttle"),
                )
            }
            Limit::Walsenders => (
                Sentence::from("no walsender was left"),
                Severity::Warning,
                Sentence::from("replication connections were refused with SQLSTATE 53300"),
                Sentence::from(
                    "raise max_wal_senders (it needs a restart), or find standbys and backups that reconnect without end",
                ),
            ),
        };
        let mut said = what
            .text(": ")
            .counted(worst.connections, "connection", "connections")
            .text(" refused");
        if stretches.len() > 1 {
            said = said
                .text(", ")
                .count(connections)
                .text(" in ")
                .count(stretches.len() as u64)
                .text(" stretches");
        }
        let ranking = |dimension, held: &[Held]| {
            let rows = held.iter();
            let rows = rows.map(|held| {
                (
                    Box::from(text(dimension, held.name)),
                    held.open.max(0) as u64,
                )
            });
            Figure::Ranking(rows.collect())
        };
        let mut figures = vec![
            ("connections", Figure::Count(connections)),
            ("attempts", Figure::Count(attempts)),
            ("stretches", Figure::Count(stretches.len() as u64)),
            ("worst_connections", Figure::Count(worst.connections)),
        ];
        if limit == Limit::Server {
            said = said.then(held(&worst.applications, judge));
            if let Some(max) = judge.known.connections_max {
                figures.push(("max_connections", Figure::Count(max.into())));
                let missing = u64::from(max).saturating_sub(worst.open);
                if missing > 0 && judge.is_exact(server, worst.since, worst.since) {
                    said = said
                        .text("; ")
                        .count(missing)
                        .text(" of ")
                        .count(max.into())
                        .text(" were reserved, walsenders or not yet authenticated");
                }
            }
            figures.extend([
                ("open", Figure::Count(worst.open)),
                (
                    "application_name",
                    ranking(Dimension::ApplicationName, &worst.applications),
                ),
                ("user", ranking(Dimension::User, &worst.users)),
                ("client_host", ranking(Dimension::ClientHost, &worst.hosts)),
            ]);
        }
        let mut reasons: Vec<_> = worst.reasons.iter().collect();
        reasons.sort_by_key(|&(reason, n)| (std::cmp::Reverse(*n), *reason));
        if let Some((reason, _)) = reasons.first() {
            figures.push(("reason", Figure::Word(reason.as_str())));
        }
        Finding {
            kind: Kind::Saturation,
            severity,
            server,
            since: worst.since,
            until: worst.until,
            who,
            said,
            figures,
            test,
            advice,
            command: vec![
                Argument::Word("sessions"),
                Argument::Word("--open"),
                Argument::At("--at", worst.since),
            ],
        }
    }

    /// Whether a limit of a role or database does more than throttle.
    fn throttles(
        &self,
        server: ServerId,
        dimension: Dimension,
        name: NameId,
    ) -> (Severity, Sentence) {
        let worst = self.attempts.get(&(server, dimension, name));
        let worst = worst.and_then(|attempts| attempts.worst);
        let percent = REFUSED_SHARE * 100.0;
        match worst.filter(|&(share, all, _)| share > REFUSED_SHARE && all >= ATTEMPTS_MIN) {
            Some((share, all, at)) => (
                Severity::Warning,
                Sentence::from("it turned away ")
                    .text(format!("{:.0} % of ", share * 100.0))
                    .count(all)
                    .text(" attempts in the ten minutes from ")
                    .at(at)
                    .text(format!(
                        "; up to {percent:.0} % it is taken for a wanted throttle"
                    )),
            ),
            None => (
                Severity::Info,
                Sentence::from("").text(format!(
                    "it never turned away more than {percent:.0} % of {ATTEMPTS_MIN} attempts or more in ten minutes, so it is taken for a wanted throttle"
                )),
            ),
        }
    }
}

/// Who to look at: who had grown the most, if that was by some of all connections; else who held the most.
fn blamed(applications: &[Held]) -> Option<&Held> {
    grown(applications).or(applications.first())
}

fn grown(applications: &[Held]) -> Option<&Held> {
    let all: i64 = applications.iter().map(|held| held.open).sum();
    let grown = applications.iter().max_by_key(|held| held.grown);
    grown.filter(|held| held.grown as f64 >= GROWN_SHARE * all as f64 && held.grown > 1)
}

/// `; checkout had grown by 35 in 3 min 0 s; the connections were held by checkout 41, api 20`
fn held(applications: &[Held], judge: &Judge<'_>) -> Sentence {
    let names = judge.known.names;
    let mut said = Sentence::default();
    if let Some(grown) = grown(applications) {
        let name = names.text_of(Dimension::ApplicationName, grown.name);
        said = said.text("; ").name(name).text(" had grown by ");
        said = said.count(grown.grown as u64).text(" in ").ms(GROWTH_MS);
    }
    for (i, held) in applications.iter().take(3).enumerate() {
        let name = names.text_of(Dimension::ApplicationName, held.name);
        said = said
            .text(if i == 0 {
                "; the connections were held by "
            } else {
                ", "
            })
            .name(name)
            .text(" ")
            .count(held.open.max(0) as u64);
    }
    said
}

fn server_advice() -> Sentence {
    Sentence::from(
        "bound the pool of who grew, and put a pooler before the server; idle sessions go with idle_session_timeout (14 and later), those in a transaction with idle_in_transaction_session_timeout; only then raise max_connections (it needs a restart)",
    )
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
    fn new(seen: &Seen<'_>, open: i64, groups: &Groups, server: ServerId) -> Stretch {
        let held = |dimension| {
            let mut held = groups.held(server, dimension, seen.tick);
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
            open: open.max(0) as u64,
            reasons: FxHashMap::default(),
            applications: held(Dimension::ApplicationName),
            users: held(Dimension::User),
            hosts: held(Dimension::ClientHost),
        }
    }

    fn refused(&mut self, refusal: &Refusal, at: Instant) {
        self.until = self.until.max(at);
        self.connections += 1;
        self.attempts += u64::from(!refusal.is_retry);
        *self.reasons.entry(refusal.reason).or_default() += 1;
    }
}

impl Peaks {
    fn observe(&mut self, at: Instant, open: i64) {
        if at >= self.until {
            let first = *self.first.get_or_insert(at);
            let day = (at.since(first) / DAY_MS).min(DAYS_MAX as i64) as usize;
            self.days.resize(day + 1, 0);
            self.until = first.plus_ms((day as i64 + 1) * DAY_MS);
        }
        // What comes late is of the day that goes on.
        if let Some(peak) = self.days.last_mut() {
            *peak = (*peak).max(open);
        }
    }

    /// No client was refused yet, but day after day there is less room.
    fn verdict(&self, judge: &Judge<'_>, server: ServerId) -> Option<Finding> {
        let max = judge.known.connections_max?;
        let first = self.first?;
        let last = judge.known.span.1;
        // A day that is not over has not had its peak.
        let whole = (last.since(first) / DAY_MS).max(0) as usize;
        let days = &self.days[..whole.min(self.days.len())];
        let rising = days.len().checked_sub(RISING_DAYS + 1)?;
        let rising = &days[rising..];
        let peak = *rising.last()?;
        let is_near = peak as f64 >= NEAR * f64::from(max);
        let since = first.plus_ms((days.len() - RISING_DAYS) as i64 * DAY_MS);
        if !is_near || !rising.is_sorted_by(|a, b| a < b) || !judge.is_exact(server, since, last) {
            return None;
        }
        Some(Finding {
            kind: Kind::Saturation,
            severity: Severity::Warning,
            server,
            since,
            until: last,
            who: Who::default(),
            said: Sentence::from("the daily peak rises and has reached ")
                .count(peak as u64)
                .text(" of ")
                .count(max.into())
                .text(" connections; nobody was refused yet"),
            figures: vec![
                ("peak", Figure::Count(peak as u64)),
                ("max_connections", Figure::Count(max.into())),
                ("first_peak", Figure::Count(rising[0].max(0) as u64)),
            ],
            test: Sentence::from("").text(format!(
                "each of the last {RISING_DAYS} daily peaks is higher than the one before, and the last is {:.0} % of max_connections or more",
                NEAR * 100.0
            )),
            advice: server_advice(),
            command: vec![Argument::Word("history"), Argument::At("--since", since)],
        })
    }
}
