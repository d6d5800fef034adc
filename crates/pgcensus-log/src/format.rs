//! Formats: how a log is written, and guessing it from its head.
//!
//! ```text
//! head of a file ─► guess ─► Log(Format, …) │ PgBouncer │ Binary │ Empty │ Unknown
//! any part of it ─► heads ─► log time, pid and place of each record
//! ```
//!
//! Both look at the beginning of each record only; what a record says is read by the decoders.

use crate::line_prefix::{Head, Inference, Known, Label, LinePrefix};
use crate::log_time::{self, LogTime, Minute};
use crate::near;
use crate::record::SessionId;

/// The format of one log file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each file")]
pub enum Format {
    /// `log_destination = stderr`: lines with this `log_line_prefix`.
    Stderr(LinePrefix),
    /// `csvlog`: 23, 24 or 26 columns.
    Csvlog,
    /// `jsonlog` (15+): an object per line.
    Jsonlog,
}

impl Format {
    /// The format as `log_destination` spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Stderr(_) => "stderr",
            Format::Csvlog => "csvlog",
            Format::Jsonlog => "jsonlog",
        }
    }
}

/// What the head of a file was taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each file")]
pub enum Guess {
    /// A server log; how its prefix was inferred when that is stderr.
    Log(Format, Option<Inference>),
    /// PgBouncer's own log: `2026-11-23 05:28:23.373 UTC [29716] LOG C-0x55e…: …`, a severity
    /// without a colon.
    PgBouncer,
    /// Not text.
    Binary,
    /// Nothing but white space.
    Empty,
    /// Text, but not a line of it is known.
    Unknown,
}

/// Where a record begins, when it was logged and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead<'c> {
    /// When it was logged.
    pub log_time: LogTime<&'c [u8]>,
    /// Who logged it; `None` where the prefix does not say.
    pub pid: Option<u32>,
    /// Its first byte, counted from the first of the bytes that were given.
    pub offset: usize,
}

/// Past this a quoted csv field that never ends is given up: the longest record that is read.
const RECORD_MAX: usize = 1 << 20;

/// No first seven columns, no first keys of a record are longer.
const HEAD_MAX: usize = 16 << 10;

/// A UTF-8 byte order mark.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// Guesses what is written in a file from its head, 64 KiB to 1 MiB, which may begin in the middle
/// of a record, with a byte order mark, and have CRLF line ends.
///
/// Each line votes. A quoted csv field and a name in a prefix can hold whole lines of another
/// format, so the format with most lines wins, not the one that is seen first.
pub fn guess(sample: &[u8]) -> Guess {
    guess_with(&mut Known::default(), sample)
}

/// [`guess`] for files in a row: prefixes that other files were found to have are tried first, which
/// changes no guess.
pub fn guess_with(known: &mut Known, sample: &[u8]) -> Guess {
    let text = sample.strip_prefix(BOM).unwrap_or(sample);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Guess::Empty;
    }
    if let Some(inference) = known.infer_pure(text) {
        return Guess::Log(Format::Stderr(inference.prefix.clone()), Some(inference));
    }
    let votes = Votes::count(text);
    let best = votes.best();
    if let Some((guess, lines)) = &best
        && lines * 2 >= votes.lines
    {
        return guess.clone();
    }
    let inference = if is_document(text) {
        None
    } else {
        known.infer(text)
    };
    match (inference, best) {
        (Some(inference), best)
            if inference.lines_read > best.as_ref().map_or(0, |(_, lines)| *lines) =>
        {
            Guess::Log(Format::Stderr(inference.prefix.clone()), Some(inference))
        }
        (_, Some((guess, _))) => guess,
        (_, None) if is_binary(text) => Guess::Binary,
        (_, None) => Guess::Unknown,
    }
}

/// JSON that quotes log lines is no log; one line of it before a log is no document.
fn is_document(text: &[u8]) -> bool {
    let begins = matches!(
        text.trim_ascii_start(),
        [b'{' | b'[', b'"' | b'{' | b' ' | b'\n' | b'\r', ..]
    );
    let lines = || lines(text).map(<[u8]>::trim_ascii_start);
    let is_json = |line: &&[u8]| line.first().is_some_and(|b| b"{}[]\"".contains(b));
    begins && lines().filter(is_json).count() * 2 >= lines().filter(|l| !l.is_empty()).count()
}

/// The log time and pid of the first `limit` records in `bytes`, which may begin in the middle of
/// one. A stderr prefix without a time has none.
pub fn heads<'c>(format: &Format, bytes: &'c [u8], limit: usize) -> Vec<RecordHead<'c>> {
    Heads::new(format, bytes).take(limit).collect()
}

/// The log time and pid of the last record that begins in `bytes`, the tail of a file, which may
/// begin and end in the middle of a record.
pub fn last_head<'c>(format: &Format, bytes: &'c [u8]) -> Option<RecordHead<'c>> {
    Heads::new(format, bytes).last()
}

/// The record heads of some bytes, one by one.
struct Heads<'f, 'c> {
    format: &'f Format,
    bytes: &'c [u8],
    at: usize,
    /// Of a line of stderr, read into again and again.
    head: Head<'c>,
    minute: Minute,
}

impl<'f, 'c> Heads<'f, 'c> {
    fn new(format: &'f Format, bytes: &'c [u8]) -> Self {
        let at = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
        Heads {
            format,
            bytes,
            at,
            head: Head::default(),
            minute: Minute::default(),
        }
    }
}

impl<'c> Iterator for Heads<'_, 'c> {
    type Item = RecordHead<'c>;

    fn next(&mut self) -> Option<RecordHead<'c>> {
        while self.at < self.bytes.len() {
            let offset = self.at;
            let text = &self.bytes[offset..];
            let line = line_len(text);
            let (head, len) = match self.format {
                Format::Stderr(prefix) => (stderr_head(prefix, text, &mut self.head), line),
                Format::Jsonlog => (json_head(&text[..line]), line),
                Format::Csvlog => match csv_head(&mut self.minute, text) {
                    None => (None, line),
                    Some((head, end)) => (
                        Some(head),
                        csv_rest(text, end)
                            .map_or_else(|read| read + line_len(&text[read..]), |(_, end)| end),
                    ),
                },
            };
            self.at += len.max(1);
            if let Some((log_time, pid)) = head {
                return Some(RecordHead {
                    log_time,
                    pid,
                    offset,
                });
            }
        }
        None
    }
}

/// The lines of a text, without their line feeds.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    ends.map(move |end| &text[std::mem::replace(&mut start, end + 1)..end])
}

/// The first line of `text` with its line end.
fn line_len(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1)
}

type TimeAndPid<'c> = (LogTime<&'c [u8]>, Option<u32>);

fn stderr_head<'c>(
    prefix: &LinePrefix,
    text: &'c [u8],
    head: &mut Head<'c>,
) -> Option<TimeAndPid<'c>> {
    if text.first() == Some(&b'\t') || !prefix.read_into(text, 0, head) {
        return None;
    }
    matches!(head.label, Label::Severity(_)).then_some(())?;
    Some((head.log_time?, head.pid))
}

/// `{"timestamp":"2026-11-23 04:56:44.170 UTC","pid":30630,…`. Keys are looked for anywhere: other
/// programs write them again in another order. A quote inside a string is escaped, so a quoted key
/// before a colon is a key.
fn json_head(line: &[u8]) -> Option<TimeAndPid<'_>> {
    if line.first() != Some(&b'{') {
        return None;
    }
    let timestamp = json_value(line, b"\"timestamp\"")?.strip_prefix(b"\"")?;
    let (log_time, _) = log_time::read(timestamp, Some(b'"'))?;
    Some((
        log_time,
        json_value(line, b"\"pid\"").and_then(|text| number(text).map(|(pid, _)| pid)),
    ))
}

/// What follows a key and its colon.
fn json_value<'c>(line: &'c [u8], quoted_key: &[u8]) -> Option<&'c [u8]> {
    memchr::memmem::find_iter(line, quoted_key).find_map(|at| {
        let rest = line[at + quoted_key.len()..].trim_ascii_start();
        Some(rest.strip_prefix(b":")?.trim_ascii_start())
    })
}

/// The first seven columns of a csvlog record: log time, pid and where the eighth begins.
///
/// `2026-11-23 04:56:44.171 UTC,"my user","a b",30630,"127.0.0.1:60546",6b03c78c.77a6,3,`
fn csv_head<'c>(minute: &mut Minute, text: &'c [u8]) -> Option<(TimeAndPid<'c>, usize)> {
    let text = &text[..text.len().min(HEAD_MAX)];
    if text.get(19) != Some(&b'.') {
        return None;
    }
    let (log_time, mut at) = log_time::read_after(minute, text, Some(b','))?;
    let mut columns: [&[u8]; 6] = [b""; 6];
    for column in &mut columns {
        let begin = comma(text, at)?;
        at = csv_column_end(text, begin)?;
        *column = &text[begin..at];
    }
    let [_user, _database, pid, _client, session_id, line_num] = columns;
    let (pid, len) = number(pid)?;
    let (_, line_num_len) = number(line_num)?;
    (len == columns[2].len() && line_num_len == line_num.len()).then_some(())?;
    SessionId::parse(session_id)?;
    Some(((log_time, Some(pid)), comma(text, at)?))
}

/// The byte after the comma that stands at `at`.
fn comma(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b',')).then_some(at + 1)
}

/// Where a column that begins at `at` ends: at its comma, its line end or the end of the text.
/// `None`: a quoted one does not end here.
///
/// A quote that no comma or line end follows does not end a column: `connection_from` may hold
/// quotes that PostgreSQL does not double.
pub(crate) fn csv_column_end(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        let rest = text.get(at..)?;
        return Some(at + near::find2(b',', b'\n', rest).unwrap_or(rest.len()));
    }
    let mut at = at + 1;
    loop {
        at += near::find2(b'"', b'"', text.get(at..)?)? + 1;
        match text.get(at) {
            Some(b'"') => at += 1,
            None | Some(b',' | b'\n') => return Some(at),
            Some(b'\r') if matches!(text.get(at + 1), None | Some(b'\n')) => return Some(at),
            Some(_) => {}
        }
    }
}

/// Reads the columns from `at` to the end of the record: how many, and where the next record begins.
/// `Err`: how far was read when the record does not end within these bytes or [`RECORD_MAX`].
fn csv_rest(text: &[u8], mut at: usize) -> Result<(usize, usize), usize> {
    let text = &text[..text.len().min(RECORD_MAX)];
    let mut columns = 0;
    loop {
        at = csv_column_end(text, at).ok_or(text.len())?;
        columns += 1;
        match text.get(at) {
            Some(b',') => at += 1,
            Some(b'\r') => return Ok((columns, (at + 2).min(text.len()))),
            Some(_) => return Ok((columns, at + 1)),
            None => return Err(text.len()),
        }
    }
}

/// Reads a decimal number: it and its length.
fn number(text: &[u8]) -> Option<(u32, usize)> {
    let len = text
        .iter()
        .take(10)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let digits = std::str::from_utf8(&text[..len]).ok()?;
    Some((digits.parse().ok()?, len))
}

/// How many lines of a sample are of which kind.
#[derive(Default)]
struct Votes {
    /// Lines with something in them, parts of records included.
    lines: usize,
    jsonlog: usize,
    csvlog: usize,
    pgbouncer: usize,
}

impl Votes {
    fn count(text: &[u8]) -> Votes {
        let mut votes = Votes::default();
        let mut minute = Minute::default();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let line_end = line_len(rest);
            let line = rest[..line_end].trim_ascii_end();
            at += line_end;
            if line.is_empty() {
                continue;
            }
            votes.lines += 1;
            if let Some((_, columns_end)) = csv_head(&mut minute, rest) {
                let rest = csv_rest(rest, columns_end);
                // The eighth column to the twentieth and on; or the sample ends within.
                if rest.is_err() || rest.is_ok_and(|(columns, _)| columns >= 13) {
                    votes.csvlog += 1;
                    at += rest.map_or(0, |(_, end)| end.saturating_sub(line_end));
                }
            } else if line[0] == b'{' {
                votes.count_object(line);
            } else if is_pgbouncer(&mut minute, line) {
                votes.pgbouncer += 1;
            }
        }
        votes
    }

    fn count_object(&mut self, line: &[u8]) {
        if json_head(line).is_some_and(|(_, pid)| {
            pid.is_some() || json_value(line, b"\"error_severity\"").is_some()
        }) {
            self.jsonlog += 1;
        }
    }

    fn best(&self) -> Option<(Guess, usize)> {
        [
            (Guess::PgBouncer, self.pgbouncer),
            (Guess::Log(Format::Jsonlog, None), self.jsonlog),
            (Guess::Log(Format::Csvlog, None), self.csvlog),
        ]
        .into_iter()
        .max_by_key(|(_, lines)| *lines)
        .filter(|(_, lines)| *lines > 0)
    }
}

/// `2026-11-23 05:28:22.091 UTC [29687] LOG process up: …`; before PgBouncer 1.10 the pid stands
/// bare and no zone before it.
fn is_pgbouncer(minute: &mut Minute, line: &[u8]) -> bool {
    let Some((_, wall_len)) = minute.read_wall(line) else {
        return false;
    };
    let len = log_time::read_after(minute, line, None).map_or(wall_len, |(_, len)| len);
    let Some(rest) = line[len..].strip_prefix(b" ") else {
        return false;
    };
    let (rest, closing): (_, &[u8]) = match rest.strip_prefix(b"[") {
        Some(rest) => (rest, b"] "),
        None => (rest, b" "),
    };
    number(rest)
        .and_then(|(_, len)| rest[len..].strip_prefix(closing))
        .is_some_and(|rest| {
            [
                &b"LOG "[..],
                b"WARNING ",
                b"ERROR ",
                b"FATAL ",
                b"DEBUG ",
                b"NOISE ",
            ]
            .iter()
            .any(|severity| rest.starts_with(severity))
        })
}

/// Whether these bytes are no text: a NUL, or one control byte in twenty. High bytes say nothing:
/// a log is in the encodings of its databases.
fn is_binary(text: &[u8]) -> bool {
    let text = &text[..text.len().min(64 << 10)];
    let control = text
        .iter()
        .filter(|&&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
        .count();
    memchr::memchr(0, text).is_some() || control * 20 > text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"timestamp":"2026-11-23 04:56:44.170 UTC","user":"a\"pid\":1","dbname":"pid","pid":30630,"session_id":"6b03c78c.77a6","line_num":1,"error_severity":"LOG","message":"hello"}"#;
    const CSV: &str = r#"2026-11-23 04:56:44.171 UTC,"my ""user""","a
b",30630,"127.0.0.1:60546",6b03c78c.77a6,3,"authentication",2026-11-23 04:56:44 UTC,8/3,0,LOG,00000,"hello",,,,,,,,,"","client backend",,0"#;
    /// A record whose message holds a record.
    const CSV_FORGED: &str = r#"2026-11-23 04:56:45.000 UTC,,,7,,6b03c78c.7,1,,2026-11-23 04:56:44 UTC,,0,LOG,00000,"x
2026-11-23 04:56:44.171 UTC,,,666,,6b03c78c.77a6,3,,2026-11-23 04:56:44 UTC,8/3,0,LOG,00000,,,,,,,,,,,,,0
{""timestamp"":""2026-11-23 04:56:44.170 UTC"",""pid"":666}
",,,,,,,,,"","client backend",,0"#;

    #[test]
    fn formats_are_guessed() {
        let bom = format!("\u{feff}{JSON}\n");
        let csv_crlf = format!("torn, \"tail\"\r\n{CSV}\r\n{CSV}\r\n");
        let forged = format!("{CSV_FORGED}\n");
        for (text, expected) in [
            (&*bom, Guess::Log(Format::Jsonlog, None)),
            (JSON, Guess::Log(Format::Jsonlog, None)),
            (&csv_crlf, Guess::Log(Format::Csvlog, None)),
            (CSV, Guess::Log(Format::Csvlog, None)),
            (&CSV[..150], Guess::Log(Format::Csvlog, None)),
            (&forged, Guess::Log(Format::Csvlog, None)),
            (
                "2026-11-23 05:28:22.091 UTC [29687] LOG process up: PgBouncer 1.18.0\n",
                Guess::PgBouncer,
            ),
            (
                "2018-01-23 05:28:22.091 29687 LOG stats: 0 xacts/s\n",
                Guess::PgBouncer,
            ),
            ("Nov 23 05:25:52 db01 kernel: hello\n", Guess::Unknown),
            ("", Guess::Empty),
            ("\u{feff}\r\n\n ", Guess::Empty),
            ("\u{7f}ELF\u{1}\u{0}\u{0}", Guess::Binary),
            ("dear diary\n{\"a\":1}\n", Guess::Unknown),
            ("2026-11-23 05:28:22.091 UTC,a,b\n", Guess::Unknown),
        ] {
            assert_eq!(guess(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn heads_are_those_of_records_not_of_lines_inside_them() {
        let csv = format!("{CSV}\n{CSV_FORGED}\r\n{CSV}");
        let pids = |format, text: &str| {
            heads(format, text.as_bytes(), 9)
                .iter()
                .map(|head| (head.pid, head.offset))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            pids(&Format::Csvlog, &csv),
            [
                (Some(30630), 0),
                (Some(7), CSV.len() + 1),
                (Some(30630), CSV.len() + CSV_FORGED.len() + 3)
            ]
        );
        let json = format!("torn\"pid\":3}}\n{JSON}\n{JSON}");
        assert_eq!(
            pids(&Format::Jsonlog, &json),
            [(Some(30630), 13), (Some(30630), 14 + JSON.len())]
        );
        let last = last_head(&Format::Jsonlog, json.as_bytes()).expect("two records");
        assert_eq!(last.log_time.wall_ms % 100_000, 4170);
        assert_eq!(last.offset, 14 + JSON.len());
    }

    #[test]
    fn any_piece_of_a_log_is_looked_at_without_panic() {
        let text = format!("{CSV}\n{CSV_FORGED}\r\n{JSON}\n");
        for begin in 0..text.len() {
            // Every end of some begin: all of them of each would be half a million pieces.
            for end in (begin + begin % 5..text.len()).step_by(5) {
                let piece = &text.as_bytes()[begin..end];
                for format in [Format::Csvlog, Format::Jsonlog] {
                    let found = heads(&format, piece, 100);
                    assert_eq!(found.last().copied(), last_head(&format, piece));
                }
                if end % 7 == 0 {
                    guess(piece);
                }
            }
        }
    }

    #[test]
    fn a_field_that_never_ends_does_not_stop_the_search() {
        let mut text = CSV[..CSV.len() - 60].replace("\"hello\"", "\"hello");
        text.push_str(&"x\n".repeat(RECORD_MAX));
        text.push_str(CSV);
        let found = heads(&Format::Csvlog, text.as_bytes(), 9);
        assert_eq!(found.len(), 2);
    }
}
