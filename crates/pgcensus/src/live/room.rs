//! Whether there is room where logs are written: a server on a full disk loses what it logs, and says so nowhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often that is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Directories that are asked for; nothing is said of further ones.
const DIRECTORIES_MAX: usize = 64;

/// Which directories have none.
#[derive(Default)]
pub(super) struct Room {
    asked: Option<Instant>,
    full: BTreeSet<PathBuf>,
}

impl Room {
    /// Those that have filled up since this was asked last (true), and those where there is room again.
    pub(super) fn look<'p>(
        &mut self,
        directories: impl Iterator<Item = &'p Path>,
    ) -> Vec<(PathBuf, bool)> {
        if self.asked.is_some_and(|asked| asked.elapsed() < INTERVAL) {
            return Vec::new();
        }
        self.asked = Some(Instant::now());
        let directories: BTreeSet<&Path> = directories.take(DIRECTORIES_MAX).collect();
        let asked = directories
            .into_iter()
            .filter_map(|path| Some((path, is_full(path)?)));
        let mut changed = Vec::new();
        for (path, is_full) in asked {
            if is_full != self.full.contains(path) {
                changed.push((path.to_owned(), is_full));
            }
        }
        for (path, is_full) in &changed {
            if *is_full {
                self.full.insert(path.clone());
            } else {
                self.full.remove(path);
            }
        }
        changed
    }

    /// What is wrong now.
    pub(super) fn troubles(&self) -> impl Iterator<Item = String> {
        self.full.iter().map(|path| full(path))
    }
}

/// What is said of one.
pub(super) fn full(path: &Path) -> String {
    let path = path.display();
    format!("{path}: the disk is full, what the server logs now may be lost")
}

/// What is said when that is over.
pub(super) fn over(path: &Path) -> String {
    let path = path.display();
    format!("{path}: the disk has room again; what was logged meanwhile may be missing")
}

/// Whether nobody but root can write more there; `None`: the system does not say, or nobody can write there anyway.
#[cfg(unix)]
fn is_full(path: &Path) -> Option<bool> {
    use rustix::fs::StatVfsMountFlags;

    let stat = rustix::fs::statvfs(path).ok()?;
    let is_written = !stat.f_flag.contains(StatVfsMountFlags::RDONLY);
    (is_written && stat.f_blocks > 0).then_some(stat.f_bavail == 0)
}

#[cfg(not(unix))]
fn is_full(_: &Path) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_room_nothing_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut room = Room::default();
        let missing = dir.path().join("none");
        let paths = [dir.path(), &missing];
        assert!(room.look(paths.into_iter()).is_empty());
        assert_eq!(room.troubles().count(), 0);
    }

    #[test]
    fn room_again_is_said_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut room = Room {
            full: BTreeSet::from([dir.path().to_owned()]),
            ..Room::default()
        };
        assert_eq!(room.troubles().count(), 1);
        let changed = room.look([dir.path()].into_iter());
        assert_eq!(changed, [(dir.path().to_owned(), false)]);
        room.asked = None;
        assert!(room.look([dir.path()].into_iter()).is_empty());
        assert_eq!(room.troubles().count(), 0);
    }
}
