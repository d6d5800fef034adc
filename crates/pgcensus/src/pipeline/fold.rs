//! The ordered part: batches in the order of their numbers, a tracker for each server, changes merged by time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::tz::TimeZone;
use pgcensus_core::change::{Change, What};
use pgcensus_core::filter::{Filter, Who};
use pgcensus_core::hold::Hold;
use pgcensus_core::instant::Instant;
use pgcensus_core::lives::Place;
use pgcensus_core::names::Names;
use pgcensus_core::session::ServerId;
use pgcensus_core::texts::{KnownTexts, Texts};
use pgcensus_core::tracker::Tracker;
use pgcensus_core::zone::LogClock;
use pgcensus_log::batch::{Batch, Item, Slot, TextId, Unreadable, Why};
use pgcensus_log::decoder::{Decoder, RECORD_MAX};
use pgcensus_log::event::{Event, EventKind};
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::{self, Inference, LinePrefix};
use pgcensus_log::log_time::Zone;

use super::supply::Supply;
use super::{
    Buffers, Done, FileOutcome, Outcome, Run, ServerOutcome, SharedDecoders, Sink, UnreadableSpan,
};
use crate::source::ServerInput;
use crate::source::file::{Kind, LogFile};
use crate::source::input::Reading;

/// Spans that could not be read are kept with their places up to this many; all are counted.
const UNREADABLE_MAX: usize = 10_000;

/// A prefix that nobody knows is inferred from its first lines once there are this many, or at the end of
/// the file; then again at each doubling.
const UNMATCHED_MIN: usize = 3;

/// Changes of a server that wait for those of others; past it, its reader waits too.
const CHANGES_MAX: usize = 100_000;

/// Lines that a prefix must read to be believed in mid-file.
const LINES_TO_TAKE_OVER: usize = 3;

/// Lines of an unknown prefix that are kept at most.
const UNMATCHED_MAX: usize = 1000;

/// What is read of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Logs that end.
    Finished,
    /// What is there of logs that go on behind that.
    Past,
    /// What comes then: changes of one server do not wait for those of others.
    Live,
}

/// The ordered part.
pub(super) struct Fold<'a, 's> {
    pub(super) run: Run<'a>,
    pub(super) sink: &'s mut dyn Sink,
    pub(super) decoders: Vec<SharedDecoders>,
    pub(super) chunk_size: usize,
    pub(super) servers: Vec<ServerFold>,
    pub(super) names: Names,
    known: KnownTexts,
    /// The zone of the last event of the batch at hand, if it has a name.
    zone: Zone<TextId>,
    /// Why the sink takes no more.
    pub(super) failed: Option<anyhow::Error>,
    /// Changes that are on their way to `hold`.
    pub(super) told: Vec<Change>,
    hold: Hold,
    pub(super) input: Option<(Instant, Instant)>,
    pub(super) unreadable: Vec<UnreadableSpan>,
    pub(super) unreadable_total: u64,
    untrusted_total: u64,
    pub(super) is_stopped: bool,
    /// Nothing after this time counts any more.
    end: Option<Instant>,
    pub(super) phase: Phase,
    /// What may be taken back is handed on at once.
    pub(super) holds_nothing: bool,
}

pub(super) struct ServerFold {
    pub(super) tracker: Tracker,
    pub(super) clock: LogClock,
    next: u64,
    early: BTreeMap<u64, Done>,
    is_over: bool,
    changes: VecDeque<Change>,
    /// Buffers that are not given back while it is ahead.
    spent: Vec<Buffers>,
    pub(super) files: Vec<FileOutcome>,
    unmatched: Unmatched,
}

/// Lines of one file that no known prefix reads.
#[derive(Default)]
struct Unmatched {
    lines: Vec<Line>,
    tried: usize,
}

/// A line with what is wrong with it, if no other prefix reads it, and where in the log that is.
struct Line {
    offset: u64,
    text: Box<[u8]>,
    why: Why,
    place: Place,
}

impl<'a, 's> Fold<'a, 's> {
    pub(super) fn new(run: Run<'a>, sink: &'s mut dyn Sink) -> Fold<'a, 's> {
        // Files in a row are nearly always written alike, and share one until a prefix takes over.
        let mut last: Option<(&Format, Arc<Decoder>)> = None;
        let mut decoder = |file: &'a LogFile| match &last {
            Some((format, decoder)) if **format == file.format => decoder.clone(),
            _ => {
                let decoder = Arc::new(Decoder::new(file.format.clone()));
                last = Some((&file.format, decoder.clone()));
                decoder
            }
        };
        let decoders = run
            .servers
            .iter()
            .map(|server| Arc::new(RwLock::new(server.files.iter().map(&mut decoder).collect())))
            .collect();
        let servers = run.servers.iter().enumerate();
        let servers = servers
            .map(|(id, server)| ServerFold {
                files: server.files.iter().map(FileOutcome::of).collect(),
                ..ServerFold::new(id, run.log_timezone.clone())
            })
            .collect();
        Fold {
            chunk_size: run.chunk_size.max(1),
            names: Names::of_servers(run.servers.iter().map(|server| &*server.name)),
            run,
            sink,
            decoders,
            servers,
            known: KnownTexts::default(),
            zone: Zone::Epoch,
            failed: None,
            told: Vec::new(),
            hold: Hold::default(),
            input: None,
            unreadable: Vec::new(),
            unreadable_total: 0,
            untrusted_total: 0,
            is_stopped: false,
            end: None,
            phase: Phase::Finished,
            holds_nothing: false,
        }
    }

    /// `--log-timezone`
    pub(super) fn log_timezone(&self) -> Option<TimeZone> {
        self.run.log_timezone.clone()
    }

    /// The input reaches as far as what was read of this file.
    pub(super) fn widen_to(&mut self, server: usize, file: usize) {
        if let Some(last) = self.servers[server].files[file].last {
            widen(&mut self.input, last);
        }
    }

    /// Threads that read and decode.
    pub(super) fn threads(&self) -> usize {
        self.run.threads.max(1)
    }

    pub(super) fn run_servers(&self) -> &'a [ServerInput] {
        self.run.servers
    }

    pub(super) fn reading(&self) -> &Arc<Reading> {
        &self.run.reading
    }

    /// Folds chunks until there are no more; with nothing to fold it `helps` to decode.
    pub(super) fn run(
        &mut self,
        results: &Receiver<Done>,
        supply: &Supply<'_>,
        helps: bool,
    ) -> anyhow::Result<()> {
        let next = || match results.try_recv() {
            Err(TryRecvError::Empty) if helps => {
                let (server, buffers) = supply.take_at_hand()?;
                super::decode(supply, server, buffers)
            }
            done => done.ok(),
        };
        while let Some(done) = next().or_else(|| results.recv().ok()) {
            self.reading().late.check()?;
            let server = done.server;
            self.servers[server].early.insert(done.number, done);
            while let Some(done) = self.servers[server].take_next() {
                let is_over =
                    done.after.is_last && done.file + 1 == self.servers[server].files.len();
                let is_stopped = done.after.is_stopped;
                let back = self.batch(done);
                self.servers[server].spent.push(back);
                if is_stopped {
                    self.stop(server);
                }
                if is_over {
                    let state = &mut self.servers[server];
                    if self.phase == Phase::Finished {
                        state.tracker.finish(&mut self.told);
                    }
                    state.is_over = true;
                    self.changed(server);
                }
            }
            self.merge();
            if let Some(err) = self.failed.take() {
                return Err(err);
            }
            // A server that is ahead of the others waits for them.
            for (server, state) in self.servers.iter_mut().enumerate() {
                if state.changes.len() < CHANGES_MAX {
                    for spent in state.spent.drain(..) {
                        supply.give(server, spent);
                    }
                }
            }
        }
        Ok(())
    }

    /// Ctrl+C has ended the input of this server. That of others may go on for longer, but what is known of all
    /// ends here.
    fn stop(&mut self, server: usize) {
        self.is_stopped = true;
        let last = match &self.servers[..] {
            [_] => self.input.map(|(_, last)| last),
            servers => servers[server]
                .files
                .iter()
                .filter_map(|file| file.last)
                .max(),
        };
        if let Some(last) = last {
            let end = self.end.map_or(last, |end| end.min(last));
            self.end = Some(end);
            self.sink.ends(end);
        }
    }

    /// Hands on the changes of several servers in order of time, as far as each is known to come next.
    fn merge(&mut self) {
        loop {
            let mut first: Option<(Instant, usize)> = None;
            for (id, server) in self.servers.iter().enumerate() {
                match server.changes.front() {
                    Some(change) => {
                        let at = change.at.unwrap_or(Instant::UNKNOWN);
                        if first.is_none_or(|(earliest, _)| at < earliest) {
                            first = Some((at, id));
                        }
                    }
                    None if server.is_over => {}
                    None => return,
                }
            }
            let Some((_, id)) = first else {
                return;
            };
            self.told.extend(self.servers[id].changes.pop_front());
            self.hand_on_told();
        }
    }

    /// Folds one decoded chunk; its buffers can be used again.
    pub(super) fn batch(&mut self, done: Done) -> Buffers {
        let Done {
            server,
            file,
            buffers,
            after,
            ..
        } = done;
        let times = buffers.batch.log_times;
        {
            let state = &mut self.servers[server];
            state.tracker.reads_file(file);
            let outcome = &mut state.files[file];
            outcome.bytes += after.bytes;
            if after.error.is_some() {
                outcome.error = after.error;
            }
            if let Some((first, last)) = times {
                let first = state.clock.instant(buffers.batch.log_time(first));
                let last = state.clock.instant(buffers.batch.log_time(last));
                if outcome.first.is_none() {
                    outcome.first = Some(first);
                    // What servers logged that do not count is no beginning of what does.
                    let id = ServerId(server as u16);
                    if self.run.filter.has_server(&self.names, id) {
                        self.sink.begins(first);
                    }
                    state.tracker.begins(first);
                    widen(&mut self.input, first);
                }
                outcome.last = Some(last);
            }
        }
        if let Some(offset) = after.too_long {
            let (len, why) = (RECORD_MAX as u64, Why::TooLong);
            let place = self.servers[server].tracker.here();
            self.unreadable(server, file, place, Unreadable { offset, len, why }, b"");
        }
        self.known.begin(&buffers.batch);
        self.zone = Zone::Epoch;
        for item in &buffers.batch.items {
            match item {
                Item::Event(event, slot) => {
                    self.event(server, file, &buffers.batch, event, *slot);
                }
                Item::Unmatched {
                    offset,
                    record,
                    why,
                } => {
                    let line = Line {
                        offset: *offset,
                        text: buffers.batch.text(*record).into(),
                        why: *why,
                        place: self.servers[server].tracker.here(),
                    };
                    self.unmatched(server, file, line);
                }
                Item::Unreadable(span, excerpt) => {
                    let excerpt = buffers.batch.text(*excerpt);
                    let place = self.servers[server].tracker.here();
                    self.unreadable(server, file, place, *span, excerpt);
                }
            }
        }
        if after.is_last {
            self.infer(server, file, true);
            self.last_time(server, file, &buffers.chunk);
            if self.phase != Phase::Finished {
                self.servers[server].files[file].rest = after.incomplete;
            } else if let Some((offset, text)) = after.incomplete {
                let (len, why) = (text.len() as u64, Why::Incomplete);
                let place = self.servers[server].tracker.here();
                self.unreadable(server, file, place, Unreadable { offset, len, why }, &text);
            }
            if self.servers[server].files[file].error.is_some() {
                self.servers[server].gap_here();
            }
        }
        buffers
    }

    fn event(
        &mut self,
        server: usize,
        file: usize,
        batch: &Batch,
        event: &Event<TextId>,
        slot: Option<Slot>,
    ) {
        let state = &mut self.servers[server];
        let skip = &state.files[file].skip;
        // Where some events are skipped, a session may not be whole.
        let slot = slot.filter(|_| skip.is_empty());
        let at = match event.log_time {
            Some(time) => {
                let skips = |&(first, last): &(i64, i64)| (first..=last).contains(&time.wall_ms);
                if skip.iter().any(skips) {
                    return;
                }
                let known = matches!((time.zone, self.zone), (Zone::Named(its), Zone::Named(last)) if its == last);
                self.zone = time.zone;
                let clock = &mut state.clock;
                let again = known.then(|| clock.instant_in_same_zone(time.wall_ms));
                let at = again
                    .flatten()
                    .unwrap_or_else(|| clock.instant(batch.log_time(time)));
                widen(&mut self.input, at);
                Some(at)
            }
            None => None,
        };
        let outcome = &mut state.files[file];
        outcome.events += 1;
        // A line whose prefix was found out late says nothing of the sessions that were read meanwhile.
        let end = &mut outcome.events_end;
        if event.offset < *end && matches!(event.kind, EventKind::Server(_)) {
            return;
        }
        *end = (*end).max(event.offset);
        let mut texts = Texts::new(batch, &mut self.names, &mut self.known);
        let told = &mut self.told;
        state.tracker.observe(event, slot, at, &mut texts, told);
        if !told.is_empty() {
            self.changed(server);
        }
        if let EventKind::Setting {
            name,
            value: Some(value),
        } = event.kind
            && batch.text(name) == b"log_line_prefix"
        {
            let value = String::from_utf8_lossy(batch.text(value)).into_owned();
            if let Ok(prefix) = LinePrefix::parse(&value) {
                self.add_prefix(server, file, &prefix);
            }
        }
    }

    /// The tracker of a server has told changes: they are handed on, in order of time with those of others.
    pub(super) fn changed(&mut self, server: usize) {
        if self.servers.len() > 1 && self.phase != Phase::Live {
            self.servers[server].changes.extend(self.told.drain(..));
        } else {
            // Nobody else's come in between.
            self.hand_on_told();
        }
    }

    /// Hands on what is told, and whatever waited for it.
    fn hand_on_told(&mut self) {
        let Fold {
            told,
            hold,
            sink,
            names,
            run,
            servers,
            failed,
            ..
        } = self;
        if self.holds_nothing || hold.lets_pass(told) {
            for change in told.iter() {
                show(*sink, &mut run.filter, names, failed, change);
            }
            for change in told.drain(..) {
                give_back(servers, change);
            }
            return;
        }
        for change in told.drain(..) {
            hold.push(change, |change| {
                hand_on(*sink, &mut run.filter, names, servers, failed, change);
            });
        }
    }

    /// Time passes: hands on what need not be held any more. Whether something still is.
    pub(super) fn pass(&mut self, now: Instant) -> bool {
        for server in 0..self.servers.len() {
            let Fold { servers, told, .. } = self;
            servers[server].tracker.pass(now, told);
            self.changed(server);
        }
        self.with_hold(|hold, hand_on| hold.pass(now, hand_on));
        self.hold.is_holding()
    }

    /// Hands on all that is held. Whether something still is: no.
    pub(super) fn let_go(&mut self) -> bool {
        self.with_hold(|hold, hand_on| hold.finish(hand_on));
        false
    }

    /// Does something with what is held, which is handed on.
    fn with_hold(&mut self, what: impl FnOnce(&mut Hold, &mut dyn FnMut(Change))) {
        let Fold {
            hold,
            sink,
            names,
            run,
            servers,
            failed,
            ..
        } = self;
        what(hold, &mut |change| {
            hand_on(*sink, &mut run.filter, names, servers, failed, change);
        });
    }

    /// A line that no known prefix reads: the prefix may have changed here.
    fn unmatched(&mut self, server: usize, file: usize, line: Line) {
        // It may be known by now: the chunk was decoded before it was found.
        if self.decode_unmatched(server, file, &line) {
            return;
        }
        let unmatched = &mut self.servers[server].unmatched;
        if unmatched.lines.len() >= UNMATCHED_MAX {
            self.unreadable_line(server, file, &line);
            return;
        }
        unmatched.lines.push(line);
        let (n, tried) = (unmatched.lines.len(), unmatched.tried);
        let min = if self.phase == Phase::Live {
            self.lines_to_take_over(server)
        } else {
            UNMATCHED_MIN
        };
        if n >= min && n >= tried * 2 {
            self.infer(server, file, false);
        }
    }

    /// The log time of the last record of a file, which ends with `chunk`. Log times are not quite in order:
    /// that of the last record of each chunk would depend on where it is cut.
    fn last_time(&mut self, server: usize, file: usize, chunk: &[u8]) {
        let decoder = super::decoder(&self.decoders[server], file);
        let state = &mut self.servers[server];
        let outcome = &mut state.files[file];
        // The prefix of its last lines may not have been known when the chunk was decoded.
        if !outcome.later_prefixes.is_empty()
            && let Some((_, last)) = decoder.log_times(chunk)
        {
            outcome.last = Some(state.clock.instant(last));
        }
        if let Some(last) = outcome.last {
            widen(&mut self.input, last);
        }
    }

    /// Infers the prefix of the lines that none reads, and decodes them.
    pub(super) fn infer(&mut self, server: usize, file: usize, at_end: bool) {
        let unmatched = &mut self.servers[server].unmatched;
        unmatched.tried = unmatched.lines.len();
        let mut lines = std::mem::take(&mut unmatched.lines);
        if lines.is_empty() {
            return;
        }
        let sample: Vec<u8> = lines
            .iter()
            .flat_map(|line| line.text.iter().copied())
            .collect();
        if let Some(inference) = line_prefix::infer(&sample)
            && inference.lines_read * 2 > inference.lines
            && self.may_take_over(server, file, &inference)
        {
            self.add_prefix(server, file, &inference.prefix);
            lines.retain(|line| !self.decode_unmatched(server, file, line));
        }
        if at_end {
            for line in &lines {
                self.unreadable_line(server, file, line);
            }
        } else {
            let unmatched = &mut self.servers[server].unmatched;
            unmatched.tried = unmatched.tried.min(lines.len());
            unmatched.lines = lines;
        }
    }

    /// A client can write a few lines into the log by its login name, but hardly such as begin with a time and
    /// a pid like all the others.
    fn may_take_over(&self, server: usize, file: usize, inference: &Inference) -> bool {
        let decoder = super::decoder(&self.decoders[server], file);
        let known = decoder.prefixes();
        let new = &inference.prefix;
        inference.lines_read >= self.lines_to_take_over(server)
            && !known.contains(new)
            && known.first().is_none_or(|first| {
                new.has_time() >= first.has_time() && new.has_pid() >= first.has_pid()
            })
    }

    /// Lines that show another prefix. Until somebody connects, the lines of a log that begins do not tell what its
    /// prefix has of sessions, and the first one that does is seen at once.
    fn lines_to_take_over(&self, server: usize) -> usize {
        let saw = self.servers[server].tracker.saw();
        let is_new = self.phase == Phase::Live && !saw.authorized && !saw.disconnection;
        if is_new { 1 } else { LINES_TO_TAKE_OVER }
    }

    fn decode_unmatched(&mut self, server: usize, file: usize, line: &Line) -> bool {
        let mut batch = Batch::default();
        let decoder = super::decoder(&self.decoders[server], file);
        if !decoder.decode_unmatched(&line.text, line.offset, &mut batch) {
            return false;
        }
        // In the middle of a batch, whose texts have other numbers.
        let mut known = KnownTexts::default();
        known.begin(&batch);
        std::mem::swap(&mut self.known, &mut known);
        self.zone = Zone::Epoch;
        for item in &batch.items {
            match item {
                Item::Event(event, _) => self.event(server, file, &batch, event, None),
                Item::Unreadable(span, excerpt) => {
                    let excerpt = batch.text(*excerpt);
                    self.unreadable(server, file, line.place, *span, excerpt);
                }
                Item::Unmatched { .. } => {}
            }
        }
        self.known = known;
        self.zone = Zone::Epoch;
        true
    }

    /// A prefix that this file and those after it have further on.
    fn add_prefix(&mut self, server: usize, file: usize, prefix: &LinePrefix) {
        self.servers[server].files[file]
            .later_prefixes
            .push(prefix.as_str().to_owned());
        let mut decoders = self.decoders[server]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut decoder = (*decoders[file]).clone();
        decoder.add_prefix(prefix.clone());
        decoders[file] = Arc::new(decoder);
    }

    /// No prefix reads this line.
    fn unreadable_line(&mut self, server: usize, file: usize, line: &Line) {
        let span = Unreadable {
            offset: line.offset,
            len: line.text.len() as u64,
            why: line.why,
        };
        self.unreadable(server, file, line.place, span, &line.text);
    }

    /// A span that begins with `excerpt` could not be read, at this place.
    pub(super) fn unreadable(
        &mut self,
        server: usize,
        file: usize,
        place: Place,
        Unreadable { offset, len, why }: Unreadable,
        excerpt: &[u8],
    ) {
        let outcome = &mut self.servers[server].files[file];
        outcome.unreadable += 1;
        if matches!(why, Why::Untrusted | Why::Raised) {
            outcome.untrusted += 1;
            self.untrusted_total += 1;
        } else {
            self.unreadable_total += 1;
        }
        // What a client raised stands beside the server's own lines; and the last record of a log that
        // goes on is whole at the next look.
        let goes_on = why == Why::Incomplete && file + 1 == self.servers[server].files.len();
        if why != Why::Raised && !goes_on {
            self.servers[server].tracker.gap(place);
        }
        if self.unreadable.len() < UNREADABLE_MAX {
            let excerpt = excerpt[..excerpt.len().min(200)].into();
            self.unreadable.push(UnreadableSpan {
                server,
                file,
                offset,
                len,
                why,
                excerpt,
            });
        }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<Outcome> {
        self.merge();
        self.let_go();
        if let Some(err) = self.failed.take() {
            return Err(err);
        }
        // Whoever feeds a pipe may have died of Ctrl+C before it was seen here.
        let streams = self.run.servers.iter().flat_map(|server| &server.files);
        let has_stream = streams
            .into_iter()
            .any(|log| matches!(log.kind, Kind::Stream(_)));
        let is_stopped = self.is_stopped || has_stream && self.run.reading.interrupt.came();
        if let (Some((_, last)), Some(end)) = (&mut self.input, self.end) {
            *last = end.min(*last);
        }
        let files = self.servers.iter().flat_map(|server| &server.files);
        let events = files.map(|file| file.events).sum();
        let servers = self.servers.into_iter();
        Ok(Outcome {
            is_stopped,
            bytes: self.run.reading.bytes(),
            names: self.names,
            filter: self.run.filter,
            servers: servers
                .map(|server| ServerOutcome {
                    tracker: server.tracker,
                    clock: server.clock,
                    files: server.files,
                })
                .collect(),
            input: self.input,
            events,
            unreadable: self.unreadable,
            unreadable_total: self.unreadable_total,
            untrusted_total: self.untrusted_total,
        })
    }
}

/// Takes an instant into the time that the input covers.
fn widen(input: &mut Option<(Instant, Instant)>, at: Instant) {
    let (first, last) = input.get_or_insert((at, at));
    *first = at.min(*first);
    *last = at.max(*last);
}

/// Hands on a change.
fn hand_on(
    sink: &mut dyn Sink,
    filter: &mut Filter,
    names: &Names,
    servers: &mut [ServerFold],
    failed: &mut Option<anyhow::Error>,
    change: Change,
) {
    show(sink, filter, names, failed, &change);
    give_back(servers, change);
}

/// Shows a change to the sink, if its session counts.
#[inline(always)]
fn show(
    sink: &mut dyn Sink,
    filter: &mut Filter,
    names: &Names,
    failed: &mut Option<anyhow::Error>,
    change: &Change,
) {
    let counts = filter.is_empty()
        || match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session) => {
                filter.matches(names, &Who::from(&**session))
            }
            What::Refused(refusal) => filter.matches(names, &Who::from(&**refusal)),
            What::Probe(probe) => filter.matches(names, &Who::from(&**probe)),
            What::Server(server, ..) => filter.matches_server(names, *server),
        };
    if !counts {
        sink.left_out(change);
    } else if failed.is_none() {
        *failed = sink.change(names, change).err();
    }
}

/// What held the session of a change that was handed on can be used again.
#[inline(always)]
fn give_back(servers: &mut [ServerFold], change: Change) {
    if let What::Opened(session) | What::TakenBack(session) | What::Closed(session) = change.what {
        let server = usize::from(session.server.0);
        servers[server].tracker.give_back(session);
    }
}

impl FileOutcome {
    /// Of a file of which nothing has been read.
    fn of(log: &LogFile) -> FileOutcome {
        FileOutcome {
            skip: log.skip.clone(),
            ..FileOutcome::default()
        }
    }
}

impl ServerFold {
    /// One that has no files.
    pub(super) fn new(id: usize, log_timezone: Option<TimeZone>) -> ServerFold {
        ServerFold {
            tracker: Tracker::new(ServerId(id as u16)),
            clock: LogClock::new(log_timezone),
            next: 0,
            early: BTreeMap::new(),
            is_over: false,
            changes: VecDeque::new(),
            spent: Vec::new(),
            files: Vec::new(),
            unmatched: Unmatched::default(),
        }
    }

    /// Something of the log is lost behind what was read of it last.
    pub(super) fn gap_here(&mut self) {
        let here = self.tracker.here();
        self.tracker.gap(here);
    }

    fn take_next(&mut self) -> Option<Done> {
        let done = self.early.remove(&self.next)?;
        self.next += 1;
        Some(done)
    }
}

#[cfg(test)]
mod tests;
