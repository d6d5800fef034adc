//! What is done to a server, and when: made at once, before the server is started, and the same every time.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::client::{End, Who};
use super::truth::time;

/// Seconds.
pub(super) const MINUTE: f64 = 60.0;
/// Seconds.
pub(super) const HOUR: f64 = 3600.0;

/// One thing to do. Sessions have the numbers that [`Plan::open`] gave them.
pub(super) enum Act {
    Open {
        session: usize,
        who: Who,
        password: String,
    },
    /// Nothing, if it was refused or is gone.
    Close(usize, End),
    Query(usize, String),
    Probe(Who),
    /// `pg_ctl restart`, which takes so many seconds.
    Restart(f64),
    /// `kill -9` of the backend of a session, and who tries to connect while the server recovers.
    Crash(usize, Vec<Who>),
}

/// What is done, in seconds since the recording began.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) acts: Vec<(f64, Act)>,
    /// What has to be found in the log.
    pub(super) findings: Vec<Finding>,
    /// SQL run before the log begins.
    pub(super) prepare: Vec<String>,
    sessions: usize,
    random: Random,
}

/// What has to be found, and what is known of it.
pub(super) struct Finding {
    pub(super) kind: &'static str,
    pub(super) severity: &'static str,
    /// When it began and was over, in seconds as for acts.
    pub(super) during: [f64; 2],
    /// Dimensions and names of those whom it is about.
    pub(super) who: Value,
    /// How many, by the driver's count.
    pub(super) figures: Value,
}

impl Finding {
    pub(super) fn to_json(&self, begin: Timestamp) -> Value {
        let [since, until] = self
            .during
            .map(|at| time(begin + SignedDuration::from_secs_f64(at)));
        json!({
            "kind": self.kind,
            "severity": self.severity,
            "since": since,
            "until": until,
            "who": self.who,
            "figures": self.figures,
        })
    }
}

/// Numbers that look as if by chance, the same every time: xorshift.
struct Random(u64);

impl Default for Random {
    fn default() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }
}

/// The right password of a user.
pub(super) fn password(user: &str) -> String {
    format!("secret of {user}")
}

/// Names of a session.
pub(super) fn who(application: &str, user: &str, database: &str, host: &str) -> Who {
    Who {
        application: application.to_owned(),
        user: user.to_owned(),
        database: database.to_owned(),
        host: host.to_owned(),
    }
}

impl Plan {
    /// A number from this up to that one.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        let Random(x) = &mut self.random;
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        from + (to - from) * ((*x >> 11) as f64 / (1_u64 << 53) as f64)
    }

    pub(super) fn act(&mut self, at: f64, act: Act) {
        self.acts.push((at, act));
    }

    /// Opens a session, with the right password.
    pub(super) fn open(&mut self, at: f64, who: &Who) -> usize {
        self.attempt(at, who, password(&who.user))
    }

    /// Tries to open a session with a wrong password.
    pub(super) fn guess(&mut self, at: f64, who: &Who) {
        self.attempt(at, who, "123456".to_owned());
    }

    /// Tries to open a session with this password.
    pub(super) fn attempt(&mut self, at: f64, who: &Who, password: String) -> usize {
        self.sessions += 1;
        let act = Act::Open {
            session: self.sessions,
            who: who.clone(),
            password,
        };
        self.act(at, act);
        self.sessions
    }

    pub(super) fn close(&mut self, at: f64, session: usize) {
        self.act(at, Act::Close(session, End::Terminate));
    }

    /// A session that begins and ends.
    pub(super) fn session(&mut self, at: f64, length: f64, who: &Who) {
        let session = self.open(at, who);
        self.close(at + length, session);
    }

    /// Sessions at this rhythm, each somewhat shorter or longer than this.
    pub(super) fn rhythm(&mut self, from: f64, to: f64, every: f64, length: f64, who: &Who) {
        let mut at = from;
        while at < to {
            let (late, length) = (
                self.between(0.0, every / 20.0),
                self.between(0.5 * length, 1.5 * length),
            );
            self.session(at + late, length, who);
            at += every;
        }
    }

    /// A pool of so many sessions, each of which is replaced after about half an hour, as pools do.
    pub(super) fn pool(&mut self, from: f64, to: f64, size: usize, who: &Who) {
        for _ in 0..size {
            let mut at = from + self.between(0.0, 2.0);
            while at < to {
                let life = self.between(28.0 * MINUTE, 30.0 * MINUTE);
                if at + life < to {
                    self.session(at, life, who);
                } else {
                    self.open(at, who);
                }
                at += life + self.between(0.01, 0.2);
            }
        }
    }

    /// Puts all into the order of time.
    pub(super) fn sort(&mut self) {
        self.acts.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
}
