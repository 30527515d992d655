//! What can go wrong with a call, sorted by what its caller can do about it.

use crate::names::{self, Naming};
use rustls::{AlertDescription, CertificateError};
use std::error::Error;
use std::io;
use std::time::Duration;

/// Why a call has no answer. No variant ever holds a secret or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Nobody listens there, no route leads there, or the connection broke. The request was
    /// not handled, unless the connection broke while its answer was awaited.
    #[error(
        "{peer} cannot be reached: {reason}; check that xenon runs there and that the network lets this host in"
    )]
    Unreachable {
        /// The endpoint that was called.
        peer: String,
        /// What the system said.
        reason: String,
    },
    /// No answer within the deadline. The request may have been handled, or may still be.
    #[error("{peer} did not answer {path} within {} ms (while {stage}); it may be hung or overloaded", after.as_millis())]
    Timeout {
        /// The endpoint that was called.
        peer: String,
        /// The path that was called.
        path: String,
        /// The deadline that passed.
        after: Duration,
        /// What the call was waiting for when it passed.
        stage: &'static str,
    },
    /// The two sides were given different secrets.
    #[error(
        "the TLS handshake with {peer} failed: it does not share this cluster's secret; \
         compare server.secret on both hosts, and that {peer} belongs to this cluster"
    )]
    WrongSecret {
        /// The endpoint that was called.
        peer: String,
    },
    /// With the operator's own CA: one side does not accept the other's certificate.
    #[error(
        "the TLS handshake with {peer} failed: {reason}; check the CA and certificate files on both hosts"
    )]
    Untrusted {
        /// The endpoint that was called.
        peer: String,
        /// Which side refused, and why.
        reason: String,
    },
    /// The cluster's secret or CA is right, but somebody else answered.
    #[error(
        "{presented} answered at {peer}; check that the address leads to the right host, \
         and that server.endpoint there is {peer}"
    )]
    WrongPeer {
        /// The endpoint that was called.
        peer: String,
        /// Whom the certificate names.
        presented: String,
    },
    /// The peer answered, with a status outside 200–299.
    #[error("{peer} refused {path} (HTTP {status}): {body}")]
    Refused {
        /// The endpoint that was called.
        peer: String,
        /// The path that was called.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The body of the answer, as text, cut to a few kilobytes.
        body: String,
    },
    /// The request or the answer is over a size limit. Sending it again cannot help.
    #[error("the {what} {path} of {peer} is larger than allowed ({detail}); ask for less at once")]
    TooLarge {
        /// The endpoint that was called.
        peer: String,
        /// The path that was called.
        path: String,
        /// `request to`, `answer from` or `stream from`.
        what: &'static str,
        /// The limit, or the peer's words about its own.
        detail: String,
    },
    /// The connection ended before the stream did: what came of it is a part.
    #[error(
        "{path} of {peer} was cut off after {bytes} bytes: {reason}; check that xenon still runs there, and try again"
    )]
    CutOff {
        /// The endpoint that was called.
        peer: String,
        /// The path that was called.
        path: String,
        /// Bytes that came before.
        bytes: u64,
        /// What the system said.
        reason: String,
    },
    /// The sender gave up in the middle of a stream: what came of it is a part.
    #[error("{peer} could not send all of {path}: {reason}")]
    SourceFailed {
        /// The endpoint that was called.
        peer: String,
        /// The path that was called.
        path: String,
        /// The sender's words.
        reason: String,
    },
    /// The two sides do not understand each other: no TLS, no HTTP, not the JSON that was expected.
    #[error(
        "{peer} and this host do not understand each other: {reason}; check both versions of xenon, and the port"
    )]
    Protocol {
        /// The endpoint that was called.
        peer: String,
        /// What was not understood.
        reason: String,
    },
}

impl ChannelError {
    /// The endpoint that was called.
    pub fn peer(&self) -> &str {
        match self {
            Self::Unreachable { peer, .. }
            | Self::Timeout { peer, .. }
            | Self::WrongSecret { peer }
            | Self::Untrusted { peer, .. }
            | Self::WrongPeer { peer, .. }
            | Self::Refused { peer, .. }
            | Self::TooLarge { peer, .. }
            | Self::CutOff { peer, .. }
            | Self::SourceFailed { peer, .. }
            | Self::Protocol { peer, .. } => peer,
        }
    }

    /// Sorts an error of the TCP or TLS layer.
    pub(crate) fn from_io(peer: &str, naming: Naming, error: &io::Error) -> Self {
        let peer = peer.to_owned();
        match tls_error(error) {
            Some(tls) => Self::from_tls(peer, naming, tls),
            None => Self::Unreachable { peer, reason: describe(error) },
        }
    }

    /// Sorts an error of the HTTP layer, which mostly wraps one of the layers below.
    pub(crate) fn from_http(peer: &str, naming: Naming, error: &hyper::Error) -> Self {
        if let Some(io) = io_error(error) {
            return Self::from_io(peer, naming, io);
        }
        let peer = peer.to_owned();
        if error.is_closed() || error.is_canceled() || error.is_incomplete_message() {
            let reason = "it closed the connection before it answered".to_owned();
            return Self::Unreachable { peer, reason };
        }
        Self::Protocol { peer, reason: error.to_string() }
    }

    fn from_tls(peer: String, naming: Naming, error: &rustls::Error) -> Self {
        use CertificateError as Cert;
        use rustls::Error as Tls;
        let refused = |reason: String| match naming {
            Naming::Endpoint => Self::WrongSecret { peer: peer.clone() },
            Naming::Host => Self::Untrusted { peer: peer.clone(), reason },
        };
        match error {
            Tls::InvalidCertificate(Cert::NotValidForName) => {
                Self::WrongPeer { presented: "somebody else".to_owned(), peer }
            }
            Tls::InvalidCertificate(Cert::NotValidForNameContext { presented, .. }) => {
                Self::WrongPeer { presented: names::readable(presented), peer }
            }
            Tls::InvalidCertificate(reason) => {
                refused(format!("its certificate is not accepted here ({reason})"))
            }
            Tls::NoCertificatesPresented => refused("it shows no certificate".to_owned()),
            Tls::AlertReceived(alert) if is_about_certificates(*alert) => {
                refused(format!("it does not accept this host's certificate ({alert:?})"))
            }
            other => Self::Protocol { peer, reason: format!("the TLS layer says: {other}") },
        }
    }
}

/// The alerts by which a peer says that it does not like the certificate it was shown.
pub(crate) fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::UnknownCA
            | A::BadCertificate
            | A::DecryptError
            | A::CertificateRequired
            | A::CertificateUnknown
            | A::CertificateExpired
            | A::CertificateRevoked
            | A::UnsupportedCertificate
            | A::AccessDenied
    )
}

/// The TLS error that an I/O error carries, if any.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether a kept connection turned out to be dead before a byte of the answer came.
pub(crate) fn is_stale(error: &hyper::Error) -> bool {
    if let Some(io) = io_error(error) {
        return tls_error(io).is_none();
    }
    error.is_closed() || error.is_canceled() || error.is_incomplete_message()
}

fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    let mut next = error.source();
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref() {
            return Some(io);
        }
        next = current.source();
    }
    None
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        io::ErrorKind::TimedOut => "the connection timed out".to_owned(),
        _ => error.to_string(),
    }
}
