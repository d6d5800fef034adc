//! Clock-aligned buckets: where the stretch of a history that holds an instant begins and ends.
//!
//! Buckets follow the wall: `6h` ends at 06:00 on the day of a change too, five or seven hours after
//! midnight, and `1d` has 23, 24 or 25 hours. A bucket that fits into the repeated hour occurs twice,
//! since `02:15 CEST` and `02:15 CET` are different times.

use super::{DAY_MS, DisplayZone};
use crate::instant::Instant;

/// The first instant of the bucket that holds `at`.
///
/// Buckets that divide a day begin at local midnight; whole days too, several of them counted from a
/// Monday (`1w` begins on Monday); others are counted from the epoch. `bucket_s` 0 is taken as 1.
pub fn bucket_start(zone: &DisplayZone, bucket_s: u64, at: Instant) -> Instant {
    match Alignment::of(bucket_s) {
        Alignment::Clock(length_ms) => {
            let into_ms = zone.wall_ms(at).rem_euclid(length_ms);
            let start = at.plus_ms(-into_ms);
            if zone.offset_s(start) == zone.offset_s(at) {
                return start;
            }
            // The offset changed inside the bucket: the wall began it under the earlier one.
            let on_wall = zone.from_wall_ms(zone.wall_ms(at).saturating_sub(into_ms));
            if on_wall > at { start } else { on_wall }
        }
        Alignment::Days(days) => day_start(zone, days, at, 0),
        Alignment::Epoch(length_ms) => at.plus_ms(-at.0.rem_euclid(length_ms)),
    }
}

/// The first instant of the bucket after the one that holds `at`.
pub fn bucket_end(zone: &DisplayZone, bucket_s: u64, at: Instant) -> Instant {
    match Alignment::of(bucket_s) {
        Alignment::Clock(length_ms) => {
            let mut inside = at;
            // The next full mark of the clock can still lie in the same bucket where an hour is
            // repeated; the one after does not.
            for _ in 0..4 {
                inside = inside.plus_ms(length_ms - zone.wall_ms(inside).rem_euclid(length_ms));
                let start = bucket_start(zone, bucket_s, inside);
                if start > at {
                    return start;
                }
            }
            inside
        }
        // Where a zone left out or repeated a whole day, the next start need not be later.
        Alignment::Days(days) => (1..=3)
            .map(|n| day_start(zone, days, at, n * days))
            .find(|&start| start > at)
            .unwrap_or_else(|| at.plus_ms(days * DAY_MS)),
        Alignment::Epoch(length_ms) => at.plus_ms(length_ms - at.0.rem_euclid(length_ms)),
    }
}

/// What the starts of buckets are aligned to; milliseconds or days of one bucket.
enum Alignment {
    Clock(i64),
    Days(i64),
    Epoch(i64),
}

impl Alignment {
    fn of(bucket_s: u64) -> Alignment {
        // Ten thousand years are longer than any log.
        let length_ms = bucket_s.clamp(1, 315_360_000_000) as i64 * 1000;
        match (DAY_MS % length_ms, length_ms % DAY_MS) {
            (_, 0) => Alignment::Days(length_ms / DAY_MS),
            (0, _) => Alignment::Clock(length_ms),
            _ => Alignment::Epoch(length_ms),
        }
    }
}

/// Local midnight of the first day of the `days` that hold `at`, and `later` days after it.
fn day_start(zone: &DisplayZone, days: i64, at: Instant, later: i64) -> Instant {
    let day = zone.wall_ms(at).div_euclid(DAY_MS);
    // 1970-01-01 was a Thursday.
    let first = day - (day + 3).rem_euclid(days);
    let start = zone.from_wall_ms((first + later).saturating_mul(DAY_MS));
    if later == 0 { start.min(at) } else { start }
}
