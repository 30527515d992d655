//! Closing the server to writers and opening it again.

use std::time::Duration;

use tokio::time::sleep_until;

use super::Control;
use crate::link::{Link, Purpose, text, until};
use crate::{Door, SqlError};
use xenon_gtid::GtidSet;

/// "Query execution was interrupted": KILL QUERY worked.
const INTERRUPTED: u16 = 1317;
/// "Lock wait timeout exceeded".
const LOCK_WAIT_TIMEOUT: u16 = 1205;

/// What closing the server came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOnlyOutcome {
    /// `super_read_only` is on and every commit that was under way has ended.
    Done,
    /// Something still held it when the bound passed: a commit that waits for an acknowledgement (D2), `LOCK TABLES`, a long
    /// statement. `super_read_only` is off; `read_only` may be on. Undo with [`Control::open_for_writes`], or go on to D3.
    TimedOut,
}

impl Control {
    /// Sets `super_read_only`, waiting at most `bound` for running statements and commits.
    ///
    /// The wait is ended by `KILL QUERY`, since the server's own bound counts whole seconds only. While it waits, new writes
    /// wait, too. When the server does not even answer to that within another second it is [`SqlError::Timeout`].
    pub async fn set_read_only(&mut self, bound: Duration) -> Result<ReadOnlyOutcome, SqlError> {
        let door = self.door.clone();
        match close(self.link()?, &door, bound).await {
            Ok(()) => Ok(ReadOnlyOutcome::Done),
            Err(error) if error.is_code(INTERRUPTED) || error.is_code(LOCK_WAIT_TIMEOUT) => {
                // The session's lock_wait_timeout is still short.
                self.retire();
                Ok(ReadOnlyOutcome::TimedOut)
            }
            Err(error) => Err(error),
        }
    }

    /// T1: [`Control::set_read_only`], and what is executed once that is in force; `None` when the bound passed.
    pub async fn close_for_handover(&mut self, bound: Duration) -> Result<Option<GtidSet>, SqlError> {
        let what = "reading what is executed behind super_read_only";
        if self.set_read_only(bound).await? == ReadOnlyOutcome::TimedOut {
            return Ok(None);
        }
        let sets = self.link()?.ask(what, "SELECT @@global.gtid_executed".to_owned(), until(bound)).await?;
        let executed = sets.first().and_then(|rows| rows.first()).and_then(|row| text(row, 0));
        let executed = executed.ok_or_else(|| SqlError::decode(what, "no row"))?;
        executed.parse().map(Some).map_err(|error| SqlError::decode(what, format!("{error}")))
    }

    /// Lets the agent's own account write and nobody else: `super_read_only=0` with `read_only=1` (L2).
    ///
    /// `read_only` is set first, so that the server is open at no moment.
    pub async fn allow_own_writes(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let sql = "SET GLOBAL read_only = 1; SET GLOBAL super_read_only = 0";
        self.link()?.run("allowing the agent's own writes", sql, until(deadline)).await
    }

    /// Lets everybody write: both variables off.
    pub async fn open_for_writes(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let sql = "SET GLOBAL super_read_only = 0, GLOBAL read_only = 0";
        self.link()?.run("opening for writes", sql, until(deadline)).await
    }
}

async fn close(link: &mut Link, door: &Door, bound: Duration) -> Result<(), SqlError> {
    let what = "setting super_read_only";
    let bounded = until(bound);
    // Room for the KILL and the answer to it.
    let last = until(bound + Duration::from_secs(1));
    let id = link.id();
    // Second net, should the KILL not get through (no free connection).
    let server_bound_s = bound.as_secs() + 1;
    let sql = format!(
        "SET SESSION lock_wait_timeout = {server_bound_s}; SET GLOBAL super_read_only = 1; \
         SET SESSION lock_wait_timeout = 31536000"
    );
    let closing = link.run(what, sql, last);
    tokio::pin!(closing);
    tokio::select! {
        biased;
        outcome = &mut closing => return outcome,
        () = sleep_until(bounded) => {}
    }
    let kill = async {
        let mut side = door.open(Purpose::Reading, last).await?;
        side.run("ending the wait for super_read_only", format!("KILL QUERY {id}"), last).await
    };
    // Both at once: the wait may end by itself while the KILL is under way, and the outcome of the KILL doesn't matter.
    tokio::select! {
        biased;
        outcome = &mut closing => outcome,
        _ = kill => closing.await,
    }
}
