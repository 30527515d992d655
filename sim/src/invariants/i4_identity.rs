//! I4: two transactions never share a GTID.

use crate::mysqld::Tx;

impl super::History {
    /// A transaction goes into a binlog, by writing or by applying.
    pub(crate) fn check_identity(&mut self, _at: usize, tx: &Tx) {
        let known = self.identities.entry(tx.gtid).or_insert(*tx);
        if known.content != tx.content {
            let sentence =
                format!("{} stands for two transactions (of terms {} and {})", tx.gtid, known.term, tx.term);
            self.broken("I4", sentence);
        }
    }
}
