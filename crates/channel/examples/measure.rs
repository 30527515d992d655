//! What the channel costs on this machine: `cargo run --release -p xenon-channel --example measure`.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use xenon_channel::{Client, ClientOptions, Identity, Incoming, Limits, Outgoing, Server};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const DEADLINE: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 1_000;
const CALLS: usize = 50_000;

fn main() -> Result<(), Failure> {
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("one thread for both sides");
    single.block_on(measure())?;
    let multi = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("multi-threaded runtime");
    multi.block_on(async {
        tokio::spawn(async { measure().await.map_err(|error| error.to_string()) }).await
    })??;
    Ok(())
}

async fn measure() -> Result<(), Failure> {
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let peer = addr.to_string();
    let started = Instant::now();
    let ours = Identity::from_secret(b"measured", &peer)?;
    println!("  identity from secret       {:9.1} µs", started.elapsed().as_secs_f64() * 1e6);
    let echo = |incoming: Incoming| async move {
        // As an agent does with every request.
        let known = incoming.peer.is_named("127.0.0.1:1");
        Outgoing { status: if known { 200 } else { 403 }, body: incoming.body.to_vec() }
    };
    let server = Server::bind(addr, &ours, Limits::default(), Arc::new(echo))?;
    let theirs = Identity::from_secret(b"measured", "127.0.0.1:1")?;

    let mut times = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let client = Client::new(theirs.clone(), ClientOptions::default());
        let started = Instant::now();
        client.call::<_, u8>(&peer, "/", &1, DEADLINE).await?;
        times.push(started.elapsed());
    }
    show("connect, handshake, 1 call", times);

    let client = Client::new(theirs, ClientOptions::default());
    let message = "x".repeat(300);
    client.call::<_, String>(&peer, "/", &message, DEADLINE).await?;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        client.call::<_, String>(&peer, "/", &message, DEADLINE).await?;
        times.push(started.elapsed());
    }
    show("call of 300 bytes, kept   ", times);

    let large = "x".repeat(1 << 20);
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        client.call::<_, String>(&peer, "/", &large, DEADLINE).await?;
        times.push(started.elapsed());
    }
    show("call of 1 MiB, both ways  ", times);
    server.shutdown().await;
    Ok(())
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!("  {what} {:9.1} µs median {:9.1} µs 99 % {:9.1} µs worst", at(0.5), at(0.99), at(1.0));
}
