//! What has been told of logs that go on, and when the next moment is due: not faster than anybody can read it, and not so often that
//! counting costs more than following.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pgcensus_core::instant::Instant as LogInstant;

/// Moments are told no faster than this.
pub(super) const FRAME: Duration = Duration::from_millis(100);

/// So many times as long as a moment took to make, none is made: with a hundred thousand names it takes tens of milliseconds.
const RESTS: u32 = 20;

/// Of a log that is written, the time is told at least so often; where nothing has happened for a while, not quite as often.
const TICK: Duration = Duration::from_secs(1);
pub(super) const TICK_IDLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

/// What was said of the logs is shown for so long.
const SAID: Duration = Duration::from_secs(30);

/// What has been told.
#[derive(Default)]
pub(super) struct Told {
    /// When the last moment was told, and of which change it was the last.
    last: Option<(Instant, u64)>,
    /// When something happened last.
    happened: Option<Instant>,
    /// What was said of the logs lately.
    said: VecDeque<(Instant, String)>,
    pub(super) is_new: bool,
    /// How long it took to make the last moment.
    took: Duration,
}

impl Told {
    pub(super) fn said(&mut self, said: &mut Vec<String>) {
        const SAID_MAX: usize = 8;
        let now = Instant::now();
        self.is_new |= !said.is_empty();
        self.said.extend(said.drain(..).map(|said| (now, said)));
        let is_old = |said: &VecDeque<(Instant, String)>| {
            said.len() > SAID_MAX || said.front().is_some_and(|(at, _)| at.elapsed() > SAID)
        };
        while is_old(&self.said) {
            self.said.pop_front();
            self.is_new = true;
        }
    }

    /// Something else is asked for: the next moment is told at once.
    pub(super) fn is_due(&mut self) {
        self.last = None;
    }

    /// How long until the next moment is told; zero: now.
    pub(super) fn wait(&mut self, changes: u64, now: Option<LogInstant>) -> Duration {
        let Some((at, told)) = self.last else {
            return Duration::ZERO;
        };
        let is_other = changes != told || self.is_new;
        if is_other {
            self.happened = Some(Instant::now());
        }
        let is_idle = self.happened.is_none_or(|at| at.elapsed() > IDLE);
        let wait = match (is_other, now) {
            (true, _) => FRAME,
            (false, None) => TICK_IDLE,
            (false, Some(_)) if is_idle => TICK_IDLE,
            (false, Some(_)) => TICK,
        };
        wait.max(RESTS * self.took).saturating_sub(at.elapsed())
    }

    pub(super) fn tells(&mut self, changes: u64, took: Duration) {
        self.last = Some((Instant::now(), changes));
        self.took = took;
        self.is_new = false;
    }

    /// What is wrong with the logs, and what was said of them lately, the last first.
    pub(super) fn problems(&self, troubles: &[String]) -> Vec<String> {
        let said = self.said.iter().rev().map(|(_, said)| said);
        let lately = said.filter(|said| !troubles.contains(said));
        troubles.iter().chain(lately).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_count_is_told_less_often() {
        let mut told = Told::default();
        assert_eq!(told.wait(1, None), Duration::ZERO);
        told.tells(1, Duration::from_millis(1));
        assert!(told.wait(2, None) <= FRAME);
        told.tells(2, Duration::from_secs(60));
        assert!(told.wait(3, None) > Duration::from_secs(500));
    }
}
