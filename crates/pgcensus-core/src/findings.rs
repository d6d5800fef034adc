//! Findings: what in the log calls for somebody, in words and with the evidence; silent where there is nothing to say.
//!
//! ```text
//! Change ─► Groups (who) ─► Tallies ─► each test ─► Finding { kind, severity, since, until, who, said, figures, test, advice }
//! ```
//!
//! How this works: each test is a fold of its own, a module below, with what it needs per group and no more; a change
//! finds its group once for all of them. Ordinary sessions come to most tests in lumps (`findings/tally.rs`: `add`), all else
//! change by change (`observe`). Verdicts are made when the log has been read, when it is known what is noise,
//! how certain the counts are and what the server said about itself. The thresholds are constants of the tests,
//! each with its reason; none depends on how long the log is, on the zone or on the order of files.
//!
//! Gates for all but refusals: no verdict on fewer than [`SESSIONS_MIN`] sessions, on less than [`LOG_MIN_MS`] of log, or
//! on a stretch whose count is not exact; walsenders are left out, and so is what is folded as noise. For [`MUTE_MS`]
//! after a server event that event is the cause, and a finding about sessions that come and go is silent.

mod address;
mod alike;
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
mod shut_out;
mod storm;
mod tally;
mod unused_lines;

pub use finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who, Word};
pub use guesses::Guesses;
pub use unused_lines::{HbaFile, HbaLine};

use pgcensus_log::event::ServerEvent;
use rustc_hash::FxHashMap;

use crate::change::{Change, What};
use crate::filter::PatternError;
use crate::instant::Instant;
use crate::lives::Lives;
use crate::names::{NameId, Names};
use crate::noise;
use crate::session::{End, EndReason, ServerId, Session};
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
use shut_out::ShutOut;
use storm::Storm;
use tally::Tallies;
use unused_lines::UnusedLines;

/// No verdict on fewer sessions: of so few, a share of 5 % is one.
pub const SESSIONS_MIN: u64 = 20;

/// No verdict on less log: within half an hour every pool warms up, and every batch looks like a leak.
pub const LOG_MIN_MS: i64 = 30 * 60_000;

/// For so long after a start, crash or shutdown that is why sessions come and go: pools reconnect within minutes, their
/// back-off included.
pub const MUTE_MS: i64 = 10 * 60_000;

/// What comes within so long is added up together: the test that looks closest, of storms, looks at this.
const TICK_MS: i64 = 10_000;

/// Where the log goes back by more than this, the clock was set back (records of one moment come within seconds), and
/// sessions tell nothing of rates until it has caught up.
const LATE_MS: i64 = 60_000;

/// Server events kept at most; later ones mute nothing.
const SERVER_EVENTS_MAX: usize = 10_000;

/// The fold: takes in the changes of a window, and gives its verdicts at the end.
pub struct Findings {
    window: Window,
    latest: Instant,
    tallies: Tallies,
    groups: Groups,
    /// Those of sessions that the filter leaves out.
    others: Groups,
    /// What ended or began lives of servers, in order.
    server_events: Vec<(Instant, ServerId, ServerEvent)>,
    saturation: Saturation,
    storm: Storm,
    leak: Leak,
    churn: Churn,
    logins: Logins,
    shut_out: ShutOut,
    guessing: Guessing,
    several_hosts: SeveralHosts,
    plain_text: PlainText,
    lost_clients: LostClients,
    notes: Option<Notes>,
}

/// Tests of which nothing is more than good to know.
#[derive(Default)]
struct Notes {
    pool_size: PoolSize,
    long_lived: LongLived,
    first_seen: FirstSeen,
    unused_lines: UnusedLines,
}

/// A change as the tests see it.
struct Seen<'c> {
    at: Instant,
    /// That of its session.
    group: GroupId,
    what: &'c What,
}

impl Seen<'_> {
    fn tick(&self) -> i64 {
        tick(self.at)
    }
}

/// The number of the stretch of [`TICK_MS`] in which an instant lies, counted from 1970.
fn tick(at: Instant) -> i64 {
    at.0.div_euclid(TICK_MS)
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
    /// `pg_hba.conf`, where there is one server and it is known.
    pub hba: Option<&'k HbaFile>,
    /// What is folded: nothing is said of it.
    pub noise: &'k noise::Folded,
}

impl Findings {
    /// All findings of a window.
    pub fn new(window: Window) -> Findings {
        Findings {
            notes: Some(Notes::default()),
            ..Findings::severe(window)
        }
    }

    /// Those of a window that are of level warning and critical; of those of level info, some.
    pub fn severe(window: Window) -> Findings {
        Findings {
            window,
            latest: Instant::UNKNOWN,
            tallies: Tallies::default(),
            groups: Groups::default(),
            others: Groups::default(),
            server_events: Vec::new(),
            saturation: Saturation::default(),
            storm: Storm::default(),
            leak: Leak::default(),
            churn: Churn::default(),
            logins: Logins::default(),
            shut_out: ShutOut::default(),
            guessing: Guessing::default(),
            several_hosts: SeveralHosts::default(),
            plain_text: PlainText::default(),
            lost_clients: LostClients::default(),
            notes: None,
        }
    }

    /// Those that the filter leaves out hold their connections of a full server as `(other)`: whoever is told may not know them.
    #[must_use]
    pub fn hiding_others(mut self, hides: bool) -> Findings {
        self.others.are_hidden = hides;
        self
    }

    /// Users that this pattern matches are persons: one of them on several hosts at once is a finding.
    ///
    /// # Errors
    /// The pattern is empty.
    pub fn personal_user(&mut self, pattern: &str) -> Result<(), PatternError> {
        self.several_hosts.add(pattern)
    }

    /// Patterns of persons that match no user of the log.
    pub fn unknown_persons<'s>(&'s self, names: &'s Names) -> impl Iterator<Item = &'s str> {
        self.several_hosts.unknown(names)
    }

    /// The input is cut off: what comes after this instant does not count.
    pub fn ends(&mut self, last: Instant) {
        self.window.end_after(last);
    }

    /// Takes in a change. One without a time says nothing here; what comes before the window is known in it.
    pub fn observe(&mut self, change: &Change) {
        let Some(at) = change.at.filter(|&at| !self.window.is_after(at)) else {
            return;
        };
        self.latest = self.latest.max(at);
        match &change.what {
            What::Opened(session) | What::TakenBack(session) | What::Closed(session)
                if session.walsender =>
            {
                if let (Some(notes), What::Opened(session)) = (&mut self.notes, &change.what) {
                    notes.unused_lines.opened(session, at);
                }
            }
            // Who is open is not known then, only who logs in.
            What::Opened(session) | What::TakenBack(session) | What::Closed(session)
                if session.pid.is_none() || self.latest.since(at) > LATE_MS =>
            {
                let group = self.groups.of(session);
                self.logs_in(at, group, &change.what);
            }
            What::Opened(session) => {
                let group = self.groups.of(session);
                self.opened(session, group, at);
                self.saturation.opened(session, at);
                self.each(at, group, &change.what);
            }
            What::Closed(session) => {
                let group = self.groups.of(session);
                if !self.closed(session, group, at, &change.what) {
                    return self.alone(at, group, &change.what);
                }
                self.saturation.closed(session.server);
                self.each(at, group, &change.what);
            }
            What::TakenBack(session) => {
                let group = self.groups.of(session);
                self.alone(at, group, &change.what);
            }
            // Nobody asks for the group of who was refused, and guessers would have thousands.
            What::Refused(_) => self.alone(at, GroupId::REST, &change.what),
            What::Probe(probe) => {
                let host = probe
                    .client_host
                    .as_ref()
                    .map_or(NameId::ABSENT, |host| host.id);
                self.saturation
                    .was_pending(probe.server, host, probe.received_at, at);
            }
            // A reload changes no session.
            What::Server(server, _, ServerEvent::Reloading) => {
                if let Some(notes) = &mut self.notes {
                    notes.unused_lines.loads(*server, at);
                }
            }
            What::Server(server, _, event) => {
                if self.server_events.len() < SERVER_EVENTS_MAX {
                    self.server_events.push((at, *server, *event));
                }
                self.alone(at, GroupId::REST, &change.what);
            }
        }
    }

    /// Takes in a change of which the filter keeps nothing: a full server is held by whoever is there, and what the server
    /// does is why any session comes or goes.
    #[cold]
    pub fn left_out(&mut self, change: &Change) {
        let (session, at) = match (&change.what, change.at) {
            (What::Server(..), _) => return self.observe(change),
            (
                What::Opened(session) | What::TakenBack(session) | What::Closed(session),
                Some(at),
            ) => (session, at),
            _ => return,
        };
        self.latest = self.latest.max(at);
        let is_counted = !session.walsender && session.pid.is_some();
        if !is_counted || self.window.is_after(at) || self.latest.since(at) > LATE_MS {
            return;
        }
        let seen = Seen {
            at,
            group: self.others.of(session),
            what: &change.what,
        };
        self.others.observe(&seen);
        self.saturation.left_out(session.server, &seen);
    }

    /// Adds up a session that opened.
    #[inline]
    fn opened(&mut self, session: &Session, group: GroupId, at: Instant) {
        self.reach(at);
        if !self.tallies.are_like(group, session) {
            self.begin_like(group, session);
        }
        self.tallies.of(group, at).opened(at);
    }

    /// Adds up the end of a session, if it ended as nearly all do, and after an hour at most; whether it did.
    #[inline]
    fn closed(&mut self, session: &Session, group: GroupId, at: Instant, what: &What) -> bool {
        let is_usual = session.end == Some(End::Client)
            && matches!(session.end_reason, None | Some(EndReason::Closed))
            && group != GroupId::REST;
        let (true, Some(opened), Some(time_ms)) =
            (is_usual, session.authorized_at, session.session_time_ms)
        else {
            return false;
        };
        if time_ms > long_lived::HOUR_MS {
            return false;
        }
        self.reach(at);
        // Of whom nobody has been seen to come, the first is looked at.
        if self.groups.get(group).connects == 0 {
            return false;
        }
        let has_passed = self.leak.is_of_slot(opened);
        if !has_passed {
            // That it was open counts where it opened.
            self.leak.observe(&Seen { at, group, what }, &self.groups);
        }
        let is_muted = self.lost_clients.is_muted(session.server, at);
        let tally = self.tallies.of(group, at);
        tally.server = session.server;
        tally.ended.add(time_ms, session.setup_us);
        tally.passed += u32::from(has_passed);
        tally.unexplained += u32::from(!is_muted);
        true
    }

    /// Sees to it that an instant lies in the stretch of the tallies.
    #[inline]
    fn reach(&mut self, at: Instant) {
        if !self.tallies.reach(at) {
            self.begin(at);
        }
    }

    /// A tally begins that is for sessions like this one.
    #[cold]
    fn begin_like(&mut self, group: GroupId, session: &Session) {
        if !self.tallies.become_like(group, session) {
            self.flush();
            self.tallies.become_like(group, session);
        }
    }

    /// Another stretch begins.
    #[cold]
    fn begin(&mut self, at: Instant) {
        self.flush();
        let tick_ends = Instant((tick(at) + 1).saturating_mul(TICK_MS));
        self.tallies.begin(tick_ends.min(self.leak.reach(at)));
    }

    /// Tests to which it matters what was open at each instant, beside that of saturation.
    #[inline]
    fn each(&mut self, at: Instant, group: GroupId, what: &What) {
        let seen = Seen { at, group, what };
        if self.several_hosts.is_asked_for() {
            self.several_hosts.observe(&seen, &self.groups);
        }
        if let Some(notes) = &mut self.notes {
            notes.pool_size.observe(&seen);
        }
    }

    /// Shows all tests a change that is in no tally.
    #[cold]
    fn alone(&mut self, at: Instant, group: GroupId, what: &What) {
        self.flush();
        let seen = Seen { at, group, what };
        self.groups.observe(&seen);
        self.saturation.observe(&seen, [&self.groups, &self.others]);
        self.each(at, group, what);
        self.storm.observe(&seen, &self.groups);
        self.leak.observe(&seen, &self.groups);
        self.churn.observe(&seen, &self.groups);
        self.logins.observe(&seen, &self.groups);
        self.shut_out.observe(&seen, &self.groups);
        self.guessing.observe(&seen, &self.logins);
        self.lost_clients.observe(&seen, &self.groups);
        if let Some(notes) = &mut self.notes {
            notes.long_lived.observe(&seen);
            notes.first_seen.observe(&seen, &self.groups);
            notes.unused_lines.observe(&seen);
        }
    }

    /// Shows a session to those who ask who has logged in.
    #[cold]
    fn logs_in(&mut self, at: Instant, group: GroupId, what: &What) {
        self.flush();
        let seen = Seen { at, group, what };
        self.logins.observe(&seen, &self.groups);
        self.shut_out.observe(&seen, &self.groups);
        self.guessing.observe(&seen, &self.logins);
    }

    /// Hands over the tallies.
    #[cold]
    fn flush(&mut self) {
        let touched = self.tallies.take();
        for &id in &touched {
            let tally = self.tallies.get(id);
            self.groups.add(id, tally);
            self.storm.add(id, tally, &self.groups);
            self.leak.add(id, tally);
            self.churn.add(id, tally, &self.groups);
            if let Some(pair) = self.logins.add(id, tally, &self.groups) {
                self.guessing.logged_in(pair, tally.first);
            }
            self.shut_out.add(id, tally, &self.groups);
            self.plain_text.add(id, tally);
            self.lost_clients.add(id, tally, &self.groups);
            if let Some(notes) = &mut self.notes {
                notes.long_lived.add(id, tally);
                notes.first_seen.add(id, tally);
                notes.unused_lines.add(tally);
            }
        }
        self.tallies.clear(touched);
    }

    /// A session that is open at the end.
    pub fn still_open(&mut self, session: &Session, end: Instant) {
        if let Some(notes) = &mut self.notes
            && !session.walsender
        {
            let group = self.groups.of(session);
            notes.long_lived.still_open(session, group, end);
        }
    }

    /// All verdicts, the most severe first, then the earliest.
    pub fn verdicts(&mut self, known: &Known<'_>) -> Vec<Finding> {
        self.flush();
        let judge = Judge {
            known,
            groups: &self.groups,
            others: &self.others,
            server_events: &self.server_events,
        };
        let mut findings = Vec::new();
        self.saturation.verdicts(&judge, &mut findings);
        self.storm.verdicts(&judge, &mut findings);
        self.leak.verdicts(&judge, &mut findings);
        self.churn.verdicts(&judge, &mut findings);
        if let Some(notes) = &mut self.notes {
            notes.pool_size.verdicts(&judge, &mut findings);
            notes.long_lived.verdicts(&judge, &mut findings);
            notes.first_seen.verdicts(&judge, &mut findings);
            notes.unused_lines.verdicts(&judge, &mut findings);
        }
        let shut_out = self.shut_out.verdicts(&judge, &mut findings);
        self.guessing
            .verdicts(&judge, &self.logins, &shut_out, &mut findings);
        self.several_hosts.verdicts(&judge, &mut findings);
        self.plain_text.verdicts(&judge, &mut findings);
        self.lost_clients.verdicts(&judge, &mut findings);
        findings.retain(|finding| !self.window.is_before(finding.until));
        alike::together(&mut findings);
        findings.sort_by(|a, b| a.order().cmp(&b.order()));
        findings
    }
}

/// What a test asks before it says something.
struct Judge<'j> {
    known: &'j Known<'j>,
    groups: &'j Groups,
    others: &'j Groups,
    server_events: &'j [(Instant, ServerId, ServerEvent)],
}

impl Judge<'_> {
    /// `max_connections`, to be held against the sessions that were seen: unless there are others that a filter leaves out.
    fn connections_max(&self) -> Option<u32> {
        let has_others = self.others.iter().next().is_some();
        self.known.connections_max.filter(|_| !has_others)
    }

    /// There is log enough for verdicts other than on refusals.
    fn has_log(&self) -> bool {
        let (first, last) = self.known.span;
        last.since(first) >= LOG_MIN_MS
    }

    /// Every end of this stretch is in the log, whatever was open before it: what is said of sessions that were seen
    /// is exact, though there may have been others.
    fn is_complete(&self, server: ServerId, since: Instant, until: Instant) -> bool {
        let certainty = self.certainty(server, since, until);
        matches!(certainty, Some(Certainty::Exact | Certainty::AtLeast))
    }

    /// Every beginning and every end of this stretch is in the log of this server.
    fn is_exact(&self, server: ServerId, since: Instant, until: Instant) -> bool {
        self.certainty(server, since, until) == Some(Certainty::Exact)
    }

    /// That of a stretch, its last instant included; `None`: the server does not count.
    fn certainty(&self, server: ServerId, since: Instant, until: Instant) -> Option<Certainty> {
        let mut lives = self.known.lives.iter();
        let (_, lives) = lives.find(|(id, _)| *id == server)?;
        Some(lives.between(since, until.plus_ms(1)))
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
