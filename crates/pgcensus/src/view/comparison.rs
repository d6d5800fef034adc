//! `compare`: what changed, by dimension and name; or that nothing did.
//!
//! ```text
//! Application     what                 before       after   change         p
//! checkout        connects/h              120         510     ×4.3   < 0.001
//!                 open                   3.11        12.7     ×4.1   < 0.001
//! nightly         connects/h               80           0     gone   < 0.001
//! ```

use std::io;

use pgcensus_core::compare::{
    BUCKETS_MIN, CHANCE_MAX, Change, ComparisonSnapshot, Measure, RATIO_MIN, SESSIONS_MIN,
    SideSnapshot,
};
use pgcensus_core::names::Dimension;
use serde::Serialize;

use super::row::{Row, RowForm};
use super::text::{
    Width as _, counted, cut, duration_short, glued, left, paragraph, right, shown, thousands,
};
use super::{InputReport, Show, Tone, json, table};

/// Names of a dimension, where `--limit` does not say.
const NAMES_DEFAULT: usize = 10;

/// What is told.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The numbers.
    pub(crate) comparison: &'a ComparisonSnapshot,
    /// What was read for each side; of two windows the same.
    pub(crate) reports: [&'a InputReport; 2],
    /// What the reader must know to rely on it.
    pub(crate) notes: &'a [(Tone, String)],
}

/// The comparison for people.
pub(crate) fn text(told: Told<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let Told {
        comparison, notes, ..
    } = told;
    for (word, side) in ["Before", "After"].into_iter().zip(&comparison.sides) {
        let text = stretch(side, comparison.bucket_s, show);
        let word = left(word, 8);
        paragraph(
            out,
            show,
            (0, 8),
            &[(Tone::Title, &word), (Tone::Plain, &text)],
        )?;
    }
    writeln!(out)?;
    let columns = Columns::new(show);
    if comparison.sides.iter().all(|side| side.buckets > 0) {
        columns.head("All sessions", show, out)?;
        for change in &comparison.total {
            columns.row("", change, show, out)?;
        }
        writeln!(out)?;
    }
    for dimension in Dimension::ALL {
        let changes = shown_of(comparison, dimension, show);
        if !changes.is_empty() {
            by_name(table::title(dimension), &changes, &columns, show, out)?;
        }
    }
    paragraph(
        out,
        show,
        (0, 0),
        &[(Tone::Plain, &verdict(comparison, show))],
    )?;
    for (tone, note) in notes {
        paragraph(out, show, (0, 2), &[(*tone, note)])?;
    }
    Ok(())
}

/// The significant changes of a dimension that was asked for.
fn shown_of<'c>(
    comparison: &'c ComparisonSnapshot,
    dimension: Dimension,
    show: &Show<'_>,
) -> Vec<&'c Change> {
    if !show.by.is_empty() && !show.by.contains(&dimension) {
        return Vec::new();
    }
    let changes = comparison.changes.iter();
    changes
        .filter(|change| change.dimension == Some(dimension))
        .collect()
}

fn by_name(
    title: &str,
    changes: &[&Change],
    columns: &Columns,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    columns.head(title, show, out)?;
    let names: Vec<&[&Change]> = changes.chunk_by(|a, b| a.name == b.name).collect();
    let rows = show.rows(names.len(), NAMES_DEFAULT);
    for measures in &names[..rows] {
        let mut name = shown(&measures[0].name).into_owned();
        for change in *measures {
            // Whoever is new has sessions open too.
            let is_said = change.measure == Measure::Open && measures.len() > 1;
            if is_said && matches!(change.kind(), "new" | "gone") {
                continue;
            }
            columns.row(&std::mem::take(&mut name), change, show, out)?;
        }
    }
    if rows < names.len() {
        let more = format!(
            "… {} more: --limit 0",
            thousands((names.len() - rows) as u64)
        );
        writeln!(out, "{}", show.paint(Tone::Dim, &more))?;
    }
    writeln!(out)
}

/// `23 Nov 09:00 to 12:00 UTC: 12 buckets of 15 min`
fn stretch(side: &SideSnapshot, bucket_s: u64, show: &Show<'_>) -> String {
    let buckets = counted(side.buckets as u64, "whole bucket", "whole buckets");
    let length = glued(&format!("{buckets} of {}", length_of(bucket_s)));
    let Some((since, until)) = side.compared.or(side.window) else {
        return "no records".to_owned();
    };
    let is_short = until.since(since) < 600_000;
    let end = match (show.same_day(since, until), is_short) {
        (true, true) => format!("{} {}", show.clock_s(until), show.zone.abbreviation(until)),
        (true, false) => format!("{} {}", show.clock(until), show.zone.abbreviation(until)),
        (false, _) => show.zoned(until),
    };
    let since = if is_short {
        show.second(since)
    } else {
        show.minute(since)
    };
    format!("{} to {}, {length}", glued(&since), glued(&end))
}

/// `15 min`, `1 h`
fn length_of(bucket_s: u64) -> String {
    match bucket_s / 60 {
        minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
        minutes => format!("{minutes} min"),
    }
}

/// Why nothing can be told, where a side is too short.
pub(crate) fn too_short(comparison: &ComparisonSnapshot) -> Option<String> {
    if comparison.is_enough {
        return None;
    }
    let [before, after] = comparison.sides.each_ref().map(|side| side.buckets);
    let bucket_s = comparison.bucket_s;
    let length = adjective(bucket_s);
    let enough = length_of((BUCKETS_MIN as u64 + 1) * bucket_s);
    Some(format!(
        "Nothing was compared: {length} buckets cannot tell what changed where there are {before} whole ones before and \
         {after} after. Each side needs {BUCKETS_MIN}: compare {enough} or more."
    ))
}

/// `15-minute`, `1-hour`
fn adjective(bucket_s: u64) -> String {
    let length = length_of(bucket_s).replace(' ', "-");
    length.replace("-min", "-minute").replace("-h", "-hour")
}

/// What was told and why it is believed, or that there is nothing to tell.
fn verdict(comparison: &ComparisonSnapshot, show: &Show<'_>) -> String {
    if let Some(why) = too_short(comparison) {
        return why;
    }
    let length = adjective(comparison.bucket_s);
    let tests = counted(comparison.tests as u64, "comparison", "comparisons");
    let names = counted(comparison.names as u64, "name", "names");
    let how = format!(
        "at least {RATIO_MIN} times, over {SESSIONS_MIN} sessions or more, and by no chance (Mann-Whitney test of \
         {length} buckets; of all rows told at most {} % are expected to be chance: Benjamini-Hochberg, {tests} of \
         {names})",
        CHANCE_MAX * 100.0
    );
    let asked = |change: &&Change| {
        let dimension = change.dimension.as_ref();
        show.by.is_empty() || dimension.is_some_and(|dimension| show.by.contains(dimension))
    };
    let has_any = comparison.changes.iter().any(|change| asked(&change))
        || comparison.total.iter().any(Change::is_significant);
    if has_any {
        format!("Told is what changed {how}.")
    } else if comparison.tests == 0 {
        format!("Nothing can be compared: no name has {SESSIONS_MIN} sessions.")
    } else {
        format!("Nothing changed that {length} buckets can tell: {how}.")
    }
}

/// Widths. Where a line is too narrow for all, names have lines of their own; then p is left out.
struct Columns {
    /// None: the names stand above their rows.
    name: Option<usize>,
    number: usize,
    chance: usize,
    width: usize,
}

const NAME_MIN: usize = 12;
const INDENT: usize = 2;
const WHAT: usize = 12;
const NUMBER: usize = 11;
/// `1,234,567`
const NUMBER_MIN: usize = 9;
const CHANGE: usize = 8;
const CHANCE: usize = 9;

impl Columns {
    fn new(show: &Show<'_>) -> Columns {
        let width = show.width.clamp(40, 110);
        let rest = INDENT + WHAT + 2 * NUMBER + CHANGE + CHANCE;
        let name = width.checked_sub(rest).filter(|&name| name >= NAME_MIN);
        let number = if name.is_some() { NUMBER } else { NUMBER_MIN };
        let stacked = INDENT + WHAT + 2 * number + CHANGE;
        let chance = match name {
            None if stacked + CHANCE > width => 0,
            _ => CHANCE,
        };
        Columns {
            name,
            number,
            chance,
            width,
        }
    }

    /// A line: the name where it has a column, else in a line of its own before this one, if there is one.
    fn line(
        &self,
        name: &str,
        painted: impl std::fmt::Display,
        rest: &str,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        if let Some(width) = self.name {
            let fill = width.saturating_sub(name.width());
            let line = format!("{painted}{:fill$}  {rest}", "");
            return writeln!(out, "{}", line.trim_end());
        }
        if !name.is_empty() {
            writeln!(out, "{painted}")?;
        }
        writeln!(out, "{}", format!("{:INDENT$}{rest}", "").trim_end())
    }

    fn head(&self, title: &str, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
        let heads = format!(
            "{}{}{}{}{}",
            left("what", WHAT),
            right("before", self.number),
            right("after", self.number),
            right("change", CHANGE),
            right("p", self.chance)
        );
        let title = cut(title, self.name.unwrap_or(self.width));
        let painted = show.paint(Tone::Title, &title);
        let heads = show.paint(Tone::Dim, heads.trim_end()).to_string();
        self.line(&title, painted, &heads, out)
    }

    fn row(
        &self,
        name: &str,
        change: &Change,
        show: &Show<'_>,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let [before, after] = change.values.map(|value| number(change.measure, value));
        let tone = match (change.is_significant(), change.kind()) {
            (false, _) => Tone::Dim,
            (true, "less" | "gone") => Tone::Disconnected,
            (true, _) => Tone::Connected,
        };
        let what = match change.measure {
            Measure::Connects => "connects/h",
            Measure::Refused => "refused/h",
            Measure::Open => "open",
            Measure::SessionTime => "session time",
        };
        let rest = format!(
            "{}{}{}{}{}",
            left(what, WHAT),
            right(&before, self.number),
            right(&after, self.number),
            show.paint(tone, &right(&factor(change), CHANGE)),
            right(&chance(change.p), self.chance),
        );
        let name = cut(name, self.name.unwrap_or(self.width));
        self.line(&name, &name, &rest, out)
    }
}

fn number(measure: Measure, value: Option<f64>) -> String {
    match (measure, value) {
        (_, None) => "?".to_owned(),
        (Measure::SessionTime, Some(ms)) => duration_short(ms.round() as u64),
        (_, Some(0.0)) => "0".to_owned(),
        (_, Some(n)) if n < 10.0 => format!("{n:.2}"),
        (_, Some(n)) if n < 100.0 => format!("{n:.1}"),
        (_, Some(n)) => thousands(n.round() as u64),
    }
}

/// `×4.3`, `÷2.0`, `new`, `gone`; nothing where both are alike.
fn factor(change: &Change) -> String {
    let times = |ratio: f64| match ratio {
        ratio if ratio < 100.0 => format!("{ratio:.1}"),
        ratio => thousands(ratio.round() as u64),
    };
    match (change.kind(), change.ratio()) {
        (word @ ("new" | "gone"), _) => word.to_owned(),
        (_, Some(ratio)) if (0.95..1.05).contains(&ratio) => "=".to_owned(),
        (_, Some(ratio)) if ratio > 1.0 => format!("×{}", times(ratio)),
        (_, Some(ratio)) => format!("÷{}", times(1.0 / ratio)),
        (_, None) => match change.values {
            [Some(before), Some(after)] if before < after => "from 0".to_owned(),
            [Some(before), Some(after)] if before > after => "to 0".to_owned(),
            _ => String::new(),
        },
    }
}

/// `0.012`, `< 0.001`; nothing where it was not tested.
fn chance(p: Option<f64>) -> String {
    match p {
        None => String::new(),
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
    }
}

/// One row for each total and each significant change: `dimension,name,measure,before,after,ratio,change,p,q,…`.
pub(crate) fn csv(
    comparison: &ComparisonSnapshot,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut lines =
        b"dimension,name,measure,before,after,ratio,change,p,q,sessions_before,sessions_after,peak_before,peak_after\n"
            .to_vec();
    for change in &comparison.total {
        csv_row(show.csv(), change, &mut lines);
    }
    for dimension in Dimension::ALL {
        let changes = shown_of(comparison, dimension, show);
        for change in changes {
            csv_row(show.csv(), change, &mut lines);
        }
    }
    out.write_all(&lines)
}

fn csv_row(form: RowForm, change: &Change, lines: &mut Vec<u8>) {
    let mut row = Row::begin(form, lines);
    row.word("dimension", change.dimension.map(Dimension::as_str));
    row.text("name", change.dimension.map(|_| &*change.name));
    row.word("measure", Some(change.measure.as_str()));
    let [before, after] = change.values;
    let numbers = [
        ("before", before),
        ("after", after),
        ("ratio", change.ratio()),
    ];
    for (key, number) in numbers {
        row.display(key, number.map(rounded));
    }
    row.word("change", kind(change));
    row.display("p", change.p);
    row.display("q", change.q);
    row.number("sessions_before", Some(change.sessions[0]));
    row.number("sessions_after", Some(change.sessions[1]));
    row.number("peak_before", change.peaks[0]);
    row.number("peak_after", change.peaks[1]);
    row.end();
}

/// The comparison as one object.
pub(crate) fn json(told: Told<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let Told {
        comparison,
        reports,
        notes,
    } = told;
    let [before, after] = [0, 1].map(|i| JsonSide::new(&comparison.sides[i], reports[i], show));
    let changes = Dimension::ALL.map(|dimension| shown_of(comparison, dimension, show));
    let object = Json {
        before,
        after,
        bucket_s: comparison.bucket_s,
        names: comparison.names,
        tests: comparison.tests,
        is_enough: comparison.is_enough,
        verdict: verdict(comparison, show).replace('\u{a0}', " "),
        total: comparison.total.iter().map(JsonChange::new).collect(),
        changes: changes.into_iter().flatten().map(JsonChange::new).collect(),
        notes: notes.iter().map(|(_, note)| note.as_str()).collect(),
    };
    json::write(&object, out)
}

#[derive(Serialize)]
struct Json<'c> {
    before: JsonSide<'c>,
    after: JsonSide<'c>,
    bucket_s: u64,
    names: usize,
    tests: usize,
    is_enough: bool,
    verdict: String,
    total: Vec<JsonChange>,
    changes: Vec<JsonChange>,
    notes: Vec<&'c str>,
}

#[derive(Serialize)]
struct JsonSide<'c> {
    input: json::Input<'c>,
    since: Option<String>,
    until: Option<String>,
    compared_since: Option<String>,
    compared_until: Option<String>,
    buckets: usize,
    connects: u64,
}

impl<'c> JsonSide<'c> {
    fn new(side: &SideSnapshot, report: &'c InputReport, show: &Show<'_>) -> JsonSide<'c> {
        JsonSide {
            input: json::Input::new(report, show),
            since: json::time(side.window.map(|(since, _)| since), show),
            until: json::time(side.window.map(|(_, until)| until), show),
            compared_since: json::time(side.compared.map(|(since, _)| since), show),
            compared_until: json::time(side.compared.map(|(_, until)| until), show),
            buckets: side.buckets,
            connects: side.connects,
        }
    }
}

#[derive(Serialize)]
struct JsonChange {
    dimension: Option<&'static str>,
    name: Option<String>,
    measure: &'static str,
    before: Option<f64>,
    after: Option<f64>,
    ratio: Option<f64>,
    change: Option<&'static str>,
    p: Option<f64>,
    q: Option<f64>,
    sessions_before: u64,
    sessions_after: u64,
    peak_before: Option<u64>,
    peak_after: Option<u64>,
}

impl JsonChange {
    fn new(change: &Change) -> JsonChange {
        let name = || String::from_utf8_lossy(&change.name).into_owned();
        JsonChange {
            dimension: change.dimension.map(Dimension::as_str),
            name: change.dimension.map(|_| name()),
            measure: change.measure.as_str(),
            before: change.values[0].map(rounded),
            after: change.values[1].map(rounded),
            ratio: change.ratio().map(rounded),
            change: kind(change),
            p: change.p,
            q: change.q,
            sessions_before: change.sessions[0],
            sessions_after: change.sessions[1],
            peak_before: change.peaks[0],
            peak_after: change.peaks[1],
        }
    }
}

/// The direction of a significant change; of the total it may be none.
fn kind(change: &Change) -> Option<&'static str> {
    change.is_significant().then(|| change.kind())
}

/// To a thousandth: rates and means have no more to say.
fn rounded(n: f64) -> f64 {
    (n * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests;
