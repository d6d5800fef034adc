//! Severities, labels and the word for an unset name, in the languages of a file.

use std::collections::HashMap;

use memchr::memchr_iter;

use super::table::{LABELS, SEVERITIES, UNSET};
use super::{Row, is_of, variants};
use crate::line_prefix::glued_to_zone;

/// The severities of stderr, in the order in which they are tried: where one word means two (`ka`), the graver one.
const SEVERITIES_BY_WEIGHT: [&str; 8] = [
    "PANIC", "FATAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG", "LOG",
];

/// A word before a text in stderr.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// With its colon and the spaces behind it.
    text: Vec<u8>,
    /// Length up to its colon.
    colon: usize,
    /// The same in English.
    pub(super) english: Vec<u8>,
    pub(super) is_severity: bool,
    /// The languages that it is of; empty for English.
    pub(super) languages: &'static str,
}

/// Where a label stands in a line.
pub(super) struct Found<'l> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: &'l Label,
}

/// The words around messages.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// By the two bytes before their colon, longer ones first.
    labels: Vec<Vec<Label>>,
    /// Severities of csvlog, with their languages.
    severities: HashMap<Vec<u8>, (&'static str, &'static str)>,
}

/// What is printed for a name that is not set.
#[derive(Clone, Debug)]
pub(super) struct Unset(Vec<Vec<u8>>);

impl Words {
    /// The words of these languages, and the English ones, which stand between them.
    pub(super) fn of(languages: &[&'static str]) -> Words {
        let mut words = Words {
            labels: vec![Vec::new(); PLACES],
            severities: HashMap::new(),
        };
        for english in SEVERITIES_BY_WEIGHT {
            let label = format!("{english}:  ");
            words.add(label.as_bytes(), &label, true, "");
            words
                .severities
                .insert(english.as_bytes().to_vec(), (english, ""));
        }
        for row in SEVERITIES_BY_WEIGHT
            .iter()
            .filter_map(|english| SEVERITIES.iter().find(|row| row.english == *english))
        {
            for_each(row, languages, |of, text| {
                let label = [text, b":  "].concat();
                words.add(&label, &format!("{}:  ", row.english), true, of);
                words
                    .severities
                    .entry(text.to_vec())
                    .or_insert((row.english, of));
            });
        }
        for row in LABELS {
            words.add(row.english.as_bytes(), row.english, false, "");
            for_each(row, languages, |of, text| {
                words.add(text, row.english, false, of);
            });
        }
        // Of two that end alike the longer one is meant.
        for labels in &mut words.labels {
            labels.sort_by_key(|label| usize::MAX - label.text.len());
        }
        words
    }

    fn add(&mut self, text: &[u8], english: &str, is_severity: bool, languages: &'static str) {
        let colon = text.iter().position(|&b| b == b':');
        let Some(colon @ 2..) = colon else { return };
        let labels = &mut self.labels[place(text[colon - 2], text[colon - 1])];
        if labels.iter().any(|label| label.text == text) {
            return;
        }
        labels.push(Label {
            text: text.to_vec(),
            colon,
            english: english.as_bytes().to_vec(),
            is_severity,
            languages,
        });
    }

    /// The first label of a line, or of what is left of it, from `from` on.
    pub(super) fn find(&self, line: &[u8], from: usize) -> Option<Found<'_>> {
        memchr_iter(b':', &line[from..]).find_map(|at| {
            let colon = from + at;
            let &[before, last] = line[..colon].last_chunk()?;
            let mut labels = self.labels[place(before, last)].iter();
            labels.find_map(|label| {
                let start = colon.checked_sub(label.colon).filter(|&at| at >= from)?;
                let is_it = line[start] == label.text[0] && line[start..].starts_with(&label.text);
                if !is_it || is_glued(line, start) {
                    return None;
                }
                Some(Found {
                    start,
                    end: start + label.text.len(),
                    label,
                })
            })
        })
    }

    /// A severity of csvlog in English, and the languages that it is of.
    pub(super) fn severity(&self, text: &[u8]) -> Option<(&'static str, &'static str)> {
        self.severities.get(text).copied()
    }
}

impl Unset {
    /// The words of these languages.
    pub(super) fn of(languages: &[&'static str]) -> Unset {
        let mut words = Vec::new();
        for row in UNSET {
            for_each(row, languages, |_, text| words.push(text.to_vec()));
        }
        Unset(words)
    }

    /// Writes what stands before a label, with `[unknown]` for the word of the language.
    pub(super) fn write_head(&self, head: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for at in memchr_iter(b'[', head) {
            let is_here = |word: &&Vec<u8>| at >= from && head[at..].starts_with(word);
            if let Some(word) = self.0.iter().find(is_here) {
                out.extend_from_slice(&head[from..at]);
                out.extend_from_slice(b"[unknown]");
                from = at + word.len();
            }
        }
        out.extend_from_slice(&head[from..]);
    }
}

/// Labels are told apart by so many places: of a language hardly any two share one.
const PLACES: usize = 1 << 8;

/// The place of labels that end with these bytes.
fn place(before: u8, last: u8) -> usize {
    usize::from(before.wrapping_mul(0x1d) ^ last)
}

/// The word at `start` goes on another one: it is the end of that.
fn is_glued(line: &[u8], start: usize) -> bool {
    let Some(&before) = line[..start].last() else {
        return false;
    };
    let is_word = before.is_ascii_uppercase() || !before.is_ascii() && !line[start].is_ascii();
    is_word && !glued_to_zone(&line[..start])
}

/// The texts of a row in these languages, in each encoding, with the languages that they are of. What lost letters is left
/// out: question marks alone say nothing.
fn for_each(row: &Row, languages: &[&'static str], mut then: impl FnMut(&'static str, &[u8])) {
    for (of, text) in row.texts.iter().filter(|(of, _)| is_of(of, languages)) {
        for encoded in variants(of, text) {
            if !encoded.is_torn {
                then(of, &encoded.bytes);
            }
        }
    }
}
