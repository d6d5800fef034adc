//! `findings` as a program: what cron and CI get from it, and that no verdict depends on how a log is written or read. What
//! is found in which situation is in `situations.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn testdata(path: &str) -> PathBuf {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    testdata.join(path)
}

fn findings(args: &[&str], path: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(["findings", "--quiet"])
        .args(args)
        .arg(testdata(path))
        .output()
        .expect("it runs")
}

fn text(args: &[&str], path: &str) -> String {
    let output = findings(args, path);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn fail_on_ends_with_status_3_where_there_is_something_of_that_level() {
    const REFUSALS: &str = "16/failures/stderr";
    const QUIET: &str = "16/kills/stderr";
    for (args, path, status) in [
        (&[][..], REFUSALS, 0),
        (&["--fail-on"], REFUSALS, 3),
        (&["--fail-on", "critical"], REFUSALS, 3),
        (&["--fail-on=critical"], REFUSALS, 3),
        // A filter leaves the refusals out.
        (&["--fail-on=critical", "--db", "nothing"], REFUSALS, 0),
        (&["--fail-on=critical"], QUIET, 0),
        (&["--fail-on=critical"], "no such file", 2),
    ] {
        let output = findings(args, path);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{args:?} {path}: {output:?}"
        );
    }
}

#[test]
fn no_verdict_depends_on_format_threads_chunks_or_zone() {
    let read = |args: &[&str], format: &str| {
        let path = format!("16/failures/{format}");
        let lines = text(&[&["--json"], args].concat(), &path);
        let finding = |line: &str| -> serde_json::Value {
            let mut finding: serde_json::Value = serde_json::from_str(line).expect("JSON");
            // The command names the file.
            finding
                .as_object_mut()
                .expect("an object")
                .remove("command");
            finding
        };
        lines.lines().map(finding).collect::<Vec<_>>()
    };
    let expected = read(&[], "stderr");
    assert!(!expected.is_empty());
    for format in ["csvlog", "jsonlog"] {
        assert_eq!(read(&[], format), expected, "{format}");
    }
    for args in [
        &["--threads", "1"][..],
        &["--threads", "4", "--chunk-size", "1000"],
        &["--chunk-size", "64"],
    ] {
        assert_eq!(read(args, "stderr"), expected, "{args:?}");
    }
    let elsewhere = read(&["--timezone", "Asia/Tokyo"], "stderr");
    let kinds = |findings: &[serde_json::Value]| {
        let kind =
            |finding: &serde_json::Value| [finding["kind"].clone(), finding["figures"].clone()];
        findings.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&elsewhere), kinds(&expected));
}
