//! Sessions that stay and sessions that do not: leak, churn, pool size, long-lived, and what looks like them.

use std::rc::Rc;

use super::super::scene::refused;
use super::*;
use crate::names::Dimension;
use crate::session::End;
use crate::snapshot::Marker;

/// Sessions as somebody planned them.
#[derive(Clone, Default)]
struct Plan {
    sessions: Vec<Planned>,
    /// All sessions end then, and the server says so afterwards.
    crashes: Vec<i64>,
    /// Clients are refused, since the server is full.
    refusals: Vec<i64>,
    until: i64,
    connections_max: Option<u32>,
}

#[derive(Clone, Copy)]
struct Planned {
    application: &'static str,
    host: u32,
    from: i64,
    /// `None`: it stays.
    long: Option<i64>,
    setup_us: u64,
}

impl Plan {
    /// Of an operator, from begin to end: a log without a line at its end has ended before.
    fn new(until: i64) -> Plan {
        let mut plan = Plan {
            until,
            ..Plan::default()
        };
        plan.rhythm("cron", 1, (0, until + 1), 10 * MINUTE, SECOND);
        plan
    }

    fn open(&mut self, application: &'static str, host: u32, from: i64, long: Option<i64>) {
        self.sessions.push(Planned {
            application,
            host,
            from,
            long,
            setup_us: 5_000,
        });
    }

    /// A session each so often.
    fn rhythm(
        &mut self,
        application: &'static str,
        host: u32,
        (from, to): (i64, i64),
        every: i64,
        long: i64,
    ) {
        let times = (from..to).step_by(every as usize);
        times.for_each(|at| self.open(application, host, at, Some(long)));
    }

    /// One each so often that stays.
    fn leak(&mut self, application: &'static str, host: u32, (from, to): (i64, i64), every: i64) {
        let times = (from..to).step_by(every as usize);
        times.for_each(|at| self.open(application, host, at, None));
    }

    /// A pool whose sessions are replaced when they are so old.
    fn pool(
        &mut self,
        application: &'static str,
        host: u32,
        (from, to): (i64, i64),
        (size, long): (i64, i64),
    ) {
        for n in 0..size {
            // They grow old one after the other.
            let first = (n + 1) * long / size;
            self.open(application, host, from, Some(first.min(to - from)));
            let mut at = from + first;
            while at < to {
                self.open(application, host, at, Some(long.min(to - at)));
                at += long;
            }
        }
    }

    /// The same, so much later.
    fn later(&self, by: i64) -> Plan {
        let mut plan = self.clone();
        plan.sessions
            .iter_mut()
            .for_each(|session| session.from += by);
        plan.crashes.iter_mut().for_each(|at| *at += by);
        plan.until += by;
        plan
    }

    fn findings(&self) -> Vec<Finding> {
        let mut names = Names::of_servers(["pg"]);
        let mut lives = Lives::default();
        let mut changes: Vec<(i64, u8, What)> = Vec::new();
        let mut still_open = Vec::new();
        let begin = self
            .sessions
            .iter()
            .map(|session| session.from)
            .min()
            .unwrap_or_default();
        let begin = begin - SECOND;
        lives.begin(Instant(begin), Marker::Start);
        lives.saw_authorized();
        lives.saw_disconnection();
        for planned in self
            .sessions
            .iter()
            .filter(|planned| planned.from <= self.until)
        {
            let opened = Rc::new(planned.opened(&mut names));
            changes.push((planned.from, 0, What::Opened(opened.clone())));
            let end = planned.long.map_or(i64::MAX, |long| planned.from + long);
            let crash = self
                .crashes
                .iter()
                .find(|&&at| planned.from < at && at <= end);
            let end = crash.map_or((end, End::Client), |&at| (at, End::Server));
            if end.0 > self.until {
                still_open.push(opened);
                continue;
            }
            let closed = Session {
                session_end: Some(Instant(end.0)),
                session_time_ms: Some((end.0 - planned.from) as u64),
                end: Some(end.1),
                ..(*opened).clone()
            };
            changes.push((end.0, 1, What::Closed(Rc::new(closed))));
        }
        let server = |event| What::Server(ServerId(0), None, event);
        changes.push((begin, 0, server(ServerEvent::Starting { major: Some(17) })));
        for &at in &self.crashes {
            changes.push((at, 2, server(ServerEvent::TerminatingOthers)));
            lives.begin(Instant(at), Marker::Crash);
        }
        for &at in &self.refusals {
            let reason = RefusalReason::TooManyClients;
            changes.push((at, 2, refused(&api(), reason, false, &mut names)));
        }
        changes.sort_by_key(|&(at, order, _)| (at, order));
        let mut findings = Findings::new(Window::default());
        for (at, _, what) in changes {
            findings.observe(&Change {
                at: Some(Instant(at)),
                what,
                message: Box::default(),
            });
        }
        for session in still_open {
            findings.still_open(&session, Instant(self.until));
        }
        findings.verdicts(&Known {
            names: &names,
            lives: &[(ServerId(0), &lives)],
            span: (Instant(begin), Instant(self.until)),
            connections_max: self.connections_max,
            hba: None,
            noise: &noise::Folded::default(),
        })
    }

    /// What was found of one of these kinds.
    fn of(&self, kinds: &[Kind]) -> Vec<Finding> {
        let mut findings = self.findings();
        findings.retain(|finding| kinds.contains(&finding.kind));
        findings
    }

    /// Leak and churn, in short.
    fn said(&self) -> Vec<String> {
        let findings = self.of(&[Kind::Leak, Kind::Churn]);
        findings.iter().map(short).collect()
    }
}

impl Planned {
    fn opened(&self, names: &mut Names) -> Session {
        let host = format!("10.0.{}.{}", self.host / 256, self.host % 256);
        let application = (!self.application.is_empty())
            .then(|| names.name(Dimension::ApplicationName, self.application.as_bytes()));
        let session = Session {
            application_name: application,
            user: Some(names.name(Dimension::User, b"app")),
            client_host: Some(names.name(Dimension::ClientHost, host.as_bytes())),
            session_start: Some(Instant(self.from)),
            authorized_at: Some(Instant(self.from)),
            setup_us: Some(self.setup_us),
            ..Session::new(ServerId(0), Some(1), None)
        };
        session.grouped(names)
    }
}

fn figure<'f>(finding: &'f Finding, name: &str) -> &'f Figure {
    let mut figures = finding.figures.iter();
    let figure = figures.find(|(of, _)| *of == name);
    &figure
        .unwrap_or_else(|| panic!("{name} in {:?}", finding.figures))
        .1
}

/// One session of `reports` in two minutes stays.
fn leak() -> Plan {
    let mut plan = Plan::new(5 * HOUR);
    plan.leak("reports", 7, (HOUR, 5 * HOUR), 2 * MINUTE);
    plan
}

#[test]
fn sessions_that_only_grow_are_a_leak() {
    let plan = leak();
    assert_eq!(plan.said(), ["warning leak of reports, app, 10.0.0.7"]);
    let leak = &plan.of(&[Kind::Leak])[0];
    assert_eq!(leak.since, Instant(HOUR), "its first session");
    assert_eq!(leak.until, Instant(5 * HOUR));
    assert_eq!(figure(leak, "open"), &Figure::Count(120));
}

#[test]
fn a_leak_is_found_among_short_sessions_and_beside_a_pool() {
    let mut plan = leak();
    plan.rhythm("reports", 7, (0, 5 * HOUR), 5 * SECOND, 3 * SECOND);
    assert_eq!(plan.of(&[Kind::Leak])[0].since, Instant(HOUR));
    plan.pool("reports", 7, (0, 5 * HOUR), (20, 30 * MINUTE));
    assert_eq!(plan.said(), ["warning leak of reports, app, 10.0.0.7"]);
}

#[test]
fn a_leak_of_an_application_on_several_hosts_is_one() {
    let mut plan = Plan::new(6 * HOUR);
    for host in 10..20 {
        plan.leak(
            "web",
            host,
            (i64::from(host) * SECOND, 6 * HOUR),
            20 * MINUTE,
        );
    }
    assert_eq!(plan.said(), ["warning leak of web, app"]);
}

#[test]
fn a_host_is_told_where_no_application_leaks_by_itself() {
    let mut plan = Plan::new(8 * HOUR);
    for name in ["a", "b", "c", "d", "e", "f"] {
        plan.leak(name, 7, (0, 8 * HOUR), 100 * MINUTE);
        plan.pool(name, 8, (0, 8 * HOUR), (10, HOUR));
    }
    assert_eq!(plan.said(), ["warning leak of app, 10.0.0.7"]);
}

#[test]
fn without_application_names_it_is_the_user_that_leaks() {
    let mut plan = Plan::new(5 * HOUR);
    plan.leak("", 7, (HOUR, 5 * HOUR), 2 * MINUTE);
    let leaks = plan.of(&[Kind::Leak]);
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].who.user.as_deref(), Some(&b"app"[..]));
    assert_eq!(leaks[0].who.application_name, None);
}

#[test]
fn a_leak_that_a_crash_ended_is_told_too() {
    let mut plan = Plan::new(9 * HOUR);
    plan.leak("reports", 7, (HOUR, 5 * HOUR), 2 * MINUTE);
    plan.crashes.push(5 * HOUR);
    assert_eq!(plan.said(), ["warning leak of reports, app, 10.0.0.7"]);
    assert_eq!(plan.of(&[Kind::Leak])[0].until, Instant(5 * HOUR));
    plan.leak("reports", 7, (5 * HOUR + SECOND, 9 * HOUR), 2 * MINUTE);
    let leaks = plan.of(&[Kind::Leak]);
    assert_eq!(leaks.len(), 1, "one finding for both");
    assert_eq!(leaks[0].until, Instant(9 * HOUR));
    assert_eq!(figure(&leaks[0], "times"), &Figure::Count(2));
}

/// Applications whose names differ by a number, one after another.
fn numbered(i: i64) -> &'static str {
    format!("job-{i}").leak()
}

#[test]
fn a_number_in_the_name_hides_no_leak() {
    let mut plan = Plan::new(6 * HOUR);
    for i in 0..100 {
        let at = HOUR + i * 3 * MINUTE;
        plan.open(numbered(i), 7, at, None);
        // Others of them end.
        plan.open(numbered(1_000 + i), 7, at, Some(2 * MINUTE));
    }
    let leaks = plan.of(&[Kind::Leak]);
    assert_eq!(plan.said(), ["warning leak of job-#, app, 10.0.0.7"]);
    assert_eq!(figure(&leaks[0], "open"), &Figure::Count(100));
    let app = Argument::Folded("--app", b"job-#"[..].into());
    assert!(leaks[0].command.contains(&app), "{:?}", leaks[0].command);
    // Of lives that are over, too.
    plan.crashes.push(5 * HOUR);
    assert_eq!(plan.said(), ["warning leak of job-#, app, 10.0.0.7"]);
    assert_eq!(plan.of(&[Kind::Leak])[0].until, Instant(5 * HOUR));
}

#[test]
fn numbered_sessions_that_come_and_go_are_no_leak() {
    for long in [MINUTE, 30 * MINUTE, 3 * HOUR] {
        let mut plan = Plan::new(12 * HOUR);
        for i in 0..240 {
            plan.open(numbered(i), 7, i * 3 * MINUTE, Some(long));
        }
        assert_eq!(plan.said(), [""; 0], "{long}");
    }
    let mut plan = Plan::new(12 * HOUR);
    for i in 0..12 {
        // Workers that come with the traffic, each with a pool of its own.
        for _ in 0..5 {
            plan.open(numbered(i), 20 + i as u32, i * 40 * MINUTE, None);
        }
    }
    assert_eq!(plan.said(), [""; 0], "a fleet that scales");
}

#[test]
fn many_applications_that_leak_on_one_host_are_one_finding() {
    let names: Vec<&str> = "abcdefghijklmnopqrst"
        .chars()
        .map(|c| &*format!("batch {c}").leak())
        .collect();
    let plan = |count: usize| {
        let mut plan = Plan::new(6 * HOUR);
        for (i, name) in names.iter().take(count).enumerate() {
            plan.leak(name, 7, (HOUR, 6 * HOUR), (5 + i as i64) * MINUTE);
        }
        plan
    };
    assert_eq!(plan(3).said().len(), 3);
    let leaks = plan(20).of(&[Kind::Leak]);
    assert_eq!(plan(20).said(), ["warning leak of app, 10.0.0.7"]);
    assert_eq!(figure(&leaks[0], "applications"), &Figure::Count(20));
    let Figure::Ranking(rows) = figure(&leaks[0], "application_name") else {
        panic!("{:?}", leaks[0].figures);
    };
    assert_eq!(
        (rows.len(), &*rows[0].0, rows[0].1),
        (10, &b"batch a"[..], 60)
    );
}

#[test]
fn a_leak_that_each_night_resets_recurs() {
    // An hour of growth tells nothing; those of the days before are told where the server restarted.
    for (hour, every, goes_on) in [
        (1, 10, false),
        (9, 10, true),
        (14, 20, true),
        (23, 20, true),
    ] {
        let end = 4 * DAY + hour * HOUR;
        let plan = |ends: &dyn Fn(i64) -> Option<i64>| {
            let mut plan = Plan::new(end);
            plan.pool("reports", 7, (0, end), (5, 30 * MINUTE));
            for at in (HOUR..end).step_by((every * MINUTE) as usize) {
                plan.open("reports", 7, at, ends(at));
            }
            plan
        };
        // The application restarts at midnight.
        let application = plan(&|at| Some((at / DAY + 1) * DAY + 7 * SECOND - at));
        let mut server = plan(&|_| None);
        server.crashes.extend((1..=4).map(|day| day * DAY));
        let leaks = application.of(&[Kind::Leak]);
        assert_eq!(leaks.len(), usize::from(goes_on), "{hour} {every}");
        if goes_on {
            assert_eq!(figure(&leaks[0], "reset_days"), &Figure::Count(4));
        }
        let leaks = server.of(&[Kind::Leak]);
        assert_eq!(leaks.len(), 1, "{hour} {every}");
        let times = 4 + u64::from(goes_on);
        assert_eq!(
            figure(&leaks[0], "times"),
            &Figure::Count(times),
            "{hour} {every}"
        );
    }
}

#[test]
fn a_leak_that_fills_the_server_within_the_hour_is_critical() {
    let mut plan = leak();
    for (max, severity) in [(140, Severity::Critical), (300, Severity::Warning)] {
        plan.connections_max = Some(max);
        assert_eq!(plan.of(&[Kind::Leak])[0].severity, severity, "{max}");
    }
}

#[test]
fn a_leak_that_has_filled_the_server_is_told_though_nothing_grows_any_more() {
    let mut plan = Plan::new(12 * HOUR);
    plan.leak("reports", 7, (HOUR, 5 * HOUR), 2 * MINUTE);
    assert_eq!(plan.said(), [""; 0], "it found its size");
    plan.refusals = (5 * HOUR..12 * HOUR).step_by(30_000).collect();
    assert_eq!(plan.said(), ["critical leak of reports, app, 10.0.0.7"]);
    assert_eq!(plan.of(&[Kind::Leak])[0].until, Instant(5 * HOUR));
}

/// All that is no leak.
fn innocent() -> Vec<(&'static str, Plan)> {
    let mut all = Vec::new();
    let mut add = |name, hours: i64, make: &dyn Fn(&mut Plan, i64)| {
        let mut plan = Plan::new(hours * HOUR);
        make(&mut plan, hours * HOUR);
        all.push((name, plan));
    };
    add("a pool that warms up", 6, &|plan, _| {
        for n in 0..40 {
            plan.open("api", 7, n * 30 * SECOND, None);
        }
    });
    add(
        "a pool that warms up slowly, less and less",
        6,
        &|plan, _| {
            for n in 0..100 {
                let share = f64::from(n) / 101.0;
                let at = -(1.0 - share).ln() * HOUR as f64;
                plan.open("api", 7, at as i64, None);
            }
        },
    );
    add("a pool of a fixed size", 6, &|plan, end| {
        plan.pool("api", 7, (0, end), (40, 30 * MINUTE));
    });
    add(
        "a pool that grows with the traffic and replaces its sessions",
        8,
        &|plan, end| {
            for n in 0..40 {
                plan.pool("api", 7, (n * 10 * MINUTE, end), (1, 30 * MINUTE));
            }
        },
    );
    add("servers that come with a pool each", 10, &|plan, end| {
        for n in 0..12 {
            for _ in 0..5 {
                plan.open(
                    "web",
                    20 + n,
                    i64::from(n) * 40 * MINUTE + SECOND,
                    Some(end),
                );
            }
        }
    });
    add("people who come in the morning", 12, &|plan, _| {
        for n in 0..60 {
            plan.open(
                "crm",
                30 + n,
                6 * HOUR + i64::from(n) * 3 * MINUTE,
                Some(9 * HOUR),
            );
        }
    });
    add("a pool that is bigger by day", 24 * 3 + 11, &|plan, _| {
        for day in 0..4 {
            for n in 0..40 {
                let from = day * DAY + 6 * HOUR + n * 7 * MINUTE;
                plan.open(
                    "api",
                    7,
                    from,
                    Some(day * DAY + 20 * HOUR + n * 5 * MINUTE - from),
                );
            }
        }
    });
    add(
        "an application that is stopped each evening",
        24 * 3 + 11,
        &|plan, _| {
            for day in 0..4 {
                for n in 0..40 {
                    let from = day * DAY + 6 * HOUR + n * 7 * MINUTE;
                    plan.open("api", 7, from, Some(day * DAY + 20 * HOUR - from));
                }
            }
        },
    );
    add("traffic that rises", 6, &|plan, end| {
        let mut at = 0;
        while at < end {
            plan.open("php", 7, at, Some(20 * SECOND));
            at += 20 * SECOND * HOUR / (at + HOUR / 2);
        }
    });
    add("nine that stay", 8, &|plan, end| {
        plan.leak("api", 7, (0, end - 1), end / 9);
    });
    add("an hour of growth", 3, &|plan, end| {
        plan.leak("api", 7, (end - HOUR, end), MINUTE);
    });
    add("a restart, and everybody comes back", 4, &|plan, end| {
        plan.pool("api", 7, (0, HOUR), (60, end));
        plan.crashes.push(HOUR);
        for n in 0..60 {
            plan.open("api", 7, HOUR + SECOND + n * 5 * SECOND, None);
        }
    });
    all
}

#[test]
fn what_grows_and_stops_or_is_replaced_or_comes_each_day_is_no_leak() {
    for (name, plan) in innocent() {
        assert_eq!(plan.said(), [""; 0], "{name}");
    }
}

#[test]
fn a_leak_is_told_above_the_same_hour_of_earlier_days() {
    let (_, mut plan) = innocent().swap_remove(6);
    let end = plan.until;
    plan.leak("api", 7, (end - 6 * HOUR, end), 3 * MINUTE);
    assert_eq!(plan.said(), ["warning leak of api, app, 10.0.0.7"]);
    let leak = &plan.of(&[Kind::Leak])[0];
    assert_eq!(figure(leak, "earlier_days"), &Figure::Count(3));
}

/// Three sessions a second for 25 minutes.
fn churn(every: i64, minutes: i64, long: i64) -> Plan {
    let mut plan = Plan::new(2 * HOUR);
    let from = 30 * MINUTE + 17 * SECOND;
    plan.rhythm("php", 7, (from, from + minutes * MINUTE), every, long);
    plan
}

#[test]
fn a_session_for_each_request_is_churn_as_long_as_it_goes_on() {
    let plan = churn(330, 25, 50);
    assert_eq!(plan.said(), ["warning churn of php, app"]);
    let churn_of = &plan.of(&[Kind::Churn])[0];
    let since = churn_of.since.0 - (30 * MINUTE + 17 * SECOND);
    assert!(since.abs() <= MINUTE, "{since}");
    for (every, minutes, long, said) in [
        (330, 25, 50, &["warning churn of php, app"][..]),
        (950, 25, 50, &["info churn of php, app"]),
        (1_100, 60, 50, &[]),
        (10, 5, 5, &[]),
        (330, 8, 50, &[]),
        (330, 25, 2_000, &[]),
    ] {
        assert_eq!(
            churn(every, minutes, long).said(),
            said,
            "{every} {minutes} {long}"
        );
    }
}

#[test]
fn churn_whose_setup_is_not_logged_is_good_to_know() {
    let mut plan = churn(330, 25, 50);
    plan.sessions
        .iter_mut()
        .for_each(|session| session.setup_us = 0);
    assert_eq!(plan.said(), ["info churn of php, app"]);
}

#[test]
fn the_pool_that_would_have_served_is_the_peak_and_fewer_mean_waits() {
    let mut plan = Plan::new(4 * HOUR);
    // Ten at once, each for a second, each minute.
    for minute in 0..240 {
        for _ in 0..10 {
            plan.open("api", 7, minute * MINUTE + 30 * SECOND, Some(SECOND));
        }
    }
    let found = plan.of(&[Kind::PoolSize]);
    assert_eq!(found.len(), 1);
    assert_eq!(figure(&found[0], "without_wait"), &Figure::Count(10));
    assert_eq!(figure(&found[0], "size"), &Figure::Count(10));
    // With five, five of ten wait for a second.
    assert_eq!(figure(&found[0], "few"), &Figure::Count(5));
    assert_eq!(figure(&found[0], "few_wait_max_ms"), &Figure::Ms(1_000));
}

#[test]
fn where_clients_have_pools_nothing_is_said_of_one() {
    let mut plan = Plan::new(4 * HOUR);
    plan.pool("api", 7, (0, 4 * HOUR), (40, 30 * MINUTE));
    assert!(plan.of(&[Kind::PoolSize]).is_empty());
}

#[test]
fn what_is_open_for_a_day_is_told_of_tools_and_of_those_whose_others_are_short() {
    let mut plan = Plan::new(32 * HOUR);
    plan.pool("web", 7, (0, 32 * HOUR), (5, 100 * HOUR));
    plan.rhythm("jobs", 7, (0, 32 * HOUR), 15 * MINUTE, 6 * MINUTE);
    let said =
        |plan: &Plan| -> Vec<String> { plan.of(&[Kind::LongLived]).iter().map(short).collect() };
    assert_eq!(said(&plan), [""; 0]);
    plan.open("psql", 9, HOUR, Some(30 * HOUR));
    plan.open("jobs", 7, 2 * HOUR, None);
    plan.open("DBeaver 24.1 - Main", 9, 9 * HOUR, None);
    assert_eq!(
        said(&plan),
        [
            "info long_lived of psql, app, 10.0.0.9",
            "info long_lived of jobs, app, 10.0.0.7"
        ]
    );
}

#[test]
fn neither_ten_times_the_log_nor_another_zone_changes_a_verdict() {
    let mut all = innocent();
    all.push(("a leak", leak()));
    all.push(("churn", churn(330, 25, 50)));
    all.push(("less churn", churn(950, 25, 50)));
    for (name, plan) in &all {
        let said: Vec<String> = plan.findings().iter().map(short).collect();
        for zone in [-11 * HOUR, HOUR, 5 * HOUR + HOUR / 2, 13 * HOUR] {
            let later: Vec<String> = plan.later(zone).findings().iter().map(short).collect();
            assert_eq!(later, said, "{name}, {zone} ms later");
        }
    }
    let rates: [(&str, &dyn Fn(i64) -> Plan); 4] = [
        ("leak", &|hours| {
            let mut plan = Plan::new(hours * HOUR);
            plan.leak("reports", 7, (0, hours * HOUR), 10 * MINUTE);
            plan.rhythm("reports", 7, (0, hours * HOUR), 30 * SECOND, 2 * SECOND);
            plan
        }),
        ("pool", &|hours| {
            let mut plan = Plan::new(hours * HOUR);
            plan.pool("api", 7, (0, hours * HOUR), (20, 30 * MINUTE));
            plan
        }),
        ("traffic", &|hours| {
            let mut plan = Plan::new(hours * HOUR);
            plan.rhythm("php", 7, (0, hours * HOUR), 700, 200);
            plan
        }),
        ("quiet", &Plan::new),
    ];
    for (name, rate) in rates {
        let said = |hours| rate(hours * HOUR / HOUR).said();
        assert_eq!(said(4), said(40), "{name}");
    }
}

#[test]
fn clocks_that_jump_to_the_ends_of_time_do_no_harm() {
    let mut plan = leak();
    for at in [-(1_i64 << 61), 1 << 61] {
        for n in 0..50 {
            plan.open("reports", 7, at + n, Some(n));
        }
    }
    plan.until = i64::MAX - HOUR;
    plan.crashes = vec![i64::MAX - DAY];
    plan.findings();
}
