//! One log file: where its bytes come from, how they are written and which time they cover.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pgcensus_log::envelope::{Day, Envelope};
use pgcensus_log::format::{self, BOM, Format};
use pgcensus_log::line_prefix::{self, Inference};
use pgcensus_log::log_time::{LogTime, Zone};

use super::ahead::Ahead;
use super::compressed::{self, Compression, Damaged, MAGIC_MAX, Magic};
use super::enveloped::{self, Order, Unwrapped};
use super::input::{Counted, Input, Late, Reading};
use super::lines::Lines;
use super::picked::Pick;
use super::section::{OpenSection, Section};
use super::take::Learned;
use super::tar;
use super::translated::{Languages, Translated, Undone};

/// A log time that outlives the bytes it was read from.
pub(crate) type FileTime = LogTime<Box<[u8]>>;

/// The head of a file that is looked at first.
const SAMPLE: usize = 64 << 10;
/// In another language so much of it confirms the prefix of the logs beside it, if that reads each line of it.
const CONFIRMED: usize = 8 << 10;
/// The most of it that is looked at, where less says nothing or tells of no session; of a stream it is held in memory
/// until it is read again.
const SAMPLE_MAX: usize = 1 << 20;
/// What is read at a time for that.
const SCAN_STEP: usize = 256 << 10;
/// What such a sample keeps of the head, and how long it may be in all.
const COMPOSED_HEAD: usize = 32 << 10;
const COMPOSED_MAX: usize = 128 << 10;
/// So many lines that tell of sessions are enough.
const COMPOSED_LINES: usize = 60;
/// The tail in which the last record is looked for first, where each line tells by itself whether it begins one.
const TAIL: usize = 8 << 10;
/// The most of a tail in which the last record is looked for.
const TAIL_MAX: usize = 4 << 20;

/// One file to read.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// As the operator spelled it; below a directory, joined to that spelling; `-` for stdin.
    pub(crate) display: String,
    /// Whether it can be read again.
    pub(crate) kind: Kind,
    /// How it is compressed.
    pub(crate) compression: Option<Compression>,
    /// What is around the server's lines in it, below the compression.
    pub(crate) envelope: Option<Envelope>,
    /// The languages of its messages; `None` for English.
    pub(crate) translated: Option<Translated>,
    /// Bytes as they were given, compressed where they are; `None` for a stream.
    pub(crate) size: Option<u64>,
    /// How it is written.
    pub(crate) format: Format,
    /// How well the inferred prefix reads its head; `None` where nothing was inferred.
    pub(crate) inferred: Option<Inference>,
    /// The log time of its first record; `None` where its prefix has none.
    pub(crate) first: Option<FileTime>,
    /// The log time of its last record when it was found; `None` where that takes reading all of
    /// it, see [`LogFile::last_time`].
    pub(crate) last: Option<FileTime>,
    /// Wall milliseconds, first and last inclusive, ascending: records of these times are in
    /// another file too and are read there.
    pub(crate) skip: Vec<(i64, i64)>,
    /// What was piped in until Ctrl+C came: the log goes on after it.
    pub(crate) is_cut: bool,
    /// Its begin alone was looked at for servers: this is told when another one comes.
    pub(super) late: Option<Late>,
    /// What is wrong with it behind the last of its bytes, where they do not tell themselves.
    pub(super) broken: Option<Damaged>,
    /// Its times have milliseconds.
    pub(super) has_ms: bool,
    /// Csvlog whose records have no number of columns that a server writes: none of them can be read.
    pub(super) is_malformed: bool,
    /// Its first line or the beginning of it: what two copies of one log share.
    pub(super) first_line: Vec<u8>,
}

/// Where the bytes of a log come from.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A regular file, which can be opened again.
    File(PathBuf),
    /// A member of a plain tar: there, or kept in a temporary file.
    Section(Section),
    /// One of a tar that came compressed, or was compressed itself, or what was dealt out: kept in a temporary file, as
    /// [`SPOOLED_BY`] has it.
    Spooled(Section),
    /// One of the few servers that a plain file is of.
    Picked(Section, Pick),
    /// Stdin, a pipe or a device: can be read once.
    Stream(Stream),
}

/// Quick, and what it makes of a bomb is one again.
pub(super) const SPOOLED_BY: Compression = Compression::Zstd;

impl Kind {
    fn section(&self) -> Option<Section> {
        match self {
            Kind::File(path) => Some(Section::of_file(path.clone())),
            Kind::Section(section) | Kind::Spooled(section) | Kind::Picked(section, _) => {
                Some(section.clone())
            }
            Kind::Stream(_) => None,
        }
    }

    fn open_section(&self) -> io::Result<OpenSection> {
        let section = self.section();
        section
            .ok_or_else(|| io::Error::other("a stream has no place"))?
            .open()
    }

    /// The bytes as they were given.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let section = self.open_section()?;
        match self {
            Kind::Spooled(_) => SPOOLED_BY.undo(section),
            Kind::Picked(_, pick) => Ok(Box::new(pick.of(Box::new(section)))),
            _ => Ok(Box::new(section)),
        }
    }
}

/// Bytes that can be read once, those that were looked at included.
pub(crate) struct Stream(Mutex<Option<Box<dyn Read + Send>>>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

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
    /// See [`LogFile::late`].
    pub(super) late: Option<Late>,
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
    /// See [`LogFile::late`].
    pub(super) late: Option<Late>,
    /// It is written as the logs beside it are.
    pub(super) as_others: Option<Inference>,
    /// Why reading stopped before [`SAMPLE_MAX`], when that was not the end.
    pub(super) failure: Option<io::Error>,
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
        let mut rest: Box<dyn Read + Send> = match kind {
            Magic::Known(compression) => compression.undo(whole)?,
            Magic::Plain | Magic::Foreign(_) => Box::new(whole),
        };
        let (head, envelope, failure) = match kind {
            Magic::Foreign(_) => (Vec::new(), None, None),
            Magic::Plain | Magic::Known(_) => enveloped::recognize(&mut *rest, end),
        };
        let is_tar = tar::is_tar(&head);
        Ok(Opened {
            magic: kind,
            envelope: envelope.filter(|_| !is_tar),
            head,
            failure,
            rest,
            is_tar,
            end,
            is_part: false,
            late: None,
        })
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
        let head = io::Cursor::new(self.head);
        match self.failure {
            Some(err) => Box::new(head.chain(Failed(Some(err)))),
            None => Box::new(head.chain(self.rest)),
        }
    }
}

impl Head {
    /// Reads the head of what has been begun at a path.
    pub(super) fn read(opened: Opened, learned: &mut Learned, path: &Path) -> Head {
        let (magic, envelope) = (opened.magic, opened.envelope.clone());
        let late = opened.late.clone().filter(|_| envelope.is_some());
        let rest = opened.into_reader();
        let mut head = Head {
            magic,
            translated: None,
            sample: Vec::new(),
            whole: None,
            is_composed: false,
            as_others: None,
            failure: None,
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
    fn all(&self) -> Option<&[u8]> {
        let read = self.whole.as_ref().unwrap_or(&self.sample);
        (read.len() < SAMPLE && self.failure.is_none()).then_some(read)
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
        let read = self.rest.by_ref().take(more as u64).read_to_end(so_far);
        if let Err(err) = read {
            self.failure = Some(err);
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

/// Where the last whole line of `text` ends.
pub(crate) fn lines_end(text: &[u8]) -> usize {
    memchr::memrchr(b'\n', text).map_or(0, |newline| newline + 1)
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

/// Fails once as it failed when the head was read.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl LogFile {
    /// Its decompressed bytes from the first one after a byte order mark, in English, counted by `reading` and ended by
    /// Ctrl+C. A stream can be opened once. Damage in a compressed file is an error around
    /// [`Damaged`], after the bytes before it.
    pub(crate) fn input(&self, reading: &Arc<Reading>) -> io::Result<Input> {
        let bytes = match self.section() {
            Some(section) if !self.is_plain() => {
                let inner = section.open()?;
                let reading = reading.clone();
                let mut undone = self.undone(Counted { inner, reading })?;
                if !self.is_as_written() {
                    undone = Box::new(Ahead::new(undone)?);
                }
                let reader = without_bom(undone);
                match &self.translated {
                    Some(translated) => {
                        Box::new(Ahead::new(translated.undo(reader, &self.format))?)
                    }
                    None => reader,
                }
            }
            _ => self.open()?,
        };
        Ok(Input {
            bytes,
            reading: reading.clone(),
            is_piped: matches!(self.kind, Kind::Stream(_)),
        })
    }

    /// The same, uncounted and to the end.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let reader = self.open_as_written()?;
        Ok(match &self.translated {
            Some(translated) => Box::new(translated.undo(reader, &self.format)),
            None => reader,
        })
    }

    /// The same in its own language.
    pub(crate) fn open_as_written(&self) -> io::Result<Box<dyn Read + Send>> {
        let reader: Box<dyn Read + Send> = match &self.kind {
            Kind::File(_) | Kind::Section(_) | Kind::Spooled(_) | Kind::Picked(..) => {
                self.undone(self.open_section()?)?
            }
            Kind::Stream(Stream(reader)) => reader
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .ok_or_else(|| io::Error::other("a stream can be read only once"))?,
        };
        Ok(without_bom(reader))
    }

    /// What is around the server's lines is undone: the compression, then the envelope. What is wrong with it comes last.
    fn undone(&self, bytes: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        let bytes = match self.undone_by() {
            Some(compression) => compression.undo(bytes)?,
            None => Box::new(bytes),
        };
        let bytes = match &self.kind {
            Kind::Picked(_, pick) => Box::new(pick.of(bytes)),
            _ => bytes,
        };
        let bytes = with_its_end(bytes, self.broken);
        Ok(match &self.envelope {
            Some(envelope) => Box::new(Unwrapped::new(
                envelope,
                without_bom(bytes),
                self.late.clone(),
            )),
            None => bytes,
        })
    }

    /// Its bytes on disk are what is decoded.
    pub(crate) fn is_plain(&self) -> bool {
        let is_whole = self.section().is_some() && self.broken.is_none();
        self.is_as_written() && self.translated.is_none() && is_whole
    }

    /// Its bytes are those that the server wrote, in whatever language.
    fn is_as_written(&self) -> bool {
        self.undone_by().is_none() && self.envelope.is_none() && !self.is_picked()
    }

    fn is_picked(&self) -> bool {
        matches!(self.kind, Kind::Picked(..))
    }

    /// Its end is found by reading all of it.
    pub(crate) fn is_compressed(&self) -> bool {
        self.undone_by().is_some() || self.is_picked()
    }

    /// What its bytes on disk are compressed by.
    fn undone_by(&self) -> Option<Compression> {
        match self.kind {
            Kind::Spooled(_) => Some(SPOOLED_BY),
            _ => self.compression,
        }
    }

    /// Where its bytes lie; `None` for a stream.
    pub(super) fn section(&self) -> Option<Section> {
        self.kind.section()
    }

    /// The same, open.
    pub(super) fn open_section(&self) -> io::Result<OpenSection> {
        self.kind.open_section()
    }

    /// Bytes that there are to read of it; `None` for a stream.
    pub(crate) fn stored(&self) -> Option<u64> {
        match &self.kind {
            Kind::Spooled(section) => Some(section.len()),
            _ => self.size,
        }
    }

    /// The number of the line that begins at a byte of what is decoded, counted only now that a message needs it.
    /// `None` for what cannot be read again.
    pub(crate) fn line_number(&self, offset: u64) -> Option<u64> {
        self.line_numbers(&[offset])?.pop()
    }

    /// The same of several bytes, in ascending order: the file is read once.
    pub(crate) fn line_numbers(&self, offsets: &[u64]) -> Option<Vec<u64>> {
        if matches!(self.kind, Kind::Stream(_)) {
            return None;
        }
        let mut reader = self.open_as_written().ok()?;
        let mut lines = Lines::up_to(offsets);
        if let Some(translated) = &self.translated {
            let mut undone: Undone = translated.undo(reader, &self.format);
            undone.count_lines(&mut lines).ok()?;
            return Some(lines.finish());
        }
        let mut buffer = vec![0; 1 << 16];
        while !lines.are_found() {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => lines.pass(&buffer[..n], &[]),
                Err(_) => return None,
            }
        }
        Some(lines.finish())
    }

    /// Plain bytes on disk, from where their text begins, after a byte order mark: they can be read in any order. `None`
    /// for what is compressed, in an envelope, translated, broken or a stream.
    pub(crate) fn open_plain(&self) -> io::Result<Option<OpenSection>> {
        if !self.is_plain() {
            return Ok(None);
        }
        let mut section = self.open_section()?;
        let mut head = Vec::with_capacity(BOM.len());
        section
            .by_ref()
            .take(BOM.len() as u64)
            .read_to_end(&mut head)?;
        let start = if head == BOM { BOM.len() } else { 0 };
        section.seek(SeekFrom::Start(start as u64))?;
        Ok(Some(section))
    }

    /// The log time of its last record, by reading all of it where it is compressed. `None` also
    /// for a stream.
    pub(crate) fn last_time(&self, reading: &Arc<Reading>) -> io::Result<Option<FileTime>> {
        if self.last.is_some() || self.first.is_none() || self.section().is_none() {
            return Ok(self.last.clone());
        }
        if !self.is_compressed() {
            return self.last_in(Tail::of(self)?);
        }
        let mut input = self.input(reading)?;
        let mut tail = Vec::with_capacity(2 * TAIL_MAX);
        loop {
            let kept = tail.len().saturating_sub(TAIL_MAX);
            tail.drain(..kept);
            match input.by_ref().take(TAIL_MAX as u64).read_to_end(&mut tail) {
                Ok(0) => break,
                Ok(_) => {}
                Err(err) if compressed::damage(&err).is_some() => break,
                Err(err) => return Err(err),
            }
        }
        Ok(format::last_head(&self.format, &tail).map(|head| head.log_time.map(Box::from)))
    }

    /// Looks at its tail, where it is not compressed: which languages it has that the head has not, and when its last record
    /// was logged. One that was read to its end as the head was has no other tail.
    pub(super) fn look_at_tail(&mut self, head: &Head, languages: &mut Languages) {
        if self.is_compressed() || self.first.is_none() {
            return;
        }
        if let Some(all) = head.all() {
            self.last = self.last_of_all(all);
            return;
        }
        // Read for its head a moment ago; if the tail fails now, reading it will say so.
        let Ok(tail) = Tail::of(self) else { return };
        if tail.begin > 0 {
            let text = match &self.envelope {
                Some(envelope) => Cow::Owned(envelope.text_within(&tail.bytes)),
                None => Cow::Borrowed(&tail.bytes[..]),
            };
            if let Some(both) = languages.and(self.translated.as_ref(), &text) {
                self.translated = Some(both);
            }
        }
        self.last = self.last_in(tail).unwrap_or_default();
    }

    /// Its last log time out of its tail: 8 or 64 KiB, and more where a record is longer than that. Where it has an
    /// envelope, that of the tail is undone, from its first whole line.
    fn last_in(&self, mut tail: Tail) -> io::Result<Option<FileTime>> {
        let mut len = match self.format {
            Format::Csvlog => SAMPLE,
            Format::Stderr(_) | Format::Jsonlog => TAIL,
        };
        loop {
            let (bytes, begin) = tail.last(len)?;
            let mut text = Cow::Borrowed(bytes);
            if let Some(envelope) = &self.envelope {
                text = Cow::Owned(match begin {
                    0 => envelope.text(&text),
                    _ => envelope.text_within(&text),
                });
            }
            let is_cut = len < SAMPLE && begin > 0 && self.envelope.is_none();
            let last = self.last_of_part(&text, is_cut);
            if last.is_some() || begin == 0 || len >= TAIL_MAX {
                return Ok(last);
            }
            len = (4 * len).max(SAMPLE);
        }
    }

    /// The time of the last record of a whole log, as it was written.
    fn last_of_all(&self, text: &[u8]) -> Option<FileTime> {
        // A quoted field of csvlog may hold whole lines that look like records: the more is read, the less likely all of
        // it is inside of one.
        let tail = match self.format {
            Format::Csvlog => 0,
            Format::Stderr(_) | Format::Jsonlog => text.len().saturating_sub(TAIL),
        };
        let of_tail = (tail > 0).then(|| self.last_of_part(&text[tail..], true));
        of_tail.flatten().or_else(|| self.last_of_part(text, false))
    }

    /// The time of the last record that begins in a text; where that is cut at its front, not in its first line, which may
    /// look like another one.
    fn last_of_part(&self, text: &[u8], is_cut: bool) -> Option<FileTime> {
        let english = self.translated.as_ref();
        let english = english.map(|translated| translated.heads(text, &self.format));
        let text = english.as_deref().unwrap_or(text);
        let whole_from = if is_cut {
            memchr::memchr(b'\n', text).map_or(text.len(), |newline| newline + 1)
        } else {
            0
        };
        let last = format::last_head(&self.format, text);
        last.filter(|head| head.offset >= whole_from)
            .map(|head| head.log_time.map(Box::from))
    }
}

/// The last bytes of a file.
struct Tail {
    file: OpenSection,
    bytes: Vec<u8>,
    /// Where they begin in the file.
    begin: u64,
}

impl Tail {
    fn of(file: &LogFile) -> io::Result<Tail> {
        let file = file.open_section()?;
        let mut tail = Tail {
            begin: file.len()?,
            bytes: Vec::new(),
            file,
        };
        tail.last(SAMPLE)?;
        Ok(tail)
    }

    /// The last `len` bytes, and where they begin.
    fn last(&mut self, len: usize) -> io::Result<(&[u8], u64)> {
        let end = self.begin + self.bytes.len() as u64;
        let begin = end.saturating_sub(len as u64);
        if begin < self.begin {
            self.file.seek(SeekFrom::Start(begin))?;
            let mut bytes = Vec::with_capacity((end - begin) as usize);
            self.file
                .by_ref()
                .take(end - begin)
                .read_to_end(&mut bytes)?;
            (self.bytes, self.begin) = (bytes, begin);
        }
        let from = self.bytes.len().saturating_sub((end - begin) as usize);
        Ok((&self.bytes[from..], begin))
    }
}

/// `2026-11-23 05:28:21.603 UTC`, as the server would print it; seconds alone where it has no
/// fraction.
pub(super) fn show_time(time: &FileTime) -> String {
    let shown = jiff::civil::date(1970, 1, 1)
        .at(0, 0, 0, 0)
        .checked_add(jiff::SignedDuration::from_millis(time.wall_ms))
        .map_or_else(
            |_| format!("{} ms", time.wall_ms),
            |wall| match time.wall_ms % 1000 {
                0 => wall.strftime("%F %T").to_string(),
                _ => wall.strftime("%F %T%.3f").to_string(),
            },
        );
    match &time.zone {
        Zone::Epoch => format!("{shown} UTC"),
        Zone::Named(zone) => format!("{shown} {}", String::from_utf8_lossy(zone)),
    }
}

/// With what is wrong with it behind its bytes.
pub(super) fn with_its_end(
    reader: Box<dyn Read + Send>,
    broken: Option<Damaged>,
) -> Box<dyn Read + Send> {
    match broken {
        Some(damaged) => Box::new(reader.chain(Failed(Some(damaged.into())))),
        None => reader,
    }
}

/// Takes a byte order mark off.
fn without_bom(mut reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let mut head = Vec::with_capacity(BOM.len());
    let read = reader
        .by_ref()
        .take(BOM.len() as u64)
        .read_to_end(&mut head);
    if head == BOM {
        head.clear();
    }
    let rest: Box<dyn Read + Send> = match read {
        Ok(_) => reader,
        Err(err) => Box::new(Failed(Some(err))),
    };
    Box::new(io::Cursor::new(head).chain(rest))
}
