//! Logs that are followed: what was there is read, then what comes, as it comes.
//!
//! ```text
//! Plan ─► pipeline, to the end of what is there ─► Live (the fold, kept)
//! Follow (files) ─┐                                 ▲
//! stdin ──────────┴─► Growth, one for each log ─────┘ whole records
//! ```
//!
//! Everything happens on the thread that calls [`Tail::step`], which waits for no longer than it is told. Others
//! only wake it: the system by what happens to files, whoever reads stdin, and Ctrl+C.

mod growth;
mod log;
mod room;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use pgcensus_core::instant::Instant as LogInstant;

use crate::follow::{FileId, Follow, Happened, Trouble, Waker};
use crate::interrupt::Interrupt;
use crate::pipeline::Live;
use crate::source::growing::{Begins, Held};
use crate::source::{Plan, Request};
use growth::{Growth, SETTLED, Shared, Whose};
pub(crate) use log::Amended;
use room::Room;
use targets::Targets;

/// A log whose last record is no older goes on.
const RECENT_MS: i64 = 120_000;

/// Bytes of stdin that are handed over at a time, and how many such pieces wait: who writes them waits then.
const BLOCK: usize = 64 << 10;
const BLOCKS: usize = 16;

/// Logs that are known, those that have ended among them; beyond it those that ended first are forgotten.
const GROWTHS_MAX: usize = 4096;

/// Looks in a row without anything being shown.
const LOOKS_MAX: usize = 8;

/// Why there is something to do.
enum Wake {
    /// Something happened to a file.
    Files,
    /// The next bytes of stdin.
    Input(Vec<u8>),
    /// Its end, or why it cannot be read on.
    InputOver(Option<String>),
    /// Somebody wants something else: Ctrl+C, another question.
    Nothing,
}

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Stdin,
    File(FileId),
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is left to do for now.
    Rests,
    /// There is more at once.
    HasMore,
    /// Nothing comes any more: Ctrl+C, or the end of the only input.
    Over,
}

/// The logs that are followed.
pub(crate) struct Tail<'a, 's> {
    pub(crate) shared: Shared<'a, 's>,
    growths: BTreeMap<Source, Growth>,
    follow: Follow,
    targets: Targets,
    wakes: Receiver<Wake>,
    _waker: Option<Waker>,
    has_stdin: bool,
    /// There may be something to look at.
    files_wait: Arc<AtomicBool>,
    interrupt: Interrupt,
    /// When the last record came, and its log time; `None`: none has come, and what was there was written long ago.
    since: Option<(Instant, LogInstant)>,
    send: SyncSender<Wake>,
    /// What has been said of paths and is not over.
    troubles: BTreeMap<PathBuf, String>,
    /// Files that are compressed: they have been read, and do not grow.
    compressed: BTreeSet<PathBuf>,
    /// What is to be said of these, once.
    pub(crate) still: Vec<String>,
    room: Room,
    /// Files that came to the places of others since; whoever reads the logs again takes them.
    pub(crate) held: Vec<Held>,
}

impl<'a, 's> Tail<'a, 's> {
    /// Follows the logs of a plan, which `live` has read, and standard input, if it is given: with the name of its server.
    /// What comes within `pace` may be taken in together.
    pub(crate) fn new(
        live: Live<'a, 's>,
        plan: &Plan,
        request: &'a Request,
        stdin: Option<(Option<String>, Box<dyn Read + Send>)>,
        pace: Duration,
    ) -> anyhow::Result<Tail<'a, 's>> {
        let interrupt = request.reading.interrupt.clone();
        let (send, wakes) = sync_channel(BLOCKS);
        let mut live = live;
        let mut said = Vec::new();
        let mut growths = BTreeMap::new();
        let targets = Targets::of(plan, request);
        let mut follow = Follow::new(targets.to_follow(), plan.made);
        targets.begin(plan, &mut follow, &mut said, |file, begun| {
            growths.insert(Source::File(file), begun.growth(&mut live));
        });
        let files_wait = Arc::new(AtomicBool::new(false));
        let waker = (!targets.is_empty()).then(|| {
            let (send, files_wait) = (send.clone(), files_wait.clone());
            Waker::start(&follow, pace, move || {
                files_wait.store(true, Ordering::Relaxed);
                // Where it is full, nobody sleeps.
                drop(send.try_send(Wake::Files));
            })
        });
        let has_stdin = stdin.is_some();
        if let Some((server, reader)) = stdin {
            let whose = Whose::of_path(Path::new("-"), Some(server.as_deref().unwrap_or("stdin")));
            growths.insert(Source::Stdin, Growth::begins(whose));
            let send = send.clone();
            std::thread::Builder::new().spawn(move || read(reader, &send))?;
        }
        let on_interrupt = send.clone();
        interrupt.wake(move || drop(on_interrupt.try_send(Wake::Nothing)))?;
        let since = live
            .input()
            .and_then(|(_, last)| Some((written_at(last)?, last)));
        Ok(Tail {
            shared: Shared {
                live,
                begins: Begins::new(request),
                names: plan.names.clone(),
                said,
                amended: Vec::new(),
                fed: BTreeMap::new(),
                settled: SETTLED + pace,
            },
            growths,
            follow,
            targets,
            wakes,
            _waker: waker,
            has_stdin,
            files_wait,
            interrupt,
            since,
            send,
            troubles: BTreeMap::new(),
            compressed: BTreeSet::new(),
            still: Vec::new(),
            room: Room::default(),
            held: Vec::new(),
        })
    }

    /// Waits until something comes, for at most so long, and takes it in.
    pub(crate) fn step(&mut self, wait: Duration) -> anyhow::Result<Step> {
        let before = self.last();
        let unreadable = self.shared.live.unreadable_total();
        let wait = if self.files_wait.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            wait
        };
        let settles = self.settles_in();
        let wait = settles.map_or(wait, |settles| settles.min(wait));
        match self.wakes.recv_timeout(wait) {
            Ok(wake) => self.take(wake)?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        // What has come meanwhile is taken with it.
        for _ in 0..BLOCKS {
            match self.wakes.try_recv() {
                Ok(wake) => self.take(wake)?,
                Err(_) => break,
            }
        }
        for _ in 0..LOOKS_MAX {
            if !self.files_wait.swap(false, Ordering::Relaxed) {
                break;
            }
            self.look()?;
        }
        self.settle()?;
        self.look_for_room();
        self.shared.say_unreadable(unreadable);
        // A record may be known as one only when it has settled, long after its bytes came: these do not count. Nor does what
        // was there before: a log that was written long ago has no time that passes.
        if let Some(last) = self.last().filter(|&last| Some(last) != before) {
            self.since = Some((Instant::now(), last));
        }
        if self.interrupt.came() || !self.has_stdin && self.targets.is_empty() {
            return Ok(Step::Over);
        }
        Ok(if self.files_wait.load(Ordering::Relaxed) {
            Step::HasMore
        } else {
            Step::Rests
        })
    }

    /// What time it is on the clock of the log: that of its last record, and as much later as has gone by since that came.
    /// In a log that nobody writes, time does not pass.
    pub(crate) fn now(&self) -> Option<LogInstant> {
        let (_, last) = self.shared.live.input()?;
        Some(match self.since {
            Some((since, then)) if then == last => last.plus_ms(since.elapsed().as_millis() as i64),
            _ => last,
        })
    }

    /// Time passes on the clock of the log: what was waited for in vain is decided. Whether something is held that will be
    /// told soon.
    pub(crate) fn pass(&mut self) -> anyhow::Result<bool> {
        match self.now() {
            Some(now) if self.since.is_some() => self.shared.live.pass(Some(now)),
            // Long ago, it was.
            _ => self.shared.live.pass(None),
        }
    }

    /// What is wrong with the logs now.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let full = self.room.troubles();
        self.troubles.values().cloned().chain(full).collect()
    }

    /// Nothing comes any more: whatever there is is compressed.
    pub(crate) fn is_finished(&self) -> bool {
        !self.has_stdin && self.targets.are_files(&self.compressed)
    }

    /// Ends a step that waits, from another thread.
    pub(crate) fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let send = self.send.clone();
        move || drop(send.try_send(Wake::Nothing))
    }

    /// The log time of the last record.
    fn last(&self) -> Option<LogInstant> {
        self.shared.live.input().map(|(_, last)| last)
    }

    fn take(&mut self, wake: Wake) -> anyhow::Result<()> {
        match wake {
            Wake::Files | Wake::Nothing => {}
            Wake::Input(bytes) => self.feed(Source::Stdin, &bytes)?,
            Wake::InputOver(why) => {
                self.has_stdin = false;
                self.shared
                    .said
                    .extend(why.map(|why| format!("standard input: {why}")));
                self.end(Source::Stdin)?;
            }
        }
        Ok(())
    }

    fn look(&mut self) -> anyhow::Result<()> {
        let Tail {
            follow,
            shared,
            growths,
            targets,
            troubles,
            compressed,
            still,
            held,
            ..
        } = self;
        let mut result = Ok(());
        let mut made = Vec::new();
        let has_more = follow.look(&mut |happened| {
            if let Happened::Begins { target, path, .. }
            | Happened::Truncated {
                target,
                copy: Some(path),
                ..
            } = happened
                && targets.is_file(target)
            {
                let server = targets.server(target).map(str::to_owned);
                held.extend(Held::at(path, server));
            }
            if result.is_err() {
                return;
            }
            match happened {
                Happened::Directory { target, path } => made.push((target, path.to_owned())),
                // Of what may be a file or a directory, one is missing and the other is there.
                Happened::Trouble { path, .. } if targets.is_either(path) && path.exists() => {}
                Happened::Trouble {
                    path,
                    what: what @ Trouble::Compressed(_),
                } => {
                    if compressed.insert(path.to_owned()) {
                        still.push(trouble(path, what));
                    }
                }
                Happened::Trouble { path, what } => {
                    let said = trouble(path, what);
                    if troubles.insert(path.to_owned(), said.clone()).as_ref() != Some(&said) {
                        shared.said.push(said);
                    }
                }
                Happened::Recovered { path } => {
                    // One of several that wait for it may have said so.
                    if troubles.remove(path).is_some() {
                        let path = path.display();
                        shared.said.push(format!("{path}: is read now"));
                    }
                }
                happened => result = took(happened, growths, targets, shared),
            }
        });
        for (within, path) in &made {
            if let Some(target) = targets.found(*within, path) {
                follow.add(target);
            }
        }
        let has_more = has_more || !made.is_empty();
        self.files_wait.fetch_or(has_more, Ordering::Relaxed);
        result
    }

    /// What a server could not write is missing, as far as anybody knows.
    fn look_for_room(&mut self) {
        for (directory, is_full) in self.room.look(self.targets.directories()) {
            self.shared.said.push(if is_full {
                room::full(&directory)
            } else {
                room::over(&directory)
            });
            for growth in self.growths.values() {
                if growth.is_in(&directory) {
                    growth.gap(&mut self.shared.live);
                }
            }
        }
    }

    fn feed(&mut self, source: Source, bytes: &[u8]) -> anyhow::Result<()> {
        let Tail {
            shared, growths, ..
        } = self;
        match growths.get_mut(&source) {
            Some(growth) => growth.feed(bytes, shared),
            None => Ok(()),
        }
    }

    fn end(&mut self, source: Source) -> anyhow::Result<()> {
        let Tail {
            shared, growths, ..
        } = self;
        match growths.remove(&source) {
            Some(mut growth) => growth.end(shared),
            None => Ok(()),
        }
    }

    /// How long until the first log may be settled.
    fn settles_in(&self) -> Option<Duration> {
        let due = self.growths.values().filter_map(|growth| growth.due);
        Some(due.min()?.saturating_duration_since(Instant::now()))
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        let Tail {
            shared, growths, ..
        } = self;
        let is_due = |growth: &&mut Growth| growth.due.is_some_and(|due| due <= Instant::now());
        for growth in growths.values_mut().filter(is_due) {
            growth.settle(shared)?;
        }
        Ok(())
    }
}

/// When a record of this log time was written, if that was a short while ago: then the log's clock is ours.
fn written_at(last: LogInstant) -> Option<Instant> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let age = now.as_millis() as i64 - last.0;
    let is_recent = (-RECENT_MS..RECENT_MS).contains(&age);
    let age = Duration::from_millis(age.max(0) as u64);
    is_recent.then(|| Instant::now().checked_sub(age))?
}

/// Takes in what happened to a file.
fn took(
    happened: Happened<'_>,
    growths: &mut BTreeMap<Source, Growth>,
    targets: &Targets,
    shared: &mut Shared<'_, '_>,
) -> anyhow::Result<()> {
    match happened {
        Happened::Begins {
            file,
            target,
            path,
            position,
        } => {
            let given = targets.server(target);
            let growth = Growth::begins(Whose::of_path(path, given));
            // One that had ended goes on with what is known of it.
            let source = Source::File(file);
            if position == 0 {
                growths.remove(&source);
            }
            growths.entry(source).or_insert(growth);
            Ok(())
        }
        Happened::Bytes { file, bytes } => match growths.get_mut(&Source::File(file)) {
            Some(growth) => growth.feed(bytes, shared),
            None => Ok(()),
        },
        Happened::Ends { file } => {
            let ended = growths.get_mut(&Source::File(file));
            ended.map_or(Ok(()), |growth| growth.end(shared))?;
            // It may go on after all, as long as it would be known again.
            if growths.len() > GROWTHS_MAX {
                let oldest = growths.iter().find(|(_, growth)| growth.has_ended);
                let oldest = oldest.map(|(&source, _)| source);
                oldest.and_then(|source| growths.remove(&source));
            }
            Ok(())
        }
        Happened::Truncated { file, copy, .. } => {
            if let Some(growth) = growths.get_mut(&Source::File(file)) {
                growth.end(shared)?;
                if copy.is_none() {
                    growth.gap(&mut shared.live);
                }
            }
            Ok(())
        }
        // They are said, and concern no bytes.
        Happened::Directory { .. } | Happened::Trouble { .. } | Happened::Recovered { .. } => {
            Ok(())
        }
    }
}

/// What is wrong with a path, and what is done about it.
fn trouble(path: &Path, what: &Trouble) -> String {
    let path = path.display();
    match what {
        Trouble::Missing | Trouble::Compressed(_) => format!("{path}: {what}"),
        _ => format!("{path}: {what}; trying on"),
    }
}

/// Reads standard input to its end.
fn read(mut reader: Box<dyn Read + Send>, send: &SyncSender<Wake>) {
    loop {
        let mut block = vec![0; BLOCK];
        let wake = match reader.read(&mut block) {
            Ok(0) => Wake::InputOver(None),
            Ok(n) => {
                block.truncate(n);
                Wake::Input(block)
            }
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(err) => Wake::InputOver(Some(err.to_string())),
        };
        let is_over = matches!(wake, Wake::InputOver(_));
        if send.send(wake).is_err() || is_over {
            return;
        }
    }
}
