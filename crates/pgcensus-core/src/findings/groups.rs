//! Groups: who comes and goes, by server, database, application, user and client host together.

use rustc_hash::FxHashMap;

use super::finding::{Argument, Who};
use super::tally::Tally;
use super::{Seen, TICK_MS, tick};
use crate::change::What;
pub(super) use crate::groups::{GroupId, Key};
use crate::names::{Dimension, NameId, Names};
use crate::session::{ServerId, Session};

/// How far back it is known what had grown.
pub(super) const GROWTH_MS: i64 = 180_000;

/// Ticks in which that is kept, the one that goes on among them.
const TICKS: usize = (GROWTH_MS / TICK_MS) as usize + 1;

/// All groups.
pub(super) struct Groups {
    /// By [`GroupId`]; the first is that of the rest.
    groups: Vec<Group>,
    /// They are counted, and nobody is told who they are.
    pub(super) are_hidden: bool,
}

/// What every test may ask of a group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    has_come: bool,
    /// Sessions that were seen to open.
    pub(super) connects: u64,
    /// Open now, of those that were seen to open.
    pub(super) open: i64,
    /// The number of the last tick, and what came and went in it.
    tick: i64,
    now: i32,
    /// The same of those before it.
    ticks: [i32; TICKS],
}

impl Default for Groups {
    fn default() -> Self {
        Groups {
            groups: vec![Group::new(NOBODY)],
            are_hidden: false,
        }
    }
}

/// Of sessions that have no group, and of groups that have not come yet.
const NOBODY: Key = Key {
    server: ServerId(0),
    database: NameId::OTHER,
    application_name: NameId::OTHER,
    user: NameId::OTHER,
    client_host: NameId::OTHER,
};

impl Groups {
    /// Takes in a change that is in no tally.
    pub(super) fn observe(&mut self, seen: &Seen<'_>) {
        let group = &mut self.groups[seen.group.index()];
        match seen.what {
            What::Opened(_) => {
                group.connects += 1;
                group.add(seen.tick(), 1);
            }
            What::TakenBack(_) => {
                group.connects = group.connects.saturating_sub(1);
                group.add(seen.tick(), -1);
            }
            // Those that nobody saw come have not been counted.
            What::Closed(session) if session.was_seen_to_open() => group.add(seen.tick(), -1),
            _ => {}
        }
    }

    /// What the tally of a group has.
    pub(super) fn add(&mut self, id: GroupId, tally: &Tally) {
        let group = &mut self.groups[id.index()];
        group.connects += u64::from(tally.opened);
        let net = i64::from(tally.opened) - i64::from(tally.ended.sessions);
        group.add(tick(tally.at), net as i32);
    }

    /// The group of a session.
    #[inline]
    pub(super) fn of(&mut self, session: &Session) -> GroupId {
        let group = self.groups.get(session.group.index());
        if group.is_none_or(|group| !group.has_come) {
            self.comes(session);
        }
        session.group
    }

    /// The first of a group comes.
    #[cold]
    fn comes(&mut self, session: &Session) {
        let id = session.group;
        if id == GroupId::REST {
            return;
        }
        if id.index() >= self.groups.len() {
            self.groups.resize(id.index() + 1, Group::new(NOBODY));
        }
        let key = if self.are_hidden {
            Key {
                server: session.server,
                ..NOBODY
            }
        } else {
            Key::of(session)
        };
        self.groups[id.index()] = Group {
            has_come: true,
            ..Group::new(key)
        };
    }

    /// One of them; that of [`GroupId::REST`] is nobody in particular.
    #[inline]
    pub(super) fn get(&self, id: GroupId) -> &Group {
        &self.groups[id.index()]
    }

    /// All that have come but the rest, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        let numbered = (0..).map(GroupId).zip(&self.groups);
        numbered.filter(|(_, group)| group.has_come)
    }
}

/// How many of each name of this dimension are open now on a server, and how many more than [`GROWTH_MS`] ago, the
/// most first.
pub(super) fn held(
    groups: [&Groups; 2],
    server: ServerId,
    dimension: Dimension,
    tick: i64,
) -> Vec<Held> {
    let mut by: FxHashMap<NameId, Held> = FxHashMap::default();
    let groups = groups.into_iter().flat_map(Groups::iter);
    for (_, group) in groups.filter(|(_, group)| group.key.server == server) {
        if group.open > 0 {
            let name = group.key.name(dimension);
            let held = by.entry(name).or_insert(Held {
                name,
                open: 0,
                grown: 0,
            });
            held.open += group.open;
            held.grown += group.grown(tick);
        }
    }
    let mut held: Vec<Held> = by.into_values().collect();
    held.sort_by_key(|held| (std::cmp::Reverse(held.open), held.name));
    held
}

impl Who {
    /// The flags of pgcensus that keep to it.
    pub(super) fn flags(&self) -> impl Iterator<Item = Argument> {
        let names = [
            ("--app", &self.application_name),
            ("--user", &self.user),
            ("--db", &self.database),
            ("--host", &self.client_host),
        ];
        let known = names.into_iter();
        known.filter_map(|(flag, name)| Some(Argument::Named(flag, name.clone()?)))
    }
}

/// What a name held at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) name: NameId,
    /// Sessions.
    pub(super) open: i64,
    /// Of them, how many more than [`GROWTH_MS`] before.
    pub(super) grown: i64,
}

impl Key {
    /// Its application, which is its user where the log has no application name.
    pub(super) fn application(self) -> (ServerId, NameId, NameId) {
        match self.application_name {
            NameId::ABSENT => (self.server, NameId::ABSENT, self.user),
            name => (self.server, name, NameId::ABSENT),
        }
    }

    /// All that is known of it, for a finding.
    pub(super) fn who(self, names: &Names) -> Who {
        Who {
            application_name: self.text(Dimension::ApplicationName, names),
            user: self.text(Dimension::User, names),
            database: None,
            client_host: self.text(Dimension::ClientHost, names),
        }
    }

    /// Its text in this dimension; `None` where it has none.
    pub(super) fn text(self, dimension: Dimension, names: &Names) -> Option<Box<[u8]>> {
        let name = self.name(dimension);
        (name != NameId::ABSENT).then(|| names.text_of(dimension, name).into())
    }
}

impl Group {
    fn new(key: Key) -> Group {
        Group {
            key,
            has_come: false,
            connects: 0,
            open: 0,
            tick: i64::MIN,
            now: 0,
            ticks: [0; TICKS],
        }
    }

    fn add(&mut self, tick: i64, n: i32) {
        self.open += i64::from(n);
        if tick == self.tick {
            self.now += n;
        } else if tick > self.tick {
            self.reach(tick);
            self.now = n;
        } else if self.tick.saturating_sub(tick) < TICKS as i64 {
            // What comes late counts in its tick as long as that is kept.
            self.ticks[place(tick)] += n;
        }
    }

    #[cold]
    fn reach(&mut self, tick: i64) {
        if let Some(last) = (self.tick != i64::MIN).then(|| place(self.tick)) {
            self.ticks[last] = self.now;
        }
        let by = tick.saturating_sub(self.tick).min(TICKS as i64);
        (0..by).for_each(|skipped| self.ticks[place(tick.saturating_sub(skipped))] = 0);
        self.tick = tick;
    }

    /// How many more there are now than [`GROWTH_MS`] before this tick.
    fn grown(&self, tick: i64) -> i64 {
        let oldest = tick.saturating_sub(TICKS as i64 - 1);
        let kept = self.tick.saturating_sub(TICKS as i64 - 1);
        let before = oldest.max(kept)..self.tick.min(tick + 1);
        let before: i64 = before.map(|tick| i64::from(self.ticks[place(tick)])).sum();
        let is_kept = (oldest..=tick).contains(&self.tick);
        before + if is_kept { i64::from(self.now) } else { 0 }
    }
}

/// Where what came in a tick is kept.
fn place(tick: i64) -> usize {
    tick.rem_euclid(TICKS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_the_last_three_minutes() {
        let mut group = Group::new(NOBODY);
        for (tick, n) in [(100, 5), (100, 1), (110, 2), (117, -1), (118, 3), (112, 1)] {
            group.add(tick, n);
        }
        assert_eq!(group.open, 11);
        for (tick, grown) in [
            (118, 11),
            (119, 5),
            (128, 5),
            (129, 3),
            (130, 3),
            (131, 2),
            (136, 3),
            (137, 0),
            (500, 0),
        ] {
            assert_eq!(group.grown(tick), grown, "{tick}");
        }
    }
}
