//! The servers of this machine, their settings and their logs, found without asking any of them.
//!
//! ```text
//! World ─► running postmasters (/proc) ─► $PGDATA ─► the usual places ─► Server: settings, Log ─► advice
//! ```
//!
//! All that is looked up lies below the root of a [`World`], which is another one in tests. Nothing is started, nothing
//! is connected to, and only regular files are opened. Where there is no `/proc` as Linux has it, `$PGDATA` and the usual
//! places remain.

mod access;
pub(crate) mod advice;
mod choice;
pub(crate) mod log;
mod name;
mod places;
mod postmaster;
mod server;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use choice::Choice;
pub(crate) use log::Place;
pub(crate) use name::is_version;
pub(crate) use server::{Server, Way};

use crate::source::server_name;

/// Where servers are looked for.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The directory that is `/`.
    pub(crate) root: PathBuf,
    /// The home directory.
    pub(crate) home: Option<PathBuf>,
    /// `PGDATA`
    pub(crate) pgdata: Option<PathBuf>,
}

impl World {
    /// The machine that this process runs on.
    pub(crate) fn of_process() -> World {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        let is_full = |path: &PathBuf| !path.as_os_str().is_empty();
        World {
            root: PathBuf::from("/"),
            home: path("HOME").filter(is_full),
            pgdata: path("PGDATA").filter(is_full),
        }
    }

    /// All servers that can be found, running ones first.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let mut servers = self.running();
        let pgdata = self.pgdata.as_ref().map(|path| full(path));
        if let Some(pgdata) = pgdata.filter(|path| is_server(path)) {
            self.add(&mut servers, Server::at(&self.root, &pgdata, Way::Named));
        }
        let places = places::configurations(&self.root);
        let data = places::data_directories(&self.root, self.home.as_deref());
        for place in places.into_iter().chain(data) {
            self.add(&mut servers, Server::at(&self.root, &place, Way::Place));
        }
        for server in &mut servers {
            server.finish();
        }
        self.add_orphans(&mut servers);
        name::keep_apart(&mut servers);
        servers
    }

    /// The servers of these data or configuration directories, and what is none.
    pub(crate) fn servers_at(&self, paths: &[PathBuf]) -> (Vec<Server>, Vec<String>) {
        let mut running = self.running();
        let (mut servers, mut problems) = (Vec::new(), Vec::new());
        for path in paths {
            let directory = match path.file_name() {
                Some(name) if name == "postgresql.conf" => path.parent().unwrap_or(path),
                _ => path,
            };
            let directory = full(directory);
            if !is_server(&directory) {
                let what = "neither a data directory nor one with a postgresql.conf";
                problems.push(format!("{}: {what}", path.display()));
                continue;
            }
            let server = Server::at(&self.root, &directory, Way::Named);
            let is_it = |other: &Server| other.key().is_some() && other.key() == server.key();
            match running.iter().position(is_it) {
                Some(at) => servers.push(running.swap_remove(at)),
                None => self.add(&mut servers, server),
            }
        }
        servers.iter_mut().for_each(Server::finish);
        name::keep_apart(&mut servers);
        (servers, problems)
    }

    fn running(&self) -> Vec<Server> {
        let all = postmaster::all(&self.root).into_iter();
        all.map(|process| Server::of_process(&self.root, process))
            .collect()
    }

    /// Adds one that is not among them yet. With a `/proc`, what does not run is known not to.
    fn add(&self, servers: &mut Vec<Server>, mut server: Server) {
        let key = server.key();
        if key.is_some() && servers.iter().any(|other| other.key() == key) {
            return;
        }
        // Some systems hide the processes of others, the first one too.
        let sees_processes = fs::read(self.root.join("proc/1/status")).is_ok();
        server.is_running = if sees_processes { Some(false) } else { None };
        servers.push(server);
    }

    /// Adds the logs at usual places that are no server's yet, by the names of their files.
    fn add_orphans(&self, servers: &mut Vec<Server>) {
        let mut orphans: Vec<Server> = Vec::new();
        for path in places::logs(&self.root) {
            let is_of = |server: &Server| server.log.files.contains(&path);
            if servers.iter().any(is_of) {
                continue;
            }
            let name = server_name(&path);
            if servers.iter().any(|server| server.name == name) {
                continue;
            }
            let known = orphans.iter().position(|orphan| orphan.name == name);
            let at = known.unwrap_or_else(|| {
                let mut orphan = Server::new(&self.root, Way::Place);
                orphan.name.clone_from(&name);
                orphan.log.target = log::Target::Files;
                orphan.log.shown = Some(path.clone());
                orphans.push(orphan);
                orphans.len() - 1
            });
            orphans[at].log.add_file(&self.root, path);
        }
        servers.append(&mut orphans);
    }
}

/// Whether a directory has the data or the configuration of a server, or nobody lets us look.
fn is_server(directory: &Path) -> bool {
    directory.join("postgresql.conf").exists() || places::may_be_data(directory)
}

/// A path that says the same from everywhere, and names what it leads to.
fn full(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
