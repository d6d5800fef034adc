//! Snapshot: plain, sorted data; all that a view may know of a census or a history.

pub mod refused;

use pgcensus_log::event::RefusalReason;

use crate::instant::Instant;
use crate::names::Dimension;
use crate::noise::NoiseRow;
use crate::session::{End, ServerId, Session};

/// How certain a count of open sessions is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// Every beginning and every end was in the log.
    Exact,
    /// Beginnings may be unseen: before the first server start, after a gap.
    AtLeast,
    /// Ends may be unseen: `log_disconnections` is off.
    AtMost,
    /// Both.
    Unknown,
}

impl Certainty {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Certainty::Exact => "exact",
            Certainty::AtLeast => "at_least",
            Certainty::AtMost => "at_most",
            Certainty::Unknown => "unknown",
        }
    }
}

/// Names of one dimension with their counts, largest first, ties by bytes.
pub type Ranking = Vec<(Box<[u8]>, u64)>;

/// One count by each dimension, in the order of [`Dimension::ALL`].
pub type By = [Ranking; Dimension::ALL.len()];

/// The census of a window.
#[derive(Clone, Debug, Default)]
pub struct CensusSnapshot {
    /// First log time of the input, and last.
    pub input: Option<(Instant, Instant)>,
    /// The window that was asked for, else the input's; `[since, until)`, until the input's end inclusive.
    pub window: Option<(Instant, Instant)>,
    /// Open client backends at the end of the window; `None` count: not known (no pid in the prefix).
    pub open: OpenSnapshot,
    /// Open walsenders, likewise.
    pub walsenders: OpenSnapshot,
    /// Each server by itself, in the order of [`ServerId`]; those that a filter leaves out are not there.
    pub servers: Vec<ServerSnapshot>,
    /// Walsenders that opened and ended in the window.
    pub walsender_connects: u64,
    /// See `walsender_connects`.
    pub walsender_disconnects: u64,
    /// Sessions that opened in the window.
    pub connects: u64,
    /// By dimension.
    pub connects_by: By,
    /// Sessions that ended in the window, by kind, in the order of [`End::ALL`].
    pub disconnects: [u64; 5],
    /// Attempts that did not become sessions; an `sslmode=prefer` retry counted once.
    pub refused_attempts: u64,
    /// Connections that did not become sessions.
    pub refused_connections: u64,
    /// `refused_connections` by reason, largest first.
    pub refused_by_reason: Vec<(RefusalReason, u64)>,
    /// Refused connections by dimension.
    pub refused_by: By,
    /// Received, then nothing.
    pub probes: u64,
    /// Received, not yet authorized, refused or expired, at the end of the window.
    pub pending: u64,
    /// The largest number open at one instant; `None`: not known.
    pub peak: PeakSnapshot,
    /// Lengths of the sessions that ended in the window.
    pub session_time: SessionTimeSnapshot,
    /// Open sessions by age: under 1 min, under 1 h, under 1 day, older.
    pub open_by_age: [u64; 4],
    /// The oldest open sessions, oldest first, at most [`OLDEST_MAX`].
    pub oldest: Vec<Session>,
    /// Rows of a cross of two dimensions, where asked for: names, then counts.
    pub cross: Option<Cross>,
    /// Largest number open in each of up to 60 equal stretches of the window.
    pub timeline: Vec<u64>,
    /// What may be folded, the most frequent first; it is in all other numbers too.
    pub noise: Vec<NoiseRow>,
    /// Bounds that were reached, in words for the reader: `100,000 names are kept; others are counted as (other)`.
    pub bounds: Vec<String>,
}

/// How many of the oldest open sessions a snapshot has.
pub const OLDEST_MAX: usize = 5;

/// Sessions open at one instant.
#[derive(Clone, Debug)]
pub struct OpenSnapshot {
    /// How many; `None`: cannot be known from this log.
    pub count: Option<u64>,
    /// How certain that is.
    pub certainty: Certainty,
    /// Since when it is exact, and by what; of several servers, since the last of them is.
    pub exact_since: Option<(Instant, Marker)>,
    /// By dimension.
    pub by: By,
}

impl Default for OpenSnapshot {
    fn default() -> Self {
        OpenSnapshot {
            count: None,
            certainty: Certainty::Unknown,
            exact_since: None,
            by: By::default(),
        }
    }
}

/// What made a count exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// The server started.
    Start,
    /// The server's processes were all terminated after a crash.
    Crash,
}

impl Marker {
    /// The word for it in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Marker::Start => "start",
            Marker::Crash => "crash",
        }
    }
}

/// The peak of a window.
#[derive(Clone, Debug)]
pub struct PeakSnapshot {
    /// How many; `None`: cannot be known from this log.
    pub count: Option<u64>,
    /// When first.
    pub at: Option<Instant>,
    /// How certain.
    pub certainty: Certainty,
    /// Who was there.
    pub by: By,
    /// How that had grown in the minutes before; `None`: not known, or the log begins with it.
    pub grew: Option<Growth>,
}

/// How open sessions grew up to an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// From when on: [`GREW_MS`](crate::standing::GREW_MS) before the instant, or the first log time, before anything of
    /// then happened. Of very many sessions a few seconds earlier.
    pub since: Instant,
    /// By how many; negative where they had become fewer.
    pub count: i64,
    /// The same of each name that was there at the instant, in the order of their counts.
    pub by: [Vec<(Box<[u8]>, i64)>; Dimension::ALL.len()],
}

impl Default for PeakSnapshot {
    fn default() -> Self {
        PeakSnapshot {
            count: None,
            at: None,
            certainty: Certainty::Unknown,
            by: By::default(),
            grew: None,
        }
    }
}

/// Client backends of one server; counts by name are those of all servers together.
#[derive(Clone, Debug)]
pub struct ServerSnapshot {
    /// Which.
    pub server: ServerId,
    /// Open at the end of the window.
    pub open: OpenSnapshot,
    /// Its own peak.
    pub peak: PeakSnapshot,
    /// Sessions that opened.
    pub connects: u64,
    /// Sessions that ended.
    pub disconnects: u64,
    /// Refused connections.
    pub refused: u64,
}

/// Lengths of sessions: percentiles within 1 %, the longest exact, in milliseconds; `None` without sessions.
#[derive(Clone, Debug, Default)]
pub struct SessionTimeSnapshot {
    /// Median.
    pub p50: Option<u64>,
    /// 95th percentile.
    pub p95: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
    /// Sessions by length: below each of [`SESSION_TIME_BOUNDS_MS`], then the rest.
    pub histogram: [u64; 9],
}

/// Upper bounds of the classes of the session-time histogram, exclusive.
pub const SESSION_TIME_BOUNDS_MS: [u64; 8] = [
    500, 1_000, 30_000, 60_000, 600_000, 1_800_000, 3_600_000, 28_800_000,
];

/// The class of a session time in that histogram.
pub fn session_time_class(ms: u64) -> usize {
    let bounds = SESSION_TIME_BOUNDS_MS.iter();
    bounds.take_while(|&&bound| bound <= ms).count()
}

/// A cross of two dimensions.
#[derive(Clone, Debug)]
pub struct Cross {
    /// Which.
    pub dimensions: (Dimension, Dimension),
    /// Rows, those with most open sessions first, then by those at the peak, then connects.
    pub rows: Vec<CrossRow>,
}

/// One row of a [`Cross`].
#[derive(Clone, Debug)]
pub struct CrossRow {
    /// The two names.
    pub names: (Box<[u8]>, Box<[u8]>),
    /// Open at the end.
    pub open: u64,
    /// Sessions that opened.
    pub connects: u64,
    /// Refused connections.
    pub refused: u64,
}

/// The history of a window.
#[derive(Clone, Debug, Default)]
pub struct HistorySnapshot {
    /// First log time of the input, and last.
    pub input: Option<(Instant, Instant)>,
    /// The window that is shown; `until` is the end of the input where it goes to there.
    pub window: Option<(Instant, Instant)>,
    /// Length of a bucket in seconds.
    pub bucket_s: u64,
    /// Buckets, in order, without holes.
    pub buckets: Vec<Bucket>,
    /// The peak of the window.
    pub peak: PeakSnapshot,
    /// Bounds that were reached, in words.
    pub bounds: Vec<String>,
}

/// One stretch of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its first instant.
    pub start: Instant,
    /// Its end, exclusive; that of the window where the window ends inside it.
    pub end: Instant,
    /// The window or the input begins or ends inside it.
    pub partial: bool,
    /// Sessions that opened.
    pub connects: u64,
    /// Sessions that ended.
    pub disconnects: u64,
    /// Open at its start.
    pub open_start: u64,
    /// Least open at any instant.
    pub open_min: u64,
    /// Most open at any instant.
    pub open_max: u64,
    /// Open at its end: start + connects − disconnects.
    pub open_end: u64,
    /// Refused connections.
    pub refused: u64,
    /// How certain the open counts are.
    pub certainty: Certainty,
}

impl Bucket {
    /// connects − disconnects
    pub fn net(&self) -> i64 {
        self.connects as i64 - self.disconnects as i64
    }
}

impl CensusSnapshot {
    /// All sessions that ended in the window.
    pub fn disconnects_total(&self) -> u64 {
        self.disconnects.iter().sum()
    }

    /// Sessions that ended in the window in this way.
    pub fn disconnects_by(&self, end: End) -> u64 {
        self.disconnects[end as usize]
    }
}
