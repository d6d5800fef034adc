//! `top`: the full-screen dashboard. A state and the size of a terminal make a frame, and nothing else does.
//!
//! ```text
//! 12 open of 97   ▁▂▃▅█▇▅  peak 12 at 23 Nov 05:21:18 UTC   exact since the crash 23 Nov 05:21:29
//! connects 0.93/s  disconnects 0.87/s  refused 2.2/s  46 % of sessions under a second   now 05:21:36
//! ```
//!
//! Where the numbers come from is not known here, see [`moment`]; nor is the terminal.

pub(crate) mod keys;
pub(crate) mod layout;
pub(crate) mod moment;
mod pages;
mod panels;
mod rows;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod theme;
mod timeline;

use std::borrow::Cow;

use pgcensus_core::instant::Instant;
use pgcensus_core::snapshot::Certainty;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Show;
use super::summary::amount;
use super::text::{Width as _, clusters, duration, part_of, shown, sparkline, thousands};
use keys::Action;
use layout::Layout;
use moment::Moment;
use state::{Effect, Panel, Sort, State};
pub(crate) use theme::Theme;

/// Fewer columns or rows than these show nothing but that.
const SMALLEST: (u16, u16) = (30, 6);

/// Draws the screen.
pub(crate) fn draw(state: &State, theme: Theme, area: Rect, buf: &mut Buffer) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        put(buf, area, "too small", Style::new());
        return;
    }
    let layout = Layout::new(area, state);
    match &state.moment {
        None => {
            let part = state.progress.map(|(read, all)| part_of(read, all));
            let text = format!("reading the log … {}", part.unwrap_or_default());
            put(buf, layout.head, &text, theme.dim());
        }
        Some(moment) => {
            let show = show_of(moment);
            head(state, moment, &show, layout.head, theme, buf);
            timeline::draw(moment, state.at, &layout, &show, theme, buf);
            match layout.page {
                Some(page) => pages::draw(state, moment, &show, page, theme, buf),
                None => panels::draw(state, moment, &show, &layout, theme, buf),
            }
        }
    }
    foot(state, layout.foot, theme, buf);
    if state.helps {
        help(area, theme, buf);
    }
}

/// How times and servers of a moment are worded.
fn show_of(moment: &Moment) -> Show<'_> {
    Show {
        zone: &moment.zone,
        servers: &moment.servers,
        color: false,
        width: 0,
        limit: None,
        by: &[],
        terminal: true,
        window_is_default: false,
    }
}

/// The first two lines.
fn head(
    state: &State,
    moment: &Moment,
    show: &Show<'_>,
    area: Rect,
    theme: Theme,
    buf: &mut Buffer,
) {
    let (first, second) = (row(area, 0), row(area, 1));
    let open = &moment.census.open;
    let mut left = vec![
        Span::styled(amount(open.count, open.certainty), theme.bold()),
        Span::styled(" open", theme.open()),
    ];
    if let Some(max) = moment.max_connections {
        left.push(Span::styled(
            format!(" of {}", thousands(u64::from(max))),
            theme.dim(),
        ));
    }
    let walsenders = moment.census.walsenders.count.filter(|&n| n > 0);
    if let Some(n) = walsenders {
        left.push(Span::styled(format!(" + {n} walsenders"), theme.dim()));
    }
    left.push(Span::raw("  "));
    let is_wide = area.width >= 110;
    let mut right = peak(moment, show, is_wide, theme);
    right.extend(certainty(moment, show, is_wide, theme));
    // How many are open comes first, then how certain that is.
    let columns = usize::from(area.width);
    if width(&left) + width(&right) > columns {
        right = certainty(moment, show, is_wide, theme);
    }
    if width(&left) + width(&right) > columns {
        right.clear();
    }
    let used = width(&left) + width(&right);
    let room = columns.saturating_sub(used + 1);
    let until = state.at.or(moment.at);
    let numbers: Vec<u64> = moment
        .timeline
        .buckets
        .iter()
        .filter(|bucket| until.is_none_or(|until| bucket.start <= until))
        .map(|bucket| bucket.open_max)
        .collect();
    if room >= 6 && open.count.is_some() {
        let spark = pooled(&numbers, room.min(40) - 2);
        left.push(Span::styled(sparkline(&spark), theme.open()));
    }
    line(buf, first, left);
    line_right(buf, first, right);

    let mut rates = Vec::new();
    if let Some(now) = moment.rates {
        for (word, rate, style) in [
            ("connects", now.connects, theme.connected()),
            ("disconnects", now.disconnects, theme.disconnected()),
            ("refused", now.refused, theme.refused()),
        ] {
            rates.push(Span::styled(format!("{word} "), style));
            rates.push(Span::styled(per_second(rate), theme.bold()));
            rates.push(Span::raw("  "));
        }
    }
    let when = when(state, moment, show, is_wide, theme);
    let columns = columns.saturating_sub(width(&when));
    if let Some(share) = under_a_second(moment) {
        let of = if is_wide {
            " of sessions under a second"
        } else {
            " under 1 s"
        };
        let share = [
            Span::styled(format!("{share}%"), theme.bold()),
            Span::styled(of, theme.dim()),
        ];
        if width(&rates) + width(&share) < columns {
            rates.extend(share);
        }
    }
    // What does not fit is left out, a rate with its number.
    while width(&rates) > columns && rates.len() >= 3 {
        rates.truncate(rates.len() - 3);
    }
    // What counters are of, where there is room for it.
    if let Some((since, until)) = moment.census.window {
        let of = format!("   window {}", duration(until.since(since).max(0) as u64));
        if width(&rates) + of.width() + 3 <= columns {
            rates.push(Span::styled(of, theme.dim()));
        }
    }
    line(buf, second, rates);
    line_right(buf, second, when);
}

/// `peak 12 at 23 Nov 05:21:18`
fn peak<'s>(moment: &Moment, show: &Show<'_>, is_wide: bool, theme: Theme) -> Vec<Span<'s>> {
    let peak = &moment.census.peak;
    let Some(count) = peak.count else {
        return Vec::new();
    };
    let at = peak.at.map_or(String::new(), |at| {
        let at = if is_wide {
            show.second(at)
        } else {
            show.clock_s(at)
        };
        format!(" at {at}")
    });
    vec![
        Span::styled("peak ", theme.dim()),
        Span::styled(thousands(count), theme.bold()),
        Span::styled(format!("{at}  "), theme.dim()),
    ]
}

/// Since when the count is exact, or what it is instead; of several servers, how many are.
fn certainty<'s>(moment: &Moment, show: &Show<'_>, is_wide: bool, theme: Theme) -> Vec<Span<'s>> {
    let open = &moment.census.open;
    let servers = &moment.census.servers;
    let exact = |certainty| certainty == Certainty::Exact;
    if servers.len() > 1 && !exact(open.certainty) {
        let n = servers
            .iter()
            .filter(|own| exact(own.open.certainty))
            .count();
        let text = format!("exact for {n} of {} servers", servers.len());
        return vec![Span::styled(text, theme.disconnected())];
    }
    let text = match (open.certainty, open.exact_since) {
        (Certainty::Exact, Some((at, marker))) => {
            let marker = marker.as_str();
            let at = if is_wide {
                show.second(at)
            } else {
                show.clock_s(at)
            };
            format!("exact since {marker} {at}")
        }
        (Certainty::Exact, None) => "exact".to_owned(),
        (Certainty::AtLeast, _) => "or more: beginnings unseen".to_owned(),
        (Certainty::AtMost, _) => "or fewer: ends unseen".to_owned(),
        (Certainty::Unknown, _) => "not exact".to_owned(),
    };
    let style = if exact(open.certainty) {
        theme.dim()
    } else {
        theme.disconnected()
    };
    vec![Span::styled(text, style)]
}

/// Which instant is shown, and why.
fn when<'s>(
    state: &State,
    moment: &Moment,
    show: &Show<'_>,
    is_wide: bool,
    theme: Theme,
) -> Vec<Span<'s>> {
    let waits = if state.is_waiting() || moment.is_partial {
        "… "
    } else {
        ""
    };
    let text = |at| {
        if is_wide {
            show.zoned(at)
        } else {
            show.clock_s(at)
        }
    };
    let mut spans = vec![Span::styled(waits, theme.dim())];
    // In what was before the mark, nothing is counted from it.
    let is_before = |mark: &Instant| state.at.is_some_and(|at| at < *mark);
    if let Some(mark) = state.mark.filter(|mark| !is_before(mark)) {
        spans.push(Span::styled(
            format!("since {}  ", show.clock_s(mark)),
            theme.disconnected(),
        ));
    }
    match (state.at, moment.at) {
        (Some(at), _) if state.is_paused => {
            spans.push(Span::styled(
                format!(" held {} ", text(at)),
                theme.selected(),
            ));
        }
        (Some(at), _) => {
            spans.push(Span::styled(format!(" at {} ", text(at)), theme.selected()));
        }
        (None, Some(at)) => spans.push(Span::styled(text(at), theme.dim())),
        (None, None) => {}
    }
    spans
}

/// What is wrong with a path in at most so many columns: what it is matters more than where the path begins.
fn cut_path(problem: &str, room: usize) -> Cow<'_, str> {
    if !problem.starts_with('/') || problem.width() <= room {
        return Cow::Borrowed(problem);
    }
    let mut used = 1;
    let end = clusters(problem).rev().take_while(|(_, columns)| {
        used += columns;
        used <= room
    });
    let end: usize = end.map(|(cluster, _)| cluster.len()).sum();
    Cow::Owned(format!("…{}", &problem[problem.len() - end..]))
}

/// The last line: the filter, what is wrong, what was done, or the keys.
fn foot(state: &State, area: Rect, theme: Theme, buf: &mut Buffer) {
    let filter = shown(state.filter.as_bytes());
    let mut spans = Vec::new();
    if state.editing.is_some() {
        spans.push(Span::styled(format!("/{filter}"), theme.bold()));
        spans.push(Span::styled(" ", theme.selected()));
        let says = state.filter_error.as_ref();
        match says {
            Some(error) => {
                let error = shown(error.as_bytes());
                spans.push(Span::styled(format!("  {error}"), theme.refused()));
            }
            None => spans.push(Span::styled(
                "  Enter keeps it, Esc takes it back",
                theme.dim(),
            )),
        }
        line(buf, area, spans);
        return;
    }
    if !filter.is_empty() {
        spans.push(Span::styled(format!("/{filter}"), theme.focus()));
        spans.push(Span::raw("  "));
    }
    let problems = state.moment.as_ref().map(|moment| &moment.problems);
    if let Some(said) = &state.said {
        spans.push(Span::raw(said.clone()));
    } else if let Some(problem) = problems.and_then(|problems| problems.first()) {
        let room = usize::from(area.width).saturating_sub(width(&spans));
        let problem = shown(problem.as_bytes());
        spans.push(Span::styled(
            cut_path(&problem, room).into_owned(),
            theme.wrong(),
        ));
    } else {
        let is_overview = state.pages.is_empty();
        // Narrow panels do not say what their counts are.
        let sorted = match state.sort {
            Sort::Connects => Some("by connects"),
            Sort::Refused => Some("by refused"),
            Sort::Open | Sort::Name => None,
        };
        if let Some(sorted) = sorted.filter(|_| is_overview) {
            spans.push(Span::styled("s", theme.focus()));
            spans.push(Span::styled(format!(" {sorted}  "), theme.dim()));
        }
        let keys: &[(&str, &str)] = if is_overview {
            &[
                ("?", "help"),
                ("q", "quit"),
                ("Tab", "panel"),
                ("Enter", "sessions"),
                ("/", "filter"),
                ("←→", "past"),
                ("End", "now"),
                ("Space", "hold"),
                ("s", "sort"),
                ("e", "expand"),
                ("c", "clear"),
                ("y", "copy"),
            ]
        } else {
            &[
                ("?", "help"),
                ("Esc", "back"),
                ("Enter", "lines"),
                ("/", "filter"),
                ("←→", "past"),
                ("End", "now"),
                ("e", "wrap"),
                ("y", "copy"),
                ("q", "quit"),
            ]
        };
        let has_lines = state.below().is_some();
        let keys = keys.iter().filter(|(key, word)| match *key {
            "s" => sorted.is_none(),
            "Enter" => *word != "lines" || has_lines,
            _ => true,
        });
        for (key, word) in keys {
            let (key, word) = ((*key).to_owned(), format!(" {word}  "));
            if width(&spans) + key.width() + word.trim_end().width() > usize::from(area.width) {
                break;
            }
            spans.push(Span::styled(key, theme.focus()));
            spans.push(Span::styled(word, theme.dim()));
        }
    }
    line(buf, area, spans);
}

/// The keys, over the rest.
fn help(area: Rect, theme: Theme, buf: &mut Buffer) {
    let rows = keys::HELP.len() as u16 + 2;
    let widest = keys::HELP
        .iter()
        .map(|(_, text)| text.width())
        .max()
        .unwrap_or(0);
    let columns = (widest + 26) as u16;
    let area = Rect {
        x: area.x + area.width.saturating_sub(columns) / 2,
        y: area.y + area.height.saturating_sub(rows) / 2,
        width: columns.min(area.width),
        height: rows.min(area.height),
    };
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    let inner = panels::frame(
        buf,
        area,
        true,
        "keys",
        "any key goes on",
        theme.focus(),
        theme,
    );
    for (i, (key, text)) in (0..).zip(keys::HELP) {
        let keys = super::text::left(key, 20);
        let spans = vec![
            Span::raw(" "),
            Span::styled(keys, theme.focus()),
            Span::raw(format!(" {text}")),
        ];
        line(buf, row(inner, i), spans);
    }
}

/// What a click does.
pub(crate) fn click(state: &mut State, area: Rect, (x, y): (u16, u16)) -> Effect {
    let layout = Layout::new(area, state);
    if state.helps {
        return state.apply(Action::Redraw);
    }
    let at = ratatui::layout::Position { x, y };
    if layout.plot().contains(at) {
        return drag(state, area, (x, y));
    }
    let pointed = match layout.page {
        Some(page) if page.contains(at) => pages::row_at(state, page, y).map(|row| (None, row)),
        Some(_) => None,
        None => panels::row_at(state, &layout, at).map(|(panel, row)| (Some(panel), row)),
    };
    match pointed {
        Some((panel, row)) if state.point(panel, row) => state.apply(Action::Enter),
        Some(_) => Effect::Redraw,
        None => Effect::Nothing,
    }
}

/// What dragging does: on the timeline, it takes the cursor along.
pub(crate) fn drag(state: &mut State, area: Rect, (x, y): (u16, u16)) -> Effect {
    let plot = Layout::new(area, state).plot();
    if state.helps || !plot.contains(ratatui::layout::Position { x, y }) {
        return Effect::Nothing;
    }
    let moment = state.moment.as_ref();
    let instant = moment.and_then(|moment| timeline::instant_at(moment, plot.width, x - plot.x));
    state.show_at(instant)
}

/// What the wheel does: it moves the selection of what is under it.
pub(crate) fn scroll(state: &mut State, area: Rect, (x, y): (u16, u16), by: isize) -> Effect {
    let layout = Layout::new(area, state);
    let at = ratatui::layout::Position { x, y };
    if layout.timeline.contains(at) {
        return state.apply(Action::Step(by as i64));
    }
    if let Some((panel, _)) = layout.panels.iter().find(|(_, area)| area.contains(at)) {
        state.focus = panel.digit() - 1;
    }
    state.apply(Action::Move(by))
}

/// Says how much room there is, before anything is asked for.
pub(crate) fn fit(state: &mut State, area: Rect) -> bool {
    let layout = Layout::new(area, state);
    state.page_rows = match layout.page {
        Some(page) => usize::from(page.height.saturating_sub(3)),
        None => layout
            .panels
            .iter()
            .find(|(panel, _)| *panel == state.panel())
            .map_or(1, |&(_, area)| usize::from(layout.inner(area).height)),
    };
    let columns = usize::from(layout.plot().width).max(1);
    let changed = columns != state.columns;
    state.columns = columns;
    changed
}

/// How many sessions of a hundred took less than a second.
fn under_a_second(moment: &Moment) -> Option<u64> {
    let histogram = moment.census.session_time.histogram;
    let all: u64 = histogram.iter().sum();
    (all > 0).then(|| super::text::percent(histogram[..2].iter().sum(), all))
}

/// `0.93/s`, `12/s`, `1,204/s`
fn per_second(rate: f64) -> String {
    match rate {
        0.0 => "0/s".to_owned(),
        rate if rate < 0.995 => format!("{rate:.2}/s"),
        rate if rate < 99.5 => format!("{rate:.1}/s"),
        rate => format!("{}/s", thousands(rate.round() as u64)),
    }
}

/// The largest of as many parts as there are columns; numbers that are fewer as they are.
fn pooled(numbers: &[u64], columns: usize) -> Vec<u64> {
    let each = numbers.len().div_ceil(columns.max(1)).max(1);
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
    numbers.chunks(each).map(most).collect()
}

/// A row of an area; an empty one where it has no such row.
fn row(area: Rect, i: u16) -> Rect {
    Rect {
        y: area.y + i.min(area.height),
        height: u16::from(i < area.height),
        ..area
    }
}

fn width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| span.content.width()).sum()
}

/// Writes text at the begin of an area.
fn put(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    if area.height > 0 {
        buf.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    }
}

/// At its end.
fn put_right(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    let gap = usize::from(area.width).saturating_sub(text.width()) as u16;
    let area = Rect {
        x: area.x + gap,
        width: area.width - gap,
        ..area
    };
    put(buf, area, text, style);
}

fn line(buf: &mut Buffer, area: Rect, spans: Vec<Span<'_>>) {
    if area.height > 0 {
        buf.set_line(area.x, area.y, &Line::from(spans), area.width);
    }
}

fn line_right(buf: &mut Buffer, area: Rect, spans: Vec<Span<'_>>) {
    let gap = usize::from(area.width).saturating_sub(width(&spans)) as u16;
    let area = Rect {
        x: area.x + gap,
        width: area.width - gap,
        ..area
    };
    line(buf, area, spans);
}

/// The panel that has the focus is drawn as such.
fn has_focus(state: &State, panel: Panel) -> bool {
    state.panel() == panel
}
