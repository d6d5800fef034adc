//! What is around a log, told by its head.

use super::idents::Idents;
use super::json::Objects;
use super::parts::{self, Numbers};
use super::reader::Reader;
use super::stamp::{Day, Years};
use super::survey::is_labelled;
use super::{Entry, Kind, Layer, Piece, line, shape, table};
use crate::format;

/// Lines or objects by which an envelope is told.
const FRAMES_TOLD: usize = 400;

impl Layer {
    /// The envelope that most lines, objects or entries of a sample have.
    pub(super) fn of(sample: &[u8], end: Day) -> Option<Layer> {
        let sample = sample.strip_prefix(format::BOM).unwrap_or(sample);
        let table = table::kind_of(sample);
        let (table_kind, columns) = match table {
            Some((kind, columns)) => (Some(kind), columns),
            None => (None, Vec::new()),
        };
        let kind = match sample.trim_ascii_start() {
            _ if table_kind.is_some() => table_kind,
            [b'{', ..] => object_kind(sample),
            // PostgreSQL's own prefixes may begin with a bracket, but no brace follows.
            [b'[', rest @ ..] if rest.trim_ascii_start().first() == Some(&b'{') => {
                object_kind(sample)
            }
            text if text.starts_with(b"__CURSOR=")
                || text.starts_with(b"__REALTIME_TIMESTAMP=") =>
            {
                Some(Kind::Export)
            }
            _ => line_kind(sample, end),
        }?;
        let mut layer = Layer {
            kind,
            numbers: Numbers::None,
            is_counted: line::octets(sample).is_some(),
            columns,
            idents: Idents::default(),
            server: Vec::new(),
        };
        layer.learn(sample, end);
        Some(layer)
    }

    /// Learns which programs are servers, and how their messages are numbered.
    fn learn(&mut self, sample: &[u8], end: Day) {
        let mut reader = Reader::new(self, end);
        let may_number = matches!(
            self.kind,
            Kind::Syslog | Kind::Heroku | Kind::Journal | Kind::Export
        );
        let mut counts = Counts::default();
        let mut entry = Entry::default();
        let mut see = |entry: &mut Entry, _: &[u8]| {
            if may_number {
                counts.see(entry);
            }
            if self.server.is_empty() && is_labelled(entry) {
                self.server.clone_from(&entry.server);
            }
        };
        reader.feed(sample, &mut entry, &mut see);
        reader.finish(&mut entry, &mut see);
        self.numbers = counts.numbers();
        self.idents = reader.idents().clone();
    }
}

/// How the messages of a sample are numbered.
#[derive(Default)]
struct Counts {
    messages: usize,
    both: usize,
    /// `[n] ` with a severity, where `n` is more than 1: no further chunk of a record has one.
    records: usize,
    /// `[n] ` where `n` is the process: a `log_line_prefix` of `[%p] `.
    pids: usize,
    single: usize,
}

impl Counts {
    fn see(&mut self, entry: &Entry) {
        if entry.piece != Piece::Message {
            return;
        }
        self.messages += 1;
        match parts::numbers(&entry.text) {
            Some((_, Some(_), _)) => self.both += 1,
            Some((number, None, _)) => {
                self.single += 1;
                self.pids += usize::from(Some(number) == entry.pid);
                self.records += usize::from(number > 1 && has_severity(&entry.text));
            }
            None => {}
        }
    }

    fn numbers(&self) -> Numbers {
        let most = |n: usize| n * 10 > self.messages * 8;
        if most(self.both) {
            Numbers::Both
        } else if !most(self.single) || most(self.pids) {
            Numbers::None
        } else if self.records * 10 > self.messages {
            Numbers::Record
        } else {
            Numbers::Chunk
        }
    }
}

/// Whether the first label of a text is none of the English ones that are no severity; where messages are translated, most
/// labels are severities all the same.
fn has_severity(text: &[u8]) -> bool {
    let label = memchr::memmem::find(text, b":  ").map(|at| &text[..at]);
    label.is_some_and(|label| !parts::FURTHER.iter().any(|word| label.ends_with(word)))
}

/// The envelope of most objects.
fn object_kind(sample: &[u8]) -> Option<Kind> {
    let mut objects = Objects::default();
    let mut told = Told::default();
    objects.feed(sample, |header, object| {
        if told.frames < FRAMES_TOLD {
            told.see(shape::kind_of(header, object));
        }
    });
    told.most()
}

/// The envelope of most lines, where half of them have one. Of a log of many programs it is enough that a server is
/// among them.
fn line_kind(sample: &[u8], end: Day) -> Option<Kind> {
    let mut told = Told::default();
    let mut years = Years::before(end);
    let mut others = 0;
    for text in format::lines(sample) {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        match line::kind_of(text, &mut years) {
            None if line::is_syslog(text, &mut years) => others += 1,
            kind => told.see(kind),
        }
        // A log that has no envelope shows it soon; one of many programs may have the server far down.
        if told.frames >= FRAMES_TOLD && (told.most().is_some() || others == 0) {
            break;
        }
    }
    told.most()
}

/// Votes.
#[derive(Default)]
struct Told {
    frames: usize,
    kinds: Vec<(Kind, usize)>,
}

impl Told {
    fn see(&mut self, kind: Option<Kind>) {
        self.frames += 1;
        let Some(kind) = kind else {
            return;
        };
        match self.kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.kinds.push((kind, 1)),
        }
    }

    fn most(&self) -> Option<Kind> {
        let (kind, count) = self.kinds.iter().max_by_key(|(_, count)| *count)?;
        let (count, frames) = (*count, self.frames);
        let is_enough = match kind {
            // Nearly every line has it. Of a log whose prefix looks like it (`%-8u | `) further lines do not.
            Kind::Compose => count * 10 >= frames * 9,
            Kind::Cri | Kind::Pods => count * 2 >= frames,
            kind if kind.is_json() => count * 2 >= frames,
            // A server's message over several lines may have one header.
            _ => count * 4 >= frames,
        };
        is_enough.then_some(*kind)
    }
}
