//! Paths as the operator gave them → the files and streams to look at.
//!
//! `pg.log`, `/var/log/postgresql`, `'logs/*.csv'`, `-`; directories are walked in order of name,
//! without what is hidden. Nothing is opened here but lists of paths.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{Problem, Request, STDIN};

/// Something to look at.
#[derive(Debug)]
pub(super) struct Candidate {
    /// As it is opened and shown.
    pub(super) path: PathBuf,
    /// Without links and `..`, for names.
    pub(super) canonical: PathBuf,
    /// The name of `--server`.
    pub(super) server: Option<String>,
    /// How it came here.
    pub(super) way: Way,
}

/// How a candidate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The operator named it: whatever is wrong with it is said.
    Asked,
    /// It lies in the directory of this number: what is no log there says nothing.
    Walked(usize),
}

/// What the paths of a request lead to.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// In order, each once.
    pub(super) candidates: Vec<Candidate>,
    /// Stdin was asked for, and is the log of this server.
    pub(super) stdin: Option<String>,
    /// The directories that were walked.
    pub(super) directories: Vec<PathBuf>,
    /// What was given more than once, as seen the second time.
    pub(super) repeated: Vec<PathBuf>,
    /// What could not be found or entered.
    pub(super) problems: Vec<Problem>,
    seen: HashSet<PathBuf>,
}

impl Paths {
    /// Follows all paths of a request. Those with a server's name come first, so that a file that is
    /// also given without one keeps it.
    pub(super) fn find(request: &Request) -> Paths {
        let mut paths = Paths::default();
        for (server, path) in &request.servers {
            paths.add(path, Some(server));
        }
        for path in &request.paths {
            paths.add(path, None);
        }
        for list in &request.log_lists {
            match fs::read_to_string(list) {
                Ok(text) => {
                    let lines = text.lines().map(str::trim);
                    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                        paths.add(Path::new(line), None);
                    }
                }
                Err(err) => paths.problems.push(Problem::of(list, &err)),
            }
        }
        paths
    }

    fn add(&mut self, path: &Path, server: Option<&String>) {
        if path == Path::new("-") {
            let name = || server.map_or(STDIN, String::as_str).to_owned();
            self.stdin.get_or_insert_with(name);
            return;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.walk(path, server),
            Ok(_) => self.push(path.to_owned(), server, Way::Asked),
            Err(err) if err.kind() == io::ErrorKind::NotFound => match pattern(path) {
                Some(pattern) => self.expand(path, pattern, server),
                None => self.problems.push(Problem::of(path, &err)),
            },
            Err(err) => self.problems.push(Problem::of(path, &err)),
        }
    }

    fn expand(&mut self, path: &Path, pattern: &str, server: Option<&String>) {
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let found = match glob::glob_with(pattern, options) {
            Ok(found) => found,
            Err(err) => {
                let message = format!("{} at position {}", err.msg, err.pos);
                self.problems.push(Problem::new(path, message));
                return;
            }
        };
        let mut any = false;
        for entry in found {
            any = true;
            match entry {
                // What matched may have vanished since, or hold a `*` itself: no pattern again.
                Ok(path) if path.is_dir() => self.walk(&path, server),
                Ok(path) => self.push(path, server, Way::Asked),
                Err(err) => self.problems.push(Problem::of(err.path(), err.error())),
            }
        }
        if !any {
            self.problems
                .push(Problem::new(path, "no file has such a name".to_owned()));
        }
    }

    fn walk(&mut self, directory: &Path, server: Option<&String>) {
        let number = self.directories.len();
        self.directories.push(directory.to_owned());
        let entries = WalkDir::new(directory)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| {
                entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
            });
        for entry in entries {
            match entry {
                // Only regular files: opening a pipe that nobody writes waits for ever.
                Ok(entry) if entry.file_type().is_file() => {
                    self.push(entry.into_path(), server, Way::Walked(number));
                }
                Ok(_) => {}
                Err(err) => {
                    let Some(io) = err.io_error() else {
                        // A loop of links: all in it has been seen.
                        continue;
                    };
                    // A dangling link has no bytes to miss.
                    if io.kind() != io::ErrorKind::NotFound {
                        let path = err.path().unwrap_or(directory);
                        self.problems.push(Problem::of(path, io));
                    }
                }
            }
        }
    }

    fn push(&mut self, path: PathBuf, server: Option<&String>, way: Way) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !self.seen.insert(canonical.clone()) {
            self.repeated.push(path);
            return;
        }
        self.candidates.push(Candidate {
            path,
            canonical,
            server: server.cloned(),
            way,
        });
    }
}

/// The text of a path that holds wildcards.
fn pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains(['*', '?', '[']))
}

/// Directories that say how a log is written, not whose it is.
const NAMELESS: [&str; 5] = ["log", "pg_log", "stderr", "csvlog", "jsonlog"];

/// The server whose log lies at this path, where nobody says it: the nearest directory that is not
/// called `log`, `pg_log`, `stderr`, `csvlog` or `jsonlog`. Debian and Ubuntu keep the logs of all servers
/// in one directory and name the file after version and cluster, as `pg_lsclusters` does: `16/main`.
pub(crate) fn server_name(canonical: &Path) -> String {
    if let Some(cluster) = canonical
        .file_name()
        .and_then(|name| debian_cluster(name.to_str()?))
    {
        return cluster;
    }
    canonical
        .ancestors()
        .skip(1)
        .filter_map(Path::file_name)
        .map(|name| name.to_string_lossy())
        .find(|name| !NAMELESS.contains(&&**name))
        .map_or_else(|| "server".to_owned(), std::borrow::Cow::into_owned)
}

/// `postgresql-16-main.log.2.gz`: `16/main`.
fn debian_cluster(file: &str) -> Option<String> {
    let (version, rest) = file.strip_prefix("postgresql-")?.split_once('-')?;
    let (cluster, _) = rest
        .split_once(".log")
        .or_else(|| rest.split_once(".csv"))
        .or_else(|| rest.split_once(".json"))?;
    let is_version =
        matches!(version.len(), 2 | 3) && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // `postgresql-11-23_0500.log` would be a date.
    let is_cluster = cluster
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic());
    (is_version && is_cluster).then(|| format!("{version}/{cluster}"))
}

/// Orders the names of a rotated set, oldest first: `pg.log.2.gz`, `pg.log.1`,
/// `pg.log-20261122`, `pg.log`; others as they sort.
pub(super) fn rotation(path: &str) -> (String, Turn) {
    let mut name = path;
    for ending in [".gz", ".zst", ".xz", ".bz2", ".lz4"] {
        name = name.strip_suffix(ending).unwrap_or(name);
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((stem, number)) = name.rsplit_once('.')
        && number.len() <= 6
        && digits(number)
    {
        let age = number.parse().unwrap_or(u32::MAX);
        return (stem.to_owned(), Turn::Numbered(std::cmp::Reverse(age)));
    }
    if let Some((stem, date)) = name.rsplit_once('-')
        && (6..=14).contains(&date.len())
        && digits(date)
        && [".log", ".csv", ".json"].iter().any(|e| stem.ends_with(e))
    {
        return (stem.to_owned(), Turn::Dated(date.to_owned()));
    }
    (name.to_owned(), Turn::Current)
}

/// Which of a rotated set a name is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// `.3` was written before `.2`.
    Numbered(std::cmp::Reverse<u32>),
    /// `-20261122`
    Dated(String),
    /// The one that is written now, or a name of its own.
    Current,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_by_the_nearest_directory_that_names_one() {
        for (path, name) in [
            ("/var/lib/pg/main/log/postgresql.log", "main"),
            ("/logs/db7/stderr/log/pg_log/postgresql.log.1", "db7"),
            ("/var/log/postgresql/postgresql-16-main.log", "16/main"),
            (
                "/var/log/postgresql/postgresql-9.6-old.db.log.2.gz",
                "9.6/old.db",
            ),
            ("/srv/pg/log/postgresql-2026-11-23_052431.log", "pg"),
            ("/srv/pg/log/postgresql-Mon.log", "pg"),
            ("/pg.log", "server"),
        ] {
            assert_eq!(server_name(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn rotated_names_sort_oldest_first() {
        let mut names = vec![
            "a/pg.log",
            "a/pg.log.1",
            "a/pg.log.10.gz",
            "a/pg.log.2.bz2",
            "b.log-20261123.xz",
            "b.log",
            "b.log-20261122",
        ];
        names.sort_by_cached_key(|name| rotation(name));
        assert_eq!(
            names,
            [
                "a/pg.log.10.gz",
                "a/pg.log.2.bz2",
                "a/pg.log.1",
                "a/pg.log",
                "b.log-20261122",
                "b.log-20261123.xz",
                "b.log"
            ]
        );
    }
}
