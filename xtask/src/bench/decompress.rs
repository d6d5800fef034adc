//! `xtask decompress FILE`: what the compression alone costs, as a program of its own.
//!
//! The libraries are those of pgcensus, in the same version with the same features, since both are built
//! from one lock file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Decompressed at a time, at most.
const BUFFER_BYTES: usize = 1 << 20;

/// Decompresses the file and drops what it held; prints how many bytes that was.
///
/// # Errors
/// When it cannot be read, or is neither gzip nor zstd.
pub(crate) fn run(path: &str) -> Result<()> {
    let open = || File::open(path).with_context(|| path.to_owned());
    let mut reader: Box<dyn Read> = match Path::new(path).extension().and_then(|it| it.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(open()?)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(open()?)?),
        _ => bail!("{path}: neither .gz nor .zst"),
    };
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        match reader.read(&mut buffer).with_context(|| path.to_owned())? {
            0 => break,
            n => bytes += n,
        }
    }
    println!("{bytes}");
    Ok(())
}
