//! The instant that is shown: now, or one of the past to which a cursor was moved, in a window of some length.

use pgcensus_core::instant::Instant;

use super::{Effect, State};

/// Lengths of windows, in milliseconds, one of which is the next longer or shorter; all of the log is longer still.
const WINDOWS_MS: [i64; 9] = [
    60_000,
    5 * 60_000,
    15 * 60_000,
    60 * 60_000,
    3 * 3_600_000,
    12 * 3_600_000,
    24 * 3_600_000,
    7 * 86_400_000,
    31 * 86_400_000,
];

impl State {
    /// Moves the cursor through the past by so many buckets.
    pub(super) fn step(&mut self, steps: i64) -> Effect {
        let Some(moment) = &self.moment else {
            return Effect::Nothing;
        };
        let (Some(last), Some(at)) = (self.last(), self.at.or(moment.at)) else {
            self.said = Some("the log has no times: there is no past to go to".to_owned());
            return Effect::Redraw;
        };
        let step_ms = moment.timeline.bucket_s.max(1) as i64 * 1000;
        // On the clock's own marks, so that the same keys lead back.
        let marks = if steps < 0 {
            -(-at.0).div_euclid(step_ms)
        } else {
            at.0.div_euclid(step_ms)
        };
        let to = Instant((marks + steps) * step_ms);
        // At the last record the cursor is at its end.
        self.show_at(Some(to).filter(|&to| steps < 0 || to < last))
    }

    /// Shows this instant; `None`, or one after the last: now.
    pub(crate) fn show_at(&mut self, at: Option<Instant>) -> Effect {
        self.is_paused = false;
        let input = self.moment.as_ref().and_then(|moment| moment.input);
        let Some(((first, last), at)) = input.zip(at).filter(|&((_, last), at)| at <= last) else {
            let was = (self.at.take(), self.view_end.take());
            return if was == (None, None) {
                Effect::Nothing
            } else {
                Effect::Ask
            };
        };
        let at = at.max(first);
        self.at = Some(at);
        if let Some(window_ms) = self.window_ms {
            let end = self.view_end.unwrap_or(last);
            if at > end || at.since(end) < -window_ms {
                let end = at.plus_ms(window_ms / 2);
                self.view_end = Some(end).filter(|&end| end < last);
            }
        } else {
            self.view_end = None;
        }
        Effect::Ask
    }

    pub(super) fn zoom(&mut self, is_longer: bool) -> Effect {
        let all_ms = self
            .moment
            .as_ref()
            .and_then(|moment| moment.input)
            .map_or(i64::MAX, |(first, last)| last.since(first));
        let now_ms = self.window_ms.unwrap_or(i64::MAX).min(all_ms);
        let next = if is_longer {
            let longer = WINDOWS_MS.into_iter().find(|&ms| ms > now_ms);
            longer.filter(|&ms| ms < all_ms)
        } else {
            let shorter = WINDOWS_MS.into_iter().rev().find(|&ms| ms < now_ms);
            match shorter {
                Some(shorter) => Some(shorter),
                None => return Effect::Nothing,
            }
        };
        self.window_ms = next;
        if let (Some(at), Some(_)) = (self.at, next) {
            self.view_end = None;
            return self.show_at(Some(at));
        }
        self.view_end = None;
        Effect::Ask
    }
}
