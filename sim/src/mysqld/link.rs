//! The connection of a replica's receiver to its source: a stream in order, with two ends that notice its end apart.

use super::Tx;
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND, Us};
use std::collections::VecDeque;
use xenon_gtid::GtidSet;
use xenon_plan::observation::ReceiverState;

/// How long a dump thread that finds its predecessor alive needs before acknowledgements get through (facts: 0.9 s).
const ZOMBIE: Us = 900 * MS;
/// A blocked stream is looked at again after so long.
const RETRY: Us = 100 * MS;

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) source: usize,
    pub(crate) replica: usize,
    /// The replica asked for semi-sync when it connected.
    semi_sync: bool,
    /// The dump thread sends.
    began: bool,
    /// The binlog index to be sent next.
    next: usize,
    /// What the replica had when it connected; not sent again.
    had: GtidSet,
    /// On the way to the replica: arrival, binlog index, transaction.
    down: VecDeque<(Us, usize, Tx)>,
    /// On the way to the source: arrival, how much of the binlog is acknowledged.
    up: VecDeque<(Us, usize)>,
    source_open: bool,
    replica_open: bool,
    /// Since when something waits for a path.
    blocked_since: Option<Us>,
    /// After so long the replica gives such a connection up.
    patience: Us,
}

impl World {
    /// A receiver has connected.
    pub(crate) fn connect(&mut self, replica: usize, source: usize) {
        let olds: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| link.replica == replica && link.source == source && link.source_open)
            .map(|(id, _)| *id)
            .collect();
        // The new dump thread ends the old one of the same replica.
        let delay = if olds.is_empty() { 0 } else { ZOMBIE };
        for old in olds {
            self.close_at_source(old);
        }
        self.last_link += 1;
        let id = self.last_link;
        let server = &mut self.nodes[replica].mysqld;
        let semi_sync = server.replica_on;
        server.replica_operational = semi_sync;
        server.receiver = ReceiverState::Running;
        server.receiver_error = "";
        server.receiver_link = Some(id);
        let had = server.executed.union(&server.retrieved).union(&server.in_binlog);
        let next = {
            let log = &self.nodes[source].mysqld.binlog;
            log.iter().position(|tx| !had.contains(&tx.gtid)).unwrap_or(log.len())
        };
        let patience = self.rng.between(2 * SECOND, 20 * SECOND);
        let link = Link {
            source,
            replica,
            semi_sync,
            began: false,
            // What comes before is had: acknowledged by being skipped.
            next,
            had,
            down: VecDeque::new(),
            up: VecDeque::new(),
            source_open: true,
            replica_open: true,
            blocked_since: None,
            patience,
        };
        self.links.insert(id, link);
        let delay = delay + self.rng.between(MS / 2, 3 * MS);
        self.plan(delay, Happening::DumpBegins { link: id });
    }

    pub(crate) fn on_dump_begins(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let source = link.source;
        if !link.source_open {
            return;
        }
        if !self.nodes[source].mysqld.works() {
            return self.plan(RETRY, Happening::DumpBegins { link: id });
        }
        link.began = true;
        let (replica, next, semi_sync) = (link.replica, link.next, link.semi_sync);
        if semi_sync {
            // A transaction that the dump thread skips counts as acknowledged: the replica has it.
            self.acknowledge(source, replica, next);
        }
        self.send_to_replicas(source);
    }

    /// Every dump thread of this server sends what is new in its binlog.
    pub(crate) fn send_to_replicas(&mut self, at: usize) {
        if !self.nodes[at].mysqld.works() {
            return;
        }
        let now = self.now;
        let mut skipped = Vec::new();
        let mut arrivals = Vec::new();
        for (id, link) in self.links.iter_mut() {
            if link.source != at || !link.source_open || !link.began {
                continue;
            }
            let log = &self.nodes[at].mysqld.binlog;
            while let Some(tx) = log.get(link.next) {
                link.next += 1;
                if link.had.contains(&tx.gtid) {
                    skipped.push((link.replica, link.semi_sync, link.next));
                    continue;
                }
                let way = self.network.server_delay(&mut self.rng);
                let last = link.down.back().map_or(0, |(arrival, ..)| *arrival);
                let arrival = (now + way).max(last);
                link.down.push_back((arrival, link.next - 1, *tx));
                arrivals.push((arrival, *id));
            }
        }
        for (arrival, link) in arrivals {
            self.queue.plan(arrival, Happening::Down { link });
        }
        for (replica, semi_sync, until) in skipped {
            if semi_sync {
                self.acknowledge(at, replica, until);
            }
        }
    }

    /// Something arrives at the replica's end.
    pub(crate) fn on_down(&mut self, id: u64) {
        loop {
            let Some(link) = self.links.get(&id) else { return };
            let (source, replica) = (link.source, link.replica);
            let Some((arrival, index, tx)) = link.down.front().copied() else { break };
            if arrival > self.now {
                return;
            }
            if !self.path_is_open(source, replica) {
                return self.blocked(id);
            }
            if !link.replica_open {
                // Nobody listens there any more: the source is told when it sends.
                if let Some(link) = self.links.get_mut(&id) {
                    link.down.clear();
                }
                self.close_at_source(id);
                return;
            }
            let server = &self.nodes[replica].mysqld;
            if !server.works() || server.disk_full {
                return self.plan(RETRY, Happening::Down { link: id });
            }
            let Some(link) = self.links.get_mut(&id) else { return };
            link.down.pop_front();
            link.blocked_since = None;
            let semi_sync = link.semi_sync;
            self.receive(replica, tx);
            if semi_sync && !self.network.loses_ack(&mut self.rng) {
                let way = self.network.server_delay(&mut self.rng);
                let Some(link) = self.links.get_mut(&id) else { return };
                let last = link.up.back().map_or(0, |(arrival, _)| *arrival);
                let arrival = (self.now + way).max(last);
                link.up.push_back((arrival, index + 1));
                self.queue.plan(arrival, Happening::Acknowledged { link: id });
            }
        }
        let Some(link) = self.links.get(&id) else { return };
        if !link.source_open && link.replica_open {
            if !self.path_is_open(link.source, link.replica) {
                return self.blocked(id);
            }
            let replica = link.replica;
            if !self.nodes[replica].mysqld.works() {
                return self.plan(RETRY, Happening::Down { link: id });
            }
            self.close_at_replica(id);
            self.receiver_lost(replica);
        }
    }

    /// An acknowledgement arrives at the source's end; also after the replica has closed its own.
    pub(crate) fn on_acknowledged(&mut self, id: u64) {
        loop {
            let Some(link) = self.links.get_mut(&id) else { return };
            let (source, replica) = (link.source, link.replica);
            let Some((arrival, until)) = link.up.front().copied() else { break };
            if arrival > self.now {
                return;
            }
            if !link.source_open {
                link.up.clear();
                break;
            }
            if !self.path_is_open(replica, source) || !self.nodes[source].mysqld.works() {
                return self.plan(RETRY, Happening::Acknowledged { link: id });
            }
            if let Some(link) = self.links.get_mut(&id) {
                link.up.pop_front();
            }
            self.acknowledge(source, replica, until);
        }
        self.forget_closed(id);
    }

    fn acknowledge(&mut self, source: usize, replica: usize, until: usize) {
        let server = &mut self.nodes[source].mysqld;
        let acknowledged = server.acknowledged.entry(replica).or_default();
        if until > *acknowledged {
            *acknowledged = until;
        }
        if server.gave_up_waiting && until == server.binlog.len() {
            // A replica has caught up: it waits again.
            server.gave_up_waiting = false;
            self.count_clients(source);
        }
        self.release(source);
    }

    /// With `wait_no_replica` off, too few connected replicas mean that commits go on without.
    pub(crate) fn count_clients(&mut self, at: usize) {
        if !self.nodes[at].mysqld.soft || !self.nodes[at].mysqld.source_on {
            return;
        }
        let too_few = self.semi_sync_clients(at) < self.nodes[at].mysqld.wait_for;
        if too_few && !self.nodes[at].mysqld.gave_up_waiting {
            self.nodes[at].mysqld.gave_up_waiting = true;
            self.tell(at, "mysqld", || "commits go on without a replica".to_owned());
            self.release(at);
        }
    }

    /// Something waits for a path: after a while the replica gives up.
    fn blocked(&mut self, id: u64) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let since = *link.blocked_since.get_or_insert(now);
        let replica = link.replica;
        if now - since < link.patience {
            return self.plan(RETRY, Happening::Down { link: id });
        }
        let is_open = link.replica_open;
        if is_open && !self.nodes[replica].mysqld.works() {
            // It notices when it goes on.
            return self.plan(RETRY, Happening::Down { link: id });
        }
        self.close_at_replica(id);
        if is_open {
            self.receiver_lost(replica);
        }
    }

    /// The source's end is gone: the replica notices when it hears of it.
    pub(crate) fn close_at_source(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let source = link.source;
        link.source_open = false;
        link.up.clear();
        self.count_clients(source);
        let way = self.network.server_delay(&mut self.rng);
        self.plan(way, Happening::Down { link: id });
        self.forget_closed(id);
    }

    /// The replica's end is gone: the source notices when it sends, and what was acknowledged still arrives.
    pub(crate) fn close_at_replica(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.replica_open = false;
        link.down.clear();
        self.forget_closed(id);
    }

    fn forget_closed(&mut self, id: u64) {
        let gone =
            |link: &Link| !link.replica_open && (!link.source_open || !link.began && link.up.is_empty());
        if self.links.get(&id).is_some_and(gone) {
            self.links.remove(&id);
        }
    }

    /// The process of `at` is gone, and with it its ends of all connections.
    pub(crate) fn close_all_of(&mut self, at: usize) {
        let ids: Vec<(u64, bool)> = self
            .links
            .iter()
            .filter(|(_, link)| link.source == at || link.replica == at)
            .map(|(id, link)| (*id, link.source == at))
            .collect();
        for (id, is_source) in ids {
            if is_source { self.close_at_source(id) } else { self.close_at_replica(id) }
        }
    }

    /// Replicas that acknowledge to this server, as it counts them.
    pub(crate) fn semi_sync_clients(&self, at: usize) -> u32 {
        let counts = |link: &&Link| link.source == at && link.source_open && link.began && link.semi_sync;
        u32::try_from(self.links.values().filter(counts).count()).unwrap_or(u32::MAX)
    }

    fn path_is_open(&self, from: usize, to: usize) -> bool {
        self.nodes[from].host_up && self.nodes[to].host_up && !self.network.servers_cut(from, to)
    }
}
