//! The time stamps of envelopes, and writing one as the server would have written `%m`.
//!
//! ```text
//! Nov 23 05:16:38                    RFC 3164: no year and no zone
//! Nov 23 2026 05:16:38               the same with a year, as routers and some daemons write it; also before the month
//! Nov 23 05:16:38 PM                 Render
//! 2026-11-23T05:16:38.743336+00:00   RFC 3339, also `Z`, `+0000`, and no fraction
//! 1795411965839                      milliseconds, or microseconds, or seconds, since the epoch
//! ```

use crate::log_time::{self, Minute};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// What stands for a zone that the stamp does not name: no zone has such a name, so that `--log-timezone` decides, and
/// without it UTC, which is said.
const NO_ZONE: &[u8] = b"local";

/// When an entry was written, as its envelope says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Milliseconds between `1970-01-01 00:00:00` and the wall time.
    pub(super) wall_ms: i64,
    /// Minutes by which the wall is ahead of UTC; `None` where the stamp names no zone.
    offset_min: Option<i64>,
}

/// A day near the end of a log, for stamps without a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// `2026`
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
}

impl Stamp {
    pub(super) fn utc(ms: i64) -> Stamp {
        Stamp {
            wall_ms: ms,
            offset_min: Some(0),
        }
    }

    /// A number of seconds, milliseconds, microseconds or nanoseconds since the epoch: told by its size, since no log is
    /// from before 2001.
    pub(super) fn epoch(number: i64) -> Stamp {
        const E9: i64 = 1_000_000_000;
        Stamp::utc(if number < 100 * E9 {
            number.saturating_mul(1000)
        } else if number < 100_000 * E9 {
            number
        } else if number < 100_000_000 * E9 {
            number / 1000
        } else {
            number / 1_000_000
        })
    }

    /// Reads `2026-11-23T05:16:38[.743336](Z|+00:00|+0000)` at the start of `text`: the stamp and its length.
    pub(super) fn read_iso(text: &[u8]) -> Option<(Stamp, usize)> {
        Stamp::read_iso_after(&mut Minute::default(), text)
    }

    fn read_iso_after(minute: &mut Minute, text: &[u8]) -> Option<(Stamp, usize)> {
        let mut wall: [u8; 19] = *text.first_chunk()?;
        if wall[10] != b'T' {
            return None;
        }
        wall[10] = b' ';
        let (mut wall_ms, _) = minute.read_wall(&wall)?;
        let mut at = 19;
        if matches!(text.get(at), Some(b'.' | b',')) {
            let (ms, digits) = fraction(&text[at + 1..]);
            if digits == 0 {
                return None;
            }
            wall_ms += ms;
            at += 1 + digits;
        }
        let (offset_min, len) = match text.get(at)? {
            b'Z' => (0, 1),
            sign @ (b'+' | b'-') => {
                let rest = &text[at + 1..];
                let hours = two(rest)?;
                let (minutes, len) = match rest.get(2) {
                    Some(b':') => (two(&rest[3..])?, 6),
                    Some(b'0'..=b'9') => (two(&rest[2..])?, 5),
                    _ => (0, 3),
                };
                let offset = hours * 60 + minutes;
                (if *sign == b'-' { -offset } else { offset }, len)
            }
            _ => return None,
        };
        let offset_min = Some(offset_min);
        Some((
            Stamp {
                wall_ms,
                offset_min,
            },
            at + len,
        ))
    }

    /// The same of a clock of twelve hours: `rest`, which follows it, begins with ` AM ` or ` PM `, see the result's length.
    pub(super) fn of_half(self, rest: &[u8]) -> (Stamp, usize) {
        const HALF: i64 = 12 * 60 * MINUTE_MS;
        let begin = self.wall_ms - self.wall_ms.rem_euclid(DAY_MS);
        let of_half = self.wall_ms.rem_euclid(HALF);
        let wall_ms = match rest.first_chunk() {
            Some(b" AM ") => begin + of_half,
            Some(b" PM ") => begin + HALF + of_half,
            _ => return (self, 0),
        };
        (Stamp { wall_ms, ..self }, 4)
    }

    /// What orders stamps.
    pub(super) fn instant_ms(self) -> i64 {
        self.wall_ms - self.offset_min.unwrap_or(0) * MINUTE_MS
    }

    /// Writes it as `%m` does: `2026-11-23 05:16:38.743 UTC`, with `+02` or `+0545` where that is the zone.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        // No server prints a year past four digits.
        let ms = self.wall_ms.clamp(0, 253_402_300_799_999);
        let (year, month, day) = civil(ms / DAY_MS);
        let of_day = ms % DAY_MS;
        let mut number = |value: i64, width: u32, end: u8| {
            for place in (0..width).rev() {
                out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
            }
            out.push(end);
        };
        number(year, 4, b'-');
        number(month, 2, b'-');
        number(day, 2, b' ');
        number(of_day / 3_600_000, 2, b':');
        number(of_day / MINUTE_MS % 60, 2, b':');
        number(of_day / 1000 % 60, 2, b'.');
        number(of_day % 1000, 3, b' ');
        match self.offset_min {
            None => out.extend_from_slice(NO_ZONE),
            Some(0) => out.extend_from_slice(b"UTC"),
            Some(offset) => {
                out.push(if offset < 0 { b'-' } else { b'+' });
                let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
                let pair = |value: i64| [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
                out.extend(pair(hours));
                if minutes != 0 {
                    out.extend(pair(minutes));
                }
            }
        }
    }
}

/// The year of stamps that have none, in the order of the log.
///
/// The first stamp is at most a year before the end of the log. From there the year steps where December is followed
/// by January, and back for a line that is late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Years {
    end: Day,
    /// Year and month of the stamp before.
    before: Option<(i64, i64)>,
    /// Of the stamp before, if it has a year.
    minute: Minute,
}

impl Years {
    pub(super) fn before(end: Day) -> Years {
        Years {
            end,
            before: None,
            minute: Minute::default(),
        }
    }

    /// Reads a stamp with a year, see [`Stamp::read_iso`].
    pub(super) fn read_iso(&mut self, text: &[u8]) -> Option<(Stamp, usize)> {
        Stamp::read_iso_after(&mut self.minute, text)
    }

    /// Reads `Nov 23 05:16:38[.743336]` at the start of `text`, which may have a year: the stamp and its length.
    pub(super) fn read(&mut self, text: &[u8]) -> Option<(Stamp, usize)> {
        let Named {
            year,
            month,
            day,
            mut of_day,
            len,
        } = Named::read(text)?;
        let year = match self.before {
            _ if year.is_some() => year?,
            None => {
                // Clocks differ, and what was written last may be of tomorrow's zone.
                let is_past = (month, day) <= (self.end.month, self.end.day + 1);
                self.end.year - i64::from(!is_past && (month, day) != (self.end.month + 1, 1))
            }
            Some((year, before)) if month + 6 < before => year + 1,
            Some((year, before)) if month > before + 6 => year - 1,
            Some((year, _)) => year,
        };
        self.before = Some((year, month));
        let date = log_time::days_since_epoch(year, month, day);
        let mut at = len;
        if text.get(at) == Some(&b'.') {
            let (ms, digits) = fraction(&text[at + 1..]);
            of_day += ms;
            at += 1 + digits;
        }
        let wall_ms = date * DAY_MS + of_day;
        let offset_min = None;
        Some((
            Stamp {
                wall_ms,
                offset_min,
            },
            at,
        ))
    }
}

/// A stamp whose month has a name: `Nov 23 05:16:38`, `Nov  3 05:16:38`, `Nov 23 2026 05:16:38` or `2026 Nov 23 05:16:38`.
struct Named {
    year: Option<i64>,
    month: i64,
    day: i64,
    /// In milliseconds.
    of_day: i64,
    len: usize,
}

impl Named {
    fn read(text: &[u8]) -> Option<Named> {
        let (mut year, date) = match year_at(text) {
            Some(year) => (Some(year), &text[YEAR..]),
            None => (None, text),
        };
        let (month, day) = month_and_day(*date.first_chunk()?)?;
        let mut time = &date[DATE..];
        if year.is_none() {
            year = year_at(time);
            time = &time[year.map_or(0, |_| YEAR)..];
        }
        let clock: &[u8; 8] = time.first_chunk()?;
        let (hour, minute, second) = (two(clock)?, two(&clock[3..])?, two(&clock[6..])?);
        let is_time =
            clock[2] == b':' && clock[5] == b':' && hour < 24 && minute < 60 && second <= 60;
        is_time.then_some(Named {
            year,
            month,
            day,
            of_day: ((hour * 60 + minute) * 60 + second) * 1000,
            len: text.len() - time.len() + clock.len(),
        })
    }
}

/// The lengths of `2026 ` and `Nov 23 `.
const YEAR: usize = 5;
const DATE: usize = 7;

fn year_at(text: &[u8]) -> Option<i64> {
    let (digits, [b' ', ..]) = text.split_at_checked(YEAR - 1)? else {
        return None;
    };
    Some(two(digits)? * 100 + two(&digits[2..])?)
}

fn month_and_day(date: [u8; DATE]) -> Option<(i64, i64)> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS.chunks(3).position(|name| *name == date[..3])? as i64 + 1;
    let day = match date[4] {
        b' ' => i64::from(date[5].is_ascii_digit().then(|| date[5] - b'0')?),
        _ => two(&date[4..])?,
    };
    let is_date = date[3] == b' ' && date[6] == b' ' && (1..=31).contains(&day);
    is_date.then_some((month, day))
}

fn two(text: &[u8]) -> Option<i64> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => Some(i64::from((a - b'0') * 10 + (b - b'0'))),
        _ => None,
    }
}

/// The digits of a fraction of a second at the start of `text`: its milliseconds, and how many digits it has.
fn fraction(text: &[u8]) -> (i64, usize) {
    let digits = text.iter().take_while(|b| b.is_ascii_digit());
    let ms = digits.clone().zip([100, 10, 1]);
    let ms = ms.map(|(digit, unit)| i64::from(digit - b'0') * unit).sum();
    (ms, digits.count())
}

/// Year, month and day of so many days since 1970-01-01: the inverse of [`log_time::days_since_epoch`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stamp: Stamp) -> String {
        let mut out = Vec::new();
        stamp.write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn stamps_are_written_as_the_server_would() {
        for (text, len, written) in [
            (
                "2026-11-23T05:16:38.743336+00:00 db01",
                32,
                "2026-11-23 05:16:38.743 UTC",
            ),
            ("2026-02-28T23:59:59Z", 20, "2026-02-28 23:59:59.000 UTC"),
            (
                "2026-11-23T05:16:38+0545 x",
                24,
                "2026-11-23 05:16:38.000 +0545",
            ),
            (
                "2026-11-23T05:16:38.7-03:00",
                27,
                "2026-11-23 05:16:38.700 -03",
            ),
            (
                "2024-02-29T00:00:00,123456789+02",
                32,
                "2024-02-29 00:00:00.123 +02",
            ),
        ] {
            let (stamp, read) = Stamp::read_iso(text.as_bytes()).expect(text);
            assert_eq!((read, &*shown(stamp)), (len, written), "{text}");
        }
        for text in [
            "2026-11-23 05:16:38Z",
            "2026-11-23T05:16:38",
            "2026-13-23T05:16:38Z",
            "2026-11-23T05:16:38.Z",
            "",
        ] {
            assert_eq!(Stamp::read_iso(text.as_bytes()), None, "{text}");
        }
        for number in [
            1_795_411_965,
            1_795_411_965_000,
            1_795_411_965_000_000,
            1_795_411_965_000_000_000,
        ] {
            assert_eq!(shown(Stamp::epoch(number)), "2026-11-23 05:32:45.000 UTC");
        }
    }

    #[test]
    fn the_year_is_that_before_the_end_of_the_log_and_steps_at_new_year() {
        let end = Day {
            year: 2027,
            month: 1,
            day: 5,
        };
        let mut years = Years::before(end);
        for (text, written) in [
            ("Dec 30 23:59:58", "2026-12-30 23:59:58.000 local"),
            ("Dec 31 23:59:59.250", "2026-12-31 23:59:59.250 local"),
            ("Jan  1 00:00:00", "2027-01-01 00:00:00.000 local"),
            ("Dec 31 23:59:59", "2026-12-31 23:59:59.000 local"),
            ("Jan  5 10:00:00", "2027-01-05 10:00:00.000 local"),
            ("Feb 28 2024 10:00:00 x", "2024-02-28 10:00:00.000 local"),
            ("2025 Mar  1 10:00:00.5", "2025-03-01 10:00:00.500 local"),
        ] {
            let (stamp, _) = years.read(text.as_bytes()).expect(text);
            assert_eq!(shown(stamp), written, "{text}");
        }
        let (stamp, _) = Years::before(end)
            .read(b"Jan  6 10:00:00 ")
            .expect("a stamp");
        assert_eq!(shown(stamp), "2027-01-06 10:00:00.000 local");
        for text in [
            "Now 23 05:16:38",
            "Nov 23 202 05:16:38",
            "2026 Nov 23 2026 05:16:38",
        ] {
            assert!(Years::before(end).read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
