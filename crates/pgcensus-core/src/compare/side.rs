//! One side of a comparison: what each name did in each bucket of a window.
//!
//! Sums alone are kept, so that the order in which things become known does not matter: a session that is seen only
//! at its end is added to the bucket in which it began. How many were open is kept as a sum too: whoever comes at a time
//! adds the rest of that bucket to its mean, and one to all buckets after it.

use rustc_hash::FxHashMap;

use crate::census::START_GRACE_MS;
use crate::change::{Change, Refusal, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::Session;
use crate::window::Window;

/// Length of a bucket. Shorter ones are not independent of each other (retries, jobs that run every few minutes), longer
/// ones leave too few of a morning; what runs by the quarter of an hour falls into each.
pub const BUCKET_MS: i64 = 15 * 60_000;

/// Names at most, over all dimensions; further ones share a row `(other)`.
pub const NAMES_MAX: usize = 20_000;

/// Cells at most, 24 MB; past it, buckets become twice as long.
const CELLS_MAX: usize = 500_000;

/// The cells of one window of a log.
pub struct Side {
    window: Window,
    pub(super) bucket_ms: i64,
    /// The first log time.
    first: Option<Instant>,
    pub(super) all: Series,
    by: [FxHashMap<NameId, Series>; Dimension::ALL.len()],
    names: usize,
    cells: usize,
    overflowed: bool,
}

/// The cells of one name, by the number of their bucket; those without any change are left out.
#[derive(Clone, Default)]
pub(super) struct Series {
    cells: Vec<(i64, Cell)>,
}

/// What happened in one bucket under one name.
#[derive(Clone, Copy, Default)]
struct Cell {
    connects: i32,
    refused: u32,
    /// Sessions that ended and whose length is known; the logarithms of their milliseconds.
    ended: u32,
    ln_ms: f64,
    /// Came less left.
    net: i32,
    /// The most that came less those that had left, at an instant of the bucket.
    most: i32,
    /// For each that came the milliseconds to the end of the bucket, less those for each that left.
    rest_ms: i64,
}

/// One bucket of one name, when all is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) connects: f64,
    pub(super) refused: f64,
    pub(super) ended: f64,
    pub(super) ln_ms: f64,
    /// The mean over the bucket.
    pub(super) open: f64,
    /// The most at one instant. Of sessions that are seen at their end alone it is not known when in a bucket they came: they
    /// count as if they had come last.
    pub(super) most: u64,
}

impl Side {
    /// A side that is this window; without an end of its own, the input's.
    pub fn new(window: Window) -> Side {
        Side {
            window,
            bucket_ms: BUCKET_MS,
            first: None,
            all: Series::default(),
            by: Default::default(),
            names: 0,
            cells: 0,
            overflowed: false,
        }
    }

    /// The log, or one of its files, begins at this time.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change. Walsenders are not compared.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at else { return };
        match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session)
                if session.walsender => {}
            What::Opened(session) => self.came(session, at, 1, 1),
            What::TakenBack(session) => {
                self.came(session, session.opened_at().unwrap_or(at), -1, -1);
            }
            What::Closed(session) => self.closed(session, at),
            What::Refused(refusal) => self.refused(refusal, at),
            What::Probe(_) | What::Server(..) => {}
        }
    }

    /// `n` sessions opened, of them `connects` under our eyes.
    fn came(&mut self, session: &Session, at: Instant, n: i32, connects: i32) {
        let n = if session.pid.is_some() { n } else { 0 };
        let (number, rest_ms) = self.place(at);
        self.add(
            at,
            |dimension| session.name(dimension),
            number,
            |cell| {
                cell.connects += connects;
                cell.net += n;
                cell.most = cell.most.max(cell.net);
                cell.rest_ms += i64::from(n) * rest_ms;
            },
        );
    }

    fn closed(&mut self, session: &Session, at: Instant) {
        if !session.was_seen_to_open() {
            let start = session.session_start.unwrap_or(at);
            let began = |first: Instant| start.plus_ms(START_GRACE_MS) >= first;
            let connects = self.first.is_some_and(began);
            self.came(session, start, 1, i32::from(connects));
        }
        let n = i32::from(session.pid.is_some());
        let (number, rest_ms) = self.place(at);
        // A bound is no measured time.
        let length = session
            .session_time_ms
            .filter(|_| !session.session_end_is_bound);
        let ln_ms = length.map(|ms| (ms as f64 + 1.0).ln());
        self.add(
            at,
            |dimension| session.name(dimension),
            number,
            |cell| {
                cell.net -= n;
                cell.rest_ms -= i64::from(n) * rest_ms;
                cell.ended += u32::from(ln_ms.is_some());
                cell.ln_ms += ln_ms.unwrap_or(0.0);
            },
        );
    }

    fn refused(&mut self, refusal: &Refusal, at: Instant) {
        let (number, _) = self.place(at);
        self.add(
            at,
            |dimension| refusal.name(dimension),
            number,
            |cell| cell.refused += 1,
        );
    }

    /// The bucket of an instant, and the milliseconds from there to its end. Zones are whole quarters of an hour from UTC, so
    /// buckets begin where those of the wall do.
    fn place(&self, at: Instant) -> (i64, i64) {
        let number = at.0.div_euclid(self.bucket_ms);
        (number, self.bucket_ms - at.0.rem_euclid(self.bucket_ms))
    }

    fn add(
        &mut self,
        at: Instant,
        name: impl Fn(Dimension) -> NameId,
        number: i64,
        change: impl Fn(&mut Cell),
    ) {
        if self.window.is_after(at) {
            return;
        }
        self.cells += usize::from(self.all.change(number, &change));
        for dimension in Dimension::ALL {
            let series = &mut self.by[dimension as usize];
            let mut id = name(dimension);
            if self.names >= NAMES_MAX && !series.contains_key(&id) {
                self.overflowed = true;
                id = NameId::OTHER;
            }
            let names = series.len();
            let is_new = series.entry(id).or_default().change(number, &change);
            self.names += series.len() - names;
            self.cells += usize::from(is_new);
        }
        while self.cells > CELLS_MAX && self.bucket_ms < i64::MAX / 4 {
            self.widen();
        }
    }

    /// Buckets become twice as long.
    pub(super) fn widen(&mut self) {
        self.bucket_ms *= 2;
        let half_ms = self.bucket_ms / 2;
        self.cells = 0;
        let by = self.by.iter_mut().flat_map(FxHashMap::values_mut);
        for series in by.chain([&mut self.all]) {
            series.widen(half_ms);
            self.cells += series.cells.len();
        }
    }

    /// Some names share a row.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The window as far as the input goes, `[since, until)`.
    pub(super) fn stretch(&self, input: (Instant, Instant)) -> (Instant, Instant) {
        let (first, last) = input;
        let since = self.window.since.map_or(first, |since| since.max(first));
        let end = last.plus_ms(1);
        (since, self.window.until.map_or(end, |until| until.min(end)))
    }

    /// The numbers of the buckets that lie in the window whole. The last records of a log may come a little before the end
    /// of a bucket, which is whole all the same where nothing was cut off; but who knows: it is left out.
    pub(super) fn buckets(&self, input: Option<(Instant, Instant)>) -> Vec<i64> {
        let Some(input) = input else {
            return Vec::new();
        };
        let (since, until) = self.stretch(input);
        let begin = |number: i64| Instant(number.saturating_mul(self.bucket_ms));
        let first =
            since.0.div_euclid(self.bucket_ms) + i64::from(since.0.rem_euclid(self.bucket_ms) > 0);
        let end = until.0.div_euclid(self.bucket_ms);
        let is_inside = |&number: &i64| {
            self.window.contains(begin(number))
                && self.window.contains(begin(number + 1).plus_ms(-1))
        };
        (first..end)
            .filter(is_inside)
            .take(super::BUCKETS_MAX)
            .collect()
    }

    /// The names of a dimension with their cells.
    pub(super) fn names<'s>(
        &'s self,
        dimension: Dimension,
        names: &'s Names,
    ) -> impl Iterator<Item = (&'s [u8], &'s Series)> {
        let by = self.by[dimension as usize].iter();
        by.map(move |(&id, series)| (names.text_of(dimension, id), series))
    }
}

impl Series {
    /// Changes the cell of this bucket; whether it is a new one.
    fn change(&mut self, number: i64, change: impl Fn(&mut Cell)) -> bool {
        let last = self.cells.last_mut().filter(|(last, _)| *last == number);
        if let Some((_, cell)) = last {
            change(cell);
            return false;
        }
        let at = self.cells.partition_point(|&(other, _)| other < number);
        let is_new = self.cells.get(at).is_none_or(|&(other, _)| other != number);
        if is_new {
            self.cells.insert(at, (number, Cell::default()));
        }
        change(&mut self.cells[at].1);
        is_new
    }

    fn widen(&mut self, half_ms: i64) {
        let mut wide: Vec<(i64, Cell)> = Vec::new();
        for &(number, mut cell) in &self.cells {
            if number.rem_euclid(2) == 0 {
                cell.rest_ms += i64::from(cell.net) * half_ms;
            }
            let number = number.div_euclid(2);
            match wide.last_mut().filter(|(last, _)| *last == number) {
                Some((_, sum)) => sum.add(&cell),
                None => wide.push((number, cell)),
            }
        }
        self.cells = wide;
    }

    /// Nothing happened.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// These two are one.
    pub(super) fn merge(&mut self, other: &Series) {
        for (number, cell) in &other.cells {
            self.change(*number, |sum| sum.add(cell));
        }
    }

    /// Its buckets of these numbers, which ascend.
    pub(super) fn points(&self, buckets: &[i64], bucket_ms: i64) -> Vec<Point> {
        let mut cells = self.cells.iter().peekable();
        let mut open = 0;
        let point = |&number: &i64| {
            while let Some((_, earlier)) = cells.next_if(|(other, _)| *other < number) {
                open += i64::from(earlier.net);
            }
            let mut most = open;
            let mut point = Point {
                open: open as f64,
                ..Point::default()
            };
            if let Some((_, cell)) = cells.next_if(|(other, _)| *other == number) {
                open += i64::from(cell.net);
                point.connects = f64::from(cell.connects.max(0));
                point.refused = f64::from(cell.refused);
                point.ended = f64::from(cell.ended);
                point.ln_ms = cell.ln_ms;
                point.open += cell.rest_ms as f64 / bucket_ms as f64;
                most += i64::from(cell.most);
            }
            point.most = most.max(0) as u64;
            point
        };
        buckets.iter().map(point).collect()
    }

    /// How many were open when this bucket began.
    pub(super) fn open_before(&self, number: i64) -> i64 {
        let earlier = self.cells.iter().take_while(|(other, _)| *other < number);
        earlier.map(|(_, cell)| i64::from(cell.net)).sum()
    }
}

impl Cell {
    fn add(&mut self, other: &Cell) {
        self.connects += other.connects;
        self.refused += other.refused;
        self.ended += other.ended;
        self.ln_ms += other.ln_ms;
        self.most = self.most.max(self.net + other.most);
        self.net += other.net;
        self.rest_ms += other.rest_ms;
    }
}
