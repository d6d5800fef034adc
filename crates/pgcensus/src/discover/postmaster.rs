//! The postmasters that run, out of `/proc`: what they were started with, and where their standard error goes.
//!
//! ```text
//! /proc/812/cmdline   /usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main -c config_file=…
//! /proc/812/cwd       its data directory      } only for its own user and root
//! /proc/812/fd/2      its standard error      }
//! ```
//!
//! A postmaster is a process whose program is called `postgres` and whose parent's is not. Its backends have
//! titles such as `postgres: app shop 127.0.0.1(46846) idle` in place of their arguments, all but for an instant
//! after they were forked. Where there is no such `/proc`, nothing is found.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::settings::under;

/// Names of the server's program: `PostgreSQL`'s own, its old one, and those of EDB.
const PROGRAMS: [&str; 4] = ["postgres", "postmaster", "edb-postgres", "edb-postmaster"];

/// Processes that are looked at; a machine has fewer.
const PROCESSES_MAX: usize = 1 << 20;
/// What is read of a command line or an environment.
const TEXT_MAX: u64 = 1 << 20;

/// A postmaster that runs.
#[derive(Debug, Default)]
pub(super) struct Postmaster {
    pub(super) pid: u32,
    /// The user that it runs as; a number where nobody knows a name.
    pub(super) user: String,
    /// Where its paths hold: the root of all, or its own where it runs in a container.
    pub(super) root: PathBuf,
    /// Its command line.
    pub(super) options: Options,
    /// Its working directory, which is the data directory; `None`: it may not be seen.
    pub(super) cwd: Option<PathBuf>,
    /// `PGDATA`, `PGPORT` and the first working directory of its environment, as far as it may be seen.
    pub(super) environment: Environment,
    /// What its standard error is, as `/proc` says it; `None`: it may not be seen.
    pub(super) stderr: Option<PathBuf>,
    /// Its control group, which names the systemd unit or the container.
    pub(super) cgroup: String,
}

/// What matters of an environment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) pgdata: Option<PathBuf>,
    pub(super) pgport: Option<String>,
    pub(super) pwd: Option<PathBuf>,
}

/// What matters of a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// The program, as it was called.
    pub(super) program: PathBuf,
    /// `-D`
    pub(super) directory: Option<PathBuf>,
    /// `-c name=value`, `--name=value`, and the letters that stand for such; in order.
    pub(super) settings: Vec<(String, String)>,
    /// It does something else than serve: `--single`, `--version`, `-C name`.
    pub(super) is_other: bool,
}

/// All that run below this root, by pid.
pub(super) fn all(root: &Path) -> Vec<Postmaster> {
    let proc = root.join("proc");
    let Ok(entries) = fs::read_dir(&proc) else {
        return Vec::new();
    };
    let mut found: Vec<(Postmaster, u32)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .take(PROCESSES_MAX)
        .filter_map(|pid| look(root, pid))
        .collect();
    found.sort_by_key(|(postmaster, _)| postmaster.pid);
    // Just forked, a child has the command line of its parent.
    let pids: Vec<u32> = found.iter().map(|(postmaster, _)| postmaster.pid).collect();
    found.retain(|(_, parent)| !pids.contains(parent));
    found
        .into_iter()
        .map(|(postmaster, _)| postmaster)
        .collect()
}

/// A process, if it is a postmaster, and its parent.
fn look(root: &Path, pid: u32) -> Option<(Postmaster, u32)> {
    let dir = root.join("proc").join(pid.to_string());
    let words = nul_separated(&dir.join("cmdline"));
    let program = words.first()?.to_string_lossy();
    if program.starts_with("postgres:") || !is_server(&program) {
        return None;
    }
    let options = Options::read(&words);
    if options.is_other {
        return None;
    }
    let status = fs::read_to_string(dir.join("status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u32>().ok()
    };
    let link = |name: &str| fs::read_link(dir.join(name)).ok();
    let own_root = match (
        link("ns/mnt"),
        fs::read_link(root.join("proc/self/ns/mnt")).ok(),
    ) {
        (Some(its), Some(ours)) if its != ours => dir.join("root"),
        _ => root.to_owned(),
    };
    let postmaster = Postmaster {
        pid,
        user: field("Uid:").map_or_else(|| "unknown".to_owned(), |uid| user_name(root, uid)),
        options,
        cwd: link("cwd").map(|cwd| under(&own_root, &cwd)),
        environment: environment(&dir.join("environ")),
        stderr: link("fd/2"),
        cgroup: fs::read_to_string(dir.join("cgroup")).unwrap_or_default(),
        root: own_root,
    };
    Some((postmaster, field("PPid:").unwrap_or(0)))
}

fn is_server(program: &str) -> bool {
    PROGRAMS.contains(&program.rsplit('/').next().unwrap_or(program))
}

/// The texts of a file that ends each with a NUL.
fn nul_separated(path: &Path) -> Vec<OsString> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(TEXT_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    bytes.split(|&byte| byte == 0).map(os_string).collect()
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes.to_owned())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn environment(path: &Path) -> Environment {
    let mut environment = Environment::default();
    for word in nul_separated(path) {
        let text = word.to_string_lossy();
        match text.split_once('=') {
            Some(("PGDATA", value)) => environment.pgdata = Some(value.into()),
            Some(("PGPORT", value)) => environment.pgport = Some(value.to_owned()),
            Some(("PWD", value)) => environment.pwd = Some(value.into()),
            _ => {}
        }
    }
    environment
}

/// The name of a user or group by its number, out of `/etc/passwd` or `/etc/group`; else the number.
pub(super) fn name_of(root: &Path, file: &str, id: u32) -> String {
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    let number = id.to_string();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    found.unwrap_or(number)
}

fn user_name(root: &Path, uid: u32) -> String {
    name_of(root, "etc/passwd", uid)
}

impl Options {
    /// Reads a command line, program first, as `postgres` does: `-D dir`, `-Ddir`, `-ip 5433`, `--name=value`.
    ///
    /// Source: `PostmasterMain` in `src/backend/postmaster/postmaster.c`.
    fn read(words: &[OsString]) -> Options {
        const WITH_VALUE: &str = "BbCcDdfhkNprStvW";
        let mut options = Options::default();
        let mut words = words.iter().map(|word| word.to_string_lossy());
        options.program = PathBuf::from(&*words.next().unwrap_or_default());
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--") {
                match long.split_once('=') {
                    Some((name, value)) => options.set(name, value),
                    // `--single`, `--boot`, `--check`, `--describe-config`, `--version`, `--help`
                    None => options.is_other = true,
                }
                continue;
            }
            let Some(letters) = word.strip_prefix('-') else {
                continue;
            };
            for (at, letter) in letters.char_indices() {
                if !WITH_VALUE.contains(letter) {
                    options.is_other |= matches!(letter, 'V' | '?');
                    continue;
                }
                let rest = &letters[at + letter.len_utf8()..];
                let value = match rest {
                    "" => words.next().unwrap_or_default(),
                    rest => rest.into(),
                };
                options.letter(letter, &value);
                break;
            }
        }
        options
    }

    fn letter(&mut self, letter: char, value: &str) {
        match letter {
            'D' => self.directory = Some(value.into()),
            'C' => self.is_other = true,
            'p' => self.set("port", value),
            'N' => self.set("max_connections", value),
            'c' => {
                let (name, value) = value.split_once('=').unwrap_or((value, ""));
                self.set(name, value);
            }
            _ => {}
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings
            .push((name.replace('-', "_"), value.to_owned()));
    }

    /// The last value of a setting.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let of_name = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let last = self.settings.iter().rev().find(of_name);
        last.map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_the_server_reads_them() {
        let read = |text: &str| {
            let words: Vec<OsString> = text.split(' ').map(OsString::from).collect();
            Options::read(&words)
        };
        let options =
            read("postgres -D /data -ip 5433 -c log_directory=/a -F --log-directory=/b -kX -N50");
        assert_eq!(options.directory.as_deref(), Some(Path::new("/data")));
        assert_eq!(options.get("port"), Some("5433"));
        assert_eq!(options.get("LOG_directory"), Some("/b"));
        assert_eq!(options.get("max_connections"), Some("50"));
        assert!(!options.is_other);
        assert_eq!(read("postgres -D/d -B 9 -p5").directory, Some("/d".into()));
        for other in [
            "--single -D /d",
            "-C port -D /d",
            "--version",
            "-V",
            "--check -D /d",
        ] {
            assert!(read(&format!("postgres {other}")).is_other, "{other}");
        }
        assert_eq!(read("postgres -D").directory, Some("".into()));
        assert!(read("").settings.is_empty());
    }
}
