//! A look: what a server says of itself.

use super::Mysqld;
use crate::world::World;
use xenon_plan::NO_TIMEOUT_MS;
use xenon_plan::observation::{Replication, SemiSyncReplica, SemiSyncSource, ServerState};

/// The replication account of all nodes.
pub(crate) const ACCOUNT: &str = "repl";

impl World {
    /// Everything at one moment.
    pub(crate) fn server_state(&self, at: usize) -> ServerState {
        let server = &self.nodes[at].mysqld;
        ServerState {
            server_uuid: server.uuid,
            version: String::new(),
            server_id: 1 + u32::try_from(at).unwrap_or(0),
            read_only: server.read_only,
            super_read_only: server.read_only && server.super_read_only,
            executed: server.executed.clone(),
            purged: Default::default(),
            replication: server.replication().map(|mut replication| {
                let source = crate::schedule::text::node_of(&replication.source.host);
                replication.source_uuid = source.map(|source| self.nodes[source].mysqld.uuid);
                replication
            }),
            semi_sync_source: Some(SemiSyncSource {
                enabled: server.source_on,
                wait_for_replicas: server.wait_for,
                timeout_ms: if server.source_is_set_up { NO_TIMEOUT_MS } else { 10_000 },
                after_sync: true,
                wait_no_replica: !server.soft,
                clients: self.semi_sync_clients(at),
                waiting_sessions: u32::try_from(server.waiting.len()).unwrap_or(u32::MAX),
                operational: server.source_on && !server.gave_up_waiting,
            }),
            semi_sync_replica: Some(SemiSyncReplica {
                enabled: server.replica_on,
                operational: server.replica_operational,
            }),
            pid_file: String::new(),
            data_dir: String::new(),
            gtid_mode_on: true,
            log_bin: true,
            log_replica_updates: true,
            offline_mode: server.offline,
            relay_log_recovery: server.relay_log_recovery,
            synced: self.nodes[at].synced,
            binlog_file: String::new(),
            binlog_position: 0,
        }
    }
}

impl Mysqld {
    fn replication(&self) -> Option<Replication> {
        let channel = self.channel.as_ref()?;
        Some(Replication {
            source: channel.source.clone(),
            user: ACCOUNT.to_owned(),
            auto_position: channel.configured,
            ssl: true,
            connect_retry_s: 1,
            source_uuid: None,
            receiver: self.receiver,
            applier_running: self.applier,
            retrieved: self.retrieved.clone(),
            receiver_error: self.receiver_error.to_owned(),
            applier_error: String::new(),
            seconds_behind: None,
            lag_us: None,
            source_log_file: String::new(),
            read_source_log_pos: 0,
        })
    }
}
