//! Many that are alike are one finding, which says how many they are and names those that did the most.

use super::super::Judge;
use super::super::alike::common;
use super::super::evidence::{ranked, summed};
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Who};
use super::said::{guessed, lock, test};
use super::told::{Guesser, Unexplained};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

/// Names that are said.
const NAMED_MAX: usize = 3;

/// What many roles or databases have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alike {
    /// They fail from where they used to log in, or from new hosts as well.
    Stale { has_new: bool },
    /// They fail from many new hosts, and log in no more.
    Moved,
    /// They fail from many hosts that never logged in.
    Tried,
    /// They never logged in, and fail on a beat.
    CheckPassword,
    /// Roles that do not exist are asked for on a beat.
    CheckRole,
    /// Databases that do not exist are.
    CheckDatabase,
}

/// One of them.
pub(super) struct One {
    pub(super) name: NameId,
    /// From where, the most first.
    pub(super) hosts: Vec<(NameId, u64)>,
    /// What is told of it where there are few.
    pub(super) finding: Finding,
}

/// Many roles or databases of a server that are alike.
pub(super) fn names_together(judge: &Judge<'_>, alike: Alike, ones: &[One]) -> Finding {
    let dimension = match alike {
        Alike::CheckDatabase => Dimension::Database,
        _ => Dimension::User,
    };
    let failures_of = |one: &One| one.hosts.iter().map(|&(_, n)| n).sum::<u64>();
    let names = summed(ones.iter().map(|one| (one.name, failures_of(one))));
    let hosts = summed(ones.iter().flat_map(|one| one.hosts.iter().copied()));
    let failures = ones.iter().map(failures_of).sum();
    let findings = || ones.iter().map(|one| &one.finding);
    let since = findings().map(|finding| finding.since).min();
    let until = findings().map(|finding| finding.until).max();
    let (since, until) = (since.unwrap_or_default(), until.unwrap_or_default());
    let who = Who {
        client_host: judge.only(Dimension::ClientHost, &hosts),
        ..common(|| findings().map(|finding| &finding.who))
    };
    let knows_hosts = hosts.iter().any(|&(host, _)| host != NameId::ABSENT);
    let mut said = Sentence::default()
        .count(names.len() as u64)
        .text(alike.before());
    said = judge.say_hosts(said, &hosts).text(alike.after(knows_hosts));
    said = said.count(failures).text(alike.what());
    for (i, &(name, n)) in names.iter().take(NAMED_MAX).enumerate() {
        said = said
            .text(if i == 0 { "; the most of " } else { ", " })
            .name(judge.text(dimension, name))
            .text(" (")
            .count(n)
            .text(")");
    }
    let (counted, listed) = match dimension {
        Dimension::Database => ("databases", "database"),
        _ => ("users", "user"),
    };
    let mut command = vec![Argument::Word("events")];
    // A refusal has no application.
    let asked_for = Who {
        application_name: None,
        ..who.clone()
    };
    command.extend(asked_for.flags());
    command.push(Argument::At("--since", since));
    command.push(Argument::At("--until", until.plus_ms(1)));
    let first = &ones[0].finding;
    Finding {
        kind: first.kind,
        severity: first.severity,
        server: first.server,
        since,
        until,
        said,
        figures: vec![
            ("failures", Figure::Count(failures)),
            (counted, Figure::Count(names.len() as u64)),
            (listed, judge.figure(dimension, &names)),
            ("hosts", Figure::Count(hosts.len() as u64)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
        ],
        test: first.test.clone(),
        advice: first.advice.clone(),
        command,
        who,
    }
}

impl Alike {
    /// What is said between how many they are and from where.
    fn before(self) -> &'static str {
        match self {
            Alike::Stale { .. } => " roles fail ",
            Alike::Moved => " roles fail, and log in no more, ",
            Alike::Tried => " roles were tried ",
            Alike::CheckPassword => " roles are refused a wrong password on a beat ",
            Alike::CheckRole => " roles that do not exist are asked for on a beat ",
            Alike::CheckDatabase => " databases that do not exist are asked for on a beat ",
        }
    }

    /// … and between that and how often.
    fn after(self, knows_hosts: bool) -> &'static str {
        match self {
            _ if !knows_hosts => ": ",
            Alike::Stale { has_new: false } => ", where they used to log in: ",
            Alike::Stale { has_new: true } => ", where not all of them used to log in: ",
            Alike::Moved | Alike::Tried => ", where they never logged in: ",
            Alike::CheckPassword => ", and never logged in: ",
            Alike::CheckRole | Alike::CheckDatabase => ": ",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Alike::CheckRole | Alike::CheckDatabase => " times in all",
            _ => " wrong passwords in all",
        }
    }
}

/// Many hosts that guess, of one kind and level.
pub(super) fn hosts_together(
    judge: &Judge<'_>,
    server: ServerId,
    guessers: &[Guesser<'_>],
) -> Finding {
    let Guesser { kind, severity, .. } = guessers[0];
    let tried = guessers.iter().map(|guesser| &guesser.unexplained);
    let failures = tried.clone().map(|unexplained| unexplained.failures).sum();
    let mut users = summed(tried.flat_map(Unexplained::ranking));
    let hosts = ranked(
        guessers
            .iter()
            .map(|guesser| (guesser.host, guesser.unexplained.failures)),
    );
    let logins = guessers.iter().filter_map(|guesser| guesser.attack.got_in);
    let mut logins: Vec<(Instant, NameId)> = logins.collect();
    logins.sort_unstable();
    let extent = guessers.iter().map(|guesser| guesser.attack);
    let since = extent.clone().map(|attack| attack.since).min();
    let until = extent.map(|attack| attack.until);
    let until = until.chain(logins.last().map(|&(at, _)| at)).max();
    let (since, until) = (since.unwrap_or_default(), until.unwrap_or_default());
    let mut figures = vec![
        ("failures", Figure::Count(failures)),
        ("hosts", Figure::Count(guessers.len() as u64)),
        ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
    ];
    let said = Sentence::default().count(guessers.len() as u64);
    let got_in = (logins.first(), logins.last());
    let said = if let (Kind::SuccessAfterFailures, (Some(first), Some(last))) = (kind, got_in) {
        users = summed(logins.iter().map(|&(_, user)| (user, 1)));
        figures.push(("first_login", Figure::At(first.0)));
        figures.push(("last_login", Figure::At(last.0)));
        let said = said.text(" hosts logged in as ");
        let said = match judge.only(Dimension::User, &users) {
            Some(user) => said.name(&user),
            None => said.counted(users.len() as u64, "role", "roles"),
        };
        said.text(", the first at ")
            .at(first.0)
            .text(", the last at ")
            .at(last.0)
            .text(", after ")
            .count(failures)
            .text(" failures in all, most from ")
            .name(judge.text(Dimension::ClientHost, hosts[0].0))
            .text(": ")
            .text(guessed(severity))
    } else {
        let said = said.text(" hosts tried ");
        judge
            .say_roles(said, &users)
            .text(", ")
            .count(failures)
            .text(" times in all, most from ")
            .name(judge.text(Dimension::ClientHost, hosts[0].0))
    };
    figures.push(("users", Figure::Count(users.len() as u64)));
    figures.push(("user", judge.figure(Dimension::User, &users)));
    let who = Who {
        user: judge.only(Dimension::User, &users),
        ..Who::default()
    };
    let mut command = vec![Argument::Word("events")];
    command.extend(who.flags());
    command.push(Argument::At("--since", since));
    command.push(Argument::At("--until", until.plus_ms(1)));
    Finding {
        kind,
        severity,
        server,
        since,
        until,
        said,
        figures,
        test: test(kind),
        advice: advice(kind, who.user.as_deref()),
        command,
        who,
    }
}

/// Many hosts are not refused one by one.
pub(super) fn advice(kind: Kind, user: Option<&[u8]>) -> Sentence {
    let shut = "let only known networks reach the port: in the firewall, or in pg_hba.conf by naming those instead of all, then SELECT pg_reload_conf(); pgcensus findings --emit fail2ban prints a line for each failure, for who is to be shut out one by one";
    if kind != Kind::SuccessAfterFailures {
        return Sentence::from(shut);
    }
    let ask = Sentence::from("ask now whether somebody put passwords right there; ");
    let lock = match user {
        Some(user) => ask.text("if nobody did: ").then(lock(user)),
        None => ask.text("of each role that nobody owns up to: ALTER ROLE … NOLOGIN"),
    };
    lock.text(", and a new password; then ").text(shut)
}
