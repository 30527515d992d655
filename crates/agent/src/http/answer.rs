//! Answers: JSON, and problems by RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use xenon_api::Refusal;
use xenon_election::NodeId;

/// What is told of an error; `application/problem+json`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Problem {
    /// The kind of problem, in a few words.
    pub(crate) title: &'static str,
    /// The status of the answer.
    pub(crate) status: u16,
    /// What is wrong, and why.
    pub(crate) detail: String,
    /// What to try.
    pub(crate) cure: String,
    /// The node to ask instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) ask: Option<NodeId>,
    /// Seconds to wait before it is tried again; becomes `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after_s: Option<u64>,
}

impl Problem {
    fn new(status: u16, title: &'static str, detail: impl Into<String>, cure: impl Into<String>) -> Problem {
        Problem { title, status, detail: detail.into(), cure: cure.into(), ask: None, retry_after_s: None }
    }

    /// The request cannot be understood.
    pub(crate) fn bad_request(detail: impl Into<String>, cure: impl Into<String>) -> Problem {
        Problem::new(400, "Bad request", detail, cure)
    }

    /// No login, or a wrong one. It is not said which part of it is wrong.
    pub(crate) fn unauthorized(detail: &str) -> Problem {
        Problem::new(
            401,
            "Login needed",
            detail,
            "log in as mysql.admin with mysql.passwd of the agent's config, or with a token of server.api-tokens-file",
        )
    }

    /// The login does not allow it.
    pub(crate) fn forbidden(detail: impl Into<String>, cure: impl Into<String>) -> Problem {
        Problem::new(403, "Not allowed", detail, cure)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>, cure: impl Into<String>) -> Problem {
        Problem::new(404, "Not found", detail, cure)
    }

    /// Another method is wanted.
    pub(crate) fn method_not_allowed() -> Problem {
        Problem::new(
            405,
            "Method not allowed",
            "this is not done with this method",
            "the header Allow names the methods; GET /api/v1/openapi.json describes them",
        )
    }

    /// The body did not come in time.
    pub(crate) fn too_slow() -> Problem {
        Problem::new(408, "Too slow", "the body of the request did not come in time", "send it at once")
    }

    /// The cluster or the node is in no state for it.
    pub(crate) fn refused(refusal: Refusal) -> Problem {
        Problem { ask: refusal.ask, ..Problem::new(409, "Refused", refusal.what, refusal.cure) }
    }

    /// Too many bytes.
    pub(crate) fn too_large(limit_bytes: usize) -> Problem {
        Problem::new(
            413,
            "Too large",
            format!("a body has at most {limit_bytes} bytes here"),
            "send a smaller one",
        )
    }

    /// Not JSON, by its own word.
    pub(crate) fn unsupported_media_type() -> Problem {
        Problem::new(
            415,
            "Not JSON",
            "what changes something is asked for with the header Content-Type: application/json",
            "add the header; the body may be empty where nothing is to be said",
        )
    }

    /// Too often.
    pub(crate) fn too_many(detail: impl Into<String>, retry_after_s: u64) -> Problem {
        let problem = Problem::new(429, "Too many requests", detail, "wait, and ask less often");
        Problem { retry_after_s: Some(retry_after_s.max(1)), ..problem }
    }

    /// A mistake of this program.
    pub(crate) fn internal(detail: impl Into<String>) -> Problem {
        Problem::new(500, "Internal error", detail, "look at the agents' logs, and report this")
    }

    /// Another node did not answer, or not sensibly.
    pub(crate) fn bad_gateway(detail: impl Into<String>) -> Problem {
        Problem::new(502, "The other node does not answer", detail, "look at GET /api/v1/cluster")
    }

    /// Not now.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
        let problem = Problem::new(503, "Not available", detail, Refusal::LATER);
        Problem { retry_after_s: Some(1), ..problem }
    }

    /// The loop did not come to it.
    pub(crate) fn no_answer(detail: impl Into<String>) -> Problem {
        Problem::new(504, "No answer in time", detail, "look at the agent's log, and at its disk")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json_as(status, "application/problem+json", &self);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// 200 with JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    json_as(StatusCode::OK, "application/json", value)
}

pub(crate) fn json_as(status: StatusCode, kind: &'static str, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response(),
        // Numbers and text only: there is nothing that JSON could not say.
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON; please report this");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
