//! The agents: one event through one core, and its effects carried out in order.

use crate::cluster::{Cluster, Elections};
use crate::duties::Duty;
use crate::mysqld::{CLUSTER, Mysqld, Primary, uuid_of};
use crate::network::Envelope;
use crate::state::{Armed, Node, State, index, name};
use std::collections::BTreeMap;
use std::sync::Arc;
use xenon_election::{
    Delay, Directive, Effect, Election, Event, LocalView, Message, NodeId, Record, Start, Timer,
};
use xenon_gtid::{GtidSet, Uuid};

impl Cluster {
    /// An agent that starts, and the first effects.
    pub(crate) fn start(
        &self,
        at: usize,
        record: Record,
        mysqld: Mysqld,
        local: LocalView,
        boots: u8,
    ) -> (Node, Vec<Effect>) {
        let term = record.term;
        let is_primary = mysqld.writable && mysqld.primary.is_some_and(|primary| primary.term == term);
        let (core, effects) = Election::start(Start {
            id: name(at),
            record: record.clone(),
            local: local.clone(),
            primary_of_term: is_primary || !self.duties.keep(Duty::ResumeAsPrimary),
            boot: (self.bounds.power_losses > 0).then(|| boots.to_string()),
            rules: self.rules,
        });
        let node = Node {
            core,
            record,
            unsaved: None,
            told: local,
            look_due: false,
            led_in: 0,
            mysqld,
            freeze: None,
            frozen: None,
            quiesce: None,
            catch_up: None,
            rescue: None,
            rescue_of: 0,
            armed: BTreeMap::new(),
            boots,
            rounds: 0,
            round: 0,
            over: 0,
            address: false,
            named: self.prepares_handovers,
        };
        (node, effects)
    }

    /// The agent crashes and starts again with its record and its server.
    pub(crate) fn restart(&self, state: &mut State, at: usize) -> Option<()> {
        let old = Arc::clone(state.nodes.get(at)?);
        let (mut node, effects) =
            self.start(at, old.record.clone(), old.mysqld.clone(), state.view(at), old.boots);
        node.rounds = old.rounds;
        node.over = old.over;
        node.address = old.address;
        *state.node(at)? = node;
        let mut answers = Vec::new();
        self.carry_out(state, at, effects, &mut answers);
        self.after_step(state, at, false, answers);
        Some(())
    }

    /// One event through one core, and all that comes of it at once.
    pub(crate) fn step(&self, state: &mut State, at: usize, event: Event) {
        let Some(node) = state.node(at) else { return };
        let ruled = node.rules();
        if let Event::Looked(view) = &event {
            node.told = LocalView::clone(view);
        }
        let config = node.core.record().config.clone();
        let effects = node.core.step(event);
        let new_leader = node.core.leader().is_some() && node.led_in < node.term();
        if new_leader {
            node.led_in = node.term();
        }
        let mut answers = Vec::new();
        self.carry_out(state, at, effects, &mut answers);
        if new_leader {
            answers.extend(self.look_at_new_leader(state, at));
        }
        let Some(node) = state.nodes.get(at) else { return };
        let (rules, now) = (node.rules(), node.config_id());
        if rules && let Some(config) = config {
            if !ruled {
                state.note_leader(at, config.id);
            } else if config.id.version != now.version {
                state.note_change(at, &config);
            }
        }
        self.after_step(state, at, true, answers);
    }

    fn look_at_new_leader(&self, state: &mut State, at: usize) -> Option<Event> {
        let node = state.node(at).filter(|node| !node.leads() && !node.mysqld.fence_ordered)?;
        node.look_due = self.slow_servers;
        (!self.slow_servers).then(|| Event::Looked(Box::new(state.view(at))))
    }

    fn after_step(&self, state: &mut State, at: usize, noted: bool, answers: Vec<Event>) {
        let Some(node) = state.nodes.get(at) else { return };
        if !noted && node.rules() {
            let config = node.config_id();
            state.note_leader(at, config);
        }
        state.note_settled();
        for answer in answers {
            self.step(state, at, answer);
        }
    }

    pub(crate) fn deliver(&self, state: &mut State, envelope: Envelope) {
        let Envelope { from, to, message } = envelope;
        if self.replies() && matches!(message, Message::Heartbeat { .. }) {
            self.look_if_news(state, to);
        }
        let handed_over = match &message {
            Message::Stand { after: Some(set), .. } => Some(set.clone()),
            _ => None,
        };
        let event = Event::Message { from: name(from), cluster: CLUSTER, message };
        match handed_over {
            Some(set) => self.step_of_target(state, to, event, &set),
            None => self.step(state, to, event),
        }
    }

    /// T1: the target of a handover may stand in this step, and must have this then; and all that the old primary
    /// has, as long as that hands over.
    pub(crate) fn step_of_target(&self, state: &mut State, at: usize, event: Event, set: &GtidSet) {
        let Some(node) = state.nodes.get(at) else { return };
        let (term, old) = (node.term(), node.core.leader().and_then(index));
        self.step(state, at, event);
        if let Some(node) = state.nodes.get(at)
            && node.term() != term
        {
            let old = old.and_then(|old| state.nodes.get(old));
            let finally = old.filter(|old| old.core.is_handing_over()).map(|old| old.mysqld.received());
            let wanted = set.union(&finally.unwrap_or_default());
            state.history.target_stands(&wanted, &node.mysqld.received());
        }
    }

    pub(crate) fn look(&self, state: &mut State, at: usize) {
        let view = state.view(at);
        self.step(state, at, Event::Looked(Box::new(view)));
    }

    fn look_if_news(&self, state: &mut State, at: usize) {
        let view = state.view(at);
        if state.nodes.get(at).is_some_and(|node| node.told != view) {
            self.step(state, at, Event::Looked(Box::new(view)));
        }
    }

    /// Effects in their order; what a server answers at once is left for afterwards.
    fn carry_out(&self, state: &mut State, at: usize, effects: Vec<Effect>, answers: &mut Vec<Event>) {
        for effect in effects {
            match effect {
                Effect::Save { record, then } => {
                    let Some(node) = state.node(at) else { return };
                    // That a crash cuts in before `then` is the same as that its messages are lost.
                    match self.duties.keep(Duty::SaveFirst) {
                        true => node.record = record,
                        false => node.unsaved = Some(record),
                    }
                    self.carry_out(state, at, then, answers);
                }
                Effect::Send { to, message } => self.send(state, at, &to, message),
                Effect::Freeze { ticket, spare } if self.slow_servers => {
                    let Some(node) = state.node(at) else { return };
                    node.rescue = None;
                    node.freeze = Some((ticket, spare));
                    node.frozen = None;
                }
                Effect::Freeze { ticket, spare } => {
                    let result = Ok(self.freeze(state, at, spare));
                    answers.push(Event::Frozen { ticket, result });
                }
                Effect::Quiesce { ticket } => {
                    let Some(node) = state.node(at) else { return };
                    node.quiesce = Some(ticket);
                }
                Effect::CatchUp { ticket, set } => {
                    let Some(node) = state.node(at) else { return };
                    node.catch_up = Some((ticket, set));
                }
                // A server that was down is up again, or a member that is out of reach: it is a failure in any case.
                Effect::Rescue { ticket, .. } if state.spent.rescues >= self.bounds.rescues => {
                    answers.push(Event::Rescued { ticket, result: Err("not to be had".to_owned()) });
                }
                Effect::Rescue { ticket, from, .. } => {
                    state.spent.rescues += 1;
                    let Some((node, from)) = state.node(at).zip(index(&from)) else { return };
                    node.rescue = Some(ticket);
                    node.rescue_of = from;
                }
                Effect::Direct(directive) => answers.extend(self.direct(state, at, &directive)),
                Effect::Arm { timer, delay } if self.is_followed(timer) => {
                    answers.extend(self.arm(state, at, timer, delay));
                }
                Effect::Disarm(timer) => {
                    let Some(node) = state.node(at) else { return };
                    node.armed.remove(&timer);
                }
                _ => {}
            }
        }
    }

    /// V2, V3, V5: close, then read. A receiver of the candidate's own goes on.
    pub(crate) fn freeze(&self, state: &mut State, at: usize, spare: Option<Uuid>) -> GtidSet {
        let Some(mysqld) = state.nodes.get(at).map(|node| &node.mysqld) else { return GtidSet::new() };
        if mysqld.down && !self.duties.keep(Duty::ReadPosition) {
            return GtidSet::new();
        }
        if let Some(node) = state.node(at) {
            node.rescue = None;
        }
        let Some(mysqld) = state.nodes.get(at).map(|node| &node.mysqld) else { return GtidSet::new() };
        // V4: the files of a dead mysqld are read with all that they hold.
        let received = mysqld.received();
        let source = mysqld.source.filter(|_| mysqld.primary.is_none());
        let source_uuid = source.and_then(|at| state.nodes.get(at)).map(|node| uuid_of(node.mysqld.uuid));
        let is_spared =
            spare.is_some() && source_uuid == spare || !self.duties.keep(Duty::SpareCandidatesOnly);
        if mysqld.primary.is_none() || self.duties.keep(Duty::CloseBeforeReading) {
            self.close(state, at);
        }
        if is_spared && let Some(node) = state.node(at) {
            node.mysqld.source = source;
        }
        received
    }

    /// D1: the server accepts nothing more, and nobody hears an OK from it.
    fn close(&self, state: &mut State, at: usize) {
        let Some(node) = state.node(at) else { return };
        let primary = node.mysqld.primary.filter(|_| !self.duties.keep(Duty::KeepSemiSync));
        let told_ok = primary.map(|primary| (primary.term, node.mysqld.waiting.clone()));
        node.mysqld.close();
        if let Some((term, items)) = told_ok {
            items.into_iter().for_each(|item| state.history.acknowledge(term, item));
        }
    }

    /// The fence stands: the server is looked at behind it.
    pub(crate) fn fenced(&self, state: &mut State, at: usize) -> Event {
        self.close(state, at);
        Event::Looked(Box::new(state.view(at)))
    }

    fn send(&self, state: &mut State, from: usize, to: &NodeId, message: Message) {
        if let Message::Heartbeat { round, .. } = &message
            && self.elections == Elections::Timed
            && let Some(node) = state.node(from)
            && node.round != *round
        {
            node.round = *round;
            node.rounds += 1;
        }
        let Some(to) = index(to).filter(|to| *to < state.nodes.len()) else { return };
        let wanted = match &message {
            Message::PreVote { .. } | Message::PreVoteReply { .. } => self.elections != Elections::StandNow,
            Message::HeartbeatReply { .. } => self.replies(),
            Message::StandRefused { .. } => self.bounds.handovers > 0,
            _ => true,
        };
        if wanted {
            let envelope = Envelope { from, to, message };
            if !self.overtaking {
                state.network.remove_older(&envelope);
            }
            state.network.insert(envelope);
        }
    }

    /// Returns the timer, if it runs out at once: a lease that is over when it is armed.
    fn arm(&self, state: &mut State, at: usize, timer: Timer, delay: Delay) -> Option<Event> {
        let rounds: Vec<u8> = state.nodes.iter().map(|node| node.rounds).collect();
        let node = state.node(at)?;
        let armed = match delay {
            _ if self.elections != Elections::Timed => Armed::Any,
            Delay::LeaseFrom { round } => {
                let sent_since = u8::try_from(node.round.saturating_sub(round)).unwrap_or(u8::MAX);
                Armed::Lease(node.rounds.saturating_sub(sent_since))
            }
            Delay::Election { .. } | Delay::ElectionBase => Armed::After(rounds),
            _ => Armed::Any,
        };
        if matches!(armed, Armed::Lease(round) if round <= node.over) {
            return Some(Event::Timer(timer));
        }
        node.armed.insert(timer, armed);
        None
    }

    fn is_followed(&self, timer: Timer) -> bool {
        match timer {
            Timer::Election | Timer::LeaderFresh => self.elections != Elections::StandNow,
            Timer::Lease => self.slow_servers || self.elections == Elections::Timed,
            Timer::HandOver => self.bounds.handovers > 0,
            Timer::Rescue => self.bounds.rescues > 0,
            _ => false,
        }
    }

    /// What the plans do about a directive, made anew: they are level-triggered.
    pub(crate) fn direct(&self, state: &mut State, at: usize, directive: &Directive) -> Option<Event> {
        let node = state.node(at)?;
        if !matches!(directive, Directive::Hold | Directive::Fence { .. }) {
            node.rescue = None;
        }
        let mysqld = &mut node.mysqld;
        match directive {
            Directive::Lead { term, .. } if mysqld.down => {
                return Some(Event::CannotServe { term: *term, reason: "mysqld is dead".to_owned() });
            }
            Directive::Lead { term, acknowledgements, soft, closed, handed_over } => {
                let (term, acknowledgements, soft) = (*term, *acknowledgements, *soft);
                let primary = Primary { term, acknowledgements, soft, open: false };
                if *handed_over && mysqld.source.is_some() && mysqld.primary.is_none() {
                    // T1: replication is stopped after opening.
                    let source = mysqld.source;
                    mysqld.promote(primary);
                    mysqld.source = source;
                    return None;
                }
                if mysqld.source.is_some() && mysqld.primary.is_none() {
                    mysqld.promoting = Some(primary);
                    return None;
                }
                mysqld.promote(primary);
                node.address |= mysqld.primary.is_some_and(|primary| primary.open);
                let closed = *closed && self.duties.keep(Duty::CloseBeforeHandingOver);
                mysqld.writable = !closed && mysqld.primary.is_some_and(|primary| primary.open);
            }
            Directive::Follow { source_port, acknowledge, .. } => {
                node.address = false;
                // F3. It was fenced before if it was a primary.
                mysqld.close();
                mysqld.source = Some(usize::from(*source_port)).filter(|_| !mysqld.down);
                mysqld.acknowledges = *acknowledge;
            }
            Directive::Fence { .. } => {
                node.address = false;
                mysqld.fence_ordered = true;
                if !self.slow_servers {
                    return Some(self.fenced(state, at));
                }
            }
            Directive::Invalid { .. } | Directive::Removed => {
                node.address = false;
                mysqld.close();
            }
            Directive::Suspend { .. } => {
                node.address = false;
                mysqld.suspend();
            }
            Directive::Unmanaged | Directive::Hold | Directive::Stopped => {}
        }
        None
    }
}
