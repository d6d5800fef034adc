//! What the program says must agree with itself: sums over each dimension, the balance of connects
//! and disconnects, the peak against the sessions, buckets against each other.

use serde_json::Value;

use super::program::{Event, Session};

const DIMENSIONS: [&str; 5] = [
    "database",
    "user",
    "application_name",
    "client_host",
    "server",
];
const ENDS: [&str; 5] = ["client", "terminated", "timeout", "server", "lost"];

type Report<'a> = &'a mut dyn FnMut(bool, String);

/// `summary --json` against itself, the sessions and the events of the same log.
/// `logs_all`: no line was switched off.
pub(crate) fn of_summary(
    summary: &Value,
    sessions: &[Session],
    events: &[Event],
    logs_all: bool,
    right: Report<'_>,
) {
    let count = |path: &str| summary.pointer(path).and_then(Value::as_i64);
    let open = count("/open/count");
    let peak = count("/peak/count");
    let counted = [
        ("/open/by", open),
        ("/walsenders/by", count("/walsenders/count")),
        ("/connects/by", count("/connects/total")),
        ("/peak/by", peak),
    ];
    for (path, whole) in counted {
        for dimension in DIMENSIONS {
            let path = format!("{path}/{dimension}");
            let parts = summary.pointer(&path).and_then(Value::as_array);
            let Some(parts) = parts else {
                right(false, format!("summary: {path} is missing"));
                continue;
            };
            let counts: Vec<_> = parts
                .iter()
                .filter_map(|part| part["count"].as_i64())
                .collect();
            let sum = counts.iter().sum();
            right(
                whole == Some(sum),
                format!("summary: {path} sums to {sum}, not to {whole:?}"),
            );
            let descending = counts.is_sorted_by(|a, b| a >= b);
            right(
                descending,
                format!("summary: {path} does not descend: {counts:?}"),
            );
        }
    }
    for (path, whole) in [
        ("/disconnects/by", count("/disconnects/total")),
        ("/refused/by_reason", count("/refused/connections")),
    ] {
        let kinds = summary.pointer(path).and_then(Value::as_object);
        let sum = kinds.map(|kinds| kinds.values().filter_map(Value::as_i64).sum::<i64>());
        right(
            sum.is_some() && sum == whole,
            format!("summary: {path} sums to {sum:?}, not {whole:?}"),
        );
    }
    right(
        peak >= open,
        format!("summary: peak {peak:?} is less than open {open:?}"),
    );
    right(
        count("/refused/attempts") <= count("/refused/connections"),
        "summary: more attempts were refused than connections".to_owned(),
    );
    let certainty = summary.pointer("/open/certainty").and_then(Value::as_str);
    right(
        (certainty == Some("exact")) == logs_all,
        format!("summary: open is {certainty:?}; all lines were logged: {logs_all}"),
    );
    let times: Vec<_> = ["p50", "p95", "p99", "max"]
        .iter()
        .filter_map(|key| summary["session_time_ms"][key].as_f64())
        .collect();
    right(
        times.is_sorted(),
        format!("summary: percentiles fall: {times:?}"),
    );

    let clients = || sessions.iter().filter(|session| !session.is_walsender());
    let open_clients = clients().filter(|session| session.is_open()).count() as i64;
    right(
        open == Some(open_clients),
        format!("summary: {open:?} open, in sessions {open_clients}"),
    );
    let walsenders = sessions
        .iter()
        .filter(|s| s.is_walsender() && s.is_open())
        .count() as i64;
    right(
        count("/walsenders/count") == Some(walsenders),
        format!("summary: open walsenders, in sessions {walsenders}"),
    );
    let closed = clients().count() as i64 - open_clients;
    let disconnects = count("/disconnects/total");
    right(
        disconnects == Some(closed),
        format!("summary: {disconnects:?} disconnects, in sessions {closed}"),
    );
    let longest = clients()
        .filter_map(|session| session.session_time_ms)
        .reduce(f64::max);
    let max = summary["session_time_ms"]["max"].as_f64();
    let same = match (max, longest) {
        (Some(max), Some(longest)) => (max - longest).abs() <= 1.0,
        (max, longest) => max == longest,
    };
    right(
        same,
        format!("summary: longest session {max:?} ms, in sessions {longest:?}"),
    );
    let overlap = most_at_once(clients());
    right(
        peak <= Some(overlap),
        format!("summary: peak {peak:?}, sessions overlap at most {overlap}"),
    );

    for session in sessions {
        let known = session.end.as_deref().is_none_or(|end| ENDS.contains(&end));
        let consistent = known
            && ["open", "closed"].contains(&session.state.as_str())
            && session.end.is_none() == session.is_open();
        right(
            consistent,
            format!("sessions: the state does not fit the end: {session}"),
        );
    }
    let kind = |name: &str| events.iter().filter(|event| event.event == name).count() as i64;
    for (name, path) in [("refused", "/refused/connections"), ("probe", "/probes")] {
        let (told, whole) = (kind(name), count(path));
        right(
            whole == Some(told),
            format!("summary: {path} is {whole:?}, {told} {name} events"),
        );
    }
    let taken_back = events.iter().filter(|event| event.takes_back).count() as i64;
    let (connected, disconnected) = (kind("connected") - taken_back, kind("disconnected"));
    let closed = sessions.iter().filter(|session| !session.is_open()).count() as i64;
    let begun = sessions
        .iter()
        .filter(|session| session.authorized_at.is_some())
        .count() as i64;
    right(
        (begun..=sessions.len() as i64).contains(&connected),
        format!(
            "events: {connected} connected, of {} sessions {begun} begun",
            sessions.len()
        ),
    );
    right(
        disconnected == closed,
        format!("events: {disconnected} disconnected, {closed} sessions closed"),
    );
    // A record that waits for what may take it back is printed with its own time.
    let mut latest = f64::NEG_INFINITY;
    for event in events {
        right(
            event.at.0 >= latest - 5.0,
            format!("events: back in time at {:?}", event.message),
        );
        latest = latest.max(event.at.0);
    }
}

/// `refused --json` against itself and the events of the same log.
#[allow(dead_code, reason = "for those who ask for refusals")]
pub(crate) fn of_refused(refused: &Value, events: &[Event], right: Report<'_>) {
    let of = |kind: &'static str| events.iter().filter(move |event| event.event == kind);
    let whole = of("refused").count() as u64;
    right(
        refused["connections"].as_u64() == Some(whole),
        format!("refused: {} of {whole}", refused["connections"]),
    );
    let reasons = refused["reasons"].as_array().map_or(&[][..], Vec::as_slice);
    let by_reason = refused["by_reason"]
        .as_object()
        .map_or(0, serde_json::Map::len);
    right(
        by_reason == reasons.len(),
        format!("refused: {by_reason} reasons, and {}", reasons.len()),
    );
    for reason in reasons {
        let name = reason["reason"].as_str().unwrap_or_default();
        let told = |event: &&Event| event.reason.as_deref() == Some(name);
        let told: Vec<_> = of("refused").filter(told).collect();
        for key in ["attempts", "connections"] {
            let groups = reason["groups"].as_array().map_or(&[][..], Vec::as_slice);
            let sum: u64 = groups.iter().filter_map(|group| group[key].as_u64()).sum();
            right(
                reason[key].as_u64() == Some(sum),
                format!(
                    "refused: {key} of {name} sum to {sum}, not to {}",
                    reason[key]
                ),
            );
        }
        for group in reason["groups"].as_array().into_iter().flatten() {
            let is_of = |event: &&&Event| {
                group["user"].as_str() == event.user.as_deref()
                    && group["database"].as_str() == event.database.as_deref()
                    && group["client_host"].as_str() == event.client_host.as_deref()
            };
            let most = told.iter().filter(is_of).count() as u64;
            let connections = group["connections"].as_u64();
            right(
                connections.is_some_and(|n| (1..=most).contains(&n)),
                format!("refused: {group} of {name}, in events {most}"),
            );
        }
        let all = told.len() as u64;
        let counted = [&reason["connections"], &refused["by_reason"][name]];
        right(
            counted.iter().all(|n| n.as_u64() == Some(all)),
            format!("refused: {counted:?} of {name}, in events {all}"),
        );
        let records = reason["records"].as_array().map_or(&[][..], Vec::as_slice);
        right(
            records.len() as u64 == all.min(3),
            format!("refused: {} records of {all} of {name}", records.len()),
        );
        let last = told.iter().rev().take(3).rev();
        for (record, event) in records.iter().zip(last) {
            let text = record["record"].as_str().unwrap_or_default();
            let is_of = event.pid.is_some_and(|pid| {
                text.contains(&pid.to_string()) || text.contains(&format!("{pid:x}"))
            });
            let is_placed = record["line"].as_u64().is_some_and(|line| line > 0);
            right(
                is_of && is_placed,
                format!("refused: record {record} of {name} is not of {event:?}"),
            );
        }
    }
    let probes = of("probe").count() as u64;
    let hosts = refused["probes"]["client_hosts"].as_array();
    let hosts = hosts
        .into_iter()
        .flatten()
        .filter_map(|host| host["count"].as_u64());
    let hosts: u64 = hosts.sum();
    right(
        refused["probes"]["total"].as_u64() == Some(probes) && hosts == probes,
        format!("refused: {hosts} probes of {probes}"),
    );
}

/// `history --json`: each bucket balances and begins where the last one ended.
pub(crate) fn of_history(history: &Value, summary: &Value, right: Report<'_>) {
    let Some(buckets) = history["buckets"].as_array() else {
        right(false, "history: no buckets".to_owned());
        return;
    };
    let mut last = None;
    for bucket in buckets {
        let count = |key: &str| bucket[key].as_i64();
        let at = &bucket["start"];
        let keys = [
            "connects",
            "disconnects",
            "net",
            "open_start",
            "open_min",
            "open_max",
            "open_end",
        ];
        let [
            Some(connects),
            Some(disconnects),
            Some(net),
            Some(start),
            Some(min),
            Some(max),
            Some(end),
        ] = keys.map(count)
        else {
            right(false, format!("history: a count is missing: {bucket}"));
            continue;
        };
        right(
            net == connects - disconnects,
            format!("history: {at}: net {net}"),
        );
        right(
            end == start + net,
            format!("history: {at}: {start} open, net {net}, {end} open"),
        );
        right(
            last.is_none_or(|last| last == start),
            format!("history: {at}: begins with {start}, the last one ended with {last:?}"),
        );
        let ordered = min <= start.min(end) && start.max(end) <= max;
        right(
            ordered,
            format!("history: {at}: open {start} to {end}, least {min}, most {max}"),
        );
        last = Some(end);
    }
    let open = summary.pointer("/open/count").and_then(Value::as_i64);
    let ends_open = last.is_none() || last == open;
    right(
        ends_open,
        format!("history ends with {last:?} open, summary says {open:?}"),
    );
}

/// The largest number of sessions at one instant: an upper bound of the peak, since some of the times
/// are rounded.
fn most_at_once<'s>(sessions: impl Iterator<Item = &'s Session>) -> i64 {
    let mut steps = Vec::new();
    for session in sessions {
        let opened = session
            .authorized_at
            .map_or(session.first_seen(), |at| at.0);
        steps.push((opened, 1));
        steps.extend(session.session_end.map(|end| (end.0, -1)));
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut open = 0;
    let counts = steps.iter().map(|step| {
        open += step.1;
        open
    });
    counts.max().unwrap_or(0)
}
