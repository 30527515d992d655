//! The port: bound again and again until it can be, and connections within bounds.

use super::guard::Peer;
use super::stall::Stalling;
use super::tls::{self, Files};
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use xenon_config::ListenAddress;

/// Pause before another attempt to bind: first, and at most.
const BIND_AGAIN: Duration = Duration::from_millis(500);
const BIND_AGAIN_MOST: Duration = Duration::from_secs(10);
/// After a failed accept (mostly: no file descriptors left) the next one would fail at once, too.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Connections at once, in all and of one address.
const CONNECTIONS_MAX: usize = 256;
const CONNECTIONS_OF_ONE: usize = 64;
/// From a connection's beginning, or its last answer, to the end of the next request's head.
const HEAD: Duration = if cfg!(test) { Duration::from_millis(700) } else { Duration::from_secs(10) };
/// A request's head.
const HEAD_MAX_BYTES: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// How long the other end may take nothing of an answer.
const TAKEN: Duration = Duration::from_secs(20);

/// Serves until it is dropped. `told` is why it cannot.
pub(super) async fn run(
    address: ListenAddress,
    files: Option<Files>,
    router: Router,
    told: watch::Sender<Option<String>>,
) {
    let mut again = BIND_AGAIN;
    let (listener, tls) = loop {
        match begin(&address, files.as_ref()).await {
            Ok(begun) => break begun,
            // The agent goes on without: an address for people is no reason to leave a server alone.
            Err(trouble) => told.send_replace(Some(trouble)),
        };
        sleep(again).await;
        again = (again * 2).min(BIND_AGAIN_MOST);
    };
    told.send_replace(None);
    let here = listener.local_addr().ok();
    tracing::info!(address = here.map(tracing::field::display), "the HTTP API listens");
    if tls.is_none() && here.is_none_or(|here| !here.ip().to_canonical().is_loopback()) {
        tracing::warn!(
            "passwords and tokens come over HTTP without TLS: let only hosts that you trust reach {address}, or give \
             server.api-tls-cert and server.api-tls-key"
        );
    }
    accept(listener, tls, router).await;
}

async fn begin(
    address: &ListenAddress,
    files: Option<&Files>,
) -> Result<(TcpListener, Option<TlsAcceptor>), String> {
    let tls = files.map(tls::acceptor).transpose().map_err(|error| {
        format!(
            "the HTTP API is not served: {error}; it is tried again (server.api-tls-cert, server.api-tls-key)"
        )
    })?;
    let listener = bind(address).await.map_err(|error| {
        format!("the HTTP API cannot listen at {address}: {error}; it is tried again (server.peer-address)")
    })?;
    Ok((listener, tls))
}

async fn bind(address: &ListenAddress) -> io::Result<TcpListener> {
    let port = address.port();
    let Some(host) = address.host() else {
        // Takes IPv4 in as well, where there is IPv6 at all.
        return match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind(("0.0.0.0", port)).await
            }
            outcome => outcome,
        };
    };
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    TcpListener::bind(addresses.as_slice()).await
}

pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let seats = Seats::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => {
                if ended.is_err_and(|error| error.is_panic()) {
                    tracing::error!("answering a request over HTTP panicked; please report this");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let peer = address.ip().to_canonical();
                    // Without a word: whoever opens so many is not to cost more.
                    if let Some(seat) = seats.take(peer) {
                        connections.spawn(connection(stream, tls.clone(), peer, router.clone(), seat));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, peer: IpAddr, router: Router, _seat: Seat) {
    // An answer is small, and waited for.
    let _ = stream.set_nodelay(true);
    let stream = Stalling::new(stream, TAKEN);
    let Some(tls) = tls else { return serve(stream, peer, router).await };
    // On the heap: the states of a handshake are large.
    match timeout(HEAD, Box::pin(tls.accept(stream))).await {
        Ok(Ok(stream)) => serve(stream, peer, router).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with whoever asks over HTTP"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake over HTTP took too long"),
    }
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin + 'static>(stream: IO, peer: IpAddr, router: Router) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection over HTTP ended in an error");
    }
}

/// Connections by address.
#[derive(Default, Clone)]
struct Seats {
    /// None is 0, so this grows no larger than [`CONNECTIONS_MAX`].
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

struct Seat {
    seats: Seats,
    of: IpAddr,
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, of: IpAddr) -> Option<Seat> {
        let mut taken = self.lock();
        let own = taken.get(&of).copied().unwrap_or(0);
        if own >= CONNECTIONS_OF_ONE || taken.values().sum::<usize>() >= CONNECTIONS_MAX {
            return None;
        }
        taken.insert(of, own + 1);
        Some(Seat { seats: self.clone(), of })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(own) = taken.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.of);
            }
        }
    }
}
