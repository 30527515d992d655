//! What goes on between servers by itself: receivers connect, fetch, acknowledge; appliers apply.

use crate::servers::Servers;
use std::time::Duration;
use xenon_plan::observation::ReceiverState;

/// From START REPLICA to the first transaction.
const CONNECT: Duration = Duration::from_millis(20);
/// A receiver that hears nothing for so long (three heartbeats of a second) connects anew.
const SILENCE: Duration = Duration::from_secs(3);
/// Pause between two attempts (`SOURCE_CONNECT_RETRY`).
const RETRY: Duration = Duration::from_secs(1);

impl Servers {
    pub(crate) fn replicate(&mut self) {
        for at in 0..self.servers.len() {
            if self.servers[at].works() {
                self.receive(at);
                self.apply(at);
            } else {
                self.forget_replica(at);
            }
        }
    }

    /// No source hears of it any more.
    fn forget_replica(&mut self, at: usize) {
        for server in &mut self.servers {
            server.acknowledged.remove(&at);
        }
    }

    fn receive(&mut self, at: usize) {
        let now = self.now;
        let replica = &self.servers[at];
        let channel = replica.channel.as_ref().filter(|_| replica.receiver != ReceiverState::Stopped);
        let Some(source) = channel.map(|channel| channel.source.clone()) else {
            return self.forget_replica(at);
        };
        let Some(from) = self.at_address(&source.host, source.port).filter(|from| *from != at) else {
            return;
        };
        let listens = self.servers[from].works() && self.servers[from].answers_from <= now;
        let (to_replica, to_source) = (self.gets_through(from, at), self.gets_through(at, from));
        match self.servers[at].receiver {
            ReceiverState::Connecting if now < self.servers[at].receiver_due => {}
            ReceiverState::Connecting if listens && to_replica && to_source => {
                let uuid = self.servers[from].uuid;
                let replica = &mut self.servers[at];
                replica.receiver = ReceiverState::Running;
                replica.source_uuid = Some(uuid);
                replica.replica_operational = replica.replica_on;
                replica.receiver_due = now + SILENCE;
                replica.fetched = 0;
            }
            ReceiverState::Connecting => self.servers[at].receiver_due = now + RETRY,
            // The system tells at once when the process is gone.
            ReceiverState::Running if self.servers[from].pid == 0 && to_replica => self.disconnect(at, from),
            ReceiverState::Running if now >= self.servers[at].receiver_due => self.disconnect(at, from),
            ReceiverState::Running if to_replica && listens => {
                self.servers[at].receiver_due = now + SILENCE;
                self.fetch(at, from);
                if to_source && self.servers[at].replica_operational {
                    self.acknowledge(at, from);
                }
            }
            ReceiverState::Running | ReceiverState::Stopped => {}
        }
    }

    fn disconnect(&mut self, at: usize, from: usize) {
        let due = self.now + CONNECT;
        let replica = &mut self.servers[at];
        replica.receiver = ReceiverState::Connecting;
        replica.replica_operational = false;
        replica.receiver_due = due;
        self.servers[from].acknowledged.remove(&at);
    }

    fn fetch(&mut self, at: usize, from: usize) {
        let so_far = self.servers[at].fetched;
        let new = self.servers[from].binlog.get(so_far..).unwrap_or_default().to_vec();
        if new.is_empty() {
            return;
        }
        let has = self.servers[at].received();
        let replica = &mut self.servers[at];
        replica.fetched += new.len();
        // Auto-position: what it has is passed over.
        for gtid in new.into_iter().filter(|gtid| !has.contains(gtid)) {
            replica.retrieved.insert(gtid);
            replica.relay.push_back(gtid);
        }
    }

    fn acknowledge(&mut self, at: usize, from: usize) {
        let so_far = self.servers[at].fetched;
        self.servers[from].acknowledged.insert(at, so_far);
    }

    fn apply(&mut self, at: usize) {
        let server = &mut self.servers[at];
        if !server.applier {
            return;
        }
        while let Some(gtid) = server.relay.pop_front() {
            server.binlog.push(gtid);
            server.in_binlog.insert(gtid);
            server.executed.insert(gtid);
        }
    }
}

/// When a receiver that is started now will be connected.
pub(crate) fn connected_at(now: Duration) -> Duration {
    now + CONNECT
}
