//! `compare`, and how the peak had grown, on logs in the words of a real server in which it is known who came and went when.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Command, Output};

use program::{Epoch, Input, json_object};
use serde_json::Value;

const HOUR_MS: i64 = 3_600_000;
/// 2026-11-23 00:00:00 UTC
const MIDNIGHT_S: i64 = 1_795_392_000;

/// One session: who, and from when to when, in milliseconds since midnight.
#[derive(Clone)]
struct Life {
    app: &'static str,
    user: &'static str,
    host: &'static str,
    opened: i64,
    ended: i64,
}

/// Numbers that look random, and are the same each time.
struct Random(u64);

impl Random {
    fn wait_ms(&mut self, mean_ms: f64) -> i64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        (-(1.0 - bits as f64 / (1_u64 << 53) as f64).ln() * mean_ms) as i64
    }

    /// Sessions of one application in these hours: so many an hour, each that long.
    fn sessions(
        &mut self,
        app: &'static str,
        hours: [i64; 2],
        an_hour: f64,
        stay_ms: f64,
    ) -> Vec<Life> {
        let mut at = hours[0] * HOUR_MS + 60_000;
        let mut lives = Vec::new();
        loop {
            at += 1 + self.wait_ms(HOUR_MS as f64 / an_hour);
            if at >= hours[1] * HOUR_MS {
                return lives;
            }
            lives.push(Life {
                app,
                user: if app.len().is_multiple_of(2) {
                    "shop_rw"
                } else {
                    "reporting"
                },
                host: if at % 2 == 0 { "10.0.0.7" } else { "10.0.0.8" },
                opened: at,
                ended: at + 2 + self.wait_ms(stay_ms),
            });
        }
    }
}

/// The log of a server that started at midnight, as PostgreSQL 15 writes it.
fn log(lives: &[Life]) -> String {
    let time = |at: i64| {
        let (s, ms) = (at / 1_000, at % 1_000);
        format!(
            "2026-11-23 {:02}:{:02}:{:02}.{ms:03} UTC",
            s / 3_600,
            s / 60 % 60,
            s % 60
        )
    };
    let mut lines = vec![
        (
            0,
            0,
            "[1] LOG:  starting PostgreSQL 15.18 on x86_64-pc-linux-gnu".to_owned(),
        ),
        (
            24 * HOUR_MS - 1,
            0,
            "[1] LOG:  checkpoint starting: time".to_owned(),
        ),
    ];
    for (pid, life) in (1_000..).zip(lives) {
        let Life {
            app,
            user,
            host,
            opened,
            ended,
        } = life;
        let length = ended - opened;
        let (s, ms) = (length / 1_000, length % 1_000);
        lines.push((
            *opened,
            pid,
            format!("[{pid}] LOG:  connection received: host={host} port={pid}"),
        ));
        lines.push((
            *opened,
            pid,
            format!("[{pid}] LOG:  connection authorized: user={user} database=shop application_name={app}"),
        ));
        if *ended < 24 * HOUR_MS {
            lines.push((*ended, pid, format!(
                "[{pid}] LOG:  disconnection: session time: {}:{:02}:{:02}.{ms:03} user={user} database=shop host={host} port={pid}",
                s / 3_600, s / 60 % 60, s % 60
            )));
        }
    }
    lines.sort_by_key(|&(at, pid, _)| (at, pid));
    lines.iter().fold(String::new(), |mut log, (at, _, line)| {
        let _ = writeln!(log, "{} {line}", time(*at));
        log
    })
}

fn json(args: &[&str], log: &str) -> Value {
    json_object(args, &Input::Piped(log.as_bytes())).expect("an object")
}

fn run(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_pgcensus");
    Command::new(program).args(args).output().expect("it runs")
}

fn ms_of_day(time: &Value) -> i64 {
    let epoch = Epoch::try_from(time.as_str().expect("a time").to_owned()).expect("a time");
    (epoch.0 * 1_000.0).round() as i64 - MIDNIGHT_S * 1_000
}

/// The changes of a comparison that are told, by name.
fn told(comparison: &Value) -> BTreeMap<(String, String), String> {
    let changes = comparison["changes"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let apps = changes
        .iter()
        .filter(|change| change["dimension"] == "application_name");
    apps.map(|change| {
        (
            (text(&change["name"]), text(&change["measure"])),
            text(&change["change"]),
        )
    })
    .collect()
}

/// The peaks of each name are those of the lives, counted one by one.
fn assert_peaks(comparison: &Value, lives: &[Life]) {
    let changes = comparison["changes"].as_array().expect("a list");
    let apps = changes
        .iter()
        .filter(|change| change["dimension"] == "application_name");
    for change in apps {
        for (key, hours) in [("peak_before", 6..12), ("peak_after", 12..18)] {
            let own = lives.iter().filter(|life| life.app == change["name"]);
            let own: Vec<&Life> = own.collect();
            let window = hours.start * HOUR_MS..hours.end * HOUR_MS;
            let begins = own.iter().map(|life| life.opened.max(window.start));
            let most = begins
                .filter(|at| window.contains(at))
                .map(|at| {
                    let is_open = |life: &&&Life| life.opened <= at && at < life.ended;
                    own.iter().filter(is_open).count()
                })
                .max();
            assert_eq!(
                change[key],
                most.unwrap_or(0),
                "{key} of {}",
                change["name"]
            );
        }
    }
}

fn quiet(random: &mut Random) -> Vec<Life> {
    let mut lives = random.sessions("web", [1, 23], 300.0, 2_000.0);
    lives.extend(random.sessions("worker", [1, 23], 60.0, 90_000.0));
    lives.extend(random.sessions("report", [1, 23], 20.0, 600_000.0));
    lives
}

const WINDOWS: [&str; 5] = [
    "compare",
    "--before",
    "06:00..12:00",
    "--after",
    "12:00..18:00",
];

#[test]
fn what_changed_at_noon_is_told() {
    let mut random = Random(20_261_123);
    let mut lives = quiet(&mut random);
    lives.extend(random.sessions("checkout", [1, 12], 60.0, 1_000.0));
    lives.extend(random.sessions("checkout", [12, 23], 240.0, 1_000.0));
    lives.extend(random.sessions("nightly", [1, 12], 40.0, 1_000.0));
    lives.extend(random.sessions("batch", [12, 23], 40.0, 1_000.0));
    lives.extend(random.sessions("slow", [1, 12], 100.0, 1_000.0));
    lives.extend(random.sessions("slow", [12, 23], 100.0, 10_000.0));
    let log = log(&lives);
    let comparison = json(&[&WINDOWS[..], &["--json"]].concat(), &log);
    assert_eq!(
        (
            &comparison["before"]["buckets"],
            &comparison["after"]["buckets"]
        ),
        (&24.into(), &24.into())
    );
    let told = told(&comparison);
    let of = |name: &str, measure: &str| {
        told.get(&(name.to_owned(), measure.to_owned()))
            .map(String::as_str)
    };
    assert_eq!(
        of("checkout", "connects_per_hour"),
        Some("more"),
        "{told:?}"
    );
    assert_eq!(of("nightly", "connects_per_hour"), Some("gone"), "{told:?}");
    assert_eq!(of("batch", "connects_per_hour"), Some("new"), "{told:?}");
    assert_eq!(of("slow", "session_time_ms"), Some("more"), "{told:?}");
    assert_eq!(of("slow", "open"), Some("more"), "{told:?}");
    assert_eq!(of("slow", "connects_per_hour"), None, "{told:?}");
    assert!(
        !told
            .keys()
            .any(|(name, _)| matches!(name.as_str(), "web" | "worker" | "report")),
        "{told:?}"
    );
    assert_peaks(&comparison, &lives);
    // Dates need not wait for the end of a pipe.
    let dated = [
        "compare",
        "--before=..2026-11-23 12:00",
        "--after=2026-11-23 12:00..",
        "--between",
        "06:00-18:00",
    ];
    assert_eq!(
        self::told(&json(&[&dated[..], &["--json"]].concat(), &log)),
        told
    );
    // The number of connects is that of `summary`.
    let summary = json(&["--json", "--since", "06:00", "--until", "12:00"], &log);
    assert_eq!(
        comparison["before"]["connects"],
        summary["connects"]["total"]
    );

    // Two logs that are cut there say the same.
    let directory = tempfile::tempdir().expect("a directory");
    let (before, after) = log.split_at(log.find("2026-11-23 12:").expect("noon"));
    for (name, text) in [("before.log", before), ("after.log", after)] {
        std::fs::write(directory.path().join(name), text).expect("it is written");
    }
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (before, after) = (path("before.log"), path("after.log"));
    let output = run(&["compare", "--before", &before, "--after", &after, "--json"]);
    assert!(output.status.success(), "{output:?}");
    let inputs: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let changes = self::told(&inputs);
    for (name, change) in &told {
        assert_eq!(changes.get(name), Some(change), "{name:?}");
    }
    let output = run(&["compare", "--before", &before, "--after", &after]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("checkout") && text.contains("Told is what changed"),
        "{text}"
    );
}

#[test]
fn where_nothing_changed_that_is_said() {
    let log = log(&quiet(&mut Random(7)));
    let comparison = json(&[&WINDOWS[..], &["--json"]].concat(), &log);
    assert_eq!(comparison["changes"], Value::Array(Vec::new()));
    assert!(comparison["tests"].as_u64() > Some(10), "{comparison}");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pg.log");
    std::fs::write(&path, log).expect("it is written");
    let path = path.display().to_string();
    let text = |args: &[&str]| {
        let output = run(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let said = text(&[&WINDOWS[..], &[&path]].concat());
    assert!(
        said.contains("Nothing changed that 15-minute buckets can tell:"),
        "{said}"
    );
    let said = text(&[
        "compare",
        &path,
        "--before",
        "06:00..06:50",
        "--after",
        "07:00..18:00",
    ]);
    assert!(
        said.contains("15-minute buckets cannot tell what changed"),
        "{said}"
    );
    for (args, error) in [
        (
            &[
                "compare",
                &path,
                "--before",
                "06:00..12:00",
                "--after",
                "11:00..18:00",
            ][..],
            "--before 06:00..12:00 and --after 11:00..18:00 overlap (from 23 Nov 06:00 UTC and from 23 Nov 11:00 UTC on)",
        ),
        (&["compare", &path], "compare: needs both sides"),
        (
            &[
                "compare",
                &path,
                "--before",
                "06:00..12:00",
                "--after",
                &path,
            ],
            "is a window and the other side is none",
        ),
        (
            &[
                "compare",
                &path,
                "--before",
                "12:00..06:00",
                "--after",
                "12:00..13:00",
            ],
            "begins when it is over",
        ),
        (
            &[
                "compare",
                &path,
                "--before",
                "2026-11-20..2026-11-21",
                "--after",
                "12:00..13:00",
            ],
            "before the first record",
        ),
        (
            &["summary", &path, "--before", "06:00..12:00"],
            "--before: goes with compare",
        ),
        (
            &[
                "compare", &path, "--last", "1h", "--before", "..06:00", "--after", "07:00..",
            ],
            "--last: compare has two windows",
        ),
    ] {
        let output = run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(error), "{args:?}: {said}");
    }
}

/// What a recount says of the names of a peak: how many there were, and by how many they had grown.
fn recounted(
    lives: &[Life],
    peak: &Value,
    name: fn(&Life) -> &'static str,
) -> BTreeMap<String, (i64, i64)> {
    let (at, since) = (ms_of_day(&peak["at"]), ms_of_day(&peak["grew_since"]));
    assert!(since >= at - 180_000 && since <= at, "{peak}");
    let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for life in lives {
        let then = i64::from(life.opened <= at && life.ended > at);
        let before = i64::from(life.opened < since && life.ended >= since);
        let (n, grew) = counts.entry(name(life).to_owned()).or_default();
        *n += then;
        *grew += then - before;
    }
    counts.retain(|_, (n, _)| *n > 0);
    counts
}

/// Which of them count.
type Counts = fn(&Life) -> bool;

#[test]
fn how_the_peak_had_grown_is_what_a_recount_says() {
    let mut random = Random(99);
    let mut lives = random.sessions("web", [1, 3], 3_000.0, 120_000.0);
    lives.extend(random.sessions("worker", [1, 3], 600.0, 600_000.0));
    lives.extend(random.sessions("checkout", [2, 3], 1_500.0, 240_000.0));
    // No two things at once.
    let mut times = std::collections::HashSet::new();
    for life in &mut lives {
        while !times.insert(life.opened) {
            life.opened += 1;
        }
        while !times.insert(life.ended) || life.ended <= life.opened {
            life.ended += 1;
        }
    }
    let log = log(&lives);
    let cases: [(&[&str], Counts); 5] = [
        (&[], |_| true),
        (&["--since", "01:30", "--until", "02:10"], |_| true),
        (&["--app", "worker"], |life| life.app == "worker"),
        (&["--host", "10.0.0.7", "--since", "02:00"], |life| {
            life.host == "10.0.0.7"
        }),
        (&["--between", "01:20-01:40"], |_| true),
    ];
    for (more, counts) in cases {
        let lives: Vec<Life> = lives.iter().filter(|life| counts(life)).cloned().collect();
        let summary = json(&[&["--json"], more].concat(), &log);
        let peak = &summary["peak"];
        for (dimension, name) in [
            (
                "application_name",
                (|life| life.app) as fn(&Life) -> &'static str,
            ),
            ("user", |life| life.user),
            ("client_host", |life| life.host),
            ("database", |_| "shop"),
        ] {
            let expected = recounted(&lives, peak, name);
            let list = |of: &Value| of[dimension].as_array().expect("a list").clone();
            let told = list(&peak["by"]).into_iter().zip(list(&peak["grew"]));
            let told: BTreeMap<String, (i64, i64)> = told
                .map(|(there, grew)| {
                    assert_eq!(there["name"], grew["name"]);
                    let name = there["name"].as_str().expect("a name").to_owned();
                    let count = |of: &Value| of["count"].as_i64().expect("a number");
                    (name, (count(&there), count(&grew)))
                })
                .collect();
            assert_eq!(told, expected, "{more:?} {dimension}");
        }
        let all: &[&str] = if more.contains(&"--since") {
            &[]
        } else {
            &["--last", "all"]
        };
        let history = json(&[&["history", "--json"], all, more].concat(), &log);
        assert_eq!(&history["peak"], peak);
    }
}

/// Where pids are missing it is not known who is open, which is no zero.
#[test]
fn what_is_open_is_unknown_where_a_side_has_no_pids() {
    let mut random = Random(77);
    let with = log(&quiet(&mut random));
    let without: String = with
        .lines()
        .map(|line| match (line.find('['), line.find("] ")) {
            (Some(begin), Some(end)) => format!("{}{}\n", &line[..begin], &line[end + 2..]),
            _ => format!("{line}\n"),
        })
        .collect();
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path.display().to_string()
    };
    let (with, without) = (path("with.log", &with), path("without.log", &without));
    for (before, after) in [(&with, &without), (&without, &with)] {
        let output = run(&["compare", "--json", "--before", before, "--after", after]);
        let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let total = comparison["total"].as_array().expect("a list");
        let open = total.iter().find(|row| row["measure"] == "open");
        let open = open.expect("a row");
        for key in ["before", "after", "peak_before", "peak_after"] {
            assert_eq!(open[key], Value::Null, "{key}: {open}");
        }
        let paths = [before, after].map(|path| serde_json::json!(path));
        for (side, path) in ["before", "after"].into_iter().zip(paths) {
            let input = &comparison[side]["input"];
            assert_eq!(input["sources"][0]["path"], path, "{side}: {input}");
        }
    }
}

#[test]
fn too_little_log_is_said_in_every_form() {
    let mut random = Random(78);
    let log = log(&quiet(&mut random));
    let windows = ["compare", "--before=06:00..06:30", "--after=07:00..07:30"];
    let comparison = json(&[&windows[..], &["--json"]].concat(), &log);
    assert_eq!(comparison["is_enough"], false);
    let verdict = comparison["verdict"].as_str().expect("a text");
    assert!(verdict.starts_with("Nothing was compared: "), "{verdict}");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pg.log");
    std::fs::write(&path, &log).expect("it is written");
    let path = path.display().to_string();
    let output = run(&[&windows[..], &["--csv", &path]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("pgcensus: Nothing was compared: "),
        "{said}"
    );
}

#[test]
fn both_sides_are_something_and_not_the_same() {
    for (words, message) in [
        (
            &["--before", "..", "--after", "pg.log"][..],
            "--before '..': a window has a time on one side at least, such as 09:00..; the directory above is ../",
        ),
        (
            &["--before", "pg.log", "--after", "pg.log"],
            "compare: both sides are the same input, and differ in nothing; of one input give two windows: --before 09:00..10:00 --after 10:00..11:00",
        ),
    ] {
        let output = run(&[&["compare"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim_end(), format!("pgcensus: {message}"), "{words:?}");
    }
}
