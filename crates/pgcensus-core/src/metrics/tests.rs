use std::rc::Rc;

use super::*;

fn session(opening: u64) -> Session {
    Session {
        opening,
        authorized_at: Some(Instant(1_000)),
        setup_us: Some(3_000),
        ..Session::new(ServerId(0), Some(opening as u32), None)
    }
}

fn change(at: i64, what: What) -> Change {
    Change {
        at: Some(Instant(at)),
        what,
        message: Box::default(),
    }
}

fn opened(at: i64, session: &Session) -> Change {
    change(at, What::Opened(Rc::new(session.clone())))
}

fn taken_back(at: i64, session: &Session) -> Change {
    change(at, What::TakenBack(Rc::new(session.clone())))
}

fn closed(at: i64, session: &Session) -> Change {
    let session = Session {
        end: Some(End::Client),
        session_end: Some(Instant(at)),
        session_time_ms: Some(at as u64 - 1_000),
        ..session.clone()
    };
    change(at, What::Closed(Rc::new(session)))
}

/// Open, connects, taken back.
fn count(metrics: &Metrics) -> (i64, u64, u64) {
    let counts = metrics.clients().series.iter().map(|(_, count)| count);
    counts.fold((0, 0, 0), |(open, connects, taken_back), count| {
        (
            open + count.open,
            connects + count.connects,
            taken_back + count.taken_back,
        )
    })
}

#[test]
fn a_session_is_open_at_once_and_a_connect_when_it_cannot_be_refused() {
    let mut metrics = Metrics::new(Window::default());
    metrics.observe(&opened(1_000, &session(1)));
    assert_eq!(count(&metrics), (1, 0, 0));
    metrics.pass(Instant(1_200));
    assert_eq!(count(&metrics), (1, 0, 0));
    metrics.pass(Instant(1_201));
    assert_eq!(count(&metrics), (1, 1, 0));
    metrics.pass(Instant(9_999));
    assert_eq!(count(&metrics), (1, 1, 0));
}

#[test]
fn later_records_settle_it_too() {
    let mut metrics = Metrics::new(Window::default());
    metrics.observe(&opened(1_000, &session(1)));
    metrics.observe(&opened(3_000, &session(2)));
    assert_eq!(count(&metrics), (2, 0, 0));
    metrics.observe(&opened(3_001, &session(3)));
    assert_eq!(count(&metrics), (3, 1, 0));
    metrics.observe(&closed(3_002, &session(2)));
    assert_eq!(count(&metrics), (2, 2, 0));
    metrics.finish();
    assert_eq!(count(&metrics), (2, 3, 0));
}

#[test]
fn a_session_that_is_taken_back_is_no_connect() {
    let mut metrics = Metrics::new(Window::default());
    metrics.observe(&opened(1_000, &session(1)));
    metrics.observe(&taken_back(1_005, &session(1)));
    metrics.finish();
    assert_eq!(count(&metrics), (0, 0, 0));
    let server = metrics.server(ServerId(0)).unwrap();
    assert_eq!(server.setup_time.count(), 0);
}

#[test]
fn no_counter_falls_when_a_session_is_taken_back_late() {
    let mut metrics = Metrics::new(Window::default());
    metrics.observe(&opened(1_000, &session(1)));
    metrics.observe(&taken_back(5_000, &session(1)));
    assert_eq!(count(&metrics), (0, 1, 1));
}

#[test]
fn a_session_of_two_milliseconds_is_counted() {
    let mut metrics = Metrics::new(Window::default());
    metrics.observe(&opened(1_000, &session(1)));
    metrics.observe(&closed(1_002, &session(1)));
    assert_eq!(count(&metrics), (0, 1, 0));
    let server = metrics.server(ServerId(0)).unwrap();
    assert_eq!(server.disconnects[End::Client as usize], 1);
    assert_eq!(
        (server.session_time.count(), server.session_time.sum()),
        (1, 2)
    );
    assert_eq!(
        (server.setup_time.count(), server.setup_time.sum()),
        (1, 3_000)
    );
    assert_eq!(server.recent_peak(Instant(1_002)), 1);
}

#[test]
fn one_that_shows_itself_at_its_end_is_a_connect_if_it_began_in_the_log() {
    for (start, connects) in [(500, 1), (400, 1), (-601, 0)] {
        let mut metrics = Metrics::new(Window::default());
        metrics.begins(Instant(500));
        let unseen = Session {
            authorized_at: None,
            session_start: Some(Instant(start)),
            ..session(0)
        };
        metrics.observe(&closed(1_500, &unseen));
        assert_eq!(count(&metrics), (0, connects, 0), "{start}");
    }
}

#[test]
fn without_pids_nobody_is_open() {
    let mut metrics = Metrics::new(Window::default());
    let nameless = Session {
        pid: None,
        ..session(1)
    };
    metrics.observe(&opened(1_000, &nameless));
    metrics.finish();
    assert_eq!(count(&metrics), (0, 1, 0));
    assert!(!metrics.server(ServerId(0)).unwrap().knows_open());
}

#[test]
fn what_proves_not_to_have_been_is_not_among_the_open_ones() {
    let mut metrics = Metrics::new(Window::default());
    let (came, left) = (opened(1_000, &session(1)), closed(4_000, &session(1)));
    metrics.observe(&came);
    metrics.untell(&came);
    assert_eq!(count(&metrics), (0, 0, 0));
    metrics.observe(&came);
    metrics.observe(&left);
    metrics.untell(&left);
    assert_eq!(count(&metrics), (1, 1, 0));
}

/// Names past the bound of all names are no series of their own.
#[test]
fn names_that_were_lost_before_are_counted_as_others_too() {
    let mut metrics = Metrics::new(Window::default());
    let nameless = Session {
        application_name: Some(NameId::OTHER.into()),
        ..session(0)
    };
    metrics.observe(&opened(1_000, &nameless));
    assert_eq!(
        (metrics.clients().elsewhere, metrics.clients().series.kept()),
        (1, 1)
    );
}
