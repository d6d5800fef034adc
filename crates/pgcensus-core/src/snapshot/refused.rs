//! What `refused` shows: reasons, who, when, the last records; probes apart.

use super::Ranking;
use crate::instant::Instant;
use crate::names::Dimension;
use crate::session::{ProbeReason, RefusalReason, ServerId, Sqlstate};

/// All refusals and probes of a window.
#[derive(Clone, Debug, Default)]
pub struct RefusedSnapshot {
    /// First and last log time of the input.
    pub input: Option<(Instant, Instant)>,
    /// The window.
    pub window: Option<(Instant, Instant)>,
    /// Names that tell groups apart.
    pub dimensions: Vec<Dimension>,
    /// So do SQLSTATE, line of `pg_hba.conf` and DETAIL.
    pub is_detailed: bool,
    /// All refusals.
    pub all: Tally,
    /// The busiest ten seconds of all.
    pub burst: Option<Burst>,
    /// By reason, most frequent first.
    pub reasons: Vec<ReasonSnapshot>,
    /// Refused connections by each of `dimensions`.
    pub by: Vec<(Dimension, Ranking)>,
    /// By client host, most first.
    pub probes: Vec<ProbeSnapshot>,
    /// Received, not yet authorized, refused or expired, at the end of the window.
    pub pending: u64,
    /// Refused connections in each of up to 60 equal stretches of the window.
    pub timeline: Vec<u64>,
    /// Bounds that were reached, in words.
    pub bounds: Vec<String>,
}

impl RefusedSnapshot {
    /// All probes.
    pub fn probes_total(&self) -> u64 {
        self.probes.iter().map(|host| host.count).sum()
    }

    /// Probes for this reason.
    pub fn probes_by(&self, reason: ProbeReason) -> u64 {
        let hosts = self.probes.iter();
        hosts.map(|host| host.by_reason[reason as usize]).sum()
    }
}

/// How many, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts: libpq's `sslmode=prefer` retry of one is not another.
    pub attempts: u64,
    /// Connections.
    pub connections: u64,
    /// Log time of the first.
    pub first: Option<Instant>,
    /// Of the last.
    pub last: Option<Instant>,
}

impl Tally {
    /// Connections a minute from the first to the last; `None` of fewer than two, or where that is less than a second.
    pub fn per_minute(&self) -> Option<f64> {
        let ms = self.last?.since(self.first?);
        let rate = self.connections as f64 * 60_000.0 / ms.max(1) as f64;
        (self.connections > 1 && ms >= 1_000).then_some(rate)
    }
}

/// The most connections that were refused within ten seconds: whole seconds of the clock, in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// How many.
    pub connections: u64,
    /// The second of the first of them.
    pub start: Instant,
}

/// One reason.
#[derive(Clone, Debug)]
pub struct ReasonSnapshot {
    /// Which.
    pub reason: RefusalReason,
    /// How many.
    pub tally: Tally,
    /// Its busiest ten seconds; `None`: the log carries no time.
    pub burst: Option<Burst>,
    /// Who; most connections first, `(other)` last.
    pub groups: Vec<GroupSnapshot>,
    /// Its last records, at most [`RECORDS_MAX`](crate::refusals::RECORDS_MAX), in order.
    pub records: Vec<RecordSnapshot>,
}

/// Refusals that are alike.
#[derive(Clone, Debug)]
pub struct GroupSnapshot {
    /// By dimension, in the order of [`Dimension::ALL`]; `None`: not known, or groups are not told apart by it.
    pub names: [Option<Box<[u8]>>; Dimension::ALL.len()],
    /// As logged, else by the text.
    pub sqlstate: Option<Sqlstate>,
    /// The line of `pg_hba.conf` that the connection matched, where the log says it.
    pub hba: Option<HbaSnapshot>,
    /// The DETAIL without that.
    pub detail: Option<Box<[u8]>>,
    /// How many.
    pub tally: Tally,
    /// It is all those that found no room.
    pub is_other: bool,
}

impl GroupSnapshot {
    /// Its name in a dimension.
    pub fn name(&self, dimension: Dimension) -> Option<&[u8]> {
        self.names[dimension as usize].as_deref()
    }

    /// Most connections first, then by names and the rest.
    pub(crate) fn order(&self, other: &GroupSnapshot) -> std::cmp::Ordering {
        let more = other.tally.connections.cmp(&self.tally.connections);
        more.then_with(|| {
            let rest =
                |group: &GroupSnapshot| (group.sqlstate.map(|state| state.0), group.hba.clone());
            self.names
                .cmp(&other.names)
                .then_with(|| rest(self).cmp(&rest(other)))
                .then_with(|| self.detail.cmp(&other.detail))
        })
    }
}

/// A line of `pg_hba.conf`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HbaSnapshot {
    /// The file; `pg_hba.conf` where the server does not say which (up to 15).
    pub file: Box<[u8]>,
    /// Its line, counted from 1.
    pub line: u32,
    /// What stands there; `None`: only its place was logged.
    pub text: Option<Box<[u8]>>,
}

/// A record of a refusal, and where it is.
#[derive(Clone, Debug)]
pub struct RecordSnapshot {
    /// Log time.
    pub at: Option<Instant>,
    /// Whose log.
    pub server: ServerId,
    /// Its file, by position among those of its server.
    pub file: u32,
    /// Where it begins there, in bytes of what was decoded.
    pub offset: u64,
    /// Its first bytes.
    pub text: Box<[u8]>,
}

/// The probes of one client host.
#[derive(Clone, Debug)]
pub struct ProbeSnapshot {
    /// Of several servers: which.
    pub server: Option<ServerId>,
    /// The host; `None`: the log does not say.
    pub client_host: Option<Box<[u8]>>,
    /// How many.
    pub count: u64,
    /// When the first was received, or known to be one.
    pub first: Option<Instant>,
    /// The last.
    pub last: Option<Instant>,
    /// By reason, in the order of [`ProbeReason::ALL`].
    pub by_reason: [u64; ProbeReason::ALL.len()],
}
