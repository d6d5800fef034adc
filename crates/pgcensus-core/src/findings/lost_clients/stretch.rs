//! The stretch in which an application lost more of its clients than before it.
//!
//! ```text
//! buckets with such an end   …│ 1 of 40 │ … │ 9 of 44 │ 12 of 41 │ 8 of 39 │   lost of all ends
//!                               before       └──────── the stretch ─────────┘   after
//! ```
//!
//! How this works: where sessions of twice the share before are to be found, each lost one speaks for it and each other
//! one against, both by the logarithm of how much likelier it is; the stretch with the largest sum begins where
//! the trouble began, however seldom sessions end (Kadane's algorithm, once through for each share). Shares
//! are tried in steps, and of what they give that is kept of which chance is the least likely reason.

use std::ops::RangeInclusive;

use crate::instant::Instant;

/// So many ends: of fewer, a share of 5 % is one.
pub(super) const ENDS_MIN: u64 = 20;

/// This share of all ends: clients crash and laptops are closed, but not one in twenty.
pub(super) const SHARE: f64 = 0.05;

/// So many buckets with such an end are no single event.
pub(super) const BUCKETS_MIN: usize = 3;

/// So many times the share before; an application that never says goodbye is so from its first session on.
pub(super) const TIMES: f64 = 2.0;

/// So many ends are a share to compare with; whether they are enough for it is left to [`ODDS_MIN`].
const COMPARED_MIN: u64 = 20;

/// How much likelier two shares are than one, as a logarithm: chance gives this once in 160,000 stretches (e¹²), and a log
/// of months has some ten thousand of them to try.
const ODDS_MIN: f64 = 12.0;

/// Shares that are tried, each so many times the one before, from [`SHARE`] on: two steps are [`TIMES`].
const STEP: f64 = std::f64::consts::SQRT_2;

/// The largest of them; for what is near all ends, this is near enough.
const TRIED_MAX: f64 = 0.85;

/// A bucket with an end of one cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Which, counted from 1970.
    pub(super) number: i64,
    /// All ends of the application before it, and in it.
    pub(super) before: u64,
    pub(super) ends: u64,
    /// Of those in it, by this cause.
    pub(super) lost: u64,
    /// The first and the last of those.
    pub(super) first: Instant,
    pub(super) last: Instant,
}

/// What was too much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) ends: Ends,
    pub(super) buckets: usize,
    /// `None`: it was not asked for.
    pub(super) other: Option<Other>,
}

/// What the share is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Other {
    Before(f64),
    /// The log begins with the stretch.
    After(f64),
}

/// Ends of sessions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) all: u64,
    pub(super) lost: u64,
}

/// The stretch of these buckets with more than twice the share before it or, where there was too little before, after
/// it; of so many ends in all.
pub(super) fn worse(buckets: &[Bucket], all: u64) -> Option<Stretch> {
    let shares = std::iter::successors(Some(SHARE), |share| Some(share * STEP));
    let shares = shares.take_while(|share| *share < TRIED_MAX);
    let stretches = shares.filter_map(|share| heaviest(buckets, share));
    let compared = stretches.filter_map(|range| compared(buckets, range, all));
    let most = compared.max_by(|(a, _), (b, _)| a.total_cmp(b));
    most.map(|(_, stretch)| stretch)
}

/// The same, whatever the share before and after it is.
pub(super) fn many(buckets: &[Bucket]) -> Option<Stretch> {
    stretch(buckets, &heaviest(buckets, SHARE)?)
}

/// The buckets that speak the most for this share, against half of it.
fn heaviest(buckets: &[Bucket], share: f64) -> Option<RangeInclusive<usize>> {
    let less = share / TIMES;
    let (gain, cost) = ((share / less).ln(), ((1.0 - less) / (1.0 - share)).ln());
    let (mut sum, mut begin, mut last) = (0.0, 0, 0);
    let mut most = (0.0, None);
    for (i, bucket) in buckets.iter().enumerate() {
        sum -= bucket.before.saturating_sub(last) as f64 * cost;
        if sum <= 0.0 {
            (sum, begin) = (0.0, i);
        }
        sum += bucket.lost as f64 * gain - bucket.ends.saturating_sub(bucket.lost) as f64 * cost;
        last = bucket.before + bucket.ends;
        if sum > most.0 {
            most = (sum, Some(begin..=i));
        }
    }
    most.1
}

/// The stretch with how unlikely chance is as its reason; `None`: it is no more than before and after it.
fn compared(buckets: &[Bucket], range: RangeInclusive<usize>, all: u64) -> Option<(f64, Stretch)> {
    let found = stretch(buckets, &range)?;
    let lost = |buckets: &[Bucket]| buckets.iter().map(|bucket| bucket.lost).sum();
    let (first, last) = (&buckets[*range.start()], &buckets[*range.end()]);
    let before = Ends {
        all: first.before,
        lost: lost(&buckets[..*range.start()]),
    };
    let after = Ends {
        all: all.saturating_sub(last.before + last.ends),
        lost: lost(&buckets[*range.end() + 1..]),
    };
    let others = [
        (before, Other::Before(before.share())),
        (after, Other::After(after.share())),
    ];
    others.into_iter().find_map(|(ends, other)| {
        let is_more = ends.all >= COMPARED_MIN && found.ends.share() >= TIMES * ends.share();
        let odds = found.ends.odds(ends);
        (is_more && odds >= ODDS_MIN).then_some((
            odds,
            Stretch {
                other: Some(other),
                ..found
            },
        ))
    })
}

/// What lies in these buckets, if it is enough.
fn stretch(buckets: &[Bucket], range: &RangeInclusive<usize>) -> Option<Stretch> {
    let own = &buckets[range.clone()];
    let (first, last) = (own.first()?, own.last()?);
    let ends = Ends {
        all: (last.before + last.ends).saturating_sub(first.before),
        lost: own.iter().map(|bucket| bucket.lost).sum(),
    };
    let share = |bucket: &&Bucket| bucket.lost as f64 / bucket.ends.max(1) as f64;
    let bad = own.iter().filter(|bucket| share(bucket) >= SHARE).count();
    let is_enough = ends.lost >= ENDS_MIN && bad >= BUCKETS_MIN && ends.share() >= SHARE;
    is_enough.then_some(Stretch {
        since: first.first,
        until: last.last,
        ends,
        buckets: bad,
        other: None,
    })
}

impl Bucket {
    /// Takes in the next one, as if both were one.
    pub(super) fn add(&mut self, next: &Bucket) {
        self.ends = (next.before + next.ends).saturating_sub(self.before);
        self.lost += next.lost;
        self.last = next.last;
    }
}

impl Ends {
    pub(super) fn share(self) -> f64 {
        self.lost as f64 / self.all.max(1) as f64
    }

    /// How much likelier it is that both have a share of their own than that they have one, as a logarithm.
    fn odds(self, other: Ends) -> f64 {
        let both = Ends {
            all: self.all + other.all,
            lost: self.lost + other.lost,
        };
        self.likelihood() + other.likelihood() - both.likelihood()
    }

    /// That of its own share, as a logarithm.
    fn likelihood(self) -> f64 {
        let part = |n: u64| match n {
            0 => 0.0,
            n => n as f64 * (n as f64 / self.all as f64).ln(),
        };
        part(self.lost) + part(self.all.saturating_sub(self.lost))
    }
}
