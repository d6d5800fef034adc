//! Metrics: what Prometheus is told. Counters that never fall and miss no short session, gauges of now, histograms of times.
//!
//! ```text
//! Change ─► Metrics ─► clients, walsenders   by server, database, user, application_name
//!                      refused               by server, reason, user, database, client_host
//!                      servers               ends, attempts, probes, session and setup times
//! ```
//!
//! The numbers are those of the [census](crate::census), with one difference: what was counted is never taken back. A session
//! is a connect when it can no longer be refused (`metrics/unsettled.rs`); one that is refused even later is counted as
//! taken back, so that connects of the census are connects less those. What a client can make up is bounded
//! (`metrics/series.rs`), and how much found no room is counted.

pub mod histogram;
mod peak;
pub mod series;
mod unsettled;

use pgcensus_log::event::{ProbeReason, RefusalReason};

use crate::census::START_GRACE_MS;
use crate::change::{Change, Refusal, What};
use crate::instant::Instant;
use crate::names::NameId;
use crate::session::{End, ServerId, Session};
use crate::window::Window;
use histogram::{Histogram, SESSION_TIME_MS, SETUP_TIME_US};
use peak::RecentPeak;
use series::{RefusalKey, Series, SessionKey};
use unsettled::{Connect, Unsettled};

/// Adds up changes to metrics.
#[derive(Clone)]
pub struct Metrics {
    window: Window,
    first: Option<Instant>,
    clients: Sessions,
    walsenders: Sessions,
    refused: Series<RefusalKey, u64>,
    refused_elsewhere: u64,
    /// By [`ServerId`], as far as something happened.
    servers: Vec<ServerMetrics>,
    unsettled: Unsettled,
}

/// Sessions of one kind.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// By their names.
    pub series: Series<SessionKey, SessionCount>,
    /// Of the connects so many are told with others, for want of room.
    pub elsewhere: u64,
}

/// Sessions with the same names.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionCount {
    /// Now. Of logs without pids none.
    pub open: i64,
    /// That opened.
    pub connects: u64,
    /// Of these were refused after they had been counted.
    pub taken_back: u64,
}

/// What is counted by server alone.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    /// Clients' sessions that ended, in the order of [`End::ALL`].
    pub disconnects: [u64; End::ALL.len()],
    /// Walsenders that ended, likewise.
    pub walsender_disconnects: [u64; End::ALL.len()],
    /// Attempts that were refused, in the order of [`RefusalReason::ALL`]: a retry of libpq is not another.
    pub refused_attempts: [u64; RefusalReason::ALL.len()],
    /// In the order of [`ProbeReason::ALL`].
    pub probes: [u64; ProbeReason::ALL.len()],
    /// How long clients' sessions were that ended, in milliseconds; those whose end is only known as a bound are left out.
    pub session_time: Histogram,
    /// How long it took from `connection received` to `connection authorized`, in microseconds, of clients' sessions.
    pub setup_time: Histogram,
    recent: RecentPeak,
    saw_pid: bool,
    missed_pid: bool,
}

impl Metrics {
    /// Of this window; a log that goes on has none.
    pub fn new(window: Window) -> Metrics {
        Metrics {
            window,
            first: None,
            clients: Sessions::default(),
            walsenders: Sessions::default(),
            refused: Series::default(),
            refused_elsewhere: 0,
            servers: Vec::new(),
            unsettled: Unsettled::default(),
        }
    }

    /// The first log time of the input: what began before it began before the log.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change.
    pub fn observe(&mut self, change: &Change) {
        let at = change.at.unwrap_or(Instant::UNKNOWN);
        while let Some(connect) = self.unsettled.reach(at) {
            self.connect(connect);
        }
        match &change.what {
            What::Opened(session) => self.opened(session, at),
            What::TakenBack(session) => self.taken_back(session, at),
            What::Closed(session) => self.closed(session, at),
            What::Refused(refusal) if self.window.contains(at) => self.refused(refusal),
            What::Probe(probe) if self.window.contains(at) => {
                self.server_mut(probe.server).probes[probe.reason as usize] += 1;
            }
            What::Refused(_) | What::Probe(_) | What::Server(..) => {}
        }
    }

    /// A record that was told as soon as it came goes on, and proves to say nothing of the sort: nobody came or left. What was
    /// counted for good stays so.
    pub fn untell(&mut self, change: &Change) {
        let at = change.at.unwrap_or(Instant::UNKNOWN);
        match &change.what {
            What::Opened(session) => self.taken_back(session, at),
            What::Closed(session) if session.was_seen_to_open() => self.open(session, at, 1),
            _ => {}
        }
    }

    /// Time passes, and nothing is logged: a refusal would have come by now.
    pub fn pass(&mut self, now: Instant) {
        while let Some(connect) = self.unsettled.pass(now) {
            self.connect(connect);
        }
    }

    /// The input is over: who has opened was not refused.
    pub fn finish(&mut self) {
        while let Some(connect) = self.unsettled.finish() {
            self.connect(connect);
        }
    }

    fn opened(&mut self, session: &Session, at: Instant) {
        if self.window.is_after(at) {
            return;
        }
        self.open(session, at, 1);
        if !self.window.contains(at) {
            return;
        }
        let connect = Connect::of(session);
        if session.opening > 0 {
            self.unsettled.add(session, at, connect);
        } else {
            self.connect(connect);
        }
    }

    fn taken_back(&mut self, session: &Session, at: Instant) {
        let opened = session.opened_at().unwrap_or(at);
        if self.window.is_after(opened) {
            return;
        }
        self.open(session, at, -1);
        let was_counted = self.unsettled.settle(session).is_none();
        if was_counted && self.window.contains(opened) {
            let sessions = self.sessions_mut(session.walsender);
            let (count, _) = sessions.series.of(SessionKey::of(session));
            count.taken_back += 1;
        }
    }

    fn closed(&mut self, session: &Session, at: Instant) {
        let opened = session.opened_at().unwrap_or(Instant::UNKNOWN);
        if self.window.is_after(opened) && at != Instant::UNKNOWN {
            return;
        }
        if let Some(connect) = self.unsettled.settle(session) {
            self.connect(connect);
        }
        let was_seen = session.was_seen_to_open();
        if !was_seen && self.began_inside(opened) {
            self.connect(Connect::of(session));
        }
        // One that was not seen to open was there until now.
        match (was_seen, self.window.is_after(at)) {
            (true, false) => self.open(session, at, -1),
            (false, true) => self.open(session, at, 1),
            (true, true) | (false, false) => self.open(session, at, 0),
        }
        if self.window.contains(at) {
            self.ended(session);
        }
    }

    /// A session that was not seen to open did so in the window and in the log.
    fn began_inside(&self, opened: Instant) -> bool {
        self.first.is_some_and(|first| {
            opened.plus_ms(START_GRACE_MS) >= first && self.window.contains(opened.max(first))
        })
    }

    fn ended(&mut self, session: &Session) {
        let server = self.server_mut(session.server);
        let end = session.end.unwrap_or(End::Lost) as usize;
        if session.walsender {
            server.walsender_disconnects[end] += 1;
            return;
        }
        server.disconnects[end] += 1;
        if let Some(ms) = session.session_time_ms
            && !session.session_end_is_bound
        {
            server.session_time.add(ms);
        }
    }

    /// `n` sessions like this one are there, or, negative, no longer.
    fn open(&mut self, session: &Session, at: Instant, n: i64) {
        let has_pid = session.pid.is_some();
        let server = self.server_mut(session.server);
        server.saw_pid |= has_pid;
        server.missed_pid |= !has_pid;
        if !has_pid || n == 0 {
            return;
        }
        if !session.walsender {
            server.recent.add(at, n);
        }
        let sessions = self.sessions_mut(session.walsender);
        let (count, _) = sessions.series.of(SessionKey::of(session));
        count.open += n;
    }

    fn connect(&mut self, connect: Connect) {
        let sessions = self.sessions_mut(connect.walsender);
        let (count, is_elsewhere) = sessions.series.of(connect.key);
        count.connects += 1;
        sessions.elsewhere += u64::from(is_elsewhere);
        if let Some(us) = connect.setup_us
            && !connect.walsender
        {
            self.server_mut(connect.key.server).setup_time.add(us);
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        let (count, is_elsewhere) = self.refused.of(RefusalKey {
            server: refusal.server,
            reason: refusal.reason,
            user: NameId::of(refusal.user.as_ref()),
            database: NameId::of(refusal.database.as_ref()),
            client_host: NameId::of(refusal.client_host.as_ref()),
        });
        *count += 1;
        self.refused_elsewhere += u64::from(is_elsewhere);
        let server = self.server_mut(refusal.server);
        server.refused_attempts[refusal.reason as usize] += u64::from(!refusal.is_retry);
    }

    fn sessions_mut(&mut self, walsender: bool) -> &mut Sessions {
        if walsender {
            &mut self.walsenders
        } else {
            &mut self.clients
        }
    }

    fn server_mut(&mut self, server: ServerId) -> &mut ServerMetrics {
        let place = usize::from(server.0);
        if place >= self.servers.len() {
            self.servers.resize_with(place + 1, ServerMetrics::default);
        }
        &mut self.servers[place]
    }

    /// What was received at this time was so before the window was over.
    pub fn has_begun(&self, received_at: Option<Instant>) -> bool {
        !received_at.is_some_and(|at| self.window.is_after(at))
    }

    /// Client backends.
    pub fn clients(&self) -> &Sessions {
        &self.clients
    }

    /// Walsenders.
    pub fn walsenders(&self) -> &Sessions {
        &self.walsenders
    }

    /// Refused connections, by whom and why; and how many are told with others, for want of room.
    pub fn refused_connections(&self) -> (&Series<RefusalKey, u64>, u64) {
        (&self.refused, self.refused_elsewhere)
    }

    /// What is known of a server; `None`: nothing happened there.
    pub fn server(&self, server: ServerId) -> Option<&ServerMetrics> {
        self.servers.get(usize::from(server.0))
    }
}

impl Default for ServerMetrics {
    fn default() -> Self {
        ServerMetrics {
            disconnects: [0; End::ALL.len()],
            walsender_disconnects: [0; End::ALL.len()],
            refused_attempts: [0; RefusalReason::ALL.len()],
            probes: [0; ProbeReason::ALL.len()],
            session_time: Histogram::new(&SESSION_TIME_MS),
            setup_time: Histogram::new(&SETUP_TIME_US),
            recent: RecentPeak::default(),
            saw_pid: false,
            missed_pid: false,
        }
    }
}

impl ServerMetrics {
    /// Who is open can be told: not of a log whose sessions have no pid.
    pub fn knows_open(&self) -> bool {
        self.saw_pid || !self.missed_pid
    }

    /// Some of its sessions had no pid, and are not among those that are open.
    pub fn missed_some(&self) -> bool {
        self.missed_pid
    }

    /// The most clients that were open at one instant of the last one to two minutes, seen from now.
    pub fn recent_peak(&self, now: Instant) -> u64 {
        self.recent.most(now).max(0) as u64
    }
}

#[cfg(test)]
mod tests;
