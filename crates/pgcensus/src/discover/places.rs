//! Where packages, installers and images keep data directories, configurations and logs.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Server;
use super::name::is_version;
use crate::settings::under;

/// A file of the server's own notes is no longer than this.
const TEXT_MAX: u64 = 64 << 10;
/// Data directories that are looked at; further ones are left out.
const FOUND_MAX: usize = 200;

/// Configurations that lie apart from their data: Debian, Ubuntu.
const CONFIGURATIONS: [&str; 1] = ["/etc/postgresql/[0-9]*/*"];

/// Data directories.
const DATA: [&str; 17] = [
    // Debian, Ubuntu, Gentoo, Alpine; the Docker image from 18 on.
    "/var/lib/postgresql/[0-9]*/*",
    // The Docker image; CloudNativePG and others below it.
    "/var/lib/postgresql/data",
    "/var/lib/postgresql/data/pgdata",
    // RHEL, Fedora, openSUSE; with packages of the PostgreSQL project.
    "/var/lib/pgsql/data",
    "/var/lib/pgsql/[0-9]*/data",
    // Arch
    "/var/lib/postgres/data",
    // FreeBSD, OpenBSD, built from source
    "/var/db/postgres/data*",
    "/var/postgresql/data",
    "/usr/local/pgsql/data",
    // Homebrew, MacPorts, EDB's installer
    "/opt/homebrew/var/postgres*",
    "/usr/local/var/postgres*",
    "/home/linuxbrew/.linuxbrew/var/postgres*",
    "/opt/local/var/db/postgresql*/defaultdb",
    "/Library/PostgreSQL/[0-9]*/data",
    "C:\\Program Files\\PostgreSQL\\*\\data",
    // Bitnami's image, Zalando's image
    "/bitnami/postgresql/data",
    "/home/postgres/pgdata/pgroot/data",
];

/// Data directories below the home directory: pgrx, Postgres.app.
const DATA_AT_HOME: [&str; 2] = [".pgrx/data-*", "Library/Application Support/Postgres/var-*"];

/// Logs that lie apart from data directories, in case these cannot be found or entered.
const LOGS: [&str; 4] = [
    "/var/log/postgresql/*.log*",
    "/var/log/postgresql/*.csv*",
    "/var/log/postgresql/*.json*",
    "/var/log/pgsql/*.log*",
];

/// Directories that hold the `postgresql.conf` of a server whose data is elsewhere.
pub(super) fn configurations(root: &Path) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| path.join("postgresql.conf").exists();
    matching(root, &CONFIGURATIONS).filter(is_one).collect()
}

/// Data directories, and directories that may be such and cannot be entered.
pub(super) fn data_directories(root: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let at_home = home.map(|home| matching(home, &DATA_AT_HOME));
    let found = matching(root, &DATA).chain(at_home.into_iter().flatten());
    found.filter(|path| may_be_data(path)).collect()
}

/// Logs at their usual places.
pub(super) fn logs(root: &Path) -> Vec<PathBuf> {
    let is_readable = |path: &PathBuf| path.is_file() && File::open(path).is_ok();
    matching(root, &LOGS).filter(is_readable).collect()
}

/// Where the log of a server without collector lies by habit of those who start it.
pub(super) fn usual_log(server: &Server) -> Option<PathBuf> {
    let data = server.data_directory.as_ref()?;
    let (name, parent) = (data.file_name()?.to_str()?, data.parent()?);
    let version = parent.file_name().unwrap_or_default().to_string_lossy();
    let mut candidates = Vec::new();
    if is_version(&version) {
        // pg_ctlcluster
        let log = format!("/var/log/postgresql/postgresql-{version}-{name}.log");
        candidates.push(under(&server.root, Path::new(&log)));
    }
    if let Some(version) = name.strip_prefix("data-") {
        // pgrx
        candidates.push(parent.join(format!("{version}.log")));
    }
    // Homebrew; pg_ctl -l in scripts, in the manual and in Postgres.app
    candidates.push(parent.join("log").join(format!("{name}.log")));
    for name in ["postgresql.log", "logfile", "server.log", "postmaster.log"] {
        candidates.push(data.join(name));
    }
    candidates.into_iter().find(|path| path.is_file())
}

/// The text of a small file that is one.
pub(super) fn small_text(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(TEXT_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// It holds a `PG_VERSION`, or nobody lets us look.
pub(super) fn may_be_data(path: &Path) -> bool {
    match fs::metadata(path.join("PG_VERSION")) {
        Ok(_) => true,
        Err(err) => err.kind() == std::io::ErrorKind::PermissionDenied && path.is_dir(),
    }
}

/// What these patterns match, in order of the patterns and of names.
fn matching(root: &Path, patterns: &'static [&'static str]) -> impl Iterator<Item = PathBuf> {
    let root = glob::Pattern::escape(&root.to_string_lossy());
    let found = patterns.iter().flat_map(move |pattern| {
        let pattern = match pattern.strip_prefix('/') {
            Some(rest) => format!("{}/{rest}", root.trim_end_matches('/')),
            None if pattern.contains(':') => (*pattern).to_owned(),
            None => format!("{root}/{pattern}"),
        };
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let paths = glob::glob_with(&pattern, options);
        paths.into_iter().flatten().filter_map(Result::ok)
    });
    found.take(FOUND_MAX)
}
