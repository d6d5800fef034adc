//! pgcensus: who is connected to PostgreSQL, who was, how that changes and why connections fail, from
//! the server's own logs.

mod cli;
mod command;
mod discover;
mod follow;
mod interrupt;
mod live;
mod pipeline;
mod progress;
mod report;
mod settings;
mod source;
mod time_spec;
mod view;
mod web;

use std::io::{self, Write};
use std::process::ExitCode;

use cli::Args;

fn main() -> ExitCode {
    let args = match Args::parse() {
        Ok(args) => args,
        Err(status) => return status,
    };
    match command::run(&args) {
        Ok(status) => status,
        Err(err) if is_broken_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            writeln!(io::stderr(), "pgcensus: {err:#}").ok();
            ExitCode::from(2)
        }
    }
}

/// Whoever reads the output has seen enough (`pgcensus … | head`).
fn is_broken_pipe(err: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().map(io::Error::kind)
    };
    err.chain()
        .any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}
