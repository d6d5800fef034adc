//! The plain form of the lines of which a log of connections consists: names without a `=` or quote in them, no TLS, a
//! port of digits. They can be read in one way only, so they are read at once.
//!
//! What is not plain is `None` here and left to the table of messages, which says the same of all that is
//! (`plain_lines_are_read_as_all_others`).

use memchr::memchr;

use super::parse::{known, session_time_ms};
use super::{first_line, opening_line, session_line};
use crate::event::EventKind;
use crate::log_time::seconds_and_ms;
use crate::near;
use crate::record::{Client, Record, Severity};

/// What of a message recurs in a log, and what is new in each.
pub(crate) struct Parts<'m> {
    /// Messages of which this is the same say the same but for the rest.
    pub(crate) recurs: &'m [u8],
    /// Of a disconnection.
    pub(crate) session_time_ms: Option<u64>,
    /// Of a client on TCP.
    pub(crate) port: Option<&'m [u8]>,
}

/// Takes a message apart that may be plain.
#[inline(always)]
pub(crate) fn parts(message: &[u8]) -> Option<Parts<'_>> {
    if let Some(rest) = message.strip_prefix(b"disconnection: session time: ") {
        let (ms, len) = short_session_time(rest).or_else(|| {
            let len = memchr(b' ', rest)?;
            Some((session_time_ms(&rest[..len])?, len))
        })?;
        let (recurs, port) = split_port(&rest[len..]);
        return Some(Parts {
            recurs,
            session_time_ms: Some(ms),
            port,
        });
    }
    let rest = message.strip_prefix(b"connection ")?;
    let (recurs, port) = if rest.starts_with(b"received: ") {
        split_port(message)
    } else {
        (message, None)
    };
    Some(Parts {
        recurs,
        session_time_ms: None,
        port,
    })
}

/// A session time of less than ten hours, with the space behind it, and its length.
#[inline(always)]
fn short_session_time(text: &[u8]) -> Option<(u64, usize)> {
    let (
        &[
            hours @ b'0'..=b'9',
            b':',
            m1 @ b'0'..=b'5',
            m0 @ b'0'..=b'9',
        ],
        rest,
    ) = text.split_first_chunk()?
    else {
        return None;
    };
    let (ms, len) = seconds_and_ms(*rest.first_chunk()?)?;
    let digit = |digit: u8| u64::from(digit - b'0');
    let minutes = digit(hours) * 60 + digit(m1) * 10 + digit(m0);
    (rest[len] == b' ').then_some((minutes * 60_000 + ms as u64, 4 + len))
}

/// Takes ` port=51842` off the end.
#[inline(always)]
fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let digits = text
        .last_chunk()
        .map_or(0, |text| near::digits_at_end(*text));
    let (rest, port) = text.split_at(text.len() - digits);
    match rest.strip_suffix(b" port=") {
        Some(rest) if (1..=5).contains(&port.len()) => (rest, Some(port)),
        _ => (text, None),
    }
}

/// The server can have written this in such a record, and all names that the record has are the same.
pub(crate) fn is_trusted<'m, T: Copy>(
    record: &Record<'_>,
    kind: &EventKind<T>,
    text: impl Fn(T) -> &'m [u8],
) -> bool {
    let is_user = |said| known(record.user.as_ref()).is_none_or(|user| user == text(said));
    let is_database = |said: Option<T>| {
        let database = known(record.database.as_ref());
        database.is_none_or(|database| Some(database) == said.map(&text))
    };
    let is_host = |said| {
        let host = known(record.client.as_ref().map(|client| &client.host));
        host.is_none_or(|host| host == text(said))
    };
    let is_line = match *kind {
        EventKind::Received { client } => is_host(client.host) && first_line(record).is_some(),
        EventKind::Authenticated { .. } => opening_line(record).is_some(),
        EventKind::Authorized { user, database, .. } => {
            is_user(user) && is_database(database) && opening_line(record).is_some()
        }
        EventKind::Disconnected {
            user,
            database,
            client,
            ..
        } => {
            is_user(user)
                && is_database(database)
                && is_host(client.host)
                && session_line(record).is_some()
        }
        _ => false,
    };
    is_line && record.severity == Severity::Log
}

/// What a message says, where it is plain and its record has no names of its own.
pub(crate) fn plain(message: &[u8]) -> Option<EventKind<&[u8]>> {
    if let Some(rest) = message.strip_prefix(b"connection received: host=") {
        let client = client(rest)?;
        return Some(EventKind::Received { client });
    }
    if let Some(rest) = message.strip_prefix(b"disconnection: session time: ") {
        return disconnected(rest);
    }
    if let Some(rest) = message.strip_prefix(b"connection authorized: user=") {
        return authorized(rest);
    }
    authenticated(message.strip_prefix(b"connection authenticated: identity=\"")?)
}

/// `10.0.0.7 port=51842`, `[local]`
fn client(text: &[u8]) -> Option<Client<&[u8]>> {
    let Some(space) = text.iter().position(|&b| b == b' ') else {
        let is_host = !text.is_empty() && !text.contains(&b'=');
        return is_host.then_some(Client {
            host: text,
            port: None,
        });
    };
    let (host, port) = text.split_at(space);
    let port = port.strip_prefix(b" port=")?;
    let is_port = (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    (is_port && space > 0).then_some(Client {
        host,
        port: Some(port),
    })
}

/// Splits `x keyword=y` at the first `=`, where the keyword is before it.
fn split<'m>(text: &'m [u8], keyword: &[u8]) -> Option<(&'m [u8], &'m [u8])> {
    let (name, value) = text.split_at(memchr(b'=', text)? + 1);
    Some((name.strip_suffix(keyword)?, value))
}

/// `app" method=md5 (/data/pg_hba.conf:11)`
fn authenticated(text: &[u8]) -> Option<EventKind<&[u8]>> {
    let (identity, rest) = text.split_at(memchr(b'"', text)?);
    let rest = rest.strip_prefix(b"\" method=")?.strip_suffix(b")")?;
    if memchr(b'"', rest).is_some() {
        return None;
    }
    let (method, rest) = rest.split_at(memchr(b' ', rest)?);
    let hba = rest.strip_prefix(b" (")?;
    let digits = hba.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let is_line = digits > 0 && hba[..hba.len() - digits].ends_with(b":");
    (is_line && !method.is_empty()).then_some(EventKind::Authenticated {
        identity: Some(identity),
        method,
        hba,
    })
}

/// `app database=shop application_name=web`
fn authorized(text: &[u8]) -> Option<EventKind<&[u8]>> {
    let (user, rest) = split(text, b" database=")?;
    let (database, application_name) = if memchr(b'=', rest).is_none() {
        (rest, None)
    } else {
        let (database, name) = split(rest, b" application_name=")?;
        if memchr(b'=', name).is_some() {
            return None;
        }
        (database, Some(name).filter(|name| !name.is_empty()))
    };
    Some(EventKind::Authorized {
        replication: false,
        user,
        database: Some(database),
        application_name,
        tls: None,
    })
}

/// `0:01:02.345 user=app database=shop host=10.0.0.7 port=51842`
fn disconnected(text: &[u8]) -> Option<EventKind<&[u8]>> {
    let (time, rest) = split(text, b" user=")?;
    let (user, rest) = split(rest, b" database=")?;
    let (database, rest) = split(rest, b" host=")?;
    Some(EventKind::Disconnected {
        session_time_ms: session_time_ms(time)?,
        user,
        database: Some(database).filter(|database| !database.is_empty()),
        client: client(rest)?,
    })
}
