//! What others make of a server's log: each function writes the lines of a recorded log as one of them does, from its
//! documentation. Nothing here knows how they are read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A record of a log: who wrote it, when, and its physical lines.
pub(crate) struct Record {
    pub(crate) pid: u32,
    /// `2026-11-23T05:16:38.743`
    pub(crate) at: String,
    pub(crate) lines: Vec<Vec<u8>>,
}

/// A recorded log.
pub(crate) struct Recording {
    pub(crate) records: Vec<Record>,
    /// Its prefix has a time; else those of the records are made up.
    pub(crate) has_time: bool,
    /// Likewise.
    pub(crate) has_pid: bool,
    pub(crate) text: Vec<u8>,
}

/// What an envelope has beside the text.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Knows {
    Nothing,
    Time,
    /// And time.
    Process,
}

/// What is labelled, in the languages of the recorded logs; a line with one of these goes on the record before it.
const FURTHER: [&str; 20] = [
    "DETAIL",
    "HINT",
    "STATEMENT",
    "CONTEXT",
    "QUERY",
    "LOCATION",
    "BACKTRACE",
    "TIPP",
    "ANWEISUNG",
    "ZUSAMMENHANG",
    "ANFRAGE",
    "DETALLE",
    "SENTENCIA",
    "CONTEXTO",
    "DÉTAIL",
    "INSTRUCTION ",
    "詳細",
    "文",
    "ПОДРОБНОСТИ",
    "ОПЕРАТОР",
];
const SEVERITIES: [&str; 13] = [
    "LOG",
    "FATAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "PANIC",
    "FEHLER",
    "WARNUNG",
    "ERREUR",
    "SOOBSHHENIE",
    "СООБЩЕНИЕ",
    "ВАЖНО",
    "ОШИБКА",
];

/// What stands before the label of a line, and whether that begins a record.
fn head(line: &[u8]) -> Option<(&[u8], bool)> {
    if line.starts_with(b"\t") {
        return None;
    }
    let mut colons = memchr::memchr_iter(b':', line).filter(|&at| line[at + 1..].starts_with(b" "));
    colons.find_map(|at| {
        let ends_in = |labels: &[&str]| {
            let label = labels
                .iter()
                .find(|label| line[..at].ends_with(label.as_bytes()))?;
            Some(&line[..at - label.len()])
        };
        let further = ends_in(&FURTHER).map(|head| (head, false));
        further.or_else(|| Some((ends_in(&SEVERITIES)?, true)))
    })
}

/// `2026-11-23T05:16:38.743` of a prefix, whatever its zone.
fn time_in(head: &str) -> Option<String> {
    let is_time = |text: &&[u8]| {
        let shape = text
            .iter()
            .map(|b| if b.is_ascii_digit() { b'0' } else { *b });
        shape.eq(*b"0000-00-00 00:00:00")
    };
    if let Some(at) = head.as_bytes().windows(19).position(|text| is_time(&text)) {
        let fraction = &head[at + 19..];
        let fraction = if fraction.starts_with('.') {
            &fraction[..4]
        } else {
            ".000"
        };
        return Some(format!(
            "{}T{}{fraction}",
            &head[at..at + 10],
            &head[at + 11..at + 19]
        ));
    }
    let (seconds, rest) = head.split_once('.')?;
    let ms = seconds.parse::<i64>().ok()? * 1000 + rest.get(..3)?.parse::<i64>().ok()?;
    let at = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

/// The number in `[123]`, `|123|` or, in hexadecimal, in the session id of `UTC-6b03cf69.7e93-`.
fn pid_in(head: &str) -> Option<u32> {
    let in_brackets = || {
        head.split('[')
            .skip(1)
            .find_map(|rest| rest.split_once(']')?.0.parse().ok())
    };
    let in_pipes = || head.split('|').nth(1)?.parse().ok();
    let of_session = || {
        let (_, id) = head.strip_suffix('-')?.rsplit_once('.')?;
        u32::from_str_radix(id, 16).ok()
    };
    in_brackets().or_else(in_pipes).or_else(of_session)
}

/// A time in a log that has none.
fn made_up(record: usize) -> String {
    format!(
        "2026-11-23T{:02}:{:02}:{:02}.000",
        5 + record / 3600,
        record / 60 % 60,
        record % 60
    )
}

/// Splits a stderr log into its records. What has no label is nobody's record but its own, such as what a shell says.
pub(crate) fn recording(text: Vec<u8>) -> Recording {
    let mut records: Vec<Record> = Vec::new();
    let (mut has_time, mut has_pid) = (false, false);
    for line in text
        .strip_suffix(b"\n")
        .unwrap_or(&text)
        .split(|b| *b == b'\n')
    {
        let head = head(line);
        let goes_on =
            line.is_empty() || line.starts_with(b"\t") || matches!(head, Some((_, false)));
        if let (true, Some(record)) = (goes_on, records.last_mut()) {
            record.lines.push(line.to_owned());
            continue;
        }
        let head = head.map(|(head, _)| String::from_utf8_lossy(head));
        let at = head.as_deref().and_then(time_in);
        let pid = head.as_deref().and_then(pid_in);
        has_time |= at.is_some();
        has_pid |= pid.is_some();
        let before = records.last();
        let at = at.or_else(|| before.filter(|_| has_time).map(|before| before.at.clone()));
        records.push(Record {
            pid: pid.unwrap_or(7),
            at: at.unwrap_or_else(|| made_up(records.len())),
            lines: vec![line.to_owned()],
        });
    }
    Recording {
        records,
        has_time,
        has_pid,
        text,
    }
}

/// A log of any format whose physical lines are wrapped one by one.
pub(crate) fn by_lines(text: Vec<u8>) -> Recording {
    let lines = text
        .strip_suffix(b"\n")
        .unwrap_or(&text)
        .split(|b| *b == b'\n');
    let records = lines.map(|line| Record {
        pid: 7,
        at: "2026-11-23T05:28:06.794".to_owned(),
        lines: vec![line.to_owned()],
    });
    Recording {
        records: records.collect(),
        has_time: true,
        has_pid: true,
        text,
    }
}

impl Recording {
    /// What comes out of an envelope: what the server's prefix lacks and the envelope has is added.
    pub(crate) fn completed(&self, knows: Knows) -> Vec<u8> {
        let knows_pid = knows == Knows::Process;
        if knows == Knows::Nothing || self.has_time && (self.has_pid || !knows_pid) {
            return self.text.clone();
        }
        let mut out = Vec::new();
        for record in &self.records {
            for line in &record.lines {
                if !line.starts_with(b"\t") {
                    if !self.has_time {
                        out.extend(format!("{} UTC ", record.at.replace('T', " ")).into_bytes());
                    }
                    if !self.has_pid && knows_pid {
                        out.extend(format!("[{}] ", record.pid).into_bytes());
                    }
                }
                out.extend_from_slice(line);
                out.push(b'\n');
            }
        }
        out
    }
}

/// One message to syslog, numbered as `write_syslog` in the server's `elog.c` does.
pub(crate) struct Message {
    pub(crate) pid: u32,
    pub(crate) at: String,
    pub(crate) text: Vec<u8>,
}

/// `syslog_split_messages` and `syslog_sequence_numbers`.
#[derive(Clone, Copy)]
pub(crate) struct Syslog {
    pub(crate) split: bool,
    pub(crate) numbers: bool,
}

/// What the server sends to syslog; messages of two records in a row by two processes come in turns.
pub(crate) fn messages(records: &[Record], how: Syslog) -> Vec<Message> {
    let mut all: Vec<Vec<Message>> = Vec::new();
    // Each process counts its own.
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for record in records {
        let n = counts.entry(record.pid).or_default();
        *n += 1;
        let message = |text: Vec<u8>| Message {
            pid: record.pid,
            at: record.at.clone(),
            text,
        };
        if !how.split {
            let mut text = if how.numbers {
                format!("[{n}] ")
            } else {
                String::new()
            }
            .into_bytes();
            text.extend(record.lines.join(&b'\n'));
            all.push(vec![message(text)]);
            continue;
        }
        let mut chunks = Vec::new();
        for line in &record.lines {
            let mut rest = &line[..];
            while !rest.is_empty() {
                let mut len = rest.len().min(900);
                while len > 0 && len < rest.len() && rest[len] & 0xc0 == 0x80 {
                    len -= 1;
                }
                if len < rest.len() && !rest[len].is_ascii_whitespace() {
                    let space = rest[..len].iter().rposition(u8::is_ascii_whitespace);
                    len = space.filter(|at| *at > 0).unwrap_or(len);
                }
                let m = chunks.len() + 1;
                let mut text = if how.numbers {
                    format!("[{n}-{m}] ")
                } else {
                    format!("[{m}] ")
                }
                .into_bytes();
                text.extend_from_slice(&rest[..len]);
                chunks.push(message(text));
                rest = &rest[len..];
            }
        }
        all.push(chunks);
    }
    // Two by two, in turns; the first of each in the order of their records.
    let mut out = Vec::new();
    let mut all = all.into_iter().peekable();
    while let Some(first) = all.next() {
        let second = all
            .next_if(|next| first[0].pid != next[0].pid)
            .unwrap_or_default();
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        loop {
            let pair = [first.next(), second.next()];
            if pair.iter().all(Option::is_none) {
                break;
            }
            out.extend(pair.into_iter().flatten());
        }
    }
    out
}

/// As rsyslog writes control characters.
fn octal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &b in text {
        if b < 32 || b == 127 {
            out.extend(format!("#{b:03o}").into_bytes());
        } else {
            out.push(b);
        }
    }
    out
}

fn lines(all: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for line in all {
        out.extend(line);
        out.push(b'\n');
    }
    out
}

fn joined(head: String, text: &[u8]) -> Vec<u8> {
    [head.into_bytes(), text.to_vec()].concat()
}

/// `Nov 23 05:16:38`
fn rfc3164_time(at: &str) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month: usize = at[5..7].parse().expect("a month");
    let day: u32 = at[8..10].parse().expect("a day");
    format!("{} {day:2} {}", MONTHS[month - 1], &at[11..19])
}

pub(crate) fn rfc3164(messages: &[Message], host: &str, ident: &str) -> Vec<u8> {
    lines(messages.iter().map(|m| {
        joined(
            format!("{} {host} {ident}[{}]: ", rfc3164_time(&m.at), m.pid),
            &octal(&m.text),
        )
    }))
}

pub(crate) fn iso(messages: &[Message], host: &str) -> Vec<u8> {
    lines(messages.iter().map(|m| {
        joined(
            format!("{}456+00:00 {host} postgres[{}]: ", m.at, m.pid),
            &octal(&m.text),
        )
    }))
}

/// With structured data and a byte order mark, which RFC 5424 has before UTF-8.
pub(crate) fn rfc5424(messages: &[Message]) -> Vec<u8> {
    lines(messages.iter().map(|m| {
        let head = format!(
            "<134>1 {}456Z db01 postgres {} - [origin@32473 ip=\"10.0.0.1\" x=\"a\\]\\\"b\"] \u{feff}",
            m.at, m.pid
        );
        joined(head, &octal(&m.text))
    }))
}

/// RFC 6587: each message with its length before it, and no line ends.
pub(crate) fn counted(messages: &[Message]) -> Vec<u8> {
    let mut out = Vec::new();
    for m in messages {
        let frame = joined(
            format!("<134>1 {}456+00:00 db01 postgres {} - - ", m.at, m.pid),
            &octal(&m.text),
        );
        out.extend(format!("{} ", frame.len()).into_bytes());
        out.extend(frame);
    }
    out
}

/// Logplex: the number in brackets is that of the add-on.
pub(crate) fn heroku(messages: &[Message]) -> Vec<u8> {
    lines(messages.iter().map(|m| {
        let head = format!("{}+00:00 app[postgres.1105947]: [YELLOW] ", &m.at[..19]);
        joined(head, &octal(&m.text))
    }))
}

/// `journalctl -o short`: further lines of a message are set in.
pub(crate) fn journal_short(messages: &[Message]) -> Vec<u8> {
    lines(messages.iter().flat_map(|m| {
        let head = format!("{} db01 postgres[{}]: ", rfc3164_time(&m.at), m.pid);
        let indent = " ".repeat(head.len());
        let parts: Vec<_> = m.text.split(|b| *b == b'\n').collect();
        let parts = parts
            .into_iter()
            .enumerate()
            .map(move |(i, line)| joined(if i == 0 { head.clone() } else { indent.clone() }, line));
        parts.collect::<Vec<_>>()
    }))
}

fn micros(at: &str) -> i64 {
    let time: jiff::Timestamp = format!("{at}Z").parse().expect("a time");
    time.as_microsecond()
}

/// The fields of one entry of the journal; journalctl has those with two underscores first.
fn journal_fields(m: &Message, through_syslog: bool) -> Vec<(String, Value)> {
    let mut fields: Vec<(String, Value)> = Vec::new();
    let mut put = |name: &str, value: String| fields.push((name.to_owned(), value.into()));
    put("__CURSOR", "s=1;i=2".to_owned());
    put("__REALTIME_TIMESTAMP", micros(&m.at).to_string());
    put("_HOSTNAME", "db01".to_owned());
    put("_SYSTEMD_UNIT", "postgresql@16-main.service".to_owned());
    put("SYSLOG_IDENTIFIER", "postgres".to_owned());
    put("PRIORITY", "6".to_owned());
    put("_PID", if through_syslog { m.pid } else { 1 }.to_string());
    if through_syslog {
        put("_TRANSPORT", "syslog".to_owned());
        put("SYSLOG_PID", m.pid.to_string());
    }
    let message = match std::str::from_utf8(&m.text) {
        Ok(text) if !text.contains('\u{1}') => Value::from(text),
        // journald has what is no printable text as a list of bytes.
        _ => m.text.iter().map(|b| Value::from(*b)).collect(),
    };
    fields.push(("MESSAGE".to_owned(), message));
    fields
}

pub(crate) fn journal_json(messages: &[Message], through_syslog: bool) -> Vec<u8> {
    lines(messages.iter().map(|m| {
        Value::from_iter(journal_fields(m, through_syslog))
            .to_string()
            .into_bytes()
    }))
}

pub(crate) fn journal_export(messages: &[Message], through_syslog: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for m in messages {
        for (name, value) in journal_fields(m, through_syslog) {
            let value = match &value {
                Value::String(text) => text.clone().into_bytes(),
                _ => m.text.clone(),
            };
            if value.iter().all(|b| *b >= 32 || *b == b'\t') {
                out.extend(joined(format!("{name}="), &value));
            } else {
                out.extend(format!("{name}\n").into_bytes());
                out.extend((value.len() as u64).to_le_bytes());
                out.extend(&value);
            }
            out.push(b'\n');
        }
        out.push(b'\n');
    }
    out
}

/// The physical lines of a log as messages of their own, as what reads a pipe has them.
pub(crate) fn physical(records: &[Record]) -> Vec<Message> {
    let of_record = |record: &Record| {
        let (pid, at) = (record.pid, record.at.clone());
        let lines = record.lines.clone().into_iter();
        lines
            .map(move |text| Message {
                pid,
                at: at.clone(),
                text,
            })
            .collect::<Vec<_>>()
    };
    records.iter().flat_map(of_record).collect()
}

/// The text with its last line end taken off, in pieces of at most `max` bytes.
fn pieces(line: &[u8], max: usize) -> Vec<&[u8]> {
    if line.is_empty() {
        return vec![line];
    }
    line.chunks(max).collect()
}

/// Docker splits a line at 16 KiB; here sooner, so that it happens. Its encoder replaces what is no UTF-8.
pub(crate) fn docker(lines: &[Message], max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        for piece in pieces(&[&line.text[..], b"\n"].concat(), max) {
            let log = String::from_utf8_lossy(piece);
            let time = format!("{}944077Z", line.at);
            let object = json!({"log": log, "stream": "stderr", "time": time});
            out.extend(object.to_string().into_bytes());
            out.push(b'\n');
        }
    }
    out
}

pub(crate) fn cri(lines: &[Message], max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let pieces = pieces(&line.text, max);
        for (i, piece) in pieces.iter().enumerate() {
            let tag = if i + 1 == pieces.len() { "F" } else { "P" };
            out.extend(joined(format!("{}944077Z stderr {tag} ", line.at), piece));
            out.push(b'\n');
        }
    }
    out
}

/// `kubectl logs --timestamps`, and what exporters put before each line.
pub(crate) fn stamped(all: &[Message]) -> Vec<u8> {
    lines(
        all.iter()
            .map(|line| joined(format!("{}Z ", line.at), &line.text)),
    )
}

/// `postgres 2>&1 | ts`: the stamp of moreutils, which has no year.
pub(crate) fn ts(all: &[Message]) -> Vec<u8> {
    lines(
        all.iter()
            .map(|line| joined(format!("{} ", rfc3164_time(&line.at)), &line.text)),
    )
}

/// `docker compose logs`, as its source has it: every line behind the name of its container, padded to one more than the longest;
/// the stamps of `-t` are Docker's, before the line.
pub(crate) fn compose(all: &[Message], container: &str, is_stamped: bool) -> Vec<u8> {
    lines(all.iter().map(|line| {
        let stamp = if is_stamped {
            format!("{}944077Z ", line.at)
        } else {
            String::new()
        };
        joined(format!("{container:<10} | {stamp}"), &line.text)
    }))
}

/// `kubectl logs --prefix`, the stamps of `--timestamps` are the server's, before the line.
pub(crate) fn kubectl(all: &[Message], container: &str, is_stamped: bool) -> Vec<u8> {
    lines(all.iter().map(|line| {
        let stamp = if is_stamped {
            format!("{}944077Z ", line.at)
        } else {
            String::new()
        };
        joined(format!("[pod/{container}] {stamp}"), &line.text)
    }))
}

/// `aws logs tail`
pub(crate) fn aws_tail(all: &[Message]) -> Vec<u8> {
    lines(
        all.iter()
            .map(|line| joined(format!("{}000+00:00 mydb.0 ", line.at), &line.text)),
    )
}

fn utf8(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn whole(record: &Record) -> String {
    utf8(&record.lines.join(&b'\n'))
}

pub(crate) enum CloudWatch {
    GetLogEvents,
    FilterLogEvents,
    Subscription,
}

/// One event a record, as RDS publishes them.
pub(crate) fn cloudwatch(records: &[Record], how: &CloudWatch) -> Vec<u8> {
    let events: Vec<_> = records
        .iter()
        .map(|record| {
            let (timestamp, message) = (micros(&record.at) / 1000, whole(record));
            match how {
                CloudWatch::GetLogEvents => json!({"timestamp": timestamp, "message": message, "ingestionTime": timestamp + 900}),
                CloudWatch::FilterLogEvents => json!({"logStreamName": "mydb.0", "timestamp": timestamp, "message": message, "ingestionTime": timestamp + 900, "eventId": "1"}),
                CloudWatch::Subscription => json!({"id": "1", "timestamp": timestamp, "message": message}),
            }
        })
        .collect();
    let all = match how {
        CloudWatch::Subscription => {
            // Several a file, each with some events.
            let several = events.chunks(50).map(|events| {
                let events = Value::from(events.to_vec());
                let head = r#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/aws/rds/instance/mydb/postgresql","logStream":"mydb.0","subscriptionFilters":["f"]"#;
                format!("{head},\"logEvents\":{events}}}").into_bytes()
            });
            return lines(several);
        }
        CloudWatch::GetLogEvents => {
            json!({"events": events, "nextForwardToken": "f/{[\"", "nextBackwardToken": "b/1"})
        }
        CloudWatch::FilterLogEvents => json!({"events": events, "searchedLogStreams": []}),
    };
    serde_json::to_vec_pretty(&all).expect("it is JSON")
}

/// What CloudWatch Logs Insights exports as csv, newest first as it shows them.
pub(crate) fn insights(records: &[Record]) -> Vec<u8> {
    let records = records.iter().rev().map(|record| {
        let message = whole(record).replace('"', "\"\"");
        format!(
            "{},\"{message}\"",
            record.at.replace('T', " ").get(..23).unwrap_or_default()
        )
        .into_bytes()
    });
    lines([b"@timestamp,@message".to_vec()].into_iter().chain(records))
}

/// Google writes an entry for each physical line.
pub(crate) fn cloud_logging(messages: &[Message], is_array: bool, is_descending: bool) -> Vec<u8> {
    let mut entries: Vec<_> = messages
        .iter()
        .map(|m| {
            json!({
                "insertId": "s=1#2", "labels": {"LOG_BUCKET_NUM": "21"},
                "logName": "projects/p/logs/cloudsql.googleapis.com%2Fpostgres.log",
                "receiveTimestamp": format!("{}999Z", m.at),
                "resource": {"labels": {"database_id": "proj:inst", "project_id": "proj", "region": "r"}, "type": "cloudsql_database"},
                "severity": "INFO", "textPayload": utf8(&m.text), "timestamp": format!("{}Z", m.at),
            })
        })
        .collect();
    if is_descending {
        entries.reverse();
    }
    if is_array {
        serde_json::to_vec_pretty(&entries).expect("it is JSON")
    } else {
        lines(entries.iter().map(|entry| entry.to_string().into_bytes()))
    }
}

/// Flexible Server's `PostgreSQLLogs`; `is_listed` as the older exports to storage have it.
pub(crate) fn azure(records: &[Record], is_listed: bool) -> Vec<u8> {
    let entries: Vec<_> = records
        .iter()
        .map(|record| {
            json!({
                "properties": {"timestamp": record.at.replace('T', " ") + " UTC", "processId": record.pid, "errorLevel": "LOG",
                    "sqlerrcode": "00000", "message": whole(record), "detail": "", "backend_type": "client backend"},
                "time": format!("{}Z", record.at),
                "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/DB01",
                "category": "PostgreSQLLogs", "operationName": "LogEvent",
            })
        })
        .collect();
    if is_listed {
        json!({"records": entries}).to_string().into_bytes()
    } else {
        lines(entries.iter().map(|entry| entry.to_string().into_bytes()))
    }
}

/// Filebeat's document; `is_hit` as a search gives it.
pub(crate) fn elastic(messages: &[Message], is_hit: bool) -> Vec<u8> {
    lines(messages.iter().map(|message| {
        let document = json!({
            "@timestamp": format!("{}Z", message.at), "agent": {"name": "a", "type": "filebeat"}, "host": {"name": "db01"},
            "log": {"file": {"path": "/var/log/postgresql/postgresql.log"}, "offset": 1}, "message": utf8(&message.text),
        });
        let object = if is_hit { json!({"_index": "i", "_source": document}) } else { document };
        object.to_string().into_bytes()
    }))
}

const COLUMNS: [&str; 26] = [
    "log_time",
    "user_name",
    "database_name",
    "process_id",
    "connection_from",
    "session_id",
    "session_line_num",
    "command_tag",
    "session_start_time",
    "virtual_transaction_id",
    "transaction_id",
    "error_severity",
    "sql_state_code",
    "message",
    "detail",
    "hint",
    "internal_query",
    "internal_query_pos",
    "context",
    "query",
    "query_pos",
    "location",
    "application_name",
    "backend_type",
    "leader_pid",
    "query_id",
];

/// The rows of a csvlog as objects without their empty columns.
fn rows(csvlog: &[u8]) -> Vec<Map<String, Value>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(csvlog);
    let rows = reader.byte_records().map(|row| {
        let row = row.expect("a row");
        let named = COLUMNS
            .iter()
            .zip(row.iter())
            .filter(|(_, value)| !value.is_empty());
        named
            .map(|(name, value)| ((*name).to_owned(), Value::from(utf8(value))))
            .collect()
    });
    rows.collect()
}

pub(crate) fn cloudnativepg(csvlog: &[u8], pod: &str) -> Vec<u8> {
    let other = json!({"level": "info", "ts": "2026-11-23T05:16:38Z", "logger": "instance-manager", "msg": "Starting: LOG:  x", "logging_pod": pod});
    let records = rows(csvlog).into_iter().map(|record| {
        json!({"level": "info", "ts": "2026-11-23T05:16:38.743Z", "logger": "postgres", "msg": "record", "record": record, "logging_pod": pod})
    });
    lines(
        [other]
            .into_iter()
            .chain(records)
            .map(|object| object.to_string().into_bytes()),
    )
}

/// Logflare's export of Supabase's logs: some columns are numbers, empty ones null.
pub(crate) fn supabase(csvlog: &[u8]) -> Vec<u8> {
    let entries: Vec<_> = rows(csvlog)
        .into_iter()
        .map(|mut row| {
            let message = row.remove("message").unwrap_or_default();
            let at = row.remove("log_time").unwrap_or_default();
            for name in COLUMNS {
                row.entry(name).or_insert(Value::Null);
            }
            for name in ["message", "log_time"] {
                row.remove(name);
            }
            for name in ["process_id", "session_line_num", "transaction_id", "query_id"] {
                let number = row[name].as_str().and_then(|text| text.parse::<i64>().ok());
                row.insert(name.to_owned(), number.into());
            }
            row.insert("timestamp".to_owned(), at);
            json!({"event_message": message, "id": "1", "timestamp": 1_795_411_965_839_000_i64, "metadata": [{"host": "db-proj", "parsed": [row]}]})
        })
        .collect();
    serde_json::to_vec(&entries).expect("it is JSON")
}

/// A record of the older Azure Single Server: prefix and label beside the message, and two messages altered.
pub(crate) fn azure_single_server(records: &[Record]) -> Vec<u8> {
    lines(records.iter().filter_map(|record| {
        let text = whole(record);
        let (prefix, rest) = text.split_once("] ")?;
        let (label, message) = rest.split_once(":  ")?;
        let mut message = message.split('\n').next()?.to_owned();
        if message.starts_with("connection received") && message.contains(" port=") {
            write!(message, " pid={}", record.pid).expect("a String takes all");
        } else if message.starts_with("connection authorized") {
            message = message.replacen(" database=", "database=", 1);
        }
        let object = json!({
            "LogicalServerName": "db01", "category": "PostgreSQLLogs", "time": format!("{}Z", record.at),
            "properties": {"prefix": format!("{prefix}] "), "errorLevel": label, "message": message, "detail": ""},
        });
        Some(object.to_string().into_bytes())
    }))
}
