//! Any bytes as jsonlog: the decoder never panics, and a cut changes nothing.
#![no_main]

mod decode;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::new(Format::Jsonlog));

// The first byte says where to cut.
fuzz_target!(|data: &[u8]| {
    let Some((&first, log)) = data.split_first() else {
        return;
    };
    decode::decode(&DECODER, log, log.len() * usize::from(first) / 256);
});
