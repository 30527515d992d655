//! Ending the clients' sessions (D1).

use std::time::Duration;

use super::Control;
use crate::SqlError;
use crate::abandoned::{Owners, kill, sessions};
use crate::link::{text, until};

/// Receivers and appliers, under their names from 8.0.26 on and before.
const REPLICATION_THREADS: &str = "SELECT threads.PROCESSLIST_ID FROM performance_schema.threads AS threads \
    WHERE threads.NAME IN ('thread/sql/replica_io', 'thread/sql/replica_sql', 'thread/sql/slave_io', 'thread/sql/slave_sql')";

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

    /// Ends receiver and applier; they end as by `STOP REPLICA`, and take up from there when they are started. Returns how many
    /// there were.
    ///
    /// For one that sleeps because its disk was full: a `STOP REPLICA` would wait for it.
    pub async fn kill_replication_threads(&mut self, deadline: Duration) -> Result<usize, SqlError> {
        let what = "ending replication threads";
        let until = until(deadline);
        let link = self.link()?;
        let mut killed = 0;
        let found = match link.ask(what, REPLICATION_THREADS, until).await {
            Ok(sets) => sets.into_iter().next().unwrap_or_default(),
            // Without performance schema they cannot be told apart from others, and wake up by themselves in a minute.
            Err(error) if error.code().is_some() => return Ok(0),
            Err(error) => return Err(error),
        };
        for id in found.iter().filter_map(|row| text(row, 0)?.parse().ok()) {
            killed += usize::from(kill(link, id, what, until).await?);
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
