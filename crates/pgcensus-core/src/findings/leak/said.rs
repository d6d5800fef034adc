//! A leak in words.

use super::super::Judge;
use super::super::finding::{Argument, Figure, Finding, Kind, Sentence, Severity, Who};
use super::{Growth, Stop, Whose};
use crate::instant::Instant;
use crate::names::Dimension;

/// `superuser_reserved_connections`, which are not for clients: its default.
const RESERVED: i64 = 3;

/// A server that is full within the hour is one that somebody must see to now.
const SOON_MS: i64 = 3_600_000;

impl Growth {
    pub(super) fn told(&self, judge: &Judge<'_>, times: u64) -> Finding {
        let who = self.who(judge);
        let figures = &self.figures;
        let (net, took) = (figures.net(), self.until.since(self.since).max(1));
        let an_hour = net as f64 * 3_600_000.0 / took as f64;
        let mut said = Sentence::from(match self.whose {
            Whose::ClientHost(_) => "sessions from ",
            Whose::User(_) => "sessions of user ",
            Whose::Application(_) | Whose::Family(_) => "sessions of ",
        })
        .name(self.name(judge.known.names))
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
        let left = full_in(judge, self.server_open, (net, took));
        said = self.until_when(said, left);
        let is_morning = self.may_be_morning(left);
        if is_morning {
            said = said.text("; it may be the morning");
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
            0 => match self.traffic.filter(|_| is_morning) {
                Some([early, late]) => test
                    .text("; the log has no earlier day to compare with, and it may be a morning: fewer than 50 more on a host within 8 h, while others connect more and more (")
                    .count(early)
                    .text(" times in its first half, ")
                    .count(late)
                    .text(" in its second); what still grows in the afternoon is a leak"),
                None => test.text("; the log has no earlier day to compare with"),
            },
            _ if is_morning => test.text(
                "; the log has no earlier day of its kind to compare with (weekday, weekend), and fewer than 100 more within 8 h may be a morning",
            ),
            1 => test.text("; more than the day before at this hour"),
            n => test.text(format!("; more than on {n} earlier days at this hour")),
        };
        let mut command = vec![Argument::Word("sessions"), Argument::Word("--open")];
        command.extend(who.flags().map(|flag| match (&self.family, flag) {
            (Some(family), Argument::Named("--app", _)) => {
                Argument::Folded("--app", family.clone())
            }
            (_, flag) => flag,
        }));
        command.push(Argument::At("--at", self.last()));
        Finding {
            kind: Kind::Leak,
            severity: if is_morning {
                Severity::Info
            } else {
                severity(self.stop, left)
            },
            server: self.server,
            since: self.since,
            until: self.until,
            said,
            figures: numbers,
            test,
            advice: advice(&who, self.family.as_deref()),
            command,
            who,
        }
    }

    /// When they were all there.
    pub(super) fn last(&self) -> Instant {
        self.until.plus_ms(-i64::from(self.stop == Stop::Down))
    }

    /// Until when it grew, and what comes then.
    pub(super) fn until_when(&self, said: Sentence, left: Option<i64>) -> Sentence {
        match (self.stop, left) {
            (Stop::Down, _) => said.text(", until the server went down"),
            (Stop::Limit, _) => said.text(", until a limit was reached"),
            (Stop::Full, _) => said.text(", until the server was full"),
            (Stop::Not, Some(left)) => said.text("; the server is full in ").ms(left),
            (Stop::Not, None) => said,
        }
    }

    fn who(&self, judge: &Judge<'_>) -> Who {
        let most = |dimension| {
            let name = self.most(judge, dimension)?;
            Some(Box::from(judge.text(dimension, name)))
        };
        Who {
            application_name: match &self.family {
                Some(family) => Some(family.clone()),
                None => most(Dimension::ApplicationName),
            },
            user: most(Dimension::User),
            database: None,
            client_host: most(Dimension::ClientHost),
        }
    }
}

/// When no connection is left, at so many more in so long; `None`: nobody knows how many there can be.
pub(super) fn full_in(judge: &Judge<'_>, server_open: i64, (net, took): (i64, i64)) -> Option<i64> {
    let max = i64::from(judge.connections_max()?);
    let free = (max - RESERVED - server_open).max(0);
    Some((free as f64 * took as f64 / net.max(1) as f64) as i64)
}

/// How soon somebody must see to what was stopped so, or fills the server in that time.
pub(super) fn severity(stop: Stop, left: Option<i64>) -> Severity {
    match (stop, left) {
        (Stop::Full, _) => Severity::Critical,
        (Stop::Not, Some(left)) if left < SOON_MS => Severity::Critical,
        _ => Severity::Warning,
    }
}

/// A pattern of SQL for the names of a family.
fn like(family: &[u8]) -> Vec<u8> {
    let byte = |&byte: &u8| match byte {
        b'#' => vec![b'%'],
        b'%' | b'_' | b'\\' => vec![b'\\', byte],
        byte => vec![byte],
    };
    family.iter().flat_map(byte).collect()
}

pub(super) fn advice(who: &Who, family: Option<&[u8]>) -> Sentence {
    let mut advice = Sentence::from(
        "what do they wait for: SELECT pid, client_addr, state, state_change, query FROM pg_stat_activity WHERE ",
    );
    advice = match (&who.application_name, &who.user, &who.client_host) {
        _ if family.is_some() => {
            let pattern = like(family.unwrap_or_default());
            advice.text("application_name LIKE ").literal(&pattern)
        }
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
