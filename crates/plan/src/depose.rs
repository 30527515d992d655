//! D1–D3: the order in which a server stops being the primary.

use crate::health::Verdict;
use crate::role::{Address, Process, Seen};
use crate::step::{Plan, Step};

/// Steps that leave a server read-only with no application session. `may_kill`: D3 applies, the server may
/// be a primary.
pub(crate) fn plan(reason: &str, may_kill: bool, seen: &Seen, plan: &mut Plan) {
    if matches!(seen.address, Address::Here | Address::Unknown) {
        // First, so that no new client comes while the others are sent away.
        plan.push(Step::AddressDown, format!("this node must not hold the address: {reason}"));
    }
    if seen.process != Process::Running {
        return;
    }
    if may_kill && seen.health == Verdict::Hung {
        plan.push(Step::KillMysqld, format!("it hangs, so it cannot be closed any other way (D3): {reason}"));
        return;
    }
    if seen.health == Verdict::Dying {
        // It lets nobody in, so no client writes, and what is under way gets no acknowledgement (V3).
        return;
    }
    let Some(server) = &seen.server else { return };
    if !server.super_read_only {
        if may_kill && seen.drain_timed_out {
            // Its waiting commits cannot be released without telling their clients OK (D2).
            plan.push(Step::KillMysqld, format!("its commits do not drain (D3): {reason}"));
            return;
        }
        plan.push(Step::CloseWrites, reason.to_owned());
    }
    // Readers of a server that was a replica all along are left in peace.
    if !seen.sessions_killed || !server.super_read_only {
        plan.push(Step::KillSessions, format!("clients must look for the new primary: {reason}"));
    }
}
