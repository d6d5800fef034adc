//! gzip: its members, one behind the other, as gzip itself reads them. Zeros between and behind them are padding, as of tapes
//! and of devices that write whole blocks.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// What is read at once of what is compressed.
const BUFFER: usize = 32 << 10;

/// The decompressed bytes of all members.
pub(super) struct Gzip<R> {
    /// The one at hand; `None` behind the last.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(reader: R) -> Gzip<R> {
        let bytes = BufReader::with_capacity(BUFFER, reader);
        Gzip {
            member: Some(GzDecoder::new(bytes)),
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let n = member.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            if is_over(member.get_mut())? {
                self.member = None;
            } else if let Some(member) = self.member.take() {
                self.member = Some(GzDecoder::new(member.into_inner()));
            }
        }
        Ok(0)
    }
}

/// Steps over zeros; true where nothing comes behind them.
fn is_over(bytes: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let next = bytes.fill_buf()?;
        let zeros = next.iter().take_while(|&&byte| byte == 0).count();
        let (is_over, is_padded) = (next.is_empty(), zeros == next.len());
        bytes.consume(zeros);
        if is_over || !is_padded {
            return Ok(is_over);
        }
    }
}
