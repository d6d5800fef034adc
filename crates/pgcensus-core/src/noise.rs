//! Noise: health checks, exporters, poolers' checks and operators, told by their rhythm.
//!
//! ```text
//! sessions of monitor@postgres, postgres_exporter, from 10.0.0.9: every 15.0 s, 5,760 times, 3 ms long
//! ```
//!
//! What belongs together is a [`Group`]: one server, application, user, database and client host, and either sessions that
//! ended, probes or refusals. A group is noise where it is short and in rhythm (`noise/rhythm.rs`) for long enough; a known name (`noise/known.rs`)
//! lowers what is asked for, and never decides alone. So a job that runs for minutes is none, nor are users of a web
//! application, who come when they like, nor a client that connects for each transaction, which comes too fast.
//!
//! Nothing is dropped: who folds shows a row for a group, and counts as ever. What tells of somebody at the door, or
//! of a server that is full, is never folded, whatever its rhythm: see [`may_fold`].

mod known;
mod lengths;
mod rhythm;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use pgcensus_log::record::Sqlstate;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::change::{Change, Probe, Refusal, What};
use crate::groups::GroupId;
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::{ProbeReason, RefusalReason, ServerId, Session};
use crate::window::Window;
use lengths::Lengths;
use rhythm::{Beat, Rhythm};

/// Groups that are followed at most. Past it those that have not been seen for an hour and have no rhythm are
/// forgotten; where that makes no room, further groups are not followed and never noise ([`Folded::unfollowed`]). A client can
/// invent an application for each connection; servers with more names than this that recur within an hour are not known.
pub const GROUPS_MAX: usize = 10_000;

/// See [`GROUPS_MAX`]: the slowest rhythm ([`rhythm::BEAT_MAX_MS`]) comes six times in an hour.
const FORGOTTEN_MS: i64 = 3_600_000;

/// A check asks for one row at most, which takes milliseconds: 1 s is one that has to wait.
const SHORT_MS: u64 = 1_000;

/// An exporter that is known by name may ask for more: its scrape is cut off after 10 s (the default `scrape_timeout` of Prometheus).
const BRIEF_MS: u64 = 10_000;

/// The share of a group that is short. Now and then a check waits for a server that is busy.
const SHORT_SHARE: f64 = 0.95;

/// What is asked of a group: how often it was seen, for how long, and how steady it is.
struct Bar {
    /// Times that it was seen.
    count: u64,
    /// From the first time to the last.
    span_ms: i64,
    /// The share of distances that are those of its rhythm.
    steady: f64,
}

/// Of groups whose names say nothing. Random arrivals keep to any rhythm in 15 % of their distances, so 70 % of 19 are no
/// chance; a checker that misses every seventh beat still reaches it, and so do two of which each misses every twelfth. Five minutes: who
/// waits for something (a migration, a server that starts) also asks once a second, but seldom for longer.
const UNNAMED: Bar = Bar {
    count: 20,
    span_ms: 300_000,
    steady: 0.7,
};

/// Of groups with a name that is [known](known): still three times what chance would give, for a minute.
const NAMED: Bar = Bar {
    count: 10,
    span_ms: 60_000,
    steady: 0.5,
};

/// Finds noise in the changes of a window, in one pass.
#[derive(Clone)]
pub struct Noise {
    window: Window,
    /// Those that are followed, found by their keys…
    followed: Vec<Followed>,
    places: FxHashMap<Key, u32>,
    /// …or, for sessions, by [`GroupId`]; [`NOWHERE`]: not yet.
    by_group: Vec<u32>,
    /// Connections of all groups, followed or not.
    total: u64,
    unfollowed: u64,
    /// When it was last looked for groups to forget.
    swept: Instant,
}

/// The place of a group that is not followed.
const NOWHERE: u32 = u32::MAX;

/// Who it is: connections that have all of this in common. Names that are not known are [`NameId::ABSENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// What it consists of.
    pub kind: Kind,
    /// Which server.
    pub server: ServerId,
    /// The application, as at `connection authorized`.
    pub application_name: NameId,
    /// The role.
    pub user: NameId,
    /// The database.
    pub database: NameId,
    /// The client's host, also where a session showed it only at its end.
    pub client_host: NameId,
}

/// What came of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sessions of clients that have ended.
    Sessions,
    /// Received, then nothing, for this reason.
    Probes(ProbeReason),
    /// Refused for this reason.
    Refusals(RefusalReason),
}

/// A group in three words, quick to look up and to compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u64, u64, u32);

/// What is known of a group.
#[derive(Clone)]
struct Followed {
    group: Group,
    key: Key,
    count: u64,
    short: u64,
    brief: u64,
    first: Instant,
    last: Instant,
    rhythm: Rhythm,
    /// From the second connection on: most groups of a client that invents names have one.
    lengths: Option<Box<Lengths>>,
}

/// The noise of a window.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// A row for each group that is noise, the largest first.
    pub rows: Vec<NoiseRow>,
    /// Connections of groups past [`GROUPS_MAX`], or with a name past those that are kept: whether they are noise is not known.
    pub unfollowed: u64,
    groups: FxHashSet<Group>,
}

/// One group that is noise.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseRow {
    /// Who.
    pub group: Group,
    /// Its names in the order of [`Dimension::NAMED`]; `unknown` where it has none.
    pub names: [Box<[u8]>; Dimension::NAMED.len()],
    /// So often…
    pub count: u64,
    /// …which is this share, 0 to 1, of all connections of the window that came to something: sessions that ended, probes and
    /// refusals.
    pub share: f64,
    /// Milliseconds from one to the next of a checker, within 1 %.
    pub period_ms: u64,
    /// So many come in a period: checkers in turn, such as two replicas of an exporter behind one address.
    pub checkers: u64,
    /// The median length of its sessions, within 7 %; `None` for what is no session.
    pub session_time_ms: Option<u64>,
    /// When the first began; one that was forgotten ([`GROUPS_MAX`]) begins anew.
    pub first: Instant,
    /// When the last began.
    pub last: Instant,
    /// The share of its distances that are those of its rhythm, 0 to 1.
    pub steady: f64,
    /// The name by which less rhythm is asked of it, where it needed that.
    pub known_as: Option<&'static str>,
}

impl Noise {
    /// Of what ends, is decided or refused in this window.
    pub fn new(window: Window) -> Noise {
        Noise {
            window,
            followed: Vec::new(),
            places: FxHashMap::default(),
            by_group: Vec::new(),
            total: 0,
            unfollowed: 0,
            swept: Instant::UNKNOWN,
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change. A log without times has no noise.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at.filter(|&at| self.window.contains(at)) else {
            return;
        };
        match &change.what {
            What::Closed(session) if !session.walsender => {
                self.total += 1;
                self.ended(session, at);
            }
            What::Probe(probe) => {
                self.total += 1;
                self.follow(Group::of_probe(probe), at, probe.received_at, Some(0));
            }
            What::Refused(refusal) => {
                self.total += 1;
                // The second connection of one attempt is no beat of its own.
                let started = refusal.received_at.unwrap_or(at);
                let started = Some(started).filter(|_| !refusal.is_retry);
                if let Some(group) = Group::of_refusal(refusal) {
                    self.follow(group, at, started, Some(0));
                }
            }
            _ => {}
        }
    }

    /// A session of a client ended.
    fn ended(&mut self, session: &Session, at: Instant) {
        let started = session.session_start.or(session.authorized_at);
        let ms = session.session_time_ms;
        // One that showed its host at the end has it here, and not in its group.
        let group = session.group;
        let has_group = group != GroupId::REST && !session.client_host_is_late;
        if has_group
            && let Some(&place) = self.by_group.get(group.index())
            && let Some(followed) = self.followed.get_mut(place as usize)
        {
            return followed.add(at, started, ms);
        }
        let place = self.follow(Group::of_session(session), at, started, ms);
        if let Some(place) = place.filter(|_| has_group) {
            if group.index() >= self.by_group.len() {
                self.by_group.resize(group.index() + 1, NOWHERE);
            }
            self.by_group[group.index()] = place;
        }
    }

    /// Adds a connection to those of its group; the place of that, if it is followed.
    fn follow(
        &mut self,
        group: Group,
        at: Instant,
        started: Option<Instant>,
        ms: Option<u64>,
    ) -> Option<u32> {
        let key = group.key();
        if let Some(&place) = self.places.get(&key) {
            self.followed[place as usize].add(at, started, ms);
            return Some(place);
        }
        if group.has_other() || !self.has_room(at) {
            self.unfollowed += 1;
            return None;
        }
        let place = self.followed.len() as u32;
        let mut followed = Followed::new(group, started.unwrap_or(at));
        followed.add(at, started, ms);
        self.places.insert(key, place);
        self.followed.push(followed);
        Some(place)
    }

    /// Room for one more group, if need be by forgetting some.
    fn has_room(&mut self, at: Instant) -> bool {
        if self.followed.len() >= GROUPS_MAX && at.since(self.swept) >= FORGOTTEN_MS {
            self.swept = at;
            self.followed.retain(|followed| {
                at.since(followed.last) < FORGOTTEN_MS || followed.is_steady(&NAMED)
            });
            let keys = self.followed.iter().map(|followed| followed.key);
            self.places = keys.zip(0..).collect();
            self.by_group.clear();
        }
        self.followed.len() < GROUPS_MAX
    }

    /// Which groups are noise, by all that was taken in so far.
    pub fn folded(&self, names: &Names) -> Folded {
        let mut rows: Vec<_> = self
            .followed
            .iter()
            .filter_map(|followed| self.row(followed, names))
            .collect();
        rows.sort_by_key(|row| (Reverse(row.count), row.first, row.group.rank()));
        Folded {
            groups: rows.iter().map(|row| row.group).collect(),
            rows,
            unfollowed: self.unfollowed,
        }
    }

    /// The row of a group, if it is noise.
    fn row(&self, followed: &Followed, names: &Names) -> Option<NoiseRow> {
        let group = followed.group;
        let unnamed = followed.beat(&UNNAMED, followed.short);
        let named = || {
            let known = known::name_of(group, names)?;
            Some((followed.beat(&NAMED, followed.brief)?, Some(known)))
        };
        let (beat, known_as) = unnamed.map(|beat| (beat, None)).or_else(named)?;
        let lengths = followed.lengths.as_ref();
        Some(NoiseRow {
            group,
            names: Dimension::NAMED
                .map(|dimension| names.text_of(dimension, group.name(dimension)).into()),
            count: followed.count,
            share: followed.count as f64 / self.total as f64,
            period_ms: beat.period_ms,
            checkers: beat.checkers,
            session_time_ms: lengths
                .filter(|_| group.kind == Kind::Sessions)
                .and_then(|lengths| lengths.median()),
            first: followed.first,
            last: followed.last,
            steady: beat.steady,
            known_as,
        })
    }
}

impl Folded {
    /// Whether this group is noise. What is never folded has no [`Group`].
    pub fn has(&self, group: &Group) -> bool {
        self.groups.contains(group)
    }
}

impl Followed {
    fn new(group: Group, first: Instant) -> Followed {
        Followed {
            group,
            key: group.key(),
            count: 0,
            short: 0,
            brief: 0,
            first,
            last: first,
            rhythm: Rhythm::new(group.kind),
            lengths: None,
        }
    }

    /// One more, that lasted for so long; `started` is `None` where it is no beat, `ms` where its end was not seen.
    fn add(&mut self, at: Instant, started: Option<Instant>, ms: Option<u64>) {
        self.count += 1;
        let Some(ms) = ms else { return };
        self.short += u64::from(ms < SHORT_MS);
        self.brief += u64::from(ms < BRIEF_MS);
        if let Some(started) = started.filter(|_| ms < BRIEF_MS) {
            self.first = self.first.min(started);
            self.last = self.last.max(started);
            if self.rhythm.is_fast(started) {
                return;
            }
            self.rhythm.add(started, at);
        }
        if self.count > 1 {
            self.lengths.get_or_insert_default().add(ms);
        }
    }

    /// Its rhythm, where it reaches the bar and so many of it were short.
    fn beat(&self, bar: &Bar, short: u64) -> Option<Beat> {
        let is_long_enough = self.count >= bar.count && self.last.since(self.first) >= bar.span_ms;
        let is_short = short as f64 >= self.count as f64 * SHORT_SHARE;
        if !is_long_enough || !is_short {
            return None;
        }
        self.rhythm.beat(bar.steady)
    }

    fn is_steady(&self, bar: &Bar) -> bool {
        self.count >= bar.count && self.rhythm.beat(bar.steady).is_some()
    }
}

impl Group {
    /// That of a session.
    pub fn of_session(session: &Session) -> Group {
        Group {
            kind: Kind::Sessions,
            server: session.server,
            application_name: NameId::of(session.application_name.as_ref()),
            user: NameId::of(session.user.as_ref()),
            database: NameId::of(session.database.as_ref()),
            client_host: NameId::of(session.client_host.as_ref()),
        }
    }

    /// That of a probe, which has nothing but a host.
    pub fn of_probe(probe: &Probe) -> Group {
        Group {
            kind: Kind::Probes(probe.reason),
            server: probe.server,
            application_name: NameId::ABSENT,
            user: NameId::ABSENT,
            database: NameId::ABSENT,
            client_host: NameId::of(probe.client_host.as_ref()),
        }
    }

    /// That of a refusal, if it [may be folded](may_fold).
    pub fn of_refusal(refusal: &Refusal) -> Option<Group> {
        may_fold(refusal.reason, refusal.sqlstate).then(|| Group {
            kind: Kind::Refusals(refusal.reason),
            server: refusal.server,
            application_name: NameId::of(refusal.application_name.as_ref()),
            user: NameId::of(refusal.user.as_ref()),
            database: NameId::of(refusal.database.as_ref()),
            client_host: NameId::of(refusal.client_host.as_ref()),
        })
    }

    /// Its name in a dimension.
    pub fn name(&self, dimension: Dimension) -> NameId {
        match dimension {
            Dimension::Database => self.database,
            Dimension::User => self.user,
            Dimension::ApplicationName => self.application_name,
            Dimension::ClientHost => self.client_host,
            Dimension::Server => self.server.into(),
        }
    }

    /// Some of its names are not kept: who it is cannot be told.
    fn has_other(&self) -> bool {
        let mut names = Dimension::NAMED.into_iter();
        names.any(|dimension| self.name(dimension) == NameId::OTHER)
    }

    fn key(&self) -> Key {
        let pair = |a: NameId, b: NameId| u64::from(a.0) << 32 | u64::from(b.0);
        Key(
            pair(self.application_name, self.user),
            pair(self.database, self.client_host),
            u32::from(self.kind.number()) << 16 | u32::from(self.server.0),
        )
    }

    /// An order without a meaning.
    fn rank(&self) -> (u16, [u32; 4], u16) {
        let names = Dimension::NAMED.map(|dimension| self.name(dimension).0);
        (self.kind.number(), names, self.server.0)
    }
}

impl Kind {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Sessions => "sessions",
            Kind::Probes(_) => "probes",
            Kind::Refusals(_) => "refusals",
        }
    }

    fn number(self) -> u16 {
        match self {
            Kind::Sessions => 0,
            Kind::Probes(reason) => 0x100 | reason as u16,
            Kind::Refusals(reason) => 0x200 | reason as u16,
        }
    }
}

/// Whether refusals for this reason may be a row: those that a check meets where the server is not ready, or its own database is
/// missing, or speaks no protocol. All others tell of somebody who may not come in (28P01 and 28000 among them: else guessing
/// every five seconds would pass for a check), or of a server without room, and each is shown.
pub fn may_fold(reason: RefusalReason, sqlstate: Option<Sqlstate>) -> bool {
    let is_of_checks = matches!(
        reason,
        RefusalReason::BadStartupPacket
            | RefusalReason::UnsupportedProtocol
            | RefusalReason::StartingUp
            | RefusalReason::NotAcceptingYet
            | RefusalReason::ShuttingDown
            | RefusalReason::InRecovery
            | RefusalReason::DatabaseUnknown
    );
    // Whatever its text: class 28, invalid authorization.
    is_of_checks && !sqlstate.is_some_and(|sqlstate| sqlstate.0.starts_with(b"28"))
}
