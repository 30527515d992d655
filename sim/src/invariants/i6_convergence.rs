//! I6: after faults heal, one leader serves within a bounded time, and every node that is not INVALID follows it and
//! has everything.

use crate::agent::Agent;
use crate::mysqld::Process;
use crate::world::queue::{Happening, MS, SECOND, Us};
use crate::world::{Node, World};
use xenon_election::{Directive, State};
use xenon_plan::observation::ReceiverState;

/// The bound.
const BOUND: Us = 180 * SECOND;
/// An operator has INVALID nodes rebuilt after so long: until then nobody but them might be left to acknowledge.
const REBUILD_AFTER: Us = 15 * SECOND;
const AGAIN: Us = 250 * MS;

impl World {
    pub(crate) fn inspect(&mut self) {
        let Some(healed) = self.healed else { return };
        let lacking = self.lacking();
        match lacking {
            None if self.now > healed + 3 * SECOND => {
                self.settled = Some(self.now);
                return self.tell(0, "settled", || "all is well".to_owned());
            }
            Some(_) if self.now > healed + BOUND && self.waits_for_a_judge() => {
                self.settled = Some(self.now);
                self.judged = true;
                return self.tell(0, "settled", || "an operator must judge an INVALID node".to_owned());
            }
            Some(what) if self.now > healed + BOUND => {
                let sentence = format!("{} s after everything healed {what}", BOUND / SECOND);
                return self.history.broken("I6", sentence);
            }
            _ => {}
        }
        if self.now > healed + REBUILD_AFTER {
            self.rebuild_invalid();
            if self.is_paused() {
                self.ask_pause(false);
            }
            self.ask_the_stopped();
        }
        self.plan(AGAIN, Happening::Inspect);
    }

    /// Only an INVALID node has something that was acknowledged: nobody may lead without it, and it may not lead. What
    /// becomes of its stray transactions is for an operator to say (or for W1, once it is there).
    fn waits_for_a_judge(&self) -> bool {
        let acknowledged = self.history.all_acknowledged();
        let invalid = |node: &&Node| node.agent.as_ref().is_some_and(is_invalid);
        let has_all = |node: &Node| node.mysqld.on_disk().contains_set(&acknowledged);
        self.leader().is_none()
            && self.nodes.iter().filter(invalid).any(has_all)
            && !self.nodes.iter().filter(|node| !invalid(node)).any(has_all)
    }

    /// Whoever could not be switched on again when everything healed, because it could not save.
    fn ask_the_stopped(&mut self) {
        for at in 0..self.nodes.len() {
            let stopped = |agent: &Agent| *agent.core.directive() == Directive::Stopped;
            if self.nodes[at].agent.as_ref().is_some_and(stopped) {
                self.ask_disable(at, false);
            }
        }
    }

    fn is_paused(&self) -> bool {
        let agents = self.nodes.iter().filter_map(|node| node.agent.as_ref());
        agents.filter_map(|agent| agent.core.record().config.as_ref()).any(|config| config.paused)
    }

    /// What is not yet as it should be.
    fn lacking(&self) -> Option<String> {
        let Some(leader) = self.leader() else { return Some("nobody leads".to_owned()) };
        let node = &self.nodes[leader];
        let core = &node.agent.as_ref()?.core;
        if !core.is_open_leader() {
            return Some(format!("{} leads and its term's marker is not acknowledged", node.id));
        }
        if !node.mysqld.takes_writes() {
            return Some(format!("{} leads and lets nobody write: {}", node.id, node.mysqld.why_closed()));
        }
        if !node.address_held {
            return Some(format!("{} leads and does not hold the address", node.id));
        }
        let acknowledged = self.history.all_acknowledged();
        if !node.mysqld.executed.contains_set(&acknowledged) {
            let lost = acknowledged.subtract(&node.mysqld.executed);
            return Some(format!("{} leads without {lost}, which was acknowledged", node.id));
        }
        let config = core.record().config.as_ref()?;
        (0..self.nodes.len())
            .filter(|at| *at != leader && config.members.contains_key(&self.nodes[*at].id))
            .find_map(|at| self.not_following(at, leader))
    }

    fn not_following(&self, at: usize, leader: usize) -> Option<String> {
        let (node, source) = (&self.nodes[at], &self.nodes[leader]);
        let Some(agent) = &node.agent else { return Some(format!("{}'s agent does not run", node.id)) };
        if is_invalid(agent) {
            return None;
        }
        if node.witness {
            let heard = agent.core.leader() == Some(&source.id);
            return (!heard).then(|| format!("{} does not hear {}", node.id, source.id));
        }
        let follows =
            matches!(agent.core.directive(), Directive::Follow { leader, .. } if *leader == source.id);
        let server = &node.mysqld;
        let receives = server.process == Process::Running
            && server.receiver == ReceiverState::Running
            && server.channel.as_ref().is_some_and(|channel| channel.source.host == source.id.as_str());
        if !follows || !receives {
            let directive = agent.core.directive();
            return Some(format!("{} does not follow {}: it has {directive:?}", node.id, source.id));
        }
        if !server.executed.contains_set(&source.mysqld.executed) {
            let behind = source.mysqld.executed.subtract(&server.executed);
            return Some(format!("{} lacks {behind} of its leader {}", node.id, source.id));
        }
        if server.takes_writes() || node.address_held {
            return Some(format!("{} follows and is open, or holds the address", node.id));
        }
        None
    }

    /// A backup of the leader takes the place of what an INVALID node has.
    fn rebuild_invalid(&mut self) {
        let invalid = |at: &usize| self.nodes[*at].agent.as_ref().is_some_and(is_invalid);
        let invalid: Vec<usize> = (0..self.nodes.len()).filter(invalid).collect();
        // Only from a leader: it has all there is (I2), whoever else is taken for a source may not.
        let Some(donor) = self.leader() else { return };
        for at in invalid.into_iter().filter(|at| *at != donor) {
            let errant = {
                let agent = self.nodes[at].agent.as_ref();
                agent.map(|agent| agent.core.record().errant.clone()).unwrap_or_default()
            };
            // Its agent finds out by itself that a backup without them has taken their place.
            if self.nodes[at].mysqld.in_binlog.intersects(&errant) {
                self.rebuild(at, donor);
            }
        }
    }

    fn rebuild(&mut self, at: usize, donor: usize) {
        if self.nodes[donor].mysqld.process != Process::Running {
            return;
        }
        self.tell(at, "operator", || "rebuilds it from a backup".to_owned());
        self.end_server(at, "to be rebuilt");
        let (binlog, executed) = {
            let donor = &self.nodes[donor].mysqld;
            (donor.binlog[..donor.committed].to_vec(), donor.executed.clone())
        };
        let server = &mut self.nodes[at].mysqld;
        // A new server_uuid: its numbers must never be used twice (I4).
        server.uuid.0[1] += 1;
        server.committed = binlog.len();
        server.binlog = binlog;
        server.in_binlog = executed.clone();
        server.executed = executed;
        server.relay.clear();
        server.retrieved = Default::default();
        server.channel = None;
        server.term = 0;
        if let Some(agent) = self.nodes[at].agent.as_mut() {
            agent.local.exits = 0;
        }
    }
}

/// A learner is shown as LEARNER, errant or not.
fn is_invalid(agent: &Agent) -> bool {
    agent.core.state() == State::Invalid || matches!(agent.core.directive(), Directive::Invalid { .. })
}
