//! Events as they happen, as server-sent events: `id` is the sequence number, `data` the event.

use super::App;
use super::answer::Problem;
use super::bodies::Asked;
use super::read::EventsQuery;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use xenon_api::{EventPage, Request, Response as Said};

/// Without an event, something is said so often: a reader that is gone is noticed by that.
const QUIET_MS: u64 = 5_000;
/// How long the loop may take beyond that.
const LOOP: Duration = Duration::from_secs(10);
/// A stream ends after this; readers come again by themselves, with the number of the last event that they have.
const LONGEST: Duration = Duration::from_secs(3600);

struct Stream {
    app: App,
    after: u64,
    until: Instant,
    /// Said with the next page.
    first: &'static str,
    _seat: OwnedSemaphorePermit,
}

pub(super) async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    query.check()?;
    let after = match headers.get("last-event-id") {
        None => query.after,
        Some(id) => id.to_str().ok().and_then(|id| id.trim().parse().ok()).ok_or_else(|| {
            Problem::bad_request("Last-Event-ID is no number", "send the id of the last event, or nothing")
        })?,
    };
    let seat = Arc::clone(&app.inner.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable("so many read this agent's events already that there is no room for one more")
    })?;
    let mut stream =
        Stream { app, after, until: Instant::now() + LONGEST, first: "retry: 1000\n", _seat: seat };
    // A number that was never given here: the agent has started anew, and counts anew.
    if after > 0 && stream.page(after - 1, 0).await?.events.is_empty() {
        stream.after = 0;
        stream.first = "retry: 1000\nevent: restart\ndata: {}\n\n";
    }
    let body = Body::from_stream(unfold(stream, |stream| async { stream.next().await }));
    let kind = HeaderValue::from_static("text/event-stream");
    // For proxies that gather answers before they pass them on.
    let proxies = ("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(([(header::CONTENT_TYPE, kind)], [proxies], body).into_response())
}

impl Stream {
    async fn page(&self, after: u64, wait_ms: u64) -> Result<EventPage, Problem> {
        let deadline = LOOP + Duration::from_millis(wait_ms);
        let request = Request::Events { after, wait_ms };
        match self.app.inner.asker.here(request, "http", deadline).await? {
            Said::Events(page) => Ok(page),
            _ => Err(super::ask::strange(self.app.inner.asker.me())),
        }
    }

    async fn next(mut self) -> Option<(Result<String, Infallible>, Stream)> {
        if !self.first.is_empty() {
            // At once, so that the reader knows that it is connected.
            let first = std::mem::take(&mut self.first).to_owned();
            return Some((Ok(format!("{first}: events\n\n")), self));
        }
        if Instant::now() >= self.until {
            return None;
        }
        // An agent that stops, or whose loop hangs, ends the stream: the reader asks again.
        let page = self.page(self.after, QUIET_MS).await.ok()?;
        Some((Ok(self.write(&page)), self))
    }

    fn write(&mut self, page: &EventPage) -> String {
        let mut text = String::new();
        if page.gap {
            text.push_str("event: gap\ndata: {}\n\n");
        }
        for event in &page.events {
            self.after = self.after.max(event.seq);
            if let Ok(json) = serde_json::to_string(event) {
                // JSON of one line.
                let _ = write!(text, "id: {}\ndata: {json}\n\n", event.seq);
            }
        }
        if text.is_empty() {
            text.push_str(": quiet\n\n");
        }
        text
    }
}
