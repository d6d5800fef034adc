//! Logs whose prefix carries neither pid nor session id.

use std::rc::Rc;

use pgcensus_log::batch::TextId;
use pgcensus_log::event::{Event, EventKind};

use super::{FATAL_MS, Tracker};
use crate::change::{Change, Probe, What};
use crate::instant::Instant;
use crate::names::Dimension;
use crate::session::Session;
use crate::texts::Texts;

impl Tracker {
    /// Without pids, lines cannot be joined: beginnings and ends are told one by one.
    pub(super) fn without_pid(
        &mut self,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        self.saw.no_pid = true;
        let mut session = Session::new(self.server, None, None);
        session.fill(event, texts);
        match &event.kind {
            EventKind::Authorized { .. } => {
                session.authorize(event, at, texts);
                self.openings += 1;
                session.opening = self.openings;
                let session = Rc::new(session);
                self.last_without_pid = Some(session.clone());
                out.push(Change::new(at, What::Opened(session), b""));
            }
            EventKind::Disconnected {
                session_time_ms,
                user,
                database,
                client,
            } => {
                let start = at.plus_ms(-(*session_time_ms as i64));
                session.session_start = Some(start);
                session.complete(event, *user, *database, *client, texts);
                // Its beginning was told by a line of its own.
                session.authorized_at = self.first.filter(|&first| start >= first).map(|_| start);
                self.close(Rc::new(session), at, Some(*session_time_ms), None, b"", out);
            }
            EventKind::Refused {
                reason,
                after_authorized,
                host,
                user,
                database,
                ..
            } => {
                let fatal = self.fatal(*reason, event, at, texts);
                let opened = self.last_without_pid.take().filter(|s| {
                    *after_authorized && at.since(s.opened_at().unwrap_or(at)) <= FATAL_MS
                });
                if let Some(opened) = opened {
                    out.push(Change::new(at, What::TakenBack(opened.clone()), b""));
                    self.refuse(&opened, None, &fatal, true, out);
                } else {
                    session.user = session
                        .user
                        .or_else(|| user.map(|user| texts.name(Dimension::User, user)));
                    session.database = session
                        .database
                        .or_else(|| database.map(|name| texts.name(Dimension::Database, name)));
                    session.client_host = session
                        .client_host
                        .or_else(|| host.map(|host| texts.name(Dimension::ClientHost, host)));
                    self.refuse(&session, None, &fatal, false, out);
                }
            }
            EventKind::Probe { reason } => {
                let probe = Probe {
                    server: self.server,
                    pid: None,
                    session_id: None,
                    client_host: session.client_host.clone(),
                    client_port: session.client_port,
                    received_at: None,
                    reason: *reason,
                };
                out.push(Change::new(
                    at,
                    What::Probe(Box::new(probe)),
                    texts.text(event.message),
                ));
            }
            _ => {}
        }
    }
}
