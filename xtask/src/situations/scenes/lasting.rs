//! Sessions that stay: a leak, and what looks like one.

use serde_json::json;

use super::{make, operator, shop};
use crate::situations::plan::{Act, Finding, HOUR, MINUTE, Plan, who};

pub(in crate::situations) fn leak(plan: &mut Plan) {
    shop(plan, 5.0);
    make(plan, &["reports"], &[]);
    let reports = who("reports", "reports", "shop", "10.0.1.31");
    plan.rhythm(10.0, 5.0 * HOUR, 40.0, 3.0, &reports);
    let (mut at, mut leaked) = (HOUR, 0);
    while at < 5.0 * HOUR {
        let late = plan.between(0.0, 20.0);
        plan.open(at + late, &reports);
        leaked += 1;
        at += 2.0 * MINUTE;
    }
    plan.findings.push(Finding {
        kind: "leak",
        severity: "warning",
        during: [HOUR, 5.0 * HOUR],
        who: json!({"application_name": "reports", "user": "reports", "database": "shop", "client_host": "10.0.1.31"}),
        figures: json!({"leaked": leaked}),
    });
}

pub(in crate::situations) fn leak_numbered(plan: &mut Plan) {
    shop(plan, 5.0);
    make(plan, &["import"], &[]);
    let (mut at, mut leaked, mut first) = (HOUR, 0, 0.0);
    while at < 5.0 * HOUR {
        let name = format!("import-{}", 100 + leaked);
        let import = who(&name, "import", "shop", "10.0.1.32");
        let late = plan.between(0.0, MINUTE);
        if leaked == 0 {
            first = at + late;
        }
        plan.open(at + late, &import);
        plan.session(at + 30.0, MINUTE, &import);
        leaked += 1;
        at += 5.0 * MINUTE;
    }
    plan.findings.push(Finding {
        kind: "leak",
        severity: "warning",
        during: [first, 5.0 * HOUR],
        who: json!({"application_name": "import-#", "user": "import", "database": "shop", "client_host": "10.0.1.32"}),
        figures: json!({"leaked": leaked}),
    });
}

pub(in crate::situations) fn pool_warm_up(plan: &mut Plan) {
    shop(plan, 6.0);
    make(plan, &["api"], &[]);
    let api = who("api", "api", "shop", "10.0.1.41");
    for n in 0..40 {
        let at = if n < 5 {
            10.0
        } else {
            10.0 + plan.between(0.0, 20.0 * MINUTE)
        };
        // They stay: of this pool no session is ever replaced.
        plan.open(at, &api);
    }
    // The end of the log.
    plan.rhythm(6.0 * HOUR, 6.0 * HOUR + 1.0, MINUTE, 1.0, &operator());
}

pub(in crate::situations) fn quiet(plan: &mut Plan) {
    const HOURS: f64 = 26.0;
    shop(plan, HOURS);
    make(plan, &["exporter", "batch", "alice"], &["billing"]);
    let ready = who("pg_isready", "web", "shop", "[local]");
    let mut at = 1.0;
    while at < HOURS * HOUR {
        plan.act(at, Act::Probe(ready.clone()));
        at += 10.0;
    }
    let exporter = who("", "exporter", "postgres", "10.0.9.5");
    let mut at = 3.0;
    while at < HOURS * HOUR {
        plan.session(at, 0.03, &exporter);
        at += 30.0;
    }
    let batch = who("Nightly Batch", "batch", "billing", "10.0.3.9");
    for night in [2.0, 26.0 - 0.25] {
        for _ in 0..4 {
            let late = plan.between(0.0, 5.0);
            let length = plan.between(8.0 * MINUTE, 12.0 * MINUTE);
            plan.session(night * HOUR + late, length, &batch);
        }
    }
    let alice = who("psql", "alice", "shop", "10.0.8.8");
    for hour in [9, 10, 11, 13, 14, 15, 16] {
        let at = f64::from(hour) * HOUR + plan.between(0.0, HOUR);
        let length = plan.between(MINUTE, 30.0 * MINUTE);
        plan.session(at, length, &alice);
    }
}

pub(in crate::situations) fn autoscaling(plan: &mut Plan) {
    const HOURS: f64 = 48.0;
    make(plan, &["web", "cron"], &["shop"]);
    let cron = who("cron", "cron", "shop", "[local]");
    plan.rhythm(5.0, HOURS * HOUR, 5.0 * MINUTE, 1.0, &cron);
    for server in 0..12_u32 {
        let web = who("web", "web", "shop", &format!("10.0.1.{}", 21 + server));
        if server < 2 {
            plan.pool(0.0, HOURS * HOUR, 5, &web);
            continue;
        }
        for day in [0.0, 24.0] {
            // From six to ten they come, from six to ten in the evening they go, with their sessions.
            let from = (day + 6.0 + f64::from(server - 2) * 0.4) * HOUR + plan.between(0.0, 60.0);
            let to = (day + 22.0 - f64::from(server - 2) * 0.4) * HOUR + plan.between(0.0, 60.0);
            for _ in 0..5 {
                let mut at = from + plan.between(0.0, 5.0);
                while at < to {
                    let life = plan.between(28.0 * MINUTE, 30.0 * MINUTE).min(to - at);
                    plan.session(at, life, &web);
                    at += life + 0.1;
                }
            }
        }
    }
}

pub(in crate::situations) fn long_lived(plan: &mut Plan) {
    const HOURS: f64 = 32.0;
    make(plan, &["web", "jobs", "alice"], &["shop"]);
    plan.pool(
        0.0,
        HOURS * HOUR,
        5,
        &who("web", "web", "shop", "10.0.1.21"),
    );
    let jobs = who("jobs", "jobs", "shop", "10.0.3.3");
    plan.rhythm(30.0, HOURS * HOUR, 15.0 * MINUTE, 6.0 * MINUTE, &jobs);
    let alice = who("psql", "alice", "shop", "10.0.8.8");
    let mut long = |who, from: f64, to: f64, names| {
        plan.session(from, to - from, who);
        plan.findings.push(Finding {
            kind: "long_lived",
            severity: "info",
            during: [from, to],
            who: names,
            figures: json!({"hours": ((to - from) / HOUR).floor()}),
        });
    };
    long(
        &alice,
        HOUR,
        31.0 * HOUR,
        json!({"application_name": "psql", "user": "alice", "client_host": "10.0.8.8"}),
    );
    long(
        &jobs,
        1.5 * HOUR,
        31.5 * HOUR,
        json!({"application_name": "jobs", "user": "jobs", "client_host": "10.0.3.3"}),
    );
}
