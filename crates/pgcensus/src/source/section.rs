//! Where bytes lie on disk: a file, or a part of one such as a member of a tar.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

/// A place of bytes that can be opened again and again.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    place: Place,
    start: u64,
    /// Bytes; [`u64::MAX`]: to the end of the file, wherever that is by then.
    len: u64,
}

#[derive(Clone, Debug)]
enum Place {
    /// A file of its own.
    Path(PathBuf),
    /// A temporary file, which has no name.
    Open(Arc<File>),
}

impl Section {
    /// All of a file.
    pub(super) fn of_file(path: PathBuf) -> Section {
        Section {
            place: Place::Path(path),
            start: 0,
            len: u64::MAX,
        }
    }

    /// A part of a temporary file.
    pub(super) fn of_open(file: Arc<File>, start: u64, len: u64) -> Section {
        Section {
            place: Place::Open(file),
            start,
            len,
        }
    }

    /// A part of this one.
    pub(super) fn part(&self, start: u64, len: u64) -> Section {
        Section {
            place: self.place.clone(),
            start: self.start + start,
            len,
        }
    }

    pub(super) fn open(&self) -> io::Result<OpenSection> {
        let file = match &self.place {
            Place::Path(path) => Arc::new(File::open(path)?),
            Place::Open(file) => file.clone(),
        };
        Ok(OpenSection {
            file,
            start: self.start,
            at: self.start,
            end: self.start.saturating_add(self.len),
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// An open section, read from its begin to its end; places in it are counted from its begin.
#[derive(Debug)]
pub(crate) struct OpenSection {
    /// Shared: only to be read at a place.
    pub(crate) file: Arc<File>,
    start: u64,
    /// The next byte in `file`, and the one after the last.
    pub(crate) at: u64,
    pub(crate) end: u64,
}

impl OpenSection {
    /// Its bytes, as far as there are any.
    pub(super) fn len(&self) -> io::Result<u64> {
        let size = self.file.metadata()?.len();
        Ok(size.min(self.end).saturating_sub(self.start))
    }
}

impl Read for OpenSection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = (self.end - self.at).min(buf.len() as u64) as usize;
        let n = read_at(&self.file, &mut buf[..len], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for OpenSection {
    /// From the begin or from here; what lies behind the end has no bytes.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => place,
            SeekFrom::Current(by) => (self.at - self.start).saturating_add_signed(by),
            SeekFrom::End(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        self.at = self.start.saturating_add(place).min(self.end);
        Ok(place)
    }
}

/// Fills `buf` from a place of a file: how many bytes there are, and why not more.
pub(crate) fn read_fully_at(file: &File, buf: &mut [u8], at: u64) -> (usize, io::Result<()>) {
    let mut n = 0;
    while n < buf.len() {
        match read_at(file, &mut buf[n..], at + n as u64) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return (n, Err(err)),
        }
    }
    (n, Ok(()))
}

/// Reads at a place of a file, as much as one call of the system gives; 0 at its end.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, at)
}

/// Reads at a place of a file, as much as one call of the system gives; 0 at its end.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, at)
}
