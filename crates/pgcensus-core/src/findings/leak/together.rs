//! Many applications of one host that leak are one finding: the host is what they have in common.

use super::super::Judge;
use super::super::alike::ALONE_MAX;
use super::super::evidence::ranked;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::said::{advice, full_in, severity};
use super::{Growth, Stop};
use crate::names::{Dimension, NameId};

/// Those that are named.
const NAMED_MAX: usize = 3;

/// These leak on one host, each so many times.
pub(super) fn told(judge: &Judge<'_>, host: NameId, growths: &[(&Growth, u64)]) -> Finding {
    let last = growths.iter().map(|(growth, _)| *growth);
    let last = last
        .max_by_key(|growth| growth.until)
        .unwrap_or(growths[0].0);
    let sum = |of: &dyn Fn(&Growth) -> i64| growths.iter().map(|(growth, _)| of(growth)).sum();
    let (before, open): (i64, i64) = (
        sum(&|growth| growth.figures.open_before),
        sum(&|growth| growth.figures.open),
    );
    let net = open - before;
    let since = growths.iter().map(|(growth, _)| growth.since).min();
    let since = since.unwrap_or(last.since);
    let took = last.until.since(since).max(1);
    let users = ranked(growths.iter().flat_map(|(growth, _)| {
        let users = growth.by.iter();
        users.map(|&(id, added)| (judge.groups.get(id).key.user, added.max(0) as u64))
    }));
    let mut user: Vec<NameId> = users.iter().map(|&(user, _)| user).collect();
    user.sort_unstable();
    user.dedup();
    let who = Who {
        user: match user[..] {
            [user] => judge.who(Dimension::User, user),
            _ => None,
        },
        client_host: judge.who(Dimension::ClientHost, host),
        ..Who::default()
    };
    let mut names: Vec<(Box<[u8]>, u64)> = growths
        .iter()
        .map(|(growth, _)| {
            (
                growth.name(judge.known.names).into(),
                growth.figures.net().max(0) as u64,
            )
        })
        .collect();
    names.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    let mut said = Sentence::from("sessions of ")
        .count(growths.len() as u64)
        .text(" applications on ")
        .name(judge.text(Dimension::ClientHost, host))
        .text(" only grow: ")
        .count(before.max(0) as u64)
        .text(" open, then ")
        .count(open.max(0) as u64)
        .text(" after ")
        .ms(took);
    for (i, (name, added)) in names.iter().take(NAMED_MAX).enumerate() {
        said = said
            .text(if i == 0 { "; the most by " } else { ", " })
            .name(name)
            .text(" (")
            .count(*added)
            .text(" more)");
    }
    let left = full_in(judge, last.server_open, (net, took));
    let times = growths.iter().map(|&(_, times)| times).max().unwrap_or(1);
    let is_morning = growths
        .iter()
        .all(|(growth, _)| growth.may_be_morning(left));
    said = last.until_when(said, left);
    if is_morning {
        said = said.text("; it may be the morning");
    }
    if times > 1 {
        said = said.text("; ").count(times).text(" times between restarts");
    }
    let count = |n: i64| Figure::Count(n.max(0) as u64);
    let mut figures = vec![
        ("applications", Figure::Count(growths.len() as u64)),
        ("open_before", count(before)),
        ("open", count(open)),
        ("net", count(net)),
        ("times", Figure::Count(times)),
    ];
    if let (Some(left), Stop::Not) = (left, last.stop) {
        figures.push(("full_in_ms", Figure::Ms(left.max(0) as u64)));
    }
    names.truncate(super::super::evidence::LISTED_MAX);
    figures.push(("application_name", Figure::Ranking(names)));
    let mut command = vec![Argument::Word("sessions"), Argument::Word("--open")];
    command.extend(who.flags());
    command.push(Argument::At("--at", last.last()));
    let severities = growths
        .iter()
        .map(|(growth, _)| severity(growth.stop, None));
    Finding {
        kind: Kind::Leak,
        severity: if is_morning {
            Severity::Info
        } else {
            let all = severities.chain([severity(last.stop, left)]);
            all.max().unwrap_or(Severity::Warning)
        },
        server: last.server,
        since,
        until: last.until,
        said,
        figures,
        test: Sentence::from("each of them has at least 10 more in 2 h or longer, more in each quarter of it, and 90 % of what the first three quarters added is still open; more than ")
            .count(ALONE_MAX as u64)
            .text(" on one host are told together"),
        advice: advice(&who, None),
        command,
        who,
    }
}
