//! I7: a config with an acknowledged successor never wins an election.

use crate::schedule::text::node_of;
use crate::world::World;
use xenon_election::{ConfigId, NodeId, State};

impl World {
    /// C1: a majority has this config on disk, in the term of the leader that made it. Looked at after every save.
    pub(crate) fn note_settled(&mut self) {
        let mut newest = self.history.settled;
        for node in &self.nodes {
            let Some(agent) = node.agent.as_ref().filter(|agent| agent.core.state() == State::Leader) else {
                continue;
            };
            let Some(record) = &node.record else { continue };
            let Some(config) = record.config.as_ref().filter(|config| config.id > newest) else { continue };
            if agent.core.record().config.as_ref() != Some(config) {
                continue;
            }
            let has = |id: &NodeId| {
                let voter = node_of(id.as_str()).and_then(|at| self.nodes.get(at));
                voter.and_then(|voter| voter.record.as_ref()).is_some_and(|theirs| {
                    theirs.term == record.term
                        && theirs.config.as_ref().map(|config| config.id) == Some(config.id)
                })
            };
            if config.voters().filter(|id| has(id)).count() >= config.majority() {
                newest = newest.max(config.id);
            }
        }
        self.history.settled = newest;
    }

    /// The winner's config before it stamps its own term on it has an id of an older term.
    pub(super) fn check_config_of_winner(&mut self, at: usize) {
        let settled = self.history.settled;
        let Some(agent) = self.nodes[at].agent.as_ref() else { return };
        let term = agent.core.record().term;
        // The stamp (C2) changes the config's term only; the version tells which one it was.
        let Some(config) = agent.core.record().config.as_ref().map(|config| config.id) else { return };
        let before = self.nodes[at].record.as_ref().and_then(|record| record.config.as_ref());
        let before = before.map_or(ConfigId::default(), |config| config.id);
        // A leader elected late in an older term has no one left to follow it.
        if before < settled && config.version <= settled.version && term > settled.term {
            let id = &self.nodes[at].id;
            let sentence =
                format!("{id} wins term {term} with config {before}, though {settled} had settled");
            self.history.broken("I7", sentence);
        }
    }
}
