//! What operators ask for.

use super::World;
use super::queue::{Happening, MS, SECOND};
use crate::agent::input::Input;
use xenon_election::{NodeId, Request, State};
use xenon_gtid::Uuid;

/// M of every run's cluster.
pub(crate) const MARKERS: Uuid = Uuid([0xcc; 16]);

impl World {
    /// xenoncli cluster add, on the first node. Asked again until it has a config.
    pub(crate) fn form(&mut self) {
        if self.nodes[0].record.as_ref().is_some_and(|record| record.config.is_some()) {
            return;
        }
        self.plan(SECOND, Happening::Form);
        let voters: Vec<NodeId> =
            self.nodes.iter().take(self.schedule.nodes).map(|node| node.id.clone()).collect();
        self.ask(0, Request::Form { cluster: MARKERS, voters, idle: Vec::new() });
    }

    fn ask(&mut self, at: usize, request: Request) {
        self.tell(at, "asked", || format!("{request:?}"));
        self.tell_agent(at, MS, Input::Ask(request));
    }

    /// The node that says that it leads, of the newest term.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leaders = self.nodes.iter().enumerate().filter_map(|(at, node)| {
            let agent = node.agent.as_ref().filter(|agent| agent.core.state() == State::Leader)?;
            Some((agent.core.record().term, at))
        });
        leaders.max().map(|(_, at)| at)
    }

    pub(crate) fn ask_handover(&mut self, target: Option<usize>) {
        let Some(leader) = self.leader() else { return };
        let target = target.map(|target| self.nodes[target].id.clone());
        self.ask(leader, Request::HandOver { target });
    }

    pub(crate) fn ask_add(&mut self, node: usize) {
        let Some(leader) = self.leader() else { return };
        let nodes = vec![self.nodes[node].id.clone()];
        self.ask(leader, Request::Add { nodes, idle: false });
    }

    pub(crate) fn ask_remove(&mut self, node: usize) {
        let Some(leader) = self.leader() else { return };
        let nodes = vec![self.nodes[node].id.clone()];
        self.ask(leader, Request::Remove { nodes });
    }

    /// With nobody to end a pause for all, every node is told that it may stand.
    pub(crate) fn ask_pause(&mut self, pause: bool) {
        match (self.leader(), pause) {
            (Some(leader), true) => self.ask(leader, Request::Pause),
            (Some(leader), false) => self.ask(leader, Request::Resume),
            (None, true) => {}
            (None, false) => (0..self.nodes.len()).for_each(|at| self.ask(at, Request::Resume)),
        }
    }

    pub(crate) fn ask_prefer(&mut self, node: usize, priority: u32) {
        let Some(leader) = self.leader() else { return };
        let node = self.nodes[node].id.clone();
        self.ask(leader, Request::Prefer { node, priority: Some(priority) });
    }

    pub(crate) fn ask_disable(&mut self, node: usize, disable: bool) {
        let request = if disable { Request::Disable } else { Request::Enable };
        self.ask(node, request);
    }
}
