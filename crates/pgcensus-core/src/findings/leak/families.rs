//! Families: applications whose names differ by a number (`job-17`, `job-18`, `worker-3f2a`), so that each has too few sessions to be
//! judged by itself.
//!
//! What is open when a life of the server ends is gone afterwards, and names have their texts when the log has been read: so
//! the series of small groups are kept until then, of the last lives.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::super::address::folded;
use super::super::groups::{GroupId, Groups, Key};
use super::super::series::{Slot, blocks};
use super::{Growth, Leak, NET_MIN, Stop, Whose, growth};
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::ServerId;

/// Lives of which small groups are kept; of earlier ones no family is told.
pub(super) const LIVES_MAX: usize = 8;

/// Small groups of a server at an instant.
pub(super) struct Small {
    server: ServerId,
    until: Instant,
    stop: Stop,
    life: Instant,
    slots: growth::Slots,
    /// The slot up to which there are blocks.
    now: u32,
    server_open: i64,
    groups: Vec<(GroupId, Key, Vec<Slot>)>,
}

/// A family that may have grown: its groups, and the clients that they are of.
#[derive(Default)]
struct Family<'s> {
    groups: Vec<(GroupId, &'s [Slot])>,
    clients: BTreeMap<(NameId, NameId, NameId), Vec<Slot>>,
}

impl Leak {
    /// Keeps the small groups of a server, if there are enough of them to be a leak together.
    pub(super) fn keep_small(
        &mut self,
        groups: &Groups,
        (server, until, stop): (ServerId, Instant, Stop),
        life: Instant,
        (slots, now): (growth::Slots, u32),
    ) {
        let own = || {
            groups
                .iter()
                .filter(|(_, group)| group.key.server == server)
        };
        let mut connects: FxHashMap<NameId, u64> = FxHashMap::default();
        for (_, group) in own() {
            *connects.entry(group.key.application_name).or_default() += group.connects;
        }
        let is_small = |key: Key| {
            let has_name = ![NameId::ABSENT, NameId::OTHER].contains(&key.application_name);
            has_name && connects[&key.application_name] < NET_MIN as u64
        };
        let small = own().filter(|(_, group)| is_small(group.key));
        let small = small.map(|(id, group)| (id, group.key, self.slots(id).to_vec()));
        let small = Small {
            server,
            until,
            stop,
            life,
            slots,
            now,
            server_open: own().map(|(_, group)| group.open).sum(),
            groups: small.collect(),
        };
        let open = |(_, _, slots): &(GroupId, Key, Vec<Slot>)| -> i64 {
            slots.iter().map(|slot| i64::from(slot.net)).sum()
        };
        if small.groups.iter().map(open).sum::<i64>() < NET_MIN {
            return;
        }
        if self.small.len() == LIVES_MAX {
            self.small.pop_front();
        }
        self.small.push_back(small);
    }

    /// Families that grew.
    pub(super) fn families(&self, names: &Names) -> Vec<Growth> {
        let mut texts: Vec<Box<[u8]>> = Vec::new();
        let mut grown = Vec::new();
        for small in &self.small {
            for (text, family) in small.families(names) {
                let Some(growth) = self.grown_family(small, &family) else {
                    continue;
                };
                let number = texts.iter().position(|known| *known == text);
                let number = number.unwrap_or_else(|| {
                    texts.push(text.clone());
                    texts.len() - 1
                });
                grown.push(Growth {
                    whose: Whose::Family(number as u32),
                    family: Some(text),
                    ..growth
                });
            }
        }
        grown
    }

    fn grown_family(&self, small: &Small, family: &Family<'_>) -> Option<Growth> {
        let series: Vec<&[Slot]> = family.clients.values().map(Vec::as_slice).collect();
        let figures = growth::of(&series, blocks(small.now), small.slots)?;
        let added = |&(id, slots): &(GroupId, &[Slot])| {
            let later = slots.iter().filter(|slot| slot.begin >= figures.begin);
            (id, later.map(|slot| i64::from(slot.net)).sum())
        };
        Some(Growth {
            server: small.server,
            whose: Whose::Family(0),
            family: None,
            since: self.since(&figures)?.max(small.life),
            until: small.until,
            stop: small.stop,
            life: small.life,
            by: family.groups.iter().map(added).collect(),
            figures,
            server_open: small.server_open,
            traffic: None,
        })
    }
}

impl Small {
    /// Those that have enough sessions, by their names without the numbers.
    fn families(&self, names: &Names) -> BTreeMap<Box<[u8]>, Family<'_>> {
        let mut families: BTreeMap<Box<[u8]>, Family<'_>> = BTreeMap::new();
        for (id, key, slots) in &self.groups {
            let name = names.text_of(Dimension::ApplicationName, key.application_name);
            let family = families.entry(folded(name)).or_default();
            family.groups.push((*id, slots));
            // Another number is no other client.
            let client = (key.database, key.user, key.client_host);
            family.clients.entry(client).or_default().extend(slots);
        }
        families.retain(|_, family| family.groups.len() >= NET_MIN as usize);
        families
    }
}
