//! The listening side: accepts connections, checks certificates, and keeps everything within its limits.

use crate::handler::{Handler, Peer};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::names::Naming;
use crate::quiet::Quiet;
use crate::serve::{Shared, serve};
use crate::{error, sockets};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const BACKLOG: u32 = 1024;
/// After a failed accept (mostly: no file descriptors left) the next one would fail at once, too.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// A refused client gets this long to read the alert that tells it why.
const ALERT_GRACE: Duration = Duration::from_millis(500);

/// A listening server. Dropping it closes the port and all connections at once; [`Server::shutdown`] is the polite way.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    /// Closed by the accepting task when it ends.
    ended: watch::Receiver<()>,
    task: AbortHandle,
}

impl Server {
    /// Listens on `addr` and answers requests with `handler`; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on; the text says why and what to try.
    pub fn bind(
        addr: SocketAddr,
        identity: &Identity,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> Result<Self, BindError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BindError::NoRuntime)?;
        let listener = listen(addr).map_err(|error| BindError::from_io(addr, &error))?;
        let local_addr = listener.local_addr().map_err(|error| BindError::from_io(addr, &error))?;
        let (stop, stopping) = watch::channel(false);
        let (ending, ended) = watch::channel(());
        let bodies = limits.max_bodies_bytes.max(limits.max_body_bytes).min(Semaphore::MAX_PERMITS);
        let acceptor = Arc::new(Acceptor {
            tls: TlsAcceptor::from(identity.server_config()),
            naming: identity.naming(),
            handshakes: Arc::new(Semaphore::new(limits.max_handshakes)),
            connections: Arc::new(Semaphore::new(limits.max_connections)),
            shared: Arc::new(Shared { bodies: Semaphore::new(bodies), limits, handler }),
            log: Log::default(),
        });
        let task = runtime.spawn(async move {
            let _ending = ending;
            accept(listener, acceptor, stopping).await;
        });
        Ok(Self { local_addr, stop, ended, task: task.abort_handle() })
    }

    /// The address listened on, with the port that the system chose if none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes the port and idle connections, lets requests in progress finish for [`Limits::shutdown_grace`], and
    /// closes what is left. Returns when all is closed; further calls are harmless.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // An agent that restarts must not wait for the old one's closed connections.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

struct Acceptor {
    tls: TlsAcceptor,
    naming: Naming,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
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

async fn accept(listener: TcpListener, acceptor: Arc<Acceptor>, mut stopping: watch::Receiver<bool>) {
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
    fn begin(
        self: &Arc<Self>,
        connections: &mut JoinSet<()>,
        stream: TcpStream,
        addr: SocketAddr,
        mut stopping: watch::Receiver<bool>,
    ) {
        let Ok(handshake) = self.handshakes.clone().try_acquire_owned() else {
            self.say_full(addr, "too many connections without a certificate");
            return;
        };
        let this = self.clone();
        connections.spawn(async move {
            let shaken = tokio::select! {
                shaken = timeout(this.shared.limits.handshake_timeout, this.handshake(stream, addr)) => shaken,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            drop(handshake);
            let Ok(shaken) = shaken else {
                this.say_garbage(addr, "no TLS handshake in time");
                return;
            };
            let Some((stream, peer)) = shaken else { return };
            let Ok(_connection) = this.connections.clone().try_acquire_owned() else {
                this.say_full(addr, "too many connections");
                return;
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
        match self.tls.accept(stream).into_fallible().await {
            Ok(stream) => {
                let certificate = stream.get_ref().1.peer_certificates()?.first()?.clone().into_owned();
                Some((Box::new(stream), Peer::new(certificate, self.naming, addr)))
            }
            Err((error, stream)) => {
                self.say_refused(addr, &error);
                let_alert_through(stream).await;
                None
            }
        }
    }

    fn say_refused(&self, addr: SocketAddr, error: &io::Error) {
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
        let cure = match self.naming {
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
            tracing::warn!(%addr, reason, left_out, "dropped a connection");
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

/// Why a server cannot listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error(
        "{addr} is in use by another process; see which with `ss -ltnp`, stop it, or change server.endpoint"
    )]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// No interface of this host has the address.
    #[error("{addr} is no address of this host; see `ip address`, and correct server.endpoint")]
    AddressNotHere {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The port is reserved for privileged users.
    #[error(
        "this user may not listen on {addr}; use a port from 1024 on, or give the service CAP_NET_BIND_SERVICE"
    )]
    NotAllowed {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {addr}: {reason}; check server.endpoint and the limits of this process")]
    Other {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// A mistake in the program.
    #[error("a server must be made inside a tokio runtime; please report this")]
    NoRuntime,
}

impl BindError {
    fn from_io(addr: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { addr },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotHere { addr },
            io::ErrorKind::PermissionDenied => Self::NotAllowed { addr },
            _ => Self::Other { addr, reason: error.to_string() },
        }
    }
}
