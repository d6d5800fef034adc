//! A server's log in miniature, for tests: prints lines with any `log_line_prefix`, as `elog.c` does.

/// The process that writes a line, as the prefix shows it.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) pid: u32,
    pub(super) client: Option<(&'static str, Option<u16>)>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) application_name: String,
    pub(super) backend_type: &'static str,
    pub(super) tag: &'static str,
    pub(super) vxid: String,
    pub(super) xid: u32,
    pub(super) query_id: i64,
    pub(super) sqlstate: &'static str,
    pub(super) line: u32,
    pub(super) start_s: u64,
    pub(super) now_ms: u64,
    pub(super) zone: &'static str,
}

impl Writer {
    pub(super) fn background(pid: u32, backend_type: &'static str) -> Writer {
        Writer {
            pid,
            client: None,
            user: String::new(),
            database: String::new(),
            application_name: String::new(),
            backend_type,
            tag: "",
            vxid: String::new(),
            xid: 0,
            query_id: 0,
            sqlstate: "00000",
            line: 0,
            start_s: 1_795_411_965,
            now_ms: 1_795_411_965_839,
            zone: "UTC",
        }
    }

    pub(super) fn session(pid: u32, host: &'static str, port: Option<u16>) -> Writer {
        Writer {
            client: Some((host, port)),
            ..Writer::background(pid, "not initialized")
        }
    }

    /// The prefix of the next line of this process.
    pub(super) fn prefix(&mut self, prefix: &str) -> String {
        self.line += 1;
        let mut out = String::new();
        let mut chars = prefix.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut escape = chars.next();
            let left = escape == Some('-');
            if left {
                escape = chars.next();
            }
            let mut width = 0;
            while let Some(digit) = escape.and_then(|c| c.to_digit(10)) {
                width = width * 10 + digit as usize;
                escape = chars.next();
            }
            match escape {
                Some('%') => out.push('%'),
                Some('q') if self.client.is_none() => break,
                Some(escape) => {
                    let value = self.value(escape);
                    let pad = " ".repeat(width.saturating_sub(value.len()));
                    if left {
                        out += &(value + &pad);
                    } else {
                        out += &(pad + &value);
                    }
                }
                None => {}
            }
        }
        out
    }

    fn value(&self, escape: char) -> String {
        let name = |name: &String| match (self.client, name.as_str()) {
            (None, _) => String::new(),
            (Some(_), "") => "[unknown]".into(),
            (Some(_), name) => name.into(),
        };
        match escape {
            'u' => name(&self.user),
            'd' => name(&self.database),
            'a' => name(&self.application_name),
            'r' => match self.client {
                None => String::new(),
                Some((host, None)) => host.into(),
                Some((host, Some(port))) => format!("{host}({port})"),
            },
            'h' => self.client.map_or("", |client| client.0).into(),
            'L' => match self.client {
                None => "[none]".into(),
                Some((_, None)) => "[local]".into(),
                Some(_) => "10.0.0.99".into(),
            },
            'b' => self.backend_type.into(),
            'p' => self.pid.to_string(),
            't' => stamp(self.now_ms / 1000, None, self.zone),
            'm' => stamp(self.now_ms / 1000, Some(self.now_ms % 1000), self.zone),
            'n' => format!("{}.{:03}", self.now_ms / 1000, self.now_ms % 1000),
            's' => stamp(self.start_s, None, self.zone),
            'c' => format!("{:x}.{:x}", self.start_s, self.pid),
            'l' => self.line.to_string(),
            'i' if self.client.is_some() => self.tag.into(),
            'e' => self.sqlstate.into(),
            'v' => self.vxid.clone(),
            'x' => self.xid.to_string(),
            'Q' => self.query_id.to_string(),
            _ => String::new(),
        }
    }
}

/// All stamps of the tests are of 2026-11-23.
fn stamp(seconds: u64, ms: Option<u64>, zone: &str) -> String {
    let s = seconds - 1_795_392_000;
    let (hours, minutes, seconds) = (s / 3600, s / 60 % 60, s % 60);
    let ms = ms.map_or(String::new(), |ms| format!(".{ms:03}"));
    format!("2026-11-23 {hours:02}:{minutes:02}:{seconds:02}{ms} {zone}")
}

/// A line and who wrote it.
pub(super) struct Written {
    pub(super) line: String,
    pub(super) writer: Writer,
    pub(super) label: &'static str,
}

/// What a log of [`log`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// Start of the server, sessions with all their lines, background processes.
    Everything,
    /// `log_connections` and `log_disconnections` are off.
    NoLifecycle,
    /// Only `connection authorized` and `disconnection`.
    NoReceived,
    /// One session over TCP, and nothing else.
    OneSession,
}

const CLIENTS: &[(&str, &str, &str, &str, Option<u16>)] = &[
    ("app", "shop", "psql", "127.0.0.1", Some(59_250)),
    (
        "reporting",
        "warehouse",
        "My App 1.0",
        "10.12.0.7",
        Some(41_002),
    ),
    ("postgres", "postgres", "check_postgres", "[local]", None),
    ("Ops-Team", "Billing-2024", "a=b c=d", "::1", Some(52_706)),
    (
        "o'hara",
        "web analytics",
        "worker[3]: idle",
        "127.0.0.3",
        Some(33_333),
    ),
    (
        "jérôme",
        "shop_test",
        "PostgreSQL JDBC Driver",
        "10.12.0.8",
        Some(2_345),
    ),
    (
        "shop_rw",
        "shop",
        "pgAdmin 4 - DB:shop",
        "192.168.100.200",
        Some(65_000),
    ),
    ("app", "shop", "", "127.0.0.1", Some(59_251)),
];

/// A log with this prefix.
pub(super) fn log(prefix: &str, mix: Mix, zone: &'static str) -> Vec<Written> {
    let mut lines = Vec::new();
    let mut now_ms = 1_795_411_965_839;
    let mut write = |writer: &mut Writer, label: &'static str, message: &str| {
        now_ms += 37;
        writer.now_ms = now_ms;
        writer.zone = zone;
        let line = format!("{}{label}:  {message}", writer.prefix(prefix));
        lines.push(Written {
            line,
            writer: writer.clone(),
            label,
        });
    };
    let mut postmaster = Writer::background(31_762, "postmaster");
    let mut checkpointer = Writer::background(31_770, "checkpointer");
    if mix != Mix::OneSession {
        write(
            &mut postmaster,
            "LOG",
            "starting PostgreSQL 16.14 on x86_64-pc-linux-gnu, 64-bit",
        );
        write(
            &mut postmaster,
            "LOG",
            "listening on IPv4 address \"127.0.0.1\", port 5416",
        );
        write(
            &mut postmaster,
            "LOG",
            "database system is ready to accept connections",
        );
    }
    let clients = if mix == Mix::OneSession {
        &CLIENTS[..1]
    } else {
        CLIENTS
    };
    // Where a space ends a name, a space within cannot be told from it.
    let space_ends = ["u ", "d ", "a "].iter().any(|end| {
        let at = prefix.find(end);
        at.is_some_and(|at| !prefix[at + 2..].is_empty() && prefix[..at].contains('%'))
    });
    for (i, (user, database, application, host, port)) in clients.iter().enumerate() {
        if space_ends
            && [user, database, application]
                .iter()
                .any(|name| name.contains(' '))
        {
            continue;
        }
        let mut s = Writer::session(31_800 + 7 * i as u32, host, *port);
        s.start_s = 1_795_411_967 + i as u64;
        let port = port.map_or(String::new(), |port| format!(" port={port}"));
        let lifecycle = mix != Mix::NoLifecycle;
        if lifecycle && mix != Mix::NoReceived {
            write(
                &mut s,
                "LOG",
                &format!("connection received: host={host}{port}"),
            );
        }
        s.user = (*user).into();
        s.database = (*database).into();
        s.backend_type = "client backend";
        s.tag = "authentication";
        s.vxid = format!("{}/{}", i + 3, i + 1);
        if lifecycle {
            if mix != Mix::NoReceived {
                let text = format!(
                    "connection authenticated: identity=\"{user}\" method=md5 (/data/pg_hba.conf:4)"
                );
                write(&mut s, "LOG", &text);
            }
            let app = if application.is_empty() {
                String::new()
            } else {
                format!(" application_name={application}")
            };
            write(
                &mut s,
                "LOG",
                &format!("connection authorized: user={user} database={database}{app}"),
            );
        }
        s.application_name = (*application).into();
        s.tag = "SELECT";
        s.query_id = -8_412_345_678_901_234 + i as i64;
        if i % 2 == 0 {
            write(
                &mut s,
                "LOG",
                "duration: 12.345 ms  statement: SELECT 'LOG:  no', a@b FROM t",
            );
        }
        if i % 3 != 2 {
            s.sqlstate = "42P01";
            s.xid = if i == 1 { 712_345 } else { 0 };
            write(
                &mut s,
                "ERROR",
                "relation \"nosuch\" does not exist at character 15",
            );
            write(&mut s, "STATEMENT", "SELECT * FROM nosuch");
        }
        s.sqlstate = "00000";
        s.tag = "idle";
        s.vxid = String::new();
        s.xid = 0;
        s.query_id = 0;
        if lifecycle {
            let text = format!(
                "disconnection: session time: 0:00:00.120 user={user} database={database} host={host}{port}"
            );
            write(&mut s, "LOG", &text);
        }
        if mix != Mix::OneSession && i % 3 == 0 {
            write(&mut checkpointer, "LOG", "checkpoint starting: time");
        }
    }
    lines
}
