//! L2: the order in which a server becomes the primary.

use crate::health::Verdict;
use crate::observation::{ReceiverState, SemiSyncSource, ServerState};
use crate::role::{Address, Process, Seen, Variables};
use crate::step::{Plan, Step, brief};
use xenon_gtid::{Gtid, Uuid};

/// Whether the server is the open primary of `term`: the marker executed (so acknowledged) and writes open.
pub fn is_promoted(server: &ServerState, term: u64, markers: &Uuid) -> bool {
    server.is_writable() && has_marker(server, term, markers)
}

fn has_marker(server: &ServerState, term: u64, markers: &Uuid) -> bool {
    server.executed.last_number(markers).is_some_and(|marker| marker >= term)
}

/// How commits wait (L4).
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    /// W.
    pub(crate) acknowledgements: u32,
    /// C5: only while a replica is connected.
    pub(crate) soft: bool,
}

/// It waits for W acknowledgements and never goes on without, but as C5 allows.
pub(crate) fn semi_sync_is_right(source: &SemiSyncSource, wait: Wait) -> bool {
    let Wait { acknowledgements, soft } = wait;
    let count_is_right = source.wait_for_replicas == acknowledgements.max(1);
    // W = 0: a cluster of one voter has nobody to wait for.
    let on_is_right = source.enabled == (acknowledgements > 0);
    // After the commit (AFTER_COMMIT) others read a row before a majority has it, and no rewind (W1) gets rid of it.
    let waits = count_is_right
        && source.timeout_ms >= NO_TIMEOUT_MS
        && source.wait_no_replica != soft
        && source.after_sync;
    on_is_right && (acknowledgements == 0 || waits)
}

/// A timeout of this many milliseconds (about 30 years) or more counts as none.
pub const NO_TIMEOUT_MS: u64 = 1_000_000_000_000;

/// T1, from both sides.
#[derive(Clone, Copy)]
pub(crate) struct Handover {
    /// Writes are closed for one.
    pub(crate) closed: bool,
    /// This server has become the primary by one.
    pub(crate) handed_over: bool,
}

pub(crate) fn plan(term: u64, markers: &Uuid, wait: Wait, handover: Handover, seen: &Seen, plan: &mut Plan) {
    // A server that is going down takes no statements; the leader hands over (L6).
    if seen.process != Process::Running || seen.health == Verdict::Dying {
        return;
    }
    let Some(server) = &seen.server else { return };
    if handover.closed {
        if !server.super_read_only {
            plan.push(Step::CloseWrites, "a handover is under way (T1)");
        }
        return;
    }
    let marked = has_marker(server, term, markers);
    // T1: nothing more can come in, and all that did is applied. Stopping replication takes longer than all the rest, so it
    // comes after opening.
    let nothing_before = handover.handed_over && server.super_read_only;
    if !marked && !nothing_before && !before_the_marker(term, server, seen, plan) {
        return;
    }
    semi_sync(wait, server, plan);
    // Or closed by a step above.
    let is_closed = server.super_read_only || plan.has(&Step::CloseWrites);
    if is_closed {
        plan.push(Step::AllowOwnWrites, "the marker must be written before clients write (L2)");
    }
    if !seen.account_checked {
        plan.push(Step::EnsureAccount, "replicas log in with it, and the marker waits for them");
    }
    if !marked {
        plan.push(
            Step::WriteMarker { markers: *markers, term },
            "its acknowledgement proves that a majority follows this term (L3)",
        );
    }
    if seen.variables != Some(Variables::Primary) {
        plan.push(Step::SetVariables { role: Variables::Primary }, "this server is the primary");
    }
    if server.offline_mode && seen.offline_is_ours {
        plan.push(Step::GoOnline, "this node leads on, and clients may come back");
    }
    if !server.is_writable() || is_closed {
        plan.push(Step::Open, "the marker is acknowledged (L2)");
    }
    if matches!(seen.address, Address::Away | Address::Unknown) {
        plan.push(Step::AddressUp, "this node leads and its server is open");
    }
    if marked && !is_closed {
        release(server, seen, plan);
    }
    // After opening: it takes milliseconds that clients need not wait for.
    follow_nobody(marked, server, plan);
}

/// The number is so far ahead of all that are known that it is no commit's under way; those in between are given out later.
const AHEAD: u64 = 1_000;

/// Semi-sync acknowledges positions, so that of a later transaction releases whatever waits before it. One is acknowledged
/// only by a replica that has all before it, so nobody is told OK whose commit is not with a voter (D2).
///
/// It is a GTID of the server's own, as those of clients: no follower takes it for errant while it waits (F2).
fn release(server: &ServerState, seen: &Seen, plan: &mut Plan) {
    let Some(unreleased) = &seen.faults.unreleased else { return };
    let uuid = server.server_uuid;
    let last = [&server.executed, unreleased].into_iter().filter_map(|set| set.last_number(&uuid)).max();
    let gtid = Gtid::untagged(uuid, last.unwrap_or(0).saturating_add(AHEAD));
    let why = format!(
        "the voters have {}, whose acknowledgements were lost: a later one releases them",
        brief(unreleased)
    );
    plan.push(Step::ReleaseCommits { gtid }, why);
}

fn semi_sync(wait: Wait, server: &ServerState, plan: &mut Plan) {
    let Wait { acknowledgements, soft } = wait;
    let on = Step::SemiSyncSourceOn { acknowledgements, soft };
    let switched_off = plan.has(&Step::SemiSyncSourceOff);
    match &server.semi_sync_source {
        Some(source) if semi_sync_is_right(source, wait) && !switched_off => {}
        Some(_) if acknowledgements > 0 => {
            let why = if soft {
                "a commit waits while its replica is connected; nobody is elected without this node (C5)"
            } else {
                "before any write: a commit is told OK only when a majority has it (L4)"
            };
            plan.push(on, why);
        }
        Some(_) if switched_off => {}
        Some(source) if source.enabled && !server.super_read_only => {
            // D2 asks that it is never switched off where the server may be deposed: then waiting commits would be told OK
            // that no voter has. Here every majority has this node in it, and its vote compares what it has.
            plan.push(
                Step::StopWaiting,
                "nobody is elected without this node, so nothing is lost by not waiting (C5)",
            );
        }
        Some(source) if source.enabled => {
            plan.push(
                Step::SemiSyncSourceOff,
                "a cluster of one voter with data has nobody to wait for (L4)",
            );
        }
        // Off, with W = 0 and settings that only matter when it is on.
        Some(_) => {}
        None if acknowledgements > 0 => {
            // Without the plugin no write is safe, so the server stays closed: a failed step is never skipped.
            plan.push(on, "the semi-sync plugin is not loaded; it is installed first (L4)");
        }
        None => {}
    }
}

/// What comes before any write. Says whether the plan may go on to the marker; not when a look is wanted first.
fn before_the_marker(term: u64, server: &ServerState, seen: &Seen, plan: &mut Plan) -> bool {
    let Some(replication) = &server.replication else { return true };
    let receiving = replication.receiver != ReceiverState::Stopped;
    let unapplied = !server.unapplied().is_empty();
    if !receiving && !unapplied && !replication.applier_running {
        return true;
    }
    if !server.super_read_only {
        if seen.drain_timed_out {
            plan.push(
                Step::KillMysqld,
                "it is open before its term's marker, and its commits do not drain (D3)",
            );
            return false;
        }
        // A follower that somebody opened: what its clients write now is acknowledged by nobody (L2, F3).
        plan.push(Step::CloseWrites, "it is open before its term's marker is written (L2)");
    }
    if receiving {
        plan.push(Step::StopReceiver, format!("nothing of an older leader is accepted in term {term}"));
        // What it has received until it stopped, and must apply, only the next look shows.
        return false;
    }
    if unapplied {
        to_wait_for_nobody(server, plan);
        if !replication.applier_running {
            if !replication.applier_error.is_empty() && !seen.retry_due {
                return false;
            }
            plan.push(Step::StartApplier, "what was received must be applied before writing");
        }
        plan.push(
            Step::WaitApplied { set: replication.retrieved.clone() },
            "everything received may have been acknowledged (L2)",
        );
    }
    plan.push(Step::StopReplication, "all is applied, and from now on this server writes itself");
    true
}

/// A server may have its source side on from before; then its applier's commits wait too, for replicas that have those
/// transactions already. Nothing is released by it (D2): the server is read-only and drained before this step.
fn to_wait_for_nobody(server: &ServerState, plan: &mut Plan) {
    if server.semi_sync_source.is_some_and(|source| source.enabled) && !plan.has(&Step::SemiSyncSourceOff) {
        plan.push(Step::SemiSyncSourceOff, "the applier must not wait for acknowledgements");
    }
}

fn follow_nobody(marked: bool, server: &ServerState, plan: &mut Plan) {
    let Some(replication) = &server.replication else { return };
    let why = "a primary follows nobody";
    let receiving = replication.receiver != ReceiverState::Stopped;
    if (receiving || replication.applier_running) && !plan.has(&Step::StopReplication) {
        plan.push(Step::StopReplication, why);
    }
    if receiving {
        // What came in until then only the next look shows.
        return;
    }
    // Before the marker, this same plan has waited until all of it is applied.
    if marked && !server.unapplied().is_empty() {
        plan.troubles.push(format!(
            "replication was started on the primary by hand, and {} received transaction(s) are not applied; their relay \
             logs are kept (S3). When they are not wanted: RESET REPLICA ALL",
            server.unapplied().count()
        ));
        return;
    }
    plan.push(Step::ForgetSource, why);
}
