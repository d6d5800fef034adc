//! Commands that are run for requests: `GET /api/v1/summary` and the like.
//!
//! ```text
//! request ─► arguments ─► the same was just answered? ─► waits for a run ─► command ─pieces─► body
//!                             └─► that answer
//! ```
//!
//! How this works: a command runs on a thread of its own, as on the command line, and hands over pieces of its result. Up to
//! 4 MiB they are gathered, so that an error has a status and equal requests can share the result; beyond it they are
//! sent as they come, no faster than they are taken: such a run no longer counts as one of the two that go on at once, so that
//! who takes it slowly keeps nobody else from being answered, but as one of four that are sent. A run ends early where its time is over or nobody waits for it any more.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::body::ChannelBody;
use super::error;
use super::routes::App;
use crate::cli::{Args, Command};
use crate::command::{self, Answered, Said};
use crate::interrupt::Interrupt;

/// Runs at once: each takes all processors. Further requests wait, so many of them, and no longer than a run may take.
const RUNS_MAX: usize = 2;
const WAITING_MAX: usize = 64;
const RUN_MAX: Duration = Duration::from_secs(30);

/// Runs whose results are being sent, at once; further ones are told to come again.
const SENDING_MAX: usize = 4;

/// What is gathered of a result.
const GATHERED_MAX: usize = 4 << 20;

/// Pieces of a result that wait to be sent.
const PIECES: usize = 4;

/// The header that has what a command says beside its result, and so much of that at most.
const NOTES: HeaderName = HeaderName::from_static("pgcensus-notes");
const NOTES_MAX: usize = 2048;

/// An answer is good for equal requests within this time, as long as nothing has happened since. So many are kept.
const SHARED: Duration = Duration::from_secs(1);
const SHARED_MAX: usize = 32;

/// What is being answered.
pub(super) struct Runs {
    permits: Arc<Semaphore>,
    sending: Arc<Semaphore>,
    waiting: AtomicUsize,
    shared: Mutex<HashMap<String, Slot>>,
}

/// The last answer to a request. Who makes the next one has it locked.
type Slot = Arc<tokio::sync::Mutex<Option<Shared>>>;

#[derive(Clone)]
struct Shared {
    made: Instant,
    /// The last event that had happened then.
    last: u64,
    text: Bytes,
    notes: String,
}

impl Default for Runs {
    fn default() -> Runs {
        Runs {
            permits: Arc::new(Semaphore::new(RUNS_MAX)),
            sending: Arc::new(Semaphore::new(SENDING_MAX)),
            waiting: AtomicUsize::new(0),
            shared: Mutex::default(),
        }
    }
}

impl Runs {
    /// Where the answer to this request is.
    fn slot(&self, key: String) -> Slot {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.len() >= SHARED_MAX {
            // Those that somebody waits for stay.
            shared.retain(|_, slot| {
                let is_in_use = Arc::strong_count(slot) > 1;
                let is_new = |shared: &Shared| shared.made.elapsed() < SHARED;
                is_in_use
                    || slot
                        .try_lock()
                        .is_ok_and(|slot| slot.as_ref().is_some_and(is_new))
            });
        }
        // What finds no room is answered all the same, for itself.
        if shared.len() >= SHARED_MAX && !shared.contains_key(&key) {
            return Slot::default();
        }
        shared.entry(key).or_default().clone()
    }
}

/// One more waits, as long as this lives.
struct Waits<'r>(&'r AtomicUsize);

impl<'r> Waits<'r> {
    fn begin(waiting: &'r AtomicUsize) -> Option<Waits<'r>> {
        let waits = Waits(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        (before < WAITING_MAX).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The parameters of a request.
pub(super) fn parameters_of(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

/// Answers a request by running a command.
pub(super) async fn answer(app: &App, command: Command, query: Option<&str>) -> Response {
    let given = parameters_of(query);
    let args = match app.args.of_request(command, &given) {
        Ok(args) => args,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    let Some(waits) = Waits::begin(&app.runs.waiting) else {
        return busy("too many wait already");
    };
    let deadline = Instant::now() + RUN_MAX;
    let slot = app.runs.slot(format!("{command:?} {given:?}"));
    let Ok(mut slot) = timeout_at(deadline, slot.lock()).await else {
        return busy("others are answered first");
    };
    let last = app.hub.last();
    let known = slot.as_ref();
    let known = known.filter(|known| known.last == last && known.made.elapsed() < SHARED);
    if let Some(known) = known {
        return whole(command, known.text.clone(), &known.notes);
    }
    let permits = app.runs.permits.clone();
    let Ok(Ok(permit)) = timeout_at(deadline, permits.acquire_owned()).await else {
        return busy("others are answered first");
    };
    drop(waits);
    let mut run = Run::begin(app, args, permit);
    let mut text = BytesMut::new();
    while let Some(piece) = run.pieces.recv().await {
        text.extend_from_slice(&piece);
        if text.len() > GATHERED_MAX {
            *slot = None;
            let Ok(sending) = app.runs.sending.clone().try_acquire_owned() else {
                return busy("too many large answers are being sent already");
            };
            return run.stream(command, text.freeze(), sending);
        }
    }
    match run.done.await {
        Ok(Answered::Whole) => {
            let (text, notes) = (text.freeze(), run.said.text());
            let answer = whole(command, text.clone(), &notes);
            *slot = Some(Shared {
                made: Instant::now(),
                last,
                text,
                notes,
            });
            answer
        }
        Ok(Answered::Wrong(message)) => error(StatusCode::BAD_REQUEST, &message),
        Ok(Answered::Failed(message)) => error(StatusCode::SERVICE_UNAVAILABLE, &message),
        Ok(Answered::Stopped) => {
            let seconds = RUN_MAX.as_secs();
            busy(&format!(
                "it took longer than {seconds} s; ask for less: a shorter window (last=1h) or fewer servers"
            ))
        }
        // Its thread panicked, which has been said.
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "there is no answer"),
    }
}

/// Come again.
pub(super) fn busy(message: &str) -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, message);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn whole(command: Command, text: impl Into<Body>, notes: &str) -> Response {
    let kind = match command {
        Command::Sessions | Command::Findings => "application/x-ndjson",
        _ => "application/json",
    };
    let kind = [(CONTENT_TYPE, HeaderValue::from_static(kind))];
    let mut response = (kind, text.into()).into_response();
    let is_shown = |c: char| c == ' ' || c.is_ascii_graphic();
    let notes = notes.chars().take(NOTES_MAX);
    let notes: String = notes.map(|c| if is_shown(c) { c } else { '?' }).collect();
    if let Some(notes) = HeaderValue::try_from(notes).ok().filter(|n| !n.is_empty()) {
        response.headers_mut().insert(NOTES, notes);
    }
    response
}

/// A command that runs.
struct Run {
    pieces: mpsc::Receiver<Bytes>,
    done: oneshot::Receiver<Answered>,
    said: Arc<Said>,
    /// As what it counts, as long as its thread goes on.
    permit: Arc<Mutex<OwnedSemaphorePermit>>,
}

impl Run {
    fn begin(app: &App, args: Args, permit: OwnedSemaphorePermit) -> Run {
        let (send, pieces) = mpsc::channel(PIECES);
        let (say, done) = oneshot::channel();
        let interrupt = Interrupt::default();
        let deadline = Instant::now() + RUN_MAX;
        let (ended, has_ended) = oneshot::channel::<()>();
        let (waits, ends) = (send.clone(), interrupt.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = sleep_until(deadline) => ends.end(),
                () = waits.closed() => ends.end(),
                _ = has_ended => {}
            }
        });
        let out = Pieces {
            send,
            deadline,
            interrupt: interrupt.clone(),
            handle: Handle::current(),
        };
        let stdin = app.stdin.clone();
        let said = Arc::new(Said::default());
        let permit = Arc::new(Mutex::new(permit));
        let (says, goes_on) = (said.clone(), permit.clone());
        tokio::task::spawn_blocking(move || {
            let answered = command::answer(&args, &interrupt, stdin, Box::new(out), &says);
            drop((goes_on, ended));
            say.send(answered).ok();
        });
        Run {
            pieces,
            done,
            said,
            permit,
        }
    }

    /// Sends what there is, and then what comes.
    fn stream(mut self, command: Command, begin: Bytes, sending: OwnedSemaphorePermit) -> Response {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        *permit = sending;
        drop(permit);
        let notes = self.said.text();
        let (send, body) = ChannelBody::new();
        tokio::spawn(async move {
            let mut piece = Some(begin);
            while let Some(text) = piece {
                if send.send(Ok(text)).await.is_err() {
                    return;
                }
                piece = self.pieces.recv().await;
            }
            if !matches!(self.done.await, Ok(Answered::Whole)) {
                let cut = io::Error::other("the answer is not whole");
                send.send(Err(cut)).await.ok();
            }
        });
        whole(command, Body::new(body), &notes)
    }
}

/// Hands over pieces of a result, from the thread of the command.
struct Pieces {
    send: mpsc::Sender<Bytes>,
    deadline: Instant,
    interrupt: Interrupt,
    handle: Handle,
}

impl io::Write for Pieces {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // What a command writes that was stopped is a part of its result.
        if self.interrupt.came() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = self.send.send(Bytes::copy_from_slice(buf));
        match self.handle.block_on(timeout_at(self.deadline, sent)) {
            Ok(Ok(())) => Ok(buf.len()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => {
                self.interrupt.end();
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
