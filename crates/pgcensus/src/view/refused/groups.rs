//! The table of a reason: who, from where, how often, when last, and what DETAIL and `pg_hba.conf` say of them.

use std::io;

use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::refused::{
    GroupSnapshot, HbaSnapshot, ReasonSnapshot, RefusedSnapshot,
};

use super::column_time;
use crate::view::text::{Width as _, left, paragraph, right, shown, thousands};
use crate::view::{Show, Tone};

/// Rows of a table where `--limit` does not say.
pub(super) const ROWS_DEFAULT: usize = 10;

/// The table of a reason.
pub(super) fn text(
    reason: &ReasonSnapshot,
    refused: &RefusedSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let groups = &reason.groups[..show.rows(reason.groups.len(), ROWS_DEFAULT)];
    // A line that all of them matched is said once.
    let first = reason.groups.first().and_then(|group| group.hba.as_ref());
    let shared = first.filter(|_| {
        reason
            .groups
            .iter()
            .all(|group| group.hba.as_ref() == first)
    });
    if let Some(hba) = shared {
        write!(out, "  ")?;
        paragraph(out, show, (2, 4), &[(Tone::Dim, &worded(hba))])?;
    }
    let mut states = reason.groups.iter().map(|group| group.sqlstate);
    let state = states.next().flatten();
    let has_several_states = states.any(|other| other != state);
    let columns = Columns::of(groups, refused, show);
    writeln!(out, "{}", columns.head(show))?;
    for group in groups {
        let (line, width) = columns.line(group, refused, show);
        let hba = group.hba.as_ref().filter(|_| shared.is_none()).map(worded);
        let detail = group
            .detail
            .as_deref()
            .map(|detail| shown(detail).into_owned());
        let sqlstate = group.sqlstate.filter(|_| has_several_states);
        let sqlstate = sqlstate.map(|sqlstate| format!("SQLSTATE {}.", sqlstate.as_str()));
        let said: Vec<_> = sqlstate.into_iter().chain(detail).chain(hba).collect();
        let said = said.join(" ");
        if said.is_empty() {
            writeln!(out, "{}", line.trim_end())?;
        } else if width + 2 + said.width() <= show.width {
            writeln!(out, "{line}  {}", show.paint(Tone::Dim, &said))?;
        } else {
            let indent = columns.count + 4;
            write!(out, "{}\n{:indent$}", line.trim_end(), "")?;
            paragraph(out, show, (indent, indent + 2), &[(Tone::Dim, &said)])?;
        }
    }
    more(reason.groups.len() - groups.len(), show, out)
}

/// `… 12 more: --limit 0`
pub(super) fn more(more: usize, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    if more == 0 {
        return Ok(());
    }
    let more = format!("  … {} more: --limit 0", thousands(more as u64));
    writeln!(out, "{}", show.paint(Tone::Dim, &more))
}

/// `Line 4 of /data/pg_hba.conf: host all all 127.0.0.1/32 md5`
fn worded(hba: &HbaSnapshot) -> String {
    let place = format!("Line {} of {}", hba.line, shown(&hba.file));
    match &hba.text {
        Some(text) => format!("{place}: {}", shown(text)),
        None => place,
    }
}

/// Columns, as wide as what is in them, as far as that fits.
struct Columns {
    count: usize,
    names: Vec<(Dimension, usize)>,
    last: usize,
}

impl Columns {
    fn of(groups: &[GroupSnapshot], refused: &RefusedSnapshot, show: &Show<'_>) -> Columns {
        let counts = groups
            .iter()
            .map(|group| thousands(group.tally.connections).len());
        let count = counts.max().unwrap_or(0).max(5);
        let times = groups
            .iter()
            .map(|group| column_time(group.tally.last, refused, show).width());
        let last = times.max().unwrap_or(0);
        // Much is hardly ever known of who was refused; that the host is not, is worth a word.
        let is_shown = |dimension: Dimension| {
            dimension == Dimension::ClientHost
                || refused.dimensions.len() <= 2
                || groups.iter().any(|group| group.name(dimension).is_some())
        };
        let dimensions = refused.dimensions.iter().copied();
        let dimensions = dimensions.filter(|&dimension| is_shown(dimension));
        let width = |dimension: Dimension| {
            let names = groups.iter().map(|group| name(group, dimension).width());
            names.chain([title(dimension).width()]).max().unwrap_or(0)
        };
        let mut names: Vec<_> = dimensions
            .map(|dimension| (dimension, width(dimension)))
            .collect();
        // The user comes first.
        names.sort_by_key(|&(dimension, _)| dimension != Dimension::User);
        let rest = 2 + count + 2 * names.len() + 2 + last;
        let room = show.width.max(40).saturating_sub(rest);
        // The widest gives way.
        while names.iter().map(|(_, width)| width).sum::<usize>() > room
            && let Some((_, width)) = names.iter_mut().max_by_key(|(_, width)| *width)
            && *width > 8
        {
            *width -= 1;
        }
        Columns { count, names, last }
    }

    fn head(&self, show: &Show<'_>) -> String {
        let mut line = format!("  {}", right("count", self.count));
        for &(dimension, width) in &self.names {
            line += &format!("  {}", left(title(dimension), width));
        }
        if self.last > 0 {
            line += "  last";
        }
        show.paint(Tone::Dim, line.trim_end()).to_string()
    }

    /// A row, and how wide it is.
    fn line(
        &self,
        group: &GroupSnapshot,
        refused: &RefusedSnapshot,
        show: &Show<'_>,
    ) -> (String, usize) {
        let count = right(&thousands(group.tally.connections), self.count);
        let mut line = format!("  {}", show.paint(Tone::Refused, &count));
        let mut width = 2 + self.count;
        for &(dimension, columns) in &self.names {
            let tone = match group.name(dimension) {
                Some(_) => Tone::Plain,
                None => Tone::Dim,
            };
            let name = left(&name(group, dimension), columns);
            line += &format!("  {}", show.paint(tone, &name));
            width += 2 + columns;
        }
        let last = column_time(group.tally.last, refused, show);
        line += &format!("  {}", left(&last, self.last));
        (line, width + 2 + self.last)
    }
}

fn name(group: &GroupSnapshot, dimension: Dimension) -> String {
    let name = group.name(dimension).map(shown);
    name.map_or_else(|| "unknown".to_owned(), std::borrow::Cow::into_owned)
}

fn title(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Database => "database",
        Dimension::User => "user",
        Dimension::ApplicationName => "application",
        Dimension::ClientHost => "client host",
        Dimension::Server => "server",
    }
}
