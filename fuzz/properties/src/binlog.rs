//! Bytes of binary logs and relay logs.

use xenon_binlog::{End, LogKind, Outside, Scan, Summary, Transaction, scan};
use xenon_gtid::GtidSet;

/// The first byte says how the rest is cut into pieces. Read whole and in pieces, as either kind of log: the same facts,
/// in order, within the file; and a file cut off where it says is whole and says the same.
pub fn binlog(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    for log in [LogKind::Binlog, LogKind::Relay] {
        let whole = read(log, bytes, bytes.len().max(1));
        let in_pieces = read(log, bytes, usize::from(*piece).max(1));
        // An error may be told before the last transaction of the piece it is in is, so only facts are compared.
        assert_eq!(whole.is_some(), in_pieces.is_some());
        let Some((summary, transactions)) = whole else { continue };
        assert_eq!(Some((&summary, &transactions)), in_pieces.as_ref().map(|(s, t)| (s, t)));
        check(log, bytes, &summary, &transactions);
    }
}

fn read(log: LogKind, bytes: &[u8], piece: usize) -> Option<(Summary, Vec<Transaction>)> {
    let (mut scan, mut all) = (Scan::new(log, bytes.len() as u64), Vec::new());
    for piece in bytes.chunks(piece) {
        if let Err(error) = scan.feed(piece, |transaction| all.push(*transaction)) {
            assert!(!error.to_string().is_empty());
            return None;
        }
    }
    Some((scan.finish().unwrap(), all))
}

fn check(log: LogKind, bytes: &[u8], summary: &Summary, transactions: &[Transaction]) {
    let mut last_end = 0;
    for transaction in transactions {
        assert!(transaction.start >= last_end && transaction.end > transaction.start);
        last_end = transaction.end;
    }
    assert!(last_end <= summary.whole_until && summary.whole_until <= bytes.len() as u64);
    let gtids: GtidSet = transactions.iter().filter_map(|t| t.gtid).collect();
    assert_eq!(summary.complete, gtids);
    assert!(summary.all().contains_set(&gtids));
    match &summary.end {
        End::Torn(tear) => assert!(summary.whole_until <= tear.at && tear.at <= bytes.len() as u64),
        End::Whole | End::Closed => assert_eq!(summary.whole_until, bytes.len() as u64),
    }
    let cut = &bytes[..usize::try_from(summary.whole_until).unwrap()];
    let again = scan(log, cut, |_| ()).unwrap();
    assert_eq!((&again.complete, &again.previous), (&summary.complete, &summary.previous));

    // Cut before the first that is outside of a set, nothing outside is left.
    let half: GtidSet = transactions.iter().take(transactions.len() / 2).filter_map(|t| t.gtid).collect();
    let mut outside = Outside::of(half.clone());
    transactions.iter().for_each(|t| outside.see(t));
    let kept = transactions.iter().take_while(|t| outside.start().is_none_or(|start| t.end <= start));
    assert!(kept.filter_map(|t| t.gtid).all(|gtid| half.contains(&gtid)));
}
