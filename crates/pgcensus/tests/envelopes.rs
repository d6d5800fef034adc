//! A log in an envelope says what it says without: each recorded run is wrapped in each, and the census is the same.

#[path = "support/wrapped.rs"]
mod wrapped;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wrapped::{CloudWatch, Message, Record, Syslog};

/// Its records are all of a prefix `%m [%p] `.
const RUNS: [&str; 6] = [
    "18/basic",
    "16/failures",
    "17/kills",
    "15/replication",
    "18/injection",
    "16/injection",
];

fn recorded(run: &str, format: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(run)
        .join(format);
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .unwrap_or_else(|err| panic!("{}: {err}", dir.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let text = files.iter().flat_map(|file| {
        let file = std::fs::File::open(file).expect("a recorded file");
        zstd::decode_all(file).expect("it is compressed")
    });
    text.collect()
}

fn run(args: &[&str], path: Option<&Path>, piped: &[u8]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match path {
        Some(path) => command.arg(path),
        None => command.arg("-"),
    };
    let mut child = command.spawn().expect("the program runs");
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(piped)));
        child.wait_with_output().expect("it ends")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code(),
    )
}

/// What is said of a log, without whose it is and how it came.
fn said(bytes: &[u8], is_piped: bool) -> Vec<Value> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("a.log");
    std::fs::write(&path, bytes).expect("it is written");
    let mut all = Vec::new();
    for args in [
        &["sessions", "--json"][..],
        &["events", "--json"],
        &["summary", "--json"],
    ] {
        let (out, err, code) = if is_piped {
            run(args, None, bytes)
        } else {
            run(args, Some(&path), b"")
        };
        assert_eq!(code, Some(0), "{args:?}: {err}");
        for line in out.lines() {
            let mut value: Value = match args[0] {
                "summary" => serde_json::from_str(&out).expect("an object"),
                _ => serde_json::from_str(line).expect("an object"),
            };
            let object = value.as_object_mut().expect("an object");
            object.remove("server");
            object.remove("input");
            all.push(value);
            if args[0] == "summary" {
                break;
            }
        }
    }
    all
}

#[track_caller]
fn assert_same(plain: &[Value], wrapped: &[u8], what: &str) {
    for is_piped in [false, true] {
        let found = said(wrapped, is_piped);
        if let Some(i) = (0..plain.len().max(found.len())).find(|&i| plain.get(i) != found.get(i)) {
            let (expected, found) = (plain.get(i), found.get(i));
            panic!("{what}, piped {is_piped}, at {i}:\n{expected:?}\n{found:?}");
        }
    }
}

/// Names that are no UTF-8 do not survive JSON: there the plain text has what the writers put in their place.
fn as_utf8(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).into_owned().into_bytes()
}

const SPLIT: Syslog = Syslog {
    split: true,
    numbers: true,
};

fn each_run(wrap: impl Fn(&[Record]) -> Vec<(&'static str, Vec<u8>)>) {
    for run in RUNS {
        let text = as_utf8(&recorded(run, "stderr"));
        let plain = said(&text, false);
        assert!(plain.len() > 20, "{run}: there is something to compare");
        for (what, wrapped) in wrap(&wrapped::records(&text)) {
            assert_same(&plain, &wrapped, &format!("{run} in {what}"));
        }
    }
}

#[test]
fn syslog_of_every_shape() {
    each_run(|records| {
        let split = wrapped::messages(records, SPLIT);
        let chunks = wrapped::messages(
            records,
            Syslog {
                split: true,
                numbers: false,
            },
        );
        let whole = wrapped::messages(
            records,
            Syslog {
                split: false,
                numbers: false,
            },
        );
        let numbered = wrapped::messages(
            records,
            Syslog {
                split: false,
                numbers: true,
            },
        );
        vec![
            ("RFC 3164", wrapped::rfc3164(&split, "db01", "postgres")),
            (
                "RFC 3164, another ident",
                wrapped::rfc3164(&split, "db01", "pg main"),
            ),
            (
                "ISO stamps, chunks without a count of records",
                wrapped::iso(&chunks, "db01"),
            ),
            ("ISO stamps, not split", wrapped::iso(&whole, "db01")),
            (
                "ISO stamps, numbered, not split",
                wrapped::iso(&numbered, "db01"),
            ),
            ("RFC 5424", wrapped::rfc5424(&split)),
            ("RFC 6587", wrapped::counted(&split)),
            ("Heroku", wrapped::heroku(&split)),
        ]
    });
}

#[test]
fn journals() {
    each_run(|records| {
        let split = wrapped::messages(records, SPLIT);
        let whole = wrapped::messages(
            records,
            Syslog {
                split: false,
                numbers: false,
            },
        );
        let lines = wrapped::physical(records);
        vec![
            (
                "journald JSON of a pipe",
                wrapped::journal_json(&lines, false),
            ),
            (
                "journald JSON of syslog",
                wrapped::journal_json(&split, true),
            ),
            (
                "journald JSON of whole messages",
                wrapped::journal_json(&whole, true),
            ),
            (
                "journald export of a pipe",
                wrapped::journal_export(&lines, false),
            ),
            (
                "journald export of syslog",
                wrapped::journal_export(&split, true),
            ),
            (
                "journald export of whole messages",
                wrapped::journal_export(&whole, true),
            ),
            ("journalctl -o short", wrapped::journal_short(&whole)),
        ]
    });
}

#[test]
fn containers() {
    each_run(|records| {
        let text = text(records);
        vec![
            ("Docker json-file", wrapped::docker(&text, 16 << 10)),
            ("Kubernetes CRI", wrapped::cri(&text, 16 << 10)),
            ("Kubernetes CRI in small parts", wrapped::cri(&text, 50)),
            ("time stamps", wrapped::stamped(&text)),
            (
                "Docker in CRI",
                wrapped::cri(&wrapped::docker(&text, 16 << 10), 16 << 10),
            ),
        ]
    });
}

#[test]
fn clouds() {
    each_run(|records| {
        let lines = wrapped::physical(records);
        vec![
            (
                "aws logs get-log-events",
                wrapped::cloudwatch(records, &CloudWatch::GetLogEvents),
            ),
            (
                "aws logs filter-log-events",
                wrapped::cloudwatch(records, &CloudWatch::FilterLogEvents),
            ),
            (
                "CloudWatch subscription",
                wrapped::cloudwatch(records, &CloudWatch::Subscription),
            ),
            ("aws logs tail", wrapped::aws_tail(&text(records))),
            (
                "Cloud SQL lines",
                wrapped::cloud_logging(&lines, false, false),
            ),
            (
                "Cloud SQL list, newest first",
                wrapped::cloud_logging(&lines, true, true),
            ),
            (
                "Cloud SQL lines, newest first",
                wrapped::cloud_logging(&lines, false, true),
            ),
            ("Azure", wrapped::azure(records, false)),
            ("Azure, listed", wrapped::azure(records, true)),
            ("Filebeat", wrapped::elastic(records, false)),
            ("Elasticsearch", wrapped::elastic(records, true)),
        ]
    });
}

/// The physical lines of records.
fn text(records: &[Record]) -> Vec<u8> {
    let lines = records.iter().flat_map(|record| &record.lines);
    lines.flat_map(|line| [&line[..], b"\n"].concat()).collect()
}

#[test]
fn records_as_objects() {
    for run in [
        "18/basic",
        "16/failures",
        "17/kills",
        "15/replication",
        "13/basic",
        "18/injection",
    ] {
        let csvlog = as_utf8(&recorded(run, "csvlog"));
        let plain = said(&csvlog, false);
        let pods = wrapped::cloudnativepg(&csvlog, "cluster-1");
        assert_same(&plain, &pods, &format!("{run} in CloudNativePG"));
        assert_same(
            &plain,
            &wrapped::cri(&pods, 16 << 10),
            &format!("{run} in CloudNativePG in CRI"),
        );
        assert_same(
            &plain,
            &wrapped::docker(&pods, 500),
            &format!("{run} in CloudNativePG in Docker"),
        );
        assert_same(
            &plain,
            &wrapped::supabase(&csvlog),
            &format!("{run} in Supabase"),
        );
    }
}

#[test]
fn other_formats_and_prefixes() {
    for (run, format) in [
        ("18/basic", "jsonlog"),
        ("18/injection", "jsonlog"),
        ("16/prefix-rds", "stderr"),
        ("16/prefix-azure", "stderr"),
        ("16/prefix-cloudsql", "stderr"),
        ("17/verbose", "stderr"),
        ("18/basic", "csvlog"),
    ] {
        let text = as_utf8(&recorded(run, format));
        let plain = said(&text, false);
        for (what, wrapped) in [
            ("Docker", wrapped::docker(&text, 16 << 10)),
            ("CRI", wrapped::cri(&text, 300)),
            ("time stamps", wrapped::stamped(&text)),
            ("aws logs tail", wrapped::aws_tail(&text)),
        ] {
            assert_same(&plain, &wrapped, &format!("{run} {format} in {what}"));
        }
    }
}

/// Its sessions: what tells more than one line of a record is not there.
#[test]
fn azure_single_server_has_altered_messages() {
    let records = wrapped::records(&recorded("15/basic", "stderr"));
    let first_lines: Vec<_> = records
        .iter()
        .flat_map(|r| [&r.lines[0][..], b"\n"].concat())
        .collect();
    let plain = said(&first_lines, false);
    assert_same(
        &plain,
        &wrapped::azure_single_server(&records),
        "Azure Single Server",
    );
}

/// A log of several hosts, one of which restarts meanwhile: as each of them alone.
#[test]
fn servers_of_one_file_are_kept_apart() {
    let parts: Vec<(String, Vec<Message>)> = [
        ("db01", "18/basic"),
        ("db02", "16/failures"),
        ("db03", "17/kills"),
    ]
    .map(|(host, run)| {
        let records = wrapped::records(&recorded(run, "stderr"));
        (host.to_owned(), wrapped::messages(&records, SPLIT))
    })
    .into();
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    for (host, messages) in &parts {
        for message in messages {
            lines.push((
                message.at.clone(),
                wrapped::iso(std::slice::from_ref(message), host),
            ));
        }
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let noise = b"2026-11-23T05:00:00+00:00 db01 sshd[1]: error: LOG\n".to_vec();
    let central: Vec<u8> = [noise]
        .into_iter()
        .chain(lines.into_iter().map(|(_, line)| line))
        .flatten()
        .collect();
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("central.log");
    std::fs::write(&path, &central).expect("it is written");
    for path in [Some(&*path), None] {
        let (out, err, code) = run(&["sessions", "--json"], path, &central);
        assert_eq!(code, Some(0), "{err}");
        for (host, messages) in &parts {
            let of_host = |line: &&str| line.contains(&format!("\"server\":\"{host}\""));
            let found: Vec<_> = out.lines().filter(of_host).collect();
            let (alone, _, _) = run(&["sessions", "--json"], None, &wrapped::iso(messages, host));
            let alone: Vec<_> = alone.lines().collect();
            assert_eq!(found, alone, "{host}");
            assert!(found.len() > 10, "{host}");
        }
    }
}

#[test]
fn envelope_and_server_are_said() {
    let records = wrapped::records(&recorded("18/basic", "stderr"));
    let csvlog = recorded("18/basic", "csvlog");
    let split = wrapped::messages(&records, SPLIT);
    for (bytes, envelope, server) in [
        (
            wrapped::rfc3164(&split, "db01", "postgres"),
            "syslog",
            "db01",
        ),
        (
            wrapped::rfc3164(&split, "db01", "pg main"),
            "syslog",
            "db01/pg main",
        ),
        (
            wrapped::journal_json(&split, true),
            "journald JSON",
            "db01/16-main",
        ),
        (wrapped::heroku(&split), "Heroku", "YELLOW"),
        (
            wrapped::cri(&wrapped::cloudnativepg(&csvlog, "cluster-1"), 999),
            "Kubernetes CRI, CloudNativePG",
            "cluster-1",
        ),
        (
            wrapped::cloud_logging(&wrapped::physical(&records), true, true),
            "Google Cloud Logging",
            "proj:inst",
        ),
        (
            wrapped::cloudwatch(&records, &CloudWatch::Subscription),
            "CloudWatch",
            "mydb.0",
        ),
        (wrapped::azure(&records, true), "Azure", "db01"),
        (
            wrapped::docker(&text(&records), 999),
            "Docker json-file",
            "stdin",
        ),
    ] {
        let (out, err, _) = run(&["summary", "--json", "--explain"], None, &bytes);
        let summary: Value = serde_json::from_str(&out).expect("an object");
        let source = &summary["input"]["sources"][0];
        assert_eq!(
            (source["envelope"].as_str(), source["server"].as_str()),
            (Some(envelope), Some(server))
        );
        assert!(err.contains(&format!("-: {envelope}, ")), "{err}");
    }
}
