//! Civil time: what a clock on the wall shows.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// A date and a time of day, in no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Civil {
    /// 0 to 9999.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999.
    pub ms: u16,
    /// Monday is 0, Sunday 6.
    pub weekday: u8,
}

/// `0000-01-01 00:00:00` and `9999-12-30 00:00:00`: what four digits of a year can say, less a day
/// for the zone.
pub(super) const WALL_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_128_000_000;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl Civil {
    /// The civil time that is `wall_ms` milliseconds after `1970-01-01 00:00:00` on the same wall;
    /// the nearest one there is, where that is outside the years 0 to 9999.
    pub fn from_wall_ms(wall_ms: i64) -> Civil {
        let time = Offset::UTC.to_datetime(timestamp(wall_ms));
        Civil {
            year: time.year(),
            month: time.month() as u8,
            day: time.day() as u8,
            hour: time.hour() as u8,
            minute: time.minute() as u8,
            second: time.second() as u8,
            ms: time.millisecond() as u16,
            weekday: time.weekday().to_monday_zero_offset() as u8,
        }
    }

    /// Milliseconds from `1970-01-01 00:00:00` on the same wall; `weekday` is not looked at. `None` for
    /// a date or time that does not exist (30 February, 24:00).
    pub fn wall_ms(self) -> Option<i64> {
        let date = Date::new(self.year, self.month as i8, self.day as i8).ok()?;
        let time = jiff::civil::Time::new(
            self.hour as i8,
            self.minute as i8,
            self.second as i8,
            i32::from(self.ms) * 1_000_000,
        )
        .ok()?;
        let time = Offset::UTC.to_timestamp(DateTime::from_parts(date, time));
        Some(time.ok()?.as_millisecond())
    }

    /// `Nov`
    pub fn month_name(self) -> &'static str {
        MONTHS[usize::from(self.month) - 1]
    }
}

/// The nearest timestamp of the years 0 to 9999.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms.clamp(*WALL_MS.start(), *WALL_MS.end()))
        .expect("years 0 to 9999 are timestamps")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_times_are_read_and_written_back() {
        for (wall_ms, year, month, day, hour, ms, weekday) in [
            (0, 1970, 1, 1, 0, 0, 3),
            (1_795_411_965_839, 2026, 11, 23, 5, 839, 0),
            (-1, 1969, 12, 31, 23, 999, 2),
            (951_782_400_000, 2000, 2, 29, 0, 0, 1),
        ] {
            let civil = Civil::from_wall_ms(wall_ms);
            assert_eq!(
                (civil.year, civil.month, civil.day, civil.hour, civil.ms),
                (year, month, day, hour, ms)
            );
            assert_eq!(civil.weekday, weekday);
            assert_eq!(civil.wall_ms(), Some(wall_ms));
        }
        let february = Civil {
            month: 2,
            day: 30,
            ..Civil::from_wall_ms(0)
        };
        assert_eq!(february.wall_ms(), None);
        assert_eq!(Civil::from_wall_ms(i64::MAX).year, 9999);
        assert_eq!(Civil::from_wall_ms(i64::MIN).year, 0);
    }
}
