//! `findings`: the verdicts, with their evidence.

use std::io::Write;

use pgcensus_core::change::Change;
use pgcensus_core::findings::{Finding, Findings, Guesses, Known, LOG_MIN_MS};
use pgcensus_core::instant::Instant;
use pgcensus_core::names::Names;
use pgcensus_core::noise::{Folded, Noise};
use pgcensus_core::zone::DisplayZone;

use super::{Asked, counts, lives};
use crate::cli::{Args, FilterArgs, OutputFormat};
use crate::pipeline::{Outcome, Run, Sink};
use crate::report::{connections_max, hba};
use crate::view::findings::{Found, Given};
use crate::{time_spec, view};

/// What is found, and what is noise: of that nothing is said.
struct Folds {
    findings: Findings,
    noise: Noise,
}

impl Sink for Folds {
    fn begins(&mut self, _: Instant) {}

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.findings.observe(change);
        self.noise.observe(change);
        Ok(())
    }

    fn left_out(&mut self, change: &Change) {
        self.findings.left_out(change);
    }

    fn ends(&mut self, last: Instant) {
        self.findings.ends(last);
        self.noise.ends(last);
    }
}

/// Wrong passwords, which are written as they come.
struct GuessRows<'r> {
    guesses: Guesses,
    zone: &'r DisplayZone,
    outputs: &'r mut [Box<dyn Write>],
}

impl Sink for GuessRows<'_> {
    fn begins(&mut self, _: Instant) {}

    fn change(&mut self, names: &Names, change: &Change) -> anyhow::Result<()> {
        if let Some((at, refusal)) = self.guesses.observe(change, names) {
            for out in &mut *self.outputs {
                view::fail2ban::row(refusal, at, names, self.zone, out)?;
            }
        }
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.guesses.ends(last);
    }
}

impl Asked<'_> {
    /// The findings, and what there is of a run that may have been stopped.
    pub(super) fn findings(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
    ) -> anyhow::Result<(Outcome, Vec<Finding>)> {
        let limit = || self.daily.limit(window.since, window.until);
        let mut folds = Folds {
            findings: Findings::new(limit()).hiding_others(self.args.filter.hides_others),
            noise: Noise::new(limit()),
        };
        for pattern in &self.args.show.personal_user {
            let findings = &mut folds.findings;
            findings
                .personal_user(pattern)
                .map_err(|err| anyhow::anyhow!("--personal-user {pattern}: {err}"))?;
        }
        let outcome = self.read(run, &mut folds, false)?;
        if !self.is_known(&outcome, window.since) {
            return Ok((outcome, Vec::new()));
        }
        for person in folds.findings.unknown_persons(&outcome.names) {
            writeln!(
                self.streams.err(),
                "pgcensus: --personal-user '{person}': no user of this log"
            )
            .ok();
        }
        let noise = folds.noise.folded(&outcome.names);
        let findings = self.verdicts(folds.findings, &noise, &outcome, window);
        let report = self.report(&outcome);
        let mut gates = Vec::new();
        match outcome.input {
            None if report.bytes == 0 => gates.push("The input is empty."),
            None => gates.push("The log has no times: nothing can be judged."),
            Some((first, last)) if last.since(first) < LOG_MIN_MS => {
                gates.push("The log is shorter than 30 minutes: only refusals were judged.");
            }
            Some(_) => {}
        }
        let found = Found {
            findings: &findings,
            given: self.given(window),
            gates: &gates,
        };
        self.write(&outcome, |show, format, out| match format {
            OutputFormat::Text => view::findings::text(&found, &report, show, out),
            OutputFormat::Json => view::findings::jsonl(&found, show, out),
            OutputFormat::Csv => view::findings::csv(&found, show, out),
        })?;
        Ok((outcome, findings))
    }

    /// A line for each wrong password, as they come.
    pub(super) fn guesses(
        &self,
        run: Run<'_>,
        window: time_spec::Window,
    ) -> anyhow::Result<Outcome> {
        let mut outputs = Vec::new();
        for output in self.outputs {
            outputs.push(self.streams.open(output)?);
        }
        let mut rows = GuessRows {
            guesses: Guesses::new(self.daily.limit(window.since, window.until)),
            zone: &self.zone,
            outputs: &mut outputs,
        };
        let outcome = self.read(run, &mut rows, false)?;
        if self.is_known(&outcome, window.since) {
            for out in &mut outputs {
                out.flush()?;
            }
            self.tell(&outcome);
        }
        Ok(outcome)
    }

    /// What the fold says of a window of a log that has been read.
    pub(super) fn verdicts(
        &self,
        mut fold: Findings,
        noise: &Folded,
        outcome: &Outcome,
        window: time_spec::Window,
    ) -> Vec<Finding> {
        let Some((first, last)) = outcome.input else {
            return Vec::new();
        };
        let until = window.until.map_or(last, |until| until.min(last));
        let mut filter = outcome.filter.clone();
        for server in &outcome.servers {
            for session in server.tracker.open_sessions() {
                if counts(&mut filter, &outcome.names, session) {
                    fold.still_open(session, until);
                }
            }
        }
        // Of sessions that are left out nobody knows which line they matched.
        let hba = (self.args.filter == FilterArgs::default()).then(|| hba(self.plan));
        fold.verdicts(&Known {
            hba: hba.flatten().as_ref(),
            names: &outcome.names,
            lives: &lives(outcome),
            span: (first, until),
            noise,
            connections_max: self.connections_max.or_else(|| connections_max(self.plan)),
        })
    }

    /// What of the command line holds for a command that shows evidence.
    pub(super) fn given(&self, window: time_spec::Window) -> Given {
        let Args { input, filter, .. } = self.args;
        let text = |value: &Option<String>| value.clone();
        // How it is read and shown, where that was said.
        let said = [
            (
                "--format",
                input.format.map(|format| format.as_str().to_owned()),
            ),
            ("--line-prefix", text(&input.line_prefix)),
            ("--lang", input.languages().as_deref().map(languages)),
            ("--log-timezone", text(&input.log_timezone)),
            ("--timezone", text(&self.args.show.timezone)),
        ];
        let said = said
            .into_iter()
            .filter_map(|(flag, value)| Some(format!("{flag}={}", value?)));
        let lists = input.lists.iter();
        let lists = lists.map(|list| format!("--logfile-list={}", list.display()));
        let servers = input.servers.iter();
        let (logs, chosen): (Vec<_>, Vec<_>) = servers.partition(|server| server.path.is_some());
        let logs = logs.into_iter().filter_map(|server| {
            let path = server.path.as_ref()?;
            Some(format!("--server={}={}", server.name, path.display()))
        });
        let chosen = chosen
            .into_iter()
            .map(|server| ("--server", server.name.clone()));
        let paths = input.inputs.iter().map(|path| {
            let path = path.display().to_string();
            // It would be read as an option.
            match path.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => format!("./{path}"),
                _ => path,
            }
        });
        let stdin = (self.is_piped && input.inputs.is_empty()).then(|| "-".to_owned());
        Given {
            is_piped: self.is_piped,
            input: said
                .chain(lists)
                .chain(logs)
                .chain(paths)
                .chain(stdin)
                .collect(),
            filter: filter
                .given()
                .map(|(flag, value)| (flag, value.to_owned()))
                .chain(chosen)
                .collect(),
            since: window.since,
            until: window.until,
            between: text(&self.args.window.between),
        }
    }
}

fn languages(languages: &[&str]) -> String {
    match languages {
        [] => "en".to_owned(),
        _ => languages.join(","),
    }
}
