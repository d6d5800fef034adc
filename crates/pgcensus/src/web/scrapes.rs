//! Who asks for metrics: the engine has them, and answers as soon as it comes by.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::view::metrics::Exposition;

/// Scrapes that wait at once; further ones are turned away.
const WAITING_MAX: usize = 64;

/// The scrapes that wait for an answer.
#[derive(Default)]
pub(crate) struct Scrapes(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<Scrape>,
    /// Calls the engine.
    wake: Option<Box<dyn Fn() + Send + Sync>>,
}

/// Somebody who asks.
pub(crate) struct Scrape {
    /// In which form.
    pub(crate) exposition: Exposition,
    answer: Sender<String>,
}

impl Scrape {
    /// Answers; whether anybody still waits does not matter.
    pub(crate) fn answer(self, text: String) {
        drop(self.answer.send(text));
    }
}

impl Scrapes {
    /// The engine follows, and is called like this.
    pub(crate) fn wakes(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.lock().wake = Some(Box::new(wake));
    }

    /// Asks. `None`: the engine has not read what is there yet, or too many wait.
    pub(crate) fn ask(&self, exposition: Exposition) -> Option<Receiver<String>> {
        let mut state = self.lock();
        state.waiting.retain(|scrape| !scrape.answer.is_closed());
        if state.waiting.len() >= WAITING_MAX {
            return None;
        }
        let (answer, text) = channel();
        state.wake.as_ref()?();
        state.waiting.push(Scrape { exposition, answer });
        Some(text)
    }

    /// Who waits.
    pub(crate) fn take(&self) -> Vec<Scrape> {
        std::mem::take(&mut self.lock().waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
