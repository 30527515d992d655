//! For load balancers and supervisors: no login, and an answer at once, whatever mysqld does.

use super::App;
use super::answer::{Problem, json_as};
use super::bodies::Asked;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// What a check tells, whether it is 200 or 503.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Health {
    /// It is so.
    pub(crate) ok: bool,
    /// The node.
    pub(crate) node: String,
    /// Its state: LEADER, CANDIDATE, FOLLOWER, LEARNER, IDLE, INVALID or STOPPED.
    pub(crate) state: &'static str,
    /// Why it is not so; empty when it is.
    pub(crate) why: &'static str,
    /// How far a replica is behind, milliseconds, when that is known. Old servers say it in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lag_ms: Option<u64>,
}

/// The question of `/replica` and `/read-only`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LagQuery {
    /// The most lag: `10s`, `500ms`, `2m`, or a number of seconds.
    #[serde(default)]
    pub(crate) lag: Option<String>,
}

impl App {
    fn told(&self, check: Result<(), &'static str>, now: Instant) -> Response {
        let view = *self.inner.view.borrow();
        let lag = view.replica.ok().and_then(|()| view.lag(now));
        let health = Health {
            ok: check.is_ok(),
            node: self.inner.asker.me().to_string(),
            state: view.state,
            why: check.err().unwrap_or_default(),
            lag_ms: lag.map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
        };
        let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json_as(status, "application/json", &health)
    }
}

pub(super) async fn primary(State(app): State<App>) -> Response {
    let now = Instant::now();
    let check = app.inner.view.borrow().is_primary(now, app.inner.view_max_age);
    app.told(check, now)
}

pub(super) async fn replica(State(app): State<App>, Asked(query): Asked<LagQuery>) -> Response {
    let now = Instant::now();
    let most = match query.most() {
        Ok(most) => most,
        Err(problem) => return problem.into_response(),
    };
    let check = app.inner.view.borrow().is_replica(now, app.inner.view_max_age, most);
    app.told(check, now)
}

pub(super) async fn read_only(State(app): State<App>, Asked(query): Asked<LagQuery>) -> Response {
    let now = Instant::now();
    let most = match query.most() {
        Ok(most) => most,
        Err(problem) => return problem.into_response(),
    };
    let view = *app.inner.view.borrow();
    let check = view
        .is_primary(now, app.inner.view_max_age)
        .or_else(|_| view.is_replica(now, app.inner.view_max_age, most));
    app.told(check, now)
}

pub(super) async fn health(State(app): State<App>) -> Response {
    let now = Instant::now();
    let check = app.inner.view.borrow().is_healthy(now, app.inner.view_max_age);
    app.told(check, now)
}

pub(super) async fn ready(State(app): State<App>) -> Response {
    let now = Instant::now();
    let check = app.inner.view.borrow().is_ready(now, app.inner.view_max_age);
    app.told(check, now)
}

impl LagQuery {
    fn most(&self) -> Result<Option<Duration>, Problem> {
        self.lag.as_deref().map(duration).transpose()
    }
}

fn duration(text: &str) -> Result<Duration, Problem> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit_ms = match text.get(digits.len()..) {
        Some("ms") => 1.0,
        Some("s" | "") => 1000.0,
        Some("m" | "min") => 60_000.0,
        Some("h") => 3_600_000.0,
        _ => f64::NAN,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = if plain { digits.parse::<f64>().unwrap_or(f64::NAN) } else { f64::NAN };
    Duration::try_from_secs_f64(number * unit_ms / 1000.0)
        .map_err(|_| Problem::bad_request("lag is no time", "write it like lag=10s, lag=500ms or lag=10"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let ms = |text: &str| duration(text).ok().map(|time| time.as_millis());
        for (text, wanted) in
            [("10s", 10_000), ("500ms", 500), ("10", 10_000), ("0", 0), ("1.5s", 1500), ("2m", 120_000)]
        {
            assert_eq!(ms(text), Some(wanted), "{text}");
        }
        for wrong in
            ["", "s", "-1", "1 s", "1d", "nan", "inf", "1e3", "1.2.3s", "\u{663}s", "99999999999999999999h"]
        {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
    }
}
