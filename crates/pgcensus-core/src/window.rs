//! Windows: the stretch of the log that counts.

use std::sync::Arc;

use crate::instant::Instant;

/// `[since, until)`, and of each day only a part.
#[derive(Clone, Default)]
pub struct Window {
    /// The first instant that counts; `None`: from the beginning.
    pub since: Option<Instant>,
    /// The first instant that does not count any more; `None`: to the end.
    pub until: Option<Instant>,
    /// `--between`: which instants count of each day.
    pub daily: Option<Arc<dyn Fn(Instant) -> bool + Send + Sync>>,
}

impl Window {
    /// This instant is before the window.
    pub fn is_before(&self, at: Instant) -> bool {
        self.since.is_some_and(|since| at < since)
    }

    /// This instant is after the window.
    pub fn is_after(&self, at: Instant) -> bool {
        self.until.is_some_and(|until| at >= until)
    }

    /// The input ends with this instant, whatever was asked for.
    pub fn end_after(&mut self, last: Instant) {
        let end = last.plus_ms(1);
        self.until = Some(self.until.map_or(end, |until| until.min(end)));
    }

    /// This instant counts.
    pub fn contains(&self, at: Instant) -> bool {
        !self.is_before(at)
            && !self.is_after(at)
            && self.daily.as_ref().is_none_or(|daily| daily(at))
    }
}
