//! A server of our own, whose logs are recorded or measured: in a private directory, never as root, and
//! always stopped, by its pid.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::{said, servers};

/// How long it may take to start, to fall silent, to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a log is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Stderr,
    Csvlog,
    Jsonlog,
}

impl Format {
    pub(crate) const ALL: [Format; 3] = [Format::Stderr, Format::Csvlog, Format::Jsonlog];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Stderr => "stderr",
            Format::Csvlog => "csvlog",
            Format::Jsonlog => "jsonlog",
        }
    }

    /// That of the file the server writes.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Stderr => "log",
            Format::Csvlog => "csv",
            Format::Jsonlog => "json",
        }
    }
}

/// A data directory and, while it runs, its postmaster.
pub(crate) struct Server {
    bin: PathBuf,
    dir: TempDir,
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

impl Server {
    /// Makes a data directory below this one, with these lines beside the usual settings and these rules of
    /// `pg_hba.conf`. The superuser `postgres` needs no password over the Unix socket.
    ///
    /// # Errors
    /// When that cannot be made.
    pub(crate) fn init(bin: &Path, dir: TempDir, settings: &str, hba: &str) -> Result<Server> {
        let owner = if servers::is_root() {
            Some(nobody()?)
        } else {
            None
        };
        if let Some(Owner { uid, gid }) = owner {
            chown(dir.path(), Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let server = Server {
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
            server.socket_dir().display()
        );
        std::fs::write(server.data().join("postgresql.conf"), conf)?;
        std::fs::write(server.data().join("pg_hba.conf"), hba)?;
        Ok(server)
    }

    /// Starts it, with these variables and options, and waits until its log says that it takes sessions.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn start(&mut self, log: Format, with: &[(&str, &str)]) -> Result<()> {
        let before = self.times_ready(log);
        let mut postgres = self.owned_with("postgres", with);
        postgres.arg("-D").arg(self.data());
        postgres.stdin(Stdio::null()).stdout(Stdio::null());
        self.postmaster = Some(postgres.stderr(Stdio::null()).spawn()?);
        self.until_ready(log, before)
    }

    /// Waits until its log says once more that it takes sessions.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn until_ready(&self, log: Format, times_before: usize) -> Result<()> {
        until("the server is ready", || {
            self.times_ready(log) > times_before
        })
    }

    /// How often its log says that it takes sessions.
    pub(crate) fn times_ready(&self, log: Format) -> usize {
        let log = std::fs::read(self.log(log)).unwrap_or_default();
        memchr::memmem::find_iter(&log, "ready to accept connections").count()
    }

    /// Stops it as `pg_ctl stop` does: sessions are ended.
    ///
    /// # Errors
    /// When it does not stop; then it is killed.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(mut postmaster) = self.postmaster.take() else {
            return Ok(());
        };
        let kill = format!("kill -s INT {}", postmaster.id());
        let gone = || matches!(postmaster.try_wait(), Ok(Some(_)) | Err(_));
        let stopped = said(Command::new("sh").args(["-c", &kill]))
            .and_then(|_| until("the server stops", gone));
        if stopped.is_err() {
            // The others end when they miss it.
            let _ = postmaster.kill();
            let _ = postmaster.wait();
        }
        stopped
    }

    /// Runs SQL as the superuser.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<()> {
        let mut psql = self.client("psql")?;
        psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]);
        psql.arg(self.socket_dir())
            .args(["-d", database, "-c", sql]);
        said(&mut psql).map(drop)
    }

    pub(crate) fn log(&self, format: Format) -> PathBuf {
        let log = self.data().join("log/postgresql");
        log.with_extension(format.extension())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A program of the server, run by its owner. Should we be killed, it goes too.
    fn owned(&self, program: &str) -> Command {
        self.owned_with(program, &[])
    }

    /// The same with these variables, which are not those of the root that starts it.
    fn owned_with(&self, program: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if let Some(Owner { uid, gid }) = self.owner {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
            command.arg("--clear-groups");
        }
        command.args(["--", "env"]);
        command.args(
            variables
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        command.arg(self.bin.join(program));
        command.env_remove("PGOPTIONS").env_remove("PGDATA");
        command.env("LC_ALL", "C").current_dir("/");
        command
    }

    /// A program that connects to the server: of its own version, else any.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn client(&self, program: &str) -> Result<Command> {
        let own = self.bin.join(program);
        let program = if own.exists() { own } else { program.into() };
        let mut version = Command::new(&program);
        said(version.arg("--version"))
            .context("psql and pgbench are needed: install postgresql-15, or put them into PATH")?;
        let mut command = Command::new(&program);
        command.env_remove("PGOPTIONS").env_remove("PGSERVICE");
        command
            .env("PGPORT", self.port.to_string())
            .current_dir("/");
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone either way.
        let _ = self.stop();
    }
}

/// Waits until something is so.
///
/// # Errors
/// When it is not for too long.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
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
