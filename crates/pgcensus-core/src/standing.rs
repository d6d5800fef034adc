//! Standing: how many sessions of each name are open, and how that was at one remembered instant: who was there, and
//! how each had grown in the minutes before.
//!
//! How this works. Sessions are counted by their group; how many have a name is summed up when somebody asks. Those that
//! are of no group ([`GroupId::REST`]) are counted by each of their names. The instant that matters, a peak, is known to matter only until the next one comes, and on a morning
//! ramp every session is one: so nothing is copied then. A name remembers what it counted at the last mark only when it
//! first changes after it. How it had grown is the sum of the steps (who came, who left) of the minutes before. These are
//! kept in a list, which is all that a change costs, and are added to their names when somebody asks, or when the list is
//! full: then those that are too old for any mark to come are dropped.
//!
//! A session that proves later to have been there, or not to have been, is a step at the time at which it opened.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::change::Refusal;
use crate::groups::GroupId;
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::Session;
use crate::snapshot::{By, Growth, Ranking};

/// How long before the mark growth begins. A pool that fills, a deploy, a storm are minutes; the tide of a day is not
/// growth.
pub const GREW_MS: i64 = 3 * 60_000;

/// Records of several backends are written a little out of order, so that a mark may be a little earlier than the last step.
const DISORDER_MS: i64 = 2_000;

/// Steps listed at most, a megabyte: at least 45 sessions a second for three minutes. Of more, those of one second and the same names are
/// joined, then those of two seconds and so on, and growth begins at a multiple of that.
const STEPS_MAX: usize = 32_768;

/// Steps are joined up to this length; where those are still too many, growth is not known until there are fewer.
const JOINED_MAX_MS: i64 = 64_000;

/// Sessions by name.
#[derive(Clone)]
pub(crate) struct Standing {
    /// By [`GroupId`].
    groups: Vec<NameCount>,
    /// Those that are in no group, by each of their names; and all refusals.
    by: [Vec<NameCount>; Dimension::ALL.len()],
    mark: Mark,
    /// Those of the last minutes and some before, in the order in which they became known.
    steps: Vec<Step>,
    /// Their times are multiples of this.
    joined_ms: i64,
    /// No step since then is missing.
    complete_since: Instant,
}

/// The instant that is remembered.
#[derive(Clone, Copy)]
struct Mark {
    /// The how-many-th it is.
    number: u32,
    at: Instant,
    /// From when on growth counts.
    since: Instant,
    /// So many of the listed steps became known before it, and are not yet added to their names.
    steps: usize,
    /// All steps since then were kept.
    is_complete: bool,
}

/// `n` sessions opened; negative: ended.
#[derive(Clone, Copy)]
struct Step {
    at: Instant,
    whose: Whose,
    n: i32,
}

/// Where a session is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Group(GroupId),
    Names([NameId; Dimension::ALL.len()]),
}

/// The counts of all names, summed up.
pub(crate) struct ByName {
    by: [Vec<NameCount>; Dimension::ALL.len()],
    mark: Mark,
}

/// One name.
#[derive(Clone, Copy, Default)]
pub(crate) struct NameCount {
    pub(crate) now: i64,
    pub(crate) connects: i64,
    pub(crate) refused: u64,
    pub(crate) at_mark: i64,
    /// By how much it had grown up to the mark, as far as the steps before it were added.
    pub(crate) grew: i32,
    /// The mark that these two are of; at a later one it was `now`.
    pub(crate) mark: u32,
}

impl Standing {
    /// Nobody is there.
    pub(crate) fn new() -> Standing {
        let never = Instant(i64::MIN);
        Standing {
            groups: Vec::new(),
            by: Default::default(),
            mark: Mark {
                number: 0,
                at: never,
                since: never,
                steps: 0,
                is_complete: true,
            },
            steps: Vec::new(),
            joined_ms: 1,
            complete_since: never,
        }
    }

    /// At `at`, `n` sessions with the names of this one opened or, negative, ended; of them `connects` count as such. `at` may
    /// be long ago, where that has only become known now.
    #[inline]
    pub(crate) fn add(&mut self, session: &Session, at: Instant, n: i64, connects: i64) {
        let whose = Whose::of(session);
        self.count(whose, |name| {
            name.now += n;
            name.connects += connects;
        });
        if n != 0 && at != Instant::UNKNOWN {
            self.step(at, whose, n as i32);
        }
    }

    /// Changes the counts of a session, after they were remembered if they have not changed since the mark.
    #[inline]
    fn count(&mut self, whose: Whose, change: impl Fn(&mut NameCount)) {
        let number = self.mark.number;
        let change = |name: &mut NameCount| {
            name.keep(number);
            change(name);
        };
        match whose {
            Whose::Group(group) => change(place(&mut self.groups, group.index())),
            Whose::Names(ids) => {
                for (names, id) in self.by.iter_mut().zip(ids) {
                    change(place(names, id.0 as usize));
                }
            }
        }
    }

    /// Lists a step, or adds it to the last one where that is listed as of the same time.
    #[inline]
    fn step(&mut self, at: Instant, whose: Whose, n: i32) {
        if let Some(last) = self.steps[self.mark.steps..].last_mut()
            && last.whose == whose
            && (last.at..last.at.plus_ms(self.joined_ms)).contains(&at)
        {
            last.n += n;
            return;
        }
        if self.steps.len() >= STEPS_MAX {
            self.sweep();
        }
        let at = floor(at, self.joined_ms);
        self.steps.push(Step { at, whose, n });
    }

    /// A connection under these names was refused.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        for dimension in Dimension::ALL {
            let names = &mut self.by[dimension as usize];
            place(names, refusal.name(dimension).0 as usize).refused += 1;
        }
    }

    /// Remembers this instant, with all that was added so far, and no longer the one before. Growth counts from `first` on,
    /// where that is later than [`GREW_MS`] before.
    pub(crate) fn mark(&mut self, at: Instant, first: Option<Instant>) {
        let since = at.plus_ms(-GREW_MS);
        let since = first.map_or(since, |first| first.min(at).max(since));
        let since = floor(since, self.joined_ms);
        self.mark = Mark {
            number: self.mark.number.wrapping_add(1),
            at,
            since,
            steps: self.steps.len(),
            is_complete: since >= self.complete_since,
        };
    }

    /// It has become known that `n` sessions with these names opened at `opened` and were still there at the mark, or,
    /// negative, never were.
    pub(crate) fn was_at_mark(&mut self, session: &Session, opened: Instant, n: i64) {
        let grew = if opened >= self.mark.since {
            n as i32
        } else {
            0
        };
        self.count(Whose::of(session), |name| {
            name.at_mark += n;
            name.grew += grew;
        });
    }

    /// Room for more steps: those that no mark to come can reach are dropped.
    #[cold]
    fn sweep(&mut self) {
        self.settle();
        let latest = self.steps.iter().map(|step| step.at).max();
        let latest = latest.unwrap_or_default();
        let kept = latest.plus_ms(-GREW_MS - DISORDER_MS);
        self.steps.retain(|step| step.at >= kept);
        if self.steps.len() > STEPS_MAX / 2 {
            self.join(latest);
        }
    }

    /// A step from before the mark.
    fn grow(&mut self, step: Step) {
        if step.at >= self.mark.since {
            self.count(step.whose, |name| name.grew += step.n);
        }
    }

    /// Adds the steps before the mark to their names.
    fn settle(&mut self) {
        for i in 0..std::mem::take(&mut self.mark.steps) {
            self.grow(self.steps[i]);
        }
    }

    /// Too many steps: those of the same names and nearly the same time become one.
    fn join(&mut self, latest: Instant) {
        self.joined_ms = self.joined_ms.max(1_000);
        self.join_equal();
        while self.steps.len() > STEPS_MAX / 2 && self.joined_ms < JOINED_MAX_MS {
            self.joined_ms *= 2;
            self.join_equal();
        }
        if self.steps.len() > STEPS_MAX / 2 {
            self.steps.clear();
            self.complete_since = latest.plus_ms(1);
        }
    }

    fn join_equal(&mut self) {
        let mut sums: HashMap<_, i32, FxBuildHasher> = HashMap::default();
        let joined_ms = self.joined_ms;
        for step in &self.steps {
            *sums
                .entry((floor(step.at, joined_ms), step.whose))
                .or_default() += step.n;
        }
        self.steps.clear();
        let sums = sums.into_iter().filter(|&(_, n)| n != 0);
        self.steps
            .extend(sums.map(|((at, whose), n)| Step { at, whose, n }));
    }

    /// The counts of all names.
    pub(crate) fn by_name(&mut self, names: &Names) -> ByName {
        self.settle();
        let mut by = self.by.clone();
        let number = self.mark.number;
        by.iter_mut().flatten().for_each(|name| name.keep(number));
        for (id, group) in (0..).map(GroupId).zip(&mut self.groups) {
            let Some(key) = names.groups.key(id) else {
                continue;
            };
            group.keep(number);
            for dimension in Dimension::ALL {
                let names = &mut by[dimension as usize];
                place(names, key.name(dimension).0 as usize).and(group);
            }
        }
        ByName {
            by,
            mark: self.mark,
        }
    }
}

impl ByName {
    /// That of a name.
    pub(crate) fn get(&self, dimension: Dimension, id: NameId) -> NameCount {
        let name = self.by[dimension as usize].get(id.0 as usize);
        name.copied().unwrap_or_default()
    }

    /// The names of each dimension by a count of them, the largest first.
    pub(crate) fn ranking(&self, names: &Names, count: impl Fn(&NameCount) -> i64) -> By {
        Dimension::ALL.map(|dimension| {
            let ranked = self.ranked(names, dimension, |name| (count(name), 0));
            ranked
                .into_iter()
                .map(|(name, (n, _))| (name, n as u64))
                .collect()
        })
    }

    /// By how much all together had grown, also those of whom nobody is left.
    fn grew(&self) -> i64 {
        let names = self.by[Dimension::Database as usize].iter();
        names.map(|name| i64::from(name.grew)).sum()
    }

    /// Who was there at the mark, and by how much each of them had grown; `None`: that is not known.
    pub(crate) fn at_mark(&self, names: &Names) -> (By, Option<Growth>) {
        let ranked = Dimension::ALL.map(|dimension| {
            self.ranked(names, dimension, |name| {
                (name.at_mark, i64::from(name.grew))
            })
        });
        let by = ranked.each_ref().map(|rows| -> Ranking {
            rows.iter()
                .map(|(name, (n, _))| (name.clone(), *n as u64))
                .collect()
        });
        let growth = Growth {
            since: self.mark.since,
            count: self.grew(),
            by: ranked.map(|rows| {
                rows.into_iter()
                    .map(|(name, (_, grew))| (name, grew))
                    .collect()
            }),
        };
        let is_known = self.mark.is_complete && self.mark.since < self.mark.at;
        (by, Some(growth).filter(|_| is_known))
    }

    /// The names of a dimension whose first number is more than 0, the largest first, ties by bytes.
    fn ranked(
        &self,
        names: &Names,
        dimension: Dimension,
        numbers: impl Fn(&NameCount) -> (i64, i64),
    ) -> Vec<(Box<[u8]>, (i64, i64))> {
        let counts = self.by[dimension as usize].iter().enumerate();
        let counts = counts.map(|(id, name)| (NameId(id as u32), numbers(name)));
        let mut ranked: Vec<(Box<[u8]>, _)> = counts
            .filter(|&(_, (n, _))| n > 0)
            .map(|(id, numbers)| (names.text_of(dimension, id).into(), numbers))
            .collect();
        ranked.sort_by(|(a, (n, _)), (b, (m, _))| m.cmp(n).then_with(|| a.cmp(b)));
        // A role may really be called `unknown`: its sessions and those without a name share a row.
        ranked.dedup_by(|(b, m), (a, n)| {
            a == b && {
                *n = (n.0 + m.0, n.1 + m.1);
                true
            }
        });
        ranked
    }
}

impl Whose {
    #[inline]
    fn of(session: &Session) -> Whose {
        match session.group {
            GroupId::REST => Whose::Names(Dimension::ALL.map(|dimension| session.name(dimension))),
            group => Whose::Group(group),
        }
    }
}

/// That of a number, in a list that becomes as long as it must.
#[inline]
fn place(counts: &mut Vec<NameCount>, at: usize) -> &mut NameCount {
    if at >= counts.len() {
        counts.resize(at + 1, NameCount::default());
    }
    &mut counts[at]
}

impl NameCount {
    /// Adds those of others.
    fn and(&mut self, other: &NameCount) {
        self.now += other.now;
        self.connects += other.connects;
        self.refused += other.refused;
        self.at_mark += other.at_mark;
        self.grew += other.grew;
    }

    /// Before its first change after a mark: remembers what it was there.
    fn keep(&mut self, mark: u32) {
        if self.mark != mark {
            self.mark = mark;
            self.at_mark = self.now;
            self.grew = 0;
        }
    }
}

/// The multiple of `joined_ms` that is not after it.
fn floor(at: Instant, joined_ms: i64) -> Instant {
    Instant(at.0.saturating_sub(at.0.rem_euclid(joined_ms)))
}
