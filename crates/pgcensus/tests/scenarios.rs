//! Behaviours, a file each under `testdata/scenarios/`: a log, and what the program says of it.
//!
//! ```text
//! What it is about, and why.
//!
//! --- log
//! 2026-11-23 10:00:00.000 UTC [10] LOG:  connection received: host=10.0.0.7 port=4010
//! --- sessions
//! pid  state  authorized_at
//! 10   open   10:00:00.010
//! --- summary --user app
//! open.count 1
//! open.by.user app:1
//! ```
//!
//! A section is a call of the program with `--json`. Of rows (`sessions`, `events`, the buckets of `history`)
//! the first line names the keys to compare; of a `summary` each line names one. `-` is null; times are
//! those of the day. Besides, the answers to each log must agree with each other.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;
#[path = "support/sums.rs"]
mod sums;

use std::path::{Path, PathBuf};

use program::{Input, json_lines, json_object};
use serde_json::Value;

#[test]
fn scenarios() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios");
    let files = std::fs::read_dir(dir).expect("scenarios");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "scenarios are gone");
    let mut wrong = Vec::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("text");
        let name = path.file_stem().expect("a name").to_string_lossy();
        for what in check(&text) {
            wrong.push(format!("{name}: {what}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Runs a scenario: what is wrong with it.
fn check(text: &str) -> Vec<String> {
    let mut sections = text.split("\n--- ");
    let about = sections.next().unwrap_or_default();
    let (title, log) = sections
        .next()
        .and_then(|s| s.split_once('\n'))
        .expect("a log");
    let mut wrong = Vec::new();
    if about.trim().is_empty() || title != "log" {
        wrong.push("says not what it is about, or has no log first".to_owned());
    }
    let log = format!("{log}\n");
    let log = log.as_bytes();
    for section in sections {
        let (args, expected) = section.split_once('\n').expect("what is expected");
        let answer = answer(args, expected, log);
        let expected: Vec<String> = expected.lines().map(in_words).collect();
        let expected: Vec<&String> = expected.iter().filter(|line| !line.is_empty()).collect();
        match answer {
            Ok(answer) if answer.iter().eq(expected.iter().copied()) => {}
            Ok(answer) => wrong.push(format!(
                "{args}\n  expected\n    {}\n  answered\n    {}",
                expected
                    .iter()
                    .map(|line| line.as_str())
                    .collect::<Vec<_>>()
                    .join("\n    "),
                answer.join("\n    ")
            )),
            Err(err) => wrong.push(err),
        }
    }
    if let Err(err) = agree(log, &mut wrong) {
        wrong.push(err);
    }
    wrong
}

/// The answer to a call, in the shape of what is expected.
fn answer(args: &str, expected: &str, log: &[u8]) -> Result<Vec<String>, String> {
    let args: Vec<&str> = args
        .split_whitespace()
        .chain(["--json", "--quiet"])
        .collect();
    let input = Input::Piped(log);
    let (command, keys) = (args[0], expected.lines().next().unwrap_or_default());
    if command == "summary" {
        let summary = json_object(&args, &input)?;
        let keys = expected
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        return Ok(keys
            .map(|key| format!("{key} {}", at(&summary, key)))
            .collect());
    }
    let rows: Vec<Value> = if command == "history" {
        let history = json_object(&args, &input)?;
        history["buckets"].as_array().cloned().unwrap_or_default()
    } else {
        json_lines(&args, &input)?
    };
    let keys: Vec<&str> = keys.split_whitespace().collect();
    let row = |row: &Value| {
        let values: Vec<String> = keys.iter().map(|key| at(row, key)).collect();
        values.join(" ")
    };
    Ok([keys.join(" ")]
        .into_iter()
        .chain(rows.iter().map(row))
        .collect())
}

/// What holds for every log.
fn agree(log: &[u8], wrong: &mut Vec<String>) -> Result<(), String> {
    let input = Input::Piped(log);
    let summary = json_object(&["summary", "--json"], &input)?;
    let sessions = json_lines(&["sessions", "--json"], &input)?;
    let events = json_lines(&["events", "--json"], &input)?;
    let history = json_object(&["history", "--last", "all", "--json"], &input)?;
    let is_exact = at(&summary, "open.certainty") == "exact";
    let mut right = |right: bool, what: String| {
        if !right {
            wrong.push(what);
        }
    };
    sums::of_summary(&summary, &sessions, &events, is_exact, &mut right);
    sums::of_history(&history, &summary, &mut right);
    Ok(())
}

/// The value of a key, with dots between the keys of objects in objects.
fn at(value: &Value, key: &str) -> String {
    let path = format!("/{}", key.replace('.', "/"));
    value.pointer(&path).map_or_else(|| "?".to_owned(), show)
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => of_day(text).unwrap_or(text).replace(' ', "_"),
        Value::Array(rows) if rows.is_empty() => "none".to_owned(),
        Value::Array(rows) => {
            let row = |row: &Value| format!("{}:{}", show(&row["name"]), row["count"]);
            rows.iter().map(row).collect::<Vec<_>>().join(",")
        }
        Value::Object(counts) => {
            let counts = counts.iter().filter(|(_, n)| **n != 0);
            let counts: Vec<_> = counts
                .map(|(key, n)| format!("{key}:{}", show(n)))
                .collect();
            if counts.is_empty() {
                "none".to_owned()
            } else {
                counts.join(",")
            }
        }
        other => other.to_string(),
    }
}

/// The time of day of `2026-11-23T10:00:00.010+00:00`.
fn of_day(text: &str) -> Option<&str> {
    let (_, time) = text.split_once('T').filter(|(day, _)| day.len() == 10)?;
    let time = time.trim_end_matches("+00:00").trim_end_matches('Z');
    Some(time.strip_suffix(".000").unwrap_or(time))
}

/// Words with one space between them.
fn in_words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
