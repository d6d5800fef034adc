//! Whoever scrapes `serve` while its logs go on: no counter falls, whatever happens to a log, and what changes with a server is told.

#[path = "support/serving.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod serving;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serving::Serve;

/// Samples by name and labels.
type Samples = BTreeMap<String, f64>;

/// What is told once this holds.
fn scraped(serve: &Serve, what: &str, holds: impl Fn(&Samples) -> bool) -> Samples {
    let begin = Instant::now();
    loop {
        let reply = serve.get("/metrics");
        let samples: Samples = reply
            .text()
            .lines()
            .filter(|line| reply.status == 200 && !line.starts_with('#'))
            .map(|line| {
                let (key, value) = line.rsplit_once(' ').expect("a value");
                (key.to_owned(), value.parse().expect("a number"))
            })
            .collect();
        if holds(&samples) {
            return samples;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{what}: {samples:?}"
        );
        std::thread::yield_now();
    }
}

fn value(samples: &Samples, name: &str) -> Option<f64> {
    samples.get(&format!("{name}{{server=\"main\"}}")).copied()
}

/// One client that comes and leaves, one that is refused, and a line of nobody.
fn writes(log: &mut File, n: u32) {
    let head = |pid| format!("2026-11-23 10:00:{n:02}.000 UTC [{pid}] ");
    let (a, b) = (head(100 + 2 * n), head(101 + 2 * n));
    let lines = format!(
        "{a}LOG:  connection received: host=10.0.0.1 port=5{n:03}\n\
         {a}LOG:  connection authorized: user=app database=shop application_name=job-{n}\n\
         {b}LOG:  connection received: host=10.0.0.2 port=6{n:03}\n\
         {b}FATAL:  password authentication failed for user \"app\"\n\
         {a}LOG:  disconnection: session time: 0:00:00.010 user=app database=shop host=10.0.0.1 port=5{n:03}\n\
         2026-11-23 10:00:{n:02}.001 UTC [?] LOG:  connection received: host=10.0.0.3 port=1\n"
    );
    log.write_all(lines.as_bytes()).expect("written");
}

fn appended(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options.open(path).expect("a log")
}

#[test]
fn no_counter_falls_whatever_happens_to_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let main = dir.path().join("main");
    fs::create_dir(&main).expect("a directory");
    let path = main.join("postgresql.log");
    let old = |n: u32| main.join(format!("postgresql.log.{n}"));
    let mut log = appended(&path);
    writes(&mut log, 0);
    let serve = Serve::start(&[], &main);
    let events = |samples: &Samples| value(samples, "pgcensus_events_total").unwrap_or_default();
    let mut before = scraped(&serve, "what was there", |samples| events(samples) >= 5.0);
    let counters = ["_total{", "_bucket{", "_count{", "_sum{"];
    for n in 1..=12 {
        // What has been written is read before the log is moved away: nobody can read what is gone.
        match n % 4 {
            1 => {
                fs::rename(&path, old(n)).expect("renamed");
                log = appended(&path);
            }
            2 => fs::remove_file(old(n - 1)).expect("removed"),
            3 => {
                fs::copy(&path, old(n)).expect("copied");
                log.set_len(0).expect("truncated");
            }
            _ => {}
        }
        writes(&mut log, n);
        let expected = events(&before) + 5.0;
        let now = scraped(&serve, "what came", |samples| events(samples) >= expected);
        for (key, count) in &before {
            if counters.iter().any(|part| key.contains(part)) {
                let now = now.get(key).copied();
                assert!(
                    now.is_some_and(|now| now >= *count),
                    "{n}: {key} {count}: {now:?}"
                );
            }
        }
        before = now;
    }
    let all = value(&before, "pgcensus_events_total");
    assert_eq!(all, Some(13.0 * 5.0), "each once: {before:?}");
}

#[test]
fn a_server_that_starts_with_another_limit_has_that_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("main");
    fs::create_dir_all(data.join("log")).expect("a directory");
    let conf = data.join("postgresql.conf");
    fs::write(&conf, "max_connections = 50\n").expect("written");
    let mut log = appended(&data.join("log/postgresql.log"));
    writes(&mut log, 0);
    let serve = Serve::start(&[], &data.join("log"));
    let most = |samples: &Samples| value(samples, "pgcensus_connections_max");
    scraped(&serve, "the limit", |samples| most(samples) == Some(47.0));

    fs::write(&conf, "max_connections = 100\n").expect("written");
    let ready =
        "2026-11-23 10:01:00.000 UTC [1] LOG:  database system is ready to accept connections\n";
    log.write_all(ready.as_bytes()).expect("written");
    scraped(&serve, "the new one", |samples| most(samples) == Some(97.0));
}
