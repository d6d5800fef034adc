//! Refusals: the attempts that did not become sessions, by reason and by whom, since when, how fast; and probes by client host.
//!
//! A group is all refusals that are alike in reason, names, SQLSTATE, line of `pg_hba.conf` and DETAIL; with `--by`, in reason and
//! those names alone. What a client can make up is bounded: groups by [`GROUPS_MAX`], texts of the DETAIL by [`TEXTS_MAX`], names
//! by [`Names`]; past that it is counted as `(other)`, so that all sums stay whole.

mod burst;
mod texts;

use std::collections::VecDeque;
use std::rc::Rc;

use pgcensus_log::detail::{Detail, Hba};
use rustc_hash::FxHashMap;

use crate::change::{Change, Probe, Refusal, RefusalRecord, What};
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::{ProbeReason, RefusalReason, ServerId, Sqlstate};
use crate::snapshot::Ranking;
use crate::snapshot::refused::{
    GroupSnapshot, HbaSnapshot, ProbeSnapshot, ReasonSnapshot, RecordSnapshot, RefusedSnapshot,
    Tally,
};
use crate::window::Window;
use burst::Seconds;
use texts::{Kept, KeptText};

pub use burst::BURST_S;
pub use texts::TEXTS_MAX;

/// Groups at most, over all reasons; of more, the rest share one `(other)` a reason.
pub const GROUPS_MAX: usize = 100_000;

/// Client hosts of probes at most, likewise.
pub const PROBE_HOSTS_MAX: usize = 100_000;

/// The last records of each reason that are kept.
pub const RECORDS_MAX: usize = 3;

/// Adds up refusals and probes of a window.
pub struct Refusals {
    window: Window,
    /// Names that tell groups apart.
    dimensions: Vec<Dimension>,
    /// So do SQLSTATE, line of `pg_hba.conf` and DETAIL.
    is_detailed: bool,
    all: Tally,
    burst: Seconds,
    /// By reason, in the order of [`RefusalReason::ALL`].
    reasons: Vec<Reason>,
    groups: FxHashMap<Key, Tally>,
    texts: Kept,
    by_server: bool,
    probes: FxHashMap<(Option<ServerId>, NameId), ProbeTally>,
    other_probes: ProbeTally,
}

#[derive(Clone, Default)]
struct Reason {
    tally: Tally,
    burst: Seconds,
    /// Of the groups that found no room.
    other: Tally,
    records: VecDeque<(Option<Instant>, ServerId, Rc<RefusalRecord>)>,
}

/// What makes a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    reason: RefusalReason,
    /// Of the dimensions that tell groups apart; of all others [`NameId::ABSENT`].
    names: [NameId; Dimension::ALL.len()],
    sqlstate: Option<Sqlstate>,
    hba: Option<(KeptText, u32, KeptText)>,
    detail: KeptText,
}

#[derive(Clone, Copy, Default)]
struct ProbeTally {
    count: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    by_reason: [u64; ProbeReason::ALL.len()],
}

impl Refusals {
    /// Refusals of this window and of so many servers, grouped by these dimensions; by none: by all that is known of them.
    pub fn new(window: Window, by: &[Dimension], servers: usize) -> Refusals {
        let by_server = servers > 1;
        let dimensions = match by {
            [] if by_server => Dimension::ALL.to_vec(),
            [] => Dimension::NAMED.to_vec(),
            by => by.to_vec(),
        };
        Refusals {
            window,
            dimensions,
            is_detailed: by.is_empty(),
            all: Tally::default(),
            burst: Seconds::default(),
            reasons: vec![Reason::default(); RefusalReason::ALL.len()],
            groups: FxHashMap::default(),
            texts: Kept::default(),
            by_server,
            probes: FxHashMap::default(),
            other_probes: ProbeTally::default(),
        }
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change.
    pub fn observe(&mut self, change: &Change) {
        if !self.window.contains(change.at.unwrap_or(Instant::UNKNOWN)) {
            return;
        }
        match &change.what {
            What::Refused(refusal) => self.refused(refusal, change.at),
            What::Probe(probe) => self.probe(probe, change.at),
            What::Opened(_) | What::TakenBack(_) | What::Closed(_) | What::Server(..) => {}
        }
    }

    fn refused(&mut self, refusal: &Refusal, at: Option<Instant>) {
        let key = self.key(refusal);
        let has_room = self.groups.len() < GROUPS_MAX || self.groups.contains_key(&key);
        let reason = &mut self.reasons[refusal.reason as usize];
        let group = if has_room {
            self.groups.entry(key).or_default()
        } else {
            &mut reason.other
        };
        for tally in [&mut self.all, &mut reason.tally, group] {
            tally.add(refusal.is_retry, at);
        }
        if let Some(at) = at {
            self.burst.add(at);
            reason.burst.add(at);
        }
        if reason.records.len() == RECORDS_MAX {
            reason.records.pop_front();
        }
        let record = (at, refusal.server, refusal.record.clone());
        reason.records.push_back(record);
    }

    fn key(&mut self, refusal: &Refusal) -> Key {
        let mut names = [NameId::ABSENT; Dimension::ALL.len()];
        for &dimension in &self.dimensions {
            names[dimension as usize] = refusal.name(dimension);
        }
        let mut key = Key {
            reason: refusal.reason,
            names,
            sqlstate: None,
            hba: None,
            detail: KeptText::NONE,
        };
        if self.is_detailed {
            let detail = Detail::read(&refusal.record.detail);
            let authenticated = || Hba::place(&refusal.auth.as_ref()?.hba);
            let texts = &mut self.texts;
            key.sqlstate = refusal.sqlstate;
            key.detail = detail
                .reason
                .map_or(KeptText::NONE, |text| texts.keep(text));
            key.hba = detail.hba.or_else(authenticated).map(|hba| {
                let text = hba.text.map_or(KeptText::NONE, |text| texts.keep(text));
                (texts.keep(hba.file), hba.line, text)
            });
        }
        key
    }

    fn probe(&mut self, probe: &Probe, at: Option<Instant>) {
        // It is decided long after it came.
        let at = probe.received_at.or(at);
        let server = self.by_server.then_some(probe.server);
        let key = (server, NameId::of(probe.client_host.as_ref()));
        let has_room = self.probes.len() < PROBE_HOSTS_MAX || self.probes.contains_key(&key);
        let tally = if has_room {
            self.probes.entry(key).or_default()
        } else {
            &mut self.other_probes
        };
        tally.count += 1;
        tally.by_reason[probe.reason as usize] += 1;
        tally.first = earlier(tally.first, at);
        tally.last = tally.last.max(at);
    }

    /// The numbers. `input` is the first and last log time.
    pub fn snapshot(&self, names: &Names, input: Option<(Instant, Instant)>) -> RefusedSnapshot {
        let window = input.map(|(first, last)| {
            (
                self.window.since.map_or(first, |since| since.max(first)),
                self.window.until.unwrap_or(last),
            )
        });
        let mut groups: FxHashMap<RefusalReason, Vec<GroupSnapshot>> = FxHashMap::default();
        for (key, &tally) in &self.groups {
            let group = self.group(key, tally, names);
            groups.entry(key.reason).or_default().push(group);
        }
        let counted = RefusalReason::ALL.iter().zip(&self.reasons);
        let counted = counted.filter(|(_, counted)| counted.tally.connections > 0);
        let mut reasons: Vec<_> = counted
            .map(|(&reason, counted)| {
                let mut groups = groups.remove(&reason).unwrap_or_default();
                groups.sort_unstable_by(GroupSnapshot::order);
                groups.extend(self.other(counted.other));
                let records = counted.records.iter();
                ReasonSnapshot {
                    reason,
                    tally: counted.tally,
                    burst: counted.burst.most(),
                    groups,
                    records: records
                        .map(|&(at, server, ref record)| RecordSnapshot {
                            at,
                            server,
                            file: record.file,
                            offset: record.offset,
                            text: record.text.clone(),
                        })
                        .collect(),
                }
            })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.tally.connections));
        RefusedSnapshot {
            input,
            window,
            dimensions: self.dimensions.clone(),
            is_detailed: self.is_detailed,
            all: self.all,
            burst: self.burst.most(),
            reasons,
            by: self.by(names),
            probes: self.probes(names),
            pending: 0,
            timeline: Vec::new(),
            bounds: Vec::new(),
        }
    }

    fn group(&self, key: &Key, tally: Tally, names: &Names) -> GroupSnapshot {
        let text = |id| self.texts.text(id).map(Into::into);
        GroupSnapshot {
            names: Dimension::ALL.map(|dimension| {
                let id = key.names[dimension as usize];
                let known = id != NameId::ABSENT;
                known.then(|| names.text_of(dimension, id).into())
            }),
            sqlstate: key.sqlstate,
            hba: key.hba.map(|(file, line, rule)| HbaSnapshot {
                file: text(file).unwrap_or_default(),
                line,
                text: text(rule),
            }),
            detail: text(key.detail),
            tally,
            is_other: false,
        }
    }

    /// Refused connections by each dimension; those of groups that found no room are `(other)`.
    fn by(&self, names: &Names) -> Vec<(Dimension, Ranking)> {
        let ranking = |dimension: Dimension| {
            let mut counts: FxHashMap<NameId, u64> = FxHashMap::default();
            for (key, tally) in &self.groups {
                *counts.entry(key.names[dimension as usize]).or_default() += tally.connections;
            }
            let others = self.reasons.iter().map(|reason| reason.other.connections);
            let others: u64 = others.sum();
            if others > 0 {
                *counts.entry(NameId::OTHER).or_default() += others;
            }
            let counts = counts.into_iter();
            let mut ranking: Ranking = counts
                .map(|(id, count)| (names.text_of(dimension, id).into(), count))
                .collect();
            ranking.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
            ranking
        };
        let dimensions = self.dimensions.iter();
        dimensions
            .map(|&dimension| (dimension, ranking(dimension)))
            .collect()
    }

    /// The group of all that found no room.
    fn other(&self, tally: Tally) -> Option<GroupSnapshot> {
        let other = |dimension| -> Option<Box<[u8]>> {
            let is_told = self.dimensions.contains(&dimension);
            is_told.then(|| b"(other)"[..].into())
        };
        (tally.connections > 0).then(|| GroupSnapshot {
            names: Dimension::ALL.map(other),
            sqlstate: None,
            hba: None,
            detail: None,
            tally,
            is_other: true,
        })
    }

    fn probes(&self, names: &Names) -> Vec<ProbeSnapshot> {
        let snapshot = |server, client_host: Option<&[u8]>, tally: &ProbeTally| ProbeSnapshot {
            server,
            client_host: client_host.map(Into::into),
            count: tally.count,
            first: tally.first,
            last: tally.last,
            by_reason: tally.by_reason,
        };
        let hosts = self.probes.iter();
        let mut hosts: Vec<_> = hosts
            .map(|(&(server, host), tally)| {
                let known = host != NameId::ABSENT;
                let host = known.then(|| names.text_of(Dimension::ClientHost, host));
                snapshot(server, host, tally)
            })
            .collect();
        hosts.sort_unstable_by(|a, b| {
            let order = b.count.cmp(&a.count);
            order.then_with(|| (&a.client_host, a.server).cmp(&(&b.client_host, b.server)))
        });
        if self.other_probes.count > 0 {
            hosts.push(snapshot(None, Some(b"(other)"), &self.other_probes));
        }
        hosts
    }

    /// Bounds that were reached, in words.
    pub fn bounds(&self) -> Vec<String> {
        let mut bounds = Vec::new();
        if self
            .reasons
            .iter()
            .any(|reason| reason.other.connections > 0)
        {
            bounds.push(format!(
                "more than {GROUPS_MAX} who were refused: further ones are counted as (other)"
            ));
        }
        if self.texts.overflowed() {
            bounds.push(format!(
                "more than {TEXTS_MAX} different DETAILs: further ones are counted as (other)"
            ));
        }
        if self.other_probes.count > 0 {
            bounds.push(format!(
                "more than {PROBE_HOSTS_MAX} hosts of probes: further ones are counted as (other)"
            ));
        }
        bounds
    }
}

impl Tally {
    fn add(&mut self, is_retry: bool, at: Option<Instant>) {
        self.connections += 1;
        self.attempts += u64::from(!is_retry);
        self.first = earlier(self.first, at);
        self.last = self.last.max(at);
    }
}

/// The earlier of two instants that may not be known.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
