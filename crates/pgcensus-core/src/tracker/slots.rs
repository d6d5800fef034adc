//! Backends of whole sessions: each has a slot, and none is looked for by its pid.

use pgcensus_log::batch::Slot;

use super::backend::Backend;

/// The backends of one server that have slots.
#[derive(Debug)]
pub(super) struct Slots {
    backends: Box<[Option<Backend>; Slot::COUNT]>,
    taken: usize,
}

impl Default for Slots {
    fn default() -> Self {
        Slots {
            backends: Box::new([const { None }; Slot::COUNT]),
            taken: 0,
        }
    }
}

impl Slots {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn put(&mut self, slot: Slot, backend: Backend) -> &mut Backend {
        let place = &mut self.backends[slot.index()];
        self.taken += usize::from(place.is_none());
        place.insert(backend)
    }

    pub(super) fn get_mut(&mut self, slot: Option<Slot>) -> Option<&mut Backend> {
        self.backends[slot?.index()].as_mut()
    }

    pub(super) fn take(&mut self, slot: Option<Slot>) -> Option<Backend> {
        let backend = self.backends[slot?.index()].take()?;
        self.taken -= 1;
        Some(backend)
    }
}
