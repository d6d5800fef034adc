//! `watch` on logs that grow while it runs: those of `testdata/`, written as their servers wrote them, held against
//! what the servers said of each moment, and against `events` of the whole.
//!
//! Nothing here waits for a time: what is expected comes, or the test fails after a long one.

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
mod watching;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use program::{Event, Input, json_lines};
use recorded::{Log, Run};
use watching::{Watch, kinds};

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
