//! A backend as the tracker knows it, and what its records add to it.

use std::rc::Rc;

use pgcensus_log::batch::TextId;
use pgcensus_log::event::{EndReason, Event, EventKind, ProbeReason, RefusalReason};
use pgcensus_log::record::{BackendType, Client, Sqlstate};

use super::{PENDING_MAX_MS, START_TOLERANCE_MS};
use crate::change::{Change, Probe, Refusal, RefusalRecord, What};
use crate::instant::Instant;
use crate::names::Dimension;
use crate::session::{End, Session, SessionTls};
use crate::texts::Texts;

#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) serial: u64,
    pub(super) stage: Stage,
    pub(super) session: Rc<Session>,
    pub(super) received_at: Option<Instant>,
    pub(super) reason: Option<EndReason>,
    /// Boxed: hardly any backend has one, and there may be a quarter of a million of them.
    pub(super) fatal: Option<Box<Fatal>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Received or authenticated.
    Pending,
    /// Authorized.
    Open,
    /// Its beginning was not seen; it is about to end.
    Unseen,
    /// Refused, or a probe: nothing of it counts any more.
    Done,
}

/// A FATAL that leaves open what it ended until the disconnection comes, or does not.
#[derive(Clone, Debug)]
pub(super) struct Fatal {
    pub(super) at: Instant,
    /// What it was, if no disconnection comes and the session is not known to have begun.
    pub(super) refusal: RefusalReason,
    pub(super) sqlstate: Option<Sqlstate>,
    pub(super) message: Box<[u8]>,
    pub(super) record: Rc<RefusalRecord>,
}

#[derive(Debug)]
pub(super) struct RecentRefusal {
    pub(super) at: Instant,
    pub(super) refusal: Refusal,
    pub(super) tls: Option<bool>,
}

/// How a session ended that ended for this reason.
fn end(reason: EndReason) -> End {
    match reason {
        EndReason::Closed
        | EndReason::Reset
        | EndReason::SendFailed
        | EndReason::EofInTransaction
        | EndReason::ProtocolError
        | EndReason::ConnectionLost => End::Client,
        EndReason::Administrator | EndReason::RecoveryConflict => End::Terminated,
        EndReason::IdleSessionTimeout
        | EndReason::IdleInTransactionTimeout
        | EndReason::TransactionTimeout
        | EndReason::ReplicationTimeout => End::Timeout,
        EndReason::FastShutdown
        | EndReason::SmartShutdown
        | EndReason::ImmediateShutdown
        | EndReason::Crash
        | EndReason::Restart
        | EndReason::PostmasterExit => End::Server,
        EndReason::PidReturned | EndReason::Gap => End::Lost,
    }
}

impl Change {
    pub(super) fn new(at: Instant, what: What, message: &[u8]) -> Change {
        Change {
            at: at.known(),
            what,
            message: message.into(),
        }
    }
}

impl Backend {
    /// The session, to be changed: what was told of it stays as it was.
    #[inline]
    pub(super) fn session_mut(&mut self) -> &mut Session {
        Rc::make_mut(&mut self.session)
    }

    /// This event can be of the same backend, as far as session ids tell.
    pub(super) fn is(&self, event: &Event<TextId>) -> bool {
        match (self.session.session_id, event.session_id) {
            (Some(mine), Some(its)) => mine == its,
            _ => true,
        }
    }

    pub(super) fn probe(&self, reason: ProbeReason) -> Probe {
        Probe {
            server: self.session.server,
            pid: self.session.pid,
            session_id: self.session.session_id,
            client_host: self.session.client_host.clone(),
            client_port: self.session.client_port,
            received_at: self.received_at,
            reason,
        }
    }
}

impl RecentRefusal {
    /// libpq tries again without TLS (or with it) from the next port, and is refused for the same reason.
    pub(super) fn is_retried_by(&self, next: &Refusal, tls: Option<bool>) -> bool {
        let first = &self.refusal;
        matches!((self.tls, tls), (Some(a), Some(b)) if a != b)
            && first.client_host == next.client_host
            && first.user == next.user
            && first.database == next.database
            && first.sqlstate == next.sqlstate
            && matches!((first.client_port, next.client_port), (Some(a), Some(b)) if a < b)
    }
}

impl SessionTls {
    pub(super) fn unknown() -> SessionTls {
        SessionTls {
            protocol: Box::default(),
            cipher: Box::default(),
            bits: None,
        }
    }
}

impl Session {
    /// One that began at `start`, by its own session time, can be this one.
    pub(super) fn may_have_begun(&self, start: Instant) -> bool {
        match (self.session_start, self.authorized_at) {
            (Some(mine), _) => start.since(mine).abs() <= START_TOLERANCE_MS,
            (None, Some(authorized)) => (-START_TOLERANCE_MS..=PENDING_MAX_MS + START_TOLERANCE_MS)
                .contains(&authorized.since(start)),
            (None, None) => true,
        }
    }

    /// Takes what the prefix or the columns of an event carry, where it was not known.
    pub(super) fn fill(&mut self, event: &Event<TextId>, texts: &mut Texts<'_>) {
        if self.session_id.is_none() {
            self.session_id = event.session_id;
        }
        if let (None, Some(user)) = (&self.user, event.user) {
            self.user = Some(texts.name(Dimension::User, user));
        }
        if let (None, Some(database)) = (&self.database, event.database) {
            self.database = Some(texts.name(Dimension::Database, database));
        }
        if let (None, Some(client)) = (&self.client_host, event.client) {
            self.set_client(client, texts);
        }
        self.walsender |= event.backend_type == Some(BackendType::Walsender);
    }

    pub(super) fn set_client(&mut self, client: Client<TextId>, texts: &mut Texts<'_>) {
        self.client_host = Some(texts.name(Dimension::ClientHost, client.host));
        self.client_port = client.port.and_then(|port| texts.port(port));
    }

    pub(super) fn set_last_application_name(
        &mut self,
        event: &Event<TextId>,
        texts: &mut Texts<'_>,
    ) {
        if let Some(name) = event.application_name {
            self.application_name_last = Some(texts.name(Dimension::ApplicationName, name));
        }
    }

    pub(super) fn authorize(&mut self, event: &Event<TextId>, at: Instant, texts: &mut Texts<'_>) {
        let EventKind::Authorized {
            replication,
            user,
            database,
            application_name,
            tls,
        } = &event.kind
        else {
            return;
        };
        self.walsender = *replication;
        self.user = Some(texts.name(Dimension::User, *user));
        if let Some(database) = database {
            self.database = Some(texts.name(Dimension::Database, *database));
        }
        self.application_name =
            application_name.map(|name| texts.name(Dimension::ApplicationName, name));
        self.application_name_last
            .clone_from(&self.application_name);
        self.authorized_at = Some(at);
        // It has a start where that was seen.
        let received = self.session_start.and_then(Instant::known);
        self.setup_us = received.map(|received| at.since(received).max(0) as u64 * 1000);
        self.tls = Some(tls.map(|tls| texts.tls(tls)));
        self.group = texts.group(self);
    }

    /// It ended at `at` for this reason; its length is counted where it was not logged.
    pub(super) fn finish(&mut self, at: Instant, session_time_ms: Option<u64>, reason: EndReason) {
        let start = self.session_start.or(self.authorized_at);
        self.session_end = Some(at);
        self.session_time_ms = session_time_ms.or_else(|| Some(at.since(start?).max(0) as u64));
        self.end = Some(end(reason));
        self.end_reason = Some(reason);
    }

    /// Takes what the disconnection says.
    pub(super) fn complete(
        &mut self,
        event: &Event<TextId>,
        user: TextId,
        database: Option<TextId>,
        client: Client<TextId>,
        texts: &mut Texts<'_>,
    ) {
        self.fill(event, texts);
        self.set_last_application_name(event, texts);
        if self.authorized_at.is_none() {
            self.user = Some(texts.name(Dimension::User, user));
            self.database = database.map(|database| texts.name(Dimension::Database, database));
            // Physical walsenders alone have no database.
            self.walsender |= database.is_none();
        }
        if self.client_host.is_none() {
            self.client_host_is_late = self.authorized_at.is_some();
            self.set_client(client, texts);
        } else if self.client_port.is_none() {
            self.client_port = client.port.and_then(|port| texts.port(port));
        }
        if self.authorized_at.is_none() {
            self.group = texts.group(self);
        }
    }
}
