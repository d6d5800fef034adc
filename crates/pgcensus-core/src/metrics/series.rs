//! Series: counts by names, of which a client can make up as many as it likes.
//!
//! How this works. First come, first kept: a name that finds room keeps its series for good, so no counter ever falls or
//! moves. Where there is no room any more, it is counted in one that has fewer names, from its first appearance on; the last
//! of these has room for all.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId, Session};

/// Series of a family at most that have names of clients. Prometheus keeps each of them for weeks; a server that needs more
/// has names that nobody reads one by one.
pub const SERIES_MAX: usize = 1_000;

/// Whose a series is.
pub trait Key: Copy + Eq + Hash {
    /// The same with fewer names, where series with more of them find no room: at level 0 all, at 2, the last, those of which no
    /// client can make up any.
    #[must_use]
    fn at(self, level: usize) -> Self;

    /// It has `(other)` for a name: there was no room for it here, or [`Names`](crate::names::Names) had none.
    fn is_other(self) -> bool;
}

/// The level of series for which there always is room.
const REST: usize = 2;

/// The series of one family.
#[derive(Clone, Debug)]
pub struct Series<K, V> {
    by_key: FxHashMap<K, V>,
    /// How many there are of each level that is bounded.
    kept: [usize; REST],
}

impl<K, V> Default for Series<K, V> {
    fn default() -> Self {
        Series {
            by_key: FxHashMap::default(),
            kept: [0; REST],
        }
    }
}

impl<K: Key, V: Default> Series<K, V> {
    /// Where this one is counted, and whether that [is of others](Key::is_other).
    pub(super) fn of(&mut self, key: K) -> (&mut V, bool) {
        let (place, level) = self.place(key);
        if !self.by_key.contains_key(&place)
            && let Some(kept) = self.kept.get_mut(level)
        {
            *kept += 1;
        }
        (self.by_key.entry(place).or_default(), place.is_other())
    }

    /// Its key at the first level at which it is known or there is room. As levels stay full, that never changes.
    fn place(&self, key: K) -> (K, usize) {
        let levels = (0..REST).map(|level| (key.at(level), level));
        let mut open = levels
            .filter(|(key, level)| self.kept[*level] < SERIES_MAX || self.by_key.contains_key(key));
        open.next().unwrap_or((key.at(REST), REST))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.by_key.iter()
    }

    /// How many have all their names.
    pub fn kept(&self) -> usize {
        self.kept[0]
    }
}

/// Names of a session that its series has. The client's host is not among them: with it, series would multiply, and hosts of a
/// cluster come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The server.
    pub server: ServerId,
    /// The database.
    pub database: NameId,
    /// The role.
    pub user: NameId,
    /// The application.
    pub application_name: NameId,
}

impl SessionKey {
    pub(super) fn of(session: &Session) -> SessionKey {
        SessionKey {
            server: session.server,
            database: session.name(Dimension::Database),
            user: session.name(Dimension::User),
            application_name: session.name(Dimension::ApplicationName),
        }
    }
}

/// Any client can invent an application, so these are lost first; databases and roles are those that the server has.
impl Key for SessionKey {
    fn at(mut self, level: usize) -> SessionKey {
        if level > 0 {
            self.application_name = NameId::OTHER;
        }
        if level > 1 {
            (self.database, self.user) = (NameId::OTHER, NameId::OTHER);
        }
        self
    }

    fn is_other(self) -> bool {
        [self.database, self.user, self.application_name].contains(&NameId::OTHER)
    }
}

/// Names of a refused connection that its series has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefusalKey {
    /// The server.
    pub server: ServerId,
    /// Why.
    pub reason: RefusalReason,
    /// The role asked for.
    pub user: NameId,
    /// The database asked for.
    pub database: NameId,
    /// The client.
    pub client_host: NameId,
}

/// Who is refused has proved nothing: any name may be made up.
impl Key for RefusalKey {
    fn at(mut self, level: usize) -> RefusalKey {
        if level > 0 {
            self.user = NameId::OTHER;
            self.database = NameId::OTHER;
            self.client_host = NameId::OTHER;
        }
        self
    }

    fn is_other(self) -> bool {
        [self.user, self.database, self.client_host].contains(&NameId::OTHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: u32, application: u32) -> SessionKey {
        SessionKey {
            server: ServerId(0),
            database: NameId(7),
            user: NameId(user),
            application_name: NameId(application),
        }
    }

    /// Whatever came in between, a key is where it was.
    #[test]
    fn a_series_never_moves() {
        let mut series: Series<SessionKey, u64> = Series::default();
        let keys: Vec<_> = (0..5_000)
            .map(|n| key(2 + n % 1_700, 1 + n * n % 3_001))
            .collect();
        let first: Vec<_> = keys
            .iter()
            .map(|&key| {
                *series.of(key).0 += 1;
                series.place(key).0
            })
            .collect();
        let again: Vec<_> = keys.iter().map(|&key| series.place(key).0).collect();
        assert_eq!(first, again);
        assert_eq!(series.iter().map(|(_, n)| n).sum::<u64>(), 5_000);
    }

    #[test]
    fn invented_applications_leave_databases_and_roles_known() {
        let mut series: Series<SessionKey, u64> = Series::default();
        for n in 0..100_000 {
            *series.of(key(2 + n % 2, 10 + n)).0 += 1;
        }
        assert_eq!(series.kept(), SERIES_MAX);
        let other = |user| *series.by_key.get(&key(user, NameId::OTHER.0)).unwrap();
        assert_eq!((other(2), other(3)), (49_500, 49_500));
        assert_eq!(series.iter().count(), SERIES_MAX + 2);
    }

    #[test]
    fn invented_roles_are_bounded_too() {
        let mut series: Series<SessionKey, u64> = Series::default();
        for n in 0..100_000 {
            *series.of(key(10 + n, 10 + n)).0 += 1;
        }
        assert_eq!(series.iter().count(), 2 * SERIES_MAX + 1);
    }
}
