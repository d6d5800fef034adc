//! csvlog: `2026-11-23 04:56:44.170 UTC,"app","shop",30630,"127.0.0.1:60546",6b03c78c.77a6,…`, 23 columns (to
//! 12), 24 (13) or 26 (14 and later).
//!
//! How this works: a candidate is the opening of the message column, `,"connection received: `. Since quotes
//! inside a quoted column are doubled, a comma, one quote and a letter can only stand where a column
//! opens: text that quotes such a line reads `,""connection`. From there the record's beginning is
//! found backwards by counting quotes, and its columns are then read forwards and counted.
//!
//! Source: `write_csvlog` in PostgreSQL's `src/backend/utils/error/csvlog.c`; `connection_from` alone is
//! written without doubling its quotes (a client socket bound to a path with quotes). Such a quote would turn
//! inside into outside for all that is counted across it, so it is looked for by the `,"[local]:` before it
//! and not counted.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem, memrchr, memrchr_iter, memrchr2};

use crate::batch::Why;
use crate::candidate;
use crate::cursor::Cursor;
use crate::decoder::RECORD_MAX;
use crate::log_time::{self, LogTime, Minute};
use crate::near;
use crate::record::{BackendType, Client, Record, SessionId, Severity, Sqlstate, not_empty};
use crate::translation::stray;

/// Columns of a record at most; one more is read so that a longer record is seen to be wrong.
const COLUMNS_MAX: usize = 27;

/// The column of the message.
const MESSAGE: usize = 13;

/// The beginning of a record lies at most this far before its message: three names of 63 bytes, each
/// byte a doubled quote, and the fixed columns.
const HEAD_MAX: usize = 4096;

/// A record that surely begins is looked for in so much of an end.
const TAIL: usize = 16 << 10;

/// From the comma before a severity to the first letter of the message behind it.
pub(crate) const SEVERITY_MAX: usize = 64;

/// `[local]:`, the longest path of a socket, and `",`.
const SOCKET_MAX: usize = 8 + 108 + 2;

/// Reads the records of one chunk.
#[derive(Debug, Default)]
pub(crate) struct Reader<'c> {
    /// Of the last log time.
    minute: Minute,
    names: Names<'c>,
    /// Of the last records, by the length of their command tag: lines of one kind mostly end alike.
    endings: [Ending<'c>; ENDINGS],
    /// Of the record at hand; kept from one to the next, since clearing them takes as long as reading them.
    columns: [Column; COLUMNS_MAX],
    /// Of the record at hand: the comma before its severity.
    severity: usize,
}

/// Endings that are known at once: a line without a command tag, one of `authentication` and one of `idle` have places of
/// their own.
const ENDINGS: usize = 3;

/// The user and the database of the last record that had both: nearly always the next one has the same, and then they are
/// not read but compared.
#[derive(Clone, Copy, Debug, Default)]
struct Names<'c> {
    /// `"app","shop",`; empty where none are known.
    text: &'c [u8],
    user: &'c [u8],
    database: &'c [u8],
}

/// What follows the message of a record, and what it says; the same of it.
#[derive(Clone, Copy, Debug, Default)]
struct Ending<'c> {
    /// `,,,,,,,,,"web","client backend",,0` and the newline; empty where none is known.
    text: &'c [u8],
    application_name: &'c [u8],
    backend_type: Option<BackendType>,
}

/// Where a record stands: where it begins, and where the next one does.
pub(crate) type Place = (usize, usize);

impl<'c> Reader<'c> {
    /// Reads the record whose message column, or the comma before its severity, stands at `candidate`: where it
    /// is, and `record`. `None`: no record has it there. At `known`, some way before, a record does begin.
    ///
    /// # Errors
    /// Why it could not be read, and where it is.
    pub(crate) fn read_around(
        &mut self,
        chunk: &'c [u8],
        known: usize,
        candidate: usize,
        record: &mut Record<'c>,
    ) -> Option<Result<Place, (Why, Place)>> {
        let floor = candidate.saturating_sub(HEAD_MAX);
        let start = if memchr(b'\n', &chunk[known..candidate]).is_none() {
            Some(known)
        } else {
            record_start(chunk, floor, candidate, &[])
        };
        let mut read_at = |start: usize| match self.read(chunk, start, record) {
            Ok(end) => Ok((start, end)),
            Err((why, end)) => Err((why, (start, end))),
        };
        let found = start.map(&mut read_at);
        if let Some(Ok((_, end))) = found
            && end > candidate
        {
            return found;
        }
        let undoubled = undoubled_quotes(&chunk[floor..candidate], floor);
        if !undoubled.is_empty() {
            return record_start(chunk, floor, candidate, &undoubled).map(read_at);
        }
        // Where a quote is missing somewhere before, none that is counted from there is right.
        let sure =
            last_sure_start(&chunk[floor..candidate + SEVERITY_MAX.min(chunk.len() - candidate)]);
        match sure.map(|start| read_at(floor + start)) {
            Some(Ok((start, end))) if (start..end).contains(&candidate) => Some(Ok((start, end))),
            // What was read first, once more.
            _ => start.map(read_at),
        }
    }

    /// Reads the record at `chunk[start]` into `record`, and returns where the next one begins.
    ///
    /// # Errors
    /// Why it could not be read, and where to go on.
    pub(crate) fn read(
        &mut self,
        chunk: &'c [u8],
        start: usize,
        record: &mut Record<'c>,
    ) -> Result<usize, (Why, usize)> {
        let end = chunk
            .get(start..)
            .and_then(|text| self.read_plain(chunk, text, record));
        end.map_or_else(|| self.read_columns(chunk, start, record), Ok)
    }

    /// The same for a record as nearly all of sessions are, which begins `text`: of severity LOG, no name with a quote or newline
    /// in it, and behind the message nothing but an application, a backend type and a query id. Columns that are of no
    /// interest are only stepped over. `None`: it is another.
    fn read_plain(
        &mut self,
        chunk: &'c [u8],
        text: &'c [u8],
        record: &mut Record<'c>,
    ) -> Option<usize> {
        let (time, len) = log_time::read_after(&mut self.minute, text, None)?;
        record.log_time = Some(time);
        let mut at = Cursor { rest: &text[len..] };
        at.pass(b",")?;
        if at.passes(b",,") {
            record.user = None;
            record.database = None;
        } else {
            self.names.read(&mut at)?;
            record.user = not_empty(self.names.user);
            record.database = not_empty(self.names.database);
        }
        record.pid = Some(ascii_number(at.digits())?);
        at.pass(b",")?;
        let from = name(&mut at)?;
        let is_bound_socket = from.starts_with(b"[local]:");
        record.client = not_empty(from).filter(|_| !is_bound_socket).map(client);
        (!is_bound_socket).then_some(())?;
        record.session_id = Some(SessionId::parse(at.until(b',', b'\n')?)?);
        at.digits();
        at.pass(b",")?;
        let tag = name(&mut at)?;
        record.command_tag = not_empty(tag);
        for _start_and_transactions in 0..3 {
            let is_quoted = at.rest.starts_with(b"\"");
            at.until(b',', b'\n').filter(|_| !is_quoted)?;
        }
        self.severity = chunk.len() - at.rest.len() - 1;
        // Lines of sessions have no other.
        at.pass(b"LOG,00000,\"")?;
        record.severity = Severity::Log;
        record.sqlstate = Some(Sqlstate(*b"00000"));
        record.message = quoted(&mut at)?;
        record.detail = None;
        record.has_context = false;
        record.has_statement = false;
        let ending = &mut self.endings[tag.len() % ENDINGS];
        ending.read(&mut at)?;
        record.application_name = not_empty(ending.application_name);
        record.backend_type = ending.backend_type;
        Some(chunk.len() - at.rest.len())
    }

    /// The same for a record of any form.
    fn read_columns(
        &mut self,
        chunk: &'c [u8],
        start: usize,
        record: &mut Record<'c>,
    ) -> Result<usize, (Why, usize)> {
        let (n, end) = self.columns(chunk, start);
        let Some(end) = end else {
            return Err((Why::Incomplete, resume(chunk, start)));
        };
        if !matches!(n, 23 | 24 | 26) {
            return Err((Why::CsvColumns(n as u16), resume(chunk, start).min(end)));
        }
        self.fill(chunk, n, record);
        Ok(end)
    }

    /// Reads the begin of a record that is too long to be kept, as [`read`](Reader::read) does: a statement of a client makes it so
    /// long. `None`: it ends before one.
    pub(crate) fn read_head(
        &mut self,
        chunk: &'c [u8],
        start: usize,
        record: &mut Record<'c>,
    ) -> Option<()> {
        let (n, end) = self.columns(chunk, start);
        let is_cut = end.is_none() && (MESSAGE + 1..COLUMNS_MAX).contains(&n);
        is_cut.then(|| {
            self.columns[n..].fill(Column::default());
            self.fill(chunk, n, record);
            // Which of them it is that does not end.
            record.has_context |= n <= 18;
            record.has_statement = true;
        })
    }

    /// The columns of the record at `chunk[start]`: how many, and where the next one begins; `None`: the last of them does not end.
    fn columns(&mut self, chunk: &'c [u8], start: usize) -> (usize, Option<usize>) {
        let mut n = 0;
        let mut at = start;
        loop {
            // Behind the message most columns are empty.
            if (14..COLUMNS_MAX - 8).contains(&n) && chunk[at..].starts_with(b",,,,,,,,") {
                self.columns[n..n + 8].fill(Column::default());
                n += 8;
                at += 8;
            }
            let socket = (n == 4 && chunk[at..].starts_with(b"\"[local]:"))
                .then(|| socket_end(chunk, at + 1))
                .flatten();
            let column = match (socket, chunk.get(at)) {
                (Some(end), _) => Some((Column::plain(at + 1, end), end + 1)),
                // Most are empty.
                (None, Some(b',' | b'\n')) => Some((Column::default(), at)),
                (None, _) => Column::read(chunk, at),
            };
            let Some((column, next)) = column else {
                return (n, None);
            };
            if n < COLUMNS_MAX {
                self.columns[n] = column;
            }
            n += 1;
            match chunk.get(next) {
                Some(b',') => at = next + 1,
                Some(_) => return (n, Some(next + 1)),
                None => return (n, Some(next)),
            }
            // A lost quote joins records: give up where no csvlog goes on.
            if n > 4 * COLUMNS_MAX {
                return (n, Some(at));
            }
        }
    }

    /// Fills a record from `n` columns.
    fn fill(&mut self, chunk: &'c [u8], n: usize, record: &mut Record<'c>) {
        let columns = &self.columns;
        self.severity = columns[11].start.saturating_sub(1);
        let raw = |i: usize| columns[i].raw(chunk);
        let text = |i: usize| Some(columns[i].text(chunk)).filter(|text| !text.is_empty());
        record.log_time =
            log_time::read_after(&mut self.minute, raw(0), None).map(|(time, _)| time);
        record.pid = ascii_number(raw(3));
        record.session_id = SessionId::parse(raw(5));
        record.user = text(1);
        record.database = text(2);
        record.application_name = text(22);
        record.client = text(4).map(client);
        record.severity = Severity::parse(raw(11))
            .or_else(|| stray::severity(raw(11)))
            .unwrap_or_default();
        record.sqlstate = Sqlstate::parse(raw(12));
        record.message = columns[MESSAGE].text(chunk);
        record.detail = text(14);
        record.has_context = !columns[16].is_empty() || !columns[18].is_empty();
        record.has_statement = !columns[19].is_empty();
        record.command_tag = text(7);
        record.backend_type = (n > 23).then(|| BackendType::parse(raw(23)));
    }

    /// The record that was read last is one that the search would have found.
    pub(crate) fn is_candidate(&self, chunk: &[u8]) -> bool {
        candidate::stops_at(chunk, self.severity)
    }
}

impl<'c> Names<'c> {
    #[inline(always)]
    fn read(&mut self, at: &mut Cursor<'c>) -> Option<()> {
        if !self.text.is_empty()
            && let Some(rest) = at.rest.strip_prefix(self.text)
        {
            at.rest = rest;
            return Some(());
        }
        let text = at.rest;
        let (user, database) = (name(at)?, name(at)?);
        let text = &text[..text.len() - at.rest.len()];
        *self = Names {
            text,
            user,
            database,
        };
        Some(())
    }
}

impl<'c> Ending<'c> {
    #[inline(always)]
    fn read(&mut self, at: &mut Cursor<'c>) -> Option<()> {
        if !self.text.is_empty()
            && let Some(rest) = at.rest.strip_prefix(self.text)
        {
            at.rest = rest;
            return Some(());
        }
        self.read_other(at)
    }

    fn read_other(&mut self, at: &mut Cursor<'c>) -> Option<()> {
        let text = at.rest;
        at.pass(b",,,,,,,,,\"")?;
        let application_name = at.until(b'"', b'\n')?;
        let mut backend_type = None;
        if at.passes(b",\"") {
            backend_type = Some(BackendType::parse(at.until(b'"', b'\n')?));
            if at.passes(b",") {
                // A leader's pid, and the id of a query.
                at.digits();
                at.pass(b",")?;
                at.passes(b"-");
                at.digits();
            }
        }
        at.pass(b"\n")?;
        *self = Ending {
            text: &text[..text.len() - at.rest.len()],
            application_name,
            backend_type,
        };
        Some(())
    }
}

/// A column that is empty, or a name in quotes and without any, and the comma after it.
#[inline]
fn name<'c>(at: &mut Cursor<'c>) -> Option<&'c [u8]> {
    if at.passes(b",") {
        return Some(b"");
    }
    at.pass(b"\"")?;
    let name = at.until(b'"', b'\n')?;
    at.pass(b",")?;
    Some(name)
}

/// A text and the quote behind it.
#[inline]
fn quoted<'c>(at: &mut Cursor<'c>) -> Option<Cow<'c, [u8]>> {
    let text = at.rest;
    let mut doubled = false;
    let mut end = 0;
    loop {
        end += memchr(b'"', &text[end..])?;
        if text.get(end + 1) != Some(&b'"') {
            break;
        }
        doubled = true;
        end += 2;
    }
    at.rest = &text[end + 1..];
    if !doubled {
        return Some(Cow::Borrowed(&text[..end]));
    }
    let column = Column {
        start: 0,
        end,
        doubled,
    };
    Some(column.text(text))
}

/// Where the record begins whose message column opens at `message` (the position of its quote).
///
/// Between columns one stands outside quotes; going backwards, each quote turns inside into outside,
/// and the first newline outside ends the record before.
fn record_start(chunk: &[u8], floor: usize, message: usize, undoubled: &[usize]) -> Option<usize> {
    let mut inside = false;
    let mut end = message;
    while let Some(at) = memrchr2(b'"', b'\n', &chunk[floor..end]) {
        end = floor + at;
        if chunk[end] == b'"' {
            inside ^= !undoubled.contains(&end);
        } else if !inside {
            return Some(end + 1);
        }
    }
    (floor == 0 && !inside).then_some(0)
}

/// The quotes inside `connection_from` of bound client sockets, which are not doubled, ascending; `base` is
/// added to their positions. `,"[local]:` opens such a column, since within other columns quotes are doubled.
fn undoubled_quotes(text: &[u8], base: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = memmem::find(&text[from..], b",\"[local]:") {
        let open = from + at + 2;
        from = open;
        if let Some(close) = socket_end(text, open) {
            let quotes = memchr_iter(b'"', &text[open..close]);
            found.extend(quotes.map(|quote| base + open + quote));
            from = close;
        }
    }
    found
}

/// Where the `connection_from` of a bound client socket ends that begins at `open`, after its quote: before a
/// session id and a line number, at the last such place that a path can reach.
fn socket_end(text: &[u8], open: usize) -> Option<usize> {
    let reach = &text[open..text.len().min(open + SOCKET_MAX)];
    memmem::rfind_iter(reach, b"\",")
        .map(|close| open + close)
        .find(|close| {
            let mut columns = text[close + 2..].splitn(3, |&b| b == b',');
            let mut next = || columns.next().unwrap_or_default();
            SessionId::parse(next()).is_some() && ascii_number(next()).is_some()
        })
}

/// A quoted column opens here: an odd number of quotes, then its text. Inside a quoted column quotes come
/// in pairs, but for the one that closes it, after which a comma or a newline follows.
pub(crate) fn opens_column(text: &[u8]) -> bool {
    let quotes = text.iter().take_while(|&&b| b == b'"').count();
    quotes % 2 == 1 && !matches!(text.get(quotes), None | Some(b',' | b'\n' | b'\r'))
}

/// The last position in `buf` at which a record has ended: where the next one surely begins; else after a newline outside
/// quotes that is followed by a log time or by nothing. `buf` begins at a record.
pub(crate) fn last_record_end(buf: &[u8]) -> Option<usize> {
    // Most records are short, and this holds where a quote is missing too.
    let tail = buf.len().saturating_sub(TAIL);
    let start = last_sure_start(&buf[tail..]).filter(|&start| tail == 0 || start > SOCKET_MAX);
    if let Some(start) = start {
        return Some(tail + start);
    }
    let undoubled = undoubled_quotes(buf, 0);
    let odd = (count(buf, b'"') - undoubled.len()) % 2 == 1;
    let end = boundary(buf, odd, buf.len(), &undoubled);
    if end.is_some() || buf.len() < RECORD_MAX {
        return end;
    }
    // No record is that long: where one is damaged, the parity is wrong from there on. A newline at the very
    // end says nothing then.
    boundary(buf, !odd, buf.len() - 1, &undoubled)
}

/// The last position in `piece` at which a record surely begins, whatever stands before it; not 0.
///
/// No quote has to be counted for that. Before its message a record has columns of known shapes, and then a comma, an odd
/// number of quotes and a letter. A text inside quotes can hold the begin of such columns, but only pairs of quotes; so
/// forged columns would have to reach over the quote that ends the text, as one of theirs: to its message (a
/// comma follows that quote, no letter), or to the quote that opens a later column (behind which, if it were the end
/// of one, a comma would stand). `connection_from` alone may hold any quotes, where a client bound its socket to such a
/// path: not near behind its begin.
pub(crate) fn last_sure_start(piece: &[u8]) -> Option<usize> {
    memrchr_iter(b'\n', piece)
        .map(|newline| newline + 1)
        .find(|&start| surely_begins(piece, start))
}

fn surely_begins(piece: &[u8], start: usize) -> bool {
    let mut at = start;
    let mut pid = None;
    for column in 1..=13 {
        let Some((raw, end)) = strict_column(piece, at, matches!(column, 2 | 3 | 5 | 8)) else {
            return false;
        };
        let fits = match column {
            1 | 9 => log_time::read(raw, None).is_some_and(|(_, len)| len == raw.len()),
            2 | 3 | 5 | 8 => true,
            4 => {
                pid = ascii_number(raw);
                pid.is_some()
            }
            6 => SessionId::parse(raw).is_some_and(|id| Some(id.pid) == pid),
            7 | 11 => !raw.is_empty() && raw.iter().all(u8::is_ascii_digit),
            10 => raw.iter().all(|b| b.is_ascii_digit() || *b == b'/'),
            // Translated, it is not ASCII.
            12 => !raw.is_empty() && raw.iter().all(|b| b.is_ascii_alphabetic() || !b.is_ascii()),
            _ => Sqlstate::parse(raw).is_some(),
        };
        if !fits {
            return false;
        }
        at = end + 1;
    }
    let near = &piece[start.saturating_sub(SOCKET_MAX)..start];
    piece.get(at..).is_some_and(opens_column) && memmem::find(near, b",\"[local]:").is_none()
}

/// The column at `piece[at]`, without quotes where it has them and may, and where its comma is. Within quotes there are
/// pairs of quotes only.
fn strict_column(piece: &[u8], at: usize, may_be_quoted: bool) -> Option<(&[u8], usize)> {
    if piece.get(at) != Some(&b'"') {
        let end = at + near::find2(b',', b'\n', piece.get(at..)?)?;
        let raw = &piece[at..end];
        let is_empty_or_typed = raw.is_empty() || !may_be_quoted;
        return (piece[end] == b',' && is_empty_or_typed).then_some((raw, end));
    }
    let mut quote = at + 1;
    loop {
        quote += near::find2(b'"', b'"', piece.get(quote..)?)?;
        match piece.get(quote + 1)? {
            b'"' => quote += 2,
            b',' => return may_be_quoted.then(|| (&piece[at + 1..quote], quote + 1)),
            _ => return None,
        }
    }
}

/// The last record end in `buf`, if at its end one stands inside quotes or not.
fn boundary(buf: &[u8], mut inside: bool, mut end: usize, undoubled: &[usize]) -> Option<usize> {
    while let Some(at) = memrchr2(b'"', b'\n', &buf[..end]) {
        if buf[at] == b'"' {
            inside ^= undoubled.binary_search(&at).is_err();
        } else if !inside && begins_record(&buf[at + 1..]) {
            return Some(at + 1);
        }
        end = at;
    }
    None
}

/// Log times of the first and last record of a chunk of whole records.
pub(crate) fn log_times(chunk: &[u8]) -> Option<(LogTime<&[u8]>, LogTime<&[u8]>)> {
    let first_line = chunk
        .split(|&b| b == b'\n')
        .position(|line| log_time::read(line, Some(b',')).is_some())?;
    let mut first = chunk;
    for _ in 0..first_line {
        first = &first[memchr(b'\n', first)? + 1..];
    }
    let (first_time, _) = log_time::read(first, Some(b','))?;
    let is_whole = |at: &usize| {
        let read = Reader::default().read(chunk, *at, &mut Record::default());
        read.is_ok_and(|end| end == chunk.len())
    };
    let last = last_begin(chunk, &[])
        .filter(is_whole)
        .or_else(|| last_begin(chunk, &undoubled_quotes(chunk, 0)))
        .and_then(|at| log_time::read(&chunk[at..], Some(b',')));
    Some((first_time, last.map_or(first_time, |(time, _)| time)))
}

/// Where the last record of a chunk of whole records begins; not 0.
fn last_begin(chunk: &[u8], undoubled: &[usize]) -> Option<usize> {
    let mut end = chunk.strip_suffix(b"\n").map_or(chunk.len(), <[u8]>::len);
    while let Some(at) = boundary(chunk, false, end, undoubled) {
        if log_time::read(&chunk[at..], Some(b',')).is_some() {
            return Some(at);
        }
        end = at.saturating_sub(1);
    }
    None
}

fn begins_record(rest: &[u8]) -> bool {
    rest.is_empty() || log_time::read_wall(rest).is_some()
}

fn count(bytes: &[u8], byte: u8) -> usize {
    // In pieces whose count fits a byte, this loop is vectorised by the compiler.
    bytes
        .chunks(255)
        .map(|piece| usize::from(piece.iter().map(|&b| u8::from(b == byte)).sum::<u8>()))
        .sum()
}

/// The next line that begins as records do, after a record that cannot be read.
fn resume(chunk: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(newline) = memchr(b'\n', &chunk[at..]) {
        at += newline + 1;
        if log_time::read_wall(&chunk[at..]).is_some() {
            return at;
        }
    }
    chunk.len()
}

/// A column of a record, by its place in the chunk.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    /// Without its quotes; inner quotes still doubled.
    start: usize,
    end: usize,
    doubled: bool,
}

impl Column {
    fn plain(start: usize, end: usize) -> Column {
        Column {
            start,
            end,
            doubled: false,
        }
    }

    /// The column at `chunk[at]`, and the position of the comma or newline after it.
    // Always: 26 calls took a third of the time of a record.
    #[inline(always)]
    fn read(chunk: &[u8], at: usize) -> Option<(Column, usize)> {
        if chunk.get(at) != Some(&b'"') {
            let end = near::find2(b',', b'\n', &chunk[at..]).map_or(chunk.len(), |n| at + n);
            let has_return = end > at && chunk[end - 1] == b'\r';
            return Some((Column::plain(at, end - usize::from(has_return)), end));
        }
        let start = at + 1;
        let mut from = start;
        let mut doubled = false;
        loop {
            let end = from + near::find2(b'"', b'"', &chunk[from..])?;
            let next = match chunk.get(end + 1) {
                Some(b'"') => {
                    doubled = true;
                    from = end + 2;
                    continue;
                }
                Some(b',' | b'\n') | None => end + 1,
                Some(b'\r') if chunk.get(end + 2) == Some(&b'\n') => end + 2,
                // A quote that was not doubled: `connection_from` of a bound client socket.
                Some(_) => {
                    from = end + 1;
                    continue;
                }
            };
            let column = Column {
                start,
                end,
                doubled,
            };
            return Some((column, next));
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn raw<'c>(&self, chunk: &'c [u8]) -> &'c [u8] {
        &chunk[self.start..self.end]
    }

    fn text<'c>(&self, chunk: &'c [u8]) -> Cow<'c, [u8]> {
        let raw = self.raw(chunk);
        if !self.doubled {
            return Cow::Borrowed(raw);
        }
        let mut text = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(quote) = memchr(b'"', rest) {
            text.extend_from_slice(&rest[..=quote]);
            rest = rest.get(quote + 2..).unwrap_or_default();
        }
        text.extend_from_slice(rest);
        Cow::Owned(text)
    }
}

/// `127.0.0.1:59250`, `::1:52706` (split at the last colon), `[local]`, `[local]:/path`.
fn client(from: Cow<'_, [u8]>) -> Client<Cow<'_, [u8]>> {
    let colon = if from.starts_with(b"[local]") {
        Some(7).filter(|&n| from.len() > n)
    } else {
        let digits = from
            .last_chunk()
            .map_or(0, |text| near::digits_at_end(*text));
        let before = from.len().saturating_sub(digits + 1);
        match from.get(before) {
            Some(b':') => Some(before),
            _ => memrchr(b':', &from),
        }
    };
    let Some(colon) = colon else {
        return Client {
            host: from,
            port: None,
        };
    };
    match from {
        Cow::Borrowed(from) => Client {
            host: Cow::Borrowed(&from[..colon]),
            port: Some(Cow::Borrowed(&from[colon + 1..])),
        },
        Cow::Owned(from) => Client {
            host: Cow::Owned(from[..colon].to_vec()),
            port: Some(Cow::Owned(from[colon + 1..].to_vec())),
        },
    }
}

/// A plain decimal number.
pub(crate) fn ascii_number(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |n, &b| {
        n.checked_mul(10)?
            .checked_add(u32::from(b.checked_sub(b'0').filter(|&d| d < 10)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_usual_form_are_read_as_all_others() {
        let next = "2026-11-26 06:16:28 UTC,,,1,,6b07cebc.1,1,,,,0,LOG,00000,\"x\",,,,,,,,,\"\"\n";
        let records = [
            "2026-11-26 06:16:27.097 UTC,,,31632,\"127.0.0.1:33314\",6b07cebb.7b90,1,\"\",2026-11-26 06:16:27 UTC,,0,LOG,00000,\"connection received: host=127.0.0.1 port=33314\",,,,,,,,,\"\",\"not initialized\",,0\n",
            "2026-11-26 06:16:27.106 UTC,\"web\",\"shop\",31632,\"[local]\",6b07cebb.7b90,2,\"authentication\",2026-11-26 06:16:27 UTC,3/4,0,LOG,00000,\"connection authenticated: identity=\"\"web\"\" method=md5 (/data/pg_hba.conf:3)\",,,,,,,,,\"\",\"client backend\"\n",
            "2026-11-26 06:16:27.200 UTC,\"web\",\"shop\",31632,\"::1:5\",6b07cebb.7b90,3,\"idle\",2026-11-26 06:16:27 UTC,,0,LOG,00000,\"disconnection: session time: 0:00:00.103 user=web database=shop host=::1 port=5\",,,,,,,,,\"psql\"\n",
        ];
        let read_at_once = |chunk: &[u8]| {
            let (mut plain, mut any) = (Record::default(), Record::default());
            let (mut reader, mut columns) = (Reader::default(), Reader::default());
            let Some(end) = reader.read_plain(chunk, chunk, &mut plain) else {
                return false;
            };
            let read = columns.read_columns(chunk, 0, &mut any);
            let shown = chunk.escape_ascii();
            assert_eq!((read, &any), (Ok(end), &plain), "{shown}");
            assert_eq!(reader.severity, columns.severity, "{shown}");
            true
        };
        for record in records {
            let chunk = [record, next].concat().into_bytes();
            assert!(read_at_once(&chunk), "{record}");
            for at in 0..record.len() {
                read_at_once(&chunk[..at]);
                for byte in *b"\",\n\r\\ 0aL[:" {
                    let mut other = chunk.clone();
                    other[at] = byte;
                    read_at_once(&other);
                    other[at] = chunk[at];
                    other.insert(at, byte);
                    read_at_once(&other);
                    other.drain(at..at + 2);
                    read_at_once(&other);
                }
            }
        }
    }

    const RECORD: &str = "2026-11-23 04:56:44.171 UTC,\"app\",\"shop\",1001,\"127.0.0.1:5\",6b03c78c.3e9,2,\"startup\",2026-11-23 04:56:44 UTC,3/8,0,FATAL,3D000,\"database \"\"x\"\" does not exist\",,,,,,,,,\"\",\"client backend\",,0\n";

    #[test]
    fn a_record_surely_begins_where_one_does() {
        let text = format!("of the record before\"\n{RECORD}");
        let start = text.find("2026");
        assert_eq!(last_sure_start(text.as_bytes()), start);
        // Its columns before the message are all that has to be there, with the first letter of that.
        let cut = text.find("database").expect("a message") + 1;
        assert_eq!(last_sure_start(&text.as_bytes()[..cut]), start);
        assert_eq!(last_sure_start(&text.as_bytes()[..cut - 1]), None);
    }

    /// Names of a client that begin columns which the server's own go on.
    #[test]
    fn no_name_makes_a_record_begin() {
        let time = "2026-11-23 04:56:44 A";
        let sure = RECORD.len();
        for name in [
            format!("x\n{time},,,777,"),
            format!("x\n{time},,,1001,"),
            format!("x\n{time},"),
            format!("x\n{time},,"),
            format!("x\n{time},,,777,,1.309,1,,{time},,0,LOG,"),
            format!("x\n{time},,,777,,1.309,1,,{time},,0,LOG,00000,"),
            format!("x\n{time},,,777,,1.309,1,,{time},,0,LOG,00000,\"\""),
            format!("x\n{time},,,777,,1.309,1,,{time},,0,LOG,00000,\"\"x"),
            format!("x\n{time},\"\",\"\",777,\"\",1.309,1,"),
        ] {
            for column in ["\"app\"", "\"shop\"", "\"startup\""] {
                let forged = RECORD.replacen(column, &format!("\"{name}\""), 1);
                for next in ["", ",", ",777", "\"\","] {
                    let forged = forged.replacen("\"shop\"", &format!("\"{next}\""), 1);
                    let text = format!("{RECORD}{forged}");
                    assert_eq!(last_sure_start(text.as_bytes()), Some(sure), "{text}");
                }
            }
        }
        let path = format!("/tmp/\n{time},,,777,,1.309,1,,{time},,0,FATAL,28000,\"x");
        let socket = RECORD.replacen("127.0.0.1:5", &format!("[local]:{path}"), 1);
        let text = format!("{RECORD}{socket}");
        assert_ne!(
            last_sure_start(text.as_bytes()),
            text.find("\n2026-11-23 04:56:44 A").map(|n| n + 1)
        );
    }
}
