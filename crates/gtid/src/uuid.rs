//! The UUID of a server, or of the cluster's markers.

use std::fmt;

/// The UUID part of a GTID: `server_uuid` of the server where the transaction was first committed, a group name, or
/// any other UUID that `GTID_NEXT` named.
///
/// Sorted by its bytes, which is the order in which servers print a set. Prints in lower case with dashes. Reads
/// the forms that servers read: either case; with all four dashes, with none, or with dashes in braces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// Bytes of the UUID after which its text has a dash.
const DASH_BEFORE_BYTE: [usize; 4] = [4, 6, 8, 10];

impl Uuid {
    /// The UUID of these bytes, in the order of their printing (as in the binary log).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Uuid(bytes)
    }

    /// The bytes, in the order of their printing (as in the binary log).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads a UUID from the beginning of `text`: the UUID and the number of bytes read, or else the offset of the
    /// first byte that does not fit.
    pub(crate) fn read(text: &[u8]) -> Result<(Uuid, usize), usize> {
        let mut at = 0;
        let braced = text.first() == Some(&b'{');
        if braced {
            at += 1;
        }
        // The first place for a dash decides for all four; in braces they are mandatory. This is the server's rule.
        let mut dashed = braced.then_some(true);
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            if DASH_BEFORE_BYTE.contains(&index) {
                let here = text.get(at) == Some(&b'-');
                match (*dashed.get_or_insert(here), here) {
                    (true, true) => at += 1,
                    (true, false) => return Err(at),
                    (false, _) => {}
                }
            }
            *byte = hex_digit(text, at)? << 4 | hex_digit(text, at + 1)?;
            at += 2;
        }
        if braced {
            if text.get(at) != Some(&b'}') {
                return Err(at);
            }
            at += 1;
        }
        Ok((Uuid(bytes), at))
    }
}

/// The value of the hex digit at `at`, or `at` if there is none.
fn hex_digit(text: &[u8], at: usize) -> Result<u8, usize> {
    match text.get(at) {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(at),
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.iter().enumerate() {
            if DASH_BEFORE_BYTE.contains(&index) {
                at += 1;
            }
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 15)];
            at += 2;
        }
        // Never fails: the text is ASCII.
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 16]> for Uuid {
    fn from(bytes: [u8; 16]) -> Self {
        Uuid(bytes)
    }
}
