//! Calls that work, and what the two sides learn of each other.

use crate::fixture::{LONG, client, echo, free_addr, sender_port, serve};
use serde::{Deserialize, Serialize};
use xenon_channel::{Bytes, CLI_NAME, ChannelError, Incoming, Outgoing, Server};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Vote {
    term: u64,
    words: Vec<String>,
}

fn vote(term: u64) -> Vote {
    Vote { term, words: vec!["héllo\n".to_owned(); 20] }
}

#[tokio::test]
async fn an_answer_comes_back() {
    let addr = free_addr("127.0.101.1");
    let _server = serve(addr, echo);
    let answer: Vote = client("a:1").call(&addr.to_string(), "/raft/vote", &vote(7), LONG).await.unwrap();
    assert_eq!(answer, vote(7));
}

#[tokio::test]
async fn calls_share_one_connection() {
    let addr = free_addr("127.0.101.2");
    let _server = serve(addr, sender_port);
    let client = client("a:1");
    let first: u16 = client.call(&addr.to_string(), "/", &(), LONG).await.unwrap();
    for _ in 0..10 {
        let next: u16 = client.clone().call(&addr.to_string(), "/", &(), LONG).await.unwrap();
        assert_eq!(next, first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_each_get_their_own_answer() {
    let addr = free_addr("127.0.101.3");
    let _server = serve(addr, echo);
    let client = client("a:1");
    let calls: Vec<_> = (0..500)
        .map(|term| {
            let (client, peer) = (client.clone(), addr.to_string());
            tokio::spawn(async move { (term, client.call::<_, Vote>(&peer, "/", &vote(term), LONG).await) })
        })
        .collect();
    for call in calls {
        let (term, answer) = call.await.unwrap();
        assert_eq!(answer.unwrap(), vote(term));
    }
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let addr = free_addr("127.0.101.4");
    let _server = serve(addr, echo);
    let body = Bytes::from(vec![b'x'; 4 << 20]);
    let answer = client("a:1").call_bytes(&addr.to_string(), "/", body.clone(), LONG).await.unwrap();
    assert_eq!(answer, body);
}

#[tokio::test]
async fn the_handler_knows_whom_the_certificate_names() {
    let addr = free_addr("127.0.101.5");
    let _server = serve(addr, |incoming: Incoming| async move {
        let claims: Vec<String> = serde_json::from_slice(&incoming.body).unwrap();
        let named: Vec<bool> = claims.iter().map(|claim| incoming.peer.is_named(claim)).collect();
        Outgoing::json(&(named, incoming.peer.names(), incoming.path))
    });
    let claims = ["db1:8801", "db1:8802", "db2:8801", "DB1:8801", "db1", "", CLI_NAME];
    let (named, names, path): (Vec<bool>, String, String) =
        client("db1:8801").call(&addr.to_string(), "/a/b?c=d", &claims, LONG).await.unwrap();
    assert_eq!(named, [true, false, false, false, false, false, false]);
    assert_eq!(names, "db1:8801");
    assert_eq!(path, "/a/b");

    let (named, names, _): (Vec<bool>, String, String) =
        client(CLI_NAME).call(&addr.to_string(), "/", &claims, LONG).await.unwrap();
    assert_eq!(named, [false, false, false, false, false, false, true]);
    assert_eq!(names, CLI_NAME);
}

#[tokio::test]
async fn a_refusal_carries_status_and_words() {
    let addr = free_addr("127.0.101.6");
    let _server = serve(addr, |_: Incoming| async { Outgoing::text(409, "not the leader") });
    let error = client("a:1").call::<_, ()>(&addr.to_string(), "/x", &(), LONG).await.unwrap_err();
    let ChannelError::Refused { status, body, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*status, body.as_str()), (409, "not the leader"));
    assert!(error.to_string().contains("refused /x (HTTP 409): not the leader"), "{error}");
}

#[tokio::test]
async fn an_empty_answer_is_nothing_and_an_odd_status_is_an_error() {
    let addr = free_addr("127.0.101.7");
    let _server = serve(addr, |incoming: Incoming| async move {
        let status = serde_json::from_slice(&incoming.body).unwrap();
        Outgoing { status, body: Vec::new() }
    });
    let client = client("a:1");
    for empty in [200, 204] {
        client.call::<u16, ()>(&addr.to_string(), "/", &empty, LONG).await.unwrap();
    }
    for odd in [0, 100, 1000, 304] {
        let error = client.call::<u16, ()>(&addr.to_string(), "/", &odd, LONG).await.unwrap_err();
        assert!(matches!(error, ChannelError::Refused { .. }), "{odd}: {error:?}");
    }
}

#[tokio::test]
async fn what_is_not_the_expected_json_is_a_protocol_error() {
    let addr = free_addr("127.0.101.8");
    let _server = serve(addr, echo);
    let client = client("a:1");
    let error = client.call::<_, u64>(&addr.to_string(), "/", "text", LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::Protocol { .. }), "{error:?}");
    for bad in ["", "host", "host:", ":1", "host:99999", "::1:80", "ho st:1", "a\nb:1"] {
        let error = client.call::<_, ()>(bad, "/", &(), LONG).await.unwrap_err();
        assert!(matches!(error, ChannelError::Protocol { .. }), "{bad:?}: {error:?}");
    }
    for bad in ["", "x", "http://x/", "/a b", "/\n"] {
        let error = client.call::<_, ()>(&addr.to_string(), bad, &(), LONG).await.unwrap_err();
        assert!(matches!(error, ChannelError::Protocol { .. }), "{bad:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_panicking_handler_loses_its_connection_only() {
    let addr = free_addr("127.0.101.9");
    let server: Server = serve(addr, |incoming: Incoming| async move {
        assert_ne!(incoming.path, "/panic");
        Outgoing::json(&())
    });
    let client = client("a:1");
    let error = client.call::<_, ()>(&addr.to_string(), "/panic", &(), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::Unreachable { .. }), "{error:?}");
    client.call::<_, ()>(&addr.to_string(), "/", &(), LONG).await.unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn names_are_resolved() {
    let addr = free_addr("127.0.0.1");
    let name = format!("localhost:{}", addr.port());
    let _server = Server::bind(
        addr,
        &crate::fixture::identity(&name),
        xenon_channel::Limits::default(),
        std::sync::Arc::new(echo),
    )
    .unwrap();
    let client = client("a:1");
    assert_eq!(client.call::<_, u8>(&name, "/", &1, LONG).await.unwrap(), 1);
    let error = client.call::<_, ()>("no-such-host.invalid:1", "/", &(), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::Unreachable { .. }), "{error:?}");
}
