//! Where a command writes: to the streams of the process, or for a request to `serve`.
//!
//! ```text
//! pgcensus summary --json pg.log        result ─► stdout, notes ─► stderr
//! GET /api/v1/summary                   result ─► Answer::out, notes ─► Answer::said
//! ```

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::cli::{Output, Target};
use crate::source::input::{Reading, file_of};
use crate::source::{Plan, Stdin};

/// So much is kept of what a command says beside its result; what comes later is dropped.
const SAID_MAX: usize = 16 << 10;

/// Standard input, output and error of a command.
#[derive(Clone, Default)]
pub(crate) enum Streams {
    /// Those of the process.
    #[default]
    Process,
    /// What a request gets.
    Request(Arc<Answer>),
}

/// What a request gets.
pub(crate) struct Answer {
    /// Takes the result.
    out: Mutex<Box<dyn Write + Send>>,
    /// What is said beside it.
    said: Arc<Said>,
    /// The file in which standard input is kept: it is shown as `-`.
    stdin: Option<PathBuf>,
}

impl Answer {
    /// The result goes to `out`.
    pub(super) fn new(
        out: Box<dyn Write + Send>,
        said: Arc<Said>,
        stdin: Option<PathBuf>,
    ) -> Arc<Answer> {
        Arc::new(Answer {
            out: Mutex::new(out),
            said,
            stdin,
        })
    }
}

/// What is said beside a result, at most [`SAID_MAX`] bytes.
#[derive(Default)]
pub(crate) struct Said(Mutex<Vec<u8>>);

impl Said {
    /// So far, without the name of the program before each line.
    pub(crate) fn text(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said);
        let lines = said.lines();
        let lines = lines.map(|line| line.strip_prefix("pgcensus: ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("; ")
    }
}

impl Streams {
    /// Takes what is said beside the result, a line each.
    pub(super) fn err(&self) -> Box<dyn Write + '_> {
        match self {
            Streams::Process => Box::new(io::stderr().lock()),
            Streams::Request(answer) => Box::new(&*answer.said),
        }
    }

    /// Standard input; a request has none.
    pub(super) fn stdin(&self, reading: &Arc<Reading>) -> anyhow::Result<Stdin> {
        match self {
            Streams::Process => Stdin::of_process(reading).context("standard input"),
            Streams::Request(_) => Ok(Stdin::none()),
        }
    }

    /// Standard input that is kept is shown as what it is.
    pub(super) fn settle(&self, plan: &mut Plan) {
        let Streams::Request(answer) = self else {
            return;
        };
        if let Some(path) = &answer.stdin {
            let path = path.display().to_string();
            for log in plan.servers.iter_mut().flat_map(|server| &mut server.files) {
                if log.display == path {
                    "-".clone_into(&mut log.display);
                }
            }
        }
    }

    /// Whether standard input is among what is read, though no longer as such.
    pub(super) fn has_kept_stdin(&self) -> bool {
        matches!(self, Streams::Request(answer) if answer.stdin.is_some())
    }

    /// Opens an output.
    pub(super) fn open(&self, output: &Output) -> anyhow::Result<Box<dyn Write>> {
        Ok(match (&output.target, self) {
            (Target::Stdout, Streams::Process) => {
                Box::new(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
            }
            (Target::Stdout, Streams::Request(answer)) => {
                Box::new(BufWriter::with_capacity(1 << 16, Shared(answer.clone())))
            }
            (Target::File(path), _) => {
                let file = File::create(path).with_context(|| format!("-o {}", path.display()))?;
                Box::new(BufWriter::with_capacity(1 << 16, file))
            }
        })
    }

    /// Whether an output is a terminal.
    pub(super) fn is_terminal(&self, output: &Output) -> bool {
        let is_stdout = output.target == Target::Stdout;
        is_stdout && matches!(self, Streams::Process) && io::stdout().is_terminal()
    }

    /// Whether what is written there may come to the terminal while it is written: what reads a pipe may show it at once.
    pub(super) fn is_on_screen(&self, output: &Output) -> bool {
        let stdout = || file_of(&io::stdout()).and_then(|stdout| stdout.metadata());
        match (&output.target, self) {
            (Target::Stdout, Streams::Process) => !stdout().is_ok_and(|stdout| stdout.is_file()),
            _ => false,
        }
    }
}

impl Write for &Said {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SAID_MAX.saturating_sub(said.len());
        said.extend_from_slice(&buf[..buf.len().min(room)]);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The result for a request.
struct Shared(Arc<Answer>);

impl Write for Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut out = self.0.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.flush()
    }
}
