//! I5: the address is held by at most one node that may write.
//!
//! A node whose agent is dead, stopped, or waits for its disk cannot be closed by it, whatever the protocol says; so the
//! one that should have let go is to blame only when its agent was undisturbed, and had a second to carry it out.

use crate::world::World;
use crate::world::queue::{SECOND, Us};

/// As long as closing may take.
const GRACE: Us = SECOND;

impl World {
    /// Looked at whenever a client writes.
    pub(crate) fn check_address(&mut self) {
        let may_write = |at: &usize| {
            let node = &self.nodes[*at];
            node.address_held && node.host_up && node.mysqld.takes_writes() && node.mysqld.answers()
        };
        let holders: Vec<usize> = (0..self.nodes.len()).filter(may_write).collect();
        if holders.len() < 2 {
            self.history.two_holders = None;
            return;
        }
        let since = *self.history.two_holders.get_or_insert(self.now);
        let Some(older) = holders.iter().copied().min_by_key(|at| self.nodes[*at].mysqld.term) else {
            return;
        };
        let node = &self.nodes[older];
        let to_blame = node.agent.as_ref().is_some_and(|agent| !agent.hung)
            && self.now > node.disturbed_until
            && self.now - since > GRACE;
        if to_blame {
            let ids: Vec<_> = holders.iter().map(|at| self.nodes[*at].id.to_string()).collect();
            let sentence = format!(
                "{} hold the address and may write, for {} ms; {} should have let go",
                ids.join(" and "),
                (self.now - since) / 1000,
                node.id
            );
            self.history.broken("I5", sentence);
        }
    }
}
