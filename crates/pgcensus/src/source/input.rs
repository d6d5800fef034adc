//! The bytes of a log on their way in: counted where they leave the disk or the pipe, ended by Ctrl+C.
//!
//! ```text
//! plain file ──────────────────────────────► reader     counted by the chunk
//! a tar's log ─► spool, then one of these: `archive.rs`  what came of a pipe is counted anew
//! compressed ─► Counted ─► undo ─► Ahead ──► Input      counted before decompression, as its size is known
//! pipe ───────► Piped (─► undo) ───────────► Input      counted as it comes; Ctrl+C ends a wait for more
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::interrupt::Interrupt;

/// How far the reading has come, and whether it goes on.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    bytes: AtomicU64,
    files: AtomicU64,
    pub(crate) interrupt: Interrupt,
    pub(crate) late: Late,
}

/// Whether another server came in a log that was read as that of the one server which its begin names: then all that was read
/// is in vain, since it is to be known before which servers there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late(Arc<AtomicBool>);

/// See [`Late`].
#[derive(Debug)]
pub(crate) struct LateServer;

impl Late {
    pub(super) fn comes(&self) -> io::Error {
        self.0.store(true, Ordering::SeqCst);
        io::Error::other(LateServer)
    }

    /// # Errors
    /// One came.
    pub(crate) fn check(&self) -> Result<(), LateServer> {
        let has_come = self.0.load(Ordering::SeqCst);
        if has_come { Err(LateServer) } else { Ok(()) }
    }
}

impl std::error::Error for LateServer {}

impl std::fmt::Display for LateServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is of more servers than its begin names")
    }
}

impl Reading {
    pub(crate) fn new(interrupt: &Interrupt) -> Arc<Reading> {
        Arc::new(Reading {
            interrupt: interrupt.clone(),
            ..Reading::default()
        })
    }

    /// Bytes that were read, compressed where they are.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Files that were read to their end.
    pub(crate) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// What was read so far is read again, and is counted then.
    pub(crate) fn begin_again(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// One more was.
    pub(crate) fn file_is_over(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// So many more were read.
    pub(crate) fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What can be read once, from the begin to the end: a compressed file or a pipe.
pub(crate) struct Input {
    /// Decompressed, without a byte order mark.
    pub(super) bytes: Box<dyn Read + Send>,
    pub(super) reading: Arc<Reading>,
    /// It is Ctrl+C that ends it, at its origin: all that came is read.
    pub(super) is_piped: bool,
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.is_piped && self.reading.interrupt.came() {
            return Ok(0);
        }
        match self.bytes.read(buf) {
            // What is compressed breaks off then, and is not damaged.
            Err(_) if self.reading.interrupt.came() => Ok(0),
            read => read,
        }
    }
}

/// Counts what is read from a compressed file.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) reading: Arc<Reading>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.reading.count(n as u64);
        Ok(n)
    }
}

/// A pipe, a socket or a terminal, which may have nothing to say for hours: it ends where Ctrl+C comes.
pub(crate) struct Piped {
    inner: File,
    reading: Arc<Reading>,
}

/// Bytes that a pipe shall hold: as many as one that has no privileges may ask for.
#[cfg(target_os = "linux")]
const PIPE_SIZE: usize = 1 << 20;

impl Piped {
    pub(crate) fn new(inner: File, reading: &Arc<Reading>) -> Piped {
        // Whoever writes and we wait for each other less often. What is no pipe, or may not grow, does as it is.
        #[cfg(target_os = "linux")]
        rustix::pipe::fcntl_setpipe_size(&inner, PIPE_SIZE).ok();
        Piped {
            inner,
            reading: reading.clone(),
        }
    }
}

impl Read for Piped {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let interrupt = &self.reading.interrupt;
        interrupt.hold();
        if !interrupt.wait_for(&self.inner)? {
            return Ok(0);
        }
        let n = self.inner.read(buf)?;
        self.reading.count(n as u64);
        Ok(n)
    }
}

/// What stdin or stdout is, without the buffer of the standard library, which holds back what is waited for.
#[cfg(unix)]
pub(crate) fn file_of(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// What stdin or stdout is, without the buffer of the standard library, which holds back what is waited for.
#[cfg(windows)]
pub(crate) fn file_of(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    Ok(stream.as_handle().try_clone_to_owned()?.into())
}
