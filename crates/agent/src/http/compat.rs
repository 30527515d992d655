//! What users' scripts of the Go tool ask, unchanged: `/v1/…`. Their bodies come without a word on what they are, and a
//! refusal is a 500 with the key `Error`.

use super::App;
use super::answer::{Problem, json, json_as};
use super::ask::{LOOK, strange};
use super::bodies::{AddressBody, bytes, endpoints, parse};
use super::change::Answer;
use super::guard::Who;
use axum::Extension;
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use xenon_api::{Request, Response as Said};
use xenon_election::NodeId;

/// `GET /v1/raft/status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RaftStatus {
    pub(crate) state: String,
    /// Empty when none is known.
    pub(crate) leader: String,
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) nodes: Vec<NodeId>,
}

/// `GET /v1/xenon/ping`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Pong {
    pub(crate) status: &'static str,
}

/// A problem as the Go tool's clients read it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct OldProblem {
    #[serde(rename = "Error")]
    pub(crate) error: String,
    #[serde(flatten)]
    pub(crate) problem: Problem,
}

/// They know 500 for whatever did not work.
fn old(answer: Answer) -> Response {
    let problem = match answer {
        Ok(response) => return response,
        Err(problem) if problem.status == 409 => Problem { status: 500, ..problem },
        Err(problem) => problem,
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let error = format!("{}; try: {}", problem.detail, problem.cure);
    json_as(status, "application/problem+json", &OldProblem { error, problem })
}

async fn addresses(request: HttpRequest) -> Result<Vec<NodeId>, Problem> {
    let body: AddressBody = parse(&bytes(request).await?)?;
    let texts: Vec<String> =
        body.address.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
    endpoints(&texts)
}

pub(super) async fn add(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    request: HttpRequest,
) -> Response {
    let answer = async {
        let nodes = addresses(request).await?;
        app.lead(Request::ClusterAdd { nodes, idle: false }, &who).await
    };
    old(answer.await)
}

pub(super) async fn remove(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    request: HttpRequest,
) -> Response {
    let answer = async {
        let nodes = addresses(request).await?;
        app.lead(Request::ClusterRemove { nodes }, &who).await
    };
    old(answer.await)
}

pub(super) async fn raft_status(State(app): State<App>) -> Response {
    let status = match app.inner.asker.status().await {
        Ok(status) => status,
        Err(problem) => return old(Err(problem)),
    };
    json(&RaftStatus {
        state: status.state,
        leader: status.leader.map(|leader| leader.to_string()).unwrap_or_default(),
        nodes: status.members.into_iter().map(|member| member.id).collect(),
    })
}

/// The answer comes when the leader has begun to hand over.
pub(super) async fn try_to_leader(State(app): State<App>, Extension(who): Extension<Who>) -> Response {
    let me = app.inner.asker.me().clone();
    let answer = async {
        let status = app.inner.asker.status().await?;
        if status.leader.as_ref() == Some(&me) {
            let message = format!("{me} leads already");
            return Ok(json(&super::change::Done { ok: true, node: me, message }));
        }
        app.lead(Request::HandOver { target: Some(me) }, &who).await
    };
    old(answer.await)
}

pub(super) async fn disable(State(app): State<App>, Extension(who): Extension<Who>) -> Response {
    old(app.here(Request::RaftDisable, &who).await)
}

/// D2: semi-sync is never switched off behind the elections' back, so there is no check of it to be switched off.
pub(super) async fn disable_check_semi_sync(State(app): State<App>) -> Response {
    let message = "nothing to switch off: the agents set semi-sync by the members of the cluster".to_owned();
    json(&super::change::Done { ok: true, node: app.inner.asker.me().clone(), message })
}

pub(super) async fn ping(State(app): State<App>) -> Response {
    match app.inner.asker.here(Request::Ping, "http", LOOK).await {
        Ok(Said::Pong { .. }) => json(&Pong { status: "OK" }).into_response(),
        Ok(_) => old(Err(strange(app.inner.asker.me()))),
        Err(problem) => old(Err(problem)),
    }
}
