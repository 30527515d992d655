//! States to start from, and short ways to write them and what is planned for them.

#![allow(dead_code, reason = "each test file is a program of its own and uses a part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test, in its helpers too")]

use xenon_gtid::{GtidSet, Uuid};
use xenon_plan::health::Verdict;
use xenon_plan::observation::{
    ReceiverState, Replication, SemiSyncReplica, SemiSyncSource, ServerState, SourceAddress,
};
use xenon_plan::{Address, Faults, Plan, Process, Role, Seen, Step, Variables, plan};

pub(crate) const OWN: &str = "00000000-0000-0000-0000-00000000000a";
pub(crate) const OTHER: &str = "00000000-0000-0000-0000-00000000000b";
pub(crate) const MARKERS: &str = "00000000-0000-0000-0000-0000000000ff";
pub(crate) const TERM: u64 = 5;
/// What the agent sets; anything of that size is no timeout.
pub(crate) const FOR_EVER_MS: u64 = 1_000_000_000_000_000_000;

pub(crate) fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

/// `set("b:1-3")`: `a` is the server's own UUID, `b` another server's, `m` the markers'.
pub(crate) fn set(text: &str) -> GtidSet {
    let long = text.replace("a:", &format!("{OWN}:")).replace("m:", &format!("{MARKERS}:"));
    long.replace("b:", &format!("{OTHER}:")).parse().unwrap()
}

pub(crate) fn address(host: &str) -> SourceAddress {
    SourceAddress { host: host.to_owned(), port: 3306 }
}

pub(crate) fn semi_sync_source(enabled: bool) -> SemiSyncSource {
    SemiSyncSource {
        enabled,
        wait_for_replicas: 1,
        timeout_ms: if enabled { FOR_EVER_MS } else { 10_000 },
        after_sync: true,
        wait_no_replica: true,
        clients: 0,
        waiting_sessions: 0,
        operational: enabled,
    }
}

/// As it starts: closed, following nobody, semi-sync loaded and off.
pub(crate) fn fresh_server() -> ServerState {
    ServerState {
        server_uuid: uuid(OWN),
        version: "9.7.4".to_owned(),
        server_id: 1,
        read_only: true,
        super_read_only: true,
        executed: set("b:1-10,m:1-4"),
        purged: GtidSet::new(),
        replication: None,
        semi_sync_source: Some(semi_sync_source(false)),
        semi_sync_replica: Some(SemiSyncReplica { enabled: false, operational: false }),
        pid_file: "mysqld.pid".to_owned(),
        data_dir: "/data".to_owned(),
        gtid_mode_on: true,
        log_bin: true,
        log_replica_updates: true,
        offline_mode: false,
        relay_log_recovery: false,
        synced: true,
        binlog_file: "binlog.000001".to_owned(),
        binlog_position: 4,
    }
}

/// Follows `host` as the agent would have set it up, all applied.
pub(crate) fn replication(host: &str) -> Replication {
    Replication {
        source: address(host),
        user: "repl".to_owned(),
        auto_position: true,
        ssl: true,
        connect_retry_s: 1,
        source_uuid: None,
        receiver: ReceiverState::Running,
        applier_running: true,
        retrieved: set("b:5-10"),
        receiver_error: String::new(),
        applier_error: String::new(),
        seconds_behind: Some(0),
        lag_us: Some(0),
        source_log_file: String::new(),
        read_source_log_pos: 0,
    }
}

/// A voter that follows `host`; nothing to do for it.
pub(crate) fn replica_of(host: &str) -> Seen {
    let mut seen = seen(ServerState {
        replication: Some(replication(host)),
        semi_sync_replica: Some(SemiSyncReplica { enabled: true, operational: true }),
        ..fresh_server()
    });
    seen.variables = Some(Variables::Replica);
    seen
}

/// A candidate right after its election: its receiver was stopped before it read its position (V2).
pub(crate) fn elected() -> Seen {
    let mut seen = replica_of("old");
    replication_of(&mut seen).receiver = ReceiverState::Stopped;
    seen
}

/// The open primary of [`TERM`]; nothing to do for it.
pub(crate) fn open_primary() -> Seen {
    let mut seen = seen(ServerState {
        read_only: false,
        super_read_only: false,
        executed: set("b:1-10,m:1-5"),
        semi_sync_source: Some(semi_sync_source(true)),
        ..fresh_server()
    });
    seen.variables = Some(Variables::Primary);
    seen.address = Address::Here;
    seen.sessions_killed = false;
    seen
}

pub(crate) fn seen(server: ServerState) -> Seen {
    Seen {
        process: Process::Running,
        server: Some(server),
        health: Verdict::Serving,
        address: Address::Away,
        sessions_may_wait: false,
        replication_user: "repl".to_owned(),
        replication_ssl: true,
        account_checked: true,
        variables: None,
        sessions_killed: true,
        drain_timed_out: false,
        offline_is_ours: false,
        retry_due: true,
        faults: Faults::default(),
    }
}

pub(crate) fn server_of(seen: &mut Seen) -> &mut ServerState {
    seen.server.as_mut().unwrap()
}

pub(crate) fn replication_of(seen: &mut Seen) -> &mut Replication {
    server_of(seen).replication.as_mut().unwrap()
}

pub(crate) fn primary() -> Role {
    primary_with(1)
}

pub(crate) fn primary_with(acknowledgements: u32) -> Role {
    Role::Primary {
        term: TERM,
        markers: uuid(MARKERS),
        acknowledgements,
        soft: false,
        closed: false,
        handed_over: false,
    }
}

pub(crate) fn follow(host: &str) -> Role {
    Role::Replica { source: address(host), acknowledge: true }
}

pub(crate) fn fenced() -> Role {
    Role::Fenced { reason: "no majority".to_owned() }
}

/// Names of the planned steps, in order.
pub(crate) fn names(role: &Role, seen: &Seen) -> Vec<&'static str> {
    plan(role, seen).steps.iter().map(|planned| planned.step.name()).collect()
}

pub(crate) fn steps(role: &Role, seen: &Seen) -> Vec<Step> {
    plan(role, seen).steps.into_iter().map(|planned| planned.step).collect()
}

/// The sentence of the step of that name.
pub(crate) fn why(plan: &Plan, name: &str) -> String {
    let planned = plan.steps.iter().find(|planned| planned.step.name() == name);
    planned.unwrap_or_else(|| panic!("no step {name} in {plan:?}")).why.clone()
}

pub(crate) fn troubles(role: &Role, seen: &Seen) -> String {
    plan(role, seen).troubles.join("; ")
}
