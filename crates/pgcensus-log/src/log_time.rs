//! Timestamps as the server spells them: `2026-11-23 05:32:45.839 UTC` (`%m`), the same without
//! milliseconds (`%t`, `%s`), and `1795411965.839` (`%n`).
//!
//! Wall time and zone text only; `pgcensus-core` makes instants of them, since that needs a table of
//! zone abbreviations or a time zone database.

use crate::near::Short;

/// A log time: what the clock on the server's wall showed, and the zone that it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTime<T> {
    /// Milliseconds between `1970-01-01 00:00:00` and the printed wall time, zones ignored;
    /// for [`Zone::Epoch`] true milliseconds since the epoch.
    pub wall_ms: i64,
    /// The zone that was printed.
    pub zone: Zone<T>,
}

/// The zone of a [`LogTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone<T> {
    /// `%n`: the number needs no zone.
    Epoch,
    /// An abbreviation (`CET`) or a numeric offset (`+0545`, `-03`), as printed.
    Named(T),
}

impl<T> LogTime<T> {
    /// The same time with its zone text turned into another form.
    #[inline]
    pub fn map<U>(self, text: impl FnOnce(T) -> U) -> LogTime<U> {
        LogTime {
            wall_ms: self.wall_ms,
            zone: match self.zone {
                Zone::Epoch => Zone::Epoch,
                Zone::Named(zone) => Zone::Named(text(zone)),
            },
        }
    }
}

impl LogTime<Box<[u8]>> {
    /// The same time with its zone text borrowed.
    pub fn as_deref(&self) -> LogTime<&[u8]> {
        LogTime {
            wall_ms: self.wall_ms,
            zone: match &self.zone {
                Zone::Epoch => Zone::Epoch,
                Zone::Named(zone) => Zone::Named(zone),
            },
        }
    }
}

/// Reads `%m` or `%t` at the start of `text`: the time and the bytes that it took.
///
/// The zone is one space and then the longest run of letters, digits, `+`, `-`, `:`, `<`, `>`, `_`, `/`
/// that begins with a letter, `+`, `-` or `<`; at most 40 bytes. PostgreSQL prints an abbreviation
/// (`UTC`, `CEST`) or, for zones without one, a numeric offset (`-03`, `+0545`). `None` where no
/// such time stands. Ends of prefixes such as `%t-%c-` make the run ambiguous; a `zone_end` byte
/// (the first byte of the literal that follows in the prefix) then ends it, but not as its first byte.
pub fn read(text: &[u8], zone_end: Option<u8>) -> Option<(LogTime<&[u8]>, usize)> {
    read_after(&mut Minute::default(), text, zone_end)
}

/// [`read`] for times in a row.
pub(crate) fn read_after<'c>(
    minute: &mut Minute,
    text: &'c [u8],
    zone_end: Option<u8>,
) -> Option<(LogTime<&'c [u8]>, usize)> {
    let (wall_ms, len) = minute.read_wall(text)?;
    if minute.zone_len > 0 && minute.zone_end == zone_end && minute.zone.begins(&text[len..]) {
        let zone = &text[len + 1..=len + minute.zone_len];
        let zone = Zone::Named(zone);
        return Some((LogTime { wall_ms, zone }, len + 1 + minute.zone_len));
    }
    let zone = text[len..].strip_prefix(b" ")?;
    let begins = |b: u8| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'-' | b'<');
    if !begins(*zone.first()?) {
        return None;
    }
    let ends = |&b: &u8| !IS_ZONE[usize::from(b)] || Some(b) == zone_end;
    let rest = &zone[1..zone.len().min(40)];
    let n = 1 + rest.iter().position(ends).unwrap_or(rest.len());
    let zone = &zone[..n];
    // `%t:` leaves a colon that no zone ends with.
    let zone = zone.strip_suffix(b":").unwrap_or(zone);
    if zone.len() == n
        && let Some(known) = text.get(len..len + n + 2).and_then(Short::new)
    {
        (minute.zone, minute.zone_len, minute.zone_end) = (known, n, zone_end);
    }
    Some((
        LogTime {
            wall_ms,
            zone: Zone::Named(zone),
        },
        len + 1 + zone.len(),
    ))
}

/// Bytes that a zone may have after its first.
static IS_ZONE: [bool; 256] = {
    let mut is_zone = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        is_zone[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'-' | b':' | b'<' | b'>' | b'_' | b'/');
        byte += 1;
    }
    is_zone
};

/// Reads `YYYY-MM-DD HH:MM:SS[.mmm]`: wall milliseconds and the bytes that it took (19 or 23).
pub fn read_wall(text: &[u8]) -> Option<(i64, usize)> {
    Minute::default().read_wall(text)
}

/// The minute of the time that was read last, and its zone: nearly always the next one has the same, and of that only the seconds
/// are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    /// `YYYY-MM-DD HH:MM`, and what it says.
    known: Option<([u8; 16], i64)>,
    /// What stood behind it, ` UTC,`, and how long the zone in it is.
    zone: Short,
    zone_len: usize,
    zone_end: Option<u8>,
}

impl Minute {
    #[inline(always)]
    pub(crate) fn read_wall(&mut self, text: &[u8]) -> Option<(i64, usize)> {
        if let Some((minute, rest)) = text.split_first_chunk()
            && let Some((known, minute_ms)) = &self.known
            && minute == known
            && let Some((ms, len)) = rest.first_chunk().and_then(|text| seconds_and_ms(*text))
        {
            return Some((minute_ms + ms, 16 + len));
        }
        self.read_other_wall(text)
    }

    fn read_other_wall(&mut self, text: &[u8]) -> Option<(i64, usize)> {
        let minute: &[u8; 16] = text.first_chunk()?;
        let minute_ms = match self.known {
            Some((text, minute_ms)) if text == *minute => minute_ms,
            _ => {
                let minute_ms = read_minute(minute)?;
                self.known = Some((*minute, minute_ms));
                minute_ms
            }
        };
        let rest = &text[16..];
        if let Some((ms, len)) = rest.first_chunk().and_then(|text| seconds_and_ms(*text)) {
            return Some((minute_ms + ms, 16 + len));
        }
        let &[b':', s1, s0] = rest.first_chunk()? else {
            return None;
        };
        let second = digit(s1)? * 10 + digit(s0)?;
        if second > 60 {
            return None;
        }
        let wall_ms = minute_ms + second * 1000;
        let ms = match rest.get(3..7) {
            Some(&[b'.', a, b, c]) => milliseconds([a, b, c]),
            _ => None,
        };
        Some(ms.map_or((wall_ms, 19), |ms| (wall_ms + ms, 23)))
    }
}

/// `:SS.mmm` and another byte: milliseconds, and the length of 7. All digits are checked at once.
#[inline(always)]
pub(crate) fn seconds_and_ms(text: [u8; 8]) -> Option<(i64, usize)> {
    let word = u64::from_le_bytes(text) ^ u64::from_le_bytes(*b":00.000\0");
    let over = (word.wrapping_add(0x0076_7676_0076_7600) | word) & 0x0080_8080_0080_8000;
    if over != 0 || word & 0x0000_0000_ff00_00ff != 0 {
        return None;
    }
    let digit = |place: u32| (word >> (8 * place) & 0xf) as i64;
    let second = digit(1) * 10 + digit(2);
    let ms = digit(4) * 100 + digit(5) * 10 + digit(6);
    (second <= 60).then_some((second * 1000 + ms, 7))
}

fn milliseconds([a, b, c]: [u8; 3]) -> Option<i64> {
    Some(digit(a)? * 100 + digit(b)? * 10 + digit(c)?)
}

/// `YYYY-MM-DD HH:MM` as wall milliseconds.
fn read_minute(t: &[u8; 16]) -> Option<i64> {
    if t[4] != b'-' || t[7] != b'-' || t[10] != b' ' || t[13] != b':' {
        return None;
    }
    let two = |i: usize| Some(digit(t[i])? * 10 + digit(t[i + 1])?);
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute) = (two(11)?, two(14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 24 || minute > 59 {
        return None;
    }
    Some((days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60) * 1000)
}

/// Reads `%n` at the start of `text`, `1795411965.839`: the time and the bytes that it took.
pub fn read_epoch(text: &[u8]) -> Option<(LogTime<&[u8]>, usize)> {
    let dot = text
        .iter()
        .take(13)
        .position(|&b| b == b'.')
        .filter(|&dot| dot >= 9)?;
    let mut ms = 0;
    for &b in text[..dot].iter().chain(text.get(dot + 1..dot + 4)?) {
        ms = ms * 10 + digit(b)?;
    }
    Some((
        LogTime {
            wall_ms: ms,
            zone: Zone::Epoch,
        },
        dot + 4,
    ))
}

fn digit(b: u8) -> Option<i64> {
    b.is_ascii_digit().then(|| i64::from(b - b'0'))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
pub(crate) fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_form_are_read() {
        let ms = 1_795_411_965_839;
        for (text, zone_end, wall, zone, len) in [
            ("2026-11-23 05:32:45.839 UTC [1]", None, ms, "UTC", 27),
            ("2026-11-23 05:32:45 CEST", None, ms - 839, "CEST", 24),
            (
                "2026-11-23 05:32:45 UTC:[local]:",
                None,
                ms - 839,
                "UTC",
                23,
            ),
            (
                "2026-11-23 05:32:45 -03-6b03.1-",
                Some(b'-'),
                ms - 839,
                "-03",
                23,
            ),
            (
                "2026-11-23 05:32:45 UTC-6b03.1-",
                Some(b'-'),
                ms - 839,
                "UTC",
                23,
            ),
            ("2026-11-23 05:32:45 +0545,", None, ms - 839, "+0545", 25),
        ] {
            let (time, n) = read(text.as_bytes(), zone_end).expect(text);
            assert_eq!(
                (time.wall_ms, time.zone, n),
                (wall, Zone::Named(zone.as_bytes()), len),
                "{text}"
            );
        }
        assert_eq!(read_epoch(b"1795411965.839 x").unwrap().0.wall_ms, ms);
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "2026-11-23",
            "2026-13-23 05:32:45 UTC",
            "2026-11-23T05:32:45 UTC",
            "2026-11-23 05:32:45",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0:00.000 UTC",
            "x",
        ] {
            assert_eq!(read(text.as_bytes(), None), None, "{text}");
        }
        assert_eq!(read_epoch(b"12.5"), None);
    }

    #[test]
    fn one_wrong_byte_anywhere_is_seen() {
        let time = b"2026-11-23 05:32:45";
        let mut minute = Minute::default();
        assert!(minute.read_wall(time).is_some());
        for place in 0..time.len() {
            for byte in 0..=u8::MAX {
                let mut wrong = *time;
                wrong[place] = byte;
                let may_stand = if time[place].is_ascii_digit() {
                    byte.is_ascii_digit()
                } else {
                    byte == time[place]
                };
                assert!(may_stand || minute.read_wall(&wrong).is_none(), "{wrong:?}");
                assert_eq!(minute.read_wall(&wrong), read_wall(&wrong), "{wrong:?}");
            }
        }
    }

    #[test]
    fn leap_days_and_centuries_are_counted() {
        for (y, m, d, days) in [
            (1970, 1, 1, 0),
            (2000, 2, 29, 11_016),
            (2026, 11, 23, 20_780),
            (1969, 12, 31, -1),
        ] {
            assert_eq!(days_since_epoch(y, m, d), days);
        }
    }
}
