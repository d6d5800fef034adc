//! The server whose logs are measured: in a private directory, on the loopback interface, never as
//! root, writing one log in each of three formats, and always stopped, by its pid.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Format;
use crate::{said, servers};

/// How long it may take to start, to fall silent, to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of every user, on a server that nobody else can reach.
pub(super) const PASSWORD: &str = "bench";

/// The log of a load in one format, as the server wrote it.
pub(super) struct Stretch {
    /// The log to copy from.
    pub(super) path: PathBuf,
    /// Where the records of the start of the server end.
    pub(super) start_end: u64,
    /// From where to where no session was open, but for those of the load.
    pub(super) load: std::ops::Range<u64>,
}

/// A data directory and, while it runs, its postmaster.
pub(super) struct Server {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    owner: Option<Owner>,
    postmaster: Option<Child>,
}

/// The user that the server runs as where we are root.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
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

impl Server {
    /// Makes a data directory and starts the server on it, with these lines beside the usual settings.
    ///
    /// # Errors
    /// When the server cannot be made or does not start.
    pub(super) fn start(bin: &Path, settings: &str) -> Result<Server> {
        let dir = tempfile::Builder::new()
            .prefix("pgcensus-bench-")
            .tempdir()?;
        let owner = if servers::is_root() {
            Some(nobody()?)
        } else {
            None
        };
        if let Some(Owner { uid, gid }) = owner {
            chown(dir.path(), Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = Server {
            bin: bin.to_owned(),
            dir,
            port,
            owner,
            postmaster: None,
        };
        let mut initdb = server.owned("initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        said(initdb.arg("-N").arg("-D").arg(server.data()))?;
        let conf = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
             log_destination = 'stderr,csvlog,jsonlog'\nlogging_collector = on\n\
             log_directory = 'log'\nlog_filename = 'postgresql.log'\nlog_rotation_age = 0\n\
             log_rotation_size = 0\nlog_timezone = 'UTC'\nlog_line_prefix = '%m [%p] '\n\
             log_connections = on\nlog_disconnections = on\nfsync = off\nautovacuum = off\n\
             checkpoint_timeout = 1h\nmax_wal_size = 8GB\n{settings}\n",
            server.dir.path().display()
        );
        std::fs::write(server.data().join("postgresql.conf"), conf)?;
        // Who has no password may be on our side of the socket only.
        let hba = "local all postgres trust\nlocal all all scram-sha-256\n\
                   host all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(server.data().join("pg_hba.conf"), hba)?;
        let mut postgres = server.owned("postgres");
        postgres.arg("-D").arg(server.data());
        postgres.stdin(Stdio::null()).stdout(Stdio::null());
        server.postmaster = Some(postgres.stderr(Stdio::null()).spawn()?);
        let log = server.log(Format::Stderr);
        until("the server is ready", || {
            std::fs::read_to_string(&log)
                .is_ok_and(|log| log.contains("ready to accept connections"))
        })?;
        Ok(server)
    }

    /// Runs a load; says what it wrote into the log.
    ///
    /// # Errors
    /// When the load fails, or a session of it does not end.
    pub(super) fn record(
        &self,
        prepare: impl FnOnce(&Server) -> Result<()>,
        load: impl FnOnce(&Server) -> Result<()>,
    ) -> Result<[Stretch; 3]> {
        let start_ends = self.silence()?;
        prepare(self)?;
        let from = self.silence()?;
        load(self)?;
        let to = self.silence()?;
        let stretches = std::array::from_fn(|n| Stretch {
            path: self.log(Format::ALL[n]),
            start_end: start_ends[n],
            load: from[n]..to[n],
        });
        Ok(stretches)
    }

    /// The lengths of the logs, as soon as nothing is added to them.
    fn silence(&self) -> Result<[u64; 3]> {
        let lengths =
            || Format::ALL.map(|format| self.log(format).metadata().map_or(0, |it| it.len()));
        let mut last = lengths();
        until("no session writes into the log", || {
            std::thread::sleep(Duration::from_millis(500));
            let before = std::mem::replace(&mut last, lengths());
            before == last
        })?;
        Ok(last)
    }

    /// Runs SQL as the superuser.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn psql(&self, database: &str, sql: &str) -> Result<()> {
        let mut psql = self.client("psql")?;
        psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]);
        psql.arg(self.dir.path()).args(["-d", database, "-c", sql]);
        said(&mut psql).map(drop)
    }

    /// `pgbench` for these clients.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn pgbench(&self, clients: Clients) -> Result<Command> {
        let mut pgbench = self.client("pgbench")?;
        pgbench.env("PGAPPNAME", clients.application_name);
        if clients.tcp {
            pgbench.args(["-h", "127.0.0.1"]);
        } else {
            pgbench.arg("-h").arg(self.dir.path());
        }
        pgbench.args(["-U", clients.user, clients.database]);
        Ok(pgbench)
    }

    fn log(&self, format: Format) -> PathBuf {
        let log = self.data().join("log/postgresql");
        log.with_extension(format.extension())
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A program of the server, run by its owner. Should we be killed, it goes too.
    fn owned(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if let Some(Owner { uid, gid }) = self.owner {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(self.bin.join(program));
        command.env_remove("PGOPTIONS").env_remove("PGDATA");
        command.env("LC_ALL", "C").current_dir("/");
        command
    }

    /// A program that connects to the server: of its own version, else any.
    fn client(&self, program: &str) -> Result<Command> {
        let own = self.bin.join(program);
        let program = if own.exists() { own } else { program.into() };
        let mut version = Command::new(&program);
        said(version.arg("--version"))
            .context("psql and pgbench are needed: install postgresql-15, or put them into PATH")?;
        let mut command = Command::new(&program);
        command.env_remove("PGOPTIONS").env_remove("PGSERVICE");
        command
            .env("PGPORT", self.port.to_string())
            .env("PGPASSWORD", PASSWORD)
            .current_dir("/");
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else {
            return;
        };
        let kill = format!("kill -s INT {}", postmaster.id());
        let asked = said(Command::new("sh").args(["-c", &kill]));
        let gone = || matches!(postmaster.try_wait(), Ok(Some(_)) | Err(_));
        if asked.is_err() || until("the server stops", gone).is_err() {
            // The others end when they miss it.
            let _ = postmaster.kill();
            let _ = postmaster.wait();
        }
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        ensure!(
            Instant::now() < deadline,
            "after {PATIENCE:?} still not so: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn nobody() -> Result<Owner> {
    let id = |which| -> Result<u32> {
        Ok(said(Command::new("id").args([which, "nobody"]))?
            .trim()
            .parse()?)
    };
    Ok(Owner {
        uid: id("-u")?,
        gid: id("-g")?,
    })
}
