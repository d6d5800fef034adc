//! The tracker of one server: opens, completes and closes its sessions.
//!
//! ```text
//! Received ─► (Authenticated) ─► Authorized ─► open ─► Disconnected
//!     │                              │           └───► closed by a server event, or by the pid's return
//!     └─► Refused / expired probe    └─► Refused: authorized is not connected
//! ```
//!
//! A backend is known by its pid; a session id, where the log carries one, tells it from a later one with
//! the same pid. Time is that of the log.

mod backend;
mod pidless;
mod refused;
mod server;
mod whole;

use std::collections::VecDeque;
use std::rc::Rc;

use pgcensus_log::batch::{Slot, TextId};
use pgcensus_log::event::{EndReason, Event, EventKind, ProbeReason};
use pgcensus_log::record::BackendType;
use rustc_hash::FxHashMap;

use backend::{Backend, RecentRefusal, Stage};
use whole::Slots;

use crate::change::{Change, What};
use crate::instant::Instant;
use crate::lives::{Lives, Place};
use crate::session::{End, Origin, ServerId, Session};
use crate::texts::Texts;

/// Backends tracked at once at most; connections past it are not tracked, and that is said.
pub const BACKENDS_MAX: usize = 262_144;

/// A connection that came to nothing is a probe after this: twice the default of `authentication_timeout`,
/// once for the startup packet and once for authentication.
const PENDING_MAX_MS: i64 = 2 * 60_000;

/// After its FATAL a backend writes its disconnection within this, or never.
const FATAL_MS: i64 = 2_000;

/// `log time − session time` and the start of a session differ by at most this.
const START_TOLERANCE_MS: i64 = 2_000;

/// Sessions that are kept for the place that they take.
const SPARE_MAX: usize = 1024;

/// The sessions of one server.
#[derive(Debug)]
pub struct Tracker {
    server: ServerId,
    /// The file at hand, by position.
    file: u32,
    backends: FxHashMap<u32, Backend>,
    /// Those of whole sessions, which are not among `backends`.
    slots: Slots,
    /// Pending connections by the time that it was at the latest when they were received: a clock that is set back lets none
    /// expire.
    pending: VecDeque<(Instant, u32, u64)>,
    /// Likewise backends whose FATAL was seen.
    dying: VecDeque<(Instant, u32, u64)>,
    /// Up to this time nothing becomes of those.
    due: Instant,
    serial: u64,
    /// Sessions that were seen to open.
    openings: u64,
    /// Sessions that were told: where they are can be used again.
    spare: Vec<Rc<Session>>,
    shutdown: Option<EndReason>,
    /// Between a start or crash and `ready to accept connections`.
    starting: bool,
    lives: Lives,
    now: Instant,
    first: Option<Instant>,
    /// The last session of a log without pids: a refusal after it takes it back.
    last_without_pid: Option<Rc<Session>>,
    recent_refusals: VecDeque<RecentRefusal>,
    untracked: u64,
    major: Option<u16>,
    saw: Saw,
}

/// What was known of a pid, see [`Tracker::keep`].
#[derive(Debug)]
pub struct Kept {
    pid: u32,
    /// `None`: nothing.
    backend: Option<Backend>,
}

/// Which lines the log had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Saw {
    /// `connection received`
    pub received: bool,
    /// `connection authorized`
    pub authorized: bool,
    /// `disconnection`
    pub disconnection: bool,
    /// Events without a pid.
    pub no_pid: bool,
}

impl Tracker {
    /// A tracker of a server of which nothing is known yet.
    pub fn new(server: ServerId) -> Tracker {
        Tracker {
            server,
            file: 0,
            backends: FxHashMap::default(),
            slots: Slots::default(),
            pending: VecDeque::new(),
            dying: VecDeque::new(),
            due: Instant(i64::MAX),
            serial: 0,
            openings: 0,
            spare: Vec::new(),
            shutdown: None,
            starting: false,
            lives: Lives::default(),
            now: Instant::UNKNOWN,
            first: None,
            last_without_pid: None,
            recent_refusals: VecDeque::new(),
            untracked: 0,
            major: None,
            saw: Saw::default(),
        }
    }

    /// The sessions that are open, in no order.
    pub fn open_sessions(&self) -> impl Iterator<Item = &Session> {
        self.backends
            .values()
            .filter(|b| b.stage == Stage::Open)
            .map(|b| &*b.session)
    }

    /// Connections received, not yet authorized, refused or expired, with the time of that.
    pub fn pending(&self) -> impl Iterator<Item = (&Session, Option<Instant>)> {
        self.backends
            .values()
            .filter(|b| b.stage == Stage::Pending)
            .map(|b| (&*b.session, b.received_at))
    }

    /// The lives of the server.
    pub fn lives(&self) -> &Lives {
        &self.lives
    }

    /// Connections that found no room among [`BACKENDS_MAX`].
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    /// The major version, where a server start said it.
    pub fn major(&self) -> Option<u16> {
        self.major
    }

    /// Which lines the log had.
    pub fn saw(&self) -> Saw {
        self.saw
    }

    /// The events that come next are of this file, by position among those of the server.
    pub fn reads_file(&mut self, file: usize) {
        self.file = file as u32;
    }

    /// The log, or one of its files, has its first record here.
    pub fn begins(&mut self, first: Instant) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.lives.log_begins(first);
    }

    /// The place in the log that has been read up to: that of the last event.
    pub fn here(&self) -> Place {
        self.lives.place(self.now)
    }

    /// A span at this place could not be read, or the log is known to lack something there: beginnings and ends may be
    /// unseen.
    pub fn gap(&mut self, place: Place) {
        self.lives.gap(place);
    }

    /// Takes in one event; what it changed is added to `out`. With its slot come all events of a session, or none.
    #[inline]
    pub fn observe(
        &mut self,
        event: &Event<TextId>,
        slot: Option<Slot>,
        at: Option<Instant>,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        let at = at.unwrap_or(self.now);
        self.first.get_or_insert(at);
        self.advance(at, out);
        match &event.kind {
            EventKind::Received { .. } => self.saw.received = true,
            EventKind::Authorized { .. } => {
                self.saw.authorized = true;
                self.lives.saw_authorized();
            }
            EventKind::Disconnected { .. } => {
                self.saw.disconnection = true;
                self.lives.saw_disconnection();
            }
            _ => {}
        }
        if let Some(slot) = slot
            && self.whole(slot, event, at, texts, out)
        {
            return;
        }
        match (&event.kind, event.pid) {
            (EventKind::Server(server), pid) => {
                self.server_event(*server, pid, event, at, texts, out);
            }
            (EventKind::Setting { name, value }, _) => {
                let value = value.map(|value| texts.text(value));
                self.setting(texts.text(*name), value, at);
            }
            _ if event.backend_type == Some(BackendType::Other) => {}
            (_, None) => self.without_pid(event, at, texts, out),
            (EventKind::Received { client }, Some(pid)) => {
                self.pid_returns(pid, at, out);
                if let Some(backend) = self.insert(pid, event, at, texts) {
                    backend.received_at = Some(at);
                    let session = backend.session_mut();
                    session.session_start = Some(at);
                    session.set_client(*client, texts);
                    self.is_pending(at, pid);
                }
            }
            (
                EventKind::Authenticated {
                    identity,
                    method,
                    hba,
                },
                Some(pid),
            ) => {
                let backend = self.pending_backend(pid, event, at, texts, out);
                if let Some(session) = backend.map(Backend::session_mut) {
                    session.fill(event, texts);
                    session.auth = Some(texts.auth(*identity, *method, *hba));
                }
            }
            (EventKind::Authorized { .. }, Some(pid)) => {
                self.authorized(pid, event, at, texts, out);
            }
            (EventKind::Ready { setup_us }, Some(pid)) => {
                let backend = self.backends.get_mut(&pid);
                if let Some(backend) = backend.filter(|b| b.is(event) && b.stage == Stage::Open) {
                    let session = backend.session_mut();
                    session.setup_us = Some(*setup_us);
                    session.set_last_application_name(event, texts);
                }
            }
            (EventKind::Disconnected { .. }, Some(pid)) => {
                self.disconnected(pid, event, at, texts, out);
            }
            (EventKind::Refused { .. }, Some(pid)) => self.refused(pid, event, at, texts, out),
            (EventKind::Probe { reason }, Some(pid)) => {
                if self
                    .backends
                    .get(&pid)
                    .is_some_and(|b| b.stage == Stage::Done && b.is(event))
                {
                    return;
                }
                if let Some(backend) = self.pending_backend(pid, event, at, texts, out) {
                    backend.stage = Stage::Done;
                    backend.session_mut().fill(event, texts);
                    let probe = backend.probe(*reason);
                    out.push(Change::new(
                        at,
                        What::Probe(Box::new(probe)),
                        texts.text(event.message),
                    ));
                }
            }
            (EventKind::CancelRequest, Some(pid)) => {
                if let Some(backend) = self.pending_backend(pid, event, at, texts, out) {
                    backend.stage = Stage::Done;
                }
            }
            (EventKind::Ending { reason, fatal }, Some(pid)) => {
                self.ending(pid, *reason, *fatal, event, at, texts, out);
            }
        }
    }

    /// A session that was told: what held it can be used again.
    pub fn give_back(&mut self, mut session: Rc<Session>) {
        if Rc::get_mut(&mut session).is_some() && self.spare.len() < SPARE_MAX {
            self.spare.push(session);
        }
    }

    /// A session where one was, with what that had.
    fn spare(&mut self) -> Rc<Session> {
        let spare = self.spare.pop();
        spare.unwrap_or_else(|| Rc::new(Session::new(self.server, None, None)))
    }

    /// Puts a session where one was.
    fn place(&mut self, session: Session) -> Rc<Session> {
        let mut place = self.spare();
        *Rc::make_mut(&mut place) = session;
        place
    }

    /// What is known of a pid, in case that the next record is found to be none of its backend's own.
    pub fn keep(&self, pid: u32) -> Kept {
        Kept {
            pid,
            backend: self.backends.get(&pid).cloned(),
        }
    }

    /// Takes back what was taken in of a pid since that was kept. What has been told of it is for the caller to undo.
    pub fn restore(&mut self, kept: Kept) {
        match kept.backend {
            Some(backend) => self.backends.insert(kept.pid, backend),
            None => self.backends.remove(&kept.pid),
        };
    }

    /// The input is over: what waited for more is decided.
    pub fn finish(&mut self, out: &mut Vec<Change>) {
        while let Some((_, pid, serial)) = self.dying.pop_front() {
            self.died(pid, serial, out);
        }
    }

    /// Nothing is logged up to now: pending connections expire, FATALs are decided, as if a record had come.
    pub fn pass(&mut self, now: Instant, out: &mut Vec<Change>) {
        self.advance(now, out);
    }

    /// The log's clock is at least here: pending connections expire, FATALs are decided.
    #[inline]
    fn advance(&mut self, at: Instant, out: &mut Vec<Change>) {
        self.now = self.now.max(at);
        if self.now > self.due {
            self.expire(out);
        }
    }

    fn expire(&mut self, out: &mut Vec<Change>) {
        while let Some(&(received, pid, serial)) = self.pending.front() {
            if self.now.since(received) <= PENDING_MAX_MS {
                break;
            }
            self.pending.pop_front();
            if let Some(backend) = self.backends.get(&pid)
                && backend.serial == serial
                && backend.stage == Stage::Pending
            {
                let probe = backend.probe(ProbeReason::Silent);
                self.backends.remove(&pid);
                out.push(Change::new(self.now, What::Probe(Box::new(probe)), b""));
            }
        }
        while let Some(&(fatal, pid, serial)) = self.dying.front() {
            if self.now.since(fatal) <= FATAL_MS {
                break;
            }
            self.dying.pop_front();
            self.died(pid, serial, out);
        }
        self.due = Instant(i64::MAX);
        if let Some(&(received, ..)) = self.pending.front() {
            self.due = received.plus_ms(PENDING_MAX_MS);
        }
        if let Some(&(fatal, ..)) = self.dying.front() {
            self.due = self.due.min(fatal.plus_ms(FATAL_MS));
        }
    }

    /// It said its last word at `at`. Where the clock was set back before that, its disconnection is not late.
    fn is_dying(&mut self, at: Instant, pid: u32, serial: u64) {
        let at = self.now.max(at);
        self.dying.push_back((at, pid, serial));
        self.due = self.due.min(at.plus_ms(FATAL_MS));
    }

    /// No disconnection came after a FATAL.
    fn died(&mut self, pid: u32, serial: u64, out: &mut Vec<Change>) {
        if self
            .backends
            .get(&pid)
            .is_some_and(|b| b.serial == serial && b.fatal.is_some() && b.stage != Stage::Done)
            && let Some(mut backend) = self.backends.remove(&pid)
            && let Some(fatal) = backend.fatal.take()
        {
            match (backend.stage, backend.reason) {
                // log_disconnections is off, but a FATAL is a backend's last word.
                (Stage::Open, Some(reason)) => {
                    let record = &fatal.record;
                    backend.session_mut().ended_in = Origin::new(record.file, record.offset);
                    self.close(
                        backend.session,
                        fatal.at,
                        None,
                        Some(reason),
                        &fatal.message,
                        out,
                    );
                }
                (Stage::Open, None) => self.take_back(backend, &fatal, out),
                (Stage::Pending, _) => {
                    self.refuse(&backend.session, backend.received_at, &fatal, false, out);
                }
                (Stage::Unseen | Stage::Done, _) => {}
            }
        }
    }

    /// A new backend, if there is room for it.
    fn insert(
        &mut self,
        pid: u32,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
    ) -> Option<&mut Backend> {
        if self.backends.len() + self.slots.len() >= BACKENDS_MAX {
            // Looking for those that are done takes a while: not for every connection past the bound.
            if self.untracked.is_multiple_of(BACKENDS_MAX as u64 / 4) {
                self.backends.retain(|_, b| b.stage != Stage::Done);
            }
            if self.backends.len() + self.slots.len() >= BACKENDS_MAX {
                self.untracked += 1;
                self.lives.beginnings_unseen(at);
                return None;
            }
        }
        self.serial += 1;
        let mut session = Session::new(self.server, Some(pid), event.session_id);
        session.walsender = event.backend_type == Some(BackendType::Walsender);
        session.fill(event, texts);
        let session = self.place(session);
        let backend = Backend {
            serial: self.serial,
            stage: Stage::Pending,
            session,
            received_at: None,
            reason: None,
            fatal: None,
        };
        Some(self.backends.entry(pid).insert_entry(backend).into_mut())
    }

    /// The backend that came last is pending since `at`.
    fn is_pending(&mut self, at: Instant, pid: u32) {
        // Most are not for long: then they need not be kept until they would expire.
        if self.pending.len() >= 1024.max(2 * self.backends.len()) {
            let backends = &self.backends;
            self.pending.retain(|(_, pid, serial)| {
                let backend = backends.get(pid);
                backend.is_some_and(|b| b.serial == *serial && b.stage == Stage::Pending)
            });
        }
        let received = self.now.max(at);
        self.pending.push_back((received, pid, self.serial));
        self.due = self.due.min(received.plus_ms(PENDING_MAX_MS));
    }

    /// The pending backend that this event belongs to, which is to take what it carries; a new one, where its `received` was not
    /// seen.
    fn pending_backend(
        &mut self,
        pid: u32,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) -> Option<&mut Backend> {
        let is_it = |b: &Backend| b.stage == Stage::Pending && b.is(event);
        if !self.backends.get(&pid).is_some_and(is_it) {
            self.pid_returns(pid, at, out);
            self.insert(pid, event, at, texts)?;
            self.is_pending(at, pid);
        }
        self.backends.get_mut(&pid)
    }

    /// A new backend has this pid: whatever held it is over.
    fn pid_returns(&mut self, pid: u32, at: Instant, out: &mut Vec<Change>) {
        let Some(backend) = self.backends.get(&pid) else {
            return;
        };
        if backend.fatal.is_some() {
            let serial = backend.serial;
            return self.died(pid, serial, out);
        }
        let Some(mut backend) = self.backends.remove(&pid) else {
            return;
        };
        match backend.stage {
            Stage::Open => {
                self.lives
                    .ends_unseen(backend.session.opened_at().unwrap_or(at));
                let session = backend.session_mut();
                session.end = Some(End::Lost);
                session.end_reason = Some(EndReason::PidReturned);
                out.push(Change::new(at, What::Closed(backend.session), b""));
            }
            Stage::Pending => {
                let probe = backend.probe(ProbeReason::Silent);
                out.push(Change::new(at, What::Probe(Box::new(probe)), b""));
            }
            Stage::Unseen | Stage::Done => {}
        }
    }

    fn authorized(
        &mut self,
        pid: u32,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        let (file, opening) = (self.file, self.openings + 1);
        let Some(backend) = self.pending_backend(pid, event, at, texts, out) else {
            return;
        };
        backend.stage = Stage::Open;
        let session = backend.session_mut();
        session.fill(event, texts);
        session.authorize(event, at, texts);
        session.authorized_in = Origin::new(file, event.offset);
        session.opening = opening;
        let told = backend.session.clone();
        self.openings = opening;
        out.push(Change::new(at, What::Opened(told), b""));
    }

    fn disconnected(
        &mut self,
        pid: u32,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        let EventKind::Disconnected {
            session_time_ms,
            user,
            database,
            client,
        } = &event.kind
        else {
            return;
        };
        let start = at.plus_ms(-(*session_time_ms as i64));
        let is_it = |b: &Backend| b.is(event) && b.session.may_have_begun(start);
        let is_it = self.backends.get(&pid).is_some_and(is_it);
        if !is_it {
            self.pid_returns(pid, at, out);
        }
        let backend = self.backends.remove(&pid).filter(|_| is_it);
        let (mut told, reason) = match backend {
            // A refusal that the server ends like a session (max_wal_senders until 11), or a session that a
            // server event has closed already.
            Some(backend) if backend.stage == Stage::Done => return,
            Some(backend) => (backend.session, backend.reason),
            None => (
                Rc::new(Session::new(self.server, Some(pid), event.session_id)),
                None,
            ),
        };
        if told.authorized_at.is_none() {
            self.begun_unseen(start, at);
        }
        let session = Rc::make_mut(&mut told);
        session.complete(event, *user, *database, *client, texts);
        session.ended_in = Origin::new(self.file, event.offset);
        session.session_start.get_or_insert(start);
        self.close(told, at, Some(*session_time_ms), reason, b"", out);
    }

    /// A session proves to have begun at `start` without a line.
    fn begun_unseen(&mut self, start: Instant, at: Instant) {
        let after_marker = self
            .lives
            .last_marker()
            .is_some_and(|(marker, _)| start >= marker);
        let inside_the_log = self
            .first
            .is_some_and(|first| start >= first.plus_ms(START_TOLERANCE_MS));
        if after_marker || inside_the_log {
            self.lives.beginnings_unseen(start.min(at));
        }
    }

    /// Ends a session at `at` and says how.
    fn close(
        &self,
        mut session: Rc<Session>,
        at: Instant,
        session_time_ms: Option<u64>,
        reason: Option<EndReason>,
        message: &[u8],
        out: &mut Vec<Change>,
    ) {
        let reason = self.end_reason(reason);
        Rc::make_mut(&mut session).finish(at, session_time_ms, reason);
        out.push(Change::new(at, What::Closed(session), message));
    }

    /// Why a session ends, where its own records say this.
    fn end_reason(&self, reason: Option<EndReason>) -> EndReason {
        match (reason, self.shutdown) {
            // A smart shutdown waits until its clients leave by themselves.
            (None, Some(EndReason::SmartShutdown)) => EndReason::Closed,
            (None | Some(EndReason::Administrator), Some(shutdown)) => shutdown,
            (Some(reason), _) => reason,
            (None, None) => EndReason::Closed,
        }
    }
}
