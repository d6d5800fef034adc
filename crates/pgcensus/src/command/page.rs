//! `report`: all that a page shows, in one pass; the raw lines of its sessions are then read where they stand.

mod lines;

use std::io::{self, IsTerminal as _};
use std::rc::Rc;

use anyhow::bail;
use pgcensus_core::census::Census;
use pgcensus_core::change::Change;
use pgcensus_core::findings::{Finding, Findings, Who};
use pgcensus_core::grid::{CELLS_MAX, Grid};
use pgcensus_core::history::History;
use pgcensus_core::instant::Instant;
use pgcensus_core::names::{Dimension, Names};
use pgcensus_core::noise::Noise;
use pgcensus_core::notable::Notable;
use pgcensus_core::present::as_open;
use pgcensus_core::refusals::Refusals;
use pgcensus_core::session::Session;
use pgcensus_core::tracker::Tracker;
use pgcensus_core::window::Window;

use super::totals::tell_noise;
use super::{Asked, counts, lives};
use crate::cli::{Output, OutputFormat, Target};
use crate::pipeline::{Outcome, Run, Sink};
use crate::report::unread_places;
use crate::time_spec;
use crate::view::findings::Found;
use crate::view::page::{self, Page};
use crate::view::refused;

/// Buckets of a page at most: a point of its timeline each.
const BUCKETS_MAX: usize = 750;

/// Sessions of a page at most.
const SESSIONS_MAX: usize = 2_000;

/// Of those that are open, so many; half of them the oldest, half the newest…
const OPEN_MAX: usize = 800;

/// …and so many more that a finding is about.
const OPEN_FOUND_MAX: usize = 200;

struct Folds {
    census: Census,
    history: History,
    grid: Grid,
    notable: Notable,
    refusals: Refusals,
    findings: Findings,
    noise: Noise,
}

impl Sink for Folds {
    fn begins(&mut self, first: Instant) {
        self.census.begins(first);
        self.history.begins(first);
        self.grid.begins(first);
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.census.observe(change);
        self.history.observe(change);
        self.grid.observe(change);
        self.notable.observe(change, self.census.peak_at());
        self.refusals.observe(change);
        self.findings.observe(change);
        self.noise.observe(change);
        Ok(())
    }

    fn left_out(&mut self, change: &Change) {
        self.findings.left_out(change);
    }

    fn ends(&mut self, last: Instant) {
        self.census.ends(last);
        self.history.ends(last);
        self.grid.ends(last);
        self.notable.ends(last);
        self.refusals.ends(last);
        self.findings.ends(last);
        self.noise.ends(last);
    }
}

impl Asked<'_> {
    fn limit(&self, window: time_spec::Window) -> Window {
        self.daily.limit(window.since, window.until)
    }

    fn folds(&self, window: time_spec::Window) -> Folds {
        let limit = || self.limit(window);
        Folds {
            census: Census::new(limit(), None, self.servers.len()),
            history: History::chained(limit(), BUCKETS_MAX, self.zone.clone()),
            grid: Grid::new(limit(), self.zone.clone(), CELLS_MAX),
            notable: Notable::new(limit()),
            refusals: Refusals::new(limit(), &[], self.servers.len()),
            findings: Findings::new(limit()).hiding_others(self.args.filter.hides_others),
            noise: Noise::new(limit()),
        }
    }

    pub(super) fn page(&self, run: Run<'_>, window: time_spec::Window) -> anyhow::Result<Outcome> {
        let is_page = |output: &Output| {
            output.target == Target::Stdout && output.format == OutputFormat::Text
        };
        if self.outputs.iter().any(is_page) && io::stdout().is_terminal() {
            bail!(
                "report: a page is for a browser; write it to a file: pgcensus report -o pg.html …"
            );
        }
        let mut folds = self.folds(window);
        let outcome = self.read(run, &mut folds, false)?;
        if !self.is_known(&outcome, window.since) {
            return Ok(outcome);
        }
        let Folds {
            census,
            mut history,
            grid,
            notable,
            refusals,
            findings,
            noise,
        } = folds;
        let noise = noise.folded(&outcome.names);
        let findings = self.verdicts(findings, &noise, &outcome, window);
        let mut census = Self::census_snapshot(census, &outcome);
        tell_noise(&mut census, noise);
        let grid = grid.snapshot(history.bucket_s());
        history.at_least(grid.step_s);
        let history = history.snapshot(&lives(&outcome), outcome.input, census.peak.clone());
        let mut refused = refusals.snapshot(&outcome.names, outcome.input);
        refused.pending = census.pending;
        refused.bounds = refusals.bounds();
        let is_found = |session: &Session| is_found(&findings, &outcome.names, session);
        let sessions = notable_of(notable, &self.limit(window), &outcome, is_found);
        let lines = lines::of(self.plan, &outcome, &sessions);
        let report = self.report(&outcome);
        let given = self.given(window);
        let page = Page {
            census: &census,
            grid: &grid,
            history: &history,
            refused: refused::Told {
                refused: &refused,
                places: &unread_places(self.plan, &refused),
                report: &report,
                given: &given,
            },
            found: &Found {
                findings: &findings,
                given: given.clone(),
                gates: &[],
            },
            report: &report,
            names: &outcome.names,
            sessions: &sessions,
            lines: &lines,
            is_anonymous: self.args.show.anonymize,
        };
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Json => page::data::json(&page, show, out),
            OutputFormat::Text | OutputFormat::Csv => page::html(&page, show, out),
        })?;
        Ok(outcome)
    }
}

/// Whether a finding is about this session: of its time, and of the names that it has.
fn is_found(findings: &[Finding], names: &Names, session: &Session) -> bool {
    let is_named = |dimension, wanted: &Option<Box<[u8]>>| {
        let own = names.text_of(dimension, session.name(dimension));
        wanted.as_deref().is_none_or(|wanted| own == wanted)
    };
    findings.iter().any(|finding| {
        let who = &finding.who;
        finding.server == session.server
            && *who != Who::default()
            && session.opened_at().is_none_or(|at| at <= finding.until)
            && session.session_end.is_none_or(|at| at >= finding.since)
            && is_named(Dimension::ApplicationName, &who.application_name)
            && is_named(Dimension::User, &who.user)
            && is_named(Dimension::Database, &who.database)
            && is_named(Dimension::ClientHost, &who.client_host)
    })
}

/// Sessions that a reader will ask for: some of those that are open, the oldest first, then those that ended.
fn notable_of(
    notable: Notable,
    window: &Window,
    outcome: &Outcome,
    is_found: impl Fn(&Session) -> bool,
) -> Vec<Rc<Session>> {
    let mut filter = outcome.filter.clone();
    let trackers = outcome.servers.iter().map(|server| &server.tracker);
    let open = trackers.flat_map(Tracker::open_sessions);
    let open = open.filter(|session| {
        let is_later = session.opened_at().is_some_and(|at| window.is_after(at));
        !is_later && counts(&mut filter, &outcome.names, session)
    });
    let mut open: Vec<&Session> = open.collect();
    open.sort_by_key(|session| (session.session_start.or(session.authorized_at), session.pid));
    let newest = open.len().saturating_sub(OPEN_MAX / 2);
    let mut found = 0;
    let kept = |(i, session): (usize, &&Session)| {
        let is_at_end = i < OPEN_MAX / 2 || i >= newest;
        let is_kept = is_at_end || found < OPEN_FOUND_MAX && is_found(session);
        found += usize::from(is_kept && !is_at_end);
        is_kept.then(|| Rc::new(as_open((*session).clone())))
    };
    let mut sessions: Vec<_> = open.iter().enumerate().filter_map(kept).collect();
    let ended = notable.sessions(SESSIONS_MAX - sessions.len(), &is_found);
    sessions.extend(ended.into_iter().map(|session| {
        // At the end of the window it was still there.
        let is_later = session.session_end.is_some_and(|at| window.is_after(at));
        if is_later {
            Rc::new(as_open((*session).clone()))
        } else {
            session
        }
    }));
    sessions
}
