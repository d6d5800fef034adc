//! Chores of the repository that are more than a shell line: `cargo xtask --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to who builds"
)]

mod bench;
mod browser;
mod dist;
mod fuzz;
mod messages;
mod pictures;
mod promtool;
mod server;
mod servers;
mod situations;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use browser::Browser;

const HELP: &str = "\
cargo xtask test                  install what is needed, run every test, fuzz for a moment
cargo xtask fuzz [--seconds N]    fuzz each target for N seconds (default 20)
cargo xtask dist                  what people install, in target/dist: a static binary, a .tar.gz and a .deb
cargo xtask messages PATH DIR     make the table of translated messages from PostgreSQL's catalogs: PATH
                                  has them by version, DIR (/usr/share/locale) those of a server
cargo xtask pictures              make the pictures of the README anew, from the screens of the program
cargo xtask servers               find or install PostgreSQL servers; print where their programs are
cargo xtask situations [NAME…]    drive real servers into each situation, or those named, and record their
                                  logs and what was done into testdata/situations (needs root)
    --server DIR                  with the programs there, whatever their version
cargo xtask bench                 measure pgcensus beside other programs, and how its costs grow, on
                                  logs of a real server; written to benches/RESULTS.md
cargo xtask bench tools|growth|live|page
                                  one of the four, printed only
    --quick                       small logs and no slow programs, printed only
    --fresh                       record and make the logs anew
    --rounds N                    counted runs of each program (default 5)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["test"] => test(),
        ["fuzz"] => fuzz::run(20),
        ["fuzz", "--seconds", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds),
            Err(_) => Err(anyhow::anyhow!("--seconds {seconds}: not a number")),
        },
        ["dist"] => dist::run_all(),
        ["messages", path, locales] => messages::generate(path, locales),
        ["pictures"] => pictures::run(),
        ["servers"] => list_servers(),
        ["situations", ref args @ ..] => situations::run(args),
        ["bench", ref args @ ..] => bench::run(args),
        // Not for people: the benchmark runs it beside pgcensus.
        ["decompress", path] => bench::decompress::run(path),
        ["decompress", "--count", path] => bench::decompress::count(path),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(anyhow::anyhow!("usage:\n{HELP}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("xtask: {err:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything: unit tests, recorded logs, real servers, a bounded fuzz run. The runner's closing lines
/// come last.
fn test() -> Result<()> {
    let servers = timed("servers", servers::find_or_install)?;
    let bins = std::env::join_paths(servers.iter().map(|server| &server.bin))?;
    let browser = timed("browser", browser::find_or_install)?;
    let promtool = timed("promtool", promtool::find_or_install)?;
    timed("fuzz", || fuzz::run(5))?;
    timed("tests", || run_tests(&bins, &browser, &promtool))
}

fn run_tests(servers: &OsString, browser: &Browser, promtool: &Path) -> Result<()> {
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let mut command = Command::new("cargo");
    if nextest {
        // Examples in documentation are the one thing that it does not run. They come first: the last
        // summary that is printed is that of all tests.
        run(Command::new("cargo").args(["test", "--quiet", "--workspace", "--locked", "--doc"]))?;
        command.args(["nextest", "run", "--workspace", "--locked"]);
    } else {
        command.args(["test", "--workspace", "--locked"]);
    }
    run(command
        .arg("--no-fail-fast")
        .env("PGCENSUS_TEST_SERVERS", servers)
        .env("PGCENSUS_TEST_BROWSER", &browser.program)
        // Where `require` of node looks besides.
        .env("NODE_PATH", &browser.driver)
        .env("PGCENSUS_TEST_PROMTOOL", promtool))
}

fn list_servers() -> Result<()> {
    for server in servers::find_or_install()? {
        println!("{} {}", server.major, server.bin.display());
    }
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work();
    println!("xtask: {what}: {:.1} s", start.elapsed().as_secs_f64());
    result
}

/// Runs a command of the repository, from its root; fails when it does.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        bail!("{program}: {status}");
    }
    Ok(())
}

/// The root of the repository.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .expect("xtask is a folder of the repository")
        .to_owned()
}

/// Where things are built and installed.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a command to its end; what it printed, or what it complained of.
///
/// # Errors
/// When it cannot be run or fails.
fn said(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{program}: {}: {}", output.status, stderr.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
