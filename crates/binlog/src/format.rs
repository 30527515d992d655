//! The Format_description event: how the events behind it are to be read.

use crate::bytes::Bytes;
use crate::header::{FLAG_IN_USE, HEADER_BYTES};

/// The longest such event that is read, bytes; those of MySQL have about 120.
pub(crate) const FORMAT_BYTES_MAX: u32 = 1024;

/// The version of the format, since MySQL 5.0.
const BINLOG_VERSION: u16 = 4;

const SERVER_VERSION_BYTES: usize = 50;

/// What is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    /// Events behind it end in a CRC32 of themselves.
    pub(crate) checksummed: bool,
    /// Version of the server that made it, as it prints it.
    pub(crate) server_version: String,
}

/// Reads the body without its checksum. `None` when it is malformed or another format.
pub(crate) fn read(body: &[u8]) -> Option<Format> {
    let (algorithm, rest) = body.split_last()?;
    let mut bytes = Bytes(rest);
    if bytes.u16()? != BINLOG_VERSION {
        return None;
    }
    let version = bytes.take(SERVER_VERSION_BYTES)?;
    let version = version.split(|byte| *byte == 0).next()?;
    let _created_s = bytes.u32()?;
    if usize::from(bytes.u8()?) != HEADER_BYTES {
        return None;
    }
    let checksummed = match algorithm {
        0 => false,
        1 => true,
        _ => return None,
    };
    Some(Format { checksummed, server_version: String::from_utf8_lossy(version).into_owned() })
}

/// The header as it was when the checksum was made: the server sets and clears the flag in the file afterwards.
pub(crate) fn header_as_checksummed(raw: &[u8; HEADER_BYTES]) -> [u8; HEADER_BYTES] {
    let mut raw = *raw;
    let [.., low, _high] = &mut raw;
    *low &= !FLAG_IN_USE.to_le_bytes()[0];
    raw
}
