//! Prometheus' `promtool` for tests: that of the `PATH`, else Debian's, unpacked beside the servers.
//!
//! Its package is not installed: that would start a Prometheus on the machine, and only root may.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{said, servers};

/// The program.
///
/// # Errors
/// When it cannot be had: tests without it would pass for less than they say.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    let here = PathBuf::from("promtool");
    if is_there(&here) {
        return Ok(here);
    }
    unpack().context("promtool cannot be had (`cargo test` does without)")
}

fn unpack() -> Result<PathBuf> {
    let dir = servers::tools()?.join("prometheus");
    let program = dir.join("usr/bin/promtool");
    if is_there(&program) {
        return Ok(program);
    }
    std::fs::create_dir_all(&dir)?;
    if servers::is_root() {
        said(Command::new("apt-get").arg("update"))?;
    }
    said(
        Command::new("apt-get")
            .args(["download", "prometheus"])
            .current_dir(&dir),
    )?;
    let packages = std::fs::read_dir(&dir)?.flatten().map(|entry| entry.path());
    let package = packages
        .filter(|path| path.extension().is_some_and(|deb| deb == "deb"))
        .max();
    let package = package.context("apt-get download left no package")?;
    said(Command::new("dpkg-deb").arg("-x").arg(package).arg(&dir))?;
    if !is_there(&program) {
        bail!("{} does not run", program.display());
    }
    Ok(program)
}

fn is_there(program: &PathBuf) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}
