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
        self.reach(at);
        self.open += n;
        self.most = self.most.max(self.open);
    }

    /// The most that were open lately, as of now.
    pub(super) fn most(mut self, now: Instant) -> i64 {
        self.reach(now);
        self.most.max(self.most_before)
    }

    /// Time goes on. Where clocks are set back it stands still.
    fn reach(&mut self, at: Instant) {
        let stretch = at.0.div_euclid(STRETCH_MS);
        if stretch <= self.stretch {
            return;
        }
        let is_next = stretch == self.stretch + 1;
        self.most_before = if is_next { self.most } else { self.open };
        self.most = self.open;
        self.stretch = stretch;
    }
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
        assert_eq!(most(10), 43, "a clock that is set back");
    }
}
