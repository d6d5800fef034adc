//! What a decoder found, a line each, however its log is cut.
//!
//! ```text
//! 30630 received 127.0.0.1:60546
//! 30630 authorized app@shop psql
//! unreadable 120+300 25 fields where csvlog has 23, 24 or 26
//! ```

use pgcensus_log::batch::{Batch, Item};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::event::{Event, EventKind};
use pgcensus_log::format::Format;
use pgcensus_log::record::Client;

/// Decodes a log whole and cut in two at every place; all must give the same.
pub(crate) fn shown(format: &Format, log: &[u8]) -> Vec<String> {
    let decoder = Decoder::new(format.clone());
    let whole = decode(&decoder, log, 0);
    for cut in 0..log.len() {
        let Some(end) = decoder.last_record_end(&log[..cut]) else {
            continue;
        };
        let mut parts = decode(&decoder, &log[..end], 0);
        parts.extend(decode(&decoder, &log[end..], end as u64));
        assert_eq!(
            parts,
            whole,
            "cut at {end} of {}",
            String::from_utf8_lossy(log)
        );
    }
    whole
}

/// Runs a table of logs and what is found in them.
pub(crate) fn check(format: &Format, rows: &[(&str, &[&str])]) {
    for (log, expected) in rows {
        assert_eq!(shown(format, log.as_bytes()), *expected, "{log}");
    }
}

/// Decodes a chunk that lies at `base`.
pub(crate) fn decode(decoder: &Decoder, log: &[u8], base: u64) -> Vec<String> {
    let mut batch = Batch::default();
    decoder.decode(log, base, &mut batch);
    let items = batch.items.iter().map(|item| match item {
        Item::Event(event, _) => show(&batch.event(event)),
        Item::Unmatched { offset, record, .. } => {
            format!("unmatched {offset} {}", text(batch.text(*record)))
        }
        Item::Unreadable(span, _) => {
            format!("unreadable {}+{} {}", span.offset, span.len, span.why)
        }
    });
    items.collect()
}

fn show(event: &Event<&[u8]>) -> String {
    let names = |user: &[u8], database: Option<&[u8]>| {
        let database = database.map_or_else(String::new, |database| format!("@{}", text(database)));
        format!("{}{database}", text(user))
    };
    let what = match &event.kind {
        EventKind::Received { client } => format!("received {}", show_client(*client)),
        EventKind::Authenticated {
            identity, method, ..
        } => format!(
            "authenticated {} {}",
            identity.map_or_else(|| "-".to_owned(), text),
            text(method)
        ),
        EventKind::Authorized {
            replication,
            user,
            database,
            application_name,
            tls,
        } => {
            let application_name =
                application_name.map_or_else(String::new, |name| format!(" {}", text(name)));
            format!(
                "authorized {}{application_name}{}{}",
                names(user, *database),
                if tls.is_some() { " tls" } else { "" },
                if *replication { " walsender" } else { "" }
            )
        }
        EventKind::Ready { setup_us } => format!("ready {setup_us} us"),
        EventKind::Disconnected {
            session_time_ms,
            user,
            database,
            client,
        } => format!(
            "disconnected {session_time_ms} ms {} {}",
            names(user, *database),
            show_client(*client)
        ),
        EventKind::Refused { reason, user, .. } => format!(
            "refused {}{}",
            reason.as_str(),
            user.map_or_else(String::new, |user| format!(" {}", text(user)))
        ),
        EventKind::Probe { reason } => format!("probe {}", reason.as_str()),
        EventKind::CancelRequest => "cancel request".to_owned(),
        EventKind::Ending { reason, .. } => format!("ending {}", reason.as_str()),
        EventKind::Server(server) => format!("{server:?}"),
        EventKind::Setting { name, value } => format!(
            "setting {} {}",
            text(name),
            value.map_or_else(|| "-".to_owned(), text)
        ),
    };
    let sqlstate = event.sqlstate.filter(|code| code.as_str() != "00000");
    let sqlstate = sqlstate.map_or_else(String::new, |code| format!(" {}", code.as_str()));
    let pid = event
        .pid
        .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    format!("{pid} {what}{sqlstate}")
}

fn show_client(client: Client<&[u8]>) -> String {
    match client.port {
        Some(port) => format!("{}:{}", text(client.host), text(port)),
        None => text(client.host),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
