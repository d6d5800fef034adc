//! Exports as a table: csv whose first record has the names of its columns, which are the keys of the same export in JSON.
//!
//! ```text
//! @timestamp,@message                                            CloudWatch Logs Insights
//! timestamp,message                                              CloudWatch Logs, its console
//! TimeGenerated [UTC],Category,errorLevel_s,Message,_ResourceId  Azure's Log Analytics
//! ```
//!
//! Each further record becomes an object, which is read, and where servers are dealt out written down, as one of JSON is.
//! What this rests on: the documentation of these exports; no real file was at hand.

use super::{Kind, shape};
use crate::format::{self, BOM};

/// A longer record is none: a quote that nobody closes. It ends with its line.
const RECORD_MAX: usize = 2 << 20;
/// The names of columns are in so much.
const NAMES_MAX: usize = 1 << 10;
/// What a sample is, so much of it tells.
const TOLD: usize = 64 << 10;

/// Cuts bytes into records, and makes objects of them.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Vec<u8>>,
    /// The record so far, how much of it was looked at, and whether that ends within quotes.
    record: Vec<u8>,
    seen: usize,
    is_quoted: bool,
    object: Vec<u8>,
}

/// What a sample is, and its columns, if it begins as such a table does.
pub(super) fn kind_of(sample: &[u8]) -> Option<(Kind, Vec<Vec<u8>>)> {
    let names = format::lines(sample).next()?;
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"@_ ,\"[].\r".contains(b);
    if names.len() > NAMES_MAX || !names.contains(&b',') || !names.iter().all(is_name) {
        return None;
    }
    let columns = fields(names);
    let mut kind = None;
    let mut table = Table::new(columns.clone());
    let head = &sample[..sample.len().min(TOLD)];
    table.feed(head, |object| {
        kind = kind.or_else(|| shape::kind_of(b"", object));
    });
    // Other kinds lack in a table what makes a line of the server's out of them.
    let kind = kind.filter(|kind| matches!(kind, Kind::CloudWatch | Kind::Azure | Kind::Elastic));
    Some((kind?, columns))
}

impl Table {
    pub(super) fn new(columns: Vec<Vec<u8>>) -> Table {
        Table {
            columns,
            record: Vec::new(),
            seen: 0,
            is_quoted: false,
            object: Vec::new(),
        }
    }

    /// Takes the next bytes; calls `each` with the object of every record that is whole.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.record.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(n) = memchr::memchr2(b'"', b'\n', &self.record[self.seen..]) {
            let at = self.seen + n;
            self.seen = at + 1;
            if self.record[at] == b'"' {
                self.is_quoted = !self.is_quoted;
            } else if !self.is_quoted || at - begin > RECORD_MAX {
                self.is_quoted = false;
                self.take(begin..at, &mut each);
                begin = self.seen;
            }
        }
        self.record.drain(..begin);
        self.seen = self.record.len();
        if self.record.len() > 2 * RECORD_MAX {
            self.record.clear();
            (self.seen, self.is_quoted) = (0, false);
        }
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        self.take(0..self.record.len(), &mut each);
        self.record.clear();
        self.seen = 0;
    }

    fn take(&mut self, place: std::ops::Range<usize>, each: &mut impl FnMut(&[u8])) {
        let values = fields(&self.record[place]);
        // The names themselves, an empty line, or what was torn.
        if values == self.columns || values.len() != self.columns.len() {
            return;
        }
        self.object.clear();
        for (name, value) in self.columns.iter().zip(&values) {
            self.object
                .push(if self.object.is_empty() { b'{' } else { b',' });
            write_key(name, &self.columns, &mut self.object);
            write_string(value, &mut self.object);
        }
        self.object.push(b'}');
        each(&self.object);
    }
}

/// The key that a column has in JSON, and its colon. Insights has an `@` before all names; only CloudWatch's own exports have
/// the two columns of its console, and neither has what tells such an object: see [`shape::kind_of`].
fn write_key(name: &[u8], columns: &[Vec<u8>], out: &mut Vec<u8>) {
    let is_insights = columns.iter().any(|name| name == b"@message");
    let is_console = columns.iter().any(|name| name == b"message")
        && columns.iter().any(|name| name == b"timestamp");
    if out.len() == 1 && (is_insights || is_console) {
        out.extend_from_slice(b"\"ingestionTime\":0,");
    }
    let name = match name {
        [b'@', rest @ ..] if is_insights => rest,
        // `TimeGenerated [UTC]`
        name => name.split(|b| *b == b' ').next().unwrap_or(name),
    };
    write_string(name, out);
    out.push(b':');
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.push(byte),
        }
    }
    // Insights' times are UTC, and do not say so.
    let is_time = matches!(text.len(), 19 | 23)
        && crate::log_time::read_wall(text).is_some_and(|(_, len)| len == text.len());
    if is_time {
        out.push(b'Z');
    }
    out.push(b'"');
}

/// The fields of a record, their quotes undone.
fn fields(record: &[u8]) -> Vec<Vec<u8>> {
    let record = record.strip_prefix(BOM).unwrap_or(record);
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let mut fields = vec![Vec::new()];
    let mut is_quoted = false;
    let mut bytes = record.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let field = fields.last_mut().expect("there is one");
        match byte {
            b'"' if is_quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                field.push(b'"');
            }
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => fields.push(Vec::new()),
            byte => field.push(byte),
        }
    }
    fields
}
