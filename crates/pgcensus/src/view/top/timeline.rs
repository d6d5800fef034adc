//! The timeline: open sessions over the window, with connects, disconnects and refusals beneath, and the cursor.

use pgcensus_core::instant::Instant;
use pgcensus_core::snapshot::{Bucket, Certainty};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::layout::Layout;
use super::moment::Moment;
use super::theme::Theme;
use super::{put, put_right};
use crate::view::Show;
use crate::view::text::thousands;

/// Draws it.
pub(super) fn draw(
    moment: &Moment,
    cursor: Option<Instant>,
    layout: &Layout,
    show: &Show<'_>,
    theme: Theme,
    buf: &mut Buffer,
) {
    let plot = layout.plot();
    if plot.height < 5 || plot.width == 0 {
        return;
    }
    let (chart, lanes) = (plot.height - 4, plot.y + plot.height - 4);
    let buckets = shown(moment, plot.width);
    let at = cursor.or(moment.at);
    let max = |count: fn(&Bucket) -> u64| buckets.iter().map(count).max().unwrap_or(0);
    let knows_open = moment.census.open.count.is_some();

    let gutter = |y: u16, text: &str, style: Style, buf: &mut Buffer| {
        let area = Rect {
            x: layout.timeline.x,
            y,
            width: layout.timeline.width.min(super::layout::GUTTER) - 1,
            height: 1,
        };
        put_right(buf, area, text, style);
    };
    let most = if knows_open { max(|b| b.open_max) } else { 0 };
    gutter(plot.y, &thousands(most), theme.dim(), buf);
    if chart > 2 {
        gutter(plot.y + chart / 2, "open", theme.open(), buf);
    }
    gutter(plot.y + chart - 1, "0", theme.dim(), buf);
    let lane_rows: [(&str, fn(&Bucket) -> u64, Style); 3] = [
        ("connects", |b| b.connects, theme.connected()),
        ("disconnects", |b| b.disconnects, theme.disconnected()),
        ("refused", |b| b.refused, theme.refused()),
    ];
    for (row, (name, _, style)) in (0..).zip(lane_rows) {
        gutter(lanes + row, name, style, buf);
    }

    let cursor_x = cursor.and_then(|at| cursor_column(buckets, plot.width, at));
    for x in 0..plot.width {
        let Some(bucket) = bucket_at(buckets, plot.width, x) else {
            continue;
        };
        let is_later = at.is_some_and(|at| bucket.start > at);
        let vague = bucket.certainty != Certainty::Exact;
        let tone = |style: Style| {
            if is_later || vague {
                style.add_modifier(ratatui::style::Modifier::DIM)
            } else {
                style
            }
        };
        let is_cursor = cursor_x == Some(x);
        let open = if knows_open { bucket.open_max } else { 0 };
        column(
            buf,
            (plot.x + x, plot.y),
            chart,
            (open, most),
            tone(theme.open()),
        );
        for (row, (_, count, style)) in (0..).zip(lane_rows) {
            column(
                buf,
                (plot.x + x, lanes + row),
                1,
                (count(bucket), max(count)),
                tone(style),
            );
        }
        if is_cursor {
            for y in plot.y..lanes + 3 {
                let Some(cell) = buf.cell_mut((plot.x + x, y)) else {
                    continue;
                };
                if cell.symbol() == " " {
                    cell.set_symbol("│");
                } else {
                    cell.set_style(theme.selected());
                }
            }
        }
    }
    axis(buckets, cursor, plot, show, theme, buf);
}

/// The times at both ends, and that of the cursor.
fn axis(
    buckets: &[Bucket],
    cursor: Option<Instant>,
    plot: Rect,
    show: &Show<'_>,
    theme: Theme,
    buf: &mut Buffer,
) {
    let y = plot.y + plot.height - 1;
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else {
        return;
    };
    let same_day = show.same_day(first.start, last.end);
    let text = |at: Instant| {
        if same_day {
            show.clock_s(at)
        } else {
            show.minute(at)
        }
    };
    let line = Rect {
        y,
        height: 1,
        ..plot
    };
    put(buf, line, &text(first.start), theme.dim());
    let label = cursor.and_then(|at| {
        let label = format!("▲{}", text(at));
        let width = label.chars().count() as u16;
        let x = cursor_column(buckets, plot.width, at)?;
        // Before the cursor, where there is no room behind it.
        let before = x + width > plot.width && x + 1 >= width;
        Some(if before {
            (x + 1 - width, format!("{}▲", text(at)), width)
        } else {
            (x, label, width)
        })
    });
    let end = text(last.end);
    let is_covered = label
        .as_ref()
        .is_some_and(|(x, _, width)| x + width + end.len() as u16 >= plot.width);
    if !is_covered {
        put_right(buf, line, &end, theme.dim());
    }
    if let Some((x, label, width)) = label {
        let area = Rect {
            x: plot.x + x,
            width,
            ..line
        };
        put(buf, area, &label, theme.focus());
    }
}

/// The column that the cursor stands in: the first one of the bucket that ends with the instant or after it.
fn cursor_column(buckets: &[Bucket], width: u16, at: Instant) -> Option<u16> {
    (0..width).find(|&x| bucket_at(buckets, width, x).is_some_and(|bucket| at <= bucket.end))
}

/// The instant that a column of the timeline stands for: the end of its bucket.
pub(crate) fn instant_at(moment: &Moment, width: u16, x: u16) -> Option<Instant> {
    let buckets = shown(moment, width);
    bucket_at(buckets, width, x).map(|bucket| bucket.end)
}

/// As many buckets as there are columns, the last ones.
fn shown(moment: &Moment, width: u16) -> &[Bucket] {
    let buckets = &moment.timeline.buckets;
    &buckets[buckets.len().saturating_sub(usize::from(width))..]
}

/// The bucket of a column: buckets that are fewer than columns have one column or more each.
fn bucket_at(buckets: &[Bucket], width: u16, x: u16) -> Option<&Bucket> {
    buckets.get(usize::from(x) * buckets.len() / usize::from(width).max(1))
}

/// One column of a bar chart of so many rows.
fn column(buf: &mut Buffer, (x, y): (u16, u16), rows: u16, (n, most): (u64, u64), style: Style) {
    if n == 0 || most == 0 {
        return;
    }
    let eighths = u128::from(n) * u128::from(rows) * 8 / u128::from(most);
    let eighths = (eighths as u16).max(1);
    for row in 0..rows {
        let filled = eighths.saturating_sub((rows - 1 - row) * 8).min(8);
        if filled == 0 {
            continue;
        }
        // Lanes do not run into each other.
        let filled = if rows == 1 { filled.min(7) } else { filled };
        let symbol = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"][usize::from(filled) - 1];
        if let Some(cell) = buf.cell_mut((x, y + row)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }
}
