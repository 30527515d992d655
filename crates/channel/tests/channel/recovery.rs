//! Peers that hang, vanish, and come back.

use crate::fixture::{LONG, OwnCa, client, echo, free_addr, sender_port, serve, serve_within};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use xenon_channel::{CLI_NAME, ChannelError, Client, ClientOptions, Incoming, Limits, Outgoing};

#[tokio::test]
async fn a_peer_that_restarts_is_found_at_once() {
    let addr = free_addr("127.0.105.1");
    let (client, peer) = (client("a:1"), addr.to_string());
    for round in 0..10_u8 {
        let server = serve(addr, echo);
        assert_eq!(client.call::<_, u8>(&peer, "/", &round, LONG).await.unwrap(), round);
        if round % 2 == 0 {
            server.shutdown().await;
        } else {
            drop(server);
            // A dropped server closes its port when its task is next polled.
            while tokio::net::TcpStream::connect(addr).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        if round == 4 {
            let error = client.call::<_, u8>(&peer, "/", &round, LONG).await.unwrap_err();
            assert!(matches!(error, ChannelError::Unreachable { .. }), "{error:?}");
            assert!(error.to_string().contains("connection refused"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_without_an_answer_is_tried_once_more() {
    let ca = OwnCa::new();
    let listener = TcpListener::bind("127.0.105.2:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let issued = ca.issue("node", &["127.0.105.2"]);
    let acceptor = ca.raw_acceptor(&issued);
    let requests = Arc::new(AtomicU32::new(0));
    let counted = requests.clone();
    // Every connection answers its first request, and closes on its second.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut buffer = [0; 4096];
            for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", ""] {
                // Head and body of so small a request arrive as one record or as two; both hold to the pattern
                // since the body follows at once.
                let mut got = Vec::new();
                while !got.ends_with(b"\r\n\r\n\"request\"") {
                    let n = stream.read(&mut buffer).await.unwrap();
                    got.extend_from_slice(&buffer[..n]);
                }
                counted.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    let client = Client::new(ca.identity(&issued, CLI_NAME), ClientOptions::default());
    for expected in [1, 3, 5] {
        let answer: u8 = client.call(&addr.to_string(), "/", "request", LONG).await.unwrap();
        assert_eq!(answer, 1);
        assert_eq!(requests.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn a_new_connection_that_closes_without_an_answer_is_not_tried_again() {
    let ca = OwnCa::new();
    let listener = TcpListener::bind("127.0.105.3:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let issued = ca.issue("node", &["127.0.105.3"]);
    let acceptor = ca.raw_acceptor(&issued);
    let accepted = Arc::new(AtomicU32::new(0));
    let counted = accepted.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut stream = acceptor.accept(stream).await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let client = Client::new(ca.identity(&issued, CLI_NAME), ClientOptions::default());
    let error = client.call::<_, ()>(&addr.to_string(), "/", &(), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::Unreachable { .. }), "{error:?}");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// Tells when a handler's future is dropped.
struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_deadline_is_kept_and_its_connection_is_not_used_again() {
    let addr = free_addr("127.0.105.4");
    let dropped = Arc::new(Notify::new());
    let notify = dropped.clone();
    let _server = serve(addr, move |incoming: Incoming| {
        let notify = notify.clone();
        async move {
            if incoming.path == "/hang" {
                let _guard = Dropped(notify);
                std::future::pending::<()>().await;
            }
            sender_port(incoming).await
        }
    });
    let (client, peer) = (client("a:1"), addr.to_string());
    let before: u16 = client.call(&peer, "/", &(), LONG).await.unwrap();

    let started = Instant::now();
    let deadline = Duration::from_millis(100);
    let error = client.call::<_, u16>(&peer, "/hang", &(), deadline).await.unwrap_err();
    assert!(started.elapsed() >= deadline);
    let ChannelError::Timeout { after, stage, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*after, *stage), (deadline, "waiting for its answer"));

    let after: u16 = client.call(&peer, "/", &(), LONG).await.unwrap();
    assert_ne!(before, after);
    // The server notices that nobody waits any more.
    tokio::time::timeout(LONG, dropped.notified()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let addr = free_addr("127.0.105.5");
    let (entered, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entering, dropping) = (entered.clone(), dropped.clone());
    let _server = serve(addr, move |_: Incoming| {
        let (entering, guard) = (entering.clone(), Dropped(dropping.clone()));
        async move {
            let _guard = guard;
            entering.notify_one();
            std::future::pending::<Outgoing>().await
        }
    });
    let client = client("a:1");
    let call = tokio::spawn(async move { client.call::<_, ()>(&addr.to_string(), "/", &(), LONG).await });
    entered.notified().await;
    call.abort();
    tokio::time::timeout(LONG, dropped.notified()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_times_out() {
    let listener = TcpListener::bind("127.0.105.6:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let error = client("a:1")
        .call::<_, ()>(&addr.to_string(), "/", &(), Duration::from_millis(100))
        .await
        .unwrap_err();
    let ChannelError::Timeout { stage, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*stage, "waiting for its TLS handshake");
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_the_next() {
    let addr = free_addr("127.0.105.7");
    let leave = Arc::new(Notify::new());
    let leaving = leave.clone();
    let _server = serve(addr, move |incoming: Incoming| {
        let leaving = leaving.clone();
        async move {
            if incoming.path == "/slow" {
                leaving.notified().await;
            }
            echo(incoming).await
        }
    });
    let (client, peer) = (client("a:1"), addr.to_string());
    let slow = tokio::spawn({
        let (client, peer) = (client.clone(), peer.clone());
        async move { client.call::<_, u8>(&peer, "/slow", &1, LONG).await }
    });
    for n in 0..20 {
        assert_eq!(client.call::<_, u8>(&peer, "/", &n, LONG).await.unwrap(), n);
    }
    leave.notify_one();
    assert_eq!(slow.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn shutdown_lets_requests_finish_and_closes_the_rest() {
    let addr = free_addr("127.0.105.8");
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entering, leaving) = (entered.clone(), leave.clone());
    let limits = Limits { shutdown_grace: LONG, ..Limits::default() };
    let server = Arc::new(serve_within(addr, limits, move |incoming: Incoming| {
        let (entering, leaving) = (entering.clone(), leaving.clone());
        async move {
            if incoming.path == "/slow" {
                entering.notify_one();
                leaving.notified().await;
            }
            echo(incoming).await
        }
    }));
    let (ours, peer) = (client("a:1"), addr.to_string());
    let slow = tokio::spawn({
        let (client, peer) = (ours.clone(), peer.clone());
        async move { client.call::<_, u8>(&peer, "/slow", &1, LONG).await }
    });
    entered.notified().await;
    ours.call::<_, u8>(&peer, "/", &2, LONG).await.unwrap();

    let stopped = tokio::spawn({
        let server = server.clone();
        async move { server.shutdown().await }
    });
    while tokio::net::TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!stopped.is_finished());
    leave.notify_one();
    assert_eq!(slow.await.unwrap().unwrap(), 1);
    tokio::time::timeout(LONG, stopped).await.unwrap().unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let addr = free_addr("127.0.105.9");
    let limits = Limits { shutdown_grace: Duration::from_millis(50), ..Limits::default() };
    let entered = Arc::new(Notify::new());
    let entering = entered.clone();
    let server = serve_within(addr, limits, move |_: Incoming| {
        entering.notify_one();
        std::future::pending::<Outgoing>()
    });
    let client = client("a:1");
    let call = tokio::spawn(async move { client.call::<_, ()>(&addr.to_string(), "/", &(), LONG).await });
    entered.notified().await;
    tokio::time::timeout(LONG, server.shutdown()).await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, ChannelError::Unreachable { .. }), "{error:?}");
}
