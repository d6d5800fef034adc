//! The fold, kept after what was there has been read: logs go on, new ones begin, and each piece is folded as it
//! comes.
//!
//! Nothing is read here. Whoever follows the logs cuts what comes into whole records and [appends](Live::append) it.

use pgcensus_core::filter::{Filter, Who};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::Names;
use pgcensus_core::session::Session;
use pgcensus_core::tracker::{Kept, Tracker};
use pgcensus_core::zone::LogClock;
use pgcensus_log::batch::{Batch, Item, Unreadable, Why};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::event::EventKind;
use pgcensus_log::format::Format;

use std::sync::{Arc, PoisonError, RwLock};

use super::fold::{Fold, Phase, ServerFold};
use super::{After, Buffers, Done, FileOutcome, Outcome, Run, Sink};

/// Logs that go on.
pub(crate) struct Live<'a, 's> {
    fold: Fold<'a, 's>,
    buffers: Buffers,
}

/// A log, by the place of its server and its own among those of that server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogId {
    /// As [`ServerId`](pgcensus_core::session::ServerId).
    pub(crate) server: usize,
    pub(crate) file: usize,
}

/// What a record says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) pid: Option<u32>,
    /// It concerns all of the server's backends.
    pub(crate) is_of_server: bool,
}

/// Whole records of a log, or all that is left of one.
pub(crate) struct Piece<'t> {
    pub(crate) text: &'t [u8],
    /// Where it lies in the log.
    pub(crate) base: u64,
    /// It begins with an overlong record that has no readable head.
    pub(crate) is_too_long: bool,
}

impl<'a, 's> Live<'a, 's> {
    /// Reads what is there by now; `sink` is told of it as of all that comes later. It `holds_nothing`: sessions that may be
    /// taken back are told at once.
    pub(crate) fn begin(
        run: Run<'a>,
        sink: &'s mut dyn Sink,
        holds_nothing: bool,
    ) -> anyhow::Result<Live<'a, 's>> {
        let mut fold = Fold::new(run, sink);
        fold.phase = Phase::Past;
        fold.holds_nothing = holds_nothing;
        let mut fold = super::fold(fold)?;
        fold.phase = Phase::Live;
        Ok(Live {
            fold,
            buffers: Buffers::default(),
        })
    }

    /// Ctrl+C came before all was read that was there.
    pub(crate) fn is_stopped(&self) -> bool {
        self.fold.is_stopped
    }

    /// The server of this name; a new one where none is called so.
    pub(crate) fn server(&mut self, name: &str) -> usize {
        let fold = &mut self.fold;
        if let Some(known) = fold.names.server(name) {
            return known;
        }
        let id = fold.servers.len();
        let zone = fold.log_timezone();
        fold.names.add_server(name);
        fold.servers.push(ServerFold::new(id, zone));
        fold.decoders.push(Arc::new(RwLock::default()));
        id
    }

    /// A log of a server that begins. It is written in this format; where that is the format of the log before it, what was
    /// learned of that one holds for it too.
    pub(crate) fn log(&mut self, server: usize, format: &Format) -> LogId {
        let mut decoders = self.fold.decoders[server]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let decoder = match decoders.last() {
            Some(decoder) if decoder.format() == format => decoder.clone(),
            _ => Arc::new(Decoder::new(format.clone())),
        };
        decoders.push(decoder);
        let files = &mut self.fold.servers[server].files;
        files.push(FileOutcome::default());
        LogId {
            server,
            file: files.len() - 1,
        }
    }

    /// What a log ended with when what was there was read: no whole record yet, and where it lies; else where the log ended.
    pub(crate) fn take_rest(&mut self, log: LogId) -> (u64, Vec<u8>) {
        let file = &mut self.fold.servers[log.server].files[log.file];
        file.rest.take().unwrap_or((file.bytes, Vec::new()))
    }

    /// The decoder of the log of a server that began last.
    pub(crate) fn last_decoder(&self, server: usize) -> Option<Arc<Decoder>> {
        let decoders = self.fold.decoders[server].read();
        decoders
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .cloned()
    }

    /// What cuts a log into records.
    pub(crate) fn decoder(&self, log: LogId) -> Arc<Decoder> {
        super::decoder(&self.fold.decoders[log.server], log.file)
    }

    /// Whose event this record of a log is; `None`: it is none. Nothing is folded.
    pub(crate) fn says(&self, log: LogId, text: &[u8]) -> Option<Said> {
        let mut batch = Batch::default();
        self.decoder(log).decode(text, 0, &mut batch);
        batch.items.iter().find_map(|item| match item {
            Item::Event(event, _) => Some(Said {
                pid: event.pid,
                is_of_server: matches!(event.kind, EventKind::Server(_)),
            }),
            _ => None,
        })
    }

    /// Folds the last record of a log, which says this and may go on after all; how its backend was before, where it has one.
    pub(crate) fn append_last(
        &mut self,
        log: LogId,
        piece: &Piece<'_>,
        said: Said,
    ) -> anyhow::Result<Option<Kept>> {
        let pid = said.pid.filter(|_| !said.is_of_server);
        let kept = pid.map(|pid| self.fold.servers[log.server].tracker.keep(pid));
        self.fold.sink.may_go_on(Some(log));
        let appended = self.append(log, piece);
        self.fold.sink.may_go_on(None);
        appended.map(|()| kept)
    }

    /// What its last record said of a backend is not true.
    pub(crate) fn restore(&mut self, server: usize, kept: Kept) {
        self.fold.servers[server].tracker.restore(kept);
    }

    /// Folds the next records of a log.
    pub(crate) fn append(&mut self, log: LogId, piece: &Piece<'_>) -> anyhow::Result<()> {
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.batch.clear();
        self.decoder(log)
            .decode(piece.text, piece.base, &mut buffers.batch);
        let done = Done {
            server: log.server,
            number: 0,
            file: log.file,
            buffers,
            after: After {
                bytes: piece.text.len() as u64,
                too_long: piece.is_too_long.then_some(piece.base),
                ..After::default()
            },
        };
        self.buffers = self.fold.batch(done);
        self.fold.widen_to(log.server, log.file);
        self.result()
    }

    /// A log ends. What is left of it is no whole record: its rest was never written, or is gone.
    pub(crate) fn end(&mut self, log: LogId, rest: &Piece<'_>) -> anyhow::Result<()> {
        self.fold.infer(log.server, log.file, true);
        if !rest.text.is_empty() {
            self.unreadable(log, rest, Why::Incomplete);
        }
        self.result()
    }

    /// This part of a log cannot be read.
    pub(crate) fn unreadable(&mut self, log: LogId, piece: &Piece<'_>, why: Why) {
        let len = piece.text.len() as u64;
        let excerpt = &piece.text[..piece.text.len().min(200)];
        let place = self.fold.servers[log.server].tracker.here();
        let span = Unreadable {
            offset: piece.base,
            len,
            why,
        };
        self.fold
            .unreadable(log.server, log.file, place, span, excerpt);
    }

    /// Records that could not be read so far.
    pub(crate) fn unreadable_total(&self) -> u64 {
        self.fold.unreadable_total
    }

    /// The begin of the last of them.
    pub(crate) fn last_unreadable(&self) -> Option<&[u8]> {
        self.fold.unreadable.last().map(|span| &*span.excerpt)
    }

    /// Something of the log of a server is lost.
    pub(crate) fn gap(&mut self, server: usize) {
        self.fold.servers[server].gap_here();
    }

    /// Time passes without any record: what was waited for is decided. Whether something still is held. `None`: so much time
    /// that nothing is.
    pub(crate) fn pass(&mut self, now: Option<Instant>) -> anyhow::Result<bool> {
        let is_holding = match now {
            Some(now) => self.fold.pass(now),
            None => self.fold.let_go(),
        };
        self.result()?;
        Ok(is_holding)
    }

    /// All names so far.
    pub(crate) fn names(&self) -> &Names {
        &self.fold.names
    }

    /// The log times of the first record and of the last one.
    pub(crate) fn input(&self) -> Option<(Instant, Instant)> {
        self.fold.input
    }

    /// The servers: their trackers and clocks, by their ids.
    pub(crate) fn servers(&self) -> impl ExactSizeIterator<Item = (&Tracker, &LogClock)> {
        let servers = self.fold.servers.iter();
        servers.map(|server| (&server.tracker, &server.clock))
    }

    /// What is known of each server, by their ids: its tracker and its logs; and what tells who counts.
    pub(crate) fn known(
        &mut self,
    ) -> (
        impl ExactSizeIterator<Item = (&Tracker, &[FileOutcome])>,
        &Names,
        &mut Filter,
    ) {
        let Fold {
            servers,
            run,
            names,
            ..
        } = &mut self.fold;
        let servers = servers.iter();
        let servers = servers.map(|server| (&server.tracker, &server.files[..]));
        (servers, names, &mut run.filter)
    }

    /// Clients with a session now.
    pub(crate) fn open(&mut self) -> u64 {
        let Fold {
            servers,
            run,
            names,
            ..
        } = &mut self.fold;
        let filter = &mut run.filter;
        let counts = |session: &&Session| {
            !session.walsender && (filter.is_empty() || filter.matches(names, &Who::from(*session)))
        };
        let open = servers
            .iter()
            .flat_map(|server| server.tracker.open_sessions());
        open.filter(counts).count() as u64
    }

    /// What is known at the end.
    pub(crate) fn finish(self) -> anyhow::Result<Outcome> {
        self.fold.finish()
    }

    fn result(&mut self) -> anyhow::Result<()> {
        self.fold.failed.take().map_or(Ok(()), Err)
    }
}
