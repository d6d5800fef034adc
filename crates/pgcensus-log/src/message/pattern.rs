//! A text with holes against a message: `role "%s" does not exist` and `role "app" does not exist` give
//! `app`.
//!
//! Names are not escaped in messages, so a text may fit in several ways. The fixed end of a text is
//! taken at the end of the message and the piece before a last hole at its last occurrence; other
//! pieces at their first. Where the record carries the value of a hole, that decides.

/// Holes that are kept; those after them only have to be there.
pub(super) const HOLES: usize = 4;

/// Length of the fixed text before the first hole.
pub(super) const fn head_len(text: &str) -> usize {
    let text = text.as_bytes();
    let mut len = 0;
    while len < text.len() && text[len] != b'%' {
        len += 1;
    }
    len
}

/// What the holes of `text` hold in `message`, or `None` where it does not fit. Both without their head.
/// `known` gives, by position, what a hole must hold if the record says so.
pub(super) fn holes<'m>(
    mut text: &[u8],
    mut message: &'m [u8],
    known: impl Fn(usize) -> Option<&'m [u8]>,
) -> Option<[&'m [u8]; HOLES]> {
    let mut holes = [&message[..0]; HOLES];
    let mut position = 0;
    while !text.is_empty() {
        let after_hole = skip_conversion(text);
        let literal_len = memchr::memchr(b'%', after_hole).unwrap_or(after_hole.len());
        let (literal, after) = after_hole.split_at(literal_len);
        let len = match known(position) {
            Some(value) if follows(message, value, literal, after) => value.len(),
            _ if after.is_empty() => message.strip_suffix(literal)?.len(),
            _ if skip_conversion(after).is_empty() => memchr::memmem::rfind(message, literal)?,
            _ => memchr::memmem::find(message, literal)?,
        };
        if let Some(hole) = holes.get_mut(position) {
            *hole = &message[..len];
        }
        position += 1;
        message = &message[len + literal.len()..];
        text = after;
    }
    message.is_empty().then_some(holes)
}

/// The message goes on with this value and then this piece, at its end if it is the last.
fn follows(message: &[u8], value: &[u8], literal: &[u8], after: &[u8]) -> bool {
    message
        .strip_prefix(value)
        .and_then(|rest| rest.strip_prefix(literal))
        .is_some_and(|rest| !after.is_empty() || rest.is_empty())
}

/// What comes after a conversion: `%s`, `%d`, `%u`, `%m`, `%X`, `%zu`, `%02d`, `%.3f`.
fn skip_conversion(text: &[u8]) -> &[u8] {
    let letter = text.iter().position(|b| b"sdumXf".contains(b));
    letter.map_or(&[], |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_hold_what_stands_between_the_pieces() {
        let rows: &[(&str, &str, Option<[&str; HOLES]>)] = &[
            ("", "", Some(["", "", "", ""])),
            ("", "more", None),
            ("%s\" gone", "app\" gone", Some(["app", "", "", ""])),
            (
                "%s\" gone",
                "a\" gone\" gone",
                Some(["a\" gone", "", "", ""]),
            ),
            ("%s\" gone", "app\" here", None),
            ("%u.%u: %s", "3.0: x: y", Some(["3", "0: x", "y", ""])),
            ("%zu > %zu)", "9 > 8)", Some(["9", "8", "", ""])),
            (
                "%s\", user \"%s\", %s",
                "h\", user \"u\", v\", w",
                Some(["h", "u\", v", "w", ""]),
            ),
        ];
        for (text, message, expected) in rows {
            let found = holes(text.as_bytes(), message.as_bytes(), |_| None);
            let expected = expected.map(|holes| holes.map(str::as_bytes));
            assert_eq!(found, expected, "{text} in {message}");
        }
    }

    #[test]
    fn a_known_value_decides_where_a_hole_ends() {
        let known = |position| (position == 0).then_some(&b"a\", database \"b"[..]);
        let message = b"a\", database \"b\", database \"c\", x";
        let found = holes(b"%s\", database \"%s\", %s", message, known);
        let holes = found.expect("the text fits");
        assert_eq!(holes[..3], [&b"a\", database \"b"[..], b"c", b"x"]);
    }
}
