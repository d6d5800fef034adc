//! Guessing so thin, over hosts or over hours, that no host and no role stands out: all hosts of a server from where nobody ever
//! logged in, together.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Judge;
use super::super::evidence::summed;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::super::logins::Pair;
use super::said;
use super::together;
use super::told::is_public_host;
use super::{DAY_HOURS, Failing, SLOW_MIN, SPREAD_MIN};
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

/// Who failed from where nobody ever logged in, and is in no other finding.
pub(super) fn told(
    judge: &Judge<'_>,
    server: ServerId,
    mut rest: Vec<(Pair, &Failing)>,
) -> Option<Finding> {
    // Private hosts that ask for few roles are applications with a wrong password, on no beat.
    let is_outside = |pair: &Pair| is_public_host(judge, pair.client_host);
    let inside = rest.iter().filter(|(pair, _)| !is_outside(pair));
    let roles: BTreeSet<NameId> = inside.map(|(pair, _)| pair.user).collect();
    if roles.len() < SPREAD_MIN {
        rest.retain(|(pair, _)| is_outside(pair));
    }
    let most = densest(&mut rest)?;
    let failing = || rest.iter().map(|(_, failing)| failing);
    let since = failing().map(|failing| failing.since).min()?;
    let until = failing().map(|failing| failing.until).max()?;
    let failures = failing().map(|failing| failing.failures).sum();
    let users = summed(
        rest.iter()
            .map(|(pair, failing)| (pair.user, failing.failures)),
    );
    let hosts = rest
        .iter()
        .map(|(pair, failing)| (pair.client_host, failing.failures));
    let hosts = summed(hosts);
    let who = Who {
        user: judge.only(Dimension::User, &users),
        client_host: judge.only(Dimension::ClientHost, &hosts),
        ..Who::default()
    };
    let kind = if users.len() < SPREAD_MIN {
        Kind::BruteForce
    } else {
        Kind::Spraying
    };
    let is_one = who.client_host.is_some();
    let said = match &who.client_host {
        Some(host) => Sentence::default().name(host),
        None => Sentence::default().count(hosts.len() as u64).text(" hosts"),
    };
    let said = judge
        .say_roles(said.text(" tried "), &users)
        .text(", ")
        .count(failures)
        .text(if is_one {
            " times in all, slowly: at most "
        } else {
            " times in all, none of them often: together at most "
        })
        .count(most)
        .text(if is_one {
            " within a day, and did not get in"
        } else {
            " within a day, and none got in"
        });
    let advice = match &who.client_host {
        Some(host) => said::advice(kind, host, None),
        None => together::advice(kind, None),
    };
    let mut command = vec![Argument::Word("events")];
    command.extend(who.flags());
    command.push(Argument::At("--since", since));
    command.push(Argument::At("--until", until.plus_ms(1)));
    Some(Finding {
        kind,
        severity: Severity::Warning,
        server,
        since,
        until,
        said,
        figures: vec![
            ("failures", Figure::Count(failures)),
            ("most_in_a_day", Figure::Count(most)),
            ("hosts", Figure::Count(hosts.len() as u64)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
            ("users", Figure::Count(users.len() as u64)),
            ("user", judge.figure(Dimension::User, &users)),
        ],
        test: Sentence::default().text(format!(
            "{SLOW_MIN} wrong passwords or unknown roles or more within a day, from hosts from where nobody ever logged in; \
             of private hosts only if they ask for {SPREAD_MIN} roles or more"
        )),
        advice,
        command,
        who,
    })
}

/// Keeps those that failed between the first day of [`SLOW_MIN`] and the last; how many failures the densest has.
fn densest(rest: &mut Vec<(Pair, &Failing)>) -> Option<u64> {
    let mut hours: BTreeMap<u32, u64> = BTreeMap::new();
    for &(hour, n) in rest.iter().flat_map(|(_, failing)| &failing.hours) {
        *hours.entry(hour).or_default() += u64::from(n);
    }
    let from = |hour: u32| -> u64 { hours.range(hour..hour + DAY_HOURS).map(|(_, n)| n).sum() };
    let dense = || hours.keys().copied().filter(|&hour| from(hour) >= SLOW_MIN);
    let (first, last) = (dense().next()?, dense().next_back()?);
    let is_in = |hour: u32| (first..last + DAY_HOURS).contains(&hour);
    rest.retain(|(_, failing)| failing.hours.iter().any(|&(hour, _)| is_in(hour)));
    hours.keys().map(|&hour| from(hour)).max()
}
