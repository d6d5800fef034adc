//! The lines that a backend wrote, read again from the files of its server.
//!
//! A record of a pid has that number in its head, so most of a file is only searched for its digits.

use std::io::Read;

use pgcensus_core::instant::Instant;
use pgcensus_core::zone::LogClock;
use pgcensus_log::decoder::{Decoder, RECORD_MAX};
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;

use super::super::written::{AROUND_MS, Writer};
use crate::interrupt::Interrupt;
use crate::source::ServerInput;
use crate::view::text::thousands;
use crate::view::top::moment::{Backend, Lines};

/// Bytes that are looked at once.
const PIECE: usize = 1 << 20;

/// Lines that are kept at most, those from the begin of the session on.
const LINES_MAX: usize = 5_000;

/// A line is cut off past this.
const LINE_MAX: usize = 16 << 10;

/// The lines of a backend while the session was there, of others of its pid none. `later` are the prefixes that took over
/// in each file.
pub(super) fn of<'p>(
    server: &ServerInput,
    later: impl Iterator<Item = &'p [String]>,
    backend: &Backend,
    clock: &mut LogClock,
    interrupt: &Interrupt,
) -> Lines {
    let mut found = Found {
        backend,
        lines: Vec::new(),
        more: 0,
    };
    let mut problems = Vec::new();
    for (file, later) in server.files.iter().zip(later) {
        let outside = |at: Option<Instant>, is_later: bool| match (at, backend.since, backend.until)
        {
            (Some(at), _, Some(until)) if is_later => at.since(until) > AROUND_MS,
            (Some(at), Some(since), _) if !is_later => since.since(at) > AROUND_MS,
            _ => false,
        };
        let first = file.first.as_ref().map(|at| clock.instant(at.as_deref()));
        let last = file.last.as_ref().map(|at| clock.instant(at.as_deref()));
        if interrupt.came() || outside(first, true) || outside(last, false) {
            continue;
        }
        let later = later
            .iter()
            .filter_map(|prefix| LinePrefix::parse(prefix).ok());
        let mut formats = vec![file.format.clone()];
        formats.extend(later.map(Format::Stderr));
        match file.open_as_written() {
            Ok(reader) => {
                if let Err(err) = found.read(reader, &formats, clock, interrupt) {
                    problems.push(format!("{}: {err}", file.display));
                }
            }
            Err(err) => problems.push(format!("{}: {err}", file.display)),
        }
    }
    if found.more > 0 {
        problems.push(format!(
            "{} more lines ({} kept)",
            thousands(found.more),
            thousands(LINES_MAX as u64)
        ));
    }
    Lines {
        lines: found.lines,
        note: (!problems.is_empty()).then(|| problems.join("; ")),
    }
}

struct Found<'b> {
    backend: &'b Backend,
    lines: Vec<(Option<Instant>, Box<[u8]>)>,
    more: u64,
}

impl Found<'_> {
    fn read(
        &mut self,
        mut reader: impl Read,
        formats: &[Format],
        clock: &mut LogClock,
        interrupt: &Interrupt,
    ) -> std::io::Result<()> {
        let mut decoder = Decoder::new(formats[0].clone());
        for format in &formats[1..] {
            if let Format::Stderr(prefix) = format {
                decoder.add_prefix(prefix.clone());
            }
        }
        let digits = self.backend.pid.to_string();
        // `%c` has it in hex, where it stands alone.
        let hex = format!(".{:x}", self.backend.pid);
        let finders = [&digits, &hex].map(|text| memchr::memmem::Finder::new(text.as_bytes()));
        let mut piece: Vec<u8> = Vec::with_capacity(2 * PIECE);
        loop {
            let n = reader.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            let is_last = n == 0;
            let mut end = if is_last {
                piece.len()
            } else {
                decoder.last_record_end(&piece).unwrap_or(0)
            };
            // A record that is longer than any is read in parts.
            if end == 0 && piece.len() > 2 * RECORD_MAX {
                end = piece.len();
            }
            let whole = &piece[..end];
            if finders.iter().any(|finder| finder.find(whole).is_some()) {
                self.piece(whole, formats, clock);
            }
            piece.drain(..end);
            if is_last || interrupt.came() {
                return Ok(());
            }
        }
    }

    fn piece(&mut self, piece: &[u8], formats: &[Format], clock: &mut LogClock) {
        let writer = Writer {
            pid: self.backend.pid,
            since: self.backend.since,
            until: self.backend.until,
        };
        for written in writer.records(piece, formats, clock) {
            let mut at = written.at.known();
            for line in written.text.split(|&b| b == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if self.lines.len() >= LINES_MAX {
                    self.more += 1;
                } else {
                    let line = &line[..line.len().min(LINE_MAX)];
                    self.lines.push((at.take(), line.into()));
                }
            }
        }
    }
}
