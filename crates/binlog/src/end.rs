//! How a file ends.

use xenon_gtid::Gtid;

/// How a file ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With the server's own last word: a Rotate or Stop event. Nothing more was to be written there.
    Closed,
    /// Behind a complete transaction (or before any), as a file does that is in use or whose server was killed.
    Whole,
    /// In the middle of something.
    Torn(Tear),
}

/// A torn tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tear {
    /// Where the event begins that is not there in full, bytes from the start of the file; the end of the file when
    /// only the transaction lacks its end.
    pub at: u64,
    /// What is missing.
    pub kind: TearKind,
    /// The transaction that had begun and is not complete, if it is known and has a GTID.
    pub incomplete: Option<Gtid>,
}

/// What is missing at the end of a torn file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TearKind {
    /// The file ends inside an event.
    Event,
    /// The file ends in zeros, where an event should be or the rest of one.
    Zeros,
    /// The last transaction has no end.
    Transaction,
}
