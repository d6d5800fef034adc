//! The loops that every byte or every record of a log goes through, each over 512 KiB, as the pipeline cuts it, beside a
//! count of newlines, which is as fast as bytes can be looked at.
//!
//! `cargo bench -p pgcensus-log` prints them all, `cargo bench -p pgcensus-log -- search` those with that word.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use pgcensus_log::batch::{Batch, Item};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::{self, Format, Guess};
use pgcensus_log::line_prefix::{self, Known, LinePrefix};
use pgcensus_log::log_time;
use pgcensus_log::translation::{Catalog, Rewriter, Shape, Translation, may_be_translated};

const CHUNK: usize = 512 << 10;

fn main() {
    divan::main();
}

/// What of a log.
#[derive(Clone, Copy)]
enum Lines {
    /// Statements alone: nothing is decoded, all is searched.
    Statements,
    /// Connections alone: nothing is searched, all is decoded.
    Connections,
}

const FORMATS: [&str; 4] = ["stderr", "stderr-debian", "csvlog", "jsonlog"];

/// A chunk of whole records, made of what real servers wrote: the lines of `testdata` repeated; csv and json of
/// the same lines, as a server writes them.
fn chunk(format: &str, lines: Lines) -> (Format, Vec<u8>) {
    let run = match lines {
        Lines::Statements => "16/noise",
        Lines::Connections => "15/churn",
    };
    let log = testdata(&format!("{run}/stderr/postgresql.log"));
    let log = String::from_utf8(log).expect("pgbench writes ASCII");
    let is_connection = |line: &str| {
        let messages = ["connection received", "connection auth", "disconnection: "];
        messages
            .iter()
            .any(|text| line.contains(&format!("LOG:  {text}")))
    };
    let wanted = |line: &&str| match lines {
        Lines::Statements => {
            line.contains("LOG:  statement: ") || line.contains("LOG:  duration: ")
        }
        Lines::Connections => is_connection(line),
    };
    let records: Vec<String> = log
        .lines()
        .filter(wanted)
        .map(|line| written(format, line))
        .collect();
    let mut chunk = Vec::with_capacity(CHUNK + 1024);
    while chunk.len() < CHUNK {
        for record in &records {
            chunk.extend_from_slice(record.as_bytes());
            if chunk.len() >= CHUNK {
                break;
            }
        }
    }
    let format = match format {
        "csvlog" => Format::Csvlog,
        "jsonlog" => Format::Jsonlog,
        "stderr" => Format::Stderr(prefix("%m [%p] ")),
        _ => Format::Stderr(prefix("%m [%p] %q%u@%d ")),
    };
    (format, chunk)
}

fn testdata(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/");
    let file = std::fs::File::open(format!("{path}{name}.zst")).expect("testdata");
    zstd::decode_all(file).expect("zstd")
}

fn prefix(text: &str) -> LinePrefix {
    LinePrefix::parse(text).expect("a prefix")
}

/// `2026-11-23 05:23:08.137 UTC [4255] LOG:  connection received: host=[local]` in a format.
fn written(format: &str, line: &str) -> String {
    let (time, rest) = line.split_at(27);
    let (pid, message) = rest[2..].split_once("] LOG:  ").unwrap_or(("1", rest));
    let pid: u32 = pid.parse().unwrap_or(1);
    // The names that the message has: a record whose message contradicts it takes longer.
    let value = |key: &str, ends: &[&str]| {
        let (_, rest) = message.split_once(key)?;
        let len = ends.iter().filter_map(|end| rest.find(end)).min();
        Some(&rest[..len.unwrap_or(rest.len())])
    };
    let user = value(" user=", &[" database="]).or_else(|| value("identity=\"", &["\""]));
    let user = user.unwrap_or("postgres");
    let database = value(" database=", &[" application_name=", " host="]).unwrap_or("postgres");
    let host = value("host=", &[" port="]).unwrap_or("127.0.0.1");
    let named = !message.starts_with("connection received");
    let tag = match named {
        false => "",
        true if message.starts_with("connection auth") => "authentication",
        true => "idle",
    };
    match format {
        "csvlog" => {
            let names = format!("\"{user}\",\"{database}\"");
            let names = if named { &names } else { "," };
            let message = message.replace('"', "\"\"");
            let client = if host == "[local]" {
                host
            } else {
                &format!("{host}:60546")
            };
            format!(
                "{time},{names},{pid},\"{client}\",6b03c78c.{pid:x},1,\"{tag}\",2026-11-23 04:56:44 UTC,3/8,0,LOG,00000,\"{message}\",,,,,,,,,\"\",\"client backend\",,0\n"
            )
        }
        "jsonlog" => {
            let names = format!("\"user\":\"{user}\",\"dbname\":\"{database}\",");
            let names = if named { &names } else { "" };
            let port = if host == "[local]" {
                ""
            } else {
                "\"remote_port\":60546,"
            };
            let message = message.replace('\\', "\\\\").replace('"', "\\\"");
            format!(
                "{{\"timestamp\":\"{time}\",{names}\"pid\":{pid},\"remote_host\":\"{host}\",{port}\"session_id\":\"6b03c78c.{pid:x}\",\"line_num\":1,\"ps\":\"{tag}\",\"session_start\":\"2026-11-23 04:56:44 UTC\",\"vxid\":\"3/8\",\"txid\":0,\"error_severity\":\"LOG\",\"message\":\"{message}\",\"backend_type\":\"client backend\",\"query_id\":0}}\n"
            )
        }
        "stderr" => format!("{line}\n"),
        _ => {
            let names = format!("{user}@{database}");
            let names = if named { &names } else { "[unknown]@[unknown]" };
            format!("{time} [{pid}] {names} LOG:  {message}\n")
        }
    }
}

/// The ceiling.
#[divan::bench(args = FORMATS)]
fn newline_count(bencher: Bencher, format: &str) {
    let (_, chunk) = chunk(format, Lines::Statements);
    bencher
        .counter(BytesCount::of_slice(&chunk))
        .bench_local(|| memchr::memchr_iter(b'\n', black_box(&chunk)).count());
}

#[divan::bench(args = FORMATS)]
fn search_statements(bencher: Bencher, format: &str) {
    decode(bencher, format, Lines::Statements);
}

#[divan::bench(args = FORMATS)]
fn decode_connections(bencher: Bencher, format: &str) {
    decode(bencher, format, Lines::Connections);
}

fn decode(bencher: Bencher, format: &str, lines: Lines) {
    let (format, chunk) = chunk(format, lines);
    let decoder = Decoder::new(format);
    let mut batch = Batch::default();
    decoder.decode(&chunk, 0, &mut batch);
    let events = batch.items.len();
    match lines {
        Lines::Statements => assert_eq!(events, 0, "nothing to decode"),
        Lines::Connections => {
            let is_event = |item: &Item| matches!(item, Item::Event(..));
            assert!(
                events > 1000 && batch.items.iter().all(is_event),
                "{events} items"
            );
        }
    }
    bencher
        .counter(BytesCount::of_slice(&chunk))
        .counter(ItemsCount::new(events))
        .bench_local(|| {
            batch.clear();
            decoder.decode(black_box(&chunk), 0, &mut batch);
        });
}

/// Where a chunk of a file ends, from its last 16 KiB.
#[divan::bench(args = FORMATS)]
fn cut_by_its_end(bencher: Bencher, format: &str) {
    let (format, chunk) = chunk(format, Lines::Statements);
    let decoder = Decoder::new(format);
    let piece = &chunk[chunk.len() - (16 << 10)..chunk.len() - 7];
    assert!(decoder.last_record_start(piece).is_some());
    bencher.bench_local(|| decoder.last_record_start(black_box(piece)));
}

/// Where a chunk of a stream ends: of csvlog all quotes are counted.
#[divan::bench(args = FORMATS)]
fn cut_by_all_of_it(bencher: Bencher, format: &str) {
    let (format, chunk) = chunk(format, Lines::Statements);
    let decoder = Decoder::new(format);
    bencher
        .counter(BytesCount::of_slice(&chunk))
        .bench_local(|| decoder.last_record_end(black_box(&chunk)));
}

#[divan::bench(args = [
    ("%m [%p] ", "2026-11-23 05:32:45.839 UTC [4000] LOG:  connection received: host=127.0.0.1 port=59250\n"),
    ("%m [%p] %q%u@%d ", "2026-11-23 05:32:45.839 UTC [4000] app@shop LOG:  connection received: host=127.0.0.1 port=59250\n"),
    ("%t [%p]: user=%u,db=%d,app=%a,client=%h ", "2026-11-23 05:32:45 UTC [4000]: user=app,db=shop,app=psql,client=127.0.0.1 LOG:  connection received: host=127.0.0.1 port=59250\n"),
])]
fn head(bencher: Bencher, (text, line): (&str, &str)) {
    let prefix = prefix(text);
    bencher.bench_local(|| prefix.read(black_box(line.as_bytes()), 0).is_some());
}

#[divan::bench]
fn time(bencher: Bencher) {
    bencher.bench_local(|| log_time::read(black_box(b"2026-11-23 05:32:45.839 UTC ["), None));
}

/// Heads of files as they come: logs of real servers with all kinds of lines, of statements alone, and what is no log.
const HEADS: [&str; 14] = [
    "16/basic/stderr/postgresql.log",
    "16/failures/stderr/postgresql.log",
    "16/noise/stderr/postgresql.log",
    "16/injection/stderr/postgresql.log",
    "16/prefix-debian/stderr/postgresql.log",
    "16/prefix-pgbadger-l/stderr/postgresql.log",
    "16/prefix-rds-new/stderr/postgresql.log",
    "16/prefix-epoch/stderr/postgresql.log",
    "16/failures/csvlog/postgresql.csv",
    "16/failures/jsonlog/postgresql.json",
    "statements with names",
    "padded names",
    "glued",
    "prose",
];

/// `len` bytes of a log, which is repeated until then.
fn file_head(name: &str, len: usize) -> Vec<u8> {
    let log = match name {
        "statements with names" => testdata("16/noise/stderr/postgresql.log")
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| memchr::memmem::find(line, b"LOG:  statement: ").is_some())
            .flat_map(|line| with_names(line, b" app shop psql 127.0.0.1"))
            .collect(),
        "padded names" | "glued" => {
            let (_, log) = chunk("stderr", Lines::Connections);
            let names: &[u8] = match name {
                "glued" => b"",
                _ => b"                          app@shop      ",
            };
            log.split_inclusive(|byte| *byte == b'\n')
                .flat_map(|line| with_names(line, names))
                .collect()
        }
        "prose" => {
            b"Lorem ipsum dolor sit amet: consectetur adipisici elit, sed eiusmod.\n".to_vec()
        }
        name => testdata(name),
    };
    log.iter().copied().cycle().take(len).collect()
}

/// A line of the default prefix with more behind its pid; without anything there, with nothing before its pid either.
fn with_names(line: &[u8], names: &[u8]) -> Vec<u8> {
    let (time, rest) = line.split_at(27);
    let at = memchr::memchr(b' ', &rest[1..]).unwrap_or(0) + 1;
    if names.is_empty() {
        return [time, &rest[2..at - 1], &rest[at..]].concat();
    }
    [time, &rest[..at], names, &rest[at..]].concat()
}

/// What the first file of a set is, from the 64 KiB that are looked at.
#[divan::bench(args = HEADS)]
fn guess_first(bencher: Bencher, name: &str) {
    let head = file_head(name, 64 << 10);
    bencher.bench_local(|| format::guess(black_box(&head)));
}

/// Likewise from the megabyte that is looked at where 64 KiB say nothing.
#[divan::bench(args = HEADS)]
fn guess_first_of_megabyte(bencher: Bencher, name: &str) {
    let head = file_head(name, 1 << 20);
    bencher.bench_local(|| format::guess(black_box(&head)));
}

/// Whether another file is as the first one.
#[divan::bench(args = HEADS)]
fn guess_next(bencher: Bencher, name: &str) {
    let head = file_head(name, 64 << 10);
    let mut known = Known::default();
    let first = format::guess_with(&mut known, &head);
    assert!(
        matches!(first, Guess::Log(..)) || name == "prose",
        "{first:?}"
    );
    bencher.bench_local(|| format::guess_with(&mut known, black_box(&head)));
}

/// Whether another file beside the first one has its prefix, whatever it tells of sessions.
#[divan::bench(args = HEADS.into_iter().filter(|name| name.contains("stderr") || name.contains("names")))]
fn check_next(bencher: Bencher, name: &str) {
    let head = file_head(name, 64 << 10);
    let Guess::Log(Format::Stderr(prefix), _) = format::guess(&head) else {
        unreachable!("a log of stderr");
    };
    assert!(line_prefix::check(&prefix, &head).is_some());
    bencher.bench_local(|| line_prefix::check(&prefix, black_box(&head)));
}

/// Logs in other languages; the French one has names in LATIN1 in it.
const TRANSLATED: [&str; 7] = [
    "15/locale-de_DE/stderr/postgresql.log",
    "15/locale-es_ES/stderr/postgresql.log",
    "15/locale-fr_FR/stderr/postgresql.log",
    "15/locale-fr_FR/csvlog/postgresql.csv",
    "15/locale-ja_JP/stderr/postgresql.log",
    "15/locale-ja_JP/jsonlog/postgresql.json",
    "15/locale-ru_RU/stderr/postgresql.log",
];

/// What the first file of a set is and in which language, where that is not English.
#[divan::bench(args = TRANSLATED)]
fn guess_first_translated(bencher: Bencher, name: &str) {
    let head = file_head(name, 64 << 10);
    bencher.bench_local(|| {
        let shape = Shape::of(black_box(&head));
        assert!(may_be_translated(&head, shape));
        let languages = Catalog::default().detect(&head, shape);
        let english = Rewriter::new(Translation::of(&languages), shape).whole(&head);
        format::guess(&english)
    });
}

/// Whether another file beside the first one is as that was: its languages by all of the 64 KiB, its prefix by 8 KiB in English.
#[divan::bench(args = TRANSLATED)]
fn check_next_translated(bencher: Bencher, name: &str) {
    let head = file_head(name, 64 << 10);
    let (catalog, shape) = (Catalog::default(), Shape::of(&head));
    let translation = Translation::of(&catalog.detect(&head, shape));
    let english = |text: &[u8]| Rewriter::new(translation.clone(), shape).whole(text);
    let mut known = Known::default();
    let Guess::Log(format, _) = format::guess(&english(&head)) else {
        unreachable!("a log");
    };
    let begin = memchr::memrchr(b'\n', &head[..8 << 10]).map_or(0, |newline| newline + 1);
    bencher.bench_local(|| {
        let shape = Shape::of(black_box(&head));
        assert!(may_be_translated(&head, shape));
        assert_eq!(catalog.detect(&head, shape), translation.languages());
        let is_as_first = match &format {
            Format::Stderr(prefix) => {
                line_prefix::check(prefix, &english(&head[..begin])).is_some()
            }
            _ => matches!(format::guess_with(&mut known, &head), Guess::Log(..)),
        };
        assert!(is_as_first);
    });
}

/// What a log in English pays for the others.
#[divan::bench(args = HEADS)]
fn is_english(bencher: Bencher, name: &str) {
    let head = file_head(name, 64 << 10);
    bencher.bench_local(|| may_be_translated(black_box(&head), Shape::of(&head)));
}
