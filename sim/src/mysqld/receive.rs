//! Receiver and applier.

use super::{Tx, Waiter};
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND};
use xenon_plan::observation::ReceiverState;

impl World {
    /// START REPLICA IO_THREAD.
    pub(crate) fn start_receiver(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if server.receiver != ReceiverState::Stopped || server.channel.is_none() {
            return;
        }
        server.receiver = ReceiverState::Connecting;
        server.receiver_number += 1;
        server.receiver_error = "";
        self.try_to_connect(at, MS / 2);
    }

    /// STOP REPLICA IO_THREAD: it returns when the thread has ended.
    pub(crate) fn stop_receiver(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        server.receiver = ReceiverState::Stopped;
        server.receiver_number += 1;
        server.replica_operational = false;
        if let Some(link) = server.receiver_link.take() {
            self.close_at_replica(link);
        }
    }

    /// The connection has ended: the receiver connects again by itself.
    pub(crate) fn receiver_lost(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if server.receiver != ReceiverState::Running {
            return;
        }
        server.receiver = ReceiverState::Connecting;
        server.receiver_link = None;
        server.replica_operational = false;
        server.receiver_error = "the connection was lost";
        self.try_to_connect(at, SECOND);
    }

    fn try_to_connect(&mut self, at: usize, within: u64) {
        let server = &self.nodes[at].mysqld;
        let (process, receiver) = (server.number, server.receiver_number);
        let delay = self.rng.between(within * 3 / 4, within);
        self.plan(delay, Happening::Connect { at, process, receiver });
    }

    fn connects(&self, at: usize, process: u64, receiver: u64) -> bool {
        let server = &self.nodes[at].mysqld;
        server.number == process
            && server.receiver_number == receiver
            && server.receiver == ReceiverState::Connecting
    }

    pub(crate) fn on_connect(&mut self, at: usize, process: u64, receiver: u64) {
        if !self.connects(at, process, receiver) {
            return;
        }
        if self.source_of(at).is_none() {
            self.nodes[at].mysqld.receiver_error = "the source does not answer";
            return self.try_to_connect(at, SECOND);
        }
        let handshake = self.rng.skewed(5 * MS, 25 * MS);
        self.plan(handshake, Happening::Connected { at, process, receiver });
    }

    pub(crate) fn on_connected(&mut self, at: usize, process: u64, receiver: u64) {
        if !self.connects(at, process, receiver) {
            return;
        }
        let Some(source) = self.source_of(at) else { return self.try_to_connect(at, SECOND) };
        if !self.nodes[at].mysqld.works() {
            return self.try_to_connect(at, SECOND);
        }
        let (own, theirs) = (&self.nodes[at].mysqld, &self.nodes[source].mysqld);
        let more = own.on_disk().only_uuid(&theirs.uuid).subtract(&theirs.in_binlog);
        if !more.is_empty() {
            // Error 1236: it does not come back by itself.
            let server = &mut self.nodes[at].mysqld;
            server.receiver = ReceiverState::Stopped;
            server.receiver_number += 1;
            server.receiver_error = "the replica has more GTIDs of the source's UUID than the source has";
            return;
        }
        self.connect(at, source);
    }

    /// Who would be connected to now.
    fn source_of(&self, at: usize) -> Option<usize> {
        let channel = self.nodes[at].mysqld.channel.as_ref()?;
        let source = crate::schedule::text::node_of(&channel.source.host)?;
        let node = self.nodes.get(source).filter(|_| source != at)?;
        let open = node.host_up
            && !self.network.servers_cut(at, source)
            && !self.network.servers_cut(source, at)
            && node.mysqld.answers();
        open.then_some(source)
    }

    /// The receiver queues a transaction in its relay log. It is acknowledged once it is there, synced or not.
    pub(crate) fn receive(&mut self, at: usize, tx: Tx) {
        let server = &mut self.nodes[at].mysqld;
        if server.retrieved.contains(&tx.gtid) || server.in_binlog.contains(&tx.gtid) {
            return;
        }
        server.retrieved.insert(tx.gtid);
        server.relay.push_back(tx);
        self.go_on_applying(at);
    }

    /// START REPLICA SQL_THREAD.
    pub(crate) fn start_applier(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if server.channel.is_some() {
            server.applier = true;
            self.go_on_applying(at);
        }
    }

    pub(crate) fn go_on_applying(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if !server.applier || server.applying || server.relay.is_empty() {
            return;
        }
        server.applying = true;
        let (slow, process) = (server.applier_slow || server.slow, server.number);
        let longest = if slow { 300 * MS } else { 2 * MS };
        let delay = self.rng.between(longest / 20, longest);
        self.plan(delay, Happening::Apply { at, process });
    }

    pub(crate) fn on_apply(&mut self, at: usize, process: u64) {
        let server = &mut self.nodes[at].mysqld;
        if server.number != process || !server.applying {
            return;
        }
        if !server.applier || server.relay.is_empty() {
            server.applying = false;
            return;
        }
        if !server.works() || server.disk_full {
            return self.plan(100 * MS, Happening::Apply { at, process });
        }
        let Some(tx) = server.relay.front().copied() else { return };
        if server.in_binlog.contains(&tx.gtid) {
            // Applied before a crash that came between commit and the note of it; or waiting in the binlog still.
            if server.executed.contains(&tx.gtid) {
                return self.applied(at);
            }
            return self.plan(100 * MS, Happening::Apply { at, process });
        }
        self.append(at, tx, Waiter::Applier);
    }

    /// The applier's commit is done.
    pub(crate) fn applied(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        server.relay.pop_front();
        server.applying = false;
        self.go_on_applying(at);
        self.wake_worker(at);
    }
}
