//! `compare`: two windows of one input in one pass, or two inputs one after the other.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use pgcensus_core::change::Change;
use pgcensus_core::compare::side::Side;
use pgcensus_core::compare::{Input, compare};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::Names;
use pgcensus_core::snapshot::Certainty;

use super::{Asked, Attempt, bounds, input_request, lives, on_one_line, some_server_counts};
use crate::cli::{Compared, OutputFormat};
use crate::pipeline::{Outcome, Run, Sink};
use crate::progress::Progress;
use crate::source::input::Reading;
use crate::source::{Plan, Readable};
use crate::time_spec::{self, Stretch};
use crate::view;
use crate::view::comparison::{Told, too_short};
use crate::view::summary::all_notes;

/// The sides that are filled by one pass.
struct Sides(Vec<Side>);

impl Sink for Sides {
    fn begins(&mut self, first: Instant) {
        self.0.iter_mut().for_each(|side| side.begins(first));
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.0.iter_mut().for_each(|side| side.observe(change));
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.0.iter_mut().for_each(|side| side.ends(last));
    }
}

impl Asked<'_> {
    /// `ends` are the first and last log time of the input, as far as its heads tell.
    pub(super) fn compare(
        &self,
        run: Run<'_>,
        ends: Option<(Instant, Instant)>,
    ) -> anyhow::Result<ExitCode> {
        match &self.args.compared {
            Some(Compared::Windows(windows)) => self.compare_windows(run, windows, ends),
            Some(Compared::Inputs(after)) => self.compare_inputs(run, after),
            None => unreachable!("the command line has both sides"),
        }
    }

    fn compare_windows(
        &self,
        run: Run<'_>,
        windows: &[Stretch; 2],
        ends: Option<(Instant, Instant)>,
    ) -> anyhow::Result<ExitCode> {
        let Some((first, last)) = ends else {
            anyhow::bail!(
                "compare: the log has no times (its log_line_prefix has no %m, %t or %n): no window can be taken of it"
            );
        };
        let [before, after] = windows;
        let resolved = |flag: &str, window: &Stretch| {
            let window = window.resolve(&self.zone, first, last);
            window
                .with_context(|| flag.to_owned())
                .map_err(|err| Attempt::doubt(self.plan, err))
        };
        let windows = [resolved("--before", before)?, resolved("--after", after)?];
        if overlap(windows) {
            let show = self.show(&self.zone, false);
            let [begin, other] = windows.map(|window| show.zoned(window.since.unwrap_or(first)));
            anyhow::bail!(
                "--before {before} and --after {after} overlap (from {begin} and from {other} on): what happened in both \
                 differs in neither"
            );
        }
        let sides = windows.map(|window| Side::new(self.daily.limit(window.since, window.until)));
        let mut sides = Sides(sides.into());
        let outcome = self.read(run, &mut sides, false)?;
        if self.is_whole(&outcome) {
            let mut inputs = sides.0.into_iter().zip(windows);
            let mut next = || {
                inputs
                    .next()
                    .map(|(side, window)| self.side(side, &outcome, window))
            };
            if let (Some(before), Some(after)) = (next(), next()) {
                self.show_comparison([before, after], &[(self, &outcome)])?;
            }
        }
        self.conclude(&outcome)
    }

    fn compare_inputs(&self, run: Run<'_>, after: &[PathBuf]) -> anyhow::Result<ExitCode> {
        let whole = time_spec::Window::default();
        let mut request = input_request(&self.args.input, Reading::new(&run.reading.interrupt))?;
        request.paths = after.to_vec();
        let stdin = self.streams.stdin(&request.reading)?;
        request.trusts_begins = self.plan.trusts_begins();
        let plan = Plan::of(&request, stdin);
        request.reading.late.check()?;
        let mut err = self.streams.err();
        if self.args.show.explain {
            for line in plan.explain() {
                writeln!(err, "{line}").ok();
            }
        }
        let problems = || {
            for problem in &plan.problems {
                writeln!(self.streams.err(), "pgcensus: {problem}").ok();
            }
        };
        drop(err);
        if matches!(plan.readable(), Readable::None) {
            problems();
            return Ok(ExitCode::from(2));
        }
        let second = Asked {
            progress: Progress::new(self.args.show.quiet),
            ..self.of(&plan)
        };
        some_server_counts(&run.filter, &second.servers)
            .map_err(|err| Attempt::doubt(&plan, err))?;
        let second_run = Run {
            servers: &plan.servers,
            log_timezone: run.log_timezone.clone(),
            threads: run.threads,
            chunk_size: run.chunk_size,
            filter: run.filter.clone(),
            reading: request.reading.clone(),
        };
        let side = || Sides(vec![Side::new(self.daily.limit(None, None))]);
        let (mut before, mut after) = (side(), side());
        let outcome = self.read(run, &mut before, false)?;
        if !self.is_whole(&outcome) {
            return self.conclude(&outcome);
        }
        let second_outcome = second.read(second_run, &mut after, false)?;
        // Not before: what is read may prove to be of more servers, and is read once more.
        problems();
        if second.is_whole(&second_outcome)
            && let (Some(before), Some(after)) = (before.0.pop(), after.0.pop())
        {
            let before = self.side(before, &outcome, whole);
            let after = second.side(after, &second_outcome, whole);
            self.show_comparison(
                [before, after],
                &[(self, &outcome), (&second, &second_outcome)],
            )?;
        }
        let statuses = [self.conclude(&outcome)?, second.conclude(&second_outcome)?];
        let failed = statuses
            .into_iter()
            .rfind(|&status| status != ExitCode::SUCCESS);
        Ok(failed.unwrap_or(ExitCode::SUCCESS))
    }

    /// A part of one side is none: where Ctrl+C ended it, nothing is compared.
    fn is_whole(&self, outcome: &Outcome) -> bool {
        let Some(partial) = self.partial(outcome) else {
            return true;
        };
        let note = on_one_line(&partial, &self.show(&self.zone, false));
        writeln!(self.streams.err(), "pgcensus: {note}: nothing was compared").ok();
        false
    }

    fn show_comparison(
        &self,
        [before, after]: [Input<'_>; 2],
        read: &[(&Asked<'_>, &Outcome)],
    ) -> anyhow::Result<()> {
        let comparison = compare(before, after);
        let notes = |bounds: &[String], (asked, outcome): &(&Asked<'_>, &Outcome)| {
            let bounds = [bounds, &self::bounds(outcome)].concat();
            all_notes(&bounds, &asked.report(outcome))
        };
        let mut all = notes(&comparison.notes, &read[0]);
        for side in &read[1..] {
            for note in notes(&[], side) {
                if !all.contains(&note) {
                    all.push(note);
                }
            }
        }
        let reports: Vec<_> = read
            .iter()
            .map(|(asked, outcome)| asked.report(outcome))
            .collect();
        let (_, outcome) = read[0];
        let told = Told {
            comparison: &comparison,
            reports: [&reports[0], &reports[read.len() - 1]],
            notes: &all,
        };
        self.write(outcome, |show, format, out| match format {
            OutputFormat::Text => view::comparison::text(told, show, out),
            OutputFormat::Json => view::comparison::json(told, show, out),
            OutputFormat::Csv => view::comparison::csv(&comparison, show, out),
        })?;
        // Rows cannot say why there are none.
        let has_csv = self
            .outputs
            .iter()
            .any(|output| output.format == OutputFormat::Csv);
        if let Some(why) = too_short(&comparison).filter(|_| has_csv && !self.args.show.quiet) {
            writeln!(self.streams.err(), "pgcensus: {why}").ok();
        }
        Ok(())
    }

    /// What one pass knows of one side.
    fn side<'o>(&self, side: Side, outcome: &'o Outcome, window: time_spec::Window) -> Input<'o> {
        let lives = lives(outcome);
        let has_pid = self.report(outcome).has_pid;
        let certainty = outcome.input.filter(|_| has_pid).and_then(|(first, last)| {
            let since = window.since.map_or(first, |since| since.max(first));
            let until = window.until.unwrap_or(last.plus_ms(1));
            let all = lives.iter().map(|(_, lives)| lives.between(since, until));
            all.reduce(Certainty::and)
        });
        Input {
            side,
            names: &outcome.names,
            input: outcome.input,
            certainty: certainty.unwrap_or(Certainty::Unknown),
        }
    }
}

fn overlap([a, b]: [time_spec::Window; 2]) -> bool {
    let begins_before_end = |a: time_spec::Window, b: time_spec::Window| {
        a.since
            .zip(b.until)
            .is_none_or(|(since, until)| since < until)
    };
    begins_before_end(a, b) && begins_before_end(b, a)
}
