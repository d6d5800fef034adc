//! How the engine is: `GET /healthz`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::source::input::Reading;

/// An engine that has not looked at the log for so long hangs.
const BEAT_MAX: Duration = Duration::from_secs(30);

/// What the engine says of itself.
pub(crate) struct Health(Mutex<State>);

enum State {
    /// It reads what is there; so many bytes, if somebody knows.
    Reads(Arc<Reading>, Option<u64>),
    /// It follows, and was heard then; what is wrong with the logs.
    Follows(Instant, Vec<String>),
}

impl Health {
    /// It begins to read.
    pub(crate) fn reads(reading: Arc<Reading>, total: Option<u64>) -> Health {
        Health(Mutex::new(State::Reads(reading, total)))
    }

    /// It follows the logs, and this is wrong with them.
    pub(crate) fn follows(&self, troubles: Vec<String>) {
        *self.lock() = State::Follows(Instant::now(), troubles);
    }

    /// What is wrong.
    pub(crate) fn problem(&self) -> Option<String> {
        match &*self.lock() {
            State::Reads(reading, total) => {
                let read = reading.bytes();
                Some(match total {
                    Some(total) => format!("reading what is there: {read} of {total} bytes"),
                    None => format!("reading what is there: {read} bytes so far"),
                })
            }
            State::Follows(beat, _) if beat.elapsed() > BEAT_MAX => Some(format!(
                "the log has not been looked at for {} s",
                beat.elapsed().as_secs()
            )),
            State::Follows(_, troubles) => (!troubles.is_empty()).then(|| troubles.join("; ")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
