//! Which of the servers are read where nobody names an input, and what is said about it.

use std::path::PathBuf;

use super::log::{Place, Target};
use super::{Server, Way, World};
use crate::view::text::{counted, shown};

/// What is read.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Files with the name of their server.
    pub(crate) inputs: Vec<(String, PathBuf)>,
    /// Where those that collect their logs make new files, likewise.
    pub(crate) places: Vec<(String, Place)>,
    /// A line for each server that is read.
    pub(crate) said: Vec<String>,
    /// A line for each that cannot be, with what to do.
    pub(crate) problems: Vec<String>,
    /// Sessions that ordinary roles can have, where one server is read.
    pub(crate) connections_max: Option<u32>,
}

impl Choice {
    /// The servers that run; if none of them has a log that can be read, `$PGDATA`; if that has none, the usual places.
    pub(crate) fn of(world: &World) -> Choice {
        let servers = world.servers();
        let is_read = |server: &&Server| !server.log.files.is_empty();
        let way = servers
            .iter()
            .filter(is_read)
            .map(|server| server.way)
            .min();
        let mut choice = Choice::default();
        for server in &servers {
            if Some(server.way) == way && is_read(&server) {
                let files = server.log.files.iter().cloned();
                choice
                    .inputs
                    .extend(files.map(|file| (server.name.clone(), file)));
                let place = server.log.place.iter().cloned();
                choice
                    .places
                    .extend(place.map(|place| (server.name.clone(), place)));
                choice.said.push(reads(server));
                choice.connections_max = server.settings.connections_max();
            }
            let is_wanted = way.is_none_or(|way| server.way <= way);
            if is_wanted && !(server.way == Way::Place && way != Some(Way::Place)) {
                choice.problems.extend(problem(server));
            }
        }
        if choice.said.len() > 1 {
            choice.connections_max = None;
        }
        if choice.inputs.is_empty() {
            choice.problems.push(nothing(world, &servers));
        }
        choice
    }
}

/// `server 16/main, PostgreSQL 16, port 5432: reading /var/log/postgresql/postgresql-16-main.log and 3 older files`
fn reads(server: &Server) -> String {
    let log = &server.log;
    let path = match (&log.shown, &log.files[..]) {
        (_, [one]) => one,
        (Some(shown), _) => shown,
        (None, files) => &files[0],
    };
    let others = log.files.iter().filter(|file| *file != path).count() as u64;
    let path = path.display().to_string();
    let path = shown(path.as_bytes());
    let files = match (others, log.files.len() as u64) {
        (0, _) => path.into_owned(),
        (others, all) if others == all => format!("{} in {path}", counted(all, "file", "files")),
        (others, _) => format!("{path} and {} beside it", counted(others, "file", "files")),
    };
    format!("{}: reading {files}", headline(server))
}

/// Why a server is not read, or not wholly.
fn problem(server: &Server) -> Option<String> {
    let log = &server.log;
    let problems = || log.problems.iter().chain(&server.problems);
    let what = if log.target != Target::Files && log.files.is_empty() {
        match (&log.target, problems().next()) {
            (Target::Unknown, Some(problem)) => problem.clone(),
            (target, _) => format!("it logs to {}", target.says()),
        }
    } else if log.files.is_empty() {
        let problem = problems().next().cloned();
        problem.unwrap_or_else(|| match &log.shown {
            Some(path) => format!("{}: no log in it", path.display()),
            None => "no log of it was found".to_owned(),
        })
    } else {
        log.problems.first()?.clone()
    };
    Some(format!("{}: {}", headline(server), shown(what.as_bytes())))
}

fn headline(server: &Server) -> String {
    let mut facts = vec![format!("server {}", shown(server.name.as_bytes()))];
    if let Some(version) = &server.version {
        facts.push(format!("PostgreSQL {version}"));
    }
    if let Some(port) = server.port {
        facts.push(format!("port {port}"));
    }
    if server.is_running == Some(false) {
        facts.push("stopped".to_owned());
    }
    facts.join(", ")
}

/// Where nothing was found.
fn nothing(world: &World, servers: &[Server]) -> String {
    let what = match (servers.is_empty(), &world.pgdata) {
        (false, _) => "no log of a server on this machine can be read",
        (true, Some(_)) => {
            "no server runs on this machine, and none is in PGDATA or at a usual place"
        }
        (true, None) => "no server runs on this machine, and none is at a usual place",
    };
    format!("{what}; name a log file or a directory of them, or pipe a log in")
}
