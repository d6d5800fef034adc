//! Any bytes as csvlog: the decoder never panics; where they are whole records, a cut changes nothing.
#![no_main]

mod decode;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::new(Format::Csvlog));

// The first byte says where to cut.
fuzz_target!(|data: &[u8]| {
    let Some((&first, log)) = data.split_first() else {
        return;
    };
    // Seeds begin and end in the middle of records.
    let begin = first_newline(log).map_or(0, |newline| newline + 1);
    let end = log
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |newline| newline + 1);
    let log = &log[begin.min(end)..end];
    // What is damaged leaves open which quotes open and which close.
    let cut = if is_whole(log) {
        log.len() * usize::from(first) / 256
    } else {
        0
    };
    decode::decode(&DECODER, log, cut);
});

fn first_newline(log: &[u8]) -> Option<usize> {
    log.iter().position(|&b| b == b'\n')
}

/// These are records of 23, 24 or 26 columns, with quotes where the server puts them.
fn is_whole(log: &[u8]) -> bool {
    let mut rest = log;
    while !rest.is_empty() {
        let Some(end) = record_end(rest) else {
            return false;
        };
        rest = &rest[end..];
    }
    true
}

fn record_end(text: &[u8]) -> Option<usize> {
    pgcensus_log::log_time::read_wall(text)?;
    let mut columns = 1;
    let mut at = 0;
    loop {
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                at += text[at..].iter().position(|&b| b == b'"')? + 1;
                if text.get(at) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
        } else {
            at += text[at..].iter().position(|b| b",\n\"".contains(b))?;
        }
        match text.get(at)? {
            b',' => columns += 1,
            b'\n' => return [23, 24, 26].contains(&columns).then_some(at + 1),
            _ => return None,
        }
        at += 1;
    }
}
