//! Does what a plan says, and writes down what came of it: the truth, which no log was asked for.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};

use super::client::{Answer, Client, End, Who};
use super::clock::Clock;
use super::plan::{Act, Plan, password};
use crate::said;
use crate::server::{Format, Server, until};

/// A session that the server opened.
pub(super) struct Session {
    pub(super) who: Who,
    pub(super) opened: Timestamp,
    pub(super) closed: Option<(Timestamp, Ending)>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its client said so.
    Client,
    /// The connection was reset.
    Reset,
    /// The server was stopped, or crashed.
    Server,
}

/// An attempt that came to nothing.
pub(super) struct Refused {
    pub(super) who: Who,
    pub(super) sqlstate: String,
}

/// What happened.
#[derive(Default)]
pub(super) struct Done {
    pub(super) sessions: Vec<Session>,
    pub(super) refused: Vec<Refused>,
    pub(super) probes: usize,
    /// Restarts and crashes.
    pub(super) server: Vec<(Timestamp, &'static str)>,
}

/// A server, its clock and the clients that are there.
pub(super) struct Driver<'s> {
    pub(super) server: &'s mut Server,
    pub(super) clock: &'s mut Clock,
    pub(super) format: Format,
    /// By the numbers of the plan: the client, and the place of its session in `done`.
    clients: BTreeMap<usize, (Client, usize)>,
    done: Done,
}

impl<'s> Driver<'s> {
    pub(super) fn new(server: &'s mut Server, clock: &'s mut Clock, format: Format) -> Driver<'s> {
        Driver {
            server,
            clock,
            format,
            clients: BTreeMap::new(),
            done: Done::default(),
        }
    }

    /// Does all of it. The sessions that are still open then stay so in the log: it is read before they end.
    ///
    /// # Errors
    /// When something cannot be done.
    pub(super) fn run(mut self, plan: &Plan, begin: Timestamp) -> Result<(Done, Vec<u8>)> {
        for (at, act) in &plan.acts {
            let due = begin + SignedDuration::from_secs_f64(*at);
            self.clock.advance(due)?;
            self.act(act).with_context(|| format!("at {due}"))?;
        }
        let log = self.whole_log()?;
        Ok((self.done, log))
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Open {
                session,
                who,
                password,
            } => self.open(*session, who, password),
            Act::Close(session, how) => self.close(*session, *how),
            Act::Query(session, sql) => {
                let (client, _) = self.clients.get_mut(session).context("no such session")?;
                client.query(sql)
            }
            Act::Probe(who) => {
                self.done.probes += 1;
                Client::probe(self.server, who)
            }
            Act::Restart(seconds) => self.restart(*seconds),
            Act::Crash(session, impatient) => self.crash(*session, impatient),
        }
    }

    fn open(&mut self, session: usize, who: &Who, password: &str) -> Result<()> {
        match Client::connect(self.server, who, password)? {
            Answer::Session(client) => {
                self.clients
                    .insert(session, (client, self.done.sessions.len()));
                self.done.sessions.push(Session {
                    who: who.clone(),
                    opened: self.clock.now(),
                    closed: None,
                });
            }
            Answer::Refused(sqlstate) => self.done.refused.push(Refused {
                who: who.clone(),
                sqlstate: sqlstate.with_context(|| format!("{who:?}: no answer"))?,
            }),
        }
        Ok(())
    }

    fn close(&mut self, session: usize, how: End) -> Result<()> {
        let Some((client, place)) = self.clients.remove(&session) else {
            return Ok(());
        };
        client.leave(how)?;
        let ending = match how {
            End::Terminate => Ending::Client,
            End::Reset => Ending::Reset,
        };
        self.done.sessions[place].closed = Some((self.clock.now(), ending));
        Ok(())
    }

    fn restart(&mut self, seconds: f64) -> Result<()> {
        let begin = self.clock.now();
        self.done.server.push((begin, "restart"));
        self.server.stop()?;
        self.all_gone();
        self.clock
            .advance(begin + SignedDuration::from_secs_f64(seconds))?;
        self.server.start(self.format, &self.clock.variables())
    }

    fn crash(&mut self, session: usize, impatient: &[Who]) -> Result<()> {
        let (client, _) = self.clients.get(&session).context("no such session")?;
        let pid = client.pid;
        let ready = self.server.times_ready(self.format);
        self.done.server.push((self.clock.now(), "crash"));
        said(Command::new("sh").args(["-c", &format!("kill -s KILL {pid}")]))?;
        let log = self.server.log(self.format);
        until("the postmaster has seen it", || {
            let log = std::fs::read(&log).unwrap_or_default();
            memchr::memmem::find(&log, b"terminating any other active server processes").is_some()
        })?;
        for who in impatient {
            let answer = Client::connect(self.server, who, &password(&who.user))?;
            let Answer::Refused(Some(sqlstate)) = answer else {
                continue;
            };
            self.done.refused.push(Refused {
                who: who.clone(),
                sqlstate,
            });
        }
        self.server.until_ready(self.format, ready)?;
        self.all_gone();
        Ok(())
    }

    /// No session has survived.
    fn all_gone(&mut self) {
        let now = self.clock.now();
        for (_, place) in std::mem::take(&mut self.clients).into_values() {
            self.done.sessions[place].closed = Some((now, Ending::Server));
        }
    }

    /// The log up to now. The collector writes what it got a moment ago.
    fn whole_log(&self) -> Result<Vec<u8>> {
        let path = self.server.log(self.format);
        let mut log = Vec::new();
        until("the log is written", || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            let now = std::fs::read(&path).unwrap_or_default();
            let is_same = now == log;
            log = now;
            is_same
        })?;
        ensure!(log.ends_with(b"\n"), "the log breaks off");
        Ok(log)
    }
}
