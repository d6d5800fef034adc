use jiff::tz::TimeZone;
use pgcensus_log::log_time::{self, LogTime, Zone};
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect(name)
}

fn shown_in(name: &str) -> DisplayZone {
    DisplayZone::Zone(zone(name))
}

/// `2026-11-23T03:02:14.120+01:00`
fn at(text: &str) -> Instant {
    let timestamp: jiff::Timestamp = text.parse().expect(text);
    Instant(timestamp.as_millisecond())
}

fn read(clock: &mut LogClock, text: &str) -> Instant {
    let (time, len) = log_time::read(text.as_bytes(), None).expect(text);
    assert_eq!(len, text.len(), "{text}");
    clock.instant(time)
}

#[test]
fn log_times_become_instants_without_a_log_timezone() {
    for (text, instant) in [
        ("2026-11-23 05:32:45.839 UTC", "2026-11-23T05:32:45.839Z"),
        ("2026-11-23 05:32:45 GMT", "2026-11-23T05:32:45Z"),
        (
            "2026-11-23 05:32:45.839 CET",
            "2026-11-23T05:32:45.839+01:00",
        ),
        ("2026-10-25 02:30:00 CEST", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25 02:30:00 CET", "2026-10-25T02:30:00+01:00"),
        ("2026-11-23 05:32:45 +0545", "2026-11-23T05:32:45+05:45"),
        ("2026-11-23 05:32:45 -03", "2026-11-23T05:32:45-03:00"),
        ("2026-11-23 05:32:45 <+0530>", "2026-11-23T05:32:45+05:30"),
        ("2026-11-23 05:32:45 IST", "2026-11-23T05:32:45+02:00"),
        ("2026-11-23 05:32:45 MSK", "2026-11-23T05:32:45+03:00"),
        ("2013-11-23 05:32:45 MSK", "2013-11-23T05:32:45+04:00"),
        ("2026-11-23 05:32:45 XYZ", "2026-11-23T05:32:45Z"),
    ] {
        assert_eq!(read(&mut LogClock::default(), text), at(instant), "{text}");
    }
    let epoch = LogTime {
        wall_ms: 1_795_411_965_839,
        zone: Zone::Epoch,
    };
    assert_eq!(
        LogClock::default().instant(epoch),
        Instant(1_795_411_965_839)
    );
}

#[test]
fn log_timezone_decides_where_the_text_leaves_doubt() {
    for (zone_name, text, instant, overruled) in [
        // Its own abbreviations, in the repeated hour too.
        (
            "Europe/Berlin",
            "2026-10-25 02:30:00 CEST",
            "2026-10-25T00:30:00Z",
            false,
        ),
        (
            "Europe/Berlin",
            "2026-10-25 02:30:00 CET",
            "2026-10-25T01:30:00Z",
            false,
        ),
        (
            "Europe/Berlin",
            "2026-10-25 03:00:00 CET",
            "2026-10-25T02:00:00Z",
            false,
        ),
        (
            "Asia/Kolkata",
            "2026-11-23 05:32:45 IST",
            "2026-11-23T00:02:45Z",
            false,
        ),
        (
            "Europe/Dublin",
            "2026-07-23 05:32:45 IST",
            "2026-07-23T04:32:45Z",
            false,
        ),
        (
            "Asia/Shanghai",
            "2026-11-23 05:32:45 CST",
            "2026-11-22T21:32:45Z",
            false,
        ),
        (
            "Africa/Maputo",
            "2026-11-23 05:32:45 CAT",
            "2026-11-23T03:32:45Z",
            false,
        ),
        (
            "Europe/London",
            "2026-11-23 05:32:45 GMT",
            "2026-11-23T05:32:45Z",
            false,
        ),
        // Ambiguous or unknown, and not its own.
        (
            "Australia/Sydney",
            "2026-07-23 05:32:45 EST",
            "2026-07-22T19:32:45Z",
            false,
        ),
        (
            "Europe/Berlin",
            "2026-11-23 05:32:45 XYZ",
            "2026-11-23T04:32:45Z",
            false,
        ),
        // Without doubt the same.
        (
            "America/Sao_Paulo",
            "2026-11-23 05:32:45 BRT",
            "2026-11-23T08:32:45Z",
            false,
        ),
        (
            "Europe/Berlin",
            "2026-10-25 02:30:00 +02",
            "2026-10-25T00:30:00Z",
            false,
        ),
        (
            "Europe/Berlin",
            "2026-10-25 02:30:00 +01",
            "2026-10-25T01:30:00Z",
            false,
        ),
        // Without doubt another.
        (
            "Europe/Berlin",
            "2026-11-23 05:32:45 UTC",
            "2026-11-23T05:32:45Z",
            true,
        ),
        (
            "Europe/Berlin",
            "2026-11-23 05:32:45 -03",
            "2026-11-23T08:32:45Z",
            true,
        ),
        (
            "America/New_York",
            "2026-11-23 05:32:45 MSK",
            "2026-11-23T02:32:45Z",
            true,
        ),
    ] {
        let mut clock = LogClock::new(Some(zone(zone_name)));
        assert_eq!(read(&mut clock, text), at(instant), "{zone_name} {text}");
        assert_eq!(
            clock.notes().len(),
            usize::from(overruled),
            "{zone_name} {text}"
        );
    }
}

#[test]
fn doubts_about_zones_are_told_once() {
    let mut clock = LogClock::default();
    for zone in ["IST", "XYZ", "NST", "XYZ", "IST", "PST"] {
        read(&mut clock, &format!("2026-11-23 05:32:45 {zone}"));
    }
    assert_eq!(
        clock.notes(),
        [
            "IST taken as Israel time, UTC+2 (PostgreSQL's default); it can also mean India or Ireland: give --log-timezone",
            "zone XYZ is not known, taken as UTC: give --log-timezone",
            "PST taken as American Pacific time, UTC-8 (PostgreSQL's default); it can also mean the Philippines: give --log-timezone",
        ]
    );
    let mut clock = LogClock::new(Some(zone("Europe/Berlin")));
    read(&mut clock, "2026-11-23 05:32:45 +0530");
    assert_eq!(
        clock.notes(),
        [
            "the log says +0530, which is not of the --log-timezone that was given: taken as UTC+5:30"
        ]
    );
}

#[test]
fn many_zones_in_one_log_are_bounded_and_still_right() {
    let mut clock = LogClock::default();
    for i in 0..3000_i64 {
        let text = format!("+{:02}{:02}", i % 14, i % 59);
        let wall_ms = i * 1000 * 86_400;
        let offset_s = (i % 14) * 3600 + (i % 59) * 60;
        let zone = Zone::Named(text.as_bytes());
        let instant = clock.instant(LogTime { wall_ms, zone });
        assert_eq!(instant, Instant(wall_ms - offset_s * 1000), "{text}");
    }
    assert_eq!(clock.notes().len(), 1);
    let mut clock = LogClock::default();
    for i in 0..200 {
        read(&mut clock, &format!("2026-11-23 05:32:45 X{i}"));
    }
    assert_eq!(clock.notes().len(), 20);
}

#[test]
fn log_zone_follows_what_the_log_showed() {
    let mut clock = LogClock::default();
    assert_eq!(DisplayZone::default().abbreviation(Instant(0)), "UTC");
    assert_eq!(clock.log_zone().abbreviation(Instant(0)), "UTC");
    for text in [
        "2026-10-24 12:00:00 CEST",
        "2026-10-25 12:00:00 CET",
        // Sessions that began before their record.
        "2026-10-25 02:59:00 CEST",
        "2026-10-25 02:01:00 CET",
        "2026-10-20 12:00:00 CEST",
        "2026-10-26 12:00:00 CET",
    ] {
        read(&mut clock, text);
    }
    let zone = DisplayZone::Log(clock.log_zone());
    for (instant, text, abbreviation) in [
        (
            "2026-01-01T00:00:00Z",
            "2026-01-01T02:00:00.000+02:00",
            "CEST",
        ),
        (
            "2026-10-25T00:59:59Z",
            "2026-10-25T02:59:59.000+02:00",
            "CEST",
        ),
        (
            "2026-10-25T01:00:59Z",
            "2026-10-25T03:00:59.000+02:00",
            "CEST",
        ),
        (
            "2026-10-25T01:01:00Z",
            "2026-10-25T02:01:00.000+01:00",
            "CET",
        ),
        (
            "2027-07-01T00:00:00Z",
            "2027-07-01T01:00:00.000+01:00",
            "CET",
        ),
    ] {
        assert_eq!(zone.rfc3339(at(instant)), text);
        assert_eq!(zone.abbreviation(at(instant)), abbreviation, "{text}");
    }
}

#[test]
fn log_zone_is_the_log_timezone_unless_the_log_says_otherwise() {
    let mut clock = LogClock::new(Some(zone("Europe/Berlin")));
    let summer = at("2026-07-01T00:00:00Z");
    assert_eq!(clock.log_zone().abbreviation(summer), "CEST");
    read(&mut clock, "2026-11-23 05:32:45 CET");
    assert_eq!(clock.log_zone().abbreviation(summer), "CEST");
    read(&mut clock, "2026-11-24 05:32:45 UTC");
    assert_eq!(clock.log_zone().abbreviation(summer), "CET");
    assert_eq!(
        clock.log_zone().abbreviation(at("2026-12-01T00:00:00Z")),
        "UTC"
    );
}

#[test]
fn instants_are_shown_in_their_zone() {
    let instant = at("2026-11-23T03:03:11.120Z");
    let without = Precision {
        year: true,
        seconds: false,
        zone: false,
    };
    for (name, rfc3339, short, brief) in [
        (
            "UTC",
            "2026-11-23T03:03:11.120+00:00",
            "23 Nov 03:03:11 UTC",
            "23 Nov 2026 03:03",
        ),
        (
            "Europe/Berlin",
            "2026-11-23T04:03:11.120+01:00",
            "23 Nov 04:03:11 CET",
            "23 Nov 2026 04:03",
        ),
        (
            "Asia/Kathmandu",
            "2026-11-23T08:48:11.120+05:45",
            "23 Nov 08:48:11 +0545",
            "23 Nov 2026 08:48",
        ),
        (
            "America/St_Johns",
            "2026-11-22T23:33:11.120-03:30",
            "22 Nov 23:33:11 NST",
            "22 Nov 2026 23:33",
        ),
    ] {
        let zone = shown_in(name);
        assert_eq!(zone.rfc3339(instant), rfc3339);
        assert_eq!(zone.short(instant, Precision::default()), short);
        assert_eq!(zone.short(instant, without), brief);
    }
    let fixed = TimeZone::fixed(jiff::tz::offset(-3) - jiff::SignedDuration::from_mins(30));
    assert_eq!(DisplayZone::Zone(fixed).abbreviation(instant), "-0330");
    // Liberia was 44 min 30 s behind until 1972.
    assert_eq!(
        shown_in("Africa/Monrovia").rfc3339(Instant(0)),
        "1969-12-31T23:16:00.000-00:44"
    );
    assert_eq!(shown_in("Europe/Berlin").civil(instant).weekday, 0);
    for extreme in [i64::MIN, i64::MAX] {
        assert_eq!(
            shown_in("Europe/Berlin").rfc3339(Instant(extreme)).len(),
            29
        );
    }
}

#[test]
fn repeated_and_skipped_hours_are_read() {
    let berlin = shown_in("Europe/Berlin");
    let wall = |text: &str| log_time::read_wall(text.as_bytes()).expect(text).0;
    let repeated = wall("2026-10-25 02:30:00");
    assert_eq!(
        berlin.from_wall_ms(repeated),
        at("2026-10-25T02:30:00+02:00")
    );
    assert_eq!(
        berlin.readings(repeated),
        (
            at("2026-10-25T02:30:00+02:00"),
            at("2026-10-25T02:30:00+01:00")
        )
    );
    let skipped = wall("2026-03-29 02:30:00");
    assert_eq!(
        berlin.from_wall_ms(skipped),
        at("2026-03-29T03:30:00+02:00")
    );
    let civil = Civil::from_wall_ms(repeated);
    assert_eq!(
        berlin.from_civil(civil),
        Some(at("2026-10-25T02:30:00+02:00"))
    );
    assert_eq!(berlin.from_civil(Civil { month: 13, ..civil }), None);
}

#[test]
fn zones_are_found_by_what_operators_call_them() {
    let winter = at("2026-11-23T03:03:11Z").0;
    for (zone, text, offset_s) in [
        ("UTC", "CET", Some(3600)),
        ("UTC", "utc", Some(0)),
        ("UTC", "+05:30", Some(19_800)),
        ("UTC", "IST", Some(7200)),
        ("Asia/Kolkata", "IST", Some(19_800)),
        ("Europe/Dublin", "IST", Some(3600)),
        ("UTC", "CAT", None),
        ("Africa/Maputo", "CAT", Some(7200)),
        ("UTC", "Europe/Berlin", None),
    ] {
        assert_eq!(
            shown_in(zone).offset_named(text, winter),
            offset_s,
            "{zone} {text}"
        );
    }
}

#[test]
fn days_begin_at_local_midnight() {
    for (zone, instant, midnight) in [
        ("UTC", "2026-11-23T03:03:11Z", "2026-11-23T00:00:00Z"),
        (
            "Europe/Berlin",
            "2026-11-22T23:00:00Z",
            "2026-11-22T23:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-11-22T22:59:59.999Z",
            "2026-11-21T23:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-25T20:00:00Z",
            "2026-10-24T22:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T20:00:00Z",
            "2026-03-28T23:00:00Z",
        ),
        // Midnight itself is skipped, and repeated.
        (
            "America/Sao_Paulo",
            "2018-11-04T12:00:00Z",
            "2018-11-04T03:00:00Z",
        ),
        (
            "America/Havana",
            "2026-11-01T05:30:00Z",
            "2026-11-01T04:00:00Z",
        ),
        (
            "America/Sao_Paulo",
            "2018-02-18T02:30:00Z",
            "2018-02-17T02:00:00Z",
        ),
    ] {
        assert_eq!(
            shown_in(zone).midnight(at(instant)),
            at(midnight),
            "{zone} {instant}"
        );
    }
}

#[test]
fn buckets_follow_the_clock() {
    for (zone, bucket_s, instant, start, end) in [
        (
            "UTC",
            900,
            "2026-11-23T03:03:11Z",
            "2026-11-23T03:00:00Z",
            "2026-11-23T03:15:00Z",
        ),
        (
            "Asia/Kathmandu",
            3600,
            "2026-11-23T03:03:11Z",
            "2026-11-23T02:15:00Z",
            "2026-11-23T03:15:00Z",
        ),
        (
            "Europe/Berlin",
            21_600,
            "2026-11-23T03:03:11Z",
            "2026-11-22T23:00:00Z",
            "2026-11-23T05:00:00Z",
        ),
        // Days of 25 and of 23 hours.
        (
            "Europe/Berlin",
            86_400,
            "2026-10-25T12:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        (
            "Europe/Berlin",
            86_400,
            "2026-03-29T12:00:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            "Europe/Berlin",
            21_600,
            "2026-10-25T01:30:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T05:00:00Z",
        ),
        (
            "Europe/Berlin",
            21_600,
            "2026-10-24T22:30:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T05:00:00Z",
        ),
        (
            "Europe/Berlin",
            21_600,
            "2026-03-29T04:00:00Z",
            "2026-03-29T04:00:00Z",
            "2026-03-29T10:00:00Z",
        ),
        (
            "Europe/Berlin",
            21_600,
            "2026-03-29T03:59:59Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T04:00:00Z",
        ),
        // The repeated hour has its buckets twice.
        (
            "Europe/Berlin",
            3600,
            "2026-10-25T00:30:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            3600,
            "2026-10-25T01:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T02:00:00Z",
        ),
        (
            "Europe/Berlin",
            7200,
            "2026-03-29T00:30:00Z",
            "2026-03-28T23:00:00Z",
            "2026-03-29T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            7200,
            "2026-03-29T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T02:00:00Z",
        ),
        // Weeks begin on Monday; what divides no day counts from the epoch.
        (
            "Europe/Berlin",
            604_800,
            "2026-10-25T12:00:00Z",
            "2026-10-18T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        (
            "UTC",
            420,
            "1970-01-01T00:08:00Z",
            "1970-01-01T00:07:00Z",
            "1970-01-01T00:14:00Z",
        ),
        (
            "UTC",
            0,
            "1970-01-01T00:08:00.5Z",
            "1970-01-01T00:08:00Z",
            "1970-01-01T00:08:01Z",
        ),
    ] {
        let zone_shown = shown_in(zone);
        let about = format!("{zone} {bucket_s} {instant}");
        assert_eq!(
            bucket_start(&zone_shown, bucket_s, at(instant)),
            at(start),
            "{about}"
        );
        assert_eq!(
            bucket_end(&zone_shown, bucket_s, at(instant)),
            at(end),
            "{about}"
        );
    }
}

fn any_zone() -> impl Strategy<Value = DisplayZone> {
    prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/New_York"),
        Just("America/St_Johns"),
        Just("Australia/Lord_Howe"),
        Just("Africa/Cairo"),
        Just("America/Havana"),
        Just("Asia/Kathmandu"),
        Just("log"),
    ]
    .prop_map(|name| match name {
        "log" => {
            let mut clock = LogClock::default();
            for text in [
                "2025-10-27 12:00:00 CET",
                "2026-03-29 03:00:00 CEST",
                "2026-10-25 02:00:00 CET",
            ] {
                read(&mut clock, text);
            }
            DisplayZone::Log(clock.log_zone())
        }
        name => shown_in(name),
    })
}

/// Instants of 2026, many of them near changes of the zones above.
fn any_instant() -> impl Strategy<Value = Instant> {
    let changes = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T05:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2026-04-23T22:00:00Z",
        "2026-10-29T21:00:00Z",
        "2026-07-01T00:00:00Z",
    ];
    (0..changes.len(), -48_000_000..48_000_000_i64)
        .prop_map(move |(i, ms)| at(changes[i]).plus_ms(ms))
}

proptest! {
    #[test]
    fn buckets_cover_time_without_holes_or_overlaps(
        zone in any_zone(),
        instant in any_instant(),
        bucket_s in prop::sample::select(vec![
            1, 60, 420, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 129_600, 172_800, 604_800,
        ]),
    ) {
        let start = bucket_start(&zone, bucket_s, instant);
        let end = bucket_end(&zone, bucket_s, instant);
        prop_assert!(start <= instant && instant < end);
        prop_assert_eq!(bucket_start(&zone, bucket_s, start), start);
        prop_assert_eq!(bucket_start(&zone, bucket_s, end), end);
        prop_assert_eq!(bucket_end(&zone, bucket_s, start), end);
        prop_assert_eq!(bucket_start(&zone, bucket_s, Instant(end.0 - 1)), start);
        prop_assert_eq!(bucket_end(&zone, bucket_s, Instant(end.0 - 1)), end);
    }

    #[test]
    fn wall_times_are_read_back(zone in any_zone(), instant in any_instant()) {
        let (earlier, later) = zone.readings(zone.wall_ms(instant));
        prop_assert!(instant == earlier || instant == later);
        prop_assert_eq!(zone.wall_ms(earlier), zone.wall_ms(later));
        prop_assert_eq!(at(&zone.rfc3339(instant)), instant);
        if let DisplayZone::Zone(tz) = &zone {
            let wall = jiff::tz::Offset::UTC.to_datetime(civil::timestamp(zone.wall_ms(instant)));
            let compatible = tz.to_ambiguous_timestamp(wall).compatible().expect("in range");
            prop_assert_eq!(Instant(compatible.as_millisecond()), earlier);
        }
    }

    #[test]
    fn what_was_read_before_changes_no_instant(
        name in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "America/St_Johns"]),
        instants in prop::collection::vec(any_instant(), 1..40),
    ) {
        let shown = shown_in(name);
        let mut clock = LogClock::new(Some(zone(name)));
        for instant in instants {
            let abbreviation = shown.abbreviation(instant);
            let wall_ms = shown.wall_ms(instant);
            let zone = Zone::Named(abbreviation.as_bytes());
            prop_assert_eq!(clock.instant(LogTime { wall_ms, zone }), instant);
            prop_assert_eq!(clock.log_zone().offset_s(instant), shown.offset_s(instant));
        }
        prop_assert!(clock.notes().is_empty());
    }
}
