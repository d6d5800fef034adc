//! Checkers that ran beside clients that worked, on a real server: who they were, `testdata/noise/clients.csv` says.

use std::collections::BTreeMap;

use pgcensus_core::change::Change;
use pgcensus_core::hold::Hold;
use pgcensus_core::names::{Dimension, NameId, Names};
use pgcensus_core::noise::{Folded, Noise};
use pgcensus_core::session::ServerId;
use pgcensus_core::texts::{KnownTexts, Texts};
use pgcensus_core::tracker::Tracker;
use pgcensus_core::window::Window;
use pgcensus_core::zone::LogClock;
use pgcensus_log::batch::{Batch, Item};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;

fn testdata(path: &str) -> std::path::PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../testdata").join(path)
}

fn log(path: &str) -> String {
    let file = std::fs::File::open(testdata(path)).expect("testdata");
    let log = zstd::decode_all(file).expect("zstd");
    String::from_utf8(log).expect("text")
}

/// What is noise in a log, its names told.
fn folded(log: &str) -> (Folded, Names) {
    let prefix = LinePrefix::parse("%m [%p] ").expect("a prefix");
    let (mut tracker, mut clock) = (Tracker::new(ServerId(0)), LogClock::new(None));
    let (mut names, mut known) = (Names::default(), KnownTexts::default());
    let (mut batch, mut hold, mut changes) = (Batch::default(), Hold::default(), Vec::new());
    let mut noise = Noise::new(Window::default());
    Decoder::new(Format::Stderr(prefix)).decode(log.as_bytes(), 0, &mut batch);
    known.begin(&batch);
    let mut observe = |change: Change| noise.observe(&change);
    for item in &batch.items {
        let Item::Event(event, slot) = item else {
            continue;
        };
        let at = event
            .log_time
            .map(|time| clock.instant(batch.log_time(time)));
        let mut texts = Texts::new(&batch, &mut names, &mut known);
        tracker.observe(event, *slot, at, &mut texts, &mut changes);
        changes
            .drain(..)
            .for_each(|change| hold.push(change, &mut observe));
    }
    tracker.finish(&mut changes);
    changes
        .drain(..)
        .for_each(|change| hold.push(change, &mut observe));
    hold.finish(&mut observe);
    (noise.folded(&names), names)
}

/// What it was, and user, database, application and client host.
type Who = (String, [String; 4]);

/// Who was noise, with how many there were and in how many milliseconds one came.
fn rows(log: &str) -> BTreeMap<Who, (u64, u64)> {
    let (folded, names) = folded(log);
    let rows = folded.rows.iter().map(|row| {
        let name = |dimension| match row.group.name(dimension) {
            NameId::ABSENT => String::new(),
            id => String::from_utf8_lossy(names.text_of(dimension, id)).into_owned(),
        };
        let who = [
            name(Dimension::User),
            name(Dimension::Database),
            name(Dimension::ApplicationName),
            name(Dimension::ClientHost),
        ];
        let kind = row.group.kind.as_str().to_owned();
        ((kind, who), (row.count, row.period_ms / row.checkers))
    });
    rows.collect()
}

/// The same as the clients themselves counted, of those that were checks.
fn truth() -> BTreeMap<Who, (u64, u64)> {
    let text = std::fs::read_to_string(testdata("noise/clients.csv")).expect("testdata");
    let mut rows: BTreeMap<Who, (u64, u64)> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let columns: Vec<_> = line.split(',').collect();
        let [_, what, is_noise, every_s, count, user, database, app, host] = columns[..] else {
            panic!("{line}");
        };
        if is_noise == "no" {
            continue;
        }
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let who = [user, database, app, host].map(str::to_owned);
        // Of several in turn, one comes the more often.
        let row = rows.entry((what.to_owned(), who)).or_default();
        *row = match *row {
            (0, _) => (number(count), number(every_s) * 1000),
            (others, ms) => (others + number(count), ms / 2),
        };
    }
    rows
}

#[test]
fn checkers_of_a_real_server_are_noise_and_nobody_else_is() {
    let (told, truth) = (rows(&log("noise/postgresql.log.zst")), truth());
    let who = |rows: &BTreeMap<Who, _>| rows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(who(&told), who(&truth));
    for (who, (count, ms)) in told {
        let (true_count, true_ms) = truth[&who];
        assert_eq!(count, true_count, "{who:?}");
        assert!(ms.abs_diff(true_ms) * 50 <= true_ms, "{who:?}: {ms} ms");
    }
}

#[test]
fn runs_of_half_a_minute_have_no_noise() {
    for run in [
        "15/churn",
        "16/failures",
        "17/kills",
        "18/basic",
        "16/noise",
    ] {
        let rows = rows(&log(&format!("{run}/stderr/postgresql.log.zst")));
        assert_eq!(rows, BTreeMap::new(), "{run}");
    }
}
