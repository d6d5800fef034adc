//! What is at the names of a target: files come, are renamed, and go.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::followed::{Ended, Followed};
use super::stat::{self, Kind, Stat};
use super::touched::Canonical;
use super::{FileId, Follow, Happened, Target, TargetId, Tell, Trouble};

/// Directories in one that is followed; that others are made is not seen.
const DIRECTORIES_MAX: usize = 10_000;
/// Files of a directory; further ones are left out and said.
const FILES_MAX: usize = 50_000;
/// Closed files of a directory that a look at everything asks for, by turns.
const CLOSED_MAX: usize = 1000;
/// Paths of one target of which troubles are said; those of further ones are not.
const TROUBLES_MAX: usize = 1000;
/// Looks at everything after which it is said that a file is gone: while logs are rotated it is so for a moment.
const MISSING_LOOKS: u32 = 2;
/// A directory that has changed in this time before it was read is read again, since its time may be a coarse one.
const COARSE: Duration = Duration::from_secs(2);

/// A target and what is there.
pub(super) struct Place {
    pub(super) target: Target,
    /// What is followed under which name; of files in directories, joined to the directory's path.
    pub(super) names: BTreeMap<PathBuf, FileId>,
    /// Something changed while it was looked at: the directory is to be read again.
    pub(super) is_unsure: bool,
    /// What was met first has been told: until then, a missing file is said at once.
    missing: u32,
    troubles: HashMap<PathBuf, Trouble>,
    /// The time of the directory when it was read, if that tells whether it has changed since.
    listed: Option<SystemTime>,
    /// The closed file that was looked at last.
    turn: Option<PathBuf>,
    /// Directories in it that have been seen.
    directories: HashSet<PathBuf>,
    /// It has come since: all that is in it is new, and nobody waits for it when it is gone.
    is_found: bool,
    has_listed: bool,
    canonical: Option<Canonical>,
}

impl Place {
    pub(super) fn new(target: Target) -> Place {
        Place {
            target,
            names: BTreeMap::new(),
            is_unsure: false,
            missing: MISSING_LOOKS,
            troubles: HashMap::new(),
            listed: None,
            turn: None,
            directories: HashSet::new(),
            is_found: false,
            has_listed: false,
            canonical: None,
        }
    }

    /// One that was made in another.
    pub(super) fn found(target: Target) -> Place {
        Place {
            is_found: true,
            has_listed: true,
            ..Place::new(target)
        }
    }

    /// Whether a directory in it is new.
    fn is_new(&mut self, path: &Path, made: Option<SystemTime>, since: Option<SystemTime>) -> bool {
        let made_late = made.zip(since).is_some_and(|(made, since)| made >= since);
        let is_late = self.has_listed || made_late;
        let has_room = self.directories.len() < DIRECTORIES_MAX;
        has_room && self.directories.insert(path.to_owned()) && is_late
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.target, Target::Directory { .. })
    }

    pub(super) fn path(&self) -> &Path {
        match &self.target {
            Target::File(path) | Target::Directory { path, .. } => path,
        }
    }

    /// Its path without links. That of a file is as it was while the same one is there.
    pub(super) fn canonical(&mut self) -> PathBuf {
        let path = self.path();
        let file = self.names.get(path).copied();
        if let (Some((then, canonical)), false) = (&self.canonical, self.is_directory())
            && *then == file
        {
            return canonical.clone();
        }
        let canonical = path.canonicalize().ok();
        let canonical = canonical.unwrap_or_else(|| match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => match parent.canonicalize() {
                Ok(parent) => parent.join(name),
                Err(_) => path.to_owned(),
            },
            _ => path.to_owned(),
        });
        self.canonical = file.map(|file| (Some(file), canonical.clone()));
        canonical
    }

    pub(super) fn trouble(&mut self, path: &Path, what: &Trouble, tell: &mut Tell<'_>) {
        let is_known = self.troubles.contains_key(path);
        if self.troubles.get(path) == Some(what)
            || (!is_known && self.troubles.len() >= TROUBLES_MAX)
        {
            return;
        }
        self.troubles.insert(path.to_owned(), what.clone());
        tell(Happened::Trouble { path, what });
    }

    pub(super) fn recovered(&mut self, path: &Path, tell: &mut Tell<'_>) {
        if self.troubles.remove(path).is_some() {
            tell(Happened::Recovered { path });
        }
    }

    /// Whether the directory lets nobody in. That is said then, rather than of each of its files.
    fn is_shut(&mut self, tell: &mut Tell<'_>) -> bool {
        let Target::Directory { path, .. } = &self.target else {
            return false;
        };
        let Err(err) = path.read_dir() else {
            return false;
        };
        let path = path.clone();
        // It is open again when it can be read again.
        self.listed = None;
        self.trouble(&path, &Trouble::Io(err.to_string()), tell);
        true
    }

    /// The files of the directory, if they may be others than when it was read last.
    fn list(&mut self) -> io::Result<Option<Vec<PathBuf>>> {
        let Target::Directory { path, wants } = &self.target else {
            return Ok(None);
        };
        let now = SystemTime::now();
        let changed = path.metadata()?.modified()?;
        if !self.is_unsure && self.listed == Some(changed) {
            return Ok(None);
        }
        let mut paths = Vec::new();
        for entry in path.read_dir()? {
            let name = entry?.file_name();
            if wants(&name) {
                paths.push(path.join(name));
            }
        }
        let is_old = now.duration_since(changed).is_ok_and(|age| age > COARSE);
        self.listed = is_old.then_some(changed);
        self.is_unsure = false;
        paths.sort_unstable();
        Ok(Some(paths))
    }
}

impl Follow {
    /// Looks at all names of a target.
    pub(super) fn settle_all(&mut self, target: TargetId, tell: &mut Tell<'_>) {
        let place = &mut self.places[target.0];
        if let Target::File(path) = &place.target {
            let path = path.clone();
            self.settle(target, &path, true, tell);
            return;
        }
        let path = place.path().to_owned();
        match place.list() {
            Ok(listed) => {
                place.recovered(&path, tell);
                if let Some(paths) = listed {
                    self.settle_names(target, &paths, tell);
                }
            }
            Err(err) => {
                let is_gone = err.kind() == io::ErrorKind::NotFound;
                place.listed = None;
                let what = if is_gone {
                    Trouble::Missing
                } else {
                    Trouble::Io(err.to_string())
                };
                if !(is_gone && place.is_found) {
                    place.trouble(&path, &what, tell);
                }
                if is_gone {
                    self.settle_names(target, &[], tell);
                }
            }
        }
        for path in self.names_to_ask(target) {
            self.settle(target, &path, true, tell);
        }
    }

    /// Something happened at a path, as the system spells it.
    pub(super) fn settle_touched(&mut self, path: &Path, tell: &mut Tell<'_>) {
        for (target, path) in self.routes.of_path(path) {
            if self.is_directory(target) && self.places[target.0].path() == path {
                self.settle_all(target, tell);
            } else if self.is_wanted(target, &path) {
                self.settle(target, &path, false, tell);
            }
        }
    }

    fn is_wanted(&self, target: TargetId, path: &Path) -> bool {
        match &self.places[target.0].target {
            Target::File(_) => true,
            Target::Directory { wants, .. } => path.file_name().is_some_and(wants),
        }
    }

    /// Forgets names that are gone and meets new ones, those first that were written first.
    fn settle_names(&mut self, target: TargetId, paths: &[PathBuf], tell: &mut Tell<'_>) {
        let present: HashSet<&PathBuf> = paths.iter().collect();
        let place = &mut self.places[target.0];
        let names = place.names.keys();
        let gone: Vec<_> = names
            .filter(|name| !present.contains(name))
            .cloned()
            .collect();
        let directory = place.path().to_owned();
        place
            .troubles
            .retain(|path, _| *path == directory || present.contains(path));
        let mut new = Vec::new();
        for path in paths {
            if place.names.contains_key(path) {
                continue;
            }
            match stat::at(path) {
                Ok(Kind::File(stat)) => new.push((stat.changed, path, stat)),
                Ok(Kind::Directory(made)) => {
                    if place.is_new(path, made, self.since) {
                        tell(Happened::Directory { target, path });
                    }
                }
                Ok(Kind::Other) => {}
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                Err(err) => {
                    place.trouble(path, &Trouble::Io(err.to_string()), tell);
                }
            }
        }
        place.has_listed = true;
        place.directories.retain(|path| present.contains(path));
        new.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        for (_, path, stat) in new {
            if self.places[target.0].names.len() >= FILES_MAX {
                let what = Trouble::TooMany(FILES_MAX);
                self.places[target.0].trouble(&directory, &what, tell);
                break;
            }
            self.present(target, path, stat, tell);
        }
        for path in gone {
            self.absent(target, &path);
        }
    }

    /// Names of a directory at which a look at everything asks what is there: those of open files, of some closed ones,
    /// and those with a trouble.
    fn names_to_ask(&mut self, target: TargetId) -> Vec<PathBuf> {
        let place = &mut self.places[target.0];
        let files = &self.files;
        let is_open = |id: &FileId| {
            files
                .get(id)
                .is_some_and(|f| f.file.is_some() || f.has_more)
        };
        let open = place.names.iter().filter(|(_, id)| is_open(id));
        let mut paths: Vec<_> = open.map(|(path, _)| path.clone()).collect();
        let directory = place.path();
        let troubled = place.troubles.keys().filter(|path| **path != directory);
        paths.extend(troubled.cloned());
        let from = place.turn.take().map_or(Bound::Unbounded, Bound::Excluded);
        let closed = place.names.range((from, Bound::Unbounded));
        let closed = closed.filter(|(_, id)| !is_open(id)).take(CLOSED_MAX);
        let closed: Vec<_> = closed.map(|(path, _)| path.clone()).collect();
        if closed.len() == CLOSED_MAX {
            place.turn = closed.last().cloned();
        }
        paths.extend(closed);
        paths
    }

    /// Finds out what is at a path.
    fn settle(&mut self, target: TargetId, path: &Path, is_full: bool, tell: &mut Tell<'_>) {
        let is_file_target = !self.is_directory(target);
        let what = match stat::at(path) {
            Ok(Kind::File(stat)) => {
                let place = &mut self.places[target.0];
                place.missing = 0;
                self.present(target, path, stat, tell);
                return;
            }
            Ok(kind) => {
                let place = &mut self.places[target.0];
                if let Kind::Directory(made) = kind
                    && place.is_directory()
                    && place.is_new(path, made, self.since)
                {
                    tell(Happened::Directory { target, path });
                }
                self.absent(target, path);
                Trouble::NoFile
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                self.absent(target, path);
                let place = &mut self.places[target.0];
                place.missing = place.missing.saturating_add(u32::from(is_full));
                if place.missing < MISSING_LOOKS {
                    return;
                }
                Trouble::Missing
            }
            Err(err) => {
                // What is open is read on.
                self.due.extend(self.places[target.0].names.get(path));
                if self.places[target.0].is_shut(tell) {
                    return;
                }
                Trouble::Io(err.to_string())
            }
        };
        let place = &mut self.places[target.0];
        if is_file_target || matches!(what, Trouble::Io(_)) {
            place.trouble(path, &what, tell);
        } else {
            place.troubles.remove(path);
        }
    }

    /// A file is at this path.
    fn present(&mut self, target: TargetId, path: &Path, stat: Stat, tell: &mut Tell<'_>) {
        let known = self.identities.get(&stat.identity).copied();
        if let Some(other) = known.and_then(|id| self.files.get(&id))
            && other.target != target
        {
            // It is told there.
            self.absent(target, path);
            return;
        }
        let id = match known {
            Some(id) => id,
            None => match self.come(target, path, stat) {
                Ok(Some(id)) => id,
                Ok(None) => {
                    self.places[target.0].is_unsure = true;
                    return;
                }
                Err(err) => {
                    let what = Trouble::Io(err.to_string());
                    self.places[target.0].trouble(path, &what, tell);
                    return;
                }
            },
        };
        let before = self.places[target.0].names.insert(path.to_owned(), id);
        if let Some(before) = before.filter(|before| *before != id) {
            self.lost_its_name(before);
        }
        let Some(followed) = self.files.get_mut(&id) else {
            return;
        };
        if followed.path != path {
            path.clone_into(&mut followed.path);
        }
        followed.is_away = false;
        if followed.file.is_some() || followed.is_changed(stat.len, stat.changed) {
            self.due.insert(id);
        } else if followed.left_out.is_none() {
            self.places[target.0].recovered(path, tell);
        }
    }

    /// A file that is not known: new, or one that had ended. `None`: it is gone again.
    fn come(&mut self, target: TargetId, path: &Path, stat: Stat) -> io::Result<Option<FileId>> {
        let mut followed = Followed::new(target, path.to_owned(), stat.identity);
        let file = match stat::open(path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(err),
        };
        if stat::of(&file)?.is_none_or(|now| now.identity != stat.identity) {
            return Ok(None);
        }
        let id = match self.ended_before(&file, stat) {
            Some(ended) => {
                followed.left_out = ended.is_left_out.then_some(ended.progress.position);
                followed.progress = ended.progress;
                ended.id
            }
            None => self.next_id(),
        };
        followed.file = Some(file).filter(|_| followed.left_out.is_none());
        self.make_room();
        self.opened.push_back(id);
        self.files.insert(id, followed);
        self.identities.insert(stat.identity, id);
        Ok(Some(id))
    }

    /// What this file was when it ended. One that had its inode and was another one will not come back.
    fn ended_before(&mut self, file: &File, stat: Stat) -> Option<Ended> {
        let mut candidates = self.ended.iter();
        let at = candidates.position(|ended| ended.inode == stat.identity.inode)?;
        let ended = self.ended.remove(at)?;
        if ended.progress.is_in(file).unwrap_or(false) {
            return Some(ended);
        }
        if !ended.is_left_out {
            self.was_emptied(ended.progress);
        }
        None
    }

    /// Nothing that is followed here is at this path.
    fn absent(&mut self, target: TargetId, path: &Path) {
        if let Some(id) = self.places[target.0].names.remove(path) {
            self.lost_its_name(id);
        }
    }

    /// A file is not any more where it was seen last.
    fn lost_its_name(&mut self, id: FileId) {
        let Some(followed) = self.files.get_mut(&id) else {
            return;
        };
        let names = &self.places[followed.target.0].names;
        if names.get(&followed.path) == Some(&id) {
            return;
        }
        if let Some((path, _)) = names.iter().find(|(_, other)| **other == id) {
            path.clone_into(&mut followed.path);
            return;
        }
        // One that is closed may turn up under another name, else it ends soon.
        followed.is_away = true;
        followed.idle = 0;
        self.due.insert(id);
    }
}
