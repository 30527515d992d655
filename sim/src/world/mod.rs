//! The whole of a run: nodes, networks, clients, time.

pub(crate) mod clients;
pub(crate) mod faults;
pub(crate) mod network;
pub(crate) mod operator;
pub(crate) mod queue;

use crate::agent::Agent;
use crate::agent::worker::Worker;
use crate::invariants::History;
use crate::log::Log;
use crate::mutants::Mutant;
use crate::mysqld::Mysqld;
use crate::mysqld::link::Link;
use crate::rng::Rng;
use crate::schedule::{Schedule, text};
use clients::Client;
use network::Network;
use queue::{Happening, MS, Queue, SECOND, Us};
use std::collections::BTreeMap;
use xenon_election::{NodeId, Record, Rules};
use xenon_plan::Step;

/// What a run is set up with besides its schedule.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) rules: Rules,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) messages_are_told: bool,
    pub(crate) clients: usize,
    /// The cluster is formed then.
    pub(crate) forms_at_us: Us,
}

/// A disk under an agent's record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Saves {
    pub(crate) fail: bool,
    pub(crate) stall: bool,
}

/// A host with what runs on it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) host_up: bool,
    /// It has no mysqld (C5).
    pub(crate) witness: bool,
    /// Its mysqld syncs every write to its relay log: a loss of power takes nothing.
    pub(crate) synced: bool,
    /// Counts boots.
    pub(crate) boot: u64,
    /// Real microseconds of a second on its monotonic clock.
    pub(crate) second: Us,
    /// The agent's record, on disk.
    pub(crate) record: Option<Record>,
    pub(crate) saves: Saves,
    /// The agent is killed at its next save: whether after the record reached the disk, and for how long.
    pub(crate) kill_at_save: Option<(bool, u64)>,
    /// Where the address was left, as the agent noted it.
    pub(crate) address_note: bool,
    pub(crate) address_held: bool,
    pub(crate) agent: Option<Agent>,
    /// Counts agents.
    pub(crate) agents: u64,
    /// The agent was disturbed until then: it is not to blame before (I5).
    pub(crate) disturbed_until: Us,
    pub(crate) worker: Option<Worker>,
    /// Its agent has noted where the server's logs are (V4).
    pub(crate) logs_are_known: bool,
    /// Statements that were given up while the server hung.
    pub(crate) orphans: Vec<Step>,
    pub(crate) mysqld: Mysqld,
}

/// A run.
pub(crate) struct World {
    pub(crate) now: Us,
    pub(crate) queue: Queue,
    pub(crate) rng: Rng,
    pub(crate) setup: Setup,
    pub(crate) schedule: Schedule,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) last_link: u64,
    pub(crate) last_op: u64,
    /// Counts what clients write.
    pub(crate) contents: u64,
    /// Counts messages between agents.
    pub(crate) messages: u64,
    pub(crate) network: Network,
    pub(crate) clients: Vec<Client>,
    pub(crate) history: History,
    pub(crate) log: Log,
    /// Servers that were opened, by whichever leader.
    pub(crate) opened: u64,
    /// Everything is healed since then.
    pub(crate) healed: Option<Us>,
    /// It ended so that an operator must say what becomes of an INVALID node.
    pub(crate) judged: bool,
    /// Everything is as it should be.
    pub(crate) settled: Option<Us>,
}

impl World {
    pub(crate) fn new(schedule: &Schedule, setup: Setup, log: Log) -> World {
        let mut rng = Rng::of(schedule.seed, 2);
        let count = schedule.nodes + schedule.spares;
        let mut nodes: Vec<Node> = (0..count).map(|at| Node::new(at, &mut rng)).collect();
        if let Some(last) = nodes.get_mut(schedule.nodes.saturating_sub(1)).filter(|_| schedule.witness) {
            last.witness = true;
        }
        let clients = (0..setup.clients).map(|_| Client::default()).collect();
        let mut world = World {
            now: 0,
            queue: Queue::default(),
            rng,
            setup,
            schedule: schedule.clone(),
            nodes,
            links: BTreeMap::new(),
            last_link: 0,
            last_op: 0,
            contents: 0,
            messages: 0,
            network: Network::default(),
            clients,
            history: History::default(),
            log,
            opened: 0,
            healed: None,
            judged: false,
            settled: None,
        };
        world.begin();
        world
    }

    /// Every host is up; its mysqld is started by its agent.
    fn begin(&mut self) {
        for at in 0..self.nodes.len() {
            let delay = self.rng.between(0, 300 * MS);
            self.plan(delay, Happening::AgentStarts { at });
        }
        for client in 0..self.clients.len() {
            self.plan(SECOND, Happening::Client { client, turn: 0 });
        }
        for (index, entry) in self.schedule.entries.iter().enumerate() {
            self.queue.plan(entry.at_ms * MS, Happening::Fault(index));
            if let Some(for_ms) = entry.fault.for_ms() {
                self.queue.plan((entry.at_ms + for_ms) * MS, Happening::FaultEnds(index));
            }
        }
        self.queue.plan(self.schedule.length_ms * MS, Happening::Heal);
        self.plan(self.setup.forms_at_us, Happening::Form);
    }

    pub(crate) fn plan(&mut self, delay: Us, what: Happening) {
        self.queue.plan(self.now + delay, what);
    }

    /// A line of the log.
    pub(crate) fn tell(&mut self, at: usize, kind: &str, what: impl FnOnce() -> String) {
        self.log.tell(self.now, self.nodes[at].id.as_str(), kind, what);
    }

    /// Goes on until all is well after the healing, something is broken, or nothing is left to happen.
    pub(crate) fn run(&mut self) {
        while self.history.violation.is_none() && self.settled.is_none() {
            let Some((at_us, what)) = self.queue.next() else { return };
            self.now = self.now.max(at_us);
            self.happen(what);
        }
    }

    /// Goes on until this is so.
    pub(crate) fn run_until(&mut self, reached: impl Fn(&World) -> bool) {
        while !reached(self) && self.history.violation.is_none() {
            let Some((at_us, what)) = self.queue.next() else { return };
            self.now = self.now.max(at_us);
            self.happen(what);
        }
    }

    fn happen(&mut self, what: Happening) {
        use Happening as H;
        match what {
            H::Fault(index) => self.begin_fault(index),
            H::FaultEnds(index) => self.end_fault(index),
            H::Heal => self.heal(),
            H::Inspect => self.inspect(),
            H::Form => self.form(),
            H::AgentStarts { at } => self.on_agent_starts(at),
            H::AgentBooted { at, agent } => self.on_agent_booted(at, agent),
            H::AgentWakes { at, agent } => self.on_agent_wakes(at, agent),
            H::Input { at, agent, input } => self.on_input(at, agent, *input),
            H::Saved { at, agent, landed, answered } => self.on_saved(at, agent, landed, answered),
            H::Look { at, agent, turn } => self.on_look(at, agent, turn),
            H::LookReads { at, agent, began_us } => self.on_look_reads(at, agent, began_us),
            H::Probe { at, agent } => self.on_probe(at, agent),
            H::ProbeEnds { at, agent, began_us } => self.on_probe_ends(at, agent, began_us),
            H::Disk { at, agent } => self.on_disk_attempt(at, agent),
            H::Worker { at, op } => self.on_worker(at, op),
            H::Hook { at, agent, up, done } => self.on_hook_ends(at, agent, up, done),
            H::Up { at, process } => self.on_up(at, process),
            H::ShutdownReleases { at, process } => self.on_shutdown_releases(at, process),
            H::ShutdownEnds { at, process } => self.on_shutdown_ends(at, process),
            H::Connect { at, process, receiver } => self.on_connect(at, process, receiver),
            H::Connected { at, process, receiver } => self.on_connected(at, process, receiver),
            H::DumpBegins { link } => self.on_dump_begins(link),
            H::Down { link } => self.on_down(link),
            H::Acknowledged { link } => self.on_acknowledged(link),
            H::Apply { at, process } => self.on_apply(at, process),
            H::Client { client, turn } => self.on_client(client, turn),
        }
    }
}

impl Node {
    fn new(at: usize, rng: &mut Rng) -> Node {
        Node {
            id: NodeId::new(text::name(at)),
            host_up: true,
            witness: false,
            synced: rng.percent(20),
            boot: 0,
            // Up to three in a hundred fast or slow: far beyond what a crystal does, and within the lease's margin.
            second: rng.between(970_000, 1_030_000),
            record: None,
            saves: Saves::default(),
            kill_at_save: None,
            address_note: false,
            address_held: false,
            agent: None,
            agents: 0,
            disturbed_until: 0,
            worker: None,
            logs_are_known: false,
            orphans: Vec::new(),
            mysqld: Mysqld::new(at),
        }
    }
}
