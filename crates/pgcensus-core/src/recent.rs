//! Recent: the last changes, as they came. What is older is dropped, and that is said.

use std::collections::VecDeque;

use crate::change::{Change, What};
use crate::instant::Instant;
use crate::window::Window;

/// Changes kept at most; of more, the oldest are dropped, see [`Recent::dropped_before`].
pub const RECENT_MAX: usize = 10_000;

/// The last changes of a window, the oldest first.
pub struct Recent {
    window: Window,
    changes: VecDeque<Change>,
    dropped_before: Option<Instant>,
}

impl Recent {
    /// Keeps those of this window.
    pub fn new(window: Window) -> Recent {
        Recent {
            window,
            changes: VecDeque::new(),
            dropped_before: None,
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// The window begins later.
    pub fn moves_to(&mut self, since: Option<Instant>) {
        self.window.since = since;
        let window = &self.window;
        let is_over = |change: &Change| change.at.is_some_and(|at| window.is_before(at));
        while self.changes.front().is_some_and(is_over) {
            self.changes.pop_front();
        }
        self.dropped_before = self.dropped_before.filter(|&at| !window.is_before(at));
    }

    /// Takes in a change. One that was taken back stays, as does what takes it back.
    pub fn observe(&mut self, change: &Change) {
        let counts = change.at.is_none_or(|at| self.window.contains(at));
        if !counts || matches!(change.what, What::TakenBack(_)) {
            return;
        }
        if self.changes.len() >= RECENT_MAX {
            self.changes.pop_front();
            let oldest = self.changes.front().and_then(|oldest| oldest.at);
            self.dropped_before = oldest.or(change.at);
        }
        self.changes.push_back(change.clone());
    }

    /// Those that are kept, the oldest first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &Change> + ExactSizeIterator {
        self.changes.iter()
    }

    /// Older ones than this were dropped; `None`: none was.
    pub fn dropped_before(&self) -> Option<Instant> {
        self.dropped_before
    }
}

#[cfg(test)]
mod tests {
    use pgcensus_log::event::ServerEvent;

    use super::*;
    use crate::session::ServerId;

    #[test]
    fn the_oldest_are_dropped_and_it_is_said_from_when_on_they_are_kept() {
        let mut recent = Recent::new(Window::default());
        let ready = |ms| Change {
            at: Some(Instant(ms)),
            what: What::Server(ServerId(0), None, ServerEvent::Ready),
            message: Box::default(),
        };
        for ms in 0..RECENT_MAX as i64 {
            recent.observe(&ready(ms));
        }
        assert_eq!(recent.dropped_before(), None);
        recent.observe(&ready(RECENT_MAX as i64));
        assert_eq!(recent.dropped_before(), Some(Instant(1)));
        assert_eq!(recent.changes().len(), RECENT_MAX);
        let last = recent.changes().next_back().and_then(|change| change.at);
        assert_eq!(last, Some(Instant(RECENT_MAX as i64)));
    }
}
