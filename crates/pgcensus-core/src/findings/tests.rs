//! Verdicts on made-up logs: what each must be said of, and what not. Logs of servers that were driven into each
//! situation are held against it in the program's `tests/findings.rs`.

mod lasting;
mod lumps;

use proptest::prelude::*;

use super::scene::{Client, DAY, HOUR, MINUTE, SECOND, Scene, client, short};
use super::*;
use crate::session::RefusalReason;

fn web() -> Client {
    client("web", "app", "10.0.0.7")
}

fn api() -> Client {
    client("api", "app", "10.0.0.8")
}

/// What calls for somebody; how large a pool should be is told of nearly every log.
fn said(log: &Scene) -> Vec<String> {
    let findings = log.findings();
    let told = findings.iter().filter(|f| f.kind != Kind::PoolSize);
    told.map(short).collect()
}

#[test]
fn a_full_server_is_critical_and_who_grew_is_named() {
    let mut log = Scene::default();
    log.traffic(&web(), 0, 2 * HOUR, 30 * SECOND);
    for i in 0..20 {
        log.stays(i, &api());
        log.stays(HOUR + i * SECOND, &client("batch", "app", "10.0.0.9"));
    }
    for i in 0..30 {
        log.refused(
            HOUR + MINUTE + i * SECOND,
            &api(),
            RefusalReason::TooManyClients,
        );
    }
    assert_eq!(said(&log), ["critical saturation of batch"]);
    let finding = &log.findings()[0];
    assert_eq!(finding.since, Instant(HOUR + MINUTE));
    assert_eq!(finding.until, Instant(HOUR + MINUTE + 29 * SECOND));
    assert!(
        finding
            .figures
            .contains(&("connections", Figure::Count(30)))
    );
}

/// Who asks for the refused ones alone still learns who holds the connections.
#[test]
fn whoever_a_filter_leaves_out_holds_a_full_server_all_the_same() {
    let mut log = Scene::default();
    log.traffic(&web(), 0, 2 * HOUR, 30 * SECOND);
    for i in 0..20 {
        log.stays(i, &api());
        log.stays(HOUR + i * SECOND, &client("batch", "app", "10.0.0.9"));
        log.refused(
            HOUR + MINUTE + i * SECOND,
            &api(),
            RefusalReason::TooManyClients,
        );
    }
    let told = |log: &Scene, left_out: &[&str]| {
        let findings = log.findings_without(left_out).into_iter();
        let mut full = findings.filter(|f| f.kind == Kind::Saturation);
        full.next().map(|full| (full.who, full.said, full.figures))
    };
    assert!(told(&log, &[]).is_some());
    for left_out in [&["batch"][..], &["batch", "web"]] {
        assert_eq!(told(&log, left_out), told(&log, &[]), "{left_out:?}");
    }
}

#[test]
fn a_server_full_of_connections_without_a_login_blames_nobody() {
    let full = |pending: i64, pool: i64| {
        let mut log = Scene::default();
        log.traffic(&api(), 0, 2 * HOUR, 20 * SECOND);
        for i in 0..pool {
            log.stays(i * SECOND, &web());
        }
        for i in 0..pending {
            log.never_logs_in(HOUR + i, &format!("10.0.6.{}", i % 5));
        }
        for i in 0..40 {
            let at = HOUR + 20 * SECOND + i * SECOND;
            log.refused(at, &api(), RefusalReason::TooManyClients);
        }
        let mut found = log.findings().into_iter();
        found
            .find(|found| found.kind == Kind::Saturation)
            .expect("full")
    };
    let pending = full(90, 10);
    assert_eq!(pending.who, Who::default());
    assert!(
        pending
            .figures
            .contains(&("not_logged_in", Figure::Count(90)))
    );
    let held = full(3, 90);
    assert_eq!(held.who.application_name.as_deref(), Some(&b"web"[..]));
}

#[test]
fn what_a_server_does_is_the_cause_whatever_a_filter_keeps() {
    let mut log = Scene::default();
    log.traffic(&web(), 0, 5 * HOUR, 20 * SECOND);
    log.traffic(&api(), 0, 5 * HOUR, 20 * SECOND);
    deploy(&mut log, HOUR, 120);
    let severities = |log: &Scene| -> Vec<_> {
        let findings = log.findings_without(&["api"]).into_iter();
        let storms = findings.filter(|f| f.kind == Kind::Storm);
        storms.map(|storm| storm.severity).collect()
    };
    assert_eq!(severities(&log), [Severity::Warning]);
    log.server(HOUR - SECOND, ServerEvent::Ready);
    assert_eq!(severities(&log), [Severity::Info]);
}

#[test]
fn a_limit_of_a_role_is_a_throttle_unless_it_turns_away_many() {
    let mut log = Scene::default();
    log.traffic(&web(), 0, HOUR, 6 * SECOND);
    for at in [MINUTE, 20 * MINUTE, 40 * MINUTE] {
        log.refused(at, &api(), RefusalReason::RoleLimit);
    }
    assert_eq!(said(&log), ["info saturation of app"]);
    for i in 0..6 {
        log.refused(20 * MINUTE + i * SECOND, &api(), RefusalReason::RoleLimit);
    }
    assert_eq!(said(&log), ["info saturation of app"], "for a moment");
    for i in 0..25 {
        log.refused(
            30 * MINUTE + i * 30 * SECOND,
            &api(),
            RefusalReason::RoleLimit,
        );
    }
    assert_eq!(said(&log), ["warning saturation of app"]);
}

#[test]
fn peaks_that_rise_each_day_and_come_near_the_limit_are_told_before_anybody_is_refused() {
    let days = |peaks: &[i64]| {
        let mut log = Scene::default();
        log.connections_max = Some(50);
        for (day, &peak) in (0..).zip(peaks) {
            for i in 0..peak {
                log.session(day * DAY + i * MINUTE, &api(), 12 * HOUR);
            }
        }
        said(log.stays(peaks.len() as i64 * DAY, &api()))
    };
    assert_eq!(days(&[30, 36, 41, 46]), ["warning saturation"]);
    assert_eq!(days(&[46, 46, 46, 46]), [""; 0], "a pool of a fixed size");
    assert_eq!(days(&[20, 25, 30, 35]), [""; 0], "far from the limit");
}

/// So many connect within 8 s.
fn deploy(log: &mut Scene, at: i64, connects: i64) {
    for i in 0..connects {
        log.session(at + i * 8_000 / connects, &web(), 20 * MINUTE);
    }
}

#[test]
fn many_connects_at_once_are_a_storm_unless_they_recur_or_the_server_restarted() {
    let mut quiet = Scene::default();
    quiet.traffic(&web(), 0, 5 * HOUR, 20 * SECOND);
    let with = |change: &dyn Fn(&mut Scene)| {
        let mut log = quiet.clone();
        change(&mut log);
        said(&log)
    };
    let storm = "storm of web, app, 10.0.0.7";
    assert_eq!(said(&quiet), [""; 0]);
    assert_eq!(with(&|log| deploy(log, HOUR, 45)), [""; 0]);
    assert_eq!(
        with(&|log| deploy(log, HOUR, 120)),
        [format!("warning {storm}")]
    );
    let each_hour =
        |log: &mut Scene| (0..5).for_each(|hour| deploy(log, hour * HOUR + MINUTE, 120));
    assert_eq!(with(&each_hour), [""; 0], "a job");
    let each_day = |log: &mut Scene| {
        // A random delay of some minutes.
        for (day, delay) in [130, 20, 60, 240, 150].into_iter().enumerate() {
            deploy(log, day as i64 * DAY + HOUR + delay * SECOND, 120);
        }
    };
    assert_eq!(with(&each_day), [""; 0], "a job with a delay");
    let each_week =
        |log: &mut Scene| (0..2).for_each(|week| deploy(log, 7 * week * DAY + HOUR, 120));
    assert_eq!(with(&each_week), [""; 0], "a weekly job");
    let in_two_days = |log: &mut Scene| (0..2).for_each(|day| deploy(log, day * DAY + HOUR, 120));
    assert_eq!(with(&in_two_days).len(), 2, "no schedule yet");
    let busy = |log: &mut Scene| {
        log.traffic(&web(), 0, 5 * HOUR, 500);
        deploy(log, HOUR, 120);
    };
    assert_eq!(with(&busy), [""; 0], "not far above what is usual");
    let restart = |log: &mut Scene| {
        log.server(HOUR, ServerEvent::Ready);
        deploy(log, HOUR + 5 * SECOND, 120);
    };
    assert_eq!(with(&restart), [format!("info {storm}")]);
    let refused = |log: &mut Scene| {
        restart(log);
        log.refused(HOUR + 6 * SECOND, &api(), RefusalReason::PasswordFailed);
    };
    assert_eq!(with(&refused), [format!("warning {storm}")]);
}

#[test]
fn a_weekend_does_not_vouch_for_a_weekday() {
    // 1970 began with a Thursday: a Monday morning, in a log from Saturday or Friday on.
    const MONDAY: i64 = 4 * DAY;
    let leak = |from: i64| {
        let mut log = Scene::default();
        log.traffic(&web(), from, MONDAY + 11 * HOUR, 10 * MINUTE);
        for i in 0..40 {
            log.stays(MONDAY + 6 * HOUR + i * 7 * MINUTE, &api());
        }
        let mut found = log.findings().into_iter();
        found
            .find(|found| found.kind == Kind::Leak)
            .map(|leak| leak.severity)
    };
    assert_eq!(leak(MONDAY - 2 * DAY), Some(Severity::Info));
    assert_eq!(leak(MONDAY - 3 * DAY), Some(Severity::Warning));
}

#[test]
fn a_first_morning_is_told_from_a_leak_by_what_else_connects() {
    // From five to eleven, others connect once a minute and rise to this many times that at eight.
    let leak = |rises: i64, hosts: i64, added: i64| {
        let mut log = Scene::default();
        log.traffic(&web(), 0, 11 * HOUR, 10 * MINUTE);
        for hour in 0..11 {
            let times = (hour - 4).clamp(1, rises);
            log.traffic(&web(), hour * HOUR, (hour + 1) * HOUR, MINUTE / times);
        }
        for i in 0..added {
            let pool = client("api", "app", &format!("10.0.41.{}", i % hosts));
            log.stays(5 * HOUR + i * 6 * HOUR / added, &pool);
        }
        let found = log.findings().into_iter();
        let mut leaks = found.filter(|found| found.kind == Kind::Leak);
        leaks.next().map(|leak| leak.severity)
    };
    assert_eq!(leak(5, 2, 40), Some(Severity::Info));
    assert_eq!(leak(5, 2, 90), Some(Severity::Info), "45 on each");
    assert_eq!(leak(1, 2, 40), Some(Severity::Warning), "no morning");
    assert_eq!(leak(5, 1, 60), Some(Severity::Warning), "no pool is so big");
    assert_eq!(leak(5, 5, 120), Some(Severity::Warning), "nor so many");
}

#[test]
fn a_pooler_that_reconnects_is_good_to_know() {
    let storm = |hosts: i64, replaced: i64, refused: bool| {
        let mut log = Scene::default();
        log.traffic(&api(), 0, 5 * HOUR, 20 * SECOND);
        let of = |i: i64| client("web", "app", &format!("10.0.30.{}", i % hosts));
        for i in 0..replaced {
            log.session(i * SECOND, &of(i), HOUR - SECOND - i * SECOND);
        }
        for i in 0..60 {
            log.session(HOUR + i * 130, &of(i), 2 * HOUR);
        }
        if refused {
            let full = RefusalReason::RoleLimit;
            log.refused(HOUR + 9 * SECOND, &of(0), full);
        }
        let found = log.findings().into_iter();
        let mut storms = found.filter(|found| found.kind == Kind::Storm);
        storms.next().map(|storm| storm.severity)
    };
    assert_eq!(storm(1, 60, false), Some(Severity::Info));
    assert_eq!(storm(2, 50, false), Some(Severity::Info));
    assert_eq!(storm(6, 60, false), Some(Severity::Warning), "a deploy");
    assert_eq!(storm(1, 30, false), Some(Severity::Warning), "it grows");
    assert_eq!(storm(1, 60, true), Some(Severity::Warning));
}

#[test]
fn a_storm_has_not_ended_what_it_opened() {
    let ended = |replaced: i64, length: i64| {
        let mut log = Scene::default();
        log.traffic(&api(), 0, 5 * HOUR, 20 * SECOND);
        for i in 0..replaced {
            log.session(i * SECOND, &web(), HOUR - 100 - i * SECOND);
        }
        for i in 0..80 {
            log.session(HOUR + i * 50, &web(), length);
        }
        let storm = log
            .findings()
            .into_iter()
            .find(|found| found.kind == Kind::Storm);
        let figures = storm.expect("a storm").figures;
        figures
            .into_iter()
            .find(|(name, _)| *name == "ended_before")
    };
    let count = |n| Some(("ended_before", Figure::Count(n)));
    assert_eq!(ended(0, 2 * SECOND), count(0));
    assert_eq!(ended(80, 2 * SECOND), count(80));
    assert_eq!(ended(0, HOUR), count(0));
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
            let mut log = Scene::default();
            log.traffic(&web(), from, from + length, every);
            deploy(&mut log, from + HOUR / 2, connects);
            for i in 0..refused {
                log.refused(from + HOUR + i * 25 * SECOND, &api(), RefusalReason::RoleLimit);
            }
            log
        };
        let once = said(&log(0, 2 * HOUR));
        prop_assert_eq!(&said(&log(0, 20 * HOUR)), &once);
        prop_assert_eq!(&said(&log(hours * HOUR, 2 * HOUR)), &once);
        prop_assert_eq!(&said(&log(0, 2 * HOUR).moved(0)), &once);
    }
}
