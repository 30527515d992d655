//! Durable state (rule S1): what must be on disk before a message that depends on it leaves.

use crate::group::GroupConfig;
use crate::ids::{NodeId, Term};
use serde::{Deserialize, Serialize};
use xenon_gtid::GtidSet;

/// Term, vote, config; and what is known errant, so that a restart does not turn a node with a stray
/// transaction into one that vetoes every candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Record {
    /// Current term.
    pub term: Term,
    /// Whom this node voted for in `term`.
    pub vote: Option<NodeId>,
    /// The member list; `None` on a node that never belonged to a cluster.
    pub config: Option<GroupConfig>,
    /// Transactions that a leader was seen not to have (F2).
    #[serde(default, skip_serializing_if = "GtidSet::is_empty")]
    pub errant: GtidSet,
}
