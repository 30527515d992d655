//! D1–D3: the order in which a server stops being the primary.

use crate::health::Verdict;
use crate::observation::ServerState;
use crate::role::{Address, Process, Seen};
use crate::step::{Plan, Step};

/// Steps that leave a server read-only with no application session. Gives back the server when it takes further
/// statements; `None` when nothing more can be asked of it now.
pub(crate) fn plan<'a>(reason: &str, seen: &'a Seen, plan: &mut Plan) -> Option<&'a ServerState> {
    if matches!(seen.address, Address::Here | Address::Unknown) {
        // First, so that no new client comes while the others are sent away.
        plan.push(Step::AddressDown, format!("this node must not hold the address: {reason}"));
    }
    if seen.process != Process::Running {
        return None;
    }
    if seen.health == Verdict::Hung {
        if may_be_open(seen) {
            plan.push(
                Step::KillMysqld,
                format!("it hangs, so it cannot be closed any other way (D3): {reason}"),
            );
        } else {
            // A stalled disk can make every replica miss its probes at once. None of them writes for clients, so D3
            // gives no reason to send them all through crash recovery.
            plan.troubles.push(
                "mysqld hangs; it is closed to clients, so it is left to come back by itself".to_owned(),
            );
        }
        return None;
    }
    if seen.health == Verdict::Dying {
        if may_be_open(seen) {
            // An orderly shutdown tells waiting commits OK when too few replicas are connected (seen on 9.7.4): D2's
            // loss without anybody having switched anything off.
            plan.push(
                Step::KillMysqld,
                format!("it shuts down, which would tell its waiting commits OK (D2): {reason}"),
            );
        }
        // It lets nobody in and takes no statements; what comes next depends on how it starts again.
        return None;
    }
    if seen.faults.locked_out && may_be_open(seen) {
        plan.push(
            Step::KillMysqld,
            format!(
                "its clients have taken every connection, so it cannot be closed any other way (D3): {reason}"
            ),
        );
        return None;
    }
    let server = seen.server.as_ref();
    if seen.drain_timed_out && server.is_some_and(|server| !server.super_read_only) {
        // Its waiting commits cannot be released without telling their clients OK (D2).
        plan.push(Step::KillMysqld, format!("its commits do not drain (D3): {reason}"));
        return None;
    }
    let server = server?;
    let sent_away = close(reason, server, plan);
    // Readers of a server that was a replica all along are left in peace.
    let may_wait = seen.sessions_may_wait && server.super_read_only;
    if !may_wait && (!seen.sessions_killed || !server.super_read_only) {
        plan.push(Step::KillSessions, format!("clients must look for the new primary: {reason}"));
    }
    if server.offline_mode && seen.offline_is_ours || sent_away {
        plan.push(Step::GoOnline, "nobody can write here any more, and readers need not be kept out");
    }
    Some(server)
}

/// D1. Closing waits behind commits, and its end by its bound would leave the server open again for a moment: so a primary's
/// clients are sent away first, which waits for nothing. Says whether they are.
fn close(reason: &str, server: &ServerState, plan: &mut Plan) -> bool {
    if server.super_read_only {
        return false;
    }
    let goes_offline = looks_like_primary(server) && !server.offline_mode;
    if goes_offline {
        plan.push(Step::GoOffline, format!("no client may write while its commits drain: {reason}"));
    }
    plan.push(Step::CloseWrites, reason);
    goes_offline
}

/// Its commits wait for replicas. One that somebody opened by hand has readers, which are left in peace.
pub fn looks_like_primary(server: &ServerState) -> bool {
    !server.super_read_only && server.semi_sync_source.is_some_and(|source| source.enabled)
}

/// D4: as little as keeps clients from being served. The term may still stand, and then its waiting commits will be
/// acknowledged; a server that is killed for them comes back with transactions that nobody else has.
pub(crate) fn plan_suspended(reason: &str, seen: &Seen, plan: &mut Plan) {
    if matches!(seen.address, Address::Here | Address::Unknown) {
        plan.push(Step::AddressDown, format!("this node must not hold the address: {reason}"));
    }
    if seen.process != Process::Running {
        return;
    }
    match seen.health {
        Verdict::Hung => {
            plan.troubles.push(
                "mysqld hangs while no majority is heard; nothing that it does can be acknowledged, so it is left alone"
                    .to_owned(),
            );
            return;
        }
        Verdict::Dying if may_be_open(seen) => {
            return plan.push(
                Step::KillMysqld,
                format!("it shuts down, which would tell its waiting commits OK (D2): {reason}"),
            );
        }
        Verdict::Dying => return,
        _ => {}
    }
    let Some(server) = &seen.server else { return };
    if server.super_read_only {
        if !seen.sessions_killed {
            plan.push(Step::KillSessions, format!("clients must look for the new primary: {reason}"));
        }
        return;
    }
    if seen.drain_timed_out {
        // Its commits wait for acknowledgements, and the term may still stand: behind offline_mode they go on waiting.
        if !server.offline_mode {
            plan.push(Step::GoOffline, format!("its commits do not drain (D4): {reason}"));
        }
        return;
    }
    close(reason, server, plan);
    plan.push(Step::KillSessions, format!("clients must look for the new primary: {reason}"));
}

/// What was last known does not rule out that clients write here.
fn may_be_open(seen: &Seen) -> bool {
    // Sessions not yet ended: it was the primary a moment ago, and the look may be older than its opening.
    !seen.sessions_killed || seen.server.as_ref().is_none_or(|server| !server.super_read_only)
}
