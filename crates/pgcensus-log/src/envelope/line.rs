//! Envelopes of one line: what stands before the server's text on each physical line.
//!
//! ```text
//! Nov 23 05:16:38 db01 postgres[21966]: [1-1] LOG:  …                    syslog, RFC 3164; journalctl -o short
//! 2026-11-23T05:16:38.743336+00:00 db01 postgres[21966]: LOG:  …         rsyslog's default; journalctl -o short-iso
//! <134>1 2026-11-23T05:16:38.743336+00:00 db01 postgres 21966 - - LOG:  … RFC 5424
//! 2024-06-05T19:33:14+00:00 app[postgres.1105947]: [YELLOW] [12-1]  …    Heroku
//! 2026-11-23T05:28:06.794944077Z stderr F 2026-11-23 05:28:06 UTC …      Kubernetes CRI
//! 2024-05-14T10:00:00.000Z 2024-05-14 10:00:00 UTC:…                     CloudWatch, kubectl and docker logs with time stamps
//! 2024-05-14T10:00:00.123000+00:00 mydb.0 2024-05-14 10:00:00 UTC:…      aws logs tail
//! Nov 23 05:28:06 2026-11-23 05:28:06 UTC …                              ts of moreutils; with ` AM ` behind the stamp Render
//! db-1   | 2026-11-23 05:28:06 UTC …                                     docker compose logs, a stamp behind the bar with -t
//! [pod/pg-0/postgres] 2026-11-23 05:28:06 UTC …                          kubectl logs --prefix, a stamp likewise
//! ```
//!
//! Sources: RFC 3164 and RFC 5424; real files of rsyslog 8 in the tests for the first three; systemd's
//! `src/shared/logs-show.c` for the spellings of journalctl; the kubelet's design "CRI: Log Management". Those of Heroku
//! (logplex) and of `aws logs tail` rest on their documentation; older lines of Heroku, which have no pid, on those that its help and
//! the README of Dexter show (`app[postgres.13761]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  …`, 2017). The prefix of Compose is
//! that of `setPrefix` in its `cmd/formatter/logs.go`: the name, padded to one more than the longest, and ` | `; before version
//! 2 it was `db_1`. That of kubectl is `addPrefixIfNeeded` in its `pkg/cmd/logs/logs.go`.
//!
//! Not read is stern's `pod container line`: that is what a `log_line_prefix` of `%u %d %m` looks like too.

use super::idents::Idents;
use super::stamp::{Stamp, Years};
use super::{Entry, Kind, Piece};
use crate::csvlog::ascii_number;
use crate::line_prefix::{Label, label};
use crate::near;

/// No header of syslog is longer: its host has at most 255 bytes, its tag is short.
const HEADER_MAX: usize = 512;

/// How lines are read, with what must be remembered from line to line.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    kind: Kind,
    years: Years,
    idents: Idents,
    /// The length of the header of the line before, where that was a server's; whose it was, and when.
    header: Option<usize>,
    server: Vec<u8>,
    stamp: Option<Stamp>,
    pid: Option<u32>,
}

/// What stands before the text of a syslog line.
#[derive(Debug, Default)]
struct Header<'l> {
    stamp: Option<Stamp>,
    host: &'l [u8],
    ident: &'l [u8],
    pid: &'l [u8],
    /// Where the text begins.
    len: usize,
}

/// What envelope a line has by its looks; syslog only where its program seems to be a server.
pub(super) fn kind_of(line: &[u8], years: &mut Years) -> Option<Kind> {
    if pod(line).is_some() {
        return Some(Kind::Pods);
    }
    if compose(line).is_some() {
        return Some(Kind::Compose);
    }
    let text = stamp_before(line, years).and_then(|(_, len)| line[len..].strip_prefix(b" "));
    // Before a header, which `UTC [4000]:` looks like.
    if text.is_some_and(is_inner) {
        return Some(Kind::Stamped);
    }
    if let Some((_, len)) = Stamp::read_iso(line)
        && let Some(rest) = line[len..].strip_prefix(b" ")
    {
        if cri(rest).is_some() {
            return Some(Kind::Cri);
        }
        if stream(rest).is_some_and(|(stream, text)| !stream.contains(&b'[') && is_inner(text)) {
            return Some(Kind::Stream);
        }
    }
    if let Some(header) = header(line, years) {
        if heroku(&header).is_some() {
            return Some(Kind::Heroku);
        }
        if Idents::default().knows(header.ident, &line[header.len..]) {
            return Some(Kind::Syslog);
        }
    }
    // No escape of a `log_line_prefix` prints such a stamp: it was put before one that has none, or one of `%n`.
    is_labelled(text?).then_some(Kind::Stamped)
}

/// A stamp that stands before a line of the server.
fn stamp_before(line: &[u8], years: &mut Years) -> Option<(Stamp, usize)> {
    years.read_iso(line).or_else(|| {
        let (stamp, len) = years.read(line)?;
        let (stamp, half) = stamp.of_half(&line[len..]);
        Some((stamp, len + half))
    })
}

/// Whether a line is one of syslog, whoever wrote it.
pub(super) fn is_syslog(line: &[u8], years: &mut Years) -> bool {
    stamp_and_rest(line, years).is_some()
}

impl Lines {
    pub(super) fn new(kind: Kind, years: Years, idents: Idents) -> Lines {
        Lines {
            kind,
            years,
            idents,
            header: None,
            server: Vec::new(),
            stamp: None,
            pid: None,
        }
    }

    /// The programs that were seen to be servers.
    pub(super) fn idents(&self) -> &Idents {
        &self.idents
    }

    /// Reads a line, without its end: false where it is not the server's.
    pub(super) fn read(&mut self, line: &[u8], entry: &mut Entry) -> bool {
        match self.kind {
            Kind::Cri => read_cri(line, entry),
            Kind::Compose => read_named(compose(line).as_ref(), entry),
            Kind::Pods => read_named(pod(line).as_ref(), entry),
            Kind::Stamped | Kind::Stream => self.read_stamped(line, entry),
            Kind::Heroku => self.read_heroku(line, entry),
            _ => self.read_syslog(line, entry),
        }
    }

    fn read_syslog(&mut self, line: &[u8], entry: &mut Entry) -> bool {
        let Some(header) = header(line, &mut self.years) else {
            return self.read_rest(line, entry);
        };
        let text = &line[header.len..];
        if !self.idents.knows(header.ident, text) {
            self.header = None;
            return false;
        }
        self.header = Some(header.len);
        entry.stamp = header.stamp;
        entry.pid = number(header.pid);
        entry.piece = Piece::Message;
        entry.server.extend_from_slice(header.host);
        if header.ident != b"postgres" {
            entry.name_unit(header.ident);
        }
        undo_octal(text, &mut entry.text);
        entry.raw_len = text.len();
        self.server.clone_from(&entry.server);
        (self.stamp, self.pid) = (entry.stamp, entry.pid);
        true
    }

    /// A line without a header: journalctl, and daemons that write line breaks as they are, go on a message so.
    /// journalctl sets its lines in, as far as its header reaches.
    fn read_rest(&mut self, line: &[u8], entry: &mut Entry) -> bool {
        let Some(header) = self.header else {
            return false;
        };
        if line.is_empty() || looks_like_header(line) || is_of_journalctl(line) {
            self.header = None;
            return false;
        }
        let indent = line.iter().take(header).take_while(|b| **b == b' ').count();
        entry.piece = Piece::Rest;
        entry.server.clone_from(&self.server);
        (entry.stamp, entry.pid) = (self.stamp, self.pid);
        entry
            .text
            .extend_from_slice(&line[if indent == header { indent } else { 0 }..]);
        true
    }

    fn read_stamped(&mut self, line: &[u8], entry: &mut Entry) -> bool {
        let Some((stamp, len)) = stamp_before(line, &mut self.years) else {
            // An event of several lines has one stamp.
            entry.piece = Piece::Rest;
            entry.server.clone_from(&self.server);
            entry.text.extend_from_slice(line);
            return !line.is_empty();
        };
        entry.stamp = Some(stamp);
        let rest = line[len..].strip_prefix(b" ").unwrap_or(&line[len..]);
        match stream(rest) {
            Some((name, text)) if self.kind == Kind::Stream => {
                entry.server.extend_from_slice(name);
                entry.text.extend_from_slice(text);
            }
            _ => entry.text.extend_from_slice(rest),
        }
        self.server.clone_from(&entry.server);
        true
    }

    /// Logplex names the add-on in brackets before the text; it has a number for the process that is no pid.
    fn read_heroku(&mut self, line: &[u8], entry: &mut Entry) -> bool {
        let Some(header) = header(line, &mut self.years) else {
            return false;
        };
        let Some(id) = heroku(&header) else {
            return false;
        };
        let text = &line[header.len..];
        let (name, text) = text
            .strip_prefix(b"[")
            .and_then(|rest| {
                let end = memchr::memchr(b']', &rest[..rest.len().min(64)])?;
                let is_name = rest[..end].iter().any(u8::is_ascii_alphabetic);
                is_name.then(|| (&rest[..end], rest[end + 1..].trim_ascii_start()))
            })
            .unwrap_or((id, text));
        entry.server.extend_from_slice(name);
        entry.stamp = header.stamp;
        entry.piece = Piece::Message;
        undo_octal(text, &mut entry.text);
        entry.raw_len = text.len();
        true
    }
}

fn looks_like_header(line: &[u8]) -> bool {
    Stamp::read_iso(line).is_some()
        || line.starts_with(b"<") && line.get(1).is_some_and(u8::is_ascii_digit)
}

/// What journalctl says between the lines of a journal: `-- Boot 4f3a… --`; before version 242 `-- Reboot --`.
fn is_of_journalctl(line: &[u8]) -> bool {
    let said: [&[u8]; 4] = [
        b"Boot ",
        b"Reboot ",
        b"Logs begin at ",
        b"Journal begins at ",
    ];
    let said = |text: &[u8]| said.iter().any(|said| text.starts_with(said));
    line.ends_with(b" --") && line.strip_prefix(b"-- ").is_some_and(said)
}

/// The stamp and what follows it; RFC 5424's version is left before the stamp. An octet count and a priority may come
/// first: `451 <134>`.
fn stamp_and_rest<'l>(
    line: &'l [u8],
    years: &mut Years,
) -> Option<(Option<Stamp>, &'l [u8], bool)> {
    let rest = line.get(octets(line).map_or(0, |(_, len)| len)..)?;
    let rest = match rest.strip_prefix(b"<") {
        Some(priority) => {
            let end = priority.iter().take(4).position(|b| *b == b'>')?;
            number(&priority[..end])?;
            let rest = &priority[end + 1..];
            if let Some(rest) = rest.strip_prefix(b"1 ") {
                if let Some(rest) = rest.strip_prefix(b"- ") {
                    return Some((None, rest, true));
                }
                let (stamp, len) = years.read_iso(rest)?;
                return Some((Some(stamp), rest[len..].strip_prefix(b" ")?, true));
            }
            rest
        }
        None => rest,
    };
    let (stamp, len) = match rest.first()? {
        b'0'..=b'9' => years.read_iso(rest).or_else(|| years.read(rest))?,
        _ => years.read(rest)?,
    };
    Some((Some(stamp), rest[len..].strip_prefix(b" ")?, false))
}

/// `451 <134>1 …`: the count, and its length with the space. Source: RFC 6587, 3.4.1.
pub(super) fn octets(line: &[u8]) -> Option<(usize, usize)> {
    let digits = line
        .iter()
        .take(7)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits == 0 || line.get(digits) != Some(&b' ') || line.get(digits + 1) != Some(&b'<') {
        return None;
    }
    Some((number(&line[..digits])? as usize, digits + 1))
}

fn header<'l>(line: &'l [u8], years: &mut Years) -> Option<Header<'l>> {
    let (stamp, rest, is_5424) = stamp_and_rest(line, years)?;
    let mut header = if is_5424 {
        of_5424(rest)?
    } else {
        of_3164(rest)?
    };
    header.stamp = stamp;
    header.len += line.len() - rest.len();
    Some(header)
}

/// `db01 postgres[21966]: …`; without a host where a daemon wrote what a local program had sent.
fn of_3164(rest: &[u8]) -> Option<Header<'_>> {
    let head = &rest[..rest.len().min(HEADER_MAX)];
    let end = near::find(b"]:", head)?;
    let open = memchr::memrchr(b'[', &head[..end])?;
    let tag = &head[..open];
    let (host, ident) = match memchr::memchr(b' ', tag) {
        Some(space) => (&tag[..space], &tag[space + 1..]),
        None => (&b""[..], tag),
    };
    // `db01 kernel: [12.5] sda[1]:`
    if ident.is_empty() || near::find(b": ", tag).is_some() {
        return None;
    }
    let len = end + 2;
    Some(Header {
        stamp: None,
        host,
        ident,
        pid: &head[open + 1..end],
        len: len + usize::from(rest.get(len) == Some(&b' ')),
    })
}

/// `db01 postgres 24776 - [a@1 b="c"] BOM text`; logplex leaves out the structured data.
fn of_5424(rest: &[u8]) -> Option<Header<'_>> {
    let mut words = [&b""[..]; 4];
    let mut at = 0;
    for word in &mut words {
        let len = memchr::memchr(b' ', rest.get(at..at + HEADER_MAX.min(rest.len() - at))?)?;
        *word = &rest[at..at + len];
        at += len + 1;
    }
    let [host, ident, pid, _] = words.map(|word| if word == b"-" { b"" } else { word });
    if let Some(text) = rest[at..].strip_prefix(b"-") {
        at += 1 + usize::from(text.first() == Some(&b' '));
    } else if let Some(len) = structured_data(&rest[at..]) {
        at += len + usize::from(rest.get(at + len) == Some(&b' '));
    }
    if rest[at..].starts_with(crate::format::BOM) {
        at += crate::format::BOM.len();
    }
    // rsyslog keeps the space that RFC 3164 has before the text.
    at += usize::from(rest.get(at) == Some(&b' '));
    Some(Header {
        stamp: None,
        host,
        ident,
        pid,
        len: at,
    })
}

/// The length of `[id name="value"][…]`. `None`: the text begins with a bracket of its own.
fn structured_data(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while text.get(at) == Some(&b'[') {
        let id = text[at + 1..]
            .iter()
            .position(|b| matches!(b, b' ' | b']'))?;
        // `[12-1] ` is PostgreSQL's, `[YELLOW] ` Heroku's: an element has an `@` in its name, or parameters.
        let name = &text[at + 1..at + 1 + id];
        if !name.contains(&b'@') && text.get(at + 1 + id) == Some(&b']') {
            return None;
        }
        let mut quoted = false;
        let mut escaped = false;
        let len = text[at..].iter().position(|&b| {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b']' => return !quoted,
                _ => {}
            }
            false
        })?;
        at += len + 1;
    }
    (at > 0).then_some(at)
}

/// The number of the add-on in `app[postgres.1105947]`.
fn heroku<'l>(header: &Header<'l>) -> Option<&'l [u8]> {
    let is_app = header.ident == b"app" || header.ident.ends_with(b" app");
    is_app.then_some(())?;
    header.pid.strip_prefix(b"postgres.")
}

/// Undoes `#011`, as rsyslog writes control characters and where it is told to all bytes beyond ASCII.
///
/// A line break stays `#012`: the server has none within a message but before a tab or a label, see
/// [`Parts`](super::parts::Parts).
fn undo_octal(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(n) = memchr::memchr(b'#', rest) {
        out.extend_from_slice(&rest[..n]);
        rest = &rest[n..];
        match octal(&rest[1..]) {
            Some(byte) if byte != b'\n' && !(b' '..0x7f).contains(&byte) => {
                out.push(byte);
                rest = &rest[4..];
            }
            _ => {
                out.push(b'#');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    // Others write a tab as `^I` or `\011`; only where the server is sure to have put one is it taken for one.
    for tab in [&b"^I"[..], b"\\011", b"\\t"] {
        if text.starts_with(tab) && out.starts_with(tab) {
            out.splice(..tab.len(), *b"\t");
        }
    }
}

fn octal(text: &[u8]) -> Option<u8> {
    match text {
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
        }
        _ => None,
    }
}

/// `stderr F `: whether the line is whole, and its length.
fn cri(rest: &[u8]) -> Option<(bool, bool, usize)> {
    let is_stderr = rest.starts_with(b"stderr ");
    if !is_stderr && !rest.starts_with(b"stdout ") {
        return None;
    }
    // Further tags may follow the first, behind colons.
    let tags = &rest[7..];
    let len = tags.iter().take(32).position(|b| *b == b' ').or_else(|| {
        // An empty line may have lost its last space.
        (tags.len() == 1).then_some(1)
    })?;
    match tags.first()? {
        b'F' => Some((true, is_stderr, (7 + len + 1).min(rest.len()))),
        b'P' => Some((false, is_stderr, (7 + len + 1).min(rest.len()))),
        _ => None,
    }
}

fn read_cri(line: &[u8], entry: &mut Entry) -> bool {
    let Some((stamp, len)) = Stamp::read_iso(line) else {
        return false;
    };
    let Some(rest) = line[len..].strip_prefix(b" ") else {
        return false;
    };
    let Some((is_whole, is_stderr, len)) = cri(rest) else {
        return false;
    };
    entry.stamp = Some(stamp);
    entry.piece = Piece::of_line(is_whole, is_stderr);
    entry.text.extend_from_slice(&rest[len..]);
    true
}

/// `[pod/pg-0/postgres] …`: the pod, the container where that is not called like the server, and the text.
fn pod(line: &[u8]) -> Option<Named<'_>> {
    let rest = line.strip_prefix(b"[pod/")?;
    let end = memchr::memchr(b']', &rest[..rest.len().min(HEADER_MAX)])?;
    let slash = memchr::memchr(b'/', &rest[..end])?;
    let (name, container) = (&rest[..slash], &rest[slash + 1..end]);
    let is_usual = matches!(container, b"postgres" | b"postgresql" | b"database");
    Some(Named {
        name,
        unit: (!is_usual).then_some(container),
        text: text_behind(&rest[end + 1..])?,
    })
}

/// `db-1   | …`. A container that was given another name than that of its service and a number could be a user, padded by
/// `%-8u`: it is none.
fn compose(line: &[u8]) -> Option<Named<'_>> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let len = line
        .iter()
        .take(HEADER_MAX)
        .take_while(|b| is_name(b))
        .count();
    let (name, rest) = line.split_at(len);
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let service = &name[..len - digits];
    if digits == 0 || service.len() < 2 || !service.ends_with(b"-") && !service.ends_with(b"_") {
        return None;
    }
    let bar = rest
        .iter()
        .take(HEADER_MAX)
        .take_while(|b| **b == b' ')
        .count();
    if bar < 2 || rest.get(bar) != Some(&b'|') {
        return None;
    }
    Some(Named {
        name,
        unit: None,
        text: text_behind(&rest[bar + 1..])?,
    })
}

/// A text that stands behind a space; an empty one may have lost it.
fn text_behind(rest: &[u8]) -> Option<&[u8]> {
    rest.strip_prefix(b" ").or(rest.is_empty().then_some(rest))
}

/// A line with whose it is before it.
struct Named<'l> {
    name: &'l [u8],
    unit: Option<&'l [u8]>,
    text: &'l [u8],
}

fn read_named(named: Option<&Named<'_>>, entry: &mut Entry) -> bool {
    let Some(&Named { name, unit, text }) = named else {
        return false;
    };
    entry.server.extend_from_slice(name);
    if let Some(unit) = unit {
        entry.name_unit(unit);
    }
    entry.piece = Piece::of_line(true, true);
    entry.text.extend_from_slice(text);
    true
}

/// Whether a text has a severity behind a prefix, in English.
fn is_labelled(text: &[u8]) -> bool {
    let head = &text[..text.len().min(HEADER_MAX)];
    let label = near::find(b":  ", head).and_then(|at| label::at_end(&head[..at + 3]));
    matches!(label, Some(Label::Severity(_)))
}

/// Whether the text behind a stamp begins as those of servers do, or as records of CloudNativePG or jsonlog.
fn is_inner(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"< ").unwrap_or(text);
    crate::log_time::read_wall(text).is_some() || text.starts_with(b"{\"")
}

/// `mydb.0 2024-05-14 …`: the log stream, and the text behind it.
fn stream(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = memchr::memchr(b' ', &rest[..rest.len().min(HEADER_MAX)])?;
    (len > 0).then(|| (&rest[..len], &rest[len + 1..]))
}

/// A number that is all of a text.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    ascii_number(text).filter(|_| text.len() <= 10)
}
