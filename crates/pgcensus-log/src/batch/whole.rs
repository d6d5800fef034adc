//! Whole sessions: those of which every record stands in one batch.
//!
//! Where connections are short, nearly all are. Whoever tracks sessions in order need not look for the backend of each of their
//! records by its pid, nor ask whether one will be refused after all: that is found out here, where batches are
//! decoded, by many threads.

use super::{Item, TextId};
use crate::event::EventKind;
use crate::log_time::Zone;
use crate::record::{BackendType, SessionId};

/// Sessions that are followed at once: of two whose pids share a place the later one is.
const PLACES: usize = 256;

/// Records of a session before its disconnection: received, authenticated, authorized, ready.
const RECORDS_MAX: usize = 4;

/// Events of a whole session, and all in between, are no further than this from the first: a connection that waits for minutes is
/// taken for a probe, and whoever tracks it tells that by the time of any event.
const SPAN_MS: u64 = 30_000;

/// All events of a whole session have the same slot, and from its first to its last no other session has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    /// How many there are.
    pub const COUNT: usize = PLACES;

    /// Its number, below [`Slot::COUNT`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The sessions that may turn out to be whole.
#[derive(Debug)]
pub(super) struct Whole {
    places: Box<[Place; PLACES]>,
    /// No session that began before this item is whole.
    since: u32,
    /// Its time, or that of the first one after it that has one; at first the least.
    since_ms: i64,
    /// And its zone.
    since_zone: Zone<TextId>,
}

/// A session that has begun.
#[derive(Clone, Copy, Debug)]
struct Place {
    pid: u32,
    session_id: Option<SessionId>,
    is_authorized: bool,
    /// How many records it has; 0: nobody is here.
    len: u8,
    /// Where they are among the items.
    records: [u32; RECORDS_MAX],
}

impl Place {
    const FREE: Place = Place {
        pid: 0,
        session_id: None,
        is_authorized: false,
        len: 0,
        records: [0; RECORDS_MAX],
    };
}

impl Default for Whole {
    fn default() -> Self {
        Whole {
            places: Box::new([Place::FREE; PLACES]),
            since: 0,
            since_ms: i64::MIN,
            since_zone: Zone::Epoch,
        }
    }
}

impl Whole {
    pub(super) fn clear(&mut self) {
        self.places.fill(Place::FREE);
        self.since = 0;
        self.since_ms = i64::MIN;
    }

    /// The item that came last may end sessions, or begin them unseen.
    fn interrupt(&mut self, items: &[Item]) {
        self.since = items.len() as u32;
        self.since_ms = i64::MIN;
    }

    /// Looks at the item that came last: where it ends a whole session, all events of that get their slot.
    #[inline(always)]
    pub(super) fn follow(&mut self, items: &mut [Item]) {
        let Some((Item::Event(event, slot), earlier)) = items.split_last_mut() else {
            return self.interrupt(items);
        };
        let Some(pid) = event.pid else {
            return self.interrupt(items);
        };
        let item = earlier.len() as u32;
        if let Some(time) = event.log_time
            && (time.wall_ms.abs_diff(self.since_ms) > SPAN_MS || time.zone != self.since_zone)
        {
            self.since = item;
            self.since_ms = time.wall_ms;
            self.since_zone = time.zone;
        }
        let number = pid as usize % PLACES;
        let place = &mut self.places[number];
        let goes_on = place.pid == pid
            && place.records[0] >= self.since
            && place.session_id == event.session_id
            && event.backend_type != Some(BackendType::Other);
        let len = if goes_on { usize::from(place.len) } else { 0 };
        let fits = match event.kind {
            EventKind::Received { .. } => {
                *place = Place {
                    pid,
                    session_id: event.session_id,
                    is_authorized: false,
                    len: 1,
                    records: [item; RECORDS_MAX],
                };
                return;
            }
            EventKind::Authenticated { .. } => len == 1 && !place.is_authorized,
            EventKind::Authorized { .. } => len > 0 && !place.is_authorized,
            EventKind::Ready { .. } => len < RECORDS_MAX && len > 0 && place.is_authorized,
            EventKind::Disconnected { .. } if len > 0 && place.is_authorized => {
                let its = Some(Slot(number as u8));
                *slot = its;
                for &record in &place.records[..len] {
                    if let Some(Item::Event(_, slot)) = earlier.get_mut(record as usize) {
                        *slot = its;
                    }
                }
                place.len = 0;
                return;
            }
            EventKind::Server(_) | EventKind::Setting { .. } => return self.interrupt(items),
            _ => false,
        };
        if fits {
            place.records[len] = item;
            place.len += 1;
            place.is_authorized |= matches!(event.kind, EventKind::Authorized { .. });
        } else if place.pid == pid {
            place.len = 0;
        }
    }
}

#[cfg(test)]
mod tests;
