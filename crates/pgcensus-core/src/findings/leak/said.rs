//! A leak in words.

use rustc_hash::FxHashMap;

use super::super::Judge;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::{Growth, Stop, Whose};
use crate::instant::Instant;
use crate::names::{Dimension, NameId};

/// `superuser_reserved_connections`, which are not for clients: its default.
const RESERVED: i64 = 3;

/// A server that is full within the hour is one that somebody must see to now.
const SOON_MS: i64 = 3_600_000;

impl Growth {
    pub(super) fn told(&self, judge: &Judge<'_>, times: u64) -> Finding {
        let names = judge.known.names;
        let who = self.who(judge);
        let (dimension, name) = match self.whose {
            Whose::Application(name) => (Dimension::ApplicationName, name),
            Whose::User(name) => (Dimension::User, name),
            Whose::ClientHost(name) => (Dimension::ClientHost, name),
        };
        let figures = &self.figures;
        let (net, took) = (figures.net(), self.until.since(self.since).max(1));
        let an_hour = net as f64 * 3_600_000.0 / took as f64;
        let mut said = Sentence::from(match dimension {
            Dimension::ClientHost => "sessions from ",
            Dimension::User => "sessions of user ",
            _ => "sessions of ",
        })
        .name(names.text_of(dimension, name))
        .text(" only grow: ")
        .count(figures.open_before.max(0) as u64)
        .text(" open, then ")
        .count(figures.open.max(0) as u64)
        .text(" after ")
        .ms(took)
        .text(format!(
            ", {an_hour:.*} more an hour",
            usize::from(an_hour < 10.0)
        ));
        let max = judge.connections_max().map(i64::from);
        let left = max.map(|max| {
            let free = (max - RESERVED - self.server_open).max(0);
            (free as f64 * took as f64 / net as f64) as i64
        });
        let mut severity = Severity::Warning;
        match left {
            _ if self.stop == Stop::Down => said = said.text(", until the server went down"),
            _ if self.stop == Stop::Limit => said = said.text(", until a limit was reached"),
            _ if self.stop == Stop::Full => {
                said = said.text(", until the server was full");
                severity = Severity::Critical;
            }
            Some(left) => {
                said = said.text("; the server is full in ").ms(left);
                if left < SOON_MS {
                    severity = Severity::Critical;
                }
            }
            None => {}
        }
        if times > 1 {
            said = said.text("; ").count(times).text(" times between restarts");
        } else if figures.resets > 0 {
            said = said
                .text("; so it did on ")
                .counted(figures.resets.into(), "earlier day", "earlier days")
                .text(", each time until a restart took them away");
        }
        let count = |n: i64| Figure::Count(n.max(0) as u64);
        let half = figures.quarters[0] + figures.quarters[1];
        let kept = (figures.kept[0] + figures.kept[1]).min(half);
        let mut numbers = vec![
            ("open_before", count(figures.open_before)),
            ("open", count(figures.open)),
            ("net", count(net)),
            ("per_hour", Figure::Number((an_hour * 10.0).round() / 10.0)),
            ("added_first_half", count(half)),
            ("still_open_of_first_half", count(kept)),
            ("added_last_quarter", count(figures.quarters[3])),
            ("earlier_days", Figure::Count(figures.days.into())),
            ("reset_days", Figure::Count(figures.resets.into())),
            ("times", Figure::Count(times)),
        ];
        if let (Some(left), false) = (left, self.stop != Stop::Not) {
            numbers.push(("full_in_ms", Figure::Ms(left.max(0) as u64)));
        }
        let mut test = Sentence::from(
            "at least 10 more in 2 h or longer, more in each quarter of it (the last: ",
        )
        .count(figures.quarters[3].max(0) as u64)
        .text("), and ")
        .count(kept.max(0) as u64)
        .text(" of the ")
        .count(half.max(0) as u64)
        .text(" added in the first half are still open (90 % or more)");
        test = match figures.days - figures.resets {
            _ if figures.resets > 0 => test.text("; earlier days had as many at this hour, and lost nearly all at once while they still grew: a restart, and no evening"),
            0 => test.text("; the log has no earlier day to compare with"),
            1 => test.text("; more than the day before at this hour"),
            n => test.text(format!("; more than on {n} earlier days at this hour")),
        };
        let mut command = vec![Argument::Word("sessions"), Argument::Word("--open")];
        command.extend(who.flags());
        command.push(Argument::At("--at", self.last()));
        Finding {
            kind: Kind::Leak,
            severity,
            server: self.server,
            since: self.since,
            until: self.until,
            said,
            figures: numbers,
            test,
            advice: advice(&who),
            command,
            who,
        }
    }

    /// When they were all there.
    pub(super) fn last(&self) -> Instant {
        self.until.plus_ms(-i64::from(self.stop == Stop::Down))
    }

    /// Whoever added more than half.
    fn who(&self, judge: &Judge<'_>) -> Who {
        let names = judge.known.names;
        let most = |dimension| {
            let mut by: FxHashMap<NameId, i64> = FxHashMap::default();
            for &(id, added) in &self.by {
                let name = judge.groups.get(id).key.name(dimension);
                *by.entry(name).or_default() += added;
            }
            let name = by
                .into_iter()
                .find(|(_, added)| 2 * added > self.figures.net())?
                .0;
            (name != NameId::ABSENT).then(|| Box::from(names.text_of(dimension, name)))
        };
        Who {
            application_name: most(Dimension::ApplicationName),
            user: most(Dimension::User),
            database: None,
            client_host: most(Dimension::ClientHost),
        }
    }
}

fn advice(who: &Who) -> Sentence {
    let mut advice = Sentence::from(
        "what do they wait for: SELECT pid, client_addr, state, state_change, query FROM pg_stat_activity WHERE ",
    );
    advice = match (&who.application_name, &who.user, &who.client_host) {
        (Some(name), ..) => advice.text("application_name = ").literal(name),
        (None, Some(user), _) => advice.text("usename = ").literal(user),
        (None, None, Some(host)) if &**host == b"[local]" => advice.text("client_addr IS NULL"),
        (None, None, Some(host)) => advice
            .literal(host)
            .text(" IN (host(client_addr), client_hostname)"),
        (None, None, None) => advice.text("backend_type = 'client backend'"),
    };
    advice = advice.text(" ORDER BY backend_start; idle ones are connections that its code does not give back: close them there, with a bound on its pool");
    match &who.user {
        Some(user) => advice
            .text("; until then ALTER ROLE ")
            .identifier(user)
            .text(" SET idle_session_timeout = '1h' (14 and later; for new sessions)"),
        None => advice,
    }
}
