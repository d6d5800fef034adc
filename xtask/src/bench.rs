//! `cargo xtask bench`: pgcensus beside other programs on logs of a real server, and how its costs grow.
//!
//! ```text
//! server ── 30 s of pgbench ──► a stretch of log in three formats     server.rs, logs.rs
//!           repeat.rs ────────► the same over and over, to 1 GB       what it says is known
//!           grown.rs ─────────► … with much of one thing
//! measure.rs ── programs in turn ──► tools.rs, growth.rs ─┬ table.rs ──► benches/RESULTS.md
//! lines as they are written ───────► live.rs ─────────────┤
//! pages in a browser ──────────────► page.rs ─────────────┘
//! ```
//!
//! Before a log is measured, `summary --json` must say of it what is known: so many sessions, so many
//! refused, none open.

pub(crate) mod decompress;
mod grown;
mod growth;
mod live;
mod logs;
mod machine;
mod measure;
mod page;
mod repeat;
mod server;
mod table;
mod tools;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::server::Format;
use crate::{said, servers};
use logs::{Load, Log, Logs};
use measure::{Call, is_installed};

/// What was asked for.
#[derive(Default)]
struct Options {
    part: Option<Part>,
    is_quick: bool,
    is_fresh: bool,
    rounds: Option<u32>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Tools,
    Growth,
    Live,
    Page,
}

/// What is measured, and where logs are.
struct Bench {
    /// `target/bench`
    dir: PathBuf,
    logs: Logs,
    is_quick: bool,
    /// Counted runs of each program on each log.
    rounds: u32,
    pgcensus: PathBuf,
    /// This program, for [`decompress`].
    xtask: PathBuf,
}

/// What pgcensus says of a log.
#[derive(Debug, PartialEq, Eq)]
struct Census {
    connects: u64,
    refused: u64,
    open: u64,
    unreadable: u64,
    certainty: String,
}

/// Measures what the arguments ask for, and prints it; when that is everything, into `benches/RESULTS.md` too.
///
/// # Errors
/// When something cannot be built, made or run, or pgcensus is wrong about a log.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let options = Options::parse(args)?;
    let release = crate::target().join("release");
    if cfg!(debug_assertions) {
        // Logs are written and decompressed by code that is as fast as what is measured.
        let packages = [
            "build",
            "--release",
            "--locked",
            "-p",
            "pgcensus",
            "-p",
            "xtask",
        ];
        crate::run(Command::new("cargo").args(packages))?;
        return crate::run(Command::new(release.join("xtask")).arg("bench").args(args));
    }
    install_programs();
    let bench = Bench::new(&options, &release)?;
    let mut report = format!("# Measured\n\n{}\n\n", machine::when_and_what()?);
    report
        .push_str("By `cargo xtask bench`, which makes its logs from those of a real server.\n\n");
    for line in machine::description() {
        writeln!(report, "- {line}")?;
    }
    let parts: [(Part, fn(&Bench) -> Result<String>); 4] = [
        (Part::Tools, tools::run),
        (Part::Growth, growth::run),
        (Part::Live, live::run),
        (Part::Page, page::run),
    ];
    for (part, run) in parts {
        if options.part.is_none_or(|asked| asked == part) {
            write!(report, "\n{}", run(&bench)?)?;
        }
    }
    println!("\n{report}");
    if options.part.is_none() && !options.is_quick {
        let dir = crate::root().join("benches");
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("RESULTS.md"), report)?;
        println!("xtask: written to benches/RESULTS.md");
    }
    Ok(())
}

impl Options {
    fn parse(args: &[&str]) -> Result<Options> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(&arg) = args.next() {
            match arg {
                "tools" => options.part = Some(Part::Tools),
                "growth" => options.part = Some(Part::Growth),
                "live" => options.part = Some(Part::Live),
                "page" => options.part = Some(Part::Page),
                "--quick" => options.is_quick = true,
                "--fresh" => options.is_fresh = true,
                "--rounds" => {
                    let rounds = args.next().copied().unwrap_or_default();
                    let rounds = rounds.parse().ok().filter(|&rounds| rounds > 0);
                    options.rounds = Some(rounds.context("--rounds: a number is missing")?);
                }
                _ => bail!("bench {arg}: no such argument; see `cargo xtask --help`"),
            }
        }
        Ok(options)
    }
}

impl Bench {
    fn new(options: &Options, release: &Path) -> Result<Bench> {
        let dir = crate::target().join("bench");
        let logs = dir.join(if options.is_quick { "quick" } else { "logs" });
        let real = dir.join("real");
        if options.is_fresh {
            for made in [&logs, &real] {
                if made.exists() {
                    std::fs::remove_dir_all(made)?;
                }
            }
        }
        Ok(Bench {
            logs: Logs::new(logs, real)?,
            dir,
            is_quick: options.is_quick,
            rounds: options
                .rounds
                .unwrap_or(if options.is_quick { 3 } else { 5 }),
            pgcensus: release.join("pgcensus"),
            xtask: release.join("xtask"),
        })
    }

    /// The log of this load that programs are compared on.
    fn log(&self, load: Load, format: Format) -> Result<Log> {
        let bytes = match (load, self.is_quick) {
            (Load::Busy, false) => 1_000_000_000,
            (Load::Busy, true) => 60_000_000,
            (Load::Connections, false) => 300_000_000,
            (Load::Connections, true) => 30_000_000,
        };
        self.logs.log(load, format, bytes)
    }

    fn choose(&self, full: &[u64], quick: &[u64]) -> Vec<u64> {
        if self.is_quick {
            quick.to_vec()
        } else {
            full.to_vec()
        }
    }

    /// What is measured; the inputs are to be added.
    fn summary(&self) -> Call {
        Call::new([&self.pgcensus]).arg("summary")
    }

    /// Where the programs print.
    fn output(&self) -> PathBuf {
        self.dir.join("output")
    }

    /// Fails unless pgcensus says of this log what is known of it.
    fn check(&self, log: &Log) -> Result<()> {
        let copies = u64::from(log.copies);
        let known = Census {
            connects: log.stretch.sessions * copies,
            refused: log.stretch.refused * copies,
            open: 0,
            unreadable: 0,
            certainty: "exact".to_owned(),
        };
        let found = self.census(&log.path)?;
        ensure!(
            found == known,
            "{}: {found:?}, and there are {known:?}",
            log.path.display()
        );
        Ok(())
    }

    /// What `summary --json` says of a log.
    fn census(&self, log: &Path) -> Result<Census> {
        let mut summary = Command::new(&self.pgcensus);
        let json = said(summary.args(["summary", "--json"]).arg(log))?;
        let json: serde_json::Value = serde_json::from_str(&json)?;
        let number = |path| {
            json.pointer(path)
                .and_then(serde_json::Value::as_u64)
                .context(path)
        };
        Ok(Census {
            connects: number("/connects/total")?,
            refused: number("/refused/attempts")?,
            open: number("/open/count")?,
            unreadable: number("/input/unreadable")?,
            certainty: json["open"]["certainty"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

/// Installs the programs of the comparison where that can be done; the table says which are missing.
fn install_programs() {
    let programs = [
        ("rg", "ripgrep"),
        ("pgbadger", "pgbadger"),
        ("lnav", "lnav"),
    ];
    let missing: Vec<&str> = programs
        .into_iter()
        .filter(|&(program, _)| !is_installed(program))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return;
    }
    let installed = if servers::is_root() {
        servers::apt_install(&missing)
    } else {
        Err(anyhow::anyhow!("only root may"))
    };
    if let Err(err) = installed {
        eprintln!("xtask: cannot install {}: {err:#}", missing.join(", "));
    }
}
