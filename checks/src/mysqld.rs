//! A server as far as the protocol sees one.

use std::collections::{BTreeMap, BTreeSet};
use xenon_election::Term;
use xenon_gtid::{GtidSet, Uuid};

/// The cluster, whose UUID names the markers.
pub(crate) const CLUSTER: Uuid = Uuid([0xcc; 16]);

/// A `server_uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct ServerUuid {
    /// Whose server.
    pub(crate) node: u8,
    /// W1: a rewound server goes on under the next one.
    pub(crate) generation: u8,
}

/// One transaction, as replication knows it: by its GTID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Item {
    /// M:<term> (L3).
    Marker(u8),
    /// A client's.
    Client { server: ServerUuid, number: u8 },
}

/// A server's log and what it is doing. All steps of it are actions of the model, so that anything may happen
/// in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mysqld {
    pub(crate) uuid: ServerUuid,
    /// The process is gone; its files are there.
    pub(crate) down: bool,
    /// Everything received or written, in that order: replicas get it in this order (auto-position).
    pub(crate) log: Vec<Item>,
    /// The part of the log that was received while acknowledgements did not count.
    pub(crate) silent: BTreeSet<Item>,
    /// Whose log the receiver fetches, when it runs.
    pub(crate) source: Option<usize>,
    /// Its acknowledgements count (L4).
    pub(crate) acknowledges: bool,
    /// L2 waits for replication to be stopped; only a mutant has it running then.
    pub(crate) promoting: Option<Primary>,
    pub(crate) primary: Option<Primary>,
    /// Clients may write.
    pub(crate) writable: bool,
    /// Own transactions whose clients still wait for their OK.
    pub(crate) waiting: Vec<Item>,
    /// A fence was ordered and does not stand yet: until then nothing has changed.
    pub(crate) fence_ordered: bool,
}

/// What makes a server a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Primary {
    pub(crate) term: Term,
    /// W (L4).
    pub(crate) acknowledgements: u32,
    /// C5: commits go on without them while no replica is connected.
    pub(crate) soft: bool,
    /// L2 is through: the marker was acknowledged.
    pub(crate) open: bool,
}

impl Mysqld {
    pub(crate) fn new(node: usize) -> Mysqld {
        Mysqld {
            uuid: ServerUuid { node: u8::try_from(node).unwrap_or(u8::MAX), generation: 0 },
            down: false,
            log: Vec::new(),
            silent: BTreeSet::new(),
            source: None,
            acknowledges: false,
            promoting: None,
            primary: None,
            writable: false,
            waiting: Vec::new(),
            fence_ordered: false,
        }
    }

    pub(crate) fn has(&self, item: Item) -> bool {
        self.log.contains(&item)
    }

    /// It has it, and said so to whoever it has it from.
    pub(crate) fn has_acknowledged(&self, item: Item) -> bool {
        self.has(item) && !self.silent.contains(&item)
    }

    pub(crate) fn received(&self) -> GtidSet {
        as_set(&self.log)
    }

    /// V3, V5, D1: nothing more is accepted, and no client hears an OK any more: commits have drained, or the
    /// process was killed.
    pub(crate) fn close(&mut self) {
        self.writable = false;
        self.primary = None;
        self.promoting = None;
        self.source = None;
        self.waiting.clear();
        self.fence_ordered = false;
    }

    /// D4: no client is served, and those that waited are gone; the rest stays as it is.
    pub(crate) fn suspend(&mut self) {
        self.writable = false;
        self.waiting.clear();
    }

    /// kill -9: what was written is in the binlog, and no client hears of it any more.
    pub(crate) fn crash(&mut self) {
        self.close();
        self.down = true;
    }

    /// L2, from a server that replicates from nobody.
    pub(crate) fn promote(&mut self, to: Primary) {
        self.promoting = None;
        self.source = None;
        self.fence_ordered = false;
        let open = self.primary.is_some_and(|primary| primary.term == to.term && primary.open);
        self.primary = Some(Primary { open, ..to });
        if let Some(marker) = marker(to.term)
            && !self.has(marker)
        {
            self.log.push(marker);
        }
    }

    /// A client writes: the next number of this server's own.
    pub(crate) fn write(&mut self) -> Item {
        let own = |item: &&Item| matches!(item, Item::Client { server, .. } if *server == self.uuid);
        let number = u8::try_from(self.log.iter().filter(own).count()).unwrap_or(u8::MAX) + 1;
        let item = Item::Client { server: self.uuid, number };
        self.log.push(item);
        self.waiting.push(item);
        item
    }

    pub(crate) fn receive(&mut self, item: Item) {
        self.log.push(item);
        if !self.acknowledges {
            self.silent.insert(item);
        }
    }

    /// W2: from a dead server's files; whoever has it from there acknowledges to nobody.
    pub(crate) fn take_over(&mut self, item: Item) {
        self.log.push(item);
        self.silent.insert(item);
    }

    /// The next transaction that this server's receiver gets out of that log.
    pub(crate) fn next_from(&self, source: &Mysqld) -> Option<Item> {
        source.log.iter().copied().find(|item| !self.has(*item))
    }

    /// W1: where the tail begins that somebody lacks, if it is this server's own writing and nothing else.
    pub(crate) fn own_tail(
        &self,
        is_lacked: impl Fn(Item) -> bool,
        is_own_marker: impl Fn(u8) -> bool,
    ) -> Option<usize> {
        let begin = self.log.iter().position(|item| is_lacked(*item))?;
        let own = |item: Item| match item {
            Item::Marker(term) => is_own_marker(term),
            Item::Client { server, .. } => server == self.uuid,
        };
        let tail = self.log.get(begin..)?;
        tail.iter().all(|item| own(*item) && is_lacked(*item)).then_some(begin)
    }
}

pub(crate) fn marker(term: Term) -> Option<Item> {
    u8::try_from(term).ok().map(Item::Marker)
}

pub(crate) fn uuid_of(server: ServerUuid) -> Uuid {
    let mut bytes = [server.node + 1; 16];
    bytes[15] = server.generation;
    Uuid(bytes)
}

pub(crate) fn as_set<'a>(items: impl IntoIterator<Item = &'a Item>) -> GtidSet {
    let mut numbers: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    for item in items {
        let (uuid, number) = match item {
            Item::Marker(term) => (CLUSTER, *term),
            Item::Client { server, number } => (uuid_of(*server), *number),
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
