//! Groups: sessions with the same names as a small integer, which is found once, when a session opens, for all who count
//! it by its names.

use rustc_hash::FxHashMap;

use crate::names::{Dimension, NameId};
use crate::session::{ServerId, Session};

/// Groups told apart at most. A client can invent an application for each connection: sessions of whoever comes after
/// them are of [`GroupId::REST`], and are counted by each of their names instead.
pub const GROUPS_MAX: usize = 10_000;

/// The number of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

impl GroupId {
    /// No group in particular.
    pub const REST: GroupId = GroupId(0);

    /// Its place in a list by group.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the sessions of a group have in common: their names as they are [counted](Session::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The server.
    pub server: ServerId,
    /// The database.
    pub database: NameId,
    /// The application.
    pub application_name: NameId,
    /// The role.
    pub user: NameId,
    /// The client's host.
    pub client_host: NameId,
}

/// The groups of a run.
#[derive(Debug, Default)]
pub struct Groups {
    ids: FxHashMap<Key, GroupId>,
    /// By [`GroupId`], from the one after that of the rest.
    keys: Vec<Key>,
    /// Clients often come in a row.
    last: Option<(Key, GroupId)>,
}

impl Groups {
    /// The group of a session that has all the names it will be counted by.
    #[inline]
    pub fn of(&mut self, session: &Session) -> GroupId {
        let key = Key::of(session);
        match self.last {
            Some((last, id)) if last == key => id,
            _ => self.find(key),
        }
    }

    #[inline(never)]
    fn find(&mut self, key: Key) -> GroupId {
        let id = match self.ids.get(&key) {
            Some(&id) => id,
            None if self.keys.len() >= GROUPS_MAX => GroupId::REST,
            None => {
                self.keys.push(key);
                let id = GroupId(self.keys.len() as u32);
                self.ids.insert(key, id);
                id
            }
        };
        self.last = Some((key, id));
        id
    }

    /// What a group has in common; `None` of [`GroupId::REST`].
    pub fn key(&self, id: GroupId) -> Option<Key> {
        self.keys.get(id.index().checked_sub(1)?).copied()
    }
}

impl Key {
    /// That of a session.
    #[inline]
    pub fn of(session: &Session) -> Key {
        Key {
            server: session.server,
            database: session.name(Dimension::Database),
            application_name: session.name(Dimension::ApplicationName),
            user: session.name(Dimension::User),
            client_host: session.name(Dimension::ClientHost),
        }
    }

    /// Its name in a dimension.
    #[inline]
    pub fn name(self, dimension: Dimension) -> NameId {
        match dimension {
            Dimension::Database => self.database,
            Dimension::User => self.user,
            Dimension::ApplicationName => self.application_name,
            Dimension::ClientHost => self.client_host,
            Dimension::Server => self.server.into(),
        }
    }
}
