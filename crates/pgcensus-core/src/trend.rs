//! Trend: how many sessions of each name were open at a few instants up to now.
//!
//! How this works: the instants are multiples of a step, so that they stay where they are while time goes on. A
//! session adds one where it opened and takes one away where it ended, and the count at an instant is the sum of
//! all steps up to it. So a session that is seen only at its end is put in where it began, in one pass.

use rustc_hash::FxHashMap;

use crate::change::{Change, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::{RefusalReason, Session};

/// Instants of a trend.
pub const TREND: usize = 12;

/// How many were open at each of the last instants, the last one now.
pub type Trend = [u64; TREND];

/// Trends of all names.
pub struct Trends {
    step_ms: i64,
    /// The number of the last instant; `None`: nothing has come yet.
    last: Option<i64>,
    /// It does not move: what comes then or later does not count.
    until: Option<Instant>,
    by: [Vec<Steps>; Dimension::ALL.len()],
    refused: FxHashMap<RefusalReason, Trend>,
}

/// Of one name: what was before the first instant, and what came up to each.
#[derive(Clone, Copy, Default)]
struct Steps {
    before: i64,
    steps: [i64; TREND],
}

impl Trends {
    /// Trends in steps of so many milliseconds, of what comes before `until` or, where that is `None`, of all that comes.
    pub fn new(step_ms: i64, until: Option<Instant>) -> Trends {
        let step_ms = step_ms.max(1);
        Trends {
            step_ms,
            last: until.map(|until| number(until.plus_ms(-1), step_ms)),
            until,
            by: Default::default(),
            refused: FxHashMap::default(),
        }
    }

    /// Takes in a change. Walsenders have no trend, nor has what has no pid.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at else { return };
        match &change.what {
            What::Opened(session) => self.add(session, at, 1),
            What::TakenBack(session) => self.add(session, session.opened_at().unwrap_or(at), -1),
            What::Closed(session) => {
                if !session.was_seen_to_open() {
                    self.add(session, session.session_start.unwrap_or(at), 1);
                }
                self.add(session, at, -1);
            }
            What::Refused(refusal) => {
                if let Some(Place::At(place)) = self.place(at) {
                    self.refused.entry(refusal.reason).or_default()[place] += 1;
                }
            }
            What::Probe(_) | What::Server(..) => {}
        }
    }

    /// Time went on to here, though nothing happened.
    pub fn advance(&mut self, now: Instant) {
        if self.until.is_none() {
            self.reach(number(now, self.step_ms));
        }
    }

    fn add(&mut self, session: &Session, at: Instant, n: i64) {
        if session.walsender || session.pid.is_none() {
            return;
        }
        let Some(place) = self.place(at) else { return };
        for dimension in Dimension::ALL {
            let rows = &mut self.by[dimension as usize];
            let id = session.name(dimension).0 as usize;
            if id >= rows.len() {
                rows.resize(id + 1, Steps::default());
            }
            match place {
                Place::Before => rows[id].before += n,
                Place::At(place) => rows[id].steps[place] += n,
            }
        }
    }

    /// Where what happens then is put; `None`: it does not count.
    fn place(&mut self, at: Instant) -> Option<Place> {
        let number = number(at, self.step_ms);
        match self.until {
            Some(until) if at >= until => return None,
            Some(_) => {}
            None => self.reach(number),
        }
        let behind = self.last? - number;
        match usize::try_from(behind) {
            Err(_) => None,
            Ok(behind) if behind >= TREND => Some(Place::Before),
            Ok(behind) => Some(Place::At(TREND - 1 - behind)),
        }
    }

    /// The last instant is at least this one.
    fn reach(&mut self, number: i64) {
        let last = *self.last.get_or_insert(number);
        if number <= last {
            return;
        }
        let by = ((number - last) as usize).min(TREND);
        for row in self.by.iter_mut().flatten() {
            row.before += row.steps[..by].iter().sum::<i64>();
            row.steps.copy_within(by.., 0);
            row.steps[TREND - by..].fill(0);
        }
        for trend in self.refused.values_mut() {
            trend.copy_within(by.., 0);
            trend[TREND - by..].fill(0);
        }
        self.last = Some(number);
    }

    /// The trends of all names of a dimension of which some session was open, by their texts.
    pub fn of(&self, dimension: Dimension, names: &Names) -> FxHashMap<Box<[u8]>, Trend> {
        let rows = self.by[dimension as usize].iter().enumerate();
        let trends = rows.filter_map(|(id, row)| {
            let trend = row.trend();
            let text = || names.text_of(dimension, NameId(id as u32)).into();
            trend.iter().any(|&n| n > 0).then(|| (text(), trend))
        });
        trends.collect()
    }

    /// How many were refused for this reason up to each instant since the one before.
    pub fn refused(&self, reason: RefusalReason) -> Trend {
        self.refused.get(&reason).copied().unwrap_or_default()
    }
}

impl Steps {
    fn trend(&self) -> Trend {
        let mut open = self.before;
        self.steps.map(|step| {
            open += step;
            open.max(0) as u64
        })
    }
}

/// Where a change is put.
#[derive(Clone, Copy)]
enum Place {
    /// Before the first instant.
    Before,
    /// After the instant before, up to this one.
    At(usize),
}

/// The number of the first instant that is not before `at`.
fn number(at: Instant, step_ms: i64) -> i64 {
    -(-at.0).div_euclid(step_ms)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::session::ServerId;

    fn opened(names: &mut Names, at: i64) -> Session {
        Session {
            database: Some(names.name(Dimension::Database, b"shop")),
            authorized_at: Some(Instant(at)),
            session_start: Some(Instant(at)),
            ..Session::new(ServerId(0), Some(1), None)
        }
    }

    fn change(at: i64, what: What) -> Change {
        Change {
            at: Some(Instant(at)),
            what,
            message: Box::default(),
        }
    }

    fn shop(trends: &Trends, names: &Names) -> Option<Trend> {
        trends
            .of(Dimension::Database, names)
            .get(&b"shop"[..])
            .copied()
    }

    #[test]
    fn a_session_counts_at_each_instant_from_its_opening_to_its_end() {
        let mut names = Names::default();
        let seen = opened(&mut names, 55);
        let unseen = Session {
            authorized_at: None,
            session_start: Some(Instant(-500)),
            ..opened(&mut names, 0)
        };
        for until in [Some(Instant(121)), None] {
            let mut trends = Trends::new(10, until);
            trends.observe(&change(55, What::Opened(Rc::new(seen.clone()))));
            trends.observe(&change(90, What::Closed(Rc::new(seen.clone()))));
            trends.observe(&change(120, What::Closed(Rc::new(unseen.clone()))));
            // Instants 10, 20, … 120: the one from 55 to 90 is there at 60, 70 and 80.
            let expected = [1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 0];
            assert_eq!(shop(&trends, &names), Some(expected), "{until:?}");
        }
    }

    #[test]
    fn what_comes_after_the_end_does_not_count_and_else_time_goes_on() {
        let mut names = Names::default();
        let session = Rc::new(opened(&mut names, 100));
        // The last step of it is the same.
        let mut fixed = Trends::new(10, Some(Instant(95)));
        fixed.observe(&change(100, What::Opened(session.clone())));
        assert_eq!(shop(&fixed, &names), None);
        let mut moving = Trends::new(10, None);
        moving.observe(&change(100, What::Opened(session)));
        moving.advance(Instant(120));
        assert_eq!(
            shop(&moving, &names),
            Some([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
        );
        moving.advance(Instant(10_000));
        assert_eq!(shop(&moving, &names), Some([1; TREND]));
    }
}
