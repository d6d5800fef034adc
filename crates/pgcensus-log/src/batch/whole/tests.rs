use std::fmt::Write as _;

use crate::batch::{Batch, Item};
use crate::decoder::Decoder;
use crate::format::Format;
use crate::line_prefix::LinePrefix;

/// The slots of the events of a log of these messages, a `.` for none.
fn slots(lines: &[(u32, &str)]) -> String {
    let mut log = String::new();
    for (pid, message) in lines {
        let message = match *message {
            "received" => "LOG:  connection received: host=10.0.0.7 port=51842",
            "authenticated" => {
                "LOG:  connection authenticated: identity=\"app\" method=md5 (/data/pg_hba.conf:11)"
            }
            "authorized" => "LOG:  connection authorized: user=app database=shop",
            "ready" => {
                "LOG:  connection ready: setup total=12.345 ms, fork=1.000 ms, authentication=5.000 ms"
            }
            "disconnection" => {
                "LOG:  disconnection: session time: 0:00:00.010 user=app database=shop host=10.0.0.7 port=51842"
            }
            "refused" => "FATAL:  password authentication failed for user \"app\"",
            "start" => "LOG:  starting PostgreSQL 18.1 on x86_64-pc-linux-gnu",
            other => other,
        };
        writeln!(log, "2026-11-23 05:32:45.839 UTC [{pid}] {message}").unwrap();
    }
    let prefix = LinePrefix::parse("%m [%p] ").unwrap();
    let mut batch = Batch::default();
    Decoder::new(Format::Stderr(prefix)).decode(log.as_bytes(), 0, &mut batch);
    assert_eq!(batch.items.len(), lines.len());
    let slot = |item: &Item| match item {
        Item::Event(_, Some(slot)) => char::from_digit(slot.index() as u32, 10).unwrap(),
        _ => '.',
    };
    batch.items.iter().map(slot).collect()
}

const RECEIVED: (u32, &str) = (1, "received");
const AUTHENTICATED: (u32, &str) = (1, "authenticated");
const AUTHORIZED: (u32, &str) = (1, "authorized");
const READY: (u32, &str) = (1, "ready");
const DISCONNECTION: (u32, &str) = (1, "disconnection");

#[test]
fn sessions_of_one_batch_have_slots() {
    for (lines, expected) in [
        (
            &[RECEIVED, AUTHENTICATED, AUTHORIZED, READY, DISCONNECTION][..],
            "11111",
        ),
        (
            &[
                RECEIVED,
                AUTHORIZED,
                DISCONNECTION,
                RECEIVED,
                AUTHORIZED,
                DISCONNECTION,
            ],
            "111111",
        ),
        (
            &[
                RECEIVED,
                (2, "received"),
                AUTHORIZED,
                (2, "authorized"),
                DISCONNECTION,
                (2, "disconnection"),
            ],
            "121212",
        ),
        // One that follows is told from one that is not whole.
        (
            &[RECEIVED, AUTHORIZED, RECEIVED, AUTHORIZED, DISCONNECTION],
            "..111",
        ),
        (
            &[RECEIVED, AUTHORIZED, DISCONNECTION, DISCONNECTION],
            "111.",
        ),
    ] {
        assert_eq!(slots(lines), expected, "{lines:?}");
    }
}

#[test]
fn what_is_not_plain_has_none() {
    for lines in [
        &[RECEIVED, AUTHENTICATED, AUTHORIZED, READY][..],
        &[AUTHORIZED, DISCONNECTION],
        &[RECEIVED, DISCONNECTION],
        &[RECEIVED, AUTHORIZED, (1, "refused"), DISCONNECTION],
        &[RECEIVED, (1, "refused"), AUTHORIZED, DISCONNECTION],
        &[RECEIVED, AUTHORIZED, (7, "start"), DISCONNECTION],
        &[RECEIVED, AUTHORIZED, AUTHORIZED, DISCONNECTION],
        &[RECEIVED, AUTHORIZED, AUTHENTICATED, DISCONNECTION],
        // The later of two pids in one place.
        &[RECEIVED, AUTHORIZED, (257, "received"), DISCONNECTION],
    ] {
        assert!(slots(lines).bytes().all(|slot| slot == b'.'), "{lines:?}");
    }
}
