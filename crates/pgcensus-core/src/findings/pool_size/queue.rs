//! A queue before some server connections: first come, first served.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::finding::Sentence;

/// Of so many arrivals one may wait for longer.
const OF: usize = 100;

/// The sessions of an hour; times in milliseconds since its begin.
pub(super) struct Queue {
    /// When those end that are there when it begins.
    there: Vec<u32>,
    /// When the others come and how long they stay.
    arrivals: Vec<(u32, u32)>,
    waits: Vec<u32>,
}

/// Who waited and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    pub(super) arrivals: u64,
    pub(super) waited: u64,
    /// One in a hundred waited longer.
    pub(super) p99_ms: u32,
    pub(super) max_ms: u32,
}

impl Queue {
    /// Of sessions that are there, by when they end, and that come, by begin and end.
    pub(super) fn new(mut there: Vec<u32>, mut sessions: Vec<(u32, u32)>) -> Queue {
        there.sort_unstable();
        sessions.sort_unstable();
        let stay = |(begin, end): (u32, u32)| (begin, end.saturating_sub(begin));
        Queue {
            there,
            arrivals: sessions.into_iter().map(stay).collect(),
            waits: Vec::new(),
        }
    }

    /// What so many server connections would have meant.
    fn run(&mut self, servers: u32) -> Waits {
        // When each connection is free; those who are there have them first, and wait for each other where they are too many.
        let mut free: BinaryHeap<Reverse<u32>> = (0..servers.max(1)).map(|_| Reverse(0)).collect();
        let mut serve = |from: u32, long: u32| {
            let Some(mut first) = free.peek_mut() else {
                return 0;
            };
            let begin = first.0.max(from);
            first.0 = begin.saturating_add(long);
            begin - from
        };
        for &long in &self.there {
            serve(0, long);
        }
        let waits = self.arrivals.iter().map(|&(from, long)| serve(from, long));
        self.waits.clear();
        self.waits.extend(waits);
        Waits::of(&mut self.waits)
    }
}

impl Waits {
    fn of(waits: &mut [u32]) -> Waits {
        let longer = waits.len() / OF;
        let Some(at) = waits.len().checked_sub(longer + 1) else {
            return Waits::default();
        };
        Waits {
            arrivals: waits.len() as u64,
            waited: waits.iter().filter(|&&wait| wait > 0).count() as u64,
            max_ms: waits.iter().copied().max().unwrap_or_default(),
            p99_ms: *waits.select_nth_unstable(at).1,
        }
    }

    /// Which share waited at all.
    pub(super) fn share(&self) -> f64 {
        let share = self.waited as f64 / self.arrivals.max(1) as f64;
        (share * 1e4).round() / 1e4
    }

    /// `3.1 % would have waited, the longest 1.2 s, one in a hundred over 40 ms`
    pub(super) fn told(&self) -> Sentence {
        let waited = format!(
            "{:.1} % would have waited, the longest ",
            self.share() * 100.0
        );
        let said = Sentence::from("").text(waited).ms(self.max_ms.into());
        match self.p99_ms {
            0 => said,
            ms => said.text(", one in a hundred over ").ms(ms.into()),
        }
    }
}

/// The fewest server connections with which one in a hundred waits no longer than this in the worst of these hours; `enough`
/// are known to do.
pub(super) fn size(queues: &mut [Queue], enough: u32, wait_ms: u32) -> u32 {
    let (mut few, mut enough) = (0, enough.max(1));
    while enough - few > 1 {
        let half = few + (enough - few) / 2;
        let mut queues = queues.iter_mut();
        if queues.all(|queue| queue.run(half).p99_ms <= wait_ms) {
            enough = half;
        } else {
            few = half;
        }
    }
    enough
}

/// The waits in the worst of these hours.
pub(super) fn waits(queues: &mut [Queue], servers: u32) -> Waits {
    let runs = queues.iter_mut().map(|queue| queue.run(servers));
    runs.max_by_key(|waits| (waits.p99_ms, waits.max_ms))
        .unwrap_or_default()
}
