//! What was done, for the file beside a log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::client::Who;
use super::drive::{Done, Ending};

/// All but what is known of the situation itself.
pub(super) fn truth(done: &Done) -> Map<String, Value> {
    let mut truth = Map::new();
    let mut set = |key: &str, value: Value| truth.insert(key.to_owned(), value);
    set("sessions", done.sessions.len().into());
    let open = done.sessions.iter().filter(|it| it.closed.is_none());
    set("open", open.count().into());
    let (peak, at) = peak(done);
    set("peak", json!({"count": peak, "at": time(at)}));
    let mut ends = BTreeMap::new();
    for (_, ending) in done.sessions.iter().filter_map(|it| it.closed) {
        let name = match ending {
            Ending::Client => "client",
            Ending::Reset => "reset",
            Ending::Server => "server",
        };
        *ends.entry(name).or_insert(0) += 1;
    }
    set("ends", json!(ends));
    let mut refused = BTreeMap::new();
    for it in &done.refused {
        *refused.entry(&*it.sqlstate).or_insert(0) += 1;
    }
    set("refused", json!(refused));
    set("probes", done.probes.into());
    let server = done.server.iter();
    let server: Vec<Value> = server
        .map(|(at, what)| json!({"at": time(*at), "event": what}))
        .collect();
    set("server_events", server.into());
    for (dimension, name) in DIMENSIONS {
        set(dimension, by(done, name));
    }
    truth
}

/// As pgcensus calls them.
const DIMENSIONS: [(&str, fn(&Who) -> &str); 4] = [
    ("application_name", |who| {
        if who.application.is_empty() {
            "unknown"
        } else {
            &who.application
        }
    }),
    ("user", |who| &who.user),
    ("database", |who| &who.database),
    ("client_host", |who| &who.host),
];

/// Of each name: sessions, those still open, attempts refused, and when it was first and last there.
fn by(done: &Done, name: fn(&Who) -> &str) -> Value {
    #[derive(Default)]
    struct Counts {
        sessions: u32,
        open: u32,
        refused: u32,
    }
    let mut names: BTreeMap<&str, Counts> = BTreeMap::new();
    for session in &done.sessions {
        let counts = names.entry(name(&session.who)).or_default();
        counts.sessions += 1;
        counts.open += u32::from(session.closed.is_none());
    }
    for refused in &done.refused {
        names.entry(name(&refused.who)).or_default().refused += 1;
    }
    let names = names.into_iter().map(|(name, it)| {
        let counts = json!({"sessions": it.sessions, "open": it.open, "refused": it.refused});
        (name.to_owned(), counts)
    });
    Value::Object(names.collect())
}

/// The most that were open at once, and since when.
fn peak(done: &Done) -> (i64, Timestamp) {
    let opened = done.sessions.iter().map(|it| (it.opened, 1));
    let closed = done.sessions.iter().filter_map(|it| it.closed);
    let mut changes: Vec<(Timestamp, i64)> = opened.chain(closed.map(|(at, _)| (at, -1))).collect();
    changes.sort_unstable();
    let (mut open, mut peak) = (0, (0, Timestamp::UNIX_EPOCH));
    for (at, change) in changes {
        open += change;
        if open > peak.0 {
            peak = (open, at);
        }
    }
    peak
}

/// To the second: what the driver knows is some milliseconds beside what the server wrote.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
