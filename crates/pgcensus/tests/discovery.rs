//! Servers that run meanwhile are found without being asked, and what they are told to log is what is needed.
//!
//! Left out without `PGCENSUS_TEST_SERVERS`, as in `server.rs`.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

#[path = "support/postmaster.rs"]
#[expect(
    dead_code,
    reason = "shared: the census of a live server needs more of it"
)]
mod postmaster;

use std::process::{Child, Command, Output, Stdio};

use postgres::NoTls;
use serde_json::Value;

use postmaster::{Postmaster, programs_of, until};

const HBA: &str = "local all all trust\n";
/// What makes a server's log useless.
const POOR: &str = "log_connections = off\nlog_disconnections = off\nlog_line_prefix = '%t '\nlog_min_messages = fatal\n";

#[test]
fn postgresql_10_is_told_what_to_log() {
    a_poor_server_is_told_what_to_log(10);
}

#[test]
fn postgresql_15_is_told_what_to_log() {
    a_poor_server_is_told_what_to_log(15);
}

#[test]
fn postgresql_18_is_told_what_to_log() {
    a_poor_server_is_told_what_to_log(18);
}

/// Its statements are taken by the server, and then nothing is missing.
fn a_poor_server_is_told_what_to_log(major: u32) {
    let Some(bin) = programs_of(major) else {
        return;
    };
    let mut server = Postmaster::init(&bin, "stderr", POOR, HBA);
    let mut observer = server.start();
    let found = the_server(&server);
    assert_eq!(found["version"], major.to_string());
    assert_eq!(found["running"], true);
    assert_eq!(found["pid"], server.pid().expect("it runs"));
    assert_eq!(found["port"], server.port());
    assert_eq!(found["formats"], serde_json::json!(["stderr"]));
    assert_eq!(found["log"], server.log("log").display().to_string());
    let statements = found["statements"].as_array().expect("a list");
    assert_eq!(statements.len(), 5, "{statements:?}");
    for statement in statements {
        let statement = statement.as_str().expect("text");
        // Not in one batch: ALTER SYSTEM cannot run inside a transaction.
        observer.batch_execute(statement).expect(statement);
    }

    let found = the_server(&server);
    assert_eq!(found["statements"], serde_json::json!([]), "{found:#}");
    assert_eq!(found["problems"], serde_json::json!([]), "{found:#}");
    let settings = found["settings"].as_array().expect("a list");
    for setting in settings {
        let name = setting["name"].as_str().expect("text");
        until("the server has reloaded", || {
            // Two of them hold for sessions that begin now.
            let row = server.observer().query_one(&format!("SHOW {name}"), &[]);
            row.expect(name).get::<_, String>(0) == setting["value"]
        });
    }
    let client = server
        .local("postgres", "postgres", "newcomer")
        .connect(NoTls);
    drop(client.expect("a session"));
    sessions_are_found("newcomer", 1);

    server.stop("INT");
    let found = the_server(&server);
    assert_eq!(
        (&found["running"], &found["pid"]),
        (&Value::from(false), &Value::Null)
    );
    assert_eq!(found["port"], server.port());
}

#[test]
fn a_program_without_input_reads_the_servers_that_run() {
    let Some(bin) = programs_of(16) else {
        return;
    };
    let mut server = Postmaster::init(&bin, "stderr,csvlog,jsonlog", "", HBA);
    drop(server.start());
    for app in ["one of discovery", "two of discovery"] {
        let client = server.local("postgres", "postgres", app).connect(NoTls);
        drop(client.expect("a session"));
    }
    // In three formats, and each of them once.
    sessions_are_found("* of discovery", 2);

    let output = pgcensus(&["summary"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let log = server.data().join("log").display().to_string();
    let line = said.lines().find(|line| line.contains(&log));
    let line = line.unwrap_or_else(|| panic!("nothing about {log} in:\n{said}"));
    let port = format!(", PostgreSQL 16, port {}: reading ", server.port());
    assert!(
        line.starts_with("pgcensus: server ") && line.contains(&port),
        "{line}"
    );
    let quiet = pgcensus(&["--quiet", "summary"]);
    let said = String::from_utf8_lossy(&quiet.stderr);
    assert!(!said.contains(": reading "), "{said}");
}

#[test]
fn a_server_without_a_log_says_so() {
    let Some(bin) = programs_of(17) else {
        return;
    };
    let mut server = Postmaster::init(&bin, "stderr", "logging_collector = off\n", HBA);
    drop(server.start());
    let found = the_server(&server);
    assert_eq!(found["log_target"], "nowhere", "{found:#}");
    assert_eq!(found["log_files"], serde_json::json!([]));
}

#[test]
fn an_empty_pipe_is_an_empty_log() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // Waiting for its output closes its input.
    let output = child.and_then(Child::wait_with_output);
    let output = output.expect("pgcensus runs");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("The input is empty."), "{text}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "pgcensus: standard input was empty; without it (< /dev/null) the servers of this machine are read\n"
    );
}

/// What `servers` says of it.
fn the_server(server: &Postmaster) -> Value {
    let data = server.data().display().to_string();
    let output = pgcensus(&["servers", "--json", &data]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an object");
    let servers = answer["servers"].as_array().expect("a list");
    assert_eq!(servers.len(), 1, "{answer:#}");
    assert_eq!(servers[0]["data_directory"], data);
    servers[0].clone()
}

/// So many sessions with such a name are in the logs of this machine.
fn sessions_are_found(app: &str, count: usize) {
    until("the log has the end of each session", || {
        let output = pgcensus(&["sessions", "--json", "--app", app]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let closed = |line: &&str| line.contains("\"state\":\"closed\"");
        assert!(lines.lines().count() <= count, "{lines}");
        lines.lines().filter(closed).count() == count
    });
}

/// The program, called as a scheduler calls it.
fn pgcensus(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command.args(args).stdin(Stdio::null()).env_remove("PGDATA");
    command.output().expect("pgcensus runs")
}
