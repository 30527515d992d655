//! The state of the whole model: nodes, network, and what history must remember for the properties.

use crate::mysqld::{CLUSTER, Item, Mysqld};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use xenon_election::{
    ConfigId, Directive, Effect, Election, Event, Message, NodeId, Record, Refusal, Rules, Start,
    State as Shown, Term, Ticket, Timer,
};
use xenon_gtid::GtidSet;

/// Everything that can differ between two moments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Shared between states, for an action changes one or two of them.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// In flight. Not being delivered for ever is being lost.
    pub(crate) network: Network,
    pub(crate) history: History,
    pub(crate) writes: u8,
    pub(crate) restarts: u8,
    pub(crate) repeats: u8,
    pub(crate) changes: u8,
}

/// A message and its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Envelope {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) message: Message,
}

/// A set of messages, in an order that is the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Network(BTreeMap<u64, Arc<Envelope>>);

impl Network {
    pub(crate) fn insert(&mut self, envelope: Envelope) {
        self.0.insert(key(&envelope), Arc::new(envelope));
    }

    pub(crate) fn remove(&mut self, envelope: &Envelope) {
        self.0.remove(&key(envelope));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Envelope> {
        self.0.values().map(AsRef::as_ref)
    }
}

impl Hash for Network {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.keys().for_each(|key| key.hash(state));
    }
}

fn key(envelope: &Envelope) -> u64 {
    let mut hasher = DefaultHasher::new();
    envelope.hash(&mut hasher);
    hasher.finish()
}

/// One agent with its disk and its server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) core: Election,
    pub(crate) record: Record,
    pub(crate) mysqld: Mysqld,
    /// A freeze was asked for.
    pub(crate) freeze: Option<Ticket>,
    /// It has been done and this was read; the core does not know yet.
    pub(crate) frozen: Option<(Ticket, GtidSet)>,
    /// Timers that may run out; those that the model leaves out are not kept.
    pub(crate) armed: BTreeSet<Timer>,
}

/// What was true once and must stay so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct History {
    /// Of each term who led first, and what its server had received then.
    pub(crate) leaders: BTreeMap<Term, (usize, BTreeSet<Item>)>,
    /// I1 is broken.
    pub(crate) two_leaders: bool,
    /// Transactions whose clients got their OK, and the term of the primary that gave it.
    pub(crate) acknowledged: BTreeSet<(Term, Item)>,
    /// The newest config that a majority of its voters had, in the term of the leader that made it (C1).
    pub(crate) settled: ConfigId,
    /// I7 is broken.
    pub(crate) superseded_config_won: bool,
}

/// What of the election crate's doings the model follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Follows {
    /// Freezes and fences take time, and so does the news of them; else they are done at once. And leases may
    /// run out.
    pub(crate) slow_servers: bool,
    /// Pre-votes and the timers around them; else elections begin with "stand now".
    pub(crate) pre_votes: bool,
    /// Answers to heartbeats: they matter to the lease, which may run out at any moment here, to config
    /// changes, and to deposing a leader, which votes and heartbeats do as well.
    pub(crate) replies: bool,
}

pub(crate) fn name(index: usize) -> NodeId {
    NodeId::new(format!("n{}", index + 1))
}

pub(crate) fn index(id: &NodeId) -> Option<usize> {
    id.as_str().strip_prefix('n').and_then(|number| number.parse::<usize>().ok()).map(|number| number - 1)
}

impl Node {
    pub(crate) fn start(index: usize, record: Record, mysqld: Mysqld, rules: Rules) -> (Node, Vec<Effect>) {
        let term = record.term;
        let leads = mysqld.writable && mysqld.leads.is_some_and(|(led, _)| led == term);
        let has_marker = u8::try_from(term).is_ok_and(|term| mysqld.has(Item::Marker(term)));
        let (core, effects) = Election::start(Start {
            id: name(index),
            record: record.clone(),
            local: mysqld.view(index),
            primary_of_term: leads && has_marker,
            boot: None,
            rules,
        });
        let node = Node { core, record, mysqld, freeze: None, frozen: None, armed: BTreeSet::new() };
        (node, effects)
    }

    pub(crate) fn is_to_be_pointed_again(&self) -> bool {
        let follows = matches!(self.core.directive(), Directive::Follow { .. });
        follows && self.mysqld.source.is_none() && self.freeze.is_none()
    }

    pub(crate) fn replan(&mut self) {
        let directive = self.core.directive().clone();
        direct(self, &directive);
    }

    /// The fence stands: the server is looked at behind it.
    pub(crate) fn fenced(&mut self, index: usize) -> Event {
        self.mysqld.close();
        Event::Looked(Box::new(self.mysqld.view(index)))
    }

    pub(crate) fn term(&self) -> Term {
        self.core.record().term
    }

    pub(crate) fn leads(&self) -> bool {
        self.core.state() == Shown::Leader
    }

    fn config_id(&self) -> ConfigId {
        self.core.record().config.as_ref().map(|config| config.id).unwrap_or_default()
    }
}

impl State {
    /// One event through one core, and all that comes of it at once.
    pub(crate) fn step(&mut self, at: usize, event: Event, follows: Follows) {
        let Some(node) = self.node(at) else { return };
        let (led, config) = (node.leads(), node.config_id());
        let effects = node.core.step(event);
        let mut answers = Vec::new();
        self.carry_out(at, effects, &mut answers, follows);
        let Some(node) = self.nodes.get(at) else { return };
        if node.leads() && !led {
            self.elected(at, config);
        }
        self.note_settled();
        for answer in answers {
            self.step(at, answer, follows);
        }
    }

    /// Effects in their order; what a server answers at once is left for afterwards.
    pub(crate) fn carry_out(
        &mut self,
        at: usize,
        effects: Vec<Effect>,
        answers: &mut Vec<Event>,
        follows: Follows,
    ) {
        for effect in effects {
            let Some(node) = self.node(at) else { return };
            match effect {
                Effect::Save { record, then } => {
                    // That a crash cuts in before `then` is the same as that its messages are lost.
                    node.record = record;
                    self.carry_out(at, then, answers, follows);
                }
                Effect::Send { to, message } => self.send(at, &to, message, follows),
                Effect::Freeze { ticket } if follows.slow_servers => {
                    node.freeze = Some(ticket);
                    node.frozen = None;
                }
                Effect::Freeze { ticket } => {
                    node.mysqld.close();
                    let result = Ok(node.mysqld.received());
                    answers.push(Event::Frozen { ticket, result });
                }
                Effect::Direct(directive) => {
                    direct(node, &directive);
                    if node.mysqld.fence_ordered && !follows.slow_servers {
                        answers.push(node.fenced(at));
                    }
                }
                Effect::Arm { timer, .. } if is_followed(timer, follows) => {
                    node.armed.insert(timer);
                }
                Effect::Disarm(timer) => {
                    node.armed.remove(&timer);
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, from: usize, to: &NodeId, message: Message, follows: Follows) {
        let Some(to) = index(to).filter(|to| *to < self.nodes.len()) else { return };
        let wanted = match &message {
            Message::PreVote { .. } | Message::PreVoteReply { .. } => follows.pre_votes,
            Message::HeartbeatReply { .. } => follows.replies,
            Message::StandRefused { .. } => false,
            _ => true,
        };
        if wanted {
            self.network.insert(Envelope { from, to, message });
        }
    }

    /// Forgets messages that can change nothing any more, however late they come: terms never fall, and nobody
    /// is a candidate of the same term twice. What is left out is only that an answer tells their sender of a
    /// newer term.
    pub(crate) fn forget_void(&mut self) {
        let nodes = &self.nodes;
        self.network.0.retain(|_, envelope| {
            let Some(node) = nodes.get(envelope.to) else { return false };
            let term = node.term();
            let stands = node.core.state() == Shown::Candidate;
            match &envelope.message {
                Message::VoteReply { term: of, refusal } => match refusal {
                    None | Some(Refusal::Behind { .. }) => *of == term && stands || *of > term,
                    Some(_) => *of > term,
                },
                Message::PreVoteReply { asked, refusal: None, .. } => *asked > term && !node.leads(),
                Message::PreVoteReply { term: of, .. } => *of > term,
                Message::PreVote { term: asked, .. } => *asked > term,
                Message::Vote { term: of, .. } => {
                    let voted = node.core.record().vote.as_ref().is_some_and(|to| *to != name(envelope.from));
                    *of > term || *of == term && !voted
                }
                message => message.term().is_none_or(|of| of >= term),
            }
        });
    }

    fn elected(&mut self, at: usize, config: ConfigId) {
        let Some(node) = self.nodes.get(at) else { return };
        let term = node.term();
        match self.history.leaders.get(&term) {
            Some((other, _)) if *other != at => self.history.two_leaders = true,
            // Taken up again (T3): the same leader, elected once.
            Some(_) => {}
            None => {
                // The marker is written in the same step, and is no part of what it was elected with.
                let marker = u8::try_from(term).map(Item::Marker);
                let log = node.mysqld.log.iter().copied().filter(|item| marker != Ok(*item));
                self.history.leaders.insert(term, (at, log.collect()));
                // A leader elected late in an older term has no one left to follow it.
                let settled = self.history.settled;
                self.history.superseded_config_won |= config < settled && term > settled.term;
            }
        }
    }

    /// C1: a majority has this config, in the term of the leader that made it.
    fn note_settled(&mut self) {
        let newest = self.nodes.iter().filter(|node| node.leads()).filter_map(|node| {
            let config = node.core.record().config.as_ref()?;
            let has = |id: &NodeId| {
                index(id).and_then(|at| self.nodes.get(at)).is_some_and(|voter| {
                    voter.record.term == node.record.term
                        && voter.record.config.as_ref().map(|config| config.id) == Some(config.id)
                })
            };
            (config.voters().filter(|id| has(id)).count() >= config.majority()).then_some(config.id)
        });
        if let Some(newest) = newest.max() {
            self.history.settled = self.history.settled.max(newest);
        }
    }

    pub(crate) fn node(&mut self, at: usize) -> Option<&mut Node> {
        self.nodes.get_mut(at).map(Arc::make_mut)
    }

    pub(crate) fn deliver(&mut self, envelope: Envelope, follows: Follows) {
        let Envelope { from, to, message } = envelope;
        self.step(to, Event::Message { from: name(from), cluster: CLUSTER, message }, follows);
    }

    /// How many servers but this one have it.
    pub(crate) fn holders(&self, at: usize, item: Item) -> usize {
        self.nodes.iter().enumerate().filter(|(other, node)| *other != at && node.mysqld.has(item)).count()
    }
}

fn is_followed(timer: Timer, follows: Follows) -> bool {
    match timer {
        Timer::Election | Timer::LeaderFresh => follows.pre_votes,
        Timer::Lease => follows.slow_servers,
        _ => false,
    }
}

/// What the plans do about a directive.
fn direct(node: &mut Node, directive: &Directive) {
    let mysqld = &mut node.mysqld;
    match directive {
        Directive::Lead { term, acknowledgements, .. } => {
            mysqld.source = None;
            mysqld.fence_ordered = false;
            mysqld.leads = Some((*term, *acknowledgements));
            if let Ok(term) = u8::try_from(*term)
                && !mysqld.has(Item::Marker(term))
            {
                mysqld.log.push(Item::Marker(term));
            }
        }
        Directive::Follow { source_port, acknowledge, .. } => {
            // F3. It was fenced before if it was a primary.
            mysqld.close();
            mysqld.source = Some(usize::from(*source_port));
            mysqld.acknowledges = *acknowledge;
        }
        // D4: its clients are gone and its waiting commits stay; nothing here depends on more.
        Directive::Suspend { .. } => {}
        Directive::Fence { .. } => mysqld.fence_ordered = true,
        Directive::Invalid { .. } | Directive::Removed => mysqld.close(),
        Directive::Unmanaged | Directive::Hold | Directive::Stopped => {}
    }
}
