//! Sessions that are added up say the same as sessions that are looked at one by one.

use std::rc::Rc;
use std::sync::Arc;

use super::super::scene::refused;
use super::*;
use crate::names::Dimension;
use crate::session::{End, EndReason, SessionAuth, SessionTls};
use crate::snapshot::Marker;

/// Which of a few clients does what, so many milliseconds after the one before.
type Step = (i64, u8, u8, u32);

/// Stretches of a log, each at a pace of its own, in some of which sessions pile up.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pace = prop::sample::select(vec![
        (30_i64, 400),
        (300, 9_000),
        (2_000, 4_000),
        (40_000, 400),
    ]);
    let stretch = (pace, 1..=16u32).prop_flat_map(|((pace, steps), ends)| {
        // Mostly in order, sometimes late; what is ordinary comes most often, and of one client.
        let gap = prop_oneof![20 => 0..pace, 1 => -300..0i64];
        let client = prop_oneof![3 => Just(0u8), 2 => 1..12u8];
        let kind =
            prop_oneof![80 => Just(0u8), 10 * ends => Just(1u8), 4 => Just(2u8), 1 => 3..9u8];
        prop::collection::vec((gap, client, kind, any::<u32>()), steps / 2..steps)
    });
    prop::collection::vec(stretch, 1..4).prop_map(|stretches| stretches.concat())
}

/// The changes of such steps. Sessions open and end, are refused, taken back, lost, and servers restart.
fn changes(steps: &[Step], names: &mut Names) -> Vec<Change> {
    let mut at = Instant(HOUR);
    let mut open: Vec<Session> = Vec::new();
    let mut changes = Vec::new();
    for &(gap, client, kind, random) in steps {
        at = at.plus_ms(gap);
        let session = session(client, random, at, names);
        let some = (!open.is_empty()).then(|| random as usize % open.len().max(1));
        let what = match (kind, some) {
            (1..=3, Some(some)) => {
                // Most are short.
                let is_last = kind == 1 && !random.is_multiple_of(16);
                let some = if is_last { open.len() - 1 } else { some };
                What::Closed(Rc::new(ended(open.swap_remove(some), kind, at)))
            }
            (4, Some(some)) => What::TakenBack(Rc::new(open.swap_remove(some))),
            (5, _) => {
                let older = Session {
                    authorized_at: None,
                    session_start: Some(at.plus_ms(-i64::from(random % 100_000_000))),
                    ..session
                };
                What::Closed(Rc::new(ended(older, 1, at)))
            }
            (6, _) if random.is_multiple_of(8) => {
                What::Server(session.server, None, ServerEvent::Ready)
            }
            (7 | 8, _) => {
                let reasons = [
                    RefusalReason::TooManyClients,
                    RefusalReason::PasswordFailed,
                    RefusalReason::RoleLimit,
                ];
                let reason = reasons[random as usize % reasons.len()];
                let What::Refused(mut refusal) = refused(&api(), reason, false, names) else {
                    unreachable!("a refusal");
                };
                refusal.server = session.server;
                refusal.client_host.clone_from(&session.client_host);
                What::Refused(refusal)
            }
            _ => {
                open.push(session.clone());
                What::Opened(Rc::new(session))
            }
        };
        changes.push(Change {
            at: Some(at),
            what,
            message: Box::default(),
        });
    }
    changes
}

fn session(client: u8, random: u32, at: Instant, names: &mut Names) -> Session {
    let mut name = |dimension, text: String| Some(names.name(dimension, text.as_bytes()));
    let method: &[u8] = if random & 2 == 0 { b"md5" } else { b"trust" };
    let auth = SessionAuth {
        identity: None,
        method: method.into(),
        hba: Box::from(*b"pg_hba.conf:9"),
    };
    let tls = SessionTls {
        protocol: Box::default(),
        cipher: Box::default(),
        bits: None,
    };
    let session = Session {
        application_name: name(Dimension::ApplicationName, format!("app-{}", client % 3)),
        user: name(Dimension::User, format!("user-{}", client % 2)),
        database: name(Dimension::Database, "shop".to_owned()),
        client_host: name(Dimension::ClientHost, format!("203.0.113.{}", client / 4)),
        walsender: random % 50 == 7,
        session_start: Some(at.plus_ms(-5)),
        authorized_at: Some(at),
        setup_us: (!random.is_multiple_of(7)).then_some(5_000),
        tls: (!random.is_multiple_of(5)).then(|| (random.is_multiple_of(3)).then(|| Arc::new(tls))),
        auth: (!random.is_multiple_of(4)).then(|| Arc::new(auth)),
        ..Session::new(ServerId(u16::from(client == 11)), Some(1), None)
    };
    session.grouped(names)
}

fn ended(session: Session, kind: u8, at: Instant) -> Session {
    let (end, reason) = match kind {
        1 => (End::Client, EndReason::Closed),
        2 => (End::Client, EndReason::Reset),
        _ => (End::Server, EndReason::FastShutdown),
    };
    let began = session.session_start.unwrap_or(at);
    Session {
        session_end: Some(at),
        session_time_ms: Some(at.since(began).max(0) as u64),
        end: Some(end),
        end_reason: Some(reason),
        ..session
    }
}

/// What is found where tallies are handed over after so many changes.
fn found(mut findings: Findings, changes: &[Change], names: &Names, every: usize) -> Vec<Finding> {
    let times = || changes.iter().filter_map(|change| change.at);
    let span = (times().min(), times().max());
    let span = (span.0.unwrap_or_default(), span.1.unwrap_or_default());
    let mut lives = Lives::default();
    lives.begin(span.0, Marker::Start);
    lives.saw_authorized();
    lives.saw_disconnection();
    findings.personal_user("user-0").expect("a pattern");
    for (i, change) in changes.iter().enumerate() {
        findings.observe(change);
        if i % every == every - 1 {
            findings.flush();
        }
    }
    findings.verdicts(&Known {
        names,
        lives: &[(ServerId(0), &lives), (ServerId(1), &lives)],
        span,
        connections_max: Some(30),
        hba: None,
        noise: &noise::Folded::default(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lumps_say_what_changes_say(steps in steps()) {
        let mut names = Names::of_servers(["a", "b"]);
        let changes = changes(&steps, &mut names);
        let found = |findings, every| found(findings, &changes, &names, every);
        let lumps = found(Findings::new(Window::default()), usize::MAX);
        prop_assert_eq!(&lumps, &found(Findings::new(Window::default()), 1));
        prop_assert_eq!(&lumps, &found(Findings::new(Window::default()), 7));
        let severe = found(Findings::severe(Window::default()), usize::MAX);
        let is_severe = |finding: &&Finding| finding.severity > Severity::Info;
        let wanted: Vec<&Finding> = lumps.iter().filter(is_severe).collect();
        prop_assert_eq!(severe.iter().filter(is_severe).collect::<Vec<_>>(), wanted);
    }
}
