//! What a server encoding makes of a text: the server writes each message in the encoding of the database.
//!
//! Letters that an encoding does not have are replaced by others (`отключение` is `otklyuchenie` in LATIN1) or by a
//! question mark, as `gettext` asks `iconv` to do. These replacements are those of glibc in the C locale.

use super::Encoding;
use super::table::ENCODINGS;

/// One encoding, ready to write in.
pub(super) struct Encoder {
    encoding: &'static Encoding,
    /// In order.
    letters: Vec<(char, &'static [u8])>,
}

/// A text in one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    /// It has letters that became question marks.
    pub(super) is_torn: bool,
}

impl Encoder {
    /// All encodings but UTF-8, which the catalogs are written in.
    pub(super) fn all() -> Vec<Encoder> {
        let encoder = |encoding: &'static Encoding| {
            let letters = encoding.letters.iter().flat_map(|(letters, bytes)| {
                let bytes = bytes.split(|&b| b == b' ');
                letters.chars().zip(bytes)
            });
            let mut letters: Vec<_> = letters.collect();
            letters.sort_unstable_by_key(|(letter, _)| *letter);
            Encoder { encoding, letters }
        };
        ENCODINGS.iter().map(encoder).collect()
    }

    /// A server that speaks this language may have this encoding.
    pub(super) fn is_for(&self, language: &str) -> bool {
        let languages = self.encoding.languages;
        languages.is_empty() || languages.split(' ').any(|one| one == language)
    }

    /// `None`: a letter of it has no place here.
    pub(super) fn encode(&self, text: &str) -> Option<Encoded> {
        let mut encoded = Encoded {
            bytes: Vec::with_capacity(text.len()),
            is_torn: false,
        };
        for letter in text.chars() {
            if letter.is_ascii() {
                encoded.bytes.push(letter as u8);
                continue;
            }
            let place = self
                .letters
                .binary_search_by_key(&letter, |(letter, _)| *letter);
            match place.ok().map(|place| self.letters[place].1) {
                Some(bytes) => encoded.bytes.extend_from_slice(bytes),
                None if self.encoding.is_lossy => {
                    encoded.bytes.push(b'?');
                    encoded.is_torn = true;
                }
                None => return None,
            }
        }
        Some(encoded)
    }
}
