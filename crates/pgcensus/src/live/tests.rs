//! The time that passes while nothing comes.

use std::io::{PipeReader, Write, pipe};

use pgcensus_core::change::Change;
use pgcensus_core::filter::Filter;
use pgcensus_core::names::Names;

use super::*;

use crate::pipeline::{CHUNK_SIZE, Run, Sink};
use crate::source::Stdin;

/// Longer than a record of stderr waits for more.
const WAIT: Duration = Duration::from_millis(3);

/// How many changes it was told.
struct Counted(usize);

impl Sink for Counted {
    fn begins(&mut self, _: LogInstant) {}

    fn change(&mut self, _: &Names, _: &Change) -> anyhow::Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn ends(&mut self, _: LogInstant) {}
}

/// Follows what is asked for, and what comes from this pipe, with a sink that counts.
fn with_tail(
    request: &Request,
    stdin: Option<PipeReader>,
    what: impl FnOnce(&mut Tail<'_, '_>),
) -> usize {
    let nobody = Stdin {
        is_piped: false,
        reader: Box::new(std::io::empty()),
    };
    let plan = Plan::of(request, nobody);
    let mut sink = Counted(0);
    let run = Run {
        servers: &plan.servers,
        log_timezone: None,
        threads: 1,
        chunk_size: CHUNK_SIZE,
        filter: Filter::default(),
        reading: request.reading.clone(),
    };
    let live = Live::begin(run, &mut sink, false).expect("it is read");
    let stdin = stdin.map(|reader| (None, Box::new(reader) as Box<dyn Read + Send>));
    what(&mut Tail::new(live, &plan, request, stdin, Duration::ZERO).expect("a thread"));
    sink.0
}

/// The server writes line by line, and the last one is known to be a record by nothing that follows it.
#[test]
fn a_session_is_told_though_nothing_follows_its_last_line() {
    let (reader, mut writer) = pipe().expect("a pipe");
    let told = with_tail(&Request::default(), Some(reader), |tail| {
        for (ms, line) in [
            (111, "LOG:  connection received: host=10.0.0.7 port=51842"),
            (115, "LOG:  connection authorized: user=app database=shop"),
        ] {
            writeln!(writer, "2026-11-23 02:41:07.{ms} UTC [4242] {line}").expect("who reads it");
            while tail.last().is_none_or(|last| last.0 % 1000 != ms) {
                tail.step(Duration::from_secs(10)).expect("a record");
            }
        }
        assert!(tail.pass().expect("nothing fails"), "it may be taken back");
        let begin = Instant::now();
        while tail.pass().expect("nothing fails") {
            assert!(begin.elapsed() < Duration::from_secs(10), "time stands");
            tail.step(Duration::from_millis(20)).expect("time passes");
        }
    });
    assert_eq!(told, 1);
}

#[test]
fn in_a_log_of_long_ago_time_does_not_pass() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let line = "connection received: host=10.0.0.7 port=51842";
    writeln!(file, "2020-11-23 02:41:07.111 UTC [4242] LOG:  {line}").expect("it is written");
    let request = Request {
        paths: vec![file.path().to_owned()],
        follows: true,
        ..Request::default()
    };
    with_tail(&request, None, |tail| {
        assert_eq!(tail.now(), tail.last());
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(5) {
            tail.step(Duration::from_millis(1)).expect("nothing comes");
        }
        assert!(tail.last().is_some());
        assert_eq!(tail.now(), tail.last());
    });
}

#[test]
fn another_format_is_said_to_be_left_out_once_and_not_at_each_rotation() {
    let dir = tempfile::tempdir().expect("a directory");
    let line =
        "2026-11-23 02:41:07.111 UTC [4242] LOG:  connection received: host=10.0.0.7 port=51842\n";
    std::fs::write(dir.path().join("pg.log"), line).expect("written");
    let request = Request {
        paths: vec![dir.path().to_owned()],
        follows: true,
        ..Request::default()
    };
    with_tail(&request, None, |tail| {
        let csv = "2026-11-23 02:41:07.112 UTC,,,11,\"10.0.0.7:5\",6a1.b,1,\"\",2026-11-23 02:41:07 UTC,,0,LOG,00000,\
                   \"connection received: host=10.0.0.7 port=5\",,,,,,,,,\"\",\"not initialized\",,0\n";
        for n in 1..=2 {
            std::fs::write(dir.path().join(format!("pg.{n}.csv")), csv).expect("written");
            // Each is looked at, and has been when the log beside it is.
            let later = line.replace("07.111", &format!("07.20{n}"));
            std::fs::write(dir.path().join(format!("pg.{n}.log")), later).expect("written");
            while tail.last().is_none_or(|last| last.0 % 1000 != 200 + n) {
                tail.step(Duration::from_secs(10)).expect("it is read");
            }
        }
        let left_out = tail
            .shared
            .said
            .iter()
            .filter(|said| said.contains("left out"));
        assert_eq!(left_out.count(), 1, "{:?}", tail.shared.said);
    });
}

#[test]
fn the_first_line_of_a_server_is_told_whatever_stands_before_it() {
    let (reader, mut writer) = pipe().expect("a pipe");
    let told = with_tail(&Request::default(), Some(reader), |tail| {
        let before =
            "The files belonging to this database system will be owned by user \"postgres\".\n";
        let begin = "2026-11-23 02:41:07.111 UTC [1] LOG:  database system is ready to accept connections\n";
        for text in [&before.repeat(50), begin] {
            writer.write_all(text.as_bytes()).expect("who reads it");
            tail.step(Duration::from_secs(10)).expect("it is read");
            let begin = Instant::now();
            while tail.last().is_none() && begin.elapsed() < 10 * WAIT {
                tail.step(WAIT).expect("it is looked at");
            }
        }
        assert!(tail.last().is_some());
    });
    assert_eq!(told, 1);
}
