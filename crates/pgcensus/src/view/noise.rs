//! What keeps a rhythm, folded: a row for each health check, exporter and the like.
//!
//! ```text
//! Folded: 17,280 of 55,742 connections (31%) come in rhythm, like checks
//! every       times  share  length
//! 5.0 s      17,280    31%     3ms  monitor@postgres  postgres_exporter  10.0.0.9
//! ```

use std::collections::HashMap;
use std::io;

use pgcensus_core::names::{Dimension, NameId};
use pgcensus_core::noise::{Kind, NoiseRow};
use serde_json::{Value, json};

use super::table::TableRow;
use super::text::{
    Width as _, cut, duration, duration_short, left, paragraph, right, shown, thousands,
};
use super::{Show, Tone, json};

/// Rows where `--limit` does not say.
const ROWS_DEFAULT: usize = 10;

/// Columns of `every`: `5 min 30 s ×2`.
const EVERY: usize = 10;

/// The folded part of `summary`; nothing where nothing is.
pub(super) fn text(rows: &[NoiseRow], show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let count: u64 = rows.iter().map(|row| row.count).sum();
    let share: f64 = rows.iter().map(|row| row.share).sum();
    let all = (count as f64 / share).round() as u64;
    let text = format!(
        ": {} of {} connections ({}) come in rhythm, like checks; they are in all other numbers too",
        thousands(count),
        thousands(all),
        percent(share)
    );
    let title = [(Tone::Title, "Folded"), (Tone::Plain, &*text)];
    paragraph(out, show, (0, 0), &title)?;
    let shown_rows = show.rows(rows.len(), ROWS_DEFAULT);
    let times = rows.iter().map(|row| thousands(row.count).len());
    let times = times.max().unwrap_or(0).max("times".len());
    let head = format!(
        "{}  {}  share  length",
        left("every", EVERY),
        right("times", times)
    );
    writeln!(out, "{}", show.paint(Tone::Dim, &head))?;
    for row in &rows[..shown_rows] {
        let length = row.session_time_ms.map_or_else(String::new, duration_short);
        let line = format!(
            "{}  {}  {}  {}  {}",
            left(&every(row), EVERY),
            right(&thousands(row.count), times),
            right(&percent(row.share), 5),
            right(&length, 6),
            who(row, show)
        );
        let width = if show.terminal {
            show.width
        } else {
            line.width()
        };
        writeln!(out, "{}", cut(&line, width))?;
    }
    if let more @ 1.. = rows.len() - shown_rows {
        let more = format!("… {} more: --limit 0", thousands(more as u64));
        writeln!(out, "{}", show.paint(Tone::Dim, &more))?;
    }
    writeln!(out)
}

/// `15.0 s ×2`: two in each fifteen seconds.
fn every(row: &NoiseRow) -> String {
    let every = duration(row.period_ms);
    match row.checkers {
        1 => every,
        checkers => format!("{every} ×{checkers}"),
    }
}

fn percent(share: f64) -> String {
    match (share * 100.0).round() as u64 {
        0 => "< 1%".to_owned(),
        percent => format!("{percent}%"),
    }
}

/// Whose, and what became of it where it is no session: `refused: database_unknown  app@shop  check  10.0.0.9`.
fn who(row: &NoiseRow, show: &Show<'_>) -> String {
    let mut words = Vec::new();
    if show.servers.len() > 1 {
        words.push(shown(show.server(row.group.server).as_bytes()).into_owned());
    }
    match row.group.kind {
        Kind::Sessions => {}
        Kind::Probes(_) => words.push("probe".to_owned()),
        Kind::Refusals(reason) => words.push(format!("refused: {}", reason.as_str())),
    }
    let name = |dimension: Dimension| {
        let is_known = row.group.name(dimension) != NameId::ABSENT;
        is_known.then(|| shown(&row.names[dimension as usize]).into_owned())
    };
    match (name(Dimension::User), name(Dimension::Database)) {
        (None, None) => {}
        (user, database) => words.push(format!(
            "{}@{}",
            user.as_deref().unwrap_or("?"),
            database.as_deref().unwrap_or("?")
        )),
    }
    words.extend(name(Dimension::ApplicationName));
    words.extend(name(Dimension::ClientHost));
    words.join("  ")
}

/// What of one name is noise.
#[derive(Clone, Copy, Default)]
pub(super) struct OfName {
    sessions: u64,
    refusals: u64,
}

impl OfName {
    /// Whether this name is nothing else.
    pub(super) fn is_all(self, row: &TableRow<'_>) -> bool {
        let is_nobody_there = row.open.is_none_or(|open| open == 0);
        is_nobody_there && row.connects <= self.sessions && row.refused <= self.refusals
    }
}

/// What is noise of each name of a dimension.
pub(super) fn names(rows: &[NoiseRow], dimension: Dimension) -> HashMap<&[u8], OfName> {
    let mut names: HashMap<&[u8], OfName> = HashMap::new();
    for row in rows {
        let Some(name) = row.names.get(dimension as usize) else {
            continue;
        };
        let of_name = names.entry(name).or_default();
        match row.group.kind {
            Kind::Sessions => of_name.sessions += row.count,
            Kind::Refusals(_) => of_name.refusals += row.count,
            Kind::Probes(_) => {}
        }
    }
    names
}

/// One row of a table for these, `2 folded`, and their sum.
pub(super) fn together(rows: &[TableRow<'_>]) -> (String, TableRow<'static>) {
    let name = format!("{} folded, see below", thousands(rows.len() as u64));
    let mut sum = TableRow {
        name: b"",
        open: Some(0),
        at_peak: Some(0),
        grew: None,
        connects: 0,
        refused: 0,
    };
    for row in rows {
        sum.open = sum.open.zip(row.open).map(|(a, b)| a + b);
        sum.at_peak = sum.at_peak.zip(row.at_peak).map(|(a, b)| a + b);
        sum.grew = match (sum.grew, row.grew) {
            (Some(a), Some(b)) => Some(a + b),
            (grew, None) | (None, grew) => grew,
        };
        sum.connects += row.connects;
        sum.refused += row.refused;
    }
    (name, sum)
}

/// `noise` of `summary --json`.
pub(super) fn json(rows: &[NoiseRow], show: &Show<'_>) -> Vec<Value> {
    let object = |row: &NoiseRow| {
        let name = |dimension: Dimension| {
            let is_known = row.group.name(dimension) != NameId::ABSENT;
            is_known.then(|| String::from_utf8_lossy(&row.names[dimension as usize]))
        };
        let reason = match row.group.kind {
            Kind::Sessions => None,
            Kind::Probes(reason) => Some(reason.as_str()),
            Kind::Refusals(reason) => Some(reason.as_str()),
        };
        json!({
            "what": row.group.kind.as_str(),
            "reason": reason,
            "server": show.server(row.group.server),
            "database": name(Dimension::Database),
            "user": name(Dimension::User),
            "application_name": name(Dimension::ApplicationName),
            "client_host": name(Dimension::ClientHost),
            "count": row.count,
            "share": rounded(row.share),
            "period_ms": row.period_ms,
            "per_period": row.checkers,
            "session_time_ms": row.session_time_ms,
            "first": json::time(Some(row.first), show),
            "last": json::time(Some(row.last), show),
            "steady": rounded(row.steady),
            "known_as": row.known_as,
        })
    };
    rows.iter().map(object).collect()
}

/// Four places, as a share has in a hundredth of a per cent.
fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use pgcensus_core::instant::Instant;
    use pgcensus_core::noise::Group;
    use pgcensus_core::session::{ProbeReason, RefusalReason, ServerId};

    use super::*;
    use crate::view::example;

    fn row(kind: Kind, names: [&str; 4], count: u64, period_ms: u64, checkers: u64) -> NoiseRow {
        let id = |name: &str| match name {
            "unknown" => NameId::ABSENT,
            _ => NameId(7),
        };
        let [database, user, application_name, client_host] = names.map(id);
        NoiseRow {
            group: Group {
                kind,
                server: ServerId(0),
                application_name,
                user,
                database,
                client_host,
            },
            names: names.map(|name| name.as_bytes().into()),
            count,
            share: count as f64 / 55_742.0,
            period_ms,
            checkers,
            session_time_ms: (kind == Kind::Sessions).then_some(3),
            first: Instant(0),
            last: Instant(86_400_000),
            steady: 0.987_654_321,
            known_as: None,
        }
    }

    fn example_rows() -> Vec<NoiseRow> {
        let refused = Kind::Refusals(RefusalReason::DatabaseUnknown);
        let exporter = ["postgres", "monitor", "postgres_exporter", "10.0.0.9"];
        let probe = ["unknown", "unknown", "unknown", "10.0.0.1\x1b[2J"];
        vec![
            row(Kind::Sessions, exporter, 17_280, 5_000, 1),
            row(Kind::Probes(ProbeReason::Silent), probe, 11_520, 15_000, 2),
            row(
                refused,
                ["gone", "app", "unknown", "[local]"],
                288,
                300_000,
                1,
            ),
        ]
    }

    #[test]
    fn a_row_says_how_often_and_who() {
        let (zone, servers) = (example::zone(), ["db1".to_owned(), "db2".to_owned()]);
        let show = example::show(&zone, 80);
        let several = Show {
            servers: &servers,
            limit: Some(1),
            ..show
        };
        let mut out = Vec::new();
        text(&[], &show, &mut out).unwrap();
        assert!(out.is_empty());
        text(&example_rows(), &show, &mut out).unwrap();
        text(&example_rows(), &several, &mut out).unwrap();
        let expected = "\
Folded: 29,088 of 55,742 connections (52%) come in rhythm, like checks; they are
in all other numbers too
every        times  share  length
5.0 s       17,280    31%     3ms  monitor@postgres  postgres_exporter  10.0.0.9
15.0 s ×2   11,520    21%          probe  10.0.0.1\\x1b[2J
5 min          288     1%          refused: database_unknown  app@gone  [local]

Folded: 29,088 of 55,742 connections (52%) come in rhythm, like checks; they are
in all other numbers too
every        times  share  length
5.0 s       17,280    31%     3ms  db1  monitor@postgres  postgres_exporter  10…
… 2 more: --limit 0

";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn names_that_are_nothing_else_are_one_row_with_their_sum() {
        let noise = example_rows();
        let row = |name: &'static [u8], open, connects, refused| TableRow {
            name,
            open,
            at_peak: Some(1),
            grew: None,
            connects,
            refused,
        };
        let users = names(&noise, Dimension::User);
        for (row, expected) in [
            (row(b"monitor", Some(0), 17_280, 0), true),
            (row(b"monitor", None, 17_280, 0), true),
            (row(b"monitor", Some(1), 17_281, 0), false),
            (row(b"monitor", Some(0), 17_281, 0), false),
            (row(b"monitor", Some(0), 17_280, 1), false),
            (row(b"app", Some(0), 0, 288), true),
            (row(b"app", Some(0), 0, 289), false),
        ] {
            assert_eq!(users[row.name].is_all(&row), expected, "{row:?}");
        }
        let two = [row(b"a", Some(0), 17, 2), row(b"b", Some(0), 4, 0)];
        let (name, sum) = together(&two);
        assert_eq!(name, "2 folded, see below");
        let numbers = (sum.open, sum.at_peak, sum.connects, sum.refused);
        assert_eq!(numbers, (Some(0), Some(2), 21, 2));
    }
}
