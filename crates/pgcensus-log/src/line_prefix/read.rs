//! Matching one form of a prefix at the start of a line.
//!
//! Typed fields (times, numbers, hosts) have one reading at a place and are matched at once. Fields of
//! free text (`%u %d %a %i`, outside sessions `%b`) are tried from the shortest on, each up to its bound:
//! a search with backtracking. It stays small because a failure at (field, place) is remembered in a
//! bitmap on the stack, and because the number of tries has a limit besides.

use super::{Field, Head, Names, Part, Wanted, label};
use crate::log_time;
use crate::near::Short;
use crate::record::{BackendType, Client, SessionId, Sqlstate};

/// The longest `%u`, `%d` in bytes: `NAMEDATALEN` - 1 and one to spare.
const NAME_MAX: usize = 64;
/// The longest `%a`: cut to 63 bytes first, each of which may then become `\x0a` (16+).
const APPLICATION_MAX: usize = 4 * 63;
/// The longest `%i` or `%b`: `BGW_MAXLEN` is 96; the label of a base backup may be longer.
const TEXT_MAX: usize = 128;
/// The longest host name, and the longest path of a client socket.
const HOST_MAX: usize = 255;
const PATH_MAX: usize = 108;
/// No process of Linux has a larger number: `PID_MAX_LIMIT`.
pub(super) const PID_MAX: u32 = 1 << 22;
/// Tries until a line is given up; honest lines need a dozen.
const TRIES_MAX: u32 = 20_000;
/// Free fields and places that the bitmap of failures covers.
const FAILED_FIELDS: usize = 6;
const FAILED_PLACES: usize = 512;

/// A prefix as it looks in sessions, or outside of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    steps: Box<[Step]>,
    lead: Option<Lead>,
    kind: Kind,
    fields_searched: usize,
    may_tear: bool,
}

/// How most prefixes begin, `%m [%p] ` and `%t [%p]: `: a time, a literal, the pid, a literal. Read in one go, these four
/// steps take a quarter of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lead {
    /// `%m`, not `%t`.
    has_ms: bool,
    /// Between time and pid.
    middle: Short,
    /// After the pid.
    end: Short,
}

/// The steps of a [`Lead`].
const LEAD_STEPS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `%u %d %a` are not empty, `%b` is the type of a session.
    Session,
    /// `%u %d %a %r %h %i` are empty.
    Background,
    /// The prefix looks the same everywhere.
    Any,
}

/// Where a line break may stand in the head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newlines {
    Never,
    InNames,
    /// The text ends inside a name: a reading stops there, without a label.
    AtTheEnd,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Literal(Box<[u8]>),
    Field {
        field: Field,
        /// The byte that must follow; `None`: a field or the label follows.
        until: Option<u8>,
        /// Number among the searched fields; `None` for those with one reading.
        searched: Option<usize>,
        /// Free text stands directly beside free text: no telling where one ends.
        glued: bool,
    },
}

impl Form {
    /// The form in sessions, or of every line where there is but one form.
    pub(super) fn session(parts: &[Part], two_forms: bool) -> Form {
        let kind = if two_forms { Kind::Session } else { Kind::Any };
        Form::compile(parts.iter().filter(|part| **part != Part::Stop), kind)
    }

    /// The form outside sessions.
    pub(super) fn background(parts: &[Part]) -> Form {
        let parts: Vec<Part> = parts
            .iter()
            .take_while(|part| **part != Part::Stop)
            .map(|part| match part {
                Part::Field(field) if b"udarhi".contains(&field.escape) => {
                    Part::Literal(vec![b' '; field.width])
                }
                part => part.clone(),
            })
            .collect();
        Form::compile(parts.iter(), Kind::Background)
    }

    fn compile<'p>(parts: impl Iterator<Item = &'p Part> + Clone, kind: Kind) -> Form {
        let mut steps: Vec<Step> = Vec::new();
        let is_exact =
            |part: &Part| matches!(part, Part::Field(field) if b"mn".contains(&field.escape));
        let has_exact = parts.clone().any(is_exact);
        for part in parts {
            match (part, steps.last_mut()) {
                (Part::Stop, _) => {}
                (Part::Literal(literal), _) if literal.is_empty() => {}
                (Part::Literal(literal), Some(Step::Literal(last))) => {
                    *last = [last, literal.as_slice()].concat().into();
                }
                (Part::Literal(literal), _) => {
                    steps.push(Step::Literal(literal.as_slice().into()));
                }
                (Part::Field(field), _) => steps.push(Step::Field {
                    // Beside `%m` or `%n` a `%t` says nothing more: it is stepped over, as `%s` is.
                    field: Field {
                        escape: match field.escape {
                            b't' if has_exact => b's',
                            escape => escape,
                        },
                        ..*field
                    },
                    until: None,
                    searched: None,
                    glued: false,
                }),
            }
        }
        let mut fields_searched = 0;
        for i in 0..steps.len() {
            let next = steps.get(i + 1).cloned();
            let before = i.checked_sub(1).and_then(|i| steps.get(i)).cloned();
            let is_free = |step: &Option<Step>| matches!(step, Some(Step::Field { field, .. }) if kind.is_free(field.escape));
            let Step::Field {
                field,
                until,
                searched,
                glued,
            } = &mut steps[i]
            else {
                continue;
            };
            if let Some(Step::Literal(literal)) = &next {
                *until = literal.first().copied();
            }
            let free = kind.is_free(field.escape);
            *glued = free && (is_free(&next) || is_free(&before));
            let open = match field.escape {
                b'h' | b'L' => until.is_none_or(is_host_byte),
                b'm' | b't' | b's' => until.is_none(),
                _ => false,
            };
            if free || open {
                *searched = Some(fields_searched);
                fields_searched += 1;
            }
        }
        let may_tear = kind == Kind::Session
            && steps.iter().any(
                |step| matches!(step, Step::Field { field, .. } if b"ud".contains(&field.escape)),
            );
        Form {
            lead: Lead::of(&steps),
            steps: steps.into(),
            kind,
            fields_searched,
            may_tear,
        }
    }

    /// Reads the head of a line where that is a [`Lead`] and no more, as by the default prefix. False: it has to be found out by
    /// [`read`](Self::read). Of `head`, nothing but what this sets may be set.
    #[inline(always)]
    pub(super) fn read_lead<'c>(&self, text: &'c [u8], head: &mut Head<'c>) -> bool {
        let lead = self.lead.filter(|_| self.steps.len() == LEAD_STEPS);
        let Some(pos) = lead.and_then(|lead| lead.read(text, head)) else {
            return false;
        };
        let Some((label, len)) = label::read(&text[pos..]) else {
            return false;
        };
        head.label = label;
        head.label_start = pos;
        head.text_start = pos + len;
        true
    }

    /// It has a name that a line break may stand in.
    pub(super) fn may_tear(&self) -> bool {
        self.may_tear
    }

    /// It begins with a literal or a typed field.
    pub(super) fn begins_with_known(&self) -> bool {
        match self.steps.first() {
            Some(Step::Literal(_)) => true,
            Some(Step::Field { field, .. }) => !self.kind.is_free(field.escape),
            None => false,
        }
    }

    /// Puts into `head` the first reading of this form at the start of `text` with its label at
    /// `label_from` or after; false, and an undefined `head`, where there is none.
    ///
    /// An argument rather than a result: a head is some 250 bytes, and copies of it cost more than
    /// the reading.
    pub(super) fn read<'c>(
        &self,
        text: &'c [u8],
        label_from: usize,
        newlines: Newlines,
        names: &Names<'_>,
        head: &mut Head<'c>,
    ) -> bool {
        if !self.may_begin(text) {
            return false;
        }
        // One searched field never comes to the same place twice.
        if self.fields_searched < 2 {
            return self.read_with(text, label_from, newlines, names, head, &mut []);
        }
        let mut failed = [[0; FAILED_PLACES / 64]; FAILED_FIELDS];
        self.read_with(text, label_from, newlines, names, head, &mut failed)
    }

    fn read_with<'c>(
        &self,
        text: &'c [u8],
        label_from: usize,
        newlines: Newlines,
        names: &Names<'_>,
        head: &mut Head<'c>,
        failed: &mut [Failed],
    ) -> bool {
        let mut reader = Reader {
            text,
            form: self,
            label_from,
            newlines,
            names,
            tries: 0,
            failed,
            head,
        };
        let lead = self.lead.and_then(|lead| lead.read(text, reader.head));
        let (step, pos) = lead.map_or((0, 0), |pos| (LEAD_STEPS, pos));
        if !reader.steps(step, pos) {
            return false;
        }
        head.pid = head.pid.or(head.session_id.map(|id| id.pid));
        true
    }

    /// Most lines that are no heads show it in their first byte.
    fn may_begin(&self, text: &[u8]) -> bool {
        match self.steps.first() {
            Some(Step::Literal(literal)) => text.first() == literal.first(),
            Some(Step::Field { field, .. }) => {
                field.width > 0
                    || !b"mtsnp".contains(&field.escape)
                    || text.first().is_some_and(u8::is_ascii_digit)
            }
            None => true,
        }
    }
}

impl Lead {
    /// Reads it at the start of `text`, and returns where it ends. `None`: it is not there, or step by step it has to be
    /// found out, as at the end of a text.
    // Always: once a line: calls cost more than what they do.
    #[inline(always)]
    fn read<'c>(self, text: &'c [u8], head: &mut Head<'c>) -> Option<usize> {
        let before = &mut head.before;
        let (wall_ms, time) = before.minute.read_wall(text)?;
        if (time == 23) != self.has_ms {
            return None;
        }
        // Nearly always the zone is that of the line before.
        if before.zone_len == 0 || !before.zone.begins(&text[time..]) {
            let until = self.middle.first();
            let (_, len) = log_time::read_after(&mut before.minute, text, Some(until))?;
            if !self.middle.begins(&text[len..]) {
                return None;
            }
            before.zone = Short::new(&text[time..len + self.middle.len()])?;
            before.zone_len = len - time - 1;
        }
        let zone = time + 1;
        let pid = time + before.zone.len();
        let zone = log_time::Zone::Named(&text[zone..zone + before.zone_len]);
        let (number, len) = number(&text[pid..])?;
        let end = pid + len;
        if !self.end.begins(&text[end..]) {
            return None;
        }
        head.log_time = Some(log_time::LogTime { wall_ms, zone });
        head.pid = Some(number);
        Some(end + self.end.len())
    }

    fn of(steps: &[Step]) -> Option<Lead> {
        let typed = |step: &Step| match step {
            Step::Field {
                field,
                searched: None,
                ..
            } if field.width == 0 => Some(field.escape),
            _ => None,
        };
        let [time, Step::Literal(middle), pid, Step::Literal(end), ..] = steps else {
            return None;
        };
        let time = typed(time).filter(|escape| matches!(escape, b'm' | b't'))?;
        (typed(pid) == Some(b'p')).then_some(Lead {
            has_ms: time == b'm',
            middle: Short::new(middle)?,
            end: Short::new(end)?,
        })
    }
}

impl Kind {
    /// Its value is free text in this form.
    fn is_free(self, escape: u8) -> bool {
        match escape {
            b'u' | b'd' | b'a' | b'i' => true,
            b'b' => self != Kind::Session,
            _ => false,
        }
    }
}

/// A value without the blanks that bring it to its width.
fn unpadded(field: Field, mut value: &[u8]) -> &[u8] {
    if value.len() == field.width {
        while let Some(rest) = if field.left {
            value.strip_suffix(b" ")
        } else {
            value.strip_prefix(b" ")
        } {
            value = rest;
        }
    }
    value
}

/// A bit per place where a searched field has no end.
type Failed = [u64; FAILED_PLACES / 64];

struct Reader<'c, 'p> {
    text: &'c [u8],
    form: &'p Form,
    label_from: usize,
    newlines: Newlines,
    /// What the names are, where that is known.
    names: &'p Names<'p>,
    tries: u32,
    failed: &'p mut [Failed],
    head: &'p mut Head<'c>,
}

impl<'c> Reader<'c, '_> {
    /// Matches the steps from number `i` on at `pos`, and the label after them.
    fn steps(&mut self, mut i: usize, mut pos: usize) -> bool {
        let form = self.form;
        while let Some(step) = form.steps.get(i) {
            match step {
                Step::Literal(literal) => {
                    let text = &self.text[pos..];
                    if text.first() != literal.first() || !text.starts_with(literal) {
                        return false;
                    }
                    pos += literal.len();
                }
                Step::Field {
                    field,
                    until,
                    searched: None,
                    ..
                } => match self.typed(*field, *until, pos) {
                    Some(end) => pos = end,
                    None => return false,
                },
                Step::Field {
                    field,
                    searched: Some(number),
                    glued,
                    ..
                } => return self.search(i, *field, *number, *glued, pos),
            }
            i += 1;
        }
        if pos < self.label_from {
            return false;
        }
        let Some((label, len)) = label::read(&self.text[pos..]) else {
            return false;
        };
        self.head.label = label;
        self.head.label_start = pos;
        self.head.text_start = pos + len;
        true
    }

    /// Tries the ends that this field may have at `pos`, remembering what failed.
    fn search(&mut self, i: usize, field: Field, number: usize, glued: bool, pos: usize) -> bool {
        let bit = (number < self.failed.len() && pos < FAILED_PLACES).then_some(1u64 << (pos % 64));
        if let Some(bit) = bit
            && self.failed[number][pos / 64] & bit != 0
        {
            return false;
        }
        let found = match field.escape {
            b'h' | b'L' => self.search_host(i, field, pos),
            b'm' | b't' | b's' => self.search_zone(i, field, pos),
            _ => self.search_text(i, field, glued, pos),
        };
        if !found && let Some(bit) = bit {
            self.failed[number][pos / 64] |= bit;
        }
        found
    }

    fn search_text(&mut self, i: usize, field: Field, glued: bool, pos: usize) -> bool {
        let is_name = matches!(field.escape, b'u' | b'd' | b'a');
        let max = match field.escape {
            b'u' | b'd' => NAME_MAX,
            b'a' => APPLICATION_MAX,
            _ => TEXT_MAX,
        };
        let least = usize::from(is_name).max(field.width);
        let mut last_end = self.text.len().min(pos + max.max(field.width));
        let may_break = matches!(field.escape, b'u' | b'd');
        if may_break && self.newlines == Newlines::AtTheEnd && self.text.len() < pos + NAME_MAX {
            return true;
        }
        if !(may_break && self.newlines == Newlines::InNames)
            && let Some(newline) = memchr::memchr(b'\n', &self.text[pos..last_end])
        {
            last_end = pos + newline;
        }
        let mut least = least;
        if field.escape == b'b'
            && let Some(word) = SESSION_TYPES
                .iter()
                .find(|word| self.text[pos..].starts_with(word))
        {
            least = least.max(word.len());
            last_end = last_end.min(pos + least);
        }
        let form = self.form;
        let literal: &[u8] = match form.steps.get(i + 1) {
            Some(Step::Literal(literal)) => literal,
            _ => b"",
        };
        let mut end = pos + least;
        while end <= last_end {
            if let Some(&first) = literal.first() {
                let window = &self.text[end..self.text.len().min(last_end + 1)];
                let Some(skipped) = memchr::memchr(first, window) else {
                    return false;
                };
                end += skipped;
            }
            self.tries += 1;
            if self.tries > TRIES_MAX {
                return false;
            }
            if self.text[end..].starts_with(literal) && self.is_wanted(field, &self.text[pos..end])
            {
                let next = i + 1 + usize::from(!literal.is_empty());
                if self.steps(next, end + literal.len()) {
                    if !glued {
                        self.set_text(field, &self.text[pos..end]);
                    }
                    return true;
                }
            }
            end += 1;
        }
        false
    }

    /// The names are not known, or this is the one.
    fn is_wanted(&self, field: Field, text: &[u8]) -> bool {
        let wanted = match field.escape {
            b'u' => self.names.user,
            b'd' => self.names.database,
            b'a' => self.names.application_name,
            _ => Wanted::Any,
        };
        let value = unpadded(field, text);
        match wanted {
            Wanted::Any => true,
            Wanted::Unset => value.is_empty() || label::unset(value) == Some(value.len()),
            Wanted::Is(name) => text == name || value == name,
        }
    }

    /// A host where the byte after it may also stand in a host: the longest plausible one first.
    fn search_host(&mut self, i: usize, field: Field, pos: usize) -> bool {
        let longest = host_len(&self.text[pos..]);
        for len in (0..=longest).rev() {
            let host = &self.text[pos..pos + len];
            self.tries += 1;
            if self.tries > TRIES_MAX {
                return false;
            }
            if !is_plausible_host(host) {
                continue;
            }
            let pad = field.width.saturating_sub(len);
            let end = pos + len + pad;
            if !field.left && pad > 0 || !self.text[pos + len..].starts_with(&SPACES[..pad]) {
                continue;
            }
            if self.steps(i + 1, end) {
                if field.escape == b'h' {
                    self.set_host(host, None);
                }
                return true;
            }
        }
        false
    }

    /// A time with a field or label directly after its zone: the shortest zone first.
    fn search_zone(&mut self, i: usize, field: Field, pos: usize) -> bool {
        let text = &self.text[pos..];
        let Some((time, len)) = read_time(field.escape, text, None) else {
            return false;
        };
        let log_time::Zone::Named(zone) = time.zone else {
            return false;
        };
        let zone_start = len - zone.len();
        let is_numeric = matches!(zone[0], b'+' | b'-');
        (1..=zone.len()).any(|zone_len| {
            // `-03` or `+0545`: what is glued to it may be a number too.
            if is_numeric && !matches!(zone_len, 3 | 5) {
                return false;
            }
            self.tries += 1;
            let end = pos + zone_start + zone_len;
            let found = self.steps(i + 1, end) && self.head.pid.is_none_or(|pid| pid <= PID_MAX);
            if found && field.escape != b's' {
                self.head.log_time = Some(log_time::LogTime {
                    wall_ms: time.wall_ms,
                    zone: log_time::Zone::Named(&zone[..zone_len]),
                });
            }
            found
        })
    }

    fn set_text(&mut self, field: Field, value: &'c [u8]) {
        let value = unpadded(field, value);
        let name = (label::unset(value) != Some(value.len()) && !value.is_empty()).then_some(value);
        match field.escape {
            b'u' => self.head.user = name,
            b'd' => self.head.database = name,
            b'a' => self.head.application_name = name,
            b'i' => self.head.command_tag = name,
            _ => self.head.backend_type = name.map(BackendType::parse),
        }
    }

    /// The end of a typed field at `pos` with its padding, the value put into the head.
    fn typed(&mut self, field: Field, until: Option<u8>, pos: usize) -> Option<usize> {
        if field.width == 0 {
            return Some(pos + self.value(field.escape, until, &self.text[pos..])?);
        }
        let mut start = pos;
        if !field.left {
            start += self.text[pos..]
                .iter()
                .take(field.width)
                .take_while(|b| **b == b' ')
                .count();
        }
        let len = self.value(field.escape, until, &self.text[start..])?;
        let pad = field.width.saturating_sub(len);
        let end = start + len;
        if field.left {
            self.text[end..]
                .starts_with(&SPACES[..pad])
                .then_some(end + pad)
        } else {
            (start - pos == pad).then_some(end)
        }
    }

    /// The length of a value at the start of `text`, put into the head.
    fn value(&mut self, escape: u8, until: Option<u8>, text: &'c [u8]) -> Option<usize> {
        match escape {
            b'm' | b't' | b's' => {
                if (text.get(19) == Some(&b'.')) != (escape == b'm') {
                    return None;
                }
                let minute = &mut self.head.before.minute;
                let (time, len) = log_time::read_after(minute, text, until)?;
                if escape != b's' {
                    self.head.log_time = Some(time);
                }
                Some(len)
            }
            b'n' => {
                let (time, len) = log_time::read_epoch(text)?;
                self.head.log_time = Some(time);
                Some(len)
            }
            b'p' => {
                let (pid, len) = number(text)?;
                self.head.pid = Some(pid);
                Some(len)
            }
            b'l' => Some(digits(text)).filter(|len| (1..=19).contains(len)),
            b'x' => Some(digits(text)).filter(|len| (1..=10).contains(len)),
            b'P' => Some(digits(text)).filter(|len| *len <= 10),
            b'Q' => {
                let sign = usize::from(text.first() == Some(&b'-'));
                let len = digits(&text[sign..]);
                Some(if len == 0 { 0 } else { sign + len }).filter(|len| *len <= 20)
            }
            b'v' => Some(vxid_len(text)),
            b'e' => {
                self.head.sqlstate = Some(Sqlstate::parse(text.get(..5)?)?);
                Some(5)
            }
            b'c' => {
                let len = session_id_len(text)?;
                self.head.session_id = Some(SessionId::parse(&text[..len])?);
                Some(len)
            }
            b'r' => {
                let (host, port) = remote_len(text)?;
                let len = host + port;
                let port = (port > 2).then(|| &text[host + 1..len - 1]);
                self.set_host(&text[..host], port);
                Some(len)
            }
            b'h' => {
                let host = &text[..host_len(text)];
                self.set_host(host, None);
                (host.is_empty() || is_plausible_host(host)).then_some(host.len())
            }
            b'L' => Some(host_len(text)),
            b'b' => {
                let word = SESSION_TYPES.iter().find(|word| text.starts_with(word));
                self.head.backend_type = word.map(|word| BackendType::parse(word));
                Some(word.map_or(0, |word| word.len()))
            }
            _ => None,
        }
    }

    fn set_host(&mut self, host: &'c [u8], port: Option<&'c [u8]>) {
        // `%r` says more than `%h`, whichever comes first.
        if port.is_some() || self.head.client.is_none_or(|client| client.port.is_none()) {
            self.head.client = (!host.is_empty()).then_some(Client { host, port });
        }
    }
}

static SPACES: [u8; super::WIDTH_MAX] = [b' '; super::WIDTH_MAX];

/// `%b` of processes with a client socket; empty from servers that do not know `%b`.
const SESSION_TYPES: &[&[u8]] = &[
    b"client backend",
    b"walsender",
    b"not initialized",
    b"unrecognized",
    b"dead-end client backend",
];

/// `%m` has milliseconds, `%t` and `%s` have none.
pub(super) fn read_time(
    escape: u8,
    text: &[u8],
    until: Option<u8>,
) -> Option<(log_time::LogTime<&[u8]>, usize)> {
    if (text.get(19) == Some(&b'.')) != (escape == b'm') {
        return None;
    }
    log_time::read(text, until)
}

/// The length of the digits at the start of `text`.
pub(super) fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// The decimal number up to 2³² - 1 at the start of `text`, and its length.
#[inline(always)]
fn number(text: &[u8]) -> Option<(u32, usize)> {
    // Less than eight digits, as nearly always: all at once.
    if let Some(word) = text.first_chunk() {
        let word = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let over = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
        let len = over.trailing_zeros() / 8;
        if (1..8).contains(&len) {
            // The digits from the top byte downwards, zeros before them.
            let digits = word << (8 * (8 - len));
            let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
            let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
            let number = (fours * 10_000 + (fours >> 32)) as u32;
            return Some((number, len as usize));
        }
    }
    long_number(text)
}

fn long_number(text: &[u8]) -> Option<(u32, usize)> {
    let mut number = 0u64;
    let mut len = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(len) {
        number = number * 10 + u64::from(digit - b'0');
        len += 1;
        if len > 10 {
            return None;
        }
    }
    let number = u32::try_from(number).ok()?;
    (len > 0).then_some((number, len))
}

/// `3/17`, or nothing.
pub(super) fn vxid_len(text: &[u8]) -> usize {
    let backend = digits(text);
    if backend == 0 || text.get(backend) != Some(&b'/') {
        return 0;
    }
    let local = digits(&text[backend + 1..]);
    if local == 0 { 0 } else { backend + 1 + local }
}

/// `6b03cbfa.4ec2`
pub(super) fn session_id_len(text: &[u8]) -> Option<usize> {
    let hex = |text: &[u8]| {
        let is_hex = |b: &&u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let len = text.iter().take_while(is_hex).count();
        (1..=15).contains(&len).then_some(len)
    };
    let start = hex(text)?;
    if text.get(start) != Some(&b'.') {
        return None;
    }
    Some(start + 1 + hex(&text[start + 1..])?)
}

/// `%r`: the lengths of the host and of `(port)`; both 0 for nothing.
pub(super) fn remote_len(text: &[u8]) -> Option<(usize, usize)> {
    let host = host_len(text);
    let local = text.starts_with(b"[local]");
    let after = &text[host..];
    if local {
        let path = matches!(after, [b'(', b'/' | b'@', ..]);
        let end = after.iter().take(PATH_MAX).position(|b| *b == b')');
        return Some((host, end.filter(|_| path).map_or(0, |end| end + 1)));
    }
    if host == 0 {
        return Some((0, 0));
    }
    // Without a port the server prints none, not even parentheses.
    let port = after.strip_prefix(b"(").map(digits).filter(|n| *n > 0);
    match port {
        Some(port) if after.get(port + 1) == Some(&b')') => Some((host, port + 2)),
        _ => None,
    }
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'_' | b'%')
}

/// All of these.
static HOST_BYTES: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < bytes.len() {
        bytes[byte] = is_host_byte(byte as u8);
        byte += 1;
    }
    bytes
};

/// The longest host at the start of `text`.
pub(super) fn host_len(text: &[u8]) -> usize {
    if let Some(b'[' | b'?') = text.first() {
        let words = [&b"[local]"[..], b"[none]", b"???"];
        let word = words.iter().find(|word| text.starts_with(word));
        return word.map_or(0, |word| word.len());
    }
    text.iter()
        .take(HOST_MAX)
        .take_while(|b| HOST_BYTES[usize::from(**b)])
        .count()
}

/// An address or a name: colons only in IPv6 addresses, which have two of them at least.
pub(super) fn is_plausible_host(host: &[u8]) -> bool {
    if matches!(host, b"" | b"[local]" | b"[none]" | b"???") {
        return true;
    }
    if host.contains(&b'[') || host.contains(&b'?') {
        return false;
    }
    let address = host.split(|b| *b == b'%').next().unwrap_or(host);
    let colons = memchr::memchr_iter(b':', address).count();
    if colons == 0 {
        return !host.contains(&b'%');
    }
    (2..=8).contains(&colons)
        && address
            .iter()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        && (!address.ends_with(b":") || address.ends_with(b"::"))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_every_length_are_read() {
        for (text, expected) in [
            ("1] LOG:  x", Some((1, 1))),
            ("10] LOG:  x", Some((10, 2))),
            ("4194303] LOG:  x", Some((4_194_303, 7))),
            ("41943034] LOG:  x", Some((41_943_034, 8))),
            ("4294967295 ", Some((u32::MAX, 10))),
            ("4294967296 ", None),
            ("00000000000", None),
            ("0000007x", Some((7, 7))),
            ("99", Some((99, 2))),
            ("1:\u{ff}\u{ff}\u{ff}\u{ff}", Some((1, 1))),
            ("/12345678", None),
            (":12345678", None),
            ("", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }
}
