//! The entries of `journalctl -o export`.
//!
//! ```text
//! __CURSOR=s=…
//! __REALTIME_TIMESTAMP=1795411965839000
//! _HOSTNAME=db01
//! MESSAGE
//! ␈␀␀␀␀␀␀␀two⏎line
//!                        an empty line ends the entry
//! ```
//!
//! A field whose value holds anything but printable text has its length before it, 64 bits in little-endian.
//! Source: systemd's "Journal Export Formats".

/// A longer entry is passed over.
const ENTRY_MAX: usize = 8 << 20;

/// Entries out of a stream, in any pieces.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// What has come of an entry.
    bytes: Vec<u8>,
    /// So much of it has been looked at: whole fields.
    at: usize,
}

/// A field that begins at some place.
enum Field<'e> {
    /// Its name and value, and where the next one begins.
    Whole(&'e [u8], &'e [u8], usize),
    /// The empty line behind the last one, and where the next entry begins.
    End(usize),
    /// There is not enough of it.
    Torn,
}

impl Entries {
    /// Takes the next bytes; calls `each` with each entry that is whole, its empty line included.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.bytes.extend_from_slice(bytes);
        let mut begin = 0;
        loop {
            match field(&self.bytes, self.at) {
                Field::Whole(_, _, next) => self.at = next,
                Field::End(next) => {
                    if self.at > begin {
                        each(&self.bytes[begin..next]);
                    }
                    begin = next;
                    self.at = next;
                }
                Field::Torn => break,
            }
        }
        self.bytes.drain(..begin);
        self.at -= begin;
        if self.bytes.len() > ENTRY_MAX {
            self.bytes.clear();
            self.at = 0;
        }
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if self.at > 0 {
            each(&self.bytes[..self.at]);
        }
        self.bytes.clear();
        self.at = 0;
    }
}

/// Calls `visit` with name and value of each field of an entry.
pub(super) fn walk<'e>(entry: &'e [u8], mut visit: impl FnMut(&'e [u8], &'e [u8])) {
    let mut at = 0;
    while let Field::Whole(name, value, next) = field(entry, at) {
        visit(name, value);
        at = next;
    }
}

fn field(bytes: &[u8], at: usize) -> Field<'_> {
    let rest = &bytes[at..];
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return Field::Torn;
    };
    let line = &rest[..end];
    if line.is_empty() {
        return Field::End(at + 1);
    }
    if let Some(equals) = memchr::memchr(b'=', line) {
        return Field::Whole(&line[..equals], &line[equals + 1..], at + end + 1);
    }
    // No name of a field is anything else; other text is passed over as a line.
    if !line
        .iter()
        .all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
    {
        return Field::Whole(line, b"", at + end + 1);
    }
    let Some(len) = rest.get(end + 1..end + 9).and_then(|len| len.first_chunk()) else {
        return Field::Torn;
    };
    let len = u64::from_le_bytes(*len);
    if len > ENTRY_MAX as u64 {
        return Field::Whole(line, b"", at + end + 1);
    }
    let (from, to) = (end + 9, end + 9 + len as usize);
    match rest.get(from..to) {
        Some(value) if rest.len() > to => Field::Whole(line, value, at + to + 1),
        _ => Field::Torn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_and_without_their_length() {
        let text = b"A=1=2\nMESSAGE\n\x04\0\0\0\0\0\0\0\n\n=x\nB=\n\n\nC=3\n";
        for cut in 1..text.len() {
            let mut entries = Entries::default();
            let mut found = Vec::new();
            let mut see = |entry: &[u8]| {
                let mut fields = Vec::new();
                walk(entry, |name, value| {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    fields.push((text(name), text(value)));
                });
                found.push(fields);
            };
            for piece in text.chunks(cut) {
                entries.feed(piece, &mut see);
            }
            entries.finish(&mut see);
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            assert_eq!(
                found,
                [
                    vec![pair("A", "1=2"), pair("MESSAGE", "\n\n=x"), pair("B", "")],
                    vec![pair("C", "3")]
                ],
                "cut at {cut}"
            );
        }
    }
}
