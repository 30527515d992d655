//! Bounds on what the channel accepts, keeps and waits for.

use std::time::Duration;
use tokio::time::Instant;

/// The clock cannot count further than this, and no process lives as long.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The end of a wait that begins at `start`; a wait that the clock cannot express is a very long one.
pub(crate) fn end_of(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait.min(FOREVER)).unwrap_or(start)
}

/// What a server accepts from its clients. Every queue, buffer and wait of the server is bounded by one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest body of a request, in bytes; more is answered with 413.
    pub max_body_bytes: usize,
    /// All bodies but small ones that are held at once, in bytes; a request beyond is answered with 503. A body counts
    /// from when its length is known, whether or not it comes.
    pub max_bodies_bytes: usize,
    /// Bodies up to this size, in bytes, are small: bounded by [`Limits::max_connections`] only. Otherwise whoever
    /// announces large ones and sends nothing keeps everybody's heartbeats out.
    pub small_body_bytes: usize,
    /// Largest head of a request (request line and headers), in bytes, at least 8 KiB; more is answered with 431.
    pub max_head_bytes: usize,
    /// Connections with a verified certificate at once; one more is closed after its handshake.
    pub max_connections: usize,
    /// And so many of them with the same certificate: one peer gone mad leaves room for the others.
    pub max_connections_per_peer: usize,
    /// Streams at once, each on a connection of its own; one more is answered with 503. Far below
    /// [`Limits::max_connections`], so that they leave room for heartbeats.
    pub max_streams: usize,
    /// And so many of them to owners of the same certificate.
    pub max_streams_per_peer: usize,
    /// Connections that have not shown a certificate yet; for one more, the oldest of them is closed.
    pub max_handshakes: usize,
    /// From accepting a connection to the end of its TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a request to the end of its head.
    pub head_timeout: Duration,
    /// From the first byte of a request to the last byte of its body.
    pub request_timeout: Duration,
    /// How long a handler may take. The caller's deadline is shorter: this only bounds what a bug could hold.
    pub handler_timeout: Duration,
    /// From the handler's answer to its last byte having been taken by the network.
    pub response_timeout: Duration,
    /// How long the network may take nothing of a stream: a slow reader is waited for, a silent one is not. Some
    /// megabytes wait in the sockets' buffers, so that a very slow one looks silent now and then.
    pub stream_stall_timeout: Duration,
    /// How long the source of a stream may be silent.
    pub stream_source_timeout: Duration,
    /// How long a connection is kept without a request.
    pub idle_timeout: Duration,
    /// How long [`crate::Server::shutdown`] waits for requests in progress.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 << 20,
            max_bodies_bytes: 64 << 20,
            small_body_bytes: 64 << 10,
            max_head_bytes: 16 << 10,
            max_connections: 256,
            max_connections_per_peer: 64,
            max_streams: 8,
            max_streams_per_peer: 4,
            max_handshakes: 64,
            handshake_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            handler_timeout: Duration::from_secs(600),
            response_timeout: Duration::from_secs(15),
            stream_stall_timeout: Duration::from_secs(120),
            stream_source_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(90),
            shutdown_grace: Duration::from_secs(2),
        }
    }
}

/// How a client connects and what it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Largest body of a request, in bytes; checked before anything is sent.
    pub max_request_bytes: usize,
    /// Largest body of an answer, in bytes.
    pub max_response_bytes: usize,
    /// Longest wait for a TCP connection and its TLS handshake; a call's own deadline also bounds it.
    pub connect_timeout: Duration,
    /// Calls to one peer in progress at once (each needs its own connection); further ones wait within their deadline.
    pub max_connections_per_peer: usize,
    /// Streams from one peer at once (each has its own connection, beside those of calls); further ones wait within
    /// their deadline.
    pub max_streams_per_peer: usize,
    /// Connections to one peer that are kept open between calls.
    pub max_idle_per_peer: usize,
    /// How long a message of a [`crate::Link`] is worth delivering, counted from `send`.
    pub link_deadline: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            max_request_bytes: 4 << 20,
            max_response_bytes: 4 << 20,
            connect_timeout: Duration::from_secs(3),
            max_connections_per_peer: 16,
            max_streams_per_peer: 4,
            max_idle_per_peer: 2,
            link_deadline: Duration::from_secs(1),
        }
    }
}
