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

mod copies;
mod followed;
mod happened;
mod opened;
mod place;
mod stat;
#[cfg(test)]
mod tests;
mod touched;
mod waker;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use copies::Verdict;
use followed::{Ended, Followed, Found, Progress, Rest};
pub(crate) use happened::{FileId, Happened, Target, TargetId, Trouble};
use opened::OPEN_MAX;
use place::Place;
use stat::Identity;
use touched::{Routes, Scope, Touched};
pub(crate) use waker::Waker;

/// What is read at a time; a piece that is handed out is no longer.
const PIECE: usize = if cfg!(test) { 400 } else { 256 << 10 };
/// Pieces of one file in one look; what is left waits for the next one, so that nobody is kept from being read.
const PIECES_MAX: usize = 16;

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

    fn empty(&mut self, id: FileId, copy: Option<&Path>, tell: &mut Tell<'_>) {
        self.progress = Progress::default();
        self.idle = 0;
        tell(Happened::Truncated {
            file: id,
            target: self.target,
            copy,
        });
    }
}
