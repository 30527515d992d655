//! A mysqld as true to `docs/internals` and to what was measured as the protocol can notice: see docs/sim.md for what
//! it knows and what it leaves out. What is on disk and what is in memory are apart, so that a crash is one line.

pub(crate) mod commit;
pub(crate) mod life;
pub(crate) mod link;
pub(crate) mod receive;
pub(crate) mod show;

use std::collections::{BTreeMap, VecDeque};
use xenon_election::Term;
use xenon_gtid::{Gtid, GtidSet, Uuid};
use xenon_plan::observation::{ReceiverState, SourceAddress};

/// One transaction, as it goes from binlog to binlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tx {
    pub(crate) gtid: Gtid,
    /// What it does: two transactions that do different things differ in it, whatever their GTID (I4).
    pub(crate) content: u64,
    /// The term of the primary that it was written on.
    pub(crate) term: Term,
}

/// The process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Down,
    /// Recovering; answers nobody yet.
    Starting,
    Running,
    /// An orderly shutdown: lets nobody in.
    Ending,
}

/// Who waits for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// A client that is still connected.
    Client { client: usize, turn: u64 },
    /// A client's session that was killed: the commit goes on without it (D2).
    Nobody,
    /// The applier.
    Applier,
    /// A session of the agent, for its marker. It holds no lock, and killed it is in nobody's way.
    Marker,
}

/// A commit that is in the binlog and waits for acknowledgements (AFTER_SYNC).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Its index in the binlog.
    pub(crate) index: usize,
    pub(crate) waiter: Waiter,
}

/// The default replication channel as it is configured; on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) source: SourceAddress,
    /// Everything but host and port is as the agent wants it.
    pub(crate) configured: bool,
}

/// A SET super_read_only that waits for commits under way; writes wait behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    No,
    /// By the operation under way.
    Wanted,
    /// By one that was given up; it goes on until its session is ended.
    Orphaned,
}

/// Where its data folder, its process and its threads stand.
#[derive(Debug)]
pub(crate) struct Mysqld {
    // On disk.
    pub(crate) uuid: Uuid,
    pub(crate) binlog: Vec<Tx>,
    /// The binlog as a set.
    pub(crate) in_binlog: GtidSet,
    pub(crate) channel: Option<Channel>,
    /// It was started with relay_log_recovery=ON.
    pub(crate) relay_log_recovery: bool,
    /// The next start is to be one of those.
    pub(crate) starts_with_recovery: bool,
    /// Received and not applied, in order.
    pub(crate) relay: VecDeque<Tx>,
    pub(crate) retrieved: GtidSet,
    // The process.
    pub(crate) process: Process,
    /// Counts processes; what was planned for an older one is void.
    pub(crate) number: u64,
    pub(crate) hung: bool,
    pub(crate) disk_full: bool,
    pub(crate) slow: bool,
    pub(crate) applier_slow: bool,
    // In memory.
    /// So many of the binlog are committed in the engine.
    pub(crate) committed: usize,
    /// Those as a set: gtid_executed.
    pub(crate) executed: GtidSet,
    pub(crate) read_only: bool,
    pub(crate) super_read_only: bool,
    pub(crate) closing: Closing,
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) source_on: bool,
    /// W; 1 by default.
    pub(crate) wait_for: u32,
    /// `wait_no_replica` is off: with too few replicas connected, commits go on without.
    pub(crate) soft: bool,
    /// They do, until a replica has caught up.
    pub(crate) gave_up_waiting: bool,
    /// `offline_mode`.
    pub(crate) offline: bool,
    /// The server's own defaults still stand: not what the agent sets.
    pub(crate) source_is_set_up: bool,
    /// How much of the binlog each replica has acknowledged.
    pub(crate) acknowledged: BTreeMap<usize, usize>,
    pub(crate) replica_on: bool,
    pub(crate) replica_operational: bool,
    pub(crate) receiver: ReceiverState,
    /// Counts starts and stops of the receiver.
    pub(crate) receiver_number: u64,
    pub(crate) receiver_link: Option<u64>,
    pub(crate) receiver_error: &'static str,
    pub(crate) applier: bool,
    /// The applier has a transaction in hand.
    pub(crate) applying: bool,
    /// The term of the marker that was written here last, in this or an earlier process.
    pub(crate) term: Term,
}

impl Mysqld {
    pub(crate) fn new(index: usize) -> Mysqld {
        let mut bytes = [0; 16];
        bytes[0] = 0xa0;
        bytes[15] = u8::try_from(index & 0xff).unwrap_or(0);
        bytes[14] = u8::try_from(index >> 8 & 0xff).unwrap_or(0);
        Mysqld {
            uuid: Uuid::from_bytes(bytes),
            binlog: Vec::new(),
            in_binlog: GtidSet::new(),
            channel: None,
            relay_log_recovery: false,
            starts_with_recovery: false,
            relay: VecDeque::new(),
            retrieved: GtidSet::new(),
            process: Process::Down,
            number: 0,
            hung: false,
            disk_full: false,
            slow: false,
            applier_slow: false,
            committed: 0,
            executed: GtidSet::new(),
            read_only: true,
            super_read_only: true,
            closing: Closing::No,
            waiting: VecDeque::new(),
            source_on: false,
            wait_for: 1,
            soft: false,
            gave_up_waiting: false,
            offline: false,
            source_is_set_up: false,
            acknowledged: BTreeMap::new(),
            replica_on: false,
            replica_operational: false,
            receiver: ReceiverState::Stopped,
            receiver_number: 0,
            receiver_link: None,
            receiver_error: "",
            applier: false,
            applying: false,
            term: 0,
        }
    }

    /// It runs and is not stopped: its threads do something.
    pub(crate) fn works(&self) -> bool {
        matches!(self.process, Process::Running | Process::Ending) && !self.hung
    }

    /// It takes statements.
    pub(crate) fn answers(&self) -> bool {
        self.process == Process::Running && !self.hung
    }

    /// A client's write would be let in, and not wait behind a SET super_read_only.
    pub(crate) fn takes_writes(&self) -> bool {
        self.process == Process::Running
            && !self.read_only
            && !self.super_read_only
            && !self.offline
            && self.closing == Closing::No
    }

    /// What is in the way of a write, in words.
    pub(crate) fn why_closed(&self) -> String {
        format!(
            "{:?}, read_only={}, super_read_only={}, offline_mode={}, being closed: {:?}",
            self.process, self.read_only, self.super_read_only, self.offline, self.closing
        )
    }

    /// Everything that a restart would find: the binlog and the relay logs.
    pub(crate) fn on_disk(&self) -> GtidSet {
        self.in_binlog.union(&self.retrieved)
    }

    /// A client's commit waits, which switching semi-sync off would tell OK. The applier's has nobody to be told.
    pub(crate) fn has_clients_commits_under_way(&self) -> bool {
        self.waiting.iter().any(|waiting| matches!(waiting.waiter, Waiter::Client { .. } | Waiter::Nobody))
    }

    /// A commit of a client or of the applier waits: `super_read_only` waits behind it. A marker of the agent does not
    /// hold it (seen on 9.7.4).
    pub(crate) fn has_commits_under_way(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.waiter != Waiter::Marker)
    }
}
