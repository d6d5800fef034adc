//! What is at which path.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::{Runs, parameters_of};
use super::guard::guard;
use super::{Site, error, openapi, page};
use crate::cli::{Command, parameters};
use crate::view::metrics::Exposition;

/// Streams at once; the other connections are for questions.
const STREAMS_MAX: usize = 900;

/// How long the engine may take to answer a scrape: less than Prometheus waits.
const SCRAPE_MAX: Duration = Duration::from_secs(8);

/// What is served, and what is being answered.
pub(super) struct Served {
    pub(super) site: Site,
    pub(super) runs: Runs,
    streams: Arc<Semaphore>,
}

impl std::ops::Deref for Served {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// What every route knows.
pub(super) type App = Arc<Served>;

pub(super) fn router(site: Site) -> Router {
    let app: App = Arc::new(Served {
        site,
        runs: Runs::default(),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
    });
    Router::new()
        .route("/api/v1/events", get(events))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/api/v1/{command}", get(answer))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .fallback(get(page::page))
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// The result of a command.
async fn answer(State(app): State<App>, uri: Uri, RawQuery(query): RawQuery) -> Response {
    let word = uri.path().rsplit('/').next().unwrap_or_default();
    let mut commands = Command::ALL.into_iter();
    let command =
        commands.find(|&command| command.as_str() == word && parameters(command).is_some());
    match command {
        Some(command) => super::answer::answer(&app, command, query.as_deref()).await,
        None => error(
            StatusCode::NOT_FOUND,
            "there is nothing here; /api/v1/openapi.json has what there is",
        ),
    }
}

/// Events as they come.
async fn events(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let given = parameters_of(query.as_deref());
    let asked = app.args.of_request(Command::Events, &given);
    let filter = asked.and_then(|args| args.filter().map_err(|err| format!("{err:#}")));
    let filter = match filter {
        Ok(filter) => filter,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    let after = match headers.get("last-event-id").map(HeaderValue::to_str) {
        None => None,
        Some(text) => match text.unwrap_or_default().trim().parse::<u64>() {
            Ok(number) => Some(number),
            Err(_) => {
                return error(
                    StatusCode::BAD_REQUEST,
                    "Last-Event-ID: not the number of an event",
                );
            }
        },
    };
    let Ok(permit) = app.streams.clone().try_acquire_owned() else {
        return super::answer::busy("too many listen already");
    };
    let body = app.hub.listen(after, filter, permit);
    let kind = HeaderValue::from_static("text/event-stream");
    ([(CONTENT_TYPE, kind)], axum::body::Body::new(body)).into_response()
}

/// What Prometheus asks for, in the form that it wants.
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let exposition = Exposition::of_accept(accept.unwrap_or_default());
    let Some(answer) = app.scrapes.ask(exposition) else {
        return super::answer::busy("what is there is still being read, or too many ask");
    };
    match timeout(SCRAPE_MAX, answer).await {
        Ok(Ok(text)) => {
            let kind = HeaderValue::from_static(exposition.content_type());
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        _ => super::answer::busy("the log has not been looked at for some seconds"),
    }
}

/// `ok` while the engine follows.
async fn healthz(State(app): State<App>, headers: HeaderMap) -> Response {
    match app.health.problem() {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(problem) => {
            // It names files.
            let is_told = app.guard.has_token(&headers);
            let text = if is_told { &*problem } else { "not well" };
            (StatusCode::SERVICE_UNAVAILABLE, format!("{text}\n")).into_response()
        }
    }
}
