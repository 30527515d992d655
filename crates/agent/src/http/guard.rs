//! What stands before every answer: how often one may ask, which site's page asks, and who logs in.

use super::App;
use super::answer::Problem;
use super::auth::NoLogin;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::time::Duration;
use xenon_config::ApiRole;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Who asks, for the event log.
#[derive(Debug, Clone)]
pub(crate) struct Who(pub(crate) String);

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Open,
    /// A login that may look.
    Read,
    /// A login that may change something.
    Operate,
}

const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Around everything.
pub(super) async fn everything(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match app.inner.limits.request(peer) {
        Err(wait) => Problem::too_many("too many requests from this address", seconds(wait)).into_response(),
        Ok(()) if is_of_another_site(request.method(), request.headers()) => Problem::forbidden(
            "a page of another site asks for a change",
            "changes are asked for by programs, or by the dashboard of this very address",
        )
        .into_response(),
        Ok(()) => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Before one route.
pub(super) async fn login(
    State((app, access)): State<(App, Access)>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    if access == Access::Open {
        return next.run(request).await;
    }
    let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    if header.is_some()
        && let Err(wait) = app.inner.limits.may_log_in(peer)
    {
        return Problem::too_many("too many wrong logins from this address", seconds(wait)).into_response();
    }
    let login = match app.inner.logins.check(header, peer) {
        Ok(login) => login,
        Err(NoLogin::Absent) => return ask_for_login("no login was given", request.headers()),
        Err(NoLogin::Wrong) => {
            if app.inner.limits.wrong_login(peer) {
                tracing::warn!(%peer, "too many wrong logins over HTTP: none are looked at from there for a minute");
            }
            return ask_for_login("this login is not known", request.headers());
        }
    };
    if access == Access::Operate && login.role < ApiRole::Operate {
        return Problem::forbidden(
            "this login may look, and change nothing",
            "use one with the role \"operate\"",
        )
        .into_response();
    }
    request.extensions_mut().insert(Who(format!("{} (http {peer})", login.name)));
    request.extensions_mut().insert(login);
    next.run(request).await
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(1)
}

/// A browser shows its own window for `Basic`. A script of a page that asks has a better one.
fn ask_for_login(detail: &str, headers: &HeaderMap) -> Response {
    let is_script = headers.get("sec-fetch-dest").is_some_and(|dest| dest.as_bytes() == b"empty");
    let scheme =
        if is_script { "Bearer realm=\"xenon\"" } else { "Basic realm=\"xenon\", charset=\"UTF-8\"" };
    let mut response = Problem::unauthorized(detail).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}

/// Browsers send along what they know of a login, whichever page asks; they also say which page it is.
fn is_of_another_site(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let is_other = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
    if headers.get("sec-fetch-site").is_some_and(is_other) {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let ours = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let theirs = origin.as_bytes();
    let theirs = theirs.strip_prefix(b"http://").or_else(|| theirs.strip_prefix(b"https://"));
    theirs.is_none_or(|theirs| theirs.is_empty() || !theirs.eq_ignore_ascii_case(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let is_other = |method: Method, list: &[(&'static str, &'static str)]| {
            let headers = list
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            is_of_another_site(&method, &headers)
        };
        let host = ("host", "db1:6060");
        assert!(!is_other(Method::POST, &[host]));
        assert!(!is_other(Method::POST, &[host, ("origin", "http://DB1:6060")]));
        assert!(!is_other(
            Method::DELETE,
            &[host, ("origin", "https://db1:6060"), ("sec-fetch-site", "same-origin")]
        ));
        for origin in ["http://evil", "http://db1", "null", "", "http://", "db1:6060", "http://db1:6060.evil"]
        {
            assert!(is_other(Method::POST, &[host, ("origin", origin)]), "{origin}");
        }
        assert!(is_other(Method::POST, &[("origin", "http://")]));
        for site in ["cross-site", "same-site", "x"] {
            assert!(is_other(Method::PUT, &[host, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(!is_other(Method::GET, &[host, ("origin", "http://evil")]), "what it reads, it is not told");
    }
}
