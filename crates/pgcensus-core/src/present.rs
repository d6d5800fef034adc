//! Present: the sessions themselves, those that are open at the end of a window and those that ended in it.
//!
//! The census counts them; this one keeps them, for whoever wants to see them one by one. Which ones are wanted
//! is for the caller to say: nothing is kept of the others.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::change::{Change, What};
use crate::instant::Instant;
use crate::session::Session;
use crate::window::Window;

/// Open sessions kept at most; of more, the rest is counted.
pub const OPEN_MAX: usize = 10_000;

/// Sessions that ended, kept at most: the last ones.
pub const ENDED_MAX: usize = 10_000;

/// The sessions of a window.
#[derive(Clone)]
pub struct Present {
    window: Window,
    open: Vec<Session>,
    /// Shared with the changes that they came with: who looks ten times a second copies none of them.
    ended: VecDeque<Rc<Session>>,
    open_dropped: u64,
    ended_dropped: u64,
}

impl Present {
    /// Keeps the sessions of this window.
    pub fn new(window: Window) -> Present {
        Present {
            window,
            open: Vec::new(),
            ended: VecDeque::new(),
            open_dropped: 0,
            ended_dropped: 0,
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// The window begins later.
    pub fn moves_to(&mut self, since: Option<Instant>) {
        self.window.since = since;
        let window = &self.window;
        let is_over =
            |session: &Rc<Session>| session.session_end.is_some_and(|at| window.is_before(at));
        while self.ended.front().is_some_and(is_over) {
            self.ended.pop_front();
        }
    }

    /// Takes in a change, if its session is wanted.
    pub fn observe(&mut self, change: &Change) {
        let What::Closed(session) = &change.what else {
            return;
        };
        let at = change.at.unwrap_or(Instant::UNKNOWN);
        if self.window.is_after(at) {
            self.still_open(session);
        } else if self.window.contains(at) {
            if self.ended.len() >= ENDED_MAX {
                self.ended.pop_front();
                self.ended_dropped += 1;
            }
            self.ended.push_back(session.clone());
        }
    }

    /// A session that is wanted and is open at the end of the input, or of the window.
    pub fn still_open(&mut self, session: &Session) {
        let began_later = |opened| self.window.is_after(opened);
        if session.opened_at().is_some_and(began_later) {
            return;
        }
        if self.open.len() >= OPEN_MAX {
            self.open_dropped += 1;
            return;
        }
        self.open.push(as_open(session.clone()));
    }

    /// Those that are open, the oldest first; then those that ended, the last first; and how many of each
    /// are not among them.
    pub fn sessions(mut self) -> Sessions {
        self.open
            .sort_by_key(|session| (session.session_start.or(session.authorized_at), session.pid));
        Sessions {
            open: self.open,
            ended: self.ended.into_iter().rev().collect(),
            open_dropped: self.open_dropped,
            ended_dropped: self.ended_dropped,
        }
    }
}

/// What [`Present::sessions`] gives.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Open at the end of the window, the oldest first.
    pub open: Vec<Session>,
    /// Ended in the window, the last first.
    pub ended: Vec<Rc<Session>>,
    /// Open ones past [`OPEN_MAX`].
    pub open_dropped: u64,
    /// Ended ones past [`ENDED_MAX`].
    pub ended_dropped: u64,
}

/// A session as it was at an instant before its end.
pub fn as_open(session: Session) -> Session {
    Session {
        session_end: None,
        session_end_is_bound: false,
        session_time_ms: None,
        end: None,
        end_reason: None,
        ..session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{End, ServerId};

    fn session(pid: u32, opened: i64) -> Session {
        Session {
            authorized_at: Some(Instant(opened)),
            ..Session::new(ServerId(0), Some(pid), None)
        }
    }

    fn closed(pid: u32, opened: i64, at: i64) -> Change {
        let session = Session {
            end: Some(End::Client),
            session_end: Some(Instant(at)),
            ..session(pid, opened)
        };
        Change {
            at: Some(Instant(at)),
            what: What::Closed(Rc::new(session)),
            message: Box::default(),
        }
    }

    #[test]
    fn a_session_that_ends_later_is_open_at_the_end_of_the_window() {
        let mut present = Present::new(Window {
            since: Some(Instant(100)),
            until: Some(Instant(200)),
            daily: None,
        });
        present.observe(&closed(1, 0, 50));
        present.observe(&closed(2, 10, 150));
        present.observe(&closed(3, 110, 250));
        present.observe(&closed(4, 210, 250));
        present.still_open(&session(5, 20));
        present.still_open(&session(6, 220));
        let sessions = present.sessions();
        let open: Vec<_> = sessions.open.iter().map(|session| session.pid).collect();
        let ended: Vec<_> = sessions.ended.iter().map(|session| session.pid).collect();
        assert_eq!(open, [Some(5), Some(3)]);
        assert_eq!(ended, [Some(2)]);
        assert!(sessions.open.iter().all(|session| session.end.is_none()));
    }
}
