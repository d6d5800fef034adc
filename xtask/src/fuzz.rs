//! Fuzzing on stable Rust: the targets of `fuzz/` are built with LLVM's coverage instrumentation,
//! which libFuzzer (the `libfuzzer-sys` package) needs and no more.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{root, target};

/// Each is `fuzz/targets/NAME.rs`; with the bytes that its input has before the log.
const TARGETS: [(&str, &str); 11] = [
    ("line_prefix", "%m [%p] %q%u@%d \n"),
    ("infer", ""),
    ("message", "\x01\n"),
    ("detail", ""),
    ("stderr", "\0\0"),
    ("csvlog", "\0"),
    ("jsonlog", "\0"),
    ("envelope", "\0\x40"),
    ("translation", "\0\x10"),
    ("tar", ""),
    ("lz4", "\0"),
];

/// What `cargo fuzz` passes too, without its sanitizers: nothing here is unsafe.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg=fuzzing";

/// The longest seed: the fuzzer wants many short ones.
const SEED_BYTES: usize = 2048;

/// Runs each target for this long, beginning with pieces of real logs; inputs that reached new code
/// are kept in `target/fuzz/corpus`, one that failed in `target/fuzz/failed`.
///
/// # Errors
/// When a target fails.
pub(crate) fn run(seconds: u32) -> Result<()> {
    let triple = &format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let dir = target().join("fuzz");
    // Naming the target keeps the instrumentation out of build scripts.
    crate::run(
        Command::new("cargo")
            .args(["build", "--quiet", "--release", "--locked"])
            .args([
                "--manifest-path",
                "fuzz/Cargo.toml",
                "--target",
                triple,
                "--target-dir",
            ])
            .arg(&dir)
            .env("RUSTFLAGS", INSTRUMENTED),
    )?;
    for (name, head) in TARGETS {
        let corpus = dir.join("corpus").join(name);
        let seeds = dir.join("seeds").join(name);
        let failed = dir.join("failed").join(name);
        for dir in [&corpus, &seeds, &failed] {
            std::fs::create_dir_all(dir)?;
        }
        let format = match name {
            "csvlog" | "jsonlog" => name,
            "envelope" => "syslog",
            _ => "stderr",
        };
        if name == "tar" {
            write_tars(&seeds)?;
        } else {
            write_seeds(format, head, &seeds)?;
        }
        println!("xtask: fuzzing {name} for {seconds} s");
        let mut command = Command::new(dir.join(triple).join("release").join(name));
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-artifact_prefix={}/", failed.display()));
        command.args([
            "-max_len=4096",
            "-timeout=5",
            "-rss_limit_mb=1024",
            "-verbosity=0",
        ]);
        crate::run(command.arg("-print_final_stats=1").arg(&corpus).arg(&seeds))
            .with_context(|| format!("fuzz target {name}; its input is in {}", failed.display()))?;
    }
    Ok(())
}

/// The begins of the tars in `testdata/`: what follows would be cut off.
fn write_tars(seeds: &Path) -> Result<()> {
    for file in std::fs::read_dir(root().join("testdata/tar"))? {
        let file = file?;
        let mut tar = zstd::decode_all(std::fs::File::open(file.path())?)?;
        tar.truncate(2 * SEED_BYTES);
        std::fs::write(seeds.join(file.file_name()), tar)?;
    }
    Ok(())
}

/// Pieces of the logs of this format in `testdata/`, each after the bytes that the target wants first.
fn write_seeds(format: &str, head: &str, seeds: &Path) -> Result<()> {
    for run in [
        "13/basic",
        "16/failures",
        "18/injection",
        "18/failures",
        "18/kills",
        "15/injection-syslog",
        "15/terse-nosplit",
    ] {
        let dir = root().join("testdata").join(run).join(format);
        let Ok(files) = std::fs::read_dir(dir) else {
            continue;
        };
        for (n, file) in files.enumerate() {
            let text = zstd::decode_all(std::fs::File::open(file?.path())?)?;
            let name = run.replace('/', "-");
            for (k, piece) in text.chunks(SEED_BYTES).step_by(4).enumerate() {
                std::fs::write(
                    seeds.join(format!("{name}-{n}-{k}")),
                    [head.as_bytes(), piece].concat(),
                )?;
            }
        }
    }
    Ok(())
}
