//! Servers of made-up machines.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;

use super::name::of_data;
use super::*;
use crate::discover::log::Target;

/// A machine in a directory.
struct Machine {
    dir: tempfile::TempDir,
    home: Option<PathBuf>,
    pgdata: Option<PathBuf>,
}

/// A process of it.
struct Process<'a> {
    pid: u32,
    parent: u32,
    command: &'a str,
    /// What only its own user may see.
    private: Option<Private<'a>>,
}

struct Private<'a> {
    cwd: &'a str,
    stderr: &'a str,
    environ: &'a str,
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine {
            dir: tempfile::tempdir().unwrap(),
            home: None,
            pgdata: None,
        };
        machine.write("proc/1/status", "");
        machine.write("etc/passwd", "postgres:x:104:105::/:/bin/sh\n");
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) -> &Machine {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A data directory with this configuration.
    fn data(&self, path: &str, version: &str, conf: &str) -> &Machine {
        self.write(&format!("{path}/PG_VERSION"), &format!("{version}\n"));
        self.write(&format!("{path}/postgresql.conf"), conf)
    }

    fn runs(&self, process: &Process<'_>) -> &Machine {
        let dir = format!("proc/{}", process.pid);
        // Titles are one text, arguments are several.
        let command = if process.command.starts_with("postgres: ") {
            process.command.to_owned()
        } else {
            process.command.replace(' ', "\0") + "\0"
        };
        self.write(&format!("{dir}/cmdline"), &command);
        let status = format!(
            "Name:\tpostgres\nPPid:\t{}\nUid:\t104\t104\t104\t104\n",
            process.parent
        );
        self.write(&format!("{dir}/status"), &status);
        self.write(
            &format!("{dir}/cgroup"),
            "0::/system.slice/postgresql-16.service\n",
        );
        if let Some(private) = &process.private {
            self.write(
                &format!("{dir}/environ"),
                &private.environ.replace(' ', "\0"),
            );
            fs::create_dir_all(self.path(&format!("{dir}/fd"))).unwrap();
            symlink(private.stderr, self.path(&format!("{dir}/fd/2"))).unwrap();
            symlink(private.cwd, self.path(&format!("{dir}/cwd"))).unwrap();
        }
        self
    }

    /// A postmaster that may be looked at.
    fn serves(&self, pid: u32, command: &str, cwd: &str, stderr: &str) -> &Machine {
        let private = Some(Private {
            cwd,
            stderr,
            environ: "",
        });
        self.runs(&Process {
            pid,
            parent: 1,
            command,
            private,
        })
    }

    fn world(&self) -> World {
        World {
            root: self.dir.path().to_owned(),
            home: self.home.clone(),
            pgdata: self.pgdata.clone(),
        }
    }

    fn servers(&self) -> Vec<Server> {
        self.world().servers()
    }

    /// A text without the directory of the machine.
    fn plain(&self, text: &str) -> String {
        text.replace(&self.dir.path().display().to_string(), "")
    }

    fn files(&self, server: &Server) -> Vec<String> {
        let files = server.log.files.iter();
        files
            .map(|file| self.plain(&file.display().to_string()))
            .collect()
    }

    /// What is read and said where nobody names an input.
    fn choice(&self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let choice = Choice::of(&self.world());
        let inputs = choice.inputs.iter();
        let inputs = inputs.map(|(name, path)| format!("{name}={}", path.display()));
        let plain = |texts: Vec<String>| texts.iter().map(|text| self.plain(text)).collect();
        (
            plain(inputs.collect()),
            plain(choice.said),
            plain(choice.problems),
        )
    }
}

#[test]
fn debian_keeps_configuration_data_and_log_apart() {
    let machine = Machine::new();
    for (version, port) in [("15", 5433), ("16", 5432)] {
        let conf = format!(
            "data_directory = '/var/lib/postgresql/{version}/main'\nport = {port}\ninclude_dir 'conf.d'\n"
        );
        machine.write(
            &format!("etc/postgresql/{version}/main/postgresql.conf"),
            &conf,
        );
        machine.write(
            &format!("etc/postgresql/{version}/main/conf.d/a.conf"),
            "log_connections = on\n",
        );
        machine.write(
            &format!("var/lib/postgresql/{version}/main/PG_VERSION"),
            version,
        );
        machine.write(
            &format!("var/log/postgresql/postgresql-{version}-main.log"),
            "x",
        );
    }
    machine.write(
        "var/lib/postgresql/16/main/postgresql.auto.conf",
        "log_disconnections = 'on'\n",
    );
    machine.write(
        "var/lib/postgresql/16/main/postmaster.pid",
        "812\n/var/lib/postgresql/16/main\n1795411965\n5432\n",
    );
    machine.write("var/log/postgresql/postgresql-16-main.log.2.gz", "x");
    machine.write("var/log/postgresql/postgresql-9.6-old.log", "x");
    let command = "/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main -c config_file=/etc/postgresql/16/main/postgresql.conf";
    let log = "/var/log/postgresql/postgresql-16-main.log";
    machine.serves(812, command, "/var/lib/postgresql/16/main", log);

    let servers = machine.servers();
    let names: Vec<&str> = servers.iter().map(|server| &*server.name).collect();
    assert_eq!(names, ["16/main", "15/main", "9.6/old"]);
    let [running, stopped, orphan] = &servers[..] else {
        panic!()
    };
    assert_eq!(
        (running.is_running, running.pid, running.port),
        (Some(true), Some(812), Some(5432))
    );
    assert_eq!(running.user.as_deref(), Some("postgres"));
    assert_eq!(running.started_s, Some(1_795_411_965));
    assert!(
        running.settings.is_on("log_connections") && running.settings.is_on("log_disconnections")
    );
    assert_eq!(
        machine.files(running),
        [log, "/var/log/postgresql/postgresql-16-main.log.2.gz"]
    );
    assert_eq!(
        (stopped.is_running, stopped.port),
        (Some(false), Some(5433))
    );
    assert_eq!(
        machine.files(stopped),
        ["/var/log/postgresql/postgresql-15-main.log"]
    );
    assert!(
        stopped.settings.is_on("log_connections") && !stopped.settings.is_on("log_disconnections")
    );
    assert_eq!(
        machine.files(orphan),
        ["/var/log/postgresql/postgresql-9.6-old.log"]
    );

    let (inputs, said, problems) = machine.choice();
    assert_eq!(
        inputs,
        [format!("16/main={log}"), format!("16/main={log}.2.gz")]
    );
    assert_eq!(
        said,
        [format!(
            "server 16/main, PostgreSQL 16, port 5432: reading {log} and 1 file beside it"
        )]
    );
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn the_collector_of_each_server_has_its_directory() {
    let machine = Machine::new();
    for (version, pid) in [("15", 7), ("16", 8)] {
        let data = format!("/var/lib/pgsql/{version}/data");
        let conf = "logging_collector = on\nlog_destination = 'csvlog, stderr'\nlog_filename = 'postgresql-%a.log'\n";
        machine.data(&data, version, conf);
        for file in [
            "log/postgresql-Mon.csv",
            "log/postgresql-Mon.log",
            "log/older-name.log",
            "log/notes.md",
        ] {
            machine.write(&format!("{data}/{file}"), "x");
        }
        machine.write(
            &format!("{data}/current_logfiles"),
            "stderr log/postgresql-Mon.log\ncsvlog log/postgresql-Mon.csv\n",
        );
        machine.serves(
            pid,
            &format!("/usr/pgsql-{version}/bin/postgres -D {data}/"),
            &data,
            "pipe:[77]",
        );
    }
    let servers = machine.servers();
    let names: Vec<&str> = servers.iter().map(|server| &*server.name).collect();
    assert_eq!(names, ["15/data", "16/data"]);
    let in_log = |name: &str| format!("/var/lib/pgsql/16/data/log/{name}");
    assert_eq!(
        machine.files(&servers[1]),
        ["older-name.log", "postgresql-Mon.csv", "postgresql-Mon.log"].map(in_log)
    );
    assert_eq!(servers[1].log.formats, ["stderr", "csvlog"]);
    assert_eq!(
        servers[1].log.shown,
        Some(machine.path(&in_log("postgresql-Mon.log")))
    );
}

#[test]
fn a_log_directory_that_is_shared_holds_files_of_others() {
    let machine = Machine::new();
    let conf = "logging_collector = on\nlog_directory = '/logs'\nlog_filename = 'a-%F.log'\n";
    machine.data("/pg/a", "17", conf);
    for name in [
        "a-2026-11-23.log",
        "a-2026-11-22.log.gz",
        "b-2026-11-23.log",
    ] {
        machine.write(&format!("logs/{name}"), "x");
    }
    machine.serves(
        5,
        "postgres -D /pg/a -c port=5440 --log-directory=/logs",
        "/pg/a",
        "pipe:[1]",
    );
    let servers = machine.servers();
    assert_eq!(
        machine.files(&servers[0]),
        ["/logs/a-2026-11-22.log.gz", "/logs/a-2026-11-23.log"]
    );
    assert_eq!((servers[0].port, &*servers[0].name), (Some(5440), "a"));
}

#[test]
fn backends_and_tools_are_no_postmasters() {
    let machine = Machine::new();
    machine.data("/pg/a", "17", "");
    machine.write("/pg/a/logfile", "x");
    machine.serves(10, "/usr/bin/postgres -D /pg/a", "/pg/a", "/pg/a/logfile");
    for (pid, parent, command) in [
        (11, 10, "postgres: checkpointer "),
        (12, 10, "postgres: 16/main: app shop 127.0.0.1(46846) idle"),
        (13, 10, "/usr/bin/postgres -D /pg/a"),
        (14, 1, "/usr/bin/postgres --single -D /pg/a"),
        (15, 1, "vim postgres"),
        (16, 1, ""),
    ] {
        machine.runs(&Process {
            pid,
            parent,
            command,
            private: None,
        });
    }
    let servers = machine.servers();
    let pids: Vec<_> = servers.iter().map(|server| server.pid).collect();
    assert_eq!(pids, [Some(10)]);
}

#[test]
fn what_logs_elsewhere_says_where_and_what_to_do() {
    for (stderr, conf, target, what) in [
        (
            "socket:[9]",
            "",
            "journal",
            "it logs to the journal; journalctl -u postgresql-16 -o cat | pgcensus -",
        ),
        (
            "pipe:[9]",
            "",
            "pipe",
            "it logs to a pipe; give what reads it the log to keep, or turn logging_collector on",
        ),
        (
            "/dev/null",
            "",
            "nowhere",
            "it logs to /dev/null; turn logging_collector on, or start it with pg_ctl -l FILE",
        ),
        (
            "/dev/pts/3",
            "",
            "terminal",
            "it logs to a terminal; turn logging_collector on, or start it with pg_ctl -l FILE",
        ),
        (
            "/tmp/x.log (deleted)",
            "",
            "deleted",
            "it logs to /tmp/x.log, which has been deleted; restart it",
        ),
        (
            "/dev/null",
            "log_destination = syslog\nsyslog_ident = 'pg16'",
            "syslog",
            "it logs to syslog, as 'pg16'; name the file that your syslog writes",
        ),
        (
            "pipe:[9]",
            "logging_collector = on",
            "files",
            "/pg/a/log: no such file",
        ),
    ] {
        let machine = Machine::new();
        machine.data("/pg/a", "17", conf);
        machine.serves(10, "/usr/bin/postgres -D /pg/a", "/pg/a", stderr);
        let server = &machine.servers()[0];
        assert_eq!(server.log.target.as_str(), target);
        let (inputs, _, problems) = machine.choice();
        assert!(inputs.is_empty());
        let headline = "server a, PostgreSQL 17, port 5432";
        let nothing = "no log of a server on this machine can be read; name a log file or a directory of them, or pipe a log in";
        assert_eq!(
            problems,
            [format!("{headline}: {what}"), nothing.to_owned()]
        );
    }
}

#[test]
fn of_another_users_server_is_said_what_can_be_seen() {
    let machine = Machine::new();
    let command = "/usr/lib/postgresql/16/bin/postgres -p 5433";
    machine.runs(&Process {
        pid: 10,
        parent: 1,
        command,
        private: None,
    });
    let (_, _, problems) = machine.choice();
    assert_eq!(
        problems[0],
        "server pid 10, PostgreSQL 16, port 5433: its data directory cannot be seen; sudo pgcensus, or run it as postgres"
    );
}

#[test]
fn a_server_in_a_container_has_its_own_paths() {
    let machine = Machine::new();
    let root = "/proc/10/root/var/lib/postgresql/data";
    machine.data(
        root,
        "16",
        "logging_collector = on\nlog_directory = '/logs'\n",
    );
    machine.write("/proc/10/root/logs/postgresql-2026-11-23_052431.log", "x");
    machine.serves(10, "postgres", "/var/lib/postgresql/data", "pipe:[1]");
    for (process, namespace) in [("10", "mnt:[2]"), ("self", "mnt:[1]")] {
        fs::create_dir_all(machine.path(&format!("proc/{process}/ns"))).unwrap();
        symlink(namespace, machine.path(&format!("proc/{process}/ns/mnt"))).unwrap();
    }
    let servers = machine.servers();
    assert_eq!(
        machine.files(&servers[0]),
        ["/proc/10/root/logs/postgresql-2026-11-23_052431.log"]
    );
    assert_eq!(servers[0].name, "data");
}

#[test]
fn without_a_running_server_pgdata_is_read_and_then_the_usual_places() {
    let mut machine = Machine::new();
    let (inputs, _, problems) = machine.choice();
    assert!(inputs.is_empty());
    assert_eq!(
        problems,
        [
            "no server runs on this machine, and none is at a usual place; name a log file or a directory of them, or pipe a log in"
        ]
    );

    machine.data("/home/me/.pgrx/data-17", "17", "port = 28817\n");
    machine.write("/home/me/.pgrx/17.log", "x");
    machine.home = Some(machine.path("/home/me"));
    let (inputs, said, problems) = machine.choice();
    assert_eq!(inputs, ["data-17=/home/me/.pgrx/17.log"]);
    assert_eq!(
        said,
        ["server data-17, PostgreSQL 17, port 28817, stopped: reading /home/me/.pgrx/17.log"]
    );
    assert!(problems.is_empty());

    machine.data("/home/me/pg", "18", "logging_collector = on\n");
    machine.write("/home/me/pg/log/postgresql-2026-11-23_052431.log", "x");
    machine.pgdata = Some(machine.path("/home/me/pg"));
    let (inputs, said, _) = machine.choice();
    assert_eq!(
        inputs,
        ["pg=/home/me/pg/log/postgresql-2026-11-23_052431.log"]
    );
    assert_eq!(said.len(), 1);
    assert_eq!(machine.servers().len(), 2);
}

#[test]
fn servers_can_be_named_by_their_directories() {
    let machine = Machine::new();
    machine.data("/pg/a", "17", "");
    machine.data("/pg/b", "18", "");
    machine.serves(10, "/usr/bin/postgres -D /pg/a", "/pg/a", "/dev/null");
    let paths = ["/pg/a", "/pg/b/postgresql.conf", "/pg", "/pg/a"].map(|path| machine.path(path));
    let (servers, problems) = machine.world().servers_at(&paths);
    assert_eq!(servers[1].log.target, Target::Stderr);
    let found: Vec<_> = servers
        .iter()
        .map(|server| (&*server.name, server.is_running))
        .collect();
    assert_eq!(found, [("a", Some(true)), ("b", Some(false))]);
    let problems: Vec<String> = problems.iter().map(|text| machine.plain(text)).collect();
    assert_eq!(
        problems,
        ["/pg: neither a data directory nor one with a postgresql.conf"]
    );
}

#[test]
fn data_directories_are_named_as_their_logs_are() {
    for (data, parts, name) in [
        ("/var/lib/postgresql/16/main", 1, "16/main"),
        ("/var/lib/pgsql/16/data", 1, "data"),
        ("/var/lib/pgsql/16/data", 2, "16/data"),
        ("/var/lib/pgsql/16/data/", 3, "pgsql/16/data"),
        ("/srv/shop/log", 1, "shop"),
        ("/data", 5, "data"),
        ("/", 1, "server"),
    ] {
        assert_eq!(of_data(Path::new(data), parts), name, "{data} {parts}");
    }
}
