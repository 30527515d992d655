//! Where a server's connection stands, and until when it may stand there.
//!
//! One alarm a connection, armed again only when a nearer deadline appears: an idle connection costs no wake-ups, and
//! a client that sends a byte now and then cannot stretch a request beyond its limit.

use crate::limits::{Limits, end_of};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between requests.
    Idle,
    /// Reading the head of a request.
    Head,
    /// Reading the body of a request.
    Body,
    /// The handler is at work.
    Handling,
    /// Writing the answer.
    Responding,
    /// Writing a stream: waiting for its source.
    Streaming,
    /// Writing a stream: waiting for the network.
    Stalled,
}

impl Phase {
    fn limit(self, limits: &Limits) -> Duration {
        match self {
            Self::Idle => limits.idle_timeout,
            Self::Head => limits.head_timeout,
            Self::Body => limits.request_timeout,
            Self::Handling => limits.handler_timeout,
            Self::Responding => limits.response_timeout,
            Self::Streaming => limits.stream_source_timeout,
            Self::Stalled => limits.stream_stall_timeout,
        }
    }
}

/// The phase of one connection and when it began; shared by the parts that see its ends.
#[derive(Debug, Clone)]
pub(crate) struct PhaseClock {
    state: Arc<Mutex<(Phase, Instant)>>,
}

impl PhaseClock {
    pub(crate) fn new() -> Self {
        Self { state: Arc::new(Mutex::new((Phase::Idle, Instant::now()))) }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// When the present phase has lasted too long.
    pub(crate) fn deadline(&self, limits: &Limits) -> Instant {
        let (phase, since) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        end_of(since, phase.limit(limits))
    }

    pub(crate) fn enter(&self, next: Phase) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The limit on a whole request counts from its first byte, so its body inherits the time of its head.
        let since = match (state.0, next) {
            (Phase::Head, Phase::Body) => state.1,
            _ => Instant::now(),
        };
        *state = (next, since);
    }

    /// The network took some bytes, or none: of a stream, only the time in which it takes none is limited.
    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        match (polled, self.phase()) {
            (Poll::Ready(Ok(_)), Phase::Streaming | Phase::Stalled) => self.enter(Phase::Streaming),
            (Poll::Pending, Phase::Streaming) => self.enter(Phase::Stalled),
            _ => {}
        }
    }

    fn enter_from(&self, expected: Phase, next: Phase) {
        if self.phase() == expected {
            self.enter(next);
        }
    }
}

/// A stream that tells its clock when a request begins to arrive and when an answer has left.
pub(crate) struct Observed<IO> {
    pub(crate) io: IO,
    pub(crate) clock: PhaseClock,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Observed<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.clock.enter_from(Phase::Idle, Phase::Head);
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Observed<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.clock.wrote(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        if polled.is_pending() {
            self.clock.enter_from(Phase::Streaming, Phase::Stalled);
        }
        if let Poll::Ready(Ok(())) = polled {
            // An answer is queued as a whole before it is flushed, so the first flush after it is its end.
            self.clock.enter_from(Phase::Responding, Phase::Idle);
            // What the source gave has left: from here on it is waited for, and not the network.
            self.clock.enter_from(Phase::Stalled, Phase::Streaming);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.clock.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
