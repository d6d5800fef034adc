//! The head of a log file: what is looked at to tell how it is written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;

use pgcensus_log::envelope::{Day, Envelope};
use pgcensus_log::line_prefix::{self, Inference};

use super::compressed::{self, MAGIC_MAX, Magic};
use super::enveloped::{self, Order, Unwrapped};
use super::file::{Failed, Stream, lines_end, without_bom};
use super::input::Late;
use super::take::Learned;
use super::tar;
use super::translated::{Languages, Translated};

/// The head of a file that is looked at first.
pub(super) const SAMPLE: usize = 64 << 10;
/// In another language so much of it confirms the prefix of the logs beside it, if that reads each line of it.
const CONFIRMED: usize = 8 << 10;
/// The most of it that is looked at, where less says nothing or tells of no session; of a stream it is held in memory
/// until it is read again.
pub(super) const SAMPLE_MAX: usize = 1 << 20;
/// What is read at a time for that.
const SCAN_STEP: usize = 256 << 10;
/// What such a sample keeps of the head, and how long it may be in all.
const COMPOSED_HEAD: usize = 32 << 10;
const COMPOSED_MAX: usize = 128 << 10;
/// What is kept of a first line.
const FIRST_LINE: usize = 256;
/// So many lines that tell of sessions are enough.
const COMPOSED_LINES: usize = 60;

/// An input that has been begun: decompressed, and what is around its log is known.
pub(super) struct Opened {
    /// What its first bytes say.
    pub(super) magic: Magic,
    pub(super) envelope: Option<Envelope>,
    /// The first bytes, by which the envelope was told.
    pub(super) head: Vec<u8>,
    /// Why reading stopped there, when that was not the end.
    failure: Option<io::Error>,
    rest: Box<dyn Read + Send>,
    /// It is one, compressed or not.
    pub(super) is_tar: bool,
    /// A day near its end.
    pub(super) end: Day,
    /// It was dealt out of another one: its outermost layer tells of one server.
    is_part: bool,
    looked_at: LookedAt,
    /// See [`LogFile::late`](super::file::LogFile::late).
    pub(super) late: Option<Late>,
}

/// Which bytes of an input are looked at.
pub(super) enum LookedAt {
    /// The first ones of what can be read once.
    Stream,
    /// The first ones; the last can be looked at too.
    Begin,
    /// The last ones, since the first say nothing; and its first line.
    End(Vec<u8>),
}

/// Opens something again, from its first byte.
pub(super) type Again<'a> = dyn Fn() -> io::Result<Box<dyn Read + Send>> + 'a;

/// The head of an input, decompressed and without its envelope, and for a stream all that comes.
pub(super) struct Head {
    /// What its first bytes say.
    pub(super) magic: Magic,
    pub(super) envelope: Option<Envelope>,
    /// The languages of its messages.
    pub(super) translated: Option<Translated>,
    /// The first decompressed bytes, byte order mark included, in English, of which there may be less; where these tell of no
    /// session, lines from further on follow a shorter head.
    pub(super) sample: Vec<u8>,
    /// All that was read, where that is not the sample.
    whole: Option<Vec<u8>>,
    /// The sample is a shorter head and lines from further on.
    is_composed: bool,
    /// See [`LogFile::late`](super::file::LogFile::late).
    pub(super) late: Option<Late>,
    /// It is written as the logs beside it are.
    pub(super) as_others: Option<Inference>,
    /// Why reading stopped before [`SAMPLE_MAX`], when that was not the end.
    pub(super) failure: Option<io::Error>,
    /// Of which bytes the sample is.
    pub(super) looked_at: LookedAt,
    /// No line of it is known, or few of those that look like a server's are.
    pub(super) is_unknown: bool,
    /// Nothing follows what was read.
    is_over: bool,
    rest: Box<dyn Read + Send>,
}

impl Opened {
    /// Begins to read a file or a stream, which ends about the day `end`.
    pub(super) fn new(mut reader: impl Read + Send + 'static, end: Day) -> io::Result<Opened> {
        let mut magic = Vec::with_capacity(MAGIC_MAX);
        reader
            .by_ref()
            .take(MAGIC_MAX as u64)
            .read_to_end(&mut magic)?;
        let kind = compressed::sniff(&magic);
        let whole = io::Cursor::new(magic).chain(reader);
        let rest: Box<dyn Read + Send> = match kind {
            Magic::Known(compression) => compression.undo(whole)?,
            Magic::Plain | Magic::Foreign(_) => Box::new(whole),
        };
        Ok(Opened::of(kind, rest, end))
    }

    fn of(kind: Magic, mut rest: Box<dyn Read + Send>, end: Day) -> Opened {
        let (head, envelope, failure) = match kind {
            Magic::Foreign(_) => (Vec::new(), None, None),
            Magic::Plain | Magic::Known(_) => enveloped::recognize(&mut *rest, end),
        };
        let is_tar = tar::is_tar(&head);
        Opened {
            magic: kind,
            envelope: envelope.filter(|_| !is_tar),
            head,
            failure,
            rest,
            is_tar,
            end,
            is_part: false,
            looked_at: LookedAt::Stream,
            late: None,
        }
    }

    /// Begins to read what was dealt out of an input that is in `whole`.
    pub(super) fn part(
        reader: impl Read + Send + 'static,
        end: Day,
        whole: &Envelope,
    ) -> io::Result<Opened> {
        let mut opened = Opened::new(reader, end)?;
        opened.is_part = true;
        if let Some(envelope) = &mut opened.envelope {
            envelope.set_whole(whole);
        }
        Ok(opened)
    }

    /// What is known before its head is read, for [`Opened::tail`].
    pub(super) fn known(&self) -> (Magic, Day, bool) {
        (self.magic, self.end, self.is_part)
    }

    /// Begins with its last bytes, since its first line and a megabyte from there say nothing.
    pub(super) fn tail(
        (magic, end, is_part): (Magic, Day, bool),
        begin: Vec<u8>,
        tail: Vec<u8>,
    ) -> Opened {
        Opened {
            is_part,
            is_tar: false,
            looked_at: LookedAt::End(begin),
            ..Opened::of(magic, Box::new(io::Cursor::new(tail)), end)
        }
    }

    /// Whether it must be dealt out, by which of its layers, and how: its first bytes tell, and after them what `all` gives, all
    /// of it from the first byte; where it is told when another server comes `late`, its begin. `None` for what can be read
    /// once: where it names servers, others may come.
    pub(super) fn survey(&self, all: Option<&Again<'_>>) -> io::Result<Option<(Envelope, Order)>> {
        let mut envelope = self.envelope.clone();
        if self.is_part {
            envelope = envelope.and_then(|envelope| envelope.within());
        }
        while let Some(outer) = envelope {
            let mut survey = outer.survey();
            survey.feed(&self.head);
            let mut order = Order::of(&survey);
            if order.is_none() && survey.names_servers() {
                order = match all {
                    Some(all) => {
                        let only = survey.servers().next();
                        let is_told =
                            self.late.is_some() && only.is_some_and(|only| outer.is_of(only));
                        let len = if is_told { enveloped::BEGIN } else { u64::MAX };
                        enveloped::survey_all(&outer, all()?.take(len))?
                    }
                    None => Some(Order::Ascending),
                };
            }
            if let Some(order) = order {
                return Ok(Some((outer, order)));
            }
            envelope = outer.within();
        }
        Ok(None)
    }

    /// All its bytes, decompressed, from the first one.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        self.into_parts().1
    }

    fn into_parts(self) -> (LookedAt, Box<dyn Read + Send>) {
        let head = io::Cursor::new(self.head);
        let reader: Box<dyn Read + Send> = match self.failure {
            Some(err) => Box::new(head.chain(Failed(Some(err)))),
            None => Box::new(head.chain(self.rest)),
        };
        (self.looked_at, reader)
    }

    /// It can be read again: where its first bytes say nothing, its last ones are looked at.
    pub(super) fn set_again(&mut self) {
        if matches!(self.looked_at, LookedAt::Stream) {
            self.looked_at = LookedAt::Begin;
        }
    }
}

impl Head {
    /// Reads the head of what has been begun at a path.
    pub(super) fn read(opened: Opened, learned: &mut Learned, path: &Path) -> Head {
        let (magic, envelope) = (opened.magic, opened.envelope.clone());
        let late = opened.late.clone().filter(|_| envelope.is_some());
        let (looked_at, rest) = opened.into_parts();
        let mut head = Head {
            magic,
            translated: None,
            sample: Vec::new(),
            whole: None,
            is_composed: false,
            as_others: None,
            failure: None,
            looked_at,
            is_unknown: false,
            is_over: false,
            rest: match &envelope {
                Some(envelope) => {
                    Box::new(Unwrapped::new(envelope, without_bom(rest), late.clone()))
                }
                None => rest,
            },
            envelope,
            late,
        };
        head.grow_to(SAMPLE);
        head.translated = learned.languages.of(&head.sample);
        // What names a server in an envelope is in the lines, not in the directory.
        let beside = learned.beside(path).filter(|_| head.envelope.is_none());
        let steps: &[usize] = match (beside, &head.translated) {
            (Some(_), Some(_)) => &[CONFIRMED, SAMPLE],
            _ => &[SAMPLE],
        };
        for &step in steps {
            head.translate(step);
            head.as_others = beside.and_then(|prefix| line_prefix::check(prefix, &head.sample));
            if head.as_others.is_some() {
                break;
            }
        }
        if head.as_others.is_none() {
            head.look_for_sessions();
        }
        head
    }

    /// Reads more of it, where there is more: false at its end.
    pub(super) fn grow(&mut self, languages: &mut Languages) -> bool {
        if !self.is_composed {
            let len = self.read_so_far().len();
            if !(SAMPLE..SAMPLE_MAX).contains(&len) {
                return false;
            }
            self.grow_to(SAMPLE_MAX);
            if self.read_so_far().len() == len {
                return false;
            }
        }
        self.is_composed = false;
        self.sample = self
            .whole
            .take()
            .unwrap_or_else(|| std::mem::take(&mut self.sample));
        self.translated = languages.of(&self.sample);
        self.translate(SAMPLE_MAX);
        true
    }

    /// Makes the sample of the first bytes that were read, about `len` where there are more, in English.
    fn translate(&mut self, len: usize) {
        let Some(translated) = &self.translated else {
            return;
        };
        let read = self.whole.as_ref().unwrap_or(&self.sample);
        let end = match read.get(..len) {
            Some(part) => lines_end(part),
            None => read.len(),
        };
        if let Cow::Owned(english) = translated.english(&read[..end]) {
            let before = std::mem::replace(&mut self.sample, english);
            self.whole.get_or_insert(before);
        }
    }

    /// A line of the sample tells of a session that connects or ends.
    pub(super) fn tells_of_sessions(&self) -> bool {
        session_lines(&self.sample).next().is_some()
    }

    /// What was read, as it was, where it is all there is.
    pub(super) fn all(&self) -> Option<&[u8]> {
        let read = self.whole.as_ref().unwrap_or(&self.sample);
        let is_all = read.len() < SAMPLE && self.failure.is_none() && !self.is_end();
        is_all.then_some(read)
    }

    /// Its first line, or the beginning of it.
    pub(super) fn first_line(&self) -> &[u8] {
        let begin = match &self.looked_at {
            LookedAt::End(begin) => begin,
            LookedAt::Stream | LookedAt::Begin => &self.sample,
        };
        let line = begin.split(|&b| b == b'\n').next().unwrap_or(&[]);
        &line[..line.len().min(FIRST_LINE)]
    }

    /// It says nothing, and what follows it may say more.
    pub(super) fn may_begin_late(&self) -> bool {
        self.is_unknown && matches!(self.looked_at, LookedAt::Begin) && !self.is_over
    }

    /// The sample is of its last bytes.
    pub(super) fn is_end(&self) -> bool {
        matches!(self.looked_at, LookedAt::End(_))
    }

    /// Where a line has been looked for, and what to do beside describing it.
    pub(super) fn place_and_remedy(&self) -> (&'static str, &'static str) {
        match self.looked_at {
            LookedAt::Stream | LookedAt::Begin if self.is_over => ("in it", ""),
            // More of a stream would have to be kept.
            LookedAt::Stream => ("of its first megabyte", "give it as a file, or "),
            LookedAt::Begin | LookedAt::End(_) => ("of its first megabyte and its last one", ""),
        }
    }

    /// All that was read, as it was.
    fn read_so_far(&mut self) -> &mut Vec<u8> {
        self.whole.as_mut().unwrap_or(&mut self.sample)
    }

    /// A head of statements alone does not say which word of a line is the user: where no line of
    /// it tells of a session, those further on do.
    fn look_for_sessions(&mut self) {
        let is_lines = memchr::memmem::find(&self.sample, b":  ").is_some();
        let is_long = self.read_so_far().len() >= SAMPLE;
        if !is_long || !is_lines || session_lines(&self.sample).next().is_some() {
            return;
        }
        let mut found = Vec::new();
        let mut count = 0;
        let mut from = lines_end(self.read_so_far());
        loop {
            let len = self.read_so_far().len();
            self.grow_to((len + SCAN_STEP).min(SAMPLE_MAX));
            let translated = self.translated.clone();
            let text = &self.read_so_far()[from..];
            let text = &text[..lines_end(text)];
            from += text.len();
            let english = translated.map(|translated| translated.english(text));
            let text = english.as_deref().unwrap_or(text);
            for line in telling_lines(text) {
                if line.len() <= COMPOSED_MAX - COMPOSED_HEAD - found.len() {
                    found.extend_from_slice(line);
                }
            }
            count += session_lines(text).count();
            if self.read_so_far().len() == len || count >= COMPOSED_LINES {
                break;
            }
        }
        if !found.is_empty() {
            let mut sample = self.sample[..self.sample.len().min(COMPOSED_HEAD)].to_vec();
            sample.truncate(lines_end(&sample));
            sample.append(&mut found);
            let before = std::mem::replace(&mut self.sample, sample);
            self.whole.get_or_insert(before);
            self.is_composed = true;
        }
    }

    fn grow_to(&mut self, len: usize) {
        let so_far = self.whole.as_mut().unwrap_or(&mut self.sample);
        let more = len.saturating_sub(so_far.len());
        so_far.reserve(more.min(SCAN_STEP));
        match self.rest.by_ref().take(more as u64).read_to_end(so_far) {
            Ok(read) => self.is_over = read < more,
            Err(err) => {
                self.failure = Some(err);
                self.is_over = true;
            }
        }
    }

    /// All its bytes from the first one.
    pub(super) fn into_stream(self) -> Stream {
        Stream(Mutex::new(Some(self.into_reader())))
    }

    /// The same.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        let head = io::Cursor::new(self.whole.unwrap_or(self.sample));
        let rest: Box<dyn Read + Send> = match self.failure {
            Some(err) => Box::new(Failed(Some(err))),
            None => self.rest,
        };
        Box::new(head.chain(rest))
    }
}

/// Where the lines begin whose message is that of a session that connects or ends.
fn session_lines(text: &[u8]) -> impl Iterator<Item = usize> {
    const MESSAGES: [&[u8]; 3] = [
        b"connection received: host=",
        b"connection authorized: user=",
        b"connection: session time: ",
    ];
    memchr::memmem::find_iter(text, b"connection")
        .filter(|&at| {
            let is_message = MESSAGES
                .iter()
                .any(|message| text[at..].starts_with(message));
            // Behind a label, or in verbose logs behind an SQLSTATE.
            let before = &text[..at];
            let before = before.strip_suffix(b"dis").unwrap_or(before);
            let before = before.strip_suffix(b"replication ").unwrap_or(before);
            is_message && (before.ends_with(b":  ") || before.ends_with(b": "))
        })
        .filter_map(|at| line_start(text, at))
}

/// Where the line that holds `at` begins, unless that line goes on another message.
fn line_start(text: &[u8], at: usize) -> Option<usize> {
    let start = lines_end(&text[..at]);
    (text.get(start) != Some(&b'\t')).then_some(start)
}

/// The lines that tell of sessions, FATAL lines and the line after each of them.
fn telling_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let refused = memchr::memmem::find_iter(text, b"FATAL:  ")
        .take(COMPOSED_LINES)
        .filter_map(|at| line_start(text, at));
    let line = |start: usize| {
        let end = memchr::memchr(b'\n', &text[start..]);
        &text[start..end.map_or(text.len(), |end| start + end + 1)]
    };
    let starts: BTreeSet<usize> = session_lines(text)
        .chain(refused)
        .flat_map(|start| [start, start + line(start).len()])
        .collect();
    starts.into_iter().map(line)
}
