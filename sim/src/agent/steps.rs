//! What comes of operations, as in `crates/agent/src/steps.rs`.

use super::Todo;
use super::input::{StepOutcome, What};
use crate::world::World;
use crate::world::queue::{MS, SECOND, Us};
use xenon_election::Event;
use xenon_plan::observation::ServerState;
use xenon_plan::{Planned, Role, Step};

const RETRY_FIRST: Us = 100 * MS;
const RETRY_LONGEST: Us = 5 * SECOND;
const PROMOTION_ATTEMPTS: u32 = 4;
const RETRY_RARELY: Us = 5 * SECOND;

impl World {
    pub(crate) fn on_promoted(&mut self, at: usize, term: u64) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.local.promoted == Some(term) {
            return;
        }
        agent.local.promoted = Some(term);
        agent.local.was_primary = true;
        self.opened += 1;
        agent.local.failures = 0;
        agent.first([Todo::Step(Event::Promoted { term })]);
        self.tell(at, "primary", || format!("open for writes in term {term}"));
    }

    pub(crate) fn on_step_report(
        &mut self,
        at: usize,
        op: u64,
        planned: Planned,
        result: Result<StepOutcome, String>,
    ) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.local.op.is_none_or(|(running, _)| running != op) {
            return;
        }
        agent.replan = true;
        match result {
            Ok(outcome) => self.note_step(at, &planned, outcome),
            Err(why) => self.on_step_failed(at, &planned.step, &why),
        }
    }

    fn note_step(&mut self, at: usize, planned: &Planned, outcome: StepOutcome) {
        let now = self.now;
        self.tell(at, "step", || format!("{} ({}): {outcome:?}", planned.step, planned.why));
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        match outcome {
            StepOutcome::ForTheLoop => {
                return match planned.step {
                    Step::AddressUp => self.move_address(at, true),
                    Step::AddressDown => self.move_address(at, false),
                    Step::KillMysqld => self.kill_mysqld(at),
                    _ => {}
                };
            }
            StepOutcome::NotYet => return,
            StepOutcome::DrainTimedOut => agent.local.drain_timed_out = true,
            StepOutcome::Done => {}
        }
        if planned.step != Step::StartApplier {
            agent.local.stuck_since = now;
        }
        match &planned.step {
            Step::KillSessions => agent.local.sessions_killed = true,
            Step::EnsureAccount => agent.local.account_checked = true,
            Step::SetVariables { role } => agent.local.variables = Some(*role),
            Step::StartReceiver | Step::StartApplier => agent.local.threads_retry = Some(now + RETRY_RARELY),
            Step::Open => {
                if let Role::Primary { term, .. } = agent.local.role {
                    agent.first([Todo::Promoted(term)]);
                }
            }
            _ => {}
        }
    }

    fn on_step_failed(&mut self, at: usize, step: &Step, why: &str) {
        let now = self.now;
        self.tell(at, "step", || format!("{step} failed: {why}"));
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        agent.local.failures += 1;
        let pause = RETRY_FIRST.saturating_mul(1 << agent.local.failures.min(10)).min(RETRY_LONGEST);
        agent.local.retry_at = Some(now + pause);
        let promoting = agent.local.role_is_primary() && agent.local.promoted.is_none();
        if promoting && matches!(step, Step::WriteMarker { .. }) && !agent.core.has_successor() {
            return;
        }
        if promoting
            && (agent.local.failures >= PROMOTION_ATTEMPTS || matches!(step, Step::WriteMarker { .. }))
        {
            let term = agent.core.record().term;
            let reason = format!("it could not be promoted: {step}: {why}");
            agent.first([Todo::Step(Event::CannotServe { term, reason })]);
        }
    }

    pub(crate) fn on_done(&mut self, at: usize, op: u64, what: What, state: Option<Box<ServerState>>) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        if agent.local.op.is_none_or(|(running, _)| running != op) {
            return;
        }
        agent.replan = true;
        agent.local.op = None;
        agent.local.changed = now;
        let no_state = state.is_none();
        agent.todo.extend(state.map(Todo::TakeState));
        match what {
            What::Steps => {}
            What::Frozen { result, drain_timed_out } => {
                let ticket = agent.local.freeze_ticket;
                agent.local.drain_timed_out |= drain_timed_out;
                agent.todo.push_back(Todo::Step(Event::Frozen { ticket, result }));
            }
            What::Quiesced { ticket, result } => {
                agent.todo.push_back(Todo::Step(Event::Quiesced { ticket, result }));
            }
            What::CaughtUp { ticket, result } => {
                agent.todo.push_back(Todo::Step(Event::CaughtUp { ticket, result }));
            }
        }
        if no_state {
            agent.todo.push_back(Todo::NoState);
        }
    }
}
