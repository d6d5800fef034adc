//! Handmade numbers for the tests of the views.

use std::sync::Arc;

use pgcensus_core::change::{Change, Probe, Refusal, What};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Names};
use pgcensus_core::session::{
    End, EndReason, ProbeReason, RefusalReason, ServerId, Session, SessionAuth, SessionId,
    SessionTls, Sqlstate,
};
use pgcensus_core::snapshot::{
    Bucket, By, CensusSnapshot, Certainty, Growth, HistorySnapshot, Marker, OpenSnapshot,
    PeakSnapshot, Ranking, ServerSnapshot, SessionTimeSnapshot,
};
use pgcensus_core::zone::DisplayZone;

use super::{InputReport, Show, SourceReport};

/// 23 Nov 2025 at this hour, minute and second, UTC.
pub(crate) fn at(hour: i64, minute: i64, second: i64) -> Instant {
    Instant(1_763_856_000_000 + ((hour * 60 + minute) * 60 + second) * 1_000)
}

/// 17 Nov 2025 00:00, where the input begins.
pub(crate) fn first() -> Instant {
    at(-6 * 24, 0, 0)
}

pub(crate) fn zone() -> DisplayZone {
    DisplayZone::default()
}

pub(crate) fn show(zone: &DisplayZone, width: usize) -> Show<'_> {
    Show {
        zone,
        servers: &[],
        color: false,
        width,
        limit: None,
        by: &[],
        terminal: true,
        window_is_default: true,
    }
}

pub(crate) fn piped(zone: &DisplayZone) -> Show<'_> {
    Show {
        terminal: false,
        ..show(zone, 80)
    }
}

pub(crate) fn report() -> InputReport {
    InputReport {
        files: 3,
        bytes: 1_234_567_890,
        events: 24_712,
        sources: vec![SourceReport {
            path: "log/postgresql-Sun.log".to_owned(),
            server: "main".to_owned(),
            format: "stderr",
            prefix: Some("%m [%p] %q%u@%d ".to_owned()),
            zone: Some("UTC".to_owned()),
            language: Some("en".to_owned()),
            first: Some(first()),
            last: Some(at(3, 3, 11)),
            bytes: 1_234_567_890,
            ..SourceReport::default()
        }],
        saw_authorized: true,
        saw_disconnection: true,
        saw_received: true,
        tells_open: true,
        server_major: Some(16),
        max_connections: Some(97),
        has_pid: true,
        has_time: true,
        ..InputReport::default()
    }
}

pub(crate) fn ranking(counts: &[(&str, u64)]) -> Ranking {
    counts
        .iter()
        .map(|&(name, count)| (name.as_bytes().into(), count))
        .collect()
}

fn by(names: [&[(&str, u64)]; 4]) -> By {
    let [database, user, application_name, client_host] = names.map(ranking);
    let all = database.iter().map(|(_, count)| count).sum();
    let server = ranking(&[("main", all)]);
    [database, user, application_name, client_host, server]
}

/// Names of [`fleet`], one of which came out of a hostile envelope.
pub(crate) fn fleet_names() -> Vec<String> {
    let names = [
        "db1",
        "db2-eu-central-1-reporting-replica",
        "db3\x1b[31m",
        "db4",
    ];
    names.map(str::to_owned).to_vec()
}

/// How the peak had grown.
fn growth() -> Growth {
    let names = |names: &[(&str, i64)]| {
        let names = names.iter();
        names
            .map(|&(name, grew)| (name.as_bytes().into(), grew))
            .collect()
    };
    Growth {
        since: at(2, 37, 58),
        count: 45,
        by: [
            names(&[("shop", 46), ("reporting", -1)]),
            names(&[("app", 46), ("bi", -1)]),
            names(&[("api", 46), ("worker", 0), ("unknown", -1)]),
            names(&[("10.0.0.7", 46), ("10.0.0.8", 0), ("[local]", -1)]),
            names(&[("db1", 45)]),
        ],
    }
}

/// The same night on four servers: one starts exact, of one the beginning is missing, one says no ends, one has no pids.
pub(crate) fn fleet(names: &mut Names) -> CensusSnapshot {
    let mut census = census(names);
    let own =
        |server, (open, peak): (Option<u64>, Option<u64>), certainty, connects| ServerSnapshot {
            server: ServerId(server),
            open: OpenSnapshot {
                count: open,
                certainty,
                exact_since: (certainty == Certainty::Exact)
                    .then_some((at(2, 41, 7), Marker::Crash)),
                by: By::default(),
            },
            peak: PeakSnapshot {
                count: peak,
                at: peak.map(|_| at(2, 40, i64::from(server))),
                certainty,
                ..PeakSnapshot::default()
            },
            connects,
            disconnects: connects,
            refused: u64::from(server == 0) * 219,
        };
    census.servers = vec![
        own(0, (Some(3), Some(93)), Certainty::Exact, 12_000),
        own(1, (Some(12), Some(1_031)), Certainty::AtLeast, 300),
        own(2, (Some(12), Some(31)), Certainty::AtMost, 45),
        own(3, (None, None), Certainty::Unknown, 0),
    ];
    census.open.count = Some(27);
    census.open.certainty = Certainty::Unknown;
    census.open.exact_since = None;
    census.peak.count = Some(1_140);
    census.peak.certainty = Certainty::Unknown;
    census
}

/// The night after a crash: nearly nobody is left, and it matters who was there.
pub(crate) fn census(names: &mut Names) -> CensusSnapshot {
    CensusSnapshot {
        input: Some((first(), at(3, 3, 11))),
        window: Some((first(), at(3, 3, 11))),
        open: OpenSnapshot {
            count: Some(3),
            certainty: Certainty::Exact,
            exact_since: Some((at(2, 41, 7), Marker::Crash)),
            by: by([
                &[("shop", 2), ("reporting", 1)],
                &[("app", 2), ("bi", 1)],
                &[("api", 2), ("unknown", 1)],
                &[("10.0.0.7", 2), ("[local]", 1)],
            ]),
        },
        walsenders: OpenSnapshot {
            count: Some(1),
            certainty: Certainty::Exact,
            exact_since: None,
            by: by([
                &[("unknown", 1)],
                &[("replicator", 1)],
                &[("standby1", 1)],
                &[("10.0.0.2", 1)],
            ]),
        },
        servers: vec![ServerSnapshot {
            server: ServerId(0),
            open: OpenSnapshot {
                count: Some(3),
                certainty: Certainty::Exact,
                exact_since: Some((at(2, 41, 7), Marker::Crash)),
                by: By::default(),
            },
            peak: PeakSnapshot {
                count: Some(93),
                at: Some(at(2, 40, 58)),
                certainty: Certainty::Exact,
                ..PeakSnapshot::default()
            },
            connects: 12_345,
            disconnects: 12_342,
            refused: 219,
        }],
        walsender_connects: 2,
        walsender_disconnects: 1,
        connects: 12_345,
        connects_by: by([
            &[("shop", 11_904), ("reporting", 440), ("postgres", 1)],
            &[("app", 11_904), ("bi", 440), ("postgres", 1)],
            &[
                ("api", 11_001),
                ("worker", 903),
                ("unknown", 440),
                ("psql", 1),
            ],
            &[("10.0.0.7", 7_001), ("10.0.0.8", 4_903), ("[local]", 441)],
        ]),
        disconnects: [12_201, 3, 12, 126, 0],
        refused_attempts: 214,
        refused_connections: 219,
        refused_by_reason: vec![
            (RefusalReason::TooManyClients, 180),
            (RefusalReason::PasswordFailed, 34),
            (RefusalReason::HbaNoEntry, 5),
        ],
        refused_by: by([
            &[("shop", 214), ("unknown", 5)],
            &[("app", 180), ("admin", 34), ("unknown", 5)],
            &[("unknown", 219)],
            &[("10.0.0.7", 180), ("203.0.113.66", 39)],
        ]),
        probes: 8_640,
        pending: 1,
        peak: PeakSnapshot {
            count: Some(93),
            at: Some(at(2, 40, 58)),
            certainty: Certainty::Exact,
            by: by([
                &[("shop", 88), ("reporting", 5)],
                &[("app", 88), ("bi", 5)],
                &[("api", 80), ("worker", 8), ("unknown", 5)],
                &[("10.0.0.7", 61), ("10.0.0.8", 27), ("[local]", 5)],
            ]),
            grew: Some(growth()),
        },
        session_time: SessionTimeSnapshot {
            p50: Some(412),
            p95: Some(31_200),
            p99: Some(1_204_000),
            max: Some(472_075_120),
            histogram: [7_012, 2_204, 2_311, 402, 220, 40, 11, 14, 2],
        },
        open_by_age: [1, 2, 0, 0],
        oldest: sessions(names),
        cross: None,
        timeline: vec![
            12, 14, 15, 13, 12, 10, 9, 8, 11, 14, 22, 31, 40, 38, 37, 36, 35, 33, 30, 22, 14, 12,
            12, 11, 10, 9, 9, 12, 16, 25, 33, 41, 44, 42, 40, 38, 36, 35, 30, 24, 15, 12, 11, 10,
            9, 9, 10, 14, 18, 26, 35, 43, 46, 44, 41, 39, 60, 93, 93, 3,
        ],
        noise: Vec::new(),
        bounds: Vec::new(),
    }
}

/// Three open sessions, oldest first.
pub(crate) fn sessions(names: &mut Names) -> Vec<Session> {
    let mut bi = session(
        names,
        4_301,
        "bi",
        "reporting",
        None,
        "[local]",
        None,
        at(2, 41, 9),
    );
    bi.tls = Some(None);
    let mut api = session(
        names,
        4_304,
        "app",
        "shop",
        Some("api"),
        "10.0.0.7",
        Some(51_842),
        at(2, 58, 0),
    );
    api.tls = Some(Some(Arc::new(SessionTls {
        protocol: (*b"TLSv1.3").into(),
        cipher: (*b"TLS_AES_256_GCM_SHA384").into(),
        bits: Some(256),
    })));
    api.auth = Some(Arc::new(SessionAuth {
        identity: Some((*b"app").into()),
        method: (*b"scram-sha-256").into(),
        hba: (*b"/data/pg_hba.conf:11").into(),
    }));
    let last = session(
        names,
        4_377,
        "app",
        "shop",
        Some("api"),
        "10.0.0.7",
        Some(51_990),
        at(3, 2, 50),
    );
    vec![bi, api, last]
}

#[expect(clippy::too_many_arguments, reason = "a session has many facts")]
pub(crate) fn session(
    names: &mut Names,
    pid: u32,
    user: &str,
    database: &str,
    application: Option<&str>,
    host: &str,
    port: Option<u16>,
    start: Instant,
) -> Session {
    let application =
        application.map(|name| names.name(Dimension::ApplicationName, name.as_bytes()));
    let session_id = SessionId {
        start_s: (start.0 / 1_000) as u64,
        pid,
    };
    Session {
        user: Some(names.name(Dimension::User, user.as_bytes())),
        database: Some(names.name(Dimension::Database, database.as_bytes())),
        application_name: application.clone(),
        application_name_last: application,
        client_host: Some(names.name(Dimension::ClientHost, host.as_bytes())),
        client_port: port,
        session_start: Some(start),
        authorized_at: Some(start.plus_ms(4)),
        setup_us: Some(4_000),
        ..Session::new(ServerId(0), Some(pid), Some(session_id))
    }
}

/// The same session, ended.
pub(crate) fn closed(mut session: Session, ms: u64, end: End, reason: EndReason) -> Session {
    session.session_end = session.session_start.map(|start| start.plus_ms(ms as i64));
    session.session_time_ms = Some(ms);
    session.end = Some(end);
    session.end_reason = Some(reason);
    session
}

pub(crate) fn change(at: Instant, what: What) -> Change {
    Change {
        at: Some(at),
        what,
        message: Box::default(),
    }
}

pub(crate) fn refusal(session: &Session, reason: RefusalReason, takes_back: bool) -> Refusal {
    Refusal {
        received_at: session.session_start,
        sqlstate: Sqlstate::parse(b"53300"),
        takes_back,
        ..Refusal::new(session, reason)
    }
}

pub(crate) fn probe(names: &mut Names, at: Instant) -> Probe {
    Probe {
        server: ServerId(0),
        pid: Some(77),
        session_id: None,
        client_host: Some(names.name(Dimension::ClientHost, b"10.0.0.1")),
        client_port: Some(40_000),
        received_at: Some(at),
        reason: ProbeReason::Silent,
    }
}

/// The last hour of that night, in four buckets of 15 minutes.
pub(crate) fn history() -> HistorySnapshot {
    let bucket = |i: i64, numbers: [u64; 5]| {
        let [connects, disconnects, open_start, open_max, refused] = numbers;
        let open_end = open_start + connects - disconnects;
        Bucket {
            start: at(2, 15 + 15 * i, 0),
            end: if i == 3 {
                at(3, 3, 11)
            } else {
                at(2, 30 + 15 * i, 0)
            },
            partial: i == 3,
            connects,
            disconnects,
            open_start,
            open_min: open_start.min(open_end),
            open_max,
            open_end,
            refused,
            certainty: if i == 0 {
                Certainty::AtLeast
            } else {
                Certainty::Exact
            },
        }
    };
    HistorySnapshot {
        input: Some((first(), at(3, 3, 11))),
        window: Some((at(2, 15, 0), at(3, 3, 11))),
        bucket_s: 900,
        buckets: vec![
            bucket(0, [112, 108, 38, 46, 0]),
            bucket(1, [204, 246, 42, 93, 219]),
            bucket(2, [2, 0, 0, 2, 0]),
            bucket(3, [1, 0, 2, 3, 0]),
        ],
        peak: PeakSnapshot {
            count: Some(93),
            at: Some(at(2, 40, 58)),
            certainty: Certainty::Exact,
            by: by([
                &[("shop", 88), ("reporting", 5)],
                &[("app", 88), ("bi", 5)],
                &[("api", 80), ("worker", 8), ("unknown", 5)],
                &[("10.0.0.7", 61), ("10.0.0.8", 27), ("[local]", 5)],
            ]),
            grew: Some(growth()),
        },
        bounds: Vec::new(),
    }
}
