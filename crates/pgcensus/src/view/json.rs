//! `summary --json` and `history --json`: one object each, by the contract of the manual.
//!
//! What is not known is null. Names are raw; what does not show is escaped, invalid UTF-8 is U+FFFD.

use std::io;

use pgcensus_core::instant::Instant;
use pgcensus_core::names::Dimension;
use pgcensus_core::session::End;
use pgcensus_core::snapshot::{
    Bucket, CensusSnapshot, HistorySnapshot, Marker, OpenSnapshot, PeakSnapshot,
    SESSION_TIME_BOUNDS_MS, ServerSnapshot,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::findings::{self, Found};
use super::text::is_hidden;
use super::{InputReport, Show, noise, table};

/// The census as one object.
pub(crate) fn summary(
    census: &CensusSnapshot,
    found: &Found<'_>,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let by_end = End::ALL.map(|end| (end.as_str(), census.disconnects_by(end)));
    let by_reason = census
        .refused_by_reason
        .iter()
        .map(|&(reason, count)| (reason.as_str(), count));
    let object = Summary {
        input: Input::new(report, show),
        since: time(census.window.map(|(since, _)| since), show),
        until: time(census.window.map(|(_, until)| until), show),
        open: Open::new(&census.open, show),
        walsenders: Walsenders {
            open: Open::new(&census.walsenders, show),
            connects: census.walsender_connects,
            disconnects: census.walsender_disconnects,
        },
        connects: Connects {
            total: census.connects,
            by: Names::of(&census.connects_by),
        },
        disconnects: Disconnects {
            total: census.disconnects_total(),
            by: counts(by_end),
        },
        refused: Refused {
            attempts: census.refused_attempts,
            connections: census.refused_connections,
            by_reason: counts(by_reason),
            by: Names::of(&census.refused_by),
        },
        probes: census.probes,
        pending: census.pending,
        peak: Peak::new(&census.peak, show),
        servers: table::servers::ranked(census, show)
            .into_iter()
            .map(|server| Server::new(server, show))
            .collect(),
        session_time_ms: SessionTime {
            p50: census.session_time.p50,
            p95: census.session_time.p95,
            p99: census.session_time.p99,
            max: census.session_time.max,
        },
        session_time_histogram: histogram(&census.session_time.histogram),
        open_by_age: counts(AGES.into_iter().zip(census.open_by_age)),
        cross: cross(census),
        findings: findings::severe(found, show),
        noise: noise::json(&census.noise, show),
        bounds: &census.bounds,
    };
    write(&object, out)
}

/// The history as one object.
pub(crate) fn history(
    history: &HistorySnapshot,
    report: &InputReport,
    show: &Show<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let object = History {
        input: Input::new(report, show),
        since: time(history.window.map(|(since, _)| since), show),
        until: time(history.window.map(|(_, until)| until), show),
        bucket_s: history.bucket_s,
        buckets: history
            .buckets
            .iter()
            .map(|bucket| BucketRow::new(bucket, report, show))
            .collect(),
        peak: Peak::new(&history.peak, show),
        bounds: &history.bounds,
    };
    write(&object, out)
}

/// Keys of `open_by_age`, in the order of the snapshot.
const AGES: [&str; 4] = ["under_1_min", "under_1_h", "under_1_d", "older"];

#[derive(Serialize)]
struct Summary<'a> {
    input: Input<'a>,
    since: Option<String>,
    until: Option<String>,
    open: Open,
    walsenders: Walsenders,
    connects: Connects,
    disconnects: Disconnects,
    refused: Refused,
    probes: u64,
    pending: u64,
    peak: Peak,
    servers: Vec<Server>,
    session_time_ms: SessionTime,
    session_time_histogram: Vec<Value>,
    open_by_age: Counts,
    findings: Vec<findings::Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cross: Option<Value>,
    noise: Vec<Value>,
    bounds: &'a [String],
}

#[derive(Serialize)]
struct History<'a> {
    input: Input<'a>,
    since: Option<String>,
    until: Option<String>,
    bucket_s: u64,
    buckets: Vec<BucketRow>,
    peak: Peak,
    bounds: &'a [String],
}

#[derive(Serialize)]
pub(super) struct Input<'a> {
    files: usize,
    bytes: u64,
    events: u64,
    unreadable: u64,
    untrusted: u64,
    partial: bool,
    sources: Vec<Source<'a>>,
    notes: &'a [String],
}

impl<'a> Input<'a> {
    pub(super) fn new(report: &'a InputReport, show: &Show<'_>) -> Input<'a> {
        Input {
            files: report.files,
            bytes: report.bytes,
            events: report.events,
            unreadable: report.unreadable,
            untrusted: report.untrusted,
            partial: report.partial.is_some(),
            sources: report
                .sources
                .iter()
                .map(|source| Source {
                    path: &source.path,
                    server: &source.server,
                    envelope: source.envelope.as_deref(),
                    format: source.format,
                    prefix: source.prefix.as_deref(),
                    zone: source.zone.as_deref(),
                    language: source.language.as_deref(),
                    left_out: source.left_out.as_deref(),
                    first: time(source.first, show),
                    last: time(source.last, show),
                    bytes: source.bytes,
                })
                .collect(),
            notes: &report.notes,
        }
    }
}

#[derive(Serialize)]
struct Source<'a> {
    path: &'a str,
    server: &'a str,
    envelope: Option<&'a str>,
    format: &'static str,
    prefix: Option<&'a str>,
    zone: Option<&'a str>,
    language: Option<&'a str>,
    left_out: Option<&'a str>,
    first: Option<String>,
    last: Option<String>,
    bytes: u64,
}

#[derive(Serialize)]
struct Open {
    #[serde(flatten)]
    count: OpenCount,
    by: Option<Names>,
}

#[derive(Serialize)]
struct ExactSince {
    at: Option<String>,
    marker: &'static str,
}

impl Open {
    fn new(open: &OpenSnapshot, show: &Show<'_>) -> Open {
        Open {
            count: OpenCount::new(open, show),
            by: open.count.map(|_| Names::of(&open.by)),
        }
    }
}

#[derive(Serialize)]
struct OpenCount {
    count: Option<u64>,
    certainty: &'static str,
    exact_since: Option<ExactSince>,
}

impl OpenCount {
    fn new(open: &OpenSnapshot, show: &Show<'_>) -> OpenCount {
        OpenCount {
            count: open.count,
            certainty: open.certainty.as_str(),
            exact_since: open.exact_since.map(|(at, marker)| ExactSince {
                at: time(Some(at), show),
                marker: match marker {
                    Marker::Start => "start",
                    Marker::Crash => "crash",
                },
            }),
        }
    }
}

#[derive(Serialize)]
struct Walsenders {
    #[serde(flatten)]
    open: Open,
    connects: u64,
    disconnects: u64,
}

#[derive(Serialize)]
struct Connects {
    total: u64,
    by: Names,
}

#[derive(Serialize)]
struct Disconnects {
    total: u64,
    by: Counts,
}

#[derive(Serialize)]
struct Refused {
    attempts: u64,
    connections: u64,
    by_reason: Counts,
    by: Names,
}

#[derive(Serialize)]
struct Peak {
    #[serde(flatten)]
    count: PeakCount,
    by: Option<Names>,
    grew: Option<Grew>,
    grew_since: Option<String>,
}

impl Peak {
    fn new(peak: &PeakSnapshot, show: &Show<'_>) -> Peak {
        Peak {
            count: PeakCount::new(peak, show),
            by: peak.count.map(|_| Names::of(&peak.by)),
            grew: peak.grew.as_ref().map(|growth| Names::of(&growth.by)),
            grew_since: time(peak.grew.as_ref().map(|growth| growth.since), show),
        }
    }
}

#[derive(Serialize)]
struct PeakCount {
    count: Option<u64>,
    at: Option<String>,
    certainty: &'static str,
}

impl PeakCount {
    fn new(peak: &PeakSnapshot, show: &Show<'_>) -> PeakCount {
        PeakCount {
            count: peak.count,
            at: time(peak.at, show),
            certainty: peak.certainty.as_str(),
        }
    }
}

/// One server by itself; its counts by name are not kept.
#[derive(Serialize)]
struct Server {
    server: String,
    open: OpenCount,
    peak: PeakCount,
    connects: u64,
    disconnects: u64,
    refused: u64,
}

impl Server {
    fn new(own: &ServerSnapshot, show: &Show<'_>) -> Server {
        Server {
            server: show.server(own.server).to_owned(),
            open: OpenCount::new(&own.open, show),
            peak: PeakCount::new(&own.peak, show),
            connects: own.connects,
            disconnects: own.disconnects,
            refused: own.refused,
        }
    }
}

#[derive(Serialize)]
struct SessionTime {
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
    max: Option<u64>,
}

/// A count by each dimension.
#[derive(Serialize)]
struct Names<N = u64> {
    database: Vec<NameCount<N>>,
    user: Vec<NameCount<N>>,
    application_name: Vec<NameCount<N>>,
    client_host: Vec<NameCount<N>>,
    server: Vec<NameCount<N>>,
}

/// By how many, with a sign.
type Grew = Names<i64>;

#[derive(Serialize)]
pub(super) struct NameCount<N> {
    name: String,
    count: N,
}

impl<N: Copy> Names<N> {
    fn of(by: &[Vec<(Box<[u8]>, N)>; Dimension::ALL.len()]) -> Names<N> {
        let [database, user, application_name, client_host, server] = by;
        Names {
            database: name_counts(database),
            user: name_counts(user),
            application_name: name_counts(application_name),
            client_host: name_counts(client_host),
            server: name_counts(server),
        }
    }
}

pub(super) fn name_counts<N: Copy>(ranking: &[(Box<[u8]>, N)]) -> Vec<NameCount<N>> {
    ranking
        .iter()
        .map(|(name, count)| NameCount {
            name: String::from_utf8_lossy(name).into_owned(),
            count: *count,
        })
        .collect()
}

#[derive(Serialize)]
struct BucketRow {
    start: Option<String>,
    end: Option<String>,
    partial: bool,
    connects: u64,
    disconnects: u64,
    net: i64,
    open_start: Option<u64>,
    open_min: Option<u64>,
    open_max: Option<u64>,
    open_end: Option<u64>,
    refused: u64,
    certainty: &'static str,
}

impl BucketRow {
    fn new(bucket: &Bucket, report: &InputReport, show: &Show<'_>) -> BucketRow {
        let known = |n: u64| report.knows_open().then_some(n);
        BucketRow {
            start: time(Some(bucket.start), show),
            end: time(Some(bucket.end), show),
            partial: bucket.partial,
            connects: bucket.connects,
            disconnects: bucket.disconnects,
            net: bucket.net(),
            open_start: known(bucket.open_start),
            open_min: known(bucket.open_min),
            open_max: known(bucket.open_max),
            open_end: known(bucket.open_end),
            refused: bucket.refused,
            certainty: bucket.certainty.as_str(),
        }
    }
}

pub(super) fn time(at: Option<Instant>, show: &Show<'_>) -> Option<String> {
    Some(show.zone.rfc3339(at?.known()?))
}

/// Counts by a word, in this order.
pub(super) struct Counts(Vec<(&'static str, u64)>);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

pub(super) fn counts(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Counts {
    Counts(counts.into_iter().collect())
}

/// Classes with their upper bound, exclusive; null for the last.
fn histogram(counts: &[u64; 9]) -> Vec<Value> {
    let bounds = SESSION_TIME_BOUNDS_MS.iter().copied().map(Some);
    bounds
        .chain([None])
        .zip(counts)
        .map(|(below_ms, count)| json!({ "below_ms": below_ms, "count": count }))
        .collect()
}

fn cross(census: &CensusSnapshot) -> Option<Value> {
    let cross = census.cross.as_ref()?;
    let dimensions: [Dimension; 2] = cross.dimensions.into();
    let rows: Vec<Value> = cross
        .rows
        .iter()
        .map(|row| {
            json!({
                "names": [String::from_utf8_lossy(&row.names.0), String::from_utf8_lossy(&row.names.1)],
                "count": row.open,
                "connects": row.connects,
                "refused": row.refused,
            })
        })
        .collect();
    Some(json!({ "dimensions": dimensions.map(Dimension::as_str), "rows": rows }))
}

/// Writes the object over several lines. Characters that do not show can only be inside strings; they are
/// escaped, since the output may reach a terminal.
pub(super) fn write(object: &impl Serialize, out: &mut impl io::Write) -> io::Result<()> {
    let text = serde_json::to_string_pretty(object).map_err(io::Error::from)?;
    writeln!(out, "{}", escaped(text))
}

/// Writes the object on one line, likewise.
pub(super) fn write_line(object: &impl Serialize, out: &mut impl io::Write) -> io::Result<()> {
    let text = serde_json::to_string(object).map_err(io::Error::from)?;
    writeln!(out, "{}", escaped(text))
}

fn escaped(mut text: String) -> String {
    if text.chars().any(|c| c != '\n' && is_hidden(c)) {
        text = text
            .chars()
            .fold(String::with_capacity(text.len()), |mut text, c| {
                if c == '\n' || !is_hidden(c) {
                    text.push(c);
                } else {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        text += &format!("\\u{unit:04x}");
                    }
                }
                text
            });
    }
    text
}

#[cfg(test)]
mod tests {
    use pgcensus_core::names::Names as CoreNames;
    use pgcensus_core::snapshot::{Cross, CrossRow};

    use super::*;
    use crate::view::example;

    fn sum(counts: &Value) -> u64 {
        match counts {
            Value::Array(rows) => rows.iter().filter_map(|row| row["count"].as_u64()).sum(),
            Value::Object(rows) => rows.values().filter_map(Value::as_u64).sum(),
            _ => 0,
        }
    }

    #[test]
    fn summary_has_the_keys_of_the_contract_and_its_sums_agree() {
        let (zone, mut names) = (example::zone(), CoreNames::default());
        let mut census = example::census(&mut names);
        census.cross = Some(Cross {
            dimensions: (Dimension::Database, Dimension::User),
            rows: vec![CrossRow {
                names: ((*b"shop").into(), (*b"app\xff").into()),
                open: 2,
                connects: 7,
                refused: 0,
            }],
        });
        let mut out = Vec::new();
        summary(
            &census,
            &Found::default(),
            &example::report(),
            &example::show(&zone, 80),
            &mut out,
        )
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        let object: Value = serde_json::from_str(&text).unwrap();
        for key in "input since until open walsenders connects disconnects refused probes pending peak session_time_ms".split(' ') {
            assert!(object.get(key).is_some(), "{key}");
        }
        assert_eq!(
            sum(&object["disconnects"]["by"]),
            object["disconnects"]["total"]
        );
        assert_eq!(
            sum(&object["refused"]["by_reason"]),
            object["refused"]["connections"]
        );
        for what in ["open", "walsenders", "peak"] {
            for ranking in object[what]["by"].as_object().unwrap().values() {
                assert_eq!(sum(ranking), object[what]["count"], "{what}");
            }
        }
        insta::assert_snapshot!("summary_json", text);
    }

    #[test]
    fn summary_of_nothing_is_null_and_zero() {
        let zone = example::zone();
        let mut out = Vec::new();
        summary(
            &CensusSnapshot::default(),
            &Found::default(),
            &InputReport::default(),
            &example::show(&zone, 80),
            &mut out,
        )
        .unwrap();
        let object: Value = serde_json::from_slice(&out).unwrap();
        for path in [
            "/since",
            "/open/count",
            "/open/by",
            "/peak/count",
            "/peak/at",
            "/session_time_ms/p50",
        ] {
            assert_eq!(object.pointer(path), Some(&Value::Null), "{path}");
        }
        assert_eq!(object["connects"]["total"], json!(0));
    }

    #[test]
    fn names_that_do_not_show_are_escaped_and_read_back() {
        let (zone, mut names) = (example::zone(), CoreNames::default());
        let mut census = example::census(&mut names);
        census.connects_by[0] = example::ranking(&[("\u{202e}a\u{9b}\x1b\n\u{e0041}", 1)]);
        let mut out = Vec::new();
        summary(
            &census,
            &Found::default(),
            &example::report(),
            &example::show(&zone, 80),
            &mut out,
        )
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && is_hidden(c)));
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            object["connects"]["by"]["database"][0]["name"],
            json!("\u{202e}a\u{9b}\x1b\n\u{e0041}")
        );
    }

    #[test]
    fn history_has_the_keys_of_the_contract() {
        let zone = example::zone();
        let mut out = Vec::new();
        history(
            &example::history(),
            &example::report(),
            &example::show(&zone, 80),
            &mut out,
        )
        .unwrap();
        let object: Value = serde_json::from_slice(&out).unwrap();
        for key in "since until bucket_s buckets peak".split(' ') {
            assert!(object.get(key).is_some(), "{key}");
        }
        for bucket in object["buckets"].as_array().unwrap() {
            for key in "start connects disconnects net open_start open_min open_max open_end refused certainty".split(' ') {
                assert!(bucket.get(key).is_some(), "{key}");
            }
        }
        assert_eq!(object["buckets"][1]["net"], json!(-42));
    }
}
