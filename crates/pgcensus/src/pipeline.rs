//! The pipeline: every thread of a run, and the one ordered fold.
//!
//! ```text
//! workers: take a chunk, decode it ─Batch─► fold: tracker of each server ─Change─► sink
//!        ▲                                      │ merged by time, held, filtered
//!        └──────────── empty buffers ◄──────────┘
//! ```
//!
//! How this works: a worker reads the bytes that it then searches, so that they are still in its cache. Only where
//! a chunk ends is decided by one worker at a time for each server (`reader.rs`); of a plain file that
//! takes a look at the chunk's last 16 KiB, and the chunk itself is read side by side with others. A
//! thread that reads for all workers was tried: every byte then goes from one core to the other.
//!
//! Buffers go round: a server has a fixed number of them, so memory is bounded and nobody can wait for
//! anybody in a circle (a batch can always be handed to the fold). Batches are put in order by their
//! number, so that no result depends on the threads or the size of a chunk.

mod fold;
mod live;
mod reader;
mod supply;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use jiff::tz::TimeZone;
use pgcensus_core::change::Change;
use pgcensus_core::filter::Filter;
use pgcensus_core::instant::Instant;
use pgcensus_core::names::Names;
use pgcensus_core::tracker::Tracker;
use pgcensus_core::zone::LogClock;
use pgcensus_log::batch::{Batch, Why};
use pgcensus_log::decoder::Decoder;

use crate::source::ServerInput;
use crate::source::input::Reading;
use fold::Fold;
pub(crate) use live::{Live, LogId, Piece, Said};
use supply::Supply;

/// Bytes that are read, searched and decoded at a time: with its events it fits the second cache of a core.
pub(crate) const CHUNK_SIZE: usize = 512 << 10;

/// What to run.
pub(crate) struct Run<'a> {
    /// The servers and their files.
    pub(crate) servers: &'a [ServerInput],
    /// `--log-timezone`
    pub(crate) log_timezone: Option<TimeZone>,
    /// Threads that read and decode.
    pub(crate) threads: usize,
    /// Bytes of a chunk.
    pub(crate) chunk_size: usize,
    /// Which sessions count.
    pub(crate) filter: Filter,
    /// Counts what is read, and knows whether Ctrl+C came.
    pub(crate) reading: Arc<Reading>,
}

/// What takes in the changes.
pub(crate) trait Sink {
    /// The first record of a file, or of the input, was logged at this time.
    fn begins(&mut self, first: Instant);
    /// Something happened; changes come in the order of the log.
    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()>;
    /// Something happened that the filter leaves out.
    fn left_out(&mut self, _: &Change) {}
    /// Ctrl+C has ended the input of some server here: nothing after this time counts.
    fn ends(&mut self, last: Instant);
    /// What is told from here on comes of the last record of this log, which may go on after all; `None`: no more of it.
    fn may_go_on(&mut self, _: Option<LogId>) {}
}

/// What is known after a run.
pub(crate) struct Outcome {
    pub(crate) names: Names,
    pub(crate) filter: Filter,
    pub(crate) servers: Vec<ServerOutcome>,
    /// First and last log time.
    pub(crate) input: Option<(Instant, Instant)>,
    pub(crate) events: u64,
    pub(crate) unreadable: Vec<UnreadableSpan>,
    pub(crate) unreadable_total: u64,
    pub(crate) untrusted_total: u64,
    /// Ctrl+C has ended the input; what was read until then is counted.
    pub(crate) is_stopped: bool,
    /// Bytes that were read, compressed where they are.
    pub(crate) bytes: u64,
}

/// What is known of one server.
pub(crate) struct ServerOutcome {
    pub(crate) tracker: Tracker,
    pub(crate) clock: LogClock,
    pub(crate) files: Vec<FileOutcome>,
}

/// What is known of one file.
#[derive(Default)]
pub(crate) struct FileOutcome {
    pub(crate) bytes: u64,
    /// Records of interest that were read.
    pub(crate) events: u64,
    /// Spans that could not be read, or were not believed.
    pub(crate) unreadable: u64,
    /// Of these were not believed.
    pub(crate) untrusted: u64,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    /// Prefixes that took over in it.
    pub(crate) later_prefixes: Vec<String>,
    /// Where the last event lies.
    events_end: u64,
    /// It could not be read to its end.
    pub(crate) error: Option<String>,
    /// Records of these times are read elsewhere, see [`LogFile::skip`](crate::source::file::LogFile::skip).
    skip: Vec<(i64, i64)>,
    /// Of what is followed: its last bytes, where they are no whole record yet, and where they lie.
    rest: Option<(u64, Vec<u8>)>,
}

/// A span that could not be read.
pub(crate) struct UnreadableSpan {
    pub(crate) server: usize,
    pub(crate) file: usize,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) why: Why,
    pub(crate) excerpt: Box<[u8]>,
}

/// Runs the pipeline to the end of the input.
pub(crate) fn run(run: Run<'_>, sink: &mut dyn Sink) -> anyhow::Result<Outcome> {
    fold(Fold::new(run, sink))?.finish()
}

/// Folds all that there is.
fn fold<'a, 's>(mut fold: Fold<'a, 's>) -> anyhow::Result<Fold<'a, 's>> {
    let threads = fold.threads();
    let (done, results) = channel::<Done>();
    fold.reading().interrupt.hold();
    let supply = Supply::new(&fold, threads);
    thread::scope(|scope| {
        // The fold is one of them when it has nothing to fold: a thread more than there are processors
        // would take from it what it needs to keep up. Alone, it would never read ahead.
        for _ in 0..(threads - 1).max(1) {
            let (supply, done) = (&supply, done.clone());
            scope.spawn(move || work(supply, &done));
        }
        drop(done);
        let result = fold.run(&results, &supply, threads > 1);
        // Workers that wait for buffers end with the supply, those that have a batch with their channel.
        supply.close();
        drop(results);
        result
    })?;
    Ok(fold)
}

/// What goes round.
#[derive(Default)]
struct Buffers {
    chunk: Vec<u8>,
    batch: Batch,
}

/// A decoded chunk.
struct Done {
    server: usize,
    number: u64,
    file: usize,
    buffers: Buffers,
    after: After,
}

/// What the reader says with a chunk.
#[derive(Default)]
struct After {
    /// Bytes of the file that this chunk stands for.
    bytes: u64,
    /// The record that the chunk ends with is cut off: the end of the file is missing.
    incomplete: Option<(u64, Vec<u8>)>,
    /// An overlong record without a readable head begins the chunk.
    too_long: Option<u64>,
    /// The file could not be read further.
    error: Option<String>,
    /// The file ends here.
    is_last: bool,
    /// It goes on, but Ctrl+C came.
    is_stopped: bool,
}

/// Reads and decodes chunks until there are no more.
fn work(supply: &Supply<'_>, done: &Sender<Done>) {
    while let Some((server, buffers)) = supply.take() {
        if let Some(chunk) = decode(supply, server, buffers)
            && done.send(chunk).is_err()
        {
            return;
        }
    }
}

/// Reads and decodes the next chunk of a server; `None` at its end.
fn decode(supply: &Supply<'_>, server: usize, mut buffers: Buffers) -> Option<Done> {
    let Some(mut cut) = supply.cut(server, &mut buffers.chunk) else {
        supply.end(server);
        return None;
    };
    cut.read(&mut buffers.chunk);
    buffers.batch.clear();
    cut.decoder
        .decode(&buffers.chunk, cut.base, &mut buffers.batch);
    Some(Done {
        server,
        number: cut.number,
        file: cut.file,
        buffers,
        after: cut.after,
    })
}

/// Those of the files of one server.
type SharedDecoders = Arc<RwLock<Vec<Arc<Decoder>>>>;

/// The decoder that a file has now.
fn decoder(decoders: &SharedDecoders, file: usize) -> Arc<Decoder> {
    let decoders = decoders.read().unwrap_or_else(PoisonError::into_inner);
    decoders[file].clone()
}
