//! What the last record of each log told: such a record may go on after all, and then more is to be said of it.

use std::collections::VecDeque;

use crate::pipeline::LogId;

/// Logs of which it is known; beyond it, that of which it was told first is forgotten.
const LAST_MAX: usize = 64;

/// What was told of the last records of logs.
pub(super) struct Last<T> {
    /// The log whose last record is being told.
    may_go_on: Option<LogId>,
    told: VecDeque<(LogId, Vec<T>)>,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Last {
            may_go_on: None,
            told: VecDeque::new(),
        }
    }
}

impl<T> Last<T> {
    /// What is told from here on comes of the last record of this log; `None`: no more of it.
    pub(super) fn may_go_on(&mut self, log: Option<LogId>) {
        self.may_go_on = log;
        if let Some(log) = log {
            self.forget(log);
            self.told
                .drain(..self.told.len().saturating_sub(LAST_MAX - 1));
            self.told.push_back((log, Vec::new()));
        }
    }

    /// This was told.
    pub(super) fn add(&mut self, told: impl FnOnce() -> T) {
        if self.may_go_on.is_some()
            && let Some((_, all)) = self.told.back_mut()
        {
            all.push(told());
        }
    }

    /// What the last record of a log told.
    pub(super) fn of(&self, log: LogId) -> &[T] {
        let last = self.told.iter().find(|(of, _)| *of == log);
        last.map_or(&[], |(_, told)| told)
    }

    /// It told nothing.
    pub(super) fn forget(&mut self, log: LogId) {
        self.told.retain(|(of, _)| *of != log);
    }
}
