//! The agent, with the real cores and without its IO: the same inputs, the same checks after each, the same operations.
//! It follows `crates/agent/src` file by file; what differs there must be changed here, too.

pub(crate) mod boot;
pub(crate) mod clock;
pub(crate) mod effects;
pub(crate) mod faults;
pub(crate) mod input;
pub(crate) mod local;
pub(crate) mod observer;
pub(crate) mod process;
pub(crate) mod statement;
pub(crate) mod steps;
pub(crate) mod worker;

use crate::world::World;
use crate::world::queue::{Happening, Us};
use clock::Clock;
use input::Input;
use local::Local;
use std::collections::VecDeque;
use xenon_election::{Effect, Election, Event, Record};
use xenon_gtid::Uuid;
use xenon_plan::observation::ServerState;

/// Inputs that may wait for a loop that hangs: more than that would wait at the senders, and grow old there.
const INBOX: usize = 200;

/// One agent process.
#[derive(Debug)]
pub(crate) struct Agent {
    /// Counts processes; what was planned for an older one is void.
    pub(crate) number: u64,
    pub(crate) core: Election,
    pub(crate) clock: Clock,
    pub(crate) local: Local,
    pub(crate) hung: bool,
    pub(crate) inbox: VecDeque<Input>,
    /// What the handling of the present input has still to do.
    pub(crate) todo: VecDeque<Todo>,
    pub(crate) effects: VecDeque<Effect>,
    /// The loop waits for the disk.
    pub(crate) saving: Option<(Record, Vec<Effect>)>,
    pub(crate) looking: bool,
    /// Counts looks; what was planned for an older one is void.
    pub(crate) look_turn: u64,
    /// A look is asked for.
    pub(crate) poked: bool,
    pub(crate) heard_cluster: Option<Uuid>,
    /// It was the leader when last looked at (for the invariants).
    pub(crate) led: bool,
    pub(crate) wakes_at: Option<Us>,
    /// Something changed that a plan depends on.
    pub(crate) replan: bool,
}

/// One piece of the handling of an input. The real agent awaits its saves in the middle of it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are steps, and few are ever there at once")]
pub(crate) enum Todo {
    Step(Event),
    TakeState(Box<ServerState>),
    Promoted(u64),
    NoState,
    /// L6: what is wrong beyond the probes.
    GatherFaults,
    HandOverForFaults,
    CheckServing,
    CheckStuck,
    Replan,
}

impl World {
    /// Something reaches an inbox.
    pub(crate) fn on_input(&mut self, at: usize, number: u64, input: Input) {
        let Some(agent) = self.agent(at, number) else { return };
        if agent.inbox.len() < INBOX {
            agent.inbox.push_back(input);
        }
        self.run_agent(at);
    }

    /// The agent of that number, if it is still the one that runs.
    pub(crate) fn agent(&mut self, at: usize, number: u64) -> Option<&mut Agent> {
        self.nodes[at].agent.as_mut().filter(|agent| agent.number == number)
    }

    pub(crate) fn on_agent_wakes(&mut self, at: usize, number: u64) {
        let Some(agent) = self.agent(at, number) else { return };
        agent.wakes_at = None;
        agent.replan = true;
        let has_something = !agent.todo.is_empty();
        if !has_something {
            agent.after();
        }
        self.run_agent(at);
    }

    /// The loop, until it has nothing to do or waits for the disk.
    pub(crate) fn run_agent(&mut self, at: usize) {
        loop {
            let now = self.now;
            self.note_leadership(at);
            let Some(agent) = self.nodes[at].agent.as_mut() else { return };
            if agent.hung || agent.saving.is_some() {
                return;
            }
            if let Some(effect) = agent.effects.pop_front() {
                self.carry_out(at, effect);
            } else if let Some(todo) = agent.todo.pop_front() {
                self.do_todo(at, todo);
            } else if let Some(input) = agent.inbox.pop_front() {
                self.handle(at, input);
                if let Some(agent) = self.nodes[at].agent.as_mut() {
                    agent.after();
                }
            } else if let Some(timer) = agent.clock.pop(now) {
                agent.todo.push_back(Todo::Step(Event::Timer(timer)));
                agent.after();
            } else {
                return self.arrange_wake(at);
            }
        }
    }

    /// As `select!` in the real loop: the next timer, or the next moment at which the plan may look different.
    fn arrange_wake(&mut self, at: usize) {
        let now = self.now;
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        let next = [agent.clock.next(), agent.local.wake_at(now)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| agent.wakes_at.is_none_or(|at| at > *next)) else { return };
        agent.wakes_at = Some(next);
        let number = agent.number;
        self.queue.plan(next.max(now), Happening::AgentWakes { at, agent: number });
    }

    fn handle(&mut self, at: usize, input: Input) {
        let Some(agent) = self.nodes[at].agent.as_mut() else { return };
        match input {
            Input::Peer { from, cluster, message } => {
                agent.heard_cluster = Some(cluster);
                agent.todo.push_back(Todo::Step(Event::Message { from, cluster, message }));
            }
            Input::Ask(request) => agent.todo.push_back(Todo::Step(Event::Request(request))),
            Input::Looked { began_us, result } => self.on_looked(at, began_us, result),
            Input::Probed { began_us, probe } => self.on_probed(at, began_us, probe),
            Input::Started { process } => self.on_started(at, process),
            Input::Exiting { process } => self.on_exiting(at, process),
            Input::Gone { process } => self.on_gone(at, process),
            Input::Disk(report) => self.on_disk(at, report),
            Input::Step { op, planned, result } => self.on_step_report(at, op, planned, result),
            Input::Done { op, what, state } => self.on_done(at, op, what, state),
            Input::Hook { up, done } => self.on_hook(at, up, done),
        }
    }

    fn do_todo(&mut self, at: usize, todo: Todo) {
        match todo {
            Todo::Step(event) => {
                let Some(agent) = self.nodes[at].agent.as_mut() else { return };
                let effects = agent.core.step(event);
                agent.effects.extend(effects);
            }
            Todo::TakeState(state) => self.take_state(at, *state),
            Todo::Promoted(term) => self.on_promoted(at, term),
            Todo::NoState => {
                let Some(agent) = self.nodes[at].agent.as_mut() else { return };
                agent.local.stale = true;
                self.poke(at);
            }
            Todo::GatherFaults => self.gather_faults(at),
            Todo::HandOverForFaults => self.hand_over_for_faults(at),
            Todo::CheckServing => self.check_serving(at),
            Todo::CheckStuck => self.check_stuck(at),
            Todo::Replan => self.replan(at),
        }
    }
}

impl Agent {
    /// What every turn of the loop ends with.
    pub(crate) fn after(&mut self) {
        self.todo.extend([
            Todo::GatherFaults,
            Todo::CheckServing,
            Todo::HandOverForFaults,
            Todo::CheckStuck,
            Todo::Replan,
        ]);
    }

    /// These come next, in this order.
    pub(crate) fn first(&mut self, todos: impl IntoIterator<Item = Todo, IntoIter: DoubleEndedIterator>) {
        todos.into_iter().rev().for_each(|todo| self.todo.push_front(todo));
    }
}
