//! One log file: where its bytes come from, how they are written and which time they cover.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pgcensus_core::instant::Instant;
use pgcensus_core::zone::DisplayZone;
use pgcensus_log::envelope::Envelope;
use pgcensus_log::format::{BOM, Format};
use pgcensus_log::line_prefix::Inference;
use pgcensus_log::log_time::{LogTime, Zone};

use super::ahead::Ahead;
use super::compressed::{Compression, Damaged};
use super::enveloped::Unwrapped;
use super::input::{Counted, Input, Late, Reading};
use super::lines::Lines;
use super::picked::Pick;
use super::section::{OpenSection, Section};
use super::translated::{Translated, Undone};

/// A log time that outlives the bytes it was read from.
pub(crate) type FileTime = LogTime<Box<[u8]>>;

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

    pub(super) fn open_section(&self) -> io::Result<OpenSection> {
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
pub(crate) struct Stream(pub(super) Mutex<Option<Box<dyn Read + Send>>>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

/// Where the last whole line of `text` ends.
pub(crate) fn lines_end(text: &[u8]) -> usize {
    memchr::memrchr(b'\n', text).map_or(0, |newline| newline + 1)
}

/// Fails once as it failed when the head was read.
pub(super) struct Failed(pub(super) Option<io::Error>);

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
}

/// `2026-11-23 05:28:21.603 UTC`, as the server would print it; seconds alone where it has no
/// fraction.
pub(super) fn show_time(time: &FileTime) -> String {
    let shown = show_wall(time.wall_ms);
    match &time.zone {
        Zone::Epoch => format!("{shown} UTC"),
        Zone::Named(zone) => format!("{shown} {}", String::from_utf8_lossy(zone)),
    }
}

/// The same of an instant, in the zone that the log had then.
pub(crate) fn show_instant(at: Instant, zone: &DisplayZone) -> String {
    format!("{} {}", show_wall(zone.wall_ms(at)), zone.abbreviation(at))
}

fn show_wall(wall_ms: i64) -> String {
    jiff::civil::date(1970, 1, 1)
        .at(0, 0, 0, 0)
        .checked_add(jiff::SignedDuration::from_millis(wall_ms))
        .map_or_else(
            |_| format!("{wall_ms} ms"),
            |wall| match wall_ms % 1000 {
                0 => wall.strftime("%F %T").to_string(),
                _ => wall.strftime("%F %T%.3f").to_string(),
            },
        )
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
pub(super) fn without_bom(mut reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
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
