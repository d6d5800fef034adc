//! The program.

#[allow(dead_code, reason = "the commands are not there yet")]
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Args::parse() {
        Ok(_) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}
