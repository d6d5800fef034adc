//! `findings` as a program: what is found in each situation of `testdata/situations`, what cron and CI get from it, and that
//! no verdict depends on how a log is written or read.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;
#[path = "support/situation.rs"]
#[expect(dead_code, reason = "what was done is for other tests")]
mod situation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use program::{Epoch, Input, json_lines};
use serde::Deserialize;
use situation::{Finding, Situation};

/// A finding begins and ends where its situation did, but for so many seconds: what is seen at a client's next attempt.
const LATE_SECONDS: f64 = 120.0;

/// A finding as it is printed.
#[derive(Deserialize)]
struct Found {
    kind: String,
    severity: String,
    since: Epoch,
    until: Epoch,
    who: BTreeMap<String, Option<String>>,
}

impl Found {
    /// It is what has to be found.
    fn fits(&self, truth: &Finding) -> bool {
        let named = |(dimension, name): (&String, &String)| {
            self.who
                .get(dimension)
                .is_none_or(|told| told.as_ref().is_none_or(|told| told == name))
        };
        let near = |a: &Epoch, b: &Epoch| (a.0 - b.0).abs() <= LATE_SECONDS;
        let is_told = truth.who.is_empty() || self.who.values().any(Option::is_some);
        self.kind == truth.kind
            && self.severity == truth.severity
            && is_told
            && truth.who.iter().all(named)
            && near(&self.since, &truth.since)
            && near(&self.until, &truth.until)
    }

    fn word(&self) -> String {
        format!("{} {}", self.severity, self.kind)
    }
}

/// In each situation exactly what fits is found; what is of level info may be more. The table of it is in the repository:
/// after a change that is meant, `PGCENSUS_README=write cargo test --test findings` writes it.
#[test]
fn each_situation_is_told_and_nothing_else() {
    let all = Situation::all();
    let mut table = String::from(TABLE);
    let (mut missed, mut wrong) = (Vec::new(), Vec::new());
    for situation in &all {
        let files = [situation.log.clone()];
        let args = ["findings", "--json", "--quiet"];
        let found: Vec<Found> = json_lines(&args, &Input::Files(&files)).expect("findings");
        let fitting = &situation.truth.findings;
        let misses = fitting
            .iter()
            .filter(|truth| !found.iter().any(|found| found.fits(truth)));
        let misses: Vec<String> = misses
            .map(|truth| format!("{} {}", truth.severity, truth.kind))
            .collect();
        let severe = found.iter().filter(|found| found.severity != "info");
        let extra = severe.filter(|found| !fitting.iter().any(|truth| found.fits(truth)));
        let extra: Vec<String> = extra.map(Found::word).collect();
        let told: Vec<String> = found.iter().map(Found::word).collect();
        let or_none = |words: &[String]| match words.join(", ") {
            none if none.is_empty() => "–".to_owned(),
            some => some,
        };
        let row = [
            format!("| `{}`", situation.name),
            situation.truth.about.clone(),
            or_none(&told),
            or_none(&misses),
            or_none(&extra),
        ];
        table += &row.join(" | ");
        table += " |\n";
        let name = &situation.name;
        missed.extend(misses.iter().map(|miss| format!("{name}: {miss}")));
        wrong.extend(extra.iter().map(|extra| format!("{name}: {extra}")));
    }
    let path = testdata("situations/README.md");
    if std::env::var_os("PGCENSUS_README").is_some_and(|value| value == "write") {
        std::fs::write(&path, &table).expect("the table is written");
    }
    assert!(
        missed.is_empty(),
        "not found: {missed:#?}; found and wrong: {wrong:#?}"
    );
    assert!(wrong.is_empty(), "found and wrong: {wrong:#?}");
    let shown = std::fs::read_to_string(path).expect("the table");
    assert_eq!(
        shown, table,
        "testdata/situations/README.md does not show what is found"
    );
}

const TABLE: &str = "\
# What is found in which situation

Logs of servers that were driven into each situation, see [testdata](../README.md#situations), and what `pgcensus findings` says of them.
Made by a test, which holds it against what the driver did: every warning and everything critical, who it was and when.

| situation | what was done | found | missed | wrong |
| --- | --- | --- | --- | --- |
";

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
fn what_findings_cannot_do_is_said() {
    let log = testdata("situations/guessing_one_host/postgresql.log.zst");
    let path = log.display().to_string();
    for (args, status, message) in [
        (
            &["--fail-on="][..],
            2,
            "--fail-on '': not one of info, warning, critical",
        ),
        (
            &["--fail-on=Bad"],
            2,
            "--fail-on 'Bad': not one of info, warning, critical",
        ),
        (
            &["--emit", "nagios"],
            2,
            "--emit 'nagios': not known; it takes fail2ban",
        ),
        (
            &["--emit=fail2ban", "--limit=3"],
            2,
            "--limit: --emit prints every wrong password and nothing else; leave one of them out",
        ),
        (
            &["--emit=fail2ban", "-o", "x.json"],
            2,
            "-o 'x.json': the lines of --emit are text; name it *.log or *.txt",
        ),
        (
            &["--personal-user", &path],
            2,
            &format!(
                "--personal-user '{path}': a file; give a role, or a pattern such as 'dev_*', before the inputs"
            ),
        ),
        (
            &["--personal-user=nosuch*"],
            0,
            "--personal-user 'nosuch*': no user of this log",
        ),
    ] {
        let output = findings(args, "situations/guessing_one_host/postgresql.log.zst");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim_end(), format!("pgcensus: {message}"), "{args:?}");
        assert_eq!(output.status.code(), Some(status), "{args:?}");
    }
}

/// Of a situation, `severity kind: message`.
fn told(args: &[&str], log: &Path) -> Vec<String> {
    let files = [log.to_owned()];
    let args = [&["findings", "--json", "--quiet"], args].concat();
    let found: Vec<serde_json::Value> = json_lines(&args, &Input::Files(&files)).expect("findings");
    let text =
        |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or("").to_owned();
    let line = |finding: &serde_json::Value| {
        let [severity, kind, message] =
            ["severity", "kind", "message"].map(|key| text(finding, key));
        format!("{severity} {kind}: {message}")
    };
    found.iter().map(line).collect()
}

#[test]
fn a_window_chooses_what_is_told_and_not_what_is_known() {
    for (situation, window, begin) in [
        (
            "full_server/postgresql.csv.zst",
            &["--last", "1h"][..],
            "critical saturation: no connection was left: 247 connections refused; search had grown by 19",
        ),
        (
            "leak/postgresql.csv.zst",
            &["--last", "3h"],
            "warning leak: sessions of reports only grow: 0 open, then 120",
        ),
        (
            "stale_secret/postgresql.csv.zst",
            &["--since", "10:10", "--until", "10:30"],
            "warning stale_secret: role billing fails from 10.0.4.4, where it used to log in",
        ),
    ] {
        let told = told(window, &testdata(&format!("situations/{situation}")));
        assert!(told[0].starts_with(begin), "{situation}: {told:?}");
    }
    // It was over before.
    let told = told(
        &["--since", "10:10"],
        &testdata("situations/full_server/postgresql.csv.zst"),
    );
    assert!(
        told.iter().all(|finding| !finding.contains("saturation")),
        "{told:?}"
    );
}

/// Nobody is seen to leave then: whoever comes is no leak.
#[test]
fn a_log_without_pids_says_nothing_of_open_sessions() {
    let log = testdata("situations/quiet/postgresql.log.zst");
    let log = zstd::decode_all(std::fs::File::open(log).expect("a log")).expect("zstd");
    let text = String::from_utf8(log).expect("UTF-8");
    let without = text.lines().map(|line| match line.split_once(" [") {
        Some((time, rest)) => {
            let rest = rest.split_once(']').map_or(rest, |(_, rest)| rest);
            format!("{time}{rest}\n")
        }
        None => format!("{line}\n"),
    });
    let dir = tempfile::TempDir::new().expect("a directory");
    let path = dir.path().join("pg.log");
    std::fs::write(&path, without.collect::<String>()).expect("it is written");
    assert_eq!(told(&[], &path), [""; 0]);
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
        let of = |finding: &serde_json::Value| {
            ["kind", "severity", "who"].map(|key| finding[key].clone())
        };
        findings.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&elsewhere), kinds(&expected));
}

/// A log whose name looks like an option, and a directory whose name a shell would take apart.
#[test]
fn odd_names_of_logs_can_be_pasted_too() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let odd = dir.path().join("we ird'dir");
    std::fs::create_dir(&odd).expect("a directory");
    let log = testdata("situations/leak/postgresql.csv.zst");
    std::fs::copy(log, odd.join("-l og.csv.zst")).expect("it is copied");
    for (at, words) in [
        (&odd, &["--", "-l og.csv.zst"][..]),
        (&dir.path().to_owned(), &["we ird'dir"]),
    ] {
        let program = env!("CARGO_BIN_EXE_pgcensus");
        let output = Command::new(program)
            .args(["findings", "--json", "--quiet"])
            .args(words)
            .current_dir(at)
            .output()
            .expect("it runs");
        let line = String::from_utf8(output.stdout).expect("UTF-8");
        let finding: serde_json::Value = serde_json::from_str(&line).expect("one finding");
        let command = finding["command"].as_str().expect("a text");
        let pasted = command.replacen("pgcensus", &format!("'{program}'"), 1);
        let shell = Command::new("sh")
            .args(["-c", &pasted])
            .current_dir(at)
            .output();
        let output = shell.expect("a shell");
        assert!(output.status.success(), "{command}: {output:?}");
        // All that leaked are there, below a head.
        assert!(
            output.stdout.split(|&b| b == b'\n').count() > 100,
            "{command}"
        );
    }
}

/// Each line has the keys that the manual promises, of the types it says, and no figure that it does not name.
#[test]
fn lines_are_as_the_manual_says() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual.md");
    let manual = std::fs::read_to_string(manual).expect("the manual");
    let (_, tables) = manual
        .split_once("### Figures of findings")
        .expect("the part");
    let (tables, _) = tables.split_once("### fail2ban").expect("what follows");
    let row_of = |kind: &str| {
        let kind = format!("`{kind}`");
        let mut rows = tables.lines().filter_map(|row| row.strip_prefix("| "));
        rows.find(|row| {
            row.split(" | ")
                .next()
                .is_some_and(|kinds| kinds.contains(&kind))
        })
    };
    let mut files: Vec<_> = Situation::all().into_iter().map(|s| s.log).collect();
    files.push(testdata("16/failures/stderr"));
    for file in files {
        let args = ["findings", "--json", "--quiet"];
        let files = [file.clone()];
        let found: Vec<serde_json::Map<String, serde_json::Value>> =
            json_lines(&args, &Input::Files(&files)).expect("findings");
        for finding in found {
            let keys: Vec<&str> = finding.keys().map(String::as_str).collect();
            let mut wanted = [
                "kind", "severity", "server", "since", "until", "who", "message", "figures",
                "test", "advice", "command",
            ];
            wanted.sort_unstable();
            assert_eq!(keys, wanted, "{}", file.display());
            let texts = wanted
                .iter()
                .filter(|key| !["who", "figures"].contains(key));
            assert!(
                texts
                    .clone()
                    .all(|&key| finding[key].as_str().is_some_and(|text| !text.is_empty())),
                "{finding:?}"
            );
            let kind = finding["kind"].as_str().expect("a text");
            let row = row_of(kind).unwrap_or_else(|| panic!("{kind} is not in the manual"));
            let figures = finding["figures"].as_object().expect("an object");
            assert!(!figures.is_empty(), "{kind}");
            for (name, value) in figures {
                assert!(row.contains(&format!("`{name}`")), "{kind}: {name}: {row}");
                let fits = match name {
                    name if name.ends_with("_ms") => value.is_number(),
                    name if name.ends_with("share") => value
                        .as_f64()
                        .is_some_and(|share| (0.0..=1.0).contains(&share)),
                    _ => value.is_number() || value.is_string() || value.is_array(),
                };
                assert!(fits, "{kind}: {name}: {value}");
            }
        }
    }
}

/// The command of each finding, as it is pasted: it runs, has nothing to complain of, and shows something.
#[test]
fn each_command_can_be_pasted_and_shows_the_evidence() {
    let given = [
        "--json",
        "--exclude-user=nobody",
        "--timezone=Asia/Tokyo",
        "--lang=en",
    ];
    for situation in Situation::all() {
        let files = [situation.log.clone()];
        let args = [&["findings", "--quiet"], &given[..]].concat();
        let of_file: Vec<serde_json::Value> =
            json_lines(&args, &Input::Files(&files)).expect("findings");
        let log = std::fs::read(&situation.log).expect("a log");
        let piped: Vec<serde_json::Value> = json_lines(&args, &Input::Piped(&log)).expect("them");
        let commands = |found: &[serde_json::Value]| -> Vec<String> {
            let commands = found.iter().map(|finding| finding["command"].as_str());
            commands
                .map(|text| text.expect("a text").to_owned())
                .collect()
        };
        let path = situation.log.display().to_string();
        for (command, piped) in commands(&of_file).into_iter().zip(commands(&piped)) {
            let again = command.replace(&path, "-");
            assert_eq!(piped, format!("… | {again}"), "{}", situation.name);
            let program = env!("CARGO_BIN_EXE_pgcensus");
            let pasted = command.replacen("pgcensus", &format!("'{program}'"), 1);
            let output = Command::new("sh").args(["-c", &pasted]).output();
            let output = output.expect("a shell");
            assert!(output.status.success(), "{command}: {output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
            assert!(output.stdout.len() > 100, "{command}: {output:?}");
        }
    }
}

/// The log of a server that `minutes` begin, with `%m [%p] `: a client a minute logs in, from then on each is refused.
fn refused_from(minutes: u32, all: u32, refusal: &[&str]) -> String {
    let mut log = String::from(
        "2026-11-23 08:00:00.000 UTC [1] LOG:  starting PostgreSQL 16.9 on x86_64-pc-linux-gnu\n",
    );
    log += "2026-11-23 08:00:00.100 UTC [1] LOG:  database system is ready to accept connections\n";
    for minute in 0..all {
        // On no beat: it is no health check.
        let (pid, second) = (100 + minute, minute * minute * 7 % 50);
        let at = |ms: u32| {
            format!(
                "2026-11-23 {:02}:{:02}:{second:02}.{ms:03} UTC [{pid}] ",
                8 + minute / 60,
                minute % 60
            )
        };
        let received = "LOG:  connection received: host=10.0.0.7 port=40000";
        let authorized = "LOG:  connection authorized: user=app database=shop application_name=web";
        let mut lines = vec![received, authorized];
        if minute < minutes {
            lines.push("LOG:  disconnection: session time: 0:00:00.004 user=app database=shop host=10.0.0.7 port=40000");
        } else {
            lines.extend(refusal);
        }
        for (ms, line) in (0..).zip(lines) {
            log.extend([at(ms).as_str(), line, "\n"]);
        }
    }
    log
}

#[test]
fn clients_that_are_refused_every_time_are_shut_out() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let path = dir.path().join("pg.log");
    let said = |all: u32, refusal: &[&str]| {
        std::fs::write(&path, refused_from(60, all, refusal)).expect("it is written");
        told(&[], &path)
    };
    let dropped = ["FATAL:  database \"shop\" does not exist"];
    assert_eq!(said(70, &dropped), [""; 0], "ten attempts");
    assert_eq!(
        said(90, &dropped),
        [
            "critical shut_out: role app in database shop from 10.0.0.7 gets in no more: the database does not exist; \
             30 attempts refused, none let in; the last login before was at 23 Nov 08:59:17 UTC; it goes on"
        ]
    );
    let denied = [
        "FATAL:  permission denied for database \"shop\"",
        "DETAIL:  User does not have CONNECT privilege.",
    ];
    let told = said(90, &denied);
    assert!(
        told[0].ends_with("it goes on; the server says: User does not have CONNECT privilege."),
        "{told:?}"
    );
}
