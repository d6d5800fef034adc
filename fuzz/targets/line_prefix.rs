//! A `log_line_prefix` of any text, and any lines: compiling and reading never panic, and a head
//! lies inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgcensus_log::line_prefix::LinePrefix;

// The prefix is the first line, the log is the rest.
fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|&b| b == b'\n').unwrap_or(data.len());
    let (prefix, lines) = data.split_at(cut);
    let lines = lines.strip_prefix(b"\n").unwrap_or(lines);
    let Ok(prefix) = std::str::from_utf8(prefix) else {
        return;
    };
    match LinePrefix::parse(prefix) {
        Ok(compiled) => {
            assert_eq!(compiled.as_str(), prefix);
            for label_from in [0, lines.len() / 2, lines.len()] {
                let Some(head) = compiled.read(lines, label_from) else {
                    continue;
                };
                assert!(label_from <= head.label_start);
                assert!(head.label_start <= head.text_start && head.text_start <= lines.len());
            }
        }
        Err(err) => assert!(err.at <= prefix.len()),
    }
});
