//! Envelopes: what other programs put around the lines of a server's log, undone before its decoder reads them.
//!
//! ```text
//! bytes ─► frames (lines, objects, journal entries) ─► Entry: server, time, pid, a piece of text ─► Parts ─► the server's text
//! ```
//!
//! An envelope is one more layer between the bytes of a file and its decoder, as compression is: what goes in is what a
//! container runtime, syslog, journald or a cloud wrote; what comes out is stderr text with its continuation lines,
//! csvlog or jsonlog, as if the server had written a file. Layers can lie in one another (CloudNativePG's records in
//! lines of Kubernetes). Which they are is told from the head of a file by [`Envelope::of`]; nothing is configured.
//!
//! Where the text has no time or no process, because syslog knows both and a `log_line_prefix` need not repeat them,
//! they are written before it as `%m [%p] ` would: so all that follows reads one kind of text.
//!
//! Several servers may write into one log. [`Survey`] finds out who is there, [`Envelope::split`] deals the frames out.

mod columns;
mod export;
mod idents;
mod json;
mod line;
mod parts;
mod reader;
mod recognize;
mod shape;
mod stamp;
mod survey;
mod table;

use crate::format::{self, Format, Guess};
use idents::Idents;
use parts::{Added, Numbers, Parts};
use reader::Reader;
use stamp::{Stamp, Years};
use survey::{Course, is_labelled};

pub use stamp::Day;
pub use survey::{Part, SERVERS_MAX, Split, Survey};

/// So many envelopes may lie in one another.
const LAYERS_MAX: usize = 3;
/// Text by which the prefix of what is inside is told.
const INNER_MAX: usize = 64 << 10;

/// A kind of envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// RFC 3164, the same with ISO stamps, RFC 5424; `journalctl -o short` and its like.
    Syslog,
    /// Heroku's logplex.
    Heroku,
    /// Lines of the container runtime interface of Kubernetes.
    Cri,
    /// `docker compose logs`: the container before each line.
    Compose,
    /// `kubectl logs --prefix`: the pod and the container.
    Pods,
    /// A time stamp before the server's own.
    Stamped,
    /// A time stamp and the name of a log stream.
    Stream,
    /// `journalctl -o json`
    Journal,
    /// `journalctl -o export`
    Export,
    /// Docker's json-file, and what has a `log` likewise.
    Docker,
    CloudNativePg,
    CloudLogging,
    CloudWatch,
    Azure,
    Elastic,
    Supabase,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Syslog => "syslog",
            Kind::Heroku => "Heroku",
            Kind::Cri => "Kubernetes CRI",
            Kind::Compose => "Docker Compose",
            Kind::Pods => "kubectl prefixes",
            Kind::Stamped => "time stamps",
            Kind::Stream => "log streams",
            Kind::Journal => "journald JSON",
            Kind::Export => "journald export",
            Kind::Docker => "Docker json-file",
            Kind::CloudNativePg => "CloudNativePG",
            Kind::CloudLogging => "Google Cloud Logging",
            Kind::CloudWatch => "CloudWatch",
            Kind::Azure => "Azure",
            Kind::Elastic => "Elastic",
            Kind::Supabase => "Supabase",
        }
    }

    fn is_json(self) -> bool {
        !matches!(
            self,
            Kind::Syslog
                | Kind::Heroku
                | Kind::Cri
                | Kind::Compose
                | Kind::Pods
                | Kind::Stamped
                | Kind::Stream
                | Kind::Export
        )
    }
}

/// One piece of a server's text, and what its envelope says about it.
#[derive(Debug, Default)]
struct Entry {
    /// Whose it is; empty where nothing says so.
    server: Vec<u8>,
    stamp: Option<Stamp>,
    pid: Option<u32>,
    piece: Piece,
    text: Vec<u8>,
    /// How long the text was before its escapes were undone; 0 where it had none of syslog's.
    raw_len: usize,
}

/// How the text of an entry relates to lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Piece {
    /// A message: one line or several.
    #[default]
    Message,
    /// A physical line, or the end of one, of standard output (0) or standard error (1).
    Line(usize),
    /// The begin or middle of a physical line.
    Part(usize),
    /// A line that goes on the message before it, without an envelope of its own.
    Rest,
}

impl Piece {
    fn of_line(is_whole: bool, is_stderr: bool) -> Piece {
        let stream = usize::from(is_stderr);
        if is_whole {
            Piece::Line(stream)
        } else {
            Piece::Part(stream)
        }
    }
}

impl Entry {
    fn clear(&mut self) {
        self.server.clear();
        self.text.clear();
        self.stamp = None;
        self.pid = None;
        self.piece = Piece::Message;
        self.raw_len = 0;
    }

    /// `db01` and `16-main` are `db01/16-main`.
    fn name_unit(&mut self, unit: &[u8]) {
        if !self.server.is_empty() {
            self.server.push(b'/');
        }
        self.server.extend_from_slice(unit);
    }
}

/// What is around a log, from the outside to the inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// From the outside.
    outer: Vec<Layer>,
    innermost: Layer,
    added: Added,
    end: Day,
    /// So many of the layers, from the outside, are known to be of one server.
    told: usize,
    /// What was around it before it was dealt out.
    taken_off: Vec<Kind>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    kind: Kind,
    numbers: Numbers,
    /// Its lines have their lengths before them.
    is_counted: bool,
    /// The names of its columns, where it is a [table]; else none.
    columns: Vec<Vec<u8>>,
    idents: Idents,
    /// Of the first labelled entry of the sample.
    server: Vec<u8>,
}

impl Envelope {
    /// Tells from the head of a file, 64 KiB to 1 MiB, what is around the log in it. `None`: nothing is.
    ///
    /// `end` is a day near the end of the log, such as that on which the file was last written: stamps of RFC 3164 have
    /// no year.
    pub fn of(sample: &[u8], end: Day) -> Option<Envelope> {
        let mut envelope = Envelope {
            outer: Vec::new(),
            innermost: Layer::of(sample, end)?,
            added: Added::default(),
            end,
            told: 0,
            taken_off: Vec::new(),
        };
        let mut text = envelope.text(sample);
        while envelope.outer.len() + 1 < LAYERS_MAX
            && let Some(layer) = Layer::of(&text, end)
        {
            let outer = std::mem::replace(&mut envelope.innermost, layer);
            envelope.outer.push(outer);
            text = envelope.text(sample);
        }
        let text = &text[..text.len().min(INNER_MAX)];
        // What has columns has a time and a process.
        if let Guess::Log(Format::Stderr(prefix), _) = format::guess(text) {
            let knows_pid = matches!(
                envelope.innermost.kind,
                Kind::Syslog | Kind::Journal | Kind::Export
            );
            envelope.added = Added {
                time: !prefix.has_time(),
                pid: knows_pid && !prefix.has_pid(),
            };
        }
        Some(envelope)
    }

    /// Whether a head in which no envelope is seen may be that of one further on: lines of other programs in syslog.
    pub fn may_come(sample: &[u8], end: Day) -> bool {
        let line = sample.split(|b| *b == b'\n').next().unwrap_or_default();
        line::is_syslog(line, &mut Years::before(end))
    }

    /// The server's text in some bytes from within a file, from where the first whole frame seems to begin.
    pub fn text_within(&self, bytes: &[u8]) -> Vec<u8> {
        let from = match self.outermost().kind {
            Kind::Export => memchr::memmem::find(bytes, b"\n\n").map(|at| at + 2),
            _ => memchr::memchr(b'\n', bytes).map(|at| at + 1),
        };
        from.map_or_else(Vec::new, |from| self.text(&bytes[from..]))
    }

    /// Its name, for people: `Kubernetes CRI, CloudNativePG`.
    pub fn name(&self) -> String {
        let layers = self.layers().map(|layer| layer.kind);
        let kinds = self.taken_off.iter().copied().chain(layers);
        kinds.map(Kind::name).collect::<Vec<_>>().join(", ")
    }

    /// What undoes it.
    pub fn unwrapper(&self) -> Unwrapper {
        let innermost = self.unwrapper_of(&self.innermost, self.added, None);
        self.outer.iter().rev().fold(innermost, |inner, layer| {
            self.unwrapper_of(layer, Added::default(), Some(inner))
        })
    }

    /// What undoes so many of its layers but the innermost, from the outside; `None`: there are none.
    fn unwrapper_of_outer(&self, count: usize) -> Option<Unwrapper> {
        let outer = self.outer.iter().take(count).rev();
        outer.fold(None, |inner, layer| {
            Some(self.unwrapper_of(layer, Added::default(), inner))
        })
    }

    fn unwrapper_of(&self, layer: &Layer, added: Added, inner: Option<Unwrapper>) -> Unwrapper {
        Unwrapper {
            reader: Reader::new(layer, self.end),
            server: layer.server.clone(),
            stranger: None,
            course: Course::of(layer.kind).filter(|_| !layer.server.is_empty()),
            parts: Parts::new(layer.numbers, added),
            inner: inner.map(Box::new),
            unwrapped: Vec::new(),
        }
    }

    /// The server whose log it is, by its first line; where envelopes lie in one another, by the inner one. `None` where
    /// none says so.
    pub fn server(&self) -> Option<&[u8]> {
        let mut servers = self.layers().rev().map(|layer| &*layer.server);
        servers.find(|server| !server.is_empty())
    }

    /// The server's text in some bytes from the begin of a file.
    pub fn text(&self, bytes: &[u8]) -> Vec<u8> {
        let mut unwrapper = self.unwrapper();
        let mut out = Vec::with_capacity(bytes.len());
        unwrapper.feed(bytes, &mut out);
        unwrapper.finish(&mut out);
        out
    }

    fn outermost(&self) -> &Layer {
        self.outer.first().unwrap_or(&self.innermost)
    }

    /// Counted from the outside.
    fn layer(&self, n: usize) -> &Layer {
        self.outer.get(n).unwrap_or(&self.innermost)
    }

    /// From the outside to the inside.
    fn layers(&self) -> impl DoubleEndedIterator<Item = &Layer> {
        self.outer.iter().chain([&self.innermost])
    }
}

/// Undoes an envelope: bytes in, in any pieces; the server's text out.
///
/// It gives the text of one server, that of the head by which the envelope was told. A log of several is
/// [split](Envelope::split) before.
#[derive(Debug)]
pub struct Unwrapper {
    reader: Reader,
    /// Whose lines are wanted; empty where none are named.
    server: Vec<u8>,
    /// Another server of PostgreSQL, of which there were lines.
    stranger: Option<Vec<u8>>,
    /// Where servers are named.
    course: Option<Course>,
    parts: Parts,
    /// What is around the text that this one gives.
    inner: Option<Box<Unwrapper>>,
    /// Text that the inner one is given.
    unwrapped: Vec<u8>,
}

impl Unwrapper {
    /// Takes the next bytes; the text that is whole with them is appended to `out`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut entry = Entry::default();
        let Unwrapper {
            reader,
            server,
            stranger,
            course,
            parts,
            inner,
            unwrapped,
        } = self;
        let text = if inner.is_some() {
            &mut *unwrapped
        } else {
            &mut *out
        };
        reader.feed(bytes, &mut entry, |entry, _| {
            if let Some(course) = course {
                course.take(entry);
            }
            if is_of(entry, server, stranger) {
                parts.take(entry, text);
            }
        });
        if let Some(inner) = inner {
            inner.feed(unwrapped, out);
            unwrapped.clear();
        }
    }

    /// A server whose lines were passed over, because it is another than that of the head.
    pub fn stranger(&self) -> Option<&[u8]> {
        let inner = || self.inner.as_ref()?.stranger();
        self.stranger.as_deref().or_else(inner)
    }

    /// Entries came newest first where servers are named, see [`Survey::is_descending`].
    pub fn is_descending(&self) -> bool {
        let inner = || {
            self.inner
                .as_ref()
                .is_some_and(|inner| inner.is_descending())
        };
        self.course.as_ref().is_some_and(Course::is_descending) || inner()
    }

    /// Nothing has come for a while: appends the records that have been waiting for more. What is torn goes on waiting.
    pub fn settle(&mut self, out: &mut Vec<u8>) {
        match &mut self.inner {
            Some(inner) => {
                self.parts.settle(&mut self.unwrapped);
                inner.feed(&self.unwrapped, out);
                self.unwrapped.clear();
                inner.settle(out);
            }
            None => self.parts.settle(out),
        }
    }

    /// Nothing more comes: appends what has been waiting for more. Where the last line lacks its end, so does the text:
    /// it may be torn.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let mut entry = Entry::default();
        let mut text = Vec::new();
        let (parts, server, stranger) = (&mut self.parts, &self.server, &mut self.stranger);
        self.reader.finish(&mut entry, |entry, _| {
            if is_of(entry, server, stranger) {
                parts.take(entry, &mut text);
            }
        });
        parts.finish(&mut text);
        if self.reader.is_torn() {
            text.pop_if(|last| *last == b'\n');
        }
        match &mut self.inner {
            Some(inner) => {
                inner.feed(&text, out);
                inner.finish(out);
            }
            None => out.append(&mut text),
        }
    }
}

/// Whether an entry is of the server that is wanted. Who else is a server of PostgreSQL is noted.
fn is_of(entry: &Entry, server: &[u8], stranger: &mut Option<Vec<u8>>) -> bool {
    let is_wanted = server.is_empty() || entry.server == server;
    if !is_wanted && stranger.is_none() && entry.piece != Piece::Rest && is_labelled(entry) {
        *stranger = Some(entry.server.clone());
    }
    is_wanted
}
