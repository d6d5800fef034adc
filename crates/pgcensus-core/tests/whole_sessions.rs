//! A session that has all of its records in one batch is told as it is told record by record.

use pgcensus_core::change::{Change, What};
use pgcensus_core::hold::Hold;
use pgcensus_core::names::Names;
use pgcensus_core::session::ServerId;
use pgcensus_core::texts::{KnownTexts, Texts};
use pgcensus_core::tracker::Tracker;
use pgcensus_core::zone::LogClock;
use pgcensus_log::batch::{Batch, Item};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;
use proptest::prelude::*;

/// What servers write, most of it of sessions that come and go.
const MESSAGES: [&str; 16] = [
    "LOG:  connection received: host=10.0.0.7 port=51842",
    "LOG:  connection received: host=10.0.0.8 port=51843",
    "LOG:  connection authenticated: identity=\"app\" method=md5 (/data/pg_hba.conf:11)",
    "LOG:  connection authorized: user=app database=shop application_name=web",
    "LOG:  connection authorized: user=batch database=shop",
    "LOG:  replication connection authorized: user=replicator",
    "LOG:  connection ready: setup total=12.345 ms, fork=1.000 ms, authentication=5.000 ms",
    "LOG:  disconnection: session time: 0:00:00.010 user=app database=shop host=10.0.0.7 port=51842",
    "LOG:  disconnection: session time: 0:00:01.000 user=batch database=shop host=10.0.0.8 port=51843",
    "LOG:  disconnection: session time: 1:00:00.000 user=app database=shop host=10.0.0.7 port=51842",
    "FATAL:  password authentication failed for user \"app\"",
    "FATAL:  sorry, too many clients already",
    "FATAL:  terminating connection due to administrator command",
    "LOG:  incomplete startup packet",
    "LOG:  received fast shutdown request",
    "LOG:  starting PostgreSQL 18.1 on x86_64-pc-linux-gnu",
];

/// How often each occurs.
const WEIGHTS: [u32; 16] = [20, 20, 20, 20, 20, 5, 20, 20, 20, 3, 2, 2, 2, 2, 1, 1];

fn log() -> impl Strategy<Value = Vec<String>> {
    let message = prop::sample::select(
        MESSAGES
            .iter()
            .zip(WEIGHTS)
            .flat_map(|(message, weight)| vec![*message; weight as usize])
            .collect::<Vec<_>>(),
    );
    let line = (
        1..4u32,
        message,
        prop_oneof![8 => 0..20i64, 1 => Just(-15), 1 => Just(130_000)],
    );
    prop::collection::vec(line, 1..60).prop_map(|lines| {
        let mut ms = 0;
        let line = |(pid, message, later): (u32, &str, i64)| {
            ms += later;
            let (minute, second) = (30 + ms.div_euclid(60_000), ms.rem_euclid(60_000) / 1000);
            let (hour, minute, ms) = (5 + minute / 60, minute % 60, ms.rem_euclid(1000));
            format!("2026-11-23 {hour:02}:{minute:02}:{second:02}.{ms:03} UTC [{pid}] {message}\n")
        };
        lines.into_iter().map(line).collect()
    })
}

/// What is told of the log in these pieces, and who is open in the end.
fn told<'t>(pieces: impl Iterator<Item = &'t str>) -> (Vec<String>, usize) {
    let decoder = Decoder::new(Format::Stderr(
        LinePrefix::parse("%m [%p] ").expect("a prefix"),
    ));
    let (mut tracker, mut clock) = (Tracker::new(ServerId(0)), LogClock::new(None));
    let (mut names, mut known, mut hold) =
        (Names::default(), KnownTexts::default(), Hold::default());
    let (mut batch, mut changes, mut told, mut slots) =
        (Batch::default(), Vec::new(), Vec::new(), 0);
    let mut show = |change: Change| {
        let mut what = change.what;
        if let What::Opened(session) | What::TakenBack(session) | What::Closed(session) = &mut what
        {
            std::rc::Rc::make_mut(session).opening = 0;
        }
        told.push(format!("{:?} {what:?}", change.at));
    };
    let mut base = 0;
    for piece in pieces {
        batch.clear();
        decoder.decode(piece.as_bytes(), base, &mut batch);
        base += piece.len() as u64;
        known.begin(&batch);
        for item in &batch.items {
            let Item::Event(event, slot) = item else {
                continue;
            };
            slots += usize::from(slot.is_some());
            let at = event
                .log_time
                .map(|time| clock.instant(batch.log_time(time)));
            let mut texts = Texts::new(&batch, &mut names, &mut known);
            tracker.observe(event, *slot, at, &mut texts, &mut changes);
            for change in changes.drain(..) {
                hold.push(change, &mut show);
            }
        }
    }
    tracker.finish(&mut changes);
    for change in changes.drain(..) {
        hold.push(change, &mut show);
    }
    hold.finish(&mut show);
    let mut open: Vec<_> = tracker
        .open_sessions()
        .map(|session| format!("{:?}", (session.pid, session.authorized_at)))
        .collect();
    open.sort();
    told.extend(open);
    told.push(format!(
        "{:?} {:?} {}",
        tracker.saw(),
        tracker.lives(),
        tracker.pending().count()
    ));
    (told, slots)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whole_sessions_are_told_as_all_others(lines in log()) {
        let whole = lines.concat();
        let (at_once, _) = told([whole.as_str()].into_iter());
        let (one_by_one, slots) = told(lines.iter().map(String::as_str));
        prop_assert_eq!(slots, 0);
        prop_assert_eq!(at_once, one_by_one, "{}", whole);
    }
}

/// The logs above do have such sessions.
#[test]
fn a_session_of_one_batch_is_whole() {
    let lines: String = [0, 3, 6, 7]
        .map(|n| format!("2026-11-23 05:32:45.839 UTC [7] {}\n", MESSAGES[n]))
        .concat();
    let (_, slots) = told([lines.as_str()].into_iter());
    assert_eq!(slots, 4);
}

/// Where the clock was set back after a pause, a disconnection is no later behind its FATAL than elsewhere: else its session
/// would end twice.
#[test]
fn a_session_ends_once_where_the_clock_was_set_back() {
    let lines = [
        ("05:00:30.000", 9, MESSAGES[0]),
        ("05:00:30.002", 9, MESSAGES[10]),
        ("05:00:10.000", 7, MESSAGES[0]),
        ("05:00:10.001", 7, MESSAGES[3]),
        ("05:00:10.009", 7, MESSAGES[12]),
        ("05:00:10.010", 7, MESSAGES[7]),
    ];
    let lines = lines.map(|(at, pid, text)| format!("2026-11-23 {at} UTC [{pid}] {text}\n"));
    let (told, _) = told(lines.iter().map(String::as_str));
    let ends: Vec<_> = told
        .iter()
        .filter(|line| line.contains("Closed("))
        .collect();
    assert_eq!(ends.len(), 1, "{ends:#?}");
    assert!(ends[0].contains("Some(Terminated)"), "{}", ends[0]);
}
