//! V2, V3, V5: the promise that comes before a position is read.

use crate::health::Verdict;
use crate::role::{Process, Seen};

/// Whether the local server can be asked to accept and acknowledge nothing more; or why not.
///
/// The way is always the same: `super_read_only=1` (V5; half a millisecond on a server that is closed
/// already), stop the receiver, see it stopped, read. It must not be shortened for a server that *looked*
/// closed: the look may be older than its opening.
pub fn freezable(seen: &Seen) -> Result<(), String> {
    if seen.process != Process::Running {
        return Err("mysqld does not run".to_owned());
    }
    match seen.health {
        Verdict::Hung => Err("mysqld hangs".to_owned()),
        _ => Ok(()),
    }
}
