//! Changes to the server: one control connection at a time, every call with a deadline.

mod account;
mod marker;
mod read_only;
mod release;
mod replication;
mod rescue;
mod semi_sync;
mod sessions;
mod variables;

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use crate::link::{Link, until};
use crate::{Dialect, Door, SqlError};

pub(crate) use variables::OURS;

pub use account::{AccountState, Ensured};
pub use marker::MarkerWritten;
pub use read_only::ReadOnlyOutcome;
pub use replication::{Applied, Frozen};
pub use rescue::RescueFiles;
pub use semi_sync::SEMI_SYNC_TIMEOUT_MS;

/// The right to change the server, held by one caller at a time.
///
/// Every method takes a deadline. When it passes, or when the method's future is dropped, the statement may still run in
/// the server: this control is then spent (each further call returns [`SqlError::Lost`]), and the next
/// [`Door::control`] first ends that statement. Drop it and open another.
pub struct Control {
    door: Door,
    /// `None` only while it is being dropped.
    link: Option<Link>,
    _turn: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("usable", &self.is_usable()).finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(door: Door, link: Link, turn: OwnedSemaphorePermit) -> Self {
        Self { door, link: Some(link), _turn: turn }
    }

    /// Calls on it can still succeed.
    pub fn is_usable(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_usable)
    }

    /// The server's dialect.
    pub fn dialect(&self) -> Result<Dialect, SqlError> {
        self.link.as_ref().map(Link::dialect).ok_or_else(spent)
    }

    /// Stops mysqld in order (`SHUTDOWN`). Returns when the server has taken the order, not when it is down.
    pub async fn shutdown(&mut self, deadline: Duration) -> Result<(), SqlError> {
        match self.link()?.run("shutting mysqld down", "SHUTDOWN", until(deadline)).await {
            // It may close our session before it has answered: that is what was asked for.
            Ok(()) | Err(SqlError::Lost { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn link(&mut self) -> Result<&mut Link, SqlError> {
        self.link.as_mut().ok_or_else(spent)
    }

    /// The session's settings are not what the next caller expects: it is not used again.
    pub(crate) fn retire(&mut self) {
        if let Some(link) = &mut self.link {
            link.close();
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.door.give_back_control(link);
        }
    }
}

fn spent() -> SqlError {
    SqlError::lost("using the control connection", "it is spent")
}
