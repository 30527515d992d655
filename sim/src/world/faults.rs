//! What each fault does when it begins, and when it ends.

use super::World;
use super::queue::{Happening, MS, SECOND, Us};
use crate::mysqld::Process;
use crate::schedule::{Fault, Traffic};

/// After a disturbance an agent needs so long to come to itself.
const COMES_TO_ITSELF: Us = 3 * SECOND;

impl Traffic {
    fn agents(self) -> bool {
        matches!(self, Traffic::Agents | Traffic::All)
    }

    fn servers(self) -> bool {
        matches!(self, Traffic::Servers | Traffic::All)
    }
}

impl World {
    pub(crate) fn begin_fault(&mut self, index: usize) {
        let Some(fault) = self.schedule.entries.get(index).map(|entry| entry.fault) else { return };
        if self.healed.is_some() || !self.is_about_these_nodes(fault) {
            return;
        }
        self.log.tell(self.now, "-", "fault", || fault.to_string());
        use Fault as F;
        match fault {
            F::AgentKill { node, for_ms } => {
                self.disturb(node, for_ms);
                self.kill_agent(node, for_ms);
            }
            F::AgentKillAtSave { node, landed, for_ms } => {
                self.nodes[node].kill_at_save = Some((landed, for_ms));
            }
            F::AgentHang { node, for_ms } => {
                self.disturb(node, for_ms);
                self.hang_agent(node, true);
            }
            F::ServerKill { node } => self.end_server(node, "killed"),
            F::ServerHang { node, .. } => self.hang_server(node),
            F::ServerStop { node } => self.shut_server_down(node),
            F::ServerSlow { node, for_ms } => {
                self.disturb(node, for_ms);
                self.nodes[node].mysqld.slow = true;
            }
            F::ApplierSlow { node, .. } => self.nodes[node].mysqld.applier_slow = true,
            F::PowerLoss { node, for_ms } => {
                self.disturb(node, for_ms);
                self.cut_power(node);
            }
            F::Cut { from, to, traffic, .. } => {
                self.network.cut(from, to, traffic.agents(), traffic.servers());
            }
            F::Split { group, traffic, .. } => self.split(group, traffic, true),
            F::Loss { percent, .. } => self.network.loss_percent = percent,
            F::Delay { up_to_ms, .. } => self.network.agent_delay = up_to_ms * MS,
            F::Lag { up_to_ms, .. } => self.network.server_delay = up_to_ms * MS,
            F::Repeat { percent, .. } => self.network.repeat_percent = percent,
            F::LostAcks { percent, .. } => self.network.lost_acks_percent = percent,
            F::SavesFail { node, for_ms } => {
                self.disturb(node, for_ms);
                self.nodes[node].saves.fail = true;
            }
            F::SavesStall { node, for_ms } => {
                self.disturb(node, for_ms);
                self.nodes[node].saves.stall = true;
            }
            F::DiskFull { node, .. } => self.nodes[node].mysqld.disk_full = true,
            F::DropRelayLogs { node } => self.drop_relay_logs(node),
            F::LeaderLost => {
                if let Some(leader) = self.leader() {
                    self.cut_power(leader);
                }
            }
            F::Pause { .. } => self.ask_pause(true),
            F::Prefer { node, priority } => self.ask_prefer(node, priority),
            F::HandOver { target } => self.ask_handover(target),
            F::Add { node } => self.ask_add(node),
            F::Remove { node } => self.ask_remove(node),
            F::Disable { node, .. } => self.ask_disable(node, true),
        }
    }

    pub(crate) fn end_fault(&mut self, index: usize) {
        let Some(fault) = self.schedule.entries.get(index).map(|entry| entry.fault) else { return };
        if self.healed.is_some() || !self.is_about_these_nodes(fault) {
            return;
        }
        self.log.tell(self.now, "-", "over", || fault.to_string());
        use Fault as F;
        match fault {
            F::AgentHang { node, .. } => self.hang_agent(node, false),
            F::ServerHang { node, .. } => self.continue_server(node),
            F::ServerSlow { node, .. } => self.nodes[node].mysqld.slow = false,
            F::ApplierSlow { node, .. } => self.nodes[node].mysqld.applier_slow = false,
            F::PowerLoss { node, .. } => self.restore_power(node),
            F::Cut { from, to, traffic, .. } => {
                self.network.join(from, to, traffic.agents(), traffic.servers());
            }
            F::Split { group, traffic, .. } => self.split(group, traffic, false),
            F::Loss { .. } => self.network.loss_percent = 0,
            F::Delay { .. } => self.network.agent_delay = 0,
            F::Lag { .. } => self.network.server_delay = 0,
            F::Repeat { .. } => self.network.repeat_percent = 0,
            F::LostAcks { .. } => self.network.lost_acks_percent = 0,
            F::SavesFail { node, .. } => self.nodes[node].saves.fail = false,
            F::SavesStall { node, .. } => self.nodes[node].saves.stall = false,
            F::DiskFull { node, .. } => self.fill_disk(node, false),
            F::Pause { .. } => self.ask_pause(false),
            F::Disable { node, .. } => self.ask_disable(node, false),
            _ => {}
        }
    }

    /// A schedule that was shortened, or written by hand, may name nodes that are not there.
    fn is_about_these_nodes(&self, fault: Fault) -> bool {
        use Fault as F;
        let count = self.nodes.len();
        match fault {
            F::Cut { from, to, .. } => from < count && to < count && from != to,
            F::HandOver { target } => target.is_none_or(|node| node < count),
            F::AgentKill { node, .. }
            | F::AgentKillAtSave { node, .. }
            | F::AgentHang { node, .. }
            | F::ServerKill { node }
            | F::ServerHang { node, .. }
            | F::ServerStop { node }
            | F::ServerSlow { node, .. }
            | F::ApplierSlow { node, .. }
            | F::PowerLoss { node, .. }
            | F::SavesFail { node, .. }
            | F::SavesStall { node, .. }
            | F::DiskFull { node, .. }
            | F::DropRelayLogs { node }
            | F::Prefer { node, .. }
            | F::Add { node }
            | F::Remove { node }
            | F::Disable { node, .. } => node < count,
            _ => true,
        }
    }

    pub(crate) fn disturb(&mut self, at: usize, for_ms: u64) {
        let until = self.now + for_ms * MS + COMES_TO_ITSELF;
        let node = &mut self.nodes[at];
        node.disturbed_until = node.disturbed_until.max(until);
    }

    fn split(&mut self, group: u32, traffic: Traffic, cut: bool) {
        let count = self.nodes.len();
        let inside = |node: usize| node < 32 && group & (1 << node) != 0;
        for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
            if inside(from) == inside(to) {
                continue;
            }
            if cut {
                self.network.cut(from, to, traffic.agents(), traffic.servers());
            } else {
                self.network.join(from, to, traffic.agents(), traffic.servers());
            }
        }
    }

    fn fill_disk(&mut self, at: usize, full: bool) {
        self.nodes[at].mysqld.disk_full = full;
        self.wake_worker(at);
    }

    fn cut_power(&mut self, at: usize) {
        if !self.nodes[at].host_up {
            return;
        }
        self.tell(at, "host", || "loses power".to_owned());
        self.drop_agent(at);
        self.lose_power(at);
    }

    fn restore_power(&mut self, at: usize) {
        if self.nodes[at].host_up {
            return;
        }
        self.nodes[at].host_up = true;
        self.tell(at, "host", || "has power again".to_owned());
        let boots = self.rng.between(200 * MS, 2 * SECOND);
        self.plan(boots, Happening::AgentStarts { at });
    }

    /// Every fault ends; what hung goes on, what was off is switched on.
    pub(crate) fn heal(&mut self) {
        self.healed = Some(self.now);
        self.log.tell(self.now, "-", "heal", || "every fault ends".to_owned());
        self.network.heal();
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            node.saves = super::Saves::default();
            node.kill_at_save = None;
            node.mysqld.slow = false;
            node.mysqld.applier_slow = false;
            self.fill_disk(at, false);
            self.continue_server(at);
            self.hang_agent(at, false);
            self.restore_power(at);
            self.ask_disable(at, false);
            self.reset_back_off(at);
        }
        self.ask_pause(false);
        self.plan(SECOND, Happening::Inspect);
    }

    /// An operator starts what is down (xenoncli mysql start).
    fn reset_back_off(&mut self, at: usize) {
        let now = self.now;
        let is_down = self.nodes[at].mysqld.process == Process::Down;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.exits = 0;
        if is_down && agent.local.start_at.is_some_and(|start| start > now) {
            agent.local.start_at = Some(now);
            agent.replan = true;
            let number = agent.number;
            self.plan(0, Happening::AgentWakes { at, agent: number });
        }
    }
}
