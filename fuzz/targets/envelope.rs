//! Any bytes as a log in an envelope: nothing panics, and pieces of any length give the text that the whole gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgcensus_log::envelope::{Day, Envelope};

const END: Day = Day {
    year: 2026,
    month: 11,
    day: 26,
};

// The first byte says where the head ends by which the envelope is told, the second how long pieces are.
fuzz_target!(|data: &[u8]| {
    let [head, piece, log @ ..] = data else {
        return;
    };
    let head = &log[..log.len() - log.len() * usize::from(*head) / 512];
    let Some(envelope) = Envelope::of(head, END) else {
        return;
    };
    let whole = envelope.text(log);
    let mut unwrapper = envelope.unwrapper();
    let mut text = Vec::new();
    for bytes in log.chunks(usize::from(*piece) + 1) {
        unwrapper.feed(bytes, &mut text);
    }
    unwrapper.finish(&mut text);
    assert!(text == whole, "pieces change the text");

    let mut survey = envelope.survey();
    survey.feed(log);
    let mut split = envelope.split();
    let mut bytes = 0;
    let mut frames = 0;
    let mut count = |frame: &[u8]| {
        bytes += frame.len();
        frames += 1;
    };
    split.feed(log, |part| count(part.frame));
    split.finish(|part| count(part.frame));
    // Where an inner layer tells servers apart, lines may have got a tab. A record of a table has become an object: with the names
    // of its columns, and control characters escaped.
    assert!(
        bytes <= 6 * log.len() + frames * (4 << 10),
        "nothing is dealt out twice"
    );
});
