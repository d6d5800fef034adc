//! Leak: an application or a client host whose open sessions only grow.
//!
//! How this works: each group has a [`Series`]; those of an application (of all its users and hosts) and those of a host are
//! added up when the log or a life of the server ends, and every stretch up to there is looked at, the longest first
//! (`leak/growth.rs`). Each quarter of it must have grown, and by sessions that are still open: so
//! a pool that warms up (no growth in the last quarter), one that replaces its sessions, and traffic that
//! rises (what grew ended long ago) are told apart, and an application that leaks among many short sessions
//! is found all the same. Growth by clients that came later than the middle is a fleet that scales; growth that earlier
//! days had at the same hour is a morning.

mod families;
mod growth;
mod morning;
mod said;
mod together;

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use super::alike::ALONE_MAX;
use super::groups::{GroupId, Groups};
use super::series::{SLOT_MS, Series, Slot, blocks, slot};
use super::tally::Tally;
use super::{Judge, SESSIONS_MIN, Seen};
use crate::change::What;
use crate::findings::Finding;
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::{End, RefusalReason, ServerId};

/// No shorter stretch is a leak: within two hours a pool has warmed up, and a batch is over.
const STRETCH_MS: i64 = 2 * 3_600_000;

/// Sessions that were added: fewer are a pool that found its size.
const NET_MIN: i64 = 10;

/// A host's growth is told by itself where the applications that leak do not explain this share of it.
const EXPLAINED_SHARE: f64 = 0.5;

/// Stretches kept at most: a server that goes down so often has other troubles.
const GROWTHS_MAX: usize = 1_000;

/// The fold.
#[derive(Default)]
pub(super) struct Leak {
    clock: Clock,
    /// By [`GroupId`].
    series: Vec<Series>,
    /// By [`ServerId`].
    lives: Vec<Life>,
    /// What had grown when a life ended or no more could come.
    grown: Vec<Growth>,
    /// Of groups that are too small by themselves, when lives ended.
    small: VecDeque<families::Small>,
}

/// From one server event to the next.
#[derive(Default)]
struct Life {
    /// When the server last came up or went down, else its first session.
    begin: Option<Instant>,
    /// When the first of its lives did: the log of another server may begin days before.
    first: Option<Instant>,
    /// When it was last looked at because clients were refused.
    full: Option<Instant>,
}

/// What ended the growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Nothing: the log ends.
    Not,
    /// The server went down.
    Down,
    /// The server had no connection left.
    Full,
    /// A role or database had none.
    Limit,
}

/// Whose sessions are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Application(NameId),
    /// Applications whose names differ by numbers; the number of the family.
    Family(u32),
    /// Where the log has no application name.
    User(NameId),
    ClientHost(NameId),
}

/// Sessions that grew up to an instant.
struct Growth {
    server: ServerId,
    whose: Whose,
    /// The name of a [`Whose::Family`]: `job-#`.
    family: Option<Box<[u8]>>,
    since: Instant,
    until: Instant,
    stop: Stop,
    /// When the life began in which it grew.
    life: Instant,
    figures: growth::Figures,
    /// All sessions of the server then.
    server_open: i64,
    /// What each group added.
    by: Vec<(GroupId, i64)>,
    /// How many sessions others opened in its first half and in its second, where they were more and more and it may be why.
    traffic: Option<[u64; 2]>,
}

/// Which slot it is.
struct Clock {
    /// The first change.
    first: Option<Instant>,
    slot: u32,
    begin: Instant,
    end: Instant,
}

impl Leak {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        match seen.what {
            What::Closed(session) if session.was_seen_to_open() => {
                if session.end == Some(End::Server) {
                    self.life_ends(session.server, seen.at, groups);
                }
                let now = self.clock.reach(seen.at);
                let opened = self.clock.slot_of(session.opened_at());
                let series = self.series(seen.group, session.server, seen.at);
                series.closed(now, opened);
            }
            What::TakenBack(session) => {
                let now = self.clock.reach(seen.at);
                let opened = self.clock.slot_of(session.opened_at());
                let series = self.series(seen.group, session.server, seen.at);
                series.taken_back(now, opened);
            }
            What::Refused(refusal) => {
                if let Some(stop) = Stop::of(refusal.reason) {
                    self.is_full(refusal.server, stop, seen.at, groups);
                }
            }
            What::Server(server, ..) => self.life_ends(*server, seen.at, groups),
            What::Opened(_) | What::Closed(_) | What::Probe(_) => {}
        }
    }

    /// Ordinary sessions that opened in the slot that goes on, or opened and ended in it.
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally) {
        let now = self.clock.reach(tally.at);
        let first_ms = tally.first.since(self.clock.begin);
        let series = self.series(group, tally.server, tally.at);
        series.add(now, tally.opened, tally.passed, first_ms);
    }

    /// Goes on to an instant; when the slot is over in which it lies.
    pub(super) fn reach(&mut self, at: Instant) -> Instant {
        self.clock.reach(at);
        self.clock.end
    }

    /// What opened then belongs to the slot that goes on.
    #[inline]
    pub(super) fn is_of_slot(&self, opened: Instant) -> bool {
        opened >= self.clock.begin
    }

    #[inline]
    fn series(&mut self, group: GroupId, server: ServerId, at: Instant) -> &mut Series {
        let id = group.0 as usize;
        if id >= self.series.len() {
            // The first session of a server is that of a new group.
            let life = self.life(server);
            life.begin.get_or_insert(at);
            life.first.get_or_insert(at);
            self.series.resize_with(id + 1, Series::default);
        }
        &mut self.series[id]
    }

    fn life(&mut self, server: ServerId) -> &mut Life {
        let server = usize::from(server.0);
        if server >= self.lives.len() {
            self.lives.resize_with(server + 1, Life::default);
        }
        &mut self.lives[server]
    }

    /// The server comes up or goes down: before it says so or afterwards, all sessions end.
    fn life_ends(&mut self, server: ServerId, at: Instant, groups: &Groups) {
        self.judge(server, at, Stop::Down, groups);
        *self.life(server) = Life {
            begin: Some(at),
            first: self.life(server).first.or(Some(at)),
            full: None,
        };
    }

    /// No more can come: what grew until now may not grow any more.
    fn is_full(&mut self, server: ServerId, stop: Stop, at: Instant, groups: &Groups) {
        let life = self.life(server);
        // Looked at once in a while, and not at each refusal.
        if life.full.is_some_and(|full| at.since(full) < STRETCH_MS) {
            return;
        }
        life.full = Some(at);
        self.judge(server, at, stop, groups);
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        let last = judge.known.span.1;
        for server in 0..self.lives.len() {
            self.judge(ServerId(server as u16), last, Stop::Not, judge.groups);
        }
        let mut grown = std::mem::take(&mut self.grown);
        grown.extend(self.families(judge.known.names));
        grown.retain(|growth| growth.is_sure(judge));
        self.look_at_traffic(judge, &mut grown);
        let mut told: BTreeMap<(ServerId, Whose), (&Growth, u64)> = BTreeMap::new();
        for growth in &grown {
            // The last one of each is told, with the number of lives in which it grew.
            let of = (growth.server, growth.whose);
            let (last, times) = told.entry(of).or_insert((growth, 1));
            *times += u64::from(last.life != growth.life);
            *last = growth;
        }
        let told: Vec<(&Growth, u64)> = told.into_values().collect();
        let mut hosts: BTreeMap<(ServerId, NameId), Vec<(&Growth, u64)>> = BTreeMap::new();
        for &(growth, times) in &told {
            match growth.most(judge, Dimension::ClientHost) {
                Some(host) if !matches!(growth.whose, Whose::ClientHost(_)) => {
                    let of = hosts.entry((growth.server, host)).or_default();
                    of.push((growth, times));
                }
                _ if growth.is_explained(&told) => {}
                _ => found.push(growth.told(judge, times)),
            }
        }
        for ((_, host), growths) in hosts {
            if growths.len() > ALONE_MAX {
                found.push(together::told(judge, host, &growths));
            } else {
                found.extend(growths.iter().map(|(growth, n)| growth.told(judge, *n)));
            }
        }
    }

    /// Keeps what has grown on a server up to now.
    fn judge(&mut self, server: ServerId, until: Instant, stop: Stop, groups: &Groups) {
        if let Some((life, slots, now)) = self.life_up_to(server, until) {
            self.keep_small(groups, (server, until, stop), life, (slots, now));
        }
        if self.grown.len() < GROWTHS_MAX {
            let grown = self.grown(server, until, stop, groups);
            self.grown.extend(grown);
        }
    }

    /// When the life of a server began that goes on, its slots, and the last one that there is; `None`: it is too short for a leak.
    fn life_up_to(
        &self,
        server: ServerId,
        until: Instant,
    ) -> Option<(Instant, growth::Slots, u32)> {
        let life = self.lives.get(usize::from(server.0))?;
        let (first, since, server_first) = (self.clock.first?, life.begin?, life.first?);
        let slot = |at: Instant| slot(at.since(first));
        let slots = growth::Slots {
            zero: first,
            first: slot(server_first),
            since: slot(since),
            now: slot(until),
        };
        let is_long = until.since(since) >= STRETCH_MS;
        is_long.then_some((since, slots, slots.now.max(self.clock.slot)))
    }

    /// When a growth began.
    fn since(&self, figures: &growth::Figures) -> Option<Instant> {
        let first = self.clock.first?;
        Some(first.plus_ms(figures.first_ms))
    }

    fn grown(&self, server: ServerId, until: Instant, stop: Stop, groups: &Groups) -> Vec<Growth> {
        let Some((life, slots, now)) = self.life_up_to(server, until) else {
            return Vec::new();
        };
        let empty = blocks(now);
        let mut whose: BTreeMap<Whose, Vec<GroupId>> = BTreeMap::new();
        let mut server_open = 0;
        for (id, group) in groups
            .iter()
            .filter(|(_, group)| group.key.server == server)
        {
            server_open += group.open;
            let (_, application, user) = group.key.application();
            let of = match application {
                NameId::ABSENT => Whose::User(user),
                name => Whose::Application(name),
            };
            whose.entry(of).or_default().push(id);
            if group.key.client_host != NameId::ABSENT {
                let host = Whose::ClientHost(group.key.client_host);
                whose.entry(host).or_default().push(id);
            }
        }
        let mut grown: Vec<Growth> = Vec::new();
        // Hosts come last: what applications explain of them is known then.
        for (whose, ids) in whose {
            let connects: u64 = ids.iter().map(|&id| groups.get(id).connects).sum();
            if connects < NET_MIN as u64 {
                continue;
            }
            let series: Vec<&[Slot]> = ids.iter().map(|&id| self.slots(id)).collect();
            let Some(figures) = growth::of(&series, empty.clone(), slots) else {
                continue;
            };
            let by: Vec<(GroupId, i64)> = ids.into_iter().zip(figures.by.iter().copied()).collect();
            let is_explained = |id: &GroupId| {
                let mut by = grown.iter().flat_map(|growth| &growth.by);
                by.any(|(of, _)| of == id)
            };
            let explained: i64 = by
                .iter()
                .filter(|(id, _)| is_explained(id))
                .map(|by| by.1)
                .sum();
            if explained as f64 >= EXPLAINED_SHARE * figures.net() as f64 {
                continue;
            }
            grown.push(Growth {
                server,
                whose,
                family: None,
                since: self.since(&figures).map_or(life, |begin| begin.max(life)),
                until,
                stop,
                life,
                figures,
                server_open,
                by,
                traffic: None,
            });
        }
        grown
    }

    fn slots(&self, id: GroupId) -> &[Slot] {
        let series = self.series.get(id.0 as usize);
        series.map_or(&[], Series::slots)
    }
}

impl Stop {
    fn of(reason: RefusalReason) -> Option<Stop> {
        match reason {
            RefusalReason::TooManyClients | RefusalReason::SlotsReserved => Some(Stop::Full),
            RefusalReason::RoleLimit | RefusalReason::DatabaseLimit => Some(Stop::Limit),
            _ => None,
        }
    }
}

impl Growth {
    /// Its name.
    fn name<'n>(&'n self, names: &'n Names) -> &'n [u8] {
        match self.whose {
            Whose::Application(name) => names.text_of(Dimension::ApplicationName, name),
            Whose::User(name) => names.text_of(Dimension::User, name),
            Whose::ClientHost(name) => names.text_of(Dimension::ClientHost, name),
            Whose::Family(_) => self.family.as_deref().unwrap_or_default(),
        }
    }

    /// Families are known when all else is: what they explain of a host is not told of it.
    fn is_explained(&self, told: &[(&Growth, u64)]) -> bool {
        let same = |of: &&&Growth| of.family.is_some() && of.until == self.until;
        let families = told.iter().map(|(growth, _)| growth).filter(same);
        let ids: FxHashSet<GroupId> = families.flat_map(|of| &of.by).map(|by| by.0).collect();
        let explained = self.by.iter().filter(|(id, _)| ids.contains(id));
        let explained: i64 = explained.map(|by| by.1).sum();
        explained as f64 >= EXPLAINED_SHARE * self.figures.net() as f64
    }

    /// Whoever added more than half.
    fn most(&self, judge: &Judge<'_>, dimension: Dimension) -> Option<NameId> {
        let mut by: FxHashMap<NameId, i64> = FxHashMap::default();
        for &(id, added) in &self.by {
            let name = judge.groups.get(id).key.name(dimension);
            *by.entry(name).or_default() += added;
        }
        let mut by = by.into_iter();
        let most = by.find(|(_, added)| 2 * added > self.figures.net())?.0;
        (most != NameId::ABSENT).then_some(most)
    }

    /// All that a verdict needs besides.
    fn is_sure(&self, judge: &Judge<'_>) -> bool {
        let noise: i64 = self
            .by
            .iter()
            .filter(|(id, _)| judge.is_noise(*id))
            .map(|by| by.1)
            .sum();
        judge.has_log()
            && judge.connects(self.server) >= SESSIONS_MIN
            && 2 * noise < self.figures.net()
            && judge.is_exact(self.server, self.since, self.last())
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            first: None,
            slot: 0,
            begin: Instant::UNKNOWN,
            end: Instant::UNKNOWN,
        }
    }
}

impl Clock {
    /// The slot of a change that comes now.
    #[inline]
    fn reach(&mut self, at: Instant) -> u32 {
        if at >= self.end {
            let first = *self.first.get_or_insert(at);
            self.slot = slot(at.since(first));
            self.begin = first.plus_ms(i64::from(self.slot) * SLOT_MS);
            self.end = self.begin.plus_ms(SLOT_MS);
        }
        self.slot
    }

    /// The slot of one that came before; `None`: before all.
    #[inline]
    fn slot_of(&self, at: Option<Instant>) -> Option<u32> {
        let at = at?;
        if at >= self.begin {
            return Some(self.slot);
        }
        let before = at.since(self.first?);
        (before >= 0).then(|| slot(before))
    }
}
