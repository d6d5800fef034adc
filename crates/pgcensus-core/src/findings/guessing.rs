//! Password guessing, and what looks like it: an application with a password that is no longer right, a health check
//! that asks for a role or database that does not exist.
//!
//! ```text
//! Refused ─► Pair (user from a host)   rhythm, failures in a row        ─► stale_secret, wrong_health_check
//!         ├► Attack by host            twenty in ten minutes, five users ─► brute_force, spraying, success_after_failures
//!         └► Attack by user            twenty in ten minutes, five hosts ─► brute_force from many addresses
//! what is left ─► hosts that never logged in, together: fifty in a day    ─► brute_force, spraying (`guessing/scattered.rs`)
//! ```
//!
//! Who fails is told apart when the log has been read: a session that began before it shows itself only by its end.
//! The second connection of one attempt (libpq's `sslmode=prefer`) does not count. Where the log has no client host, it is
//! judged by user alone: brute force and a stale secret, but no spraying, since all clients would be one.
//!
//! With `scram-sha-256`, `md5` and `password` a role that does not exist is refused like a wrong password, SQLSTATE
//! 28P01; the difference is in the DETAIL, which clients do not see.

mod said;
mod scattered;
#[cfg(test)]
mod tests;
mod together;
mod told;

use rustc_hash::FxHashMap;

use super::address::{address, is_public};
use super::logins::{Login, Logins, Pair};
use super::shut_out::Told;
use super::{Finding, Judge, Seen};
use crate::change::{Refusal, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::{RefusalReason, ServerId};

/// A person mistypes three times or five, then asks somebody; twenty wrong passwords…
const GUESSES_MIN: usize = 20;

/// … within ten minutes are a program. A guesser that is slower needs years, and says more by trying many users.
const GUESSES_MS: i64 = 10 * 60_000;

/// Slower than that, so many within a day are one: persons on hosts that are new to the server mistype a few times, and log in there
/// afterwards.
const SLOW_MIN: u64 = 50;
const DAY_HOURS: u32 = 24;

/// An application or a person has one user or two. A host that fails for five, or a user that fails from five hosts that never logged in…
const SPREAD_MIN: usize = 5;

/// … within an hour: who sprays waits between two tries of one user, so that it is not locked, and not between two users.
const SPREAD_MS: i64 = 60 * 60_000;

/// From a host where so many users log in, a pooler, a jump host or a NAT, several people and applications fail.
const SHARED_MIN: usize = 3;

/// So many wrong passwords without a right one between, from where that user used to log in: a person has given up by then. Or
/// [`GUESSES_MIN`] within ten minutes, where another application with that user still has the right one.
const STALE_MIN: u32 = 10;

/// After so long it is not the same trouble if that user has logged in from elsewhere meanwhile: a person who mistypes once a day.
/// What fails oftener, a job of every hour or two, is one whoever else has that user.
const ROW_GAP_MS: i64 = 3 * 60 * 60_000;

/// After the last of them the secret is put right where it is used again for so long.
const STALE_MS: i64 = 10 * 60_000;

/// A program that waits between two tries waits this long or longer; guessers do not wait.
const RHYTHM_MIN_MS: u32 = 900;

/// So near the median gap, in parts of it or in milliseconds, is on the beat: a timer is late by a moment, and some logs have whole
/// seconds.
const BEAT: f64 = 0.1;
const BEAT_MS: f64 = 100.0;

/// So many of all gaps on the beat are a rhythm: a restart or a slow answer breaks it now and then.
const ON_BEAT: f64 = 0.8;

/// Who waits and adds a random delay, as clients should, has gaps that are nearer to the median than this part of it.
const STEADY: f64 = 0.5;

/// Gaps that are kept of a pair: the last ones.
const GAPS_MAX: usize = 64;

/// Hours in which a pair failed that are kept: the last ones, a week of them. Who is slow is found in a day.
const HOURS_MAX: usize = 168;
const HOUR_MS: i64 = 3_600_000;

/// Users with their hosts, hosts, and users that are followed at most. Those that come later are not told.
const PAIRS_MAX: usize = 20_000;
const ATTACKS_MAX: usize = 10_000;

/// The fold.
#[derive(Default)]
pub(super) struct Guessing {
    pairs: FxHashMap<(Pair, Failure), Failing>,
    hosts: FxHashMap<(ServerId, NameId), Attack>,
    users: FxHashMap<(ServerId, NameId), Attack>,
}

/// What a guesser, or a health check with a wrong name, is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Failure {
    /// A wrong password: 28P01, and what PAM, LDAP, RADIUS and BSD say to one.
    Password,
    /// `role "…" does not exist`, where no password is asked for.
    Role,
    /// `database "…" does not exist`
    Database(NameId),
}

impl Failure {
    fn of(refusal: &Refusal) -> Option<Failure> {
        Some(match refusal.reason {
            RefusalReason::PasswordFailed
            | RefusalReason::EmptyPassword
            | RefusalReason::PamFailed
            | RefusalReason::LdapFailed
            | RefusalReason::RadiusFailed
            | RefusalReason::BsdFailed => Failure::Password,
            RefusalReason::RoleUnknown => Failure::Role,
            RefusalReason::DatabaseUnknown => {
                Failure::Database(NameId::of(refusal.database.as_ref()))
            }
            _ => return None,
        })
    }
}

/// It may be one: an attempt with a wrong password or role.
pub(super) fn is_guess(refusal: &Refusal) -> bool {
    let failure = Failure::of(refusal);
    let is_name = matches!(failure, Some(Failure::Password | Failure::Role));
    is_name && !refusal.is_retry
}

/// A role that asks from a host of our own has logged in from others before: it is at home on such hosts.
pub(super) fn has_home(names: &Names, logins: &Logins, pair: Pair, since: Instant) -> bool {
    let mut logins = logins.of_user(pair.server, pair.user);
    is_private_host(names, pair.client_host)
        && logins
            .any(|login| login.first <= since && is_private_host(names, login.pair.client_host))
}

/// Its address is one of those that networks give out inside.
fn is_private_host(names: &Names, host: NameId) -> bool {
    let text = names.text_of(Dimension::ClientHost, host);
    address(text).is_some_and(|address| !is_public(address))
}

/// A user that fails from a host.
#[derive(Debug)]
pub(super) struct Failing {
    failures: u64,
    since: Instant,
    until: Instant,
    /// Without a login between, now and at most.
    in_row: u32,
    in_row_most: u32,
    /// In which ten minutes counted from 1970, how often, and how often at most.
    stretch: (i64, u32),
    in_stretch_most: u32,
    /// The last ones, in milliseconds, in no order.
    gaps: Vec<u32>,
    /// Hours counted from 1970, in order, with how often it failed in each.
    hours: Vec<(u32, u32)>,
}

/// Failures of one host, whoever it asks for, or of one user, wherever from.
#[derive(Debug)]
struct Attack {
    /// The last wrong passwords, round and round.
    recent: [Instant; GUESSES_MIN],
    next: usize,
    /// The others (users of a host, hosts of a user) that came last.
    others: [(NameId, Instant); SPREAD_MIN],
    since: Instant,
    until: Instant,
    /// [`GUESSES_MIN`] within [`GUESSES_MS`].
    is_fast: bool,
    /// [`SPREAD_MIN`] others within [`SPREAD_MS`].
    is_spread: bool,
    /// When and as whom it logged in after that.
    got_in: Option<(Instant, NameId)>,
    /// That was after [`SLOW_MIN`] within a day, and fewer than [`GUESSES_MIN`] within the hour.
    was_slow: bool,
}

impl Guessing {
    /// Takes in a change that is in no tally.
    pub(super) fn observe(&mut self, seen: &Seen<'_>, logins: &Logins) {
        match seen.what {
            What::Refused(refusal) if !refusal.is_retry => self.refused(refusal, seen.at, logins),
            What::TakenBack(session) => {
                let host = NameId::of(session.client_host.as_ref());
                let attack = self.hosts.get_mut(&(session.server, host));
                if let Some(attack) = attack
                    && attack.got_in.map(|(at, _)| at) == session.authorized_at
                {
                    attack.got_in = None;
                }
            }
            _ => {}
        }
    }

    fn refused(&mut self, refusal: &Refusal, at: Instant, logins: &Logins) {
        let Some(failure) = Failure::of(refusal) else {
            return;
        };
        let pair = Pair {
            server: refusal.server,
            user: NameId::of(refusal.user.as_ref()),
            client_host: NameId::of(refusal.client_host.as_ref()),
        };
        let key = (pair, failure);
        let login = logins.get(pair);
        if self.pairs.len() < PAIRS_MAX || self.pairs.contains_key(&key) {
            let failing = self.pairs.entry(key).or_insert_with(|| Failing::new(at));
            let since = failing.until;
            let has_paused = failing.failures > 0 && at.since(since) > ROW_GAP_MS;
            let is_after = |login: &Login| login.last >= since;
            let mut elsewhere = logins.of_user(pair.server, pair.user);
            let has_logged_in =
                login.as_ref().is_some_and(is_after) || has_paused && elsewhere.any(is_after);
            failing.failed(at, has_logged_in);
        }
        if login.is_some() || matches!(failure, Failure::Database(_)) {
            return;
        }
        let is_password = failure == Failure::Password;
        let from = (pair.server, pair.client_host);
        let knows_host = logins.first_from(pair.server, pair.client_host).is_some();
        let has_host = pair.client_host != NameId::ABSENT;
        if has_host && let Some(attack) = follow(&mut self.hosts, from, at) {
            attack.failed(pair.user, is_password && !knows_host, at);
        }
        if is_password
            && !(has_host && knows_host)
            && let Some(attack) = follow(&mut self.users, (pair.server, pair.user), at)
        {
            attack.failed(pair.client_host, true, at);
        }
    }

    /// A user has logged in from a host where it never did.
    pub(super) fn logged_in(&mut self, pair: Pair, at: Instant) {
        let attack = self.hosts.get_mut(&(pair.server, pair.client_host));
        let Some(attack) = attack.filter(|attack| attack.got_in.is_none()) else {
            return;
        };
        let failing = self.pairs.get(&(pair, Failure::Password));
        attack.was_slow = at.since(attack.recent[attack.next]) > SPREAD_MS;
        if !attack.was_slow || failing.is_some_and(|failing| failing.is_slow_guess(at)) {
            attack.got_in = Some((at, pair.user));
        }
    }

    pub(super) fn verdicts(
        &self,
        judge: &Judge<'_>,
        logins: &Logins,
        shut_out: &Told,
        found: &mut Vec<Finding>,
    ) {
        told::verdicts(self, judge, logins, shut_out, found);
    }
}

/// That of a host or user, where there is room.
fn follow(
    attacks: &mut FxHashMap<(ServerId, NameId), Attack>,
    key: (ServerId, NameId),
    at: Instant,
) -> Option<&mut Attack> {
    if attacks.len() >= ATTACKS_MAX && !attacks.contains_key(&key) {
        return None;
    }
    Some(attacks.entry(key).or_insert_with(|| Attack::new(at)))
}

/// Which hour it is, counted from 1970.
fn hour(at: Instant) -> u32 {
    at.0.div_euclid(HOUR_MS).clamp(0, i64::from(u32::MAX / 2)) as u32
}

impl Failing {
    pub(super) fn new(at: Instant) -> Failing {
        Failing {
            failures: 0,
            since: at,
            until: at,
            in_row: 0,
            in_row_most: 0,
            stretch: (i64::MIN, 0),
            in_stretch_most: 0,
            gaps: Vec::new(),
            hours: Vec::new(),
        }
    }

    /// Fails once more, after a login or not.
    pub(super) fn failed(&mut self, at: Instant, has_logged_in: bool) {
        if self.failures > 0 {
            let gap = at.since(self.until).clamp(0, u32::MAX.into()) as u32;
            match self.gaps.len() {
                GAPS_MAX => self.gaps[self.failures as usize % GAPS_MAX] = gap,
                _ => self.gaps.push(gap),
            }
        }
        if has_logged_in {
            self.in_row = 0;
        }
        self.failures += 1;
        self.until = self.until.max(at);
        self.in_row += 1;
        self.in_row_most = self.in_row_most.max(self.in_row);
        let number = at.0.div_euclid(GUESSES_MS);
        if self.stretch.0 != number {
            self.stretch = (number, 0);
        }
        self.stretch.1 += 1;
        self.in_stretch_most = self.in_stretch_most.max(self.stretch.1);
        let hour = hour(at);
        match self.hours.last_mut() {
            // What comes late counts in the last one.
            Some(last) if hour <= last.0 => last.1 += 1,
            _ => {
                if self.hours.len() == HOURS_MAX {
                    self.hours.remove(0);
                }
                self.hours.push((hour, 1));
            }
        }
    }

    /// [`SLOW_MIN`] within the day before this instant, or somewhat more, as hours go.
    fn is_slow_guess(&self, at: Instant) -> bool {
        let day = hour(at).saturating_sub(DAY_HOURS);
        let last = self.hours.iter().filter(|(hour, _)| *hour >= day);
        last.map(|&(_, n)| u64::from(n)).sum::<u64>() >= SLOW_MIN
    }

    /// It fails again and again, as no person does.
    fn is_program(&self) -> bool {
        self.in_row_most >= STALE_MIN || self.in_stretch_most as usize >= GUESSES_MIN
    }

    /// Between two tries it waits for [`RHYTHM_MIN_MS`] on average, as programs do that want to get in and nothing else.
    pub(super) fn waits(&self) -> bool {
        let gaps = self.failures.saturating_sub(1) as i64;
        let is_slow = self.until.since(self.since) >= gaps.saturating_mul(RHYTHM_MIN_MS.into());
        is_slow && i64::from(self.in_stretch_most) * i64::from(RHYTHM_MIN_MS) <= GUESSES_MS
    }

    /// The median gap, where nearly all are on its beat.
    fn rhythm_ms(&self) -> Option<u32> {
        let median = self.median_gap_ms()?;
        let is_rhythm = self.is_near(median, (f64::from(median) * BEAT).max(BEAT_MS));
        (is_rhythm && median >= RHYTHM_MIN_MS).then_some(median)
    }

    /// Nearly all gaps are of one size, as where a program waits for a while and a random delay.
    fn is_steady(&self) -> bool {
        self.median_gap_ms().is_some_and(|median| {
            median >= RHYTHM_MIN_MS && self.is_near(median, f64::from(median) * STEADY)
        })
    }

    fn median_gap_ms(&self) -> Option<u32> {
        if self.failures < GUESSES_MIN as u64 {
            return None;
        }
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        Some(gaps[gaps.len() / 2])
    }

    fn is_near(&self, median: u32, tolerance: f64) -> bool {
        let is_on_beat = |gap: &&u32| (f64::from(**gap) - f64::from(median)).abs() <= tolerance;
        let on_beat = self.gaps.iter().filter(is_on_beat).count();
        on_beat as f64 >= ON_BEAT * self.gaps.len() as f64
    }
}

impl Attack {
    fn new(at: Instant) -> Attack {
        Attack {
            recent: [Instant::UNKNOWN; GUESSES_MIN],
            next: 0,
            others: [(NameId::ABSENT, Instant::UNKNOWN); SPREAD_MIN],
            since: at,
            until: at,
            is_fast: false,
            is_spread: false,
            got_in: None,
            was_slow: false,
        }
    }

    fn failed(&mut self, other: NameId, is_guess: bool, at: Instant) {
        self.until = self.until.max(at);
        if is_guess {
            self.recent[self.next] = at;
            self.next = (self.next + 1) % GUESSES_MIN;
            self.is_fast |= at.since(self.recent[self.next]) <= GUESSES_MS;
        }
        let oldest = (0..SPREAD_MIN).min_by_key(|&i| self.others[i].1);
        let known = self
            .others
            .iter()
            .position(|&(name, when)| name == other && when != Instant::UNKNOWN);
        if let Some(slot) = known.or(oldest) {
            self.others[slot] = (other, at);
        }
        let is_recent = |&(_, when): &(NameId, Instant)| at.since(when) <= SPREAD_MS;
        self.is_spread |= self.others.iter().all(is_recent);
    }
}
