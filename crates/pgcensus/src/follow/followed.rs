//! One file that is followed: how far it has been told, and whether it is still the one that was read.
//!
//! A file is known by its inode while it is open, and by what was read of it: its first bytes and the last ones
//! before the place that was reached. Each read begins with those last ones, so that a file which was made empty and
//! has grown beyond the old place is not taken for one that has just grown.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::stat::{Changed, Identity};
use super::{FileId, TargetId};
use crate::source::section::{read_at, read_fully_at};

/// Bytes of the begin and of the end of what was read by which it is known again.
const PRINT: usize = 128;
/// With fewer nothing is taken for a copy: many logs begin with the same date.
const PRINT_MIN: usize = 32;

/// How far a file has been read, and by what that is seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// The next byte.
    pub(super) position: u64,
    /// Its first bytes, as many as were read, up to [`PRINT`].
    head: Vec<u8>,
    /// The last ones before `position`, likewise.
    tail: Vec<u8>,
}

/// What a read found.
pub(super) enum Found<'b> {
    /// What has come since.
    Bytes(&'b [u8]),
    /// It is as it was.
    Nothing,
    /// What was read is not there any more.
    Another,
}

impl Progress {
    /// Takes a file for read up to a place.
    pub(super) fn of(file: &File, position: u64) -> io::Result<Progress> {
        let len = PRINT.min(position as usize);
        let (mut head, mut tail) = (vec![0; len], vec![0; len]);
        let head_len = read_full(file, &mut head, 0)?;
        let tail_len = read_full(file, &mut tail, position - len as u64)?;
        head.truncate(head_len);
        if tail_len < len {
            // It has become shorter, which the next read is to see.
            tail.fill(0);
        }
        Ok(Progress {
            position,
            head,
            tail,
        })
    }

    /// Reads on; `is_first`: since the last look.
    pub(super) fn read<'b>(
        &self,
        file: &File,
        buffer: &'b mut [u8],
        is_first: bool,
    ) -> io::Result<Found<'b>> {
        let known = self.tail.len();
        let begin = self.position - known as u64;
        let mut len = read_once(file, buffer, begin)?;
        if len < known {
            len = read_full(file, &mut buffer[..known], begin)?;
        }
        if len < known || buffer[..known] != self.tail {
            return Ok(Found::Another);
        }
        if len == known {
            return Ok(Found::Nothing);
        }
        if is_first && !self.has_head(file)? {
            return Ok(Found::Another);
        }
        Ok(Found::Bytes(&buffer[known..len]))
    }

    /// These bytes have been told.
    pub(super) fn told(&mut self, bytes: &[u8]) {
        self.position += bytes.len() as u64;
        let missing = PRINT.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.tail
            .extend_from_slice(&bytes[bytes.len().saturating_sub(PRINT)..]);
        let surplus = self.tail.len().saturating_sub(PRINT);
        self.tail.drain(..surplus);
    }

    /// Whether a file holds what was read, whatever may follow it.
    pub(super) fn is_in(&self, file: &File) -> io::Result<bool> {
        let begin = self.position - self.tail.len() as u64;
        Ok(self.has_head(file)? && is_at(file, &self.tail, begin)?)
    }

    /// Whether another file, which begins with these bytes, may be a copy of it, by its first ones.
    pub(super) fn may_be_copied(&self, first: &[u8]) -> bool {
        let common = self.head.len().min(first.len());
        common >= PRINT_MIN && self.head[..common] == first[..common]
    }

    /// Whether another file, which begins with these bytes, has all that was read of it.
    pub(super) fn has_copy(&self, other: &File, first: &[u8]) -> bool {
        self.may_be_copied(first) && self.is_in(other).unwrap_or(false)
    }

    /// Whether enough is known of it to find its copy.
    pub(super) fn is_telling(&self) -> bool {
        self.head.len() >= PRINT_MIN
    }

    fn has_head(&self, file: &File) -> io::Result<bool> {
        is_at(file, &self.head, 0)
    }
}

/// A file and what is known of it.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not whatever the others are"
)]
pub(super) struct Followed {
    pub(super) target: TargetId,
    /// Where it was seen last.
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) file: Option<File>,
    pub(super) progress: Progress,
    /// Its begin has been told.
    pub(super) has_begun: bool,
    /// It has been closed in between: what is there now may be another one, which got its inode.
    pub(super) is_reopened: bool,
    /// It has no name here any more; it may be written to nevertheless.
    pub(super) is_away: bool,
    /// There was more than one look hands out.
    pub(super) has_more: bool,
    /// Nothing of it is told, and it was that long when this was found out.
    pub(super) left_out: Option<u64>,
    /// Looks at everything since it has grown.
    pub(super) idle: u32,
    /// Its times when it was closed; `None`: one that changes now may keep them.
    pub(super) changed: Option<Changed>,
    /// The rest of what it was before it was made empty.
    pub(super) rest: Option<Rest>,
}

/// The copy of a file that was made empty, which holds what was not read of it in time.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// The next byte, and the one after the last.
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Followed {
    pub(super) fn new(target: TargetId, path: PathBuf, identity: Identity) -> Followed {
        Followed {
            target,
            path,
            identity,
            file: None,
            progress: Progress::default(),
            has_begun: false,
            is_reopened: false,
            is_away: false,
            has_more: false,
            left_out: None,
            idle: 0,
            changed: None,
            rest: None,
        }
    }

    /// Whether a closed file has to be opened, by what is said of its path.
    pub(super) fn is_changed(&self, len: u64, changed: Changed) -> bool {
        match self.left_out {
            Some(then) => len != then,
            None => len != self.progress.position || self.changed != Some(changed),
        }
    }
}

/// One that ended, in case it comes back.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) id: FileId,
    pub(super) inode: u64,
    pub(super) progress: Progress,
    /// It was one of which nothing is told.
    pub(super) is_left_out: bool,
}

/// Whether the end of a copy is where it is in the original: it is one of long ago, or not finished yet.
pub(super) fn is_part(copy: &File, len: u64, original: &File) -> io::Result<bool> {
    let mut last = vec![0; PRINT.min(len as usize)];
    let begin = len - last.len() as u64;
    let read = read_full(copy, &mut last, begin)?;
    Ok(read == last.len() && is_at(original, &last, begin)?)
}

fn is_at(file: &File, bytes: &[u8], at: u64) -> io::Result<bool> {
    let mut there = [0; PRINT];
    let there = &mut there[..bytes.len()];
    Ok(read_full(file, there, at)? == bytes.len() && there == bytes)
}

/// Reads until the buffer is full or the file has no more.
pub(super) fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let (len, read) = read_fully_at(file, buffer, at);
    read.map(|()| len)
}

fn read_once(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match read_at(file, buffer, at) {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
