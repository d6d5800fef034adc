//! What a backend wrote, among some bytes of a log: its own records, of others that had its pid none.

use pgcensus_core::instant::Instant;
use pgcensus_core::zone::LogClock;
use pgcensus_log::format::{self, Format};

/// The log times of a session and of its lines may differ by so much: times of whole seconds, and milliseconds between
/// fork and first line.
pub(super) const AROUND_MS: i64 = 2_000;

/// A backend, and from when to when it was there; `None`: not known.
#[derive(Clone, Copy)]
pub(super) struct Writer {
    pub(super) pid: u32,
    pub(super) since: Option<Instant>,
    pub(super) until: Option<Instant>,
}

/// A record, without the line break at its end.
pub(super) struct Written<'c> {
    /// Where it begins in the bytes.
    pub(super) offset: usize,
    pub(super) at: Instant,
    pub(super) text: &'c [u8],
}

impl Writer {
    /// Its records, in the order of the bytes, which are written in any of these formats and may begin in the middle of a record.
    pub(super) fn records<'c>(
        self,
        bytes: &'c [u8],
        formats: &[Format],
        clock: &mut LogClock,
    ) -> Vec<Written<'c>> {
        let heads = formats.iter();
        let heads = heads.flat_map(|format| format::heads(format, bytes, usize::MAX));
        let mut heads: Vec<_> = heads.collect();
        heads.sort_by_key(|head| head.offset);
        heads.dedup_by_key(|head| head.offset);
        let mut written = Vec::new();
        for (i, head) in heads.iter().enumerate() {
            if head.pid != Some(self.pid) {
                continue;
            }
            let at = clock.instant(head.log_time);
            let is_before = self.since.is_some_and(|since| since.since(at) > AROUND_MS);
            let is_after = self.until.is_some_and(|until| at.since(until) > AROUND_MS);
            if is_before || is_after {
                continue;
            }
            let end = heads.get(i + 1).map_or(bytes.len(), |next| next.offset);
            written.push(Written {
                offset: head.offset,
                at,
                text: bytes[head.offset..end].trim_ascii_end(),
            });
        }
        written
    }
}
