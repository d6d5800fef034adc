//! Sessions that have opened and may still be refused: they are open at once, and a connect only when they are not.
//!
//! What reads a log to its end is told of them by [`hold`](crate::hold) when that is settled, mostly. Who watches one is told
//! at once: then this is all that keeps a connect, which no counter can take back, from being counted too early.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::hold::{HELD_MAX, HOLD_MS, PASS_MS};
use crate::instant::Instant;
use crate::metrics::series::SessionKey;
use crate::session::{ServerId, Session};

/// A connect that is not counted yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connect {
    pub(super) key: SessionKey,
    pub(super) walsender: bool,
    pub(super) setup_us: Option<u64>,
}

/// Opened sessions, the last ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsettled {
    /// Each with when it opened; some have been settled by now.
    order: VecDeque<(Opening, Instant)>,
    waiting: FxHashMap<Opening, Connect>,
}

/// The server and its [`Session::opening`].
type Opening = (ServerId, u64);

impl Unsettled {
    /// A session has opened, which may be refused.
    pub(super) fn add(&mut self, session: &Session, at: Instant, connect: Connect) {
        let opening = (session.server, session.opening);
        self.order.push_back((opening, at));
        self.waiting.insert(opening, connect);
    }

    /// This session is settled, one way or the other; its connect, unless that was settled before.
    pub(super) fn settle(&mut self, session: &Session) -> Option<Connect> {
        self.waiting.remove(&(session.server, session.opening))
    }

    /// What records say at `now` comes too late for those that opened long before.
    pub(super) fn reach(&mut self, now: Instant) -> Option<Connect> {
        self.next(|opened, waiting| now.since(opened) > HOLD_MS || waiting > HELD_MAX)
    }

    /// Time passes, and nothing is logged.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Connect> {
        self.next(|opened, _| now.since(opened) > PASS_MS)
    }

    /// Nothing comes any more.
    pub(super) fn finish(&mut self) -> Option<Connect> {
        self.next(|_, _| true)
    }

    /// The first that waits, if it is settled.
    fn next(&mut self, is_settled: impl Fn(Instant, usize) -> bool) -> Option<Connect> {
        while let Some(&(opening, opened)) = self.order.front() {
            if !is_settled(opened, self.order.len()) {
                return None;
            }
            self.order.pop_front();
            if let Some(connect) = self.waiting.remove(&opening) {
                return Some(connect);
            }
        }
        None
    }
}

impl Connect {
    pub(super) fn of(session: &Session) -> Connect {
        Connect {
            key: SessionKey::of(session),
            walsender: session.walsender,
            setup_us: session.setup_us,
        }
    }
}
