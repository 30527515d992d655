//! What of a log lies outside of a set: the tail that a rewind cuts off (W1) or a rescue fetches (W2).

use xenon_gtid::{Gtid, GtidSet};

use crate::Transaction;

/// The transactions of a log that are not in a set, as far as they were seen.
///
/// ```
/// # use xenon_binlog::{LogKind, Outside, scan};
/// # use xenon_gtid::GtidSet;
/// # fn example(bytes: &[u8], leader: &GtidSet) -> Result<(), xenon_binlog::ScanError> {
/// let mut outside = Outside::of(leader.clone());
/// scan(LogKind::Binlog, bytes, |transaction| outside.see(transaction))?;
/// if outside.is_clean_tail() {
///     println!("cut at {:?}", outside.start());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    set: GtidSet,
    start: Option<u64>,
    gtids: GtidSet,
    count: u64,
    inside_after: Option<Gtid>,
}

impl Outside {
    /// Begins with nothing seen; `set` is what the others have.
    #[must_use]
    pub fn of(set: GtidSet) -> Self {
        Outside { set, start: None, gtids: GtidSet::new(), count: 0, inside_after: None }
    }

    /// Takes the next transaction of the log. One without a GTID can be in no set.
    pub fn see(&mut self, transaction: &Transaction) {
        let inside = transaction.gtid.filter(|gtid| self.set.contains(gtid));
        if let Some(gtid) = inside {
            if self.start.is_some() && self.inside_after.is_none() {
                self.inside_after = Some(gtid);
            }
            return;
        }
        self.start.get_or_insert(transaction.start);
        self.count += 1;
        self.gtids.extend(transaction.gtid);
    }

    /// Where the first transaction that is not in the set begins, bytes from the start of its file. `None` if there is
    /// none.
    #[must_use]
    pub fn start(&self) -> Option<u64> {
        self.start
    }

    /// The GTIDs that are not in the set.
    #[must_use]
    pub fn gtids(&self) -> &GtidSet {
        &self.gtids
    }

    /// How many transactions are not in the set, those without a GTID included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first transaction of the set that stands behind one that is not: cutting before it would lose it here.
    #[must_use]
    pub fn inside_after(&self) -> Option<Gtid> {
        self.inside_after
    }

    /// There is something outside of the set, and from [`Outside::start`] on everything is.
    #[must_use]
    pub fn is_clean_tail(&self) -> bool {
        self.start.is_some() && self.inside_after.is_none()
    }
}
