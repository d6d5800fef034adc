//! Many sessions in a short time.

use serde_json::json;

use super::{make, shop};
use crate::situations::client::Who;
use crate::situations::plan::{Act, Finding, HOUR, MINUTE, Plan, who};

pub(in crate::situations) fn churn(plan: &mut Plan) {
    const MINUTES: f64 = 70.0;
    shop(plan, MINUTES / 60.0);
    make(plan, &["php"], &[]);
    let php = who("php", "php", "shop", "10.0.1.51");
    let (from, to) = (40.0 * MINUTE, 61.0 * MINUTE);
    let mut at = from;
    let mut requests = 0;
    while at < to {
        let length = plan.between(0.01, 0.12);
        plan.session(at, length, &php);
        at += plan.between(0.3, 0.6);
        requests += 1;
    }
    plan.findings.push(Finding {
        kind: "churn",
        severity: "warning",
        during: [from, to],
        who: json!({"application_name": "php", "user": "php", "database": "shop", "client_host": "10.0.1.51"}),
        figures: json!({"sessions": requests}),
    });
}

/// Twelve application servers.
fn orders() -> Vec<Who> {
    let hosts = (1..=12).map(|n| format!("10.0.2.{n}"));
    hosts
        .map(|host| who("orders", "orders", "shop", &host))
        .collect()
}

pub(in crate::situations) fn deploy_storm(plan: &mut Plan) {
    shop(plan, 4.0);
    make(plan, &["orders"], &[]);
    let deploy = 2.5 * HOUR;
    for who in orders() {
        for _ in 0..10 {
            let at = 20.0 * MINUTE + plan.between(0.0, 40.0 * MINUTE);
            let old = plan.open(at, &who);
            let moment = deploy + plan.between(0.0, 8.0);
            plan.close(moment, old);
            plan.open(moment + 0.05, &who);
        }
    }
    plan.findings.push(Finding {
        kind: "storm",
        severity: "warning",
        during: [deploy, deploy + 8.5],
        who: json!({"application_name": "orders", "user": "orders", "database": "shop"}),
        figures: json!({"connects": 120}),
    });
}

pub(in crate::situations) fn cron_storm(plan: &mut Plan) {
    const HOURS: f64 = 16.0;
    shop(plan, HOURS);
    make(plan, &["batch"], &[]);
    let hourly = who("hourly", "batch", "shop", "10.0.3.9");
    // The log begins half a minute behind the hour.
    for hour in 1..HOURS as u32 {
        for _ in 0..60 {
            let at = f64::from(hour) * HOUR - 30.0 + plan.between(0.0, 2.0);
            let length = plan.between(5.0, 2.0 * MINUTE);
            plan.session(at, length, &hourly);
        }
    }
}

/// The shop and eighty sessions of the application servers, all of which are gone at once and come back.
fn all_come_back(plan: &mut Plan, first: Act, moment: f64) {
    make(plan, &["web", "cron", "orders"], &["shop"]);
    let cron = who("cron", "cron", "shop", "[local]");
    plan.rhythm(5.0, moment - MINUTE, MINUTE, 1.0, &cron);
    plan.rhythm(moment + MINUTE, 3.0 * HOUR, MINUTE, 1.0, &cron);
    plan.act(moment, first);
    for who in orders() {
        for _ in 0..7 {
            let at = plan.between(5.0, 20.0 * MINUTE);
            plan.open(at, &who);
            let back = moment + plan.between(3.0, 9.0);
            plan.open(back, &who);
        }
    }
}

pub(in crate::situations) fn restart(plan: &mut Plan) {
    all_come_back(plan, Act::Restart(2.5), 1.5 * HOUR);
}

pub(in crate::situations) fn crash(plan: &mut Plan) {
    // The first that is opened.
    let report = who("report", "web", "shop", "10.0.1.21");
    let moment = 1.5 * HOUR;
    let victim = plan.open(2.0, &report);
    let impatient: Vec<Who> = orders().into_iter().cycle().take(15).collect();
    all_come_back(plan, Act::Crash(victim, impatient), moment);
}
