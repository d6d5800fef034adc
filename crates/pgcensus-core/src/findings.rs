//! Findings: what in the log calls for somebody, in words and with the evidence; silent where there is nothing to say.
//!
//! ```text
//! Change ─► Groups (who)  ─► each test ─► Finding { kind, severity, since, until, who, said, figures, test, advice }
//! ```
//!
//! How this works: each test is a fold of its own, a module below, with what it needs per group and no more; a change
//! finds its group once for all of them. Verdicts are made when the log has been read, when it is known what is noise,
//! how certain the counts are and what the server said about itself. The thresholds are constants of the tests,
//! each with its reason; none depends on how long the log is, on the zone or on the order of files.
//!
//! Gates for all but refusals: no verdict on fewer than [`SESSIONS_MIN`] sessions, on less than [`LOG_MIN_MS`] of log, or
//! on a stretch whose count is not exact; walsenders are left out, and so is what is folded as noise. For [`MUTE_MS`]
//! after a server event that event is the cause, and a finding about sessions that come and go is silent.

mod address;
mod churn;
mod evidence;
mod finding;
mod first_seen;
mod groups;
mod guesses;
mod guessing;
mod leak;
mod logins;
mod long_lived;
mod lost_clients;
mod plain_text;
mod pool_size;
mod saturation;
#[cfg(test)]
mod scene;
mod series;
mod several_hosts;
mod storm;

pub use finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who, Word};
pub use guesses::Guesses;

use pgcensus_log::event::ServerEvent;
use rustc_hash::FxHashMap;

use crate::change::{Change, What};
use crate::filter::PatternError;
use crate::instant::Instant;
use crate::lives::Lives;
use crate::names::{NameId, Names};
use crate::noise;
use crate::session::{ServerId, Session};
use crate::snapshot::Certainty;
use crate::window::Window;
use churn::Churn;
use first_seen::FirstSeen;
use groups::{Group, GroupId, Groups};
use guessing::Guessing;
use leak::Leak;
use logins::Logins;
use long_lived::LongLived;
use lost_clients::LostClients;
use plain_text::PlainText;
use pool_size::PoolSize;
use saturation::Saturation;
use several_hosts::SeveralHosts;
use storm::Storm;

/// No verdict on fewer sessions: of so few, a share of 5 % is one.
pub const SESSIONS_MIN: u64 = 20;

/// No verdict on less log: within half an hour every pool warms up, and every batch looks like a leak.
pub const LOG_MIN_MS: i64 = 30 * 60_000;

/// For so long after a start, crash or shutdown that is why sessions come and go: pools reconnect within minutes, their
/// back-off included.
pub const MUTE_MS: i64 = 10 * 60_000;

/// What comes within so long is added up together: the test that looks closest, of storms, looks at this.
const TICK_MS: i64 = 10_000;

/// Server events kept at most; later ones mute nothing.
const SERVER_EVENTS_MAX: usize = 10_000;

/// The fold: takes in the changes of a window, and gives its verdicts at the end.
pub struct Findings {
    window: Window,
    tick: Tick,
    groups: Groups,
    /// What ended or began lives of servers, in order.
    server_events: Vec<(Instant, ServerId, ServerEvent)>,
    saturation: Saturation,
    storm: Storm,
    leak: Leak,
    churn: Churn,
    pool_size: PoolSize,
    long_lived: LongLived,
    logins: Logins,
    guessing: Guessing,
    first_seen: FirstSeen,
    several_hosts: SeveralHosts,
    plain_text: PlainText,
    lost_clients: LostClients,
}

/// The stretch of [`TICK_MS`] that a change falls into: it is reckoned when it ends, and not for each change.
struct Tick {
    /// Counted from 1970.
    number: i64,
    since: Instant,
}

/// A change as the tests see it.
struct Seen<'c> {
    at: Instant,
    /// The number of its tick.
    tick: i64,
    group: GroupId,
    what: &'c What,
}

/// What is known when the log has been read.
pub struct Known<'k> {
    /// The names of the run.
    pub names: &'k Names,
    /// Of the servers whose sessions may count.
    pub lives: &'k [(ServerId, &'k Lives)],
    /// First and last instant of what was read of the window.
    pub span: (Instant, Instant),
    /// `max_connections`, where there is one server and it is known.
    pub connections_max: Option<u32>,
    /// What is folded: nothing is said of it.
    pub noise: &'k noise::Folded,
}

impl Findings {
    /// For a window.
    pub fn new(window: Window) -> Findings {
        Findings {
            window,
            tick: Tick {
                number: i64::MIN,
                since: Instant::UNKNOWN,
            },
            groups: Groups::default(),
            server_events: Vec::new(),
            saturation: Saturation::default(),
            storm: Storm::default(),
            leak: Leak::default(),
            churn: Churn::default(),
            pool_size: PoolSize::default(),
            long_lived: LongLived::default(),
            logins: Logins::default(),
            guessing: Guessing::default(),
            first_seen: FirstSeen::default(),
            several_hosts: SeveralHosts::default(),
            plain_text: PlainText::default(),
            lost_clients: LostClients::default(),
        }
    }

    /// Users that this pattern matches are persons: one of them on several hosts at once is a finding.
    ///
    /// # Errors
    /// The pattern is empty.
    pub fn personal_user(&mut self, pattern: &str) -> Result<(), PatternError> {
        self.several_hosts.add(pattern)
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change. One without a time says nothing here.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at.filter(|&at| self.window.contains(at)) else {
            return;
        };
        let tick = self.tick.of(at);
        let group = match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session)
                if session.walsender =>
            {
                return;
            }
            What::Opened(session) => self.groups.opened(session, tick),
            What::TakenBack(session) => self.groups.taken_back(session, tick),
            What::Closed(session) => self.groups.closed(session, tick),
            What::Refused(refusal) => self.groups.of_refusal(refusal),
            // A reload changes no session.
            What::Server(_, _, ServerEvent::Reloading) => return,
            What::Server(server, _, event) => {
                if self.server_events.len() < SERVER_EVENTS_MAX {
                    self.server_events.push((at, *server, event.clone()));
                }
                GroupId::REST
            }
            What::Probe(_) => GroupId::REST,
        };
        let seen = Seen {
            at,
            tick,
            group,
            what: &change.what,
        };
        self.saturation.observe(&seen, &self.groups);
        self.storm.observe(&seen, &self.groups);
        self.leak.observe(&seen, &self.groups);
        self.churn.observe(&seen, &self.groups);
        self.pool_size.observe(&seen);
        self.long_lived.observe(&seen);
        let first = self.logins.observe(&seen, &self.groups);
        self.guessing.observe(&seen, first, &self.logins);
        self.first_seen.observe(&seen, &self.groups);
        self.several_hosts.observe(&seen, &self.groups);
        self.plain_text.observe(&seen);
        self.lost_clients.observe(&seen, &self.groups);
    }

    /// A session that is open at the end.
    pub fn still_open(&mut self, session: &Session, end: Instant) {
        if !session.walsender {
            let group = self.groups.of(session);
            self.long_lived.still_open(session, group, end);
        }
    }

    /// All verdicts, the most severe first, then the earliest.
    pub fn verdicts(&mut self, known: &Known<'_>) -> Vec<Finding> {
        let judge = Judge {
            known,
            groups: &self.groups,
            server_events: &self.server_events,
        };
        let mut findings = Vec::new();
        self.saturation.verdicts(&judge, &mut findings);
        self.storm.verdicts(&judge, &mut findings);
        self.leak.verdicts(&judge, &mut findings);
        self.churn.verdicts(&judge, &mut findings);
        self.pool_size.verdicts(&judge, &mut findings);
        self.long_lived.verdicts(&judge, &mut findings);
        self.guessing.verdicts(&judge, &self.logins, &mut findings);
        self.first_seen.verdicts(&judge, &mut findings);
        self.several_hosts.verdicts(&judge, &mut findings);
        self.plain_text.verdicts(&judge, &mut findings);
        self.lost_clients.verdicts(&judge, &mut findings);
        findings.sort_by_key(|finding: &Finding| {
            (
                std::cmp::Reverse(finding.severity),
                finding.since,
                finding.kind,
            )
        });
        findings
    }
}

impl Tick {
    /// The number of the tick of this instant.
    fn of(&mut self, at: Instant) -> i64 {
        // Most changes fall into the tick of the one before.
        if !(0..TICK_MS).contains(&at.since(self.since)) {
            self.number = at.0.div_euclid(TICK_MS);
            self.since = Instant(self.number * TICK_MS);
        }
        self.number
    }
}

/// What a test asks before it says something.
struct Judge<'j> {
    known: &'j Known<'j>,
    groups: &'j Groups,
    server_events: &'j [(Instant, ServerId, ServerEvent)],
}

impl Judge<'_> {
    /// There is log enough for verdicts other than on refusals.
    fn has_log(&self) -> bool {
        let (first, last) = self.known.span;
        last.since(first) >= LOG_MIN_MS
    }

    /// Sessions of this server that were seen to open.
    fn sessions(&self, server: ServerId) -> u64 {
        let groups = self.groups.iter().map(|(_, group)| group);
        let own = groups.filter(|group| group.key.server == server);
        own.map(|group| group.connects).sum()
    }

    /// Every end of this stretch is in the log, whatever was open before it: what is said of sessions that were seen
    /// is exact, though there may have been others.
    fn is_complete(&self, server: ServerId, since: Instant, until: Instant) -> bool {
        let mut lives = self.known.lives.iter().filter(|(id, _)| *id == server);
        lives.any(|(_, lives)| {
            let certainty = lives.between(since, until.plus_ms(1));
            matches!(certainty, Certainty::Exact | Certainty::AtLeast)
        })
    }

    /// Every beginning and every end of this stretch is in the log of this server.
    fn is_exact(&self, server: ServerId, since: Instant, until: Instant) -> bool {
        let mut lives = self.known.lives.iter().filter(|(id, _)| *id == server);
        lives.any(|(_, lives)| lives.between(since, until.plus_ms(1)) == Certainty::Exact)
    }

    /// Whoever has one of these application names is folded as noise.
    fn are_noise(&self, server: ServerId, applications: &FxHashMap<NameId, u64>) -> bool {
        let groups = self.groups.iter().filter(|(_, Group { key, .. })| {
            key.server == server && applications.contains_key(&key.application_name)
        });
        groups.into_iter().all(|(id, _)| self.is_noise(id))
    }

    /// This group is folded as noise.
    fn is_noise(&self, id: GroupId) -> bool {
        let key = self.groups.get(id).key;
        self.known.noise.has(&noise::Group {
            kind: noise::Kind::Sessions,
            server: key.server,
            application_name: key.application_name,
            user: key.user,
            database: key.database,
            client_host: key.client_host,
        })
    }

    /// The last server event within [`MUTE_MS`] before this instant: it is why sessions come and go.
    fn cause(&self, server: ServerId, at: Instant) -> Option<(Instant, &ServerEvent)> {
        let own = self.server_events.iter().rev();
        let mut own = own.filter(|(_, of, _)| *of == server);
        let (when, _, event) = own.find(|(when, ..)| *when <= at)?;
        (at.since(*when) <= MUTE_MS).then_some((*when, event))
    }
}

#[cfg(test)]
mod tests;
