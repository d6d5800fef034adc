//! What metrics tell beside what is counted: how far the logs of servers were read, of those read to their end and of those
//! that go on alike.

use pgcensus_core::filter::Filter;
use pgcensus_core::instant::Instant;
use pgcensus_core::metrics::Metrics;
use pgcensus_core::names::Names;
use pgcensus_core::session::ServerId;
use pgcensus_core::tracker::Tracker;

use super::counts;
use crate::pipeline::FileOutcome;
use crate::report;
use crate::view::metrics::{Facts, ServerFacts};

impl Facts {
    /// Of all servers, in the order of their ids, those that count. `last` is the last log time of all; `connections_max` is
    /// known only where there is one server.
    pub(super) fn of<'t>(
        metrics: &Metrics,
        servers: impl ExactSizeIterator<Item = (&'t Tracker, &'t [FileOutcome])>,
        names: &Names,
        filter: &mut Filter,
        last: Option<Instant>,
        connections_max: Option<u32>,
    ) -> Facts {
        let connections_max = connections_max.filter(|_| servers.len() == 1);
        let mut facts = Facts {
            servers: Vec::new(),
            last,
            now: None,
        };
        for (id, (tracker, files)) in (0..).map(ServerId).zip(servers) {
            if !filter.has_server(names, id) {
                continue;
            }
            let pending = tracker.pending();
            let pending = pending.filter(|(session, received_at)| {
                metrics.has_begun(*received_at) && counts(filter, names, session)
            });
            let pending = pending.count() as u64;
            let sum = |count: fn(&FileOutcome) -> u64| files.iter().map(count).sum();
            let known = ServerFacts {
                bytes: sum(|file| file.bytes),
                events: sum(|file| file.events),
                unreadable: sum(|file| file.unreadable - file.untrusted),
                untrusted: sum(|file| file.untrusted),
                last: files.iter().filter_map(|file| file.last).max(),
                pending,
                tells_open: report::tells_open(tracker),
                certainty: tracker.lives().at(last.unwrap_or_default()),
                connections_max,
            };
            facts.servers.push((id, known));
        }
        facts
    }
}
