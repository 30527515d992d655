//! What a mysqld is to be, and what is known about it.

use crate::faults::Faults;
use crate::observation::{ServerState, SourceAddress};
use xenon_gtid::{GtidSet, Uuid};

/// The role wanted of the local mysqld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// No member of any cluster: leave it alone.
    Unmanaged,
    /// Change nothing now.
    Hold,
    /// L2: the primary of a term.
    Primary {
        /// The term; its marker is written before the server opens.
        term: u64,
        /// UUID of the markers.
        markers: Uuid,
        /// W: replicas a commit waits for (L4).
        acknowledgements: u32,
        /// C5: a commit goes on without them while no replica is connected.
        soft: bool,
        /// T1: writes closed for a handover.
        closed: bool,
        /// T1: all is applied, and the server that this one still replicates from has closed for good.
        handed_over: bool,
    },
    /// D: read-only until a leader is known.
    Fenced {
        /// Why.
        reason: String,
    },
    /// D4: the lease is lost, the term is not: no client is served, and mysqld is kept with what waits in it.
    Suspended {
        /// Why.
        reason: String,
    },
    /// F: a replica.
    Replica {
        /// Of whom.
        source: SourceAddress,
        /// With the semi-sync replica side on (L4: voters only).
        acknowledge: bool,
    },
    /// F2: errant; read-only, not following.
    Invalid {
        /// What the leader lacks.
        errant: GtidSet,
    },
    /// Let go by the cluster: read-only, following nobody, acknowledging nothing.
    Removed,
    /// The agent takes no part (raft disable): leave it alone.
    Stopped,
}

/// All that is known about the local mysqld when a plan is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The process.
    pub process: Process,
    /// The last look, if the server answered it.
    pub server: Option<ServerState>,
    /// The verdict of the probes.
    pub health: crate::health::Verdict,
    /// Where the service address is, as far as this node's hooks know.
    pub address: Address,
    /// The account that replication runs as, exactly.
    pub replication_user: String,
    /// Replication connects with TLS.
    pub replication_ssl: bool,
    /// The replication account was found right (or made so) since the server started.
    pub account_checked: bool,
    /// The per-role variables set since the server started.
    pub variables: Option<Variables>,
    /// No application session is left from when the server was the primary: they were killed, or it never was.
    pub sessions_killed: bool,
    /// T1: its writes were closed for a handover a moment ago: nobody can write, and its clients go when there is a new
    /// primary to go to.
    pub sessions_may_wait: bool,
    /// The last attempt to close writes ran into its bound (D1): D3 is due.
    pub drain_timed_out: bool,
    /// The server's `offline_mode`, if on, is this agent's doing (D4) and not an operator's.
    pub offline_is_ours: bool,
    /// A stopped receiver or applier that reported an error may be tried again now.
    pub retry_due: bool,
    /// What is wrong with it, of what its answers do not show.
    pub faults: Faults,
}

/// The mysqld process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// It runs.
    Running,
    /// It does not, and it is time to start it.
    StartDue,
    /// It does not, and is not to be started now (monitor off, back-off).
    Down,
}

/// Where the service address is, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Here: the start hook ran last.
    Here,
    /// Not here: the stop hook ran last.
    Away,
    /// The agent has just started, or a hook failed.
    Unknown,
    /// A hook runs now.
    Moving,
}

/// Which role's variables are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variables {
    /// `master-sysvars`.
    Primary,
    /// `slave-sysvars`.
    Replica,
}
