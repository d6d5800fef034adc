//! What may have changed since the last look, gathered by a waker for the one who looks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::place::Place;
use super::{FileId, Target, TargetId};

/// Paths that are remembered one by one; beyond it everything is looked at.
const PATHS_MAX: usize = 1000;

/// What a look looks at.
pub(super) enum Scope {
    All,
    /// As the system spells them.
    Paths(HashSet<PathBuf>),
}

/// Shared by who looks and who listens.
#[derive(Debug, Default)]
pub(super) struct Touched {
    state: Mutex<State>,
    /// There are other directories to listen at, or an end.
    changed: Condvar,
}

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not whatever the others are"
)]
struct State {
    /// Without one, each look is at everything.
    has_waker: bool,
    all: bool,
    paths: HashSet<PathBuf>,
    /// Whoever looks has been woken and has not looked yet.
    is_awake: bool,
    directories: BTreeSet<PathBuf>,
    /// They are others than the waker has seen.
    is_new: bool,
    is_over: bool,
}

impl Touched {
    /// What is to be looked at now.
    pub(super) fn take(&self) -> Scope {
        let mut state = self.lock();
        state.is_awake = false;
        let paths = std::mem::take(&mut state.paths);
        if std::mem::take(&mut state.all) || !state.has_waker {
            return Scope::All;
        }
        Scope::Paths(paths)
    }

    /// Something happened at these paths; `None`: anywhere. Whether to wake who looks.
    pub(super) fn add(&self, paths: Option<Vec<PathBuf>>) -> bool {
        let mut state = self.lock();
        match paths {
            Some(paths) if state.paths.len() + paths.len() <= PATHS_MAX => {
                state.paths.extend(paths);
            }
            _ => state.all = true,
        }
        !std::mem::replace(&mut state.is_awake, true)
    }

    /// Directories whose files are followed.
    pub(super) fn watch(&self, directories: BTreeSet<PathBuf>) {
        let mut state = self.lock();
        if state.directories != directories {
            state.directories = directories;
            state.is_new = true;
            self.changed.notify_all();
        }
    }

    pub(super) fn has_waker(&self) {
        self.lock().has_waker = true;
    }

    pub(super) fn is_over(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.has_waker = false;
        self.changed.notify_all();
    }

    /// Waits for other directories than were seen last, for at most that long; `None`: nobody needs them any more.
    pub(super) fn wait(&self, time: Duration) -> Option<BTreeSet<PathBuf>> {
        let waits = |state: &mut State| !state.is_new && !state.is_over;
        let waited = self.changed.wait_timeout_while(self.lock(), time, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_new = false;
        (!state.is_over).then(|| state.directories.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From paths as the system spells them to targets and paths as they were given.
#[derive(Debug, Default)]
pub(super) struct Routes {
    exact: HashMap<PathBuf, Vec<(TargetId, PathBuf)>>,
    /// Places where something happens that concerns a target.
    pub(super) directories: BTreeSet<PathBuf>,
}

impl Routes {
    /// Where the files of these targets are now, links followed.
    pub(super) fn of(places: &mut [Place]) -> Routes {
        let mut routes = Routes::default();
        for (target, place) in places.iter_mut().enumerate() {
            let target = TargetId(target);
            let given = place.path().to_owned();
            let spelled = std::path::absolute(&given).unwrap_or_else(|_| given.clone());
            let canonical = place.canonical();
            for path in BTreeSet::from([spelled, canonical]) {
                let directory = match &place.target {
                    Target::File(_) => path.parent().map(Path::to_owned),
                    Target::Directory { .. } => Some(path.clone()),
                };
                routes.directories.extend(directory);
                let exact = routes.exact.entry(path).or_default();
                exact.push((target, given.clone()));
            }
        }
        routes
    }

    /// Whom something at a path concerns, and how they call it: a target itself, or a file of a directory.
    pub(super) fn of_path(&self, path: &Path) -> Vec<(TargetId, PathBuf)> {
        let mut found = self.exact.get(path).cloned().unwrap_or_default();
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Some(parents) = self.exact.get(parent)
        {
            found.extend(
                parents
                    .iter()
                    .map(|(target, given)| (*target, given.join(name))),
            );
        }
        found
    }
}

/// Where the file of a target was when this one was there.
pub(super) type Canonical = (Option<FileId>, PathBuf);
