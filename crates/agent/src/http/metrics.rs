//! `/metrics`, for Prometheus.

use super::App;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A loop that does not answer gives an error, and no page that says so: Prometheus' own `up` is 0 then.
pub(super) async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match app.inner.asker.metrics(accept).await {
        Ok((kind, page)) => ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], page).into_response(),
        Err(problem) => problem.into_response(),
    }
}
