//! What is exported: each family with its name, what it says and its samples.

use std::collections::BTreeMap;

use pgcensus_core::metrics::Metrics;
use pgcensus_core::metrics::histogram::Histogram;
use pgcensus_core::metrics::series::{SERIES_MAX, SessionKey};
use pgcensus_core::metrics::{ServerMetrics, SessionCount, Sessions};
use pgcensus_core::names::{Dimension, NameId, Names};
use pgcensus_core::session::{End, ProbeReason, RefusalReason, ServerId};
use pgcensus_core::snapshot::Certainty;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{Facts, Family, Labels, ServerFacts, Value};

/// Bytes of a name at most; of a longer one its begin is told, and names that begin alike share a series. PostgreSQL's own have 63,
/// and those of hosts 253. But the server logs an `application_name` as long as the client sends it, up to 10,000 bytes: of a
/// thousand series with such names, each scrape would have 20 MB, and Prometheus would keep them.
const NAME_BYTES_MAX: usize = 255;

/// All families, in the order in which they are written.
pub(super) fn all(metrics: &Metrics, names: &Names, facts: &Facts) -> Vec<Family> {
    let exported = Exported {
        metrics,
        names,
        facts,
        nothing: ServerMetrics::default(),
    };
    let mut families = exported.clients();
    families.extend(exported.walsenders());
    families.extend(exported.refusals());
    families.extend(exported.times());
    families.extend(exported.logs());
    families.extend(exported.itself());
    families.retain(|family| !family.samples.is_empty());
    families
}

struct Exported<'m> {
    metrics: &'m Metrics,
    names: &'m Names,
    facts: &'m Facts,
    /// Of servers of which nothing was told.
    nothing: ServerMetrics,
}

impl Exported<'_> {
    fn clients(&self) -> Vec<Family> {
        let clients = self.named(self.metrics.clients());
        let open = clients
            .iter()
            .filter(|(key, _)| self.knows_open(key.0))
            .map(|(key, count)| (key.1.clone(), Value::Gauge(count.open.max(0) as f64)));
        let now = self.facts.now.or(self.facts.last).unwrap_or_default();
        let peaks = self.servers();
        let peaks = peaks.filter(|(_, facts, server)| facts.tells_open && server.knows_open());
        let peaks =
            peaks.map(|(labels, _, server)| (labels, Value::Gauge(server.recent_peak(now) as f64)));
        let most = self.servers().filter_map(|(labels, facts, _)| {
            Some((labels, Value::Gauge(f64::from(facts.connections_max?))))
        });
        vec![
            gauge(
                "pgcensus_open_sessions",
                "Client sessions that are open: authorized, not refused after, not ended.",
                open,
            ),
            gauge(
                "pgcensus_open_sessions_recent_peak",
                "Most client sessions that were open at one instant of the last one to two minutes.",
                peaks,
            ),
            gauge(
                "pgcensus_open_sessions_certainty",
                "How certain the number of open sessions is: 1 for the one that holds.",
                self.certainties(),
            ),
            gauge(
                "pgcensus_connections_max",
                "Sessions that ordinary roles can have at once: max_connections less the reserved slots.",
                most,
            ),
            connects(
                "pgcensus_connects",
                "Client sessions that opened.",
                &clients,
            ),
            taken_back(
                "pgcensus_connects_taken_back",
                "Client sessions that were counted as connects and refused later.",
                &clients,
            ),
            counter(
                "pgcensus_disconnects",
                "Client sessions that ended, by how.",
                self.by_end(|server| server.disconnects),
            ),
        ]
    }

    fn walsenders(&self) -> Vec<Family> {
        let walsenders = self.named(self.metrics.walsenders());
        let open = walsenders
            .iter()
            .filter(|(key, _)| self.knows_open(key.0))
            .map(|(key, count)| (key.1.clone(), Value::Gauge(count.open.max(0) as f64)));
        vec![
            gauge(
                "pgcensus_open_walsenders",
                "Replication connections that are open.",
                open,
            ),
            connects(
                "pgcensus_walsender_connects",
                "Replication connections that opened.",
                &walsenders,
            ),
            taken_back(
                "pgcensus_walsender_connects_taken_back",
                "Replication connections that were counted as connects and refused later.",
                &walsenders,
            ),
            counter(
                "pgcensus_walsender_disconnects",
                "Replication connections that ended, by how.",
                self.by_end(|server| server.walsender_disconnects),
            ),
        ]
    }

    fn refusals(&self) -> Vec<Family> {
        let (series, _) = self.metrics.refused_connections();
        let mut connections: BTreeMap<Labels, u64> = BTreeMap::new();
        for (key, count) in series.iter() {
            let name = |dimension, id| self.name(dimension, id);
            let labels = vec![
                ("server", self.server(key.server)),
                ("reason", key.reason.as_str().to_owned()),
                ("user", name(Dimension::User, key.user)),
                ("database", name(Dimension::Database, key.database)),
                ("client_host", name(Dimension::ClientHost, key.client_host)),
            ];
            *connections.entry(labels).or_default() += count;
        }
        let connections = connections.into_iter();
        // All of them, also those that never came: what appears with its first count has not risen for Prometheus.
        let attempts = self.servers().flat_map(|(labels, _, server)| {
            let reasons = RefusalReason::ALL.iter().zip(server.refused_attempts);
            reasons.map(move |(reason, count)| {
                let labels = with(&labels, "reason", reason.as_str());
                (labels, Value::Counter(count))
            })
        });
        let probes = self.servers().flat_map(|(labels, _, server)| {
            let reasons = ProbeReason::ALL.iter().zip(server.probes);
            reasons.map(move |(reason, count)| {
                let labels = with(&labels, "reason", reason.as_str());
                (labels, Value::Counter(count))
            })
        });
        let pending = self.servers();
        let pending =
            pending.map(|(labels, facts, _)| (labels, Value::Gauge(facts.pending as f64)));
        vec![
            counter(
                "pgcensus_refused_connections",
                "Connections that were refused, by reason and by whom.",
                connections.map(|(labels, count)| (labels, Value::Counter(count))),
            ),
            counter(
                "pgcensus_refused_attempts",
                "Attempts to connect that were refused, by reason: a retry of libpq with or without TLS is not another.",
                attempts,
            ),
            counter(
                "pgcensus_probes",
                "Connections that were received and never more than that: health checks, port scans.",
                probes,
            ),
            gauge(
                "pgcensus_pending_connections",
                "Connections that were received, and neither authorized nor refused yet.",
                pending,
            ),
        ]
    }

    fn times(&self) -> Vec<Family> {
        let sessions = self.servers();
        let sessions =
            sessions.map(|(labels, _, server)| (labels, histogram(&server.session_time, 1e3)));
        let setups = self.servers();
        let setups = setups.map(|(labels, _, server)| (labels, histogram(&server.setup_time, 1e6)));
        let seconds = |name, help, samples: BTreeMap<Labels, Value>| Family {
            name,
            help,
            unit: Some(Unit::Seconds),
            kind: MetricType::Histogram,
            samples,
        };
        vec![
            seconds(
                "pgcensus_session_time",
                "How long client sessions were that ended.",
                sessions.collect(),
            ),
            seconds(
                "pgcensus_setup_time",
                "How long it took client sessions from connection received to connection authorized.",
                setups.collect(),
            ),
        ]
    }

    fn logs(&self) -> Vec<Family> {
        let of_logs = |count: fn(&ServerFacts) -> u64| {
            let servers = self.servers();
            servers.map(move |(labels, facts, _)| (labels, Value::Counter(count(facts))))
        };
        let last = self.servers().filter_map(|(labels, facts, _)| {
            Some((labels, Value::Gauge(facts.last?.0 as f64 / 1e3)))
        });
        let lag = self.servers().filter_map(|(labels, facts, _)| {
            let ms = self.facts.now?.since(facts.last?).max(0);
            Some((labels, Value::Gauge(ms as f64 / 1e3)))
        });
        vec![
            Family {
                unit: Some(Unit::Bytes),
                ..counter(
                    "pgcensus_read",
                    "Bytes of logs that were read, decompressed.",
                    of_logs(|facts| facts.bytes),
                )
            },
            counter(
                "pgcensus_events",
                "Records that said something about a connection, a session or the server.",
                of_logs(|facts| facts.events),
            ),
            counter(
                "pgcensus_unreadable_records",
                "Records that could not be read.",
                of_logs(|facts| facts.unreadable),
            ),
            counter(
                "pgcensus_untrusted_records",
                "Records that may have been written by a client, and were not believed.",
                of_logs(|facts| facts.untrusted),
            ),
            Family {
                unit: Some(Unit::Seconds),
                ..gauge(
                    "pgcensus_last_record_timestamp",
                    "Log time of the last record, since the epoch.",
                    last,
                )
            },
            Family {
                unit: Some(Unit::Seconds),
                ..gauge(
                    "pgcensus_lag",
                    "How long ago the last record was logged; a server that has nothing to say lags too.",
                    lag,
                )
            },
        ]
    }

    fn itself(&self) -> Vec<Family> {
        let (clients, walsenders) = (self.metrics.clients(), self.metrics.walsenders());
        let (refused, refused_elsewhere) = self.metrics.refused_connections();
        let families = [
            ("sessions", clients.series.kept(), clients.elsewhere),
            ("walsenders", walsenders.series.kept(), walsenders.elsewhere),
            ("refused_connections", refused.kept(), refused_elsewhere),
        ];
        let of = |family: &str| vec![("family", family.to_owned())];
        let kept = families.map(|(family, kept, _)| (of(family), Value::Gauge(kept as f64)));
        let most = families.map(|(family, ..)| (of(family), Value::Gauge(SERIES_MAX as f64)));
        let elsewhere = families.map(|(family, _, n)| (of(family), Value::Counter(n)));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        vec![
            gauge("pgcensus_series", "Series that have all their names.", kept),
            gauge(
                "pgcensus_series_max",
                "How many of these there can be; what comes later is counted as (other).",
                most,
            ),
            counter(
                "pgcensus_counted_as_other",
                "Connects and refused connections some of whose names are counted as (other), for want of room.",
                elsewhere,
            ),
            Family {
                name: "pgcensus_build",
                help: "The version of pgcensus.",
                unit: None,
                kind: MetricType::Info,
                samples: [(vec![("version", version)], Value::Info)].into(),
            },
        ]
    }

    /// Counts by the texts of their names, with the server, and their labels.
    fn named(&self, sessions: &Sessions) -> BTreeMap<(ServerId, Labels), SessionCount> {
        let mut named: BTreeMap<_, SessionCount> = BTreeMap::new();
        for (key, count) in sessions.series.iter() {
            let sum = named.entry((key.server, self.labels(key))).or_default();
            sum.open += count.open;
            sum.connects += count.connects;
            sum.taken_back += count.taken_back;
        }
        named
    }

    fn labels(&self, key: &SessionKey) -> Labels {
        let application = self.name(Dimension::ApplicationName, key.application_name);
        vec![
            ("server", self.server(key.server)),
            ("database", self.name(Dimension::Database, key.database)),
            ("user", self.name(Dimension::User, key.user)),
            ("application_name", application),
        ]
    }

    fn name(&self, dimension: Dimension, id: NameId) -> String {
        let text = self.names.text_of(dimension, id);
        let mut name = String::from_utf8_lossy(text).into_owned();
        if name.len() > NAME_BYTES_MAX {
            let mut ends = (0..=NAME_BYTES_MAX).rev();
            name.truncate(ends.find(|&end| name.is_char_boundary(end)).unwrap_or(0));
            name.push('…');
        }
        name
    }

    fn server(&self, server: ServerId) -> String {
        self.name(Dimension::Server, server.into())
    }

    fn of_server(&self, server: ServerId) -> &ServerMetrics {
        self.metrics.server(server).unwrap_or(&self.nothing)
    }

    fn knows_open(&self, server: ServerId) -> bool {
        let mut servers = self.facts.servers.iter();
        let facts = servers.find(|&&(id, _)| id == server);
        let tells_open = facts.is_none_or(|(_, facts)| facts.tells_open);
        tells_open && self.of_server(server).knows_open()
    }

    /// Those that count, each with its label.
    fn servers(&self) -> impl Iterator<Item = (Labels, &ServerFacts, &ServerMetrics)> {
        self.facts.servers.iter().map(|(server, facts)| {
            let labels = vec![("server", self.server(*server))];
            (labels, facts, self.of_server(*server))
        })
    }

    fn by_end(
        &self,
        counts: fn(&ServerMetrics) -> [u64; End::ALL.len()],
    ) -> impl Iterator<Item = (Labels, Value)> {
        self.servers().flat_map(move |(labels, _, server)| {
            End::ALL
                .into_iter()
                .zip(counts(server))
                .map(move |(end, count)| {
                    (with(&labels, "end", end.as_str()), Value::Counter(count))
                })
        })
    }

    fn certainties(&self) -> impl Iterator<Item = (Labels, Value)> {
        self.servers().flat_map(|(labels, facts, server)| {
            let knows_open = facts.tells_open && server.knows_open();
            let holds = match (knows_open, server.missed_some()) {
                (false, _) => Certainty::Unknown,
                (true, true) => facts.certainty.and(Certainty::AtLeast),
                (true, false) => facts.certainty,
            };
            let all = [
                Certainty::Exact,
                Certainty::AtLeast,
                Certainty::AtMost,
                Certainty::Unknown,
            ];
            all.map(move |certainty| {
                let labels = with(&labels, "certainty", certainty.as_str());
                (
                    labels,
                    Value::Gauge(f64::from(u8::from(certainty == holds))),
                )
            })
        })
    }
}

fn connects(
    name: &'static str,
    help: &'static str,
    sessions: &BTreeMap<(ServerId, Labels), SessionCount>,
) -> Family {
    let samples = sessions.iter();
    let samples =
        samples.map(|((_, labels), count)| (labels.clone(), Value::Counter(count.connects)));
    counter(name, help, samples)
}

/// Of those of which any was: there hardly ever is one.
fn taken_back(
    name: &'static str,
    help: &'static str,
    sessions: &BTreeMap<(ServerId, Labels), SessionCount>,
) -> Family {
    let samples = sessions.iter().filter(|(_, count)| count.taken_back > 0);
    let samples =
        samples.map(|((_, labels), count)| (labels.clone(), Value::Counter(count.taken_back)));
    counter(name, help, samples)
}

fn counter(
    name: &'static str,
    help: &'static str,
    samples: impl IntoIterator<Item = (Labels, Value)>,
) -> Family {
    Family {
        name,
        help,
        unit: None,
        kind: MetricType::Counter,
        samples: samples.into_iter().collect(),
    }
}

fn gauge(
    name: &'static str,
    help: &'static str,
    samples: impl IntoIterator<Item = (Labels, Value)>,
) -> Family {
    Family {
        kind: MetricType::Gauge,
        ..counter(name, help, samples)
    }
}

/// Times that are counted in parts of a second, of which one has so many.
fn histogram(times: &Histogram, parts: f64) -> Value {
    let classes = times.classes().map(|(bound, count)| {
        let bound = bound.map_or(f64::INFINITY, |bound| bound as f64 / parts);
        (bound, count)
    });
    Value::Histogram(times.sum() as f64 / parts, classes.collect())
}

/// These labels and one more.
fn with(labels: &Labels, name: &'static str, text: &str) -> Labels {
    let mut labels = labels.clone();
    labels.push((name, text.to_owned()));
    labels
}
