//! The same bytes twice: a file under two names, a copy, `pg.log` beside `pg.log.gz`, yesterday's
//! copy of a log that has grown since. They are read once.
//!
//! Copies share their first line; only files that do are compared. Two plain files are compared in
//! their first and last 64 KiB and at sixteen places between, anything compressed or in an envelope as a whole.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::file::{Kind, LogFile};
use super::section::OpenSection;
use super::{Found, LeftOut};

const BLOCK: u64 = 64 << 10;
const PLACES: u64 = 16;

/// How the bytes of two files relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    SameFile,
    SameContent,
    /// The second begins with all of the first.
    FirstInSecond,
    /// The first begins with all of the second.
    SecondInFirst,
    Nothing,
}

/// Leaves out all but one of the files with the same bytes.
pub(super) fn leave_out(found: Vec<Found>) -> (Vec<Found>, Vec<LeftOut>) {
    let mut alike = HashMap::<&[u8], Vec<usize>>::new();
    for (i, found) in found.iter().enumerate() {
        if found.file.section().is_some() {
            alike.entry(&found.file.first_line).or_default().push(i);
        }
    }
    let mut reasons: Vec<Option<String>> = found.iter().map(|_| None).collect();
    for group in alike.into_values() {
        for (n, &second) in group.iter().enumerate() {
            for &first in &group[..n] {
                if reasons[first].is_some() || reasons[second].is_some() {
                    continue;
                }
                let (a, b) = (&found[first].file, &found[second].file);
                let of = |other: &LogFile, what: &str| Some(format!("{what} {}", other.display));
                // A file that cannot be read again will say so when it is.
                let shared = match compare(a, b).unwrap_or(Shared::Nothing) {
                    shared if is_telling(&found[first], &found[second], shared) => shared,
                    _ => Shared::Nothing,
                };
                match shared {
                    Shared::SameFile => reasons[second] = of(a, "the same file as"),
                    Shared::SameContent => reasons[second] = of(a, "the same content as"),
                    Shared::SecondInFirst => reasons[second] = of(a, "a copy of the beginning of"),
                    Shared::FirstInSecond => reasons[first] = of(b, "a copy of the beginning of"),
                    Shared::Nothing => {}
                }
            }
        }
    }
    let mut kept = Vec::new();
    let mut left_out = Vec::new();
    for (found, reason) in found.into_iter().zip(reasons) {
        match reason {
            Some(what) => left_out.push(LeftOut {
                path: found.file.display,
                server: Some(found.server),
                what,
            }),
            None => kept.push(found),
        }
    }
    (kept, left_out)
}

fn compare(a: &LogFile, b: &LogFile) -> io::Result<Shared> {
    if let (Kind::File(a), Kind::File(b)) = (&a.kind, &b.kind)
        && same_file::is_same_file(a, b)?
    {
        return Ok(Shared::SameFile);
    }
    if a.is_plain() && b.is_plain() {
        compare_plain(a.open_section()?, b.open_section()?)
    } else {
        compare_streams(a.open_as_written()?, b.open_as_written()?)
    }
}

/// Whether equal bytes tell that two files are copies. Without times, the first lines of two
/// servers are equal often enough; four kilobytes hold ports and session times.
fn is_telling(a: &Found, b: &Found, shared: Shared) -> bool {
    let timeless = a.file.first.is_none() || b.file.first.is_none();
    match shared {
        Shared::SameFile | Shared::Nothing => true,
        Shared::SameContent => {
            !timeless || a.server == b.server || a.file.size.max(b.file.size) > Some(4096)
        }
        Shared::FirstInSecond | Shared::SecondInFirst => !timeless,
    }
}

fn compare_plain(mut a: OpenSection, mut b: OpenSection) -> io::Result<Shared> {
    let (len_a, len_b) = (a.len()?, b.len()?);
    let shorter = len_a.min(len_b);
    let end = shorter.saturating_sub(BLOCK);
    for place in 0..=PLACES {
        let at = (end / PLACES) * place + (end % PLACES) * place / PLACES;
        let block = |file: &mut OpenSection| {
            file.seek(SeekFrom::Start(at))?;
            let mut bytes = Vec::with_capacity(BLOCK as usize);
            file.take(BLOCK.min(shorter - at)).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        if block(&mut a)? != block(&mut b)? {
            return Ok(Shared::Nothing);
        }
    }
    Ok(match len_a.cmp(&len_b) {
        std::cmp::Ordering::Less => Shared::FirstInSecond,
        std::cmp::Ordering::Equal => Shared::SameContent,
        std::cmp::Ordering::Greater => Shared::SecondInFirst,
    })
}

fn compare_streams(mut a: impl Read, mut b: impl Read) -> io::Result<Shared> {
    // Damage ends a stream: what came before it may well be in the other file.
    let block = |reader: &mut dyn Read| {
        let mut bytes = Vec::with_capacity(BLOCK as usize);
        match reader.take(BLOCK).read_to_end(&mut bytes) {
            Err(err) if super::compressed::damage(&err).is_none() => Err(err),
            _ => Ok(bytes),
        }
    };
    loop {
        let (block_a, block_b) = (block(&mut a)?, block(&mut b)?);
        let len = block_a.len().min(block_b.len());
        if block_a[..len] != block_b[..len] {
            return Ok(Shared::Nothing);
        }
        if block_a.len() < block_b.len() {
            return Ok(Shared::FirstInSecond);
        }
        if block_a.len() > block_b.len() {
            return Ok(Shared::SecondInFirst);
        }
        if len == 0 {
            return Ok(Shared::SameContent);
        }
    }
}
