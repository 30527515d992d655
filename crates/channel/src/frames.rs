//! What a stream looks like on its way: pieces, and a last word that says whether they were all.
//!
//! HTTP's own end of a body proves nothing to us: it says that whoever wrote the body has stopped. The last word is
//! either an end mark with the length and the SHA-256 of all that went before, or the reason why there will be none.

use hyper::body::Bytes;

/// The media type of an answer that is a stream.
pub(crate) const STREAM_TYPE: &str = "application/x-xenon-stream";

/// Largest piece, in bytes: a TLS record. The runtime of an agent has one thread, which looks at its sockets again after
/// some dozens of pieces: with four times as much heartbeats waited four times as long.
pub(crate) const MAX_PIECE_BYTES: usize = 16 << 10;
/// Longest reason why a stream failed, in bytes.
const MAX_REASON_BYTES: usize = 4 << 10;
/// A kind, and the length of what follows.
const HEAD_BYTES: usize = 5;
const MARK_BYTES: usize = 8 + 32;

const PIECE: u8 = b'D';
const END: u8 = b'E';
const FAILED: u8 = b'F';

/// What proves that a stream is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndMark {
    /// Bytes of the stream.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// Some bytes of a stream, as they are sent.
pub(crate) fn piece(bytes: &[u8]) -> Bytes {
    frame(PIECE, bytes)
}

/// The last word of a stream that is whole.
pub(crate) fn end(mark: &EndMark) -> Bytes {
    let mut payload = [0; MARK_BYTES];
    let (bytes, sha256) = payload.split_at_mut(8);
    bytes.copy_from_slice(&mark.bytes.to_be_bytes());
    sha256.copy_from_slice(&mark.sha256);
    frame(END, &payload)
}

/// The last word of a stream that will not be whole.
pub(crate) fn failed(reason: &str) -> Bytes {
    let cut = reason.floor_char_boundary(MAX_REASON_BYTES);
    frame(FAILED, reason.get(..cut).unwrap_or_default().as_bytes())
}

fn frame(kind: u8, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(HEAD_BYTES + payload.len());
    frame.push(kind);
    // Every caller's payload has a limit far below.
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(payload);
    Bytes::from(frame)
}

/// One step of reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Bytes of the stream.
    Piece(Bytes),
    /// It says that it is whole.
    End(EndMark),
    /// It says that it is not.
    Failed(String),
    /// More must come first.
    Wanting,
}

/// Takes a stream apart, however it was cut on its way; holds no more than it was given and less than a frame.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    held: Vec<u8>,
    given: Bytes,
    /// Bytes of the present piece that are still to come.
    left: usize,
}

impl Reader {
    /// What came next. Only after [`Read::Wanting`], so that nothing heaps up.
    pub(crate) fn give(&mut self, bytes: Bytes) {
        if self.given.is_empty() {
            self.given = bytes;
            return;
        }
        let mut both = Vec::from(std::mem::take(&mut self.given));
        both.extend_from_slice(&bytes);
        self.given = Bytes::from(both);
    }

    /// # Errors
    /// What came is no stream; the text says why.
    pub(crate) fn read(&mut self) -> Result<Read, String> {
        if self.left == 0 {
            if !self.hold(HEAD_BYTES) {
                return Ok(Read::Wanting);
            }
            let (kind, length) = self.head();
            match kind {
                PIECE if (1..=MAX_PIECE_BYTES).contains(&length) => {
                    self.held.clear();
                    self.left = length;
                }
                END if length == MARK_BYTES => return Ok(self.mark()),
                FAILED if length <= MAX_REASON_BYTES => {
                    if !self.hold(HEAD_BYTES + length) {
                        return Ok(Read::Wanting);
                    }
                    let reason = self.held.get(HEAD_BYTES..).unwrap_or_default();
                    return Ok(Read::Failed(String::from_utf8_lossy(reason).into_owned()));
                }
                _ => {
                    return Err(format!(
                        "its stream holds what is no part of one (kind {kind:#04x}, {length} bytes)"
                    ));
                }
            }
        }
        if self.given.is_empty() {
            return Ok(Read::Wanting);
        }
        let piece = self.given.split_to(self.left.min(self.given.len()));
        self.left -= piece.len();
        Ok(Read::Piece(piece))
    }

    fn mark(&mut self) -> Read {
        if !self.hold(HEAD_BYTES + MARK_BYTES) {
            return Read::Wanting;
        }
        let payload = self.held.get(HEAD_BYTES..).unwrap_or_default();
        let (bytes, sha256) = payload.split_at(payload.len().min(8));
        // Both lengths were seen to by `hold`.
        let bytes = bytes.try_into().map_or(0, u64::from_be_bytes);
        let sha256 = sha256.try_into().unwrap_or([0; 32]);
        Read::End(EndMark { bytes, sha256 })
    }

    /// Whether `wanted` bytes from the start of the present frame are held now.
    fn hold(&mut self, wanted: usize) -> bool {
        let missing = wanted.saturating_sub(self.held.len()).min(self.given.len());
        self.held.extend_from_slice(&self.given.split_to(missing));
        self.held.len() >= wanted
    }

    fn head(&self) -> (u8, usize) {
        let kind = self.held.first().copied().unwrap_or_default();
        let length = self.held.get(1..HEAD_BYTES).and_then(|length| length.try_into().ok());
        let length = length.map_or(u32::MAX, u32::from_be_bytes);
        (kind, usize::try_from(length).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn read_all(sent: &[u8], cut: usize) -> Result<(Vec<u8>, Read), String> {
        let mut reader = Reader::default();
        let mut got = Vec::new();
        for some in sent.chunks(cut) {
            reader.give(Bytes::copy_from_slice(some));
            loop {
                match reader.read()? {
                    Read::Piece(piece) => got.extend_from_slice(&piece),
                    Read::Wanting => break,
                    last => return Ok((got, last)),
                }
            }
        }
        Ok((got, Read::Wanting))
    }

    #[test]
    fn it_reads_what_was_written_however_it_is_cut() {
        let mark = EndMark { bytes: 7, sha256: [9; 32] };
        let sent = [piece(b"abcd"), piece(b"efg"), end(&mark)].concat();
        for cut in 1..=sent.len() {
            let (got, last) = read_all(&sent, cut).unwrap();
            assert_eq!((got.as_slice(), last), (&b"abcdefg"[..], Read::End(mark.clone())), "cut at {cut}");
            let (_, last) = read_all(&sent[..sent.len() - 1], cut).unwrap();
            assert_eq!(last, Read::Wanting, "without its last byte it has no end (cut at {cut})");
        }
    }

    #[test]
    fn a_failure_is_told_and_cut_to_a_bearable_length() {
        let (_, last) = read_all(&failed("the disk is gone"), 3).unwrap();
        assert_eq!(last, Read::Failed("the disk is gone".to_owned()));
        let Read::Failed(reason) = read_all(&failed(&"ä".repeat(9000)), 4096).unwrap().1 else {
            panic!("no failure");
        };
        assert_eq!(reason, "ä".repeat(MAX_REASON_BYTES / 2));
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        let too_long = u32::try_from(MAX_PIECE_BYTES + 1).unwrap().to_be_bytes();
        for garbage in [
            b"HTTP/1.1 200 OK".to_vec(),
            [&[PIECE][..], &too_long].concat(),
            [&[PIECE][..], &[0; 4]].concat(),
            [&[END][..], &[0; 4]].concat(),
            [&[FAILED][..], &[0xff; 4]].concat(),
        ] {
            assert!(read_all(&garbage, 2).is_err(), "{garbage:?}");
        }
    }
}
