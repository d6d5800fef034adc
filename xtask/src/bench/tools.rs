//! pgcensus beside the programs that one would take else, on the same logs, and what it shall reach.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::logs::{Load, Log};
use super::measure::{self, Call, Runs, is_installed};
use super::table::{Table, shown};
use super::{Bench, machine};
use crate::server::Format;

/// What `rg` and `grep` count.
const NEEDLE: &str = "connection authorized";

/// pgBadger takes minutes for a gigabyte: of a log that is longer than the first it reads as much as the second
/// says, and the rest is reckoned.
const PGBADGER_WHOLE_BYTES: u64 = 400_000_000;
const PGBADGER_PART_BYTES: u64 = 60_000_000;
/// What pgBadger waits for whatever the log is told from its time for one of this length, which is also
/// the log that is to be answered at once.
const SMALL_BYTES: u64 = 100_000;

/// Runs of lnav and pgBadger; the other programs are run in [`Bench::rounds`].
const SLOW_ROUNDS: u32 = 2;
/// Runs on the small log, which take milliseconds.
const SMALL_ROUNDS: u32 = 21;
/// After so long one of them is ended and left out.
const PATIENCE_S: &str = "1200";

/// The table, and the bars.
///
/// # Errors
/// When a log cannot be made, a program fails, or pgcensus is wrong about a log.
pub(super) fn run(bench: &Bench) -> Result<String> {
    let mut comparison = Comparison::new();
    let mut contents = Table::new(&["log", " MB", " lines", " about connections", " sessions"]);
    for load in [Load::Busy, Load::Connections] {
        for format in Format::ALL {
            let log = bench.log(load, format)?;
            let stretch = log.stretch;
            contents.row([
                log.name.clone(),
                format!("{}", log.bytes / 1_000_000),
                format!("{}", stretch.lines * u64::from(log.copies)),
                format!(
                    "{:.1} %",
                    stretch.connection_lines as f64 / stretch.lines as f64 * 100.0
                ),
                format!("{}", stretch.sessions * u64::from(log.copies)),
            ]);
            bench.check(&log)?;
            comparison.plain(bench, load, &log)?;
            if load == Load::Busy && format == Format::Stderr {
                comparison.compressed(bench, &log)?;
                comparison.small(bench, &log)?;
            }
        }
    }
    let peak = comparison.peak_mib;
    comparison
        .bars
        .at_most("peak memory, all of these logs, MiB", peak, 64.0);
    let mut said = format!(
        "## Beside other programs\n\n{contents}\n{}\n",
        comparison.table
    );
    for call in &comparison.calls {
        writeln!(said, "- `{call}`")?;
    }
    said.push('\n');
    for program in ["rg", "grep", "wc", "pgbadger", "lnav"] {
        writeln!(said, "- {}", machine::version(program))?;
    }
    write!(
        said,
        "\nWall and CPU are medians in seconds, peak memory that of the largest process; × rg is the \
         median over the rounds of the time over that of `rg` in the same round. Of logs of more than {} MB \
         pgBadger reads the first {} MB; its time for the whole is reckoned from that and from its time for \
         {} KB, which it mostly waits. `decompress` is the library alone, into nothing; under it another \
         thread counts the lines meanwhile. Less than {:.0} MiB, the \
         memory of the benchmark itself, cannot be told.\n\n## What it shall reach\n\n{}",
        PGBADGER_WHOLE_BYTES / 1_000_000,
        PGBADGER_PART_BYTES / 1_000_000,
        SMALL_BYTES / 1_000,
        measure::own_peak_mib()?,
        comparison.bars
    )?;
    Ok(said)
}

/// What has been measured so far.
struct Comparison {
    table: Table,
    bars: Bars,
    peak_mib: f64,
    /// Of the first log, to show how each program was called.
    calls: Vec<Call>,
}

/// What is wanted, and whether it is so.
pub(super) struct Bars(Table);

impl Comparison {
    fn new() -> Comparison {
        Comparison {
            table: Table::new(&[
                "log",
                "program",
                " wall",
                " least … most",
                " CPU",
                " peak MiB",
                " GB/s",
                " × rg",
                " pgBadger takes",
            ]),
            bars: Bars::new(),
            peak_mib: 0.0,
            calls: Vec::new(),
        }
    }

    fn plain(&mut self, bench: &Bench, load: Load, log: &Log) -> Result<()> {
        println!("xtask: measuring on {}", log.path.display());
        let fast = [
            bench.summary().arg(&log.path),
            rg(&["--no-mmap"]).arg(&log.path),
            Call::new(["grep", "-c", "-F", NEEDLE]).arg(&log.path),
            Call::new(["wc", "-l"]).arg(&log.path),
        ];
        let runs = measure::in_turn(&fast, bench.rounds, &bench.output())?;
        let [ours, rg, ..] = &runs[..] else {
            unreachable!("as many as there are calls")
        };
        if self.calls.is_empty() {
            self.calls.extend(fast);
            self.calls.push(lnav(bench, log)?);
            self.calls.push(pgbadger(bench, log.format, &log.path));
        }
        let slow = if bench.is_quick {
            None
        } else {
            Some((time_lnav(bench, log), Pgbadger::time(bench, log)))
        };
        let pgbadger_wall = match &slow {
            Some((_, Ok(pgbadger))) => pgbadger.reckoned(log.bytes),
            _ => f64::NAN,
        };
        for (name, runs) in ["pgcensus", "rg", "grep", "wc -l"].into_iter().zip(&runs) {
            self.row(log, name, runs, Some(rg), pgbadger_wall);
        }
        if let Some((lnav, pgbadger)) = slow {
            match lnav {
                Ok(runs) => self.row(log, "lnav", &runs, Some(rg), pgbadger_wall),
                Err(err) => self.failed(log, "lnav", &err),
            }
            match pgbadger {
                Ok(Pgbadger { part, .. }) => {
                    let whole = part.scaled(pgbadger_wall / part.wall());
                    self.row(log, "pgbadger", &whole, Some(rg), pgbadger_wall);
                }
                Err(err) => self.failed(log, "pgbadger", &err),
            }
        }
        self.peak_mib = ours.peak_mib().max(self.peak_mib);
        self.judge(load, log, ours.ratio(rg), pgbadger_wall / ours.wall());
        Ok(())
    }

    /// How long it may take, as a multiple of rg, and how long pgBadger must take, as a multiple of ours.
    fn judge(&mut self, load: Load, log: &Log, of_rg: f64, of_ours: f64) {
        let (of_rg_max, of_ours_min) = match (load, log.format) {
            (Load::Busy, Format::Stderr) => (1.0, Some(1000.0)),
            (Load::Busy, _) => (1.3, None),
            (Load::Connections, Format::Stderr) => (2.5, Some(250.0)),
            (Load::Connections, _) => (3.5, None),
        };
        let what = format!("{}: time over that of rg", log.name);
        self.bars.at_most(&what, of_rg, of_rg_max);
        if let Some(of_ours_min) = of_ours_min {
            let what = format!("{}: pgBadger's time over ours", log.name);
            self.bars.at_least(&what, of_ours, of_ours_min);
        }
    }

    fn compressed(&mut self, bench: &Bench, log: &Log) -> Result<()> {
        for path in log.compressed()? {
            println!("xtask: measuring on {}", path.display());
            let calls = [
                bench.summary().arg(&path),
                Call::new([bench.xtask.as_os_str(), "decompress".as_ref()]).arg(&path),
                Call::new([
                    bench.xtask.as_os_str(),
                    "decompress".as_ref(),
                    "--count".as_ref(),
                ])
                .arg(&path),
                rg(&["-z"]).arg(&path),
            ];
            let runs = measure::in_turn(&calls, bench.rounds, &bench.output())?;
            self.peak_mib = runs[0].peak_mib().max(self.peak_mib);
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            let compressed = Log {
                name: format!("{}, {extension}", log.name),
                ..log.clone()
            };
            let names = ["pgcensus", "decompress", "…, wc -l", "rg -z"];
            for (name, runs) in names.into_iter().zip(&runs) {
                self.row(&compressed, name, runs, None, f64::NAN);
            }
            let what = format!("{}: time over that of the decompression", compressed.name);
            self.bars.at_most(&what, runs[0].ratio(&runs[1]), 1.1);
        }
        Ok(())
    }

    fn small(&mut self, bench: &Bench, log: &Log) -> Result<()> {
        let part = log.part(SMALL_BYTES)?;
        let call = [bench.summary().arg(part)];
        let runs = measure::in_turn(&call, SMALL_ROUNDS, &bench.output())?;
        let what = "100 KB stderr: from start to answer, ms";
        self.bars.at_most(what, runs[0].wall() * 1000.0, 15.0);
        Ok(())
    }

    fn row(&mut self, log: &Log, program: &str, runs: &Runs, rg: Option<&Runs>, pgbadger: f64) {
        let (least, most) = runs.range();
        self.table.row([
            log.name.clone(),
            program.to_owned(),
            shown(runs.wall()),
            format!("{} … {}", shown(least), shown(most)),
            shown(runs.cpu()),
            format!("{:.1}", runs.peak_mib()),
            shown(log.bytes as f64 / runs.wall() / 1e9),
            shown(rg.map_or(f64::NAN, |rg| runs.ratio(rg))),
            match pgbadger / runs.wall() {
                times if times.is_nan() => "–".to_owned(),
                times => format!("{} ×", shown(times)),
            },
        ]);
    }

    /// The others are compared all the same.
    fn failed(&mut self, log: &Log, program: &str, err: &anyhow::Error) {
        eprintln!("xtask: {err:#}");
        let why = if is_installed(program) {
            "failed"
        } else {
            "not installed"
        };
        let none = std::iter::repeat_n("–", 6);
        self.table
            .row([log.name.as_str(), program, why].into_iter().chain(none));
    }
}

/// pgBadger's times for a log, or a part of it, and for hardly any.
struct Pgbadger {
    part: Runs,
    part_bytes: u64,
    small: Runs,
}

impl Pgbadger {
    fn time(bench: &Bench, log: &Log) -> Result<Pgbadger> {
        let part = if log.bytes <= PGBADGER_WHOLE_BYTES {
            log.path.clone()
        } else {
            log.part(PGBADGER_PART_BYTES)?
        };
        let small = log.part(SMALL_BYTES)?;
        let runs = |part: &Path| slow(&pgbadger(bench, log.format, part), &bench.output());
        Ok(Pgbadger {
            part: runs(&part)?,
            part_bytes: part.metadata()?.len(),
            small: runs(&small)?,
        })
    }

    /// In seconds, for a log of so many bytes.
    fn reckoned(&self, bytes: u64) -> f64 {
        let (small, part) = (self.small.wall(), self.part.wall());
        let per_byte = (part - small) / (self.part_bytes - SMALL_BYTES) as f64;
        small + per_byte * (bytes - SMALL_BYTES) as f64
    }
}

fn pgbadger(bench: &Bench, format: Format, log: &Path) -> Call {
    let html = bench.dir.join("pgbadger.html");
    let call = Call::new(["timeout", PATIENCE_S, "pgbadger", "-q", "-j", "2", "-o"]);
    let call = call.arg(html).arg("-f");
    let call = match format {
        Format::Stderr => call.arg("stderr").arg("-p").arg("%m [%p] "),
        Format::Csvlog => call.arg("csv"),
        Format::Jsonlog => call.arg("jsonlog"),
    };
    call.arg(log)
}

/// It shows the lines that `rg` counts. What it keeps for the next time is kept among the logs.
fn lnav(bench: &Bench, log: &Log) -> Result<Call> {
    let home = bench.dir.join("home");
    std::fs::create_dir_all(&home)?;
    let call = Call::new(["timeout", PATIENCE_S, "env", "-C"]).arg(&bench.dir);
    let call = call.arg("HOME=home").arg("lnav").arg("-n").arg("-c");
    Ok(call.arg(format!(":filter-in {NEEDLE}")).arg(&log.path))
}

fn time_lnav(bench: &Bench, log: &Log) -> Result<Runs> {
    slow(&lnav(bench, log)?, &bench.output())
}

fn slow(call: &Call, output: &Path) -> Result<Runs> {
    let runs = (0..SLOW_ROUNDS).map(|_| call.run(output));
    Ok(Runs(runs.collect::<Result<_>>()?))
}

fn rg(options: &[&str]) -> Call {
    Call::new(["rg", "-c"].iter().chain(options).chain(&["-F", NEEDLE]))
}

impl Bars {
    pub(super) fn new() -> Bars {
        Bars(Table::new(&["what", " is", " wanted", "so"]))
    }

    pub(super) fn at_most(&mut self, what: &str, value: f64, limit: f64) {
        self.bar(what, value, format!("≤ {limit}"), value <= limit);
    }

    fn at_least(&mut self, what: &str, value: f64, limit: f64) {
        self.bar(what, value, format!("≥ {limit}"), value >= limit);
    }

    fn bar(&mut self, what: &str, value: f64, wanted: String, is_met: bool) {
        let verdict = match is_met {
            _ if value.is_nan() => "not measured",
            true => "met",
            false => "**not met**",
        };
        self.0
            .row([what.to_owned(), shown(value), wanted, verdict.to_owned()]);
    }
}

impl std::fmt::Display for Bars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::measure::Run;

    #[test]
    fn what_pgbadger_waits_is_counted_once() {
        let runs = |seconds| {
            Runs(vec![Run {
                wall: Duration::from_secs(seconds),
                cpu: Duration::ZERO,
                peak_bytes: 0,
            }])
        };
        let pgbadger = Pgbadger {
            part: runs(10),
            part_bytes: 60_000_000 + SMALL_BYTES,
            small: runs(4),
        };
        for (bytes, seconds) in [(SMALL_BYTES, 4.0), (60_100_000, 10.0), (600_100_000, 64.0)] {
            assert!((pgbadger.reckoned(bytes) - seconds).abs() < 1e-9);
        }
    }
}
