//! The data of `report`: sums of its cells are what `summary` says of the same stretch, and nothing of a log becomes markup.

#[path = "support/cells.rs"]
mod cells;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;

use std::path::PathBuf;
use std::process::Command;

use cells::{Sums, sums_of};
use program::{Input, json_object};
use serde_json::Value;

/// Logs of real servers, of each format.
const LOGS: [&str; 7] = [
    "demo/postgresql.log.zst",
    "noise/postgresql.log.zst",
    "situations/churn",
    "situations/full_server",
    "situations/crash",
    "situations/guessing_many_users",
    "situations/leak",
];

fn testdata(path: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../../testdata").join(path)
}

#[test]
fn cells_of_any_stretch_sum_up_to_its_summary() {
    for log in LOGS {
        let path = testdata(log);
        let input = Input::Files(std::slice::from_ref(&path));
        let data = json_object(&["report", "--json"], &input).expect("a page");
        let starts = data["buckets"]["start"].as_array().expect("a list");
        let buckets = starts.len();
        assert!(buckets > 1 && buckets <= 750, "{log}: {buckets} buckets");
        let whole = sums_of(&data, 0, buckets);
        assert_eq!(whole, Sums::of_summary(&data["summary"]), "{log}");
        for part in 0..4 {
            let (from, to) = (buckets * part / 5, (buckets * (part + 2)).div_ceil(5));
            let at = |bucket: usize| {
                let ms = starts[bucket].as_i64().expect("milliseconds");
                jiff::Timestamp::from_millisecond(ms)
                    .expect("a time")
                    .to_string()
            };
            let since = format!("--since={}", at(from));
            let mut args = vec!["summary", "--json", &since];
            let until = (to < buckets).then(|| format!("--until={}", at(to)));
            args.extend(until.as_deref());
            let summary = json_object(&args, &input).expect("a summary");
            assert_eq!(
                sums_of(&data, from, to),
                Sums::of_summary(&summary),
                "{log}: {args:?}"
            );
            let most = &data["buckets"]["open_max"].as_array().expect("a list")[from..to];
            let most = most.iter().filter_map(Value::as_u64).max();
            assert_eq!(most, summary["peak"]["count"].as_u64(), "{log}: {args:?}");
        }
    }
}

#[test]
fn sessions_of_a_page_have_their_own_lines() {
    let compressed = testdata("demo/postgresql.log.zst");
    let plain = tempfile::NamedTempFile::new().expect("a file");
    let text = std::fs::read(&compressed).expect("a log");
    let text = zstd::decode_all(&*text).expect("zstd");
    std::fs::write(plain.path(), text).expect("written");
    for log in [compressed, plain.path().to_owned()] {
        let data = json_object(&["report", "--json"], &Input::Files(&[log])).expect("a page");
        let sessions = data["sessions"].as_array().expect("a list");
        assert_eq!(sessions.len(), 28);
        for session in sessions {
            let lines = session["lines"].as_array().expect("lines");
            let lines = lines.iter().map(|line| line.as_str().expect("text"));
            let of_it = format!("[{}] ", session["pid"]);
            assert!(lines.clone().all(|line| line.contains(&of_it)), "{session}");
            let authorized = lines.filter(|line| line.contains("connection authorized"));
            assert_eq!(authorized.count(), 1, "{session}");
        }
    }
}

/// A log whose names are markup, quotes, breaks and marks that turn text around.
fn hostile() -> String {
    let names = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"'`&amp;{{data}}",
        "\u{202e}gnp.exe\u{2066}",
        "\u{2028}--><!--<script>",
    ];
    let names = names.iter().enumerate();
    let lines = names.map(|(i, name)| {
        format!(
            "2026-11-23 05:21:{i:02}.000 UTC [{pid}] LOG:  connection received: host=10.0.0.7 port=4{i}\n\
             2026-11-23 05:21:{i:02}.010 UTC [{pid}] LOG:  connection authorized: user=app database=shop application_name={name}\n",
            pid = 100 + i
        )
    });
    lines.collect()
}

#[test]
fn names_in_a_page_are_no_markup() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(log.path(), hostile()).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(["report"])
        .arg(log.path())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let page = String::from_utf8(output.stdout).expect("text");
    let held = |id: &str| -> Value {
        let tag = format!(r#"<script type="application/json" id="{id}">"#);
        let (_, rest) = page.split_once(&tag).expect("its begin");
        let (json, _) = rest.split_once("</script>").expect("its end");
        assert!(!json.contains('<'), "nothing in it can be a tag");
        serde_json::from_str(json).expect("JSON")
    };
    let (data, sessions) = (held("counts"), held("listed"));
    let names = data["names"]["application_name"].as_array().expect("names");
    assert_eq!(names.len(), 5);
    assert_eq!(names[0], "</script><script>alert(1)</script>");
    assert_eq!(sessions[0]["lines"].as_array().map(Vec::len), Some(2));
    assert!(sessions.as_array().is_some_and(|list| list.len() == 5));
    assert!(!page.contains("<img src=x"));
}

#[test]
fn a_page_stays_small_however_many_names_there_are() {
    use std::fmt::Write as _;
    let mut log = String::new();
    for i in 0..30_000 {
        let (pid, ms) = (100 + i % 20_000, i * 7);
        let at = format!(
            "2026-11-23 {:02}:{:02}:{:02}.{:03} UTC [{pid}] LOG:  ",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1_000 % 60,
            ms % 1_000
        );
        writeln!(
            log,
            "{at}connection received: host=10.{}.{}.{} port=5432",
            i % 7,
            i % 200,
            i % 250
        )
        .expect("text");
        writeln!(
            log,
            "{at}connection authorized: user=u{i} database=d{} application_name=job-{i}-{}",
            i % 300,
            i * 31
        )
        .expect("text");
        writeln!(log, "{at}disconnection: session time: 0:00:00.000 user=u{i} database=d{} host=10.{}.{}.{} port=5432", i % 300, i % 7, i % 200, i % 250).expect("text");
    }
    let data = json_object(&["report", "--json"], &Input::Piped(log.as_bytes())).expect("a page");
    let text = data.to_string();
    assert!(text.len() < 5_000_000, "{} bytes", text.len());
    let buckets = data["buckets"]["start"].as_array().expect("a list").len();
    let sums = sums_of(&data, 0, buckets);
    assert_eq!(sums.connects, 30_000);
    assert_eq!(sums.open, 0);
    let of_users: i64 = sums.connects_by[2].values().sum();
    assert_eq!(of_users, 30_000, "who is not named is (other)");
    assert!(data["joined"][3].as_u64() > Some(0), "which is said");
}

#[test]
fn an_anonymous_page_names_nobody() {
    let log = testdata("demo/postgresql.log.zst");
    let input = Input::Files(std::slice::from_ref(&log));
    let known = json_object(&["report", "--json"], &input).expect("a page");
    let data = json_object(&["report", "--json", "--anonymize"], &input).expect("a page");
    let text = data.to_string();
    for dimension in ["user", "client_host"] {
        for name in known["names"][dimension].as_array().expect("names") {
            let name = name.as_str().expect("a name");
            if !["unknown", "[local]"].contains(&name) {
                let quoted = format!("\"{name}\"");
                assert!(!text.contains(&quoted), "{name}");
            }
        }
    }
    for leak in ["shop_rw", "postgresql.log", "/var/lib", "127.0.0"] {
        assert!(!text.contains(leak), "{leak}");
    }
    let buckets = data["buckets"]["start"].as_array().expect("a list").len();
    let (of_it, all) = (sums_of(&data, 0, buckets), sums_of(&known, 0, buckets));
    assert_eq!(of_it.connects, all.connects);
    assert_eq!(of_it.connects_by[2].len(), all.connects_by[2].len());
    assert_eq!(
        of_it,
        Sums::of_summary(&data["summary"]),
        "the same name everywhere"
    );
}

/// PostgreSQL 18 takes names of nearly 10,000 bytes, and logs all of them.
#[test]
fn a_page_stays_small_however_long_names_are() {
    use std::fmt::Write as _;
    let mut log = String::new();
    for i in 0..1_000 {
        let at = format!(
            "2026-11-23 05:{:02}:{:02}.000 UTC [{}] LOG:  connection",
            i / 60,
            i % 60,
            i + 100
        );
        writeln!(log, "{at} received: host=10.0.0.7 port=5432").expect("text");
        let name = format!("job-{i}{}", "x".repeat(9_000));
        writeln!(
            log,
            "{at} authorized: user=app database=shop application_name={name}"
        )
        .expect("text");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log).expect("written");
    let file = [file.path().to_owned()];
    let data = json_object(&["report", "--json"], &Input::Files(&file)).expect("a page");
    let text = data.to_string();
    assert!(text.len() < 3_000_000, "{} bytes", text.len());
    let lines = &data["sessions"][0]["lines"];
    assert_eq!(lines.as_array().map(Vec::len), Some(2), "{lines}");
    assert_eq!(data["summary"]["open"]["count"], 1_000);
}
