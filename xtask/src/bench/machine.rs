//! Where and of what a measurement was made: the processor, the system, the commit, versions.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;

use crate::{root, said};

/// The date and the commit; `with changes` if the work tree has some.
///
/// # Errors
/// When git cannot be asked.
pub(super) fn when_and_what() -> Result<String> {
    let git = |args: &[&str]| said(Command::new("git").args(args).current_dir(root()));
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let changes = if changes.is_empty() {
        ""
    } else {
        " with changes"
    };
    let date = Timestamp::now().strftime("%Y-%m-%d");
    Ok(format!("{date}, commit {}{changes}", commit.trim()))
}

/// A line each: processor, memory, kernel, compiler, and whether others were at work.
pub(super) fn description() -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let memory = memory.and_then(|text| text.strip_suffix("kB")?.trim().parse::<f64>().ok());
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next();
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    vec![
        format!("{processor}, {cores} cores"),
        together(cores),
        format!(
            "{:.0} GiB of memory",
            memory.unwrap_or(f64::NAN) / 1024.0 / 1024.0
        ),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        version("rustc"),
        format!(
            "load average {} before the start",
            load.unwrap_or("unknown")
        ),
    ]
}

/// What the program says to `--version`, its first line; what is missing, if so.
pub(super) fn version(program: &str) -> String {
    let said = said(Command::new(program).arg("--version"));
    let line = said
        .ok()
        .and_then(|said| Some(said.lines().next()?.trim().to_owned()));
    line.unwrap_or_else(|| format!("{program}: not installed"))
}

/// Rounds in which it is measured what processors do together.
const ROUNDS: usize = 9;

/// How much more threads on all processors get done in the same time than one: less than there are of them where they
/// share what calculates, among themselves or, on a virtual machine, with its neighbours.
fn together(processors: usize) -> String {
    let rounds = (0..ROUNDS).map(|_| {
        let alone = calculate().as_secs_f64();
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..processors).map(|_| scope.spawn(calculate)).collect();
            let times = threads.into_iter().filter_map(|thread| thread.join().ok());
            times.max().unwrap_or_default().as_secs_f64()
        });
        alone / all * processors as f64
    });
    let mut rounds: Vec<f64> = rounds.collect();
    rounds.sort_by(f64::total_cmp);
    format!(
        "all of them together calculate {:.2} times as much as one alone ({:.2} … {:.2} in {ROUNDS} rounds)",
        rounds[ROUNDS / 2],
        rounds[0],
        rounds[ROUNDS - 1]
    )
}

/// Sums that keep all of a processor busy and touch no memory, about a tenth of a second of them.
fn calculate() -> Duration {
    let start = Instant::now();
    let mut sums = black_box([1u64, 2, 3, 4, 5, 6]);
    for i in 0..60_000_000u64 {
        let last = sums[5];
        for at in (1..6).rev() {
            sums[at] = sums[at].wrapping_add(sums[at - 1] ^ i);
        }
        sums[0] = sums[0].wrapping_add(last ^ i);
    }
    black_box(sums);
    start.elapsed()
}
