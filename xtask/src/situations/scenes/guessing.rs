//! Wrong passwords, and who only has an old one.

use serde_json::json;

use super::{make, operator, shop};
use crate::situations::client::Who;
use crate::situations::plan::{Act, Finding, HOUR, MINUTE, Plan, password, who};

pub(in crate::situations) fn one_host(plan: &mut Plan) {
    shop(plan, 3.0);
    let guesser = who("", "web", "shop", "203.0.113.66");
    let from = 1.5 * HOUR;
    let last = guesses(plan, from, 60, &guesser);
    plan.findings.push(Finding {
        kind: "brute_force",
        severity: "warning",
        during: [from, last],
        who: json!({"client_host": "203.0.113.66", "user": "web"}),
        figures: json!({"failures": 60}),
    });
}

pub(in crate::situations) fn success(plan: &mut Plan) {
    shop(plan, 3.0);
    let guesser = who("", "web", "shop", "10.0.7.66");
    let from = 1.5 * HOUR;
    let last = guesses(plan, from, 40, &guesser);
    plan.session(last + 8.0, 10.0 * MINUTE, &guesser);
    plan.findings.push(Finding {
        kind: "success_after_failures",
        severity: "critical",
        during: [from, last + 8.0],
        who: json!({"client_host": "10.0.7.66", "user": "web"}),
        figures: json!({"failures": 40}),
    });
}

/// Wrong passwords, one about every eight seconds; when the last was.
fn guesses(plan: &mut Plan, from: f64, count: u32, guesser: &Who) -> f64 {
    let mut at = from;
    for n in 0..count {
        if n > 0 {
            at += plan.between(6.0, 10.0);
        }
        plan.guess(at, guesser);
    }
    at
}

pub(in crate::situations) fn many_users(plan: &mut Plan) {
    shop(plan, 3.0);
    let from = 1.25 * HOUR;
    let mut at = from;
    // Two of them exist.
    let users = [
        "admin", "root", "postgres", "web", "test", "oracle", "backup", "cron",
    ];
    for _ in 0..4 {
        for user in users {
            plan.guess(at, &who("", user, "postgres", "203.0.113.80"));
            at += plan.between(5.0, 20.0);
        }
    }
    plan.findings.push(Finding {
        kind: "spraying",
        severity: "warning",
        during: [from, at],
        who: json!({"client_host": "203.0.113.80"}),
        figures: json!({"failures": 32, "users": 8}),
    });
}

pub(in crate::situations) fn many_hosts(plan: &mut Plan) {
    shop(plan, 3.0);
    let from = 1.5 * HOUR;
    let to = from + 20.0 * MINUTE;
    let mut failures = 0;
    for host in 1..=60 {
        let guesser = who("", "postgres", "postgres", &format!("198.51.100.{host}"));
        for _ in 0..=host % 2 {
            let at = plan.between(from, to);
            plan.guess(at, &guesser);
            failures += 1;
        }
    }
    plan.findings.push(Finding {
        kind: "brute_force",
        severity: "warning",
        during: [from, to],
        who: json!({"user": "postgres"}),
        figures: json!({"failures": failures, "client_hosts": 60}),
    });
}

pub(in crate::situations) fn stale_secret(plan: &mut Plan) {
    const HOURS: f64 = 4.0;
    shop(plan, HOURS);
    make(plan, &["billing"], &[]);
    let billing = who("billing", "billing", "shop", "10.0.4.4");
    let changed = 2.0 * HOUR;
    let fixed = changed + 40.0 * MINUTE;
    plan.rhythm(20.0, changed - MINUTE, 2.0 * MINUTE, 20.0, &billing);
    let operator = plan.open(changed - 30.0, &operator());
    let sql = "ALTER ROLE billing PASSWORD 'a new one'".to_owned();
    plan.act(changed, Act::Query(operator, sql));
    plan.close(changed + 10.0, operator);
    let mut at = changed + 15.0;
    let mut failures = 0;
    while at < fixed {
        plan.attempt(at, &billing, password("billing"));
        failures += 1;
        at += 10.0;
    }
    let mut at = fixed + 5.0;
    while at < HOURS * HOUR {
        let session = plan.attempt(at, &billing, "a new one".to_owned());
        plan.close(at + 20.0, session);
        at += 2.0 * MINUTE;
    }
    plan.findings.push(Finding {
        kind: "stale_secret",
        severity: "warning",
        during: [changed + 15.0, fixed],
        who: json!({"user": "billing", "application_name": "billing", "client_host": "10.0.4.4"}),
        figures: json!({"failures": failures}),
    });
}

pub(in crate::situations) fn health_check_wrong(plan: &mut Plan) {
    const HOURS: f64 = 3.0;
    shop(plan, HOURS);
    let check = who("pg_isready", "root", "root", "[local]");
    let mut at = 2.0;
    let mut attempts = 0;
    while at < HOURS * HOUR {
        plan.guess(at, &check);
        attempts += 1;
        at += 10.0;
    }
    plan.findings.push(Finding {
        kind: "wrong_health_check",
        severity: "warning",
        during: [2.0, HOURS * HOUR],
        who: json!({"user": "root", "client_host": "[local]"}),
        figures: json!({"failures": attempts, "every_seconds": 10}),
    });
}
