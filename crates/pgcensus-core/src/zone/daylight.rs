//! Zones that change their clocks, known by the two abbreviations of a log.

use jiff::tz::TimeZone;

use super::{DisplayZone, LogZone};
use crate::instant::Instant;

/// Winter, summer, and a zone with these abbreviations whose clocks change when those of all zones with
/// them do (in the European Union, in the United States and Canada …), of late.
const PAIRS: &[(&str, &str, &str)] = &[
    ("CET", "CEST", "Europe/Berlin"),
    ("EET", "EEST", "Europe/Athens"),
    ("WET", "WEST", "Europe/Lisbon"),
    ("GMT", "BST", "Europe/London"),
    ("GMT", "IST", "Europe/Dublin"),
    ("EST", "EDT", "America/New_York"),
    ("CST", "CDT", "America/Chicago"),
    ("MST", "MDT", "America/Denver"),
    ("PST", "PDT", "America/Los_Angeles"),
    ("AKST", "AKDT", "America/Anchorage"),
    ("AST", "ADT", "America/Halifax"),
    ("NST", "NDT", "America/St_Johns"),
    ("AEST", "AEDT", "Australia/Sydney"),
    ("ACST", "ACDT", "Australia/Adelaide"),
    ("NZST", "NZDT", "Pacific/Auckland"),
    ("IST", "IDT", "Asia/Jerusalem"),
];

/// The zone in which the times of a log are shown that begins and ends at these instants: where its clocks
/// were changed in between, one that knows when; else what was observed.
pub fn display_zone(observed: LogZone, first: Instant, last: Instant) -> DisplayZone {
    let (a, b) = (observed.abbreviation(first), observed.abbreviation(last));
    let fits = |zone: &TimeZone| {
        let zone = DisplayZone::Zone(zone.clone());
        [first, last]
            .into_iter()
            .all(|at| zone.offset_s(at) == observed.offset_s(at))
    };
    let pairs = PAIRS.iter().filter(|(winter, summer, _)| {
        (a == *winter && b == *summer) || (a == *summer && b == *winter)
    });
    let zone = pairs
        .filter_map(|(.., name)| TimeZone::get(name).ok())
        .find(fits);
    zone.map_or(DisplayZone::Log(observed), DisplayZone::Zone)
}

#[cfg(test)]
mod tests {
    use pgcensus_log::log_time;

    use super::super::LogClock;
    use super::*;

    #[test]
    fn a_log_across_a_change_of_clocks_is_shown_by_its_zone() {
        for (first, last, between, offset_s) in [
            // The night of 25 October 2026: at 01:00 UTC the clocks of Berlin go back.
            (
                "2026-10-23 12:00:00 CEST",
                "2026-10-28 12:00:00 CET",
                1_792_890_000_000,
                3600,
            ),
            (
                "2026-10-23 12:00:00 CEST",
                "2026-10-28 12:00:00 CET",
                1_792_889_999_000,
                7200,
            ),
            // 8 March 2026, 07:00 UTC: New York.
            (
                "2026-03-01 12:00:00 EST",
                "2026-03-20 12:00:00 EDT",
                1_772_953_200_000,
                -4 * 3600,
            ),
            (
                "2026-03-01 12:00:00 EST",
                "2026-03-20 12:00:00 EDT",
                1_772_953_199_000,
                -5 * 3600,
            ),
            // Without a change there is nothing to know.
            (
                "2026-03-01 12:00:00 CET",
                "2026-03-20 12:00:00 CET",
                1_780_000_000_000,
                3600,
            ),
        ] {
            let mut clock = LogClock::new(None);
            let mut instant = |text: &str| {
                let (time, _) = log_time::read(text.as_bytes(), None).expect("a time");
                clock.instant(time)
            };
            let (first_at, last_at) = (instant(first), instant(last));
            let zone = display_zone(clock.log_zone(), first_at, last_at);
            assert_eq!(
                zone.offset_s(Instant(between)),
                offset_s,
                "{first} {last} {between}"
            );
        }
    }
}
