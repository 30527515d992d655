//! Which sessions are committing: those of a wedged server are the same time after time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::link::text;
use crate::{Door, SqlError};

const WHAT: &str = "looking for commits under way";

/// The table takes no lock that a wedged server could hold. A commit that waits for a replica has another state, and so has
/// an applier's that waits for the one before it.
const COMMITTING: &str = "SELECT PROCESSLIST_ID FROM performance_schema.threads \
     WHERE PROCESSLIST_STATE = 'waiting for handler commit'";

impl Door {
    /// Sessions and appliers that are in the middle of a commit now.
    ///
    /// # Errors
    /// [`SqlError::Server`] on a server without performance schema: then nothing is known.
    pub async fn committing_sessions(&self, deadline: Duration) -> Result<BTreeSet<u64>, SqlError> {
        let rows = self.ask(WHAT, COMMITTING, deadline).await?;
        Ok(rows.iter().filter_map(|row| text(row, 0)?.parse().ok()).collect())
    }
}
