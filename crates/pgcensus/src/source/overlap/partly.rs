//! Files of one server and one format whose stretches of time overlap: `all.log` beside the day that was cut out of it, two
//! halves that share an hour, a server's lines that rsyslog writes to two files. What stands in both is read once.
//!
//! ```text
//! all.log  ├────────── read ──────────┤        ├── read ──┤- skipped -┤
//! b.log             ├─ left out ──┤                    ├── skipped ┼──── read ────┤
//! ```
//!
//! How this works: each file is held against those that begin before it and reach beyond its first record, which of rotated
//! files none does by more than records are out of order. Where their records have the same time, pid and end of line, they are
//! parted at a time that lies within both, at which neither lacks a record; a file that the other covers is left out, and one
//! that holds a part of the other's records, what was filtered out of it, is skipped where they overlap. Logs that share
//! nothing but the time are both read.
//!
//! A compressed file is not looked into for what begins after it, since its end is not known without reading all of it.

use super::super::{LeftOut, ServerInput};
use super::{
    DISORDER_MS, Evidence, LogFile, last_ms, line_end, look_for, merge_ranges, printed, rank,
};
use std::cmp::Reverse;
use std::sync::Arc;

/// So many pairs of files of one server are compared; what is past it is read whole.
const COMPARED_MAX: usize = 2000;

/// Leaves out what another file of the same format holds.
pub(super) fn leave_out(server: &mut ServerInput, left_out: &mut Vec<LeftOut>) {
    let files = &mut server.files;
    let first = |file: &LogFile| file.first.as_ref().map(|first| first.wall_ms);
    let mut order: Vec<usize> = (0..files.len())
        .filter(|&i| first(&files[i]).is_some())
        .collect();
    order.sort_by_key(|&i| (first(&files[i]), Reverse(last_ms(&files[i]))));
    // Those that may reach beyond what comes next.
    let mut open: Vec<usize> = Vec::new();
    let mut is_left_out = vec![false; files.len()];
    let mut compared = 0;
    for later in order {
        let begin = first(&files[later]).unwrap_or(i64::MIN);
        let beyond = begin.saturating_add(DISORDER_MS);
        open.retain(|&i| last_ms(&files[i]).is_some_and(|last| beyond < last));
        let mut parted = Vec::new();
        for &earlier in &open {
            let (a, b) = (&files[earlier], &files[later]);
            compared += 1;
            if rank(a) == rank(b) && compared <= COMPARED_MAX {
                parted.extend(Parted::of(a, b).map(|parted| (earlier, parted)));
            }
        }
        // What one of them covers needs no part of others.
        if let Some(covered) = parted.iter().position(|(_, how)| *how == Parted::Covered) {
            parted = vec![parted.swap_remove(covered)];
        }
        for (earlier, how) in parted {
            let (mut of, mut by) = (later, earlier);
            match how {
                Parted::Covered => is_left_out[later] = true,
                Parted::At(time) => {
                    skip(&mut files[earlier], (time + 1, i64::MAX));
                    skip(&mut files[later], (i64::MIN, time));
                }
                Parted::Earlier(range) => {
                    skip(&mut files[earlier], range);
                    (of, by) = (earlier, later);
                }
                Parted::Later(range) => skip(&mut files[later], range),
            }
            let by = &files[by].display;
            left_out.push(LeftOut {
                path: files[of].display.clone(),
                server: Some(server.name.clone()),
                what: match how {
                    Parted::Covered => format!("the same events as in {by}"),
                    _ => format!("in part the same events as in {by}, where they overlap"),
                },
            });
        }
        if !is_left_out[later] {
            open.push(later);
        }
    }
    let mut left = is_left_out.into_iter();
    files.retain(|_| !left.next().unwrap_or(false));
}

/// How what stands in two files is read once.
#[derive(Debug, PartialEq, Eq)]
enum Parted {
    /// All of the later one is in the earlier one.
    Covered,
    /// The earlier one is read up to this time, the later one from there on.
    At(i64),
    /// One of them holds in this range a part of what the other has there.
    Earlier((i64, i64)),
    /// The same.
    Later((i64, i64)),
}

impl Parted {
    /// Of a file and one that begins in its time; `None`: both are read.
    fn of(earlier: &LogFile, later: &LogFile) -> Option<Parted> {
        let begin = later.first.as_ref()?.wall_ms;
        let earlier_end = last_ms(earlier)?;
        let unit = if earlier.has_ms && later.has_ms {
            1
        } else {
            1000
        };
        let is_in = |asked, other, from| {
            let found = look_for(asked, other, from, unit, line_end).unwrap_or(Evidence::Different);
            found == Evidence::Same
        };
        let later_is_in = is_in(later, earlier, begin);
        if !later_is_in && !is_in(earlier, later, begin) {
            return None;
        }
        // Now it is worth reading, if it is compressed.
        let later_end = later.last_time(&Arc::default()).ok()??.wall_ms;
        let end = earlier_end.min(later_end);
        // They may have been alike for a while.
        let middle = begin + (end - begin) / 2;
        let is_still_in = |asked, other| {
            let found =
                look_for(asked, other, middle, unit, line_end).unwrap_or(Evidence::Different);
            found != Evidence::Different
        };
        let later_is_in = later_is_in && is_still_in(later, earlier);
        let earlier_is_in = is_in(earlier, later, begin) && is_still_in(earlier, later);
        let rounded = |time: i64| time - time.rem_euclid(unit);
        let (first, last, time) = (rounded(begin), rounded(end), rounded(middle));
        match (later_is_in, earlier_is_in) {
            (true, _) if later_end <= earlier_end => Some(Parted::Covered),
            (true, true) if first < time && time < last => Some(Parted::At(time + unit - 1)),
            (true, _) => Some(Parted::Later(printed((begin, end), later))),
            (false, true) => Some(Parted::Earlier(printed((begin, end), earlier))),
            (false, false) => None,
        }
    }
}

/// Adds what is read elsewhere.
fn skip(file: &mut LogFile, range: (i64, i64)) {
    file.skip.push(range);
    file.skip = merge_ranges(std::mem::take(&mut file.skip));
}
