use pgcensus_core::names::Dimension;
use pgcensus_core::session::{RefusalReason, ServerId, Sqlstate};
use pgcensus_core::snapshot::refused::{GroupSnapshot, HbaSnapshot};
use serde_json::Value;

use super::*;
use crate::view::example::{self, at};

fn tally(connections: u64, attempts: u64) -> Tally {
    Tally {
        attempts,
        connections,
        first: Some(at(2, 12, 1)),
        last: Some(at(2, 40, 58)),
    }
}

fn group(user: &[u8], host: Option<&[u8]>, connections: u64) -> GroupSnapshot {
    GroupSnapshot {
        names: [
            Some(b"shop"[..].into()),
            Some(user.into()),
            None,
            host.map(Into::into),
            None,
        ],
        sqlstate: Sqlstate::parse(b"28P01"),
        hba: Some(HbaSnapshot {
            file: b"/data/pg_hba.conf"[..].into(),
            line: 4,
            text: Some(b"host all all 10.0.0.0/8 scram-sha-256"[..].into()),
        }),
        detail: None,
        tally: tally(connections, connections),
        is_other: false,
    }
}

fn refused() -> (RefusedSnapshot, Vec<Place>) {
    let record = |text: &[u8]| RecordSnapshot {
        at: Some(at(2, 40, 58)),
        server: ServerId(0),
        file: 0,
        offset: 4711,
        text: text.into(),
    };
    let mut guessed = group(b"a\x1b[31m\nb", None, 3);
    guessed.detail = Some(b"Role \"a\x1b[31m\nb\" does not exist."[..].into());
    let mut full = group(b"app", Some(b"10.0.0.7"), 1);
    (full.hba, full.sqlstate) = (None, Sqlstate::parse(b"53300"));
    let reason = |reason, tally, groups, text: &[u8]| ReasonSnapshot {
        reason,
        tally,
        burst: Some(Burst {
            connections: 12,
            start: at(2, 40, 50),
        }),
        groups,
        records: vec![record(text)],
    };
    let failed = b"2025-11-23 02:40:58.120 UTC [4242] FATAL:  password authentication failed for user \"a\x1b[31m\n\tb\"\n2025-11-23 02:40:58.120 UTC [4242] DETAIL:  Role \"a\x1b[31m\n\tb\" does not exist.";
    let snapshot = RefusedSnapshot {
        input: Some((example::first(), at(3, 3, 11))),
        window: Some((example::first(), at(3, 3, 11))),
        dimensions: Dimension::NAMED.to_vec(),
        is_detailed: true,
        all: tally(1_205, 1_204),
        burst: Some(Burst {
            connections: 12,
            start: at(2, 40, 50),
        }),
        reasons: vec![
            reason(
                RefusalReason::PasswordFailed,
                tally(1_204, 1_203),
                vec![group(b"app", Some(b"10.0.0.7"), 1_201), guessed],
                failed,
            ),
            reason(
                RefusalReason::TooManyClients,
                Tally {
                    first: Some(at(2, 40, 58)),
                    ..tally(1, 1)
                },
                vec![full],
                b"2025-11-23 02:40:58.120 UTC [4243] FATAL:  sorry, too many clients already",
            ),
        ],
        by: vec![(
            Dimension::User,
            vec![(b"app"[..].into(), 1_202), (b"a\x1b[31m\nb"[..].into(), 3)],
        )],
        probes: vec![ProbeSnapshot {
            server: None,
            client_host: Some(b"10.0.0.9"[..].into()),
            count: 17_280,
            first: Some(at(-24, 0, 0)),
            last: Some(at(3, 0, 0)),
            by_reason: [17_270, 10, 0, 0, 0],
        }],
        pending: 2,
        timeline: vec![0, 3, 900, 302],
        bounds: Vec::new(),
    };
    let place = |line, is_unwrapped| Place {
        path: "log/pg.log".to_owned(),
        line,
        byte: 4711,
        is_unwrapped,
    };
    (snapshot, vec![place(Some(1042), false), place(None, false)])
}

fn told(
    width: usize,
    write: impl Fn(Told<'_>, &Show<'_>, &mut Vec<u8>) -> io::Result<()>,
) -> String {
    let (zone, (refused, places)) = (example::zone(), refused());
    let told = Told {
        refused: &refused,
        places: &places,
        report: &example::report(),
        given: &Given {
            input: vec!["pg.log".to_owned()],
            ..Given::default()
        },
    };
    let mut out = Vec::new();
    write(told, &example::show(&zone, width), &mut out).expect("it is written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn reasons_have_who_where_and_the_last_records() {
    insta::assert_snapshot!(told(80, text));
}

#[test]
fn wide_lines_have_details_beside() {
    insta::assert_snapshot!(told(140, text));
}

#[test]
fn rows_are_groups() {
    insta::assert_snapshot!(told(80, |told, show, out| {
        let piped = Show {
            terminal: false,
            ..*show
        };
        data::csv(told, &piped, out)
    }));
}

#[test]
fn no_width_breaks_it_and_nothing_hidden_is_shown() {
    for width in [1, 20, 39, 40, 79, 200] {
        let text = told(width, text);
        let hidden = |c: char| c != '\n' && crate::view::text::is_hidden(c);
        assert!(!text.contains(hidden), "{width}: {text}");
    }
}

#[test]
fn object_has_the_keys_of_the_contract_and_its_sums() {
    let object: Value = serde_json::from_str(&told(80, data::json)).expect("JSON");
    let has = |object: &Value, keys: &str| {
        for key in keys.split(' ') {
            assert!(object.get(key).is_some(), "{key} of {object}");
        }
    };
    let figures = "attempts connections first last per_minute burst";
    has(&object, figures);
    has(
        &object,
        "input since until by_reason by reasons probes pending bounds",
    );
    let by_reason = object["by_reason"].as_object().expect("an object");
    let sum: u64 = by_reason.values().filter_map(Value::as_u64).sum();
    assert_eq!(Some(sum), object["connections"].as_u64());
    for reason in object["reasons"].as_array().expect("a list") {
        has(reason, figures);
        has(reason, "reason groups records");
        has(
            &reason["groups"][0],
            "user database application_name client_host sqlstate hba detail attempts connections first last",
        );
        has(&reason["records"][0], "at server path line byte record");
    }
    has(&object["probes"], "total by_reason client_hosts");
    has(
        &object["probes"]["client_hosts"][0],
        "client_host count first last by_reason",
    );
}
