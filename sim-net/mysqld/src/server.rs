//! One server: what is on its disk and what is in its memory are apart, so that a crash is one function.

use crate::servers::Acknowledged;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;
use xenon_gtid::{Gtid, GtidSet, Uuid};
use xenon_plan::NO_TIMEOUT_MS;
use xenon_plan::observation::{
    ReceiverState, Replication, SemiSyncReplica, SemiSyncSource, ServerState, SourceAddress,
};

/// The default replication channel as it is configured; on disk.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) source: SourceAddress,
    pub(crate) user: String,
    pub(crate) ssl: bool,
}

/// Who waits for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// A client that is still connected.
    Client,
    /// A client's session that was killed: the commit goes on, and nobody is told (D2).
    Nobody,
    /// The agent, for its marker; it does not hold `super_read_only` up.
    Marker,
}

/// A server's data folder, its process and its threads.
pub(crate) struct Server {
    pub(crate) address: SourceAddress,
    /// By which the agent that starts it names it.
    pub(crate) meta_dir: PathBuf,
    number: u32,
    // On disk.
    pub(crate) uuid: Uuid,
    pub(crate) binlog: Vec<Gtid>,
    pub(crate) in_binlog: GtidSet,
    pub(crate) channel: Option<Channel>,
    pub(crate) relay: VecDeque<Gtid>,
    pub(crate) retrieved: GtidSet,
    // The process; 0: none.
    pub(crate) pid: i32,
    pub(crate) hung: bool,
    /// It answers nobody before (crash recovery).
    pub(crate) answers_from: Duration,
    // In memory.
    pub(crate) executed: GtidSet,
    pub(crate) read_only: bool,
    pub(crate) super_read_only: bool,
    /// A SET super_read_only waits for commits under way, and writes wait behind it.
    pub(crate) closing: bool,
    pub(crate) offline: bool,
    /// In the binlog and not acknowledged, in order, with their place in the binlog.
    pub(crate) waiting: VecDeque<(usize, Waiter)>,
    pub(crate) source_on: bool,
    pub(crate) source_is_set_up: bool,
    pub(crate) wait_for: u32,
    pub(crate) soft: bool,
    /// How much of the binlog each connected semi-sync replica has acknowledged.
    pub(crate) acknowledged: BTreeMap<usize, usize>,
    pub(crate) replica_on: bool,
    pub(crate) replica_operational: bool,
    pub(crate) receiver: ReceiverState,
    /// When the receiver is connected, or notices that it is not any more.
    pub(crate) receiver_due: Duration,
    /// So much of its source's binlog has come over this connection.
    pub(crate) fetched: usize,
    /// Who the receiver was connected to last.
    pub(crate) source_uuid: Option<Uuid>,
    pub(crate) applier: bool,
    /// The last marker written here, by its number.
    pub(crate) term: u64,
    /// The last of them that was acknowledged.
    pub(crate) marked: u64,
}

impl Server {
    pub(crate) fn new(number: u32, address: SourceAddress, meta_dir: PathBuf) -> Server {
        let mut bytes = [0xa0; 16];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Server {
            address,
            meta_dir,
            number,
            uuid: Uuid::from_bytes(bytes),
            binlog: Vec::new(),
            in_binlog: GtidSet::new(),
            channel: None,
            relay: VecDeque::new(),
            retrieved: GtidSet::new(),
            pid: 0,
            hung: false,
            answers_from: Duration::ZERO,
            executed: GtidSet::new(),
            read_only: true,
            super_read_only: true,
            closing: false,
            offline: false,
            waiting: VecDeque::new(),
            source_on: false,
            source_is_set_up: false,
            wait_for: 1,
            soft: false,
            acknowledged: BTreeMap::new(),
            replica_on: false,
            replica_operational: false,
            receiver: ReceiverState::Stopped,
            receiver_due: Duration::ZERO,
            fetched: 0,
            source_uuid: None,
            applier: false,
            term: 0,
            marked: 0,
        }
    }

    /// Its threads do something.
    pub(crate) fn works(&self) -> bool {
        self.pid != 0 && !self.hung
    }

    /// A client's write is let in at once.
    pub(crate) fn takes_writes(&self) -> bool {
        self.works() && !self.read_only && !self.super_read_only && !self.closing && !self.offline
    }

    pub(crate) fn received(&self) -> GtidSet {
        self.in_binlog.union(&self.retrieved)
    }

    /// A new process (L5: read-only, replication not started). Recovery commits whatever is in the binlog.
    pub(crate) fn start(&mut self, pid: i32, answers_from: Duration) {
        self.stop();
        self.pid = pid;
        self.answers_from = answers_from;
    }

    /// Its process is gone, and all that was in memory only.
    pub(crate) fn stop(&mut self) {
        self.pid = 0;
        self.hung = false;
        self.executed = self.in_binlog.clone();
        self.read_only = true;
        self.super_read_only = true;
        self.closing = false;
        self.offline = false;
        self.waiting.clear();
        self.source_on = false;
        self.source_is_set_up = false;
        self.wait_for = 1;
        self.soft = false;
        self.acknowledged.clear();
        self.replica_on = false;
        self.replica_operational = false;
        self.receiver = ReceiverState::Stopped;
        self.applier = false;
    }

    /// A transaction of its own goes to the binlog; it is committed when it is acknowledged.
    pub(crate) fn write(&mut self, gtid: Gtid, waiter: Waiter) {
        self.binlog.push(gtid);
        self.in_binlog.insert(gtid);
        self.waiting.push_back((self.binlog.len() - 1, waiter));
    }

    /// The next of its own numbers.
    pub(crate) fn next_gtid(&self) -> Gtid {
        Gtid::untagged(self.uuid, self.in_binlog.last_number(&self.uuid).unwrap_or(0) + 1)
    }

    /// Commits what has its acknowledgements; says what clients were told.
    pub(crate) fn commit(&mut self, at: usize) -> Vec<Acknowledged> {
        let mut told = Vec::new();
        while let Some((index, waiter)) = self.waiting.front().copied() {
            let acknowledgements = self.acknowledged.values().filter(|so_far| **so_far > index).count();
            let enough = !self.source_on
                || acknowledgements >= self.wait_for as usize
                || self.soft && self.acknowledged.is_empty();
            if !enough {
                break;
            }
            self.waiting.pop_front();
            let gtid = self.binlog[index];
            self.executed.insert(gtid);
            match waiter {
                Waiter::Client => told.push(Acknowledged { gtid, at, term: self.term }),
                // Its own numbers are no marker: they only release others.
                Waiter::Marker if gtid.uuid != self.uuid => self.marked = self.marked.max(gtid.number),
                Waiter::Marker | Waiter::Nobody => {}
            }
        }
        told
    }

    /// Everything at one moment.
    pub(crate) fn state(&self) -> ServerState {
        let waiting_sessions = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let clients = u32::try_from(self.acknowledged.len()).unwrap_or(u32::MAX);
        ServerState {
            server_uuid: self.uuid,
            version: "9.7.4".to_owned(),
            server_id: self.number,
            read_only: self.read_only,
            super_read_only: self.super_read_only,
            executed: self.executed.clone(),
            purged: GtidSet::new(),
            replication: self.replication(),
            semi_sync_source: Some(SemiSyncSource {
                enabled: self.source_on,
                wait_for_replicas: self.wait_for,
                timeout_ms: if self.source_is_set_up { NO_TIMEOUT_MS } else { 10_000 },
                after_sync: true,
                wait_no_replica: !self.soft,
                clients,
                waiting_sessions,
                operational: self.source_on,
            }),
            semi_sync_replica: Some(SemiSyncReplica {
                enabled: self.replica_on,
                operational: self.replica_operational,
            }),
            pid_file: String::new(),
            data_dir: String::new(),
            gtid_mode_on: true,
            log_bin: true,
            log_replica_updates: true,
            offline_mode: self.offline,
            relay_log_recovery: false,
            synced: true,
            binlog_file: "binlog.000001".to_owned(),
            binlog_position: self.binlog.len() as u64,
        }
    }

    fn replication(&self) -> Option<Replication> {
        let channel = self.channel.as_ref()?;
        Some(Replication {
            source: channel.source.clone(),
            user: channel.user.clone(),
            auto_position: true,
            ssl: channel.ssl,
            connect_retry_s: 1,
            source_uuid: self.source_uuid,
            receiver: self.receiver,
            applier_running: self.applier,
            retrieved: self.retrieved.clone(),
            receiver_error: String::new(),
            applier_error: String::new(),
            seconds_behind: None,
            lag_us: None,
            source_log_file: String::new(),
            read_source_log_pos: 0,
        })
    }
}
