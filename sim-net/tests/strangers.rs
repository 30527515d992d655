//! Those who do not belong here, and members gone mad: refused, bounded, and the cluster goes on as if nothing were.

#![allow(clippy::expect_used)]

use futures_util::future::join_all;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use turmoil::net::TcpStream;
use xenon_api::{Call, Envelope, PATH_CALL, PATH_PEER, PROTOCOL_VERSION, Reply, Request};
use xenon_channel::{CLI_NAME, ChannelError, Client, ClientOptions, Identity, attack};
use xenon_election::{Message, NodeId};
use xenon_gtid::Uuid;
use xenon_mysql::servers;
use xenon_sim_net::cluster::{Cluster, PORT, SECRET, follow, is_open};

const SECOND: Duration = Duration::from_secs(1);
const WRONG: &str = "another-secret-of-32-characters-or-more";
/// Nobody with this endpoint is a member.
const MAD: &str = "192.168.77.77:8801";

fn formed(seed: u64, other_secrets: &[&str]) -> (Cluster, usize) {
    let mut cluster = Cluster::new(seed, 3, other_secrets);
    let leader = cluster.form(3);
    cluster.write_every(Duration::from_millis(20));
    cluster.run_for(2 * SECOND);
    (cluster, leader)
}

/// For so many seconds, the leader of term 1 serves without a pause.
fn goes_on(cluster: &mut Cluster, leader: usize, seconds: usize) {
    for _ in 0..seconds {
        let before = servers::acknowledged().len();
        cluster.run_for(SECOND);
        let commits = servers::acknowledged().len() - before;
        assert!(commits >= 49, "{commits} commits in a second\n{}", cluster.tail());
    }
    assert!(is_open(leader) && follow(leader, 0..3));
    let status = cluster.status(leader).expect("an answer");
    assert_eq!((status.state.as_str(), status.view_id), ("LEADER", 1), "{}", cluster.tail());
    cluster.assert_safe();
}

#[test]
fn an_agent_with_a_wrong_secret_never_gets_in() {
    let (mut cluster, leader) = formed(20, &[WRONG]);
    let stranger = cluster.node(3).endpoint.to_string();
    let nodes: Vec<_> = (0..3).map(|at| cluster.node(at).id()).collect();
    let answers = Rc::new(RefCell::new(Vec::new()));
    let heard = answers.clone();
    let members = nodes.clone();
    cluster.sim.client("operator", async move {
        let identity = Identity::from_secret(WRONG.as_bytes(), CLI_NAME)?;
        let client = Client::new(identity, ClientOptions::default());
        // Its own agent takes them for members of its cluster, and would lead them.
        let request = Request::ClusterAdd { nodes: members.clone(), idle: false };
        let call = Call { version: PROTOCOL_VERSION, who: "mallory".to_owned(), request };
        let formed: Result<Reply, _> = client.call(&stranger, PATH_CALL, &call, SECOND).await;
        assert!(matches!(formed, Ok(Reply::Ok(_))), "{formed:?}");
        for member in members {
            let answer: Result<Reply, _> = client.call(member.as_str(), PATH_CALL, &call, SECOND).await;
            heard.borrow_mut().push(answer);
        }
        Ok(())
    });
    goes_on(&mut cluster, leader, 12);
    assert_eq!(answers.borrow().len(), 3);
    for answer in answers.borrow().iter() {
        assert!(matches!(answer, Err(ChannelError::WrongSecret { .. })), "{answer:?}");
    }
    // Even one that is asked for cannot come.
    let wanted = Request::ClusterAdd { nodes: vec![cluster.node(3).id()], idle: false };
    let _ = cluster.call(leader, wanted);
    goes_on(&mut cluster, leader, 8);
    assert_eq!(cluster.story.count("d", "leads in term"), 0);
    assert!(!is_open(3) && servers::state(3).executed.is_empty());
    for name in ["a", "b", "c"] {
        let lines = cluster.story.count(name, "do not trust each other");
        assert!((1..=4).contains(&lines), "{lines} lines of {name}\n{}", cluster.tail());
    }
}

/// Everything until the other side closes, at most so long; `None` when it does not.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin), limit: Duration) -> Option<String> {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    let reading = async {
        // An error is a close, too.
        while let Ok(read) = stream.read(&mut piece).await {
            if read == 0 {
                break;
            }
            all.extend_from_slice(&piece[..read]);
        }
    };
    timeout(limit, reading).await.ok()?;
    Some(String::from_utf8_lossy(&all).into_owned())
}

/// Writes `head`, then a byte now and then; how long that is borne.
async fn drip(stream: impl AsyncRead + AsyncWrite + Unpin, head: &[u8]) -> io::Result<Duration> {
    let (mut read, mut write) = tokio::io::split(stream);
    write.write_all(head).await?;
    write.flush().await?;
    let began = Instant::now();
    let dripping = async {
        while write.write_all(b"x").await.is_ok() && write.flush().await.is_ok() {
            sleep(Duration::from_millis(300)).await;
        }
    };
    let closed = async {
        until_closed(&mut read, Duration::from_secs(60)).await;
    };
    tokio::select! {
        biased;
        () = closed => {}
        () = dripping => {}
    }
    Ok(began.elapsed())
}

fn lasted(what: &str, took: Duration, at_most: Duration) {
    assert!(took <= at_most + Duration::from_millis(100), "{what} was borne for {took:?}");
}

/// Those without a certificate.
async fn noise(to: SocketAddr) -> io::Result<()> {
    let mut state = 1_u32;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(64 << 10)
    .collect();
    let texts: [&[u8]; 3] =
        [&random, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[0x16, 3, 1, 0xff, 0xff, 1, 0, 0]];
    for text in texts {
        let mut stream = TcpStream::connect(to).await?;
        let _ = stream.write_all(text).await;
        let began = Instant::now();
        assert!(until_closed(&mut stream, 10 * SECOND).await.is_some());
        lasted("garbage", began.elapsed(), 5 * SECOND);
    }
    // The head of a ClientHello, and then its body bit by bit.
    lasted("a slow handshake", drip(TcpStream::connect(to).await?, &[0x16, 3, 1, 2, 0]).await?, 5 * SECOND);
    let silent = (0..100).map(async |_| {
        let mut stream = TcpStream::connect(to).await?;
        let began = Instant::now();
        assert!(until_closed(&mut stream, 10 * SECOND).await.is_some());
        lasted("silence", began.elapsed(), 5 * SECOND);
        io::Result::Ok(())
    });
    join_all(silent).await.into_iter().collect()
}

/// A certificate of this cluster, and no manners.
async fn mad(to: SocketAddr) -> io::Result<()> {
    let identity = Identity::from_secret(SECRET.as_bytes(), MAD).map_err(io::Error::other)?;
    let post =
        |length: usize| format!("POST {PATH_PEER} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");

    lasted(
        "a slow head",
        drip(attack::connect(&identity, to).await?, b"POST / HTTP/1.1\r\nA: ").await?,
        5 * SECOND,
    );
    let body = post(1000);
    lasted("a slow body", drip(attack::connect(&identity, to).await?, body.as_bytes()).await?, 15 * SECOND);

    let answers = [
        ("an endless head", format!("POST / HTTP/1.1\r\nA: {}", "x".repeat(64 << 10)), "431"),
        ("too much, declared", post(100 << 20), "413"),
        ("too much, sent", post(5 << 20) + &"x".repeat(5 << 20), "413"),
        ("no length", format!("POST {PATH_PEER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), "411"),
        ("no POST", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(), "405"),
        ("no HTTP", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
    ];
    for (what, request, expected) in answers {
        let mut stream = attack::connect(&identity, to).await?;
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.flush().await;
        let mut first = [0; 12];
        let read = timeout(6 * SECOND, stream.read_exact(&mut first)).await;
        assert!(matches!(read, Ok(Ok(_))), "{what}: {read:?}");
        let status = String::from_utf8_lossy(&first[9..]).into_owned();
        assert_eq!(status, expected, "{what}");
    }

    // More bodies than are held at once: some are turned away, and the rest is given up in time.
    let began = Instant::now();
    let many = (0..20).map(async |_| {
        let mut stream = attack::connect(&identity, to).await?;
        stream.write_all(post(4 << 20).as_bytes()).await?;
        stream.flush().await?;
        let mut first = [0; 12];
        let read = timeout(20 * SECOND, stream.read_exact(&mut first)).await;
        io::Result::Ok(matches!(read, Ok(Ok(_))) && first.ends_with(b"503"))
    });
    let turned_away: io::Result<Vec<bool>> = join_all(many).await.into_iter().collect();
    let turned_away = turned_away?.into_iter().filter(|refused| *refused).count();
    assert!(turned_away >= 4, "{turned_away}");
    lasted("unsent bodies", began.elapsed(), 16 * SECOND);

    // More connections than there are for all, and nothing on them.
    let mut hoard = Vec::new();
    for _ in 0..10 {
        // Not so many at once that they push out each other's handshakes.
        hoard.extend(join_all((0..30).map(|_| attack::connect(&identity, to))).await);
    }
    let other = Identity::from_secret(SECRET.as_bytes(), CLI_NAME).map_err(io::Error::other)?;
    let call = Call { version: PROTOCOL_VERSION, who: "test".to_owned(), request: Request::Ping };
    // On a connection of its own, for which there must be room.
    let answer: Result<Reply, _> = Client::new(other, ClientOptions::default())
        .call(&to.to_string(), PATH_CALL, &call, 3 * SECOND)
        .await;
    assert!(matches!(answer, Ok(Reply::Ok(_))), "{answer:?}");
    drop(hoard);
    Ok(())
}

/// The right words from the wrong mouth.
async fn liar(to: SocketAddr, leader: NodeId) -> Result<(), ChannelError> {
    let identity = Identity::from_secret(SECRET.as_bytes(), MAD).expect("an identity");
    let client = Client::new(identity, ClientOptions::default());
    let peer = to.to_string();
    let refused = |answer: Result<serde_json::Value, ChannelError>, expected: u16| {
        assert!(
            matches!(&answer, Err(ChannelError::Refused { status, .. }) if *status == expected),
            "{answer:?}"
        );
    };
    refused(client.call(&peer, PATH_PEER, "not a message", SECOND).await, 400);
    refused(client.call(&peer, "/nowhere", "", SECOND).await, 404);
    let message = Message::VoteReply { term: 1_000_000, refusal: None };
    let envelope = |from: NodeId, version: u32| Envelope {
        version,
        from,
        cluster: Uuid::default(),
        message: message.clone(),
        remark: None,
    };
    refused(client.call(&peer, PATH_PEER, &envelope(leader, PROTOCOL_VERSION), SECOND).await, 403);
    refused(client.call(&peer, PATH_PEER, &envelope(NodeId::new(MAD), 99), SECOND).await, 400);
    // In its own name it is heard, and means nothing.
    let _: serde_json::Value =
        client.call(&peer, PATH_PEER, &envelope(NodeId::new(MAD), PROTOCOL_VERSION), SECOND).await?;
    Ok(())
}

#[test]
fn garbage_oversized_and_slow_requests_move_nobody() {
    let (mut cluster, leader) = formed(21, &[]);
    let ended = Rc::new(RefCell::new(0));
    let leader_id = cluster.node(leader).id();
    for at in 0..3 {
        let to = cluster.node(at).endpoint;
        assert_eq!(to.port(), PORT);
        let (ended, leader_id) = (ended.clone(), leader_id.clone());
        cluster.sim.client(format!("stranger-{at}"), async move {
            let (noise, mad, liar) = tokio::join!(noise(to), mad(to), liar(to, leader_id));
            noise?;
            mad?;
            liar?;
            *ended.borrow_mut() += 1;
            Ok(())
        });
    }
    (0..13).for_each(|_| goes_on(&mut cluster, leader, 4));
    assert_eq!(*ended.borrow(), 3, "{}", cluster.tail());
    for name in ["a", "b", "c"] {
        // Whatever strangers do, a few lines in ten seconds.
        let lines = cluster.story.count(name, "no client of this port");
        assert!((1..=6).contains(&lines), "{lines} lines of {name}");
    }
}
