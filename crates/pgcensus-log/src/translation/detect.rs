//! Which languages a log is in, told from its head: by its severities and labels, and by how its messages begin.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use memchr::memmem::{self, Finder};

use super::encoding::Encoder;
use super::rewrite::{Csv, csv_columns, has_sqlstate, json_message};
use super::table::{AUTHORIZED, LANGUAGES, MESSAGES};
use super::words::Words;
use super::{language_of, variants};
use crate::format;
use crate::line_prefix::label;
use crate::message;

/// A shorter begin of a message may begin any other one.
const HEAD_MIN: usize = 8;
/// A label further in a line is part of its message.
const HEAD_MAX: usize = 600;

/// How the lines of a log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text, whatever its prefix.
    Stderr,
    /// Columns.
    Csvlog,
    /// Objects.
    Jsonlog,
}

impl Shape {
    /// That of most records in the head of a log.
    pub fn of(sample: &[u8]) -> Shape {
        let sample = sample.strip_prefix(format::BOM).unwrap_or(sample);
        let (mut csv, mut json, mut stderr) = (0, 0, 0);
        for line in sample.split(|&b| b == b'\n').take(400) {
            if line.first() == Some(&b'{') && json_message(line).is_some() {
                json += 1;
            } else if matches!(csv_columns(line), Csv::Record(_)) {
                csv += 1;
            } else if memmem::find(&line[..line.len().min(HEAD_MAX)], b":  ").is_some() {
                stderr += 1;
            }
        }
        if json > csv.max(stderr) {
            Shape::Jsonlog
        } else if csv > stderr {
            Shape::Csvlog
        } else {
            Shape::Stderr
        }
    }
}

/// Whether a log may be in another language than English, from its head. Nearly always right, and quick where it is not: some
/// microseconds for 64 KiB.
pub fn may_be_translated(sample: &[u8]) -> bool {
    let shape = Shape::of(sample);
    let lines = sample.split(|&b| b == b'\n');
    let colon = Finder::new(b":  ");
    let mut lines = lines.filter_map(|line| match shape {
        Shape::Jsonlog => json_message(line).map(|start| (true, &line[start..])),
        Shape::Csvlog => match csv_columns(line) {
            Csv::Record(columns) => {
                let (start, end) = columns.severity;
                let is_english = label::is_severity(&line[start..end]);
                Some((is_english, &line[columns.message + 1..]))
            }
            _ => None,
        },
        Shape::Stderr if line.first() == Some(&b'\t') => None,
        Shape::Stderr => {
            let head = &line[..line.len().min(HEAD_MAX)];
            colon.find_iter(head).find_map(|at| {
                let is_word = |b: &u8| b.is_ascii_uppercase() || matches!(b, b')' | b' ' | 0x80..);
                if label::at_end(&head[..at + 3]).is_some() {
                    let message = &line[at + 3..];
                    let verbose = if has_sqlstate(message) { 7 } else { 0 };
                    return Some((true, &message[verbose..]));
                }
                head[..at]
                    .last()
                    .is_some_and(is_word)
                    .then_some((false, &head[..0]))
            })
        }
    });
    lines.any(|(is_english, message)| !is_english || may_begin(message))
}

/// A message that may be of another language.
fn may_begin(message: &[u8]) -> bool {
    let Some(first) = message.first_chunk::<HEAD_MIN>() else {
        return false;
    };
    if !first.is_ascii() {
        return true;
    }
    let bit = Heads::bit(*first);
    HEADS.bits[bit / 64] >> (bit % 64) & 1 == 1 && !message::begins_row(message)
}

/// The first bytes of each translated message, hashed.
struct Heads {
    bits: [u64; 1 << 10],
}

impl Heads {
    const fn bit(head: [u8; HEAD_MIN]) -> usize {
        (u64::from_le_bytes(head).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
    }

    const fn with(mut self, rows: &[super::Row]) -> Heads {
        let mut row = 0;
        while row < rows.len() {
            let texts = rows[row].texts;
            let mut text = 0;
            while text < texts.len() {
                if let Some(first) = texts[text].1.as_bytes().first_chunk() {
                    let bit = Heads::bit(*first);
                    self.bits[bit / 64] |= 1 << (bit % 64);
                }
                text += 1;
            }
            row += 1;
        }
        self
    }
}

static HEADS: Heads = Heads { bits: [0; 1 << 10] }.with(MESSAGES).with(AUTHORIZED);

/// What all languages are told by.
#[derive(Debug)]
pub struct Catalog {
    words: Words,
    /// In UTF-8.
    heads: MessageHeads,
    /// In other encodings: made when the first log that is no UTF-8 is seen.
    encoded: OnceLock<MessageHeads>,
}

/// The fixed text that messages begin with, and their languages, by the first bytes.
type MessageHeads = HashMap<[u8; HEAD_MIN], Vec<(Vec<u8>, &'static str)>>;

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog {
            words: Words::of(LANGUAGES, &Encoder::all()),
            heads: message_heads(&[]),
            encoded: OnceLock::new(),
        }
    }
}

fn message_heads(encoders: &[Encoder]) -> MessageHeads {
    let mut heads = MessageHeads::new();
    let texts = MESSAGES.iter().chain(AUTHORIZED).flat_map(|row| row.texts);
    for &(of, text) in texts {
        let head = text.split('%').next().unwrap_or_default();
        for encoded in variants(of, LANGUAGES, head, encoders) {
            if let Some(first) = encoded.bytes.first_chunk().filter(|_| !encoded.is_torn) {
                heads.entry(*first).or_default().push((encoded.bytes, of));
            }
        }
    }
    heads
}

impl Catalog {
    /// The languages that occur in the head of a log of this shape, most frequent first; English is none of them.
    pub fn detect(&self, sample: &[u8], shape: Shape) -> Vec<&'static str> {
        let is_utf8 = std::str::from_utf8(sample).map_or_else(
            // It may be cut.
            |err| err.error_len().is_none(),
            |_| true,
        );
        let heads = if is_utf8 {
            &self.heads
        } else {
            self.encoded.get_or_init(|| message_heads(&Encoder::all()))
        };
        let mut hits = BTreeMap::<&'static str, usize>::new();
        for line in sample.split(|&b| b == b'\n') {
            let (of, message) = match shape {
                Shape::Stderr if line.first() == Some(&b'\t') => continue,
                Shape::Stderr => {
                    let head = &line[..line.len().min(HEAD_MAX)];
                    let Some(found) = self.words.find(head, 0) else {
                        continue;
                    };
                    let message = &line[found.end..];
                    let verbose = if has_sqlstate(message) { 7 } else { 0 };
                    let message = found.label.is_severity.then_some(&message[verbose..]);
                    (found.label.languages, message.unwrap_or_default())
                }
                Shape::Csvlog => {
                    let Csv::Record(columns) = csv_columns(line) else {
                        continue;
                    };
                    let (start, end) = columns.severity;
                    let of = self.words.severity(&line[start..end]);
                    (of.map_or("", |(_, of)| of), &line[columns.message + 1..])
                }
                Shape::Jsonlog => match json_message(line) {
                    Some(start) => ("", &line[start..]),
                    None => continue,
                },
            };
            for of in [of, language_of_message(heads, message)] {
                if !of.is_empty() {
                    *hits.entry(of).or_default() += 1;
                }
            }
        }
        cover(hits)
    }
}

/// The languages of a message; empty for none.
fn language_of_message(heads: &MessageHeads, message: &[u8]) -> &'static str {
    let heads = message.first_chunk().and_then(|first| heads.get(first));
    let begins = heads
        .into_iter()
        .flatten()
        .filter(|(head, _)| message.starts_with(head));
    let best = begins.max_by_key(|(head, _)| head.len());
    best.filter(|_| !message::begins_row(message))
        .map_or("", |(_, of)| of)
}

/// The fewest languages that explain all hits, as far as taking the best one again and again finds them.
fn cover(mut hits: BTreeMap<&'static str, usize>) -> Vec<&'static str> {
    let mut languages = Vec::new();
    while !hits.is_empty() {
        let count = |language: &str| -> usize {
            let explained = hits
                .iter()
                .filter(|(of, _)| language_of(of).any(|one| one == language));
            explained.map(|(_, count)| count).sum()
        };
        let best = LANGUAGES
            .iter()
            .rev()
            .max_by_key(|language| count(language));
        let Some(&best) = best else { break };
        languages.push(best);
        hits.retain(|of, _| language_of(of).all(|one| one != best));
    }
    languages
}
