//! The words shared by agent, command line and HTTP: messages, status, events.
//!
//! Everything here is plain data with a JSON form. Paths of the agents' channel:
//! [`PATH_PEER`] takes an [`Envelope`] (one-way, answered by `{}`), [`PATH_CALL`] takes a [`Call`] and
//! answers with a [`Reply`], [`PATH_STREAM`] takes a [`StreamRequest`] and answers with a stream.

mod account;
mod call;
mod doctor;
mod event;
mod job;
mod privilege;
mod remark;
mod report;
mod set_statement;
mod stacks;
mod status;
mod stream;

pub use account::{Account, NewAccount, Password, Rights};
pub use call::{Call, Refusal, Reply, Request, Response, SwitchoverPlan};
pub use doctor::{CheckUp, Finding, Level, NodeFacts};
pub use event::{Event, EventKind, EventPage, EventQuery};
pub use job::{
    BackupOptions, DonorFacts, JobKind, JobState, JobStatus, Method, RebuildOptions, RestoreOptions,
    ToolFacts,
};
pub use privilege::check_privileges;
pub use remark::Remark;
pub use report::{
    Explanation, NodeExplanation, Report, ReportHead, ReportKind, ReportOutcome, ReportPhase, ReportVote,
};
pub use set_statement::{Assignment, NotUnderstood, Value, parse_set};
pub use stacks::{StackTool, Stacks, ThreadStack};
pub use status::{
    AddressState, BackupStatus, Counters, MemberStatus, MysqlStatus, MysqldStatus, NodeStatus, PurgeHold,
    PurgeStatus, ReplicationStatus, ServiceAddressStatus, TimingStatus,
};
pub use stream::{BinlogTailHead, StreamRequest, Wanted};

use serde::{Deserialize, Serialize};
use xenon_election::{Message, NodeId};
use xenon_gtid::Uuid;

/// Where agents post [`Envelope`]s.
pub const PATH_PEER: &str = "/peer/v1/message";

/// Where the command line posts [`Call`]s.
pub const PATH_CALL: &str = "/peer/v1/call";

/// Where agents ask each other for a [`StreamRequest`].
pub const PATH_STREAM: &str = "/peer/v1/stream";

/// Version of these words; an agent of another major version is refused with both named.
pub const PROTOCOL_VERSION: u32 = 1;

/// A message between agents, with who sends it and in which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`PROTOCOL_VERSION`] of the sender.
    pub version: u32,
    /// The sender; the channel's certificate must name it.
    pub from: NodeId,
    /// The cluster the message belongs to.
    pub cluster: Uuid,
    /// What is said.
    pub message: Message,
    /// What the report of a failover tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Box<Remark>>,
}
