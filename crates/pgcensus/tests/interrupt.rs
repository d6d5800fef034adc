//! Ctrl+C: what has been read is counted and marked partial, also while the program waits for more.
//!
//! Nothing here waits for a time: a pipe that is empty has been read, one that is full is not read any more.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use serde_json::Value;

/// What the status of a shell's command is that Ctrl+C ended.
const INTERRUPTED: Option<i32> = Some(130);

#[test]
fn a_pipe_that_stays_open_is_counted_up_to_there() {
    let log = sessions("10:00", 3_000);
    for args in [
        &["summary", "--json"][..],
        // Their window is counted from the end: all is stored first.
        &["history", "--json"],
        &["history", "--json", "--last", "all"],
    ] {
        let (status, out, err) = interrupted(args, log.as_bytes());
        assert_eq!(status.code(), INTERRUPTED, "{args:?}: {err}");
        let mut partial: Value = serde_json::from_str(&out).expect("an object");
        let whole: Value =
            serde_json::from_str(&complete(args, log.as_bytes())).expect("an object");
        assert_eq!(partial["input"]["partial"], true, "{args:?}");
        assert_eq!(whole["input"]["partial"], false, "{args:?}");
        partial["input"]["partial"] = false.into();
        // A window ends after its last instant, an input with its last record.
        for key in ["until", "buckets"] {
            if let Some(value) = partial.get_mut(key) {
                *value = whole[key].clone();
            }
        }
        assert_eq!(partial, whole, "{args:?}");
        let note = "pgcensus: partial: stopped by Ctrl+C after";
        assert!(err.starts_with(note), "{args:?}: {err}");
        assert!(err.contains("up to 23 Nov 10:49:59 UTC"), "{args:?}: {err}");
    }
}

#[test]
fn a_text_says_first_that_it_is_partial() {
    let log = sessions("10:00", 10);
    for args in [&["summary"][..], &["history", "--last", "all"]] {
        let (status, out, err) = interrupted(args, log.as_bytes());
        assert_eq!((status.code(), &*err), (INTERRUPTED, ""), "{args:?}");
        let first = format!(
            "partial: stopped by Ctrl+C after {:.1} kB",
            log.len() as f64 / 1e3
        );
        assert!(out.starts_with(&first), "{args:?}: {out}");
        let whole = complete(args, log.as_bytes());
        let rest: Vec<_> = out.lines().skip(2).collect();
        assert_eq!(rest, whole.lines().collect::<Vec<_>>(), "{args:?}");
    }
}

#[test]
fn rows_are_printed_and_the_note_stands_beside_them() {
    let log = sessions("10:00", 20);
    for args in [
        &["sessions", "--csv"][..],
        &["events", "--json"],
        &["events"],
    ] {
        let (status, out, err) = interrupted(args, log.as_bytes());
        assert_eq!(status.code(), INTERRUPTED, "{args:?}: {err}");
        assert_eq!(out, complete(args, log.as_bytes()), "{args:?}");
        assert_eq!(
            err.matches("partial: stopped by Ctrl+C").count(),
            1,
            "{err}"
        );
    }
}

#[test]
fn a_record_that_may_go_on_is_not_counted() {
    let whole = sessions("10:00", 2_000);
    // Raised by a client, as the next line would have told.
    let raised = "2026-11-23 11:00:00.000 UTC [9] LOG:  connection authorized: user=forged database=shop\n\
                  2026-11-23 11:00:00.000 UTC [9] CONTE";
    let log = whole.clone() + raised;
    let args = ["sessions", "--json"];
    let (status, out, err) = interrupted(&args, log.as_bytes());
    assert_eq!(status.code(), INTERRUPTED, "{err}");
    assert_eq!(out, complete(&args, whole.as_bytes()));
    assert!(!err.contains("could not be read"), "{err}");
}

#[test]
fn a_compressed_pipe_is_cut_off_and_not_damaged() {
    let log = sessions("10:00", 20_000);
    let packed = zstd::encode_all(log.as_bytes(), 1).expect("a Vec takes all");
    let cut = &packed[..packed.len() / 2];
    for args in [
        &["summary", "--json"][..],
        &["history", "--json", "--last", "all"],
    ] {
        let (status, out, err) = interrupted(args, cut);
        assert_eq!(status.code(), INTERRUPTED, "{args:?}: {err}");
        let object: Value = serde_json::from_str(&out).expect("an object");
        assert_eq!(object["input"]["partial"], true);
        assert_eq!(object["input"]["unreadable"], 0);
        assert_eq!(object["peak"]["certainty"], "exact", "{object}");
        assert!(!err.contains("truncated"), "{err}");
    }
}

/// Other servers might come after those of its begin, so it is kept as it comes; what came is read from there.
#[test]
fn a_pipe_that_names_servers_is_cut_off_and_what_came_of_it_is_counted() {
    let lines = |log: &str, host: &str| {
        let wrapped = log.lines().map(|line| {
            let pid = line.split(['[', ']']).nth(1).expect("a pid");
            format!("2026-11-23T05:00:00+00:00 {host} postgres[{pid}]: {line}\n")
        });
        wrapped.collect::<String>()
    };
    let log = lines(&sessions("10:00", 3_000), "db01") + &lines(&sessions("11:00", 3_000), "db02");
    let args = ["sessions", "--json"];
    let (status, out, err) = interrupted(&args, log.as_bytes());
    assert_eq!(status.code(), INTERRUPTED, "{err}");
    assert!(
        err.starts_with("pgcensus: partial: stopped by Ctrl+C after"),
        "{err}"
    );
    assert_eq!(out, complete(&args, log.as_bytes()));
    for host in ["db01", "db02"] {
        assert_eq!(
            out.matches(&format!("\"server\":\"{host}\"")).count(),
            3_000,
            "{host}"
        );
    }
}

/// Its logs are kept in a temporary file as they come; what came is read from there.
#[test]
fn a_piped_tar_is_cut_off_and_what_came_of_it_is_counted() {
    let log = sessions("10:00", 20_000);
    let mut tar = vec![0; 512];
    tar[..9].copy_from_slice(b"db/pg.log");
    tar[124..135].copy_from_slice(format!("{:011o}", log.len()).as_bytes());
    tar[148..156].fill(b' ');
    tar[156] = b'0';
    tar[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = tar.iter().map(|&byte| u32::from(byte)).sum();
    tar[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    tar.extend(log.as_bytes());
    let packed = zstd::encode_all(&*tar, 1).expect("a Vec takes all");
    for cut in [&tar[..tar.len() / 2], &packed[..packed.len() / 2]] {
        for args in [
            &["summary", "--json"][..],
            &["history", "--json", "--last", "all"],
            &["history", "--json"],
        ] {
            let (status, out, err) = interrupted(args, cut);
            assert_eq!(status.code(), INTERRUPTED, "{args:?}: {err}");
            let object: Value = serde_json::from_str(&out).expect("an object");
            assert_eq!(object["input"]["partial"], true);
            assert_eq!(object["input"]["unreadable"], 0);
            assert_eq!(object["input"]["sources"][0]["path"], "-: db/pg.log");
            assert!(!err.contains("truncated"), "{err}");
        }
    }
}

#[test]
fn a_window_ends_where_the_reading_did() {
    let log = sessions("10:00", 3_000);
    // The state at noon is not known: what is shown is that of the last record.
    let noon = "2026-11-23 12:00:00 UTC";
    for window in ["--at", "--until"] {
        let args = ["summary", "--json", window, noon];
        let (status, out, err) = interrupted(&args, log.as_bytes());
        assert_eq!(status.code(), INTERRUPTED, "{window}: {err}");
        let object: Value = serde_json::from_str(&out).expect("an object");
        assert_eq!(object["until"], "2026-11-23T10:49:59.501+00:00", "{window}");
        assert_eq!(object["open"]["count"], 300, "{window}");
    }
    // Of a window that begins later nothing is known, which is no zero.
    for args in [
        &["summary", "--json"][..],
        &["history"],
        &["sessions"],
        &["events"],
    ] {
        let args = [args, &["--since", noon]].concat();
        let (status, out, err) = interrupted(&args, log.as_bytes());
        assert_eq!((status.code(), &*out), (INTERRUPTED, ""), "{args:?}");
        assert!(
            err.ends_with("the window begins later, and nothing is known of it\n"),
            "{err}"
        );
    }
}

#[test]
fn before_there_is_anything_to_count_that_is_said() {
    for args in [&["summary"][..], &["history"], &["events", "--json"]] {
        let (status, out, err) = interrupted(args, b"2026-11-23 10:0");
        assert_eq!((status.code(), &*out), (INTERRUPTED, ""), "{args:?}");
        let note = "pgcensus: stopped by Ctrl+C before there was anything to count\n";
        assert_eq!(err, note, "{args:?}");
    }
}

#[test]
fn a_file_is_read_up_to_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pg.log");
    // More than all buffers of the program hold.
    let log = sessions("10:00", 100_000);
    std::fs::write(&path, &log).expect("written");
    let path = path.to_str().expect("UTF-8");
    let whole = complete(&["events", "--json", path], b"");

    let child = start(&["events", "--json", "--threads", "1", path]);
    wait_for_full(child.stdout.as_ref().expect("piped"));
    interrupt(&child);
    let (status, out, err) = end(child);
    assert_eq!(status.code(), INTERRUPTED, "{err}");
    assert!(whole.starts_with(&out), "not the beginning of all rows");
    assert!(
        out.lines().count() > 1_000 && out.len() < whole.len() / 2,
        "{}",
        out.len()
    );
    let size = format!("of {:.1} MB", log.len() as f64 / 1e6);
    assert!(
        err.contains("partial: stopped by Ctrl+C after ") && err.contains(&size),
        "{err}"
    );
}

#[test]
fn the_second_one_ends_the_program() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pg.log");
    std::fs::write(&path, sessions("10:00", 20_000)).expect("written");
    let mut child = start(&["events", path.to_str().expect("UTF-8")]);
    wait_for_full(child.stdout.as_ref().expect("piped"));
    // Nobody reads what it prints: it cannot come to its end.
    let status = until(|| {
        interrupt(&child);
        child.try_wait().expect("a child")
    });
    assert_eq!(status.code(), INTERRUPTED);
}

/// A server that starts, and then this many sessions, one each second from this time on, of which every tenth stays.
fn sessions(from: &str, n: u32) -> String {
    let (h, m) = from.split_once(':').expect("HH:MM");
    let begin = h.parse::<u32>().expect("hours") * 3600 + m.parse::<u32>().expect("minutes") * 60;
    let mut log = format!(
        "2026-11-23 {from}:00.000 UTC [1] LOG:  starting PostgreSQL 16.4 on x86_64-pc-linux-gnu\n\
         2026-11-23 {from}:00.000 UTC [1] LOG:  database system is ready to accept connections\n"
    );
    for i in 0..n {
        let (at, pid, port) = (begin + i, 100 + i, 1024 + i % 60_000);
        let time = format!(
            "2026-11-23 {:02}:{:02}:{:02}",
            at / 3600 % 24,
            at / 60 % 60,
            at % 60
        );
        let time = if at < 86_400 {
            time
        } else {
            time.replace("11-23", "11-24")
        };
        let user = ["app", "bi"][i as usize % 2];
        let _ = write!(
            log,
            "{time}.000 UTC [{pid}] LOG:  connection received: host=10.0.0.7 port={port}\n\
             {time}.004 UTC [{pid}] LOG:  connection authorized: user={user} database=shop application_name=api\n"
        );
        if i % 10 > 0 {
            let _ = writeln!(
                log,
                "{time}.500 UTC [{pid}] LOG:  disconnection: session time: 0:00:00.500 user={user} \
                 database=shop host=10.0.0.7 port={port}"
            );
        }
    }
    log
}

/// What is printed where this is all the input.
fn complete(args: &[&str], input: &[u8]) -> String {
    let mut child = start(args);
    let mut stdin = child.stdin.take().expect("piped");
    let (status, out, err) = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).ok());
        end(child)
    });
    assert!(status.success(), "{args:?}: {err}");
    out
}

/// Ctrl+C when all of this has been read, and the pipe is still open.
fn interrupted(args: &[&str], input: &[u8]) -> (ExitStatus, String, String) {
    let mut child = start(args);
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input).expect("it reads");
    wait_for_empty(&stdin);
    interrupt(&child);
    let ended = end(child);
    drop(stdin);
    ended
}

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Status, stdout and stderr.
fn end(child: Child) -> (ExitStatus, String, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status, text(output.stdout), text(output.stderr))
}

fn interrupt(child: &Child) {
    let script = format!("kill -s INT {}", child.id());
    let status = Command::new("sh")
        .args(["-c", &script])
        .stderr(Stdio::null())
        .status();
    status.expect("a shell");
}

fn wait_for_empty(pipe: &impl AsFd) {
    until(|| (waiting(pipe) == 0).then_some(()));
}

/// Rows are written in pieces of 64 kB, of which its buffer holds one: the program waits, or is about to.
fn wait_for_full(pipe: &impl AsFd) {
    until(|| (waiting(pipe) > 60_000).then_some(()));
}

/// Bytes in a pipe.
fn waiting(pipe: &impl AsFd) -> u64 {
    rustix::io::ioctl_fionread(pipe)
        .map_err(io::Error::from)
        .expect("a pipe")
}

fn until<T>(mut what: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(so) = what() {
            return so;
        }
        thread::yield_now();
    }
}
