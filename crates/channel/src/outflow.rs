//! The sending end of a stream: the handler's owner writes into an [`Outflow`], the connection takes it from there.

use crate::frames::{self, EndMark, MAX_PIECE_BYTES};
use crate::phase::{Phase, PhaseClock};
use crate::seats::Seat;
use hyper::body::{Body, Bytes, Frame};
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// Pieces that wait for the network; a writer that is faster waits with the next one.
const PIECES_AHEAD: usize = 8;

/// A stream to be sent as the answer to a request, and the pen that writes it.
///
/// The answer goes to the caller at once; what is written follows as the network takes it.
pub fn stream() -> (Outflow, StreamedAnswer) {
    let (pieces, waiting) = mpsc::channel(PIECES_AHEAD);
    (Outflow { pieces, hash: Sha256::new(), bytes: 0 }, StreamedAnswer { waiting })
}

/// An answer of unknown length: what the [`Outflow`] made with it writes.
#[derive(Debug)]
pub struct StreamedAnswer {
    waiting: mpsc::Receiver<Piece>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End(EndMark),
    Failed(String),
}

/// The pen of a stream. Whoever drops it without [`Outflow::finish`] has cut the stream off: the caller is told so.
pub struct Outflow {
    pieces: mpsc::Sender<Piece>,
    hash: Sha256,
    bytes: u64,
}

/// The caller has hung up, or the connection broke: nothing more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the caller has hung up")]
pub struct HungUp;

impl Outflow {
    /// Sends some bytes; waits while the network does not keep up (its own limit ends a connection that takes
    /// nothing for [`crate::Limits::stream_stall_timeout`]).
    ///
    /// # Errors
    /// There is nobody left to send to.
    pub async fn send(&mut self, mut bytes: Bytes) -> Result<(), HungUp> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_PIECE_BYTES));
            let room = self.pieces.reserve().await.map_err(|_| HungUp)?;
            self.hash.update(&piece);
            self.bytes += piece.len() as u64;
            room.send(Piece::Bytes(piece));
        }
        Ok(())
    }

    /// Ends the stream: it is whole.
    ///
    /// # Errors
    /// There is nobody left to tell.
    pub async fn finish(self) -> Result<(), HungUp> {
        let mark = EndMark { bytes: self.bytes, sha256: self.hash.finalize().into() };
        self.pieces.send(Piece::End(mark)).await.map_err(|_| HungUp)
    }

    /// Ends the stream: it is not whole, for this reason.
    pub async fn fail(self, reason: impl Into<String>) {
        // Whoever has hung up knows already.
        let _ = self.pieces.send(Piece::Failed(reason.into())).await;
    }

    /// Returns when the caller has hung up: a source that is silent for long would not notice otherwise.
    pub async fn hung_up(&self) {
        self.pieces.closed().await;
    }

    /// Bytes sent so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Debug for Outflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outflow").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// The body of a streamed answer.
pub(crate) struct Flowing {
    waiting: mpsc::Receiver<Piece>,
    clock: PhaseClock,
    ended: bool,
    breathe: bool,
    _seat: Seat,
}

impl Flowing {
    pub(crate) fn new(answer: StreamedAnswer, clock: PhaseClock, seat: Seat) -> Self {
        Self { waiting: answer.waiting, clock, ended: false, breathe: false, _seat: seat }
    }
}

impl Body for Flowing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            // From here on it is an answer like any other: its last bytes have to leave in time.
            self.clock.enter(Phase::Responding);
            return Poll::Ready(None);
        }
        if std::mem::take(&mut self.breathe) {
            // A fast source and a fast network would keep this task busy for ever; heartbeats have theirs.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(self.waiting.poll_recv(cx));
        let frame = match piece {
            Some(Piece::Bytes(bytes)) => {
                self.breathe = true;
                return Poll::Ready(Some(Ok(Frame::data(frames::piece(&bytes)))));
            }
            Some(Piece::End(mark)) => frames::end(&mark),
            Some(Piece::Failed(reason)) => frames::failed(&reason),
            None => frames::failed("its source ended without a word"),
        };
        self.ended = true;
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}
