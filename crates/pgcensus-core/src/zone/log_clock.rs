//! The clock of a log: its wall times as instants, and the zones that it was seen to name.

use std::ops::Range;

use jiff::tz::TimeZone;
use pgcensus_log::log_time::{LogTime, Zone};

use super::abbreviation::{
    Meaning, ambiguity, default_meaning, numeric_offset_s, without_brackets,
};
use super::{DAY_MS, abbreviation_of, civil, offset_s, readings};
use crate::instant::Instant;

/// Changes of zone that are kept; a log has two a year.
const CHANGES_MAX: usize = 1000;
/// Meanings of zone texts that are kept; a log has one or two at a time.
const KNOWN_MAX: usize = 16;
/// Remarks that are kept.
const REMARKS_MAX: usize = 20;

/// Turns the log times of one server into instants.
///
/// What the log says without doubt is believed: a numeric offset, and an abbreviation of PostgreSQL's
/// default set that has one meaning. `log_timezone`, where it is given, is believed before the default
/// set for its own abbreviations, the ambiguous (`IST`, `CST`) and the unknown ones; in the hour that
/// a change repeats, its reading with the printed abbreviation is taken. An unknown abbreviation
/// without a `log_timezone` is taken as UTC, and [`notes`](Self::notes) says so.
///
/// How it is fast: the last meanings of zone texts are kept, each with the wall times for which it
/// holds, so that a time costs a comparison of a few bytes and an addition. Results never depend on what
/// was read before. Logs interleave few meanings (a csvlog record of winter has a session of summer).
#[derive(Clone, Debug, Default)]
pub struct LogClock {
    log_timezone: Option<TimeZone>,
    /// The log named a zone without doubt that is not `log_timezone`.
    overruled: bool,
    known: Vec<Known>,
    /// Index in `known` of the latest use, and of the next to be replaced.
    last: usize,
    oldest: usize,
    observed: Observed,
    remarks: Vec<Remark>,
}

/// The meaning of a zone text in a range of wall times.
#[derive(Clone, Debug)]
struct Known {
    text: Box<[u8]>,
    wall_ms: Range<i64>,
    offset_s: i32,
    abbreviation: Box<str>,
}

impl Known {
    fn holds(&self, text: &[u8], wall_ms: i64) -> bool {
        *self.text == *text && self.wall_ms.contains(&wall_ms)
    }
}

/// Something about a zone text that the operator should know.
#[derive(Clone, Debug)]
struct Remark {
    text: Box<str>,
    note: String,
}

impl LogClock {
    /// A clock that knows the server's `log_timezone`, or nothing.
    pub fn new(log_timezone: Option<TimeZone>) -> LogClock {
        LogClock {
            log_timezone,
            ..LogClock::default()
        }
    }

    /// The instant of a log time; its zone is noted as one of this log's.
    pub fn instant(&mut self, time: LogTime<&[u8]>) -> Instant {
        let Zone::Named(text) = time.zone else {
            return Instant(time.wall_ms);
        };
        if !(self.known.get(self.last)).is_some_and(|known| known.holds(text, time.wall_ms)) {
            self.last = self.find(text, time.wall_ms);
        }
        let known = &self.known[self.last];
        let at = Instant(time.wall_ms - i64::from(known.offset_s) * 1000);
        self.observed.see(at, known.offset_s, &known.abbreviation);
        at
    }

    /// The instant of a log time with the same zone text as the one before it; `None`: ask [`instant`](Self::instant).
    pub fn instant_in_same_zone(&mut self, wall_ms: i64) -> Option<Instant> {
        let known = self.known.get(self.last)?;
        if !known.wall_ms.contains(&wall_ms) {
            return None;
        }
        let at = Instant(wall_ms - i64::from(known.offset_s) * 1000);
        self.observed.see_again(at).then_some(at)
    }

    /// What the operator should know about the zones of this log, a sentence each:
    /// `zone XYZ is not known, taken as UTC: give --log-timezone`.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self.remarks.iter().map(|r| r.note.clone()).collect();
        if self.observed.full {
            notes.push(format!(
                "the log's zone changed more than {CHANGES_MAX} times; later changes are not followed in the output: give --timezone"
            ));
        }
        notes
    }

    /// The zone of this log, as far as it was seen.
    pub fn log_zone(&self) -> LogZone {
        LogZone {
            log_timezone: self.log_timezone.clone().filter(|_| !self.overruled),
            changes: self.observed.changes.clone(),
        }
    }

    /// The index in `known` of what holds, which is worked out where it is not there.
    fn find(&mut self, text: &[u8], wall_ms: i64) -> usize {
        if let Some(i) = self.known.iter().position(|k| k.holds(text, wall_ms)) {
            return i;
        }
        let known = self.meaning(text, wall_ms);
        if self.known.len() < KNOWN_MAX {
            self.known.push(known);
            return self.known.len() - 1;
        }
        let i = self.oldest;
        self.oldest = (i + 1) % KNOWN_MAX;
        self.known[i] = known;
        i
    }

    fn meaning(&mut self, text: &[u8], wall_ms: i64) -> Known {
        let name = without_brackets(text);
        let logged = Logged::of(name, wall_ms);
        let (offset_s, wall_ms) = match (&self.log_timezone, logged) {
            (Some(zone), logged) => {
                let own = Reading::of(zone, name, wall_ms);
                match logged {
                    Some(logged) if !own.named && logged.certain => {
                        let at = Instant(wall_ms - i64::from(logged.offset_s) * 1000);
                        if offset_s(zone, at) != logged.offset_s {
                            self.overruled = true;
                            self.remark_overruled(name, logged.offset_s);
                        }
                        let wall_ms = own.wall_ms.start.max(logged.wall_ms.start)
                            ..own.wall_ms.end.min(logged.wall_ms.end);
                        (logged.offset_s, wall_ms)
                    }
                    _ => (own.offset_s, own.wall_ms),
                }
            }
            (None, Some(logged)) => {
                self.remark_ambiguity(name, logged.offset_s);
                (logged.offset_s, logged.wall_ms)
            }
            (None, None) => {
                self.remark(name, |text| match text {
                    // What stamps say that have none, as those of RFC 3164.
                    "local" => {
                        "the log's time stamps have no zone, taken as UTC: give --log-timezone"
                            .to_owned()
                    }
                    _ => format!("zone {text} is not known, taken as UTC: give --log-timezone"),
                });
                (0, i64::MIN..i64::MAX)
            }
        };
        Known {
            text: text.into(),
            wall_ms,
            offset_s,
            abbreviation: String::from_utf8_lossy(name).into(),
        }
    }

    fn remark_overruled(&mut self, name: &[u8], offset_s: i32) {
        self.remark(name, |text| {
            format!(
                "the log says {text}, which is not of the --log-timezone that was given: taken as {}",
                utc(offset_s)
            )
        });
    }

    fn remark_ambiguity(&mut self, name: &[u8], offset_s: i32) {
        if let Some((default, others)) = ambiguity(name) {
            self.remark(name, |text| {
                format!(
                    "{text} taken as {default}, {} (PostgreSQL's default); it can also mean {others}: give --log-timezone",
                    utc(offset_s)
                )
            });
        }
    }

    fn remark(&mut self, name: &[u8], note: impl Fn(&str) -> String) {
        let text = String::from_utf8_lossy(name);
        if self.remarks.len() < REMARKS_MAX && self.remarks.iter().all(|r| *r.text != *text) {
            self.remarks.push(Remark {
                note: note(&text),
                text: text.into(),
            });
        }
    }
}

/// Seconds east of UTC of an abbreviation of PostgreSQL's default set, or of a numeric zone, at a
/// wall time.
pub(super) fn default_offset_s(name: &[u8], wall_ms: i64) -> Option<i32> {
    Logged::of(name, wall_ms).map(|logged| logged.offset_s)
}

/// What a zone text means by itself.
struct Logged {
    offset_s: i32,
    /// It can mean nothing else.
    certain: bool,
    /// Wall times for which all of this is the same.
    wall_ms: Range<i64>,
}

impl Logged {
    /// `None` where it is not known.
    fn of(name: &[u8], wall_ms: i64) -> Option<Logged> {
        let always = i64::MIN..i64::MAX;
        let (offset_s, wall_ms) = match (numeric_offset_s(name), default_meaning(name)) {
            (Some(offset_s), _) | (None, Some(Meaning::Offset(offset_s))) => (offset_s, always),
            (None, Some(Meaning::Zone(zone, offset_s))) => match TimeZone::get(zone) {
                Ok(zone) => {
                    let reading = Reading::of(&zone, name, wall_ms);
                    (reading.offset_s, reading.wall_ms)
                }
                Err(_) => (offset_s, always),
            },
            (None, None) => return None,
        };
        Some(Logged {
            offset_s,
            certain: ambiguity(name).is_none(),
            wall_ms,
        })
    }
}

/// A wall time in a zone.
struct Reading {
    offset_s: i32,
    /// The zone has the printed abbreviation then.
    named: bool,
    /// Wall times for which all of this is the same.
    wall_ms: Range<i64>,
}

impl Reading {
    fn of(zone: &TimeZone, name: &[u8], wall_ms: i64) -> Reading {
        let (earlier, later) = readings(|at| offset_s(zone, at), wall_ms);
        let named = [earlier, later].into_iter().find(|&at| {
            abbreviation_of(zone, at)
                .as_bytes()
                .eq_ignore_ascii_case(name)
        });
        let at = named.unwrap_or(earlier);
        Reading {
            offset_s: offset_s(zone, at),
            named: named.is_some(),
            wall_ms: undisturbed(zone, at, wall_ms),
        }
    }
}

/// The wall times around this one that are more than a day from a change of the zone, or else its
/// minute alone: no zone has changed inside one since 1972.
fn undisturbed(zone: &TimeZone, at: Instant, wall_ms: i64) -> Range<i64> {
    let at = civil::timestamp(at.0);
    let bound = |change: jiff::tz::TimeZoneTransition, days: i64| {
        let offset_ms = i64::from(zone.to_offset(at).seconds()) * 1000;
        change.timestamp().as_millisecond() + offset_ms + days * DAY_MS
    };
    let next = zone.following(at).next().map_or(i64::MAX, |c| bound(c, -1));
    // A change at this very instant is not among the preceding ones.
    let after = at
        .checked_add(jiff::Span::new().milliseconds(1))
        .unwrap_or(at);
    let previous = zone
        .preceding(after)
        .next()
        .map_or(i64::MIN, |c| bound(c, 1));
    if (previous..next).contains(&wall_ms) {
        return previous..next;
    }
    let minute = wall_ms - wall_ms.rem_euclid(60_000);
    minute..minute + 60_000
}

/// `UTC+2`, `UTC-3:30`, `UTC`
fn utc(offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    match (offset_s.abs() / 3600, offset_s.abs() / 60 % 60) {
        (0, 0) => "UTC".into(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// The zone of a log, as far as it was seen: from when on which offset, by what name.
#[derive(Clone, Debug, Default)]
pub struct LogZone {
    /// Given by the operator and not contradicted by the log.
    log_timezone: Option<TimeZone>,
    changes: Vec<Change>,
}

impl LogZone {
    /// Seconds east of UTC: that of the latest observation not after the instant, of the first one
    /// before that; UTC where nothing was observed.
    pub fn offset_s(&self, at: Instant) -> i32 {
        match &self.log_timezone {
            Some(zone) => offset_s(zone, at),
            None => self.change(at).map_or(0, |change| change.offset_s),
        }
    }

    /// The abbreviation that the log prints then.
    pub fn abbreviation(&self, at: Instant) -> String {
        match &self.log_timezone {
            Some(zone) => abbreviation_of(zone, at),
            None => self
                .change(at)
                .map_or("UTC", |change| &change.abbreviation)
                .into(),
        }
    }

    fn change(&self, at: Instant) -> Option<&Change> {
        let after = self.changes.partition_point(|change| change.first <= at);
        self.changes.get(after.saturating_sub(1))
    }
}

/// A stretch of time in which the log named one zone.
#[derive(Clone, Debug)]
struct Change {
    first: Instant,
    last: Instant,
    offset_s: i32,
    abbreviation: Box<str>,
}

impl Change {
    fn is(&self, offset_s: i32, abbreviation: &str) -> bool {
        self.offset_s == offset_s && *self.abbreviation == *abbreviation
    }
}

/// The zones that a log was seen to name, in order of time; they need not be seen in that order, since
/// records also tell when their session began.
#[derive(Clone, Debug, Default)]
struct Observed {
    /// Sorted, without overlaps; neighbours differ. At most [`CHANGES_MAX`].
    changes: Vec<Change>,
    /// The one that was seen last.
    current: usize,
    /// There were more.
    full: bool,
}

impl Observed {
    fn see(&mut self, at: Instant, offset_s: i32, abbreviation: &str) {
        let next = self.changes.get(self.current + 1).map(|next| next.first);
        if let Some(change) = self.changes.get_mut(self.current)
            && change.first <= at
            && next.is_none_or(|next| at < next)
            && change.is(offset_s, abbreviation)
        {
            change.last = change.last.max(at);
            return;
        }
        self.current = self.see_new(at, offset_s, abbreviation);
    }

    /// Extends the current stretch by an instant in its zone; false where that is not in it.
    fn see_again(&mut self, at: Instant) -> bool {
        let is_last = self.current + 1 == self.changes.len();
        match self.changes.get_mut(self.current) {
            Some(change) if change.first <= at && is_last => {
                change.last = change.last.max(at);
                true
            }
            _ => false,
        }
    }

    /// Extends a stretch or begins one; the index of the one that holds `at` then.
    fn see_new(&mut self, at: Instant, offset_s: i32, abbreviation: &str) -> usize {
        let after = self.changes.partition_point(|change| change.first <= at);
        let before = after.saturating_sub(1);
        if let Some(change) = self.changes.get_mut(before).filter(|c| c.first <= at) {
            if change.is(offset_s, abbreviation) {
                change.last = change.last.max(at);
                return before;
            }
            // A session that began before log_timezone was changed: that time was shown otherwise then.
            if at <= change.last {
                return before;
            }
        }
        if let Some(change) = self.changes.get_mut(after)
            && change.is(offset_s, abbreviation)
        {
            change.first = at;
            return after;
        }
        if self.changes.len() == CHANGES_MAX {
            self.full = true;
            return before;
        }
        self.changes.insert(
            after,
            Change {
                first: at,
                last: at,
                offset_s,
                abbreviation: abbreviation.into(),
            },
        );
        after
    }
}
