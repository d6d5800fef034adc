//! What `summary` folds: never a number, the same however the log comes, and nothing where nobody checks.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use program::{Input, json_object};
use serde_json::Value;

fn testdata(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../testdata").join(path)
}

fn log() -> PathBuf {
    testdata("noise/postgresql.log.zst")
}

fn text(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(args)
        .arg(log())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn summary(args: &[&str], files: &[PathBuf]) -> Value {
    let args = [&["summary", "--json", "--quiet"], args].concat();
    json_object(&args, &Input::Files(files)).expect("a summary")
}

/// Sums of the columns of a table, by its title.
fn sums(text: &str, title: &str) -> Vec<u64> {
    let lines = text.lines().skip_while(|line| !line.starts_with(title));
    let rows = lines.skip(1).take_while(|line| !line.is_empty());
    let numbers = rows.map(|row| {
        let words: Vec<_> = row.split_whitespace().rev().take(4).collect();
        words
            .into_iter()
            .map(|word| word.replace(',', "").parse::<u64>().expect("a number"))
            .collect::<Vec<_>>()
    });
    let add = |a: Vec<u64>, b: Vec<u64>| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
    numbers.reduce(add).expect("rows")
}

#[test]
fn folding_changes_rows_and_no_number() {
    let (folded, all) = (
        text(&["--limit", "0"]),
        text(&["--limit", "0", "--no-fold"]),
    );
    assert!(
        folded.contains("Folded: ") && !all.contains("Folded: "),
        "{all}"
    );
    for (title, row) in [
        ("Database", "1 folded, see below"),
        ("User", "2 folded, see below"),
        ("Application", "4 folded, see below"),
    ] {
        assert_eq!(sums(&folded, title), sums(&all, title), "{title}");
        assert!(folded.contains(row), "{title}: {folded}");
    }
    // What is above the tables is the same.
    let head = |text: &str| text.split("Database  ").next().map(str::to_owned);
    assert_eq!(head(&folded), head(&all));
    // The guesser is not among what is folded.
    assert!(!all.contains("folded") && folded.contains("password_failed 80"));

    assert_eq!(summary(&[], &[log()]), summary(&["--no-fold"], &[log()]));
    let counts = |summary: &Value, what: &str| -> u64 {
        let rows = summary["noise"].as_array().expect("a list").iter();
        let rows = rows.filter(|row| row["what"] == what);
        rows.filter_map(|row| row["count"].as_u64()).sum()
    };
    let summary = summary(&[], &[log()]);
    assert_eq!(counts(&summary, "sessions"), 80 + 200 + 2 * 27);
    assert_eq!(counts(&summary, "probes"), 399 + 200 + 134);
    assert_eq!(summary["probes"], 399 + 200 + 134);
    assert_eq!(counts(&summary, "refusals"), 67);
    assert_eq!(summary["refused"]["by_reason"]["password_failed"], 80);
}

#[test]
fn no_verdict_depends_on_the_zone_or_the_order_of_files() {
    let log = zstd::decode_all(std::fs::File::open(log()).expect("testdata")).expect("zstd");
    let middle = log.len() / 2;
    let middle = middle
        + log[middle..]
            .iter()
            .position(|&b| b == b'\n')
            .expect("a line")
        + 1;
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (dir.path().join("b.log"), dir.path().join("a.log"));
    std::fs::write(&first, &log[..middle]).expect("written");
    std::fs::write(&second, &log[middle..]).expect("written");
    let verdicts = |args: &[&str], files: &[PathBuf]| {
        let summary = summary(args, files);
        let rows = summary["noise"].as_array().expect("a list").clone();
        let rows = rows.into_iter().map(|mut row| {
            let row_of = row.as_object_mut().expect("an object");
            row_of.retain(|key, _| !["first", "last", "server"].contains(&&**key));
            row
        });
        rows.collect::<Vec<_>>()
    };
    let (here, there) = ([first.clone(), second.clone()], [second, first]);
    let expected = verdicts(&[], &here);
    assert_eq!(expected.len(), 7);
    assert_eq!(verdicts(&[], &there), expected);
    for args in [
        &["--timezone", "Asia/Kathmandu"][..],
        &["--log-timezone", "America/St_Johns"],
        &["--threads", "1", "--chunk-size", "4096"],
    ] {
        assert_eq!(verdicts(args, &here), expected, "{args:?}");
    }
}

#[test]
fn a_window_has_its_own_noise() {
    let short = summary(&["--until", "16:34"], &[log()]);
    let rows = short["noise"].as_array().expect("a list");
    let known = |row: &Value| row["known_as"].is_string();
    // Under two minutes only names that are known count for something.
    assert!(!rows.is_empty() && rows.iter().all(known), "{rows:?}");
}

/// Each log of `testdata`, none of which is longer than a minute or has a checker.
#[test]
fn nothing_is_folded_where_nobody_checks() {
    let mut logs = 0;
    for version in 13..=18 {
        let runs = std::fs::read_dir(testdata(&version.to_string())).expect("testdata");
        for run in runs {
            let path = run.expect("an entry").path().join("stderr");
            if path.is_dir() {
                let summary = summary(&[], std::slice::from_ref(&path));
                assert_eq!(summary["noise"], Value::Array(Vec::new()), "{path:?}");
                logs += 1;
            }
        }
    }
    assert!(logs > 30, "{logs}");
}
