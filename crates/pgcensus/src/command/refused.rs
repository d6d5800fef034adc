//! `refused`: why connections failed.

use pgcensus_core::change::Change;
use pgcensus_core::history::History;
use pgcensus_core::instant::Instant;
use pgcensus_core::lives::Lives;
use pgcensus_core::names::Names;
use pgcensus_core::refusals::Refusals;
use pgcensus_core::session::ServerId;
use pgcensus_core::snapshot::PeakSnapshot;
use pgcensus_core::window::Window;

use super::totals::TIMELINE;
use super::{Asked, bounds, counts, lives};
use crate::cli::OutputFormat;
use crate::pipeline::{Outcome, Run, Sink};
use crate::view::refused;
use crate::{report, time_spec};

/// What is added up.
struct Both {
    refusals: Refusals,
    history: History,
}

impl Sink for Both {
    fn begins(&mut self, first: Instant) {
        self.history.begins(first);
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.refusals.observe(change);
        self.history.observe(change);
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.refusals.ends(last);
        self.history.ends(last);
    }
}

impl Asked<'_> {
    pub(super) fn refused(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
    ) -> anyhow::Result<Outcome> {
        let (since, until) = (window.since, window.until);
        let counted = self.daily.limit(since, until);
        let whole = Window {
            since,
            until,
            daily: None,
        };
        let mut both = Both {
            refusals: Refusals::new(counted.clone(), &self.args.show.by, self.servers.len()),
            history: History::timeline(whole, TIMELINE, self.zone.clone()),
        };
        let outcome = self.read(run, &mut both, false)?;
        if !self.is_known(&outcome, since) {
            return Ok(outcome);
        }
        let mut snapshot = both.refusals.snapshot(&outcome.names, outcome.input);
        snapshot.timeline = timeline(both.history, &lives(&outcome), &outcome);
        snapshot.pending = pending(&outcome, &counted);
        snapshot.bounds = bounds(&outcome);
        snapshot.bounds.extend(both.refusals.bounds());
        let places = report::places(self.plan, &snapshot);
        let report = self.report(&outcome);
        let told = refused::Told {
            refused: &snapshot,
            places: &places,
            report: &report,
            given: &self.given(window),
        };
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Text => refused::text(told, show, out),
            OutputFormat::Json => refused::data::json(told, show, out),
            OutputFormat::Csv => refused::data::csv(told, show, out),
        })?;
        Ok(outcome)
    }
}

/// Refused connections in equal stretches of the window.
fn timeline(history: History, lives: &[(ServerId, &Lives)], outcome: &Outcome) -> Vec<u64> {
    let history = history.snapshot(lives, outcome.input, PeakSnapshot::default());
    history
        .buckets
        .iter()
        .map(|bucket| bucket.refused)
        .collect()
}

/// Connections of whom it is not known yet, at the end of the window.
fn pending(outcome: &Outcome, window: &Window) -> u64 {
    let mut filter = outcome.filter.clone();
    let pending = outcome
        .servers
        .iter()
        .flat_map(|server| server.tracker.pending());
    let pending = pending.filter(|&(session, received_at)| {
        let is_later = received_at.is_some_and(|at| window.is_after(at));
        !is_later && counts(&mut filter, &outcome.names, session)
    });
    pending.count() as u64
}
