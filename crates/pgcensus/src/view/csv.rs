//! Tables as comma-separated values: the same names as the columns of the text and the keys of JSON.

use std::io;

use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::{CensusSnapshot, Cross, HistorySnapshot};

use super::row::Row;
use super::{InputReport, Show, table};

/// Every name of every dimension: `dimension,name,open,at_peak,connects,refused,grew`; of two dimensions
/// crossed, their names side by side: `database,user,open,connects,refused`; by server alone, each with a peak of its own.
pub(crate) fn summary(
    census: &CensusSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if let Some(cross) = &census.cross {
        return self::cross(cross, show, out);
    }
    if let [Dimension::Server] = show.by {
        return servers(census, show, out);
    }
    let mut line = b"dimension,name,open,at_peak,connects,refused,grew\n".to_vec();
    let dimensions = match show.by {
        [one] => std::slice::from_ref(one),
        _ => &Dimension::ALL,
    };
    for &dimension in dimensions {
        let rows = table::rows(census, dimension);
        for entry in &rows[..show.rows(rows.len(), usize::MAX)] {
            let mut row = Row::begin(show.csv(), &mut line);
            row.word("dimension", Some(dimension.as_str()));
            row.text("name", Some(entry.name));
            row.number("open", entry.open);
            row.number("at_peak", entry.at_peak);
            row.number("connects", Some(entry.connects));
            row.number("refused", Some(entry.refused));
            row.signed("grew", entry.grew);
            row.end();
            out.write_all(&line)?;
            line.clear();
        }
    }
    out.write_all(&line)
}

/// One row a server.
fn servers(census: &CensusSnapshot, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let mut lines = b"server,open,certainty,exact_since,peak,peak_at,peak_certainty,connects,disconnects,refused\n".to_vec();
    let servers = table::servers::ranked(census, show);
    for own in &servers[..show.rows(servers.len(), usize::MAX)] {
        let mut row = Row::begin(show.csv(), &mut lines);
        row.text("server", Some(show.server(own.server).as_bytes()));
        row.number("open", own.open.count);
        row.word("certainty", Some(own.open.certainty.as_str()));
        row.time(
            "exact_since",
            own.open.exact_since.map(|(at, _)| at),
            show.zone,
        );
        row.number("peak", own.peak.count);
        row.time("peak_at", own.peak.at, show.zone);
        row.word("peak_certainty", Some(own.peak.certainty.as_str()));
        row.number("connects", Some(own.connects));
        row.number("disconnects", Some(own.disconnects));
        row.number("refused", Some(own.refused));
        row.end();
    }
    out.write_all(&lines)
}

fn cross(cross: &Cross, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let (first, second) = cross.dimensions;
    let (first, second) = (first.as_str(), second.as_str());
    let mut lines = format!("{first},{second},open,connects,refused\n").into_bytes();
    for entry in &cross.rows[..show.rows(cross.rows.len(), usize::MAX)] {
        let mut row = Row::begin(show.csv(), &mut lines);
        row.text(first, Some(&entry.names.0));
        row.text(second, Some(&entry.names.1));
        row.number("open", Some(entry.open));
        row.number("connects", Some(entry.connects));
        row.number("refused", Some(entry.refused));
        row.end();
    }
    out.write_all(&lines)
}

/// One row a bucket; open counts are empty where the log carries no pid.
pub(crate) fn history(
    history: &HistorySnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut lines =
        b"start,connects,disconnects,net,open_start,open_min,open_max,open_end,refused,certainty\n"
            .to_vec();
    let known = |n: u64| report.knows_open().then_some(n);
    for bucket in &history.buckets {
        let mut row = Row::begin(show.csv(), &mut lines);
        row.time("start", Some(bucket.start), show.zone);
        row.number("connects", Some(bucket.connects));
        row.number("disconnects", Some(bucket.disconnects));
        row.signed("net", Some(bucket.net()));
        row.number("open_start", known(bucket.open_start));
        row.number("open_min", known(bucket.open_min));
        row.number("open_max", known(bucket.open_max));
        row.number("open_end", known(bucket.open_end));
        row.number("refused", Some(bucket.refused));
        row.word("certainty", Some(bucket.certainty.as_str()));
        row.end();
    }
    out.write_all(&lines)
}

#[cfg(test)]
mod tests {
    use pgcensus_core::names::Names;
    use pgcensus_core::snapshot::CrossRow;

    use super::*;
    use crate::view::example;

    #[test]
    fn tables_are_one_row_a_name_or_a_bucket() {
        let (zone, mut names) = (example::zone(), Names::default());
        let show = example::piped(&zone);
        let mut out = Vec::new();
        summary(&example::census(&mut names), &show, &mut out).unwrap();
        history(&example::history(), &example::report(), &show, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn servers_alone_have_their_own_peaks() {
        let (zone, mut names) = (example::zone(), Names::default());
        let servers = example::fleet_names();
        let show = Show {
            servers: &servers,
            by: &[Dimension::Server],
            ..example::piped(&zone)
        };
        let mut out = Vec::new();
        summary(&example::fleet(&mut names), &show, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn two_dimensions_are_crossed() {
        let (zone, mut names) = (example::zone(), Names::default());
        let mut census = example::census(&mut names);
        let row = |user: &[u8], open| CrossRow {
            names: (b"shop".as_slice().into(), user.into()),
            open,
            connects: 12,
            refused: 0,
        };
        census.cross = Some(Cross {
            dimensions: (Dimension::Database, Dimension::User),
            rows: vec![row(b"app", 3), row(b"a,b", 1)],
        });
        let mut out = Vec::new();
        summary(&census, &example::piped(&zone), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        database,user,open,connects,refused
        shop,app,3,12,0
        shop,"a,b",1,12,0
        "#);
    }
}
