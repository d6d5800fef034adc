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
