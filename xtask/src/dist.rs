//! `cargo xtask dist`: what people install, in `target/dist`.
//!
//! ```text
//! pgcensus                                the binary, which runs on any Linux of this architecture
//! pgcensus-0.1.0-x86_64-linux.tar.gz      the same with man page, completions, licences and contrib
//! pgcensus_0.1.0-1_amd64.deb              for Debian, Ubuntu and their like
//! ```
//!
//! The binary is linked with the C library of this machine, statically (`libc.a`, which `libc6-dev` has): that needs no other
//! target than the one at hand. What that library would load when it runs, for names of hosts in DNS and for users in LDAP, is
//! not there; pgcensus asks for neither.

mod deb;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{root, run, said, target};

/// What `--generate` makes, and how the file is called where shells and `man` look for it.
const GENERATED: [(&str, &str); 5] = [
    ("man", "pgcensus.1"),
    ("complete-bash", "pgcensus"),
    ("complete-zsh", "_pgcensus"),
    ("complete-fish", "pgcensus.fish"),
    ("complete-powershell", "_pgcensus.ps1"),
];

/// What goes into the archive as it is.
const AS_IT_IS: [&str; 8] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "docs/manual.md",
    "contrib/pgcensus.toml",
    "contrib/systemd/pgcensus.service",
    "contrib/Containerfile",
];

/// What all of it is made of.
struct Dist {
    dir: PathBuf,
    binary: PathBuf,
    version: String,
    /// As Rust calls it: `x86_64`.
    architecture: String,
    /// Of the commit, so that the same commit gives the same files.
    seconds: i64,
}

pub(crate) fn run_all() -> Result<()> {
    let version = said(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names no host")?;
    let dir = target().join("dist");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("{}", dir.display()))?;
    }
    fs::create_dir_all(&dir)?;
    let binary = dir.join("pgcensus");
    strip(&build(host)?, &binary)?;
    needs_nothing(&binary)?;
    let version = said(Command::new(&binary).arg("--version"))?;
    let git = ["log", "-1", "--format=%ct"];
    let seconds = said(Command::new("git").args(git).current_dir(root()))?;
    let dist = Dist {
        version: version.trim().trim_start_matches("pgcensus ").to_owned(),
        architecture: host.split('-').next().unwrap_or_default().to_owned(),
        seconds: seconds.trim().parse().context("the time of the commit")?,
        binary,
        dir,
    };
    for made in [dist.binary.clone(), archive(&dist)?, deb::build(&dist)?] {
        let bytes = fs::metadata(&made)?.len();
        println!("{:5.1} MB  {}", bytes as f64 / 1e6, made.display());
    }
    Ok(())
}

/// A release build in a folder of its own, for it differs from others in all that it links.
fn build(host: &str) -> Result<PathBuf> {
    let folder = target().join("static");
    run(Command::new("cargo")
        .args(["build", "--release", "--locked", "--package", "pgcensus"])
        // With a target, flags are not those of build scripts and of macros, which are loaded.
        .args(["--target", host, "--target-dir"])
        .arg(&folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    Ok(folder.join(host).join("release/pgcensus"))
}

fn strip(from: &Path, to: &Path) -> Result<()> {
    said(
        Command::new("strip")
            .args(["--remove-section=.comment", "-o"])
            .args([to, from]),
    )?;
    Ok(())
}

/// # Errors
/// Where the binary would load libraries.
fn needs_nothing(binary: &Path) -> Result<()> {
    let headers = said(Command::new("readelf").args(["-ld"]).arg(binary))?;
    if headers.contains("INTERP") || headers.contains("NEEDED") {
        bail!("{}: is not static", binary.display());
    }
    Ok(())
}

fn archive(dist: &Dist) -> Result<PathBuf> {
    let name = format!("pgcensus-{}-{}-linux", dist.version, dist.architecture);
    let folder = dist.dir.join("archive");
    let root_of = folder.join(&name);
    place(&dist.binary, &root_of.join("pgcensus"), 0o755)?;
    for (what, file) in GENERATED {
        let folder = if what == "man" { "man" } else { "completions" };
        write(&root_of.join(folder).join(file), &dist.generated(what)?)?;
    }
    for file in AS_IT_IS {
        place(&root().join(file), &root_of.join(file), 0o644)?;
    }
    let archive = dist.dir.join(format!("{name}.tar.gz"));
    said(
        Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
            .arg(format!("--mtime=@{}", dist.seconds))
            .args(["--use-compress-program=gzip -9n", "-cf"])
            .arg(&archive)
            .arg("-C")
            .arg(&folder)
            .arg(&name),
    )?;
    fs::remove_dir_all(&folder)?;
    Ok(archive)
}

impl Dist {
    fn generated(&self, what: &str) -> Result<String> {
        said(Command::new(&self.binary).args(["--generate", what]))
    }
}

/// A copy with its directories.
fn place(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{}", from.display()))?;
    write(to, bytes)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// A file with its directories, which all may read, whatever the umask.
fn write(to: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let folder = to.parent().context("a file in a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(to, bytes).with_context(|| format!("{}", to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o644))?;
    Ok(())
}
