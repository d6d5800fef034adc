//! Lives of a server, and how certain its open sessions are in each.
//!
//! A life begins where every session is known to be gone: a server start, a crash. From there
//! on a count is exact as long as every beginning and every end is logged.

use crate::instant::Instant;
use crate::snapshot::{Certainty, Marker};

/// Lives kept apart at most; of more, the oldest are told as one that is not exact.
const LIVES_MAX: usize = 10_000;

/// A starting server has its first word within this before `starting PostgreSQL`.
const PRELUDE_MS: i64 = 10_000;

/// The lives of one server, in order.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    /// The first log time.
    first: Option<Instant>,
    done: Vec<Life>,
    current: Life,
    /// Lives that are not kept apart any more.
    dropped: u64,
    /// `log_connections` was last set to something without authorized lines.
    connections_off: bool,
    /// `log_disconnections` was last set to off.
    disconnections_off: bool,
}

/// A place in the log of a server: an instant of one of its lives. Clocks are set back, so an instant alone would not tell
/// which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Lives that had ended.
    life: u64,
    at: Instant,
}

#[derive(Clone, Debug, Default)]
struct Life {
    marker: Option<(Instant, Marker)>,
    saw_authorized: bool,
    saw_disconnection: bool,
    /// From here on beginnings may be unseen.
    beginnings_unseen: Option<Instant>,
    /// From here on ends may be unseen.
    ends_unseen: Option<Instant>,
}

impl Lives {
    /// The log, or one of its files, has its first record here.
    pub(crate) fn log_begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// Every session of before is gone.
    pub(crate) fn begin(&mut self, at: Instant, marker: Marker) {
        // What was logged before still is, as far as the log tells.
        let next = Life {
            marker: Some((at, marker)),
            saw_authorized: self.current.saw_authorized && !self.connections_off,
            saw_disconnection: self.current.saw_disconnection && !self.disconnections_off,
            ..Life::default()
        };
        self.done.push(std::mem::replace(&mut self.current, next));
        if self.done.len() > LIVES_MAX {
            self.done.remove(0);
            self.dropped += 1;
            // Its begin is that of the log now.
            self.done[0].marker = None;
        }
    }

    pub(crate) fn saw_authorized(&mut self) {
        self.current.saw_authorized = true;
    }

    pub(crate) fn has_seen_authorized(&self) -> bool {
        self.current.saw_authorized
    }

    pub(crate) fn saw_disconnection(&mut self) {
        self.current.saw_disconnection = true;
    }

    /// `log_connections` was set; to something with authorized lines, or without.
    pub(crate) fn set_log_connections(&mut self, authorized: bool, at: Instant) {
        self.connections_off = !authorized;
        if !authorized || !self.current.saw_authorized {
            self.beginnings_unseen(at);
        }
    }

    /// `log_disconnections` was set. What counts is its value at a session's start: whoever came before the
    /// switch keeps theirs.
    pub(crate) fn set_log_disconnections(&mut self, on: bool, at: Instant) {
        self.disconnections_off = !on;
        self.ends_unseen(at);
    }

    /// From `at` on, beginnings may be missing from the log.
    pub(crate) fn beginnings_unseen(&mut self, at: Instant) {
        reach_back(&mut self.current.beginnings_unseen, at);
    }

    /// From `at` on, ends may be missing from the log.
    pub(crate) fn ends_unseen(&mut self, at: Instant) {
        reach_back(&mut self.current.ends_unseen, at);
    }

    /// The place of what is logged at `at` and comes next.
    pub(crate) fn place(&self, at: Instant) -> Place {
        let life = self.dropped + self.done.len() as u64;
        Place { life, at }
    }

    /// Something of the log was lost at a place, perhaps long ago: beginnings and ends may be missing from there on, until all
    /// sessions of that life are gone.
    pub(crate) fn gap(&mut self, Place { life, at }: Place) {
        // Of those that are not kept apart the oldest has a word for all.
        let number = life.saturating_sub(self.dropped) as usize;
        let life = self.done.get_mut(number).unwrap_or(&mut self.current);
        reach_back(&mut life.beginnings_unseen, at);
        reach_back(&mut life.ends_unseen, at);
    }

    /// The marker since which the count at `at` is exact, if it is.
    pub fn exact_at(&self, at: Instant) -> Option<(Instant, Marker)> {
        let lives = self.done.iter().chain([&self.current]);
        let marker = lives
            .filter_map(|life| life.marker)
            .take_while(|&(begin, _)| begin <= at)
            .last()?;
        (self.between(marker.0, at.plus_ms(1)) == Certainty::Exact).then_some(marker)
    }

    /// When the last life began.
    pub fn last_marker(&self) -> Option<(Instant, Marker)> {
        self.current.marker
    }

    /// The certainty at an instant.
    pub fn at(&self, at: Instant) -> Certainty {
        self.between(at, at.plus_ms(1))
    }

    /// What a server says before it says that it starts, such as where its log goes.
    fn is_prelude(&self, life: &Life, end: Instant) -> bool {
        let soon = self
            .first
            .is_some_and(|first| end.since(first) <= PRELUDE_MS);
        soon && life.marker.is_none() && life.is_silent()
    }

    /// The least certainty of any instant in `[since, until)`.
    pub fn between(&self, since: Instant, until: Instant) -> Certainty {
        let (mut beginnings, mut ends) = (true, true);
        let lives: Vec<&Life> = self.done.iter().chain([&self.current]).collect();
        for (i, life) in lives.iter().enumerate() {
            let begin = life.marker.map_or(Instant(i64::MIN), |(at, _)| at);
            let end = lives
                .get(i + 1)
                .and_then(|next| next.marker)
                .map_or(Instant(i64::MAX), |(at, _)| at);
            if begin >= until || end <= since || self.is_prelude(life, end) {
                continue;
            }
            let before_end = |from: Option<Instant>| from.is_some_and(|from| from < until);
            beginnings &=
                life.marker.is_some() && life.saw_authorized && !before_end(life.beginnings_unseen);
            ends &= life.saw_disconnection && !before_end(life.ends_unseen);
        }
        match (beginnings, ends) {
            (true, true) => Certainty::Exact,
            (false, true) => Certainty::AtLeast,
            (true, false) => Certainty::AtMost,
            (false, false) => Certainty::Unknown,
        }
    }
}

/// What was unseen from some instant on is unseen from `at` on, if that is earlier.
fn reach_back(from: &mut Option<Instant>, at: Instant) {
    *from = Some(from.map_or(at, |known| known.min(at)));
}

impl Life {
    /// No session line was in it.
    fn is_silent(&self) -> bool {
        !self.saw_authorized
            && !self.saw_disconnection
            && self.beginnings_unseen.is_none()
            && self.ends_unseen.is_none()
    }
}

impl Certainty {
    /// The certainty of a sum of two counts.
    #[must_use]
    pub fn and(self, other: Certainty) -> Certainty {
        use Certainty::{AtLeast, AtMost, Exact, Unknown};
        match (self, other) {
            (Exact, certainty) | (certainty, Exact) => certainty,
            (AtLeast, AtLeast) => AtLeast,
            (AtMost, AtMost) => AtMost,
            _ => Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
