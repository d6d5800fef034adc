//! Logs that grow: how far they are read as what is there, where they go on, and what the begin of a new one shows it
//! to be.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgcensus_log::decoder::RECORD_MAX;
use pgcensus_log::envelope::Envelope;
use pgcensus_log::format::Format;

use super::compressed::{self, MAGIC_MAX, Magic};
use super::enveloped::{self, Order};
use super::file::{LogFile, lines_end};
use super::head::{Head, Opened};
use super::judge::judge;
use super::paths::{Candidate, Way};
use super::section::{Section, read_fully_at};
use super::take::{Learned, Taken};
use super::translated::Translated;
use super::{Problem, Request};

/// What was written to so long ago is kept open from the first look at it on, so that it is the same file that is
/// followed, whatever is called so by then.
const RECENT: Duration = Duration::from_secs(600);

/// Where the last line end of a file is looked for first; further where a line is longer.
const TAIL: usize = 4 << 10;

/// So many are kept open at most; the others are opened again.
const OPEN_MAX: usize = 64;

/// A file that was at a path, open: it stays what it is, whatever it is called and whether it has a name.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    /// The name of `--server`.
    pub(crate) server: Option<String>,
}

impl Held {
    /// The regular file at this path.
    pub(crate) fn at(path: &Path, server: Option<String>) -> Option<Held> {
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        let file = is_file.then(|| File::open(path).ok())??;
        Some(Held {
            path: path.to_owned(),
            file: Arc::new(file),
            server,
        })
    }

    /// It is still at its path.
    pub(crate) fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|there| self.is(&there))
    }

    /// Whether this is of the same file.
    #[cfg(unix)]
    pub(crate) fn is(&self, other: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let own = self.file.metadata();
        own.is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
    }

    /// Whether this is of the same file: nobody can say.
    #[cfg(not(unix))]
    pub(crate) fn is(&self, _: &Metadata) -> bool {
        true
    }
}

/// A plain file that may go on behind what is read of it at first.
#[derive(Debug)]
pub(crate) struct Growing {
    /// As it is shown.
    pub(crate) path: PathBuf,
    /// Where it is followed: at its path, or where it was.
    pub(crate) at: PathBuf,
    /// Bytes that are read at first: whole lines.
    pub(crate) position: u64,
    /// It, if it was written to a short while ago.
    pub(crate) file: Option<Arc<File>>,
    /// The layer of its envelope by which it is dealt out to several servers.
    pub(crate) dealt: Option<Envelope>,
    /// The name of `--server`.
    pub(crate) server: Option<String>,
}

impl Growing {
    /// What is read of a file at first, and where it lies; `None` for what does not grow by lines.
    pub(super) fn of(
        candidate: &Candidate,
        file: &File,
        metadata: &Metadata,
        open: usize,
    ) -> io::Result<Option<(Growing, Section)>> {
        let mut magic = [0; MAGIC_MAX];
        let (n, read) = read_fully_at(file, &mut magic, 0);
        read?;
        if !matches!(compressed::sniff(&magic[..n]), Magic::Plain) {
            return Ok(None);
        }
        let position = whole_lines(file, metadata.len())?;
        let age = metadata
            .modified()
            .map(|at| SystemTime::now().duration_since(at));
        let is_recent = age.is_ok_and(|age| age.unwrap_or_default() < RECENT) && open < OPEN_MAX
            || candidate.held.is_some();
        let file = is_recent
            .then(|| file.try_clone().map(Arc::new))
            .transpose()?;
        let section = match &file {
            Some(file) => Section::of_open(file.clone(), 0, position),
            None => Section::of_file(candidate.path.clone()).part(0, position),
        };
        let growing = Growing {
            path: candidate.path.clone(),
            at: match &candidate.held {
                Some(held) => held.path.clone(),
                None => candidate.path.clone(),
            },
            position,
            file,
            dealt: None,
            server: candidate.server.clone(),
        };
        Ok(Some((growing, section)))
    }
}

/// Where the last line ends that is whole; where that is too long to be a record, the end.
fn whole_lines(file: &File, len: u64) -> io::Result<u64> {
    let mut wanted = TAIL;
    loop {
        let begin = len.saturating_sub(wanted as u64);
        let mut tail = vec![0; (len - begin) as usize];
        let (n, read) = read_fully_at(file, &mut tail, begin);
        read?;
        match lines_end(&tail[..n]) {
            0 if begin == 0 => return Ok(0),
            0 if wanted >= RECORD_MAX => return Ok(begin + n as u64),
            0 => wanted *= 4,
            end => return Ok(begin + end as u64),
        }
    }
}

/// What the begin of a log shows.
pub(crate) enum Begin {
    /// It is one log, written like this.
    Log(Box<LogFile>),
    /// It is of several servers, or may be: this layer of its envelope names them.
    Dealt(Envelope),
    /// Nothing yet.
    Open,
    /// It is no log, in these words.
    Other(String),
}

/// Looks at logs that begin.
pub(crate) struct Begins<'r> {
    request: &'r Request,
    learned: Learned,
    /// Other formats of servers, by their ids, of which it was said that they are left out.
    left_out: BTreeSet<(usize, &'static str)>,
}

impl<'r> Begins<'r> {
    pub(crate) fn new(request: &'r Request) -> Begins<'r> {
        Begins {
            request,
            learned: Learned::of(request),
            left_out: BTreeSet::new(),
        }
    }

    /// A log of this server in another format than the one that is followed is left out. Whether it is the first one: with
    /// each rotation comes one more.
    pub(crate) fn leaves_out(&mut self, server: usize, format: &Format) -> bool {
        self.left_out.insert((server, format.name()))
    }

    /// The languages of a log that goes on with these lines, where that has others than are known of it.
    pub(crate) fn other_languages(
        &mut self,
        known: Option<&Translated>,
        lines: &[u8],
    ) -> Option<Translated> {
        let all = self.learned.languages.and(known, lines)?;
        let count = known.map_or(0, |known| known.languages().len());
        (all.languages().len() > count).then_some(all)
    }

    /// What the first bytes of a log show, `within` the envelope by which it was dealt out.
    pub(crate) fn look(&mut self, bytes: &[u8], path: &Path, within: Option<&Envelope>) -> Begin {
        let now = enveloped::day_of(SystemTime::now());
        let bytes = io::Cursor::new(bytes.to_vec());
        let opened = match within {
            Some(envelope) => Opened::part(bytes, now, envelope),
            None => Opened::new(bytes, now),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(err) => return Begin::Other(Problem::of(path, &err).message),
        };
        if let Some(compression) = opened.magic.compression() {
            return Begin::Other(format!(
                "{}, which cannot be followed while it grows; follow what is compressed",
                compression.name()
            ));
        }
        if opened.is_tar {
            return Begin::Other(
                "a tar, which does not grow; read it by another command".to_owned(),
            );
        }
        // It is read once: where servers are named, others may come.
        match opened.survey(None) {
            Ok(Some((by, Order::Ascending))) => return Begin::Dealt(by),
            Ok(Some((_, Order::Descending))) => {
                return Begin::Other("newest first, so nothing is added at its end".to_owned());
            }
            Ok(None) => {}
            Err(err) => return Begin::Other(Problem::of(path, &err).message),
        }
        let mut head = Head::read(opened, &mut self.learned, path);
        match judge(&mut head, self.request, path, Way::Asked, &mut self.learned) {
            Ok((format, inferred)) => {
                Begin::Log(Box::new(LogFile::from_head(path, &head, format, inferred)))
            }
            Err(Taken::Problem(what) | Taken::LeftOut(what) | Taken::OtherFormat(what)) => {
                Begin::Other(what)
            }
            Err(Taken::Empty | Taken::Ignored(_) | Taken::Log(_) | Taken::Tar(_)) => Begin::Open,
        }
    }
}
