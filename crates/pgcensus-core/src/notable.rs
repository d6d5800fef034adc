//! Notable: sessions that a reader will ask for one by one, of a log that holds more than can be shown: those at the peak, the
//! longest, some of all times, the last, and some of each group. Those that are open at the end are for the caller to add.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::change::{Change, What};
use crate::groups::GroupId;
use crate::instant::Instant;
use crate::session::Session;
use crate::window::Window;

/// Sessions kept at most of those at the peak.
pub const AT_PEAK_MAX: usize = 500;

/// The same of the longest, of all times, of the last, and of those that a reader is led to.
pub const EACH_MAX: usize = 230;

/// So many of all times are kept for what room is left.
const OF_ALL_MAX: usize = 4 * EACH_MAX;

/// Sessions of a group that are kept: the last ones.
const OF_GROUP: usize = 3;

/// Keeps sessions that ended.
pub struct Notable {
    window: Window,
    /// When the peak so far was, and who of then has ended.
    peak_at: Option<Instant>,
    at_peak: Vec<Rc<Session>>,
    longest: BinaryHeap<Reverse<Long>>,
    /// Every `nth` of all that ended, so that of any stretch, and most of all where sessions come and go, there are some.
    of_all: Vec<Rc<Session>>,
    nth: u64,
    ended: u64,
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
            of_all: Vec::new(),
            nth: 1,
            ended: 0,
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
            && self.at_peak.len() < AT_PEAK_MAX
        {
            self.at_peak.push(session.clone());
        }
        if !self.window.contains(at) {
            return;
        }
        self.is_long(session);
        self.is_nth(session);
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

    /// Where every n-th becomes too many, every other one of them goes.
    fn is_nth(&mut self, session: &Rc<Session>) {
        if self.of_all.len() >= OF_ALL_MAX {
            let mut stays = false;
            self.of_all.retain(|_| {
                stays = !stays;
                stays
            });
            self.nth *= 2;
        }
        if self.ended.is_multiple_of(self.nth) {
            self.of_all.push(session.clone());
        }
        self.ended += 1;
    }

    /// At most so many of those that ended, the most notable first: some of those that a reader is led to, those at the peak, the
    /// longest, some of all times, the last, then some of each group, and more of all times as long as there is room.
    pub fn sessions(self, max: usize, is_led_to: impl Fn(&Session) -> bool) -> Vec<Rc<Session>> {
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
        let of_all = self.of_all.iter();
        let of_all = of_all.step_by(self.of_all.len().div_ceil(EACH_MAX).max(1));
        let at_peak = self.at_peak.into_iter();
        let all = at_peak.chain(longest).chain(of_all.cloned());
        let all = all.chain(self.last.into_iter().rev()).chain(of_groups);
        let mut seen = FxHashSet::default();
        let mut all: Vec<_> = all
            .chain(self.of_all.iter().cloned())
            .filter(|session| seen.insert(Rc::as_ptr(session)))
            .collect();
        let mut led_to = 0;
        // Stable: all others stay in their order.
        all.sort_by_cached_key(|session| {
            let comes_first = led_to < EACH_MAX && is_led_to(session);
            led_to += usize::from(comes_first);
            !comes_first
        });
        all.truncate(max);
        all
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{End, ServerId};

    /// A session of a second, of a group whose number its pid is.
    fn ended(second: i64, group: u32) -> Change {
        let end = Instant(second * 1_000);
        let session = Session {
            session_end: Some(end),
            session_time_ms: Some(1_000),
            end: Some(End::Client),
            group: GroupId(group),
            ..Session::new(ServerId(0), Some(group), None)
        };
        Change {
            at: Some(end),
            what: What::Closed(Rc::new(session)),
            message: Box::default(),
        }
    }

    /// One a second; in the middle ten times as many for a while.
    #[test]
    fn of_any_stretch_there_are_some_and_of_one_with_many_there_are_many() {
        let mut notable = Notable::new(Window::default());
        for second in 0..10_000_i64 {
            let is_busy = (5_000..6_000).contains(&second);
            for _ in 0..if is_busy { 10 } else { 1 } {
                notable.observe(&ended(second, 1), None);
            }
        }
        let kept = notable.sessions(2_000, |_| false);
        assert!(kept.len() <= 2 * EACH_MAX + OF_ALL_MAX);
        let of_thousand = |n: i64| {
            let ends = kept.iter().filter_map(|session| session.session_end);
            ends.filter(|end| end.0 / 1_000_000 == n).count()
        };
        for n in 0..10 {
            assert!(of_thousand(n) >= 5, "{n}: {}", of_thousand(n));
        }
        assert!(of_thousand(5) >= 8 * of_thousand(4));
    }

    #[test]
    fn those_that_a_reader_is_led_to_come_first() {
        let mut notable = Notable::new(Window::default());
        for second in 0..100_000_i64 {
            notable.observe(&ended(second, second as u32 % 5_000 + 1), None);
        }
        let kept = notable.sessions(1_000, |session| session.pid == Some(4_321));
        let of_it = kept.iter().filter(|session| session.pid == Some(4_321));
        assert!(of_it.count() >= OF_GROUP && kept[0].pid == Some(4_321));
        assert_eq!(kept.len(), 1_000);
    }
}
