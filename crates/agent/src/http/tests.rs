//! The whole API over real sockets, with a stand-in for the loop.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper that fails fails the test"
)]

mod listening;

use super::view::View;
use super::{App, listen, routes};
use crate::input::Input;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use xenon_api::{Call, Event, EventKind, EventPage, Refusal, Reply, Request, Response};
use xenon_channel::{Client, ClientOptions, Identity};
use xenon_config::{ApiRole, ApiToken, Config, Secret};
use xenon_election::NodeId;

const PASSWORD: &str = "geheim-pass";
const READER: &str = "reading-token-0123456789";
const OPERATOR: &str = "operating-token-0123456789";
/// Nothing here takes longer, on a busy machine either.
const BOUND: Duration = Duration::from_secs(20);

struct Api {
    address: SocketAddr,
    view: watch::Sender<View>,
    /// What the loop was asked.
    calls: Arc<Mutex<Vec<Call>>>,
}

struct Got {
    status: u16,
    head: String,
    body: String,
}

/// An API whose loop answers with what `answer` gives; `None`: never.
async fn api(answer: impl Fn(&Request) -> Option<Reply> + Send + 'static) -> Api {
    let mut config = Config::default();
    config.mysql.passwd = Secret::from(PASSWORD);
    let token =
        |role, token: &str, name: &str| ApiToken { role, token: Secret::from(token), name: name.to_owned() };
    config.api_tokens = vec![token(ApiRole::Read, READER, "dash"), token(ApiRole::Operate, OPERATOR, "ann")];
    let identity = Identity::from_secret(b"0123456789abcdef0123456789abcdef", "127.0.0.1:8080").unwrap();
    let client = Client::new(identity, ClientOptions::default());
    let (inputs, mut inbox) = mpsc::channel(16);
    let (view, views) = watch::channel(View::unknown(Instant::now()));
    let router = routes::router(App::new(&config, inputs, client, views));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::accept(listener, None, router));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    tokio::spawn(async move {
        let mut unanswered = Vec::new();
        while let Some(input) = inbox.recv().await {
            let Input::Call { call, reply } = input else { panic!("only calls come from there") };
            match answer(&call.request) {
                Some(answer) => drop(reply.send(answer)),
                None => unanswered.push(reply),
            }
            noted.lock().unwrap().push(call);
        }
    });
    Api { address, view, calls }
}

fn done(_: &Request) -> Option<Reply> {
    Some(Reply::Ok(Response::Done { message: "done".to_owned() }))
}

impl Api {
    /// Sends bytes as they are, and reads until the other end has said all.
    async fn raw(&self, bytes: &[u8]) -> String {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // The other end may have closed before all is sent.
            let _ = stream.write_all(bytes).await;
            let mut got = Vec::new();
            let _ = stream.read_to_end(&mut got).await;
            String::from_utf8(got).expect("answers are text")
        };
        timeout(BOUND, exchange).await.expect("the connection ends by itself")
    }

    async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Got {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        got(&self.raw(format!("{text}\r\n{body}").as_bytes()).await)
    }

    async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[&bearer(READER)], "").await
    }

    async fn post(&self, path: &str, body: &str) -> Got {
        self.send("POST", path, &[&bearer(OPERATOR), JSON], body).await
    }

    fn asked(&self) -> Vec<Request> {
        self.calls.lock().unwrap().iter().map(|call| call.request.clone()).collect()
    }
}

const JSON: &str = "Content-Type: application/json; charset=utf-8";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {text}")
}

fn got(text: &str) -> Got {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Got { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Every problem says what and what to try, and no secret.
fn is_problem(got: &Got, status: u16) {
    assert_eq!(got.status, status, "{} {}", got.head, got.body);
    assert!(got.head.contains("content-type: application/problem+json"), "{}", got.head);
    let problem: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
    assert_eq!(problem["status"], status);
    assert!(!problem["detail"].as_str().unwrap().is_empty() && !problem["cure"].as_str().unwrap().is_empty());
    for secret in [PASSWORD, READER, OPERATOR] {
        assert!(!got.body.contains(secret) && !got.head.contains(secret));
    }
}

#[tokio::test]
async fn health_is_answered_at_once_though_the_loop_says_nothing() {
    let api = api(|_| None).await;
    assert_eq!(api.get("/primary").await.status, 503, "nothing is known yet");
    let fresh = || View {
        state: "LEADER",
        primary: Ok(()),
        server: Ok(()),
        joined: Ok(()),
        lease_until: Some(Instant::now() + Duration::from_secs(60)),
        ..View::unknown(Instant::now())
    };
    api.view.send_replace(fresh());
    for path in ["/primary", "/read-only", "/health", "/ready"] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            api.view.send_replace(fresh());
            let got = api.send(method, path, &[], "").await;
            assert_eq!(got.status, 200, "{method} {path}: {}", got.body);
            assert_eq!(got.body.is_empty(), method == "HEAD");
        }
    }
    assert_eq!(api.get("/replica").await.status, 503);
    is_problem(&api.get("/replica?lag=much").await, 400);
    api.view.send_replace(View { lease_until: Some(Instant::now()), ..fresh() });
    let late = api.get("/primary").await;
    assert!(late.status == 503 && late.body.contains("its lease as the leader has run out"), "{}", late.body);
    assert_eq!(api.get("/health").await.status, 200);
    let stale = View { at: Instant::now() - Duration::from_secs(2), ..fresh() };
    api.view.send_replace(stale);
    for path in ["/primary", "/replica", "/read-only", "/health", "/ready"] {
        let got = api.get(path).await;
        assert!(got.status == 503 && got.body.contains("not come to look"), "{path}: {}", got.body);
    }
    assert!(api.asked().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn logins_roles_and_wrong_ones() {
    let api = api(done).await;
    let pause = "/api/v1/pause";
    is_problem(&api.send("POST", pause, &[JSON], "").await, 401);
    is_problem(&api.send("GET", "/api/v1/members", &[], "").await, 401);
    is_problem(&api.send("GET", "/v1/raft/status", &[], "").await, 401);
    is_problem(&api.send("POST", pause, &[JSON, &bearer(READER)], "").await, 403);
    assert!(api.asked().is_empty());
    assert_eq!(api.send("POST", pause, &[JSON, &bearer(OPERATOR)], "").await.status, 200);
    assert_eq!(api.send("POST", pause, &[JSON, &basic("root", PASSWORD)], "{}").await.status, 200);
    let who: Vec<String> = api.calls.lock().unwrap().iter().map(|call| call.who.clone()).collect();
    assert_eq!(who, ["ann (http 127.0.0.1)", "root (http 127.0.0.1)"]);

    let window = api.send("GET", "/api/v1/members", &[], "").await;
    assert!(window.head.contains("www-authenticate: basic"), "{}", window.head);
    let script = api.send("GET", "/api/v1/members", &["Sec-Fetch-Dest: empty"], "").await;
    assert!(script.head.contains("www-authenticate: bearer"), "{}", script.head);

    for _ in 0..10 {
        is_problem(&api.send("POST", pause, &[JSON, &basic("root", "wrong")], "").await, 401);
    }
    let locked = api.send("POST", pause, &[JSON, &basic("root", PASSWORD)], "").await;
    is_problem(&locked, 429);
    assert!(locked.head.contains("retry-after: "), "{}", locked.head);
    assert_eq!(api.asked().len(), 2, "a right one says nothing then either");
    assert_eq!(api.send("GET", "/health", &[], "").await.status, 503, "no login, no lock");
}

#[tokio::test]
async fn pages_of_other_sites_and_what_is_no_json() {
    let api = api(done).await;
    let operator = bearer(OPERATOR);
    let pause = "/api/v1/pause";
    is_problem(&api.send("POST", pause, &[&operator, JSON, "Origin: http://evil.example"], "").await, 403);
    is_problem(&api.send("POST", pause, &[&operator, JSON, "Sec-Fetch-Site: cross-site"], "").await, 403);
    is_problem(&api.send("PUT", "/v1/raft/disable", &[&operator, "Origin: null"], "").await, 403);
    let kinds = ["X: y", "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded"];
    for kind in kinds {
        is_problem(&api.send("POST", pause, &[&operator, kind], "{}").await, 415);
    }
    assert!(api.asked().is_empty());
    let own = format!("Origin: http://{}", api.address);
    let got = api.send("POST", pause, &[&operator, JSON, &own, "Sec-Fetch-Site: same-origin"], "").await;
    assert_eq!(got.status, 200);
    for header in [
        "content-security-policy: default-src 'self'",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "cache-control: no-store",
    ] {
        assert!(got.head.contains(header), "{}", got.head);
    }
    assert!(!got.head.contains("access-control"), "{}", got.head);
}

#[tokio::test]
async fn every_change_becomes_the_call_that_is_meant() {
    let status = || {
        let status = r#"{"id":"127.0.0.1:8080","state":"LEADER","view_id":1,"epoch_id":1,"cluster":null,"leader":"127.0.0.1:8080",
            "members":[],"mysqld":{"running":false,"pid":null,"monitor":false,"last_error":"","starts":0},
            "mysql":{"alive":false,"writable":false,"address":"","version":"","server_uuid":null,"executed":"","marker":0,
            "binlog_file":"","binlog_position":0,"replication":null,"semi_sync_source":null,"semi_sync_replica":null,"last_error":""},
            "backup":{"state":"NONE","last_error":""},"counters":{"idle_count":0,"leader_promotes":0,"leader_degrades":0,
            "leader_gets_heartbeats":0,"leader_gets_votes":0,"candidate_promotes":0,"candidate_degrades":0},"unfit":null,
            "errant":"","doing":[],"troubles":[],"last_promotion":null,"config_path":"","version":"","pid":1,"uptime_s":1,
            "state_uptime_s":1}"#;
        serde_json::from_str(status).map(Box::new).expect("a status")
    };
    let api = api(move |request| match request {
        Request::Status => Some(Reply::Ok(Response::Status(status()))),
        request => done(request),
    })
    .await;
    let me = "127.0.0.1:8080";
    let node = NodeId::new(me);
    let bodies = [
        ("/api/v1/switchover", format!(r#"{{"target":"{me}","wait_ms":5}}"#)),
        ("/api/v1/members", format!(r#"{{"add":["{me}"],"idle":true}}"#)),
        ("/api/v1/rejoin", r#"{"rejoin":"ask"}"#.to_owned()),
        ("/api/v1/nodes/127.0.0.1:8080/priority", r#"{"priority":null}"#.to_owned()),
        ("/api/v1/nodes/127.0.0.1:8080/rebuild", r#"{"method":"clone","throttle_mib_s":5}"#.to_owned()),
        ("/api/v1/nodes/127.0.0.1:8080/backup", r#"{"to":"/backup/x"}"#.to_owned()),
        ("/api/v1/nodes/127.0.0.1:8080/mysqld/stop", String::new()),
        ("/api/v1/nodes/127.0.0.1:8080/monitor", r#"{"on":false}"#.to_owned()),
        ("/v1/cluster/add", r#"{"address":"127.0.0.1:8080, 127.0.0.2:8080"}"#.to_owned()),
    ];
    for (path, body) in &bodies {
        let got = api.post(path, body).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        assert_eq!(got.body, format!(r#"{{"ok":true,"node":"{me}","message":"done"}}"#));
    }
    let operator = bearer(OPERATOR);
    assert_eq!(api.send("DELETE", &format!("/api/v1/members/{me}"), &[&operator], "").await.status, 200);
    let switchover = Request::Switchover { target: Some(node.clone()), dry_run: false, wait_ms: 5 };
    let backup = xenon_api::BackupOptions { to: "/backup/x".to_owned(), throttle_mib_s: None };
    let rebuild = xenon_api::RebuildOptions {
        method: Some(xenon_api::Method::Clone),
        throttle_mib_s: Some(5),
        ..xenon_api::RebuildOptions::default()
    };
    assert_eq!(
        api.asked(),
        [
            switchover,
            Request::ClusterAdd { nodes: vec![node.clone()], idle: true },
            Request::SetRejoin { rejoin: xenon_election::Rejoin::Ask },
            Request::SetPriority { node: node.clone(), priority: None },
            Request::Rebuild(rebuild),
            Request::Backup(backup),
            Request::MysqlShutdown,
            Request::Monitor { on: false },
            Request::ClusterAdd { nodes: vec![node.clone(), NodeId::new("127.0.0.2:8080")], idle: false },
            Request::ClusterRemove { nodes: vec![node] },
        ]
    );
    let already = api.post("/v1/raft/trytoleader", "").await;
    assert!(already.status == 200 && already.body.contains("leads already"), "{}", already.body);
    let raft = api.get("/v1/raft/status").await;
    assert_eq!(raft.body, format!(r#"{{"state":"LEADER","leader":"{me}","nodes":[]}}"#));
    // Whoever is no member is never connected to.
    is_problem(&api.post("/api/v1/nodes/10.0.0.1:80/mysqld/kill", "").await, 404);
}

#[tokio::test]
async fn refusals_and_silence_of_the_loop() {
    let api = api(|request| match request {
        Request::Ping | Request::Explain => None,
        _ => {
            Some(Reply::Refused(Refusal { what: "not now".to_owned(), cure: "later".to_owned(), ask: None }))
        }
    })
    .await;
    is_problem(&api.post("/api/v1/resume", "").await, 409);
    let old = api.send("PUT", "/v1/raft/disable", &[&bearer(OPERATOR)], "").await;
    is_problem(&old, 500);
    assert!(old.body.contains(r#""Error":"not now; try: later""#), "{}", old.body);
    is_problem(&api.get("/api/v1/explain").await, 504);
    is_problem(&api.get("/v1/xenon/ping").await, 504);
}

#[tokio::test]
async fn wrong_words_are_refused_by_name() {
    let api = api(done).await;
    for (path, body) in [
        ("/api/v1/switchover", r#"{"target":"nowhere"}"#),
        ("/api/v1/switchover", r#"{"target":5}"#),
        ("/api/v1/switchover", r#"{"wait_ms":20001}"#),
        ("/api/v1/switchover", r#"{"wait":1}"#),
        ("/api/v1/switchover", "{"),
        ("/api/v1/switchover", "[]"),
        ("/api/v1/switchover", "\u{0}"),
        ("/api/v1/pause", r#"{"x":1}"#),
        ("/api/v1/rejoin", "{}"),
        ("/api/v1/members", r#"{"add":[]}"#),
        ("/api/v1/nodes/127.0.0.1:8080/priority", "{}"),
        ("/api/v1/nodes/127.0.0.1:8080/backup", r#"{"to":"relative"}"#),
        ("/api/v1/nodes/127.0.0.1:8080/backup", "{\"to\":\"/a\\u0000b\"}"),
        ("/api/v1/nodes/%00/mysqld/kill", ""),
        ("/api/v1/nodes/%ff%fe/mysqld/kill", ""),
        ("/api/v1/nodes/..%2f..%2fetc/mysqld/kill", ""),
        ("/v1/cluster/add", "{}"),
        ("/v1/cluster/add", r#"{"address":",,"}"#),
    ] {
        is_problem(&api.post(path, body).await, 400);
    }
    for path in [
        "/api/v1/events?after=x",
        "/api/v1/events?limit=0",
        "/api/v1/reports?all=maybe",
        "/api/v1/reports/%2e%2e",
        "/api/v1/nodes//status",
    ] {
        is_problem(&api.get(path).await, 400);
    }
    for path in ["/nothing", "/api/v1/", "/ui/../mod.rs", "/ui/%2e%2e/x", "//"] {
        is_problem(&api.get(path).await, 404);
    }
    is_problem(&api.send("BREW", "/primary", &[], "").await, 405);
    is_problem(&api.send("PUT", "/api/v1/pause", &[&bearer(OPERATOR)], "").await, 405);
    assert!(api.asked().is_empty(), "{:?}", api.asked());
}

#[tokio::test]
async fn hostile_connections_move_nobody() {
    let api = api(done).await;
    let head = format!(
        "POST /api/v1/pause HTTP/1.1\r\nHost: x\r\n{}\r\n{JSON}\r\nConnection: close\r\n",
        bearer(OPERATOR)
    );
    // A body that is announced, and one that is not.
    is_problem(&got(&api.raw(format!("{head}Content-Length: 99999999999\r\n\r\n{{").as_bytes()).await), 413);
    let chunks =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n20000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x20000));
    is_problem(&got(&api.raw(chunks.as_bytes()).await), 413);
    // One that never comes.
    is_problem(&got(&api.raw(format!("{head}Content-Length: 10\r\n\r\n{{").as_bytes()).await), 408);
    assert!(api.asked().is_empty());
    // A head that does not end, one that is too long, and none at all.
    let begun = Instant::now();
    assert!(!api.raw(b"GET /health HTTP/1.1\r\nX: y").await.contains(" 200 "));
    assert!(begun.elapsed() < BOUND);
    let long = format!("GET /health HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(40 << 10));
    assert_eq!(got(&api.raw(long.as_bytes()).await).status, 431);
    let many = format!("GET /health HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(200));
    assert_eq!(got(&api.raw(many.as_bytes()).await).status, 431);
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    ] {
        let answer = api.raw(garbage).await;
        assert!(!answer.contains(" 200 ") && !answer.contains(PASSWORD), "{answer}");
    }
    // What follows garbage on a connection is not looked at.
    let piped = format!("{head}Content-Length: 2\r\n\r\n{{}}{head}Content-Length: 2\r\n\r\n{{}}");
    let answer = api.raw(piped.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn events_as_they_happen() {
    let event = |seq| Event {
        seq,
        unix_ms: 1,
        node: NodeId::new("n:1"),
        kind: EventKind::Agent,
        text: "line\nbreak".to_owned(),
        since_start_ms: None,
    };
    let api = api(move |request| {
        let Request::Events { after, wait_ms } = request else { return done(request) };
        let events: Vec<Event> = (after + 1..=3).map(event).collect();
        if events.is_empty() && *wait_ms > 0 {
            return None;
        }
        Some(Reply::Ok(Response::Events(EventPage { events, agent_started_unix_ms: 1, gap: false })))
    })
    .await;
    let read = async |last: &str, until: &str| {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        let request =
            format!("GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\n{}\r\n{last}\r\n", bearer(READER));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains(until) {
            let count = timeout(BOUND, stream.read(&mut buffer)).await.expect("more comes").unwrap();
            assert!(count > 0, "ended: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        text
    };
    let all = read("", "id: 3\ndata: {").await;
    assert!(
        all.contains("content-type: text/event-stream") && all.contains("id: 1\ndata: {\"seq\":1"),
        "{all}"
    );
    assert!(all.contains(r"line\nbreak"), "one line a datum: {all}");
    let rest = read("Last-Event-ID: 2\r\n", "id: 3\ndata: {").await;
    assert!(!rest.contains("id: 2\n") && !rest.contains("restart"), "{rest}");
    // A number of an earlier life of the agent.
    let anew = read("Last-Event-ID: 500\r\n", "id: 3\ndata: {").await;
    assert!(anew.contains("event: restart") && anew.contains("id: 1\n"), "{anew}");
    is_problem(
        &api.send("GET", "/api/v1/events/stream", &[&bearer(READER), "Last-Event-ID: x"], "").await,
        400,
    );
}
