//! Which end of a dead primary's binary log others lack.

use std::path::PathBuf;

use xenon_binlog::{LogKind, Outside, Transaction, TransactionKind};
use xenon_gtid::{Gtid, GtidSet};

use super::dead::must_be_dead;
use super::files::{listed, previous, read};
use super::position::{must_be_the_same, trusted_binlog};
use super::{Budget, DiskError, DiskLimits, LogPlaces, within};

/// So many transactions of a tail are told one by one.
const LISTED_MAX: usize = 10_000;

/// The transactions of a binary log that are not in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogTail {
    /// The file in which the first of them begins.
    pub file: PathBuf,
    /// Where it begins there, bytes from the start of the file: where to cut (W1), or to fetch from (W2).
    pub start: u64,
    /// The files behind that one, in order.
    pub later_files: Vec<PathBuf>,
    /// End of the last complete transaction of the last file, bytes; what is behind it is torn.
    pub whole_until: u64,
    /// Their GTIDs.
    pub gtids: GtidSet,
    /// How many they are, those without a GTID included.
    pub count: u64,
    /// A transaction of the set behind the first that is not in it: then no cut takes off just these.
    pub inside_after: Option<Gtid>,
    /// The first of them, in order, each with the number of its file: 0 is [`BinlogTail::file`].
    pub transactions: Vec<(usize, Transaction)>,
    /// The first that recovery does not undo.
    pub not_undone: Option<Transaction>,
    /// The first that is not empty and stands in a file before the last.
    pub in_earlier_file: Option<Transaction>,
    /// The server died with the last file open, so its recovery will look there for what is to be committed.
    pub in_use: bool,
    /// What `gtid_executed` would be after a start, these transactions included.
    pub executed: GtidSet,
}

impl BinlogTail {
    /// All files of the tail, in order.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.file).chain(&self.later_files)
    }

    /// From `start` on nothing is in the set.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.inside_after.is_none()
    }
}

/// Finds where in the binary log of a dead mysqld the first transaction begins that is not in `set`. `None` when all of
/// them are. Reads the files back to the first before which everything is in `set`.
///
/// # Errors
/// As [`position_on_disk`](super::position_on_disk); and when files that would have to be read are purged.
pub async fn binlog_tail_outside(
    places: &LogPlaces,
    set: &GtidSet,
    limits: DiskLimits,
) -> Result<Option<BinlogTail>, DiskError> {
    let (places, set) = (places.clone(), set.clone());
    within(limits, move |mut budget| tail(&places, set, &mut budget)).await
}

fn tail(places: &LogPlaces, set: GtidSet, budget: &mut Budget) -> Result<Option<BinlogTail>, DiskError> {
    let index = trusted_binlog(places)?;
    must_be_dead(&places.data_dir)?;
    must_be_the_same(places)?;
    let mut files = listed(index, &places.data_dir)?;
    let mut from = None;
    for (number, path) in files.iter().enumerate().rev() {
        match previous(LogKind::Binlog, path, budget)? {
            Some(before) if set.contains_set(&before) => {
                from = Some(number);
                break;
            }
            _ => {}
        }
    }
    let Some(from) = from else {
        let why = "transactions that are missing elsewhere were in binary log files that are purged; rebuild the others";
        return Err(DiskError::NotInTheFiles { why: why.to_owned() });
    };

    let (mut outside, mut begins_in, mut whole_until, mut in_use) = (Outside::of(set), None, 0, false);
    let mut seen = Seen::default();
    let mut executed = places.purged.clone();
    let last = files.len().saturating_sub(1);
    for (number, path) in files.iter().enumerate().skip(from) {
        let is_last = number == last;
        let summary = read(LogKind::Binlog, path, budget, |transaction| {
            let before = outside.count();
            outside.see(transaction);
            if outside.count() > before {
                seen.see(number, is_last, transaction);
            }
        })?;
        executed.union_with(&summary.all());
        (whole_until, in_use) = (summary.whole_until, summary.in_use);
        if begins_in.is_none() && outside.start().is_some() {
            begins_in = Some(number);
        }
    }
    must_be_dead(&places.data_dir)?;
    let (Some(number), Some(start)) = (begins_in, outside.start()) else { return Ok(None) };
    let later_files = files.split_off(number + 1);
    let Some(file) = files.pop() else { return Ok(None) };
    Ok(Some(BinlogTail {
        file,
        start,
        later_files,
        whole_until,
        gtids: outside.gtids().clone(),
        count: outside.count(),
        inside_after: outside.inside_after(),
        transactions: seen.listed.into_iter().map(|(of, transaction)| (of - number, transaction)).collect(),
        not_undone: seen.not_undone,
        in_earlier_file: seen.in_earlier_file,
        in_use,
        executed,
    }))
}

/// What of the tail is kept beside its set.
#[derive(Default)]
struct Seen {
    listed: Vec<(usize, Transaction)>,
    not_undone: Option<Transaction>,
    in_earlier_file: Option<Transaction>,
}

impl Seen {
    fn see(&mut self, file: usize, is_last: bool, transaction: &Transaction) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push((file, *transaction));
        }
        if !transaction.in_two_phases {
            self.not_undone.get_or_insert(*transaction);
        }
        if !is_last && transaction.kind != TransactionKind::Empty {
            self.in_earlier_file.get_or_insert(*transaction);
        }
    }
}
