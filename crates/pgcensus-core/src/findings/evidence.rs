//! Names in findings: their texts, and lists of them, the most first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Judge;
use super::finding::{Figure, Sentence};
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

/// Names that a figure lists.
pub(super) const LISTED_MAX: usize = 10;

/// Names with how many there are of each, the most first.
pub(super) fn ranked(counts: impl IntoIterator<Item = (NameId, u64)>) -> Vec<(NameId, u64)> {
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_unstable_by_key(|&(name, n)| (Reverse(n), name));
    ranked
}

/// Names, each once with all there are of it, the most first.
pub(super) fn summed(counts: impl IntoIterator<Item = (NameId, u64)>) -> Vec<(NameId, u64)> {
    let mut sums = BTreeMap::<NameId, u64>::new();
    for (name, n) in counts {
        *sums.entry(name).or_default() += n;
    }
    ranked(sums)
}

impl Judge<'_> {
    /// The text of a name.
    pub(super) fn text(&self, dimension: Dimension, name: NameId) -> &[u8] {
        self.known.names.text_of(dimension, name)
    }

    /// It as somebody whom a finding is about; `None`: it has no name.
    pub(super) fn who(&self, dimension: Dimension, name: NameId) -> Option<Box<[u8]>> {
        (name != NameId::ABSENT).then(|| self.text(dimension, name).into())
    }

    /// The one name of a list, where it has only one.
    pub(super) fn only(&self, dimension: Dimension, ranked: &[(NameId, u64)]) -> Option<Box<[u8]>> {
        match ranked {
            [(name, _)] => self.who(dimension, *name),
            _ => None,
        }
    }

    /// A list as a figure.
    pub(super) fn figure(&self, dimension: Dimension, ranked: &[(NameId, u64)]) -> Figure {
        let rows = ranked.iter().take(LISTED_MAX);
        let row = |&(name, n): &(NameId, u64)| (self.text(dimension, name).into(), n);
        Figure::Ranking(rows.map(row).collect())
    }

    /// `from 10.0.0.7`, `from 7 hosts`
    pub(super) fn say_hosts(&self, said: Sentence, ranked: &[(NameId, u64)]) -> Sentence {
        match ranked {
            [(NameId::ABSENT, _)] => said.text("from a host that the log does not name"),
            [(host, _)] => said
                .text("from ")
                .name(self.text(Dimension::ClientHost, *host)),
            hosts => said.text("from ").count(hosts.len() as u64).text(" hosts"),
        }
    }

    /// `role web`, `7 roles`
    pub(super) fn say_roles(&self, said: Sentence, users: &[(NameId, u64)]) -> Sentence {
        match self.only(Dimension::User, users) {
            Some(user) => said.text("role ").name(&user),
            None => said.counted(users.len() as u64, "role", "roles"),
        }
    }

    /// Sessions of a server that were seen to open.
    pub(super) fn connects(&self, server: ServerId) -> u64 {
        let groups = self.groups.iter().map(|(_, group)| group);
        let own = groups.filter(|group| group.key.server == server);
        own.map(|group| group.connects).sum()
    }
}
