//! One log that grows: its bytes, in any pieces, become whole records.
//!
//! ```text
//! bytes ─► (dealt out by server) ─► envelope undone ─► in English ─► cut into records ─► Live::append
//! ```
//!
//! What a log is, its begin shows: its first bytes are kept until they show it. Where a log of several servers is
//! dealt out, each part is a log of its own, which begins with its first line.
//!
//! A record of csvlog or jsonlog tells where it ends. One of stderr does not: it ends where the next one begins, or
//! where nothing has come [for a while](Growth::settle) after a whole line.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgcensus_log::decoder::Decoder;
use pgcensus_log::envelope::{Envelope, SERVERS_MAX, Split};
use pgcensus_log::format::{BOM, Format};

use super::log::{Amended, Log};
use crate::pipeline::{Live, LogId};
use crate::source::file::LogFile;
use crate::source::growing::{Begin, Begins};
use crate::source::name_of;
use crate::source::names::ServerNames;
use crate::view::text::counted;

/// Nothing came of a log for so long: its last line is the last of its record. The server writes a record at once.
pub(super) const SETTLED: Duration = Duration::from_millis(2);

/// Nothing came of the log of a server for so long, while it writes another format: it writes that alone now.
const SILENT: Duration = Duration::from_secs(2);

/// The server writes an event in all its formats within this.
const TOGETHER: Duration = Duration::from_millis(50);

/// Of another format so much is kept; beyond it, what came first is dropped.
const RIVAL_MAX: usize = 4 << 20;

/// Of what does not show what it is, so much is kept; what has shown nothing by then is no log.
const BEGIN_MAX: usize = 1 << 20;

/// Up to so much is looked at again with each line: what was started before the server has its lines first, and a server
/// where little happens is seen with its own first one all the same.
const BEGIN_FEW: usize = 16 << 10;

/// So much shows it, as far as it will.
pub(super) const BEGIN_ENOUGH: usize = 64 << 10;

/// What all logs of a run share.
pub(crate) struct Shared<'a, 's> {
    pub(crate) live: Live<'a, 's>,
    pub(super) begins: Begins<'a>,
    /// What servers are called that are known by their paths.
    pub(super) names: ServerNames,
    /// What is to be said of the logs; who shows it takes it.
    pub(crate) said: Vec<String>,
    /// Records that went on after they were told; likewise.
    pub(crate) amended: Vec<Amended>,
    /// When bytes came of a log of each server that is read.
    pub(super) fed: BTreeMap<usize, Instant>,
    /// [`SETTLED`], and how long it may take until it is known that more has come.
    pub(super) settled: Duration,
}

impl Shared<'_, '_> {
    /// Says once what could not be read since there were so many records that could not.
    pub(super) fn say_unreadable(&mut self, before: u64) {
        let (now, excerpt) = (self.live.unreadable_total(), self.live.last_unreadable());
        if let Some(more @ 1..) = now.checked_sub(before) {
            let records = counted(more, "record", "records");
            let excerpt = String::from_utf8_lossy(excerpt.unwrap_or_default());
            let first = excerpt.lines().next().unwrap_or_default();
            self.said.push(format!(
                "{records} cannot be read, as if something of the log were missing: {first}"
            ));
        }
    }
}

/// A log that grows.
pub(super) struct Growth {
    whose: Whose,
    state: State,
    /// When what has come is taken for whole, if nothing more does.
    pub(super) due: Option<Instant>,
    /// Nothing more is expected.
    pub(super) has_ended: bool,
}

/// Whose log it is, as far as that is known before its lines are.
#[derive(Clone)]
pub(super) struct Whose {
    /// Where it is, as it is said.
    pub(super) path: PathBuf,
    /// The name of `--server`.
    pub(super) given: Option<String>,
    /// It is dealt out of another one, whose layer names this server.
    pub(super) part: Option<(Envelope, String)>,
    /// What was there of it has been left out: another format, or a copy.
    pub(super) is_left_out: bool,
}

impl Whose {
    pub(super) fn of_path(path: &Path, given: Option<&str>) -> Whose {
        Whose {
            path: path.to_owned(),
            given: given.map(str::to_owned),
            part: None,
            is_left_out: false,
        }
    }

    fn name(&self, envelope: Option<&Envelope>, names: &mut ServerNames) -> String {
        let in_envelope = envelope.and_then(Envelope::server);
        let in_envelope = in_envelope.map(|name| String::from_utf8_lossy(name).into_owned());
        let part = self.part.as_ref().map(|(_, name)| name.clone());
        let part = part.filter(|name| !name.is_empty());
        let is_alone = part.is_none();
        name_of(
            self.given.as_deref(),
            part.or(in_envelope),
            is_alone,
            || {
                let path = self.path.canonicalize();
                names.name(path.as_ref().unwrap_or(&self.path))
            },
        )
    }
}

enum State {
    /// Its first bytes, and how many of them were looked at in vain.
    Begins { head: Vec<u8>, seen: usize },
    /// It is dealt out to servers.
    Dealt(Box<Dealt>),
    /// It is read.
    Log(Box<Log>),
    /// It is another format of a server of which one is read.
    Rival(Box<Rival>),
    /// It is not.
    Other,
}

/// Which bytes came when.
struct Rival {
    log: LogFile,
    server: usize,
    pieces: VecDeque<(Instant, Vec<u8>)>,
}

struct Dealt {
    by: Envelope,
    split: Split,
    parts: Vec<(Box<[u8]>, Growth)>,
    is_full: bool,
}

impl Growth {
    /// A log that begins.
    pub(super) fn begins(whose: Whose) -> Growth {
        let (head, seen) = (Vec::new(), 0);
        Growth::new(whose, State::Begins { head, seen })
    }

    /// One whose begin has been read.
    pub(super) fn goes_on(
        whose: Whose,
        log: &LogFile,
        id: LogId,
        live: &mut Live<'_, '_>,
    ) -> Growth {
        let mut read = Log::new(id, log);
        read.goes_on(live.take_rest(id));
        Growth::new(whose, State::Log(Box::new(read)))
    }

    /// One that is dealt out by this layer of its envelope.
    pub(super) fn dealt(whose: Whose, by: Envelope) -> Growth {
        Growth::new(whose, State::Dealt(Box::new(Dealt::new(by))))
    }

    /// One that is not read.
    pub(super) fn other(whose: Whose) -> Growth {
        Growth::new(whose, State::Other)
    }

    fn new(whose: Whose, state: State) -> Growth {
        Growth {
            whose,
            state,
            due: None,
            has_ended: false,
        }
    }

    /// Takes its next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8], shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        let now = Instant::now();
        self.has_ended = false;
        if let State::Rival(rival) = &mut self.state {
            self.due = Some(rival.keep(bytes, now));
            return Ok(());
        }
        self.due = Some(now + shared.settled);
        match &mut self.state {
            State::Begins { head, .. } => {
                head.extend_from_slice(bytes);
                if head.len() >= BEGIN_ENOUGH {
                    self.look(shared)?;
                }
                Ok(())
            }
            State::Dealt(dealt) => dealt.feed(bytes, &self.whose, shared),
            State::Log(log) => {
                shared.fed.insert(log.id.server, now);
                log.feed(bytes, shared)
            }
            State::Rival(_) | State::Other => Ok(()),
        }
    }

    /// Nothing has come for a while: what has come is whole, as far as it is whole lines.
    pub(super) fn settle(&mut self, shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        self.due = None;
        match &mut self.state {
            State::Begins { head, .. } if head.ends_with(b"\n") => {
                self.look(shared)?;
                match &mut self.state {
                    State::Begins { .. } => Ok(()),
                    _ => self.settle(shared),
                }
            }
            State::Dealt(dealt) => {
                for (_, part) in &mut dealt.parts {
                    if part.due.is_some() {
                        part.settle(shared)?;
                    }
                }
                // One that is another format waits for longer.
                self.due = dealt.parts.iter().filter_map(|(_, part)| part.due).min();
                Ok(())
            }
            State::Log(log) => log.settle(shared),
            State::Rival(rival) => match rival.judge(shared) {
                Verdict::Waits(due) => {
                    self.due = due;
                    Ok(())
                }
                Verdict::Alone(id) => self.takes_over(id, shared),
            },
            State::Begins { .. } | State::Other => Ok(()),
        }
    }

    /// The server writes this format alone now.
    fn takes_over(&mut self, id: LogId, shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        let State::Rival(rival) = std::mem::replace(&mut self.state, State::Other) else {
            return Ok(());
        };
        let path = self.whose.path.display();
        let format = rival.log.format.name();
        shared.said.push(format!(
            "{path}: followed from now on; what was followed of its server has gone silent, and it writes {format}"
        ));
        self.state = State::Log(Box::new(Log::new(id, &rival.log)));
        for (_, piece) in &rival.pieces {
            self.feed(piece, shared)?;
        }
        Ok(())
    }

    /// It ends, or begins anew and what is left is lost.
    pub(super) fn end(&mut self, shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        self.settle(shared)?;
        self.has_ended = true;
        match &mut self.state {
            State::Dealt(dealt) => {
                for (_, part) in &mut dealt.parts {
                    part.end(shared)?;
                }
                dealt.split = dealt.by.split();
                Ok(())
            }
            State::Log(log) => log.end(&mut shared.live),
            State::Begins { head, seen } => {
                // What has not shown what it is will not any more.
                let within = self.whose.part.as_ref().map(|(by, _)| by);
                if !head.is_empty()
                    && within.is_none()
                    && let Begin::Other(what) = shared.begins.look(head, &self.whose.path, within)
                {
                    let path = self.whose.path.display();
                    shared.said.push(format!("{path}: {what}"));
                }
                head.clear();
                *seen = 0;
                Ok(())
            }
            State::Rival(rival) => {
                rival.pieces.clear();
                Ok(())
            }
            State::Other => Ok(()),
        }
    }

    /// Whether it is in this directory, and not further below.
    pub(super) fn is_in(&self, directory: &Path) -> bool {
        self.whose.path.parent() == Some(directory)
    }

    /// Something of it is lost.
    pub(super) fn gap(&self, live: &mut Live<'_, '_>) {
        match &self.state {
            State::Dealt(dealt) => dealt.parts.iter().for_each(|(_, part)| part.gap(live)),
            State::Log(log) => live.gap(log.id.server),
            State::Begins { .. } | State::Rival(_) | State::Other => {}
        }
    }

    /// Looks at its first bytes, and reads on as what they show.
    fn look(&mut self, shared: &mut Shared<'_, '_>) -> anyhow::Result<()> {
        let State::Begins { head, seen } = &mut self.state else {
            return Ok(());
        };
        // Of much that shows nothing, more must come than came before.
        if head.len() < 2 * *seen && head.len() > BEGIN_FEW {
            return Ok(());
        }
        *seen = head.len();
        let within = self.whose.part.as_ref().map(|(by, _)| by);
        let state = match shared.begins.look(head, &self.whose.path, within) {
            Begin::Log(log) => match self.whose.begin(&log, head, shared) {
                Ok(id) => State::Log(Box::new(Log::new(id, &log))),
                Err(server) => State::Rival(Box::new(Rival {
                    log: *log,
                    server,
                    pieces: VecDeque::new(),
                })),
            },
            Begin::Dealt(by) => State::Dealt(Box::new(Dealt::new(by))),
            Begin::Open => return Ok(()),
            Begin::Other(_) if head.len() < BEGIN_MAX && !is_compressed(head) => return Ok(()),
            Begin::Other(what) => {
                // Other programs write into a log of several, too.
                if self.whose.part.is_none() {
                    shared
                        .said
                        .push(format!("{}: {what}", self.whose.path.display()));
                }
                State::Other
            }
        };
        let head = std::mem::take(head);
        self.state = state;
        self.feed(&head, shared)
    }
}

/// It will not turn out to be a log when more comes.
fn is_compressed(head: &[u8]) -> bool {
    !head.is_empty() && memchr::memchr(0, head).is_some()
}

impl Whose {
    /// Adds a log to those of its server; `Err`: this server writes another format, which is followed.
    fn begin(
        &self,
        log: &LogFile,
        head: &[u8],
        shared: &mut Shared<'_, '_>,
    ) -> Result<LogId, usize> {
        let name = self.name(log.envelope.as_ref(), &mut shared.names);
        let server = shared.live.server(&name);
        let before = shared.live.last_decoder(server);
        let Some(before) = before else {
            return Ok(shared.live.log(server, &log.format));
        };
        let is_other =
            std::mem::discriminant(before.format()) != std::mem::discriminant(&log.format);
        if is_other || self.is_left_out {
            if shared.begins.leaves_out(server, &log.format) {
                let (its, other) = (log.format.name(), before.format().name());
                let path = self.path.display();
                shared.said.push(format!(
                    "{path}: {its} of {name}, whose {other} is followed; left out"
                ));
            }
            return Err(server);
        }
        // A few lines may be read by another prefix too.
        let text = log.envelope.as_ref().map(|envelope| envelope.text(head));
        let format = if reads_first_line(&before, text.as_deref().unwrap_or(head)) {
            before.format()
        } else {
            &log.format
        };
        Ok(shared.live.log(server, format))
    }
}

fn reads_first_line(decoder: &Decoder, text: &[u8]) -> bool {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    matches!(decoder.format(), Format::Stderr(_)) && decoder.begins_record(text)
}

/// What becomes of another format.
enum Verdict {
    /// It waits until then, or until more comes.
    Waits(Option<Instant>),
    /// It is the only one that the server writes.
    Alone(LogId),
}

impl Rival {
    /// Keeps bytes until it is known whether others say the same; when that is.
    fn keep(&mut self, bytes: &[u8], now: Instant) -> Instant {
        self.pieces.push_back((now, bytes.to_vec()));
        let mut kept: usize = self.pieces.iter().map(|(_, piece)| piece.len()).sum();
        while kept > RIVAL_MAX
            && let Some((_, piece)) = self.pieces.pop_front()
        {
            kept -= piece.len();
        }
        self.pieces
            .front()
            .map_or(now, |(first, _)| *first + SILENT)
    }

    /// Drops what the followed format says, too; if that has been silent since, it is over.
    fn judge(&mut self, shared: &mut Shared<'_, '_>) -> Verdict {
        if let Some(&fed) = shared.fed.get(&self.server) {
            while self
                .pieces
                .front()
                .is_some_and(|(at, _)| *at <= fed + TOGETHER)
            {
                self.pieces.pop_front();
            }
        }
        match self.pieces.front() {
            None => Verdict::Waits(None),
            Some((at, _)) if at.elapsed() < SILENT => Verdict::Waits(Some(*at + SILENT)),
            Some(_) => Verdict::Alone(shared.live.log(self.server, &self.log.format)),
        }
    }
}

impl Dealt {
    fn new(by: Envelope) -> Dealt {
        Dealt {
            split: by.split(),
            by,
            parts: Vec::new(),
            is_full: false,
        }
    }

    fn feed(
        &mut self,
        bytes: &[u8],
        whole: &Whose,
        shared: &mut Shared<'_, '_>,
    ) -> anyhow::Result<()> {
        let Dealt {
            by,
            split,
            parts,
            is_full,
        } = self;
        let mut result = Ok(());
        split.feed(bytes, |frame| {
            if result.is_err() {
                return;
            }
            let known = parts.iter().rposition(|(server, _)| **server == *frame.server);
            let place = known.unwrap_or_else(|| {
                let name = String::from_utf8_lossy(frame.server).into_owned();
                let whose = Whose {
                    part: Some((by.clone(), name)),
                    ..whole.clone()
                };
                parts.push((frame.server.into(), Growth::begins(whose)));
                parts.len() - 1
            });
            if place >= SERVERS_MAX {
                parts.truncate(SERVERS_MAX);
                if !std::mem::replace(is_full, true) {
                    let path = whole.path.display();
                    shared.said.push(format!(
                        "{path}: it is of more than {SERVERS_MAX} servers: further ones are not read"
                    ));
                }
                return;
            }
            let part = &mut parts[place].1;
            result = part
                .feed(frame.frame, shared)
                .and_then(|()| part.feed(b"\n", shared));
        });
        result
    }
}
