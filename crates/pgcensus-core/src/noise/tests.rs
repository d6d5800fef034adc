//! Made-up clients with and without a rhythm. `testdata/noise` has real ones.

use std::rc::Rc;

use super::*;

/// Some point in time; in no rhythm with anything.
const START: i64 = 1_763_900_123_456;

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// When sessions begin and how long they last.
type Sessions = Vec<(i64, u64)>;

/// One after `gap` of the other, in milliseconds, each so long.
fn client(n: usize, ms: u64, mut gap: impl FnMut(&mut Dice) -> f64) -> Sessions {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut at = START as f64;
    (0..n)
        .map(|_| {
            at += gap(&mut dice);
            (at as i64, ms)
        })
        .collect()
}

/// Each so many milliseconds, the first so many later.
fn every(n: usize, period: i64, later: i64) -> Sessions {
    let starts = (0..n as i64).map(|i| START + later + i * period);
    starts.map(|start| (start, 3)).collect()
}

fn without(sessions: Sessions, share: f64) -> Sessions {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut kept = sessions;
    kept.retain(|_| dice.roll() >= share);
    kept
}

fn whole_seconds(sessions: Sessions) -> Sessions {
    let floor = |(start, ms)| (start - start % 1000, ms);
    sessions.into_iter().map(floor).collect()
}

/// A name in each dimension but that of the server.
fn session(names: &mut Names, application_name: &str, start: i64, ms: u64) -> Change {
    let end = Instant(
        start
            + ms as i64 / 1000 * 1000
            + if start % 1000 == 0 {
                0
            } else {
                ms as i64 % 1000
            },
    );
    let session = Session {
        user: Some(names.name(Dimension::User, b"monitor")),
        database: Some(names.name(Dimension::Database, b"postgres")),
        application_name: Some(names.name(Dimension::ApplicationName, application_name.as_bytes())),
        client_host: Some(names.name(Dimension::ClientHost, b"10.0.0.9")),
        session_start: Some(Instant(start)),
        session_end: Some(end),
        session_time_ms: Some(ms),
        ..Session::new(ServerId(0), Some(1), None)
    };
    change(end.0, What::Closed(Rc::new(session)))
}

fn change(at: i64, what: What) -> Change {
    Change {
        at: Some(Instant(at)),
        what,
        message: Box::default(),
    }
}

fn folded(names: &Names, changes: &[Change]) -> Folded {
    let mut noise = Noise::new(Window::default());
    for change in changes {
        noise.observe(change);
    }
    noise.folded(names)
}

/// What is said of sessions of one application, told in the order of their ends.
fn of_sessions(application_name: &str, sessions: &Sessions) -> Option<NoiseRow> {
    let mut names = Names::default();
    let mut changes: Vec<_> = sessions
        .iter()
        .map(|&(start, ms)| session(&mut names, application_name, start, ms))
        .collect();
    changes.sort_by_key(|change| change.at);
    let folded = folded(&names, &changes);
    assert!(folded.rows.len() <= 1);
    let row = folded.rows.into_iter().next();
    if let Some(row) = &row {
        assert!(folded.groups.contains(&row.group));
        assert_eq!(row.count, sessions.len() as u64, "nothing is dropped");
    }
    row
}

fn exponential(dice: &mut Dice, mean: f64) -> f64 {
    -mean * (1.0 - dice.roll()).ln()
}

/// A client of so many sessions.
type Clients = fn(usize) -> Sessions;

#[test]
fn checkers_are_told_by_their_rhythm() {
    let rows: &[(&str, Clients, u64, u64)] = &[
        ("exact", |n| every(n, 5_000, 0), 5_000, 1),
        ("once a second", |n| every(n.max(400), 1_000, 0), 1_000, 1),
        ("every five minutes", |n| every(n, 300_000, 0), 300_000, 1),
        (
            "jitter",
            |n| client(n, 3, |dice| 14_000.0 + 2_000.0 * dice.roll()),
            15_000,
            1,
        ),
        (
            "every tenth is missed",
            |n| without(every(n, 10_000, 0), 0.1),
            10_000,
            1,
        ),
        (
            "restarts and pauses",
            |n| {
                let mut beat = 0;
                client(n, 3, |dice| {
                    beat += 1;
                    match beat % 40 {
                        0 => 10_800_000.0,
                        20 => 5_000.0 * dice.roll(),
                        _ => 5_000.0,
                    }
                })
            },
            5_000,
            1,
        ),
        (
            "two in turn",
            |n| [every(n, 15_000, 0), every(n, 15_000, 4_000)].concat(),
            15_000,
            2,
        ),
        (
            "two in turn, some missed",
            |n| {
                let both = [every(n, 15_000, 0), every(n, 15_000, 4_000)];
                without(both.concat(), 0.08)
            },
            15_000,
            2,
        ),
        (
            "three in turn that drift",
            |n| {
                let (a, b) = (every(n, 10_000, 0), every(n, 10_003, 2_500));
                [a, b, every(n, 9_998, 6_000)].concat()
            },
            10_000,
            3,
        ),
        (
            "eight in turn",
            |n| {
                (0..8)
                    .flat_map(|i| every(n, 60_000, i * i * 1_000))
                    .collect()
            },
            60_000,
            8,
        ),
        (
            "every 10 s and every 15 s",
            |n| [every(n * 3, 10_000, 0), every(n * 2, 15_000, 3_000)].concat(),
            30_000,
            5,
        ),
        (
            "whole seconds",
            |n| whole_seconds(every(n * 4, 1_010, 0)),
            1_000,
            1,
        ),
        (
            "3.3 s in whole seconds",
            |n| whole_seconds(every(n * 2, 3_300, 0)),
            3_300,
            1,
        ),
        (
            "sleeps five seconds between rounds",
            |n| client(n, 30, |dice| 5_000.0 + 400.0 * dice.roll()),
            5_200,
            1,
        ),
    ];
    for &(what, sessions, period_ms, checkers) in rows {
        for n in [100, 1_000] {
            let Some(row) = of_sessions("agent", &sessions(n)) else {
                panic!("{what}, {n}: no noise");
            };
            let off = row.period_ms.abs_diff(period_ms) as f64 / period_ms as f64;
            assert!(off <= 0.02, "{what}, {n}: {row:?}");
            assert_eq!(row.checkers, checkers, "{what}, {n}: {row:?}");
            assert_eq!(row.known_as, None);
        }
    }
}

#[test]
fn who_works_is_no_noise() {
    let rows: &[(&str, Clients)] = &[
        ("users of a web application, 1/s", |n| {
            client(n * 4, 3, |dice| exponential(dice, 1_000.0))
        }),
        ("users, one in ten seconds", |n| {
            client(n, 3, |dice| exponential(dice, 10_000.0))
        }),
        ("busy users in whole seconds", |n| {
            whole_seconds(client(n * 4, 3, |dice| exponential(dice, 800.0)))
        }),
        ("takes one to three seconds to think", |n| {
            client(n * 2, 3, |dice| 1_000.0 + 2_000.0 * dice.roll())
        }),
        ("a session for each transaction", |n| {
            client(n * 60, 3, |_| 10.0)
        }),
        ("four a second, like clockwork", |n| {
            client(n * 20, 3, |_| 250.0)
        }),
        ("bursts each minute", |n| {
            let mut beat = 0;
            client(n, 3, |_| {
                beat += 1;
                if beat % 30 == 0 { 60_000.0 } else { 20.0 }
            })
        }),
        ("a job of a minute each minute", |n| {
            client(n, 58_000, |_| 60_000.0)
        }),
        ("a job of two seconds each minute", |n| {
            client(n, 2_000, |_| 60_000.0)
        }),
        ("a job each hour", |n| every(n, 3_600_000, 0)),
        ("starts that are all the same", |n| vec![(START, 3); n]),
    ];
    for &(what, sessions) in rows {
        for n in [100, 1_000] {
            let row = of_sessions("agent", &sessions(n));
            assert_eq!(row, None, "{what}, {n}");
        }
    }
}

#[test]
fn few_or_short_is_no_noise_yet() {
    assert_eq!(of_sessions("agent", &every(19, 60_000, 0)), None);
    assert!(of_sessions("agent", &every(20, 60_000, 0)).is_some());
    assert_eq!(of_sessions("agent", &every(299, 1_000, 0)), None);
    assert!(of_sessions("agent", &every(302, 1_000, 0)).is_some());
    assert_eq!(of_sessions("patroni", &every(9, 10_000, 0)), None);
    assert!(of_sessions("patroni", &every(10, 10_000, 0)).is_some());
}

#[test]
fn a_known_name_lowers_the_bar_and_never_decides_alone() {
    let holey = without(every(300, 10_000, 0), 0.4);
    assert_eq!(of_sessions("agent", &holey), None);
    let row = of_sessions("my Postgres_Exporter", &holey).unwrap();
    assert_eq!(row.known_as, Some("postgres_exporter"));

    let slow = client(300, 4_000, |_| 15_000.0);
    assert_eq!(of_sessions("agent", &slow), None);
    assert!(of_sessions("datadog-agent", &slow).is_some());

    for random in [1_000.0, 30_000.0] {
        let random = client(1_000, 3, |dice| exponential(dice, random));
        assert_eq!(of_sessions("pgbouncer", &random), None);
    }
    assert_eq!(of_sessions("pg_isready", &client(5_000, 1, |_| 20.0)), None);
}

#[test]
fn a_checker_that_is_set_anew_is_followed() {
    let mut beat = 0;
    let sessions = client(400, 3, |_| {
        beat += 1;
        if beat < 200 { 5_000.0 } else { 10_000.0 }
    });
    let row = of_sessions("agent", &sessions).unwrap();
    assert_eq!(row.period_ms, 10_000);
}

#[test]
fn a_row_says_what_it_stands_for() {
    let mut names = Names::default();
    let mut changes: Vec<_> = every(100, 5_000, 0)
        .iter()
        .map(|&(start, ms)| session(&mut names, "agent", start, ms))
        .collect();
    let other = client(300, 40, |dice| exponential(dice, 1_500.0));
    changes.extend(
        other
            .iter()
            .map(|&(start, ms)| session(&mut names, "web", start, ms)),
    );
    changes.sort_by_key(|change| change.at);
    let folded = folded(&names, &changes);
    let [row] = &folded.rows[..] else {
        panic!("{folded:?}");
    };
    assert_eq!((row.count, row.share), (100, 0.25));
    assert_eq!(row.session_time_ms, Some(3));
    assert_eq!(
        (row.first, row.last),
        (Instant(START), Instant(START + 99 * 5_000))
    );
    assert!(row.steady > 0.95, "{row:?}");
    let is_noise = |change: &Change| match &change.what {
        What::Closed(session) => folded.has(&Group::of_session(session)),
        _ => false,
    };
    assert_eq!(
        changes.iter().filter(|change| is_noise(change)).count(),
        100
    );
}

/// Refusals each five seconds.
fn refusals(names: &mut Names, reason: RefusalReason, sqlstate: &[u8]) -> Vec<Change> {
    let host = names.name(Dimension::ClientHost, b"10.0.0.9");
    let user = names.name(Dimension::User, b"pg_isready");
    let refusals = every(200, 5_000, 0).into_iter().map(|(start, _)| {
        let refusal = Refusal {
            user: Some(user.clone()),
            client_host: Some(host.clone()),
            received_at: Some(Instant(start)),
            sqlstate: Sqlstate::parse(sqlstate),
            ..Refusal::new(&Session::new(ServerId(0), Some(1), None), reason)
        };
        change(start + 2, What::Refused(Box::new(refusal)))
    });
    refusals.collect()
}

#[test]
fn who_may_not_come_in_is_never_folded() {
    let mut names = Names::default();
    for &reason in RefusalReason::ALL {
        for sqlstate in [&b"28P01"[..], b"28000"] {
            let changes = refusals(&mut names, reason, sqlstate);
            assert_eq!(folded(&names, &changes).rows, [], "{reason:?}");
        }
        if may_fold(reason, None) {
            let changes = refusals(&mut names, reason, b"57P03");
            assert_eq!(folded(&names, &changes).rows.len(), 1, "{reason:?}");
        }
    }
    for reason in [
        RefusalReason::PasswordFailed,
        RefusalReason::EmptyPassword,
        RefusalReason::HbaNoEntry,
        RefusalReason::RoleUnknown,
        RefusalReason::TooManyClients,
        RefusalReason::AuthenticationTimeout,
        RefusalReason::Other,
    ] {
        assert!(!may_fold(reason, None), "{reason:?}");
    }
}

#[test]
fn probes_are_put_in_order_of_their_beginning() {
    let mut names = Names::default();
    let host = names.name(Dimension::ClientHost, b"10.0.0.9");
    let mut dice = Dice(7);
    let mut changes: Vec<_> = every(600, 1_000, 0)
        .into_iter()
        .map(|(start, _)| {
            let probe = Probe {
                server: ServerId(0),
                pid: Some(1),
                session_id: None,
                client_host: Some(host.clone()),
                client_port: None,
                received_at: Some(Instant(start)),
                reason: ProbeReason::Silent,
            };
            // Its pid returns, or two minutes are over.
            let decided = 120_000.0 * (dice.roll() * 2.0).min(1.0);
            change(start + decided as i64, What::Probe(Box::new(probe)))
        })
        .collect();
    changes.sort_by_key(|change| change.at);
    let folded = folded(&names, &changes);
    let [row] = &folded.rows[..] else {
        panic!("{folded:?}");
    };
    assert_eq!((row.period_ms, row.count), (1_000, 600));
    assert_eq!(row.session_time_ms, None);
}

#[test]
fn invented_names_do_not_push_out_who_keeps_coming() {
    let mut names = Names::default();
    let mut noise = Noise::new(Window::default());
    let (mut seen, hours) = (0, 4);
    for second in 0..hours * 3_600 {
        let start = START + second * 1_000;
        for i in 0..5 {
            let name = format!("invented {second} {i}");
            noise.observe(&session(&mut names, &name, start + i * 90, 3));
            seen += 1;
        }
        if second % 5 == 0 && second > 3_600 {
            noise.observe(&session(&mut names, "agent", start + 500, 3));
            seen += 1;
        }
    }
    assert!(noise.followed.len() <= GROUPS_MAX);
    let folded = noise.folded(&names);
    assert!(folded.unfollowed > 0 && noise.total == seen);
    let [row] = &folded.rows[..] else {
        panic!("{folded:?}");
    };
    assert_eq!(row.period_ms, 5_000);
}

proptest::proptest! {
    /// Neither the zone in which times are told nor the moment when a log begins is part of a rhythm.
    #[test]
    fn no_verdict_depends_on_the_time_of_day(minutes in -50_000_000i64..50_000_000, period in 1_000i64..120_000) {
        let sessions = |later| {
            let jitter = client(400, 3, move |dice| period as f64 * (0.9 + 0.2 * dice.roll()));
            jitter.into_iter().map(|(start, ms)| (start + later, ms)).collect::<Sessions>()
        };
        let later = minutes * 60_000;
        let (here, there) = (of_sessions("agent", &sessions(0)), of_sessions("agent", &sessions(later)));
        let (here, there) = (here.unwrap(), there.unwrap());
        proptest::prop_assert_eq!(here.period_ms, there.period_ms);
        proptest::prop_assert!((here.steady - there.steady).abs() < 1e-9);
    }

    /// Steady or not, ten times as long says the same: what is no noise for chance is none for long.
    #[test]
    fn no_verdict_depends_on_the_duration(period in 700i64..100_000, jitter in 0u32..9, missed in 0u32..2, seed in 1u64..1_000) {
        let of = |n: usize| {
            let mut dice = Dice(seed);
            let spread = f64::from(jitter) * 0.25;
            let period = period as f64;
            let sessions = client(n, 3, |_| period * (1.0 + spread * (dice.roll() - 0.5)));
            of_sessions("agent", &without(sessions, f64::from(missed) * 0.1))
        };
        let short = of(600);
        // On the verge it is chance on which side a share of a few hundred falls.
        let on_the_verge = |row: &NoiseRow| (row.steady - UNNAMED.steady).abs() < 0.1;
        if let Some(row) = &short && !on_the_verge(row) {
            proptest::prop_assert!(of(6_000).is_some());
        }
        if let Some(row) = of(6_000) && !on_the_verge(&row) {
            proptest::prop_assert!(short.is_some());
        }
    }
}
