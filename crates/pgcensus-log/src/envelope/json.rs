//! JSON as envelopes are written in: objects out of a stream, and the scalars of one with the keys that lead to them.
//!
//! An envelope is written by a program with a JSON library, so it is JSON. What is read here is nevertheless anything:
//! what is torn gives what it has.

use memchr::{memchr2, memchr3};

use crate::jsonlog;

/// A longer object is passed over: the longest record that is read, with every byte escaped as `\u00xx` and more.
const OBJECT_MAX: usize = 8 << 20;
/// What stands before the list of events in the object around them is kept up to this length; the rest of it is not.
const HEADER_MAX: usize = 4 << 10;
/// Values deeper than this are passed over.
const DEPTH_MAX: usize = 8;

/// Keys whose lists hold an entry in each object: of `aws logs`, of a CloudWatch subscription, of Azure's and
/// Elasticsearch's exports.
const LISTS: [&[u8]; 4] = [b"\"events\"", b"\"logEvents\"", b"\"records\"", b"\"hits\""];

/// A scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'j> {
    /// Between its quotes, escapes as they are.
    Text(&'j [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'j [u8]),
    /// Out of another notation, without escapes.
    Raw(&'j [u8]),
}

/// Calls `visit` for each scalar of an object with the keys that lead to it; elements of a list have those of the list.
pub(super) fn walk<'j>(object: &'j [u8], mut visit: impl FnMut(&[&'j [u8]], Value<'j>)) {
    let mut keys: [&[u8]; DEPTH_MAX] = [b""; DEPTH_MAX];
    // How many keys lead here, and which containers are lists.
    let (mut depth, mut lists) = (0, 0_u64);
    let mut keyed = 0;
    let mut at = 0;
    while let Some(&byte) = object.get(at) {
        match byte {
            b'"' => {
                let text = string(object, at + 1);
                at += text.len() + 2;
                let is_key = lists & 1 == 0 && next(object, at) == Some(b':');
                if is_key {
                    if keyed == 0 {
                        break;
                    }
                    if let Some(key) = keys.get_mut(keyed - 1) {
                        *key = text;
                    }
                } else if keyed <= DEPTH_MAX {
                    visit(&keys[..keyed], Value::Text(text));
                }
                continue;
            }
            b'{' | b'[' => {
                if depth == 60 {
                    break;
                }
                depth += 1;
                lists = lists << 1 | u64::from(byte == b'[');
                keyed += usize::from(byte == b'{');
            }
            b'}' | b']' => {
                if depth <= 1 {
                    break;
                }
                keyed -= usize::from(lists & 1 == 0);
                depth -= 1;
                lists >>= 1;
            }
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                let bare = bare(&object[at..]);
                if keyed <= DEPTH_MAX {
                    visit(&keys[..keyed], Value::Bare(bare));
                }
                at += bare.len().max(1);
                continue;
            }
        }
        at += 1;
    }
}

/// What follows white space.
fn next(text: &[u8], at: usize) -> Option<u8> {
    text.get(at..)?
        .iter()
        .copied()
        .find(|b| !b.is_ascii_whitespace())
}

/// The string that begins at `at`, behind its quote, up to its end or that of the text.
fn string(text: &[u8], from: usize) -> &[u8] {
    let mut at = from;
    loop {
        match text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            None => return text.get(from..).unwrap_or_default(),
            Some(n) if text[at + n] == b'"' => return &text[from..at + n],
            Some(n) => at += n + 2,
        }
    }
}

fn bare(text: &[u8]) -> &[u8] {
    let len = text
        .iter()
        .position(|b| matches!(b, b',' | b'}' | b']' | b'"') || b.is_ascii_whitespace());
    &text[..len.unwrap_or(text.len())]
}

impl Value<'_> {
    /// Appends its text, escapes undone; nothing for `null`.
    pub(super) fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Value::Text(raw) => jsonlog::unescape_to(raw, out),
            Value::Bare(b"null") => {}
            Value::Bare(text) | Value::Raw(text) => out.extend_from_slice(text),
        }
    }

    /// A whole number, quoted or not; of `1712829600.123` the part before the dot.
    pub(super) fn number(self) -> Option<i64> {
        let (Value::Text(text) | Value::Bare(text) | Value::Raw(text)) = self;
        let digits = text
            .iter()
            .take(19)
            .take_while(|b| b.is_ascii_digit())
            .count();
        std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
    }
}

/// The objects of a stream that are entries: one a line, one after another over several lines, the elements of a list,
/// or of a list in an object around it.
///
/// How this works: an object is all from a brace to the one that closes it. Where one turns out to hold a list of
/// entries, what has been read of it becomes their header, and the search begins anew behind the bracket; what closes
/// it later is no brace that opens, and is passed over. No string of JSON holds a line break: where one seems to, we
/// came from the middle of something, and begin anew.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// The object so far, where it came in several pieces.
    object: Vec<u8>,
    /// What stood before a list.
    header: Vec<u8>,
    /// Braces and brackets that are open, from that of the object on.
    depth: usize,
    in_string: bool,
    /// The next byte is escaped.
    is_escaped: bool,
    /// The rest of a line is passed over.
    skips: bool,
}

impl Objects {
    /// Takes the next bytes; calls `each` with each header and object that is whole.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8], &[u8])) {
        // Where the part of the object begins that is not in `self.object` yet.
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            if self.skips {
                match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(n) => at += n + 1,
                    None => return,
                }
                self.skips = false;
            } else if self.is_escaped {
                self.is_escaped = false;
                at += 1;
            } else if self.in_string {
                let Some(n) = memchr3(b'"', b'\\', b'\n', &bytes[at..]) else {
                    break;
                };
                at += n + 1;
                match bytes[at - 1] {
                    b'"' => self.in_string = false,
                    b'\\' => self.is_escaped = true,
                    _ => self.begin_anew(),
                }
            } else {
                let byte = bytes[at];
                at += 1;
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' if self.depth > 0 => {
                        self.depth += 1;
                        if byte == b'[' && self.depth <= 3 {
                            self.enter_list(&bytes[from..at - 1]);
                        }
                    }
                    b'{' => {
                        from = at - 1;
                        self.depth = 1;
                    }
                    b'}' | b']' if self.depth == 1 => {
                        if self.object.is_empty() {
                            each(&self.header, &bytes[from..at]);
                        } else {
                            self.object.extend_from_slice(&bytes[from..at]);
                            each(&self.header, &self.object);
                        }
                        self.begin_anew();
                    }
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
            if self.depth == 0 {
                from = at;
            }
        }
        if self.depth > 0 {
            self.object.extend_from_slice(&bytes[from..]);
            if self.object.len() > OBJECT_MAX {
                self.begin_anew();
                self.skips = true;
            }
        }
    }

    fn begin_anew(&mut self) {
        self.object.clear();
        self.depth = 0;
        self.in_string = false;
        self.is_escaped = false;
    }

    /// A list has begun in the object, of which `rest` is what `object` lacks: is it one of entries?
    fn enter_list(&mut self, rest: &[u8]) {
        let tail = [
            self.object
                .get(self.object.len().saturating_sub(64)..)
                .unwrap_or_default(),
            rest,
        ]
        .concat();
        let before = tail.trim_ascii_end();
        let Some(before) = before.strip_suffix(b":") else {
            return;
        };
        let before = before.trim_ascii_end();
        if !LISTS.iter().any(|list| before.ends_with(list)) {
            return;
        }
        self.header.clear();
        self.header.extend_from_slice(&self.object);
        self.header.extend_from_slice(rest);
        self.header.truncate(HEADER_MAX);
        self.begin_anew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str, cut: usize) -> Vec<(String, String)> {
        let mut objects = Objects::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(cut) {
            objects.feed(piece, |header, object| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                found.push((text(header), text(object)));
            });
        }
        found
    }

    #[test]
    fn entries_are_found_however_they_are_listed() {
        let one = "{\"a\": \"}{\\\"\"}";
        let two = "{\"b\":[1,{\"c\":2}],\n  \"d\": null}";
        for text in [
            format!("{one}\n{two}\n"),
            format!("{one}{two}"),
            format!("[\n  {one},\n  {two}\n]\n"),
            format!("torn\":\"{{\"}}\n{one}\n{two}"),
        ] {
            for cut in 1..text.len() {
                let found: Vec<_> = objects(&text, cut)
                    .into_iter()
                    .map(|(_, object)| object)
                    .collect();
                assert_eq!(found, [one, two], "{text} cut at {cut}");
            }
        }
        let list = format!(
            "{{\"logStream\":\"db\",\"logEvents\" : [{one},{two}],\"next\":\"f/3{{\"}}\n{one}"
        );
        for cut in 1..list.len() {
            let found = objects(&list, cut);
            let header = "{\"logStream\":\"db\",\"logEvents\" : ";
            assert_eq!(found.len(), 3, "cut at {cut}");
            assert_eq!(found[0], (header.to_owned(), one.to_owned()));
            assert_eq!(found[1].1, two);
        }
    }

    #[test]
    fn scalars_come_with_their_keys() {
        let mut found = Vec::new();
        let object = br#"{"a":"x\n\u00e9\ud83d\ude00\"","b":{"c":[1,{"d":true}],"e":null},"f":-1.5e3, "g" : "torn"#;
        walk(object, |keys, value| {
            let mut text = Vec::new();
            value.append_to(&mut text);
            found.push(format!(
                "{} = {}",
                String::from_utf8_lossy(&keys.join(&b'.')),
                String::from_utf8_lossy(&text)
            ));
        });
        assert_eq!(
            found,
            [
                "a = x\né😀\"",
                "b.c = 1",
                "b.c.d = true",
                "b.e = ",
                "f = -1.5e3",
                "g = torn"
            ]
        );
    }

    #[test]
    fn numbers_are_read_quoted_or_not() {
        assert_eq!(
            Value::Text(b"1712829600123").number(),
            Some(1_712_829_600_123)
        );
        assert_eq!(Value::Bare(b"1712829600.123").number(), Some(1_712_829_600));
        assert_eq!(Value::Bare(b"null").number(), None);
    }
}
