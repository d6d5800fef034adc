//! What the server says about itself, and what that means for its sessions.

use std::rc::Rc;

use pgcensus_log::batch::TextId;
use pgcensus_log::event::{EndReason, Event, ProbeReason, ServerEvent};

use super::Tracker;
use super::backend::{Backend, Stage};
use crate::change::{Change, What};
use crate::instant::Instant;
use crate::snapshot::Marker;
use crate::texts::Texts;

impl Tracker {
    pub(super) fn server_event(
        &mut self,
        server: ServerEvent,
        pid: Option<u32>,
        event: &Event<TextId>,
        at: Instant,
        texts: &Texts<'_>,
        out: &mut Vec<Change>,
    ) {
        // Anybody can RAISE LOG such a text; the postmaster and its helpers hold no connection.
        let holds_connection =
            |b: &Backend| b.is(event) && matches!(b.stage, Stage::Open | Stage::Pending);
        if pid.is_some_and(|pid| self.backends.get(&pid).is_some_and(holds_connection)) {
            return;
        }
        let down = self.shutdown;
        match server {
            ServerEvent::Starting { major } => {
                self.major = major.or(self.major);
                self.close_all(at, EndReason::Restart, true, out);
                self.shutdown = None;
                self.starting = true;
                self.lives.begin(at, Marker::Start);
            }
            ServerEvent::Startup { .. } => {
                // Until 11 (12 with a collector) the first line of a new server; else it follows one.
                self.close_all(at, EndReason::Restart, true, out);
                self.shutdown = None;
                if !std::mem::replace(&mut self.starting, true) {
                    self.lives.begin(at, Marker::Start);
                }
            }
            ServerEvent::Ready => self.starting = false,
            ServerEvent::SmartShutdown => self.shutdown = down.or(Some(EndReason::SmartShutdown)),
            ServerEvent::FastShutdown => self.shutdown = Some(EndReason::FastShutdown),
            ServerEvent::ImmediateShutdown => {
                self.shutdown = Some(EndReason::ImmediateShutdown);
                self.close_all(at, EndReason::ImmediateShutdown, false, out);
            }
            ServerEvent::ShutDown => {
                self.close_all(at, down.unwrap_or(EndReason::FastShutdown), false, out);
            }
            ServerEvent::ChildCrashed { pid } => {
                if let Some(backend) = self
                    .backends
                    .get_mut(&pid)
                    .filter(|b| b.stage == Stage::Open)
                {
                    backend.reason = Some(EndReason::Crash);
                }
            }
            ServerEvent::TerminatingOthers => {
                self.close_all(at, EndReason::Crash, false, out);
                self.starting = true;
                self.lives.begin(at, Marker::Crash);
            }
            ServerEvent::ShuttingDown | ServerEvent::Reinitializing | ServerEvent::Reloading => {}
        }
        out.push(Change::new(
            at,
            What::Server(self.server, pid, server),
            texts.text(event.message),
        ));
    }

    /// No session can be open any more.
    fn close_all(&mut self, at: Instant, reason: EndReason, is_bound: bool, out: &mut Vec<Change>) {
        let mut gone: Vec<(u32, u64)> = self
            .backends
            .iter()
            // A connection that a starting server has just received may still be refused.
            .filter(|(_, b)| {
                b.stage == Stage::Open || b.stage == Stage::Pending && reason != EndReason::Restart
            })
            .map(|(&pid, b)| (pid, b.serial))
            .collect();
        gone.sort_unstable_by_key(|&(_, serial)| serial);
        for (pid, _) in gone {
            let Some(backend) = self.backends.get_mut(&pid) else {
                continue;
            };
            if backend.stage == Stage::Pending {
                let probe = backend.probe(ProbeReason::Silent);
                out.push(Change::new(at, What::Probe(Box::new(probe)), b""));
            } else {
                let mut told = backend.session.clone();
                let session = Rc::make_mut(&mut told);
                session.session_end_is_bound = is_bound;
                let reason = match (backend.fatal.take(), backend.reason) {
                    (Some(_), Some(said)) => said,
                    _ => reason,
                };
                session.finish(at, None, reason);
                out.push(Change::new(at, What::Closed(told), b""));
            }
            // Late words of it are swallowed.
            backend.stage = Stage::Done;
        }
    }

    pub(super) fn setting(&mut self, name: &[u8], value: Option<&[u8]>, at: Instant) {
        let value = value.unwrap_or(b"off").to_ascii_lowercase();
        let is_on = |item: &[u8]| matches!(item, b"on" | b"true" | b"yes" | b"1");
        match name {
            b"log_connections" => {
                // A list from 18 on.
                let mut items = value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
                let on = items.any(|item| is_on(item) || matches!(item, b"all" | b"authorization"));
                self.lives.set_log_connections(on, at);
            }
            b"log_disconnections" => self.lives.set_log_disconnections(is_on(&value), at),
            b"log_min_messages" if matches!(&*value, b"fatal" | b"panic") => {
                self.lives.beginnings_unseen(at);
                self.lives.ends_unseen(at);
            }
            _ => {}
        }
    }
}
