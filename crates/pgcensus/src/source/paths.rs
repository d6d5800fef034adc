//! Paths as the operator gave them → the files and streams to look at.
//!
//! `pg.log`, `/var/log/postgresql`, `'logs/*.csv'`, `-`; directories are walked in order of name,
//! without what is hidden. Nothing is opened here but lists of paths.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::discover::Place;

use super::growing::Held;
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
    /// The file itself, which is no longer at its path.
    pub(super) held: Option<Held>,
}

/// How a candidate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The operator named it: whatever is wrong with it is said.
    Asked,
    /// It lies in the directory of this number: what is no log there says nothing.
    Walked(usize),
    /// It is a member of a tar: likewise.
    Member,
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
    /// What is not there, and may come since it is followed.
    pub(super) awaited: Vec<PathBuf>,
    follows: bool,
    seen: HashSet<PathBuf>,
}

impl Paths {
    /// All of it is there for a second look: no pipe, and no list out of one.
    pub(super) fn can_be_found_again(&self, request: &Request) -> bool {
        let candidates = self.candidates.iter().map(|candidate| &candidate.path);
        let is_file = |path: &PathBuf| fs::metadata(path).is_ok_and(|path| path.is_file());
        self.stdin.is_none() && candidates.chain(&request.log_lists).all(is_file)
    }

    /// Follows all paths of a request. Those with a server's name come first, so that a file that is
    /// also given without one keeps it.
    pub(super) fn find(request: &Request) -> Paths {
        let mut paths = Paths {
            follows: request.follows,
            ..Paths::default()
        };
        for (server, path) in &request.servers {
            paths.add(path, Some(server));
        }
        for path in &request.paths {
            paths.add(path, None);
        }
        for (server, place) in &request.places {
            paths.add_place(server, place);
        }
        for (number, held) in request.held.iter().enumerate() {
            paths.hold(number, held);
        }
        for list in &request.log_lists {
            match fs::read_to_string(list) {
                Ok(text) => of_list(&text).for_each(|path| paths.add(&path, None)),
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
                None if self.follows => self.awaited.push(path.to_owned()),
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
        if !any && self.follows {
            self.awaited.push(path.to_owned());
        } else if !any {
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
        // Of the directory whose files come one after another.
        let mut canonical: Option<(PathBuf, PathBuf)> = None;
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_file() && !entry.path_is_symlink() => {
                    let path = entry.into_path();
                    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                        continue;
                    };
                    let parent = match &canonical {
                        Some((known, canonical)) if known == parent => canonical,
                        _ => {
                            &canonical
                                .insert((parent.to_owned(), canonicalized(parent)))
                                .1
                        }
                    };
                    let canonical = parent.join(name);
                    self.push_canonical(path, canonical, server, Way::Walked(number));
                }
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
        let canonical = canonicalized(&path);
        self.push_canonical(path, canonical, server, way);
    }

    fn push_canonical(
        &mut self,
        path: PathBuf,
        canonical: PathBuf,
        server: Option<&String>,
        way: Way,
    ) {
        if !self.seen.insert(canonical.clone()) {
            self.repeated.push(path);
            return;
        }
        self.candidates.push(Candidate {
            path,
            canonical,
            server: server.cloned(),
            way,
            held: None,
        });
    }

    /// The files of a server that was found, those that have come since among them.
    fn add_place(&mut self, server: &String, place: &Place) {
        let Ok(entries) = fs::read_dir(&place.directory) else {
            // What was there when it was found is asked for by its names.
            return;
        };
        let paths = entries.filter_map(Result::ok).filter_map(|entry| {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let is_its = is_file && place.holds(&entry.file_name().to_string_lossy());
            is_its.then(|| entry.path())
        });
        let mut paths: Vec<PathBuf> = paths.collect();
        paths.sort();
        for path in paths {
            let canonical = canonicalized(&path);
            if !self.seen.contains(&canonical) {
                self.push_canonical(path, canonical, Some(server), Way::Asked);
            }
        }
    }

    /// A file that was at a path that is asked for, or is a copy of what was.
    fn hold(&mut self, number: usize, held: &Held) {
        let canonical = canonicalized(&held.path);
        if held.is_there() && self.seen.contains(&canonical) {
            return;
        }
        let mut path = held.path.as_os_str().to_owned();
        path.push(format!(" (rotated away, {})", number + 1));
        self.candidates.push(Candidate {
            path: path.into(),
            canonical,
            server: held.server.clone(),
            way: Way::Asked,
            held: Some(held.clone()),
        });
    }
}

/// The paths of a list, one on a line.
pub(super) fn of_list(text: &str) -> impl Iterator<Item = PathBuf> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(PathBuf::from)
}

fn canonicalized(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The text of a path that holds wildcards.
fn pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains(['*', '?', '[']))
}

/// Directories that say how a log is written, not whose it is.
pub(super) const NAMELESS: [&str; 5] = ["log", "pg_log", "stderr", "csvlog", "jsonlog"];

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

/// How compressed files are called; what they are, their first bytes tell.
const COMPRESSED: [&str; 5] = [".gz", ".zst", ".xz", ".bz2", ".lz4"];

/// Whether a file of this name is compressed, by its ending.
pub(crate) fn is_compressed_name(name: &str) -> bool {
    COMPRESSED.iter().any(|ending| name.ends_with(ending))
}

/// The server whose log is a member of a tar, by the same rule: the tar is one more directory, called as the tar is
/// without its endings and without a date, so that the tars of several days are of one server. Of a tar that has no
/// path it is `stdin`.
pub(super) fn member_server_name(tar: Option<&Path>, member: &[u8]) -> String {
    let mut path = match tar {
        Some(tar) => {
            let name = tar.file_name().unwrap_or_default().to_string_lossy();
            tar.with_file_name(tar_name(&name))
        }
        None => PathBuf::from(STDIN),
    };
    let member = String::from_utf8_lossy(member);
    path.extend(
        Path::new(&*member)
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                _ => None,
            }),
    );
    server_name(&path)
}

/// `db1-20261123.tar.gz`, `db1_2026-11-23.tgz`: `db1`.
fn tar_name(file: &str) -> &str {
    const SEPARATORS: [char; 3] = ['-', '_', '.'];
    let ending = [".tar", ".tgz", ".tbz", ".txz", ".tzst"]
        .iter()
        .find_map(|ending| file.rfind(ending));
    let name = ending.map_or(file, |ending| &file[..ending]);
    let date = name.match_indices(SEPARATORS).find(|&(at, _)| {
        let rest = name[at..].chars().filter(|c| !SEPARATORS.contains(c));
        let date: String = rest.take(8).collect();
        at > 0
            && date.len() == 8
            && date.starts_with("20")
            && date.bytes().all(|b| b.is_ascii_digit())
    });
    date.map_or(name, |(at, _)| &name[..at])
}

/// Whether a walk through directories would pass it over: `.git/config`, `a/.b`.
pub(super) fn is_hidden(member: &[u8]) -> bool {
    let mut parts = member.split(|&byte| byte == b'/');
    parts.any(|part| part.starts_with(b".") && part != b"." && part != b"..")
}

/// Whether that is how a log would be called.
pub(super) fn is_named_as_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parts = [".log", ".csv", ".json", "postgres"];
    parts.iter().any(|part| name.contains(part))
}

/// `postgresql-16-main.log.2.gz`: `16/main`.
pub(super) fn debian_cluster(file: &str) -> Option<String> {
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
    for ending in COMPRESSED {
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
    fn members_of_a_tar_are_named_by_its_directories_then_by_itself() {
        for (tar, member, name) in [
            ("/x/logs.tar.gz", "main/log/postgresql.log", "main"),
            (
                "/x/logs.tar",
                "/var/lib/../db7/pg_log/postgresql.log",
                "db7",
            ),
            ("/x/db1.tar.zst", "./pg_log/postgresql.log", "db1"),
            ("/x/db1-20261123.tgz", "pg_log/postgresql.log", "db1"),
            ("/x/db1_2026-11-23_0500.tar.xz", "postgresql.log", "db1"),
            ("/x/20261123.tar", "postgresql.log", "20261123"),
            ("/x/pg_log.tar.gz", "postgresql.log", "x"),
            (
                "/x/db1.tar",
                "var/log/postgresql/postgresql-16-main.log",
                "16/main",
            ),
            ("", "pg_log/postgresql.log", "stdin"),
        ] {
            let path = Some(Path::new(tar)).filter(|_| !tar.is_empty());
            assert_eq!(
                member_server_name(path, member.as_bytes()),
                name,
                "{tar}: {member}"
            );
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
