//! What comes in: queries, names in paths, and bodies; whatever is wrong with it becomes a [`Problem`].

use super::answer::Problem;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;
use xenon_api::Method as CopyMethod;
use xenon_config::Endpoint;
use xenon_election::{NodeId, Rejoin};

/// The largest body.
pub(super) const BODY_MAX_BYTES: usize = 64 << 10;
/// How long it may take to come.
const BODY: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(5) };
/// Nodes in one request.
const NODES_MAX: usize = 64;

/// A query.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(error) => Err(Problem::bad_request(
                format!("the query cannot be understood: {error}"),
                "GET /api/v1/openapi.json describes it",
            )),
        }
    }
}

/// The node that the path names.
pub(crate) struct Node(pub(crate) NodeId);

impl<S: Send + Sync> FromRequestParts<S> for Node {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Word(id) = Word::from_request_parts(parts, state).await?;
        Ok(Node(endpoint(&id)?))
    }
}

/// A word in the path.
pub(crate) struct Word(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(word)) if word.len() <= 300 => Ok(Word(word)),
            _ => Err(Problem::bad_request("the path cannot be understood", "write it in UTF-8")),
        }
    }
}

/// A node's name.
pub(super) fn endpoint(text: &str) -> Result<NodeId, Problem> {
    match text.parse::<Endpoint>() {
        Ok(_) => Ok(NodeId::new(text)),
        Err(_) => Err(Problem::bad_request("this names no node", "give a node as host:port")),
    }
}

pub(super) fn endpoints(texts: &[String]) -> Result<Vec<NodeId>, Problem> {
    if texts.is_empty() || texts.len() > NODES_MAX {
        return Err(Problem::bad_request(
            format!("one to {NODES_MAX} nodes are wanted"),
            "give each node as host:port",
        ));
    }
    texts.iter().map(|text| endpoint(text)).collect()
}

/// A body, at most [`BODY_MAX_BYTES`] and [`BODY`].
pub(super) async fn bytes(request: Request) -> Result<Bytes, Problem> {
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > BODY_MAX_BYTES as u64) {
        return Err(Problem::too_large(BODY_MAX_BYTES));
    }
    match timeout(BODY, Limited::new(request.into_body(), BODY_MAX_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(BODY_MAX_BYTES)),
        Ok(Err(_)) => Err(Problem::bad_request("the body of the request is broken", "send it again")),
        Err(_) => Err(Problem::too_slow()),
    }
}

/// A body of JSON. An empty one is an empty object, so that nothing need be sent where nothing is to be said.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes())) {
            return Err(Problem::unsupported_media_type());
        }
        let body = bytes(request).await?;
        parse(&body).map(Json)
    }
}

/// Other sites' pages can send forms and plain text without being asked, but no JSON.
fn is_json(kind: Option<&[u8]>) -> bool {
    let kind = kind.unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"application/json")
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { body };
    // Serde would take an array for the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::bad_request("the body is no JSON object", "begin it with {"));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(
            format!("the body is not what is wanted here: {error}"),
            "GET /api/v1/openapi.json describes it",
        )
    })
}

/// Nothing to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Nothing {}

/// `POST /api/v1/switchover`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SwitchoverBody {
    /// The new primary, `host:port`; without it the best one.
    #[serde(default)]
    pub(crate) target: Option<String>,
    /// Only say what would be done, and what stands in the way.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// How long to wait for what stands in the way, milliseconds, at most 20,000.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(max = 20000)))]
    pub(crate) wait_ms: u64,
}

/// `POST /api/v1/nodes/{id}/priority`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PriorityBody {
    /// 0 (never leads) to 100; `null`: as the node's own config file says.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(test, schemars(required, range(max = 100)))]
    pub(crate) priority: Option<u32>,
}

/// `POST /api/v1/rejoin`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RejoinBody {
    /// What agents do by themselves with a node that cannot come back as it is.
    #[cfg_attr(test, schemars(with = "super::openapi::RejoinWord"))]
    pub(crate) rejoin: Rejoin,
}

/// `POST /api/v1/members`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MembersBody {
    /// Nodes, each `host:port`.
    #[cfg_attr(test, schemars(length(min = 1, max = 64)))]
    pub(crate) add: Vec<String>,
    /// As nodes that follow for ever.
    #[serde(default)]
    pub(crate) idle: bool,
}

/// `POST /api/v1/nodes/{id}/rebuild`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RebuildBody {
    /// The node to copy from; without it the best one.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// How; without it as suits both servers.
    #[serde(default)]
    pub(crate) method: Option<CopyMethod>,
    /// Though the node is well.
    #[serde(default)]
    pub(crate) force: bool,
    /// At most so many MiB a second.
    #[serde(default)]
    pub(crate) throttle_mib_s: Option<u32>,
    /// Only say what would be done.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// `POST /api/v1/nodes/{id}/backup`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BackupBody {
    /// The folder on the node's own host: absolute, new or empty.
    pub(crate) to: String,
    /// At most so many MiB a second.
    #[serde(default)]
    pub(crate) throttle_mib_s: Option<u32>,
}

/// `POST /api/v1/nodes/{id}/monitor`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MonitorBody {
    /// mysqld is started again whenever it ends.
    pub(crate) on: bool,
}

/// `POST /v1/cluster/add` and `/v1/cluster/remove`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AddressBody {
    /// Nodes, `ip:port,ip:port`.
    pub(crate) address: String,
}
