//! Standard input, kept in a file that is followed: a screen reads what it shows more than once.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use tempfile::TempDir;

use crate::view::text::size;

/// So much is kept; beyond it, it begins anew, which is said.
const STDIN_MAX: u64 = 4 << 30;

/// The file, as long as this lives.
pub(in crate::command) struct Kept {
    _dir: TempDir,
    pub(in crate::command) path: PathBuf,
    /// Why it is not all of it.
    pub(in crate::command) problem: Arc<Mutex<Option<String>>>,
}

impl Kept {
    /// Keeps what comes until the process ends.
    pub(in crate::command) fn of(mut reader: Box<dyn Read + Send>) -> anyhow::Result<Kept> {
        let dir = TempDir::new().context("a temporary directory for standard input")?;
        let path = dir.path().join("stdin.log");
        let mut file =
            std::fs::File::create(&path).context("a temporary file for standard input")?;
        let problem = Arc::default();
        let said: Arc<Mutex<Option<String>>> = Arc::clone(&problem);
        let say = move |text: String| {
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        };
        let mut keep = move || -> io::Result<()> {
            loop {
                let n = io::copy(&mut reader.by_ref().take(STDIN_MAX), &mut file)?;
                if n < STDIN_MAX {
                    return Ok(());
                }
                let kept = size(STDIN_MAX);
                say(format!(
                    "standard input: of more than {kept}, what came first is dropped"
                ));
                file.set_len(0)?;
                io::Seek::rewind(&mut file)?;
            }
        };
        let said = Arc::clone(&problem);
        thread::Builder::new().spawn(move || {
            if let Err(err) = keep() {
                let text = format!(
                    "standard input cannot be kept in a temporary file any more ({err}); set TMPDIR to a directory with room for it"
                );
                *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
        })?;
        Ok(Kept {
            _dir: dir,
            path,
            problem,
        })
    }
}
