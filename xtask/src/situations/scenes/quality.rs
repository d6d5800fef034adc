//! Sessions that are cut off, and those that anybody on the way can read.

use serde_json::json;

use super::{make, operator, shop};
use crate::situations::client::End;
use crate::situations::plan::{Act, Finding, HOUR, MINUTE, Plan, who};

pub(in crate::situations) fn lost_clients(plan: &mut Plan) {
    const HOURS: f64 = 5.0;
    shop(plan, HOURS);
    make(plan, &["mobile"], &[]);
    let mobile = who("mobile", "mobile", "shop", "10.0.5.5");
    let (from, to) = (3.0 * HOUR, 4.0 * HOUR);
    let (mut at, mut count, mut lost) = (10.0, 0_u32, 0);
    while at < HOURS * HOUR - 5.0 * MINUTE {
        let session = plan.open(at, &mobile);
        let end = at + plan.between(20.0, 3.0 * MINUTE);
        count += 1;
        // One of a hundred before.
        let is_lost = if (from..to).contains(&end) {
            count % 3 == 0
        } else {
            count % 100 == 50
        };
        if is_lost {
            plan.act(end, Act::Close(session, End::Reset));
            lost += u32::from((from..to).contains(&end));
        } else {
            plan.close(end, session);
        }
        at += plan.between(15.0, 25.0);
    }
    plan.findings.push(Finding {
        kind: "lost_clients",
        severity: "warning",
        during: [from, to],
        who: json!({"application_name": "mobile", "user": "mobile", "client_host": "10.0.5.5"}),
        figures: json!({"lost": lost}),
    });
}

pub(in crate::situations) fn plain_text(plan: &mut Plan) {
    const HOURS: f64 = 3.0;
    shop(plan, HOURS);
    make(plan, &["mobile", "legacy", "scanner"], &[]);
    for (kind, application, host, method) in [
        ("plain_text", "mobile", "203.0.113.40", "scram-sha-256"),
        ("weak_authentication", "legacy", "10.0.6.7", "password"),
        ("weak_authentication", "scanner", "10.0.6.8", "trust"),
    ] {
        let from = plan.between(1.0, 4.0 * MINUTE);
        let who = who(application, application, "shop", host);
        let before = plan.acts.len();
        plan.rhythm(from, HOURS * HOUR, 4.0 * MINUTE, 30.0, &who);
        let sessions = (plan.acts.len() - before) / 2;
        plan.findings.push(Finding {
            kind,
            severity: "warning",
            during: [from, HOURS * HOUR],
            who: json!({"application_name": application, "user": application, "client_host": host}),
            figures: json!({"sessions": sessions, "method": method}),
        });
    }
    plan.session(HOURS * HOUR, 1.0, &operator());
}
