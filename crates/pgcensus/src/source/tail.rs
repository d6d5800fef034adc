//! The tail of a log file: when its last record was logged, and which languages it has that its head has not.

use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use pgcensus_log::format::{self, Format};

use super::compressed;
use super::file::{FileTime, LogFile, lines_end};
use super::head::{Head, SAMPLE};
use super::input::Reading;
use super::section::OpenSection;
use super::translated::Languages;

/// The tail in which the last record is looked for first, where each line tells by itself whether it begins one.
const TAIL: usize = 8 << 10;
/// The most of a tail in which the last record is looked for.
const TAIL_MAX: usize = 4 << 20;
/// What is read at a time on the way to the first record of a log that begins late.
const READ_ON: usize = 256 << 10;

impl LogFile {
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

    /// The log time of its first record, by reading on to it: what comes before is not the server's.
    pub(super) fn first_time(&self) -> io::Result<Option<FileTime>> {
        let mut input = self.open()?;
        let mut text = Vec::with_capacity(2 * READ_ON);
        loop {
            let read = input.by_ref().take(READ_ON as u64).read_to_end(&mut text)?;
            let end = match read {
                0 => text.len(),
                _ => lines_end(&text),
            };
            if let Some(head) = format::heads(&self.format, &text[..end], 1).first() {
                return Ok(Some(head.log_time.map(Box::from)));
            }
            if read == 0 {
                return Ok(None);
            }
            // No head is longer.
            let kept = end.max(text.len().saturating_sub(READ_ON));
            text.drain(..kept);
        }
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
