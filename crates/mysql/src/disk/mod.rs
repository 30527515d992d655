//! What a dead mysqld has, read from its files (V4), and which end of its binary log others lack (W1, W2).
//!
//! A live server is asked; these files are read only when nothing works in the data folder any more, and nothing is
//! changed in them. The sets are the ones that the server itself would show after a restart with
//! `--relay-log-recovery=OFF --skip-replica-start`, unacknowledged transactions included (V5): recovery commits what
//! is complete in the binary log. `tests/server_disk.rs` compares the two.
//!
//! - *executed*: the GTIDs of the last binary log file, of all before it (its Previous_gtids), and `gtid_purged`. The
//!   last must be known from a time when the server lived: what was set by hand, or came with a clone, is in no binary
//!   log (seen on 9.7.4).
//! - *retrieved*: the same of the relay log files of the default channel, complete transactions only.
//!
//! So only the last file of each is read, or the last two when the server died while it created one.

mod dead;
mod dropped;
mod error;
mod files;
mod places;
mod position;
mod ranges;
mod rewind;
mod tail;

use std::time::{Duration, Instant};

pub use dropped::{OldData, keep_dropped};
pub use error::DiskError;
pub use places::LogPlaces;
pub use position::{DiskPosition, FileSeen, position_on_disk};
pub use ranges::{FileRange, relay_ranges};
pub use rewind::{REWIND_STEPS, Rewind, RewindError};
pub use tail::{BinlogTail, binlog_tail_outside};

/// How much may be read, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskLimits {
    /// All files together, bytes. A binary log file has about `max_binlog_size` (1 GiB unless configured), and more when
    /// its last transaction is large.
    pub bytes_max: u64,
    /// All of it.
    pub deadline: Duration,
}

/// What is left of [`DiskLimits`] in a call under way.
#[derive(Debug)]
struct Budget {
    limits: DiskLimits,
    until: Instant,
    bytes_left: u64,
}

impl Budget {
    fn new(limits: DiskLimits) -> Self {
        let now = Instant::now();
        let until = now.checked_add(limits.deadline).unwrap_or(now + Duration::from_secs(86_400));
        Self { limits, until, bytes_left: limits.bytes_max }
    }
}

/// Runs the reading on a thread that may block. When the deadline has passed it is waited for no longer, even if the
/// disk does not answer; the thread ends itself at its next look at the clock.
async fn within<T: Send + 'static>(
    limits: DiskLimits,
    work: impl FnOnce(Budget) -> Result<T, DiskError> + Send + 'static,
) -> Result<T, DiskError> {
    let after_ms = u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX);
    let budget = Budget::new(limits);
    let work = tokio::task::spawn_blocking(move || work(budget));
    match tokio::time::timeout(limits.deadline, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Err(DiskError::TooSlow { after_ms }),
    }
}
