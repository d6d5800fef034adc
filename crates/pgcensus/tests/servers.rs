//! Several servers in one run: each is counted as if it were alone, whatever the others do meanwhile, and the total is their
//! sum. Pids, names and sessions of one say nothing about another.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;

use std::path::Path;
use std::process::Command;

use program::{Input, json_object};
use serde_json::{Value, json};

/// Runs of `testdata` that overlap in time, in pids and in names: a server that crashes, one that refuses, one whose lines were
/// switched off, one with walsenders, one whose log has no pids.
const RUNS: [&str; 6] = [
    "15/kills/stderr",
    "17/kills/csvlog",
    "16/failures/jsonlog",
    "18/nolog-mix/stderr",
    "17/replication/stderr",
    "16/prefix-rhel-old/stderr",
];

/// `--server NAME=PATH` of these runs, each named by its path.
fn servers(runs: &[&str]) -> Vec<String> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let path = |run: &&str| format!("{run}={}", testdata.join(run).display());
    let named = runs
        .iter()
        .flat_map(|run| ["--server".to_owned(), path(run)]);
    named.collect()
}

fn summary(runs: &[&str], more: &[&str]) -> Value {
    let servers = servers(runs);
    let args = servers.iter().map(String::as_str);
    let args: Vec<&str> = ["summary", "--json", "--quiet"]
        .into_iter()
        .chain(args)
        .chain(more.iter().copied())
        .collect();
    json_object(&args, &Input::Files(&[])).expect("a summary")
}

/// Lines of a stream of rows.
fn rows(command: &str, runs: &[&str], more: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args([command, "--json", "--quiet"])
        .args(servers(runs))
        .args(more)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// The entry of a list of objects with this name.
fn entry<'v>(list: &'v Value, key: &str, name: &str) -> &'v Value {
    let entries = list.as_array().into_iter().flatten();
    let entry = entries.into_iter().find(|entry| entry[key] == name);
    entry.unwrap_or(&Value::Null)
}

fn without_names(counted: &Value) -> Value {
    let mut counted = counted.clone();
    let object = counted.as_object_mut().expect("an object");
    for key in ["by", "grew", "grew_since"] {
        object.remove(key);
    }
    counted
}

#[test]
fn each_server_is_counted_as_if_it_were_alone() {
    let together = summary(&RUNS, &[]);
    let mut sums = [0; 6];
    for run in RUNS {
        let alone = summary(&[run], &[]);
        let own = entry(&together["servers"], "server", run);
        let expected = json!({
            "server": run,
            "open": without_names(&alone["open"]),
            "peak": without_names(&alone["peak"]),
            "connects": alone["connects"]["total"],
            "disconnects": alone["disconnects"]["total"],
            "refused": alone["refused"]["connections"],
        });
        assert_eq!(*own, expected, "among others");
        assert_eq!(alone["servers"], json!([expected]), "alone");
        // The others of the run count nothing of it, and their certainty is not its own.
        let filtered = summary(&RUNS, &["--server", run]);
        for key in [
            "open",
            "peak",
            "connects",
            "disconnects",
            "refused",
            "walsenders",
            "servers",
        ] {
            assert_eq!(filtered[key], alone[key], "{run}: {key} with --server");
        }
        for (key, count) in [
            ("connects", "total"),
            ("refused", "connections"),
            ("walsenders", "count"),
        ] {
            let of_server = &entry(&together[key]["by"]["server"], "name", run)["count"];
            let of_server = of_server.as_u64().unwrap_or(0);
            assert_eq!(
                Some(of_server),
                alone[key][count].as_u64().or(Some(0)),
                "{run}: {key}"
            );
        }
        let count = |path: &str| alone.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        for (sum, path) in sums.iter_mut().zip(TOTALS) {
            *sum += count(path);
        }
    }
    for (sum, path) in sums.into_iter().zip(TOTALS) {
        let total = together.pointer(path).and_then(Value::as_u64);
        assert_eq!(total, Some(sum), "{path}");
    }
    // No instant has more than each server at its own peak, and the peak is not less than any of them.
    let peaks = together["servers"].as_array().into_iter().flatten();
    let peaks: Vec<u64> = peaks
        .filter_map(|own| own["peak"]["count"].as_u64())
        .collect();
    let peak = together["peak"]["count"].as_u64().expect("known");
    assert!(peaks.iter().all(|&own| own <= peak) && peak <= peaks.iter().sum());
    let at_peak = together["peak"]["by"]["server"]
        .as_array()
        .into_iter()
        .flatten();
    let at_peak = at_peak.filter_map(|own| own["count"].as_u64());
    assert_eq!(at_peak.sum::<u64>(), peak);
}

#[test]
fn who_was_there_at_the_peak_is_the_same_in_a_history() {
    let servers = servers(&RUNS);
    let args = servers.iter().map(String::as_str);
    let args: Vec<&str> = ["history", "--json", "--quiet", "--last", "all"]
        .into_iter()
        .chain(args)
        .collect();
    let history = json_object(&args, &Input::Files(&[])).expect("a history");
    let summary = summary(&RUNS, &[]);
    assert_eq!(history["peak"], summary["peak"]);
}

const TOTALS: [&str; 6] = [
    "/open/count",
    "/connects/total",
    "/disconnects/total",
    "/refused/connections",
    "/probes",
    "/walsenders/connects",
];

#[test]
fn sessions_and_events_of_one_server_are_those_of_its_own_log() {
    for command in ["sessions", "events"] {
        for run in RUNS {
            let alone = rows(command, &[run], &[]);
            assert_eq!(
                rows(command, &RUNS, &["--server", run]),
                alone,
                "{command} {run}"
            );
        }
    }
}

#[test]
fn names_of_each_server_are_those_of_its_own_log() {
    let cross = |summary: &Value, run: &str| -> Vec<Value> {
        let rows = summary["cross"]["rows"].as_array().expect("rows");
        let own = rows.iter().filter(|row| row["names"][0] == run);
        own.cloned().collect()
    };
    let together = summary(&RUNS, &["--by", "server,user"]);
    for run in RUNS {
        let alone = summary(&[run], &["--by", "server,user"]);
        assert_eq!(cross(&together, run), cross(&alone, run), "{run}");
    }
}

#[test]
fn who_means_no_server_need_not_wait() {
    let output = Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(servers(&RUNS[..2]))
        .args(["--server", "db1"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "pgcensus: --server: none of the servers is meant; there are 15/kills/stderr, 17/kills/csvlog\n"
    );
}

/// A pid of one server means nothing in another, whatever their directories are called.
#[test]
fn directories_of_one_name_are_servers_of_their_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = |name: &str, user: &str| {
        let log = dir.path().join(name).join("data/log");
        std::fs::create_dir_all(&log).expect("a directory");
        let text = format!(
            "2026-11-23 10:00:00.000 UTC [9] LOG:  connection authorized: user={user} database=shop\n"
        );
        std::fs::write(log.join("pg.log"), text).expect("written");
    };
    log("a", "one");
    log("b", "two");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pgcensus"))
        .args(["sessions", "--open", "--json"])
        .arg(dir.path())
        .output()
        .expect("the program");
    let rows: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|row| serde_json::from_str(row).expect("an object"))
        .collect();
    let mut servers: Vec<_> = rows.iter().map(|row| row["server"].as_str()).collect();
    servers.sort_unstable();
    assert_eq!(servers, [Some("a/data"), Some("b/data")]);
}
