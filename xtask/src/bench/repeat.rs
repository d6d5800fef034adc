//! A real stretch of a log, over and over: each copy is later than the one before and of other
//! backends, as if the server had gone on like that.
//!
//! Changed are the times at which records were logged and sessions began, the pids, and the session ids that
//! are made of both; nothing else. A stretch begins and ends while no session is open, so every copy is
//! complete in itself, and the log has as many sessions as the stretch, times the copies.

use std::io::{self, BufRead, Write};

use anyhow::{Context as _, Result};
use jiff::Span;
use jiff::civil::DateTime;

use crate::server::Format;

/// Pids are below this on Linux, wherever it is not set lower.
const PID_END: u32 = 4_194_304;
/// The least pid of a copy.
const PID_MIN: u32 = 2;

/// What one stretch holds, and how far the next copy of it is from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// Lines about connections: received, authenticated, authorized, disconnection, or refused.
    pub(super) connection_lines: u64,
    /// Sessions that ended in it.
    pub(super) sessions: u64,
    /// Connections that ended as `FATAL`, some of them after they were authorized.
    pub(super) refused: u64,
    pub(super) authorized: u64,
    /// From one copy to the next.
    pub(super) step: Step,
}

/// A distance between two copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) seconds: u32,
    pub(super) pids: u32,
}

/// Writes lines of a stretch as those of a later copy.
pub(super) struct Shift {
    format: Format,
    seconds: i64,
    pids: u32,
    log_time: Clock,
    session_start: Clock,
}

/// Times of whole seconds, `2026-11-23 04:56:44`, moved by some; the last one is remembered, as most
/// lines have the second of the line before.
#[derive(Default)]
struct Clock {
    real: Vec<u8>,
    moved: Vec<u8>,
}

/// The length of [`Clock`]'s times.
const TIME_LEN: usize = 19;

/// Reads through a stretch.
///
/// # Errors
/// When it cannot be read, or nothing in it has a time.
pub(super) fn survey(format: Format, mut stretch: impl BufRead) -> Result<Survey> {
    let mut found = Survey::default();
    let mut times: Option<(Vec<u8>, Vec<u8>)> = None;
    let mut pids: Option<(u32, u32)> = None;
    each_line(&mut stretch, |line| {
        found.bytes += line.len() as u64;
        found.lines += 1;
        let is_authorized = contains(line, b"connection authorized: ");
        let is_end = contains(line, b"disconnection: session time: ");
        let is_refusal = contains(line, b"FATAL");
        found.authorized += u64::from(is_authorized);
        found.sessions += u64::from(is_end);
        found.refused += u64::from(is_refusal);
        let is_other = || {
            contains(line, b"connection received: ")
                || contains(line, b"connection authenticated: ")
        };
        found.connection_lines += u64::from(is_authorized || is_end || is_refusal || is_other());
        if let (Some(time), Some(pid)) = (time_of(format, line), pid_of(format, line)) {
            let (first, last) = times.get_or_insert_with(|| (time.to_vec(), time.to_vec()));
            if time < first.as_slice() {
                *first = time.to_vec();
            } else if time > last.as_slice() {
                *last = time.to_vec();
            }
            let (min, max) = pids.get_or_insert((pid, pid));
            *min = pid.min(*min);
            *max = pid.max(*max);
        }
        Ok(())
    })?;
    let (first, last) = times.context("no line of it has a time")?;
    let (min, max) = pids.context("no line of it has a pid")?;
    let seconds = parse_time(&first)
        .duration_until(parse_time(&last))
        .as_secs();
    found.step = Step {
        // Parts of a second were left out of both.
        seconds: seconds as u32 + 2,
        pids: max - min + 1,
    };
    Ok(found)
}

impl Survey {
    /// How many copies have at least so many bytes.
    pub(super) fn copies(&self, bytes: u64) -> u32 {
        bytes.div_ceil(self.bytes) as u32
    }

    /// Of what a log was made: so many copies of this stretch.
    pub(super) fn recipe(&self, copies: u32) -> String {
        format!("{copies} × {} bytes, {} lines", self.bytes, self.lines)
    }
}

/// Calls `act` with each line, its newline included.
///
/// # Errors
/// Those of the reader and of `act`.
pub(super) fn each_line(
    reader: &mut impl BufRead,
    mut act: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        act(&line)?;
        line.clear();
    }
    Ok(())
}

impl Shift {
    /// For the copy of this number; that of number 0 is the stretch itself.
    pub(super) fn new(format: Format, step: Step, copy: u32) -> Shift {
        Shift {
            format,
            seconds: i64::from(step.seconds) * i64::from(copy),
            pids: (u64::from(step.pids) * u64::from(copy) % u64::from(PID_END - PID_MIN)) as u32,
            log_time: Clock::default(),
            session_start: Clock::default(),
        }
    }

    /// Appends the line as it is in this copy. One that begins no record stays as it is.
    pub(super) fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        let done = match self.format {
            Format::Stderr => self.stderr(line, out),
            Format::Csvlog => self.csvlog(line, out),
            Format::Jsonlog => self.jsonlog(line, out),
        };
        if done.is_none() {
            out.truncate(begin);
            out.extend_from_slice(line);
        }
    }

    /// `2026-11-23 04:56:44.170 UTC [30630] …`
    fn stderr(&mut self, line: &[u8], out: &mut Vec<u8>) -> Option<()> {
        time_of(Format::Stderr, line)?;
        let (time, rest) = line.split_at(TIME_LEN);
        let pid = find(rest, b"[")? + 1;
        let pid_end = pid + find(&rest[pid..], b"]")?;
        self.log_time.moved(time, self.seconds, out);
        out.extend_from_slice(&rest[..pid]);
        self.pid(&rest[pid..pid_end], out)?;
        out.extend_from_slice(&rest[pid_end..]);
        Some(())
    }

    /// Columns 1, 4, 6 and 9: log time, pid, session id, start of the session.
    fn csvlog(&mut self, line: &[u8], out: &mut Vec<u8>) -> Option<()> {
        time_of(Format::Csvlog, line)?;
        let mut rest = line;
        for column in 1..=9 {
            let (field, after) = rest.split_at(csv_field_end(rest)?);
            match column {
                1 | 9 if field.len() < TIME_LEN => return None,
                1 => self.log_time.moved(&field[..TIME_LEN], self.seconds, out),
                4 => self.pid(field, out)?,
                6 => self.session_id(field, out)?,
                9 => self
                    .session_start
                    .moved(&field[..TIME_LEN], self.seconds, out),
                _ => out.extend_from_slice(field),
            }
            if matches!(column, 1 | 9) {
                out.extend_from_slice(&field[TIME_LEN..]);
            }
            // The comma.
            out.push(*after.first()?);
            rest = &after[1..];
        }
        out.extend_from_slice(rest);
        Some(())
    }

    /// `timestamp`, `pid`, `session_id`, `session_start`, in this order.
    fn jsonlog(&mut self, line: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut rest = line;
        let mut skip_past = |key: &[u8], out: &mut Vec<u8>| -> Option<&[u8]> {
            let (before, after) = rest.split_at(find(rest, key)? + key.len());
            out.extend_from_slice(before);
            let end = after.iter().position(|&b| matches!(b, b'"' | b','))?;
            let value;
            (value, rest) = after.split_at(end);
            Some(value)
        };
        let time = skip_past(b"{\"timestamp\":\"", out)?;
        self.log_time
            .moved(time.get(..TIME_LEN)?, self.seconds, out);
        out.extend_from_slice(&time[TIME_LEN..]);
        let pid = skip_past(b"\"pid\":", out)?;
        self.pid(pid, out)?;
        let id = skip_past(b"\"session_id\":\"", out)?;
        self.session_id(id, out)?;
        let start = skip_past(b"\"session_start\":\"", out)?;
        self.session_start
            .moved(start.get(..TIME_LEN)?, self.seconds, out);
        out.extend_from_slice(&start[TIME_LEN..]);
        out.extend_from_slice(rest);
        Some(())
    }

    /// `6b03c78c.77a6`: the second at which the backend began and its pid, in hex.
    fn session_id(&self, id: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (start, pid) = std::str::from_utf8(id).ok()?.split_once('.')?;
        let start = i64::from_str_radix(start, 16).ok()? + self.seconds;
        let pid = self.moved_pid(u32::from_str_radix(pid, 16).ok()?);
        write!(out, "{start:x}.{pid:x}").ok()
    }

    fn pid(&self, pid: &[u8], out: &mut Vec<u8>) -> Option<()> {
        write!(out, "{}", self.moved_pid(number(pid)?)).ok()
    }

    /// Different pids stay different.
    fn moved_pid(&self, pid: u32) -> u32 {
        (pid - PID_MIN + self.pids) % (PID_END - PID_MIN) + PID_MIN
    }
}

impl Clock {
    fn moved(&mut self, time: &[u8], seconds: i64, out: &mut Vec<u8>) {
        if self.real != time {
            let by = Span::new().seconds(seconds);
            let moved = parse_time(time)
                .checked_add(by)
                .expect("a year of four digits");
            self.moved = moved.strftime("%Y-%m-%d %H:%M:%S").to_string().into_bytes();
            self.real = time.to_vec();
        }
        out.extend_from_slice(&self.moved);
    }
}

/// The time that this line begins with, in whole seconds.
fn time_of(format: Format, line: &[u8]) -> Option<&[u8]> {
    let line = match format {
        Format::Jsonlog => line.strip_prefix(b"{\"timestamp\":\"")?,
        _ => line,
    };
    let time = line.get(..TIME_LEN)?;
    let is_time = time
        .iter()
        .zip(b"0000-00-00 00:00:00")
        .all(|(b, like)| match like {
            b'0' => b.is_ascii_digit(),
            _ => b == like,
        });
    is_time.then_some(time)
}

fn pid_of(format: Format, line: &[u8]) -> Option<u32> {
    let pid = match format {
        Format::Stderr => {
            let line = &line[find(line, b"[")? + 1..];
            &line[..find(line, b"]")?]
        }
        Format::Csvlog => {
            let mut rest = line;
            for _ in 1..4 {
                rest = rest.get(csv_field_end(rest)? + 1..)?;
            }
            &rest[..csv_field_end(rest)?]
        }
        Format::Jsonlog => {
            let line = &line[find(line, b"\"pid\":")? + 6..];
            &line[..find(line, b",")?]
        }
    };
    number(pid)
}

fn parse_time(time: &[u8]) -> DateTime {
    let text = std::str::from_utf8(time).expect("digits");
    text.parse()
        .expect("the server writes times that there are")
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where the first field ends, before its comma.
fn csv_field_end(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'"') {
        return memchr::memchr(b',', rest);
    }
    let mut at = 1;
    loop {
        at += memchr::memchr(b'"', &rest[at..])? + 1;
        if rest.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    find(line, text).is_some()
}

fn find(line: &[u8], text: &[u8]) -> Option<usize> {
    memchr::memmem::find(line, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step {
        seconds: 40,
        pids: 1000,
    };

    fn shifted(format: Format, copy: u32, line: &str) -> String {
        let mut out = Vec::new();
        Shift::new(format, STEP, copy).line(line.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn copy_is_later_and_of_other_backends() {
        let rows = [
            (
                Format::Stderr,
                "2026-11-23 23:59:44.170 UTC [30630] LOG:  duration: 0.1 ms  statement: select 1\n",
                "2026-11-24 00:01:04.170 UTC [32630] LOG:  duration: 0.1 ms  statement: select 1\n",
            ),
            (
                Format::Csvlog,
                "2026-11-23 04:56:44.170 UTC,\"my, \"\"user\"\"\",\"a b\",30630,\"127.0.0.1:60546\",6b03c78c.77a6,3,\
                 \"idle\",2026-11-23 04:56:44 UTC,8/3,0,LOG,00000,\"30630\",,,,,,,,,\"\",\"client backend\",,0\n",
                "2026-11-23 04:58:04.170 UTC,\"my, \"\"user\"\"\",\"a b\",32630,\"127.0.0.1:60546\",6b03c7dc.7f76,3,\
                 \"idle\",2026-11-23 04:58:04 UTC,8/3,0,LOG,00000,\"30630\",,,,,,,,,\"\",\"client backend\",,0\n",
            ),
            (
                Format::Jsonlog,
                "{\"timestamp\":\"2026-11-23 04:56:44.170 UTC\",\"user\":\"web\",\"pid\":30630,\
                 \"remote_host\":\"[local]\",\"session_id\":\"6b03c78c.77a6\",\"line_num\":1,\"ps\":\"\",\
                 \"session_start\":\"2026-11-23 04:56:43 UTC\",\"txid\":0,\"message\":\"x\"}\n",
                "{\"timestamp\":\"2026-11-23 04:58:04.170 UTC\",\"user\":\"web\",\"pid\":32630,\
                 \"remote_host\":\"[local]\",\"session_id\":\"6b03c7dc.7f76\",\"line_num\":1,\"ps\":\"\",\
                 \"session_start\":\"2026-11-23 04:58:03 UTC\",\"txid\":0,\"message\":\"x\"}\n",
            ),
        ];
        for (format, real, copy) in rows {
            assert_eq!(shifted(format, 0, real), real);
            assert_eq!(shifted(format, 2, real), copy);
        }
    }

    #[test]
    fn line_that_begins_no_record_stays() {
        for line in ["\tfrom t\n", "\n", "2026-11-23\n", "{\"timestamp\":\"\n"] {
            for format in Format::ALL {
                assert_eq!(shifted(format, 1, line), line);
            }
        }
    }

    #[test]
    fn pids_are_those_of_linux_and_stay_different() {
        for copy in [1, 100, 4_000, 5_000] {
            let shift = Shift::new(Format::Stderr, STEP, copy);
            let mut moved: Vec<u32> = (PID_MIN..PID_END)
                .step_by(997)
                .map(|pid| shift.moved_pid(pid))
                .collect();
            assert!(moved.iter().all(|pid| (PID_MIN..PID_END).contains(pid)));
            let pids = moved.len();
            moved.sort_unstable();
            moved.dedup();
            assert_eq!(moved.len(), pids);
        }
    }

    #[test]
    fn survey_tells_what_a_stretch_holds() {
        let stretch = "\
2026-11-23 04:56:44.900 UTC [300] LOG:  connection received: host=[local]
2026-11-23 04:56:44.950 UTC [300] LOG:  connection authorized: user=web database=shop
2026-11-23 04:56:45.000 UTC [299] FATAL:  password authentication failed for user \"intruder\"
2026-11-23 04:56:45.000 UTC [299] DETAIL:  Role \"intruder\" does not exist.
2026-11-23 04:56:45.100 UTC [300] LOG:  duration: 0.1 ms  statement: select 1
2026-11-23 04:56:47.100 UTC [300] LOG:  disconnection: session time: 0:00:02.150 user=web
";
        let found = survey(Format::Stderr, stretch.as_bytes()).unwrap();
        let known = Survey {
            bytes: stretch.len() as u64,
            lines: 6,
            connection_lines: 4,
            sessions: 1,
            refused: 1,
            authorized: 1,
            // Copies neither touch nor share a pid.
            step: Step {
                seconds: 5,
                pids: 2,
            },
        };
        assert_eq!(found, known);
        assert_eq!(found.copies(1_000), 1_000u32.div_ceil(known.bytes as u32));
        assert!(survey(Format::Stderr, &b"\tnothing\n"[..]).is_err());
    }
}
