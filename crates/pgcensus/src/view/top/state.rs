//! What the screen is about: the moment that is shown, what has the focus, where one has drilled down to.
//!
//! ```text
//! key ─► Action ─► State::apply ─► Effect     (asking, copying, quitting are for the loop to do)
//! ```

mod cursor;
mod panel;
mod selection;

use pgcensus_core::instant::Instant;
use pgcensus_core::names::Dimension;

use super::keys::Action;
use super::moment::{Ask, Detail, Details, EventRow, Moment, NameRow, SessionRow};
use super::rows;
pub(crate) use panel::{Panel, Sort};

/// Where one has drilled down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// What it shows.
    pub(crate) detail: Detail,
    /// The row that is selected.
    pub(crate) selected: usize,
}

/// What is left to do after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing changed.
    Nothing,
    /// Something else is to be seen.
    Redraw,
    /// Something else is to be known.
    Ask,
    /// This text is for the clipboard.
    Copy(String),
    /// The shell shall have the terminal for a while.
    Suspend,
    /// It is over.
    Quit,
    /// It is over, as if by SIGQUIT.
    Abort,
}

/// What the screen is about.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What is shown; `None` before the first answer.
    pub(crate) moment: Option<Moment>,
    /// The panel that has the focus, by its place among [`State::panels`].
    pub(crate) focus: usize,
    /// Its selected row, and those of the others.
    selected: [usize; Panel::ALL.len()],
    /// It fills the screen.
    pub(crate) is_expanded: bool,
    /// Of all panels by name.
    pub(crate) sort: Sort,
    /// The last one is shown.
    pub(crate) pages: Vec<Page>,
    /// What was typed, as the command line has it.
    pub(crate) filter: String,
    /// It is being typed; what it was before.
    pub(crate) editing: Option<String>,
    /// Why what is typed is no filter yet.
    pub(crate) filter_error: Option<String>,
    /// The instant that is shown; `None`: now.
    pub(crate) at: Option<Instant>,
    /// It is shown because the screen was held.
    pub(crate) is_paused: bool,
    /// Counters are from here on.
    pub(crate) mark: Option<Instant>,
    /// How long the window is; `None`: all of the log.
    pub(crate) window_ms: Option<i64>,
    view_end: Option<Instant>,
    /// The keys are shown.
    pub(crate) helps: bool,
    /// What was done last, in words.
    pub(crate) said: Option<String>,
    /// Moments that came since.
    said_for: usize,
    /// Columns and rows of the list that is scrolled by pages.
    pub(crate) page_rows: usize,
    /// Columns of the timeline.
    pub(crate) columns: usize,
    /// Before the first answer: bytes that were read, of how many.
    pub(crate) progress: Option<(u64, Option<u64>)>,
    /// The last question, and so the answer that is waited for.
    pub(crate) asked: u64,
}

impl State {
    /// A screen with a window of this length, at this instant or now.
    pub(crate) fn new(window_ms: Option<i64>, at: Option<Instant>, filter: String) -> State {
        State {
            filter,
            at,
            window_ms,
            ..State::default()
        }
    }

    /// The panels that there are.
    pub(crate) fn panels(&self) -> &'static [Panel] {
        let has_servers = |moment: &Moment| moment.servers.len() > 1;
        if self.moment.as_ref().is_some_and(has_servers) {
            &Panel::ALL
        } else {
            &Panel::ALL[..Panel::ALL.len() - 1]
        }
    }

    /// The panel that has the focus.
    pub(crate) fn panel(&self) -> Panel {
        self.panels()
            .get(self.focus)
            .copied()
            .unwrap_or(Panel::ALL[0])
    }

    /// The answer to the last question has not come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.moment
            .as_ref()
            .is_none_or(|moment| moment.number < self.asked)
    }

    /// An answer. One to an earlier question is shown too, as long as nothing later is there; what it was
    /// not asked for stays as it is until then.
    pub(crate) fn take(&mut self, mut moment: Moment) {
        let is_older = |shown: &Moment| {
            let is_less = moment.is_partial && !shown.is_partial;
            moment.number < shown.number || moment.number == shown.number && is_less
        };
        if !self.moment.as_ref().is_some_and(is_older) {
            // The past is made of records; time has gone by since the last of them, and the cursor may stand in it.
            if let (Some((_, last)), Some(known)) = (&mut moment.input, self.last()) {
                *last = known.max(*last);
            }
            self.stop_saying(&moment);
            let kept = self.kept();
            self.moment = Some(match self.moment.take() {
                Some(counted) if counted.is_counted_for(&moment) => counted.with_lists_of(moment),
                _ => moment,
            });
            self.select_again(kept);
        }
    }

    /// What was done is news for a few moments, and none beside what has gone wrong since.
    fn stop_saying(&mut self, next: &Moment) {
        let problems = self.moment.as_ref().map(|moment| &moment.problems);
        let is_new = |problem: &String| problems.is_none_or(|known| !known.contains(problem));
        self.said_for += 1;
        if self.said_for > SAID_FOR || next.problems.iter().any(is_new) {
            self.said = None;
        }
    }

    /// The next question.
    pub(crate) fn ask(&mut self, filter: pgcensus_core::filter::Filter) -> Ask {
        self.asked += 1;
        Ask {
            number: self.asked,
            at: self.at,
            view_end: self.view_end,
            window_ms: self.window_ms,
            mark: self.mark,
            columns: self.columns.max(1),
            is_earlier: false,
            filter,
            detail: self
                .pages
                .last()
                .map_or(Detail::Overview, |page| page.detail.clone()),
        }
    }

    /// The dimension that a bare word of a filter is looked for in.
    pub(crate) fn dimension(&self) -> Dimension {
        match self.panel() {
            Panel::By(dimension) => dimension,
            Panel::Refused | Panel::Oldest | Panel::Events => Dimension::ApplicationName,
        }
    }

    /// Rows of a panel by name, in their order.
    pub(crate) fn name_rows(&self, dimension: Dimension) -> Vec<&NameRow> {
        let Some(moment) = &self.moment else {
            return Vec::new();
        };
        let mut rows: Vec<&NameRow> = moment.rows[dimension as usize].iter().collect();
        match self.sort {
            Sort::Open => {}
            Sort::Name => rows.sort_by(|a, b| a.name.cmp(&b.name)),
            sort => rows.sort_by_key(|row| std::cmp::Reverse(sort.count(row))),
        }
        rows
    }

    fn rows_of(&self, panel: Panel) -> usize {
        let Some(moment) = &self.moment else { return 0 };
        match panel {
            Panel::By(dimension) => moment.rows[dimension as usize].len(),
            Panel::Refused => moment.refused.len(),
            Panel::Oldest => moment.oldest.len(),
            Panel::Events => moment.events.len(),
        }
    }

    /// Sessions of the page that is shown.
    pub(crate) fn sessions(&self) -> &[SessionRow] {
        match self.details() {
            Some(Details::Sessions(sessions, ..)) => sessions,
            _ => &[],
        }
    }

    /// Events of the page that is shown; of a backend its history.
    pub(crate) fn events(&self) -> &[EventRow] {
        match self.details() {
            Some(Details::Events(events) | Details::Backend(events, _)) => events,
            _ => &[],
        }
    }

    /// What the page shows, once it is there.
    pub(crate) fn details(&self) -> Option<&Details> {
        let moment = self.moment.as_ref()?;
        let page = self.pages.last()?;
        let is_there = !moment.is_partial || moment.detail != Details::None;
        (is_there && moment.asked == page.detail).then_some(&moment.detail)
    }

    /// Rows of the page that is shown.
    pub(crate) fn page_len(&self) -> usize {
        match self.details() {
            Some(Details::Sessions(sessions, ..)) => sessions.len(),
            Some(Details::Events(events)) => events.len(),
            Some(Details::Backend(events, lines)) => events.len() + lines.lines.len(),
            Some(Details::None) | None => 0,
        }
    }

    /// The selected row of the page that is shown.
    pub(crate) fn page_selected(&self) -> usize {
        let selected = self.pages.last().map_or(0, |page| page.selected);
        selected.min(self.page_len().saturating_sub(1))
    }

    /// The instant that is shown.
    fn now(&self) -> Option<Instant> {
        self.moment.as_ref()?.at
    }

    /// The last instant that there is.
    pub(crate) fn last(&self) -> Option<Instant> {
        Some(self.moment.as_ref()?.input?.1)
    }

    /// What an action does.
    pub(crate) fn apply(&mut self, action: Action) -> Effect {
        self.said = None;
        self.said_for = 0;
        if self.helps {
            self.helps = false;
            return match action {
                Action::Quit => Effect::Quit,
                Action::Abort => Effect::Abort,
                _ => Effect::Redraw,
            };
        }
        match action {
            Action::Quit => return Effect::Quit,
            Action::Abort => return Effect::Abort,
            Action::Suspend => return Effect::Suspend,
            Action::Redraw => {}
            Action::Help => self.helps = true,
            Action::Panel(digit) => return self.choose(digit),
            Action::NextPanel => self.turn(1),
            Action::PreviousPanel => self.turn(self.panels().len() - 1),
            Action::Move(by) => self.go(by),
            Action::MovePage(by) => self.go(by * self.page_rows.max(1) as isize),
            Action::MoveEnd(first) => self.go(if first {
                isize::MIN / 2
            } else {
                isize::MAX / 2
            }),
            Action::Enter => return self.enter(),
            Action::Back => return self.back(),
            Action::Expand => self.is_expanded = !self.is_expanded,
            Action::Sort => self.sort = self.sort.next(),
            Action::Filter => self.editing = Some(self.filter.clone()),
            Action::Step(steps) => return self.step(steps),
            Action::Now => return self.show_at(None),
            Action::First => {
                let first = self.moment.as_ref().and_then(|moment| moment.input);
                return self.show_at(first.map(|(first, _)| first));
            }
            Action::Pause => {
                if self.is_paused || self.at.is_some() {
                    return self.show_at(None);
                }
                // What happened just now is part of it.
                self.at = self.now().map(|now| now.plus_ms(1));
                self.view_end = self.at;
                self.is_paused = self.at.is_some();
                return Effect::Ask;
            }
            Action::Clear => {
                self.mark = match self.mark {
                    Some(_) => None,
                    None => self.at.or(self.now().map(|now| now.plus_ms(1))),
                };
                self.said = Some(match self.mark {
                    Some(_) => "counters begin here; c takes them back".to_owned(),
                    None => "counters are of the whole window".to_owned(),
                });
                return Effect::Ask;
            }
            Action::Zoom(is_longer) => return self.zoom(is_longer),
            Action::Copy => {
                if let Some(text) = rows::selected_text(self) {
                    self.said = Some(format!("copied: {text}"));
                    return Effect::Copy(text);
                }
            }
            Action::Type(c) => return self.edit(|text| text.push(c)),
            Action::Erase => {
                return self.edit(|text| {
                    text.pop();
                });
            }
            Action::EraseWord => {
                return self.edit(|text| {
                    let kept = text.trim_end().rfind(' ').map_or(0, |space| space + 1);
                    text.truncate(kept);
                });
            }
            Action::EraseAll => return self.edit(String::clear),
            // What is no filter is not kept.
            Action::Accept if self.filter_error.is_some() => return Effect::Nothing,
            Action::Accept => self.editing = None,
        }
        Effect::Redraw
    }

    fn edit(&mut self, change: impl Fn(&mut String)) -> Effect {
        let before = self.filter.clone();
        change(&mut self.filter);
        if self.filter.len() > FILTER_MAX {
            self.filter = before;
            return Effect::Nothing;
        }
        Effect::Ask
    }

    fn choose(&mut self, digit: usize) -> Effect {
        if digit == 0 || digit > self.panels().len() {
            return Effect::Nothing;
        }
        self.focus = digit - 1;
        let was_elsewhere = !self.pages.is_empty();
        self.pages.clear();
        if was_elsewhere {
            Effect::Ask
        } else {
            Effect::Redraw
        }
    }

    fn turn(&mut self, by: usize) {
        if self.pages.is_empty() {
            self.focus = (self.focus + by) % self.panels().len();
        }
    }

    /// Drills down.
    fn enter(&mut self) -> Effect {
        let Some(detail) = self.below() else {
            return Effect::Nothing;
        };
        self.pages.push(Page {
            detail,
            selected: 0,
        });
        Effect::Ask
    }

    fn back(&mut self) -> Effect {
        if let Some(before) = self.editing.take() {
            self.filter = before;
            self.filter_error = None;
            return Effect::Ask;
        }
        if self.pages.pop().is_some() {
            return Effect::Ask;
        }
        if self.is_expanded {
            self.is_expanded = false;
            return Effect::Redraw;
        }
        if !self.filter.is_empty() {
            self.filter.clear();
            self.filter_error = None;
            return Effect::Ask;
        }
        if self.at.is_some() {
            return self.show_at(None);
        }
        Effect::Nothing
    }
}

/// Moments for which what was done is said: ten seconds of them, or less where much happens.
const SAID_FOR: usize = 10;

/// A filter is no longer than this.
const FILTER_MAX: usize = 4_096;
