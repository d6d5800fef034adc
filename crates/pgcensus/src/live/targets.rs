//! What is followed: the paths that were asked for, and the files that were read of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::discover::Place;
use crate::follow::{FileId, Follow, Target, TargetId};
use crate::pipeline::{Live, LogId};
use crate::source::file::LogFile;
use crate::source::growing::Growing;
use crate::source::{Plan, Request, is_compressed_name};

use super::growth::{BEGIN_ENOUGH, Growth, Whose};

/// What is followed at most, directories that come among it; the files of further ones are not.
const TARGETS_MAX: usize = 4096;

/// What is followed, in the order of [`TargetId`].
pub(super) struct Targets {
    targets: Vec<Aim>,
}

struct Aim {
    /// As it was given.
    path: PathBuf,
    what: What,
    /// The name of `--server`.
    server: Option<String>,
}

enum What {
    File,
    Directory,
    /// The files of a directory whose names are like this.
    Like(glob::Pattern),
    /// Those that a server makes.
    Of(Place),
}

/// A file whose begin has been read.
pub(super) struct Begun<'p> {
    growing: &'p Growing,
    log: Option<(&'p LogFile, LogId)>,
    /// It has not shown yet what it is.
    is_open: bool,
    /// It is left out.
    is_left_out: bool,
}

impl Begun<'_> {
    pub(super) fn growth(self, live: &mut Live<'_, '_>) -> Growth {
        let mut whose = Whose::of_path(&self.growing.path, self.growing.server.as_deref());
        whose.is_left_out = self.is_left_out;
        match (self.log, &self.growing.dealt) {
            (Some((log, id)), _) => Growth::goes_on(whose, log, id, live),
            (None, Some(by)) => Growth::dealt(whose, by.clone()),
            // Another format of a log that is read, or a copy: what comes of it shows whether it is needed.
            (None, None) if self.is_open || self.is_left_out => Growth::begins(whose),
            (None, None) => Growth::other(whose),
        }
    }
}

impl Targets {
    /// Those of a request, of whose paths a plan has found files.
    pub(super) fn of(plan: &Plan, request: &Request) -> Targets {
        let mut targets = Targets {
            targets: Vec::new(),
        };
        for (server, place) in &request.places {
            targets.targets.push(Aim {
                path: place.directory.clone(),
                what: What::Of(place.clone()),
                server: Some(server.clone()),
            });
        }
        for (server, path) in &request.servers {
            if targets.of_place(server, path).is_none() {
                targets.add(plan, path, Some(server));
            }
        }
        for path in request.paths.iter().chain(&request.listed()) {
            targets.add(plan, path, None);
        }
        targets
    }

    fn add(&mut self, plan: &Plan, path: &Path, server: Option<&String>) {
        let mut push = |path: &Path, what: What| {
            if self.targets.iter().all(|aim| aim.path != path) {
                self.targets.push(Aim {
                    path: path.to_owned(),
                    what,
                    server: server.cloned(),
                });
            }
        };
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                push(path, What::Directory);
                // Those below in which there are logs.
                for growing in &plan.growing {
                    if let Some(parent) = growing.path.parent()
                        && parent.starts_with(path)
                    {
                        push(parent, What::Directory);
                    }
                }
            }
            Ok(metadata) if metadata.is_file() => push(path, What::File),
            // A pipe is read once.
            Ok(_) => {}
            Err(_) => {
                if let Some((directory, pattern)) = pattern(path) {
                    return push(directory, What::Like(pattern));
                }
                // What will be there may be either.
                push(path, What::File);
                self.targets.push(Aim {
                    path: path.to_owned(),
                    what: What::Directory,
                    server: server.cloned(),
                });
            }
        }
    }

    /// The directory in which this server makes files such as this one.
    fn of_place(&self, server: &str, path: &Path) -> Option<TargetId> {
        let name = path.file_name()?.to_string_lossy();
        let is_of = |aim: &Aim| match &aim.what {
            What::Of(place) => {
                let is_there = path.parent() == Some(&place.directory);
                aim.server.as_deref() == Some(server) && is_there && place.holds(&name)
            }
            _ => false,
        };
        self.targets.iter().position(is_of).map(TargetId)
    }

    /// Where what is followed is written.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.targets.iter().filter_map(|aim| match aim.what {
            What::File => aim.path.parent().map(directory),
            _ => Some(&*aim.path),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether it is one file at a time, by its name.
    pub(super) fn is_file(&self, target: TargetId) -> bool {
        let aim = self.targets.get(target.0);
        aim.is_some_and(|aim| matches!(aim.what, What::File))
    }

    /// Whether all of it is files by their names, and each is among these.
    pub(super) fn are_files(&self, paths: &BTreeSet<PathBuf>) -> bool {
        let is_one = |aim: &Aim| matches!(aim.what, What::File) && paths.contains(&aim.path);
        self.targets.iter().all(is_one)
    }

    /// What is wrong with this path concerns one of the two things that it was taken for, since it was not there.
    pub(super) fn is_either(&self, path: &Path) -> bool {
        self.targets.iter().filter(|aim| aim.path == path).count() > 1
    }

    /// The name of `--server` for what is found there.
    pub(super) fn server(&self, target: TargetId) -> Option<&str> {
        self.targets.get(target.0)?.server.as_deref()
    }

    /// A directory was made in one that is followed: its files are wanted too, if all of that one's are. What is to be followed.
    pub(super) fn found(&mut self, within: TargetId, path: &Path) -> Option<Target> {
        let aim = self.targets.get(within.0)?;
        let is_known = self.targets.iter().any(|aim| aim.path == path);
        if !matches!(aim.what, What::Directory) || is_known || self.targets.len() >= TARGETS_MAX {
            return None;
        }
        if !path.file_name().is_some_and(is_wanted) {
            return None;
        }
        let found = Aim {
            path: path.to_owned(),
            what: What::Directory,
            server: aim.server.clone(),
        };
        let target = found.target();
        self.targets.push(found);
        Some(target)
    }

    pub(super) fn to_follow(&self) -> Vec<Target> {
        self.targets.iter().map(Aim::target).collect()
    }

    /// Says of each file that has been read how far that was.
    pub(super) fn begin<'p>(
        &self,
        plan: &'p Plan,
        follow: &mut Follow,
        said: &mut Vec<String>,
        mut begun: impl FnMut(FileId, Begun<'p>),
    ) {
        let mut logs = BTreeMap::new();
        for (server, input) in plan.servers.iter().enumerate() {
            for (file, log) in input.files.iter().enumerate() {
                logs.insert(&*log.display, (log, LogId { server, file }));
            }
        }
        // What was at a path before comes before what is there now.
        let (before, now): (Vec<_>, Vec<_>) = plan
            .growing
            .iter()
            .partition(|growing| growing.at != growing.path);
        for growing in before.into_iter().chain(now) {
            let of_place = growing.server.as_deref();
            let of_place = of_place.and_then(|server| self.of_place(server, &growing.at));
            let Some(target) = of_place.or_else(|| self.target_of(&growing.at)) else {
                continue;
            };
            let path = &growing.at;
            let file = match &growing.file {
                Some(file) => file.try_clone(),
                None => File::open(path),
            };
            let display = growing.path.display().to_string();
            let log = logs.get(&*display).copied();
            let is_left_out = plan.left_out.iter().any(|left| left.path == display);
            let is_open = log.is_none()
                && growing.dealt.is_none()
                && growing.position < BEGIN_ENOUGH as u64
                && !is_left_out;
            let position = if is_open { 0 } else { growing.position };
            let known = file.and_then(|file| follow.known(target, path, file, position));
            match known {
                Ok(id) => begun(
                    id,
                    Begun {
                        growing,
                        log,
                        is_open,
                        is_left_out,
                    },
                ),
                Err(err) => said.push(format!("{}: {err}; trying on", path.display())),
            }
        }
    }

    /// The target whose file this is: rather itself than its directory.
    fn target_of(&self, path: &Path) -> Option<TargetId> {
        let itself = self.targets.iter().position(|aim| aim.path == path);
        let parent = path.parent().map(directory);
        let is_in = |aim: &Aim| !matches!(aim.what, What::File) && parent == Some(&aim.path);
        let place = itself.or_else(|| self.targets.iter().position(is_in));
        place.map(TargetId)
    }
}

impl Aim {
    fn target(&self) -> Target {
        let path = self.path.clone();
        match &self.what {
            What::File => Target::File(path),
            What::Directory => Target::Directory {
                path,
                wants: Box::new(is_wanted),
            },
            What::Of(place) => {
                let place = place.clone();
                let wants =
                    move |name: &OsStr| is_wanted(name) && place.holds(&name.to_string_lossy());
                Target::Directory {
                    path,
                    wants: Box::new(wants),
                }
            }
            What::Like(pattern) => {
                let pattern = pattern.clone();
                let wants =
                    move |name: &OsStr| is_wanted(name) && pattern.matches(&name.to_string_lossy());
                Target::Directory {
                    path,
                    wants: Box::new(wants),
                }
            }
        }
    }
}

/// What is hidden is passed over, as a walk does; what is compressed does not grow.
fn is_wanted(name: &OsStr) -> bool {
    !name.as_encoded_bytes().starts_with(b".") && !is_compressed_name(&name.to_string_lossy())
}

/// `/logs/*.csv`: the directory, and how its files are called. Wildcards in directories are not followed: what there is of
/// them is read.
fn pattern(path: &Path) -> Option<(&Path, glob::Pattern)> {
    let has_wildcards = |text: &str| text.contains(['*', '?', '[']);
    let name = path
        .file_name()?
        .to_str()
        .filter(|name| has_wildcards(name))?;
    let directory = directory(path.parent()?);
    let is_plain = !directory.to_str().is_some_and(has_wildcards);
    Some((directory, glob::Pattern::new(name).ok()?)).filter(|_| is_plain)
}

/// A directory that can be opened: that of `pg.log` is `.`.
fn directory(parent: &Path) -> &Path {
    if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    }
}
