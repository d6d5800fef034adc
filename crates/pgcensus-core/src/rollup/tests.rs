//! What is told once more is counted like the changes themselves, for any history.

use pgcensus_log::event::RefusalReason;
use proptest::prelude::*;

use super::*;
use crate::census::Census;
use crate::history::History;
use crate::snapshot::PeakSnapshot;
use crate::window::Window;
use crate::zone::DisplayZone;

/// One session or refusal of a history.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// From which the last one began, how long it was.
    after_ms: i64,
    length_ms: i64,
    user: u8,
    fate: u8,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let life = (0..700_i64, 0..9_000_i64, 0..3_u8, 0..12_u8);
    let life = life.prop_map(|(after_ms, length_ms, user, fate)| Life {
        after_ms,
        length_ms,
        user,
        fate,
    });
    proptest::collection::vec(life, 1..80)
}

/// Its changes, in order of time.
fn changes(names: &mut Names, lives: &[Life]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut now = 10_000;
    for life in lives {
        now += life.after_ms;
        let (begin, end) = (Instant(now), Instant(now + life.length_ms));
        let user = names.name(Dimension::User, format!("user{}", life.user).as_bytes());
        let session = Session {
            user: Some(user.clone()),
            walsender: life.fate == 11,
            authorized_at: Some(begin),
            ..Session::new(ServerId(0), Some(1), None)
        };
        let closed = Session {
            session_time_ms: Some(life.length_ms as u64),
            end: Some(End::ALL[usize::from(life.user)]),
            ..session.clone()
        };
        let mut tell = |at, what| {
            changes.push(Change {
                at: Some(at),
                what,
                message: Box::default(),
            });
        };
        match life.fate {
            // Nobody saw it begin; perhaps before the log.
            0 | 1 => {
                let back_ms = 4_000 * i64::from(life.fate);
                let unseen = Session {
                    authorized_at: None,
                    session_start: Some(begin.plus_ms(-back_ms)),
                    ..closed
                };
                tell(end, What::Closed(Rc::new(unseen)));
            }
            2 => {
                tell(begin, What::Opened(Rc::new(session.clone())));
                tell(end, What::TakenBack(Rc::new(session)));
            }
            3 => tell(
                begin,
                refused(
                    &Key::of(&What::Opened(Rc::new(session))).expect("a session"),
                    RefusalReason::RoleUnknown,
                    life.user == 0,
                ),
            ),
            4 => tell(begin, What::Opened(Rc::new(session))),
            _ => {
                tell(begin, What::Opened(Rc::new(session)));
                tell(end, What::Closed(Rc::new(closed)));
            }
        }
    }
    changes.sort_by_key(|change| change.at);
    changes
}

/// What is counted of them from `since` up to `until`.
struct Counted {
    census: Census,
    history: History,
}

impl Counted {
    fn new(since: Option<Instant>, until: Instant) -> Counted {
        let window = Window {
            since,
            until: Some(until),
            daily: None,
        };
        let mut counted = Counted {
            census: Census::new(window.clone(), None, 1),
            history: History::new(window, Some(1), DisplayZone::default()),
        };
        counted.census.begins(Instant(10_000));
        counted.history.begins(Instant(10_000));
        counted
    }

    fn observe(&mut self, change: &Change) {
        self.census.observe(change);
        self.history.observe(change);
    }

    fn seen(mut self, names: &Names, input: (Instant, Instant)) -> String {
        let mut census = self.census.snapshot(names, &[], Some(input));
        census.session_time.p50 = None;
        census.session_time.p95 = None;
        census.session_time.p99 = None;
        census.session_time.max = None;
        census.oldest.clear();
        census.open_by_age = [0; 4];
        // What happened before the stretch is told as the sessions that it left open: when they came is not.
        census.peak.grew = None;
        let history = self
            .history
            .snapshot(&[], Some(input), PeakSnapshot::default());
        let buckets = history.buckets.iter();
        // The least within a second is not kept.
        let buckets: Vec<_> = buckets
            .map(|b| {
                (
                    b.start,
                    b.connects,
                    b.disconnects,
                    b.open_start,
                    b.open_max,
                    b.open_end,
                    b.refused,
                )
            })
            .collect();
        format!("{census:#?}\n{buckets:?}")
    }
}

fn told(rollup: &Rollup, names: &Names, since: Option<Instant>, until: Instant) -> Counted {
    let stretch = Stretch {
        since,
        until: Some(until),
    };
    let mut counted = Counted::new(since, until);
    rollup.tell(names, &mut Filter::default(), stretch, |change| {
        counted.observe(change);
    });
    counted
}

proptest! {
    #[test]
    fn counts_of_any_stretch_are_those_of_the_changes(
        lives in lives(), since in proptest::option::of(9_000..50_000_i64), length in 0..40_000_i64,
    ) {
        let mut names = Names::of_servers(["main"]);
        let changes = changes(&mut names, &lives);
        let mut rollup = Rollup::default();
        rollup.begins(Instant(10_000));
        for change in &changes {
    rollup.observe(change);
}
        let last = changes.last().and_then(|change| change.at).expect("there is one");
        let until = Instant(since.unwrap_or(10_000) + length);
        let since = since.map(Instant);
        let mut counted = Counted::new(since, until);
        for change in &changes {
    counted.observe(change);
}
        let input = (Instant(10_000), last);
        prop_assert_eq!(
            told(&rollup, &names, since, until).seen(&names, input),
            counted.seen(&names, input)
        );
    }

    /// Sessions that are seen at their end only, or are taken back, change what was counted before; within a second nobody
    /// knows any more where.
    #[test]
    fn whole_seconds_stay_exact_when_rows_are_rolled_up(
        lives in lives(), since in 9..30_i64, length in 1..30_i64,
    ) {
        let mut names = Names::of_servers(["main"]);
        let lives: Vec<_> = lives.into_iter().filter(|life| life.fate > 2).collect();
        prop_assume!(!lives.is_empty());
        let changes = changes(&mut names, &lives);
        let mut rollup = Rollup::new(40);
        rollup.begins(Instant(10_000));
        for change in &changes {
    rollup.observe(change);
}
        let last = changes.last().and_then(|change| change.at).expect("there is one");
        let since = Instant(since * 1_000);
        let until = since.plus_ms(length * 1_000);
        let stretch = Stretch { since: Some(since), until: Some(until) };
        prop_assert!(rollup.rows.len() < 40);
        if !rollup.tells(stretch, &[since, until], false) {
            return Ok(());
        }
        let mut counted = Counted::new(Some(since), until);
        for change in &changes {
    counted.observe(change);
}
        let input = (Instant(10_000), last);
        prop_assert_eq!(
            told(&rollup, &names, Some(since), until).seen(&names, input),
            counted.seen(&names, input)
        );
    }
}

#[test]
fn rows_of_a_second_become_few_and_then_the_oldest_are_dropped() {
    let mut names = Names::of_servers(["main"]);
    let life = |n: i64| Life {
        after_ms: n % 2,
        length_ms: 3,
        user: (n % 3) as u8,
        fate: 5,
    };
    let lives: Vec<_> = (0..8_000).map(life).collect();
    let changes = changes(&mut names, &lives);
    let mut rollup = Rollup::new(1_000);
    rollup.begins(Instant(10_000));
    for change in &changes {
        rollup.observe(change);
    }
    assert!(rollup.rows.len() < 1_000);
    let whole = Stretch::default();
    assert!(rollup.tells(whole, &[Instant(12_000)], false));
    assert!(
        !rollup.tells(whole, &[Instant(12_001)], false),
        "within a second"
    );
    assert!(
        !rollup.tells(whole, &[Instant(12_000)], true),
        "of some of them"
    );
    let mut rollup = Rollup::new(8);
    for change in &changes {
        rollup.observe(change);
    }
    assert!(!rollup.tells(whole, &[], false), "from the begin on");
    let late = Stretch {
        since: Some(Instant(15_000)),
        until: None,
    };
    assert!(rollup.tells(late, &[Instant(15_000)], false));
}

#[test]
fn what_has_no_time_is_not_rolled_up() {
    let session = Session::new(ServerId(0), Some(1), None);
    let mut rollup = Rollup::default();
    rollup.observe(&Change {
        at: None,
        what: What::Opened(Rc::new(session)),
        message: Box::default(),
    });
    assert!(!rollup.tells(Stretch::default(), &[], false));
}
