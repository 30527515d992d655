//! L6: what is wrong with a server that answers its probes, as in `crates/agent/src/faults.rs`: disks, and commits whose
//! acknowledgement was lost. Wedged servers and lost data folders are not among the fakes.

use super::input::Input;
use super::{Agent, Todo};
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND, Us};
use xenon_election::{Event, State};
use xenon_gtid::GtidSet;
use xenon_plan::disk::{Disk, DiskReport, DiskWatch, Written};
use xenon_plan::observation::ServerState;
use xenon_plan::{Commits, Faults};

const EVERY: Us = 2 * SECOND;
const CONFIRM: Us = 300 * MS;
/// Room enough, and how large the disk is.
const BYTES: u64 = 1 << 40;

/// All that is watched besides probes.
#[derive(Debug, Default)]
pub(crate) struct FaultWatch {
    pub(crate) disk: DiskWatch,
    pub(crate) commits: Commits,
    pub(crate) faults: Faults,
}

impl Agent {
    /// A look has shown this.
    pub(crate) fn watch_state(&mut self, state: &ServerState) {
        let held = match state.semi_sync_source {
            Some(source) if source.waiting_sessions > 0 => self.core.held_by_enough(),
            _ => GtidSet::new(),
        };
        self.local.watch.commits.on_look(state, &held);
    }
}

impl World {
    pub(crate) fn on_disk_attempt(&mut self, at: usize, number: u64) {
        let full = self.nodes[at].mysqld.disk_full;
        let Some(agent) = self.agent(at, number) else { return };
        let was_well = agent.local.watch.disk.verdict().is_quick();
        let hung = agent.hung;
        self.plan(if full && was_well { CONFIRM } else { EVERY }, Happening::Disk { at, agent: number });
        if full || !was_well && !hung {
            let report = DiskReport {
                written: if full { Written::NoSpace } else { Written::Done },
                free_bytes: Some(if full { 0 } else { BYTES / 2 }),
                total_bytes: BYTES,
                read_only: false,
            };
            self.tell_agent(at, MS, Input::Disk(report));
        }
    }

    pub(crate) fn on_disk(&mut self, at: usize, report: DiskReport) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.watch.disk.on_report(report);
    }

    /// What ends every turn of the loop: time has gone by.
    pub(crate) fn gather_faults(&mut self, at: usize) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let watch = &mut agent.local.watch;
        watch.commits.on_tick(now / MS);
        let disk = watch.disk.verdict();
        let unreleased = watch.commits.unreleased();
        if watch.faults.disk == disk
            && watch.faults.unreleased.as_ref() == unreleased
            && watch.faults.standstill == watch.commits.stand_still(&disk)
        {
            return;
        }
        let could_not = watch.faults.disk.cannot_serve().is_some();
        watch.faults = Faults {
            unreleased: unreleased.cloned(),
            standstill: watch.commits.stand_still(&disk),
            disk,
            ..Faults::default()
        };
        let can = matches!(watch.faults.disk, Disk::Well | Disk::Low { .. });
        agent.replan = true;
        if could_not && can && agent.local.mysqld.is_none() && agent.local.start_at.is_some() {
            agent.local.exits = 0;
            agent.local.start_at = Some(now);
        }
    }

    /// L6. With nobody to take over, the lease is kept.
    pub(crate) fn hand_over_for_faults(&mut self, at: usize) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.core.state() != State::Leader {
            return;
        }
        let Some(reason) = agent.local.watch.faults.cannot_serve() else { return };
        if agent.core.has_successor() {
            let term = agent.core.record().term;
            agent.local.note_failure(now);
            agent.first([Todo::Step(Event::CannotServe { term, reason })]);
        }
    }
}
