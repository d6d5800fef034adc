//! The zone in which times are shown. A stand-in that knows UTC alone.

use crate::instant::Instant;

/// The zone in which times are shown.
#[derive(Clone, Debug, Default)]
pub struct DisplayZone(());

/// A time as a calendar and a clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 2025
    pub year: i16,
    /// 1 to 12
    pub month: i8,
    /// 1 to 31
    pub day: i8,
    /// 0 to 23
    pub hour: i8,
    /// 0 to 59
    pub minute: i8,
    /// 0 to 59
    pub second: i8,
    /// 0 to 999
    pub ms: i16,
    /// 1 is Monday
    pub weekday: i8,
}

impl DisplayZone {
    /// Seconds east of UTC at that instant.
    pub fn offset_s(&self, _at: Instant) -> i32 {
        0
    }

    /// `UTC`
    pub fn abbreviation(&self, _at: Instant) -> String {
        "UTC".to_owned()
    }

    /// `2025-11-23T02:40:58.120+00:00`
    pub fn rfc3339(&self, at: Instant) -> String {
        let mut out = Vec::new();
        self.write_rfc3339(at, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The same, appended.
    pub fn write_rfc3339(&self, at: Instant, out: &mut Vec<u8>) {
        let civil = self.civil(at);
        let text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+00:00",
            civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second, civil.ms
        );
        out.extend_from_slice(text.as_bytes());
    }

    /// Calendar and clock at that instant.
    pub fn civil(&self, at: Instant) -> Civil {
        let time = jiff::Timestamp::from_millisecond(at.0)
            .unwrap_or_default()
            .to_zoned(jiff::tz::TimeZone::UTC);
        Civil {
            year: time.year(),
            month: time.month(),
            day: time.day(),
            hour: time.hour(),
            minute: time.minute(),
            second: time.second(),
            ms: time.millisecond(),
            weekday: time.weekday().to_monday_one_offset(),
        }
    }
}
