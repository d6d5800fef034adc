//! What is in a tar: each member that is a log is a log of its own, like a file of a directory.
//!
//! ```text
//! tar on disk             ─► member: a section of it, read in its place
//! tar.gz …, tar in a pipe ─► member: a stream ─► is it a log? ─► spool ─► a section of that
//! ```
//!
//! The members of a set are wanted in order of time, and some more than once (their head, their end, to see whether two
//! are alike); in a compressed tar that would mean to decompress all of it for each, in a pipe it cannot be. So what
//! can be read once is gone through once, and what is a log in it is kept in a temporary file that has no
//! name. What came compressed is compressed there: a thousandfold bomb does not fill the disk, and of the logs of a
//! week a tenth is written. What came plain is kept plain, and read in its place.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pgcensus_log::envelope::Day;

use super::ahead::Ahead;
use super::compressed::{self, Damaged, Harm, Magic};
use super::enveloped;
use super::file::Kind;
use super::head::{Head, Opened};
use super::judge::judge;
use super::paths::{self, Way};
use super::section::{OpenSection, Section};
use super::spool::Spool;
use super::take::{Learned, Part, Stored, Take, Taken, take_stored};
use super::tar::{self, Broken, Member, Tape, Walk};
use super::{Problem, Request};
use crate::view::text::{shown, thousands};

/// So many files of a tar are looked at.
const MEMBERS_MAX: usize = 100_000;

/// A tar that nobody named, such as a backup that lies in a directory, is not gone through further than this where
/// there was no log up to there.
const WITHOUT_LOG_MAX: u64 = 1 << 30;

/// So much of compressed stdin is looked at for whether it is a tar: a block of lz4 has 4 MiB.
const PEEK_MAX: u64 = 5 << 20;

/// What a tar held.
#[derive(Default)]
pub(super) struct Tar {
    pub(super) members: Vec<TarMember>,
    /// Why it was not gone through to its end.
    pub(super) problem: Option<String>,
    /// It goes on after [`WITHOUT_LOG_MAX`].
    pub(super) is_left: bool,
}

impl Tar {
    /// There is something to say of it.
    pub(super) fn has_log(&self) -> bool {
        let is_log = |part: &Part| !matches!(part.taken, Taken::Ignored(_) | Taken::OtherFormat(_));
        let mut parts = self.members.iter().flat_map(|member| &member.parts);
        self.problem.is_some() || parts.any(is_log)
    }
}

/// A file in a tar.
pub(super) struct TarMember {
    /// `logs.tar.gz: pg_log/postgresql.log`
    pub(super) display: PathBuf,
    /// The server that its place tells.
    pub(super) server: String,
    pub(super) parts: Vec<Part>,
}

/// Whether stdin begins with a tar, compressed or not. What was read to see it is put back.
pub(super) fn begins_tar(reader: &mut Box<dyn Read + Send>) -> io::Result<bool> {
    let mut begin = Vec::new();
    // Plain text is told without a wait for more than it may have by now.
    reader.take(tar::BLOCK as u64).read_to_end(&mut begin)?;
    let compression = compressed::sniff(&begin).compression();
    if compression.is_some() {
        reader.take(PEEK_MAX).read_to_end(&mut begin)?;
    }
    let mut block = Vec::new();
    let peek = io::Cursor::new(begin.clone());
    let text: Box<dyn Read + Send> = match compression {
        Some(compression) => compression.undo(peek)?,
        None => Box::new(peek),
    };
    // What is damaged there is no tar, or will be said to be damaged.
    let _ = text.take(tar::BLOCK as u64).read_to_end(&mut block);
    let rest = std::mem::replace(reader, Box::new(io::empty()));
    *reader = Box::new(io::Cursor::new(begin).chain(rest));
    Ok(tar::is_tar(&block))
}

/// Goes through tars, with what is needed to judge their members.
pub(super) struct Look<'a> {
    pub(super) request: &'a Request,
    pub(super) learned: &'a mut Learned,
    pub(super) spool: &'a mut Spool,
    /// As it is shown.
    pub(super) path: &'a Path,
    /// As the names of servers are taken from it; `None` for what can be read once.
    pub(super) canonical: Option<&'a Path>,
    pub(super) way: Way,
}

impl Look<'_> {
    /// A plain tar in a file.
    pub(super) fn on_disk(&mut self, tar: &Section) -> io::Result<Tar> {
        let whole = tar.open()?;
        let size = whole.len()?;
        Ok(self.walk(Walk::new(whole), |look, member, path| {
            let there = size.saturating_sub(member.start).min(member.len);
            let stored = Stored {
                kind: Kind::Section(tar.part(member.start, there)),
                compression: None,
                size: there,
                broken: (there < member.len).then(|| truncated(there)),
            };
            look.take(stored, member, path)
        }))
    }

    /// What can be read once, from its first byte.
    pub(super) fn once(&mut self, opened: Opened, is_piped: bool) -> io::Result<Tar> {
        let is_plain = opened.magic == Magic::Plain;
        let mut reader = opened.into_reader();
        if !is_plain {
            // One core decompresses while another compresses.
            reader = Box::new(Ahead::new(reader)?);
        }
        let once = Once::new(reader);
        let mut tar = self.walk(Walk::new(once.clone()), |look, member, path| {
            let bytes = MemberBytes {
                once: once.clone(),
                start: member.start,
                end: member.start.saturating_add(member.len),
            };
            look.keep(bytes, member, path, is_plain)
                .unwrap_or_else(|taken| vec![taken.into()])
        });
        if is_piped {
            self.settle(&mut tar);
        }
        Ok(tar)
    }

    /// Keeps a member where it is a log, and takes it from there.
    fn keep(
        &mut self,
        bytes: MemberBytes,
        member: &Member,
        path: &Path,
        is_plain: bool,
    ) -> Result<Vec<Part>, Taken> {
        let problem = |err: io::Error| Taken::Problem(Problem::of(path, &err).message);
        let mut opened = Opened::new(bytes, day_of(member)).map_err(problem)?;
        let compression = opened.magic.compression();
        // Whose lines are in an envelope, all of it tells.
        let text = if opened.is_tar {
            return Err(nested());
        } else if opened.envelope.is_some() {
            opened.into_reader()
        } else {
            opened.set_again();
            let mut head = Head::read(opened, self.learned, path);
            let judged = judge(&mut head, self.request, path, Way::Member, self.learned);
            if !head.may_begin_late() {
                judged?;
            }
            head.into_reader()
        };
        let is_plain = is_plain && compression.is_none();
        let stored = self.spool.keep(text, compression, is_plain);
        let stored = stored.map_err(|err| {
            Taken::Problem(format!(
                "it cannot be kept in a temporary file ({}); set TMPDIR to a directory with room for it",
                Problem::of("", &err).message
            ))
        })?;
        Ok(self.take(stored, member, path))
    }

    /// Takes a member from where it lies.
    fn take(&mut self, mut stored: Stored, member: &Member, path: &Path) -> Vec<Part> {
        let opened = stored.open();
        let opened = opened.and_then(|bytes| Opened::new(bytes, day_of(member)));
        let opened = match opened {
            Ok(opened) if opened.is_tar => return vec![nested().into()],
            Ok(opened) => opened,
            Err(err) => return vec![Taken::Problem(Problem::of(path, &err).message).into()],
        };
        if let Some(compression) = opened.magic.compression() {
            stored.compression = Some(compression);
            // Its decoder finds out where it breaks off.
            stored.broken = None;
        }
        let look = Take {
            request: self.request,
            path,
            way: Way::Member,
        };
        take_stored(opened, stored, look, self.learned, self.spool, &mut None)
    }

    /// What came of a pipe is read from the spool now, and anew counted; where Ctrl+C ended it, the last log goes on.
    fn settle(&self, tar: &mut Tar) {
        let reading = &self.request.reading;
        reading.begin_again();
        let is_log = |part: &Part| matches!(part.taken, Taken::Log(_));
        let members = tar.members.iter_mut().rev();
        let last = members
            .into_iter()
            .find(|member| member.parts.iter().any(is_log));
        if reading.interrupt.came()
            && let Some(last) = last
        {
            last.parts.retain(is_log);
            for part in &mut last.parts {
                if let Taken::Log(log) = &mut part.taken {
                    log.is_cut = true;
                    log.broken = None;
                }
            }
            tar.problem = None;
            reading.interrupt.answered();
        }
    }

    fn walk<T: Tape>(
        &mut self,
        mut walk: Walk<T>,
        mut take: impl FnMut(&mut Self, &Member, &Path) -> Vec<Part>,
    ) -> Tar {
        let mut tar = Tar::default();
        let mut has_log = false;
        loop {
            let member = match walk.next() {
                Ok(Some(member)) => member,
                Ok(None) => return tar,
                Err(broken) => {
                    // Of a log that breaks off it is said where that is read.
                    let is_broken = |part: &Part| matches!(&part.taken, Taken::Log(log) if log.broken.is_some());
                    let last = tar.members.last();
                    let is_said = last.is_some_and(|last| last.parts.iter().any(is_broken));
                    tar.problem = (!is_said).then(|| self.say(&broken));
                    return tar;
                }
            };
            if paths::is_hidden(&member.name) {
                continue;
            }
            if self.way != Way::Asked && !has_log && member.start > WITHOUT_LOG_MAX {
                tar.is_left = true;
                return tar;
            }
            let display = format!("{}: {}", self.path.display(), shown(&member.name));
            if tar.members.len() == MEMBERS_MAX {
                let max = thousands(MEMBERS_MAX as u64);
                tar.problem = Some(format!(
                    "more than {max} files are in it: the others are not read"
                ));
                return tar;
            }
            let display = PathBuf::from(display);
            let parts = if member.is_sparse {
                vec![sparse(&display).into()]
            } else {
                take(self, &member, &display)
            };
            has_log |= parts.iter().any(|part| matches!(part.taken, Taken::Log(_)));
            let server = paths::member_server_name(self.canonical, &member.name);
            tar.members.push(TarMember {
                display,
                server: shown(server.as_bytes()).into_owned(),
                parts,
            });
        }
    }

    fn say(&self, broken: &Broken) -> String {
        let damaged = |harm, at| {
            Damaged {
                name: "tar",
                harm,
                bytes_read: at,
            }
            .to_string()
        };
        match broken {
            Broken::Truncated(at) => damaged(Harm::Truncated, *at),
            Broken::Corrupt(at) => damaged(Harm::Corrupt, *at),
            Broken::Unread(err) => match compressed::damage(err) {
                Some(damaged) => damaged.to_string(),
                None => Problem::of(self.path, err).message,
            },
        }
    }
}

fn nested() -> Taken {
    Taken::LeftOut("a tar inside of a tar, which is not read; take it out".to_owned())
}

fn sparse(path: &Path) -> Taken {
    if paths::is_named_as_log(path) {
        let what = "a sparse file, which is not read; write the tar without --sparse";
        Taken::Problem(what.to_owned())
    } else {
        Taken::Ignored("a sparse file".to_owned())
    }
}

/// A log ends about the day of its last change.
fn day_of(member: &Member) -> Day {
    let since = Duration::from_secs(member.modified);
    enveloped::day_of(
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .unwrap_or_else(SystemTime::now),
    )
}

pub(super) fn truncated(bytes_read: u64) -> Damaged {
    Damaged {
        name: "tar",
        harm: Harm::Truncated,
        bytes_read,
    }
}

impl Tape for OpenSection {
    fn wind_to(&mut self, at: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(at)).map(drop)
    }
}

/// A tar that can be read once. Its members share it; whichever is read last, it goes on from there.
#[derive(Clone)]
struct Once(Arc<Mutex<OnceState>>);

struct OnceState {
    reader: Box<dyn Read + Send>,
    at: u64,
    /// After this there is nothing.
    failure: Option<io::Error>,
}

impl Once {
    fn new(reader: Box<dyn Read + Send>) -> Once {
        Once(Arc::new(Mutex::new(OnceState {
            reader,
            at: 0,
            failure: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, OnceState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Once {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        if let Some(failure) = &state.failure {
            return Err(again(failure));
        }
        let read = state.reader.read(buf);
        match &read {
            Ok(n) => state.at += *n as u64,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => state.failure = Some(again(err)),
        }
        read
    }
}

impl Tape for Once {
    fn wind_to(&mut self, at: u64) -> io::Result<()> {
        let between = at.saturating_sub(self.state().at);
        io::copy(&mut self.take(between), &mut io::sink()).map(drop)
    }
}

/// The same error: it is met by the member that was read, and by whoever looks for the next.
fn again(err: &io::Error) -> io::Error {
    match (compressed::damage(err), err.raw_os_error()) {
        (Some(damaged), _) => damaged.into(),
        (None, Some(code)) => io::Error::from_raw_os_error(code),
        (None, None) => io::Error::new(err.kind(), err.to_string()),
    }
}

/// A member of it.
struct MemberBytes {
    once: Once,
    start: u64,
    end: u64,
}

impl Read for MemberBytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = self.once.state().at;
        let len = buf
            .len()
            .min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX));
        match self.once.read(&mut buf[..len]) {
            Ok(0) if len > 0 => Err(truncated(at.saturating_sub(self.start)).into()),
            read => read,
        }
    }
}

#[cfg(test)]
mod tests;
