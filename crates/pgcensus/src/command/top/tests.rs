//! Frames of a real log, as they are answered and drawn.

mod earlier;

use std::path::Path;

use pgcensus_core::change::Change;
use pgcensus_core::filter::Filter;
use pgcensus_core::names::{Dimension, Names};
use pgcensus_core::rollup::{ROWS_MAX, Rollup};
use pgcensus_core::snapshot::SessionTimeSnapshot;
use pgcensus_core::trend::TREND;
use pgcensus_core::zone::{LogClock, display_zone};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::finished::Finished;
use super::folds::{Folds, Of, Seen, Span};
use super::*;
use crate::cli::{Command, FilterArgs, InputArgs, ShowArgs, WindowArgs};
use crate::command::{Daily, ends};
use crate::interrupt::Interrupt;
use crate::pipeline::{self, Sink};
use crate::progress::Progress;
use crate::source::input::Reading;
use crate::source::{Plan, Request, Stdin};
use crate::view::top::moment::{Ask, Detail};

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

    /// Whoever can read the log, to ask.
    fn with<T>(&self, what: impl FnOnce(&Finished<'_>) -> T) -> T {
        let args = crate::cli::Args {
            command: Command::Top,
            input: InputArgs::default(),
            filter: FilterArgs::default(),
            window: WindowArgs::default(),
            show: ShowArgs::default(),
            serve: crate::cli::ServeArgs::default(),
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
            is_piped: false,
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
            streams: crate::command::streams::Streams::Process,
        };
        what(&Finished {
            asked: &asked,
            log_timezone: None,
            threads: 2,
            chunk_size: crate::pipeline::CHUNK_SIZE,
            limits: time_spec::Window::default(),
            input,
        })
    }

    /// Asks what the state wants to know, and takes the answer.
    fn answer(&mut self) {
        top::fit(&mut self.state, self.area);
        let filter = typed_filter(&self.state.filter, self.state.dimension());
        let ask = self.state.ask(filter.unwrap_or_else(|_| Filter::default()));
        let reading = Reading::new(&Interrupt::default());
        let answer = self.with(|finished| finished.answer(&ask, &reading));
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

/// A sink that only rolls up.
struct Rolls(Rollup);

impl Sink for Rolls {
    fn begins(&mut self, first: pgcensus_core::instant::Instant) {
        self.0.begins(first);
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.0.observe(change);
        Ok(())
    }

    fn ends(&mut self, _: pgcensus_core::instant::Instant) {}
}

/// All counts of a moment, and nothing that only reading tells.
fn counts(moment: Moment, has_trends: bool) -> String {
    let mut census = moment.census;
    census.oldest.clear();
    census.open_by_age = [0; 4];
    census.pending = 0;
    census.session_time = SessionTimeSnapshot {
        histogram: census.session_time.histogram,
        ..SessionTimeSnapshot::default()
    };
    let (mut rows, mut refused, mut timeline) = (moment.rows, moment.refused, moment.timeline);
    if !has_trends {
        let trends = rows.iter_mut().flatten().map(|row| &mut row.trend);
        let of_refused = refused.iter_mut().map(|(_, _, trend)| trend);
        trends
            .chain(of_refused)
            .for_each(|trend| *trend = [0; TREND]);
        let buckets = timeline.buckets.iter_mut();
        buckets.for_each(|bucket| bucket.open_min = 0);
    }
    let counted = (moment.at, moment.input, census, timeline, moment.rates);
    format!("{counted:#?}\n{rows:#?}\n{refused:?}")
}

/// A log is looked at in so many instants and one.
const INSTANTS: i64 = 15;

/// Counts of many instants of a log, rolled up in so many rows at most, are those that reading it again gives. How many of
/// them were told.
fn is_rolled_up_as_read(log: &str, rows_max: usize, filter: &str) -> usize {
    let sitting = Sitting::new(&[log], (120, 40));
    let filter = typed_filter(filter, Dimension::User).expect("a filter");
    let reading = Reading::new(&Interrupt::default());
    sitting.with(|finished| {
        let asked = finished.asked;
        let mut rolls = Rolls(Rollup::new(rows_max));
        let run = Run {
            servers: &asked.plan.servers,
            log_timezone: None,
            threads: 2,
            chunk_size: 4_096,
            filter: Filter::default(),
            reading: reading.clone(),
        };
        let outcome = pipeline::run(run, &mut rolls).expect("it can be read");
        let (first, last) = outcome.input.expect("it has times");
        let is_rolled = rows_max < 10_000;
        let length = last.since(first);
        let mut told = 0;
        for n in 0..=INSTANTS {
            let mut at = first.plus_ms(length * n / INSTANTS + 1);
            if is_rolled {
                at.0 -= at.0.rem_euclid(1_000);
            }
            let window_ms = [None, Some(5_000), Some(60_000)][n as usize % 3];
            let mark = (n % 5 == 4 && !is_rolled).then(|| at.plus_ms(-1_234));
            let ask = Ask {
                number: 1,
                at: Some(at),
                view_end: (n % 4 == 0).then(|| at.plus_ms(7_000)),
                window_ms,
                mark,
                columns: 60,
                filter: filter.clone(),
                detail: Detail::Overview,
                is_earlier: false,
            };
            let span = Span::new(&ask, finished.limits, outcome.input);
            let of = Of {
                servers: asked.servers.len(),
                daily: &asked.daily,
                zone: &asked.zone,
                goes_on: false,
            };
            let mut filter = filter.clone();
            let by = (&outcome.names, &mut filter);
            let Some(mut folds) = Folds::of_rollup(&rolls.0, &ask, span, of, by) else {
                continue;
            };
            told += 1;
            let servers = outcome.servers.iter();
            let seen = Seen {
                names: &outcome.names,
                filter,
                trackers: servers.map(|server| &server.tracker).collect(),
                input: outcome.input,
            };
            let rolled = counts(folds.partial(&ask, &seen), !is_rolled);
            let read = finished.answer(&ask, &reading).expect("a moment");
            let read = counts(read.expect("nobody gave it up"), !is_rolled);
            assert!(
                rolled == read,
                "{log} at {at:?}, {ask:?}:\n{}",
                differ(&rolled, &read)
            );
        }
        told
    })
}

/// The first lines that are not the same.
fn differ(a: &str, b: &str) -> String {
    let pairs = a.lines().zip(b.lines());
    let other = pairs.filter(|(a, b)| a != b).take(8);
    let said: Vec<_> = other.map(|(a, b)| format!("{a} | {b}")).collect();
    said.join("\n")
}

/// Recorded runs of several versions, but that whose prefix is empty: it has no times.
fn runs() -> Vec<String> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let mut runs = vec!["demo".to_owned()];
    for (version, format) in [
        ("13", "csvlog"),
        ("15", "stderr"),
        ("16", "stderr"),
        ("18", "csvlog"),
    ] {
        let there = std::fs::read_dir(testdata.join(version)).expect("runs");
        let there = there
            .flatten()
            .filter(|run| run.path().join(format).exists());
        let named = there.filter_map(|run| run.file_name().into_string().ok());
        let named = named.filter(|run| run != "prefix-empty");
        runs.extend(named.map(|run| format!("{version}/{run}/{format}")));
    }
    runs.sort();
    runs
}

#[test]
fn what_is_rolled_up_counts_as_what_is_read_again() {
    let runs = runs();
    assert!(runs.len() > 10, "{runs:?}");
    for run in &runs {
        assert!(
            is_rolled_up_as_read(run, ROWS_MAX, "") > INSTANTS as usize,
            "{run}"
        );
    }
    for run in runs.iter().step_by(4) {
        is_rolled_up_as_read(run, ROWS_MAX, "user=a* --exclude-db=postgres");
    }
}

#[test]
fn whole_seconds_are_counted_as_what_is_read_again_when_rows_are_few() {
    let mut told = 0;
    for run in runs().iter().step_by(3) {
        told += is_rolled_up_as_read(run, 64, "");
    }
    assert!(told > 50, "{told}");
}

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
