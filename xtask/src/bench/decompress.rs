//! `xtask decompress FILE`: what the compression alone costs, as a program of its own; with `--count` what it costs to count the
//! lines of what is decompressed on another thread, which is the least that anybody can do who looks at it.
//!
//! The libraries are those of pgcensus, in the same version with the same features, since both are built
//! from one lock file.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context as _, Result, bail};

/// Decompressed at a time, at most.
const BUFFER_BYTES: usize = 1 << 20;

/// Decompresses the file and drops what it held; prints how many bytes that was.
///
/// # Errors
/// When it cannot be read, or is neither gzip nor zstd.
pub(crate) fn run(path: &str) -> Result<()> {
    let mut reader = reader(path)?;
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

/// Decompresses the file, counts its lines meanwhile, and prints how many there are.
///
/// # Errors
/// As for [`run`].
pub(crate) fn count(path: &str) -> Result<()> {
    let reader = reader(path)?;
    let (send, pieces) = sync_channel::<Vec<u8>>(2);
    let (spent, returned) = sync_channel::<Vec<u8>>(4);
    let decompressing = thread::spawn(move || -> std::io::Result<()> {
        let mut reader = reader;
        loop {
            let mut piece = returned.try_recv().unwrap_or_default();
            piece.clear();
            let n = reader
                .by_ref()
                .take(BUFFER_BYTES as u64)
                .read_to_end(&mut piece)?;
            if n == 0 || send.send(piece).is_err() {
                return Ok(());
            }
        }
    });
    let mut lines = 0;
    for piece in pieces {
        lines += memchr::memchr_iter(b'\n', &piece).count();
        let _ = spent.try_send(piece);
    }
    match decompressing.join() {
        Ok(read) => read.with_context(|| path.to_owned())?,
        Err(_) => bail!("{path}: the library panicked"),
    }
    println!("{lines}");
    Ok(())
}

fn reader(path: &str) -> Result<Box<dyn Read + Send>> {
    let open = || File::open(path).with_context(|| path.to_owned());
    Ok(
        match Path::new(path).extension().and_then(|it| it.to_str()) {
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(open()?)),
            Some("zst") => Box::new(zstd::stream::read::Decoder::new(open()?)?),
            _ => bail!("{path}: neither .gz nor .zst"),
        },
    )
}
