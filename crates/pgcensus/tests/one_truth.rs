//! The page, the API and the metrics say the same as `summary --json`, of the same input at the same time.

#[path = "support/cells.rs"]
mod cells;
#[path = "support/equal.rs"]
mod equal;
#[path = "support/exposition.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod exposition;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;
#[path = "support/serving.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod serving;

use std::path::Path;
use std::time::{Duration, Instant};

use cells::{Sums, sums_of};
use program::{Input, json_object};
use serde_json::Value;
use serving::{Reply, Serve};

/// What is asked for once the engine has read what is there.
fn asked(serve: &Serve, path: &str) -> Reply {
    let begin = Instant::now();
    loop {
        let reply = serve.get(path);
        if reply.status != 503 || begin.elapsed() > Duration::from_secs(30) {
            return reply;
        }
        std::thread::yield_now();
    }
}

#[test]
fn page_api_and_metrics_say_what_the_summary_says() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    for log in [
        "demo/postgresql.log.zst",
        "noise/postgresql.log.zst",
        "situations/crash",
        "situations/full_server",
        "situations/guessing_many_users",
        "18/replication/csvlog",
        "18/container-stderr/container/stderr.log.zst",
    ] {
        let path = testdata.join(log);
        let input = Input::Files(std::slice::from_ref(&path));
        let summary = json_object(&["summary", "--json"], &input).expect("a summary");
        let serve = Serve::start(&[], &path);

        let metrics = asked(&serve, "/metrics");
        assert_eq!(metrics.status, 200, "{log}");
        let metrics = String::from_utf8(metrics.body).expect("text");
        equal::assert_equal(log, &summary, &metrics);

        let api = json(&asked(&serve, "/api/v1/summary"));
        assert_eq!(api, summary, "{log}");

        let page = json(&asked(&serve, "/api/v1/report"));
        assert_eq!(page["summary"], summary, "{log}");
        let buckets = page["buckets"]["start"].as_array().expect("buckets").len();
        let sums = sums_of(&page, 0, buckets);
        assert_eq!(sums, Sums::of_summary(&summary), "{log}");
    }
}

fn json(reply: &Reply) -> Value {
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    serde_json::from_slice(&reply.body).expect("JSON")
}
