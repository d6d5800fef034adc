//! The variable parts of the five messages of a session's life.
//!
//! User, database and application name are printed as the client sent them, without quotes, so
//! ` database=` or a whole ` SSL enabled (…)` may be part of a name. Where the record carries the names
//! (prefix, csv, json), they decide; else the first keyword does. `None`: the text is not what the
//! server writes, or it contradicts the record: torn or forged.
//!
//! Source: `BackendInitialize`, `set_authn_id`, `PerformAuthentication`, `PostgresMain`
//! and `log_disconnections`.

use crate::event::{EventKind, Tls};
use crate::record::{Client, Record};

const APPLICATION_NAME: &[u8] = b" application_name=";

type Kind<'m> = EventKind<&'m [u8]>;

/// `10.0.0.7 port=51842` of `connection received: host=10.0.0.7 port=51842`; no port for a Unix socket.
pub(super) fn received<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<Kind<'m>> {
    let client = client(record, text)?;
    Some(EventKind::Received { client })
}

/// `app" method=md5 (/data/pg_hba.conf:11)` of
/// `connection authenticated: identity="app" method=md5 (/data/pg_hba.conf:11)`.
pub(super) fn authenticated_identity(text: &[u8]) -> Option<Kind<'_>> {
    let (identity, method, hba) = authenticated(text)?;
    Some(EventKind::Authenticated {
        identity: Some(identity),
        method,
        hba,
    })
}

/// The same with `user=` for `identity=`: the method proved nothing.
pub(super) fn authenticated_user<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<Kind<'m>> {
    let (user, method, hba) = authenticated(text)?;
    let same = known(record.user.as_ref()).is_none_or(|known| known == user);
    same.then_some(EventKind::Authenticated {
        identity: None,
        method,
        hba,
    })
}

/// Identities hold anything, a path of `pg_hba.conf` no quote.
fn authenticated(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let quote = memchr::memrchr(b'"', text)?;
    let (identity, rest) = (&text[..quote], &text[quote + 1..]);
    let rest = rest.strip_prefix(b" method=")?.strip_suffix(b")")?;
    let space = memchr::memchr(b' ', rest)?;
    let (method, hba) = (&rest[..space], rest[space + 1..].strip_prefix(b"(")?);
    let line = &hba[memchr::memrchr(b':', hba)? + 1..];
    let ok = !method.is_empty() && !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    ok.then_some((identity, method, hba))
}

/// `app database=shop application_name=web SSL enabled (…)` of `connection authorized: user=…`.
pub(super) fn authorized<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<Kind<'m>> {
    let user = known(record.user.as_ref());
    let database = known(record.database.as_ref());
    let (user, rest) = match (user, database) {
        (Some(user), _) => split_known(text, user)?,
        (None, Some(database)) => split_before_database(text, database)?,
        (None, None) => split_at_keyword(text, b" database=")?,
    };
    let rest = rest.strip_prefix(b" database=")?;
    let (database, (application_name, tls)) = name_and_tail(rest, database)?;
    Some(EventKind::Authorized {
        replication: false,
        user,
        database: Some(database),
        application_name,
        tls,
    })
}

/// `rep application_name=walreceiver SSL enabled (…)` of `replication connection authorized: user=…`. No
/// database, even where the walsender has one.
pub(super) fn authorized_walsender<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<Kind<'m>> {
    let (user, (application_name, tls)) = name_and_tail(text, known(record.user.as_ref()))?;
    Some(EventKind::Authorized {
        replication: true,
        user,
        database: None,
        application_name,
        tls,
    })
}

/// Splits `x application_name=…`, `x SSL enabled (…)` or `x` after the last name before the tail.
fn name_and_tail<'m>(text: &'m [u8], known: Option<&[u8]>) -> Option<(&'m [u8], Tail<'m>)> {
    if let Some(name) = known {
        let (name, tail) = split_known(text, name)?;
        return Some((name, tail_of_authorized(tail)?));
    }
    let (rest, tls) = strip_groups(text);
    let Some(name) = find_keyword(rest, APPLICATION_NAME) else {
        return Some((rest, (None, tls)));
    };
    let application_name = &rest[name + APPLICATION_NAME.len()..];
    Some((&rest[..name], (not_empty(application_name), tls)))
}

/// Splits `user database=D…` before the first ` database=D` that ends there or goes on as the message
/// does.
fn split_before_database<'m>(text: &'m [u8], database: &[u8]) -> Option<(&'m [u8], &'m [u8])> {
    memchr::memchr_iter(b'=', text).find_map(|equals| {
        let user = text[..=equals].strip_suffix(b" database=")?;
        let tail = text[equals + 1..].strip_prefix(database)?;
        tail_of_authorized(tail)?;
        Some(text.split_at(user.len()))
    })
}

type Tail<'m> = (Option<&'m [u8]>, Option<Tls<&'m [u8]>>);

/// `[ application_name=A][ SSL enabled (…)][ GSS (…)]`, from the right, since A may hold anything.
fn tail_of_authorized(tail: &[u8]) -> Option<Tail<'_>> {
    if tail.is_empty() {
        return Some((None, None));
    }
    let (rest, tls) = strip_groups(tail);
    if rest.is_empty() {
        return Some((None, tls));
    }
    let application_name = rest.strip_prefix(APPLICATION_NAME)?;
    Some((not_empty(application_name), tls))
}

/// Takes ` SSL enabled (…)` and ` GSS (…)` off the end.
fn strip_groups(text: &[u8]) -> (&[u8], Option<Tls<&[u8]>>) {
    if text.last() != Some(&b')') {
        return (text, None);
    }
    if let Some((rest, tls)) = strip_tls(text) {
        return (rest, Some(tls));
    }
    let text = strip_gss(text);
    match strip_tls(text) {
        Some((rest, tls)) => (rest, Some(tls)),
        None => (text, None),
    }
}

/// ` SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)`; ≤13 with
/// `, compression=off`, ≤10 without bits.
fn strip_tls(text: &[u8]) -> Option<(&[u8], Tls<&[u8]>)> {
    let inner = text.strip_suffix(b")")?;
    let parenthesis = memchr::memrchr(b'(', inner)?;
    let rest = inner[..parenthesis].strip_suffix(b" SSL enabled ")?;
    let (protocol, more) = split_at_comma(inner[parenthesis + 1..].strip_prefix(b"protocol=")?);
    let (cipher, mut more) = split_at_comma(more?.strip_prefix(b" cipher=")?);
    let mut bits = None;
    while let Some(part) = more {
        let (part, after) = split_at_comma(part);
        if let Some(digits) = part.strip_prefix(b" bits=") {
            bits = Some(u32::try_from(number(digits)?).ok()?);
        } else if !part.starts_with(b" compression=") {
            return None;
        }
        more = after;
    }
    let tls = Tls {
        protocol,
        cipher,
        bits,
    };
    Some((rest, tls))
}

fn split_at_comma(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b',', text) {
        Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
        None => (text, None),
    }
}

/// ` GSS (authenticated=yes, encrypted=no[, delegated_credentials=no][, principal=a@B])`. A principal may
/// hold parentheses.
fn strip_gss(text: &[u8]) -> &[u8] {
    let start = memchr::memrchr_iter(b'(', text).find_map(|parenthesis| {
        let rest = text[..parenthesis].strip_suffix(b" GSS ")?;
        let inner = text[parenthesis + 1..].strip_prefix(b"authenticated=")?;
        let inner = inner.strip_prefix(b"yes").or(inner.strip_prefix(b"no"))?;
        inner.starts_with(b", encrypted=").then_some(rest.len())
    });
    &text[..start.unwrap_or(text.len())]
}

/// `4.356 ms, fork=2.019 ms, authentication=0.177 ms` of `connection ready: setup total=…`.
pub(super) fn ready(text: &[u8]) -> Option<Kind<'_>> {
    let (setup_us, rest) = milliseconds(text)?;
    let (_, rest) = milliseconds(rest.strip_prefix(b", fork=")?)?;
    let (_, rest) = milliseconds(rest.strip_prefix(b", authentication=")?)?;
    rest.is_empty().then_some(EventKind::Ready { setup_us })
}

/// `4.356 ms` as microseconds, and what follows it.
fn milliseconds(text: &[u8]) -> Option<(u64, &[u8])> {
    let point = memchr::memchr(b'.', text)?;
    let (fraction, rest) = text[point + 1..].split_at_checked(3)?;
    let whole = number(&text[..point])?;
    let microseconds = whole.checked_mul(1000)?.checked_add(number(fraction)?)?;
    Some((microseconds, rest.strip_prefix(b" ms")?))
}

/// `0:01:02.345 user=app database=shop host=10.0.0.7 port=51842` of `disconnection: session time: …`.
pub(super) fn disconnected<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<Kind<'m>> {
    let space = memchr::memchr(b' ', text)?;
    let session_time_ms = session_time_ms(&text[..space])?;
    let text = text[space..].strip_prefix(b" user=")?;
    let (names, client) = split_client(record, text)?;
    let user = known(record.user.as_ref());
    let database = known(record.database.as_ref());
    let (user, rest) = match (user, database) {
        (Some(user), _) => split_known(names, user)?,
        (None, Some(database)) => split_known_database(names, database)?,
        (None, None) => split_at_keyword(names, b" database=")?,
    };
    let name = rest.strip_prefix(b" database=")?;
    if database.is_some_and(|database| database != name) {
        return None;
    }
    Some(EventKind::Disconnected {
        session_time_ms,
        user,
        database: not_empty(name),
        client,
    })
}

/// `131:07:55.120` as milliseconds: hours are never folded into days, minutes and seconds have two digits.
pub(super) fn session_time_ms(text: &[u8]) -> Option<u64> {
    let (hours, rest) = text.split_at(text.len().checked_sub(b":07:55.120".len())?);
    let &[b':', m1, m0, b':', s1, s0, b'.', d2, d1, d0] = rest else {
        return None;
    };
    let seconds = number(hours)?
        .checked_mul(3600)?
        .checked_add(number(&[m1, m0])? * 60 + number(&[s1, s0])?)?;
    seconds
        .checked_mul(1000)?
        .checked_add(number(&[d2, d1, d0])?)
}

/// Splits at the last ` host=` that a client can follow: the one of the record, if it carries one.
fn split_client<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<(&'m [u8], Client<&'m [u8]>)> {
    memchr::memrchr_iter(b'=', text).find_map(|equals| {
        let names = text[..=equals].strip_suffix(b" host=")?;
        Some((names, client(record, &text[equals + 1..])?))
    })
}

/// Splits `user database=D` at the end of the user.
fn split_known_database<'m>(text: &'m [u8], database: &[u8]) -> Option<(&'m [u8], &'m [u8])> {
    let user = text.strip_suffix(database)?.strip_suffix(b" database=")?;
    Some(text.split_at(user.len()))
}

/// `10.0.0.7 port=51842`, `[local]`, `[local] port=/path`: nothing before or after it. The host must be
/// the record's.
fn client<'m>(record: &Record<'_>, text: &'m [u8]) -> Option<Client<&'m [u8]>> {
    let host = memchr::memchr(b' ', text).unwrap_or(text.len());
    let (host, rest) = text.split_at(host);
    let port = match rest {
        [] => None,
        _ => Some(
            rest.strip_prefix(b" port=")
                .filter(|port| !port.is_empty())?,
        ),
    };
    let known = record.client.as_ref().map(|client| client.host.as_ref());
    let same = known.is_none_or(|known: &[u8]| known.is_empty() || known == host);
    (same && !host.is_empty()).then_some(Client { host, port })
}

/// A value that the record carries. Empty is unset.
pub(super) fn known<T: AsRef<[u8]>>(value: Option<&T>) -> Option<&[u8]> {
    value.map(AsRef::as_ref).and_then(not_empty)
}

fn not_empty(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}

fn split_known<'m>(text: &'m [u8], name: &[u8]) -> Option<(&'m [u8], &'m [u8])> {
    text.starts_with(name).then(|| text.split_at(name.len()))
}

fn split_at_keyword<'m>(text: &'m [u8], keyword: &[u8]) -> Option<(&'m [u8], &'m [u8])> {
    Some(text.split_at(find_keyword(text, keyword)?))
}

/// Where the first `keyword`, which ends with its only `=`, starts. Names are short and hold few `=`,
/// so this is faster than setting up a search for the keyword.
fn find_keyword(text: &[u8], keyword: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'=', text)
        .find(|&equals| text[..=equals].ends_with(keyword))
        .map(|equals| equals + 1 - keyword.len())
}

/// A decimal number of at least one digit and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_time_is_read_without_folding_hours() {
        for (text, ms) in [
            ("0:00:00.004", Some(4)),
            ("0:01:02.345", Some(62_345)),
            ("131:07:55.120", Some(472_075_120)),
            ("131:07:55.12", None),
            (":07:55.120", None),
            ("99999999999999999999:00:00.000", None),
            ("9999999999999999:00:00.000", None),
        ] {
            assert_eq!(session_time_ms(text.as_bytes()), ms, "{text}");
        }
    }
}
