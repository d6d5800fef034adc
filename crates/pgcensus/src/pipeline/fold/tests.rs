//! Two servers whose logs Ctrl+C cuts off at different times.

use std::io;
use std::sync::mpsc::channel;

use pgcensus_core::census::Census;
use pgcensus_core::window::Window;

use super::super::decode;
use super::*;
use crate::source::{Plan, Request, Stdin};

struct Counts(Census);

impl Sink for Counts {
    fn begins(&mut self, first: Instant) {
        self.0.begins(first);
    }

    fn change(&mut self, _: &Names, change: &Change) -> anyhow::Result<()> {
        self.0.observe(change);
        Ok(())
    }

    fn ends(&mut self, last: Instant) {
        self.0.ends(last);
    }
}

/// One session a minute, each of which stays.
fn log(pid: u32, minutes: u32) -> String {
    let start = format!("2026-11-23 09:59:00.000 UTC [{pid}] LOG:  starting PostgreSQL 16.4\n");
    (0..minutes).fold(start, |log, minute| {
        let head = format!(
            "2026-11-23 10:{minute:02}:00.000 UTC [{}] LOG:  ",
            pid + minute + 1
        );
        log + &head + "connection authorized: user=app database=shop\n"
    })
}

/// Open sessions, connects and the minute of the last log time, where the batch of server `first` comes first.
fn count(first: usize) -> (u64, u64, i64) {
    let dir = tempfile::tempdir().expect("a directory");
    let servers = [("a", 100, 30), ("b", 200, 20)].map(|(name, pid, minutes)| {
        let path = dir.path().join(name);
        std::fs::write(&path, log(pid, minutes)).expect("written");
        (name.to_owned(), path)
    });
    let request = Request {
        servers: servers.into(),
        ..Request::default()
    };
    let nobody = Stdin {
        is_piped: false,
        reader: Box::new(io::empty()),
    };
    let plan = Plan::of(&request, nobody);
    let run = Run {
        servers: &plan.servers,
        log_timezone: None,
        threads: 1,
        chunk_size: 1 << 20,
        filter: Filter::default(),
        reading: Arc::default(),
    };
    let mut counts = Counts(Census::new(Window::default(), None, 1));
    let mut fold = Fold::new(run, &mut counts);
    let supply = Supply::new(&fold, 1);
    let (done, results) = channel();
    for server in [first, 1 - first] {
        let mut chunk = decode(&supply, server, Buffers::default()).expect("a chunk");
        assert!(chunk.after.is_last);
        chunk.after.is_stopped = true;
        let sent = done.send(chunk);
        sent.expect("it is received below");
    }
    drop(done);
    fold.run(&results, &supply, false).expect("it folds");
    let outcome = fold.finish().expect("it ends");
    assert!(outcome.is_stopped);
    let servers = outcome.servers.iter().enumerate();
    let lives: Vec<_> = servers
        .map(|(id, server)| (ServerId(id as u16), server.tracker.lives()))
        .collect();
    let snapshot = counts.0.snapshot(&outcome.names, &lives, outcome.input);
    let (_, last) = outcome.input.expect("times");
    (
        snapshot.open.count.expect("known"),
        snapshot.connects,
        last.0 / 60_000 % 60,
    )
}

#[test]
fn all_servers_are_counted_up_to_the_time_that_is_known_of_each() {
    for first in [0, 1] {
        assert_eq!(count(first), (40, 40, 19), "server {first} first");
    }
}
