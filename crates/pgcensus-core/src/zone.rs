//! Zones: wall times of a log become instants ([`LogClock`]), instants become text ([`DisplayZone`]).
//!
//! ```text
//! 2026-10-25 02:30:00 CEST ─LogClock─► Instant ─DisplayZone─► 2026-10-25T02:30:00.000+02:00
//! ```
//!
//! Offsets are seconds east of UTC throughout. Which zone to show, and what the operator's own times
//! mean, is the program's affair.

mod abbreviation;
mod bucket;
mod civil;
mod daylight;
mod log_clock;

use std::fmt::Write as _;

use jiff::tz::TimeZone;

pub use abbreviation::numeric_offset_s;
pub use bucket::{bucket_end, bucket_start};
pub use civil::Civil;
pub use daylight::display_zone;
pub use log_clock::{LogClock, LogZone};

use crate::instant::Instant;

/// Milliseconds in a day of 24 hours.
const DAY_MS: i64 = 86_400_000;

/// The zone in which instants are shown and the operator's times are meant.
#[derive(Clone, Debug)]
pub enum DisplayZone {
    /// The log's own.
    Log(LogZone),
    /// The one that the operator asked for.
    Zone(TimeZone),
}

/// UTC.
impl Default for DisplayZone {
    fn default() -> Self {
        DisplayZone::Log(LogZone::default())
    }
}

/// How much of a time [`DisplayZone::short`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// `23 Nov 2026` instead of `23 Nov`.
    pub year: bool,
    /// `03:03:11` instead of `03:03`.
    pub seconds: bool,
    /// ` UTC` at the end.
    pub zone: bool,
}

/// `23 Nov 03:03:11 UTC`
impl Default for Precision {
    fn default() -> Self {
        Precision {
            year: false,
            seconds: true,
            zone: true,
        }
    }
}

impl DisplayZone {
    /// Seconds east of UTC at that instant.
    pub fn offset_s(&self, at: Instant) -> i32 {
        match self {
            DisplayZone::Log(zone) => zone.offset_s(at),
            DisplayZone::Zone(zone) => offset_s(zone, at),
        }
    }

    /// What a clock shows at that instant: `UTC`, `CET`, `+0545`.
    pub fn abbreviation(&self, at: Instant) -> String {
        match self {
            DisplayZone::Log(zone) => zone.abbreviation(at),
            DisplayZone::Zone(zone) => abbreviation_of(zone, at),
        }
    }

    /// `2026-11-23T03:02:14.120+01:00`: milliseconds always, `+00:00` for UTC.
    pub fn rfc3339(&self, at: Instant) -> String {
        self.rfc3339_bytes(at).into_iter().map(char::from).collect()
    }

    /// Appends [`rfc3339`](Self::rfc3339) without allocating more than `out` needs to grow.
    pub fn write_rfc3339(&self, at: Instant, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.rfc3339_bytes(at));
    }

    /// `23 Nov 03:03:11 UTC`, for people.
    pub fn short(&self, at: Instant, precision: Precision) -> String {
        let civil = self.civil(at);
        let mut text = format!("{} {}", civil.day, civil.month_name());
        if precision.year {
            let _ = write!(text, " {:04}", civil.year);
        }
        let _ = write!(text, " {:02}:{:02}", civil.hour, civil.minute);
        if precision.seconds {
            let _ = write!(text, ":{:02}", civil.second);
        }
        if precision.zone {
            let _ = write!(text, " {}", self.abbreviation(at));
        }
        text
    }

    /// Date and time of day on the wall at that instant.
    pub fn civil(&self, at: Instant) -> Civil {
        Civil::from_wall_ms(self.wall_ms(at))
    }

    /// Milliseconds from `1970-01-01 00:00:00` on the wall to what it shows at that instant.
    pub fn wall_ms(&self, at: Instant) -> i64 {
        at.0.saturating_add(i64::from(self.offset_s(at)) * 1000)
    }

    /// The first instant of the local day.
    pub fn midnight(&self, at: Instant) -> Instant {
        let wall_ms = self.wall_ms(at);
        self.from_wall_ms(wall_ms.saturating_sub(wall_ms.rem_euclid(DAY_MS)))
            .min(at)
    }

    /// The instant at which the wall shows this; the earlier one in the hour that a change of
    /// offset repeats, and as much later as the skipped hour is long inside that. `None` for a date that
    /// does not exist. `weekday` is not looked at.
    pub fn from_civil(&self, civil: Civil) -> Option<Instant> {
        Some(self.from_wall_ms(civil.wall_ms()?))
    }

    /// [`from_civil`](Self::from_civil) of [`Civil::wall_ms`].
    pub fn from_wall_ms(&self, wall_ms: i64) -> Instant {
        self.readings(wall_ms).0
    }

    /// The two instants at which the wall shows this in a repeated hour, the earlier first; else
    /// twice the one of [`from_wall_ms`](Self::from_wall_ms).
    pub fn readings(&self, wall_ms: i64) -> (Instant, Instant) {
        readings(|at| self.offset_s(at), wall_ms)
    }

    /// Seconds east of UTC of a zone as an operator writes it: an abbreviation of this zone at that wall
    /// time (or half a year from it), else a numeric offset, else one of PostgreSQL's default set.
    /// `None` for others.
    pub fn offset_named(&self, text: &str, wall_ms: i64) -> Option<i32> {
        for days in [0, -183, 183] {
            let (earlier, later) = self.readings(wall_ms.saturating_add(days * DAY_MS));
            for at in [earlier, later] {
                if self.abbreviation(at).eq_ignore_ascii_case(text) {
                    return Some(self.offset_s(at));
                }
            }
        }
        log_clock::default_offset_s(text.as_bytes(), wall_ms)
    }

    fn rfc3339_bytes(&self, at: Instant) -> [u8; 29] {
        // RFC 3339 has no seconds in offsets, which zones of the nineteenth century have.
        let offset_min = i64::from(self.offset_s(at) / 60);
        let civil = Civil::from_wall_ms(at.0.saturating_add(offset_min * 60_000));
        let mut text = *b"0000-00-00T00:00:00.000+00:00";
        put(&mut text[0..4], civil.year as u64);
        put(&mut text[5..7], u64::from(civil.month));
        put(&mut text[8..10], u64::from(civil.day));
        put(&mut text[11..13], u64::from(civil.hour));
        put(&mut text[14..16], u64::from(civil.minute));
        put(&mut text[17..19], u64::from(civil.second));
        put(&mut text[20..23], u64::from(civil.ms));
        if offset_min < 0 {
            text[23] = b'-';
        }
        put(&mut text[24..26], offset_min.unsigned_abs() / 60);
        put(&mut text[27..29], offset_min.unsigned_abs() % 60);
        text
    }
}

/// Writes `value` with as many digits as `digits` is long.
fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// See [`DisplayZone::readings`]. How it works: a day before and a day after are surely on both sides
/// of a change; a reading with the offset of one side holds if that offset is in force there. Presumes
/// that no two changes lie within two days of each other.
fn readings(offset_s: impl Fn(Instant) -> i32, wall_ms: i64) -> (Instant, Instant) {
    let before_s = offset_s(Instant(wall_ms.saturating_sub(DAY_MS)));
    let after_s = offset_s(Instant(wall_ms.saturating_add(DAY_MS)));
    let before = Instant(wall_ms.saturating_sub(i64::from(before_s) * 1000));
    if before_s == after_s {
        return (before, before);
    }
    let after = Instant(wall_ms.saturating_sub(i64::from(after_s) * 1000));
    match (offset_s(before) == before_s, offset_s(after) == after_s) {
        (true, true) => (before, after),
        (false, true) => (after, after),
        // Only before; or neither, in a skipped hour, where the offset before makes it later.
        (_, false) => (before, before),
    }
}

fn offset_s(zone: &TimeZone, at: Instant) -> i32 {
    zone.to_offset(civil::timestamp(at.0)).seconds()
}

fn abbreviation_of(zone: &TimeZone, at: Instant) -> String {
    let info = zone.to_offset_info(civil::timestamp(at.0));
    // A fixed offset names itself `+05:30`; PostgreSQL would say `+0530`.
    info.abbreviation().replace(':', "")
}

#[cfg(test)]
mod tests;
