//! What agents add to their messages for the sake of reports.

use serde::{Deserialize, Serialize};
use xenon_election::NodeId;
use xenon_gtid::GtidSet;

/// Goes with a message of the election so that the morning after can be told of it. Nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remark {
    /// What the sender had received when it answered for its vote; `None` = not read, or too long to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<GtidSet>,
    /// The primary that the sender knew last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<NodeId>,
    /// Why the receiver is told to stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who asked for that (`user@host`), when somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When the sender's server last answered as the primary, milliseconds before this was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_ms_ago: Option<u64>,
}
