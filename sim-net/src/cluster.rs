//! A cluster to be told what to do from outside, millisecond by millisecond.

#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test that asked for it")]

use crate::story::Story;
use crate::{boot, chance, signals};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;
use turmoil::Sim;
use xenon_api::{Call, NodeStatus, PATH_CALL, PROTOCOL_VERSION, Reply, Request, Response};
use xenon_channel::{CLI_NAME, ChannelError, Client, ClientOptions, Identity};
use xenon_election::NodeId;
use xenon_mysql::servers;

/// What all nodes share, unless a test says otherwise.
pub const SECRET: &str = "a-secret-of-32-characters-and-more";
/// Where every agent listens.
pub const PORT: u16 = 8801;
const MYSQL_PORT: u16 = 3306;
const TICK: Duration = Duration::from_millis(1);
/// The command line's patience.
const CALL: Duration = Duration::from_secs(2);
/// Hosts' names, in the order of their addresses.
const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// One host: an agent and its server.
#[derive(Clone)]
pub struct Node {
    /// The host's name.
    pub name: &'static str,
    /// Where the agent listens.
    pub endpoint: SocketAddr,
    folder: PathBuf,
    secret: String,
}

impl Node {
    /// As the others call it.
    pub fn id(&self) -> NodeId {
        NodeId::new(self.endpoint.to_string())
    }
}

type Answer = Result<Reply, ChannelError>;

/// Calls for the command line's host, and their answers.
#[derive(Default)]
struct Calls {
    wanted: VecDeque<(String, Request)>,
    answer: Option<Answer>,
}

/// Everything that is simulated.
pub struct Cluster {
    /// The network, for faults that this type has no word for.
    pub sim: Sim<'static>,
    /// What the agents log.
    pub story: Story,
    nodes: Vec<Node>,
    calls: Rc<RefCell<Calls>>,
    /// Clients write at every server, as often.
    write_every: Option<Duration>,
    _folder: TempDir,
}

impl Cluster {
    /// `count` agents that know nothing of each other yet, with the secret of each after the first ones'.
    ///
    /// # Panics
    /// When the machine has no room for their folders.
    pub fn new(seed: u64, count: usize, other_secrets: &[&str]) -> Cluster {
        chance::seed(seed);
        servers::reset();
        let sim = turmoil::Builder::new()
            .rng_seed(seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(3600))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(3))
            .tcp_capacity(4096)
            .build();
        let mut cluster = Cluster {
            sim,
            story: Story::begin(),
            nodes: Vec::new(),
            calls: Rc::default(),
            write_every: None,
            _folder: folder().expect("a folder for the records"),
        };
        let secrets = std::iter::repeat_n(SECRET, count).chain(other_secrets.iter().copied());
        for (name, secret) in NAMES.into_iter().zip(secrets) {
            cluster.add(name, secret);
        }
        cluster.add_command_line();
        cluster
    }

    fn add(&mut self, name: &'static str, secret: &str) {
        let endpoint = SocketAddr::new(self.sim.lookup(name), PORT);
        let folder = self._folder.path().join(name);
        servers::add(&endpoint.ip().to_string(), MYSQL_PORT, folder.clone());
        let node = Node { name, endpoint, folder, secret: secret.to_owned() };
        self.nodes.push(node.clone());
        self.sim.host(name, move || {
            let node = node.clone();
            async move { Ok(signals::HOST.scope(name, run(&node)).await?) }
        });
    }

    fn add_command_line(&mut self) {
        let calls = self.calls.clone();
        self.sim.host("cli", move || command_line(calls.clone()));
    }

    /// The hosts, in order.
    pub fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// Clients try to write at every server, this often.
    pub fn write_every(&mut self, pause: Duration) {
        self.write_every = Some(pause);
    }

    /// They stop, and what they wrote is told.
    pub fn write_no_more(&mut self) {
        self.write_every = None;
        self.run_for(Duration::from_millis(100));
    }

    /// One millisecond.
    ///
    /// # Panics
    /// An agent ended, or broke.
    pub fn step(&mut self) {
        if let Err(error) = self.sim.step() {
            panic!("{error}\n{}", self.tail());
        }
        let now = self.sim.elapsed();
        if let Some(pause) = self.write_every
            && now.as_millis().is_multiple_of(pause.as_millis().max(1))
        {
            for at in 0..self.nodes.len() {
                // Most are closed, and turn the client away.
                let _ = servers::write(at);
            }
        }
        servers::tick(now);
    }

    /// Goes on for so long.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.sim.elapsed() + time;
        while self.sim.elapsed() < until {
            self.step();
        }
    }

    /// Goes on until `met`; returns how long that took.
    ///
    /// # Panics
    /// It is not met within `limit`.
    pub fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut met: impl FnMut(&mut Cluster) -> bool,
    ) -> Duration {
        let began = self.sim.elapsed();
        while !met(self) {
            assert!(self.sim.elapsed() < began + limit, "not within {limit:?}: {what}\n{}", self.tail());
            self.step();
        }
        self.sim.elapsed() - began
    }

    /// The end of the story, for whoever must find out why a test failed.
    pub fn tail(&self) -> String {
        let lines = self.story.lines();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// A call of the command line, over the channel.
    pub fn call(&mut self, at: usize, request: Request) -> Answer {
        let mut calls = self.calls.borrow_mut();
        calls.answer = None;
        calls.wanted.push_back((self.nodes[at].endpoint.to_string(), request));
        drop(calls);
        let calls = self.calls.clone();
        self.run_until("an answer to a call", CALL * 2, |_| calls.borrow().answer.is_some());
        let answer = self.calls.borrow_mut().answer.take();
        answer.expect("it was there a line above")
    }

    /// What a node says of itself; `None` when it cannot be reached.
    pub fn status(&mut self, at: usize) -> Option<NodeStatus> {
        match self.call(at, Request::Status) {
            Ok(Reply::Ok(Response::Status(status))) => Some(*status),
            _ => None,
        }
    }

    /// Forms a cluster of the first `count` nodes and waits until one serves; returns which.
    ///
    /// # Panics
    /// It takes too long.
    pub fn form(&mut self, count: usize) -> usize {
        self.run_for(Duration::from_millis(500));
        let nodes = self.nodes[1..count].iter().map(Node::id).collect();
        let reply = self.call(0, Request::ClusterAdd { nodes, idle: false });
        assert!(matches!(reply, Ok(Reply::Ok(_))), "{reply:?}");
        self.run_until("a first primary", Duration::from_secs(10), |_| primary(0..count).is_some());
        let leader = primary(0..count).expect("it was there a line above");
        self.run_until("two replicas", Duration::from_secs(10), |_| follow(leader, 0..count));
        leader
    }

    /// Nothing gets to `at` or from it any more, neither for its agent nor for its server.
    pub fn isolate(&mut self, at: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != at) {
            self.cut(at, other);
            self.cut(other, at);
        }
    }

    /// Nothing gets from one to the other any more.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.sim.partition_oneway(self.nodes[from].name, self.nodes[to].name);
        servers::cut(from, to);
    }

    /// Everything gets through again.
    pub fn heal(&mut self) {
        for from in &self.nodes {
            for to in self.nodes.iter().filter(|to| to.name != from.name) {
                self.sim.repair_oneway(from.name, to.name);
            }
        }
        servers::heal();
    }

    /// SIGKILL to the agent; its server goes on.
    pub fn crash_agent(&mut self, at: usize) {
        self.sim.crash(self.nodes[at].name);
    }

    /// SIGTERM to the agent; its server goes on.
    pub fn stop_agent(&mut self, at: usize) {
        signals::terminate(self.nodes[at].name);
    }

    /// Starts it again.
    pub fn start_agent(&mut self, at: usize) {
        self.sim.bounce(self.nodes[at].name);
    }

    /// Clients' commits were told OK since the `before`th.
    pub fn run_until_written(&mut self, what: &str, limit: Duration) -> Duration {
        let before = servers::acknowledged().len();
        self.run_until(what, limit, |_| servers::acknowledged().len() > before + 3)
    }

    /// Nothing that anybody was told is lost, and nobody was told what he should not have been.
    ///
    /// # Panics
    /// Otherwise.
    pub fn assert_safe(&self) {
        assert_eq!(servers::violations(), Vec::<String>::new(), "{}", self.tail());
    }
}

/// Which of these servers is open for writes, if exactly one is.
pub fn primary(among: std::ops::Range<usize>) -> Option<usize> {
    let mut open = among.filter(|at| is_open(*at));
    open.next().filter(|_| open.next().is_none())
}

/// A client may be let in at this server.
pub fn is_open(at: usize) -> bool {
    let state = servers::state(at);
    servers::is_running(at) && state.is_writable() && !state.offline_mode
}

/// All of these but `leader` receive and have what it has.
pub fn follow(leader: usize, mut among: std::ops::Range<usize>) -> bool {
    let has = servers::state(leader).executed;
    among.all(|at| {
        let state = servers::state(at);
        let receives = state.replication.as_ref().is_some_and(|replication| {
            replication.receiver == xenon_plan::observation::ReceiverState::Running
                && replication.applier_running
        });
        at == leader || receives && state.super_read_only && state.executed.contains_set(&has)
    })
}

/// In memory if the machine has such a place: a record is made durable at every vote.
fn folder() -> std::io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// What `main` does, without arguments and log.
async fn run(node: &Node) -> Result<(), String> {
    let config = serde_json::json!({
        "server": { "endpoint": node.endpoint.to_string(), "secret": node.secret },
        "raft": { "meta-datadir": node.folder },
        "mysql": {
            "admin": "root", "passwd": "not-asked-for",
            "host": node.endpoint.ip().to_string(), "port": MYSQL_PORT,
            "basedir": "/nowhere", "defaults-file": "/nowhere/my.cnf",
        },
        "replication": { "user": "repl", "passwd": "not-asked-for" },
    });
    let path = Path::new("/nowhere/xenon.json");
    let loaded = xenon_config::parse(&config.to_string(), path).map_err(|findings| findings.to_string())?;
    // On the heap: it holds the states of the whole agent.
    Box::pin(boot::run(loaded.config, path)).await.map_err(|error| format!("{}: {error:#}", node.name))
}

async fn command_line(calls: Rc<RefCell<Calls>>) -> turmoil::Result {
    let identity = Identity::from_secret(SECRET.as_bytes(), CLI_NAME)?;
    let client = Client::new(identity, ClientOptions::default());
    loop {
        let wanted = calls.borrow_mut().wanted.pop_front();
        if let Some((endpoint, request)) = wanted {
            let call = Call { version: PROTOCOL_VERSION, who: "test".to_owned(), request };
            let answer = client.call(&endpoint, PATH_CALL, &call, CALL).await;
            calls.borrow_mut().answer = Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
