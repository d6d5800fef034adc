//! Candidates: the few places worth stopping for, the begin of a message that may matter or of a FATAL.
//!
//! How this works: what is searched is not the text of each message but the mark that stands before every one, and
//! the first bytes behind it are looked up in a table:
//!
//! ```text
//! stderr   … LOG:  connection received: host=…                     after a colon and two spaces
//! csvlog   …,LOG,00000,"connection received: host=…                after a severity and an SQLSTATE
//! jsonlog  …"error_severity":"LOG","message":"connection rec…      after the key of the message
//! ```
//!
//! The server puts these marks there in every language, but for the severities of csvlog. What is behind them in csv, a quote
//! and a letter, and the key of json cannot stand inside a column or string, since quotes there are escaped. A search for one literal takes 0.02 ns a byte, and a stop
//! 8 ns, so the cost grows with the records of a log and not with the number of messages. Measured on 512 KiB in
//! the cache, one thread, statements of pgbench (130 bytes a line): these searches 12.7 (stderr), 11.8 (csvlog) and 26 GB/s
//! (jsonlog); a vectorised searcher for the texts of 31 messages at once 4.8, 4.2 and 5.2, for 20 of them 12, 8 and 10, a
//! search for the text of each alone 1.4; a newline count 43. `search_statements` of `cargo bench -p pgcensus-log` has shorter
//! lines (90 bytes): 8.1, 8.8 and 20 GB/s.

use memchr::memmem::Finder;

use crate::csvlog;
use crate::format::Format;
use crate::message;
use crate::translation::{self, stray};

/// Finds the candidates of a format.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    marks: Vec<Mark>,
}

/// What stands before messages.
#[derive(Clone, Debug)]
struct Mark {
    finder: Finder<'static>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The end of a label of stderr.
    Label,
    /// A severity of csvlog, between its commas.
    Severity,
    /// The severity FATAL of csvlog.
    Fatal,
    /// The key of the message in jsonlog.
    MessageKey,
}

impl Candidates {
    pub(crate) fn new(format: &Format) -> Candidates {
        let marks: &[(&'static [u8], Kind)] = match format {
            Format::Stderr(_) => &[(b":  ", Kind::Label)],
            Format::Csvlog => &CSVLOG,
            Format::Jsonlog => &[(b"\"message\"", Kind::MessageKey)],
        };
        let mark = |&(text, kind)| Mark {
            finder: Finder::new(text),
            kind,
        };
        Candidates {
            marks: marks.iter().map(mark).collect(),
        }
    }

    /// A search of `chunk` from its begin.
    pub(crate) fn scan<'a>(&'a self, chunk: &'a [u8]) -> Scan<'a> {
        Scan {
            marks: &self.marks,
            chunk,
            next: [0; MARKS_MAX],
        }
    }
}

/// Marks of one format at most.
const MARKS_MAX: usize = CSVLOG.len();

/// The marks of csvlog.
const CSVLOG: [(&[u8], Kind); 3] = [
    (b",LOG,", Kind::Severity),
    (b",FATAL,", Kind::Fatal),
    (b",WARNING,", Kind::Severity),
];

/// The search of a csvlog would stop at the comma at `at`, before a severity.
pub(crate) fn stops_at(chunk: &[u8], at: usize) -> bool {
    let is_stop = |(mark, kind): &(&[u8], Kind)| {
        let end = at + mark.len();
        chunk[at..].starts_with(mark) && candidate(chunk, *kind, at, end).is_some()
    };
    CSVLOG.iter().any(is_stop)
}

/// A search in one chunk.
pub(crate) struct Scan<'a> {
    marks: &'a [Mark],
    chunk: &'a [u8],
    /// Where each mark is found next, if not before that; at first the begin of the chunk, in the end its length.
    next: [usize; MARKS_MAX],
}

impl Scan<'_> {
    /// The first candidate at or after `from`, which never decreases.
    ///
    /// stderr: where the message begins, of a FATAL its label. csvlog: the comma before the message's quote, of a FATAL the
    /// one before its severity. jsonlog: a place in its line.
    pub(crate) fn find(&mut self, mut from: usize) -> Option<usize> {
        if let [mark] = self.marks {
            let rest = self.chunk.get(from..)?;
            let mut found = mark.finder.find_iter(rest);
            let len = mark.finder.needle().len();
            return found
                .find_map(|at| candidate(self.chunk, mark.kind, from + at, from + at + len));
        }
        loop {
            let (at, number) = self.next_mark(from)?;
            let mark = &self.marks[number];
            let end = at + mark.finder.needle().len();
            if let Some(candidate) = candidate(self.chunk, mark.kind, at, end) {
                return Some(candidate);
            }
            from = at + 1;
        }
    }

    /// Where the first mark at or after `from` is, and which it is.
    fn next_mark(&mut self, from: usize) -> Option<(usize, usize)> {
        let mut first = None;
        for (number, (mark, next)) in self.marks.iter().zip(&mut self.next).enumerate() {
            if *next < from || *next == 0 {
                let rest = self.chunk.get(from..)?;
                *next = mark
                    .finder
                    .find(rest)
                    .map_or(self.chunk.len(), |at| from + at);
            }
            if *next < self.chunk.len() && first.is_none_or(|(at, _)| *next < at) {
                first = Some((*next, number));
            }
        }
        first
    }
}

/// What stands behind the mark from `at` to `end`.
#[inline]
fn candidate(chunk: &[u8], kind: Kind, at: usize, end: usize) -> Option<usize> {
    match kind {
        Kind::Label => {
            if at > 0 && chunk[at - 1] == b'L' && chunk[..at].ends_with(b"FATAL") {
                return Some(at - 5);
            }
            let message = end;
            let word = *chunk.get(message..)?.first_chunk()?;
            let may_be = stray::may_begin(word);
            // `log_error_verbosity = verbose`: an SQLSTATE, `00000: `.
            let is_verbose = word[5] == b':' && word[6] == b' ';
            if !(may_be || is_verbose) {
                return None;
            }
            if may_be && is_candidate(&chunk[message..]) {
                return Some(message);
            }
            let verbose = message + 7;
            (is_verbose && is_candidate(&chunk[verbose..])).then_some(verbose)
        }
        Kind::Severity => {
            let quoted = end + 5;
            let is_message = chunk.get(quoted..quoted + 2) == Some(b",\"");
            (is_message && may_be_row(&chunk[quoted + 2..])).then_some(quoted)
        }
        Kind::Fatal => {
            let message = chunk.get(end + 6..)?;
            csvlog::opens_column(message).then_some(at)
        }
        Kind::MessageKey => {
            if may_be_fatal(&chunk[..at]) {
                return Some(at);
            }
            let value = chunk[end..].trim_ascii_start().strip_prefix(b":")?;
            let message = value.trim_ascii_start().strip_prefix(b"\"")?;
            let between = &chunk[end..chunk.len() - message.len()];
            let may_be = may_be_row(message) || translation::begins_escaped(message);
            (may_be && !between.contains(&b'\n')).then_some(at)
        }
    }
}

/// A message of severity LOG or WARNING is in the table, in some language, as far as its head tells.
#[inline]
fn is_candidate(message: &[u8]) -> bool {
    message::is_candidate(message) || stray::may_be(message)
}

/// It may be one, as far as its first bytes tell.
#[inline]
fn may_be_row(message: &[u8]) -> bool {
    message
        .first_chunk()
        .is_some_and(|head| stray::may_begin(*head))
        && (message::may_be_row(message) || stray::may_be(message))
}

/// The keys before that of the message do not say, in the server's order, that it is something else than FATAL.
fn may_be_fatal(before: &[u8]) -> bool {
    if before.ends_with(b"\"error_severity\":\"LOG\",") {
        return false;
    }
    let end = b"\"state_code\":\"28000\",".len();
    let (rest, code) = before.split_at(before.len().saturating_sub(end));
    let has_code = code.strip_prefix(b"\"state_code\":\"").is_some_and(|code| {
        let code = code.strip_suffix(b"\",");
        code.is_some_and(|code| code.iter().all(u8::is_ascii_alphanumeric))
    });
    let before = if has_code { rest } else { before };
    let severity = before.strip_suffix(b"\",").and_then(|before| {
        let quote = memchr::memrchr(b'"', before)?;
        let (key, severity) = before.split_at(quote + 1);
        key.ends_with(b"\"error_severity\":\"").then_some(severity)
    });
    // A word: what else stands there may belong to the line before.
    let is_word = |severity: &[u8]| severity.iter().all(u8::is_ascii_alphabetic);
    severity.is_none_or(|severity| severity == b"FATAL" || !is_word(severity))
}
