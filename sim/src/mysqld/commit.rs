//! Writing: binlog first, then the wait for acknowledgements, then the engine and the client (AFTER_SYNC).

use super::{Closing, Process, Tx, Waiter, Waiting};
use crate::world::World;
use xenon_gtid::Gtid;

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// In the binlog; its waiter is told.
    UnderWay,
    /// The server is read-only or not there.
    Refused,
    /// It hangs somewhere: nothing is heard.
    Silence,
}

impl World {
    /// A client's transaction.
    pub(crate) fn write(&mut self, at: usize, client: usize, turn: u64) -> Write {
        let server = &self.nodes[at].mysqld;
        match server.process {
            Process::Running => {}
            _ => return Write::Refused,
        }
        if server.hung || server.disk_full || server.closing != Closing::No {
            return Write::Silence;
        }
        if server.read_only || server.super_read_only || server.offline {
            return Write::Refused;
        }
        let gtid = server.next_gtid();
        let term = server.term;
        self.contents += 1;
        let tx = Tx { gtid, content: self.contents, term };
        self.check_open(at);
        self.append(at, tx, Waiter::Client { client, turn });
        Write::UnderWay
    }

    /// A transaction goes into the binlog and is synced there; from now on it survives a crash.
    pub(crate) fn append(&mut self, at: usize, tx: Tx, waiter: Waiter) {
        self.history.check_identity(at, &tx);
        let server = &mut self.nodes[at].mysqld;
        server.binlog.push(tx);
        server.in_binlog.insert(tx.gtid);
        server.waiting.push_back(Waiting { index: server.binlog.len() - 1, waiter });
        self.send_to_replicas(at);
        self.release(at);
    }

    /// Commits what need not wait any longer, in the order of the binlog.
    pub(crate) fn release(&mut self, at: usize) {
        if !self.nodes[at].mysqld.works() {
            return;
        }
        let until = self.nodes[at].mysqld.releasable();
        self.commit_until(at, until);
    }

    /// Commits so much of the binlog, and tells those who wait.
    pub(crate) fn commit_until(&mut self, at: usize, until: usize) {
        let mut any = false;
        while self.nodes[at].mysqld.committed < until {
            any = true;
            let server = &mut self.nodes[at].mysqld;
            let tx = server.binlog[server.committed];
            server.committed += 1;
            server.executed.insert(tx.gtid);
            let index = server.committed - 1;
            let Some(waiting) = server.waiting.front().copied().filter(|w| w.index == index) else {
                continue;
            };
            server.waiting.pop_front();
            match waiting.waiter {
                Waiter::Client { client, turn } => self.told_ok(at, client, turn, &tx),
                Waiter::Applier => self.applied(at),
                Waiter::Nobody | Waiter::Marker => {}
            }
        }
        if any {
            self.close_if_drained(at);
            self.wake_worker(at);
        }
    }

    /// A SET super_read_only that has waited for commits comes into force.
    pub(crate) fn close_if_drained(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if server.closing != Closing::No && !server.has_commits_under_way() {
            server.read_only = true;
            server.super_read_only = true;
            server.closing = Closing::No;
        }
    }

    /// KILL of all application sessions: their commits go on (D2).
    pub(crate) fn kill_sessions(&mut self, at: usize) {
        let mut lost = Vec::new();
        for waiting in &mut self.nodes[at].mysqld.waiting {
            if let Waiter::Client { client, turn } = waiting.waiter {
                lost.push((client, turn));
                waiting.waiter = Waiter::Nobody;
            }
        }
        for (client, turn) in lost {
            self.client_lost(client, turn);
        }
    }
}

impl super::Mysqld {
    /// GTID_NEXT=AUTOMATIC: the least number that nobody has.
    fn next_gtid(&self) -> Gtid {
        let first = self.in_binlog.intervals().find(|interval| interval.uuid == self.uuid);
        let number = first.filter(|interval| interval.first == 1).map_or(1, |interval| interval.last + 1);
        Gtid::untagged(self.uuid, number)
    }

    /// How much of the binlog need not wait: what W replicas have acknowledged, or all of it with semi-sync off.
    fn releasable(&self) -> usize {
        if !self.source_on || self.gave_up_waiting {
            return self.binlog.len();
        }
        let mut acknowledged: Vec<usize> = self.acknowledged.values().copied().collect();
        acknowledged.sort_unstable_by(|a, b| b.cmp(a));
        let wanted = (self.wait_for.max(1) - 1) as usize;
        acknowledged.get(wanted).copied().unwrap_or(0).min(self.binlog.len())
    }
}
