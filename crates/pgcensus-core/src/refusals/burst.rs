//! Bursts: the most that came within ten seconds.
//!
//! Counts are of whole seconds of the clock, so that ten numbers are all that is kept, however many come.

use crate::instant::Instant;
use crate::snapshot::refused::Burst;

/// A burst is the most within so many seconds in a row.
pub const BURST_S: usize = 10;

/// The last seconds, and the most that were in as many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seconds {
    /// By second, modulo their number.
    counts: [u64; BURST_S],
    last: Option<i64>,
    sum: u64,
    most: Option<Burst>,
}

impl Seconds {
    pub(super) fn add(&mut self, at: Instant) {
        let second = at.0.div_euclid(1000);
        let place = |second: i64| second.rem_euclid(BURST_S as i64) as usize;
        let since = self
            .last
            .map_or(i64::MAX, |last| second.saturating_sub(last));
        // Log times are not quite in order; a clock that is set back further begins anew.
        if since >= BURST_S as i64 || since <= -(BURST_S as i64) {
            self.counts = [0; BURST_S];
            self.sum = 0;
            self.last = Some(second);
        } else if since > 0 {
            for passed in second - since + 1..=second {
                let gone = std::mem::take(&mut self.counts[place(passed)]);
                self.sum -= gone;
            }
            self.last = Some(second);
        }
        self.counts[place(second)] += 1;
        self.sum += 1;
        if self.most.is_none_or(|most| self.sum > most.connections) {
            let last = self.last.unwrap_or(second);
            let mut seconds = last - BURST_S as i64 + 1..=last;
            let first = seconds.find(|&second| self.counts[place(second)] > 0);
            self.most = Some(Burst {
                connections: self.sum,
                start: Instant(first.unwrap_or(second) * 1000),
            });
        }
    }

    pub(super) fn most(&self) -> Option<Burst> {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn most(times: &[i64]) -> Option<(u64, i64)> {
        let mut seconds = Seconds::default();
        for &at in times {
            seconds.add(Instant(at));
        }
        seconds.most().map(|most| (most.connections, most.start.0))
    }

    #[test]
    fn most_within_ten_seconds_is_found() {
        let rows: [(&[i64], _); 6] = [
            (&[], None),
            (&[1_500], Some((1, 1_000))),
            (&[0, 9_999], Some((2, 0))),
            (&[0, 10_000], Some((1, 0))),
            (&[0, 20_000, 21_000, 20_500], Some((3, 20_000))),
            // A clock that is set back.
            (&[3_600_000, 3_600_001, 0, 1, 2], Some((3, 0))),
        ];
        for (times, expected) in rows {
            assert_eq!(most(times), expected, "{times:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_missed(steps in prop::collection::vec(0i64..4_000, 0..200)) {
            let mut now = -50_000;
            let times: Vec<i64> = steps.iter().map(|step| { now += step; now }).collect();
            let second = |at: i64| at.div_euclid(1000);
            let within = |end: i64| times.iter().filter(|&&at| (second(end) - 9..=second(end)).contains(&second(at))).count();
            let expected = times.iter().map(|&end| within(end) as u64).max();
            prop_assert_eq!(most(&times).map(|(connections, _)| connections), expected);
        }
    }
}
