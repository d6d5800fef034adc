//! What keys do to the state, in tables: what is pressed, and what is seen of it then.

use pgcensus_core::instant::Instant;
use pgcensus_core::names::Dimension;
use pgcensus_core::session::RefusalReason;
use pgcensus_core::trend::TREND;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::keys::action;
use super::moment::{
    Detail, Details, EventRow, Happened, Lines, Moment, NameRow, SessionRow, Whom,
};
use super::state::{Effect, State};

/// One hour, a bucket a minute.
const LAST: Instant = Instant(3_600_000);

fn moment(state: &State) -> Moment {
    let row = |name: &str, open, connects| NameRow {
        name: name.as_bytes().into(),
        open,
        connects,
        refused: 0,
        trend: [open; TREND],
    };
    let whom = |pid| Whom {
        pid: Some(pid),
        ..Whom::default()
    };
    let session = |pid| SessionRow {
        whom: whom(pid),
        start: Some(Instant(0)),
        end_at: None,
        length_ms: Some(3_600_000),
        end: None,
    };
    let event = |pid| EventRow {
        at: Some(LAST),
        whom: whom(pid),
        what: Happened::Connected,
        since: None,
        message: Box::default(),
    };
    let mut rows: [Vec<NameRow>; 5] = Default::default();
    rows[Dimension::ApplicationName as usize] = vec![row("api", 3, 1), row("batch", 1, 9)];
    rows[Dimension::User as usize] = vec![row("app", 4, 10)];
    let mut moment = Moment {
        number: state.asked,
        at: Some(state.at.unwrap_or(LAST)),
        input: Some((Instant(0), LAST)),
        rows,
        refused: vec![(RefusalReason::PasswordFailed, 3, [0; TREND])],
        oldest: vec![session(1), session(2)],
        events: vec![event(3)],
        servers: vec!["main".to_owned()],
        asked: state
            .pages
            .last()
            .map_or(Detail::Overview, |page| page.detail.clone()),
        detail: match state.pages.last().map(|page| &page.detail) {
            Some(Detail::Sessions(_)) => Details::Sessions(vec![session(1), session(2)], 0, 0),
            Some(Detail::Events | Detail::Refusals(_)) => Details::Events(vec![event(3)]),
            Some(Detail::Backend(_)) => Details::Backend(vec![event(3)], Lines::default()),
            Some(Detail::Overview) | None => Details::None,
        },
        ..Moment::default()
    };
    moment.timeline.bucket_s = 60;
    moment
}

fn key(name: &str) -> KeyEvent {
    let (name, modifiers) = match name.split_once('-') {
        Some(("C", name)) => (name, KeyModifiers::CONTROL),
        Some(("S", name)) => (name, KeyModifiers::SHIFT),
        _ => (name, KeyModifiers::NONE),
    };
    let code = match name {
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Space" => KeyCode::Char(' '),
        "Backspace" => KeyCode::Backspace,
        c => KeyCode::Char(c.chars().next().expect("a character")),
    };
    KeyEvent::new(code, modifiers)
}

/// Presses these keys, each question answered at once; the last effect.
fn press(state: &mut State, keys: &str) -> Effect {
    let mut last = Effect::Nothing;
    for name in keys.split(' ').filter(|name| !name.is_empty()) {
        last = match action(key(name), state.editing.is_some()) {
            Some(action) => state.apply(action),
            None => Effect::Nothing,
        };
        if last == Effect::Ask {
            state.ask(pgcensus_core::filter::Filter::default());
            state.take(moment(state));
        }
    }
    last
}

fn fresh() -> State {
    let mut state = State::new(Some(3_600_000), None, String::new());
    state.ask(pgcensus_core::filter::Filter::default());
    state.take(moment(&state));
    state
}

/// What there is to see, in a line.
fn seen(state: &State) -> String {
    let mut words = vec![format!(
        "{}.{}",
        state.panel().digit(),
        state.selected(state.panel())
    )];
    for page in &state.pages {
        let name = match &page.detail {
            Detail::Overview => "overview".to_owned(),
            Detail::Sessions(Some((dimension, name))) => {
                format!("{} {}", dimension.as_str(), String::from_utf8_lossy(name))
            }
            Detail::Sessions(None) => "sessions".to_owned(),
            Detail::Events => "events".to_owned(),
            Detail::Refusals(reason) => reason.as_str().to_owned(),
            Detail::Backend(backend) => format!("pid {}", backend.pid),
        };
        words.push(format!("> {name}.{}", page.selected));
    }
    if let Some(at) = state.at {
        words.push(format!("at {} s", at.0 / 1000));
    }
    let flags = [
        (state.is_paused, "held"),
        (state.is_expanded, "expanded"),
        (state.helps, "help"),
        (state.editing.is_some(), "typing"),
        (state.mark.is_some(), "marked"),
    ];
    words.extend(
        flags
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| (*word).to_owned()),
    );
    if !state.filter.is_empty() {
        words.push(format!("/{}", state.filter));
    }
    words.join(" ")
}

#[test]
fn keys_choose_select_and_drill_down() {
    for (keys, expected) in [
        ("", "1.0"),
        ("Tab", "2.0"),
        ("BackTab", "7.0"),
        ("Tab Tab Tab Tab Tab Tab Tab", "1.0"),
        ("5", "5.0"),
        ("8", "1.0"),
        ("Down", "1.1"),
        ("Down Down Down", "1.1"),
        ("Down Up Up", "1.0"),
        ("G", "1.1"),
        ("G g", "1.0"),
        ("Down Tab BackTab", "1.1"),
        ("Down Enter", "1.1 > application_name batch.0"),
        ("Enter Down Enter", "1.0 > application_name api.1 > pid 2.0"),
        (
            "Enter Enter Enter",
            "1.0 > application_name api.0 > pid 1.0",
        ),
        ("Enter Enter Esc", "1.0 > application_name api.0"),
        ("Enter Enter Esc Esc Esc", "1.0"),
        ("Enter 2", "2.0"),
        ("Enter Tab", "1.0 > application_name api.0"),
        ("2 Enter", "2.0 > user app.0"),
        ("3 Enter", "3.0"),
        ("5 Enter", "5.0 > password_failed.0"),
        ("5 Enter Enter", "5.0 > password_failed.0 > pid 3.0"),
        ("6 Down Enter", "6.1 > pid 2.0"),
        ("7 Enter", "7.0 > events.0"),
        ("e", "1.0 expanded"),
        ("e Esc", "1.0"),
        ("?", "1.0 help"),
        ("? Down", "1.0"),
        // By connects the batch comes first.
        ("s Enter", "1.0 > application_name batch.0"),
        ("s s s s Enter", "1.0 > application_name api.0"),
    ] {
        let mut state = fresh();
        press(&mut state, keys);
        assert_eq!(seen(&state), expected, "{keys}");
    }
}

#[test]
fn keys_move_through_the_past_and_back() {
    for (keys, expected) in [
        ("Left", "1.0 at 3540 s"),
        ("Left Left Right", "1.0 at 3540 s"),
        ("Left Right", "1.0"),
        ("Right", "1.0"),
        ("S-Left", "1.0 at 3000 s"),
        ("S-Left C-Left", "1.0 at 2400 s"),
        ("Left End", "1.0"),
        ("Home", "1.0 at 0 s"),
        ("Home Left", "1.0 at 0 s"),
        ("Left Esc", "1.0"),
        ("Left Enter", "1.0 > application_name api.0 at 3540 s"),
        ("Enter Left", "1.0 > application_name api.0 at 3540 s"),
        ("Space", "1.0 at 3600 s held"),
        ("Space Space", "1.0"),
        // What happened in the last millisecond is left out.
        ("Space Left", "1.0 at 3600 s"),
        ("Left Space", "1.0"),
        ("c", "1.0 marked"),
        ("c c", "1.0"),
        ("Left c End", "1.0 marked"),
    ] {
        let mut state = fresh();
        press(&mut state, keys);
        assert_eq!(seen(&state), expected, "{keys}");
    }
}

#[test]
fn keys_type_a_filter() {
    for (keys, expected) in [
        ("/", "1.0 typing"),
        ("/ q", "1.0 typing /q"),
        ("/ a b Backspace", "1.0 typing /a"),
        ("/ a b Enter", "1.0 /ab"),
        ("/ a b Esc", "1.0"),
        ("/ a Enter / b Esc", "1.0 /a"),
        ("/ a Enter Esc", "1.0"),
        ("/ a Space b c C-w", "1.0 typing /a "),
        ("/ a b C-u", "1.0 typing"),
        ("/ a Enter Enter", "1.0 > application_name api.0 /a"),
    ] {
        let mut state = fresh();
        press(&mut state, keys);
        assert_eq!(seen(&state), expected, "{keys}");
    }
}

#[test]
fn keys_that_are_for_the_loop() {
    for (keys, expected) in [
        ("q", Effect::Quit),
        ("C-c", Effect::Quit),
        ("/ C-c", Effect::Quit),
        ("? q", Effect::Quit),
        ("C-z", Effect::Suspend),
        ("/ a", Effect::Ask),
        ("Left", Effect::Ask),
        ("End", Effect::Nothing),
        ("Tab", Effect::Redraw),
        ("x", Effect::Nothing),
        ("y", Effect::Copy("api".to_owned())),
        ("5 y", Effect::Copy("password_failed".to_owned())),
    ] {
        assert_eq!(press(&mut fresh(), keys), expected, "{keys}");
    }
}

#[test]
fn a_window_is_longer_or_shorter_and_no_longer_than_the_log() {
    let mut state = fresh();
    for (keys, expected) in [
        ("-", Some(900_000)),
        ("- - -", Some(60_000)),
        ("+ +", Some(900_000)),
        ("+ +", None),
        ("-", Some(900_000)),
    ] {
        press(&mut state, keys);
        assert_eq!(state.window_ms, expected, "{keys}");
    }
}

#[test]
fn an_answer_to_an_earlier_question_comes_too_late() {
    let mut state = fresh();
    let early = moment(&state);
    press(&mut state, "Left");
    state.take(early);
    assert!(!state.is_waiting());
    assert_eq!(state.moment.as_ref().and_then(|moment| moment.at), state.at);
}

#[test]
fn of_a_long_path_the_end_is_shown_with_what_is_wrong() {
    let wrong = "/var/log/postgresql/main.log: not there; waiting for it";
    assert_eq!(super::cut_path(wrong, 80), wrong);
    assert_eq!(
        super::cut_path(wrong, 38),
        "…l/main.log: not there; waiting for it"
    );
    assert_eq!(
        super::cut_path("no user is called x", 8),
        "no user is called x"
    );
}

/// While rows change places, the bar stays on what was chosen; where nothing was, on the first row.
#[test]
fn what_is_selected_stays_selected() {
    let mut state = fresh();
    press(&mut state, "Down");
    let mut next = moment(&state);
    next.rows[Dimension::ApplicationName as usize].reverse();
    state.take(next.clone());
    assert_eq!(seen(&state), "1.0");
    press(&mut state, "Enter");
    assert_eq!(seen(&state), "1.0 > application_name batch.0");
    let mut state = fresh();
    state.take(next);
    press(&mut state, "Enter");
    assert_eq!(seen(&state), "1.0 > application_name batch.0");
}

#[test]
fn what_was_done_is_said_for_a_while_and_never_hides_what_goes_wrong() {
    let mut state = fresh();
    press(&mut state, "y");
    for _ in 0..5 {
        assert!(state.said.is_some());
        state.take(moment(&state));
    }
    let mut wrong = moment(&state);
    wrong.problems = vec!["/log: not there; waiting for it".to_owned()];
    state.take(wrong.clone());
    assert_eq!(state.said, None);
    press(&mut state, "y");
    state.take(wrong);
    assert!(state.said.is_some(), "that it is wrong is known");
    for _ in 0..20 {
        state.take(moment(&state));
    }
    assert_eq!(state.said, None);
}

#[test]
fn what_is_no_filter_is_not_kept() {
    let mut state = fresh();
    press(&mut state, "/ x");
    state.filter_error = Some("no filter".to_owned());
    assert_eq!(press(&mut state, "Enter"), Effect::Nothing);
    assert!(state.editing.is_some());
    press(&mut state, "Esc");
    assert_eq!((state.editing, &*state.filter), (None, ""));
}

#[test]
fn no_count_is_cut_or_runs_into_its_name() {
    for width in [24, 30, 40, 80] {
        let line = super::rows::refusals(
            ("127.0.0.1", 1_132_083, &[0; TREND]),
            (1_132_083, 1_132_083),
            width,
            super::Theme { color: false },
        );
        let text: String = line.spans.iter().map(|span| &*span.content).collect();
        assert!(text.contains(" 1,132,083 "), "{text}");
    }
}

/// What was counted as it happened stays, whatever became of the logs since; lists are what is still there.
#[test]
fn counts_of_the_past_stay_when_the_logs_are_gone() {
    let mut state = fresh();
    press(&mut state, "Left");
    state.ask(pgcensus_core::filter::Filter::default());
    let with = |connects, is_partial| {
        let mut moment = moment(&state);
        moment.census.connects = connects;
        moment.is_partial = is_partial;
        moment
    };
    let (counted, mut read) = (with(28, true), with(3, false));
    read.oldest.truncate(1);
    read.input = None;
    state.take(counted);
    state.take(read);
    let moment = state.moment.as_ref().expect("a moment");
    assert_eq!((moment.census.connects, moment.oldest.len()), (28, 1));
    assert!(!moment.is_partial && moment.input.is_some());
    assert_eq!(moment.problems.len(), 1, "that is said");
}
