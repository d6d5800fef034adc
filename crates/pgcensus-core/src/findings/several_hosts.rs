//! Several hosts: the role of a person is open on more than one host at once, which is a password that was shared or stolen, or a
//! person with two machines. Only for roles that the operator names (`--personal-user`): those of applications always are.

use rustc_hash::FxHashMap;

use super::evidence::ranked;
use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::Groups;
use super::logins::Pair;
use super::{Judge, Seen};
use crate::change::What;
use crate::filter::{Pattern, PatternError};
use crate::instant::Instant;
use crate::names::{Dimension, NameId, Names};
use crate::session::ServerId;

/// Hosts of which it is kept that they were open at once.
const HOSTS_MAX: usize = 10;

/// Users with their hosts that are followed at most.
const PAIRS_MAX: usize = 100_000;

/// The fold.
#[derive(Default)]
pub(super) struct SeveralHosts {
    patterns: Vec<Pattern>,
    open: FxHashMap<Pair, u64>,
    users: FxHashMap<(ServerId, NameId), User>,
}

/// The hosts of a user.
#[derive(Default)]
struct User {
    /// Those with a session open.
    hosts: Vec<NameId>,
    /// The most at once.
    most: Vec<NameId>,
    /// Since when there was more than one for the first time, and when for the last.
    since: Option<Instant>,
    until: Instant,
}

impl SeveralHosts {
    /// Users of this name are persons.
    pub(super) fn add(&mut self, pattern: &str) -> Result<(), PatternError> {
        self.patterns
            .push(Pattern::parse(Dimension::User, pattern)?);
        Ok(())
    }

    /// Names of persons that no user has.
    pub(super) fn unknown<'s>(&'s self, names: &'s Names) -> impl Iterator<Item = &'s str> {
        let is_unknown =
            |pattern: &&Pattern| !names.all(Dimension::User).any(|name| pattern.matches(name));
        self.patterns.iter().filter(is_unknown).map(Pattern::text)
    }

    /// Some users are persons.
    #[inline]
    pub(super) fn is_asked_for(&self) -> bool {
        !self.patterns.is_empty()
    }

    #[inline(never)]
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        let pair = Pair::from(groups.get(seen.group).key);
        match seen.what {
            What::Opened(_) => self.opened(pair, seen.at),
            What::TakenBack(_) => self.closed(pair, seen.at),
            What::Closed(session) if session.was_seen_to_open() => self.closed(pair, seen.at),
            _ => {}
        }
    }

    fn opened(&mut self, pair: Pair, at: Instant) {
        if pair.client_host == NameId::ABSENT || pair.client_host == NameId::OTHER {
            return;
        }
        if self.open.len() >= PAIRS_MAX && !self.open.contains_key(&pair) {
            return;
        }
        let open = self.open.entry(pair).or_default();
        *open += 1;
        if *open > 1 {
            return;
        }
        let user = self.users.entry((pair.server, pair.user)).or_default();
        user.hosts.push(pair.client_host);
        if user.hosts.len() > 1 {
            user.since.get_or_insert(at);
            user.until = user.until.max(at);
        }
        if user.hosts.len() > user.most.len() && user.hosts.len() <= HOSTS_MAX {
            user.most.clone_from(&user.hosts);
        }
    }

    fn closed(&mut self, pair: Pair, at: Instant) {
        let Some(open) = self.open.get_mut(&pair) else {
            return;
        };
        *open -= 1;
        if *open > 0 {
            return;
        }
        self.open.remove(&pair);
        if let Some(user) = self.users.get_mut(&(pair.server, pair.user)) {
            if user.hosts.len() > 1 {
                user.until = user.until.max(at);
            }
            user.hosts.retain(|&host| host != pair.client_host);
        }
    }

    pub(super) fn verdicts(&self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        for (&(server, name), user) in &self.users {
            let text = judge.text(Dimension::User, name);
            let is_personal = self.patterns.iter().any(|pattern| pattern.matches(text));
            let Some(since) = user.since.filter(|_| is_personal) else {
                continue;
            };
            let until = if user.hosts.len() > 1 {
                judge.known.span.1
            } else {
                user.until
            };
            let hosts = ranked(user.most.iter().map(|&host| (host, 1)));
            let mut said = Sentence::default()
                .name(text)
                .text(" was open on ")
                .count(hosts.len() as u64)
                .text(" hosts at once: ");
            for (i, &(host, _)) in hosts.iter().enumerate() {
                said = said
                    .text(if i == 0 { "" } else { ", " })
                    .name(judge.text(Dimension::ClientHost, host));
            }
            found.push(Finding {
                kind: Kind::SeveralHosts,
                severity: Severity::Warning,
                server,
                since,
                until,
                who: Who {
                    user: Some(text.into()),
                    ..Who::default()
                },
                said,
                figures: vec![
                    ("hosts", Figure::Count(hosts.len() as u64)),
                    ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
                ],
                test: Sentence::from("sessions from two hosts or more were open at one instant, of a role that --personal-user names"),
                advice: Sentence::from("ask its owner; if one of the hosts is not theirs: ALTER ROLE ").identifier(text).text(" NOLOGIN, and then a new password"),
                command: vec![
                    Argument::Word("sessions"),
                    Argument::Named("--user", text.into()),
                    Argument::At("--since", since),
                    Argument::At("--until", until.plus_ms(1)),
                ],
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{HOUR, MINUTE, Scene, client};

    #[test]
    fn a_person_is_on_one_host_at_a_time() {
        let mut scene = Scene::default();
        scene.session(0, &client("psql", "dev_ann", "10.0.0.7"), HOUR);
        scene.session(10 * MINUTE, &client("psql", "dev_ann", "10.0.0.7"), HOUR);
        scene.session(2 * HOUR, &client("psql", "dev_ann", "10.0.0.8"), HOUR);
        scene.session(0, &client("api", "app", "10.0.0.7"), HOUR);
        scene.session(0, &client("api", "app", "10.0.0.8"), HOUR);
        scene.personal("dev_*");
        assert_eq!(scene.said(), [""; 0]);
        scene.session(150 * MINUTE, &client("psql", "dev_ann", "10.0.0.9"), MINUTE);
        assert_eq!(scene.said(), ["warning several_hosts of dev_ann"]);
        scene.personal("app");
        assert_eq!(scene.said().len(), 2);
    }
}
