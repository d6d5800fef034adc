//! The server's clock, which jumps: hours of log are recorded in minutes.
//!
//! libfaketime adds what a file says to the time that a process asks for. Between two jumps the clock goes on as
//! the real one does, so what takes milliseconds takes milliseconds in the log. Timers of the server know
//! nothing of it: a timeout cannot be driven.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};

use crate::servers;

/// A clock of its own for each server that is started with [`Clock::variables`].
pub(super) struct Clock {
    file: PathBuf,
    /// How far it is ahead of the real one.
    ahead: SignedDuration,
    variables: Vec<(&'static str, String)>,
}

impl Clock {
    /// Shows this time now. Its file goes into this directory, which the server must be able to read.
    ///
    /// # Errors
    /// When there is no libfaketime, or the file cannot be written.
    pub(super) fn new(dir: &Path, now: Timestamp) -> Result<Clock> {
        let file = dir.join("clock");
        let variables = vec![
            ("LD_PRELOAD", library()?),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            // The file is read anew whenever the time is asked for.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Waits are as long as they are.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        let mut clock = Clock {
            file,
            ahead: SignedDuration::ZERO,
            variables,
        };
        clock.set(now)?;
        Ok(clock)
    }

    /// What the server is started with.
    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (*name, &**value)).collect()
    }

    /// What it shows.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// Jumps to this time, unless it is past.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn advance(&mut self, to: Timestamp) -> Result<()> {
        if to > self.now() {
            self.set(to)?;
        }
        Ok(())
    }

    fn set(&mut self, now: Timestamp) -> Result<()> {
        self.ahead = now.duration_since(Timestamp::now());
        // Whoever reads it sees all of the old one or all of the new one.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{:+.6}\n", self.ahead.as_secs_f64()))?;
        Ok(std::fs::rename(new, &self.file)?)
    }
}

/// The path of libfaketime, installed where it is missing.
fn library() -> Result<String> {
    let pattern = || -> Option<PathBuf> {
        let dirs = std::fs::read_dir("/usr/lib").ok()?;
        let libraries = dirs.filter_map(Result::ok);
        let mut libraries = libraries.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        libraries.find(|path| path.exists())
    };
    if pattern().is_none() {
        servers::apt_install(&["libfaketime"]).context("libfaketime is needed")?;
    }
    let path = pattern().context("libfaketime is not where Debian has it")?;
    Ok(path.display().to_string())
}
