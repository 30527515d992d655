//! The dashboard's files, which are part of this program: no file of the host is ever served.

use super::answer::Problem;
use super::bodies::Word;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// Name below `/ui/`, kind, and bytes.
type Asset = (&'static str, &'static str, &'static [u8]);

const INDEX: &[u8] = include_bytes!("../../ui/index.html");
const HTML: &str = "text/html; charset=utf-8";

const ASSETS: &[Asset] = &[("index.html", HTML, INDEX)];

pub(super) async fn index() -> Response {
    asset(HTML, INDEX)
}

pub(super) async fn file(Word(path): Word) -> Response {
    match ASSETS.iter().find(|(name, ..)| *name == path) {
        Some((_, kind, bytes)) => asset(kind, bytes),
        None => Problem::not_found("the dashboard has no such file", "open / in a browser").into_response(),
    }
}

fn asset(kind: &'static str, bytes: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        // Another agent may have another version of it a moment later.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, bytes).into_response()
}
