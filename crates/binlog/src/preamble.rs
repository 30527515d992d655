//! What stands at the beginning of every log file, in front of the first transaction.

use crate::header::{EventKind, HEADER_BYTES, Header};

/// Behind the first four bytes of a file.
const FIRST_EVENT: u64 = 4;

/// The end of a file's preamble, bytes from its start: Format_description and Previous_gtids. A part of a log that begins
/// with it can be read as a log of its own.
///
/// `read` gives the header of the event at an offset. `None` when the file does not begin with these two.
pub fn preamble_end(mut read: impl FnMut(u64) -> Option<[u8; 19]>) -> Option<u64> {
    let mut at = FIRST_EVENT;
    for wanted in [EventKind::FORMAT, EventKind::PREVIOUS_GTIDS] {
        let raw: [u8; HEADER_BYTES] = read(at)?;
        let header = Header::of(&raw).filter(|header| header.kind == wanted)?;
        at += u64::from(header.event_bytes).max(HEADER_BYTES as u64);
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, bytes: u32) -> [u8; 19] {
        let mut raw = [0; 19];
        raw[4] = kind;
        raw[9..13].copy_from_slice(&bytes.to_le_bytes());
        raw
    }

    #[test]
    fn it_ends_behind_the_second_event() {
        let events = [(4, header(15, 122)), (126, header(35, 71))];
        let read = |at| events.iter().find(|(offset, _)| *offset == at).map(|(_, header)| *header);
        assert_eq!(preamble_end(read), Some(197));
    }

    #[test]
    fn other_events_are_no_preamble() {
        assert_eq!(preamble_end(|at| Some(header(if at == 4 { 15 } else { 33 }, 50))), None);
        assert_eq!(preamble_end(|_| None), None);
    }
}
