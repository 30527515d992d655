//! Accepting connections: who gets in, and what becomes of the others.

use crate::error;
use crate::handler::{Handler, Peer};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::names::Naming;
use crate::quiet::Quiet;
use crate::seats::Seats;
use crate::serve::{Shared, serve};
use crate::server::ServerState;
use crate::sockets::{self, TcpListener, TcpStream};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// After a failed accept (mostly: no file descriptors left) the next one would fail at once, too.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// A refused client gets this long to read the alert that tells it why.
const ALERT_GRACE: Duration = Duration::from_millis(500);

/// What the accepting task and its connections share.
pub(crate) struct Acceptor {
    identity: Mutex<Identity>,
    /// Handshakes in progress, oldest first; each is told through its bell to make room.
    handshakes: Mutex<VecDeque<Weak<Notify>>>,
    seats: Arc<Seats>,
    shared: Arc<Shared>,
    log: Log,
}

/// One silence for each kind of message, so that one kind cannot hide another.
#[derive(Debug, Default)]
struct Log {
    accept: Quiet,
    full: Quiet,
    untrusted: Quiet,
    garbage: Quiet,
}

/// Accepts connections until `stopping` turns true, then lets requests in progress finish for a while.
pub(crate) async fn accept(
    listener: TcpListener,
    acceptor: Arc<Acceptor>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stopping.changed() => break,
            Some(ended) = connections.join_next() => report_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, addr)) => acceptor.begin(&mut connections, stream, addr, stopping.clone()),
                Err(error) => {
                    if let Some(left_out) = acceptor.log.accept.allow() {
                        tracing::warn!(%error, left_out, "cannot accept a connection");
                    }
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    // The port is free for a successor while requests in progress finish.
    drop(listener);
    let drain = async {
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
    };
    if timeout(acceptor.shared.limits.shutdown_grace, drain).await.is_err() {
        tracing::warn!(left = connections.len(), "closed connections whose requests did not finish in time");
        connections.shutdown().await;
    }
}

/// A handler that panics loses its connection, not the server.
fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "answering a request panicked; please report this");
    }
}

impl Acceptor {
    pub(crate) fn new(identity: Identity, limits: Limits, handler: Arc<dyn Handler>) -> Self {
        let bodies = limits.max_bodies_bytes.max(limits.max_body_bytes).min(Semaphore::MAX_PERMITS);
        Self {
            identity: Mutex::new(identity),
            handshakes: Mutex::default(),
            seats: Seats::new(limits.max_connections, limits.max_connections_per_peer),
            shared: Arc::new(Shared {
                bodies: Semaphore::new(bodies),
                streams: Seats::new(limits.max_streams, limits.max_streams_per_peer),
                limits,
                handler,
            }),
            log: Log::default(),
        }
    }

    pub(crate) fn renew(&self, identity: Identity) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    pub(crate) fn state(&self) -> ServerState {
        ServerState {
            connections: self.seats.count(),
            untrusted: self.log.untrusted.total(),
            garbage: self.log.garbage.total(),
            turned_away: self.log.full.total(),
        }
    }

    /// Counts a handshake in, until the bell is dropped. When there are too many, the oldest one goes: an honest
    /// one takes milliseconds, so a stranger who opens connections and says nothing pushes out only himself.
    fn admit(&self, addr: SocketAddr) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        let mut handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        handshakes.retain(|other| other.strong_count() > 0);
        let full = handshakes.len() >= self.shared.limits.max_handshakes;
        if full && let Some(oldest) = handshakes.pop_front().and_then(|oldest| oldest.upgrade()) {
            oldest.notify_one();
        }
        handshakes.push_back(Arc::downgrade(&bell));
        drop(handshakes);
        if full {
            self.say_full(addr, "too many connections without a certificate");
        }
        bell
    }

    fn begin(
        self: &Arc<Self>,
        connections: &mut JoinSet<()>,
        stream: TcpStream,
        addr: SocketAddr,
        mut stopping: watch::Receiver<bool>,
    ) {
        let bell = self.admit(addr);
        let this = self.clone();
        connections.spawn(async move {
            let shaken = tokio::select! {
                // In order, not by chance: what this crate does follows from what comes in.
                biased;
                shaken = timeout(this.shared.limits.handshake_timeout, this.handshake(stream, addr)) => shaken,
                () = bell.notified() => return,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            drop(bell);
            let Ok(shaken) = shaken else {
                this.say_garbage(addr, "no TLS handshake in time");
                return;
            };
            let Some((stream, peer)) = shaken else { return };
            let _seat = match this.seats.take(peer.certificate()) {
                Ok(seat) => seat,
                Err(reason) => return this.say_full(addr, reason),
            };
            serve(stream, peer, this.shared.clone(), stopping).await;
        });
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        addr: SocketAddr,
    ) -> Option<(Box<TlsStream<TcpStream>>, Peer)> {
        if let Err(error) = sockets::tune(&stream) {
            tracing::debug!(%addr, %error, "a connection was gone before its handshake");
            return None;
        }
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let naming = identity.naming();
        match TlsAcceptor::from(identity.server_config()).accept(stream).into_fallible().await {
            Ok(stream) => {
                let certificate = stream.get_ref().1.peer_certificates()?.first()?.clone().into_owned();
                Some((Box::new(stream), Peer::new(certificate, naming, addr)))
            }
            Err((error, stream)) => {
                self.say_refused(addr, naming, &error);
                let_alert_through(stream).await;
                None
            }
        }
    }

    fn say_refused(&self, addr: SocketAddr, naming: Naming, error: &io::Error) {
        let about_certificates = match error::tls_error(error) {
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => true,
            Some(rustls::Error::AlertReceived(alert)) => error::is_about_certificates(*alert),
            _ => false,
        };
        if !about_certificates {
            self.say_garbage(addr, &error.to_string());
            return;
        }
        let Some(left_out) = self.log.untrusted.allow() else { return };
        let cure = match naming {
            Naming::Endpoint => "compare server.secret on both hosts",
            Naming::Host => "check the CA and certificate files on both hosts",
        };
        tracing::warn!(%addr, %error, left_out, "refused a connection: the two sides do not trust each other; {cure}");
    }

    fn say_garbage(&self, addr: SocketAddr, reason: &str) {
        if let Some(left_out) = self.log.garbage.allow() {
            tracing::info!(%addr, reason, left_out, "dropped a connection that is no client of this port");
        }
    }

    fn say_full(&self, addr: SocketAddr, reason: &str) {
        if let Some(left_out) = self.log.full.allow() {
            tracing::warn!(%addr, reason, left_out, "closed a connection to stay within the limits");
        }
    }
}

/// Closing a socket with unread bytes resets it, and a reset can overtake the alert: so read on, a little.
async fn let_alert_through(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut scratch = [0_u8; 1024];
        for _ in 0..16 {
            if stream.read(&mut scratch).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Whatever comes of it, the connection is over.
    let _ = timeout(ALERT_GRACE, drain).await;
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("state", &self.state()).finish_non_exhaustive()
    }
}
