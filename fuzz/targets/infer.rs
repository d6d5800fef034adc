//! Any sample of a log: inferring its `log_line_prefix` never panics, and what is found compiles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgcensus_log::line_prefix::{LinePrefix, infer};

fuzz_target!(|sample: &[u8]| {
    let Some(found) = infer(sample) else { return };
    assert!(found.lines_read <= found.lines);
    assert_eq!(LinePrefix::parse(found.prefix.as_str()), Ok(found.prefix));
});
