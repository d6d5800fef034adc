//! Nobody reads the output any more: `pgcensus watch | head -2`. A write would tell; in a log where nothing happens, there is
//! none.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether that is so.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Waits for it on a thread, which then calls `wake`.
    ///
    /// # Errors
    /// There can be no more threads.
    #[cfg(unix)]
    pub(super) fn wait(wake: impl FnOnce() + Send + 'static) -> io::Result<Unread> {
        use rustix::event::{PollFd, PollFlags, poll};

        let unread = Unread::default();
        let so = unread.clone();
        std::thread::Builder::new().spawn(move || {
            let stdout = io::stdout();
            // That its reader is gone is told without being asked for; that there is room is not.
            let mut ready = [PollFd::new(&stdout, PollFlags::empty())];
            while matches!(poll(&mut ready, None), Err(rustix::io::Errno::INTR)) {}
            if ready[0]
                .revents()
                .intersects(PollFlags::ERR | PollFlags::HUP)
            {
                so.0.store(true, Ordering::SeqCst);
                wake();
            }
        })?;
        Ok(unread)
    }

    #[cfg(not(unix))]
    pub(super) fn wait(_: impl FnOnce() + Send + 'static) -> io::Result<Unread> {
        Ok(Unread::default())
    }

    /// What a write would end with.
    ///
    /// # Errors
    /// It is so.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}
