//! Whatever the bytes are: no panic, and nothing invented.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use xenon_binlog::{End, LogKind, scan};
use xenon_gtid::GtidSet;

fn fixture(index: usize) -> Vec<u8> {
    let names = ["binlog.000001", "binlog.000002", "binlog.000003", "relay.000002", "relay.000005"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(names[index % names.len()])).unwrap()
}

fn both(bytes: &[u8]) {
    for log in [LogKind::Binlog, LogKind::Relay] {
        let (mut last_end, mut gtids) = (0, GtidSet::new());
        let read = scan(log, bytes, |transaction| {
            assert!(transaction.start >= last_end && transaction.end > transaction.start);
            last_end = transaction.end;
            gtids.extend(transaction.gtid);
        });
        let Ok(summary) = read else { continue };
        assert_eq!(summary.complete, gtids);
        assert!(last_end <= summary.whole_until && summary.whole_until <= bytes.len() as u64);
        match summary.end {
            End::Torn(tear) => assert!(summary.whole_until <= tear.at && tear.at <= bytes.len() as u64),
            End::Whole | End::Closed => assert_eq!(summary.whole_until, bytes.len() as u64),
        }
        // Cut there, it is whole, and says the same.
        let cut = &bytes[..usize::try_from(summary.whole_until).unwrap()];
        if !cut.is_empty() {
            let again = scan(log, cut, |_| ()).unwrap();
            assert_eq!(again.complete, summary.complete);
            assert!(matches!(again.end, End::Whole | End::Closed), "{again:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), as_log: bool) {
        if as_log {
            bytes.splice(0..bytes.len().min(4), [0xfe, b'b', b'i', b'n']);
        }
        both(&bytes);
    }

    #[test]
    fn mutated_files(
        index in 0..5_usize,
        edits in proptest::collection::vec((any::<usize>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = fixture(index);
        for (at, value, how) in edits {
            let at = at % bytes.len();
            match how {
                0 => bytes[at] = value,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, value),
                _ => bytes.truncate(at.max(1)),
            }
        }
        both(&bytes);
    }

    #[test]
    fn files_behind_a_good_beginning(index in 0..5_usize, at: usize, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = fixture(index);
        bytes.truncate(at % bytes.len());
        bytes.extend(tail);
        both(&bytes);
    }
}
