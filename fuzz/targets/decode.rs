//! The one call that the targets of the decoders share.

use pgcensus_log::format::Format;

/// Decodes `log` whole and cut in two at `cut`; both must give the same.
pub fn decode(_format: &Format, _log: &[u8], _cut: usize) {
    // TODO(decoders): batch::decode(format, chunk, …) over the whole log and over its two parts,
    // completed by the fragment of the first; assert_eq! of the events and of the unreadable spans.
}
