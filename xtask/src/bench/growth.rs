//! How the costs of pgcensus grow: with threads, bytes, names, open sessions, files, and one long record; and what its commands
//! cost beside each other.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::logs::Load;
use super::measure::{self, Call, Runs};
use super::table::{Table, shown};
use super::tools::Bars;
use super::{Bench, grown};
use crate::said;
use crate::server::Format;

/// Counted runs of each row.
const ROUNDS: u32 = 3;

/// What one row measures.
struct Case {
    /// `10,000 names`
    what: String,
    bytes: u64,
    call: Call,
}

/// The table, and a bar.
///
/// # Errors
/// When a log cannot be made, pgcensus fails or is wrong about one.
pub(super) fn run(bench: &Bench) -> Result<String> {
    let mut growth = Growth {
        bench,
        table: Table::new(&[
            "of",
            "with",
            " MB",
            " wall",
            " least … most",
            " CPU",
            " peak MiB",
            " GB/s",
        ]),
        bars: Bars::new(),
    };
    growth.threads()?;
    growth.sizes()?;
    growth.names()?;
    growth.open_sessions()?;
    growth.files()?;
    growth.filter()?;
    growth.long_record()?;
    growth.commands()?;
    Ok(format!(
        "## How costs grow\n\nMedians of {ROUNDS} runs of `pgcensus summary`, or of the command that is named.\n\n{}\n{}",
        growth.table, growth.bars
    ))
}

struct Growth<'a> {
    bench: &'a Bench,
    table: Table,
    bars: Bars,
}

impl Growth<'_> {
    fn threads(&mut self) -> Result<()> {
        for load in [Load::Busy, Load::Connections] {
            let log = self.bench.log(load, Format::Stderr)?;
            let cases = ["1", "2"].map(|threads| Case {
                what: format!("{threads} thread{}", if threads == "1" { "" } else { "s" }),
                bytes: log.bytes,
                call: self
                    .bench
                    .summary()
                    .arg("--threads")
                    .arg(threads)
                    .arg(&log.path),
            });
            self.series(&format!("{}: threads", load.name()), &cases)?;
        }
        Ok(())
    }

    fn sizes(&mut self) -> Result<()> {
        let log = self.bench.log(Load::Busy, Format::Stderr)?;
        let scratch = self.scratch()?;
        let mut cases = Vec::new();
        for mb in self.bench.choose(&[10, 100, 1_000, 10_000], &[6, 60]) {
            let path = scratch.path().join(format!("{mb}.log"));
            let bytes = mb * 1_000_000;
            if bytes <= log.bytes {
                grown::part(&log, &path, bytes)?;
            } else {
                ensure_space(scratch.path(), bytes)?;
                let copies = log.stretch.copies(bytes);
                self.bench
                    .logs
                    .repeat(Load::Busy, Format::Stderr, copies, &path, |_| {})?;
            }
            cases.push(self.case(format!("{} MB", thousands(mb)), &path)?);
        }
        let peak = self.series("busy: bytes", &cases)?;
        let largest = cases.last().map_or("", |case| case.what.as_str());
        self.bars
            .at_most(&format!("peak memory, {largest}, MiB"), peak, 64.0);
        Ok(())
    }

    fn names(&mut self) -> Result<()> {
        let stretch = self.bench.log(Load::Connections, Format::Stderr)?.stretch;
        let scratch = self.scratch()?;
        let mut cases = Vec::new();
        let distinct = self.bench.choose(&[1, 10_000, 1_000_000], &[1, 10_000]);
        // As many sessions in each: a fifth more than names.
        let sessions = distinct[distinct.len() - 1] * 6 / 5;
        let copies = sessions.div_ceil(stretch.sessions) as u32;
        for distinct in distinct {
            let path = scratch.path().join(format!("{distinct}.log"));
            grown::applications(&self.bench.logs, &path, copies, distinct)?;
            cases.push(self.case(format!("{} distinct", thousands(distinct)), &path)?);
        }
        self.series("connections: application names", &cases)
            .map(drop)
    }

    fn open_sessions(&mut self) -> Result<()> {
        let log = self.bench.log(Load::Connections, Format::Stderr)?;
        let scratch = self.scratch()?;
        let mut cases = Vec::new();
        for open in self.bench.choose(&[10, 1_000, 100_000], &[10, 1_000]) {
            let path = scratch.path().join(format!("{open}.log"));
            grown::left_open(&self.bench.logs, &path, log.copies, open)?;
            let census = self.bench.census(&path)?;
            ensure!(
                census.open == open,
                "{census:?}: {open} sessions are open in it"
            );
            cases.push(self.case(format!("{} open", thousands(open)), &path)?);
        }
        self.series("connections: open sessions", &cases).map(drop)
    }

    fn files(&mut self) -> Result<()> {
        let log = self.bench.log(Load::Busy, Format::Stderr)?;
        let bytes = 300_000_000.min(log.bytes / 2);
        let scratch = self.scratch()?;
        let mut cases = Vec::new();
        let mut connects = None;
        for files in self.bench.choose(&[1, 10, 100, 1_000], &[1, 10, 100]) {
            let dir = scratch.path().join(files.to_string()).join("log");
            grown::rotated(&log, &dir, bytes, files)?;
            let found = self.bench.census(&dir)?.connects;
            let same = *connects.get_or_insert(found);
            ensure!(
                found == same,
                "{found} connects in {files} files, {same} in one"
            );
            cases.push(Case {
                what: format!(
                    "{} file{}",
                    thousands(files),
                    if files == 1 { "" } else { "s" }
                ),
                bytes,
                call: self.bench.summary().arg(&dir),
            });
        }
        self.series("busy: rotated files", &cases).map(drop)
    }

    fn filter(&mut self) -> Result<()> {
        for load in [Load::Busy, Load::Connections] {
            let log = self.bench.log(load, Format::Stderr)?;
            let bytes = log.bytes;
            let filters: [(&str, &[&str]); 2] = [
                ("none", &[]),
                ("matches nothing", &["--user", "nobody_has_this_name"]),
            ];
            let cases = filters.map(|(what, filter)| Case {
                what: what.to_owned(),
                bytes,
                call: filter
                    .iter()
                    .fold(self.bench.summary().arg(&log.path), |call, arg| {
                        call.arg(arg)
                    }),
            });
            self.series(&format!("{}: filter", load.name()), &cases)?;
        }
        Ok(())
    }

    fn long_record(&mut self) -> Result<()> {
        let log = self.bench.log(Load::Busy, Format::Stderr)?;
        let scratch = self.scratch()?;
        let mut cases = Vec::new();
        for mb in self.bench.choose(&[1, 10, 100], &[1, 10]) {
            let path = scratch.path().join(format!("{mb}.log"));
            grown::long_record(&log, &path, mb * 1_000_000)?;
            cases.push(self.case(format!("a record of {mb} MB"), &path)?);
        }
        self.series("busy: half of it one record", &cases).map(drop)
    }

    fn commands(&mut self) -> Result<()> {
        for load in [Load::Busy, Load::Connections] {
            let log = self.bench.log(load, Format::Stderr)?;
            let commands = [
                "summary", "history", "refused", "findings", "sessions", "report",
            ];
            let cases = commands.map(|command| Case {
                what: command.to_owned(),
                bytes: log.bytes,
                call: Call::new([&self.bench.pgcensus])
                    .arg(command)
                    .arg(&log.path),
            });
            let runs = self.runs(&format!("{}: commands", load.name()), &cases)?;
            if load == Load::Busy {
                let [summary, _, _, findings, _, report] = &runs[..] else {
                    bail!("a command was not measured");
                };
                self.bars
                    .at_most("busy: findings / summary", findings.ratio(summary), 1.1);
                self.bars
                    .at_most("busy: report / summary", report.ratio(summary), 1.15);
            }
        }
        Ok(())
    }

    fn case(&self, what: String, path: &Path) -> Result<Case> {
        let bytes = path.metadata()?.len();
        let call = self.bench.summary().arg(path);
        Ok(Case { what, bytes, call })
    }

    /// Measures these in turn; the peak memory of the last.
    fn series(&mut self, of: &str, cases: &[Case]) -> Result<f64> {
        let runs = self.runs(of, cases)?;
        Ok(runs.last().context("a series of nothing")?.peak_mib())
    }

    fn runs(&mut self, of: &str, cases: &[Case]) -> Result<Vec<Runs>> {
        println!("xtask: measuring how costs grow: {of}");
        let calls: Vec<Call> = cases.iter().map(|case| case.call.clone()).collect();
        let runs = measure::in_turn(&calls, ROUNDS, &self.bench.output())?;
        for (case, runs) in cases.iter().zip(&runs) {
            let (least, most) = runs.range();
            self.table.row([
                of.to_owned(),
                case.what.clone(),
                format!("{}", case.bytes / 1_000_000),
                shown(runs.wall()),
                format!("{} … {}", shown(least), shown(most)),
                shown(runs.cpu()),
                format!("{:.1}", runs.peak_mib()),
                shown(case.bytes as f64 / runs.wall() / 1e9),
            ]);
        }
        Ok(runs)
    }

    /// Where logs are that are deleted after their series.
    fn scratch(&self) -> Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(&self.bench.dir)?)
    }
}

/// Fails where a log of so many bytes would fill the disk.
fn ensure_space(dir: &Path, bytes: u64) -> Result<()> {
    let said = said(Command::new("df").arg("-Pk").arg(dir))?;
    let available = said
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3));
    let kib: u64 = available.context("df: no such column")?.parse()?;
    ensure!(
        kib * 1024 > bytes + bytes / 10,
        "{}: a log of {} MB is made there, and there is space for {} MB; try --quick",
        dir.display(),
        bytes / 1_000_000,
        kib / 1_000
    );
    Ok(())
}

/// `1,000,000`
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (k, digit) in digits.char_indices() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        for (n, text) in [
            (1, "1"),
            (999, "999"),
            (10_000, "10,000"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(thousands(n), text);
        }
    }
}
