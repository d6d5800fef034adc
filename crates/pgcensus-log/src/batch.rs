//! A batch: the events of one chunk, in order, their bytes in one arena, so that nothing borrows
//! across threads.

use std::num::NonZeroU32;

use crate::event::{Event, EventKind, RECORD_KEPT_MAX, TextOf};
use crate::line_prefix::Head;
use crate::log_time::LogTime;
use crate::record::{Client, Record, Sqlstate};

mod plain;
mod texts;
mod whole;

pub use whole::Slot;

use plain::Known;
use texts::Texts;
use whole::Whole;

/// Of what cannot be read, this much is kept to be shown.
const EXCERPT_MAX: usize = 200;

/// A text of a batch, by its number. Texts that recur have one number wherever they are met, within bounds: what was
/// found out about one need not be found out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextId(NonZeroU32);

impl Default for TextId {
    fn default() -> Self {
        TextId::EMPTY
    }
}

impl TextId {
    /// The number of the empty text in every batch.
    pub(crate) const EMPTY: TextId = TextId(NonZeroU32::MIN);

    /// Its place in a list of all texts of the batch.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// What the decoder found in one chunk, in order.
#[derive(Debug, Default)]
pub struct Batch {
    texts: Texts,
    /// What was met last, by [`TextOf`].
    last: [TextId; TextOf::Other as usize],
    /// What plain messages say.
    known: Known,
    whole: Whole,
    /// In order of their offsets.
    pub items: Vec<Item>,
    /// Log time of the chunk's first record, whatever it says, and of its last.
    pub log_times: Option<(LogTime<TextId>, LogTime<TextId>)>,
}

/// One item of a batch.
#[derive(Debug, PartialEq)]
pub enum Item {
    /// A record that says something of interest; with a slot, where it is one of a session that has all of its records in this
    /// batch.
    Event(Event<TextId>, Option<Slot>),
    /// A labelled line with a message of interest whose head no known prefix reads: with its record, for
    /// whoever can infer the prefix from several of them.
    Unmatched {
        /// Byte offset of the line in its file.
        offset: u64,
        /// The line and the labelled lines after it.
        record: TextId,
        /// What is wrong with it, if no other prefix reads it.
        why: Why,
    },
    /// A span that should have held an event and could not be read, or was not believed; with its first
    /// bytes, for a message.
    Unreadable(Unreadable, TextId),
}

/// A span that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it begins in its file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Why.
    pub why: Why,
}

/// Why a span could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A csv record with this number of columns, where csvlog has 23, 24 or 26.
    CsvColumns(u16),
    /// A json line that is no object of jsonlog.
    Json,
    /// A line with a message of interest whose head does not match the `log_line_prefix`.
    Prefix,
    /// A message that contradicts its own prefix: forged, or torn.
    Untrusted,
    /// A message of the server's, raised by a client inside a function.
    Raised,
    /// The last record lacks its end.
    Incomplete,
    /// A record longer than the bound, of which not even the head could be read.
    TooLong,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::CsvColumns(n) => write!(f, "{n} fields where csvlog has 23, 24 or 26"),
            Why::Json => f.write_str("a line that is no jsonlog object"),
            Why::Prefix => f.write_str("the line does not begin with the log_line_prefix"),
            Why::Untrusted => f.write_str("not trusted: the message contradicts its own prefix"),
            Why::Raised => f.write_str("not trusted: a client wrote it by RAISE"),
            Why::Incomplete => f.write_str("incomplete: the record is cut off"),
            Why::TooLong => f.write_str("a record longer than 1 MiB without a readable head"),
        }
    }
}

impl Batch {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.last = Default::default();
        self.known.clear();
        self.whole.clear();
        self.items.clear();
        self.log_times = None;
    }

    /// The bytes of a text of this batch.
    pub fn text(&self, id: TextId) -> &[u8] {
        self.texts.get(id)
    }

    /// How many texts it has: all have a smaller [`TextId::index`].
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// An event of this batch with its texts.
    pub fn event(&self, event: &Event<TextId>) -> Event<&[u8]> {
        event.clone().map(&mut |id, _| self.text(id))
    }

    /// A time of this batch with its zone's text.
    pub fn log_time(&self, time: LogTime<TextId>) -> LogTime<&[u8]> {
        time.map(|zone| self.text(zone))
    }

    /// What a message says, where it is plain: the same as [`plain`](crate::message::plain::plain), which is asked once for
    /// all messages that differ in time and port only.
    #[inline(always)]
    pub(crate) fn plain(&mut self, message: &[u8]) -> Option<EventKind<TextId>> {
        let Batch {
            texts, last, known, ..
        } = self;
        known.read(message, texts, last)
    }

    /// Adds a line of which nothing but its time and process and this is known.
    #[inline(always)]
    pub(crate) fn push_plain(&mut self, offset: u64, head: &Head<'_>, kind: EventKind<TextId>) {
        let Batch { texts, last, .. } = self;
        let mut keep = |text: &[u8], of| keep(texts, last, text, of);
        let event = Event {
            offset,
            log_time: head
                .log_time
                .map(|time| time.map(|zone| keep(zone, TextOf::Zone))),
            pid: head.pid,
            session_id: head.session_id,
            user: None,
            database: None,
            application_name: None,
            client: None,
            sqlstate: Some(Sqlstate(*b"00000")),
            backend_type: None,
            message: TextId::EMPTY,
            detail: None,
            record: None,
            kind,
        };
        self.push(Item::Event(event, None));
    }

    /// Adds what a record at `offset`, of these bytes, says, with the SQLSTATE that its text implies.
    pub(crate) fn push_record(
        &mut self,
        offset: u64,
        bytes: &[u8],
        record: &Record<'_>,
        kind: EventKind<&[u8]>,
        sqlstate: Option<Sqlstate>,
    ) {
        let Batch { texts, last, .. } = self;
        let kind = kind.map(&mut |text, of| keep(texts, last, text, of));
        self.push_kind(offset, bytes, record, kind, sqlstate);
    }

    /// The same for what is kept already.
    pub(crate) fn push_kind(
        &mut self,
        offset: u64,
        bytes: &[u8],
        record: &Record<'_>,
        kind: EventKind<TextId>,
        sqlstate: Option<Sqlstate>,
    ) {
        let Batch { texts, last, .. } = self;
        let has_text = matches!(
            kind,
            EventKind::Refused { .. }
                | EventKind::Probe { .. }
                | EventKind::Ending { .. }
                | EventKind::Server(_)
        );
        let mut keep = |text: &[u8], of| keep(texts, last, text, of);
        let event = Event {
            offset,
            log_time: record
                .log_time
                .map(|time| time.map(|zone| keep(zone, TextOf::Zone))),
            pid: record.pid,
            session_id: record.session_id,
            user: record.user.as_ref().map(|user| keep(user, TextOf::User)),
            database: record
                .database
                .as_ref()
                .map(|database| keep(database, TextOf::Database)),
            application_name: record
                .application_name
                .as_ref()
                .map(|name| keep(name, TextOf::ApplicationName)),
            client: record.client.as_ref().map(|client| Client {
                host: keep(&client.host, TextOf::Host),
                port: client.port.as_ref().map(|port| keep(port, TextOf::Other)),
            }),
            sqlstate: record.sqlstate.or(sqlstate),
            backend_type: record.backend_type,
            message: if has_text {
                keep(&record.message, TextOf::Other)
            } else {
                TextId::EMPTY
            },
            detail: record
                .detail
                .as_ref()
                .filter(|_| has_text)
                .map(|detail| keep(detail, TextOf::Other)),
            record: kind.may_refuse().then(|| {
                let kept = &bytes[..bytes.len().min(RECORD_KEPT_MAX)];
                keep(kept.trim_ascii_end(), TextOf::Other)
            }),
            kind,
        };
        self.push(Item::Event(event, None));
    }

    #[inline(always)]
    fn push(&mut self, item: Item) {
        self.items.push(item);
        self.whole.follow(&mut self.items);
    }

    /// Adds a line that no prefix reads.
    pub fn push_unmatched(&mut self, offset: u64, record: &[u8], why: Why) {
        let record = self.texts.keep(record);
        self.push(Item::Unmatched {
            offset,
            record,
            why,
        });
    }

    /// Adds a span that could not be read; of its bytes, the first are kept.
    pub fn push_unreadable(&mut self, offset: u64, bytes: &[u8], why: Why) {
        let excerpt = self.texts.keep(&bytes[..bytes.len().min(EXCERPT_MAX)]);
        self.push(Item::Unreadable(
            Unreadable {
                offset,
                len: bytes.len() as u64,
                why,
            },
            excerpt,
        ));
    }

    /// Keeps the log times of the chunk's first and last record.
    pub fn set_log_times(&mut self, first: LogTime<&[u8]>, last: LogTime<&[u8]>) {
        let mut keep = |time: LogTime<&[u8]>| time.map(|zone| self.texts.find_or_keep(zone));
        self.log_times = Some((keep(first), keep(last)));
    }
}

/// The number of a text; for names and the like that of the same text before, nearly always the last one.
fn keep(
    texts: &mut Texts,
    last: &mut [TextId; TextOf::Other as usize],
    text: &[u8],
    of: TextOf,
) -> TextId {
    match last.get_mut(of as usize) {
        Some(last) => {
            if texts.get(*last) != text {
                *last = texts.find_or_keep(text);
            }
            *last
        }
        None => texts.keep(text),
    }
}
