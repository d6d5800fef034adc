//! A moment: all that the screen shows at one instant, as plain data that can be handed from thread to thread.
//!
//! Whoever has a log answers an [`Ask`] with a [`Moment`]: from what has been added up, and by reading the log once more for
//! what has not. Neither is known here.

use std::collections::HashMap;

use pgcensus_core::change::{Change, What};
use pgcensus_core::filter::{Filter, Who};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Name, Names};
use pgcensus_core::session::{
    End, EndReason, ProbeReason, RefusalReason, ServerId, Session, SessionId, Sqlstate,
};
use pgcensus_core::snapshot::{CensusSnapshot, HistorySnapshot};
use pgcensus_core::trend::{TREND, Trend, Trends};
use pgcensus_core::zone::DisplayZone;

/// What the screen wants to know.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Counts up; a moment says which one it answers.
    pub(crate) number: u64,
    /// The instant that is shown, as `--at` has it: what happens then is not part of it. `None`: now, or the end of the
    /// log, with its last record.
    pub(crate) at: Option<Instant>,
    /// Where the timeline ends; `None`: now. Never before `at`.
    pub(crate) view_end: Option<Instant>,
    /// How long the window before that is, in milliseconds; `None`: all of the log.
    pub(crate) window_ms: Option<i64>,
    /// Counters are from here on, if it is later than the window's begin.
    pub(crate) mark: Option<Instant>,
    /// Columns of the timeline.
    pub(crate) columns: usize,
    /// Which sessions count.
    pub(crate) filter: Filter,
    /// What is wanted beside the numbers.
    pub(crate) detail: Detail,
    /// It is for lists that go on behind `at`: nothing else of it is shown.
    pub(crate) is_earlier: bool,
}

/// What is wanted beside the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The last few events.
    #[default]
    Overview,
    /// Sessions one by one; `None`: all.
    Sessions(Option<(Dimension, Box<[u8]>)>),
    /// All events that are kept.
    Events,
    /// Refusals for this reason.
    Refusals(RefusalReason),
    /// The log lines of a backend, and its history.
    Backend(Backend),
}

/// A backend, and when the session that is asked for was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Which server's.
    pub(crate) server: ServerId,
    /// Its process.
    pub(crate) pid: u32,
    /// When it began, as far as is known.
    pub(crate) since: Option<Instant>,
    /// When it ended.
    pub(crate) until: Option<Instant>,
}

/// All that the screen shows at one instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    /// The [`Ask::number`] that it answers.
    pub(crate) number: u64,
    /// The instant; `None`: the log has no times.
    pub(crate) at: Option<Instant>,
    /// First and last log time.
    pub(crate) input: Option<(Instant, Instant)>,
    /// The counters of the window that ends at the instant.
    pub(crate) census: CensusSnapshot,
    /// The window, in buckets; it may go on after the instant.
    pub(crate) timeline: HistorySnapshot,
    /// Per second in the ten seconds before the instant; `None`: no time has gone by.
    pub(crate) rates: Option<Rates>,
    /// Rows of the four panels, and of servers, in the order of [`Dimension::ALL`].
    pub(crate) rows: [Vec<NameRow>; Dimension::ALL.len()],
    /// Trends of refusals.
    pub(crate) refused: Vec<(RefusalReason, u64, Trend)>,
    /// How many sessions can be open.
    pub(crate) max_connections: Option<u32>,
    /// Names of servers, by [`ServerId`].
    pub(crate) servers: Vec<String>,
    /// The zone of all times.
    pub(crate) zone: DisplayZone,
    /// The oldest open sessions.
    pub(crate) oldest: Vec<SessionRow>,
    /// The last events, the last one first.
    pub(crate) events: Vec<EventRow>,
    /// Older ones were dropped, so many are kept.
    pub(crate) events_dropped: Option<(Instant, usize)>,
    /// The [`Ask::detail`] that it answers.
    pub(crate) asked: Detail,
    /// What that wants.
    pub(crate) detail: Details,
    /// Lists of sessions, events and lines, or parts of them, are still being read.
    pub(crate) is_partial: bool,
    /// What is wrong, in words.
    pub(crate) problems: Vec<String>,
}

/// What is said where the logs have no longer all that was counted.
const LESS: &str =
    "of what was counted not all is in the logs any more: lists and lines are not whole";

impl Moment {
    /// Its counts, which are of all that has been seen, are those of this one, which was read from the logs as they are by now.
    pub(super) fn is_counted_for(&self, read: &Moment) -> bool {
        self.number == read.number && self.is_partial && !read.is_partial
    }

    /// It, with lists that were read.
    pub(super) fn with_lists_of(self, read: Moment) -> Moment {
        let mut problems = read.problems;
        if read.census.connects < self.census.connects
            || read.census.open.count < self.census.open.count
        {
            problems.push(LESS.to_owned());
        }
        Moment {
            oldest: read.oldest,
            events: read.events,
            events_dropped: read.events_dropped,
            asked: read.asked,
            detail: read.detail,
            is_partial: false,
            problems,
            ..self
        }
    }
}

/// What happened in a second, on average.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Sessions that opened.
    pub(crate) connects: f64,
    /// Sessions that ended.
    pub(crate) disconnects: f64,
    /// Connections that were refused.
    pub(crate) refused: f64,
}

/// A name and its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameRow {
    /// As it was logged.
    pub(crate) name: Box<[u8]>,
    /// Open at the instant.
    pub(crate) open: u64,
    /// Opened in the window.
    pub(crate) connects: u64,
    /// Refused in the window.
    pub(crate) refused: u64,
    /// Open over the window.
    pub(crate) trend: Trend,
}

/// Whom a session or an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whom {
    /// Which server's.
    pub(crate) server: ServerId,
    /// The backend.
    pub(crate) pid: Option<u32>,
    /// `%c`
    pub(crate) session_id: Option<SessionId>,
    /// It is one, or wanted to be.
    pub(crate) walsender: bool,
    /// As it was logged.
    pub(crate) user: Option<Box<[u8]>>,
    /// As it was logged.
    pub(crate) database: Option<Box<[u8]>>,
    /// As it was logged.
    pub(crate) application_name: Option<Box<[u8]>>,
    /// As it was logged.
    pub(crate) client_host: Option<Box<[u8]>>,
    /// Of a TCP client.
    pub(crate) client_port: Option<u16>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRow {
    /// Whose it is.
    pub(crate) whom: Whom,
    /// When it began, as far as is known.
    pub(crate) start: Option<Instant>,
    /// When it ended; `None` while open and where that is not known.
    pub(crate) end_at: Option<Instant>,
    /// How long it was, or has been up to the instant.
    pub(crate) length_ms: Option<u64>,
    /// How it ended; `None`: it is open.
    pub(crate) end: Option<(End, Option<EndReason>)>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventRow {
    /// When.
    pub(crate) at: Option<Instant>,
    /// Whose it is.
    pub(crate) whom: Whom,
    /// What happened.
    pub(crate) what: Happened,
    /// When the session began, of which it is the end.
    pub(crate) since: Option<Instant>,
    /// What the log said.
    pub(crate) message: Box<[u8]>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// A session opened.
    Connected,
    /// A session ended: after how long, and how.
    Disconnected(Option<u64>, Option<End>, Option<EndReason>),
    /// A connection was refused.
    Refused(RefusalReason, Option<Sqlstate>),
    /// A connection came to nothing.
    Probe(ProbeReason),
    /// The server said something of itself.
    Server,
}

/// What a page shows that is not the overview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Details {
    /// Nothing was asked for.
    #[default]
    None,
    /// Open ones first, then those that ended; how many of each are not among them.
    Sessions(Vec<SessionRow>, u64, u64),
    /// The last one first.
    Events(Vec<EventRow>),
    /// Of one backend: what happened to its pid, the last one first, and lines.
    Backend(Vec<EventRow>, Lines),
}

/// Lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// In order, each with the time of its record.
    pub(crate) lines: Vec<(Option<Instant>, Box<[u8]>)>,
    /// There were more, or they cannot be had: in words.
    pub(crate) note: Option<String>,
}

fn text(names: &Names, dimension: Dimension, name: Option<&Name>) -> Option<Box<[u8]>> {
    name.map(|name| names.text(dimension, name).into())
}

impl Whom {
    fn new(names: &Names, who: Who<'_>, walsender: bool, client_port: Option<u16>) -> Whom {
        Whom {
            server: who.server,
            pid: who.pid,
            session_id: who.session_id,
            walsender,
            user: text(names, Dimension::User, who.user),
            database: text(names, Dimension::Database, who.database),
            application_name: text(names, Dimension::ApplicationName, who.application_name),
            client_host: text(names, Dimension::ClientHost, who.client_host),
            client_port,
        }
    }
}

impl SessionRow {
    /// A session as it is at this instant.
    pub(crate) fn new(names: &Names, session: &Session, at: Option<Instant>) -> SessionRow {
        let start = session.session_start.or(session.authorized_at);
        let age = || Some(at?.since(start?).max(0) as u64);
        SessionRow {
            whom: Whom::new(
                names,
                session.into(),
                session.walsender,
                session.client_port,
            ),
            start,
            end_at: session.session_end,
            length_ms: match session.end {
                Some(_) => session.session_time_ms,
                None => age(),
            },
            end: session.end.map(|end| (end, session.end_reason)),
        }
    }

    /// Where its lines are to be looked for.
    pub(crate) fn backend(&self) -> Option<Backend> {
        Some(Backend {
            server: self.whom.server,
            pid: self.whom.pid?,
            since: self.start,
            until: self.end_at,
        })
    }
}

impl EventRow {
    /// A change as a row.
    pub(crate) fn new(names: &Names, change: &Change) -> EventRow {
        let of_session = |session: &Session| {
            Whom::new(
                names,
                session.into(),
                session.walsender,
                session.client_port,
            )
        };
        let mut since = None;
        let (whom, what) = match &change.what {
            What::Opened(session) | What::TakenBack(session) => {
                since = session.session_start.or(session.authorized_at);
                (of_session(session), Happened::Connected)
            }
            What::Closed(session) => {
                since = session.session_start.or(session.authorized_at);
                let (length, end) = (session.session_time_ms, session.end);
                let what = Happened::Disconnected(length, end, session.end_reason);
                (of_session(session), what)
            }
            What::Refused(refusal) => {
                since = refusal.received_at;
                let who = Who::from(&**refusal);
                let whom = Whom::new(names, who, refusal.walsender, refusal.client_port);
                (whom, Happened::Refused(refusal.reason, refusal.sqlstate))
            }
            What::Probe(probe) => {
                since = probe.received_at;
                let whom = Whom::new(names, Who::from(&**probe), false, probe.client_port);
                (whom, Happened::Probe(probe.reason))
            }
            What::Server(server, pid, _) => {
                let whom = Whom {
                    server: *server,
                    pid: *pid,
                    ..Whom::default()
                };
                (whom, Happened::Server)
            }
        };
        EventRow {
            at: change.at,
            whom,
            what,
            since,
            message: change.message.clone(),
        }
    }

    /// Where its lines are to be looked for.
    pub(crate) fn backend(&self) -> Option<Backend> {
        let ends = !matches!(self.what, Happened::Connected);
        Some(Backend {
            server: self.whom.server,
            pid: self.whom.pid?,
            since: self.since.or(self.at),
            until: self.at.filter(|_| ends),
        })
    }
}

/// The rows of a dimension: every name that is open, opened or was refused.
pub(crate) fn name_rows(
    census: &CensusSnapshot,
    dimension: Dimension,
    trends: &Trends,
    names: &Names,
) -> Vec<NameRow> {
    let trends = trends.of(dimension, names);
    let mut rows: HashMap<&[u8], NameRow> = HashMap::new();
    let d = dimension as usize;
    for (ranking, put) in [
        (
            &census.open.by[d],
            (|row, n| row.open = n) as fn(&mut NameRow, u64),
        ),
        (&census.connects_by[d], |row, n| row.connects = n),
        (&census.refused_by[d], |row, n| row.refused = n),
    ] {
        for (name, n) in ranking {
            let row = rows.entry(name).or_insert_with(|| NameRow {
                name: name.clone(),
                open: 0,
                connects: 0,
                refused: 0,
                trend: trends.get(name).copied().unwrap_or([0; TREND]),
            });
            put(row, *n);
        }
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    let rank = |row: &NameRow| (row.open, row.connects, row.refused);
    rows.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| a.name.cmp(&b.name)));
    rows
}
