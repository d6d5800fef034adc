//! stderr text: `<prefix>LOG:  connection received: host=127.0.0.1 port=59250`.
//!
//! A record is its first line, the tab lines that continue it, and the labelled lines (DETAIL, CONTEXT,
//! STATEMENT …) that follow with a prefix of their own. The prefix is copied without any escaping, so a
//! login name with a newline tears it into raw lines; such a head is read as one, from the line that
//! it tears.
//!
//! Source: `send_message_to_server_log` and `append_with_tabs` in PostgreSQL's `src/backend/utils/error/elog.c`.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};

use crate::line_prefix::{Head, Label, LinePrefix, label};
use crate::log_time::LogTime;
use crate::record::{Record, Severity, Sqlstate};
use crate::stranger;

/// A torn head spans at most this many bytes: three names of 63 bytes and the prefix around them.
const TORN_MAX: usize = 1024;

/// Labelled lines are looked for within this distance of the first line.
const LABELLED_MAX: usize = 1 << 20;

/// The bounds of the line that holds `chunk[at]`: its start, and where the next one starts.
pub(crate) fn line(chunk: &[u8], at: usize) -> (usize, usize) {
    let start = memrchr(b'\n', &chunk[..at]).map_or(0, |n| n + 1);
    (start, next_line(chunk, at))
}

pub(crate) fn next_line(chunk: &[u8], at: usize) -> usize {
    memchr(b'\n', &chunk[at..]).map_or(chunk.len(), |n| at + n + 1)
}

/// Where the record begins whose first line holds `line_start`: there, or at an earlier line that a name
/// with a newline tore. Lines before `floor` belong to records that are done.
pub(crate) fn head_start(
    prefix: &LinePrefix,
    chunk: &[u8],
    floor: usize,
    line_start: usize,
) -> usize {
    let floor = floor.max(line_start.saturating_sub(TORN_MAX));
    let mut start = line_start;
    let mut before = line_start;
    while before > floor {
        let (previous, _) = line(chunk, before - 1);
        if previous < floor {
            break;
        }
        let text = &chunk[previous..before - 1];
        if text.starts_with(b"\t") {
            break;
        }
        if prefix.is_torn_head(text) {
            start = previous;
        } else if prefix.read(text, 0).is_some() {
            break;
        }
        before = previous;
    }
    start
}

/// Where the head begins that a name with line breaks tore, if the tab line at `line_start` is one of its later pieces.
pub(crate) fn torn_head_before(
    prefix: &LinePrefix,
    chunk: &[u8],
    floor: usize,
    line_start: usize,
) -> Option<usize> {
    let floor = floor.max(line_start.saturating_sub(TORN_MAX));
    let mut before = line_start;
    while before > floor {
        let (previous, _) = line(chunk, before - 1);
        if previous < floor {
            return None;
        }
        let text = &chunk[previous..before - 1];
        if !text.starts_with(b"\t") {
            return prefix.is_torn_head(text).then_some(previous);
        }
        before = previous;
    }
    None
}

/// The last position in `buf` where a record begins; not 0. Where no known prefix reads a line, one that
/// holds a severity near its begin is taken for such: the prefix may have changed.
pub(crate) fn last_record_start(prefixes: &[LinePrefix], buf: &[u8]) -> Option<usize> {
    let last = |begins: &dyn Fn(usize) -> bool| {
        let mut end = buf.len();
        while let Some(newline) = memrchr(b'\n', &buf[..end]) {
            if newline + 1 < buf.len() && begins(newline + 1) {
                return Some(newline + 1);
            }
            end = newline;
        }
        None
    };
    last(&|start| begins_record(prefixes, buf, start)).or_else(|| {
        last(&|start| {
            is_labelled(&buf[start..next_line(buf, start)])
                && prefixes.iter().all(|prefix| {
                    prefix.read(&buf[start..], 0).is_none()
                        && head_start(prefix, buf, 0, start) == start
                })
        })
    })
}

/// A line that begins a record of some prefix: its first label is a severity.
fn is_labelled(line: &[u8]) -> bool {
    let head = &line[..line.len().min(512)];
    let first =
        memchr::memmem::find_iter(head, b":  ").find_map(|at| label::at_end(&head[..at + 3]));
    !line.starts_with(b"\t") && matches!(first, Some(Label::Severity(_)))
}

/// Where the record ends that begins in the line before `from` with a prefix that is not known: at the next
/// line that may begin one.
pub(crate) fn unmatched_end(prefixes: &[LinePrefix], chunk: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < chunk.len() {
        let next = next_line(chunk, at);
        if is_labelled(&chunk[at..next]) || begins_record(prefixes, chunk, at) {
            break;
        }
        at = next;
    }
    at
}

/// The first position in `buf` at or after `from` where a record begins.
pub(crate) fn next_record_start(prefixes: &[LinePrefix], buf: &[u8], from: usize) -> Option<usize> {
    memchr_iter(b'\n', &buf[from..])
        .map(|newline| from + newline + 1)
        .find(|&start| begins_record(prefixes, buf, start))
}

fn begins_record(prefixes: &[LinePrefix], buf: &[u8], start: usize) -> bool {
    // The whole line must be there, or the label may not be.
    memchr(b'\n', &buf[start..]).is_some()
        && prefixes.iter().any(|prefix| {
            prefix
                .read(&buf[start..], 0)
                .is_some_and(|head| matches!(head.label, Label::Severity(_)))
                && head_start(prefix, buf, 0, start) == start
        })
}

/// Log times of the first and last record of a chunk of whole records.
pub(crate) fn log_times<'c>(
    prefixes: &[LinePrefix],
    chunk: &'c [u8],
) -> Option<(LogTime<&'c [u8]>, LogTime<&'c [u8]>)> {
    let time = |line: &'c [u8]| {
        let read = |line| move |prefix: &LinePrefix| prefix.read(line, 0)?.log_time;
        let time = prefixes.iter().find_map(read(line));
        time.or_else(|| match stranger::waiting(line) {
            0 => None,
            len => prefixes.iter().find_map(read(&line[len..])),
        })
    };
    let first = chunk.split_inclusive(|&b| b == b'\n').find_map(time)?;
    let last = chunk
        .rsplit(|&b| b == b'\n')
        .find_map(time)
        .unwrap_or(first);
    Some((first, last))
}

/// The labelled lines and continuation lines after the first line of a record.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Tail<'c> {
    /// End of the first line and its continuations.
    pub(crate) message_end: usize,
    /// It has no continuations.
    pub(crate) is_one_line: bool,
    pub(crate) detail: Option<Cow<'c, [u8]>>,
    pub(crate) has_context: bool,
    pub(crate) has_statement: bool,
    /// Where the next record begins, or an unreadable line.
    pub(crate) end: usize,
    /// The line there has a head, which has been read.
    pub(crate) next_is_head: bool,
}

impl Tail<'_> {
    /// There is nothing but the line's end.
    pub(crate) fn is_bare(&self) -> bool {
        self.is_one_line && self.end == self.message_end
    }
}

/// Reads what follows the first line of a record whose line ends at `first_line_end`. Where the line after it is a head, it
/// is in `next`.
#[inline(always)]
pub(crate) fn tail<'c>(
    prefix: &LinePrefix,
    chunk: &'c [u8],
    head: &Head<'_>,
    first_line_end: usize,
    next: &mut Head<'c>,
) -> Tail<'c> {
    // Nearly always a record of its own comes next.
    if chunk.get(first_line_end).is_some_and(|&byte| byte != b'\t')
        && prefix.read_into(&chunk[first_line_end..], 0, next)
        && (matches!(next.label, Label::Severity(_)) || next.pid != head.pid)
    {
        return Tail {
            message_end: first_line_end,
            is_one_line: true,
            detail: None,
            has_context: false,
            has_statement: false,
            end: first_line_end,
            next_is_head: true,
        };
    }
    longer_tail(prefix, chunk, head, first_line_end, next)
}

fn longer_tail<'c>(
    prefix: &LinePrefix,
    chunk: &'c [u8],
    head: &Head<'_>,
    first_line_end: usize,
    next: &mut Head<'c>,
) -> Tail<'c> {
    let limit = chunk.len().min(first_line_end.saturating_add(LABELLED_MAX));
    let mut at = continuation_end(chunk, first_line_end, limit);
    let mut tail = Tail {
        message_end: at,
        is_one_line: at == first_line_end,
        detail: None,
        has_context: false,
        has_statement: false,
        end: at,
        next_is_head: false,
    };
    while at < limit && prefix.read_into(&chunk[at..], 0, next) {
        if matches!(next.label, Label::Severity(_)) || next.pid != head.pid {
            tail.next_is_head = true;
            break;
        }
        let text_start = at + next.text_start;
        at = continuation_end(chunk, next_line(chunk, text_start), limit);
        match next.label {
            Label::Detail => tail.detail = Some(untabbed(&chunk[text_start..at])),
            Label::Context => tail.has_context = true,
            Label::Statement => tail.has_statement = true,
            Label::Severity(_) | Label::Other => {}
        }
    }
    tail.end = at;
    tail
}

/// Where the tab lines end that stand at `at`.
pub(crate) fn continuation_end(chunk: &[u8], mut at: usize, limit: usize) -> usize {
    while at < limit && chunk[at] == b'\t' {
        at = next_line(chunk, at);
    }
    at
}

/// A field without its line end and without the tab that the server puts after each newline.
pub(crate) fn untabbed(field: &[u8]) -> Cow<'_, [u8]> {
    let field = without_line_end(field);
    if memchr(b'\n', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut text = Vec::with_capacity(field.len());
    for line in field.split_inclusive(|&b| b == b'\n') {
        text.extend_from_slice(if text.is_empty() {
            line
        } else {
            line.strip_prefix(b"\t").unwrap_or(line)
        });
    }
    Cow::Owned(text)
}

pub(crate) fn without_line_end(field: &[u8]) -> &[u8] {
    let field = field.strip_suffix(b"\n").unwrap_or(field);
    field.strip_suffix(b"\r").unwrap_or(field)
}

/// The record of a head and what follows it. `severity` is that of the head's label.
pub(crate) fn record<'c>(
    chunk: &'c [u8],
    start: usize,
    head: &Head<'c>,
    severity: Severity,
    tail: &Tail<'c>,
) -> Record<'c> {
    let text = &chunk[start + head.text_start..tail.message_end];
    let mut message = if tail.is_one_line {
        Cow::Borrowed(without_line_end(text))
    } else {
        untabbed(text)
    };
    let mut sqlstate = head.sqlstate;
    // `log_error_verbosity = verbose` writes `00000: ` before the message.
    if message.get(5..7) == Some(b": ")
        && message[..5].iter().any(u8::is_ascii_digit)
        && let Some(code) = Sqlstate::parse(&message[..5])
    {
        sqlstate = Some(code);
        message = match message {
            Cow::Borrowed(message) => Cow::Borrowed(&message[7..]),
            Cow::Owned(message) => Cow::Owned(message[7..].to_vec()),
        };
    }
    Record {
        log_time: head.log_time,
        pid: head.pid,
        session_id: head.session_id,
        user: head.user.map(Cow::Borrowed),
        database: head.database.map(Cow::Borrowed),
        application_name: head.application_name.map(Cow::Borrowed),
        client: head
            .client
            .map(|client| client.map(&mut |text, _| Cow::Borrowed(text))),
        severity,
        sqlstate,
        message,
        detail: tail.detail.clone(),
        has_context: tail.has_context,
        has_statement: tail.has_statement,
        command_tag: head.command_tag.map(Cow::Borrowed),
        backend_type: head.backend_type,
    }
}

/// The line at `line_start` comes after one that a name with a newline tore: it may be all that name.
pub(crate) fn follows_torn_head(prefix: &LinePrefix, chunk: &[u8], line_start: usize) -> bool {
    line_start > 0 && {
        let (previous, end) = line(chunk, line_start - 1);
        prefix.is_torn_head(&chunk[previous..end - 1])
    }
}
