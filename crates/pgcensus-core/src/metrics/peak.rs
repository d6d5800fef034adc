//! The recent peak: how many were open at most, so that who looks every fifteen seconds also sees a spike of one.

use crate::instant::Instant;

/// Time is cut into stretches of this length.
const STRETCH_MS: i64 = 60_000;

/// Open sessions, and the most at one instant of the stretch at hand and of the one before: of one to two minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecentPeak {
    open: i64,
    /// The stretch at hand, counted from the epoch.
    stretch: i64,
    most: i64,
    most_before: i64,
}

impl RecentPeak {
    /// `n` sessions opened at this time or, negative, ended.
    pub(super) fn add(&mut self, at: Instant, n: i64) {
        // What is a little late is of the stretch at hand. A clock that was ahead, and is set back, must not keep it for as long.
        if at != Instant::UNKNOWN && stretch(at) < self.stretch - 1 {
            self.begin(stretch(at));
        }
        self.reach(at);
        self.open += n;
        self.most = self.most.max(self.open);
    }

    /// The most that were open lately, as of now.
    pub(super) fn most(mut self, now: Instant) -> i64 {
        self.reach(now);
        self.most.max(self.most_before)
    }

    /// Time goes on.
    fn reach(&mut self, at: Instant) {
        let (stretch, most) = (stretch(at), self.most);
        if stretch <= self.stretch {
            return;
        }
        let is_next = stretch == self.stretch + 1;
        self.begin(stretch);
        if is_next {
            self.most_before = most;
        }
    }

    /// This stretch begins, behind one of which nothing is known.
    fn begin(&mut self, stretch: i64) {
        (self.most_before, self.most) = (self.open, self.open);
        self.stretch = stretch;
    }
}

fn stretch(at: Instant) -> i64 {
    at.0.div_euclid(STRETCH_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_is_seen_for_a_minute_and_no_longer_than_two() {
        let mut peak = RecentPeak::default();
        peak.add(Instant(30_000), 3);
        peak.add(Instant(60_100), 40);
        peak.add(Instant(60_200), -41);
        let most = |ms| peak.most(Instant(ms));
        assert_eq!(
            [60_200, 119_999, 120_000, 179_999, 180_000].map(most),
            [43, 43, 43, 43, 2]
        );
        assert_eq!(most(10), 43, "a clock that is behind that of the log");
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_keep_the_peak() {
        let mut peak = RecentPeak::default();
        peak.add(Instant(86_400_000), 40);
        peak.add(Instant(86_340_000), 2);
        assert_eq!(peak.most(Instant(86_400_000)), 42, "a record that is late");
        peak.add(Instant(120_000), -30);
        peak.add(Instant::UNKNOWN, -1);
        assert_eq!(peak.most(Instant(120_000)), 42, "when it is set back");
        assert_eq!(peak.most(Instant(240_000)), 11);
    }
}
