//! `serve`: what it answers is what the command line prints; whom it answers; events as they come.

#[path = "support/serving.rs"]
mod serving;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use serving::{Listener, PATIENCE, Reply, Serve};

fn testdata(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    root.join(path).canonicalize().expect("it is there")
}

/// What the program prints, and what it says.
fn printed(words: &[&str], input: &Path) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(words)
        .arg(input)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr))
}

/// What it has said of requests; that a compressed log does not grow is said of any.
fn said(serve: &Serve) -> Vec<String> {
    let said = serve.notes.lock().expect("no panic");
    said.try_iter()
        .filter(|line| !line.ends_with("which cannot be followed as it grows"))
        .collect()
}

/// The words of the command line that a path stands for.
fn words_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix("/api/v1/").expect("a path of the API");
    let (command, query) = path.split_once('?').unwrap_or((path, ""));
    let flags = form_urlencoded::parse(query.as_bytes());
    let flags = flags.map(|(name, value)| match &*value {
        "" | "true" => format!("--{name}"),
        _ => format!("--{name}={value}"),
    });
    let head = [command, "--json"].map(str::to_owned);
    head.into_iter().chain(flags).collect()
}

const QUESTIONS: [&str; 25] = [
    "/api/v1/summary",
    "/api/v1/summary?last=10m&limit=3",
    "/api/v1/summary?by=user,host",
    "/api/v1/summary?user=app*&user=post%2A&exclude-host=10.0.0.0%2F8",
    "/api/v1/summary?timezone=Asia/Tokyo",
    "/api/v1/summary?no-fold=true",
    "/api/v1/history",
    "/api/v1/history?last=all",
    "/api/v1/history?last=all&bucket=1m&db=postgres",
    "/api/v1/history?since=-30s&timezone=%2B05:00",
    "/api/v1/history?since=1970-01-01&until=2100-01-01&bucket=1s",
    "/api/v1/sessions",
    "/api/v1/sessions?open=true",
    "/api/v1/sessions?sort=time&limit=5",
    "/api/v1/sessions?app=psql&app=unknown",
    "/api/v1/sessions?host=[local]",
    "/api/v1/refused",
    "/api/v1/refused?by=host&limit=2",
    "/api/v1/refused?last=1m",
    "/api/v1/findings",
    "/api/v1/findings?personal-user=dev_*",
    "/api/v1/findings?last=1h",
    "/api/v1/summary?user=nobody",
    "/api/v1/report",
    "/api/v1/report?last=10m&anonymize=true",
];

#[test]
fn every_answer_is_what_the_command_line_prints() {
    for input in [
        "demo/postgresql.log.zst",
        "16/basic/stderr",
        "18/basic/jsonlog",
        "14/failures/csvlog",
        "17/kills/stderr",
        "noise",
    ] {
        let input = testdata(input);
        let serve = Serve::start(&[], &input);
        for question in QUESTIONS {
            let reply = serve.get(question);
            let words = words_of(question);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let (out, err) = printed(&words, &input);
            if reply.status == 400 {
                let error: Value = serde_json::from_slice(&reply.body).expect("an object");
                let error = error["error"].as_str().expect("text");
                assert_eq!(format!("pgcensus: {error}\n"), err, "{question}");
                continue;
            }
            assert_eq!(reply.status, 200, "{question}: {}", reply.text());
            assert!(
                reply.text() == out,
                "{}: {question} differs",
                input.display()
            );
        }
        assert_eq!(said(&serve), [""; 0], "{}", input.display());
    }
}

#[test]
fn two_windows_are_compared() {
    let input = testdata("demo/postgresql.log.zst");
    let serve = Serve::start(&[], &input);
    let path = "/api/v1/compare?before=05:21:06..05:21:20&after=05:21:20..05:21:36";
    let (out, err) = printed(
        &[
            "compare",
            "--json",
            "--before=05:21:06..05:21:20",
            "--after=05:21:20..05:21:36",
        ],
        &input,
    );
    let reply = serve.get(path);
    match reply.status {
        200 => assert_eq!(reply.text(), out),
        status => panic!("{status}: {}; {err}", reply.text()),
    }
}

#[test]
fn mistakes_are_told_in_the_words_of_the_command_line() {
    let input = testdata("demo/postgresql.log.zst");
    let serve = Serve::start(&[], &input);
    for path in [
        "/api/v1/summary?by=colour",
        "/api/v1/summary?since=26:99",
        "/api/v1/summary?at=23:00",
        "/api/v1/summary?last=1h&since=05:00",
        "/api/v1/history?bucket=soon",
        "/api/v1/sessions?limit=-1",
        "/api/v1/sessions?host=10.0.0.0/99",
        "/api/v1/summary?timezone=Mars",
        "/api/v1/summary?server=nowhere",
        "/api/v1/compare",
        "/api/v1/compare?before=09:00..10:00",
    ] {
        let reply = serve.get(path);
        let words = words_of(path);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let (_, err) = printed(&words, &input);
        let error: Value = serde_json::from_slice(&reply.body).expect("an object");
        assert_eq!(reply.status, 400, "{path}");
        let error = error["error"].as_str().expect("text");
        assert_eq!(format!("pgcensus: {error}\n"), err, "{path}");
    }
    for path in [
        "/api/v1/summary?output=/tmp/x",
        "/api/v1/summary?line-prefix=%25m",
        "/api/v1/summary?server=a=/etc/passwd",
        "/api/v1/compare?before=/etc&after=/var",
        "/api/v1/compare?before=09:00..10:00&before=/etc/passwd&after=10:00..11:00",
        "/api/v1/events?last=1h",
    ] {
        assert_eq!(serve.get(path).status, 400, "{path}");
    }
}

#[test]
fn many_ask_at_once_and_all_are_answered() {
    let input = testdata("16/basic/stderr");
    let serve = Serve::start(&[], &input);
    let (out, _) = printed(&["summary", "--json"], &input);
    thread::scope(|scope| {
        for n in 0..24 {
            let (serve, out) = (&serve, &out);
            scope.spawn(move || {
                let path = ["/api/v1/summary", "/api/v1/summary?no-fold"][n % 2];
                let reply = serve.get(path);
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(reply.text(), out);
            });
        }
    });
}

#[test]
fn who_takes_a_large_answer_slowly_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let mut growing = Growing::new(&log);
    for _ in 0..40_000 {
        growing.session("app");
    }
    let serve = Serve::start(&[], &log);
    let request = format!(
        "GET /api/v1/sessions HTTP/1.1\r\nHost: {}\r\n\r\n",
        serve.address
    );
    let begin = Instant::now();
    // Each takes the begin of an answer, and no more.
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = serve.connect();
            stream.write_all(request.as_bytes()).expect("it listens");
            let mut head = [0; 12];
            stream.read_exact(&mut head).expect("an answer");
            assert_eq!(&head, b"HTTP/1.1 200");
            stream
        })
        .collect();
    let reply = serve.get("/api/v1/summary");
    assert_eq!(reply.status, 200, "{}", reply.text());
    // What is taken slowly is given up after 30 s.
    assert!(begin.elapsed() < Duration::from_secs(25));
    let reply = serve.get("/api/v1/sessions");
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("too many large answers"));
    drop(slow);
}

#[test]
fn what_a_command_says_beside_its_result_is_in_a_header() {
    let whole = std::fs::read(testdata("demo/postgresql.log.zst")).expect("a log");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("cut.zst"), &whole[..whole.len() / 2]).expect("a file");
    let mut growing = Growing::new(&dir.path().join("pg.log"));
    growing.session("app");
    let input = dir.path();
    let serve = Serve::start(&[], input);
    let (out, err) = printed(&["summary", "--json", "--quiet"], input);
    assert!(err.contains("cut.zst"), "{err}");
    // The second answer is that of the first.
    for _ in 0..2 {
        let reply = serve.get("/api/v1/summary");
        assert_eq!((reply.status, reply.text()), (200, &*out));
        let notes = reply.header("pgcensus-notes").expect("notes");
        assert_eq!(format!("pgcensus: {notes}\n"), err);
    }
    let serve = Serve::start(&[], &testdata("demo/postgresql.log.zst"));
    assert_eq!(serve.get("/api/v1/summary").header("pgcensus-notes"), None);
}

#[test]
fn who_is_left_out_is_named_to_nobody() {
    let input = testdata("situations/full_server/postgresql.csv.zst");
    let serve = Serve::start(&["--exclude-user", "search"], &input);
    for path in [
        "/api/v1/summary",
        "/api/v1/findings",
        "/api/v1/report",
        "/api/v1/sessions",
        "/api/v1/refused",
        "/api/v1/findings?app=web",
    ] {
        let reply = serve.get(path);
        assert_eq!(reply.status, 200, "{path}");
        // It held 47 connections of a full server, from there. The page has the filter itself, for commands to copy.
        let text = reply.text().replace(r#"["--exclude-user","search"]"#, "");
        for name in ["search", "10.0.1.61"] {
            assert!(!text.contains(name), "{path}: {name}");
        }
    }
    let found = serve.get("/api/v1/findings");
    let held = "held by (other) 47, web 10";
    assert!(found.text().contains(held), "{}", found.text());
}

/// A request line and headers, and the status that it gets.
#[test]
fn only_those_who_may_are_answered() {
    let serve = Serve::start(
        &["--allow-host", "db1.example"],
        &testdata("demo/postgresql.log.zst"),
    );
    let own = serve.address.clone();
    let long = "x".repeat(20_000);
    let many = "X-Y: z\r\n".repeat(100);
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: {own}"), 200),
        (format!("HEAD / HTTP/1.1\r\nHost: {own}"), 200),
        ("GET / HTTP/1.1\r\nHost: localhost:9".to_owned(), 200),
        ("GET / HTTP/1.1\r\nHost: DB1.example".to_owned(), 200),
        (format!("GET http://{own}/ HTTP/1.1\r\nHost: {own}"), 200),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}"),
            200,
        ),
        ("GET / HTTP/1.1".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: {own}\r\nHost: {own}"), 400),
        ("GET / HTTP/1.1\r\nHost: evil.example".to_owned(), 421),
        (
            format!("GET http://evil.example/ HTTP/1.1\r\nHost: {own}"),
            421,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nOrigin: http://evil.example"),
            403,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nOrigin: null"),
            403,
        ),
        (
            format!("GET /api/v1/refused HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: cross-site"),
            403,
        ),
        (
            format!("GET /metrics HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: same-site"),
            403,
        ),
        (
            format!("GET /api/v1/refused HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: same-origin"),
            200,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: cross-site"),
            200,
        ),
        (
            format!("POST / HTTP/1.1\r\nHost: {own}\r\nContent-Length: 0"),
            405,
        ),
        (
            format!("PUT /api/v1/summary HTTP/1.1\r\nHost: {own}\r\nContent-Length: 4\r\n\r\nabcd"),
            405,
        ),
        (format!("OPTIONS / HTTP/1.1\r\nHost: {own}"), 405),
        (format!("CONNECT {own} HTTP/1.1\r\nHost: {own}"), 405),
        (format!("TRACE / HTTP/1.1\r\nHost: {own}"), 405),
        (format!("GET /api/v1/nothing HTTP/1.1\r\nHost: {own}"), 404),
        (format!("GET /api/v1/servers HTTP/1.1\r\nHost: {own}"), 404),
        (
            format!("GET /../../../etc/passwd HTTP/1.1\r\nHost: {own}"),
            404,
        ),
        (
            format!("GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: {own}"),
            404,
        ),
        (format!("GET /report.html HTTP/1.1\r\nHost: {own}"), 404),
        (format!("GET //etc/passwd HTTP/1.1\r\nHost: {own}"), 404),
        (format!("GET /index.html%00 HTTP/1.1\r\nHost: {own}"), 404),
        (format!("GET /{long} HTTP/1.1\r\nHost: {own}"), 431),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nX-Long: {long}"),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\n{many}X-Last: 1"),
            431,
        ),
        (format!("GET /api/v1/%ff HTTP/1.1\r\nHost: {own}"), 404),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nContent-Length: 4\r\n\r\nabcd"),
            400,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: {own}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0"
            ),
            400,
        ),
        ("GET / HTTP/9.9".to_owned(), 400),
        ("GET".to_owned(), 400),
        ("\u{1}\u{2}\u{3}".to_owned(), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost : {own}"), 400),
        (format!("GET /\u{7f} HTTP/1.1\r\nHost: {own}"), 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}".to_owned(), 400),
    ] {
        let request = request.replacen("\r\nHost", "\r\nConnection: close\r\nHost", 1);
        let raw = serve.send(format!("{request}\r\n\r\n").as_bytes());
        let reply = Reply::of(&raw);
        let got = reply.as_ref().map(|reply| reply.status);
        let shown: String = request.chars().take(100).collect();
        assert_eq!(
            got,
            Some(status),
            "{shown}: {}",
            String::from_utf8_lossy(&raw)
        );
    }
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let serve = Serve::start(&[], &testdata("demo/postgresql.log.zst"));
    for (path, status, kept) in [
        ("/", 200, "no-cache"),
        ("/live.js", 200, "no-cache"),
        ("/vendor/uPlot.min.css", 200, "no-cache"),
        ("/api/v1/summary", 200, "no-store"),
        ("/api/v1/openapi.json", 200, "no-store"),
        ("/api/v1/summary?by=x", 400, "no-store"),
        ("/nothing", 404, "no-cache"),
    ] {
        let reply = serve.get(path);
        assert_eq!(reply.status, status, "{path}");
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", kept),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}: {name}");
        }
        assert_eq!(reply.header("set-cookie"), None, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn with_a_token_nothing_of_a_log_is_told_without_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    std::fs::write(&file, "0123456789abcdef0123\n").expect("a file");
    let file = file.to_str().expect("text");
    let serve = Serve::start(
        &["--token-file", file],
        &testdata("demo/postgresql.log.zst"),
    );
    let token = "Authorization: Bearer 0123456789abcdef0123\r\n";
    for path in [
        "/api/v1/summary",
        "/api/v1/openapi.json",
        "/api/v1/nothing",
        "/metrics",
    ] {
        let without = serve.get(path);
        assert_eq!(without.status, 401, "{path}");
        assert_eq!(without.header("www-authenticate"), Some("Bearer"));
        let other = serve.get_with(path, "Authorization: Bearer 0123456789abcdef0124\r\n");
        assert_eq!(other.status, 401, "{path}");
        let twice = serve.get_with(path, &format!("Authorization: Bearer x\r\n{token}"));
        assert_eq!(twice.status, 401, "{path}");
        assert_ne!(serve.get_with(path, token).status, 401, "{path}");
    }
    let streamed = serve.get("/api/v1/events");
    assert_eq!(streamed.status, 401);
    assert_eq!(serve.get("/").status, 200);
}

#[test]
fn what_others_reach_needs_a_token() {
    let log = testdata("demo/postgresql.log.zst");
    let dir = tempfile::tempdir().expect("a directory");
    let short = dir.path().join("short");
    std::fs::write(&short, "0123\n").expect("a file");
    let short = short.to_str().expect("text");
    for (args, message) in [
        (
            &["--listen", "0.0.0.0:0"][..],
            "pgcensus: --listen '0.0.0.0:0': others reach this address, so requests must carry a token: --token-file FILE, or \
             PGCENSUS_TOKEN in the environment (openssl rand -hex 32 makes one)\n",
        ),
        (
            &["--token-file", short],
            "a token has 16 characters at least, lest it be guessed: openssl rand -hex 32\n",
        ),
        (
            &["--listen", "8432"],
            "pgcensus: --listen '8432': not ADDRESS:PORT, such as 127.0.0.1:8432 or [::1]:8432",
        ),
        (
            &["--tls-cert", "x.pem"],
            "pgcensus: serve: TLS needs both --tls-cert FILE and --tls-key FILE; they may be one file\n",
        ),
        (
            &["--last", "1h"],
            "pgcensus: serve: which time is for each request to say: /api/v1/summary?last=1h\n",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
            .arg("serve")
            .args(args)
            .arg(&log)
            .env_remove("PGCENSUS_TOKEN")
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let err = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains(message), "{args:?}: {err}");
        assert!(output.stdout.is_empty());
    }
}

/// Numbers that follow from each other, and look as if they did not.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// A request that is no good, of one of many kinds.
fn hostile(dice: &mut Dice, own: &str) -> Vec<u8> {
    let some = |dice: &mut Dice, max: usize| -> Vec<u8> {
        let n = 1 + dice.roll(max);
        (0..n).map(|_| dice.roll(256) as u8).collect()
    };
    let word = |dice: &mut Dice| {
        const WORDS: [&str; 12] = [
            "..", "%2e%2e", "%00", "etc", "passwd", "api", "v1", "summary", "\\", "%", "%c0%af",
            ";",
        ];
        WORDS[dice.roll(WORDS.len())]
    };
    let path = |dice: &mut Dice| {
        let n = 1 + dice.roll(6);
        (0..n).flat_map(|_| ["/", word(dice)]).collect::<String>()
    };
    let text = match dice.roll(10) {
        0 => return [&some(dice, 300)[..], b"\r\n\r\n"].concat(),
        1 => format!(
            "GET /{} HTTP/1.1\r\nHost: {own}\r\n\r\n",
            "a".repeat(16_000 + dice.roll(60_000))
        ),
        2 => format!(
            "GET / HTTP/1.1\r\nHost: {own}\r\nX: {}\r\n\r\n",
            "b".repeat(17_000 + dice.roll(60_000))
        ),
        3 => format!(
            "GET / HTTP/1.1\r\nHost: {own}\r\n{}\r\n",
            "A: b\r\n".repeat(70 + dice.roll(500))
        ),
        4 => format!(
            "GET {} HTTP/1.1\r\nHost: evil{}.example\r\n\r\n",
            path(dice),
            dice.roll(100)
        ),
        5 => format!(
            "GET /nothing{} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n",
            path(dice)
        ),
        6 => {
            let method = ["POST", "PUT", "DELETE", "PATCH", "BREW", "get"][dice.roll(6)];
            format!("{method} / HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n")
        }
        7 => format!(
            "GET / HTTP/1.1\r\nHost: {own}\r\nOrigin: http://evil{}.example\r\nConnection: close\r\n\r\n",
            dice.roll(9)
        ),
        8 => format!(
            "GET /api/v1/summary?{}={} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n",
            ["output", "L", "logfile-list", "line-prefix", "config", "x"][dice.roll(6)],
            path(dice)
        ),
        _ => {
            let mut bytes = format!("GET / HTTP/1.1\r\nHost: {own}\r\nX: ").into_bytes();
            bytes.push([0, 1, 8, 10, 13, 127][dice.roll(6)]);
            bytes.extend_from_slice(b"\x00\r\n\r\n");
            return bytes;
        }
    };
    text.into_bytes()
}

#[test]
fn ten_thousand_hostile_requests_end_in_a_clean_refusal() {
    let input = testdata("demo/postgresql.log.zst");
    let serve = Serve::start(&[], &input);
    let (out, _) = printed(&["summary", "--json"], &input);
    // Some that never end, meanwhile.
    let mut slow: Vec<_> = (0..40)
        .map(|n| {
            let mut stream = serve.connect();
            let begin = format!("GET / HTTP/1.1\r\nHost: {}\r\nX: ", serve.address);
            stream
                .write_all(&begin.as_bytes()[..10 + n % (begin.len() - 10)])
                .expect("it listens");
            stream
        })
        .collect();
    thread::scope(|scope| {
        for thread in 1..=8 {
            let serve = &serve;
            scope.spawn(move || {
                let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(thread));
                for n in 0..1250 {
                    let request = hostile(&mut dice, &serve.address);
                    let raw = serve.send(&request);
                    let reply = Reply::of(&raw);
                    let status = reply.as_ref().map_or(0, |reply| reply.status);
                    let shown = String::from_utf8_lossy(&request[..request.len().min(200)]);
                    assert!(
                        (400..500).contains(&status),
                        "{n}: {status} for {shown:?}: {raw:?}"
                    );
                }
            });
        }
    });
    for stream in &mut slow {
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).expect("it is answered");
        assert_eq!(Reply::of(&raw).map(|reply| reply.status), Some(408));
    }
    let reply = serve.get("/api/v1/summary");
    assert_eq!((reply.status, reply.text()), (200, &*out));
    assert_eq!(said(&serve), [""; 0]);
    assert!(serve.end("TERM").success());
}

/// A log that grows, of sessions of these users.
struct Growing {
    file: File,
    pid: u32,
}

impl Growing {
    fn new(path: &Path) -> Growing {
        let options = OpenOptions::new().create(true).append(true).open(path);
        Growing {
            file: options.expect("a file"),
            pid: 1000,
        }
    }

    /// One that comes and goes: a line of `connected`, one of `disconnected`.
    fn session(&mut self, user: &str) {
        self.pid += 1;
        let (pid, second) = (self.pid, self.pid % 60);
        let minute = self.pid / 60 % 60;
        let head = format!("2026-11-23 10:{minute:02}:{second:02}.000 UTC [{pid}] LOG: ");
        let text = format!(
            "{head} connection received: host=10.0.0.7 port=40000\n\
             {head} connection authorized: user={user} database=shop application_name=test\n\
             {head} disconnection: session time: 0:00:00.000 user={user} database=shop host=10.0.0.7 port=40000\n"
        );
        self.file.write_all(text.as_bytes()).expect("it is written");
    }
}

fn field(data: &str, key: &str) -> String {
    let object: Value = serde_json::from_str(data).expect("an object");
    object[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn events_come_in_order_and_go_on_where_one_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let mut growing = Growing::new(&log);
    growing.session("before");
    let serve = Serve::start(&[], &log);
    // All that is kept: what was there before counts, too.
    let mut all = Listener::begin(&serve, "/api/v1/events", "Last-Event-ID: 0\r\n");
    let mut web = Listener::begin(&serve, "/api/v1/events?user=web*", "");
    for n in 0..50 {
        growing.session(["app", "web1", "web2"][n % 3]);
    }
    let mut lines = Vec::new();
    for n in 1..=102 {
        let sent = all.event();
        assert_eq!(sent.id, Some(n));
        lines.push(sent.data);
    }
    // They are those of the command line.
    let (out, _) = printed(&["events", "--json"], &log);
    assert_eq!(lines, out.lines().collect::<Vec<_>>());
    let of_web = lines
        .iter()
        .filter(|line| field(line, "user").starts_with("web"));
    for line in of_web {
        assert_eq!(web.event().data, *line);
    }
    drop((all, web));
    growing.session("later");
    let mut back = Listener::begin(&serve, "/api/v1/events", "Last-Event-ID: 101\r\n");
    assert_eq!(back.event().data, lines[101]);
    let sent = back.event();
    assert_eq!((sent.id, &*field(&sent.data, "user")), (Some(103), "later"));
    // One of another server that ran before this one.
    let mut other = Listener::begin(&serve, "/api/v1/events", "Last-Event-ID: 4000\r\n");
    let sent = other.next().expect("a word");
    assert_eq!(sent.event.as_deref(), Some("dropped"));
    // The end is one.
    let ends = thread::spawn(move || while back.next().is_some() {});
    assert!(serve.end("INT").success());
    ends.join().expect("the stream ends");
}

#[test]
fn what_has_changed_is_told_and_who_asks_anew_gets_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let mut growing = Growing::new(&log);
    growing.session("app");
    let serve = Serve::start(&[], &log);
    let mut listener = Listener::begin(&serve, "/api/v1/events?user=nobody", "");
    let connects = || {
        let reply = serve.get("/api/v1/summary");
        let summary: Value = serde_json::from_slice(&reply.body).expect("an object");
        summary["connects"]["total"].clone()
    };
    assert_eq!(connects(), 1);
    for n in 2..5 {
        growing.session("app");
        let sent = listener.next().expect("a word");
        assert_eq!(sent.event.as_deref(), Some("changed"));
        assert_eq!(connects(), n);
    }
}

#[test]
fn events_that_are_not_kept_any_more_are_said_to_be_dropped() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let mut growing = Growing::new(&log);
    for _ in 0..6000 {
        growing.session("app");
    }
    let serve = Serve::start(&[], &log);
    let mut listener = Listener::begin(&serve, "/api/v1/events", "Last-Event-ID: 10\r\n");
    let sent = listener.next().expect("a word");
    assert_eq!(sent.event.as_deref(), Some("dropped"));
    let before: Value = serde_json::from_str(&sent.data).expect("an object");
    let before = before["before"].as_u64().expect("a number");
    assert!((2001..=2300).contains(&before), "{before}");
    assert_eq!(listener.event().id, Some(before));
}

#[test]
fn standard_input_is_kept_and_served() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command.arg("serve").stdin(Stdio::piped());
    let dir = tempfile::tempdir().expect("a directory");
    let plain = dir.path().join("pg.log");
    let mut growing = Growing::new(&plain);
    for _ in 0..20 {
        growing.session("app");
    }
    let plain = std::fs::read(&plain).expect("a file");
    let mut serve = Serve::of(command);
    let mut stdin = serve.child.stdin.take().expect("piped");
    let mut listener = Listener::begin(&serve, "/api/v1/events", "Last-Event-ID: 0\r\n");
    stdin.write_all(&plain).expect("it reads");
    for n in 1..=40 {
        assert_eq!(listener.event().id, Some(n));
    }
    let reply = serve.get("/api/v1/summary");
    let summary: Value = serde_json::from_slice(&reply.body).expect("an object");
    assert_eq!(summary["connects"]["total"], 20);
    assert_eq!(summary["input"]["sources"][0]["path"], "-");
    assert_eq!(summary["input"]["sources"][0]["server"], "stdin");
}

#[test]
fn it_is_healthy_while_it_follows() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let serve = Serve::start(&[], &log);
    // How it is once it has looked at its logs again.
    let becomes = |status: u16, word: &str| {
        let end = Instant::now() + PATIENCE;
        loop {
            let reply = serve.get("/healthz");
            if reply.status == status && reply.text().contains(word) {
                return reply;
            }
            assert!(Instant::now() < end, "{}: {}", reply.status, reply.text());
            thread::sleep(Duration::from_millis(20));
        }
    };
    becomes(503, "pg.log");
    Growing::new(&log).session("app");
    assert_eq!(becomes(200, "").text(), "ok\n");
}

#[test]
fn the_description_has_every_parameter() {
    let serve = Serve::start(&[], &testdata("demo/postgresql.log.zst"));
    let reply = serve.get("/api/v1/openapi.json");
    let document: Value = serde_json::from_slice(&reply.body).expect("an object");
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    for (path, what) in paths {
        // A stream has no end.
        if !path.starts_with("/api") || path.ends_with("/events") {
            continue;
        }
        let parameters = what["get"]["parameters"].as_array().expect("a list");
        for parameter in parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
        {
            // One that is no parameter is answered otherwise.
            let name = parameter["name"].as_str().expect("a name");
            let reply = serve.get(&format!("{path}?{name}=%01"));
            let is_unknown = reply.status == 400 && reply.text().contains("no parameter of");
            assert!(!is_unknown, "{path}: {name}");
        }
    }
}

#[test]
fn connections_are_encrypted_by_certificate_files() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};

    let (certificate, key) = (testdata("tls/server.crt"), testdata("tls/server.key"));
    let args = [
        "--tls-cert",
        certificate.to_str().expect("text"),
        "--tls-key",
        key.to_str().expect("text"),
    ];
    let serve = Serve::start(&args, &testdata("demo/postgresql.log.zst"));
    let mut roots = rustls::RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(&certificate).expect("a certificate");
    roots.add(trusted).expect("it is trusted");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("there are some")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = rustls::StreamOwned::new(session, serve.connect());
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it is encrypted");
    let mut raw = Vec::new();
    stream
        .read_to_end(&mut raw)
        .expect("an answer, and its end");
    assert_eq!(Reply::of(&raw).map(|reply| reply.status), Some(200));
    // Nothing is said in plain text.
    let raw = serve.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!String::from_utf8_lossy(&raw).contains("HTTP"), "{raw:?}");
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            args[3],
            "--tls-key",
            args[3],
        ])
        .arg(testdata("demo/postgresql.log.zst"))
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let err = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("server.key: no certificate in it"), "{err}");
}

#[test]
fn a_configuration_is_checked_and_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("pgcensus.toml");
    let log = testdata("demo/postgresql.log.zst");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
            .args(["serve", "--check-config", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let name = file.display();
    let wrong = check("inputs = ['x.log']\n\nlisen = '127.0.0.1:1'\n");
    assert_eq!((wrong.0, &*wrong.1), (Some(2), ""));
    let begin = format!("pgcensus: {name}: line 3: lisen: no such key; there are inputs, ");
    assert!(wrong.2.starts_with(&begin), "{}", wrong.2);
    let open = check("inputs = ['x.log']\nlisten = '0.0.0.0:8432'\n");
    assert_eq!(open.0, Some(2));
    assert!(open.2.contains("requests must carry a token"), "{}", open.2);
    // What is seen to be wrong only when it is used has its place too.
    for (key, value) in [
        ("listen", "here"),
        ("listen", "0.0.0.0:8432"),
        ("token_file", "/nowhere/token"),
        ("timezone", "Mars/Olympus"),
        ("log_timezone", "Mars/Olympus"),
        ("exclude_host", "10.0.0.0/99"),
        ("allow_host", "http://db1"),
        ("textfile", "/nowhere/at/all/x.prom"),
    ] {
        let (status, _, err) = check(&format!("threads = 1\n{key} = '{value}'\n"));
        assert_eq!(status, Some(2), "{key}: {err}");
        let flag = key.replace('_', "-");
        let begin = format!("pgcensus: {name}: line 2: {key}: --{flag} ");
        assert!(err.starts_with(&begin), "{err}");
    }
    let keyless = check("tls_cert = '/nowhere/a'\ntls_key = '/nowhere/b'\n");
    let begin = format!("pgcensus: {name}: line 1: tls_cert: --tls-cert /nowhere/a: ");
    assert!(keyless.2.starts_with(&begin), "{}", keyless.2);
    let awaited = check("inputs = ['/nowhere/x.log']\n");
    assert_eq!(
        awaited,
        (
            Some(0),
            format!("waits for /nowhere/x.log\n{name}: ok\n"),
            String::new()
        )
    );
    let right = check(&format!(
        "inputs = ['{}']\nuser = ['postgres']\npersonal_user = 'dev*'\n",
        log.display()
    ));
    let reads = format!("reads demo: {}\n{name}: ok\n", log.display());
    assert_eq!(right, (Some(0), reads, String::new()));

    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command
        .args(["serve", "--config"])
        .arg(&file)
        .stdin(Stdio::null());
    let serve = Serve::of(command);
    let (out, _) = printed(&["summary", "--json", "--user=postgres"], &log);
    assert_eq!(serve.get("/api/v1/summary").text(), out);
    assert_eq!(serve.get("/api/v1/summary?user=app").status, 400);
}

/// So many events come in a second, for so long.
const EVENTS_A_SECOND: u64 = 1000;
const SECONDS: u64 = 20;

/// `cargo nextest run --release -p pgcensus --test serve --run-ignored only --no-capture`
#[test]
#[ignore = "a measurement, which prints what it has measured"]
fn how_long_an_event_takes_to_five_hundred_readers() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("pg.log");
    let mut growing = Growing::new(&log);
    growing.session("first");
    let serve = Serve::start(&[], &log);
    let begin = Instant::now();
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", serve.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.unwrap_or_default().to_owned()
    };
    let readers_max = std::env::var("PGCENSUS_READERS").ok();
    let readers_max = readers_max.map_or(500, |text| text.parse().expect("a number"));
    // A tenth of them takes nothing.
    let stalled: Vec<_> = (0..readers_max / 10)
        .map(|_| Listener::begin(&serve, "/api/v1/events", ""))
        .collect();
    let events = EVENTS_A_SECOND * SECONDS;
    let mut took: Vec<u64> = thread::scope(|scope| {
        let mut readers = Vec::new();
        for _ in stalled.len()..readers_max {
            let mut listener = Listener::begin(&serve, "/api/v1/events", "");
            readers.push(scope.spawn(move || {
                let mut took = Vec::with_capacity(events as usize);
                for _ in 0..events {
                    let sent = listener.event();
                    let now = begin.elapsed().as_micros() as u64;
                    let (_, rest) = sent.data.split_once("\"user\":\"at").expect("a time");
                    let digits = rest.split('"').next().unwrap_or_default();
                    took.push(now - digits.parse::<u64>().expect("a time"));
                }
                took
            }));
        }
        println!("before: {}", memory());
        let start = Instant::now();
        // A session is two events; ten of them are written at a time.
        for batch in 0..events / 20 {
            let due = start + Duration::from_millis(batch * 20_000 / EVENTS_A_SECOND);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            for _ in 0..10 {
                growing.session(&format!("at{}", begin.elapsed().as_micros()));
            }
        }
        println!("after: {}", memory());
        let readers = readers.into_iter();
        readers
            .flat_map(|reader| reader.join().expect("a reader"))
            .collect()
    });
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "{readers_max} readers, {} stalled, {EVENTS_A_SECOND} events/s: {} lines told; p50 {:.1} ms, p90 {:.1} ms, \
         p99 {:.1} ms, most {:.1} ms",
        stalled.len(),
        took.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
