//! The steps that plans are made of. Each is safe to repeat.

use crate::observation::SourceAddress;
use crate::role::Variables;
use std::fmt;
use xenon_gtid::{Gtid, GtidSet, Uuid};

/// One thing to do at the local mysqld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start the process (read-only, replication not started: L5).
    StartMysqld,
    /// SIGKILL it (D3).
    KillMysqld,
    /// Run the stop hook: the service address leaves this node.
    AddressDown,
    /// Run the start hook: the service address comes to this node.
    AddressUp,
    /// `super_read_only=1`, with a bounded wait (D1).
    CloseWrites,
    /// End application sessions (D1), so that clients look for the new primary.
    KillSessions,
    /// Make the replication account right, outside the binlog.
    EnsureAccount,
    /// Start the applier thread.
    StartApplier,
    /// Stop the receiver thread.
    StopReceiver,
    /// Start the receiver thread.
    StartReceiver,
    /// Stop both threads.
    StopReplication,
    /// Forget the source (`RESET REPLICA ALL`).
    ForgetSource,
    /// Wait until this much is applied.
    WaitApplied {
        /// What.
        set: GtidSet,
    },
    /// Configure the source from nothing; needs both threads stopped and nothing unapplied.
    PointAnew {
        /// The source.
        source: SourceAddress,
    },
    /// Change host and port only, receiver stopped, applier running: keeps the relay logs (S3).
    Repoint {
        /// The source.
        source: SourceAddress,
    },
    /// Semi-sync source side on with W acknowledgements and no timeout (L4).
    SemiSyncSourceOn {
        /// W.
        acknowledgements: u32,
        /// C5: go on without, while no replica is connected.
        soft: bool,
    },
    /// Semi-sync source side off, on a drained read-only server only (D2).
    SemiSyncSourceOff,
    /// C5: semi-sync source side off on an open server, which lets waiting commits go on.
    StopWaiting,
    /// D4: `offline_mode=1`: clients are sent away, commits that wait go on waiting.
    GoOffline,
    /// `offline_mode=0`.
    GoOnline,
    /// Semi-sync replica side.
    SemiSyncReplica {
        /// On.
        on: bool,
    },
    /// `super_read_only=0` while `read_only` stays 1: the agent may write, clients may not.
    AllowOwnWrites,
    /// Write the term's marker and wait for its acknowledgement (L3).
    WriteMarker {
        /// UUID of the markers.
        markers: Uuid,
        /// The term.
        term: u64,
    },
    /// Write an empty transaction of this server's own, whose acknowledgement releases the commits before it.
    ReleaseCommits {
        /// Its GTID.
        gtid: Gtid,
    },
    /// `read_only=0`.
    Open,
    /// Set the role's variables; failures are shown and stop nothing.
    SetVariables {
        /// Whose.
        role: Variables,
    },
}

impl Step {
    /// A short name for timings and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Step::StartMysqld => "start-mysqld",
            Step::KillMysqld => "kill-mysqld",
            Step::AddressDown => "address-down",
            Step::AddressUp => "address-up",
            Step::CloseWrites => "close-writes",
            Step::KillSessions => "kill-sessions",
            Step::EnsureAccount => "ensure-account",
            Step::StartApplier => "start-applier",
            Step::StopReceiver => "stop-receiver",
            Step::StartReceiver => "start-receiver",
            Step::StopReplication => "stop-replication",
            Step::ForgetSource => "forget-source",
            Step::WaitApplied { .. } => "wait-applied",
            Step::PointAnew { .. } => "point-anew",
            Step::Repoint { .. } => "repoint",
            Step::SemiSyncSourceOn { .. } => "semi-sync-source-on",
            Step::SemiSyncSourceOff => "semi-sync-source-off",
            Step::StopWaiting => "stop-waiting",
            Step::GoOffline => "go-offline",
            Step::GoOnline => "go-online",
            Step::SemiSyncReplica { .. } => "semi-sync-replica",
            Step::AllowOwnWrites => "allow-own-writes",
            Step::WriteMarker { .. } => "write-marker",
            Step::ReleaseCommits { .. } => "release-commits",
            Step::Open => "open",
            Step::SetVariables { .. } => "set-variables",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::StartMysqld => write!(f, "start mysqld, read-only"),
            Step::KillMysqld => write!(f, "kill mysqld (SIGKILL)"),
            Step::AddressDown => write!(f, "take the service address away"),
            Step::AddressUp => write!(f, "bring the service address here"),
            Step::CloseWrites => write!(f, "close writes (super_read_only=1)"),
            Step::KillSessions => write!(f, "end application sessions"),
            Step::EnsureAccount => write!(f, "make the replication account right"),
            Step::StartApplier => write!(f, "start the applier"),
            Step::StopReceiver => write!(f, "stop the receiver"),
            Step::StartReceiver => write!(f, "start the receiver"),
            Step::StopReplication => write!(f, "stop replication"),
            Step::ForgetSource => write!(f, "forget the old source"),
            Step::WaitApplied { set } => write!(f, "apply what was received: {}", brief(set)),
            Step::PointAnew { source } => write!(f, "replicate from {source}"),
            Step::Repoint { source } => write!(f, "replicate from {source}, keeping the relay logs"),
            Step::SemiSyncSourceOn { acknowledgements, soft: false } => {
                write!(f, "semi-sync source on, {acknowledgements} acknowledgement(s), no timeout")
            }
            Step::SemiSyncSourceOn { acknowledgements, soft: true } => {
                write!(
                    f,
                    "semi-sync source on, {acknowledgements} acknowledgement(s) while a replica is connected"
                )
            }
            Step::StopWaiting => {
                write!(f, "let commits go on without an acknowledgement (semi-sync source off)")
            }
            Step::GoOffline => write!(f, "send clients away (offline_mode=1)"),
            Step::GoOnline => write!(f, "let clients in again (offline_mode=0)"),
            Step::SemiSyncSourceOff => write!(f, "semi-sync source off"),
            Step::SemiSyncReplica { on: true } => {
                write!(f, "acknowledge to the source (semi-sync replica on)")
            }
            Step::SemiSyncReplica { on: false } => write!(f, "do not acknowledge (semi-sync replica off)"),
            Step::AllowOwnWrites => {
                write!(f, "allow the agent's own writes (read_only=1, super_read_only=0)")
            }
            Step::WriteMarker { term, .. } => write!(f, "write the marker of term {term}"),
            Step::ReleaseCommits { gtid } => write!(f, "write the empty transaction {gtid}"),
            Step::Open => write!(f, "open for writes (read_only=0)"),
            Step::SetVariables { role: Variables::Primary } => write!(f, "set the primary's variables"),
            Step::SetVariables { role: Variables::Replica } => write!(f, "set the replica's variables"),
        }
    }
}

/// A set in few characters, for sentences.
pub fn brief(set: &GtidSet) -> String {
    let text = set.to_string();
    if text.len() <= 120 { text } else { format!("{} transactions", set.count()) }
}

/// A step and the sentence that says why it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What.
    pub step: Step,
    /// Why.
    pub why: String,
}

/// What to do, in order; and what cannot be helped by a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps. The executor stops at the first that fails and asks for a new plan.
    pub steps: Vec<Planned>,
    /// What an operator should know.
    pub troubles: Vec<String>,
}

impl Plan {
    pub(crate) fn push(&mut self, step: Step, why: impl Into<String>) {
        self.steps.push(Planned { step, why: why.into() });
    }

    pub(crate) fn has(&self, step: &Step) -> bool {
        self.steps.iter().any(|planned| planned.step == *step)
    }

    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
