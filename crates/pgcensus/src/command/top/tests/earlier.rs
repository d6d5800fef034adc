//! Lists of now of which the begin is not kept: with what is read of it, they are those of a log that is read whole.

use pgcensus_core::instant::Instant;

use super::*;
use crate::command::top::earlier::Earlier;
use crate::view::top::moment::{Details, Lines, SessionRow};

fn ask(detail: Detail, filter: &str, window_ms: Option<i64>) -> Ask {
    Ask {
        number: 7,
        at: None,
        view_end: None,
        window_ms,
        mark: None,
        columns: 60,
        filter: typed_filter(filter, Dimension::User).expect("a filter"),
        detail,
        is_earlier: false,
    }
}

/// What the last changes have of it: what came after `kept`, and of what happened then each second event.
fn last_changes(whole: &Moment, kept: Instant) -> Moment {
    let mut moment = whole.clone();
    let mut turn = 0;
    let mut is_kept = |at: Option<Instant>| {
        turn += 1;
        at > Some(kept) || at == Some(kept) && turn % 2 == 0
    };
    moment.events.retain(|event| is_kept(event.at));
    match &mut moment.detail {
        Details::Sessions(rows, ..) => rows.retain(|row| row.end.is_none() || is_kept(row.end_at)),
        Details::Events(events) => events.retain(|event| is_kept(event.at)),
        Details::Backend(events, lines) => {
            events.retain(|event| is_kept(event.at));
            *lines = Lines::default();
        }
        Details::None => {}
    }
    moment
}

/// Looks at all lists of a log, kept from many instants on; how many of them lacked something.
fn is_completed(log: &str) -> usize {
    let sitting = Sitting::new(&[log], (80, 24));
    let reading = Reading::new(&Interrupt::default());
    sitting.with(|finished| {
        let read = |ask: &Ask| {
            let answer = finished.answer(ask, &reading).expect("a moment");
            answer.expect("nobody gave it up")
        };
        let (first, last) = finished.input.expect("it has times");
        let all = read(&ask(Detail::Sessions(None), "", None));
        let Details::Sessions(sessions, ..) = &all.detail else {
            panic!("{all:?}");
        };
        let ended = sessions.iter().rev().find_map(SessionRow::backend);
        let refused = all.refused.first().map(|&(reason, ..)| reason);
        let mut lists = vec![
            (Detail::Sessions(None), ""),
            (Detail::Sessions(None), "exclude-user=app*"),
            (Detail::Events, "exclude-user=app*"),
            (Detail::Overview, "exclude-user=app*"),
        ];
        lists.extend(ended.map(|backend| (Detail::Backend(backend), "")));
        lists.extend(refused.map(|reason| (Detail::Refusals(reason), "")));
        let length = last.since(first);
        let mut lacking = 0;
        for (detail, filter) in lists {
            for window_ms in [None, Some(length / 2)] {
                let ask = ask(detail.clone(), filter, window_ms);
                let whole = read(&ask);
                let span = Span::new(&ask, finished.limits, finished.input);
                let of = Of {
                    servers: 1,
                    daily: &finished.asked.daily,
                    zone: &finished.asked.zone,
                    goes_on: true,
                };
                let since = Folds::new(&ask, span, of).since();
                for n in 0..=INSTANTS {
                    let kept = first.plus_ms(length * n / INSTANTS);
                    let mut moment = last_changes(&whole, kept);
                    let mut earlier = Earlier::of(&ask, Some(kept), since);
                    let Some(missing) = earlier.ask(&ask) else {
                        assert!(since.is_some_and(|since| since > kept), "{ask:?} {kept:?}");
                        assert_eq!(moment.detail, whole.detail, "{ask:?} {kept:?}");
                        continue;
                    };
                    lacking += usize::from(moment.detail != whole.detail);
                    // Until it is there, that is said.
                    let mut waits = moment.clone();
                    earlier.add_to(&mut waits);
                    assert!(waits.is_partial && waits.events == moment.events);
                    let read = read(&missing);
                    assert!(!earlier.take(&mut Some(read.clone()), ask.number + 1));
                    assert!(earlier.take(&mut Some(read), ask.number));
                    earlier.add_to(&mut moment);
                    assert!(!moment.is_partial);
                    assert_eq!(moment.events, whole.events, "{log} {ask:?} {kept:?}");
                    assert_eq!(moment.detail, whole.detail, "{log} {ask:?} {kept:?}");
                }
            }
        }
        lacking
    })
}

#[test]
fn lists_whose_begin_is_read_again_are_those_of_the_whole_log() {
    for log in ["demo", "15/kills/stderr", "18/nolog-mix/stderr"] {
        let lacking = is_completed(log);
        assert!(lacking > 20, "{log}: {lacking}");
    }
}

#[test]
fn nothing_is_read_for_what_is_kept_but_the_lines_of_a_backend() {
    let backend = crate::view::top::moment::Backend {
        server: pgcensus_core::session::ServerId(0),
        pid: 7,
        since: None,
        until: None,
    };
    for (detail, is_read) in [
        (Detail::Overview, false),
        (Detail::Events, false),
        (Detail::Sessions(None), false),
        (Detail::Backend(backend), true),
    ] {
        let ask = ask(detail, "", None);
        let earlier = Earlier::of(&ask, None, None);
        let missing = earlier.ask(&ask);
        assert_eq!(missing.is_some(), is_read, "{ask:?}");
        assert!(missing.is_none_or(|missing| missing.is_earlier && missing.at.is_none()));
    }
}
