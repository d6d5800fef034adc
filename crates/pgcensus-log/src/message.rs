//! The message of a record: what it says about a connection, a session or the server.
//!
//! One [`TABLE`] holds every message that matters, with its severity, versions and SQLSTATE. A record is
//! compared with the rows that share its first byte, in the order of the table; what is left is to
//! read the variable parts and to ask whether the record could have come from where such a message
//! comes from, since `RAISE LOG` writes any text and names hold any bytes.
//!
//! ```text
//! LOG "connection received: host=10.0.0.7 port=51842"  ─►  Received { client }
//! FATAL "role \"app\" does not exist"                  ─►  Refused { RoleUnknown, user: app, … }, 28000
//! LOG "shutting down", but user=app                    ─►  Untrusted
//! ```
//!
//! Translated messages are not known here: `translation` has made them English.

mod parse;
mod pattern;
pub(crate) mod plain;
mod table;
#[cfg(test)]
mod tests;

pub use table::{Hole, Meaning, Message, TABLE};

use crate::event::{EndReason, EventKind, ProbeReason, RefusalReason, ServerEvent};
use crate::near;
use crate::record::{BackendType, Record, Severity, Sqlstate};

/// What [`classify`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Classified<'m> {
    /// The message says nothing about sessions, as the great majority.
    Nothing,
    /// What it says, and the SQLSTATE that its text implies; the record's own, where it carries one,
    /// is better.
    Event(EventKind<&'m [u8]>, Option<Sqlstate>),
    /// It has the text of a message of the table, but the server cannot have written it so: torn, or
    /// forged by `RAISE LOG` or by a name.
    Untrusted,
}

/// What the message of a record says about a connection, a session or the server.
///
/// A FATAL that is in no row is a refusal for [`RefusalReason::Other`], unless its backend type says
/// that it is no session's. Whether a session had already begun is for the caller to know.
pub fn classify<'m>(record: &'m Record<'_>) -> Classified<'m> {
    let message = record.message.as_ref();
    for (row, head_len) in rows_for(message) {
        if row.severity != record.severity {
            continue;
        }
        let (text, rest) = (&row.text.as_bytes()[head_len..], &message[head_len..]);
        if let Some(classified) = read(record, row, text, rest) {
            return classified;
        }
    }
    match record.severity {
        Severity::Fatal if !is_background(record) => refused(
            RefusalReason::Other,
            false,
            None,
            &[],
            [&[]; pattern::HOLES],
        ),
        _ => Classified::Nothing,
    }
}

/// A message of severity LOG or WARNING is in the table, as far as its head tells. FATALs are told by their severity.
pub(crate) fn is_candidate(message: &[u8]) -> bool {
    may_be_row(message) && rows_for(message).any(|(row, _)| row.severity != Severity::Fatal)
}

/// Some row has this text, of whatever severity.
pub fn is_in_table(message: &[u8]) -> bool {
    rows_fitting(message).next().is_some()
}

/// The rows that the whole of a message fits, of whatever severity.
pub(crate) fn rows_fitting(message: &[u8]) -> impl Iterator<Item = &'static Message> {
    rows_for(message)
        .filter(|(row, head_len)| {
            let (text, rest) = (&row.text.as_bytes()[*head_len..], &message[*head_len..]);
            pattern::holes(text, rest, |_| None).is_some()
        })
        .map(|(row, _)| row)
}

/// A message of the table begins so, of whatever severity.
pub(crate) fn begins_row(message: &[u8]) -> bool {
    rows_for(message).any(|(_, head_len)| head_len > 0)
}

/// It may be one, as far as its first bytes tell: nearly no other is. Quotes, which csv and json escape, are not among them.
pub(crate) fn may_be_row(message: &[u8]) -> bool {
    // Not of two lines: what the first one is must not depend on where a chunk ends.
    message
        .first_chunk()
        .is_some_and(|head| may_begin(*head) && !near::has(b'\n', *head))
}

/// The same for the first bytes of a message.
#[inline]
fn may_begin(head: [u8; 8]) -> bool {
    let [a, b, c, d, ..] = head;
    let bit = Heads::bit(u32::from_le_bytes([a, b, c, d]));
    HEADS.bits[bit / 64] >> (bit % 64) & 1 == 1
}

/// The first four bytes of each row that is no FATAL, hashed.
struct Heads {
    bits: [u64; 64],
}

impl Heads {
    const fn bit(head: u32) -> usize {
        (head.wrapping_mul(0x9e37_79b1) >> 20) as usize
    }
}

static HEADS: Heads = {
    let mut heads = Heads { bits: [0; 64] };
    let mut row = 0;
    while row < TABLE.len() {
        let text = TABLE[row].text.as_bytes();
        if !matches!(TABLE[row].severity, Severity::Fatal) {
            let bit = Heads::bit(u32::from_le_bytes([text[0], text[1], text[2], text[3]]));
            heads.bits[bit / 64] |= 1 << (bit % 64);
        }
        row += 1;
    }
    heads
};

/// The rows of the table whose text up to its first hole begins the message, in order, with the length of that.
fn rows_for(message: &[u8]) -> impl Iterator<Item = (&'static Message, usize)> {
    let first = message.first().map_or(0, |&b| usize::from(b));
    let mut next = INDEX.first.get(first).copied().unwrap_or(END);
    std::iter::from_fn(move || {
        loop {
            let at = usize::from(next);
            let row = TABLE.get(at)?;
            next = INDEX.next[at];
            let head_len = usize::from(INDEX.head_len[at]);
            let Some(head) = message.get(..head_len) else {
                continue;
            };
            // Rows that begin alike differ here, so that hardly any is compared as a whole.
            let differs = |end: &[u8; 8]| u64::from_le_bytes(*end) != INDEX.head_end[at];
            if head.last_chunk().is_none_or(|end| !differs(end))
                && head == &row.text.as_bytes()[..head_len]
            {
                return Some((row, head_len));
            }
        }
    })
}

/// The rows of one first byte as a chain, so that a message meets a handful of rows instead of two
/// hundred, made by the compiler from the table.
struct Index {
    first: [u8; 128],
    next: [u8; TABLE.len()],
    head_len: [u8; TABLE.len()],
    /// The last eight bytes of the head, or as many as there are.
    head_end: [u64; TABLE.len()],
}

const END: u8 = u8::MAX;

static INDEX: Index = {
    assert!(TABLE.len() < END as usize, "rows are numbered by a byte");
    let mut index = Index {
        first: [END; 128],
        next: [END; TABLE.len()],
        head_len: [0; TABLE.len()],
        head_end: [0; TABLE.len()],
    };
    let mut row = TABLE.len();
    while row > 0 {
        row -= 1;
        let first = TABLE[row].text.as_bytes()[0] as usize;
        index.next[row] = index.first[first];
        index.first[first] = row as u8;
        let head_len = pattern::head_len(TABLE[row].text);
        index.head_len[row] = head_len as u8;
        let head = TABLE[row].text.as_bytes().split_at(head_len).0;
        index.head_end[row] = near::word(head.split_at(head_len.saturating_sub(8)).1);
    }
    index
};

/// What a message says whose head is that of a row; `None`: its rest is not, another row may fit.
/// `text` and `rest` are text and message after the head.
fn read<'m>(
    record: &'m Record<'_>,
    row: &Message,
    text: &[u8],
    rest: &'m [u8],
) -> Option<Classified<'m>> {
    let kind = match row.meaning {
        Meaning::Received => first_line(record).and_then(|()| parse::received(record, rest)),
        Meaning::IdentityAuthenticated => {
            opening_line(record).and_then(|()| parse::authenticated_identity(rest))
        }
        Meaning::UserAuthenticated => {
            opening_line(record).and_then(|()| parse::authenticated_user(record, rest))
        }
        Meaning::Authorized => opening_line(record).and_then(|()| parse::authorized(record, rest)),
        Meaning::AuthorizedWalsender => {
            opening_line(record).and_then(|()| parse::authorized_walsender(record, rest))
        }
        Meaning::Ready => session_line(record).and_then(|()| parse::ready(rest)),
        Meaning::Disconnected => {
            session_line(record).and_then(|()| parse::disconnected(record, rest))
        }
        _ => {
            let known = |position| known_hole(record, row, position);
            let holes = pattern::holes(text, rest, known)?;
            return Some(read_holes(record, row, holes));
        }
    };
    Some(event_or_untrusted(kind, row.sqlstate))
}

fn event_or_untrusted(
    kind: Option<EventKind<&[u8]>>,
    sqlstate: Option<Sqlstate>,
) -> Classified<'_> {
    match kind {
        Some(kind) => Classified::Event(kind, sqlstate),
        None => Classified::Untrusted,
    }
}

/// What the record itself says about a hole of a refusal.
fn known_hole<'m>(record: &'m Record<'_>, row: &Message, position: usize) -> Option<&'m [u8]> {
    let (Meaning::Refused(_, holes) | Meaning::RefusedAuthorized(_, holes)) = row.meaning else {
        return None;
    };
    match holes.get(position)? {
        Hole::Host => record.client.as_ref().map(|client| client.host.as_ref()),
        Hole::User => parse::known(record.user.as_ref()),
        Hole::Database => parse::known(record.database.as_ref()),
        Hole::Tls => None,
    }
}

/// What a message of a row says whose text fits as a whole.
fn read_holes<'m>(
    record: &'m Record<'_>,
    row: &Message,
    holes: [&'m [u8]; pattern::HOLES],
) -> Classified<'m> {
    let sqlstate = row.sqlstate;
    let kind = match row.meaning {
        Meaning::Refused(..)
        | Meaning::RefusedAuthorized(..)
        | Meaning::Probe(_)
        | Meaning::Ending(_)
            if is_background(record) =>
        {
            return Classified::Nothing;
        }
        Meaning::Refused(reason, names) => return refused(reason, false, sqlstate, names, holes),
        Meaning::RefusedAuthorized(reason, names) => {
            return refused(reason, true, sqlstate, names, holes);
        }
        // The same texts as in the negotiation, when an encrypted session breaks the protocol.
        Meaning::Probe(ProbeReason::GssFailed) if parse::known(record.user.as_ref()).is_some() => {
            raised_by_server(record).map(|()| EventKind::Ending {
                reason: EndReason::ProtocolError,
                fatal: false,
            })
        }
        Meaning::Probe(reason) => first_line(record).map(|()| EventKind::Probe { reason }),
        Meaning::CancelRequest => first_line(record).map(|()| EventKind::CancelRequest),
        Meaning::Ending(reason) => {
            let fatal = row.severity == Severity::Fatal;
            // A FATAL is never raised by SQL. It has the CONTEXT of the function that it interrupts.
            (fatal || !record.has_context).then_some(EventKind::Ending { reason, fatal })
        }
        Meaning::NoSession => {
            if record.client.is_none() && parse::known(record.user.as_ref()).is_none() {
                return Classified::Nothing;
            }
            return refused(RefusalReason::Other, false, sqlstate, &[], holes);
        }
        Meaning::Starting => {
            let major = major_version(holes[0]);
            server_line(record).map(|()| EventKind::Server(ServerEvent::Starting { major }))
        }
        Meaning::Server(event) => server_line(record).map(|()| EventKind::Server(event)),
        Meaning::ChildCrashed => server_line(record)
            .and_then(|()| u32::try_from(parse::number(holes[0])?).ok())
            .map(|pid| EventKind::Server(ServerEvent::ChildCrashed { pid })),
        Meaning::SettingChanged => server_line(record).map(|()| EventKind::Setting {
            name: holes[0],
            value: Some(holes[1]),
        }),
        Meaning::SettingReset => server_line(record).map(|()| EventKind::Setting {
            name: holes[0],
            value: None,
        }),
        Meaning::Received
        | Meaning::IdentityAuthenticated
        | Meaning::UserAuthenticated
        | Meaning::Authorized
        | Meaning::AuthorizedWalsender
        | Meaning::Ready
        | Meaning::Disconnected => None,
    };
    event_or_untrusted(kind, sqlstate)
}

/// A refusal with what its holes name.
fn refused<'m>(
    reason: RefusalReason,
    after_authorized: bool,
    sqlstate: Option<Sqlstate>,
    names: &[Hole],
    holes: [&'m [u8]; pattern::HOLES],
) -> Classified<'m> {
    let hole = |name| {
        let position = names.iter().position(|&hole| hole == name)?;
        holes.get(position).copied()
    };
    let kind = EventKind::Refused {
        reason,
        after_authorized,
        host: hole(Hole::Host),
        user: hole(Hole::User),
        database: hole(Hole::Database),
        tls: hole(Hole::Tls).and_then(|text| match text {
            b"SSL encryption" | b"SSL on" => Some(true),
            b"no encryption" | b"SSL off" | b"GSS encryption" => Some(false),
            _ => None,
        }),
    };
    Classified::Event(kind, sqlstate)
}

/// `16` of `16.14 on x86_64-pc-linux-gnu, …`, `15.18 (Debian …) on …`, `18beta1 on …`.
fn major_version(text: &[u8]) -> Option<u16> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    u16::try_from(parse::number(&text[..digits])?).ok()
}

/// A process that serves no client.
fn is_background(record: &Record<'_>) -> bool {
    record.backend_type == Some(BackendType::Other)
}

// Could a record with these fields be such a line? `RAISE LOG` runs in a session, inside a function or a
// DO block: it has CONTEXT (not where `log_error_verbosity` is terse), STATEMENT, names, and a
// command tag.

/// `connection received` and what else is written before the names are known.
fn first_line(record: &Record<'_>) -> Option<()> {
    let unnamed = is_unset(record.user.as_ref()) && is_unset(record.database.as_ref());
    let trusted = unnamed && is_unset(record.command_tag.as_ref()) && !is_background(record);
    trusted.then_some(())?;
    is_unset(record.application_name.as_ref()).then_some(())?;
    raised_by_server(record)
}

/// `connection authenticated`, `connection authorized`: `application_name` is not set yet. The command
/// tag is empty throughout where `update_process_title` is off.
fn opening_line(record: &Record<'_>) -> Option<()> {
    let tag = record.command_tag.as_deref().unwrap_or_default();
    let early = matches!(tag, b"" | b"authentication" | b"startup" | b"initializing");
    let unnamed = is_unset(record.application_name.as_ref());
    (early && unnamed && !is_background(record)).then_some(())?;
    raised_by_server(record)
}

/// `connection ready`, `disconnection`: any command tag, since the last one stays. A statement never:
/// it is forgotten at the exit.
fn session_line(record: &Record<'_>) -> Option<()> {
    (!is_background(record)).then_some(())?;
    raised_by_server(record)
}

/// Lines of the postmaster, the startup process and the checkpointer.
fn server_line(record: &Record<'_>) -> Option<()> {
    let background = matches!(record.backend_type, None | Some(BackendType::Other));
    let nobody = record.client.is_none()
        && is_unset(record.user.as_ref())
        && is_unset(record.database.as_ref())
        && is_unset(record.application_name.as_ref());
    (background && nobody && is_unset(record.command_tag.as_ref())).then_some(())?;
    raised_by_server(record)
}

fn raised_by_server(record: &Record<'_>) -> Option<()> {
    (!record.has_context && !record.has_statement).then_some(())
}

fn is_unset<T: AsRef<[u8]>>(value: Option<&T>) -> bool {
    value.is_none_or(|value| value.as_ref().is_empty())
}
