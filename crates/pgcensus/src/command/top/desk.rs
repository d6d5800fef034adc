//! What is asked for next: one question waits at most, a newer one takes its place, and one that is being answered
//! for long is given up for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::interrupt::Interrupt;
use crate::source::input::Reading;
use crate::view::top::moment::Ask;

/// A question that is answered within this is answered, whatever comes meanwhile: who holds a key down sees the screen
/// change all the same.
const PATIENCE: Duration = Duration::from_millis(200);

/// Questions from the screen to whoever answers them.
#[derive(Default)]
pub(super) struct Desk {
    state: Mutex<Questions>,
    has_come: Condvar,
}

#[derive(Default)]
struct Questions {
    waiting: Option<Ask>,
    /// Since when one is being answered, how far that is, and what ends it.
    answered: Option<(Instant, Arc<Reading>)>,
    is_closed: bool,
    /// Wakes who waits for something else than a question.
    wake: Option<Box<dyn Fn() + Send>>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, Questions> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks this instead of what waits.
    pub(super) fn ask(&self, ask: Ask) {
        let mut state = self.state();
        state.waiting = Some(ask);
        if let Some(wake) = &state.wake {
            wake();
        }
        drop(state);
        self.has_come.notify_one();
    }

    /// The same question once more, if there is no other.
    pub(super) fn ask_again(&self, ask: &Ask) {
        self.state().waiting.get_or_insert_with(|| ask.clone());
    }

    /// What is asked for now, if anything is; it belongs to what is being answered.
    pub(super) fn take(&self) -> Option<Ask> {
        self.state().waiting.take()
    }

    /// Nothing will be asked any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// What was asked for is not wanted any more.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        state.waiting = None;
        if let Some((_, reading)) = &state.answered {
            reading.interrupt.end();
        }
    }

    /// Wakes who answers: there is something else to do.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.state().wake {
            wake();
        }
    }

    /// What wakes who answers, while that waits elsewhere.
    pub(super) fn wakes(&self, wake: Option<Box<dyn Fn() + Send>>) {
        self.state().wake = wake;
    }

    /// Gives up what takes too long while something waits; if it is not yet, when it will be.
    pub(super) fn hurry(&self) -> Option<Duration> {
        let state = self.state();
        state.waiting.as_ref()?;
        let (since, reading) = state.answered.as_ref()?;
        let left = PATIENCE.saturating_sub(since.elapsed());
        if left.is_zero() {
            reading.interrupt.end();
            return None;
        }
        Some(left)
    }

    /// Bytes that were read for the answer that is being made.
    pub(super) fn bytes(&self) -> Option<u64> {
        let state = self.state();
        state.answered.as_ref().map(|(_, reading)| reading.bytes())
    }

    /// Waits for the next question; `None`: there will be none. It is to be given up when its interrupt comes.
    pub(super) fn next(&self) -> Option<(Ask, Arc<Reading>)> {
        let mut state = self.state();
        state.answered = None;
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(ask) = state.waiting.take() {
                let reading = Reading::new(&Interrupt::default());
                state.answered = Some((Instant::now(), reading.clone()));
                return Some((ask, reading));
            }
            let woken = self.has_come.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more will be asked; what is being answered is given up.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        if let Some((_, reading)) = &state.answered {
            reading.interrupt.end();
        }
        if let Some(wake) = &state.wake {
            wake();
        }
        drop(state);
        self.has_come.notify_all();
    }
}
