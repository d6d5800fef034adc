//! Holds each opened session back until it can no longer be refused.
//!
//! Refusals after `connection authorized` come within milliseconds. Behind a held session everything
//! waits, so that changes stay in order; folds and views then never see most of what is taken back.

use std::collections::VecDeque;

use crate::change::{Change, What};
use crate::instant::Instant;
use crate::session::{ServerId, Session, SessionId};

/// How long a session is held, in log time.
pub(crate) const HOLD_MS: i64 = 2_000;

/// How long, while time passes and nothing is logged.
pub(crate) const PASS_MS: i64 = 200;

/// At most this many changes wait; past it the oldest is let go, and a refusal that comes later finds a
/// session that has been told.
pub(crate) const HELD_MAX: usize = 10_000;

/// Changes on their way, in order.
#[derive(Debug, Default)]
pub struct Hold {
    waiting: VecDeque<Waiting>,
    /// The number of the first of `waiting`, counted from the beginning.
    first: u64,
    /// By server.
    opened: Vec<Opened>,
    now: Option<Instant>,
    /// The session that was just dropped: its refusal comes next and takes nothing back.
    dropped: Option<Key>,
}

#[derive(Debug)]
enum Waiting {
    Change(Change),
    /// A session of this server that was opened and taken back.
    Dropped(ServerId),
}

/// The opened sessions of one server that wait, in order: as their [`Session::opening`] is consecutive, each is found by
/// counting.
#[derive(Debug, Default)]
struct Opened {
    /// The opening of the first of `numbers`.
    first: u64,
    /// Of each the number of its change; `None`: it can no longer be taken back.
    numbers: VecDeque<Option<u64>>,
}

/// A backend, as far as the log tells it from others.
type Key = (ServerId, Option<u32>, Option<SessionId>);

impl Hold {
    /// The next changes need not wait, none of them, nor does any other: they may be handed on by whoever has them.
    pub fn lets_pass(&mut self, changes: &[Change]) -> bool {
        let passes = |change: &Change| match &change.what {
            What::Opened(session) => session.opening == 0,
            What::Closed(_) => true,
            What::TakenBack(_) | What::Refused(_) | What::Probe(_) | What::Server(..) => false,
        };
        if !self.waiting.is_empty() || !changes.iter().all(passes) {
            return false;
        }
        self.first += changes.len() as u64;
        self.now = changes
            .iter()
            .map(|change| change.at)
            .fold(self.now, Option::max);
        true
    }

    /// Takes the next change and hands on what is ready.
    pub fn push(&mut self, mut change: Change, mut ready: impl FnMut(Change)) {
        self.now = self.now.max(change.at);
        match &mut change.what {
            What::Opened(session) if session.opening > 0 => {
                let number = self.first + self.waiting.len() as u64;
                let server = usize::from(session.server.0);
                if server >= self.opened.len() {
                    self.opened.resize_with(server + 1, Opened::default);
                }
                self.opened[server].push(session.opening, number);
            }
            What::TakenBack(session) => {
                if let Some(number) = self.settle(session) {
                    self.waiting[(number - self.first) as usize] = Waiting::Dropped(session.server);
                    self.dropped = Some((session.server, session.pid, session.session_id));
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
                self.settle(session);
            }
            What::Opened(_) | What::Probe(_) | What::Server(..) => {}
        }
        if self.waiting.is_empty() && may_be_taken_back(&change).is_none() {
            // Nobody waits: nor need this one.
            self.first += 1;
            return ready(change);
        }
        self.waiting.push_back(Waiting::Change(change));
        self.let_go(HOLD_MS, &mut ready);
    }

    /// Time passes without a change: hands on what has been held for as long as a refusal takes that comes at once. One
    /// that comes later still takes back what was told.
    pub fn pass(&mut self, now: Instant, mut ready: impl FnMut(Change)) {
        self.now = self.now.max(Some(now));
        self.let_go(PASS_MS, &mut ready);
    }

    /// Something is held.
    pub fn is_holding(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands on what need not wait any more: what was held for so long.
    fn let_go(&mut self, held_ms: i64, ready: &mut impl FnMut(Change)) {
        while let Some(first) = self.waiting.front() {
            if let Waiting::Change(change) = first
                && let Some(session) = may_be_taken_back(change)
                && self.opened[usize::from(session.server.0)].holds_first()
            {
                let age = self.now.zip(change.at).map_or(0, |(now, at)| now.since(at));
                if age <= held_ms && self.waiting.len() <= HELD_MAX {
                    break;
                }
            }
            self.first += 1;
            self.pop(ready);
        }
    }

    /// The input is over: hands on the rest.
    pub fn finish(&mut self, mut ready: impl FnMut(Change)) {
        self.first += self.waiting.len() as u64;
        while !self.waiting.is_empty() {
            self.pop(&mut ready);
        }
    }

    fn pop(&mut self, ready: &mut impl FnMut(Change)) {
        match self.waiting.pop_front() {
            Some(Waiting::Change(change)) => {
                if let Some(session) = may_be_taken_back(&change) {
                    self.opened[usize::from(session.server.0)].pop();
                }
                ready(change);
            }
            Some(Waiting::Dropped(server)) => self.opened[usize::from(server.0)].pop(),
            None => {}
        }
    }

    /// This session can no longer be taken back; the number of its change, if it waited until now.
    fn settle(&mut self, session: &Session) -> Option<u64> {
        let opened = self.opened.get_mut(usize::from(session.server.0))?;
        let place = session.opening.checked_sub(opened.first)?;
        opened.numbers.get_mut(place as usize)?.take()
    }
}

/// The session that this change opens, if it is not known to end by its disconnection.
fn may_be_taken_back(change: &Change) -> Option<&Session> {
    match &change.what {
        What::Opened(session) if session.opening > 0 => Some(session),
        _ => None,
    }
}

impl Opened {
    fn push(&mut self, opening: u64, number: u64) {
        if self.numbers.is_empty() {
            self.first = opening;
        }
        debug_assert_eq!(self.first + self.numbers.len() as u64, opening);
        self.numbers.push_back(Some(number));
    }

    fn holds_first(&self) -> bool {
        matches!(self.numbers.front(), Some(Some(_)))
    }

    fn pop(&mut self) {
        self.numbers.pop_front();
        self.first += 1;
    }
}
