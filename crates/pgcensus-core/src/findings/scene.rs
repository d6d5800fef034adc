//! Made-up logs for tests of who logs in from where: sessions and refusals of any user, host and application, in any order.

use std::rc::Rc;
use std::sync::Arc;

use super::*;
use crate::change::Refusal;
use crate::names::{Dimension, Name};
use crate::session::{EndReason, RefusalReason, SessionAuth, SessionTls};
use crate::snapshot::Marker;

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// Who connects: application, user, host.
pub(super) type Client = (&'static str, &'static str, String);

/// How a session came and went.
#[derive(Clone, Copy, Default)]
pub(super) struct How {
    /// `Some(false)`: it is known to have none.
    pub(super) tls: Option<bool>,
    /// Method and line of `pg_hba.conf`.
    pub(super) auth: Option<(&'static str, &'static str)>,
    pub(super) end: Option<EndReason>,
    /// Its begin was before the log.
    pub(super) is_older: bool,
}

#[derive(Clone)]
enum Line {
    Opened(Client, How),
    TakenBack(Client, i64),
    Closed(Client, How, i64),
    Refused(Client, RefusalReason, bool),
    Server(ServerEvent),
}

/// A log that is written line by line, in any order.
#[derive(Clone, Default)]
pub(super) struct Scene {
    lines: Vec<(i64, Line)>,
    personal: Vec<&'static str>,
    pub(super) connections_max: Option<u32>,
    pub(super) hba: Option<HbaFile>,
}

pub(super) fn client(application: &'static str, user: &'static str, host: &str) -> Client {
    (application, user, host.to_owned())
}

impl Scene {
    pub(super) fn session(&mut self, at: i64, client: &Client, length: i64) -> &mut Scene {
        self.session_as(at, client, length, How::default())
    }

    pub(super) fn session_as(
        &mut self,
        at: i64,
        client: &Client,
        length: i64,
        how: How,
    ) -> &mut Scene {
        if !how.is_older {
            self.lines.push((at, Line::Opened(client.clone(), how)));
        }
        let closed = Line::Closed(client.clone(), how, at);
        self.lines.push((at + length, closed));
        self
    }

    /// A session that does not end.
    pub(super) fn stays(&mut self, at: i64, client: &Client) -> &mut Scene {
        let opened = Line::Opened(client.clone(), How::default());
        self.lines.push((at, opened));
        self
    }

    /// A session that was opened and refused after that.
    pub(super) fn taken_back(&mut self, at: i64, client: &Client) -> &mut Scene {
        let opened = Line::Opened(client.clone(), How::default());
        self.lines.push((at, opened));
        self.lines
            .push((at + 1, Line::TakenBack(client.clone(), at)));
        self
    }

    /// Sessions of 5 s, one each so often.
    pub(super) fn traffic(
        &mut self,
        client: &Client,
        from: i64,
        to: i64,
        every: i64,
    ) -> &mut Scene {
        for at in (from..to).step_by(every as usize) {
            self.session(at, client, 5 * SECOND);
        }
        self
    }

    pub(super) fn refused(
        &mut self,
        at: i64,
        client: &Client,
        reason: RefusalReason,
    ) -> &mut Scene {
        let line = Line::Refused(client.clone(), reason, false);
        self.lines.push((at, line));
        self
    }

    /// A connection that is there for a minute and does not log in.
    pub(super) fn never_logs_in(&mut self, at: i64, host: &str) -> &mut Scene {
        let reason = RefusalReason::AuthenticationTimeout;
        self.refused(at + MINUTE, &client("", "", host), reason)
    }

    /// Refused after it was authorized.
    pub(super) fn turned_away(
        &mut self,
        at: i64,
        client: &Client,
        reason: RefusalReason,
    ) -> &mut Scene {
        self.taken_back(at, client).refused(at + 1, client, reason)
    }

    /// A wrong password, tried twice by `sslmode=prefer`.
    pub(super) fn fails(&mut self, at: i64, client: &Client) -> &mut Scene {
        self.refused(at, client, RefusalReason::PasswordFailed);
        let again = Line::Refused(client.clone(), RefusalReason::PasswordFailed, true);
        self.lines.push((at + 5, again));
        self
    }

    /// So many wrong passwords, one each so often.
    pub(super) fn fails_often(
        &mut self,
        from: i64,
        client: &Client,
        times: i64,
        every: i64,
    ) -> &mut Scene {
        for i in 0..times {
            self.fails(from + i * every, client);
        }
        self
    }

    pub(super) fn server(&mut self, at: i64, event: ServerEvent) -> &mut Scene {
        self.lines.push((at, Line::Server(event)));
        self
    }

    pub(super) fn personal(&mut self, pattern: &'static str) -> &mut Scene {
        self.personal.push(pattern);
        self
    }

    /// The same with all times so much later, and its lines the other way round.
    pub(super) fn moved(&self, by: i64) -> Scene {
        let mut scene = self.clone();
        scene.lines.reverse();
        for (at, line) in &mut scene.lines {
            *at += by;
            if let Line::Closed(_, _, opened) | Line::TakenBack(_, opened) = line {
                *opened += by;
            }
        }
        scene
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.findings_without(&[])
    }

    /// Those of all but these applications, which a filter leaves out, and all that servers say of themselves with them.
    pub(super) fn findings_without(&self, left_out: &[&str]) -> Vec<Finding> {
        let mut names = Names::of_servers(["pg"]);
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        let span = (Instant(lines[0].0), Instant(lines[lines.len() - 1].0));
        let mut lives = Lives::default();
        lives.begin(span.0, Marker::Start);
        lives.saw_authorized();
        lives.saw_disconnection();
        let mut findings = Findings::new(Window::default());
        for pattern in &self.personal {
            findings.personal_user(pattern).expect("a pattern");
        }
        for (at, line) in lines {
            let counts = match &line {
                Line::Server(_) => left_out.is_empty(),
                Line::Opened(client, _)
                | Line::TakenBack(client, _)
                | Line::Closed(client, ..)
                | Line::Refused(client, ..) => !left_out.contains(&client.0),
            };
            let change = Change {
                at: Some(Instant(at)),
                what: line.what(at, &mut names),
                message: Box::default(),
            };
            if counts {
                findings.observe(&change);
            } else {
                findings.left_out(&change);
            }
        }
        findings.verdicts(&Known {
            names: &names,
            lives: &[(ServerId(0), &lives)],
            span,
            connections_max: self.connections_max,
            hba: self.hba.as_ref(),
            noise: &noise::Folded::default(),
        })
    }

    /// When there is a line for fail2ban.
    pub(super) fn guesses(&self) -> Vec<i64> {
        let mut names = Names::of_servers(["pg"]);
        let mut guesses = Guesses::new(Window::default());
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        let guess = |(at, line): (i64, Line)| {
            let change = Change {
                at: Some(Instant(at)),
                what: line.what(at, &mut names),
                message: Box::default(),
            };
            guesses.observe(&change, &names).map(|(at, _)| at.0)
        };
        lines.into_iter().filter_map(guess).collect()
    }

    /// What was found, in short: `warning brute_force of app, 10.0.0.7`, in the order of the alphabet.
    pub(super) fn said(&self) -> Vec<String> {
        let mut said: Vec<String> = self.findings().iter().map(short).collect();
        said.sort();
        said
    }
}

/// A finding in short: `warning brute_force of app, 10.0.0.7`.
pub(super) fn short(finding: &Finding) -> String {
    let who = &finding.who;
    let names = [
        &who.application_name,
        &who.user,
        &who.database,
        &who.client_host,
    ];
    let names = names.into_iter().flatten();
    let names: Vec<_> = names.map(|name| String::from_utf8_lossy(name)).collect();
    let said = format!("{} {}", finding.severity.as_str(), finding.kind.as_str());
    if names.is_empty() {
        return said;
    }
    format!("{said} of {}", names.join(", "))
}

/// A refusal.
pub(super) fn refused(
    client: &Client,
    reason: RefusalReason,
    is_retry: bool,
    names: &mut Names,
) -> What {
    let mut name = |dimension, text: &str| -> Option<Name> {
        (!text.is_empty()).then(|| names.name(dimension, text.as_bytes()))
    };
    What::Refused(Box::new(Refusal {
        user: name(Dimension::User, client.1),
        database: name(Dimension::Database, "shop"),
        client_host: name(Dimension::ClientHost, &client.2),
        takes_back: matches!(
            reason,
            RefusalReason::DatabaseUnknown
                | RefusalReason::DatabaseNotAccepting
                | RefusalReason::RoleUnknown
                | RefusalReason::RoleCannotLogin
                | RefusalReason::NoConnectPrivilege
        ),
        is_retry,
        ..Refusal::new(&Session::new(ServerId(0), Some(2), None), reason)
    }))
}

impl Line {
    fn what(self, at: i64, names: &mut Names) -> What {
        let mut session = |client: &Client, how: How, opened: i64| {
            let mut name = |dimension, text: &str| -> Option<Name> {
                (!text.is_empty()).then(|| names.name(dimension, text.as_bytes()))
            };
            let session = Session {
                database: name(Dimension::Database, "shop"),
                application_name: name(Dimension::ApplicationName, client.0),
                user: name(Dimension::User, client.1),
                client_host: name(Dimension::ClientHost, &client.2),
                session_start: Some(Instant(opened)),
                authorized_at: (!how.is_older).then_some(Instant(opened)),
                tls: how.tls.map(|tls| {
                    tls.then(|| {
                        Arc::new(SessionTls {
                            protocol: Box::default(),
                            cipher: Box::default(),
                            bits: None,
                        })
                    })
                }),
                auth: how.auth.map(|(method, hba)| {
                    Arc::new(SessionAuth {
                        identity: None,
                        method: method.as_bytes().into(),
                        hba: hba.as_bytes().into(),
                    })
                }),
                ..Session::new(ServerId(0), Some(1), None)
            };
            session.grouped(names)
        };
        match self {
            Line::Opened(client, how) => What::Opened(Rc::new(session(&client, how, at))),
            Line::TakenBack(client, opened) => {
                What::TakenBack(Rc::new(session(&client, How::default(), opened)))
            }
            Line::Closed(client, how, opened) => What::Closed(Rc::new(Session {
                session_end: Some(Instant(at)),
                session_time_ms: Some((at - opened) as u64),
                end: Some(crate::session::End::Client),
                end_reason: Some(how.end.unwrap_or(EndReason::Closed)),
                ..session(&client, how, opened)
            })),
            Line::Refused(client, reason, is_retry) => {
                let mut what = refused(&client, reason, is_retry, names);
                if let (What::Refused(refusal), RefusalReason::AuthenticationTimeout) =
                    (&mut what, reason)
                {
                    refusal.received_at = Some(Instant(at - MINUTE));
                }
                what
            }
            Line::Server(event) => What::Server(ServerId(0), None, event),
        }
    }
}
