//! Frames of a real log, as they are answered and drawn.

use std::path::Path;

use pgcensus_core::filter::Filter;
use pgcensus_core::zone::{LogClock, display_zone};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::finished::Finished;
use super::*;
use crate::cli::{Command, FilterArgs, InputArgs, ShowArgs, WindowArgs};
use crate::command::{Daily, ends};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::source::input::Reading;
use crate::source::{Plan, Request, Stdin};

/// A log of `testdata` on a screen without a terminal.
struct Sitting {
    plan: Plan,
    state: State,
    area: Rect,
}

impl Sitting {
    fn new(logs: &[&str], (width, height): (u16, u16)) -> Sitting {
        let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
        let request = Request {
            servers: logs
                .iter()
                .map(|log| ((*log).to_owned(), testdata.join(log)))
                .collect(),
            ..Request::default()
        };
        let nobody = Stdin {
            is_piped: false,
            reader: Box::new(io::empty()),
        };
        let mut sitting = Sitting {
            plan: Plan::of(&request, nobody),
            state: State::new(Some(WINDOW_MS), None, String::new()),
            area: Rect::new(0, 0, width, height),
        };
        sitting.answer();
        sitting
    }

    /// Asks what the state wants to know, and takes the answer.
    fn answer(&mut self) {
        let args = crate::cli::Args {
            command: Command::Top,
            input: InputArgs::default(),
            filter: FilterArgs::default(),
            window: WindowArgs::default(),
            show: ShowArgs::default(),
            compared: None,
        };
        let mut clock = LogClock::new(None);
        let (first, last) = ends(
            &self.plan,
            &mut clock,
            Some(&Reading::new(&Interrupt::default())),
        )
        .expect("the logs can be read");
        let input = first.zip(last);
        let (first, last) = input.expect("they have times");
        let zone = display_zone(clock.log_zone(), first, last);
        let asked = Asked {
            args: &args,
            plan: &self.plan,
            progress: Progress::new(true),
            outputs: &[],
            zone: zone.clone(),
            fixed_zone: false,
            daily: Daily {
                between: None,
                zone,
            },
            is_default_window: false,
            servers: self
                .plan
                .servers
                .iter()
                .map(|server| server.name.clone())
                .collect(),
            connections_max: Some(97),
        };
        let finished = Finished {
            asked: &asked,
            log_timezone: None,
            threads: 2,
            chunk_size: crate::pipeline::CHUNK_SIZE,
            limits: time_spec::Window::default(),
            input,
        };
        top::fit(&mut self.state, self.area);
        let filter = typed_filter(&self.state.filter, self.state.dimension());
        let ask = self.state.ask(filter.unwrap_or_else(|_| Filter::default()));
        let answer = finished.answer(&ask, &Reading::new(&Interrupt::default()));
        let moment = answer.expect("a moment").expect("nobody gave it up");
        self.state.take(moment);
    }

    fn press(&mut self, keys: &[KeyCode]) -> &mut Sitting {
        for &key in keys {
            let key = KeyEvent::new(key, KeyModifiers::NONE);
            let action = keys::action(key, self.state.editing.is_some()).expect("it is a key");
            top::fit(&mut self.state, self.area);
            if self.state.apply(action) == Effect::Ask {
                self.answer();
            }
        }
        self
    }

    /// Open, connects, disconnects, peak.
    fn counts(&self) -> (Option<u64>, u64, u64, Option<u64>) {
        let moment = self.state.moment.as_ref().expect("it was answered");
        let census = &moment.census;
        let ended = census.disconnects_total();
        (census.open.count, census.connects, ended, census.peak.count)
    }

    fn frame(&self, theme: Theme) -> Buffer {
        let mut buf = Buffer::empty(self.area);
        top::draw(&self.state, theme, self.area, &mut buf);
        buf
    }

    fn text(&self) -> String {
        text(&self.frame(Theme { color: true }))
    }
}

fn text(buf: &Buffer) -> String {
    let rows = buf.area.rows();
    let line = |row: Rect| -> String {
        let cells: String = row
            .columns()
            .map(|cell| buf[(cell.x, cell.y)].symbol())
            .collect();
        cells.trim_end().to_owned() + "\n"
    };
    rows.map(line).collect()
}

const DEMO: &[&str] = &["demo"];

#[test]
fn the_overview_at_three_sizes() {
    for (width, height) in [(80, 24), (120, 40), (250, 70)] {
        let sitting = Sitting::new(DEMO, (width, height));
        insta::assert_snapshot!(format!("overview_{width}x{height}"), sitting.text());
    }
}

#[test]
fn the_past_is_what_at_shows() {
    let mut sitting = Sitting::new(DEMO, (120, 40));
    sitting.press(&[KeyCode::Left; 19]);
    insta::assert_snapshot!("past", sitting.text());
    // What `pgcensus --at 05:21:18 --json` prints of the same log.
    assert_eq!(sitting.counts(), (Some(7), 9, 2, Some(7)));
    sitting.press(&[KeyCode::End]);
    assert_eq!(sitting.counts(), (Some(2), 28, 26, Some(12)));
}

/// Where nothing is written for a while, time goes by all the same.
#[test]
fn the_cursor_moves_where_no_record_is() {
    let mut sitting = Sitting::new(DEMO, (80, 24));
    let moment = sitting.state.moment.as_mut().expect("it was answered");
    let (_, last) = moment.input.as_mut().expect("it has times");
    *last = last.plus_ms(60_000);
    let now = *last;
    moment.at = Some(now);
    sitting.press(&[KeyCode::Char(' '), KeyCode::Left]);
    let at = sitting.state.at.expect("it is in the past");
    assert!(at < now && now.since(at) <= 2_000, "{at:?} before {now:?}");
    sitting.press(&[KeyCode::Left]);
    assert!(sitting.state.at.is_some_and(|earlier| earlier < at));
}

#[test]
fn from_a_name_to_its_sessions_to_the_lines_of_one() {
    let mut sitting = Sitting::new(DEMO, (120, 30));
    sitting.press(&[KeyCode::Char('3'), KeyCode::Down, KeyCode::Enter]);
    insta::assert_snapshot!("sessions", sitting.text());
    sitting.press(&[KeyCode::Enter]);
    insta::assert_snapshot!("lines", sitting.text());
    sitting.press(&[
        KeyCode::Esc,
        KeyCode::Esc,
        KeyCode::Char('5'),
        KeyCode::Enter,
    ]);
    insta::assert_snapshot!("refusals", sitting.text());
}

#[test]
fn a_filter_counts_as_it_is_typed() {
    let mut sitting = Sitting::new(DEMO, (80, 24));
    let typed: Vec<_> = "/user=shop*".chars().map(KeyCode::Char).collect();
    sitting.press(&typed);
    insta::assert_snapshot!("filter", sitting.text());
    sitting.press(&[KeyCode::Esc]);
    assert_eq!(sitting.state.filter, "");
}

#[test]
fn several_servers_have_a_panel_and_say_how_many_are_exact() {
    let logs = ["15/kills/stderr", "17/kills/csvlog", "18/nolog-mix/stderr"];
    let sitting = Sitting::new(&logs, (120, 40));
    insta::assert_snapshot!("servers", sitting.text());
}

#[test]
fn without_colours_nothing_is_coloured_and_with_them_no_background_is() {
    let sitting = Sitting::new(DEMO, (120, 40));
    for color in [false, true] {
        let frame = sitting.frame(Theme { color });
        let colors: std::collections::BTreeSet<_> = frame
            .content
            .iter()
            .map(|cell| format!("{:?}", cell.fg))
            .collect();
        assert_eq!(colors.len() > 1, color, "{colors:?}");
        assert!(frame.content.iter().all(|cell| cell.bg == Color::Reset));
        // What is selected is seen without colours too.
        let is_selected = |cell: &ratatui::buffer::Cell| cell.modifier.contains(Modifier::REVERSED);
        assert!(frame.content.iter().any(is_selected));
    }
}

#[test]
fn no_size_makes_it_panic() {
    let mut sitting = Sitting::new(DEMO, (80, 24));
    let pages: [&[KeyCode]; 6] = [
        &[],
        &[KeyCode::Char('?')],
        &[KeyCode::Char('?'), KeyCode::Char('e')],
        &[KeyCode::Char('7'), KeyCode::Enter],
        &[KeyCode::Enter, KeyCode::Char('e')],
        &[
            KeyCode::Esc,
            KeyCode::Esc,
            KeyCode::Left,
            KeyCode::Char('/'),
        ],
    ];
    for keys in pages {
        sitting.press(keys);
        let asked = sitting.area;
        for width in [0, 1, 11, 12, 13, 29, 30, 31, 49, 71, 99, 110, 300] {
            for height in [0, 1, 5, 6, 7, 12, 15, 23, 36, 80] {
                sitting.area = Rect::new(0, 0, width, height);
                top::fit(&mut sitting.state, sitting.area);
                sitting.text();
                for at in [(0, 0), (width / 2, height / 2), (width, height)] {
                    let mut state = State::new(None, None, String::new());
                    top::click(&mut state, sitting.area, at);
                }
            }
        }
        sitting.area = asked;
    }
}

#[test]
fn what_a_log_says_reaches_no_screen_unescaped() {
    let mut sitting = Sitting::new(&["16/injection/stderr"], (250, 70));
    let pages: [&[KeyCode]; 4] = [
        &[],
        &[KeyCode::Char('7'), KeyCode::Enter],
        &[KeyCode::Enter, KeyCode::Char('e')],
        &[
            KeyCode::Esc,
            KeyCode::Esc,
            KeyCode::Char('2'),
            KeyCode::Enter,
        ],
    ];
    for keys in pages {
        sitting.press(keys);
        let text = sitting.text();
        let hidden = text
            .chars()
            .find(|&c| c != '\n' && crate::view::text::is_hidden(c));
        assert_eq!(hidden, None, "{text}");
    }
}
