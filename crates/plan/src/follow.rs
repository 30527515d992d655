//! F1–F3 and S3: following a leader without losing what was received.

use crate::depose;
use crate::fitness::broken_applier;
use crate::observation::{ReceiverState, Replication, ServerState, SourceAddress};
use crate::role::{Seen, Variables};
use crate::step::{Plan, Step, brief};
use xenon_gtid::GtidSet;

pub(crate) fn plan(source: &SourceAddress, acknowledge: bool, seen: &Seen, plan: &mut Plan) {
    let why = format!("{source} is the primary");
    let Some(server) = depose::plan(&why, seen, plan) else { return };
    let restart_receiver = semi_sync_replica(acknowledge, server, seen, plan);
    let settled = match &server.replication {
        Some(replication)
            if is_configured(replication, seen) && keeps_relay_logs(source, replication, server) =>
        {
            repoint(source, replication, restart_receiver, server, seen, plan)
        }
        other => point_anew(source, other.as_ref(), server, seen, plan),
    };
    if seen.sessions_may_wait && !seen.sessions_killed && !plan.has(&Step::KillSessions) {
        // T1: it followed at once, and the new primary is open by now.
        plan.push(Step::KillSessions, format!("clients must look for the new primary: {why}"));
    }
    if !settled {
        return;
    }
    if !seen.account_checked {
        // After all that makes it follow: an account that cannot be made right must not keep a voter from
        // acknowledging.
        plan.push(Step::EnsureAccount, "the others need it on this server when it becomes the primary");
    }
    if seen.variables != Some(Variables::Replica) {
        plan.push(Step::SetVariables { role: Variables::Replica }, "this server is a replica");
    }
}

/// L4. Says whether the receiver must start anew for it to take effect.
fn semi_sync_replica(acknowledge: bool, server: &ServerState, seen: &Seen, plan: &mut Plan) -> bool {
    match server.semi_sync_replica {
        Some(replica) if replica.enabled == acknowledge => {
            // Switched, but the running receiver has yet to take it up. It cannot while its source has semi-sync off or
            // not loaded, so it is not started anew time after time.
            replica.enabled != replica.operational && is_running(server) && seen.retry_due
        }
        None if !acknowledge => false,
        _ => {
            plan.push(
                Step::SemiSyncReplica { on: acknowledge },
                if acknowledge { "voters acknowledge (L4)" } else { "only voters acknowledge (L4)" },
            );
            true
        }
    }
}

fn is_running(server: &ServerState) -> bool {
    server.replication.as_ref().is_some_and(|replication| replication.receiver == ReceiverState::Running)
}

/// All but host and port is as it must be.
fn is_configured(replication: &Replication, seen: &Seen) -> bool {
    replication.auto_position
        && replication.ssl == seen.replication_ssl
        && replication.user == seen.replication_user
        && replication.connect_retry_s == 1
}

/// The relay logs may hold what is not applied yet, or need not be thrown away at all. When they hold nothing and both
/// threads have stopped, a full change is as safe (S3) and does not wait for the applier.
fn keeps_relay_logs(source: &SourceAddress, replication: &Replication, server: &ServerState) -> bool {
    replication.source == *source
        || replication.applier_running
        || replication.receiver != ReceiverState::Stopped
        || !server.unapplied().is_empty()
}

/// Says whether the plan leads all the way; not when a look is wanted first.
fn repoint(
    source: &SourceAddress,
    replication: &Replication,
    restart: bool,
    server: &ServerState,
    seen: &Seen,
    plan: &mut Plan,
) -> bool {
    let elsewhere = replication.source != *source;
    if elsewhere && !replication.applier_running {
        if !start_applier(replication, server, seen, plan) {
            plan.troubles.push("this node follows no one until its applier runs again".to_owned());
        }
        // S3: relay logs survive a change of source only while the applier runs, and one that has just been
        // started may stop at once again, on the transaction on which it stopped before.
        return false;
    }
    if elsewhere || restart {
        if replication.receiver != ReceiverState::Stopped {
            plan.push(
                Step::StopReceiver,
                if elsewhere {
                    format!("it follows {}, but {source} is the primary", replication.source)
                } else {
                    "so that the semi-sync setting takes effect".to_owned()
                },
            );
        }
        if elsewhere {
            plan.push(Step::Repoint { source: source.clone() }, "relay logs are kept (S3)");
        }
        plan.push(Step::StartReceiver, format!("{source} is the primary"));
    } else if replication.receiver == ReceiverState::Stopped {
        if replication.receiver_error.is_empty() || seen.retry_due {
            plan.push(Step::StartReceiver, "the receiver does not run");
        }
        if !replication.receiver_error.is_empty() {
            plan.troubles.push(told_receiver_error(&replication.receiver_error));
        }
    } else if replication.receiver == ReceiverState::Connecting && !replication.receiver_error.is_empty() {
        plan.troubles.push(format!("the receiver cannot connect: {}", replication.receiver_error));
    }
    // The receiver first: the new primary's marker waits for somebody's acknowledgement, and switching the
    // source side off takes up to a second.
    if replication.applier_running {
        semi_sync_source_off(server, plan);
    } else {
        start_applier(replication, server, seen, plan);
    }
    true
}

fn told_receiver_error(error: &str) -> String {
    if lacks_purged(error) {
        return format!(
            "this node needs a rebuild: the primary has purged binlogs that this node has not received (it was gone for \
             too long, see raft.purge-binlog-wait); rebuild it: xenoncli mysql rebuildme. The receiver: {error}"
        );
    }
    format!("the receiver has stopped: {error}")
}

/// The source says that it does not have any more what this server would get next.
pub fn lacks_purged(receiver_error: &str) -> bool {
    receiver_error.contains("1236") && receiver_error.contains("purged")
}

fn point_anew(
    source: &SourceAddress,
    replication: Option<&Replication>,
    server: &ServerState,
    seen: &Seen,
    plan: &mut Plan,
) -> bool {
    if let Some(replication) = replication {
        if replication.receiver != ReceiverState::Stopped {
            plan.push(Step::StopReceiver, "its settings are not ours");
            // S3: what it has received until it stopped only the next look shows.
            return false;
        }
        if !server.unapplied().is_empty() {
            // S3: a full change throws relay logs away, so they are applied first.
            semi_sync_source_off(server, plan);
            if !replication.applier_running && !start_applier(replication, server, seen, plan) {
                return false;
            }
            plan.push(
                Step::WaitApplied { set: replication.retrieved.clone() },
                "a full change of source throws relay logs away (S3)",
            );
        }
        plan.push(Step::StopReplication, "its settings are not ours");
    }
    plan.push(Step::PointAnew { source: source.clone() }, format!("{source} is the primary"));
    // The receiver first, as when re-pointing.
    plan.push(Step::StartReceiver, format!("{source} is the primary"));
    semi_sync_source_off(server, plan);
    plan.push(Step::StartApplier, format!("{source} is the primary"));
    true
}

/// Says whether it is to be started: one that has stopped with an error is tried again now and then only.
fn start_applier(replication: &Replication, server: &ServerState, seen: &Seen, plan: &mut Plan) -> bool {
    if !replication.applier_error.is_empty() && !seen.retry_due {
        return false;
    }
    semi_sync_source_off(server, plan);
    plan.push(Step::StartApplier, "the applier does not run");
    true
}

/// Whatever this node is to be: with a broken applier it falls behind, and cannot lead.
pub(crate) fn tell_broken_applier(seen: &Seen, plan: &mut Plan) {
    if let Some(error) = broken_applier(seen) {
        plan.troubles.push(format!(
            "the applier has stopped: {error}. This node falls behind and may not lead until the cause is repaired (the applier \
             is tried again every few seconds) or the node is rebuilt"
        ));
    }
}

/// The applier's commits would wait for acknowledgements that nobody sends. Nothing is released by it (D2): the
/// server is read-only and drained before this step.
fn semi_sync_source_off(server: &ServerState, plan: &mut Plan) {
    if !plan.has(&Step::SemiSyncSourceOff) && server.semi_sync_source.is_some_and(|source| source.enabled) {
        plan.push(Step::SemiSyncSourceOff, "a replica's applier must not wait for acknowledgements");
    }
}

pub(crate) fn plan_invalid(errant: &GtidSet, seen: &Seen, plan: &mut Plan) {
    plan.troubles.push(format!(
        "INVALID: the leader does not have {} ({} transaction(s)); this node does not follow until it is \
         rebuilt, or they are judged by an operator",
        brief(errant),
        errant.count()
    ));
    let why = "this node has transactions that the leader lacks";
    let Some(server) = depose::plan(why, seen, plan) else { return };
    stop_receiver("an errant node does not follow (F2)", server, plan);
}

pub(crate) fn plan_removed(seen: &Seen, plan: &mut Plan) {
    let Some(server) = depose::plan("this node was removed from the cluster", seen, plan) else { return };
    stop_receiver("a removed node must acknowledge nothing (L4)", server, plan);
    if server.semi_sync_replica.is_some_and(|replica| replica.enabled) {
        plan.push(Step::SemiSyncReplica { on: false }, "a removed node must acknowledge nothing (L4)");
    }
}

fn stop_receiver(why: &str, server: &ServerState, plan: &mut Plan) {
    let receiver =
        server.replication.as_ref().map_or(ReceiverState::Stopped, |replication| replication.receiver);
    if receiver != ReceiverState::Stopped {
        plan.push(Step::StopReceiver, why);
    }
}
