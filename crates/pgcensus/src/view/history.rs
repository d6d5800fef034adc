//! `history` for people: one row a bucket, connects and disconnects as bars on one scale.
//!
//! ```text
//! start    connects            disconnects          net  least   most  refused
//! 02:15     812  ████████▎        640  ██████▌     +172     12     93       17
//! ```

use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::{Bucket, HistorySnapshot, Ranking};

use super::summary::{Missing, all_notes, peak};
use super::text::{
    Width as _, bar, cut, glued, left, paragraph, right, shown, signed, sparkline, thousands,
};
use super::{InputReport, Show, Tone, partial_first, table};
use table::marked;

/// The history of a window, for people.
pub(crate) fn text(
    history: &HistorySnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let missing = Missing::of(report);
    partial_first(report, show, out)?;
    // Refusals are logged whatever the settings.
    let refused = history.buckets.iter().any(|bucket| bucket.refused > 0);
    if missing != Missing::Everything || refused {
        window(history, report, show, out)?;
        if !history.buckets.is_empty() {
            writeln!(out)?;
            rows(history, report, show, out)?;
            who(history, show, out)?;
        }
    }
    missing.text(report, show, out)?;
    for (tone, note) in all_notes(&history.bounds, report) {
        paragraph(out, show, (0, 2), &[(tone, &note)])?;
    }
    Ok(())
}

/// Which part of the input is shown.
fn window(
    history: &HistorySnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let Some((since, until)) = history.window else {
        let why = if report.has_time {
            "no records"
        } else {
            "the log carries no time: it has no history"
        };
        return writeln!(out, "{why}");
    };
    let zone = show.zone.abbreviation(until);
    let Some((first, last)) = history.input else {
        let text = format!("{} {zone}", stretch(since, until, true, show));
        return writeln!(out, "{}", text.replace('\u{a0}', " "));
    };
    let whole = since <= first && until >= last;
    let last_day = show.same_day(since, last) && show.same_day(until, last);
    let day = whole || !last_day || show.same_day(first, last);
    let mut text = format!("{} {zone}", stretch(since, until, day, show));
    if !whole {
        // On the day that has been named, the clock is enough.
        let named = last_day && show.same_day(first, last);
        let all = stretch(first, last, !named, show);
        if show.window_is_default {
            let minutes = history.buckets.len() as u64 * history.bucket_s / 60;
            text += &format!(
                ", the last {minutes} min of {all}; {}",
                glued("--last all shows everything")
            );
        } else {
            text += &format!(", part of {all}");
        }
    }
    paragraph(out, show, (0, 0), &[(Tone::Plain, &text)])
}

/// `23 Nov 05:18:53 to 05:19:00`: the day once, where it is one; seconds where it is minutes.
fn stretch(since: Instant, until: Instant, day: bool, show: &Show<'_>) -> String {
    let clock = |at| {
        if until.since(since) < 600_000 {
            show.clock_s(at)
        } else {
            show.clock(at)
        }
    };
    let dated = |at, day| {
        let day = if day {
            show.day(at) + " "
        } else {
            String::new()
        };
        glued(&(day + &clock(at)))
    };
    let one_day = show.same_day(since, until);
    format!("{} to {}", dated(since, day), dated(until, day && !one_day))
}

/// Widths of the columns; bars take what is left.
struct Columns {
    start: usize,
    count: usize,
    bar: usize,
    net: usize,
    open: usize,
    refused: usize,
}

impl Columns {
    fn new(history: &HistorySnapshot, starts: &[String], show: &Show<'_>) -> Columns {
        let widest = |head: &str, text: &dyn Fn(&Bucket) -> String| {
            let texts = history.buckets.iter().map(|bucket| text(bucket).width());
            texts.chain([head.len()]).max().unwrap_or(0)
        };
        let open = widest("least", &|bucket| marked(bucket.open_max, bucket.certainty));
        let connects = widest("", &|bucket| thousands(bucket.connects));
        let mut columns = Columns {
            start: starts
                .iter()
                .map(|start| start.width())
                .max()
                .unwrap_or(0)
                .max(5),
            count: widest("", &|bucket| thousands(bucket.disconnects)).max(connects),
            bar: 0,
            net: widest("net", &|bucket| signed(bucket.net())),
            open,
            refused: widest("refused", &|bucket| thousands(bucket.refused)),
        };
        let numbers = columns.start + 2 * columns.count + columns.net + 2 * open + columns.refused;
        let rest = show.width.saturating_sub(numbers + 2 * 6 + 2);
        // A bar of less than four columns shows nothing that the number does not.
        columns.bar = Some((rest / 2).min(30))
            .filter(|&bar| bar >= 4)
            .unwrap_or(0);
        columns
    }

    /// Number and bar.
    fn pair(&self) -> usize {
        let gap = usize::from(self.bar > 0);
        (self.count + gap + self.bar).max("disconnects".len())
    }
}

fn rows(
    history: &HistorySnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    // Without pids nobody can be seen to leave; without lines of sessions nobody can be seen.
    let open = |n: u64, certainty| {
        if report.knows_open() {
            marked(n, certainty)
        } else {
            "?".to_owned()
        }
    };
    let starts = starts(history, show);
    let columns = Columns::new(history, &starts, show);
    let pair = columns.pair();
    let head = format!(
        "{}  {}  {}  {}  {}  {}  {}",
        left("start", columns.start),
        left("connects", pair),
        left("disconnects", pair),
        right("net", columns.net),
        right("least", columns.open),
        right("most", columns.open),
        right("refused", columns.refused),
    );
    writeln!(out, "{}", show.paint(Tone::Dim, head.trim_end()))?;
    let most = history
        .buckets
        .iter()
        .map(|bucket| bucket.connects.max(bucket.disconnects))
        .max()
        .unwrap_or(0);
    for (bucket, start) in history.buckets.iter().zip(&starts) {
        let counted = |n: u64, tone: Tone| {
            let number = if n == 0 { String::new() } else { thousands(n) };
            let gap = if columns.bar > 0 { " " } else { "" };
            let bar = bar(n, most, columns.bar);
            let fill = pair - columns.count - gap.len() - bar.width();
            let number = right(&number, columns.count);
            format!("{number}{gap}{}{:fill$}", show.paint(tone, &bar), "")
        };
        let quiet = |n: u64, tone: Tone| if n == 0 { Tone::Dim } else { tone };
        let line = format!(
            "{}  {}  {}  {}  {}  {}  {}",
            left(start, columns.start),
            counted(bucket.connects, Tone::Connected),
            counted(bucket.disconnects, Tone::Disconnected),
            right(&signed(bucket.net()), columns.net),
            right(&open(bucket.open_min, bucket.certainty), columns.open),
            right(&open(bucket.open_max, bucket.certainty), columns.open),
            show.paint(
                quiet(bucket.refused, Tone::Refused),
                &right(&thousands(bucket.refused), columns.refused)
            ),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    legend(history, show, out)
}

/// The start of each bucket, with the day where it is not that of the one before; partial ones are marked.
fn starts(history: &HistorySnapshot, show: &Show<'_>) -> Vec<String> {
    let Some((first, last)) = history.buckets.first().zip(history.buckets.last()) else {
        return Vec::new();
    };
    let one_day = show.same_day(first.start, last.start);
    let days = history.bucket_s >= 86_400;
    let clock = |at| {
        if history.bucket_s.is_multiple_of(60) {
            show.clock(at)
        } else {
            show.clock_s(at)
        }
    };
    let mut before: Option<Instant> = None;
    history
        .buckets
        .iter()
        .map(|bucket| {
            let at = bucket.start;
            let fresh = before.is_none_or(|before| !show.same_day(before, at));
            before = Some(at);
            let mark = if bucket.partial { "*" } else { "" };
            let day = if fresh { show.day(at) } else { String::new() };
            match (days, one_day) {
                (true, _) => format!("{:>6}{mark}", show.day(at)),
                (false, true) => format!("{}{mark}", clock(at)),
                (false, false) => format!("{day:>6} {}{mark}", clock(at)),
            }
        })
        .collect()
}

/// What the marks of the rows mean, and the shape of the whole.
fn legend(history: &HistorySnapshot, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(partial(history, show));
    let has = |certainty| {
        history
            .buckets
            .iter()
            .any(|bucket| bucket.certainty == certainty)
    };
    parts.extend(table::marks(has));
    if !parts.is_empty() {
        paragraph(out, show, (0, 0), &[(Tone::Dim, &parts.join("; "))])?;
    }
    writeln!(out)
}

/// Where the first bucket begins and the last one ends, if they are not whole:
/// `* partial: begins 05:16:46, ends 05:21:38`.
fn partial(history: &HistorySnapshot, show: &Show<'_>) -> Option<String> {
    if !history.buckets.iter().any(|bucket| bucket.partial) {
        return None;
    }
    let (first, last) = history.buckets.first().zip(history.buckets.last())?;
    let ends = [history.window, history.input];
    let since = ends.iter().flatten().map(|&(since, _)| since).max();
    let until = ends.iter().flatten().map(|&(_, until)| until).min();
    let (since, until) = (since?, until?);
    let clock = |at| {
        if show.same_day(first.start, until) {
            show.clock_s(at)
        } else {
            format!("{} {}", show.day(at), show.clock_s(at))
        }
    };
    let mut words = Vec::new();
    if first.partial && since > first.start {
        words.push(format!("begins {}", clock(since)));
    }
    let length_ms = history.bucket_s as i64 * 1000;
    if last.partial && until < last.end.max(last.start.plus_ms(length_ms)) {
        words.push(format!("ends {}", clock(until)));
    }
    let words = words.join(", ");
    let colon = if words.is_empty() { "" } else { ": " };
    Some(glued(&format!("* partial{colon}{words}")))
}

/// How the number of open sessions went, its peak, and who was there then.
fn who(history: &HistorySnapshot, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let most: Vec<u64> = history
        .buckets
        .iter()
        .map(|bucket| bucket.open_max)
        .collect();
    if most.len() > 1 && most.iter().any(|&n| n > 0) {
        let line = sparkline(&most);
        let title = show.paint(Tone::Title, "Open");
        writeln!(out, "{title} {}", show.paint(Tone::Connected, &line))?;
    }
    let Some(peak) = peak(&history.peak, show) else {
        return Ok(());
    };
    paragraph(
        out,
        show,
        (0, 5),
        &[(Tone::Title, "Peak "), (Tone::Headline, &peak)],
    )?;
    let dimensions = match show.by {
        [] if show.servers.len() > 1 => &Dimension::ALL[..],
        [] => &Dimension::NAMED,
        asked => asked,
    };
    for &dimension in dimensions {
        let ranking = &history.peak.by[dimension as usize];
        let growth = history.peak.grew.as_ref();
        let growth = growth.map_or(&[][..], |growth| &growth.by[dimension as usize]);
        if !ranking.is_empty() {
            let label = format!("  {:11}  ", table::title(dimension));
            let names = top(ranking, growth, show.width.saturating_sub(label.len()));
            writeln!(out, "{}{names}", show.paint(Tone::Dim, &label))?;
        }
    }
    writeln!(out)
}

/// As many of the first names as fit: `shop 80 (+75), reporting 13, 4 more`; in brackets by how many they had grown.
fn top(ranking: &Ranking, growth: &[(Box<[u8]>, i64)], width: usize) -> String {
    let mut line = String::new();
    for (i, (name, count)) in ranking.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        let grew = growth.get(i).filter(|(_, grew)| *grew != 0);
        let grew = grew.map_or_else(String::new, |(_, grew)| format!(" ({})", signed(*grew)));
        let name = cut(&shown(name), 24).into_owned();
        let entry = format!("{comma}{name} {}{grew}", thousands(*count));
        let after = ranking.len() - i - 1;
        let more = if after > 0 {
            format!(", {} more", thousands(after as u64))
        } else {
            String::new()
        };
        if i > 0 && line.width() + entry.width() + more.width() > width {
            return format!("{line}, {} more", thousands(after as u64 + 1));
        }
        line += &entry;
    }
    line
}

#[cfg(test)]
mod tests {
    use pgcensus_core::snapshot::Certainty;

    use super::*;
    use crate::view::example;

    fn render(history: &HistorySnapshot, show: &Show<'_>) -> String {
        let mut out = Vec::new();
        text(history, &example::report(), show, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn history_of_the_last_hour() {
        let zone = example::zone();
        for width in [80, 120] {
            let text = render(&example::history(), &example::show(&zone, width));
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            insta::assert_snapshot!(format!("history_{width}"), text);
        }
    }

    #[test]
    fn who_was_there_is_told_by_what_was_asked_for() {
        let (zone, servers) = (example::zone(), example::fleet_names());
        let at_peak = |by: &[Dimension], servers: &[String]| {
            let show = Show {
                servers,
                by,
                ..example::show(&zone, 80)
            };
            let text = render(&example::history(), &show);
            let lines = text.lines().skip_while(|line| !line.starts_with("Peak"));
            let words = lines
                .skip(1)
                .filter_map(|line| line.split_whitespace().next());
            words.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at_peak(&[Dimension::User], &servers), "User");
        assert_eq!(
            at_peak(&[], &servers[..1]),
            "Database User Application Client"
        );
        assert_eq!(
            at_peak(&[], &servers),
            "Database User Application Client Server"
        );
    }

    #[test]
    fn history_in_colour() {
        let zone = example::zone();
        let show = Show {
            color: true,
            ..example::show(&zone, 80)
        };
        insta::assert_snapshot!(render(&example::history(), &show).replace('\x1b', "␛"));
    }

    #[test]
    fn history_of_several_days_with_huge_numbers() {
        let zone = example::zone();
        let mut history = example::history();
        history.bucket_s = 3_600 * 6;
        for (i, bucket) in history.buckets.iter_mut().enumerate() {
            bucket.start = example::at(6 * i as i64 - 9, 0, 0);
            bucket.end = example::at(6 * i as i64 - 3, 0, 0);
            bucket.certainty = [
                Certainty::AtLeast,
                Certainty::AtMost,
                Certainty::Unknown,
                Certainty::Exact,
            ][i];
            bucket.connects *= 1_000;
            bucket.open_max *= 1_000;
        }
        history.window = history.input;
        history.peak.by[2] = (0..100)
            .map(|i| (format!("worker\x1b-{i}").into_bytes().into(), 1_000 - i))
            .collect();
        let show = Show {
            window_is_default: false,
            ..example::show(&zone, 80)
        };
        let text = render(&history, &show);
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn history_of_nothing_is_calm() {
        let zone = example::zone();
        let show = example::show(&zone, 80);
        insta::assert_snapshot!(render(&HistorySnapshot::default(), &show), @"no records");
    }
}
