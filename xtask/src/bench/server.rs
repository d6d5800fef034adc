//! The server whose logs are measured: on the loopback interface, writing one log in each of three formats.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::server::{Format, Server, until};

/// Of every user, on a server that nobody else can reach.
pub(super) const PASSWORD: &str = "bench";

/// Who has no password may be on our side of the socket only.
const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n\
                   host all all 127.0.0.1/32 scram-sha-256\n";

/// The log of a load in one format, as the server wrote it.
pub(super) struct Stretch {
    /// The log to copy from.
    pub(super) path: PathBuf,
    /// Where the records of the start of the server end.
    pub(super) start_end: u64,
    /// From where to where no session was open, but for those of the load.
    pub(super) load: std::ops::Range<u64>,
}

/// Who connects in one run of `pgbench`.
#[derive(Clone, Copy)]
pub(super) struct Clients {
    pub(super) user: &'static str,
    pub(super) database: &'static str,
    pub(super) application_name: &'static str,
    /// Over the loopback interface, else the Unix socket.
    pub(super) tcp: bool,
}

/// Makes a data directory and starts the server on it, with these lines beside the usual settings.
///
/// # Errors
/// When the server cannot be made or does not start.
pub(super) fn start(bin: &Path, settings: &str) -> Result<Server> {
    let dir = tempfile::Builder::new()
        .prefix("pgcensus-bench-")
        .tempdir()?;
    let mut server = Server::init(bin, dir, settings, HBA)?;
    server.start(Format::Stderr, &[])?;
    Ok(server)
}

/// Runs a load; says what it wrote into the log.
///
/// # Errors
/// When the load fails, or a session of it does not end.
pub(super) fn record(
    server: &Server,
    prepare: impl FnOnce(&Server) -> Result<()>,
    load: impl FnOnce(&Server) -> Result<()>,
) -> Result<[Stretch; 3]> {
    let start_ends = silence(server)?;
    prepare(server)?;
    let from = silence(server)?;
    load(server)?;
    let to = silence(server)?;
    let stretches = std::array::from_fn(|n| Stretch {
        path: server.log(Format::ALL[n]),
        start_end: start_ends[n],
        load: from[n]..to[n],
    });
    Ok(stretches)
}

/// The lengths of the logs, as soon as nothing is added to them.
fn silence(server: &Server) -> Result<[u64; 3]> {
    let lengths =
        || Format::ALL.map(|format| server.log(format).metadata().map_or(0, |it| it.len()));
    let mut last = lengths();
    until("no session writes into the log", || {
        std::thread::sleep(Duration::from_millis(500));
        let before = std::mem::replace(&mut last, lengths());
        before == last
    })?;
    Ok(last)
}

/// `pgbench` for these clients.
///
/// # Errors
/// When there is none.
pub(super) fn pgbench(server: &Server, clients: Clients) -> Result<Command> {
    let mut pgbench = server.client("pgbench")?;
    pgbench.env("PGAPPNAME", clients.application_name);
    pgbench.env("PGPASSWORD", PASSWORD);
    if clients.tcp {
        pgbench.args(["-h", "127.0.0.1"]);
    } else {
        pgbench.arg("-h").arg(server.socket_dir());
    }
    pgbench.args(["-U", clients.user, clients.database]);
    Ok(pgbench)
}
