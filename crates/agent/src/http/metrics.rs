//! `/metrics`, for Prometheus.

use super::App;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use xenon_api::NodeStatus;

/// A scraper waits longer than this.
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(app): State<App>) -> Response {
    let status = app.inner.asker.status().await.ok();
    let kind = HeaderValue::from_static(KIND);
    ([(header::CONTENT_TYPE, kind)], render(status.as_ref())).into_response()
}

/// `None`: the loop did not answer.
pub(crate) fn render(status: Option<&NodeStatus>) -> String {
    let up = u8::from(status.is_some());
    format!("# HELP xenon_up The agent's loop answers.\n# TYPE xenon_up gauge\nxenon_up {up}\n")
}
