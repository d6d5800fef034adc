//! `events`: what happened, in order.
//!
//! ```text
//! 23 Nov 02:40:58.120 [+] app@shop  api  10.0.0.7:51842 [pid 4242]
//! 23 Nov 02:42:00.465 [-] app@shop  api  10.0.0.7:51842 [pid 4242] after 1 min 2 s (client: reset)
//! 23 Nov 02:42:01.007 [!] refused: hba_no_entry (28000)  eve@shop  10.0.0.9:40112 [pid 4243]
//! ```
//!
//! A change that may still be taken back is not for here: [`Hold`](pgcensus_core::hold::Hold)
//! comes before.

use std::io;

use pgcensus_core::change::{Change, Probe, Refusal, What};
use pgcensus_core::names::{Dimension, Name, Names};
use pgcensus_core::session::{
    End, EndReason, RefusalReason, ServerId, Session, SessionId, Sqlstate,
};
use pgcensus_log::event::ServerEvent;

use super::row::{Row, RowForm};
use super::sessions::{backend_type, client, text_of, user_at_database};
use super::text::{duration, shown, thousands};
use super::{Form, Show, Tone};

/// Columns of CSV: every key of JSON.
pub(crate) const CSV_HEAD: &[u8] = b"at,server,event,pid,session_id,backend_type,user,database,application_name,\
client_host,client_port,reason,session_time_ms,end,sqlstate,is_retry,takes_back,received_at,message\n";

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

    /// Writes a change that is ready, unless `--limit` of them were written.
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
        self.line.clear();
        write(self.form, change, names, &self.show, &mut self.line);
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
            Form::Csv => out.write_all(CSV_HEAD),
            Form::Json | Form::Text => Ok(()),
        }
    }
}

/// Writes one event.
pub(crate) fn write(
    form: Form,
    change: &Change,
    names: &Names,
    show: &Show<'_>,
    out: &mut Vec<u8>,
) {
    let form = match form {
        Form::Json => RowForm::Json,
        Form::Csv => show.csv(),
        Form::Text => {
            out.extend_from_slice(line(change, names, show).as_bytes());
            out.push(b'\n');
            return;
        }
    };
    row(form, change, None, names, show, out);
}

/// What a record says that goes on after its event was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amendment<'l> {
    /// The lines that came later, as they are in the log.
    pub(crate) lines: &'l [u8],
    /// False: they show that a client wrote it, and the event has not happened.
    pub(crate) is_event: bool,
}

/// Writes what has come to an event since it was written. CSV has no columns for it: nothing is written.
pub(crate) fn write_amendment(
    form: Form,
    change: &Change,
    amendment: Amendment<'_>,
    names: &Names,
    show: &Show<'_>,
    out: &mut Vec<u8>,
) {
    match form {
        Form::Json => row(RowForm::Json, change, Some(amendment), names, show, out),
        Form::Csv => {}
        Form::Text => {
            out.extend_from_slice(amended_line(change, amendment, names, show).as_bytes());
            out.push(b'\n');
        }
    }
}

/// `23 Nov 02:42:01.007 [~] eve@shop  10.0.0.9:40112 [pid 4243]: DETAIL:  Connection matched …`
fn amended_line(
    change: &Change,
    amendment: Amendment<'_>,
    names: &Names,
    show: &Show<'_>,
) -> String {
    let at = change
        .at
        .map_or_else(String::new, |at| show.milli(at) + " ");
    let (event, _) = words(&change.what);
    let whom = whom(change, names, show);
    let what = if amendment.is_event {
        String::new()
    } else {
        format!("not {event}, a client wrote that: ")
    };
    let lines = shown(amendment.lines.trim_ascii()).into_owned();
    format!(
        "{at}{} {whom}: {what}{}",
        show.paint(Tone::Title, "[~]"),
        show.paint(Tone::Dim, &lines)
    )
}

/// Its kind and reason, as JSON has them.
pub(super) fn words(what: &What) -> (&'static str, Option<&'static str>) {
    let Particulars { event, reason, .. } = particulars(what);
    (event, reason)
}

/// What a line says of an event that others say too: neither when, nor which backend and port.
pub(super) fn words_in_common(change: &Change, names: &Names, show: &Show<'_>) -> String {
    let whom = Subject {
        pid: None,
        client_port: None,
        ..subject(&change.what)
    };
    let whom = whom_of(&whom, names, show);
    match &change.what {
        What::Refused(refusal) => format!("{}  {whom}", refused_words(refusal)),
        _ => whom,
    }
}

/// Whom an event is about; what is not carried or does not apply is `None`.
#[derive(Default)]
pub(super) struct Subject<'c> {
    pub(super) server: ServerId,
    pid: Option<u32>,
    session_id: Option<SessionId>,
    backend_type: Option<&'static str>,
    pub(super) user: Option<&'c Name>,
    pub(super) database: Option<&'c Name>,
    pub(super) application_name: Option<&'c Name>,
    pub(super) client_host: Option<&'c Name>,
    client_port: Option<u16>,
}

/// The backend that an event is of.
pub(crate) fn pid(what: &What) -> Option<u32> {
    subject(what).pid
}

pub(super) fn subject(what: &What) -> Subject<'_> {
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
        What::Server(server, pid, _) => Subject {
            server: *server,
            pid: *pid,
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
        What::Server(_, _, event) => Particulars {
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
            let refused = format!("refused: {}", refused_words(refusal));
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
        What::Server(_, _, event) => {
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

/// `hba_no_entry (28000)`
fn refused_words(refusal: &Refusal) -> String {
    let code = refusal.sqlstate.map(|code| format!(" ({})", code.as_str()));
    refusal.reason.as_str().to_owned() + &code.unwrap_or_default()
}

/// The server, where there are several.
fn server_of(whom: &Subject<'_>, show: &Show<'_>) -> Option<String> {
    let server = shown(show.server(whom.server).as_bytes()).into_owned();
    (show.servers.len() > 1).then_some(server)
}

/// `app@shop  api  10.0.0.7:51842 [pid 4242]`, with the server where there are several.
fn whom(change: &Change, names: &Names, show: &Show<'_>) -> String {
    let whom = subject(&change.what);
    if let What::Server(..) = change.what {
        return server_of(&whom, show).map_or_else(String::new, |server| format!(" {server}"));
    }
    whom_of(&whom, names, show)
}

fn whom_of(whom: &Subject<'_>, names: &Names, show: &Show<'_>) -> String {
    let mut parts: Vec<String> = server_of(whom, show).into_iter().collect();
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

fn row(
    form: RowForm,
    change: &Change,
    amendment: Option<Amendment<'_>>,
    names: &Names,
    show: &Show<'_>,
    out: &mut Vec<u8>,
) {
    let whom = subject(&change.what);
    let Particulars {
        event,
        reason,
        closed,
        refused,
        probe,
    } = particulars(&change.what);
    let csv = form != RowForm::Json;
    let mut row = Row::begin(form, out);
    row.time("at", change.at, show.zone);
    row.text("server", Some(show.server(whom.server).as_bytes()));
    row.word("event", Some(amendment.map_or(event, |_| "amended")));
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
    if let Some(Amendment { lines, is_event }) = amendment {
        row.word("amends", Some(event));
        row.flag("is_event", is_event);
        row.text("lines", Some(lines.trim_ascii_end()));
    }
    row.end();
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use std::rc::Rc;

    use super::*;
    use crate::view::example::{self, at, change};

    fn opened(session: &Session) -> Change {
        change(
            session.authorized_at.unwrap(),
            What::Opened(Rc::new(session.clone())),
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
                What::Server(
                    ServerId(0),
                    Some(4),
                    ServerEvent::Starting { major: Some(16) },
                ),
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
            change(at(2, 42, 0), What::Closed(Rc::new(end))),
            change(at(2, 43, 0), What::Closed(Rc::new(lost))),
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
    fn what_comes_late_is_told_of_its_event() {
        let (zone, mut names) = (example::zone(), Names::default());
        let refused = &some(&mut names)[3];
        let render = |form, is_event| {
            let (mut out, lines) = (Vec::new(), &b"DETAIL:  a\x1b[31m\n\tb\n"[..]);
            let amendment = Amendment { lines, is_event };
            let show = example::show(&zone, 80);
            write_amendment(form, refused, amendment, &names, &show, &mut out);
            String::from_utf8(out).unwrap()
        };
        let line = render(Form::Text, true);
        assert!(
            line.contains("[~] app@shop") && line.contains("DETAIL:  a"),
            "{line}"
        );
        assert!(
            !line.contains('\x1b') && line.lines().count() == 1,
            "{line}"
        );
        let line = render(Form::Text, false);
        assert!(
            line.contains("not refused, a client wrote that: "),
            "{line}"
        );
        let row: Value = serde_json::from_str(&render(Form::Json, false)).unwrap();
        assert_eq!(row["event"], json!("amended"));
        assert_eq!(row["amends"], json!("refused"));
        assert_eq!(row["is_event"], json!(false));
        assert_eq!(row["lines"], json!("DETAIL:  a\u{1b}[31m\n\tb"));
        assert_eq!(row["reason"], json!("too_many_clients"));
        assert!(render(Form::Csv, true).is_empty());
    }

    #[test]
    fn event_of_csv_has_a_field_for_each_column() {
        let zone = example::zone();
        let text = render(Form::Csv, &example::piped(&zone));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), 19);
        assert_eq!(reader.records().map(Result::unwrap).count(), 8);
    }
}
