//! F1–F3 and S3: following a leader without losing what was received.

use crate::depose;
use crate::observation::{ReceiverState, Replication, ServerState, SourceAddress};
use crate::role::{Seen, Variables};
use crate::step::{Plan, Step, brief};
use xenon_gtid::GtidSet;

pub(crate) fn plan(source: &SourceAddress, acknowledge: bool, seen: &Seen, plan: &mut Plan) {
    let why = format!("{source} is the primary");
    depose::plan(&why, true, seen, plan);
    let Some(server) = &seen.server else { return };
    if plan.steps.iter().any(|planned| planned.step == Step::KillMysqld) {
        return;
    }
    if !seen.account_checked {
        plan.push(Step::EnsureAccount, "the others need it on this server when it becomes the primary");
    }
    let mut restart_receiver = false;
    match server.semi_sync_replica {
        Some(replica) if replica.enabled == acknowledge => {
            // Switched, but the running receiver has yet to take it up.
            restart_receiver = replica.enabled != replica.operational && is_running(server);
        }
        None if !acknowledge => {}
        _ => {
            plan.push(
                Step::SemiSyncReplica { on: acknowledge },
                if acknowledge { "voters acknowledge (L4)" } else { "only voters acknowledge (L4)" },
            );
            restart_receiver = true;
        }
    }
    match &server.replication {
        Some(replication) if is_configured(replication, seen) => {
            semi_sync_source_off(server, plan);
            repoint(source, replication, restart_receiver, seen, plan);
        }
        other => point_anew(source, other.as_ref(), server, plan),
    }
    if seen.variables != Some(Variables::Replica) {
        plan.push(Step::SetVariables { role: Variables::Replica }, "this server is a replica");
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

fn repoint(source: &SourceAddress, replication: &Replication, restart: bool, seen: &Seen, plan: &mut Plan) {
    let elsewhere = replication.source != *source;
    if !replication.applier_running {
        if replication.applier_error.is_empty() || seen.retry_due {
            // S3: relay logs survive a change of source only while the applier runs.
            plan.push(Step::StartApplier, "the applier does not run");
        } else {
            plan.troubles.push(format!(
                "the applier has stopped: {}; repair the cause, or rebuild this node",
                replication.applier_error
            ));
            if elsewhere {
                plan.troubles.push("this node follows no one until its applier runs again".to_owned());
                return;
            }
        }
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
        return;
    }
    if replication.receiver == ReceiverState::Stopped {
        if replication.receiver_error.is_empty() || seen.retry_due {
            plan.push(Step::StartReceiver, "the receiver does not run");
        }
        if !replication.receiver_error.is_empty() {
            plan.troubles.push(format!("the receiver has stopped: {}", replication.receiver_error));
        }
    } else if replication.receiver == ReceiverState::Connecting && !replication.receiver_error.is_empty() {
        plan.troubles.push(format!("the receiver cannot connect: {}", replication.receiver_error));
    }
}

fn point_anew(
    source: &SourceAddress,
    replication: Option<&Replication>,
    server: &ServerState,
    plan: &mut Plan,
) {
    if let Some(replication) = replication {
        if !server.unapplied().is_empty() {
            // S3: a full change throws relay logs away, so they are applied first.
            if replication.receiver != ReceiverState::Stopped {
                plan.push(Step::StopReceiver, "its settings are not ours");
            }
            if !replication.applier_running {
                plan.push(Step::StartApplier, "received transactions are applied first");
            }
            plan.push(
                Step::WaitApplied { set: replication.retrieved.clone() },
                "a full change of source throws relay logs away (S3)",
            );
        }
        plan.push(Step::StopReplication, "its settings are not ours");
    }
    plan.push(Step::PointAnew { source: source.clone() }, format!("{source} is the primary"));
    // The receiver first: the new primary's marker waits for somebody's acknowledgement, and switching the
    // source side off takes up to a second.
    plan.push(Step::StartReceiver, format!("{source} is the primary"));
    semi_sync_source_off(server, plan);
    plan.push(Step::StartApplier, format!("{source} is the primary"));
}

/// The applier's commits would wait for acknowledgements that nobody sends. Nothing is released by it (D2): the
/// server is read-only and drained before this step.
fn semi_sync_source_off(server: &ServerState, plan: &mut Plan) {
    if server.semi_sync_source.is_some_and(|source| source.enabled) {
        plan.push(Step::SemiSyncSourceOff, "a replica's applier must not wait for acknowledgements");
    }
}

pub(crate) fn plan_invalid(errant: &GtidSet, seen: &Seen, plan: &mut Plan) {
    depose::plan("this node has transactions that the leader lacks", true, seen, plan);
    plan.troubles.push(format!(
        "INVALID: the leader does not have {} ({} transaction(s)); this node does not follow until it is \
         rebuilt, or they are judged by an operator",
        brief(errant),
        errant.count()
    ));
    if let Some(replication) = seen.server.as_ref().and_then(|server| server.replication.as_ref())
        && replication.receiver != ReceiverState::Stopped
    {
        plan.push(Step::StopReceiver, "an errant node does not follow (F2)");
    }
}

pub(crate) fn plan_removed(seen: &Seen, plan: &mut Plan) {
    depose::plan("this node was removed from the cluster", true, seen, plan);
    let Some(server) = &seen.server else { return };
    if let Some(replication) = &server.replication
        && (replication.receiver != ReceiverState::Stopped)
    {
        plan.push(Step::StopReceiver, "a removed node must acknowledge nothing (L4)");
    }
    if server.semi_sync_replica.is_some_and(|replica| replica.enabled) {
        plan.push(Step::SemiSyncReplica { on: false }, "a removed node must acknowledge nothing (L4)");
    }
}
