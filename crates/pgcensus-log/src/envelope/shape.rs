//! Envelopes in JSON: which one an object is, by its keys, and what it says.
//!
//! ```text
//! Docker json-file  {"log":"… LOG:  …\n","stream":"stderr","time":"2026-11-23T05:28:06.794944077Z"}
//! journald          {"__REALTIME_TIMESTAMP":"1795411965839000","_HOSTNAME":"db01","_SYSTEMD_UNIT":"postgresql.service","MESSAGE":"…",…}
//! CloudNativePG     {"level":"info","ts":"…","logger":"postgres","logging_pod":"cluster-1","record":{"log_time":"…",…}}
//! Cloud Logging     {"textPayload":"…","resource":{"labels":{"database_id":"proj:inst"}},"timestamp":"…",…}
//! CloudWatch        {"events":[{"timestamp":1715680800000,"message":"…","ingestionTime":…}]}, with "logStreamName" or around all "logStream"
//! Azure             {"properties":{"message":"…","processId":2046,…},"resourceId":"/SUBSCRIPTIONS/…","time":"…"}
//! Elastic           {"@timestamp":"…","message":"…","host":{"name":"db01"},…}, also below "_source"
//! Supabase          {"event_message":"…","timestamp":…,"metadata":[{"parsed":[{"error_severity":"LOG",…}]}]}
//! ```
//!
//! What this rests on: Docker's json-file log driver; `systemd.journal-fields(7)`, and `journald` as Docker's log driver;
//! CloudNativePG's documentation of its logging; Google's `LogEntry`; the CLI and subscription formats of CloudWatch Logs;
//! Azure's documentation of the category `PostgreSQLLogs`, and of Single Server's before it; the Elastic Common Schema;
//! Logflare's schema of Supabase's logs. No real file of a cloud was at hand.

use super::columns::Columns;
use super::export;
use super::idents::Idents;
use super::json::{self, Value};
use super::stamp::Stamp;
use super::{Entry, Kind, Piece};

/// What an object is.
pub(super) fn kind_of(header: &[u8], object: &[u8]) -> Option<Kind> {
    let mut keys = Keys::default();
    json::walk(object, |path, _| keys.see(path));
    let keys = keys;
    if keys.error_severity && keys.pid {
        // jsonlog itself.
        return None;
    }
    Some(if keys.journal && keys.journal_message {
        Kind::Journal
    } else if keys.logger && (keys.record || keys.pod) {
        Kind::CloudNativePg
    } else if keys.log && (keys.stream || keys.kubernetes) {
        Kind::Docker
    } else if keys.text_payload {
        Kind::CloudLogging
    } else if keys.azure {
        Kind::Azure
    } else if keys.event_message {
        Kind::Supabase
    } else if keys.message && keys.at_timestamp {
        Kind::Elastic
    } else if keys.message && keys.timestamp && (keys.ingestion || keys.id || !header.is_empty()) {
        Kind::CloudWatch
    } else {
        return None;
    })
}

/// Which keys an object has.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key")]
struct Keys {
    error_severity: bool,
    pid: bool,
    journal: bool,
    journal_message: bool,
    logger: bool,
    record: bool,
    pod: bool,
    log: bool,
    stream: bool,
    kubernetes: bool,
    text_payload: bool,
    azure: bool,
    event_message: bool,
    message: bool,
    at_timestamp: bool,
    ingestion: bool,
    id: bool,
    timestamp: bool,
}

impl Keys {
    fn see(&mut self, path: &[&[u8]]) {
        let flag = match inner(path) {
            [b"error_severity"] => &mut self.error_severity,
            [b"pid"] => &mut self.pid,
            [b"__REALTIME_TIMESTAMP" | b"_HOSTNAME"] => &mut self.journal,
            [b"MESSAGE"] => &mut self.journal_message,
            [b"logger"] => &mut self.logger,
            [b"record", ..] => &mut self.record,
            [b"logging_pod"] => &mut self.pod,
            [b"log"] => &mut self.log,
            [b"stream" | b"time"] => &mut self.stream,
            [b"kubernetes", ..] => &mut self.kubernetes,
            [b"textPayload"] => &mut self.text_payload,
            [b"properties", b"message"] | [b"Message"] => &mut self.azure,
            [b"event_message"] => &mut self.event_message,
            [b"message"] => &mut self.message,
            [b"@timestamp"] => &mut self.at_timestamp,
            [b"ingestionTime" | b"logStreamName"] => &mut self.ingestion,
            [b"id"] => &mut self.id,
            [b"timestamp"] => &mut self.timestamp,
            _ => return,
        };
        *flag = true;
    }
}

/// The path below what is around all of an object: Elasticsearch's `_source`, the `jsonPayload` of an entry that was
/// JSON already.
fn inner<'p, 'k>(path: &'p [&'k [u8]]) -> &'p [&'k [u8]] {
    match path {
        [b"_source" | b"jsonPayload", rest @ ..] => rest,
        path => path,
    }
}

/// What one object says, its scalars as they stand there.
#[derive(Default)]
struct Said<'j> {
    text: Option<Value<'j>>,
    stamp: Option<Value<'j>>,
    pid: Option<Value<'j>>,
    /// Of the parts of the name: the first known is the most telling.
    names: [Option<Value<'j>>; 3],
    unit: Option<Value<'j>>,
    label: Option<Value<'j>>,
    prefix: Option<Value<'j>>,
    detail: Option<Value<'j>>,
    is_part: bool,
    is_stdout: bool,
}

/// Reads an object, and what stands before the list that it is of: false where it is not the server's.
pub(super) fn read(
    kind: Kind,
    header: &[u8],
    object: &[u8],
    idents: &mut Idents,
    entry: &mut Entry,
) -> bool {
    match kind {
        Kind::CloudNativePg => read_record(object, entry),
        Kind::Supabase => read_parsed(object, entry),
        _ => read_text(kind, header, object, idents, entry),
    }
}

fn read_text(
    kind: Kind,
    header: &[u8],
    object: &[u8],
    idents: &mut Idents,
    entry: &mut Entry,
) -> bool {
    let mut said = Said::default();
    if kind == Kind::CloudWatch {
        json::walk(header, |path, value| said.hear_cloudwatch(path, value));
    }
    // What is no UTF-8 journald writes as a list of bytes.
    let bytes = &mut entry.text;
    json::walk(object, |path, value| match kind {
        Kind::Docker => said.hear_docker(path, value),
        Kind::Journal => {
            if let ([b"MESSAGE"], Value::Bare(_)) = (path, value) {
                bytes.extend(value.number().and_then(|byte| u8::try_from(byte).ok()));
            } else {
                said.hear_journal(path, value);
            }
        }
        Kind::CloudLogging => said.hear_cloud_logging(path, value),
        Kind::Azure => said.hear_azure(path, value),
        Kind::CloudWatch => said.hear_cloudwatch(path, value),
        _ => said.hear_elastic(path, value),
    });
    entry.stamp = said.stamp.and_then(stamp);
    entry.pid = said.pid.and_then(|pid| u32::try_from(pid.number()?).ok());
    entry.piece = Piece::Message;
    said.name(kind, entry);
    if kind == Kind::Azure {
        return said.write_azure(entry);
    }
    match said.text {
        Some(text) => text.append_to(&mut entry.text),
        None if entry.text.is_empty() => return false,
        None => {}
    }
    match kind {
        Kind::Docker => {
            let is_whole = entry.text.pop_if(|last| *last == b'\n').is_some();
            entry.piece = Piece::of_line(is_whole, !said.is_stdout);
        }
        Kind::Journal => return said.is_journal_of_server(idents, entry),
        _ => {}
    }
    true
}

impl<'j> Said<'j> {
    fn hear_docker(&mut self, path: &[&[u8]], value: Value<'j>) {
        match path {
            [b"log"] => self.text = Some(value),
            [b"stream"] => self.is_stdout = value == Value::Text(b"stdout"),
            [b"time" | b"@timestamp" | b"date"] => self.stamp = Some(value),
            [b"kubernetes", b"pod_name"] => self.names[0] = Some(value),
            _ => {}
        }
    }

    fn hear_journal(&mut self, path: &[&[u8]], value: Value<'j>) {
        match path {
            [b"MESSAGE"] => self.text = Some(value),
            [b"__REALTIME_TIMESTAMP"] => self.stamp = Some(value),
            [b"SYSLOG_PID"] => self.pid = Some(value),
            [b"_PID"] => self.pid = self.pid.or(Some(value)),
            [b"_HOSTNAME"] => self.names[0] = Some(value),
            [b"CONTAINER_NAME"] => self.unit = Some(value),
            [b"_SYSTEMD_UNIT"] => self.unit = self.unit.or(Some(value)),
            [b"SYSLOG_IDENTIFIER"] => self.label = Some(value),
            [b"CONTAINER_PARTIAL_MESSAGE"] => self.is_part = value == Value::Text(b"true"),
            _ => {}
        }
    }

    fn hear_cloud_logging(&mut self, path: &[&[u8]], value: Value<'j>) {
        match path {
            [b"textPayload"] => self.text = Some(value),
            [b"timestamp"] => self.stamp = Some(value),
            [b"resource", b"labels", b"database_id"] => self.names[0] = Some(value),
            [b"resource", b"labels", b"pod_name"] => self.names[1] = Some(value),
            [b"resource", b"labels", b"instance_id"] => self.names[2] = Some(value),
            _ => {}
        }
    }

    fn hear_cloudwatch(&mut self, path: &[&[u8]], value: Value<'j>) {
        match path {
            [b"message"] => self.text = Some(value),
            [b"timestamp"] => self.stamp = Some(value),
            [b"logStreamName" | b"logStream"] => self.names[0] = Some(value),
            _ => {}
        }
    }

    fn hear_azure(&mut self, path: &[&[u8]], value: Value<'j>) {
        match path {
            [b"properties", b"message"] | [b"Message"] => self.text = Some(value),
            [b"time" | b"TimeGenerated"] => self.stamp = Some(value),
            [b"properties", b"processId"] | [b"ProcessId"] => self.pid = Some(value),
            [b"properties", b"errorLevel"] | [b"ErrorLevel"] => self.label = Some(value),
            [b"properties", b"prefix"] => self.prefix = Some(value),
            [b"properties", b"detail"] => self.detail = Some(value),
            [b"LogicalServerName"] => self.names[0] = Some(value),
            [b"resourceId" | b"_ResourceId"] => self.names[1] = Some(value),
            _ => {}
        }
    }

    fn hear_elastic(&mut self, path: &[&[u8]], value: Value<'j>) {
        match inner(path) {
            [b"message"] => self.text = Some(value),
            [b"@timestamp"] => self.stamp = Some(value),
            [b"kubernetes", b"pod", b"name"] => self.names[0] = Some(value),
            [b"host", b"name"] | [b"host"] => self.names[1] = Some(value),
            [b"agent", b"name" | b"hostname"] => self.names[2] = Some(value),
            _ => {}
        }
    }

    /// The server's name as the envelope has it.
    fn name(&self, kind: Kind, entry: &mut Entry) {
        let Some(name) = self.names.iter().flatten().next() else {
            return;
        };
        name.append_to(&mut entry.server);
        match kind {
            Kind::Journal | Kind::Export => {
                let unit = self.unit();
                let unit = unit.strip_suffix(b".service").unwrap_or(&unit);
                let unit = unit.strip_prefix(b"postgresql@").unwrap_or(unit);
                if !matches!(unit, b"postgresql" | b"postgres" | b"") {
                    entry.name_unit(unit);
                }
            }
            // /SUBSCRIPTIONS/…/SERVERS/DB01: Azure writes it in capitals, people do not.
            Kind::Azure if entry.server.contains(&b'/') => {
                let from = memchr::memrchr(b'/', &entry.server).map_or(0, |slash| slash + 1);
                entry.server.drain(..from);
                entry.server.make_ascii_lowercase();
            }
            _ => {}
        }
    }

    /// Who wrote an entry of the journal: a container, a unit, or what calls itself so.
    fn unit(&self) -> Vec<u8> {
        let mut unit = Vec::new();
        if let Some(value) = self.unit.or(self.label) {
            value.append_to(&mut unit);
        }
        unit
    }

    fn is_journal_of_server(&self, idents: &mut Idents, entry: &mut Entry) -> bool {
        if self.is_part {
            entry.piece = Piece::of_line(false, !self.is_stdout);
        }
        let unit = self.unit();
        let label = self.label.map(|label| {
            let mut text = Vec::new();
            label.append_to(&mut text);
            text
        });
        unit.starts_with(b"postgresql")
            || label.as_deref() == Some(b"postgres")
            || idents.knows(&unit, &entry.text)
    }

    /// Flexible Server has the whole record, with its prefix and label, as message. Others have prefix and label beside
    /// it, or none.
    fn write_azure(&self, entry: &mut Entry) -> bool {
        let Some(text) = self.text else {
            return false;
        };
        let mut message = Vec::new();
        text.append_to(&mut message);
        let has_label = memchr::memmem::find(&message[..message.len().min(600)], b":  ").is_some();
        if !has_label && let Some(label) = self.label {
            if let Some(prefix) = self.prefix {
                prefix.append_to(&mut entry.text);
            } else {
                if let Some(stamp) = entry.stamp {
                    stamp.write(&mut entry.text);
                    entry.text.push(b' ');
                }
                let pid = entry.pid.unwrap_or(0);
                entry.text.extend_from_slice(format!("[{pid}] ").as_bytes());
            }
            label.append_to(&mut entry.text);
            entry.text.extend_from_slice(b":  ");
        }
        mend_azure(&mut message);
        entry.text.extend_from_slice(&message);
        true
    }
}

/// Single Server altered two messages: `port=38850 pid=3312`, and `user=postgresdatabase=postgres` without the space.
fn mend_azure(message: &mut Vec<u8>) {
    let find = |message: &[u8], what: &[u8]| memchr::memmem::find(message, what);
    if find(message, b"connection received: host=").is_some()
        && let Some(at) = memchr::memmem::rfind(message, b" pid=")
        && message[at + 5..].iter().all(u8::is_ascii_digit)
    {
        message.truncate(at);
    } else if let Some(at) = find(message, b"connection authorized: user=")
        && find(&message[at..], b" database=").is_none()
        && let Some(database) = memchr::memmem::rfind(&message[at..], b"database=")
    {
        message.insert(at + database, b' ');
    }
}

fn stamp(value: Value<'_>) -> Option<Stamp> {
    match value {
        Value::Text(text) if !text.iter().all(u8::is_ascii_digit) => {
            let mut text = text.to_owned();
            // `2024-02-27 22:21:18.690Z` in some exports.
            if let Some(space @ b' ') = text.get_mut(10) {
                *space = b'T';
            }
            Stamp::read_iso(&text).map(|(stamp, _)| stamp)
        }
        number => number.number().map(Stamp::epoch),
    }
}

/// Reads an entry of `journalctl -o export`, which has the fields of its JSON.
pub(super) fn read_export(export: &[u8], idents: &mut Idents, entry: &mut Entry) -> bool {
    let mut said = Said::default();
    export::walk(export, |name, value| {
        said.hear_journal(&[name], Value::Raw(value));
    });
    let Some(text) = said.text else {
        return false;
    };
    text.append_to(&mut entry.text);
    entry.stamp = said.stamp.and_then(stamp);
    entry.pid = said.pid.and_then(|pid| u32::try_from(pid.number()?).ok());
    entry.piece = Piece::Message;
    said.name(Kind::Export, entry);
    said.is_journal_of_server(idents, entry)
}

/// A csvlog record whose columns are keys. Lines that the server wrote before its collector began, and those of other
/// loggers, have no record.
fn read_record(object: &[u8], entry: &mut Entry) -> bool {
    let mut columns = Columns::default();
    let mut is_server = false;
    let name = &mut entry.server;
    json::walk(object, |path, value| match inner(path) {
        [b"record", column] => columns.set(column, value),
        [b"logger"] => is_server = value == Value::Text(b"postgres"),
        [b"logging_pod"] => value.append_to(name),
        _ => {}
    });
    entry.piece = Piece::of_line(true, true);
    is_server && columns.write(&mut entry.text)
}

/// The same below `metadata.parsed`, with the message outside.
fn read_parsed(object: &[u8], entry: &mut Entry) -> bool {
    let mut columns = Columns::default();
    let name = &mut entry.server;
    json::walk(object, |path, value| match path {
        [b"metadata", b"parsed", b"timestamp"] | [b"parsed", b"timestamp"] => {
            columns.set(b"log_time", value);
        }
        [b"metadata", b"parsed", column] | [b"parsed", column] => columns.set(column, value),
        [b"event_message"] => columns.set(b"message", value),
        [b"metadata", b"host"] => value.append_to(name),
        [b"timestamp"] => entry.stamp = stamp(value),
        _ => {}
    });
    entry.piece = Piece::of_line(true, true);
    let stamp = entry.stamp;
    columns.log_time_or(|out| {
        if let Some(stamp) = stamp {
            stamp.write(out);
        }
    });
    columns.write(&mut entry.text)
}
