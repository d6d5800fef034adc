//! Unused lines of `pg_hba.conf`: no connection was seen to match them in thirty days.
//!
//! Which line a connection matched is in `connection authenticated`, from 17 on for `trust` too, and in the DETAIL of a
//! failure. Of a log whose sessions do not all have it nothing is said, nor of lines whose use is in no log: `reject`, and `trust` with
//! `clientcert`. Line numbers are those of the file as the server loaded it last, so nothing before that counts.

use std::sync::Arc;

use pgcensus_log::detail::{Detail, Hba};
use pgcensus_log::event::ServerEvent;
use rustc_hash::FxHashMap;

use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::tally::Tally;
use super::{Judge, SESSIONS_MIN, Seen};
use crate::change::{Refusal, What};
use crate::instant::Instant;
use crate::session::{ServerId, Session, SessionAuth};

/// A month has its first and its last day, with the jobs of both.
const STRETCH_MS: i64 = 30 * 24 * 3_600_000;

/// Lines that are seen at most; of more nothing is said.
const LINES_MAX: usize = 10_000;

/// Lines that are named.
const NAMED_MAX: usize = 5;

/// Lines in the figures.
const LISTED_MAX: usize = 50;

/// `pg_hba.conf` of the one server that there is, 17 or later, and of whose sessions none is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HbaFile {
    /// Its name, without its directory: the server may have it elsewhere.
    pub name: Box<[u8]>,
    /// When it was last written.
    pub modified: Instant,
    /// Its lines whose use is logged.
    pub lines: Vec<HbaLine>,
}

/// A line of it, or several that are continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HbaLine {
    /// Counted from 1; the first of those that are continued.
    pub number: u32,
    /// What stands there.
    pub text: Box<[u8]>,
}

/// The fold.
#[derive(Default)]
pub(super) struct UnusedLines {
    /// When a line was last seen to be matched, by file and number.
    seen: FxHashMap<Box<[u8]>, Instant>,
    /// The session before: the line of the next one is nearly always the same.
    last: Option<Arc<SessionAuth>>,
    last_at: Instant,
    sessions: u64,
    /// When a session last opened that does not say which line it matched.
    unlogged: Option<Instant>,
    /// When a server last loaded the file.
    loaded: FxHashMap<ServerId, Instant>,
    has_more: bool,
}

impl UnusedLines {
    /// A walsender opened.
    pub(super) fn opened(&mut self, session: &Session, at: Instant) {
        self.came(session.auth.as_ref(), 1, at);
    }

    pub(super) fn add(&mut self, tally: &Tally) {
        if tally.opened > 0 {
            self.came(tally.auth.as_ref(), tally.opened.into(), tally.last);
        }
    }

    /// Takes in a change that is in no tally.
    pub(super) fn observe(&mut self, seen: &Seen<'_>) {
        match seen.what {
            What::Closed(session) if !session.was_seen_to_open() => {
                self.unlogged = self.unlogged.max(session.session_start);
            }
            What::Refused(refusal) => self.refused(refusal, seen.at),
            What::Server(server, _, ServerEvent::Starting { .. } | ServerEvent::Startup { .. }) => {
                self.loads(*server, seen.at);
            }
            _ => {}
        }
    }

    fn refused(&mut self, refusal: &Refusal, at: Instant) {
        self.matched(refusal.auth.as_deref(), at);
        if let Some(Hba { file, line, .. }) = Detail::read(&refusal.record.detail).hba {
            let place = [file, b":", line.to_string().as_bytes()].concat();
            self.saw(place.into(), at);
        }
    }

    /// The server loads the file.
    pub(super) fn loads(&mut self, server: ServerId, at: Instant) {
        self.loaded.insert(server, at);
    }

    fn came(&mut self, auth: Option<&Arc<SessionAuth>>, sessions: u64, at: Instant) {
        self.sessions += sessions;
        let Some(auth) = auth else {
            self.unlogged = self.unlogged.max(Some(at));
            return;
        };
        let is_last = self
            .last
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, auth));
        if !is_last {
            self.flush();
            self.last = Some(auth.clone());
        }
        self.last_at = at;
    }

    fn flush(&mut self) {
        if let Some(last) = self.last.take() {
            self.matched(Some(&last), self.last_at);
        }
    }

    fn matched(&mut self, auth: Option<&SessionAuth>, at: Instant) {
        if let Some(auth) = auth {
            self.saw(auth.hba.clone(), at);
        }
    }

    fn saw(&mut self, place: Box<[u8]>, at: Instant) {
        if self.seen.len() >= LINES_MAX && !self.seen.contains_key(&place) {
            self.has_more = true;
            return;
        }
        let seen = self.seen.entry(place).or_insert(at);
        *seen = at.max(*seen);
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        self.flush();
        let (Some(file), [(server, _)]) = (judge.known.hba, judge.known.lives) else {
            return;
        };
        let (first, end) = judge.known.span;
        let since = self.loaded.get(server).map_or(first, |&at| at.max(first));
        let is_known = file.modified <= since
            && end.since(since) >= STRETCH_MS
            && self.sessions >= SESSIONS_MIN
            && !self.has_more
            && self.unlogged.is_none_or(|at| at < since);
        if !is_known {
            return;
        }
        let is_of_file = |place: &Hba<'_>| {
            let name = place
                .file
                .rsplit(|&byte| byte == b'/' || byte == b'\\')
                .next();
            name == Some(&*file.name)
        };
        let seen = self.seen.iter().filter(|(_, at)| **at >= since);
        let seen = seen.filter_map(|(place, _)| Hba::place(place).filter(is_of_file));
        let seen: Vec<u32> = seen.map(|place| place.line).collect();
        // A file of another name is another file.
        if seen.is_empty() {
            return;
        }
        let is_unused = |line: &&HbaLine| !seen.contains(&line.number);
        let unused: Vec<&HbaLine> = file.lines.iter().filter(is_unused).collect();
        if !unused.is_empty() {
            found.push(told(file, &unused, (*server, since, end)));
        }
    }
}

fn told(
    file: &HbaFile,
    unused: &[&HbaLine],
    (server, since, until): (ServerId, Instant, Instant),
) -> Finding {
    let mut said = Sentence::default()
        .count(unused.len() as u64)
        .text(" of ")
        .counted(file.lines.len() as u64, "line", "lines")
        .text(" of ")
        .name(&file.name)
        .text(if unused.len() == 1 {
            " was not seen: "
        } else {
            " were not seen: "
        });
    for (i, line) in unused.iter().take(NAMED_MAX).enumerate() {
        said = said
            .text(if i == 0 { "line " } else { "; line " })
            .text(format!("{}: ", line.number))
            .name(&line.text);
    }
    if let Some(more) = unused.len().checked_sub(NAMED_MAX).filter(|&more| more > 0) {
        said = said.text("; and ").count(more as u64).text(" more");
    }
    let place = |line: &&HbaLine| {
        let place = [&file.name, &b":"[..], line.number.to_string().as_bytes()].concat();
        (place.into(), 0)
    };
    Finding {
        kind: Kind::UnusedHbaLines,
        severity: Severity::Info,
        server,
        since,
        until,
        who: Who::default(),
        said,
        figures: vec![
            ("lines", Figure::Count(file.lines.len() as u64)),
            ("not_seen", Figure::Count(unused.len() as u64)),
            (
                "hba",
                Figure::Ranking(unused.iter().take(LISTED_MAX).map(place).collect()),
            ),
        ],
        test: Sentence::from(
            "no connection of thirty days or more since the file was last loaded was logged with one of these lines, and every session was logged with one; reject, and trust with clientcert, are left out: their use is in no log",
        ),
        advice: Sentence::from(
            "ask whom they are for (a standby, a yearly job, an emergency); a line that nobody needs is a door that nobody watches: comment it out, then SELECT pg_reload_conf()",
        ),
        command: vec![
            Argument::Word("sessions"),
            Argument::Word("--json"),
            Argument::At("--since", since),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{DAY, HOUR, How, MINUTE, Scene, client};
    use super::*;

    fn file() -> HbaFile {
        let line = |number| HbaLine {
            number,
            text: format!("host all all 10.0.{number}.0/24 scram-sha-256")
                .into_bytes()
                .into(),
        };
        HbaFile {
            name: b"pg_hba.conf"[..].into(),
            modified: Instant(-DAY),
            lines: [4, 7, 9].map(line).into(),
        }
    }

    /// Sessions by the lines 4 and, at the begin only, 7.
    fn log(days: i64) -> Scene {
        let mut scene = Scene::default();
        scene.hba = Some(file());
        let how = |place| How {
            auth: Some(("scram-sha-256", place)),
            ..How::default()
        };
        let web = client("web", "app", "10.0.4.7");
        for hour in 0..=days * 24 {
            scene.session_as(hour * HOUR, &web, MINUTE, how("/data/pg_hba.conf:4"));
        }
        scene.session_as(MINUTE, &web, MINUTE, how("/data/pg_hba.conf:7"));
        scene
    }

    fn said(scene: &Scene) -> Vec<u32> {
        let found = scene.findings();
        let found = found.iter().find(|f| f.kind == Kind::UnusedHbaLines);
        let Some((_, Figure::Ranking(rows))) = found.and_then(|f| f.figures.last()) else {
            return Vec::new();
        };
        rows.iter()
            .map(|(place, _)| Hba::place(place).expect("a place").line)
            .collect()
    }

    #[test]
    fn lines_that_nobody_matched_in_a_month_are_told() {
        assert_eq!(said(&log(30)), [9]);
        assert_eq!(said(&log(29)), [0; 0], "too short");
        let mut later = log(62);
        later.server(DAY, ServerEvent::Reloading);
        assert_eq!(said(&later), [7, 9], "since the reload");
        later.server(40 * DAY, ServerEvent::Reloading);
        assert_eq!(said(&later), [0; 0], "too short since the last reload");
    }

    #[test]
    fn nothing_is_told_where_not_all_is_known() {
        let mut edited = log(30);
        edited.hba = Some(HbaFile {
            modified: Instant(DAY),
            ..file()
        });
        assert_eq!(said(&edited), [0; 0], "edited since");
        let mut unlogged = log(30);
        unlogged.session(9 * DAY, &client("web", "app", "10.0.4.7"), MINUTE);
        assert_eq!(said(&unlogged), [0; 0], "a session without its line");
        let mut other = log(30);
        other.hba = Some(HbaFile {
            name: b"other.conf"[..].into(),
            ..file()
        });
        assert_eq!(said(&other), [0; 0], "another file");
        let mut none = log(30);
        none.hba = None;
        assert_eq!(said(&none), [0; 0]);
    }
}
