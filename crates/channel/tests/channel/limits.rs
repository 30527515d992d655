//! Clients that break the rules lose their connection; the others notice nothing.

use crate::fixture::{Issued, LONG, OwnCa, client, echo, free_addr, serve_within};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use xenon_channel::{
    Bytes, CLI_NAME, ChannelError, Client, ClientOptions, Incoming, Limits, Outgoing, Server,
};

const SHORT: Duration = Duration::from_millis(150);

/// A server under an own CA, so that the test can speak raw TLS to it.
struct Raw {
    ca: OwnCa,
    issued: Issued,
    addr: SocketAddr,
    server: Server,
}

impl Raw {
    fn serve(ip: &str, limits: Limits) -> Self {
        let ca = OwnCa::new();
        let addr = free_addr(ip);
        let issued = ca.issue("node", &[ip]);
        let server = Server::bind(addr, &ca.identity(&issued, addr), limits, Arc::new(echo)).unwrap();
        Self { ca, issued, addr, server }
    }

    async fn connect(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        self.ca.raw_client(self.addr, &self.issued).await
    }

    async fn assert_serves(&self) {
        let client = Client::new(self.ca.identity(&self.issued, CLI_NAME), ClientOptions::default());
        assert_eq!(client.call::<_, u8>(&self.addr.to_string(), "/", &5, LONG).await.unwrap(), 5);
    }
}

/// What comes until the other side closes.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    // A reset is as good as an end here.
    let _ = timeout(LONG, stream.read_to_end(&mut all)).await.expect("the connection stays open");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn an_oversized_request_is_refused_by_either_side() {
    let addr = free_addr("127.0.104.1");
    let limits = Limits { max_body_bytes: 1000, ..Limits::default() };
    let _server = serve_within(addr, limits, echo);
    let client = client("a:1");
    let peer = addr.to_string();
    client.call_bytes(&peer, "/", Bytes::from(vec![b'1'; 1000]), LONG).await.unwrap();
    // Over the server's limit by a byte, by what it still reads, and by more than it reads.
    for size in [1001, 4000, 4 << 20] {
        let error = client.call_bytes(&peer, "/", Bytes::from(vec![b'1'; size]), LONG).await.unwrap_err();
        assert!(matches!(error, ChannelError::TooLarge { .. }), "{size}: {error:?}");
    }
    let error =
        client.call_bytes(&peer, "/", Bytes::from(vec![b'1'; (4 << 20) + 1]), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::TooLarge { .. }), "{error:?}");
    client.call_bytes(&peer, "/", Bytes::from_static(b"1"), LONG).await.unwrap();
}

#[tokio::test]
async fn an_oversized_answer_is_refused() {
    let addr = free_addr("127.0.104.2");
    let _server =
        serve_within(addr, Limits::default(), |_: Incoming| async { Outgoing::json(&"x".repeat(2000)) });
    let options = ClientOptions { max_response_bytes: 1000, ..ClientOptions::default() };
    let client = Client::new(crate::fixture::identity("a:1"), options);
    let error = client.call::<_, String>(&addr.to_string(), "/", &(), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn bodies_are_bounded_in_sum() {
    let addr = free_addr("127.0.104.3");
    let limits =
        Limits { max_body_bytes: 1000, max_bodies_bytes: 1500, small_body_bytes: 100, ..Limits::default() };
    let entered = Arc::new(tokio::sync::Semaphore::new(0));
    let leave = Arc::new(tokio::sync::Semaphore::new(0));
    let (entering, leaving) = (entered.clone(), leave.clone());
    let _server = serve_within(addr, limits, move |incoming: Incoming| {
        let (entering, leaving) = (entering.clone(), leaving.clone());
        async move {
            if incoming.path == "/hold" {
                entering.add_permits(1);
                leaving.acquire().await.unwrap().forget();
            }
            echo(incoming).await
        }
    });
    let (client, peer) = (client("a:1"), addr.to_string());
    let big = Bytes::from(vec![b'1'; 1000]);
    let held = tokio::spawn({
        let (client, peer, big) = (client.clone(), peer.clone(), big.clone());
        async move { client.call_bytes(&peer, "/hold", big, LONG).await }
    });
    entered.acquire().await.unwrap().forget();
    let error = client.call_bytes(&peer, "/", big.clone(), LONG).await.unwrap_err();
    assert!(matches!(error, ChannelError::Refused { status: 503, .. }), "{error:?}");
    // Small ones get in whatever large ones do.
    for _ in 0..20 {
        client.call_bytes(&peer, "/", Bytes::from(vec![b'1'; 100]), LONG).await.unwrap();
    }
    leave.add_permits(1);
    held.await.unwrap().unwrap();
    client.call_bytes(&peer, "/", big, LONG).await.unwrap();
}

#[tokio::test]
async fn garbage_is_dropped_before_and_after_the_handshake() {
    let raw = Raw::serve("127.0.104.4", Limits::default());
    for garbage in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[0_u8; 100], &[0x16, 3, 1, 0xff, 0xff], &[0xff; 70_000]]
    {
        let mut stream = TcpStream::connect(raw.addr).await.unwrap();
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        until_closed(&mut stream).await;
    }
    for (garbage, status) in [
        (b"\0\xff\x80 garbage\r\n\r\n".to_vec(), "400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec(), "400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_vec(), "400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551000\r\n\r\n".to_vec(), "413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(), "411"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(), "405"),
        ([b"POST /".to_vec(), vec![b'a'; 100_000]].concat(), "4"),
    ] {
        let mut stream = raw.connect().await;
        let _ = stream.write_all(&garbage).await;
        let answer = until_closed(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    }
    raw.assert_serves().await;
}

#[tokio::test]
async fn slow_clients_are_dropped_wherever_they_stall() {
    let limits = Limits {
        handshake_timeout: SHORT,
        head_timeout: SHORT,
        request_timeout: SHORT * 2,
        idle_timeout: SHORT,
        ..Limits::default()
    };
    let raw = Raw::serve("127.0.104.5", limits);
    // In the handshake.
    until_closed(&mut TcpStream::connect(raw.addr).await.unwrap()).await;
    // Before a request, within its head, within its body.
    for begun in ["", "POST / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc"] {
        let mut stream = raw.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, "", "{begun:?}");
    }
    // A byte now and then does not stretch it, neither in the head nor in the body.
    for (begun, more) in
        [("POST / HTTP/1.1\r\nX: ", "x"), ("POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", "1")]
    {
        let (mut read, mut write) = tokio::io::split(raw.connect().await);
        write.write_all(begun.as_bytes()).await.unwrap();
        let drip = async {
            while write.write_all(more.as_bytes()).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            answer = until_closed(&mut read) => assert_eq!(answer, "", "{begun:?}"),
            () = drip => {}
        }
    }
    raw.assert_serves().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_dropped() {
    let limits = Limits { response_timeout: SHORT, ..Limits::default() };
    let ca = OwnCa::new();
    let addr = free_addr("127.0.104.6");
    let issued = ca.issue("node", &["127.0.104.6"]);
    let handler = |_: Incoming| async { Outgoing { status: 200, body: vec![b'x'; 64 << 20] } };
    let server = Server::bind(addr, &ca.identity(&issued, addr), limits, Arc::new(handler)).unwrap();
    let mut stream = ca.raw_client(addr, &issued).await;
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    // Past the limit the answer is cut, wherever it stands.
    sleep(SHORT * 4).await;
    let answer = until_closed(&mut stream).await;
    assert!(answer.len() < 64 << 20, "{}", answer.len());
    server.shutdown().await;
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_request() {
    let limits = Limits {
        head_timeout: SHORT,
        request_timeout: SHORT,
        response_timeout: SHORT,
        idle_timeout: SHORT,
        ..Limits::default()
    };
    let addr = free_addr("127.0.104.7");
    let _server = serve_within(addr, limits, |incoming: Incoming| async {
        sleep(SHORT * 3).await;
        echo(incoming).await
    });
    assert_eq!(client("a:1").call::<_, u8>(&addr.to_string(), "/", &5, LONG).await.unwrap(), 5);
}

#[tokio::test]
async fn connections_are_bounded() {
    let limits = Limits { max_connections: 3, ..Limits::default() };
    let raw = Raw::serve("127.0.104.8", limits);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = raw.connect().await;
        // An answer proves that the server has counted the connection.
        stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n7").await.unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.unwrap();
        open.push(stream);
    }
    assert_eq!(until_closed(&mut raw.connect().await).await, "");
    open.pop();
    // The server learns of the close in its own time; from then on there is room again.
    let client = Client::new(raw.ca.identity(&raw.issued, CLI_NAME), ClientOptions::default());
    timeout(LONG, async {
        while client.call::<_, u8>(&raw.addr.to_string(), "/", &5, LONG).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();

    assert!(raw.server.state().turned_away >= 1);
}

#[tokio::test]
async fn one_peer_leaves_room_for_the_others() {
    let limits = Limits { max_connections: 10, max_connections_per_peer: 2, ..Limits::default() };
    let raw = Raw::serve("127.0.104.11", limits);
    let mut hoard = Vec::new();
    for _ in 0..10 {
        hoard.push(raw.connect().await);
    }
    for stream in hoard.iter_mut().skip(2) {
        assert_eq!(until_closed(stream).await, "");
    }
    assert_eq!(raw.server.state().connections, 2);
    let other = raw.ca.issue("other", &["127.0.104.12"]);
    let client = Client::new(raw.ca.identity(&other, CLI_NAME), ClientOptions::default());
    assert_eq!(client.call::<_, u8>(&raw.addr.to_string(), "/", &5, LONG).await.unwrap(), 5);
}

#[tokio::test]
async fn silent_strangers_push_out_only_themselves() {
    let raw = Raw::serve("127.0.104.10", Limits { max_handshakes: 2, ..Limits::default() });
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(raw.addr).await.unwrap());
    }
    raw.assert_serves().await;
    for stream in silent.iter_mut().take(18) {
        until_closed(stream).await;
    }
    assert!(raw.server.state().turned_away >= 18);
}

#[tokio::test]
async fn requests_may_come_in_one_piece() {
    let raw = Raw::serve("127.0.104.9", Limits::default());
    let mut stream = raw.connect().await;
    let three = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n42".repeat(2)
        + "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n42";
    stream.write_all(three.as_bytes()).await.unwrap();
    let answers = until_closed(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}
