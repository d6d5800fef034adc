//! `watch` and `top` on a log that is written meanwhile: how long a line takes, how many are followed, what a screen costs.
//!
//! The clock starts before a line is written and stops when its event has been read from the pipe that the program
//! writes to. Lines are those of sessions that begin and end, written as a server writes them: at a thousand a second
//! each by itself, at a hundred thousand those of a millisecond together.

use std::fmt::Write as _;
use std::fs::{File, read_to_string};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use wait4::Wait4 as _;

use super::Bench;
use super::table::Table;
use super::tools::Bars;

/// Lines that come at once.
const TICK: Duration = Duration::from_millis(1);

/// What came of one rate.
struct Followed {
    /// Of each event, ascending.
    latencies: Vec<Duration>,
    /// From the last line written to the last event read.
    behind: Duration,
    /// Resident memory in the middle and at the end.
    rss_mib: [f64; 2],
    /// Of one processor, while lines came.
    cpu: f64,
}

/// The table, and its bars.
///
/// # Errors
/// When pgcensus fails, or events are lost or doubled.
pub(super) fn run(bench: &Bench) -> Result<String> {
    let mut table = Table::new(&[
        " events/s",
        " s",
        " p50 ms",
        " p99 ms",
        " max ms",
        " behind ms",
        " MiB, half-way",
        " MiB",
        " CPU %",
    ]);
    let mut bars = Bars::new();
    let seconds = if bench.is_quick { 2 } else { 10 };
    for rate in [1_000, 100_000] {
        let followed = follow(bench, rate, seconds)?;
        let part = |of: f64| {
            let place = (followed.latencies.len() as f64 * of) as usize;
            followed.latencies[place.min(followed.latencies.len() - 1)].as_secs_f64() * 1e3
        };
        let (p50, p99, max) = (part(0.5), part(0.99), part(1.0));
        let behind = followed.behind.as_secs_f64() * 1e3;
        let [half, end] = followed.rss_mib;
        table.row([
            super::growth::thousands(rate),
            seconds.to_string(),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{max:.2}"),
            format!("{behind:.1}"),
            format!("{half:.1}"),
            format!("{end:.1}"),
            format!("{:.0}", followed.cpu * 100.0),
        ]);
        if rate == 1_000 {
            bars.at_most("1,000 events/s: p50, ms", p50, 5.0);
            bars.at_most("1,000 events/s: p99, ms", p99, 20.0);
        } else {
            bars.at_most("100,000 events/s: behind at the end, ms", behind, 100.0);
            bars.at_most(
                "100,000 events/s: memory at the end ÷ half-way",
                end / half,
                1.1,
            );
        }
    }
    let mut screen = Table::new(&[" events/s", " s", " CPU %", " frames/s", " peak MiB"]);
    for rate in [0, 1_000, 100_000] {
        let shown = show(bench, rate, seconds)?;
        screen.row([
            super::growth::thousands(rate),
            seconds.to_string(),
            format!("{:.2}", shown.cpu * 100.0),
            format!("{:.1}", shown.frames),
            format!("{:.1}", shown.rss_mib),
        ]);
        match rate {
            0 => bars.at_most("top, nothing happens: CPU, %", shown.cpu * 100.0, 0.5),
            100_000 => {
                bars.at_most("top, 100,000 events/s: CPU, %", shown.cpu * 100.0, 15.0);
                bars.at_most("top, 100,000 events/s: frames a second", shown.frames, 10.0);
            }
            _ => {}
        }
    }
    Ok(format!(
        "## A log that is followed\n\nFrom the write of a line to its event on the output of `pgcensus watch --json`.\n\n{table}\n\
         `pgcensus top` of the same, on a terminal of 160 × 50.\n\n{screen}\n{bars}"
    ))
}

/// A log with what there is at first, of which `watch` tells four events.
fn begin(path: &Path) -> Result<File> {
    let mut log = File::create(path)?;
    let now = stamp();
    for (pid, text) in [
        (1, "starting PostgreSQL 16.4 on x86_64-pc-linux-gnu"),
        (1, "database system is ready to accept connections"),
        (
            2,
            "connection authorized: user=app database=shop application_name=api",
        ),
        (
            2,
            "disconnection: session time: 0:00:00.001 user=app database=shop host=10.0.0.7 port=5",
        ),
    ] {
        log.write_all(format!("{now} UTC [{pid}] LOG:  {text}\n").as_bytes())?;
    }
    Ok(log)
}

/// What `top` took.
struct Shown {
    /// Of one processor.
    cpu: f64,
    /// Drawn in a second.
    frames: f64,
    rss_mib: f64,
}

fn show(bench: &Bench, rate: u64, seconds: u64) -> Result<Shown> {
    let path = bench.dir.join("live.log");
    let mut log = begin(&path)?;
    let (pty, pts) = pty_process::blocking::open()?;
    pty.resize(pty_process::Size::new(50, 160))?;
    let mut child = pty_process::blocking::Command::new(&bench.pgcensus)
        .arg("top")
        .arg(&path)
        .env("TERM", "xterm-256color")
        .spawn(pts)?;
    let frames = Arc::new(AtomicU64::new(0));
    let counted = frames.clone();
    let pty = Arc::new(pty);
    let reader = pty.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n @ 1..) = (&*reader).read(&mut buffer) {
            // What ends a synchronized update; one that is torn in two is not counted.
            let ends = memchr::memmem::find_iter(&buffer[..n], b"\x1b[?2026l").count();
            counted.fetch_add(ends as u64, Ordering::Relaxed);
        }
    });
    let pid = child.id();
    // What is there has been read, and drawn.
    let drawn = Instant::now();
    while frames.load(Ordering::Relaxed) == 0 || drawn.elapsed() < Duration::from_secs(2) {
        ensure!(
            drawn.elapsed() < Duration::from_secs(20),
            "nothing was drawn"
        );
        thread::sleep(Duration::from_millis(10));
    }
    let (cpu_before, frames_before) = (cpu(pid)?, frames.load(Ordering::Relaxed));
    let begin = Instant::now();
    if rate == 0 {
        thread::sleep(Duration::from_secs(3 * seconds));
    } else {
        write(&mut log, rate, seconds, pid)?;
    }
    let time = begin.elapsed().as_secs_f64();
    let shown = Shown {
        cpu: (cpu(pid)? - cpu_before) / time,
        // Of so many frames, one fewer lies between the first and the last.
        frames: (frames.load(Ordering::Relaxed) - frames_before).saturating_sub(1) as f64 / time,
        rss_mib: rss_mib(pid)?,
    };
    (&*pty).write_all(b"q")?;
    child.wait()?;
    std::fs::remove_file(path)?;
    Ok(shown)
}

fn follow(bench: &Bench, rate: u64, seconds: u64) -> Result<Followed> {
    let path = bench.dir.join("live.log");
    let mut log = begin(&path)?;
    let mut child = Command::new(&bench.pgcensus)
        .args(["watch", "--json", "--quiet"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("pgcensus")?;
    let stdout = child.stdout.take().context("its output")?;
    let (send, read) = channel();
    let reader = thread::spawn(move || events(stdout, &send));
    // It follows as soon as it has told what was there: four events, of which two are the server's.
    for _ in 0..4 {
        read.recv_timeout(Duration::from_secs(10))
            .context("what is there is not told")?;
    }
    let cpu_before = cpu(child.id())?;
    let begin = Instant::now();
    let (written, half) = write(&mut log, rate, seconds, child.id())?;
    let last = Instant::now();
    let mut latencies = Vec::with_capacity(written.len());
    let mut end = last;
    for (n, &written) in written.iter().enumerate() {
        let (event, at) = read
            .recv_timeout(Duration::from_secs(10))
            .with_context(|| format!("{n} of {} events came", latencies.len()))?;
        ensure!(event == n as u64, "event {event} came in the place of {n}");
        latencies.push(at.duration_since(written));
        end = at;
    }
    let cpu = (cpu(child.id())? - cpu_before) / begin.elapsed().as_secs_f64();
    let rss_mib = [half, rss_mib(child.id())?];
    child.kill()?;
    child.wait4()?;
    drop(reader.join());
    std::fs::remove_file(path)?;
    latencies.sort_unstable();
    Ok(Followed {
        latencies,
        behind: end.saturating_duration_since(last),
        rss_mib,
        cpu,
    })
}

/// Writes so many lines a second, and says when each was, and what memory was half-way.
fn write(log: &mut File, rate: u64, seconds: u64, pid: u32) -> Result<(Vec<Instant>, f64)> {
    let per_tick = rate / 1000;
    let begin = Instant::now();
    let mut written = Vec::with_capacity((rate * seconds) as usize);
    let mut half = 0.0;
    let mut lines = String::new();
    for tick in 0..seconds * 1000 {
        let due = begin + TICK * tick as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        lines.clear();
        let now = stamp();
        for n in tick * per_tick..(tick + 1) * per_tick {
            let backend = 1000 + n / 2;
            if n % 2 == 0 {
                writeln!(
                    lines,
                    "{now} UTC [{backend}] LOG:  connection authorized: user=app database=shop application_name=api"
                )?;
            } else {
                writeln!(
                    lines,
                    "{now} UTC [{backend}] LOG:  disconnection: session time: 0:00:00.001 user=app database=shop host=10.0.0.7 port=51842"
                )?;
            }
        }
        let at = Instant::now();
        log.write_all(lines.as_bytes())?;
        written.extend((0..per_tick).map(|_| at));
        if tick == seconds * 500 {
            half = rss_mib(pid)?;
        }
    }
    Ok((written, half))
}

/// The time as the server writes it.
fn stamp() -> String {
    jiff::Timestamp::now().strftime("%F %T%.3f").to_string()
}

/// Reads events: the number of the line that each is of, and when it came.
fn events(stdout: ChildStdout, send: &Sender<(u64, Instant)>) {
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let at = Instant::now();
        let backend = after(&line, b"\"pid\":").map_or(0, |digits| {
            let digits = digits.iter().take_while(|b| b.is_ascii_digit());
            digits.fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
        });
        let is_end = after(&line, b"\"event\":\"disconnected").is_some();
        let n = (2 * backend).saturating_sub(2000) + u64::from(is_end);
        if send.send((n, at)).is_err() {
            return;
        }
    }
}

fn after<'l>(line: &'l [u8], what: &[u8]) -> Option<&'l [u8]> {
    memchr::memmem::find(line, what).map(|at| &line[at + what.len()..])
}

/// Seconds of a processor that a process has taken.
fn cpu(pid: u32) -> Result<f64> {
    let stat = read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))?;
    let fields = stat.rsplit_once(')').context("a name in /proc/PID/stat")?.1;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    // A hundred a second, whatever the kernel counts by.
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

fn rss_mib(pid: u32) -> Result<f64> {
    let status = read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    Ok(kb.context("VmRSS")? / 1024.0)
}
