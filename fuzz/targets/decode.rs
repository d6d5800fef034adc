//! The one call that the targets of the decoders share.

use pgcensus_log::batch::{Batch, Item, Unreadable};
use pgcensus_log::decoder::Decoder;
use pgcensus_log::event::Event;

/// What a decoder found, with its texts.
#[derive(Debug, PartialEq)]
enum Found<'b> {
    Event(Event<&'b [u8]>),
    Unmatched(u64, &'b [u8]),
    Unreadable(Unreadable, &'b [u8]),
}

/// Decodes `log` whole, and cut in two where the last record before `cut` ends; both must give the same.
pub fn decode(decoder: &Decoder, log: &[u8], cut: usize) {
    let len = decoder.complete_len(log);
    assert!(len <= log.len());
    if let Some(next) = decoder.resync(log) {
        assert!(0 < next && next <= log.len());
    }
    if let Some(start) = decoder.last_record_start(log) {
        assert!(0 < start && start <= log.len());
    }
    let mut whole = Batch::default();
    decoder.decode(log, 0, &mut whole);
    let Some(end) = decoder.last_record_end(&log[..cut.min(log.len())]) else {
        return;
    };
    assert!(0 < end && end <= cut);
    let (mut first, mut second) = (Batch::default(), Batch::default());
    decoder.decode(&log[..end], 0, &mut first);
    decoder.decode(&log[end..], end as u64, &mut second);
    let mut parts = found(&first);
    parts.extend(found(&second));
    assert_eq!(found(&whole), parts, "cut at {end}");
}

fn found(batch: &Batch) -> Vec<Found<'_>> {
    let items = batch.items.iter().map(|item| match item {
        Item::Event(event, _) => Found::Event(batch.event(event)),
        Item::Unmatched { offset, record, .. } => Found::Unmatched(*offset, batch.text(*record)),
        Item::Unreadable(span, excerpt) => Found::Unreadable(*span, batch.text(*excerpt)),
    });
    items.collect()
}
