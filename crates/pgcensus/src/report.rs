//! What was read, and what could not be: the facts about the input that every view tells.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::Path;

use pgcensus_core::findings::HbaFile;
use pgcensus_core::snapshot::refused::{RecordSnapshot, RefusedSnapshot};
use pgcensus_core::tracker::Tracker;
use pgcensus_core::zone::DisplayZone;
use pgcensus_log::batch::Why;
use pgcensus_log::envelope::Envelope;
use pgcensus_log::format::Format;
use pgcensus_log::log_time::Zone;

use crate::pipeline::{Outcome, UnreadableSpan};
use crate::settings;
use crate::source::Plan;
use crate::source::file::{self, Kind, LogFile};
use crate::view::text::{cut, shown, thousands};
use crate::view::{InputReport, Place, SourceReport};

/// Columns that are shown of what could not be read.
const EXCERPT: usize = 100;

/// The facts about the input of a run.
pub(crate) fn of(plan: &Plan, outcome: &Outcome) -> InputReport {
    let mut report = InputReport {
        events: outcome.events,
        unreadable: outcome.unreadable_total,
        untrusted: outcome.untrusted_total,
        has_time: outcome.input.is_some() || outcome.events == 0,
        has_pid: true,
        ..InputReport::default()
    };
    report.max_connections = connections_max(plan);
    let mut without_pid = Vec::new();
    let mut paths = HashSet::new();
    for (server, input) in outcome.servers.iter().zip(&plan.servers) {
        let saw = server.tracker.saw();
        report.saw_received |= saw.received;
        report.saw_authorized |= saw.authorized;
        report.saw_disconnection |= saw.disconnection;
        report.tells_open |= tells_open(&server.tracker);
        if saw.no_pid {
            without_pid.push(&*input.name);
        }
        report.server_major = report.server_major.max(server.tracker.major());
        for note in server.clock.notes() {
            // Servers of one file have its zone.
            if !report.notes.contains(&note) {
                report.notes.push(note);
            }
        }
        for (file, log) in server.files.iter().zip(&input.files) {
            // What several servers wrote into one file is one all the same.
            let is_read = !outcome.is_stopped || file.bytes > 0;
            report.files += usize::from(is_read && paths.insert(&*log.display));
            report.bytes += file.bytes;
            let (format, prefix) = match &log.format {
                Format::Stderr(prefix) => ("stderr", Some(prefix.as_str().to_owned())),
                Format::Csvlog => ("csvlog", None),
                Format::Jsonlog => ("jsonlog", None),
            };
            if let Some(later) = file.later_prefixes.last() {
                let first = prefix.as_deref().unwrap_or_default();
                report.notes.push(format!(
                    "{}: lines that '{first}' does not read have the log_line_prefix '{later}'",
                    log.display
                ));
            }
            report.sources.push(SourceReport {
                path: log.display.clone(),
                server: input.name.clone(),
                envelope: log.envelope.as_ref().map(Envelope::name),
                format,
                prefix,
                zone: log.first.as_ref().and_then(|time| match &time.zone {
                    Zone::Epoch => None,
                    Zone::Named(zone) => Some(String::from_utf8_lossy(zone).into_owned()),
                }),
                language: Some(match &log.translated {
                    Some(translated) => translated.languages().join(","),
                    None => "en".to_owned(),
                }),
                left_out: None,
                first: file.first,
                last: file.last,
                bytes: file.bytes,
            });
        }
    }
    report.has_pid = without_pid.len() < plan.servers.len() || plan.servers.is_empty();
    if report.has_pid && !without_pid.is_empty() {
        let text = "the log_line_prefix has neither %p nor %c: its open sessions are not known, nor among those shown";
        report
            .notes
            .push(format!("server {}: {text}", without_pid.join(", ")));
    }
    for left_out in &plan.left_out {
        report.sources.push(SourceReport {
            path: left_out.path.clone(),
            server: left_out.server.clone().unwrap_or_default(),
            format: "",
            left_out: Some(left_out.what.clone()),
            ..SourceReport::default()
        });
    }
    if let Some(first) = outcome
        .unreadable
        .iter()
        .find(|span| !matches!(span.why, Why::Untrusted | Why::Raised))
    {
        report.notes.push(format!(
            "the first that could not be read: {}",
            place(plan, first)
        ));
    }
    report
}

/// Something of the log tells how many sessions are open: one of them was seen, or, since a server start, that connections are
/// logged and none became a session.
pub(crate) fn tells_open(tracker: &Tracker) -> bool {
    let saw = tracker.saw();
    let is_started = tracker.lives().last_marker().is_some();
    saw.authorized || saw.disconnection || saw.received && is_started
}

/// `max_connections` of the one server that there is, where its configuration lies beside its logs.
pub(crate) fn connections_max(plan: &Plan) -> Option<u32> {
    beside(plan, settings::connections_max)
}

/// Its `pg_hba.conf`, likewise.
pub(crate) fn hba(plan: &Plan) -> Option<HbaFile> {
    beside(plan, settings::hba::beside)
}

/// What lies beside the logs of the one server that there is.
fn beside<T>(plan: &Plan, look: impl Fn(&Path) -> Option<T>) -> Option<T> {
    let [server] = &plan.servers[..] else {
        return None;
    };
    // Configurations are looked for once for each directory.
    let mut directories = HashSet::new();
    let paths = server.files.iter().filter_map(|log| match &log.kind {
        Kind::File(path) => Some(path.as_path()),
        Kind::Section(_) => Some(Path::new(&log.display)),
        Kind::Spooled(_) | Kind::Picked(..) | Kind::Stream(_) => None,
    });
    let mut paths = paths.filter(|path| directories.insert(path.parent()));
    paths.find_map(look)
}

/// So many places of what could not be read are told of each file.
const PLACES: usize = 3;

/// The end of `--explain`, a line a file: `pg.log: 1,234 records of connections, sessions and the server; 2 could not be read:
/// pg.log:12 (a line that is no jsonlog object), pg.log:88 (…)`.
pub(crate) fn explain(plan: &Plan, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    for (server, (told, input)) in outcome.servers.iter().zip(&plan.servers).enumerate() {
        let zone = DisplayZone::Log(told.clock.log_zone());
        for (file, (told, log)) in told.files.iter().zip(&input.files).enumerate() {
            let records = match told.events {
                1 => "record",
                _ => "records",
            };
            let events = thousands(told.events);
            let display = &log.display;
            write!(
                out,
                "{display}: {events} {records} of connections, sessions and the server; "
            )?;
            // The last time of what is read once is known now.
            let last = told.last.filter(|_| log.last.is_none());
            let last = last.map_or_else(String::new, |last| {
                format!("; to {}", file::show_instant(last, &zone))
            });
            if told.unreadable == 0 {
                writeln!(out, "all could be read{last}")?;
                continue;
            }
            let spans = outcome.unreadable.iter();
            let spans = spans.filter(|span| (span.server, span.file) == (server, file));
            let places: Vec<_> = spans
                .take(PLACES)
                .map(|span| format!("{} ({})", place(plan, span), span.why))
                .collect();
            let unreadable = thousands(told.unreadable);
            let places = places.join(", ");
            writeln!(out, "{unreadable} could not be read: {places}{last}")?;
        }
    }
    let notes = outcome.servers.iter().flat_map(|told| told.clock.notes());
    let mut notes: Vec<_> = notes.collect();
    notes.sort();
    notes.dedup();
    notes.iter().try_for_each(|note| writeln!(out, "{note}"))
}

/// `--unreadable`: every span with its place, why, and how it begins.
pub(crate) fn unreadable(plan: &Plan, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    for span in &outcome.unreadable {
        let excerpt = span
            .excerpt
            .split(|&b| b == b'\n')
            .next()
            .unwrap_or_default();
        let place = place(plan, span);
        if span.len == 0 {
            // Its head was read, and the rest skipped up to there.
            writeln!(
                out,
                "{place}: the end of a record longer than 1 MiB: {}",
                span.why
            )?;
            continue;
        }
        writeln!(
            out,
            "{place}: {} bytes: {}: {}",
            thousands(span.len),
            span.why,
            cut(&shown(excerpt), EXCERPT)
        )?;
    }
    let all = outcome.unreadable_total + outcome.untrusted_total;
    let more = all.saturating_sub(outcome.unreadable.len() as u64);
    match (all, more) {
        (0, _) => writeln!(out, "every record of interest could be read"),
        (_, 0) => Ok(()),
        _ => writeln!(out, "{} more", thousands(more)),
    }
}

fn place(plan: &Plan, span: &UnreadableSpan) -> Place {
    let log = &plan.servers[span.server].files[span.file];
    Place::of(log, span.offset, log.line_number(span.offset))
}

impl Place {
    fn of(log: &LogFile, byte: u64, line: Option<u64>) -> Place {
        Place {
            path: log.display.clone(),
            line,
            byte,
            is_unwrapped: log.envelope.is_some(),
        }
    }
}

/// Where the records of refusals are, as far as that is known without reading anything again.
pub(crate) fn unread_places(plan: &Plan, refused: &RefusedSnapshot) -> Vec<Place> {
    let records = refused.reasons.iter().flat_map(|reason| &reason.records);
    let place = |record: &RecordSnapshot| {
        let files = &plan.servers[usize::from(record.server.0)].files;
        Place::of(&files[record.file as usize], record.offset, None)
    };
    records.map(place).collect()
}

/// Where the records of refusals are, reason by reason as they stand there. Each file is read once.
pub(crate) fn places(plan: &Plan, refused: &RefusedSnapshot) -> Vec<Place> {
    let records = || refused.reasons.iter().flat_map(|reason| &reason.records);
    let mut offsets: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
    let file = |record: &RecordSnapshot| (usize::from(record.server.0), record.file as usize);
    for record in records() {
        offsets.entry(file(record)).or_default().push(record.offset);
    }
    let lines = offsets.into_iter().map(|((server, file), mut offsets)| {
        offsets.sort_unstable();
        let lines = plan.servers[server].files[file].line_numbers(&offsets);
        ((server, file), (offsets, lines))
    });
    let lines: BTreeMap<_, _> = lines.collect();
    let places = records().map(|record| {
        let (server, file) = file(record);
        let log = &plan.servers[server].files[file];
        let (offsets, lines) = &lines[&(server, file)];
        let at = offsets.binary_search(&record.offset).ok();
        let line = at.and_then(|at| Some(lines.as_ref()?[at]));
        Place::of(log, record.offset, line)
    });
    places.collect()
}
