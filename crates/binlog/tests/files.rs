//! Files that real servers wrote (`fixtures/make`), against what these servers say is in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use xenon_binlog::{
    End, LogKind, Outside, Scan, ScanError, Summary, TearKind, Transaction, TransactionKind, scan,
};
use xenon_gtid::{Gtid, GtidSet};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn file(name: &str) -> (LogKind, Vec<u8>) {
    let kind = if name.starts_with("binlog") { LogKind::Binlog } else { LogKind::Relay };
    (kind, std::fs::read(fixtures().join(name)).unwrap())
}

const FILES: [&str; 8] = [
    "binlog.000001",
    "binlog.000002",
    "binlog.000003",
    "relay.000001",
    "relay.000002",
    "relay.000003",
    "relay.000004",
    "relay.000005",
];

fn read(log: LogKind, bytes: &[u8]) -> Result<(Summary, Vec<Transaction>), ScanError> {
    let mut all = Vec::new();
    let summary = scan(log, bytes, |transaction| all.push(*transaction))?;
    Ok((summary, all))
}

/// GTID, start and end of each transaction, and the previous set, as the server lists them.
fn listed(name: &str, file_bytes: u64) -> (GtidSet, Vec<(Gtid, u64, u64)>) {
    let text = std::fs::read_to_string(fixtures().join(format!("{name}.events"))).unwrap();
    let mut transactions: Vec<(Gtid, u64, u64)> = Vec::new();
    let (mut previous, mut open) = (GtidSet::new(), None);
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let at: u64 = columns[1].parse().unwrap();
        if matches!(columns[2], "Gtid" | "Gtid_tagged_log_event" | "Rotate" | "Stop" | "Format_desc") {
            transactions.extend(open.take().map(|(gtid, start)| (gtid, start, at)));
        }
        match columns[2] {
            "Previous_gtids" => previous = columns[5].replace("\\n", "").parse().unwrap(),
            "Gtid" | "Gtid_tagged_log_event" => {
                open = Some((columns[5].split('\'').nth(1).unwrap().parse().unwrap(), at));
            }
            _ => {}
        }
    }
    transactions.extend(open.take().map(|(gtid, start)| (gtid, start, file_bytes)));
    (previous, transactions)
}

#[test]
fn every_file_is_what_its_server_says() {
    for name in FILES {
        let (log, bytes) = file(name);
        let (summary, transactions) = read(log, &bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (previous, expected) = listed(name, bytes.len() as u64);
        let found: Vec<_> = transactions.iter().map(|t| (t.gtid.unwrap(), t.start, t.end)).collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(summary.previous, Some(previous), "{name}");
        assert_eq!(summary.complete, expected.iter().map(|(gtid, ..)| *gtid).collect(), "{name}");
        assert_eq!(summary.transactions, expected.len() as u64);
        assert_eq!(summary.whole_until, bytes.len() as u64);
        assert_eq!(summary.server_version.as_deref().map(|v| v.starts_with("9.")), Some(true));
        let last = matches!(name, "binlog.000003" | "relay.000005");
        assert_eq!(summary.end, if last { End::Whole } else { End::Closed }, "{name}");
        assert_eq!(summary.in_use, name == "binlog.000003", "{name}");
        assert!(
            transactions.iter().all(|t| t.server_id == 1 && t.original_commit_us > 1_600_000_000_000_000)
        );
    }
}

#[test]
fn kinds_of_transactions() {
    use TransactionKind::*;
    let (log, bytes) = file("binlog.000001");
    let (_, transactions) = read(log, &bytes).unwrap();
    let kinds: Vec<_> = transactions.iter().map(|t| t.kind).collect();
    #[rustfmt::skip]
    assert_eq!(kinds, [
        Ddl, Ddl, Dml, Dml, Empty, Dml, Ddl, XaPrepare, XaCommit, Dml, XaPrepare, XaRollback, Dml, Dml, XaCommit, Dml, Dml,
        Dml, Ddl, Ddl,
    ]);
    let compressed: Vec<_> = (0..kinds.len()).filter(|i| transactions[*i].compressed).collect();
    assert_eq!(compressed, [12, 13]);
}

#[test]
fn pieces_of_any_size_give_the_same() {
    for name in FILES {
        let (log, bytes) = file(name);
        let whole = read(log, &bytes).unwrap();
        for size in [1, 2, 3, 7, 19, 64, 511, 4096] {
            let (mut scan, mut all) = (Scan::new(log, bytes.len() as u64), Vec::new());
            for piece in bytes.chunks(size) {
                scan.feed(piece, |transaction| all.push(*transaction)).unwrap();
            }
            assert_eq!((scan.finish().unwrap(), all), whole, "{name} by {size}");
        }
    }
}

/// What a file cut off at `length` must give.
fn check_torn(name: &str, summary: &Summary, whole: &[Transaction], got: &[Transaction], length: u64) {
    let expected: Vec<_> = whole.iter().filter(|t| t.end <= length).copied().collect();
    assert_eq!(got, expected, "{name} at {length}");
    let last_end = expected.last().map_or(0, |t| t.end);
    assert!((last_end..=length).contains(&summary.whole_until), "{name} at {length}: {summary:?}");
    match summary.end {
        End::Torn(tear) => {
            assert!(tear.at >= summary.whole_until && tear.at <= length, "{name} at {length}: {summary:?}");
            let begun = whole.iter().find(|t| t.start < tear.at && tear.at < t.end);
            assert_eq!(tear.incomplete, begun.and_then(|t| t.gtid), "{name} at {length}: {tear:?}");
        }
        End::Whole | End::Closed => assert_eq!(summary.whole_until, length, "{name}"),
    }
}

#[test]
fn a_file_may_end_anywhere() {
    for name in FILES {
        let (log, bytes) = file(name);
        let (_, whole) = read(log, &bytes).unwrap();
        for length in 0..bytes.len() {
            let (summary, got) =
                read(log, &bytes[..length]).unwrap_or_else(|e| panic!("{name} at {length}: {e}"));
            check_torn(name, &summary, &whole, &got, length as u64);
        }
    }
}

#[test]
fn blocks_that_were_never_written_are_a_torn_tail() {
    for name in FILES {
        let (log, bytes) = file(name);
        let (_, whole) = read(log, &bytes).unwrap();
        for sector in 0..=bytes.len() / 512 {
            let length = sector * 512;
            for more in [0, 1, 100, 5000] {
                let mut torn = bytes[..length].to_vec();
                torn.resize(bytes.len() + more, 0);
                let (summary, got) = read(log, &torn).unwrap_or_else(|e| panic!("{name} at {length}: {e}"));
                // Zeros that the file has anyway may stand in for what was not written.
                let kept = bytes.iter().zip(&torn).take_while(|(a, b)| a == b).count() as u64;
                let expected: Vec<_> = whole.iter().filter(|t| t.end <= kept).copied().collect();
                assert_eq!(got, expected, "{name} at {length}");
                if (kept as usize) < bytes.len() {
                    assert!(matches!(summary.end, End::Torn(_)), "{name} at {length}: {summary:?}");
                }
                // Something behind the zeros: then it is no tail.
                if length > 0 && more > 0 && kept < bytes.len() as u64 {
                    torn.push(1);
                    let error = read(log, &torn).map(|(summary, _)| summary.end);
                    // Unless the event reaches past the end in any case.
                    assert!(
                        matches!(error, Err(ScanError::Corrupt { .. }) | Ok(End::Torn(_))),
                        "{name} at {length}: {error:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_single_bit_goes_unnoticed() {
    for name in FILES {
        let (log, bytes) = file(name);
        // Without checksums only the frames are checked.
        if matches!(name, "binlog.000003" | "relay.000005") {
            continue;
        }
        let whole = read(log, &bytes).unwrap();
        let mut unnoticed = Vec::new();
        // Each byte of a small file; of a large one every fifth bit, so that all eight places come in turn.
        let step = if bytes.len() > 2000 { 5 } else { 1 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok((mut summary, got)) = read(log, &flipped) else { continue };
            // The flag is not part of the checksum, and in a relay log it says nothing.
            assert!(summary.in_use == whole.0.in_use || bit == 21 * 8, "{name} at bit {bit}");
            summary.in_use = whole.0.in_use;
            if (&summary, &got) != (&whole.0, &whole.1) {
                unnoticed.push((bit / 8, bit % 8, summary.end));
            }
        }
        // A longer event at the very end of a relay log looks like one that was being written; so it is told as torn.
        let excused = |(byte, _, end): &(usize, usize, End)| {
            log == LogKind::Relay && bytes.len() - byte < 640 && matches!(end, End::Torn(_))
        };
        assert!(unnoticed.iter().all(excused), "{name}: {unnoticed:?}");
        println!("{name}: {} bits look like a torn tail", unnoticed.len());
    }
}

#[test]
fn what_is_no_log_says_so() {
    let zeros = [0; 700];
    let mut scan = Scan::new(LogKind::Binlog, 700);
    zeros.chunks(3).for_each(|piece| scan.feed(piece, |_| ()).unwrap());
    let summary = scan.finish().unwrap();
    assert_eq!((summary.whole_until, summary.previous), (0, None));
    assert!(matches!(summary.end, End::Torn(tear) if tear.at == 0 && tear.kind == TearKind::Zeros));
    let error = |bytes: &[u8]| read(LogKind::Binlog, bytes).unwrap_err().to_string();
    assert!(error(b"\xfdbin0123456789").contains("encrypted"));
    assert!(error(b"hello").contains("no binary log"));
    assert!(error(b"\xfebon").contains("no binary log"));
    let (log, bytes) = file("binlog.000002");
    let (whole, _) = read(log, &bytes).unwrap();
    let mut damaged = bytes.clone();
    damaged[400] ^= 1;
    let text = error(&damaged);
    assert!(text.contains("offset 333") && text.contains("checksum") && text.contains("rebuild"), "{text}");
    // The same event twice.
    let twice = [&bytes[..], &bytes[4..]].concat();
    assert!(matches!(read(log, &twice), Err(ScanError::Corrupt { offset: 880, .. })));
    // A relay log is no binary log.
    assert!(read(LogKind::Binlog, &file("relay.000002").1).is_err());
    // Longer or shorter than was said.
    let mut scan = Scan::new(log, 400);
    assert!(matches!(
        scan.feed(&bytes, |_| ()),
        Err(ScanError::Grew { promised_bytes: 400, seen_bytes: 880 })
    ));
    let mut scan = Scan::new(log, 1000);
    scan.feed(&bytes, |_| ()).unwrap();
    assert!(matches!(scan.finish(), Err(ScanError::Shrank { .. })));
    assert!(whole.all().contains_set(&whole.complete));
}

#[test]
fn a_transaction_that_begins_again_counts_once_in_a_relay_log_and_never_in_a_binlog() {
    let (log, bytes) = file("relay.000004");
    let (_, transactions) = read(log, &bytes).unwrap();
    let last = transactions.last().unwrap();
    let at = |offset: u64| usize::try_from(offset).unwrap();
    // Cut off before its last event (Xid, 31 bytes), connected again (Rotate, Format_description), once more.
    let (start, end) = (at(last.start), at(last.end));
    let again = [&bytes[..end - 31], &bytes[333..544], &bytes[start..]].concat();
    let (summary, got) = read(log, &again).unwrap();
    assert_eq!(got.len(), transactions.len());
    assert_eq!(summary.complete, transactions.iter().filter_map(|t| t.gtid).collect());
    // Ended there: torn, and not counted.
    let (summary, got) = read(log, &again[..end - 31 + 211]).unwrap();
    assert_eq!(got.len(), transactions.len() - 1);
    let End::Torn(tear) = summary.end else { panic!("{summary:?}") };
    assert_eq!((tear.kind, tear.incomplete), (TearKind::Transaction, last.gtid));
    assert_eq!(summary.whole_until, last.start);
    // A gap within the transaction is told by its length.
    let gap = [&bytes[..end - 31 - 45], &bytes[end - 31..]].concat();
    assert!(read(log, &gap).is_err());
}

#[test]
fn the_tail_outside_of_a_set() {
    let (log, bytes) = file("binlog.000001");
    let (summary, transactions) = read(log, &bytes).unwrap();
    let outside = |set: &GtidSet| {
        let mut outside = Outside::of(set.clone());
        transactions.iter().for_each(|t| outside.see(t));
        outside
    };
    let all = outside(&summary.complete);
    assert_eq!((all.start(), all.count(), all.is_clean_tail()), (None, 0, false));
    for (index, cut) in transactions.iter().enumerate() {
        let kept: GtidSet = transactions[..index].iter().filter_map(|t| t.gtid).collect();
        let tail = outside(&kept);
        assert_eq!(tail.start(), Some(cut.start));
        assert!(tail.is_clean_tail());
        assert_eq!(*tail.gtids(), summary.complete.subtract(&kept));
        let last = transactions.last().unwrap().gtid.unwrap();
        if index + 1 < transactions.len() {
            let tail = outside(&kept.union(&GtidSet::from(last)));
            assert_eq!((tail.is_clean_tail(), tail.inside_after()), (false, Some(last)));
        }
    }
}
