//! Servers and roles that take no more sessions.

use serde_json::json;

use super::{make, operator, shop};
use crate::situations::plan::{Act, Finding, HOUR, MINUTE, Plan, password, who};

pub(in crate::situations) fn full_server(plan: &mut Plan) {
    shop(plan, 3.0);
    make(plan, &["search"], &[]);
    let search = who("search", "search", "shop", "10.0.1.61");
    // 57 for all but superusers; ten are the shop's.
    let full = 2.0 * HOUR;
    let over = full + 6.0 * MINUTE;
    for n in 0..47_u32 {
        let at = if n < 8 {
            f64::from(n)
        } else {
            full - 6.0 * MINUTE + f64::from(n - 8) / 39.0 * 6.0 * MINUTE
        };
        let session = plan.open(at, &search);
        if n >= 8 {
            let end = over + plan.between(0.0, 20.0);
            plan.close(end, session);
        }
    }
    let mut at = full + 5.0;
    while at < over {
        plan.session(at, 1.0, &search);
        let web = who("web", "web", "shop", "10.0.1.21");
        plan.session(at + 1.0, 1.0, &web);
        at += plan.between(2.0, 4.0);
    }
    plan.findings.push(Finding {
        kind: "saturation",
        severity: "critical",
        during: [full, over],
        who: json!({"application_name": "search", "user": "search", "client_host": "10.0.1.61"}),
        figures: json!({"limit": 60}),
    });
}

pub(in crate::situations) fn role_limit(plan: &mut Plan) {
    const HOURS: f64 = 6.0;
    shop(plan, HOURS);
    make(plan, &["partner"], &[]);
    plan.prepare
        .push("ALTER ROLE partner CONNECTION LIMIT 5".to_owned());
    let partner = who("partner-sync", "partner", "shop", "10.0.4.12");
    plan.rhythm(10.0, HOURS * HOUR, 20.0, 30.0, &partner);
    // Now and then, eight come where five may.
    for burst in [1.2, 2.7, 4.4, 5.1] {
        for n in 0..8_u32 {
            plan.session(burst * HOUR + f64::from(n) * 0.3, 15.0, &partner);
        }
    }
    plan.session(HOURS * HOUR, 1.0, &operator());
    plan.findings.push(Finding {
        kind: "saturation",
        severity: "info",
        during: [1.2 * HOUR, 5.1 * HOUR + 2.4],
        who: json!({"user": "partner", "application_name": "partner-sync", "client_host": "10.0.4.12"}),
        figures: json!({"limit": 5}),
    });
}

pub(in crate::situations) fn shut_out(plan: &mut Plan) {
    const HOURS: f64 = 4.0;
    shop(plan, HOURS);
    make(plan, &["legacy"], &[]);
    let legacy = who("legacy", "legacy", "shop", "10.0.4.20");
    let (locked, unlocked) = (2.0 * HOUR, 3.0 * HOUR);
    plan.rhythm(15.0, locked - MINUTE, 3.0 * MINUTE, 20.0, &legacy);
    for (at, attribute) in [(locked, "NOLOGIN"), (unlocked, "LOGIN")] {
        let operator = plan.open(at - 30.0, &operator());
        let sql = format!("ALTER ROLE legacy {attribute}");
        plan.act(at, Act::Query(operator, sql));
        plan.close(at + 10.0, operator);
    }
    let (mut at, mut last, mut attempts) = (locked + 15.0, 0.0, 0);
    while at < unlocked {
        plan.attempt(at, &legacy, password("legacy"));
        (last, attempts) = (at, attempts + 1);
        at += plan.between(20.0, 80.0);
    }
    plan.rhythm(unlocked + 15.0, HOURS * HOUR, 3.0 * MINUTE, 20.0, &legacy);
    plan.findings.push(Finding {
        kind: "shut_out",
        severity: "warning",
        during: [locked + 15.0, last],
        who: json!({"user": "legacy", "database": "shop", "client_host": "10.0.4.20"}),
        figures: json!({"attempts": attempts}),
    });
}
