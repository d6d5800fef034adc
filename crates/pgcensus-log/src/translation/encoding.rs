//! What a server encoding makes of a text: the server writes each message in the encoding of the database.
//!
//! Letters that an encoding does not have are replaced by others (`отключение` is `otklyuchenie` in LATIN1) or by a
//! question mark, as `gettext` asks `iconv` to do. These replacements are those of glibc in the C locale.

use std::sync::{LazyLock, OnceLock};

use super::table::ENCODINGS;
use super::{Encoding, language_of};

/// What is left of a letter of one byte where all text must be UTF-8: Docker and Filebeat write so what is none.
static REPLACED: &str = "\u{fffd}";

/// The languages whose texts can be told apart without their other letters than those of ASCII, which are one byte each in the
/// encodings of old.
const LATIN: &str = "de es fr id it pl pt_BR sv tr";

/// One encoding, ready to write in.
pub(super) struct Encoder {
    /// The languages that are written in it; empty: any.
    languages: &'static str,
    encoding: Option<&'static Encoding>,
    /// What stands for a letter that has no place in it, and whether that is lost.
    other: Option<(&'static [u8], bool)>,
    /// In order; made when the first text is written in it.
    letters: OnceLock<Vec<(char, &'static [u8])>>,
}

/// A text in one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    /// It has letters that are lost: became question marks, say.
    pub(super) is_torn: bool,
}

impl Encoder {
    /// All encodings but UTF-8, which the catalogs are written in, and what is left of them in UTF-8.
    pub(super) fn all() -> &'static [Encoder] {
        static ALL: LazyLock<Vec<Encoder>> = LazyLock::new(|| {
            let written = ENCODINGS.iter().map(|encoding| Encoder {
                languages: encoding.languages,
                encoding: Some(encoding),
                other: encoding.is_lossy.then_some((b"?", true)),
                letters: OnceLock::new(),
            });
            let replaced = Encoder {
                languages: LATIN,
                encoding: None,
                other: Some((REPLACED.as_bytes(), false)),
                letters: OnceLock::new(),
            };
            written.chain([replaced]).collect()
        });
        &ALL
    }

    /// Those that a server may have which speaks one of these languages, a list of the table.
    pub(super) fn of(languages: &'static str) -> impl Iterator<Item = &'static Encoder> {
        let is_for =
            move |encoder: &&Encoder| language_of(languages).any(|one| encoder.is_for(one));
        Encoder::all().iter().filter(is_for)
    }

    /// A server that speaks this language may have this encoding.
    fn is_for(&self, language: &str) -> bool {
        self.languages.is_empty() || language_of(self.languages).any(|one| one == language)
    }

    fn letters(&self) -> &[(char, &'static [u8])] {
        self.letters.get_or_init(|| {
            let letters = self.encoding.map_or(&[][..], |encoding| encoding.letters);
            let letters = letters.iter().flat_map(|(letters, bytes)| {
                let bytes = bytes.split(|&b| b == b' ');
                letters.chars().zip(bytes)
            });
            let mut letters: Vec<_> = letters.collect();
            letters.sort_unstable_by_key(|(letter, _)| *letter);
            letters
        })
    }

    /// `None`: a letter of it has no place here.
    pub(super) fn encode(&self, text: &str) -> Option<Encoded> {
        let mut encoded = Encoded {
            bytes: Vec::with_capacity(text.len()),
            is_torn: false,
        };
        for letter in text.chars() {
            let (bytes, is_lost) = self.letter(letter)?;
            encoded.bytes.extend_from_slice(bytes);
            encoded.is_torn |= is_lost;
        }
        Some(encoded)
    }

    /// How many bytes of a message are this text, written with all its letters; `None`: it does not begin so.
    pub(super) fn begins(&self, message: &[u8], text: &str) -> Option<usize> {
        let mut len = 0;
        for letter in text.chars() {
            let (bytes, is_lost) = self.letter(letter)?;
            if is_lost || !message[len..].starts_with(bytes) {
                return None;
            }
            len += bytes.len();
        }
        Some(len)
    }

    /// This text begins with these bytes, whatever became of its letters.
    pub(super) fn may_begin(&self, first: &[u8], text: &str) -> bool {
        let mut rest = first;
        for letter in text.chars() {
            let Some((bytes, _)) = self.letter(letter) else {
                return false;
            };
            let len = bytes.len().min(rest.len());
            if rest[..len] != bytes[..len] {
                return false;
            }
            rest = &rest[len..];
            if rest.is_empty() {
                break;
            }
        }
        rest.is_empty()
    }

    /// A letter, and whether it is lost.
    fn letter(&self, letter: char) -> Option<(&[u8], bool)> {
        if letter.is_ascii() {
            return Some((&ASCII[letter as usize..=letter as usize], false));
        }
        let letters = self.letters();
        match letters.binary_search_by_key(&letter, |(letter, _)| *letter) {
            Ok(place) => Some((letters[place].1, false)),
            Err(_) => self.other,
        }
    }
}

/// Each byte of ASCII.
static ASCII: [u8; 128] = {
    let mut bytes = [0; 128];
    let mut byte = 0;
    while byte < bytes.len() {
        bytes[byte] = byte as u8;
        byte += 1;
    }
    bytes
};
