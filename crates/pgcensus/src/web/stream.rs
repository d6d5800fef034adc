//! Events on their way to those who listen: `GET /api/v1/events`.
//!
//! ```text
//! engine ─publish─► Hub: the last 10,000 events, in batches ─► a task for each reader ─► its connection
//!                    └─ number of the last one (watch) ─► wakes them
//! ```
//!
//! How this works: the line of an event is made once. Batches are kept in one place, readers have a position in it, and copy
//! nothing but a handle, unless they have a filter. Nobody waits for a reader: one that is slower than the events finds that
//! those at its position were dropped, is told so and goes on behind them; one that takes nothing at all is cut off by its
//! connection (`connection.rs`). What one costs at most is what was handed to its connection last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pgcensus_core::filter::{Filter, WhoText};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::body::ChannelBody;

/// Events that are kept for those who come back; beyond it, or beyond so many bytes of them, the oldest are dropped, and
/// whoever asks for them is told so.
pub(crate) const KEPT_MAX: usize = 10_000;
const KEPT_BYTES_MAX: usize = 32 << 20;

/// Events of a batch at most, and of their bytes, but for the last one's: what is handed to a connection at once.
const BATCH_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 256 << 10;

/// Batches that are handed to a connection at once, at most.
const TAKEN_MAX: usize = 16;

/// So often something is sent at least, so that connections are not taken for dead.
const KEEPS_ALIVE: Duration = Duration::from_secs(15);

/// So often it is told at most that numbers have changed.
const CHANGES: Duration = Duration::from_secs(1);

/// An event in the making.
pub(crate) struct Event {
    /// A line of `watch --json`.
    pub(crate) line: Vec<u8>,
    /// Who is behind it.
    pub(crate) who: WhoText,
}

/// Events with consecutive numbers, as they are sent.
struct Batch {
    /// The number of the first one.
    first: u64,
    /// Who is behind each, and where it ends in `text`.
    events: Vec<(WhoText, usize)>,
    text: Bytes,
}

impl Batch {
    fn last(&self) -> u64 {
        self.first + self.events.len() as u64 - 1
    }

    /// What is sent of those after a number.
    fn after(&self, number: u64, filter: Option<&Filter>) -> Bytes {
        let skipped = (number + 1).saturating_sub(self.first) as usize;
        let end = |event: usize| self.events[event].1;
        let begin = |event: usize| event.checked_sub(1).map_or(0, end);
        let Some(filter) = filter else {
            return self.text.slice(begin(skipped)..);
        };
        let mut text = BytesMut::new();
        for (event, (who, end)) in self.events.iter().enumerate().skip(skipped) {
            if filter.matches_text(who) {
                text.extend_from_slice(&self.text[begin(event)..*end]);
            }
        }
        text.freeze()
    }
}

#[derive(Default)]
struct Kept {
    batches: VecDeque<Arc<Batch>>,
    events: usize,
    bytes: usize,
}

/// Where events are handed over, by number from 1 on.
pub(crate) struct Hub {
    kept: Mutex<Kept>,
    last: watch::Sender<Last>,
}

/// How far it is.
#[derive(Clone, Copy, Default)]
struct Last {
    /// The number of the last event.
    number: u64,
    /// What was there has been handed over: from here on events are new.
    has_begun: bool,
    /// There are no more.
    is_over: bool,
}

impl Hub {
    pub(crate) fn new() -> Hub {
        Hub {
            kept: Mutex::default(),
            last: watch::Sender::new(Last::default()),
        }
    }

    /// So many events came before, and are not kept.
    pub(crate) fn skip(&self, events: u64) {
        self.last.send_modify(|last| last.number += events);
    }

    /// Those that come are new: until now, whoever listens waits.
    pub(crate) fn begin(&self) {
        self.last.send_modify(|last| last.has_begun = true);
    }

    /// Hands events to whoever listens.
    pub(crate) fn publish(&self, events: &mut Vec<Event>) {
        let mut number = self.last();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while !events.is_empty() {
            let batch = batch(number + 1, events.drain(..fitting(events)));
            number = batch.last();
            kept.events += batch.events.len();
            kept.bytes += batch.text.len();
            kept.batches.push_back(Arc::new(batch));
        }
        while kept.events > KEPT_MAX || kept.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = kept.batches.pop_front() else {
                break;
            };
            kept.events -= oldest.events.len();
            kept.bytes -= oldest.text.len();
        }
        drop(kept);
        self.last.send_modify(|last| last.number = number);
    }

    /// There are no more: whoever listens is sent away.
    pub(crate) fn close(&self) {
        self.last.send_modify(|last| last.is_over = true);
    }

    /// The number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.last.borrow().number
    }

    /// Batches with events after a number; and that of the oldest event that is kept, where some between were dropped.
    fn after(&self, number: u64) -> (Vec<Arc<Batch>>, Option<u64>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.batches.partition_point(|batch| batch.last() <= number);
        let some = kept.batches.iter().skip(at).take(TAKEN_MAX).cloned();
        let some: Vec<_> = some.collect();
        let first = some.first().map_or(self.last() + 1, |batch| batch.first);
        (some, (first > number + 1).then_some(first))
    }

    /// Sends events as they come, those after `after` first; without it, from now on.
    pub(super) fn listen(
        self: &Arc<Hub>,
        after: Option<u64>,
        filter: Filter,
        permit: OwnedSemaphorePermit,
    ) -> ChannelBody {
        let (send, body) = ChannelBody::new();
        let mut reader = Reader {
            hub: self.clone(),
            after: 0,
            filter: (!filter.is_empty()).then_some(filter),
            send,
            spoke: Instant::now(),
            changed: None,
            told: None,
        };
        tokio::spawn(async move {
            drop(reader.run(after).await);
            drop(permit);
        });
        body
    }
}

/// How many of the first events a batch takes.
fn fitting(events: &[Event]) -> usize {
    let mut bytes = 0;
    let fits = events.iter().take(BATCH_MAX).take_while(|event| {
        let fits = bytes < BATCH_BYTES_MAX;
        bytes += event.line.len();
        fits
    });
    fits.count()
}

/// `id: 17`, `data: {…}` and an empty line each.
fn batch(first: u64, events: impl ExactSizeIterator<Item = Event>) -> Batch {
    let mut text = Vec::new();
    let mut ends = Vec::with_capacity(events.len());
    for (number, event) in (first..).zip(events) {
        text.extend_from_slice(format!("id: {number}\ndata: ").as_bytes());
        // A line has no line break in it, and ends with one.
        text.extend_from_slice(event.line.trim_ascii_end());
        text.extend_from_slice(b"\n\n");
        ends.push((event.who, text.len()));
    }
    Batch {
        first,
        events: ends,
        text: text.into(),
    }
}

/// One who listens.
struct Reader {
    hub: Arc<Hub>,
    /// The number of the last event that was sent, or left out by the filter.
    after: u64,
    filter: Option<Filter>,
    send: mpsc::Sender<std::io::Result<Bytes>>,
    /// When something was sent last.
    spoke: Instant,
    /// Since when numbers are others than was told.
    changed: Option<Instant>,
    /// When that was told last.
    told: Option<Instant>,
}

impl Reader {
    async fn run(&mut self, after: Option<u64>) -> Result<(), Gone> {
        let mut last = self.hub.last.subscribe();
        // The page comes back after so many milliseconds; what is sent here opens the stream.
        self.tell(Bytes::from_static(b"retry: 2000\n\n")).await?;
        while !last.borrow_and_update().has_begun {
            self.wait(&mut last, None).await?;
        }
        let known = self.hub.last();
        self.after = after.unwrap_or(known).min(known);
        if after > Some(known) {
            // It is of a server that ran before this one.
            self.tell(dropped(known + 1).into()).await?;
        }
        loop {
            let Last {
                number, is_over, ..
            } = *last.borrow_and_update();
            if number > self.after {
                self.tell_events().await?;
                continue;
            }
            if is_over {
                return Ok(());
            }
            if is_due(self.change_due()) {
                self.changed = None;
                self.told = Some(Instant::now());
                let text = format!("event: changed\ndata: {{\"last\":{}}}\n\n", self.after);
                self.tell(text.into()).await?;
            }
            self.wait(&mut last, self.change_due()).await?;
        }
    }

    /// Waits until something happens or is due, and keeps the connection meanwhile.
    async fn wait(
        &mut self,
        last: &mut watch::Receiver<Last>,
        due: Option<Instant>,
    ) -> Result<(), Gone> {
        let alive = self.spoke + KEEPS_ALIVE;
        tokio::select! {
            () = sleep_until(due.map_or(alive, |due| due.min(alive))) => {}
            changed = last.changed() => changed.map_err(|_| Gone)?,
            () = self.send.closed() => return Err(Gone),
        }
        if is_due(Some(alive)) {
            self.tell(Bytes::from_static(b":\n\n")).await?;
        }
        Ok(())
    }

    /// When it is to be told that numbers have changed.
    fn change_due(&self) -> Option<Instant> {
        let since = self.changed?;
        Some(self.told.map_or(since, |told| (told + CHANGES).max(since)))
    }

    async fn tell_events(&mut self) -> Result<(), Gone> {
        let (batches, oldest) = self.hub.after(self.after);
        if let Some(oldest) = oldest {
            self.after = oldest - 1;
            self.tell(dropped(oldest).into()).await?;
        }
        for batch in batches {
            let text = batch.after(self.after, self.filter.as_ref());
            self.after = batch.last();
            if !text.is_empty() {
                self.tell(text).await?;
            }
        }
        self.changed.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Waits until the connection has taken what it was given before.
    async fn tell(&mut self, text: Bytes) -> Result<(), Gone> {
        self.spoke = Instant::now();
        self.send.send(Ok(text)).await.map_err(|_| Gone)
    }
}

fn is_due(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at <= Instant::now())
}

/// Nobody listens any more.
struct Gone;

/// Events before this one are not kept.
fn dropped(before: u64) -> String {
    format!("event: dropped\ndata: {{\"before\":{before}}}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: &str) -> Event {
        let mut who = WhoText::default();
        who.names[1] = Some(user.as_bytes().into());
        Event {
            line: format!("{{\"user\":\"{user}\"}}\n").into_bytes(),
            who,
        }
    }

    #[test]
    fn what_is_sent_begins_after_a_number_and_passes_the_filter() {
        let hub = Hub::new();
        hub.skip(40);
        hub.publish(&mut ["app", "web", "app"].map(event).into());
        hub.publish(&mut vec![event("web")]);
        assert_eq!(hub.last(), 44);
        let text = |after, filter: Option<&Filter>| {
            let (batches, oldest) = hub.after(after);
            let texts = batches.iter().map(|batch| batch.after(after, filter));
            let texts: Vec<_> = texts.flatten().collect();
            (String::from_utf8(texts).expect("text"), oldest)
        };
        let line = |n: u64, user: &str| format!("id: {n}\ndata: {{\"user\":\"{user}\"}}\n\n");
        let (app, web, again) = (line(41, "app"), line(42, "web"), line(43, "app"));
        let last = line(44, "web");
        assert_eq!(text(40, None), (format!("{app}{web}{again}{last}"), None));
        assert_eq!(text(42, None), (format!("{again}{last}"), None));
        assert_eq!(text(44, None), (String::new(), None));
        assert_eq!(text(7, None).1, Some(41));
        let mut filter = Filter::default();
        filter
            .include(pgcensus_core::names::Dimension::User, "web")
            .expect("a pattern");
        assert_eq!(text(41, Some(&filter)), (format!("{web}{last}"), None));
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let hub = Hub::new();
        for _ in 0..30 {
            hub.publish(&mut (0..1000).map(|_| event("app")).collect());
        }
        let (batches, oldest) = hub.after(0);
        assert_eq!(batches.len(), TAKEN_MAX);
        let kept = hub.last() - oldest.expect("some were dropped") + 1;
        assert!((KEPT_MAX - BATCH_MAX..=KEPT_MAX).contains(&(kept as usize)));
        let long = |_| Event {
            line: vec![b'x'; 1 << 20],
            who: WhoText::default(),
        };
        hub.publish(&mut (0..40).map(long).collect());
        let kept = hub.kept.lock().expect("no panic");
        assert!(kept.bytes <= KEPT_BYTES_MAX);
    }
}
