//! The data of a page, as one object: what other commands say with `--json`, and the cells of which the page makes sums.
//!
//! ```text
//! { "zone": [[0, 3600, "CET"]], "command": {…}, "summary": {…}, "refused": {…}, "findings": […],
//!   "buckets": { "start": [ms, …], "open_max": […], … },
//!   "names": { "user": ["app", …], … }, "who": [[server, database, user, application_name, client_host], …],
//!   "kinds": [["opened", 0], ["closed", 0, "client"], …],
//!   "cells": { "bucket": [first of each], "kind": […], "n": […] }, "sessions": [{…, "lines": […]}, …] }
//! ```

mod anonymous;
mod cells;

use std::collections::BTreeMap;
use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::names::Dimension;
use pgcensus_core::snapshot::{CensusSnapshot, HistorySnapshot, Ranking};
use pgcensus_core::zone::DisplayZone;
use rustc_hash::FxHashSet;
use serde::Serialize;
use serde_json::Value;

use self::anonymous::Pseudonyms;
use self::cells::Cells;
use super::Page;
use crate::view::findings::Found;
use crate::view::sessions::Sessions;
use crate::view::{Form, Show, findings, json, refused};

/// Names of a dimension that are told of each ranking; how many more there were is told by its sum.
const NAMES_MAX: usize = 200;

/// What names are called that are told together.
const OTHERS: &[u8] = b"(other)";

/// Entries of each list of refusals, and of noise.
const LISTED_MAX: usize = 50;

/// The object in two parts, as JSON: a page shows the first before it has the second. Nothing in it depends on the size of the log but
/// by its names, which are at most so many.
pub(crate) struct Parts {
    /// The object without its sessions.
    pub(crate) counts: String,
    /// The list of sessions.
    pub(crate) sessions: String,
}

/// Writes all of it.
pub(crate) fn json(page: &Page<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let Parts { counts, sessions } = parts(page, show)?;
    let counts = &counts[..counts.len() - 1];
    writeln!(out, "{counts},\"sessions\":{sessions}}}")
}

/// Both, with other names where it is to be anonymous.
pub(super) fn parts(page: &Page<'_>, show: &Show<'_>) -> io::Result<Parts> {
    if page.is_anonymous {
        let pseudonyms = Pseudonyms::of(page.names);
        let findings = page.found.findings.iter();
        let findings: Vec<_> = findings
            .map(|finding| pseudonyms.finding(finding))
            .collect();
        let servers = show.servers.iter();
        let servers: Vec<_> = servers.map(|name| pseudonyms.name(name)).collect();
        let found = Found {
            findings: &findings,
            given: pseudonyms.given(&page.found.given),
            gates: page.found.gates,
        };
        let show = Show {
            servers: &servers,
            ..*show
        };
        let replaced = |mut told: Value| {
            pseudonyms.replace(&mut told, "");
            told.to_string()
        };
        Ok(Parts {
            counts: replaced(serde_json::to_value(counts(page, &found, &show)?)?),
            sessions: replaced(serde_json::from_str(&sessions(page, &show)?)?),
        })
    } else {
        Ok(Parts {
            counts: serde_json::to_string(&counts(page, page.found, show)?)?,
            sessions: sessions(page, show)?,
        })
    }
}

fn counts<'p>(page: &Page<'_>, found: &'p Found<'_>, show: &Show<'_>) -> io::Result<Counts<'p>> {
    let census = &shortened(page.census);
    let summary = value(|out| json::summary(census, found, page.report, show, out))?;
    let mut refused = value(|out| refused::data::json(page.refused, show, out))?;
    shorten(&mut refused);
    let meanings = page.refused.refused.reasons.iter();
    let meanings = meanings.map(|told| (told.reason.as_str(), refused::meaning::of(told.reason)));
    Ok(Counts {
        version: env!("CARGO_PKG_VERSION"),
        zone: offsets(page.history, show.zone),
        command: Command {
            is_piped: found.given.is_piped,
            input: &found.given.input,
            filter: &found.given.filter,
            since: json::time(found.given.since, show),
            until: json::time(found.given.until, show),
            between: found.given.between.as_deref(),
        },
        knows_open: page.report.knows_open(),
        max_connections: page.report.max_connections,
        summary,
        refused,
        meanings: meanings.collect(),
        findings: rows(|out| findings::jsonl(found, show, out))?,
        bucket_s: page.history.bucket_s,
        buckets: Buckets::of(page.history, page.report.knows_open()),
        cells: Cells::of(page),
    })
}

#[derive(Serialize)]
struct Counts<'p> {
    version: &'static str,
    /// From when on (milliseconds) so many seconds east of UTC, and what that is called.
    zone: Vec<(i64, i32, String)>,
    command: Command<'p>,
    knows_open: bool,
    max_connections: Option<u32>,
    summary: Value,
    refused: Value,
    /// What each reason means.
    meanings: BTreeMap<&'static str, &'static str>,
    findings: Vec<Value>,
    bucket_s: u64,
    buckets: Buckets,
    #[serde(flatten)]
    cells: Cells,
}

/// What a command that is to be copied begins with.
#[derive(Serialize)]
struct Command<'p> {
    is_piped: bool,
    input: &'p [String],
    filter: &'p [(&'static str, String)],
    since: Option<String>,
    until: Option<String>,
    between: Option<&'p str>,
}

/// The buckets of the timeline, a list for each column. Open sessions are null where the log cannot tell them.
#[derive(Default, Serialize)]
struct Buckets {
    /// Milliseconds since the epoch.
    start: Vec<i64>,
    /// The end of the last.
    end: Option<i64>,
    open_start: Vec<Option<u64>>,
    open_min: Vec<Option<u64>>,
    open_max: Vec<Option<u64>>,
    open_end: Vec<Option<u64>>,
    certainty: Vec<&'static str>,
}

impl Buckets {
    fn of(history: &HistorySnapshot, knows_open: bool) -> Buckets {
        let buckets = &history.buckets;
        let column = |n: fn(&pgcensus_core::snapshot::Bucket) -> u64| {
            let known = buckets.iter().map(|bucket| knows_open.then_some(n(bucket)));
            known.collect()
        };
        Buckets {
            start: buckets.iter().map(|bucket| bucket.start.0).collect(),
            end: buckets.last().map(|bucket| bucket.end.0),
            open_start: column(|bucket| bucket.open_start),
            open_min: column(|bucket| bucket.open_min),
            open_max: column(|bucket| bucket.open_max),
            open_end: column(|bucket| bucket.open_end),
            certainty: buckets
                .iter()
                .map(|bucket| bucket.certainty.as_str())
                .collect(),
        }
    }
}

/// Those that can be looked at one by one, as `sessions --json` has them, with what the log says of each.
fn sessions(page: &Page<'_>, show: &Show<'_>) -> io::Result<String> {
    let mut list = Vec::from(b"[");
    let mut rows = Sessions::new(Form::Json, *show);
    for (session, lines) in page.sessions.iter().zip(page.lines) {
        if list.len() > 1 {
            list.push(b',');
        }
        rows.row(session, page.names, None, &mut list)?;
        list.truncate(list.trim_ascii_end().len() - 1);
        list.extend(b",\"lines\":");
        serde_json::to_writer(&mut list, lines)?;
        list.push(b'}');
    }
    list.push(b']');
    String::from_utf8(list).map_err(io::Error::other)
}

/// Where the offset of the zone changes in the history, to the second.
fn offsets(history: &HistorySnapshot, zone: &DisplayZone) -> Vec<(i64, i32, String)> {
    let mut offsets: Vec<(i64, i32, String)> = Vec::new();
    let offset = |at: i64| zone.offset_s(Instant(at));
    let starts = history.buckets.iter().map(|bucket| bucket.start.0);
    let ends = history.buckets.last().map(|bucket| bucket.end.0);
    for at in starts.chain(ends) {
        let known = offsets
            .last()
            .map(|&(since, offset_s, _)| (since, offset_s));
        match known {
            Some((_, offset_s)) if offset_s == offset(at) => {}
            _ => {
                let (mut before, mut after) = (known.map_or(at - 1, |(since, _)| since), at);
                while known.is_some() && after - before > 1_000 {
                    let middle = before + (after - before) / 2;
                    if offset(middle) == offset(at) {
                        after = middle;
                    } else {
                        before = middle;
                    }
                }
                offsets.push((after, offset(at), zone.abbreviation(Instant(at))));
            }
        }
    }
    offsets
}

/// Of a log with very many names those that are among the most frequent of anything, and the sum of the others.
fn shortened(census: &CensusSnapshot) -> CensusSnapshot {
    let mut census = census.clone();
    census.noise.truncate(LISTED_MAX);
    for dimension in 0..Dimension::ALL.len() {
        let rankings: [&mut Ranking; 5] = [
            &mut census.open.by[dimension],
            &mut census.walsenders.by[dimension],
            &mut census.connects_by[dimension],
            &mut census.refused_by[dimension],
            &mut census.peak.by[dimension],
        ];
        let told = rankings
            .iter()
            .flat_map(|ranking| ranking.iter().take(NAMES_MAX));
        // What is told of a name is all of it.
        let told: FxHashSet<_> = told.map(|(name, _)| name.clone()).collect();
        for ranking in rankings {
            let mut more = 0;
            ranking.retain(|(name, n)| {
                let is_told = told.contains(name) && **name != *OTHERS;
                more += if is_told { 0 } else { *n };
                is_told
            });
            if more > 0 {
                ranking.push((OTHERS.into(), more));
            }
        }
    }
    if let Some(grew) = &mut census.peak.grew {
        for dimension in Dimension::ALL {
            grew.by[dimension as usize].truncate(NAMES_MAX);
        }
    }
    census
}

/// Of lists within it, what comes first: they begin with what happened most.
fn shorten(told: &mut Value) {
    match told {
        Value::Array(list) => {
            list.truncate(LISTED_MAX);
            list.iter_mut().for_each(shorten);
        }
        Value::Object(object) => object.values_mut().for_each(shorten),
        _ => {}
    }
}

/// What a view writes as one object.
fn value(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Value> {
    let mut text = Vec::new();
    write(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// What a view writes as an object a line.
fn rows(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Vec<Value>> {
    let mut text = Vec::new();
    write(&mut text)?;
    let rows = serde_json::Deserializer::from_slice(&text).into_iter();
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_told_has_all_of_its_counts() {
        let ranking = |names: std::ops::Range<u64>, n: u64| -> Ranking {
            let names = names.map(|i| (i.to_string().into_bytes().into(), n));
            names.collect()
        };
        let mut census = CensusSnapshot::default();
        let application = Dimension::ApplicationName as usize;
        census.connects_by[application] = ranking(0..1_000, 1);
        census.connects_by[application].insert(100, (OTHERS.into(), 5_000));
        // The last of those are open.
        census.open.by[application] = ranking(995..1_000, 1);
        let told = shortened(&census);
        let connects: std::collections::HashMap<_, _> =
            told.connects_by[application].iter().cloned().collect();
        assert_eq!(connects.len(), told.connects_by[application].len());
        assert_eq!(connects.values().sum::<u64>(), 6_000);
        assert!(connects.contains_key(&b"999"[..]) && connects.len() < 210);
        assert_eq!(connects[OTHERS], 6_000 - 199 - 5);
        assert_eq!(told.open.by[application], census.open.by[application]);
    }
}
