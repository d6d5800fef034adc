//! `log_line_prefix`, compiled once and matched per line; see [`LinePrefix`].
//!
//! ```text
//! %m [%p] %q%u@%d     2026-11-23 05:32:45.839 UTC [4000] app@shop LOG:  disconnection: …
//!                     └─ log_time ──────────────┘  pid   user database │    └ text_start
//!                                                                      └ label_start
//! ```
//!
//! A prefix has two forms. In a session (a process with a client socket) `%u %d %a` are never empty:
//! what is unset prints `[unknown]`. Elsewhere `%u %d %a %r %h %i` are empty and `%q` ends the prefix.
//! So each form is compiled to its own sequence of parts, in `read`; `infer` finds the prefix of a log
//! that nobody described; `label` has the words that follow a prefix. Message texts are read elsewhere.
//!
//! Source: `log_status_format` in the server's `src/backend/utils/error/elog.c`.

mod infer;
pub(crate) mod label;
mod read;

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod render;

use crate::log_time::{LogTime, Minute};
use crate::near::Short;
use crate::record::{BackendType, Client, SessionId, Severity, Sqlstate};

pub(crate) use infer::glued_to_zone;
pub use infer::{Inference, Known, check, infer};

/// A compiled `log_line_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePrefix {
    text: Box<str>,
    escapes: Box<[u8]>,
    is_bare: bool,
    /// In a session, or everywhere when `background` is `None`.
    session: read::Form,
    /// Outside sessions, where that differs.
    background: Option<read::Form>,
}

/// Why a text is no usable `log_line_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePrefixError {
    /// Byte position in the text.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
}

/// The head of one line: what its prefix carries, and the label after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'c> {
    /// `%m`, `%t` or `%n`.
    pub log_time: Option<LogTime<&'c [u8]>>,
    /// `%p`, else out of `%c`.
    pub pid: Option<u32>,
    /// `%c`
    pub session_id: Option<SessionId>,
    /// `%u`; `None` for empty and `[unknown]`.
    pub user: Option<&'c [u8]>,
    /// `%d`; likewise.
    pub database: Option<&'c [u8]>,
    /// `%a`; likewise.
    pub application_name: Option<&'c [u8]>,
    /// `%h` or `%r`.
    pub client: Option<Client<&'c [u8]>>,
    /// `%e`
    pub sqlstate: Option<Sqlstate>,
    /// `%i`
    pub command_tag: Option<&'c [u8]>,
    /// `%b`
    pub backend_type: Option<BackendType>,
    /// The label after the prefix.
    pub label: Label,
    /// Where the label begins.
    pub label_start: usize,
    /// Where the text after the label and its two spaces begins.
    pub text_start: usize,
    /// What helps to read the next one.
    pub(crate) before: Before,
}

/// What was read before, which is no part of a head: all are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    minute: Minute,
    /// What stood between the time and the pid, ` UTC [`, and how long the zone in it is.
    zone: Short,
    zone_len: usize,
}

impl PartialEq for Before {
    fn eq(&self, _: &Before) -> bool {
        true
    }
}

impl Eq for Before {}

impl Head<'_> {
    /// Nothing is known, as at first.
    fn clear(&mut self) {
        let before = self.before;
        *self = Head {
            before,
            ..Head::default()
        };
    }
}

/// What is known of the names in a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names<'n> {
    /// `%u`
    pub user: Wanted<'n>,
    /// `%d`
    pub database: Wanted<'n>,
    /// `%a`
    pub application_name: Wanted<'n>,
}

/// What is known of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted<'n> {
    /// Nothing.
    #[default]
    Any,
    /// It is not set.
    Unset,
    /// It.
    Is(&'n [u8]),
}

/// What stands between the prefix and the text of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `LOG:  `, `FATAL:  ` …: a record begins.
    Severity(Severity),
    /// `DETAIL:  `
    Detail,
    /// `CONTEXT:  ` or `QUERY:  `: raised inside a function.
    Context,
    /// `STATEMENT:  `
    Statement,
    /// `HINT:  `, `LOCATION:  `, `BACKTRACE:  `
    Other,
}

impl Default for Label {
    fn default() -> Self {
        Label::Severity(Severity::Log)
    }
}

impl LinePrefix {
    /// Compiles the text of a `log_line_prefix`, as `SHOW log_line_prefix` prints it.
    ///
    /// Like the server, it drops unknown escapes and a `%` at the end. Two fields of free text with
    /// nothing between them (`%u%d`) are matched, but stay `None` in [`Head`].
    ///
    /// # Errors
    /// Where it holds a line break or a NUL: no line of a log could be told from the next.
    pub fn parse(text: &str) -> Result<LinePrefix, LinePrefixError> {
        if let Some(at) = text.bytes().position(|b| matches!(b, b'\n' | b'\r' | 0)) {
            return Err(LinePrefixError {
                at,
                message: "a line break or NUL in a log_line_prefix".into(),
            });
        }
        let parts = parse_parts(text.as_bytes());
        let escapes: Box<[u8]> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Literal(_) => None,
                Part::Field(field) => Some(field.escape),
                Part::Stop => Some(b'q'),
            })
            .collect();
        let two_forms = escapes.iter().any(|b| b"udarhiq".contains(b));
        Ok(LinePrefix {
            text: text.into(),
            is_bare: escapes.iter().all(|escape| b"mtnspclvxQq".contains(escape)),
            session: read::Form::session(&parts, two_forms),
            background: two_forms.then(|| read::Form::background(&parts)),
            escapes,
        })
    }

    /// The text that it was compiled from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// It holds this escape: `has(b'u')` for `%u`.
    pub fn has(&self, escape: u8) -> bool {
        self.escapes.contains(&escape)
    }

    /// Its lines name the process that wrote them: it has `%p` or `%c`.
    pub fn has_pid(&self) -> bool {
        self.has(b'p') || self.has(b'c')
    }

    /// Its lines carry times and numbers alone: no name, no client, no tag or SQLSTATE that a message could contradict.
    pub(crate) fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// Its lines say when they were written: it has `%m`, `%t` or `%n`.
    pub fn has_time(&self) -> bool {
        self.has(b'm') || self.has(b't') || self.has(b'n')
    }

    /// Reads the head of a record or labelled line that begins at `text[0]`: the first reading whose
    /// label begins at or after `label_from`. `text` may hold more lines after this one; the head may
    /// span lines only inside `%u` and `%d` (the server cleans `%a`).
    ///
    /// Names may hold anything, labels too, so a line can have several readings. Their order: those
    /// of a session on this line, names as short as possible; then that of a background process; then
    /// those whose login name goes on in the next line. Where a reading turns out wrong (its user is
    /// not that of its message), `label_from = label_start + 1` asks for the next.
    pub fn read<'c>(&self, text: &'c [u8], label_from: usize) -> Option<Head<'c>> {
        let mut head = Head::default();
        self.read_into(text, label_from, &mut head).then_some(head)
    }

    /// [`read`](Self::read) into a head that is new or was read by this prefix: copies of it cost as much as the
    /// reading. False, and an undefined `head`, where there is none.
    #[inline(always)]
    pub(crate) fn read_into<'c>(
        &self,
        text: &'c [u8],
        label_from: usize,
        head: &mut Head<'c>,
    ) -> bool {
        label_from == 0 && self.session.read_lead(text, head)
            || self.search_into(text, label_from, head)
    }

    fn search_into<'c>(&self, text: &'c [u8], label_from: usize, head: &mut Head<'c>) -> bool {
        let never = read::Newlines::Never;
        let any = Names::default();
        head.clear();
        if self.session.read(text, label_from, never, &any, head) {
            return true;
        }
        if let Some(background) = &self.background {
            head.clear();
            if background.read(text, label_from, never, &any, head) {
                return true;
            }
        }
        if self.session.may_tear() && memchr::memchr(b'\n', text).is_some() {
            head.clear();
            let in_names = read::Newlines::InNames;
            return self.session.read(text, label_from, in_names, &any, head);
        }
        false
    }

    /// Reads the head of a session's record whose names are known from elsewhere, such as its message: between
    /// `joe@corp.com` and `@shop` the prefix `%u@%d` alone does not tell.
    pub fn read_named<'c>(&self, text: &'c [u8], names: &Names<'_>) -> Option<Head<'c>> {
        let newlines = [read::Newlines::Never, read::Newlines::InNames];
        let has_newline = memchr::memchr(b'\n', text).is_some();
        let newlines = &newlines[..if has_newline { 2 } else { 1 }];
        newlines.iter().find_map(|&newlines| {
            let mut head = Head::default();
            self.session
                .read(text, 0, newlines, names, &mut head)
                .then_some(head)
        })
    }

    /// Whether a login name with a line break may have torn this line (without its newline): it
    /// begins like the prefix, up to `%u` or `%d`, and ends within the 63 bytes that such a name may
    /// have, before any label.
    ///
    /// Always false for prefixes that have nothing before their first name.
    pub fn is_torn_head(&self, line: &[u8]) -> bool {
        self.session.may_tear()
            && self.session.begins_with_known()
            && self.read(line, 0).is_none()
            && self.session.read(
                line,
                0,
                read::Newlines::AtTheEnd,
                &Names::default(),
                &mut Head::default(),
            )
    }
}

/// One piece of a `log_line_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Field(Field),
    /// `%q`
    Stop,
}

/// `%10u`, `%-10u`, `%u`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    escape: u8,
    /// Least width in bytes; 0 without padding.
    width: usize,
    /// `%-10u`: the spaces stand behind the value.
    left: bool,
}

/// The widest padding that is taken at its word; the server has no limit.
const WIDTH_MAX: usize = 200;

fn parse_parts(text: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let push_byte = |parts: &mut Vec<Part>, byte| {
        if let Some(Part::Literal(literal)) = parts.last_mut() {
            literal.push(byte);
        } else {
            parts.push(Part::Literal(vec![byte]));
        }
    };
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            push_byte(&mut parts, byte);
            continue;
        }
        let mut escape = bytes.next();
        if escape == Some(b'%') {
            push_byte(&mut parts, b'%');
            continue;
        }
        let left = escape == Some(b'-');
        if left {
            escape = bytes.next();
        }
        let mut width = 0usize;
        while let Some(digit @ b'0'..=b'9') = escape {
            width = (width * 10 + usize::from(digit - b'0')).min(WIDTH_MAX);
            escape = bytes.next();
        }
        match escape {
            Some(b'q') => parts.push(Part::Stop),
            Some(escape) if b"audrhLbpPtmnsclievxQ".contains(&escape) => {
                parts.push(Part::Field(Field {
                    escape,
                    width,
                    left,
                }));
            }
            _ => {}
        }
    }
    parts
}

impl std::fmt::Display for LinePrefixError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "position {}: {}", self.at, self.message)
    }
}

impl std::error::Error for LinePrefixError {}

#[cfg(test)]
mod tests;
