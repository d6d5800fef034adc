//! Logs that real servers write while the test runs, in all their formats at once, against what
//! `pg_stat_activity` and `pg_stat_database` say meanwhile.
//!
//! `PGCENSUS_TEST_SERVERS` names the directories of the servers' programs, as `PATH` does;
//! `cargo xtask test` sets it, and then a version that is not among them fails its test. Without it
//! these tests say so and pass.
#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

#[path = "support/postmaster.rs"]
#[expect(dead_code, reason = "shared: discovery looks at where the server is")]
mod postmaster;
#[path = "support/program.rs"]
#[expect(
    dead_code,
    reason = "shared: the recorded runs look at more of each answer"
)]
mod program;

use std::collections::BTreeMap;

use postgres::{Client, NoTls};
use program::{Event, Input, Session, json_lines, json_object};
use serde_json::Value;

use postmaster::{Postmaster, programs_of, signal_process, startup_packet, until};

/// The formats as the extensions of their files; json since 15.
const FORMATS: [&str; 3] = ["log", "csv", "json"];

#[test]
fn postgresql_10() {
    census_of_a_live_server(10, "%m [%p]: user=%u,db=%d,app=%a,client=%h ");
}

#[test]
fn postgresql_12() {
    census_of_a_live_server(12, "%m [%p] %q%u@%d ");
}

#[test]
fn postgresql_13() {
    census_of_a_live_server(13, "%n %p %c %b ");
}

#[test]
fn postgresql_14() {
    census_of_a_live_server(14, "<%m %r %a>%p|");
}

#[test]
fn postgresql_15() {
    census_of_a_live_server(15, "%m [%p] %q%u@%d ");
}

#[test]
fn postgresql_16() {
    census_of_a_live_server(16, "%m [%p]: [%l-1] db=%d,user=%u ");
}

#[test]
fn postgresql_17() {
    census_of_a_live_server(17, "%m:%r:%u@%d:[%p]:");
}

#[test]
fn postgresql_18() {
    census_of_a_live_server(18, "%m [%p] ");
}

/// The server at one instant.
struct Snapshot {
    name: &'static str,
    /// Size of each log.
    bytes: Vec<usize>,
    active: Vec<Active>,
    /// `pg_stat_database.sessions`, where it counts from the first start.
    counted: BTreeMap<String, i64>,
}

/// A row of `pg_stat_activity`.
#[derive(Debug, PartialEq)]
struct Active {
    pid: i64,
    user: Option<String>,
    database: Option<String>,
    application_name: String,
    client_host: String,
    client_port: Option<u16>,
    backend_start: f64,
    backend_type: String,
}

/// A server with one who watches it, and all that was seen.
struct Scene {
    major: u32,
    /// The prefix has user and database.
    prefix_names_all: bool,
    formats: &'static [&'static str],
    server: Postmaster,
    observer: Client,
    snapshots: Vec<Snapshot>,
    /// How sessions ended, by pid and application name.
    ends: Vec<(i64, &'static str, &'static str)>,
    /// SQLSTATE of each refusal.
    refused: Vec<&'static str>,
}

fn census_of_a_live_server(major: u32, prefix: &str) {
    let Some(bin) = programs_of(major) else {
        return;
    };
    let settings = format!(
        "log_line_prefix = '{prefix}'\nlog_timezone = 'Etc/UTC'\nmax_connections = 16\n\
         superuser_reserved_connections = 2\nmax_wal_senders = 3\n"
    );
    let hba = "local all all trust\nlocal replication all trust\n\
               host all clerk 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let (formats, destinations) = if major < 15 {
        (&FORMATS[..2], "stderr,csvlog")
    } else {
        (&FORMATS[..], "stderr,csvlog,jsonlog")
    };
    let mut server = Postmaster::init(&bin, destinations, &settings, hba);
    let observer = server.start();
    let (snapshots, ends, refused) = <_>::default();
    let mut scene = Scene {
        major,
        prefix_names_all: prefix.contains("%u") && prefix.contains("%d"),
        formats,
        server,
        observer,
        snapshots,
        ends,
        refused,
    };
    scene.prepare();
    scene.clients_come_and_go();
    scene.clients_are_refused();
    scene.a_backend_is_killed();
    scene.the_server_restarts();
    scene.check();
}

impl Scene {
    fn prepare(&mut self) {
        let statements = "
            CREATE ROLE app LOGIN PASSWORD 'right';
            CREATE ROLE \"Ops Team\" LOGIN PASSWORD 'right';
            CREATE ROLE clerk LOGIN PASSWORD 'right';
            CREATE ROLE sleeper LOGIN;
            CREATE ROLE single LOGIN CONNECTION LIMIT 1;
            CREATE ROLE locked NOLOGIN";
        self.observer.batch_execute(statements).expect("roles");
        // Not in one batch: they cannot run inside a transaction.
        for database in ["shop", "\"Billing-2024\"", "tiny CONNECTION LIMIT 1"] {
            let statement = format!("CREATE DATABASE {database}");
            self.observer.batch_execute(&statement).expect("database");
        }
        self.snapshot("only the observer");
    }

    fn clients_come_and_go(&mut self) {
        let stays = self.tcp("app", "shop", "shop-web");
        let leaves = self.tcp("Ops Team", "Billing-2024", "psql");
        let nameless = self.local("app", "Billing-2024", "");
        let mut renamed = self.local("app", "shop", "before");
        renamed
            .batch_execute("SET application_name = 'after'")
            .expect("renamed");
        let mut victim = self.tcp("app", "shop", "victim");
        let streams = startup_packet(&[
            ("user", "postgres"),
            ("replication", "true"),
            ("application_name", "streamer"),
        ]);
        let walsender = self.server.raw(&streams, true);
        self.wait_for("backend_type = 'walsender'", 1);
        self.snapshot("six clients");

        self.ends(leaves, "client");
        let pid = pid_of(&mut victim);
        let told = self
            .observer
            .execute("SELECT pg_terminate_backend($1)", &[&(pid as i32)]);
        told.expect("terminated");
        self.gone(pid);
        self.ends.push((pid, "victim", "terminated"));
        let query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'";
        let row = self.observer.query_one(query, &[]).expect("a walsender");
        drop(walsender);
        self.gone(i64::from(row.get::<_, i32>(0)));
        self.snapshot("three left");

        if self.major >= 14 {
            self.outlasts_its_timeout("idle_session_timeout", "");
        }
        self.outlasts_its_timeout("idle_in_transaction_session_timeout", "BEGIN");
        for k in 0..12 {
            let user = if k % 2 == 0 { "app" } else { "Ops Team" };
            let short = self.tcp(user, "shop", "short");
            self.ends(short, "client");
        }
        let mut open = [stays, nameless, renamed];
        if self.counts_sessions() {
            for client in &mut open {
                client
                    .batch_execute("SELECT pg_stat_force_next_flush()")
                    .expect("statistics");
            }
        }
        self.snapshot("a dozen came and went");
        for client in open {
            self.ends(client, "client");
        }
        self.snapshot("all left");
    }

    fn clients_are_refused(&mut self) {
        let server = &self.server;
        let only = [
            server
                .local("single", "shop", "first")
                .connect(NoTls)
                .expect("the one of this role"),
            server
                .local("app", "tiny", "first")
                .connect(NoTls)
                .expect("the one of this database"),
        ];
        let refusals = [
            (server.tcp("app", "shop", "guess", "wrong"), "28P01"),
            (server.tcp("nobody here", "shop", "guess", "wrong"), "28P01"),
            (server.tcp("clerk", "shop", "clerk", "right"), "28000"),
            (
                server.tcp("app", "no such database", "typo", "right"),
                "3D000",
            ),
            (server.local("no such role", "shop", "typo"), "28000"),
            (server.local("locked", "shop", "locked"), "28000"),
            (server.local("single", "shop", "second"), "53300"),
            (server.local("app", "tiny", "second"), "53300"),
        ];
        for (config, sqlstate) in refusals {
            let Err(err) = config.connect(NoTls) else {
                panic!("{sqlstate}: was not refused")
            };
            let code = err.code().map(postgres::error::SqlState::code);
            assert_eq!(code, Some(sqlstate), "{err}");
            self.refused.push(sqlstate);
        }
        // Received and no more; a port scanner; a client of another protocol.
        let silent = server.raw(b"", false);
        drop(server.raw(b"", false));
        drop(server.raw(b"GET / HTTP/1.1\r\n\r\n", false));
        self.snapshot("eight refused");
        drop(silent);

        let mut crowd = Vec::new();
        let refused = loop {
            match self.server.local("app", "shop", "crowd").connect(NoTls) {
                Ok(client) => crowd.push(client),
                Err(err) => break err,
            }
            assert!(crowd.len() < 16, "max_connections");
        };
        assert_eq!(
            refused.code().map(postgres::error::SqlState::code),
            Some("53300"),
            "{refused}"
        );
        self.refused.push("53300");
        self.snapshot("full");
        for client in crowd.into_iter().chain(only) {
            self.ends(client, "client");
        }
    }

    fn a_backend_is_killed(&mut self) {
        let mut victim = self.tcp("app", "shop", "killed");
        let mut bystander = self.local("Ops Team", "Billing-2024", "bystander");
        self.snapshot("before the crash");
        let pids = [
            pid_of(&mut self.observer),
            pid_of(&mut victim),
            pid_of(&mut bystander),
        ];
        for (pid, app) in pids.into_iter().zip(["observer", "killed", "bystander"]) {
            self.ends.push((pid, app, "server"));
        }
        signal_process("KILL", pids[1] as u32).expect("we are its owner, or root");
        until("the crash closes all sessions", || {
            self.observer
                .is_valid(std::time::Duration::from_secs(5))
                .is_err()
        });
        // Whoever asks before is killed with all others, perhaps between its line in one log and that in the next.
        until("all server processes are terminated", || {
            let text = std::fs::read(self.server.log("log")).unwrap_or_default();
            memchr::memmem::find(&text, b"reinitializing").is_some()
        });
        self.observer = self.server.observer();
        self.snapshot("after the crash");
        let again = self.tcp("app", "shop", "shop-web");
        self.snapshot("one is back");
        self.ends(again, "client");
    }

    fn the_server_restarts(&mut self) {
        let mut stays = self.tcp("app", "shop", "until the end");
        self.snapshot("before the restart");
        for (client, app) in [
            (&mut self.observer, "observer"),
            (&mut stays, "until the end"),
        ] {
            let pid = pid_of(client);
            self.ends.push((pid, app, "server"));
        }
        self.server.stop("INT");
        self.observer = self.server.start();
        self.snapshot("after the restart");
        let _new = self.local("app", "Billing-2024", "new");
        self.snapshot("one has come");
        self.server.stop("INT");
    }

    /// A session that is idle for longer than this setting allows.
    fn outlasts_its_timeout(&mut self, setting: &str, statement: &str) {
        let set = format!("ALTER ROLE sleeper SET {setting} = '50ms'");
        self.observer.batch_execute(&set).expect("set");
        let mut client = self.local("sleeper", "shop", "sleeper");
        let pid = pid_of(&mut client);
        // The timeout may come before the statement does: that is the other one's business.
        let _ = client.batch_execute(statement);
        self.gone(pid);
        self.ends.push((pid, "sleeper", "timeout"));
        self.observer
            .batch_execute("ALTER ROLE sleeper RESET ALL")
            .expect("reset");
    }

    fn tcp(&self, user: &str, database: &str, app: &str) -> Client {
        let client = self.server.tcp(user, database, app, "right").connect(NoTls);
        client.unwrap_or_else(|err| panic!("{user}@{database}: {err}"))
    }

    fn local(&self, user: &str, database: &str, app: &str) -> Client {
        let client = self.server.local(user, database, app).connect(NoTls);
        client.unwrap_or_else(|err| panic!("{user}@{database}: {err}"))
    }

    /// Closes a session and waits until the server knows.
    fn ends(&mut self, mut client: Client, how: &'static str) {
        let pid = pid_of(&mut client);
        client.close().expect("closed");
        self.gone(pid);
        self.ends.push((pid, "", how));
    }

    /// `pg_stat_database.sessions` is there since 14, and up to date when one wants it since 15.
    fn counts_sessions(&self) -> bool {
        self.major >= 15
    }

    /// Waits until the process of a backend is no more: out of `pg_stat_activity` it is before it writes its
    /// `disconnection` (`proc_exit` runs what was registered with `on_shmem_exit` first).
    fn gone(&mut self, pid: i64) {
        self.wait_for(&format!("pid = {pid}"), 0);
        until("the backend has written its last line", || {
            signal_process("0", pid as u32).is_err()
        });
    }

    fn wait_for(&mut self, condition: &str, rows: i64) {
        let query = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
        until(&query, || {
            let row = self.observer.query_one(&query, &[]).expect("a count");
            row.get::<_, i64>(0) == rows
        });
    }

    /// Notes who is connected and how long the logs are, in a moment in which nobody comes or goes.
    ///
    /// A backend writes its `connection authorized` before it is in `pg_stat_activity`, who has left is
    /// [`gone`](Self::gone), and the collector gets lines in the order in which they were written: so once a
    /// line that is written now is in all logs, all that this view knows is.
    fn snapshot(&mut self, name: &'static str) {
        let mark = format!("mark {}: {name}", self.snapshots.len());
        let mut active = active(&mut self.observer);
        loop {
            let statement = format!("DO $$ BEGIN RAISE LOG '{mark}'; END $$");
            self.observer
                .batch_execute(&statement)
                .expect("a line in the log");
            let now = self::active(&mut self.observer);
            if active == now {
                break;
            }
            active = now;
        }
        let mut bytes = Vec::new();
        until("the collector has written the mark", || {
            let size = |format: &&str| {
                let text = std::fs::read(self.server.log(format)).unwrap_or_default();
                let is_there = memchr::memmem::find(&text, mark.as_bytes()).is_some();
                if is_there { text.len() } else { 0 }
            };
            bytes = self.formats.iter().map(size).collect();
            !bytes.contains(&0)
        });
        let mut counted = BTreeMap::new();
        if name == "a dozen came and went" && self.counts_sessions() {
            let query = "SELECT pg_stat_force_next_flush()";
            self.observer.batch_execute(query).expect("statistics");
            let query = "SELECT datname::text, sessions FROM pg_stat_database WHERE sessions > 0";
            let rows = self.observer.query(query, &[]).expect("statistics");
            counted = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        self.snapshots.push(Snapshot {
            name,
            bytes,
            active,
            counted,
        });
    }

    fn check(&self) {
        let mut wrong = Vec::new();
        let logs: Vec<_> = self
            .formats
            .iter()
            .map(|format| {
                let path = self.server.log(format);
                std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
            })
            .collect();
        for snapshot in &self.snapshots {
            for ((format, log), &bytes) in self.formats.iter().zip(&logs).zip(&snapshot.bytes) {
                let at = format!("{format} at {:?}", snapshot.name);
                let found = snapshot.compare(self.names_apps(), &log[..bytes]);
                wrong.extend(found.into_iter().map(|what| format!("{at}: {what}")));
            }
        }
        for (format, log) in self.formats.iter().zip(&logs) {
            let found = self.compare_ends(format, log);
            wrong.extend(found.into_iter().map(|what| format!("{format}: {what}")));
        }
        let census = |format: &&str| census(&self.server.log(format));
        match self
            .formats
            .iter()
            .map(census)
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(mut answers) => {
                // Of most refusals only the prefix tells whose they are.
                if !self.prefix_names_all {
                    for answer in &mut answers {
                        answer["refused"]["by"] = Value::Null;
                    }
                }
                for (format, answer) in self.formats.iter().zip(&answers).skip(1) {
                    wrong.extend(differences(self.formats[0], &answers[0], format, answer));
                }
            }
            Err(err) => wrong.push(err),
        }
        if !wrong.is_empty() {
            self.server.keep_logs(&format!("failed-{}", self.major));
        }
        assert!(
            wrong.is_empty(),
            "PostgreSQL {}: {} answers are wrong:\n  {}",
            self.major,
            wrong.len(),
            wrong.join("\n  ")
        );
    }

    /// `connection authorized` carries the application's name.
    fn names_apps(&self) -> bool {
        self.major >= 12
    }

    /// The ends and refusals in a whole log.
    fn compare_ends(&self, format: &str, log: &[u8]) -> Vec<String> {
        let sessions: Vec<Session> = match json_lines(&["sessions", "--json"], &Input::Piped(log)) {
            Ok(sessions) => sessions,
            Err(err) => return vec![err],
        };
        let events: Vec<Event> = match json_lines(&["events", "--json"], &Input::Piped(log)) {
            Ok(events) => events,
            Err(err) => return vec![err],
        };
        let mut wrong = Vec::new();
        for &(pid, app, how) in &self.ends {
            let is_it = |session: &&Session| {
                let is_app = || session.application_name.as_deref() == Some(app);
                session.pid == Some(pid) && (app.is_empty() || !self.names_apps() || is_app())
            };
            let told = sessions.iter().find(is_it);
            if told.and_then(|session| session.end.as_deref()) != Some(how) {
                let told = told.map(Session::to_string);
                wrong.push(format!(
                    "pid {pid} {app:?} ended by {how}, reported: {told:?}"
                ));
            }
        }
        let refused = || events.iter().filter(|event| event.event == "refused");
        let mut told: Vec<_> = refused()
            .filter_map(|event| event.sqlstate.as_deref())
            .collect();
        let mut refusals = self.refused.clone();
        told.sort_unstable();
        refusals.sort_unstable();
        // Not in the list: bytes of another protocol, and who asked while the server started.
        told.retain(|code| !["0A000", "08P01", "57P03"].contains(code));
        // The prefix of the text carries no SQLSTATE.
        if told != refusals && format != "log" {
            wrong.push(format!("refused with {refusals:?}, reported {told:?}"));
        }
        let connected = events
            .iter()
            .filter(|event| event.event == "connected")
            .count();
        if connected != sessions.len() {
            wrong.push(format!(
                "{connected} connected events, {} sessions",
                sessions.len()
            ));
        }
        wrong
    }
}

impl Snapshot {
    /// What the program says of the log as it was then.
    fn compare(&self, names_apps: bool, log: &[u8]) -> Vec<String> {
        let open = ["sessions", "--open", "--json"];
        let mut left: Vec<Session> = match json_lines(&open, &Input::Piped(log)) {
            Ok(sessions) => sessions,
            Err(err) => return vec![err],
        };
        let mut wrong = Vec::new();
        for active in &self.active {
            let Some(found) = left
                .iter()
                .position(|session| session.pid == Some(active.pid))
            else {
                wrong.push(format!("not reported: {active:?}"));
                continue;
            };
            let session = left.swap_remove(found);
            let app = session.application_name.as_deref().unwrap_or_default();
            let names = session.user == active.user
                && (session.database == active.database || session.is_walsender())
                && (app == active.application_name
                    || active.application_name == "after"
                    || !names_apps);
            let client = session.client_host.as_ref() == Some(&active.client_host)
                && session.client_port == active.client_port;
            let same = names
                && client
                && session.backend_type == active.backend_type
                && (session.first_seen() - active.backend_start).abs() < 0.25;
            if !same {
                wrong.push(format!("{active:?} is reported as {session}, {app:?}"));
            }
        }
        wrong.extend(
            left.iter()
                .map(|session| format!("was not connected: {session}")),
        );
        if !self.counted.is_empty() {
            wrong.extend(self.compare_counts(log));
        }
        wrong
    }

    fn compare_counts(&self, log: &[u8]) -> Vec<String> {
        let sessions: Vec<Session> = match json_lines(&["sessions", "--json"], &Input::Piped(log)) {
            Ok(sessions) => sessions,
            Err(err) => return vec![err],
        };
        let mut told: BTreeMap<String, i64> = BTreeMap::new();
        for session in sessions.iter().filter(|session| !session.is_walsender()) {
            *told
                .entry(session.database.clone().unwrap_or_default())
                .or_default() += 1;
        }
        if told == self.counted {
            return Vec::new();
        }
        vec![format!(
            "the server counted {:?}, reported {told:?}",
            self.counted
        )]
    }
}

/// Client backends and walsenders, as the server sees them.
fn active(observer: &mut Client) -> Vec<Active> {
    let query = "
        SELECT pid, usename::text, datname::text, application_name, host(client_addr), client_port,
               extract(epoch FROM backend_start)::float8, backend_type
        FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender')
            AND usename IS NOT NULL ORDER BY pid";
    let rows = observer.query(query, &[]).expect("pg_stat_activity");
    let active = rows.iter().map(|row| {
        let port: Option<i32> = row.get(5);
        let host: Option<String> = row.get(4);
        Active {
            pid: i64::from(row.get::<_, i32>(0)),
            user: row.get(1),
            database: row.get(2),
            application_name: row.get(3),
            client_host: host.unwrap_or_else(|| "[local]".to_owned()),
            client_port: port.and_then(|port| u16::try_from(port).ok()),
            backend_start: row.get(6),
            backend_type: row.get(7),
        }
    });
    active.collect()
}

fn pid_of(client: &mut Client) -> i64 {
    let row = client
        .query_one("SELECT pg_backend_pid()", &[])
        .expect("its pid");
    i64::from(row.get::<_, i32>(0))
}

/// The summary of a log without what says where it comes from.
fn census(log: &std::path::Path) -> Result<Value, String> {
    let mut summary = json_object(&["summary", "--json"], &Input::Files(&[log.to_owned()]))?;
    summary.as_object_mut().expect("an object").remove("input");
    let findings = summary["findings"].as_array_mut().expect("a list");
    for finding in findings {
        finding
            .as_object_mut()
            .expect("an object")
            .remove("command");
    }
    Ok(summary)
}

/// The keys in which two summaries differ.
fn differences(a: &str, summary: &Value, b: &str, other: &Value) -> Vec<String> {
    let keys = summary
        .as_object()
        .into_iter()
        .chain(other.as_object())
        .flat_map(|map| map.keys());
    let keys: std::collections::BTreeSet<_> = keys.collect();
    let different = keys
        .into_iter()
        .filter(|key| summary.get(key) != other.get(key));
    different
        .map(|key| {
            format!(
                "summary: {key}: {a}: {:?}, {b}: {:?}",
                summary.get(key),
                other.get(key)
            )
        })
        .collect()
}
