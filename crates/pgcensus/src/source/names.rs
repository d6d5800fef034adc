//! What servers are called whose logs are known by their paths alone.
//!
//! ```text
//! /srv/a/data/log/pg.log, /srv/b/data/log/pg.log       a/data, b/data
//! /srv/a/data/log/pg.log alone                         data
//! ```
//!
//! Two directories are two servers, whatever they are called: a pid of one means nothing in the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::paths::{NAMELESS, debian_cluster, server_name};

/// The most of a path that is a name.
const PARTS_MAX: usize = 16;

/// The names of servers, by the directories that name them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerNames {
    names: BTreeMap<PathBuf, String>,
}

impl ServerNames {
    /// Names the servers whose logs lie at these paths.
    pub(super) fn of<'p>(canonical: impl IntoIterator<Item = &'p Path>) -> ServerNames {
        let places: BTreeSet<PathBuf> = canonical.into_iter().map(place).collect();
        let mut of_name: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for place in places {
            of_name.entry(name(&place, 0)).or_default().push(place);
        }
        let mut names = BTreeMap::new();
        for (short, places) in of_name {
            let are_apart = |parts: &usize| {
                let names = places.iter().map(|place| name(place, *parts));
                names.collect::<BTreeSet<_>>().len() == places.len()
            };
            let parts = match &places[..] {
                [_] => 0,
                _ => (2..PARTS_MAX).find(are_apart).unwrap_or(PARTS_MAX),
            };
            for place in &places {
                let name = if parts == 0 {
                    short.clone()
                } else {
                    name(place, parts)
                };
                names.insert(place.clone(), name);
            }
        }
        ServerNames { names }
    }

    /// The name of the server whose log lies at this path, be it a new one.
    pub(crate) fn name(&mut self, canonical: &Path) -> String {
        let place = place(canonical);
        if let Some(known) = self.names.get(&place) {
            return known.clone();
        }
        let is_free = |name: &String| self.names.values().all(|known| known != name);
        let mut longer = [0]
            .into_iter()
            .chain(2..=PARTS_MAX)
            .map(|parts| name(&place, parts));
        let name = longer.find(is_free).unwrap_or_else(|| name(&place, 0));
        self.names.insert(place, name.clone());
        name
    }
}

/// The directory by which a server is told: that which names it; of a cluster of Debian, whose logs lie beside those of
/// others, one that is not there.
fn place(canonical: &Path) -> PathBuf {
    let file = canonical.file_name().and_then(|name| name.to_str());
    let directory = canonical.parent().unwrap_or(Path::new("/"));
    if let Some(cluster) = file.and_then(debian_cluster) {
        return directory.join(cluster);
    }
    let is_named = |path: &&Path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| !NAMELESS.contains(&&*name))
    };
    let named = directory.ancestors().find(is_named);
    named.unwrap_or(directory).to_owned()
}

/// So many last parts of a place; none: its name, as short as it is.
fn name(place: &Path, parts: usize) -> String {
    let all: Vec<_> = place
        .iter()
        .map(|part| part.to_string_lossy())
        .filter(|part| part != "/")
        .collect();
    if parts == 0 || all.is_empty() {
        let short = server_name(&place.join("log"));
        // `16/main`
        let is_cluster = all.len() > 1 && crate::discover::is_version(&all[all.len() - 2]);
        return if is_cluster {
            format!("{}/{short}", all[all.len() - 2])
        } else {
            short
        };
    }
    all[all.len().saturating_sub(parts)..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_one_name_are_told_apart_by_what_is_above_them() {
        for (paths, expected) in [
            (
                &["/srv/a/data/log/pg.log", "/srv/a/data/pg_log/pg.csv"][..],
                &["data", "data"][..],
            ),
            (
                &["/srv/a/data/log/pg.log", "/srv/b/data/log/pg.log"],
                &["a/data", "b/data"],
            ),
            (
                &["/x/1/pg/data/pg.log", "/x/2/pg/data/pg.log", "/x/db/pg.log"],
                &["1/pg/data", "2/pg/data", "db"],
            ),
            (
                &[
                    "/var/log/postgresql/postgresql-16-main.log",
                    "/var/log/postgresql/postgresql-16-main.log.1",
                    "/var/log/postgresql/postgresql-15-main.log",
                ],
                &["16/main", "16/main", "15/main"],
            ),
            (&["/pg.log"], &["server"]),
        ] {
            let mut names = ServerNames::of(paths.iter().map(Path::new));
            let named: Vec<_> = paths
                .iter()
                .map(|path| names.name(Path::new(path)))
                .collect();
            assert_eq!(named, expected);
        }
        // One that comes later does not take the name of another.
        let mut names = ServerNames::of([Path::new("/srv/a/data/log/pg.log")]);
        assert_eq!(names.name(Path::new("/srv/b/data/log/pg.log")), "b/data");
        assert_eq!(names.name(Path::new("/srv/a/data/log/pg.2.log")), "data");
    }
}
