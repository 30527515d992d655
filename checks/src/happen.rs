//! What can happen, and what comes of it.

use crate::cluster::{Change, Cluster, Elections};
use crate::duties::Duty;
use crate::model::Action;
use crate::mysqld::{Item, Primary, marker};
use crate::network::Envelope;
use crate::state::{Armed, Node, State, index, name};
use xenon_election::{Event, Message, Request, State as Shown, Term, Timer};

impl Cluster {
    /// All that may happen to this node next, but for messages.
    pub(crate) fn actions_of_node(&self, at: usize, node: &Node, state: &State, actions: &mut Vec<Action>) {
        let spent = &state.spent;
        self.timers(at, node, state, actions);
        if self.may_stand_now(at, node) {
            actions.push(Action::StandNow(at));
        }
        let mut may = |so: bool, action: Action| {
            if so {
                actions.push(action);
            }
        };
        may(node.look_due, Action::Look(at));
        may(node.unsaved.is_some(), Action::Saved(at));
        may(node.freeze.is_some(), Action::Freeze(at));
        may(node.frozen.is_some(), Action::Frozen(at));
        may(node.is_to_be_pointed_again(), Action::Replan(at));
        may(spent.restarts < self.bounds.restarts, Action::Restart(at));
        may(node.leads() && spent.beats < self.bounds.beats, Action::Beat(at));
        if node.leads()
            && let Some(change) = self.changes.get(usize::from(spent.changes))
        {
            may(true, Action::ChangeConfig(at, *change));
        }
        if node.core.is_open_leader() && spent.handovers < self.bounds.handovers {
            // To n1 the others are alike.
            let targets = if at == 0 { 1..2 } else { 0..self.seats.len() };
            for target in targets.filter(|target| *target != at) {
                may(true, Action::HandOver(at, target));
            }
        }
        let drained = node.mysqld.waiting.is_empty();
        may(node.quiesce.is_some() && node.mysqld.writable && drained, Action::Quiesced(at));
        may(node.quiesce.is_some(), Action::NotQuiesced(at));
        if let Some((_, set)) = &node.catch_up {
            may(node.mysqld.received().contains_set(set), Action::CaughtUp(at));
            may(true, Action::NotCaughtUp(at));
        }
        if node.rescue.is_some() && !node.mysqld.down {
            let dead = state.nodes.get(node.rescue_of).filter(|dead| dead.mysqld.down);
            let next = dead.and_then(|dead| node.mysqld.next_from(&dead.mysqld));
            may(next.is_some(), Action::Fetch(at));
            may(dead.is_some() && next.is_none(), Action::Rescued(at));
            may(true, Action::NotRescued(at));
        }
        self.actions_of_server(at, node, state, actions);
    }

    fn actions_of_server(&self, at: usize, node: &Node, state: &State, actions: &mut Vec<Action>) {
        let mysqld = &node.mysqld;
        let mut may = |so: bool, action: Action| {
            if so {
                actions.push(action);
            }
        };
        if mysqld.down {
            may(true, Action::Recover(at));
            return may(self.rewindable(state, at).is_some(), Action::Rewind(at));
        }
        may(mysqld.fence_ordered, Action::Fenced(at));
        may(mysqld.promoting.is_some(), Action::Promote(at));
        if state.spent.power_losses < self.bounds.power_losses {
            for lost in 1..=self.may_be_lost(state, at) {
                may(true, Action::LosePower(at, lost));
            }
        }
        may(mysqld.writable && state.spent.writes < self.bounds.writes, Action::Write(at));
        may(state.may_acknowledge(at), Action::Acknowledge(at));
        may(state.spent.crashes < self.bounds.crashes, Action::Crash(at));
        if let Some(source) = mysqld.source.and_then(|source| state.nodes.get(source)) {
            let more = !source.mysqld.down && mysqld.next_from(&source.mysqld).is_some();
            may(more, Action::Receive(at));
        }
        if let Some(Primary { term, open: false, .. }) = mysqld.primary {
            let enough = marker(term).is_some_and(|item| state.has_enough(at, item));
            may(node.rules() && (enough || !self.duties.keep(Duty::MarkerFirst)), Action::Open(at));
        }
    }

    /// S3: what was received last and may not be applied yet. What a server wrote itself is in its binlog.
    fn may_be_lost(&self, state: &State, at: usize) -> usize {
        let Some(mysqld) = state.nodes.get(at).map(|node| &node.mysqld) else { return 0 };
        let is_own = |item: &Item| match item {
            Item::Marker(term) => {
                state.history.leaders.get(&Term::from(*term)).is_some_and(|(by, _)| *by == at)
            }
            Item::Client { server, .. } => server.node == mysqld.uuid.node,
        };
        mysqld.log.iter().rev().take_while(|item| !is_own(item)).count()
    }

    fn timers(&self, at: usize, node: &Node, state: &State, actions: &mut Vec<Action>) {
        for (timer, armed) in &node.armed {
            // Who cannot stand within the bounds need not ask.
            let may_stand = node.term() < self.bounds.terms && self.standers.contains(&at);
            let idle = *timer == Timer::Election && !may_stand;
            if !idle && may_run_out(armed, state) {
                actions.push(Action::Fire(at, *timer));
            }
        }
    }

    fn may_stand_now(&self, at: usize, node: &Node) -> bool {
        self.elections == Elections::StandNow
            && self.standers.contains(&at)
            && !node.leads()
            && node.term() < self.bounds.terms
    }

    /// W1: the new leader is known, and the tail that it lacks is this server's own and nothing else.
    fn rewindable(&self, state: &State, at: usize) -> Option<usize> {
        let node = state.nodes.get(at)?;
        let led = |term: Term| state.history.leaders.get(&term);
        let is_own_marker = |term| led(Term::from(term)).is_some_and(|(leader, _)| *leader == at);
        if !self.duties.keep(Duty::RewindWhatLeaderLacks) {
            let own = node.mysqld.uuid;
            let is_own = |item| matches!(item, Item::Client { server, .. } if server == own);
            return node.mysqld.own_tail(is_own, is_own_marker);
        }
        let leader = node.core.leader().and_then(index).filter(|leader| *leader != at)?;
        let (_, received) = led(node.term())?;
        // What it has written since is not lacked either.
        let own = state.nodes.get(leader)?.mysqld.uuid;
        let is_lacked = |item| match item {
            Item::Marker(term) => Term::from(term) != node.term() && !received.contains(&item),
            Item::Client { server, .. } => server != own && !received.contains(&item),
        };
        node.mysqld.own_tail(is_lacked, is_own_marker)
    }

    pub(crate) fn act(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Deliver(envelope) => {
                if self.once || !matches!(envelope.message, Message::Heartbeat { .. }) {
                    state.network.remove(&envelope);
                }
                self.deliver(state, envelope);
            }
            Action::DeliverAndRepeat(envelope) => {
                state.spent.repeats += 1;
                self.deliver(state, envelope);
            }
            Action::Fire(at, timer) => {
                if let Some(Armed::After(rounds)) = state.node(at)?.armed.remove(&timer) {
                    for (leader, round) in rounds.into_iter().enumerate() {
                        let node = state.node(leader)?;
                        node.over = node.over.max(round);
                    }
                }
                self.step(state, at, Event::Timer(timer));
            }
            Action::StandNow(at) => self.stand_now(state, at)?,
            Action::Saved(at) => {
                let node = state.node(at)?;
                node.record = node.unsaved.take()?;
            }
            Action::Freeze(at) => {
                let (ticket, spare) = state.node(at)?.freeze.take()?;
                let received = self.freeze(state, at, spare);
                state.node(at)?.frozen = Some((ticket, received));
            }
            Action::Frozen(at) => {
                let (ticket, received) = state.node(at)?.frozen.take()?;
                self.step(state, at, Event::Frozen { ticket, result: Ok(received) });
            }
            Action::Replan(at) => {
                let directive = state.nodes.get(at)?.core.directive().clone();
                self.direct(state, at, &directive);
            }
            Action::Look(at) => {
                state.node(at)?.look_due = false;
                self.look(state, at);
            }
            Action::Restart(at) => {
                state.spent.restarts += 1;
                self.restart(state, at)?;
            }
            Action::Beat(at) => {
                state.spent.beats += 1;
                self.look(state, at);
                self.step(state, at, Event::Timer(Timer::Heartbeat));
            }
            Action::ChangeConfig(at, change) => {
                state.spent.changes += 1;
                self.step(state, at, Event::Request(change.request()));
                // The look that a next step of the change waits for (C1).
                self.look(state, at);
            }
            Action::HandOver(at, target) => {
                state.spent.handovers += 1;
                // The leader knows what it has at the moment that it decides.
                self.look(state, at);
                let target = Some(name(target));
                self.step(state, at, Event::Request(Request::HandOver { target }));
            }
            action => self.act_on_server(state, action)?,
        }
        Some(())
    }

    fn act_on_server(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Quiesced(at) => {
                let node = state.node(at)?;
                let ticket = node.quiesce.take()?;
                node.mysqld.writable &= !self.duties.keep(Duty::CloseBeforeHandingOver);
                let result = Ok(node.mysqld.received());
                self.step(state, at, Event::Quiesced { ticket, result });
            }
            Action::NotQuiesced(at) => {
                let ticket = state.node(at)?.quiesce.take()?;
                self.step(state, at, Event::Quiesced { ticket, result: Err("too slow".to_owned()) });
            }
            Action::CaughtUp(at) => {
                let (ticket, set) = state.node(at)?.catch_up.take()?;
                let caught_up = Event::CaughtUp { ticket, result: Ok(()) };
                self.step_of_target(state, at, caught_up, &set);
            }
            Action::NotCaughtUp(at) => {
                let (ticket, _) = state.node(at)?.catch_up.take()?;
                self.step(state, at, Event::CaughtUp { ticket, result: Err("too slow".to_owned()) });
            }
            Action::Fetch(at) => {
                let dead = state.nodes.get(at)?.rescue_of;
                let (here, dead) = (&state.nodes.get(at)?.mysqld, &state.nodes.get(dead)?.mysqld);
                let next = match self.duties.keep(Duty::RescueInOrder) {
                    true => here.next_from(dead)?,
                    false => dead.log.iter().rev().copied().find(|item| !here.has(*item))?,
                };
                state.node(at)?.mysqld.take_over(next);
            }
            Action::Rescued(at) => {
                let ticket = state.node(at)?.rescue.take()?;
                self.step(state, at, Event::Rescued { ticket, result: Ok(()) });
            }
            Action::NotRescued(at) => {
                let ticket = state.node(at)?.rescue.take()?;
                self.step(state, at, Event::Rescued { ticket, result: Err("broke off".to_owned()) });
            }
            Action::Fenced(at) => {
                let looked = self.fenced(state, at);
                self.step(state, at, looked);
            }
            Action::Promote(at) => {
                let mysqld = &mut state.node(at)?.mysqld;
                let primary = mysqld.promoting?;
                mysqld.promote(primary);
            }
            Action::Write(at) => {
                state.spent.writes += 1;
                let item = state.node(at)?.mysqld.write();
                state.history.write(item);
            }
            Action::Receive(at) => {
                let source = state.nodes.get(at)?.mysqld.source?;
                let item = state.nodes.get(at)?.mysqld.next_from(&state.nodes.get(source)?.mysqld)?;
                state.node(at)?.mysqld.receive(item);
            }
            Action::Acknowledge(at) => {
                let mysqld = &mut state.node(at)?.mysqld;
                let primary = mysqld.primary?;
                let item = mysqld.waiting.remove(0);
                state.history.acknowledge(primary.term, item);
            }
            Action::Open(at) => {
                let node = state.node(at)?;
                let primary = node.mysqld.primary.as_mut()?;
                primary.open = true;
                let term = primary.term;
                node.mysqld.writable = true;
                node.mysqld.source = None;
                node.address = true;
                state.history.acknowledge(term, marker(term)?);
                self.step(state, at, Event::Promoted { term });
            }
            Action::Crash(at) => self.crash(state, at)?,
            Action::LosePower(at, lost) => {
                state.spent.power_losses += 1;
                let node = state.node(at)?;
                node.mysqld.close();
                node.mysqld.log.truncate(node.mysqld.log.len().saturating_sub(lost));
                node.boots += 1;
                self.restart(state, at)?;
            }
            Action::Recover(at) => {
                self.start_server(state, at)?;
            }
            Action::Rewind(at) => {
                let begin = self.rewindable(state, at)?;
                let dropped = state.nodes.get(at)?.mysqld.log.get(begin..)?.to_vec();
                state.history.drop_items(&dropped);
                let mysqld = &mut state.node(at)?.mysqld;
                mysqld.log.truncate(begin);
                if self.duties.keep(Duty::NewServerUuid) {
                    mysqld.uuid.generation += 1;
                }
                self.start_server(state, at)?;
            }
            _ => {}
        }
        Some(())
    }

    /// The agent sees it at once (L6).
    fn crash(&self, state: &mut State, at: usize) -> Option<()> {
        state.spent.crashes += 1;
        let node = state.node(at)?;
        let primary = node.mysqld.primary.filter(|_| !self.duties.keep(Duty::StartReadOnly));
        node.mysqld.crash();
        let term = node.term();
        self.look(state, at);
        self.step(state, at, Event::CannotServe { term, reason: "mysqld is dead".to_owned() });
        let mysqld = &mut state.node(at)?.mysqld;
        mysqld.fence_ordered = false;
        // The mutant's server will come back as it was, and semi-sync with what a file says of it: nothing.
        mysqld.primary = primary.map(|primary| Primary { acknowledgements: 0, ..primary });
        Some(())
    }

    /// L5: read-only, and replicating from nobody. The plan is made again.
    fn start_server(&self, state: &mut State, at: usize) -> Option<()> {
        let node = state.node(at)?;
        node.mysqld.down = false;
        node.mysqld.writable = node.mysqld.primary.is_some();
        if node.mysqld.primary.is_some() {
            node.mysqld.fence_ordered = true;
            return Some(());
        }
        self.look(state, at);
        Some(())
    }

    /// T1, T2 or V7 at any moment. A candidate gives its election up for lost first.
    fn stand_now(&self, state: &mut State, at: usize) -> Option<()> {
        if state.nodes.get(at)?.core.state() == Shown::Candidate {
            self.step(state, at, Event::Timer(Timer::Election));
        }
        let term = state.nodes.get(at)?.term();
        let message = Message::Stand { term, after: None };
        self.deliver(state, Envelope { from: (at + 1) % self.seats.len(), to: at, message });
        Some(())
    }
}

/// Of all that is said of time only this is kept: a lease is shorter than T, so that one that counts from
/// before a timer was armed runs out before that timer does (L1, V1).
fn may_run_out(armed: &Armed, state: &State) -> bool {
    let Armed::After(rounds) = armed else { return true };
    state.nodes.iter().zip(rounds).all(|(node, sent)| match node.armed.get(&Timer::Lease) {
        Some(Armed::Lease(round)) => round > sent,
        _ => true,
    })
}

impl Change {
    fn request(self) -> Request {
        match self {
            Change::Remove(at) => Request::Remove { nodes: vec![name(at)] },
            Change::RemoveBoth(one, other) => Request::Remove { nodes: vec![name(one), name(other)] },
            Change::Add(at) => Request::Add { nodes: vec![name(at)], idle: false },
        }
    }
}
