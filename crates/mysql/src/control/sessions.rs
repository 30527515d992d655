//! Ending the clients' sessions (D1).

use std::time::Duration;

use super::Control;
use crate::SqlError;
use crate::abandoned::{Owners, kill, sessions};
use crate::link::until;

impl Control {
    /// Ends every client session; returns how many.
    ///
    /// Spared: threads of the server and of replication, replicas that fetch binlogs, logins under way, and the sessions of
    /// Xenon itself. A commit that waits for an acknowledgement is not ended by it (D2), only its client's connection.
    pub async fn kill_sessions(&mut self, deadline: Duration) -> Result<usize, SqlError> {
        let what = "ending client sessions";
        let until = until(deadline);
        let door = self.door.clone();
        let link = self.link()?;
        let own = link.id();
        let found = sessions(link, what, until).await?;
        let owners = Owners::read(link, what, until).await?;
        let mut killed = 0;
        for session in found.iter().filter(|session| session.is_client()) {
            if session.id == own || door.abandoned().is_open(session.id) || owners.is_agent(session.id) {
                continue;
            }
            killed += usize::from(kill(link, session.id, what, until).await?);
        }
        Ok(killed)
    }

    /// Ends the threads that serve replicas at `host` (as the server names it; a port after it is ignored), or all of them.
    ///
    /// For a replica that hangs: while its old thread lives, another one's acknowledgement is heard late.
    pub async fn kill_dump_threads_of(
        &mut self,
        host: Option<&str>,
        deadline: Duration,
    ) -> Result<usize, SqlError> {
        let what = "ending binlog dump threads";
        let until = until(deadline);
        let link = self.link()?;
        let found = sessions(link, what, until).await?;
        let mut killed = 0;
        for session in found.iter().filter(|session| session.serves_replica(host)) {
            killed += usize::from(kill(link, session.id, what, until).await?);
        }
        Ok(killed)
    }
}
