//! What ends a backend with a FATAL: refusals, and sessions that the server ends.

use std::rc::Rc;
use std::sync::Arc;

use pgcensus_log::batch::TextId;
use pgcensus_log::event::{EndReason, Event, EventKind, RECORD_KEPT_MAX, RefusalReason};

use super::backend::{Backend, Fatal, RecentRefusal, Stage};
use super::{PENDING_MAX_MS, Tracker};
use crate::change::{Change, Refusal, RefusalRecord, What};
use crate::instant::Instant;
use crate::names::Dimension;
use crate::session::{Session, SessionTls};
use crate::texts::Texts;

/// libpq's retry of one attempt without (or with) TLS comes within this.
const RETRY_MS: i64 = 50;

impl Tracker {
    pub(super) fn refused(
        &mut self,
        pid: u32,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        let EventKind::Refused {
            reason,
            after_authorized,
            host,
            user,
            database,
            tls,
        } = &event.kind
        else {
            return;
        };
        let fatal = self.fatal(*reason, event, at, texts);
        if let Some(backend) = self.backends.get(&pid)
            && backend.is(event)
            && backend.stage == Stage::Open
        {
            let same = event.session_id.is_some() && backend.session.session_id.is_some();
            let recent = at.since(backend.session.opened_at().unwrap_or(at)) <= PENDING_MAX_MS;
            let in_no_table = *reason == RefusalReason::Other;
            if in_no_table {
                // The next record of this backend tells: a disconnection, or nothing.
                let serial = backend.serial;
                if let Some(backend) = self.backends.get_mut(&pid) {
                    backend.fatal = Some(Box::new(fatal));
                }
                self.is_dying(at, pid, serial);
                return;
            }
            if same || *after_authorized && recent {
                if let Some(backend) = self.backends.remove(&pid) {
                    self.take_back(backend, &fatal, out);
                }
                return;
            }
        }
        let Some(backend) = self.pending_backend(pid, event, at, texts, out) else {
            return;
        };
        backend.stage = Stage::Done;
        let session = backend.session_mut();
        session.fill(event, texts);
        if let (None, Some(user)) = (&session.user, user) {
            session.user = Some(texts.name(Dimension::User, *user));
        }
        if let (None, Some(database)) = (&session.database, database) {
            session.database = Some(texts.name(Dimension::Database, *database));
        }
        if let (None, Some(host)) = (&session.client_host, host) {
            session.client_host = Some(texts.name(Dimension::ClientHost, *host));
        }
        if session.tls.is_none()
            && let Some(tls) = tls
        {
            session.tls = Some(tls.then(|| Arc::new(SessionTls::unknown())));
        }
        let (session, received_at) = (backend.session.clone(), backend.received_at);
        self.refuse(&session, received_at, &fatal, false, out);
    }

    /// What a FATAL says, as a refusal for this reason.
    pub(super) fn fatal(
        &self,
        refusal: RefusalReason,
        event: &Event<TextId>,
        at: Instant,
        texts: &Texts<'_>,
    ) -> Fatal {
        let text = |id: Option<TextId>| {
            let text = id.map_or(&b""[..], |id| texts.text(id));
            text[..text.len().min(RECORD_KEPT_MAX)].into()
        };
        Fatal {
            at,
            refusal,
            sqlstate: event.sqlstate,
            message: texts.text(event.message).into(),
            record: Rc::new(RefusalRecord {
                file: self.file,
                offset: event.offset,
                text: text(event.record),
                detail: text(event.detail),
            }),
        }
    }

    /// Authorized was not connected.
    pub(super) fn take_back(&mut self, backend: Backend, fatal: &Fatal, out: &mut Vec<Change>) {
        let session = backend.session;
        self.refuse(&session, backend.received_at, fatal, true, out);
        let refused = out.pop();
        out.push(Change::new(fatal.at, What::TakenBack(session.clone()), b""));
        out.extend(refused);
        if let Some(pid) = session.pid {
            let done = Backend {
                serial: backend.serial,
                stage: Stage::Done,
                session,
                received_at: backend.received_at,
                reason: None,
                fatal: None,
            };
            self.backends.insert(pid, done);
        }
    }

    pub(super) fn refuse(
        &mut self,
        session: &Session,
        received_at: Option<Instant>,
        fatal: &Fatal,
        takes_back: bool,
        out: &mut Vec<Change>,
    ) {
        let mut refusal = Refusal {
            received_at,
            sqlstate: fatal.sqlstate,
            record: fatal.record.clone(),
            takes_back,
            ..Refusal::new(session, fatal.refusal)
        };
        let tls = session.tls.as_ref().map(Option::is_some);
        while self
            .recent_refusals
            .front()
            .is_some_and(|r| fatal.at.since(r.at) > RETRY_MS)
        {
            self.recent_refusals.pop_front();
        }
        if let Some(first) = self
            .recent_refusals
            .iter()
            .position(|r| r.is_retried_by(&refusal, tls))
        {
            self.recent_refusals.remove(first);
            refusal.is_retry = true;
        } else {
            self.recent_refusals.push_back(RecentRefusal {
                at: fatal.at,
                refusal: refusal.clone(),
                tls,
            });
            if self.recent_refusals.len() > 1000 {
                self.recent_refusals.pop_front();
            }
        }
        out.push(Change::new(
            fatal.at,
            What::Refused(Box::new(refusal)),
            &fatal.message,
        ));
    }

    #[allow(clippy::too_many_arguments)] // one event, taken apart by the caller
    pub(super) fn ending(
        &mut self,
        pid: u32,
        reason: EndReason,
        fatal: bool,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        if self.backends.get(&pid).is_some_and(|b| !b.is(event)) {
            self.pid_returns(pid, at, out);
        }
        let terminated = RefusalReason::TerminatedInStartup;
        let last_word = fatal.then(|| Box::new(self.fatal(terminated, event, at, texts)));
        match self.backends.get_mut(&pid) {
            Some(backend) if backend.stage == Stage::Done => return,
            Some(backend)
                if backend.stage == Stage::Pending && self.lives.has_seen_authorized() =>
            {
                // With authorized lines in the log, a backend without one is no session.
                if let Some(fatal) = last_word {
                    backend.stage = Stage::Done;
                    backend.session_mut().fill(event, texts);
                    let (session, received_at) = (backend.session.clone(), backend.received_at);
                    self.refuse(&session, received_at, &fatal, false, out);
                }
                return;
            }
            Some(backend) => {
                backend.reason = Some(reason);
                backend
                    .session_mut()
                    .set_last_application_name(event, texts);
                backend.fatal = last_word.or(backend.fatal.take());
            }
            None => {
                if let Some(backend) = self.insert(pid, event, at, texts) {
                    backend.stage = Stage::Unseen;
                    backend.reason = Some(reason);
                    backend.fatal = last_word;
                }
            }
        }
        if let Some(serial) = self.backends.get(&pid).map(|backend| backend.serial) {
            self.is_dying(at, pid, serial);
        }
    }
}
