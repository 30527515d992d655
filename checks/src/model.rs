//! What can happen, one action at a time.

use crate::mysqld::Item;
use crate::properties::properties;
use crate::setup::formed;
use crate::state::{Envelope, Follows, Node, State, name};
use stateright::{Model, Property};
use xenon_election::{Event, Message, Request, Rules, State as Shown, Term, Timer};

/// A cluster to be checked.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// How many nodes, all of them voters at first.
    pub nodes: usize,
    /// The rules that are kept.
    pub rules: Rules,
    /// Where the search ends.
    pub bounds: Bounds,
    /// How elections begin.
    pub elections: Elections,
    /// Freezes and fences take time, and leases may run out.
    pub slow_servers: bool,
}

/// Where the search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// No later term than this.
    pub terms: Term,
    /// Clients' transactions.
    pub writes: u8,
    /// Agents that crash and start again, keeping record and server.
    pub restarts: u8,
    /// Messages that arrive twice (heartbeats may always).
    pub repeats: u8,
    /// Requests to remove the last node, or to take it in again.
    pub config_changes: u8,
}

/// How elections begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elections {
    /// Any node may be told to stand at any moment: more than timers and pre-votes allow.
    StandNow,
    /// By timers and pre-votes, as they do.
    PreVotes,
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
    /// The server has been frozen, and its position read.
    Freeze(usize),
    /// The core hears of it.
    Frozen(usize),
    /// The plan is made again (it is level-triggered): a freeze that ended after the directive to follow has
    /// stopped the receiver.
    Replan(usize),
    /// The fence stands, and the server is looked at behind it.
    Fenced(usize),
    /// A client's transaction is written, and waits.
    Write(usize),
    /// The receiver takes the next transaction.
    Receive(usize),
    /// A client gets its OK.
    Acknowledge(usize),
    /// The marker is acknowledged and the server opens.
    Open(usize),
    /// The agent crashes and starts again.
    Restart(usize),
    /// The last node is to leave, or to come in.
    ChangeConfig(usize),
    /// The server is looked at.
    Look(usize),
}

impl Cluster {
    pub(crate) fn follows(&self) -> Follows {
        Follows {
            slow_servers: self.slow_servers,
            pre_votes: self.elections == Elections::PreVotes,
            replies: self.bounds.config_changes > 0,
        }
    }

    fn actions_of_node(&self, at: usize, node: &Node, state: &State, actions: &mut Vec<Action>) {
        let mysqld = &node.mysqld;
        // Who cannot stand within the bounds need not ask.
        let may_stand = node.term() < self.bounds.terms;
        let fires = |timer: &&Timer| may_stand || **timer != Timer::Election;
        actions.extend(node.armed.iter().filter(fires).map(|timer| Action::Fire(at, *timer)));
        if self.elections == Elections::StandNow && !node.leads() && may_stand {
            actions.push(Action::StandNow(at));
        }
        if node.freeze.is_some() {
            actions.push(Action::Freeze(at));
        }
        if node.frozen.is_some() {
            actions.push(Action::Frozen(at));
        }
        if node.is_to_be_pointed_again() {
            actions.push(Action::Replan(at));
        }
        if mysqld.fence_ordered {
            actions.push(Action::Fenced(at));
        }
        if mysqld.writable && state.writes < self.bounds.writes {
            actions.push(Action::Write(at));
        }
        if let Some(source) = mysqld.source.and_then(|source| state.nodes.get(source))
            && mysqld.next_from(&source.mysqld).is_some()
        {
            actions.push(Action::Receive(at));
        }
        if let Some((term, w)) = mysqld.leads {
            let enough = |item| state.holders(at, item) >= w as usize;
            // Semi-sync acknowledges in the order of the log.
            if mysqld.waiting.first().is_some_and(|item| enough(*item)) {
                actions.push(Action::Acknowledge(at));
            }
            let marker = u8::try_from(term).map(Item::Marker);
            if !mysqld.writable && node.leads() && marker.is_ok_and(enough) {
                actions.push(Action::Open(at));
            }
        }
        if state.restarts < self.bounds.restarts {
            actions.push(Action::Restart(at));
        }
        if state.changes < self.bounds.config_changes && node.leads() {
            actions.push(Action::ChangeConfig(at));
        }
    }

    fn act(&self, state: &mut State, action: Action) -> Option<()> {
        let follows = self.follows();
        match action {
            Action::Deliver(envelope) => {
                // Heartbeats are sent for ever, so they stay; their repetition changes nothing.
                if !matches!(envelope.message, Message::Heartbeat { .. }) {
                    state.network.remove(&envelope);
                }
                state.deliver(envelope, follows);
            }
            Action::DeliverAndRepeat(envelope) => {
                state.repeats += 1;
                state.deliver(envelope, follows);
            }
            Action::Fire(at, timer) => {
                state.node(at)?.armed.remove(&timer);
                state.step(at, Event::Timer(timer), follows);
            }
            Action::StandNow(at) => self.stand_now(state, at)?,
            Action::Freeze(at) => {
                let node = state.node(at)?;
                let ticket = node.freeze.take()?;
                node.mysqld.close();
                node.frozen = Some((ticket, node.mysqld.received()));
            }
            Action::Frozen(at) => {
                let (ticket, received) = state.node(at)?.frozen.take()?;
                state.step(at, Event::Frozen { ticket, result: Ok(received) }, follows);
            }
            Action::Replan(at) => state.node(at)?.replan(),
            Action::Fenced(at) => {
                let looked = state.node(at)?.fenced(at);
                state.step(at, looked, follows);
            }
            Action::Write(at) => {
                state.writes += 1;
                let item = Item::Client { server: u8::try_from(at).ok()?, number: state.writes };
                let mysqld = &mut state.node(at)?.mysqld;
                mysqld.log.push(item);
                mysqld.waiting.push(item);
            }
            Action::Receive(at) => {
                let source = state.nodes.get(at)?.mysqld.source?;
                let item = state.nodes.get(at)?.mysqld.next_from(&state.nodes.get(source)?.mysqld)?;
                state.node(at)?.mysqld.log.push(item);
            }
            Action::Acknowledge(at) => {
                let mysqld = &mut state.node(at)?.mysqld;
                let (term, _) = mysqld.leads?;
                let item = mysqld.waiting.remove(0);
                state.history.acknowledged.insert((term, item));
            }
            Action::Open(at) => {
                let mysqld = &mut state.node(at)?.mysqld;
                let (term, _) = mysqld.leads?;
                mysqld.writable = true;
                state.step(at, Event::Promoted { term }, follows);
            }
            Action::Restart(at) => {
                state.restarts += 1;
                let old = state.nodes.get(at)?;
                let (node, effects) = Node::start(at, old.record.clone(), old.mysqld.clone(), self.rules);
                *state.node(at)? = node;
                let mut answers = Vec::new();
                state.carry_out(at, effects, &mut answers, follows);
                for answer in answers {
                    state.step(at, answer, follows);
                }
            }
            Action::ChangeConfig(at) => {
                state.changes += 1;
                let last = name(self.nodes - 1);
                let config = state.nodes.get(at)?.core.record().config.clone()?;
                let request = match config.members.contains_key(&last) {
                    true => Request::Remove { nodes: vec![last] },
                    false => Request::Add { nodes: vec![last], idle: false },
                };
                state.step(at, Event::Request(request), follows);
                // The look that a next step of the change waits for (C1).
                self.look(state, at)?;
            }
            Action::Look(at) => self.look(state, at)?,
        }
        Some(())
    }

    /// T1, T2 or V7 at any moment. A candidate gives its election up for lost first.
    fn stand_now(&self, state: &mut State, at: usize) -> Option<()> {
        let follows = self.follows();
        if state.nodes.get(at)?.core.state() == Shown::Candidate {
            state.step(at, Event::Timer(Timer::Election), follows);
        }
        let term = state.nodes.get(at)?.term();
        let message = Message::Stand { term, after: None };
        state.deliver(Envelope { from: (at + 1) % self.nodes, to: at, message }, follows);
        Some(())
    }

    fn look(&self, state: &mut State, at: usize) -> Option<()> {
        let view = state.nodes.get(at)?.mysqld.view(at);
        state.step(at, Event::Looked(Box::new(view)), self.follows());
        Some(())
    }
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
            if !heartbeat && state.repeats < self.bounds.repeats {
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
        if self.rules == Rules::all() {
            state.forget_void();
        }
        let beyond = state.nodes.iter().any(|node| node.term() > self.bounds.terms);
        (!beyond && state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties(self)
    }
}
