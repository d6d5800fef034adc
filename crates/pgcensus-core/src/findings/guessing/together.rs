//! Many that are alike are one finding, which says how many they are and names those that did the most.

use super::super::Judge;
use super::super::evidence::ranked;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Who};
use super::said::{guessed, lock, test};
use super::told::{Guesser, Unexplained};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

/// Many hosts that guess, of one kind and level.
pub(super) fn together(judge: &Judge<'_>, server: ServerId, guessers: &[Guesser<'_>]) -> Finding {
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
        let said = match judge.only(Dimension::User, &users) {
            Some(user) => said.text("role ").name(&user),
            None => said.counted(users.len() as u64, "role", "roles"),
        };
        said.text(", ")
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

/// Names, each once with all there are of it, the most first.
fn summed(counts: impl IntoIterator<Item = (NameId, u64)>) -> Vec<(NameId, u64)> {
    let mut sums = std::collections::BTreeMap::<NameId, u64>::new();
    for (name, n) in counts {
        *sums.entry(name).or_default() += n;
    }
    ranked(sums)
}

/// Many hosts are not refused one by one.
fn advice(kind: Kind, user: Option<&[u8]>) -> Sentence {
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
