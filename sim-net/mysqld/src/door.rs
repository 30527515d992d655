//! Looking at a server, and the way to change it.

use crate::servers::with;
use crate::{Control, DoorOptions, LogPlaces, Places, Purged, SqlError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use xenon_gtid::GtidSet;
use xenon_plan::observation::ServerState;

/// What one round trip takes.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(1);
/// How often something that ends by itself is looked at.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// The session that waits for the server's end is in no hurry.
const SESSION_LOOK: Duration = Duration::from_millis(20);

/// One door to one server. A clone is another handle of the same door.
#[derive(Debug, Clone)]
pub struct Door {
    options: DoorOptions,
    control: Arc<Semaphore>,
}

impl Door {
    /// Nobody does anything for long here.
    pub async fn work(&self, deadline: Duration) -> Result<Vec<xenon_plan::Work>, SqlError> {
        self.reach("looking at what clients do", deadline).await.map(|_| Vec::new())
    }

    /// A door to the server that listens at these host and port, if there is one.
    pub fn new(options: DoorOptions) -> Self {
        Self { options, control: Arc::new(Semaphore::new(1)) }
    }

    /// As the real one's; there are no connections here.
    pub fn close_idle(&self) {}

    /// How this door reaches the server.
    pub fn options(&self) -> &DoorOptions {
        &self.options
    }

    pub(crate) fn at(&self) -> Option<usize> {
        with(|servers| servers.at_address(&self.options.host, self.options.port))
    }

    /// One look at the server.
    ///
    /// # Errors
    /// As the real one's.
    pub async fn observe(&self, deadline: Duration) -> Result<ServerState, SqlError> {
        let at = self.reach("looking at mysqld", deadline).await?;
        Ok(with(|servers| servers.servers[at].state()))
    }

    /// Servers here have no files that could go.
    ///
    /// # Errors
    /// As the real one's.
    pub async fn purge_binlogs(
        &self,
        _within: Option<&GtidSet>,
        deadline: Duration,
    ) -> Result<Purged, SqlError> {
        self.reach("purging binary logs", deadline).await?;
        Ok(Purged::default())
    }

    /// Whether the server still takes and answers statements.
    ///
    /// # Errors
    /// As the real one's.
    pub async fn probe(&self, deadline: Duration) -> Result<(), SqlError> {
        self.reach("probing mysqld", deadline).await.map(drop)
    }

    /// The right to change the server, held by one caller at a time.
    ///
    /// # Errors
    /// As the real one's.
    pub async fn control(&self, deadline: Duration) -> Result<Control, SqlError> {
        let what = "opening the control connection";
        let turn = match timeout(deadline, Arc::clone(&self.control).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(lost(what)),
            Err(_) => return Err(late(what, deadline)),
        };
        let at = self.reach(what, deadline).await?;
        Ok(Control::new(at, turn))
    }

    /// Where its files are: nowhere, so that no disk is watched.
    ///
    /// # Errors
    /// Always.
    pub async fn places(&self, _deadline: Duration) -> Result<Places, SqlError> {
        Err(no_files())
    }

    /// Where its logs are: nowhere, so that nobody knows the position of a dead one (V4).
    ///
    /// # Errors
    /// Always.
    pub async fn log_places(&self, _deadline: Duration) -> Result<LogPlaces, SqlError> {
        Err(no_files())
    }

    /// The sessions that are committing: none is ever stuck here.
    ///
    /// # Errors
    /// Never.
    pub async fn committing_sessions(&self, _deadline: Duration) -> Result<BTreeSet<u64>, SqlError> {
        Ok(BTreeSet::new())
    }

    /// Replication threads that slept for want of disk space: no disk is ever full here.
    ///
    /// # Errors
    /// Never.
    pub async fn wake_sleepers(&self, _deadline: Duration) -> Result<usize, SqlError> {
        Ok(0)
    }

    /// Returns when the server's process ends; whether there was a session at all, and what ended it.
    pub async fn hold_session(&self) -> (bool, SqlError) {
        let what = "holding a session";
        let at = match self.reach(what, Duration::from_secs(5)).await {
            Ok(at) => at,
            Err(error) => return (false, error),
        };
        let pid = with(|servers| servers.servers[at].pid);
        while with(|servers| servers.servers[at].pid) == pid {
            sleep(SESSION_LOOK).await;
        }
        (true, lost(what))
    }

    /// One round trip to the server, or how it fails.
    async fn reach(&self, what: &str, deadline: Duration) -> Result<usize, SqlError> {
        match self.at() {
            Some(at) => reach(at, what, deadline).await,
            None => Err(refused(what)),
        }
    }
}

/// As a statement on an open connection: a hung server lets it wait, a dead one ends it.
pub(crate) async fn reach(at: usize, what: &str, deadline: Duration) -> Result<usize, SqlError> {
    let answered = timeout(deadline, async {
        loop {
            sleep(ROUND_TRIP).await;
            let (down, hung) = with(|servers| {
                let now = servers.now;
                let server = &servers.servers[at];
                (server.pid == 0 || server.answers_from > now, server.hung)
            });
            if down {
                return Err(refused(what));
            }
            if !hung {
                return Ok(at);
            }
            sleep(LOOK_AGAIN).await;
        }
    });
    answered.await.unwrap_or_else(|_| Err(late(what, deadline)))
}

fn no_files() -> SqlError {
    SqlError::Unsupported {
        what: "asking where mysqld keeps its files".to_owned(),
        why: "a simulated one keeps none".to_owned(),
    }
}

fn refused(what: &str) -> SqlError {
    SqlError::Unreachable {
        what: what.to_owned(),
        address: "a simulated mysqld".to_owned(),
        cause: "connection refused".to_owned(),
    }
}

fn lost(what: &str) -> SqlError {
    SqlError::Lost { what: what.to_owned(), cause: "closed by the server".to_owned() }
}

pub(crate) fn late(what: &str, deadline: Duration) -> SqlError {
    SqlError::Timeout {
        what: what.to_owned(),
        after_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
    }
}
