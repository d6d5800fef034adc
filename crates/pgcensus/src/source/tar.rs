//! The headers of a tar → its members, one after the other: name, place, size and time. Nothing is ever unpacked.
//!
//! ```text
//! 512 bytes: name │ … │ size, octal │ … │ checksum │ kind │ … │ ustar │ … │ begin of the name
//! the member's bytes, filled up to 512                              … two blocks of zeros end it
//! ```
//!
//! ustar (POSIX.1-1988), pax (2001: `path` and `size` before a member) and GNU's long names and sizes; the first two are
//! what everything writes that is not from the last century. Whatever is no regular file is passed over: links,
//! directories, devices. A tar behind another one is read too. Only std is needed, so that this can be fuzzed alone.

use std::io::{self, Read};

/// Headers and the filling of members come in blocks of this length.
pub(super) const BLOCK: usize = 512;

/// A longer name is cut.
const NAME_MAX: u64 = 4 << 10;

/// Pax records past these bytes are not looked at.
const PAX_MAX: u64 = 64 << 10;

/// So many zeros behind the end are read over to find another tar. Tapes are filled up to 10 KiB, or to a megabyte.
const ZEROS_MAX: u64 = 4 << 20;

/// What a tar is read from, forwards.
pub(super) trait Tape: Read {
    /// Goes on at this byte, which is not before the present one. At an end before it, whatever is read
    /// next is the end.
    fn wind_to(&mut self, at: u64) -> io::Result<()>;
}

/// A regular file in a tar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// As written: perhaps absolute, perhaps with `..`, perhaps of any bytes.
    pub(super) name: Vec<u8>,
    /// Its first byte.
    pub(super) start: u64,
    /// Its bytes, as the header has it; the tar may end before.
    pub(super) len: u64,
    /// When it was written last, in seconds since 1970.
    pub(super) modified: u64,
    /// Not its bytes lie there but a map of them: `tar --sparse`.
    pub(super) is_sparse: bool,
}

/// Why there is no further member.
#[derive(Debug)]
pub(super) enum Broken {
    /// The tar breaks off at this byte.
    Truncated(u64),
    /// What should be a header at this byte is none.
    Corrupt(u64),
    /// It could not be read.
    Unread(io::Error),
}

/// Whether a file that begins so is a tar.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.first_chunk()
        .is_some_and(|block| Header::of(block).is_some())
}

/// Walks from member to member.
pub(super) struct Walk<T> {
    tape: T,
    /// The next header.
    next: u64,
    /// After so many zeros.
    zeros: u64,
    is_over: bool,
}

/// What stands before a member and is about it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl<T: Tape> Walk<T> {
    /// From the first byte of a tape.
    pub(super) fn new(tape: T) -> Walk<T> {
        Walk {
            tape,
            next: 0,
            zeros: 0,
            is_over: false,
        }
    }

    /// The next member; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Broken> {
        let mut ahead = Ahead::default();
        while !self.is_over {
            let at = self.next;
            let Some(block) = self.block()? else {
                break;
            };
            if block.iter().all(|&byte| byte == 0) {
                self.zeros += BLOCK as u64;
                self.is_over = self.zeros >= ZEROS_MAX;
                continue;
            }
            let Some(header) = Header::of(&block) else {
                // Behind the end may lie whatever the tape had before.
                if self.zeros == 0 {
                    self.is_over = true;
                    return Err(Broken::Corrupt(at));
                }
                break;
            };
            self.zeros = 0;
            let start = self.next;
            let len = match (header.kind, ahead.size) {
                // Links, devices and directories have no bytes, whatever their size is.
                (b'1'..=b'6', _) => 0,
                (b'L' | b'K' | b'x' | b'g', _) | (_, None) => header.size,
                (_, Some(size)) => size,
            };
            self.skip(len);
            match header.kind {
                b'L' => ahead.name = Some(until_zero(&self.bytes(len.min(NAME_MAX))?).to_owned()),
                b'x' => ahead.take_pax(&self.bytes(len.min(PAX_MAX))?),
                b'0' | 0 | b'7' | b'S' => {
                    let is_old_sparse = header.kind == b'S';
                    if is_old_sparse {
                        self.skip_map(start, block[482] != 0)?;
                        self.skip(len);
                    }
                    return Ok(Some(Member {
                        name: ahead.name.unwrap_or(header.name),
                        start,
                        len,
                        modified: header.modified,
                        is_sparse: ahead.is_sparse || is_old_sparse,
                    }));
                }
                b'K' | b'g' => {}
                _ => ahead = Ahead::default(),
            }
        }
        self.is_over = true;
        Ok(None)
    }

    /// Reads the block at `next`. `None`: the tar ends here, as it should.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Broken> {
        self.tape.wind_to(self.next).map_err(Broken::Unread)?;
        let bytes = self.bytes(BLOCK as u64)?;
        let Ok(block) = bytes.try_into() else {
            self.is_over = true;
            return if self.zeros > 0 {
                Ok(None)
            } else {
                Err(Broken::Truncated(self.next))
            };
        };
        self.next += BLOCK as u64;
        Ok(Some(block))
    }

    /// Goes behind the further blocks of a GNU map of holes, which its header's size does not count.
    fn skip_map(&mut self, at: u64, mut goes_on: bool) -> Result<(), Broken> {
        self.next = at;
        while goes_on {
            goes_on = self.block()?.is_some_and(|block| block[504] != 0);
        }
        Ok(())
    }

    /// The next bytes, fewer at the end.
    fn bytes(&mut self, len: u64) -> Result<Vec<u8>, Broken> {
        let mut bytes = Vec::new();
        let read = self.tape.by_ref().take(len).read_to_end(&mut bytes);
        read.map_err(Broken::Unread)?;
        Ok(bytes)
    }

    /// The next header follows after so many bytes and their filling. Past the end of all numbers is past the end of
    /// any tape.
    fn skip(&mut self, len: u64) {
        let blocks = len.div_ceil(BLOCK as u64);
        self.next = self
            .next
            .saturating_add(blocks.saturating_mul(BLOCK as u64));
    }
}

impl Ahead {
    /// `30 path=var/log/postgresql.log\n`, one after the other; the number counts all of the record.
    fn take_pax(&mut self, mut records: &[u8]) {
        while let Some(space) = records.iter().position(|&byte| byte == b' ') {
            let Some(len) = decimal(&records[..space]) else {
                return;
            };
            let Some(record) = usize::try_from(len)
                .ok()
                .and_then(|len| records.get(space + 1..len))
            else {
                return;
            };
            records = &records[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            let Some(equals) = record.iter().position(|&byte| byte == b'=') else {
                return;
            };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.name = Some(value[..value.len().min(NAME_MAX as usize)].to_owned()),
                b"size" => self.size = decimal(value),
                _ => self.is_sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
    }
}

/// The fields of a header that matter.
struct Header {
    name: Vec<u8>,
    size: u64,
    modified: u64,
    kind: u8,
}

impl Header {
    /// `None`: it is no header.
    fn of(block: &[u8; BLOCK]) -> Option<Header> {
        let is_gnu = &block[257..265] == b"ustar  \0";
        if !is_gnu && &block[257..263] != b"ustar\0" || checksum(block) != number(&block[148..156])?
        {
            return None;
        }
        let mut name = until_zero(&block[..100]).to_owned();
        // GNU has times there.
        let begin = until_zero(&block[345..500]);
        if !is_gnu && !begin.is_empty() {
            name = [begin, b"/", &name].concat();
        }
        Some(Header {
            name,
            size: number(&block[124..136])?,
            // It may be before 1970.
            modified: number(&block[136..148]).unwrap_or(0),
            kind: block[156],
        })
    }
}

/// The sum of all bytes, its own field taken for spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    sum(block) - sum(&block[148..156]) + 8 * u64::from(b' ')
}

/// Octal digits between spaces and zeros; where the first bit is set, a binary number, as GNU writes a large one.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        let (high, low) = rest.split_at(rest.len().saturating_sub(8));
        let is_small = high.iter().all(|&byte| byte == 0);
        return is_small.then(|| {
            low.iter()
                .fold(0, |number, &byte| number << 8 | u64::from(byte))
        });
    }
    let text = until_zero(field).trim_ascii();
    text.iter().try_fold(0u64, |number, &byte| match byte {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

#[cfg(test)]
pub(super) mod tests;
