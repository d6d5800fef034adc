//! Notable: sessions that a reader will ask for one by one, of a log that holds more than can be shown: those at the peak, the
//! longest, the last, and some of each group. Those that are open at the end are for the caller to add.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::change::{Change, What};
use crate::groups::GroupId;
use crate::instant::Instant;
use crate::session::Session;
use crate::window::Window;

/// Sessions kept at most: of those at the peak, of the longest, of the last.
pub const EACH_MAX: usize = 500;

/// Sessions of a group that are kept: the last ones.
const OF_GROUP: usize = 3;

/// Keeps sessions that ended.
pub struct Notable {
    window: Window,
    /// When the peak so far was, and who of then has ended.
    peak_at: Option<Instant>,
    at_peak: Vec<Rc<Session>>,
    longest: BinaryHeap<Reverse<Long>>,
    last: VecDeque<Rc<Session>>,
    of_groups: FxHashMap<GroupId, VecDeque<Rc<Session>>>,
}

/// A session by its length; of equal ones, the earlier is kept.
struct Long {
    ms: u64,
    number: Reverse<u64>,
    session: Rc<Session>,
}

impl Notable {
    /// Keeps those of this window.
    pub fn new(window: Window) -> Notable {
        Notable {
            window,
            peak_at: None,
            at_peak: Vec::new(),
            longest: BinaryHeap::new(),
            last: VecDeque::new(),
            of_groups: FxHashMap::default(),
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change, after which the peak so far is at `peak_at`.
    pub fn observe(&mut self, change: &Change, peak_at: Option<Instant>) {
        if self.peak_at != peak_at {
            // Whoever had ended was not there.
            self.peak_at = peak_at;
            self.at_peak.clear();
        }
        let What::Closed(session) = &change.what else {
            return;
        };
        let at = change.at.unwrap_or(Instant::UNKNOWN);
        if let Some(peak) = peak_at
            && at >= peak
            && session.opened_at().is_some_and(|opened| opened <= peak)
            && self.at_peak.len() < EACH_MAX
        {
            self.at_peak.push(session.clone());
        }
        if !self.window.contains(at) {
            return;
        }
        self.is_long(session);
        keep(&mut self.last, session, EACH_MAX);
        if session.group != GroupId::REST {
            let of_group = self.of_groups.entry(session.group).or_default();
            keep(of_group, session, OF_GROUP);
        }
    }

    fn is_long(&mut self, session: &Rc<Session>) {
        let Some(ms) = session.session_time_ms else {
            return;
        };
        if self.longest.len() >= EACH_MAX {
            if self.longest.peek().is_some_and(|least| least.0.ms >= ms) {
                return;
            }
            self.longest.pop();
        }
        self.longest.push(Reverse(Long {
            ms,
            number: Reverse(session.opening),
            session: session.clone(),
        }));
    }

    /// At most so many of those that ended, the most notable first: those at the peak, the longest, the last, then some of each
    /// group, as long as there is room.
    pub fn sessions(self, max: usize) -> Vec<Rc<Session>> {
        let mut seen = FxHashSet::default();
        let mut longest = self.longest.into_vec();
        longest.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        let longest = longest.into_iter().map(|long| long.0.session);
        let mut groups: Vec<_> = self.of_groups.into_iter().collect();
        groups.sort_unstable_by_key(|(group, _)| *group);
        let of_groups = (0..OF_GROUP).flat_map(|nth| {
            let nth = move |(_, group): &(_, VecDeque<Rc<Session>>)| {
                group.get(group.len().checked_sub(nth + 1)?).cloned()
            };
            groups.iter().filter_map(nth).collect::<Vec<_>>()
        });
        let at_peak = self.at_peak.into_iter();
        let all = at_peak.chain(longest).chain(self.last.into_iter().rev());
        all.chain(of_groups)
            .filter(|session| seen.insert(Rc::as_ptr(session)))
            .take(max)
            .collect()
    }
}

/// The last sessions, at most so many.
fn keep(last: &mut VecDeque<Rc<Session>>, session: &Rc<Session>, max: usize) {
    if last.len() >= max {
        last.pop_front();
    }
    last.push_back(session.clone());
}

impl Ord for Long {
    fn cmp(&self, other: &Long) -> std::cmp::Ordering {
        (self.ms, self.number).cmp(&(other.ms, other.number))
    }
}

impl PartialOrd for Long {
    fn partial_cmp(&self, other: &Long) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Long {
    fn eq(&self, other: &Long) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Long {}
