//! Who was shut out, in words.

use std::collections::BTreeMap;

use pgcensus_log::detail::{Detail, Hba};

use super::super::Judge;
use super::super::address::address;
use super::super::evidence::ranked;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::super::groups::{Group, GroupId};
use super::{
    ALL, ATTEMPTS_MIN, Few, LONG_MS, Login, Names, Refused, Scope, ShutOut, Streak, class, logins,
};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId};

/// Of whom nearly all sessions were, who used to connect, is nearly everybody.
const EVERYBODY: f64 = 0.9;

/// Streaks no farther apart are one: clients try again within minutes.
const APART_MS: i64 = 10 * 60_000;

/// What was told: roles and databases that are no matter of guessing.
#[derive(Default)]
pub(in super::super) struct Told(Vec<(Scope, RefusalReason)>);

/// Streaks of scopes of one kind, for one reason, at one time.
struct Together<'s> {
    server: ServerId,
    /// The longest of them, for its reason and record.
    first: &'s Streak,
    streaks: Vec<(Scope, &'s Streak)>,
    times: u64,
    /// Somebody of them got in afterwards, last at that time.
    over: Option<Instant>,
}

impl Told {
    /// It is told that this role or database can no longer be used.
    pub(in super::super) fn has(
        &self,
        server: ServerId,
        reason: RefusalReason,
        name: NameId,
    ) -> bool {
        self.0.iter().any(|&(scope, of)| {
            let names = [scope.database, scope.user];
            scope.server == server && of == reason && names.contains(&Some(name))
        })
    }
}

impl ShutOut {
    pub(in super::super) fn verdicts(&self, judge: &Judge<'_>, found: &mut Vec<Finding>) -> Told {
        let mut told = Told::default();
        let mut long: BTreeMap<(ServerId, RefusalReason), Vec<(Scope, &Streak, u64)>> =
            BTreeMap::new();
        for (&(scope, class), refused) in &self.streaks {
            if let Some(streak) = refused.longest() {
                let of = long.entry((scope.server, class)).or_default();
                of.push((scope, streak, refused.times()));
            }
        }
        for ((server, class), mut all) in long {
            let names = most(&all);
            all.retain(|(scope, ..)| scope.names() == names);
            all.sort_by_key(|&(scope, streak, _)| (streak.since, scope));
            told.0.extend(all.iter().map(|&(scope, ..)| (scope, class)));
            for together in self.at_one_time(server, &all) {
                found.extend(together.told(judge));
            }
        }
        told
    }

    /// Scopes that are shut out at one time.
    fn at_one_time<'s>(
        &self,
        server: ServerId,
        all: &[(Scope, &'s Streak, u64)],
    ) -> Vec<Together<'s>> {
        let mut told: Vec<Together<'s>> = Vec::new();
        for &(scope, streak, times) in all {
            let over = self.over(scope, streak);
            let last = told.last_mut().filter(|last| {
                streak.since.since(last.until()) <= APART_MS && last.first.reason == streak.reason
            });
            let Some(last) = last else {
                told.push(Together {
                    server,
                    first: streak,
                    streaks: vec![(scope, streak)],
                    times,
                    over,
                });
                continue;
            };
            if streak.attempts > last.first.attempts {
                last.first = streak;
            }
            last.streaks.push((scope, streak));
            last.times = last.times.max(times);
            // It is over when it is for all of them.
            last.over = last.over.zip(over).map(|(a, b)| a.max(b));
        }
        told
    }

    /// When somebody of a scope last got in after a streak.
    fn over(&self, scope: Scope, streak: &Streak) -> Option<Instant> {
        let groups = self.scopes.get(&scope)?;
        let is_in = |login: Login| login.last.max(login.unseen) > streak.until;
        let after = groups
            .iter()
            .filter_map(|id| self.logins.get(id.0 as usize))
            .any(|&login| is_in(login));
        let logins = logins(&self.logins, groups);
        after.then(|| logins.last.max(logins.unseen))
    }
}

/// Names that make the scopes with the most attempts, the widest of these.
fn most(all: &[(Scope, &Streak, u64)]) -> Names {
    let attempts = |names: &&Names| -> u64 {
        let of = all.iter().filter(|(scope, ..)| scope.names() == **names);
        of.map(|(_, streak, _)| streak.attempts).sum()
    };
    // The first of equal ones is the last of the reverse.
    let most = ALL.iter().rev().max_by_key(attempts);
    most.copied().unwrap_or_default()
}

impl Refused {
    /// The last one that was long enough.
    fn longest(&self) -> Option<&Streak> {
        let now = self.now.as_ref().filter(|streak| streak.is_long());
        now.or(self.long.as_ref())
    }

    /// How many were.
    fn times(&self) -> u64 {
        let now = self.now.as_ref().filter(|streak| streak.is_long());
        self.times + u64::from(now.is_some())
    }
}

impl Together<'_> {
    fn until(&self) -> Instant {
        let until = self.streaks.iter().map(|(_, streak)| streak.until);
        until.max().unwrap_or_default()
    }

    fn sum(&self, count: impl Fn(&Streak) -> u64) -> u64 {
        self.streaks.iter().map(|(_, streak)| count(streak)).sum()
    }

    fn names(&self, few: impl Fn(&Streak) -> &Few) -> Vec<(NameId, u64)> {
        let mut by: BTreeMap<NameId, u64> = BTreeMap::new();
        for (_, streak) in &self.streaks {
            for (&name, n) in &few(streak).0 {
                *by.entry(name).or_default() += n;
            }
        }
        ranked(by)
    }

    fn told(&self, judge: &Judge<'_>) -> Option<Finding> {
        let since = self.first_since();
        let until = self.until();
        let last_login = self
            .streaks
            .iter()
            .filter_map(|(_, streak)| streak.last_login);
        let last_login = last_login.max();
        let severity = self.severity(judge, last_login)?;
        let (databases, users, hosts) = (
            self.names(|streak| &streak.databases),
            self.names(|streak| &streak.users),
            self.names(|streak| &streak.hosts),
        );
        let end = judge.known.span.1;
        let goes_on = self.over.is_none() && end.since(until) <= APART_MS;
        let is_server = is_not_ready(self.first.reason);
        let who = if is_server {
            Who::default()
        } else {
            Who {
                application_name: self.application(judge),
                user: judge.only(Dimension::User, &users),
                database: judge.only(Dimension::Database, &databases),
                client_host: judge.only(Dimension::ClientHost, &hosts),
            }
        };
        let attempts = self.sum(|streak| streak.attempts);
        let connections = self.sum(|streak| streak.connections);
        let mut said = if is_server {
            Sentence::from(match self.over {
                Some(_) => "nobody got in: ",
                None => "nobody gets in: ",
            })
            .text(means(self.first.reason))
        } else {
            let said = whom(judge, &databases, &users).text(" ");
            judge
                .say_hosts(said, &hosts)
                .text(match self.over {
                    Some(_) => " did not get in: ",
                    None => " gets in no more: ",
                })
                .text(means(self.first.reason))
        };
        said = said
            .text("; ")
            .counted(attempts, "attempt", "attempts")
            .text(" refused");
        if is_server {
            said = judge.say_hosts(said.text(" "), &hosts);
        }
        said = said.text(", none let in");
        said = match last_login {
            Some(at) => said.text("; the last login before was at ").at(at),
            None if self.first.logins == 0 => {
                said.text("; the log has nobody who had logged in before")
            }
            None => said,
        };
        said = match self.over {
            Some(at) => said.text("; they log in again, last at ").at(at),
            None if goes_on => said.text("; it goes on"),
            None => said.text("; nobody has tried since"),
        };
        if self.times > 1 {
            said = said.text("; it was so ").count(self.times).text(" times");
        }
        let mut figures = vec![
            ("attempts", Figure::Count(attempts)),
            ("connections", Figure::Count(connections)),
            ("times", Figure::Count(self.times)),
            ("reason", Figure::Word(self.first.reason.as_str())),
            ("user", judge.figure(Dimension::User, &users)),
            ("database", judge.figure(Dimension::Database, &databases)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
        ];
        figures.extend(last_login.map(|at| ("last_login", Figure::At(at))));
        said = self.detail(said, &mut figures);
        let mut command = vec![Argument::Word("refused")];
        // A refusal need not say which application it is of.
        let known = Who {
            application_name: None,
            ..who.clone()
        };
        command.extend(known.flags());
        command.push(Argument::At("--since", since));
        command.push(Argument::At("--until", until.plus_ms(1)));
        Some(Finding {
            kind: Kind::ShutOut,
            severity,
            server: self.server,
            since,
            until: if goes_on { end } else { until },
            said,
            figures,
            test: Sentence::from(format!(
                "{ATTEMPTS_MIN} attempts or more in {} minutes or longer, all of them refused for one reason, by clients that used to log in, and none of them got in meanwhile{}",
                LONG_MS / 60_000,
                if severity == Severity::Critical { "; it is nearly everybody who did (90 % of all sessions)" } else { "" },
            ).as_str()),
            advice: self.advice(&who),
            command,
            who,
        })
    }

    fn first_since(&self) -> Instant {
        let since = self.streaks.iter().map(|(_, streak)| streak.since);
        since.min().unwrap_or_default()
    }

    /// `None`: nobody who is shut out had ever logged in, and it is a matter of their names.
    fn severity(&self, judge: &Judge<'_>, last_login: Option<Instant>) -> Option<Severity> {
        let is_known = last_login.is_some() || self.sum(|streak| streak.logins) > 0;
        if is_not_ready(self.first.reason) {
            return Some(match self.first.reason {
                _ if is_known => Severity::Critical,
                // A standby without hot_standby is there for others than clients.
                RefusalReason::NotAcceptingYet => Severity::Info,
                _ => Severity::Warning,
            });
        }
        if !is_known {
            return None;
        }
        Some(if self.is_everybody(judge) {
            Severity::Critical
        } else {
            Severity::Warning
        })
    }

    /// Nearly all sessions were theirs. What is noise does not count where there is anything else.
    fn is_everybody(&self, judge: &Judge<'_>) -> bool {
        let own = |group: &(GroupId, &Group)| group.1.key.server == self.server;
        let all: Vec<_> = judge.groups.iter().filter(own).collect();
        let is_noise = |group: &(GroupId, &Group)| judge.is_noise(group.0);
        let is_only_noise = all.iter().all(is_noise);
        let (mut sessions, mut theirs) = (0, 0);
        for (_, group) in all.iter().filter(|group| is_only_noise || !is_noise(group)) {
            sessions += group.connects;
            theirs += if self.has(group.key) {
                group.connects
            } else {
                0
            };
        }
        theirs > 0 && theirs as f64 >= EVERYBODY * sessions as f64
    }

    fn has(&self, key: super::Key) -> bool {
        self.streaks.iter().any(|(_, streak)| streak.has(key))
    }

    /// The one application that used to log in as these; a refusal need not say whose it is.
    fn application(&self, judge: &Judge<'_>) -> Option<Box<[u8]>> {
        let groups = judge.groups.iter().map(|(_, group)| group);
        let theirs = groups.filter(|group| group.key.server == self.server && self.has(group.key));
        let mut names = theirs
            .filter(|group| group.connects > 0)
            .map(|group| group.key.application_name);
        let first = names.next()?;
        let is_one = names.all(|name| name == first);
        is_one.then(|| judge.who(Dimension::ApplicationName, first))?
    }

    /// What the server tells its log of the last one, and the line of `pg_hba.conf`.
    fn detail(&self, mut said: Sentence, figures: &mut Vec<(&'static str, Figure)>) -> Sentence {
        let detail = Detail::read(&self.first.record.detail);
        if let Some(reason) = detail.reason {
            said = said.text("; the server says: ").name(reason);
            figures.push(("detail", Figure::Text(reason.into())));
        }
        let place = || Hba::place(&self.first.auth.as_ref()?.hba);
        if let Some(Hba { file, line, text }) = detail.hba.or_else(place) {
            said = said.text("; ").name(file).text(format!(" line {line}"));
            let place = [file, b":", line.to_string().as_bytes()].concat();
            figures.push(("hba", Figure::Text(place.into())));
            if let Some(text) = text {
                said = said.text(": ").name(text);
            }
        }
        said
    }

    /// The setting or SQL that lets them in.
    fn advice(&self, who: &Who) -> Sentence {
        use RefusalReason as R;
        let database = who.database.as_deref();
        let user = who.user.as_deref();
        let sql = |before: &str, name: Option<&[u8]>, after: &str| match name {
            Some(name) => Sentence::from(before).identifier(name).text(after),
            None => Sentence::from(before).text("…").text(after),
        };
        match self.first.reason {
            R::DatabaseUnknown => sql(
                "SELECT datname FROM pg_database says which there are. If it was renamed: ALTER DATABASE … RENAME TO ",
                database,
                ", or give its clients the new name; if it was dropped, restore it",
            ),
            R::DatabaseInvalid => sql(
                "an interrupted DROP DATABASE left it behind; only this is left to do: DROP DATABASE ",
                database,
                ", then create and restore it",
            ),
            R::DatabaseNotAccepting => sql(
                "ALTER DATABASE ",
                database,
                " WITH ALLOW_CONNECTIONS true, if whoever forbade it (a restore, a move) is done",
            ),
            R::RoleUnknown => sql(
                "SELECT rolname FROM pg_roles says which there are. If it was renamed: ALTER ROLE … RENAME TO ",
                user,
                "; if it was dropped, CREATE ROLE it WITH LOGIN, with what it owned",
            ),
            R::RoleCannotLogin => sql(
                "ALTER ROLE ",
                user,
                " LOGIN, if nobody locked it on purpose",
            ),
            R::NoConnectPrivilege => sql("GRANT CONNECT ON DATABASE ", database, " TO ").then(sql(
                "",
                user,
                "; a REVOKE … FROM PUBLIC takes it from every role that has it from there",
            )),
            R::HbaNoEntry => entry(who),
            R::HbaRejected => Sentence::from(
                "SELECT line_number, database, user_name, address FROM pg_hba_file_rules WHERE auth_method = 'reject' says which line it is: put one that lets them in above it, then SELECT pg_reload_conf()",
            ),
            R::StartingUp | R::InRecovery => Sentence::from(
                "see in the log how far recovery is (15 and later: log_startup_progress_interval), and what crashed; it ends when the WAL since the last checkpoint is replayed, so do not restart it",
            ),
            R::NotAcceptingYet => Sentence::from(
                "see in the log what it replays or waits for (restore_command, the primary of a standby); a standby takes clients only with hot_standby = on and once it is consistent",
            ),
            R::ShuttingDown => Sentence::from(
                "a smart shutdown waits until the last session has left: pg_ctl stop -m fast ends it",
            ),
            R::SuperuserOnly => Sentence::from(
                "the server was started in binary upgrade mode: end pg_upgrade and start it as usual",
            ),
            R::CertificateRequired | R::CertFailed => Sentence::from(
                "look at the client's certificate: whether it has expired, is of the right CA (ssl_ca_file), and names the role, or pg_ident.conf maps it",
            ),
            R::AuthenticationTimeout => Sentence::from(
                "look at what authentication waits for (LDAP, RADIUS, PAM, the network) and at authentication_timeout",
            ),
            R::BadOption => Sentence::from(
                "look at what the connection string sets (options=-c …, PGOPTIONS) and whether the server still knows it",
            ),
            R::UnsupportedProtocol | R::SaslError => Sentence::from(
                "look at which driver the clients have since then, and at password_encryption",
            ),
            _ => Sentence::from(
                "see the records with the command below, and what changed just before: pg_hba.conf, pg_ident.conf, what the method asks",
            ),
        }
    }
}

/// It is the server that lets nobody in.
fn is_not_ready(reason: RefusalReason) -> bool {
    class(reason) == RefusalReason::StartingUp
}

/// A line of `pg_hba.conf` that would fit.
fn entry(who: &Who) -> Sentence {
    // Names of pg_hba.conf are quoted as SQL quotes them, and may be.
    let name = |said: Sentence, name: Option<&[u8]>| match name {
        Some(name) => said.identifier(name).text(" "),
        None => said.text("… "),
    };
    let host = who.client_host.as_deref();
    let is_local = host == Some(b"[local]");
    let mut said = Sentence::from(
        "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL says whether a line is wrong; one that lets them in: ",
    );
    said = said.text(if is_local { "local " } else { "host " });
    said = name(name(said, who.database.as_deref()), who.user.as_deref());
    said = match host {
        _ if is_local => said,
        Some(text) => match address(text) {
            Some(address) => {
                let width = if address.is_ipv4() { 32 } else { 128 };
                said.text(format!("{address}/{width} "))
            }
            None => said.name(text).text(" "),
        },
        None => said.text("… "),
    };
    said.text("scram-sha-256, then SELECT pg_reload_conf()")
}

/// `role app in database shop`, `7 roles`, `everybody`
fn whom(judge: &Judge<'_>, databases: &[(NameId, u64)], users: &[(NameId, u64)]) -> Sentence {
    let said = match users {
        [(NameId::ABSENT, _)] | [] => Sentence::from("everybody"),
        [(user, _)] => Sentence::from("role ").name(judge.text(Dimension::User, *user)),
        users => Sentence::from("each of ")
            .count(users.len() as u64)
            .text(" roles"),
    };
    match databases {
        [(NameId::ABSENT, _)] | [] => said,
        [(name, _)] => said
            .text(" in database ")
            .name(judge.text(Dimension::Database, *name)),
        databases => said
            .text(" in ")
            .count(databases.len() as u64)
            .text(" databases"),
    }
}

/// What the reason says of who is refused.
fn means(reason: RefusalReason) -> &'static str {
    use RefusalReason as R;
    match reason {
        R::DatabaseUnknown => "the database does not exist",
        R::DatabaseInvalid => "the database is invalid",
        R::DatabaseNotAccepting => "the database does not accept connections",
        R::RoleUnknown => "the role does not exist",
        R::RoleCannotLogin => "the role is not permitted to log in",
        R::NoConnectPrivilege => "the role lacks CONNECT on the database",
        R::HbaNoEntry => "no line of pg_hba.conf fits",
        R::HbaRejected => "a line of pg_hba.conf rejects it",
        R::StartingUp => "the server is starting up",
        R::NotAcceptingYet => "the server is not accepting connections yet",
        R::ShuttingDown => "the server is shutting down",
        R::InRecovery => "the server is in recovery",
        R::SuperuserOnly => "only superusers may connect",
        R::CertificateRequired => "it sends no valid client certificate",
        R::CertFailed => "its certificate is not that of the role",
        R::PeerFailed => "peer authentication fails",
        R::IdentFailed => "ident authentication fails",
        R::GssFailed => "GSSAPI authentication fails",
        R::SspiFailed => "SSPI authentication fails",
        R::OauthFailed => "OAuth authentication fails",
        R::AuthenticationTimeout => "authentication takes longer than authentication_timeout",
        R::SaslError => "the SASL exchange fails",
        R::BadOption => "an option that it asks for is not valid",
        R::UnsupportedProtocol => "the server does not speak its protocol",
        _ => "it is refused for a reason that is not among the known ones",
    }
}
