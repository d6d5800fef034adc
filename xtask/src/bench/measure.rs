//! Running a program once, and several in turn: wall time, CPU time and peak memory of each run.
//!
//! What the kernel says of a process that ended is asked with `wait4`. It counts the memory of a new
//! process from that of whoever started it, so the benchmark itself stays small: logs are written line
//! by line, and nothing is kept of them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use wait4::Wait4 as _;

/// A program and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Call(Vec<OsString>);

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) wall: Duration,
    /// In the program and in the kernel for it, of all its threads and processes.
    pub(super) cpu: Duration,
    /// The largest process of it.
    pub(super) peak_bytes: u64,
}

/// The runs of one program on one input, in the order of the rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(pub(super) Vec<Run>);

impl Call {
    pub(super) fn new(words: impl IntoIterator<Item = impl Into<OsString>>) -> Call {
        Call(words.into_iter().map(Into::into).collect())
    }

    pub(super) fn arg(mut self, arg: impl Into<OsString>) -> Call {
        self.0.push(arg.into());
        self
    }

    /// Runs it to its end. What it prints goes into this file: some programs do less where nobody reads.
    pub(super) fn run(&self, output: &Path) -> Result<Run> {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]).env("LC_ALL", "C");
        let complaints = output.with_extension("err");
        command.stdin(Stdio::null());
        command.stdout(File::create(output)?);
        command.stderr(File::create(&complaints)?);
        let start = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {self}"))?;
        let used = child.wait4()?;
        let wall = start.elapsed();
        if !used.status.success() {
            let said = std::fs::read_to_string(complaints).unwrap_or_default();
            bail!("{self}: {}: {}", used.status, said.trim_end());
        }
        Ok(Run {
            wall,
            cpu: used.rusage.utime + used.rusage.stime,
            peak_bytes: used.rusage.maxrss,
        })
    }
}

/// As one would type it, with the last component alone of each path.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.0.iter().enumerate() {
            let path = Path::new(word);
            let word = path.file_name().filter(|_| path.is_absolute());
            let word = word.unwrap_or(path.as_os_str()).to_string_lossy();
            let space = if n == 0 { "" } else { " " };
            let quote = if word.contains([' ', ';', '%']) {
                "'"
            } else {
                ""
            };
            write!(f, "{space}{quote}{word}{quote}")?;
        }
        Ok(())
    }
}

/// Runs these in turn, A B C A B C, after one round that is not counted and brings the files into memory.
///
/// # Errors
/// When one fails.
pub(super) fn in_turn(calls: &[Call], rounds: u32, output: &Path) -> Result<Vec<Runs>> {
    for call in calls {
        call.run(output)?;
    }
    let mut runs = vec![Runs::default(); calls.len()];
    for _ in 0..rounds {
        for (call, runs) in calls.iter().zip(&mut runs) {
            runs.0.push(call.run(output)?);
        }
    }
    Ok(runs)
}

impl Runs {
    /// In seconds.
    pub(super) fn wall(&self) -> f64 {
        median(self.walls())
    }

    /// In seconds.
    pub(super) fn cpu(&self) -> f64 {
        median(self.0.iter().map(|run| run.cpu.as_secs_f64()))
    }

    /// The least and the most, in seconds.
    pub(super) fn range(&self) -> (f64, f64) {
        let least = self.walls().fold(f64::INFINITY, f64::min);
        (least, self.walls().fold(0.0, f64::max))
    }

    pub(super) fn peak_mib(&self) -> f64 {
        let peak = self.0.iter().map(|run| run.peak_bytes).max();
        peak.unwrap_or(0) as f64 / f64::from(1 << 20)
    }

    /// The median of the ratios to the run of the other in the same round.
    pub(super) fn ratio(&self, other: &Runs) -> f64 {
        if self.0.len() != other.0.len() {
            return self.wall() / other.wall();
        }
        median(
            self.walls()
                .zip(other.walls())
                .map(|(own, other)| own / other),
        )
    }

    /// As if the input were so many times as long.
    pub(super) fn scaled(&self, times: f64) -> Runs {
        let scaled = |run: &Run| Run {
            wall: run.wall.mul_f64(times),
            cpu: run.cpu.mul_f64(times),
            ..*run
        };
        Runs(self.0.iter().map(scaled).collect())
    }

    fn walls(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|run| run.wall.as_secs_f64())
    }
}

/// The most memory that this process had, in MiB: of a program that needs less no other value is seen.
pub(super) fn own_peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix("kB"));
    let kib: f64 = kib.context("/proc/self/status: no VmHWM")?.trim().parse()?;
    Ok(kib / 1024.0)
}

/// Whether such a program is in `PATH`.
pub(super) fn is_installed(program: impl AsRef<OsStr>) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program.as_ref()).is_file())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(walls_ms: &[u64]) -> Runs {
        let run = |&ms| Run {
            wall: Duration::from_millis(ms),
            cpu: Duration::ZERO,
            peak_bytes: 0,
        };
        Runs(walls_ms.iter().map(run).collect())
    }

    #[test]
    fn ratio_is_the_median_of_rounds() {
        let (own, other) = (runs(&[100, 300, 110]), runs(&[100, 100, 100]));
        assert!((own.ratio(&other) - 1.1).abs() < 1e-9);
        assert!((runs(&[200]).ratio(&other) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn median_of_an_even_number_is_between() {
        assert!((runs(&[400, 100, 200, 300]).wall() - 0.25).abs() < 1e-9);
        assert!(runs(&[]).wall().is_nan());
    }

    #[test]
    fn call_is_shown_without_the_places_of_this_machine() {
        let call = Call::new(["/some/where/pgcensus", "summary", "-p", "%m [%p] "]);
        assert_eq!(
            call.arg("/a/b.log").to_string(),
            "pgcensus summary -p '%m [%p] ' b.log"
        );
    }
}
