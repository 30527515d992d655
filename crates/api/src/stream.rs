//! What an agent asks another one for that comes as a stream of bytes.

use crate::job::Method;
use serde::{Deserialize, Serialize};
use std::fmt;
use xenon_election::NodeId;
use xenon_gtid::{GtidSet, Uuid};

/// A request for a stream, with who asks and in which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRequest {
    /// [`crate::PROTOCOL_VERSION`] of the asker.
    pub version: u32,
    /// Who asks; the channel's certificate must name it, and only members are answered.
    pub from: NodeId,
    /// The cluster that it belongs to.
    pub cluster: Uuid,
    /// What is asked for.
    pub what: Wanted,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stream", rename_all = "snake_case")]
pub enum Wanted {
    /// W2: the end of a dead mysqld's binary log that the asker lacks, as relay log files behind a [`BinlogTailHead`].
    BinlogTail {
        /// received(n) of the asker.
        received: GtidSet,
        /// The most bytes that it takes.
        bytes_max: u64,
    },
    /// W4: a copy of all data, as the backup tool of the asked host writes it (`--stream=xbstream`).
    Copy {
        /// Whose tool; not [`Method::Clone`].
        method: Method,
        /// At most so many MiB a second; 0 = as fast as it goes.
        throttle_mib_s: u32,
    },
}

/// The first line of a [`Wanted::BinlogTail`]: what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinlogTailHead {
    /// What the transactions are.
    pub gtids: GtidSet,
    /// How many.
    pub transactions: u64,
    /// Length of each relay log file, bytes, in their order.
    pub files: Vec<u64>,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::BinlogTail { .. } => write!(f, "the end of the binary log here that it lacks (W2)"),
            Wanted::Copy { method, .. } => write!(f, "a copy of the data here by {} (W4)", method.word()),
        }
    }
}
