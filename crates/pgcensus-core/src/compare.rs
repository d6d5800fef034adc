//! Comparison: what changed from one window or log to another, for each name, and only what chance does not explain.
//!
//! How this works. Both sides are cut into buckets of a quarter of an hour ([`side`]). A name did something in each
//! of them, also nothing; whether its buckets after are other than those before is asked of a rank test
//! ([`rank`]). Not of single sessions: those of a job that runs every hour, or of clients that try again, are not
//! independent of each other, and a test that takes them for it finds a change in everything.
//!
//! Many names and measures are tested at once, so that some would seem to have changed by chance: of what is told, at most
//! [`CHANCE_MAX`] is expected to be chance, whatever the number of tests.

pub mod rank;
pub mod side;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::instant::Instant;
use crate::names::{Dimension, Names};
use crate::snapshot::Certainty;
use rank::{false_discovery, mann_whitney};
use side::{Point, Series, Side};

/// The share of what is told that may be chance.
pub const CHANCE_MAX: f64 = 0.05;

/// What changes by less is told nowhere: a busier morning is no finding.
pub const RATIO_MIN: f64 = 1.5;

/// Sessions (of refusals: refusals) that a number is made of, on both sides together; of fewer nothing is told. That no test
/// depends on which side they are on keeps the share of chance.
pub const SESSIONS_MIN: f64 = 20.0;

/// Whole buckets that each side must have. Of three and three, p is never below 0.1: none could be told.
pub const BUCKETS_MIN: usize = 4;

/// Buckets of a side at most, a month of quarters of an hour; of more, they become longer.
pub const BUCKETS_MAX: usize = 3_000;

/// Means of open sessions are compared over at least so many times the length of a session. The same sessions are there in
/// one bucket and the next, so that two buckets of long sessions are nearly one; over four lengths their
/// correlation is down to a sixth.
const STAYS: f64 = 4.0;

/// Rows that are told at most.
pub const CHANGES_MAX: usize = 10_000;

/// One side of a comparison, when its input has been read.
pub struct Input<'i> {
    /// Its cells.
    pub side: Side,
    /// The names of its run.
    pub names: &'i Names,
    /// First and last log time.
    pub input: Option<(Instant, Instant)>,
    /// How certain its open sessions are.
    pub certainty: Certainty,
}

/// A number that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Sessions that opened, an hour.
    Connects,
    /// Refused connections, an hour.
    Refused,
    /// Open sessions, the mean over time.
    Open,
    /// Milliseconds that a session lasts: the geometric mean, so that one long session decides nothing.
    SessionTime,
}

impl Measure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Measure; 4] = [
        Measure::Connects,
        Measure::Refused,
        Measure::Open,
        Measure::SessionTime,
    ];

    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Connects => "connects_per_hour",
            Measure::Refused => "refused_per_hour",
            Measure::Open => "open",
            Measure::SessionTime => "session_time_ms",
        }
    }
}

/// What changed.
#[derive(Clone, Debug, Default)]
pub struct ComparisonSnapshot {
    /// Before, after.
    pub sides: [SideSnapshot; 2],
    /// Length of a bucket in seconds.
    pub bucket_s: u64,
    /// Names that have enough sessions to be compared.
    pub names: usize,
    /// Tests of these names and of the total.
    pub tests: usize,
    /// All sessions together: each measure.
    pub total: Vec<Change>,
    /// Each side has the buckets that a test needs.
    pub is_enough: bool,
    /// What changed significantly, by dimension; of one the most certain first, all measures of one name together.
    pub changes: Vec<Change>,
    /// What could not be compared, and bounds that were reached, in words.
    pub notes: Vec<String>,
}

/// One side of a [`ComparisonSnapshot`].
#[derive(Clone, Debug, Default)]
pub struct SideSnapshot {
    /// The window, as far as the input goes.
    pub window: Option<(Instant, Instant)>,
    /// Whole buckets in it: all numbers are of these.
    pub buckets: usize,
    /// The first of them, and the end of the last.
    pub compared: Option<(Instant, Instant)>,
    /// Sessions that opened in them.
    pub connects: u64,
}

/// One number of one name on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `None`: all sessions.
    pub dimension: Option<Dimension>,
    /// The name.
    pub name: Box<[u8]>,
    /// What is compared.
    pub measure: Measure,
    /// The number on both sides; `None`: there was no session whose time could be measured.
    pub values: [Option<f64>; 2],
    /// Sessions that it is made of.
    pub sessions: [u64; 2],
    /// Whether the name was there at all, on both sides.
    pub is_there: [bool; 2],
    /// The most of its sessions that were open at once; `None`: not known. Not tested: a peak is one instant.
    pub peaks: [Option<u64>; 2],
    /// How probable so much of a difference is by chance; `None`: it was not tested.
    pub p: Option<f64>,
    /// The same, corrected for the number of tests.
    pub q: Option<f64>,
}

impl Change {
    /// After / before; `None` where one of them is nothing.
    pub fn ratio(&self) -> Option<f64> {
        match self.values {
            [Some(before), Some(after)] if before > 0.0 && after > 0.0 => Some(after / before),
            _ => None,
        }
    }

    /// The word for its direction: `new`, `gone`, `more`, `less`.
    pub fn kind(&self) -> &'static str {
        let [before, after] = self.values.map(|value| value.unwrap_or(0.0));
        match self.is_there {
            [false, true] => "new",
            [true, false] => "gone",
            _ if after > before => "more",
            _ => "less",
        }
    }

    /// It is so much of a change, and so little of a chance, that it is told.
    pub fn is_significant(&self) -> bool {
        let is_much = match (self.ratio(), self.values) {
            (Some(ratio), _) => ratio.max(1.0 / ratio) >= RATIO_MIN,
            // From nothing or to nothing; lengths of no sessions are not a length.
            (None, [Some(before), Some(after)]) => before.max(after) > 0.0,
            (None, _) => false,
        };
        is_much && self.q.is_some_and(|q| q <= CHANCE_MAX)
    }
}

/// Compares two sides.
pub fn compare(mut before: Input<'_>, mut after: Input<'_>) -> ComparisonSnapshot {
    let buckets = widen(&mut before, &mut after);
    let bucket_ms = before.side.bucket_ms;
    let both = Both {
        buckets: &buckets,
        bucket_ms,
        // A count of which ends are missing only grows.
        has_open: [&before, &after]
            .iter()
            .all(|input| matches!(input.certainty, Certainty::Exact | Certainty::AtLeast)),
        is_enough: buckets.iter().all(|buckets| buckets.len() >= BUCKETS_MIN),
    };
    let mut rows = both.of(None, b"", [&before.side.all, &after.side.all]);
    let total = rows.len();
    let mut notes = Vec::new();
    let mut names = 0;
    for dimension in Dimension::ALL {
        let joined = joined(dimension, &before, &after);
        if dimension == Dimension::Server && !compares_servers(&joined) {
            continue;
        }
        for (name, [before, after]) in &joined {
            let tested = both.of(Some(dimension), name, [before, after]);
            names += usize::from(!tested.is_empty());
            rows.extend(tested);
        }
    }
    let tested = rows.iter().filter_map(|row| row.p);
    let mut q = false_discovery(&tested.collect::<Vec<_>>()).into_iter();
    let tests = q.len();
    for row in rows.iter_mut().filter(|row| row.p.is_some()) {
        row.q = q.next();
    }
    let mut changes = rows.split_off(total);
    changes.retain(Change::is_significant);
    if !both.has_open {
        let note = "open sessions are not compared: not every end of a session is in the log of both sides";
        notes.push(note.to_owned());
    }
    if before.side.overflowed() || after.side.overflowed() {
        let max = side::NAMES_MAX;
        notes.push(format!(
            "more than {max} names: further ones are compared as (other)"
        ));
    }
    if changes.len() > CHANGES_MAX {
        notes.push(format!("{} changes; {CHANGES_MAX} are told", changes.len()));
    }
    let changes = ranked(changes);
    let side = |input: &Input<'_>, buckets: &[i64]| SideSnapshot {
        window: input.input.map(|ends| input.side.stretch(ends)),
        buckets: buckets.len(),
        compared: buckets
            .first()
            .zip(buckets.last())
            .map(|(first, last)| (Instant(first * bucket_ms), Instant((last + 1) * bucket_ms))),
        connects: {
            let points = input.side.all.points(buckets, bucket_ms);
            points.iter().map(|point| point.connects as u64).sum()
        },
    };
    ComparisonSnapshot {
        sides: [side(&before, &buckets[0]), side(&after, &buckets[1])],
        bucket_s: bucket_ms as u64 / 1_000,
        names,
        tests,
        total: rows,
        is_enough: both.is_enough,
        changes,
        notes,
    }
}

/// Brings both sides to buckets of one length, of which there are not too many.
fn widen(before: &mut Input<'_>, after: &mut Input<'_>) -> [Vec<i64>; 2] {
    loop {
        let lengths = [before.side.bucket_ms, after.side.bucket_ms];
        let buckets = [&*before, &*after].map(|input| input.side.buckets(input.input));
        let are_few = buckets.iter().all(|buckets| buckets.len() < BUCKETS_MAX);
        if lengths[0] == lengths[1] && are_few {
            return buckets;
        }
        if lengths[0] <= lengths[1] {
            before.side.widen();
        }
        if lengths[1] <= lengths[0] {
            after.side.widen();
        }
    }
}

/// The names of both sides by their texts.
fn joined(
    dimension: Dimension,
    before: &Input<'_>,
    after: &Input<'_>,
) -> BTreeMap<Box<[u8]>, [Series; 2]> {
    let mut joined: BTreeMap<Box<[u8]>, [Series; 2]> = BTreeMap::new();
    for (i, input) in [before, after].into_iter().enumerate() {
        for (name, series) in input.side.names(dimension, input.names) {
            joined.entry(name.into()).or_default()[i].merge(series);
        }
    }
    joined
}

/// Where each side is a server of its own, or none occurs on both, their names say nothing.
fn compares_servers(joined: &BTreeMap<Box<[u8]>, [Series; 2]>) -> bool {
    let is_there = |series: &Series| !series.is_empty();
    let on_both = joined.values().any(|sides| sides.iter().all(is_there));
    joined.len() > 1 && on_both
}

/// By dimension, then the most certain names first, their measures together.
fn ranked(changes: Vec<Change>) -> Vec<Change> {
    let mut best: BTreeMap<(Option<Dimension>, Box<[u8]>), (f64, u64)> = BTreeMap::new();
    for change in &changes {
        let key = (change.dimension, change.name.clone());
        let (q, sessions) = best.entry(key).or_insert((1.0, 0));
        *q = q.min(change.q.unwrap_or(1.0));
        *sessions = (*sessions).max(change.sessions.iter().sum());
    }
    let rank = |change: &Change| best[&(change.dimension, change.name.clone())];
    let mut ranked: Vec<_> = changes
        .into_iter()
        .map(|change| (rank(&change), change))
        .collect();
    ranked.sort_by(|((q, n), a), ((r, m), b)| {
        let by_dimension = a.dimension.cmp(&b.dimension);
        let by_certainty = q.total_cmp(r).then(Reverse(n).cmp(&Reverse(m)));
        let by_name = a.name.cmp(&b.name).then(a.measure.cmp(&b.measure));
        by_dimension.then(by_certainty).then(by_name)
    });
    ranked.truncate(CHANGES_MAX);
    ranked.into_iter().map(|(_, change)| change).collect()
}

/// What all names have in common.
struct Both<'b> {
    buckets: &'b [Vec<i64>; 2],
    bucket_ms: i64,
    has_open: bool,
    is_enough: bool,
}

impl Both<'_> {
    /// The measures of one name that have enough sessions; of all sessions, every one.
    fn of(&self, dimension: Option<Dimension>, name: &[u8], sides: [&Series; 2]) -> Vec<Change> {
        let points: [Vec<Point>; 2] =
            [0, 1].map(|i| sides[i].points(&self.buckets[i], self.bucket_ms));
        let came_before = [0, 1].map(|i| {
            let first = self.buckets[i].first();
            first.map_or(0, |&first| sides[i].open_before(first)).max(0) as f64
        });
        let sum = |of: fn(&Point) -> f64| {
            points
                .each_ref()
                .map(|points| points.iter().map(of).sum::<f64>())
        };
        let (connects, refused) = (sum(|point| point.connects), sum(|point| point.refused));
        let (ended, ln_ms) = (sum(|point| point.ended), sum(|point| point.ln_ms));
        let open = sum(|point| point.open);
        let were_there = [0, 1].map(|i| came_before[i] + connects[i]);
        let is_there = [0, 1].map(|i| were_there[i] + refused[i] > 0.0);
        let peaks = [0, 1].map(|i| {
            let most = points[i].iter().map(|point| point.most).max();
            most.filter(|_| self.has_open)
        });
        let hours = [0, 1].map(|i| self.hours(i));
        let change = |measure| {
            let (sessions, values) = match measure {
                Measure::Connects => (connects, [0, 1].map(|i| Some(connects[i] / hours[i]))),
                Measure::Refused => (refused, [0, 1].map(|i| Some(refused[i] / hours[i]))),
                Measure::Open => (
                    were_there,
                    [0, 1].map(|i| Some((open[i] / points[i].len() as f64).max(0.0))),
                ),
                Measure::SessionTime => (
                    ended,
                    [0, 1].map(|i| (ended[i] > 0.0).then(|| (ln_ms[i] / ended[i]).exp() - 1.0)),
                ),
            };
            let is_known = measure != Measure::Open || self.has_open;
            let is_tested =
                is_known && self.is_enough && sessions.iter().sum::<f64>() >= SESSIONS_MIN;
            let samples = || match measure {
                Measure::Connects => sample(&points, |point| Some(point.connects)),
                Measure::Refused => sample(&points, |point| Some(point.refused)),
                Measure::Open => open_in_blocks(&points, were_there.iter().sum()),
                Measure::SessionTime => sample(&points, |point| {
                    (point.ended > 0.0).then(|| point.ln_ms / point.ended)
                }),
            };
            let samples = is_tested.then(samples);
            let is_sample =
                |sides: &[Vec<f64>; 2]| sides.iter().all(|side| side.len() >= BUCKETS_MIN);
            Change {
                dimension,
                name: name.into(),
                measure,
                values: if is_known { values } else { [None; 2] },
                sessions: sessions.map(|n| n as u64),
                is_there,
                peaks,
                p: samples
                    .filter(is_sample)
                    .map(|[before, after]| mann_whitney(&before, &after)),
                q: None,
            }
        };
        let changes = Measure::ALL.into_iter().map(change);
        changes
            .filter(|change| dimension.is_none() || change.p.is_some())
            .collect()
    }

    /// How long the buckets of a side are together.
    fn hours(&self, side: usize) -> f64 {
        self.buckets[side].len().max(1) as f64 * self.bucket_ms as f64 / 3_600_000.0
    }
}

/// How many were open, in blocks that are long enough for the length of these sessions.
fn open_in_blocks(points: &[Vec<Point>; 2], sessions: f64) -> [Vec<f64>; 2] {
    let open: f64 = points
        .iter()
        .flatten()
        .map(|point| point.open.max(0.0))
        .sum();
    // In buckets.
    let stay = open / sessions.max(1.0);
    let block = (STAYS * stay).ceil().clamp(1.0, BUCKETS_MAX as f64) as usize;
    points.each_ref().map(|points| {
        let blocks = points.chunks_exact(block);
        let mean = |block: &[Point]| {
            block.iter().map(|point| point.open).sum::<f64>() / block.len() as f64
        };
        blocks.map(mean).collect()
    })
}

/// The number of each bucket that has one.
fn sample(points: &[Vec<Point>; 2], of: impl Fn(&Point) -> Option<f64>) -> [Vec<f64>; 2] {
    points
        .each_ref()
        .map(|points| points.iter().filter_map(&of).collect())
}

#[cfg(test)]
mod tests;
