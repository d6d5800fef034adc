//! The table of several servers: each by itself, with its certainty and its own peak, and all of them together.
//!
//! ```text
//! Server   open  exact since      peak  at               connects  refused
//! db1        47  23 Nov 02:41:07    93  23 Nov 02:40:58    12,345      219
//! db2       ≥12                    ≥31  23 Nov 01:12       1,204        0
//! total     ≥59                   ≥118  23 Nov 02:40:58    13,549      219
//! ```

use std::cmp::Reverse;
use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::snapshot::{
    CensusSnapshot, Certainty, OpenSnapshot, PeakSnapshot, ServerSnapshot,
};

use super::{ROWS_DEFAULT, marked, marks};
use crate::view::text::{Width as _, left, paragraph, right, shown, thousands};
use crate::view::{Show, Tone};

/// A name has this many columns at least; where the line is narrower, other columns are left out.
const NAME_MIN: usize = 12;

/// Servers with most open sessions first, then with the highest peak, then connects, then refused, then by name.
pub(crate) fn ranked<'c>(census: &'c CensusSnapshot, show: &Show<'_>) -> Vec<&'c ServerSnapshot> {
    let mut servers: Vec<_> = census.servers.iter().collect();
    let rank = |own: &ServerSnapshot| (own.open.count, own.peak.count, own.connects, own.refused);
    servers.sort_by_key(|own| (Reverse(rank(own)), show.server(own.server)));
    servers
}

/// The table; below it what its marks mean.
pub(crate) fn text(
    census: &CensusSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let servers = ranked(census, show);
    let rows = show.rows(servers.len(), ROWS_DEFAULT);
    let mut lines: Vec<Line> = servers[..rows]
        .iter()
        .map(|own| Line::of(own, show))
        .collect();
    if servers.len() > 1 {
        lines.push(Line::total(census));
    }
    let layout = Layout::new(&lines, show);
    writeln!(out, "{}", layout.head(show))?;
    for (i, line) in lines.iter().enumerate() {
        if i == rows && rows < servers.len() {
            let more = thousands((servers.len() - rows) as u64);
            let more = format!("… {more} more: --limit 0");
            writeln!(out, "{}", show.paint(Tone::Dim, &more))?;
        }
        writeln!(out, "{}", layout.line(line, show))?;
    }
    let has = |certainty: Certainty| {
        let is = |line: &Line| {
            let (open, peak) = (
                line.open.0.map(|_| line.open.1),
                line.peak.0.map(|_| line.peak.1),
            );
            open == Some(certainty) || peak == Some(certainty)
        };
        lines.iter().any(is)
    };
    let marks = marks(has);
    if !marks.is_empty() {
        paragraph(out, show, (0, 0), &[(Tone::Dim, &marks.join("; "))])?;
    }
    writeln!(out)
}

/// One server, or all.
struct Line {
    name: String,
    tone: Tone,
    open: (Option<u64>, Certainty),
    exact_since: Option<Instant>,
    peak: (Option<u64>, Certainty),
    peak_at: Option<Instant>,
    connects: u64,
    refused: u64,
}

impl Line {
    fn new(name: String, open: &OpenSnapshot, peak: &PeakSnapshot) -> Line {
        Line {
            name,
            tone: Tone::Plain,
            open: (open.count, open.certainty),
            exact_since: open.exact_since.map(|(at, _)| at),
            peak: (peak.count, peak.certainty),
            peak_at: peak.at,
            connects: 0,
            refused: 0,
        }
    }

    fn of(own: &ServerSnapshot, show: &Show<'_>) -> Line {
        let name = shown(show.server(own.server).as_bytes()).into_owned();
        Line {
            connects: own.connects,
            refused: own.refused,
            ..Line::new(name, &own.open, &own.peak)
        }
    }

    fn total(census: &CensusSnapshot) -> Line {
        Line {
            tone: Tone::Title,
            connects: census.connects,
            refused: census.refused_connections,
            ..Line::new("total".to_owned(), &census.open, &census.peak)
        }
    }
}

/// A column beside the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Open,
    ExactSince,
    Peak,
    PeakAt,
    Connects,
    Refused,
}

impl Column {
    const ALL: [Column; 6] = [
        Column::Open,
        Column::ExactSince,
        Column::Peak,
        Column::PeakAt,
        Column::Connects,
        Column::Refused,
    ];

    fn head(self) -> &'static str {
        match self {
            Column::Open => "open",
            Column::ExactSince => "exact since",
            Column::Peak => "peak",
            Column::PeakAt => "at",
            Column::Connects => "connects",
            Column::Refused => "refused",
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Column::ExactSince | Column::PeakAt)
    }
}

/// Which columns there are, and how wide.
struct Layout {
    name: usize,
    columns: Vec<(Column, usize)>,
    seconds: bool,
}

impl Layout {
    /// What does not fit is left out: first the seconds, then times, then what is least asked for.
    fn new(lines: &[Line], show: &Show<'_>) -> Layout {
        let names = lines.iter().map(|line| line.name.width());
        let longest = names.max().unwrap_or(0).max("Server".len());
        let width = show.width.min(100);
        let mut layout = Layout {
            name: 0,
            columns: Vec::new(),
            seconds: true,
        };
        let mut columns = Column::ALL.to_vec();
        let leave_out = [
            None,
            Some(Column::PeakAt),
            Some(Column::ExactSince),
            Some(Column::Refused),
            Some(Column::Connects),
        ];
        for left_out in leave_out {
            columns.retain(|&column| Some(column) != left_out);
            for seconds in [true, false] {
                layout.seconds = seconds;
                let widest = |column| {
                    let cells = lines.iter().map(|line| layout.cell(column, line, show).0);
                    let cells = cells.map(|cell| cell.width());
                    cells.chain([Column::head(column).len()]).max().unwrap_or(0)
                };
                let widths: Vec<_> = columns.iter().map(|&c| (c, widest(c))).collect();
                let rest: usize = widths.iter().map(|(_, width)| width + 2).sum();
                layout.columns = widths;
                layout.name = width.saturating_sub(rest).max(NAME_MIN);
                let wanted = if seconds { longest } else { NAME_MIN };
                if rest + wanted <= width {
                    return layout;
                }
            }
        }
        layout
    }

    fn head(&self, show: &Show<'_>) -> String {
        let mut head = show
            .paint(Tone::Title, &left("Server", self.name))
            .to_string();
        for &(column, width) in &self.columns {
            head += &format!(
                "  {}",
                show.paint(Tone::Dim, &aligned(column, column.head(), width))
            );
        }
        head.trim_end().to_owned()
    }

    fn line(&self, line: &Line, show: &Show<'_>) -> String {
        let mut text = show
            .paint(line.tone, &left(&line.name, self.name))
            .to_string();
        for &(column, width) in &self.columns {
            let (cell, tone) = self.cell(column, line, show);
            text += &format!("  {}", show.paint(tone, &aligned(column, &cell, width)));
        }
        text.trim_end().to_owned()
    }

    fn cell(&self, column: Column, line: &Line, show: &Show<'_>) -> (String, Tone) {
        let open = |(count, certainty): (Option<u64>, Certainty)| {
            count.map_or_else(|| "?".to_owned(), |count| marked(count, certainty))
        };
        let time = |at: Option<Instant>| match at {
            // Where all have seconds, a full minute has them too.
            Some(at) if self.seconds => format!("{} {}", show.day(at), show.clock_s(at)),
            Some(at) => show.minute(at),
            None => String::new(),
        };
        let toned = |n: u64, tone| if n == 0 { Tone::Dim } else { tone };
        match column {
            Column::Open => (
                open(line.open),
                toned(line.open.0.unwrap_or(0), Tone::Connected),
            ),
            Column::ExactSince => (time(line.exact_since), Tone::Dim),
            Column::Peak => (
                open(line.peak),
                toned(line.peak.0.unwrap_or(0), Tone::Plain),
            ),
            Column::PeakAt => (time(line.peak_at), Tone::Dim),
            Column::Connects => (thousands(line.connects), toned(line.connects, Tone::Plain)),
            Column::Refused => (thousands(line.refused), toned(line.refused, Tone::Refused)),
        }
    }
}

fn aligned(column: Column, text: &str, width: usize) -> String {
    if column.is_time() {
        left(text, width)
    } else {
        right(text, width)
    }
}

#[cfg(test)]
mod tests {
    use pgcensus_core::names::Names;

    use super::*;
    use crate::view::example;

    fn render(width: usize, change: impl Fn(&mut Show<'_>)) -> String {
        let (zone, mut names) = (example::zone(), Names::default());
        let census = example::fleet(&mut names);
        let servers = example::fleet_names();
        let mut show = Show {
            servers: &servers,
            ..example::show(&zone, width)
        };
        change(&mut show);
        let mut out = Vec::new();
        text(&census, &show, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_server_has_its_certainty_and_its_peak() {
        for width in [44, 60, 80, 120] {
            let text = render(width, |_| {});
            let widest = text.lines().map(str::width).max();
            assert!(widest <= Some(width), "{text}");
            insta::assert_snapshot!(format!("servers_{width}"), text);
        }
    }

    #[test]
    fn total_is_of_all_servers_and_not_of_those_shown() {
        let text = render(80, |show| show.limit = Some(1));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn servers_in_colour() {
        let text = render(80, |show| show.color = true);
        insta::assert_snapshot!(text.replace('\x1b', "␛"));
    }
}
