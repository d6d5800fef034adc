//! Guesses: each failure that may be one, for programs that shut addresses out. Every attempt is one, and failures of a user from
//! where it had logged in are none: an application with an old password is not to be shut out. Nor are those of a private host that asks
//! for one role and no other, which logs in from other private hosts, and waits between two tries: the same application, moved.

use rustc_hash::FxHashMap;

use super::Seen;
use super::groups::Groups;
use super::guessing::{Failing, has_home, is_guess};
use super::logins::{Logins, Pair};
use crate::change::{Change, Refusal, What};
use crate::instant::Instant;
use crate::names::{NameId, Names};
use crate::session::ServerId;
use crate::window::Window;

/// Hosts of applications that may have moved, at most. Those that come later have a line for each failure.
const MOVERS_MAX: usize = 10_000;

/// The fold.
pub struct Guesses {
    window: Window,
    groups: Groups,
    logins: Logins,
    /// Hosts that fail without a login, each with the one role that it asks for.
    movers: FxHashMap<(ServerId, NameId), (Option<NameId>, Failing)>,
}

impl Guesses {
    /// For a window; logins before it count as well.
    pub fn new(window: Window) -> Guesses {
        Guesses {
            window,
            groups: Groups::default(),
            logins: Logins::default(),
            movers: FxHashMap::default(),
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change; what it is, if it may be a guess.
    pub fn observe<'c>(
        &mut self,
        change: &'c Change,
        names: &Names,
    ) -> Option<(Instant, &'c Refusal)> {
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
                if !is_guess(refusal) || self.logins.get(pair).is_some() {
                    return None;
                }
                let has_moved = self.has_moved(pair, at, names);
                return (!has_moved && self.window.contains(at)).then_some((at, &**refusal));
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

    /// It is an application with an old password on a new host, as far as can be told by now.
    fn has_moved(&mut self, pair: Pair, at: Instant, names: &Names) -> bool {
        let host = (pair.server, pair.client_host);
        if self.movers.len() >= MOVERS_MAX && !self.movers.contains_key(&host) {
            return false;
        }
        let of_host = self.movers.entry(host);
        let (user, failing) = of_host.or_insert_with(|| (Some(pair.user), Failing::new(at)));
        // Whoever asks for another as well has none of its own.
        if *user != Some(pair.user) {
            *user = None;
        }
        failing.failed(at, false);
        user.is_some() && failing.waits() && has_home(names, &self.logins, pair, at)
    }
}
