//! Histograms of times, in classes that never change: Prometheus adds up those of several servers and of any stretch of time.

/// Upper bounds of the classes of session times, in milliseconds, inclusive. Those of
/// [`SESSION_TIME_BOUNDS_MS`](crate::snapshot::SESSION_TIME_BOUNDS_MS) are among them.
pub const SESSION_TIME_MS: [u64; 13] = [
    10, 100, 500, 1_000, 5_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 28_800_000,
    86_400_000,
];

/// Of setup times, in microseconds.
pub const SETUP_TIME_US: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 60_000_000,
];

/// How many times there were of each class, and their sum.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    classes: Vec<u64>,
    sum: u64,
}

impl Histogram {
    /// Nothing yet, in classes with these upper bounds and one for what is longer.
    pub(super) fn new(bounds: &'static [u64]) -> Histogram {
        Histogram {
            bounds,
            classes: vec![0; bounds.len() + 1],
            sum: 0,
        }
    }

    pub(super) fn add(&mut self, time: u64) {
        let class = self.bounds.partition_point(|&bound| bound < time);
        self.classes[class] += 1;
        self.sum = self.sum.saturating_add(time);
    }

    /// The upper bound of each class, `None` of the last, with how many times are in it.
    pub fn classes(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.classes.iter().copied())
    }

    /// All times together, in the unit of the bounds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::SESSION_TIME_BOUNDS_MS;

    #[test]
    fn a_bound_is_in_its_class() {
        let mut histogram = Histogram::new(&SESSION_TIME_MS);
        for time in [0, 10, 11, 100, 86_400_000, 86_400_001, u64::MAX] {
            histogram.add(time);
        }
        let counts: Vec<_> = histogram.classes().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((histogram.count(), histogram.sum()), (7, u64::MAX));
    }

    #[test]
    fn classes_of_the_summary_can_be_told() {
        let has = |bound| SESSION_TIME_MS.contains(&bound);
        assert!(SESSION_TIME_BOUNDS_MS.into_iter().all(has));
    }
}
