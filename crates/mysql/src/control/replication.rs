//! The receiver and the applier: stopping, starting, pointing elsewhere.

use std::time::Duration;

use tokio::time::Instant;
use xenon_gtid::{GtidSet, Uuid};
use xenon_plan::observation::{ReceiverState, Replication, ServerState, SourceAddress};

use super::Control;
use crate::link::{text, until};
use crate::literal::{quoted, quoted_line};
use crate::{Secret, SqlError, look};

/// The server gave up waiting for its receiver to stop; it stops later.
const STOP_TIMED_OUT: u16 = 1875;
/// No replication is configured, or no such channel.
const NOT_CONFIGURED: [u16; 3] = [1200, 1617, 3074];

/// How often a stopping receiver is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A replica whose receiver is stopped, with the position read after that.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// Read after the receiver was seen stopped; [`ServerState::received`] is the position that a vote may rest on.
    pub state: ServerState,
}

/// What waiting for the applier came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// All of it is executed.
    Applied,
    /// Not all of it within the time.
    TimedOut,
}

impl Control {
    /// A voter's promise (V3): the receiver is stopped and seen stopped, and only then is the position read.
    ///
    /// On a server without replication only the position is read. No statement of an earlier control can start the receiver
    /// again afterwards: [`crate::Door::control`] has ended them all.
    ///
    /// A receiver that is connected to the server `spare` goes on: that is the candidate's own, and a vote does not promise to
    /// take nothing more from there.
    pub async fn freeze_replica(
        &mut self,
        spare: Option<Uuid>,
        deadline: Duration,
    ) -> Result<Frozen, SqlError> {
        let what = "stopping the receiver and reading the position";
        let until = until(deadline);
        let link = self.link()?;
        if spare.is_some() {
            let state = look::look(link, true, until).await?;
            let connected = |replication: &Replication| replication.receiver == ReceiverState::Running;
            let source = state.replication.as_ref().filter(|it| connected(it)).and_then(|it| it.source_uuid);
            if source == spare {
                return Ok(Frozen { state });
            }
        }
        let stop = format!("STOP {} IO_THREAD FOR CHANNEL ''", link.dialect().words.replica);
        // STOP returns when the thread has ended, so a look begun after it is a look after it. Otherwise the first look
        // that says "stopped" may have read the retrieved set before the thread queued its last transaction: one look more.
        let mut looks_wanted = match link.run(what, stop, until).await {
            Ok(()) => 1,
            Err(error) if NOT_CONFIGURED.iter().any(|code| error.is_code(*code)) => 1,
            Err(error) if error.is_code(STOP_TIMED_OUT) => 2,
            Err(error) => return Err(error),
        };
        loop {
            let state = look::look(link, true, until).await?;
            let receiver = state.replication.as_ref().map_or(ReceiverState::Stopped, |r| r.receiver);
            if receiver == ReceiverState::Stopped {
                looks_wanted -= 1;
                if looks_wanted == 0 {
                    return Ok(Frozen { state });
                }
                continue;
            }
            looks_wanted = 2;
            if Instant::now() + LOOK_AGAIN >= until {
                let after_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
                return Err(SqlError::Timeout {
                    what: format!("{what}: it is still {receiver:?}"),
                    after_ms,
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Stops the receiver. Takes up to seconds while it is connecting to a source that hangs.
    pub async fn stop_receiver(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.replica_statement("stopping the receiver", "STOP", " IO_THREAD FOR CHANNEL ''", deadline).await
    }

    /// Starts the receiver; returns before it is connected.
    pub async fn start_receiver(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.replica_statement("starting the receiver", "START", " IO_THREAD FOR CHANNEL ''", deadline).await
    }

    /// Starts the applier.
    pub async fn start_applier(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.replica_statement("starting the applier", "START", " SQL_THREAD FOR CHANNEL ''", deadline).await
    }

    /// Starts receiver and applier.
    pub async fn start_replication(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.replica_statement("starting replication", "START", " FOR CHANNEL ''", deadline).await
    }

    /// Stops receiver and applier.
    pub async fn stop_replication(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.replica_statement("stopping replication", "STOP", " FOR CHANNEL ''", deadline).await
    }

    /// Forgets the source and **throws the relay logs away**: only when all that was received is executed (S3).
    pub async fn reset_replication_all(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let what = "forgetting the source";
        let state = look::look(self.link()?, true, until(deadline)).await?;
        if !state.unapplied().is_empty() {
            return Err(SqlError::unsupported(
                what,
                "received transactions are not applied yet, and would be lost (S3)",
            ));
        }
        self.replica_statement(what, "RESET", " ALL FOR CHANNEL ''", deadline).await
    }

    /// Points replication at another source.
    ///
    /// | `full` | sets | wants | relay logs |
    /// |---|---|---|---|
    /// | true | every option | both threads stopped | thrown away: only when all that was received is executed (S3) |
    /// | false | host and port | receiver stopped, applier **running** | kept |
    ///
    /// What the third column wants is looked at just before, since an applier may stop at any moment; without it
    /// [`SqlError::Unsupported`].
    ///
    /// The password is in the statement, which is never logged here; the server masks it in its own logs.
    pub async fn point_at(
        &mut self,
        source: &SourceAddress,
        user: &str,
        password: &Secret,
        ssl: bool,
        full: bool,
        deadline: Duration,
    ) -> Result<(), SqlError> {
        let what = format!("following {source}");
        let until = until(deadline);
        let link = self.link()?;
        let state = look::look(link, true, until).await?;
        let applier_runs = state.replication.as_ref().is_some_and(|replication| replication.applier_running);
        if full && !state.unapplied().is_empty() {
            return Err(SqlError::unsupported(
                &what,
                "received transactions are not applied yet, and would be lost (S3)",
            ));
        }
        if !full && !applier_runs {
            return Err(SqlError::unsupported(
                &what,
                "the applier does not run, so the relay logs would be lost (S3)",
            ));
        }
        let words = link.dialect().words;
        let prefix = words.source_option;
        let mut options =
            format!("{prefix}HOST = {}, {prefix}PORT = {}", quoted_line(&what, &source.host)?, source.port);
        if full {
            let ssl = u8::from(ssl);
            options.push_str(&format!(
                ", {prefix}USER = {}, {prefix}PASSWORD = {}, {prefix}AUTO_POSITION = 1, {prefix}SSL = {ssl}, {}",
                quoted_line(&what, user)?,
                quoted_line(&what, password.reveal())?,
                // Without TLS the password is encrypted with the source's key, which must be asked for.
                format_args!("{} = {}", words.public_key_option, 1 - ssl),
            ));
            // Once a second, for ever: a source that restarts or is not up yet is found again without our help. The
            // default gives up after ten attempts since 8.4. Heartbeats show a dead link of an idle source in seconds.
            options.push_str(&format!(
                ", {prefix}CONNECT_RETRY = 1, {prefix}RETRY_COUNT = 4294967295, {prefix}HEARTBEAT_PERIOD = 1"
            ));
        }
        let sql = format!("{} {options} FOR CHANNEL ''", words.change_source);
        link.run(&what, sql, until).await
    }

    /// Waits until `set` is executed, at most `timeout`. Returns at once when it already is.
    pub async fn wait_applied(&mut self, set: &GtidSet, timeout: Duration) -> Result<Applied, SqlError> {
        let what = "waiting for the applier";
        // Zero would mean for ever to the server.
        let seconds = timeout.as_secs_f64().max(0.001);
        let sql = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET({}, {seconds:.3})", quoted(&set.to_string()));
        let sets = self.link()?.ask(what, sql, until(timeout + Duration::from_secs(1))).await?;
        match sets.first().and_then(|rows| rows.first()).and_then(|row| text(row, 0)).as_deref() {
            Some("0") => Ok(Applied::Applied),
            Some("1") => Ok(Applied::TimedOut),
            other => Err(SqlError::decode(what, format!("{other:?}"))),
        }
    }

    async fn replica_statement(
        &mut self,
        what: &str,
        verb: &str,
        rest: &str,
        deadline: Duration,
    ) -> Result<(), SqlError> {
        let link = self.link()?;
        let sql = format!("{verb} {}{rest}", link.dialect().words.replica);
        link.run(what, sql, until(deadline)).await
    }
}
