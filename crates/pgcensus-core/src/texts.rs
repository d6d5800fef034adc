//! The texts of a batch as names: each is looked up once a batch, however many events have it.

use std::sync::Arc;

use pgcensus_log::batch::{Batch, TextId};
use pgcensus_log::event::Tls;
use rustc_hash::FxHashMap;

use crate::groups::GroupId;
use crate::names::{Dimension, Name, NameId, Names};
use crate::session::{Session, SessionAuth, SessionTls};

/// The texts of one batch, and what they are called here.
pub struct Texts<'a> {
    batch: &'a Batch,
    names: &'a mut Names,
    known: &'a mut KnownTexts,
}

/// What was found out about the texts of the batch at hand. It has the size of a batch.
#[derive(Debug, Default)]
pub struct KnownTexts {
    /// By [`TextId::index`] and dimension; [`NameId::ABSENT`]: not looked up yet.
    names: Vec<[NameId; 4]>,
    auth: FxHashMap<(Option<TextId>, TextId, TextId), Arc<SessionAuth>>,
    tls: FxHashMap<(TextId, TextId, Option<u32>), Arc<SessionTls>>,
}

impl KnownTexts {
    /// Forgets those of the last batch.
    pub fn begin(&mut self, batch: &Batch) {
        self.names.clear();
        self.names.resize(batch.texts(), [NameId::ABSENT; 4]);
        self.auth.clear();
        self.tls.clear();
    }
}

impl<'a> Texts<'a> {
    /// Those of `batch`, for which `known` has [begun](KnownTexts::begin).
    pub fn new(batch: &'a Batch, names: &'a mut Names, known: &'a mut KnownTexts) -> Texts<'a> {
        Texts {
            batch,
            names,
            known,
        }
    }

    /// The bytes of a text.
    pub(crate) fn text(&self, id: TextId) -> &'a [u8] {
        self.batch.text(id)
    }

    /// It as a name of this dimension.
    pub(crate) fn name(&mut self, dimension: Dimension, id: TextId) -> Name {
        let known = &mut self.known.names[id.index()][dimension as usize];
        if *known != NameId::ABSENT {
            return Name::from(*known);
        }
        let name = self.names.name(dimension, self.batch.text(id));
        if name.id != NameId::OTHER {
            *known = name.id;
        }
        name
    }

    /// The group of a session that has all its names.
    pub(crate) fn group(&mut self, session: &Session) -> GroupId {
        self.names.groups.of(session)
    }

    /// It as a TCP port; `None` for the path of a client's socket.
    pub(crate) fn port(&self, id: TextId) -> Option<u16> {
        let text = self.text(id);
        (1..=5).contains(&text.len()).then_some(())?;
        let port = text.iter().try_fold(0u32, |port, digit| {
            digit
                .is_ascii_digit()
                .then(|| port * 10 + u32::from(digit - b'0'))
        })?;
        u16::try_from(port).ok()
    }

    pub(crate) fn auth(
        &mut self,
        identity: Option<TextId>,
        method: TextId,
        hba: TextId,
    ) -> Arc<SessionAuth> {
        let batch = self.batch;
        let auth = || {
            Arc::new(SessionAuth {
                identity: identity.map(|identity| batch.text(identity).into()),
                method: batch.text(method).into(),
                hba: batch.text(hba).into(),
            })
        };
        let known = &mut self.known.auth;
        known
            .entry((identity, method, hba))
            .or_insert_with(auth)
            .clone()
    }

    pub(crate) fn tls(&mut self, tls: Tls<TextId>) -> Arc<SessionTls> {
        let batch = self.batch;
        let known = &mut self.known.tls;
        let entry = known.entry((tls.protocol, tls.cipher, tls.bits));
        let new = || {
            Arc::new(SessionTls {
                protocol: batch.text(tls.protocol).into(),
                cipher: batch.text(tls.cipher).into(),
                bits: tls.bits,
            })
        };
        entry.or_insert_with(new).clone()
    }
}
