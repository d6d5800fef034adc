//! Finding a byte that is likely to be near: columns and strings of a log are a few bytes long, and then setting up a
//! vectorised search costs more than the search. And comparing up to eight bytes at once.

use memchr::{memchr_iter, memchr2};

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

/// Where a text of a few bytes begins whose first one is rare: to set up the search for all of it costs more than to look
/// through a line.
pub(crate) fn find<const N: usize>(few: &[u8; N], text: &[u8]) -> Option<usize> {
    memchr_iter(few[0], text).find(|&at| text[at..].starts_with(few))
}

/// `byte` is one of these.
#[inline]
pub(crate) const fn has(byte: u8, text: [u8; 8]) -> bool {
    zeros(u64::from_le_bytes(text) ^ (EACH * byte as u64)) != 0
}

/// How many digits these begin with.
#[inline]
pub(crate) const fn digits_at_begin(text: [u8; 8]) -> usize {
    no_digits(text).trailing_zeros() as usize / 8
}

/// The number that eight hexadecimal digits are; `None` where one is none.
#[inline]
pub(crate) const fn hex(text: [u8; 8]) -> Option<u32> {
    let word = u64::from_be_bytes(text);
    let low = word & (EACH * 0x7f);
    // Of each byte the top bit: it is above 9, as of `0`; it is below 1 or above 6, as of the letter before `a`.
    let digit = low ^ (EACH * b'0' as u64);
    let letter = (low | (EACH * 0x20)) ^ (EACH * 0x60);
    let no_digit = digit + EACH * 0x76;
    let no_letter = (letter + EACH * 0x79) | !(letter + EACH * 0x7f);
    if ((no_digit & no_letter) | word) & (EACH << 7) != 0 {
        return None;
    }
    let value = (low & (EACH * 0xf)) + ((low >> 6) & EACH) * 9;
    let pairs = (value | value >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) as u32)
}

/// How many digits these end with.
#[inline]
pub(crate) const fn digits_at_end(text: [u8; 8]) -> usize {
    no_digits(text).leading_zeros() as usize / 8
}

/// The top bit of each byte that is no digit.
const fn no_digits(text: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(text) ^ (EACH * b'0' as u64);
    (((word & (EACH * 0x7f)) + EACH * 0x76) | word) & (EACH << 7)
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

/// At most eight bytes, compared at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Short {
    bytes: u64,
    mask: u64,
    len: u8,
}

impl Short {
    /// `None`: they are too many.
    pub(crate) fn new(text: &[u8]) -> Option<Short> {
        let len = u8::try_from(text.len()).ok().filter(|len| *len <= 8)?;
        Some(Short {
            bytes: word(text),
            mask: mask(text.len()),
            len,
        })
    }

    /// `text`, which must go on for eight bytes, begins with it.
    pub(crate) fn begins(self, text: &[u8]) -> bool {
        text.first_chunk()
            .is_some_and(|text| (u64::from_le_bytes(*text) ^ self.bytes) & self.mask == 0)
    }

    /// Its first byte, or a zero.
    pub(crate) fn first(self) -> u8 {
        self.bytes as u8
    }

    pub(crate) fn len(self) -> usize {
        usize::from(self.len)
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
    use super::{digits_at_begin, digits_at_end, find2, hex};

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
    fn digits_at_the_begin_are_counted() {
        for (text, expected) in [
            (b"123,\"abc", 3),
            (b"51842099", 8),
            (b"x1234567", 0),
            (b"999\xff\xff\xff\xff\xff", 3),
            (b"9/::::::", 1),
        ] {
            assert_eq!(digits_at_begin(*text), expected, "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_numbers_are_those_of_the_library() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                for other in *b"09afAF" {
                    let mut text = [other; 8];
                    text[place] = byte;
                    let library = std::str::from_utf8(&text).ok();
                    let library = library.filter(|text| !text.starts_with('+'));
                    let expected = library.and_then(|text| u32::from_str_radix(text, 16).ok());
                    assert_eq!(hex(text), expected, "{text:?}");
                }
            }
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
