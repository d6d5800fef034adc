//! Rhythm: whether the starts of a group keep the same distance, told in one pass and little memory.
//!
//! How this works: checkers that run side by side (two replicas of an exporter behind one address, each every 15 s)
//! come in turn, so that not the next start is a period away but the second next. Hence the distances
//! to the next, the second next … the [`LAGS`]th next start are judged, each by itself ([`Lag`]): a vote finds the
//! distance that most of them have, and it is counted how many have it. Jitter is within the tolerance; a missed
//! beat, a restart or a pause is one distance that differs.
//!
//! The sum of `k` random distances varies less than one of them, by √k, so any traffic would look steady over enough of
//! them; the tolerance shrinks by as much. What is in turn does not vary more for that.

use std::collections::VecDeque;

use super::Kind;
use crate::instant::Instant;
use crate::session::ProbeReason;

/// Checkers that may come in turn.
const LAGS: usize = 8;

/// How far a distance may be from the period. A check that sleeps between two rounds has the length of a round as its jitter, and
/// times of whole seconds have one second.
const TOLERANCE: f64 = 0.2;

/// The fastest rhythm, in milliseconds from one start to the next. Checkers are set in seconds, and two may come in turn: 500 ms, less some
/// jitter. What comes faster is a client that works.
const BEAT_MIN_MS: i64 = 450;

/// From one start to the [`LAGS`]th next where they come faster than that.
const FAST_MS: i64 = LAGS as i64 * BEAT_MIN_MS;

/// The slowest. Checks of monitoring systems come every five minutes, seldom every ten; what is slower is as likely a job, and takes
/// hours to be believed.
pub(super) const BEAT_MAX_MS: i64 = 660_000;

/// How many beats a rhythm keeps its period against others: a checker that is set anew is followed after as many.
const CREDIT_MAX: u32 = 16;

/// What is this share as steady as the best reading is as good: of checks every 10 s and every 15 s, four of five are 18 s from the third
/// next, but all are 30 s from the fifth next.
const NEARLY: f64 = 0.9;

/// Starts that wait to be in order: sessions are told in the order of their ends…
const WAITING: usize = 2 * LAGS;
/// …and silent probes when their time is up, or their pid returns before: up to two minutes later, with one a second.
const WAITING_SILENT: usize = 128;

/// The starts of one group.
#[derive(Clone, Default)]
pub(super) struct Rhythm {
    /// Those that are not judged yet, in order.
    starts: VecDeque<Instant>,
    waiting: usize,
    lags: [Lag; LAGS],
    /// Starts that came too fast to be judged.
    fast: u32,
    /// So are those before this instant: who comes too fast costs next to nothing.
    fast_until: Option<Instant>,
    /// Some log time had a part of a second.
    has_fractions: bool,
}

/// Distances to the start that is so many further.
#[derive(Clone, Copy, Default)]
struct Lag {
    /// The distance that wins the vote so far, averaged over the last [`CREDIT_MAX`] that had it.
    period_ms: f64,
    /// How many more had it than others, up to [`CREDIT_MAX`]. At 0 the next one takes its place: of a majority vote
    /// (Boyer and Moore), what more than half of all have is what is left.
    credit: u32,
    /// Distances within the tolerance.
    hits: u32,
    judged: u32,
}

/// A rhythm that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Beat {
    pub(super) period_ms: u64,
    pub(super) checkers: u64,
    /// The share of the distances that are within the tolerance.
    pub(super) steady: f64,
}

impl Rhythm {
    pub(super) fn new(kind: Kind) -> Rhythm {
        let waiting = match kind {
            Kind::Probes(ProbeReason::Silent) => WAITING_SILENT,
            _ => WAITING,
        };
        Rhythm {
            waiting,
            ..Rhythm::default()
        }
    }

    /// Whether this start comes so fast behind others that it is only counted.
    pub(super) fn is_fast(&mut self, start: Instant) -> bool {
        let since = |until: Instant| until.since(start);
        let is_fast = self
            .fast_until
            .map(since)
            .is_some_and(|ms| (1..=2 * FAST_MS).contains(&ms));
        self.fast += u32::from(is_fast);
        is_fast
    }

    /// One more start that is not [fast](Self::is_fast), told by a record of the time `at`.
    pub(super) fn add(&mut self, start: Instant, at: Instant) {
        self.has_fractions |= at.0 % 1000 != 0;
        if self.starts.len() >= self.waiting {
            self.judge();
        }
        match self.starts.back() {
            Some(&last) if start < last => {
                let place = self.starts.partition_point(|&earlier| earlier <= start);
                self.starts.insert(place, start);
            }
            _ => {
                self.starts.push_back(start);
                self.skip_if_fast(start);
            }
        }
    }

    /// Where the last starts came too fast, they are not judged, nor the next for as long.
    fn skip_if_fast(&mut self, last: Instant) {
        let Some(first) = self.starts.len().checked_sub(LAGS + 1) else {
            return;
        };
        if last.since(self.starts[first]) < FAST_MS {
            self.fast += (self.starts.len() - first) as u32;
            self.starts.truncate(first);
            self.fast_until = Some(last.plus_ms(FAST_MS));
        }
    }

    /// The reading of it with the fewest checkers among those that are about as steady as the best, if that reaches this share.
    pub(super) fn beat(&self, steady: f64) -> Option<Beat> {
        let mut all = self.clone();
        while !all.starts.is_empty() {
            all.judge();
        }
        let share = |lag: &Lag| f64::from(lag.hits) / f64::from((lag.judged + all.fast).max(1));
        let best = all.lags.iter().map(share).fold(0.0, f64::max);
        let enough = (best * NEARLY).max(steady);
        let mut lags = (1..).zip(&all.lags);
        let (checkers, lag) = lags.find(|(_, lag)| share(lag) >= enough)?;
        // Of whole seconds, one checker every 3.3 s looks like three every 10 s.
        let (checkers, parts) = if all.has_fractions {
            (checkers, 1.0)
        } else {
            (1, checkers as f64)
        };
        Some(Beat {
            period_ms: (lag.period_ms / parts).round() as u64,
            checkers,
            steady: share(lag),
        })
    }

    /// Judges the distances from the first start that waits.
    fn judge(&mut self) {
        let Some(start) = self.starts.pop_front() else {
            return;
        };
        if let Some(last) = self.starts.get(LAGS - 1)
            && last.since(start) < FAST_MS
        {
            self.fast += 1;
            return;
        }
        for ((later, lag), k) in self.starts.iter().zip(&mut self.lags).zip(1i64..) {
            lag.judge(later.since(start), k);
        }
    }
}

impl Lag {
    /// One more distance, over `k` starts.
    fn judge(&mut self, distance_ms: i64, k: i64) {
        self.judged += 1;
        let distance = distance_ms as f64;
        let tolerance = TOLERANCE / (k as f64).sqrt() * self.period_ms;
        if self.credit > 0 && (distance - self.period_ms).abs() <= tolerance {
            self.hits += 1;
            self.credit = (self.credit + 1).min(CREDIT_MAX);
            self.period_ms += (distance - self.period_ms) / f64::from(self.credit);
            return;
        }
        self.credit = self.credit.saturating_sub(1);
        if self.credit == 0 && (BEAT_MIN_MS * k..=BEAT_MAX_MS * k).contains(&distance_ms) {
            self.period_ms = distance;
            self.credit = 1;
        }
    }
}
