//! `refused` as data: `--json` is one object, `--csv` a row for each group.

use std::collections::BTreeMap;
use std::io;

use pgcensus_core::names::Dimension;
use pgcensus_core::refusals::BURST_S;
use pgcensus_core::session::ProbeReason;
use pgcensus_core::snapshot::refused::{
    Burst, GroupSnapshot, HbaSnapshot, ProbeSnapshot, ReasonSnapshot, RecordSnapshot,
    RefusedSnapshot, Tally,
};
use serde::Serialize;

use super::Told;
use crate::view::json::{self, Counts, Input, NameCount, time};
use crate::view::row::Row;
use crate::view::{Place, Show};

/// All of it as one object.
pub(crate) fn json(told: Told<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let refused = told.refused;
    let mut places = told.places.iter();
    let by_reason = refused.reasons.iter();
    let by_reason = by_reason.map(|reason| (reason.reason.as_str(), reason.tally.connections));
    let object = Refused {
        input: Input::new(told.report, show),
        since: time(refused.window.map(|(since, _)| since), show),
        until: time(refused.window.map(|(_, until)| until), show),
        figures: Figures::new(&refused.all, refused.burst, show),
        by_reason: json::counts(by_reason),
        by: by(refused),
        reasons: refused
            .reasons
            .iter()
            .map(|reason| Reason::new(reason, refused, &mut places, show))
            .collect(),
        probes: Probes {
            total: refused.probes_total(),
            by_reason: probe_reasons(|reason| refused.probes_by(reason)),
            client_hosts: refused
                .probes
                .iter()
                .map(|host| ProbeHost::new(host, show))
                .collect(),
        },
        pending: refused.pending,
        bounds: &refused.bounds,
    };
    json::write(&object, out)
}

#[derive(Serialize)]
struct Refused<'a> {
    input: Input<'a>,
    since: Option<String>,
    until: Option<String>,
    #[serde(flatten)]
    figures: Figures,
    by_reason: Counts,
    by: BTreeMap<&'static str, Vec<NameCount<u64>>>,
    reasons: Vec<Reason>,
    probes: Probes,
    pending: u64,
    bounds: &'a [String],
}

/// How many, since when, how fast.
#[derive(Serialize)]
struct Figures {
    attempts: u64,
    connections: u64,
    first: Option<String>,
    last: Option<String>,
    per_minute: Option<f64>,
    burst: Option<BurstObject>,
}

#[derive(Serialize)]
struct BurstObject {
    connections: u64,
    seconds: usize,
    start: Option<String>,
}

impl Figures {
    fn new(tally: &Tally, burst: Option<Burst>, show: &Show<'_>) -> Figures {
        Figures {
            attempts: tally.attempts,
            connections: tally.connections,
            first: time(tally.first, show),
            last: time(tally.last, show),
            per_minute: tally.per_minute().map(|rate| (rate * 1e3).round() / 1e3),
            burst: burst.map(|burst| BurstObject {
                connections: burst.connections,
                seconds: BURST_S,
                start: time(Some(burst.start), show),
            }),
        }
    }
}

/// Refused connections by each of the dimensions that groups have.
fn by(refused: &RefusedSnapshot) -> BTreeMap<&'static str, Vec<NameCount<u64>>> {
    let rankings = refused.by.iter();
    rankings
        .map(|(dimension, ranking)| (dimension.as_str(), json::name_counts(ranking)))
        .collect()
}

#[derive(Serialize)]
struct Reason {
    reason: &'static str,
    #[serde(flatten)]
    figures: Figures,
    groups: Vec<Group>,
    records: Vec<Record>,
}

impl Reason {
    fn new<'p>(
        reason: &ReasonSnapshot,
        refused: &RefusedSnapshot,
        places: &mut impl Iterator<Item = &'p Place>,
        show: &Show<'_>,
    ) -> Reason {
        let groups = reason.groups.iter();
        let records = reason.records.iter().zip(places);
        Reason {
            reason: reason.reason.as_str(),
            figures: Figures::new(&reason.tally, reason.burst, show),
            groups: groups
                .map(|group| Group::new(group, refused, show))
                .collect(),
            records: records
                .map(|(record, place)| Record::new(record, place, show))
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Group {
    /// Those of the dimensions that groups have.
    #[serde(flatten)]
    names: BTreeMap<&'static str, Option<String>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    attempts: u64,
    connections: u64,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Serialize)]
struct Details {
    sqlstate: Option<String>,
    hba: Option<Hba>,
    detail: Option<String>,
}

#[derive(Serialize)]
struct Hba {
    file: String,
    line: u32,
    text: Option<String>,
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

impl Group {
    fn new(group: &GroupSnapshot, refused: &RefusedSnapshot, show: &Show<'_>) -> Group {
        let name = |&dimension: &Dimension| (dimension.as_str(), group.name(dimension).map(lossy));
        let hba = |hba: &HbaSnapshot| Hba {
            file: lossy(&hba.file),
            line: hba.line,
            text: hba.text.as_deref().map(lossy),
        };
        let details = refused.is_detailed.then(|| Details {
            sqlstate: group.sqlstate.map(|sqlstate| lossy(&sqlstate.0)),
            hba: group.hba.as_ref().map(hba),
            detail: group.detail.as_deref().map(lossy),
        });
        Group {
            names: refused.dimensions.iter().map(name).collect(),
            details,
            attempts: group.tally.attempts,
            connections: group.tally.connections,
            first: time(group.tally.first, show),
            last: time(group.tally.last, show),
        }
    }
}

#[derive(Serialize)]
struct Record {
    at: Option<String>,
    server: String,
    path: String,
    line: Option<u64>,
    byte: u64,
    record: String,
}

impl Record {
    fn new(record: &RecordSnapshot, place: &Place, show: &Show<'_>) -> Record {
        Record {
            at: time(record.at, show),
            server: show.server(record.server).to_owned(),
            path: place.path.clone(),
            line: place.line,
            byte: place.byte,
            record: lossy(&record.text),
        }
    }
}

#[derive(Serialize)]
struct Probes {
    total: u64,
    by_reason: Counts,
    client_hosts: Vec<ProbeHost>,
}

#[derive(Serialize)]
struct ProbeHost {
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    client_host: Option<String>,
    count: u64,
    first: Option<String>,
    last: Option<String>,
    by_reason: Counts,
}

impl ProbeHost {
    fn new(host: &ProbeSnapshot, show: &Show<'_>) -> ProbeHost {
        ProbeHost {
            server: host.server.map(|server| show.server(server).to_owned()),
            client_host: host.client_host.as_deref().map(lossy),
            count: host.count,
            first: time(host.first, show),
            last: time(host.last, show),
            by_reason: probe_reasons(|reason| host.by_reason[reason as usize]),
        }
    }
}

fn probe_reasons(count: impl Fn(ProbeReason) -> u64) -> Counts {
    let reasons = ProbeReason::ALL.iter();
    let counted = reasons.map(|&reason| (reason.as_str(), count(reason)));
    json::counts(counted.filter(|&(_, count)| count > 0))
}

/// One row a group: `reason,`, its names, `sqlstate,hba_file,hba_line,detail,attempts,connections,first,last`.
pub(crate) fn csv(told: Told<'_>, show: &Show<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let refused = told.refused;
    let names: Vec<_> = refused.dimensions.iter().map(|d| d.as_str()).collect();
    let details = if refused.is_detailed {
        ",sqlstate,hba_file,hba_line,detail"
    } else {
        ""
    };
    let names = names.join(",");
    writeln!(
        out,
        "reason,{names}{details},attempts,connections,first,last"
    )?;
    let mut line = Vec::new();
    for reason in &refused.reasons {
        for group in &reason.groups[..show.rows(reason.groups.len(), usize::MAX)] {
            let mut row = Row::begin(show.csv(), &mut line);
            row.word("reason", Some(reason.reason.as_str()));
            for &dimension in &refused.dimensions {
                row.text(dimension.as_str(), group.name(dimension));
            }
            if refused.is_detailed {
                let hba = group.hba.as_ref();
                row.text(
                    "sqlstate",
                    group.sqlstate.as_ref().map(|state| &state.0[..]),
                );
                row.text("hba_file", hba.map(|hba| &*hba.file));
                row.number("hba_line", hba.map(|hba| hba.line.into()));
                row.text("detail", group.detail.as_deref());
            }
            row.number("attempts", Some(group.tally.attempts));
            row.number("connections", Some(group.tally.connections));
            row.time("first", group.tally.first, show.zone);
            row.time("last", group.tally.last, show.zone);
            row.end();
            out.write_all(&line)?;
            line.clear();
        }
    }
    Ok(())
}
