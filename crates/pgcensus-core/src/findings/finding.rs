//! A finding as plain data: all that a view may know of it.

use std::cmp::Reverse;

use crate::instant::Instant;
use crate::session::ServerId;

/// One thing that calls for somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which test found it.
    pub kind: Kind,
    /// How soon somebody must act.
    pub severity: Severity,
    /// Where.
    pub server: ServerId,
    /// From when on.
    pub since: Instant,
    /// Until when; the end of the log, where it goes on.
    pub until: Instant,
    /// Who.
    pub who: Who,
    /// What happened, in a sentence; `since` and `until` say when.
    pub said: Sentence,
    /// The numbers, by their names in JSON: `open_start`, `rate_per_s`.
    pub figures: Vec<(&'static str, Figure)>,
    /// Why it is believed: the test with its threshold.
    pub test: Sentence,
    /// What to do: the exact setting or SQL.
    pub advice: Sentence,
    /// What shows the evidence: a command of pgcensus with its options, without its input.
    pub command: Vec<Argument>,
}

impl Finding {
    /// Where it stands among others: the most severe first, then the earliest.
    pub(super) fn order(&self) -> impl Ord {
        let who = (self.server, &self.who);
        (Reverse(self.severity), self.since, self.kind, who)
    }
}

/// Which test found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The server, a role or a database has no connection left.
    Saturation,
    /// Who used to log in is refused every time.
    ShutOut,
    /// Many connects at once.
    Storm,
    /// Open sessions that only grow.
    Leak,
    /// Sessions that are opened for a moment, one after another.
    Churn,
    /// Sessions open for a day that somebody may have forgotten.
    LongLived,
    /// How many server connections would do.
    PoolSize,
    /// A host tries passwords.
    BruteForce,
    /// A host tries many roles.
    Spraying,
    /// A host logs in after many wrong passwords.
    SuccessAfterFailures,
    /// An application has an old password.
    StaleSecret,
    /// A health check asks for a role or database that does not exist.
    WrongHealthCheck,
    /// A user, network or application that a week of log had not.
    FirstSeen,
    /// A person's role on several hosts at once.
    SeveralHosts,
    /// Without TLS from a public address.
    PlainText,
    /// `trust`, `password` without TLS, `md5`.
    WeakAuthentication,
    /// Lines of `pg_hba.conf` that no connection was seen to match.
    UnusedHbaLines,
    /// Sessions of an application that end without a goodbye.
    LostClients,
}

impl Kind {
    /// The word for it in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Saturation => "saturation",
            Kind::ShutOut => "shut_out",
            Kind::Storm => "storm",
            Kind::Leak => "leak",
            Kind::Churn => "churn",
            Kind::LongLived => "long_lived",
            Kind::PoolSize => "pool_size",
            Kind::BruteForce => "brute_force",
            Kind::Spraying => "spraying",
            Kind::SuccessAfterFailures => "success_after_failures",
            Kind::StaleSecret => "stale_secret",
            Kind::WrongHealthCheck => "wrong_health_check",
            Kind::FirstSeen => "first_seen",
            Kind::SeveralHosts => "several_hosts",
            Kind::PlainText => "plain_text",
            Kind::WeakAuthentication => "weak_authentication",
            Kind::UnusedHbaLines => "unused_hba_lines",
            Kind::LostClients => "lost_clients",
        }
    }
}

/// How soon somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Act this week.
    Warning,
    /// Clients are refused, or soon will be.
    Critical,
}

impl Severity {
    /// All of them, the least severe first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// The word for it in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Who it is about; `None`: nobody in particular in this dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// The application.
    pub application_name: Option<Box<[u8]>>,
    /// The role.
    pub user: Option<Box<[u8]>>,
    /// The database.
    pub database: Option<Box<[u8]>>,
    /// The client's address or name.
    pub client_host: Option<Box<[u8]>>,
}

/// A number of the evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// How many.
    Count(u64),
    /// A rate or a share, with so many digits as matter.
    Number(f64),
    /// A length in milliseconds.
    Ms(u64),
    /// When.
    At(Instant),
    /// A word of PostgreSQL: a reason, a method.
    Word(&'static str),
    /// A text of the log.
    Text(Box<[u8]>),
    /// How many of each name, the most first.
    Ranking(Vec<(Box<[u8]>, u64)>),
}

/// What is said, word by word: times are not yet in a zone, names not yet harmless, so that each view does it its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence(pub Vec<Word>);

/// A piece of a [`Sentence`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Our own words.
    Text(String),
    /// A name of the log, which is hostile text.
    Name(Box<[u8]>),
    /// A name of the log as an identifier of SQL.
    Identifier(Box<[u8]>),
    /// … as a text of SQL.
    Literal(Box<[u8]>),
    /// An instant.
    At(Instant),
    /// A length in milliseconds.
    Ms(u64),
    /// How many.
    Count(u64),
}

impl Finding {
    /// The same, with other names: `rename` is asked for each.
    #[must_use]
    pub fn renamed(&self, rename: &dyn Fn(&[u8]) -> Box<[u8]>) -> Finding {
        let name = |name: &Option<Box<[u8]>>| name.as_deref().map(rename);
        let word = |word: &Word| match word {
            Word::Name(name) => Word::Name(rename(name)),
            Word::Identifier(name) => Word::Identifier(rename(name)),
            Word::Literal(name) => Word::Literal(rename(name)),
            other => other.clone(),
        };
        let sentence = |sentence: &Sentence| Sentence(sentence.0.iter().map(word).collect());
        let figure = |(key, figure): &(&'static str, Figure)| {
            let figure = match figure {
                Figure::Text(text) => Figure::Text(rename(text)),
                Figure::Ranking(rows) => {
                    let rows = rows.iter().map(|(name, n)| (rename(name), *n));
                    Figure::Ranking(rows.collect())
                }
                other => other.clone(),
            };
            (*key, figure)
        };
        let argument = |argument: &Argument| match argument {
            Argument::Named(flag, name) => Argument::Named(flag, rename(name)),
            Argument::Folded(flag, name) => Argument::Folded(flag, rename(name)),
            other => other.clone(),
        };
        Finding {
            who: Who {
                application_name: name(&self.who.application_name),
                user: name(&self.who.user),
                database: name(&self.who.database),
                client_host: name(&self.who.client_host),
            },
            figures: self.figures.iter().map(figure).collect(),
            said: sentence(&self.said),
            test: sentence(&self.test),
            advice: sentence(&self.advice),
            command: self.command.iter().map(argument).collect(),
            ..self.clone()
        }
    }
}

impl Sentence {
    /// Our own words.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Sentence {
        self.0.push(Word::Text(text.into()));
        self
    }

    /// A name.
    #[must_use]
    pub fn name(mut self, name: &[u8]) -> Sentence {
        self.0.push(Word::Name(name.into()));
        self
    }

    /// A name as SQL has it: `"web"`.
    #[must_use]
    pub fn identifier(mut self, name: &[u8]) -> Sentence {
        self.0.push(Word::Identifier(name.into()));
        self
    }

    /// A name as a text of SQL: `'web'`.
    #[must_use]
    pub fn literal(mut self, name: &[u8]) -> Sentence {
        self.0.push(Word::Literal(name.into()));
        self
    }

    /// An instant.
    #[must_use]
    pub fn at(mut self, at: Instant) -> Sentence {
        self.0.push(Word::At(at));
        self
    }

    /// A length.
    #[must_use]
    pub fn ms(mut self, ms: i64) -> Sentence {
        self.0.push(Word::Ms(ms.max(0) as u64));
        self
    }

    /// How many.
    #[must_use]
    pub fn count(mut self, count: u64) -> Sentence {
        self.0.push(Word::Count(count));
        self
    }

    /// How many of what: `1 connection`, `1,204 connections`.
    #[must_use]
    pub fn counted(self, count: u64, one: &str, many: &str) -> Sentence {
        self.count(count)
            .text(format!(" {}", if count == 1 { one } else { many }))
    }

    /// More of it.
    #[must_use]
    pub fn then(mut self, more: Sentence) -> Sentence {
        self.0.extend(more.0);
        self
    }
}

impl From<&str> for Sentence {
    fn from(text: &str) -> Sentence {
        Sentence::default().text(text)
    }
}

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// As it is: `sessions`, `--open`.
    Word(&'static str),
    /// A flag with a name of the log, which a shell must not read.
    Named(&'static str, Box<[u8]>),
    /// The same with a name whose numbers are `#`: each stands for anything.
    Folded(&'static str, Box<[u8]>),
    /// A flag with an instant.
    At(&'static str, Instant),
}
