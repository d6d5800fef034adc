//! `events`: what happened, in order.
//!
//! ```text
//! 23 Nov 02:40:58.120 [+] app@shop  api  10.0.0.7:51842 [pid 4242]
//! 23 Nov 02:42:00.465 [-] app@shop  api  10.0.0.7:51842 [pid 4242] after 1 min 2 s (client: reset)
//! 23 Nov 02:42:01.007 [!] refused: hba_no_entry (28000)  eve@shop  10.0.0.9:40112 [pid 4243]
//! ```
//!
//! An authorized line may still be followed by a refusal, within milliseconds. [`EventQueue`] therefore
//! holds each `connected` back until nothing of the kind can come, and everything behind it with it, so
//! that the output stays in the order of the log.

use std::collections::{HashMap, VecDeque};
use std::io;

use pgcensus_core::change::{Change, Probe, Refusal, What};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Name, Names};
use pgcensus_core::session::{
    End, EndReason, RefusalReason, ServerId, Session, SessionId, Sqlstate,
};
use pgcensus_log::event::ServerEvent;

use super::row::{Row, RowForm};
use super::sessions::{backend_type, client, text_of, user_at_database};
use super::text::{duration, shown, thousands};
use super::{Form, Show, Tone};

/// How long a `connected` is held, in log time.
const HOLD_MS: i64 = 2_000;

/// How many changes may wait; past this the oldest `connected` is let go, and a refusal that comes later
/// says `takes_back`.
const HELD_MAX: usize = 10_000;

/// Columns of CSV: every key of JSON.
const COLUMNS: &str = "at,server,event,pid,session_id,backend_type,user,database,application_name,\
client_host,client_port,reason,session_time_ms,end,sqlstate,is_retry,takes_back,received_at,message";

/// Changes on their way to the output, in order.
#[derive(Default)]
pub(crate) struct EventQueue {
    waiting: VecDeque<Option<Change>>,
    /// Number of the first of `waiting`, counted from the beginning of the input.
    first: u64,
    /// Sessions that were opened and may still be taken back: the number of their change.
    held: HashMap<BackendKey, u64>,
    /// The latest log time.
    now: Option<Instant>,
    /// This backend's session was dropped while it was held; its refusal comes next.
    dropped: Option<BackendKey>,
}

/// A backend, as far as the log tells it from others.
type BackendKey = (ServerId, Option<u32>, Option<SessionId>);

impl EventQueue {
    /// Takes the next change and hands on what is ready. [`What::TakenBack`] is never handed on: either the
    /// session was still held, and then it is dropped, or the refusal that follows says `takes_back`.
    pub(crate) fn push(
        &mut self,
        change: &Change,
        mut emit: impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        self.now = self.now.max(change.at);
        match &change.what {
            What::Opened(session) => {
                let key = key(session);
                self.settle(key);
                if let Some(key) = key {
                    let number = self.first + self.waiting.len() as u64;
                    self.held.insert(key, number);
                }
                self.waiting.push_back(Some(change.clone()));
                self.release(false, &mut emit)
            }
            What::TakenBack(session) => {
                let key = key(session);
                if let Some(number) = key.and_then(|key| self.held.remove(&key)) {
                    self.waiting[(number - self.first) as usize] = None;
                    self.dropped = key;
                }
                self.release(false, &mut emit)
            }
            What::Refused(refusal) => {
                let key = backend(refusal.server, refusal.pid, refusal.session_id);
                self.settle(key);
                let dropped = self.dropped.take();
                if dropped.is_none() || dropped != key {
                    return self.pass(change, &mut emit);
                }
                let mut refusal = refusal.clone();
                refusal.takes_back = false;
                let change = Change {
                    what: What::Refused(refusal),
                    ..change.clone()
                };
                self.pass(&change, &mut emit)
            }
            What::Closed(session) => {
                self.settle(key(session));
                self.pass(change, &mut emit)
            }
            What::Probe(probe) => {
                self.settle(backend(probe.server, probe.pid, probe.session_id));
                self.pass(change, &mut emit)
            }
            What::Server(..) => self.pass(change, &mut emit),
        }
    }

    /// The end of the input: nothing is held any more.
    pub(crate) fn finish(
        &mut self,
        mut emit: impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        self.release(true, &mut emit)
    }

    /// Something else came from this backend: its session, if it is held, has become certain.
    fn settle(&mut self, key: Option<BackendKey>) {
        if let Some(key) = key {
            self.held.remove(&key);
        }
    }

    /// Hands on a change that need not be held, behind those that are.
    fn pass(
        &mut self,
        change: &Change,
        emit: &mut impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        self.release(false, emit)?;
        if self.waiting.is_empty() {
            return emit(change);
        }
        self.waiting.push_back(Some(change.clone()));
        Ok(())
    }

    /// Hands on what waits, up to the first `connected` that must be held.
    fn release(
        &mut self,
        all: bool,
        emit: &mut impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(change) = self.waiting.front() {
            if let Some(Change {
                at,
                what: What::Opened(session),
                ..
            }) = change
                && let Some(key) = key(session)
                && self.held.get(&key) == Some(&self.first)
            {
                let over = match (self.now, at) {
                    (Some(now), Some(at)) => now.since(*at) >= HOLD_MS,
                    _ => false,
                };
                if !(all || over || self.waiting.len() >= HELD_MAX) {
                    return Ok(());
                }
                self.held.remove(&key);
            }
            if let Some(Some(change)) = self.waiting.pop_front() {
                emit(&change)?;
            }
            self.first += 1;
        }
        Ok(())
    }
}

fn key(session: &Session) -> Option<BackendKey> {
    backend(session.server, session.pid, session.session_id)
}

/// `None` where the log tells no backend from another: then nothing can be taken back either.
fn backend(
    server: ServerId,
    pid: Option<u32>,
    session_id: Option<SessionId>,
) -> Option<BackendKey> {
    (pid.is_some() || session_id.is_some()).then_some((server, pid, session_id))
}

/// A stream of events in the making.
pub(crate) struct Events<'a> {
    show: Show<'a>,
    form: Form,
    rows: u64,
    line: Vec<u8>,
}

impl<'a> Events<'a> {
    /// Nothing is written before the first event.
    pub(crate) fn new(form: Form, show: Show<'a>) -> Events<'a> {
        Events {
            show,
            form,
            rows: 0,
            line: Vec::new(),
        }
    }

    /// Writes a change that is ready (see [`EventQueue`]), unless `--limit` of them were written.
    pub(crate) fn row(
        &mut self,
        change: &Change,
        names: &Names,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        if matches!(change.what, What::TakenBack(_)) {
            return Ok(());
        }
        if self.rows == 0 {
            self.head(out)?;
        }
        self.rows += 1;
        if self.limit().is_some_and(|limit| self.rows > limit) {
            return Ok(());
        }
        let form = match self.form {
            Form::Json => RowForm::Json,
            Form::Csv => RowForm::Csv,
            Form::Text => return writeln!(out, "{}", line(change, names, &self.show)),
        };
        self.line.clear();
        write_row(form, change, names, &self.show, &mut self.line);
        out.write_all(&self.line)
    }

    /// How many more there were, or that there was none.
    pub(crate) fn finish(self, out: &mut impl io::Write) -> io::Result<()> {
        if self.rows == 0 {
            self.head(out)?;
        }
        if self.form != Form::Text {
            return Ok(());
        }
        let more = self
            .limit()
            .map_or(0, |limit| self.rows.saturating_sub(limit));
        let text = match (self.rows, more) {
            (0, _) => "no events".to_owned(),
            (_, 0) => return Ok(()),
            _ => format!("{} more: --limit 0", thousands(more)),
        };
        writeln!(out, "{}", self.show.paint(Tone::Dim, &text))
    }

    fn limit(&self) -> Option<u64> {
        self.show
            .limit
            .filter(|&limit| limit > 0)
            .map(|limit| limit as u64)
    }

    fn head(&self, out: &mut impl io::Write) -> io::Result<()> {
        match self.form {
            Form::Csv => writeln!(out, "{COLUMNS}"),
            Form::Json | Form::Text => Ok(()),
        }
    }
}

/// Whom an event is about; what is not carried or does not apply is `None`.
#[derive(Default)]
struct Subject<'c> {
    server: ServerId,
    pid: Option<u32>,
    session_id: Option<SessionId>,
    backend_type: Option<&'static str>,
    user: Option<&'c Name>,
    database: Option<&'c Name>,
    application_name: Option<&'c Name>,
    client_host: Option<&'c Name>,
    client_port: Option<u16>,
}

fn subject(what: &What) -> Subject<'_> {
    match what {
        What::Opened(session) | What::TakenBack(session) | What::Closed(session) => Subject {
            server: session.server,
            pid: session.pid,
            session_id: session.session_id,
            backend_type: Some(backend_type(session.walsender)),
            user: session.user.as_ref(),
            database: session.database.as_ref(),
            application_name: session.application_name.as_ref(),
            client_host: session.client_host.as_ref(),
            client_port: session.client_port,
        },
        What::Refused(refusal) => Subject {
            server: refusal.server,
            pid: refusal.pid,
            session_id: refusal.session_id,
            backend_type: Some(backend_type(refusal.walsender)),
            user: refusal.user.as_ref(),
            database: refusal.database.as_ref(),
            application_name: refusal.application_name.as_ref(),
            client_host: refusal.client_host.as_ref(),
            client_port: refusal.client_port,
        },
        What::Probe(probe) => Subject {
            server: probe.server,
            pid: probe.pid,
            session_id: probe.session_id,
            client_host: probe.client_host.as_ref(),
            client_port: probe.client_port,
            ..Subject::default()
        },
        What::Server(server, _) => Subject {
            server: *server,
            ..Subject::default()
        },
    }
}

/// What only some kinds of event have.
#[derive(Default)]
struct Particulars<'c> {
    event: &'static str,
    reason: Option<&'static str>,
    closed: Option<&'c Session>,
    refused: Option<&'c Refusal>,
    probe: Option<&'c Probe>,
}

fn particulars(what: &What) -> Particulars<'_> {
    match what {
        What::Opened(_) | What::TakenBack(_) => Particulars {
            event: "connected",
            ..Particulars::default()
        },
        What::Closed(session) => Particulars {
            event: "disconnected",
            reason: Some(end_reason(session).as_str()),
            closed: Some(session),
            ..Particulars::default()
        },
        What::Refused(refusal) => Particulars {
            event: "refused",
            reason: Some(refusal.reason.as_str()),
            refused: Some(refusal),
            ..Particulars::default()
        },
        What::Probe(probe) => Particulars {
            event: "probe",
            reason: Some(probe.reason.as_str()),
            probe: Some(probe),
            ..Particulars::default()
        },
        What::Server(_, event) => Particulars {
            event: "server",
            reason: Some(server_word(*event)),
            ..Particulars::default()
        },
    }
}

/// Why a session ended. Where no message said it, the client left without a word.
fn end_reason(session: &Session) -> EndReason {
    session.end_reason.unwrap_or(EndReason::Closed)
}

fn server_word(event: ServerEvent) -> &'static str {
    match event {
        ServerEvent::Starting { .. } => "starting",
        ServerEvent::Startup { crashed: false } => "startup",
        ServerEvent::Startup { crashed: true } => "startup_after_crash",
        ServerEvent::Ready => "ready",
        ServerEvent::SmartShutdown => "smart_shutdown",
        ServerEvent::FastShutdown => "fast_shutdown",
        ServerEvent::ImmediateShutdown => "immediate_shutdown",
        ServerEvent::ShuttingDown => "shutting_down",
        ServerEvent::ShutDown => "shut_down",
        ServerEvent::ChildCrashed { .. } => "child_crashed",
        ServerEvent::TerminatingOthers => "terminating_others",
        ServerEvent::Reinitializing => "reinitializing",
        ServerEvent::Reloading => "reloading",
    }
}

/// An event for people.
fn line(change: &Change, names: &Names, show: &Show<'_>) -> String {
    let at = change
        .at
        .map_or_else(String::new, |at| show.milli(at) + " ");
    let whom = whom(change, names, show);
    match &change.what {
        What::Opened(_) | What::TakenBack(_) => {
            format!("{at}{} {whom}", show.paint(Tone::Connected, "[+]"))
        }
        What::Closed(session) => {
            let end = session.end.map_or("", End::as_str);
            let reason = end_reason(session).as_str();
            let after = session.session_time_ms.map_or_else(String::new, |ms| {
                let bound = if session.session_end_is_bound {
                    "at most "
                } else {
                    ""
                };
                format!("after {bound}{} ", duration(ms))
            });
            format!(
                "{at}{} {whom} {after}({end}: {reason})",
                show.paint(Tone::Disconnected, "[-]")
            )
        }
        What::Refused(refusal) => {
            let reason = refusal.reason.as_str();
            let code = refusal
                .sqlstate
                .map_or_else(String::new, |code| format!(" ({})", code.as_str()));
            let refused = format!("refused: {reason}{code}");
            let mut line = format!(
                "{at}{} {}  {whom}",
                show.paint(Tone::Refused, "[!]"),
                show.paint(Tone::Refused, &refused)
            );
            if refusal.takes_back {
                line += " takes back its [+]";
            }
            if refusal.reason == RefusalReason::Other {
                let message = format!("  {}", shown(&change.message));
                line += &show.paint(Tone::Dim, &message).to_string();
            }
            line
        }
        What::Probe(probe) => {
            let text = format!("[ ] probe: {}  {whom}", probe.reason.as_str());
            format!("{at}{}", show.paint(Tone::Dim, &text))
        }
        What::Server(_, event) => {
            let text = if change.message.is_empty() {
                server_word(*event).into()
            } else {
                shown(&change.message)
            };
            format!(
                "{at}{} server{whom}: {text}",
                show.paint(Tone::Title, "[*]")
            )
        }
    }
}

/// `app@shop  api  10.0.0.7:51842 [pid 4242]`, with the server where there are several.
fn whom(change: &Change, names: &Names, show: &Show<'_>) -> String {
    let whom = subject(&change.what);
    let mut parts = Vec::new();
    if show.servers.len() > 1 {
        parts.push(shown(show.server(whom.server).as_bytes()).into_owned());
    }
    if let What::Server(..) = change.what {
        return parts.iter().map(|server| format!(" {server}")).collect();
    }
    if whom.user.is_some() || whom.database.is_some() {
        let walsender = whom.backend_type == Some(backend_type(true));
        parts.push(user_at_database(names, whom.user, whom.database, walsender));
    }
    if whom.backend_type == Some(backend_type(true)) {
        parts.push("walsender".to_owned());
    }
    let application = text_of(names, Dimension::ApplicationName, whom.application_name);
    parts.extend(application.map(|application| shown(application).into_owned()));
    if whom.client_host.is_some() {
        parts.push(client(names, whom.client_host, whom.client_port));
    }
    let mut text = parts.join("  ");
    if let Some(pid) = whom.pid {
        let gap = if text.is_empty() { "" } else { " " };
        text += &format!("{gap}[pid {pid}]");
    }
    text
}

fn write_row(form: RowForm, change: &Change, names: &Names, show: &Show<'_>, out: &mut Vec<u8>) {
    let whom = subject(&change.what);
    let Particulars {
        event,
        reason,
        closed,
        refused,
        probe,
    } = particulars(&change.what);
    let csv = form == RowForm::Csv;
    let mut row = Row::begin(form, out);
    row.time("at", change.at, show.zone);
    row.text("server", Some(show.server(whom.server).as_bytes()));
    row.word("event", Some(event));
    row.number("pid", whom.pid.map(u64::from));
    row.display("session_id", whom.session_id);
    row.word("backend_type", whom.backend_type);
    row.text("user", text_of(names, Dimension::User, whom.user));
    row.text(
        "database",
        text_of(names, Dimension::Database, whom.database),
    );
    row.text(
        "application_name",
        text_of(names, Dimension::ApplicationName, whom.application_name),
    );
    row.text(
        "client_host",
        text_of(names, Dimension::ClientHost, whom.client_host),
    );
    row.number("client_port", whom.client_port.map(u64::from));
    row.word("reason", reason);
    // JSON has the keys of its kind, CSV the columns of all kinds.
    if csv || closed.is_some() {
        row.number(
            "session_time_ms",
            closed.and_then(|session| session.session_time_ms),
        );
        row.word(
            "end",
            closed.and_then(|session| session.end).map(End::as_str),
        );
    }
    if csv || refused.is_some() {
        let sqlstate = refused.and_then(|refusal| refusal.sqlstate);
        row.word("sqlstate", sqlstate.as_ref().map(Sqlstate::as_str));
    }
    match refused {
        Some(refusal) => {
            row.flag("is_retry", refusal.is_retry);
            row.flag("takes_back", refusal.takes_back);
        }
        None if csv => {
            row.word("is_retry", None);
            row.word("takes_back", None);
        }
        None => {}
    }
    if csv || probe.is_some() {
        row.time(
            "received_at",
            probe.and_then(|probe| probe.received_at),
            show.zone,
        );
    }
    let message = Some(&*change.message).filter(|message| !message.is_empty());
    row.text("message", message);
    row.end();
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::view::example::{self, at, change};

    fn opened(session: &Session) -> Change {
        change(
            session.authorized_at.unwrap(),
            What::Opened(Box::new(session.clone())),
        )
    }

    fn some(names: &mut Names) -> Vec<Change> {
        let app = example::session(
            names,
            4_242,
            "app",
            "shop",
            Some("api"),
            "10.0.0.7",
            Some(51_842),
            at(2, 40, 58),
        );
        let end = example::closed(app.clone(), 62_345, End::Client, EndReason::Reset);
        let mut standby = example::session(
            names,
            4_250,
            "replicator",
            "x",
            Some("standby1"),
            "10.0.0.2",
            Some(40_000),
            at(2, 41, 0),
        );
        (standby.walsender, standby.database) = (true, None);
        let mut lost = example::closed(standby.clone(), 0, End::Lost, EndReason::PidReturned);
        (lost.session_end, lost.session_time_ms) = (None, None);
        let mut other = example::refusal(&app, RefusalReason::Other, true);
        other.sqlstate = None;
        let mut changes = vec![
            change(
                at(2, 30, 0),
                What::Server(ServerId(0), ServerEvent::Starting { major: Some(16) }),
            ),
            opened(&app),
            opened(&standby),
            change(
                at(2, 41, 1),
                What::Refused(Box::new(example::refusal(
                    &app,
                    RefusalReason::TooManyClients,
                    false,
                ))),
            ),
            change(at(2, 41, 2), What::Refused(Box::new(other))),
            change(at(2, 42, 0), What::Closed(Box::new(end))),
            change(at(2, 43, 0), What::Closed(Box::new(lost))),
            change(
                at(2, 44, 0),
                What::Probe(Box::new(example::probe(names, at(2, 42, 0)))),
            ),
        ];
        changes[0].message = (*b"starting PostgreSQL 16.14 on \x1b[31mx86_64").into();
        changes[4].message = (*b"no such thing\nas this").into();
        changes
    }

    fn render(form: Form, show: &Show<'_>) -> String {
        let mut names = Names::default();
        let (mut view, mut out) = (Events::new(form, *show), Vec::new());
        for change in some(&mut names) {
            view.row(&change, &names, &mut out).unwrap();
        }
        view.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_as_lines_for_people() {
        let zone = example::zone();
        insta::assert_snapshot!("events", render(Form::Text, &example::show(&zone, 80)));
        let servers = ["main".to_owned(), "replica".to_owned()];
        let show = Show {
            servers: &servers,
            color: true,
            ..example::show(&zone, 80)
        };
        insta::assert_snapshot!(
            "events_in_colour",
            render(Form::Text, &show).replace('\x1b', "␛")
        );
    }

    #[test]
    fn event_of_json_has_the_keys_of_the_contract() {
        let zone = example::zone();
        let text = render(Form::Json, &example::show(&zone, 80));
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for row in &rows {
            for key in "at server event pid session_id backend_type user database application_name client_host client_port".split(' ') {
                assert!(row.get(key).is_some(), "{key} of {row}");
            }
            assert_eq!(
                row["reason"].is_null(),
                row["event"] == json!("connected"),
                "{row}"
            );
        }
        assert_eq!(rows[3]["sqlstate"], json!("53300"));
        assert_eq!(rows[4]["takes_back"], json!(true));
        assert_eq!(rows[6]["end"], json!("lost"));
        assert!(rows[7]["received_at"].is_string());
        insta::assert_snapshot!("events_json", text);
    }

    #[test]
    fn event_of_csv_has_a_field_for_each_column() {
        let zone = example::zone();
        let text = render(Form::Csv, &example::show(&zone, 80));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), 19);
        assert_eq!(reader.records().map(Result::unwrap).count(), 8);
    }

    /// Feeds the queue and says what came out of it after each change, and at the end.
    fn flow(changes: &[Change]) -> Vec<String> {
        let mut queue = EventQueue::default();
        let mut steps = Vec::new();
        let word = |change: &Change| {
            let refused = match &change.what {
                What::Refused(refusal) if refusal.takes_back => " takes back",
                _ => "",
            };
            format!(
                "{}{refused} {}",
                particulars(&change.what).event,
                subject(&change.what).pid.unwrap_or(0)
            )
        };
        for change in changes {
            let mut step = Vec::new();
            queue
                .push(change, |change| {
                    step.push(word(change));
                    Ok(())
                })
                .unwrap();
            steps.push(step.join(", "));
        }
        let mut step = Vec::new();
        queue
            .finish(|change| {
                step.push(word(change));
                Ok(())
            })
            .unwrap();
        steps.push(step.join(", "));
        steps
    }

    #[test]
    fn session_taken_back_while_held_is_not_printed() {
        let mut names = Names::default();
        let a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let b = example::session(
            &mut names,
            2,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let refusal = example::refusal(&a, RefusalReason::RoleLimit, true);
        let changes = [
            opened(&a),
            opened(&b),
            change(at(1, 0, 0).plus_ms(9), What::TakenBack(Box::new(a.clone()))),
            change(at(1, 0, 0).plus_ms(9), What::Refused(Box::new(refusal))),
        ];
        assert_eq!(flow(&changes), ["", "", "", "", "connected 2, refused 1"]);
    }

    #[test]
    fn session_is_let_go_after_two_seconds_and_a_refusal_after_that_takes_it_back() {
        let mut names = Names::default();
        let a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let b = example::session(
            &mut names,
            2,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 3),
        );
        let refusal = example::refusal(&a, RefusalReason::RoleLimit, true);
        let changes = [
            opened(&a),
            opened(&b),
            change(at(1, 0, 4), What::TakenBack(Box::new(a.clone()))),
            change(at(1, 0, 4), What::Refused(Box::new(refusal))),
        ];
        assert_eq!(
            flow(&changes),
            [
                "",
                "connected 1",
                "",
                "",
                "connected 2, refused takes back 1"
            ]
        );
    }

    #[test]
    fn end_of_a_session_lets_it_go_in_order() {
        let mut names = Names::default();
        let a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let b = example::session(
            &mut names,
            2,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let end = |session: &Session| {
            let ended = example::closed(session.clone(), 500, End::Client, EndReason::Closed);
            change(at(1, 0, 0).plus_ms(500), What::Closed(Box::new(ended)))
        };
        let changes = [opened(&a), opened(&b), end(&b), end(&a)];
        assert_eq!(
            flow(&changes),
            [
                "",
                "",
                "",
                "connected 1, connected 2, disconnected 2, disconnected 1",
                ""
            ]
        );
    }

    #[test]
    fn session_without_pid_or_id_is_never_held() {
        let mut names = Names::default();
        let mut a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        (a.pid, a.session_id) = (None, None);
        assert_eq!(flow(&[opened(&a)]), ["connected 0", ""]);
    }

    #[test]
    fn queue_is_bounded() {
        let mut names = Names::default();
        let mut queue = EventQueue::default();
        let mut emitted = 0;
        for pid in 0..HELD_MAX as u32 + 500 {
            let session = example::session(
                &mut names,
                pid,
                "app",
                "shop",
                None,
                "[local]",
                None,
                at(1, 0, 0),
            );
            queue
                .push(&opened(&session), |_| {
                    emitted += 1;
                    Ok(())
                })
                .unwrap();
            assert!(queue.waiting.len() <= HELD_MAX && queue.held.len() <= HELD_MAX);
        }
        queue
            .finish(|_| {
                emitted += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(emitted, HELD_MAX + 500);
    }
}
