//! The page: files that are in the program.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rust_embed::Embed;

use super::error;

/// What is at `/`. The frame of a report has holes in it, and is no page.
const SHELL: &str = "index.html";
const FRAME: &str = "report.html";

/// The shell and what it loads.
#[derive(Embed)]
#[folder = "page/"]
struct Page;

/// What a file is, by its ending. Others are no part of a page.
const TYPES: [(&str, &str); 7] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
];

/// The file of this path; a path is a name here, and leads nowhere.
pub(super) async fn page(uri: Uri) -> Response {
    let name = match uri.path() {
        "/" => SHELL,
        path => path.strip_prefix('/').unwrap_or_default(),
    };
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let kind = TYPES.iter().find(|(known, _)| *known == ending);
    let file = Page::get(name).filter(|_| name != FRAME);
    match (file, kind) {
        (Some(file), Some((_, kind))) => {
            let kind = [(CONTENT_TYPE, HeaderValue::from_static(kind))];
            (kind, Body::from(file.data.into_owned())).into_response()
        }
        _ => error(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}
