//! From what is found at a path, or comes out of a pipe, to the logs in it: opened, dealt out by server where an envelope names
//! several, and looked at.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pgcensus_log::envelope::{Day, Envelope, SERVERS_MAX};
use pgcensus_log::line_prefix::{Inference, Known, LinePrefix};

use super::archive::{Look, Tar};
use super::compressed::{self, Compression, Damaged, Magic};
use super::enveloped::{self, Order};
use super::file::{self, Kind, LogFile};
use super::growing::Growing;
use super::head::{Head, Opened, SAMPLE_MAX};
use super::input::{Piped, Reading};
use super::judge::judge;
use super::paths::{Candidate, Way};
use super::picked::Pick;
use super::section::Section;
use super::spool::Spool;
use super::translated::Languages;
use super::{Problem, Request};
use crate::view::text::thousands;

/// What files say that others are likely to say too.
pub(super) struct Learned {
    pub(super) prefixes: Known,
    pub(super) languages: Languages,
    /// The prefix that lines of sessions have told, and the directory in which that was.
    pub(super) beside: Option<(PathBuf, LinePrefix)>,
}

impl Learned {
    pub(super) fn of(request: &Request) -> Learned {
        Learned {
            prefixes: Known::default(),
            languages: Languages::new(request.languages.clone()),
            beside: None,
        }
    }

    /// The prefix of the logs beside this one: one server wrote them. Where the head of this one has it, sessions need not be
    /// looked for, which a head of statements alone would take a megabyte for.
    pub(super) fn beside(&self, path: &Path) -> Option<&LinePrefix> {
        let (directory, prefix) = self.beside.as_ref()?;
        (path.parent() == Some(directory)).then_some(prefix)
    }

    /// Keeps what a log was found to be.
    fn keep(&mut self, path: &Path, head: &Head, inferred: Option<&Inference>) {
        if let (Some(inferred), Some(directory)) = (inferred, path.parent())
            && inferred.undecided.is_none()
            && inferred.lines_read == inferred.lines
            && head.tells_of_sessions()
        {
            self.beside = Some((directory.to_owned(), inferred.prefix.clone()));
        }
    }
}

/// What an input was taken for.
pub(super) enum Taken {
    Log(Box<LogFile>),
    Empty,
    /// Said.
    LeftOut(String),
    /// Said by `--explain`.
    Ignored(String),
    /// A log in another format than the one that was asked for; said by `--explain`.
    OtherFormat(String),
    Problem(String),
    Tar(Tar),
}

/// An input, or the part of one that is a server's, as its envelope names it.
pub(super) struct Part {
    pub(super) taken: Taken,
    pub(super) server: Option<String>,
}

impl From<Taken> for Part {
    fn from(taken: Taken) -> Part {
        let server = match &taken {
            Taken::Log(log) => log.envelope.as_ref().and_then(Envelope::server),
            _ => None,
        };
        Part {
            server: server.map(|name| String::from_utf8_lossy(name).into_owned()),
            taken,
        }
    }
}

pub(super) fn take_file(
    candidate: &Candidate,
    request: &Request,
    learned: &mut Learned,
    spool: &mut Spool,
    growing: &mut Vec<Growing>,
) -> Vec<Part> {
    let (path, way) = (&candidate.path, candidate.way);
    let opened = match &candidate.held {
        Some(held) => held.file.try_clone(),
        None => File::open(path),
    };
    let opened = opened.and_then(|file| {
        let metadata = file.metadata()?;
        let end = enveloped::day_of(metadata.modified().unwrap_or_else(|_| SystemTime::now()));
        if !metadata.is_file() {
            let piped = Opened::new(Piped::new(file, &request.reading), end)?;
            return Ok((piped, metadata, None));
        }
        if (request.follows || candidate.held.is_some())
            && let Some((grows, section)) = Growing::of(candidate, &file, &metadata, growing.len())?
        {
            let opened = Opened::new(section.open()?, end)?;
            return Ok((opened, metadata, Some((grows, section))));
        }
        Ok((Opened::new(file, end)?, metadata, None))
    });
    let (opened, metadata, grows) = match opened {
        Ok(opened) => opened,
        Err(err) => return vec![Taken::Problem(Problem::of(path, &err).message).into()],
    };
    if opened.is_tar {
        let look = Look {
            request,
            learned,
            spool,
            path,
            canonical: metadata.is_file().then_some(&candidate.canonical),
            way,
        };
        return vec![take_tar(opened, look).into()];
    }
    let take = Take { request, path, way };
    if !metadata.is_file() {
        return take_stream(opened, take, learned, spool);
    }
    let (kind, size) = match &grows {
        Some((grows, section)) => (Kind::Section(section.clone()), grows.position),
        None => (Kind::File(path.clone()), metadata.len()),
    };
    let stored = Stored {
        kind,
        compression: opened.magic.compression(),
        size,
        broken: None,
    };
    let mut dealt = None;
    let parts = take_stored(opened, stored, take, learned, spool, &mut dealt);
    if let Some((mut grows, _)) = grows {
        grows.dealt = dealt;
        growing.push(grows);
    }
    parts
}

/// What is taken, for whom.
#[derive(Clone, Copy)]
pub(super) struct Take<'a> {
    pub(super) request: &'a Request,
    pub(super) path: &'a Path,
    pub(super) way: Way,
}

/// Where the first megabyte of what is compressed says nothing, so much of it is decompressed to look at its last one.
const READ_ON_MAX: u64 = 64 << 20;

/// Bytes on disk, which can be opened again and again.
pub(super) struct Stored {
    pub(super) kind: Kind,
    /// As they were given.
    pub(super) compression: Option<Compression>,
    pub(super) size: u64,
    /// What is wrong with them where they end.
    pub(super) broken: Option<Damaged>,
}

impl Stored {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(file::with_its_end(self.kind.open()?, self.broken))
    }

    /// Its last megabyte, or of what is compressed the one before [`READ_ON_MAX`], from where a line begins in it. `None`: its
    /// first one is all there is.
    fn tail(&self) -> io::Result<Option<Vec<u8>>> {
        let mut tail = Vec::new();
        match (&self.kind, self.compression) {
            (Kind::File(_) | Kind::Section(_), None) => {
                let mut section = self.kind.open_section()?;
                let Some(begin @ 1..) = section.len()?.checked_sub(SAMPLE_MAX as u64) else {
                    return Ok(None);
                };
                section.seek(SeekFrom::Start(begin))?;
                section.take(SAMPLE_MAX as u64).read_to_end(&mut tail)?;
            }
            (_, compression) => {
                let mut bytes = match compression {
                    Some(compression) => compression.undo(self.open()?)?,
                    None => self.open()?,
                };
                let mut read = 0;
                // Damage is at its end; reading it will say so.
                while read < READ_ON_MAX
                    && let Ok(n @ 1..) = bytes
                        .by_ref()
                        .take(SAMPLE_MAX as u64)
                        .read_to_end(&mut tail)
                {
                    read += n as u64;
                    tail.drain(..tail.len().saturating_sub(SAMPLE_MAX));
                }
                if read <= SAMPLE_MAX as u64 {
                    return Ok(None);
                }
            }
        }
        tail.drain(..memchr::memchr(b'\n', &tail).map_or(tail.len(), |newline| newline + 1));
        Ok((!tail.trim_ascii().is_empty()).then_some(tail))
    }
}

/// What is on disk, and was opened to see what it is. Where it is dealt out, by which layer of its envelope is told.
pub(super) fn take_stored(
    mut opened: Opened,
    stored: Stored,
    take: Take<'_>,
    learned: &mut Learned,
    spool: &mut Spool,
    dealt_by: &mut Option<Envelope>,
) -> Vec<Part> {
    let again = || match opened.magic.compression() {
        Some(compression) => compression.undo(stored.open()?),
        None => stored.open(),
    };
    opened.late = take
        .request
        .trusts_begins
        .then(|| take.request.reading.late.clone());
    match opened.survey(Some(&again)) {
        Ok(None) => take_opened(opened, stored, take, learned, spool, dealt_by),
        Ok(Some((by, order))) => {
            let parts = match picks(&by, order, &opened, &stored) {
                Some(picks) => take_picked(&by, picks, &stored, opened.end, take, spool),
                None => take_dealt(&by, order, opened, take, spool),
            };
            *dealt_by = Some(by);
            parts
        }
        Err(err) => vec![Taken::Problem(Problem::of(take.path, &err).message).into()],
    }
}

/// Whose lines are picked out of a log each time it is read; `None`: it is dealt out.
fn picks(by: &Envelope, order: Order, opened: &Opened, stored: &Stored) -> Option<Vec<Pick>> {
    let late = opened.late.as_ref()?;
    let is_plain = stored.compression.is_none() && stored.broken.is_none();
    let is_there = matches!(stored.kind, Kind::File(_) | Kind::Section(_));
    if !is_plain || !is_there || order != Order::Ascending {
        return None;
    }
    let begin = stored.open().ok()?.take(enveloped::BEGIN);
    // What fails now, dealing it out will say.
    Pick::each(by, begin, late).ok().flatten()
}

/// Takes what is picked for each server as a log of its own.
fn take_picked(
    by: &Envelope,
    picks: Vec<Pick>,
    whole: &Stored,
    end: Day,
    take: Take<'_>,
    spool: &mut Spool,
) -> Vec<Part> {
    let section = match &whole.kind {
        Kind::Section(section) => section.clone(),
        _ => Section::of_file(take.path.to_owned()),
    };
    let each = picks.into_iter().map(|pick| {
        let server = String::from_utf8_lossy(&pick.server).into_owned();
        let stored = Stored {
            kind: Kind::Picked(section.clone(), pick),
            compression: None,
            size: whole.size,
            broken: None,
        };
        (server, true, stored)
    });
    take_parts(by, each, false, end, take, spool)
}

pub(super) fn take_tar(opened: Opened, mut look: Look<'_>) -> Taken {
    let tar = match (look.canonical, opened.magic) {
        (Some(_), Magic::Plain) => look.on_disk(&Section::of_file(look.path.to_owned())),
        (canonical, _) => look.once(opened, canonical.is_none()),
    };
    match tar {
        Ok(tar) => Taken::Tar(tar),
        Err(err) => Taken::Problem(Problem::of(look.path, &err).message),
    }
}

/// What is on disk, and is one log, or begins late.
fn take_opened(
    mut opened: Opened,
    stored: Stored,
    take: Take<'_>,
    learned: &mut Learned,
    spool: &mut Spool,
    dealt_by: &mut Option<Envelope>,
) -> Vec<Part> {
    let Take { request, path, way } = take;
    let known = opened.known();
    opened.set_again();
    let mut head = Head::read(opened, learned, path);
    let (format, inferred) = match judge(&mut head, request, path, way, learned) {
        Ok(log) => log,
        Err(taken) => {
            let is_late = head.may_begin_late();
            let tail = is_late.then(|| stored.tail().ok().flatten()).flatten();
            let Some(tail) = tail else {
                return vec![taken.into()];
            };
            let opened = Opened::tail(known, head.first_line().to_owned(), tail);
            return take_stored(opened, stored, take, learned, spool, dealt_by);
        }
    };
    if head.as_others.is_none() {
        learned.keep(path, &head, inferred.as_ref());
    }
    let mut file = LogFile::from_head(path, &head, format, inferred);
    file.size = Some(stored.size);
    file.compression = stored.compression;
    file.kind = stored.kind;
    file.broken = stored.broken;
    if head.is_end() && file.first.is_some() {
        file.first = file.first_time().unwrap_or(file.first);
    }
    file.look_at_tail(&head, &mut learned.languages);
    vec![Taken::Log(Box::new(file)).into()]
}

pub(super) fn take_stream(
    opened: Opened,
    take: Take<'_>,
    learned: &mut Learned,
    spool: &mut Spool,
) -> Vec<Part> {
    let Take { request, path, .. } = take;
    match opened.survey(None) {
        Ok(None) => {}
        Ok(Some((by, order))) => {
            let mut parts = take_dealt(&by, order, opened, take, spool);
            settle(&mut parts, &request.reading);
            return parts;
        }
        Err(err) => return vec![Taken::Problem(Problem::of(path, &err).message).into()],
    }
    let mut head = Head::read(opened, learned, path);
    match judge(&mut head, request, path, Way::Asked, learned) {
        Ok((format, inferred)) => {
            let mut file = LogFile::from_head(path, &head, format, inferred);
            file.kind = Kind::Stream(head.into_stream());
            // The stream is decompressed, and its envelope undone, on its way in.
            vec![Taken::Log(Box::new(file)).into()]
        }
        Err(taken) => vec![taken.into()],
    }
}

/// What came of a pipe is read from the spool now, and anew counted. Where Ctrl+C ended it, all its servers are known up to
/// the newest line: the log that has it, which is the last, goes on.
fn settle(parts: &mut Vec<Part>, reading: &Reading) {
    reading.begin_again();
    if !reading.interrupt.came() {
        return;
    }
    let is_log = |part: &Part| matches!(part.taken, Taken::Log(_));
    if parts.iter().any(is_log) {
        // What is compressed broke off.
        parts.retain(is_log);
        if let Some(Taken::Log(log)) = parts.last_mut().map(|part| &mut part.taken) {
            log.is_cut = true;
        }
        reading.interrupt.answered();
    }
}

/// Deals out a log by the servers that a layer of its envelope names, and takes each part of it as a log of its own: of one
/// server, or of several that a further layer names.
fn take_dealt(
    by: &Envelope,
    order: Order,
    opened: Opened,
    take: Take<'_>,
    spool: &mut Spool,
) -> Vec<Part> {
    let problem = |message: String| vec![Part::from(Taken::Problem(message))];
    let said = |err: &io::Error| Problem::of(take.path, err).message;
    let (end, compression) = (opened.end, opened.magic.compression());
    let deal = match enveloped::deal_out(by.split(), order, opened.into_reader(), spool) {
        Ok(deal) => deal,
        Err(err) => {
            return problem(format!(
                "its servers cannot be kept apart in a temporary file ({}); set TMPDIR to a directory with room for it",
                said(&err)
            ));
        }
    };
    let is_alone = deal
        .servers
        .iter()
        .filter(|dealt| dealt.is_labelled)
        .count()
        < 2;
    let each = deal.servers.into_iter().map(|dealt| {
        let stored = Stored {
            kind: Kind::Spooled(dealt.section),
            compression,
            size: dealt.len,
            broken: None,
        };
        (dealt.server, dealt.is_labelled, stored)
    });
    let mut parts = take_parts(by, each, is_alone, end, take, spool);
    if let Some(err) = deal.failure {
        let message = match compressed::damage(&err) {
            Some(damaged) => damaged.to_string(),
            None => said(&err),
        };
        parts.extend(problem(message));
    }
    if deal.lines_left_out > 0 {
        let lines = thousands(deal.lines_left_out);
        parts.extend(problem(format!(
            "it is of more than {SERVERS_MAX} servers: {lines} lines of further ones are not read; give it in parts"
        )));
    }
    parts
}

/// Takes the part of each server, of which it is sure or not that it is one, as a log of its own. It `is_alone`: there is one
/// that is sure.
fn take_parts(
    by: &Envelope,
    each: impl Iterator<Item = (String, bool, Stored)>,
    is_alone: bool,
    end: Day,
    take: Take<'_>,
    spool: &mut Spool,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, is_labelled, stored) in each {
        let opened = stored.open().and_then(|bytes| Opened::part(bytes, end, by));
        let taken = match opened {
            Ok(opened) => {
                let learned = &mut Learned::of(take.request);
                take_stored(opened, stored, take, learned, spool, &mut None)
            }
            Err(err) => vec![Taken::Problem(Problem::of(take.path, &err).message).into()],
        };
        let outer = Some(&*name).filter(|name| !name.is_empty());
        let is_single = taken.len() == 1;
        for Part { taken, server } in taken {
            // Other programs write into such a log too.
            if !is_labelled && matches!(taken, Taken::Problem(_) | Taken::LeftOut(_)) {
                continue;
            }
            let server = match (outer, server) {
                (Some(outer), Some(inner)) if !is_alone && !is_single => {
                    Some(format!("{outer}/{inner}"))
                }
                (Some(outer), _) if !is_alone => Some(outer.to_owned()),
                (outer, inner) => inner.or(outer.map(str::to_owned)),
            };
            parts.push(Part { taken, server });
        }
    }
    parts
}
