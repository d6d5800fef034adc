//! `watch` on logs that grow while it runs: those of `testdata/`, written as their servers wrote them, held against
//! what the servers said of each moment, and against `events` of the whole.
//!
//! Nothing here waits for a time, but where it is said: what is expected comes, or the test fails after a long one.

#[path = "support/names.rs"]
#[expect(dead_code, reason = "shared")]
mod names;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "shared")]
mod program;
#[path = "support/recorded.rs"]
#[expect(dead_code, reason = "shared")]
mod recorded;
#[path = "support/watching.rs"]
#[expect(dead_code, reason = "shared")]
mod watching;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use program::{Event, Input, json_lines};
use recorded::{Log, Run};
use watching::{Seen, Watch, kinds};

#[test]
fn who_is_connected_is_known_at_each_moment() {
    let mut moments = 0;
    for run in Run::all(is_run) {
        for log in run.logs() {
            if log.carries.pid && log.carries.time && !log.carries.forged_lines {
                moments += replay(&run, &log);
            }
        }
    }
    assert!(moments > 300, "{moments}");
}

/// Writes the log as far as it was at each snapshot; how many of them could be held against the truth.
fn replay(run: &Run, log: &Log<'_>) -> usize {
    let dir = tempfile::tempdir().expect("a directory");
    let name = format!("{} {}", run.name, log.format);
    let mut watch = Watch::start(&["--json", "--last", "all"], dir.path());
    let mut there = BTreeMap::new();
    let mut moments = 0;
    for snapshot in &run.truth.snapshots {
        let now = log.cut_at(snapshot);
        let copies = run.name.ends_with("copytruncate");
        become_what_it_is(dir.path(), &mut there, &now, copies);
        // Of a standby, and of what was not logged, nobody knows.
        if !run.is_decidable(snapshot) || now.is_empty() || run.name.ends_with("standby") {
            continue;
        }
        let active = snapshot
            .active
            .iter()
            .filter(|active| active.user.is_some());
        let mut active: Vec<i64> = active.map(|active| active.pid).collect();
        active.sort_unstable();
        watch.until(&format!("{name}: {}", snapshot.name), |seen| {
            seen.open() == active
        });
        moments += 1;
    }
    let files: Vec<_> = there.keys().map(|name| dir.path().join(name)).collect();
    if !files.is_empty() {
        let events: Vec<Event> =
            json_lines(&["events", "--json"], &Input::Files(&files)).expect("events");
        watch.until(&format!("{name}: the end"), |seen| {
            seen.count()
                .iter()
                .zip(kinds(&events))
                .all(|(&seen, all)| seen >= all)
        });
        let seen = watch.end();
        assert_eq!(seen.count(), kinds(&events), "{name}: lost or doubled");
    }
    moments
}

#[test]
fn what_is_piped_in_is_what_a_file_has() {
    for run in Run::all(is_run) {
        for log in run.logs() {
            let last = log.run.truth.snapshots.last();
            let Some(whole) = last.filter(|_| log.carries.time) else {
                continue;
            };
            for (file, text) in log.cut_at(whole) {
                let name = format!("{} {} {file}", run.name, log.format);
                let watch = Watch::start(&["--json"], Path::new("-"));
                let seen = watch.feed(text.chunks(4_099));
                let events: Vec<Event> =
                    json_lines(&["events", "--json"], &Input::Piped(&text)).expect("events");
                assert_eq!(seen.count(), kinds(&events), "{name}");
            }
        }
    }
}

/// Not what is written by hand.
fn is_run(name: &str) -> bool {
    [".zst", ".tar", ".txt"]
        .iter()
        .all(|ending| !name.contains(ending))
}

/// Turns a directory into what it was at a moment: files grow, are rotated away, and begin.
fn become_what_it_is(
    dir: &Path,
    there: &mut BTreeMap<String, Vec<u8>>,
    now: &[(String, Vec<u8>)],
    copies: bool,
) {
    let text_of = |name: &str| {
        now.iter()
            .find(|(now, _)| now == name)
            .map(|(_, text)| text)
    };
    let append = |name: &str, bytes: &[u8]| {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(dir.join(name));
        // In pieces that end anywhere, as a reader may find them.
        for piece in bytes.chunks(701) {
            file.as_ref()
                .expect("a file")
                .write_all(piece)
                .expect("written");
        }
    };
    // The oldest first: `.1` becomes `.2` before a new `.1` comes.
    let names: Vec<String> = there.keys().rev().cloned().collect();
    for name in names {
        let had = there[&name].clone();
        if text_of(&name).is_some_and(|text| text.starts_with(&had)) {
            continue;
        }
        let is_its_own = |(to, text): &&(String, Vec<u8>)| *to != name && text.starts_with(&had);
        let (to, text) = now.iter().find(is_its_own).expect("what was written stays");
        append(&name, &text[had.len()..]);
        // As logrotate does: what has been copied before is renamed.
        if copies && to.ends_with(".1") {
            fs::copy(dir.join(&name), dir.join(to)).expect("copied");
            File::create(dir.join(&name)).expect("made empty");
            there.insert(name, Vec::new());
        } else {
            fs::rename(dir.join(&name), dir.join(to)).expect("renamed");
            there.remove(&name);
        }
        there.insert(to.clone(), text.clone());
    }
    for (name, text) in now {
        let had = there.get(name).map_or(0, Vec::len);
        append(name, &text[had..]);
        there.insert(name.clone(), text.clone());
    }
}

/// What a server writes at once, so far as it is seen.
fn line(pid: u32, text: &str) -> String {
    format!("2026-11-23 10:00:00.000 UTC [{pid}] {text}\n")
}

#[test]
fn what_is_young_is_read_when_it_shows_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    fs::write(&log, "docker: some banner\n").expect("written");
    let mut watch = Watch::start(&["--json", "--last", "all"], dir.path());
    let append = |path: &Path, text: &str| {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.expect("a file")
            .write_all(text.as_bytes())
            .expect("written");
    };
    append(
        &log,
        &line(1, "LOG:  starting PostgreSQL 16.4 on x86_64-pc-linux-gnu"),
    );
    append(
        &log,
        &line(9, "LOG:  connection authorized: user=app database=shop"),
    );
    watch.until("the first one", |seen| seen.open() == [9]);
    // Nor does one that is alone and has nothing yet end it.
    let alone = tempfile::tempdir().expect("a directory");
    fs::write(alone.path().join("pg.log"), "2026-11-23 10:0").expect("written");
    let mut other = Watch::start(&["--json"], alone.path());
    append(
        &alone.path().join("pg.log"),
        &line(8, "LOG:  connection authorized: user=app database=shop")[15..],
    );
    other.until("the only one", |seen| seen.open() == [8]);
    other.end();
    let later = dir.path().join("pg.2.log");
    append(
        &later,
        &line(10, "LOG:  connection authorized: user=app database=shop"),
    );
    watch.until("one in a new file", |seen| seen.open() == [9, 10]);
    // Torn anywhere, it waits for its rest.
    let end = line(
        9,
        "LOG:  disconnection: session time: 0:00:01.000 user=app database=shop host=[local]",
    );
    for byte in end.chars() {
        append(&log, &byte.to_string());
    }
    watch.until("its end", |seen| seen.open() == [10]);
    let csv = "2026-11-23 10:00:02.000 UTC,\"u\",\"d\",11,\"1.2.3.4:5\",6a1.b,1,\"authentication\",\
               2026-11-23 10:00:02 UTC,3/4,0,LOG,00000,\"connection authorized: user=u database=d\",,,,,,,,,\"\",\
               \"client backend\",,0\n";
    append(&dir.path().join("pg.csv"), csv);
    watch.until_said("a second format is left out", |said| {
        said.contains("left out")
    });
    assert_eq!(watch.end().count(), [2, 1, 0]);
}

/// A log, and who watches it and has seen the session of pid 2 that is open in it.
fn with_one_session() -> (tempfile::TempDir, File, Watch) {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let mut file = File::create(&log).expect("a file");
    let text = line(1, "LOG:  database system is ready to accept connections")
        + &line(2, "LOG:  connection authorized: user=app database=shop");
    file.write_all(text.as_bytes()).expect("written");
    let mut watch = Watch::start(&["--json", "--last", "all"], &log);
    watch.until("what was there", |seen| seen.open() == [2]);
    (dir, file, watch)
}

#[test]
fn a_record_that_goes_on_later_is_amended() {
    let (_dir, mut file, mut watch) = with_one_session();
    let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
    write(&line(
        3,
        "FATAL:  password authentication failed for user \"eve\"",
    ));
    watch.until("it is refused", |seen| seen.count() == [1, 0, 1]);
    let detail =
        line(3, "DETAIL:  Role \"eve\" does not exist.") + "\tConnection matched line 95\n";
    write(&detail);
    let amended = |seen: &Seen| {
        seen.events
            .last()
            .is_some_and(|last| last.event == "amended")
    };
    watch.until("its detail", amended);
    let last = watch.seen.events.last().expect("amended");
    assert_eq!(last.lines.as_deref(), Some(detail.trim_end()));
    assert_eq!(
        (last.amends.as_deref(), last.is_event, last.pid),
        (Some("refused"), Some(true), Some(3))
    );
    assert_eq!(last.reason.as_deref(), Some("password_failed"));
    // It goes on once more.
    write(&line(3, "HINT:  See the manual."));
    watch.until("its hint", |seen| {
        let last = seen.events.last().and_then(|last| last.lines.as_deref());
        last.is_some_and(|lines| lines.contains("HINT") && !lines.contains("DETAIL"))
    });
    assert_eq!(watch.end().count(), [1, 0, 1]);
}

/// `RAISE LOG` can write any message; its CONTEXT tells it from one of the server.
#[test]
fn what_a_client_turns_out_to_have_written_is_taken_back() {
    let (_dir, mut file, mut watch) = with_one_session();
    let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
    let context = "CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE";
    write(&line(
        4,
        "LOG:  connection authorized: user=app database=shop",
    ));
    watch.until("it is believed", |seen| seen.open() == [2, 4]);
    write(&line(4, context));
    watch.until("it was none", |seen| seen.open() == [2]);
    write(&line(
        2,
        "LOG:  disconnection: session time: 0:00:01.000 user=app database=shop host=[local]",
    ));
    watch.until("it is believed", |seen| seen.open().is_empty());
    write(&line(2, context));
    watch.until("it is there after all", |seen| seen.open() == [2]);
    // Its end is that of a session which was seen to begin: as if nothing had been said.
    write(&line(
        2,
        "LOG:  disconnection: session time: 0:00:09.000 user=app database=shop host=[local]",
    ));
    watch.until("it ends", |seen| seen.open().is_empty());
    assert_eq!(watch.end().count(), [1, 1, 0]);
}

#[test]
fn what_cannot_be_followed_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let gz = dir.path().join("pg.log.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let text = line(9, "LOG:  connection authorized: user=app database=shop");
    packed.write_all(text.as_bytes()).expect("in memory");
    fs::write(&gz, packed.finish().expect("in memory")).expect("written");
    let mut watch = Watch::start(&["--json", "--last", "all"], &gz);
    watch.until("what it has", |seen| seen.open() == [9]);
    watch.until_said("it is compressed", |said| {
        said.contains("cannot be followed")
    });
    watch.end();
    let mut watch = Watch::start(&["--json"], &dir.path().join("none.log"));
    watch.until_said("it is missing", |said| said.contains("waiting for it"));
    fs::write(dir.path().join("none.log"), &text).expect("written");
    watch.until("it has come", |seen| seen.open() == [9]);
    watch.end();
}

/// `pgcensus watch pg.log | head -2`.
#[cfg(unix)]
#[test]
fn it_ends_when_nobody_reads_on_though_nothing_happens() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let opens = |pid| line(pid, "LOG:  connection authorized: user=app database=shop");
    fs::write(&log, opens(2) + &opens(3) + &opens(4)).expect("written");
    for form in [&["--json"][..], &["--csv"], &[]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
            .args(["watch", "--last", "all"])
            .args(form)
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut head = BufReader::new(child.stdout.take().expect("piped")).lines();
        for _ in 0..2 {
            head.next().expect("it goes on").expect("UTF-8");
        }
        drop(head);
        let (send, ended) = channel();
        let pid = child.id();
        std::thread::spawn(move || send.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(Duration::from_secs(30)) else {
            let kill = format!("kill -s KILL {pid}");
            Command::new("sh").args(["-c", &kill]).status().ok();
            panic!("{form:?}: it goes on for nobody");
        };
        let output = output.expect("a child");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{form:?}: {said}"
        );
    }
}

/// On a full disk a server loses the rest of a line, and goes on behind it when there is room again.
#[test]
fn a_line_that_was_never_finished_costs_no_other() {
    let (_dir, mut file, mut watch) = with_one_session();
    let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
    write("2026-11-23 10:00:00.000 UTC [3] LOG:  connection autho");
    write(&line(4, "LOG:  checkpoint starting: time"));
    write(&line(
        5,
        "LOG:  connection authorized: user=app database=shop",
    ));
    write(&line(
        2,
        "LOG:  disconnection: session time: 0:00:01.000 user=app database=shop host=[local]",
    ));
    watch.until("what comes then", |seen| seen.open() == [5]);
    watch.end();
}

fn csv(pid: u32, second: u32) -> String {
    format!(
        "2026-11-23 10:00:{second:02}.000 UTC,\"u\",\"d\",{pid},\"1.2.3.4:5\",6a1.b,1,\"authentication\",\
         2026-11-23 10:00:00 UTC,3/4,0,LOG,00000,\"connection authorized: user=u database=d\",,,,,,,,,\"\",\
         \"client backend\",,0\n"
    )
}

#[test]
fn the_format_that_a_server_goes_on_with_is_followed() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(dir.path().join(name));
        file.expect("a file")
            .write_all(text.as_bytes())
            .expect("written");
    };
    let text = |pid| line(pid, "LOG:  connection authorized: user=u database=d");
    write(
        "pg.log",
        &line(1, "LOG:  database system is ready to accept connections"),
    );
    write("pg.log", &text(2));
    let mut watch = Watch::start(&["--json", "--last", "all"], dir.path());
    watch.until("what was there", |seen| seen.open() == [2]);
    // Both formats: one of them counts.
    write("pg.csv", &csv(3, 1));
    write("pg.log", &text(3));
    watch.until("one of both", |seen| seen.open() == [2, 3]);
    // What comes within 50 ms is of the same events; this does not.
    std::thread::sleep(Duration::from_millis(200));
    // One alone, as after a change of `log_destination`.
    for pid in 4..8 {
        write("pg.csv", &csv(pid, pid));
    }
    watch.until("the other alone", |seen| seen.open() == [2, 3, 4, 5, 6, 7]);
    watch.until_said("it is said", |said| said.contains("followed from now on"));
    assert_eq!(watch.end().count(), [6, 0, 0]);
}

#[test]
fn a_directory_that_is_not_there_yet_is_followed() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("data/log");
    let mut watch = Watch::start(&["--json"], &log);
    watch.until_said("it is missing", |said| said.contains("waiting for it"));
    fs::create_dir_all(&log).expect("made");
    fs::write(
        log.join("pg.log"),
        line(9, "LOG:  connection authorized: user=app database=shop"),
    )
    .expect("written");
    watch.until("it has come", |seen| seen.open() == [9]);
    watch.end();
}

#[test]
fn a_directory_that_is_made_below_is_followed() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = |pid| line(pid, "LOG:  connection authorized: user=app database=shop");
    fs::write(dir.path().join("pg.log"), text(2)).expect("written");
    let mut watch = Watch::start(&["--json", "--last", "all"], dir.path());
    watch.until("what was there", |seen| seen.open() == [2]);
    for (pid, below) in [(3, "2026-11-23"), (4, "2026-11-24/b")] {
        let below = dir.path().join(below);
        fs::create_dir_all(&below).expect("made");
        fs::write(below.join("pg.log"), text(pid)).expect("written");
        watch.until("it has come", |seen| seen.open().contains(&i64::from(pid)));
    }
    assert_eq!(watch.end().count(), [3, 0, 0]);
}

/// A server that is started with another `lc_messages` writes on in the same file.
#[test]
fn a_log_that_goes_on_in_another_language_is_understood() {
    let (_dir, mut file, mut watch) = with_one_session();
    let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
    write(&line(
        3,
        "LOG:  Verbindung autorisiert: Benutzer=app Datenbank=shop",
    ));
    watch.until("German", |seen| seen.open() == [2, 3]);
    write(&line(
        4,
        "СООБЩЕНИЕ:  подключение авторизовано: пользователь=app база=shop",
    ));
    watch.until("Russian", |seen| seen.open() == [2, 3, 4]);
    write(&line(
        3,
        "LOG:  Verbindungsende: Sitzungszeit: 0:00:01.000 Benutzer=app Datenbank=shop Host=[local]",
    ));
    write(&line(
        2,
        "LOG:  disconnection: session time: 0:00:09.000 user=app database=shop host=[local]",
    ));
    watch.until("all of them", |seen| seen.open() == [4]);
    watch.until_said("which", |said| {
        said.contains("goes on in") && said.contains("ru")
    });
    watch.end();
}
