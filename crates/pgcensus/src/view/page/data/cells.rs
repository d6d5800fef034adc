//! The cells of a page: how often each thing happened in each bucket. Names that matter least are joined, so that a page stays
//! small whatever the log holds.

use std::cmp::Reverse;

use pgcensus_core::grid::{GridSnapshot, Kind, bin_ms};
use pgcensus_core::groups::Key;
use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, NameId, Names};

use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::Page;

/// Cells of names at most, some five bytes each; those of session times have the bound of the grid.
const CELLS_MAX: usize = 200_000;

/// Kinds of a page at most.
const KINDS_MAX: usize = 40_000;

/// So many names of each dimension are told apart; where that gives too many cells, fewer of the one that has most.
const NAMES_MAX: usize = 500;

/// What happened, when and how often.
#[derive(Serialize)]
pub(super) struct Cells {
    /// The names of each dimension, which `who` numbers.
    names: Texts,
    /// Server, database, user, application and client host of those who are told apart.
    who: Vec<[u32; 5]>,
    /// What happened: a word, then the number of `who`, then more.
    kinds: Vec<Value>,
    cells: Columns,
    /// The longest session time that ended in each bucket, in milliseconds; null: none did.
    longest: Vec<Option<u64>>,
    /// How many names of each dimension were joined to `(other)`.
    joined: [usize; 5],
}

#[derive(Default, Serialize)]
struct Texts {
    server: Vec<String>,
    database: Vec<String>,
    user: Vec<String>,
    application_name: Vec<String>,
    client_host: Vec<String>,
}

/// The cells in the order of buckets, then of kinds: `first` is where those of each bucket begin, `kind` how much more than that
/// of the one before in its bucket.
#[derive(Default, Serialize)]
struct Columns {
    first: Vec<usize>,
    kind: Vec<u32>,
    n: Vec<i32>,
}

/// The order of `who`.
const ORDER: [Dimension; 5] = [
    Dimension::Server,
    Dimension::Database,
    Dimension::User,
    Dimension::ApplicationName,
    Dimension::ClientHost,
];

impl Cells {
    pub(super) fn of(page: &Page<'_>) -> Cells {
        let starts: Vec<Instant> = page.history.buckets.iter().map(|b| b.start).collect();
        let ranks = Ranks::of(page.grid);
        let mut kept = ranks.names().map(|names| names.min(NAMES_MAX));
        let (kinds, cells) = loop {
            let found = sums(page.grid, &starts, |key| ranks.joined(key, &kept));
            let of_names = |kind: &Kind| kind.key().is_some();
            let cells = found.1.iter();
            let cells = cells.filter(|&&(_, kind, _)| of_names(&found.0[kind as usize]));
            let kinds = found.0.iter().filter(|kind| of_names(kind));
            let fits = kinds.count() <= KINDS_MAX && cells.count() <= CELLS_MAX;
            // Of servers there are as many as there are.
            let most = kept[1..].iter_mut().max().filter(|most| **most > 1);
            match most {
                Some(most) if !fits => *most = *most * 2 / 3,
                _ => break found,
            }
        };
        let names = ranks.names();
        let joined = std::array::from_fn(|at| names[at].saturating_sub(kept[at].max(1)));
        let mut columns = Columns::default();
        let mut last = 0;
        for (bucket, kind, n) in cells {
            if bucket >= columns.first.len() {
                columns.first.resize(bucket + 1, columns.kind.len());
                last = 0;
            }
            columns.kind.push(kind - last);
            columns.n.push(n);
            last = kind;
        }
        columns.first.resize(starts.len() + 1, columns.kind.len());
        let mut longest = vec![None; starts.len()];
        for &(at, ms) in &page.grid.longest {
            if let Some(bucket) = bucket(&starts, at) {
                longest[bucket] = longest[bucket].max(Some(ms));
            }
        }
        let mut told = Told::new(page.names);
        Cells {
            kinds: kinds.into_iter().map(|kind| told.kind(kind)).collect(),
            names: told.texts,
            who: told.who,
            cells: columns,
            longest,
            joined,
        }
    }
}

type Sums = (Vec<Kind>, Vec<(usize, u32, i32)>);

/// The cells of each bucket by kind, after some names were joined.
fn sums(grid: &GridSnapshot, starts: &[Instant], joined: impl Fn(Key) -> Key) -> Sums {
    let mut ids: FxHashMap<Kind, u32> = FxHashMap::default();
    let mut kinds = Vec::new();
    let mut id = |kind: &Kind| {
        let kind = kind.map(&joined);
        *ids.entry(kind).or_insert_with(|| {
            kinds.push(kind);
            kinds.len() as u32 - 1
        })
    };
    let mut order: Vec<usize> = (0..grid.kinds.len()).collect();
    // Neighbours are near each other, so that differences are small.
    order.sort_unstable_by_key(|&at| match grid.kinds[at] {
        Kind::Lasted(lasted) => (true, lasted.bin),
        _ => (false, None),
    });
    let mut new = vec![0; grid.kinds.len()];
    for at in order {
        new[at] = id(&grid.kinds[at]);
    }
    let cells = grid.cells.iter();
    let mut cells: Vec<(usize, u32, i32)> = cells
        .filter_map(|cell| Some((bucket(starts, cell.start)?, new[cell.kind as usize], cell.n)))
        .collect();
    cells.sort_unstable_by_key(|&(bucket, kind, _)| (bucket, kind));
    cells.dedup_by(|next, cell| {
        let is_same = (next.0, next.1) == (cell.0, cell.1);
        cell.2 += if is_same { next.2 } else { 0 };
        is_same
    });
    cells.retain(|cell| cell.2 != 0);
    (kinds, cells)
}

/// The bucket of a step; what lies before the first is of the first.
fn bucket(starts: &[Instant], at: Instant) -> Option<usize> {
    let next = starts.partition_point(|&start| start <= at);
    (!starts.is_empty()).then(|| next.saturating_sub(1))
}

/// How much each name is about.
struct Ranks {
    /// Its rank among those of its dimension, from 0.
    ranks: [FxHashMap<NameId, usize>; 5],
}

impl Ranks {
    fn of(grid: &GridSnapshot) -> Ranks {
        let mut counts: [FxHashMap<NameId, u64>; 5] = Default::default();
        for cell in &grid.cells {
            let Some(key) = grid.kinds[cell.kind as usize].key() else {
                continue;
            };
            for (counts, dimension) in counts.iter_mut().zip(ORDER) {
                *counts.entry(key.name(dimension)).or_default() += u64::from(cell.n.unsigned_abs());
            }
        }
        let ranks = counts.map(|counts| {
            let mut names: Vec<_> = counts.into_iter().collect();
            names.sort_unstable_by_key(|&(name, n)| (Reverse(n), name));
            let names = names.into_iter().enumerate();
            names.map(|(rank, (name, _))| (name, rank)).collect()
        });
        Ranks { ranks }
    }

    /// How many names each dimension has.
    fn names(&self) -> [usize; 5] {
        std::array::from_fn(|at| self.ranks[at].len())
    }

    /// Names past the first `kept` of their dimension are one.
    fn joined(&self, key: Key, kept: &[usize; 5]) -> Key {
        let name = |at: usize| {
            let name = key.name(ORDER[at]);
            let is_kept = self.ranks[at]
                .get(&name)
                .is_some_and(|&rank| rank < kept[at]);
            if is_kept { name } else { NameId::OTHER }
        };
        Key {
            server: key.server,
            database: name(1),
            user: name(2),
            application_name: name(3),
            client_host: name(4),
        }
    }
}

/// Names as the page numbers them.
struct Told<'n> {
    names: &'n Names,
    texts: Texts,
    ids: FxHashMap<(usize, NameId), u32>,
    who: Vec<[u32; 5]>,
    keys: FxHashMap<Key, usize>,
}

impl<'n> Told<'n> {
    fn new(names: &'n Names) -> Told<'n> {
        Told {
            names,
            texts: Texts::default(),
            ids: FxHashMap::default(),
            who: Vec::new(),
            keys: FxHashMap::default(),
        }
    }

    fn kind(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::There(key) => json!(["there", self.who(key)]),
            Kind::Opened(key) => json!(["opened", self.who(key)]),
            Kind::Closed(key, end) => json!(["closed", self.who(key), end.as_str()]),
            Kind::Refused(key, reason, is_retry) => {
                json!(["refused", self.who(key), reason.as_str(), is_retry])
            }
            Kind::Probe(key) => json!(["probe", self.who(key)]),
            Kind::Lasted(lasted) => json!(["lasted", null, lasted.class, lasted.bin.map(bin_ms)]),
        }
    }

    fn who(&mut self, key: Key) -> usize {
        if let Some(&id) = self.keys.get(&key) {
            return id;
        }
        let who = [0, 1, 2, 3, 4].map(|at| self.name(at, key.name(ORDER[at])));
        self.who.push(who);
        self.keys.insert(key, self.who.len() - 1);
        self.who.len() - 1
    }

    fn name(&mut self, at: usize, name: NameId) -> u32 {
        let texts = match ORDER[at] {
            Dimension::Server => &mut self.texts.server,
            Dimension::Database => &mut self.texts.database,
            Dimension::User => &mut self.texts.user,
            Dimension::ApplicationName => &mut self.texts.application_name,
            Dimension::ClientHost => &mut self.texts.client_host,
        };
        *self.ids.entry((at, name)).or_insert_with(|| {
            let text = self.names.text_of(ORDER[at], name);
            texts.push(String::from_utf8_lossy(text).into_owned());
            texts.len() as u32 - 1
        })
    }
}
