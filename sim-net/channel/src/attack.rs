//! What a peer that breaks the rules needs: a connection below the channel's own HTTP.

use crate::identity::Identity;
use crate::sockets::TcpStream;
use std::io;
use std::net::SocketAddr;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection to the node `endpoint` with a good certificate, after which anything can be written.
///
/// # Errors
/// It cannot be reached, or does not take `identity`.
pub async fn connect(identity: &Identity, endpoint: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
    let name = identity
        .naming()
        .server_name(&endpoint.to_string())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let stream = TcpStream::connect(endpoint).await?;
    TlsConnector::from(identity.client_config()).connect(name, stream).await
}
