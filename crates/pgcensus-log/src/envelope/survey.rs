//! Who wrote into a log, and dealing it out by server.

use std::cmp::Ordering;

use super::reader::Reader;
use super::stamp::Stamp;
use super::{Entry, Envelope, Kind, Piece, Unwrapper};

impl Envelope {
    /// Finds out who wrote into a log, see [`Survey`].
    pub fn survey(&self) -> Survey {
        Survey {
            entries: self.entries(),
            servers: Vec::new(),
            course: Course::of(self.layer(self.telling()).kind),
        }
    }

    /// Deals a log out by server, see [`Split`].
    pub fn split(&self) -> Split {
        Split {
            entries: self.entries(),
        }
    }

    /// The same where the layer that names servers is known to tell of one only: the next one inside that names some may tell of
    /// several. `None`: no further layer names any.
    pub fn within(&self) -> Option<Envelope> {
        let mut within = self.clone();
        within.told = self.telling() + 1;
        let is_named = |n| !self.layer(n).server.is_empty();
        let mut further = within.told..=self.outer.len();
        further.any(is_named).then_some(within)
    }

    /// This is around what was dealt out of `whole`: says so in its name.
    pub fn set_whole(&mut self, whole: &Envelope) {
        let layers = whole.layers().take(whole.telling());
        let kinds = layers.map(|layer| layer.kind);
        self.taken_off = whole.taken_off.iter().copied().chain(kinds).collect();
    }

    /// Whether its text is that of this server, as far as the layer that [tells servers apart](Envelope::survey) names it.
    pub fn is_of(&self, server: &[u8]) -> bool {
        self.layer(self.telling()).server == server
    }

    /// The entries by which servers are told.
    fn entries(&self) -> Entries {
        let telling = self.telling();
        Entries {
            outside: self.unwrapper_of_outer(telling),
            text: Vec::new(),
            reader: Reader::new(self.layer(telling), self.end),
            entry: Entry::default(),
        }
    }

    /// The layer that tells servers apart: the outermost that names one, else the outermost, counted from the outside.
    fn telling(&self) -> usize {
        let mut layers = self.layers().skip(self.told);
        layers
            .position(|layer| !layer.server.is_empty())
            .map_or(0, |n| n + self.told)
    }
}

/// The entries of one layer of an envelope, with what is around that undone.
#[derive(Debug)]
struct Entries {
    outside: Option<Unwrapper>,
    text: Vec<u8>,
    reader: Reader,
    entry: Entry,
}

impl Entries {
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&Entry, &[u8])) {
        let bytes = match &mut self.outside {
            Some(outside) => {
                self.text.clear();
                outside.feed(bytes, &mut self.text);
                &self.text
            }
            None => bytes,
        };
        self.reader.feed(bytes, &mut self.entry, |entry, frame| {
            each(entry, frame);
        });
    }

    fn finish(&mut self, mut each: impl FnMut(&Entry, &[u8])) {
        if let Some(outside) = &mut self.outside {
            self.text.clear();
            outside.finish(&mut self.text);
            self.reader
                .feed(&self.text, &mut self.entry, |entry, frame| {
                    each(entry, frame);
                });
        }
        self.reader.finish(&mut self.entry, |entry, frame| {
            each(entry, frame);
        });
    }
}

/// Who wrote into a log, and in which order it is.
#[derive(Debug)]
pub struct Survey {
    entries: Entries,
    servers: Vec<Seen>,
    course: Option<Course>,
}

/// In which order the entries of an export come.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// The stamp before, and how often the next one was earlier and later.
    before: Option<i64>,
    earlier: usize,
    later: usize,
}

impl Course {
    /// `None`: what is written as it happens never comes newest first.
    pub(super) fn of(kind: Kind) -> Option<Course> {
        kind.is_json().then(Course::default)
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        let Some(now) = entry.stamp.map(Stamp::instant_ms) else {
            return;
        };
        match self.before.map(|before| now.cmp(&before)) {
            Some(Ordering::Less) => self.earlier += 1,
            Some(Ordering::Greater) => self.later += 1,
            _ => {}
        }
        self.before = Some(now);
    }

    pub(super) fn is_descending(&self) -> bool {
        self.earlier > 4 * self.later
    }
}

/// A server that was seen.
#[derive(Debug)]
struct Seen {
    name: Vec<u8>,
    /// One of its lines has a label: it is a server of PostgreSQL.
    has_label: bool,
}

/// So many servers of one file are kept apart.
pub const SERVERS_MAX: usize = 256;

impl Survey {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Survey {
            entries,
            servers,
            course,
        } = self;
        entries.feed(bytes, |entry, _| {
            if let Some(course) = course {
                course.take(entry);
            }
            if entry.piece == Piece::Rest {
                return;
            }
            let known = servers.iter().position(|seen| seen.name == entry.server);
            let place = match known {
                Some(place) => place,
                None if servers.len() <= SERVERS_MAX => {
                    servers.push(Seen {
                        name: entry.server.clone(),
                        has_label: false,
                    });
                    servers.len() - 1
                }
                None => return,
            };
            let seen = &mut servers[place];
            seen.has_label = seen.has_label || is_labelled(entry);
        });
    }

    /// The names of the servers that were seen, in the order in which they came; an empty one where lines name none.
    pub fn servers(&self) -> impl Iterator<Item = &[u8]> {
        let labelled = self.servers.iter().filter(|seen| seen.has_label);
        labelled.map(|seen| &*seen.name)
    }

    /// The names of all who wrote into it, if each is a server of PostgreSQL for sure.
    pub fn only_servers(&self) -> Option<Vec<&[u8]>> {
        let names = self.servers.iter();
        { names }
            .map(|seen| seen.has_label.then_some(&*seen.name))
            .collect()
    }

    /// Several servers were seen.
    pub fn is_mixed(&self) -> bool {
        self.servers().nth(1).is_some()
    }

    /// A server was seen that is named.
    pub fn names_servers(&self) -> bool {
        self.servers().any(|name| !name.is_empty())
    }

    /// Entries come newest first, as some exports are ordered.
    pub fn is_descending(&self) -> bool {
        self.course.as_ref().is_some_and(Course::is_descending)
    }
}

/// Whether an entry shows that its writer is a server of PostgreSQL: by a label, by the severity of csvlog, or because it
/// is an object itself.
pub(super) fn is_labelled(entry: &Entry) -> bool {
    // A word of any language, in capitals where it has them.
    let is_word = |b: &u8| b.is_ascii_uppercase() || matches!(b, b' ' | b')' | 0x80..);
    let has_label = || {
        let text = &entry.text;
        let mut ends =
            memchr::memchr_iter(b':', text).filter(|&end| text[end..].starts_with(b":  "));
        ends.any(|end| text[..end].last().is_some_and(is_word))
    };
    let has_severity = || memchr::memmem::find(&entry.text, b",LOG,00000,").is_some();
    has_label() || has_severity() || entry.text.starts_with(b"{\"")
}

/// Deals out the entries of a log, each with its envelope.
#[derive(Debug)]
pub struct Split {
    entries: Entries,
}

/// A frame that holds an entry, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Part<'f> {
    /// The server's name; empty where none is named.
    pub server: &'f [u8],
    /// A line without its end, an object, or an entry of the journal with the empty line behind it.
    pub frame: &'f [u8],
    entry: &'f Entry,
}

impl<'f> Part<'f> {
    fn new(entry: &'f Entry, frame: &'f [u8]) -> Part<'f> {
        Part {
            server: &entry.server,
            frame,
            entry,
        }
    }

    /// It shows that its writer is a server of PostgreSQL.
    pub fn is_labelled(&self) -> bool {
        is_labelled(self.entry)
    }
}

impl Split {
    /// Takes the next bytes; calls `each` with every part.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Part<'_>)) {
        self.entries.feed(bytes, |entry, frame| {
            each(Part::new(entry, frame));
        });
    }

    /// What is left at the end.
    pub fn finish(&mut self, mut each: impl FnMut(Part<'_>)) {
        self.entries.finish(|entry, frame| {
            each(Part::new(entry, frame));
        });
    }
}
