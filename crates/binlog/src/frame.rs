//! One event after the other out of pieces of any size: header, as much of the body as is read, checksum.

use crate::header::{HEADER_BYTES, Header};

/// A checksum is a CRC32, bytes.
pub(crate) const CHECKSUM_BYTES: u32 = 4;

/// A header that is being collected.
#[derive(Debug, Default)]
pub(crate) struct HeaderBytes {
    raw: [u8; HEADER_BYTES],
    filled: usize,
}

impl HeaderBytes {
    /// Takes from the front of `bytes` what is missing; the header, when it is complete.
    pub(crate) fn fill(&mut self, bytes: &mut &[u8]) -> Option<[u8; HEADER_BYTES]> {
        let missing = self.raw.get_mut(self.filled..).unwrap_or_default();
        let (taken, rest) = bytes.split_at(missing.len().min(bytes.len()));
        if let Some(place) = missing.get_mut(..taken.len()) {
            place.copy_from_slice(taken);
        }
        self.filled += taken.len();
        *bytes = rest;
        (self.filled == HEADER_BYTES).then_some(self.raw)
    }

    /// Bytes taken so far.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }
}

/// An event whose header is known and whose rest is being read.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    /// Where it begins in the file.
    pub(crate) start: u64,
    /// Of the body and the checksum.
    missing_bytes: u32,
    checksummed: bool,
    crc: crc32fast::Hasher,
    /// The beginning of the body, as much of it as is wanted.
    pub(crate) kept: Vec<u8>,
    kept_max: usize,
    checksum: [u8; 4],
    checksum_filled: usize,
    /// How many of the last bytes so far are zeros.
    pub(crate) trailing_zeros: u64,
}

impl Frame {
    /// `raw` is the header as it was checksummed; `kept_max` bytes of the body are kept. The length in the header must
    /// have been checked: at least that of a header, with the checksum if there is one.
    pub(crate) fn new(
        header: Header,
        raw: &[u8; HEADER_BYTES],
        start: u64,
        checksummed: bool,
        kept_max: usize,
    ) -> Self {
        let mut crc = crc32fast::Hasher::new();
        if checksummed {
            crc.update(raw);
        }
        Self {
            header,
            start,
            missing_bytes: header.event_bytes.saturating_sub(HEADER_BYTES as u32),
            checksummed,
            crc,
            kept: Vec::new(),
            kept_max,
            checksum: [0; 4],
            checksum_filled: 0,
            trailing_zeros: trailing_zeros(raw),
        }
    }

    /// Where it ends in the file.
    pub(crate) fn end(&self) -> u64 {
        self.start + u64::from(self.header.event_bytes)
    }

    /// Takes its bytes from the front; true when it is complete.
    pub(crate) fn fill(&mut self, bytes: &mut &[u8]) -> bool {
        let checksum_bytes = if self.checksummed { CHECKSUM_BYTES } else { 0 };
        let body = take(bytes, self.missing_bytes.saturating_sub(checksum_bytes), &mut self.missing_bytes);
        if self.checksummed {
            self.crc.update(body);
        }
        let wanted = self.kept_max.saturating_sub(self.kept.len()).min(body.len());
        self.kept.extend_from_slice(body.get(..wanted).unwrap_or_default());
        self.count_zeros(body);
        if self.missing_bytes <= checksum_bytes {
            let rest = take(bytes, self.missing_bytes, &mut self.missing_bytes);
            self.count_zeros(rest);
            for byte in rest {
                if let Some(place) = self.checksum.get_mut(self.checksum_filled) {
                    *place = *byte;
                }
                self.checksum_filled += 1;
            }
        }
        self.missing_bytes == 0
    }

    /// The bytes are those that the checksum was made of. Of a complete frame.
    pub(crate) fn is_intact(&self) -> bool {
        !self.checksummed || self.crc.clone().finalize() == u32::from_le_bytes(self.checksum)
    }

    fn count_zeros(&mut self, bytes: &[u8]) {
        self.trailing_zeros = match bytes.iter().rposition(|byte| *byte != 0) {
            Some(last) => (bytes.len() - last - 1) as u64,
            None => self.trailing_zeros + bytes.len() as u64,
        };
    }
}

/// How many of the last bytes are zeros.
pub(crate) fn trailing_zeros(bytes: &[u8]) -> u64 {
    bytes.iter().rev().take_while(|byte| **byte == 0).count() as u64
}

/// Takes up to `most` bytes from the front and counts them off `missing`.
fn take<'a>(bytes: &mut &'a [u8], most: u32, missing: &mut u32) -> &'a [u8] {
    let count = bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX));
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    *missing = missing.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    taken
}
