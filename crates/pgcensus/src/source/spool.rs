//! What must be read more than once and can be read only once, kept in a temporary file that has no name: it is gone with the
//! process, however that ends.
//!
//! What came compressed, or is dealt out, is compressed there: a thousandfold bomb does not fill the disk, and of logs a
//! tenth is written.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::sync::Arc;

use super::archive::truncated;
use super::compressed::{self, Compression, Damaged};
use super::file::Kind;
use super::section::Section;
use super::take::Stored;

/// Of zstd: 0.7 GB of log a second, to a tenth.
pub(super) const LEVEL: i32 = 1;

/// Logs, one behind the other.
#[derive(Default)]
pub(super) struct Spool(Option<Arc<File>>);

impl Spool {
    fn file(&mut self) -> io::Result<Arc<File>> {
        Ok(match &self.0 {
            Some(file) => file.clone(),
            None => self.0.insert(Arc::new(tempfile::tempfile()?)).clone(),
        })
    }

    /// Takes in what lies in pieces of another file, each compressed as this is.
    pub(super) fn gather(
        &mut self,
        from: &Arc<File>,
        pieces: impl Iterator<Item = Range<u64>>,
    ) -> io::Result<Section> {
        let file = self.file()?;
        let start = (&*file).stream_position()?;
        for piece in pieces {
            let piece = Section::of_open(from.clone(), piece.start, piece.end - piece.start);
            io::copy(&mut piece.open()?, &mut &*file)?;
        }
        let end = (&*file).stream_position()?;
        Ok(Section::of_open(file, start, end - start))
    }

    /// Takes in what can be read once, so that it can be read again. Fails where the temporary file does; what is wrong
    /// with the bytes is kept with them.
    pub(super) fn keep(
        &mut self,
        text: impl Read,
        compression: Option<Compression>,
        is_plain: bool,
    ) -> io::Result<Stored> {
        let file = self.file()?;
        let start = (&*file).stream_position()?;
        let (size, broken) = if is_plain {
            copy(text, &mut &*file)?
        } else {
            let mut encoder = zstd::stream::write::Encoder::new(&*file, LEVEL)?;
            let copied = copy(text, &mut encoder)?;
            encoder.finish()?;
            copied
        };
        let end = (&*file).stream_position()?;
        let section = Section::of_open(file, start, end - start);
        Ok(Stored {
            kind: if is_plain {
                Kind::Section(section)
            } else {
                Kind::Spooled(section)
            },
            compression,
            size,
            broken,
        })
    }
}

/// All bytes of a log, how many they are, and what is wrong with it behind them. Fails where they cannot be written.
fn copy(mut text: impl Read, file: &mut impl Write) -> io::Result<(u64, Option<Damaged>)> {
    let mut buffer = vec![0; 128 << 10];
    let mut len = 0;
    loop {
        match text.read(&mut buffer) {
            Ok(0) => return Ok((len, None)),
            Ok(n) => {
                file.write_all(&buffer[..n])?;
                len += n as u64;
            }
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => {
                let broken = compressed::damage(&err).unwrap_or(truncated(len));
                return Ok((len, Some(broken)));
            }
        }
    }
}
