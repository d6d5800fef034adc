//! Progress of long work: a line on stderr, which is gone before anything is printed.
//!
//! ```text
//!  42 % ▕█████████▌             ▏ 1.2 of 2.9 GB  212.0 MB/s  8 s left
//! ```
//!
//! A thread of its own looks at the counters of the readers ten times a second, so that it costs them nothing.
//! Short work shows nothing.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use crate::source::input::Reading;
use crate::view::text::{bar, cut, duration, left, part_of, percent, size, thousands};

/// Work that takes no longer shows no progress.
const PATIENCE: Duration = Duration::from_millis(400);

/// How often it is drawn.
const TICK: Duration = Duration::from_millis(100);

/// The rate is that of so many ticks, the last five seconds.
const PACE_TICKS: usize = 50;

/// Takes the line away, and puts the cursor where it began.
const CLEAR: &str = "\r\x1b[K";

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
    is_shown: bool,
    begin: Instant,
}

impl Progress {
    /// Shown on a terminal, unless it has no cursor or `--quiet` was given.
    pub(crate) fn new(quiet: bool) -> Progress {
        let has_cursor =
            || std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        Progress {
            is_shown: !quiet && io::stderr().is_terminal() && has_cursor(),
            begin: Instant::now(),
        }
    }

    /// Shows how `reading` gets on with this work until the line is dropped.
    pub(crate) fn show(&self, work: Work, reading: &Arc<Reading>) -> Line {
        if !self.is_shown {
            return Line(None);
        }
        let patience = PATIENCE.saturating_sub(self.begin.elapsed()).max(TICK);
        let (reading, (done, is_done)) = (reading.clone(), channel());
        let draw = move || {
            let mut pace = Pace::default();
            let begin = Instant::now();
            let mut wait = patience;
            while is_done.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = TICK;
                let state = State {
                    read: reading.bytes(),
                    files_read: reading.files(),
                    per_s: pace.per_s(begin.elapsed(), reading.bytes()),
                };
                let width = terminal_size::terminal_size_of(io::stderr());
                let width = width.map_or(80, |(width, _)| usize::from(width.0));
                let line = line(work, &state, width);
                // A terminal that is gone is no reason to stop.
                write!(io::stderr(), "{CLEAR}{line}").ok();
            }
            if wait == TICK {
                write!(io::stderr(), "{CLEAR}").ok();
            }
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

/// How fast it has been lately.
#[derive(Default)]
struct Pace {
    /// When how much had been read; the first is the beginning, or a while ago.
    ticks: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// Bytes in a second, where so many have been read after this time.
    fn per_s(&mut self, after: Duration, read: u64) -> u64 {
        if self.ticks.len() > PACE_TICKS {
            self.ticks.pop_front();
        }
        let (then, before) = self.ticks.front().copied().unwrap_or_default();
        self.ticks.push_back((after, read));
        let passed_s = after.saturating_sub(then).as_secs_f64();
        (read.saturating_sub(before) as f64 / passed_s.max(0.001)) as u64
    }
}

/// How far it is.
struct State {
    read: u64,
    files_read: u64,
    per_s: u64,
}

/// The line for a terminal of `width` columns: as much as there is room for, what matters most first.
fn line(work: Work, state: &State, width: usize) -> String {
    // The terminal writes `^C` behind it, which must not begin another line.
    let width = width.saturating_sub(3);
    let what = match work {
        Work::Look => return cut("looking at the input", width).into_owned(),
        Work::Store => "storing standard input  ",
        Work::FindEnd { .. } => "finding the end  ",
        Work::Read { .. } => "",
    };
    let total = work.total();
    let percent = total.map_or_else(String::new, |total| {
        format!("{:>3} % ", percent(state.read, total))
    });
    let amount = part_of(state.read, total);
    let files = match work {
        Work::Read {
            files: all @ 2.., ..
        } => {
            format!(
                "{} of {} files  ",
                thousands(state.files_read),
                thousands(all)
            )
        }
        _ => String::new(),
    };
    let rate = format!("  {}/s", size(state.per_s));
    let time_left = total
        .filter(|_| state.per_s > 0)
        .map_or_else(String::new, |total| {
            match total.saturating_sub(state.read).div_ceil(state.per_s) {
                s @ 0..60 => format!("  {s} s left"),
                s => format!("  {} left", duration(s.saturating_mul(1000))),
            }
        });
    let room = width.saturating_sub(percent.width() + 1);
    let numbers = format!("{amount}{rate}{time_left}");
    let rest = [
        // The number of files is worth less than a bar.
        Some(format!("{what}{files}{numbers}")).filter(|rest| rest.width() + 13 <= room),
        Some(format!("{what}{numbers}")),
        Some(numbers),
        Some(format!("{amount}{time_left}")),
        Some(amount),
    ]
    .into_iter()
    .flatten()
    .find(|rest| rest.width() <= room)
    .unwrap_or_default();
    // What is left over is the bar's.
    let cells = room.saturating_sub(rest.width() + 2);
    let bar = match (total, work) {
        (Some(total), Work::Read { .. }) if cells >= 8 => {
            let bar = bar(state.read.min(total), total, cells);
            format!("▕{}▏ ", left(&bar, cells))
        }
        _ if total.is_some() => " ".to_owned(),
        _ => String::new(),
    };
    let line = format!("{percent}{bar}{rest}");
    cut(line.trim_end(), width).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn state(read: u64, per_s: u64) -> State {
        State {
            read,
            files_read: 3,
            per_s,
        }
    }

    #[test]
    fn the_line_has_what_there_is_room_for() {
        let read = Work::Read {
            total: Some(29 * GB / 10),
            files: 12,
        };
        let state = state(12 * GB / 10, 212_000_000);
        let lines: Vec<_> = [120, 80, 60, 40, 30, 20, 10, 4]
            .map(|width| format!("|{}|", line(read, &state, width)))
            .into();
        insta::assert_snapshot!(lines.join("\n"), @r"
        | 41 % ▕████████████████████████                                  ▏ 3 of 12 files  1.2 of 2.9 GB  212.0 MB/s  9 s left|
        | 41 % ▕███████▍          ▏ 3 of 12 files  1.2 of 2.9 GB  212.0 MB/s  9 s left|
        | 41 % ▕█████▍       ▏ 1.2 of 2.9 GB  212.0 MB/s  9 s left|
        | 41 %  1.2 of 2.9 GB  9 s left|
        | 41 %  1.2 of 2.9 GB|
        | 41 % ▕███▎    ▏|
        | 41 %|
        |…|
        ");
    }

    #[test]
    fn each_work_has_its_words() {
        let works = [
            Work::Look,
            Work::Store,
            Work::FindEnd { total: 2 * GB },
            Work::Read {
                total: None,
                files: 1,
            },
            Work::Read {
                total: Some(2 * GB),
                files: 1,
            },
        ];
        let mut lines = Vec::new();
        for (read, per_s) in [(0, 0), (812_000_000, 3_000_000), (3 * GB, 3_000_000)] {
            lines.extend(works.map(|work| format!("|{}|", line(work, &state(read, per_s), 80))));
        }
        insta::assert_snapshot!(lines.join("\n"), @r"
        |looking at the input|
        |storing standard input  0 bytes  0 bytes/s|
        |  0 %  finding the end  0 bytes of 2.0 GB  0 bytes/s|
        |0 bytes  0 bytes/s|
        |  0 % ▕                                        ▏ 0 bytes of 2.0 GB  0 bytes/s|
        |looking at the input|
        |storing standard input  812.0 MB  3.0 MB/s|
        | 40 %  finding the end  812.0 MB of 2.0 GB  3.0 MB/s  6 min 36 s left|
        |812.0 MB  3.0 MB/s|
        | 40 % ▕█████████▎             ▏ 812.0 MB of 2.0 GB  3.0 MB/s  6 min 36 s left|
        |looking at the input|
        |storing standard input  3.0 GB  3.0 MB/s|
        |100 %  finding the end  3.0 of 2.0 GB  3.0 MB/s  0 s left|
        |3.0 GB  3.0 MB/s|
        |100 % ▕███████████████████████████████████▏ 3.0 of 2.0 GB  3.0 MB/s  0 s left|
        ");
    }

    #[test]
    fn the_line_leaves_room_for_what_the_terminal_writes() {
        let works = [
            Work::Look,
            Work::Store,
            Work::FindEnd { total: u64::MAX },
            Work::Read {
                total: None,
                files: u64::MAX,
            },
            Work::Read {
                total: Some(u64::MAX),
                files: u64::MAX,
            },
        ];
        for width in 0..200 {
            for (work, read) in works.iter().flat_map(|&work| [(work, 0), (work, u64::MAX)]) {
                for per_s in [0, 1, u64::MAX] {
                    let line = line(work, &state(read, per_s), width);
                    assert!(line.width() <= width.saturating_sub(3), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        let mut read = 0;
        let mut rates = Vec::new();
        for tick in 0..200 {
            // Fast for ten seconds, then slow.
            read += if tick < 100 { 100_000_000 } else { 10_000_000 };
            rates.push(pace.per_s(TICK * (tick + 1), read) / 1_000_000);
        }
        assert_eq!((rates[0], rates[99], rates[199]), (1000, 1000, 100));
        assert!(rates[125] > 400 && rates[125] < 700, "{}", rates[125]);
        assert_eq!(Pace::default().per_s(Duration::ZERO, 0), 0);
    }
}
