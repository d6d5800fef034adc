//! Pool size: how many server connections would have served the sessions that there were, had a pooler stood before the
//! server, and who would have waited.
//!
//! How this works: in session pooling a client holds a server connection as long as its session lasts. So as many as were open
//! at the peak serve everybody at once, and what fewer mean is a queue of which all arrivals and lengths are known. It is run
//! at the end (`pool_size/queue.rs`), for the two hours that matter: that with the peak, and that with the most session time.
//! A session is put into the hour when it has ended, if that comes before the end of the next; what is open
//! longer than that holds a connection for the whole hour. Transaction pooling needs at most as many: how many fewer,
//! only transactions would tell, which the log has not.

mod queue;

use super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::{Judge, SESSIONS_MIN, Seen};
use crate::change::What;
use crate::instant::Instant;
use crate::session::{ServerId, Session};

/// A stretch whose queue is run: overload builds up within minutes, and rush hours are an hour.
const HOUR_MS: i64 = 3_600_000;

/// Sessions of an hour that are kept, by server; one with more is cut short. To queue so many a dozen times takes some 10 ms.
const SESSIONS_MAX: u32 = 20_000;

/// Where half of the sessions are longer than this, clients have pools already.
const LONG_MS: i64 = 600_000;

/// There is something to gain where an hour has more sessions than this, one each six seconds…
const OFTEN: u32 = 600;

/// … or where more are open at once than `PgBouncer`'s `default_pool_size` would hold without a thought.
const MANY: u32 = 20;

/// A wait that nobody notices…
const WAIT_MS: u32 = 100;

/// … and one that everybody does.
const LONG_WAIT_MS: u32 = 1_000;

/// The fold, by [`ServerId`].
#[derive(Default)]
pub(super) struct PoolSize {
    servers: Vec<Server>,
}

#[derive(Default)]
struct Server {
    open: u32,
    peak: u32,
    peak_at: Instant,
    ended: u64,
    /// Of them, longer than [`LONG_MS`].
    long: u64,
    now: Hour,
    /// Sessions that began in it may still end.
    last: Option<Hour>,
    /// Those with the highest peak and with the most session time a second.
    highest: Option<Hour>,
    busiest: Option<Hour>,
}

/// The sessions of an hour; times are milliseconds since its begin.
#[derive(Clone)]
struct Hour {
    begin: Instant,
    end: Instant,
    peak: u32,
    /// Session time of those that ended in it, as far as it passed in it.
    busy_ms: i64,
    /// Open when it began.
    before: u32,
    /// When those of them ended that ended in it.
    ends: Vec<u32>,
    /// How many opened in it, and the begin and end of those that ended.
    opened: u32,
    sessions: Vec<(u32, u32)>,
}

impl PoolSize {
    #[inline(never)]
    pub(super) fn observe(&mut self, seen: &Seen<'_>) {
        let (What::Opened(session) | What::TakenBack(session) | What::Closed(session)) = seen.what
        else {
            return;
        };
        if !session.was_seen_to_open() {
            return;
        }
        let id = usize::from(session.server.0);
        if id >= self.servers.len() {
            self.servers.resize_with(id + 1, Server::default);
        }
        let server = &mut self.servers[id];
        server.reach(seen.at);
        match seen.what {
            What::Opened(_) => server.opened(seen.at),
            What::Closed(_) => server.closed(session, seen.at),
            _ => server.taken_back(),
        }
    }

    pub(super) fn verdicts(&mut self, judge: &Judge<'_>, found: &mut Vec<Finding>) {
        for (id, server) in self.servers.iter_mut().enumerate() {
            server.turn(judge.known.span.1);
            server.turn(judge.known.span.1);
            found.extend(server.verdict(ServerId(id as u16), judge));
        }
    }
}

impl Server {
    fn reach(&mut self, at: Instant) {
        if at >= self.now.end || self.now.opened >= SESSIONS_MAX {
            self.turn(at);
        }
    }

    fn opened(&mut self, at: Instant) {
        self.open += 1;
        self.now.opened += 1;
        self.now.peak = self.now.peak.max(self.open);
        if self.open > self.peak {
            (self.peak, self.peak_at) = (self.open, at);
        }
    }

    fn taken_back(&mut self) {
        self.open = self.open.saturating_sub(1);
        // Milliseconds after it opened, mostly in the same hour.
        self.now.opened = self.now.opened.saturating_sub(1);
    }

    fn closed(&mut self, session: &Session, at: Instant) {
        self.open = self.open.saturating_sub(1);
        let begin = session.authorized_at.unwrap_or(at).min(at);
        self.ended += 1;
        self.long += u64::from(at.since(begin) > LONG_MS);
        let now = &mut self.now;
        now.busy_ms += at.since(begin.max(now.begin)).max(0);
        if begin >= now.begin {
            now.sessions.push((now.ms(begin), now.ms(at)));
            return;
        }
        if (now.ends.len() as u32) < now.before {
            now.ends.push(now.ms(at));
        }
        let last = self.last.as_mut().filter(|last| begin >= last.begin);
        if let Some(last) = last {
            last.sessions.push((last.ms(begin), last.ms(at)));
        }
    }

    /// Another hour begins.
    fn turn(&mut self, at: Instant) {
        let mut over = std::mem::replace(&mut self.now, Hour::new(at, self.open));
        over.end = over.end.min(at);
        let Some(last) = self.last.replace(over).filter(|last| last.opened > 0) else {
            return;
        };
        if self
            .highest
            .as_ref()
            .is_none_or(|highest| last.peak > highest.peak)
        {
            self.highest = Some(last.clone());
        }
        if self
            .busiest
            .as_ref()
            .is_none_or(|busiest| last.is_busier(busiest))
        {
            self.busiest = Some(last);
        }
    }

    fn verdict(&self, id: ServerId, judge: &Judge<'_>) -> Option<Finding> {
        let all = self.ended + u64::from(self.open);
        // What is open has not ended within ten minutes, but for the last ones.
        let is_pooled = 2 * (self.long + u64::from(self.open)) > all;
        if is_pooled || all < SESSIONS_MIN || !judge.has_log() {
            return None;
        }
        let (highest, busiest) = (self.highest.as_ref()?, self.busiest.as_ref()?);
        let mut hours = vec![highest];
        if busiest.begin != highest.begin {
            hours.push(busiest);
        }
        if self.peak <= MANY && hours.iter().all(|hour| hour.opened <= OFTEN) {
            return None;
        }
        // Most of what is open at the peak stays: pools, or a leak. No pooler can do with less.
        if 2 * highest.stay() > highest.peak {
            return None;
        }
        let is_exact = |hour: &&Hour| judge.is_exact(id, hour.begin, hour.end.plus_ms(-1));
        if !hours.iter().all(is_exact) || !judge.is_exact(id, self.peak_at, self.peak_at) {
            return None;
        }
        let mut runs: Vec<queue::Queue> = hours.iter().map(|hour| hour.queue()).collect();
        let size = queue::size(&mut runs, self.peak, WAIT_MS);
        let few = queue::size(&mut runs, size, LONG_WAIT_MS);
        // Fewer would make somebody wait for long: there is nothing to gain.
        if few >= self.peak {
            return None;
        }
        let waits = queue::waits(&mut runs, size);
        let long_waits = queue::waits(&mut runs, few);
        let sessions: u64 = hours.iter().map(|hour| u64::from(hour.opened)).sum();
        let mut said = Sentence::default()
            .counted(self.peak.into(), "server connection", "server connections")
            .text(" would have served all ")
            .count(all)
            .text(" sessions at once");
        if size < self.peak {
            said = said
                .text("; with ")
                .count(size.into())
                .text(", ")
                .then(waits.told());
        }
        if few < size {
            said = said
                .text("; with ")
                .count(few.into())
                .text(", ")
                .then(long_waits.told());
        }
        let (since, until) = judge.known.span;
        Some(Finding {
            kind: Kind::PoolSize,
            severity: Severity::Info,
            server: id,
            since,
            until,
            who: Who::default(),
            said,
            figures: vec![
                ("without_wait", Figure::Count(self.peak.into())),
                ("peak_at", Figure::At(self.peak_at)),
                ("size", Figure::Count(size.into())),
                ("size_waited_share", Figure::Number(waits.share())),
                ("size_wait_p99_ms", Figure::Ms(waits.p99_ms.into())),
                ("size_wait_max_ms", Figure::Ms(waits.max_ms.into())),
                ("few", Figure::Count(few.into())),
                ("few_waited_share", Figure::Number(long_waits.share())),
                ("few_wait_p99_ms", Figure::Ms(long_waits.p99_ms.into())),
                ("few_wait_max_ms", Figure::Ms(long_waits.max_ms.into())),
                ("sessions", Figure::Count(all)),
                ("sessions_queued", Figure::Count(sessions)),
            ],
            test: Sentence::from("session pooling: the arrivals and lengths of ")
                .count(sessions)
                .text(" sessions, of the hour from ")
                .at(highest.begin)
                .text(match hours.len() {
                    1 => ", which had the peak and the most session time",
                    _ => " with the peak and of that with the most session time",
                })
                .text(", were queued; transaction pooling needs at most as many, and how many fewer is not told (durations of statements are not read)"),
            advice: Sentence::from("PgBouncer: default_pool_size = ")
                .count(size.into())
                .text(" in all, to be divided among pairs of user and database; pool_mode = transaction where clients keep nothing in a session (SET, LISTEN, temporary tables, advisory locks), else session"),
            command: vec![
                Argument::Word("history"),
                Argument::At("--since", highest.begin),
                Argument::At("--until", highest.end),
            ],
        })
    }
}

impl Default for Hour {
    /// One that was over before everything.
    fn default() -> Hour {
        Hour::new(Instant::UNKNOWN, 0)
    }
}

impl Hour {
    fn new(begin: Instant, open: u32) -> Hour {
        Hour {
            begin,
            end: begin.plus_ms(HOUR_MS),
            peak: open,
            busy_ms: 0,
            before: open,
            ends: Vec::new(),
            opened: 0,
            sessions: Vec::new(),
        }
    }

    fn ms(&self, at: Instant) -> u32 {
        u32::try_from(at.since(self.begin).max(0)).unwrap_or(u32::MAX)
    }

    /// More session time a second.
    fn is_busier(&self, other: &Hour) -> bool {
        let long = |hour: &Hour| hour.end.since(hour.begin).max(1) as f64;
        self.busy_ms as f64 / long(self) > other.busy_ms as f64 / long(other)
    }

    /// How many of its sessions have not ended by the end of the next hour.
    fn stay(&self) -> u32 {
        let ended = self.ends.len() as u32 + self.sessions.len() as u32;
        (self.before + self.opened).saturating_sub(ended)
    }

    /// Its sessions as they come to a pooler.
    fn queue(&self) -> queue::Queue {
        let whole = u32::MAX / 2;
        let mut there = self.ends.clone();
        there.extend((0..self.stay()).map(|_| whole));
        queue::Queue::new(there, self.sessions.clone())
    }
}
