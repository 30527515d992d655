//! What only looks.

use super::App;
use super::answer::{Problem, json};
use super::ask::{LOOK, strange};
use super::auth::Login;
use super::bodies::{Asked, Node, Word};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use xenon_api::{MemberStatus, NodeStatus, ReportHead, Request, Response as Said};
use xenon_config::ApiRole;
use xenon_election::NodeId;

/// Events in one page.
const PAGE_MAX: usize = 500;
/// Who asks, in calls that are not noted.
const WHO: &str = "http";

/// `GET /api/v1/cluster`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cluster {
    /// One a member, this node first when it is none.
    pub(crate) nodes: Vec<ClusterNode>,
}

/// One node as it describes itself.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ClusterNode {
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) id: NodeId,
    /// Why it did not answer; `null` when it did.
    pub(crate) error: Option<String>,
    /// What it answered.
    pub(crate) status: Option<NodeStatus>,
}

/// `GET /api/v1/session`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Session {
    /// The answering node.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) node: NodeId,
    /// Whose login it is.
    pub(crate) name: String,
    /// `read` or `operate`.
    pub(crate) role: &'static str,
}

/// `GET /api/v1/members`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Members {
    /// The leader that the answering node hears or is.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) leader: Option<NodeId>,
    pub(crate) members: Vec<MemberStatus>,
}

/// `GET /api/v1/reports`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Reports {
    /// Newest first.
    pub(crate) reports: Vec<ReportHead>,
    /// Members that did not answer, so that theirs are missing.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(crate) unanswered: Vec<NodeId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ReportsQuery {
    /// Those of every node.
    #[serde(default)]
    pub(crate) all: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EventsQuery {
    /// Sequence number of the last one seen; 0 for all that are kept.
    #[serde(default)]
    pub(crate) after: u64,
    /// At most so many, and never more than 500.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(min = 1, max = 500)))]
    pub(crate) limit: Option<usize>,
}

impl EventsQuery {
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.limit {
            Some(limit) if !(1..=PAGE_MAX).contains(&limit) => {
                Err(Problem::bad_request("limit is out of bounds", "give 1 to 500, or leave it out"))
            }
            _ => Ok(()),
        }
    }
}

type Answer = Result<Response, Problem>;

/// A page that asks shows no buttons that would be refused.
pub(super) async fn session(State(app): State<App>, Extension(login): Extension<Login>) -> Answer {
    let role = match login.role {
        ApiRole::Read => "read",
        ApiRole::Operate => "operate",
    };
    Ok(json(&Session { node: app.inner.asker.me().clone(), name: login.name, role }))
}

pub(super) async fn status(State(app): State<App>) -> Answer {
    Ok(json(&app.inner.asker.status().await?))
}

pub(super) async fn node_status(State(app): State<App>, Node(id): Node) -> Answer {
    match app.inner.asker.node(&id, Request::Status, WHO, LOOK).await? {
        Said::Status(status) => Ok(json(&status)),
        _ => Err(strange(&id)),
    }
}

pub(super) async fn cluster(State(app): State<App>) -> Answer {
    let asker = &app.inner.asker;
    let own = asker.status().await?;
    let mut answers = asker.others(&own, &Request::Status, WHO).await;
    let mut nodes: Vec<ClusterNode> = Vec::new();
    for id in own.members.iter().map(|member| &member.id).filter(|id| **id != own.id) {
        let (error, status) = match answers.remove(id) {
            Some(Ok(Said::Status(status))) => (None, Some(*status)),
            Some(Err(problem)) => (Some(problem.detail), None),
            Some(Ok(_)) | None => (Some(strange(id).detail), None),
        };
        nodes.push(ClusterNode { id: id.clone(), error, status });
    }
    let place = own.members.iter().position(|member| member.id == own.id).unwrap_or(0);
    let own = ClusterNode { id: own.id.clone(), error: None, status: Some(own) };
    nodes.insert(place.min(nodes.len()), own);
    Ok(json(&Cluster { nodes }))
}

pub(super) async fn members(State(app): State<App>) -> Answer {
    let own = app.inner.asker.status().await?;
    Ok(json(&Members { leader: own.leader, members: own.members }))
}

pub(super) async fn explain(State(app): State<App>) -> Answer {
    match app.inner.asker.here(Request::Explain, WHO, LOOK).await? {
        Said::Explanation(explanation) => Ok(json(&explanation)),
        _ => Err(strange(app.inner.asker.me())),
    }
}

pub(super) async fn events(State(app): State<App>, Asked(query): Asked<EventsQuery>) -> Answer {
    query.check()?;
    let request = Request::Events { after: query.after, wait_ms: 0 };
    match app.inner.asker.here(request, WHO, LOOK).await? {
        Said::Events(mut page) => {
            page.events.truncate(query.limit.unwrap_or(usize::MAX));
            Ok(json(&page))
        }
        _ => Err(strange(app.inner.asker.me())),
    }
}

pub(super) async fn reports(State(app): State<App>, Asked(query): Asked<ReportsQuery>) -> Answer {
    let asker = &app.inner.asker;
    let Said::Reports { mut reports } = asker.here(Request::Reports, WHO, LOOK).await? else {
        return Err(strange(asker.me()));
    };
    let mut unanswered = Vec::new();
    if query.all {
        let own = asker.status().await?;
        for (id, answer) in asker.others(&own, &Request::Reports, WHO).await {
            match answer {
                Ok(Said::Reports { reports: more }) => reports.extend(more),
                _ => unanswered.push(id),
            }
        }
    }
    reports.sort_by_key(|report| Reverse(report.began_unix_ms));
    Ok(json(&Reports { reports, unanswered }))
}

pub(super) async fn report(State(app): State<App>, Word(id): Word) -> Answer {
    let plain = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    if id.is_empty() || id.len() > 100 || !id.bytes().all(plain) {
        return Err(Problem::bad_request(
            "the name of a report has letters, digits and dashes only",
            "GET /api/v1/reports lists them",
        ));
    }
    let asker = &app.inner.asker;
    let request = Request::Report { id };
    if let Ok(Said::Report(report)) = asker.here(request.clone(), WHO, LOOK).await {
        return Ok(json(&report));
    }
    let own = asker.status().await?;
    for answer in asker.others(&own, &request, WHO).await.into_values() {
        if let Ok(Said::Report(report)) = answer {
            return Ok(json(&report));
        }
    }
    Err(Problem::not_found(
        "no node that answers has a report of this name",
        "GET /api/v1/reports?all=true lists them",
    ))
}
