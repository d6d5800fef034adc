//! Instants: milliseconds since the epoch, UTC.

/// Milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Instant(pub i64);

impl Instant {
    /// The time of everything in a log whose prefix carries none.
    pub const UNKNOWN: Instant = Instant(i64::MIN);

    /// Itself, unless it is [`Instant::UNKNOWN`].
    pub fn known(self) -> Option<Instant> {
        (self != Instant::UNKNOWN).then_some(self)
    }

    /// Milliseconds from `earlier` to this; negative where it is not earlier.
    pub fn since(self, earlier: Instant) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Instant {
        if self == Instant::UNKNOWN {
            self
        } else {
            Instant(self.0.saturating_add(ms))
        }
    }
}
