//! The same bytes give the same result, however they are cut into chunks, decoded by how many threads, compressed,
//! packed into a tar, piped or cut into files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::{Format, Guess, guess};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

/// What is asked of each log.
const QUESTIONS: [&[&str]; 4] = [
    &["sessions", "--json"],
    &["events", "--json"],
    &["summary", "--json"],
    &["history", "--json", "--last", "all"],
];

#[test]
fn results_do_not_depend_on_chunks_and_threads_basic() {
    each_way("18/basic");
}

#[test]
fn results_do_not_depend_on_chunks_and_threads_failures() {
    each_way("16/failures");
}

#[test]
fn results_do_not_depend_on_chunks_and_threads_injection() {
    each_way("18/injection");
    each_way("17/injection-prefix");
}

#[test]
fn results_do_not_depend_on_chunks_and_threads_kills() {
    each_way("15/kills");
}

#[test]
fn results_do_not_depend_on_chunks_and_threads_rotation() {
    each_way("16/rotation-size");
    each_way("17/rotation-copytruncate");
}

#[test]
fn results_do_not_depend_on_chunks_and_threads_noise() {
    each_way("16/noise");
}

#[test]
fn results_do_not_depend_on_chunks_and_threads_verbose() {
    each_way("17/verbose");
}

/// The prefix changes within the log, without a word; some of its lines are raised by clients.
#[test]
fn results_do_not_depend_on_where_a_new_prefix_is_found_out() {
    let mut text = String::new();
    for n in 0..400 {
        let (pid, port) = (1000 + n, 4000 + n);
        let head = |user: &str, database: &str| {
            let (minute, second) = (n / 60, n % 60);
            if n < 150 {
                format!("2026-11-23 10:{minute:02}:{second:02}.100 UTC [{pid}] ")
            } else {
                format!(
                    "2026-11-23 10:{minute:02}:{second:02} UTC [{pid}]: user={user},db={database},app=[unknown],client=10.0.0.7 "
                )
            }
        };
        let (before, after) = (head("[unknown]", "[unknown]"), head("app", "shop"));
        let disconnected = format!(
            "{after}LOG:  disconnection: session time: 0:00:00.001 user=app database=shop host=10.0.0.7 port={port}\n"
        );
        text.extend([format!(
            "{before}LOG:  connection received: host=10.0.0.7 port={port}\n{after}LOG:  connection authorized: user=app database=shop\n"
        )]);
        if n % 5 == 0 {
            text.extend([format!(
                "{disconnected}{after}CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n{after}STATEMENT:  do\n\t$$ LOG:  $$\n"
            )]);
        }
        if n % 3 > 0 {
            text += &disconnected;
        }
    }
    text += "2026-11-23 11:00:00 UTC [1]: user=,db=,app=,client= LOG:  checkpoint starting: time\n";
    let log = Log {
        name: "a change of prefix".to_owned(),
        texts: vec![text.into_bytes()],
        extension: "log",
    };
    in_each_way(&log);
    let summary = &log.answers(&[], &log.plain())[2];
    let summary: Value = serde_json::from_str(summary).expect("an object");
    let count = |path: &str| summary.pointer(path).and_then(Value::as_u64);
    assert_eq!(count("/connects/total"), Some(400));
    assert_eq!(count("/open/count"), Some(134));
    assert_eq!(summary["until"], "2026-11-23T11:00:00.000+00:00");
}

/// More of them than are looked through at a time for what is still pending.
#[test]
fn a_clock_that_is_set_back_makes_no_probes() {
    let mut text = String::new();
    for n in 0..3000 {
        let (pid, second) = (1000 + n, 3599 - n);
        let head = format!(
            "2026-11-23 10:{:02}:{:02}.100 UTC [{pid}] LOG:  ",
            second / 60,
            second % 60
        );
        text.extend([format!(
            "{head}connection received: host=10.0.0.7 port={pid}\n{head}connection authorized: user=app database=shop\n{head}disconnection: session time: 0:00:00.000 user=app database=shop host=10.0.0.7 port={pid}\n"
        )]);
    }
    let answer = ask(&["summary", "--json", "-"], text.as_bytes()).expect("an answer");
    let summary: Value = serde_json::from_str(&answer).expect("an object");
    assert_eq!(summary["probes"], 0);
    assert_eq!(summary["connects"]["total"], 3000);
    let hosts = &summary["connects"]["by"]["client_host"];
    assert_eq!(hosts.as_array().map(Vec::len), Some(1), "{hosts}");
}

#[test]
fn a_record_longer_than_a_chunk_is_skipped() {
    let head = "2026-11-23 10:00:00.100 UTC [1000] LOG:  ";
    let received = "connection received: host=10.0.0.7 port=5";
    let long = "x".repeat(3 << 20);
    let text = format!("{head}statement: {long}\n{head}{received}\n");
    for size in ["1", "300", "4096", "65536", "524288"] {
        let args = ["summary", "--json", "--chunk-size", size, "-"];
        let answer = ask(&args, text.as_bytes()).expect("an answer");
        let summary: Value = serde_json::from_str(&answer).expect("an object");
        assert_eq!(summary["pending"], 1, "--chunk-size {size}");
    }
}

/// Each format of a run of `testdata`, read in each way.
fn each_way(run: &str) {
    for log in Log::all(run) {
        in_each_way(&log);
    }
}

fn in_each_way(log: &Log) {
    let expected = log.answers(&["--threads", "1"], &log.plain());
    assert!(expected[0].lines().count() > 1, "{}: no sessions", log.name);
    let ways: [&[&str]; 6] = [
        &["--threads", "2", "--chunk-size", "300"],
        &["--threads", "1", "--chunk-size", "4096"],
        &["--threads", "4", "--chunk-size", "4096"],
        &["--threads", "4", "--chunk-size", "65536"],
        &["--threads", "2", "--chunk-size", "1048576"],
        &["--threads", "1", "--chunk-size", "1"],
    ];
    for way in ways {
        log.same(&expected, &log.answers(way, &log.plain()), &way.join(" "));
    }
    let way = ["--chunk-size", "4096"];
    for compression in ["gz", "zst", "xz", "bz2", "lz4"] {
        let answers = log.answers(&way, &log.compressed(compression));
        log.same(&expected, &answers, compression);
    }
    for compression in ["", ".gz", ".zst"] {
        let answers = log.answers(&way, &log.in_a_tar(compression));
        log.same(&expected, &answers, &format!("tar{compression}"));
        log.same(
            &expected,
            &log.piped(&way, &pack(compression, &log.tar())),
            &format!("tar{compression} piped"),
        );
    }
    if let [text] = &log.texts[..] {
        log.same(&expected, &log.piped(&way, text), "stdin");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_files_are_one_log(
        run in prop::sample::select(vec!["18/basic", "16/failures", "18/injection", "15/kills", "17/verbose"]),
        at in 0.0..1.0f64,
    ) {
        for log in Log::all(run) {
            let text = &log.texts[0];
            let format = format_of(text);
            let decoder = Decoder::new(format.clone());
            let cut = (text.len() as f64 * at) as usize;
            let Some(cut) = decoder.last_record_end(&text[..cut]) else {
                continue;
            };
            // A short piece does not tell its prefix.
            let mut how = vec!["--format", format.name()];
            if let Format::Stderr(prefix) = &format {
                how.extend(["--line-prefix", prefix.as_str()]);
            }
            let expected = log.answers(&how, &log.plain());
            let parts = Log {
                texts: vec![text[..cut].to_vec(), text[cut..].to_vec()],
                ..log
            };
            parts.same(&expected, &parts.answers(&how, &parts.plain()), &format!("cut at {cut}"));
        }
    }

    /// The log over and over, so that it is cut where the pipeline does: by the end of a chunk of a file, which is read side
    /// by side, and in a stream by all of it.
    #[test]
    fn results_do_not_depend_on_any_number_of_threads_or_bytes(
        run in prop::sample::select(vec!["18/basic", "16/failures", "18/injection", "15/kills", "17/verbose"]),
        threads in 1..7usize,
        bits in 0..21u32,
        more in 0.0..1.0f64,
    ) {
        for log in Log::all(run) {
            let log = Log { texts: vec![log.texts.concat().repeat(4)], ..log };
            let (threads, size) = (threads.to_string(), ((1.0 + more) * f64::from(1 << bits)).to_string());
            let size = size.split('.').next().expect("a number");
            let how = ["--threads", &threads, "--chunk-size", size];
            let expected = log.answers(&["--threads", "1"], &log.plain());
            log.same(&expected, &log.answers(&how, &log.plain()), &how.join(" "));
            log.same(&expected, &log.answers(&how, &log.compressed("zst")), &format!("{} zst", how.join(" ")));
        }
    }

    #[test]
    fn torn_logs_are_read_as_far_as_they_go(
        run in prop::sample::select(vec!["18/basic", "16/failures", "18/injection", "17/injection-prefix"]),
        at in 0.0..1.0f64,
    ) {
        for log in Log::all(run) {
            let text = &log.texts[0];
            let cut = (text.len() as f64 * at) as usize;
            let torn = Log {
                texts: vec![text[..cut].to_vec(), text[cut..].to_vec()],
                ..log
            };
            let has_line_torn_off = torn.texts.iter().any(|text| text.split(|&byte| byte == b'\n').nth(2).is_none());
            let files = torn.plain();
            for files in [&files.paths[..1], &files.paths[1..], &files.paths[..]] {
                for question in QUESTIONS {
                    let args: Vec<&str> = question.iter().copied().chain(["--chunk-size", "4096", "--quiet"]).collect();
                    let answer = call(&args, files, None);
                    // A piece of a line may be no log at all: 2, and 1 beside one that is.
                    let is_right = match answer.status.code() {
                        Some(0 | 2) => true,
                        Some(1) => files.len() == 2 && has_line_torn_off,
                        _ => false,
                    };
                    prop_assert!(is_right, "{} cut at {cut}: {answer:?}", torn.name);
                }
            }
        }
    }
}

/// A log of `testdata`, decompressed.
struct Log {
    name: String,
    /// Of its files, in order.
    texts: Vec<Vec<u8>>,
    extension: &'static str,
}

/// Its files somewhere.
struct Files {
    paths: Vec<PathBuf>,
    _dir: TempDir,
}

impl Log {
    fn all(run: &str) -> Vec<Log> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
        let mut logs = Vec::new();
        for (format, extension) in [("stderr", "log"), ("csvlog", "csv"), ("jsonlog", "json")] {
            let Ok(files) = std::fs::read_dir(dir.join(run).join(format)) else {
                continue;
            };
            let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
            paths.sort();
            let open = |path: &PathBuf| std::fs::File::open(path).expect("a file of testdata");
            logs.push(Log {
                name: format!("{run} {format}"),
                texts: paths
                    .iter()
                    .map(|path| zstd::decode_all(open(path)).expect("zstd"))
                    .collect(),
                extension,
            });
        }
        assert!(!logs.is_empty(), "{run} is not in testdata");
        logs
    }

    fn plain(&self) -> Files {
        self.write("", <[u8]>::to_vec)
    }

    fn compressed(&self, how: &str) -> Files {
        let how = format!(".{how}");
        self.write(&how, |text| pack(&how, text))
    }

    /// All of its files, the last one first.
    fn tar(&self) -> Vec<u8> {
        let mut tar = Vec::new();
        for (n, text) in self.texts.iter().enumerate().rev() {
            let mut header = [0; 512];
            let mut put =
                |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
            put(
                0,
                format!("main/log/postgresql-{n}.{}", self.extension).as_bytes(),
            );
            put(124, format!("{:011o}", text.len()).as_bytes());
            put(148, b"        ");
            put(156, b"0");
            put(257, b"ustar\x0000");
            let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            tar.extend(header);
            tar.extend(text);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.extend([0; 1024]);
        tar
    }

    fn in_a_tar(&self, how: &str) -> Files {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(format!("logs.tar{how}"));
        std::fs::write(&path, pack(how, &self.tar())).expect("space for a log");
        Files {
            paths: vec![path],
            _dir: dir,
        }
    }

    /// The answer to each question where that is piped in.
    fn piped(&self, how: &[&str], bytes: &[u8]) -> [String; 4] {
        QUESTIONS.map(|question| {
            let args = [question, how, &["-"]].concat();
            let answer = ask(&args, bytes).unwrap_or_else(|err| panic!("{}: {err}", self.name));
            normal(question, &self.without_members(answer))
        })
    }

    /// Of a tar, its own name alone.
    fn without_members(&self, answer: String) -> String {
        (0..self.texts.len()).fold(answer, |answer, n| {
            let member = format!("-: main/log/postgresql-{n}.{}", self.extension);
            answer.replace(&member, "-")
        })
    }

    fn write(&self, suffix: &str, bytes: impl Fn(&[u8]) -> Vec<u8>) -> Files {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut paths = Vec::new();
        for (n, text) in self.texts.iter().enumerate() {
            let name = format!("postgresql-{n}.{}{suffix}", self.extension);
            paths.push(dir.path().join(name));
            std::fs::write(&paths[n], bytes(text)).expect("space for a log");
        }
        Files { paths, _dir: dir }
    }

    /// The answer to each question.
    fn answers(&self, how: &[&str], files: &Files) -> [String; 4] {
        QUESTIONS.map(|question| {
            let args = [question, how].concat();
            let output = call(&args, &files.paths, None);
            assert!(output.status.success(), "{}: {output:?}", self.name);
            let answer = String::from_utf8(output.stdout).expect("UTF-8");
            let paths = files.paths.iter();
            let answer = paths.fold(answer, |answer, path| {
                answer.replace(&path.display().to_string(), "-")
            });
            normal(question, &self.without_members(answer))
        })
    }

    fn same(&self, expected: &[String; 4], answers: &[String; 4], how: &str) {
        for ((question, expected), answer) in QUESTIONS.iter().zip(expected).zip(answers) {
            let lines = expected.lines().zip(answer.lines());
            for (n, (expected, answer)) in lines.enumerate() {
                assert_eq!(
                    answer,
                    expected,
                    "{} {}, {how}, line {}",
                    self.name,
                    question[0],
                    n + 1
                );
            }
            assert_eq!(
                answer.lines().count(),
                expected.lines().count(),
                "{} {}, {how}: rows",
                self.name,
                question[0]
            );
        }
    }
}

/// Compressed as an ending has it.
fn pack(how: &str, bytes: &[u8]) -> Vec<u8> {
    let packed = match how {
        "" => Ok(bytes.to_vec()),
        ".gz" => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        ".zst" => zstd::encode_all(bytes, 1),
        ".xz" => liblzma::encode_all(bytes, 0),
        ".bz2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        ".lz4" => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).expect("memory");
            Ok(encoder.finish().expect("memory"))
        }
        _ => panic!("{how}"),
    };
    packed.expect("memory")
}

fn format_of(text: &[u8]) -> Format {
    match guess(text) {
        Guess::Log(format, _) => format,
        other => panic!("{other:?}"),
    }
}

fn ask(args: &[&str], text: &[u8]) -> Result<String, String> {
    let output = call(args, &[], Some(text));
    if !output.status.success() {
        return Err(format!("{output:?}"));
    }
    String::from_utf8(output.stdout).map_err(|err| err.to_string())
}

fn call(args: &[&str], paths: &[PathBuf], stdin: Option<&[u8]>) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command.args(args);
    for path in paths {
        command.arg(format!("--server=main={}", path.display()));
    }
    let mut child = command
        .stdin(if stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let pipe = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || pipe.zip(stdin).map(|(mut pipe, text)| pipe.write_all(text)));
        child.wait_with_output().expect("the program ends")
    })
}

/// An answer without what tells where the bytes came from.
fn normal(question: &[&str], answer: &str) -> String {
    let answer = answer.replace("\"server\":\"stdin\"", "\"server\":\"main\"");
    if matches!(question[0], "sessions" | "events") {
        return answer;
    }
    let mut summary: Value = serde_json::from_str(&answer).expect("an object");
    let input = summary["input"].as_object_mut().expect("an object");
    for key in ["bytes", "files", "sources"] {
        assert!(input.remove(key).is_some(), "{key}");
    }
    for finding in summary["findings"].as_array_mut().into_iter().flatten() {
        // It names the input.
        finding
            .as_object_mut()
            .expect("an object")
            .remove("command");
    }
    // A line for each key, so that a difference is seen.
    let mut lines = format!("{summary:#}");
    for key in ["server", "name"] {
        lines = lines.replace(
            &format!("\"{key}\": \"stdin\""),
            &format!("\"{key}\": \"main\""),
        );
    }
    lines
}
