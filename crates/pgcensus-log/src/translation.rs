//! Translations: logs in the languages of PostgreSQL's catalogs, turned into what an English server would have written.
//!
//! `lc_messages` decides in which language a server writes its severities, labels and messages; names, SQL and SQLSTATEs are
//! in none. So translation is a layer before the decoders, as compression is:
//!
//! ```text
//! FEHLER:  Datenbank »shop« existiert nicht    ─►  ERROR:  database "shop" does not exist
//! ANWEISUNG:  SELECT 1                         ─►  STATEMENT:  SELECT 1
//! ```
//!
//! Only what is in the table is touched: the words before a text, and messages that fit a text of the table as a whole, from their
//! first byte to their last. What stands in their holes is copied byte for byte. All else, a statement with such words in it
//! among it, stays as it is. Which languages a file is in is told from its head ([`Catalog::detect`]); what is not in one of them
//! is not looked at twice, so English logs pay nothing. Records of other languages than those are met when they are decoded (`stray.rs`).
//!
//! A message has the encoding of the database that its session is in, so one file may have several: each text is known in all
//! that its language can have. Letters that an encoding lacks become others or question marks (`encoding.rs`).

mod authorized;
mod detect;
mod encoding;
mod format;
mod index;
mod messages;
mod rewrite;
pub(crate) mod stray;
mod table;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

pub(crate) use detect::begins_escaped;
pub use detect::{Catalog, Shape, may_be_translated};
pub use rewrite::{Rewriter, Rewritten};
pub use table::LANGUAGES;

use encoding::{Encoded, Encoder};
use messages::Messages;
use words::{Unset, Words};

/// An English text and its translations, each with the languages that it is of.
struct Row {
    english: &'static str,
    texts: &'static [(&'static str, &'static str)],
}

/// A server encoding.
struct Encoding {
    #[expect(dead_code, reason = "for people, who look into the table")]
    name: &'static str,
    /// The languages that are written in it; empty: any.
    languages: &'static str,
    /// What it has no letter for becomes a question mark.
    is_lossy: bool,
    /// Letters, and the bytes that stand for each, between spaces.
    letters: &'static [(&'static str, &'static [u8])],
}

/// Some languages, compiled.
#[derive(Debug)]
pub struct Translation {
    languages: Vec<&'static str>,
    words: Words,
    unset: Unset,
    messages: Messages,
}

impl Translation {
    /// What undoes these languages, names of [`LANGUAGES`].
    pub fn of(languages: &[&'static str]) -> Arc<Translation> {
        Arc::new(Translation {
            languages: languages.to_vec(),
            words: Words::of(languages),
            unset: Unset::of(languages),
            messages: Messages::of(languages),
        })
    }

    /// The languages, most frequent first.
    pub fn languages(&self) -> &[&'static str] {
        &self.languages
    }
}

/// The words before a text in stderr, of all languages in all encodings.
#[derive(Debug)]
pub(crate) struct LineLabels(Words);

impl LineLabels {
    pub(crate) fn of_all_languages() -> LineLabels {
        LineLabels(Words::of(LANGUAGES))
    }

    /// Whether the first label of a line is no severity: it goes on a record.
    pub(crate) fn are_further(&self, line: &[u8]) -> bool {
        let first = self.0.find(line, 0);
        first.is_some_and(|found| !found.label.is_severity)
    }
}

/// The language of a value of `lc_messages`: `pt_BR` of `pt_BR.UTF-8`, `de` of `de_AT@euro`. `None` for a language that
/// PostgreSQL has no catalog of.
pub fn language(name: &str) -> Option<&'static str> {
    let name = name.split(['.', '@']).next()?;
    let known = |name: &str| LANGUAGES.iter().copied().find(|known| *known == name);
    known(name).or_else(|| known(name.split('_').next()?))
}

/// The single languages of a list of the table.
fn language_of(of: &'static str) -> impl Iterator<Item = &'static str> {
    of.split(' ')
}

/// One of them is in a list of the table.
fn is_of(of: &'static str, languages: &[&'static str]) -> bool {
    language_of(of).any(|language| languages.contains(&language))
}

/// The fixed text that a text of a catalog begins with.
fn head(text: &str) -> &str {
    text.split('%').next().unwrap_or_default()
}

/// A text of these languages in the encodings that they may have, UTF-8 first.
fn variants(of: &'static str, text: &str) -> Vec<Encoded> {
    let mut variants = vec![Encoded {
        bytes: text.as_bytes().to_vec(),
        is_torn: false,
    }];
    if !text.is_ascii() {
        for encoded in Encoder::of(of).filter_map(|encoder| encoder.encode(text)) {
            if !variants.contains(&encoded) {
                variants.push(encoded);
            }
        }
    }
    variants
}
