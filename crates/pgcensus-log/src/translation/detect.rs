//! Which languages a log is in, told from its head: by its severities and labels, and by how its messages begin.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use memchr::memmem::Finder;

use super::encoding::Encoder;
use super::index::{Index, begins};
use super::language_of;
use super::rewrite::{Csv, csv_columns, has_sqlstate, json_message, json_string_len};
use super::table::{AUTHORIZED, LANGUAGES, MESSAGES};
use super::words::Words;
use crate::format::{self, lines};
use crate::line_prefix::label;
use crate::{jsonlog, message, near};

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
        let colon = Finder::new(b":  ");
        for line in lines(sample).take(400) {
            if line.first() == Some(&b'{') && json_message(line).is_some() {
                json += 1;
            } else if matches!(csv_columns(line), Csv::Record(_)) {
                csv += 1;
            } else if colon.find(&line[..line.len().min(HEAD_MAX)]).is_some() {
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

/// Whether a log of this shape may be in another language than English, from its head. Nearly always right, and quick where it is not: some
/// microseconds for 64 KiB.
pub fn may_be_translated(sample: &[u8], shape: Shape) -> bool {
    let colon = Finder::new(b":  ");
    let mut messages = lines(sample).filter_map(|line| match shape {
        Shape::Jsonlog => json_message(line).map(|start| {
            let message = &line[start..];
            (!begins_escaped(message), message)
        }),
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
    messages.any(|(is_english, message)| !is_english || may_begin(message))
}

/// The first bytes of a string of json hold an escape: whoever serialised it again may write each letter so that is no ASCII.
pub(crate) fn begins_escaped(text: &[u8]) -> bool {
    let first = text.first_chunk::<HEAD_MIN>();
    first.is_some_and(|first| near::has(b'\\', *first))
}

/// The text of a string of json, or the begin of one that is cut off.
fn json_text(text: &[u8]) -> Cow<'_, [u8]> {
    let text = &text[..json_string_len(text).unwrap_or(text.len()).min(text.len())];
    match memchr::memchr(b'\\', text) {
        Some(_) => Cow::Owned(jsonlog::unescape(text)),
        None => Cow::Borrowed(text),
    }
}

/// A message that may be of another language.
pub(crate) fn may_begin(message: &[u8]) -> bool {
    let Some(first) = message.first_chunk::<HEAD_MIN>() else {
        return false;
    };
    // Not of two lines: what the first one is must not depend on where a chunk ends.
    if near::has(b'\n', *first) {
        return false;
    }
    if !first.is_ascii() {
        return true;
    }
    ALL.beginning(first).next().is_some() && !message::begins_row(message)
}

/// A number of texts that is in none of them.
const NONE: u16 = u16::MAX;
/// Texts are told apart by so many bits of their first bytes.
const HASHED: u32 = 14;

/// The fixed texts that all messages begin with, by their first bytes: made when this is compiled.
struct Texts {
    /// With their languages.
    heads: [(&'static str, &'static str); Texts::count()],
    /// The first text for each hash of first bytes.
    first: [u16; 1 << HASHED],
    /// The next one after each.
    next: [u16; Texts::count()],
}

static ALL: Texts = Texts::new();

impl Texts {
    const TABLES: [&[super::Row]; 2] = [MESSAGES, AUTHORIZED];

    const fn count() -> usize {
        let mut count = 0;
        let mut table = 0;
        while table < Texts::TABLES.len() {
            let mut row = 0;
            while row < Texts::TABLES[table].len() {
                count += Texts::TABLES[table][row].texts.len();
                row += 1;
            }
            table += 1;
        }
        assert!(count < NONE as usize);
        count
    }

    /// From the last one on, so that what begins alike comes in the order of the tables.
    #[expect(
        clippy::large_stack_arrays,
        reason = "there is no stack when this is compiled"
    )]
    const fn new() -> Texts {
        let mut all = Texts {
            heads: [("", ""); Texts::count()],
            first: [NONE; 1 << HASHED],
            next: [NONE; Texts::count()],
        };
        let mut number = Texts::count();
        let mut table = Texts::TABLES.len();
        while table > 0 {
            table -= 1;
            let mut row = Texts::TABLES[table].len();
            while row > 0 {
                row -= 1;
                let texts = Texts::TABLES[table][row].texts;
                let mut text = texts.len();
                while text > 0 {
                    text -= 1;
                    number -= 1;
                    let (of, text) = texts[text];
                    let head = Texts::head(text);
                    all.heads[number] = (of, head);
                    if let Some(first) = head.as_bytes().first_chunk() {
                        let hash = Texts::hash(*first);
                        all.next[number] = all.first[hash];
                        all.first[hash] = number as u16;
                    }
                }
            }
        }
        all
    }

    /// The same as [`head`](super::head).
    const fn head(text: &str) -> &str {
        let mut len = 0;
        while len < text.len() && text.as_bytes()[len] != b'%' {
            len += 1;
        }
        text.split_at(len).0
    }

    const fn hash(first: [u8; HEAD_MIN]) -> usize {
        let hash = u64::from_le_bytes(first).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> (u64::BITS - HASHED)) as usize
    }

    /// Those that begin so in UTF-8, with their languages.
    fn beginning(
        &self,
        first: &[u8; HEAD_MIN],
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let number = |number: u16| (number != NONE).then_some(usize::from(number));
        let numbers = std::iter::successors(number(self.first[Texts::hash(*first)]), move |at| {
            number(self.next[*at])
        });
        let heads = numbers.map(|number| self.heads[number]);
        heads.filter(|(_, head)| head.as_bytes().starts_with(first))
    }
}

/// What all languages are told by.
#[derive(Debug)]
pub struct Catalog {
    words: Words,
    /// Texts by what they begin with in other encodings than UTF-8, where that is no ASCII: made when the first message is seen
    /// that begins so.
    encoded: OnceLock<Index<HEAD_MIN>>,
}

impl Default for Catalog {
    fn default() -> Catalog {
        Catalog {
            words: Words::of(LANGUAGES),
            encoded: OnceLock::new(),
        }
    }
}

fn index() -> Index<HEAD_MIN> {
    let heads = ALL.heads.iter().enumerate();
    Index::of(heads.flat_map(|(number, (of, head))| {
        let begins = begins(of, head, HEAD_MIN).skip(1);
        let firsts = begins.filter_map(|begin| begin.bytes.first_chunk().copied());
        firsts
            .filter(|first| !first.is_ascii())
            .map(move |first| (first, number))
    }))
}

impl Catalog {
    /// The languages that occur in the head of a log of this shape, most frequent first; English is none of them.
    pub fn detect(&self, sample: &[u8], shape: Shape) -> Vec<&'static str> {
        let mut hits = BTreeMap::<&'static str, usize>::new();
        let mut unescaped;
        for line in lines(sample) {
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
                    Some(start) => {
                        unescaped = json_text(&line[start..]);
                        ("", &unescaped[..])
                    }
                    None => continue,
                },
            };
            for of in [of, self.language_of_message(message)] {
                if !of.is_empty() {
                    *hits.entry(of).or_default() += 1;
                }
            }
        }
        cover(hits)
    }

    /// The languages of a message; empty for none.
    fn language_of_message(&self, message: &[u8]) -> &'static str {
        let Some(first) = message.first_chunk() else {
            return "";
        };
        // Of one language thirty begin alike: their ends tell most of them apart.
        let as_it_is = |_, head: &str| {
            let head = head.as_bytes();
            let is_it = message.get(head.len() - 1) == head.last() && message.starts_with(head);
            is_it.then_some(head.len())
        };
        let mut best = longest(ALL.beginning(first), as_it_is);
        if best.is_none() {
            let encoded = |of, head: &str| {
                let encoders = Encoder::of(of);
                encoders
                    .filter_map(|encoder| encoder.begins(message, head))
                    .max()
            };
            best = if first.is_ascii() {
                longest(ALL.beginning(first), encoded)
            } else {
                let index = self.encoded.get_or_init(index);
                let numbers = index.place(message).map(|place| index.numbers(place));
                let heads = numbers
                    .into_iter()
                    .flatten()
                    .map(|number| ALL.heads[number]);
                longest(heads, encoded)
            };
        }
        best.filter(|_| !message::begins_row(message))
            .unwrap_or_default()
    }
}

/// The languages of the longest of some heads in a message; `len` says how long one is there.
fn longest(
    heads: impl Iterator<Item = (&'static str, &'static str)>,
    len: impl Fn(&'static str, &'static str) -> Option<usize>,
) -> Option<&'static str> {
    let begins = heads.filter_map(|(of, head)| Some((len(of, head)?, of)));
    begins.max_by_key(|(len, _)| *len).map(|(_, of)| of)
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
