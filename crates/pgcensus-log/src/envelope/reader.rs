//! From the bytes of one envelope to its entries: cut into lines, objects or entries of the journal, each read.

use super::export::Entries;
use super::idents::Idents;
use super::json::Objects;
use super::line::{self, Lines};
use super::shape;
use super::stamp::{Day, Years};
use super::table::Table;
use super::{Entry, Kind, Layer};

/// A longer line is handed on as far as this; the rest of it is skipped.
const LINE_MAX: usize = 2 << 20;

/// From the bytes of an envelope to its entries.
#[derive(Debug)]
pub(super) struct Reader {
    kind: Kind,
    frames: Frames,
    idents: Idents,
    /// The last line lacked its end.
    is_torn: bool,
}

/// What one entry is in.
#[derive(Debug)]
enum Frames {
    Lines {
        torn: Vec<u8>,
        lines: Box<Lines>,
        /// Each has its length before it.
        is_counted: bool,
    },
    Objects(Objects),
    Table(Table),
    Export(Entries),
}

impl Reader {
    pub(super) fn new(layer: &Layer, end: Day) -> Reader {
        let kind = layer.kind;
        let frames = match kind {
            Kind::Export => Frames::Export(Entries::default()),
            _ if !layer.columns.is_empty() => Frames::Table(Table::new(layer.columns.clone())),
            kind if kind.is_json() => Frames::Objects(Objects::default()),
            kind => Frames::Lines {
                torn: Vec::new(),
                lines: Box::new(Lines::new(kind, Years::before(end), layer.idents.clone())),
                is_counted: layer.is_counted,
            },
        };
        Reader {
            kind,
            frames,
            idents: layer.idents.clone(),
            is_torn: false,
        }
    }

    /// Calls `each` with every entry that is the server's, and the frame that it was in.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        entry: &mut Entry,
        mut each: impl FnMut(&mut Entry, &[u8]),
    ) {
        let (kind, idents) = (self.kind, &mut self.idents);
        match &mut self.frames {
            Frames::Lines {
                torn,
                lines,
                is_counted,
            } => {
                let mut read = |line: &[u8]| read_line(lines, line, entry, &mut each);
                if *is_counted {
                    torn.extend_from_slice(bytes);
                    let taken = take_counted(torn, false, &mut read).0;
                    torn.drain(..taken);
                } else {
                    feed_lines(torn, bytes, read);
                }
            }
            Frames::Objects(objects) => objects.feed(bytes, |header, object| {
                entry.clear();
                if shape::read(kind, header, object, idents, entry) {
                    each(entry, object);
                }
            }),
            Frames::Table(table) => table.feed(bytes, |object| {
                read_object(kind, object, idents, entry, &mut each);
            }),
            Frames::Export(entries) => {
                entries.feed(bytes, |export| {
                    read_export(export, idents, entry, &mut each);
                });
            }
        }
    }

    /// The programs that were seen to be servers.
    pub(super) fn idents(&self) -> &Idents {
        match &self.frames {
            Frames::Lines { lines, .. } => lines.idents(),
            Frames::Objects(_) | Frames::Table(_) | Frames::Export(_) => &self.idents,
        }
    }

    /// The last line lacked its end; known at the end.
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Reads what is left at the end.
    pub(super) fn finish(&mut self, entry: &mut Entry, mut each: impl FnMut(&mut Entry, &[u8])) {
        let (kind, idents) = (self.kind, &mut self.idents);
        match &mut self.frames {
            Frames::Lines {
                torn,
                lines,
                is_counted,
            } => {
                let torn = std::mem::take(torn);
                let mut read = |line: &[u8]| read_line(lines, line, entry, &mut each);
                if *is_counted {
                    self.is_torn = take_counted(&torn, true, &mut read).1;
                } else if !torn.is_empty() {
                    read(&torn);
                    self.is_torn = true;
                }
            }
            Frames::Objects(_) => {}
            Frames::Table(table) => table.finish(|object| {
                read_object(kind, object, idents, entry, &mut each);
            }),
            Frames::Export(entries) => {
                entries.finish(|export| read_export(export, idents, entry, &mut each));
            }
        }
    }
}

/// Cuts bytes into lines, without their ends.
fn feed_lines(torn: &mut Vec<u8>, bytes: &[u8], mut each: impl FnMut(&[u8])) {
    let mut rest = bytes;
    if !torn.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let room = LINE_MAX.saturating_sub(torn.len());
        torn.extend_from_slice(&rest[..end.min(room)]);
        if end == rest.len() {
            return;
        }
        each(torn);
        torn.clear();
        rest = &rest[end + 1..];
    }
    while let Some(end) = memchr::memchr(b'\n', rest) {
        each(&rest[..end.min(LINE_MAX)]);
        rest = &rest[end + 1..];
    }
    torn.extend_from_slice(&rest[..rest.len().min(LINE_MAX)]);
}

/// Takes messages that have their lengths before them (`451 <134>1 …`): how many bytes were taken, and whether the last
/// one lacked its end. A count is trusted where the next message, a line end or the end of all follows what it counts;
/// else the message ends with its line.
fn take_counted(bytes: &[u8], is_end: bool, mut each: impl FnMut(&[u8])) -> (usize, bool) {
    /// So much shows that a count begins: seven digits, a space and `<`.
    const COUNT_MAX: usize = 9;
    let mut at = 0;
    loop {
        at += bytes[at..]
            .iter()
            .take_while(|b| matches!(b, b'\n' | b'\r'))
            .count();
        let rest = &bytes[at..];
        if rest.is_empty() {
            return (at, false);
        }
        if let Some((count, len)) = line::octets(rest).filter(|(count, _)| *count <= LINE_MAX) {
            let end = len + count;
            if rest.len() < end + COUNT_MAX && !is_end {
                return (at, false);
            }
            if let Some(next) = rest.get(end..)
                && (matches!(next.first(), None | Some(b'\n' | b'\r'))
                    || line::octets(next).is_some())
            {
                each(rest[..end].strip_suffix(b"\n").unwrap_or(&rest[..end]));
                at += end;
                continue;
            }
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => {
                each(&rest[..end]);
                at += end + 1;
            }
            None if is_end || rest.len() > LINE_MAX => {
                each(&rest[..rest.len().min(LINE_MAX)]);
                return (bytes.len(), true);
            }
            None => return (at, false),
        }
    }
}

fn read_line(
    lines: &mut Lines,
    line: &[u8],
    entry: &mut Entry,
    each: &mut impl FnMut(&mut Entry, &[u8]),
) {
    entry.clear();
    if lines.read(line, entry) {
        each(entry, line);
    }
}

fn read_object(
    kind: Kind,
    object: &[u8],
    idents: &mut Idents,
    entry: &mut Entry,
    each: &mut impl FnMut(&mut Entry, &[u8]),
) {
    entry.clear();
    if shape::read(kind, b"", object, idents, entry) {
        each(entry, object);
    }
}

fn read_export(
    export: &[u8],
    idents: &mut Idents,
    entry: &mut Entry,
    each: &mut impl FnMut(&mut Entry, &[u8]),
) {
    entry.clear();
    if shape::read_export(export, idents, entry) {
        each(entry, export);
    }
}
