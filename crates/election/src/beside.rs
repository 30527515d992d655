//! What a leader knows of the others that tells something about its own server (L6).

use crate::core::{Election, Role};
use xenon_gtid::GtidSet;

impl Election {
    /// Another voter is heard and may stand, so leadership can be given away (T2).
    pub fn has_successor(&self) -> bool {
        matches!(&self.role, Role::Leader(leader) if self.fit_peers(leader).next().is_some())
    }

    /// What as many other voters report to have as commits wait for (L4): nothing of it should wait any more. Empty when this
    /// node does not lead.
    pub fn held_by_enough(&self) -> GtidSet {
        let (Role::Leader(leader), Some(config)) = (&self.role, self.config()) else { return GtidSet::new() };
        let needed = self.wait(leader, config).acknowledgements as usize;
        // held[n]: what at least n + 1 of those looked at until now have.
        let mut held = vec![GtidSet::new(); needed];
        let voters = leader.peers.iter().filter(|(id, _)| config.is_voter(id) && leader.hears(id));
        for position in voters.filter_map(|(_, peer)| peer.report.position.as_ref()) {
            for n in (0..needed).rev() {
                let with_this = match n.checked_sub(1).and_then(|before| held.get(before)) {
                    Some(before) => before.intersect(&position.data),
                    None => position.data.clone(),
                };
                if let Some(held) = held.get_mut(n) {
                    held.union_with(&with_this);
                }
            }
        }
        held.pop().unwrap_or_default()
    }
}
