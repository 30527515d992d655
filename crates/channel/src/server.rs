//! The listening side, as its owner sees it.

use crate::accept::{Acceptor, accept};
use crate::handler::Handler;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::sockets;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A listening server. Dropping it closes the port and all connections at once; [`Server::shutdown`] is the polite way.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    acceptor: Arc<Acceptor>,
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
        let listener = sockets::listen(addr).map_err(|error| BindError::from_io(addr, &error))?;
        let local_addr = listener.local_addr().map_err(|error| BindError::from_io(addr, &error))?;
        let (stop, stopping) = watch::channel(false);
        let (ending, ended) = watch::channel(());
        let acceptor = Arc::new(Acceptor::new(identity.clone(), limits, handler));
        let accepting = acceptor.clone();
        let task = runtime.spawn(async move {
            let _ending = ending;
            accept(listener, accepting, stopping).await;
        });
        Ok(Self { local_addr, acceptor, stop, ended, task: task.abort_handle() })
    }

    /// The address listened on, with the port that the system chose if none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Shows `identity` to connections accepted from now on: a certificate of the operator's own CA was renewed.
    pub fn renew(&self, identity: Identity) {
        self.acceptor.renew(identity);
    }

    /// How it is doing now.
    pub fn state(&self) -> ServerState {
        self.acceptor.state()
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

/// How a server is doing, for status displays and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerState {
    /// Connections with a verified certificate that are open now.
    pub connections: usize,
    /// Connections refused since the start because one side did not trust the other's certificate.
    pub untrusted: u64,
    /// Connections dropped since the start that were no clients of this port: scanners, health checks, other protocols.
    pub garbage: u64,
    /// Connections closed since the start because a limit on their number was reached.
    pub turned_away: u64,
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
