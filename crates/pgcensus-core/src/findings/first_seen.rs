//! First seen: users, hosts and applications that a week of log had not. Hosts are counted by network, and numbers in the
//! names of applications do not count, so that one more worker is nobody new.

use std::collections::BTreeMap;

use super::address::{folded, network};
use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::{GroupId, Groups};
use super::tally::Tally;
use super::{Judge, SESSIONS_MIN, Seen};
use crate::change::What;
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

/// A week has every weekday and most jobs in it. What comes once a month is told once.
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// Names that are said.
const SAID_MAX: usize = 3;

/// Names in the figures.
const LISTED_MAX: usize = 10;

/// A group that has had no session.
const NEVER: Instant = Instant(i64::MAX);

/// The fold.
#[derive(Default)]
pub(super) struct FirstSeen {
    /// By [`GroupId`]. Those that find no group have no first time, which hides them and makes nobody new.
    firsts: Vec<Instant>,
}

/// A name with its first time, and a text of the log that it stands for.
struct New<'n> {
    first: Instant,
    sessions: u64,
    /// It as the log has it.
    raw: &'n [u8],
}

impl FirstSeen {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        let id = seen.group.0 as usize;
        let at = match seen.what {
            What::Closed(session) if !session.was_seen_to_open() => {
                session.session_start.unwrap_or(seen.at)
            }
            What::TakenBack(session) => {
                let is_none = groups.get(seen.group).connects == 0;
                if let Some(first) = self.firsts.get_mut(id)
                    && is_none
                    && Some(*first) == session.authorized_at
                {
                    *first = NEVER;
                }
                return;
            }
            _ => return,
        };
        self.seen(seen.group, at);
    }

    pub(super) fn add(&mut self, group: GroupId, tally: &Tally) {
        if tally.opened > 0 && self.first(group) == NEVER {
            self.seen(group, tally.first);
        }
    }

    fn seen(&mut self, group: GroupId, at: Instant) {
        let id = group.0 as usize;
        if id >= self.firsts.len() {
            self.firsts.resize(id + 1, NEVER);
        }
        self.firsts[id] = self.firsts[id].min(at);
    }

    pub(super) fn verdicts(&self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        let mut servers: BTreeMap<ServerId, Instant> = BTreeMap::new();
        for (id, group) in judge.groups.iter() {
            let begin = servers.entry(group.key.server).or_insert(NEVER);
            *begin = self.first(id).min(*begin);
        }
        for (server, begin) in servers {
            if begin == NEVER || judge.connects(server) < SESSIONS_MIN {
                continue;
            }
            // What was open when the log began is as old as the log.
            let begin = begin.max(judge.known.span.0);
            for dimension in [
                Dimension::User,
                Dimension::ClientHost,
                Dimension::ApplicationName,
            ] {
                found.extend(self.who_is_new(judge, server, dimension, begin.plus_ms(WEEK_MS)));
            }
        }
    }

    fn first(&self, id: GroupId) -> Instant {
        self.firsts.get(id.0 as usize).copied().unwrap_or(NEVER)
    }

    /// Who of a dimension came after this instant only.
    fn who_is_new(
        &self,
        judge: &Judge<'_>,
        server: ServerId,
        dimension: Dimension,
        after: Instant,
    ) -> Option<Finding> {
        let mut by: BTreeMap<Box<[u8]>, New<'_>> = BTreeMap::new();
        for (id, group) in judge.groups.iter() {
            let name = group.key.name(dimension);
            if group.key.server != server || name == NameId::ABSENT || name == NameId::OTHER {
                continue;
            }
            let raw = judge.text(dimension, name);
            let folded = match dimension {
                Dimension::ClientHost => network(raw),
                Dimension::ApplicationName => folded(raw),
                _ => raw.into(),
            };
            let first = self.first(id);
            let new = by.entry(folded).or_insert(New {
                first,
                sessions: 0,
                raw,
            });
            new.first = new.first.min(first);
            new.sessions += group.connects;
        }
        by.retain(|_, new| new.first >= after && new.first != NEVER);
        let mut new: Vec<_> = by.into_iter().collect();
        new.sort_by(|(a, x), (b, y)| (x.first, a).cmp(&(y.first, b)));
        let (since, until) = (new.first()?.1.first, new.last()?.1.first);
        let word = match dimension {
            Dimension::User => ["user", "users"],
            Dimension::ClientHost => ["network", "networks"],
            _ => ["application", "applications"],
        };
        let mut said = Sentence::default().count(new.len() as u64).text(format!(
            " {} first seen after a week of log: ",
            word[usize::from(new.len() > 1)]
        ));
        for (i, (name, one)) in new.iter().take(SAID_MAX).enumerate() {
            said = said
                .text(if i == 0 { "" } else { ", " })
                .name(name)
                .text(" at ")
                .at(one.first);
        }
        if let Some(more) = new.len().checked_sub(SAID_MAX + 1) {
            said = said.text(" and ").count(more as u64 + 1).text(" more");
        }
        let mut who = Who::default();
        let mut command = vec![Argument::Word("sessions"), Argument::At("--since", since)];
        let flag = match dimension {
            Dimension::User => "--user",
            Dimension::ClientHost => "--host",
            _ => "--app",
        };
        let named = |(name, one): &(Box<[u8]>, New<'_>)| -> Box<[u8]> {
            match dimension {
                Dimension::ClientHost => name.clone(),
                _ => one.raw.into(),
            }
        };
        // Of more than are listed, all that came since then is shown.
        if new.len() <= LISTED_MAX {
            let flags = new.iter().map(|one| Argument::Named(flag, named(one)));
            command.splice(1..1, flags);
        }
        if let [one] = &new[..] {
            let of = match dimension {
                Dimension::User => &mut who.user,
                Dimension::ClientHost => &mut who.client_host,
                _ => &mut who.application_name,
            };
            *of = Some(named(one));
        }
        let rows = new.iter().take(LISTED_MAX);
        Some(Finding {
            kind: Kind::FirstSeen,
            severity: Severity::Info,
            server,
            since,
            until,
            who,
            said,
            figures: vec![
                ("names", Figure::Count(new.len() as u64)),
                (
                    dimension.as_str(),
                    Figure::Ranking(
                        rows.map(|(name, one)| (name.clone(), one.sessions))
                            .collect(),
                    ),
                ),
            ],
            test: Sentence::from(match dimension {
                Dimension::ClientHost => {
                    "no session from this network (/24, in IPv6 /64) in the first seven days of the log or before"
                }
                Dimension::ApplicationName => {
                    "no session of an application of this name, its numbers and made-up words left aside, in the first seven days of the log or before"
                }
                _ => "no session of this user in the first seven days of the log or before",
            }),
            advice: Sentence::from(
                "nothing, if somebody knows it; else ask who it is, and close pg_hba.conf to it",
            ),
            command,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{DAY, HOUR, MINUTE, Scene, client};

    #[test]
    fn a_week_has_nobody_new() {
        let mut scene = Scene::default();
        scene.traffic(&client("worker-1", "app", "10.0.0.7"), 0, 9 * DAY, HOUR);
        assert_eq!(scene.said(), [""; 0]);
        scene.session(8 * DAY, &client("worker-2", "app", "10.0.0.8"), MINUTE);
        assert_eq!(scene.said(), [""; 0], "one more worker in the same network");
        scene.session(6 * DAY, &client("cron", "job", "10.0.1.1"), MINUTE);
        assert_eq!(scene.said(), [""; 0], "within the week");
        scene.session(8 * DAY, &client("psql", "mallory", "10.9.0.8"), MINUTE);
        scene.session(8 * DAY + HOUR, &client("dump", "app", "10.0.0.7"), MINUTE);
        assert_eq!(
            scene.said(),
            [
                "info first_seen",
                "info first_seen of 10.9.0.0/24",
                "info first_seen of mallory",
            ]
        );
    }

    #[test]
    fn a_log_of_a_few_days_knows_nobody() {
        let mut scene = Scene::default();
        scene.traffic(&client("api", "app", "10.0.0.7"), 0, 6 * DAY, HOUR);
        scene.session(5 * DAY, &client("psql", "mallory", "10.9.0.8"), MINUTE);
        assert_eq!(scene.said(), [""; 0]);
    }

    #[test]
    fn who_was_connected_before_the_log_began_is_not_new() {
        use super::super::scene::How;
        let mut scene = Scene::default();
        scene.traffic(&client("api", "app", "10.0.0.7"), 0, 9 * DAY, HOUR);
        let older = How {
            is_older: true,
            ..How::default()
        };
        scene.session_as(-DAY, &client("etl", "etl", "10.9.0.8"), 9 * DAY, older);
        assert_eq!(scene.said(), [""; 0]);
    }
}
