//! `watch` on servers that run meanwhile: under rotation, after a crash, and while their log cannot be read.
//!
//! As `tests/server.rs`, they need the servers that `cargo xtask test` installs.
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

#[path = "support/postmaster.rs"]
#[expect(dead_code, reason = "shared")]
mod postmaster;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "shared")]
mod program;
#[path = "support/watching.rs"]
#[expect(dead_code, reason = "shared")]
mod watching;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use postgres::{Client, NoTls};
use postmaster::{Postmaster, programs_of, signal_process, until};
use program::{Event, Input, json_lines};
use watching::Watch;

const HBA: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

/// Renamed away and reopened, as logrotate does; likewise by the collector itself, for its size.
#[test]
fn two_hundred_rotations_lose_and_double_nothing() {
    for (major, destinations, name) in [
        (16, "stderr", "postgresql.log"),
        (18, "jsonlog", "postgresql.json"),
    ] {
        let Some(bin) = programs_of(major) else {
            return;
        };
        let settings = "log_line_prefix = '%m [%p] %q%u@%d '\nlog_timezone = 'Etc/UTC'\nmax_connections = 30\n";
        let mut server = Postmaster::init(&bin, destinations, settings, HBA);
        let mut observer = server.start();
        let log = server.data().join("log");
        let mut watch = Watch::start(&["--json", "--last", "all"], &log);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for user in ["one", "two"] {
                let config = server.local("postgres", "postgres", user);
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        drop(config.connect(NoTls).expect("a session"));
                    }
                });
            }
            for n in 1..=200 {
                let now = log.join(name);
                fs::rename(&now, log.join(format!("{name}.{n}"))).expect("renamed");
                rotate(&mut observer);
                until("the log is there again", || now.exists());
            }
            is_over.store(true, Ordering::Relaxed);
        });
        drop(observer);
        server.stop("INT");
        let seen = agrees_with_events(&mut watch, &log);
        assert!(seen > 400, "{seen} sessions in 200 rotations");
        watch.end();
    }
}

#[test]
fn what_the_collector_rotates_by_size_is_followed() {
    let Some(bin) = programs_of(15) else {
        return;
    };
    let settings = "log_line_prefix = '%t [%p] '\nlog_filename = 'postgresql-%H%M%S.log'\nlog_rotation_size = 64kB\n\
                    log_statement = all\n";
    let mut server = Postmaster::init(&bin, "stderr", settings, HBA);
    let observer = server.start();
    let log = server.data().join("log");
    let mut watch = Watch::start(&["--json", "--last", "all"], &log);
    let files = || fs::read_dir(&log).expect("a directory").count();
    until("five files", || {
        let mut client = server
            .local("postgres", "postgres", "app")
            .connect(NoTls)
            .expect("a session");
        let statement = format!("select '{}'", "x".repeat(8000));
        client.batch_execute(&statement).expect("it runs");
        files() >= 5
    });
    drop(observer);
    server.stop("INT");
    agrees_with_events(&mut watch, &log);
    watch.end();
}

/// Without INPUT, too, files are followed that the server makes later.
#[test]
fn a_server_that_was_found_is_followed_into_its_next_file() {
    let Some(bin) = programs_of(15) else {
        return;
    };
    let settings = "log_line_prefix = '%m [%p] '\nlog_filename = 'postgresql-%H%M%S.log'\n";
    let mut server = Postmaster::init(&bin, "stderr", settings, HBA);
    let mut observer = server.start();
    let log = server.data().join("log");
    let files = || fs::read_dir(&log).expect("a directory").count();
    // Other servers of this machine are found, too.
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command.args(["watch", "--json", "--last", "all", "--app", "found-*"]);
    let mut watch = Watch::without_input(command);
    connect(&server, "found-first");
    watch.until("a session in the first file", |seen| {
        has_ended(seen, "found-first")
    });
    until("a second file", || {
        rotate(&mut observer);
        files() == 2
    });
    connect(&server, "found-next");
    watch.until("a session in the second one", |seen| {
        has_ended(seen, "found-next")
    });
    drop(observer);
    server.stop("INT");
    watch.end();
}

/// A postmaster that is killed says nothing; its next start closes what was open.
#[test]
fn a_killed_server_closes_its_sessions_when_it_comes_back() {
    let Some(bin) = programs_of(16) else {
        return;
    };
    let mut server = Postmaster::init(&bin, "stderr", "log_line_prefix = '%m [%p] '\n", HBA);
    let observer = server.start();
    let log = server.data().join("log");
    let mut watch = Watch::start(&["--json", "--last", "all"], &log);
    watch.until("the observer is there", |seen| seen.open().len() == 1);
    let postmaster = server.pid().expect("it runs");
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
    signal_process("KILL", postmaster).expect("killed");
    drop(observer);
    // Its children end when they see it, but for one that a client holds.
    for child in children.expect("/proc").split_whitespace() {
        let child = child.parse().expect("a pid");
        until("it is gone", || signal_process("0", child).is_err());
    }
    server.killed();
    let observer = server.start();
    watch.until("the new observer alone is there", |seen| {
        let ends = seen
            .events
            .iter()
            .filter(|event| event.event == "disconnected");
        ends.count() >= 1 && seen.open().len() == 1
    });
    drop(observer);
    server.stop("INT");
    agrees_with_events(&mut watch, &log);
    watch.end();
}

#[test]
fn a_directory_that_vanishes_and_comes_back_is_followed_on() {
    let Some(bin) = programs_of(16) else {
        return;
    };
    let mut server = Postmaster::init(&bin, "stderr", "log_line_prefix = '%m [%p] '\n", HBA);
    let mut observer = server.start();
    let log = server.data().join("log");
    let away = server.data().join("log.away");
    let mut watch = Watch::start(&["--json", "--last", "all"], &log);
    watch.until("the observer is there", |seen| seen.open().len() == 1);
    fs::rename(&log, &away).expect("moved away");
    // The server goes on writing into the file that it has.
    connect(&server, "away");
    watch.until("a session meanwhile", |seen| has_ended(seen, "away"));
    watch.until_said("the directory is gone", |said| said.contains("not there"));
    fs::rename(&away, &log).expect("moved back");
    watch.until_said("it is back", |said| said.contains("is read now"));
    rotate(&mut observer);
    connect(&server, "back");
    watch.until("a session after", |seen| has_ended(seen, "back"));
    drop(observer);
    server.stop("INT");
    agrees_with_events(&mut watch, &log);
    watch.end();
}

#[test]
fn a_log_that_may_not_be_read_for_a_while_is_read_then() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    fs::write(&log, session(1)).expect("written");
    let mode = |mode| fs::set_permissions(&log, fs::Permissions::from_mode(mode)).expect("ours");
    mode(0o000);
    let program = env!("CARGO_BIN_EXE_pgcensus");
    let args = ["watch", "--json", "--last", "all"];
    let is_root = fs::read(&log).is_ok();
    let mut command = if is_root {
        // Root may read everything. What others may not enter, a copy is not in.
        let copy = dir.path().join("pgcensus");
        fs::copy(program, &copy).expect("copied");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(copy);
        command
    } else {
        Command::new(program)
    };
    command.args(args).arg(&log);
    let mut watch = Watch::of(command);
    watch.until_said("it is said", |said| said.contains("ermission denied"));
    mode(0o644);
    watch.until("it is read", |seen| seen.count() == [1, 1, 0]);
    // It is read on by the file that is open.
    mode(0o000);
    let mut file = fs::OpenOptions::new().append(true).open(&log).or_else(|_| {
        mode(0o600);
        fs::OpenOptions::new().append(true).open(&log)
    });
    let file = file.as_mut().expect("a file");
    std::io::Write::write_all(file, session(2).as_bytes()).expect("written");
    mode(0o644);
    watch.until("it is read on", |seen| seen.count() == [2, 2, 0]);
    watch.end();
}

fn session(pid: u32) -> String {
    let head = format!("2026-11-23 10:00:00.000 UTC [{pid}] LOG:  ");
    format!(
        "{head}connection received: host=10.0.0.7 port=5{pid}\n\
         {head}connection authorized: user=app database=shop application_name=api\n\
         {head}disconnection: session time: 0:00:00.500 user=app database=shop host=10.0.0.7 port=5{pid}\n"
    )
}

fn rotate(observer: &mut Client) {
    observer
        .batch_execute("select pg_rotate_logfile()")
        .expect("it may");
}

fn connect(server: &Postmaster, app: &str) {
    let config = server.local("postgres", "postgres", app);
    drop(config.connect(NoTls).expect("a session"));
}

fn has_ended(seen: &watching::Seen, app: &str) -> bool {
    let mut events = seen.events.iter();
    events.any(|event| {
        event.event == "disconnected" && event.application_name.as_deref() == Some(app)
    })
}

/// Waits until as much was told as `events` tells of all files of the server that has stopped, and holds both against each
/// other; how many sessions there were.
fn agrees_with_events(watch: &mut Watch, log: &Path) -> usize {
    let files = [log.to_owned()];
    let events: Vec<Event> =
        json_lines(&["events", "--json"], &Input::Files(&files)).expect("events");
    let kinds = watching::kinds(&events);
    watch.until("all is told", |seen| {
        seen.count()
            .iter()
            .zip(kinds)
            .all(|(&seen, all)| seen >= all)
    });
    assert_eq!(watch.seen.count(), kinds, "lost or doubled");
    let key = |event: &Event| {
        let at = (event.at.0 * 1000.0).round() as i64;
        (
            at,
            event.event.clone(),
            event.pid,
            event.application_name.clone(),
        )
    };
    // What was taken back is told by one of them alone.
    let sorted = |events: &[Event]| {
        let kept = events.iter().filter(|event| event.event == "disconnected");
        let mut keys: Vec<_> = kept.map(key).collect();
        keys.sort();
        keys
    };
    assert_eq!(sorted(&watch.seen.events), sorted(&events));
    kinds[0]
}
