//! A server: what its process, its files and its place tell of it.
//!
//! ```text
//! process or directory ─► configuration ─► where its data is ─► version, port, name ─► where it logs to
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::log::Log;
use super::postmaster::{self, Postmaster};
use super::{access, log, name, places};
use crate::settings::{Settings, under};

/// A server of this machine.
#[derive(Debug)]
pub(crate) struct Server {
    /// By the directory of its data, as elsewhere; with as many directories above it as tell it from the others.
    pub(crate) name: String,
    /// How it was found.
    pub(crate) way: Way,
    /// Whether it runs; `None`: that cannot be seen here.
    pub(crate) is_running: Option<bool>,
    /// The postmaster, where it runs and can be seen.
    pub(crate) pid: Option<u32>,
    /// Its user, likewise.
    pub(crate) user: Option<String>,
    /// When it started, in seconds since the epoch; `None`: it does not run, or that may not be read.
    pub(crate) started_s: Option<i64>,
    /// `16`, `9.6`
    pub(crate) version: Option<String>,
    /// Its TCP port, which names its Unix socket too.
    pub(crate) port: Option<u16>,
    /// Its data.
    pub(crate) data_directory: Option<PathBuf>,
    /// Its `postgresql.conf`, where that can be read.
    pub(crate) config_file: Option<PathBuf>,
    /// As the files have them, and its command line.
    pub(crate) settings: Settings,
    /// Where it logs to.
    pub(crate) log: Log,
    /// What could not be read of it, but for the log, and what to do.
    pub(crate) problems: Vec<String>,
    /// The root of the machine.
    pub(super) machine: PathBuf,
    /// Where its paths hold.
    pub(super) root: PathBuf,
    pub(super) process: Option<Postmaster>,
}

/// How a server was found. The first way that leads to a log decides what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// It runs.
    Running,
    /// `$PGDATA`, or the operator named it.
    Named,
    /// It lies at a usual place.
    Place,
}

impl Server {
    /// One of which nothing is known yet.
    pub(crate) fn new(root: &Path, way: Way) -> Server {
        Server {
            name: String::new(),
            way,
            is_running: None,
            pid: None,
            user: None,
            started_s: None,
            version: None,
            port: None,
            data_directory: None,
            config_file: None,
            settings: Settings::default(),
            log: Log::default(),
            problems: Vec::new(),
            machine: root.to_owned(),
            root: root.to_owned(),
            process: None,
        }
    }

    /// One that runs.
    pub(super) fn of_process(machine: &Path, process: Postmaster) -> Server {
        let mut server = Server::new(machine, Way::Running);
        server.root.clone_from(&process.root);
        server.is_running = Some(true);
        server.pid = Some(process.pid);
        server.user = Some(process.user.clone());

        let options = &process.options;
        let environment = &process.environment;
        // What it was started with, which need not be where its data is.
        let given = options.directory.as_ref().or(environment.pgdata.as_ref());
        let absolute = |path: &Path| match &environment.pwd {
            _ if path.has_root() => Some(under(&process.root, path)),
            Some(pwd) => Some(under(&process.root, &pwd.join(path))),
            None => None,
        };
        let given = given.and_then(|path| absolute(path));
        let config_file = match options.get("config_file") {
            Some(path) => absolute(Path::new(path)),
            None => given
                .iter()
                .chain(&process.cwd)
                .map(|directory| directory.join("postgresql.conf"))
                .find(|path| path.exists()),
        };
        let is_data = |path: &&PathBuf| places::may_be_data(path);
        let data = process.cwd.as_ref().filter(is_data).or(given.as_ref());
        server.configure(config_file.as_deref(), data.map(PathBuf::as_path), options);
        if let Some(port) = &environment.pgport
            && server.settings.get("port").is_none()
        {
            server.settings.add_option("port", port);
        }
        server.process = Some(process);
        server
    }

    /// The one whose data or configuration is there.
    pub(super) fn at(root: &Path, directory: &Path, way: Way) -> Server {
        let mut server = Server::new(root, way);
        let beside = directory.join("postgresql.conf");
        let is_data = places::may_be_data(directory);
        let config_file = if beside.exists() {
            Some(beside)
        } else {
            // Debian keeps it apart.
            let version = directory.parent().and_then(Path::file_name);
            let apart = version
                .zip(directory.file_name())
                .map(|(version, cluster)| {
                    let etc = root.join("etc/postgresql");
                    etc.join(version).join(cluster).join("postgresql.conf")
                });
            apart.filter(|path| path.exists())
        };
        let none = postmaster::Options::default();
        server.configure(config_file.as_deref(), is_data.then_some(directory), &none);
        server
    }

    /// Reads its settings, and with them where its data is.
    fn configure(
        &mut self,
        config_file: Option<&Path>,
        data: Option<&Path>,
        options: &postmaster::Options,
    ) {
        if let Some(path) = config_file {
            self.settings = Settings::of_file(&self.root, path);
            self.config_file = Some(path.to_owned());
        }
        let set = options.get("data_directory").map(str::to_owned);
        let set = set.or_else(|| Some(self.settings.get("data_directory")?.value.clone()));
        let set = set.map(|set| under(&self.root, Path::new(&set)));
        self.data_directory = set
            .filter(|set| set.has_root())
            .or(data.map(Path::to_owned));
        if let Some(data) = &self.data_directory {
            self.settings.add_auto(&self.root, data);
        }
        for (name, value) in &options.settings {
            self.settings.add_option(name, value);
        }
    }

    /// What two ways to one server have in common.
    pub(super) fn key(&self) -> Option<PathBuf> {
        let data = self.data_directory.as_ref()?;
        Some(data.canonicalize().unwrap_or_else(|_| data.clone()))
    }

    /// Fills in the rest, once it is known not to be another one's.
    pub(super) fn finish(&mut self) {
        self.read_version();
        self.read_pid_file();
        let port = self.settings.number("port");
        let is_known = !self.settings.files.is_empty() || self.settings.get("port").is_some();
        let set = port
            .filter(|_| is_known)
            .and_then(|port| u16::try_from(port).ok());
        self.port = self.port.or(set);
        self.name = match &self.data_directory {
            Some(_) => self.data_name(1),
            None => self
                .pid
                .map_or_else(|| "server".to_owned(), |pid| format!("pid {pid}")),
        };
        self.tell_unread();
        self.log = log::locate(self);
    }

    fn read_version(&mut self) {
        let file = self
            .data_directory
            .as_ref()
            .map(|data| data.join("PG_VERSION"));
        let text = file.and_then(|file| places::small_text(&file));
        let text = text.map(|text| text.trim().to_owned());
        // Packages have it in paths, which may be all that can be seen: those of data, configuration and program.
        let program = self
            .process
            .as_ref()
            .map(|process| &process.options.program);
        let paths = self
            .data_directory
            .iter()
            .chain(&self.config_file)
            .chain(program);
        let in_path = |path: &PathBuf| {
            let parts = path.iter().filter_map(|part| part.to_str());
            let mut parts = parts.map(|part| part.strip_prefix("pgsql-").unwrap_or(part));
            parts.find(|part| name::is_version(part)).map(str::to_owned)
        };
        let text = text.or_else(|| paths.into_iter().find_map(in_path));
        self.version = text.filter(|text| name::is_version(text));
    }

    /// `postmaster.pid`: pid, data directory, start in epoch seconds, port, …, a line each. Of a server that runs.
    fn read_pid_file(&mut self) {
        if self.is_running == Some(false) {
            return;
        }
        let file = self
            .data_directory
            .as_ref()
            .map(|data| data.join("postmaster.pid"));
        let Some(text) = file.and_then(|file| places::small_text(&file)) else {
            return;
        };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let number = |i: usize| lines.get(i).and_then(|line| line.parse::<i64>().ok());
        self.started_s = number(2);
        self.port = number(3).and_then(|port| u16::try_from(port).ok());
        if self.pid.is_none() {
            self.pid = number(0).and_then(|pid| u32::try_from(pid).ok());
        }
    }

    /// The name by its data directory, as its own system has it.
    pub(super) fn data_name(&self, parts: usize) -> String {
        let data = self.data_directory.as_deref().unwrap_or(Path::new("/"));
        name::of_data(data.strip_prefix(&self.root).unwrap_or(data), parts)
    }

    /// Says what could not be read of it.
    fn tell_unread(&mut self) {
        let problem = |path: &Path, err: &io::Error| {
            let what = access::problem(&self.machine, path, err);
            format!("{}: {what}", path.display())
        };
        if let Some(data) = &self.data_directory
            && let Err(err) = fs::metadata(data.join("PG_VERSION"))
        {
            // One sentence for all that lies in it.
            self.problems.push(problem(data, &err));
            let is_in = |(path, _): &(PathBuf, io::Error)| path.starts_with(data);
            self.settings.unread.retain(|unread| !is_in(unread));
        }
        let unread = self.settings.unread.iter();
        let mut problems: Vec<String> = unread.map(|(path, err)| problem(path, err)).collect();
        match (&self.data_directory, self.is_running) {
            (None, Some(true)) => {
                let user = self.user.as_deref().unwrap_or_default();
                problems.push(format!(
                    "its data directory cannot be seen; sudo pgcensus, or run it as {user}"
                ));
            }
            (Some(data), _) if self.config_file.is_none() && self.problems.is_empty() => {
                let conf = data.join("postgresql.conf");
                if let Err(err) = fs::metadata(&conf) {
                    problems.push(problem(&conf, &err));
                }
            }
            _ => {}
        }
        self.problems.append(&mut problems);
    }

    /// Whether its settings could be read at all.
    pub(crate) fn has_settings(&self) -> bool {
        !self.settings.files.is_empty()
    }

    pub(super) fn stderr(&self) -> Option<&PathBuf> {
        self.process.as_ref()?.stderr.as_ref()
    }

    pub(super) fn cgroup(&self) -> &str {
        self.process.as_ref().map_or("", |process| &process.cgroup)
    }

    /// A path that may be relative to the data directory.
    pub(super) fn in_data(&self, data: &Path, path: &Path) -> PathBuf {
        if path.has_root() {
            under(&self.root, path)
        } else {
            data.join(path)
        }
    }
}
