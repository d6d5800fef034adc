//! `summary` for people: the number that was asked for, how certain it is, and who is behind it.
//!
//! ```text
//! Active connections: 3 of 97, exact since the crash at 23 Nov 02:41:07 UTC
//!                     peak 93 at 23 Nov 02:40:58 UTC
//! ```

use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Names};
use pgcensus_core::session::End;
use pgcensus_core::snapshot::{CensusSnapshot, Certainty, Marker, OpenSnapshot, PeakSnapshot};

use super::findings::{self, Found};
use super::sessions::Layout;
use super::text::{
    Width as _, bar, counted, duration, glued, paragraph, right, shown, signed, size, sparkline,
    thousands,
};
use super::{InputReport, Show, Tone, noise, partial_first, table};

/// The census of a window, for people.
pub(crate) fn text(
    census: &CensusSnapshot,
    found: &Found<'_>,
    report: &InputReport,
    names: &Names,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let missing = Missing::of(report);
    // Refusals are logged whatever the settings.
    let nothing = census.refused_connections == 0 && census.probes == 0;
    partial_first(report, show, out)?;
    if missing == Missing::Everything && nothing {
        input(census, report, show, out)?;
        writeln!(out)?;
        missing.text(report, show, out)?;
        return notes(census, report, show, out);
    }
    headline(census, report, show, out)?;
    input(census, report, show, out)?;
    timeline(census, show, out)?;
    findings::lines(found, show, out)?;
    writeln!(out)?;
    totals(census, show, out)?;
    writeln!(out)?;
    match (&census.cross, show.by) {
        (Some(cross), _) => table::cross(cross, show, out)?,
        (None, []) => {
            if census.servers.len() > 1 {
                table::servers::text(census, show, out)?;
            }
            table::tables(census, &Dimension::NAMED, show, out)?;
        }
        (None, [Dimension::Server]) => table::servers::text(census, show, out)?,
        (None, dimensions) => table::tables(census, dimensions, show, out)?,
    }
    noise::text(&census.noise, show, out)?;
    session_time(census, show, out)?;
    ages(census, names, show, out)?;
    missing.text(report, show, out)?;
    notes(census, report, show, out)
}

/// Which lines the log lacks altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Nothing,
    /// Those of `log_connections`.
    Connections,
    /// Those of `log_disconnections`.
    Disconnections,
    Everything,
}

impl Missing {
    pub(crate) fn of(report: &InputReport) -> Missing {
        let connections = report.saw_authorized || report.saw_received;
        match (connections, report.saw_disconnection) {
            (true, true) => Missing::Nothing,
            (false, true) => Missing::Connections,
            (true, false) => Missing::Disconnections,
            (false, false) => Missing::Everything,
        }
    }

    /// What is missing, what follows from it, and the lines that turn it on.
    pub(crate) fn text(
        self,
        report: &InputReport,
        show: &Show<'_>,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let lacks = match self {
            Missing::Nothing => return Ok(()),
            Missing::Everything if report.bytes == 0 => {
                return writeln!(out, "The input is empty.");
            }
            // Whether the log has them cannot be said.
            Missing::Everything if report.unreadable > 0 => {
                let text = "No record could be read: is this another format? Try --format.";
                return paragraph(out, show, (0, 0), &[(Tone::Title, text)]);
            }
            Missing::Connections => {
                "has no line of log_connections: a session is seen only when it ends, so those \
                 that are open are not counted."
            }
            Missing::Disconnections => {
                "has no line of log_disconnections: unless nobody has left yet, it is off, and \
                 sessions are seen to begin and not to end."
            }
            Missing::Everything => {
                "has no line of log_connections or log_disconnections: nobody can be counted."
            }
        };
        if report.partial.is_some() {
            // The rest may have them.
            let sentence = format!("What was read of the log {lacks}");
            return paragraph(out, show, (0, 0), &[(Tone::Title, &sentence)]);
        }
        let sentence = format!("The log {lacks}");
        paragraph(out, show, (0, 0), &[(Tone::Title, &sentence)])?;
        let how = "To turn them on, as a superuser; it applies to sessions that begin afterwards:";
        paragraph(out, show, (0, 0), &[(Tone::Plain, how)])?;
        // Since 18 the parameter is a list of aspects; `on` is still read, and means fewer of them.
        let value = match report.server_major {
            Some(18..) => "'all'",
            _ => "on",
        };
        if self != Missing::Disconnections {
            writeln!(out, "  ALTER SYSTEM SET log_connections = {value};")?;
        }
        if self != Missing::Connections {
            writeln!(out, "  ALTER SYSTEM SET log_disconnections = on;")?;
        }
        writeln!(out, "  SELECT pg_reload_conf();\n")
    }
}

fn headline(
    census: &CensusSnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    const LABEL: &str = "Active connections: ";
    let count = census.open.count.filter(|_| report.knows_open());
    let number = amount(count, census.open.certainty);
    let max = report.max_connections.filter(|_| count.is_some());
    let of = max.map_or_else(String::new, |max| format!(" of {}", thousands(max.into())));
    let why = why(&census.open, census, report, show);
    let peak = peak(&census.peak, show).filter(|_| count.is_some());
    let peak = peak.map_or_else(String::new, |peak| format!("peak {peak}"));
    let width = LABEL.len() + number.width() + of.len() + why.width();
    let beside = width + 3 + peak.width() <= show.width;
    let gap = if beside && !peak.is_empty() {
        "\u{a0}\u{a0} "
    } else {
        ""
    };
    let mut parts = vec![
        (Tone::Title, LABEL),
        (Tone::Headline, &number),
        (Tone::Plain, &of),
        (Tone::Plain, &why),
    ];
    if beside {
        parts.extend([(Tone::Plain, gap), (Tone::Plain, &peak)]);
    }
    paragraph(out, show, (0, LABEL.len()), &parts)?;
    if !beside && !peak.is_empty() {
        let indent = LABEL.len();
        write!(out, "{:indent$}", "")?;
        paragraph(out, show, (indent, indent), &[(Tone::Plain, &peak)])?;
    }
    Ok(())
}

/// A count and how certain it is: `47 or more`.
pub(crate) fn amount(count: Option<u64>, certainty: Certainty) -> String {
    let Some(count) = count.map(thousands) else {
        return "not known".to_owned();
    };
    match certainty {
        Certainty::Exact => count,
        Certainty::AtLeast => format!("{count} or more"),
        Certainty::AtMost => format!("{count} or fewer"),
        Certainty::Unknown => format!("about {count}"),
    }
}

/// Why the count is as certain as it is, and what would make it more so.
fn why(
    open: &OpenSnapshot,
    census: &CensusSnapshot,
    report: &InputReport,
    show: &Show<'_>,
) -> String {
    if report.has_pid && (open.count.is_none() || !report.knows_open()) {
        return " (this log does not tell)".to_owned();
    }
    if open.count.is_none() {
        return " (the log_line_prefix has neither %p nor %c: which session a line belongs to cannot be \
                told)"
            .to_owned();
    }
    let marker = open.exact_since.map(|(at, marker)| {
        let word = match marker {
            Marker::Start => "server start",
            Marker::Crash => "crash",
        };
        let last = if census.servers.len() > 1 {
            "last "
        } else {
            ""
        };
        format!("the {last}{word} at {}", glued(&show.zoned(at)))
    });
    let from = census
        .input
        .map_or_else(String::new, |(first, _)| glued(&show.zoned(first)));
    if let Some(which) = not_exact(census, show) {
        return format!(" (not exact for {which})");
    }
    match (open.certainty, marker) {
        (Certainty::Exact, Some(marker)) => format!(", exact since {marker}"),
        (Certainty::Exact, None) => ", exact".to_owned(),
        (Certainty::AtLeast, _) if Missing::of(report) == Missing::Connections => {
            " (open sessions leave no line without log_connections)".to_owned()
        }
        (Certainty::AtLeast, Some(marker)) => {
            format!(" (lines are missing since {marker}; sessions may be unseen)")
        }
        (Certainty::AtLeast, None) if from.is_empty() => {
            " (no server start; older sessions are not seen; add older files)".to_owned()
        }
        (Certainty::AtLeast, None) => {
            format!(" (no server start since {from}; older sessions are not seen; add older files)")
        }
        (Certainty::AtMost, _) => {
            " (no disconnection lines: those that have left are still counted)".to_owned()
        }
        (Certainty::Unknown, _) => {
            " (neither every beginning nor every end is in the log)".to_owned()
        }
    }
}

/// Which servers are not exact, where others are: `db2, db3`.
fn not_exact(census: &CensusSnapshot, show: &Show<'_>) -> Option<String> {
    let servers = census.servers.iter();
    let vague: Vec<_> = servers
        .filter(|own| own.open.certainty != Certainty::Exact)
        .map(|own| shown(show.server(own.server).as_bytes()))
        .collect();
    match vague.len() {
        0 => None,
        n if n == census.servers.len() => None,
        1..=3 => Some(vague.join(", ")),
        n => Some(format!("{n} of {} servers", census.servers.len())),
    }
}

/// `93 at 23 Nov 02:40:58 UTC, +87 in 3 min`
pub(crate) fn peak(peak: &PeakSnapshot, show: &Show<'_>) -> Option<String> {
    peak.count?;
    let at = peak
        .at
        .map_or_else(String::new, |at| format!(" at {}", glued(&show.zoned(at))));
    let grew = peak.grew.as_ref().zip(peak.at).map(|(growth, at)| {
        let over = minutes(at.since(growth.since));
        format!(
            ", {}",
            glued(&format!("{} in {over}", signed(growth.count)))
        )
    });
    let grew = grew.unwrap_or_default();
    Some(format!("{}{at}{grew}", amount(peak.count, peak.certainty)))
}

/// `3 min`, `12 s`: in whole seconds, where it is a few.
fn minutes(ms: i64) -> String {
    match ms.max(0) as u64 {
        ms if ms >= 60_000 && (ms + 500) / 1_000 % 60 == 0 => {
            format!("{} min", (ms + 500) / 60_000)
        }
        ms @ 1_000..60_000 => format!("{} s", ms / 1_000),
        ms => duration(ms),
    }
}

/// The window, and what was read.
fn input(
    census: &CensusSnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    input_of(census.window, census.input, report, show, out)
}

/// The same of any window of an input.
pub(super) fn input_of(
    window: Option<(Instant, Instant)>,
    input: Option<(Instant, Instant)>,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut text = match window.or(input) {
        Some((since, until)) => span(since, until, show),
        None if report.bytes > 0 => "the log carries no time".to_owned(),
        None => String::new(),
    };
    if let (Some(window), Some((first, last))) = (window, input)
        && (window.0 > first || window.1 < last)
    {
        text += &format!(", part of {}", whole(first, last, window, show));
    }
    if !text.is_empty() {
        text += "; ";
    }
    let files = counted(report.files as u64, "file", "files");
    text += &glued(&format!("{files}, {}", size(report.bytes)));
    if show.servers.len() > 1 {
        let servers: Vec<_> = show
            .servers
            .iter()
            .map(|server| shown(server.as_bytes()))
            .collect();
        let listed = if servers.len() <= 4 {
            format!(": {}", servers.join(", "))
        } else {
            String::new()
        };
        text += &format!("; {} servers{listed}", servers.len());
    }
    paragraph(out, show, (0, 0), &[(Tone::Dim, &text)])
}

/// `17 Nov 00:00 to 23 Nov 2025 03:03:11 UTC`
fn span(since: Instant, until: Instant, show: &Show<'_>) -> String {
    let year = |at| show.zone.civil(at).year;
    let dated = |at| {
        let clock = show.second(at);
        let clock = clock
            .trim_start_matches(&show.day(at))
            .trim_start()
            .to_owned();
        format!("{} {} {clock}", show.day(at), year(at))
    };
    let zone = show.zone.abbreviation(until);
    let from = if show.zone.abbreviation(since) == zone {
        String::new()
    } else {
        format!(" {}", show.zone.abbreviation(since))
    };
    let one_day = show.same_day(since, until);
    let since_text = if year(since) == year(until) && !one_day {
        show.second(since)
    } else {
        dated(since)
    };
    let until_text = if one_day {
        show.clock_s(until)
    } else {
        dated(until)
    };
    format!(
        "{} to {}",
        glued(&(since_text + &from)),
        glued(&format!("{until_text} {zone}"))
    )
}

/// What the window is a part of, without what the window says already: `05:18:53 to 05:19:00`.
fn whole(first: Instant, last: Instant, window: (Instant, Instant), show: &Show<'_>) -> String {
    let all = |same: &dyn Fn(Instant) -> bool| [window.0, first, last].into_iter().all(same);
    if all(&|at| show.same_day(at, window.1)) {
        let (first, last) = (show.clock_s(first), show.clock_s(last));
        return glued(&format!("{first} to {last}"));
    }
    let year = |at| show.zone.civil(at).year;
    let one_zone = |at| show.zone.abbreviation(at) == show.zone.abbreviation(window.1);
    if all(&|at| year(at) == year(window.1) && one_zone(at)) {
        let last_text = if show.same_day(first, last) {
            show.clock_s(last)
        } else {
            show.second(last)
        };
        return format!("{} to {}", glued(&show.second(first)), glued(&last_text));
    }
    span(first, last, show)
}

fn timeline(census: &CensusSnapshot, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    line_of(&census.timeline, (Tone::Connected, "open"), show, out)
}

/// How a number went over the window: `▁▃█▂  open, up to 93`.
pub(super) fn line_of(
    timeline: &[u64],
    (tone, what): (Tone, &str),
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if timeline.len() < 2 || timeline.iter().all(|&n| n == 0) {
        return Ok(());
    }
    // A narrow line has fewer, longer stretches.
    let stretch = timeline.len().div_ceil(show.width.max(1));
    let most: Vec<u64> = timeline
        .chunks(stretch)
        .map(|stretch| stretch.iter().copied().max().unwrap_or(0))
        .collect();
    let line = sparkline(&most);
    let bars = show.paint(tone, &line);
    let most = timeline.iter().max().copied().unwrap_or(0);
    let scale = format!("  {what}, up to {}", thousands(most));
    let room = show.width.saturating_sub(line.width());
    let scale = if scale.width() <= room {
        scale
    } else {
        String::new()
    };
    writeln!(out, "{bars}{}", show.paint(Tone::Dim, &scale))
}

fn totals(census: &CensusSnapshot, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let list = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
        let parts: Vec<_> = counts
            .filter(|&(_, count)| count > 0)
            .map(|(word, count)| glued(&format!("{word} {}", thousands(count))))
            .collect();
        parts.join(", ")
    };
    let ends = list(
        &mut End::ALL
            .into_iter()
            .map(|end| (end.as_str(), census.disconnects_by(end))),
    );
    let reasons = census.refused_by_reason.iter();
    let mut reasons = list(&mut reasons.map(|&(reason, count)| (reason.as_str(), count)));
    if census.refused_attempts < census.refused_connections {
        let attempts = counted(census.refused_attempts, "attempt", "attempts");
        reasons += &format!("; {}", glued(&format!("{attempts}, the others retries")));
    }
    let walsenders = &census.walsenders;
    let (came, left) = (census.walsender_connects, census.walsender_disconnects);
    let mut rows = vec![
        (
            "connects",
            thousands(census.connects),
            String::new(),
            Tone::Connected,
        ),
        (
            "disconnects",
            thousands(census.disconnects_total()),
            ends,
            Tone::Disconnected,
        ),
        (
            "refused",
            thousands(census.refused_connections),
            reasons,
            Tone::Refused,
        ),
        (
            "probes",
            thousands(census.probes),
            "received, then nothing".to_owned(),
            Tone::Plain,
        ),
        (
            "pending",
            thousands(census.pending),
            "received, not yet authorized".to_owned(),
            Tone::Plain,
        ),
    ];
    if walsenders.count.is_some_and(|n| n > 0) || came > 0 || left > 0 {
        let count = walsenders.count.map_or_else(|| "?".to_owned(), thousands);
        let more = match (walsenders.count, walsenders.certainty) {
            (Some(_), Certainty::AtLeast) => "or more; ",
            (Some(_), Certainty::AtMost) => "or fewer; ",
            (Some(_), Certainty::Unknown) => "or so; ",
            (Some(_), Certainty::Exact) | (None, _) => "",
        };
        let detail = format!(
            "{more}{}, {}",
            counted(came, "connect", "connects"),
            counted(left, "disconnect", "disconnects")
        );
        rows.push(("walsenders", count, detail, Tone::Plain));
    }
    let widest = rows
        .iter()
        .map(|(_, count, ..)| count.len())
        .max()
        .unwrap_or(0)
        .max(6);
    for (label, count, detail, tone) in rows {
        let zero = count == "0";
        let tone = if zero { Tone::Dim } else { tone };
        let count = right(&count, widest);
        write!(out, "{label:11}  {}", show.paint(tone, &count))?;
        if detail.is_empty() || zero {
            writeln!(out)?;
        } else {
            write!(out, "   ")?;
            let column = 11 + 2 + widest + 3;
            paragraph(out, show, (column, column), &[(Tone::Dim, &detail)])?;
        }
    }
    Ok(())
}

fn session_time(
    census: &CensusSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    const CLASSES: [&str; 9] = [
        "< 0.5 s", "< 1 s", "< 30 s", "< 1 min", "< 10 min", "< 30 min", "< 1 h", "< 8 h", "longer",
    ];
    let times = &census.session_time;
    let all: u64 = times.histogram.iter().sum();
    if all == 0 {
        return Ok(());
    }
    let length = |ms: Option<u64>| ms.map_or_else(|| "?".to_owned(), duration);
    let line = format!(
        "   median {}   p95 {}   p99 {}   longest {}",
        glued(&length(times.p50)),
        glued(&length(times.p95)),
        glued(&length(times.p99)),
        glued(&length(times.max))
    );
    paragraph(
        out,
        show,
        (0, 0),
        &[(Tone::Title, "Session time"), (Tone::Plain, &line)],
    )?;
    let most = times.histogram.iter().copied().max().unwrap_or(0);
    let widest = thousands(most).len().max(6);
    let cells = show
        .width
        .min(100)
        .saturating_sub(8 + 2 + 2 + widest + 2 + 5)
        .clamp(8, 60);
    // Empty classes at either end say nothing.
    let first = times.histogram.iter().position(|&n| n > 0).unwrap_or(0);
    let end = times.histogram.iter().rposition(|&n| n > 0).unwrap_or(0) + 1;
    let classes = CLASSES.iter().zip(&times.histogram);
    for (class, &count) in classes.take(end).skip(first) {
        let share = (u128::from(count) * 100 + u128::from(all) / 2) / u128::from(all);
        let share = match (share, count) {
            (_, 0) => String::new(),
            (0, _) => "< 1%".to_owned(),
            (share, _) => format!("{share}%"),
        };
        let tone = if count == 0 { Tone::Dim } else { Tone::Plain };
        let line = format!(
            "{class:8}  {}  {}  {}",
            show.paint(tone, &right(&thousands(count), widest)),
            show.paint(Tone::Dim, &right(&share, 4)),
            show.paint(Tone::Connected, &bar(count, most, cells))
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

fn ages(
    census: &CensusSnapshot,
    names: &Names,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    const CLASSES: [&str; 4] = ["< 1 min", "< 1 h", "< 1 d", "older"];
    if census.oldest.is_empty() && census.open_by_age == [0; 4] {
        return Ok(());
    }
    let classes = CLASSES.iter().zip(census.open_by_age);
    let classes: String = classes
        .map(|(class, count)| format!("   {} {}", glued(class), thousands(count)))
        .collect();
    paragraph(
        out,
        show,
        (0, 0),
        &[(Tone::Title, "Open by age"), (Tone::Plain, &classes)],
    )?;
    if !census.oldest.is_empty() {
        let layout = Layout::new(show, false);
        let until = census.window.or(census.input).map(|(_, until)| until);
        writeln!(out, "{}", layout.head("age", show))?;
        for session in &census.oldest {
            writeln!(out, "{}", layout.line(session, names, until, show))?;
        }
    }
    writeln!(out)
}

/// What the reader must know to rely on the numbers: a line each.
fn notes(
    census: &CensusSnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    for (tone, note) in all_notes(&census.bounds, report) {
        paragraph(out, show, (0, 2), &[(tone, &note)])?;
    }
    Ok(())
}

/// Notes of the input and the bounds that were reached.
pub(crate) fn all_notes(bounds: &[String], report: &InputReport) -> Vec<(Tone, String)> {
    let mut notes = Vec::new();
    if report.unreadable > 0 {
        let records = counted(report.unreadable, "record", "records");
        let text = format!("{records} of interest could not be read; see them with --unreadable");
        notes.push((Tone::Refused, text));
    }
    if report.untrusted > 0 {
        let lines = counted(report.untrusted, "line", "lines");
        let why = match report.untrusted {
            1 => "it contradicts itself; see it with --unreadable",
            _ => "they contradict themselves; see them with --unreadable",
        };
        let text = format!("{lines} not trusted: {why}");
        notes.push((Tone::Refused, text));
    }
    if report.bytes > 0 && !report.has_time {
        let text = "the log_line_prefix has no %m, %t or %n: nothing can be said about when";
        notes.push((Tone::Dim, text.to_owned()));
    }
    for source in &report.sources {
        if let Some(why) = &source.left_out {
            let path = shown(source.path.as_bytes());
            notes.push((
                Tone::Dim,
                format!("left out: {path}: {}", shown(why.as_bytes())),
            ));
        }
    }
    for note in bounds.iter().chain(&report.notes) {
        notes.push((Tone::Dim, shown(note.as_bytes()).into_owned()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use pgcensus_core::session::ServerId;
    use pgcensus_core::snapshot::{Cross, CrossRow, ServerSnapshot};

    use super::*;
    use crate::view::{Partial, example};

    fn render(
        census: &CensusSnapshot,
        report: &InputReport,
        names: &Names,
        show: &Show<'_>,
    ) -> String {
        let mut out = Vec::new();
        text(census, &Found::default(), report, names, show, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn widest(text: &str) -> usize {
        text.lines().map(str::width).max().unwrap_or(0)
    }

    #[test]
    fn summary_of_a_night_after_a_crash() {
        let (zone, mut names) = (example::zone(), Names::default());
        let census = example::census(&mut names);
        for width in [80, 120] {
            let text = render(
                &census,
                &example::report(),
                &names,
                &example::show(&zone, width),
            );
            assert!(widest(&text) <= width, "{text}");
            insta::assert_snapshot!(format!("summary_{width}"), text);
        }
    }

    #[test]
    fn summary_in_colour() {
        let (zone, mut names) = (example::zone(), Names::default());
        let census = example::census(&mut names);
        let show = Show {
            color: true,
            limit: Some(1),
            ..example::show(&zone, 80)
        };
        let text = render(&census, &example::report(), &names, &show);
        insta::assert_snapshot!(text.replace('\x1b', "␛"));
    }

    #[test]
    fn summary_says_how_certain_it_is() {
        let (zone, mut names) = (example::zone(), Names::default());
        let show = example::show(&zone, 80);
        let mut report = example::report();
        let mut headlines = String::new();
        let mut census = example::census(&mut names);
        for (count, certainty, exact_since) in [
            (
                Some(47),
                Certainty::Exact,
                Some((example::at(0, 0, 0), Marker::Start)),
            ),
            (Some(47), Certainty::AtLeast, None),
            (
                Some(47),
                Certainty::AtLeast,
                Some((example::at(0, 0, 0), Marker::Start)),
            ),
            (Some(47), Certainty::AtMost, None),
            (Some(47), Certainty::Unknown, None),
            (None, Certainty::Unknown, None),
        ] {
            census.open.count = count;
            census.open.certainty = certainty;
            census.open.exact_since = exact_since;
            census.peak.certainty = certainty;
            census.peak.count = count;
            let text = render(&census, &report, &names, &show);
            headlines += text.split("\n17 Nov").next().unwrap();
            headlines += "\n\n";
            report.max_connections = None;
        }
        insta::assert_snapshot!(headlines);
    }

    #[test]
    fn of_several_servers_it_says_which_are_not_exact() {
        let (zone, mut names) = (example::zone(), Names::default());
        let servers = example::fleet_names();
        let mut census = example::fleet(&mut names);
        let show = Show {
            servers: &servers,
            ..example::show(&zone, 80)
        };
        let mut report = example::report();
        report.max_connections = None;
        let text = render(&census, &report, &names, &show);
        insta::assert_snapshot!("summary_of_servers", text);
        let headline = |census: &CensusSnapshot| {
            let text = render(census, &report, &names, &show);
            text.split("\n17 Nov").next().unwrap().to_owned()
        };
        let one = example::census(&mut Names::default());
        let like = |own: &ServerSnapshot, id| ServerSnapshot {
            server: ServerId(id),
            ..own.clone()
        };
        let three = headline(&census);
        let vague = census.servers[1].clone();
        census.servers.extend([4, 5].map(|id| like(&vague, id)));
        let five = headline(&census);
        census.servers.remove(0);
        let all = headline(&census);
        let exact = headline(&CensusSnapshot {
            servers: vec![like(&one.servers[0], 0), like(&one.servers[0], 1)],
            ..one
        });
        insta::assert_snapshot!(
            "headlines_of_servers",
            [three, five, all, exact].join("\n\n")
        );
    }

    #[test]
    fn summary_without_connection_lines_says_how_to_turn_them_on() {
        let (zone, names) = (example::zone(), Names::default());
        let show = example::show(&zone, 80);
        let census = CensusSnapshot {
            input: Some((example::first(), example::at(3, 3, 11))),
            ..CensusSnapshot::default()
        };
        let mut texts = String::new();
        for (authorized, disconnection, major, bytes) in [
            (false, false, Some(16), 1_000_000),
            (false, true, Some(18), 1_000_000),
            (true, false, None, 1_000_000),
            (false, false, None, 0),
        ] {
            let report = InputReport {
                saw_authorized: authorized,
                saw_received: authorized,
                saw_disconnection: disconnection,
                tells_open: authorized || disconnection,
                server_major: major,
                bytes,
                has_pid: true,
                has_time: true,
                files: 1,
                ..InputReport::default()
            };
            texts += &render(&census, &report, &names, &show);
            texts += "--------\n";
        }
        insta::assert_snapshot!(texts);
    }

    #[test]
    fn refusals_are_shown_even_where_connections_are_not_logged() {
        let (zone, mut names) = (example::zone(), Names::default());
        let refused = example::census(&mut names);
        let census = CensusSnapshot {
            refused_attempts: 5,
            refused_connections: 5,
            refused_by_reason: vec![refused.refused_by_reason[2]],
            ..CensusSnapshot::default()
        };
        let report = InputReport {
            bytes: 1_000,
            has_pid: true,
            has_time: true,
            ..InputReport::default()
        };
        let text = render(&census, &report, &names, &example::show(&zone, 80));
        assert!(text.contains("hba_no_entry 5"), "{text}");
        // Who is connected is not known: not nobody.
        assert!(text.starts_with("Active connections: not known"), "{text}");
        assert!(
            text.contains("ALTER SYSTEM SET log_connections = on;"),
            "{text}"
        );
    }

    #[test]
    fn summary_survives_huge_numbers_and_hostile_names() {
        let (zone, mut names) = (example::zone(), Names::default());
        let mut census = example::census(&mut names);
        census.open.count = Some(u64::MAX);
        census.connects = u64::MAX;
        census.connects_by[0] = vec![
            (
                (*b"shop\n23 Nov 02:40:58 UTC [1] LOG:  fake").into(),
                u64::MAX,
            ),
            ("\u{202e}pohs\x1b[31m".as_bytes().into(), 1_000_000_000_000),
            ((*b"caf\xe9").into(), 3),
            ("本".repeat(40).as_bytes().into(), 2),
        ];
        census.session_time.histogram = [u64::MAX / 16; 9];
        census.session_time.max = Some(u64::MAX);
        census.disconnects = [u64::MAX / 8; 5];
        census.probes = u64::MAX;
        census.oldest[0].user = Some(names.name(Dimension::User, b"eve\x1b]0;x\x07"));
        census.bounds = vec!["100,000 names are kept; others are counted as (other)".to_owned()];
        let mut report = example::report();
        report.unreadable = 3;
        report.untrusted = 1;
        report.partial = Some(Partial {
            read: u64::MAX / 2,
            whole: Some(u64::MAX),
            until: Some(example::at(3, 3, 11)),
            unread: vec!["a\x1b[31m".to_owned()],
        });
        report.notes = vec!["pgbouncer.log is a log of PgBouncer: left out".to_owned()];
        for width in [40, 80] {
            let text = render(&census, &report, &names, &example::show(&zone, width));
            assert!(!text.contains('\x1b') && !text.contains('\u{202e}'));
            insta::assert_snapshot!(format!("summary_hostile_{width}"), text);
        }
    }

    #[test]
    fn cross_of_two_dimensions_takes_the_place_of_the_tables() {
        let (zone, mut names) = (example::zone(), Names::default());
        let mut census = example::census(&mut names);
        let row = |a: &str, b: &str, open| CrossRow {
            names: (a.as_bytes().into(), b.as_bytes().into()),
            open,
            connects: 10 * open,
            refused: 0,
        };
        census.cross = Some(Cross {
            dimensions: (Dimension::Database, Dimension::User),
            rows: vec![
                row("shop", "app", 1_204),
                row("shop", "eve", 2),
                row("reporting", "bi", 1),
            ],
        });
        let show = Show {
            limit: Some(2),
            ..example::show(&zone, 80)
        };
        let text = render(&census, &example::report(), &names, &show);
        let table: Vec<_> = text
            .lines()
            .skip_while(|line| !line.starts_with("Database"))
            .take(4)
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
