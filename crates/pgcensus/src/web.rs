//! `serve` on the network. All that is asynchronous in the program is below here.
//!
//! ```text
//! connection ─► limits, TLS, HTTP/1.1 (connection.rs) ─► guard.rs ─► routes.rs ─┬─► page.rs     files in the program
//!                                                                               ├─► answer.rs   a command, run for it
//!                                                                               ├─► stream.rs   events, as they come
//!                                                                               └─► scrapes.rs  metrics, of the engine
//! ```
//!
//! Nothing here knows a log: a command is run by [`command::answer`](crate::command::answer), events come from whoever
//! publishes them to the [`Hub`](stream::Hub). Nothing can be changed by a request.

mod answer;
mod body;
mod connection;
mod guard;
pub(crate) mod health;
mod openapi;
mod page;
mod routes;
pub(crate) mod scrapes;
pub(crate) mod stream;
mod tls;
pub(crate) mod token;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::cli::Args;
pub(crate) use guard::{Guard, host_of, host_of_name, is_loopback};
pub(crate) use tls::Tls;

/// Connections at once; further ones are told to come again.
const CONNECTIONS_MAX: usize = 1024;

/// Threads that wait for the network: what they do is little, and a log is read by others.
const THREADS: usize = 2;

/// Threads that run commands; more wait for each other than run (`answer.rs`).
const BLOCKING_MAX: usize = 8;

/// How long what is being sent may take, when no more is accepted.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// After a connection could not be accepted, since there are no more files, say.
const RESTS: Duration = Duration::from_millis(50);

/// What is served.
pub(crate) struct Site {
    /// The command line of `serve`: its input, and what may be shown of it.
    pub(crate) args: Args,
    /// Where standard input is kept, if that is read.
    pub(crate) stdin: Option<PathBuf>,
    /// Whom it answers.
    pub(crate) guard: Guard,
    /// Events as they come.
    pub(crate) hub: Arc<stream::Hub>,
    /// Who asks for metrics.
    pub(crate) scrapes: Arc<scrapes::Scrapes>,
    /// Whether they do.
    pub(crate) health: Arc<health::Health>,
}

/// Ends a server.
#[derive(Clone)]
pub(crate) struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub(crate) fn new() -> Stop {
        Stop(Arc::new(watch::Sender::new(false)))
    }

    /// Now.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Listens there.
///
/// # Errors
/// The address cannot be had.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers until it is stopped.
///
/// # Errors
/// There can be no threads.
pub(crate) fn run(
    listener: TcpListener,
    tls: Option<Tls>,
    site: Site,
    stop: &Stop,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_MAX)
        .thread_name("web")
        .enable_all()
        .build()?;
    let result = runtime.block_on(accept(listener, tls, site, stop));
    runtime.shutdown_timeout(ENDS_WITHIN);
    result
}

async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    site: Site,
    stop: &Stop,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let hub = site.hub.clone();
    let router = routes::router(site);
    let mut stopped = stop.0.subscribe();
    while !*stopped.borrow() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((stream, _)) = accepted else {
            sleep(RESTS).await;
            continue;
        };
        let Ok(permit) = connections.clone().try_acquire_owned() else {
            connection::turn_away(&stream);
            continue;
        };
        let connection = connection::serve(stream, tls.clone(), router.clone(), stop.0.subscribe());
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    hub.close();
    let all = connections.acquire_many(CONNECTIONS_MAX as u32);
    drop(timeout(ENDS_WITHIN, all).await);
    Ok(())
}

/// What went wrong, as an object.
fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
