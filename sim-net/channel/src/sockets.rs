//! In place of the channel's `sockets.rs`: the same words, over turmoil's network.

use futures_util::FutureExt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) use turmoil::net::{TcpListener, TcpStream};

/// Nothing to tune: turmoil's sockets hold nothing back, and have no keepalive (its hosts do not vanish, its links do).
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// Listens on the host's only interface.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), addr.port());
    // Never waits: a simulated port is taken or free.
    TcpListener::bind(everywhere)
        .now_or_never()
        .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::WouldBlock)))
}

/// Asks the simulated name service, which always answers.
pub(crate) async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(vec![SocketAddr::new(turmoil::lookup(host), port)])
}
