//! What a server hands to its owner, and what it gets back.

use crate::names::{self, CLI_NAME, Naming};
use crate::outflow::StreamedAnswer;
use hyper::body::Bytes;
use rustls::CertificateError;
use rustls::client::verify_server_name;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// The future that a [`Handler`] returns.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Answers requests. Every `Fn(Incoming) -> impl Future<Output = impl Into<Answer>>` is one.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// The future is dropped where it stands when the caller hangs up, when a limit passes, or at the end of a
    /// shutdown's grace: hand work that must be finished to a task, and only wait for its answer here. A request can
    /// come twice (see [`crate::Client::call`]).
    fn handle(&self, incoming: Incoming) -> HandlerFuture<'_>;
}

impl<F, R, A> Handler for F
where
    F: Fn(Incoming) -> R + Send + Sync + 'static,
    R: Future<Output = A> + Send + 'static,
    A: Into<Answer>,
{
    fn handle(&self, incoming: Incoming) -> HandlerFuture<'_> {
        let answer = self(incoming);
        Box::pin(async move { answer.await.into() })
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Who sent it.
    pub peer: Peer,
    /// The path, without a query: `/raft/vote`.
    pub path: String,
    /// The body, complete and within [`crate::Limits::max_body_bytes`].
    pub body: Bytes,
}

/// What answers a request.
#[derive(Debug)]
pub enum Answer {
    /// All of it.
    Whole(Outgoing),
    /// Bytes of unknown length, for a caller that used [`crate::Client::open`].
    Stream(StreamedAnswer),
}

impl From<Outgoing> for Answer {
    fn from(whole: Outgoing) -> Self {
        Self::Whole(whole)
    }
}

impl From<StreamedAnswer> for Answer {
    fn from(stream: StreamedAnswer) -> Self {
        Self::Stream(stream)
    }
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The HTTP status, 200–599: 200 with what the caller expects, anything from 300 on reaches it as
    /// [`crate::ChannelError::Refused`] with the body as text.
    pub status: u16,
    /// The body: JSON, or text with an error status.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// Status 200 with `value` as JSON; 500 should it not be serializable.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status: 200, body },
            Err(error) => Self::text(500, format!("the answer cannot be written as JSON: {error}")),
        }
    }

    /// Any status with a sentence for people.
    pub fn text(status: u16, sentence: impl Into<String>) -> Self {
        Self { status, body: sentence.into().into_bytes() }
    }
}

/// The other end of a connection, whose certificate this cluster's authority has signed.
#[derive(Clone)]
pub struct Peer {
    certificate: Arc<CertificateDer<'static>>,
    naming: Naming,
    addr: SocketAddr,
}

impl Peer {
    pub(crate) fn new(certificate: CertificateDer<'static>, naming: Naming, addr: SocketAddr) -> Self {
        Self { certificate: Arc::new(certificate), naming, addr }
    }

    /// Whether the certificate is valid for the sender `endpoint` (`host:port`, or [`CLI_NAME`]).
    ///
    /// With a shared secret the certificate must name exactly this endpoint. With the operator's own CA it must be
    /// valid for the host, and every certificate of that CA may speak as the command line.
    pub fn is_named(&self, endpoint: &str) -> bool {
        if self.naming == Naming::Host && endpoint == CLI_NAME {
            return true;
        }
        let Some(name) = self.naming.server_name(endpoint) else {
            return false;
        };
        ParsedCertificate::try_from(&*self.certificate)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }

    /// The names in the certificate, for messages to people.
    pub fn names(&self) -> String {
        // The library lists the names of a certificate only when it explains why another one does not match.
        let parsed = ParsedCertificate::try_from(&*self.certificate).ok();
        let Some((certificate, nobody)) = parsed.zip(names::nobody()) else {
            return names::readable(&[]);
        };
        match verify_server_name(&certificate, &nobody) {
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented,
                ..
            })) => names::readable(&presented),
            _ => names::readable(&[]),
        }
    }

    /// What tells it from all others.
    pub(crate) fn certificate(&self) -> &Arc<CertificateDer<'static>> {
        &self.certificate
    }

    /// The address that the connection came from.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("names", &self.names()).field("addr", &self.addr).finish_non_exhaustive()
    }
}
