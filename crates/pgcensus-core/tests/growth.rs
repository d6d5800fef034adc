//! Who was at the peak and how they had grown, against a recount of the sessions themselves.

use std::collections::BTreeMap;
use std::rc::Rc;

use pgcensus_core::census::Census;
use pgcensus_core::change::{Change, What};
use pgcensus_core::instant::Instant;
use pgcensus_core::lives::Lives;
use pgcensus_core::names::{Dimension, Names};
use pgcensus_core::session::{End, ServerId, Session};
use pgcensus_core::snapshot::PeakSnapshot;
use pgcensus_core::standing::GREW_MS;
use pgcensus_core::window::Window;
use proptest::collection::vec;
use proptest::prelude::*;

/// How a session shows itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// By its beginning and its end.
    Seen,
    /// By its end alone.
    Unseen,
    /// It is refused after all.
    TakenBack,
    /// By its beginning alone.
    Stays,
}

/// A session; its times are multiples of 2 ms, and no two of a run are the same.
#[derive(Clone, Debug)]
struct Life {
    kind: Kind,
    opened: i64,
    ended: i64,
    names: [u8; 4],
    server: u16,
}

impl Life {
    fn session(&self, pid: u32, names: &mut Names) -> Session {
        let mut name = |dimension: Dimension| {
            let n = self.names[dimension as usize];
            (n > 0).then(|| names.name(dimension, &[b'a' + n]))
        };
        let session = Session {
            database: name(Dimension::Database),
            user: name(Dimension::User),
            application_name: name(Dimension::ApplicationName),
            client_host: name(Dimension::ClientHost),
            session_start: Some(Instant(self.opened)),
            authorized_at: (self.kind != Kind::Unseen).then_some(Instant(self.opened)),
            ..Session::new(ServerId(self.server), Some(pid), None)
        };
        // Those that are in no group count as all others do.
        if pid.is_multiple_of(3) {
            session
        } else {
            session.grouped(names)
        }
    }

    fn is_there_after(&self, at: i64) -> bool {
        self.kind != Kind::TakenBack
            && self.opened <= at
            && (self.kind == Kind::Stays || self.ended > at)
    }

    fn is_there_before(&self, at: i64) -> bool {
        self.is_there_after(at - 1)
    }

    fn name(&self, dimension: Dimension) -> String {
        match dimension {
            Dimension::Server => format!("s{}", self.server),
            _ => match self.names[dimension as usize] {
                0 => "unknown".to_owned(),
                n => char::from(b'a' + n).to_string(),
            },
        }
    }
}

/// The peak that the census of these sessions has, and the first log time.
fn census(lives: &[Life], window: Window, servers: usize) -> (PeakSnapshot, i64) {
    let server_names: Vec<_> = (0..servers).map(|n| format!("s{n}")).collect();
    let mut names = Names::of_servers(server_names.iter().map(String::as_str));
    let mut changes = Vec::new();
    for (pid, life) in (1..).zip(lives) {
        let session = life.session(pid, &mut names);
        let closed = Rc::new(Session {
            session_end: Some(Instant(life.ended)),
            end: Some(End::Client),
            ..session.clone()
        });
        if life.kind != Kind::Unseen {
            changes.push((life.opened, What::Opened(Rc::new(session))));
        }
        match life.kind {
            Kind::Seen | Kind::Unseen => changes.push((life.ended, What::Closed(closed))),
            Kind::TakenBack => changes.push((life.ended, What::TakenBack(closed))),
            Kind::Stays => {}
        }
    }
    changes.sort_by_key(|&(at, _)| at);
    let mut census = Census::new(window, None, servers);
    let (first, last) = (changes[0].0, changes[changes.len() - 1].0);
    census.begins(Instant(first));
    for (at, what) in changes {
        census.observe(&Change {
            at: Some(Instant(at)),
            what,
            message: Box::default(),
        });
    }
    let known = vec![Lives::default(); servers];
    let known: Vec<_> = (0..).map(ServerId).zip(&known).collect();
    let snapshot = census.snapshot(&names, &known, Some((Instant(first), Instant(last))));
    (snapshot.peak, first)
}

/// What the sessions themselves say of the same instants.
fn assert_recounted(lives: &[Life], peak: &PeakSnapshot, first: i64, exactly: bool) {
    let Some(Instant(at)) = peak.at else {
        assert_eq!(peak.count, Some(0));
        assert_eq!(peak.grew, None);
        return;
    };
    // Whoever proves by its end to have been there may make the peak there, as long as it is still there.
    let is_end = lives
        .iter()
        .any(|life| life.kind == Kind::Unseen && life.ended == at);
    let instant = if is_end { at - 1 } else { at };
    let then = |life: &Life| i64::from(life.is_there_after(instant));
    assert_eq!(
        peak.count,
        Some(lives.iter().map(then).sum::<i64>() as u64),
        "at {at}"
    );
    let Some(growth) = &peak.grew else {
        assert!(!exactly || at == first, "growth is known");
        return;
    };
    let since = growth.since.0;
    if exactly {
        assert_eq!(since, first.max(at - GREW_MS));
    }
    let grew = |life: &Life| then(life) - i64::from(life.is_there_before(since));
    assert_eq!(growth.count, lives.iter().map(grew).sum::<i64>());
    for dimension in Dimension::ALL {
        let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for life in lives {
            let (n, by) = counts.entry(life.name(dimension)).or_default();
            *n += then(life);
            *by += grew(life);
        }
        counts.retain(|_, (n, _)| *n > 0);
        let of = dimension as usize;
        let told = peak.by[of].iter().zip(&growth.by[of]);
        let told: BTreeMap<_, _> = told
            .map(|((name, n), (same, by))| {
                assert_eq!(name, same);
                (String::from_utf8_lossy(name).into_owned(), (*n as i64, *by))
            })
            .collect();
        assert_eq!(told, counts, "{dimension:?} at {at} since {since}");
    }
}

/// Sessions of some ten minutes: `span` says how many milliseconds lie between two times.
fn lives(servers: u16) -> impl Strategy<Value = (Vec<Life>, i64)> {
    let kind = prop_oneof![
        6 => Just(Kind::Seen),
        2 => Just(Kind::Unseen),
        1 => Just(Kind::TakenBack),
        1 => Just(Kind::Stays),
    ];
    let life = (
        kind,
        any::<[prop::sample::Index; 2]>(),
        any::<[u8; 4]>(),
        0..servers,
    );
    (
        vec(life, 1..60),
        prop_oneof![Just(1_000), Just(10_000), Just(40_000)],
    )
        .prop_map(|(parts, step)| {
            let mut free: Vec<i64> = (0..2 * parts.len() as i64).map(|n| n * step).collect();
            let lives = parts.into_iter().map(|(kind, [a, b], names, server)| {
                let a = free.remove(a.index(free.len()));
                let b = free.remove(b.index(free.len()));
                Life {
                    kind,
                    opened: a.min(b),
                    ended: a.max(b),
                    names: names.map(|n| n % 3),
                    server,
                }
            });
            let lives: Vec<Life> = lives.collect();
            (lives, step)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn growth_is_the_difference_of_two_recounts(
        (lives, step) in lives(3),
        servers in prop_oneof![Just(1_usize), Just(3)],
        since in prop::option::of(0_i64..60),
        length in prop::option::of(1_i64..60),
    ) {
        let lives: Vec<Life> = lives
            .into_iter()
            .map(|life| Life { server: life.server % servers as u16, ..life })
            .collect();
        // Between two times, so that nothing happens at an edge.
        let edge = |n: i64| Instant(n * step - 1);
        let window = Window {
            since: since.map(edge),
            until: length.map(|length| edge(since.unwrap_or(0) + length)),
            daily: None,
        };
        prop_assume!(lives.iter().any(|life| life.kind != Kind::Stays || life.opened >= 0));
        let (peak, first) = census(&lives, window, servers);
        // Before the first record nothing is known; the window may lie there.
        prop_assume!(peak.at.is_none_or(|at| at.0 >= first));
        assert_recounted(&lives, &peak, first, true);
    }
}

/// So many sessions a second for ten minutes, that stay for some seconds and become more, of so many names.
fn rush(a_second: i64, names: i64) -> Vec<Life> {
    let count = 600 * a_second;
    let every = 1_000 / a_second;
    (0..count)
        .map(|n| Life {
            kind: if n % 50 == 7 {
                Kind::Unseen
            } else {
                Kind::Seen
            },
            opened: n * every,
            ended: n * every + 301 + (n * 7_919) % (2_000 + n / 2),
            names: [1, 1, (n * 31 % names) as u8, (n * 31 % names / 16) as u8],
            server: 0,
        })
        .collect()
}

#[test]
fn of_very_many_sessions_growth_begins_at_a_whole_second() {
    for (a_second, names) in [(40, 16), (200, 16), (500, 3)] {
        let mut lives = rush(a_second, names);
        let mut times = std::collections::HashSet::new();
        times.extend(lives.iter().map(|life| life.opened));
        for life in &mut lives {
            while !times.insert(life.ended) {
                life.ended += 1;
            }
        }
        let (peak, first) = census(&lives, Window::default(), 1);
        let growth = peak.grew.as_ref().expect("known");
        let before = peak.at.expect("a peak").0 - growth.since.0;
        assert!((GREW_MS..GREW_MS + 4_000).contains(&before), "{before} ms");
        assert_recounted(&lives, &peak, first, a_second == 40);
    }
}

#[test]
fn more_than_can_be_kept_is_not_known() {
    let mut names = Names::default();
    let mut census = Census::new(Window::default(), None, 1);
    census.begins(Instant(0));
    for n in 0..100_000_i64 {
        let host = names.name(Dimension::ClientHost, format!("{n}").as_bytes());
        let session = Session {
            client_host: Some(host),
            authorized_at: Some(Instant(n)),
            ..Session::new(ServerId(0), Some(n as u32), None)
        };
        census.observe(&Change {
            at: Some(Instant(n)),
            what: What::Opened(Rc::new(session)),
            message: Box::default(),
        });
    }
    let lives = Lives::default();
    let input = Some((Instant(0), Instant(100_000)));
    let peak = census
        .snapshot(&names, &[(ServerId(0), &lives)], input)
        .peak;
    assert_eq!(peak.count, Some(100_000));
    assert_eq!(peak.grew, None);
}
