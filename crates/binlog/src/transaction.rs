//! What is told of each complete transaction.

use xenon_gtid::Gtid;

/// A complete transaction of a binary log or relay log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Its name; `None` when it has none (`gtid_mode` was not ON).
    pub gtid: Option<Gtid>,
    /// What it is.
    pub kind: TransactionKind,
    /// The engine has prepared it before it was written here, and commits it afterwards: recovery undoes it if it finds it
    /// prepared and not in the log (W1). Not so what was done to tables without transactions.
    pub in_two_phases: bool,
    /// Its events are compressed (`binlog_transaction_compression`), so what they do was not looked at.
    pub compressed: bool,
    /// Where its first event begins, bytes from the start of the file.
    pub start: u64,
    /// Where its last event ends, bytes from the start of the file.
    pub end: u64,
    /// `server_id` of the server where it was first committed.
    pub server_id: u32,
    /// When it was first committed, microseconds since 1970 by that server's clock; 0 if the log does not say.
    pub original_commit_us: u64,
}

/// What a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionKind {
    /// BEGIN and COMMIT with nothing in between: a term marker (L3), or what a replica writes for a transaction that
    /// it was told to filter out.
    Empty,
    /// One statement that commits by itself: DDL, accounts, ANALYZE.
    Ddl,
    /// Changes of rows, committed (or, in tables without transactions, rolled back as far as possible). A compressed
    /// `XA PREPARE` shows as this, too.
    Dml,
    /// The first half of a distributed transaction: its rows are not visible yet.
    XaPrepare,
    /// The second half of a distributed transaction.
    XaCommit,
    /// A distributed transaction is rolled back.
    XaRollback,
    /// The server says that its log lacks something: replicas stop there.
    Incident,
}
