use pgcensus_core::change::{Change, What};
use pgcensus_core::names::Dimension;
use pgcensus_core::session::Session;
use pgcensus_core::window::Window;
use std::rc::Rc;

use super::*;

/// Somebody with this role, as which nobody would like to be shown.
fn exported(user: &[u8], exposition: Exposition) -> String {
    let mut names = Names::of_servers(["main"]);
    let session = Session {
        opening: 1,
        user: Some(names.name(Dimension::User, user)),
        authorized_at: Some(Instant(1_000)),
        setup_us: Some(2_500),
        ..Session::new(ServerId(0), Some(1), None)
    };
    let mut metrics = Metrics::new(Window::default());
    metrics.observe(&Change {
        at: Some(Instant(1_000)),
        what: What::Opened(Rc::new(session)),
        message: Box::default(),
    });
    metrics.finish();
    let facts = ServerFacts {
        bytes: 100,
        events: 1,
        unreadable: 0,
        untrusted: 0,
        pending: 2,
        last: Some(Instant(1_000)),
        tells_open: true,
        certainty: Certainty::AtLeast,
        connections_max: Some(97),
    };
    let facts = Facts {
        servers: vec![(ServerId(0), facts)],
        last: Some(Instant(1_000)),
        now: Some(Instant(3_500)),
    };
    text(&metrics, &names, &facts, exposition)
}

#[test]
fn open_metrics_is_as_reviewed() {
    insta::assert_snapshot!("open_metrics", exported(b"app", Exposition::OpenMetrics));
}

#[test]
fn classic_is_as_reviewed() {
    insta::assert_snapshot!("classic", exported(b"app", Exposition::Classic));
}

#[test]
fn names_are_escaped() {
    for (user, written) in [
        (&b"a\"b\\c\nd"[..], r#"user="a\"b\\c\nd""#),
        (b"\xff}", "user=\"\u{fffd}}\""),
        (b"\r# EOF", "user=\"\r# EOF\""),
    ] {
        for exposition in [Exposition::Classic, Exposition::OpenMetrics] {
            let text = exported(user, exposition);
            let lines = text.split('\n').filter(|line| line.contains(written));
            // Open, connects.
            assert_eq!(lines.count(), 2, "{text}");
        }
    }
}

/// The server logs an application as long as the client says it.
#[test]
fn long_names_are_cut() {
    for (user, written) in [
        ("x".repeat(255), "x".repeat(255)),
        ("x".repeat(9_000), "x".repeat(255) + "…"),
        ("é".repeat(200), "é".repeat(127) + "…"),
    ] {
        let text = exported(user.as_bytes(), Exposition::Classic);
        let label = format!("user=\"{written}\"");
        assert!(text.contains(&label), "{text}");
        assert!(text.len() < 20_000, "{}", text.len());
    }
}

/// What cannot be told apart any more is one series.
#[test]
fn names_that_are_shown_alike_share_a_series() {
    let mut names = Names::of_servers(["main"]);
    let mut metrics = Metrics::new(Window::default());
    for (opening, user) in [
        (1, Some(&b"\xfe"[..])),
        (2, Some(b"\xff")),
        (3, Some(b"unknown")),
        (4, None),
    ] {
        let session = Session {
            opening,
            user: user.map(|user| names.name(Dimension::User, user)),
            authorized_at: Some(Instant(1_000)),
            ..Session::new(ServerId(0), Some(opening as u32), None)
        };
        metrics.observe(&Change {
            at: Some(Instant(1_000)),
            what: What::Opened(Rc::new(session)),
            message: Box::default(),
        });
    }
    let text = text(&metrics, &names, &Facts::default(), Exposition::Classic);
    let open: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("pgcensus_open_sessions{"))
        .collect();
    let labels = |user| {
        format!(
            "pgcensus_open_sessions{{server=\"main\",database=\"unknown\",user=\"{user}\",application_name=\"unknown\"}} 2.0"
        )
    };
    assert_eq!(open, [labels("unknown"), labels("\u{fffd}")]);
}

#[test]
fn open_metrics_is_for_who_asks_for_it() {
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, expected) in [
        (prometheus, Exposition::OpenMetrics),
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Exposition::OpenMetrics,
        ),
        (
            "text/html,application/xhtml+xml,*/*;q=0.8",
            Exposition::Classic,
        ),
        (
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5",
            Exposition::Classic,
        ),
        ("application/openmetrics-text;q=0", Exposition::Classic),
        ("application/openmetrics-text;q=x", Exposition::Classic),
        ("", Exposition::Classic),
    ] {
        assert_eq!(Exposition::of_accept(accept), expected, "{accept}");
    }
}
