//! Times as operators write them: `05:30`, `yesterday 14:03`, `-30m`, `--last 60m`, `--between 22:00-06:00`.
//!
//! Reading comes first, when the command line is read; meaning comes later ([`TimeSpec::resolve`]), since
//! it needs the zone and the ends of the input. Both are pure.

use std::fmt;

use anyhow::{anyhow, bail, ensure};
use jiff::tz::TimeZone;
use pgcensus_core::instant::Instant;
use pgcensus_core::zone::{Civil, DisplayZone, Precision, numeric_offset_s};

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What an error about an unreadable time suggests.
const TIMES: &str =
    "give '2026-11-23 05:30', '05:30', 'yesterday 14:03', '-30m' or 2026-11-23T05:30:00+01:00";

/// A time as the operator wrote it. [`Display`](fmt::Display) is that spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeSpec {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// On the wall of that zone, or else of the one that is shown.
    Wall(Wall, Option<Box<str>>),
    /// Milliseconds before the end of the input.
    BeforeEnd(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wall {
    /// Milliseconds from `1970-01-01 00:00:00` on the wall.
    Date(i64),
    /// This many days before the last record's; milliseconds of the day.
    DaysAgo(i64, i64),
    /// Milliseconds of the day, when it last was that late.
    Last(i64),
}

impl TimeSpec {
    /// Reads RFC 3339; `YYYY-MM-DD[ HH:MM[:SS[.mmm]]] [zone]`; `HH:MM[:SS[.mmm]]`; `yesterday` and
    /// `today`, with a time of day or without; `-30m` (days of 24 hours); `now` and `end`.
    ///
    /// A zone is an abbreviation, a numeric offset or a name of the time zone database; which of the
    /// first there are is known to `resolve` only.
    pub(crate) fn parse(text: &str) -> anyhow::Result<TimeSpec> {
        let spelled = text.trim();
        let kind = match spelled.strip_prefix('-') {
            Some(length) => Kind::BeforeEnd(length_ms(length, spelled)?),
            None if matches!(spelled, "now" | "end") => Kind::BeforeEnd(0),
            None => wall(spelled)?,
        };
        Ok(TimeSpec {
            text: spelled.into(),
            kind,
        })
    }

    /// Whether it depends on where the input ends.
    pub(crate) fn needs_end(&self) -> bool {
        !matches!(self.kind, Kind::Wall(Wall::Date(_), _))
    }

    /// The instant that is meant, for an input with these first and last log times. It may lie outside
    /// them, see [`WindowRequest::resolve`].
    ///
    /// A bare time of day is the last one not after `last`. Where the input has none, it is that of the
    /// last record's day. In the repeated hour of a change without a zone, it is the earlier
    /// reading, for a bare time of day the later.
    ///
    /// # Errors
    ///
    /// The zone is not known.
    pub(crate) fn resolve(
        &self,
        zone: &DisplayZone,
        first: Instant,
        last: Instant,
    ) -> anyhow::Result<Instant> {
        let (wall, named) = match &self.kind {
            Kind::BeforeEnd(length_ms) => return Ok(last.plus_ms(-length_ms)),
            Kind::Wall(wall, named) => (*wall, named),
        };
        let named = match named {
            None => None,
            Some(name) => {
                let near_ms = match wall {
                    Wall::Date(wall_ms) => wall_ms,
                    Wall::DaysAgo(..) | Wall::Last(_) => zone.wall_ms(last),
                };
                Some(zone_named(name, zone, near_ms)?)
            }
        };
        let zone = named.as_ref().unwrap_or(zone);
        let today_ms = zone.wall_ms(last) - zone.wall_ms(last).rem_euclid(DAY_MS);
        Ok(match wall {
            Wall::Date(wall_ms) => zone.from_wall_ms(wall_ms),
            Wall::DaysAgo(days, of_day_ms) => {
                zone.from_wall_ms(today_ms - days * DAY_MS + of_day_ms)
            }
            Wall::Last(of_day_ms) => {
                let (today, today_again) = zone.readings(today_ms + of_day_ms);
                let yesterday = zone.readings(today_ms - DAY_MS + of_day_ms).1;
                [today_again, today, yesterday]
                    .into_iter()
                    .find(|at| (first..=last).contains(at))
                    .unwrap_or(today)
            }
        })
    }
}

impl fmt::Display for TimeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The zone that an operator named.
fn zone_named(name: &str, shown: &DisplayZone, wall_ms: i64) -> anyhow::Result<DisplayZone> {
    if let Some(offset_s) = shown.offset_named(name, wall_ms) {
        let offset = jiff::tz::Offset::from_seconds(offset_s)?;
        return Ok(DisplayZone::Zone(TimeZone::fixed(offset)));
    }
    let zone = TimeZone::get(name)
        .map_err(|_| anyhow!("zone {name} is not known; give an offset such as +02:00"))?;
    Ok(DisplayZone::Zone(zone))
}

/// Reads everything that is on a wall.
fn wall(text: &str) -> anyhow::Result<Kind> {
    let mut rest = text;
    let (wall, has_time) = if let Some(days) = day_word(&mut rest) {
        let time = skip_spaces(&mut rest)
            .then(|| time_of_day(&mut rest, text))
            .transpose()?;
        let time = time.flatten();
        (Wall::DaysAgo(days, time.unwrap_or(0)), time.is_some())
    } else if let Some(date_ms) = date(&mut rest, text)? {
        let separated = match rest.as_bytes() {
            [b'T' | b't', b'0'..=b'9', ..] => {
                rest = &rest[1..];
                true
            }
            _ => skip_spaces(&mut rest),
        };
        let time = separated
            .then(|| time_of_day(&mut rest, text))
            .transpose()?;
        let time = time.flatten();
        (Wall::Date(date_ms + time.unwrap_or(0)), time.is_some())
    } else if let Some(time) = time_of_day(&mut rest, text)? {
        (Wall::Last(time), true)
    } else {
        ensure!(
            length_ms(text, text).is_err(),
            "'{text}' is not a time; did you mean -{text}, that long before the end of the log?"
        );
        bail!("'{text}' is not a time; {TIMES}");
    };
    skip_spaces(&mut rest);
    // A zone stands after a space, or right after the time where it cannot be mistaken.
    let spaced = text[..text.len() - rest.len()].ends_with(char::is_whitespace);
    let glued = has_time && rest.starts_with(['+', '-', 'Z', 'z', '<']);
    ensure!(
        rest.is_empty() || spaced || glued,
        "'{text}' is not a time from '{rest}' on; {TIMES}"
    );
    if rest.is_empty() {
        return Ok(Kind::Wall(wall, None));
    }
    ensure!(is_zone(rest), "'{text}': '{rest}' is not a zone; {TIMES}");
    Ok(Kind::Wall(wall, Some(rest.into())))
}

/// Whether this looks like a zone: `CET`, `+0545`, `America/Port-au-Prince`.
fn is_zone(text: &str) -> bool {
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
    named || numeric_offset_s(text.as_bytes()).is_some()
}

fn day_word(rest: &mut &str) -> Option<i64> {
    for (word, days) in [("today", 0), ("yesterday", 1)] {
        if let Some(after) = rest.strip_prefix(word)
            && !after.starts_with(|c: char| c.is_alphanumeric())
        {
            *rest = after;
            return Some(days);
        }
    }
    None
}

/// Takes `YYYY-MM-DD` off `rest`: milliseconds on the wall; `None` where there is none.
fn date(rest: &mut &str, text: &str) -> anyhow::Result<Option<i64>> {
    let is_date = |i: usize, b: u8| match i {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    };
    let Some(head) = rest.get(..10) else {
        return Ok(None);
    };
    if !head.bytes().enumerate().all(|(i, b)| is_date(i, b)) {
        return Ok(None);
    }
    let civil = Civil {
        year: head[..4].parse()?,
        month: head[5..7].parse()?,
        day: head[8..].parse()?,
        ..Civil::from_wall_ms(0)
    };
    let Some(date_ms) = civil.wall_ms() else {
        bail!("'{text}': there is no {head}; {TIMES}");
    };
    *rest = &rest[10..];
    Ok(Some(date_ms))
}

/// Takes `HH:MM[:SS[.mmm]]` off `rest`: milliseconds of the day; `None` where there is none. Digits
/// past milliseconds are dropped.
fn time_of_day(rest: &mut &str, text: &str) -> anyhow::Result<Option<i64>> {
    let bytes = rest.as_bytes();
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if !matches!(digits, 1 | 2) || bytes.get(digits) != Some(&b':') {
        return Ok(None);
    }
    let mut fields = [0; 3];
    let mut len = 0;
    for (i, field) in fields.iter_mut().enumerate() {
        let width = if i == 0 { digits } else { 2 };
        let two = rest
            .get(len..len + width)
            .and_then(|two| two.parse::<u8>().ok());
        let Some(two) = two.filter(|_| rest.as_bytes()[len] != b'+') else {
            bail!("'{text}' is not a time; {TIMES}");
        };
        *field = i64::from(two);
        len += width;
        if i == 2 || rest.as_bytes().get(len) != Some(&b':') {
            break;
        }
        len += 1;
    }
    let mut ms = 0;
    if let Some(b'.' | b',') = rest.as_bytes().get(len) {
        let digits = rest[len + 1..].bytes().take_while(u8::is_ascii_digit);
        let count = digits.clone().count();
        ensure!(count > 0, "'{text}' is not a time; {TIMES}");
        ms = digits
            .chain(*b"00")
            .take(3)
            .fold(0, |ms, b| ms * 10 + i64::from(b - b'0'));
        len += 1 + count;
    }
    let [hour, minute, second] = fields;
    ensure!(
        hour < 24 && minute < 60 && second < 60,
        "'{text}': there is no {} on a clock; it goes from 00:00 to 23:59:59",
        &rest[..len]
    );
    *rest = &rest[len..];
    Ok(Some(
        hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + ms,
    ))
}

/// Takes spaces off; whether there were any.
fn skip_spaces(rest: &mut &str) -> bool {
    let trimmed = rest.trim_start();
    let spaced = trimmed.len() < rest.len();
    *rest = trimmed;
    spaced
}

/// A length of time as the operator wrote it, `1h30m`, or `all`. [`Display`](fmt::Display) is that
/// spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DurationSpec {
    text: Box<str>,
    /// `None`: all of the input.
    length_ms: Option<i64>,
}

impl DurationSpec {
    /// Reads `60m`, `15min`, `1h30m`, `2d`, `1w`, `90s` and `all`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<DurationSpec> {
        let spelled = text.trim();
        let length_ms = match spelled {
            "all" => None,
            _ => Some(length_ms(spelled, spelled)?),
        };
        Ok(DurationSpec {
            text: spelled.into(),
            length_ms,
        })
    }

    /// Milliseconds; `None` for `all`.
    pub(crate) fn length_ms(&self) -> Option<i64> {
        self.length_ms
    }
}

impl fmt::Display for DurationSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A stretch of time, `09:00..12:00`, as the operator wrote it. One end may be missing: there, it is that of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    text: Box<str>,
    since: Option<TimeSpec>,
    until: Option<TimeSpec>,
}

impl Stretch {
    /// `None`: that is no stretch of time, and may be a path.
    pub(crate) fn parse(text: &str) -> Option<Stretch> {
        let (since, until) = text.split_once("..")?;
        let time = |text: &str| match text.trim() {
            "" => Some(None),
            text => TimeSpec::parse(text).ok().map(Some),
        };
        let (since, until) = (time(since)?, time(until)?);
        (since.is_some() || until.is_some()).then(|| Stretch {
            text: text.into(),
            since,
            until,
        })
    }

    /// Whether it depends on where the input ends.
    pub(crate) fn needs_end(&self) -> bool {
        let times = [&self.since, &self.until];
        times.into_iter().flatten().any(TimeSpec::needs_end)
    }

    /// The stretch that is meant, for an input with these first and last log times.
    ///
    /// # Errors
    ///
    /// A zone is not known; it is empty, or has nothing of the input: `09:00..10:00: after the last record (…)`.
    pub(crate) fn resolve(
        &self,
        zone: &DisplayZone,
        first: Instant,
        last: Instant,
    ) -> anyhow::Result<Window> {
        let instant = |time: &Option<TimeSpec>| {
            let at = time.as_ref().map(|time| time.resolve(zone, first, last));
            at.transpose().map_err(|err| anyhow!("{self}: {err:#}"))
        };
        let (since, until) = (instant(&self.since)?, instant(&self.until)?);
        let short = |at| zone.short(at, Precision::default());
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            bail!(
                "{self}: begins when it is over ({} and {})",
                short(since),
                short(until)
            );
        }
        if since.is_some_and(|since| since > last) {
            bail!("{self}: after the last record ({})", short(last));
        }
        if until.is_some_and(|until| until <= first) {
            bail!("{self}: before the first record ({})", short(first));
        }
        Ok(Window { since, until })
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads the length of a bucket, `15m`, in whole seconds: at least one, at most a year of 366 days.
pub(crate) fn parse_bucket(text: &str) -> anyhow::Result<u64> {
    let spelled = text.trim();
    ensure!(
        spelled != "all",
        "'all' is not the length of a bucket; give 15m, 1h or 1d"
    );
    let length_ms = length_ms(spelled, spelled)?;
    ensure!(
        length_ms <= 366 * DAY_MS,
        "a bucket of '{spelled}' is longer than a year; give 15m, 1h or 1d"
    );
    Ok((length_ms / SECOND_MS) as u64)
}

/// Reads `1h30m`: milliseconds, more than 0; `spelled` is what an error quotes.
fn length_ms(text: &str, spelled: &str) -> anyhow::Result<i64> {
    const LENGTHS: &str = "give 90s, 15min, 1h30m, 2d or 1w";
    let mut total_ms: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        ensure!(digits > 0, "'{spelled}' is not a length of time; {LENGTHS}");
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let unit_ms = match unit {
            "s" | "sec" | "second" | "seconds" => SECOND_MS,
            "m" | "min" | "minute" | "minutes" => MINUTE_MS,
            "h" | "hour" | "hours" => HOUR_MS,
            "d" | "day" | "days" => DAY_MS,
            "w" | "week" | "weeks" => 7 * DAY_MS,
            "" if number.bytes().all(|b| b == b'0') && after.is_empty() => {
                bail!("'{spelled}' is no length of time; {LENGTHS}")
            }
            "" if after.is_empty() => bail!("'{spelled}' has no unit; {LENGTHS}"),
            _ => bail!("'{spelled}' is not a length of time; {LENGTHS}"),
        };
        // A century is more than any log has, and leaves room for arithmetic.
        total_ms = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(unit_ms)?.checked_add(total_ms))
            .filter(|&ms| ms <= 36_525 * DAY_MS)
            .ok_or_else(|| anyhow!("'{spelled}' is longer than a century; {LENGTHS}"))?;
        rest = after.trim_start();
    }
    ensure!(total_ms > 0, "'{spelled}' is no length of time; {LENGTHS}");
    Ok(total_ms)
}

/// A part of each day: `22:00-06:00`, from the first time to just before the second, which may be on
/// the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Between {
    since_ms: i64,
    until_ms: i64,
}

impl Between {
    /// Reads `HH:MM[:SS]-HH:MM[:SS]`; the end may be `24:00`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Between> {
        let wrong =
            || anyhow!("'{text}' is not a part of a day; give two times such as 22:00-06:00");
        let (since, until) = text.split_once('-').ok_or_else(wrong)?;
        let time = |part: &str| {
            let mut rest = part.trim();
            let time = time_of_day(&mut rest, text)?;
            time.filter(|_| rest.is_empty()).ok_or_else(wrong)
        };
        let between = Between {
            since_ms: time(since)?,
            until_ms: match until.trim() {
                "24:00" | "24:00:00" => DAY_MS,
                until => time(until)?,
            },
        };
        ensure!(
            between.since_ms != between.until_ms,
            "'{text}' begins when it ends; give two different times such as 22:00-06:00"
        );
        Ok(between)
    }

    /// Whether the clock shows a time of that part.
    pub(crate) fn contains(self, zone: &DisplayZone, at: Instant) -> bool {
        let of_day_ms = zone.wall_ms(at).rem_euclid(DAY_MS);
        let (begun, ended) = (of_day_ms >= self.since_ms, of_day_ms >= self.until_ms);
        if self.since_ms < self.until_ms {
            begun && !ended
        } else {
            begun || !ended
        }
    }
}

/// What the operator asked to see of the input.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowRequest {
    /// `--since`
    pub(crate) since: Option<TimeSpec>,
    /// `--until`
    pub(crate) until: Option<TimeSpec>,
    /// `--last`: ends at `until` or `at`, else with the input.
    pub(crate) last: Option<DurationSpec>,
    /// `--at`: the state at that instant, so the window ends there.
    pub(crate) at: Option<TimeSpec>,
    /// `--between`: not part of the window; within it, each day's part.
    pub(crate) between: Option<Between>,
    /// The input goes on: `--since` may be later than its last record.
    pub(crate) goes_on: bool,
}

/// The stretch of the input that is looked at: `[since, until)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// `None`: from the beginning of the input.
    pub(crate) since: Option<Instant>,
    /// `None`: to the end of the input, inclusive.
    pub(crate) until: Option<Instant>,
}

impl WindowRequest {
    /// Nothing was asked for, but perhaps a part of each day.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.at.is_none() && self.last.is_none()
    }

    /// It is counted from the end of the input.
    pub(crate) fn needs_end(&self) -> bool {
        let times = [&self.since, &self.until, &self.at];
        self.last.is_some() || times.into_iter().flatten().any(TimeSpec::needs_end)
    }

    /// The window that is meant, for an input with these first and last log times.
    ///
    /// # Errors
    ///
    /// Flags that exclude each other, a zone that is not known, a window that is empty or has
    /// nothing of the input: `--at 14:03: after the last record (23 Nov 03:03:11 UTC)`.
    pub(crate) fn resolve(
        &self,
        zone: &DisplayZone,
        first: Instant,
        last: Instant,
    ) -> anyhow::Result<Window> {
        let asked = |flag, time| Asked::resolve(flag, time, zone, first, last);
        let since = asked("--since", self.since.as_ref()).transpose()?;
        let until = asked("--until", self.until.as_ref()).transpose()?;
        let at = asked("--at", self.at.as_ref()).transpose()?;
        let short = |at| zone.short(at, Precision::default());
        let end = match (until, at) {
            (Some(until), Some(at)) => bail!("{until}: excludes {at}; leave out one of them"),
            (until, at) => until.or(at),
        };
        if let (Some(since), Some(length)) = (&since, &self.last) {
            bail!("--last {length}: excludes {since}; leave out one of them");
        }
        for asked in since.iter().chain(&end) {
            let may_come = asked.flag == "--until" || asked.flag == "--since" && self.goes_on;
            if asked.at > last && !may_come {
                bail!("{asked}: after the last record ({})", short(last));
            }
            if asked.at < first && asked.flag != "--since" {
                bail!("{asked}: before the first record ({})", short(first));
            }
        }
        if let (Some(since), Some(end)) = (&since, &end)
            && since.at >= end.at
        {
            bail!(
                "{since}: not before {end} ({} and {})",
                short(since.at),
                short(end.at)
            );
        }
        let until = end.map(|end| end.at);
        let length_ms = self.last.as_ref().and_then(DurationSpec::length_ms);
        Ok(Window {
            since: match since {
                Some(since) => Some(since.at),
                None => length_ms.map(|ms| until.unwrap_or(last).min(last).plus_ms(-ms)),
            },
            until,
        })
    }
}

/// A flag and the instant that it means; shown as it was written, `--at 14:03`.
struct Asked<'a> {
    flag: &'static str,
    time: &'a TimeSpec,
    at: Instant,
}

impl<'a> Asked<'a> {
    fn resolve(
        flag: &'static str,
        time: Option<&'a TimeSpec>,
        zone: &DisplayZone,
        first: Instant,
        last: Instant,
    ) -> Option<anyhow::Result<Asked<'a>>> {
        let time = time?;
        let at = time.resolve(zone, first, last);
        Some(match at {
            Ok(at) => Ok(Asked { flag, time, at }),
            Err(err) => Err(anyhow!("{flag} {time}: {err:#}")),
        })
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flag, self.time)
    }
}

#[cfg(test)]
mod tests;
