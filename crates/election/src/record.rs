//! Durable state (rule S1): what must be on disk before a message that depends on it leaves.

use crate::group::{ConfigId, GroupConfig};
use crate::ids::{NodeId, Term};
use serde::{Deserialize, Serialize};
use xenon_gtid::{GtidSet, Uuid};

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
    /// S3: why this node may have lost what it has acknowledged; `None` when it cannot have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// The boot of the host in which this record was written last (S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Which start of mysqld was seen last (S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_start: Option<String>,
    /// `server_uuid` that was seen last: another one is another data folder (S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_uuid: Option<Uuid>,
    /// C5: the config that this node, leading, has seen settled. While it needs every voter, nobody can be elected
    /// without this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<ConfigId>,
}

/// S3: why a vote counts only beside every other voter's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Doubt {
    /// What happened, in words.
    pub reason: String,
    /// The host lost power or was restarted: a server that syncs every write has lost nothing by that.
    pub by_reboot: bool,
    /// What is here may have holes: a later marker does not prove that all before it is here, too. Such a node must not
    /// stand. (Replication never brings back what a server wrote under its own `server_id`.)
    #[serde(default)]
    pub holes: bool,
}
