//! Every path, and who may use it. The OpenAPI document is checked against this list.

use super::answer::Problem;
use super::guard::{self, Access};
use super::{App, change, compat, events, health, metrics, read, ui};
use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

/// One path with one method.
pub(super) struct Route {
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the check of the description"))]
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) access: Access,
    make: fn() -> MethodRouter<App>,
}

/// What the API is described by.
const OPENAPI: &str = include_str!("../../../../docs/reference/openapi.json");

macro_rules! routes {
    ($( $method:ident $path:literal $access:ident $handler:path; )*) => {
        /// All of them.
        pub(super) const ROUTES: &[Route] = &[ $(
            Route {
                method: stringify!($method),
                path: $path,
                access: Access::$access,
                make: || handle(MethodFilter::$method, $handler),
            },
        )* ];
    };
}

fn handle<T: 'static>(method: MethodFilter, handler: impl Handler<T, App>) -> MethodRouter<App> {
    on(method, handler)
}

routes! {
    GET "/primary" Open health::primary;
    OPTIONS "/primary" Open health::primary;
    GET "/replica" Open health::replica;
    OPTIONS "/replica" Open health::replica;
    GET "/read-only" Open health::read_only;
    OPTIONS "/read-only" Open health::read_only;
    GET "/health" Open health::health;
    OPTIONS "/health" Open health::health;
    GET "/ready" Open health::ready;
    OPTIONS "/ready" Open health::ready;
    GET "/metrics" Open metrics::metrics;
    GET "/" Open ui::index;
    GET "/ui/{*path}" Open ui::file;

    GET "/api/v1/openapi.json" Open openapi;
    GET "/api/v1/session" Read read::session;
    GET "/api/v1/status" Read read::status;
    GET "/api/v1/cluster" Read read::cluster;
    GET "/api/v1/members" Read read::members;
    GET "/api/v1/explain" Read read::explain;
    GET "/api/v1/nodes/{id}/status" Read read::node_status;
    GET "/api/v1/events" Read read::events;
    GET "/api/v1/events/stream" Read events::stream;
    GET "/api/v1/reports" Read read::reports;
    GET "/api/v1/reports/{id}" Read read::report;

    POST "/api/v1/switchover" Operate change::switchover;
    POST "/api/v1/pause" Operate change::pause;
    POST "/api/v1/resume" Operate change::resume;
    POST "/api/v1/rejoin" Operate change::rejoin;
    POST "/api/v1/members" Operate change::add_members;
    DELETE "/api/v1/members/{id}" Operate change::remove_member;
    POST "/api/v1/nodes/{id}/priority" Operate change::priority;
    POST "/api/v1/nodes/{id}/rebuild" Operate change::rebuild;
    DELETE "/api/v1/nodes/{id}/rebuild" Operate change::cancel_rebuild;
    POST "/api/v1/nodes/{id}/backup" Operate change::backup;
    DELETE "/api/v1/nodes/{id}/backup" Operate change::cancel_backup;
    POST "/api/v1/nodes/{id}/mysqld/start" Operate change::mysqld_start;
    POST "/api/v1/nodes/{id}/mysqld/stop" Operate change::mysqld_stop;
    POST "/api/v1/nodes/{id}/mysqld/kill" Operate change::mysqld_kill;
    POST "/api/v1/nodes/{id}/monitor" Operate change::monitor;

    POST "/v1/cluster/add" Operate compat::add;
    POST "/v1/cluster/remove" Operate compat::remove;
    GET "/v1/raft/status" Read compat::raft_status;
    POST "/v1/raft/trytoleader" Operate compat::try_to_leader;
    PUT "/v1/raft/disable" Operate compat::disable;
    PUT "/v1/raft/disablechecksemisync" Operate compat::disable_check_semi_sync;
    GET "/v1/xenon/ping" Read compat::ping;
}

/// The whole of it.
pub(super) fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let login = from_fn_with_state((app.clone(), route.access), guard::login);
        router = router.route(route.path, (route.make)().layer(login));
    }
    router
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .fallback(|| async {
            Problem::not_found(
                "there is nothing at this path",
                "GET /api/v1/openapi.json lists what there is",
            )
        })
        .layer(from_fn_with_state(app.clone(), guard::everything))
        .with_state(app)
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], OPENAPI).into_response()
}
