//! The connections of a client to one peer.

use crate::error::ChannelError;
use crate::identity::Identity;
use crate::limits::{ClientOptions, end_of};
use crate::names::{self, Naming};
use crate::resolve::Resolver;
use crate::sockets::{self, TcpStream};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

/// Largest head of an answer.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// One peer: how to reach it, how to know it, and the connections kept to it.
pub(crate) struct Pool {
    pub(crate) endpoint: String,
    pub(crate) naming: Naming,
    /// The endpoint as the `Host` header.
    pub(crate) host: HeaderValue,
    /// One permit a call in progress.
    pub(crate) slots: Semaphore,
    /// One permit a stream in progress.
    pub(crate) streams: Arc<Semaphore>,
    name: ServerName<'static>,
    tls: TlsConnector,
    resolver: Arc<Resolver>,
    pub(crate) connect_timeout: Duration,
    max_calls: usize,
    max_idle: usize,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(
        endpoint: &str,
        identity: &Identity,
        options: &ClientOptions,
    ) -> Result<Self, ChannelError> {
        let bad = || ChannelError::Protocol {
            peer: endpoint.to_owned(),
            reason: "this is no endpoint (host:port, or [address]:port for IPv6)".to_owned(),
        };
        let (host, port) = names::split_endpoint(endpoint).ok_or_else(bad)?;
        let max_calls = options.max_connections_per_peer.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            endpoint: endpoint.to_owned(),
            naming: identity.naming(),
            host: HeaderValue::from_str(endpoint).map_err(|_| bad())?,
            slots: Semaphore::new(max_calls),
            streams: Arc::new(Semaphore::new(options.max_streams_per_peer.clamp(1, Semaphore::MAX_PERMITS))),
            name: identity.naming().server_name(endpoint).ok_or_else(bad)?,
            tls: TlsConnector::from(identity.client_config()),
            resolver: Arc::new(Resolver::new(host, port)),
            connect_timeout: options.connect_timeout,
            max_calls,
            max_idle: options.max_idle_per_peer,
            idle: Mutex::default(),
        })
    }

    /// A kept connection that is not known to be dead.
    pub(crate) fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.lock_idle();
        while let Some(connection) = idle.pop() {
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    pub(crate) fn keep(&self, connection: Connection) {
        let mut idle = self.lock_idle();
        idle.retain(|kept| !kept.sender.is_closed());
        if idle.len() < self.max_idle {
            idle.push(connection);
        }
    }

    /// Closes all kept connections: what made one of them fail has most likely befallen the others too.
    pub(crate) fn forget_idle(&self) {
        self.lock_idle().clear();
    }

    pub(crate) fn has_idle(&self) -> bool {
        self.lock_idle().iter().any(|kept| !kept.sender.is_closed())
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.slots.available_permits() < self.max_calls
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection to the peer, whose certificate names it; the caller bounds its time.
    pub(crate) async fn connect(&self, progress: &Progress) -> Result<Connection, ChannelError> {
        progress.enter(Stage::Resolving);
        let addresses = self.resolver.addresses().await.map_err(|reason| self.unreachable(reason))?;
        progress.enter(Stage::Connecting);
        let stream = self.connect_tcp(&addresses).await?;
        progress.enter(Stage::Handshake);
        let broken = |error| ChannelError::from_io(&self.endpoint, self.naming, &error);
        sockets::tune(&stream).map_err(broken)?;
        let stream = self.tls.connect(self.name.clone(), stream).await.map_err(broken)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ChannelError::from_http(&self.endpoint, self.naming, &error))?;
        // Its errors reach the call in progress; without one, the sender knows that it is closed.
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Connection { sender, task: task.abort_handle() })
    }

    /// Tries the addresses in turn; one that swallows packets leaves time for the next.
    async fn connect_tcp(&self, addresses: &[SocketAddr]) -> Result<TcpStream, ChannelError> {
        let until = end_of(Instant::now(), self.connect_timeout);
        let mut last = "it has no address".to_owned();
        for (tried, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let share = until.saturating_duration_since(Instant::now()) / left;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    last = format!("connection refused by {address}");
                }
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address} did not answer within {} ms", share.as_millis()),
            }
        }
        Err(self.unreachable(last))
    }

    fn unreachable(&self, reason: String) -> ChannelError {
        ChannelError::Unreachable { peer: self.endpoint.clone(), reason }
    }
}

/// One open connection. Dropping it closes it at once, whatever was in progress on it.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Connection {
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a call is waiting for, so that a passed deadline can say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// For one of the peer's slots.
    Queued,
    /// For the name service.
    Resolving,
    /// For TCP.
    Connecting,
    /// For TLS.
    Handshake,
    /// For the answer.
    Answer,
}

impl Stage {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Queued => "waiting for other calls to the same peer",
            Self::Resolving => "resolving its name",
            Self::Connecting => "connecting",
            Self::Handshake => "waiting for its TLS handshake",
            Self::Answer => "waiting for its answer",
        }
    }
}

/// The present stage of one call.
pub(crate) struct Progress(AtomicU8);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(Stage::Queued as u8))
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    pub(crate) fn stage(&self) -> Stage {
        let stages = [Stage::Queued, Stage::Resolving, Stage::Connecting, Stage::Handshake];
        let now = self.0.load(Ordering::Relaxed);
        stages.into_iter().find(|stage| *stage as u8 == now).unwrap_or(Stage::Answer)
    }
}
