//! The frames of lz4 → their bytes; a block is decompressed by `lz4_flex`.
//!
//! ```text
//! 04224d18 FLG BD [size] HC │ length block [xxh32] │ … │ 0 [xxh32] │ next frame …
//! 02214c18                  │ length block         │ …             │ next frame …   legacy: `lz4 -l`, Linux images
//! 5?2a4d18 length anything                                         │ next frame …   skipped
//! ```
//!
//! Frames are read one after the other to the end of the input. What breaks off anywhere else than between two
//! frames, or between two blocks of a legacy one, is an [`io::ErrorKind::UnexpectedEof`]; what does not agree with its
//! checksums or with itself [`io::ErrorKind::InvalidData`]. Memory: two blocks of at most 8 MiB and the 64 KiB before
//! them.
//!
//! Source: `lz4_Frame_format.md` of lz4, version 1.6.4.

use std::hash::Hasher;
use std::io::{self, Read};

use lz4_flex::block;
use twox_hash::XxHash32;

const MAGIC: u32 = 0x184d_2204;
const MAGIC_LEGACY: u32 = 0x184c_2102;
/// The last hexadecimal digit may be any.
const MAGIC_SKIPPABLE: u32 = 0x184d_2a50;

/// How far back a block may refer to those before it.
const WINDOW: usize = 64 << 10;
/// What a block of a legacy frame holds, and what that may be compressed to.
const LEGACY_BLOCK_MAX: usize = 8 << 20;
const LEGACY_PACKED_MAX: usize = LEGACY_BLOCK_MAX + LEGACY_BLOCK_MAX / 255 + 16;

/// The decompressed bytes of a reader.
pub(super) struct Lz4<R> {
    reader: R,
    frame: Option<Frame>,
    /// A block as it was read.
    packed: Vec<u8>,
    /// [`WINDOW`] bytes that end with those before the block, then the block.
    text: Vec<u8>,
    /// So many bytes before the block are of this frame.
    history: usize,
    /// What of the block has not been handed on.
    at: usize,
    end: usize,
}

/// What the begin of a frame says.
struct Frame {
    block_max: usize,
    packed_max: usize,
    is_linked: bool,
    has_block_checksums: bool,
    content: Option<XxHash32>,
    is_legacy: bool,
}

impl<R: Read> Lz4<R> {
    pub(super) fn new(reader: R) -> Lz4<R> {
        Lz4 {
            reader,
            frame: None,
            packed: Vec::new(),
            text: Vec::new(),
            history: 0,
            at: WINDOW,
            end: WINDOW,
        }
    }

    /// Goes on to the next block with anything in it; false at the end of the input.
    fn next(&mut self) -> io::Result<bool> {
        while self.at == self.end {
            let more = match self.frame.take() {
                None => match self.number()? {
                    None => return Ok(false),
                    Some(magic) => self.begin(magic),
                },
                Some(frame) => self.block(frame),
            };
            self.frame = more?;
        }
        Ok(true)
    }

    /// Reads the begin of a frame, or skips all of it.
    fn begin(&mut self, magic: u32) -> io::Result<Option<Frame>> {
        let frame = match magic {
            MAGIC => self.header()?,
            MAGIC_LEGACY => Frame {
                block_max: LEGACY_BLOCK_MAX,
                packed_max: LEGACY_PACKED_MAX,
                is_linked: false,
                has_block_checksums: false,
                content: None,
                is_legacy: true,
            },
            _ if magic & !0xf == MAGIC_SKIPPABLE => {
                let len = u64::from(self.needed()?);
                let skipped = io::copy(&mut self.reader.by_ref().take(len), &mut io::sink())?;
                return if skipped == len { Ok(None) } else { Err(cut()) };
            }
            _ => return Err(wrong()),
        };
        (self.history, self.at, self.end) = (0, WINDOW, WINDOW);
        let len = WINDOW + frame.block_max;
        self.text.resize(self.text.len().max(len), 0);
        Ok(Some(frame))
    }

    fn header(&mut self) -> io::Result<Frame> {
        const VERSION: u8 = 0b0100_0000;
        let mut bytes = [0; 15];
        self.reader.read_exact(&mut bytes[..2])?;
        let [flags, size, ..] = bytes;
        let has = |bit: u8| flags & 1 << bit != 0;
        // With a dictionary that only the writer has; with bits that mean nothing yet.
        if flags & 0b1100_0000 != VERSION || has(0) || has(1) {
            return Err(wrong());
        }
        let len = if has(3) { 10 } else { 2 };
        self.reader.read_exact(&mut bytes[2..=len])?;
        if bytes[len] != (XxHash32::oneshot(0, &bytes[..len]) >> 8) as u8 {
            return Err(wrong());
        }
        let block_max = match size >> 4 & 0b111 {
            n @ 4..=7 => 1 << (8 + 2 * n),
            _ => return Err(wrong()),
        };
        Ok(Frame {
            block_max,
            packed_max: block_max,
            is_linked: !has(5),
            has_block_checksums: has(4),
            content: has(2).then(|| XxHash32::with_seed(0)),
            is_legacy: false,
        })
    }

    /// Reads a block of a frame, or its end: then there is none.
    fn block(&mut self, mut frame: Frame) -> io::Result<Option<Frame>> {
        const IS_STORED: u32 = 1 << 31;
        if frame.is_linked {
            // What was read last is what the next block refers to.
            let read = self.end - WINDOW;
            self.history = (self.history + read).min(WINDOW);
            let from = self.end - self.history..self.end;
            self.text.copy_within(from, WINDOW - self.history);
        }
        (self.at, self.end) = (WINDOW, WINDOW);
        let number = match self.number()? {
            None if frame.is_legacy => return Ok(None),
            None => return Err(cut()),
            // No block is as long as that: it is another frame.
            Some(magic) if frame.is_legacy && magic >= MAGIC_LEGACY => return self.begin(magic),
            Some(number) => number,
        };
        if number == 0 && !frame.is_legacy {
            if let Some(content) = frame.content
                && content.finish() as u32 != self.needed()?
            {
                return Err(wrong());
            }
            return Ok(None);
        }
        let is_stored = !frame.is_legacy && number & IS_STORED != 0;
        let len = (if is_stored {
            number & !IS_STORED
        } else {
            number
        }) as usize;
        if len > frame.packed_max {
            return Err(wrong());
        }
        self.packed.resize(self.packed.len().max(len), 0);
        self.reader.read_exact(&mut self.packed[..len])?;
        if frame.has_block_checksums
            && XxHash32::oneshot(0, &self.packed[..len]) != self.needed()?
        {
            return Err(wrong());
        }
        let packed = &self.packed[..len];
        let (before, text) = self.text.split_at_mut(WINDOW);
        let text = &mut text[..frame.block_max];
        let len = if is_stored {
            text[..len].copy_from_slice(packed);
            len
        } else {
            let history = &before[WINDOW - self.history..];
            block::decompress_into_with_dict(packed, text, history).map_err(|_| wrong())?
        };
        if let Some(content) = &mut frame.content {
            content.write(&text[..len]);
        }
        self.end = WINDOW + len;
        Ok(Some(frame))
    }

    /// The next number; `None` where the input ends before it.
    fn number(&mut self) -> io::Result<Option<u32>> {
        let mut bytes = Vec::with_capacity(4);
        self.reader.by_ref().take(4).read_to_end(&mut bytes)?;
        match <[u8; 4]>::try_from(&*bytes) {
            Ok(bytes) => Ok(Some(u32::from_le_bytes(bytes))),
            Err(_) if bytes.is_empty() => Ok(None),
            Err(_) => Err(cut()),
        }
    }

    /// The next number, which must be there.
    fn needed(&mut self) -> io::Result<u32> {
        self.number()?.ok_or_else(cut)
    }
}

fn cut() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn wrong() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || !self.next()? {
            return Ok(0);
        }
        let n = buf.len().min(self.end - self.at);
        buf[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
