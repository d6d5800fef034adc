//! Answers from a log that is finished: each is made by reading it once more, up to the instant that is asked for.

use std::sync::Arc;

use jiff::tz::TimeZone;
use pgcensus_core::instant::Instant;

use super::super::{Asked, bounds};
use super::folds::{Folds, Of, Seen, Span};
use super::lines;
use crate::interrupt::Interrupt;
use crate::pipeline::{self, Outcome, Run};
use crate::source::input::Reading;
use crate::time_spec;
use crate::view::summary::all_notes;
use crate::view::text::shown;
use crate::view::top::moment::{Ask, Backend, Detail, Details, Lines, Moment};
use crate::view::{InputReport, Tone};

/// A log that does not grow.
pub(super) struct Finished<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) log_timezone: Option<TimeZone>,
    pub(super) threads: usize,
    pub(super) chunk_size: usize,
    /// What `--since`, `--until` and the like leave of it.
    pub(super) limits: time_spec::Window,
    /// First and last log time, as far as the heads of the files tell.
    pub(super) input: Option<(Instant, Instant)>,
}

impl Finished<'_> {
    /// The moment that is asked for; `None` where the interrupt of `reading` came before it was known.
    pub(super) fn answer(
        &self,
        ask: &Ask,
        reading: &Arc<Reading>,
    ) -> anyhow::Result<Option<Moment>> {
        let asked = self.asked;
        let span = Span::new(ask, self.limits, self.input);
        let of = Of {
            servers: asked.servers.len(),
            daily: &asked.daily,
            zone: &asked.zone,
            goes_on: false,
        };
        let mut folds = Folds::new(ask, span, of);
        let run = Run {
            servers: &asked.plan.servers,
            log_timezone: self.log_timezone.clone(),
            threads: self.threads,
            chunk_size: self.chunk_size,
            filter: ask.filter.clone(),
            reading: reading.clone(),
        };
        let outcome = pipeline::run(run, &mut folds)?;
        if outcome.is_stopped || reading.interrupt.came() {
            return Ok(None);
        }
        let servers = outcome.servers.iter();
        let seen = Seen {
            names: &outcome.names,
            filter: outcome.filter.clone(),
            trackers: servers.map(|server| &server.tracker).collect(),
            input: outcome.input,
        };
        let mut moment = folds.moment(ask, &seen, None);
        if let Details::Backend(_, lines) = &mut moment.detail
            && let Detail::Backend(backend) = &ask.detail
        {
            *lines = self.lines(backend, &outcome, &reading.interrupt);
        }
        let report = asked.report(&outcome);
        moment.max_connections = report.max_connections;
        moment.servers.clone_from(&asked.servers);
        let clock = outcome.servers.first().map(|server| &server.clock);
        moment.zone = asked.zone_of(clock.zip(outcome.input));
        moment.problems = self.problems(&outcome, &report);
        Ok(Some(moment))
    }

    fn lines(&self, backend: &Backend, outcome: &Outcome, interrupt: &Interrupt) -> Lines {
        let server = usize::from(backend.server.0);
        let (told, input) = (&outcome.servers[server], &self.asked.plan.servers[server]);
        let later = told.files.iter().map(|file| &file.later_prefixes[..]);
        lines::of(input, later, backend, &mut told.clock.clone(), interrupt)
    }

    /// What is wrong: with the filter, with files, with records.
    fn problems(&self, outcome: &Outcome, report: &InputReport) -> Vec<String> {
        let plan = self.asked.plan;
        let mut problems = Vec::new();
        problems.extend(outcome.filter.unmatched(&outcome.names));
        for (server, input) in outcome.servers.iter().zip(&plan.servers) {
            for (file, log) in server.files.iter().zip(&input.files) {
                let error = file.error.as_ref();
                problems.extend(error.map(|error| format!("{}: {error}", log.display)));
            }
        }
        problems.extend(plan.problems.iter().map(ToString::to_string));
        problems.extend(bounds(outcome));
        let notes = all_notes(&[], report).into_iter();
        let notes = notes.filter(|(tone, _)| *tone == Tone::Refused);
        problems.extend(notes.map(|(_, note)| note));
        let shown = |problem: &String| shown(problem.as_bytes()).into_owned();
        problems.iter().map(shown).collect()
    }
}
