//! Replication threads that found their disk full and sleep on, whatever has been freed meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::abandoned::kill;
use crate::link::{Purpose, Rows, text, until};
use crate::{Door, SqlError};

const WHAT: &str = "waking replication threads that found no disk space";

/// The state of one that sleeps in its relay log.
const SLEEPS: &str = "Waiting for disk space";

/// Receivers, appliers and their workers, under their names from 8.0.26 on and before. The table takes no lock that one of them
/// could hold: a receiver that sleeps in its relay log makes `SHOW REPLICA STATUS` wait (seen on 9.7.4). One that sleeps
/// while it writes the binary log shows as in the middle of a commit, and those behind it, too.
const SLEEPERS: &str = "SELECT PROCESSLIST_ID, PROCESSLIST_STATE, @@global.gtid_executed FROM performance_schema.threads \
     WHERE PROCESSLIST_STATE IN ('Waiting for disk space', 'waiting for handler commit') \
     AND NAME REGEXP '^thread/sql/(replica|slave)_(io|sql|worker)$' LIMIT 1000";

/// In the middle of the same commit, nothing else committed, at so many tries in a row: it sleeps. A disk that was full a moment
/// ago may be slow; what is ended by mistake is started anew.
const STUCK: u32 = 3;

/// What a try has seen, for the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SleepersSeen {
    /// `gtid_executed` in the server's own words.
    executed: String,
    /// Who was in the middle of a commit, and at how many tries with nothing new executed.
    committing: BTreeMap<u32, u32>,
    /// How many threads this try has ended.
    pub woken: usize,
}

impl SleepersSeen {
    /// Nobody sleeps, and nobody is about to turn out to.
    pub fn is_over(&self) -> bool {
        self.woken == 0 && self.committing.values().all(|tries| *tries < 2)
    }

    /// What is there now, and whom to wake.
    fn next(&self, threads: impl Iterator<Item = Thread>) -> (Self, Vec<u32>) {
        let mut now = Self::default();
        let mut asleep = Vec::new();
        for Thread { id, state, executed } in threads {
            now.executed = executed;
            if state == SLEEPS {
                asleep.push(id);
                continue;
            }
            let before = self.committing.get(&id).filter(|_| self.executed == now.executed);
            let tries = before.map_or(1, |tries| tries + 1);
            if tries >= STUCK {
                asleep.push(id);
            } else {
                now.committing.insert(id, tries);
            }
        }
        (now, asleep)
    }
}

/// One row.
struct Thread {
    id: u32,
    state: String,
    executed: String,
}

fn threads(rows: &Rows) -> impl Iterator<Item = Thread> {
    rows.iter().filter_map(|row| {
        let id = text(row, 0)?.parse().ok()?;
        Some(Thread { id, state: text(row, 1)?, executed: text(row, 2)? })
    })
}

impl Door {
    /// Ends (`KILL`) the replication threads that sleep because a write of theirs found no room. Such a one sleeps for a minute, and
    /// a `STOP REPLICA` waits for it. Killed while there is room, it writes what it was writing and then ends: a receiver
    /// as by a STOP, a worker and with it the applier with an error. Either takes up from there when it is started.
    ///
    /// To be asked some times, about half a second apart, with what the last try has seen. Not for a disk that is still
    /// full: then what they were writing fails.
    ///
    /// # Errors
    /// [`SqlError::Server`] on a server without performance schema: then they cannot be told apart from others.
    pub async fn wake_sleepers(
        &self,
        before: SleepersSeen,
        deadline: Duration,
    ) -> Result<SleepersSeen, SqlError> {
        let until = until(deadline);
        let mut link = self.open(Purpose::Changing, until).await?;
        let sets = link.ask(WHAT, SLEEPERS, until).await?;
        let (mut now, asleep) = before.next(threads(&sets.into_iter().next().unwrap_or_default()));
        for id in asleep {
            now.woken += usize::from(kill(&mut link, id, WHAT, until).await?);
        }
        Ok(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITS: &str = "waiting for handler commit";

    fn try_once(before: &SleepersSeen, executed: &str, seen: &[(u32, &str)]) -> (SleepersSeen, Vec<u32>) {
        before.next(seen.iter().map(|(id, state)| Thread {
            id: *id,
            state: (*state).to_owned(),
            executed: executed.to_owned(),
        }))
    }

    #[test]
    fn one_that_says_so_is_woken_at_once_and_one_that_does_not_move_after_some_tries() {
        let (first, woken) = try_once(&SleepersSeen::default(), "u:1-5", &[(7, SLEEPS), (8, COMMITS)]);
        assert_eq!(woken, [7]);
        let (second, woken) = try_once(&first, "u:1-5", &[(8, COMMITS), (9, COMMITS)]);
        assert!(woken.is_empty() && !second.is_over(), "it may turn out to sleep");
        assert_eq!(try_once(&second, "u:1-5", &[(8, COMMITS), (9, COMMITS)]).1, [8]);
        let (moved, woken) = try_once(&second, "u:1-6", &[(8, COMMITS), (9, COMMITS)]);
        assert!(woken.is_empty() && moved.is_over(), "commits end");
        assert!(try_once(&second, "u:1-5", &[]).0.is_over(), "nobody is there");
    }
}
