//! `cargo xtask situations`: real servers are driven into situations that operators know, and their logs recorded.
//!
//! ```text
//! scenes.rs ──► plan.rs          who does what, and when
//! clock.rs                       the server's clock jumps from one act to the next
//! drive.rs ──► client.rs         does it; writes down what came of it
//! truth.rs                       testdata/situations/NAME/situation.json, beside the log
//! ```
//!
//! All of it happens in namespaces of its own (`unshare`): addresses of networks that are not ours, a
//! data directory where packages have it, pids that nobody else takes. When they end, everything in them has.

mod client;
mod clock;
mod drive;
mod plan;
mod scenes;
mod truth;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::server::{Format, Server};
use crate::{said, servers};
use clock::Clock;
use drive::{Done, Driver};
use plan::Plan;

/// Something that a server goes through.
struct Situation {
    name: &'static str,
    about: &'static str,
    /// The version that it is recorded of.
    major: u32,
    format: Format,
    settings: &'static str,
    hba: &'static str,
    /// When the server was started.
    begin: &'static str,
    make: fn(&mut Plan),
}

/// Networks whose addresses the clients have: a private one, and two of those that RFC 5737 keeps for documentation.
const NETWORKS: [&str; 3] = ["10.0.0.0/8", "203.0.113.0/24", "198.51.100.0/24"];

/// A host that was up for a while.
const FIRST_PID: &str = "21840";

/// From the start of the server to the first act.
const START: SignedDuration = SignedDuration::from_secs(30);

/// Says that the namespaces are there.
const INSIDE: &str = "--inside";

/// Records the situations that are named, else all.
///
/// # Errors
/// When one is unknown or cannot be recorded.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let (is_inside, args) = match args {
        [INSIDE, rest @ ..] => (true, rest),
        _ => (false, args),
    };
    let (bin, names) = match args {
        ["--server", bin, names @ ..] => (Some(Path::new(bin)), names),
        _ => (None, args),
    };
    for name in names {
        let known = scenes::ALL.iter().any(|it| it.name == *name);
        ensure!(known, "{name}: no such situation");
    }
    ensure!(servers::is_root(), "namespaces want root");
    if !is_inside {
        return enter(args);
    }
    prepare_namespaces()?;
    for situation in scenes::ALL {
        if names.is_empty() || names.contains(&situation.name) {
            situation
                .record(bin)
                .with_context(|| situation.name.to_owned())?;
        }
    }
    Ok(())
}

/// Goes on in namespaces of our own.
fn enter(args: &[&str]) -> Result<()> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
    unshare.arg("--mount-proc").arg(std::env::current_exe()?);
    crate::run(unshare.args(["situations", INSIDE]).args(args))
}

fn prepare_namespaces() -> Result<()> {
    let ip = |args: &[&str]| said(Command::new("ip").args(args)).map(drop);
    ip(&["link", "set", "lo", "up"]).context("the package iproute2 is needed")?;
    for network in NETWORKS {
        ip(&["route", "add", "local", network, "dev", "lo"])?;
    }
    let mount = ["-t", "tmpfs", "tmpfs", "/var/lib"];
    said(Command::new("mount").args(mount))?;
    Ok(())
}

impl Situation {
    fn record(&self, bin: Option<&Path>) -> Result<()> {
        let server = match bin {
            Some(bin) => bin.to_owned(),
            None => {
                servers::find_or_install()?
                    .into_iter()
                    .find(|server| server.major == self.major)
                    .context("no such server")?
                    .bin
            }
        };
        let mut plan = Plan::default();
        (self.make)(&mut plan);
        plan.sort();
        let begin: Timestamp = self.begin.parse()?;
        println!("xtask: {}: {} things to do", self.name, plan.acts.len());
        let started = std::time::Instant::now();
        let (done, log) = self.drive(&server, &plan, begin)?;
        let version = said(Command::new(server.join("postgres")).arg("--version"))?;
        let dir = crate::root().join("testdata/situations").join(self.name);
        std::fs::create_dir_all(&dir)?;
        let file = format!("postgresql.{}.zst", self.format.extension());
        let packed = compressed(&log)?;
        println!(
            "xtask: {}: {} bytes of log, {} compressed, in {:.0} s",
            self.name,
            log.len(),
            packed.len(),
            started.elapsed().as_secs_f64()
        );
        std::fs::write(dir.join(&file), packed)?;
        let truth = self.truth(&plan, &done, &version, begin, &file)?;
        let truth = serde_json::to_string_pretty(&truth)? + "\n";
        Ok(std::fs::write(dir.join("situation.json"), truth)?)
    }

    /// The log of a server that goes through it, and what was done.
    fn drive(&self, bin: &Path, plan: &Plan, begin: Timestamp) -> Result<(Done, Vec<u8>)> {
        let home = Path::new("/var/lib/postgresql");
        if !home.exists() {
            std::fs::DirBuilder::new().mode(0o755).create(home)?;
        }
        let dir = tempfile::Builder::new()
            .prefix(&self.major.to_string())
            .rand_bytes(0)
            .tempdir_in(home)?;
        let mut clock = Clock::new(home, begin - SignedDuration::from_mins(5))?;
        // What a client computes for each session, thousands of times, is no part of the log.
        let scram = if self.major < 16 {
            ""
        } else {
            "scram_iterations = 16"
        };
        let settings = format!(
            "listen_addresses = '*'\nlog_destination = '{}'\nlog_checkpoints = off\n{scram}\n{}",
            self.format.name(),
            self.settings
        );
        let mut server = Server::init(bin, dir, &settings, self.hba)?;
        server.start(self.format, &clock.variables())?;
        for sql in &plan.prepare {
            server.psql("postgres", sql)?;
        }
        server.stop()?;
        std::fs::remove_dir_all(server.data().join("log"))?;
        std::fs::write("/proc/sys/kernel/ns_last_pid", FIRST_PID)?;
        clock.advance(begin)?;
        server.start(self.format, &clock.variables())?;
        // Up to 15, the postmaster says what it says while a signal of its children waits, and then its clock is
        // the real one. The log begins behind that, as if it had been rotated.
        let skipped = if self.major < 16 {
            std::fs::read(server.log(self.format))?.len()
        } else {
            0
        };
        let driver = Driver::new(&mut server, &mut clock, self.format);
        let (done, mut log) = driver.run(plan, begin + START)?;
        log.drain(..skipped);
        Ok((done, log))
    }

    fn truth(
        &self,
        plan: &Plan,
        done: &Done,
        version: &str,
        begin: Timestamp,
        file: &str,
    ) -> Result<Value> {
        let version = version.split_whitespace().nth(2).context("a version")?;
        let first = begin + START;
        let last = plan.acts.last().context("nothing is done")?.0;
        let mut truth = serde_json::Map::new();
        let mut set = |key: &str, value: Value| truth.insert(key.to_owned(), value);
        set("about", self.about.into());
        set("postgresql", version.into());
        set("log", file.into());
        set("since", truth::time(first).into());
        let until = first + SignedDuration::from_secs_f64(last);
        set("until", truth::time(until).into());
        let findings = plan.findings.iter().map(|finding| finding.to_json(first));
        set("findings", findings.collect());
        truth.extend(truth::truth(done));
        Ok(truth.into())
    }
}

/// As small as it gets: they are kept for ever and read by tests.
fn compressed(log: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 22)?;
    encoder.long_distance_matching(true)?;
    std::io::Write::write_all(&mut encoder, log)?;
    Ok(encoder.finish()?)
}
