//! What is said of a limit that was reached, or soon will be.

use super::super::Judge;
use super::super::evidence::ranked;
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

/// Who holds so much of all connections is worth a look though it did not grow; of a hundred that are held by others, ten are
/// not what filled the server.
const HELD_SHARE: f64 = 0.25;

/// Hosts of connections without a login that are said.
const SAID_MAX: usize = 3;

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
        } = self.about(stretches, worst, judge, server);
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
            said = said.then(held(&worst.applications, worst.all(judge, server), names));
            said = said.then(worst.pending(judge, server));
            figures.extend(worst.figures(names));
            if !worst.pending.is_empty() {
                let hosts = ranked(worst.pending.iter().map(|(&host, &n)| (host, n)));
                let hosts = judge.figure(Dimension::ClientHost, &hosts);
                figures.push(("not_logged_in", Figure::Count(worst.never_logged_in())));
                figures.push(("not_logged_in_client_host", hosts));
            }
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

    fn about(
        self,
        stretches: &[Stretch],
        worst: &Stretch,
        judge: &Judge<'_>,
        server: ServerId,
    ) -> About {
        let names = judge.known.names;
        let text = |dimension, name| names.text_of(dimension, name);
        match self {
            Limit::Server => worst.about(judge, server),
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
    /// Of a server that was full.
    fn about(&self, judge: &Judge<'_>, server: ServerId) -> About {
        let all = self.all(judge, server);
        let text = |held: &Held| judge.text(Dimension::ApplicationName, held.name);
        let hosts = ranked(self.pending.iter().map(|(&host, &n)| (host, n)));
        let are_pending = 2 * all.saturating_sub(self.open) > all;
        let blamed = blamed(&self.applications, all).map(text);
        About {
            severity: Severity::Critical,
            who: Who {
                application_name: blamed.map(Into::into),
                client_host: judge
                    .only(Dimension::ClientHost, &hosts)
                    .filter(|_| are_pending && blamed.is_none()),
                ..Who::default()
            },
            what: Sentence::from("no connection was left"),
            test: Sentence::from(
                "the server itself refused clients with SQLSTATE 53300 for all its connections",
            ),
            advice: if are_pending && blamed.is_none() {
                Sentence::from(PENDING_ADVICE)
            } else {
                server_advice(blamed)
            },
        }
    }

    /// Connections that never logged in.
    fn never_logged_in(&self) -> u64 {
        self.pending.values().sum()
    }

    /// Connections that were held when it began, as far as is known.
    fn all(&self, judge: &Judge<'_>, server: ServerId) -> u64 {
        let seen = self.open + self.never_logged_in();
        let max = judge.known.connections_max.map_or(0, u64::from);
        if max > seen && judge.is_exact(server, self.since, self.since) {
            max
        } else {
            seen
        }
    }

    /// Of connections that nobody is seen to have: `; 90 had not logged in, of 10.0.6.0 18, 10.0.6.1 18, …`.
    fn pending(&self, judge: &Judge<'_>, server: ServerId) -> Sentence {
        let mut said = Sentence::default();
        let pending = self.never_logged_in();
        if pending > 0 {
            let hosts = ranked(self.pending.iter().map(|(&host, &n)| (host, n)));
            said = said.text("; ").count(pending).text(" had not logged in");
            for (i, &(host, n)) in hosts.iter().take(SAID_MAX).enumerate() {
                said = said.text(if i == 0 { ", of " } else { ", " });
                said = said.name(judge.text(Dimension::ClientHost, host));
                said = said.text(" ").count(n);
            }
            if let Some(more @ 1..) = hosts.len().checked_sub(SAID_MAX) {
                said = said.text(" and ").counted(more as u64, "other", "others");
            }
        }
        let missing = self.all(judge, server).saturating_sub(self.open + pending);
        if missing == 0 {
            return said;
        }
        let max = self.open + pending + missing;
        let missing = said.text("; ").count(missing).text(" of ").count(max);
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

/// Who to look at: who had grown the most, if that was by some of all connections; else who held the most, if that was
/// a large share. Nobody, where that has no name.
fn blamed(applications: &[Held], all: u64) -> Option<&Held> {
    let is_large = |held: &&Held| held.open as f64 >= HELD_SHARE * all as f64;
    let most = applications.first().filter(is_large);
    let blamed = grown(applications, all).or(most);
    blamed.filter(|held| held.name != NameId::ABSENT && held.name != NameId::OTHER)
}

fn grown(applications: &[Held], all: u64) -> Option<&Held> {
    let grown = applications.iter().max_by_key(|held| held.grown);
    grown.filter(|held| held.grown as f64 >= GROWN_SHARE * all as f64 && held.grown > 1)
}

/// `; checkout had grown by 35 in 3 min 0 s; the connections were held by checkout 41, api 20`
fn held(applications: &[Held], all: u64, names: &Names) -> Sentence {
    let mut said = Sentence::default();
    if let Some(grown) = grown(applications, all) {
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

/// What to do about a server that is full of connections that never logged in.
const PENDING_ADVICE: &str = "most connections were held by clients that had not logged in: find them with ss -tn 'sport = :5432' and in pg_stat_activity (without a user, or in state starting from 18 on), and stop them or shut their hosts out with a firewall; each is dropped after authentication_timeout, which 10s makes shorter (a reload is enough)";

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
