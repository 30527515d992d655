//! What the command line asks an agent, and what it answers.

use crate::account::{Account, NewAccount, Password};
use crate::doctor::CheckUp;
use crate::event::{EventPage, EventQuery};
use crate::job::{BackupOptions, DonorFacts, RebuildOptions, RestoreOptions};
use crate::report::{Explanation, Report, ReportHead};
use crate::set_statement::Assignment;
use crate::stacks::{StackTool, Stacks};
use crate::status::NodeStatus;
use serde::{Deserialize, Serialize};
use std::fmt;
use xenon_election::{NodeId, Rejoin};
use xenon_gtid::GtidSet;

/// A request with the version of its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// [`crate::PROTOCOL_VERSION`] of the caller.
    pub version: u32,
    /// Who asks, for the event log (`user@host`).
    pub who: String,
    /// What.
    pub request: Request,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// This node's whole status.
    Status,
    /// Is anybody there?
    Ping,
    /// Take nodes in: forms the cluster when this node has none, else only the leader does it.
    ClusterAdd {
        /// Endpoints.
        nodes: Vec<NodeId>,
        /// As idle nodes.
        idle: bool,
    },
    /// Let nodes go (leader only).
    ClusterRemove {
        /// Endpoints.
        nodes: Vec<NodeId>,
    },
    /// Hand leadership over to this node, or to the best one (leader only).
    HandOver {
        /// The wanted successor.
        target: Option<NodeId>,
    },
    /// T1: the same, after a look at what stands in its way (leader only).
    Switchover {
        /// The wanted successor.
        target: Option<NodeId>,
        /// Only say what would be done, and what stands in the way.
        dry_run: bool,
        /// How long to wait for what stands in the way, milliseconds, at most an hour.
        wait_ms: u64,
    },
    /// T4: nobody stands and nobody steps down for a lost lease (leader only).
    Pause,
    /// T4: elections again: at the leader; or at any node when there is none.
    Resume,
    /// V8: a priority that overrides the node's own config file; `None` takes it back (leader only).
    SetPriority {
        /// Whose.
        node: NodeId,
        /// 0 = never leads.
        priority: Option<u32>,
    },
    /// `raft disable`: take no part in elections.
    RaftDisable,
    /// `raft enable`.
    RaftEnable,
    /// `raft enablepurgebinlog` and `raft disablepurgebinlog`: whether this node's agent purges binary logs.
    PurgeBinlog {
        /// On.
        on: bool,
    },
    /// Start mysqld.
    MysqlStart,
    /// Stop mysqld cleanly; the monitor is switched off so that it stays down.
    MysqlShutdown,
    /// Kill mysqld (SIGKILL).
    MysqlKill,
    /// Switch the monitor (automatic restart of mysqld) on or off.
    Monitor {
        /// On.
        on: bool,
    },
    /// What agents of the cluster do by themselves with a node that cannot come back as it is (leader only).
    SetRejoin {
        /// What.
        rejoin: Rejoin,
    },
    /// W4: build this node anew from another member's data.
    Rebuild(RebuildOptions),
    /// Give the rebuild up, as long as nothing of this node's own data has been touched.
    CancelRebuild,
    /// Copy this node's data into a folder, prove the copy, and keep it.
    Backup(BackupOptions),
    /// End the backup, or the restore as long as nothing of this node's own data has been touched.
    CancelBackup,
    /// W4: put a backup in the place of this node's data.
    Restore(RestoreOptions),
    /// Between agents: how large is the data here, and where is its server? Asked before a copy.
    DonorFacts {
        /// The asker can also copy by stream, so CLONE not being possible is no refusal.
        #[serde(default)]
        streams: bool,
    },
    /// Between agents: may this node be rebuilt now? The leader lets one at a time. Asked again while it goes on.
    MayRebuild {
        /// Which node.
        node: NodeId,
        /// It has ended: another may begin.
        over: bool,
    },
    /// Events after this sequence number, oldest first, at most 500; waits up to `wait_ms` for one.
    Events {
        /// Sequence number of the last one seen; 0 for all that are kept.
        after: u64,
        /// How long to wait for a first one, milliseconds, at most 10,000.
        wait_ms: u64,
    },
    /// Events by time and kind, from the disk too; waits for none.
    FindEvents(EventQuery),
    /// Between agents, to the leader: what became known of the node that was the primary before, for the report.
    Aftermath {
        /// Which node.
        node: NodeId,
        /// What, as a sentence.
        what: String,
        /// Transactions that were set aside there (W3).
        #[serde(default, skip_serializing_if = "GtidSet::is_empty")]
        quarantined: GtidSet,
        /// Something is kept aside about which a person has to decide.
        #[serde(default)]
        decide: bool,
    },
    /// The failovers and handovers that this node has told of, newest first.
    Reports,
    /// One of them, whole.
    Report {
        /// [`ReportHead::id`].
        id: String,
    },
    /// Why each node leads, may lead, or may not.
    Explain,
    /// The accounts of this node's server.
    Accounts,
    /// Make an account (leader only: it goes to every node by replication).
    CreateAccount(NewAccount),
    /// Drop an account (leader only).
    DropAccount {
        /// Its name.
        user: String,
        /// Its host part.
        host: String,
    },
    /// Give an account another password (leader only).
    ChangePassword {
        /// Its name.
        user: String,
        /// Its host part.
        host: String,
        /// The new one.
        password: Password,
    },
    /// `mysql sysvar`: set global variables of this node's server.
    SetGlobals {
        /// Which, to what.
        assignments: Vec<Assignment>,
    },
    /// What the threads of this node's mysqld are doing.
    Stacks {
        /// What is to look.
        tool: StackTool,
        /// A tool may stop a server that clients wait for, too, for as long as it looks.
        may_stop: bool,
    },
    /// How this node is, and how it reaches the others.
    Doctor {
        /// Nodes to reach beside the members of its cluster.
        peers: Vec<NodeId>,
    },
}

impl Request {
    /// Its name, for the event log.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Status => "status",
            Request::Ping => "ping",
            Request::ClusterAdd { idle: false, .. } => "cluster add",
            Request::ClusterAdd { idle: true, .. } => "cluster addidle",
            Request::ClusterRemove { .. } => "cluster remove",
            Request::HandOver { .. } => "handover",
            Request::Switchover { dry_run: true, .. } => "cluster switchover --dry-run",
            Request::Switchover { dry_run: false, .. } => "cluster switchover",
            Request::Pause => "cluster pause",
            Request::Resume => "cluster resume",
            Request::SetPriority { .. } => "cluster set",
            Request::RaftDisable => "raft disable",
            Request::RaftEnable => "raft enable",
            Request::PurgeBinlog { on: true } => "raft enablepurgebinlog",
            Request::PurgeBinlog { on: false } => "raft disablepurgebinlog",
            Request::MysqlStart => "mysql start",
            Request::MysqlShutdown => "mysql shutdown",
            Request::MysqlKill => "mysql kill",
            Request::Monitor { on: true } => "mysql startmonitor",
            Request::Monitor { on: false } => "mysql stopmonitor",
            Request::SetRejoin { .. } => "cluster set --rejoin",
            Request::Rebuild(_) => "mysql rebuildme",
            Request::CancelRebuild => "mysql cancelrebuild",
            Request::Backup(_) => "mysql backup",
            Request::CancelBackup => "mysql cancelbackup",
            Request::Restore(_) => "mysql restore",
            Request::DonorFacts { .. } => "donor facts",
            Request::MayRebuild { .. } => "may rebuild",
            Request::Events { .. } | Request::FindEvents(_) => "events",
            Request::Aftermath { .. } => "aftermath",
            Request::Reports => "failover list",
            Request::Report { .. } => "failover show",
            Request::Explain => "explain",
            Request::Accounts => "mysql getuser",
            Request::CreateAccount(_) => "mysql createuser",
            Request::DropAccount { .. } => "mysql dropuser",
            Request::ChangePassword { .. } => "mysql changepassword",
            Request::SetGlobals { .. } => "mysql sysvar",
            Request::Stacks { .. } => "perf quickstack",
            Request::Doctor { .. } => "doctor",
        }
    }

    /// Its name with what it is about, for the event log. Only what is known to hold no secret is named.
    pub fn told(&self) -> String {
        let name = self.name();
        let list = |nodes: &[NodeId]| nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(",");
        let about = match self {
            Request::ClusterAdd { nodes, .. } | Request::ClusterRemove { nodes } => list(nodes),
            Request::HandOver { target } | Request::Switchover { target, .. } => {
                target.as_ref().map_or_else(String::new, |target| format!("to {target}"))
            }
            Request::SetPriority { node, priority: Some(priority) } => {
                format!("{node} --priority {priority}")
            }
            Request::SetPriority { node, priority: None } => format!("{node} --priority default"),
            Request::SetRejoin { rejoin } => rejoin.word().to_owned(),
            Request::Rebuild(options) => {
                options.from.as_ref().map_or_else(String::new, |from| format!("--from={from}"))
            }
            _ => String::new(),
        };
        if about.is_empty() { name.to_owned() } else { format!("{name} {about}") }
    }

    /// It only looks.
    pub fn is_read_only(&self) -> bool {
        matches!(
            self,
            Request::Status
                | Request::Ping
                | Request::Events { .. }
                | Request::FindEvents(_)
                | Request::Aftermath { .. }
                | Request::Reports
                | Request::Report { .. }
                | Request::Explain
                | Request::Accounts
                | Request::Doctor { .. }
                | Request::DonorFacts { .. }
                | Request::MayRebuild { .. }
                | Request::Switchover { dry_run: true, .. }
        )
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It went well.
    Ok(Response),
    /// It did not.
    Refused(Refusal),
}

/// What went well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Box<NodeStatus>),
    /// To [`Request::Ping`].
    Pong {
        /// The answering node.
        id: NodeId,
    },
    /// To everything that changes something: what was done, as a sentence.
    Done {
        /// The sentence.
        message: String,
    },
    /// To [`Request::Events`].
    Events(EventPage),
    /// To [`Request::Reports`].
    Reports {
        /// Newest first.
        reports: Vec<ReportHead>,
    },
    /// To [`Request::Report`].
    Report(Box<Report>),
    /// To [`Request::Explain`].
    Explanation(Explanation),
    /// To [`Request::Accounts`].
    Accounts {
        /// By name and host.
        accounts: Vec<Account>,
    },
    /// To [`Request::Stacks`].
    Stacks(Box<Stacks>),
    /// To [`Request::Doctor`].
    CheckUp(Box<CheckUp>),
    /// To [`Request::DonorFacts`].
    Donor(DonorFacts),
    /// To [`Request::Switchover`] with `dry_run`.
    Switchover(SwitchoverPlan),
}

/// What a switchover would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SwitchoverPlan {
    /// The new primary.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub target: NodeId,
    /// What would be done, in order, a sentence each.
    pub steps: Vec<String>,
    /// What stands in the way now, with what to do about it; empty when nothing does.
    pub hindrances: Vec<String>,
}

/// What was refused or failed, why, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is refused, and why.
    pub what: String,
    /// What to try.
    pub cure: String,
    /// Whom to ask instead, when another node is the one to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<NodeId>,
}

impl Refusal {
    /// What to try, of a refusal that only says "not right now".
    pub const LATER: &str = "try again in a moment";

    /// Asking the same node again shortly may well succeed. Only saves a person the asking: where the words of the cure
    /// change, the refusal is shown as any other.
    pub fn is_for_the_moment(&self) -> bool {
        [Self::LATER, "wait until it has"].iter().any(|words| self.cure.starts_with(words))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; try: {}", self.what, self.cure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_agent_asks_for_facts_without_streams() {
        let old: Request = serde_json::from_str(r#"{"do":"donor_facts"}"#).expect("the old words");
        assert_eq!(old, Request::DonorFacts { streams: false });
        let old: Request = serde_json::from_str(
            r#"{"do":"rebuild","from":null,"method":"clone","force":false,"throttle_mib_s":null,"dry_run":true}"#,
        )
        .expect("the old words");
        let Request::Rebuild(options) = old else { panic!("{old:?}") };
        assert_eq!(options.method, Some(crate::Method::Clone));
    }
}
