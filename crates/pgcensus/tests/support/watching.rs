//! `pgcensus watch --json` while it runs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::program::Event;

/// How long something may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// It, with what it has printed.
pub(crate) struct Watch {
    child: Child,
    lines: Receiver<String>,
    /// What it says on stderr.
    notes: Receiver<String>,
    pub(crate) seen: Seen,
}

/// What it has printed.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<Event>,
    open: BTreeMap<i64, usize>,
    taken_back: usize,
    /// Kinds of events that a client turned out to have written.
    undone: Vec<String>,
}

impl Watch {
    pub(crate) fn start(args: &[&str], input: &Path) -> Watch {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
        command.arg("watch").args(args).arg(input);
        Watch::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Watch {
        command.stdin(Stdio::piped());
        Watch::spawn(command)
    }

    /// It reads what it finds.
    pub(crate) fn without_input(mut command: Command) -> Watch {
        command.stdin(Stdio::null());
        Watch::spawn(command)
    }

    fn spawn(mut command: Command) -> Watch {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Watch {
            child,
            lines: lines_of(stdout),
            notes: lines_of(stderr),
            seen: Seen::default(),
        }
    }

    /// All that it prints of this on its standard input, to the end.
    pub(crate) fn feed<'p>(mut self, pieces: impl Iterator<Item = &'p [u8]>) -> Seen {
        let mut stdin = self.child.stdin.take().expect("piped");
        for piece in pieces {
            stdin.write_all(piece).expect("it reads");
        }
        drop(stdin);
        self.rest()
    }

    /// Reads on until it is so; fails where that takes too long.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let begin = Instant::now();
        while !is_so(&self.seen) {
            match self
                .lines
                .recv_timeout(PATIENCE.saturating_sub(begin.elapsed()))
            {
                Ok(line) => self.seen.take(&line),
                Err(RecvTimeoutError::Timeout) => panic!("{what}: open {:?}", self.seen.open),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().expect("a child");
                    let said: Vec<_> = self.notes.try_iter().collect();
                    panic!(
                        "{what}: it ended: {status}; said {said:?}; open {:?}",
                        self.seen.open
                    )
                }
            }
        }
    }

    /// Reads its notes until there is such a one.
    pub(crate) fn until_said(&mut self, what: &str, is_it: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        let mut all = Vec::new();
        loop {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            match self.notes.recv_timeout(left) {
                Ok(said) if is_it(&said) => return,
                Ok(said) => all.push(said),
                Err(err) => panic!("{what}: {err}; said: {all:#?}"),
            }
        }
    }

    /// Ctrl+C; all that it printed.
    pub(crate) fn end(self) -> Seen {
        let kill = format!("kill -s INT {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("a shell").success());
        self.rest()
    }

    fn rest(mut self) -> Seen {
        for line in &self.lines {
            self.seen.take(&line);
        }
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}");
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Seen {
    fn take(&mut self, line: &str) {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"));
        let pid = event.pid.unwrap_or(0);
        let (opens, closes) = match &*event.event {
            "connected" => (1, 0),
            "disconnected" => (0, 1),
            "amended" if event.is_event == Some(false) => {
                self.undone.push(event.amends.clone().expect("its kind"));
                match event.amends.as_deref() {
                    Some("connected") => (0, 1),
                    Some("disconnected") => (1, 0),
                    _ => (0, 0),
                }
            }
            "refused" if event.takes_back => {
                self.taken_back += 1;
                (0, 1)
            }
            _ => (0, 0),
        };
        let count = self.open.entry(pid).or_default();
        *count = (*count + opens).saturating_sub(closes);
        self.open.retain(|_, count| *count > 0);
        self.events.push(event);
    }

    /// Pids of the sessions that are open, ascending.
    pub(crate) fn open(&self) -> Vec<i64> {
        let open = self.open.iter();
        open.flat_map(|(&pid, &count)| vec![pid; count]).collect()
    }

    /// Connected and not taken back, disconnected, refused; without what has not happened.
    pub(crate) fn count(&self) -> [usize; 3] {
        let count = |kind: &str| {
            self.events
                .iter()
                .filter(|event| event.event == kind)
                .count()
                - self.undone.iter().filter(|undone| *undone == kind).count()
        };
        [
            count("connected") - self.taken_back,
            count("disconnected"),
            count("refused"),
        ]
    }
}

/// The lines of a pipe, as they come.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if send.send(line.expect("UTF-8")).is_err() {
                return;
            }
        }
    });
    lines
}

/// Each kind of event with its count, without what was taken back, which `events` does not tell.
pub(crate) fn kinds(events: &[Event]) -> [usize; 3] {
    let count = |kind: &str| events.iter().filter(|event| event.event == kind).count();
    let taken_back = events.iter().filter(|event| event.takes_back).count();
    [
        count("connected") - taken_back,
        count("disconnected"),
        count("refused"),
    ]
}
