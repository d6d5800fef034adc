//! Telling `%t` and `%s` apart, which look alike: the log time moves on, a process begins once.

use std::collections::HashMap;

use super::{Line, score};
use crate::line_prefix::{LinePrefix, Part, parse_parts};
use crate::log_time;

/// Lines that are looked at.
const LINES_MAX: usize = 64;

/// The times of one line, in the order of the prefix.
struct Times<'c> {
    pid: Option<u32>,
    /// Out of `%n`.
    epoch_ms: Option<i64>,
    /// With the text of each to its second, whose order is that of time.
    wall: Vec<&'c [u8]>,
}

/// `prefix`, its times without milliseconds renamed to what they prove to be.
pub(super) fn told_apart(prefix: LinePrefix, lines: &[Line<'_>]) -> LinePrefix {
    let mut parts = parse_parts(prefix.as_str().as_bytes());
    // The place among all wall times, and the place among the parts.
    let mut seconds: Vec<(usize, usize)> = Vec::new();
    let mut exact = None;
    let mut count = 0;
    for (i, part) in parts.iter().enumerate() {
        let Part::Field(field) = part else { continue };
        match field.escape {
            b't' | b's' => seconds.push((count, i)),
            b'm' => exact = Some(count),
            _ => continue,
        }
        count += 1;
    }
    if seconds.is_empty() || seconds.len() > 2 {
        return prefix;
    }
    let seen: Vec<Times<'_>> = lines
        .iter()
        .take(LINES_MAX)
        .filter_map(|line| {
            let head = score::read(&prefix, line)?;
            let wall = wall_times(line.head);
            (wall.len() == count).then_some(Times {
                pid: head.pid,
                epoch_ms: head.log_time.map(|time| time.wall_ms),
                wall,
            })
        })
        .collect();
    if seen.is_empty() {
        return prefix;
    }
    let same = |(k, _): (usize, usize)| {
        seen.iter().all(|times| match (exact, times.epoch_ms) {
            (Some(exact), _) => times.wall[k] == times.wall[exact],
            // Zones differ from UTC in minutes.
            (None, Some(ms)) => {
                let second = u8::try_from(ms / 1000 % 60).unwrap_or(0);
                times.wall[k][17..19] == [b'0' + second / 10, b'0' + second % 10]
            }
            (None, None) => false,
        })
    };
    let log_times: Vec<bool> = if exact.is_some() || prefix.has(b'n') {
        // Where no process writes in two seconds, nothing tells: what stands before the exact time is the log time again.
        let moves = writes_in_two_seconds(&seen, exact);
        let may_be = |(k, _): (usize, usize)| moves || exact.is_none_or(|exact| k < exact);
        let first = seconds
            .iter()
            .position(|second| same(*second) && may_be(*second));
        (0..seconds.len()).map(|i| Some(i) == first).collect()
    } else if let [(a, _), (b, _)] = seconds[..] {
        let second_is = seen.iter().any(|times| times.wall[b] > times.wall[a]);
        vec![!second_is, second_is]
    } else {
        vec![!begins_once(&seen)]
    };
    for ((_, i), is_log_time) in seconds.iter().zip(log_times) {
        if let Part::Field(field) = &mut parts[*i] {
            field.escape = if is_log_time { b't' } else { b's' };
        }
    }
    super::derive::print(&parts)
        .and_then(|text| LinePrefix::parse(&text).ok())
        .unwrap_or(prefix)
}

/// Some process has lines of two seconds, by the time with milliseconds: its start is not in both of them.
fn writes_in_two_seconds(seen: &[Times<'_>], exact: Option<usize>) -> bool {
    let mut seconds = HashMap::new();
    seen.iter().any(|times| {
        let second = match exact {
            Some(exact) => (Some(times.wall[exact]), None),
            None => (None, times.epoch_ms.map(|ms| ms.div_euclid(1000))),
        };
        times
            .pid
            .is_some_and(|pid| *seconds.entry(pid).or_insert(second) != second)
    })
}

/// The one time stays the same in each process, and goes back where another process writes.
fn begins_once(seen: &[Times<'_>]) -> bool {
    let mut begins = HashMap::new();
    let constant = seen
        .iter()
        .filter_map(|times| Some((times.pid?, times.wall[0])))
        .all(|(pid, time)| *begins.entry(pid).or_insert(time) == time);
    let back = seen
        .windows(2)
        .filter(|pair| pair[1].wall[0] < pair[0].wall[0])
        .count();
    constant && !begins.is_empty() && back > 0
}

/// `2026-11-23 05:32:45` of each time in a head.
fn wall_times(head: &[u8]) -> Vec<&[u8]> {
    let mut times = Vec::new();
    let mut pos = 0;
    while let Some(at) = memchr::memchr(b'-', &head[pos..]) {
        let dash = pos + at;
        pos = dash + 1;
        let Some(start) = dash.checked_sub(4) else {
            continue;
        };
        if let Some((_, len)) = log_time::read_wall(&head[start..]) {
            times.push(&head[start..start + 19]);
            pos = start + len;
        }
    }
    times
}
