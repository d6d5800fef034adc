//! Messages of the languages of a file, told by their first bytes, and their English text.

use std::collections::HashMap;

use memchr::memmem::{self, Finder};

use super::encoding::Encoder;
use super::format::Format;
use super::table::{AUTHORIZED, MESSAGES, PIECES, WORDS};
use super::{Row, language_of, variants};
use crate::record::Severity;

/// Ways to read one line of an authorized connection that are tried.
const READINGS_MAX: usize = 16;

/// Messages of a session's life have enough of their own around lost letters to be told by.
const LIFE: [&str; 3] = ["connection ", "disconnection: ", "replication connection "];

/// What stands before a message in its record: names that are in it too, as they are written there.
#[derive(Clone, Copy)]
pub(super) struct Before<'b> {
    pub(super) text: &'b [u8],
    /// Where it is known.
    pub(super) severity: Option<Severity>,
    /// How a name is written there.
    pub(super) escape: fn(&[u8], &mut Vec<u8>),
}

/// All messages.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    by_head: HashMap<[u8; 4], Vec<Text>>,
    /// Those that begin with a hole or nearly so.
    short: Vec<Text>,
    phrases: Vec<Phrase>,
    english: Vec<English>,
    authorized: Authorized,
    words: HashMap<Vec<u8>, &'static str>,
}

#[derive(Clone, Debug)]
struct English {
    format: Format,
    /// Of the rows that it is in the table of messages: one text may be two messages of different severities.
    severities: Vec<Severity>,
}

impl English {
    fn of(text: &str) -> Option<English> {
        let format = Format::parse(text, |text| Some(text.into()))?;
        let mut message = Vec::new();
        format.write(|_| b"7", &mut message);
        let rows = crate::message::rows_fitting(&message);
        let severities = rows.map(|row| row.severity).collect();
        Some(English { format, severities })
    }
}

#[derive(Clone, Copy, Debug)]
enum Text {
    /// By its number.
    Phrase(usize),
    /// The head of a line of an authorized connection, by its number.
    Authorized(usize),
}

#[derive(Clone, Debug)]
struct Phrase {
    format: Format,
    english: usize,
    /// The arguments that are words to be translated.
    words: Vec<usize>,
}

/// A message that fits a phrase.
struct Reading<'r> {
    phrase: &'r Phrase,
    holes: Vec<&'r [u8]>,
}

/// The pieces of the line of an authorized connection.
#[derive(Clone, Debug, Default)]
struct Authorized {
    heads: Vec<Head>,
    databases: Vec<Keyword>,
    applications: Vec<Keyword>,
    /// TLS and GSS.
    groups: Vec<Phrase>,
}

/// What stands before a database or an application name.
#[derive(Clone, Debug)]
struct Keyword {
    text: Finder<'static>,
    /// Empty for English, in which stands what a language lacks.
    languages: &'static str,
}

#[derive(Clone, Debug)]
struct Head {
    text: Vec<u8>,
    languages: Vec<&'static str>,
    /// Of a client, of a walsender: one text may be both.
    is_client: bool,
    is_walsender: bool,
}

impl Messages {
    /// The messages of these languages.
    pub(super) fn of(languages: &[&'static str], encoders: &[Encoder]) -> Messages {
        let mut messages = Messages {
            by_head: HashMap::new(),
            short: Vec::new(),
            phrases: Vec::new(),
            english: Vec::new(),
            authorized: Authorized::default(),
            words: HashMap::new(),
        };
        for row in WORDS {
            for_each(row, languages, encoders, |_, text| {
                messages.words.insert(text, row.english);
            });
        }
        for row in expanded() {
            messages.add(&row, languages, encoders);
        }
        for row in AUTHORIZED {
            let is_client = row.english.starts_with("connection");
            for_each(row, languages, encoders, |of, text| {
                let head = text.strip_suffix(b"%s").unwrap_or(&text);
                messages.add_head(head, of, is_client);
            });
        }
        for row in PIECES {
            messages.add_piece(row, languages, encoders);
        }
        messages.sort();
        messages
    }

    fn add(&mut self, row: &Expanded, languages: &[&'static str], encoders: &[Encoder]) {
        let Some(english) = English::of(&row.english) else {
            return;
        };
        let number = self.english.len();
        self.english.push(english);
        let is_life = LIFE.iter().any(|life| row.english.starts_with(life));
        for (of, text) in &row.texts {
            for format in formats(of, languages, text, encoders, is_life) {
                let text = Text::Phrase(self.phrases.len());
                self.index(format.head(), text);
                self.phrases.push(Phrase {
                    format,
                    english: number,
                    words: words_of(&row.english),
                });
            }
        }
    }

    fn add_head(&mut self, text: &[u8], of: &'static str, is_client: bool) {
        let heads = &mut self.authorized.heads;
        if let Some(head) = heads.iter_mut().find(|head| head.text == text) {
            head.is_client |= is_client;
            head.is_walsender |= !is_client;
            head.languages.extend(language_of(of));
            return;
        }
        heads.push(Head {
            text: text.to_vec(),
            languages: language_of(of).collect(),
            is_client,
            is_walsender: !is_client,
        });
        let number = Text::Authorized(heads.len() - 1);
        self.index(text, number);
    }

    fn add_piece(&mut self, row: &Row, languages: &[&'static str], encoders: &[Encoder]) {
        let names = match row.english {
            " database=%s" => &mut self.authorized.databases,
            " application_name=%s" => &mut self.authorized.applications,
            _ => {
                let Some(english) = English::of(row.english) else {
                    return;
                };
                let number = self.english.len();
                self.english.push(english.clone());
                let translated = row
                    .texts
                    .iter()
                    .flat_map(|(of, text)| formats(of, languages, text, encoders, true));
                for format in translated.chain([english.format]) {
                    self.authorized.groups.push(Phrase {
                        format,
                        english: number,
                        words: words_of(row.english),
                    });
                }
                return;
            }
        };
        let mut add = |of, text: &[u8]| {
            let name = text.strip_suffix(b"%s").unwrap_or(text);
            names.push(Keyword {
                text: Finder::new(name).into_owned(),
                languages: of,
            });
        };
        add("", row.english.as_bytes());
        for_each(row, languages, encoders, |of, text| add(of, &text));
    }

    fn index(&mut self, head: &[u8], text: Text) {
        match head.first_chunk() {
            Some(first) => self.by_head.entry(*first).or_default().push(text),
            None => self.short.push(text),
        }
    }

    /// What says most comes first: exact texts before open ones.
    fn sort(&mut self) {
        let len = |text: &Text| match *text {
            Text::Phrase(number) => self.phrases[number].format.literal_len(),
            Text::Authorized(number) => self.authorized.heads[number].text.len(),
        };
        for texts in self.by_head.values_mut().chain([&mut self.short]) {
            texts.sort_by_key(|text| usize::MAX - len(text));
        }
        let groups = &mut self.authorized.groups;
        groups.sort_by_key(|group| usize::MAX - group.format.literal_len());
    }

    /// It may be one of them, as far as its first bytes tell.
    pub(super) fn may_be(&self, message: &[u8]) -> bool {
        let by_head = message
            .first_chunk()
            .is_some_and(|first| self.by_head.contains_key(first));
        by_head
            || self
                .short
                .iter()
                .any(|text| message.starts_with(self.head(*text)))
    }

    /// The fixed text that one begins with.
    fn head(&self, text: Text) -> &[u8] {
        match text {
            Text::Phrase(number) => self.phrases[number].format.head(),
            Text::Authorized(number) => &self.authorized.heads[number].text,
        }
    }

    /// The English text of a whole message, if it is one of them and another text than that.
    pub(super) fn english(&self, message: &[u8], before: Before<'_>) -> Option<Vec<u8>> {
        let by_head = message
            .first_chunk()
            .and_then(|first| self.by_head.get(first));
        let texts = by_head.into_iter().flatten().chain(&self.short);
        // Several may fit, since names hold anything and translators are free: then what is before the message tells.
        let score = |reading: &Reading<'_>| {
            let severities = &self.english[reading.phrase.english].severities;
            let fits = before
                .severity
                .is_none_or(|severity| severities.contains(&severity));
            (fits, before.names(&reading.holes))
        };
        let mut best: Option<(Reading<'_>, Option<(bool, usize)>)> = None;
        for text in texts {
            let reading = match *text {
                Text::Phrase(number) => {
                    let phrase = &self.phrases[number];
                    let holes = phrase.format.read(message, &|holes| before.names(holes));
                    holes.map(|holes| Reading { phrase, holes })
                }
                Text::Authorized(number) if best.is_none() => {
                    let head = &self.authorized.heads[number];
                    let Some(rest) = message.strip_prefix(&head.text[..]) else {
                        continue;
                    };
                    let english = self.authorized(head, rest, before);
                    return (english != message).then_some(english);
                }
                Text::Authorized(_) => None,
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
        best.map(|(reading, _)| self.write(&reading, message.len()))
    }

    fn write(&self, reading: &Reading<'_>, len: usize) -> Vec<u8> {
        let Reading { phrase, holes } = reading;
        let value = |argument: usize| {
            let mut of = phrase.format.holes.iter();
            let at = of.position(|hole| hole.argument == argument);
            let value = at.map_or(&b""[..], |at| holes[at]);
            match self.words.get(value) {
                Some(word) if phrase.words.contains(&argument) => word.as_bytes(),
                _ => value,
            }
        };
        let mut english = Vec::with_capacity(len + 64);
        self.english[phrase.english]
            .format
            .write(value, &mut english);
        english
    }

    /// `app Datenbank=shop application_name=web SSL an (…)` behind its head.
    fn authorized(&self, head: &Head, mut rest: &[u8], before: Before<'_>) -> Vec<u8> {
        let mut groups = Vec::new();
        while let Some((start, english)) = self.group(rest, before) {
            groups.push(english);
            rest = &rest[..start];
            if groups.len() == 2 {
                break;
            }
        }
        let (user, database, application_name) = self.names(rest, head, before);
        let is_client = head.is_client && (database.is_some() || !head.is_walsender);
        let mut english = Vec::with_capacity(rest.len() + 128);
        if !is_client {
            english.extend_from_slice(b"replication ");
        }
        english.extend_from_slice(b"connection authorized: user=");
        english.extend_from_slice(user);
        if let Some(database) = database {
            english.extend_from_slice(b" database=");
            english.extend_from_slice(database);
        }
        if let Some(application_name) = application_name {
            english.extend_from_slice(b" application_name=");
            english.extend_from_slice(application_name);
        }
        for group in groups.iter().rev() {
            english.extend_from_slice(group);
        }
        english
    }

    /// ` SSL an (…)` or ` GSS (…)` at the end: where it begins, and its English text.
    fn group(&self, rest: &[u8], before: Before<'_>) -> Option<(usize, Vec<u8>)> {
        self.authorized.groups.iter().find_map(|group| {
            let last = group.format.literals.last()?;
            if !rest.ends_with(last) {
                return None;
            }
            let start = memmem::rfind(rest, group.format.head())?;
            let group_text = &rest[start..];
            let holes = group
                .format
                .read(group_text, &|holes| before.names(holes))?;
            let phrase = group;
            let english = self.write(&Reading { phrase, holes }, group_text.len());
            Some((start, english))
        })
    }

    /// User, database and application name. The first keywords separate them, unless names before the message say
    /// otherwise.
    fn names<'m>(
        &self,
        rest: &'m [u8],
        head: &Head,
        before: Before<'_>,
    ) -> (&'m [u8], Option<&'m [u8]>, Option<&'m [u8]>) {
        let mut best = None;
        let mut splits = Vec::new();
        if head.is_client {
            splits = occurrences(rest, &self.authorized.databases, head);
        }
        splits.truncate(READINGS_MAX);
        if splits.is_empty() || head.is_walsender {
            splits.push((rest.len(), rest.len()));
        }
        let is_one = splits.len() == 1;
        for (user_end, database_start) in splits {
            let has_database = database_start > user_end;
            let tail_start = if has_database { database_start } else { 0 };
            let tail = &rest[tail_start..];
            let mut ends = occurrences(tail, &self.authorized.applications, head);
            ends.push((tail.len(), tail.len()));
            let is_one = is_one && ends.len() <= 2;
            for (end, start) in ends.into_iter().take(READINGS_MAX) {
                let application_name = (start > end).then(|| &tail[start..]);
                let name = &tail[..end];
                let (user, database) = if has_database {
                    (&rest[..user_end], Some(name))
                } else {
                    (name, None)
                };
                let reading = (user, database, application_name);
                if is_one {
                    return reading;
                }
                let names = [user, database.unwrap_or_default()];
                let score = before.names(&names);
                if best.as_ref().is_none_or(|(_, most)| score > *most) {
                    best = Some((reading, score));
                }
            }
        }
        best.map_or((rest, None, None), |(reading, _)| reading)
    }
}

impl Before<'_> {
    /// How many bytes of these names stand there.
    fn names(self, names: &[&[u8]]) -> usize {
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

/// Where each keyword of the languages of a head begins and ends, in their order.
fn occurrences(text: &[u8], keywords: &[Keyword], head: &Head) -> Vec<(usize, usize)> {
    let is_of = |keyword: &&Keyword| {
        let mut of = language_of(keyword.languages);
        keyword.languages.is_empty() || of.any(|one| head.languages.contains(&one))
    };
    let mut found: Vec<_> = keywords
        .iter()
        .filter(is_of)
        .flat_map(|keyword| {
            let len = keyword.text.needle().len();
            let places = keyword.text.find_iter(text).take(READINGS_MAX);
            places.map(move |at| (at, at + len))
        })
        .collect();
    // Of two that begin or end alike the longer one.
    found.sort_by_key(|&(start, end)| (start, usize::MAX - end));
    found.dedup_by(|later, earlier| later.1 == earlier.1 || later.0 == earlier.0);
    found
}

/// A row whose first hole may have become a word.
struct Expanded {
    english: String,
    texts: Vec<(&'static str, String)>,
}

/// The rows, those that begin with a hole in some language for each word that matters there: so that all can be told by
/// their first bytes.
fn expanded() -> Vec<Expanded> {
    let mut rows = Vec::new();
    for row in MESSAGES {
        let with = |word: &dyn Fn(&str) -> Vec<String>, english: &str| Expanded {
            english: row.english.replacen("%s", english, 1),
            texts: row
                .texts
                .iter()
                .flat_map(|(of, text)| {
                    let words = language_of(of).flat_map(word).collect::<Vec<_>>();
                    words
                        .into_iter()
                        .map(|word| (*of, text.replacen("%s", &word, 1)))
                })
                .collect(),
        };
        if row.english.starts_with("%s (PID") {
            for process in WORDS.iter().filter(|word| is_process(word.english)) {
                let words = |language: &str| {
                    let of_language = |of: &'static str| language_of(of).any(|one| one == language);
                    let translated = process.texts.iter().filter(|(of, _)| of_language(of));
                    let translated = translated.map(|(_, text)| (*text).to_owned());
                    translated.chain([process.english.to_owned()]).collect()
                };
                rows.push(with(&words, process.english));
            }
        } else if row.english == "starting %s" {
            rows.push(with(&|_| vec!["PostgreSQL %s".to_owned()], "PostgreSQL %s"));
        } else {
            rows.push(Expanded {
                english: row.english.to_owned(),
                texts: row
                    .texts
                    .iter()
                    .map(|(of, text)| (*of, (*text).to_owned()))
                    .collect(),
            });
        }
    }
    rows
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

/// A text as formats, in each encoding.
fn formats(
    of: &'static str,
    languages: &[&'static str],
    text: &str,
    encoders: &[Encoder],
    may_be_torn: bool,
) -> Vec<Format> {
    if !language_of(of).any(|language| languages.contains(&language)) {
        return Vec::new();
    }
    let mut formats: Vec<Format> = Vec::new();
    formats.extend(Format::parse(text, |text| Some(text.into())));
    if text.is_ascii() {
        return formats;
    }
    for encoder in encoders {
        if !language_of(of).any(|language| encoder.is_for(language)) {
            continue;
        }
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

/// The texts of a row in each encoding, with the languages that they are of.
fn for_each(
    row: &Row,
    languages: &[&'static str],
    encoders: &[Encoder],
    mut then: impl FnMut(&'static str, Vec<u8>),
) {
    for (of, text) in row.texts {
        for encoded in variants(of, languages, text, encoders) {
            then(of, encoded.bytes);
        }
    }
}
