//! The state of the whole model: nodes, network, and what history must remember.

use crate::history::History;
use crate::model::Spent;
use crate::mysqld::{Item, Mysqld, uuid_of};
use crate::network::Network;
use std::collections::BTreeMap;
use std::sync::Arc;
use xenon_election::{
    ConfigId, Directive, Election, LocalView, NodeId, Record, ServerView, State as Shown, Term, Ticket, Timer,
};
use xenon_gtid::{GtidSet, Uuid};

/// Everything that can differ between two moments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Shared between states, for an action changes one or two of them.
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) network: Network,
    pub(crate) history: History,
    pub(crate) spent: Spent,
}

/// One agent with its disk and its server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) core: Election,
    /// On disk.
    pub(crate) record: Record,
    /// Being put on disk; only where a mutant does not wait for it (S1).
    pub(crate) unsaved: Option<Record>,
    pub(crate) mysqld: Mysqld,
    /// What the core was told of the server last.
    pub(crate) told: LocalView,
    /// A leader became known: its server is looked at before it follows (F2).
    pub(crate) look_due: bool,
    /// The last term of which a leader is known here.
    pub(crate) led_in: Term,
    /// A freeze was asked for.
    pub(crate) freeze: Option<(Ticket, Option<Uuid>)>,
    /// It has been done and this was read; the core does not know yet.
    pub(crate) frozen: Option<(Ticket, GtidSet)>,
    /// T1, the old primary: writes are to be closed.
    pub(crate) quiesce: Option<Ticket>,
    /// T1, the target: this is to be applied.
    pub(crate) catch_up: Option<(Ticket, GtidSet)>,
    /// W2: what this node's server lacks is to be fetched.
    pub(crate) rescue: Option<Ticket>,
    /// And of whom.
    pub(crate) rescue_of: usize,
    /// Timers that may run out; those that the model leaves out are not kept.
    pub(crate) armed: BTreeMap<Timer, Armed>,
    /// How often the host has been started.
    pub(crate) boots: u8,
    /// Rounds of heartbeats sent, over restarts.
    pub(crate) rounds: u8,
    /// The last of them as the core counts them.
    pub(crate) round: u64,
    /// Leases that count from this round or an earlier one are over.
    pub(crate) over: u8,
    /// The agent has put the cluster's address here (D1: taken off first of all).
    pub(crate) address: bool,
    /// The others are told where its server is reached.
    pub(crate) named: bool,
}

/// When a timer was armed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Armed {
    /// It may run out at any time.
    Any,
    /// It runs for T or longer from a moment at which the nodes had sent so many rounds of heartbeats.
    After(Vec<u8>),
    /// A lease, from the sending of this round.
    Lease(u8),
}

pub(crate) fn name(index: usize) -> NodeId {
    NodeId::new(format!("n{}", index + 1))
}

pub(crate) fn index(id: &NodeId) -> Option<usize> {
    id.as_str().strip_prefix('n').and_then(|number| number.parse::<usize>().ok()).map(|number| number - 1)
}

impl Node {
    pub(crate) fn term(&self) -> Term {
        self.core.record().term
    }

    /// In leadership, or about to take it up again.
    pub(crate) fn leads(&self) -> bool {
        self.core.state() == Shown::Leader
    }

    /// In leadership, with a server that is a primary or becomes one.
    pub(crate) fn rules(&self) -> bool {
        self.leads() && matches!(self.core.directive(), Directive::Lead { .. })
    }

    pub(crate) fn config_id(&self) -> ConfigId {
        self.core.record().config.as_ref().map(|config| config.id).unwrap_or_default()
    }

    /// The plan, made again, would start the receiver.
    pub(crate) fn is_to_be_pointed_again(&self) -> bool {
        let follows = matches!(self.core.directive(), Directive::Follow { .. });
        follows && self.mysqld.source.is_none() && self.freeze.is_none() && !self.mysqld.down
    }
}

impl State {
    pub(crate) fn node(&mut self, at: usize) -> Option<&mut Node> {
        self.nodes.get_mut(at).map(Arc::make_mut)
    }

    /// How many servers but this one have acknowledged it.
    pub(crate) fn holders(&self, at: usize, item: Item) -> usize {
        let holds = |(other, node): &(usize, &Arc<Node>)| *other != at && node.mysqld.has_acknowledged(item);
        self.nodes.iter().enumerate().filter(holds).count()
    }

    /// C5: a primary that may go on without replicas has none that is connected.
    fn waits_for_nobody(&self, at: usize) -> bool {
        let is_soft =
            self.nodes.get(at).and_then(|node| node.mysqld.primary).is_some_and(|primary| primary.soft);
        let connected = |node: &Arc<Node>| node.mysqld.source == Some(at) && node.mysqld.acknowledges;
        is_soft && !self.nodes.iter().any(connected)
    }

    /// A commit on this primary has its acknowledgements.
    pub(crate) fn has_enough(&self, at: usize, item: Item) -> bool {
        let Some(primary) = self.nodes.get(at).and_then(|node| node.mysqld.primary) else { return false };
        self.holders(at, item) >= primary.acknowledgements as usize || self.waits_for_nobody(at)
    }

    /// The first commit that waits has its acknowledgements: semi-sync gives them in the order of the log.
    pub(crate) fn may_acknowledge(&self, at: usize) -> bool {
        let first = self.nodes.get(at).and_then(|node| node.mysqld.waiting.first());
        first.is_some_and(|item| self.has_enough(at, *item))
    }

    /// What a look at this server shows.
    pub(crate) fn view(&self, at: usize) -> LocalView {
        let server = self.nodes.get(at).filter(|node| !node.mysqld.down).map(|node| {
            let mysqld = &node.mysqld;
            let clients = self.nodes.iter().filter(|other| {
                other.mysqld.source == Some(at) && other.mysqld.acknowledges && mysqld.primary.is_some()
            });
            ServerView {
                server_uuid: uuid_of(mysqld.uuid),
                received: mysqld.received(),
                unapplied: 0,
                acknowledging: mysqld.source.is_some() && mysqld.acknowledges,
                acknowledging_clients: u32::try_from(clients.count()).unwrap_or(u32::MAX),
                semi_sync_on: mysqld.primary.is_some_and(|primary| primary.acknowledgements > 0)
                    && !self.waits_for_nobody(at),
                receives_from: mysqld
                    .source
                    .and_then(|source| self.nodes.get(source))
                    .map(|source| uuid_of(source.mysqld.uuid)),
                waiting_commits: u32::try_from(mysqld.waiting.len()).unwrap_or(u32::MAX),
                ..ServerView::default()
            }
        });
        let named = self.nodes.get(at).is_some_and(|node| node.named);
        LocalView {
            server,
            source_host: if named { name(at).to_string() } else { String::new() },
            source_port: u16::try_from(at).unwrap_or(0),
            ..LocalView::default()
        }
    }
}
