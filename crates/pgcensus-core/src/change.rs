//! Changes: what the tracker says happened. Folds add them up; `events` and `sessions` show them.

use std::rc::Rc;
use std::sync::Arc;

use pgcensus_log::event::{ProbeReason, RefusalReason, ServerEvent};
use pgcensus_log::record::{SessionId, Sqlstate};

use crate::instant::Instant;
use crate::names::{Dimension, Name, NameId};
use crate::session::{ServerId, Session, SessionAuth};

/// One thing that happened, in the order of the log.
#[derive(Clone, Debug)]
pub struct Change {
    /// Log time of the record that showed it; `None` where the log carries no time.
    pub at: Option<Instant>,
    /// What happened.
    pub what: What,
    /// The message of the record that showed it; empty where no record did.
    pub message: Box<[u8]>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// `connection authorized`: a session is open, unless it is taken back.
    Opened(Rc<Session>),
    /// The session that was opened was refused after all; a [`What::Refused`] follows.
    TakenBack(Rc<Session>),
    /// A session ended. One without `authorized_at` was not seen to begin.
    Closed(Rc<Session>),
    /// A connection was refused.
    Refused(Box<Refusal>),
    /// A connection was received and never more than that.
    Probe(Box<Probe>),
    /// The server itself, by the process with this pid.
    Server(ServerId, Option<u32>, ServerEvent),
}

/// A connection that did not become a session.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which server.
    pub server: ServerId,
    /// Process that served it.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// Meant to be a walsender, as far as is known.
    pub walsender: bool,
    /// The role asked for; `None`: not known.
    pub user: Option<Name>,
    /// The database asked for.
    pub database: Option<Name>,
    /// The application, where an authorized line showed it.
    pub application_name: Option<Name>,
    /// The client.
    pub client_host: Option<Name>,
    /// TCP port of the client.
    pub client_port: Option<u16>,
    /// `connection received`.
    pub received_at: Option<Instant>,
    /// Why.
    pub reason: RefusalReason,
    /// As logged, else by the text.
    pub sqlstate: Option<Sqlstate>,
    /// `connection authenticated`, where the log has it.
    pub auth: Option<Arc<SessionAuth>>,
    /// The record that says so, shared by those who keep it.
    pub record: Rc<RefusalRecord>,
    /// It took back a session that had been opened.
    pub takes_back: bool,
    /// It is the second connection of one attempt: libpq's `sslmode=prefer` retried it.
    pub is_retry: bool,
}

/// The record of a refusal, as the log has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalRecord {
    /// Its file, by position among those of its server.
    pub file: u32,
    /// Where it begins there, in bytes of what was decoded.
    pub offset: u64,
    /// Its first [`RECORD_KEPT_MAX`](pgcensus_log::event::RECORD_KEPT_MAX) bytes.
    pub text: Box<[u8]>,
    /// The DETAIL, of a longer one as many bytes; empty: it has none.
    pub detail: Box<[u8]>,
}

impl Refusal {
    /// Whoever this was, refused for this reason; of the record nothing is known yet.
    pub fn new(session: &Session, reason: RefusalReason) -> Refusal {
        Refusal {
            server: session.server,
            pid: session.pid,
            session_id: session.session_id,
            walsender: session.walsender,
            user: session.user.clone(),
            database: session.database.clone(),
            application_name: session.application_name.clone(),
            client_host: session.client_host.clone(),
            client_port: session.client_port,
            received_at: None,
            reason,
            sqlstate: None,
            auth: session.auth.clone(),
            record: Rc::default(),
            takes_back: false,
            is_retry: false,
        }
    }

    /// Its name in a dimension.
    pub fn name(&self, dimension: Dimension) -> NameId {
        let name = match dimension {
            Dimension::Database => &self.database,
            Dimension::User => &self.user,
            Dimension::ApplicationName => &self.application_name,
            Dimension::ClientHost => &self.client_host,
            Dimension::Server => return self.server.into(),
        };
        NameId::of(name.as_ref())
    }
}

/// A connection that was received and came to nothing.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Which server.
    pub server: ServerId,
    /// Process that served it.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// The client.
    pub client_host: Option<Name>,
    /// TCP port of the client.
    pub client_port: Option<u16>,
    /// `connection received`.
    pub received_at: Option<Instant>,
    /// Why it is one.
    pub reason: ProbeReason,
}
