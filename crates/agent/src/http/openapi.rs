//! The description of the API, made from the types that the code reads and answers with, and from the list of its routes.
//!
//! It is checked in as docs/reference/openapi.json, which the agent serves; the test here says when it is not current, and
//! writes it anew with `XENON_UPDATE=1`.

use super::answer::Problem;
use super::bodies::{
    AddressBody, BackupBody, MembersBody, MonitorBody, Nothing, PriorityBody, RebuildBody, RejoinBody,
    SwitchoverBody,
};
use super::change::Done;
use super::compat::{OldProblem, Pong, RaftStatus};
use super::guard::Access;
use super::health::{Health, LagQuery};
use super::read::{Cluster, EventsQuery, Members, Reports, ReportsQuery, Session};
use super::routes::{ROUTES, Route};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use xenon_api::{EventPage, Explanation, NodeStatus, Report, SwitchoverPlan};

/// What agents do by themselves with a node that cannot come back as it is.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is wanted")]
pub(crate) enum RejoinWord {
    /// It is rebuilt from another member, when that loses nothing.
    Auto,
    /// An operator is asked.
    Ask,
}

/// A change, or with `dry_run` the plan of it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is wanted")]
enum DoneOrPlan {
    Done(Done),
    Plan(SwitchoverPlan),
}

/// What is said of one route.
struct Words {
    summary: &'static str,
    query: Option<Schema>,
    body: Option<Schema>,
    answer: Option<Schema>,
    /// Of an answer that is no JSON.
    kind: &'static str,
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

fn words(route: &Route, make: &mut SchemaGenerator) -> Words {
    let key = format!("{} {}", route.method, route.path);
    let of = |summary, query: Option<Schema>, body: Option<Schema>, answer: Schema| Words {
        summary,
        query,
        body,
        answer: Some(answer),
        kind: JSON,
    };
    let other = |summary, query, kind| Words { summary, query, body: None, answer: None, kind };
    macro_rules! schema {
        ($type:ty) => {
            make.subschema_for::<$type>()
        };
    }
    macro_rules! inline {
        ($type:ty) => {
            Some(<$type>::json_schema(make))
        };
    }
    match key.as_str() {
        "GET /primary" | "OPTIONS /primary" => of(
            "200 only while this node leads with a valid lease and its server is open for writes",
            None,
            None,
            schema!(Health),
        ),
        "GET /replica" | "OPTIONS /replica" => {
            let query = inline!(LagQuery);
            of(
                "200 when this node is a healthy replica that lags no more than `lag`",
                query,
                None,
                schema!(Health),
            )
        }
        "GET /read-only" | "OPTIONS /read-only" => {
            let query = inline!(LagQuery);
            of("200 when /primary or /replica is 200", query, None, schema!(Health))
        }
        "GET /health" | "OPTIONS /health" => {
            of("200 when the agent lives and its mysqld answers", None, None, schema!(Health))
        }
        "GET /ready" | "OPTIONS /ready" => {
            of("200 when the node does what it is there for", None, None, schema!(Health))
        }
        "GET /metrics" => other("Metrics for Prometheus", None, "text/plain"),
        "GET /" => other("The dashboard", None, "text/html"),
        "GET /ui/{*path}" => other("The dashboard's files", None, "*/*"),
        "GET /api/v1/openapi.json" => other("This document", None, JSON),
        "GET /api/v1/session" => {
            of("Who asks, what that login may do, and which node answers", None, None, schema!(Session))
        }
        "GET /api/v1/status" => of("This node's whole status", None, None, schema!(NodeStatus)),
        "GET /api/v1/nodes/{id}/status" => of("One member's whole status", None, None, schema!(NodeStatus)),
        "GET /api/v1/cluster" => {
            of("Every member's status, gathered by this node within a second", None, None, schema!(Cluster))
        }
        "GET /api/v1/members" => of("The members and who leads them", None, None, schema!(Members)),
        "GET /api/v1/explain" => {
            of("Why each node leads, may lead, or may not", None, None, schema!(Explanation))
        }
        "GET /api/v1/events" => {
            let query = inline!(EventsQuery);
            of("What happened on this node, oldest first", query, None, schema!(EventPage))
        }
        "GET /api/v1/events/stream" => {
            let query = inline!(EventsQuery);
            other(
                "The same as it happens, as server-sent events; honours Last-Event-ID",
                query,
                "text/event-stream",
            )
        }
        "GET /api/v1/reports" => {
            let query = inline!(ReportsQuery);
            of("Failovers and handovers, newest first", query, None, schema!(Reports))
        }
        "GET /api/v1/reports/{id}" => {
            of("One of them, whole, from whichever node has it", None, None, schema!(Report))
        }
        "POST /api/v1/switchover" => {
            let body = Some(schema!(SwitchoverBody));
            of(
                "Hand leadership over in order; the answer comes when it has begun",
                None,
                body,
                schema!(DoneOrPlan),
            )
        }
        "POST /api/v1/pause" => {
            let body = Some(schema!(Nothing));
            of("Nobody stands, and nobody steps down for a lost lease", None, body, schema!(Done))
        }
        "POST /api/v1/resume" => {
            let body = Some(schema!(Nothing));
            of("Elections are held again", None, body, schema!(Done))
        }
        "POST /api/v1/rejoin" => {
            let body = Some(schema!(RejoinBody));
            of("Whether agents rebuild a node that cannot come back as it is", None, body, schema!(Done))
        }
        "POST /api/v1/members" => {
            let body = Some(schema!(MembersBody));
            of("Take nodes in; forms the cluster when this node has none", None, body, schema!(Done))
        }
        "DELETE /api/v1/members/{id}" => of("Let a node go", None, None, schema!(Done)),
        "POST /api/v1/nodes/{id}/priority" => {
            let body = Some(schema!(PriorityBody));
            of("Which of equally recent nodes leads", None, body, schema!(Done))
        }
        "POST /api/v1/nodes/{id}/rebuild" => {
            let body = Some(schema!(RebuildBody));
            of("Build a node anew from another's data", None, body, schema!(Done))
        }
        "DELETE /api/v1/nodes/{id}/rebuild" => {
            of("Give a rebuild up, as long as the node's own data is untouched", None, None, schema!(Done))
        }
        "POST /api/v1/nodes/{id}/backup" => {
            let body = Some(schema!(BackupBody));
            of("Copy a node's data into a folder of its host, and prove the copy", None, body, schema!(Done))
        }
        "DELETE /api/v1/nodes/{id}/backup" => of("End a backup", None, None, schema!(Done)),
        "POST /api/v1/nodes/{id}/mysqld/start" => {
            let body = Some(schema!(Nothing));
            of("Start mysqld", None, body, schema!(Done))
        }
        "POST /api/v1/nodes/{id}/mysqld/stop" => {
            let body = Some(schema!(Nothing));
            of("Shut mysqld down; a leader hands over first", None, body, schema!(Done))
        }
        "POST /api/v1/nodes/{id}/mysqld/kill" => {
            let body = Some(schema!(Nothing));
            of("Kill mysqld (SIGKILL)", None, body, schema!(Done))
        }
        "POST /api/v1/nodes/{id}/monitor" => {
            let body = Some(schema!(MonitorBody));
            of("Whether mysqld is started again whenever it ends", None, body, schema!(Done))
        }
        "POST /v1/cluster/add" => {
            let body = Some(schema!(AddressBody));
            of("As the Go tool: take nodes in", None, body, schema!(Done))
        }
        "POST /v1/cluster/remove" => {
            let body = Some(schema!(AddressBody));
            of("As the Go tool: let nodes go", None, body, schema!(Done))
        }
        "GET /v1/raft/status" => of("As the Go tool: state, leader, nodes", None, None, schema!(RaftStatus)),
        "POST /v1/raft/trytoleader" => {
            of("As the Go tool: hand leadership over to this node", None, None, schema!(Done))
        }
        "PUT /v1/raft/disable" => {
            of("As the Go tool: this node takes no part in elections", None, None, schema!(Done))
        }
        "PUT /v1/raft/disablechecksemisync" => {
            of("As the Go tool: accepted, there is nothing to switch off", None, None, schema!(Done))
        }
        "GET /v1/xenon/ping" => of("As the Go tool: is anybody there?", None, None, schema!(Pong)),
        other => panic!("{other} is not described"),
    }
}

/// What may go wrong, by status.
fn problems(route: &Route, words: &Words) -> Vec<(&'static str, &'static str)> {
    let mut list = vec![("429", "Too many requests, or too many wrong logins, from this address")];
    let is_change = route.method != "GET" && route.method != "OPTIONS";
    if route.access != Access::Open {
        list.push(("401", "No login, or one that is not known"));
        list.push(("503", "The agent is stopping, or too busy"));
        list.push(("504", "The agent's loop did not come to an answer"));
    }
    if is_change {
        list.push(("403", "The login may only look, or a page of another site asks"));
        let code = if route.path.starts_with("/v1/") { "500" } else { "409" };
        list.push((code, "Refused: what, why, and what to try"));
        list.push(("502", "The node that it is for does not answer"));
    }
    if words.query.is_some() || words.body.is_some() || route.path.contains('{') {
        list.push(("400", "The request cannot be understood"));
    }
    if words.body.is_some() {
        list.push(("408", "The body did not come in time"));
        list.push(("413", "The body is too large"));
    }
    if words.body.is_some() && !route.path.starts_with("/v1/") {
        list.push(("415", "The body is no JSON, by its own word"));
    }
    if route.path.contains("/nodes/{id}/")
        || route.path.contains("/reports/{id}")
        || route.path.contains("{*path}")
    {
        list.push(("404", "There is no such thing"));
    }
    if route.path == "/api/v1/nodes/{id}/status" {
        list.push(("502", "That node does not answer"));
        list.push(("409", "Refused: what, why, and what to try"));
    }
    if route.path == "/api/v1/explain" {
        list.push(("409", "Refused: what, why, and what to try"));
    }
    list.sort_unstable();
    list
}

/// A parameter for each field of a query's type.
fn query_parameters(schema: &Schema) -> Vec<Value> {
    let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let described = |(name, field): (String, Value)| {
        let mut field = field.as_object().cloned().unwrap_or_default();
        let description = field.remove("description").unwrap_or_default();
        field.remove("default");
        // Absent is the only way to say nothing in a query.
        if let Some(Value::Array(types)) = field.get("type") {
            let first = types.first().cloned().unwrap_or_default();
            field.insert("type".to_owned(), first);
        }
        if name == "lag" {
            field.insert("pattern".to_owned(), json!(r"^[0-9]{1,6}(ms|s|m|min|h)?$"));
        }
        json!({"name": name, "in": "query", "required": false, "description": description, "schema": field})
    };
    fields.into_iter().map(described).collect()
}

fn operation(route: &Route, make: &mut SchemaGenerator) -> Value {
    let words = words(route, make);
    let is_old = route.path.starts_with("/v1/");
    let content = match &words.answer {
        Some(schema) => json!({words.kind: {"schema": schema}}),
        None if words.kind == JSON => json!({JSON: {"schema": {"type": "object"}}}),
        None => json!({words.kind: {"schema": {"type": "string"}}}),
    };
    let mut responses = Map::new();
    responses
        .insert("200".to_owned(), json!({"description": "Done, or what was asked for", "content": content}));
    let problem = if is_old && route.method != "GET" {
        make.subschema_for::<OldProblem>()
    } else {
        make.subschema_for::<Problem>()
    };
    for (status, description) in problems(route, &words) {
        let mut problem = json!({"description": description, "content": {PROBLEM: {"schema": problem}}});
        if is_old {
            // Before the old handlers come those that answer everybody.
            problem["content"][PROBLEM]["schema"] = json!({"type": "object"});
        }
        if status == "401" {
            problem["headers"] = json!({"WWW-Authenticate": {"schema": {"type": "string"}}});
        }
        if status == "429" {
            problem["headers"] = json!({"Retry-After": {"schema": {"type": "integer"}}});
        }
        responses.insert(status.to_owned(), problem);
    }
    if route.access == Access::Open && words.answer.is_some() {
        let health = make.subschema_for::<Health>();
        responses.insert(
            "503".to_owned(),
            json!({"description": "Not so; `why` says why", "content": {JSON: {"schema": health}}}),
        );
    }
    let mut parameters = words.query.as_ref().map(query_parameters).unwrap_or_default();
    if route.path.contains("{id}") {
        let is_report = route.path.contains("/reports/");
        let pattern =
            if is_report { "^[A-Za-z0-9-]{1,100}$" } else { r"^[A-Za-z0-9.-]{1,60}:[1-9][0-9]{0,3}$" };
        let description = if is_report { "Name of a report" } else { "A member's endpoint, host:port" };
        parameters.push(json!({"name": "id", "in": "path", "required": true, "description": description,
            "schema": {"type": "string", "pattern": pattern}}));
    }
    if route.path.contains("{*path}") {
        parameters
            .push(json!({"name": "path", "in": "path", "required": true, "description": "Name of a file",
            "schema": {"type": "string"}}));
    }
    if route.path == "/api/v1/events/stream" {
        parameters.push(json!({"name": "Last-Event-ID", "in": "header", "required": false,
            "description": "Number of the last event seen; goes before `after`",
            "schema": {"type": "integer", "minimum": 0}}));
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [tag(route)],
        "summary": words.summary,
        "responses": responses,
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = &words.body {
        operation["requestBody"] = json!({"required": true, "content": {JSON: {"schema": body}}});
    }
    if route.access != Access::Open {
        operation["security"] = json!([{"basic": []}, {"token": []}]);
        operation["x-role"] = json!(if route.access == Access::Read { "read" } else { "operate" });
    }
    operation
}

fn tag(route: &Route) -> &'static str {
    match route.path {
        path if path.starts_with("/v1/") => "Go tool",
        path if path.starts_with("/api/") => "cluster",
        "/metrics" | "/" | "/ui/{*path}" => "pages",
        _ => "health",
    }
}

fn operation_id(route: &Route) -> String {
    let path: Vec<&str> = route
        .path
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let path = if path.is_empty() { "dashboard".to_owned() } else { path.join("_") };
    format!("{}_{path}", route.method.to_lowercase())
}

fn document() -> Value {
    let mut make = SchemaGenerator::new(SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    }));
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let operation = operation(route, &mut make);
        let path = route.path.replace("{*path}", "{path}");
        paths.entry(path).or_default().insert(route.method.to_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Xenon",
            "version": "1",
            "description": "The HTTP API of the agent beside every mysqld. Served where `server.enable-apis` is on, at \
                `server.peer-address`. Everything is JSON; what is refused or fails is told as RFC 9457 problems with the \
                fields `detail` (what and why) and `cure` (what to try).",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": make.take_definitions(true),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "mysql.admin and mysql.passwd of the agent's config"},
                "token": {"type": "http", "scheme": "bearer", "description": "a token of server.api-tokens-file"},
            },
        },
    })
}

#[test]
fn the_description_that_is_served_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
    let mut made = serde_json::to_string_pretty(&document()).expect("plain values");
    made.push('\n');
    if std::env::var_os("XENON_UPDATE").is_some() {
        std::fs::write(path, &made).expect("docs/reference is there");
    }
    let kept = std::fs::read_to_string(path).expect("docs/reference/openapi.json");
    assert!(
        kept == made,
        "docs/reference/openapi.json is not current: XENON_UPDATE=1 cargo nextest run -p xenon-agent description"
    );
}
