//! The queue in front of `events`: a `connected` waits until it is certain.
//!
//! An authorized line may still be followed by a refusal, within milliseconds. Each `connected` is
//! therefore held until the next event of its backend, two seconds of log time or the end of the input,
//! and everything behind it with it, so that the output stays in the order of the log.
//!
//! How this works: `waiting` is the output that is due; each held session knows the number of its change,
//! counted from the beginning of the input, so that taking it back is one look-up. The front is handed on
//! as long as it is not held.

use std::collections::{HashMap, VecDeque};
use std::io;

use pgcensus_core::change::{Change, What};
use pgcensus_core::instant::Instant;
use pgcensus_core::session::{ServerId, Session, SessionId};

/// How long a `connected` is held, in log time.
const HOLD_MS: i64 = 2_000;

/// How many changes may wait; past this the oldest `connected` is let go, and a refusal that comes later
/// says `takes_back`.
const HELD_MAX: usize = 10_000;

/// Changes on their way to the output, in order.
#[derive(Default)]
pub(crate) struct EventQueue {
    waiting: VecDeque<Option<Change>>,
    /// Number of the first of `waiting`, counted from the beginning of the input.
    first: u64,
    /// Sessions that were opened and may still be taken back: the number of their change.
    held: HashMap<BackendKey, u64>,
    /// The latest log time.
    now: Option<Instant>,
    /// This backend's session was dropped while it was held; its refusal comes next.
    dropped: Option<BackendKey>,
}

/// A backend, as far as the log tells it from others.
type BackendKey = (ServerId, Option<u32>, Option<SessionId>);

impl EventQueue {
    /// Takes the next change and hands on what is ready. [`What::TakenBack`] is never handed on: either the
    /// session was still held, and then it is dropped, or the refusal that follows says `takes_back`.
    pub(crate) fn push(
        &mut self,
        change: &Change,
        mut emit: impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        self.now = self.now.max(change.at);
        match &change.what {
            What::Opened(session) => {
                let key = key(session);
                self.settle(key);
                if let Some(key) = key {
                    let number = self.first + self.waiting.len() as u64;
                    self.held.insert(key, number);
                }
                self.waiting.push_back(Some(change.clone()));
                self.release(false, &mut emit)
            }
            What::TakenBack(session) => {
                let key = key(session);
                if let Some(number) = key.and_then(|key| self.held.remove(&key)) {
                    self.waiting[(number - self.first) as usize] = None;
                    self.dropped = key;
                }
                self.release(false, &mut emit)
            }
            What::Refused(refusal) => {
                let key = backend(refusal.server, refusal.pid, refusal.session_id);
                self.settle(key);
                let dropped = self.dropped.take();
                if dropped.is_none() || dropped != key {
                    return self.pass(change, &mut emit);
                }
                let mut refusal = refusal.clone();
                refusal.takes_back = false;
                let change = Change {
                    what: What::Refused(refusal),
                    ..change.clone()
                };
                self.pass(&change, &mut emit)
            }
            What::Closed(session) => {
                self.settle(key(session));
                self.pass(change, &mut emit)
            }
            What::Probe(probe) => {
                self.settle(backend(probe.server, probe.pid, probe.session_id));
                self.pass(change, &mut emit)
            }
            What::Server(..) => self.pass(change, &mut emit),
        }
    }

    /// The end of the input: nothing is held any more.
    pub(crate) fn finish(
        &mut self,
        mut emit: impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        self.release(true, &mut emit)
    }

    /// Something else came from this backend: its session, if it is held, has become certain.
    fn settle(&mut self, key: Option<BackendKey>) {
        if let Some(key) = key {
            self.held.remove(&key);
        }
    }

    /// Hands on a change that need not be held, behind those that are.
    fn pass(
        &mut self,
        change: &Change,
        emit: &mut impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        self.release(false, emit)?;
        if self.waiting.is_empty() {
            return emit(change);
        }
        self.waiting.push_back(Some(change.clone()));
        Ok(())
    }

    /// Hands on what waits, up to the first `connected` that must be held.
    fn release(
        &mut self,
        all: bool,
        emit: &mut impl FnMut(&Change) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(change) = self.waiting.front() {
            if let Some(Change {
                at,
                what: What::Opened(session),
                ..
            }) = change
                && let Some(key) = key(session)
                && self.held.get(&key) == Some(&self.first)
            {
                let over = match (self.now, at) {
                    (Some(now), Some(at)) => now.since(*at) >= HOLD_MS,
                    _ => false,
                };
                if !(all || over || self.waiting.len() >= HELD_MAX) {
                    return Ok(());
                }
                self.held.remove(&key);
            }
            if let Some(Some(change)) = self.waiting.pop_front() {
                emit(&change)?;
            }
            self.first += 1;
        }
        Ok(())
    }
}

fn key(session: &Session) -> Option<BackendKey> {
    backend(session.server, session.pid, session.session_id)
}

/// `None` where the log tells no backend from another: then nothing can be taken back either.
fn backend(
    server: ServerId,
    pid: Option<u32>,
    session_id: Option<SessionId>,
) -> Option<BackendKey> {
    (pid.is_some() || session_id.is_some()).then_some((server, pid, session_id))
}

#[cfg(test)]
mod tests {
    use pgcensus_core::names::Names;
    use pgcensus_core::session::{End, EndReason, RefusalReason};

    use super::*;
    use crate::view::example::{self, at, change};

    fn opened(session: &Session) -> Change {
        change(
            session.authorized_at.unwrap(),
            What::Opened(Box::new(session.clone())),
        )
    }

    fn describe(change: &Change) -> String {
        let (word, pid) = match &change.what {
            What::Opened(session) => ("connected", session.pid),
            What::TakenBack(session) => ("taken back", session.pid),
            What::Closed(session) => ("disconnected", session.pid),
            What::Refused(refusal) if refusal.takes_back => ("refused takes back", refusal.pid),
            What::Refused(refusal) => ("refused", refusal.pid),
            What::Probe(probe) => ("probe", probe.pid),
            What::Server(..) => ("server", None),
        };
        format!("{word} {}", pid.unwrap_or(0))
    }

    /// Feeds the queue and says what came out of it after each change, and at the end.
    fn flow(changes: &[Change]) -> Vec<String> {
        let mut queue = EventQueue::default();
        let mut steps = Vec::new();
        for change in changes {
            let mut step = Vec::new();
            queue
                .push(change, |change| {
                    step.push(describe(change));
                    Ok(())
                })
                .unwrap();
            steps.push(step.join(", "));
        }
        let mut step = Vec::new();
        queue
            .finish(|change| {
                step.push(describe(change));
                Ok(())
            })
            .unwrap();
        steps.push(step.join(", "));
        steps
    }

    #[test]
    fn session_taken_back_while_held_is_not_printed() {
        let mut names = Names::default();
        let a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let b = example::session(
            &mut names,
            2,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let refusal = example::refusal(&a, RefusalReason::RoleLimit, true);
        let changes = [
            opened(&a),
            opened(&b),
            change(at(1, 0, 0).plus_ms(9), What::TakenBack(Box::new(a.clone()))),
            change(at(1, 0, 0).plus_ms(9), What::Refused(Box::new(refusal))),
        ];
        assert_eq!(flow(&changes), ["", "", "", "", "connected 2, refused 1"]);
    }

    #[test]
    fn session_is_let_go_after_two_seconds_and_a_refusal_after_that_takes_it_back() {
        let mut names = Names::default();
        let a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let b = example::session(
            &mut names,
            2,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 3),
        );
        let refusal = example::refusal(&a, RefusalReason::RoleLimit, true);
        let changes = [
            opened(&a),
            opened(&b),
            change(at(1, 0, 4), What::TakenBack(Box::new(a.clone()))),
            change(at(1, 0, 4), What::Refused(Box::new(refusal))),
        ];
        assert_eq!(
            flow(&changes),
            [
                "",
                "connected 1",
                "",
                "",
                "connected 2, refused takes back 1"
            ]
        );
    }

    #[test]
    fn end_of_a_session_lets_it_go_in_order() {
        let mut names = Names::default();
        let a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let b = example::session(
            &mut names,
            2,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        let end = |session: &Session| {
            let ended = example::closed(session.clone(), 500, End::Client, EndReason::Closed);
            change(at(1, 0, 0).plus_ms(500), What::Closed(Box::new(ended)))
        };
        let changes = [opened(&a), opened(&b), end(&b), end(&a)];
        assert_eq!(
            flow(&changes),
            [
                "",
                "",
                "",
                "connected 1, connected 2, disconnected 2, disconnected 1",
                ""
            ]
        );
    }

    #[test]
    fn session_without_pid_or_id_is_never_held() {
        let mut names = Names::default();
        let mut a = example::session(
            &mut names,
            1,
            "app",
            "shop",
            None,
            "[local]",
            None,
            at(1, 0, 0),
        );
        (a.pid, a.session_id) = (None, None);
        assert_eq!(flow(&[opened(&a)]), ["connected 0", ""]);
    }

    #[test]
    fn queue_is_bounded() {
        let mut names = Names::default();
        let mut queue = EventQueue::default();
        let mut emitted = 0;
        for pid in 0..HELD_MAX as u32 + 500 {
            let session = example::session(
                &mut names,
                pid,
                "app",
                "shop",
                None,
                "[local]",
                None,
                at(1, 0, 0),
            );
            queue
                .push(&opened(&session), |_| {
                    emitted += 1;
                    Ok(())
                })
                .unwrap();
            assert!(queue.waiting.len() <= HELD_MAX && queue.held.len() <= HELD_MAX);
        }
        queue
            .finish(|_| {
                emitted += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(emitted, HELD_MAX + 500);
    }
}
