//! What was seen of a mysqld: plain values, no door to it.

use serde::{Deserialize, Serialize};
use xenon_gtid::{GtidSet, Uuid};

/// A server that answered, as it described itself in one look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerState {
    /// `@@server_uuid`.
    pub server_uuid: Uuid,
    /// `@@version`, as printed (`9.7.4-1`).
    pub version: String,
    /// `@@server_id`; replication needs it non-zero and different on every node.
    pub server_id: u32,
    /// `@@read_only`.
    pub read_only: bool,
    /// `@@super_read_only`.
    pub super_read_only: bool,
    /// `@@gtid_executed`.
    pub executed: GtidSet,
    /// `@@gtid_purged`: part of `executed` whose binlog is gone.
    pub purged: GtidSet,
    /// The default replication channel; `None` when the server follows nobody.
    pub replication: Option<Replication>,
    /// The source side of semi-sync; `None` when its plugin is not loaded.
    pub semi_sync_source: Option<SemiSyncSource>,
    /// The replica side of semi-sync; `None` when its plugin is not loaded.
    pub semi_sync_replica: Option<SemiSyncReplica>,
    /// `@@pid_file`, absolute or relative to the data folder.
    pub pid_file: String,
    /// `@@datadir`.
    pub data_dir: String,
    /// `@@gtid_mode` is ON.
    pub gtid_mode_on: bool,
    /// `@@log_bin` is on.
    pub log_bin: bool,
    /// `@@log_replica_updates` is on; without it a replica cannot become a source.
    pub log_replica_updates: bool,
    /// `@@offline_mode`: clients without a special right are turned away.
    pub offline_mode: bool,
    /// `@@relay_log_recovery`: a start throws away what was received and not applied (S3).
    pub relay_log_recovery: bool,
    /// Binlog, redo log and relay log are synced with every transaction (`sync_binlog=1`,
    /// `innodb_flush_log_at_trx_commit=1`, `sync_relay_log=1`): a loss of power takes nothing back (S3).
    pub synced: bool,
    /// Current binlog file and position, for the tables that Xenon's users know.
    pub binlog_file: String,
    /// Position in [`ServerState::binlog_file`], bytes.
    pub binlog_position: u64,
}

impl ServerState {
    /// received(n) of the protocol: `gtid_executed` ∪ the retrieved set.
    pub fn received(&self) -> GtidSet {
        match &self.replication {
            Some(replication) => self.executed.union(&replication.retrieved),
            None => self.executed.clone(),
        }
    }

    /// What was received and not yet applied.
    pub fn unapplied(&self) -> GtidSet {
        match &self.replication {
            Some(replication) => replication.retrieved.subtract(&self.executed),
            None => GtidSet::new(),
        }
    }

    /// A client may write here.
    pub fn is_writable(&self) -> bool {
        !self.read_only && !self.super_read_only
    }
}

/// Where a replica gets its transactions from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceAddress {
    /// Host name or address of the source's mysqld.
    pub host: String,
    /// Port of the source's mysqld.
    pub port: u16,
}

impl std::fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `SHOW REPLICA STATUS` of the default channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// The source it is configured for.
    pub source: SourceAddress,
    /// The account it uses there.
    pub user: String,
    /// GTID auto-position is on.
    pub auto_position: bool,
    /// TLS to the source is on.
    pub ssl: bool,
    /// `SOURCE_CONNECT_RETRY`, seconds.
    pub connect_retry_s: u64,
    /// `Source_UUID`: the `server_uuid` of who the receiver was connected to last.
    pub source_uuid: Option<Uuid>,
    /// The receiver (IO) thread.
    pub receiver: ReceiverState,
    /// The applier (SQL) thread runs.
    pub applier_running: bool,
    /// `Retrieved_Gtid_Set`.
    pub retrieved: GtidSet,
    /// `Last_IO_Error`, empty when none.
    pub receiver_error: String,
    /// `Last_SQL_Error`, empty when none.
    pub applier_error: String,
    /// `Seconds_Behind_Source`, seconds; `None` when the server says NULL.
    pub seconds_behind: Option<u64>,
    /// How far it is behind, microseconds: the age of the oldest transaction that was received and is not applied, by the
    /// clocks of both hosts; 0 when there is none. `None` while receiver or applier does not run.
    pub lag_us: Option<u64>,
    /// `Source_Log_File`.
    pub source_log_file: String,
    /// `Read_Source_Log_Pos`, bytes.
    pub read_source_log_pos: u64,
}

/// State of a receiver thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReceiverState {
    /// `Replica_IO_Running: Yes`.
    Running,
    /// `Replica_IO_Running: Connecting`.
    Connecting,
    /// `Replica_IO_Running: No`.
    Stopped,
}

/// The source side of semi-synchronous replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemiSyncSource {
    /// It is switched on.
    pub enabled: bool,
    /// Acknowledgements a commit waits for (W of rule L4).
    pub wait_for_replicas: u32,
    /// How long a commit waits before it goes on without, milliseconds.
    pub timeout_ms: u64,
    /// The wait point is AFTER_SYNC.
    pub after_sync: bool,
    /// `..._wait_no_replica` is on: it waits even with no replica connected.
    pub wait_no_replica: bool,
    /// Replicas connected that acknowledge.
    pub clients: u32,
    /// Sessions that wait for an acknowledgement now.
    pub waiting_sessions: u32,
    /// The server's own word on whether it is semi-synchronous now.
    pub operational: bool,
}

/// The replica side of semi-synchronous replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemiSyncReplica {
    /// It is switched on (takes effect when the receiver starts).
    pub enabled: bool,
    /// The running receiver acknowledges.
    pub operational: bool,
}
