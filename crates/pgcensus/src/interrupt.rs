//! Ctrl+C: the first one ends the input, so that what is known by then is shown; the second one ends the program.
//!
//! While nothing has been read that could be shown, the first one ends the program too. The flags are set by the
//! signal's handler itself and not by a thread that it wakes: in `cat pg.log | pgcensus`, Ctrl+C ends `cat` as well, and the
//! end of the pipe must not be taken for the end of the log.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit status of a run that Ctrl+C ended: 128 + SIGINT, as shells have it.
pub(crate) const EXIT_STATUS: u8 = 130;

/// Whether Ctrl+C came. The default is that of a process that does not listen: never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    came: Arc<AtomicBool>,
    /// The next one ends the program.
    is_final: Arc<AtomicBool>,
    /// Readable from the first one on.
    #[cfg(unix)]
    wake: Option<Arc<io::PipeReader>>,
}

impl Interrupt {
    /// Takes over Ctrl+C: for now it ends the program, see [`Interrupt::hold`].
    pub(crate) fn listen() -> io::Result<Interrupt> {
        let interrupt = Interrupt::default();
        interrupt.release();
        interrupt.listen_to(&[SIGINT])
    }

    /// Takes over Ctrl+C and SIGTERM, which end a program that runs for good: it is told so, and ends in order.
    pub(crate) fn listen_to_end() -> io::Result<Interrupt> {
        Interrupt::default().listen_to(&[SIGINT, SIGTERM])
    }

    #[cfg_attr(not(unix), expect(unused_mut, reason = "nothing is woken there"))]
    fn listen_to(mut self, signals: &[i32]) -> io::Result<Interrupt> {
        #[cfg(unix)]
        let (wake, waker) = io::pipe()?;
        for &signal in signals {
            // They run in this order.
            let is_final = &self.is_final;
            flag::register_conditional_shutdown(signal, EXIT_STATUS.into(), is_final.clone())?;
            flag::register(signal, is_final.clone())?;
            flag::register(signal, self.came.clone())?;
            #[cfg(unix)]
            signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        #[cfg(unix)]
        {
            self.wake = Some(Arc::new(wake));
        }
        Ok(self)
    }

    /// From now on there is something to show: the first Ctrl+C ends the input instead of the program.
    pub(crate) fn hold(&self) {
        self.is_final.store(false, Ordering::SeqCst);
        // It may have come just now.
        self.is_final.fetch_or(self.came(), Ordering::SeqCst);
    }

    /// All is read: Ctrl+C ends the program again.
    pub(crate) fn release(&self) {
        self.is_final.store(true, Ordering::SeqCst);
    }

    /// Ctrl+C came: the input ends here.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    /// The input ends here, as if Ctrl+C had come: nobody wants to know any more.
    pub(crate) fn end(&self) {
        self.came.store(true, Ordering::SeqCst);
    }

    /// It has ended one input, and what came of that is to be read now; the next Ctrl+C is a first one again.
    pub(crate) fn answered(&self) {
        self.came.store(false, Ordering::SeqCst);
        self.is_final.store(false, Ordering::SeqCst);
    }

    /// Calls `wake` when Ctrl+C comes, from another thread.
    ///
    /// # Errors
    /// There can be no more threads.
    pub(crate) fn wake(&self, wake: impl FnOnce() + Send + 'static) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(pipe) = self.wake.clone() {
            std::thread::Builder::new().spawn(move || {
                use rustix::event::{PollFd, PollFlags, poll};
                let mut ready = [PollFd::new(&*pipe, PollFlags::IN)];
                while matches!(poll(&mut ready, None), Err(rustix::io::Errno::INTR)) {}
                wake();
            })?;
        }
        #[cfg(not(unix))]
        drop(wake);
        Ok(())
    }

    /// Waits until something can be read from `pipe`, or its end; false: Ctrl+C came.
    #[cfg(unix)]
    pub(crate) fn wait_for(&self, pipe: &File) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, poll};

        let Some(wake) = &self.wake else {
            return Ok(true);
        };
        // Where there is something, as mostly, this is cheaper.
        if rustix::io::ioctl_fionread(pipe).is_ok_and(|bytes| bytes > 0) {
            return Ok(!self.came());
        }
        let mut ready = [
            PollFd::new(pipe, PollFlags::IN),
            PollFd::new(&**wake, PollFlags::IN),
        ];
        while !self.came() {
            match poll(&mut ready, None) {
                // Once one was answered, this returns at once and the read waits.
                Ok(_) => return Ok(!self.came()),
                Err(rustix::io::Errno::INTR) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(false)
    }

    /// Whether to read from a pipe: it is only seen between two reads.
    #[cfg(not(unix))]
    pub(crate) fn wait_for(&self, _: &File) -> io::Result<bool> {
        Ok(!self.came())
    }
}
