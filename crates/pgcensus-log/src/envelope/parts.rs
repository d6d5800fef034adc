//! From the entries of an envelope to the text that the server wrote: what was torn apart is put together.
//!
//! ```text
//! [8-1] … FATAL:  password authentication failed …        2026-11-23 05:25:55.984 UTC [24874] FATAL:  password …
//! [8-2] ⇥2026-11-23 …                              ─►     ⇥2026-11-23 …
//! [8-3] … DETAIL:  Role "bob …                            2026-11-23 05:25:55.984 UTC [24874] DETAIL:  Role "bob …
//! ```
//!
//! # How this works
//!
//! The server sends a record to syslog as one message a line, and a longer line as several, in immediate succession;
//! those of other processes come between. So records wait, in the order in which they began, until their process
//! begins another one or [`WINDOW`] more messages have come. That a chunk goes on the line before it, and begins none,
//! can be told from lengths: the server cuts at 900 bytes, at white space where there is some. What begins a line with
//! neither a tab nor such a cut is a labelled line.
//!
//! Messages that hold line breaks themselves (`syslog_split_messages = off`, journald, cloud exports) are cut there. A
//! break that is not followed by a tab must be followed by a label that is no severity: else a tab is put there, since
//! a name can hold `#012` and a whole line behind it, and no record has two severities.
//!
//! Source: `write_syslog` in the server's `src/backend/utils/error/elog.c`.

use std::cell::OnceCell;
use std::collections::VecDeque;

use super::{Entry, Piece, line};
use crate::near;
use crate::translation::LineLabels;

/// Messages after which no part of a record is waited for any more.
const WINDOW: u64 = 64;
/// Bytes that wait; past this the first record is handed on as it is.
const HELD_MAX: usize = 4 << 20;
/// A record grows up to this; further parts of it are dropped. It is longer than any that is decoded.
const RECORD_MAX: usize = 2 << 20;
/// A line that came in parts, likewise.
const LINE_MAX: usize = 2 << 20;
/// The server cuts chunks at this many bytes, less up to three of a character that would be torn.
const CHUNK_MIN: usize = 900 - 3;

/// How the server numbers what it sends to syslog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Not at all: `syslog_sequence_numbers` and `syslog_split_messages` off; everything but syslog.
    #[default]
    None,
    /// `[N-M] `: the count of the record and that of the chunk.
    Both,
    /// `[M] `: chunks alone, `syslog_sequence_numbers = off`.
    Chunk,
    /// `[N] `: records alone, `syslog_split_messages = off`.
    Record,
}

/// What is written before each labelled line, because the server's own prefix lacks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    /// `%m `
    pub(super) time: bool,
    /// `[%p] `
    pub(super) pid: bool,
}

/// Puts entries together.
#[derive(Debug, Default)]
pub(super) struct Parts {
    numbers: Numbers,
    added: Added,
    /// The line so far of standard output and standard error.
    lines: [Vec<u8>; 2],
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Messages so far.
    count: u64,
    spare: Vec<Vec<u8>>,
    labels: Labels,
}

/// A record that waits for its parts.
#[derive(Debug)]
struct Held {
    pid: Option<u32>,
    record: u32,
    chunk: u32,
    text: Vec<u8>,
    /// The length of its last chunk, as it came and with escapes undone: the larger one.
    last_len: usize,
    /// The message that it took last.
    at: u64,
    is_whole: bool,
}

impl Parts {
    pub(super) fn new(numbers: Numbers, added: Added) -> Parts {
        Parts {
            numbers,
            added,
            ..Parts::default()
        }
    }

    /// Takes an entry; what is whole is appended to `out`.
    pub(super) fn take(&mut self, entry: &mut Entry, out: &mut Vec<u8>) {
        match entry.piece {
            Piece::Line(_) | Piece::Part(_) => self.take_line(entry, out),
            Piece::Message => self.take_message(entry, out),
            Piece::Rest => match self.held.back_mut() {
                Some(held) => append_rest(&mut held.text, &entry.text, &self.labels),
                None => self.write_rest(entry, out),
            },
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        for line in &mut self.lines {
            if !line.is_empty() {
                out.append(line);
                out.push(b'\n');
            }
        }
        self.settle(out);
    }

    /// Nothing has come for a while: records have all their parts, lines may lack some.
    pub(super) fn settle(&mut self, out: &mut Vec<u8>) {
        while let Some(held) = self.held.pop_front() {
            self.hand_on(held, out);
        }
    }

    fn take_line(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let (Piece::Line(stream) | Piece::Part(stream)) = entry.piece else {
            return;
        };
        let begun = self.lines[stream].len();
        if begun == 0 {
            if matches!(entry.piece, Piece::Line(_)) {
                self.begin_line(entry, &entry.text, out);
                out.extend_from_slice(&entry.text);
                out.push(b'\n');
                return;
            }
            let mut line = std::mem::take(&mut self.lines[stream]);
            self.begin_line(entry, &entry.text, &mut line);
            self.lines[stream] = line;
        }
        let line = &mut self.lines[stream];
        if begun < LINE_MAX {
            line.extend_from_slice(&entry.text);
        }
        if matches!(entry.piece, Piece::Line(_)) {
            out.append(line);
            out.push(b'\n');
        }
    }

    fn take_message(&mut self, entry: &mut Entry, out: &mut Vec<u8>) {
        self.count += 1;
        let (record, chunk) = match (self.numbers, numbers(&entry.text)) {
            (Numbers::None, _) | (_, None) => return self.write_message(entry, &entry.text, out),
            (Numbers::Record, Some((_, _, len))) => {
                return self.write_message(entry, &entry.text[len..], out);
            }
            (Numbers::Both, Some((record, chunk, len))) => {
                entry.text.drain(..len);
                (record, chunk.unwrap_or(1))
            }
            (Numbers::Chunk, Some((chunk, _, len))) => {
                entry.text.drain(..len);
                (0, chunk)
            }
        };
        let last = (self.held.iter_mut().rev())
            .find(|held| held.pid == entry.pid && (entry.pid.is_some() || held.record == record));
        match last {
            Some(held) if chunk > 1 && held.record == record && !held.is_whole => {
                held.at = self.count;
                held.chunk = chunk;
                let before = held.text.len();
                if before < RECORD_MAX {
                    append_chunk(held, entry, self.added, &self.labels);
                }
                self.held_bytes += held.text.len() - before;
            }
            last => {
                if let Some(held) = last {
                    held.is_whole = true;
                }
                // The first parts of what goes on here were not seen, or came too long ago.
                if chunk == 1 {
                    self.hold(entry, record);
                }
            }
        }
        while self.held.front().is_some_and(|first| {
            first.is_whole || self.count - first.at > WINDOW || self.held_bytes > HELD_MAX
        }) && let Some(first) = self.held.pop_front()
        {
            self.hand_on(first, out);
        }
    }

    fn hold(&mut self, entry: &Entry, record: u32) {
        let mut text = self.spare.pop().unwrap_or_default();
        text.clear();
        self.begin_line(entry, &entry.text, &mut text);
        text.extend_from_slice(&entry.text);
        self.held_bytes += text.len();
        self.held.push_back(Held {
            pid: entry.pid,
            record,
            chunk: 1,
            text,
            last_len: entry.raw_len.max(entry.text.len()),
            at: self.count,
            is_whole: false,
        });
    }

    fn hand_on(&mut self, held: Held, out: &mut Vec<u8>) {
        self.held_bytes = self.held_bytes.saturating_sub(held.text.len());
        out.extend_from_slice(&held.text);
        out.push(b'\n');
        if self.spare.len() < WINDOW as usize && held.text.capacity() <= 64 << 10 {
            self.spare.push(held.text);
        }
    }

    /// Writes a message that is whole, with the lines that it holds.
    fn write_message(&self, entry: &Entry, text: &[u8], out: &mut Vec<u8>) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"#012").unwrap_or(text);
        let mut rest = text;
        let mut is_first = true;
        loop {
            let (line, next) = match line_break(rest, entry.raw_len > 0, &self.labels) {
                Some((at, len)) => (&rest[..at], Some(&rest[at + len..])),
                None => (rest, None),
            };
            if is_first || self.labels.are_further(line) {
                self.begin_line(entry, line, out);
            } else if !line.starts_with(b"\t") {
                out.push(b'\t');
            }
            out.extend_from_slice(line);
            out.push(b'\n');
            is_first = false;
            match next {
                Some(next) => rest = next,
                None => return,
            }
        }
    }

    /// A physical line that goes on the message before it.
    fn write_rest(&self, entry: &Entry, out: &mut Vec<u8>) {
        if self.labels.are_further(&entry.text) {
            self.begin_line(entry, &entry.text, out);
        } else if !entry.text.starts_with(b"\t") {
            out.push(b'\t');
        }
        out.extend_from_slice(&entry.text);
        out.push(b'\n');
    }

    /// What the server's own prefix lacks; a line that begins with a tab has none.
    fn begin_line(&self, entry: &Entry, line: &[u8], out: &mut Vec<u8>) {
        begin_line(self.added, entry, line, out);
    }
}

fn begin_line(added: Added, entry: &Entry, line: &[u8], out: &mut Vec<u8>) {
    if line.first() == Some(&b'\t') {
        return;
    }
    if added.time
        && let Some(stamp) = entry.stamp
    {
        stamp.write(out);
        out.push(b' ');
    }
    if added.pid {
        out.push(b'[');
        out.extend_from_slice(entry.pid.unwrap_or(0).to_string().as_bytes());
        out.extend_from_slice(b"] ");
    }
}

fn append_chunk(held: &mut Held, entry: &Entry, added: Added, labels: &Labels) {
    let chunk = &entry.text;
    let is_tabbed = chunk.first() == Some(&b'\t');
    let word = chunk
        .iter()
        .skip(1)
        .take_while(|b| !b.is_ascii_whitespace())
        .count();
    let goes_on = held.last_len >= CHUNK_MIN || held.last_len + 1 + word >= CHUNK_MIN;
    if is_tabbed || !goes_on {
        held.text.push(b'\n');
        if is_tabbed || labels.are_further(chunk) {
            begin_line(added, entry, chunk, &mut held.text);
        } else {
            // Its tab became spaces on the way, as in old lines of Heroku, or a name holds a line break.
            held.text.push(b'\t');
        }
    }
    held.text.extend_from_slice(chunk);
    held.last_len = entry.raw_len.max(chunk.len());
}

fn append_rest(text: &mut Vec<u8>, line: &[u8], labels: &Labels) {
    if text.len() >= RECORD_MAX {
        return;
    }
    text.push(b'\n');
    if !line.starts_with(b"\t") && !labels.are_further(line) {
        text.push(b'\t');
    }
    text.extend_from_slice(line);
}

/// The next line break and its length; in syslog also `#012` where it is followed by what the server puts there.
fn line_break(text: &[u8], is_syslog: bool, labels: &Labels) -> Option<(usize, usize)> {
    let raw = memchr::memchr(b'\n', text);
    let upto = &text[..raw.unwrap_or(text.len())];
    if is_syslog {
        let breaks = memchr::memchr_iter(b'#', upto).filter(|at| upto[*at..].starts_with(b"#012"));
        let escaped = { breaks }.find(|at| {
            let next = &text[at + 4..];
            next.starts_with(b"\t") || {
                let end = near::find(b"#012", next).unwrap_or(next.len());
                labels.are_further(&next[..end])
            }
        });
        if let Some(at) = escaped {
            return Some((at, 4));
        }
    }
    raw.map(|at| (at, 1))
}

/// The labels of a record's further lines, in all languages.
///
/// Few logs have a line break without a tab or an English label behind it; the words of the others are made when the first
/// one comes.
#[derive(Debug, Default)]
struct Labels(OnceCell<LineLabels>);

impl Labels {
    /// Whether a line has a label that is no severity, as the second and further labelled lines of a record have.
    fn are_further(&self, line: &[u8]) -> bool {
        if line.first() == Some(&b'\t') || memchr::memchr(b':', line).is_none() {
            return false;
        }
        is_further_in_english(line).unwrap_or_else(|| {
            let all = self.0.get_or_init(LineLabels::of_all_languages);
            all.are_further(line)
        })
    }
}

/// The English labels that are no severities.
pub(super) const FURTHER: [&[u8]; 7] = [
    b"DETAIL",
    b"HINT",
    b"STATEMENT",
    b"CONTEXT",
    b"QUERY",
    b"LOCATION",
    b"BACKTRACE",
];

/// `None`: a label before the first English one may decide, or there is none.
fn is_further_in_english(line: &[u8]) -> Option<bool> {
    // The first label decides: what stands behind it is its text.
    let at = near::find(b":  ", line)?;
    let is_further = FURTHER.iter().any(|label| line[..at].ends_with(label));
    is_further.then_some(true)
}

/// `[12-1] ` or `[1] ` at the start of a text: both numbers, and the length of all.
pub(super) fn numbers(text: &[u8]) -> Option<(u32, Option<u32>, usize)> {
    let rest = text.strip_prefix(b"[")?;
    let end = rest.iter().take(24).position(|b| *b == b']')?;
    let (first, second) = match memchr::memchr(b'-', &rest[..end]) {
        Some(dash) => (&rest[..dash], Some(line::number(&rest[dash + 1..end])?)),
        None => (&rest[..end], None),
    };
    match text.get(end + 2) {
        None => Some((line::number(first)?, second, end + 2)),
        Some(b' ') => Some((line::number(first)?, second, end + 3)),
        Some(_) => None,
    }
}
