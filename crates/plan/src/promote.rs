//! L2: the order in which a server becomes the primary.

use crate::observation::{ReceiverState, SemiSyncSource, ServerState};
use crate::role::{Address, Seen, Variables};
use crate::step::{Plan, Step};
use xenon_gtid::Uuid;

/// Whether the server is the open primary of `term`: the marker executed (so acknowledged) and writes open.
pub fn is_promoted(server: &ServerState, term: u64, markers: &Uuid) -> bool {
    server.is_writable() && has_marker(server, term, markers)
}

fn has_marker(server: &ServerState, term: u64, markers: &Uuid) -> bool {
    server.executed.last_number(markers).is_some_and(|marker| marker >= term)
}

/// It waits for W acknowledgements and never goes on without.
pub(crate) fn semi_sync_is_right(source: &SemiSyncSource, acknowledgements: u32) -> bool {
    let count_is_right = source.wait_for_replicas == acknowledgements.max(1);
    // W = 0: a cluster of one voter has nobody to wait for.
    let on_is_right = source.enabled == (acknowledgements > 0);
    on_is_right
        && (acknowledgements == 0
            || count_is_right && source.timeout_ms >= NO_TIMEOUT_MS && source.wait_no_replica)
}

/// A timeout of this many milliseconds (about 30 years) or more counts as none.
pub const NO_TIMEOUT_MS: u64 = 1_000_000_000_000;

pub(crate) fn plan(
    term: u64,
    markers: &Uuid,
    acknowledgements: u32,
    closed: bool,
    seen: &Seen,
    plan: &mut Plan,
) {
    let Some(server) = &seen.server else { return };
    if closed {
        if !server.super_read_only {
            plan.push(Step::CloseWrites, "a handover is under way (T1)");
        }
        return;
    }
    let marked = has_marker(server, term, markers);
    if !marked {
        before_the_marker(term, server, plan);
    }
    let semi_sync = server.semi_sync_source.as_ref();
    match semi_sync {
        Some(source) if semi_sync_is_right(source, acknowledgements) => {}
        Some(_) if acknowledgements > 0 => plan.push(
            Step::SemiSyncSourceOn { acknowledgements },
            "before any write: a commit is told OK only when a majority has it (L4)",
        ),
        Some(_) => plan.push(Step::SemiSyncSourceOff, "a cluster of one voter has nobody to wait for (L4)"),
        None if acknowledgements > 0 => {
            // Without the plugin no write is safe, so the server stays closed: a failed step is never skipped.
            plan.push(
                Step::SemiSyncSourceOn { acknowledgements },
                "the semi-sync plugin is not loaded; it is installed first (L4)",
            );
        }
        None => {}
    }
    if server.super_read_only {
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
    if !server.is_writable() {
        plan.push(Step::Open, "the marker is acknowledged (L2)");
    }
    if matches!(seen.address, Address::Away | Address::Unknown) {
        plan.push(Step::AddressUp, "this node leads and its server is open");
    }
    if server.replication.is_some() {
        // After opening: it takes milliseconds that clients need not wait for.
        plan.push(Step::StopReplication, "a primary follows nobody");
        plan.push(Step::ForgetSource, "a primary follows nobody");
    }
}

fn before_the_marker(term: u64, server: &ServerState, plan: &mut Plan) {
    let Some(replication) = &server.replication else { return };
    if replication.receiver != ReceiverState::Stopped {
        plan.push(Step::StopReceiver, format!("nothing of an older leader is accepted in term {term}"));
    }
    if !server.unapplied().is_empty() {
        if !replication.applier_running {
            plan.push(Step::StartApplier, "what was received must be applied before writing");
        }
        plan.push(
            Step::WaitApplied { set: replication.retrieved.clone() },
            "everything received may have been acknowledged (L2)",
        );
    }
    if replication.applier_running
        || replication.receiver != ReceiverState::Stopped
        || !server.unapplied().is_empty()
    {
        plan.push(Step::StopReplication, "all is applied, and from now on this server writes itself");
    }
}
