//! What guessing is told as: each failing user is told apart from the others, then hosts and users that are left are judged.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::Judge;
use super::super::address::{address, is_public, network};
use super::super::alike::ALONE_MAX;
use super::super::evidence::ranked;
use super::super::finding::{Finding, Kind, Severity};
use super::super::logins::{Login, Logins, Pair};
use super::super::shut_out::Told;
use super::said::{alone, from_many, stale_secret, wrong_check};
use super::scattered;
use super::together::{Alike, One, hosts_together, names_together};
use super::{
    Attack, Failing, Failure, GUESSES_MIN, Guessing, SHARED_MIN, SPREAD_MIN, has_home,
    is_private_host,
};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId};

/// The role that nearly every server has, and that guessers try first: nobody's new application.
const SUPERUSER: &[u8] = b"postgres";

/// Wrong passwords that nothing explains, of one host or of one user.
#[derive(Default)]
pub(super) struct Unexplained {
    pub(super) passwords: u64,
    pub(super) failures: u64,
    /// Users of a host, hosts of a user, with their failures.
    pub(super) others: BTreeMap<NameId, u64>,
    /// Some of them came on the beat of a timer.
    pub(super) has_beat: bool,
}

/// Applications and health checks with wrong names or passwords, as one or several hosts.
#[derive(Default)]
pub(super) struct Program<'f> {
    pub(super) failing: Vec<(Pair, &'f Failing)>,
    pub(super) rhythm_ms: u32,
}

/// A host that guesses.
pub(super) struct Guesser<'a> {
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    pub(super) host: NameId,
    pub(super) attack: &'a Attack,
    pub(super) unexplained: Unexplained,
}

/// Who has logged in, as far as guessing needs it.
#[derive(Default)]
struct Known {
    users: FxHashMap<(ServerId, NameId), Login>,
    /// How many users of a host.
    users_of_host: FxHashMap<(ServerId, NameId), usize>,
}

/// All that fail, told apart.
#[derive(Default)]
struct Sorted<'f> {
    stale: BTreeMap<(ServerId, NameId), Program<'f>>,
    checks: BTreeMap<(ServerId, NameId, Failure), Program<'f>>,
    hosts: FxHashMap<(ServerId, NameId), Unexplained>,
    users: BTreeMap<(ServerId, NameId), Unexplained>,
    /// Of them, those from hosts that never logged in.
    strangers: BTreeMap<ServerId, Vec<(Pair, &'f Failing)>>,
}

pub(super) fn verdicts(
    guessing: &Guessing,
    judge: &Judge<'_>,
    logins: &Logins,
    shut_out: &Told,
    found: &mut Vec<Finding>,
) {
    let known = Known::of(logins);
    let mut sorted = Sorted::of(guessing, judge, logins, &known);
    let mut names: BTreeMap<(ServerId, Alike), Vec<One>> = BTreeMap::new();
    for (&(server, user), program) in &sorted.stale {
        let mut pairs = program.failing.iter().map(|&(pair, _)| pair);
        let alike = Alike::Stale {
            has_new: pairs.any(|pair| logins.get(pair).is_none()),
        };
        names.entry((server, alike)).or_default().push(One {
            name: user,
            hosts: program.hosts(),
            finding: stale_secret(judge, logins, server, user, program),
        });
    }
    for (&(server, user, failure), program) in &sorted.checks {
        // It used to work.
        let is_told = match failure {
            Failure::Password => false,
            Failure::Role => shut_out.has(server, RefusalReason::RoleUnknown, user),
            Failure::Database(name) => shut_out.has(server, RefusalReason::DatabaseUnknown, name),
        };
        if is_told {
            continue;
        }
        let (alike, name) = match failure {
            Failure::Password => (Alike::CheckPassword, user),
            Failure::Role => (Alike::CheckRole, user),
            Failure::Database(name) => (Alike::CheckDatabase, name),
        };
        names.entry((server, alike)).or_default().push(One {
            name,
            hosts: program.hosts(),
            finding: wrong_check(judge, server, user, failure, program),
        });
    }
    let mut told = FxHashSet::default();
    let guessers = guessers(guessing, judge, logins, &known, &mut sorted.hosts);
    for ((server, ..), mut guessers) in guessers {
        told.extend(guessers.iter().map(|guesser| (server, guesser.host)));
        guessers.sort_by_key(|guesser| (guesser.attack.since, guesser.host));
        if guessers.len() <= ALONE_MAX {
            let alone = |guesser: &Guesser<'_>| alone(judge, server, guesser);
            found.extend(guessers.iter().map(alone));
        } else {
            found.push(hosts_together(judge, server, &guessers));
        }
    }
    let mut told_users = FxHashSet::default();
    for (&key, unexplained) in &mut sorted.users {
        let others = &mut unexplained.others;
        others.retain(|&host, _| !told.contains(&(key.0, host)));
        let passwords: u64 = others.values().sum();
        let attack = guessing.users.get(&key).filter(|attack| attack.is_fast);
        let Some(attack) = attack.filter(|_| passwords >= GUESSES_MIN as u64) else {
            continue;
        };
        let has_hosts = attack.is_spread && others.len() >= SPREAD_MIN;
        if has_hosts || others.contains_key(&NameId::ABSENT) {
            told_users.insert(key);
            let login = known.users.get(&key).copied();
            let finding = from_many(judge, key, attack, unexplained, login);
            let alike = match finding.kind {
                Kind::StaleSecret => Alike::Moved,
                _ => Alike::Tried,
            };
            names.entry((key.0, alike)).or_default().push(One {
                name: key.1,
                hosts: unexplained.ranking(),
                finding,
            });
        }
    }
    for (server, mut strangers) in sorted.strangers {
        strangers.retain(|(pair, _)| {
            !told.contains(&(server, pair.client_host))
                && !told_users.contains(&(server, pair.user))
        });
        found.extend(scattered::told(judge, server, strangers));
    }
    for ((_, alike), ones) in names {
        if ones.len() <= ALONE_MAX {
            found.extend(ones.into_iter().map(|one| one.finding));
        } else {
            found.push(names_together(judge, alike, &ones));
        }
    }
}

impl<'f> Sorted<'f> {
    fn of(guessing: &'f Guessing, judge: &Judge<'_>, logins: &Logins, known: &Known) -> Sorted<'f> {
        let mut users_of: FxHashMap<_, FxHashSet<NameId>> = FxHashMap::default();
        for (pair, _) in guessing.pairs.keys() {
            let host = (pair.server, pair.client_host);
            users_of.entry(host).or_default().insert(pair.user);
        }
        let mut sorted = Sorted::default();
        for (&(pair, failure), failing) in &guessing.pairs {
            let Pair {
                server,
                user,
                client_host,
            } = pair;
            let login = logins.get(pair);
            let is_known = login.is_some_and(|login| login.first <= failing.since);
            if failure == Failure::Password && is_known {
                if failing.is_program() {
                    let stale = sorted.stale.entry((server, user)).or_default();
                    stale.failing.push((pair, failing));
                }
                continue;
            }
            let asks_for = users_of[&(server, client_host)].len();
            if failure == Failure::Password
                && asks_for == 1
                && is_moved(judge, logins, pair, failing)
            {
                let stale = sorted.stale.entry((server, user)).or_default();
                stale.failing.push((pair, failing));
                continue;
            }
            let is_alone = asks_for < SPREAD_MIN && !is_public_host(judge, client_host);
            let can_be_check = match failure {
                Failure::Password => is_alone && !known.users.contains_key(&(server, user)),
                Failure::Role => is_alone,
                Failure::Database(_) => true,
            };
            let rhythm_ms = failing.rhythm_ms();
            if let Some(rhythm_ms) = rhythm_ms.filter(|_| can_be_check) {
                let check = sorted.checks.entry((server, user, failure)).or_default();
                check.failing.push((pair, failing));
                check.rhythm_ms = rhythm_ms;
                continue;
            }
            let is_user_known = known.users.contains_key(&(server, user));
            if failure == Failure::Password
                && asks_for == 1
                && !is_user_known
                && may_be_stale(judge, logins, pair, failing)
            {
                let stale = sorted.stale.entry((server, user)).or_default();
                stale.failing.push((pair, failing));
                continue;
            }
            let passwords = match failure {
                Failure::Password => failing.failures,
                Failure::Role => 0,
                Failure::Database(_) => continue,
            };
            let host = sorted.hosts.entry((server, client_host)).or_default();
            host.add(user, failing.failures, passwords);
            host.has_beat |= rhythm_ms.is_some();
            let of_user = sorted.users.entry((server, user)).or_default();
            of_user.add(client_host, passwords, passwords);
            if client_host != NameId::ABSENT && logins.first_from(server, client_host).is_none() {
                let strangers = sorted.strangers.entry(server).or_default();
                strangers.push((pair, failing));
            }
        }
        sorted
    }
}

/// Hosts that guess, by how and how severe.
fn guessers<'a>(
    guessing: &'a Guessing,
    judge: &Judge<'_>,
    logins: &Logins,
    known: &Known,
    hosts: &mut FxHashMap<(ServerId, NameId), Unexplained>,
) -> BTreeMap<(ServerId, Kind, Severity), Vec<Guesser<'a>>> {
    let mut guessers: BTreeMap<_, Vec<Guesser<'_>>> = BTreeMap::new();
    for (&(server, host), attack) in &guessing.hosts {
        let Some(unexplained) = hosts.remove(&(server, host)) else {
            continue;
        };
        let first = logins.first_from(server, host);
        let was_unknown = first.is_none_or(|first| first > attack.since);
        let users = known.users_of_host.get(&(server, host));
        let is_shared = users.is_some_and(|&users| users >= SHARED_MIN);
        let is_many = was_unknown && unexplained.passwords >= GUESSES_MIN as u64;
        let is_wide = !is_shared && unexplained.others.len() >= SPREAD_MIN;
        // Inside, what is slow is an application whose password was put right in the end.
        let is_guess = !attack.was_slow || is_public_host(judge, host);
        let kind = match () {
            () if is_many && attack.got_in.is_some() && is_guess => Kind::SuccessAfterFailures,
            () if is_wide && attack.is_spread => Kind::Spraying,
            () if is_many && attack.is_fast => Kind::BruteForce,
            () => continue,
        };
        // Nobody is refused, but a week is too long where somebody may have got in.
        let severity = match kind {
            Kind::SuccessAfterFailures
                if !is_put_right(judge, logins, (server, host), attack, &unexplained) =>
            {
                Severity::Critical
            }
            _ => Severity::Warning,
        };
        let alike = guessers.entry((server, kind, severity)).or_default();
        alike.push(Guesser {
            kind,
            severity,
            host,
            attack,
            unexplained,
        });
    }
    guessers
}

/// A new host of our own, from where nobody ever logged in, has an old password of a role that is at home on hosts like it: an
/// application that was moved or has another instance. It waits between two tries, or that role logs in no more, as it would while
/// somebody else guesses.
fn is_moved(judge: &Judge<'_>, logins: &Logins, pair: Pair, failing: &Failing) -> bool {
    let is_new = logins.first_from(pair.server, pair.client_host).is_none();
    let mut logins_of = logins.of_user(pair.server, pair.user);
    is_new
        && failing.in_row_most as usize >= GUESSES_MIN
        && has_home(judge.known.names, logins, pair, failing.since)
        && (failing.waits() || logins_of.all(|login| login.last <= failing.since))
}

/// A role that never logged in, from a host of our own from where nobody did: in a log that begins after its password was changed, an
/// application that was connected until then. It waits between two tries, for a while that is nearly the same; of a role
/// that every server has, somebody guesses.
fn may_be_stale(judge: &Judge<'_>, logins: &Logins, pair: Pair, failing: &Failing) -> bool {
    logins.first_from(pair.server, pair.client_host).is_none()
        && failing.in_row_most as usize >= GUESSES_MIN
        && failing.waits()
        && failing.is_steady()
        && is_private_host(judge.known.names, pair.client_host)
        && judge.text(Dimension::User, pair.user) != SUPERUSER
}

/// Who got in is most likely an application whose password was put right: its failures came on the beat of a timer; or it is a
/// host of our own that asked for one role and no other, which logs in from its network, or had never logged in from anywhere.
fn is_put_right(
    judge: &Judge<'_>,
    logins: &Logins,
    (server, host): (ServerId, NameId),
    attack: &Attack,
    unexplained: &Unexplained,
) -> bool {
    if unexplained.has_beat {
        return true;
    }
    let text = |host| judge.text(Dimension::ClientHost, host);
    let Some((_, user)) = attack
        .got_in
        .filter(|_| is_private_host(judge.known.names, host))
    else {
        return false;
    };
    let is_only = unexplained.others.len() == 1 && unexplained.others.contains_key(&user);
    let has_logged_in = |login: &&Login| login.first <= attack.since;
    let mut before = logins.of_user(server, user).filter(has_logged_in);
    let is_near = |login: &Login| network(text(login.pair.client_host)) == network(text(host));
    is_only
        && match before.next() {
            None => judge.text(Dimension::User, user) != SUPERUSER,
            Some(first) => is_near(first) || before.any(is_near),
        }
}

pub(super) fn is_public_host(judge: &Judge<'_>, host: NameId) -> bool {
    let text = judge.known.names.text_of(Dimension::ClientHost, host);
    address(text).is_some_and(is_public)
}

impl Unexplained {
    fn add(&mut self, other: NameId, failures: u64, passwords: u64) {
        self.failures += failures;
        self.passwords += passwords;
        if failures > 0 {
            *self.others.entry(other).or_default() += failures;
        }
    }

    /// The most first.
    pub(super) fn ranking(&self) -> Vec<(NameId, u64)> {
        ranked(self.others.iter().map(|(&name, &n)| (name, n)))
    }
}

impl Program<'_> {
    /// From when to when, and how often.
    pub(super) fn extent(&self) -> (Instant, Instant, u64) {
        let failing = || self.failing.iter().map(|(_, failing)| failing);
        (
            failing()
                .map(|failing| failing.since)
                .min()
                .unwrap_or_default(),
            failing()
                .map(|failing| failing.until)
                .max()
                .unwrap_or_default(),
            failing().map(|failing| failing.failures).sum(),
        )
    }

    /// The most first.
    pub(super) fn hosts(&self) -> Vec<(NameId, u64)> {
        let hosts = self.failing.iter();
        ranked(hosts.map(|(pair, failing)| (pair.client_host, failing.failures)))
    }
}

impl Known {
    fn of(logins: &Logins) -> Known {
        let mut known = Known::default();
        for login in logins.iter() {
            let Pair {
                server,
                user,
                client_host,
            } = login.pair;
            let of_user = known.users.entry((server, user)).or_insert(*login);
            of_user.first = of_user.first.min(login.first);
            of_user.last = of_user.last.max(login.last);
            *known
                .users_of_host
                .entry((server, client_host))
                .or_default() += 1;
        }
        known
    }
}
