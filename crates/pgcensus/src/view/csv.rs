//! Tables as comma-separated values: the same names as the columns of the text and the keys of JSON.

use std::io;

use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::{CensusSnapshot, HistorySnapshot};

use super::row::{Row, RowForm};
use super::{Show, table};

/// Every name of every dimension: `dimension,name,open,at_peak,connects,refused`.
pub(crate) fn summary(
    census: &CensusSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut line = b"dimension,name,open,at_peak,connects,refused\n".to_vec();
    let dimensions = match show.by {
        [one] => std::slice::from_ref(one),
        _ => &Dimension::ALL,
    };
    for &dimension in dimensions {
        let rows = table::rows(census, dimension);
        for entry in &rows[..show.rows(rows.len(), usize::MAX)] {
            let mut row = Row::begin(RowForm::Csv, &mut line);
            row.word("dimension", Some(dimension.as_str()));
            row.text("name", Some(entry.name));
            row.number("open", entry.open);
            row.number("at_peak", entry.at_peak);
            row.number("connects", Some(entry.connects));
            row.number("refused", Some(entry.refused));
            row.end();
            out.write_all(&line)?;
            line.clear();
        }
    }
    out.write_all(&line)
}

/// One row a bucket.
pub(crate) fn history(
    history: &HistorySnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut lines =
        b"start,connects,disconnects,net,open_start,open_min,open_max,open_end,refused,certainty\n"
            .to_vec();
    for bucket in &history.buckets {
        let mut row = Row::begin(RowForm::Csv, &mut lines);
        row.time("start", Some(bucket.start), show.zone);
        row.number("connects", Some(bucket.connects));
        row.number("disconnects", Some(bucket.disconnects));
        row.signed("net", bucket.net());
        row.number("open_start", Some(bucket.open_start));
        row.number("open_min", Some(bucket.open_min));
        row.number("open_max", Some(bucket.open_max));
        row.number("open_end", Some(bucket.open_end));
        row.number("refused", Some(bucket.refused));
        row.word("certainty", Some(bucket.certainty.as_str()));
        row.end();
    }
    out.write_all(&lines)
}
