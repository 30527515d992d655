//! What the loop publishes at every turn, so that health checks are answered without asking anybody.
//!
//! A view says when it was taken and until when the lease holds; whoever answers from it compares both with the clock.
//! So an agent that was stopped, or whose loop waits for a disk, never goes on saying that its node may be written to.

use crate::agent::Agent;
use std::time::Duration;
use tokio::time::Instant;
use xenon_election::State;
use xenon_plan::Role;
use xenon_plan::observation::ReceiverState;

/// A view may be at least so old: a busy machine delays a turn of the loop.
pub(super) const MAX_AGE_LEAST: Duration = Duration::from_millis(500);
/// A replica's lag counts as known for so long after the look that told it: looks come once a second.
const LOOK_GRACE: Duration = Duration::from_secs(2);

/// Why something is not so; shown to whoever asks, so nothing of the inside stands in it.
type Check = Result<(), &'static str>;

/// One node at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(super) at: Instant,
    pub(super) state: &'static str,
    /// L1: when leadership ends unless it is confirmed before. `None`: nothing ends it (T4, or no majority is without this
    /// node).
    pub(super) lease_until: Option<Instant>,
    /// It leads and its server is open for writes, as far as that is no matter of time.
    pub(super) primary: Check,
    /// Its server answers, or it is a witness, which has none.
    pub(super) server: Check,
    /// It serves reads of replicated data.
    pub(super) replica: Check,
    /// When its lag was known last, and what it was.
    pub(super) lag: Option<(Instant, Duration)>,
    /// It is a witness: it has no server, and none is missed.
    pub(super) witness: bool,
    /// It belongs to a cluster and knows who leads it.
    pub(super) joined: Check,
}

/// What outlives one view.
#[derive(Debug, Default)]
pub(crate) struct Known {
    lag: Option<(Instant, Duration)>,
}

impl View {
    /// Before the loop has said anything.
    pub(super) fn unknown(at: Instant) -> View {
        const WHY: &str = "the agent is starting";
        View {
            at,
            state: "STARTING",
            lease_until: None,
            primary: Err(WHY),
            server: Err(WHY),
            replica: Err(WHY),
            lag: None,
            witness: false,
            joined: Err(WHY),
        }
    }

    fn fresh(&self, now: Instant, max_age: Duration) -> Check {
        if now.saturating_duration_since(self.at) > max_age {
            return Err("the agent has not come to look for too long");
        }
        Ok(())
    }

    pub(super) fn is_primary(&self, now: Instant, max_age: Duration) -> Check {
        self.fresh(now, max_age)?;
        self.primary?;
        match self.lease_until {
            Some(until) if now >= until => Err("its lease as the leader has run out"),
            _ => Ok(()),
        }
    }

    /// A lag that is not known any more grows with the time since.
    pub(super) fn lag(&self, now: Instant) -> Option<Duration> {
        let (at, lag) = self.lag?;
        Some(lag + now.saturating_duration_since(at).saturating_sub(LOOK_GRACE))
    }

    pub(super) fn is_replica(&self, now: Instant, max_age: Duration, most: Option<Duration>) -> Check {
        self.fresh(now, max_age)?;
        self.replica?;
        match (most, self.lag(now)) {
            (None, _) => Ok(()),
            (Some(most), Some(lag)) if lag <= most => Ok(()),
            (Some(_), Some(_)) => Err("it lags more than that"),
            (Some(_), None) => Err("its lag is not known"),
        }
    }

    /// The agent lives and its mysqld answers.
    pub(super) fn is_healthy(&self, now: Instant, max_age: Duration) -> Check {
        self.fresh(now, max_age)?;
        self.server
    }

    /// It does what it is there for.
    pub(super) fn is_ready(&self, now: Instant, max_age: Duration) -> Check {
        self.is_healthy(now, max_age)?;
        self.joined?;
        if self.witness || self.is_primary(now, max_age).is_ok() {
            return Ok(());
        }
        self.is_replica(now, max_age, None)
    }
}

impl Agent {
    /// At the end of every turn of the loop.
    pub(crate) fn publish(&mut self) {
        let Some(mut outlet) = self.http.take() else { return };
        let now = Instant::now();
        self.note_lag(&mut outlet.known);
        outlet.published = now;
        outlet.view.send_replace(View {
            at: now,
            state: self.core.state().word(),
            lease_until: self.clock.lease_until(),
            primary: self.primary_check(),
            server: self.server_check(),
            replica: self.replica_check(),
            lag: outlet.known.lag,
            witness: self.config.raft.witness,
            joined: self.joined_check(),
        });
        self.http = Some(outlet);
    }

    /// Only what the leader that is heard sends says how far behind a replica is.
    fn note_lag(&self, known: &mut Known) {
        let Some(replication) = self.local.server.as_ref().and_then(|server| server.replication.as_ref())
        else {
            known.lag = None;
            return;
        };
        let receives = replication.receiver == ReceiverState::Running && self.core.followed().is_some();
        let whole = replication.seconds_behind.map(Duration::from_secs);
        let lag = replication.lag_us.map(Duration::from_micros).or(whole);
        if let (true, Some(lag), Some(looked)) = (receives, lag, self.local.looked) {
            known.lag = Some((looked, lag));
        }
    }

    fn server_check(&self) -> Check {
        if self.config.raft.witness {
            return Ok(());
        }
        if let Some(why) = self.local.health.cannot_serve() {
            return Err(why);
        }
        match &self.local.server {
            Some(_) => Ok(()),
            None => Err("mysqld does not answer"),
        }
    }

    fn primary_check(&self) -> Check {
        if self.core.state() != State::Leader {
            return Err("this node does not lead");
        }
        if !self.core.is_open_leader() {
            return Err("this node leads, and its server is not open for writes yet");
        }
        self.server_check()?;
        if matches!(self.local.role, Role::Primary { closed: true, .. }) {
            return Err("leadership is being handed over");
        }
        match &self.local.server {
            Some(server) if server.offline_mode => Err("its server turns clients away (offline_mode)"),
            Some(server) if !server.is_writable() => Err("its server is read-only"),
            Some(_) => Ok(()),
            None => Err("mysqld does not answer"),
        }
    }

    fn replica_check(&self) -> Check {
        if self.config.raft.witness {
            return Err("this node is a witness: it has no data");
        }
        if matches!(self.local.role, Role::Primary { .. }) {
            return Err("this node is the primary");
        }
        self.server_check()?;
        if self.rebuild.holds_role() {
            return Err("this node is being rebuilt");
        }
        if !self.core.record().errant.is_empty() {
            return Err("this node has transactions that the leader lacks (INVALID)");
        }
        let Some(server) = &self.local.server else { return Err("mysqld does not answer") };
        if server.offline_mode {
            return Err("its server turns clients away (offline_mode)");
        }
        if server.is_writable() {
            return Err("its server is not read-only");
        }
        match &server.replication {
            None => Err("its server follows nobody"),
            Some(replication) if !replication.applier_running => Err("its applier does not run"),
            Some(replication) if !replication.receiver_error.is_empty() => {
                Err("its receiver has stopped with an error")
            }
            Some(_) => Ok(()),
        }
    }

    fn joined_check(&self) -> Check {
        if self.core.record().config.is_none() {
            return Err("this node belongs to no cluster");
        }
        match self.core.state() {
            State::Stopped => Err("this node takes no part in the cluster (STOPPED)"),
            _ if self.core.leader().is_none() => Err("no leader is known here"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_millis(800);

    fn view(at: Instant) -> View {
        View {
            state: "LEADER",
            primary: Ok(()),
            server: Ok(()),
            joined: Ok(()),
            lease_until: Some(at + Duration::from_millis(600)),
            ..View::unknown(at)
        }
    }

    #[test]
    fn a_lease_ends_by_the_clock_whoever_publishes() {
        let at = Instant::now();
        let ms = |ms| at + Duration::from_millis(ms);
        let view = view(at);
        assert_eq!(view.is_primary(ms(599), AGE), Ok(()));
        assert_eq!(view.is_primary(ms(600), AGE), Err("its lease as the leader has run out"));
        // Nothing ends it but silence of the loop.
        let view = View { lease_until: None, ..view };
        assert_eq!(view.is_primary(ms(800), AGE), Ok(()));
        assert!(view.is_primary(ms(801), AGE).is_err());
        assert!(view.is_healthy(ms(801), AGE).is_err());
        assert!(view.is_ready(ms(801), AGE).is_err());
        let view = View { primary: Err("its server is read-only"), ..view };
        assert_eq!(view.is_primary(ms(1), AGE), Err("its server is read-only"));
    }

    #[test]
    fn a_lag_that_is_not_known_any_more_grows() {
        let at = Instant::now();
        let secs = Duration::from_secs;
        let replica = View { replica: Ok(()), lag: Some((at, secs(1))), ..View::unknown(at) };
        let is_replica = |after: u64, most| {
            let now = at + secs(after);
            View { at: now, ..replica }.is_replica(now, AGE, most)
        };
        assert!(is_replica(2, Some(secs(1))).is_ok());
        assert_eq!(is_replica(3, Some(secs(1))), Err("it lags more than that"));
        assert!(is_replica(11, Some(secs(10))).is_ok());
        assert!(is_replica(12, Some(secs(10))).is_err());
        assert!(is_replica(100, None).is_ok(), "without a bound any lag will do");
        let unknown = View { lag: None, ..replica };
        assert_eq!(unknown.is_replica(at, AGE, Some(secs(9))), Err("its lag is not known"));
        assert!(unknown.is_ready(at, AGE).is_err());
    }
}
