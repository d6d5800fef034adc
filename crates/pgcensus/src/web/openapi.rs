//! What there is to ask for, as `OpenAPI`: made of the same list of parameters by which requests are read.

use axum::Json;
use serde_json::{Map, Value, json};

use crate::cli::{Command, Parameter, ParameterKind, parameters};

pub(super) async fn openapi() -> Json<Value> {
    Json(document())
}

/// What the commands answer, in a line.
const COMMANDS: [(Command, &str, &str); 8] = [
    (
        Command::Summary,
        "who is connected, the peak, connects, disconnects, refused",
        "application/json",
    ),
    (
        Command::History,
        "the same per interval",
        "application/json",
    ),
    (
        Command::Sessions,
        "one line per session",
        "application/x-ndjson",
    ),
    (
        Command::Refused,
        "why connections failed: by reason, whom, from where, since when",
        "application/json",
    ),
    (
        Command::Findings,
        "what calls for somebody, a line each",
        "application/x-ndjson",
    ),
    (
        Command::Compare,
        "what changed from one window to another",
        "application/json",
    ),
    (Command::Report, "all that a page shows", "application/json"),
    (
        Command::Events,
        "events as they happen; `id` is the number of an event, `data` a line of `watch --json`. `event: dropped` says that events \
         before a number are not kept any more, `event: changed` (once a second at most) that numbers are others now",
        "text/event-stream",
    ),
];

fn document() -> Value {
    let mut paths = Map::new();
    for (command, summary, kind) in COMMANDS {
        let all = parameters(command).unwrap_or_default();
        let mut given: Vec<_> = all.iter().map(parameter).collect();
        if command == Command::Events {
            given.push(json!({
                "name": "Last-Event-ID",
                "in": "header",
                "description": "the number of the last event that was seen: those after it come first",
                "schema": { "type": "integer", "minimum": 0 },
            }));
        }
        let notes = if command == Command::Events {
            json!({})
        } else {
            json!({ "Pgcensus-Notes": {
                "description": "what the command says beside it, as far as that is known when it begins",
                "schema": { "type": "string" },
            }})
        };
        let operation = json!({
            "operationId": command.as_str(),
            "summary": summary,
            "parameters": given,
            "responses": {
                "200": {
                    "description": "what `pgcensus --json` prints",
                    "headers": notes,
                    "content": { kind: {} },
                },
                "400": problem("a parameter is wrong: what is, in the words of the command line"),
                "401": problem("the token is missing or another one"),
                "503": problem("others are answered first, the log cannot be read, or it took too long"),
            },
        });
        paths.insert(
            format!("/api/v1/{}", command.as_str()),
            json!({ "get": operation }),
        );
    }
    let health = json!({
        "operationId": "healthz",
        "summary": "whether the logs are followed",
        "security": [],
        "responses": {
            "200": { "description": "they are", "content": { "text/plain": {} } },
            "503": { "description": "what is wrong", "content": { "text/plain": {} } },
        },
    });
    paths.insert("/healthz".to_owned(), json!({ "get": health }));
    let metrics = json!({
        "operationId": "metrics",
        "summary": "metrics for Prometheus; `Accept` says in which form",
        "responses": {
            "200": { "description": "they are", "content": { "text/plain": {}, "application/openmetrics-text": {} } },
            "401": problem("the token is missing or another one"),
            "503": problem("what is there is still being read, or too many ask"),
        },
    });
    paths.insert("/metrics".to_owned(), json!({ "get": metrics }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pgcensus",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The command line over HTTP: a parameter is the flag of that name, the answer what `--json` prints.",
        },
        "paths": paths,
        "security": [{ "token": [] }, {}],
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        ParameterKind::Flag => json!({ "type": "boolean" }),
        ParameterKind::Once => json!({ "type": "string" }),
        ParameterKind::Repeated => json!({ "type": "array", "items": { "type": "string" } }),
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.help,
        "schema": schema,
    })
}

fn problem(description: &str) -> Value {
    let error = json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "type": "string" } },
    });
    json!({
        "description": description,
        "content": { "application/json": { "schema": error } },
    })
}
