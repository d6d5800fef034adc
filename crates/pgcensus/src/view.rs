//! Views: what was counted, in words, columns and data. A view words numbers and computes none.
//!
//! ```text
//! CensusSnapshot  ─► summary::text, json::summary, csv::summary
//! HistorySnapshot ─► history::text, json::history, csv::history
//! RefusedSnapshot ─► refused::text, refused::data::json, refused::data::csv
//! Session, Change ─► sessions::Sessions, events::Events    (streams)
//! Metrics         ─► metrics::text    (for Prometheus)
//! discover::Server ─► servers::text, servers::json, servers::csv
//! ```
//!
//! Whether there is colour, how wide a line is and what goes where is for the caller to say ([`Show`]).

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a screenful of text may allocate; what is written per session and event does not"
)]

pub(crate) mod comparison;
pub(crate) mod csv;
pub(crate) mod events;
pub(crate) mod fail2ban;
pub(crate) mod findings;
pub(crate) mod history;
pub(crate) mod json;
pub(crate) mod metrics;
pub(crate) mod noise;
pub(crate) mod page;
pub(crate) mod refused;
pub(crate) mod row;
pub(crate) mod servers;
pub(crate) mod sessions;
mod sql;
pub(crate) mod summary;
mod table;
pub(crate) mod text;
pub(crate) mod top;
pub(crate) mod watch;

use std::fmt;
use std::io;

use anstyle::{AnsiColor, Style};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::Dimension;
use pgcensus_core::session::ServerId;
use pgcensus_core::zone::{Civil, DisplayZone};

use row::RowForm;
use text::glued;

/// How the operator wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show<'a> {
    /// The zone of all times.
    pub(crate) zone: &'a DisplayZone,
    /// Names of the servers, by [`ServerId`].
    pub(crate) servers: &'a [String],
    /// Escape sequences for colours may be written.
    pub(crate) color: bool,
    /// Columns of a line; below 40 counts as 40 for tables.
    pub(crate) width: usize,
    /// `--limit`: rows of a table or list; `Some(0)`: all; `None`: as many as are good to look at.
    pub(crate) limit: Option<usize>,
    /// `--by`: none: every dimension a table; one: that table alone; two: their cross.
    pub(crate) by: &'a [Dimension],
    /// The output is a terminal.
    pub(crate) terminal: bool,
    /// Nobody asked for a window: `history` says what the default is.
    pub(crate) window_is_default: bool,
}

/// The form of a stream of sessions or events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values under a header.
    Csv,
}

/// What was read, and what could not be.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the log"
)]
pub(crate) struct InputReport {
    /// Files that were read, stdin included.
    pub(crate) files: usize,
    /// Their bytes, decompressed.
    pub(crate) bytes: u64,
    /// Records that said something about a connection, a session or the server.
    pub(crate) events: u64,
    /// Records of interest that could not be read.
    pub(crate) unreadable: u64,
    /// Lines that look like records but may have been written by a client.
    pub(crate) untrusted: u64,
    /// Each file, and what it was taken for.
    pub(crate) sources: Vec<SourceReport>,
    /// Sentences for the reader: what was presumed, what was left out.
    pub(crate) notes: Vec<String>,
    /// Ctrl+C has ended the reading: the numbers are of what had been read.
    pub(crate) partial: Option<Partial>,
    /// A `connection authorized` was seen.
    pub(crate) saw_authorized: bool,
    /// A `disconnection` was seen.
    pub(crate) saw_disconnection: bool,
    /// A `connection received` was seen.
    pub(crate) saw_received: bool,
    /// Some line tells how many sessions are open.
    pub(crate) tells_open: bool,
    /// Major version of the server, where the log says it.
    pub(crate) server_major: Option<u16>,
    /// `max_connections`, where it is known: the `97` of `3 of 97`.
    pub(crate) max_connections: Option<u32>,
    /// Some record carries a pid or a session id.
    pub(crate) has_pid: bool,
    /// Some record carries a time.
    pub(crate) has_time: bool,
}

impl InputReport {
    /// How many sessions were open can be told at all.
    pub(crate) fn knows_open(&self) -> bool {
        self.has_pid && self.tells_open
    }
}

/// How far a reading came that Ctrl+C has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partial {
    /// Bytes that were read, compressed where they are.
    pub(crate) read: u64,
    /// All there are; `None`: nobody knows.
    pub(crate) whole: Option<u64>,
    /// The last log time that counts.
    pub(crate) until: Option<Instant>,
    /// Servers of whose log nothing was read.
    pub(crate) unread: Vec<String>,
}

/// One file of the input.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceReport {
    /// As it was given or found; `-` is stdin.
    pub(crate) path: String,
    /// The server that wrote it.
    pub(crate) server: String,
    /// Who wrapped its lines; `None`: nobody.
    pub(crate) envelope: Option<String>,
    /// `stderr`, `csvlog`, `jsonlog`, `syslog`.
    pub(crate) format: &'static str,
    /// The `log_line_prefix`, given or inferred.
    pub(crate) prefix: Option<String>,
    /// The zone of its times.
    pub(crate) zone: Option<String>,
    /// The language of its messages.
    pub(crate) language: Option<String>,
    /// Why it was not counted.
    pub(crate) left_out: Option<String>,
    /// Its first log time.
    pub(crate) first: Option<Instant>,
    /// Its last.
    pub(crate) last: Option<Instant>,
    /// Its bytes, decompressed.
    pub(crate) bytes: u64,
}

/// Where a record is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, as it was given or found.
    pub(crate) path: String,
    /// The line at which it begins, counted from 1; `None`: the file cannot be read again.
    pub(crate) line: Option<u64>,
    /// The byte of what was decoded, decompressed and without what others put around it.
    pub(crate) byte: u64,
    /// The line is one of the server's text, in an envelope.
    pub(crate) is_unwrapped: bool,
}

/// `pg.log:88121`; `syslog, line 812 of the server's text` below an envelope; where the file cannot be read again, `-, byte 1042`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = text::shown(self.path.as_bytes());
        match self.line {
            Some(line) if self.is_unwrapped => {
                write!(f, "{path}, line {line} of the server's text")
            }
            Some(line) => write!(f, "{path}:{line}"),
            None => write!(f, "{path}, byte {}", self.byte),
        }
    }
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Running text.
    Plain,
    /// The number that was asked for.
    Headline,
    /// The head of a section or column.
    Title,
    /// Connected, open.
    Connected,
    /// Disconnected.
    Disconnected,
    /// Refused, or not to be relied on.
    Refused,
    /// What matters less.
    Dim,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Headline | Tone::Title => Style::new().bold(),
            Tone::Connected => AnsiColor::Green.on_default(),
            Tone::Disconnected => AnsiColor::Yellow.on_default(),
            Tone::Refused => AnsiColor::Red.on_default(),
            Tone::Dim => Style::new().dimmed(),
        }
    }
}

/// Text with the escape sequences of its tone, where colour is wanted.
pub(crate) struct Painted<'t> {
    style: Style,
    text: &'t str,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}

impl Show<'_> {
    /// `text` in this tone.
    pub(crate) fn paint<'t>(&self, tone: Tone, text: &'t str) -> Painted<'t> {
        let style = if self.color && !text.trim().is_empty() {
            tone.style()
        } else {
            Style::new()
        };
        Painted { style, text }
    }

    /// How comma-separated values are written: for a program, or for whoever looks at a terminal.
    pub(crate) fn csv(&self) -> RowForm {
        if self.terminal {
            RowForm::ShownCsv
        } else {
            RowForm::Csv
        }
    }

    /// The name of a server.
    pub(crate) fn server(&self, server: ServerId) -> &str {
        self.servers
            .get(usize::from(server.0))
            .map_or("unknown", String::as_str)
    }

    /// Rows to show of `all`, where `default` are good to look at.
    pub(crate) fn rows(&self, all: usize, default: usize) -> usize {
        match self.limit {
            Some(0) => all,
            Some(limit) => limit.min(all),
            None => default.min(all),
        }
    }

    /// `23 Nov`
    pub(crate) fn day(&self, at: Instant) -> String {
        let civil = self.zone.civil(at);
        format!("{} {}", civil.day, month(&civil))
    }

    /// `02:40`
    pub(crate) fn clock(&self, at: Instant) -> String {
        let civil = self.zone.civil(at);
        format!("{:02}:{:02}", civil.hour, civil.minute)
    }

    /// `02:40:58`
    pub(crate) fn clock_s(&self, at: Instant) -> String {
        format!("{}:{:02}", self.clock(at), self.zone.civil(at).second)
    }

    /// `23 Nov 02:40`
    pub(crate) fn minute(&self, at: Instant) -> String {
        format!("{} {}", self.day(at), self.clock(at))
    }

    /// `23 Nov 02:40:58`, without seconds where they are zero.
    pub(crate) fn second(&self, at: Instant) -> String {
        if self.zone.civil(at).second == 0 {
            return self.minute(at);
        }
        format!("{} {}", self.day(at), self.clock_s(at))
    }

    /// `23 Nov 02:40:58 UTC`
    pub(crate) fn zoned(&self, at: Instant) -> String {
        format!("{} {}", self.second(at), self.zone.abbreviation(at))
    }

    /// `23 Nov 02:40:58.120`, in a column.
    pub(crate) fn milli(&self, at: Instant) -> String {
        let civil = self.zone.civil(at);
        format!("{:>6} {}.{:03}", self.day(at), self.clock_s(at), civil.ms)
    }

    /// Both times are on one day.
    pub(crate) fn same_day(&self, a: Instant, b: Instant) -> bool {
        let (a, b) = (self.zone.civil(a), self.zone.civil(b));
        (a.year, a.month, a.day) == (b.year, b.month, b.day)
    }
}

impl Partial {
    /// `partial: stopped by Ctrl+C after 1.2 of 9.8 GB (12 %); the log was read up to 23 Nov 05:40:10 UTC`, with
    /// spaces at which it is not broken.
    pub(crate) fn note(&self, show: &Show<'_>) -> String {
        let read = glued(&text::part_of(self.read, self.whole));
        let mut note = format!("partial: stopped by Ctrl+C after {read}");
        if let Some(whole) = self.whole {
            let percent = text::percent(self.read, whole);
            note += &format!(" {}", glued(&format!("({percent} %)")));
        }
        if let Some(until) = self.until {
            let until = glued(&show.zoned(until));
            note += &format!("; the log was read up to {until}");
        }
        if !self.unread.is_empty() {
            let names = self.unread.iter().map(|name| text::shown(name.as_bytes()));
            note += &format!(
                "; nothing was read of {}",
                names.collect::<Vec<_>>().join(", ")
            );
        }
        note
    }
}

/// That the numbers are of a part of the input: the first line, if so.
fn partial_first(
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    match &report.partial {
        Some(partial) => {
            text::paragraph(out, show, (0, 2), &[(Tone::Refused, &partial.note(show))])
        }
        None => Ok(()),
    }
}

fn month(civil: &Civil) -> &'static str {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    MONTHS[(civil.month as usize).clamp(1, 12) - 1]
}

#[cfg(test)]
mod example;
