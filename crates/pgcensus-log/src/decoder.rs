//! The decoder of one file: chunks of whole records in, batches of events out.
//!
//! Most of a log is statements. So the few literals that a record of interest must hold are searched
//! in the whole chunk, and only the records around them are decoded.

use memchr::{memchr, memchr_iter, memrchr};

use crate::batch::{Batch, Why};
use crate::candidate::Candidates;
use crate::event::{Event, EventKind};
use crate::format::Format;
use crate::line_prefix::{Label, LinePrefix};
use crate::log_time::LogTime;
use crate::message::{self, Classified};
use crate::record::Record;
use crate::{csvlog, jsonlog, stderr};

/// The head of a longer record is decoded, the rest is skipped.
pub const RECORD_MAX: usize = 1 << 20;

/// Of a record that no prefix reads, this much is kept for whoever infers one: names, message and the context
/// that tells where it was raised.
const UNMATCHED_MAX: usize = 8192;

/// One line has at most this many readings: a name that holds a label makes a second one.
const READINGS_MAX: usize = 4;

/// Decodes the chunks of one file.
#[derive(Clone, Debug)]
pub struct Decoder {
    format: Format,
    /// Prefixes that took over in mid-file, in the order in which they were found.
    later: Vec<LinePrefix>,
    candidates: Candidates,
}

impl Decoder {
    /// A decoder for this format.
    pub fn new(format: Format) -> Decoder {
        let candidates = Candidates::new(&format);
        Decoder {
            format,
            later: Vec::new(),
            candidates,
        }
    }

    /// The format that it reads.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// A prefix that lines of the same file have further on.
    pub fn add_prefix(&mut self, prefix: LinePrefix) {
        self.later.push(prefix);
    }

    /// All prefixes that it reads; empty for csvlog and jsonlog.
    pub fn prefixes(&self) -> Vec<LinePrefix> {
        match &self.format {
            Format::Stderr(prefix) => [prefix].into_iter().chain(&self.later).cloned().collect(),
            Format::Csvlog | Format::Jsonlog => Vec::new(),
        }
    }

    /// Where the last whole record of `buf` ends, a position after its first byte. `buf` begins at a record.
    /// `None`: the one that it begins with is not seen to end.
    pub fn last_record_end(&self, buf: &[u8]) -> Option<usize> {
        match &self.format {
            Format::Stderr(_) => stderr::last_record_start(&self.prefixes(), buf),
            Format::Csvlog => csvlog::last_record_end(buf),
            Format::Jsonlog => memrchr(b'\n', buf).map(|newline| newline + 1),
        }
    }

    /// Where the next record begins after the overlong one that `buf` is a later part of; csv quotes are
    /// not counted there, a line that begins with a log time is taken for one.
    pub fn resync(&self, buf: &[u8]) -> Option<usize> {
        match &self.format {
            Format::Stderr(_) => stderr::next_record_start(&self.prefixes(), buf, 0),
            Format::Csvlog => memchr_iter(b'\n', buf)
                .map(|newline| newline + 1)
                .find(|&at| crate::log_time::read_wall(&buf[at..]).is_some()),
            Format::Jsonlog => memchr(b'\n', buf).map(|newline| newline + 1),
        }
    }

    /// How much of the end of a file is whole: all of it, or up to where an incomplete record begins.
    pub fn complete_len(&self, tail: &[u8]) -> usize {
        let lines = memrchr(b'\n', tail).map_or(0, |newline| newline + 1);
        let (last, is_whole) = match &self.format {
            // Without its newline nothing tells whether a line of text is whole.
            Format::Stderr(_) => (lines, false),
            Format::Csvlog => {
                let last = csvlog::last_record_end(tail).unwrap_or(0);
                match csvlog::read(tail, last) {
                    Ok((_, end)) => (end, false),
                    Err(_) => (last, false),
                }
            }
            Format::Jsonlog => (lines, jsonlog::read(tail, tail.len()).0.is_ok()),
        };
        if last == tail.len() || is_whole {
            tail.len()
        } else {
            last
        }
    }

    /// A record begins at the first byte.
    pub fn begins_record(&self, text: &[u8]) -> bool {
        match &self.format {
            Format::Stderr(_) => {
                let is_head = |prefix: &LinePrefix| prefix.read(text, 0).is_some();
                self.prefixes().iter().any(is_head)
            }
            Format::Csvlog => crate::log_time::read_wall(text).is_some(),
            Format::Jsonlog => text.starts_with(b"{"),
        }
    }

    /// Decodes a chunk of whole records that lies at `base` in its file.
    pub fn decode(&self, chunk: &[u8], base: u64, batch: &mut Batch) {
        let prefixes = self.prefixes();
        if let Some((first, last)) = self.log_times(chunk) {
            batch.set_log_times(first, last);
        }
        let mut out = Out { chunk, base, batch };
        // Where the record ends that was decoded last: candidates inside it are part of it.
        let mut done = 0;
        for candidate in self.candidates.find_iter(chunk) {
            if candidate >= done {
                done = match &self.format {
                    Format::Stderr(_) => decode_stderr(&prefixes, chunk, done, candidate, &mut out),
                    Format::Csvlog => decode_csvlog(chunk, done, candidate, &mut out),
                    Format::Jsonlog => decode_jsonlog(chunk, candidate, &mut out),
                };
            }
        }
    }

    /// Log times of the first and last record of a chunk of whole records, whatever they say.
    pub fn log_times<'c>(&self, chunk: &'c [u8]) -> Option<(LogTime<&'c [u8]>, LogTime<&'c [u8]>)> {
        match &self.format {
            Format::Stderr(_) => stderr::log_times(&self.prefixes(), chunk),
            Format::Csvlog => csvlog::log_times(chunk),
            Format::Jsonlog => jsonlog::log_times(chunk),
        }
    }

    /// Decodes one record that was [`Unmatched`](crate::batch::Item::Unmatched), by the prefixes known now;
    /// false where none reads it.
    pub fn decode_unmatched(&self, record: &[u8], offset: u64, batch: &mut Batch) -> bool {
        let mut out = Out {
            chunk: record,
            base: offset,
            batch,
        };
        self.prefixes().iter().any(|prefix| {
            let label = prefix.read(record, 0).map(|head| head.text_start);
            label.is_some_and(|at| decode_line(prefix, record, 0, at, &mut out).is_some())
        })
    }
}

struct Out<'b> {
    chunk: &'b [u8],
    base: u64,
    batch: &'b mut Batch,
}

impl Out<'_> {
    fn unreadable(&mut self, start: usize, end: usize, why: Why) {
        self.batch.push_unreadable(
            self.base + start as u64,
            &self.chunk[start..end.max(start)],
            why,
        );
    }

    /// Adds what a record says; true where it is not to be trusted.
    fn record(&mut self, start: usize, record: &Record<'_>) -> bool {
        let (kind, sqlstate) = match message::classify(record) {
            Classified::Nothing => return false,
            Classified::Untrusted => return true,
            Classified::Event(kind, sqlstate) => (kind, sqlstate),
        };
        let has_text = matches!(
            kind,
            EventKind::Refused { .. }
                | EventKind::Probe { .. }
                | EventKind::Ending { .. }
                | EventKind::Server(_)
        );
        self.batch.push_event(Event {
            offset: self.base + start as u64,
            log_time: record.log_time,
            pid: record.pid,
            session_id: record.session_id,
            user: record.user.as_deref(),
            database: record.database.as_deref(),
            application_name: record.application_name.as_deref(),
            client: record.client.as_ref().map(|client| crate::record::Client {
                host: &*client.host,
                port: client.port.as_deref(),
            }),
            sqlstate: record.sqlstate.or(sqlstate),
            backend_type: record.backend_type,
            message: if has_text { &record.message } else { b"" },
            detail: record.detail.as_deref().filter(|_| has_text),
            kind,
        });
        false
    }
}

fn decode_csvlog(chunk: &[u8], done: usize, candidate: usize, out: &mut Out<'_>) -> usize {
    // A candidate begins with the comma before a quoted column, or with the severity column.
    if let Some(rest) = chunk[candidate..].strip_prefix(b",FATAL,")
        && !csvlog::opens_column(rest.get(6..).unwrap_or_default())
    {
        return candidate + 1;
    }
    // Where no record begins near before it, it opens a later column than the message.
    match csvlog::read_around(chunk, candidate) {
        Some(Ok((start, record, end))) if start >= done => {
            if out.record(start, &record) {
                out.unreadable(start, end, Why::Untrusted);
            }
            end
        }
        Some(Err((start, why, end))) if start >= done => {
            out.unreadable(start, end, why);
            end
        }
        _ => candidate + 1,
    }
}

fn decode_jsonlog(chunk: &[u8], candidate: usize, out: &mut Out<'_>) -> usize {
    let (record, start, next) = jsonlog::read(chunk, candidate);
    match record {
        Ok(record) if !out.record(start, &record) => {}
        Ok(_) => out.unreadable(start, next, Why::Untrusted),
        Err(why) => out.unreadable(start, next, why),
    }
    next
}

fn decode_stderr(
    prefixes: &[LinePrefix],
    chunk: &[u8],
    done: usize,
    candidate: usize,
    out: &mut Out<'_>,
) -> usize {
    let (line_start, next) = stderr::line(chunk, candidate);
    if chunk[line_start] == b'\t' {
        return next;
    }
    for prefix in prefixes {
        let start = stderr::head_start(prefix, chunk, done, line_start);
        if let Some(end) = decode_line(prefix, chunk, start, candidate, out) {
            return end.max(next);
        }
    }
    // Only a message at the start of its line's text can be an event: `LOG:  connection received: `.
    let before = &chunk[line_start..candidate];
    let message = before.ends_with(b":  ")
        || before.ends_with(b": ")
        || chunk[candidate..].starts_with(b"FATAL:  ");
    if !message {
        return next;
    }
    let end = stderr::unmatched_end(prefixes, chunk, next);
    let kept = end.min(line_start + UNMATCHED_MAX);
    out.batch
        .push_unmatched(out.base + line_start as u64, &chunk[line_start..kept]);
    end
}

/// Decodes the record whose head begins at `start` and whose message may be at `candidate`; where the
/// next one begins. `None`: the prefix does not read it.
fn decode_line(
    prefix: &LinePrefix,
    chunk: &[u8],
    start: usize,
    candidate: usize,
    out: &mut Out<'_>,
) -> Option<usize> {
    let mut head = prefix.read(&chunk[start..], 0)?;
    let mut untrusted = None;
    for _ in 0..READINGS_MAX {
        let Label::Severity(severity) = head.label else {
            // The candidate stands in a labelled line, whose record said nothing of interest.
            return Some(stderr::next_line(
                chunk,
                candidate.max(start + head.text_start),
            ));
        };
        let first_line_end = stderr::next_line(chunk, start + head.text_start);
        // A longer line holds the candidate somewhere in its text: it is no message of interest.
        let tail = stderr::tail(prefix, chunk, &head, first_line_end);
        let record = stderr::record(chunk, start, &head, severity, &tail);
        if !out.record(start, &record) {
            return Some(tail.end);
        }
        untrusted.get_or_insert(tail.end);
        let Some(next) = prefix.read(&chunk[start..], head.label_start + 1) else {
            break;
        };
        head = next;
    }
    let end = untrusted?;
    out.unreadable(start, end, Why::Untrusted);
    Some(end)
}

/// The log time of the first record in `text`, whatever it says.
pub fn first_log_time<'c>(format: &Format, text: &'c [u8]) -> Option<LogTime<&'c [u8]>> {
    let times = match format {
        Format::Stderr(prefix) => stderr::log_times(std::slice::from_ref(prefix), text),
        Format::Csvlog => csvlog::log_times(text),
        Format::Jsonlog => jsonlog::log_times(text),
    };
    times.map(|(first, _)| first)
}
