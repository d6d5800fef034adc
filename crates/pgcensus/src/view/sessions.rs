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
use super::text::{Width as _, duration_short, left, right, shown, thousands};
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
            Form::Csv => write_row(self.show.csv(), session, names, &self.show, &mut self.line),
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

/// The server's word for what served the session.
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
    /// The start has seconds.
    seconds: bool,
    /// Nothing is cut: not for a terminal, but for a file or the next program.
    whole: bool,
}

/// Where nothing is cut, the columns are laid out for this width at least.
const WHOLE_WIDTH: usize = 132;

/// From here on a row has ports and reasons.
const WIDE_MIN: usize = 110;

/// From here on there is room for seconds.
const SECONDS_MIN: usize = 90;

/// Widths of the columns whose content has a longest form.
const LENGTH: usize = 6;
const PID: usize = 7;

impl Layout {
    /// Columns for this width; `with_end` where closed sessions are among them.
    pub(crate) fn new(show: &Show<'_>, with_end: bool) -> Layout {
        // The oldest sessions of a summary stay within its width.
        let whole = with_end && !show.terminal;
        let width = if whole {
            show.width.max(WHOLE_WIDTH)
        } else {
            show.width
        };
        let wide = width >= WIDE_MIN;
        let seconds = width >= SECONDS_MIN;
        let gap = if wide { 2 } else { 1 };
        let start = if seconds { 15 } else { 12 };
        let client = if wide { 21 } else { 15 };
        let end = match (with_end, wide) {
            (false, _) => 0,
            (true, false) => 10,
            // idle_in_transaction_timeout
            (true, true) => 27,
        };
        let servers = match show.servers.len() {
            0 | 1 => 0,
            _ => 10,
        };
        let columns = 5 + usize::from(with_end) + usize::from(servers > 0);
        let fixed = start + LENGTH + PID + client + end + servers + gap * columns;
        let rest = width.saturating_sub(fixed).clamp(22, 60);
        let application = (rest * 2 / 5).max("application".len());
        Layout {
            gap,
            start,
            who: rest - application,
            application,
            client,
            end,
            servers,
            wide,
            seconds,
            whole,
        }
    }

    /// The header; `length` is what the second column is called.
    pub(crate) fn head(&self, length: &str, show: &Show<'_>) -> String {
        let text = self.join(&[
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
        let began = began.and_then(Instant::known);
        let start = began.map_or_else(
            || "?".to_owned(),
            |at| {
                if self.seconds {
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
        let text = self.join(&[
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
            self.name(
                &user_at_database(
                    names,
                    session.user.as_ref(),
                    session.database.as_ref(),
                    session.walsender,
                ),
                self.who,
            ),
            self.name(&application, self.application),
            self.name(
                &client(names, session.client_host.as_ref(), port),
                self.client,
            ),
            self.server(session, show),
            end,
        ]);
        text.trim_end().to_owned()
    }

    fn server(&self, session: &Session, show: &Show<'_>) -> String {
        match self.servers {
            0 => String::new(),
            width => self.name(&shown(show.server(session.server).as_bytes()), width),
        }
    }

    /// A name in its column, cut where a line must not be longer.
    fn name(&self, text: &str, width: usize) -> String {
        left(
            text,
            if self.whole {
                width.max(text.width())
            } else {
                width
            },
        )
    }

    /// How it ended: the kind where the line is narrow, else the reason where there is one.
    fn end(&self, session: &Session, show: &Show<'_>) -> String {
        let Some(end) = session.end else {
            let word = match (session.walsender, self.wide) {
                (false, _) => "open",
                (true, false) => "walsender",
                (true, true) => "open (walsender)",
            };
            return show.paint(Tone::Connected, word).to_string();
        };
        let tone = match end {
            End::Client => Tone::Disconnected,
            End::Terminated | End::Timeout | End::Server | End::Lost => Tone::Refused,
        };
        let text = match session.end_reason {
            Some(reason) if self.wide => reason.as_str(),
            _ => end.as_str(),
        };
        show.paint(tone, text).to_string()
    }

    fn join(&self, cells: &[String; 8]) -> String {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::view::example;

    fn some(names: &mut Names) -> Vec<Session> {
        let mut sessions = example::sessions(names);
        let more = example::session(
            names,
            4_242,
            "app",
            "shop",
            Some("api"),
            "10.0.0.7",
            Some(51_842),
            example::at(2, 40, 58),
        );
        sessions.push(example::closed(
            more.clone(),
            62_345,
            End::Client,
            EndReason::Reset,
        ));
        let mut lost = example::closed(more.clone(), 0, End::Lost, EndReason::PidReturned);
        (lost.session_end, lost.session_time_ms, lost.session_start) = (None, None, None);
        sessions.push(lost);
        let mut walsender = more;
        (walsender.walsender, walsender.database) = (true, None);
        walsender.application_name =
            Some(names.name(Dimension::ApplicationName, b"stand\nby,\"1\" \xff"));
        walsender.application_name_last = None;
        sessions.push(walsender);
        sessions
    }

    fn render(form: Form, show: &Show<'_>) -> String {
        let mut names = Names::default();
        let (mut view, mut out) = (Sessions::new(form, *show), Vec::new());
        for session in some(&mut names) {
            view.row(&session, &names, Some(example::at(3, 3, 11)), &mut out)
                .unwrap();
        }
        view.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sessions_as_rows_for_people() {
        let zone = example::zone();
        for width in [80, 120] {
            let text = render(Form::Text, &example::show(&zone, width));
            insta::assert_snapshot!(format!("sessions_{width}"), text);
        }
        let servers = ["main".to_owned(), "replica".to_owned()];
        let show = Show {
            servers: &servers,
            color: true,
            limit: Some(4),
            ..example::show(&zone, 120)
        };
        insta::assert_snapshot!(
            "sessions_in_colour",
            render(Form::Text, &show).replace('\x1b', "␛")
        );
    }

    #[test]
    fn session_of_json_has_the_keys_of_the_contract() {
        let zone = example::zone();
        let text = render(Form::Json, &example::show(&zone, 80));
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 6);
        for row in &rows {
            for key in "server pid session_id backend_type user database application_name \
                        application_name_last client_host client_port session_start authorized_at \
                        session_end session_time_ms state end end_reason tls auth"
                .split_whitespace()
            {
                assert!(row.get(key).is_some(), "{key} of {row}");
            }
        }
        assert_eq!(rows[0]["tls"], json!(false));
        assert_eq!(
            rows[1]["tls"],
            json!({"protocol": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "bits": 256})
        );
        assert_eq!(rows[1]["auth"]["hba"], json!("/data/pg_hba.conf:11"));
        assert_eq!(rows[2]["tls"], Value::Null);
        assert_eq!(rows[2]["state"], json!("open"));
        assert_eq!(
            (&rows[3]["end"], &rows[3]["end_reason"]),
            (&json!("client"), &json!("reset"))
        );
        assert_eq!(
            rows[3]["session_end"],
            json!("2025-11-23T02:42:00.345+00:00")
        );
        assert_eq!(rows[4]["session_time_ms"], Value::Null);
        assert_eq!(rows[5]["backend_type"], json!("walsender"));
        assert_eq!(
            rows[5]["application_name"],
            json!("stand\nby,\"1\" \u{fffd}")
        );
        insta::assert_snapshot!("sessions_json", text);
    }

    #[test]
    fn session_of_csv_has_a_field_for_each_column() {
        let zone = example::zone();
        let text = render(Form::Csv, &example::piped(&zone));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heads = reader.headers().unwrap().clone();
        assert_eq!(heads.len(), 25);
        // The reader refuses rows of another length.
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 6);
        let of = |row: usize, name| &rows[row][heads.iter().position(|head| head == name).unwrap()];
        assert_eq!((of(0, "tls_protocol"), of(0, "auth_hba")), ("none", ""));
        assert_eq!(
            (of(1, "tls_bits"), of(1, "auth_method")),
            ("256", "scram-sha-256")
        );
        assert_eq!((of(2, "tls_protocol"), of(2, "tls_bits")), ("", ""));
        assert_eq!(of(5, "application_name"), "stand\nby,\"1\" \u{fffd}");
    }

    #[test]
    fn no_sessions_are_said_in_text_and_a_header_in_csv() {
        let zone = example::zone();
        for (form, expected) in [
            (Form::Text, "no sessions\n".to_owned()),
            (Form::Json, String::new()),
            (Form::Csv, format!("{COLUMNS}\n")),
        ] {
            let mut out = Vec::new();
            Sessions::new(form, example::show(&zone, 80))
                .finish(&mut out)
                .unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
