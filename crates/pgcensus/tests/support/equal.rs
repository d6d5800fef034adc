//! Metrics and a summary of the same input: every number that both have is the same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::exposition::Exposition;

/// Counts by name, as `by` of the summary has them; names that have none are not there.
pub(crate) type Counts = BTreeMap<String, u64>;

pub(crate) fn by(list: &Value) -> Counts {
    // Who is open is not known.
    if list.is_null() {
        return Counts::new();
    }
    let list = list.as_array().expect("a list").iter();
    let counts = list.map(|row| {
        let name = row["name"].as_str().expect("a name").to_owned();
        (name, row["count"].as_u64().expect("a count"))
    });
    counts.collect()
}

pub(crate) fn by_kind(object: &Value) -> Counts {
    let counts = object.as_object().expect("an object").iter();
    let counts = counts.map(|(kind, count)| (kind.clone(), count.as_u64().expect("a count")));
    counts.filter(|&(_, count)| count > 0).collect()
}

/// Every number that both have.
pub(crate) fn assert_equal(what: &str, summary: &Value, text: &str) {
    let metrics = Exposition::parse(text);
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let sessions = ["database", "user", "application_name", "server"];

    for (key, open, connects, ended) in [
        ("open", "open_sessions", "connects", "disconnects"),
        (
            "walsenders",
            "open_walsenders",
            "walsender_connects",
            "walsender_disconnects",
        ),
    ] {
        let open_json = &summary[key];
        assert_eq!(
            metrics.sum(&format!("pgcensus_{open}")),
            number(&open_json["count"]),
            "{what}: {key}"
        );
        for label in sessions {
            assert_eq!(
                metrics.by(&format!("pgcensus_{open}"), label),
                by(&open_json["by"][label]),
                "{what}: {key} by {label}"
            );
        }
        let connected = metrics.sum(&format!("pgcensus_{connects}_total"));
        let taken_back = metrics.sum(&format!("pgcensus_{connects}_taken_back_total"));
        let ended = metrics.sum(&format!("pgcensus_{ended}_total"));
        let expected = if key == "open" {
            [
                &summary["connects"]["total"],
                &summary["disconnects"]["total"],
            ]
        } else {
            [&open_json["connects"], &open_json["disconnects"]]
        };
        assert_eq!(
            [connected - taken_back, ended],
            expected.map(number),
            "{what}: {key}: connects, disconnects"
        );
    }
    if metrics.sum("pgcensus_connects_taken_back_total") == 0 {
        for label in sessions {
            assert_eq!(
                metrics.by("pgcensus_connects_total", label),
                by(&summary["connects"]["by"][label]),
                "{what}: connects by {label}"
            );
        }
    }
    assert_eq!(
        metrics.by("pgcensus_disconnects_total", "end"),
        by_kind(&summary["disconnects"]["by"]),
        "{what}: ends"
    );

    let refused = &summary["refused"];
    assert_eq!(
        metrics.sum("pgcensus_refused_attempts_total"),
        number(&refused["attempts"]),
        "{what}: attempts"
    );
    assert_eq!(
        metrics.by("pgcensus_refused_connections_total", "reason"),
        by_kind(&refused["by_reason"]),
        "{what}: reasons"
    );
    for label in ["user", "database", "client_host", "server"] {
        assert_eq!(
            metrics.by("pgcensus_refused_connections_total", label),
            by(&refused["by"][label]),
            "{what}: refused by {label}"
        );
    }
    assert_eq!(
        metrics.sum("pgcensus_probes_total"),
        number(&summary["probes"]),
        "{what}: probes"
    );
    assert_eq!(
        metrics.sum("pgcensus_pending_connections"),
        number(&summary["pending"]),
        "{what}: pending"
    );

    let input = &summary["input"];
    for (metric, key) in [
        ("pgcensus_read_bytes_total", "bytes"),
        ("pgcensus_events_total", "events"),
        ("pgcensus_unreadable_records_total", "unreadable"),
        ("pgcensus_untrusted_records_total", "untrusted"),
    ] {
        assert_eq!(metrics.sum(metric), number(&input[key]), "{what}: {key}");
    }
    for server in summary["servers"].as_array().expect("a list") {
        let name = server["server"].as_str().expect("a name");
        let of = |metric| metrics.by(metric, "server").get(name).copied().unwrap_or(0);
        assert_eq!(
            of("pgcensus_open_sessions"),
            number(&server["open"]["count"]),
            "{what}: open of {name}"
        );
        let certainty = server["open"]["certainty"].as_str().expect("a word");
        let told = metrics.samples("pgcensus_open_sessions_certainty");
        let told = told.filter(|sample| sample.label("server") == name && sample.value > 0.0);
        let told: Vec<_> = told.map(|sample| sample.label("certainty")).collect();
        assert_eq!(told, [certainty], "{what}: certainty of {name}");
    }
    assert_times(what, summary, &metrics);
}

/// Percentiles of the summary lie in the classes of the histogram that have them.
fn assert_times(what: &str, summary: &Value, metrics: &Exposition) {
    let classes = metrics.by("pgcensus_session_time_seconds_bucket", "le");
    let mut classes: Vec<(f64, u64)> = classes
        .into_iter()
        .map(|(le, count)| (le.parse().expect("a bound"), count))
        .collect();
    classes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = metrics.sum("pgcensus_session_time_seconds_count");
    assert_eq!(classes.last().map_or(0, |class| class.1), all, "{what}");
    for (key, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let Some(ms) = summary["session_time_ms"][key].as_f64() else {
            assert_eq!(all, 0, "{what}: times");
            continue;
        };
        // The sketch is within one per cent, and rounded.
        let below = |seconds: f64| {
            let class = classes.iter().rfind(|&&(le, _)| le <= seconds);
            class.map_or(0, |class| class.1)
        };
        let at_most = |seconds: f64| {
            let class = classes.iter().find(|&&(le, _)| le >= seconds);
            class.map_or(all, |class| class.1)
        };
        let rank = share * (all as f64 - 1.0);
        let (low, high) = (ms * 0.98 / 1e3 - 0.001, ms * 1.02 / 1e3 + 0.001);
        assert!(
            below(low) as f64 <= rank + 1.0 && rank <= at_most(high) as f64,
            "{what}: {key} {ms} ms: {classes:?}"
        );
    }
}
