//! Changing a server: every change is made at one moment, so nothing of a call that is given up takes effect later.

use crate::door::{LOOK_AGAIN, late, reach};
use crate::replicate::connected_at;
use crate::server::{Channel, Server, Waiter};
use crate::servers::with;
use crate::{Applied, Ensured, Frozen, MarkerWritten, ReadOnlyOutcome, RescueFiles, Secret, SqlError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};
use xenon_gtid::{Gtid, GtidSet, Uuid};
use xenon_plan::observation::{ReceiverState, SourceAddress};

/// The right to change one server.
#[derive(Debug)]
pub struct Control {
    at: usize,
    _turn: OwnedSemaphorePermit,
}

/// A SET super_read_only that waits; writes wait behind it until it is dropped.
struct Closing(usize);

impl Drop for Closing {
    fn drop(&mut self) {
        with(|servers| servers.servers[self.0].closing = false);
    }
}

/// The real crate documents each; the errors are its own.
impl Control {
    pub(crate) fn new(at: usize, turn: OwnedSemaphorePermit) -> Self {
        Self { at, _turn: turn }
    }

    /// Calls on it can still succeed.
    pub fn is_usable(&self) -> bool {
        true
    }

    async fn change<T>(
        &self,
        what: &str,
        deadline: Duration,
        act: impl FnOnce(&mut Server) -> T,
    ) -> Result<T, SqlError> {
        reach(self.at, what, deadline).await?;
        Ok(with(|servers| act(&mut servers.servers[self.at])))
    }

    /// Sets `super_read_only`, waiting at most `bound` for commits of clients.
    pub async fn set_read_only(&mut self, bound: Duration) -> Result<ReadOnlyOutcome, SqlError> {
        let what = "setting super_read_only";
        let closing = Closing(self.at);
        self.change(what, bound, |server| {
            server.read_only = true;
            server.closing = true;
        })
        .await?;
        let drained = timeout(bound, async {
            while with(|servers| {
                servers.servers[self.at].waiting.iter().any(|(_, waiter)| *waiter != Waiter::Marker)
            }) {
                sleep(LOOK_AGAIN).await;
            }
        })
        .await
        .is_ok();
        // It may have died meanwhile.
        reach(self.at, what, bound).await?;
        if drained {
            with(|servers| servers.servers[self.at].super_read_only = true);
        }
        drop(closing);
        Ok(if drained { ReadOnlyOutcome::Done } else { ReadOnlyOutcome::TimedOut })
    }

    /// T1: [`Control::set_read_only`], and what is executed then.
    pub async fn close_for_handover(&mut self, bound: Duration) -> Result<Option<GtidSet>, SqlError> {
        if self.set_read_only(bound).await? == ReadOnlyOutcome::TimedOut {
            return Ok(None);
        }
        let what = "reading what is executed behind super_read_only";
        self.change(what, bound, |server| Some(server.state().executed)).await
    }

    /// `super_read_only=0` with `read_only=1`.
    pub async fn allow_own_writes(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.change("allowing the agent's own writes", deadline, |server| {
            server.read_only = true;
            server.super_read_only = false;
        })
        .await
    }

    /// Lets everybody write.
    pub async fn open_for_writes(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.change("opening for writes", deadline, |server| {
            server.read_only = false;
            server.super_read_only = false;
        })
        .await
    }

    /// A voter's promise (V3).
    pub async fn freeze_replica(
        &mut self,
        spare: Option<Uuid>,
        deadline: Duration,
    ) -> Result<Frozen, SqlError> {
        let state = self.change("stopping the receiver and reading the position", deadline, |server| {
            let connected = server.receiver == ReceiverState::Running && server.channel.is_some();
            if connected && spare.is_some() && server.source_uuid == spare {
                return server.state();
            }
            server.receiver = ReceiverState::Stopped;
            server.replica_operational = false;
            server.state()
        });
        Ok(Frozen { state: state.await? })
    }

    /// W2: no position of a dead server is known here (V4), so nobody rescues.
    pub async fn rescue_files(&mut self, _: Duration) -> Result<RescueFiles, SqlError> {
        let (what, cause) = ("a rescue".to_owned(), "servers that are values have no files".to_owned());
        Err(SqlError::Lost { what, cause })
    }

    /// There is never one.
    pub async fn forget_rescue(&mut self, deadline: Duration) -> Result<bool, SqlError> {
        self.change("clearing away a rescue", deadline, |_| false).await
    }

    /// As [`Control::rescue_files`].
    pub async fn begin_rescue(&mut self, _: &RescueFiles, deadline: Duration) -> Result<(), SqlError> {
        self.rescue_files(deadline).await.map(drop)
    }

    /// There is never one.
    pub async fn rescue_error(&mut self, _: Duration) -> Result<Option<String>, SqlError> {
        Ok(None)
    }

    /// Stops the receiver.
    pub async fn stop_receiver(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.freeze_replica(None, deadline).await.map(drop)
    }

    /// Starts the receiver; returns before it is connected.
    pub async fn start_receiver(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let due = connected_at(with(|servers| servers.now));
        self.change("starting the receiver", deadline, |server| {
            if server.receiver == ReceiverState::Stopped {
                server.receiver = ReceiverState::Connecting;
                server.receiver_due = due;
            }
        })
        .await
    }

    /// Starts the applier.
    pub async fn start_applier(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.change("starting the applier", deadline, |server| server.applier = true).await
    }

    /// Stops receiver and applier.
    pub async fn stop_replication(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.stop_receiver(deadline).await?;
        self.change("stopping replication", deadline, |server| server.applier = false).await
    }

    /// Forgets the source; refused while relay logs hold what is not applied (S3).
    pub async fn reset_replication_all(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let what = "forgetting the source";
        self.change(what, deadline, |server| {
            keep_relay_logs(what, server)?;
            server.channel = None;
            server.retrieved = GtidSet::new();
            Ok(())
        })
        .await?
    }

    /// Points replication at another source, under the real one's conditions.
    pub async fn point_at(
        &mut self,
        source: &SourceAddress,
        user: &str,
        _password: &Secret,
        ssl: bool,
        full: bool,
        deadline: Duration,
    ) -> Result<(), SqlError> {
        let what = format!("following {source}");
        self.change(&what, deadline, |server| {
            if full {
                keep_relay_logs(&what, server)?;
                server.retrieved = GtidSet::new();
                server.channel = Some(Channel { source: source.clone(), user: user.to_owned(), ssl });
                return Ok(());
            }
            if !server.applier {
                return Err(unsupported(
                    &what,
                    "the applier does not run, so the relay logs would be lost (S3)",
                ));
            }
            match &mut server.channel {
                Some(channel) => channel.source = source.clone(),
                None => return Err(unsupported(&what, "no replication is configured")),
            }
            Ok(())
        })
        .await?
    }

    /// Waits until `set` is executed, at most `timeout`.
    pub async fn wait_applied(&mut self, set: &GtidSet, bound: Duration) -> Result<Applied, SqlError> {
        let what = "waiting for the applier";
        let until = Instant::now() + bound;
        loop {
            if self.change(what, bound, |server| server.executed.contains_set(set)).await? {
                return Ok(Applied::Applied);
            }
            if Instant::now() >= until {
                return Ok(Applied::TimedOut);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// The replication account: always good.
    pub async fn ensure_replication_account(
        &mut self,
        _user: &str,
        _password: &Secret,
        _ssl: bool,
        deadline: Duration,
    ) -> Result<Ensured, SqlError> {
        self.change("making the replication account ready", deadline, |_| Ensured::Already).await
    }

    /// Switches the source side on, or changes W.
    pub async fn semi_sync_source(
        &mut self,
        on: bool,
        wait_for: u32,
        soft: bool,
        deadline: Duration,
    ) -> Result<(), SqlError> {
        self.change("switching semi-sync on", deadline, |server| {
            server.source_on = on;
            server.source_is_set_up = true;
            server.wait_for = wait_for;
            server.soft = soft;
        })
        .await
    }

    /// Switches the source side off; refused while clients may write (D2).
    pub async fn semi_sync_source_off(&mut self, deadline: Duration) -> Result<(), SqlError> {
        let what = "switching semi-sync off";
        self.change(what, deadline, |server| {
            if server.source_on && !server.super_read_only {
                return Err(unsupported(what, "clients may still write here (rule D2)"));
            }
            server.source_on = false;
            Ok(())
        })
        .await?
    }

    /// C5: switches it off on an open server.
    pub async fn stop_waiting(&mut self, deadline: Duration) -> Result<(), SqlError> {
        self.change("switching semi-sync off", deadline, |server| server.source_on = false).await
    }

    /// The replica side; a running receiver takes it up when it starts next.
    pub async fn semi_sync_replica(&mut self, on: bool, deadline: Duration) -> Result<(), SqlError> {
        self.change("switching the replica side of semi-sync", deadline, |server| server.replica_on = on)
            .await
    }

    /// They are always there.
    pub async fn load_semi_sync_plugins(&mut self, deadline: Duration) -> Result<bool, SqlError> {
        self.change("loading the semi-sync plugins", deadline, |_| false).await
    }

    /// Ends every client session; how many had a commit under way.
    pub async fn kill_sessions(&mut self, deadline: Duration) -> Result<usize, SqlError> {
        self.change("ending client sessions", deadline, send_clients_away).await
    }

    /// `offline_mode`, which ends client sessions, too.
    pub async fn set_offline(&mut self, on: bool, deadline: Duration) -> Result<(), SqlError> {
        self.change("setting offline_mode", deadline, |server| {
            server.offline = on;
            if on {
                send_clients_away(server);
            }
        })
        .await
    }

    /// Takes them all.
    pub async fn set_variables(
        &mut self,
        variables: &[(String, String)],
        _deadline: Duration,
    ) -> Vec<(String, Result<(), SqlError>)> {
        variables.iter().map(|(name, _)| (name.clone(), Ok(()))).collect()
    }

    /// Writes the empty transaction `cluster:term`, and returns when it is committed.
    pub async fn write_marker(
        &mut self,
        cluster: &Uuid,
        term: u64,
        deadline: Duration,
    ) -> Result<MarkerWritten, SqlError> {
        let gtid = Gtid::untagged(*cluster, term);
        if self.change("writing the marker", deadline, |server| server.executed.contains(&gtid)).await? {
            return Ok(MarkerWritten::AlreadyThere);
        }
        with(|servers| servers.marker_begins(self.at, term));
        self.write_empty("writing the marker", gtid, deadline).await?;
        Ok(MarkerWritten::Written)
    }

    /// Writes the empty transaction `gtid`; whatever waited before it is acknowledged with it.
    pub async fn release_commits(&mut self, gtid: &Gtid, deadline: Duration) -> Result<(), SqlError> {
        self.write_empty("releasing commits that wait", *gtid, deadline).await
    }

    async fn write_empty(&mut self, what: &str, gtid: Gtid, deadline: Duration) -> Result<(), SqlError> {
        let pid = self
            .change(what, deadline, |server| {
                if server.super_read_only {
                    return Err(SqlError::Server {
                        what: what.to_owned(),
                        code: 1290,
                        state: "HY000".to_owned(),
                        message: "running with the --super-read-only option".to_owned(),
                    });
                }
                // One that was given up is still under way.
                if !server.in_binlog.contains(&gtid) {
                    server.write(gtid, Waiter::Marker);
                }
                Ok(server.pid)
            })
            .await??;
        let committed = timeout(deadline, async {
            loop {
                let (runs, done) = with(|servers| {
                    let server = &servers.servers[self.at];
                    (server.pid == pid, server.executed.contains(&gtid))
                });
                if !runs {
                    let cause = "closed by the server".to_owned();
                    return Err(SqlError::Lost { what: what.to_owned(), cause });
                }
                if done {
                    return Ok(());
                }
                sleep(LOOK_AGAIN).await;
            }
        });
        committed.await.unwrap_or_else(|_| Err(late(what, deadline)))
    }
}

/// Their commits go on without them (D2).
fn send_clients_away(server: &mut Server) -> usize {
    let clients = server.waiting.iter_mut().filter(|(_, waiter)| *waiter == Waiter::Client);
    clients.map(|(_, waiter)| *waiter = Waiter::Nobody).count()
}

fn keep_relay_logs(what: &str, server: &Server) -> Result<(), SqlError> {
    if server.relay.is_empty() {
        return Ok(());
    }
    Err(unsupported(what, "received transactions are not applied yet, and would be lost (S3)"))
}

fn unsupported(what: &str, why: &str) -> SqlError {
    SqlError::Unsupported { what: what.to_owned(), why: why.to_owned() }
}
