//! What lists of now show of the time before the last changes that are kept: it is read from the logs once, and put behind
//! what is listed since.

use pgcensus_core::instant::Instant;
use pgcensus_core::present::ENDED_MAX;
use pgcensus_core::recent::RECENT_MAX;

use crate::view::top::moment::{Ask, Detail, Details, EventRow, Moment, SessionRow};

/// The earlier part of what is asked for.
#[derive(Default)]
pub(super) struct Earlier {
    wanted: Wanted,
    /// Lists begin here.
    since: Option<Instant>,
    /// What was read.
    read: Option<Moment>,
}

/// What is asked for.
#[derive(Clone, Copy, Default)]
enum Wanted {
    #[default]
    Nothing,
    /// What a log says of a backend: lists have the rest.
    Lines,
    /// All that lists lack, up to this instant.
    Before(Instant),
}

impl Earlier {
    /// What the last changes, of which those before `kept_since` were dropped, do not have of lists that begin at `since`.
    pub(super) fn of(ask: &Ask, kept_since: Option<Instant>, since: Option<Instant>) -> Earlier {
        // The history of a backend begins where the log does.
        let is_history = matches!(ask.detail, Detail::Backend(_));
        let is_in = |kept: &Instant| is_history || since.is_none_or(|since| since <= *kept);
        // All that fell together with the first of them was not kept.
        let missing = kept_since.filter(is_in).map(|kept| kept.plus_ms(1));
        let lists_all = matches!(ask.detail, Detail::Overview | Detail::Events);
        let wanted = match &ask.detail {
            // Its lines are nowhere else.
            Detail::Backend(_) => missing.map_or(Wanted::Lines, Wanted::Before),
            _ if lists_all && ask.filter.is_empty() => Wanted::Nothing,
            _ => missing.map_or(Wanted::Nothing, Wanted::Before),
        };
        Earlier {
            wanted,
            since,
            read: None,
        }
    }

    /// Lists begin later now.
    pub(super) fn moves_to(&mut self, since: Option<Instant>) {
        self.since = self.since.and(since);
    }

    /// What is to be read.
    pub(super) fn ask(&self, ask: &Ask) -> Option<Ask> {
        let at = match self.wanted {
            Wanted::Nothing => return None,
            Wanted::Lines => ask.at,
            Wanted::Before(until) => Some(until),
        };
        Some(Ask {
            at,
            view_end: None,
            columns: 1,
            is_earlier: true,
            ..ask.clone()
        })
    }

    /// Takes what was read for this question. Whether there was something.
    pub(super) fn take(&mut self, read: &mut Option<Moment>, number: u64) -> bool {
        let read = read.take().filter(|read| read.number == number);
        let is_new = read.is_some();
        self.read = read.or(self.read.take());
        is_new
    }

    /// Adds it to what is listed since.
    pub(super) fn add_to(&self, moment: &mut Moment) {
        let until = match self.wanted {
            Wanted::Nothing => return,
            Wanted::Lines => None,
            Wanted::Before(until) => Some(until),
        };
        let Some(read) = &self.read else {
            moment.is_partial = true;
            return;
        };
        let is_listed =
            |at: Option<Instant>, since: Option<Instant>| at.is_none_or(|at| Some(at) >= since);
        let is_kept = |at: Option<Instant>| until.is_none_or(|until| at >= Some(until));
        let events = |listed: &mut Vec<EventRow>, earlier: &[EventRow], since, most: usize| {
            listed.retain(|event| is_kept(event.at));
            // What is read of a backend is its whole history.
            let is_missing = |event: &&EventRow| is_listed(event.at, since) && !is_kept(event.at);
            let earlier = earlier.iter().filter(is_missing);
            let room = most.saturating_sub(listed.len());
            listed.extend(earlier.take(room).cloned());
        };
        if until.is_some() {
            let most = super::folds::EVENTS;
            events(&mut moment.events, &read.events, self.since, most);
        }
        match (&mut moment.detail, &read.detail) {
            (
                Details::Sessions(listed, _, dropped),
                Details::Sessions(earlier, _, earlier_dropped),
            ) => {
                let is_here = |row: &SessionRow| row.end.is_none() || is_kept(row.end_at);
                listed.retain(is_here);
                let ended =
                    |row: &&SessionRow| row.end.is_some() && is_listed(row.end_at, self.since);
                let earlier: Vec<_> = earlier.iter().filter(ended).collect();
                let ended = listed.iter().filter(|row| row.end.is_some()).count();
                let room = ENDED_MAX.saturating_sub(ended);
                *dropped += earlier_dropped + earlier.len().saturating_sub(room) as u64;
                listed.extend(earlier.into_iter().take(room).cloned());
            }
            (Details::Events(listed), Details::Events(earlier)) => {
                events(listed, earlier, self.since, RECENT_MAX);
            }
            (Details::Backend(listed, lines), Details::Backend(earlier, read)) => {
                lines.clone_from(read);
                if until.is_some() {
                    events(listed, earlier, None, RECENT_MAX);
                }
            }
            _ => {}
        }
    }
}
