//! One server's events written in two formats: read once, from jsonlog, then csvlog, then stderr.
//!
//! # How this works
//!
//! Two files of different formats hold the same events when the first 20 pairs of time and pid
//! that one of them has in the time of both are all in the other. Names and directories do not
//! count; files of two servers that turn out to be alike make them one server.
//!
//! ```text
//! postgresql.csv     ├──────────── read ────────────┤
//! postgresql.log  ├──┼───────── skipped ────────────┼── read ──┤
//! ```
//!
//! The structured file is asked first: its records cannot be forged by a newline in a name. The
//! other direction is tried next, for a text log that was cut down to some lines.
//!
//! A file is skipped for the time from the first to the last record of each file that holds its
//! events. Between two rotated files of the other format it is skipped too when it has no record
//! there. Times are compared as printed: `%n` equals the others in UTC only.

mod partly;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;

use pgcensus_log::format::{self, Format};

use super::file::LogFile;
use super::section::OpenSection;
use super::{LeftOut, ServerInput, compressed};

/// So many pairs are looked for.
const PAIRS: usize = 20;
/// Records of different processes may be out of order by so much.
const DISORDER_MS: i64 = 2000;
/// A file may be longer than its twin by so much that was written between our two looks at them.
const GROWTH_MS: i64 = 5000;
/// So many pairs of files under different servers are compared.
const STRANGERS_MAX: usize = 2000;
/// A part of a file in which records are looked for.
const PART: usize = 256 << 10;
/// A record that is longer than this is passed over.
const PART_MAX: usize = 4 << 20;

/// When a record was logged and by whom; of one format also how its first line ends, which differs where a server's lines
/// are divided among files, by severity say: in one second a client connects and is refused.
type Pair = (i64, Option<u32>, u64);

/// So much of the end of a line is compared: whoever wrote it twice may have put two stamps before it.
const LINE_END: usize = 64;

/// What looking for the pairs of one file in the other came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// They hold the same events.
    Same,
    /// They do not.
    Different,
    /// There are too few records in the time of both.
    TooFew,
}

/// Leaves out what another file of the same server holds in a preferred format.
pub(super) fn leave_out(servers: &mut Vec<ServerInput>, left_out: &mut Vec<LeftOut>) {
    unite(servers);
    for server in servers.iter_mut() {
        partly::leave_out(server, left_out);
        let best = server.files.iter().map(rank).max();
        if server.files.iter().all(|file| Some(rank(file)) == best) {
            continue;
        }
        for file in &mut server.files {
            // Reads a compressed file whole, once; comparing without its end would do so for each pair.
            file.last = file.last_time(&Arc::default()).unwrap_or_default();
        }
        let covers = covers(&server.files);
        let mut kept = Vec::new();
        let files = std::mem::take(&mut server.files);
        for (mut file, mut covers) in files.into_iter().zip(covers) {
            let (Some(first), false) = (file.first.as_ref(), covers.is_empty()) else {
                kept.push(file);
                continue;
            };
            let first = first.wall_ms;
            let last = last_ms(&file).unwrap_or(i64::MAX);
            let all = |ranges: &[(i64, i64)]| matches!(ranges, [(begin, end)] if *begin <= first && last <= *end);
            let mut ranges = merged(&file, &covers);
            // Jsonlog alone is named where csvlog holds the same and is left out itself.
            let best = covers.iter().map(|cover| cover.rank).max();
            let of_best = covers.iter().filter(|cover| Some(cover.rank) == best);
            let of_best: Vec<_> = of_best.cloned().collect();
            let ranges_of_best = merged(&file, &of_best);
            if all(&ranges_of_best) || ranges_of_best == ranges {
                (covers, ranges) = (of_best, ranges_of_best);
            }
            let all = all(&ranges);
            let by = names(&covers);
            let mut left = LeftOut {
                path: file.display.clone(),
                server: Some(server.name.clone()),
                what: format!("the same events as in {by}"),
            };
            if !all {
                left.what.insert_str(0, "in part ");
                left.what.push_str(", where they overlap");
                file.skip.append(&mut ranges);
                file.skip = merge_ranges(file.skip);
                kept.push(file);
            }
            left_out.push(left);
        }
        server.files = kept;
    }
    servers.retain(|server| !server.files.is_empty());
}

/// A file that holds the events of another one, and the time for which it does.
#[derive(Clone)]
struct Cover {
    display: String,
    rank: u8,
    range: (i64, i64),
}

fn names(covers: &[Cover]) -> String {
    match covers {
        [] => String::new(),
        [one] => one.display.clone(),
        [first, .., last] => format!(
            "{} to {} ({} files)",
            first.display,
            last.display,
            covers.len()
        ),
    }
}

/// Makes one server of those whose logs hold the same events in different formats.
fn unite(servers: &mut Vec<ServerInput>) {
    let mut compared = 0;
    let mut low = 0;
    while low < servers.len() {
        let twin = (0..servers.len())
            .filter(|&high| high != low)
            .find(|&high| are_one(&servers[low], &servers[high], &mut compared));
        match twin {
            Some(high) => {
                let files = std::mem::take(&mut servers[low].files);
                servers[high].files.extend(files);
                servers.remove(low);
            }
            None => low += 1,
        }
    }
}

/// Whether `low` has a format whose events `high` has in a preferred one, and has that itself not.
fn are_one(low: &ServerInput, high: &ServerInput, compared: &mut usize) -> bool {
    let own_best = low.files.iter().map(rank).max();
    if high.files.iter().map(rank).max() <= own_best {
        return false;
    }
    for file in &low.files {
        if Some(rank(file)) != own_best {
            continue;
        }
        for other in &high.files {
            if rank(other) <= rank(file) || !may_overlap(file, other) {
                continue;
            }
            *compared += 1;
            if *compared > STRANGERS_MAX {
                return false;
            }
            if evidence(file, other).unwrap_or(Evidence::Different) == Evidence::Same {
                return true;
            }
        }
    }
    false
}

/// The files of a server by their first time: looking at every pair of ten thousand would take seconds.
struct ByTime {
    /// First time and place among the files.
    firsts: Vec<(i64, usize)>,
    /// The latest time that this file or one before it may reach.
    ends: Vec<i64>,
}

impl ByTime {
    fn new(files: &[LogFile]) -> ByTime {
        let first = |(i, file): (usize, &LogFile)| Some((file.first.as_ref()?.wall_ms, i));
        let mut firsts: Vec<_> = files.iter().enumerate().filter_map(first).collect();
        firsts.sort_unstable();
        let mut latest = i64::MIN;
        let ends = firsts.iter().map(|&(_, i)| {
            latest = latest.max(end_ms(&files[i]));
            latest
        });
        ByTime {
            ends: ends.collect(),
            firsts,
        }
    }

    /// Those that may share a time with `file`, in the order of the files, and perhaps some more.
    fn around<'f>(&self, files: &'f [LogFile], file: &LogFile) -> Vec<&'f LogFile> {
        let Some(begin) = file.first.as_ref().map(|first| first.wall_ms) else {
            return Vec::new();
        };
        let end = end_ms(file);
        let from = self.ends.partition_point(|&latest| latest < begin);
        let to = self.firsts.partition_point(|&(first, _)| first <= end);
        let mut places: Vec<_> = self.firsts[from.min(to)..to].iter().collect();
        places.sort_unstable_by_key(|(_, i)| *i);
        places.into_iter().map(|(_, i)| &files[*i]).collect()
    }
}

/// For each file those that hold its events in a preferred format, in order of time.
fn covers(files: &[LogFile]) -> Vec<Vec<Cover>> {
    // Which formats of this server are alike, from the files that are large enough to tell.
    let mut alike = HashSet::new();
    let by_time = ByTime::new(files);
    let mut found: Vec<Vec<(&LogFile, Evidence)>> = Vec::with_capacity(files.len());
    for file in files {
        let mut of_file = Vec::new();
        for other in by_time.around(files, file) {
            if rank(other) <= rank(file) || !may_overlap(file, other) {
                continue;
            }
            let evidence = evidence(file, other).unwrap_or(Evidence::Different);
            if evidence == Evidence::Same {
                alike.insert((rank(file), rank(other)));
            }
            of_file.push((other, evidence));
        }
        found.push(of_file);
    }
    let covers = files.iter().zip(found).map(|(file, found)| {
        let mut covers: Vec<Cover> = found
            .into_iter()
            .filter(|(other, evidence)| match evidence {
                Evidence::Same => true,
                Evidence::TooFew => alike.contains(&(rank(file), rank(other))),
                Evidence::Different => false,
            })
            .filter_map(|(other, _)| {
                Some(Cover {
                    display: other.display.clone(),
                    rank: rank(other),
                    range: (other.first.as_ref()?.wall_ms, last_ms(other)?),
                })
            })
            .filter(|cover| {
                let (begin, end) = printed(cover.range, file);
                let first = file.first.as_ref().map_or(i64::MAX, |first| first.wall_ms);
                first <= end && last_ms(file).unwrap_or(i64::MAX) >= begin
            })
            .collect();
        covers.sort_by_key(|cover| cover.range);
        covers
    });
    covers.collect()
}

/// Which of two formats is read: the higher one.
fn rank(file: &LogFile) -> u8 {
    match file.format {
        // Of what cannot be read, no other file is a second copy.
        _ if file.is_malformed => 0,
        Format::Stderr(_) => 0,
        Format::Csvlog => 1,
        Format::Jsonlog => 2,
    }
}

fn last_ms(file: &LogFile) -> Option<i64> {
    Some(file.last.as_ref()?.wall_ms)
}

/// Whether the times of two files have something in common, as far as they are known.
fn may_overlap(a: &LogFile, b: &LogFile) -> bool {
    let (Some(first_a), Some(first_b)) = (&a.first, &b.first) else {
        return false;
    };
    let files = a.section().is_some() && b.section().is_some();
    files && end_ms(a) >= first_b.wall_ms && end_ms(b) >= first_a.wall_ms
}

/// The time that a file may reach: its last one may be printed in whole seconds.
fn end_ms(file: &LogFile) -> i64 {
    last_ms(file).map_or(i64::MAX, |last| last + 999)
}

/// Whether `low` holds the events of `high`, which is in a preferred format.
fn evidence(low: &LogFile, high: &LogFile) -> io::Result<Evidence> {
    let (Some(first_low), Some(first_high)) = (&low.first, &high.first) else {
        return Ok(Evidence::TooFew);
    };
    let begin = first_low.wall_ms.max(first_high.wall_ms);
    let with_ms = low.has_ms && high.has_ms;
    let unit = if with_ms { 1 } else { 1000 };
    let both_ways = look_for(high, low, begin, unit, line_of_no_format)?;
    if both_ways != Evidence::Different {
        return Ok(both_ways);
    }
    look_for(low, high, begin, unit, line_of_no_format)
}

/// Looks for the first pairs of `asked` from `begin` on in `other`. Times are rounded down to
/// `unit` milliseconds, and lines are known by `line`.
fn look_for(
    asked: &LogFile,
    other: &LogFile,
    begin: i64,
    unit: i64,
    line: fn(&[u8]) -> u64,
) -> io::Result<Evidence> {
    let begin = begin - begin.rem_euclid(unit);
    let mut pairs: Vec<Pair> = Vec::new();
    each_pair(asked, begin, |time, pid, text| {
        let pair = (time - time.rem_euclid(unit), pid, line(text));
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
        if pairs.len() < PAIRS {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    let Some(end) = pairs.iter().map(|(time, ..)| *time).max() else {
        return Ok(Evidence::TooFew);
    };
    let mut there = HashSet::new();
    let mut times = (i64::MAX, i64::MIN);
    let mut has_pid = false;
    each_pair(other, begin, |time, pid, text| {
        let time = time - time.rem_euclid(unit);
        times = (times.0.min(time), times.1.max(time));
        has_pid |= pid.is_some();
        there.insert((time, pid, line(text)));
        if time <= end + DISORDER_MS {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    // Times alone say little where they are coarse.
    let by_pid = has_pid && pairs.iter().any(|(_, pid, _)| pid.is_some());
    let least = match (by_pid, unit) {
        (true, 1) => 2,
        (true, _) => 3,
        (false, 1) => 5,
        (false, _) => return Ok(Evidence::TooFew),
    };
    if !by_pid {
        there = there
            .iter()
            .map(|&(time, _, line)| (time, None, line))
            .collect();
        for pair in &mut pairs {
            pair.1 = None;
        }
        pairs.dedup();
    }
    let (mut found, mut missing) = (0, false);
    for pair in &pairs {
        if there.contains(pair) {
            found += 1;
        } else if pair.0 > times.0 && pair.0 < times.1 {
            missing = true;
        }
        // At the very edges, and past them, rotation may have cut.
    }
    Ok(if missing {
        Evidence::Different
    } else if found < least {
        Evidence::TooFew
    } else {
        Evidence::Same
    })
}

/// The time ranges of the covers as `file` prints times, joined where it has nothing between.
fn merged(file: &LogFile, covers: &[Cover]) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for cover in covers {
        let (begin, end) = printed(cover.range, file);
        match ranges.last_mut() {
            Some(before) if begin <= before.1 || !has_record(file, before.1 + 1, begin) => {
                before.1 = before.1.max(end);
            }
            _ => ranges.push((begin, end)),
        }
    }
    // Both are still being written: what comes after our look at them is in both.
    if let (Some(last), Some(file_last)) = (ranges.last_mut(), last_ms(file))
        && file_last <= last.1 + GROWTH_MS
    {
        last.1 = i64::MAX;
    }
    ranges
}

/// A time range as a file prints times: perhaps in whole seconds.
fn printed((begin, end): (i64, i64), file: &LogFile) -> (i64, i64) {
    let unit = if file.has_ms { 1 } else { 1000 };
    (begin - begin.rem_euclid(unit), end - end.rem_euclid(unit))
}

/// Time ranges in order, those that touch joined.
fn merge_ranges(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.sort_unstable();
    ranges.dedup_by(|later, earlier| {
        let touch = later.0 <= earlier.1.saturating_add(1);
        if touch {
            earlier.1 = earlier.1.max(later.1);
        }
        touch
    });
    ranges
}

/// Whether a file has a record from `begin` until before `end`.
fn has_record(file: &LogFile, begin: i64, end: i64) -> bool {
    let mut has = false;
    let read = each_pair(file, begin, |time, _, _| {
        has |= time < end;
        if has || time > end + DISORDER_MS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    has || read.is_err()
}

/// Lines of two formats have nothing in common.
fn line_of_no_format(_: &[u8]) -> u64 {
    0
}

/// What a line ends with.
fn line_end(line: &[u8]) -> u64 {
    let line = line.trim_ascii_end();
    let end = &line[line.len().saturating_sub(LINE_END)..];
    let mut hasher = DefaultHasher::new();
    end.hash(&mut hasher);
    hasher.finish()
}

/// Calls `each` with time, pid and first line of the records of a file that are not before `from`, in the
/// file's order, until it breaks. A plain file is entered near that time, a compressed one is read
/// from its beginning; what is damaged ends there.
fn each_pair(
    file: &LogFile,
    from: i64,
    mut each: impl FnMut(i64, Option<u32>, &[u8]) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut reader: Box<dyn Read> = if file.is_plain() {
        let mut plain = file.open_section()?;
        let at = offset_before(&mut plain, &file.format, from - DISORDER_MS)?;
        plain.seek(SeekFrom::Start(at))?;
        Box::new(plain)
    } else {
        file.open()?
    };
    let mut part = Vec::new();
    let mut wanted = PART;
    loop {
        let len = part.len();
        let read = (&mut reader)
            .take((wanted - len) as u64)
            .read_to_end(&mut part);
        let at_end = match read {
            Ok(n) => len + n < wanted,
            Err(err) if compressed::damage(&err).is_some() => true,
            Err(err) => return Err(err),
        };
        // The last head may be of a record whose rest is not here yet: it comes again.
        let heads = format::heads(&file.format, &part, usize::MAX);
        let whole = if at_end {
            heads.len()
        } else {
            heads.len().saturating_sub(1)
        };
        for head in &heads[..whole] {
            let time = head.log_time.wall_ms;
            if time < from {
                continue;
            }
            let line = &part[head.offset..];
            let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
            if each(time, head.pid, line).is_break() {
                return Ok(());
            }
        }
        if at_end {
            return Ok(());
        }
        match heads.last().map(|head| head.offset) {
            Some(offset) if offset > 0 => {
                part.drain(..offset);
                wanted = PART.max(2 * part.len());
            }
            _ if wanted < PART_MAX => wanted *= 2,
            _ => {
                part.clear();
                wanted = PART;
            }
        }
    }
}

/// A place in a plain file before which all records are before `ms`, found by halving.
fn offset_before(file: &mut OpenSection, format: &Format, ms: i64) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.len()?);
    let mut part = Vec::new();
    while high - low > 2 * PART as u64 {
        let middle = low + (high - low) / 2;
        file.seek(SeekFrom::Start(middle))?;
        part.clear();
        file.take(PART as u64).read_to_end(&mut part)?;
        match format::heads(format, &part, 1).first() {
            Some(head) if head.log_time.wall_ms < ms => low = middle,
            _ => high = middle,
        }
    }
    Ok(low)
}
