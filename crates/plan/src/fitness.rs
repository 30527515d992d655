//! Whether this node may stand at all, whatever its position.

use crate::health::Verdict;
use crate::role::{Process, Seen};

/// Why the local server could not be a primary; `None` when it could.
pub fn unfit(seen: &Seen) -> Option<String> {
    if seen.process != Process::Running {
        if let Some(why) = seen.faults.cannot_serve().filter(|_| seen.faults.folder.is_lost()) {
            return Some(why);
        }
        return Some("its mysqld does not run".to_owned());
    }
    match seen.health {
        Verdict::Hung => return Some("its mysqld hangs".to_owned()),
        Verdict::Dying => return Some("its mysqld shuts down".to_owned()),
        Verdict::Dead => return Some("its mysqld is dead".to_owned()),
        Verdict::Starting => return Some("its mysqld is still starting".to_owned()),
        Verdict::Serving | Verdict::Missing(_) => {}
    }
    let Some(server) = &seen.server else { return Some("its mysqld has not answered yet".to_owned()) };
    if !server.gtid_mode_on {
        return Some("gtid_mode is not ON: set gtid_mode=ON and enforce_gtid_consistency=ON".to_owned());
    }
    if !server.log_bin {
        return Some("it has no binlog: set log_bin".to_owned());
    }
    if !server.log_replica_updates {
        return Some("log_replica_updates is off: it could not pass on what it received".to_owned());
    }
    if server.server_id == 0 {
        return Some("server_id is 0: give every server its own".to_owned());
    }
    if let Some(why) = seen.faults.cannot_serve() {
        return Some(why);
    }
    broken_applier(seen).map(|error| format!("its applier has stopped: {error}"))
}

/// What the applier has stopped with, now or at its last attempt.
pub(crate) fn broken_applier(seen: &Seen) -> Option<&str> {
    let replication = seen.server.as_ref().and_then(|server| server.replication.as_ref());
    match replication {
        Some(replication) if !replication.applier_running && !replication.applier_error.is_empty() => {
            Some(&replication.applier_error)
        }
        _ => seen.faults.applier.as_deref(),
    }
}
