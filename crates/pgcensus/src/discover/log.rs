//! Where a server logs to: the files of its logging collector, or whatever its standard error is.
//!
//! ```text
//! logging_collector = on    log_directory/log_filename in each format, and current_logfiles names the live ones
//! logging_collector = off   /proc/PID/fd/2: a file (pg_ctl -l), the journal, a container's pipe, /dev/null
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::{Server, access, places};
use crate::settings::under;

/// Files of a directory that are looked at; further ones are left out and said.
const FILES_MAX: usize = 50_000;

/// The log of a server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// Where it goes.
    pub(crate) target: Target,
    /// The formats in which it is written to files, or would be.
    pub(crate) formats: Vec<&'static str>,
    /// Its files, rotated ones too, as far as they can be read.
    pub(crate) files: Vec<PathBuf>,
    /// Their bytes on disk.
    pub(crate) bytes: u64,
    /// The one that is written now; else the directory of all.
    pub(crate) shown: Option<PathBuf>,
    /// Where the server makes new ones.
    pub(crate) place: Option<Place>,
    /// What could not be read.
    pub(crate) problems: Vec<String>,
}

/// A directory with files of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    set: Set,
    /// It is in the directory of its data: no other writes logs there.
    is_own: bool,
}

impl Place {
    /// Whether a file of this name is the server's.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.set.holds(name) || self.is_own && is_log(name)
    }
}

/// Where a log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    /// Into files.
    Files,
    /// To systemd's journal, with the unit where it is known.
    Journal(Option<String>),
    /// To whoever runs the container; this command shows it.
    Container(String),
    /// To syslog under this name.
    Syslog(String),
    /// Into a pipe, somebody reads it.
    Pipe,
    /// To a terminal.
    Terminal,
    /// To `/dev/null`.
    Nowhere,
    /// To its standard error, of which nothing is known while it is stopped.
    Stderr,
    /// Into a file that has been deleted since.
    Deleted(PathBuf),
    /// That cannot be seen.
    #[default]
    Unknown,
}

impl Target {
    /// One word for it, in data.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Target::Files => "files",
            Target::Journal(_) => "journal",
            Target::Container(_) => "container",
            Target::Syslog(_) => "syslog",
            Target::Pipe => "pipe",
            Target::Terminal => "terminal",
            Target::Nowhere => "nowhere",
            Target::Stderr => "stderr",
            Target::Deleted(_) => "deleted",
            Target::Unknown => "unknown",
        }
    }

    /// Where it goes instead of into files, and what to do.
    pub(crate) fn says(&self) -> String {
        match self {
            Target::Files => "files".to_owned(),
            Target::Journal(unit) => {
                let unit = unit.as_deref().unwrap_or("postgresql");
                format!("the journal; journalctl -u {unit} -o cat | pgcensus -")
            }
            Target::Container(command) => format!("its container; {command} 2>&1 | pgcensus -"),
            Target::Syslog(ident) => {
                format!("syslog, as '{ident}'; name the file that your syslog writes")
            }
            Target::Pipe => {
                "a pipe; give what reads it the log to keep, or turn logging_collector on"
                    .to_owned()
            }
            Target::Terminal => {
                "a terminal; turn logging_collector on, or start it with pg_ctl -l FILE".to_owned()
            }
            Target::Nowhere => {
                "/dev/null; turn logging_collector on, or start it with pg_ctl -l FILE".to_owned()
            }
            Target::Deleted(path) => {
                format!("{}, which has been deleted; restart it", path.display())
            }
            Target::Stderr => {
                "its standard error, which is known only while it runs; name its log".to_owned()
            }
            Target::Unknown => {
                "a place that cannot be seen; sudo pgcensus, or name its log".to_owned()
            }
        }
    }
}

/// Finds out where the server  logs to.
pub(super) fn locate(server: &Server) -> Log {
    let settings = &server.settings;
    let destinations = settings.list("log_destination");
    let is = |word: &str| destinations.iter().any(|destination| destination == word);
    let collected: Vec<&str> = ["stderr", "csvlog", "jsonlog"]
        .into_iter()
        .filter(|format| is(format))
        .collect();
    let live = live_files(server);
    let mut log = Log::default();
    if !live.is_empty() || settings.is_on("logging_collector") && !collected.is_empty() {
        log.formats = collected;
        log.collected(server, live);
    } else if !collected.is_empty() {
        // Without the collector, the others are written as text too.
        log.formats = vec!["stderr"];
        log.stderr(server);
    }
    if is("syslog") && log.target != Target::Files {
        let ident = settings
            .get("syslog_ident")
            .map_or("postgres", |set| &set.value);
        log.target = Target::Syslog(ident.to_owned());
    }
    log
}

/// What `current_logfiles` names: `stderr log/postgresql-2026-11-23.log`. A server that has stopped leaves it behind.
fn live_files(server: &Server) -> Vec<PathBuf> {
    let Some(data) = &server.data_directory else {
        return Vec::new();
    };
    let text = places::small_text(&data.join("current_logfiles")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter(|(format, _)| matches!(*format, "stderr" | "csvlog" | "jsonlog"))
        .map(|(_, path)| server.in_data(data, Path::new(path)))
        .filter(|path| path.is_file())
        .collect()
}

impl Log {
    /// The files of the logging collector.
    fn collected(&mut self, server: &Server, live: Vec<PathBuf>) {
        self.target = Target::Files;
        let directory = Path::new(server.settings.text("log_directory"));
        let directory = match &server.data_directory {
            Some(data) => server.in_data(data, directory),
            None => under(&server.root, directory),
        };
        // In a directory that is not the server's own there may be logs of others.
        let is_own = server
            .data_directory
            .as_ref()
            .is_some_and(|data| directory != *data && directory.starts_with(data));
        let place = Place {
            set: Set::of(server.settings.text("log_filename")),
            directory,
            is_own,
        };
        self.add(server, &place.directory, |name| place.holds(name));
        for file in &live {
            if !self.files.contains(file) {
                self.add_file(&server.machine, file.clone());
            }
        }
        self.shown = live
            .into_iter()
            .next()
            .or_else(|| Some(place.directory.clone()));
        self.place = Some(place);
    }

    /// Where standard error goes.
    fn stderr(&mut self, server: &Server) {
        if let Some(stderr) = server.stderr() {
            match of_descriptor(server, stderr) {
                Ok(path) => self.file_and_older(server, &path),
                Err(target) => self.target = target,
            }
        } else if let Some(path) = places::usual_log(server) {
            self.file_and_older(server, &path);
        } else if let Some(command) = container(server.cgroup()) {
            self.target = Target::Container(command);
        } else if server.is_running == Some(false) {
            self.target = Target::Stderr;
        }
    }

    /// A file and those of its rotation: `pg.log`, `pg.log.1`, `pg.log.2.gz`.
    fn file_and_older(&mut self, server: &Server, path: &Path) {
        self.target = Target::Files;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A file that was renamed and is still written to has the others beside it by their first name.
        let name = match name.rfind(".log") {
            Some(at) if is_rotation(&name[at + 4..]) => &name[..at + 4],
            _ => &*name,
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        self.add(server, directory, |other| {
            other.strip_prefix(name).is_some_and(is_rotation)
        });
        self.shown = Some(path.to_owned());
    }

    /// Adds the regular files of a directory with such names, in order of name.
    fn add(&mut self, server: &Server, directory: &Path, is_ours: impl Fn(&str) -> bool) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(err) => return self.problem(&server.machine, directory, &err),
        };
        let mut entries = entries.filter_map(Result::ok);
        let mut found: Vec<PathBuf> = entries
            .by_ref()
            .take(FILES_MAX)
            .filter(|entry| is_ours(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
            .collect();
        if entries.next().is_some() {
            let many = format!(
                "{}: more than {FILES_MAX} files; name the log itself",
                directory.display()
            );
            self.problems.push(many);
        }
        found.sort();
        let mut denied = found.len();
        for path in found {
            self.add_file(&server.machine, path);
        }
        denied -= self.files.len().min(denied);
        if denied > 1 {
            self.problems.push(format!(
                "{}: {denied} files of it cannot be read",
                directory.display()
            ));
        }
    }

    /// Adds a file, if it can be opened; the first that cannot is said.
    pub(super) fn add_file(&mut self, machine: &Path, path: PathBuf) {
        match File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) => {
                self.bytes += metadata.len();
                self.files.push(path);
            }
            Err(err) if self.problems.is_empty() => self.problem(machine, &path, &err),
            Err(_) => {}
        }
    }

    fn problem(&mut self, machine: &Path, path: &Path, err: &io::Error) {
        let what = access::problem(machine, path, err);
        self.problems.push(format!("{}: {what}", path.display()));
    }
}

/// What `/proc/PID/fd/2` links to: a file, or something else.
fn of_descriptor(server: &Server, link: &Path) -> Result<PathBuf, Target> {
    let text = link.to_string_lossy();
    if text == "/dev/null" {
        return Err(Target::Nowhere);
    }
    if text.starts_with("/dev/pts/") || text.starts_with("/dev/tty") || text == "/dev/console" {
        return Err(Target::Terminal);
    }
    if let Some(path) = text.strip_suffix(" (deleted)") {
        return Err(Target::Deleted(under(&server.root, Path::new(path))));
    }
    if link.has_root() {
        return Ok(under(&server.root, link));
    }
    // `socket:[…]` and `pipe:[…]`
    Err(match (container(server.cgroup()), unit(server.cgroup())) {
        (Some(command), _) => Target::Container(command),
        (None, unit) if text.starts_with("socket:") => Target::Journal(unit),
        (None, _) => Target::Pipe,
    })
}

/// The files that one `log_filename` makes, with what tools add that rotate and compress them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    /// Without `.log`, which csvlog and jsonlog replace.
    stem: Option<Pattern>,
    has_ending: bool,
}

impl Set {
    /// Every escape of `strftime` may be anything.
    fn of(log_filename: &str) -> Set {
        let stem = log_filename.strip_suffix(".log").unwrap_or(log_filename);
        let mut pattern = String::new();
        let mut chars = stem.chars();
        while let Some(c) = chars.next() {
            let escape = if c == '%' { chars.next() } else { None };
            match (c, escape) {
                ('%', Some('%')) => pattern.push('%'),
                ('%', escape) => {
                    // `%-d`, `%Ey`: one more.
                    if matches!(escape, Some('-' | '_' | '^' | '#' | 'E' | 'O')) {
                        chars.next();
                    }
                    // Two of them would mean directories.
                    if !pattern.ends_with('*') {
                        pattern.push('*');
                    }
                }
                (c, _) => pattern += &Pattern::escape(c.encode_utf8(&mut [0; 4])),
            }
        }
        Set {
            stem: Pattern::new(&pattern).ok(),
            has_ending: stem.len() < log_filename.len(),
        }
    }

    fn holds(&self, name: &str) -> bool {
        let matches = |stem: &str| {
            self.stem
                .as_ref()
                .is_some_and(|pattern| pattern.matches(stem))
        };
        [".log", ".csv", ".json"].iter().any(|ending| {
            name.match_indices(ending)
                .any(|(at, _)| matches(&name[..at]) && is_rotation(&name[at + ending.len()..]))
        }) || !self.has_ending && matches(name)
    }
}

/// A name that a log of a server may have.
fn is_log(name: &str) -> bool {
    !name.starts_with('.')
        && [".log", ".csv", ".json"]
            .iter()
            .any(|ending| name.contains(ending))
}

/// What a rotation adds to a name: nothing, `.1`, `-20261123`, each with `.gz` or the like.
fn is_rotation(rest: &str) -> bool {
    let rest = [".gz", ".zst", ".xz", ".bz2", ".lz4", ".Z"]
        .iter()
        .find_map(|ending| rest.strip_suffix(ending))
        .unwrap_or(rest);
    let number = rest.strip_prefix(['.', '-']).unwrap_or(rest);
    rest.is_empty()
        || number.len() < rest.len()
            && number.starts_with(|c: char| c.is_ascii_digit())
            && number
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// The command that shows the log of the container of a control group: the longest hexadecimal number names it.
fn container(cgroup: &str) -> Option<String> {
    let id = cgroup
        .split(|c: char| !c.is_ascii_hexdigit())
        .find(|word| word.len() == 64)?;
    let engine = if cgroup.contains("libpod") {
        "podman"
    } else if cgroup.contains("kubepods") {
        "crictl"
    } else {
        "docker"
    };
    Some(format!("{engine} logs {}", &id[..12]))
}

/// The systemd service of a control group: `0::/system.slice/postgresql-16.service`.
fn unit(cgroup: &str) -> Option<String> {
    let mut units = cgroup.lines().flat_map(|line| line.split('/'));
    let is_plain = |name: &str| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.@:\\".contains(&b))
    };
    units
        .rfind(|part| part.ends_with(".service") && is_plain(part))
        .map(|unit| unit.trim_end_matches(".service").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_filename_makes_a_set_of_files() {
        for (log_filename, name, is_of_it) in [
            (
                "postgresql-%Y-%m-%d_%H%M%S.log",
                "postgresql-2026-11-23_052431.log",
                true,
            ),
            (
                "postgresql-%Y-%m-%d_%H%M%S.log",
                "postgresql-2026-11-23_052431.csv.gz",
                true,
            ),
            ("postgresql-%a.log", "postgresql-Mon.json", true),
            ("postgresql-%a.log", "other-Mon.json", false),
            ("pg.log", "pg.log", true),
            ("pg.log", "pg.log.12.gz", true),
            ("pg.log", "pg.csv-20261122.zst", true),
            ("pg.log", "pg.log.bak", false),
            ("pg.log", "pg2.log", false),
            ("pg[1]%%.txt", "pg[1]%.txt", true),
            ("pg[1]%%.txt", "pg[1]%.txt.csv", true),
            ("pg[1]%%.txt", "pg1%.txt", false),
        ] {
            let holds = Set::of(log_filename).holds(name);
            assert_eq!(holds, is_of_it, "{log_filename} {name}");
        }
    }

    #[test]
    fn control_groups_name_units_and_containers() {
        let id = "0123456789abcdef".repeat(4);
        for (cgroup, unit_name, command) in [
            (
                "0::/system.slice/postgresql-16.service\n".to_owned(),
                Some("postgresql-16"),
                None,
            ),
            (
                "0::/system.slice/system-postgresql.slice/postgresql@16-main.service\n".to_owned(),
                Some("postgresql@16-main"),
                None,
            ),
            (
                "0::/user.slice/user-1000.slice/session-2.scope\n".to_owned(),
                None,
                None,
            ),
            ("0::/$(reboot).service\n".to_owned(), None, None),
            (
                format!("0::/system.slice/docker-{id}.scope\n"),
                None,
                Some("docker logs 0123456789ab"),
            ),
            (
                format!("0::/machine.slice/libpod-{id}.scope/container\n"),
                None,
                Some("podman logs 0123456789ab"),
            ),
            (
                format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope\n"),
                None,
                Some("crictl logs 0123456789ab"),
            ),
        ] {
            assert_eq!(unit(&cgroup).as_deref(), unit_name, "{cgroup}");
            assert_eq!(container(&cgroup).as_deref(), command, "{cgroup}");
        }
    }
}
