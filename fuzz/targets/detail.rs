//! Any DETAIL of a failed authentication: what is read of it is a piece of it, and reads the same when the server writes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgcensus_log::detail::{Detail, Hba};

fuzz_target!(|data: &[u8]| {
    let read = Detail::read(data);
    if let Some(Hba { file, line, text }) = read.hba {
        let line = line.to_string();
        let begin = read.reason.map(|reason| [reason, b"\n"].concat());
        let written = [
            &begin.unwrap_or_default()[..],
            b"Connection matched file \"",
            file,
            b"\" line ",
            line.as_bytes(),
            b": \"",
            text.expect("a DETAIL has the text of the line"),
            b"\"",
        ]
        .concat();
        assert_eq!(Detail::read(&written), read);
    } else {
        assert_eq!(read.reason.unwrap_or_default(), data.trim_ascii_end());
    }
    if let Some(place) = Hba::place(data) {
        let line = place.line.to_string();
        let written = [place.file, b":", line.as_bytes()].concat();
        assert_eq!(Hba::place(&written), Some(place));
    }
});
