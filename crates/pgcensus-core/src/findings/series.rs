//! Series: what came and went of a group, in slots of five minutes, the older the coarser.
//!
//! How this works: slots are counted from the first change, so that no zone moves them. They are put together in blocks of
//! 2, 4, 8 … slots that lie at multiples of their size, as soon as the youngest slot of a block is old enough
//! for it. So blocks lie within blocks, and the series of groups that were made coarse at different times can be added up.
//! What a session adds stands where it opened (`opened`, `kept`) and where it came or went (`net`).

/// A slot: two hours have twenty-four of them.
pub(super) const SLOT_MS: i64 = 5 * 60_000;

/// Slots that are told apart, 20,000 years; what comes later comes in the last one.
const SLOTS_MAX: i64 = u32::MAX as i64 / 2;

/// A block is at most a sixteenth as long as it is old: a quarter of any stretch up to now is known to a quarter of itself.
const AGE_MIN: u32 = 16;

/// For so long blocks stay short enough to tell the hour of the day: earlier days can be compared, a week of them.
const DAYS_SLOTS: u32 = 8 * 288;

/// Slots of the longest block until then, 80 min.
const DAYS_BLOCK: u32 = 16;

/// New slots that are taken in before the series is made coarser: it is so much longer at most than its blocks are, which
/// are some 250 for ten days and 16 more for each doubling.
const SLACK: usize = 64;

/// Of no session that is known.
const NONE: u32 = u32::MAX;

/// A slot, or a block of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its first slot.
    pub(super) begin: u32,
    /// Sessions that opened in it.
    pub(super) opened: u32,
    /// Of them, those that are still open.
    pub(super) kept: i32,
    /// Opened in it less ended in it.
    pub(super) net: i32,
    /// When the first opened, in milliseconds since it began; of a block, the first of slots of which one was open when they were
    /// put together.
    first_ms: u32,
}

impl Default for Slot {
    fn default() -> Slot {
        Slot {
            begin: 0,
            opened: 0,
            kept: 0,
            net: 0,
            first_ms: NONE,
        }
    }
}

/// The slots of a group in which something came or went.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    slots: Vec<Slot>,
    /// Made coarser when it has so many.
    full: usize,
}

impl Series {
    /// In this slot so many sessions opened, the first so many milliseconds after it began, and so many that had opened in it
    /// ended.
    pub(super) fn add(&mut self, now: u32, opened: u32, passed: u32, first_ms: i64) {
        let slot = self.at(now);
        slot.opened = slot.opened.saturating_add(opened);
        let stayed = opened as i32 - passed as i32;
        slot.kept += stayed;
        slot.net += stayed;
        if opened > 0 {
            slot.first_ms = slot.first_ms.min(first_ms.clamp(0, SLOT_MS) as u32);
        }
    }

    /// A session ended in this slot that had opened in that one; `None`: before all.
    #[inline]
    pub(super) fn closed(&mut self, now: u32, opened: Option<u32>) {
        let slot = self.at(now);
        slot.net -= 1;
        // Most are short.
        if opened == Some(slot.begin) {
            slot.kept -= 1;
        } else if let Some(slot) = opened.and_then(|opened| self.of(opened)) {
            slot.kept -= 1;
        }
    }

    /// It was none, which had opened in that slot.
    pub(super) fn taken_back(&mut self, now: u32, opened: Option<u32>) {
        self.closed(now, opened);
        if let Some(slot) = opened.and_then(|opened| self.of(opened)) {
            slot.opened = slot.opened.saturating_sub(1);
        }
    }

    /// What it has, in order.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slot that is going on. What comes late counts in it.
    #[inline]
    fn at(&mut self, now: u32) -> &mut Slot {
        if self.slots.last().is_none_or(|last| last.begin < now) {
            self.reach(now);
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last]
    }

    #[cold]
    fn reach(&mut self, now: u32) {
        if self.slots.len() >= self.full {
            self.coarsen(now);
            self.full = self.slots.len() + SLACK;
        }
        self.slots.push(Slot {
            begin: now,
            ..Slot::default()
        });
    }

    /// The block in which this slot lies.
    fn of(&mut self, slot: u32) -> Option<&mut Slot> {
        let last = self.slots.len().checked_sub(1)?;
        let at = if self.slots[last].begin <= slot {
            last
        } else {
            let before = self.slots[..last].partition_point(|block| block.begin <= slot);
            before.checked_sub(1)?
        };
        Some(&mut self.slots[at])
    }

    fn coarsen(&mut self, now: u32) {
        let mut blocks: usize = 0;
        for at in 0..self.slots.len() {
            let slot = self.slots[at];
            let (begin, _) = block(slot.begin, now);
            match blocks.checked_sub(1).map(|last| &mut self.slots[last]) {
                Some(last) if last.begin >= begin => last.add(slot),
                _ => {
                    self.slots[blocks] = Slot {
                        begin,
                        ..Slot::default()
                    };
                    self.slots[blocks].add(slot);
                    blocks += 1;
                }
            }
        }
        self.slots.truncate(blocks);
    }
}

impl Slot {
    /// Takes in what came and went in another one.
    pub(super) fn add(&mut self, other: Slot) {
        self.opened = self.opened.saturating_add(other.opened);
        self.kept += other.kept;
        self.net += other.net;
        if let Some(first) = other.first_ms() {
            let later = i64::from(other.begin.saturating_sub(self.begin)) * SLOT_MS;
            let first = (later + first).min(i64::from(NONE) - 1);
            self.first_ms = self.first_ms.min(first as u32);
        }
    }

    /// When the first session opened that may still be open, in milliseconds since it began; it may be another one of the same slot,
    /// which was short.
    pub(super) fn first_ms(&self) -> Option<i64> {
        (self.kept > 0 && self.first_ms != NONE).then_some(self.first_ms.into())
    }
}

/// The slot so many milliseconds after the first begins.
pub(super) fn slot(ms: i64) -> u32 {
    (ms / SLOT_MS).clamp(0, SLOTS_MAX) as u32
}

/// The block of a slot at this time: its first slot, and how many it has.
pub(super) fn block(slot: u32, now: u32) -> (u32, u32) {
    let (mut begin, mut size) = (slot, 1_u32);
    while let Some(double) = size.checked_mul(2) {
        let first = slot & !(double - 1);
        let age = now.saturating_sub(first.saturating_add(double - 1));
        let is_old = age / AGE_MIN >= double && (double <= DAYS_BLOCK || age >= DAYS_SLOTS);
        if !is_old {
            break;
        }
        (begin, size) = (first, double);
    }
    (begin, size)
}

/// All blocks up to this time, empty.
pub(super) fn blocks(now: u32) -> Vec<Slot> {
    let mut blocks = Vec::new();
    let mut next = Some(0);
    while let Some(begin) = next.filter(|&begin| begin <= now) {
        blocks.push(Slot {
            begin,
            ..Slot::default()
        });
        next = begin.checked_add(block(begin, now).1);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn coarse_series_say_what_fine_ones_would(
            sessions in prop::collection::vec((0..5_000_u32, 0..800_u32), 1..400),
        ) {
            let mut changes: Vec<(u32, i32, u32)> = sessions
                .iter()
                .flat_map(|&(from, long)| [(from, 1, from), (from + long, -1, from)])
                .collect();
            changes.sort_unstable_by_key(|&(at, sign, _)| (at, -sign));
            let now = changes.last().map_or(0, |last| last.0);
            let (mut coarse, mut expected) = (Series::default(), blocks(now));
            for (at, sign, from) in changes {
                let place = |slot| blocks(now).partition_point(|b| b.begin <= slot) - 1;
                if sign == 1 {
                        coarse.add(at, 1, 0, 0);
                        expected[place(at)].add(Slot { opened: 1, kept: 1, net: 1, ..Slot::default() });
                } else {
                        coarse.closed(at, Some(from));
                        expected[place(at)].net -= 1;
                        expected[place(from)].kept -= 1;
                }
            }
            let mut told = blocks(now);
            for &slot in coarse.slots() {
                let place = told.partition_point(|block| block.begin <= slot.begin) - 1;
                told[place].add(Slot { first_ms: NONE, ..slot });
            }
            prop_assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_series_stays_short_however_long_the_log_is() {
        let mut series = Series::default();
        let year = 366 * 288;
        for now in 0..year {
            series.add(now, 2, 1, 0);
            series.closed(now, Some(now));
        }
        assert!(series.slots().len() < 420, "{}", series.slots().len());
        let opened: u32 = series.slots().iter().map(|slot| slot.opened).sum();
        assert_eq!(opened, 2 * year);
    }

    #[test]
    fn the_slot_of_the_first_that_stays_is_known_in_coarse_blocks_too() {
        let mut series = Series::default();
        for now in 0..400 {
            // Short ones, and from the hundredth on one that stays.
            series.add(now, 1, 0, 1_000);
            series.closed(now, Some(now));
            if now >= 100 {
                series.add(now, 1, 0, 7_000);
            }
        }
        let firsts = series.slots().iter().filter_map(|slot| {
            let first = slot.first_ms()?;
            Some(i64::from(slot.begin) * SLOT_MS + first)
        });
        assert_eq!(firsts.min(), Some(100 * SLOT_MS + 1_000));
    }

    #[test]
    fn blocks_of_the_last_week_tell_the_hour() {
        let now = 30 * 288;
        for (day, longest) in [(0, 8), (1, 16), (7, 16), (20, 256)] {
            let begin = now - day * 288 - 288 / 2;
            let size = block(begin, now).1;
            assert!(size <= longest, "{day} days ago: {size}");
        }
    }
}
