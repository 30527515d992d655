//! The receiving end of a stream.

use crate::error::ChannelError;
use crate::frames::{EndMark, Read, Reader};
use crate::names::Naming;
use crate::pool::Connection;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// What a caller takes of a stream at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamBounds {
    /// Bytes in all; a stream that is longer ends in [`ChannelError::TooLarge`].
    pub max_bytes: u64,
    /// Longest silence of the sender; then it ends in [`ChannelError::Timeout`]. A stream has no deadline as a whole:
    /// whoever wants one stops reading.
    pub idle: Duration,
}

/// A stream that is being received. Dropping it closes its connection, and the sender learns that it is not wanted.
///
/// It has a connection of its own, so that no call or message waits behind it, and what is not read is not sent:
/// the network's own back-pressure reaches the source.
pub struct Inflow {
    pub(crate) peer: String,
    pub(crate) path: String,
    pub(crate) naming: Naming,
    pub(crate) bounds: StreamBounds,
    pub(crate) body: Incoming,
    pub(crate) reader: Reader,
    pub(crate) hash: Sha256,
    pub(crate) bytes: u64,
    pub(crate) end: Option<EndMark>,
    pub(crate) _connection: Connection,
    pub(crate) _slot: OwnedSemaphorePermit,
}

impl Inflow {
    /// The next bytes, or `None` at the end of a stream that is whole: its length and SHA-256 are the sender's.
    ///
    /// Nothing that was read is worth anything before the `None`. May be dropped while it waits and called again.
    ///
    /// # Errors
    /// [`ChannelError::CutOff`] when the connection ended before the stream did, [`ChannelError::SourceFailed`] when
    /// the sender says why it will never be whole, and the others as their texts say. There is nothing after an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ChannelError> {
        if self.end.is_some() {
            return Ok(None);
        }
        loop {
            match self.reader.read().map_err(|reason| self.protocol(reason))? {
                Read::Piece(piece) => {
                    self.bytes += piece.len() as u64;
                    if self.bytes > self.bounds.max_bytes {
                        return Err(self.too_large());
                    }
                    self.hash.update(&piece);
                    // A fast sender must not keep this task busy for ever: others have their heartbeats to read.
                    tokio::task::consume_budget().await;
                    return Ok(Some(piece));
                }
                Read::End(mark) => {
                    let mine = EndMark { bytes: self.bytes, sha256: self.hash.clone().finalize().into() };
                    if mark != mine {
                        return Err(self.protocol(format!(
                            "a stream is not what was sent: {} bytes came of {}, or they are others",
                            mine.bytes, mark.bytes
                        )));
                    }
                    self.end = Some(mark);
                    return Ok(None);
                }
                Read::Failed(reason) => {
                    let (peer, path) = (self.peer.clone(), self.path.clone());
                    return Err(ChannelError::SourceFailed { peer, path, reason });
                }
                Read::Wanting => self.receive().await?,
            }
        }
    }

    /// The whole of a short stream.
    ///
    /// # Errors
    /// As [`Inflow::next`].
    pub async fn all(mut self) -> Result<Vec<u8>, ChannelError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// Bytes received so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Length and SHA-256, once the end has proved them.
    pub fn end(&self) -> Option<&EndMark> {
        self.end.as_ref()
    }

    async fn receive(&mut self) -> Result<(), ChannelError> {
        match timeout(self.bounds.idle, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                // Trailers, which nobody sends, are none of ours.
                if let Ok(bytes) = frame.into_data() {
                    self.reader.give(bytes);
                }
                Ok(())
            }
            Ok(Some(Err(error))) => match ChannelError::from_http(&self.peer, self.naming, &error) {
                ChannelError::Unreachable { reason, .. } => Err(self.cut_off(reason)),
                other => Err(other),
            },
            Ok(None) => Err(self.cut_off("it ended without its end mark".to_owned())),
            Err(_) => Err(ChannelError::Timeout {
                peer: self.peer.clone(),
                path: self.path.clone(),
                after: self.bounds.idle,
                stage: "waiting for more of its stream",
            }),
        }
    }

    fn cut_off(&self, reason: String) -> ChannelError {
        ChannelError::CutOff { peer: self.peer.clone(), path: self.path.clone(), bytes: self.bytes, reason }
    }

    fn too_large(&self) -> ChannelError {
        ChannelError::TooLarge {
            peer: self.peer.clone(),
            path: self.path.clone(),
            what: "stream from",
            detail: format!("the limit is {} bytes", self.bounds.max_bytes),
        }
    }

    fn protocol(&self, reason: String) -> ChannelError {
        ChannelError::Protocol { peer: self.peer.clone(), reason }
    }
}

impl fmt::Debug for Inflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflow")
            .field("peer", &self.peer)
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
