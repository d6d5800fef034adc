//! Candidates: the few places worth stopping for, the begin of a message that may matter or of a FATAL.
//!
//! How this works: what is searched is not the text of each message but the mark that stands before every one, and
//! the first bytes behind it are looked up in a table:
//!
//! ```text
//! stderr   … LOG:  connection received: host=…                     after a colon and two spaces
//! csvlog   …,LOG,00000,"connection received: host=…                after the last letter of a severity, and an SQLSTATE
//! jsonlog  …"error_severity":"LOG","message":"connection rec…      after the key of the message
//! ```
//!
//! The server puts these marks there in every language, but for the severities of csvlog: LOG, WARNING and what translates them with
//! a G at the end have one mark, FATAL another. Those of other languages are met by the SQLSTATE behind them, which each LOG has too: a stop more for
//! each. But their records are not all ASCII, so that this is looked for near other bytes only.
//!
//! What is behind the marks in csv, a quote and a letter, and the key of json cannot stand inside a column or string, since quotes
//! there are escaped. A search for one literal takes 0.02 ns a byte, and a stop
//! 8 ns, so the cost grows with the records of a log and not with the number of messages. Measured on 512 KiB in
//! the cache, one thread, statements of pgbench (130 bytes a line): these searches 12.7 (stderr), 11.8 (csvlog) and 26 GB/s
//! (jsonlog); a vectorised searcher for the texts of 31 messages at once 4.8, 4.2 and 5.2, for 20 of them 12, 8 and 10, a
//! search for the text of each alone 1.4; a newline count 43. `search_statements` of `cargo bench -p pgcensus-log` has shorter
//! lines (90 bytes): 8.1, 8.8 and 20 GB/s.

use memchr::memmem::Finder;
use memchr::memrchr;

use crate::csvlog::{self, SEVERITY_MAX};
use crate::format::Format;
use crate::message;
use crate::near;
use crate::record::Severity;
use crate::translation::{self, stray};

/// Finds the candidates of a format.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    marks: Vec<Mark>,
    foreign: Vec<Foreign>,
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
    /// The end of a severity of csvlog, with its comma.
    Severity,
    /// The begin of a severity FATAL of csvlog: `FATALE` and `FATALT` are Italian and Swedish.
    Fatal,
    /// The key of the message in jsonlog.
    MessageKey,
}

/// What stands in the SQLSTATEs of csvlog that are looked for behind a severity of another language.
#[derive(Clone, Debug)]
struct Foreign {
    finder: Finder<'static>,
    /// So many bytes behind the comma before it.
    behind: usize,
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
        let foreign: &[(&[u8], usize)] = match format {
            Format::Csvlog => &FOREIGN,
            Format::Stderr(_) | Format::Jsonlog => &[],
        };
        let foreign = foreign.iter().map(|&(text, behind)| Foreign {
            finder: Finder::new(text),
            behind,
        });
        Candidates {
            marks: marks.iter().map(mark).collect(),
            foreign: foreign.collect(),
        }
    }

    /// A search of `chunk` from its begin.
    pub(crate) fn scan<'a>(&'a self, chunk: &'a [u8]) -> Scan<'a> {
        Scan {
            marks: &self.marks,
            foreign: &self.foreign,
            chunk,
            next: [0; MARKS_MAX],
            next_foreign: None,
        }
    }
}

/// Marks of one format at most.
const MARKS_MAX: usize = CSVLOG.len();

/// The marks of csvlog.
const CSVLOG: [(&[u8], Kind); 2] = [(b"G,", Kind::Severity), (b",FATAL", Kind::Fatal)];

/// Of records in another language: what sessions say, and what ends them: 57P01, 57P05, 25P03 and their like.
const FOREIGN: [(&[u8], usize); 2] = [(b",00000,\"", 0), (b"P0", 3)];

/// The search of a csvlog would stop at the record whose severity stands behind the comma at `comma`.
pub(crate) fn stops_at(chunk: &[u8], comma: usize) -> bool {
    let Some(len) = near::find2(b',', b',', &chunk[comma + 1..]) else {
        return false;
    };
    let end = comma + 1 + len;
    let has = |at: usize, mark: &[u8]| chunk.get(at..).is_some_and(|text| text.starts_with(mark));
    let is_stop = CSVLOG.iter().any(|&(mark, kind)| {
        let at = match kind {
            Kind::Severity => end - 1,
            _ => comma,
        };
        has(at, mark) && candidate(chunk, kind, at, at + mark.len()).is_some()
    });
    is_stop
        || FOREIGN.iter().any(|(mark, behind)| has(end + behind, mark))
            && foreign(chunk, end).is_some()
}

/// Messages of other languages have a byte that is no ASCII in so much of their begin, or in their severity.
const BEGIN: usize = 32;

/// So many bytes are looked at together for whether all of them are ASCII.
const BLOCK: usize = 512;

/// A search in one chunk.
pub(crate) struct Scan<'a> {
    marks: &'a [Mark],
    foreign: &'a [Foreign],
    chunk: &'a [u8],
    /// Where each mark is found next, if not before that; at first the begin of the chunk, in the end its length.
    next: [usize; MARKS_MAX],
    /// Where the next candidate of another language is; `None`: that is not known.
    next_foreign: Option<usize>,
}

impl Scan<'_> {
    /// The first candidate at or after `from`, which never decreases.
    ///
    /// stderr: where the message begins, of a FATAL its label. csvlog: the comma before the message's quote, of a FATAL the
    /// one before its severity. jsonlog: a place in its line.
    pub(crate) fn find(&mut self, from: usize) -> Option<usize> {
        let found = self.find_marked(from);
        if self.foreign.is_empty() {
            return found;
        }
        let next = match self.next_foreign {
            Some(next) if next >= from => next,
            _ => self.find_foreign(from).unwrap_or(usize::MAX),
        };
        self.next_foreign = Some(next);
        found
            .into_iter()
            .chain([next])
            .min()
            .filter(|at| *at < usize::MAX)
    }

    /// The same of what has a mark.
    fn find_marked(&mut self, mut from: usize) -> Option<usize> {
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

    /// The same of records in another language.
    fn find_foreign(&self, from: usize) -> Option<usize> {
        let chunk = self.chunk;
        let mut at = from;
        while at < chunk.len() {
            let end = chunk.len().min(at + BLOCK);
            if !chunk[at..end].is_ascii() {
                // What is no ASCII stands before the SQLSTATE, or soon behind it.
                let start = at.saturating_sub(BEGIN + 8).max(from);
                let near = &chunk[start..chunk.len().min(end + SEVERITY_MAX + 8)];
                let first = |mark: &Foreign| {
                    let mut found = mark.finder.find_iter(near);
                    found.find_map(|found| {
                        let comma = (start + found).checked_sub(mark.behind)?;
                        foreign(chunk, comma)
                    })
                };
                let found = self.foreign.iter().filter_map(first).min();
                if found.is_some_and(|found| found >= from) {
                    return found;
                }
            }
            at = end;
        }
        None
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
            let comma = end + usize::from(matches!(chunk.get(end), Some(b'E' | b'T')));
            let message = chunk.get(comma + 7..)?;
            (chunk[comma] == b',' && csvlog::opens_column(message)).then_some(at)
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

/// The message of a record of csvlog in another language, which is not all ASCII; at `comma`, behind its severity.
fn foreign(chunk: &[u8], comma: usize) -> Option<usize> {
    let before = &chunk[comma.saturating_sub(SEVERITY_MAX)..comma];
    let quoted = comma + 6;
    // Of English ones most are LOG, which another mark finds.
    if before.ends_with(b"G") || chunk[comma] != b',' || chunk.get(quoted..quoted + 2)? != b",\"" {
        return None;
    }
    let severity = &before[memrchr(b',', before)? + 1..];
    let message = &chunk[quoted + 2..];
    let begin = message[..message.len().min(BEGIN)]
        .split(|&b| b == b'"')
        .next()?;
    if Severity::parse(severity).is_some() || severity.is_ascii() && begin.is_ascii() {
        return None;
    }
    let is_candidate = match stray::severity(severity)? {
        Severity::Fatal => csvlog::opens_column(&chunk[quoted + 1..]),
        Severity::Log | Severity::Warning => may_be_row(message),
        _ => false,
    };
    is_candidate.then_some(quoted)
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
