//! Whether sessions only grow: the tests of a leak, on slots.

use super::super::MUTE_MS;
use super::super::series::{SLOT_MS, Slot};
use super::{NET_MIN, STRETCH_MS};
use crate::instant::Instant;

/// Quarters of a stretch.
const QUARTERS: usize = 4;

/// Of what was added in each of the first three quarters, so much is still open. Not all: a leak is patched over by timeouts,
/// and a client dies. Not less: of sessions that are replaced after eight times the stretch, one in eight would be gone.
const KEPT_SHARE: f64 = 0.9;

/// Each of the first three quarters has at least this share of the growth, a quarter of an even one: a leak follows the
/// traffic, and does not pause.
const QUARTER_SHARE: f64 = 1.0 / 16.0;

/// The last quarter has at least this share, half of an even one: a pool that warms up or a fleet that has
/// scaled adds less and less; of what nears its end as 1 − e^−t, the last quarter has less when that has come to four fifths.
const LAST_SHARE: f64 = 1.0 / 8.0;

/// Of what the second half added, so much came from clients that were there in the first: what new ones add is a fleet that
/// scales, or people who come to work.
const ESTABLISHED_SHARE: f64 = 0.5;

/// Earlier days with which the hour is compared.
const DAYS: u32 = 7;

const DAY: u32 = (24 * 3_600_000 / SLOT_MS) as u32;
const MUTE: u32 = (MUTE_MS / SLOT_MS) as u32;

/// A stretch begins behind the time in which a restart is the cause, and is so much shorter at the least.
const STRETCH: u32 = (STRETCH_MS / SLOT_MS) as u32 - MUTE;

/// The growth of a day is explained by earlier days unless it is so many times theirs over the same hours.
const TIMES: i64 = 2;

/// What takes away so much of it at once is a restart of the application or of the server, and no evening: people and pools leave
/// one by one.
const RESET_SHARE: f64 = 0.8;

/// What has grown, in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// The first slot.
    pub(super) begin: u32,
    /// When the first session opened that counts, in milliseconds since the first slot of all.
    pub(super) first_ms: i64,
    /// Open when it began, and now.
    pub(super) open_before: i64,
    pub(super) open: i64,
    /// What each quarter added.
    pub(super) quarters: [i64; QUARTERS],
    /// Sessions that opened in each of them and are open.
    pub(super) kept: [i64; QUARTERS],
    /// Earlier days that were compared.
    pub(super) days: u32,
    /// Of them, those of its kind: weekdays or weekends.
    pub(super) alike: u32,
    /// Of them, those that grew likewise, until something took all of it away at once.
    pub(super) resets: u32,
    /// What each series added.
    pub(super) by: Vec<i64>,
}

impl Figures {
    /// How many more there are.
    pub(super) fn net(&self) -> i64 {
        self.open - self.open_before
    }
}

/// Where a server is.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    /// When the first of all begins.
    pub(super) zero: Instant,
    /// Its log begins.
    pub(super) first: u32,
    /// The life begins that goes on.
    pub(super) since: u32,
    pub(super) now: u32,
}

impl Slots {
    /// It lies on a Saturday or a Sunday, of UTC: where people work is not known.
    fn is_weekend(&self, slot: u32) -> bool {
        let at = self.zero.0.saturating_add(i64::from(slot) * SLOT_MS);
        // 1970 began with a Thursday.
        let weekday = (at.div_euclid(24 * 3_600_000) + 4).rem_euclid(7);
        weekday == 0 || weekday == 6
    }
}

/// The longest stretch up to now in which the sum of these series only grew, within the life that goes on; `blocks` are the
/// empty blocks of now.
pub(super) fn of(series: &[&[Slot]], mut blocks: Vec<Slot>, slots: Slots) -> Option<Figures> {
    let Slots { since, now, .. } = slots;
    for slot in series.iter().copied().flatten() {
        let place = blocks.partition_point(|block| block.begin <= slot.begin);
        if let Some(place) = place.checked_sub(1) {
            blocks[place].add(*slot);
        }
    }
    let sum = Sum::of(blocks, now);
    let first = sum.edge(since.saturating_add(MUTE));
    let last = sum.edge((now + 1).saturating_sub(STRETCH).saturating_add(1));
    let mut figures = (first..last).find_map(|begin| {
        let mut figures = sum.growth(begin)?;
        (figures.days, figures.alike, figures.resets) = sum.above_earlier_days(&figures, slots)?;
        let middle = sum.quarter(begin, 2);
        sum.is_established(series, middle).then_some(figures)
    })?;
    sum.trim(&mut figures);
    // Its quarters are those that are told, where they tell the same.
    if let Some(trimmed) = sum.growth(sum.edge(figures.begin)) {
        figures = Figures {
            days: figures.days,
            alike: figures.alike,
            resets: figures.resets,
            ..trimmed
        };
    }
    figures.first_ms = sum.first_ms(figures.begin);
    let begin = figures.begin;
    let added = |slots: &&[Slot]| {
        let slots = slots.iter().filter(|slot| slot.begin >= begin);
        slots.map(|slot| i64::from(slot.net)).sum()
    };
    figures.by = series.iter().map(added).collect();
    Some(figures)
}

/// Sessions of all series together.
struct Sum {
    blocks: Vec<Slot>,
    /// Open when each block began, and now.
    open: Vec<i64>,
    /// The slot after the last.
    end: u32,
}

impl Sum {
    fn of(blocks: Vec<Slot>, now: u32) -> Sum {
        let mut level = 0;
        let mut open: Vec<i64> = Vec::with_capacity(blocks.len() + 1);
        for block in &blocks {
            open.push(level);
            level += i64::from(block.net);
        }
        open.push(level);
        Sum {
            blocks,
            open,
            end: now + 1,
        }
    }

    /// The first block that begins at this slot or later.
    fn edge(&self, slot: u32) -> usize {
        self.blocks.partition_point(|block| block.begin < slot)
    }

    /// Where a quarter of the stretch from this block on begins.
    fn quarter(&self, begin: usize, n: u32) -> usize {
        let since = self.blocks[begin].begin;
        match n as usize {
            QUARTERS => self.blocks.len(),
            _ => self.edge(since + (self.end - since) / QUARTERS as u32 * n),
        }
    }

    /// The stretch from this block on, if it only grew.
    fn growth(&self, begin: usize) -> Option<Figures> {
        let mut figures = Figures {
            begin: self.blocks[begin].begin,
            open_before: self.open[begin],
            open: *self.open.last()?,
            ..Figures::default()
        };
        let net = figures.net();
        if net < NET_MIN {
            return None;
        }
        for n in 0..QUARTERS {
            let quarter = self.quarter(begin, n as u32)..self.quarter(begin, n as u32 + 1);
            let added = self.open[quarter.end] - self.open[quarter.start];
            let kept: i64 = self.blocks[quarter].iter().map(|b| i64::from(b.kept)).sum();
            let is_last = n + 1 == QUARTERS;
            let share = if is_last { LAST_SHARE } else { QUARTER_SHARE };
            let is_kept = is_last || kept as f64 >= KEPT_SHARE * added as f64;
            if added < 1 || (added as f64) < share * net as f64 || !is_kept {
                return None;
            }
            (figures.quarters[n], figures.kept[n]) = (added, kept);
        }
        Some(figures)
    }

    /// What was added since the middle came from clients that had been there before.
    fn is_established(&self, series: &[&[Slot]], middle: usize) -> bool {
        let middle = self
            .blocks
            .get(middle)
            .map_or(self.end, |block| block.begin);
        let (mut all, mut established) = (0, 0);
        for slots in series {
            let later = slots.iter().filter(|slot| slot.begin >= middle);
            let added: i64 = later.map(|slot| i64::from(slot.net)).sum();
            let is_known = slots
                .iter()
                .any(|slot| slot.begin < middle && slot.opened > 0);
            all += added;
            established += if is_known { added } else { 0 };
        }
        established as f64 >= ESTABLISHED_SHARE * all as f64
    }

    /// With how many earlier days it was compared, how many of them are of its kind, and how many grew likewise until it was reset; `None`:
    /// an earlier day had as many open at this hour, or grew as much, and it went away by itself. That a weekend did
    /// not says nothing of a weekday.
    fn above_earlier_days(&self, figures: &Figures, slots: Slots) -> Option<(u32, u32, u32)> {
        let long = self.end - figures.begin;
        let (mut days, mut alike, mut resets) = (0, 0, 0);
        for day in 1..=DAYS {
            let hour = self.end.checked_sub(day * DAY);
            let Some(hour) = hour.filter(|&hour| hour > slots.first.saturating_add(MUTE)) else {
                break;
            };
            let is_alike = slots.is_weekend(hour) == slots.is_weekend(self.end);
            // Blocks are coarse: what was open is looked up on both sides.
            let around = |slot| {
                let after = self.edge(slot);
                let before = after.saturating_sub(1);
                (self.open[before], self.open[after])
            };
            let (before, after) = around(hour);
            let open = before.max(after);
            let begin = around(hour.saturating_sub(long));
            let grown = open - begin.0.min(begin.1);
            if figures.open <= open || long < DAY && figures.net() < TIMES * grown {
                if !self.was_reset(figures, hour, long) {
                    return None;
                }
                resets += 1;
            }
            days += 1;
            alike += u32::from(is_alike);
        }
        Some((days, alike, resets))
    }

    /// What was open at this hour of an earlier day had grown as evenly, and went on until nearly all of it ended at once.
    fn was_reset(&self, figures: &Figures, hour: u32, long: u32) -> bool {
        let base = figures.open_before;
        // Blocks are coarse, and it may end at this very hour.
        let from = self.edge(hour).saturating_sub(2);
        let until = self.edge(figures.begin);
        let end = (from..until).find(|&at| {
            let after = self.open[at + 1].min(self.open[(at + 2).min(until)]);
            let grown = self.open[at] - base;
            grown >= NET_MIN && (self.open[at] - after) as f64 >= RESET_SHARE * grown as f64
        });
        let begin = self.edge(hour.saturating_sub(long));
        end.is_some_and(|end| self.is_even(begin, end))
    }

    /// Each quarter of these blocks grew, as those of a leak do.
    fn is_even(&self, begin: usize, end: usize) -> bool {
        let blocks = end.saturating_sub(begin);
        if blocks < QUARTERS {
            return false;
        }
        let net = self.open[end] - self.open[begin];
        (0..QUARTERS).all(|n| {
            let edge = |n: usize| self.open[begin + blocks * n / QUARTERS];
            let is_last = n + 1 == QUARTERS;
            let share = if is_last { LAST_SHARE } else { QUARTER_SHARE };
            (edge(n + 1) - edge(n)) as f64 >= share * net as f64
        }) && net >= NET_MIN
    }

    /// When the first session opened of those that have been open since this slot.
    fn first_ms(&self, begin: u32) -> i64 {
        let begin_of = |block: &Slot| i64::from(block.begin) * SLOT_MS;
        let mut blocks = self.blocks[self.edge(begin)..].iter();
        let first = blocks.find_map(|block| Some(begin_of(block) + block.first_ms()?));
        first.unwrap_or(i64::from(begin) * SLOT_MS)
    }

    /// It begins when the first was added: as long as there are no more open than before it has not begun.
    fn trim(&self, figures: &mut Figures) {
        let first = self.edge(figures.begin);
        let quarter = first..self.quarter(first, 1);
        let begin = quarter
            .rev()
            .find(|&at| self.open[at] <= figures.open_before);
        if let Some(begin) = begin {
            figures.begin = self.blocks[begin].begin;
        }
    }
}
