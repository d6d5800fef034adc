//! Shut out: clients that used to log in are refused every time, for one reason that no other finding is about: a database or
//! role that is gone or locked, a privilege, a line of `pg_hba.conf`, a certificate, a server that stays in recovery.
//!
//! ```text
//! logins ─► Scope (user, database, host: all of them, or some) ─┐
//! Refused ─► reason ─► its scopes ──────────────────────────────┴─► Streak: refusals without a login between
//! ```
//!
//! How this works: a reason says whom it can concern (a database that is gone: whoever asks for it), and a streak is of
//! such a scope. It goes on as long as nobody of the scope gets in. Of a scope from which nobody ever logged in nothing
//! is kept: a wrong name is for the tests of guessing, and a full server for that of saturation. Whom a
//! streak is told of is not its scope but who was refused in it.

#[cfg(test)]
mod tests;
mod told;

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Seen;
use super::groups::{GroupId, Groups, Key};
use super::tally::Tally;
use crate::change::{Refusal, RefusalRecord, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId, SessionAuth};

pub(super) use told::Told;

/// A person gives up after some attempts; so many…
const ATTEMPTS_MIN: u64 = 20;

/// … over so long are an application that cannot come back. A restart is over by then.
const LONG_MS: i64 = 5 * 60_000;

/// What was authorized is refused within milliseconds, or it was a login.
const SETTLED_MS: i64 = 2_000;

/// Whether somebody got in is looked up so often at most: a scope may be of all groups that there are.
const LOOK_MS: i64 = 1_000;

/// Names of one kind that are kept of a streak; of more it concerns, as far as is known, everybody.
const NAMES_MAX: usize = 100;

/// The fold. It is bounded by the groups: only scopes of theirs are followed.
#[derive(Default)]
pub(super) struct ShutOut {
    /// By [`GroupId`].
    logins: Vec<Login>,
    /// Groups of which somebody has logged in.
    scopes: FxHashMap<Scope, Vec<GroupId>>,
    streaks: FxHashMap<(Scope, RefusalReason), Refused>,
}

/// Logins of a group.
#[derive(Clone, Copy)]
struct Login {
    /// It is among those of its scopes.
    is_known: bool,
    /// Sessions that opened and were not taken back.
    count: u64,
    /// The last of them, and the one before it, as far as it is known.
    last: Instant,
    before: Instant,
    /// The last that was seen by its end alone.
    unseen: Instant,
}

/// Clients of a server; `None`: whoever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Scope {
    server: ServerId,
    database: Option<NameId>,
    user: Option<NameId>,
    client_host: Option<NameId>,
}

/// Which names make a scope: database, user, client host.
type Names = [bool; 3];

const SERVER: Names = [false; 3];
const DATABASE: Names = [true, false, false];
const USER: Names = [false, true, false];
const HOST: Names = [false, false, true];
const GRANT: Names = [true, true, false];
const CLIENT: Names = [true; 3];

/// All that are followed, the widest first.
const ALL: [Names; 6] = [SERVER, DATABASE, USER, HOST, GRANT, CLIENT];

/// Refusals of a scope for one reason.
#[derive(Default)]
struct Refused {
    now: Option<Streak>,
    /// The last one that was long enough, if that which goes on is not.
    long: Option<Streak>,
    /// How many were.
    times: u64,
}

/// Refusals without a login between.
#[derive(Clone)]
struct Streak {
    since: Instant,
    until: Instant,
    attempts: u64,
    connections: u64,
    /// Logins before it; those that may still be taken back are not among them in the end.
    logins: u64,
    /// The last of them, where it is known.
    last_login: Option<Instant>,
    /// Somebody seems to have got in.
    doubt: Option<Doubt>,
    looked: Instant,
    databases: Few,
    users: Few,
    hosts: Few,
    reason: RefusalReason,
    record: Rc<RefusalRecord>,
    auth: Option<Arc<SessionAuth>>,
}

/// What a streak was when the refusal came of which it is not known yet whether it still belongs to it.
#[derive(Clone, Copy)]
struct Doubt {
    at: Instant,
    until: Instant,
    attempts: u64,
    connections: u64,
}

/// Names, with how many attempts; at most [`NAMES_MAX`].
#[derive(Clone, Default)]
struct Few(FxHashMap<NameId, u64>);

impl ShutOut {
    /// Takes in a change that is in no tally.
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        match seen.what {
            What::Opened(_) => self.login(seen.group, groups).add(1, seen.at, seen.at),
            What::TakenBack(session) => {
                let login = self.login(seen.group, groups);
                login.count = login.count.saturating_sub(1);
                if session.authorized_at == Some(login.last) {
                    login.last = login.before;
                }
            }
            What::Closed(session) if !session.was_seen_to_open() => {
                let at = session.session_start.unwrap_or(seen.at);
                let login = self.login(seen.group, groups);
                login.unseen = login.unseen.max(at);
            }
            What::Refused(refusal) if !refusal.walsender => self.refused(refusal, seen.at),
            _ => {}
        }
    }

    /// Those that opened.
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally, groups: &Groups) {
        if tally.opened > 0 {
            let login = self.login(group, groups);
            login.add(tally.opened.into(), tally.first, tally.last);
        }
    }

    #[inline]
    fn login(&mut self, group: GroupId, groups: &Groups) -> &mut Login {
        let id = group.0 as usize;
        if self.logins.get(id).is_none_or(|login| !login.is_known) {
            self.becomes_known(group, groups);
        }
        &mut self.logins[id]
    }

    #[cold]
    fn becomes_known(&mut self, group: GroupId, groups: &Groups) {
        let id = group.0 as usize;
        if id >= self.logins.len() {
            self.logins.resize(id + 1, Login::NONE);
        }
        self.logins[id].is_known = true;
        if group == GroupId::REST {
            return;
        }
        let key = groups.get(group).key;
        for names in ALL {
            let scope = Scope::of(names, key.server, |dimension| key.name(dimension));
            self.scopes.entry(scope).or_default().push(group);
        }
    }

    fn refused(&mut self, refusal: &Refusal, at: Instant) {
        let Some(scopes) = scopes(refusal.reason) else {
            return;
        };
        let class = class(refusal.reason);
        let name = |dimension| refusal.name(dimension);
        // Where it may be the client's own fault, it is one that used to get in: at a quiet hour a scanner is alone in its database.
        let client = Scope::of(CLIENT, refusal.server, name);
        if scopes.contains(&CLIENT) && !self.scopes.contains_key(&client) {
            return;
        }
        for &names in scopes {
            let scope = Scope::of(names, refusal.server, name);
            let Some(groups) = self.scopes.get(&scope).map(Vec::as_slice) else {
                // A server that is not ready refuses whoever comes, known or not.
                if names == SERVER {
                    let refused = self.streaks.entry((scope, class)).or_default();
                    refused.add(refusal, at, &Logins::default());
                }
                continue;
            };
            let refused = self.streaks.entry((scope, class)).or_default();
            match &mut refused.now {
                Some(streak) if at.since(streak.looked) < LOOK_MS => streak.add(refusal, at),
                _ => refused.add(refusal, at, &logins(&self.logins, groups)),
            }
        }
    }
}

/// Logins of the groups of a scope; those of whom it is not known who they are may be of any.
fn logins(all: &[Login], groups: &[GroupId]) -> Logins {
    let ids = groups.iter().chain([&GroupId::REST]);
    let known = ids.filter_map(|id| all.get(id.0 as usize));
    known.fold(Logins::default(), |sum, login| Logins {
        count: sum.count + login.count,
        last: sum.last.max(login.last),
        before: sum.before.max(login.before),
        unseen: sum.unseen.max(login.unseen),
    })
}

/// Those of a scope together.
#[derive(Clone, Copy)]
struct Logins {
    count: u64,
    last: Instant,
    before: Instant,
    unseen: Instant,
}

impl Default for Logins {
    fn default() -> Logins {
        Logins {
            count: 0,
            last: Instant::UNKNOWN,
            before: Instant::UNKNOWN,
            unseen: Instant::UNKNOWN,
        }
    }
}

impl Login {
    const NONE: Login = Login {
        is_known: false,
        count: 0,
        last: Instant::UNKNOWN,
        before: Instant::UNKNOWN,
        unseen: Instant::UNKNOWN,
    };

    #[inline]
    fn add(&mut self, count: u64, first: Instant, last: Instant) {
        self.before = if count > 1 { first } else { self.last };
        self.last = last;
        self.count += count;
    }
}

impl Scope {
    fn of(names: Names, server: ServerId, name: impl Fn(Dimension) -> NameId) -> Scope {
        let [database, user, client_host] = names;
        let some = |is_one: bool, dimension| is_one.then(|| name(dimension));
        Scope {
            server,
            database: some(database, Dimension::Database),
            user: some(user, Dimension::User),
            client_host: some(client_host, Dimension::ClientHost),
        }
    }

    fn names(self) -> Names {
        [
            self.database.is_some(),
            self.user.is_some(),
            self.client_host.is_some(),
        ]
    }
}

impl Refused {
    fn add(&mut self, refusal: &Refusal, at: Instant, logins: &Logins) {
        if let Some(streak) = &mut self.now
            && streak.goes_on(refusal, at, logins)
        {
            return streak.add(refusal, at);
        }
        let next = Streak::new(refusal, at, logins, self.now.as_ref());
        let over = self.now.replace(next).map(Streak::until_doubt);
        if let Some(over) = over.filter(Streak::is_long) {
            self.times += 1;
            self.long = Some(over);
        }
    }
}

impl Streak {
    fn new(refusal: &Refusal, at: Instant, logins: &Logins, over: Option<&Streak>) -> Streak {
        // Attempts since somebody got in are of this one.
        let doubt = over.and_then(|over| {
            let doubt = over.doubt?;
            let connections = over.connections - doubt.connections;
            Some((doubt.at, over.attempts - doubt.attempts, connections))
        });
        let (since, attempts, connections) = doubt.unwrap_or((at, 0, 0));
        // The last one may be that of the refusal itself, or of others that are not taken back yet.
        let is_settled = |login: &Instant| {
            *login != Instant::UNKNOWN && (!refusal.takes_back || since.since(*login) > SETTLED_MS)
        };
        let known = [logins.last, logins.before, logins.unseen];
        let mut streak = Streak {
            since,
            until: at,
            attempts,
            connections,
            logins: logins.count,
            last_login: known.into_iter().filter(is_settled).max(),
            doubt: None,
            looked: at,
            databases: Few::default(),
            users: Few::default(),
            hosts: Few::default(),
            reason: refusal.reason,
            record: refusal.record.clone(),
            auth: None,
        };
        streak.add(refusal, at);
        streak
    }

    /// Nobody has got in since it began.
    fn goes_on(&mut self, refusal: &Refusal, at: Instant, logins: &Logins) -> bool {
        self.looked = at;
        if logins.unseen != Instant::UNKNOWN && logins.unseen > self.since {
            return false;
        }
        if logins.count <= self.logins {
            self.logins = logins.count;
            self.doubt = None;
            return true;
        }
        let doubt = *self.doubt.get_or_insert(Doubt {
            at,
            until: self.until,
            attempts: self.attempts,
            connections: self.connections,
        });
        refusal.takes_back && at.since(doubt.at) < SETTLED_MS
    }

    /// Somebody has got in.
    fn until_doubt(mut self) -> Streak {
        if let Some(doubt) = self.doubt {
            self.until = doubt.until;
            self.attempts = doubt.attempts;
            self.connections = doubt.connections;
        }
        self
    }

    fn add(&mut self, refusal: &Refusal, at: Instant) {
        let attempt = u64::from(!refusal.is_retry);
        self.until = self.until.max(at);
        self.attempts += attempt;
        self.connections += 1;
        self.databases
            .add(refusal.name(Dimension::Database), attempt);
        self.users.add(refusal.name(Dimension::User), attempt);
        self.hosts.add(refusal.name(Dimension::ClientHost), attempt);
        self.reason = refusal.reason;
        self.record = refusal.record.clone();
        self.auth.clone_from(&refusal.auth);
    }

    fn is_long(&self) -> bool {
        self.attempts >= ATTEMPTS_MIN && self.until.since(self.since) >= LONG_MS
    }

    /// These clients are among those that were refused.
    fn has(&self, key: Key) -> bool {
        let few = [&self.databases, &self.users, &self.hosts];
        let names = [key.database, key.user, key.client_host];
        few.into_iter().zip(names).all(|(few, name)| few.has(name))
    }
}

impl Few {
    fn add(&mut self, name: NameId, attempts: u64) {
        if self.0.len() < NAMES_MAX || self.0.contains_key(&name) {
            *self.0.entry(name).or_default() += attempts;
        }
    }

    /// A refusal that does not say whom it is of may be of anybody.
    fn has(&self, name: NameId) -> bool {
        let is_all = self.0.len() >= NAMES_MAX || self.0.contains_key(&NameId::ABSENT);
        is_all || self.0.contains_key(&name)
    }
}

/// Reasons that are told as one: a server that is not ready goes through several.
fn class(reason: RefusalReason) -> RefusalReason {
    match reason {
        RefusalReason::NotAcceptingYet
        | RefusalReason::ShuttingDown
        | RefusalReason::InRecovery => RefusalReason::StartingUp,
        reason => reason,
    }
}

/// Whom a refusal for this reason may concern, the widest first; `None`: another test looks at it, or it is nobody's who logs in.
fn scopes(reason: RefusalReason) -> Option<&'static [Names]> {
    use RefusalReason as R;
    match reason {
        R::StartingUp | R::NotAcceptingYet | R::ShuttingDown | R::InRecovery | R::SuperuserOnly => {
            Some(&[SERVER])
        }
        R::DatabaseUnknown | R::DatabaseInvalid | R::DatabaseNotAccepting => Some(&[DATABASE]),
        R::RoleUnknown | R::RoleCannotLogin => Some(&[USER]),
        R::NoConnectPrivilege => Some(&[DATABASE, USER, GRANT]),
        R::UnsupportedProtocol
        | R::BadOption
        | R::HbaNoEntry
        | R::HbaRejected
        | R::CertificateRequired
        | R::PeerFailed
        | R::IdentFailed
        | R::GssFailed
        | R::SspiFailed
        | R::CertFailed
        | R::OauthFailed
        | R::AuthenticationTimeout
        | R::SaslError
        | R::Other => Some(&[DATABASE, USER, HOST, GRANT, CLIENT]),
        // No connection left: saturation.
        R::TooManyClients
        | R::SlotsReserved
        | R::RoleLimit
        | R::DatabaseLimit
        | R::WalsenderLimit
        // Wrong passwords: guessing and old secrets.
        | R::PasswordFailed
        | R::EmptyPassword
        | R::PamFailed
        | R::LdapFailed
        | R::RadiusFailed
        | R::BsdFailed
        // Scanners, walsenders, and what a shutdown ends.
        | R::BadStartupPacket
        | R::NoUserName
        | R::NoReplicationPrivilege
        | R::TerminatedInStartup => None,
    }
}
