//! All servers of the simulation that runs on this thread, and the hands of whoever runs it.

use crate::server::{Server, Waiter};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xenon_gtid::{Gtid, GtidSet};
use xenon_plan::observation::{ServerState, SourceAddress};

/// How long a killed server's recovery takes.
const RECOVERY: Duration = Duration::from_millis(800);

thread_local! {
    /// One for each thread: a simulation never leaves its thread, and tests run side by side.
    static SERVERS: RefCell<Servers> = RefCell::default();
}

/// A commit that a client was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which.
    pub gtid: Gtid,
    /// By which server.
    pub at: usize,
    /// Of which term that server's last marker was.
    pub term: u64,
}

#[derive(Default)]
pub(crate) struct Servers {
    pub(crate) servers: Vec<Server>,
    pub(crate) now: Duration,
    last_pid: i32,
    /// From, to.
    cuts: BTreeSet<(usize, usize)>,
    acknowledged: Vec<Acknowledged>,
    told: GtidSet,
    /// The greatest term whose marker was acknowledged.
    last_marked: u64,
    violations: Vec<String>,
}

/// Forgets everything: a new simulation begins on this thread.
pub fn reset() {
    SERVERS.with_borrow_mut(|servers| *servers = Servers { last_pid: 100, ..Servers::default() });
}

/// A new server that runs and was never used; returns its index, counted from 0.
pub fn add(host: &str, port: u16, meta_dir: PathBuf) -> usize {
    with(|servers| {
        let number = u32::try_from(servers.servers.len() + 1).unwrap_or(u32::MAX);
        let address = SourceAddress { host: host.to_owned(), port };
        servers.servers.push(Server::new(number, address, meta_dir));
        let at = servers.servers.len() - 1;
        let pid = servers.new_pid();
        servers.servers[at].start(pid, servers.now);
        at
    })
}

/// One millisecond or so of work: links, appliers, acknowledgements, commits. `now`: since the simulation began.
pub fn tick(now: Duration) {
    with(|servers| {
        servers.now = now;
        servers.replicate();
        for at in 0..servers.servers.len() {
            if servers.servers[at].works() {
                let told = servers.servers[at].commit(at);
                told.into_iter().for_each(|commit| servers.tell(commit));
                servers.last_marked = servers.last_marked.max(servers.servers[at].marked);
            }
        }
    });
}

/// A client writes one transaction at `at`; `false` when it is turned away. Whether and when it is told OK shows in
/// [`acknowledged`].
pub fn write(at: usize) -> bool {
    with(|servers| {
        let server = &mut servers.servers[at];
        if !server.takes_writes() {
            return false;
        }
        let gtid = server.next_gtid();
        server.write(gtid, Waiter::Client);
        true
    })
}

/// What clients were told OK, in order.
pub fn acknowledged() -> Vec<Acknowledged> {
    with(|servers| servers.acknowledged.clone())
}

/// Rules that were broken (I2, I3), as sentences.
pub fn violations() -> Vec<String> {
    with(|servers| servers.violations.clone())
}

/// What the server says of itself, whether or not anybody may ask it now.
pub fn state(at: usize) -> ServerState {
    with(|servers| servers.servers[at].state())
}

/// Its process runs.
pub fn is_running(at: usize) -> bool {
    with(|servers| servers.servers[at].pid != 0)
}

/// Nothing gets from one server to the other any more; agents have their own network.
pub fn cut(from: usize, to: usize) {
    with(|servers| servers.cuts.insert((from, to)));
}

/// Everything gets through again.
pub fn heal() {
    with(|servers| servers.cuts.clear());
}

/// SIGKILL.
pub fn kill(at: usize) {
    with(|servers| servers.servers[at].stop());
}

/// SIGSTOP, or its end.
pub fn hang(at: usize, hung: bool) {
    with(|servers| servers.servers[at].hung = hung);
}

pub(crate) fn with<T>(act: impl FnOnce(&mut Servers) -> T) -> T {
    SERVERS.with_borrow_mut(act)
}

impl Servers {
    fn new_pid(&mut self) -> i32 {
        self.last_pid += 1;
        self.last_pid
    }

    pub(crate) fn at_address(&self, host: &str, port: u16) -> Option<usize> {
        self.servers.iter().position(|server| server.address.host == host && server.address.port == port)
    }

    pub(crate) fn of_agent(&self, meta_dir: &Path) -> Option<usize> {
        self.servers.iter().position(|server| server.meta_dir == meta_dir)
    }

    /// Starts a process; its id.
    pub(crate) fn start(&mut self, at: usize) -> i32 {
        let pid = self.new_pid();
        let answers_from = self.now + RECOVERY;
        self.servers[at].start(pid, answers_from);
        pid
    }

    pub(crate) fn gets_through(&self, from: usize, to: usize) -> bool {
        !self.cuts.contains(&(from, to))
    }

    fn tell(&mut self, commit: Acknowledged) {
        if commit.term < self.last_marked {
            let Acknowledged { gtid, at, term } = &commit;
            let newer = self.last_marked;
            self.violations.push(format!(
                "I3: server {at} of term {term} told a client OK for {gtid} when the marker of term {newer} was acknowledged"
            ));
        }
        self.told.insert(commit.gtid);
        self.acknowledged.push(commit);
    }

    /// A leader begins to write the marker of its term (I2: it must have all that anybody was told).
    pub(crate) fn marker_begins(&mut self, at: usize, term: u64) {
        let lost = self.told.subtract(&self.servers[at].received());
        if !lost.is_empty() {
            self.violations
                .push(format!("I2: server {at}, primary of term {term}, lacks acknowledged {lost}"));
        }
        self.servers[at].term = term;
    }
}
