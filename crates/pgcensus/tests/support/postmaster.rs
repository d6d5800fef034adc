//! A PostgreSQL server of our own: in a private directory, on the loopback interface, never as root,
//! and always stopped, by its pid.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory and, while it runs, its postmaster.
pub(crate) struct Postmaster {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    owner: Option<Owner>,
    running: Option<Child>,
}

/// The user that servers run as where we are root, which `postgres` refuses.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Postmaster {
    /// Makes a data directory with these lines in `postgresql.conf` and `pg_hba.conf`; the server will log to
    /// these destinations.
    pub(crate) fn init(bin: &Path, destinations: &str, settings: &str, hba: &str) -> Postmaster {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let is_root = dir.path().metadata().expect("metadata").uid() == 0;
        let owner = is_root.then(|| Owner {
            uid: id("-u"),
            gid: id("-g"),
        });
        if let Some(Owner { uid, gid }) = owner {
            chown(dir.path(), Some(uid), Some(gid)).expect("root may give a directory away");
        }
        let port = free_port();
        let server = Postmaster {
            bin: bin.to_owned(),
            dir,
            port,
            owner,
            running: None,
        };
        let data = server.data();
        let data = data.as_os_str();
        let auth = [
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
            "-D",
        ];
        server.run("initdb", auth.iter().map(OsStr::new).chain([data]));
        let conf = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n\
             logging_collector = on\nlog_destination = '{destinations}'\n\
             log_directory = 'log'\nlog_filename = 'postgresql.log'\nlog_rotation_age = 0\n\
             log_rotation_size = 0\nlog_connections = on\nlog_disconnections = on\n\
             password_encryption = 'scram-sha-256'\nfsync = off\nshared_buffers = 16MB\n{settings}\n",
            server.dir.path().display()
        );
        // The files exist and keep their owner.
        std::fs::write(server.data().join("postgresql.conf"), conf).expect("space for settings");
        std::fs::write(server.data().join("pg_hba.conf"), hba).expect("space for rules");
        server
    }

    /// Starts it and waits until it takes sessions.
    pub(crate) fn start(&mut self) -> Client {
        // Should this test be killed, the server goes too.
        let mut command = self.command("postgres", &["--pdeathsig", "QUIT"]);
        command.arg("-D").arg(self.data());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(command.spawn().expect("postgres starts"));
        self.observer()
    }

    /// The process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// It was killed by somebody else.
    pub(crate) fn killed(&mut self) {
        if let Some(mut process) = self.running.take() {
            process.wait().expect("a child");
        }
    }

    /// The port of its sockets.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Signals the postmaster (`INT`: fast shutdown, `QUIT`: immediate) and waits for its end.
    pub(crate) fn stop(&mut self, signal: &str) {
        let Some(mut child) = self.running.take() else {
            return;
        };
        signal_process(signal, child.id()).expect("our own process, or we are root");
        until("the postmaster is gone", || {
            child.try_wait().expect("our child").is_some()
        });
    }

    /// A superuser's session over the Unix socket, as soon as there can be one.
    pub(crate) fn observer(&self) -> Client {
        let config = self.local("postgres", "postgres", "observer");
        let mut client = None;
        until("the server takes sessions", || {
            client = config.connect(NoTls).ok();
            client.is_some()
        });
        client.expect("until it is there")
    }

    /// How to connect over the Unix socket, which asks for no password.
    pub(crate) fn local(&self, user: &str, database: &str, app: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.dir.path()).port(self.port);
        config.user(user).dbname(database).application_name(app);
        config
    }

    /// How to connect over TCP, which does.
    pub(crate) fn tcp(&self, user: &str, database: &str, app: &str, password: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).password(password);
        config.user(user).dbname(database).application_name(app);
        config
    }

    /// A connection that says these bytes and waits for the first answer, if `answers`.
    pub(crate) fn raw(&self, bytes: &[u8], answers: bool) -> UnixStream {
        let socket = self.dir.path().join(format!(".s.PGSQL.{}", self.port));
        let mut stream = UnixStream::connect(socket).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(bytes).expect("the server reads");
        if answers {
            stream.read_exact(&mut [0]).expect("the server answers");
        }
        stream
    }

    /// The log in the format with this extension.
    pub(crate) fn log(&self, extension: &str) -> PathBuf {
        self.data().join("log/postgresql").with_extension(extension)
    }

    /// Copies the logs to `target/tmp`, for whoever wants to see why a test failed.
    pub(crate) fn keep_logs(&self, name: &str) {
        for extension in ["log", "csv", "json"] {
            let name = format!("{name}.{extension}");
            // A test within the program is not told of it.
            let Some(kept) = option_env!("CARGO_TARGET_TMPDIR") else {
                return;
            };
            let kept = Path::new(kept).join(name);
            if std::fs::copy(self.log(extension), &kept).is_ok() {
                println!("kept: {}", kept.display());
            }
        }
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn run(&self, program: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) {
        let mut command = self.command(program, &[]);
        let output = command
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect(program);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{program}: {}: {stderr}",
            output.status
        );
    }

    /// A program of the server, run by its owner; with these options of `setpriv`.
    fn command(&self, program: &str, options: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(options);
        if let Some(Owner { uid, gid }) = self.owner {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(self.bin.join(program));
        // Nothing of the environment is to decide what is logged, nor a directory be unreadable.
        command
            .env_remove("PGOPTIONS")
            .env_remove("PGDATA")
            .env("LC_ALL", "C")
            .current_dir("/");
        command
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        let Some(mut child) = self.running.take() else {
            return;
        };
        let asked = signal_process("QUIT", child.id());
        let deadline = Instant::now() + Duration::from_secs(5);
        while asked.is_ok() && Instant::now() < deadline {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // It does not answer. The others end when they miss it.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The directory with the programs of this version; `None`: none were given, the test is left out.
pub(crate) fn programs_of(major: u32) -> Option<PathBuf> {
    let Some(dirs) = std::env::var_os("PGCENSUS_TEST_SERVERS") else {
        println!("left out: PGCENSUS_TEST_SERVERS is not set; cargo xtask test sets it");
        return None;
    };
    let is_major = |dir: &PathBuf| {
        let output = Command::new(dir.join("postgres")).arg("--version").output();
        let output = output.unwrap_or_else(|err| panic!("{}: {err}", dir.display()));
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        version.contains(&format!(" {major}."))
    };
    let found = std::env::split_paths(&dirs).find(is_major);
    assert!(
        found.is_some(),
        "PGCENSUS_TEST_SERVERS={}: no PostgreSQL {major} among them",
        dirs.display()
    );
    found
}

/// A port below those that the system gives to whoever asks for any, so that nobody gets it before the
/// server does. Tests are processes or threads: where they begin to look depends on both.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = (std::process::id() % 600) as u16 * 20;
    (0..12_000)
        .map(|_| 20_000 + (own + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("a free port")
}

/// Sends a signal to a process of a server, by the shell's own `kill`: `pg_ctl` knows no `KILL` before version 13.
pub(crate) fn signal_process(signal: &str, pid: u32) -> Result<(), String> {
    let script = format!("kill -s {signal} {pid}");
    let output = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(err) => Err(err.to_string()),
    }
}

/// The startup packet of a client that speaks protocol 3.0.
pub(crate) fn startup_packet(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 0x0003_0000_u32.to_be_bytes().to_vec();
    for text in parameters.iter().flat_map(|&(name, value)| [name, value]) {
        body.extend(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    packet
}

/// Waits for a condition; fails when it stays false.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "after {PATIENCE:?} still not so: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The user or group id of the least of all users.
fn id(which: &str) -> u32 {
    let output = Command::new("id")
        .args([which, "nobody"])
        .output()
        .expect("id");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("nobody has an id")
}
