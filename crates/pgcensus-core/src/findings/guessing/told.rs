//! What guessing is told as: each failing user is told apart from the others, then hosts and users that are left are judged.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::Judge;
use super::super::address::{address, is_public};
use super::super::evidence::ranked;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::super::logins::{Login, Logins, Pair};
use super::super::shut_out::Told;
use super::{
    Attack, Failing, Failure, GUESSES_MIN, Guessing, SHARED_MIN, SPREAD_MIN, STALE_MIN, STALE_MS,
};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{RefusalReason, ServerId};

/// Hosts that guess are told one by one up to here, then as one.
const ALONE_MAX: usize = 3;

/// Wrong passwords that nothing explains, of one host or of one user.
#[derive(Default)]
struct Unexplained {
    passwords: u64,
    failures: u64,
    /// Users of a host, hosts of a user, with their failures.
    others: BTreeMap<NameId, u64>,
    /// Some of them came on the beat of a timer.
    has_beat: bool,
}

/// Applications and health checks with wrong names or passwords, as one or several hosts.
#[derive(Default)]
struct Program<'f> {
    failing: Vec<(Pair, &'f Failing)>,
    rhythm_ms: u32,
}

/// A host that guesses.
struct Guesser<'a> {
    kind: Kind,
    host: NameId,
    attack: &'a Attack,
    unexplained: Unexplained,
}

/// Who has logged in, as far as guessing needs it.
#[derive(Default)]
struct Known {
    users: FxHashMap<(ServerId, NameId), Login>,
    /// How many users of a host.
    users_of_host: FxHashMap<(ServerId, NameId), usize>,
}

/// All that fail, told apart.
#[derive(Default)]
struct Sorted<'f> {
    stale: BTreeMap<(ServerId, NameId), Program<'f>>,
    checks: BTreeMap<(ServerId, NameId, Failure), Program<'f>>,
    hosts: FxHashMap<(ServerId, NameId), Unexplained>,
    users: BTreeMap<(ServerId, NameId), Unexplained>,
}

pub(super) fn verdicts(
    guessing: &Guessing,
    judge: &Judge<'_>,
    logins: &Logins,
    shut_out: &Told,
    found: &mut Vec<Finding>,
) {
    let known = Known::of(logins);
    let mut sorted = Sorted::of(guessing, judge, logins, &known);
    for (&(server, user), program) in &sorted.stale {
        found.push(stale_secret(judge, logins, server, user, program));
    }
    for (&(server, user, failure), program) in &sorted.checks {
        // It used to work.
        let is_told = match failure {
            Failure::Password => false,
            Failure::Role => shut_out.has(server, RefusalReason::RoleUnknown, user),
            Failure::Database(name) => shut_out.has(server, RefusalReason::DatabaseUnknown, name),
        };
        if is_told {
            continue;
        }
        found.push(wrong_check(judge, server, user, failure, program));
    }
    let mut told = FxHashSet::default();
    for ((server, _), mut guessers) in guessers(guessing, logins, &known, &mut sorted.hosts) {
        told.extend(guessers.iter().map(|guesser| (server, guesser.host)));
        guessers.sort_by_key(|guesser| (guesser.attack.since, guesser.host));
        if guessers.len() <= ALONE_MAX {
            let alone = |guesser: &Guesser<'_>| alone(judge, server, guesser);
            found.extend(guessers.iter().map(alone));
        } else {
            found.push(together(judge, server, &guessers));
        }
    }
    for (&key, unexplained) in &mut sorted.users {
        let others = &mut unexplained.others;
        others.retain(|&host, _| !told.contains(&(key.0, host)));
        let passwords: u64 = others.values().sum();
        let attack = guessing.users.get(&key).filter(|attack| attack.is_fast);
        let Some(attack) = attack.filter(|_| passwords >= GUESSES_MIN as u64) else {
            continue;
        };
        let has_hosts = attack.is_spread && others.len() >= SPREAD_MIN;
        if has_hosts || others.contains_key(&NameId::ABSENT) {
            let login = known.users.get(&key).copied();
            found.push(from_many(judge, key, attack, unexplained, login));
        }
    }
}

impl<'f> Sorted<'f> {
    fn of(guessing: &'f Guessing, judge: &Judge<'_>, logins: &Logins, known: &Known) -> Sorted<'f> {
        let mut users_of: FxHashMap<_, FxHashSet<NameId>> = FxHashMap::default();
        for (pair, _) in guessing.pairs.keys() {
            let host = (pair.server, pair.client_host);
            users_of.entry(host).or_default().insert(pair.user);
        }
        let mut sorted = Sorted::default();
        for (&(pair, failure), failing) in &guessing.pairs {
            let Pair {
                server,
                user,
                client_host,
            } = pair;
            let login = logins.get(pair);
            let is_known = login.is_some_and(|login| login.first <= failing.since);
            if failure == Failure::Password && is_known {
                if failing.is_program() {
                    let stale = sorted.stale.entry((server, user)).or_default();
                    stale.failing.push((pair, failing));
                }
                continue;
            }
            let is_alone = users_of[&(server, client_host)].len() < SPREAD_MIN
                && !is_public_host(judge, client_host);
            let can_be_check = match failure {
                Failure::Password => is_alone && !known.users.contains_key(&(server, user)),
                Failure::Role => is_alone,
                Failure::Database(_) => true,
            };
            let rhythm_ms = failing.rhythm_ms();
            if let Some(rhythm_ms) = rhythm_ms.filter(|_| can_be_check) {
                let check = sorted.checks.entry((server, user, failure)).or_default();
                check.failing.push((pair, failing));
                check.rhythm_ms = rhythm_ms;
                continue;
            }
            let passwords = match failure {
                Failure::Password => failing.failures,
                Failure::Role => 0,
                Failure::Database(_) => continue,
            };
            let host = sorted.hosts.entry((server, client_host)).or_default();
            host.add(user, failing.failures, passwords);
            host.has_beat |= rhythm_ms.is_some();
            let of_user = sorted.users.entry((server, user)).or_default();
            of_user.add(client_host, passwords, passwords);
        }
        sorted
    }
}

/// Hosts that guess, by how.
fn guessers<'a>(
    guessing: &'a Guessing,
    logins: &Logins,
    known: &Known,
    hosts: &mut FxHashMap<(ServerId, NameId), Unexplained>,
) -> BTreeMap<(ServerId, Kind), Vec<Guesser<'a>>> {
    let mut guessers: BTreeMap<_, Vec<Guesser<'_>>> = BTreeMap::new();
    for (&(server, host), attack) in &guessing.hosts {
        let Some(unexplained) = hosts.remove(&(server, host)) else {
            continue;
        };
        let first = logins.first_from(server, host);
        let was_unknown = first.is_none_or(|first| first > attack.since);
        let users = known.users_of_host.get(&(server, host));
        let is_shared = users.is_some_and(|&users| users >= SHARED_MIN);
        let is_many = was_unknown && unexplained.passwords >= GUESSES_MIN as u64;
        let is_wide = !is_shared && unexplained.others.len() >= SPREAD_MIN;
        let kind = match () {
            () if is_many && attack.got_in.is_some() => Kind::SuccessAfterFailures,
            () if is_wide && attack.is_spread => Kind::Spraying,
            () if is_many && attack.is_fast => Kind::BruteForce,
            () => continue,
        };
        guessers.entry((server, kind)).or_default().push(Guesser {
            kind,
            host,
            attack,
            unexplained,
        });
    }
    guessers
}

fn is_public_host(judge: &Judge<'_>, host: NameId) -> bool {
    let text = judge.known.names.text_of(Dimension::ClientHost, host);
    address(text).is_some_and(is_public)
}

/// An application whose password was changed, and not where it keeps it.
fn stale_secret(
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
    // Without hosts nobody can know that it is not somebody else.
    let mut pairs = program.failing.iter();
    let knows_hosts = pairs.any(|(pair, _)| pair.client_host != NameId::ABSENT);
    said = judge.say_hosts(said, &program.hosts());
    said = said.text(if knows_hosts {
        ", where it used to log in: "
    } else {
        ", so it may be an application with an old password, or guessing: "
    });
    said = said.count(failures).text(" wrong passwords");
    said = match again.iter().max().filter(|_| is_over) {
        Some(&at) => said.text("; it logs in again, last at ").at(at),
        None => said,
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
            client_host: judge.only(Dimension::ClientHost, &program.hosts()),
            ..Who::default()
        },
        said,
        figures: vec![
            ("failures", Figure::Count(failures)),
            ("hosts", Figure::Count(program.failing.len() as u64)),
            ("client_host", judge.figure(Dimension::ClientHost, &program.hosts())),
        ],
        test: Sentence::default().text(format!(
            "{STALE_MIN} wrong passwords without a right one between, or {GUESSES_MIN} within ten minutes, from where this role had logged in before"
        )),
        advice: Sentence::from(if knows_hosts { "" } else { "log_connections = on and %h in log_line_prefix say from where; " })
            .text("give that application the new password; if nobody changed it, look for who does: ALTER ROLE … PASSWORD is in the log with log_statement = ddl; pg_roles.rolvaliduntil says whether it has expired"),
        command: judge.events_of(user, since, until),
    }
}

/// A health check that asks for what does not exist.
fn wrong_check(
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
        _ => {
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
fn alone(judge: &Judge<'_>, server: ServerId, guesser: &Guesser<'_>) -> Finding {
    let Guesser {
        kind,
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
            .text(" failures: a password was guessed, or put right"),
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
    // Nobody is refused, but a week is too long where somebody may have got in. A program on a beat whose first login comes at
    // last is most likely a deploy that was put right.
    let severity = match kind {
        Kind::SuccessAfterFailures if !unexplained.has_beat => Severity::Critical,
        _ => Severity::Warning,
    };
    Finding {
        kind: *kind,
        severity,
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

/// Many hosts that guess.
fn together(judge: &Judge<'_>, server: ServerId, guessers: &[Guesser<'_>]) -> Finding {
    let kind = guessers[0].kind;
    let failures = guessers
        .iter()
        .map(|guesser| guesser.unexplained.failures)
        .sum();
    let users: BTreeSet<NameId> = guessers
        .iter()
        .flat_map(|guesser| guesser.unexplained.others.keys().copied())
        .collect();
    let hosts = ranked(
        guessers
            .iter()
            .map(|guesser| (guesser.host, guesser.unexplained.failures)),
    );
    let most = judge.text(Dimension::ClientHost, hosts[0].0);
    let since = guessers
        .iter()
        .map(|guesser| guesser.attack.since)
        .min()
        .unwrap_or_default();
    let until = guessers
        .iter()
        .map(|guesser| guesser.attack.until)
        .max()
        .unwrap_or_default();
    let mut said = Sentence::default()
        .count(guessers.len() as u64)
        .text(" hosts tried ")
        .count(users.len() as u64);
    said = said.text(if users.len() == 1 {
        " role, "
    } else {
        " roles, "
    });
    said = said
        .count(failures)
        .text(" times in all, most from ")
        .name(most);
    if kind == Kind::SuccessAfterFailures {
        said = said.text("; each of them logged in after that");
    }
    Finding {
        kind,
        severity: Severity::Warning,
        server,
        since,
        until,
        who: Who::default(),
        said,
        figures: vec![
            ("failures", Figure::Count(failures)),
            ("users", Figure::Count(users.len() as u64)),
            ("hosts", Figure::Count(guessers.len() as u64)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
        ],
        test: test(kind),
        advice: advice_together(kind),
        command: vec![
            Argument::Word("events"),
            Argument::At("--since", since),
            Argument::At("--until", until.plus_ms(1)),
        ],
    }
}

/// One user that is tried from many hosts, each of which tries little; or from hosts that the log does not have.
fn from_many(
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
        advice: if is_stale { Sentence::from("its hosts are new and it logged in from others until then: give the application the right password") } else { Sentence::from("let only known networks reach the port (firewall, pg_hba.conf), and give ").name(text).text(" a long random password; pgcensus findings --emit fail2ban prints a line for each failure") },
        command: vec![
            Argument::Word("events"),
            Argument::Named("--user", text.into()),
            Argument::At("--since", attack.since),
            Argument::At("--until", attack.until.plus_ms(1)),
        ],
    }
}

fn test(kind: Kind) -> Sentence {
    Sentence::default().text(match kind {
        Kind::SuccessAfterFailures => format!("the first login of a host, after {GUESSES_MIN} wrong passwords or more from it within an hour"),
        Kind::Spraying => format!("{SPREAD_MIN} roles or more failed from one host within an hour, and fewer than {SHARED_MIN} ever log in from it, so it is no pooler and no NAT"),
        _ => format!("{GUESSES_MIN} wrong passwords or more within ten minutes, from a host from where nobody had logged in"),
    })
}

fn advice(kind: Kind, host: &[u8], user: Option<&[u8]>) -> Sentence {
    let shut = Sentence::from("refuse ")
        .name(host)
        .text(" in the firewall, or in pg_hba.conf above all other lines: host all all ")
        .name(host);
    let width = match address(host) {
        Some(std::net::IpAddr::V4(_)) => "/32",
        Some(std::net::IpAddr::V6(_)) => "/128",
        None => "",
    };
    let shut = shut
        .text(width)
        .text(" reject, then SELECT pg_reload_conf()");
    match (kind, user) {
        (Kind::SuccessAfterFailures, Some(user)) => Sentence::from("ask now whether somebody put a password right there; if nobody did: ALTER ROLE ")
            .identifier(user)
            .text(" NOLOGIN, then SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ")
            .literal(user)
            .text("; then ")
            .then(shut),
        _ => shut.text("; pgcensus findings --emit fail2ban prints a line for each failure"),
    }
}

/// Many hosts are not refused one by one.
fn advice_together(kind: Kind) -> Sentence {
    let shut = "let only known networks reach the port: in the firewall, or in pg_hba.conf by naming those instead of all, then SELECT pg_reload_conf(); pgcensus findings --emit fail2ban prints a line for each failure, for who is to be shut out one by one";
    match kind {
        Kind::SuccessAfterFailures => Sentence::from("ask now whether somebody put passwords right there; of each role that nobody owns up to: ALTER ROLE … NOLOGIN, and a new password; then ").text(shut),
        _ => Sentence::from(shut),
    }
}

impl Unexplained {
    fn add(&mut self, other: NameId, failures: u64, passwords: u64) {
        self.failures += failures;
        self.passwords += passwords;
        if failures > 0 {
            *self.others.entry(other).or_default() += failures;
        }
    }

    /// The most first.
    fn ranking(&self) -> Vec<(NameId, u64)> {
        ranked(self.others.iter().map(|(&name, &n)| (name, n)))
    }
}

impl Program<'_> {
    /// From when to when, and how often.
    fn extent(&self) -> (Instant, Instant, u64) {
        let failing = || self.failing.iter().map(|(_, failing)| failing);
        (
            failing()
                .map(|failing| failing.since)
                .min()
                .unwrap_or_default(),
            failing()
                .map(|failing| failing.until)
                .max()
                .unwrap_or_default(),
            failing().map(|failing| failing.failures).sum(),
        )
    }

    /// The most first.
    fn hosts(&self) -> Vec<(NameId, u64)> {
        let hosts = self.failing.iter();
        ranked(hosts.map(|(pair, failing)| (pair.client_host, failing.failures)))
    }
}

impl Known {
    fn of(logins: &Logins) -> Known {
        let mut known = Known::default();
        for login in logins.iter() {
            let Pair {
                server,
                user,
                client_host,
            } = login.pair;
            let of_user = known.users.entry((server, user)).or_insert(*login);
            of_user.first = of_user.first.min(login.first);
            of_user.last = of_user.last.max(login.last);
            *known
                .users_of_host
                .entry((server, client_host))
                .or_default() += 1;
        }
        known
    }
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
