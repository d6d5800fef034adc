//! Plain messages of a batch: those of one session after the other differ in their time and port, and the rest is read
//! once.

use super::texts::{Texts, mix};
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
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        message: &[u8],
        texts: &mut Texts,
        last: &mut [TextId; TextOf::Other as usize],
    ) -> Option<EventKind<TextId>> {
        let parts = parts(message).filter(|parts| parts.recurs.len() <= LEN_MAX)?;
        let place = &mut self.0[place(parts.recurs)];
        let mut kind = match place {
            Some((known, kind)) if texts.get(*known) == parts.recurs => kind.clone(),
            _ => {
                let kind = plain(message)?.map(&mut |text, of| keep(texts, last, text, of));
                *place = Some((texts.find_or_keep(parts.recurs), kind.clone()));
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

/// Where a text has its place: some of its bytes tell most of them apart, and they need not be told apart.
#[inline(always)]
fn place(text: &[u8]) -> usize {
    let middle = &text[text.len() / 2..];
    let words = [text.first_chunk(), middle.first_chunk(), text.last_chunk()];
    let words = words.map(|word| u64::from_le_bytes(word.copied().unwrap_or_default()));
    (words.into_iter().fold(text.len() as u64, mix) >> 32) as usize % PLACES
}
