use super::*;

fn shown_in(name: &str) -> DisplayZone {
    DisplayZone::Zone(TimeZone::get(name).expect(name))
}

fn at(text: &str) -> Instant {
    let timestamp: jiff::Timestamp = text.parse().expect(text);
    Instant(timestamp.as_millisecond())
}

/// An input from 17 Nov 00:00:00 to 23 Nov 03:03:11 UTC.
fn ends() -> (Instant, Instant) {
    (at("2026-11-17T00:00:00Z"), at("2026-11-23T03:03:11Z"))
}

fn resolved(text: &str, zone: &DisplayZone) -> String {
    let (first, last) = ends();
    let spec = TimeSpec::parse(text).expect(text);
    assert_eq!(spec.to_string(), text.trim());
    let at = spec.resolve(zone, first, last).expect(text);
    DisplayZone::default().rfc3339(at).replace("+00:00", "Z")
}

#[test]
fn times_of_every_form_are_read() {
    for (zone, text, instant) in [
        (
            "UTC",
            "2026-11-23T03:02:14.120+01:00",
            "2026-11-23T02:02:14.120Z",
        ),
        ("UTC", "2026-11-23T03:02:14Z", "2026-11-23T03:02:14.000Z"),
        (
            "UTC",
            "2026-11-23t03:02:14.123456789z",
            "2026-11-23T03:02:14.123Z",
        ),
        ("UTC", "2026-11-23", "2026-11-23T00:00:00.000Z"),
        ("Europe/Berlin", "2026-11-23", "2026-11-22T23:00:00.000Z"),
        (
            "Europe/Berlin",
            "2026-11-23 UTC",
            "2026-11-23T00:00:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-11-23 05:30",
            "2026-11-23T04:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-11-23T05:30:15",
            "2026-11-23T04:30:15.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-11-23 05:30:15.5",
            "2026-11-23T04:30:15.500Z",
        ),
        (
            "Europe/Berlin",
            "2026-11-23 05:30:15.042",
            "2026-11-23T04:30:15.042Z",
        ),
        (
            "Europe/Berlin",
            " 2026-11-23  5:30 UTC ",
            "2026-11-23T05:30:00.000Z",
        ),
        ("UTC", "2026-11-23 05:30 CET", "2026-11-23T04:30:00.000Z"),
        ("UTC", "2026-11-23 05:30 cet", "2026-11-23T04:30:00.000Z"),
        ("UTC", "2026-11-23 05:30 +0545", "2026-11-22T23:45:00.000Z"),
        ("UTC", "2026-11-23 05:30-03", "2026-11-23T08:30:00.000Z"),
        (
            "UTC",
            "2026-11-23 05:30 Europe/Berlin",
            "2026-11-23T04:30:00.000Z",
        ),
        ("UTC", "2026-11-23 05:30 IST", "2026-11-23T03:30:00.000Z"),
        (
            "Asia/Kolkata",
            "2026-11-23 05:30 IST",
            "2026-11-23T00:00:00.000Z",
        ),
        // Both readings of a repeated hour.
        (
            "Europe/Berlin",
            "2026-10-25 02:30",
            "2026-10-25T00:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-25 02:30 CEST",
            "2026-10-25T00:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-25 02:30 CET",
            "2026-10-25T01:30:00.000Z",
        ),
        ("UTC", "2026-10-25 02:30 CET", "2026-10-25T01:30:00.000Z"),
        // The last occurrence, before midnight too.
        ("UTC", "03:03", "2026-11-23T03:03:00.000Z"),
        ("UTC", "03:03:11", "2026-11-23T03:03:11.000Z"),
        ("UTC", "03:03:11.001", "2026-11-22T03:03:11.001Z"),
        ("UTC", "14:03", "2026-11-22T14:03:00.000Z"),
        ("UTC", "00:00", "2026-11-23T00:00:00.000Z"),
        ("Europe/Berlin", "04:03", "2026-11-23T03:03:00.000Z"),
        ("Europe/Berlin", "14:03", "2026-11-22T13:03:00.000Z"),
        ("America/New_York", "22:03", "2026-11-23T03:03:00.000Z"),
        ("America/New_York", "23:30", "2026-11-22T04:30:00.000Z"),
        ("UTC", "04:03 CET", "2026-11-23T03:03:00.000Z"),
        // Days are those of the zone.
        ("UTC", "today", "2026-11-23T00:00:00.000Z"),
        ("UTC", "today 02:00", "2026-11-23T02:00:00.000Z"),
        ("UTC", "yesterday", "2026-11-22T00:00:00.000Z"),
        ("UTC", "yesterday 14:03", "2026-11-22T14:03:00.000Z"),
        (
            "America/New_York",
            "yesterday 14:03",
            "2026-11-21T19:03:00.000Z",
        ),
        (
            "UTC",
            "yesterday 14:03 America/New_York",
            "2026-11-21T19:03:00.000Z",
        ),
        ("Europe/Berlin", "yesterday UTC", "2026-11-22T00:00:00.000Z"),
        ("UTC", "-30m", "2026-11-23T02:33:11.000Z"),
        ("UTC", "-90s", "2026-11-23T03:01:41.000Z"),
        ("UTC", "-1h30m", "2026-11-23T01:33:11.000Z"),
        ("UTC", "-2h", "2026-11-23T01:03:11.000Z"),
        ("UTC", "-1d", "2026-11-22T03:03:11.000Z"),
        ("UTC", "-1w", "2026-11-16T03:03:11.000Z"),
        ("UTC", "now", "2026-11-23T03:03:11.000Z"),
        ("UTC", "end", "2026-11-23T03:03:11.000Z"),
    ] {
        assert_eq!(resolved(text, &shown_in(zone)), instant, "{zone} {text}");
    }
}

#[test]
fn bare_time_is_the_last_one_in_the_input() {
    let berlin = shown_in("Europe/Berlin");
    let spec = TimeSpec::parse("02:30").unwrap();
    for (first, last, instant) in [
        // The repeated hour: the later reading, unless the input ends before it or begins after it.
        (
            "2026-10-24T00:00:00Z",
            "2026-10-25T12:00:00Z",
            "2026-10-25T01:30:00Z",
        ),
        (
            "2026-10-24T00:00:00Z",
            "2026-10-25T01:15:00Z",
            "2026-10-25T00:30:00Z",
        ),
        (
            "2026-10-24T00:00:00Z",
            "2026-10-25T00:15:00Z",
            "2026-10-24T00:30:00Z",
        ),
        // Not in the input: on the day of its last record.
        (
            "2026-11-23T03:00:00Z",
            "2026-11-23T04:00:00Z",
            "2026-11-23T01:30:00Z",
        ),
        (
            "2026-11-22T23:30:00Z",
            "2026-11-23T00:30:00Z",
            "2026-11-23T01:30:00Z",
        ),
        (
            "2026-11-22T22:30:00Z",
            "2026-11-22T23:30:00Z",
            "2026-11-23T01:30:00Z",
        ),
    ] {
        let found = spec.resolve(&berlin, at(first), at(last)).unwrap();
        assert_eq!(found, at(instant), "{first} {last}");
    }
}

#[test]
fn only_dates_do_without_the_end_of_the_input() {
    for (text, needs_end) in [
        ("2026-11-23", false),
        ("2026-11-23 05:30 CET", false),
        ("2026-11-23T05:30:00Z", false),
        ("05:30", true),
        ("yesterday", true),
        ("-30m", true),
        ("end", true),
    ] {
        assert_eq!(
            TimeSpec::parse(text).unwrap().needs_end(),
            needs_end,
            "{text}"
        );
    }
}

#[test]
fn what_is_no_time_is_refused_with_a_reason() {
    for (text, message) in [
        ("", "'' is not a time; "),
        ("noon", "'noon' is not a time; "),
        ("14", "'14' is not a time; "),
        ("14:3", "'14:3' is not a time; "),
        ("14:+3", "'14:+3' is not a time; "),
        ("14:03:", "'14:03:' is not a time; "),
        ("14:03:12.", "'14:03:12.' is not a time; "),
        ("14:03pm", "'14:03pm' is not a time from 'pm' on; "),
        (
            "2026-11-2314:03",
            "'2026-11-2314:03' is not a time from '14:03' on; ",
        ),
        ("2026-11-23T", "'2026-11-23T' is not a time from 'T' on; "),
        (
            "2026-11-23 14:03 5",
            "'2026-11-23 14:03 5': '5' is not a zone; ",
        ),
        ("2026-02-30", "'2026-02-30': there is no 2026-02-30; "),
        (
            "2026-13-01 14:03",
            "'2026-13-01 14:03': there is no 2026-13-01; ",
        ),
        (
            "24:00",
            "'24:00': there is no 24:00 on a clock; it goes from 00:00 to 23:59:59",
        ),
        (
            "yesterday 14:60",
            "'yesterday 14:60': there is no 14:60 on a clock; ",
        ),
        ("yesterdays", "'yesterdays' is not a time; "),
        ("-30", "'-30' has no unit; give 90s, 15min, 1h30m, 2d or 1w"),
        ("30m", "'30m' is not a time; did you mean -30m, "),
        ("-", "'-' is no length of time; "),
        ("-5x", "'-5x' is not a length of time; "),
        ("2026‑11‑23", "'2026‑11‑23' is not a time; "),
        ("2026-11-2é", "'2026-11-2é' is not a time; "),
    ] {
        let err = TimeSpec::parse(text).expect_err(text).to_string();
        assert!(err.starts_with(message), "{text}: {err}");
    }
    let (first, last) = ends();
    let spec = TimeSpec::parse("2026-11-23 05:30 XYZ").unwrap();
    let err = spec
        .resolve(&DisplayZone::default(), first, last)
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "zone XYZ is not known; give an offset such as +02:00"
    );
}

#[test]
fn lengths_of_time_are_read() {
    for (text, seconds) in [
        ("60m", Some(3600)),
        ("15min", Some(900)),
        ("1h30m", Some(5400)),
        ("1h 30m", Some(5400)),
        ("2d", Some(172_800)),
        ("1w", Some(604_800)),
        ("90s", Some(90)),
        ("2 hours", None),
        ("all", None),
        ("60", None),
        ("0m", None),
        ("", None),
        ("m", None),
        ("1.5h", None),
        ("-5m", None),
        ("99999999999999999999d", None),
        ("40000d", None),
    ] {
        let length = DurationSpec::parse(text).ok();
        assert_eq!(
            length.and_then(|l| l.length_ms()),
            seconds.map(|s| s * 1000),
            "{text}"
        );
        let bucket = parse_bucket(text).ok();
        assert_eq!(bucket, seconds.map(|s| s as u64), "{text}");
    }
    assert_eq!(DurationSpec::parse("all").unwrap().length_ms(), None);
    for (text, message) in [
        (
            "0",
            "'0' is no length of time; give 90s, 15min, 1h30m, 2d or 1w",
        ),
        ("60", "'60' has no unit; give 90s, 15min, 1h30m, 2d or 1w"),
        (
            "0m",
            "'0m' is no length of time; give 90s, 15min, 1h30m, 2d or 1w",
        ),
        (
            "all",
            "'all' is not the length of a bucket; give 15m, 1h or 1d",
        ),
        (
            "400d",
            "a bucket of '400d' is longer than a year; give 15m, 1h or 1d",
        ),
    ] {
        assert_eq!(parse_bucket(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn parts_of_days_may_wrap_midnight_and_exclude_their_end() {
    let berlin = shown_in("Europe/Berlin");
    for (text, instant, contained) in [
        ("22:00-06:00", "2026-11-23T22:00:00+01:00", true),
        ("22:00-06:00", "2026-11-23T05:59:59.999+01:00", true),
        ("22:00-06:00", "2026-11-23T06:00:00+01:00", false),
        ("22:00-06:00", "2026-11-23T21:59:59+01:00", false),
        ("09:00-17:00:30", "2026-11-23T17:00:29+01:00", true),
        ("09:00-17:00:30", "2026-11-23T17:00:30+01:00", false),
        ("09:00-17:00", "2026-07-23T09:00:00+02:00", true),
        ("09:00-17:00", "2026-07-23T09:00:00+01:00", true),
        ("09:00-17:00", "2026-07-23T08:59:00+02:00", false),
        ("22:00-24:00", "2026-11-23T23:59:59.999+01:00", true),
        ("22:00-24:00", "2026-11-23T00:00:00+01:00", false),
        ("22:00 - 00:00", "2026-11-23T23:59:59.999+01:00", true),
    ] {
        let between = Between::parse(text).expect(text);
        assert_eq!(
            between.contains(&berlin, at(instant)),
            contained,
            "{text} {instant}"
        );
    }
    for (text, message) in [
        (
            "22:00",
            "'22:00' is not a part of a day; give two times such as 22:00-06:00",
        ),
        (
            "22-06",
            "'22-06' is not a part of a day; give two times such as 22:00-06:00",
        ),
        (
            "22:00-06:00 CET",
            "'22:00-06:00 CET' is not a part of a day; give two times such as 22:00-06:00",
        ),
        (
            "22:00-22:00",
            "'22:00-22:00' begins when it ends; give two different times such as 22:00-06:00",
        ),
        (
            "22:00-25:00",
            "'22:00-25:00': there is no 25:00 on a clock; it goes from 00:00 to 23:59:59",
        ),
    ] {
        assert_eq!(Between::parse(text).expect_err(text).to_string(), message);
    }
}

/// `--since X --last Y` as they stand on a command line.
fn request(flags: &str) -> WindowRequest {
    let mut request = WindowRequest::default();
    for flag in flags.split("--").skip(1) {
        let (name, value) = flag.split_once(' ').expect(flags);
        let time = || Some(TimeSpec::parse(value).expect(flags));
        match name {
            "since" => request.since = time(),
            "until" => request.until = time(),
            "at" => request.at = time(),
            "last" => request.last = Some(DurationSpec::parse(value).expect(flags)),
            _ => panic!("{flags}"),
        }
    }
    request
}

#[test]
fn windows_are_resolved() {
    let (first, last) = ends();
    for (flags, since, until) in [
        ("", None, None),
        ("--last all", None, None),
        ("--last 60m", Some("2026-11-23T02:03:11Z"), None),
        ("--last 60d", Some("2026-09-24T03:03:11Z"), None),
        ("--since 02:00", Some("2026-11-23T02:00:00Z"), None),
        ("--since 2026-11-01", Some("2026-11-01T00:00:00Z"), None),
        ("--until 02:00", None, Some("2026-11-23T02:00:00Z")),
        ("--until 2026-12-01", None, Some("2026-12-01T00:00:00Z")),
        ("--at 14:03", None, Some("2026-11-22T14:03:00Z")),
        ("--at end", None, Some("2026-11-23T03:03:11Z")),
        ("--at 2026-11-17", None, Some("2026-11-17T00:00:00Z")),
        (
            "--since -2h --until -1h",
            Some("2026-11-23T01:03:11Z"),
            Some("2026-11-23T02:03:11Z"),
        ),
        (
            "--last 1h --until 02:00",
            Some("2026-11-23T01:00:00Z"),
            Some("2026-11-23T02:00:00Z"),
        ),
        (
            "--last 1h --until 2026-12-01",
            Some("2026-11-23T02:03:11Z"),
            Some("2026-12-01T00:00:00Z"),
        ),
        (
            "--last 1h --at 02:00",
            Some("2026-11-23T01:00:00Z"),
            Some("2026-11-23T02:00:00Z"),
        ),
    ] {
        let window = request(flags)
            .resolve(&DisplayZone::default(), first, last)
            .expect(flags);
        let expected = Window {
            since: since.map(at),
            until: until.map(at),
        };
        assert_eq!(window, expected, "{flags}");
    }
}

#[test]
fn what_goes_on_may_begin_after_its_last_record() {
    let (_, last) = ends();
    let night = at("2026-11-23T01:00:00Z");
    let request = WindowRequest {
        goes_on: true,
        ..request("--since 14:03")
    };
    let window = request.resolve(&DisplayZone::default(), night, last);
    let since = window.expect("it comes").since;
    assert_eq!(since, Some(at("2026-11-23T14:03:00Z")));
}

#[test]
fn windows_outside_the_input_are_errors() {
    let (first, last) = ends();
    let night = at("2026-11-23T01:00:00Z");
    for (flags, first, message) in [
        (
            "--at 14:03",
            night,
            "--at 14:03: after the last record (23 Nov 03:03:11 UTC)",
        ),
        (
            "--since 14:03",
            night,
            "--since 14:03: after the last record (23 Nov 03:03:11 UTC)",
        ),
        (
            "--until 00:30",
            night,
            "--until 00:30: before the first record (23 Nov 01:00:00 UTC)",
        ),
        (
            "--at 2026-11-24",
            first,
            "--at 2026-11-24: after the last record (23 Nov 03:03:11 UTC)",
        ),
        (
            "--until 2026-11-16 23:59 UTC",
            first,
            "--until 2026-11-16 23:59 UTC: before the first record (17 Nov 00:00:00 UTC)",
        ),
        (
            "--at -1w",
            first,
            "--at -1w: before the first record (17 Nov 00:00:00 UTC)",
        ),
        (
            "--since 03:00 --until 02:00",
            first,
            "--since 03:00: not before --until 02:00 (23 Nov 03:00:00 UTC and 23 Nov 02:00:00 UTC)",
        ),
        (
            "--since 02:00 --at 02:00",
            first,
            "--since 02:00: not before --at 02:00 (23 Nov 02:00:00 UTC and 23 Nov 02:00:00 UTC)",
        ),
        (
            "--since 02:00 --last 1h",
            first,
            "--last 1h: excludes --since 02:00; leave out one of them",
        ),
        (
            "--until 02:00 --at 01:00",
            first,
            "--until 02:00: excludes --at 01:00; leave out one of them",
        ),
        (
            "--since 2026-11-20 XYZ",
            first,
            "--since 2026-11-20 XYZ: zone XYZ is not known; give an offset such as +02:00",
        ),
    ] {
        let result = request(flags).resolve(&DisplayZone::default(), first, last);
        assert_eq!(result.expect_err(flags).to_string(), message);
    }
}
