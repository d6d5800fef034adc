//! One row of data output: the same fields, in the same order, as a line of JSON or of CSV.
//!
//! ```text
//! {"server":"stdin","pid":4242,"user":"app","database":null}
//! stdin,4242,app,
//! ```
//!
//! Written by hand into a reused buffer: `sessions --json` writes millions of these, and a tree of values
//! for each would cost more than reading the log did.

use std::fmt::Display;
use std::io::Write as _;

use pgcensus_core::instant::Instant;
use pgcensus_core::zone::DisplayZone;

use super::text::{is_hidden, shown};

/// What a row is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowForm {
    /// A JSON object and a newline; unknown is null.
    Json,
    /// Comma-separated values and a newline (RFC 4180 quoting); unknown is empty.
    Csv,
    /// The same for a terminal, where what does not show in a name is escaped, a line break too.
    ShownCsv,
}

/// A row in the making.
pub(crate) struct Row<'b> {
    form: RowForm,
    out: &'b mut Vec<u8>,
    empty: bool,
}

impl<'b> Row<'b> {
    /// Begins a row at the end of `out`.
    pub(crate) fn begin(form: RowForm, out: &'b mut Vec<u8>) -> Row<'b> {
        if form == RowForm::Json {
            out.push(b'{');
        }
        Row {
            form,
            out,
            empty: true,
        }
    }

    /// Ends it.
    pub(crate) fn end(self) {
        match self.form {
            RowForm::Json => self.out.extend_from_slice(b"}\n"),
            RowForm::Csv | RowForm::ShownCsv => self.out.push(b'\n'),
        }
    }

    /// Text of a log: raw but for what the form must escape; invalid UTF-8 as U+FFFD.
    pub(crate) fn text(&mut self, key: &str, value: Option<&[u8]>) {
        self.key(key);
        match (self.form, value) {
            (RowForm::Json, Some(text)) => push_json_string(self.out, text),
            (RowForm::Csv, Some(text)) => push_csv_field(self.out, text),
            (RowForm::ShownCsv, Some(text)) => push_csv_field(self.out, shown(text).as_bytes()),
            (_, None) => self.null(),
        }
    }

    /// A sentence of ours, in which names are harmless already.
    pub(crate) fn sentence(&mut self, key: &str, sentence: &str) {
        self.key(key);
        match self.form {
            RowForm::Json => push_json_string(self.out, sentence.as_bytes()),
            RowForm::Csv | RowForm::ShownCsv => push_csv_field(self.out, sentence.as_bytes()),
        }
    }

    /// A word of ours, which needs no escaping.
    pub(crate) fn word(&mut self, key: &str, value: Option<&str>) {
        self.key(key);
        match (self.form, value) {
            (RowForm::Json, Some(word)) => {
                self.out.push(b'"');
                self.out.extend_from_slice(word.as_bytes());
                self.out.push(b'"');
            }
            (_, Some(word)) => self.out.extend_from_slice(word.as_bytes()),
            (_, None) => self.null(),
        }
    }

    /// What prints as a word: a session id.
    pub(crate) fn display(&mut self, key: &str, value: Option<impl Display>) {
        self.key(key);
        // Writing to a Vec cannot fail.
        let _ = match (self.form, value) {
            (RowForm::Json, Some(value)) => write!(self.out, "\"{value}\""),
            (_, Some(value)) => write!(self.out, "{value}"),
            (_, None) => return self.null(),
        };
    }

    /// A number.
    pub(crate) fn number(&mut self, key: &str, value: Option<u64>) {
        self.key(key);
        match value {
            Some(n) => push_number(self.out, n),
            None => self.null(),
        }
    }

    /// A number with a sign.
    pub(crate) fn signed(&mut self, key: &str, value: Option<i64>) {
        self.key(key);
        let Some(value) = value else {
            return self.null();
        };
        if value < 0 {
            self.out.push(b'-');
        }
        push_number(self.out, value.unsigned_abs());
    }

    /// True or false.
    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// RFC 3339 with milliseconds and offset; null where the log has no times.
    pub(crate) fn time(&mut self, key: &str, value: Option<Instant>, zone: &DisplayZone) {
        self.key(key);
        let value = value.and_then(Instant::known);
        let quote: &[u8] = match (self.form, value) {
            (RowForm::Json, Some(_)) => b"\"",
            (_, Some(_)) => b"",
            (_, None) => return self.null(),
        };
        self.out.extend_from_slice(quote);
        zone.write_rfc3339(value.unwrap_or_default(), self.out);
        self.out.extend_from_slice(quote);
    }

    /// Begins fields that JSON keeps in an object of their own and CSV beside the others.
    pub(crate) fn open(&mut self, key: &str) {
        if self.form == RowForm::Json {
            self.key(key);
            self.out.push(b'{');
            self.empty = true;
        }
    }

    /// Ends them.
    pub(crate) fn close(&mut self) {
        if self.form == RowForm::Json {
            self.out.push(b'}');
            self.empty = false;
        }
    }

    /// Stands for an object that is not there: `null`, in CSV as many empty fields as it has.
    pub(crate) fn no_object(&mut self, key: &str, fields: usize) {
        self.key(key);
        self.null();
        self.skip(fields - 1);
    }

    /// Stands for an object that is known not to exist: `false`, in CSV `none` and empty fields.
    pub(crate) fn false_object(&mut self, key: &str, fields: usize) {
        self.key(key);
        let word: &[u8] = match self.form {
            RowForm::Json => b"false",
            RowForm::Csv | RowForm::ShownCsv => b"none",
        };
        self.out.extend_from_slice(word);
        self.skip(fields - 1);
    }

    fn skip(&mut self, fields: usize) {
        if self.form != RowForm::Json {
            self.out.extend(std::iter::repeat_n(b',', fields));
        }
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        if self.form == RowForm::Json {
            self.out.push(b'"');
            self.out.extend_from_slice(key.as_bytes());
            self.out.extend_from_slice(b"\":");
        }
    }

    fn null(&mut self) {
        if self.form == RowForm::Json {
            self.out.extend_from_slice(b"null");
        }
    }
}

fn push_number(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `text` as a JSON string. Characters that do not show are escaped too: the value is the same, and a
/// terminal that the output reaches stays as it was.
pub(crate) fn push_json_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if text.iter().all(|&b| is_plain(b)) {
        out.extend_from_slice(text);
    } else {
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                push_json_char(out, c);
            }
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

fn is_plain(b: u8) -> bool {
    matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'
}

fn push_json_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        c if is_hidden(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// `text` as a field of CSV, quoted where a comma, a quote or a newline asks for it.
pub(crate) fn push_csv_field(out: &mut Vec<u8>, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if !text.contains([',', '"', '\n', '\r']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_read_back_as_they_were() {
        for (bytes, json) in [
            (&b"app"[..], r#""app""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"a\nb\x1b\x00", r#""a\nb\u001b\u0000""#),
            ("x\u{202e}y".as_bytes(), r#""x\u202ey""#),
            ("\u{e0041}".as_bytes(), r#""\udb40\udc41""#),
            ("bücher".as_bytes(), "\"bücher\""),
            (b"caf\xe9 \xff\xfe", "\"caf\u{fffd} \u{fffd}\u{fffd}\""),
        ] {
            let mut out = Vec::new();
            push_json_string(&mut out, bytes);
            assert_eq!(String::from_utf8_lossy(&out), json);
            let back: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(back, String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_log_without_times_has_none() {
        for (form, none) in [(RowForm::Json, "{\"at\":null}\n"), (RowForm::Csv, "\n")] {
            let mut out = Vec::new();
            let mut row = Row::begin(form, &mut out);
            row.time("at", Some(Instant::UNKNOWN), &DisplayZone::default());
            row.end();
            assert_eq!(String::from_utf8_lossy(&out), none);
        }
    }

    #[test]
    fn csv_fields_are_quoted_where_they_must_be() {
        for (text, field) in [
            ("app", "app"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            let mut out = Vec::new();
            push_csv_field(&mut out, text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&out), field);
        }
    }

    #[test]
    fn a_terminal_gets_names_that_cannot_move_its_cursor_or_forge_a_row() {
        let name = &b"it\x1b[2J\nforged,1"[..];
        for (form, row) in [
            (RowForm::Csv, "\"it\x1b[2J\nforged,1\",1\n"),
            (RowForm::ShownCsv, "\"it\\x1b[2J\\nforged,1\",1\n"),
        ] {
            let mut out = Vec::new();
            let mut written = Row::begin(form, &mut out);
            written.text("user", Some(name));
            written.number("open", Some(1));
            written.end();
            assert_eq!(String::from_utf8_lossy(&out), row);
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for n in [0, 7, 10, 4_242, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, n);
            assert_eq!(String::from_utf8_lossy(&out), n.to_string());
        }
    }
}
