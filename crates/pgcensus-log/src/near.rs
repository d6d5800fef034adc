//! Finding a byte that is likely to be near: columns and strings of a log are a few bytes long, and then setting up a
//! vectorised search costs more than the search. And comparing up to eight bytes at once.

use memchr::memchr2;

/// Words of eight bytes that are looked at before a vectorised search is.
const WORDS: usize = 3;

/// Where the first `a` or `b` is in `text`.
// Always: for constant bytes that is half the instructions.
#[inline(always)]
pub(crate) fn find2(a: u8, b: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for word in text.as_chunks().0.iter().take(WORDS) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (EACH * u64::from(a))) | zeros(word ^ (EACH * u64::from(b)));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    far(a, b, text, at)
}

#[cold]
fn far(a: u8, b: u8, text: &[u8], at: usize) -> Option<usize> {
    memchr2(a, b, &text[at..]).map(|found| at + found)
}

/// `byte` is one of these.
#[inline]
pub(crate) const fn has(byte: u8, text: [u8; 8]) -> bool {
    zeros(u64::from_le_bytes(text) ^ (EACH * byte as u64)) != 0
}

/// How many digits these end with.
#[inline]
pub(crate) const fn digits_at_end(text: [u8; 8]) -> usize {
    let word = u64::from_le_bytes(text) ^ (EACH * b'0' as u64);
    let over = (((word & (EACH * 0x7f)) + EACH * 0x76) | word) & (EACH << 7);
    over.leading_zeros() as usize / 8
}

/// The first eight bytes of `text` as [`u64::from_le_bytes`] has them, of a shorter one with zeros after it.
pub(crate) const fn word(text: &[u8]) -> u64 {
    let mut word = 0;
    let mut at = if text.len() < 8 { text.len() } else { 8 };
    while at > 0 {
        at -= 1;
        word = word << 8 | text[at] as u64;
    }
    word
}

/// The bits of a [`word`] that a text of this length fills.
pub(crate) const fn mask(len: usize) -> u64 {
    match len {
        0..8 => (1 << (8 * len)) - 1,
        _ => u64::MAX,
    }
}

/// A one in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The top bit of each byte that is zero, and perhaps of some above the lowest of these.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & (EACH << 7)
}

#[cfg(test)]
mod tests {
    use super::{digits_at_end, find2};

    #[test]
    fn digits_at_the_end_are_counted() {
        for (text, expected) in [
            (b"port=123", 3),
            (b"ort=5184", 4),
            (b"rt=51842", 5),
            (b"51842099", 8),
            (b"5184209x", 0),
            (b"\xff\xff\xff\xff\xff999", 3),
            (b"::::::/9", 1),
            (b"99999999", 8),
        ] {
            assert_eq!(digits_at_end(*text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_first_of_both_is_found_at_every_place() {
        for len in 0..70 {
            for place in 0..=len {
                for (byte, other) in [(b'"', b'\\'), (b'\\', b'"')] {
                    let mut text = vec![b'#'; len];
                    text.extend_from_slice(b"\"\\");
                    text[place.min(len)] = byte;
                    let expected = text.iter().position(|&b| b == byte || b == other);
                    assert_eq!(find2(byte, other, &text), expected, "{len} {place}");
                    assert_eq!(find2(other, byte, &text), expected, "{len} {place}");
                }
            }
            assert_eq!(find2(b',', b'\n', &vec![0xff; len]), None);
            assert_eq!(find2(b',', b'\n', &vec![b',' + 1; len]), None);
            assert_eq!(find2(b',', b'\n', &vec![0; len]), None);
        }
    }
}
