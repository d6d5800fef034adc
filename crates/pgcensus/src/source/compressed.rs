//! Compression, known by its first bytes and never by a name, and undone on the way in.
//!
//! What a damaged stream holds before the damage is handed on; then comes an [`io::Error`] around
//! [`Damaged`]. What consists of several members, streams or frames, one after the other, is read to its end.

use std::fmt;
use std::io::{self, Read};

use liblzma::stream::{self, CONCATENATED};

use super::gzip::Gzip;
use super::lz4::Lz4;
use crate::view::text::thousands;

/// What xz may take of memory; `xz -9` takes a quarter of it. What takes more is [`Harm::TooLarge`], as a zstd is
/// with a window of more than 128 MiB, the limit of its library.
const XZ_MEMORY_MAX: u64 = 256 << 20;

/// The first bytes that [`sniff`] wants to see.
pub(crate) const MAGIC_MAX: usize = 10;

/// A compression that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz file format, version 1.2.1.
    Xz,
    /// As bzip2 1.0 writes it.
    Bzip2,
    /// Frames, see `lz4.rs`.
    Lz4,
}

/// What the first bytes of a file say about its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Magic {
    /// Not compressed.
    Plain,
    /// Read here.
    Known(Compression),
    /// Named by the program that undoes it, not read in this version.
    Foreign(&'static str),
}

impl Magic {
    /// What is undone.
    pub(crate) fn compression(self) -> Option<Compression> {
        match self {
            Magic::Known(compression) => Some(compression),
            Magic::Plain | Magic::Foreign(_) => None,
        }
    }
}

/// A compressed stream that breaks off or makes no sense from some place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    /// What it is.
    pub(crate) name: &'static str,
    /// What is wrong with it.
    pub(crate) harm: Harm,
    /// The decompressed bytes before the damage.
    pub(crate) bytes_read: u64,
}

/// What is wrong with a compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It breaks off.
    Truncated,
    /// Its bytes are not what was written.
    Corrupt,
    /// It asks for more memory than it gets.
    TooLarge,
}

impl Compression {
    /// Its name, that of the program which undoes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
            Compression::Bzip2 => "bzip2",
            Compression::Lz4 => "lz4",
        }
    }

    /// The decompressed bytes of `reader`.
    pub(crate) fn undo(
        self,
        reader: impl Read + Send + 'static,
    ) -> io::Result<Box<dyn Read + Send>> {
        let inner: Box<dyn Read + Send> = match self {
            Compression::Gzip => Box::new(Gzip::new(reader)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(reader)?),
            Compression::Xz => {
                let stream = stream::Stream::new_stream_decoder(XZ_MEMORY_MAX, CONCATENATED)?;
                Box::new(liblzma::read::XzDecoder::new_stream(reader, stream))
            }
            Compression::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(reader)),
            Compression::Lz4 => Box::new(Lz4::new(reader)),
        };
        Ok(Box::new(Undone {
            inner,
            compression: self,
            bytes_read: 0,
            damaged: None,
        }))
    }
}

/// Tells the compression from the first [`MAGIC_MAX`] bytes of a file.
pub(crate) fn sniff(head: &[u8]) -> Magic {
    match head {
        [0x1f, 0x8b, ..] => Magic::Known(Compression::Gzip),
        // A frame, or a skippable frame, with which parallel compressors begin.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Magic::Known(Compression::Zstd)
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Magic::Known(Compression::Xz),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Magic::Known(Compression::Bzip2),
        [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => {
            Magic::Known(Compression::Lz4)
        }
        [b'P', b'K', 3, 4, ..] => Magic::Foreign("zip"),
        _ => Magic::Plain,
    }
}

/// Whether more bytes may make [`sniff`] tell a compression of so few.
pub(crate) fn may_become_magic(head: &[u8]) -> bool {
    const FIRST: [u8; 6] = [0x02, 0x04, 0x1f, 0x28, 0xfd, b'B'];
    head.first()
        .is_some_and(|first| FIRST.contains(first) || (0x50..=0x5f).contains(first))
}

/// The damage that an error of a reader tells of.
pub(crate) fn damage(err: &io::Error) -> Option<Damaged> {
    err.get_ref()?.downcast_ref().copied()
}

/// Counts what was read, to say how much that was when the stream breaks.
struct Undone {
    inner: Box<dyn Read + Send>,
    compression: Compression,
    bytes_read: u64,
    /// Once it is, nothing more is asked of its library: that of bzip2 would end the process.
    damaged: Option<Damaged>,
}

impl Read for Undone {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(damaged) = self.damaged {
            return Err(damaged.into());
        }
        match self.inner.read(buf) {
            Ok(n) => {
                self.bytes_read += n as u64;
                Ok(n)
            }
            // The disk's own errors, and a signal, stay what they are.
            Err(err)
                if err.raw_os_error().is_some() || err.kind() == io::ErrorKind::Interrupted =>
            {
                Err(err)
            }
            Err(err) => {
                let damaged = Damaged {
                    name: self.compression.name(),
                    harm: harm(&err),
                    bytes_read: self.bytes_read,
                };
                self.damaged = Some(damaged);
                Err(damaged.into())
            }
        }
    }
}

/// What an error of one of the libraries means.
fn harm(err: &io::Error) -> Harm {
    let of_xz = err.get_ref().and_then(|err| err.downcast_ref());
    // In words alone.
    let of_zstd = || err.to_string().contains("too much memory");
    match err.kind() {
        io::ErrorKind::UnexpectedEof => Harm::Truncated,
        _ if matches!(of_xz, Some(stream::Error::MemLimit)) || of_zstd() => Harm::TooLarge,
        _ => Harm::Corrupt,
    }
}

impl From<Damaged> for io::Error {
    fn from(damaged: Damaged) -> io::Error {
        let kind = match damaged.harm {
            Harm::Truncated => io::ErrorKind::UnexpectedEof,
            Harm::Corrupt | Harm::TooLarge => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, damaged)
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = (self.name, thousands(self.bytes_read));
        match self.harm {
            Harm::Truncated => write!(f, "truncated {name}: {bytes} bytes read"),
            Harm::Corrupt => write!(f, "corrupt {name}: {bytes} bytes read"),
            Harm::TooLarge => write!(
                f,
                "{name} with a window larger than is read: {bytes} bytes read; pipe it in from {name} -dc"
            ),
        }
    }
}

impl std::error::Error for Damaged {}

#[cfg(test)]
pub(super) mod tests;
