//! Tables by dimension: the rankings of a census joined by name.

pub(super) mod servers;

use std::collections::HashMap;
use std::io;

use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::{CensusSnapshot, Certainty, Cross};

use super::text::{Width as _, glued, left, right, shown, signed, thousands};
use super::{Show, Tone, noise};

/// Rows of a table where `--limit` does not say.
const ROWS_DEFAULT: usize = 10;

/// Below this much for each of two tables, they stand one under the other.
const SIDE_BY_SIDE_MIN: usize = 56;

/// One name of a dimension with its numbers; `None`: cannot be known from this log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableRow<'c> {
    /// The name, raw; `unknown` where sessions had none.
    pub(crate) name: &'c [u8],
    /// Open at the end of the window.
    pub(crate) open: Option<u64>,
    /// Open at the peak.
    pub(crate) at_peak: Option<u64>,
    /// By how many these had grown, of a name that was there at the peak.
    pub(crate) grew: Option<i64>,
    /// Sessions that opened.
    pub(crate) connects: u64,
    /// Refused connections.
    pub(crate) refused: u64,
}

/// The rankings of a dimension joined by name: most open first, then at the peak, then connects, then
/// refused, then by the bytes of the name.
pub(crate) fn rows(census: &CensusSnapshot, dimension: Dimension) -> Vec<TableRow<'_>> {
    let of = dimension as usize;
    let mut counts: HashMap<&[u8], [u64; 4]> = HashMap::new();
    let rankings = [
        &census.open.by[of],
        &census.peak.by[of],
        &census.connects_by[of],
        &census.refused_by[of],
    ];
    for (column, ranking) in rankings.into_iter().enumerate() {
        for (name, count) in ranking {
            counts.entry(name).or_default()[column] += count;
        }
    }
    let growth = census.peak.grew.iter().flat_map(|growth| &growth.by[of]);
    let growth: HashMap<&[u8], i64> = growth.map(|(name, grew)| (&**name, *grew)).collect();
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_unstable_by(|(a_name, a), (b_name, b)| b.cmp(a).then_with(|| a_name.cmp(b_name)));
    rows.into_iter()
        .map(|(name, [open, at_peak, connects, refused])| TableRow {
            name,
            open: census.open.count.map(|_| open),
            at_peak: census.peak.count.map(|_| at_peak),
            grew: growth.get(name).copied(),
            connects,
            refused,
        })
        .collect()
}

/// The word for a dimension at the head of a table.
pub(crate) fn title(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Database => "Database",
        Dimension::User => "User",
        Dimension::ApplicationName => "Application",
        Dimension::ClientHost => "Client host",
        Dimension::Server => "Server",
    }
}

/// A count of open sessions with the mark of its certainty.
pub(crate) fn marked(count: u64, certainty: Certainty) -> String {
    let mark = match certainty {
        Certainty::Exact => "",
        Certainty::AtLeast => "≥",
        Certainty::AtMost => "≤",
        Certainty::Unknown => "~",
    };
    format!("{mark}{}", thousands(count))
}

/// What these marks mean, of those that are there.
pub(crate) fn marks(has: impl Fn(Certainty) -> bool) -> Vec<String> {
    [
        (Certainty::AtLeast, "≥ or more: some sessions began unseen"),
        (Certainty::AtMost, "≤ or fewer: some sessions ended unseen"),
        (
            Certainty::Unknown,
            "~ about: some began and some ended unseen",
        ),
    ]
    .into_iter()
    .filter(|&(certainty, _)| has(certainty))
    .map(|(_, meaning)| glued(meaning))
    .collect()
}

/// A table with numbers on the right, ready to be laid out.
struct Table<'c> {
    title: String,
    heads: Vec<&'static str>,
    rows: Vec<(String, Vec<String>)>,
    more: usize,
    tones: &'c [Tone],
}

/// The columns of a table by one dimension: their heads, and what stands in them.
type Column = (&'static str, Tone, fn(&TableRow<'_>) -> String);
const COLUMNS: [Column; 5] = [
    ("open", Tone::Connected, |row| number(row.open)),
    ("at peak", Tone::Plain, |row| number(row.at_peak)),
    (GREW, Tone::Plain, |row| {
        row.grew.map_or_else(String::new, signed)
    }),
    ("connects", Tone::Plain, |row| thousands(row.connects)),
    ("refused", Tone::Refused, |row| thousands(row.refused)),
];

/// The column that is not there where growth is not known.
const GREW: &str = "grew";

/// Tables by each of these dimensions, two side by side where the line is wide enough.
pub(crate) fn tables(
    census: &CensusSnapshot,
    dimensions: &[Dimension],
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let knows_growth = census.peak.grew.is_some();
    let columns = COLUMNS.into_iter();
    let columns: Vec<Column> = columns
        .filter(|&(head, ..)| knows_growth || head != GREW)
        .collect();
    let tones: Vec<Tone> = columns.iter().map(|&(_, tone, _)| tone).collect();
    let tables: Vec<_> = dimensions
        .iter()
        .map(|&dimension| {
            let rows = rows(census, dimension);
            let nothing_else = noise::names(&census.noise, dimension);
            let (folded, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
                nothing_else
                    .get(row.name)
                    .is_some_and(|noise| noise.is_all(row))
            });
            let shown_rows = show.rows(rows.len(), ROWS_DEFAULT);
            let cells = |row: &TableRow<'_>| columns.iter().map(|(.., cell)| cell(row)).collect();
            let together = (!folded.is_empty()).then(|| {
                let (name, sum) = noise::together(&folded);
                (name, cells(&sum))
            });
            Table {
                title: title(dimension).to_owned(),
                heads: columns.iter().map(|&(head, ..)| head).collect(),
                more: rows.len() - shown_rows,
                rows: rows[..shown_rows]
                    .iter()
                    .map(|row| (shown(row.name).into_owned(), cells(row)))
                    .chain(together)
                    .collect(),
                tones: &tones,
            }
        })
        .filter(|table| !table.rows.is_empty())
        .collect();
    write_all(&tables, show, out)
}

/// The table of two dimensions at once.
pub(crate) fn cross(cross: &Cross, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let (first, second) = cross.dimensions;
    let shown_rows = show.rows(cross.rows.len(), ROWS_DEFAULT);
    let rows = &cross.rows[..shown_rows];
    let names = |row: &pgcensus_core::snapshot::CrossRow| {
        (
            shown(&row.names.0).into_owned(),
            shown(&row.names.1).into_owned(),
        )
    };
    let first_width = rows
        .iter()
        .map(|row| names(row).0.width())
        .chain([title(first).width()])
        .max()
        .unwrap_or(0)
        .min(show.width / 4);
    let joined = |a: &str, b: &str| format!("{}  {b}", left(a, first_width));
    let table = Table {
        title: joined(title(first), title(second)),
        heads: vec!["open", "connects", "refused"],
        more: cross.rows.len() - shown_rows,
        rows: rows
            .iter()
            .map(|row| {
                let (a, b) = names(row);
                let numbers = [row.open, row.connects, row.refused];
                (joined(&a, &b), numbers.map(thousands).to_vec())
            })
            .collect(),
        tones: &[Tone::Connected, Tone::Plain, Tone::Refused],
    };
    write_all(&[table], show, out)
}

fn write_all(tables: &[Table<'_>], show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    const GAP: usize = 4;
    // The same columns in every table, so that the eye runs straight down.
    let columns = tables
        .iter()
        .map(|table| table.heads.len())
        .max()
        .unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            tables
                .iter()
                .flat_map(|table| {
                    let cells = table
                        .rows
                        .iter()
                        .map(move |(_, cells)| cells[column].width());
                    cells.chain([table.heads[column].width()])
                })
                .max()
                .unwrap_or(0)
        })
        .collect();
    let half = show.width.saturating_sub(GAP) / 2;
    let side_by_side = half >= SIDE_BY_SIDE_MIN && tables.len() > 1;
    let width = if side_by_side {
        half
    } else {
        show.width.min(100)
    };
    for pair in tables.chunks(if side_by_side { 2 } else { 1 }) {
        let blocks: Vec<_> = pair
            .iter()
            .map(|table| table.lines(&widths, width, show))
            .collect();
        let height = blocks.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let cells: Vec<String> = blocks
                .iter()
                .map(|block| {
                    block
                        .get(line)
                        .cloned()
                        .unwrap_or_else(|| " ".repeat(width))
                })
                .collect();
            writeln!(out, "{}", cells.join(&" ".repeat(GAP)).trim_end())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

impl Table<'_> {
    /// Lines of exactly `width` columns.
    fn lines(&self, widths: &[usize], width: usize, show: &Show<'_>) -> Vec<String> {
        let numbers_width: usize = widths.iter().map(|width| width + 2).sum();
        let name_width = width.saturating_sub(numbers_width).max(12);
        let mut head = format!(
            "{}",
            show.paint(Tone::Title, &left(&self.title, name_width))
        );
        for (text, width) in self.heads.iter().zip(widths) {
            head += &format!("  {}", show.paint(Tone::Dim, &right(text, *width)));
        }
        let mut lines = vec![head];
        for (name, cells) in &self.rows {
            let mut line = left(name, name_width);
            for ((cell, width), tone) in cells.iter().zip(widths).zip(self.tones) {
                let is_nothing = matches!(cell.as_str(), "0" | "?");
                let tone = if is_nothing { Tone::Dim } else { *tone };
                line += &format!("  {}", show.paint(tone, &right(cell, *width)));
            }
            lines.push(line);
        }
        if self.more > 0 {
            let more = format!("… {} more: --limit 0", thousands(self.more as u64));
            let fill = (name_width + numbers_width).saturating_sub(more.width());
            lines.push(format!("{}{:fill$}", show.paint(Tone::Dim, &more), ""));
        }
        lines
    }
}

fn number(n: Option<u64>) -> String {
    n.map_or_else(|| "?".to_owned(), thousands)
}
