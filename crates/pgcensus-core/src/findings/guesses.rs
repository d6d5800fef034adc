//! Guesses: each failure that may be one, for programs that shut addresses out. Every attempt is one, and failures of a user from
//! where it had logged in are none: an application with an old password is not to be shut out.

use super::Seen;
use super::groups::Groups;
use super::guessing::is_guess;
use super::logins::{Logins, Pair};
use crate::change::{Change, Refusal, What};
use crate::instant::Instant;
use crate::names::NameId;
use crate::window::Window;

/// The fold.
pub struct Guesses {
    window: Window,
    groups: Groups,
    logins: Logins,
}

impl Guesses {
    /// For a window; logins before it count as well.
    pub fn new(window: Window) -> Guesses {
        Guesses {
            window,
            groups: Groups::default(),
            logins: Logins::default(),
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change; what it is, if it may be a guess.
    pub fn observe<'c>(&mut self, change: &'c Change) -> Option<(Instant, &'c Refusal)> {
        let at = change.at?;
        let group = match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session) => {
                self.groups.of(session)
            }
            What::Refused(refusal) => {
                let pair = Pair {
                    server: refusal.server,
                    user: NameId::of(refusal.user.as_ref()),
                    client_host: NameId::of(refusal.client_host.as_ref()),
                };
                let counts = is_guess(refusal) && self.window.contains(at);
                let is_known = self.logins.get(pair).is_some();
                return (counts && !is_known).then_some((at, &**refusal));
            }
            What::Probe(_) | What::Server(..) => return None,
        };
        let seen = Seen {
            at,
            group,
            what: &change.what,
        };
        self.groups.observe(&seen);
        self.logins.observe(&seen, &self.groups);
        None
    }
}
