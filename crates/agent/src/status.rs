//! What this node says of itself.

use crate::agent::Agent;
use crate::rebuild::Job;
use xenon_api::{
    BackupStatus, Explanation, JobKind, JobStatus, MemberStatus, MysqlStatus, MysqldStatus, NodeExplanation,
    NodeStatus, ReplicationStatus,
};
use xenon_election::{Explained, ExplainedNode, NodeId};
use xenon_plan::observation::{ReceiverState, Replication};

impl Agent {
    pub(crate) fn status(&self) -> NodeStatus {
        let record = self.core.record();
        let config = record.config.as_ref();
        NodeStatus {
            id: self.core.id().clone(),
            state: self.core.state().word().to_owned(),
            view_id: record.term,
            epoch_id: config.map_or(0, |config| config.id.version),
            cluster: config.map(|config| config.cluster),
            leader: self.core.leader().cloned(),
            members: config.map_or_else(Vec::new, |config| {
                config
                    .members
                    .iter()
                    .map(|(id, member)| MemberStatus {
                        id: id.clone(),
                        standing: member.standing,
                        priority: member.priority,
                    })
                    .collect()
            }),
            mysqld: self.mysqld_status(),
            mysql: self.mysql_status(),
            backup: self.backup_status(),
            job: self.job_status(),
            doubt: record.doubt.as_ref().map(|doubt| doubt.reason.clone()),
            rejoin: config.map(|config| config.rejoin).unwrap_or_default(),
            counters: self.counters,
            unfit: self.core.unfit(),
            errant: record.errant.clone(),
            doing: self.local.doing.clone(),
            troubles: self.troubles(),
            purge: self.purge.status(self.local.server.as_ref()),
            holds_binlogs: self.holds_binlogs(),
            service_address: self.vip.status(),
            last_promotion: self.events.last_promotion(),
            config_path: self.config_path.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.began.elapsed().as_secs(),
            state_uptime_s: self.state.1.elapsed().as_secs(),
        }
    }

    /// Why each node leads, may lead, or may not.
    pub(crate) fn explanation(&self) -> Explanation {
        let Explained { nodes, cluster, next } = self.core.explain();
        let heard = |id: &NodeId| {
            self.heard.get(id).map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
        };
        let nodes = nodes.into_iter().map(|ExplainedNode { node, leads, may_lead, why }| NodeExplanation {
            heard_ms_ago: heard(&node),
            node,
            leads,
            may_lead,
            why,
        });
        Explanation { by: self.core.id().clone(), nodes: nodes.collect(), cluster, next }
    }

    /// What the plans found wrong, and what the elections have to say.
    fn troubles(&self) -> Vec<String> {
        let record = self.core.record();
        let degraded =
            self.core.degraded().map(|why| format!("DEGRADED: {why}; commits wait for no replica (C5)"));
        let doubt = record.doubt.as_ref().map(|doubt| {
            format!(
                "{}: its vote counts only beside all others' until it has caught up with a leader (S3)",
                doubt.reason
            )
        });
        let paused = self.core.is_paused().then(|| {
            "the cluster is paused: nobody is elected, whatever happens (end it: xenoncli cluster resume)"
                .to_owned()
        });
        let rebuild = self.rebuild.auto.trouble();
        let http = self.http.as_ref().and_then(crate::http::Outlet::trouble);
        let lasting =
            self.local.troubles.iter().cloned().chain(self.purge.troubles()).chain(self.vip.troubles());
        [degraded, doubt, paused, rebuild, http].into_iter().flatten().chain(lasting).collect()
    }

    /// In the words of the Go tool's table.
    fn backup_status(&self) -> BackupStatus {
        let Some(job) = self.job_status() else {
            return BackupStatus { state: "NONE".to_owned(), last_error: String::new() };
        };
        let state = match job.kind {
            _ if !job.is_active() => "NONE",
            JobKind::Backup => "BACKUPING",
            JobKind::Rebuild => "REBUILDING",
            JobKind::Restore => "RESTORING",
        };
        BackupStatus { state: state.to_owned(), last_error: job.last_error }
    }

    /// The one under way, else the one that began last.
    fn job_status(&self) -> Option<JobStatus> {
        let jobs = [self.rebuild.job.as_ref().map(Job::status), self.backups.status()];
        jobs.into_iter().flatten().max_by_key(|job| (job.is_active(), job.started_unix_ms))
    }

    fn mysqld_status(&self) -> MysqldStatus {
        let local = &self.local;
        MysqldStatus {
            running: local.is_running(),
            pid: local.mysqld.as_ref().and_then(|mysqld| u32::try_from(mysqld.pid()).ok()),
            monitor: local.monitor,
            last_error: local.mysqld_error.clone(),
            starts: local.starts,
        }
    }

    fn mysql_status(&self) -> MysqlStatus {
        let address = format!("{}:{}", self.config.replication_host(), self.config.mysql.port);
        let last_error = self.local.look_error.clone();
        let Some(server) = &self.local.server else {
            return MysqlStatus { address, last_error, ..MysqlStatus::default() };
        };
        let cluster = self.core.record().config.as_ref().map(|config| config.cluster);
        MysqlStatus {
            alive: last_error.is_empty() && self.local.health.cannot_serve().is_none(),
            writable: server.is_writable(),
            address,
            version: server.version.clone(),
            server_uuid: Some(server.server_uuid),
            executed: server.executed.clone(),
            purged: server.purged.clone(),
            marker: cluster.and_then(|cluster| server.received().last_number(&cluster)).unwrap_or(0),
            binlog_file: server.binlog_file.clone(),
            binlog_position: server.binlog_position,
            replication: server.replication.as_ref().map(replication_status),
            semi_sync_source: server
                .semi_sync_source
                .map(|source| (source.enabled, source.wait_for_replicas, source.clients)),
            semi_sync_replica: server.semi_sync_replica.map(|replica| replica.enabled),
            last_error,
        }
    }
}

fn replication_status(replication: &Replication) -> ReplicationStatus {
    let last_error = if replication.applier_error.is_empty() {
        replication.receiver_error.clone()
    } else {
        replication.applier_error.clone()
    };
    ReplicationStatus {
        source: replication.source.to_string(),
        io_running: replication.receiver == ReceiverState::Running,
        sql_running: replication.applier_running,
        retrieved: replication.retrieved.clone(),
        source_log_file: replication.source_log_file.clone(),
        read_source_log_pos: replication.read_source_log_pos,
        seconds_behind: replication.seconds_behind,
        lag_us: replication.lag_us,
        last_error,
    }
}
