//! Messages of the languages of a file, told by their first bytes, and their English text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use memchr::memmem;

use super::authorized::{Head, Pieces};
use super::encoding::Encoder;
use super::format::Format;
use super::index::{Index, begins};
use super::table::{AUTHORIZED, MESSAGES, WORDS};
use super::{head, is_of, language_of, variants};
use crate::record::Severity;

/// Messages of a session's life have enough of their own around lost letters to be told by.
const LIFE: [&str; 3] = ["connection ", "disconnection: ", "replication connection "];
/// Bytes that most texts begin with, and are found by.
const FIRST: usize = 4;

/// What stands before a message in its record: names that are in it too, as they are written there.
#[derive(Clone, Copy)]
pub(super) struct Before<'b> {
    pub(super) text: &'b [u8],
    /// Where it is known.
    pub(super) severity: Option<Severity>,
    /// How a name is written there.
    pub(super) escape: fn(&[u8], &mut Vec<u8>),
}

/// Translations of words that stand in holes, and the words.
pub(super) type Words = HashMap<Vec<u8>, &'static str>;

/// All messages.
#[derive(Debug)]
pub(super) struct Messages {
    texts: Vec<Text>,
    by_first: Index<FIRST>,
    /// What was made of all that begin alike, at their places.
    ready: Vec<OnceLock<Vec<Compiled>>>,
    /// Those that begin with a hole or nearly so.
    short: Vec<Compiled>,
    languages: Vec<&'static str>,
    /// Made when a connection is authorized.
    pieces: OnceLock<Pieces>,
    words: Words,
}

/// A text of a catalog.
#[derive(Debug)]
struct Text {
    english: Cow<'static, str>,
    of: &'static str,
    text: Cow<'static, str>,
    /// It is only the head of its message.
    is_head: bool,
}

/// A text in one encoding.
#[derive(Debug)]
struct Compiled {
    start: Start,
    what: What,
}

#[derive(Debug)]
enum What {
    Phrase(Phrase),
    Authorized(Head),
}

/// The first bytes of a text or a message, which tell most of them apart at once.
#[derive(Clone, Copy, Debug)]
struct Start {
    bytes: u128,
    mask: u128,
}

/// A text of one encoding with its English one.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) format: Format,
    english: Arc<English>,
}

#[derive(Debug)]
struct English {
    format: Format,
    /// Of the rows that it is in the table of messages: one text may be two messages of different severities.
    severities: Vec<Severity>,
    /// The arguments that are words to be translated.
    words: Vec<usize>,
}

/// A message that fits a phrase.
struct Reading<'r> {
    phrase: &'r Phrase,
    holes: Vec<&'r [u8]>,
}

impl Messages {
    /// The messages of these languages.
    pub(super) fn of(languages: &[&'static str]) -> Messages {
        let texts = texts(languages);
        let is_short = |text: &Text| head(&text.text).chars().count() < FIRST;
        let long = texts.iter().enumerate();
        let long = long.filter(|(_, text)| !is_short(text));
        let by_first = Index::of(long.flat_map(|(number, text)| {
            let firsts = begins(text.of, head(&text.text), FIRST);
            firsts.filter_map(move |begin| Some((*begin.bytes.first_chunk()?, number)))
        }));
        let ready = (0..by_first.len()).map(|_| OnceLock::new()).collect();
        let short = compiled(texts.iter().filter(|text| is_short(text)), b"");
        let words = WORDS.iter().flat_map(|row| {
            let texts = row.texts.iter().filter(|(of, _)| is_of(of, languages));
            let variants = texts.flat_map(|(of, text)| variants(of, text));
            variants.map(|word| (word.bytes, row.english))
        });
        Messages {
            by_first,
            ready,
            short,
            languages: languages.to_vec(),
            pieces: OnceLock::new(),
            words: words.collect(),
            texts,
        }
    }

    /// It may be one of them, as far as its first bytes tell.
    pub(super) fn may_be(&self, message: &[u8]) -> bool {
        let start = Start::of(message);
        self.by_first.place(message).is_some()
            || self.short.iter().any(|text| text.start.begins(start))
    }

    /// Those that may begin a message.
    fn beginning<'t>(&'t self, message: &[u8]) -> impl Iterator<Item = &'t What> {
        let by_first = self.by_first.place(message).map_or(&[][..], |place| {
            self.ready[place].get_or_init(|| {
                let numbers = self.by_first.numbers(place);
                compiled(numbers.map(|number| &self.texts[number]), &message[..FIRST])
            })
        });
        let start = Start::of(message);
        let texts = by_first.iter().chain(&self.short);
        texts
            .filter(move |text| text.start.begins(start))
            .map(|text| &text.what)
    }

    /// The English text of a whole message, if it is one of them and another text than that.
    pub(super) fn english(&self, message: &[u8], before: Before<'_>) -> Option<Vec<u8>> {
        // Several may fit, since names hold anything and translators are free: then what is before the message tells.
        let score = |reading: &Reading<'_>| {
            let severities = &reading.phrase.english.severities;
            let fits = before
                .severity
                .is_none_or(|severity| severities.contains(&severity));
            (fits, before.names(&reading.holes))
        };
        let mut best: Option<(Reading<'_>, Option<(bool, usize)>)> = None;
        for text in self.beginning(message) {
            let reading = match text {
                What::Phrase(phrase) => {
                    let holes = phrase.format.read(message, &|holes| before.names(holes));
                    holes.map(|holes| Reading { phrase, holes })
                }
                What::Authorized(head) if best.is_none() => {
                    let Some(rest) = message.strip_prefix(&head.text[..]) else {
                        continue;
                    };
                    let pieces = self.pieces.get_or_init(|| Pieces::of(&self.languages));
                    let english = pieces.english(head, rest, before, &self.words);
                    return (english != message).then_some(english);
                }
                What::Authorized(_) => None,
            };
            let Some(reading) = reading else { continue };
            match &mut best {
                None => best = Some((reading, None)),
                Some((first, most)) => {
                    let most = *most.get_or_insert_with(|| score(first));
                    let score = score(&reading);
                    if score > most {
                        best = Some((reading, Some(score)));
                    }
                }
            }
        }
        let (Reading { phrase, holes }, _) = best?;
        Some(phrase.write(&holes, message.len(), &self.words))
    }
}

impl Start {
    fn of(text: &[u8]) -> Start {
        let mut start = [0; 16];
        let len = text.len().min(start.len());
        start[..len].copy_from_slice(&text[..len]);
        Start {
            bytes: u128::from_le_bytes(start),
            mask: u128::MAX.checked_shr(128 - 8 * len as u32).unwrap_or(0),
        }
    }

    /// As far as these bytes tell.
    fn begins(self, message: Start) -> bool {
        (self.bytes ^ message.bytes) & self.mask == 0
    }
}

impl Phrase {
    /// The English text with these values in the holes of a message of about `len` bytes.
    pub(super) fn write(&self, holes: &[&[u8]], len: usize, words: &Words) -> Vec<u8> {
        let value = |argument: usize| {
            let mut of = self.format.holes.iter();
            let at = of.position(|hole| hole.argument == argument);
            let value = at.map_or(&b""[..], |at| holes[at]);
            if !self.english.words.contains(&argument) {
                return value;
            }
            words.get(value).map_or(value, |word| word.as_bytes())
        };
        let mut english = Vec::with_capacity(len + 64);
        self.english.format.write(value, &mut english);
        english
    }
}

/// Texts in each encoding in which they begin with these bytes. What says most comes first: exact texts before open ones.
fn compiled<'t>(texts: impl Iterator<Item = &'t Text>, first: &[u8]) -> Vec<Compiled> {
    let mut all: Vec<Compiled> = Vec::new();
    for text in texts {
        if text.is_head {
            let variants = variants(text.of, head(&text.text)).into_iter();
            for head in variants.filter(|encoded| encoded.bytes.starts_with(first)) {
                add_head(&mut all, head.bytes, text);
            }
            continue;
        }
        let is_life = LIFE.iter().any(|life| text.english.starts_with(life));
        let phrases = phrases(&text.english, text.of, &text.text, first, is_life);
        all.extend(phrases.map(|phrase| Compiled {
            start: Start::of(phrase.format.head()),
            what: What::Phrase(phrase),
        }));
    }
    all.sort_by_key(|text| {
        usize::MAX
            - match &text.what {
                What::Phrase(phrase) => phrase.format.literal_len(),
                What::Authorized(head) => head.text.len(),
            }
    });
    all
}

fn add_head(all: &mut Vec<Compiled>, bytes: Vec<u8>, text: &Text) {
    let mut heads = all.iter_mut().filter_map(|text| match &mut text.what {
        What::Authorized(head) => Some(head),
        What::Phrase(_) => None,
    });
    let is_client = text.english.starts_with("connection");
    if let Some(head) = heads.find(|head| head.text == bytes) {
        head.is_client |= is_client;
        head.is_walsender |= !is_client;
        head.languages.extend(language_of(text.of));
        return;
    }
    all.push(Compiled {
        start: Start::of(&bytes),
        what: What::Authorized(Head {
            text: bytes,
            languages: language_of(text.of).collect(),
            is_client,
            is_walsender: !is_client,
        }),
    });
}

impl Before<'_> {
    /// How many bytes of these names stand there.
    pub(super) fn names(self, names: &[&[u8]]) -> usize {
        let mut written = Vec::new();
        let names = names.iter().filter(|name| !name.is_empty());
        names
            .filter(|name| {
                written.clear();
                (self.escape)(name, &mut written);
                memmem::find(self.text, &written).is_some()
            })
            .map(|name| name.len())
            .sum()
    }
}

/// The texts of these languages. What begins with a hole in some language becomes one for each word that matters there: so
/// that all can be told by their first bytes.
fn texts(languages: &[&'static str]) -> Vec<Text> {
    let mut all = Vec::new();
    let of = |texts: &'static [(&'static str, &'static str)]| {
        let texts = texts.iter().copied();
        texts.filter(|(of, _)| is_of(of, languages))
    };
    for row in MESSAGES {
        let mut with = |of, text: &str, word: &str, english: &str| {
            all.push(Text {
                english: row.english.replacen("%s", english, 1).into(),
                of,
                text: text.replacen("%s", word, 1).into(),
                is_head: false,
            });
        };
        if row.english.starts_with("%s (PID") {
            for process in WORDS.iter().filter(|word| is_process(word.english)) {
                for (of, text) in of(row.texts) {
                    let is_mine = |word: &&(&'static str, _)| {
                        language_of(word.0).any(|one| is_of(of, &[one]))
                    };
                    let words = process.texts.iter().filter(is_mine);
                    for word in words.map(|(_, word)| *word).chain([process.english]) {
                        with(of, text, word, process.english);
                    }
                }
            }
        } else if row.english == "starting %s" {
            for (of, text) in of(row.texts) {
                with(of, text, "PostgreSQL %s", "PostgreSQL %s");
            }
        } else {
            all.extend(of(row.texts).map(|(of, text)| Text {
                english: row.english.into(),
                of,
                text: text.into(),
                is_head: false,
            }));
        }
    }
    for row in AUTHORIZED {
        all.extend(of(row.texts).map(|(of, text)| Text {
            english: row.english.into(),
            of,
            text: text.into(),
            is_head: true,
        }));
    }
    all
}

fn is_process(english: &str) -> bool {
    matches!(
        english,
        "server process" | "client backend" | "dead-end client backend" | "walsender"
    )
}

/// The arguments of a message that are words: what encrypts the connection, whether it does.
fn words_of(english: &str) -> Vec<usize> {
    let holes = english.matches('%').count();
    if english.contains("pg_hba.conf") && english.ends_with(", %s") {
        vec![holes - 1]
    } else if english.starts_with(" GSS (") {
        vec![0, 1, 2]
    } else {
        Vec::new()
    }
}

/// A text in each encoding in which it begins with these bytes, with the English one.
pub(super) fn phrases(
    english: &str,
    of: &'static str,
    text: &str,
    first: &[u8],
    may_be_torn: bool,
) -> impl Iterator<Item = Phrase> {
    let english = English::of(english).map(Arc::new);
    let formats = english
        .is_some()
        .then(|| formats(of, text, first, may_be_torn));
    let formats = formats.into_iter().flatten();
    formats
        .zip(english.into_iter().cycle())
        .map(|(format, english)| Phrase { format, english })
}

impl English {
    fn of(text: &str) -> Option<English> {
        let format = Format::parse(text, |text| Some(text.into()))?;
        let mut message = Vec::new();
        format.write(|_| b"7", &mut message);
        let rows = crate::message::rows_fitting(&message);
        let severities = rows.map(|row| row.severity).collect();
        let words = words_of(text);
        Some(English {
            format,
            severities,
            words,
        })
    }
}

/// A text as formats, in each encoding in which it begins with these bytes.
fn formats(of: &'static str, text: &str, first: &[u8], may_be_torn: bool) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    if text.as_bytes().starts_with(first) {
        formats.extend(Format::parse(text, |text| Some(text.into())));
    }
    if text.is_ascii() {
        return formats;
    }
    for encoder in Encoder::of(of).filter(|encoder| encoder.may_begin(first, text)) {
        let format = Format::parse(text, |text| {
            let encoded = encoder.encode(text)?;
            (may_be_torn || !encoded.is_torn).then_some(encoded.bytes)
        });
        let is_new = |format: &Format| {
            let mut others = formats.iter();
            others.all(|other| other.literals != format.literals)
        };
        formats.extend(format.filter(is_new));
    }
    formats
}
