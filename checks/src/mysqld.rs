//! A server as far as the protocol sees one.

use std::collections::BTreeMap;
use xenon_election::{LocalView, ServerView, Term};
use xenon_gtid::{GtidSet, Uuid};

/// The cluster, whose UUID names the markers.
pub(crate) const CLUSTER: Uuid = Uuid([0xcc; 16]);

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Item {
    /// M:<term> (L3).
    Marker(u8),
    /// A client's, by the server that it was written on and its number there.
    Client { server: u8, number: u8 },
}

/// A server's log and what it is doing. All steps of it are actions of the model, so that anything may happen
/// in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Mysqld {
    /// Everything received or written, in that order: replicas get it in this order (auto-position).
    pub(crate) log: Vec<Item>,
    /// Whose log the receiver fetches, when it runs.
    pub(crate) source: Option<usize>,
    /// Its acknowledgements count (L4).
    pub(crate) acknowledges: bool,
    /// Term and W since the promotion to primary (L2).
    pub(crate) leads: Option<(Term, u32)>,
    /// Clients may write.
    pub(crate) writable: bool,
    /// Own transactions whose clients still wait for their OK.
    pub(crate) waiting: Vec<Item>,
    /// A fence was ordered and does not stand yet: until then nothing has changed.
    pub(crate) fence_ordered: bool,
}

impl Mysqld {
    pub(crate) fn has(&self, item: Item) -> bool {
        self.log.contains(&item)
    }

    pub(crate) fn received(&self) -> GtidSet {
        as_set(&self.log)
    }

    /// V3, V5, D1: nothing more is accepted, and no client hears an OK any more: commits have drained, or the
    /// process was killed.
    pub(crate) fn close(&mut self) {
        self.writable = false;
        self.leads = None;
        self.source = None;
        self.waiting.clear();
        self.fence_ordered = false;
    }

    /// The next transaction that this server's receiver gets out of that log.
    pub(crate) fn next_from(&self, source: &Mysqld) -> Option<Item> {
        source.log.iter().copied().find(|item| !self.has(*item))
    }

    pub(crate) fn view(&self, index: usize) -> LocalView {
        LocalView {
            server: Some(ServerView {
                server_uuid: server_uuid(index),
                received: self.received(),
                unapplied: 0,
                acknowledging: self.source.is_some() && self.acknowledges,
                ..ServerView::default()
            }),
            source_host: String::new(),
            source_port: u16::try_from(index).unwrap_or(0),
            ..LocalView::default()
        }
    }
}

pub(crate) fn server_uuid(index: usize) -> Uuid {
    Uuid([u8::try_from(index).unwrap_or(0) + 1; 16])
}

pub(crate) fn as_set(log: &[Item]) -> GtidSet {
    let mut numbers: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    for item in log {
        let (uuid, number) = match item {
            Item::Marker(term) => (CLUSTER, *term),
            Item::Client { server, number } => (server_uuid(usize::from(*server)), *number),
        };
        numbers.entry(uuid).or_default().push(u64::from(number));
    }
    let mut set = GtidSet::new();
    for (uuid, numbers) in numbers {
        for number in numbers {
            set.insert_range(uuid, None, number, number);
        }
    }
    set
}
