//! `--explain`: what each input was taken for, and how much of it could be read.

use std::process::Command;

/// A session in a file, between lines of which a client or a crash left only pieces.
const LOG: &str = "\
2026-11-23 10:00:01.000 UTC [10] LOG:  connection received: host=10.0.0.7 port=4010
2026-11-23 10:00:01.010 UTC [10] LOG:  connection authorized: user=app database=shop
torn LOG:  connection received: host=10.0.0.7 port=4011
2026-11-23 10:00:02.000 UTC [10] LOG:  duration: 0.1 ms
torn LOG:  connection received: host=10.0.0.7 port=4012
torn LOG:  connection received: host=10.0.0.7 port=4013
torn LOG:  connection received: host=10.0.0.7 port=4014
2026-11-23 10:00:03.000 UTC [10] LOG:  disconnection: session time: 0:00:02.000 user=app database=shop host=10.0.0.7 port=4010
";

fn explained(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pg.log");
    std::fs::write(&path, text).expect("it is written");
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(["--explain", "--line-prefix", "%m [%p] "])
        .arg(&path)
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let dir = format!("{}/", dir.path().display());
    said.replace(&dir, "").lines().map(str::to_owned).collect()
}

#[test]
fn the_first_places_that_could_not_be_read_are_told() {
    let why = "(the line does not begin with the log_line_prefix)";
    assert_eq!(
        explained(LOG).last().expect("a line"),
        &format!(
            "pg.log: 3 records of connections, sessions and the server; 4 could not be read: \
             pg.log:3 {why}, pg.log:5 {why}, pg.log:6 {why}"
        )
    );
}

#[test]
fn a_log_that_is_whole_is_said_to_be() {
    let lines = LOG.split_inclusive('\n');
    let whole: String = lines.filter(|line| !line.starts_with("torn")).collect();
    assert_eq!(
        explained(&whole).last().expect("a line"),
        "pg.log: 3 records of connections, sessions and the server; all could be read"
    );
}

/// Two servers in one file, whose stamps have neither year nor zone.
const CENTRAL: &str = "\
Nov 23 10:00:01 db01 postgres[10]: [1-1] LOG:  connection received: host=10.0.0.7 port=4010
Nov 23 10:00:01 db01 postgres[10]: [2-1] LOG:  connection authorized: user=app database=shop
Nov 23 10:00:02 db02 postgres[11]: [1-1] LOG:  connection received: host=10.0.0.7 port=4011
Nov 23 10:00:02 db02 postgres[11]: [2-1] LOG:  connection authorized: user=app database=shop
Nov 23 10:00:03 db01 postgres[10]: [3-1] LOG:  disconnection: session time: 0:00:02.000 user=app database=shop host=10.0.0.7 port=4010
";

#[test]
fn what_holds_for_servers_of_one_file_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("central.log");
    std::fs::write(&path, CENTRAL).expect("it is written");
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .arg("--explain")
        .arg(&path)
        .output()
        .expect("it runs");
    let explained = String::from_utf8(output.stderr).expect("UTF-8");
    let zone = "the log's time stamps have no zone, taken as UTC: give --log-timezone";
    let told: Vec<_> = explained.lines().collect();
    assert_eq!(told.len(), 5, "{explained}");
    assert!(
        told[..2]
            .iter()
            .all(|line| line.contains("; language en; ")),
        "{explained}"
    );
    assert!(told[2].ends_with("-11-23 10:00:03 local"), "{explained}");
    assert!(told[3].ends_with("-11-23 10:00:02 local"), "{explained}");
    assert_eq!(told[4], zone);
    let summary = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(summary.contains("; 1 file, "), "{summary}");
    assert_eq!(summary.matches(zone).count(), 1, "{summary}");
}

#[test]
fn the_rest_of_a_record_that_is_too_long_is_told_as_such() {
    let long = "x".repeat(3 << 20);
    let log = LOG.lines().next().expect("a line");
    let log = format!("{log}\n2026-11-23 10:00:04.000 UTC [12] LOG:  statement: {long}");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pg.log");
    std::fs::write(&path, log).expect("it is written");
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .arg("--unreadable")
        .arg(&path)
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let what =
        "pg.log:2: the end of a record longer than 1 MiB: incomplete: the record is cut off\n";
    assert!(said.ends_with(what), "{said}");
}

/// Nobody knows who came after a start where connections are not logged: that is no zero.
#[test]
fn a_log_without_lines_of_connections_has_no_count() {
    let log = "2026-11-23 10:00:00.000 UTC [1] LOG:  starting PostgreSQL 16.4 on x86_64-pc-linux-gnu\n\
               2026-11-23 10:00:01.000 UTC [1] LOG:  database system is ready to accept connections\n\
               2026-11-23 10:00:02.000 UTC [12] ERROR:  no\n";
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pg.log");
    std::fs::write(&path, log).expect("it is written");
    let said = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
            .args(args)
            .arg(&path)
            .output()
            .expect("it runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = said(&[]);
    assert!(text.contains("nobody can be\ncounted."), "{text}");
    let json: serde_json::Value = serde_json::from_str(&said(&["--json"])).expect("JSON");
    for key in ["open", "walsenders", "peak"] {
        assert!(json[key]["count"].is_null(), "{key}: {}", json[key]);
        assert_eq!(json[key]["certainty"], "unknown");
    }
    assert!(json["servers"][0]["open"]["count"].is_null(), "{json}");
    let json: serde_json::Value =
        serde_json::from_str(&said(&["history", "--json"])).expect("JSON");
    assert!(json["buckets"][0]["open_end"].is_null(), "{json}");
}
