//! The history: the census of each stretch of a window.
//!
//! Like the census it is one pass: a session that is seen only at its end is added to all stretches since
//! its start, which is a difference kept at the stretch where it began (see `census`).

use std::collections::VecDeque;

use crate::census::START_GRACE_MS;
use crate::change::{Change, What};
use crate::instant::Instant;
use crate::lives::Lives;
use crate::session::{ServerId, Session};
use crate::snapshot::{Bucket, Certainty, HistorySnapshot, PeakSnapshot};
use crate::window::Window;
use crate::zone::{DisplayZone, bucket_end, bucket_start};

/// Buckets kept at most; of more, the oldest are dropped, and that is said.
pub const BUCKETS_MAX: usize = 100_000;

/// Lengths of buckets among which one is chosen for the whole input, in seconds.
const LENGTHS_S: [u64; 5] = [60, 300, 900, 3600, 86_400];

/// The same for a picture, where the ends of buckets need not be exact: not each is a multiple of the one before.
const PICTURE_S: [u64; 17] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400,
];

/// The same, each a multiple of the one before, so that buckets are joined and never divided.
pub const CHAIN_S: [u64; 13] = [
    1, 2, 10, 30, 60, 120, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400,
];

/// Rows of a history whose bucket is chosen.
const ROWS_MAX: usize = 48;

/// Adds up changes to a history.
#[derive(Clone)]
pub struct History {
    window: Window,
    zone: DisplayZone,
    bucket_s: u64,
    /// The bucket is widened so that the rows stay few.
    widens: Option<Widens>,
    slots: VecDeque<Slot>,
    dropped: u64,
    /// Known to be open, less those that ended without having been seen to begin.
    level: i64,
    /// Sessions of that kind that began before the first slot.
    before: i64,
    first: Option<Instant>,
}

/// How many buckets there may be, and how long they become.
#[derive(Clone, Copy, Debug)]
struct Widens {
    rows: usize,
    lengths_s: &'static [u64],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: Instant,
    end: Instant,
    connects: i64,
    disconnects: i64,
    refused: u64,
    level_start: i64,
    level_min: i64,
    level_max: i64,
    level_end: i64,
    /// Sessions that prove later to have begun in it (or, negative, to have been refused).
    late: i64,
    /// Of those, the ones that were there before anything else happened in it.
    late_from_start: i64,
}

impl History {
    /// A history in buckets of `bucket_s` seconds; `None`: chosen so that there are at most 48 rows.
    pub fn new(window: Window, bucket_s: Option<u64>, zone: DisplayZone) -> History {
        History {
            window,
            zone,
            bucket_s: bucket_s.unwrap_or(LENGTHS_S[0]),
            widens: bucket_s.is_none().then_some(Widens {
                rows: ROWS_MAX,
                lengths_s: &LENGTHS_S,
            }),
            slots: VecDeque::new(),
            dropped: 0,
            level: 0,
            before: 0,
            first: None,
        }
    }

    /// A history of at most this many rows, for a sparkline.
    pub fn timeline(window: Window, rows: usize, zone: DisplayZone) -> History {
        History::widening(window, rows, &PICTURE_S, zone)
    }

    /// A history of at most this many rows, in buckets of a length of [`CHAIN_S`].
    pub fn chained(window: Window, rows: usize, zone: DisplayZone) -> History {
        History::widening(window, rows, &CHAIN_S, zone)
    }

    fn widening(
        window: Window,
        rows: usize,
        lengths_s: &'static [u64],
        zone: DisplayZone,
    ) -> History {
        History {
            bucket_s: lengths_s[0],
            widens: Some(Widens { rows, lengths_s }),
            ..History::new(window, None, zone)
        }
    }

    /// Its buckets are to be this long at least.
    pub fn at_least(&mut self, bucket_s: u64) {
        while self.bucket_s < bucket_s && self.widen() {}
    }

    /// The length of its buckets so far, in seconds.
    pub fn bucket_s(&self) -> u64 {
        self.bucket_s
    }

    /// The log, or one of its files, begins or goes on at this time.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change. Walsenders are not part of a history.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at else { return };
        match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session)
                if session.walsender || session.pid.is_none() =>
            {
                self.without_pid(&change.what, session, at);
            }
            What::Opened(_) => self.opened(at),
            What::TakenBack(session) => self.taken_back(session, at),
            What::Closed(session) => self.closed(session, at),
            What::Refused(_) => {
                if let Some(slot) = self.slot(at) {
                    slot.refused += 1;
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, at: Instant) {
        if let Some(slot) = self.step(at, 1) {
            slot.connects += 1;
        }
    }

    /// Without a pid nobody is seen to leave: such a session counts as a connect and a disconnect, never as open.
    fn without_pid(&mut self, what: &What, session: &Session, at: Instant) {
        if session.walsender {
            return;
        }
        if let Some(slot) = self.slot(at) {
            match what {
                What::Opened(_) => slot.connects += 1,
                What::TakenBack(_) => slot.connects -= 1,
                What::Closed(_) => slot.disconnects += 1,
                What::Refused(_) | What::Probe(_) | What::Server(..) => {}
            }
        }
    }

    fn closed(&mut self, session: &Session, at: Instant) {
        if !session.was_seen_to_open() {
            let start = session.session_start.unwrap_or(at);
            self.began_unseen(start);
        }
        if let Some(slot) = self.step(at, -1) {
            slot.disconnects += 1;
        }
    }

    /// A session was there since `start`.
    fn began_unseen(&mut self, start: Instant) {
        if self.window.is_after(start) {
            return;
        }
        let first = self
            .first
            .filter(|&first| start.plus_ms(START_GRACE_MS) >= first);
        let at = first
            .map(|first| start.max(first))
            .filter(|&at| !self.window.is_before(at));
        if let Some(at) = at {
            // Nothing may have happened in its stretch, nor in those between.
            self.reach(at);
        }
        let connects = i64::from(at.is_some_and(|at| self.window.contains(at)));
        match at.and_then(|at| self.find(at)) {
            Some(slot) => {
                slot.connects += connects;
                slot.late += 1;
                slot.late_from_start += i64::from(first.is_some_and(|first| start <= first));
            }
            None => self.before += 1,
        }
    }

    fn taken_back(&mut self, session: &Session, at: Instant) {
        let opened = session.opened_at().unwrap_or(at);
        if self.window.is_after(opened) {
            return;
        }
        // From `opened` to now it was one too many; from now on it is not there any more.
        match self.find(opened) {
            Some(slot) => {
                slot.connects -= 1;
                slot.late -= 1;
            }
            None => self.before -= 1,
        }
        if self.window.is_after(at) {
            return;
        }
        if let Some(slot) = self.slot(at) {
            slot.late += 1;
        } else {
            self.before += 1;
        }
        self.step(at, -1);
    }

    /// The level changes at `at`; the slot of that, if it is in the window.
    fn step(&mut self, at: Instant, n: i64) -> Option<&mut Slot> {
        if !self.window.contains(at) {
            self.level += if self.window.is_after(at) { 0 } else { n };
            return None;
        }
        // A slot that is made now begins at the level of before.
        self.reach(at);
        self.level += n;
        let level = self.level;
        let slot = self.made_slot(at)?;
        slot.level_end = level;
        slot.level_min = slot.level_min.min(level);
        slot.level_max = slot.level_max.max(level);
        Some(slot)
    }

    /// The slot of an instant of now; those up to it are made. Times a little out of order go to the last one.
    fn slot(&mut self, at: Instant) -> Option<&mut Slot> {
        if !self.window.contains(at) {
            return None;
        }
        self.reach(at);
        self.made_slot(at)
    }

    /// The slot of an instant up to which they are made.
    #[inline]
    fn made_slot(&mut self, at: Instant) -> Option<&mut Slot> {
        if self.slots.back().is_some_and(|last| at >= last.start) {
            self.slots.back_mut()
        } else {
            self.find(at)
        }
    }

    /// Makes the slots up to that of `at`.
    #[inline]
    fn reach(&mut self, at: Instant) {
        if self.slots.back().is_none_or(|last| at >= last.end) {
            self.make(at);
        }
    }

    #[cold]
    fn make(&mut self, at: Instant) {
        if self.slots.is_empty() {
            let first = self.window.since.max(self.first).unwrap_or(at).min(at);
            self.push(bucket_start(&self.zone, self.bucket_s, first));
        }
        if self.widens.is_none() {
            self.leap(at);
        }
        while let Some(last) = self.slots.back().filter(|last| last.end <= at) {
            let start = last.end;
            self.push(start);
            if let Some(Widens { rows, .. }) = self.widens {
                while self.slots.len() > rows && self.widen() {}
            }
        }
    }

    /// Drops at once what would be dropped one by one: from a clock that was wrong to one that is right are a billion seconds.
    fn leap(&mut self, at: Instant) {
        let bucket_ms = (self.bucket_s.max(1) as i64).saturating_mul(1000);
        let kept_ms = bucket_ms.saturating_mul(BUCKETS_MAX as i64);
        let is_far = |last: &&Slot| at.since(last.end) > kept_ms.saturating_add(bucket_ms);
        let Some(last) = self.slots.back().filter(is_far) else {
            return;
        };
        let start = bucket_start(&self.zone, self.bucket_s, at.plus_ms(-kept_ms));
        self.dropped += self.slots.len() as u64 + (start.since(last.end) / bucket_ms) as u64;
        self.before += self.slots.drain(..).map(|slot| slot.late).sum::<i64>();
        self.push(start);
    }

    fn push(&mut self, start: Instant) {
        let end = bucket_end(&self.zone, self.bucket_s, start);
        let level = self.level;
        self.slots.push_back(Slot {
            start,
            end,
            connects: 0,
            disconnects: 0,
            refused: 0,
            level_start: level,
            level_min: level,
            level_max: level,
            level_end: level,
            late: 0,
            late_from_start: 0,
        });
        if self.slots.len() > BUCKETS_MAX
            && let Some(first) = self.slots.pop_front()
        {
            self.before += first.late;
            self.dropped += 1;
        }
    }

    fn find(&mut self, at: Instant) -> Option<&mut Slot> {
        let next = self.slots.partition_point(|slot| slot.start <= at);
        self.slots
            .get_mut(next.checked_sub(1)?)
            .filter(|slot| at < slot.end)
    }

    /// Takes the next longer bucket, joining slots; false where there is none.
    fn widen(&mut self) -> bool {
        let Some(Widens { lengths_s, .. }) = self.widens else {
            return false;
        };
        let longer = lengths_s.iter().copied().find(|&s| s > self.bucket_s);
        // Days are joined where there are more than that.
        let may_double = lengths_s != &LENGTHS_S[..];
        let double = Some(self.bucket_s * 2).filter(|&s| may_double && s < 1 << 31);
        let next = longer.or(double);
        let Some(next) = next else {
            return false;
        };
        self.bucket_s = next;
        let mut joined: VecDeque<Slot> = VecDeque::with_capacity(self.slots.len());
        for slot in self.slots.drain(..) {
            if let Some(wide) = joined.back_mut().filter(|wide| slot.start < wide.end) {
                wide.connects += slot.connects;
                wide.disconnects += slot.disconnects;
                wide.refused += slot.refused;
                // What was added late to an earlier part lifts the later ones.
                wide.level_min = wide.level_min.min(slot.level_min + wide.late.min(0));
                wide.level_max = wide.level_max.max(slot.level_max);
                wide.level_end = slot.level_end;
                wide.late += slot.late;
                wide.late_from_start += slot.late_from_start;
            } else {
                let start = bucket_start(&self.zone, next, slot.start);
                joined.push_back(Slot {
                    start,
                    end: bucket_end(&self.zone, next, start),
                    ..slot
                });
            }
        }
        self.slots = joined;
        true
    }

    /// The rows. `input` is the first and last log time, `lives` those of all servers that count.
    pub fn snapshot(
        mut self,
        lives: &[(ServerId, &Lives)],
        input: Option<(Instant, Instant)>,
        peak: PeakSnapshot,
    ) -> HistorySnapshot {
        let Some((first, last)) = input else {
            return HistorySnapshot {
                bucket_s: self.bucket_s,
                peak,
                ..HistorySnapshot::default()
            };
        };
        let since = self.window.since.map_or(first, |since| since.max(first));
        let until = self.window.until.unwrap_or(last);
        self.begins(since);
        // Up to the last record, and also where nothing happened.
        self.reach(
            self.window
                .until
                .map_or(last, |until| until.plus_ms(-1).min(last)),
        );
        let mut late = self.before;
        let mut buckets = Vec::with_capacity(self.slots.len());
        let count = |level: i64| level.max(0) as u64;
        for slot in &self.slots {
            let start = late;
            late += slot.late;
            if slot.end <= since {
                continue;
            }
            let certainty = lives
                .iter()
                .map(|(_, lives)| {
                    lives.between(slot.start.max(since), slot.end.min(until.plus_ms(1)))
                })
                .reduce(Certainty::and);
            let (open_start, open_end) = (
                count(slot.level_start + start),
                count(slot.level_end + late),
            );
            buckets.push(Bucket {
                start: slot.start,
                end: slot.end.min(until),
                partial: slot.start < since || slot.end > until,
                connects: count(slot.connects),
                disconnects: count(slot.disconnects),
                open_start,
                open_min: count(slot.level_min + start.min(late))
                    .min(open_start)
                    .min(open_end),
                open_max: count(slot.level_max + (start + slot.late_from_start).min(late))
                    .max(open_start)
                    .max(open_end),
                open_end,
                refused: slot.refused,
                certainty: certainty.unwrap_or(Certainty::Unknown),
            });
        }
        if self.window.daily.is_some() {
            buckets.retain(|b| {
                self.window.contains(b.start.max(since))
                    || b.connects + b.disconnects + b.refused > 0
            });
        }
        let mut bounds = Vec::new();
        if self.dropped > 0 {
            bounds.push(format!(
                "{} older buckets dropped ({BUCKETS_MAX} kept); ask for a longer --bucket",
                self.dropped
            ));
        }
        HistorySnapshot {
            input,
            window: Some((since, until)),
            bucket_s: self.bucket_s,
            buckets,
            peak,
            bounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_centuries_of_seconds_the_last_are_kept_and_no_others_made() {
        let zone = DisplayZone::default();
        let mut history = History::new(Window::default(), Some(1), zone);
        let century_ms = 100 * 365 * 86_400_000;
        history.opened(Instant(0));
        history.began_unseen(Instant(1));
        history.opened(Instant(century_ms));
        history.opened(Instant(century_ms + 2500));
        assert_eq!(history.slots.len(), BUCKETS_MAX);
        // All of them, but those that are kept.
        let all = century_ms as u64 / 1000 + 3;
        assert_eq!(history.dropped, all - BUCKETS_MAX as u64);
        assert_eq!(history.before, 1);
        let last = history.slots.back().expect("slots");
        assert_eq!((last.level_start, last.level_end), (2, 3));
    }
}
