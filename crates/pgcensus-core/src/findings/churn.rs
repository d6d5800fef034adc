//! Churn: an application opens a session for each request, one after another, and a pool would save the opening.
//!
//! Sessions are counted when they end, since only then it is known how long they were. Each application and user has the last
//! ten minutes, minute by minute; where these hold enough, a stretch of churn begins or goes on.

use rustc_hash::FxHashMap;

use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::groups::{GroupId, Groups, Key};
use super::tally::{Ended, Tally};
use super::{Judge, Seen};
use crate::change::What;
use crate::instant::Instant;
use crate::names::{Dimension, NameId};
use crate::session::ServerId;

const MINUTE_MS: i64 = 60_000;

/// So long it goes on: a batch that opens some hundred sessions and is done is none.
const MINUTES: usize = 10;

/// So many in that time, one a second: fewer cost next to nothing.
const SESSIONS: u32 = 600;

/// None of its minutes has fewer, half of that: a burst is over before the ten minutes are.
const SESSIONS_A_MINUTE: u32 = SESSIONS / MINUTES as u32 / 2;

/// So many of them were opened for one request, and shorter than a second: some wait for a lock now and then.
const SHORT_SHARE: f64 = 0.8;

/// So much of a core, spent on nothing but setting sessions up, is worth a change of the application; less is good to know.
const CORE_SHARE: f64 = 0.01;

/// The fold.
#[derive(Default)]
pub(super) struct Churn {
    /// By [`GroupId`]: whose it is, by position.
    of: Vec<Option<u32>>,
    ids: FxHashMap<(ServerId, NameId, NameId), u32>,
    clients: Vec<Client>,
}

/// An application and user.
struct Client {
    key: Key,
    /// The minute that is going on, and what ended in it.
    minute: i64,
    now: Ended,
    /// The last ten minutes, by their number.
    last: [Ended; MINUTES],
    /// The stretch that is going on or was the last.
    stretch: Option<Stretch>,
    /// The one before with the most sessions.
    worst: Option<Stretch>,
    stretches: u64,
    sessions: u64,
}

/// Minutes of churn.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The first minute and the last.
    first: i64,
    last: i64,
    count: Total,
}

/// [`Ended`] of any length.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    sessions: u64,
    short: u64,
    time_ms: u64,
    setups: u64,
    setup_us: u64,
}

impl Churn {
    pub(super) fn observe(&mut self, seen: &Seen<'_>, groups: &Groups) {
        let What::Closed(session) = seen.what else {
            return;
        };
        let Some(time_ms) = session.session_time_ms else {
            return;
        };
        if seen.group == GroupId::REST {
            return;
        }
        let mut ended = Ended::default();
        ended.add(time_ms, session.setup_us);
        self.ended(seen.group, seen.at, &ended, groups);
    }

    pub(super) fn add(&mut self, group: GroupId, tally: &Tally, groups: &Groups) {
        if tally.ended.sessions > 0 && group != GroupId::REST {
            self.ended(group, tally.at, &tally.ended, groups);
        }
    }

    /// These ended in the minute of an instant.
    fn ended(&mut self, group: GroupId, at: Instant, ended: &Ended, groups: &Groups) {
        let minute = at.0.div_euclid(MINUTE_MS);
        let client = self.client(group, groups);
        if client.minute < minute {
            client.reach(minute);
        }
        client.now.and(ended);
    }

    fn client(&mut self, group: GroupId, groups: &Groups) -> &mut Client {
        let id = group.0 as usize;
        if id >= self.of.len() {
            self.of.resize(id + 1, None);
        }
        let (clients, ids) = (&mut self.clients, &mut self.ids);
        let at = *self.of[id].get_or_insert_with(|| {
            let key = groups.get(group).key;
            let of = (key.server, key.application_name, key.user);
            *ids.entry(of).or_insert_with(|| {
                clients.push(Client::new(key));
                clients.len() as u32 - 1
            })
        });
        &mut self.clients[at as usize]
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        let mut is_real = vec![false; self.clients.len()];
        for (id, of) in self.of.iter().enumerate() {
            if let Some(of) = of {
                is_real[*of as usize] |= !judge.is_noise(GroupId(id as u32));
            }
        }
        for (client, is_real) in self.clients.iter_mut().zip(is_real) {
            client.reach(client.minute + 1);
            client.stretch_is_over();
            if let Some(worst) = client.worst.filter(|_| is_real && judge.has_log()) {
                let until = worst.until().min(judge.known.span.1);
                if judge.is_complete(client.key.server, worst.since(), until) {
                    found.push(client.told(&worst, until, judge));
                }
            }
        }
    }
}

impl Client {
    fn new(key: Key) -> Client {
        Client {
            key,
            minute: i64::MIN,
            now: Ended::default(),
            last: [Ended::default(); MINUTES],
            stretch: None,
            worst: None,
            stretches: 0,
            sessions: 0,
        }
    }

    /// The minute that was going on is over, and those up to this one are empty.
    fn reach(&mut self, minute: i64) {
        let place = |minute: i64| minute.rem_euclid(MINUTES as i64) as usize;
        let over = std::mem::replace(&mut self.minute, minute);
        if over != i64::MIN {
            self.last[place(over)] = std::mem::take(&mut self.now);
            self.judge(over);
        }
        let skipped = minute.saturating_sub(over).clamp(1, MINUTES as i64 + 1) - 1;
        for empty in minute - skipped..minute {
            self.last[place(empty)] = Ended::default();
        }
    }

    /// Whether the ten minutes up to this one are churn.
    fn judge(&mut self, minute: i64) {
        if self
            .last
            .iter()
            .any(|count| count.sessions < SESSIONS_A_MINUTE)
        {
            return;
        }
        let mut sum = Total::default();
        self.last.iter().for_each(|&count| sum.add(count));
        if sum.sessions < SESSIONS.into() || (sum.short as f64) < SHORT_SHARE * sum.sessions as f64
        {
            return;
        }
        let first = minute - (MINUTES as i64 - 1);
        match &mut self.stretch {
            Some(stretch) if stretch.last >= first => {
                for minute in stretch.last + 1..=minute {
                    let count = self.last[minute.rem_euclid(MINUTES as i64) as usize];
                    stretch.count.add(count);
                }
                stretch.last = minute;
            }
            _ => {
                self.stretch_is_over();
                self.stretch = Some(Stretch {
                    first,
                    last: minute,
                    count: sum,
                });
            }
        }
    }

    fn stretch_is_over(&mut self) {
        let Some(stretch) = self.stretch.take() else {
            return;
        };
        self.stretches += 1;
        self.sessions += stretch.count.sessions;
        let worst = self.worst.get_or_insert(stretch);
        if stretch.count.sessions > worst.count.sessions {
            *worst = stretch;
        }
    }

    fn told(&self, worst: &Stretch, until: Instant, judge: &Judge<'_>) -> Finding {
        let who = Who {
            client_host: None,
            ..self.key.who(judge.known.names)
        };
        let (since, count) = (worst.since(), &worst.count);
        let took_ms = until.since(since).max(1) as f64;
        let rate = count.sessions as f64 * 1_000.0 / took_ms;
        let open = count.time_ms as f64 / took_ms;
        let setup_us = (count.setups > 0).then(|| count.setup_us as f64 / count.setups as f64);
        let core = setup_us.map(|us| us * rate / 1e6);
        let severity = match core {
            Some(core) if core >= CORE_SHARE => Severity::Warning,
            _ => Severity::Info,
        };
        let name = judge
            .known
            .names
            .text_of(Dimension::ApplicationName, self.key.application_name);
        let mut said = Sentence::default().name(name);
        if let Some(user) = &who.user {
            said = said.text(" (user ").name(user).text(")");
        }
        let short = count.short as f64 * 100.0 / count.sessions as f64;
        said = said
            .text(format!(" opens {rate:.1} sessions a second: "))
            .count(count.sessions)
            .text(" in ")
            .ms(until.since(since))
            .text(format!(", {short:.0} % of them under a second"));
        if self.stretches > 1 {
            said = said
                .text(" (")
                .count(self.sessions)
                .text(" in ")
                .count(self.stretches)
                .text(" stretches)");
        }
        said = match core {
            Some(core) => said.text(format!(
                "; setting them up takes {:.1} % of a core, which a pool of {} would save",
                core * 100.0,
                pool(open)
            )),
            None => said.text(format!(
                "; a pool of {} would save setting them up",
                pool(open)
            )),
        };
        let test =
            Sentence::from("one session a second for ten minutes, 80 % of them under a second; ");
        let test = match (core, setup_us) {
            (Some(core), Some(us)) => test.text(format!(
                "setup is {:.1} ms on average, {:.1} % of a core (from 1 % on it is a warning)",
                us / 1_000.0,
                core * 100.0
            )),
            _ => test.text(
                "how long their setup takes is not in the log (log_connections = on tells it)",
            ),
        };
        let number = |n: f64, digits: i32| {
            Figure::Number((n * 10f64.powi(digits)).round() / 10f64.powi(digits))
        };
        let mut figures = vec![
            ("sessions", Figure::Count(count.sessions)),
            ("per_s", number(rate, 2)),
            ("under_1_s", number(short / 100.0, 3)),
            ("open_mean", number(open, 2)),
            ("stretches", Figure::Count(self.stretches)),
            ("sessions_of_all_stretches", Figure::Count(self.sessions)),
        ];
        if let (Some(us), Some(core)) = (setup_us, core) {
            figures.push(("setup_mean_ms", number(us / 1_000.0, 2)));
            figures.push(("setup_of_a_core", number(core, 4)));
        }
        let mut command = vec![Argument::Word("history")];
        command.extend(who.flags());
        command.extend([
            Argument::At("--since", since),
            Argument::At("--until", until),
        ]);
        Finding {
            kind: Kind::Churn,
            severity,
            server: self.key.server,
            since,
            until,
            said,
            figures,
            test,
            advice: Sentence::from(
                "keep connections: a pool in the application, persistent connections (PHP: PDO::ATTR_PERSISTENT, Django: CONN_MAX_AGE), or PgBouncer before the server with pool_mode = transaction and default_pool_size = ",
            )
            .text(pool(open).to_string()),
            command,
            who,
        }
    }
}

/// A pool for so many that are open on average: three standard deviations of a Poisson count above it, so that next to
/// nobody waits.
fn pool(open: f64) -> u64 {
    (open + 3.0 * open.sqrt()).ceil().max(2.0) as u64
}

impl Stretch {
    fn since(&self) -> Instant {
        Instant(self.first.saturating_mul(MINUTE_MS))
    }

    fn until(&self) -> Instant {
        Instant((self.last + 1).saturating_mul(MINUTE_MS))
    }
}

impl Total {
    fn add(&mut self, count: Ended) {
        self.sessions += u64::from(count.sessions);
        self.short += u64::from(count.short);
        self.time_ms = self.time_ms.saturating_add(count.time_ms);
        self.setups += u64::from(count.setups);
        self.setup_us = self.setup_us.saturating_add(count.setup_us);
    }
}
