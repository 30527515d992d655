//! Names of things: nodes, configs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A node, named by its endpoint `host:port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// A node of this name.
    pub fn new(endpoint: impl Into<String>) -> Self {
        NodeId(endpoint.into())
    }

    /// The endpoint, `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for NodeId {
    fn from(endpoint: &str) -> Self {
        NodeId(endpoint.to_owned())
    }
}

/// Raft term; shown to operators as ViewID.
pub type Term = u64;

/// Ties an answer to the request that it answers; a late answer to an older request is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u64);
