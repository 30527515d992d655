//! A session that does nothing but notice when the server sends its sessions away.

use crate::link::{Purpose, until};
use crate::{Door, SqlError};
use std::time::Duration;

/// How long one statement of it sleeps in the server.
const SLEEP_S: u64 = 3600;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

impl Door {
    /// Opens a session and sleeps in it until the server ends it: a shutdown does that first of all, long before the process
    /// ends. Costs nothing meanwhile.
    ///
    /// Returns whether there was a session at all, and what ended it (or why there was none). A network that goes silent is
    /// not noticed here; that is for probes.
    pub async fn hold_session(&self) -> (bool, SqlError) {
        let mut link = match self.open(Purpose::Reading, until(CONNECT)).await {
            Ok(link) => link,
            Err(error) => return (false, error),
        };
        loop {
            let deadline = Duration::from_secs(SLEEP_S + 60);
            let slept = link.run("holding a session", format!("DO SLEEP({SLEEP_S})"), until(deadline)).await;
            if let Err(error) = slept {
                return (true, error);
            }
            // SLEEP returns early, without an error, when it is killed: then the next round trip tells.
            if let Err(error) = link.run("holding a session", "DO 1", until(CONNECT)).await {
                return (true, error);
            }
        }
    }
}
