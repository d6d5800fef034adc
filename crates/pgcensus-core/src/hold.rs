//! Holds each opened session back until it can no longer be refused.
//!
//! Refusals after `connection authorized` come within milliseconds. Behind a held session everything
//! waits, so that changes stay in order; folds and views then never see most of what is taken back.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::change::{Change, What};
use crate::instant::Instant;
use crate::session::{ServerId, Session, SessionId};

/// How long a session is held, in log time.
const HOLD_MS: i64 = 2_000;

/// At most this many changes wait; past it the oldest is let go, and a refusal that comes later finds a
/// session that has been told.
const HELD_MAX: usize = 10_000;

/// Changes on their way, in order.
#[derive(Debug, Default)]
pub struct Hold {
    waiting: VecDeque<Option<Change>>,
    /// The number of the first of `waiting`, counted from the beginning.
    first: u64,
    /// Sessions that may still be taken back: the number of their change.
    held: FxHashMap<Key, u64>,
    now: Option<Instant>,
    /// The session that was just dropped: its refusal comes next and takes nothing back.
    dropped: Option<Key>,
}

/// A backend, as far as the log tells it from others.
type Key = (ServerId, Option<u32>, Option<SessionId>);

fn key(session: &Session) -> Key {
    (session.server, session.pid, session.session_id)
}

impl Hold {
    /// Takes the next change and hands on what is ready.
    pub fn push(&mut self, mut change: Change, mut ready: impl FnMut(Change)) {
        self.now = self.now.max(change.at);
        match &mut change.what {
            What::Opened(session) => {
                self.held
                    .insert(key(session), self.first + self.waiting.len() as u64);
            }
            What::TakenBack(session) => {
                if let Some(number) = self.held.remove(&key(session)) {
                    self.waiting[(number - self.first) as usize] = None;
                    self.dropped = Some(key(session));
                    return;
                }
            }
            What::Refused(refusal) => {
                if refusal.takes_back
                    && self.dropped.take()
                        == Some((refusal.server, refusal.pid, refusal.session_id))
                {
                    refusal.takes_back = false;
                }
            }
            What::Closed(session) => {
                self.held.remove(&key(session));
            }
            What::Probe(_) | What::Server(..) => {}
        }
        self.waiting.push_back(Some(change));
        while let Some(first) = self.waiting.front() {
            if let Some(change) = first
                && let What::Opened(session) = &change.what
                && self.held.get(&key(session)) == Some(&self.first)
            {
                let age = self.now.zip(change.at).map_or(0, |(now, at)| now.since(at));
                if age <= HOLD_MS && self.waiting.len() <= HELD_MAX {
                    break;
                }
                self.held.remove(&key(session));
            }
            self.first += 1;
            if let Some(change) = self.waiting.pop_front().flatten() {
                ready(change);
            }
        }
    }

    /// The input is over: hands on the rest.
    pub fn finish(&mut self, mut ready: impl FnMut(Change)) {
        self.first += self.waiting.len() as u64;
        self.held.clear();
        self.waiting.drain(..).flatten().for_each(&mut ready);
    }
}
