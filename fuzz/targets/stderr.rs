//! Any bytes as stderr text, with several prefixes: the decoder never panics, and a cut changes
//! nothing.
#![no_main]

mod decode;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pgcensus_log::decoder::Decoder;
use pgcensus_log::format::Format;
use pgcensus_log::line_prefix::LinePrefix;

const PREFIXES: [&str; 6] = [
    "%m [%p] ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m|%p|%u|%d|%h|%a|%e|",
    "%t:%r:%u@%d:[%p]:",
    "< %m >",
    "",
];

static DECODERS: LazyLock<[Decoder; PREFIXES.len()]> = LazyLock::new(|| {
    PREFIXES.map(|prefix| {
        let prefix = LinePrefix::parse(prefix).expect("a prefix that is in use");
        Decoder::new(Format::Stderr(prefix))
    })
});

// The first byte is the prefix, the second says where to cut.
fuzz_target!(|data: &[u8]| {
    let [prefix, cut, log @ ..] = data else {
        return;
    };
    decode::decode(
        &DECODERS[usize::from(*prefix) % PREFIXES.len()],
        log,
        log.len() * usize::from(*cut) / 256,
    );
});
