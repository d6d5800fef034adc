//! Whole sessions: those of which every record stands in one batch. Each has a slot, so that none is looked for by its pid,
//! and what it is made of is put together at once, when it is authorized.

use std::rc::Rc;
use std::sync::Arc;

use pgcensus_log::batch::{Slot, TextId};
use pgcensus_log::event::{Event, EventKind};
use pgcensus_log::record::{Client, SessionId};

use super::backend::{Backend, Stage};
use super::{BACKENDS_MAX, Tracker};
use crate::change::{Change, What};
use crate::instant::Instant;
use crate::names::{Dimension, Name};
use crate::session::{Origin, Session, SessionAuth};
use crate::texts::Texts;

/// The whole sessions of one server.
#[derive(Debug)]
pub(super) struct Slots {
    /// By [`Slot::index`].
    slots: Box<[State]>,
    taken: usize,
}

/// How far the session of a slot is.
#[derive(Debug, Default)]
enum State {
    #[default]
    Free,
    Begun(Begun),
    Open(Rc<Session>),
}

/// A connection that was received, and what it has shown so far.
#[derive(Debug)]
struct Begun {
    at: Instant,
    pid: u32,
    session_id: Option<SessionId>,
    client_host: Name,
    client_port: Option<u16>,
    database: Option<Name>,
    auth: Option<Arc<SessionAuth>>,
}

impl Default for Slots {
    fn default() -> Self {
        Slots {
            slots: (0..Slot::COUNT).map(|_| State::Free).collect(),
            taken: 0,
        }
    }
}

impl Slots {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    fn begin(&mut self, slot: Slot, begun: Begun) {
        let state = &mut self.slots[slot.index()];
        self.taken += usize::from(matches!(state, State::Free));
        *state = State::Begun(begun);
    }

    fn begun(&mut self, slot: Slot) -> Option<&mut Begun> {
        match &mut self.slots[slot.index()] {
            State::Begun(begun) => Some(begun),
            State::Free | State::Open(_) => None,
        }
    }

    fn open(&mut self, slot: Slot, session: Rc<Session>) {
        self.slots[slot.index()] = State::Open(session);
    }

    fn session(&mut self, slot: Slot) -> Option<&mut Session> {
        match &mut self.slots[slot.index()] {
            State::Open(session) => Some(Rc::make_mut(session)),
            State::Free | State::Begun(_) => None,
        }
    }

    fn take(&mut self, slot: Slot) -> Option<Rc<Session>> {
        let state = &mut self.slots[slot.index()];
        if !matches!(state, State::Open(_)) {
            return None;
        }
        self.taken -= 1;
        match std::mem::take(state) {
            State::Open(session) => Some(session),
            State::Free | State::Begun(_) => None,
        }
    }
}

impl Tracker {
    /// Takes in an event of a whole session, if that is where its slot says: else there was no room for it.
    #[inline]
    pub(super) fn whole(
        &mut self,
        slot: Slot,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) -> bool {
        match &event.kind {
            EventKind::Received { client } => {
                self.whole_begins(slot, *client, event, at, texts, out)
            }
            EventKind::Authenticated {
                identity,
                method,
                hba,
            } => {
                let Some(begun) = self.slots.begun(slot) else {
                    return false;
                };
                begun.show(event, texts);
                begun.auth = Some(texts.auth(*identity, *method, *hba));
                true
            }
            EventKind::Authorized { .. } => {
                let mut told = self.spare();
                let Some(begun) = self.slots.begun(slot) else {
                    self.give_back(told);
                    return false;
                };
                begun.show(event, texts);
                let session = Rc::make_mut(&mut told);
                *session = Session::new(self.server, Some(begun.pid), begun.session_id);
                begun.becomes(session, event, at, texts);
                session.authorized_in = Origin::new(self.file, event.offset);
                self.slots.open(slot, told.clone());
                out.push(Change::new(at, What::Opened(told), b""));
                true
            }
            EventKind::Ready { setup_us } => {
                let Some(session) = self.slots.session(slot) else {
                    return false;
                };
                session.setup_us = Some(*setup_us);
                session.set_last_application_name(event, texts);
                true
            }
            EventKind::Disconnected { .. } => self.whole_ends(slot, event, at, texts, out),
            _ => false,
        }
    }

    fn whole_begins(
        &mut self,
        slot: Slot,
        client: Client<TextId>,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) -> bool {
        let Some(pid) = event.pid else {
            return false;
        };
        if self.backends.len() + self.slots.len() >= BACKENDS_MAX {
            return false;
        }
        self.pid_returns(pid, at, out);
        let mut begun = Begun {
            at,
            pid,
            session_id: event.session_id,
            client_host: texts.name(Dimension::ClientHost, client.host),
            client_port: client.port.and_then(|port| texts.port(port)),
            database: None,
            auth: None,
        };
        begun.show(event, texts);
        self.slots.begin(slot, begun);
        true
    }

    fn whole_ends(
        &mut self,
        slot: Slot,
        event: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
        out: &mut Vec<Change>,
    ) -> bool {
        let EventKind::Disconnected {
            session_time_ms,
            user,
            database,
            client,
        } = &event.kind
        else {
            return false;
        };
        let Some(mut told) = self.slots.take(slot) else {
            return false;
        };
        let start = at.plus_ms(-(*session_time_ms as i64));
        if !told.may_have_begun(start) {
            // It is another's, whose beginning was not seen.
            self.serial += 1;
            if let Some(pid) = told.pid {
                let backend = Backend {
                    serial: self.serial,
                    stage: Stage::Open,
                    received_at: told.session_start,
                    session: told,
                    reason: None,
                    fatal: None,
                };
                self.backends.insert(pid, backend);
            }
            return false;
        }
        let reason = self.end_reason(None);
        let session = Rc::make_mut(&mut told);
        session.complete(event, *user, *database, *client, texts);
        session.ended_in = Origin::new(self.file, event.offset);
        session.finish(at, Some(*session_time_ms), reason);
        out.push(Change::new(at, What::Closed(told), b""));
        true
    }
}

impl Begun {
    /// Takes what the prefix or the columns of an event carry. A user is named when it is authorized; it gets its number here,
    /// as it does in every other session.
    fn show(&mut self, event: &Event<TextId>, texts: &mut Texts<'_>) {
        if let Some(user) = event.user {
            texts.name(Dimension::User, user);
        }
        if let (None, Some(database)) = (&self.database, event.database) {
            self.database = Some(texts.name(Dimension::Database, database));
        }
    }

    /// It is a session, which this event authorizes.
    fn becomes(
        &mut self,
        session: &mut Session,
        authorized: &Event<TextId>,
        at: Instant,
        texts: &mut Texts<'_>,
    ) {
        session.client_host = Some(self.client_host.clone());
        session.client_port = self.client_port;
        session.session_start = Some(self.at);
        session.auth = self.auth.take();
        session.database = self.database.take();
        session.authorize(authorized, at, texts);
    }
}
