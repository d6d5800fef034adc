//! A run of a real server under `testdata/`: its logs and, from `truth.json`, what really happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::names::{Names, is_same};

/// How a clean day of a server's life went, as it and its clients told it.
pub(crate) struct Run {
    /// `18/kills`
    pub(crate) name: String,
    pub(crate) truth: Truth,
    /// The sessions that there were.
    pub(crate) sessions: Vec<TrueSession>,
    /// The connections that the server turned away.
    pub(crate) refusals: Vec<Attempted>,
    /// Connections that may be told as refused: the client gave up, or the server could not tell why.
    pub(crate) perhaps_refused: Vec<Attempted>,
    /// Connections that must not be told as sessions.
    pub(crate) never_sessions: Vec<Attempted>,
    /// Health checks: sessions or not, as the server saw fit.
    pub(crate) health_checks: Vec<Attempted>,
    /// From when on which lines were logged.
    switches: Vec<Switch>,
    /// Instants at which all sessions were gone.
    all_gone: Vec<f64>,
    dir: PathBuf,
}

/// One log of a run: all files of one format.
pub(crate) struct Log<'r> {
    pub(crate) run: &'r Run,
    /// `stderr`, `csvlog`, `jsonlog`, `container`, or what is around it
    pub(crate) format: &'static str,
    dir: &'static str,
    /// In the order of their names, compressed.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) carries: Carries,
}

/// What a format with its prefix can tell.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Carries {
    pub(crate) pid: bool,
    pub(crate) time: bool,
    /// Both `%u` and `%d`: no name needs to be read out of a message.
    pub(crate) names: bool,
    pub(crate) database: bool,
    pub(crate) host: bool,
    pub(crate) sqlstate: bool,
    /// Text, not columns.
    pub(crate) text: bool,
    /// Times are whole seconds: off by up to this.
    pub(crate) coarse_s: f64,
    /// Forged lines are indistinguishable from real ones: a name in the prefix can hold a newline.
    pub(crate) forged_lines: bool,
}

#[derive(Deserialize)]
pub(crate) struct Truth {
    pub(crate) log_line_prefix: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) server_lives: Vec<Life>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) events: Vec<Happening>,
    pub(crate) attempts: Vec<Attempt>,
    #[serde(default)]
    pub(crate) pgbouncer_attempts: Vec<PgbouncerAttempt>,
    pub(crate) must_not_be_reported: Option<Forged>,
    #[serde(default)]
    pub(crate) pg_stat_database: Option<Vec<Statistics>>,
}

/// A postmaster from start to stop.
#[derive(Deserialize)]
pub(crate) struct Life {
    pub(crate) t_start: Option<f64>,
    pub(crate) t_ready: Option<f64>,
    pub(crate) t_stop: Option<f64>,
    pub(crate) stop: Option<String>,
}

/// `pg_stat_activity` in a quiet moment, and how long each log was then.
#[derive(Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) t: f64,
    pub(crate) stable: bool,
    pub(crate) log_bytes: BTreeMap<String, usize>,
    pub(crate) active: Vec<Active>,
}

#[derive(Deserialize)]
pub(crate) struct Active {
    pub(crate) pid: i64,
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: String,
    pub(crate) client_addr: Option<String>,
    pub(crate) client_hostname: Option<String>,
    pub(crate) client_port: Option<u16>,
    pub(crate) backend_start: f64,
    pub(crate) backend_type: String,
}

#[derive(Deserialize)]
pub(crate) struct Happening {
    pub(crate) t: f64,
    pub(crate) what: String,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Attempt {
    pub(crate) label: String,
    pub(crate) client: String,
    pub(crate) t0: f64,
    pub(crate) t1: Option<f64>,
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) app_startup: Option<String>,
    pub(crate) app_server: Option<String>,
    pub(crate) app_last: Option<String>,
    pub(crate) client_addr: Option<String>,
    pub(crate) client_port: Option<u16>,
    pub(crate) result: String,
    pub(crate) pid: Option<i64>,
    pub(crate) backend_start: Option<f64>,
    pub(crate) sqlstate: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) replication: Option<String>,
    /// What the server answered to raw bytes.
    pub(crate) reply: Option<String>,
    pub(crate) end: Option<End>,
    #[serde(default)]
    pub(crate) connections: Vec<Connection>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct End {
    pub(crate) how: String,
    pub(crate) t_from: f64,
    pub(crate) t_to: f64,
}

#[derive(Deserialize)]
pub(crate) struct Connection {
    pub(crate) t: f64,
    pub(crate) client_addr: Option<String>,
    pub(crate) client_port: Option<u16>,
}

#[derive(Deserialize)]
pub(crate) struct PgbouncerAttempt {
    pub(crate) user: String,
    pub(crate) database: String,
}

/// What exists only inside forged text.
#[derive(Deserialize)]
pub(crate) struct Forged {
    pub(crate) pid: i64,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) client_addr: String,
}

/// `pg_stat_database`
#[derive(Deserialize)]
pub(crate) struct Statistics {
    pub(crate) t: f64,
    pub(crate) rows: Vec<DatabaseStatistics>,
}

#[derive(Deserialize)]
pub(crate) struct DatabaseStatistics {
    pub(crate) datname: String,
    /// 14 and later.
    pub(crate) sessions: Option<usize>,
}

/// A line of `sessions.csv`: a short session, as it saw itself.
#[derive(Deserialize)]
struct ShortSession {
    pid: i64,
    backend_start: f64,
    user: String,
    database: String,
    application_name: String,
    client_addr: String,
    client_port: String,
}

pub(crate) struct TrueSession {
    /// Unknown for the walsenders of tools.
    pub(crate) pid: Option<i64>,
    /// It started not before and not after.
    pub(crate) start: (f64, f64),
    pub(crate) backend_start: Option<f64>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) walsender: bool,
    pub(crate) names: Names,
    pub(crate) end: Option<End>,
    /// `log_connections` was on when it began; `log_disconnections` likewise.
    pub(crate) logged: Logged,
    app_startup: Option<String>,
}

pub(crate) struct Attempted {
    pub(crate) label: String,
    pub(crate) during: (f64, f64),
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) names: Names,
    pub(crate) sqlstate: Option<String>,
}

#[derive(Clone, Copy)]
pub(crate) struct Logged {
    pub(crate) connections: bool,
    pub(crate) disconnections: bool,
}

struct Switch {
    from: f64,
    logged: Logged,
}

/// The logs that a run may have: what they are called, their directory, and the file where that holds several logs of the
/// same events.
const FORMATS: [(&str, &str, Option<&str>); 9] = [
    ("stderr", "stderr", None),
    ("csvlog", "csvlog", None),
    ("jsonlog", "jsonlog", None),
    ("container", "container", Some("stderr.log")),
    ("docker", "container", Some("docker-json-file.log")),
    ("cri", "container", Some("cri.log")),
    ("syslog iso", "syslog", Some("iso.log")),
    ("syslog rfc5424", "syslog", Some("rfc5424.log")),
    ("syslog traditional", "syslog", Some("traditional.log")),
];

impl Run {
    /// All runs whose directory name `pick` accepts.
    pub(crate) fn all(pick: impl Fn(&str) -> bool) -> Vec<Run> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
        let mut runs = Vec::new();
        for version in entries(&root).into_iter().filter(|dir| dir.is_dir()) {
            for dir in entries(&version)
                .into_iter()
                .filter(|dir| pick(&file_name(dir)) && dir.join("truth.json.zst").is_file())
            {
                let name = format!("{}/{}", file_name(&version), file_name(&dir));
                let standby = dir.join("standby");
                if standby.is_dir() {
                    runs.push(Run::load(format!("{name}/standby"), standby));
                }
                runs.push(Run::load(name, dir));
            }
        }
        runs
    }

    fn load(name: String, dir: PathBuf) -> Run {
        let truth = decompressed(&dir.join("truth.json.zst"));
        let truth: Truth =
            serde_json::from_slice(&truth).unwrap_or_else(|err| panic!("{name}: truth: {err}"));
        let stops = truth.server_lives.iter().filter_map(|life| life.t_stop);
        let crashes = truth
            .events
            .iter()
            .filter(|event| event.what == "backend_sigkill");
        let mut run = Run {
            all_gone: stops.chain(crashes.map(|event| event.t)).collect(),
            switches: switches(&truth),
            sessions: Vec::new(),
            refusals: Vec::new(),
            perhaps_refused: Vec::new(),
            never_sessions: Vec::new(),
            health_checks: Vec::new(),
            name,
            truth,
            dir,
        };
        for attempt in std::mem::take(&mut run.truth.attempts) {
            if attempt.result == "ok" {
                run.add_sessions(&attempt);
            } else {
                run.add_failure(&attempt);
            }
            run.truth.attempts.push(attempt);
        }
        run.add_short_sessions();
        run
    }

    /// The logs of this run that are here.
    pub(crate) fn logs(&self) -> Vec<Log<'_>> {
        let with_files = FORMATS.map(|(format, dir, only)| {
            let mut files = entries(&self.dir.join(dir));
            files.retain(|file| only.is_none_or(|only| file_name(file) == format!("{only}.zst")));
            (format, dir, files)
        });
        let present = with_files
            .into_iter()
            .filter(|(_, _, files)| !files.is_empty());
        present
            .map(|(format, dir, files)| Log {
                run: self,
                format,
                dir,
                files,
                carries: self.carries(format),
            })
            .collect()
    }

    /// Whether each opening and each end has its line.
    pub(crate) fn logs_all(&self) -> bool {
        self.switches
            .iter()
            .all(|s| s.logged.connections && s.logged.disconnections)
    }

    /// Whether `connection received` is logged.
    pub(crate) fn logs_receipt(&self) -> bool {
        parts_on(self.truth.settings.get("log_connections")).receipt
    }

    /// Whether a reader of the log can know who was connected at this snapshot.
    pub(crate) fn is_decidable(&self, snapshot: &Snapshot) -> bool {
        let stopped = self
            .truth
            .server_lives
            .iter()
            .rfind(|life| life.t_stop.is_some_and(|t| t <= snapshot.t));
        let without_a_word = |life: &Life| {
            life.stop
                .as_ref()
                .is_some_and(|stop| stop.starts_with("container killed"))
        };
        if !snapshot.stable
            || !self.switches[0].logged.connections
            || (snapshot.server == "down" && stopped.is_some_and(without_a_word))
        {
            return false;
        }
        let gone = self.all_gone.iter().copied().filter(|&t| t <= snapshot.t);
        let since = gone.fold(0.0, f64::max);
        let mut alive = self
            .sessions
            .iter()
            .filter(|s| (since..=snapshot.t).contains(&s.start.0));
        alive.all(|session| {
            let over = session
                .end
                .as_ref()
                .is_some_and(|end| end.t_to <= snapshot.t);
            let Logged {
                connections,
                disconnections,
            } = session.logged;
            if over {
                !connections || disconnections
            } else {
                connections
            }
        })
    }

    /// The names that a row of `pg_stat_activity` may have in the log: the current application name
    /// and the one that it connected with.
    pub(crate) fn names_of(&self, active: &Active) -> Names {
        let known = self.sessions.iter().find(|session| {
            session.pid == Some(active.pid) && (session.start.0 - active.backend_start).abs() < 0.01
        });
        let startup = known.and_then(|session| session.app_startup.as_deref());
        let mut apps = vec![Some(active.application_name.as_str())];
        apps.extend(known.map(|_| startup));
        Names::new(active.user.as_deref(), active.database.as_deref(), &apps)
    }

    /// Whether these are names of clients of the pooler, which are in no list of attempts.
    pub(crate) fn is_pooled(&self, user: Option<&str>, database: Option<&str>) -> bool {
        self.truth.pgbouncer_attempts.iter().any(|attempt| {
            is_same(Some(&attempt.user), user) && is_same(Some(&attempt.database), database)
        })
    }

    /// The pid whose session wrote genuine records that read like those of the server (RAISE LOG):
    /// in a text log nothing that it wrote can be held against the reader.
    pub(crate) fn impostor(&self) -> Option<i64> {
        self.truth.must_not_be_reported.as_ref()?;
        let statements = |attempt: &&Attempt| attempt.app_startup.as_deref() == Some("statements");
        self.truth.attempts.iter().find(statements)?.pid
    }

    fn carries(&self, format: &str) -> Carries {
        let prefix = &self.truth.log_line_prefix;
        let escapes = escapes(prefix);
        let has = |any: &str| any.chars().any(|escape| escapes.contains(&escape));
        let columns = format == "csvlog" || format == "jsonlog";
        let syslog = format.starts_with("syslog");
        let verbose = self.truth.settings.get("log_error_verbosity");
        let exact = columns || has("mn") || syslog && format != "syslog traditional";
        Carries {
            pid: columns || syslog || has("pc"),
            time: columns || syslog || has("mnt"),
            names: columns || (has("u") && has("d")),
            database: columns || has("d"),
            host: columns || self.logs_receipt() || has("rh"),
            sqlstate: columns || has("e") || verbose.is_some_and(|v| v.contains("verbose")),
            text: !columns,
            coarse_s: if exact { 0.0 } else { 1.0 },
            forged_lines: self.truth.must_not_be_reported.is_some() && !columns && has("uda"),
        }
    }

    fn add_sessions(&mut self, attempt: &Attempt) {
        let replication = attempt.replication.as_deref();
        let walsender = replication.is_some()
            || attempt.client == "pg_basebackup"
            || attempt.client == "standby server";
        let database = match replication {
            None | Some("database") => attempt.database.as_deref(),
            Some(_) => None,
        };
        let later = [&attempt.app_server, &attempt.app_last]
            .into_iter()
            .flatten();
        let mut apps = vec![attempt.app_startup.as_deref()];
        apps.extend(later.map(|app| Some(app.as_str())));
        let mut add = |start: (f64, f64), pid, host: &Option<String>, port| {
            self.sessions.push(TrueSession {
                pid,
                start,
                backend_start: attempt.backend_start,
                host: host.clone(),
                port,
                walsender,
                names: Names::new(attempt.user.as_deref(), database, &apps),
                end: attempt.end.clone(),
                logged: logged_at(&self.switches, start.0),
                app_startup: attempt.app_startup.clone(),
            });
        };
        if attempt.client == "pg_basebackup" {
            // One attempt, two walsenders: the backup and the stream of WAL beside it.
            for made in &attempt.connections {
                add(
                    (made.t - 0.1, made.t + 1.0),
                    None,
                    &made.client_addr,
                    made.client_port,
                );
            }
            return;
        }
        let latest = match attempt.t1 {
            _ if attempt.client.starts_with("subscription") => attempt.t0 + 5.0,
            Some(t1) => t1,
            None => attempt.t0 + 3.0,
        };
        let start = match attempt.backend_start {
            Some(start) => (start, start),
            None => (attempt.t0 - 0.1, latest),
        };
        match attempt.connections.last() {
            Some(made) => add(start, attempt.pid, &made.client_addr, made.client_port),
            None => add(
                start,
                attempt.pid,
                &attempt.client_addr,
                attempt.client_port,
            ),
        }
    }

    fn add_failure(&mut self, attempt: &Attempt) {
        let only = [Connection {
            t: attempt.t0,
            client_addr: attempt.client_addr.clone(),
            client_port: attempt.client_port,
        }];
        let made = if attempt.connections.is_empty() {
            &only[..]
        } else {
            &attempt.connections
        };
        let sqlstate = refused_with(attempt);
        for connection in made {
            let attempted = || Attempted {
                label: attempt.label.clone(),
                during: (
                    connection.t - 0.1,
                    attempt.t1.unwrap_or(attempt.t0 + 3.0) + 0.5,
                ),
                host: connection.client_addr.clone(),
                port: connection.client_port,
                names: Names::new(attempt.user.as_deref(), attempt.database.as_deref(), &[]),
                sqlstate: sqlstate.clone(),
            };
            let refusals = if sqlstate.is_some() {
                &mut self.refusals
            } else {
                &mut self.perhaps_refused
            };
            refusals.push(attempted());
            let health_check = attempt.result == "probe";
            let others = if health_check {
                &mut self.health_checks
            } else {
                &mut self.never_sessions
            };
            others.push(attempted());
        }
    }

    fn add_short_sessions(&mut self) {
        let path = self.dir.join("sessions.csv.zst");
        if !path.exists() {
            return;
        }
        let text = decompressed(&path);
        for row in csv::Reader::from_reader(&text[..]).deserialize() {
            let row: ShortSession = row.unwrap_or_else(|err| panic!("{}: {err}", path.display()));
            self.sessions.push(TrueSession {
                pid: Some(row.pid),
                start: (row.backend_start, row.backend_start),
                backend_start: Some(row.backend_start),
                host: (!row.client_addr.is_empty()).then_some(row.client_addr),
                port: row.client_port.parse().ok(),
                walsender: false,
                names: Names::new(
                    Some(&row.user),
                    Some(&row.database),
                    &[Some(&row.application_name)],
                ),
                end: None,
                logged: logged_at(&self.switches, row.backend_start),
                app_startup: Some(row.application_name),
            });
        }
    }
}

impl Log<'_> {
    /// `18/kills csvlog`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.run.name, self.format)
    }

    /// The files as they were at a snapshot, with the names that they had then, decompressed.
    pub(crate) fn cut_at(&self, snapshot: &Snapshot) -> Vec<(String, Vec<u8>)> {
        let kinds = ["copytruncate", "rename+pg_rotate_logfile"];
        let happened = &self.run.truth.events;
        let moves = happened
            .iter()
            .filter(|event| kinds.contains(&event.what.as_str()) && event.t > snapshot.t)
            .count();
        let mut cut = Vec::new();
        for (path, &bytes) in &snapshot.log_bytes {
            let Some(name) = path
                .strip_prefix(self.dir)
                .and_then(|p| p.strip_prefix('/'))
            else {
                continue;
            };
            let now = moved_on(name, moves);
            let now = self
                .files
                .iter()
                .find(|file| file_name(file) == format!("{now}.zst"));
            let Some(now) = now else { continue };
            let mut text = decompressed(now);
            assert!(
                text.len() >= bytes,
                "{}: {path} is shorter than at {}",
                self.name(),
                snapshot.name
            );
            text.truncate(bytes);
            cut.push((name.to_owned(), text));
        }
        cut
    }

    /// Whether a name in a message can be told from the words around it.
    pub(crate) fn can_tell(&self, names: &Names) -> bool {
        self.carries.names || !names.looks_like_words
    }

    /// Whether these are the names of that session, as far as this log can tell.
    pub(crate) fn has_names(
        &self,
        names: &Names,
        walsender: bool,
        user: Option<&str>,
        database: Option<&str>,
    ) -> bool {
        let unseen = walsender && !self.carries.database && database.is_none();
        !self.can_tell(names)
            || (is_same(names.user.as_deref(), user)
                && (unseen || is_same(names.database.as_deref(), database)))
    }
}

impl std::fmt::Display for TrueSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.end.as_ref().map(|end| end.how.as_str());
        write!(
            f,
            "pid {:?} {} from {:?} port {:?}, started at {:.3}, ended by {end:?}",
            self.pid, self.names, self.host, self.port, self.start.0
        )
    }
}

impl std::fmt::Display for Attempted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} from {:?} port {:?} at {:.3}, {:?}",
            self.label, self.names, self.host, self.port, self.during.0, self.sqlstate
        )
    }
}

/// The SQLSTATE that the server refused an attempt with, from what it said to the client.
fn refused_with(attempt: &Attempt) -> Option<String> {
    let reply = attempt.reply.as_deref().unwrap_or_default();
    let message = attempt.message.as_deref().unwrap_or_default();
    if attempt.result == "refused" && attempt.sqlstate.is_some() {
        return attempt.sqlstate.clone();
    }
    if attempt.result == "refused" && message.contains("password authentication failed") {
        return Some("28P01".to_owned());
    }
    if reply.starts_with('E') && reply.contains("FATAL") {
        // Before it knows the protocol, the server answers without a code.
        let code = reply
            .split("|C")
            .nth(1)
            .and_then(|rest| rest.split('|').next());
        let no_user = reply.contains("no PostgreSQL user");
        let guessed = if no_user { "28000" } else { "0A000" };
        return Some(
            code.filter(|code| code.len() == 5)
                .unwrap_or(guessed)
                .to_owned(),
        );
    }
    (attempt.label == "auth_timeout_at_password").then(|| "57014".to_owned())
}

struct PartsOn {
    receipt: bool,
    authorization: bool,
}

/// What a value of `log_connections` turns on: a boolean, or a list since 18.
fn parts_on(setting: Option<&String>) -> PartsOn {
    let setting = setting
        .map(|text| text.trim_matches('\'').to_lowercase())
        .unwrap_or_default();
    let all = ["on", "true", "yes", "1", "all"].contains(&setting.as_str());
    let has = |part| all || setting.split(',').any(|on| on.trim() == part);
    PartsOn {
        receipt: has("receipt"),
        authorization: has("authorization"),
    }
}

fn switches(truth: &Truth) -> Vec<Switch> {
    let is_on = |text: &String| text.trim_matches('\'') == "on";
    let mut logged = Logged {
        connections: parts_on(truth.settings.get("log_connections")).authorization,
        disconnections: truth.settings.get("log_disconnections").is_some_and(is_on),
    };
    let mut switches = vec![Switch { from: 0.0, logged }];
    for event in truth.events.iter().filter(|event| event.what == "reload") {
        if let Some(text) = event.settings.get("log_connections") {
            logged.connections = parts_on(Some(text)).authorization;
        }
        if let Some(text) = event.settings.get("log_disconnections") {
            logged.disconnections = is_on(text);
        }
        switches.push(Switch {
            from: event.t,
            logged,
        });
    }
    switches
}

fn logged_at(switches: &[Switch], t: f64) -> Logged {
    let last = switches.iter().rfind(|switch| switch.from <= t);
    last.unwrap_or(&switches[0]).logged
}

/// The letters of the escapes of a `log_line_prefix`.
fn escapes(prefix: &str) -> Vec<char> {
    let mut escapes = Vec::new();
    let mut rest = prefix.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            let padding = |c: &char| *c == '-' || c.is_ascii_digit();
            escapes.extend(rest.find(|c| !padding(c)));
        }
    }
    escapes
}

/// `postgresql.log.1` after two more moves: `postgresql.log.3`.
fn moved_on(name: &str, moves: usize) -> String {
    if moves == 0 {
        return name.to_owned();
    }
    let numbered = name
        .rsplit_once('.')
        .and_then(|(stem, n)| Some((stem, n.parse::<usize>().ok()?)));
    let (stem, n) = numbered.unwrap_or((name, 0));
    format!("{stem}.{}", n + moves)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(read) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut entries: Vec<_> = read
        .map(|entry| entry.expect("readable directory").path())
        .collect();
    entries.sort();
    entries
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

fn decompressed(path: &Path) -> Vec<u8> {
    let open = || zstd::decode_all(std::fs::File::open(path)?);
    open().unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}
