//! What goes wrong in a run, as data: made from a seed, written and read as text, and shortened entry by entry.

pub(crate) mod generate;
pub(crate) mod shrink;
pub(crate) mod text;

use std::fmt;

/// Everything that a run depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Every chance of the run is drawn from it.
    pub(crate) seed: u64,
    /// Nodes that the cluster is formed of, all voters: `n1`, `n2` …
    pub(crate) nodes: usize,
    /// Nodes that wait to be added.
    pub(crate) spares: usize,
    /// The last of the voters is a witness: an agent without mysqld (C5).
    pub(crate) witness: bool,
    /// The faults end after so many milliseconds of virtual time.
    pub(crate) length_ms: u64,
    /// The faults.
    pub(crate) entries: Vec<Entry>,
}

/// One fault, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Milliseconds since the run began.
    pub(crate) at_ms: u64,
    /// What.
    pub(crate) fault: Fault,
}

/// Between which programs of two hosts a line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// The agents.
    Agents,
    /// Replication.
    Servers,
    /// Both.
    All,
}

/// What goes wrong, or is asked for. Nodes are counted from 0; a group of nodes is a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The agent is killed, and starts again. Its mysqld lives on.
    AgentKill { node: usize, for_ms: u64 },
    /// The agent is killed at its next save; `landed`: after the record reached the disk.
    AgentKillAtSave { node: usize, landed: bool, for_ms: u64 },
    /// The agent is stopped (SIGSTOP) and goes on.
    AgentHang { node: usize, for_ms: u64 },
    /// mysqld is killed.
    ServerKill { node: usize },
    /// mysqld is stopped (SIGSTOP) and goes on.
    ServerHang { node: usize, for_ms: u64 },
    /// Somebody shuts mysqld down in order, past the agent.
    ServerStop { node: usize },
    /// mysqld takes a hundred times as long for everything.
    ServerSlow { node: usize, for_ms: u64 },
    /// Its applier is slow.
    ApplierSlow { node: usize, for_ms: u64 },
    /// The host loses power: agent and mysqld are gone, and relay logs may lose what was not synced.
    PowerLoss { node: usize, for_ms: u64 },
    /// The host of whoever leads then loses power for good: until everything heals.
    LeaderLost,
    /// Nothing goes from one node to the other, one way.
    Cut { from: usize, to: usize, traffic: Traffic, for_ms: u64 },
    /// Nothing goes between a group and the rest.
    Split { group: u32, traffic: Traffic, for_ms: u64 },
    /// Messages between agents get lost.
    Loss { percent: u64, for_ms: u64 },
    /// Messages between agents take up to so long, so they overtake each other.
    Delay { up_to_ms: u64, for_ms: u64 },
    /// Replication takes up to so long, in order.
    Lag { up_to_ms: u64, for_ms: u64 },
    /// Messages between agents arrive twice.
    Repeat { percent: u64, for_ms: u64 },
    /// Acknowledgements of replicas get lost (MySQL bugs 104015, 101056).
    LostAcks { percent: u64, for_ms: u64 },
    /// The agent's record cannot be saved.
    SavesFail { node: usize, for_ms: u64 },
    /// The disk of the agent's record does not answer.
    SavesStall { node: usize, for_ms: u64 },
    /// mysqld's disk is full: nothing is written to its binlog or relay log.
    DiskFull { node: usize, for_ms: u64 },
    /// Somebody kills mysqld and sees to it that it starts with relay_log_recovery=ON, which throws its relay logs away.
    DropRelayLogs { node: usize },
    /// An operator pauses the cluster, and resumes it (T4).
    Pause { for_ms: u64 },
    /// An operator sets a node's priority (V8).
    Prefer { node: usize, priority: u32 },
    /// An operator hands over to a node, or to the best.
    HandOver { target: Option<usize> },
    /// An operator adds a node.
    Add { node: usize },
    /// An operator removes a node.
    Remove { node: usize },
    /// An operator switches a node off and on again (raft disable, enable).
    Disable { node: usize, for_ms: u64 },
}

impl Fault {
    /// How long it lasts; `None` for what happens at once.
    pub(crate) fn for_ms(&self) -> Option<u64> {
        use Fault as F;
        match *self {
            F::ServerKill { .. }
            | F::ServerStop { .. }
            | F::DropRelayLogs { .. }
            | F::LeaderLost
            | F::Prefer { .. }
            | F::HandOver { .. }
            | F::Add { .. }
            | F::Remove { .. } => None,
            F::AgentKill { for_ms, .. }
            | F::AgentKillAtSave { for_ms, .. }
            | F::AgentHang { for_ms, .. }
            | F::ServerHang { for_ms, .. }
            | F::ServerSlow { for_ms, .. }
            | F::ApplierSlow { for_ms, .. }
            | F::PowerLoss { for_ms, .. }
            | F::Cut { for_ms, .. }
            | F::Split { for_ms, .. }
            | F::Loss { for_ms, .. }
            | F::Delay { for_ms, .. }
            | F::Lag { for_ms, .. }
            | F::Repeat { for_ms, .. }
            | F::LostAcks { for_ms, .. }
            | F::SavesFail { for_ms, .. }
            | F::SavesStall { for_ms, .. }
            | F::DiskFull { for_ms, .. }
            | F::Pause { for_ms }
            | F::Disable { for_ms, .. } => Some(for_ms),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}
