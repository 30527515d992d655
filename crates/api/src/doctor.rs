//! What a check-up finds, before production and at any time.

use serde::{Deserialize, Serialize};
use xenon_election::NodeId;

/// What one node found when it looked at itself and at the way to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckUp {
    /// The node.
    pub node: NodeId,
    /// What must be compared with the other nodes'.
    pub facts: NodeFacts,
    /// What it has to say of itself, good news too.
    pub findings: Vec<Finding>,
}

/// Facts that mean something only beside those of the other nodes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeFacts {
    /// This node's clock when it answered, milliseconds since 1970.
    pub unix_ms: u64,
    /// Version of the agent.
    pub agent_version: String,
    /// `@@version`; empty = the server was not asked.
    pub mysql_version: String,
    /// `@@server_id`.
    pub server_id: Option<u64>,
    /// `@@server_uuid`; empty = not known.
    pub server_uuid: String,
    /// `@@lower_case_table_names`: data made with one value cannot be read with another.
    pub lower_case_table_names: Option<u64>,
    /// The server's offset from UTC, seconds.
    pub utc_offset_s: Option<i64>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where; `None` = it concerns the cluster as a whole.
    pub node: Option<NodeId>,
    /// What was looked at: a short name that does not change.
    pub check: String,
    /// How it is.
    pub level: Level,
    /// What was seen, as a sentence.
    pub text: String,
    /// What to do about it; empty where nothing is to be done.
    pub cure: String,
}

/// How a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Unknown,
    /// It works, and will hurt some day.
    Warn,
    /// Data or service is in danger, or the cluster does not work.
    Error,
}

impl Level {
    /// The word that tables show.
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Unknown => "UNKNOWN",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}
