//! Any bytes as jsonlog: the decoder never panics, and a cut changes nothing.
#![no_main]

mod decode;

use libfuzzer_sys::fuzz_target;
use pgcensus_log::format::Format;

// The first byte says where to cut.
fuzz_target!(|data: &[u8]| {
    let Some((&first, log)) = data.split_first() else {
        return;
    };
    decode::decode(&Format::Jsonlog, log, log.len() * usize::from(first) / 256);
});
