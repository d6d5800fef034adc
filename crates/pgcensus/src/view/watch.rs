//! `watch`: events as they happen; on a terminal with a line of totals below them, and what recurs told once a second.
//!
//! ```text
//! 23 Nov 02:42:01.007 [!] refused: hba_no_entry (28000)  eve@shop  10.0.0.9:40112 [pid 4243]
//!                         +132 refused like this in 1 s: hba_no_entry (28000)  eve@shop  10.0.0.9
//! 34 open ▁▁▂▂▃▃▅▇█▇  +12.0/s −11.8/s  refused 132/s
//! ```
//!
//! What is shown is not what is counted: each event counts, also where its line is told with others.

use std::io;
use std::time::{Duration, Instant};

use pgcensus_core::change::{Change, What};
use pgcensus_core::instant::Instant as LogInstant;
use pgcensus_core::names::{Dimension, NameId, Names};
use pgcensus_core::session::ServerId;
use std::collections::{HashMap, VecDeque};

use super::events::{self, subject};
use super::text::{cut, duration, sparkline, thousands};
use super::{Show, Tone};

/// In each stretch of this length …
const BURST: Duration = Duration::from_secs(1);
/// … so many lines that are alike are written; the others are told together.
const LINES_MAX: u64 = 3;
/// Kinds of events that are told apart within a stretch; those beyond are written as they come.
const KINDS_MAX: usize = 1000;

/// Rates are those of the last so many seconds.
const RATE_S: usize = 10;
/// A column of the sparkline is the most that were open in this time, and there are so many of them.
const COLUMN: Duration = Duration::from_secs(5);
const COLUMNS_MAX: usize = 60;

/// What makes events alike: their kind and reason, and of whom they are.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    event: &'static str,
    reason: Option<&'static str>,
    server: ServerId,
    names: [NameId; 4],
}

impl Kind {
    fn of(what: &What) -> Option<Kind> {
        if let What::Server(..) = what {
            return None;
        }
        let whom = subject(what);
        let (event, reason) = events::words(what);
        Some(Kind {
            event,
            reason,
            server: whom.server,
            names: [
                whom.user,
                whom.database,
                whom.application_name,
                whom.client_host,
            ]
            .map(NameId::of),
        })
    }
}

/// Which lines are written at once, and which are told with others.
pub(crate) struct Bursts {
    since: Instant,
    kinds: HashMap<Kind, Alike>,
}

struct Alike {
    count: u64,
    /// So many of them are shown.
    shown_max: u64,
    /// The how-many-th kind it was.
    turn: usize,
    /// Log time of the last one.
    at: Option<LogInstant>,
    /// What they have in common, in words.
    words: String,
}

impl Bursts {
    pub(crate) fn new(now: Instant) -> Bursts {
        Bursts {
            since: now,
            kinds: HashMap::new(),
        }
    }

    /// Whether to write the line of this event; else it is told with others like it.
    pub(crate) fn is_shown(&mut self, change: &Change, names: &Names, show: &Show<'_>) -> bool {
        let Some(kind) = Kind::of(&change.what) else {
            return true;
        };
        if let Some(alike) = self.kinds.get_mut(&kind) {
            alike.count += 1;
            alike.at = change.at;
            return alike.count <= alike.shown_max;
        }
        if self.kinds.len() < KINDS_MAX {
            let alike = Alike {
                count: 1,
                shown_max: LINES_MAX,
                turn: self.kinds.len(),
                at: change.at,
                words: events::words_in_common(change, names, show),
            };
            self.kinds.insert(kind, alike);
        }
        true
    }

    /// What was told as connected, or would be, has not: its refusal follows.
    pub(crate) fn take_back(&mut self, change: &Change) {
        let alike = Kind::of(&change.what).and_then(|kind| self.kinds.get_mut(&kind));
        if let Some(alike) = alike.filter(|alike| alike.count > alike.shown_max) {
            alike.count -= 1;
        }
    }

    /// When what was not shown is told; `None`: there is nothing.
    pub(crate) fn due(&self) -> Option<Instant> {
        let is_told = |alike: &Alike| alike.count > alike.shown_max;
        self.kinds.values().any(is_told).then(|| self.since + BURST)
    }

    /// Tells what was not shown, when the stretch is over. What goes on in the next one is told alone.
    pub(crate) fn tell(
        &mut self,
        now: Instant,
        show: &Show<'_>,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        if now.saturating_duration_since(self.since) < BURST {
            return Ok(());
        }
        self.since = now;
        let is_told = |alike: &Alike| alike.count > alike.shown_max;
        self.kinds.retain(|_, alike| is_told(alike));
        let mut told: Vec<_> = self.kinds.iter_mut().collect();
        told.sort_by_key(|(_, alike)| alike.turn);
        for (turn, (kind, alike)) in told.into_iter().enumerate() {
            let text = format!(
                "+{} {} like this in 1 s: {}",
                thousands(alike.count - alike.shown_max),
                kind.event,
                alike.words
            );
            let at = alike.at.map_or_else(String::new, |at| show.milli(at));
            writeln!(out, "{at:19}     {}", show.paint(Tone::Dim, &text))?;
            (alike.count, alike.shown_max, alike.turn) = (0, 0, turn);
        }
        Ok(())
    }
}

/// The numbers of the run so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connected: u64,
    pub(crate) disconnected: u64,
    /// Connections that were refused.
    pub(crate) refused: u64,
    /// Of these, those that took back a `connected`.
    pub(crate) taken_back: u64,
}

impl Counts {
    /// Takes in an event.
    pub(crate) fn add(&mut self, change: &Change) {
        match &change.what {
            What::Opened(_) => self.connected += 1,
            What::TakenBack(_) => self.taken_back += 1,
            What::Closed(_) => self.disconnected += 1,
            What::Refused(_) => self.refused += 1,
            What::Probe(_) | What::Server(..) => {}
        }
    }

    /// Connected, disconnected, refused.
    fn all(&self) -> [i64; 3] {
        [
            self.connected as i64 - self.taken_back as i64,
            self.disconnected as i64,
            self.refused as i64,
        ]
    }

    /// An event has not happened.
    pub(crate) fn take_back(&mut self, change: &Change) {
        let mut only = Counts::default();
        only.add(change);
        self.connected = self.connected.saturating_sub(only.connected);
        self.disconnected = self.disconnected.saturating_sub(only.disconnected);
        self.refused = self.refused.saturating_sub(only.refused);
        self.taken_back = self.taken_back.saturating_sub(only.taken_back);
    }

    /// `12 min 3 s: 1,234 connected, 1,200 disconnected, 3 refused (1 of them after it had connected); 34 open`
    pub(crate) fn summary(&self, time: Duration, open: Option<u64>) -> String {
        let mut text = format!(
            "{}: {} connected, {} disconnected, {} refused",
            duration(time.as_millis() as u64),
            thousands(self.connected - self.taken_back),
            thousands(self.disconnected),
            thousands(self.refused)
        );
        if let Some(open) = open {
            text += &format!("; {} open now", thousands(open));
        }
        text
    }
}

/// What has just happened, by seconds of the log: what the line of totals begins with.
#[derive(Default)]
pub(crate) struct Past(VecDeque<PastSecond>);

struct PastSecond {
    /// Since 1970.
    at: i64,
    /// Connected, disconnected, refused.
    counted: [i64; 3],
    /// How many more are open after it than before, and the most that there were within it.
    net: i64,
    high: i64,
}

impl Past {
    /// Takes in an event.
    pub(crate) fn add(&mut self, change: &Change) {
        let Some(at) = change.at.map(|at| at.0.div_euclid(1000)) else {
            return;
        };
        if self.0.back().is_none_or(|last| last.at < at) {
            self.0.push_back(PastSecond {
                at,
                counted: [0; 3],
                net: 0,
                high: 0,
            });
            let kept = at - COLUMNS_MAX as i64 * COLUMN.as_secs() as i64;
            while self.0.front().is_some_and(|first| first.at < kept) {
                self.0.pop_front();
            }
        }
        let Some(second) = self.0.back_mut() else {
            return;
        };
        let mut only = Counts::default();
        only.add(change);
        for (counted, n) in second.counted.iter_mut().zip(only.all()) {
            *counted += n;
        }
        second.net += match &change.what {
            What::Opened(session) => i64::from(!session.walsender && session.pid.is_some()),
            What::Closed(session) if !session.was_seen_to_open() => 0,
            What::TakenBack(session) | What::Closed(session) => {
                -i64::from(!session.walsender && session.pid.is_some())
            }
            What::Refused(_) | What::Probe(_) | What::Server(..) => 0,
        };
        second.high = second.high.max(second.net);
    }
}

/// The line of totals.
pub(crate) struct Totals {
    begin: Instant,
    /// Of each of the last seconds: connected, disconnected, refused.
    seconds: VecDeque<[i64; 3]>,
    second: u64,
    last: [i64; 3],
    columns: VecDeque<u64>,
    column: u64,
}

impl Totals {
    pub(crate) fn new(now: Instant) -> Totals {
        Totals {
            begin: now,
            seconds: VecDeque::from([[0; 3]; RATE_S]),
            second: 0,
            last: [0; 3],
            columns: VecDeque::new(),
            column: u64::MAX,
        }
    }

    /// It begins with what has happened up to `last` on the clock of the log, after which so many are open.
    pub(crate) fn after(past: &Past, last: Option<LogInstant>, open: u64, now: Instant) -> Totals {
        let mut totals = Totals::new(now);
        let Some(last) = last.map(|last| last.0.div_euclid(1000)) else {
            return totals;
        };
        let mut level = open as i64;
        let mut most = vec![open];
        for second in past.0.iter().rev() {
            let age = usize::try_from(last - second.at).unwrap_or(0);
            if let Some(place) = RATE_S.checked_sub(age + 1) {
                let counted = totals.seconds[place].iter_mut().zip(second.counted);
                counted.for_each(|(sum, n)| *sum += n);
            }
            let column = age / COLUMN.as_secs() as usize;
            if column >= COLUMNS_MAX {
                break;
            }
            if column >= most.len() {
                most.resize(column + 1, level.max(0) as u64);
            }
            let begin = level - second.net;
            most[column] = most[column].max((begin + second.high).max(0) as u64);
            level = begin;
        }
        totals.columns = most.into_iter().rev().collect();
        totals.column = 0;
        totals
    }

    /// The line as of now, no longer than `width`.
    pub(crate) fn line(
        &mut self,
        now: Instant,
        counts: &Counts,
        open: Option<u64>,
        show: &Show<'_>,
    ) -> String {
        self.advance(now, counts, open.unwrap_or(0));
        let seconds = self.seconds.len().min(RATE_S) as f64;
        let per_s = |n: usize| {
            self.seconds
                .iter()
                .map(|second| second[n])
                .sum::<i64>()
                .max(0) as f64
                / seconds
        };
        let open = open.map_or_else(
            || "? open".to_owned(),
            |open| format!("{} open", thousands(open)),
        );
        let rates = format!("+{}/s −{}/s", rate(per_s(0)), rate(per_s(1)));
        let refused = format!("refused {}/s", rate(per_s(2)));
        let columns: Vec<u64> = self.columns.iter().copied().collect();
        // One column is left free: what fills a line would begin another one.
        let room = show.width.saturating_sub(1);
        let words = open.chars().count() + rates.chars().count() + refused.chars().count() + 6;
        let line = sparkline(&columns[columns.len().saturating_sub(room.saturating_sub(words))..]);
        if words > room {
            return cut(&format!("{open}  {rates}  {refused}"), room).into_owned();
        }
        let tone = if per_s(2) > 0.0 {
            Tone::Refused
        } else {
            Tone::Dim
        };
        format!(
            "{} {}  {}  {}",
            show.paint(Tone::Headline, &open),
            show.paint(Tone::Connected, &line),
            rates,
            show.paint(tone, &refused)
        )
    }

    fn advance(&mut self, now: Instant, counts: &Counts, open: u64) {
        let time = now.duration_since(self.begin);
        for _ in 0..time
            .as_secs()
            .saturating_sub(self.second)
            .min(RATE_S as u64)
        {
            self.seconds.push_back([0; 3]);
        }
        self.second = time.as_secs();
        while self.seconds.len() > RATE_S {
            self.seconds.pop_front();
        }
        let all = counts.all();
        if let Some(second) = self.seconds.back_mut() {
            // What is taken back was counted.
            for ((second, &all), last) in second.iter_mut().zip(&all).zip(&self.last) {
                *second += all - *last;
            }
        }
        self.last = all;
        let column = time.as_secs() / COLUMN.as_secs();
        if column == self.column {
            if let Some(most) = self.columns.back_mut() {
                *most = open.max(*most);
            }
            return;
        }
        // While nothing was drawn, nothing changed.
        let before = self.columns.back().copied().unwrap_or(open);
        let missed = match self.column {
            u64::MAX => 0,
            last => column.saturating_sub(last + 1),
        };
        for _ in 0..missed.min(COLUMNS_MAX as u64) {
            self.columns.push_back(before);
        }
        self.columns.push_back(open);
        while self.columns.len() > COLUMNS_MAX {
            self.columns.pop_front();
        }
        self.column = column;
    }
}

/// `0`, `0.3`, `12`, `1,234`
fn rate(per_s: f64) -> String {
    match per_s {
        0.0 => "0".to_owned(),
        ..9.95 => format!("{per_s:.1}"),
        _ => thousands(per_s.round() as u64),
    }
}

/// How many events there were before those that are shown, and which are the first.
pub(crate) fn dropped(kept: usize, first: &Change, show: &Show<'_>) -> String {
    let before = first
        .at
        .map_or_else(String::new, |at| format!(" before {}", show.second(at)));
    let kept = thousands(kept as u64);
    format!("events{before} dropped ({kept} kept)")
}

/// The name of a server.
pub(crate) fn server_name(names: &Names, server: usize) -> String {
    let name = names.text_of(Dimension::Server, NameId::from(ServerId(server as u16)));
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::example;
    use pgcensus_core::session::RefusalReason;

    fn refused(names: &mut Names, second: i64, user: &str, port: u16) -> Change {
        let at = example::at(2, 40, second);
        let app = example::session(names, 4_242, user, "shop", None, "10.0.0.7", Some(port), at);
        let refusal = example::refusal(&app, RefusalReason::PasswordFailed, false);
        example::change(at, What::Refused(Box::new(refusal)))
    }

    #[test]
    fn what_recurs_is_told_once_a_stretch_and_again_as_long_as_it_goes_on() {
        let zone = example::zone();
        let show = example::show(&zone, 80);
        let begin = Instant::now();
        let mut names = Names::default();
        let mut bursts = Bursts::new(begin);
        let mut shown = Vec::new();
        let mut told = Vec::new();
        for stretch in 0..3 {
            for n in 0..10 {
                // In the last one there are few.
                if stretch < 2 || n == 0 {
                    let change = refused(&mut names, stretch, "eve", 1000 + n);
                    shown.push(bursts.is_shown(&change, &names, &show));
                }
            }
            let other = refused(&mut names, stretch, "bob", 1);
            assert!(bursts.is_shown(&other, &names, &show));
            let over = begin + BURST * (stretch as u32 + 1);
            assert!(bursts.due().is_some_and(|due| due <= over));
            bursts.tell(over, &show, &mut told).expect("in memory");
        }
        // Nothing is left.
        assert_eq!(bursts.due(), None);
        assert_eq!(
            shown.iter().filter(|&&shown| shown).count() as u64,
            LINES_MAX
        );
        insta::assert_snapshot!(String::from_utf8_lossy(&told), @r"
        23 Nov 02:40:00.000     +7 refused like this in 1 s: password_failed (53300)  eve@shop  10.0.0.7
        23 Nov 02:40:01.000     +10 refused like this in 1 s: password_failed (53300)  eve@shop  10.0.0.7
        23 Nov 02:40:02.000     +1 refused like this in 1 s: password_failed (53300)  eve@shop  10.0.0.7
        ");
    }

    /// Right from the first second: what was read before is known.
    #[test]
    fn totals_begin_with_what_has_just_happened() {
        let (zone, begin) = (example::zone(), Instant::now());
        let names = &mut Names::default();
        let mut past = Past::default();
        for second in 0..20 {
            past.add(&refused(names, second, "eve", 1));
            let (host, at) = ("10.0.0.7", example::at(2, 40, second));
            let session = example::session(names, 7, "app", "shop", None, host, None, at);
            let session = std::rc::Rc::new(session);
            let what = match second {
                3 | 4 | 19 => What::Opened(session),
                12 => What::Closed(session),
                _ => continue,
            };
            past.add(&Change {
                at: Some(at),
                what,
                message: Box::default(),
            });
        }
        let last = Some(example::at(2, 40, 19));
        let mut totals = Totals::after(&past, last, 2, begin);
        let line = totals.line(
            begin,
            &Counts::default(),
            Some(2),
            &example::show(&zone, 80),
        );
        assert_eq!(line, "2 open ████  +0.1/s −0.1/s  refused 1.0/s");
        assert_eq!(totals.columns, [2, 2, 2, 2]);
    }

    #[test]
    fn totals_fit_any_width_and_show_the_last_seconds() {
        let zone = example::zone();
        let begin = Instant::now();
        let mut totals = Totals::new(begin);
        let counts = |connected, refused| Counts {
            connected,
            disconnected: connected / 2,
            refused,
            taken_back: 0,
        };
        let mut lines = String::new();
        for (s, open, now) in [
            (0, 5, counts(10, 0)),
            (6, 50, counts(1000, 0)),
            (30, 25, counts(1000, 30)),
        ] {
            let at = begin + Duration::from_secs(s);
            let line = totals.line(at, &now, Some(open), &example::show(&zone, 80));
            lines += &format!("{line}\n");
        }
        insta::assert_snapshot!(lines, @r"
        5 open █  +1.0/s −0.5/s  refused 0/s
        50 open ▁█  +100/s −50/s  refused 0/s
        25 open ▁█████▄  +0/s −0/s  refused 3.0/s
        ");
        for width in 0..200 {
            let line = totals.line(begin, &counts(1000, 30), None, &example::show(&zone, width));
            assert!(line.chars().count() < width.max(1), "{width}: {line}");
        }
    }
}
