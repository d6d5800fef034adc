//! The panels of the overview.

use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::ServerSnapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;

use super::layout::Layout;
use super::moment::{Moment, NameRow};
use super::state::{Panel, Sort, State};
use super::theme::Theme;
use super::{has_focus, put, put_right, row, rows};
use crate::view::Show;
use crate::view::text::{Width as _, counted, cut, shown, thousands};

/// Draws them.
pub(super) fn draw(
    state: &State,
    moment: &Moment,
    show: &Show<'_>,
    layout: &Layout,
    theme: Theme,
    buf: &mut Buffer,
) {
    for &(panel, area) in &layout.panels {
        let style = if has_focus(state, panel) {
            theme.focus()
        } else {
            theme.bold()
        };
        let title = format!("{} {}", panel.digit(), panel.title());
        let right = right_title(state, moment, panel, show);
        let inner = frame(buf, area, layout.is_framed, &title, &right, style, theme);
        debug_assert_eq!(inner, layout.inner(area));
        let selected = state.selected(panel);
        let first = offset(selected, inner.height);
        let width = usize::from(inner.width);
        let height = usize::from(inner.height);
        let lines = lines(state, moment, panel, show, (first, height, width), theme);
        if lines.is_empty() {
            put(buf, inner, nothing(panel, moment), theme.dim());
        }
        for (i, line) in (0..).zip(&lines) {
            let area = row(inner, i);
            if area.height == 0 {
                break;
            }
            buf.set_line(area.x, area.y, line, area.width);
            if has_focus(state, panel) && first + usize::from(i) == selected {
                buf.set_style(area, theme.selected());
            }
        }
    }
}

/// The rows of a panel from `first` on.
fn lines(
    state: &State,
    moment: &Moment,
    panel: Panel,
    show: &Show<'_>,
    (first, height, width): (usize, usize, usize),
    theme: Theme,
) -> Vec<Line<'static>> {
    match panel {
        Panel::By(dimension) => {
            let all_rows = state.name_rows(dimension);
            let counts = || all_rows.iter().map(|row| state.sort.count(row));
            let scale = (counts().max().unwrap_or(0), counts().sum());
            let rows = all_rows.iter().skip(first).take(height);
            let text = |row: &NameRow| match dimension {
                Dimension::Server => server(row, moment, show),
                _ => shown(&row.name).into_owned(),
            };
            rows.map(|row| rows::name((&text(row), row), state.sort, scale, width, theme))
                .collect()
        }
        Panel::Refused => {
            let counts = || moment.refused.iter().map(|(_, n, _)| *n);
            let scale = (counts().max().unwrap_or(0), counts().sum());
            let rows = moment.refused.iter().skip(first).take(height);
            rows.map(|(reason, n, trend)| {
                rows::refusals((reason.as_str(), *n, trend), scale, width, theme)
            })
            .collect()
        }
        Panel::Oldest => {
            let rows = moment.oldest.iter().skip(first).take(height);
            rows.map(|row| rows::oldest(row, show, width, theme))
                .collect()
        }
        Panel::Events => {
            let rows = moment.events.iter().skip(first).take(height);
            rows.map(|row| rows::event(row, show, width, theme))
                .collect()
        }
    }
}

/// A server, and since when its count is exact.
fn server(row: &NameRow, moment: &Moment, show: &Show<'_>) -> String {
    let name = shown(&row.name);
    let is_it = |own: &&ServerSnapshot| show.server(own.server).as_bytes() == &*row.name;
    let open = moment
        .census
        .servers
        .iter()
        .find(is_it)
        .map(|own| &own.open);
    if let Some((at, marker)) = open.and_then(|open| open.exact_since) {
        let at = show.clock_s(at);
        return format!("{name}  exact since {} {at}", marker.as_str());
    }
    let certainty = open.map_or("", |open| open.certainty.as_str());
    format!("{name}  {}", certainty.replace('_', " "))
}

/// What the counts are, or how many rows there are.
fn right_title(state: &State, moment: &Moment, panel: Panel, show: &Show<'_>) -> String {
    match panel {
        Panel::By(dimension) => {
            let rows = &moment.rows[dimension as usize];
            let n = rows.iter().filter(|row| state.sort.count(row) > 0).count();
            let names = counted(rows.len() as u64, "name", "names");
            match state.sort {
                Sort::Name => format!("{names} {}", Sort::Name.as_str()),
                Sort::Open if n == rows.len() => names,
                Sort::Open => format!(
                    "{} of {}",
                    thousands(n as u64),
                    thousands(rows.len() as u64)
                ),
                sort => format!("{names} by {}", sort.as_str()),
            }
        }
        Panel::Refused => thousands(moment.census.refused_connections),
        Panel::Oldest => String::new(),
        Panel::Events if moment.is_partial => "reading the log …".to_owned(),
        Panel::Events => dropped(moment, show).unwrap_or_default(),
    }
}

/// `events before 02:11:40 dropped (10,000 kept)`
pub(super) fn dropped(moment: &Moment, show: &Show<'_>) -> Option<String> {
    moment.events_dropped.map(|(before, kept)| {
        let before = show.clock_s(before);
        format!(
            "events before {before} dropped ({} kept)",
            thousands(kept as u64)
        )
    })
}

fn nothing(panel: Panel, moment: &Moment) -> &'static str {
    match panel {
        Panel::Oldest | Panel::Events if moment.is_partial => "reading the log …",
        Panel::By(_) | Panel::Oldest => "no session",
        Panel::Refused => "none",
        Panel::Events => "no event",
    }
}

/// The first row that is shown, so that the selected one is among them.
pub(super) fn offset(selected: usize, height: u16) -> usize {
    (selected + 1).saturating_sub(usize::from(height).max(1))
}

/// The row of a panel under the mouse.
pub(super) fn row_at(state: &State, layout: &Layout, at: Position) -> Option<(Panel, usize)> {
    let &(panel, area) = layout.panels.iter().find(|(_, area)| area.contains(at))?;
    let inner = layout.inner(area);
    let first = offset(state.selected(panel), inner.height);
    let row = usize::from(at.y.saturating_sub(inner.y));
    Some((panel, first + row))
}

/// A title over an area, and a frame around it, if wanted; what is left for its content.
pub(super) fn frame(
    buf: &mut Buffer,
    area: Rect,
    is_framed: bool,
    title: &str,
    right: &str,
    style: Style,
    theme: Theme,
) -> Rect {
    if area.height == 0 || area.width < 4 {
        return Rect { height: 0, ..area };
    }
    let (last_x, last_y) = (area.right() - 1, area.bottom() - 1);
    let mut set = |x: u16, y: u16, symbol: &str| {
        if let Some(cell) = buf.cell_mut((x, y)) {
            cell.set_symbol(symbol).set_style(theme.dim());
        }
    };
    for x in area.left()..area.right() {
        set(x, area.y, "─");
        if is_framed {
            set(x, last_y, "─");
        }
    }
    if is_framed {
        for y in area.y + 1..last_y {
            set(area.x, y, "│");
            set(last_x, y, "│");
        }
        set(area.x, area.y, "╭");
        set(last_x, area.y, "╮");
        set(area.x, last_y, "╰");
        set(last_x, last_y, "╯");
    }
    let side = u16::from(is_framed) + 1;
    let room = usize::from(area.width.saturating_sub(2 * side));
    let title = format!(" {} ", cut(title, room.saturating_sub(2)));
    let bar = Rect {
        x: area.x + side,
        width: room as u16,
        height: 1,
        ..area
    };
    put(buf, bar, &title, style);
    if !right.is_empty() && room >= title.width() + right.width() + 3 {
        put_right(buf, bar, &format!(" {right} "), theme.dim());
    }
    let side = u16::from(is_framed);
    Rect {
        x: area.x + side,
        y: area.y + 1,
        width: area.width.saturating_sub(2 * side),
        height: area.height.saturating_sub(1 + side),
    }
}
