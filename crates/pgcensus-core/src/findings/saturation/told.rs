//! What is said of a limit that was reached, or soon will be.

use super::super::Judge;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::super::groups::{GROWTH_MS, Held};
use super::{DAY_MS, Limit, Peaks, Stretch};
use crate::names::{Dimension, NameId, Names};
use crate::session::ServerId;

/// A limit of a role or a database is often a wanted throttle. It is more than that where it turns away more than this share
/// of all attempts…
const REFUSED_SHARE: f64 = 0.05;

/// So near to `max_connections` the next deploy or failover finds no connection.
const NEAR: f64 = 0.9;

/// A pool of a fixed size sits near its limit by design; what calls for somebody is that each day's peak is higher than that of
/// the day before, so many days in a row: of fewer, chance makes one in two.
const RISING_DAYS: usize = 3;

/// Who grew by so much of all connections that are held filled them up; less is what goes on all the time.
const GROWN_SHARE: f64 = 0.1;

/// What differs from limit to limit.
struct About {
    severity: Severity,
    who: Who,
    what: Sentence,
    test: Sentence,
    advice: Sentence,
}

impl Limit {
    /// What is said of its stretches, of which this is the worst.
    pub(super) fn told(
        self,
        judge: &Judge<'_>,
        server: ServerId,
        stretches: &[Stretch],
        worst: &Stretch,
    ) -> Finding {
        let About {
            severity,
            who,
            what,
            test,
            advice,
        } = self.about(stretches, worst, judge.known.names);
        let connections: u64 = stretches.iter().map(|stretch| stretch.connections).sum();
        let attempts: u64 = stretches.iter().map(|stretch| stretch.attempts).sum();
        let mut said = what
            .text(": ")
            .counted(connections, "connection", "connections")
            .text(" refused");
        if stretches.len() > 1 {
            said = said
                .text(" in ")
                .count(stretches.len() as u64)
                .text(" stretches, ")
                .count(worst.connections)
                .text(" of them from ")
                .at(worst.since)
                .text(" on");
        }
        let mut figures = vec![
            ("connections", Figure::Count(connections)),
            ("attempts", Figure::Count(attempts)),
            ("stretches", Figure::Count(stretches.len() as u64)),
            ("worst_connections", Figure::Count(worst.connections)),
            ("worst_since", Figure::At(worst.since)),
            ("worst_until", Figure::At(worst.until)),
        ];
        let mut reasons: Vec<_> = worst.reasons.iter().collect();
        reasons.sort_by_key(|&(reason, n)| (std::cmp::Reverse(*n), *reason));
        if let Some((reason, _)) = reasons.first() {
            figures.push(("reason", Figure::Word(reason.as_str())));
        }
        if self == Limit::Server {
            let names = judge.known.names;
            said = said.then(held(&worst.applications, names));
            said = said.then(worst.pending(judge, server));
            figures.extend(worst.figures(names));
            let max = judge.known.connections_max;
            figures.extend(max.map(|max| ("max_connections", Figure::Count(max.into()))));
        }
        Finding {
            kind: Kind::Saturation,
            severity,
            server,
            since: stretches.first().map_or(worst.since, |first| first.since),
            until: stretches.last().map_or(worst.until, |last| last.until),
            who,
            said,
            figures,
            test,
            advice,
            command: self.command(judge.known.names, worst),
        }
    }

    /// Who held what there is: all of it, or what the role or database may have.
    fn command(self, names: &Names, worst: &Stretch) -> Vec<Argument> {
        let own =
            |flag, dimension, name| Argument::Named(flag, names.text_of(dimension, name).into());
        let mut command = vec![Argument::Word("sessions"), Argument::Word("--open")];
        match self {
            Limit::Role(name) => command.push(own("--user", Dimension::User, name)),
            Limit::Database(name) => command.push(own("--db", Dimension::Database, name)),
            Limit::Server | Limit::Walsenders => {}
        }
        command.push(Argument::At("--at", worst.since));
        command
    }

    fn about(self, stretches: &[Stretch], worst: &Stretch, names: &Names) -> About {
        let text = |dimension, name| names.text_of(dimension, name);
        match self {
            Limit::Server => About {
                severity: Severity::Critical,
                who: Who {
                    application_name: blamed(&worst.applications)
                        .map(|held| text(Dimension::ApplicationName, held.name).into()),
                    ..Who::default()
                },
                what: Sentence::from("no connection was left"),
                test: Sentence::from(
                    "the server itself refused clients with SQLSTATE 53300 for all its connections",
                ),
                advice: server_advice(
                    blamed(&worst.applications)
                        .map(|held| text(Dimension::ApplicationName, held.name)),
                ),
            },
            Limit::Role(name) => {
                let user = text(Dimension::User, name);
                let who = Who {
                    user: Some(user.into()),
                    ..Who::default()
                };
                throttle(stretches, "role", user, who)
            }
            Limit::Database(name) => {
                let database = text(Dimension::Database, name);
                let who = Who {
                    database: Some(database.into()),
                    ..Who::default()
                };
                throttle(stretches, "database", database, who)
            }
            Limit::Walsenders => About {
                severity: Severity::Warning,
                who: Who::default(),
                what: Sentence::from("no walsender was left"),
                test: Sentence::from("replication connections were refused with SQLSTATE 53300"),
                advice: Sentence::from(
                    "raise max_wal_senders (it needs a restart), or find standbys and backups that reconnect without end",
                ),
            },
        }
    }
}

impl Stretch {
    /// Of connections that nobody is seen to have: `; 3 of 100 were reserved, …`.
    fn pending(&self, judge: &Judge<'_>, server: ServerId) -> Sentence {
        let Some(max) = judge.known.connections_max.map(u64::from) else {
            return Sentence::default();
        };
        let missing = max.saturating_sub(self.open);
        if missing == 0 || !judge.is_exact(server, self.since, self.since) {
            return Sentence::default();
        }
        let missing = Sentence::from("; ").count(missing).text(" of ").count(max);
        missing.text(" were reserved, walsenders or not yet authenticated")
    }

    fn figures(&self, names: &Names) -> [(&'static str, Figure); 4] {
        let ranking = |dimension, held: &[Held]| {
            let row = |held: &Held| {
                let name = names.text_of(dimension, held.name);
                (name.into(), held.open.max(0) as u64)
            };
            Figure::Ranking(held.iter().map(row).collect())
        };
        [
            ("open", Figure::Count(self.open)),
            (
                "application_name",
                ranking(Dimension::ApplicationName, &self.applications),
            ),
            ("user", ranking(Dimension::User, &self.users)),
            ("client_host", ranking(Dimension::ClientHost, &self.hosts)),
        ]
    }
}

/// Of the limit of a role or database.
fn throttle(stretches: &[Stretch], what: &str, name: &[u8], who: Who) -> About {
    let (severity, test) = throttles(stretches);
    About {
        severity,
        who,
        what: Sentence::default()
            .text(format!("the connection limit of {what} "))
            .name(name)
            .text(" was reached"),
        test,
        advice: Sentence::default()
            .text(format!(
                "if it is not meant to throttle: ALTER {} ",
                what.to_uppercase()
            ))
            .identifier(name)
            .text(" CONNECTION LIMIT with a higher number, or -1 for none"),
    }
}

/// Whether a limit of a role or database does more than throttle.
fn throttles(stretches: &[Stretch]) -> (Severity, Sentence) {
    let shares = stretches.iter().filter_map(Stretch::share);
    let worst = shares.max_by(|(a, _), (b, _)| a.total_cmp(b));
    let percent = REFUSED_SHARE * 100.0;
    match worst.filter(|(share, _)| *share > REFUSED_SHARE) {
        Some((share, worst)) => (
            Severity::Warning,
            Sentence::default()
                .text(format!("it turned away {:.0} % of ", share * 100.0))
                .count(worst.attempts + worst.connects)
                .text(" attempts from ")
                .at(worst.since)
                .text(" to ")
                .at(worst.until)
                .text(format!(
                    "; up to {percent:.0} %, or for less than ten minutes, it is taken for a wanted throttle"
                )),
        ),
        None => (
            Severity::Info,
            Sentence::default().text(format!(
                "it never turned away more than {percent:.0} % of the attempts of ten minutes or longer, so it is taken for a wanted throttle"
            )),
        ),
    }
}

/// Who to look at: who had grown the most, if that was by some of all connections; else who held the most.
/// Nobody, where that has no name.
fn blamed(applications: &[Held]) -> Option<&Held> {
    let blamed = grown(applications).or(applications.first());
    blamed.filter(|held| held.name != NameId::ABSENT && held.name != NameId::OTHER)
}

fn grown(applications: &[Held]) -> Option<&Held> {
    let all: i64 = applications.iter().map(|held| held.open).sum();
    let grown = applications.iter().max_by_key(|held| held.grown);
    grown.filter(|held| held.grown as f64 >= GROWN_SHARE * all as f64 && held.grown > 1)
}

/// `; checkout had grown by 35 in 3 min 0 s; the connections were held by checkout 41, api 20`
fn held(applications: &[Held], names: &Names) -> Sentence {
    let mut said = Sentence::default();
    if let Some(grown) = grown(applications) {
        let name = names.text_of(Dimension::ApplicationName, grown.name);
        said = said.text("; ").name(name).text(" had grown by ");
        said = said.count(grown.grown as u64).text(" in ").ms(GROWTH_MS);
    }
    for (i, held) in applications.iter().take(3).enumerate() {
        let name = names.text_of(Dimension::ApplicationName, held.name);
        said = said
            .text(if i == 0 {
                "; the connections were held by "
            } else {
                ", "
            })
            .name(name)
            .text(" ")
            .count(held.open.max(0) as u64);
    }
    said
}

/// What to do about a server that is full, with whoever filled it.
fn server_advice(blamed: Option<&[u8]>) -> Sentence {
    let begin = match blamed {
        Some(name) => Sentence::from("give the pool of ").name(name),
        None => Sentence::from("give the pool that grows"),
    };
    begin.text(
        " a lower maximum, and put a pooler before the server; idle sessions end by themselves with idle_session_timeout (14 and later), those in a transaction with idle_in_transaction_session_timeout; only then raise max_connections (it needs a restart)",
    )
}

impl Peaks {
    /// No client was refused yet, but day after day there is less room.
    pub(super) fn verdict(&self, judge: &Judge<'_>, server: ServerId) -> Option<Finding> {
        let max = judge.known.connections_max?;
        let first = self.first?;
        let last = judge.known.span.1;
        // A day that is not over has not had its peak.
        let whole = (last.since(first) / DAY_MS).max(0) as usize;
        let days = &self.days[..whole.min(self.days.len())];
        let rising = days.len().checked_sub(RISING_DAYS + 1)?;
        let rising = &days[rising..];
        let peak = *rising.last()?;
        let is_near = peak as f64 >= NEAR * f64::from(max);
        let since = first.plus_ms((days.len() - RISING_DAYS) as i64 * DAY_MS);
        if !is_near || !rising.is_sorted_by(|a, b| a < b) || !judge.is_exact(server, since, last) {
            return None;
        }
        Some(Finding {
            kind: Kind::Saturation,
            severity: Severity::Warning,
            server,
            since,
            until: last,
            who: Who::default(),
            said: Sentence::from("the daily peak rises and has reached ")
                .count(peak as u64)
                .text(" of ")
                .count(max.into())
                .text(" connections; nobody was refused yet"),
            figures: vec![
                ("peak", Figure::Count(peak as u64)),
                ("max_connections", Figure::Count(max.into())),
                ("first_peak", Figure::Count(rising[0].max(0) as u64)),
            ],
            test: Sentence::from("").text(format!(
                "each of the last {RISING_DAYS} daily peaks is higher than the one before, and the last is {:.0} % of max_connections or more",
                NEAR * 100.0
            )),
            advice: server_advice(None),
            command: vec![Argument::Word("history"), Argument::At("--since", since)],
        })
    }
}
