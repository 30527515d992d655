//! I2: a transaction acknowledged to a client in term t is in received() of every leader of a later term, at its
//! election. I3: after a leader of a later term has its marker acknowledged, no client gets an OK from an earlier
//! primary for anything that the later leader lacks.

use crate::mysqld::Tx;
use crate::world::World;
use xenon_election::Term;
use xenon_gtid::GtidSet;

impl super::History {
    pub(crate) fn marker_acknowledged(&mut self, term: Term) {
        self.markers.insert(term);
    }

    /// Everything that was ever acknowledged.
    pub(super) fn all_acknowledged(&self) -> GtidSet {
        let mut all = GtidSet::new();
        self.acknowledged.values().for_each(|set| all.union_with(set));
        all
    }
}

impl World {
    pub(super) fn check_winner_has_all(&mut self, at: usize, term: Term, received: &GtidSet) {
        for (earlier, acknowledged) in self.history.acknowledged.range(..term) {
            if received.contains_set(acknowledged) {
                continue;
            }
            let (id, lost) = (&self.nodes[at].id, acknowledged.subtract(received));
            let sentence =
                format!("{id} leads in term {term} without {lost}, acknowledged in term {earlier}");
            return self.history.broken("I2", sentence);
        }
    }

    /// A client is told OK.
    pub(crate) fn check_ok(&mut self, at: usize, tx: &Tx) {
        if self.history.forced_shutdown {
            self.history.forced += 1;
            return;
        }
        self.history.acknowledged.entry(tx.term).or_default().insert(tx.gtid);
        let lacking = self
            .history
            .leaders
            .range(tx.term + 1..)
            .find(|(_, (_, received))| !received.contains(&tx.gtid))
            .map(|(term, (leader, _))| (*term, *leader));
        let Some((term, leader)) = lacking else { return };
        let invariant = if self.history.markers.contains(&term) { "I3" } else { "I2" };
        let sentence = format!(
            "{} tells a client OK for {} of term {}, which {} has led term {term} without",
            self.nodes[at].id, tx.gtid, tx.term, self.nodes[leader].id
        );
        self.history.broken(invariant, sentence);
    }
}
