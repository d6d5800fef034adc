//! `refused` for people: reasons, what they mean, who, from where, since when, and the last records of each.
//!
//! ```text
//! password_failed   26 connections, 24 attempts   23 Nov 02:12:01 to 02:13:44 UTC
//! The password is wrong or expired, …
//!   count  user  database  client host  last
//!      12  app   shop      10.0.0.7     02:13:44
//! ```

pub(crate) mod data;
mod groups;
pub(crate) mod meaning;

use std::borrow::Cow;
use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::refusals::BURST_S;
use pgcensus_core::session::{ProbeReason, RefusalReason};
use pgcensus_core::snapshot::refused::{
    Burst, ProbeSnapshot, ReasonSnapshot, RecordSnapshot, RefusedSnapshot, Tally,
};

use super::findings::{Given, open_at};
use super::summary::{self, all_notes, input_of, line_of};
use super::text::{Width as _, bar, counted, glued, left, paragraph, right, shown, thousands};
use super::{InputReport, Place, Show, Tone, partial_first};

/// Lines of a record that are shown.
const RECORD_LINES: usize = 8;

/// A reason is worth a rate from so many connections on.
const RATE_MIN: u64 = 10;

/// What is told.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The numbers.
    pub(crate) refused: &'a RefusedSnapshot,
    /// Of the records, reason by reason.
    pub(crate) places: &'a [Place],
    /// What was read.
    pub(crate) report: &'a InputReport,
    /// What of the command line holds for the command that shows who held the connections.
    pub(crate) given: &'a Given,
}

/// All of it, for people.
pub(crate) fn text(told: Told<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let Told {
        refused, report, ..
    } = told;
    partial_first(report, show, out)?;
    headline(refused, show, out)?;
    input_of(refused.window, refused.input, report, show, out)?;
    line_of(&refused.timeline, (Tone::Refused, "refused"), show, out)?;
    writeln!(out)?;
    overview(refused, show, out)?;
    let mut places = told.places;
    for reason in &refused.reasons {
        let (own, rest) = places.split_at(reason.records.len().min(places.len()));
        places = rest;
        section(reason, own, told, show, out)?;
    }
    probes(refused, show, out)?;
    notes(told, show, out)
}

fn headline(
    refused: &RefusedSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    const LABEL: &str = "Refused: ";
    let number = thousands(refused.all.connections);
    let connections = match refused.all.connections {
        1 => " connection",
        _ => " connections",
    };
    let mut rest = connections.to_owned();
    rest += &retries(&refused.all);
    if refused.all.attempts < refused.all.connections {
        rest += &glued(", the others retries");
    }
    rest += &burst(&refused.all, refused.burst, show);
    if refused.pending > 0 {
        rest += &format!("; {} not decided yet", thousands(refused.pending));
    }
    let tone = match refused.all.connections {
        0 => Tone::Headline,
        _ => Tone::Refused,
    };
    let parts = [(Tone::Title, LABEL), (tone, &number), (Tone::Plain, &rest)];
    paragraph(out, show, (0, LABEL.len()), &parts)
}

/// `, 24 attempts`, where some connections were retries.
fn retries(tally: &Tally) -> String {
    if tally.attempts == tally.connections {
        return String::new();
    }
    format!(
        ", {}",
        glued(&counted(tally.attempts, "attempt", "attempts"))
    )
}

/// `; busiest 10 s: 12 from 23 Nov 02:40:50 UTC`
fn burst(tally: &Tally, burst: Option<Burst>, show: &Show<'_>) -> String {
    let Some(burst) = burst.filter(|burst| (2..tally.connections).contains(&burst.connections))
    else {
        return String::new();
    };
    let most = thousands(burst.connections);
    let busiest = glued(&format!("busiest {BURST_S} s: {most}"));
    format!("; {busiest} from {}", glued(&show.zoned(burst.start)))
}

/// Every reason with its share.
fn overview(
    refused: &RefusedSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let [first, _, ..] = &refused.reasons[..] else {
        return Ok(());
    };
    let most = first.tally.connections;
    let words = refused.reasons.iter().map(|reason| reason.reason.as_str());
    let word_width = words.map(str::len).max().unwrap_or(0);
    let number_width = thousands(most).len().max(5);
    let cells = show.width.min(100);
    let cells = cells
        .saturating_sub(word_width + number_width + 10)
        .clamp(8, 60);
    for reason in &refused.reasons {
        let count = reason.tally.connections;
        let line = format!(
            "{}  {}  {}  {}",
            left(reason.reason.as_str(), word_width),
            show.paint(Tone::Refused, &right(&thousands(count), number_width)),
            show.paint(Tone::Dim, &right(&share(count, refused.all.connections), 4)),
            show.paint(Tone::Refused, &bar(count, most, cells))
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

/// `27%`, `< 1%`
fn share(count: u64, all: u64) -> String {
    let share = (u128::from(count) * 100 + u128::from(all) / 2) / u128::from(all.max(1));
    match share {
        0 => "< 1%".to_owned(),
        share => format!("{share}%"),
    }
}

fn section(
    reason: &ReasonSnapshot,
    places: &[Place],
    Told { refused, given, .. }: Told<'_>,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let tally = &reason.tally;
    let mut count = counted(tally.connections, "connection", "connections");
    count += &retries(tally);
    let count = format!("   {count}");
    let mut rest = span(tally, show);
    if let Some(rate) = tally.per_minute().filter(|_| tally.connections >= RATE_MIN) {
        rest += &format!(", {}", glued(&rate_of(rate)));
    }
    rest += &burst(tally, reason.burst, show);
    let parts = [
        (Tone::Title, reason.reason.as_str()),
        (Tone::Refused, &*count),
        (Tone::Dim, &*rest),
    ];
    paragraph(out, show, (0, 4), &parts)?;
    paragraph(
        out,
        show,
        (0, 0),
        &[(Tone::Plain, meaning::of(reason.reason))],
    )?;
    let is_full = matches!(
        reason.reason,
        RefusalReason::TooManyClients | RefusalReason::SlotsReserved
    );
    if let Some(at) = tally.last.filter(|_| is_full) {
        // On one line, however long: it is there to be pasted.
        let see = show.paint(Tone::Dim, "see  ");
        writeln!(out, "{see}{}", open_at(at, given, show))?;
    }
    groups::text(reason, refused, show, out)?;
    for (record, place) in reason.records.iter().zip(places) {
        self::record(record, place, show, out)?;
    }
    writeln!(out)
}

/// `, 23 Nov 02:12:01 to 02:13:44 UTC`
fn span(tally: &Tally, show: &Show<'_>) -> String {
    let (Some(first), Some(last)) = (tally.first, tally.last) else {
        return String::new();
    };
    if show.second(first) == show.second(last) {
        return format!(", {}", glued(&show.zoned(last)));
    }
    let zone = show.zone.abbreviation(last);
    let until = if show.same_day(first, last) {
        show.clock_s(last)
    } else {
        show.second(last)
    };
    let (since, until) = (
        glued(&show.second(first)),
        glued(&format!("{until} {zone}")),
    );
    format!(", {since} to {until}")
}

/// `4.2 a minute`, `12 a second`
fn rate_of(per_minute: f64) -> String {
    match per_minute {
        0.0..9.95 => format!("{per_minute:.1} a minute"),
        0.0..120.0 => format!("{per_minute:.0} a minute"),
        _ => format!("{} a second", thousands((per_minute / 60.0).round() as u64)),
    }
}

fn record(
    record: &RecordSnapshot,
    place: &Place,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    writeln!(out, "  {}", show.paint(Tone::Dim, &place.to_string()))?;
    let mut lines = record.text.split(|&b| b == b'\n');
    for line in lines.by_ref().take(RECORD_LINES) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = shown(line);
        write!(out, "    ")?;
        paragraph(out, show, (4, 6), &[(Tone::Plain, &line)])?;
    }
    if lines.next().is_some() {
        writeln!(out, "    …")?;
    }
    Ok(())
}

fn probes(refused: &RefusedSnapshot, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let total = refused.probes_total();
    if total == 0 {
        return Ok(());
    }
    let count = format!("   {}", counted(total, "connection", "connections"));
    let what = ", received and nothing more: health checks, port scans, cancel requests, clients that left when asked for a password";
    let parts = [
        (Tone::Title, "Probes"),
        (Tone::Plain, &*count),
        (Tone::Dim, what),
    ];
    paragraph(out, show, (0, 4), &parts)?;
    let hosts = &refused.probes[..show.rows(refused.probes.len(), groups::ROWS_DEFAULT)];
    let widths = hosts.iter().map(|row| host(row).width());
    let width = widths
        .max()
        .unwrap_or(0)
        .clamp(11, show.width.clamp(40, 120) / 3);
    let number_width = hosts
        .first()
        .map_or(0, |row| thousands(row.count).len())
        .max(5);
    let head = format!(
        "  {}  {}  first to last",
        right("count", number_width),
        left("client host", width)
    );
    writeln!(out, "{}", show.paint(Tone::Dim, &head))?;
    for row in hosts {
        let reasons = ProbeReason::ALL
            .iter()
            .map(|&reason| (reason, row.by_reason[reason as usize]));
        let reasons = reasons.filter(|&(_, count)| count > 0);
        let reasons: Vec<_> = reasons
            .map(|(reason, count)| {
                glued(&format!(
                    "{} {}",
                    meaning::of_probe(reason),
                    thousands(count)
                ))
            })
            .collect();
        let server = row.server.map_or_else(String::new, |server| {
            format!("on {}; ", shown(show.server(server).as_bytes()))
        });
        let tally = Tally {
            connections: row.count,
            first: row.first,
            last: row.last,
            ..Tally::default()
        };
        let span = span(&tally, show);
        let span = span.trim_start_matches(", ");
        let count = right(&thousands(row.count), number_width);
        write!(
            out,
            "  {}  {}  ",
            show.paint(Tone::Plain, &count),
            left(&host(row), width)
        )?;
        let column = number_width + width + 6;
        let why = format!("; {server}{}", reasons.join(", "));
        paragraph(
            out,
            show,
            (column, column),
            &[(Tone::Plain, span), (Tone::Dim, &why)],
        )?;
    }
    groups::more(refused.probes.len() - hosts.len(), show, out)?;
    writeln!(out)
}

fn host(probe: &ProbeSnapshot) -> Cow<'_, str> {
    let host = probe.client_host.as_deref();
    host.map_or(Cow::Borrowed("unknown"), shown)
}

/// What the reader must know to rely on it.
fn notes(told: Told<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let Told {
        refused, report, ..
    } = told;
    let groups = refused.reasons.iter().flat_map(|reason| &reason.groups);
    let host = pgcensus_core::names::Dimension::ClientHost;
    let lacks_host = refused.dimensions.contains(&host)
        && groups.into_iter().any(|group| group.name(host).is_none());
    if lacks_host && !report.saw_received {
        let text = "client hosts are not known where neither log_connections nor the log_line_prefix (%h) shows them";
        paragraph(out, show, (0, 2), &[(Tone::Dim, text)])?;
    }
    if refused.all.connections == 0 && report.bytes == 0 {
        return summary::Missing::of(report).text(report, show, out);
    }
    for (tone, note) in all_notes(&refused.bounds, report) {
        paragraph(out, show, (0, 2), &[(tone, &note)])?;
    }
    Ok(())
}

/// A time in a column: the day too, where the window has several.
fn column_time(at: Option<Instant>, refused: &RefusedSnapshot, show: &Show<'_>) -> String {
    let Some(at) = at else {
        return String::new();
    };
    let one_day = refused
        .window
        .is_none_or(|(since, until)| show.same_day(since, until));
    if one_day {
        show.clock_s(at)
    } else {
        format!("{:>6} {}", show.day(at), show.clock_s(at))
    }
}

#[cfg(test)]
mod tests;
