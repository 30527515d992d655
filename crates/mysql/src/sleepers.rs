//! Replication threads that found their disk full and sleep on, whatever has been freed meanwhile.

use std::time::Duration;

use crate::abandoned::kill;
use crate::link::{Purpose, text, until};
use crate::{Door, SqlError};

const WHAT: &str = "waking replication threads that found no disk space";

/// Receivers, appliers and their workers, under their names from 8.0.26 on and before. A worker that sleeps while it writes the
/// binary log has another state, "waiting for handler commit", and is left alone: killed there, its write counts as failed
/// although there is room, and the server aborts itself (`binlog_error_action`, seen on 9.7.4). It goes on within a minute.
///
/// The table takes no lock that one of them could hold: a receiver that sleeps in its relay log makes `SHOW REPLICA STATUS`
/// wait (seen on 9.7.4).
const SLEEPERS: &str = "SELECT PROCESSLIST_ID FROM performance_schema.threads \
     WHERE PROCESSLIST_STATE = 'Waiting for disk space' AND NAME REGEXP '^thread/sql/(replica|slave)_(io|sql|worker)$' \
     LIMIT 1000";

impl Door {
    /// Ends (`KILL`) the replication threads that sleep because a write of theirs found no room; gives how many. Such a one
    /// sleeps for a minute, and a `STOP REPLICA` waits for it. Killed while there is room, it writes what it was writing and
    /// then ends: a receiver as by a STOP, a worker and with it the applier with an error. Either takes up from there when
    /// it is started.
    ///
    /// Not for a disk that is still full: then what they were writing fails.
    ///
    /// # Errors
    /// [`SqlError::Server`] on a server without performance schema: then they cannot be told apart from others.
    pub async fn wake_sleepers(&self, deadline: Duration) -> Result<usize, SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Changing, until).await?;
        let sets = link.ask(WHAT, SLEEPERS, until).await?;
        let rows = sets.into_iter().next().unwrap_or_default();
        let mut woken = 0;
        for id in rows.iter().filter_map(|row| text(row, 0)?.parse().ok()) {
            woken += usize::from(kill(&mut link, id, WHAT, until).await?);
        }
        Ok(woken)
    }
}
