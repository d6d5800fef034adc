//! A server's log with any `log_line_prefix`, for tests: the csvlog that a real server wrote carries every field
//! that a prefix can print, so its records are printed anew as the same server would have written them to stderr.

use std::collections::HashMap;

use super::render::Writer;

/// A record of csvlog: its columns as PostgreSQL names them, unquoted.
struct Columns(Vec<String>);

impl Columns {
    fn get(&self, at: usize) -> &str {
        self.0.get(at).map_or("", String::as_str)
    }
}

/// The lines of the runs of `testdata/16` with this prefix, continued lines among them.
pub(super) fn lines(prefix: &str, runs: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for run in runs {
        let mut printed = HashMap::new();
        for record in records(&csv(run)) {
            print(prefix, &record, &mut printed, &mut lines);
        }
    }
    lines
}

fn csv(run: &str) -> String {
    text(&format!("{run}/csvlog/postgresql.csv"))
}

/// A file of `testdata/16`.
pub(super) fn text(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/16/");
    let file = std::fs::File::open(format!("{path}{name}.zst")).expect("testdata");
    let bytes = zstd::decode_all(file).expect("zstd");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn records(csv: &str) -> Vec<Columns> {
    let mut records = Vec::new();
    let mut columns = vec![String::new()];
    let mut quoted = false;
    for c in csv.chars() {
        let column = columns.last_mut().expect("one at least");
        match c {
            // The second one of two is a quote of the text.
            '"' => {
                quoted = !quoted;
                column.push('"');
            }
            ',' if !quoted => columns.push(String::new()),
            '\n' if !quoted => {
                let unquoted = columns.iter().map(|column| {
                    let inner = column.strip_prefix('"').and_then(|c| c.strip_suffix('"'));
                    inner.unwrap_or(column).replace("\"\"", "\"")
                });
                records.push(Columns(unquoted.collect()));
                columns = vec![String::new()];
            }
            c => column.push(c),
        }
    }
    records
}

/// `send_message_to_server_log` in the server's `elog.c`.
fn print(
    prefix: &str,
    record: &Columns,
    printed: &mut HashMap<String, u32>,
    lines: &mut Vec<String>,
) {
    let mut writer = writer(record);
    let count = printed.entry(record.get(5).to_owned()).or_default();
    writer.line = *count;
    let position = match (record.get(17), record.get(20)) {
        ("", "") => String::new(),
        ("", position) | (position, _) => format!(" at character {position}"),
    };
    let message = format!("{}{position}", record.get(13));
    let labelled = [
        (record.get(11), message.as_str()),
        ("DETAIL", record.get(14)),
        ("HINT", record.get(15)),
        ("QUERY", record.get(16)),
        ("CONTEXT", record.get(18)),
        ("STATEMENT", record.get(19)),
    ];
    for (i, (label, text)) in labelled.into_iter().enumerate() {
        if i == 0 || !text.is_empty() {
            let head = writer.prefix(prefix);
            let line = format!("{head}{label}:  {}", text.replace('\n', "\n\t"));
            lines.extend(line.split('\n').map(str::to_owned));
        }
    }
    *count = writer.line;
}

fn writer(record: &Columns) -> Writer {
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let client = match record.get(4) {
        "" => None,
        host => Some(match host.rsplit_once(':') {
            Some((host, port)) if host != "[local" => (leaked(host), port.parse().ok()),
            _ => (leaked(host), None),
        }),
    };
    Writer {
        client,
        user: record.get(1).into(),
        database: record.get(2).into(),
        application_name: record.get(22).into(),
        tag: leaked(record.get(7)),
        vxid: record.get(9).into(),
        xid: number(record.get(10)),
        query_id: record.get(25).parse().unwrap_or(0),
        sqlstate: leaked(record.get(12)),
        start_s: wall_ms(record.get(8)) / 1000,
        now_ms: wall_ms(record.get(0)),
        ..Writer::background(number(record.get(3)), leaked(record.get(23)))
    }
}

/// These servers ran in UTC.
fn wall_ms(text: &str) -> u64 {
    let (ms, _) = crate::log_time::read_wall(text.as_bytes()).expect("a time");
    u64::try_from(ms).expect("after 1970")
}

/// The few texts of a test live as long as it does.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

#[test]
fn lines_are_those_that_the_server_wrote() {
    for (run, prefix) in [
        ("basic", "%m [%p] "),
        ("failures", "%m [%p] "),
        ("kills", "%m [%p] "),
        ("hostname", "%t [%p]: user=%u,db=%d,app=%a,client=%h "),
    ] {
        let written = text(&format!("{run}/stderr/postgresql.log"));
        let mut written: Vec<&str> = written.lines().collect();
        let printed = lines(prefix, &[run]);
        let mut printed: Vec<&str> = printed.iter().map(String::as_str).collect();
        // Two processes' lines may be in another order in another file.
        let from = if prefix.starts_with("%t") { 19 } else { 0 };
        written.sort_unstable_by_key(|line| line.get(from..));
        printed.sort_unstable_by_key(|line| line.get(from..));
        for (written, printed) in written.iter().zip(&printed) {
            // `%t` is of a coarser clock than csvlog: at times a second earlier.
            assert_eq!(written.get(from..), printed.get(from..), "{run}");
        }
        assert_eq!(written.len(), printed.len(), "{run}");
    }
}
