//! Many findings alike are one: who is on call reads how many there are and which is the biggest, and not each of them.

use std::collections::BTreeMap;

use super::evidence::LISTED_MAX;
use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};

/// Findings alike that are told one by one up to here.
pub(super) const ALONE_MAX: usize = 3;

/// Puts those together that are more than [`ALONE_MAX`] alike.
pub(super) fn together(findings: &mut Vec<Finding>) {
    let mut by: BTreeMap<_, Vec<Finding>> = BTreeMap::new();
    let mut others = Vec::new();
    for finding in findings.drain(..) {
        match Alike::of(&finding) {
            Some(alike) => {
                let key = (
                    finding.server,
                    finding.kind,
                    finding.severity,
                    alike.dimension,
                );
                by.entry(key).or_default().push(finding);
            }
            None => others.push(finding),
        }
    }
    for alike in by.into_values() {
        if alike.len() > ALONE_MAX {
            others.extend(told(alike));
        } else {
            others.extend(alike);
        }
    }
    *findings = others;
}

/// What findings have in common.
struct Alike {
    /// In what they differ.
    dimension: &'static str,
    /// The figure that says which is the biggest.
    size: &'static str,
    /// `12`…
    many: &'static str,
}

impl Alike {
    fn of(finding: &Finding) -> Option<Alike> {
        let alike = |dimension, size, many| Alike {
            dimension,
            size,
            many,
        };
        Some(match (finding.kind, finding.severity) {
            (Kind::LostClients, Severity::Warning) => alike(
                "application_name",
                "lost",
                " applications lost clients; the most: ",
            ),
            (Kind::LostClients, _) => alike(
                "application_name",
                "lost",
                " applications had sessions ended by a timeout or an administrator; the most: ",
            ),
            (Kind::Storm, _) => alike("application_name", "connects", " storms; the biggest: "),
            (Kind::LongLived, _) => alike(
                "application_name",
                "longest_ms",
                " times sessions were open for a day or more; the longest: ",
            ),
            (Kind::Saturation, Severity::Info | Severity::Warning) => {
                match (&finding.who.user, &finding.who.database) {
                    (Some(_), _) => alike(
                        "user",
                        "connections",
                        " limits of roles were reached; the most: ",
                    ),
                    (_, Some(_)) => alike(
                        "database",
                        "connections",
                        " limits of databases were reached; the most: ",
                    ),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn name(&self, who: &Who) -> Option<Box<[u8]>> {
        match self.dimension {
            "user" => who.user.clone(),
            "database" => who.database.clone(),
            _ => who.application_name.clone(),
        }
    }

    fn size(&self, finding: &Finding) -> u64 {
        let mut figures = finding.figures.iter();
        match figures.find(|(name, _)| *name == self.size) {
            Some((_, Figure::Count(n) | Figure::Ms(n))) => *n,
            _ => 0,
        }
    }
}

/// What all of them have.
pub(super) fn common<'w, I: Iterator<Item = &'w Who>>(all: impl Fn() -> I) -> Who {
    let of = |name: fn(&Who) -> &Option<Box<[u8]>>| {
        let first = name(all().next()?).as_ref()?;
        let is_common = all().all(|who| name(who).as_ref() == Some(first));
        is_common.then(|| first.clone())
    };
    Who {
        application_name: of(|who| &who.application_name),
        user: of(|who| &who.user),
        database: of(|who| &who.database),
        client_host: of(|who| &who.client_host),
    }
}

fn told(mut findings: Vec<Finding>) -> Option<Finding> {
    let alike = Alike::of(findings.first()?)?;
    findings.sort_by(|a, b| {
        let size = alike.size(b).cmp(&alike.size(a));
        size.then_with(|| a.who.cmp(&b.who))
    });
    let since = findings.iter().map(|one| one.since).min()?;
    let until = findings.iter().map(|one| one.until).max()?;
    let who = common(|| findings.iter().map(|one| &one.who));
    let mut names: BTreeMap<Box<[u8]>, u64> = BTreeMap::new();
    for finding in &findings {
        if let Some(name) = alike.name(&finding.who) {
            // Of lengths the longest counts, and how often is what a list says.
            let n = if alike.size == "longest_ms" {
                1
            } else {
                alike.size(finding)
            };
            *names.entry(name).or_default() += n;
        }
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by(|(a, x), (b, y)| (y, a).cmp(&(x, b)));
    names.truncate(LISTED_MAX);
    let count = findings.len() as u64;
    let biggest = findings.swap_remove(0);
    let mut figures = vec![
        ("findings", Figure::Count(count)),
        (alike.dimension, Figure::Ranking(names)),
    ];
    let own = biggest.figures.into_iter();
    figures.extend(own.filter(|(name, _)| *name != alike.dimension));
    let mut command: Vec<Argument> = Vec::new();
    for argument in biggest.command {
        match argument {
            Argument::Named(..) | Argument::Folded(..) => {}
            Argument::At("--since", _) => command.push(Argument::At("--since", since)),
            Argument::At("--until", _) => command.push(Argument::At("--until", until.plus_ms(1))),
            argument => command.push(argument),
        }
    }
    let after_words = command
        .iter()
        .position(|argument| !matches!(argument, Argument::Word(_)));
    let at = after_words.unwrap_or(command.len());
    command.splice(at..at, who.flags());
    Some(Finding {
        since,
        until,
        who,
        said: Sentence::default()
            .count(count)
            .text(alike.many)
            .then(biggest.said),
        figures,
        test: biggest
            .test
            .text(format!("; more than {ALONE_MAX} alike are told together")),
        advice: Sentence::from("for the first of them: ").then(biggest.advice),
        command,
        ..biggest
    })
}

#[cfg(test)]
mod tests {
    use super::super::scene::{HOUR, MINUTE, SECOND, Scene, client};
    use crate::session::RefusalReason;

    #[test]
    fn three_alike_are_told_one_by_one_and_more_are_told_together() {
        const USERS: [&str; 5] = ["a", "b", "c", "d", "e"];
        let said = |many: usize| {
            let mut scene = Scene::default();
            scene.traffic(&client("web", "app", "10.0.0.7"), 0, HOUR, 10 * SECOND);
            for (i, user) in USERS[..many].iter().enumerate() {
                for n in 0..=i as i64 {
                    let refused = client("", user, "10.0.0.8");
                    scene.refused(10 * MINUTE + n * SECOND, &refused, RefusalReason::RoleLimit);
                }
            }
            scene
        };
        assert_eq!(said(3).said().len(), 3);
        let found = said(5).findings();
        assert_eq!(found.len(), 1);
        let said = format!("{:?}", found[0].said);
        assert!(said.contains("Count(5)"), "{said}");
        assert!(said.contains("Name([101])"), "the most of e: {said}");
        assert_eq!(found[0].who.user, None);
    }
}
