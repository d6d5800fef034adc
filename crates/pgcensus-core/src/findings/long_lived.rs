//! Long-lived sessions: open for a day or more, where somebody may have forgotten them: of a person's tool, or of an application
//! whose sessions nearly all end within the hour. A pool's sessions live long by design, and are none.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity};
use super::groups::GroupId;
use super::tally::Tally;
use super::{Judge, SESSIONS_MIN, Seen};
use crate::change::What;
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{ServerId, Session};

/// A day: whoever forgot it overnight has come back, and nightly jobs are over.
const LONG_MS: u64 = 24 * 3_600_000;

/// The hour within which the other sessions of an application end…
pub(super) const HOUR_MS: u64 = 3_600_000;

/// … nearly all of them: of twenty, one may not.
const SHORT_SHARE: f64 = 0.95;

/// What people's tools call themselves; some add their version or window.
const TOOLS: [&str; 16] = [
    "psql",
    "pgcli",
    "usql",
    "pgadmin",
    "dbeaver",
    "datagrip",
    "intellij",
    "pycharm",
    "tableplus",
    "navicat",
    "postico",
    "heidisql",
    "beekeeper",
    "azuredatastudio",
    "azure data studio",
    "sql workbench",
];

/// The fold.
#[derive(Default)]
pub(super) struct LongLived {
    /// By [`GroupId`]: sessions that ended, and of them within the hour.
    ended: Vec<(u32, u32)>,
    long: BTreeMap<GroupId, Long>,
}

/// The long sessions of a group.
struct Long {
    sessions: u64,
    /// Of them, those that are open.
    open: u64,
    /// That which began first.
    since: Instant,
    until: Instant,
    pid: Option<u32>,
}

impl LongLived {
    pub(super) fn observe(&mut self, seen: &Seen<'_>) {
        let What::Closed(session) = seen.what else {
            return;
        };
        let Some(time) = session.session_time_ms else {
            return;
        };
        self.ended(seen.group, 1, time <= HOUR_MS);
        if time >= LONG_MS {
            let since = session.session_start.or(session.opened_at());
            self.is_long(seen.group, since, seen.at, session.pid, false);
        }
    }

    /// Sessions that all ended within the hour.
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally) {
        self.ended(group, tally.ended.sessions, true);
    }

    fn ended(&mut self, group: GroupId, sessions: u32, within_hour: bool) {
        let id = group.0 as usize;
        if id >= self.ended.len() {
            self.ended.resize(id + 1, (0, 0));
        }
        self.ended[id].0 += sessions;
        self.ended[id].1 += if within_hour { sessions } else { 0 };
    }

    /// A session that is open at the end.
    pub(super) fn still_open(&mut self, session: &Session, group: GroupId, end: Instant) {
        let since = session.session_start.or(session.opened_at());
        if since.is_some_and(|since| end.since(since) >= LONG_MS as i64) {
            self.is_long(group, since, end, session.pid, true);
        }
    }

    fn is_long(
        &mut self,
        group: GroupId,
        since: Option<Instant>,
        until: Instant,
        pid: Option<u32>,
        is_open: bool,
    ) {
        let Some(since) = since.filter(|_| group != GroupId::REST) else {
            return;
        };
        let new = Long {
            sessions: 0,
            open: 0,
            since,
            until,
            pid,
        };
        let long = self.long.entry(group).or_insert(new);
        long.sessions += 1;
        long.open += u64::from(is_open);
        long.until = long.until.max(until);
        // About one that is open something can be done.
        let was_open = long.open > u64::from(is_open);
        if is_open && !was_open || is_open == was_open && since < long.since {
            (long.since, long.pid) = (since, pid);
        }
    }

    pub(super) fn verdicts(&self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        let mut of: FxHashMap<(ServerId, NameId, NameId), (u64, u64)> = FxHashMap::default();
        for (id, group) in judge.groups.iter() {
            let (all, short) = self.ended.get(id.0 as usize).copied().unwrap_or_default();
            let sum = of.entry(group.key.application()).or_default();
            sum.0 += u64::from(all);
            sum.1 += u64::from(short);
        }
        for (&id, long) in &self.long {
            let key = judge.groups.get(id).key;
            let (all, short) = of.get(&key.application()).copied().unwrap_or_default();
            let application = judge
                .known
                .names
                .text_of(Dimension::ApplicationName, key.application_name);
            let share = short as f64 / all as f64;
            let test = if is_tool(application) {
                Sentence::from("a person's tool, open for 24 h or more")
            } else if all >= SESSIONS_MIN && share >= SHORT_SHARE {
                Sentence::from("open for 24 h or more, where ")
                    .count(short)
                    .text(" of its ")
                    .count(all)
                    .text(" sessions that ended did so within the hour")
            } else {
                continue;
            };
            let is_sure = long.open == 0 || judge.is_complete(key.server, long.since, long.until);
            if judge.has_log() && is_sure && !judge.is_noise(id) {
                found.push(verdict(judge, id, long, test));
            }
        }
    }
}

fn verdict(judge: &Judge<'_>, id: GroupId, long: &Long, test: Sentence) -> Finding {
    let key = judge.groups.get(id).key;
    let names = judge.known.names;
    let who = key.who(names);
    let mut said = match long.sessions {
        1 => Sentence::from("a session of "),
        n => Sentence::default().count(n).text(" sessions of "),
    };
    said = said.name(names.text_of(Dimension::ApplicationName, key.application_name));
    if let Some(user) = &who.user {
        said = said.text(", user ").name(user);
    }
    if let Some(host) = &who.client_host {
        said = said.text(", from ").name(host);
    }
    said = said.text(match (long.sessions, long.open) {
        (1, 1) => ", is open since ",
        (1, 0) => ", was open from ",
        (_, 0) => ", were open for a day or more, the first from ",
        _ => ", are or were open for a day or more, the oldest since ",
    });
    said = said.at(long.since);
    said = match long.open {
        0 => said.text(" to ").at(long.until),
        _ => said.text(", for ").ms(long.until.since(long.since)),
    };
    let mut advice = Sentence::from("see what it does in pg_stat_activity");
    if let (Some(pid), true) = (long.pid, long.open > 0) {
        advice = advice.text(format!(
            "; if nobody needs it, SELECT pg_terminate_backend({pid})"
        ));
    }
    if let Some(user) = &who.user {
        advice = advice
            .text("; idle ones end by themselves with ALTER ROLE ")
            .identifier(user)
            .text(" SET idle_session_timeout = '8h' (14 and later)");
    }
    let mut command = vec![Argument::Word("sessions")];
    if long.open > 0 {
        command.push(Argument::Word("--open"));
    }
    command.extend(who.flags());
    let mut figures = vec![
        ("sessions", Figure::Count(long.sessions)),
        ("open", Figure::Count(long.open)),
        (
            "longest_ms",
            Figure::Ms(long.until.since(long.since).max(0) as u64),
        ),
    ];
    figures.extend(long.pid.map(|pid| ("pid", Figure::Count(pid.into()))));
    Finding {
        kind: Kind::LongLived,
        severity: Severity::Info,
        server: key.server,
        since: long.since,
        until: long.until,
        who,
        said,
        figures,
        test,
        advice,
        command,
    }
}

/// A person sits before it.
pub(super) fn is_tool(application: &[u8]) -> bool {
    let is = |tool: &&str| {
        let begin = application.get(..tool.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(tool.as_bytes()))
    };
    TOOLS.iter().any(is)
}
