//! The logs of `testdata/situations` say what was done to their servers: every session that was opened, every attempt that
//! was refused, the peak, and who it was.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;
#[path = "support/situation.rs"]
#[expect(dead_code, reason = "what is to be found is for other tests")]
mod situation;

use std::collections::BTreeMap;
use std::path::PathBuf;

use program::{Epoch, Event, Input, Session, json_lines, json_object};
use serde_json::Value;
use situation::{Counts, Situation};

/// The driver knows a time when the server has answered; the log has it from a moment before. Its file has whole seconds.
const LATE_SECONDS: f64 = 2.0;

#[test]
fn logs_say_what_was_done() {
    let all = Situation::all();
    assert!(all.len() >= 22, "situations are gone");
    let wrong: Vec<String> = all.iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong about one of them.
fn check(situation: &Situation) -> Vec<String> {
    let files: [PathBuf; 1] = [situation.log.clone()];
    let input = Input::Files(&files);
    let truth = &situation.truth;
    let summary = json_object(&["summary", "--json", "--limit", "0"], &input).expect("a summary");
    let sessions: Vec<Session> = json_lines(&["sessions", "--json"], &input).expect("sessions");
    let events: Vec<Event> = json_lines(&["events", "--json"], &input).expect("events");
    let number = |path: &str| summary.pointer(path).and_then(Value::as_u64).unwrap_or(0) as usize;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, said: usize, done: usize| {
        if said != done {
            wrong.push(format!(
                "{}: {what}: {said}, {done} were done",
                situation.name
            ));
        }
    };
    compare("connects", number("/connects/total"), truth.sessions);
    compare("sessions", sessions.len(), truth.sessions);
    let still_open = sessions.iter().filter(|session| session.is_open());
    compare("open sessions", still_open.count(), truth.open);
    compare("open", number("/open/count"), truth.open);
    compare("peak", number("/peak/count"), truth.peak.count);
    compare(
        "refused",
        number("/refused/attempts"),
        truth.refused.values().sum(),
    );
    compare(
        "probes",
        number("/probes") + number("/pending"),
        truth.probes,
    );
    for (sqlstate, &done) in &truth.refused {
        let told = events.iter().filter(|event| {
            event.event == "refused" && event.sqlstate.as_deref() == Some(sqlstate.as_str())
        });
        compare(sqlstate, told.count(), done);
    }
    let ended = |how: &str| truth.ends.get(how).copied().unwrap_or(0);
    let by_client = ended("client") + ended("reset");
    compare("left", number("/disconnects/by/client"), by_client);
    compare(
        "ended by the server",
        number("/disconnects/by/server"),
        ended("server"),
    );
    for (dimension, names) in [
        ("application_name", &truth.application_name),
        ("user", &truth.user),
        ("database", &truth.database),
        ("client_host", &truth.client_host),
    ] {
        let connects = named(&summary, "connects", dimension);
        let open = named(&summary, "open", dimension);
        // Which other names a refusal has depends on the format; its host is always there.
        let refused = (dimension == "client_host").then(|| named(&summary, "refused", dimension));
        for (name, done) in names {
            let of = |counts: &BTreeMap<String, usize>| counts.get(name).copied().unwrap_or(0);
            let said = Counts {
                sessions: of(&connects),
                open: of(&open),
                refused: refused.as_ref().map_or(done.refused, of),
            };
            if said != *done {
                wrong.push(format!(
                    "{}: {name}: {said:?}, {done:?} were done",
                    situation.name
                ));
            }
        }
    }
    let peak_at = summary.pointer("/peak/at").and_then(Value::as_str);
    let peak_at = peak_at.map(|at| Epoch::try_from(at.to_owned()).expect("a time"));
    if peak_at.is_none_or(|at| (at.0 - truth.peak.at.0).abs() > LATE_SECONDS) {
        wrong.push(format!(
            "{}: the peak was at {:?}: {peak_at:?}",
            situation.name, truth.peak.at
        ));
    }
    wrong
}

/// `/WHAT/by/DIMENSION` of a summary.
fn named(summary: &Value, what: &str, dimension: &str) -> BTreeMap<String, usize> {
    let rows = summary.pointer(&format!("/{what}/by/{dimension}"));
    let rows = rows.and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| {
        let name = row["name"].as_str()?.to_owned();
        Some((name, row["count"].as_u64()? as usize))
    })
    .collect()
}
