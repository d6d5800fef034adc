//! Metrics are the numbers of the summary, whatever a log holds, and Prometheus' own tool finds nothing wrong with them.
//!
//! `PGCENSUS_TEST_PROMTOOL` names Prometheus' `promtool`, which then must be there; `cargo xtask test` sets it. Without it, and
//! without one in the `PATH`, what it would check is left out.
#![expect(clippy::print_stdout, reason = "it says what is left out")]

#[path = "support/equal.rs"]
mod equal;
#[path = "support/exposition.rs"]
mod exposition;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use equal::{assert_equal, by};
use exposition::Exposition;
use program::{Input, json_object};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One run of the program: its summary, and its metrics as text.
fn run(args: &[&str], input: &Input<'_>) -> (Value, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("pgcensus.prom");
    let textfile = file.to_str().expect("UTF-8");
    let args = [
        &["summary", "--json", "--quiet", "--textfile", textfile],
        args,
    ]
    .concat();
    let summary = json_object(&args, input).expect("a summary");
    (summary, fs::read_to_string(file).expect("metrics"))
}

/// The logs of real servers, each in one of its formats.
fn recorded() -> Vec<PathBuf> {
    let testdata = root().join("testdata");
    let mut logs = Vec::new();
    let list = |dir: &Path| {
        let entries = fs::read_dir(dir).expect("testdata").flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    for version in list(&testdata) {
        let is_version = version
            .file_name()
            .is_some_and(|name| name.to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
        let runs = if is_version {
            list(&version)
        } else {
            Vec::new()
        };
        for (i, run) in runs.into_iter().enumerate() {
            let formats = ["stderr", "csvlog", "jsonlog", "container"];
            let mut formats: Vec<_> = formats.map(|format| run.join(format)).into();
            formats.retain(|path| path.is_dir());
            if !formats.is_empty() {
                logs.push(formats.swap_remove(i % formats.len()));
            }
        }
    }
    let situations = list(&testdata.join("situations")).into_iter();
    logs.extend(situations.filter(|path| path.is_dir()));
    logs.push(testdata.join("noise/postgresql.log.zst"));
    assert!(logs.len() > 50, "{logs:?}");
    logs
}

#[test]
fn every_number_is_that_of_the_summary() {
    for log in recorded() {
        let what = log.display().to_string();
        let (summary, text) = run(&[], &Input::Files(&[log]));
        assert_equal(&what, &summary, &text);
    }
}

/// The same for one half of the sessions, in one half of the time.
#[test]
fn filters_and_windows_hold_for_metrics_too() {
    let log = root().join("testdata/15/churn");
    let log = [log.join("stderr")];
    let (all, _) = run(&[], &Input::Files(&log));
    let (since, until) = (&all["since"], &all["until"]);
    let time = |value: &Value| -> jiff::Timestamp {
        value.as_str().expect("a time").parse().expect("a time")
    };
    let middle = i64::midpoint(time(since).as_millisecond(), time(until).as_millisecond());
    let middle = jiff::Timestamp::from_millisecond(middle)
        .expect("a time")
        .to_string();
    let user = by(&all["connects"]["by"]["user"]);
    let user = user.keys().next().expect("a user").clone();
    for args in [
        &["--since", &middle][..],
        &["--until", &middle],
        &["--user", &user],
        &["--exclude-user", &user, "--since", &middle],
    ] {
        let (summary, text) = run(args, &Input::Files(&log));
        assert_equal(&format!("{args:?}"), &summary, &text);
    }
}

#[test]
fn several_servers_are_told_apart() {
    let testdata = root().join("testdata");
    let runs = [
        "15/kills/stderr",
        "17/kills/csvlog",
        "16/failures/jsonlog",
        "17/replication/stderr",
        "16/prefix-rhel-old/stderr",
    ];
    let named = runs.map(|run| format!("{run}={}", testdata.join(run).display()));
    let args: Vec<_> = named.iter().flat_map(|named| ["--server", named]).collect();
    let (summary, text) = run(&args, &Input::Files(&[]));
    assert_equal("several servers", &summary, &text);
    promtool(&["check", "metrics"], &text);
}

/// A log in which each connection is another application of one of two roles; every tenth is refused, each as somebody else.
fn invented(connections: u32) -> String {
    let mut log = String::new();
    for n in 0..connections {
        let (s, ms) = (n / 100, n % 100 * 10);
        let time = format!(
            "2026-11-23 {:02}:{:02}:{:02}.{ms:03} UTC",
            s / 3600,
            s / 60 % 60,
            s % 60
        );
        let pid = 1_000 + n % 30_000;
        let host = format!("host=10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
        let received = format!("{time} [{pid}] LOG:  connection received: {host} port=40000");
        if n % 10 == 9 {
            writeln!(
                log,
                "{received}\n{time} [{pid}] FATAL:  password authentication failed for user \"u{n}\""
            )
        } else {
            let user = format!("user=u{} database=shop", n % 2);
            writeln!(
                log,
                "{received}\n{time} [{pid}] LOG:  connection authorized: {user} application_name=job-{n}\n\
                 {time} [{pid}] LOG:  disconnection: session time: 0:00:00.002 {user} {host} port=40000"
            )
        }
        .expect("a string takes all");
    }
    log
}

#[test]
fn invented_names_keep_metrics_small_and_that_is_told() {
    let log = invented(20_000);
    let (summary, text) = run(&[], &Input::Piped(log.as_bytes()));
    let metrics = Exposition::parse(&text);
    assert_eq!(metrics.sum("pgcensus_connects_total"), 18_000);
    assert_eq!(summary["connects"]["total"], 18_000);
    // Those who are real are still told.
    let users = metrics.by("pgcensus_connects_total", "user");
    assert_eq!(users, by(&summary["connects"]["by"]["user"]));
    assert_eq!(
        metrics.by("pgcensus_connects_total", "application_name")["(other)"],
        17_000
    );
    assert_eq!(
        metrics.by("pgcensus_refused_connections_total", "reason")["password_failed"],
        2_000
    );
    let other = metrics.by("pgcensus_counted_as_other_total", "family");
    assert_eq!(other["sessions"], 17_000);
    assert_eq!(other["refused_connections"], 1_000);
    let series = metrics.by("pgcensus_series", "family");
    assert_eq!(
        (series["sessions"], series["refused_connections"]),
        (1_000, 1_000)
    );
    assert!(
        text.lines().count() < 3_300,
        "{} lines",
        text.lines().count()
    );
    promtool(&["check", "metrics"], &text);
}

/// Twice as many connections, not a byte more.
#[test]
fn metrics_do_not_grow_with_the_log() {
    let lines = |connections| {
        let (_, text) = run(&[], &Input::Piped(invented(connections).as_bytes()));
        text.lines().count()
    };
    assert_eq!(lines(12_000), lines(24_000));
}

#[test]
fn hostile_names_are_what_the_summary_has() {
    let mut log = Vec::new();
    let users: [&[u8]; 8] = [
        b"back\\slash",
        b"quo\"te",
        b"bra}ces{x=\"1\"} 7",
        b"<script>alert(1)</script>",
        b"not \xff\xfe UTF-8",
        "ri\u{202e}ght".as_bytes(),
        b"# HELP pgcensus_fake x",
        b"tab\tand\rreturn",
    ];
    for (n, user) in users.iter().enumerate() {
        let pid = 100 + n;
        let time = format!("2026-11-23 10:00:0{n}.000 UTC [{pid}] LOG:  ");
        log.extend_from_slice(
            format!("{time}connection received: host=10.0.0.1 port=5000{n}\n{time}connection authorized: user=")
                .as_bytes(),
        );
        log.extend_from_slice(user);
        log.extend_from_slice(b" database=shop\n");
    }
    let (summary, text) = run(&["--line-prefix", "%m [%p] "], &Input::Piped(&log));
    assert_equal("hostile names", &summary, &text);
    let names = by(&summary["open"]["by"]["user"]);
    assert_eq!(names.len(), users.len(), "{names:?}");
    promtool(&["check", "metrics"], &text);
}

#[test]
fn line_breaks_in_names_stay_in_their_line() {
    // As csvlog has them.
    let mut log = String::new();
    for (n, user) in ["one\nline", "two\r\nlines\n# TYPE x counter\nx 1"]
        .iter()
        .enumerate()
    {
        let head = format!(
            "2026-11-23 10:00:00.00{n} UTC,\"{user}\",\"shop\",{},\"10.0.0.1:5000{n}\",6923.{n},",
            200 + n
        );
        writeln!(
            log,
            "{head}2,\"authentication\",2026-11-23 10:00:00 UTC,3/1,0,LOG,00000,\"connection authorized: user={user} database=shop\",,,,,,,,,\"\",\"client backend\",,0"
        )
        .expect("a string takes all");
    }
    let (summary, text) = run(&["--format", "csvlog"], &Input::Piped(log.as_bytes()));
    assert_eq!(summary["open"]["count"], 2);
    assert_equal("line breaks", &summary, &text);
    promtool(&["check", "metrics"], &text);
}

#[test]
fn a_file_that_node_exporter_would_not_read_is_not_written() {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(["summary", "--textfile", "metrics.txt", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr.contains("--textfile 'metrics.txt': node_exporter reads *.prom"),
        "{stderr}"
    );
}

#[test]
fn the_alert_rules_are_rules_and_fire() {
    let contrib = root().join("contrib/prometheus");
    for args in [
        ["check", "rules", "pgcensus.rules.yml"],
        ["test", "rules", "pgcensus.rules.test.yml"],
    ] {
        promtool_in(&contrib, &args, "");
    }
}

/// Rules and panels ask for what there is, by labels that it has.
#[test]
fn rules_and_dashboard_ask_for_what_is_exported() {
    let log = root().join("testdata/17/replication/stderr");
    let (_, text) = run(&[], &Input::Files(&[log]));
    let metrics = Exposition::parse(&text);
    // What hardly any log has, or only one that goes on.
    let rare = [
        "pgcensus_connections_max",
        "pgcensus_connects_taken_back_total",
        "pgcensus_lag_seconds",
    ];
    let dashboard =
        fs::read_to_string(root().join("contrib/grafana/pgcensus.json")).expect("it is there");
    serde_json::from_str::<Value>(&dashboard).expect("a dashboard is JSON");
    let rules = fs::read_to_string(root().join("contrib/prometheus/pgcensus.rules.yml"))
        .expect("it is there");
    let manual = fs::read_to_string(root().join("docs/manual.md")).expect("it is there");
    let mut asked = 0;
    for text in [&dashboard, &rules] {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if word.starts_with("pgcensus_") {
                asked += 1;
                let is_there = metrics.samples(word).next().is_some() || rare.contains(&word);
                assert!(is_there, "{word} is not exported");
            }
        }
    }
    assert!(asked > 30, "{asked}");
    for name in metrics.families().chain(rare) {
        assert!(
            manual.contains(&format!("`{name}")),
            "{name} is not in the manual"
        );
    }
    for line in rules.lines() {
        if let Some(alert) = line.trim().strip_prefix("- alert: ") {
            assert!(
                manual.contains(&format!("`{alert}`")),
                "{alert} is not in the manual"
            );
        }
    }
}

/// Runs Prometheus' tool on a text, if it is here.
fn promtool(args: &[&str], text: &str) {
    promtool_in(&root(), args, text);
}

fn promtool_in(dir: &Path, args: &[&str], text: &str) {
    let given = std::env::var_os("PGCENSUS_TEST_PROMTOOL");
    let program = given.clone().unwrap_or_else(|| "promtool".into());
    let child = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(err) if given.is_none() => {
            println!("left out: no promtool here ({err}); cargo xtask test installs it");
            return;
        }
        Err(err) => panic!("PGCENSUS_TEST_PROMTOOL: {err}"),
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).ok();
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "promtool {args:?}: {said}");
    // What it would rather have otherwise, it says, and succeeds.
    assert!(
        args[0] != "check" || args[1] != "metrics" || said.trim().is_empty(),
        "{said}"
    );
}
