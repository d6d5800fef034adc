//! Lost clients: an application whose sessions end by a reset or by nobody being there any more, and not by its
//! saying goodbye. What the server's own timeouts and an administrator end is told as info.
//!
//! ```text
//! quarters of an hour  …│ 3 of 40 │ 0 of 38 │ 9 of 44 │ 12 of 41 │   lost of all ends
//!                       └──────────── the last four hours ──────┘   what is older is the application's own share
//! ```

use rustc_hash::FxHashMap;

use super::evidence::ranked;
use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::{GroupId, Groups};
use super::tally::Tally;
use super::{Judge, MUTE_MS, Seen};
use crate::change::What;
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{EndReason, ServerId, Session};

/// A bucket: what happens in one of them is one event, a switch that failed or a laptop that was closed.
const BUCKET_MS: i64 = 15 * 60_000;

/// So many buckets with such an end are no single event.
const BUCKETS_MIN: usize = 3;

/// Ends are looked at over so many buckets: four hours. In less, an application that has few sessions never has enough of them;
/// in more, one that was bad this morning would still be so tonight.
const BUCKETS: usize = 16;

/// So many ends: of fewer, a share of 5 % is one.
const ENDS_MIN: u32 = 20;

/// This share of all ends: clients crash and laptops are closed, but not one in twenty.
const SHARE: f64 = 0.05;

/// So many times the share of all buckets before; an application that never says goodbye is so from its first session on.
const TIMES_BEFORE: f64 = 2.0;

/// So many ends before are a share to compare with.
const BEFORE_MIN: u64 = 100;

/// Applications that are followed at most.
const APPLICATIONS_MAX: usize = 10_000;

/// Users and hosts of an application that are counted.
const NAMES_MAX: usize = 100;

/// Why a session ended, where its client did not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Lost = 0,
    Timeout = 1,
    Administrator = 2,
}

const CAUSES: [Cause; 3] = [Cause::Lost, Cause::Timeout, Cause::Administrator];

impl Cause {
    fn of(reason: EndReason) -> Option<Cause> {
        Some(match reason {
            EndReason::Reset
            | EndReason::SendFailed
            | EndReason::EofInTransaction
            | EndReason::ConnectionLost
            | EndReason::Crash => Cause::Lost,
            EndReason::IdleSessionTimeout
            | EndReason::IdleInTransactionTimeout
            | EndReason::TransactionTimeout => Cause::Timeout,
            EndReason::Administrator => Cause::Administrator,
            _ => return None,
        })
    }
}

/// The fold.
#[derive(Default)]
pub(super) struct LostClients {
    /// By [`GroupId`]: the number of its application.
    groups: Vec<u32>,
    applications: Vec<Application>,
    ids: FxHashMap<(ServerId, NameId), u32>,
    /// By [`ServerId`]: until then, what the server did is why sessions end.
    muted_until: Vec<Instant>,
}

/// How the sessions of an application ended.
struct Application {
    server: ServerId,
    name: NameId,
    /// The bucket that is going on, counted from 1970, and those before it, round and round.
    number: i64,
    buckets: [Bucket; BUCKETS],
    /// All ends that are older.
    before: Bucket,
    found: [Option<Found>; CAUSES.len()],
    /// Who was lost.
    users: FxHashMap<NameId, u64>,
    hosts: FxHashMap<NameId, u64>,
    reasons: FxHashMap<EndReason, u64>,
}

/// Ends of a stretch of time.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    ends: u64,
    by: [u32; CAUSES.len()],
    /// The first and the last that had a cause.
    first: Instant,
    last: Instant,
}

/// What was too much.
#[derive(Clone, Copy, Debug)]
struct Found {
    since: Instant,
    until: Instant,
    /// Of the four hours with most of them.
    lost: u32,
    ends: u64,
    buckets: usize,
    /// The share before, where there was enough to tell.
    before: Option<f64>,
}

impl LostClients {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        let session = match seen.what {
            What::Closed(session) => session,
            What::Server(server, ..) => {
                let server = usize::from(server.0);
                if server >= self.muted_until.len() {
                    self.muted_until.resize(server + 1, Instant::UNKNOWN);
                }
                self.muted_until[server] = seen.at.plus_ms(MUTE_MS);
                return;
            }
            _ => return,
        };
        if self.is_muted(session.server, seen.at) {
            return;
        }
        if let Some(application) = self.application(seen.group, groups) {
            application.ended(session, seen.at);
        }
    }

    /// Sessions that ended as they should.
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally, groups: &Groups) {
        if tally.unexplained > 0
            && let Some(application) = self.application(group, groups)
        {
            application.bucket(tally.at).ends += u64::from(tally.unexplained);
        }
    }

    /// What the server did explains why sessions end.
    #[inline]
    pub(super) fn is_muted(&self, server: ServerId, at: Instant) -> bool {
        let until = self.muted_until.get(usize::from(server.0));
        until.is_some_and(|until| at <= *until)
    }

    /// That of a group; `None`: it has no group, or found no room.
    fn application(&mut self, group: GroupId, groups: &Groups) -> Option<&mut Application> {
        let id = group.0 as usize;
        let known = self.groups.get(id).copied().unwrap_or(u32::MAX);
        let number = match known {
            u32::MAX => self.number(id, groups),
            number => number,
        };
        self.applications.get_mut(number as usize)
    }

    /// The number of the application of a group that had none.
    fn number(&mut self, id: usize, groups: &Groups) -> u32 {
        if id == 0 {
            return u32::MAX;
        }
        let key = groups.get(GroupId(id as u32)).key;
        let key = (key.server, key.application_name);
        let next = self.applications.len() as u32;
        let number = match self.ids.get(&key) {
            Some(&number) => number,
            None if self.applications.len() >= APPLICATIONS_MAX => return u32::MAX,
            None => {
                self.applications.push(Application::new(key.0, key.1));
                self.ids.insert(key, next);
                next
            }
        };
        if id >= self.groups.len() {
            self.groups.resize(id + 1, u32::MAX);
        }
        self.groups[id] = number;
        number
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        if !judge.has_log() {
            return;
        }
        for application in &mut self.applications {
            application.judge();
            let noise = FxHashMap::from_iter([(application.name, 1)]);
            if judge.are_noise(application.server, &noise) {
                continue;
            }
            for cause in CAUSES {
                if let Some(too_many) = application.found[cause as usize] {
                    found.push(application.finding(judge, cause, &too_many));
                }
            }
        }
    }
}

impl Application {
    fn new(server: ServerId, name: NameId) -> Application {
        Application {
            server,
            name,
            number: i64::MIN,
            buckets: [Bucket::default(); BUCKETS],
            before: Bucket::default(),
            found: [None; CAUSES.len()],
            users: FxHashMap::default(),
            hosts: FxHashMap::default(),
            reasons: FxHashMap::default(),
        }
    }

    /// That of an instant.
    fn bucket(&mut self, at: Instant) -> &mut Bucket {
        let number = at.0.div_euclid(BUCKET_MS);
        // What comes late counts in the bucket that is going on.
        if number > self.number {
            self.reach(number);
        }
        &mut self.buckets[self.number.rem_euclid(BUCKETS as i64) as usize]
    }

    /// A session ended, for whatever reason.
    fn ended(&mut self, session: &Session, at: Instant) {
        let bucket = self.bucket(at);
        bucket.ends += 1;
        let Some((reason, cause)) = session
            .end_reason
            .and_then(|reason| Some((reason, Cause::of(reason)?)))
        else {
            return;
        };
        if bucket.by == [0; CAUSES.len()] {
            bucket.first = at;
        }
        bucket.last = at;
        bucket.by[cause as usize] += 1;
        *self.reasons.entry(reason).or_default() += 1;
        if cause != Cause::Lost {
            return;
        }
        for (dimension, counts) in [
            (Dimension::User, &mut self.users),
            (Dimension::ClientHost, &mut self.hosts),
        ] {
            let name = session.name(dimension);
            if counts.len() < NAMES_MAX || counts.contains_key(&name) {
                *counts.entry(name).or_default() += 1;
            }
        }
    }

    /// The bucket that is going on is over, and those up to this one are empty.
    fn reach(&mut self, number: i64) {
        if self.number == i64::MIN {
            self.number = number;
            return;
        }
        self.judge();
        let skipped = (number - self.number).min(BUCKETS as i64);
        for next in 1..=skipped {
            let next = (number - skipped + next).rem_euclid(BUCKETS as i64) as usize;
            self.before.add(&self.buckets[next]);
            self.buckets[next] = Bucket::default();
        }
        self.number = number;
    }

    /// Looks at the last four hours: at the buckets from the first to the last with too many.
    fn judge(&mut self) {
        for cause in CAUSES {
            let of = |bucket: &Bucket| bucket.by[cause as usize];
            let share = |bucket: &Bucket| f64::from(of(bucket)) / bucket.ends.max(1) as f64;
            let is_bad = |bucket: &&Bucket| of(bucket) > 0 && share(bucket) >= SHARE;
            let numbers = (0..BUCKETS as i64).rev().map(|back| self.number - back);
            let in_order =
                numbers.map(|number| &self.buckets[number.rem_euclid(BUCKETS as i64) as usize]);
            let in_order: Vec<&Bucket> = in_order.collect();
            let bad = in_order.iter().copied().filter(is_bad).count();
            let (Some(first), Some(last)) = (
                in_order.iter().position(is_bad),
                in_order.iter().rposition(is_bad),
            ) else {
                continue;
            };
            let mut all = Bucket::default();
            in_order[first..=last]
                .iter()
                .for_each(|bucket| all.add(bucket));
            let mut before = self.before;
            in_order[..first]
                .iter()
                .for_each(|bucket| before.add(bucket));
            let before = (before.ends >= BEFORE_MIN).then(|| share(&before));
            let is_more = before.is_none_or(|before| share(&all) >= TIMES_BEFORE * before);
            if of(&all) < ENDS_MIN || bad < BUCKETS_MIN || share(&all) < SHARE || !is_more {
                continue;
            }
            let found = self.found[cause as usize].get_or_insert(Found {
                since: in_order[first].first,
                until: in_order[last].last,
                lost: 0,
                ends: 0,
                buckets: 0,
                before,
            });
            found.until = in_order[last].last;
            if of(&all) >= found.lost {
                found.lost = of(&all);
                found.ends = all.ends;
                found.buckets = bad;
            }
        }
    }

    fn finding(&self, judge: &Judge<'_>, cause: Cause, found: &Found) -> Finding {
        let name = judge.text(Dimension::ApplicationName, self.name);
        let of_cause = |reason: &EndReason| Cause::of(*reason) == Some(cause);
        let mut reasons: Vec<_> = self
            .reasons
            .iter()
            .filter(|(reason, _)| of_cause(reason))
            .collect();
        reasons.sort_by_key(|&(reason, n)| (std::cmp::Reverse(*n), *reason));
        let reason = reasons.first().map_or("", |(reason, _)| reason.as_str());
        let rank =
            |counts: &FxHashMap<NameId, u64>| ranked(counts.iter().map(|(&name, &n)| (name, n)));
        let (users, hosts) = (rank(&self.users), rank(&self.hosts));
        let share = f64::from(found.lost) / found.ends.max(1) as f64;
        let said = Sentence::default()
            .count(found.lost.into())
            .text(" of ")
            .count(found.ends)
            .text(" sessions of ")
            .name(name);
        let mut said = match cause {
            Cause::Lost => said.text(format!(
                " ended because the client was lost, most by {reason}"
            )),
            Cause::Timeout => said.text(format!(" were ended by {reason}")),
            Cause::Administrator => said.text(" were ended by an administrator"),
        };
        if let Some(before) = found.before {
            said = said.text(format!(
                "; {:.1} % now, {:.1} % before",
                share * 100.0,
                before * 100.0
            ));
        }
        let test = Sentence::default().text(format!(
            "{ENDS_MIN} such ends and {:.0} % of all within four hours, in {BUCKETS_MIN} quarters of an hour or more, and {TIMES_BEFORE} times the share before",
            SHARE * 100.0
        ));
        let advice = match cause {
            Cause::Lost => {
                "look for what kills clients or cuts connections: memory limits of their containers, deploys without a drain, idle timeouts of firewalls and load balancers; tcp_keepalives_idle = 60 on the server keeps such connections alive and finds the dead ones"
            }
            Cause::Timeout => {
                "nothing, if the timeout is meant for it; else the application holds sessions or transactions for too long: have it close them, or its pool drop idle ones earlier than the server does"
            }
            Cause::Administrator => {
                "nothing, if somebody meant it: pg_terminate_backend was called, or a tool calls it"
            }
        };
        let is_lost = cause == Cause::Lost;
        let (since, until) = (found.since, found.until);
        let mut figures = vec![
            ("ends", Figure::Count(found.ends)),
            ("lost", Figure::Count(found.lost.into())),
            ("share", Figure::Number((share * 1000.0).round() / 1000.0)),
            ("buckets", Figure::Count(found.buckets as u64)),
            ("reason", Figure::Word(reason)),
        ];
        if let Some(before) = found.before {
            figures.push((
                "share_before",
                Figure::Number((before * 1000.0).round() / 1000.0),
            ));
        }
        if is_lost {
            figures.push(("client_host", judge.figure(Dimension::ClientHost, &hosts)));
        }
        Finding {
            kind: Kind::LostClients,
            severity: if is_lost {
                Severity::Warning
            } else {
                Severity::Info
            },
            server: self.server,
            since,
            until,
            who: Who {
                application_name: judge.who(Dimension::ApplicationName, self.name),
                user: judge.only(Dimension::User, &users).filter(|_| is_lost),
                client_host: judge
                    .only(Dimension::ClientHost, &hosts)
                    .filter(|_| is_lost),
                ..Who::default()
            },
            said,
            figures,
            test,
            advice: Sentence::from(advice),
            command: vec![
                Argument::Word("sessions"),
                Argument::Named("--app", name.into()),
                Argument::At("--since", since),
                Argument::At("--until", until.plus_ms(1)),
            ],
        }
    }
}

impl Bucket {
    fn add(&mut self, other: &Bucket) {
        self.ends += other.ends;
        for (sum, n) in self.by.iter_mut().zip(other.by) {
            *sum = sum.saturating_add(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use pgcensus_log::event::ServerEvent;
    use proptest::prelude::*;

    use super::super::scene::{DAY, HOUR, How, MINUTE, SECOND, Scene, client};
    use super::*;

    /// Sessions once in ten seconds, of which one in so many ends like this from then on.
    fn scene(from: i64, to: i64, reason: EndReason, since: i64, one_in: i64) -> Scene {
        let mut scene = Scene::default();
        for at in (from..to).step_by(10_000) {
            let is_lost = at >= since && (at / 10_000) % one_in == 0;
            let how = How {
                end: is_lost.then_some(reason),
                ..How::default()
            };
            scene.session_as(at, &client("api", "app", "10.0.0.7"), SECOND, how);
        }
        scene
    }

    #[test]
    fn many_clients_that_vanish_are_lost_and_a_few_are_not() {
        let said = |reason, since, one_in| scene(0, 6 * HOUR, reason, since, one_in).said();
        let lost = ["warning lost_clients of api, app, 10.0.0.7"];
        assert_eq!(said(EndReason::Reset, 4 * HOUR, 10), lost);
        assert_eq!(said(EndReason::EofInTransaction, 4 * HOUR, 10), lost);
        assert_eq!(said(EndReason::Reset, 0, 10), lost, "from the begin on");
        assert_eq!(said(EndReason::Reset, 4 * HOUR, 100), [""; 0]);
        assert_eq!(
            said(EndReason::Reset, 6 * HOUR - 20 * MINUTE, 2),
            [""; 0],
            "one event"
        );
        assert_eq!(
            said(EndReason::IdleSessionTimeout, 0, 10),
            ["info lost_clients of api"]
        );
        assert_eq!(
            said(EndReason::Administrator, 0, 10),
            ["info lost_clients of api"]
        );
        assert_eq!(said(EndReason::FastShutdown, 0, 2), [""; 0]);
        let found = scene(0, 6 * HOUR, EndReason::Reset, 4 * HOUR, 10).findings();
        assert_eq!(found[0].since, Instant(4 * HOUR + SECOND));
    }

    #[test]
    fn what_an_application_has_always_done_is_compared_with() {
        let mut before = scene(0, DAY, EndReason::Reset, 0, 16);
        assert_eq!(before.said().len(), 1);
        // From its begin on it loses 6 %; that is told from its begin on, and 8 % are nothing new.
        let since = before.findings()[0].since;
        assert_eq!(since, Instant(SECOND));
        before = scene(0, DAY, EndReason::Reset, 0, 25);
        for at in (DAY..DAY + 4 * HOUR).step_by(10_000) {
            let end = ((at / 10_000) % 15 == 0).then_some(EndReason::Reset);
            let how = How {
                end,
                ..How::default()
            };
            before.session_as(at, &client("api", "app", "10.0.0.7"), SECOND, how);
        }
        assert_eq!(before.said(), [""; 0], "not twice its share of 4 %");
    }

    #[test]
    fn the_server_itself_loses_nobody() {
        let mut scene = Scene::default();
        for hour in 0..6 {
            scene.server(hour * HOUR, ServerEvent::TerminatingOthers);
            for i in 0..20 {
                let how = How {
                    end: Some(EndReason::Reset),
                    ..How::default()
                };
                let at = hour * HOUR + i * SECOND;
                scene.session_as(at, &client("api", "app", "10.0.0.7"), SECOND, how);
            }
        }
        assert_eq!(scene.said(), [""; 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Ten times the duration at the same rate, another zone, another order of lines: the same verdicts.
        #[test]
        fn no_verdict_depends_on_the_length_of_the_log_its_zone_or_its_files(
            one_in in 2..40i64,
            quarters in -48..=48i64,
        ) {
            let short = scene(0, 4 * HOUR, EndReason::Reset, 0, one_in);
            let said = short.said();
            prop_assert_eq!(&scene(0, 40 * HOUR, EndReason::Reset, 0, one_in).said(), &said);
            prop_assert_eq!(&short.moved(quarters * 15 * MINUTE).said(), &said);
        }
    }
}
