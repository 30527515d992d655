//! The model: what can happen, and one step of it.

use crate::cluster::{Change, Cluster};
use crate::invariants;
use crate::network::Envelope;
use crate::setup::formed;
use crate::state::State;
use stateright::{Model, Property};
use xenon_election::{Message, Timer};

/// How much of the bounds is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Spent {
    pub(crate) writes: u8,
    pub(crate) restarts: u8,
    pub(crate) crashes: u8,
    pub(crate) power_losses: u8,
    pub(crate) repeats: u8,
    pub(crate) beats: u8,
    pub(crate) handovers: u8,
    pub(crate) rescues: u8,
    pub(crate) changes: u8,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// A message arrives.
    Deliver(Envelope),
    /// A message arrives, and will arrive again.
    DeliverAndRepeat(Envelope),
    /// A timer runs out.
    Fire(usize, Timer),
    /// A node is told to stand.
    StandNow(usize),
    /// The record is on disk, later than it should be.
    Saved(usize),
    /// The server has been frozen, and its position read.
    Freeze(usize),
    /// The core hears of it.
    Frozen(usize),
    /// The plan is made again (it is level-triggered): a freeze that ended after the directive to follow has
    /// stopped the receiver.
    Replan(usize),
    /// The fence stands, and the server is looked at behind it.
    Fenced(usize),
    /// Replication has been stopped, and L2 goes on.
    Promote(usize),
    /// A client's transaction is written, and waits.
    Write(usize),
    /// The receiver takes the next transaction.
    Receive(usize),
    /// A client gets its OK.
    Acknowledge(usize),
    /// The marker is acknowledged and the server opens.
    Open(usize),
    /// The server is looked at because there is a new leader (F2).
    Look(usize),
    /// The agent crashes and starts again.
    Restart(usize),
    /// The server is killed.
    Crash(usize),
    /// The host loses power, and with it so many transactions at the end of the relay log; it starts again.
    LosePower(usize, usize),
    /// A dead server is started as it is: what was in its binlog is committed.
    Recover(usize),
    /// A dead server is rewound and started (W1).
    Rewind(usize),
    /// A leader looks at its server and sends heartbeats.
    Beat(usize),
    /// An operator asks for a change of members.
    ChangeConfig(usize, Change),
    /// An operator asks for a handover.
    HandOver(usize, usize),
    /// W2: the next transaction of a dead server is applied here.
    Fetch(usize),
    /// W2: all of them are.
    Rescued(usize),
    /// W2: the fetching broke off.
    NotRescued(usize),
    /// T1: writes are closed.
    Quiesced(usize),
    /// T1: writes could not be closed in time, and are open again.
    NotQuiesced(usize),
    /// T1: the target has applied the set.
    CaughtUp(usize),
    /// T1: the target could not apply it in time.
    NotCaughtUp(usize),
}

impl Model for Cluster {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![formed(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for envelope in state.network.iter() {
            actions.push(Action::Deliver(envelope.clone()));
            let heartbeat = matches!(envelope.message, Message::Heartbeat { .. });
            if !heartbeat && state.spent.repeats < self.bounds.repeats {
                actions.push(Action::DeliverAndRepeat(envelope.clone()));
            }
        }
        for (at, node) in state.nodes.iter().enumerate() {
            self.actions_of_node(at, node, state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, action)?;
        if self.is_sound() {
            state.network.forget_void(&state.nodes);
        }
        let beyond = state.nodes.iter().any(|node| node.term() > self.bounds.terms);
        (!beyond && state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        invariants::all(self)
    }
}
