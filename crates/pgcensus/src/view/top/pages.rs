//! Where one has drilled down to: sessions, events, the log lines of a backend.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::moment::{Detail, Details, Moment};
use super::panels::{dropped, frame, offset};
use super::state::State;
use super::theme::Theme;
use super::{put, row, rows};
use crate::view::Show;
use crate::view::text::{clusters, shown, thousands};

/// Draws the last page.
pub(super) fn draw(
    state: &State,
    moment: &Moment,
    show: &Show<'_>,
    area: Rect,
    theme: Theme,
    buf: &mut Buffer,
) {
    let Some(page) = state.pages.last() else {
        return;
    };
    let title = title(&page.detail, show);
    let right = right_title(state, moment, show);
    let inner = frame(buf, area, false, &title, &right, theme.focus(), theme);
    let Some(details) = state.details() else {
        put(buf, inner, "reading the log …", theme.dim());
        return;
    };
    let list = list_area(inner, details);
    let width = usize::from(list.width);
    if list.y > inner.y {
        put(buf, inner, &rows::session_head(width), theme.dim());
    }
    if state.page_len() == 0 {
        if !moment.is_partial {
            put(buf, list, nothing(details), theme.dim());
        }
        return;
    }
    let selected = state.page_selected();
    let wraps = state.is_expanded && matches!(details, Details::Backend(..));
    let mut first = offset(selected, list.height);
    if wraps {
        // From the selected row on, so that all of it is there.
        first = selected;
    }
    let mut y = 0;
    for i in first..state.page_len() {
        if y >= list.height {
            break;
        }
        let line = line(details, i, show, width, theme);
        let parts = if wraps {
            wrapped(&line, width)
        } else {
            vec![line]
        };
        for part in parts {
            let at = row(list, y);
            if at.height == 0 {
                break;
            }
            buf.set_line(at.x, at.y, &part, at.width);
            if i == selected {
                buf.set_style(at, theme.selected());
            }
            y += 1;
        }
    }
}

/// One row of a page.
fn line(details: &Details, i: usize, show: &Show<'_>, width: usize, theme: Theme) -> Line<'static> {
    match details {
        Details::Sessions(sessions, ..) => rows::session(&sessions[i], show, width, theme),
        Details::Events(events) => rows::event(&events[i], show, width, theme),
        Details::Backend(events, _) if i < events.len() => {
            rows::event(&events[i], show, width, theme)
        }
        Details::Backend(events, lines) => {
            let (at, text) = &lines.lines[i - events.len()];
            // What has no time of its own is the rest of a record.
            let style = if at.is_some() {
                Style::new()
            } else {
                theme.dim()
            };
            Line::from(Span::styled(shown(text).into_owned(), style))
        }
        Details::None => Line::default(),
    }
}

/// A line of the log that is selected.
pub(super) fn line_text(state: &State, selected: usize) -> Option<String> {
    let Some(Details::Backend(events, lines)) = state.details() else {
        return None;
    };
    let (_, text) = lines.lines.get(selected.checked_sub(events.len())?)?;
    Some(shown(text).into_owned())
}

/// A line in as many rows as it takes.
fn wrapped(line: &Line<'_>, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    let mut used = 0;
    for span in &line.spans {
        let mut text = String::new();
        for (cluster, columns) in clusters(&span.content) {
            if used + columns > width {
                let whole = std::mem::take(&mut text);
                if let Some(last) = lines.last_mut() {
                    last.push_span(Span::styled(whole, span.style));
                }
                lines.push(Line::default());
                used = 0;
            }
            used += columns;
            text.push_str(cluster);
        }
        if let Some(last) = lines.last_mut() {
            last.push_span(Span::styled(text, span.style));
        }
    }
    lines
}

/// The part of a page that has its rows: sessions have a head.
fn list_area(inner: Rect, details: &Details) -> Rect {
    let head = u16::from(matches!(details, Details::Sessions(..)));
    Rect {
        y: inner.y + head.min(inner.height),
        height: inner.height.saturating_sub(head),
        ..inner
    }
}

fn title(detail: &Detail, show: &Show<'_>) -> String {
    match detail {
        Detail::Overview => String::new(),
        Detail::Sessions(None) => "sessions".to_owned(),
        Detail::Sessions(Some((dimension, name))) => {
            let dimension = super::state::Panel::By(*dimension).title();
            format!("sessions of {dimension} {}", shown(name))
        }
        Detail::Events => "events".to_owned(),
        Detail::Refusals(reason) => format!("refused: {}", reason.as_str()),
        Detail::Backend(backend) => {
            let server = if show.servers.len() > 1 {
                format!(" of {}", shown(show.server(backend.server).as_bytes()))
            } else {
                String::new()
            };
            format!(
                "pid {}{server}: its history, the last first, then its lines",
                backend.pid
            )
        }
    }
}

fn right_title(state: &State, moment: &Moment, show: &Show<'_>) -> String {
    match state.details() {
        _ if moment.is_partial => "reading the log …".to_owned(),
        Some(Details::Sessions(sessions, open, ended)) => {
            let is_open = |n: &&super::moment::SessionRow| n.end.is_none();
            let n = sessions.iter().filter(is_open).count();
            let mut text = format!("{} open, {} ended", n, sessions.len() - n);
            if open + ended > 0 {
                text += &format!(", {} more not kept", thousands(open + ended));
            }
            text
        }
        Some(Details::Events(_)) => dropped(moment, show).unwrap_or_default(),
        Some(Details::Backend(_, lines)) => lines.note.clone().unwrap_or_default(),
        Some(Details::None) | None => String::new(),
    }
}

fn nothing(details: &Details) -> &'static str {
    match details {
        Details::Sessions(..) => "no session in this window",
        Details::Events(_) => "no event in this window",
        Details::Backend(..) | Details::None => "nothing is logged of it",
    }
}

/// The row of a page under the mouse.
pub(super) fn row_at(state: &State, area: Rect, y: u16) -> Option<usize> {
    let details = state.details()?;
    let inner = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    let list = list_area(inner, details);
    let first = offset(state.page_selected(), list.height);
    let row = first + usize::from(y.checked_sub(list.y)?);
    (row < state.page_len()).then_some(row)
}
