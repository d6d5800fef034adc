//! Compression, known by its first bytes and never by a name, and undone on the way in.
//!
//! What a damaged stream holds before the damage is handed on; then comes an [`io::Error`] around
//! [`Damaged`]. A gzip of several members and a zstd of several frames are read to their end.

use std::fmt;
use std::io::{self, Read};

use crate::view::text::thousands;

/// The first bytes that [`sniff`] wants to see.
pub(crate) const MAGIC_MAX: usize = 10;

/// A compression that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
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

/// A compressed stream that breaks off or makes no sense from some place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    /// Which compression.
    pub(crate) compression: Compression,
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
}

impl Compression {
    /// Its name, that of the program which undoes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// The decompressed bytes of `reader`.
    pub(crate) fn undo(
        self,
        reader: impl Read + Send + 'static,
    ) -> io::Result<Box<dyn Read + Send>> {
        let inner: Box<dyn Read + Send> = match self {
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(reader)?),
        };
        Ok(Box::new(Undone {
            inner,
            compression: self,
            bytes_read: 0,
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
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Magic::Foreign("xz"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Magic::Foreign("bzip2"),
        [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Magic::Foreign("lz4"),
        [b'P', b'K', 3, 4, ..] => Magic::Foreign("zip"),
        _ => Magic::Plain,
    }
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
}

impl Read for Undone {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
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
                let harm = match err.kind() {
                    io::ErrorKind::UnexpectedEof => Harm::Truncated,
                    _ => Harm::Corrupt,
                };
                let kind = match harm {
                    Harm::Truncated => io::ErrorKind::UnexpectedEof,
                    Harm::Corrupt => io::ErrorKind::InvalidData,
                };
                Err(io::Error::new(
                    kind,
                    Damaged {
                        compression: self.compression,
                        harm,
                        bytes_read: self.bytes_read,
                    },
                ))
            }
        }
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harm = match self.harm {
            Harm::Truncated => "truncated",
            Harm::Corrupt => "corrupt",
        };
        let (name, bytes) = (self.compression.name(), thousands(self.bytes_read));
        write!(f, "{harm} {name}: {bytes} bytes read")
    }
}

impl std::error::Error for Damaged {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).expect("a Vec takes all")
    }

    fn read_all(compression: Compression, bytes: Vec<u8>) -> (usize, Option<Damaged>) {
        let mut reader = compression.undo(io::Cursor::new(bytes)).expect("a decoder");
        let mut text = Vec::new();
        let err = reader.read_to_end(&mut text).err();
        (text.len(), err.map(|err| damage(&err).expect("damage")))
    }

    #[test]
    fn members_and_frames_are_read_to_the_last() {
        for (compression, pack) in [
            (Compression::Gzip, gzip as fn(&[u8]) -> Vec<u8>),
            (Compression::Zstd, zstd),
        ] {
            let packed = [pack(b"one\n"), pack(b"two\n"), pack(b"")].concat();
            assert_eq!(sniff(&packed), Magic::Known(compression));
            assert_eq!(read_all(compression, packed), (8, None));
        }
    }

    #[test]
    fn a_damaged_stream_gives_its_data_and_then_says_what_is_wrong() {
        let text: Vec<u8> = (0..400_000u32)
            .flat_map(|n| (n * 7919).to_le_bytes())
            .collect();
        for (compression, mut packed) in [
            (Compression::Gzip, gzip(&text)),
            (Compression::Zstd, zstd(&text)),
        ] {
            packed.truncate(packed.len() / 2);
            let (read, damaged) = read_all(compression, packed);
            let damaged = damaged.expect("it is truncated");
            assert_eq!(damaged.harm, Harm::Truncated);
            assert_eq!(damaged.bytes_read, read as u64);
            assert!(read > 100_000, "{read}");
            assert_eq!(
                damaged.to_string(),
                format!(
                    "truncated {}: {} bytes read",
                    compression.name(),
                    thousands(read as u64)
                )
            );
        }
        let (read, damaged) = read_all(
            Compression::Gzip,
            [gzip(b"one\n"), b"garbage!!!!".to_vec()].concat(),
        );
        assert_eq!((read, damaged.map(|d| d.harm)), (4, Some(Harm::Corrupt)));
    }

    #[test]
    fn compressions_that_are_not_read_are_named() {
        for (head, expected) in [
            (&b"\xfd7zXZ\0"[..], Magic::Foreign("xz")),
            (b"BZh91AY&SY", Magic::Foreign("bzip2")),
            (b"\x04\x22\x4d\x18", Magic::Foreign("lz4")),
            (b"PK\x03\x04", Magic::Foreign("zip")),
            (b"2026-11-23", Magic::Plain),
            (b"", Magic::Plain),
        ] {
            assert_eq!(sniff(head), expected);
        }
    }
}
