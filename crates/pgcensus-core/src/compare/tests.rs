use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::change::{Change as Happened, What};
use crate::names::NameId;
use crate::session::{End, ServerId, Session};
use crate::window::Window;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Numbers that look random, and are the same each time.
struct Random(u64);

impl Random {
    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed.
    fn wait_ms(&mut self, mean_ms: f64) -> i64 {
        (-(1.0 - self.share()).ln() * mean_ms) as i64
    }
}

/// Sessions of one application: so many an hour, that stay so long.
#[derive(Clone, Copy)]
struct Traffic {
    app: u32,
    an_hour: f64,
    stay_ms: f64,
}

impl Traffic {
    /// Its sessions that begin in these hours; each by its times.
    fn sessions(&self, hours: std::ops::Range<i64>, random: &mut Random) -> Vec<(i64, i64)> {
        let mut at = hours.start * HOUR_MS;
        let mut sessions = Vec::new();
        loop {
            at += random.wait_ms(HOUR_MS as f64 / self.an_hour);
            if at >= hours.end * HOUR_MS {
                return sessions;
            }
            sessions.push((at, at + 1 + random.wait_ms(self.stay_ms)));
        }
    }
}

fn session(app: u32, opened: i64) -> Session {
    Session {
        // See `names`.
        application_name: Some(NameId(app + 2).into()),
        authorized_at: Some(Instant(opened)),
        session_start: Some(Instant(opened)),
        ..Session::new(ServerId(0), Some(app), None)
    }
}

/// Those of applications 0 to 99.
fn names() -> Names {
    let mut names = Names::of_servers(["db1"]);
    for app in 0..100 {
        let name = names.name(Dimension::ApplicationName, app_name(app).as_bytes());
        assert_eq!(name.id, NameId(app + 2));
    }
    names
}

fn app_name(app: u32) -> String {
    format!("app {app}")
}

fn happened(at: i64, what: What) -> Happened {
    Happened {
        at: Some(Instant(at)),
        what,
        message: Box::default(),
    }
}

/// The changes of these sessions, in order; every `unseen`th is seen at its end alone.
fn changes(app: u32, sessions: &[(i64, i64)], unseen: usize) -> Vec<Happened> {
    let mut changes = Vec::new();
    for (i, &(opened, ended)) in sessions.iter().enumerate() {
        let is_seen = unseen == 0 || i % unseen > 0;
        let session = session(app, opened);
        if is_seen {
            changes.push(happened(opened, What::Opened(Rc::new(session.clone()))));
        }
        let closed = Session {
            authorized_at: session.authorized_at.filter(|_| is_seen),
            session_end: Some(Instant(ended)),
            session_time_ms: Some((ended - opened) as u64),
            end: Some(End::Client),
            ..session
        };
        changes.push(happened(ended, What::Closed(Rc::new(closed))));
    }
    changes
}

/// Compares `length` hours from `before` on with those from `after` on.
fn compared(mut all: Vec<Happened>, [before, after]: [i64; 2], length: i64) -> ComparisonSnapshot {
    all.sort_by_key(|change| change.at);
    let names = names();
    let input = Some((Instant(0), Instant(10_000 * HOUR_MS)));
    let side = |since: i64| {
        let mut side = Side::new(Window {
            since: Some(Instant(since * HOUR_MS)),
            until: Some(Instant((since + length) * HOUR_MS)),
            daily: None,
        });
        side.begins(Instant(0));
        for change in &all {
            side.observe(change);
        }
        Input {
            side,
            names: &names,
            input,
            certainty: Certainty::Exact,
        }
    };
    compare(side(before), side(after))
}

fn apps(traffic: &[Traffic], hours: std::ops::Range<i64>, random: &mut Random) -> Vec<Happened> {
    let all = traffic.iter().flat_map(|traffic| {
        let sessions = traffic.sessions(hours.clone(), random);
        changes(traffic.app, &sessions, 7)
    });
    all.collect()
}

/// Twelve applications, from some sessions an hour to a hundred, and from a second to an hour.
fn stationary() -> Vec<Traffic> {
    (0..12)
        .map(|n| Traffic {
            app: 10 + n,
            an_hour: [4.0, 25.0, 100.0][n as usize % 3],
            stay_ms: [1_000.0, 60_000.0, 600_000.0, 3_600_000.0][n as usize / 3],
        })
        .collect()
}

#[test]
fn of_what_did_not_change_little_is_told() {
    // Where nothing changed, all that is told is chance: in at most 5 % of runs anything may be.
    const RUNS: u64 = 100;
    for length in [2, 6] {
        let (mut told, mut small_p, mut tests) = (0, 0, 0);
        for run in 1..=RUNS {
            let mut random = Random(run * 7_919);
            let all = apps(&stationary(), 0..4 + 2 * length, &mut random);
            let comparison = compared(all, [4, 4 + length], length);
            assert!(comparison.tests >= 20, "{} tests", comparison.tests);
            told += u64::from(!comparison.changes.is_empty());
            let p = comparison.total.iter().filter_map(|row| row.p);
            small_p += p.clone().filter(|&p| p <= 0.05).count();
            tests += p.count();
        }
        assert!(told <= RUNS / 20, "{length} h: {told} of {RUNS} runs");
        // The tests themselves, without the least ratio and the correction.
        assert!(
            small_p as f64 <= 0.08 * tests as f64,
            "{length} h: {small_p} of {tests}"
        );
    }
}

#[test]
fn what_changed_is_told_and_nothing_else() {
    let (mut missed, mut by_chance, mut told_all) = (0, 0, 0);
    for run in 1..=10 {
        let mut random = Random(run * 104_729);
        let mut all = apps(&stationary(), 0..30, &mut random);
        // Of the application 12, 100 an hour: as many more from 15:00 on; 50 and 51 are new and gone; the sessions of 60
        // become longer.
        for (app, an_hour, stay_ms, hours) in [
            (12, 100.0, 1_000.0, 15..30),
            (50, 30.0, 5_000.0, 15..30),
            (51, 30.0, 5_000.0, 0..15),
            (60, 60.0, 2_000.0, 0..15),
            (60, 60.0, 20_000.0, 15..30),
        ] {
            let traffic = Traffic {
                app,
                an_hour,
                stay_ms,
            };
            all.extend(changes(app, &traffic.sessions(hours, &mut random), 0));
        }
        let comparison = compared(all, [9, 21], 6);
        let told = |app: u32, measure, kind| {
            let name = app_name(app);
            comparison.changes.iter().any(|change| {
                *change.name == *name.as_bytes()
                    && change.measure == measure
                    && change.kind() == kind
            })
        };
        missed += u32::from(!told(12, Measure::Connects, "more"));
        missed += u32::from(!told(50, Measure::Connects, "new"));
        missed += u32::from(!told(51, Measure::Connects, "gone"));
        missed += u32::from(!told(60, Measure::SessionTime, "more"));
        let changed = [12, 50, 51, 60].map(app_name);
        let others = comparison.changes.iter().filter(|change| {
            change.dimension == Some(Dimension::ApplicationName)
                && !changed.iter().any(|name| *name.as_bytes() == *change.name)
        });
        by_chance += others.count();
        told_all += comparison.changes.len();
    }
    assert_eq!(missed, 0);
    assert!(20 * by_chance <= told_all, "{by_chance} of {told_all}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn cells_are_what_a_recount_says(
        sessions in vec((0_i64..400, 0_i64..400, any::<bool>()), 1..60),
        since in 0_i64..10,
        widened in 0_usize..3,
    ) {
        let minutes: Vec<_> = sessions
            .iter()
            .map(|&(a, b, seen)| (a.min(b) * MINUTE_MS + 1, (a.max(b) + 1) * MINUTE_MS + 2, seen))
            .collect();
        let mut all: Vec<Happened> = minutes
            .iter()
            .flat_map(|&(opened, ended, seen)| changes(9, &[(opened, ended)], usize::from(!seen)))
            .collect();
        all.sort_by_key(|change| change.at);
        let since = Instant(since * 20 * MINUTE_MS);
        let mut side = Side::new(Window { since: Some(since), until: None, daily: None });
        side.begins(Instant(0));
        for change in &all {
            side.observe(change);
        }
        (0..widened).for_each(|_| side.widen());
        let bucket_ms = side::BUCKET_MS << widened;
        let end = Instant(500 * MINUTE_MS);
        let buckets = side.buckets(Some((Instant(0), end)));
        let points = side.all.points(&buckets, bucket_ms);
        for (&number, point) in buckets.iter().zip(&points) {
            let (begin, end) = (number * bucket_ms, (number + 1) * bucket_ms);
            let inside = |at: i64| (begin..end).contains(&at);
            let connects = minutes.iter().filter(|life| inside(life.0)).count();
            let ended = minutes.iter().filter(|life| inside(life.1)).count();
            let open_ms = minutes.iter().map(|life| (life.1.min(end) - life.0.max(begin)).max(0));
            prop_assert_eq!(point.connects as usize, connects);
            prop_assert_eq!(point.ended as usize, ended);
            let open = open_ms.sum::<i64>() as f64 / bucket_ms as f64;
            prop_assert!((point.open - open).abs() < 1e-6, "{} {}", point.open, open);
        }
    }
}

#[test]
fn too_little_is_not_told() {
    // Three buckets a side.
    let calm: Vec<_> = (0..45)
        .map(|n| (n * MINUTE_MS, n * MINUTE_MS + 5))
        .collect();
    let wild: Vec<_> = (0..4_500)
        .map(|n| (HOUR_MS + n * 600, HOUR_MS + n * 600 + 5))
        .collect();
    let mut all = changes(9, &calm, 0);
    all.extend(changes(9, &wild, 0));
    let names = Names::default();
    let side = |from: i64| {
        let window = Window {
            since: Some(Instant(from)),
            until: Some(Instant(from + 45 * MINUTE_MS)),
            daily: None,
        };
        let mut side = Side::new(window);
        for change in &all {
            side.observe(change);
        }
        Input {
            side,
            names: &names,
            input: Some((Instant(0), Instant(2 * HOUR_MS))),
            certainty: Certainty::Exact,
        }
    };
    let comparison = compare(side(0), side(HOUR_MS));
    assert_eq!(comparison.sides.map(|side| side.buckets), [3, 3]);
    assert_eq!((comparison.tests, comparison.changes.len()), (0, 0));
    assert_eq!(comparison.total.len(), 4);
    // Nineteen sessions, of which none was there before.
    let few: Vec<_> = (0..19)
        .map(|n| {
            (
                20 * HOUR_MS + n * MINUTE_MS * 7,
                20 * HOUR_MS + n * MINUTE_MS * 7 + 9,
            )
        })
        .collect();
    let comparison = compared(changes(9, &few, 0), [10, 20], 4);
    assert_eq!(comparison.changes, []);
    assert_eq!(comparison.tests, 0);
}

#[test]
fn many_names_and_long_windows_are_bounded() {
    let names = Names::default();
    let mut side = Side::new(Window::default());
    side.begins(Instant(0));
    let mut random = Random(5);
    for n in 0..300_000_i64 {
        let app = if n % 3 == 0 { n as u32 } else { n as u32 % 500 };
        let at = n * MINUTE_MS;
        side.observe(&happened(at, What::Opened(Rc::new(session(app, at)))));
        if random.share() < 0.5 {
            let closed = changes(app, &[(at, at + 1_000)], 0).pop().expect("two");
            side.observe(&closed);
        }
    }
    assert!(side.overflowed());
    let input = Input {
        side,
        names: &names,
        input: Some((Instant(0), Instant(300_000 * MINUTE_MS))),
        certainty: Certainty::Exact,
    };
    let other = Input {
        side: Side::new(Window::default()),
        names: &names,
        input: Some((Instant(0), Instant(300_000 * MINUTE_MS))),
        certainty: Certainty::Exact,
    };
    let comparison = compare(input, other);
    assert!(
        comparison
            .sides
            .iter()
            .all(|side| side.buckets <= BUCKETS_MAX)
    );
    assert!(
        comparison.notes.iter().any(|note| note.contains("(other)")),
        "{:?}",
        comparison.notes
    );
}
