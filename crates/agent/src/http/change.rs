//! What changes something.

use super::App;
use super::answer::{Problem, json};
use super::ask::{DO, strange};
use super::bodies::{
    BackupBody, Json, MembersBody, MonitorBody, Node, Nothing, PriorityBody, RebuildBody, RejoinBody,
    SwitchoverBody, endpoint, endpoints,
};
use super::guard::Who;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use xenon_api::{BackupOptions, RebuildOptions, Request, Response as Said};
use xenon_election::NodeId;

/// The longest wait for what stands in the way of a switchover, milliseconds: within what an agent takes for a call.
const WAIT_MAX_MS: u64 = 20_000;
/// The longest path of a folder.
const PATH_MAX_BYTES: usize = 4096;

/// What was done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Done {
    /// Always true: what was refused is told as a problem.
    pub(crate) ok: bool,
    /// The node that did it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) node: NodeId,
    /// What was done, as a sentence.
    pub(crate) message: String,
}

pub(super) type Answer = Result<Response, Problem>;

impl App {
    /// At the leader.
    pub(super) async fn lead(&self, request: Request, who: &Who) -> Answer {
        let (node, said) = self.inner.asker.leader(request, &who.0).await?;
        done(node, said)
    }

    /// At one node.
    pub(super) async fn at(&self, node: NodeId, request: Request, who: &Who) -> Answer {
        let said = self.inner.asker.node(&node, request, &who.0, DO).await?;
        done(node, said)
    }

    /// At this node.
    pub(super) async fn here(&self, request: Request, who: &Who) -> Answer {
        self.at(self.inner.asker.me().clone(), request, who).await
    }
}

fn done(node: NodeId, said: Said) -> Answer {
    match said {
        Said::Done { message } => Ok(json(&Done { ok: true, node, message })),
        Said::Switchover(plan) => Ok(json(&plan)),
        _ => Err(strange(&node)),
    }
}

pub(super) async fn switchover(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(body): Json<SwitchoverBody>,
) -> Answer {
    if body.wait_ms > WAIT_MAX_MS {
        return Err(Problem::bad_request(
            format!("wait_ms is more than {WAIT_MAX_MS}"),
            "wait shorter, and ask again",
        ));
    }
    let target = body.target.as_deref().map(endpoint).transpose()?;
    let request = Request::Switchover { target, dry_run: body.dry_run, wait_ms: body.wait_ms };
    app.lead(request, &who).await
}

pub(super) async fn pause(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(Nothing {}): Json<Nothing>,
) -> Answer {
    app.lead(Request::Pause, &who).await
}

pub(super) async fn resume(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(Nothing {}): Json<Nothing>,
) -> Answer {
    app.lead(Request::Resume, &who).await
}

pub(super) async fn priority(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(body): Json<PriorityBody>,
) -> Answer {
    app.lead(Request::SetPriority { node, priority: body.priority }, &who).await
}

pub(super) async fn rejoin(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(body): Json<RejoinBody>,
) -> Answer {
    app.lead(Request::SetRejoin { rejoin: body.rejoin }, &who).await
}

pub(super) async fn add_members(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(body): Json<MembersBody>,
) -> Answer {
    let nodes = endpoints(&body.add)?;
    app.lead(Request::ClusterAdd { nodes, idle: body.idle }, &who).await
}

pub(super) async fn remove_member(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
) -> Answer {
    app.lead(Request::ClusterRemove { nodes: vec![node] }, &who).await
}

pub(super) async fn rebuild(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(body): Json<RebuildBody>,
) -> Answer {
    let options = RebuildOptions {
        from: body.from.as_deref().map(endpoint).transpose()?,
        method: body.method,
        force: body.force,
        throttle_mib_s: body.throttle_mib_s,
        dry_run: body.dry_run,
    };
    app.at(node, Request::Rebuild(options), &who).await
}

pub(super) async fn cancel_rebuild(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
) -> Answer {
    app.at(node, Request::CancelRebuild, &who).await
}

pub(super) async fn backup(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(body): Json<BackupBody>,
) -> Answer {
    if !body.to.starts_with('/') || body.to.len() > PATH_MAX_BYTES || body.to.chars().any(char::is_control) {
        return Err(Problem::bad_request(
            "\"to\" is no absolute path",
            "give a new or empty folder on the node's own host, like /backup/monday",
        ));
    }
    let options = BackupOptions { to: body.to, throttle_mib_s: body.throttle_mib_s };
    app.at(node, Request::Backup(options), &who).await
}

pub(super) async fn cancel_backup(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
) -> Answer {
    app.at(node, Request::CancelBackup, &who).await
}

pub(super) async fn mysqld_start(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(Nothing {}): Json<Nothing>,
) -> Answer {
    app.at(node, Request::MysqlStart, &who).await
}

pub(super) async fn mysqld_stop(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(Nothing {}): Json<Nothing>,
) -> Answer {
    app.at(node, Request::MysqlShutdown, &who).await
}

pub(super) async fn mysqld_kill(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(Nothing {}): Json<Nothing>,
) -> Answer {
    app.at(node, Request::MysqlKill, &who).await
}

pub(super) async fn monitor(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Node(node): Node,
    Json(body): Json<MonitorBody>,
) -> Answer {
    app.at(node, Request::Monitor { on: body.on }, &who).await
}
