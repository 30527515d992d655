//! Starting, dying, hanging.

use super::{Closing, Process, Waiter};
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND};
use xenon_plan::observation::ReceiverState;

impl World {
    /// The program is run: read-only, replication not started (L5).
    pub(crate) fn start_server(&mut self, at: usize) -> Option<u64> {
        let node = &mut self.nodes[at];
        if !node.host_up || node.witness || node.mysqld.process != Process::Down {
            return None;
        }
        let server = &mut node.mysqld;
        server.process = Process::Starting;
        server.number += 1;
        server.hung = false;
        server.relay_log_recovery = std::mem::take(&mut server.starts_with_recovery);
        if server.relay_log_recovery {
            let lost: Vec<_> = server.relay.drain(..).collect();
            server.forget_received(&lost);
        }
        let process = server.number;
        let recovery = self.rng.between(SECOND, 3 * SECOND);
        self.plan(recovery, Happening::Up { at, process });
        self.tell(at, "mysqld", || "starts".to_owned());
        Some(process)
    }

    /// Recovery is through: what the binlog ends with is committed, acknowledged or not.
    pub(crate) fn on_up(&mut self, at: usize, process: u64) {
        let server = &mut self.nodes[at].mysqld;
        if server.number != process || server.process != Process::Starting {
            return;
        }
        if server.hung {
            return self.plan(100 * MS, Happening::Up { at, process });
        }
        server.process = Process::Running;
        server.committed = server.binlog.len();
        server.executed = server.in_binlog.clone();
        server.read_only = true;
        server.super_read_only = true;
        server.source_on = false;
        server.soft = false;
        server.gave_up_waiting = false;
        server.offline = false;
        server.source_is_set_up = false;
        server.wait_for = 1;
        server.acknowledged.clear();
        server.replica_on = false;
        self.tell(at, "mysqld", || "answers".to_owned());
        self.wake_worker(at);
    }

    /// The process ends at once, however it does. Waiting commits stay in the binlog.
    pub(crate) fn end_server(&mut self, at: usize, why: &str) {
        let server = &mut self.nodes[at].mysqld;
        if server.process == Process::Down {
            return;
        }
        server.process = Process::Down;
        server.number += 1;
        server.hung = false;
        server.closing = Closing::No;
        let waiting = std::mem::take(&mut server.waiting);
        server.receiver = ReceiverState::Stopped;
        server.receiver_number += 1;
        server.receiver_link = None;
        server.receiver_error = "";
        server.replica_operational = false;
        server.applier = false;
        server.applying = false;
        // Nobody looks at it before it starts; then this is what the binlog says.
        server.committed = server.binlog.len();
        server.executed = server.in_binlog.clone();
        self.tell(at, "mysqld", || format!("is gone: {why}; {} commits waited", waiting.len()));
        self.close_all_of(at);
        for waiting in waiting {
            if let Waiter::Client { client, turn } = waiting.waiter {
                self.client_lost(client, turn);
            }
        }
        self.wake_worker(at);
        self.agent_sees_exit(at);
    }

    /// SIGSTOP.
    pub(crate) fn hang_server(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if server.process != Process::Down && !server.hung {
            server.hung = true;
            self.tell(at, "mysqld", || "hangs".to_owned());
        }
    }

    /// SIGCONT: all that has piled up goes on.
    pub(crate) fn continue_server(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if !server.hung {
            return;
        }
        server.hung = false;
        self.tell(at, "mysqld", || "goes on".to_owned());
        self.run_orphans(at);
        self.send_to_replicas(at);
        self.release(at);
        self.go_on_applying(at);
        self.wake_worker(at);
    }

    /// SIGTERM by somebody who does not ask the agent.
    pub(crate) fn shut_server_down(&mut self, at: usize) {
        let server = &mut self.nodes[at].mysqld;
        if server.process != Process::Running {
            return;
        }
        server.process = Process::Ending;
        let process = server.number;
        self.tell(at, "mysqld", || "begins to shut down in order".to_owned());
        // Sessions end first of all, and the agent's own, which only watches, is one of them.
        self.agent_sees_shutdown(at);
        let (release, end) = (self.rng.between(20 * MS, 800 * MS), self.rng.between(900 * MS, 2 * SECOND));
        self.plan(release, Happening::ShutdownReleases { at, process });
        self.plan(end, Happening::ShutdownEnds { at, process });
    }

    /// Seen on 9.7.4: waiting commits are told OK when too few replicas are connected.
    pub(crate) fn on_shutdown_releases(&mut self, at: usize, process: u64) {
        let server = &self.nodes[at].mysqld;
        if server.number != process || server.process != Process::Ending {
            return;
        }
        if server.hung {
            return self.plan(20 * MS, Happening::ShutdownReleases { at, process });
        }
        let too_few = self.semi_sync_clients(at) < self.nodes[at].mysqld.wait_for;
        if too_few || !self.nodes[at].mysqld.source_on {
            // Decision 6: what an agent that is not there cannot prevent is not held against the protocol.
            self.history.forced_shutdown = true;
            let until = self.nodes[at].mysqld.binlog.len();
            self.commit_until(at, until);
            self.history.forced_shutdown = false;
        }
        self.kill_sessions(at);
    }

    pub(crate) fn on_shutdown_ends(&mut self, at: usize, process: u64) {
        let server = &self.nodes[at].mysqld;
        if server.number != process {
            return;
        }
        if server.hung {
            return self.plan(20 * MS, Happening::ShutdownEnds { at, process });
        }
        self.end_server(at, "shut down in order");
    }

    /// Somebody's option file has relay_log_recovery=ON, and mysqld is started past the agent.
    pub(crate) fn drop_relay_logs(&mut self, at: usize) {
        if self.nodes[at].host_up {
            self.end_server(at, "killed");
            self.nodes[at].mysqld.starts_with_recovery = true;
            self.start_server(at);
        }
    }

    /// The host loses power: the binlog is synced at every commit, the relay log is not.
    pub(crate) fn lose_power(&mut self, at: usize) {
        self.end_server(at, "power loss");
        self.nodes[at].host_up = false;
        self.nodes[at].boot += 1;
        self.nodes[at].address_held = false;
        if self.nodes[at].synced {
            return;
        }
        let server = &mut self.nodes[at].mysqld;
        let kept = self.rng.index(server.relay.len() + 1);
        let lost: Vec<_> = server.relay.drain(kept..).collect();
        server.forget_received(&lost);
        self.tell(at, "host", || format!("lost {} events of its relay log", lost.len()));
    }
}

impl super::Mysqld {
    /// These were in the relay log, and are there no more.
    fn forget_received(&mut self, lost: &[super::Tx]) {
        let lost = lost.iter().map(|tx| tx.gtid).filter(|gtid| !self.in_binlog.contains(gtid)).collect();
        self.retrieved = self.retrieved.subtract(&lost);
    }
}
