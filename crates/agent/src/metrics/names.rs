//! Every metric: name, kind, labels and meaning. `docs/reference/metrics.md` is written from this list, and a test holds a
//! real page against it.

use super::page::{Family, Kind};

macro_rules! families {
    ($( $id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal; )*) => {
        $(
            pub(crate) static $id: Family =
                Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// All of them, in the order of a page.
        #[cfg(test)]
        pub(crate) static ALL: &[&Family] = &[$(&$id),*];
    };
}

families! {
    BUILD: Gauge "xenon_build_info" ["version"] "Always 1; the agent's version.";
    NODE: Gauge "xenon_node_info" ["node", "cluster"] "Always 1; who the node is and the UUID of its cluster (empty: member of none).";
    UPTIME: Gauge "xenon_uptime_seconds" [] "Since the agent started.";

    STATE: Gauge "xenon_state" ["state"] "1 for the node's state, 0 for the others: leader, candidate, follower, learner, idle, invalid, stopped.";
    STATE_AGE: Gauge "xenon_state_age_seconds" [] "Since the node took on its state.";
    IS_LEADER: Gauge "xenon_is_leader" [] "1 while this node leads.";
    HAS_LEADER: Gauge "xenon_has_leader" [] "1 while this node leads or hears a leader.";
    LEADER: Gauge "xenon_leader_info" ["leader"] "Always 1; the leader that this node is or hears. Absent without one.";
    LEASE: Gauge "xenon_lease_remaining_seconds" [] "On the leader: how long it may serve without hearing a majority again.";
    TERM: Gauge "xenon_term" [] "Raft term.";
    CONFIG: Gauge "xenon_config_version" [] "Version of the member list; 0 = member of no cluster.";
    MEMBER: Gauge "xenon_member_info" ["member", "standing"] "Always 1; a member and what it may do: voter, joining, leaving or idle.";
    PRIORITY: Gauge "xenon_member_priority" ["member"] "Preference among equally recent nodes; 0 never leads.";
    HEARD: Gauge "xenon_member_heard_age_seconds" ["member"] "Since a message of this other member came in. A leader hears all, a follower its leader; absent if never.";
    WITNESS: Gauge "xenon_witness" [] "1 if this node has no mysqld and only votes; then there are no metrics of one.";
    PAUSED: Gauge "xenon_paused" [] "1 while elections are held off by an operator.";
    DEGRADED: Gauge "xenon_degraded" [] "On the leader: 1 while commits wait for no replica, for none is there.";
    MAY_LEAD: Gauge "xenon_may_lead" [] "1 if this node might be elected now; its status says why not.";
    DOUBT: Gauge "xenon_in_doubt" [] "1 while this node may lack what it has acknowledged (after a loss of power, say).";
    TROUBLES: Gauge "xenon_troubles" [] "How many things this node's status names that an operator should look at.";
    ADDRESS: Gauge "xenon_address_here" [] "1 while the service address is here, as far as the start and stop commands tell.";

    MYSQLD_UP: Gauge "xenon_mysqld_up" [] "1 while the process of mysqld runs.";
    MYSQLD_ANSWERS: Gauge "xenon_mysqld_answers" [] "1 while mysqld answers its probes and the last look at it went well.";
    MYSQLD_MONITORED: Gauge "xenon_mysqld_monitored" [] "1 while the agent starts mysqld again when it has died.";
    MYSQLD_STARTS: Counter "xenon_mysqld_starts_total" [] "Times that the agent has started mysqld.";
    MYSQL: Gauge "xenon_mysql_info" ["version", "server_uuid"] "Always 1; what the server says it is.";
    WRITABLE: Gauge "xenon_mysql_writable" [] "1 while clients may write here.";
    READ_ONLY: Gauge "xenon_mysql_read_only" [] "The server's read_only.";
    SUPER_READ_ONLY: Gauge "xenon_mysql_super_read_only" [] "The server's super_read_only, in force.";
    OFFLINE: Gauge "xenon_mysql_offline_mode" [] "The server's offline_mode.";

    EXECUTED: Gauge "xenon_gtid_executed_transactions" [] "Transactions in gtid_executed.";
    RECEIVED: Gauge "xenon_gtid_received_transactions" [] "Transactions executed, or received and not applied yet.";
    UNAPPLIED: Gauge "xenon_gtid_unapplied_transactions" [] "Transactions received and not applied yet.";
    ERRANT: Gauge "xenon_gtid_errant_transactions" [] "Transactions here that the leader does not have.";

    RECEIVER: Gauge "xenon_replication_receiver_running" [] "On a replica: 1 while the receiver thread is connected.";
    APPLIER: Gauge "xenon_replication_applier_running" [] "On a replica: 1 while the applier thread runs.";
    LAG: Gauge "xenon_replication_lag_seconds" [] "Age of the oldest transaction received and not applied, by both hosts' clocks; 0 if there is none. Absent while receiver or applier does not run, and on a primary.";
    SOURCE: Gauge "xenon_replication_source_info" ["source"] "Always 1; whom this replica replicates from.";

    SEMI_SOURCE: Gauge "xenon_semi_sync_source_on" [] "1 while commits here wait for acknowledgements.";
    SEMI_WAIT: Gauge "xenon_semi_sync_acknowledgements_wanted" [] "How many acknowledgements a commit here waits for when that is on.";
    SEMI_CLIENTS: Gauge "xenon_semi_sync_clients" [] "Replicas connected that acknowledge.";
    SEMI_SESSIONS: Gauge "xenon_semi_sync_waiting_sessions" [] "Sessions that wait for an acknowledgement now.";
    SEMI_REPLICA: Gauge "xenon_semi_sync_replica_on" [] "1 while this replica is set to acknowledge.";

    PRE_VOTES_ASKED: Counter "xenon_pre_votes_asked_total" [] "Times this node asked whether it would be elected.";
    ELECTIONS_BEGUN: Counter "xenon_elections_begun_total" [] "Times this node stood for election.";
    ELECTIONS_WON: Counter "xenon_elections_won_total" [] "Times it was elected.";
    ELECTIONS_LOST: Counter "xenon_elections_lost_total" [] "Times it was not.";
    RESUMED: Counter "xenon_leaderships_resumed_total" [] "Times it took up its own leadership again after a restart of the agent.";
    VOTES_GRANTED: Counter "xenon_votes_granted_total" [] "Votes of this node for others.";
    VOTES_REFUSED: Counter "xenon_votes_refused_total" ["reason"] "Votes and pre-votes that this node refused to others: old-term, old-config, leader-alive, already-voted, behind, not-voter, doubtful, unreadable.";
    VOTES_RECEIVED: Counter "xenon_votes_received_total" [] "Votes of others for this node.";
    REFUSALS: Counter "xenon_vote_refusals_received_total" ["reason"] "Votes and pre-votes that others refused to this node, by the same reasons.";
    PROMOTIONS: Counter "xenon_promotions_total" [] "Times the server here was opened as the primary.";
    DEMOTIONS: Counter "xenon_demotions_total" [] "Times it was the primary and stopped being it.";
    HANDOVERS_BEGUN: Counter "xenon_handovers_begun_total" [] "Planned handovers that this leader began.";
    HANDOVERS_DONE: Counter "xenon_handovers_done_total" [] "Of them those after which it leads no more.";
    LAST_PROMOTION: Gauge "xenon_last_promotion_timestamp_seconds" [] "When the server here was opened last, seconds since 1970. Absent before the first time since the agent started.";
    LAST_CAUSE: Gauge "xenon_last_promotion_info" ["cause"] "Always 1; why it came to it: start, leader-lost, told (the old leader gave way), handover, mysqld, other.";
    LAST_TOTAL: Gauge "xenon_last_promotion_seconds" [] "How long the last one took, from this node's first event of it.";
    LAST_PHASE: Gauge "xenon_last_promotion_phase_seconds" ["phase"] "How long each phase of it took.";
    RESCUED: Counter "xenon_rescued_transactions_total" [] "Transactions fetched from the binary logs of dead servers.";

    REWINDS: Counter "xenon_rewinds_total" ["outcome"] "Rewinds of a crashed primary here: done or failed.";
    JOBS: Counter "xenon_jobs_total" ["kind", "outcome"] "Rebuilds, backups and restores of this node that ended: done, failed or cancelled.";
    JOB_ACTIVE: Gauge "xenon_job_active" ["kind"] "1 while a rebuild, backup or restore goes on here.";
    JOB_DONE: Gauge "xenon_job_copied_bytes" [] "What it has copied. Absent when none goes on.";
    JOB_TOTAL: Gauge "xenon_job_size_bytes" [] "What it has to copy, as far as known. Absent when none goes on.";
    JOB_TRIES: Gauge "xenon_job_tries" [] "Attempts begun. Absent when none goes on.";

    BINLOG_BYTES: Gauge "xenon_binlog_bytes" [] "Size of the server's binary logs at the last round of purging.";
    BINLOG_FILES: Gauge "xenon_binlog_files" [] "Their number.";
    BINLOG_PURGED: Counter "xenon_binlog_purged_files_total" [] "Files that the agent has purged.";
    BINLOG_PURGE: Gauge "xenon_binlog_purge_on" [] "1 while the agent purges them.";
    BINLOG_HELD: Gauge "xenon_binlog_held_members" [] "Members for which files are kept.";

    EVENTS: Counter "xenon_events_total" ["kind"] "Events by kind: election, step, mysqld, config, handover, operator, hook, job, trouble, agent.";

    CPU: Counter "process_cpu_seconds_total" [] "Processor time that the agent has used.";
    RESIDENT: Gauge "process_resident_memory_bytes" [] "Memory of the agent that is in use.";
    VIRTUAL: Gauge "process_virtual_memory_bytes" [] "Memory of the agent that is reserved.";
    FDS: Gauge "process_open_fds" [] "Files and sockets that the agent has open.";
    MAX_FDS: Gauge "process_max_fds" [] "How many it may have open.";
    THREADS: Gauge "process_threads" [] "Its threads.";
    START: Gauge "process_start_time_seconds" [] "When it started, seconds since 1970.";
}
