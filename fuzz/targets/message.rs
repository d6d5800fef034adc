//! Any message of any severity: telling what it means never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgcensus_log::message::classify;
use pgcensus_log::record::{Record, Severity};

// The first byte is the severity and which fields there are, the first line the DETAIL.
fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else {
        return;
    };
    let cut = text.iter().position(|&b| b == b'\n').unwrap_or(text.len());
    let (detail, message) = text.split_at(cut);
    let severities = [
        Severity::Log,
        Severity::Fatal,
        Severity::Panic,
        Severity::Error,
    ];
    let record = Record {
        pid: Some(1),
        severity: severities[usize::from(first % 4)],
        message: message.strip_prefix(b"\n").unwrap_or(message).into(),
        detail: (first & 4 != 0).then(|| detail.into()),
        has_context: first & 8 != 0,
        has_statement: first & 16 != 0,
        command_tag: (first & 32 != 0).then(|| b"startup"[..].into()),
        ..Record::default()
    };
    let _ = classify(&record);
});
