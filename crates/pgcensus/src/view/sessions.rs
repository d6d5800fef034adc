//! `sessions`: one row a session, as they come.
//!
//! ```text
//! start         length     pid user@database  application client          end
//! 23 Nov 02:40   1m02s    4242 app@shop       api         10.0.0.7        client
//! ```
//!
//! The stream is written as it arrives, so the columns have fixed widths; `Layout` deals them out.

use std::fmt::Write as _;
use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Name, Names};
use pgcensus_core::session::{End, EndReason, Session};

use super::row::{Row, RowForm};
use super::text::{duration_short, left, right, shown, thousands};
use super::{Form, Show, Tone};

/// Rows on a terminal where `--limit` does not say.
const ROWS_ON_TERMINAL: usize = 50;

/// Columns of CSV: the keys of JSON, those of `tls` and `auth` joined with `_`.
const COLUMNS: &str = "server,pid,session_id,backend_type,user,database,application_name,\
application_name_last,client_host,client_port,session_start,authorized_at,session_end,\
session_end_is_bound,session_time_ms,setup_us,state,end,end_reason,tls_protocol,tls_cipher,tls_bits,\
auth_identity,auth_method,auth_hba";

/// A stream of sessions in the making.
pub(crate) struct Sessions<'a> {
    show: Show<'a>,
    form: Form,
    layout: Layout,
    limit: Option<usize>,
    rows: u64,
    line: Vec<u8>,
}

impl<'a> Sessions<'a> {
    /// Nothing is written before the first row, but for the header of CSV.
    pub(crate) fn new(form: Form, show: Show<'a>) -> Sessions<'a> {
        let limit = match show.limit {
            Some(0) => None,
            None if form == Form::Text && show.terminal => Some(ROWS_ON_TERMINAL),
            limit => limit,
        };
        Sessions {
            layout: Layout::new(&show, true),
            show,
            form,
            limit,
            rows: 0,
            line: Vec::new(),
        }
    }

    /// Writes a session, unless there are enough; `until` is the end of the window, from which the age of
    /// an open session counts.
    pub(crate) fn row(
        &mut self,
        session: &Session,
        names: &Names,
        until: Option<Instant>,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        if self.rows == 0 {
            self.head(out)?;
        }
        self.rows += 1;
        if self.limit.is_some_and(|limit| self.rows > limit as u64) {
            return Ok(());
        }
        self.line.clear();
        match self.form {
            Form::Json => write_row(RowForm::Json, session, names, &self.show, &mut self.line),
            Form::Csv => write_row(RowForm::Csv, session, names, &self.show, &mut self.line),
            Form::Text => {
                let line = self.layout.line(session, names, until, &self.show);
                return writeln!(out, "{line}");
            }
        }
        out.write_all(&self.line)
    }

    /// How many more there were, or that there was none.
    pub(crate) fn finish(mut self, out: &mut impl io::Write) -> io::Result<()> {
        if self.rows == 0 && self.form != Form::Text {
            return self.head(out);
        }
        let shown = self
            .limit
            .map_or(self.rows, |limit| self.rows.min(limit as u64));
        let more = self.rows - shown;
        if self.form != Form::Text {
            return Ok(());
        }
        let text = match (self.rows, more) {
            (0, _) => "no sessions".to_owned(),
            (_, 0) => return Ok(()),
            _ => format!("{} more: --limit 0", thousands(more)),
        };
        writeln!(out, "{}", self.show.paint(Tone::Dim, &text))
    }

    fn head(&mut self, out: &mut impl io::Write) -> io::Result<()> {
        match self.form {
            Form::Json => Ok(()),
            Form::Csv => writeln!(out, "{COLUMNS}"),
            Form::Text => writeln!(out, "{}", self.layout.head("length", &self.show)),
        }
    }
}

fn write_row(form: RowForm, session: &Session, names: &Names, show: &Show<'_>, out: &mut Vec<u8>) {
    let mut row = Row::begin(form, out);
    row.text("server", Some(show.server(session.server).as_bytes()));
    row.number("pid", session.pid.map(u64::from));
    row.display("session_id", session.session_id);
    row.word("backend_type", Some(backend_type(session.walsender)));
    row.text(
        "user",
        text_of(names, Dimension::User, session.user.as_ref()),
    );
    row.text(
        "database",
        text_of(names, Dimension::Database, session.database.as_ref()),
    );
    let application = Dimension::ApplicationName;
    row.text(
        "application_name",
        text_of(names, application, session.application_name.as_ref()),
    );
    row.text(
        "application_name_last",
        text_of(names, application, session.application_name_last.as_ref()),
    );
    row.text(
        "client_host",
        text_of(names, Dimension::ClientHost, session.client_host.as_ref()),
    );
    row.number("client_port", session.client_port.map(u64::from));
    row.time("session_start", session.session_start, show.zone);
    row.time("authorized_at", session.authorized_at, show.zone);
    row.time("session_end", session.session_end, show.zone);
    row.flag("session_end_is_bound", session.session_end_is_bound);
    row.number("session_time_ms", session.session_time_ms);
    row.number("setup_us", session.setup_us);
    row.word(
        "state",
        Some(if session.end.is_some() {
            "closed"
        } else {
            "open"
        }),
    );
    row.word("end", session.end.map(End::as_str));
    row.word("end_reason", session.end_reason.map(EndReason::as_str));
    match &session.tls {
        Some(Some(tls)) => {
            row.open("tls");
            row.text("protocol", Some(&tls.protocol));
            row.text("cipher", Some(&tls.cipher));
            row.number("bits", tls.bits.map(u64::from));
            row.close();
        }
        Some(None) => row.false_object("tls", 3),
        None => row.no_object("tls", 3),
    }
    match &session.auth {
        Some(auth) => {
            row.open("auth");
            row.text("identity", auth.identity.as_deref());
            row.text("method", Some(&auth.method));
            row.text("hba", Some(&auth.hba));
            row.close();
        }
        None => row.no_object("auth", 3),
    }
    row.end();
}

/// The text of a name, where there is one.
pub(crate) fn text_of<'n>(
    names: &'n Names,
    dimension: Dimension,
    name: Option<&'n Name>,
) -> Option<&'n [u8]> {
    name.map(|name| names.text(dimension, name))
}

/// PostgreSQL's word for what served the session.
pub(crate) fn backend_type(walsender: bool) -> &'static str {
    if walsender {
        "walsender"
    } else {
        "client backend"
    }
}

/// `app@shop`; a part that is not known is `unknown`, a walsender without a database is its user alone.
pub(crate) fn user_at_database(
    names: &Names,
    user: Option<&Name>,
    database: Option<&Name>,
    walsender: bool,
) -> String {
    let part = |dimension, name| text_of(names, dimension, name).map_or("unknown".into(), shown);
    let mut text = part(Dimension::User, user).into_owned();
    if database.is_some() || !walsender {
        text.push('@');
        text.push_str(&part(Dimension::Database, database));
    }
    text
}

/// `10.0.0.7:51842`, `[local]`; nothing where it is not known.
pub(crate) fn client(names: &Names, host: Option<&Name>, port: Option<u16>) -> String {
    let mut text = text_of(names, Dimension::ClientHost, host)
        .map_or(String::new(), |host| shown(host).into_owned());
    if let Some(port) = port {
        let _ = write!(text, ":{port}");
    }
    text
}

/// Widths of the columns of a row for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    gap: usize,
    start: usize,
    who: usize,
    application: usize,
    client: usize,
    /// The rest of the line; zero where all sessions are open.
    end: usize,
    servers: usize,
    wide: bool,
}

/// Widths of the columns whose content has a longest form.
const LENGTH: usize = 6;
const PID: usize = 7;

impl Layout {
    /// Columns for this width; `with_end` where closed sessions are among them.
    pub(crate) fn new(show: &Show<'_>, with_end: bool) -> Layout {
        let wide = show.width >= 100;
        let gap = if wide { 2 } else { 1 };
        let start = if wide { 15 } else { 12 };
        let client = if wide { 21 } else { 15 };
        let end = match (with_end, wide) {
            (false, _) => 0,
            (true, false) => 10,
            (true, true) => 20,
        };
        let servers = match show.servers.len() {
            0 | 1 => 0,
            _ => 10,
        };
        let columns = 5 + usize::from(with_end) + usize::from(servers > 0);
        let fixed = start + LENGTH + PID + client + end + servers + gap * columns;
        let rest = show.width.saturating_sub(fixed).clamp(20, 60);
        Layout {
            gap,
            start,
            who: rest - rest * 2 / 5,
            application: rest * 2 / 5,
            client,
            end,
            servers,
            wide,
        }
    }

    /// The header; `length` is what the second column is called.
    pub(crate) fn head(&self, length: &str, show: &Show<'_>) -> String {
        let text = self.join([
            left("start", self.start),
            right(length, LENGTH),
            right("pid", PID),
            left("user@database", self.who),
            left("application", self.application),
            left("client", self.client),
            left("server", self.servers),
            if self.end > 0 {
                "end".to_owned()
            } else {
                String::new()
            },
        ]);
        show.paint(Tone::Dim, text.trim_end()).to_string()
    }

    /// One session; `until` is when an open one is this old.
    pub(crate) fn line(
        &self,
        session: &Session,
        names: &Names,
        until: Option<Instant>,
        show: &Show<'_>,
    ) -> String {
        let began = session.session_start.or(session.authorized_at);
        let start = began.map_or_else(
            || "?".to_owned(),
            |at| {
                if self.wide {
                    format!("{:>6} {}", show.day(at), show.clock_s(at))
                } else {
                    format!("{:>6} {}", show.day(at), show.clock(at))
                }
            },
        );
        let age = || Some(until?.since(began?).max(0) as u64);
        let length = match session.end {
            Some(_) => session.session_time_ms,
            None => age(),
        };
        let application = session
            .application_name_last
            .as_ref()
            .or(session.application_name.as_ref());
        let application = application.map_or("".into(), |name| {
            shown(names.text(Dimension::ApplicationName, name))
        });
        let port = session.client_port.filter(|_| self.wide);
        let end = if self.end > 0 {
            self.end(session, show)
        } else {
            String::new()
        };
        let text = self.join([
            left(&start, self.start),
            right(
                &length.map_or_else(|| "?".to_owned(), duration_short),
                LENGTH,
            ),
            right(
                &session
                    .pid
                    .map_or_else(|| "?".to_owned(), |pid| pid.to_string()),
                PID,
            ),
            left(
                &user_at_database(
                    names,
                    session.user.as_ref(),
                    session.database.as_ref(),
                    session.walsender,
                ),
                self.who,
            ),
            left(&application, self.application),
            left(
                &client(names, session.client_host.as_ref(), port),
                self.client,
            ),
            left(&shown(show.server(session.server).as_bytes()), self.servers),
            end,
        ]);
        text.trim_end().to_owned()
    }

    /// How it ended: the kind where the line is narrow, else the reason too.
    fn end(&self, session: &Session, show: &Show<'_>) -> String {
        let Some(end) = session.end else {
            let word = if session.walsender {
                "open (walsender)"
            } else {
                "open"
            };
            return show.paint(Tone::Connected, word).to_string();
        };
        let tone = match end {
            End::Client => Tone::Disconnected,
            End::Terminated | End::Timeout | End::Server | End::Lost => Tone::Refused,
        };
        let text = match session.end_reason {
            Some(reason) if self.wide => format!("{}: {}", end.as_str(), reason.as_str()),
            _ => end.as_str().to_owned(),
        };
        show.paint(tone, &text).to_string()
    }

    fn join(&self, cells: [String; 8]) -> String {
        let mut line = String::new();
        for cell in cells.iter().filter(|cell| !cell.is_empty()) {
            if !line.is_empty() {
                line.extend(std::iter::repeat_n(' ', self.gap));
            }
            line.push_str(cell);
        }
        line
    }
}
