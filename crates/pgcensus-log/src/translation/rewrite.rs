//! Rewriting a log piece by piece: what is read so far in, English out.
//!
//! ```text
//! stderr   <prefix>FEHLER:  Datenbank »x« …      the first label of a line; its message up to the line that no tab begins
//! csvlog   …,FEHLER,3D000,"Datenbank »x« …"      columns 12 and 14
//! jsonlog  …,"message":"Datenbank »x« …"         its severity is never translated
//! ```
//!
//! Columns and strings keep their quotes: what is put in is escaped as the server escapes. Nothing is rewritten elsewhere, and
//! nothing depends on where the pieces are cut.

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memmem};

use super::messages::Before;
use super::words::Found;
use super::{Shape, Translation};
use crate::line_prefix::LinePrefix;
use crate::record::Severity;
use crate::{format, jsonlog};

/// A longer message is none of the table; its severity is translated all the same.
const MESSAGE_MAX: usize = 64 << 10;
/// A label further in a line is part of its message.
const HEAD_MAX: usize = 600;
/// What is read of a line, or of columns that do not end, before it is handed on as it is.
const LINE_MAX: usize = 256 << 10;
/// The columns of csvlog up to the severity are no longer.
const COLUMNS_MAX: usize = 16 << 10;

/// One line has at most this many readings.
const READINGS_MAX: usize = 4;

/// More must be read to tell.
struct Incomplete;

/// A message of stderr.
struct Message {
    start: usize,
    end: usize,
    /// Without tabs.
    old: Vec<u8>,
    /// In English.
    new: Vec<u8>,
}

/// Rewrites one log from its begin to its end.
#[derive(Clone, Debug)]
pub struct Rewriter {
    translation: Arc<Translation>,
    shape: Shape,
    /// Of stderr, where it is known.
    prefix: Option<LinePrefix>,
    /// The next byte goes on a line whose begin is done.
    is_in_line: bool,
    /// Messages stay as they are.
    is_of_heads: bool,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// The log in English.
    pub text: Vec<u8>,
    /// Places of the text at which a line feed of the log has gone, one for each: French messages span lines that English
    /// ones do not.
    pub joined: Vec<usize>,
}

impl Rewritten {
    fn message(&mut self, old: &[u8], new: &[u8], write: fn(&[u8], &mut Vec<u8>)) {
        write(new, &mut self.text);
        let lines = |text: &[u8]| memchr_iter(b'\n', text).count();
        if memchr(b'\n', old).is_some() {
            let gone = lines(old).saturating_sub(lines(new));
            let end = self.text.len();
            self.joined.extend((0..gone).map(|_| end));
        }
    }
}

impl Rewriter {
    /// For a log of this shape.
    pub fn new(translation: Arc<Translation>, shape: Shape) -> Rewriter {
        Rewriter {
            translation,
            shape,
            prefix: None,
            is_in_line: false,
            is_of_heads: false,
        }
    }

    /// Leaves messages as they are: for what asks of the head of each record alone.
    pub fn set_of_heads(&mut self) {
        self.is_of_heads = true;
    }

    /// The prefix of its lines: it tells a label from a name that holds such a word.
    pub fn set_prefix(&mut self, prefix: LinePrefix) {
        self.prefix = Some(prefix);
    }

    /// Rewrites what is whole in `text`, the next bytes of the log, and returns how many of them that were. At the end of the
    /// log (`is_end`) all is.
    pub fn rewrite(&mut self, text: &[u8], is_end: bool, out: &mut Rewritten) -> usize {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let line = memchr(b'\n', rest);
            if self.is_in_line {
                let len = line.map_or(rest.len(), |newline| newline + 1);
                out.text.extend_from_slice(&rest[..len]);
                self.is_in_line = line.is_none();
                at += len;
                continue;
            }
            let all = is_end || rest.len() >= LINE_MAX;
            let done = match self.shape {
                Shape::Stderr => self.stderr(rest, line, all, out),
                Shape::Csvlog => self.csvlog(rest, line, all, out),
                Shape::Jsonlog => self.jsonlog(rest, line, all, out),
            };
            let Some(done) = done else {
                break;
            };
            self.is_in_line = done == 0 || rest[done - 1] != b'\n';
            at += done;
        }
        at
    }

    /// All of a text, as far as its lines are whole at its begin.
    pub fn whole(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Rewritten {
            text: Vec::with_capacity(text.len() + text.len() / 8),
            joined: Vec::new(),
        };
        self.rewrite(text, true, &mut out);
        out.text
    }

    /// The line at the begin of `rest`, with the tab lines that go on its message where that is translated.
    fn stderr(
        &self,
        rest: &[u8],
        newline: Option<usize>,
        all: bool,
        out: &mut Rewritten,
    ) -> Option<usize> {
        if rest[0] == b'\t' {
            return Some(copy(rest, newline, out));
        }
        let line_end = match newline {
            Some(newline) => newline,
            None if all => rest.len(),
            None => return None,
        };
        let words = &self.translation.words;
        let line = &rest[..line_end.min(HEAD_MAX)];
        let mut labels = Vec::new();
        let mut from = 0;
        while labels.len() < READINGS_MAX
            && let Some(label) = words.find(line, from)
        {
            from = label.end;
            labels.push(label);
        }
        // A name in the prefix may hold a label, and so may a message: what the prefix reads is one.
        if labels.len() > 1 {
            let is_read = |label: &Found<'_>| self.is_read(rest, line_end, label);
            let read: Vec<bool> = labels.iter().map(is_read).collect();
            if read.contains(&true) {
                let mut read = read.into_iter();
                labels.retain(|_| read.next().unwrap_or(false));
            }
        }
        let Some(mut label) = labels.first() else {
            return Some(copy(rest, newline, out));
        };
        let mut message = self.message(rest, label, newline, all).ok()?;
        let mut copied = 0;
        if labels.len() > 1 && message.is_none() && !is_decided(rest, line_end, label) {
            for other in &labels[1..] {
                message = self.message(rest, other, newline, all).ok()?;
                if message.is_some() {
                    copied = self.label(rest, 0, label, out);
                    label = other;
                    break;
                }
            }
        }
        copied = self.label(rest, copied, label, out);
        let Some(message) = message else {
            out.text.extend_from_slice(&rest[copied..line_end]);
            return Some(line_end);
        };
        out.text.extend_from_slice(&rest[copied..message.start]);
        out.message(&message.old, &message.new, tabbed);
        Some(message.end)
    }

    /// The known prefix reads a label at this place.
    fn is_read(&self, rest: &[u8], line_end: usize, label: &Found<'_>) -> bool {
        self.prefix.as_ref().is_some_and(|prefix| {
            let mut line = Vec::with_capacity(line_end + 64);
            let unset = &self.translation.unset;
            unset.write_head(&rest[..label.start], &mut line);
            let start = line.len();
            line.extend_from_slice(&label.label.english);
            line.extend_from_slice(&rest[label.end..line_end]);
            prefix
                .read(&line, start)
                .is_some_and(|head| head.label_start == start)
        })
    }

    /// Writes what stands before a label, and the label; returns where its text begins.
    fn label(&self, rest: &[u8], from: usize, label: &Found<'_>, out: &mut Rewritten) -> usize {
        let unset = &self.translation.unset;
        unset.write_head(&rest[from..label.start], &mut out.text);
        out.text.extend_from_slice(&label.label.english);
        label.end
    }

    /// The message behind a label, if it is one of the table.
    fn message(
        &self,
        rest: &[u8],
        label: &Found<'_>,
        newline: Option<usize>,
        all: bool,
    ) -> Result<Option<Message>, Incomplete> {
        let line_end = newline.unwrap_or(rest.len());
        let verbose = has_sqlstate(&rest[label.end..line_end]);
        let start = label.end + if verbose { 7 } else { 0 };
        let messages = &self.translation.messages;
        let may_be = label.label.is_severity && messages.may_be(&rest[start..line_end]);
        if self.is_of_heads || !may_be {
            return Ok(None);
        }
        let Some(end) = unit_end(rest, start, newline, all)? else {
            return Ok(None);
        };
        let old = untabbed(&rest[start..end]);
        let severity = label.label.english.strip_suffix(b":  ");
        let before = Before {
            text: &rest[..label.start],
            severity: severity.and_then(Severity::parse),
            escape: as_it_is,
        };
        let new = messages.english(&old, before);
        Ok(new.map(|new| Message {
            start,
            end,
            old,
            new,
        }))
    }

    /// The record at the begin of `rest` up to the end of its message.
    fn csvlog(
        &self,
        rest: &[u8],
        newline: Option<usize>,
        all: bool,
        out: &mut Rewritten,
    ) -> Option<usize> {
        let columns = match csv_columns(rest) {
            Csv::Record(columns) => columns,
            Csv::Incomplete if !all && rest.len() < COLUMNS_MAX => return None,
            Csv::Incomplete | Csv::Other => return Some(copy(rest, newline, out)),
        };
        let Columns {
            severity: (start, end),
            message,
        } = columns;
        let opening = message + 1;
        let within = &rest[..rest.len().min(opening + MESSAGE_MAX)];
        let closing = format::csv_column_end(within, message)
            .filter(|&closing| closing > opening && (closing < within.len() || all));
        if closing.is_none() && within.len() < opening + MESSAGE_MAX && !all {
            return None;
        }
        let severity = self.translation.words.severity(&rest[start..end]);
        let severity = severity.map_or(&rest[start..end], |(english, _)| english.as_bytes());
        out.text.extend_from_slice(&rest[..start]);
        out.text.extend_from_slice(severity);
        out.text.extend_from_slice(&rest[end..opening]);
        let message = closing.and_then(|closing| {
            let old = undoubled(rest[opening..closing].strip_suffix(b"\"")?);
            let before = Before {
                text: &rest[..start],
                severity: Severity::parse(severity),
                escape: doubled,
            };
            let new = self.translation.messages.english(&old, before)?;
            Some((closing - 1, old, new))
        });
        let Some((closing, old, new)) = message else {
            return Some(opening);
        };
        out.message(&old, &new, doubled);
        Some(closing)
    }

    /// The line at the begin of `rest` up to the end of its message.
    fn jsonlog(
        &self,
        rest: &[u8],
        newline: Option<usize>,
        all: bool,
        out: &mut Rewritten,
    ) -> Option<usize> {
        let line = match newline {
            Some(newline) => &rest[..newline],
            None if all => rest,
            None => return None,
        };
        let message = json_message(line).and_then(|start| {
            let value = &line[start..];
            let value = &value[..value.len().min(MESSAGE_MAX)];
            let end = start + json_string_len(value)?;
            let old = jsonlog::unescape(&line[start..end]);
            let before = Before {
                text: &line[..start],
                severity: json_severity(&line[..start]),
                escape: escaped,
            };
            let new = self.translation.messages.english(&old, before)?;
            Some((start, end, new))
        });
        let Some((start, end, new)) = message else {
            return Some(copy(rest, newline, out));
        };
        out.text.extend_from_slice(&line[..start]);
        escaped(&new, &mut out.text);
        Some(end)
    }
}

/// Nothing further on in the line can be its label.
fn is_decided(rest: &[u8], line_end: usize, label: &Found<'_>) -> bool {
    let message = &rest[label.end..line_end];
    let message = if has_sqlstate(message) {
        &message[7..]
    } else {
        message
    };
    !label.label.is_severity || crate::message::is_in_table(message)
}

/// Copies the first line, which may go on.
fn copy(rest: &[u8], newline: Option<usize>, out: &mut Rewritten) -> usize {
    let len = newline.map_or(rest.len(), |newline| newline + 1);
    out.text.extend_from_slice(&rest[..len]);
    len
}

/// Where the message from `start` on ends, without its line end: before the next line that no tab begins. `None`: it is too
/// long.
fn unit_end(
    rest: &[u8],
    start: usize,
    newline: Option<usize>,
    all: bool,
) -> Result<Option<usize>, Incomplete> {
    let mut end = newline.unwrap_or(rest.len());
    loop {
        if end - start > MESSAGE_MAX {
            return Ok(None);
        }
        match rest.get(end + 1) {
            Some(b'\t') => {
                let next = memchr(b'\n', &rest[end + 1..]);
                if next.is_none() && !all {
                    return Err(Incomplete);
                }
                end = next.map_or(rest.len(), |next| end + 1 + next);
            }
            None if !all => return Err(Incomplete),
            Some(_) | None => {
                let text = &rest[start..end];
                return Ok(Some(start + text.strip_suffix(b"\r").unwrap_or(text).len()));
            }
        }
    }
}

/// `log_error_verbosity = verbose` writes `00000: ` before the message.
pub(super) fn has_sqlstate(message: &[u8]) -> bool {
    message.get(5..7) == Some(b": ")
        && message[..5]
            .iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// Where the severity and the message of a record of csvlog are.
pub(super) struct Columns {
    /// Where it begins and ends.
    pub(super) severity: (usize, usize),
    /// Its opening quote.
    pub(super) message: usize,
}

pub(super) enum Csv {
    Record(Columns),
    /// The text ends before its message.
    Incomplete,
    Other,
}

/// The columns of a record at the begin of `rest`. Inside quotes, where they are doubled, there is none: its message opens with
/// one.
pub(super) fn csv_columns(rest: &[u8]) -> Csv {
    let shape = |at: usize, byte: u8| rest.get(at).is_none_or(|&b| b == byte);
    let is_digit = rest.first().is_some_and(u8::is_ascii_digit);
    if !(is_digit && shape(4, b'-') && shape(7, b'-') && shape(10, b' ') && shape(13, b':')) {
        return Csv::Other;
    }
    let text = &rest[..rest.len().min(COLUMNS_MAX)];
    let mut at = 0;
    let mut severity = (0, 0);
    for column in 1..=13 {
        let start = at;
        let is_quoted = text.get(at) == Some(&b'"');
        let Some(end) = format::csv_column_end(text, at) else {
            return Csv::Incomplete;
        };
        match text.get(end) {
            None => return Csv::Incomplete,
            Some(b',') if !is_quoted || matches!(column, 2 | 3 | 5 | 8) => at = end + 1,
            Some(_) => return Csv::Other,
        }
        if column == 12 {
            severity = (start, end);
        }
        if column == 13 && end - start != 5 {
            return Csv::Other;
        }
    }
    // A message that begins with a quote has it doubled.
    let quotes = text[at.min(text.len())..]
        .iter()
        .take_while(|&&b| b == b'"')
        .count();
    match text.get(at + quotes) {
        None => Csv::Incomplete,
        Some(b',' | b'\n' | b'\r') => Csv::Other,
        Some(_) if quotes % 2 == 0 => Csv::Other,
        Some(_) => Csv::Record(Columns {
            severity,
            message: at,
        }),
    }
}

/// Where the text of the message begins, behind its quote.
pub(super) fn json_message(line: &[u8]) -> Option<usize> {
    json_string(line, b"\"message\"")
}

fn json_severity(line: &[u8]) -> Option<Severity> {
    let value = &line[json_string(line, b"\"error_severity\"")?..];
    Severity::parse(&value[..memchr(b'"', value)?])
}

/// Where the string of a key begins, behind its quote: what was serialised again may have spaces around the colon.
fn json_string(line: &[u8], key: &[u8]) -> Option<usize> {
    memmem::find_iter(line, key).find_map(|at| {
        let value = line[at + key.len()..].trim_ascii_start();
        let value = value.strip_prefix(b":")?.trim_ascii_start();
        let text = value.strip_prefix(b"\"")?;
        Some(line.len() - text.len())
    })
}

/// Where a string ends, before its quote.
pub(super) fn json_string_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn as_it_is(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
}

/// A message without the tab after each line feed.
fn untabbed(text: &[u8]) -> Vec<u8> {
    crate::stderr::untabbed(text).into_owned()
}

fn tabbed(text: &[u8], out: &mut Vec<u8>) {
    for line in text.split_inclusive(|&b| b == b'\n') {
        out.extend_from_slice(line);
        if line.ends_with(b"\n") {
            out.push(b'\t');
        }
    }
}

fn undoubled(text: &[u8]) -> Vec<u8> {
    let mut undoubled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = memchr(b'"', rest) {
        undoubled.extend_from_slice(&rest[..=quote]);
        rest = rest.get(quote + 2..).unwrap_or_default();
    }
    undoubled.extend_from_slice(rest);
    undoubled
}

fn doubled(text: &[u8], out: &mut Vec<u8>) {
    for part in text.split_inclusive(|&b| b == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
}

/// As the server escapes in jsonlog.
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..b' ' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}
