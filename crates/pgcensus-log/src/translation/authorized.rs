//! The line of an authorized connection, which the server puts together of pieces that are translated one by one.
//!
//! ```text
//! Verbindung autorisiert: Benutzer=app Datenbank=shop application_name=web SSL an (Protokoll=TLSv1.3, …)
//! └ head                  └ user       └ keyword      └ keyword           └ group
//! ```

use memchr::memmem::{Finder, FinderRev};

use super::messages::{Before, Phrase, Words, phrases};
use super::table::PIECES;
use super::{is_of, language_of, variants};

/// Ways to read one line that are tried.
const READINGS_MAX: usize = 16;

/// What such a line begins with.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) text: Vec<u8>,
    pub(super) languages: Vec<&'static str>,
    /// Of a client, of a walsender: one text may be both.
    pub(super) is_client: bool,
    pub(super) is_walsender: bool,
}

/// The pieces behind a head.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    databases: Vec<Keyword>,
    applications: Vec<Keyword>,
    /// TLS and GSS.
    groups: Vec<Group>,
}

/// What stands before a database or an application name.
#[derive(Debug)]
struct Keyword {
    text: Finder<'static>,
    /// Empty for English, in which stands what a language lacks.
    languages: &'static str,
}

#[derive(Debug)]
struct Group {
    head: FinderRev<'static>,
    phrase: Phrase,
}

impl Pieces {
    /// Those of these languages, and the English ones.
    pub(super) fn of(languages: &[&'static str]) -> Pieces {
        let mut pieces = Pieces::default();
        for row in PIECES {
            let texts = row.texts.iter().copied();
            let texts = texts.filter(|(of, _)| is_of(of, languages));
            let texts = texts.chain([("", row.english)]);
            let keywords = match row.english {
                " database=%s" => &mut pieces.databases,
                " application_name=%s" => &mut pieces.applications,
                _ => {
                    let phrases =
                        texts.flat_map(|(of, text)| phrases(row.english, of, text, b"", true));
                    pieces.groups.extend(phrases.map(|phrase| Group {
                        head: FinderRev::new(phrase.format.head()).into_owned(),
                        phrase,
                    }));
                    continue;
                }
            };
            for (of, text) in texts {
                let text = text.strip_suffix("%s").unwrap_or(text);
                keywords.extend(variants(of, text).iter().map(|encoded| Keyword {
                    text: Finder::new(&encoded.bytes).into_owned(),
                    languages: of,
                }));
            }
        }
        // What says most comes first.
        let groups = &mut pieces.groups;
        groups.sort_by_key(|group| usize::MAX - group.phrase.format.literal_len());
        pieces
    }

    /// `app Datenbank=shop application_name=web SSL an (…)` behind its head, in English with that.
    pub(super) fn english(
        &self,
        head: &Head,
        mut rest: &[u8],
        before: Before<'_>,
        words: &Words,
    ) -> Vec<u8> {
        let mut groups = Vec::new();
        while let Some((start, english)) = self.group(rest, before, words) {
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
    fn group(&self, rest: &[u8], before: Before<'_>, words: &Words) -> Option<(usize, Vec<u8>)> {
        self.groups.iter().find_map(|Group { head, phrase }| {
            let last = phrase.format.literals.last()?;
            if !rest.ends_with(last) {
                return None;
            }
            let start = head.rfind(rest)?;
            let group = &rest[start..];
            let holes = phrase.format.read(group, &|holes| before.names(holes))?;
            Some((start, phrase.write(&holes, group.len(), words)))
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
            splits = occurrences(rest, &self.databases, head);
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
            let mut ends = occurrences(tail, &self.applications, head);
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
