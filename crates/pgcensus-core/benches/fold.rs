//! The ordered part of the pipeline over a log of connections: events to sessions, sessions to numbers.
//!
//! `cargo bench -p pgcensus-core`; items are events.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use pgcensus_core::census::Census;
use pgcensus_core::change::{Change, What};
use pgcensus_core::history::History;
use pgcensus_core::hold::Hold;
use pgcensus_core::names::Names;
use pgcensus_core::noise::Noise;
use pgcensus_core::session::ServerId;
use pgcensus_core::texts::{KnownTexts, Texts};
use pgcensus_core::tracker::Tracker;
use pgcensus_core::window::Window;
use pgcensus_core::zone::{DisplayZone, LogClock};
use pgcensus_log::batch::{Batch, Item};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;

fn main() {
    divan::main();
}

/// The events of a real log in which every line is of a connection.
fn events() -> Batch {
    let path = format!(
        "{}/../../testdata/15/churn/stderr/postgresql.log.zst",
        env!("CARGO_MANIFEST_DIR")
    );
    let file = std::fs::File::open(path).expect("testdata");
    let log = zstd::decode_all(file).expect("zstd");
    let prefix = LinePrefix::parse("%m [%p] ").expect("a prefix");
    let mut batch = Batch::default();
    Decoder::new(Format::Stderr(prefix)).decode(&log, 0, &mut batch);
    assert!(batch.items.len() > 1000, "{} events", batch.items.len());
    batch
}

/// What the tracker says of these events.
fn track(batch: &Batch, names: &mut Names, mut told: impl FnMut(&mut Tracker, Change)) {
    let mut tracker = Tracker::new(ServerId(0));
    let mut clock = LogClock::new(None);
    let mut known = KnownTexts::default();
    known.begin(batch);
    let mut changes = Vec::new();
    for item in &batch.items {
        let Item::Event(event, slot) = item else {
            continue;
        };
        let time = event.log_time.map(|time| batch.log_time(time));
        let at = time.map(|time| clock.instant(time));
        let mut texts = Texts::new(batch, names, &mut known);
        tracker.observe(event, *slot, at, &mut texts, &mut changes);
        for change in changes.drain(..) {
            told(&mut tracker, change);
        }
    }
}

fn give_back(tracker: &mut Tracker, change: Change) {
    if let What::Opened(session) | What::Closed(session) = change.what {
        tracker.give_back(session);
    }
}

#[divan::bench]
fn tracker(bencher: Bencher) {
    let batch = events();
    let count = ItemsCount::new(batch.items.len());
    bencher.counter(count).bench_local(|| {
        track(black_box(&batch), &mut Names::default(), give_back);
    });
}

#[divan::bench]
fn tracker_hold_census_and_history(bencher: Bencher) {
    tracker_hold_census_history(bencher, || None);
}

/// All that `summary` adds up.
#[divan::bench]
fn tracker_hold_census_history_and_noise(bencher: Bencher) {
    tracker_hold_census_history(bencher, || Some(Noise::new(Window::default())));
}

fn tracker_hold_census_history(bencher: Bencher, noise: fn() -> Option<Noise>) {
    let batch = events();
    let count = ItemsCount::new(batch.items.len());
    bencher.counter(count).bench_local(|| {
        let mut hold = Hold::default();
        let mut census = Census::new(Window::default(), None, 1);
        let zone = DisplayZone::Zone(jiff::tz::TimeZone::UTC);
        let mut history = History::timeline(Window::default(), 60, zone);
        let mut noise = noise();
        track(
            black_box(&batch),
            &mut Names::default(),
            |tracker, change| {
                hold.push(change, |change| {
                    census.observe(&change);
                    history.observe(&change);
                    if let Some(noise) = &mut noise {
                        noise.observe(&change);
                    }
                    give_back(tracker, change);
                });
            },
        );
    });
}
