//! What guessing is told as, one by one: the sentence, its figures, what to do.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::super::Judge;
use super::super::address::address;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::super::logins::{Login, Logins, Pair};
use super::told::{Guesser, Program, Unexplained, is_public_host};
use super::{Attack, Failure, GUESSES_MIN, SHARED_MIN, SLOW_MIN, SPREAD_MIN, STALE_MIN, STALE_MS};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

/// An application whose password was changed, and not where it keeps it.
pub(super) fn stale_secret(
    judge: &Judge<'_>,
    logins: &Logins,
    server: ServerId,
    user: NameId,
    program: &Program<'_>,
) -> Finding {
    let (since, until, failures) = program.extent();
    let end = judge.known.span.1;
    let logged_in = program.failing.iter().filter_map(|&(pair, failing)| {
        let login = logins.get(pair)?;
        (login.last > failing.until).then_some(login.last)
    });
    let again = logged_in.collect::<Vec<_>>();
    let is_over = again.len() == program.failing.len() && end.since(until) >= STALE_MS;
    let text = judge.text(Dimension::User, user);
    let mut said = Sentence::from("role ").name(text).text(" fails ");
    let hosts = program.hosts();
    let pairs = || program.failing.iter().map(|&(pair, _)| pair);
    let new = pairs().filter(|&pair| logins.get(pair).is_none()).count();
    // Without hosts nobody can know that it is not somebody else.
    let knows_hosts = pairs().any(|pair| pair.client_host != NameId::ABSENT);
    let last_login = logins.of_user(server, user).map(|login| login.last).max();
    said = judge.say_hosts(said, &hosts);
    said = match (new, hosts.len()) {
        _ if !knows_hosts => {
            said.text(", so it may be an application with an old password, or guessing: ")
        }
        (0, _) => said.text(", where it used to log in: "),
        _ if last_login.is_none() => said.text(": "),
        (1, 1) => said.text(", which is new: "),
        (new, all) if new == all => said.text(", which are new: "),
        (new, _) => said.text(", ").count(new as u64).text(" of them new: "),
    };
    said = said.count(failures).text(" wrong passwords");
    said = match again.iter().max().filter(|_| is_over) {
        Some(&at) => said.text("; it logs in again, last at ").at(at),
        None => match last_login {
            _ if new == 0 || !knows_hosts => said,
            Some(at) if at <= since => said.text("; it has logged in from nowhere since"),
            Some(at) => said.text("; from others it logs in, last at ").at(at),
            None => said.text("; this log has no login of it, so it may be an application with an old password, or somebody inside who guesses"),
        },
    };
    Finding {
        kind: Kind::StaleSecret,
        severity: Severity::Warning,
        server,
        since,
        until,
        who: Who {
            user: Some(text.into()),
            application_name: judge.application_of(program),
            client_host: judge.only(Dimension::ClientHost, &hosts),
            ..Who::default()
        },
        said,
        figures: vec![
            ("failures", Figure::Count(failures)),
            ("hosts", Figure::Count(hosts.len() as u64)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
        ],
        test: Sentence::default().text(format!(
            "{STALE_MIN} wrong passwords without a right one between, or {GUESSES_MIN} within ten minutes, from where this role had logged in before{}",
            match (new, last_login) {
                (0, _) => String::new(),
                (_, None) => format!("; or {GUESSES_MIN} from a private host that asks for no other role (and not for postgres), 0.9 s or more apart and all about as far, where the log has no login of that role or host: it may have had them before the log began"),
                _ => format!("; or {GUESSES_MIN} without a right one from a new, private host that asks for no other role and does not hurry, while this one is at home on such hosts"),
            }
        )),
        advice: Sentence::from(if knows_hosts { "" } else { "log_connections = on and %h in log_line_prefix say from where; " })
            .text(if new > 0 { "give the application there the right password (if nobody knows these hosts, somebody inside guesses: refuse them in pg_hba.conf); if nobody changed it," } else { "give that application the new password; if nobody changed it," })
            .text(" look for who does: ALTER ROLE … PASSWORD is in the log with log_statement = ddl; pg_roles.rolvaliduntil says whether it has expired"),
        command: judge.events_of(user, since, until),
    }
}

/// A health check that asks for what does not exist.
pub(super) fn wrong_check(
    judge: &Judge<'_>,
    server: ServerId,
    user: NameId,
    failure: Failure,
    program: &Program<'_>,
) -> Finding {
    let (since, until, failures) = program.extent();
    let text = judge.text(Dimension::User, user);
    let role = |said: Sentence| said.text("role ").name(text);
    let (said, reason) = match failure {
        Failure::Password => (
            role(Sentence::default()).text(" is refused a wrong password"),
            "password_failed",
        ),
        Failure::Role => (
            role(Sentence::default()).text(", which does not exist, is asked for"),
            "role_unknown",
        ),
        Failure::Database(name) => (
            role(
                Sentence::from("database ")
                    .name(judge.text(Dimension::Database, name))
                    .text(", which does not exist, is asked for by "),
            ),
            "database_unknown",
        ),
    };
    let said = said.text(" every ").ms(program.rhythm_ms.into()).text(" ");
    let said = judge.say_hosts(said, &program.hosts());
    let mut said = said.text(", ").count(failures).text(" times");
    if failure == Failure::Password {
        said = said.text("; it never logged in");
    }
    let test = Sentence::default().text(format!(
        "{GUESSES_MIN} times or more on one beat, of one name that never works: a timer, as health checks and monitoring have; a patient guesser would look the same"
    ));
    let advice = match failure {
        Failure::Database(_) => {
            "give the check a database that exists: pg_isready -U role -d postgres; without -d libpq asks for a database named like the role"
        }
        Failure::Password => {
            "give the check the right password, or let it be pg_isready -U role -d postgres, which needs none; the DETAIL of these refusals says so where the role does not exist. If nobody knows this check, refuse its host in pg_hba.conf"
        }
        Failure::Role => {
            "give the check a role that exists: pg_isready -U role -d postgres (it needs no password); without -U libpq asks for the name of the operating system's user. If nobody knows this check, refuse its host in pg_hba.conf"
        }
    };
    Finding {
        kind: Kind::WrongHealthCheck,
        severity: Severity::Warning,
        server,
        since,
        until,
        who: Who {
            user: (user != NameId::ABSENT).then(|| text.into()),
            database: match failure {
                Failure::Database(name) => Some(judge.text(Dimension::Database, name).into()),
                _ => None,
            },
            client_host: judge.only(Dimension::ClientHost, &program.hosts()),
            ..Who::default()
        },
        said,
        figures: vec![
            ("failures", Figure::Count(failures)),
            ("every_ms", Figure::Ms(program.rhythm_ms.into())),
            ("hosts", Figure::Count(program.failing.len() as u64)),
            (
                "client_host",
                judge.figure(Dimension::ClientHost, &program.hosts()),
            ),
            ("reason", Figure::Word(reason)),
        ],
        test,
        advice: Sentence::from(advice),
        command: judge.events_of(user, since, until),
    }
}

/// One host that guesses.
pub(super) fn alone(judge: &Judge<'_>, server: ServerId, guesser: &Guesser<'_>) -> Finding {
    let Guesser {
        kind,
        severity,
        host,
        attack,
        unexplained,
    } = guesser;
    let host = judge.text(Dimension::ClientHost, *host);
    let users = unexplained.ranking();
    let first = users.first().map(|&(user, _)| user);
    let user_text = |user| judge.text(Dimension::User, user);
    let mut said = Sentence::default().name(host);
    let who_user = match kind {
        Kind::SuccessAfterFailures => attack.got_in.map(|(_, user)| user),
        _ => first.filter(|_| users.len() == 1),
    };
    said = match (kind, attack.got_in) {
        (Kind::SuccessAfterFailures, Some((at, user))) => said
            .text(" logged in as ")
            .name(user_text(user))
            .text(" at ")
            .at(at)
            .text(" after ")
            .count(unexplained.failures)
            .text(" failures: ")
            .text(guessed(*severity)),
        (Kind::Spraying, _) => said
            .text(" tried ")
            .count(users.len() as u64)
            .text(" roles, ")
            .count(unexplained.failures)
            .text(" times in all"),
        _ => said
            .text(" tried ")
            .count(unexplained.failures)
            .text(" passwords"),
    };
    if *kind != Kind::SuccessAfterFailures {
        let most = users.first().filter(|(_, n)| 2 * n > unexplained.failures);
        if let Some(&(user, _)) = most {
            let of = if users.len() == 1 {
                " of role "
            } else {
                ", most of role "
            };
            said = said.text(of).name(user_text(user));
        }
        if attack.got_in.is_none() {
            said = said.text(", and did not get in");
        }
    }
    let until = attack
        .got_in
        .map_or(attack.until, |(at, _)| at.max(attack.until));
    Finding {
        kind: *kind,
        severity: *severity,
        server,
        since: attack.since,
        until,
        who: Who {
            user: who_user.map(|user| user_text(user).into()),
            client_host: Some(host.into()),
            ..Who::default()
        },
        said,
        figures: vec![
            ("failures", Figure::Count(unexplained.failures)),
            ("users", Figure::Count(users.len() as u64)),
            ("user", judge.figure(Dimension::User, &users)),
        ],
        test: test(*kind),
        advice: advice(*kind, host, attack.got_in.map(|(_, user)| user_text(user))),
        command: vec![
            Argument::Word("events"),
            Argument::Named("--host", host.into()),
            Argument::At("--since", attack.since),
            Argument::At("--until", until.plus_ms(1)),
        ],
    }
}

/// One user that is tried from many hosts, each of which tries little; or from hosts that the log does not have.
pub(super) fn from_many(
    judge: &Judge<'_>,
    (server, user): (ServerId, NameId),
    attack: &Attack,
    unexplained: &Unexplained,
    login: Option<Login>,
) -> Finding {
    let passwords: u64 = unexplained.others.values().sum();
    let text = judge.text(Dimension::User, user);
    let hosts = unexplained.ranking();
    let has_no_host = unexplained.others.contains_key(&NameId::ABSENT);
    // Whoever else has the right password goes on logging in while somebody guesses.
    let is_inside = !hosts.iter().any(|&(host, _)| is_public_host(judge, host));
    let is_stale = is_inside && login.is_some_and(|login| login.last <= attack.since);
    let said = Sentence::from("role ").name(text);
    let said = if is_stale {
        said.text(" fails, and logs in no more: ")
    } else {
        said.text(" was tried: ")
    };
    let said = said.count(passwords).text(" wrong passwords ");
    let said = if has_no_host {
        judge.say_hosts(said, &hosts)
    } else {
        judge.say_hosts(said, &hosts).text(" that never logged in")
    };
    let kind = if is_stale {
        Kind::StaleSecret
    } else {
        Kind::BruteForce
    };
    Finding {
        kind,
        severity: Severity::Warning,
        server,
        since: attack.since,
        until: attack.until,
        who: Who {
            user: Some(text.into()),
            ..Who::default()
        },
        said,
        figures: vec![
            ("failures", Figure::Count(passwords)),
            ("hosts", Figure::Count(hosts.len() as u64)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
        ],
        test: Sentence::default().text(format!(
            "{GUESSES_MIN} wrong passwords of one role within ten minutes, from {SPREAD_MIN} hosts or more that never logged in"
        )),
        advice: if is_stale { Sentence::from("its hosts are new and it logged in from others until then: give the application the right password") } else { Sentence::from("let only known networks reach the port (firewall, pg_hba.conf), and give roles with passwords long random ones; pgcensus findings --emit fail2ban prints a line for each failure") },
        command: vec![
            Argument::Word("events"),
            Argument::Named("--user", text.into()),
            Argument::At("--since", attack.since),
            Argument::At("--until", attack.until.plus_ms(1)),
        ],
    }
}

/// Shuts a role out, and whoever is in with it.
pub(super) fn lock(user: &[u8]) -> Sentence {
    Sentence::from("ALTER ROLE ")
        .identifier(user)
        .text(" NOLOGIN, then SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ")
        .literal(user)
}

/// What a login after failures may be.
pub(super) fn guessed(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "a password was guessed, or put right",
        _ => "a password was put right, most likely, or guessed",
    }
}

pub(super) fn test(kind: Kind) -> Sentence {
    Sentence::default().text(match kind {
        Kind::SuccessAfterFailures => format!("the first login of a host, after {GUESSES_MIN} wrong passwords or more from it within an hour, or, from a public one, {SLOW_MIN} of that role within a day"),
        Kind::Spraying => format!("{SPREAD_MIN} roles or more failed from one host within an hour, and fewer than {SHARED_MIN} ever log in from it, so it is no pooler and no NAT"),
        _ => format!("{GUESSES_MIN} wrong passwords or more within ten minutes, from a host from where nobody had logged in"),
    })
}

/// A client host of clients that came by a Unix socket.
const LOCAL: &[u8] = b"[local]";

pub(super) fn advice(kind: Kind, host: &[u8], user: Option<&[u8]>) -> Sentence {
    let shut = shut(host);
    match (kind, user) {
        (Kind::SuccessAfterFailures, Some(user)) => {
            Sentence::from("ask now whether somebody put a password right there; if nobody did: ")
                .then(lock(user))
                .text("; then ")
                .then(shut)
        }
        _ if address(host).is_none() => shut,
        _ => shut.text("; pgcensus findings --emit fail2ban prints a line for each failure"),
    }
}

/// Shuts a host out. Who comes by a Unix socket is a user of this machine, which no firewall and no address in `pg_hba.conf` can
/// tell from others.
fn shut(host: &[u8]) -> Sentence {
    if host == LOCAL {
        return Sentence::from(
            "it came by a Unix socket, from a user of this machine: look for the program that does it, and let local lines of pg_hba.conf say peer, so that nobody can ask for a role that is not their own: local all all peer, then SELECT pg_reload_conf()",
        );
    }
    let shut = Sentence::from("refuse ")
        .name(host)
        .text(" in the firewall, or in pg_hba.conf above all other lines: host all all ")
        .name(host);
    let width = match address(host) {
        Some(std::net::IpAddr::V4(_)) => "/32",
        Some(std::net::IpAddr::V6(_)) => "/128",
        None => "",
    };
    shut.text(width)
        .text(" reject, then SELECT pg_reload_conf()")
}

impl Judge<'_> {
    /// The one application that logs in as these users from there; a refusal does not say whose it is.
    fn application_of(&self, program: &Program<'_>) -> Option<Box<[u8]>> {
        let pairs: FxHashSet<Pair> = program.failing.iter().map(|&(pair, _)| pair).collect();
        let keys = self.groups.iter().map(|(_, group)| group.key);
        let theirs = keys.filter(|&key| pairs.contains(&key.into()));
        let names = theirs.map(|key| key.application_name);
        let applications: BTreeSet<NameId> = names.filter(|&name| name != NameId::ABSENT).collect();
        match applications.len() {
            1 => self.who(Dimension::ApplicationName, *applications.first()?),
            _ => None,
        }
    }

    fn events_of(&self, user: NameId, since: Instant, until: Instant) -> Vec<Argument> {
        vec![
            Argument::Word("events"),
            Argument::Named("--user", self.text(Dimension::User, user).into()),
            Argument::At("--since", since),
            Argument::At("--until", until.plus_ms(1)),
        ]
    }
}
