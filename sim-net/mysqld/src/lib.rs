//! Stands in for `xenon-mysql` in simulations: the same words, spoken to servers that are values of one thread.
//!
//! Errors, options, outcomes and the restart policy are the real crate's. [`Door`], [`Control`] and [`Mysqld`] have its
//! signatures, and act on the servers of [`servers`], which a simulation makes, lets work (`tick`), cuts off and kills.
//!
//! What a server knows: a binlog in order, relay logs, GTID sets, read-only flags, `offline_mode`, semi-sync with
//! AFTER_SYNC (commits in the binlog wait for acknowledgements and are invisible until then), a receiver that needs a
//! moment to connect, a crash that commits what is in the binlog. What it leaves out: rows, locks, SQL, disks (so no position of a dead server, V4), errors of
//! appliers, purged binlogs, relay-log recovery, W1's rewind (a server that comes back with a tail is errant), lost
//! acknowledgements. The simulator of `sim/` knows more of that; here it is the agent's own code that is looked at.

mod control;
mod door;
mod process;
mod replicate;
mod server;
pub mod servers;

pub use control::Control;
pub use door::Door;
pub use process::Mysqld;
pub use real::{
    Applied, BackupOrigin, BinlogTail, DiskError, DiskLimits, DoorOptions, Dropped, Ensured, ExitRecord,
    ExitSeen, FileRange, Frozen, LogPlaces, MarkerWritten, MysqldOptions, Places, Purged, ReadOnlyOutcome,
    RescueFiles, RestartDecision, RestartPolicy, Rewind, RewindError, Secret, SeenBy, SqlError, StartError,
    TailTransaction, binlog_tail_outside, folder_of, keep_tail, kept_bytes, kind_in_words, position_on_disk,
    quarantine_of, relay_ranges,
};
