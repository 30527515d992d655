//! Operations at the local server: one at a time, each a list of statements, as in `crates/agent/src/worker.rs`.
//!
//! A statement takes effect at its end; one that is given up may or may not have, and what waits in the server goes
//! on there until the next operation's control connection ends it.

use super::input::{Input, StepOutcome, What};
use crate::mysqld::{Closing, Process};
use crate::world::World;
use crate::world::queue::{Happening, MS, SECOND, Us};
use std::collections::VecDeque;
use xenon_election::Ticket;
use xenon_gtid::GtidSet;
use xenon_plan::{Planned, Step};

const STATEMENT: Us = 5 * SECOND;
const APPLY_PIECE: Us = 2 * SECOND;
const QUIESCE: Us = 2_000 * MS;
pub(crate) const DRAIN: Us = 1_500 * MS;
const CATCH_UP: Us = 5 * SECOND;
const MARKER: Us = 5 * SECOND;
/// How a statement fails that the server does not answer.
const NO_ANSWER: &str = "no answer in time";
/// What the door adds to a bound before it gives the statement up.
const GRACE: Us = SECOND;

/// One operation.
#[derive(Debug)]
pub(crate) enum Op {
    /// With what is left of D1's bound for closing writes.
    Steps(Vec<Planned>, Us),
    /// With the same; and whether the server looks like a primary, whose clients are sent away first.
    Freeze(Ticket, Us, bool, bool),
    Quiesce(Ticket),
    CatchUp(Ticket, GtidSet),
    /// V4: the server is dead; its files tell.
    FreezeDead(Ticket),
}

/// An operation under way.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: u64,
    agent: u64,
    kind: Purpose,
    drain: Us,
    /// The server looked like a primary: its clients are sent away first.
    away_first: bool,
    steps: VecDeque<Planned>,
    stage: Stage,
    /// The control connection is had.
    has_control: bool,
    /// Something was changed, so a look follows.
    changed: bool,
    /// The statement under way takes effect then.
    ready_us: Us,
    /// And is given up then.
    until_us: Us,
    /// What it has come to, for operations that are no plan.
    outcome: Option<What>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Plan,
    Freeze,
    ReadDead,
    Quiesce(Ticket),
    CatchUp(Ticket),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The next step is to be begun.
    Next,
    /// A control connection is asked for.
    Control,
    /// A statement is under way.
    Statement,
    /// The last look.
    Observe,
}

/// What a look at a statement shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    Ended(StepOutcome),
    Waits,
    Failed(String),
}

fn planned(step: Step) -> Planned {
    Planned { step, why: String::new() }
}

impl World {
    pub(crate) fn start_worker(&mut self, at: usize, op: Op) -> u64 {
        let (mut drain, mut away_first) = (DRAIN, false);
        let (kind, steps) = match op {
            Op::Steps(steps, left) => {
                drain = left;
                (Purpose::Plan, steps)
            }
            Op::Freeze(_, left, is_primary, spared) => {
                (drain, away_first) = (left, is_primary);
                let away = is_primary.then(|| planned(Step::GoOffline));
                let stop = (!spared).then(|| planned(Step::StopReceiver));
                let rest = [Some(planned(Step::CloseWrites)), stop].into_iter().flatten();
                (Purpose::Freeze, away.into_iter().chain(rest).collect())
            }
            Op::Quiesce(ticket) => (Purpose::Quiesce(ticket), vec![planned(Step::CloseWrites)]),
            Op::FreezeDead(_) => (Purpose::ReadDead, Vec::new()),
            Op::CatchUp(ticket, set) => (Purpose::CatchUp(ticket), vec![planned(Step::WaitApplied { set })]),
        };
        self.last_op += 1;
        let id = self.last_op;
        let agent = self.nodes[at].agent.as_ref().map_or(0, |agent| agent.number);
        let now = self.now;
        let worker = Worker {
            id,
            agent,
            kind,
            drain,
            away_first,
            steps: steps.into(),
            stage: Stage::Next,
            has_control: false,
            changed: false,
            ready_us: now,
            until_us: now,
            outcome: None,
        };
        self.nodes[at].worker = Some(worker);
        self.plan(0, Happening::Worker { at, op: id });
        id
    }

    /// Something changed that the statement under way may wait for.
    pub(crate) fn wake_worker(&mut self, at: usize) {
        if let Some(worker) = &self.nodes[at].worker {
            let op = worker.id;
            self.plan(0, Happening::Worker { at, op });
        }
    }

    /// Its task is aborted, or its agent is gone.
    pub(crate) fn abandon_worker(&mut self, at: usize) {
        let Some(worker) = self.nodes[at].worker.take() else { return };
        let Some(planned) = worker.steps.front().filter(|_| worker.stage == Stage::Statement) else { return };
        let server = &mut self.nodes[at].mysqld;
        if server.closing == Closing::Wanted {
            server.closing = Closing::Orphaned;
            return;
        }
        if self.rng.percent(50) {
            let step = planned.step.clone();
            if self.nodes[at].mysqld.hung {
                self.nodes[at].orphans.push(step);
            } else if self.nodes[at].mysqld.answers() {
                self.statement(at, &step, false);
            }
        }
    }

    /// The server goes on after a hang: statements that were given up meanwhile take effect, unless they were ended.
    pub(crate) fn run_orphans(&mut self, at: usize) {
        for step in std::mem::take(&mut self.nodes[at].orphans) {
            self.tell(at, "orphan", || format!("takes effect late: {step}"));
            self.statement(at, &step, false);
        }
    }

    pub(crate) fn on_worker(&mut self, at: usize, op: u64) {
        let hung = self.nodes[at].agent.as_ref().is_some_and(|agent| agent.hung);
        while !hung && self.turn(at, op) {}
    }

    /// One turn; true when the next may follow at once.
    fn turn(&mut self, at: usize, op: u64) -> bool {
        let now = self.now;
        let node = &mut self.nodes[at];
        let Some(worker) = node.worker.as_mut().filter(|worker| worker.id == op) else { return false };
        if now < worker.ready_us {
            return false;
        }
        match worker.stage {
            Stage::Next => self.next_step(at),
            Stage::Control => self.take_control(at),
            Stage::Statement => self.look_at_statement(at),
            Stage::Observe => self.observe(at),
        }
    }

    fn next_step(&mut self, at: usize) -> bool {
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        let Some(planned) = worker.steps.front() else {
            if worker.kind == Purpose::ReadDead {
                return self.read_dead(at);
            }
            if worker.kind == Purpose::Plan && !worker.changed {
                return self.done(at, None);
            }
            return self.begin_statement(at, Stage::Observe, STATEMENT);
        };
        let for_the_loop = matches!(
            planned.step,
            Step::StartMysqld | Step::KillMysqld | Step::AddressUp | Step::AddressDown
        );
        if for_the_loop {
            self.report(at, Ok(StepOutcome::ForTheLoop));
            return true;
        }
        if !worker.has_control {
            return self.begin_statement(at, Stage::Control, STATEMENT);
        }
        let until = match (&planned.step, worker.kind) {
            (Step::CloseWrites, Purpose::Quiesce(_)) => QUIESCE,
            (Step::CloseWrites, _) => worker.drain,
            (Step::WaitApplied { .. }, Purpose::CatchUp(_)) => CATCH_UP,
            (Step::WaitApplied { .. }, _) => APPLY_PIECE,
            (Step::WriteMarker { .. }, _) => MARKER,
            _ => STATEMENT,
        };
        self.begin_statement(at, Stage::Statement, until)
    }

    /// A statement is sent: it reaches the server a moment later.
    fn begin_statement(&mut self, at: usize, stage: Stage, bound: Us) -> bool {
        let slow = self.nodes[at].mysqld.slow;
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        let longest = match worker.steps.front().map(|planned| &planned.step) {
            _ if stage != Stage::Statement => MS,
            Some(Step::SemiSyncSourceOff) => 800 * MS,
            Some(
                Step::StopReceiver | Step::StartReceiver | Step::StopReplication | Step::PointAnew { .. },
            ) => 8 * MS,
            _ => 2 * MS,
        };
        let longest = if slow { longest.max(10 * MS) * 30 } else { longest };
        let delay = self.rng.skewed(MS / 5, longest);
        worker.stage = stage;
        worker.ready_us = self.now + delay;
        worker.until_us = self.now + bound;
        let op = worker.id;
        self.queue.plan(worker.ready_us, Happening::Worker { at, op });
        self.queue.plan(worker.until_us, Happening::Worker { at, op });
        self.queue.plan(worker.until_us + GRACE, Happening::Worker { at, op });
        false
    }

    /// Whether the server takes a statement now; an error when it is not there, or does not answer in time.
    fn server_answers(&self, at: usize) -> Result<bool, String> {
        let server = &self.nodes[at].mysqld;
        let Some(worker) = &self.nodes[at].worker else { return Ok(false) };
        match server.process {
            Process::Running if !server.hung => Ok(true),
            Process::Running | Process::Ending if server.hung => {
                if self.now >= worker.until_us + GRACE {
                    Err(NO_ANSWER.to_owned())
                } else {
                    Ok(false)
                }
            }
            _ => Err("mysqld is not there".to_owned()),
        }
    }

    fn take_control(&mut self, at: usize) -> bool {
        match self.server_answers(at) {
            Ok(false) => false,
            Err(why) => self.failed(at, why),
            Ok(true) => {
                // Statements that were given up are ended before anybody gets the next control connection.
                let node = &mut self.nodes[at];
                node.orphans.clear();
                if node.mysqld.closing == Closing::Orphaned {
                    node.mysqld.closing = Closing::No;
                }
                if let Some(worker) = node.worker.as_mut() {
                    worker.has_control = true;
                    worker.stage = Stage::Next;
                }
                true
            }
        }
    }

    fn look_at_statement(&mut self, at: usize) -> bool {
        match self.server_answers(at) {
            Ok(false) => return false,
            Err(why) => return self.failed(at, why),
            Ok(true) => {}
        }
        let Some(worker) = &self.nodes[at].worker else { return false };
        let late = self.now >= worker.until_us;
        let Some(step) = worker.steps.front().map(|planned| planned.step.clone()) else { return false };
        match self.statement(at, &step, late) {
            Turn::Waits => false,
            Turn::Failed(why) => self.failed(at, why),
            Turn::Ended(outcome) => self.ended(at, outcome),
        }
    }

    fn failed(&mut self, at: usize, why: String) -> bool {
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        if worker.stage == Stage::Observe {
            return self.done(at, None);
        }
        if self.nodes[at].mysqld.closing == Closing::Wanted {
            self.nodes[at].mysqld.closing = Closing::Orphaned;
        }
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        match worker.kind {
            Purpose::Plan => {
                worker.changed = true;
                self.report(at, Err(why));
                self.stop_here(at)
            }
            Purpose::Freeze | Purpose::ReadDead => {
                // D3: what keeps the agent's own statements waiting drains no better than a client's commit.
                let drain_timed_out = worker.away_first && why == NO_ANSWER;
                worker.outcome = Some(What::Frozen { result: Err(why), drain_timed_out });
                self.done(at, None)
            }
            Purpose::Quiesce(ticket) => {
                worker.outcome = Some(What::Quiesced { ticket, result: Err(why) });
                self.done(at, None)
            }
            Purpose::CatchUp(ticket) => {
                worker.outcome = Some(What::CaughtUp { ticket, result: Err(why) });
                self.done(at, None)
            }
        }
    }

    fn ended(&mut self, at: usize, outcome: StepOutcome) -> bool {
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        worker.changed = true;
        let timed_out = outcome == StepOutcome::DrainTimedOut;
        match worker.kind {
            Purpose::Plan => {
                self.report(at, Ok(outcome));
                if outcome == StepOutcome::Done { self.go_on(at) } else { self.stop_here(at) }
            }
            Purpose::Freeze if timed_out => {
                let result = Err("its commits do not drain".to_owned());
                worker.outcome = Some(What::Frozen { result, drain_timed_out: true });
                self.done(at, None)
            }
            Purpose::Quiesce(ticket) if timed_out => {
                let result = Err("running statements did not end".to_owned());
                worker.outcome = Some(What::Quiesced { ticket, result });
                self.open(at);
                self.stop_here(at)
            }
            Purpose::CatchUp(ticket) => {
                let result = match outcome {
                    StepOutcome::NotYet => Err("it has not applied everything".to_owned()),
                    _ => Ok(()),
                };
                worker.outcome = Some(What::CaughtUp { ticket, result });
                self.done(at, None)
            }
            Purpose::Freeze | Purpose::ReadDead | Purpose::Quiesce(_) => {
                worker.steps.pop_front();
                self.go_on(at)
            }
        }
    }

    fn go_on(&mut self, at: usize) -> bool {
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        worker.stage = Stage::Next;
        true
    }

    /// The rest of the plan is not carried out; a look follows.
    fn stop_here(&mut self, at: usize) -> bool {
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        worker.steps.clear();
        worker.stage = Stage::Next;
        true
    }

    fn observe(&mut self, at: usize) -> bool {
        match self.server_answers(at) {
            Ok(false) => return false,
            Err(_) if matches!(self.nodes[at].worker, Some(Worker { kind: Purpose::Freeze, .. })) => {
                return self.failed_to_read(at);
            }
            Err(_) => return self.done(at, None),
            Ok(true) => {}
        }
        let state = Box::new(self.server_state(at));
        let Some(worker) = self.nodes[at].worker.as_mut() else { return false };
        if worker.outcome.is_none() {
            worker.outcome = match worker.kind {
                Purpose::Freeze => {
                    Some(What::Frozen { result: Ok(state.received()), drain_timed_out: false })
                }
                Purpose::Quiesce(ticket) => {
                    Some(What::Quiesced { ticket, result: Ok(state.executed.clone()) })
                }
                _ => None,
            };
        }
        self.done(at, Some(state))
    }

    fn failed_to_read(&mut self, at: usize) -> bool {
        if let Some(worker) = self.nodes[at].worker.as_mut() {
            let result = Err("the position cannot be read".to_owned());
            worker.outcome = Some(What::Frozen { result, drain_timed_out: false });
        }
        self.done(at, None)
    }

    /// V4: what the binlog and the relay logs of a dead server have, the unacknowledged tail included.
    fn read_dead(&mut self, at: usize) -> bool {
        let server = &self.nodes[at].mysqld;
        let result = match server.process {
            Process::Down => Ok(server.on_disk()),
            _ => Err("mysqld runs".to_owned()),
        };
        if let Some(worker) = self.nodes[at].worker.as_mut() {
            worker.outcome = Some(What::Frozen { result, drain_timed_out: false });
        }
        self.done(at, None)
    }

    fn report(&mut self, at: usize, result: Result<StepOutcome, String>) {
        let Some(worker) = self.nodes[at].worker.as_mut() else { return };
        let Some(planned) = worker.steps.pop_front() else { return };
        let (op, agent) = (worker.id, worker.agent);
        let input = Box::new(Input::Step { op, planned, result });
        self.plan(MS / 20, Happening::Input { at, agent, input });
    }

    fn done(&mut self, at: usize, state: Option<Box<xenon_plan::observation::ServerState>>) -> bool {
        let Some(worker) = self.nodes[at].worker.take() else { return false };
        let what = match (worker.outcome, worker.kind) {
            (Some(what), _) => what,
            (None, Purpose::Quiesce(ticket)) => {
                What::Quiesced { ticket, result: Err("mysqld cannot be looked at".to_owned()) }
            }
            (None, _) => What::Steps,
        };
        let input = Box::new(Input::Done { op: worker.id, what, state });
        self.plan(MS / 10, Happening::Input { at, agent: worker.agent, input });
        false
    }
}
