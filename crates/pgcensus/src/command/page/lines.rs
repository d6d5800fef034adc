//! What the log says of some sessions, read where it stands: the records of a backend around its `connection authorized` and its
//! end. So little of a log is read once more that it hardly matters how long it is.
//!
//! What is not on disk as it was decoded (compressed, in an envelope, in another language) is read again from its begin, as far as
//! [`AGAIN_MAX`] bytes. What was piped in is gone.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use pgcensus_core::session::Session;
use pgcensus_core::zone::LogClock;
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;

use super::super::written::Writer;
use crate::pipeline::Outcome;
use crate::source::Plan;
use crate::source::file::LogFile;

/// So much is looked at before a backend's `connection authorized`, for what it had said until then: others write in between.
const BEGIN: u64 = 4 << 10;

/// The same before its end, for a FATAL that says why.
const END: u64 = 1 << 10;

/// And from the begin of either record on.
const AFTER: u64 = 1 << 10;

/// Bytes of a log that are read again at most, where there is no other way to come to its end.
const AGAIN_MAX: u64 = 256 << 20;

/// Bytes that are read at once then.
const READ_ONCE: u64 = 256 << 10;

/// Of a session so many records are shown, each of so many bytes.
const LINES_MAX: usize = 20;
const RECORD_MAX: usize = 1 << 10;

/// All lines of a page have so many bytes at most; of sessions past that there are none, the most notable come first.
const BYTES_MAX: usize = 2 << 20;

/// A place that is looked at, and for whom.
struct Wanted {
    offset: u64,
    /// So much before it, too.
    before: u64,
    /// Position of the session.
    session: usize,
}

/// The lines of each session, in the order of the log; of one that cannot be read again, none.
pub(super) fn of(plan: &Plan, outcome: &Outcome, sessions: &[Rc<Session>]) -> Vec<Vec<String>> {
    let mut wanted: BTreeMap<(usize, usize), Vec<Wanted>> = BTreeMap::new();
    for (at, session) in sessions.iter().enumerate() {
        let server = usize::from(session.server.0);
        let places = [(session.authorized_in, BEGIN), (session.ended_in, END)];
        for (place, before) in places {
            let Some(place) = place else { continue };
            let file = wanted.entry((server, place.file())).or_default();
            file.push(Wanted {
                offset: place.offset(),
                before,
                session: at,
            });
        }
    }
    let mut lines = vec![BTreeMap::new(); sessions.len()];
    for ((server, file), mut wanted) in wanted {
        let told = &outcome.servers[server];
        let Some(log) = plan.servers[server].files.get(file) else {
            continue;
        };
        wanted.sort_by_key(|wanted| wanted.offset);
        let later = told.files[file].later_prefixes.iter();
        let later = later.filter_map(|prefix| LinePrefix::parse(prefix).ok());
        let mut found = Found {
            sessions,
            file,
            formats: [log.format.clone()]
                .into_iter()
                .chain(later.map(Format::Stderr))
                .collect(),
            clock: told.clock.clone(),
            lines: &mut lines,
        };
        // Of a file that cannot be read any more nothing is shown: what it said has been counted.
        let _ = found.read(log, &wanted);
    }
    let mut bytes = 0;
    let lines = lines.into_iter().map(|lines| {
        let lines: Vec<_> = lines.into_values().take(LINES_MAX).collect();
        bytes += lines.iter().map(String::len).sum::<usize>();
        if bytes <= BYTES_MAX {
            lines
        } else {
            Vec::new()
        }
    });
    lines.collect()
}

/// What is found in one file.
struct Found<'s> {
    sessions: &'s [Rc<Session>],
    file: usize,
    formats: Vec<Format>,
    clock: LogClock,
    /// Of each session, by file and byte: what is looked at twice is kept once.
    lines: &'s mut [BTreeMap<(usize, u64), String>],
}

impl Found<'_> {
    fn read(&mut self, log: &LogFile, wanted: &[Wanted]) -> io::Result<()> {
        let Some(mut section) = log.open_plain()? else {
            return self.read_through(log, wanted);
        };
        let start = section.stream_position()?;
        let mut piece = Vec::new();
        for wanted in wanted {
            let begin = wanted.offset.saturating_sub(wanted.before);
            section.seek(SeekFrom::Start(start + begin))?;
            piece.clear();
            let len = wanted.offset - begin + AFTER;
            section.by_ref().take(len).read_to_end(&mut piece)?;
            self.piece(&piece, begin, wanted);
        }
        Ok(())
    }

    /// The same of what can only be read from its begin on.
    fn read_through(&mut self, log: &LogFile, wanted: &[Wanted]) -> io::Result<()> {
        let mut reader = log.open()?.take(AGAIN_MAX);
        let mut bytes = Vec::new();
        let mut begin = 0;
        for wanted in wanted {
            let from = wanted.offset.saturating_sub(wanted.before);
            let to = wanted.offset + AFTER;
            while begin + (bytes.len() as u64) < to {
                let passed = from.saturating_sub(begin).min(bytes.len() as u64);
                bytes.drain(..passed as usize);
                begin += passed;
                if reader.by_ref().take(READ_ONCE).read_to_end(&mut bytes)? == 0 {
                    break;
                }
            }
            let at = |offset: u64| (offset.saturating_sub(begin) as usize).min(bytes.len());
            let piece = &bytes[at(from)..at(to)];
            self.piece(piece, from.max(begin), wanted);
        }
        Ok(())
    }

    /// Keeps the records of a backend in some bytes, which lie at `begin`.
    fn piece(&mut self, piece: &[u8], begin: u64, wanted: &Wanted) {
        let session = &self.sessions[wanted.session];
        let Some(pid) = session.pid else { return };
        let writer = Writer {
            pid,
            since: session.session_start.or(session.authorized_at),
            until: session.session_end,
        };
        for written in writer.records(piece, &self.formats, &mut self.clock) {
            let record = &written.text[..written.text.len().min(RECORD_MAX)];
            let place = (self.file, begin + written.offset as u64);
            let text = String::from_utf8_lossy(record).into_owned();
            self.lines[wanted.session].insert(place, text);
        }
    }
}
