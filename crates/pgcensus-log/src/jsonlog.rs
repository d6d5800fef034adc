//! jsonlog (15 and later): one object per line, keys always in the same order, absent where NULL.
//!
//! ```text
//! {"timestamp":"2026-11-23 04:56:44.170 UTC","pid":30630,"remote_host":"127.0.0.1","remote_port":60546,…}
//! ```
//!
//! Read by hand, since it is not always JSON: a client that bound its own Unix socket gives
//! `"remote_port":/path`, and names may hold invalid UTF-8.
//!
//! Source: `write_jsonlog` in PostgreSQL's `src/backend/utils/error/jsonlog.c`.

mod key;

use std::borrow::Cow;

use memchr::{memchr, memmem, memrchr};

use crate::batch::Why;
use crate::csvlog::ascii_number;
use crate::cursor::Cursor;
use crate::log_time::{self, LogTime, Minute};
use crate::near;
use crate::record::{BackendType, Client, Record, SessionId, Severity, Sqlstate, not_empty};
use key::{Key, Keys};

/// Reads the line at `chunk[start]` into `record`, and tells where the next line begins.
///
/// # Errors
/// Why it could not be read.
pub(crate) fn read<'c>(
    minute: &mut Minute,
    chunk: &'c [u8],
    start: usize,
    record: &mut Record<'c>,
) -> (Result<(), Why>, usize) {
    let (end, next) = memchr(b'\n', &chunk[start..])
        .map_or((chunk.len(), chunk.len()), |n| (start + n, start + n + 1));
    let line = &chunk[start..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let read = plain_object(minute, line, record).or_else(|| {
        *record = Record::default();
        object(minute, line, record)
    });
    let why = if next == end {
        Why::Incomplete
    } else {
        Why::Json
    };
    (read.ok_or(why), next)
}

/// Log times of the first and last record of a chunk of whole lines.
pub(crate) fn log_times(chunk: &[u8]) -> Option<(LogTime<&[u8]>, LogTime<&[u8]>)> {
    let first = chunk.split(|&b| b == b'\n').find_map(log_time_of)?;
    let last = chunk.rsplit(|&b| b == b'\n').find_map(log_time_of)?;
    Some((first, last))
}

fn log_time_of(line: &[u8]) -> Option<LogTime<&[u8]>> {
    let text = line.strip_prefix(b"{\"timestamp\":\"")?;
    log_time::read(text, None).map(|(time, _)| time)
}

/// Fills `record` from an object as nearly all of sessions are: the keys of the server in its order, no name with an escape in
/// it, nothing between the message and the backend type but an application. `None`: it is another.
fn plain_object<'c>(minute: &mut Minute, line: &'c [u8], record: &mut Record<'c>) -> Option<()> {
    let mut at = Cursor { rest: line };
    at.pass(b"{\"timestamp\":\"")?;
    let (time, len) = log_time::read_after(minute, at.rest, None)?;
    record.log_time = Some(time);
    at.rest = &at.rest[len..];
    at.pass(b"\",\"")?;
    if at.passes(b"user\":\"") {
        record.user = not_empty(name(&mut at)?);
    }
    if at.passes(b"dbname\":\"") {
        record.database = not_empty(name(&mut at)?);
    }
    at.pass(b"pid\":")?;
    record.pid = Some(ascii_number(at.digits())?);
    at.pass(b",\"")?;
    if at.passes(b"remote_host\":\"") {
        let host = not_empty(name(&mut at)?);
        let mut port = None;
        if at.passes(b"remote_port\":") {
            port = Some(at.digits()).filter(|port| !port.is_empty());
            port?;
            at.pass(b",\"")?;
        }
        let port = port.map(Cow::Borrowed);
        record.client = host.map(|host| Client { host, port });
    }
    at.pass(b"session_id\":\"")?;
    record.session_id = Some(SessionId::parse(at.until(b'"', b'\\')?)?);
    at.pass(b",\"line_num\":")?;
    at.digits();
    at.pass(b",\"")?;
    if at.passes(b"ps\":\"") {
        record.command_tag = not_empty(name(&mut at)?);
    }
    at.pass(b"session_start\":\"")?;
    at.until(b'"', b'\\')?;
    at.pass(b",\"")?;
    if at.passes(b"vxid\":\"") {
        at.until(b'"', b'\\')?;
        at.pass(b",\"")?;
    }
    at.pass(b"txid\":")?;
    at.digits();
    at.pass(b",\"error_severity\":\"LOG\",\"message\":")?;
    record.severity = Severity::Log;
    let (message, rest) = string(at.rest)?;
    record.message = message.text();
    at.rest = rest;
    at.pass(b",\"")?;
    if at.passes(b"application_name\":\"") {
        record.application_name = not_empty(name(&mut at)?);
    }
    at.pass(b"backend_type\":\"")?;
    record.backend_type = Some(BackendType::parse(at.until(b'"', b'\\')?));
    at.pass(b",\"query_id\":")?;
    at.digits();
    (at.rest == b"}").then_some(())
}

/// A string without escapes that another key follows, up to the name of that.
#[inline]
fn name<'c>(at: &mut Cursor<'c>) -> Option<&'c [u8]> {
    let name = at.until(b'"', b'\\')?;
    at.pass(b",\"")?;
    Some(name)
}

/// Reads the begin of a record that is too long to be kept, as [`read`] does. What makes it so long is a statement of a
/// client, or a message that has one in it and is of no interest; `None`: something else.
pub(crate) fn read_head<'c>(
    minute: &mut Minute,
    line: &'c [u8],
    record: &mut Record<'c>,
) -> Option<()> {
    *record = Record::default();
    let mut seen = Seen::default();
    let whole = pairs(minute, line, record, &mut seen);
    record.client = seen.client();
    record.has_statement |= whole.is_none();
    let is_known = seen.message || seen.severity && record.severity != Severity::Fatal;
    (is_known && record.log_time.is_some()).then_some(())
}

/// Fills `record`, in which nothing stands yet; `None`: this is no object of jsonlog.
#[inline(never)]
fn object<'c>(minute: &mut Minute, line: &'c [u8], record: &mut Record<'c>) -> Option<()> {
    let mut seen = Seen::default();
    pairs(minute, line, record, &mut seen)?;
    record.client = seen.client();
    (seen.message && record.log_time.is_some()).then_some(())
}

/// Which keys an object has, with the values of those that are put together.
#[derive(Default)]
struct Seen<'c> {
    host: Option<Cow<'c, [u8]>>,
    port: Option<Cow<'c, [u8]>>,
    severity: bool,
    message: bool,
}

impl<'c> Seen<'c> {
    fn client(&mut self) -> Option<Client<Cow<'c, [u8]>>> {
        let port = self.port.take();
        self.host.take().map(|host| Client { host, port })
    }
}

/// Fills `record` from the pairs of an object as far as they can be read; `None`: not to its end.
fn pairs<'c>(
    minute: &mut Minute,
    line: &'c [u8],
    record: &mut Record<'c>,
    seen: &mut Seen<'c>,
) -> Option<()> {
    let mut rest = line.trim_ascii().strip_prefix(b"{")?;
    let mut keys = Keys::default();
    loop {
        let (key, after) = keys.read(rest)?;
        let (value, after) = match after.first() {
            Some(b'"') => string(after)?,
            _ if key == Key::RemotePort => remote_port(after)?,
            _ => bare(after)?,
        };
        let text = || Some(value.text()).filter(|text| !text.is_empty());
        match key {
            Key::Timestamp => {
                let time = log_time::read_after(minute, value.raw, None);
                record.log_time = time.map(|(time, _)| time);
            }
            Key::User => record.user = text(),
            Key::Database => record.database = text(),
            Key::Pid => record.pid = ascii_number(value.raw),
            Key::RemoteHost => seen.host = text(),
            Key::RemotePort => seen.port = text(),
            Key::SessionId => record.session_id = SessionId::parse(value.raw),
            Key::CommandTag => record.command_tag = text(),
            Key::Severity => {
                record.severity = Severity::parse(value.raw).unwrap_or_default();
                seen.severity = true;
            }
            Key::StateCode => record.sqlstate = Sqlstate::parse(value.raw),
            Key::Message => {
                record.message = value.text();
                seen.message = true;
            }
            Key::Detail => record.detail = text(),
            Key::Context => record.has_context = true,
            Key::Statement => record.has_statement = true,
            Key::ApplicationName => record.application_name = text(),
            Key::BackendType => record.backend_type = Some(BackendType::parse(value.raw)),
            Key::Other => {}
        }
        rest = trim_start(after);
        match rest.first()? {
            b',' => rest = &rest[1..],
            b'}' if rest.len() == 1 => return Some(()),
            _ => return None,
        }
    }
}

/// What the server writes has no space there.
#[inline]
fn trim_start(text: &[u8]) -> &[u8] {
    match text.first() {
        Some(b'!'..) => text,
        _ => text.trim_ascii_start(),
    }
}

struct Value<'c> {
    raw: &'c [u8],
    escaped: bool,
}

/// A string at the start of `text`, without its quotes, and what follows it.
fn string(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut from = 0;
    let mut escaped = false;
    loop {
        let at = from + near::find2(b'"', b'\\', text.get(from..)?)?;
        if text[at] == b'"' {
            return Some((
                Value {
                    raw: &text[..at],
                    escaped,
                },
                &text[at + 1..],
            ));
        }
        escaped = true;
        from = at + 2;
    }
}

/// A number, or the path of a bound client socket, which is written as it is: up to the last session id, since
/// in strings its quotes are escaped.
fn remote_port(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        return bare(text);
    }
    match memmem::rfind(text, b",\"session_id\":\"") {
        Some(end) => Some((Value::plain(&text[..end]), &text[end..])),
        None => bare(text),
    }
}

/// A number, or whatever the server wrote bare, up to the next key or the end of the object.
fn bare(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let number = text.iter().position(|b| !matches!(b, b'0'..=b'9' | b'-'));
    let end = number
        .filter(|&n| n > 0)
        .or_else(|| memmem::find(text, b",\""))
        .or_else(|| memrchr(b'}', text))?;
    Some((Value::plain(text[..end].trim_ascii_end()), &text[end..]))
}

impl<'c> Value<'c> {
    fn plain(raw: &'c [u8]) -> Value<'c> {
        Value {
            raw,
            escaped: false,
        }
    }

    fn text(&self) -> Cow<'c, [u8]> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

/// The text of a string, its escapes undone. A lone surrogate, which stands for no character, becomes U+FFFD.
pub(crate) fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    unescape_to(raw, &mut text);
    text
}

/// The same, appended to a text.
pub(crate) fn unescape_to(raw: &[u8], text: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..at]);
        let Some(&escape) = rest.get(at + 1) else {
            return;
        };
        rest = &rest[at + 2..];
        match escape {
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'u' => {
                let (c, after) = code_point(rest);
                let mut utf8 = [0; 4];
                text.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                rest = after;
            }
            other => text.push(other),
        }
    }
    text.extend_from_slice(rest);
}

/// The character after `\u`, with its second half where it is a surrogate pair.
fn code_point(text: &[u8]) -> (char, &[u8]) {
    let unit = |text: &[u8]| {
        let digits = text.get(..4)?;
        digits
            .iter()
            .try_fold(0u32, |n, &b| Some(n * 16 + char::from(b).to_digit(16)?))
    };
    let Some(first) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    let text = &text[4..];
    if let 0xd800..=0xdbff = first
        && let Some(second @ 0xdc00..=0xdfff) = text.strip_prefix(b"\\u").and_then(unit)
    {
        let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (
            char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER),
            &text[6..],
        );
    }
    (
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        text,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_the_usual_form_are_read_as_all_others() {
        let objects: [&[u8]; 3] = [
            br#"{"timestamp":"2026-11-26 06:16:27.231 UTC","pid":31658,"remote_host":"127.0.0.1","remote_port":33516,"session_id":"6b07cebb.7baa","line_num":1,"ps":"","session_start":"2026-11-26 06:16:27 UTC","txid":0,"error_severity":"LOG","message":"connection received: host=127.0.0.1 port=33516","backend_type":"not initialized","query_id":0}"#,
            br#"{"timestamp":"2026-11-26 06:16:27.234 UTC","user":"web","dbname":"shop","pid":31658,"remote_host":"[local]","session_id":"6b07cebb.7baa","line_num":2,"ps":"authentication","session_start":"2026-11-26 06:16:27 UTC","vxid":"5/9","txid":0,"error_severity":"LOG","message":"connection authenticated: identity=\"web\" method=md5 (/data/pg_hba.conf:3)","backend_type":"client backend","query_id":0}"#,
            br#"{"timestamp":"2026-11-26 06:31:53.637 UTC","user":"worker","dbname":"billing","pid":914838,"remote_host":"::1","remote_port":33108,"session_id":"6b07d259.df596","line_num":4,"ps":"idle","session_start":"2026-11-26 06:31:53 UTC","txid":0,"error_severity":"LOG","message":"disconnection: session time: 0:00:00.046 user=worker database=billing host=::1 port=33108","application_name":"invoice-worker","backend_type":"client backend","query_id":-123}"#,
        ];
        let read_at_once = |line: &[u8]| {
            let (mut plain, mut any) = (Record::default(), Record::default());
            if plain_object(&mut Minute::default(), line, &mut plain).is_none() {
                return false;
            }
            let read = object(&mut Minute::default(), line, &mut any);
            assert_eq!((read, &any), (Some(()), &plain), "{}", line.escape_ascii());
            true
        };
        for (object, is_usual) in objects.into_iter().zip([true, true, false]) {
            assert_eq!(read_at_once(object), is_usual, "{}", object.escape_ascii());
            for at in 0..object.len() {
                read_at_once(&object[..at]);
                for byte in *b"\"\\,:{} 9Lx\n\0" {
                    let mut other = object.to_vec();
                    other[at] = byte;
                    read_at_once(&other);
                    other[at] = object[at];
                    other.insert(at, byte);
                    read_at_once(&other);
                }
            }
        }
    }
}
