//! Metrics for Prometheus: one text of all that is counted, in the text format 0.0.4 or in OpenMetrics.
//!
//! ```text
//! Metrics + Facts ─► families (view/metrics/families.rs) ─► OpenMetrics ─► 0.0.4 (view/metrics/classic.rs)
//!
//! # HELP pgcensus_open_sessions Client sessions that are open.
//! # TYPE pgcensus_open_sessions gauge
//! pgcensus_open_sessions{server="main",database="shop",user="app",application_name="web"} 12
//! ```
//!
//! Label names are PostgreSQL's words, units are seconds and bytes. A name that is not known is `unknown` as in `by` of
//! `--json`, invalid UTF-8 is U+FFFD; names that are then the same share a series.

mod classic;
mod families;

use std::collections::BTreeMap;
use std::fmt;

use pgcensus_core::instant::Instant;
use pgcensus_core::metrics::Metrics;
use pgcensus_core::names::Names;
use pgcensus_core::session::ServerId;
use pgcensus_core::snapshot::Certainty;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// The text format 0.0.4: that of node_exporter's textfiles, and what every Prometheus reads.
    Classic,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// What the `Accept` of a request asks for: OpenMetrics only where it is named and no plain text is wanted more.
    pub(crate) fn of_accept(accept: &str) -> Exposition {
        let weight = |kind: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                if !parts.next()?.eq_ignore_ascii_case(kind) {
                    return None;
                }
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
            });
            ranges.fold(0.0, f64::max)
        };
        let open_metrics = weight("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= weight("text/plain") {
            Exposition::OpenMetrics
        } else {
            Exposition::Classic
        }
    }

    /// The `Content-Type` of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Exposition::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What the folds do not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The servers that count.
    pub(crate) servers: Vec<(ServerId, ServerFacts)>,
    /// The last log time that counts, of all servers.
    pub(crate) last: Option<Instant>,
    /// The time of the machine, where logs are followed; `None`: they were read to their ends.
    pub(crate) now: Option<Instant>,
}

/// How far the log of a server was read, and what that tells of it.
#[derive(Clone, Debug)]
pub(crate) struct ServerFacts {
    /// Bytes that were read, decompressed.
    pub(crate) bytes: u64,
    /// Records that said something about a connection, a session or the server.
    pub(crate) events: u64,
    /// Records that could not be read.
    pub(crate) unreadable: u64,
    /// Records that may have been written by a client, and were not believed.
    pub(crate) untrusted: u64,
    /// The log time of its last record.
    pub(crate) last: Option<Instant>,
    /// Connections that were received, not yet authorized, refused or given up.
    pub(crate) pending: u64,
    /// Some line tells how many of its sessions are open.
    pub(crate) tells_open: bool,
    /// Of its open sessions at the end.
    pub(crate) certainty: Certainty,
    /// How many sessions ordinary roles can have at once, where that is known.
    pub(crate) connections_max: Option<u32>,
}

/// All metrics as a text.
pub(crate) fn text(
    metrics: &Metrics,
    names: &Names,
    facts: &Facts,
    exposition: Exposition,
) -> String {
    let mut registry = Registry::default();
    let families = families::all(metrics, names, facts);
    registry.register_collector(Box::new(Exported(families)));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("a string takes all");
    match exposition {
        Exposition::Classic => classic::of_open_metrics(&out),
        Exposition::OpenMetrics => out,
    }
}

/// What is exported under one name.
#[derive(Debug)]
struct Family {
    /// Without the unit, and without what the format adds to it.
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    samples: BTreeMap<Labels, Value>,
}

/// Names of labels are those of the family; none repeats.
type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(f64),
    /// The sum; how many are in each class, with its upper bound.
    Histogram(f64, Vec<(f64, u64)>),
    /// Its labels are what it says.
    Info,
}

#[derive(Debug)]
struct Exported(Vec<Family>);

impl Collector for Exported {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let unit = family.unit.as_ref();
            let mut encoder =
                encoder.encode_descriptor(family.name, family.help, unit, family.kind)?;
            for (labels, value) in &family.samples {
                if let Value::Info = value {
                    encoder.encode_info(labels)?;
                    continue;
                }
                let mut sample = encoder.encode_family(labels)?;
                match value {
                    Value::Counter(count) => {
                        sample.encode_counter::<NoLabelSet, _, u64>(count, None)?;
                    }
                    Value::Gauge(level) => sample.encode_gauge(level)?,
                    Value::Histogram(sum, classes) => {
                        let count = classes.iter().map(|(_, count)| count).sum();
                        sample.encode_histogram::<NoLabelSet>(*sum, count, classes, None)?;
                    }
                    Value::Info => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
