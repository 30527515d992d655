//! A stream arrives as a whole, or its receiver knows that it did not.

use crate::fixture::{LONG, OwnCa, client, echo, free_addr, identity, serve, serve_within};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use xenon_channel::{
    Answer, Bytes, CLI_NAME, ChannelError, Client, ClientOptions, HungUp, Incoming, Inflow, Limits, Outflow,
    StreamBounds, stream,
};

const SHORT: Duration = Duration::from_millis(150);
const BOUNDS: StreamBounds = StreamBounds { max_bytes: 64 << 20, idle: LONG };

/// Answers `/stream` with what `source` writes, and anything else with an echo.
fn streams<S, F>(source: S) -> impl Fn(Incoming) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>
where
    S: Fn(Outflow) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    move |incoming: Incoming| {
        let source = source.clone();
        Box::pin(async move {
            if incoming.path != "/stream" {
                return echo(incoming).await.into();
            }
            let (pen, answer) = stream();
            tokio::spawn(source(pen));
            answer.into()
        })
    }
}

fn numbered(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn open(client: &Client, peer: &str, bounds: StreamBounds) -> Result<Inflow, ChannelError> {
    client.open(peer, "/stream", &(), LONG, bounds).await
}

/// Reads to the end, whichever it is.
async fn drain(mut inflow: Inflow) -> (u64, Result<(), ChannelError>) {
    loop {
        match inflow.next().await {
            Ok(Some(_)) => {}
            Ok(None) => return (inflow.bytes(), Ok(())),
            Err(error) => return (inflow.bytes(), Err(error)),
        }
    }
}

#[tokio::test]
async fn it_arrives_as_it_was_sent() {
    for (at, size) in [0, 1, 65_536, 65_537, (3 << 20) + 7].into_iter().enumerate() {
        let addr = free_addr(&format!("127.0.108.{}", at + 1));
        let _server = serve(
            addr,
            streams(move |mut pen: Outflow| async move {
                // In pieces that fit no frame.
                for piece in numbered(size).chunks(100_001) {
                    pen.send(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                pen.finish().await.unwrap();
            }),
        );
        let client = client("a:1");
        let mut inflow = open(&client, &addr.to_string(), BOUNDS).await.unwrap();
        let mut got = Vec::new();
        while let Some(piece) = inflow.next().await.unwrap() {
            got.extend_from_slice(&piece);
        }
        assert!(got == numbered(size), "{size}");
        assert_eq!(inflow.end().unwrap().bytes, size as u64);
        assert_eq!(inflow.next().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_source_that_gives_up_is_told_and_one_that_falls_silent_for_ever_too() {
    let addr = free_addr("127.0.108.10");
    let _server = serve(
        addr,
        streams(|mut pen: Outflow| async move {
            pen.send(Bytes::from_static(b"half")).await.unwrap();
            pen.fail("the child exited with 1").await;
        }),
    );
    let (bytes, end) = drain(open(&client("a:1"), &addr.to_string(), BOUNDS).await.unwrap()).await;
    assert_eq!(bytes, 4);
    let error = end.unwrap_err();
    assert!(matches!(error, ChannelError::SourceFailed { .. }), "{error:?}");
    assert!(error.to_string().contains("the child exited with 1"), "{error}");

    let addr = free_addr("127.0.108.11");
    let _server = serve(
        addr,
        streams(|mut pen: Outflow| async move {
            pen.send(Bytes::from_static(b"half")).await.unwrap();
        }),
    );
    let (_, end) = drain(open(&client("a:1"), &addr.to_string(), BOUNDS).await.unwrap()).await;
    assert!(matches!(end, Err(ChannelError::SourceFailed { .. })), "{end:?}");
}

#[tokio::test]
async fn a_refusal_is_a_refusal_and_another_answer_no_stream() {
    let addr = free_addr("127.0.108.12");
    let _server = serve(addr, |incoming: Incoming| async move {
        if incoming.path == "/stream" {
            xenon_channel::Outgoing::text(403, "not for you")
        } else {
            echo(incoming).await
        }
    });
    let (client, peer) = (client("a:1"), addr.to_string());
    let refused = open(&client, &peer, BOUNDS).await.unwrap_err();
    assert!(matches!(&refused, ChannelError::Refused { status: 403, body, .. } if body == "not for you"));
    let other = client.open(&peer, "/echo", &(), LONG, BOUNDS).await.unwrap_err();
    assert!(matches!(other, ChannelError::Protocol { .. }), "{other:?}");
}

#[tokio::test]
async fn a_server_that_goes_away_leaves_a_stream_that_is_cut_off() {
    let addr = free_addr("127.0.108.13");
    let server = serve(
        addr,
        streams(|mut pen: Outflow| async move {
            while pen.send(Bytes::from(vec![7; 1000])).await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
        }),
    );
    let mut inflow = open(&client("a:1"), &addr.to_string(), BOUNDS).await.unwrap();
    inflow.next().await.unwrap().unwrap();
    drop(server);
    let (bytes, end) = drain(inflow).await;
    assert!(bytes > 0);
    assert!(matches!(end, Err(ChannelError::CutOff { .. })), "{end:?}");
}

/// Whatever a server may write that is not quite a stream.
#[tokio::test]
async fn what_is_not_whole_is_never_taken_for_whole() {
    let ca = OwnCa::new();
    let issued = ca.issue("node", &["127.0.108.14"]);
    let listener = TcpListener::bind("127.0.108.14:0").await.unwrap();
    let peer = listener.local_addr().unwrap().to_string();
    let client = Client::new(ca.identity(&issued, CLI_NAME), ClientOptions::default());

    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let piece = [b"D\0\0\0\x04".as_slice(), b"abcd"].concat();
    let mark =
        |bytes: u64, sha256: [u8; 32]| [b"E\0\0\0\x28".as_slice(), &bytes.to_be_bytes(), &sha256].concat();
    let good: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(b"abcd").into();
    let end = b"0\r\n\r\n".to_vec();
    let cut = |error: &ChannelError| matches!(error, ChannelError::CutOff { bytes: 4, .. });
    let wrong = |error: &ChannelError| matches!(error, ChannelError::Protocol { .. });
    type Expected<'a> = Option<&'a dyn Fn(&ChannelError) -> bool>;
    let cases: [(&str, Vec<u8>, Expected<'_>); 8] = [
        ("whole", [chunk(&piece), chunk(&mark(4, good)), end.clone()].concat(), None),
        ("closed in the middle", chunk(&piece), Some(&cut)),
        ("HTTP says that it is over", [chunk(&piece), end.clone()].concat(), Some(&cut)),
        ("half an end mark", [chunk(&piece), chunk(&mark(4, good)[..20]), end.clone()].concat(), Some(&cut)),
        ("another length", [chunk(&piece), chunk(&mark(5, good)), end.clone()].concat(), Some(&wrong)),
        ("other bytes", [chunk(&piece), chunk(&mark(4, [1; 32])), end.clone()].concat(), Some(&wrong)),
        ("garbage", [chunk(&piece), chunk(b"mysqldump: error"), end.clone()].concat(), Some(&wrong)),
        ("no chunk", b"zzzz\r\n".to_vec(), Some(&|_| true)),
    ];
    for (name, body, expected) in cases {
        let raw = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut tls = ca.raw_acceptor(&issued).accept(tcp).await.unwrap();
            let mut request = [0; 4096];
            let _ = tls.read(&mut request).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-xenon-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            tls.write_all(head.as_bytes()).await.unwrap();
            tls.write_all(&body).await.unwrap();
            tls.shutdown().await.unwrap();
        };
        let read = async { drain(open(&client, &peer, BOUNDS).await.unwrap()).await };
        let ((_, outcome), ()) = tokio::join!(read, raw);
        match (expected, outcome) {
            (None, outcome) => outcome.unwrap(),
            (Some(expected), Err(error)) => assert!(expected(&error), "{name}: {error:?}"),
            (Some(_), Ok(())) => panic!("{name}: taken for whole"),
        }
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_source_and_is_not_cut() {
    let addr = free_addr("127.0.108.15");
    const SIZE: u64 = 48 << 20;
    let sent = Arc::new(AtomicU64::new(0));
    let sending = sent.clone();
    let limits = Limits { stream_stall_timeout: SHORT * 6, ..Limits::default() };
    let _server = serve_within(
        addr,
        limits,
        streams(move |mut pen: Outflow| {
            let sending = sending.clone();
            async move {
                for _ in 0..SIZE >> 16 {
                    pen.send(Bytes::from(vec![7; 64 << 10])).await.unwrap();
                    sending.store(pen.bytes(), Ordering::Relaxed);
                }
                pen.finish().await.unwrap();
            }
        }),
    );
    let mut inflow = open(&client("a:1"), &addr.to_string(), BOUNDS).await.unwrap();
    // A megabyte now and then (less would vanish in the sockets' buffers), for longer than the limit on taking nothing.
    for megabytes in 1..=10_u64 {
        while inflow.bytes() < megabytes << 20 {
            inflow.next().await.unwrap().unwrap();
        }
        sleep(SHORT).await;
    }
    let ahead = sent.load(Ordering::Relaxed);
    assert!(ahead < SIZE / 2, "{ahead} bytes were sent to a reader that takes next to nothing");
    let (bytes, end) = drain(inflow).await;
    end.unwrap();
    assert_eq!(bytes, SIZE);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped() {
    let addr = free_addr("127.0.108.16");
    let gone = Arc::new(Notify::new());
    let going = gone.clone();
    let limits = Limits { stream_stall_timeout: SHORT, ..Limits::default() };
    let _server = serve_within(
        addr,
        limits,
        streams(move |mut pen: Outflow| {
            let going = going.clone();
            async move {
                while pen.send(Bytes::from(vec![7; 64 << 10])).await != Err(HungUp) {}
                going.notify_one();
            }
        }),
    );
    let inflow = open(&client("a:1"), &addr.to_string(), BOUNDS).await.unwrap();
    timeout(LONG, gone.notified()).await.unwrap();
    let (_, end) = drain(inflow).await;
    assert!(matches!(end, Err(ChannelError::CutOff { .. })), "{end:?}");
}

#[tokio::test]
async fn a_source_may_be_silent_for_longer_than_a_network() {
    let addr = free_addr("127.0.108.17");
    let limits = Limits {
        stream_stall_timeout: SHORT,
        response_timeout: SHORT,
        idle_timeout: SHORT,
        ..Limits::default()
    };
    let _server = serve_within(
        addr,
        limits,
        streams(|mut pen: Outflow| async move {
            for _ in 0..3 {
                sleep(SHORT * 3).await;
                pen.send(Bytes::from(vec![7; 300_000])).await.unwrap();
            }
            pen.finish().await.unwrap();
        }),
    );
    let (bytes, end) = drain(open(&client("a:1"), &addr.to_string(), BOUNDS).await.unwrap()).await;
    end.unwrap();
    assert_eq!(bytes, 900_000);
}

#[tokio::test]
async fn limits_of_the_receiver_end_it_and_the_source_learns_of_it() {
    let addr = free_addr("127.0.108.18");
    let gone = Arc::new(Notify::new());
    let going = gone.clone();
    let _server = serve(
        addr,
        streams(move |mut pen: Outflow| {
            let going = going.clone();
            async move {
                pen.send(Bytes::from(vec![7; 1001])).await.unwrap();
                pen.hung_up().await;
                going.notify_one();
            }
        }),
    );
    let (client, peer) = (client("a:1"), addr.to_string());
    // In bytes.
    let (_, end) =
        drain(open(&client, &peer, StreamBounds { max_bytes: 1000, ..BOUNDS }).await.unwrap()).await;
    assert!(matches!(end, Err(ChannelError::TooLarge { .. })), "{end:?}");
    timeout(LONG, gone.notified()).await.unwrap();
    // In silence.
    let (bytes, end) =
        drain(open(&client, &peer, StreamBounds { idle: SHORT, ..BOUNDS }).await.unwrap()).await;
    assert_eq!(bytes, 1001);
    assert!(matches!(end, Err(ChannelError::Timeout { .. })), "{end:?}");
    timeout(LONG, gone.notified()).await.unwrap();
    // By dropping it.
    drop(open(&client, &peer, BOUNDS).await.unwrap());
    timeout(LONG, gone.notified()).await.unwrap();
}

#[tokio::test]
async fn streams_are_bounded_and_leave_room_for_calls() {
    let addr = free_addr("127.0.108.19");
    let limits = Limits { max_streams: 3, max_streams_per_peer: 2, ..Limits::default() };
    let server = serve_within(addr, limits, streams(|pen: Outflow| async move { pen.hung_up().await }));
    let peer = addr.to_string();
    let (one, other, third) = (client("a:1"), client("b:1"), client("c:1"));
    let first = open(&one, &peer, BOUNDS).await.unwrap();
    let _second = open(&one, &peer, BOUNDS).await.unwrap();
    let refused = open(&one, &peer, BOUNDS).await.unwrap_err();
    assert!(matches!(refused, ChannelError::Refused { status: 503, .. }), "{refused:?}");
    let _others = open(&other, &peer, BOUNDS).await.unwrap();
    assert!(open(&third, &peer, BOUNDS).await.is_err());
    for client in [&one, &other, &third] {
        assert_eq!(client.call::<_, u8>(&peer, "/", &5, LONG).await.unwrap(), 5);
    }
    drop(first);
    timeout(LONG, async {
        while open(&third, &peer, BOUNDS).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    server.shutdown().await;
}

/// One thread for all, as in the agent: a stream at full speed leaves every heartbeat its turn.
#[tokio::test(flavor = "current_thread")]
async fn heartbeats_pass_a_stream_at_full_speed() {
    let addr = free_addr("127.0.108.20");
    let _server = serve(
        addr,
        streams(|mut pen: Outflow| async move {
            let piece = Bytes::from(vec![7; 1 << 20]);
            while pen.send(piece.clone()).await.is_ok() {}
        }),
    );
    let peer = addr.to_string();
    // Calls of the same client, and of the node that streams.
    let client = Client::new(identity("a:1"), ClientOptions::default());
    let mut inflow = open(&client, &peer, StreamBounds { max_bytes: u64::MAX, ..BOUNDS }).await.unwrap();
    let reading = tokio::spawn(async move {
        loop {
            inflow.next().await.unwrap().unwrap();
        }
    });
    let mut worst = Duration::ZERO;
    for _ in 0..100 {
        let begun = Instant::now();
        assert_eq!(client.call::<_, u8>(&peer, "/", &5, LONG).await.unwrap(), 5);
        worst = worst.max(begun.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
    assert!(!reading.is_finished());
    reading.abort();
    println!("slowest heartbeat beside a stream: {} ms", worst.as_millis());
    assert!(worst < Duration::from_millis(500), "{worst:?}");
}
