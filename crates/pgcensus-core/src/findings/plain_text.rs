//! Plain text and weak authentication: sessions without TLS from an address that anybody may have, `password` without TLS,
//! `trust` over a network, `md5`.
//!
//! Only what was seen counts: whether there was TLS is known from `connection authorized`, the method from
//! `connection authenticated` (14 and later; `trust` writes it from 17 on). The names of hosts (`log_hostname`) have no address, and say
//! nothing. Sessions that GSS encrypts are not in plain text.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::address::{address, is_loopback, is_public};
use super::evidence::ranked;
use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::{GroupId, Key};
use super::tally::Tally;
use super::{Judge, SESSIONS_MIN};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::{ServerId, SessionAuth};

/// Lines of `pg_hba.conf` that one group is seen to use; of further ones nothing is said.
const LINES_MAX: usize = 8;

/// Who has not come for so many times its usual gap comes no more.
const GAPS: i64 = 3;

/// The fold.
#[derive(Default)]
pub(super) struct PlainText {
    /// By [`GroupId`].
    groups: Vec<Security>,
}

/// How the sessions of a group come.
#[derive(Default)]
struct Security {
    plain: Times,
    weak: Vec<Weak>,
    /// The facts of the session before: those of the next one are nearly always the same ones.
    last: Option<(Arc<SessionAuth>, Option<usize>)>,
}

/// Sessions by one weak method and line.
struct Weak {
    method: Method,
    hba: Box<[u8]>,
    /// All of them, and those without TLS.
    all: Times,
    plain: Times,
}

/// A method that is weak, some of them only where others may listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Method {
    Trust,
    Password,
    Md5,
}

/// How often, when first and when last.
#[derive(Clone, Copy, Default)]
struct Times {
    count: u64,
    first: Instant,
    last: Instant,
}

/// Sessions that a finding is about, over groups.
#[derive(Default)]
struct Evidence {
    times: Times,
    applications: BTreeMap<NameId, u64>,
    users: BTreeMap<NameId, u64>,
    hosts: BTreeMap<NameId, u64>,
}

impl PlainText {
    pub(super) fn add(&mut self, group: GroupId, tally: &Tally) {
        if tally.opened == 0 || group == GroupId::REST {
            return;
        }
        let id = group.0 as usize;
        if id >= self.groups.len() {
            self.groups.resize_with(id + 1, Security::default);
        }
        self.groups[id].add(tally);
    }

    pub(super) fn verdicts(&self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        if !judge.has_log() {
            return;
        }
        let mut plain: BTreeMap<ServerId, Evidence> = BTreeMap::new();
        let mut weak: BTreeMap<(ServerId, Method, &[u8]), Evidence> = BTreeMap::new();
        for (id, group) in judge.groups.iter() {
            let Some(security) = self.groups.get(id.0 as usize) else {
                continue;
            };
            let Some(address) = address(judge.text(Dimension::ClientHost, group.key.client_host))
            else {
                continue;
            };
            let server = group.key.server;
            if security.plain.count > 0 && is_public(address) {
                plain
                    .entry(server)
                    .or_default()
                    .add(group.key, &security.plain);
            }
            for line in &security.weak {
                let times = match line.method {
                    // Whoever listens there is on the machine already.
                    Method::Trust | Method::Password if is_loopback(address) => continue,
                    Method::Password => &line.plain,
                    Method::Trust | Method::Md5 => &line.all,
                };
                if times.count > 0 {
                    let key = (server, line.method, &*line.hba);
                    weak.entry(key).or_default().add(group.key, times);
                }
            }
        }
        let has_sessions = |server| judge.connects(server) >= SESSIONS_MIN;
        for (server, evidence) in plain.iter().filter(|(server, _)| has_sessions(**server)) {
            found.push(evidence.finding(judge, *server, None));
        }
        for (&(server, method, hba), evidence) in &weak {
            if has_sessions(server) {
                found.push(evidence.finding(judge, server, Some((method, hba))));
            }
        }
    }
}

impl Security {
    fn add(&mut self, tally: &Tally) {
        let is_plain = tally.is_plain;
        let times = Times {
            count: tally.opened.into(),
            first: tally.first,
            last: tally.last,
        };
        let Some(auth) = &tally.auth else {
            self.plain.add_if(is_plain, &times);
            return;
        };
        let weak = match &self.last {
            Some((last, weak)) if Arc::ptr_eq(last, auth) => *weak,
            _ => self.line(auth),
        };
        // GSS may have encrypted it.
        let is_open = is_plain && *auth.method != *b"gss";
        self.plain.add_if(is_open, &times);
        if let Some(weak) = weak.and_then(|weak| self.weak.get_mut(weak)) {
            weak.all.and(&times);
            weak.plain.add_if(is_plain, &times);
        }
    }

    /// The place of these facts in `weak`, if they are weak.
    fn line(&mut self, auth: &Arc<SessionAuth>) -> Option<usize> {
        let method = Method::of(&auth.method);
        let weak = method.and_then(|method| {
            let is_it = |weak: &Weak| weak.method == method && weak.hba == auth.hba;
            let known = self.weak.iter().position(is_it);
            if known.is_none() && self.weak.len() < LINES_MAX {
                self.weak.push(Weak {
                    method,
                    hba: auth.hba.clone(),
                    all: Times::default(),
                    plain: Times::default(),
                });
                return Some(self.weak.len() - 1);
            }
            known
        });
        self.last = Some((Arc::clone(auth), weak));
        weak
    }
}

impl Method {
    fn of(method: &[u8]) -> Option<Method> {
        match method {
            b"trust" => Some(Method::Trust),
            b"password" => Some(Method::Password),
            b"md5" => Some(Method::Md5),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Method::Trust => "trust",
            Method::Password => "password",
            Method::Md5 => "md5",
        }
    }
}

impl Times {
    fn add_if(&mut self, counts: bool, other: &Times) {
        if counts {
            self.and(other);
        }
    }

    /// The last, or the end of the log where the next one was not due yet.
    fn until(&self, end: Instant) -> Instant {
        let gap = self.last.since(self.first) / (self.count as i64 - 1).max(1);
        let goes_on = end.since(self.last) <= gap.saturating_mul(GAPS);
        if goes_on { end } else { self.last }
    }

    fn and(&mut self, other: &Times) {
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
    }
}

impl Evidence {
    fn add(&mut self, key: Key, times: &Times) {
        self.times.and(times);
        *self.applications.entry(key.application_name).or_default() += times.count;
        *self.users.entry(key.user).or_default() += times.count;
        *self.hosts.entry(key.client_host).or_default() += times.count;
    }

    fn finding(
        &self,
        judge: &Judge<'_>,
        server: ServerId,
        line: Option<(Method, &[u8])>,
    ) -> Finding {
        let of = |names: &BTreeMap<NameId, u64>| ranked(names.iter().map(|(&name, &n)| (name, n)));
        let (applications, users, hosts) =
            (of(&self.applications), of(&self.users), of(&self.hosts));
        let sessions = Sentence::default().counted(self.times.count, "session", "sessions");
        let (kind, severity, said, test, advice) = match line {
            None => (
                Kind::PlainText,
                Severity::Warning,
                judge.say_hosts(sessions.text(" without TLS "), &hosts).text(if hosts.len() == 1 { ", a public address" } else { " with public addresses" }),
                Sentence::from("connection authorized without SSL, from an address that is not private: what they send and get can be read on the way"),
                Sentence::from("hostssl instead of host in pg_hba.conf for these addresses, then SELECT pg_reload_conf(); clients with sslmode=require, better verify-full"),
            ),
            Some((method @ Method::Trust, hba)) => (
                Kind::WeakAuthentication,
                Severity::Warning,
                judge.say_hosts(sessions.text(" without any password "), &hosts).text(": ").name(hba).text(" says ").text(method.as_str()),
                Sentence::from("method trust over TCP, from an address that is not of this machine: whoever reaches the port is whoever they say"),
                Sentence::from("scram-sha-256 instead of trust in ").name(hba).text(", once the roles have passwords, then SELECT pg_reload_conf()"),
            ),
            Some((method @ Method::Password, hba)) => (
                Kind::WeakAuthentication,
                Severity::Warning,
                judge.say_hosts(sessions.text(" with the password in plain text "), &hosts).text(": ").name(hba).text(" says ").text(method.as_str()).text(", and there was no TLS"),
                Sentence::from("method password and no SSL, from an address that is not of this machine: the password itself can be read on the way"),
                Sentence::from("scram-sha-256 instead of password in ").name(hba).text(", then SELECT pg_reload_conf(); and new passwords for these roles"),
            ),
            Some((Method::Md5, hba)) => (
                Kind::WeakAuthentication,
                Severity::Info,
                Sentence::default().name(hba).text(" says md5; the exchange may have been SCRAM. ").counted(self.times.count, "session", "sessions").text(" used it"),
                Sentence::from("method md5 in connection authenticated; the server uses SCRAM there for roles whose password is stored so"),
                Sentence::from("SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'md5%' says who still has one; with password_encryption = scram-sha-256 set their passwords anew, then write scram-sha-256 instead of md5 in ").name(hba),
            ),
        };
        let mut figures = vec![
            ("sessions", Figure::Count(self.times.count)),
            (
                "application_name",
                judge.figure(Dimension::ApplicationName, &applications),
            ),
            ("user", judge.figure(Dimension::User, &users)),
            ("client_host", judge.figure(Dimension::ClientHost, &hosts)),
        ];
        if let Some((method, hba)) = line {
            figures.push(("method", Figure::Word(method.as_str())));
            figures.push(("hba", Figure::Text(hba.into())));
        }
        let mut command = vec![Argument::Word("sessions")];
        let who = Who {
            application_name: judge.only(Dimension::ApplicationName, &applications),
            user: judge.only(Dimension::User, &users),
            client_host: judge.only(Dimension::ClientHost, &hosts),
            database: None,
        };
        // The first host or user is an example of all.
        match (hosts.first(), users.first()) {
            (Some(&(host, _)), _) if line.is_none() => command.push(Argument::Named(
                "--host",
                judge.text(Dimension::ClientHost, host).into(),
            )),
            (_, Some(&(user, _))) => command.push(Argument::Named(
                "--user",
                judge.text(Dimension::User, user).into(),
            )),
            _ => {}
        }
        command.push(Argument::At("--since", self.times.first));
        command.push(Argument::At("--until", self.times.last.plus_ms(1)));
        command.push(Argument::Word("--json"));
        Finding {
            kind,
            severity,
            server,
            since: self.times.first,
            until: self.times.until(judge.known.span.1),
            who,
            said,
            figures,
            test,
            advice,
            command,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{HOUR, How, MINUTE, Scene, client};

    /// An hour of sessions like this from a host.
    fn from(
        host: &str,
        tls: Option<bool>,
        auth: Option<(&'static str, &'static str)>,
    ) -> Vec<String> {
        let mut scene = Scene::default();
        let how = How {
            tls,
            auth,
            ..How::default()
        };
        for at in (0..HOUR).step_by(MINUTE as usize) {
            scene.session_as(at, &client("api", "app", host), 1_000, how);
        }
        scene.said()
    }

    #[test]
    fn what_is_weak_depends_on_method_tls_and_address() {
        const PLAIN: Option<bool> = Some(false);
        const TLS: Option<bool> = Some(true);
        let line = |method| Some((method, "/etc/pg_hba.conf:4"));
        let plain = |host| format!("warning plain_text of api, app, {host}");
        let weak =
            |level: &str, host: &str| format!("{level} weak_authentication of api, app, {host}");
        for (host, tls, auth, wanted) in [
            ("203.0.113.7", PLAIN, None, vec![plain("203.0.113.7")]),
            (
                "203.0.113.7",
                PLAIN,
                line("scram-sha-256"),
                vec![plain("203.0.113.7")],
            ),
            ("203.0.113.7", PLAIN, line("gss"), vec![]),
            ("203.0.113.7", TLS, None, vec![]),
            ("203.0.113.7", None, None, vec![]),
            ("10.0.0.7", PLAIN, None, vec![]),
            ("db.example.com", PLAIN, line("trust"), vec![]),
            ("[local]", PLAIN, line("trust"), vec![]),
            ("127.0.0.1", PLAIN, line("trust"), vec![]),
            (
                "10.0.0.7",
                TLS,
                line("trust"),
                vec![weak("warning", "10.0.0.7")],
            ),
            (
                "10.0.0.7",
                PLAIN,
                line("password"),
                vec![weak("warning", "10.0.0.7")],
            ),
            ("10.0.0.7", TLS, line("password"), vec![]),
            ("10.0.0.7", None, line("password"), vec![]),
            ("127.0.0.1", PLAIN, line("password"), vec![]),
            ("10.0.0.7", TLS, line("md5"), vec![weak("info", "10.0.0.7")]),
        ] {
            assert_eq!(from(host, tls, auth), wanted, "{host} {tls:?} {auth:?}");
        }
    }

    #[test]
    fn a_line_of_pg_hba_is_told_once() {
        let mut scene = Scene::default();
        for i in 0..60 {
            let host = format!("10.0.0.{}", i % 3);
            let how = How {
                auth: Some((
                    "md5",
                    ["/etc/pg_hba.conf:4", "/etc/pg_hba.conf:7"][i as usize % 2],
                )),
                ..How::default()
            };
            scene.session_as(i * MINUTE, &client("api", "app", &host), 1_000, how);
        }
        assert_eq!(
            scene.said(),
            [
                "info weak_authentication of api, app",
                "info weak_authentication of api, app"
            ]
        );
    }
}
