//! Where things are on a screen of some size. Drawing and the mouse ask the same function.
//!
//! ```text
//! ┌ 2 lines: open, rates ─────────────────────┐
//! │ timeline: chart, three lanes, axis        │
//! ├─────────────┬──────────────┬──────────────┤
//! │ application │ user         │ database     │   or the page that one has drilled down to
//! ├─────────────┼──────────────┼──────────────┤
//! │ client host │ refused      │ oldest open  │
//! ├─────────────┴──────────────┴──────────────┤
//! │ events, where there is room               │
//! └ 1 line: keys, filter, what is wrong ──────┘
//! ```

use ratatui::layout::Rect;

use super::state::{Panel, State};

/// Columns before the timeline, where it says what a row is.
pub(crate) const GUTTER: u16 = 12;

/// Lanes and axis of the timeline.
const BELOW_CHART: u16 = 4;

/// Rows of a terminal from which on panels have frames.
const FRAMED_ROWS: u16 = 36;

/// Where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The first lines.
    pub(crate) head: Rect,
    /// The timeline; empty where there is no room.
    pub(crate) timeline: Rect,
    /// Panels with their areas, frames included.
    pub(crate) panels: Vec<(Panel, Rect)>,
    /// A page, in place of the panels.
    pub(crate) page: Option<Rect>,
    /// The last line.
    pub(crate) foot: Rect,
    /// Panels have frames on all sides, not only titles.
    pub(crate) is_framed: bool,
}

impl Layout {
    /// Of a screen of this size.
    pub(crate) fn new(area: Rect, state: &State) -> Layout {
        let is_framed = area.height >= FRAMED_ROWS && area.width >= 100;
        let (head, rest) = split(area, area.height.min(2));
        let (rest, foot) = split(rest, rest.height.saturating_sub(1));
        let chart = match rest.height {
            0..12 => 0,
            12..24 => 3,
            24..40 => 6,
            40..60 => 9,
            _ => 12,
        };
        let rows = if chart == 0 { 0 } else { chart + BELOW_CHART };
        let (timeline, body) = split(rest, rows);
        let is_page = !state.pages.is_empty();
        Layout {
            head,
            timeline,
            panels: if is_page {
                Vec::new()
            } else {
                panels(body, state)
            },
            page: is_page.then_some(body),
            foot,
            is_framed,
        }
    }

    /// The part of an area that rows are in.
    pub(crate) fn inner(&self, area: Rect) -> Rect {
        let side = u16::from(self.is_framed);
        Rect {
            x: area.x + side,
            y: area.y + 1,
            width: area.width.saturating_sub(2 * side),
            height: area.height.saturating_sub(1 + side),
        }
    }

    /// The part of the timeline that has a column for each bucket.
    pub(crate) fn plot(&self) -> Rect {
        let gutter = GUTTER.min(self.timeline.width);
        Rect {
            x: self.timeline.x + gutter,
            width: self.timeline.width - gutter,
            ..self.timeline
        }
    }
}

/// The first rows of an area, and the rest.
fn split(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    let first = Rect {
        height: rows,
        ..area
    };
    let rest = Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    };
    (first, rest)
}

/// The panels side by side; events below all others, where there is room.
fn panels(body: Rect, state: &State) -> Vec<(Panel, Rect)> {
    let all = state.panels();
    if state.is_expanded || body.height < 4 {
        return vec![(state.panel(), body)];
    }
    let mut columns = match body.width {
        0..50 => 1,
        50..72 => 2,
        _ => 3,
    };
    let has_events = body.height >= 26;
    let (grid, below) = split(
        body,
        if has_events {
            body.height - (body.height / 4).clamp(7, 16)
        } else {
            body.height
        },
    );
    let mut shown: Vec<Panel> = all
        .iter()
        .copied()
        .filter(|&panel| panel != Panel::Events)
        .collect();
    if shown.len() > 6 && body.width >= 160 {
        columns = 4;
    }
    // As many rows as have at least three lines; the panel with the focus is always among those that are shown.
    let lines = shown.len().div_ceil(columns);
    let lines = lines.min(usize::from(grid.height / 4)).max(1);
    let room = lines * columns;
    if !has_events && state.panel() == Panel::Events {
        shown.truncate(room.min(shown.len()) - 1);
        shown.push(Panel::Events);
    }
    if shown.len() > room {
        let focus = shown.iter().position(|&panel| panel == state.panel());
        let focus = focus.unwrap_or_default();
        if focus >= room {
            shown.swap(room - 1, focus);
        }
        shown.truncate(room);
    }
    let mut placed = Vec::new();
    for (line, panels) in shown.chunks(columns).enumerate() {
        let (top, bottom) = part(grid.height, lines, line);
        for (column, &panel) in panels.iter().enumerate() {
            let (left, right) = part(grid.width, panels.len(), column);
            let gap = u16::from(column + 1 < panels.len());
            placed.push((
                panel,
                Rect {
                    x: grid.x + left,
                    y: grid.y + top,
                    width: (right - left).saturating_sub(gap),
                    height: bottom - top,
                },
            ));
        }
    }
    if has_events {
        placed.push((Panel::Events, below));
    }
    placed
}

/// Where the `i`th of `n` equal parts of a length begins and ends.
fn part(length: u16, n: usize, i: usize) -> (u16, u16) {
    let at = |i: usize| (usize::from(length) * i / n.max(1)) as u16;
    (at(i), at(i + 1))
}
