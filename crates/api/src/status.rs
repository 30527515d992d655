//! What a node says of itself: enough for every table of `xenoncli`.

use crate::job::JobStatus;
use serde::{Deserialize, Serialize};
use xenon_election::{NodeId, Rejoin, Standing};
use xenon_gtid::{GtidSet, Uuid};

/// One node's whole status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeStatus {
    /// The node.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// LEADER, CANDIDATE, FOLLOWER, LEARNER, IDLE, INVALID or STOPPED.
    pub state: String,
    /// Raft term.
    pub view_id: u64,
    /// Version of the member list; 0 = member of no cluster.
    pub epoch_id: u64,
    /// The cluster's UUID; `None` = member of no cluster.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub cluster: Option<Uuid>,
    /// The leader that this node hears or is.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub leader: Option<NodeId>,
    /// The members, this node among them.
    pub members: Vec<MemberStatus>,
    /// The process.
    pub mysqld: MysqldStatus,
    /// The server.
    pub mysql: MysqlStatus,
    /// Backups.
    pub backup: BackupStatus,
    /// The long job (rebuild, backup, restore) under way, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStatus>,
    /// S3: why this node may lack what it has acknowledged; `None` when it is in no doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What the agents of this cluster do by themselves with a node that cannot come back as it is.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub rejoin: Rejoin,
    /// Counters since the agent started.
    pub counters: Counters,
    /// Why this node may not lead; `None` when it may.
    pub unfit: Option<String>,
    /// Transactions that the leader does not have (F2).
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub errant: GtidSet,
    /// What the agent wants of its mysqld and does about it, as sentences.
    pub doing: Vec<String>,
    /// Things an operator should know.
    pub troubles: Vec<String>,
    /// Its binary logs, and who keeps them from being purged.
    #[serde(default)]
    pub purge: PurgeStatus,
    /// Why nobody's binary logs may be purged for the time being: this node is being rebuilt, or copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_binlogs: Option<String>,
    /// The addresses that follow the primary, where the agent moves them itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_address: Vec<ServiceAddressStatus>,
    /// Milliseconds the phases of the last promotion on this node took.
    pub last_promotion: Option<TimingStatus>,
    /// Path of the configuration file.
    pub config_path: String,
    /// Version of the agent.
    pub version: String,
    /// Process id of the agent.
    pub pid: u32,
    /// Seconds since the agent started.
    pub uptime_s: u64,
    /// Seconds since the node took on its present state.
    pub state_uptime_s: u64,
}

/// One service address, as the answering node has it.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceAddressStatus {
    /// The address with its prefix, as the config has it.
    pub address: String,
    /// The interface that it is on, while it is here.
    #[serde(default)]
    pub interface: Option<String>,
    /// Where it is.
    pub state: AddressState,
    /// Why it could not be moved; empty when it could.
    #[serde(default)]
    pub last_error: String,
    /// How long the last move took: taken and announced, or connections reset and removed; milliseconds.
    #[serde(default)]
    pub moved_ms: Option<f64>,
}

/// Where a service address is.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressState {
    /// On this node.
    Here,
    /// Not on this node.
    Away,
    /// Being taken or given up.
    Moving,
    /// Not known: the agent has just started, or a move failed.
    Unknown,
}

/// One member as the answering node's config has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberStatus {
    /// The member.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: NodeId,
    /// What it may do.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub standing: Standing,
    /// Preference among equally recent nodes; 0 = never leads.
    pub priority: u32,
}

/// The mysqld process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MysqldStatus {
    /// It runs.
    pub running: bool,
    /// Its process id.
    pub pid: Option<u32>,
    /// The agent restarts it when it dies.
    pub monitor: bool,
    /// What came of the last start or exit.
    pub last_error: String,
    /// Times the agent has started it.
    pub starts: u64,
}

/// The MySQL server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MysqlStatus {
    /// It answers.
    pub alive: bool,
    /// Clients may write (neither `read_only` nor `super_read_only`).
    pub writable: bool,
    /// Host and port at which clients and replicas reach it.
    pub address: String,
    /// `@@version`.
    pub version: String,
    /// `@@server_uuid`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub server_uuid: Option<Uuid>,
    /// `gtid_executed`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub executed: GtidSet,
    /// `gtid_purged`: the part of it whose binary log is gone.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub purged: GtidSet,
    /// Greatest term marker received.
    pub marker: u64,
    /// Current binlog file.
    pub binlog_file: String,
    /// Position in it, bytes.
    pub binlog_position: u64,
    /// Replication, on a replica.
    pub replication: Option<ReplicationStatus>,
    /// Semi-sync source side: on, acknowledgements waited for, replicas that acknowledge.
    pub semi_sync_source: Option<(bool, u32, u32)>,
    /// Semi-sync replica side: on.
    pub semi_sync_replica: Option<bool>,
    /// What the last look failed with.
    pub last_error: String,
}

/// Replication on a replica.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplicationStatus {
    /// Address of the source.
    pub source: String,
    /// The receiver runs and is connected.
    pub io_running: bool,
    /// The applier runs.
    pub sql_running: bool,
    /// `Retrieved_Gtid_Set`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub retrieved: GtidSet,
    /// `Source_Log_File`.
    pub source_log_file: String,
    /// `Read_Source_Log_Pos`, bytes.
    pub read_source_log_pos: u64,
    /// `Seconds_Behind_Source`.
    pub seconds_behind: Option<u64>,
    /// How far it is behind, microseconds: the age of the oldest transaction that was received and is not applied, by the
    /// clocks of both hosts; 0 when there is none. `None` while receiver or applier does not run.
    #[serde(default)]
    pub lag_us: Option<u64>,
    /// Last error of receiver or applier.
    pub last_error: String,
}

/// Backups and rebuilds, in the words of the Go tool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupStatus {
    /// `NONE`, or what goes on: `BACKUPING`, `REBUILDING`.
    pub state: String,
    /// What the last one failed with.
    pub last_error: String,
}

/// The binary logs of a node's server, as of the last round of purging.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurgeStatus {
    /// The agent purges them.
    pub on: bool,
    /// How many files there are.
    pub files: u64,
    /// Their size, bytes.
    pub bytes: u64,
    /// The oldest of them.
    pub oldest: String,
    /// `gtid_purged`: what this server has and cannot hand on any more. A node that lacks some of it needs a rebuild to follow it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub gtid_purged: GtidSet,
    /// Files purged since the agent started.
    pub purged_files: u64,
    /// Why nothing may go at all; `None` when that is not so.
    pub waits: Option<String>,
    /// Files younger than so many seconds are kept, though nobody lacks them: somebody has set
    /// `binlog_expire_logs_seconds`.
    #[serde(default)]
    pub keeps_younger_s: Option<u64>,
    /// Members for which files are kept.
    pub held_by: Vec<PurgeHold>,
}

/// A member for which binary logs are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurgeHold {
    /// The member.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub node: NodeId,
    /// Why.
    pub why: String,
    /// For so long, seconds, as far as the answering agent knows.
    pub for_s: u64,
}

/// Counters since the agent started; the names are those of `cluster raft`'s columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counters {
    /// Times the node was idle.
    pub idle_count: u64,
    /// Times it became leader.
    pub leader_promotes: u64,
    /// Times it stopped leading.
    pub leader_degrades: u64,
    /// Heartbeats got while leading.
    pub leader_gets_heartbeats: u64,
    /// Vote requests got while leading.
    pub leader_gets_votes: u64,
    /// Times it stood.
    pub candidate_promotes: u64,
    /// Times it gave up standing.
    pub candidate_degrades: u64,
}

/// How long the phases of a promotion took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimingStatus {
    /// The term.
    pub term: u64,
    /// Why it came to it.
    pub cause: String,
    /// Phase by phase, in order: name and milliseconds since the promotion's first event on this node.
    pub phases: Vec<(String, f64)>,
}
