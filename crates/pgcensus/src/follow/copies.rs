//! Copies: what a file is by what it holds, whatever its name and inode. One that holds what was read of another goes on as
//! that, has the rest of it, or is left out; so nothing is told twice, and what was not read in time is found.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::followed::{self, Ended, Followed, Progress, Rest};
use super::{FileId, Follow, Happened, Tell, stat};
use crate::source::compressed::{self, MAGIC_MAX, Magic};

/// Files that ended and would be known again; beyond it those that ended first are forgotten.
const ENDED_MAX: usize = 4096;
/// Likewise files that were made empty.
const EMPTIED_MAX: usize = 64;
/// Files beside one that was made empty among which its copy is looked for; further ones are not.
const COPIES_MAX: usize = 1000;

/// What to do with a file whose first bytes are there.
pub(super) enum Verdict {
    New,
    /// Too few bytes to say.
    Wait,
    LeftOut(Option<&'static str>),
    /// It has all that was read of this one, in whose place it is.
    GoesOn(FileId),
    /// It is a copy of one that is gone or has been made empty since, read up to there.
    HasRestOf(Progress),
}

/// The program that undoes what begins like this.
fn compressed_by(head: &[u8]) -> Option<&'static str> {
    match compressed::sniff(head) {
        Magic::Plain => None,
        Magic::Known(compression) => Some(compression.name()),
        Magic::Foreign(name) => Some(name),
    }
}

impl Follow {
    /// Whether to begin a file with these first bytes.
    pub(super) fn judge(&self, followed: &Followed, first: &[u8]) -> io::Result<Verdict> {
        if followed.progress.position > 0 {
            return Ok(Verdict::New);
        }
        if let Some(program) = compressed_by(first) {
            return Ok(Verdict::LeftOut(Some(program)));
        }
        if first.len() < MAGIC_MAX && compressed::may_become_magic(first) {
            return Ok(Verdict::Wait);
        }
        let Some(file) = &followed.file else {
            return Ok(Verdict::Wait);
        };
        // Before others: an older copy of it may be among them.
        let mut emptied = self.emptied.iter();
        if let Some(gone) = emptied.find(|emptied| emptied.has_copy(file, first)) {
            return Ok(Verdict::HasRestOf(gone.clone()));
        }
        let len = file.metadata()?.len();
        for (&id, other) in &self.files {
            if !other.progress.may_be_copied(first) {
                continue;
            }
            let is_whole = len >= other.progress.position && other.progress.is_in(file)?;
            let is_replaced =
                other.is_away && other.left_out.is_none() && other.path == followed.path;
            if is_whole && is_replaced {
                return Ok(Verdict::GoesOn(id));
            }
            if is_whole || (len < other.progress.position && other.has_part(file, len)?) {
                return Ok(Verdict::LeftOut(None));
            }
        }
        let mut ended = self.ended.iter().map(|ended| &ended.progress);
        if let Some(gone) = ended.find(|ended| ended.has_copy(file, first)) {
            return Ok(Verdict::HasRestOf(gone.clone()));
        }
        Ok(Verdict::New)
    }

    /// A file has taken the place of another one that it holds: it is that one from now on.
    pub(super) fn go_on(&mut self, new: Followed, id: FileId) {
        let original = self.files.get_mut(&id).expect("found among them");
        self.identities.remove(&original.identity);
        self.identities.insert(new.identity, id);
        self.places[new.target.0].names.insert(new.path.clone(), id);
        original.identity = new.identity;
        original.path = new.path;
        original.file = new.file;
        original.is_away = false;
        original.has_more = true;
    }

    /// The copy of a file that was made empty: beside it, called like it, and with all that was read of it.
    pub(super) fn find_copy(&mut self, emptied: &Followed) -> Option<Rest> {
        if !emptied.progress.is_telling() {
            return None;
        }
        let canonical = emptied.path.canonicalize();
        let path = canonical.as_deref().unwrap_or(&emptied.path);
        let stem = path.file_stem()?.as_encoded_bytes();
        let entries = path.parent()?.read_dir().ok()?.filter_map(Result::ok);
        let alike = entries.filter(|e| e.file_name().as_encoded_bytes().starts_with(stem));
        let mut longest: Option<(PathBuf, File, stat::Stat)> = None;
        for entry in alike.take(COPIES_MAX) {
            let path = entry.path();
            let Ok(stat::Kind::File(stat)) = stat::at(&path) else {
                continue;
            };
            let is_long = stat.len >= emptied.progress.position
                && longest.as_ref().is_none_or(|(.., l)| l.len < stat.len);
            let other = self.identities.get(&stat.identity);
            // Another file that is followed, or that was found to be a copy; itself is not among them while it is read.
            let is_other = other
                .and_then(|id| self.files.get(id))
                .is_some_and(|other| other.has_begun);
            if !is_long || is_other || stat.identity == emptied.identity {
                continue;
            }
            let Ok(file) = stat::open(&path) else {
                continue;
            };
            if emptied.progress.is_in(&file).unwrap_or(false)
                && let Ok(Some(stat)) = stat::of(&file)
            {
                longest = Some((path, file, stat));
            }
        }
        let (path, file, stat) = longest?;
        self.was_told(&file, stat);
        Some(Rest {
            path,
            file,
            at: emptied.progress.position,
            end: stat.len,
        })
    }

    /// All of a file has been told as another one's.
    fn was_told(&mut self, file: &File, stat: stat::Stat) {
        let Ok(progress) = Progress::of(file, stat.len) else {
            return;
        };
        let followed = self.identities.get(&stat.identity);
        if let Some(followed) = followed.and_then(|id| self.files.get_mut(id)) {
            followed.progress = progress;
            followed.left_out = None;
            return;
        }
        let id = self.next_id();
        self.remember(Ended {
            id,
            inode: stat.identity.inode,
            progress,
            is_left_out: false,
        });
    }

    pub(super) fn remember(&mut self, ended: Ended) {
        self.ended.truncate(ENDED_MAX - 1);
        self.ended.push_front(ended);
    }

    pub(super) fn was_emptied(&mut self, progress: Progress) {
        self.emptied.truncate(EMPTIED_MAX - 1);
        self.emptied.push_front(progress);
    }
}

impl Followed {
    /// Whether another file is a copy of a part of it.
    fn has_part(&self, copy: &File, len: u64) -> io::Result<bool> {
        match &self.file {
            Some(file) => followed::is_part(copy, len, file),
            None if self.is_away => Ok(false),
            None => followed::is_part(copy, len, &stat::open(&self.path)?),
        }
    }
}

impl Rest {
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.end
    }

    /// Tells a piece of it; false: there is none left.
    pub(super) fn tell(
        &mut self,
        id: FileId,
        buffer: &mut [u8],
        tell: &mut Tell<'_>,
    ) -> io::Result<bool> {
        let len = buffer.len().min((self.end - self.at) as usize);
        let len = followed::read_full(&self.file, &mut buffer[..len], self.at)?;
        if len == 0 {
            return Ok(false);
        }
        let bytes = &buffer[..len];
        tell(Happened::Bytes { file: id, bytes });
        self.at += len as u64;
        Ok(true)
    }
}
