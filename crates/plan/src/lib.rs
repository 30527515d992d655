//! What to do to a mysqld: observed state and wanted role become steps, each with its reason.
//!
//! Pure: no clock, no IO, no randomness. Level-triggered: [`plan`] looks at what *is*, not at what was done
//! before, so it may be asked again at any point, and an agent that crashed half-way goes on from what it
//! sees. Rule numbers in comments (L2, D1 …) are those of the protocol document.

mod applier;
mod commits;
mod depose;
pub mod disk;
mod faults;
mod fitness;
mod follow;
mod freeze;
pub mod health;
mod hindrances;
pub mod observation;
mod opened;
mod patience;
mod promote;
pub mod purge;
pub mod rebuild;
pub mod rewind;
mod role;
mod step;

pub use applier::ApplierWatch;
pub use commits::{Commits, DEAF_MS, LOST_MS, Standstill, WEDGED_MS, WEDGED_UNSURE_MS};
pub use depose::looks_like_primary;
pub use faults::{Faults, Folder};
pub use fitness::unfit;
pub use follow::lacks_purged;
pub use freeze::freezable;
pub use hindrances::{Hindrance, Work, hindrances};
pub use opened::ClosedWatch;
pub use promote::{NO_TIMEOUT_MS, is_promoted};
pub use role::{Address, Process, Role, Seen, Variables};
pub use step::{Plan, Planned, Step, brief};

/// The next steps towards `role`, given what was seen.
pub fn plan(role: &Role, seen: &Seen) -> Plan {
    if *role == Role::Stopped {
        return Plan::default();
    }
    let mut plan = Plan { troubles: seen.faults.troubles(), ..Plan::default() };
    if seen.process == Process::StartDue {
        plan.push(Step::StartMysqld, "mysqld does not run, and the monitor is on");
        return plan;
    }
    match role {
        Role::Unmanaged | Role::Hold | Role::Stopped => {}
        Role::Primary { term, markers, acknowledgements, soft, closed, handed_over } => {
            let wait = promote::Wait { acknowledgements: *acknowledgements, soft: *soft };
            let handover = promote::Handover { closed: *closed, handed_over: *handed_over };
            promote::plan(*term, markers, wait, handover, seen, &mut plan);
        }
        Role::Fenced { reason } => {
            depose::plan(reason, seen, &mut plan);
        }
        Role::Replica { source, acknowledge } => {
            // What it acknowledges must outlive its process, or a majority is no majority.
            let acknowledge = *acknowledge && !seen.faults.folder.is_lost();
            follow::plan(source, acknowledge, seen, &mut plan);
        }
        Role::Suspended { reason } => depose::plan_suspended(reason, seen, &mut plan),
        Role::Invalid { errant } => follow::plan_invalid(errant, seen, &mut plan),
        Role::Removed => follow::plan_removed(seen, &mut plan),
    }
    follow::tell_broken_applier(seen, &mut plan);
    plan
}
