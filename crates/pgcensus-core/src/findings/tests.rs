//! Verdicts on made-up logs: what each must be said of, and what not. Logs of servers that were driven into each
//! situation are held against it in the program's `tests/situations.rs`.

mod lasting;
mod lumps;

use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::change::Refusal;
use crate::lives::Lives;
use crate::names::Dimension;
use crate::session::RefusalReason;
use crate::snapshot::Marker;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A log that is written line by line, in any order.
#[derive(Clone, Default)]
struct Log {
    /// When, and what to make of it.
    lines: Vec<(i64, Line)>,
    connections_max: Option<u32>,
}

#[derive(Clone)]
enum Line {
    Opened(&'static str),
    /// One that opened so long ago.
    Closed(&'static str, i64),
    Refused(&'static str, RefusalReason),
    Server(ServerEvent),
}

impl Log {
    /// A session of an application, for so long; `None`: it stays.
    fn session(&mut self, at: i64, application: &'static str, length: Option<i64>) -> &mut Log {
        self.lines.push((at, Line::Opened(application)));
        if let Some(length) = length {
            let closed = Line::Closed(application, length);
            self.lines.push((at + length, closed));
        }
        self
    }

    fn refused(&mut self, at: i64, user: &'static str, reason: RefusalReason) -> &mut Log {
        self.lines.push((at, Line::Refused(user, reason)));
        self
    }

    /// One session of `web` each so often, each for 5 s.
    fn traffic(&mut self, from: i64, to: i64, every: i64) -> &mut Log {
        let times = (from..to).step_by(every as usize);
        times.for_each(|at| {
            self.session(at, "web", Some(5 * SECOND));
        });
        self
    }

    fn findings(&self) -> Vec<Finding> {
        let mut names = Names::of_servers(["pg"]);
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        let span = (lines[0].0, lines[lines.len() - 1].0);
        let mut lives = Lives::default();
        lives.begin(Instant(span.0), Marker::Start);
        lives.saw_authorized();
        lives.saw_disconnection();
        let mut findings = Findings::new(Window::default());
        for (at, line) in lines {
            findings.observe(&Change {
                at: Some(Instant(at)),
                what: line.what(at, &mut names),
                message: Box::default(),
            });
        }
        findings.verdicts(&Known {
            names: &names,
            lives: &[(ServerId(0), &lives)],
            span: (Instant(span.0), Instant(span.1)),
            connections_max: self.connections_max,
        })
    }

    /// What was found, in short: `critical saturation of batch`.
    fn said(&self) -> Vec<String> {
        let findings = self.findings();
        // What a pool would do depends on all there is, and has tests of its own.
        let said = findings
            .iter()
            .filter(|finding| finding.kind != Kind::PoolSize);
        let said = said.map(|finding| {
            let who = &finding.who;
            let names = [
                &who.application_name,
                &who.user,
                &who.database,
                &who.client_host,
            ];
            let names = names.into_iter().flatten();
            let names: Vec<_> = names.map(|name| String::from_utf8_lossy(name)).collect();
            let (severity, kind) = (finding.severity.as_str(), finding.kind.as_str());
            match names.is_empty() {
                true => format!("{severity} {kind}"),
                false => format!("{severity} {kind} of {}", names.join(", ")),
            }
        });
        said.collect()
    }
}

impl Line {
    fn what(self, at: i64, names: &mut Names) -> What {
        let mut session = |application: &str, opened: i64| Session {
            application_name: Some(names.name(Dimension::ApplicationName, application.as_bytes())),
            user: Some(names.name(Dimension::User, b"app")),
            database: Some(names.name(Dimension::Database, b"shop")),
            client_host: Some(names.name(Dimension::ClientHost, b"10.0.0.7")),
            session_start: Some(Instant(opened)),
            authorized_at: Some(Instant(opened)),
            ..Session::new(ServerId(0), Some(1), None)
        };
        match self {
            Line::Opened(application) => What::Opened(Rc::new(session(application, at))),
            Line::Closed(application, length) => {
                let session = session(application, at - length);
                What::Closed(Rc::new(Session {
                    session_end: Some(Instant(at)),
                    session_time_ms: Some(length as u64),
                    end: Some(crate::session::End::Client),
                    ..session
                }))
            }
            Line::Refused(user, reason) => What::Refused(Box::new(Refusal {
                server: ServerId(0),
                pid: Some(2),
                session_id: None,
                walsender: false,
                user: Some(names.name(Dimension::User, user.as_bytes())),
                database: Some(names.name(Dimension::Database, b"shop")),
                application_name: None,
                client_host: Some(names.name(Dimension::ClientHost, b"10.0.0.8")),
                client_port: None,
                received_at: None,
                reason,
                auth: None,
                record: Rc::default(),
                sqlstate: None,
                takes_back: false,
                is_retry: false,
            })),
            Line::Server(event) => What::Server(ServerId(0), None, event),
        }
    }
}

#[test]
fn a_full_server_is_critical_and_who_grew_is_named() {
    let mut log = Log::default();
    log.traffic(0, 2 * HOUR, 30 * SECOND);
    for i in 0..20 {
        log.session(i, "api", None);
        log.session(HOUR + i * SECOND, "batch", None);
    }
    for i in 0..30 {
        log.refused(
            HOUR + MINUTE + i * SECOND,
            "app",
            RefusalReason::TooManyClients,
        );
    }
    assert_eq!(log.said(), ["critical saturation of batch"]);
    let finding = &log.findings()[0];
    assert_eq!(finding.since, Instant(HOUR + MINUTE));
    assert_eq!(finding.until, Instant(HOUR + MINUTE + 29 * SECOND));
    assert!(
        finding
            .figures
            .contains(&("connections", Figure::Count(30)))
    );
}

#[test]
fn a_limit_of_a_role_is_a_throttle_unless_it_turns_away_many() {
    let mut log = Log::default();
    log.traffic(0, HOUR, 6 * SECOND);
    for at in [MINUTE, 20 * MINUTE, 40 * MINUTE] {
        log.refused(at, "app", RefusalReason::RoleLimit);
    }
    assert_eq!(log.said(), ["info saturation of app"]);
    for i in 0..6 {
        log.refused(20 * MINUTE + i * SECOND, "app", RefusalReason::RoleLimit);
    }
    assert_eq!(log.said(), ["info saturation of app"], "for a moment");
    for i in 0..25 {
        log.refused(
            30 * MINUTE + i * 30 * SECOND,
            "app",
            RefusalReason::RoleLimit,
        );
    }
    assert_eq!(log.said(), ["warning saturation of app"]);
}

#[test]
fn peaks_that_rise_each_day_and_come_near_the_limit_are_told_before_anybody_is_refused() {
    let days = |peaks: &[i64]| {
        let mut log = Log {
            connections_max: Some(50),
            ..Log::default()
        };
        for (day, &peak) in (0..).zip(peaks) {
            for i in 0..peak {
                log.session(day * 24 * HOUR + i * MINUTE, "api", Some(12 * HOUR));
            }
        }
        log.session(peaks.len() as i64 * 24 * HOUR, "api", None)
            .said()
    };
    assert_eq!(days(&[30, 36, 41, 46]), ["warning saturation"]);
    assert_eq!(days(&[46, 46, 46, 46]), [""; 0], "a pool of a fixed size");
    assert_eq!(days(&[20, 25, 30, 35]), [""; 0], "far from the limit");
}

/// So many connect within 8 s.
fn deploy(log: &mut Log, at: i64, connects: i64) {
    for i in 0..connects {
        log.session(at + i * 8_000 / connects, "web", Some(20 * MINUTE));
    }
}

#[test]
fn many_connects_at_once_are_a_storm_unless_they_recur_or_the_server_restarted() {
    let mut quiet = Log::default();
    quiet.traffic(0, 5 * HOUR, 20 * SECOND);
    let with = |change: &dyn Fn(&mut Log)| {
        let mut log = quiet.clone();
        change(&mut log);
        log.said()
    };
    let storm = "storm of web, app, 10.0.0.7";
    assert_eq!(quiet.said(), [""; 0]);
    assert_eq!(with(&|log| deploy(log, HOUR, 45)), [""; 0]);
    assert_eq!(
        with(&|log| deploy(log, HOUR, 120)),
        [format!("warning {storm}")]
    );
    let each_hour = |log: &mut Log| (0..5).for_each(|hour| deploy(log, hour * HOUR + MINUTE, 120));
    assert_eq!(with(&each_hour), [""; 0], "a job");
    let busy = |log: &mut Log| {
        log.traffic(0, 5 * HOUR, 500);
        deploy(log, HOUR, 120);
    };
    assert_eq!(with(&busy), [""; 0], "not far above what is usual");
    let restart = |log: &mut Log| {
        let ready = Line::Server(ServerEvent::Ready);
        log.lines.push((HOUR, ready));
        deploy(log, HOUR + 5 * SECOND, 120);
    };
    assert_eq!(with(&restart), [format!("info {storm}")]);
    let refused = |log: &mut Log| {
        restart(log);
        log.refused(HOUR + 6 * SECOND, "app", RefusalReason::PasswordFailed);
    };
    assert_eq!(with(&refused), [format!("warning {storm}")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Ten times the duration at the same rate, another zone, another order of the lines: the same verdicts.
    #[test]
    fn no_verdict_depends_on_the_length_of_the_log_its_zone_or_its_files(
        every in 5_000..40_000i64,
        connects in 20..300i64,
        refused in 0..40i64,
        hours in -12..=12i64,
    ) {
        let log = |from: i64, length: i64| {
            let mut log = Log::default();
            log.traffic(from, from + length, every);
            deploy(&mut log, from + HOUR / 2, connects);
            for i in 0..refused {
                log.refused(from + HOUR + i * 25 * SECOND, "app", RefusalReason::RoleLimit);
            }
            log
        };
        let said = log(0, 2 * HOUR).said();
        prop_assert_eq!(&log(0, 20 * HOUR).said(), &said);
        prop_assert_eq!(&log(hours * HOUR, 2 * HOUR).said(), &said);
        let mut shuffled = log(0, 2 * HOUR);
        shuffled.lines.reverse();
        prop_assert_eq!(&shuffled.said(), &said);
    }
}
