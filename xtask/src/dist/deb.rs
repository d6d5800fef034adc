//! The Debian package, made by `dpkg-deb` alone: there is nothing for debhelper to do.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use jiff::Timestamp;

use super::{Dist, place, write};
use crate::{root, said};

const MAINTAINER: &str = "pgcensus <pgcensus@users.noreply.github.com>";

pub(super) fn build(dist: &Dist) -> Result<PathBuf> {
    // The release of the package, beside that of the program.
    let version = format!("{}-1", dist.version);
    let architecture = match &*dist.architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let folder = dist.dir.join("deb");
    let contrib = root().join("contrib");
    fill(dist, &folder, &version)?;
    let control = folder.join("DEBIAN");
    for script in ["postinst", "prerm", "postrm"] {
        let from = contrib.join("debian").join(script);
        place(&from, &control.join(script), 0o755)?;
    }
    write(&control.join("conffiles"), "/etc/pgcensus/pgcensus.toml\n")?;
    let template = fs::read_to_string(contrib.join("debian/control"))?;
    let filled = template
        .replace("@VERSION@", &version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@MAINTAINER@", MAINTAINER)
        .replace("@SIZE@", &kibibytes(&folder)?.to_string());
    write(&control.join("control"), filled)?;
    sums(&folder, &control.join("md5sums"))?;
    let deb = dist
        .dir
        .join(format!("pgcensus_{version}_{architecture}.deb"));
    for folder in folders(&folder)? {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    said(
        Command::new("dpkg-deb")
            .args(["--build", "--root-owner-group", "-Zxz"])
            .args([&folder, &deb])
            .env("SOURCE_DATE_EPOCH", dist.seconds.to_string()),
    )?;
    fs::remove_dir_all(&folder)?;
    Ok(deb)
}

/// What is installed.
fn fill(dist: &Dist, folder: &Path, version: &str) -> Result<()> {
    let contrib = root().join("contrib");
    let share = folder.join("usr/share");
    let doc = share.join("doc/pgcensus");
    place(&dist.binary, &folder.join("usr/bin/pgcensus"), 0o755)?;
    for (from, to) in [
        (
            "systemd/pgcensus.service",
            "usr/lib/systemd/system/pgcensus.service",
        ),
        ("pgcensus.toml", "etc/pgcensus/pgcensus.toml"),
        (
            "debian/lintian-overrides",
            "usr/share/lintian/overrides/pgcensus",
        ),
    ] {
        place(&contrib.join(from), &folder.join(to), 0o644)?;
    }
    for (what, to) in [
        ("complete-bash", "bash-completion/completions/pgcensus"),
        ("complete-zsh", "zsh/vendor-completions/_pgcensus"),
        ("complete-fish", "fish/vendor_completions.d/pgcensus.fish"),
    ] {
        write(&share.join(to), dist.generated(what)?)?;
    }
    let man = dist.generated("man")?;
    write(&share.join("man/man1/pgcensus.1.gz"), gzip(man.as_bytes())?)?;
    place(
        &root().join("docs/manual.md"),
        &doc.join("manual.md"),
        0o644,
    )?;
    let changes = fs::read(root().join("CHANGELOG.md"))?;
    write(&doc.join("changelog.gz"), gzip(&changes)?)?;
    let own = own_changelog(version, dist.seconds)?;
    write(&doc.join("changelog.Debian.gz"), gzip(own.as_bytes())?)?;
    let copyright = fs::read_to_string(contrib.join("debian/copyright"))?;
    write(
        &doc.join("copyright"),
        copyright.replace("@MIT@", &licence()?),
    )
}

/// As a field of `copyright`: indented, a dot for an empty line, without the title and whose it is.
fn licence() -> Result<String> {
    let text = fs::read_to_string(root().join("LICENSE-MIT"))?;
    let (_, terms) = text.split_once("Permission is").context("the terms")?;
    let terms = format!("Permission is{terms}");
    let lines = terms.trim_end().lines().map(|line| match line {
        "" => " .".to_owned(),
        line => format!(" {line}"),
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn own_changelog(version: &str, seconds: i64) -> Result<String> {
    let date = Timestamp::from_second(seconds)?.strftime("%a, %d %b %Y %H:%M:%S +0000");
    Ok(format!(
        "pgcensus ({version}) unstable; urgency=medium\n\n  * What is new is in changelog.gz.\n\n -- {MAINTAINER}  {date}\n"
    ))
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?)
}

/// The files that are installed, as paths from the folder on.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut find = Command::new("find");
    find.args([
        ".", "-path", "./DEBIAN", "-prune", "-o", "-type", "f", "-print",
    ]);
    let mut files: Vec<_> = said(find.current_dir(folder))?
        .lines()
        .map(|file| file.trim_start_matches("./").to_owned())
        .collect();
    files.sort();
    Ok(files)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = said(Command::new("find").arg(folder).args(["-type", "d"]))?;
    Ok(found.lines().map(PathBuf::from).collect())
}

fn kibibytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for file in files(folder)? {
        sum += fs::metadata(folder.join(file))?.len().div_ceil(1024);
    }
    Ok(sum)
}

fn sums(folder: &Path, to: &Path) -> Result<()> {
    let mut md5sum = Command::new("md5sum");
    let sums = said(md5sum.args(files(folder)?).current_dir(folder))?;
    write(to, sums)
}
