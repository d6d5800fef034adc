//! Names: users, databases, applications and client hosts as small integers.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::groups::Groups;
use crate::session::ServerId;

/// A dimension by which sessions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// `datname`
    Database,
    /// the role
    User,
    /// `application_name`
    ApplicationName,
    /// the client's address or name
    ClientHost,
    /// the postmaster: no text of a log names it, see [`Names::of_servers`]
    Server,
}

impl Dimension {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Dimension; 5] = [
        Dimension::Database,
        Dimension::User,
        Dimension::ApplicationName,
        Dimension::ClientHost,
        Dimension::Server,
    ];

    /// Those that the log itself has names of.
    pub const NAMED: [Dimension; 4] = [
        Dimension::Database,
        Dimension::User,
        Dimension::ApplicationName,
        Dimension::ClientHost,
    ];

    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Dimension::Database => "database",
            Dimension::User => "user",
            Dimension::ApplicationName => "application_name",
            Dimension::ClientHost => "client_host",
            Dimension::Server => "server",
        }
    }
}

/// A name of one dimension. Names past the bound of [`Names`] share [`NameId::OTHER`] and carry their
/// text themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// Its number in its dimension.
    pub id: NameId,
    /// One pointer, which nearly all names spend for nothing, and not two.
    overflow: Option<Box<Overflow>>,
}

/// The text of a name that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Overflow(Box<[u8]>);

impl From<NameId> for Name {
    fn from(id: NameId) -> Name {
        Name { id, overflow: None }
    }
}

/// The number of a name in its dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

impl NameId {
    /// No name: shown as `unknown` in tables, null in sessions.
    pub const ABSENT: NameId = NameId(0);
    /// Names beyond the bound: shown as `(other)`.
    pub const OTHER: NameId = NameId(1);
    /// The first name of a dimension.
    const FIRST: NameId = NameId(2);

    /// That of a name; [`NameId::ABSENT`] where there is none.
    pub fn of(name: Option<&Name>) -> NameId {
        name.map_or(NameId::ABSENT, |name| name.id)
    }
}

impl From<ServerId> for NameId {
    /// Servers are numbered once, by their position in the run: [`Names::of_servers`] keeps to it.
    fn from(server: ServerId) -> NameId {
        NameId(NameId::FIRST.0 + u32::from(server.0))
    }
}

/// At most this many names are kept, over all dimensions…
pub const NAMES_MAX: usize = 100_000;
/// …and at most this many bytes of them.
pub const NAME_BYTES_MAX: usize = 16 << 20;

/// An application has so many bytes of a name at most, as in `pg_stat_activity`: the setting is cut to `NAMEDATALEN` - 1
/// (`GUC_IS_NAME` in `guc_tables.c`), after `connection authorized` has told all of it.
pub const APPLICATION_NAME_MAX: usize = 63;

/// All names of a run: text ↔ number, by dimension, bounded by [`NAMES_MAX`] and [`NAME_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Names {
    dimensions: [Table; Dimension::ALL.len()],
    names: usize,
    bytes: usize,
    overflowed: bool,
    /// Which of them come together.
    pub groups: Groups,
}

#[derive(Debug)]
struct Table {
    ids: FxHashMap<Arc<[u8]>, NameId>,
    texts: Vec<Arc<[u8]>>,
}

impl Default for Table {
    fn default() -> Self {
        Table {
            ids: FxHashMap::default(),
            texts: vec![Arc::from(*b"unknown"), Arc::from(*b"(other)")],
        }
    }
}

impl Names {
    /// No names yet but those of the servers, by [`ServerId`]: the run has them, so the bounds are not for them.
    pub fn of_servers<'s>(servers: impl IntoIterator<Item = &'s str>) -> Names {
        let mut names = Names::default();
        let texts = &mut names.dimensions[Dimension::Server as usize].texts;
        texts.extend(servers.into_iter().map(|name| name.as_bytes().into()));
        names
    }

    /// One more server, whose [`ServerId`] comes next.
    pub fn add_server(&mut self, name: &str) {
        let texts = &mut self.dimensions[Dimension::Server as usize].texts;
        texts.push(name.as_bytes().into());
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        let texts = &self.dimensions[Dimension::Server as usize].texts;
        texts.len() - NameId::FIRST.0 as usize
    }

    /// The server of this name, by its [`ServerId`].
    pub fn server(&self, name: &str) -> Option<usize> {
        let texts = &self.dimensions[Dimension::Server as usize].texts;
        let mut servers = texts.iter().skip(NameId::FIRST.0 as usize);
        servers.position(|text| **text == *name.as_bytes())
    }

    /// The name with this text in this dimension, see [`APPLICATION_NAME_MAX`]; a new one where there is room.
    pub fn name(&mut self, dimension: Dimension, text: &[u8]) -> Name {
        let text = match dimension {
            Dimension::ApplicationName => &text[..text.len().min(APPLICATION_NAME_MAX)],
            _ => text,
        };
        let table = &mut self.dimensions[dimension as usize];
        if let Some(&id) = table.ids.get(text) {
            return Name { id, overflow: None };
        }
        if self.names >= NAMES_MAX || self.bytes + text.len() > NAME_BYTES_MAX {
            self.overflowed = true;
            return Name {
                id: NameId::OTHER,
                overflow: Some(Box::new(Overflow(text.into()))),
            };
        }
        self.names += 1;
        self.bytes += text.len();
        let id = NameId(table.texts.len() as u32);
        let text: Arc<[u8]> = text.into();
        table.texts.push(text.clone());
        table.ids.insert(text, id);
        Name { id, overflow: None }
    }

    /// The text of a name.
    pub fn text<'a>(&'a self, dimension: Dimension, name: &'a Name) -> &'a [u8] {
        match &name.overflow {
            Some(overflow) => &overflow.0,
            None => self.text_of(dimension, name.id),
        }
    }

    /// The text of a number: `unknown` and `(other)` for the two special ones.
    pub fn text_of(&self, dimension: Dimension, id: NameId) -> &[u8] {
        self.dimensions[dimension as usize]
            .texts
            .get(id.0 as usize)
            .map_or(b"", |text| text)
    }

    /// All kept names of a dimension.
    pub fn all(&self, dimension: Dimension) -> impl Iterator<Item = &[u8]> {
        self.dimensions[dimension as usize]
            .texts
            .iter()
            .skip(NameId::FIRST.0 as usize)
            .map(|text| &**text)
    }

    /// A name did not find room: tables have an `(other)`.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }
}
