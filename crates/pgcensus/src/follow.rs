//! Logs that grow: which bytes are new, of which file, in which order, each once.
//!
//! ```text
//! postgresql.log    12 bytes more          Bytes { file 0 }
//!   → postgresql.log.1, and a new one      the rest of file 0, then Begins { file 1 }, Bytes { file 1 }
//!   it has grown, the old one has not      Ends { file 0 }
//! postgresql.log    made empty             Truncated { file 1 }, then Bytes { file 1 } from its first one
//! ```
//!
//! A look asks the system what is at each name, and reads on where it had stopped. It never waits: [`Waker`] says when
//! to look. What the bytes say is for others; here they are neither cut into lines nor undone.
//!
//! How bytes are told once and all of them. A file is its inode, which no other gets while it is open, and what was
//! read of it (`follow/followed.rs`), for it may have been made empty, or be another one after it was closed. One
//! whose name now leads elsewhere is read to its end before the next one begins, and further, since a server writes
//! to it until it is told to open its log anew. A copy (`cp`, logrotate's `copytruncate`) is left out, but for what had
//! not been read of the original when that was made empty. What takes a file's place and has all that was read of it
//! (`rsync`, editors) goes on as that file.
//!
//! What cannot be seen: a file that came and went between two looks; what was written between the last read and a
//! truncation where no copy was kept beside it; a file that was made empty and has, when it is looked at, the same
//! first and last bytes up to the old place. What is cut somewhere in its middle is told anew from its begin.

mod followed;
mod happened;
mod place;
mod stat;
#[cfg(test)]
mod tests;
mod touched;
mod waker;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::source::compressed::{self, MAGIC_MAX, Magic};
use followed::{Ended, Followed, Found, Progress, Rest};
pub(crate) use happened::{FileId, Happened, Target, TargetId, Trouble};
use place::Place;
use stat::Identity;
use touched::{Routes, Scope, Touched};
pub(crate) use waker::Waker;

/// What is read at a time; a piece that is handed out is no longer.
const PIECE: usize = if cfg!(test) { 400 } else { 256 << 10 };
/// Pieces of one file in one look; what is left waits for the next one, so that nobody is kept from being read.
const PIECES_MAX: usize = 16;
/// Open files of directories; beyond it, those that have been read to their end are closed, and opened again when they
/// grow.
const OPEN_MAX: usize = 256;
/// Looks at everything after which a file of a directory that does not grow is closed.
const REST_LOOKS: u32 = 60;
/// Looks at everything after which a file without a name ends that does not grow, while what came in its place does.
const AWAY_LOOKS: u32 = 10;
/// Likewise where nothing came in its place, or nothing is written there.
const FORSAKEN_LOOKS: u32 = 600;
/// Files without a name, of one target; beyond it those that went first end.
const AWAY_MAX: usize = 16;
/// Files that ended and would be known again; beyond it those that ended first are forgotten.
const ENDED_MAX: usize = 4096;
/// Likewise files that were made empty.
const EMPTIED_MAX: usize = 64;
/// Files beside one that was made empty among which its copy is looked for; further ones are not.
const COPIES_MAX: usize = 1000;

/// The program that undoes what begins like this.
fn compressed_by(head: &[u8]) -> Option<&'static str> {
    match compressed::sniff(head) {
        Magic::Plain => None,
        Magic::Known(compression) => Some(compression.name()),
        Magic::Foreign(name) => Some(name),
    }
}

/// Follows files.
pub(crate) struct Follow {
    places: Vec<Place>,
    since: Option<SystemTime>,
    files: BTreeMap<FileId, Followed>,
    identities: HashMap<Identity, FileId>,
    /// Those to be read in this look.
    due: BTreeSet<FileId>,
    /// Open files of directories, in the order in which they were opened; others may be among them.
    opened: VecDeque<FileId>,
    /// [`OPEN_MAX`], less in tests.
    open_max: usize,
    ended: VecDeque<Ended>,
    /// What files were that were made empty, where no copy of them was found: it may still turn up.
    emptied: VecDeque<Progress>,
    next: usize,
    buffer: Vec<u8>,
    routes: Routes,
    touched: Arc<Touched>,
}

/// What to do with a file whose first bytes are there.
enum Verdict {
    New,
    /// Too few bytes to say.
    Wait,
    LeftOut(Option<&'static str>),
    /// It has all that was read of this one, in whose place it is.
    GoesOn(FileId),
    /// It is a copy of one that is gone or has been made empty since, read up to there.
    HasRestOf(Progress),
}

type Tell<'t> = dyn FnMut(Happened<'_>) + 't;

impl Follow {
    /// Nothing is opened before the first look. Directories in others that were made before `since` are not new.
    pub(crate) fn new(targets: Vec<Target>, since: Option<SystemTime>) -> Follow {
        Follow {
            places: targets.into_iter().map(Place::new).collect(),
            since,
            files: BTreeMap::new(),
            identities: HashMap::new(),
            due: BTreeSet::new(),
            opened: VecDeque::new(),
            open_max: OPEN_MAX,
            ended: VecDeque::new(),
            emptied: VecDeque::new(),
            next: 0,
            buffer: Vec::new(),
            routes: Routes::default(),
            touched: Arc::default(),
        }
    }

    /// Follows what was [told](Happened::Directory) to have been made. The next look is at everything.
    pub(crate) fn add(&mut self, target: Target) -> TargetId {
        self.places.push(Place::found(target));
        self.touched.add(None);
        TargetId(self.places.len() - 1)
    }

    /// A file that has been read up to a place by somebody else; its begin will not be told. One file has one number,
    /// whatever its names. Of a directory's files that are not wanted further, as copies of others, say that they were
    /// read to their end.
    ///
    /// # Errors
    /// It cannot be read or is no regular file.
    pub(crate) fn known(
        &mut self,
        target: TargetId,
        path: &Path,
        file: File,
        position: u64,
    ) -> io::Result<FileId> {
        let stat = stat::of(&file)?.ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(&id) = self.identities.get(&stat.identity) {
            return Ok(id);
        }
        let progress = Progress::of(&file, position)?;
        let id = self.meet(target, path, stat.identity);
        self.places[target.0].names.insert(path.to_owned(), id);
        self.make_room();
        let followed = self.files.get_mut(&id).expect("just met");
        followed.progress = progress;
        followed.has_begun = true;
        followed.file = Some(file);
        self.opened.push_back(id);
        Ok(id)
    }

    /// Tells what has happened since the last look, as far as a [`Waker`] of this says that something has: without one, or
    /// when it has not heard anything for a while, everything is looked at. Whether there is more at once.
    pub(crate) fn look(&mut self, tell: &mut Tell<'_>) -> bool {
        let scope = self.touched.take();
        // Bytes that were left last time, and of those without a name, of which nobody says that they grow.
        let pending = self.files.iter().filter(|(_, f)| f.has_more || f.is_away);
        self.due.extend(pending.map(|(&id, _)| id));
        match &scope {
            Scope::All => {
                for target in (0..self.places.len()).map(TargetId) {
                    self.settle_all(target, tell);
                }
            }
            Scope::Paths(paths) => {
                for path in paths {
                    self.settle_touched(path, tell);
                }
            }
        }
        let has_more = self.read_due(tell);
        if matches!(scope, Scope::All) {
            self.age(tell);
            self.routes = Routes::of(&mut self.places);
            self.touched.watch(self.routes.directories.clone());
        }
        has_more
    }

    /// Reads what is due, in the order in which files were met. One does not begin while an older one of its target has
    /// more.
    fn read_due(&mut self, tell: &mut Tell<'_>) -> bool {
        let mut behind = BTreeSet::new();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(PIECE, 0);
        for id in std::mem::take(&mut self.due) {
            let Some(mut followed) = self.files.remove(&id) else {
                continue;
            };
            let target = followed.target;
            if !followed.has_begun && behind.contains(&target) {
                followed.has_more = true;
                self.files.insert(id, followed);
                continue;
            }
            followed.has_more = false;
            if self.read(id, followed, &mut buffer, tell) {
                behind.insert(target);
            }
        }
        self.buffer = buffer;
        self.make_room();
        !behind.is_empty()
    }

    /// Reads one file and puts it back; whether it has more.
    fn read(
        &mut self,
        id: FileId,
        mut followed: Followed,
        buffer: &mut [u8],
        tell: &mut Tell<'_>,
    ) -> bool {
        if let Err(err) = self.open(id, &mut followed) {
            // What has no name and is closed is found to be gone when the names are settled.
            if err.kind() != io::ErrorKind::NotFound {
                self.trouble(&followed, &Trouble::Io(err.to_string()), tell);
            }
            self.files.insert(id, followed);
            return false;
        }
        match self.read_open(id, &mut followed, buffer, tell) {
            Ok(Next::Rests) => {
                self.recovered(&followed, tell);
                self.files.insert(id, followed);
                false
            }
            Ok(Next::HasMore) => {
                followed.has_more = true;
                self.files.insert(id, followed);
                true
            }
            Ok(Next::IsAnother) => {
                // It got the inode of one that was closed.
                let (target, path, identity) =
                    (followed.target, followed.path.clone(), followed.identity);
                self.end(id, followed, tell);
                let new = self.meet(target, &path, identity);
                self.places[target.0].names.insert(path, new);
                self.files.get_mut(&new).expect("just met").has_more = true;
                true
            }
            Ok(Next::GoesOnAs(original)) => {
                self.go_on(followed, original);
                true
            }
            Err(err) => {
                self.trouble(&followed, &Trouble::Io(err.to_string()), tell);
                self.files.insert(id, followed);
                false
            }
        }
    }

    fn read_open(
        &mut self,
        id: FileId,
        followed: &mut Followed,
        buffer: &mut [u8],
        tell: &mut Tell<'_>,
    ) -> io::Result<Next> {
        for piece in 0..PIECES_MAX {
            if let Some(rest) = &mut followed.rest {
                if rest.tell(id, buffer, tell)? {
                    continue;
                }
                let copy = followed.rest.take().map(|rest| rest.path);
                followed.empty(id, copy.as_deref(), tell);
            }
            let Some(file) = &followed.file else {
                return Ok(Next::Rests);
            };
            match followed.progress.read(file, buffer, piece == 0)? {
                Found::Nothing => return Ok(Next::Rests),
                Found::Another => {
                    let rest = self.find_copy(followed);
                    if rest.is_none() && followed.is_reopened {
                        return Ok(Next::IsAnother);
                    }
                    if !followed.has_begun {
                        followed.begin(id, tell);
                    }
                    // A longer copy may turn up under another name.
                    if rest.as_ref().is_none_or(Rest::is_empty) {
                        self.was_emptied(followed.progress.clone());
                    }
                    if rest.is_none() {
                        followed.empty(id, None, tell);
                    }
                    followed.rest = rest;
                }
                Found::Bytes(bytes) => {
                    if !followed.has_begun {
                        match self.judge(followed, bytes)? {
                            Verdict::New => followed.begin(id, tell),
                            Verdict::HasRestOf(progress) => {
                                self.emptied.retain(|emptied| *emptied != progress);
                                followed.progress = progress;
                                continue;
                            }
                            Verdict::Wait => return Ok(Next::Rests),
                            Verdict::GoesOn(original) => return Ok(Next::GoesOnAs(original)),
                            Verdict::LeftOut(program) => {
                                self.leave_out(followed, program, tell)?;
                                return Ok(Next::Rests);
                            }
                        }
                    }
                    tell(Happened::Bytes { file: id, bytes });
                    followed.progress.told(bytes);
                    followed.idle = 0;
                    followed.is_reopened = false;
                }
            }
        }
        Ok(Next::HasMore)
    }

    /// Whether to begin a file with these first bytes.
    fn judge(&self, followed: &Followed, first: &[u8]) -> io::Result<Verdict> {
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

    fn leave_out(
        &mut self,
        followed: &mut Followed,
        program: Option<&'static str>,
        tell: &mut Tell<'_>,
    ) -> io::Result<()> {
        if let Some(file) = followed.file.take() {
            let len = file.metadata()?.len();
            followed.progress = Progress::of(&file, len)?;
            followed.left_out = Some(len);
        }
        if let (Some(program), false) = (program, self.is_directory(followed.target)) {
            self.trouble(followed, &Trouble::Compressed(program), tell);
        }
        Ok(())
    }

    /// A file has taken the place of another one that it holds: it is that one from now on.
    fn go_on(&mut self, new: Followed, id: FileId) {
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
    fn find_copy(&mut self, emptied: &Followed) -> Option<Rest> {
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

    /// Opens a file that is closed, closing others where too many are open.
    fn open(&mut self, id: FileId, followed: &mut Followed) -> io::Result<()> {
        if followed.file.is_some() {
            return Ok(());
        }
        if followed.is_away {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = stat::open(&followed.path)?;
        let stat = stat::of(&file)?;
        if stat.is_none_or(|stat| stat.identity != followed.identity) {
            // It is another one by now, which the next look finds.
            self.places[followed.target.0].is_unsure = true;
            return Err(io::ErrorKind::NotFound.into());
        }
        self.make_room();
        self.opened.push_back(id);
        followed.is_reopened = followed.has_begun;
        if followed.left_out.take().is_some() {
            followed.progress = Progress::default();
        }
        followed.changed = None;
        followed.idle = 0;
        followed.file = Some(file);
        Ok(())
    }

    /// Closes files of directories that have a name until one more may be open.
    fn make_room(&mut self) {
        let mut turns = self.opened.len();
        while self.opened.len() >= self.open_max && turns > 0 {
            turns -= 1;
            let Some(id) = self.opened.pop_front() else {
                return;
            };
            let Some(followed) = self.files.get_mut(&id) else {
                continue;
            };
            if !self.places[followed.target.0].is_directory()
                || followed.is_away
                || followed.rest.is_some()
                || (followed.file.is_some() && !followed.close())
            {
                self.opened.push_back(id);
            }
        }
    }

    fn meet(&mut self, target: TargetId, path: &Path, identity: Identity) -> FileId {
        let id = self.next_id();
        let followed = Followed::new(target, path.to_owned(), identity);
        self.files.insert(id, followed);
        self.identities.insert(identity, id);
        id
    }

    fn next_id(&mut self) -> FileId {
        self.next += 1;
        FileId(self.next - 1)
    }

    fn end(&mut self, id: FileId, followed: Followed, tell: &mut Tell<'_>) {
        self.identities.remove(&followed.identity);
        if followed.has_begun {
            tell(Happened::Ends { file: id });
        }
        if followed.progress.position > 0 {
            self.remember(Ended {
                id,
                inode: followed.identity.inode,
                progress: followed.progress,
                is_left_out: followed.left_out.is_some(),
            });
        }
    }

    fn remember(&mut self, ended: Ended) {
        self.ended.truncate(ENDED_MAX - 1);
        self.ended.push_front(ended);
    }

    fn was_emptied(&mut self, progress: Progress) {
        self.emptied.truncate(EMPTIED_MAX - 1);
        self.emptied.push_front(progress);
    }

    /// Ends and closes what has not grown for long.
    fn age(&mut self, tell: &mut Tell<'_>) {
        let mut away = vec![0; self.places.len()];
        let mut over = Vec::new();
        for (&id, followed) in self.files.iter_mut().rev() {
            let place = &self.places[followed.target.0];
            followed.idle = followed.idle.saturating_add(1);
            if followed.has_more || followed.rest.is_some() {
                continue;
            }
            if followed.is_away {
                away[followed.target.0] += 1;
                over.push((id, away[followed.target.0] > AWAY_MAX));
            } else if place.is_directory() && followed.idle >= REST_LOOKS && followed.file.is_some()
            {
                followed.close();
            }
        }
        for (id, is_surplus) in over {
            let followed = &self.files[&id];
            let looks = if self.has_successor(followed) {
                AWAY_LOOKS
            } else {
                FORSAKEN_LOOKS
            };
            if (is_surplus && followed.idle > 1)
                || followed.idle >= looks
                || followed.file.is_none()
            {
                let followed = self.files.remove(&id).expect("just seen");
                self.end(id, followed, tell);
            }
        }
        let files = &self.files;
        self.opened
            .retain(|id| files.get(id).is_some_and(|f| f.file.is_some()));
    }

    /// Whether what came in the place of a file is written to.
    fn has_successor(&self, away: &Followed) -> bool {
        let place = &self.places[away.target.0];
        let successor = place
            .names
            .get(&away.path)
            .and_then(|id| self.files.get(id));
        successor.is_some_and(|successor| successor.has_begun)
    }

    fn is_directory(&self, target: TargetId) -> bool {
        self.places[target.0].is_directory()
    }

    fn trouble(&mut self, followed: &Followed, what: &Trouble, tell: &mut Tell<'_>) {
        self.places[followed.target.0].trouble(&followed.path, what, tell);
    }

    fn recovered(&mut self, followed: &Followed, tell: &mut Tell<'_>) {
        if followed.left_out.is_none() {
            self.places[followed.target.0].recovered(&followed.path, tell);
        }
    }
}

/// How reading a file ended for now.
enum Next {
    Rests,
    HasMore,
    IsAnother,
    GoesOnAs(FileId),
}

impl Followed {
    fn begin(&mut self, id: FileId, tell: &mut Tell<'_>) {
        self.has_begun = true;
        tell(Happened::Begins {
            file: id,
            target: self.target,
            path: &self.path,
            position: self.progress.position,
        });
    }

    /// Whether another file is a copy of a part of it.
    fn has_part(&self, copy: &File, len: u64) -> io::Result<bool> {
        match &self.file {
            Some(file) => followed::is_part(copy, len, file),
            None if self.is_away => Ok(false),
            None => followed::is_part(copy, len, &stat::open(&self.path)?),
        }
    }

    fn empty(&mut self, id: FileId, copy: Option<&Path>, tell: &mut Tell<'_>) {
        self.progress = Progress::default();
        self.idle = 0;
        tell(Happened::Truncated {
            file: id,
            target: self.target,
            copy,
        });
    }

    /// Closes it unless it has grown; whether it is.
    fn close(&mut self) -> bool {
        let stat = self.file.as_ref().map(stat::of);
        let Some(Ok(Some(stat))) = stat else {
            return false;
        };
        // One that has not been begun is read when it is its turn.
        if self.has_begun && stat.len != self.progress.position {
            return false;
        }
        self.changed = stat.settled();
        self.file = None;
        true
    }
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.at == self.end
    }

    /// Tells a piece of it; false: there is none left.
    fn tell(&mut self, id: FileId, buffer: &mut [u8], tell: &mut Tell<'_>) -> io::Result<bool> {
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
