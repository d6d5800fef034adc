//! Tallies: ordinary sessions are added up, by group, and handed to the tests in lumps.
//!
//! ```text
//! Opened, ordinary Closed ─► Tally of the group ─┐ a lump, when the stretch is over or something else comes
//! all else ──────────────────────────────────────┴─► tests
//! ```
//!
//! How this works: nearly all changes say that a session opened, or that one ended as sessions do. Most tests only count
//! these, and do not care which of those that a group has within a moment came first; so they are counted once, here. A
//! stretch in which that holds is over with the tick of 10 s, which lies within one minute and one quarter of an hour, with
//! the slot of [`Leak`](super::leak::Leak), and with a change that comes late: so what is first in it is earliest. The tallies are
//! handed over before whatever else comes, too, since a test may ask then who has logged in.
//!
//! A lump costs about what a change by itself would, and is of one change at least: where sessions are few, tallies cost
//! little, and where they are many, they save nearly all.

use super::storm;
use std::sync::Arc;

use super::groups::GroupId;
use crate::instant::Instant;
use crate::session::{ServerId, Session, SessionAuth};

/// Sessions shorter than this were opened for one request.
const SHORT_MS: u64 = 1_000;

/// The tallies of all groups.
#[derive(Default)]
pub(super) struct Tallies {
    /// By [`GroupId`].
    tallies: Vec<Tally>,
    /// Those that are not empty, in the order in which they got something.
    touched: Vec<GroupId>,
    /// What comes in order and before this belongs to the stretch that goes on.
    last: Instant,
    until: Instant,
}

/// What came of a group in a stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// An instant of the stretch.
    pub(super) at: Instant,
    pub(super) server: ServerId,
    /// Sessions that opened, and when the first and the last did.
    pub(super) opened: u32,
    pub(super) first: Instant,
    pub(super) last: Instant,
    /// These are of all that opened: they have no TLS, and how they authenticated.
    pub(super) is_plain: bool,
    pub(super) auth: Option<Arc<SessionAuth>>,
    /// Sessions that ended.
    pub(super) ended: Ended,
    /// Of them, those that had opened in the slot of [`Leak`](super::leak::Leak) that goes on.
    pub(super) passed: u32,
    /// Of them, those that no server event explains.
    pub(super) unexplained: u32,
}

/// Sessions that ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended {
    pub(super) sessions: u32,
    /// Of them, shorter than a second.
    pub(super) short: u32,
    /// … and those that a storm in this stretch did not open.
    pub(super) older: u32,
    pub(super) time_ms: u64,
    /// Of some it is known how long their setup took.
    pub(super) setups: u32,
    pub(super) setup_us: u64,
}

impl Tallies {
    /// A change at this instant belongs to the stretch that goes on, or else another has to begin.
    #[inline]
    pub(super) fn reach(&mut self, at: Instant) -> bool {
        let is_in = self.last <= at && at < self.until;
        self.last = at;
        is_in
    }

    /// A stretch begins, and goes on until then.
    pub(super) fn begin(&mut self, until: Instant) {
        self.until = until;
    }

    /// A session may be added to that of its group.
    #[inline]
    pub(super) fn are_like(&self, group: GroupId, session: &Session) -> bool {
        let tally = self.tallies.get(group.0 as usize);
        tally.is_some_and(|tally| tally.is_like(session))
    }

    /// Sees to it that it may, unless others were added that are different.
    pub(super) fn become_like(&mut self, group: GroupId, session: &Session) -> bool {
        let id = group.0 as usize;
        if id >= self.tallies.len() {
            self.tallies.resize_with(id + 1, Tally::default);
        }
        self.tallies[id].become_like(session)
    }

    /// That of a group from which sessions were seen to come, to which something is added at this instant.
    #[inline]
    pub(super) fn of(&mut self, group: GroupId, at: Instant) -> &mut Tally {
        let tally = &mut self.tallies[group.0 as usize];
        if tally.is_empty() {
            tally.at = at;
            self.touched.push(group);
        }
        tally
    }

    /// Those that are not empty, to be handed over; they come back in [`Tallies::clear`].
    pub(super) fn take(&mut self) -> Vec<GroupId> {
        std::mem::take(&mut self.touched)
    }

    pub(super) fn get(&self, group: GroupId) -> &Tally {
        &self.tallies[group.0 as usize]
    }

    /// These have been handed over.
    pub(super) fn clear(&mut self, mut touched: Vec<GroupId>) {
        for group in touched.drain(..) {
            self.tallies[group.0 as usize].clear();
        }
        self.touched = touched;
    }
}

impl Tally {
    #[inline]
    fn is_empty(&self) -> bool {
        self.opened == 0 && self.ended.sessions == 0
    }

    /// A session opened that is like the others.
    #[inline]
    pub(super) fn opened(&mut self, at: Instant) {
        if self.opened == 0 {
            self.first = at;
        }
        self.opened += 1;
        self.last = at;
    }

    /// What all have in common that opened, this session has too: nearly always it is the very same.
    #[inline]
    fn is_like(&self, session: &Session) -> bool {
        let auth = |auth: &Option<Arc<SessionAuth>>| auth.as_ref().map(Arc::as_ptr);
        self.server == session.server
            && self.is_plain == matches!(session.tls, Some(None))
            && auth(&self.auth) == auth(&session.auth)
    }

    fn become_like(&mut self, session: &Session) -> bool {
        let is_plain = matches!(session.tls, Some(None));
        let is_same =
            (self.server, self.is_plain) == (session.server, is_plain) && self.auth == session.auth;
        if !is_same && self.opened > 0 {
            return false;
        }
        self.server = session.server;
        self.is_plain = is_plain;
        self.auth.clone_from(&session.auth);
        true
    }

    fn clear(&mut self) {
        self.opened = 0;
        self.ended = Ended::default();
        self.passed = 0;
        self.unexplained = 0;
    }
}

impl Ended {
    /// One more, of which it may be known how long its setup took.
    #[inline]
    pub(super) fn add(&mut self, time_ms: u64, setup_us: Option<u64>) {
        self.sessions += 1;
        self.short += u32::from(time_ms < SHORT_MS);
        self.older += u32::from(storm::is_older(time_ms));
        self.time_ms = self.time_ms.saturating_add(time_ms);
        if let Some(setup_us) = setup_us {
            self.setups += 1;
            self.setup_us = self.setup_us.saturating_add(setup_us);
        }
    }

    pub(super) fn and(&mut self, other: &Ended) {
        self.sessions += other.sessions;
        self.short += other.short;
        self.older += other.older;
        self.time_ms = self.time_ms.saturating_add(other.time_ms);
        self.setups += other.setups;
        self.setup_us = self.setup_us.saturating_add(other.setup_us);
    }
}
