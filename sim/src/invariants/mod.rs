//! What must always hold (section 10 of the protocol), one file each. All look at what is true, not at what an agent
//! believes.

mod i1_one_leader;
mod i2_i3_acknowledged;
mod i4_identity;
mod i5_address;
mod i6_convergence;
mod i7_config;
mod l2_open;

use crate::mysqld::Tx;
use crate::world::queue::Us;
use std::collections::{BTreeMap, BTreeSet};
use xenon_election::{ConfigId, Term};
use xenon_gtid::{Gtid, GtidSet};

/// A broken invariant, with the sentence that says how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name in the protocol: I1 … I7, L2.
    pub invariant: &'static str,
    /// What happened.
    pub sentence: String,
}

/// What history must remember.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Of each term its leader, and what its server had received at its election.
    leaders: BTreeMap<Term, (usize, GtidSet)>,
    /// Terms whose marker was acknowledged.
    markers: BTreeSet<Term>,
    /// What clients were told OK, by the term that it was written in.
    acknowledged: BTreeMap<Term, GtidSet>,
    /// What every GTID stands for.
    identities: BTreeMap<Gtid, Tx>,
    /// The newest config that a majority of its voters had, in the term of the leader that made it.
    settled: ConfigId,
    /// Since when two nodes hold the address and may write.
    two_holders: Option<Us>,
    /// An orderly shutdown is telling waiting commits OK.
    pub(crate) forced_shutdown: bool,
    /// Commits told OK by it: known, and not to be helped (decision 6).
    pub(crate) forced: u64,
    pub(crate) violation: Option<Violation>,
}

impl History {
    pub(crate) fn broken(&mut self, invariant: &'static str, sentence: String) {
        // The first one is the cause; what follows from it only confuses.
        self.violation.get_or_insert(Violation { invariant, sentence });
    }

    /// So many transactions were told OK.
    pub(crate) fn acknowledged_count(&self) -> u64 {
        self.acknowledged.values().map(GtidSet::count).sum()
    }

    /// So many elections were won.
    pub(crate) fn elections(&self) -> u64 {
        self.leaders.len() as u64
    }
}
