//! Cutting a server's files, in order, into chunks of whole records.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use pgcensus_log::decoder::{Decoder, RECORD_MAX};

use super::fold::Fold;
use super::{After, SharedDecoders};
use crate::source::ServerInput;
use crate::source::file::{Kind, LogFile};
use crate::source::input::{Input, Reading};
use crate::source::section::{OpenSection, read_fully_at};

/// So much of the end of a chunk is looked at to find where its last record ends.
const PEEK: usize = 16 << 10;

/// What is found so near the begin of such a piece may depend on bytes before it: a torn head spans
/// at most 1 KiB.
const PEEK_MARGIN: usize = 4 << 10;

const TRUNCATED: &str = "it was truncated while it was read";

/// Of a record that is skipped so much is kept: it may be the begin of the line that ends it.
const KEPT: usize = 4 << 10;

/// Cuts the files of one server.
pub(super) struct Reader<'a> {
    files: &'a [LogFile],
    decoders: SharedDecoders,
    chunk_size: usize,
    /// Of the next chunk.
    number: u64,
    /// The file to open next.
    next_file: usize,
    open: Option<Open<'a>>,
    reading: Arc<Reading>,
    peek: Vec<u8>,
}

/// A chunk of whole records.
pub(super) struct Cut {
    pub(super) number: u64,
    pub(super) file: usize,
    /// Where it begins in its file.
    pub(super) base: u64,
    pub(super) decoder: Arc<Decoder>,
    pub(super) after: After,
    /// Where its bytes are, if they have not been read yet.
    unread: Option<Unread>,
}

/// Bytes of a plain file.
struct Unread {
    file: Arc<File>,
    at: u64,
    len: usize,
}

/// A file that is being cut.
struct Open<'a> {
    log: &'a LogFile,
    reading: Arc<Reading>,
    bytes: Bytes,
    /// Offset of the next byte.
    base: u64,
    /// Inside the rest of a record whose head has been handed on.
    skipping: bool,
}

/// Where bytes come from.
enum Bytes {
    /// Plain bytes on disk, which can be read at any place.
    File {
        part: OpenSection,
        reading: Arc<Reading>,
    },
    /// What can be read once, with what was read beyond the last whole record.
    Stream { input: Input, rest: Vec<u8> },
}

impl<'a> Reader<'a> {
    pub(super) fn new(server: usize, input: &'a ServerInput, fold: &Fold<'a, '_>) -> Reader<'a> {
        Reader {
            files: &input.files,
            decoders: fold.decoders[server].clone(),
            chunk_size: fold.chunk_size,
            number: 0,
            next_file: 0,
            open: None,
            reading: fold.reading().clone(),
            peek: Vec::new(),
        }
    }

    /// The next chunk; its bytes are in `chunk`, or are read by [`Cut::read`]. `None` after the last one.
    pub(super) fn cut(&mut self, chunk: &mut Vec<u8>) -> Option<Cut> {
        let mut failed = None;
        if self.open.is_none() {
            let file = self.next_file;
            let log = self.files.get(file)?;
            self.next_file += 1;
            match Bytes::open(log, &self.reading) {
                Ok(bytes) => {
                    self.open = Some(Open {
                        log,
                        reading: self.reading.clone(),
                        bytes,
                        base: 0,
                        skipping: false,
                    });
                }
                Err(err) => failed = Some(err.to_string()),
            }
        }
        let file = self.next_file - 1;
        let mut cut = Cut {
            number: self.number,
            file,
            base: 0,
            decoder: super::decoder(&self.decoders, file),
            after: After::default(),
            unread: None,
        };
        self.number += 1;
        if let Some(open) = &mut self.open {
            if !open.measure(&mut cut, self.chunk_size, &mut self.peek) {
                open.read(&mut cut, self.chunk_size, chunk);
            }
            open.count(&cut);
        } else {
            chunk.clear();
            cut.after.error = failed;
            cut.after.is_last = true;
        }
        if cut.after.is_last {
            self.open = None;
        }
        Some(cut)
    }
}

impl Cut {
    /// Reads its bytes into `chunk`, where that has not been done.
    pub(super) fn read(&mut self, chunk: &mut Vec<u8>) {
        let Some(Unread { file, at, len }) = self.unread.take() else {
            return;
        };
        // Its old bytes need not be cleared.
        chunk.resize(len, 0);
        let read = read_fully_at(&file, chunk, at);
        if let Err(err) = &read.1 {
            self.after.error = Some(err.to_string());
        }
        if read.0 < len {
            // What the next chunks would be is gone too, and what is left need not end with a record.
            self.after.error.get_or_insert_with(|| TRUNCATED.to_owned());
            self.after.bytes = read.0 as u64;
            chunk.truncate(self.decoder.complete_len(&chunk[..read.0]));
        }
    }

    /// Drops a last record that lacks its end.
    fn drop_incomplete(&mut self, chunk: &mut Vec<u8>) {
        let whole = self.decoder.complete_len(chunk);
        if whole < chunk.len() {
            self.after.incomplete = Some((self.base + whole as u64, chunk[whole..].to_vec()));
            chunk.truncate(whole);
        }
    }
}

impl Open<'_> {
    /// The file ends here because Ctrl+C came, now or when it was piped in.
    fn is_stopped(&self) -> bool {
        self.log.is_cut || self.reading.interrupt.came()
    }

    /// Drops what may not be whole where the file is stopped. A pipe that was waited for ends with a line, to which
    /// nothing more can be seen to belong; elsewhere the last record may go on.
    fn stop(&self, cut: &mut Cut, chunk: &mut Vec<u8>) {
        cut.after.is_stopped = true;
        // What is compressed breaks off there.
        cut.after.error = None;
        let waited = self.log.is_cut || matches!(self.log.kind, Kind::Stream(_));
        let whole = if waited && chunk.ends_with(b"\n") {
            cut.decoder.complete_len(chunk)
        } else {
            cut.decoder.last_record_end(chunk).unwrap_or(0)
        };
        chunk.truncate(whole);
    }

    /// Says how far it is; what is no plain file is counted on its way in.
    fn count(&self, cut: &Cut) {
        if matches!(self.bytes, Bytes::File { .. }) {
            self.reading.count(cut.after.bytes);
        }
        if cut.after.is_last && !cut.after.is_stopped {
            self.reading.file_is_over();
        }
    }

    /// Finds where the chunk ends without reading all of it; false where that cannot be: in a stream, near the end of a
    /// file, in a long record.
    fn measure(&mut self, cut: &mut Cut, size: usize, peek: &mut Vec<u8>) -> bool {
        let Bytes::File { part, .. } = &mut self.bytes else {
            return false;
        };
        let is_near_end = part.end - part.at < size as u64;
        let stopped = self.reading.interrupt.came();
        if stopped || self.skipping || is_near_end || size < 2 * PEEK {
            return false;
        }
        peek.resize(PEEK, 0);
        let before = size - PEEK;
        let (n, Ok(())) = read_fully_at(&part.file, peek, part.at + before as u64) else {
            return false;
        };
        let end = cut.decoder.last_record_start(peek);
        let Some(end) = end.filter(|&end| n == PEEK && end >= PEEK_MARGIN) else {
            return false;
        };
        let len = before + end;
        cut.base = self.base;
        cut.after.bytes = len as u64;
        cut.unread = Some(Unread {
            file: part.file.clone(),
            at: part.at,
            len,
        });
        part.at += len as u64;
        self.base += len as u64;
        true
    }

    /// Reads the chunk.
    fn read(&mut self, cut: &mut Cut, size: usize, chunk: &mut Vec<u8>) {
        let mut filling = Filling {
            buffer: chunk,
            len: 0,
        };
        if let Bytes::Stream { rest, .. } = &mut self.bytes {
            let len = rest.len();
            filling.buffer.resize(len.max(filling.buffer.len()), 0);
            filling.buffer[..len].copy_from_slice(rest);
            filling.len = len;
            rest.clear();
        }
        let start = self.base;
        let piece = Piece::read(
            &mut self.bytes,
            &mut filling,
            size,
            &cut.decoder,
            &mut self.skipping,
        );
        let len = filling.len;
        chunk.truncate(len);
        self.base += piece.skipped;
        cut.base = self.base;
        cut.after.error = piece.error;
        if piece.at_end && self.bytes.was_truncated() {
            cut.after.error.get_or_insert_with(|| TRUNCATED.to_owned());
        }
        cut.after.is_last = piece.at_end;
        cut.after.too_long = piece.too_long.then_some(cut.base);
        if piece.at_end && self.is_stopped() {
            self.stop(cut, chunk);
        } else if piece.at_end && self.skipping {
            // The file ends inside a record that was too long to be kept.
            cut.after.incomplete = Some((cut.base, Vec::new()));
        } else if piece.at_end {
            self.base += chunk.len() as u64;
            cut.after.bytes = self.base - start;
            cut.drop_incomplete(chunk);
            return;
        } else {
            self.bytes.unread(&chunk[piece.end..]);
            chunk.truncate(piece.end);
        }
        self.base += chunk.len() as u64;
        cut.after.bytes = self.base - start;
    }
}

impl Bytes {
    fn open(log: &LogFile, reading: &Arc<Reading>) -> io::Result<Bytes> {
        Ok(match log.open_plain()? {
            Some(part) => Bytes::File {
                part,
                reading: reading.clone(),
            },
            None => Bytes::Stream {
                input: log.input(reading)?,
                rest: Vec::new(),
            },
        })
    }

    /// It ends before what was read of it.
    fn was_truncated(&self) -> bool {
        match self {
            Bytes::File { part, .. } => {
                let now = part.file.metadata();
                now.is_ok_and(|now| now.len() < part.at)
            }
            Bytes::Stream { .. } => false,
        }
    }

    /// These bytes, which were read last, are read again.
    fn unread(&mut self, bytes: &[u8]) {
        match self {
            Bytes::File { part, .. } => part.at -= bytes.len() as u64,
            Bytes::Stream { rest, .. } => rest.extend_from_slice(bytes),
        }
    }
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Bytes::File { reading, .. } if reading.interrupt.came() => Ok(0),
            Bytes::File { part, .. } => part.read(buf),
            Bytes::Stream { input, .. } => input.read(buf),
        }
    }
}

/// A buffer that is being filled. Its bytes past `len` are of earlier chunks: clearing them would cost as much as a
/// search.
struct Filling<'b> {
    buffer: &'b mut Vec<u8>,
    len: usize,
}

impl Filling<'_> {
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Reads until there are `wanted` bytes; false at the end of the input.
    fn fill(&mut self, input: &mut Bytes, wanted: usize) -> io::Result<bool> {
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.len < wanted {
            match input.read(&mut self.buffer[self.len..wanted]) {
                Ok(0) => return Ok(false),
                Ok(n) => self.len += n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
        Ok(true)
    }

    fn drop_front(&mut self, n: usize) {
        self.buffer.copy_within(n..self.len, 0);
        self.len -= n;
    }
}

/// What was read into a buffer.
struct Piece {
    /// Bytes dropped before its first.
    skipped: u64,
    /// Where its last whole record ends.
    end: usize,
    at_end: bool,
    error: Option<String>,
    too_long: bool,
}

impl Piece {
    /// Reads into `chunk`, which may hold a beginning already, until it has about `size` bytes and ends with a whole
    /// record, or the input is over.
    fn read(
        input: &mut Bytes,
        chunk: &mut Filling<'_>,
        size: usize,
        decoder: &Decoder,
        skipping: &mut bool,
    ) -> Piece {
        let mut piece = Piece {
            skipped: 0,
            end: 0,
            at_end: false,
            error: None,
            too_long: false,
        };
        // Of what is skipped some is kept, and there must be more than that.
        let mut wanted = if *skipping { size.max(2 * KEPT) } else { size };
        loop {
            if !piece.at_end {
                match chunk.fill(input, wanted) {
                    Ok(more) => piece.at_end = !more,
                    Err(err) => {
                        piece.error = Some(err.to_string());
                        piece.at_end = true;
                    }
                }
            }
            if *skipping {
                if let Some(next) = decoder.resync(chunk.bytes()) {
                    chunk.drop_front(next);
                    piece.skipped += next as u64;
                    *skipping = false;
                    continue;
                }
                // The end of the buffer may hold the begin of the line that ends the record.
                let keep = if piece.at_end { 0 } else { chunk.len.min(KEPT) };
                let dropped = chunk.len - keep;
                chunk.drop_front(dropped);
                piece.skipped += dropped as u64;
                if piece.at_end {
                    return piece;
                }
                continue;
            }
            if piece.at_end {
                return piece;
            }
            if let Some(end) = decoder.last_record_end(chunk.bytes()) {
                piece.end = end;
                return piece;
            }
            if chunk.len >= RECORD_MAX {
                piece.end = RECORD_MAX;
                piece.too_long = !decoder.begins_record(chunk.bytes());
                // What follows the head is dropped with the next piece.
                *skipping = true;
                return piece;
            }
            wanted = (chunk.len * 2).max(4096).min(RECORD_MAX.max(size));
        }
    }
}
