//! Messages in flight.

use crate::state::Node;
use crate::state::name;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;
use xenon_election::{Message, Refusal, State as Shown};

/// A message and its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Envelope {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) message: Message,
}

/// A set of messages, in an order that is the same in every run. Not being delivered for ever is being lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Network(BTreeMap<u64, Arc<Envelope>>);

impl Network {
    pub(crate) fn insert(&mut self, envelope: Envelope) {
        self.0.insert(key(&envelope), Arc::new(envelope));
    }

    pub(crate) fn remove(&mut self, envelope: &Envelope) {
        self.0.remove(&key(envelope));
    }

    /// Forgets what the same node sent to the same before, if it is of the kind that is sent again and again.
    pub(crate) fn remove_older(&mut self, newer: &Envelope) {
        let kind = discriminant(&newer.message);
        if matches!(newer.message, Message::Heartbeat { .. } | Message::HeartbeatReply { .. }) {
            self.0.retain(|_, old| {
                (old.from, old.to) != (newer.from, newer.to) || discriminant(&old.message) != kind
            });
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Envelope> {
        self.0.values().map(AsRef::as_ref)
    }

    /// Forgets messages that can change nothing any more, however late they come: terms never fall, and nobody
    /// is a candidate of the same term twice. What is left out is only that an answer tells their sender of a
    /// newer term.
    pub(crate) fn forget_void(&mut self, nodes: &[Arc<Node>]) {
        self.0.retain(|_, envelope| nodes.get(envelope.to).is_some_and(|node| can_matter(envelope, node)));
    }
}

fn can_matter(envelope: &Envelope, to: &Node) -> bool {
    let term = to.term();
    let stands = to.core.state() == Shown::Candidate;
    match &envelope.message {
        Message::VoteReply { term: of, refusal } => match refusal {
            None | Some(Refusal::Behind { .. } | Refusal::Doubtful { .. }) => {
                *of == term && stands || *of > term
            }
            Some(_) => *of > term,
        },
        Message::PreVoteReply { asked, refusal: None | Some(Refusal::Doubtful { .. }), .. } => {
            *asked > term && !to.leads()
        }
        Message::PreVoteReply { term: of, .. } => *of > term,
        Message::PreVote { term: asked, .. } => *asked > term,
        Message::Vote { term: of, .. } => {
            let voted = to.core.record().vote.as_ref().is_some_and(|to| *to != name(envelope.from));
            *of > term || *of == term && !voted
        }
        // Leadership of a term is taken up again by an open primary only (T3).
        Message::HeartbeatReply { term: of, .. } => {
            *of > term || *of == term && (to.leads() || to.mysqld.primary.is_some())
        }
        Message::StandRefused { term: of, .. } => *of > term || *of == term && to.core.is_handing_over(),
        message => message.term().is_none_or(|of| of >= term),
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
