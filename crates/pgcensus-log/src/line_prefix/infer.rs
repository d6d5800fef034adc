//! Finding the `log_line_prefix` of a log that nobody described: generate and test.
//!
//! Candidates are popular prefixes, and what [`derive`] makes of some lines by the shape of their heads.
//! Each is scored on a part of the sample: lines that it reads, and whether the fields of a lifecycle
//! line agree with its message (`connection authorized: user=… database=…`), less a little for each
//! field of free text and each literal word, which would read anything or nothing. The best ones are
//! then improved by small edits: where `%q` stands, fields that were empty in the base line, padding.

mod derive;
mod known;
#[cfg(test)]
mod manual;
mod score;
mod times;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use memchr::memmem::Finder;

use super::label;
use super::{Head, LinePrefix, Part};
use crate::record::Severity;
use crate::{log_time, stranger};

pub use known::{Known, check};

/// What [`infer`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// The prefix that reads most lines.
    pub prefix: LinePrefix,
    /// Labelled lines of the sample that it reads.
    pub lines_read: usize,
    /// Labelled lines of the sample.
    pub lines: usize,
    /// Another prefix, with its names in other places, that explains the sample as well: no line of it says which
    /// word is which.
    pub undecided: Option<LinePrefix>,
}

/// Infers the `log_line_prefix` from a sample of lines, whole or torn at both ends.
///
/// One line may do, more are better, above all `connection received` and `connection authorized`.
/// Fields that leave no trace in the sample are not found: `%q` and what follows it in a sample of
/// background lines, for one. `None` where no line has a label, or nothing reads any.
pub fn infer(sample: &[u8]) -> Option<Inference> {
    Known::default().infer(sample)
}

/// The prefix that explains these lines best.
fn best(lines: &[Line<'_>]) -> Option<LinePrefix> {
    let mut ranking = Ranking {
        lines,
        seen: BTreeSet::new(),
        best: Vec::new(),
    };
    for text in POPULAR {
        ranking.add((*text).to_owned());
    }
    for text in derive::candidates(lines) {
        ranking.add(text);
    }
    ranking.refine();
    ranking.best.into_iter().next().map(|best| best.prefix)
}

/// A prefix that differs from `prefix` in which of its names is which, and explains these lines as well.
fn undecided(prefix: &LinePrefix, lines: &[Line<'_>]) -> Option<LinePrefix> {
    let says_names = |line: &Line<'_>| {
        matches!(
            line.says,
            Says::Authorized {
                database: Some(_),
                ..
            } | Says::Disconnected { .. }
        )
    };
    if lines.iter().any(says_names) {
        return None;
    }
    let points = score::of(prefix, lines).points;
    let others = derive::renamed(prefix.as_str()).into_iter();
    others
        .filter_map(|text| LinePrefix::parse(&text).ok())
        .find(|other| score::of(other, lines).points >= points)
}

/// How many of the labelled lines a prefix reads; `None` where it reads none.
fn count(prefix: LinePrefix, sample: &[u8], lines: &[Line<'_>]) -> Option<Inference> {
    let mut inference = Inference {
        prefix,
        lines_read: 0,
        lines: 0,
        undecided: None,
    };
    let mut torn_until = 0;
    let mut head = Head::default();
    for line in lines {
        let offset = sample.len() - line.text.len();
        if offset < torn_until {
            continue;
        }
        if inference.prefix.read_into(line.text, 0, &mut head) {
            inference.lines_read += 1;
            torn_until = offset + head.text_start;
        } else if let Some(before) = sample[..offset].strip_suffix(b"\n") {
            // The rest of a head that a login name has torn counts with its beginning.
            let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            if inference.prefix.is_torn_head(&before[start..]) {
                inference.lines_read += 1;
            }
        }
        inference.lines += 1;
    }
    (inference.lines_read > 0).then_some(inference)
}

/// Prefixes that documentation, packages and services use; they also win ties, earlier ones first.
const POPULAR: &[&str] = &[
    "%m [%p] ",
    "",
    "%m [%p] %q%u@%d ",
    "%t [%p-%l] %q%u@%d ",
    "%m [%p-%l] %q%u@%d ",
    "%t [%p] %q%u@%d ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%r ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%m [%p]: [%l-1] db=%d,user=%u ",
    "%t [%p]: [%l-1] db=%d,user=%u ",
    "%m [%p] %q%u@%d/%a ",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%r ",
    "user=%u,db=%d,app=%a,client=%h ",
    "%quser=%u,db=%d,app=%a,client=%h ",
    "%t:%r:%u@%d:[%p]:",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%t [%p]: [%l-1] %c %x %d %u %a %h ",
    "%t-%c-",
    "%m|%p|%u|%d|%h|%a|%e|",
    "%m|%p|%u|%d|%h|%a|",
    "< %m >",
    "< %t >",
    "%t ",
    "%m ",
    "%t [%p] ",
    "%t [%p]: ",
    "%m [%p]: ",
    "%m [%p] %u@%d ",
    "%t [%p] %u@%d ",
    "%q%u@%d ",
    // Heroku's; of two times a reader cannot tell which is the start of the process.
    " sql_error_code = %e time_ms = \"%m\" pid=\"%p\" proc_start_time=\"%s\" session_id=\"%c\" vtid=\"%v\" tid=\"%x\" log_line=\"%l\" database=\"%d\" connection_source=\"%r\" user=\"%u\" application_name=\"%a\" ",
];

/// Lines that the candidates are scored on.
const LINES_CHOSEN: usize = 96;
/// A label further in a line is part of its message.
const HEAD_MAX: usize = 600;
/// One wrong line of so many is worth no edits: hostile names, torn lines.
const WRONG_SHARE: usize = 40;
/// Candidates that are improved by edits.
const REFINED: usize = 4;

/// Bytes of text around the fields that any prefix may have.
const LITERAL_MAX: usize = 120;
/// More of it may stand around each field, such as its key.
const LITERAL_PER_FIELD: usize = 16;

/// Nobody writes whole sentences in a prefix, nor a `%q` with nothing behind it that sessions alone have; and a document
/// that quotes lines is no log.
fn is_plausible(text: &str) -> bool {
    let parts = super::parse_parts(text.as_bytes());
    let of_sessions =
        |part: &Part| matches!(part, Part::Field(field) if b"udarhi".contains(&field.escape));
    if let Some(stop) = parts.iter().position(|part| *part == Part::Stop)
        && !parts[stop..].iter().any(of_sessions)
    {
        return false;
    }
    let mut literal = 0;
    let mut fields = 0;
    for part in &parts {
        match part {
            Part::Literal(text) => {
                let quotes = |mark: &[u8]| memchr::memmem::find(text, mark).is_some();
                if quotes(b"{\"") || quotes(b"\":") || quotes(b"</") || quotes(b"/>") {
                    return false;
                }
                literal += text.len();
            }
            Part::Field(_) => fields += 1,
            Part::Stop => {}
        }
    }
    literal <= LITERAL_MAX.max(fields * LITERAL_PER_FIELD)
}

/// A line that holds a label, by what it says.
#[derive(Clone, Copy, Debug)]
struct Line<'c> {
    /// From its beginning to the end of the sample: a name may go on in the next line.
    text: &'c [u8],
    /// What stands before the first label.
    head: &'c [u8],
    says: Says<'c>,
    /// Number among the labelled lines.
    number: usize,
}

/// The messages that tell what must be in the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says<'c> {
    Received {
        host: &'c [u8],
        port: Option<&'c [u8]>,
    },
    Authenticated,
    Authorized {
        user: &'c [u8],
        database: Option<&'c [u8]>,
        application_name: Option<&'c [u8]>,
    },
    Disconnected {
        user: &'c [u8],
        database: &'c [u8],
        host: &'c [u8],
        port: Option<&'c [u8]>,
    },
    /// A process without a client wrote it.
    Background,
    /// A DETAIL, STATEMENT …: the process of the line before it wrote it.
    Continued,
    Nothing,
}

fn labelled_lines(sample: &[u8]) -> Vec<Line<'_>> {
    labelled_lines_beside(sample, &mut 0)
}

/// Likewise, and how many whole lines neither have a label nor go on from another one.
fn labelled_lines_beside<'c>(sample: &'c [u8], strangers: &mut usize) -> Vec<Line<'c>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let label_end = Finder::new(b":  ");
    let mut rest = sample;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let from_here = rest;
        let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[rest.len().min(end + 1)..];
        // Further lines of a message begin with a tab, whatever they look like.
        if text.starts_with(b"\t") {
            continue;
        }
        let labelled = first_label(&label_end, text).filter(|&(at, label, _)| {
            let is_fatal = label == super::Label::Severity(Severity::Fatal);
            !(is_fatal && stranger::repeats(&text[..at]))
        });
        if let Some((at, label, len)) = labelled {
            let message = &text[at + len..];
            let begin = stranger::waiting(&text[..at]);
            // The sample ends within the line: the names at its end may be half ones.
            let is_torn = end == from_here.len() && !lines.is_empty();
            lines.push(Line {
                text: &from_here[begin..],
                head: &text[begin..at],
                says: match Says::read(label, message) {
                    Says::Continued => Says::Continued,
                    _ if is_torn => Says::Nothing,
                    says => says,
                },
                number: lines.len(),
            });
        } else {
            *strangers += usize::from(!text.is_empty() && end < from_here.len());
        }
    }
    lines
}

fn first_label(label_end: &Finder<'_>, text: &[u8]) -> Option<(usize, super::Label, usize)> {
    let head = &text[..text.len().min(HEAD_MAX)];
    label_end.find_iter(head).find_map(|colon| {
        let (label, len) = label::ending(&head[..colon + 3])?;
        let at = colon + 3 - len;
        let glued = at
            .checked_sub(1)
            .is_some_and(|before| text[before].is_ascii_uppercase());
        (!glued || glued_to_zone(&text[..at])).then_some((at, label, len))
    })
}

/// It ends with a time and its zone, as `2026-11-23 05:32:45 UTC`.
pub(crate) fn glued_to_zone(head: &[u8]) -> bool {
    let Some(space) = memchr::memrchr(b' ', head) else {
        return false;
    };
    let zone = &head[space + 1..];
    let ends_with_time = |len: usize| {
        let start = space.checked_sub(len);
        start.is_some_and(|start| {
            log_time::read_wall(&head[start..space]).is_some_and(|(_, read)| read == len)
        })
    };
    zone.len() <= 6 && (ends_with_time(19) || ends_with_time(23))
}

impl<'c> Says<'c> {
    fn read(label: super::Label, message: &'c [u8]) -> Says<'c> {
        if !matches!(label, super::Label::Severity(_)) {
            return Says::Continued;
        }
        // `log_error_verbosity = verbose`
        let message = message.strip_prefix(b"00000: ").unwrap_or(message);
        let cut = |text: &'c [u8], word: &[u8]| {
            let at = memchr::memmem::find(text, word)?;
            Some((&text[..at], &text[at + word.len()..]))
        };
        let cut_last = |text: &'c [u8], word: &[u8]| {
            let at = memchr::memmem::rfind(text, word)?;
            Some((&text[..at], &text[at + word.len()..]))
        };
        let host_port = |text: &'c [u8]| match cut(text, b" port=") {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        if let Some(text) = message.strip_prefix(b"connection received: host=") {
            let (host, port) = host_port(text);
            return Says::Received { host, port };
        }
        if message.starts_with(b"connection authenticated: ") {
            return Says::Authenticated;
        }
        let authorized = message
            .strip_prefix(b"replication ")
            .unwrap_or(message)
            .strip_prefix(b"connection authorized: user=");
        if let Some(text) = authorized {
            let text = cut_last(text, b" SSL enabled (").map_or(text, |(text, _)| text);
            let text = cut_last(text, b" GSS (").map_or(text, |(text, _)| text);
            let (text, application_name) = match cut(text, b" application_name=") {
                Some((text, application_name)) => (text, Some(application_name)),
                None => (text, None),
            };
            let (user, database) = match cut(text, b" database=") {
                Some((user, database)) => (user, Some(database)),
                None => (text, None),
            };
            return Says::Authorized {
                user,
                database,
                application_name,
            };
        }
        if let Some(text) = message.strip_prefix(b"disconnection: session time: ")
            && let Some((text, host)) = cut_last(text, b" host=")
            && let Some((_, names)) = cut(text, b" user=")
            && let Some((user, database)) = cut(names, b" database=")
        {
            let (host, port) = host_port(host);
            return Says::Disconnected {
                user,
                database,
                host,
                port,
            };
        }
        let is_background =
            |text: &&[u8]| message.first() == text.first() && message.starts_with(text);
        if BACKGROUND.iter().any(is_background) {
            return Says::Background;
        }
        Says::Nothing
    }
}

/// Messages of processes without a client.
const BACKGROUND: &[&[u8]] = &[
    b"starting PostgreSQL ",
    b"listening on ",
    b"database system ",
    b"checkpoint ",
    b"restartpoint ",
    b"automatic ",
    b"autovacuum launcher ",
    b"received fast ",
    b"received smart ",
    b"received immediate ",
    b"received SIGHUP",
    b"shutting down",
    b"aborting any active transactions",
    b"background worker ",
    b"logical replication launcher ",
    b"redo ",
    b"entering standby mode",
    b"consistent recovery state ",
    b"ending log output to stderr",
    b"server process (PID ",
];

/// Enough lines of each kind to score by, in their order.
fn choose<'c>(lines: &[Line<'c>]) -> Vec<Line<'c>> {
    if lines.len() <= LINES_CHOSEN {
        return lines.to_vec();
    }
    let mut taken = vec![false; lines.len()];
    let mut kinds = [0usize; 6];
    for (i, line) in lines.iter().enumerate() {
        let kind = match line.says {
            Says::Received { .. } => 0,
            Says::Authenticated | Says::Authorized { .. } => 1,
            Says::Disconnected { .. } => 2,
            Says::Background => 3,
            Says::Continued => 4,
            Says::Nothing => 5,
        };
        kinds[kind] += 1;
        if kinds[kind] <= 9 {
            taken[i] = true;
            // The line that a DETAIL or STATEMENT belongs to.
            if kind == 4 && i > 0 {
                taken[i - 1] = true;
            }
        }
    }
    let stride = lines.len().div_ceil(LINES_CHOSEN / 2);
    for taken in taken.iter_mut().skip(stride / 2).step_by(stride.max(1)) {
        *taken = true;
    }
    let chosen = lines.iter().zip(&taken).filter(|(_, taken)| **taken);
    chosen.map(|(line, _)| *line).collect()
}

/// The candidates so far, best first; of equals, the earlier one.
struct Ranking<'l, 'c> {
    lines: &'l [Line<'c>],
    seen: BTreeSet<String>,
    best: Vec<Candidate>,
}

#[derive(Clone, Debug)]
struct Candidate {
    prefix: LinePrefix,
    score: score::Score,
}

impl<'c> Ranking<'_, 'c> {
    /// Scores a candidate; true if it became the best.
    fn add(&mut self, text: String) -> bool {
        if self.seen.contains(&text) {
            return false;
        }
        let Ok(prefix) = LinePrefix::parse(&text) else {
            return false;
        };
        if !is_plausible(&text) {
            return false;
        }
        self.seen.insert(text);
        let Some(score) = score::of_at_least(&prefix, self.lines, self.least()) else {
            return false;
        };
        let at = self
            .best
            .partition_point(|candidate| candidate.score.points >= score.points);
        if at >= REFINED {
            return false;
        }
        self.best.insert(at, Candidate { prefix, score });
        self.best.truncate(REFINED);
        at == 0
    }

    /// What a candidate must have more of: where the best one is clean, the others are not looked at any more.
    fn least(&self) -> i64 {
        let place = match self.best.first() {
            Some(best) if best.score.clean => 0,
            _ => REFINED - 1,
        };
        let worst = self.best.get(place);
        worst.map_or(i64::MIN, |worst| worst.score.points)
    }

    /// Edits the best ones for as long as that makes the best better, on the lines that are wrong by
    /// now and some others.
    fn refine(&mut self) {
        let Some(best) = self.best.first().filter(|best| !best.score.clean) else {
            return;
        };
        let (wrong, right): (Vec<_>, Vec<_>) = self
            .lines
            .iter()
            .partition(|line| !score::explains(&best.prefix, line));
        if wrong.len() * WRONG_SHARE < self.lines.len() {
            return;
        }
        let some = |lines: &[Line<'c>], count: usize| {
            let stride = lines.len().div_ceil(count).max(1);
            lines.iter().step_by(stride).copied().collect::<Vec<_>>()
        };
        let mut lines = some(&wrong, 24);
        lines.extend(some(&right, 24));
        lines.sort_by_key(|line| line.number);
        let mut ranking = Ranking {
            lines: &lines,
            seen: BTreeSet::new(),
            best: Vec::new(),
        };
        for candidate in &self.best {
            ranking.add(candidate.prefix.as_str().to_owned());
        }
        ranking.climb();
        for candidate in ranking.best {
            self.add(candidate.prefix.as_str().to_owned());
        }
    }

    fn climb(&mut self) {
        for round in 0..5 {
            if self.best.first().is_none_or(|best| best.score.clean) {
                return;
            }
            let count = if round == 0 { REFINED } else { 2 };
            let bases: Vec<String> = self
                .best
                .iter()
                .take(count)
                .map(|candidate| candidate.prefix.as_str().to_owned())
                .collect();
            let mut better = false;
            for base in bases {
                for edit in derive::edits(&base, self.lines) {
                    better |= self.add(edit);
                }
            }
            if !better {
                return;
            }
        }
    }
}
