//! Binary log and relay log bytes of MySQL: which transactions are in them, which of them are complete, where to cut.
//!
//! A mysqld that is dead cannot be asked what it has. Its files can: this crate reads them, without IO, clock or
//! panics, in memory that has a bound, whatever the bytes are. Bytes go in as they come ([`Scan::feed`]), each complete
//! transaction goes to a callback, and at the end ([`Scan::finish`]) there is a [`Summary`].
//!
//! # A torn tail is a fact, damage is an error
//!
//! A server that is killed leaves a file that ends inside an event or inside a transaction; after a power cut its last
//! blocks can be zeros. That is a *torn tail*: [`Summary::end`] says where it begins, and everything before it counts.
//! A wrong checksum, a header that contradicts itself or an event where none can stand, with more behind it, is
//! *damage*: what is behind it is unknown, so the answer is a [`ScanError`] and no set. The difference matters for
//! votes (V4): a set that lacks a transaction could let a candidate win that lacks it too. Hence:
//!
//! - The file may end in the middle of an event only where that event's header is consistent with what is before it.
//! - Zeros count as a tear only if they reach the end of the file and begin with an event or within a sector before
//!   the event's end, as blocks do that were never written.
//!
//! With `binlog_checksum=NONE` the frames are all there is to check.
//!
//! # What is read
//!
//! MySQL 8.0 to 9.7: the header of every event, the checksum of every event as the format description in force says
//! (a relay log has its own one and, behind it, the source's), the bodies of Format_description, Previous_gtids, the
//! three kinds of Gtid events, Rotate, the beginning of Query and XA_prepare. Compressed transactions are one event and
//! are not unpacked. All other types are passed over by their length.

mod boundary;
mod bytes;
mod end;
mod error;
mod format;
mod frame;
mod gtid_event;
mod header;
mod preamble;
mod previous;
mod query;
mod scan;
mod tail;
mod transaction;

pub use end::{End, Tear, TearKind};
pub use error::{Damage, ScanError};
pub use header::EventKind;
pub use preamble::preamble_end;
pub use scan::{Scan, Summary, scan};
pub use tail::Outside;
pub use transaction::{Transaction, TransactionKind};

/// Which of the two kinds of files it is; their bytes do not tell with certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// A binary log: what the server has committed, in its own words and without gaps.
    Binlog,
    /// A relay log: what a receiver got from a source. A transaction may stand there in part and then once more.
    Relay,
}
