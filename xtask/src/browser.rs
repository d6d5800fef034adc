//! A browser for tests: Debian's Chromium, and playwright-core from npm, which drives it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::servers::{apt_install, is_root, npm_install, tools};

/// The package that drives a browser, which it does not bring with it.
const DRIVER: &str = "playwright-core";
const VERSION: &str = "1.64.1";

/// Where a browser of Debian is.
const CHROMIUM: &str = "/usr/bin/chromium";

/// What a test of pages needs.
pub(crate) struct Browser {
    /// The program.
    pub(crate) program: PathBuf,
    /// The directory of the driver's `node_modules`.
    pub(crate) driver: PathBuf,
}

/// The browser that the tests want, after installing what is not here.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn find_or_install() -> Result<Browser> {
    let program = Path::new(CHROMIUM);
    if !program.exists() {
        if !is_root() {
            bail!(
                "{CHROMIUM} is not here, and only root may install Debian's chromium (`cargo test` does without a browser)"
            );
        }
        apt_install(&["chromium"]).context("Debian's chromium cannot be installed")?;
    }
    let dir = tools()?.join(format!("{DRIVER}-{VERSION}"));
    let complete = dir.join("complete");
    if !complete.exists() {
        npm_install(&dir, &format!("{DRIVER}@{VERSION}"), &[])
            .with_context(|| format!("{DRIVER} {VERSION} cannot be installed"))?;
        std::fs::write(complete, "")?;
    }
    Ok(Browser {
        program: program.to_owned(),
        driver: dir.join("node_modules"),
    })
}
