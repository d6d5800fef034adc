//! Progress of long work: a line on stderr, which is gone before anything is printed.
//!
//! ```text
//!  42 % ▕█████████▌             ▏ 1.22 GB of 2.90 GB  212.04 MB/s  8s left
//! ```
//!
//! indicatif words and draws it. A thread of its own looks at the counters of the readers ten times a second, so that
//! it costs them nothing, and waits first: short work shows nothing.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::source::input::Reading;
use crate::view::text::thousands;

/// Work that takes no longer shows no progress.
const PATIENCE: Duration = Duration::from_millis(400);

/// How often it is drawn.
const TICK: Duration = Duration::from_millis(100);

/// Takes the cursor to the begin of its line.
const HOME: &str = "\x1b[G";

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Finding out what there is to read.
    Look,
    /// Standard input is stored, since its end is needed first.
    Store,
    /// The last record of compressed files is looked for.
    FindEnd { total: u64 },
    /// Everything is read; `None`: nobody knows how much that is.
    Read { total: Option<u64>, files: u64 },
}

/// Whether progress is shown at all, and since when there is work.
pub(crate) struct Progress {
    is_quiet: bool,
    begin: Instant,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Progress {
        Progress {
            is_quiet,
            begin: Instant::now(),
        }
    }

    /// Shows how `reading` gets on with this work until the line is dropped.
    pub(crate) fn show(&self, work: Work, reading: &Arc<Reading>) -> Line {
        // Hidden where stderr is no terminal, or one that has no cursor.
        let bar = ProgressBar::with_draw_target(work.total(), ProgressDrawTarget::stderr());
        if self.is_quiet || bar.is_hidden() {
            return Line(None);
        }
        let mut wait = PATIENCE.saturating_sub(self.begin.elapsed()).max(TICK);
        let (reading, (done, is_done)) = (reading.clone(), channel());
        let draw = move || {
            while is_done.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = TICK;
                let width = terminal_size::terminal_size_of(io::stderr());
                let width = width.map_or(80, |(width, _)| width.0);
                bar.set_style(style(work, &reading, width));
                bar.update(|state| state.set_pos(reading.bytes()));
            }
            bar.finish_and_clear();
        };
        // Without a thread there is work, but no word of it.
        let thread = thread::Builder::new().spawn(draw);
        Line(thread.ok().map(|thread| (done, thread)))
    }
}

/// The line, as long as there is work.
#[must_use = "it is taken away when it is dropped"]
pub(crate) struct Line(Option<(Sender<()>, JoinHandle<()>)>);

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // It has nothing to say that matters.
            thread.join().ok();
        }
    }
}

impl Work {
    /// Bytes that there are to read, where that is known.
    fn total(self) -> Option<u64> {
        match self {
            Work::Look | Work::Store => None,
            Work::FindEnd { total } => Some(total),
            Work::Read { total, .. } => total,
        }
    }
}

/// As much as there is room for in `width` columns, what matters most first.
///
/// The terminal writes `^C` where the cursor is, and behind a full line that would begin another one. So each line
/// is filled by its wide part, which keeps indicatif from filling it, and takes the cursor back to its begin. What was
/// typed before the first one moved the cursor too.
fn style(work: Work, reading: &Reading, width: u16) -> ProgressStyle {
    let line = match (work, width) {
        (Work::Look, _) => "looking at the input{wide_msg}",
        (Work::Store, 50..) => "storing standard input  {read}  {rate}{wide_msg}",
        (Work::Store | Work::Read { total: None, .. }, _) => "{read}  {rate}{wide_msg}",
        (_, ..40) => "{percent:>3} %{wide_msg}",
        (_, ..60) => "{percent:>3} % {read} of {all}{left}{wide_msg}",
        (Work::FindEnd { .. }, _) => {
            "{percent:>3} %  finding the end  {read} of {all}{left}{wide_msg}"
        }
        (Work::Read { files: 2.., .. }, 80..) => {
            "{percent:>3} % ▕{wide_bar}▏ {files_read} of {files} files  {read} of {all}  {rate}{left}"
        }
        (Work::Read { .. }, _) => "{percent:>3} % ▕{wide_bar}▏ {read} of {all}  {rate}{left}",
    };
    let files = match work {
        Work::Read { files, .. } => thousands(files),
        _ => String::new(),
    };
    // indicatif says `0s` of what has not begun.
    let is_begun = reading.bytes() > 0;
    let line = line
        .replace("{files_read}", &thousands(reading.files()))
        .replace("{files}", &files)
        .replace("{read}", "{decimal_bytes}")
        .replace("{all}", "{decimal_total_bytes}")
        .replace("{rate}", "{decimal_bytes_per_sec}")
        .replace("{left}", if is_begun { "  {eta} left" } else { "" });
    ProgressStyle::with_template(&format!("{HOME}{line}{HOME}"))
        .expect("each of these templates can be read")
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike};

    use super::*;

    #[test]
    fn the_line_fits_and_is_gone_after_ctrl_c() {
        let total = 899_990_000;
        let read = |total, files| Work::Read { total, files };
        let works = [
            Work::Look,
            Work::Store,
            Work::FindEnd { total },
            read(None, 1),
            read(Some(total), 1),
            read(Some(total), 12_345),
        ];
        let widths = |work| (25..200).map(move |width| (work, width));
        for (work, width) in works.into_iter().flat_map(widths) {
            let term = InMemoryTerm::new(5, width);
            let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
            let bar = ProgressBar::with_draw_target(work.total(), target);
            let reading = Reading::default();
            for read in [0, 888_880_000, 111_110_000] {
                term.write_str("^C").expect("it is in memory");
                reading.count(read);
                bar.set_style(style(work, &reading, width));
                bar.update(|state| state.set_pos(reading.bytes()));
                let shown = term.contents();
                assert!(
                    !shown.is_empty() && !shown.contains('\n'),
                    "{width}: {shown}"
                );
            }
            term.write_str("^C").expect("it is in memory");
            bar.finish_and_clear();
            assert_eq!(term.contents(), "", "{work:?} {width}");
        }
    }
}
