//! Wakes who looks: at once where the system tells of changes, else at intervals.
//!
//! The system is asked for what happens in directories and not to files, whose names may lead to others. It does not tell
//! what other machines do on a network file system, forgets a directory that is removed, and drops what nobody takes
//! in time: hence everything is looked at in intervals too.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Follow;
use super::stat::{self, Identity};
use super::touched::Touched;

/// How often everything is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// Likewise where the system tells nothing.
const INTERVAL_ALONE: Duration = Duration::from_millis(200);

/// Listens until it is dropped.
pub(crate) struct Waker {
    touched: Arc<Touched>,
    thread: Option<JoinHandle<()>>,
}

impl Waker {
    /// Calls `wake` when there may be something to look at: the first time at once, then once until the next look and at
    /// intervals, from other threads. It must not wait. What happens within `pace` of a call is told with the next one: who
    /// draws ten times a second need not be woken for each line.
    pub(crate) fn start(
        follow: &Follow,
        pace: Duration,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Waker {
        let touched = follow.touched.clone();
        touched.has_waker();
        let wakes = Arc::new(Wakes {
            touched: touched.clone(),
            wake,
        });
        let thread = std::thread::spawn(move || listen(&wakes, pace));
        Waker {
            touched,
            thread: Some(thread),
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.touched.is_over();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Wakes<W> {
    touched: Arc<Touched>,
    wake: W,
}

impl<W: Fn()> Wakes<W> {
    fn add(&self, paths: Option<Vec<PathBuf>>) {
        if self.touched.add(paths) {
            (self.wake)();
        }
    }

    fn happened(&self, event: notify::Result<Event>) {
        match event {
            // That somebody opens or reads a file is nothing, and we do.
            Ok(event) if is_reading(event.kind) => {}
            Ok(event) if !event.need_rescan() => self.add(Some(event.paths)),
            _ => self.add(None),
        }
    }
}

/// Lets more happen before the next event is taken from the system, which keeps one of those that are alike: of a log that is
/// written a thousand times meanwhile. Those that have come are then taken at once.
struct Rests {
    pace: Duration,
    rested: Instant,
}

impl Rests {
    /// Of a pace, so much is for taking what has come.
    const TAKES: u32 = 16;

    fn new(pace: Duration) -> Rests {
        Rests {
            pace,
            rested: Instant::now(),
        }
    }

    fn rest(&mut self) {
        if !self.pace.is_zero() && self.rested.elapsed() >= self.pace / Rests::TAKES {
            std::thread::sleep(self.pace);
            self.rested = Instant::now();
        }
    }
}

fn is_reading(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access != AccessKind::Close(AccessMode::Write),
        _ => false,
    }
}

fn listen<W: Fn() + Send + Sync + 'static>(wakes: &Arc<Wakes<W>>, pace: Duration) {
    let told = wakes.clone();
    let mut rests = Rests::new(pace);
    let watcher = notify::recommended_watcher(move |event| {
        told.happened(event);
        rests.rest();
    });
    let mut watched = Watched {
        watcher: watcher.ok(),
        directories: HashMap::new(),
    };
    wakes.add(None);
    let mut looked = Instant::now();
    loop {
        let is_alone = watched.watcher.is_none();
        let interval = if is_alone { INTERVAL_ALONE } else { INTERVAL };
        let left = interval.saturating_sub(looked.elapsed());
        let Some(directories) = wakes.touched.wait(left) else {
            return;
        };
        // Between a look and listening, something may have happened.
        if watched.listen_at(&directories) || looked.elapsed() >= interval {
            looked = Instant::now();
            // Whoever was woken and has not looked may have missed it.
            wakes.touched.add(None);
            (wakes.wake)();
        }
    }
}

struct Watched {
    /// The system may have none left.
    watcher: Option<RecommendedWatcher>,
    directories: HashMap<PathBuf, Identity>,
}

impl Watched {
    /// Listens at these, and anew at those that are others by now; whether there were any.
    fn listen_at(&mut self, directories: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        self.directories.retain(|path, _| {
            let is_wanted = directories.contains(path);
            if !is_wanted {
                watcher.unwatch(path).ok();
            }
            is_wanted
        });
        let mut is_new = false;
        for path in directories {
            let now = stat::of_directory(path).ok();
            if now.is_some() && self.directories.get(path) == now.as_ref() {
                continue;
            }
            if self.directories.remove(path).is_some() {
                watcher.unwatch(path).ok();
            }
            if let Some(now) = now
                && watcher.watch(path, RecursiveMode::NonRecursive).is_ok()
            {
                self.directories.insert(path.clone(), now);
                is_new = true;
            }
        }
        is_new
    }
}
