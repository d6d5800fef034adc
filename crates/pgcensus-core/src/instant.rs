//! Instants: milliseconds since the epoch, UTC.

/// Milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Instant(pub i64);

impl Instant {
    /// Milliseconds from `earlier` to this; negative where it is not earlier.
    pub fn since(self, earlier: Instant) -> i64 {
        self.0 - earlier.0
    }

    /// This many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Instant {
        Instant(self.0.saturating_add(ms))
    }
}
