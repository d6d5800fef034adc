//! `summary` and `history`: what is added up.

use pgcensus_core::census::Census;
use pgcensus_core::change::Change;
use pgcensus_core::findings::Findings;
use pgcensus_core::history::History;
use pgcensus_core::instant::Instant;
use pgcensus_core::metrics::Metrics;
use pgcensus_core::names::Names;
use pgcensus_core::noise::{Folded, GROUPS_MAX, Noise};
use pgcensus_core::snapshot::{CensusSnapshot, HistorySnapshot, OpenSnapshot, PeakSnapshot};
use pgcensus_core::window::Window;

use super::{Asked, BUCKET_S, bounds, counts, lives};
use crate::cli::OutputFormat;
use crate::pipeline::{Outcome, Run, Sink};
use crate::view::findings::Found;
use crate::{report, time_spec, view};

/// Columns of the sparkline of `summary`.
pub(super) const TIMELINE: usize = 60;

/// What `summary` and `history` add up.
struct Totals {
    census: Census,
    history: History,
    /// For `summary`.
    findings: Option<Findings>,
    /// `summary` folds it.
    noise: Option<Noise>,
    /// For `--textfile`.
    metrics: Option<Metrics>,
}

impl Sink for Totals {
    fn begins(&mut self, first: Instant) {
        self.census.begins(first);
        self.history.begins(first);
        if let Some(metrics) = &mut self.metrics {
            metrics.begins(first);
        }
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.census.observe(change);
        self.history.observe(change);
        if let Some(findings) = &mut self.findings {
            findings.observe(change);
        }
        if let Some(noise) = &mut self.noise {
            noise.observe(change);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.observe(change);
        }
        Ok(())
    }

    fn left_out(&mut self, change: &Change) {
        if let Some(findings) = &mut self.findings {
            findings.left_out(change);
        }
    }

    fn ends(&mut self, last: Instant) {
        self.census.ends(last);
        self.history.ends(last);
        if let Some(findings) = &mut self.findings {
            findings.ends(last);
        }
        if let Some(noise) = &mut self.noise {
            noise.ends(last);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.ends(last);
        }
    }
}
/// What is noise, and of how many connections that is not known.
pub(super) fn tell_noise(census: &mut CensusSnapshot, noise: Folded) {
    census.noise = noise.rows;
    if noise.unfollowed > 0 {
        census.bounds.push(format!(
            "more than {GROUPS_MAX} clients at once by their names, or names past those that are kept: whether {} of their connections are checks is not known",
            noise.unfollowed
        ));
    }
}

impl Asked<'_> {
    pub(super) fn summary(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
    ) -> anyhow::Result<Outcome> {
        let cross = match *self.args.show.by {
            [a, b] => Some((a, b)),
            _ => None,
        };
        let (since, until) = (window.since, window.until);
        let mut totals = Totals {
            census: Census::new(self.daily.limit(since, until), cross, self.servers.len()),
            history: History::timeline(
                Window {
                    since,
                    until,
                    daily: None,
                },
                TIMELINE,
                self.zone.clone(),
            ),
            findings: Some(
                Findings::severe(self.daily.limit(since, until))
                    .hiding_others(self.args.filter.hides_others),
            ),
            noise: Some(Noise::new(self.daily.limit(since, until))),
            metrics: self
                .args
                .show
                .textfile
                .is_some()
                .then(|| Metrics::new(self.daily.limit(since, until))),
        };
        let outcome = self.read(run, &mut totals, false)?;
        if !self.is_known(&outcome, since) {
            return Ok(outcome);
        }
        let noise = totals
            .noise
            .take()
            .map(|noise| noise.folded(&outcome.names));
        let noise = noise.unwrap_or_default();
        let findings = totals.findings.take();
        let findings = findings.map(|fold| self.verdicts(fold, &noise, &outcome, window));
        let findings = findings.unwrap_or_default();
        let census = Self::census_snapshot(totals.census, &outcome);
        let lives = lives(&outcome);
        let history = totals
            .history
            .snapshot(&lives, outcome.input, census.peak.clone());
        let most = history.buckets.iter().map(|bucket| bucket.open_max);
        let timeline = most.filter(|_| census.open.count.is_some()).collect();
        let mut census = CensusSnapshot { timeline, ..census };
        tell_noise(&mut census, noise);
        let unfolded = self.args.show.no_fold.then(|| CensusSnapshot {
            noise: Vec::new(),
            ..census.clone()
        });
        let shown = unfolded.as_ref().unwrap_or(&census);
        let report = self.report(&outcome);
        let found = Found {
            findings: &findings,
            given: self.given(window),
            gates: &[],
        };
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Text => {
                view::summary::text(shown, &found, &report, &outcome.names, show, out)
            }
            OutputFormat::Json => view::json::summary(&census, &found, &report, show, out),
            OutputFormat::Csv => view::csv::summary(&census, show, out),
        })?;
        if let Some(mut metrics) = totals.metrics {
            metrics.finish();
            self.textfile(&metrics, &outcome, report.max_connections)?;
        }
        Ok(outcome)
    }

    pub(super) fn history(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
        bucket_s: Option<u64>,
    ) -> anyhow::Result<Outcome> {
        let bucket_s = bucket_s.or(self.is_default_window.then_some(BUCKET_S));
        let (since, until) = (window.since, window.until);
        let mut totals = Totals {
            census: Census::new(self.daily.limit(since, until), None, self.servers.len()),
            history: History::new(self.daily.limit(since, until), bucket_s, self.zone.clone()),
            findings: None,
            noise: None,
            metrics: None,
        };
        let outcome = self.read(run, &mut totals, false)?;
        if !self.is_known(&outcome, since) {
            return Ok(outcome);
        }
        let census = Self::census_snapshot(totals.census, &outcome);
        let history: HistorySnapshot =
            totals
                .history
                .snapshot(&lives(&outcome), outcome.input, census.peak);
        let report = self.report(&outcome);
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Text => view::history::text(&history, &report, show, out),
            OutputFormat::Json => view::json::history(&history, &report, show, out),
            OutputFormat::Csv => view::csv::history(&history, &report, show, out),
        })?;
        Ok(outcome)
    }

    pub(super) fn census_snapshot(mut census: Census, outcome: &Outcome) -> CensusSnapshot {
        let end = outcome.input.map_or(Instant::UNKNOWN, |(_, last)| last);
        let mut filter = outcome.filter.clone();
        for server in &outcome.servers {
            for session in server.tracker.open_sessions() {
                if counts(&mut filter, &outcome.names, session) {
                    census.still_open(session, end);
                }
            }
            for (session, received_at) in server.tracker.pending() {
                if counts(&mut filter, &outcome.names, session) {
                    census.still_pending(received_at);
                }
            }
        }
        let mut snapshot = census.snapshot(&outcome.names, &lives(outcome), outcome.input);
        snapshot.bounds = bounds(outcome);
        let servers = &outcome.servers;
        for own in &mut snapshot.servers {
            let server = servers.get(usize::from(own.server.0));
            if server.is_some_and(|server| !report::tells_open(&server.tracker)) {
                own.open = OpenSnapshot::default();
                own.peak = PeakSnapshot::default();
            }
        }
        if !servers.iter().any(|own| report::tells_open(&own.tracker)) {
            snapshot.open = OpenSnapshot::default();
            snapshot.walsenders = OpenSnapshot::default();
            snapshot.peak = PeakSnapshot::default();
        }
        snapshot
    }
}
