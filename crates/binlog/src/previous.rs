//! The Previous_gtids event: every GTID of the files before this one.

use std::collections::BTreeSet;

use xenon_gtid::{GtidSet, Uuid};

use crate::bytes::Bytes;
use crate::gtid_event::read_tag;

/// The longest such event that is read, bytes: room for two million intervals.
pub(crate) const PREVIOUS_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// The highest byte of the count of sources: the form without tags, or (since 8.3) the one with a tag after each UUID.
const TAGGED: u64 = 1;

/// Reads the body. `None` when it is malformed.
pub(crate) fn read(body: &[u8]) -> Option<GtidSet> {
    let mut bytes = Bytes(body);
    let head = bytes.u64()?;
    let tagged = match head >> 56 {
        0 => false,
        TAGGED => true,
        _ => return None,
    };
    // With tags the lowest byte says so once more.
    let sources = if tagged { (head << 8) >> 16 } else { head };
    let (mut set, mut seen) = (GtidSet::new(), BTreeSet::new());
    for _ in 0..sources {
        let uuid = Uuid::from_bytes(bytes.array()?);
        let tag = if tagged { read_tag(&mut bytes)? } else { None };
        // Each is written once; and adding to one again could take quadratic time.
        if !seen.insert((uuid, tag)) {
            return None;
        }
        let mut least = 1;
        for _ in 0..bytes.u64()? {
            // The end is the first number that is not in it.
            let (first, end) = (bytes.u64()?, bytes.u64()?);
            // Rising, as servers write them: others would take quadratic time to sort in.
            if first < least || end <= first || end > i64::MAX.cast_unsigned() {
                return None;
            }
            set.insert_range(uuid, tag, first, end - 1);
            least = end + 1;
        }
    }
    bytes.is_empty().then_some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: [u8; 16] = [0xaa; 16];

    fn body(head: u64, tag: &[u8], intervals: &[(u64, u64)]) -> Vec<u8> {
        let mut body = head.to_le_bytes().to_vec();
        body.extend(UUID);
        body.extend(tag);
        body.extend((intervals.len() as u64).to_le_bytes());
        for (first, end) in intervals {
            body.extend(first.to_le_bytes());
            body.extend(end.to_le_bytes());
        }
        body
    }

    #[test]
    fn both_forms() {
        let text = |body: &[u8]| read(body).map(|set| set.to_string());
        assert_eq!(text(&0_u64.to_le_bytes()).as_deref(), Some(""));
        let plain = body(1, b"", &[(1, 6), (8, 9)]);
        assert_eq!(text(&plain).as_deref(), Some("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-5:8"));
        let tagged = body(0x0100_0000_0000_0101, b"\x06abc", &[(2, 3)]);
        assert_eq!(text(&tagged).as_deref(), Some("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:abc:2"));
        assert_eq!(read(&plain[..plain.len() - 1]), None);
        for intervals in [&[(0, 1)][..], &[(5, 5)], &[(5, 6), (1, 2)], &[(1, u64::MAX)], &[(1, 3), (3, 4)]] {
            assert_eq!(read(&body(1, b"", intervals)), None, "{intervals:?}");
        }
        assert_eq!(read(&body(u64::MAX >> 8, b"", &[(1, 2)])), None, "more sources than bytes");
    }
}
