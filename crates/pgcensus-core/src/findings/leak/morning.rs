//! Whether growth may be the morning of a working day: a pool that grows with its load, people who come to work. Earlier days of its
//! kind would tell; a log that has none yet tells by what else connects.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::super::{Judge, SESSIONS_MIN};
use super::{Growth, Leak, Stop};
use crate::names::NameId;
use crate::session::ServerId;

/// Growth of less than this time may be a morning: it is over at noon, and so is the pool that grows with its load.
const MORNING_MS: i64 = 8 * 3_600_000;

/// So many more are no morning of one application, or one that somebody should look at.
const MORNING_MAX: i64 = 100;

/// In the first morning of a log, so many more on one host are no pool: few are bigger, and a leak of one in three minutes is there
/// within two and a half hours.
const POOL_MAX: i64 = 50;

/// In a morning the others connect so many times more in its second half. From eight to two, when traffic hardly rises any more,
/// it is less.
const RISE: f64 = 1.5;

/// Sessions of a server that opened, but noise, by slot.
type Traffic = BTreeMap<u32, i64>;

impl Growth {
    /// It may be the morning of the first weekday, or of the first day: the log has no day of its kind to tell by, and it stops of
    /// itself before anything is full.
    pub(super) fn may_be_morning(&self, left: Option<i64>) -> bool {
        self.figures.alike == 0
            && (self.figures.days > 0 || self.traffic.is_some())
            && self.can_be_morning()
            && left.is_none_or(|left| left >= MORNING_MS)
    }

    /// It is no longer and no bigger than one, so far.
    fn can_be_morning(&self) -> bool {
        self.stop == Stop::Not
            && self.until.since(self.since) < MORNING_MS
            && self.figures.net() < MORNING_MAX
    }

    /// What the host added that added most.
    fn most_of_host(&self, judge: &Judge<'_>) -> i64 {
        let mut hosts: FxHashMap<NameId, i64> = FxHashMap::default();
        for &(id, added) in &self.by {
            let host = judge.groups.get(id).key.client_host;
            *hosts.entry(host).or_default() += added;
        }
        hosts.into_values().max().unwrap_or(0)
    }
}

impl Leak {
    /// Looks what else connected during growth that no earlier day explains.
    pub(super) fn look_at_traffic(&self, judge: &Judge<'_>, grown: &mut [Growth]) {
        let mut servers: BTreeMap<ServerId, Traffic> = BTreeMap::new();
        let is_first = |growth: &&mut Growth| {
            growth.figures.days == 0
                && growth.can_be_morning()
                && growth.most_of_host(judge) < POOL_MAX
        };
        for growth in grown.iter_mut().filter(is_first) {
            let traffic = servers.entry(growth.server);
            let traffic = traffic.or_insert_with(|| self.traffic(judge, growth.server));
            growth.traffic = self.rise_beside(judge, growth, traffic);
        }
    }

    fn traffic(&self, judge: &Judge<'_>, server: ServerId) -> Traffic {
        let mut traffic = Traffic::new();
        let own = judge.groups.iter();
        let own = own.filter(|&(id, group)| group.key.server == server && !judge.is_noise(id));
        for slot in own.flat_map(|(id, _)| self.slots(id)) {
            *traffic.entry(slot.begin).or_default() += i64::from(slot.opened);
        }
        traffic
    }

    /// What others opened in each half of a growth, if it was more and more.
    fn rise_beside(
        &self,
        judge: &Judge<'_>,
        growth: &Growth,
        traffic: &Traffic,
    ) -> Option<[u64; 2]> {
        let begin = growth.figures.begin;
        let middle = begin + (self.clock.slot + 1).saturating_sub(begin) / 2;
        let mut halves = [0_i64; 2];
        let mut add = |slot: u32, opened: i64| {
            if slot >= begin {
                halves[usize::from(slot >= middle)] += opened;
            }
        };
        for (&slot, &opened) in traffic {
            add(slot, opened);
        }
        for &(id, _) in growth.by.iter().filter(|&&(id, _)| !judge.is_noise(id)) {
            for slot in self.slots(id) {
                add(slot.begin, -i64::from(slot.opened));
            }
        }
        let [early, late] = halves.map(|opened| opened.max(0) as u64);
        (late >= SESSIONS_MIN && late as f64 >= RISE * early as f64).then_some([early, late])
    }
}
