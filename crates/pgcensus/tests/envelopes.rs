//! A log in an envelope says what it says without: each recorded run is wrapped in each, and the census is the same.

#[path = "support/wrapped.rs"]
mod wrapped;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgcensus_log::envelope::{Day, Envelope};
use serde_json::Value;
use tempfile::TempDir;
use wrapped::{CloudWatch, Knows, Message, Recording, Syslog};

/// The logs of one format of a run.
struct Log {
    /// `18/basic stderr`
    name: String,
    format: Format,
    text: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    /// What the server writes without a collector, too.
    Stderr,
    Csvlog,
    Jsonlog,
    /// As rsyslog has written it.
    Syslog,
}

/// A directory with runs as in `testdata/`, compressed or not; otherwise that itself.
const CORPUS: &str = "PGCENSUS_TEST_CORPUS";

/// Each log of each run that there is.
fn logs(mut each: impl FnMut(Log)) {
    let corpus = std::env::var_os(CORPUS).map(PathBuf::from);
    let root =
        corpus.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata"));
    let mut count = 0;
    for run in directories(&root)
        .iter()
        .flat_map(|version| directories(version))
    {
        for place in [run.clone(), run.join("standby")] {
            let run = place.strip_prefix(&root).expect("below it").display();
            for (directory, format) in [
                ("stderr", Format::Stderr),
                ("container", Format::Stderr),
                ("csvlog", Format::Csvlog),
                ("jsonlog", Format::Jsonlog),
                ("syslog", Format::Syslog),
            ] {
                let mut files = files(&place.join(directory));
                // What is there wrapped already is in `tests/truth.rs`.
                files.retain(|file| {
                    directory != "container" || name(file).starts_with("stderr.log")
                });
                let each_file = format == Format::Syslog;
                let text: Vec<_> = files.iter().map(|file| bytes_of(file)).collect();
                let name = format!("{run} {directory}");
                let texts = if each_file { text } else { vec![text.concat()] };
                for text in texts.into_iter().filter(|text| !text.is_empty()) {
                    count += 1;
                    each(Log {
                        name: name.clone(),
                        format,
                        text: as_utf8(&text),
                    });
                }
            }
        }
    }
    assert!(count > 50, "{}: {count} logs", root.display());
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = entries(of)
        .into_iter()
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

/// The files of a log, in the order in which they were written: the higher its number, the older.
fn files(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = entries(of)
        .into_iter()
        .filter(|path| path.is_file())
        .collect();
    let number = |path: &PathBuf| {
        let name = name(path);
        let name = name.strip_suffix(".zst").unwrap_or(&name);
        name.rsplit_once('.')
            .and_then(|(_, number)| number.parse::<u32>().ok())
    };
    found.sort_by_key(|path| (std::cmp::Reverse(number(path)), path.clone()));
    found
}

fn entries(of: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(of) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn bytes_of(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).expect("a recorded file");
    if path.extension().is_some_and(|extension| extension == "zst") {
        zstd::decode_all(file).expect("it is compressed")
    } else {
        std::fs::read(path).expect("it is read")
    }
}

fn recorded(run: &str, format: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(run)
        .join(format);
    files(&dir).iter().flat_map(|file| bytes_of(file)).collect()
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

/// What is said of a log, without whose it is and how it came: its events as it is piped in, its census as a file.
fn said(bytes: &[u8]) -> Vec<Value> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("a.log");
    std::fs::write(&path, bytes).expect("it is written");
    let (events, err, code) = run(&["events", "--json"], None, bytes);
    assert_eq!(code, Some(0), "events: {err}");
    let (summary, err, code) = run(&["summary", "--json"], Some(&path), b"");
    assert_eq!(code, Some(0), "summary: {err}");
    let mut said: Vec<Value> = [&*summary]
        .into_iter()
        .chain(events.lines())
        .map(|object| serde_json::from_str(object).expect("an object"))
        .collect();
    for value in &mut said {
        value.as_object_mut().expect("an object").remove("input");
        forget_server(value);
    }
    said
}

/// Leaves out the names of servers, and of inputs in commands; how many sessions ended with one stays.
fn forget_server(value: &mut Value) {
    match value {
        Value::Object(keys) => {
            keys.retain(|key, value| key != "command" && (key != "server" || value.is_number()));
            keys.values_mut().for_each(forget_server);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_server),
        _ => {}
    }
}

#[track_caller]
fn assert_same(plain: &[Value], wrapped: &[u8], what: &str) {
    if let Some(why) = difference(plain, wrapped) {
        panic!("{what}{why}");
    }
}

fn difference(plain: &[Value], wrapped: &[u8]) -> Option<String> {
    let found = said(wrapped);
    let i = (0..plain.len().max(found.len())).find(|&i| plain.get(i) != found.get(i))?;
    Some(format!(", at {i}:\n{:?}\n{:?}", plain.get(i), found.get(i)))
}

/// Names that are no UTF-8 do not survive JSON: there the plain text has what the writers put in their place.
fn as_utf8(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).into_owned().into_bytes()
}

const SPLIT: Syslog = Syslog {
    split: true,
    numbers: true,
};

/// An envelope as the tests write it.
struct Wrapping {
    name: &'static str,
    knows: Knows,
    of_records: bool,
    wrap: fn(&Recording) -> Vec<u8>,
}

/// One that has each physical line.
const fn of_lines(name: &'static str, wrap: fn(&Recording) -> Vec<u8>) -> Wrapping {
    Wrapping {
        name,
        knows: Knows::Time,
        of_records: false,
        wrap,
    }
}

/// One that has each physical line, and no time.
const fn of_names(name: &'static str, wrap: fn(&Recording) -> Vec<u8>) -> Wrapping {
    Wrapping {
        name,
        knows: Knows::Nothing,
        of_records: false,
        wrap,
    }
}

/// One that has each record.
const fn of_records(name: &'static str, wrap: fn(&Recording) -> Vec<u8>) -> Wrapping {
    Wrapping {
        name,
        knows: Knows::Time,
        of_records: true,
        wrap,
    }
}

/// One that has each record and the process that wrote it.
const fn of_messages(name: &'static str, wrap: fn(&Recording) -> Vec<u8>) -> Wrapping {
    Wrapping {
        name,
        knows: Knows::Process,
        of_records: true,
        wrap,
    }
}

/// In the prefix of this run stand names with line breaks: which lines are one record, whose and of when, its text does not
/// tell. So it is wrapped line by line only.
const TORN: &str = "17/injection-prefix";

/// The runs that go through the program in every envelope. For others it is enough that the same text comes out.
const RUNS: [&str; 6] = [
    "18/basic",
    "16/failures",
    "17/kills",
    "15/replication",
    "18/injection",
    "16/injection",
];

/// Out of the envelope comes, byte for byte, what was wrapped.
fn is_same_text(plain: &[u8], wrapped: &[u8]) -> bool {
    const END: Day = Day {
        year: 2026,
        month: 11,
        day: 26,
    };
    let head = &wrapped[..wrapped.len().min(64 << 10)];
    Envelope::of(head, END).is_some_and(|envelope| envelope.text(wrapped) == plain)
}

/// Wraps each log that has one of the `formats` in each of the envelopes. All that differs is told at once.
fn each_log(formats: &[Format], wrappings: &[Wrapping]) {
    let is_corpus = std::env::var_os(CORPUS).is_some();
    let (mut compared, mut different) = (0, Vec::new());
    logs(|log| {
        if !formats.contains(&log.format) {
            return;
        }
        let recording = match log.format {
            Format::Stderr => wrapped::recording(log.text),
            _ => wrapped::by_lines(log.text),
        };
        let mut said_plainly: [Option<Vec<Value>>; 3] = [const { None }; 3];
        let is_whole = is_corpus || RUNS.iter().any(|run| log.name.starts_with(run));
        for Wrapping {
            name,
            knows,
            of_records,
            wrap,
        } in wrappings
        {
            if *of_records && log.name.starts_with(TORN) {
                continue;
            }
            compared += 1;
            let (plain, wrapped) = (recording.completed(*knows), wrap(&recording));
            if !is_whole && is_same_text(&plain, &wrapped) {
                continue;
            }
            let plain = said_plainly[*knows as usize].get_or_insert_with(|| said(&plain));
            assert!(
                plain.len() > 5,
                "{}: there is something to compare",
                log.name
            );
            if let Some(why) = difference(plain, &wrapped) {
                different.push(format!("{} in {name}{why}", log.name));
            }
        }
    });
    let (count, different_in) = (different.len(), different.join("\n"));
    assert!(count == 0, "{count} of {compared} differ:\n{different_in}");
    assert!(compared > 100, "{compared} are compared");
}

fn split(of: &Recording) -> Vec<Message> {
    wrapped::messages(&of.records, SPLIT)
}

/// The parts of a record, then those of the next. Heroku has no process outside of the text: parts of two that come in turns,
/// under the same number, could not be told apart.
fn in_turn(of: &Recording) -> Vec<Message> {
    let each = of.records.iter().map(std::slice::from_ref);
    each.flat_map(|record| wrapped::messages(record, SPLIT))
        .collect()
}

/// `syslog_split_messages = off`
fn whole(of: &Recording, numbers: bool) -> Vec<Message> {
    wrapped::messages(
        &of.records,
        Syslog {
            split: false,
            numbers,
        },
    )
}

fn lines(of: &Recording) -> Vec<Message> {
    wrapped::physical(&of.records)
}

/// What is wrapped already, to be wrapped again.
fn again(text: Vec<u8>) -> Vec<Message> {
    lines(&wrapped::by_lines(text))
}

/// Csvlog and jsonlog go into files alone.
#[test]
fn syslog_of_every_shape() {
    const CHUNKS: Syslog = Syslog {
        split: true,
        numbers: false,
    };
    each_log(
        &[Format::Stderr],
        &[
            of_messages("RFC 3164", |log| {
                wrapped::rfc3164(&split(log), "db01", "postgres")
            }),
            of_messages("RFC 3164, another ident", |log| {
                wrapped::rfc3164(&split(log), "db01", "pg main")
            }),
            of_messages("ISO stamps, chunks without a count of records", |log| {
                wrapped::iso(&wrapped::messages(&log.records, CHUNKS), "db01")
            }),
            of_messages("ISO stamps, not split", |log| {
                wrapped::iso(&whole(log, false), "db01")
            }),
            of_messages("ISO stamps, numbered, not split", |log| {
                wrapped::iso(&whole(log, true), "db01")
            }),
            of_messages("RFC 5424", |log| wrapped::rfc5424(&split(log))),
            of_messages("RFC 6587", |log| wrapped::counted(&split(log))),
            of_records("Heroku", |log| wrapped::heroku(&in_turn(log))),
        ],
    );
}

#[test]
fn journals() {
    each_log(
        &[Format::Stderr],
        &[
            of_messages("journald JSON of a pipe", |log| {
                wrapped::journal_json(&lines(log), false)
            }),
            of_messages("journald JSON of syslog", |log| {
                wrapped::journal_json(&split(log), true)
            }),
            of_messages("journald JSON of whole messages", |log| {
                wrapped::journal_json(&whole(log, false), true)
            }),
            of_messages("journald export of a pipe", |log| {
                wrapped::journal_export(&lines(log), false)
            }),
            of_messages("journald export of syslog", |log| {
                wrapped::journal_export(&split(log), true)
            }),
            of_messages("journald export of whole messages", |log| {
                wrapped::journal_export(&whole(log, false), true)
            }),
            of_messages("journalctl -o short", |log| {
                wrapped::journal_short(&whole(log, false))
            }),
        ],
    );
}

#[test]
fn containers() {
    const ALL: [Format; 4] = [
        Format::Stderr,
        Format::Csvlog,
        Format::Jsonlog,
        Format::Syslog,
    ];
    each_log(
        &ALL,
        &[
            of_lines("Docker json-file", |log| {
                wrapped::docker(&lines(log), 16 << 10)
            }),
            of_lines("Kubernetes CRI", |log| wrapped::cri(&lines(log), 16 << 10)),
            of_lines("Kubernetes CRI in small parts", |log| {
                wrapped::cri(&lines(log), 50)
            }),
            of_lines("Docker in CRI", |log| {
                wrapped::cri(&again(wrapped::docker(&lines(log), 16 << 10)), 16 << 10)
            }),
            of_lines("Filebeat of lines", |log| {
                wrapped::elastic(&lines(log), false)
            }),
        ],
    );
}

#[test]
fn names_of_containers_before_lines() {
    each_log(
        &[Format::Stderr, Format::Csvlog, Format::Jsonlog],
        &[
            of_names("docker compose logs", |log| {
                wrapped::compose(&lines(log), "db-1", false)
            }),
            of_lines("docker compose logs -t", |log| {
                wrapped::compose(&lines(log), "db_1", true)
            }),
            of_names("kubectl logs --prefix", |log| {
                wrapped::kubectl(&lines(log), "pg-0/postgres", false)
            }),
            of_lines("kubectl logs --prefix --timestamps", |log| {
                wrapped::kubectl(&lines(log), "pg-0/main", true)
            }),
        ],
    );
}

/// Nobody puts a stamp before those of syslog.
#[test]
fn stamps_before_lines() {
    each_log(
        &[Format::Stderr, Format::Csvlog, Format::Jsonlog],
        &[
            of_lines("time stamps", |log| wrapped::stamped(&lines(log))),
            of_lines("ts", |log| wrapped::ts(&lines(log))),
            of_lines("aws logs tail", |log| wrapped::aws_tail(&lines(log))),
        ],
    );
}

#[test]
fn clouds() {
    each_log(
        &[Format::Stderr],
        &[
            of_records("aws logs get-log-events", |log| {
                wrapped::cloudwatch(&log.records, &CloudWatch::GetLogEvents)
            }),
            of_records("aws logs filter-log-events", |log| {
                wrapped::cloudwatch(&log.records, &CloudWatch::FilterLogEvents)
            }),
            of_records("CloudWatch subscription", |log| {
                wrapped::cloudwatch(&log.records, &CloudWatch::Subscription)
            }),
            of_records("CloudWatch Logs Insights", |log| {
                wrapped::insights(&log.records)
            }),
            of_lines("Cloud SQL lines", |log| {
                wrapped::cloud_logging(&lines(log), false, false)
            }),
            of_records("Cloud SQL list, newest first", |log| {
                wrapped::cloud_logging(&lines(log), true, true)
            }),
            of_records("Cloud SQL lines, newest first", |log| {
                wrapped::cloud_logging(&lines(log), false, true)
            }),
            of_records("Azure", |log| wrapped::azure(&log.records, false)),
            of_records("Azure, listed", |log| wrapped::azure(&log.records, true)),
            of_records("Filebeat", |log| {
                wrapped::elastic(&whole(log, false), false)
            }),
            of_records("Elasticsearch", |log| {
                wrapped::elastic(&whole(log, false), true)
            }),
        ],
    );
}

#[test]
fn records_as_objects() {
    each_log(
        &[Format::Csvlog],
        &[
            of_lines("CloudNativePG", |log| {
                wrapped::cloudnativepg(&log.text, "cluster-1")
            }),
            of_lines("CloudNativePG in CRI", |log| {
                wrapped::cri(
                    &again(wrapped::cloudnativepg(&log.text, "cluster-1")),
                    16 << 10,
                )
            }),
            of_lines("CloudNativePG in Docker", |log| {
                wrapped::docker(&again(wrapped::cloudnativepg(&log.text, "cluster-1")), 500)
            }),
            of_lines("Supabase", |log| wrapped::supabase(&log.text)),
        ],
    );
}

/// Its sessions: what tells more than one line of a record is not there.
#[test]
fn azure_single_server_has_altered_messages() {
    let records = wrapped::recording(recorded("15/basic", "stderr")).records;
    let first_lines: Vec<_> = records
        .iter()
        .flat_map(|r| [&r.lines[0][..], b"\n"].concat())
        .collect();
    let plain = said(&first_lines);
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
        let records = wrapped::recording(recorded(run, "stderr")).records;
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

/// The sessions of each server, without its name.
fn sessions_by_server(path: Option<&Path>, piped: &[u8]) -> BTreeMap<String, Vec<Value>> {
    let (out, err, code) = run(&["sessions", "--json"], path, piped);
    assert_eq!(code, Some(0), "{err}");
    let mut servers: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in out.lines() {
        let mut session: Value = serde_json::from_str(line).expect("an object");
        let server = session.as_object_mut().expect("an object").remove("server");
        let server = server
            .as_ref()
            .and_then(Value::as_str)
            .expect("a name")
            .to_owned();
        servers.entry(server).or_default().push(session);
    }
    servers
}

/// As they are in each log alone.
#[track_caller]
fn assert_servers(log: &[u8], alone: &[(&str, &[u8])]) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("a.log");
    let expected: BTreeMap<_, _> = alone
        .iter()
        .map(|(server, log)| {
            let sessions = sessions_by_server(None, log)
                .into_values()
                .flatten()
                .collect();
            ((*server).to_owned(), sessions)
        })
        .collect();
    std::fs::write(&path, log).expect("it is written");
    assert_eq!(sessions_by_server(Some(&path), b""), expected, "in a file");
    assert_eq!(sessions_by_server(None, log), expected, "in a pipe");
    std::fs::write(&path, zstd::encode_all(log, 1).expect("it is compressed"))
        .expect("it is written");
    assert_eq!(
        sessions_by_server(Some(&path), b""),
        expected,
        "in a compressed file"
    );
}

/// Of a pipe, too, whose begin has one server alone.
#[test]
fn server_that_comes_late_is_read() {
    let of = |host, run| {
        let log = wrapped::recording(recorded(run, "stderr"));
        wrapped::iso(&split(&log), host)
    };
    let (first, second) = (of("db01", "16/noise"), of("db02", "16/failures"));
    assert!(first.len() > 4 * (64 << 10), "the second comes late");
    assert_servers(
        &[&first[..], &second].concat(),
        &[("db01", &first), ("db02", &second)],
    );
}

/// The entries of each log as they are, one of each in turn from where the second one begins: after so many bytes.
fn joined(logs: &[&[Vec<u8>]], late: usize) -> Vec<u8> {
    let [first, others @ ..] = logs else {
        return Vec::new();
    };
    let mut joined = Vec::new();
    let mut first = first.iter();
    while joined.len() < late
        && let Some(line) = first.next()
    {
        joined.extend_from_slice(line);
    }
    let mut others: Vec<_> = others.iter().map(|log| log.iter()).collect();
    let mut is_over = false;
    while !std::mem::replace(&mut is_over, true) {
        for line in [&mut first].into_iter().chain(&mut others) {
            if let Some(line) = line.next() {
                joined.extend_from_slice(line);
                is_over = false;
            }
        }
    }
    joined
}

fn entries_of(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|&b| b == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Sums are the same whether its begin is trusted or all of it is looked at before, as it is where that is explained, and
/// as it is in a pipe.
fn assert_begin_is_no_matter(log: &[u8], what: &str) {
    let dir = TempDir::new().expect("a directory");
    let (plain, packed) = (dir.path().join("all.log"), dir.path().join("all.zst"));
    std::fs::write(&plain, log).expect("it is written");
    let compressed = zstd::encode_all(log, 1).expect("it is compressed");
    std::fs::write(&packed, compressed).expect("it is written");
    let (piped, _, _) = run(&["summary", "--json"], None, log);
    // What is pasted needs its pipe.
    let piped = piped.replace("… | pgcensus", "pgcensus");
    for path in [&plain, &packed] {
        for args in [
            &["summary", "--json"][..],
            &["history", "--json"],
            &["summary", "--json", "--server", "*2"],
            &["summary", "--json", "--last", "1s"],
            &["compare", "--json", "--before=-4s..-2s", "--after=-2s.."],
        ] {
            let explained = [args, &["--explain"]].concat();
            let (expected, _, status) = run(&explained, Some(path), b"");
            let (out, err, code) = run(args, Some(path), b"");
            let how = format!("{what}: {args:?} {}", path.display());
            assert_eq!((out.as_str(), code), (expected.as_str(), status), "{how}");
            if status == Some(0) {
                assert_eq!(err, "", "{how}");
            }
        }
        let (out, _, _) = run(&["summary", "--json"], Some(path), b"");
        let unnamed = out.replace(&path.display().to_string(), "-");
        assert_eq!(unnamed, piped, "{what}: {}", path.display());
    }
}

/// Wherever in a log its second server begins, of two and of more, each as one file and in two.
#[test]
fn servers_are_known_wherever_they_begin() {
    const BEGIN: usize = 1 << 20;
    let syslog = |host: &str, run: &str| {
        let messages = split(&wrapped::recording(recorded(run, "stderr")));
        entries_of(&wrapped::iso(&messages, host))
    };
    let pod =
        |pod: &str, run: &str| entries_of(&wrapped::cloudnativepg(&recorded(run, "csvlog"), pod));
    let repeated = |lines: Vec<Vec<u8>>, times| vec![lines; times].concat();
    let long = repeated(syslog("db01", "16/noise"), 4);
    assert!(long.iter().map(Vec::len).sum::<usize>() > BEGIN + (256 << 10));
    let others: Vec<_> = [
        ("db02", "16/failures"),
        ("db03", "17/kills"),
        ("db04", "18/basic"),
        ("db05", "17/kills"),
    ]
    .map(|(host, run)| syslog(host, run))
    .into();
    for late in [
        0,
        1,
        64 << 10,
        BEGIN - 300,
        BEGIN,
        BEGIN + (200 << 10),
        usize::MAX,
    ] {
        let two = joined(&[&long, &others[0]], late);
        assert_begin_is_no_matter(&two, &format!("two, after {late} bytes"));
    }
    for count in 2..=others.len() {
        let all: Vec<&[Vec<u8>]> = [&long]
            .into_iter()
            .chain(&others[..count])
            .map(|log| &log[..])
            .collect();
        assert_begin_is_no_matter(&joined(&all, 0), &format!("{count} and one"));
    }
    // A third one after the first megabyte, and another program.
    let three = joined(
        &[&joined_lines(&[&long, &others[0]]), &others[1]],
        BEGIN + 4096,
    );
    assert_begin_is_no_matter(&three, "a third one");
    let other = b"2026-11-23T05:00:00+00:00 web7 pgpool[1]: [9-1] LOG: x\n".to_vec();
    let with_other = joined(
        &[&joined_lines(&[&long, &others[0]]), &[other]],
        BEGIN + 4096,
    );
    assert_begin_is_no_matter(&with_other, "another program");
    let pods = [
        repeated(pod("shop-1", "16/failures"), 9),
        pod("shop-2", "18/basic"),
    ];
    for late in [0, BEGIN, usize::MAX] {
        assert_begin_is_no_matter(&joined(&[&pods[0], &pods[1]], late), "pods");
    }
}

fn joined_lines(logs: &[&[Vec<u8>]]) -> Vec<Vec<u8>> {
    entries_of(&joined(logs, 0))
}

/// Whichever layer names them: the pods of records in lines that name none, and in documents that all have one host.
#[test]
fn servers_are_named_by_any_layer() {
    let of = |pod, run| wrapped::cloudnativepg(&recorded(run, "csvlog"), pod);
    let (first, second) = (of("shop-1", "18/basic"), of("shop-2", "16/failures"));
    let both = again([&first[..], &second].concat());
    let alone = [("shop-1", &first[..]), ("shop-2", &second[..])];
    assert_servers(&wrapped::cri(&both, 16 << 10), &alone);
    assert_servers(&wrapped::elastic(&both, false), &alone);
    assert_servers(
        &wrapped::docker(&again(wrapped::cri(&both, 999)), 16 << 10),
        &alone,
    );
}

/// Containers beside each other, one of which is no server.
#[test]
fn servers_are_named_by_containers_and_pods() {
    type Wrap = fn(&[Message], &str, bool) -> Vec<u8>;
    let of = |run| lines(&wrapped::recording(recorded(run, "stderr")));
    let (first, second) = (of("18/basic"), of("16/failures"));
    let web = again(b"GET /?a=b:  200\n[NOTE]:  x\n".to_vec());
    let all: [(Wrap, [&str; 3], [&str; 2]); 2] = [
        (
            wrapped::compose,
            ["db-1", "standby-1", "web-1"],
            ["db-1", "standby-1"],
        ),
        (
            wrapped::kubectl,
            ["pg-0/postgres", "pg-1/main", "pg-0/exporter"],
            ["pg-0", "pg-1/main"],
        ),
    ];
    for (wrap, containers, servers) in all {
        for is_stamped in [false, true] {
            let a = wrap(&first, containers[0], is_stamped);
            let b = wrap(&second, containers[1], is_stamped);
            let c = wrap(&web, containers[2], is_stamped);
            let alone = [(servers[0], &a[..]), (servers[1], &b[..])];
            assert_servers(&[&c[..], &a, &c, &b, &c].concat(), &alone);
        }
    }
}

#[test]
fn envelope_and_server_are_said() {
    let recording = wrapped::recording(recorded("18/basic", "stderr"));
    let records = &recording.records;
    let csvlog = recorded("18/basic", "csvlog");
    let split = wrapped::messages(records, SPLIT);
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
            wrapped::cri(&again(wrapped::cloudnativepg(&csvlog, "cluster-1")), 999),
            "Kubernetes CRI, CloudNativePG",
            "cluster-1",
        ),
        (
            wrapped::cloud_logging(&wrapped::physical(records), true, true),
            "Google Cloud Logging",
            "proj:inst",
        ),
        (
            wrapped::cloudwatch(records, &CloudWatch::Subscription),
            "CloudWatch",
            "mydb.0",
        ),
        (wrapped::azure(records, true), "Azure", "db01"),
        (
            wrapped::docker(&lines(&recording), 999),
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
