//! Storm: many clients connect at once, far more than usual.
//!
//! Connects are counted in ticks of 10 s: long enough that a pool which reconnects is in one or two, short enough that an hour
//! of traffic is not. What is usual is the median of all windows of the log, the empty ones too; a
//! window that lies far above the median so far is kept, and judged by that of the whole log at the end. Windows close to each
//! other are one storm. One that comes back at the same minute of the hour, or of the day, is a job and no storm.

use pgcensus_log::event::ServerEvent;
use rustc_hash::FxHashMap;

use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::{GroupId, Groups};
use super::tally::Tally;
use super::{Judge, SESSIONS_MIN, Seen, TICK_MS, tick};
use crate::change::What;
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId};

/// So many connects in a window: a pool or two; fewer, a server forks without being noticed.
const CONNECTS_MIN: u32 = 50;

/// So many times the median of all windows: traffic that doubles or trebles is a busy hour.
const TIMES: u64 = 10;

/// Storms no farther apart are one: clients that were not served come again within a minute.
const APART_MS: i64 = 60_000;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What recurs is a schedule: so long apart, so much earlier or later at most (jobs of a day or a week begin with a random
/// delay, or wait for others), so many times. Two storms at the same minutes of a week are no chance; at those of a
/// day, with ten storms in the log, one pair of them would be.
const SCHEDULES: [(i64, i64, usize); 3] = [
    (HOUR_MS, MINUTE_MS, 3),
    (DAY_MS, 5 * MINUTE_MS, 3),
    (7 * DAY_MS, 5 * MINUTE_MS, 2),
];

/// After a restart everybody reconnects; that it takes longer than this is worth a warning.
const RESTART_MS: i64 = 120_000;

/// Where so many hosts have this share of all connects, as many sessions had just ended and nobody is refused, it is a pooler, or a pair
/// of them, that was reloaded. Not all, since others connect meanwhile. Nobody has to act; it is good to know.
const POOLERS: usize = 2;
const REPLACED_SHARE: f64 = 0.8;

/// Windows that are kept at most of one server; further ones are not told.
const BURSTS_MAX: usize = 10_000;

/// Connects of a window that are told apart for the median; more count as this.
const COUNT_MAX: usize = 10_000;

/// The fold.
#[derive(Default)]
pub(super) struct Storm {
    /// By [`ServerId`].
    servers: Vec<Server>,
    /// By [`GroupId`]: the window in which it last connected, and how often.
    groups: Vec<(i64, u32)>,
}

/// The windows of one server.
#[derive(Default)]
struct Server {
    window: Window,
    /// The one before, for what came just before a storm.
    before: Window,
    usual: Median,
    bursts: Vec<Burst>,
}

/// What came in one window.
#[derive(Default)]
struct Window {
    /// Which, counted from 1970; `None`: none yet.
    number: Option<i64>,
    /// The first connect and the last.
    first: Instant,
    last: Instant,
    connects: u32,
    refused: u32,
    /// Refused for something else than that the server is not ready.
    turned_away: u32,
    /// Of sessions that a storm which begins in it has not opened.
    ended: u32,
    /// Who connected.
    groups: Vec<GroupId>,
}

/// A window far above the median, or several close to each other.
struct Burst {
    since: Instant,
    until: Instant,
    connects: u64,
    /// The most in one window.
    most: u32,
    refused: u64,
    turned_away: u64,
    /// Sessions that ended just before.
    ended_before: u64,
    applications: FxHashMap<NameId, u64>,
    users: FxHashMap<NameId, u64>,
    hosts: FxHashMap<NameId, u64>,
}

impl Storm {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        match seen.what {
            What::Refused(refusal) => {
                let window = self.window(refusal.server, seen.at, groups);
                window.refused += 1;
                window.turned_away += u32::from(!is_not_ready(refusal.reason));
            }
            What::Closed(session) if session.session_time_ms.is_none_or(is_older) => {
                self.window(session.server, seen.at, groups).ended += 1;
            }
            What::Opened(_)
            | What::TakenBack(_)
            | What::Closed(_)
            | What::Probe(_)
            | What::Server(..) => {}
        }
    }

    pub(super) fn add(&mut self, id: GroupId, tally: &Tally, groups: &Groups) {
        let window = self.window(tally.server, tally.at, groups);
        window.ended += tally.ended.older;
        if tally.opened == 0 {
            return;
        }
        if window.connects == 0 {
            (window.first, window.last) = (tally.first, tally.last);
        }
        window.first = window.first.min(tally.first);
        window.last = window.last.max(tally.last);
        window.connects += tally.opened;
        let number = window.number.unwrap_or_default();
        let at = id.0 as usize;
        if at >= self.groups.len() {
            self.groups.resize(at + 1, (i64::MIN, 0));
        }
        let group = &mut self.groups[at];
        if group.0 != number {
            *group = (number, 0);
            self.servers[usize::from(tally.server.0)]
                .window
                .groups
                .push(id);
        }
        group.1 += tally.opened;
    }

    /// That which goes on at an instant.
    fn window(&mut self, server: ServerId, at: Instant, groups: &Groups) -> &mut Window {
        let server = usize::from(server.0);
        if server >= self.servers.len() {
            self.servers.resize_with(server + 1, Server::default);
        }
        let number = tick(at);
        let server = &mut self.servers[server];
        if server.window.number != Some(number) {
            // A change that comes late counts in the window that is going on.
            server.reach(number, &self.groups, groups);
        }
        &mut server.window
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        for (id, server) in self.servers.iter_mut().enumerate() {
            let server_id = ServerId(id as u16);
            server.settle(&self.groups, judge.groups);
            if !judge.has_log() {
                continue;
            }
            let (first, last) = judge.known.span;
            let windows = (last.since(first) / TICK_MS).max(0) as u64 + 1;
            let usual = server.usual.of(windows);
            let is_far = |burst: &&Burst| u64::from(burst.most) >= TIMES * usual;
            let bursts: Vec<&Burst> = server.bursts.iter().filter(is_far).collect();
            let storms = bursts.iter().filter(|burst| !recurs(burst, &bursts));
            found.extend(storms.filter_map(|storm| verdict(storm, usual, server_id, judge)));
        }
    }
}

fn verdict(storm: &Burst, usual: u64, server: ServerId, judge: &Judge<'_>) -> Option<Finding> {
    if storm.connects < SESSIONS_MIN || judge.are_noise(server, &storm.applications) {
        return None;
    }
    let names = judge.known.names;
    let text = |dimension, name| names.text_of(dimension, name);
    let took = storm.until.since(storm.since);
    let cause = judge.cause(server, storm.since);
    let is_served = storm.turned_away == 0 && took <= RESTART_MS;
    let is_replaced = storm.is_replaced();
    let severity = if is_served && (cause.is_some() || is_replaced) {
        Severity::Info
    } else {
        Severity::Warning
    };
    let first = |by: &FxHashMap<NameId, u64>| {
        let first = by
            .iter()
            .max_by_key(|&(name, n)| (*n, std::cmp::Reverse(*name)));
        first.map(|(name, n)| (*name, *n))
    };
    let application = first(&storm.applications);
    let mut said = Sentence::default()
        .count(storm.connects)
        .text(" connects in ")
        .ms(took)
        .text(" from ")
        .counted(storm.hosts.len() as u64, "host", "hosts");
    if let Some((name, n)) = application {
        said = said
            .text(", ")
            .then(match n {
                n if n == storm.connects => Sentence::from("all"),
                n => Sentence::default().count(n).text(" of them"),
            })
            .text(" of ")
            .name(text(Dimension::ApplicationName, name));
    }
    if let Some((when, event)) = cause {
        said = said
            .text(format!(", after the {} at ", word(*event)))
            .at(when);
    } else if is_replaced {
        let ended = said.text(", in place of ").count(storm.ended_before);
        said = ended.text(" sessions that had just ended: a pooler or application that reconnects");
    } else if storm.ended_before >= storm.connects / 2 {
        let ended = said.text(", after ").count(storm.ended_before);
        said = ended.text(" sessions had just ended");
    }
    said = match storm.refused {
        0 => said.text("; none was refused"),
        n => said.text("; ").count(n).text(" were refused"),
    };
    let named = |dimension, name: Option<(NameId, u64)>| {
        let name = name.filter(|(_, n)| 2 * n > storm.connects)?.0;
        (name != NameId::ABSENT).then(|| Box::from(text(dimension, name)))
    };
    let who = Who {
        application_name: named(Dimension::ApplicationName, application),
        user: named(Dimension::User, first(&storm.users)),
        client_host: named(Dimension::ClientHost, first(&storm.hosts)),
        database: None,
    };
    let advice = Sentence::from(
        "let clients reconnect with a random delay that doubles, and give a deploy fewer instances at once; a pooler before the server takes such a storm without a new backend for each",
    );
    Some(Finding {
        kind: Kind::Storm,
        severity,
        server,
        since: storm.since,
        until: storm.until,
        who,
        said,
        figures: vec![
            ("connects", Figure::Count(storm.connects)),
            ("most_in_10_s", Figure::Count(storm.most.into())),
            ("median_in_10_s", Figure::Count(usual)),
            ("hosts", Figure::Count(storm.hosts.len() as u64)),
            ("refused", Figure::Count(storm.refused)),
            ("ended_before", Figure::Count(storm.ended_before)),
        ],
        test: Sentence::default()
            .count(storm.most.into())
            .text(" connects within 10 s: a storm from ")
            .count(CONNECTS_MIN.into())
            .text(format!(
                " on, if it is {TIMES} times the median of such stretches (here {usual}) and does not recur at the same minutes of the hour, day or week"
            )),
        advice,
        command: vec![
            Argument::Word("events"),
            Argument::At("--since", storm.since),
            Argument::At("--until", storm.until),
        ],
    })
}

/// Others came at the same minutes of the hour in other hours, of the day on other days, or of the week in other weeks.
fn recurs(burst: &Burst, all: &[&Burst]) -> bool {
    SCHEDULES.into_iter().any(|(period_ms, early_ms, times)| {
        let mut periods: Vec<i64> = all
            .iter()
            .filter_map(|other| {
                let apart = other.since.since(burst.since);
                let period = (apart + period_ms / 2).div_euclid(period_ms);
                let early = (apart - period * period_ms).abs();
                (early < early_ms).then_some(period)
            })
            .collect();
        periods.dedup();
        periods.len() >= times
    })
}

/// A session of this length did not open in the window in which it ended.
#[inline]
pub(super) fn is_older(time_ms: u64) -> bool {
    time_ms >= TICK_MS as u64
}

impl Server {
    /// The window that is going on is over, and those up to this one are empty.
    fn reach(&mut self, number: i64, counts: &[(i64, u32)], groups: &Groups) {
        if self.window.number.is_some_and(|now| number <= now) {
            return;
        }
        self.settle(counts, groups);
        let mut groups = std::mem::take(&mut self.before.groups);
        groups.clear();
        let next = Window {
            number: Some(number),
            groups,
            ..Window::default()
        };
        self.before = std::mem::replace(&mut self.window, next);
    }

    /// Looks at the window that is going on as if it were over.
    fn settle(&mut self, counts: &[(i64, u32)], groups: &Groups) {
        let window = &self.window;
        let Some(number) = window.number else { return };
        self.usual.add(window.connects, number);
        let has_room = self.bursts.len() < BURSTS_MAX;
        let since = Instant(number * TICK_MS);
        let last = self.bursts.last_mut();
        let last = last.filter(|last| since.since(last.until) <= APART_MS);
        let is_burst = window.connects >= CONNECTS_MIN
            && u64::from(window.connects) >= TIMES * self.usual.so_far(number);
        match last {
            // Who was refused in the minute after it was refused because of it.
            Some(last) if !is_burst => {
                last.refused += u64::from(window.refused);
                last.turned_away += u64::from(window.turned_away);
            }
            Some(last) => last.add(window, counts, groups),
            None if is_burst && has_room => {
                let is_next = self.before.number == Some(number - 1);
                let before = if is_next { self.before.ended } else { 0 };
                let mut burst = Burst {
                    since: window.first,
                    until: window.last,
                    connects: 0,
                    most: 0,
                    refused: 0,
                    turned_away: 0,
                    ended_before: u64::from(before + window.ended),
                    applications: FxHashMap::default(),
                    users: FxHashMap::default(),
                    hosts: FxHashMap::default(),
                };
                burst.add(window, counts, groups);
                self.bursts.push(burst);
            }
            None => {}
        }
    }
}

impl Burst {
    /// One or two clients have new sessions for old ones.
    fn is_replaced(&self) -> bool {
        let hosts = self.hosts.iter();
        let known = hosts.filter(|(host, _)| **host != NameId::ABSENT);
        let mut known: Vec<u64> = known.map(|(_, &n)| n).collect();
        known.sort_unstable_by(|a, b| b.cmp(a));
        let most: u64 = known.iter().take(POOLERS).sum();
        let least = REPLACED_SHARE * self.connects as f64;
        self.refused == 0 && most as f64 >= least && self.ended_before as f64 >= least
    }

    fn add(&mut self, window: &Window, counts: &[(i64, u32)], groups: &Groups) {
        self.until = window.last;
        self.connects += u64::from(window.connects);
        self.most = self.most.max(window.connects);
        self.refused += u64::from(window.refused);
        self.turned_away += u64::from(window.turned_away);
        for &id in &window.groups {
            let key = groups.get(id).key;
            let n = u64::from(counts[id.0 as usize].1);
            *self.applications.entry(key.application_name).or_default() += n;
            *self.users.entry(key.user).or_default() += n;
            *self.hosts.entry(key.client_host).or_default() += n;
        }
    }
}

/// The median of counts that are mostly small.
#[derive(Default)]
struct Median {
    /// How many windows had so many connects, from one on.
    windows: Vec<u32>,
    /// The first window.
    first: Option<i64>,
    all: u64,
}

impl Median {
    fn add(&mut self, connects: u32, number: i64) {
        self.first.get_or_insert(number);
        if connects == 0 {
            return;
        }
        let count = (connects as usize).min(COUNT_MAX);
        if count >= self.windows.len() {
            self.windows.resize(count + 1, 0);
        }
        self.windows[count] += 1;
        self.all += 1;
    }

    /// The median of so many windows; those that are not counted had none.
    fn of(&self, windows: u64) -> u64 {
        let windows = windows.max(self.all);
        let mut below = windows - self.all;
        let half = windows / 2;
        for (count, &n) in self.windows.iter().enumerate() {
            if below > half {
                return count.saturating_sub(1) as u64;
            }
            below += u64::from(n);
            if below > half {
                return count as u64;
            }
        }
        self.windows.len().saturating_sub(1) as u64
    }

    /// The median up to this window.
    fn so_far(&self, number: i64) -> u64 {
        let first = self.first.unwrap_or(number);
        self.of((number - first).max(0) as u64 + 1)
    }
}

/// Refused because the server was not ready, SQLSTATE 57P03: clients that wait for it come again.
fn is_not_ready(reason: RefusalReason) -> bool {
    matches!(
        reason,
        RefusalReason::StartingUp
            | RefusalReason::NotAcceptingYet
            | RefusalReason::ShuttingDown
            | RefusalReason::InRecovery
    )
}

fn word(event: ServerEvent) -> &'static str {
    match event {
        ServerEvent::Starting { .. }
        | ServerEvent::Startup { crashed: false }
        | ServerEvent::Ready => "server start",
        ServerEvent::Startup { crashed: true }
        | ServerEvent::ChildCrashed { .. }
        | ServerEvent::TerminatingOthers
        | ServerEvent::Reinitializing => "crash",
        ServerEvent::SmartShutdown
        | ServerEvent::FastShutdown
        | ServerEvent::ImmediateShutdown
        | ServerEvent::ShuttingDown
        | ServerEvent::ShutDown => "shutdown",
        ServerEvent::Reloading => "reload",
    }
}
