//! Logins: who has logged in from where, when first and when last. A session that began before the log counts from then.

use rustc_hash::FxHashMap;

use super::Seen;
use super::groups::{GroupId, Groups, Key};
use super::tally::Tally;
use crate::change::What;
use crate::instant::Instant;
use crate::names::NameId;
use crate::session::ServerId;

/// Users with their hosts kept at most. Of whoever comes after them it is not known that they logged in.
const PAIRS_MAX: usize = 100_000;

/// The number of a [`Login`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LoginId(u32);

impl LoginId {
    /// Of no login, or of one that found no room.
    const NONE: LoginId = LoginId(u32::MAX);
}

/// A user with the host that it logs in from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) server: ServerId,
    pub(super) user: NameId,
    pub(super) client_host: NameId,
}

/// When a pair logged in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login {
    pub(super) pair: Pair,
    pub(super) first: Instant,
    pub(super) last: Instant,
}

/// All of them.
#[derive(Default)]
pub(super) struct Logins {
    /// By [`GroupId`]; applications of one user on one host share their login.
    groups: Vec<LoginId>,
    logins: Vec<Login>,
    ids: FxHashMap<Pair, LoginId>,
    /// Those of a user.
    users: FxHashMap<(ServerId, NameId), Vec<LoginId>>,
    /// The first of anybody.
    hosts: FxHashMap<(ServerId, NameId), Instant>,
}

impl From<Key> for Pair {
    fn from(key: Key) -> Pair {
        Pair {
            server: key.server,
            user: key.user,
            client_host: key.client_host,
        }
    }
}

impl Logins {
    /// Takes in a change that is in no tally.
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        match seen.what {
            What::Opened(_) => {
                self.logged_in(seen.group, seen.at, seen.at, groups);
            }
            What::Closed(session) if !session.was_seen_to_open() => {
                let at = session.session_start.unwrap_or(seen.at);
                self.logged_in(seen.group, at, at, groups);
            }
            What::TakenBack(session) => {
                self.taken_back(seen.group, session.authorized_at, groups);
            }
            What::Closed(_) | What::Refused(_) | What::Probe(_) | What::Server(..) => {}
        }
    }

    /// Those that opened; the pair that has logged in for the first time, if it has.
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally, groups: &Groups) -> Option<Pair> {
        let (first, last) = (tally.first, tally.last);
        let has_any = tally.opened > 0;
        has_any.then(|| self.logged_in(group, first, last, groups))?
    }

    /// A group logged in, for the first time and for the last.
    fn logged_in(
        &mut self,
        group: GroupId,
        first: Instant,
        last: Instant,
        groups: &Groups,
    ) -> Option<Pair> {
        let id = self.groups.get(group.0 as usize).copied();
        if let Some(login) = id.and_then(|id| self.logins.get_mut(id.0 as usize)) {
            login.last = login.last.max(last);
            if first < login.first {
                login.first = first;
                let pair = login.pair;
                self.first_of_host(pair, first);
            }
            return None;
        }
        if group == GroupId::REST {
            return None;
        }
        let pair = Pair::from(groups.get(group).key);
        self.insert(group, Login { pair, first, last })
    }

    fn first_of_host(&mut self, pair: Pair, at: Instant) {
        let first = self.hosts.entry((pair.server, pair.client_host));
        first
            .and_modify(|first| *first = at.min(*first))
            .or_insert(at);
    }

    /// A group that has not logged in yet; its pair, if that has not either.
    fn insert(&mut self, group: GroupId, login: Login) -> Option<Pair> {
        let pair = login.pair;
        let known = self.ids.get(&pair).copied();
        if known.is_none() && self.logins.len() >= PAIRS_MAX {
            return None;
        }
        let id = known.unwrap_or(LoginId(self.logins.len() as u32));
        let group = group.0 as usize;
        if group >= self.groups.len() {
            self.groups.resize(group + 1, LoginId::NONE);
        }
        self.groups[group] = id;
        match self.logins.get_mut(id.0 as usize) {
            // It was taken back before.
            Some(known) if known.first > known.last => *known = login,
            Some(known) => {
                known.last = known.last.max(login.last);
                return None;
            }
            None => {
                self.logins.push(login);
                self.ids.insert(pair, id);
                self.users
                    .entry((pair.server, pair.user))
                    .or_default()
                    .push(id);
            }
        }
        self.first_of_host(pair, login.first);
        Some(pair)
    }

    /// What was taken for the first login was none; that is known within milliseconds, before anybody else is likely to log in.
    fn taken_back(&mut self, group: GroupId, at: Option<Instant>, groups: &Groups) {
        let id = self.groups.get(group.0 as usize).copied();
        let id = id.unwrap_or(LoginId::NONE);
        let Some(login) = self.logins.get_mut(id.0 as usize) else {
            return;
        };
        let is_only = at == Some(login.first) && login.first == login.last;
        if !is_only || groups.get(group).connects > 0 {
            return;
        }
        let host = (login.pair.server, login.pair.client_host);
        if self.hosts.get(&host) == at.as_ref() {
            self.hosts.remove(&host);
        }
        // No login: it ends before it begins.
        login.first = Instant(i64::MAX);
        login.last = Instant(i64::MIN);
        self.groups[group.0 as usize] = LoginId::NONE;
    }

    /// That of a pair, if it ever logged in.
    pub(super) fn get(&self, pair: Pair) -> Option<Login> {
        let id = self.ids.get(&pair)?;
        let login = self.logins.get(id.0 as usize).copied();
        login.filter(|login| login.first <= login.last)
    }

    /// When the first user logged in from a host.
    pub(super) fn first_from(&self, server: ServerId, client_host: NameId) -> Option<Instant> {
        self.hosts.get(&(server, client_host)).copied()
    }

    /// Those of a user, from each host that it logs in from.
    pub(super) fn of_user(&self, server: ServerId, user: NameId) -> impl Iterator<Item = &Login> {
        let ids = self.users.get(&(server, user)).into_iter().flatten();
        let logins = ids.filter_map(|id| self.logins.get(id.0 as usize));
        logins.filter(|login| login.first <= login.last)
    }

    /// All pairs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Login> {
        let logins = self.logins.iter();
        logins.filter(|login| login.first <= login.last)
    }
}
