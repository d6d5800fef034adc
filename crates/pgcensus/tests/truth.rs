//! What pgcensus says of the logs in `testdata/`, held against what really happened while they were
//! written: the servers' own statistics views and their clients said so, in `truth.json`.
//!
//! The program is called as its user would, with no options. A family of runs is a test; it collects
//! all that is wrong before it fails. What no reader of a log can know (lines that were switched
//! off, a prefix without pid or time, forged physical lines) is left out, run by run.

#[path = "support/names.rs"]
mod names;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "other tests ask for more")]
mod program;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/sums.rs"]
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use names::is_same;
use program::{Event, Input, Session, json_lines, json_object};
use recorded::{Attempted, Log, Run, TrueSession};

/// A start may be reported this much off and still be of that session.
const SAME_START_S: f64 = 2.0;
/// A start is right when it is off by no more than this.
const RIGHT_START_S: f64 = 0.25;

#[test]
fn clients_that_come_and_go() {
    check(|run| run == "basic");
}

#[test]
fn clients_that_are_refused() {
    check(|run| run == "failures");
}

#[test]
fn sessions_that_are_killed_and_servers_that_crash() {
    check(|run| run == "kills");
}

#[test]
fn walsenders_and_standbys() {
    check(|run| run == "replication");
}

#[test]
fn hostile_names_and_forged_lines() {
    check(|run| run.starts_with("injection"));
}

#[test]
fn rotated_logs_are_one_log() {
    check(|run| run.starts_with("rotation"));
}

#[test]
fn lines_switched_off_and_on() {
    check(|run| run.starts_with("nolog"));
}

#[test]
fn pids_that_return_in_a_container() {
    check(|run| run.starts_with("container"));
}

#[test]
fn prefixes_are_found_out() {
    check(|run| run.starts_with("prefix") || run == "syslog-qprefix");
}

#[test]
fn messages_in_other_languages() {
    check(|run| run.starts_with("locale"));
}

#[test]
fn each_value_of_log_connections() {
    check(|run| run.starts_with("logconn"));
}

#[test]
fn host_names_verbose_and_terse_logs() {
    check(|run| ["hostname", "verbose", "terse-nosplit"].contains(&run));
}

#[test]
fn a_pooler_between() {
    check(|run| run.starts_with("pgbouncer"));
}

#[test]
fn a_session_per_transaction() {
    check(|run| run == "churn");
}

#[test]
fn few_connection_lines_in_a_busy_log() {
    check(|run| run == "noise");
}

/// What is wrong so far, with the log that it is about.
struct Wrong<'r> {
    log: &'r Log<'r>,
    lines: &'r mut Vec<String>,
}

impl Wrong<'_> {
    fn unless(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.lines.push(format!("{}: {}", self.log.name(), what()));
        }
    }

    fn keep<T>(&mut self, answer: Result<T, String>) -> Option<T> {
        let err = match answer {
            Ok(value) => return Some(value),
            Err(err) => err,
        };
        self.unless(false, || err);
        None
    }
}

fn check(pick: impl Fn(&str) -> bool) {
    let runs = Run::all(pick);
    assert!(!runs.is_empty(), "testdata has no such run");
    let mut wrong = Vec::new();
    for run in &runs {
        let logs = run.logs();
        let mut told = Vec::new();
        for log in &logs {
            let sessions = check_log(&mut Wrong {
                log,
                lines: &mut wrong,
            });
            told.extend(sessions.map(|sessions| (log, sessions)));
        }
        let Some((first, others)) = told.split_first() else {
            continue;
        };
        for (log, sessions) in others {
            formats_agree(
                &mut Wrong {
                    log,
                    lines: &mut wrong,
                },
                sessions,
                first,
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers are wrong:\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    );
}

fn check_log(wrong: &mut Wrong<'_>) -> Option<Vec<Session>> {
    let log = wrong.log;
    let whole = Input::Files(&log.files);
    let summary = wrong.keep(json_object(&["summary", "--json"], &whole))?;
    if !log.carries.pid || !log.carries.time || log.carries.forged_lines {
        // Sessions cannot be told apart, or lines not be trusted. Where all lines are true, each
        // refusal still has its own.
        let required = log.run.refusals.len() as u64;
        let possible = required + log.run.perhaps_refused.len() as u64;
        let refused = summary
            .pointer("/refused/connections")
            .and_then(serde_json::Value::as_u64);
        let right = refused.is_some_and(|refused| (required..=possible).contains(&refused));
        wrong.unless(right || log.carries.forged_lines, || {
            format!("{required} to {possible} were refused, reported {refused:?}")
        });
        return None;
    }
    open_sets(wrong);
    let sessions: Vec<Session> = wrong.keep(json_lines(&["sessions", "--json"], &whole))?;
    true_sessions(wrong, &sessions);
    let events: Vec<Event> = wrong.keep(json_lines(&["events", "--json"], &whole))?;
    refusals(wrong, &events);
    let refused = wrong.keep(json_object(&["refused", "--json"], &whole))?;
    sums::of_refused(&refused, &events, &mut |right, what| {
        wrong.unless(right, || what);
    });
    forgeries(wrong, &sessions, &events);
    let mut sums = |right: bool, what: String| wrong.unless(right, || what);
    sums::of_summary(&summary, &sessions, &events, log.run.logs_all(), &mut sums);
    let all = json_object(&["history", "--last", "all", "--json"], &whole);
    for history in [json_object(&["history", "--json"], &whole), all] {
        let history = wrong.keep(history)?;
        sums::of_history(&history, &summary, &mut |right, what| {
            wrong.unless(right, || what);
        });
    }
    Some(sessions)
}

/// At each snapshot: the log as it was then says who was connected, as `pg_stat_activity` did.
fn open_sets(wrong: &mut Wrong<'_>) {
    let log = wrong.log;
    for snapshot in log
        .run
        .truth
        .snapshots
        .iter()
        .filter(|snapshot| log.run.is_decidable(snapshot))
    {
        let cut = log.cut_at(snapshot);
        let args = ["sessions", "--open", "--json"];
        let answer: Result<Vec<Session>, String> = match &cut[..] {
            [] => continue,
            [(_, text)] => json_lines(&args, &Input::Piped(text)),
            files => {
                let dir = tempfile::tempdir().expect("a temporary directory");
                let paths: Vec<_> = files
                    .iter()
                    .map(|(name, _)| dir.path().join(name))
                    .collect();
                for (path, (_, text)) in paths.iter().zip(files) {
                    std::fs::write(path, text).expect("space for a log");
                }
                json_lines(&args, &Input::Files(&paths))
            }
        };
        let at = format!("snapshot {:?}", snapshot.name);
        let answer = wrong.keep(answer.map_err(|err| format!("{at}: {err}")));
        let Some(mut left) = answer else { continue };
        wrong.unless(left.iter().all(Session::is_open), || {
            format!("{at}: --open gives closed ones")
        });
        let impostor = log.run.impostor().filter(|_| log.carries.text);
        for active in &snapshot.active {
            if active.user.is_none() {
                // Still logging in (18 shows such backends): open or not, both are right.
                left.retain(|session| session.pid != Some(active.pid));
                continue;
            }
            let names = log.run.names_of(active);
            let walsender = active.backend_type == "walsender";
            let found = left.iter().position(|session| {
                let (user, database) = (session.user.as_deref(), session.database.as_deref());
                session.pid == Some(active.pid) && log.has_names(&names, walsender, user, database)
            });
            let Some(found) = found else {
                let near = left.iter().find(|session| session.pid == Some(active.pid));
                let near = near.map(Session::to_string);
                wrong.unless(impostor == Some(active.pid), || {
                    format!(
                        "{at}: pid {} {names} is missing, reported: {near:?}",
                        active.pid
                    )
                });
                continue;
            };
            let session = left.swap_remove(found);
            wrong.unless(session.is_walsender() == walsender, || {
                format!(
                    "{at}: a {} is reported as {}",
                    active.backend_type, session.backend_type
                )
            });
            let app = session.application_name.as_deref();
            wrong.unless(names.has_app(app, log.carries.text), || {
                format!(
                    "{at}: {session}: application_name {}, reported {app:?}",
                    names.apps()
                )
            });
            let host = session.client_host.as_deref();
            let unseen = !log.carries.host && host.is_none();
            let right = match &active.client_addr {
                None => host == Some("[local]") && session.client_port.is_none(),
                Some(addr) => {
                    let resolved = log.run.truth.settings.contains_key("log_hostname");
                    (host == Some(addr)
                        || (host.is_some() && host == active.client_hostname.as_deref())
                        || (resolved && host == Some("localhost")))
                        && session.client_port == active.client_port
                }
            };
            wrong.unless(right || unseen, || {
                format!(
                    "{at}: {session}: is from {:?} port {:?}",
                    active.client_addr, active.client_port
                )
            });
        }
        for session in left
            .iter()
            .filter(|session| impostor.is_none() || session.pid != impostor)
        {
            wrong.unless(false, || format!("{at}: was not connected: {session}"));
        }
    }
}

/// Each true session is reported once, no other is, and its facts are right.
fn true_sessions(wrong: &mut Wrong<'_>, reported: &[Session]) {
    let log = wrong.log;
    let within = SAME_START_S + log.carries.coarse_s;
    let impostor = log.run.impostor().filter(|_| log.carries.text);
    let far = |truth: &TrueSession, session: &Session| {
        let same_backend = match (truth.pid, truth.port) {
            (Some(pid), _) => session.pid == Some(pid),
            (None, Some(port)) => {
                session.client_port == Some(port)
                    && (session.client_host.is_none()
                        || session.client_host == truth.host
                        || session.client_host.as_deref() == Some("localhost"))
            }
            (None, None) => true,
        };
        let (user, database) = (session.user.as_deref(), session.database.as_deref());
        let far = outside(session.first_seen(), truth.start);
        let same = same_backend
            && far <= within
            && log.has_names(&truth.names, truth.walsender, user, database);
        // Of several that fit, the one of the same kind and name comes first.
        let vague = truth.pid.is_none() && truth.port.is_none();
        let app = session.application_name.as_deref();
        let other_kind = truth.walsender != session.is_walsender()
            || (vague && session.client_host.as_deref() != Some("[local]"))
            || (vague && !truth.names.has_app(app, log.carries.text));
        same.then_some(far + if other_kind { 1.0 } else { 0.0 })
    };
    let truths = &log.run.sessions;
    let pairs = pair_up(truths, reported, far);
    for (truth, pair) in truths.iter().zip(&pairs) {
        let seen = truth.logged.connections || truth.logged.disconnections;
        let Some(session) = pair.map(|k| &reported[k]) else {
            let excused = !seen || (impostor.is_some() && truth.pid == impostor);
            let near: Vec<_> = reported
                .iter()
                .filter(|s| s.pid == truth.pid)
                .map(to_string)
                .collect();
            wrong.unless(excused, || {
                format!("not reported: {truth}; same pid: {near:?}")
            });
            continue;
        };
        facts(wrong, truth, session);
    }
    let found: BTreeSet<usize> = pairs.into_iter().flatten().collect();
    let others = reported
        .iter()
        .enumerate()
        .filter(|(k, _)| !found.contains(k));
    for (_, session) in others {
        let (user, database) = (session.user.as_deref(), session.database.as_deref());
        let during = |made: &&Attempted| {
            outside(session.first_seen(), made.during) <= within && made.port == session.client_port
        };
        let mut checks = log.run.health_checks.iter().filter(during);
        let is_pg_isready = session.application_name.as_deref() == Some("pg_isready");
        let excused = (impostor.is_some() && session.pid == impostor)
            || log.run.is_pooled(user, database)
            || checks.any(|check| check.port.is_some() || is_pg_isready);
        let never = log
            .run
            .never_sessions
            .iter()
            .filter(|made| made.port.is_some())
            .find(during);
        let never = never.map(to_string);
        wrong.unless(excused, || {
            format!("never was a session: {session}; near {never:?}")
        });
    }
    // The clients of a pooler keep no record of its connections; the server counted them.
    let statistics = log.run.truth.pg_stat_database.iter().flatten().last();
    let pooled = !log.run.truth.pgbouncer_attempts.is_empty();
    let Some(statistics) = statistics.filter(|_| pooled) else {
        return;
    };
    for row in &statistics.rows {
        let of_row = |session: &&Session| {
            session.database.as_ref() == Some(&row.datname)
                && !session.is_walsender()
                && session.first_seen() < statistics.t
        };
        let sessions = reported.iter().filter(of_row).count();
        wrong.unless(
            row.sessions.is_none_or(|counted| counted == sessions),
            || {
                format!(
                    "{}: {sessions} sessions, the server counted {:?}",
                    row.datname, row.sessions
                )
            },
        );
    }
}

fn facts(wrong: &mut Wrong<'_>, truth: &TrueSession, session: &Session) {
    let log = wrong.log;
    let coarse_s = log.carries.coarse_s;
    wrong.unless(truth.walsender == session.is_walsender(), || {
        format!("{truth}: reported as {}", session.backend_type)
    });
    let app = session.application_name.as_deref();
    let app_right = !truth.logged.connections || truth.names.has_app(app, log.carries.text);
    wrong.unless(app_right, || {
        format!(
            "{truth}: application_name {}, reported {app:?}",
            truth.names.apps()
        )
    });
    if !log.run.logs_receipt() && session.is_open() {
        // Without `connection received` nothing says when an open session began.
        return;
    }
    let off = outside(session.first_seen(), truth.start);
    wrong.unless(off <= RIGHT_START_S + coarse_s, || {
        format!("{truth}: the start is off: {session}")
    });
    let impostor = log.run.impostor().filter(|_| log.carries.text);
    let Some(end) = &truth.end else { return };
    if !truth.logged.disconnections || (impostor.is_some() && truth.pid == impostor) {
        return;
    }
    let ends = possible_ends(&end.how, truth.walsender);
    let mut least = end.t_from - truth.backend_start.unwrap_or(truth.start.1) - 0.1;
    let mut most = end.t_to - truth.backend_start.unwrap_or(truth.start.0) + 0.1;
    if ends.contains(&"server") {
        least -= coarse_s * 1.1;
        most += 0.5 + coarse_s * 1.1;
    }
    if ends.contains(&"server") && end.how.contains("kill") {
        // Nothing was said at the kill: the next start says that all were gone.
        let later = log
            .run
            .truth
            .server_lives
            .iter()
            .filter(|life| life.t_start > Some(end.t_from));
        let ready = later
            .filter_map(|life| life.t_ready.or(life.t_start))
            .reduce(f64::min);
        let next = ready.map_or(f64::INFINITY, |t| t - truth.start.0 + 1.0);
        most = most.max(next);
    }
    let lasted = session.session_time_ms.map(|ms| ms / 1000.0);
    wrong.unless(lasted.is_some_and(|s| (least..=most).contains(&s)), || {
        format!("{truth}: lasted {least:.3} to {most:.3} s, reported {lasted:?}")
    });
    let reported = session.end.as_deref();
    wrong.unless(reported.is_some_and(|end| ends.contains(&end)), || {
        format!("{truth}: may be told as {ends:?}, reported {reported:?}")
    });
}

/// The kinds of end that a reader may tell for what really ended a session.
fn possible_ends(how: &str, walsender: bool) -> Vec<&'static str> {
    let administrators = ["pg_terminate_backend", "SIGTERM", "DROP DATABASE"];
    if how.starts_with("client ") {
        vec!["client"]
    } else if how.starts_with("protocol violation") {
        vec!["client", "terminated"]
    } else if administrators.iter().any(|word| how.starts_with(word)) {
        vec!["terminated"]
    } else if how.contains("timeout") {
        vec!["timeout"]
    } else if how.starts_with("server stopped (fast)") || how.starts_with("server stopped (smart)")
    {
        // The standby leaves by itself when its primary stops.
        if walsender {
            vec!["terminated", "server", "client"]
        } else {
            vec!["terminated", "server"]
        }
    } else if how.starts_with("postmaster killed") {
        // Each session notices on its own, and says so or not.
        vec!["server", "terminated", "client"]
    } else {
        vec!["server"]
    }
}

/// Each refused connection is reported once, with its SQLSTATE; no other is.
fn refusals(wrong: &mut Wrong<'_>, events: &[Event]) {
    let log = wrong.log;
    let slack = 0.1 + log.carries.coarse_s;
    let reported: Vec<_> = events
        .iter()
        .filter(|event| event.event == "refused")
        .collect();
    let far = |truth: &&Attempted, event: &&Event| {
        let local = event.client_host.as_deref() == Some("[local]");
        let same_port = match (truth.port, event.client_port) {
            (Some(truth), Some(port)) => truth == port,
            (Some(_), None) => !local,
            (None, port) => port.is_none(),
        };
        let off = outside(event.at.0, truth.during);
        if !same_port || off > slack {
            return None;
        }
        let named = (event.user.is_none()
            || truth.names.user.is_none()
            || is_same(truth.names.user.as_deref(), event.user.as_deref()))
            && (event.database.is_none()
                || truth.names.database.is_none()
                || is_same(truth.names.database.as_deref(), event.database.as_deref()));
        let named = named || (log.carries.text && truth.names.looks_like_words);
        let guessed = truth.port.is_some() && event.client_port.is_none();
        named.then_some(
            off + if guessed { 0.2 } else { 0.0 } + if event.user.is_none() { 0.05 } else { 0.0 },
        )
    };
    let settings = &log.run.truth.settings;
    let has_host_names = settings
        .get("log_hostname")
        .is_some_and(|value| value == "on");
    let required = log.run.refusals.len();
    let truths: Vec<_> = log
        .run
        .refusals
        .iter()
        .chain(&log.run.perhaps_refused)
        .collect();
    let pairs = pair_up(&truths, &reported, far);
    for (truth, pair) in truths.iter().zip(&pairs).take(required) {
        let Some(event) = pair.map(|k| reported[k]) else {
            wrong.unless(false, || format!("refusal not reported: {truth}"));
            continue;
        };
        let unseen = !log.carries.sqlstate && event.sqlstate.is_none();
        wrong.unless(unseen || event.sqlstate == truth.sqlstate, || {
            format!("{truth}: reported with sqlstate {:?}", event.sqlstate)
        });
        // Where the log has the host anywhere, be it in another record of the backend, it is known of the refusal.
        let host = truth.host.as_deref().unwrap_or("[local]");
        let reported = event.client_host.as_deref();
        let is_host = reported == Some(host) || has_host_names;
        wrong.unless(is_host || !log.carries.host, || {
            format!("{truth}: reported with host {reported:?}")
        });
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let reason = event.reason.as_deref().unwrap_or_default();
        let is_known = !reason.is_empty() && reason != "other";
        wrong.unless(is_known && reason.chars().all(is_word), || {
            format!("{truth}: reported with reason {:?}", event.reason)
        });
    }
    let found: BTreeSet<usize> = pairs.into_iter().flatten().collect();
    for (k, event) in reported.iter().enumerate() {
        let (user, database) = (event.user.as_deref(), event.database.as_deref());
        wrong.unless(
            found.contains(&k) || log.run.is_pooled(user, database),
            || format!("was not refused: {event:?}"),
        );
    }
}

/// What exists only inside forged text is nowhere reported.
fn forgeries(wrong: &mut Wrong<'_>, sessions: &[Session], events: &[Event]) {
    let log = wrong.log;
    let Some(forged) = &log.run.truth.must_not_be_reported else {
        return;
    };
    let impostor = log.run.impostor().filter(|_| log.carries.text);
    let names = [Some(forged.user.as_str()), Some(forged.database.as_str())];
    let mut check =
        |what: &str, pid: Option<i64>, told: [&Option<String>; 3], host: &Option<String>| {
            let excused = impostor.is_some() && pid == impostor;
            let is_forged = told
                .iter()
                .any(|name| name.is_some() && names.contains(&name.as_deref()))
                || host.as_deref() == Some(forged.client_addr.as_str())
                || pid == Some(forged.pid);
            wrong.unless(!is_forged || excused, || {
                format!("{what} out of forged text: pid {pid:?}, {told:?}, {host:?}")
            });
        };
    for s in sessions {
        check(
            "session",
            s.pid,
            [&s.user, &s.database, &s.application_name],
            &s.client_host,
        );
    }
    for e in events {
        check(
            &e.event,
            e.pid,
            [&e.user, &e.database, &e.application_name],
            &e.client_host,
        );
    }
}

/// Two formats of one run tell the same sessions.
fn formats_agree(wrong: &mut Wrong<'_>, sessions: &[Session], first: &(&Log<'_>, Vec<Session>)) {
    let log = wrong.log;
    let (other, others) = first;
    let run = log.run;
    let unlogged =
        |session: &&TrueSession| !(session.logged.connections && session.logged.disconnections);
    let mut left_out: BTreeSet<_> = run
        .sessions
        .iter()
        .filter(unlogged)
        .map(|session| session.pid)
        .collect();
    left_out.extend(run.impostor().map(Some));
    let unsure: BTreeSet<_> = run
        .sessions
        .iter()
        .filter(|session| !log.can_tell(&session.names) || !other.can_tell(&session.names))
        .map(|session| session.pid)
        .collect();
    let (ours, theirs) = (by_pid(sessions), by_pid(others));
    let pids: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for pid in pids.into_iter().filter(|pid| !left_out.contains(pid)) {
        let (ours, theirs) = (ours.get(pid), theirs.get(pid));
        let count = |sessions: Option<&Vec<&Session>>| sessions.map_or(0, Vec::len);
        wrong.unless(count(ours) == count(theirs), || {
            let (n, m) = (count(ours), count(theirs));
            format!("pid {pid:?} has {n} sessions, in {} {m}", other.format)
        });
        for (a, b) in ours.into_iter().flatten().zip(theirs.into_iter().flatten()) {
            let unseen = a.is_walsender()
                && (a.database.is_none() || b.database.is_none())
                && !(log.carries.database && other.carries.database);
            let names =
                unsure.contains(pid) || (a.user == b.user && (unseen || a.database == b.database));
            let hosts = (a.client_host.is_none() && !log.carries.host)
                || (&a.client_host, a.client_port) == (&b.client_host, b.client_port);
            let coarse_s = log.carries.coarse_s.max(other.carries.coarse_s);
            let ends = match (a.session_end, b.session_end) {
                (Some(a), Some(b)) => (a.0 - b.0).abs() <= 0.05 + coarse_s,
                (a, b) => a == b,
            };
            wrong.unless(names && hosts && ends, || {
                format!("{a}; in {}: {b}", other.format)
            });
        }
    }
}

fn by_pid(sessions: &[Session]) -> BTreeMap<Option<i64>, Vec<&Session>> {
    let mut by_pid: BTreeMap<_, Vec<&Session>> = BTreeMap::new();
    for session in sessions {
        by_pid.entry(session.pid).or_default().push(session);
    }
    for sessions in by_pid.values_mut() {
        let key = |s: &Session| s.session_end.map_or(f64::INFINITY, |end| end.0);
        sessions.sort_by(|a, b| key(a).total_cmp(&key(b)));
    }
    by_pid
}

/// For each of `truths` the one of `reported` that is it, nearest pairs first; `far` is `None` where
/// two cannot be the same.
fn pair_up<A, B>(
    truths: &[A],
    reported: &[B],
    far: impl Fn(&A, &B) -> Option<f64>,
) -> Vec<Option<usize>> {
    let mut possible = Vec::new();
    for (n, truth) in truths.iter().enumerate() {
        for (k, other) in reported.iter().enumerate() {
            possible.extend(far(truth, other).map(|far| (far, n, k)));
        }
    }
    possible.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut pairs = vec![None; truths.len()];
    let mut taken = vec![false; reported.len()];
    for (_, n, k) in possible {
        if pairs[n].is_none() && !taken[k] {
            (pairs[n], taken[k]) = (Some(k), true);
        }
    }
    pairs
}

/// How far an instant lies outside an interval.
fn outside(t: f64, (from, to): (f64, f64)) -> f64 {
    (from - t).max(t - to).max(0.0)
}

fn to_string(value: &impl ToString) -> String {
    value.to_string()
}
