//! Names as SQL has them, to be pasted into psql: valid whatever a name holds, and harmless on a terminal.
//!
//! ```text
//! web   ─► "web"     'web'
//! a"b'c ─► "a""b'c"  'a"b''c'
//! a\b   ─► "a\b"     E'a\\b'       whatever standard_conforming_strings says
//! a<LF> ─► U&"a\000A"  E'a\x0a'    what does not show is spelled out
//! ```
//!
//! Source: PostgreSQL's documentation, "Lexical Structure". An identifier cannot have bytes that are no UTF-8: there each of them
//! is U+FFFD, and the name is one to look up.

use std::fmt::Write as _;

use super::text::is_hidden;

/// An identifier, always quoted.
pub(crate) fn identifier(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let is_escaped = text.chars().any(|c| is_hidden(c) || c == '\u{fffd}');
    let mut out = String::from(if is_escaped { "U&\"" } else { "\"" });
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            '"' => out.write_str("\"\""),
            '\\' if is_escaped => out.write_str("\\\\"),
            c if !is_hidden(c) && c != '\u{fffd}' => out.write_char(c),
            _ if code <= 0xffff => write!(out, "\\{code:04X}"),
            _ => write!(out, "\\+{code:06X}"),
        };
    }
    out.push('"');
    out
}

/// A text.
pub(crate) fn literal(text: &[u8]) -> String {
    let is_plain = |c: char| c != '\\' && !is_hidden(c);
    if let Ok(text) = std::str::from_utf8(text)
        && text.chars().all(is_plain)
    {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("E'");
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => out.extend([c, c]),
                c if is_hidden(c) => push_bytes(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        push_bytes(&mut out, chunk.invalid());
    }
    out.push('\'');
    out
}

fn push_bytes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_quoted_as_sql_reads_them() {
        for (name, as_identifier, as_literal) in [
            (&b"web"[..], r#""web""#, "'web'"),
            (b"a\"b'c", r#""a""b'c""#, r#"'a"b''c'"#),
            (br"CORP\joe", r#""CORP\joe""#, r"E'CORP\\joe'"),
            (b" a ", r#"" a ""#, "' a '"),
            (b"a\nb\\", r#"U&"a\000Ab\\""#, r"E'a\x0ab\\'"),
            (b"\x1b[2J", r#"U&"\001B[2J""#, r"E'\x1b[2J'"),
            ("b\u{fc}cher".as_bytes(), "\"b\u{fc}cher\"", "'b\u{fc}cher'"),
            (
                "a\u{202e}b".as_bytes(),
                r#"U&"a\202Eb""#,
                r"E'a\xe2\x80\xaeb'",
            ),
            (
                "\u{e0001}".as_bytes(),
                r#"U&"\+0E0001""#,
                r"E'\xf3\xa0\x80\x81'",
            ),
            (b"caf\xe9", r#"U&"caf\FFFD""#, r"E'caf\xe9'"),
            (b"", r#""""#, "''"),
        ] {
            assert_eq!(identifier(name), as_identifier);
            assert_eq!(literal(name), as_literal);
        }
    }

    /// What PostgreSQL reads of it.
    fn read(sql: &str) -> Vec<u8> {
        let (sql, escape) = match sql.split_at(1) {
            ("E", rest) => (rest, 'E'),
            ("U", rest) => (rest.trim_start_matches('&'), 'U'),
            _ => (sql, ' '),
        };
        let quote = sql.chars().next().expect("a quote");
        let inner = sql
            .strip_prefix(quote)
            .and_then(|sql| sql.strip_suffix(quote));
        let mut rest = inner.expect("quotes");
        let mut out = Vec::new();
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match (c, escape) {
                (c, _) if c == quote => {
                    rest = rest.strip_prefix(quote).expect("a doubled quote");
                    out.push(quote as u8);
                }
                ('\\', 'E' | 'U') if rest.starts_with('\\') => {
                    rest = &rest[1..];
                    out.push(b'\\');
                }
                ('\\', 'E') => {
                    out.push(u8::from_str_radix(&rest[1..3], 16).expect("hex"));
                    rest = &rest[3..];
                }
                ('\\', 'U') => {
                    let from = usize::from(rest.starts_with('+'));
                    let end = if from == 1 { 7 } else { 4 };
                    let code = u32::from_str_radix(&rest[from..end], 16).expect("hex");
                    let c = char::from_u32(code).expect("a character");
                    out.extend(c.to_string().as_bytes());
                    rest = &rest[end..];
                }
                (c, _) => out.extend(c.to_string().as_bytes()),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn every_name_is_read_back_and_harmless(name: String, bytes: Vec<u8>) {
            prop_assert_eq!(read(&identifier(name.as_bytes())), name.as_bytes());
            for text in [name.as_bytes(), &bytes] {
                prop_assert_eq!(read(&literal(text)), text);
                for sql in [identifier(text), literal(text)] {
                    prop_assert!(!sql.chars().any(is_hidden), "{sql:?}");
                }
            }
        }
    }
}
