//! The decoder of one file: chunks of whole records in, batches of events out.
//!
//! Most of a log is statements. So the few literals that a record of interest must hold are searched
//! in the whole chunk, and only the records around them are decoded.

use memchr::{memchr, memchr_iter, memmem, memrchr};

use crate::batch::{Batch, Why};
use crate::candidate::Candidates;
use crate::event::{EventKind, RefusalReason};
use crate::format::Format;
use crate::line_prefix::{Head, Label, LinePrefix, Names, Wanted, label};
use crate::log_time::{LogTime, Minute};
use crate::message::{self, Classified};
use crate::record::{Record, Severity, Sqlstate};
use crate::translation::stray;
use crate::{csvlog, jsonlog, stderr, stranger};

/// The head of a longer record is decoded, the rest is skipped.
pub const RECORD_MAX: usize = 1 << 20;

/// Of a record that no prefix reads, this much is kept for whoever infers one: names, message and the context
/// that tells where it was raised.
const UNMATCHED_MAX: usize = 8192;

/// One line has at most this many readings: a name that holds a label makes a second one.
const READINGS_MAX: usize = 4;

/// Of a record whose labels are in another language than its log, so much is looked at.
const TRANSLATED_MAX: usize = 64 << 10;

/// Decodes the chunks of one file.
#[derive(Clone, Debug)]
pub struct Decoder {
    format: Format,
    /// Of stderr: the prefix of its format and those that took over in mid-file, in the order in which they were found.
    prefixes: Vec<LinePrefix>,
    candidates: Candidates,
}

impl Decoder {
    /// A decoder for this format.
    pub fn new(format: Format) -> Decoder {
        let candidates = Candidates::new(&format);
        let prefixes = match &format {
            Format::Stderr(prefix) => vec![prefix.clone()],
            Format::Csvlog | Format::Jsonlog => Vec::new(),
        };
        Decoder {
            format,
            prefixes,
            candidates,
        }
    }

    /// What it decodes.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// A prefix that lines of the same file have further on.
    pub fn add_prefix(&mut self, prefix: LinePrefix) {
        self.prefixes.push(prefix);
    }

    /// All prefixes that it reads; empty for csvlog and jsonlog.
    pub fn prefixes(&self) -> &[LinePrefix] {
        &self.prefixes
    }

    /// A position in `piece` at which a record begins, the last one that can be told from `piece` alone: of what
    /// comes before it, at least 1 KiB must be in it, or it may be misjudged.
    pub fn last_record_start(&self, piece: &[u8]) -> Option<usize> {
        match &self.format {
            Format::Csvlog => csvlog::last_sure_start(piece),
            Format::Stderr(_) | Format::Jsonlog => self.last_record_end(piece),
        }
    }

    /// Where the last whole record of `buf` ends, a position after its first byte. `buf` begins at a record.
    /// `None`: the one that it begins with is not seen to end.
    pub fn last_record_end(&self, buf: &[u8]) -> Option<usize> {
        match &self.format {
            Format::Stderr(_) => stderr::last_record_start(&self.prefixes, buf),
            Format::Csvlog => csvlog::last_record_end(buf),
            Format::Jsonlog => memrchr(b'\n', buf).map(|newline| newline + 1),
        }
    }

    /// Where the next record begins after the overlong one that `buf` is a later part of; csv quotes are
    /// not counted there, a line that begins with a log time is taken for one.
    pub fn resync(&self, buf: &[u8]) -> Option<usize> {
        match &self.format {
            Format::Stderr(_) => stderr::next_record_start(&self.prefixes, buf, 0),
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
                let record = &mut Record::default();
                match csvlog::Reader::default().read(tail, last, record) {
                    Ok(end) => (end, false),
                    Err(_) => (last, false),
                }
            }
            Format::Jsonlog => {
                let (minute, record) = (&mut Minute::default(), &mut Record::default());
                let (read, _) = jsonlog::read(minute, tail, lines, record);
                (lines, read.is_ok())
            }
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
                self.prefixes.iter().any(is_head)
            }
            Format::Csvlog => crate::log_time::read_wall(text).is_some(),
            Format::Jsonlog => text.starts_with(b"{"),
        }
    }

    /// The first line goes on a record that began before: it has a tab before it, or a label such as `DETAIL`.
    pub fn goes_on(&self, text: &[u8]) -> bool {
        let is_labelled = |prefix: &LinePrefix| {
            let head = prefix.read(text, 0);
            head.is_some_and(|head| !matches!(head.label, Label::Severity(_)))
        };
        match &self.format {
            Format::Stderr(_) => text.starts_with(b"\t") || self.prefixes.iter().any(is_labelled),
            Format::Csvlog | Format::Jsonlog => false,
        }
    }

    /// Decodes a chunk of whole records that lies at `base` in its file.
    pub fn decode(&self, chunk: &[u8], base: u64, batch: &mut Batch) {
        let prefixes = &self.prefixes;
        if let Some((first, last)) = self.log_times(chunk) {
            batch.set_log_times(first, last);
        }
        let mut out = Out { chunk, base, batch };
        let mut csvlog = csvlog::Reader::default();
        let mut minute = Minute::default();
        let mut scan = self.candidates.scan(chunk);
        // Where the record ends that was decoded last: candidates inside it are part of it.
        let mut done = 0;
        let mut from = 0;
        while let Some(candidate) = scan.find(from) {
            let end = match &self.format {
                Format::Stderr(_) => {
                    let end = decode_stderr(prefixes, chunk, done, candidate, &mut out);
                    Some(decode_run(prefixes, chunk, end, &mut out))
                }
                Format::Csvlog => decode_csvlog(&mut csvlog, chunk, done, candidate, &mut out),
                Format::Jsonlog => Some(decode_jsonlog(
                    &mut minute,
                    chunk,
                    done,
                    candidate,
                    &mut out,
                )),
            };
            done = end.unwrap_or(done);
            from = end.unwrap_or(candidate + 1);
        }
    }

    /// Log times of the first and last record of a chunk of whole records, whatever they say.
    pub fn log_times<'c>(&self, chunk: &'c [u8]) -> Option<(LogTime<&'c [u8]>, LogTime<&'c [u8]>)> {
        match &self.format {
            Format::Stderr(_) => stderr::log_times(&self.prefixes, chunk),
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
        self.prefixes.iter().any(|prefix| {
            let text = prefix.read(record, 0).map(|head| head.text_start);
            text.is_some_and(|at| {
                matches!(
                    decode_line(prefix, record, 0, at, &mut out),
                    Reading::Done(_)
                )
            })
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

    /// Adds what a record says; false where its message contradicts its prefix or columns.
    fn record(&mut self, start: usize, end: usize, record: &Record<'_>) -> bool {
        let offset = self.base + start as u64;
        let bytes = &self.chunk[start..end.max(start)];
        if let Some(kind) = self.batch.plain(&record.message)
            && message::plain::is_trusted(record, &kind, |id| self.batch.text(id))
        {
            let sqlstate = Some(Sqlstate(*b"00000"));
            self.batch.push_kind(offset, bytes, record, kind, sqlstate);
            return true;
        }
        let mut classified = message::classify(record);
        let translated = is_in_no_row(&classified).then(|| stray::english(record));
        let translated = translated.flatten();
        if let Some(record) = &translated {
            classified = message::classify(record);
        }
        let record = translated.as_ref().unwrap_or(record);
        let (kind, sqlstate) = match classified {
            Classified::Nothing => return true,
            Classified::Untrusted if record.has_context || record.has_statement => {
                self.unreadable(start, end, Why::Raised);
                return true;
            }
            Classified::Untrusted => return false,
            Classified::Event(kind, sqlstate) => (kind, sqlstate),
        };
        self.batch
            .push_record(offset, bytes, record, kind, sqlstate);
        true
    }

    /// Adds what a record of csvlog or jsonlog says. Columns and keys cannot be forged: what contradicts them was raised
    /// by a client.
    fn column_record(&mut self, start: usize, end: usize, record: &Record<'_>) {
        if !self.record(start, end, record) {
            self.unreadable(start, end, Why::Raised);
        }
    }
}

/// Its message is in no row of the table, as far as what it says tells: it may be of another language.
fn is_in_no_row(classified: &Classified<'_>) -> bool {
    matches!(
        classified,
        Classified::Nothing
            | Classified::Event(
                EventKind::Refused {
                    reason: RefusalReason::Other,
                    ..
                },
                _
            )
    )
}

/// Where the record of the candidate ends; `None`: it is none's.
fn decode_csvlog<'c>(
    reader: &mut csvlog::Reader<'c>,
    chunk: &'c [u8],
    done: usize,
    candidate: usize,
    out: &mut Out<'_>,
) -> Option<usize> {
    let mut record = Record::default();
    // Where no record begins near before it, it opens a later column than the message.
    let (start, end) = match reader.read_around(chunk, done, candidate, &mut record)? {
        Ok(place) => place,
        // Whole records are read: this is one that is too long to be kept.
        Err((Why::Incomplete, (0, end)))
            if chunk.len() >= RECORD_MAX
                && end == chunk.len()
                && csvlog::Reader::default()
                    .read_head(chunk, 0, &mut record)
                    .is_some() =>
        {
            out.column_record(0, end, &record);
            return Some(end);
        }
        Err((why, (start, end))) => {
            (start >= done).then(|| out.unreadable(start, end, why))?;
            return Some(end);
        }
    };
    (start >= done).then_some(())?;
    out.column_record(start, end, &record);
    // Lines of connections come in runs, and a look at the next record is cheaper than a search for it.
    let mut at = end;
    while at < chunk.len()
        && let Ok(end) = reader.read(chunk, at, &mut record)
        && reader.is_candidate(chunk)
    {
        out.column_record(at, end, &record);
        at = end;
    }
    Some(at)
}

fn decode_jsonlog(
    minute: &mut Minute,
    chunk: &[u8],
    done: usize,
    candidate: usize,
    out: &mut Out<'_>,
) -> usize {
    let start = memrchr(b'\n', &chunk[done..candidate]).map_or(done, |newline| done + newline + 1);
    let mut record = Record::default();
    let (read, next) = jsonlog::read(minute, chunk, start, &mut record);
    match read {
        Ok(()) => out.column_record(start, next, &record),
        // Whole lines are read: this is one that is too long to be kept.
        Err(Why::Incomplete)
            if jsonlog::read_head(minute, &chunk[start..], &mut record).is_some() =>
        {
            out.column_record(start, next, &record);
        }
        // The rest of a record that began before the file does.
        Err(_) if out.base == 0 && start == 0 && !chunk.starts_with(b"{") => {}
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
    let goes_on = chunk[line_start] == b'\t';
    let mut contradiction = None;
    for prefix in prefixes {
        let start = if goes_on {
            // A message that goes on, or a name that has a line break and a tab in it.
            let Some(torn) = stderr::torn_head_before(prefix, chunk, done, line_start) else {
                continue;
            };
            torn
        } else {
            stderr::head_start(prefix, chunk, done, line_start)
        };
        match decode_line(prefix, chunk, start, candidate, out) {
            Reading::Done(end) => return end.max(next),
            Reading::Contradicts(end) => contradiction = contradiction.or(Some((start, end))),
            Reading::None => {}
        }
    }
    if let Some((start, end)) = contradiction {
        // Perhaps another prefix was meant; else it is not trusted.
        let kept = end.min(start + UNMATCHED_MAX);
        let offset = out.base + start as u64;
        out.batch
            .push_unmatched(offset, &chunk[start..kept], Why::Untrusted);
        return end.max(next);
    }
    if goes_on {
        return next;
    }
    if let Some(end) = decode_waited_for(prefixes, chunk, done, (line_start, next), candidate, out)
    {
        return end.max(next);
    }
    // Only a message at the start of its line's text can be an event: `LOG:  connection received: `.
    let before = &chunk[line_start..candidate];
    let is_fatal = chunk[candidate..].starts_with(b"FATAL:  ");
    let is_message = before.ends_with(b":  ") || before.ends_with(b": ") || is_fatal;
    if !is_message {
        return next;
    }
    if !is_fatal && !message::is_candidate(&chunk[candidate..]) {
        // Its label may be of the same language.
        let verbose = if before.ends_with(b":  ") { 0 } else { 7 };
        let is_english = label::at_end(&before[..before.len().saturating_sub(verbose)]).is_some();
        let end = (!is_english).then(|| decode_translated(prefixes, chunk, line_start, out));
        return end.flatten().map_or(next, |end| end.max(next));
    }
    let end = stderr::unmatched_end(prefixes, chunk, next);
    if prefixes
        .iter()
        .any(|prefix| stderr::follows_torn_head(prefix, chunk, line_start))
    {
        out.unreadable(line_start, end, Why::Untrusted);
        return end;
    }
    let fatal = memmem::find(&chunk[line_start..next], b"FATAL:  ");
    if fatal.is_some_and(|at| stranger::repeats(&chunk[line_start..line_start + at])) {
        return next;
    }
    let kept = end.min(line_start + UNMATCHED_MAX);
    let offset = out.base + line_start as u64;
    out.batch
        .push_unmatched(offset, &chunk[line_start..kept], Why::Prefix);
    end
}

/// Decodes a line that no prefix reads because of what `pg_ctl` says before it. `None`: that is not why.
fn decode_waited_for(
    prefixes: &[LinePrefix],
    chunk: &[u8],
    done: usize,
    (line_start, next): (usize, usize),
    candidate: usize,
    out: &mut Out<'_>,
) -> Option<usize> {
    let start = match stranger::waiting(&chunk[line_start..next]) {
        0 => return None,
        len => line_start + len,
    };
    prefixes.iter().find_map(|prefix| {
        // Who is not read before may be a name with line breaks in it.
        if start > candidate || stderr::head_start(prefix, chunk, done, line_start) < line_start {
            return None;
        }
        match decode_line(prefix, chunk, start, candidate, out) {
            Reading::Done(end) => Some(end),
            Reading::Contradicts(_) | Reading::None => None,
        }
    })
}

/// Decodes the record at `line_start` whose labels are of another language, as its message is: where it ends. `None`: it is
/// none.
fn decode_translated(
    prefixes: &[LinePrefix],
    chunk: &[u8],
    line_start: usize,
    out: &mut Out<'_>,
) -> Option<usize> {
    prefixes.iter().find_map(|prefix| {
        let mut rewriter = stray::rewriter(prefix);
        let mut english = Vec::new();
        // Where each of its lines ends, with the tab lines that go on it: in English, and in the chunk.
        let mut ends: Vec<(usize, usize)> = Vec::new();
        let limit = chunk.len().min(line_start + TRANSLATED_MAX);
        let mut at = line_start;
        while at < limit {
            let end = stderr::continuation_end(chunk, stderr::next_line(chunk, at), limit);
            let start = english.len();
            english.append(&mut rewriter.whole(&chunk[at..end]));
            let head = prefix.read(&english[start..], 0);
            let is_first = start == 0;
            if head.is_none_or(|head| matches!(head.label, Label::Severity(_)) && !is_first) {
                english.truncate(start);
                break;
            }
            at = end;
            ends.push((english.len(), at));
        }
        let text_start = prefix.read(&english, 0)?.text_start;
        let offset = out.base + line_start as u64;
        let mut translated = Out {
            chunk: &english,
            base: offset,
            batch: out.batch,
        };
        let in_chunk = |end| ends.iter().find(|(of, _)| *of >= end).map(|(_, at)| *at);
        match decode_line(prefix, &english, 0, text_start, &mut translated) {
            Reading::Done(end) => in_chunk(end),
            Reading::Contradicts(end) => {
                let end = in_chunk(end)?;
                let kept = &chunk[line_start..end.min(line_start + UNMATCHED_MAX)];
                out.batch.push_unmatched(offset, kept, Why::Untrusted);
                Some(end)
            }
            Reading::None => None,
        }
    })
}

/// Decodes records from `at` on as long as each says something of interest, and returns where that ends: lines of
/// connections come in runs, and a look at the next line is cheaper than a search for it.
fn decode_run(prefixes: &[LinePrefix], chunk: &[u8], mut at: usize, out: &mut Out<'_>) -> usize {
    // With several prefixes their order decides, whatever read the line before.
    let [prefix] = prefixes else {
        return at;
    };
    // They change places by their references: each is some 250 bytes.
    let (head, next) = (&mut Head::default(), &mut Head::default());
    let (mut head, mut next) = (head, next);
    let mut is_head = prefix.read_into(&chunk[at..], 0, head);
    while is_head && let Label::Severity(severity) = head.label {
        let text_start = at + head.text_start;
        if severity != Severity::Fatal && !message::may_be_row(&chunk[text_start..]) {
            break;
        }
        let first_line_end = stderr::next_line(chunk, text_start);
        let tail = stderr::tail(prefix, chunk, head, first_line_end, next);
        let message = stderr::without_line_end(&chunk[text_start..tail.message_end]);
        if severity == Severity::Log
            && tail.is_bare()
            && prefix.is_bare()
            && let Some(kind) = out.batch.plain(message)
        {
            out.batch.push_plain(out.base + at as u64, head, kind);
        } else {
            let record = stderr::record(chunk, at, head, severity, &tail);
            // What is not clear at once is left to the search, which finds it again.
            if misnames_refused(&record) || !out.record(at, tail.end, &record) {
                break;
            }
        }
        at = tail.end;
        is_head = tail.next_is_head;
        std::mem::swap(&mut head, &mut next);
    }
    at
}

/// What a prefix makes of a line.
enum Reading {
    /// The record was read; where the next one begins.
    Done(usize),
    /// Its message contradicts its prefix in every reading; where the record ends.
    Contradicts(usize),
    /// The prefix does not read it.
    None,
}

/// Decodes the record whose head begins at `start` and whose message may be at `candidate`.
fn decode_line(
    prefix: &LinePrefix,
    chunk: &[u8],
    start: usize,
    candidate: usize,
    out: &mut Out<'_>,
) -> Reading {
    let mut contradiction = None;
    let mut next = prefix.read(&chunk[start..], 0);
    for _ in 0..READINGS_MAX {
        let Some(head) = next else {
            break;
        };
        let Label::Severity(severity) = head.label else {
            // The candidate stands in a labelled line, whose record said nothing of interest.
            let text = candidate.max(start + head.text_start);
            return Reading::Done(stderr::next_line(chunk, text));
        };
        let first_line_end = stderr::next_line(chunk, start + head.text_start);
        // A longer line holds the candidate somewhere in its text: it is no message of interest.
        let tail = stderr::tail(prefix, chunk, &head, first_line_end, &mut Head::default());
        let record = stderr::record(chunk, start, &head, severity, &tail);
        let mut is_read = !misnames_refused(&record) && out.record(start, tail.end, &record);
        if !is_read && let Some(named) = named_by_message(prefix, &chunk[start..], &head, &record) {
            let record = stderr::record(chunk, start, &named, severity, &tail);
            is_read = out.record(start, tail.end, &record);
        } else if !is_read && severity == Severity::Fatal {
            is_read = out.record(start, tail.end, &record);
        }
        if is_read {
            return Reading::Done(tail.end);
        }
        contradiction = contradiction.or(Some(tail.end));
        next = prefix.read(&chunk[start..], head.label_start + 1);
    }
    contradiction.map_or(Reading::None, Reading::Contradicts)
}

/// The message of a refusal names another user than its prefix: that may have been taken apart wrongly.
fn misnames_refused(record: &Record<'_>) -> bool {
    record.severity == Severity::Fatal
        && record.user.is_some()
        && match message::classify(record) {
            Classified::Event(
                EventKind::Refused {
                    user: Some(user), ..
                },
                _,
            ) => record.user.as_deref() != Some(user),
            _ => false,
        }
}

fn is(name: Option<&[u8]>) -> Wanted<'_> {
    name.map_or(Wanted::Any, Wanted::Is)
}

/// The head with the names that the message has: where names hold what separates them in the prefix
/// (`joe@corp.com@shop`), only that tells them apart.
fn named_by_message<'c>(
    prefix: &LinePrefix,
    text: &'c [u8],
    head: &Head<'c>,
    record: &Record<'_>,
) -> Option<Head<'c>> {
    let bare = Record {
        user: None,
        database: None,
        application_name: None,
        ..record.clone()
    };
    let Classified::Event(kind, _) = message::classify(&bare) else {
        return None;
    };
    let names = match kind {
        EventKind::Received { .. } => Names {
            user: Wanted::Unset,
            database: Wanted::Unset,
            application_name: Wanted::Unset,
        },
        EventKind::Authorized { user, database, .. } => Names {
            user: Wanted::Is(user),
            database: is(database),
            application_name: Wanted::Unset,
        },
        EventKind::Disconnected { user, database, .. } => Names {
            user: Wanted::Is(user),
            database: database.map_or(Wanted::Unset, Wanted::Is),
            application_name: Wanted::Any,
        },
        EventKind::Refused { user, database, .. } => Names {
            user: is(user),
            database: is(database),
            application_name: Wanted::Any,
        },
        _ => return None,
    };
    prefix
        .read_named(text, &names)
        .filter(|named| named.label_start == head.label_start)
}
