//! Lost clients: an application whose sessions end by a reset or by nobody being there any more, and not by its
//! saying goodbye. What the server's own timeouts and an administrator end is told as info.
//!
//! Ends are counted in buckets, of which those are kept that have one of these; when the log has been read, the
//! stretch is looked for in which it was worse than before (`lost_clients/stretch.rs`).

mod stretch;

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
use stretch::{BUCKETS_MIN, Bucket, ENDS_MIN, Other, SHARE, Stretch, TIMES};

/// A bucket: what happens in one of them is one event, a switch that failed or a laptop that was closed.
const BUCKET_MS: i64 = 15 * 60_000;

/// Buckets that are kept at most, of all applications; for more, each becomes twice as long.
const BUCKETS_MAX: usize = 262_144;

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
pub(super) struct LostClients {
    /// By [`GroupId`]: the number of its application.
    groups: Vec<u32>,
    applications: Vec<Application>,
    bucket_ms: i64,
    /// Buckets that are kept.
    kept: usize,
    ids: FxHashMap<(ServerId, NameId), u32>,
    /// By [`ServerId`]: until then, what the server did is why sessions end.
    muted_until: Vec<Instant>,
}

/// How the sessions of an application ended.
struct Application {
    server: ServerId,
    name: NameId,
    /// The bucket that is going on, counted from 1970.
    number: i64,
    /// All ends before it, and in it.
    ends_before: u64,
    ends: u64,
    /// Of those in it.
    lost: [Lost; CAUSES.len()],
    /// What is over, by cause.
    buckets: [Vec<Bucket>; CAUSES.len()],
    /// Who was lost.
    users: FxHashMap<NameId, u64>,
    hosts: FxHashMap<NameId, u64>,
    reasons: FxHashMap<EndReason, u64>,
}

/// Ends by one cause.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    sessions: u64,
    first: Instant,
    last: Instant,
}

impl Default for LostClients {
    fn default() -> Self {
        LostClients {
            groups: Vec::new(),
            applications: Vec::new(),
            bucket_ms: BUCKET_MS,
            kept: 0,
            ids: FxHashMap::default(),
            muted_until: Vec::new(),
        }
    }
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
        if let Some(application) = self.application(seen.group, groups, seen.at) {
            application.ended(session, seen.at);
        }
    }

    /// Sessions that ended as they should.
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally, groups: &Groups) {
        if tally.unexplained > 0
            && let Some(application) = self.application(group, groups, tally.at)
        {
            application.ends += u64::from(tally.unexplained);
        }
    }

    /// What the server did explains why sessions end.
    #[inline]
    pub(super) fn is_muted(&self, server: ServerId, at: Instant) -> bool {
        let until = self.muted_until.get(usize::from(server.0));
        until.is_some_and(|until| at <= *until)
    }

    /// That of a group, with the bucket of an instant going on; `None`: it has no group, or found no room.
    fn application(
        &mut self,
        group: GroupId,
        groups: &Groups,
        at: Instant,
    ) -> Option<&mut Application> {
        let id = group.0 as usize;
        let known = self.groups.get(id).copied().unwrap_or(u32::MAX);
        let number = match known {
            u32::MAX => self.number(id, groups),
            number => number,
        } as usize;
        let bucket = at.0.div_euclid(self.bucket_ms);
        // What comes late counts in the bucket that is going on.
        if bucket > self.applications.get(number)?.number {
            self.reach(number, bucket);
        }
        self.applications.get_mut(number)
    }

    /// The bucket of an application that is going on is over.
    #[cold]
    fn reach(&mut self, number: usize, bucket: i64) {
        let application = &mut self.applications[number];
        self.kept += application.settle();
        application.number = bucket;
        while self.kept > BUCKETS_MAX {
            self.bucket_ms = self.bucket_ms.saturating_mul(2);
            let applications = self.applications.iter_mut();
            self.kept = applications.map(Application::widen).sum();
        }
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
            application.settle();
            let noise = FxHashMap::from_iter([(application.name, 1)]);
            if judge.are_noise(application.server, &noise) {
                continue;
            }
            for cause in CAUSES {
                if let Some(stretch) = application.worse(cause) {
                    found.push(application.finding(judge, cause, &stretch));
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
            ends_before: 0,
            ends: 0,
            lost: [Lost::default(); CAUSES.len()],
            buckets: [const { Vec::new() }; CAUSES.len()],
            users: FxHashMap::default(),
            hosts: FxHashMap::default(),
            reasons: FxHashMap::default(),
        }
    }

    /// A session ended, for whatever reason.
    fn ended(&mut self, session: &Session, at: Instant) {
        self.ends += 1;
        let Some((reason, cause)) = session
            .end_reason
            .and_then(|reason| Some((reason, Cause::of(reason)?)))
        else {
            return;
        };
        let lost = &mut self.lost[cause as usize];
        if lost.sessions == 0 {
            lost.first = at;
        }
        lost.last = at;
        lost.sessions += 1;
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

    /// The bucket that is going on is over: so many more are kept.
    fn settle(&mut self) -> usize {
        let (before, ends) = (self.ends_before, std::mem::take(&mut self.ends));
        self.ends_before += ends;
        let mut more = 0;
        for (lost, buckets) in self.lost.iter_mut().zip(&mut self.buckets) {
            let Lost {
                sessions: lost @ 1..,
                first,
                last,
            } = std::mem::take(lost)
            else {
                continue;
            };
            let bucket = Bucket {
                number: self.number,
                before,
                ends,
                lost,
                first,
                last,
            };
            let last = buckets.last_mut();
            if let Some(last) = last.filter(|last| last.number == bucket.number) {
                last.add(&bucket);
            } else {
                buckets.push(bucket);
                more += 1;
            }
        }
        more
    }

    /// Buckets become twice as long: so many remain.
    fn widen(&mut self) -> usize {
        self.number = self.number.div_euclid(2);
        for buckets in &mut self.buckets {
            for bucket in &mut *buckets {
                bucket.number = bucket.number.div_euclid(2);
            }
            buckets.dedup_by(|next, bucket| {
                let is_same = next.number == bucket.number;
                if is_same {
                    bucket.add(next);
                }
                is_same
            });
        }
        self.buckets.iter().map(Vec::len).sum()
    }

    /// When there were too many ends of this cause. A timeout is told as it is, since somebody set it.
    fn worse(&self, cause: Cause) -> Option<Stretch> {
        let buckets = &self.buckets[cause as usize];
        match cause {
            Cause::Lost => stretch::worse(buckets, self.ends_before),
            Cause::Timeout | Cause::Administrator => stretch::many(buckets),
        }
    }

    fn finding(&self, judge: &Judge<'_>, cause: Cause, found: &Stretch) -> Finding {
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
        let share = found.ends.share();
        let said = Sentence::default()
            .count(found.ends.lost)
            .text(" of ")
            .count(found.ends.all)
            .text(" sessions of ")
            .name(name);
        let mut said = match cause {
            Cause::Lost => said.text(format!(
                " ended because the client was lost, most by {reason}"
            )),
            Cause::Timeout => said.text(format!(" were ended by {reason}")),
            Cause::Administrator => said.text(" were ended by an administrator"),
        };
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        said = match found.other {
            Some(Other::Before(before)) => said.text(format!(
                "; {}, against {} before",
                percent(share),
                percent(before)
            )),
            Some(Other::After(after)) => said.text(format!(
                "; {} since the log begins, against {} after",
                percent(share),
                percent(after)
            )),
            None => said,
        };
        let mut test = Sentence::default().text(format!(
            "{ENDS_MIN} such ends or more and {:.0} % of all, in {BUCKETS_MIN} quarters of an hour or more",
            SHARE * 100.0
        ));
        if found.other.is_some() {
            test = test.text(format!(
                ", and {TIMES} times the share before, or after where the log begins with them, by more than chance"
            ));
        }
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
        let thousandth = |share: f64| Figure::Number((share * 1000.0).round() / 1000.0);
        let mut figures = vec![
            ("ends", Figure::Count(found.ends.all)),
            ("lost", Figure::Count(found.ends.lost)),
            ("share", thousandth(share)),
            ("buckets", Figure::Count(found.buckets as u64)),
            ("reason", Figure::Word(reason)),
        ];
        match found.other {
            Some(Other::Before(before)) => figures.push(("share_before", thousandth(before))),
            Some(Other::After(after)) => figures.push(("share_after", thousandth(after))),
            None => {}
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
        assert_eq!(said(EndReason::Reset, 0, 10), [""; 0], "as it always did");
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

    /// Sessions of one application, one each so often, of which so many in a hundred are reset at each time.
    fn seldom(to: i64, every: i64, percent: impl Fn(i64) -> u64) -> Scene {
        let mut scene = Scene::default();
        for (i, at) in (0..to).step_by(every as usize).enumerate() {
            // As even as chance is not, and without a rhythm.
            let draw = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            let how = How {
                end: (draw % 100 < percent(at)).then_some(EndReason::Reset),
                ..How::default()
            };
            scene.session_as(at, &client("mobile", "app", "10.0.0.7"), SECOND, how);
        }
        scene
    }

    #[test]
    fn what_an_application_has_always_done_is_not_told() {
        for percent in [6, 10, 30, 60, 95, 100] {
            for (to, every) in [
                (6 * HOUR, 3 * MINUTE),
                (3 * DAY, 3 * MINUTE),
                (DAY, 45 * SECOND),
            ] {
                let scene = seldom(to, every, |_| percent);
                assert_eq!(
                    scene.said(),
                    [""; 0],
                    "{percent} % for {to} ms, every {every}"
                );
            }
        }
        let worse = |now| seldom(2 * DAY, MINUTE, |at| if at < DAY { 4 } else { now }).said();
        assert_eq!(worse(6), [""; 0], "not twice its share of 4 %");
        assert_eq!(worse(12).len(), 1);
    }

    #[test]
    fn trouble_begins_where_it_began_however_seldom_sessions_end() {
        for (every, now) in [(12 * MINUTE, 40), (8 * MINUTE, 45), (3 * MINUTE, 20)] {
            let scene = seldom(3 * DAY, every, |at| if at < DAY { 0 } else { now });
            let found = scene.findings();
            assert_eq!(found.len(), 1, "{every} {now}");
            let late = found[0].since.since(Instant(DAY));
            assert!((0..2 * HOUR).contains(&late), "{every} {now}: {late}");
            assert!(
                found[0]
                    .figures
                    .contains(&("share_before", Figure::Number(0.0)))
            );
        }
    }

    #[test]
    fn trouble_with_which_the_log_begins_is_told_where_it_is_over() {
        let scene = seldom(2 * DAY, MINUTE, |at| if at < 9 * HOUR { 40 } else { 2 });
        let found = scene.findings();
        assert_eq!(found.len(), 1);
        assert!(found[0].until <= Instant(10 * HOUR));
        assert!(
            found[0]
                .figures
                .iter()
                .any(|(name, _)| *name == "share_after")
        );
    }

    #[test]
    fn buckets_become_longer_where_there_are_too_many() {
        let mut application = Application::new(ServerId(0), NameId::ABSENT);
        for number in 0..100 {
            application.number = number;
            application.ends = 10;
            application.lost[0] = Lost {
                sessions: 2,
                first: Instant(number * BUCKET_MS),
                last: Instant(number * BUCKET_MS + 1),
            };
            assert_eq!(application.settle(), 1);
        }
        assert_eq!(application.widen(), 50);
        let all = &application.buckets[0];
        assert!(
            all.iter()
                .all(|bucket| (bucket.ends, bucket.lost) == (20, 4))
        );
        assert_eq!(all[49].before + all[49].ends, 1000);
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
            let short = scene(0, 4 * HOUR, EndReason::Reset, 2 * HOUR, one_in);
            let said = short.said();
            let long = scene(0, 40 * HOUR, EndReason::Reset, 20 * HOUR, one_in);
            prop_assert_eq!(&long.said(), &said);
            prop_assert_eq!(&short.moved(quarters * 15 * MINUTE).said(), &said);
        }
    }
}
