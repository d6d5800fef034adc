//! Plain messages of a batch: those of one session after the other differ in their time and port, and the rest is read
//! once.

use super::texts::Texts;
use super::{TextId, TextOf, keep};
use crate::event::EventKind;
use crate::message::plain::{parts, plain};
use crate::record::Client;

/// Longer messages are not looked up.
const LEN_MAX: usize = 256;

/// So many are known at once; another one at the same place takes it.
const PLACES: usize = 64;

/// What was read, by what of it recurs.
#[derive(Debug)]
pub(super) struct Known(Box<[Option<(TextId, EventKind<TextId>)>; PLACES]>);

impl Default for Known {
    fn default() -> Self {
        Known(Box::new([const { None }; PLACES]))
    }
}

impl Known {
    pub(super) fn clear(&mut self) {
        self.0.fill(None);
    }

    /// What a message says, if it is plain.
    pub(super) fn read(
        &mut self,
        message: &[u8],
        texts: &mut Texts,
        last: &mut [TextId; TextOf::Other as usize],
    ) -> Option<EventKind<TextId>> {
        let parts = parts(message).filter(|parts| parts.recurs.len() <= LEN_MAX)?;
        let id = texts.find_or_keep(parts.recurs);
        let place = &mut self.0[id.index() % PLACES];
        let mut kind = match place {
            Some((known, kind)) if *known == id => kind.clone(),
            _ => {
                let kind = plain(message)?.map(&mut |text, of| keep(texts, last, text, of));
                *place = Some((id, kind.clone()));
                kind
            }
        };
        let its_port = parts.port.map(|port| texts.keep(port));
        match &mut kind {
            EventKind::Received {
                client: Client { port, .. },
            } => *port = its_port,
            EventKind::Disconnected {
                session_time_ms,
                client: Client { port, .. },
                ..
            } => {
                *port = its_port;
                *session_time_ms = parts.session_time_ms?;
            }
            _ => {}
        }
        Some(kind)
    }
}
