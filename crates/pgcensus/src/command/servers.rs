//! `servers`: what was found on this machine. No log is read for it.

use std::io::{self, Write};
use std::process::ExitCode;

use pgcensus_core::zone::DisplayZone;

use super::fitted;
use super::streams::Streams;
use crate::cli::{Args, Output, OutputFormat};
use crate::discover::{Server, World};
use crate::view::text::shown;
use crate::view::{Show, servers};

/// Lists the servers of this machine, or those whose data directories are the inputs.
pub(super) fn run(args: &Args, outputs: &[Output], zone: &DisplayZone) -> anyhow::Result<ExitCode> {
    let world = World::of_process();
    let (found, problems) = if args.input.inputs.is_empty() {
        (world.servers(), Vec::new())
    } else {
        world.servers_at(&args.input.inputs)
    };
    let mut err = io::stderr().lock();
    for problem in &problems {
        writeln!(err, "pgcensus: {}", shown(problem.as_bytes())).ok();
    }
    if found.is_empty() {
        if problems.is_empty() {
            let text = "no server runs on this machine, and none is in PGDATA or at a usual place; name a data directory";
            writeln!(err, "pgcensus: {text}").ok();
        }
        return Ok(ExitCode::from(2));
    }
    drop(err);

    let show = Show {
        zone,
        servers: &[],
        color: false,
        width: 80,
        limit: args.show.limit,
        by: &[],
        terminal: false,
        window_is_default: false,
    };
    let found = &found[..show.rows(found.len(), usize::MAX)];
    for output in outputs {
        let show = fitted(&show, output, args.show.color, &Streams::Process);
        let mut out = Streams::Process.open(output)?;
        match output.format {
            OutputFormat::Text => servers::text(found, &show, &mut out)?,
            OutputFormat::Json => servers::json(found, &show, &mut out)?,
            OutputFormat::Csv => servers::csv(found, &show, &mut out)?,
        }
        out.flush()?;
    }
    let is_whole = |server: &Server| server.problems.is_empty() && server.log.problems.is_empty();
    let all = problems.is_empty() && found.iter().all(is_whole);
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
