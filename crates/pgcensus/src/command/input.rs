//! The input and the window that were asked for.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use jiff::tz::{Offset, TimeZone};
use pgcensus_core::instant::Instant;
use pgcensus_core::zone::{LogClock, numeric_offset_s};
use pgcensus_log::line_prefix::LinePrefix;
use tempfile::NamedTempFile;

use crate::cli::{Args, Command, InputArgs, LogFormat};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Work};
use crate::source::file::{FileTime, LogFile};
use crate::source::input::Reading;
use crate::source::{FormatOption, Plan, Request, Stdin};
use crate::time_spec::{Between, DurationSpec, TimeSpec, WindowRequest};

pub(super) fn time_zone(flag: &str, name: &str) -> anyhow::Result<TimeZone> {
    let offset = numeric_offset_s(name.as_bytes()).map(Offset::from_seconds);
    if let Some(Ok(offset)) = offset {
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(name).map_err(|_| {
        anyhow!(
            "{flag} '{name}': no such time zone; give a name such as Europe/Berlin or an offset such as +02:00"
        )
    })
}

pub(super) fn window_request(args: &Args) -> anyhow::Result<WindowRequest> {
    let time = |flag: &'static str, text: &Option<String>| {
        text.as_deref()
            .map(|text| TimeSpec::parse(text).with_context(|| flag))
            .transpose()
    };
    Ok(WindowRequest {
        since: time("--since", &args.window.since)?,
        until: time("--until", &args.window.until)?,
        at: time("--at", &args.window.at)?,
        last: args
            .window
            .last
            .as_deref()
            .map(DurationSpec::parse)
            .transpose()
            .context("--last")?,
        between: args
            .window
            .between
            .as_deref()
            .map(Between::parse)
            .transpose()
            .context("--between")?,
        goes_on: args.command == Command::Watch,
    })
}

pub(super) fn input_request(input: &InputArgs, reading: Arc<Reading>) -> anyhow::Result<Request> {
    let line_prefix = input.line_prefix.as_deref();
    let line_prefix = line_prefix
        .map(|text| {
            LinePrefix::parse(text).map_err(|err| anyhow::anyhow!("--line-prefix '{text}': {err}"))
        })
        .transpose()?;
    Ok(Request {
        paths: input.inputs.clone(),
        log_lists: input.lists.clone(),
        servers: input
            .servers
            .iter()
            .filter_map(|server| Some((server.name.clone(), server.path.clone()?)))
            .collect(),
        format: input.format.map(|format| match format {
            LogFormat::Stderr => FormatOption::Stderr,
            LogFormat::Csvlog => FormatOption::Csvlog,
            LogFormat::Jsonlog => FormatOption::Jsonlog,
        }),
        places: Vec::new(),
        line_prefix,
        languages: input.languages(),
        reading,
        follows: false,
        trusts_begins: false,
        held: Vec::new(),
    })
}

/// Standard input in a temporary file, which is gone with the process: a window that is counted from the end
/// of the input needs that end first.
#[derive(Default)]
pub(super) struct Spool {
    file: Option<NamedTempFile>,
    /// Ctrl+C came before its end; what is there is read all the same.
    pub(super) is_cut: bool,
}

impl Spool {
    /// Puts the file in the place of standard input.
    pub(super) fn of_stdin(
        request: &mut Request,
        stdin: &mut Stdin,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> anyhow::Result<Spool> {
        let is_stdin = |path: &PathBuf| path == Path::new("-");
        if !stdin.is_piped || !request.is_empty() && !request.paths.iter().any(is_stdin) {
            return Ok(Spool::default());
        }
        // Of a tar the plan keeps what are logs.
        if stdin.begins_tar().context("standard input")? {
            return Ok(Spool::default());
        }
        let mut file = NamedTempFile::new().context("a temporary file for standard input")?;
        let line = progress.show(Work::Store, &request.reading);
        let mut pipe = BufReader::with_capacity(1 << 16, &mut stdin.reader);
        io::copy(&mut pipe, &mut file).context("standard input")?;
        drop(line);
        let is_cut = interrupt.came();
        if is_cut {
            interrupt.answered();
        }
        request.reading = Reading::new(interrupt);
        request.paths.retain(|path| !is_stdin(path));
        // It does not come again.
        request.trusts_begins = false;
        request
            .servers
            .push(("stdin".to_owned(), file.path().to_owned()));
        Ok(Spool {
            file: Some(file),
            is_cut,
        })
    }

    /// It is shown as what it is, and read as what it is: a pipe that Ctrl+C may have cut off.
    pub(super) fn settle(&self, plan: &mut Plan) {
        if let Some(file) = &self.file {
            let path = file.path().display().to_string();
            for log in plan.servers.iter_mut().flat_map(|server| &mut server.files) {
                if log.display == path {
                    "-".clone_into(&mut log.display);
                    log.is_cut = self.is_cut;
                }
            }
        }
    }
}

/// First and last log time of the input, as far as the heads of its files tell; the last one of compressed
/// files only where it is needed and to be `counted`, since it takes reading them.
pub(super) fn ends(
    plan: &Plan,
    clock: &mut LogClock,
    counted: Option<&Arc<Reading>>,
) -> anyhow::Result<(Option<Instant>, Option<Instant>)> {
    let (mut first, mut last) = (None::<Instant>, None::<Instant>);
    for log in plan.servers.iter().flat_map(|server| &server.files) {
        let mut instant = |time: &FileTime| clock.instant(time.as_deref());
        if let Some(time) = &log.first {
            let at = instant(time);
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        let end = match counted {
            Some(counted) => log
                .last_time(counted)
                .with_context(|| log.display.clone())?,
            None => log.last.clone(),
        };
        if let Some(time) = &end {
            last = last.max(Some(instant(time)));
        }
    }
    Ok((first, last))
}

/// Bytes that must be read to know where the input ends.
pub(super) fn unread_ends(plan: &Plan) -> u64 {
    let files = plan.servers.iter().flat_map(|server| &server.files);
    files
        .filter(|log| log.is_compressed() && log.first.is_some() && log.last.is_none())
        .filter_map(LogFile::stored)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_names_or_offsets() {
        for (name, offset_s) in [("+02:00", 7_200), ("-0330", -12_600), ("UTC", 0)] {
            let zone = time_zone("--timezone", name).expect(name);
            let offset = zone.to_offset(jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(offset.seconds(), offset_s, "{name}");
        }
        let err = time_zone("--timezone", "Mars").expect_err("no zone");
        insta::assert_snapshot!(format!("{err:#}"), @"--timezone 'Mars': no such time zone; give a name such as Europe/Berlin or an offset such as +02:00");
    }
}
