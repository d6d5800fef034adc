//! Records in another language than their log, which its head and its tail need not show: a role, a database or a client may
//! have an `lc_messages` of its own.
//!
//! ```text
//! LOG:  disconnection: session time: 0:00:00.101 user=app database=shop host=[local]
//! LOG:  Verbindungsende: Sitzungszeit: 0:00:00.044 Benutzer=berta Datenbank=shop Host=[local]
//! ```
//!
//! How this works: the search for candidates looks up the first four bytes of each message in a table of bits. That has those
//! of every language, so that such a record costs what an English candidate does, and all others what they did. What is then
//! in no row of the English table is looked for in all languages at once; most logs never do.
//!
//! In csvlog severities are what is searched for, in English. Others are found by the SQLSTATE behind them, but only near bytes that are
//! no ASCII (`candidate.rs`).
//!
//! Not found: messages that begin with a name in ASCII; in csvlog, of pl, tr, uk, ru, ka, ko and zh, other SQLSTATEs than those that lines of
//! sessions have and most that end them: they say why one failed to begin, when a role's setting does not yet hold, or which way a client was
//! lost. Nor what a database without an encoding (`SQL_ASCII`) makes of these severities: Latin letters.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use super::messages::Before;
use super::table::{AUTHORIZED, LANGUAGES, MESSAGES};
use super::{Row, Shape, Translation, detect};
use crate::line_prefix::LinePrefix;
use crate::message::TABLE;
use crate::record::{Record, Severity};
use crate::translation::Rewriter;

/// All languages; made when the first such record comes.
static ALL: LazyLock<Arc<Translation>> = LazyLock::new(|| Translation::of(LANGUAGES));

/// The first four bytes of every message that may be a candidate in some language, hashed.
struct Heads {
    bits: [u64; 1 << 10],
}

static HEADS: Heads = Heads::new();

impl Heads {
    const fn new() -> Heads {
        let mut heads = Heads { bits: [0; 1 << 10] };
        let mut row = 0;
        while row < TABLE.len() {
            if !matches!(TABLE[row].severity, Severity::Fatal) {
                heads.add(TABLE[row].text);
            }
            row += 1;
        }
        let tables: [&[Row]; 2] = [MESSAGES, AUTHORIZED];
        let mut table = 0;
        while table < tables.len() {
            let mut row = 0;
            while row < tables[table].len() {
                let texts = tables[table][row].texts;
                let mut text = 0;
                while text < texts.len() {
                    heads.add(texts[text].1);
                    text += 1;
                }
                row += 1;
            }
            table += 1;
        }
        heads
    }

    const fn add(&mut self, text: &str) {
        if let Some(head) = text.as_bytes().first_chunk() {
            let bit = Heads::bit(u32::from_le_bytes(*head));
            self.bits[bit / 64] |= 1 << (bit % 64);
        }
    }

    const fn bit(head: u32) -> usize {
        (head.wrapping_mul(0x9e37_79b1) >> 16) as usize
    }
}

/// A message of the table in some language begins so, as far as its first four bytes tell. In other encodings than UTF-8 one
/// may begin with any byte that is no ASCII.
#[inline]
pub(crate) fn may_begin([a, b, c, d, ..]: [u8; 8]) -> bool {
    let head = u32::from_le_bytes([a, b, c, d]);
    let bit = Heads::bit(head);
    HEADS.bits[bit / 64] >> (bit % 64) & 1 == 1 || head & 0x8080_8080 != 0
}

/// It may be a message of another language, as far as its first bytes tell.
pub(crate) fn may_be(message: &[u8]) -> bool {
    detect::may_begin(message)
}

/// The severity that this word of csvlog names in some language.
pub(crate) fn severity(word: &[u8]) -> Option<Severity> {
    let (english, _) = ALL.words.severity(word)?;
    Severity::parse(english.as_bytes())
}

/// What an English server would have written, where the message is of another language.
pub(crate) fn english<'c>(record: &Record<'c>) -> Option<Record<'c>> {
    if !may_be(&record.message) {
        return None;
    }
    let host = record.client.as_ref().map(|client| &client.host);
    let names = [
        record.user.as_ref(),
        record.database.as_ref(),
        record.application_name.as_ref(),
        host,
    ];
    let names: Vec<&[u8]> = names.into_iter().flatten().map(AsRef::as_ref).collect();
    let before = Before {
        text: &names.join(&b' '),
        severity: Some(record.severity),
        escape: |name, out| out.extend_from_slice(name),
    };
    let message = ALL.messages.english(&record.message, before)?;
    Some(Record {
        message: Cow::Owned(message),
        ..record.clone()
    })
}

/// What turns a line of stderr whose label is of another language too into English.
pub(crate) fn rewriter(prefix: &LinePrefix) -> Rewriter {
    let mut rewriter = Rewriter::new(ALL.clone(), Shape::Stderr);
    rewriter.set_prefix(prefix.clone());
    rewriter
}
