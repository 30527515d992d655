//! Agents that answer as a test says, and the program run against them.

use assert_cmd::Command;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use xenon_api::{
    BackupStatus, Call, Counters, Event, EventKind, EventPage, MemberStatus, MysqlStatus, MysqldStatus,
    NodeStatus, PATH_CALL, PurgeStatus, Refusal, ReplicationStatus, Reply, Request, Response,
};
use xenon_channel::{CLI_NAME, Identity, Incoming, Limits, Outgoing, Server};
use xenon_election::{NodeId, Rejoin, Standing};
use xenon_gtid::GtidSet;

const SECRET: &str = "a secret of thirty-two characters";
pub(crate) const CLUSTER: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

/// What an agent answers to what is not a plain look; `None` leaves it to the default.
type Script = Box<dyn FnMut(&Request, &mut NodeStatus) -> Option<Reply> + Send>;

/// An agent that is played.
pub(crate) struct Agent {
    pub(crate) id: NodeId,
    state: Arc<Mutex<State>>,
    server: Option<Server>,
}

struct State {
    status: NodeStatus,
    script: Script,
    asked: Vec<Request>,
    events: Vec<Event>,
}

impl Agent {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut NodeStatus)) {
        change(&mut self.state().status);
    }

    pub(crate) fn script(
        &self,
        script: impl FnMut(&Request, &mut NodeStatus) -> Option<Reply> + Send + 'static,
    ) {
        self.state().script = Box::new(script);
    }

    /// What it was told to do, looks aside.
    pub(crate) fn told(&self) -> Vec<Request> {
        self.state().asked.iter().filter(|request| !request.is_read_only()).cloned().collect()
    }

    /// Something has happened there, at some time.
    pub(crate) fn event_at(&self, unix_ms: u64, kind: EventKind, text: &str) {
        let mut state = self.state();
        push_event(&mut state, kind, text);
        if let Some(event) = state.events.last_mut() {
            event.unix_ms = unix_ms;
        }
    }

    /// Something happens there.
    pub(crate) fn event(&self, kind: EventKind, text: &str) {
        push_event(&mut self.state(), kind, text);
    }
}

fn push_event(state: &mut State, kind: EventKind, text: &str) {
    let seq = state.events.len() as u64 + 1;
    let (node, text) = (state.status.id.clone(), text.to_owned());
    state.events.push(Event { seq, unix_ms: 0, node, kind, text, since_start_ms: None });
}

fn answer(state: &mut State, request: &Request) -> Reply {
    state.asked.push(request.clone());
    let State { status, script, .. } = state;
    if let Some(reply) = script(request, status) {
        return reply;
    }
    match request {
        Request::Status => Reply::Ok(Response::Status(Box::new(status.clone()))),
        Request::Ping => Reply::Ok(Response::Pong { id: status.id.clone() }),
        Request::Events { after, .. } => {
            let events = state.events.iter().filter(|event| event.seq > *after).cloned().collect();
            Reply::Ok(Response::Events(EventPage { events, agent_started_unix_ms: 1, gap: false }))
        }
        Request::FindEvents(query) => {
            let events = query.pick(state.events.iter().cloned());
            Reply::Ok(Response::Events(EventPage { events, agent_started_unix_ms: 1, gap: false }))
        }
        other => done(&format!("{} is done", other.name())),
    }
}

pub(crate) fn done(message: &str) -> Reply {
    Reply::Ok(Response::Done { message: message.to_owned() })
}

pub(crate) fn refused(what: &str, cure: &str, ask: Option<&NodeId>) -> Reply {
    Reply::Refused(Refusal { what: what.to_owned(), cure: cure.to_owned(), ask: ask.cloned() })
}

/// Played agents, and a configuration for each.
pub(crate) struct Stage {
    pub(crate) agents: Vec<Agent>,
    pub(crate) folder: TempDir,
    runtime: Runtime,
}

impl Stage {
    /// `count` fresh nodes.
    pub(crate) fn of(count: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // All taken before the first is given back: no two get the same port.
        let taken: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<SocketAddr> =
            taken.iter().map(|listener| listener.local_addr().unwrap()).collect();
        drop(taken);
        let mut stage = Self { agents: Vec::new(), folder: TempDir::new().unwrap(), runtime };
        for address in addresses {
            let id = NodeId::new(address.to_string());
            let state = State {
                status: fresh(&id),
                script: Box::new(|_, _| None),
                asked: Vec::new(),
                events: Vec::new(),
            };
            stage.agents.push(Agent { id, state: Arc::new(Mutex::new(state)), server: None });
        }
        for place in 0..count {
            stage.start(place);
        }
        stage
    }

    /// `count` nodes of one cluster, the first of which leads.
    pub(crate) fn cluster(count: usize) -> Self {
        let stage = Self::of(count);
        let ids = stage.ids();
        for (place, agent) in stage.agents.iter().enumerate() {
            agent.set(|status| {
                join(status, &ids, &ids[0]);
                if place == 0 {
                    lead(status);
                }
            });
        }
        stage
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.agents.iter().map(|agent| agent.id.clone()).collect()
    }

    /// The agent starts.
    pub(crate) fn start(&mut self, place: usize) {
        let agent = &mut self.agents[place];
        let state = agent.state.clone();
        let handler = move |incoming: Incoming| {
            let state = state.clone();
            async move {
                assert!(incoming.path == PATH_CALL && incoming.peer.is_named(CLI_NAME));
                let call: Call = serde_json::from_slice(&incoming.body).unwrap();
                Outgoing::json(&answer(&mut state.lock().unwrap(), &call.request))
            }
        };
        let identity = Identity::from_secret(SECRET.as_bytes(), agent.id.as_str()).unwrap();
        let address: SocketAddr = agent.id.as_str().parse().unwrap();
        let _inside = self.runtime.enter();
        agent.server = Some(Server::bind(address, &identity, Limits::default(), Arc::new(handler)).unwrap());
    }

    /// The agent ends.
    pub(crate) fn stop(&mut self, place: usize) {
        if let Some(server) = self.agents[place].server.take() {
            self.runtime.block_on(server.shutdown());
        }
    }

    /// The agent takes connections and never says a word.
    pub(crate) fn hang(&mut self, place: usize) -> TcpListener {
        self.stop(place);
        TcpListener::bind(self.agents[place].id.as_str()).unwrap()
    }

    /// Something happens after a while, as the program runs.
    pub(crate) fn later(&self, place: usize, ms: u64, change: impl FnOnce(&mut NodeStatus) + Send + 'static) {
        let state = self.agents[place].state.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            change(&mut state.lock().unwrap().status);
        });
    }

    /// An event is told after a while, as the program runs.
    pub(crate) fn event_later(&self, place: usize, ms: u64, kind: EventKind, text: &'static str) {
        let state = self.agents[place].state.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            push_event(&mut state.lock().unwrap(), kind, text);
        });
    }

    /// A configuration of one node with any secret.
    pub(crate) fn config(&self, place: usize, secret: &str) -> PathBuf {
        use std::io::Write;
        let path = self.folder.path().join(format!("{place}-{}.json", secret.len()));
        let text = serde_json::json!({ "server": { "endpoint": self.agents[place].id, "secret": secret } });
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(text.to_string().as_bytes()).unwrap();
        path
    }

    /// Runs the program on one node's host.
    pub(crate) fn run(&self, place: usize, line: &str) -> Outcome {
        let config = self.config(place, SECRET);
        run(program().arg("-c").arg(config).args(line.split_whitespace()))
    }
}

/// The program, with nothing of this machine around it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xenoncli"));
    command.env_clear().timeout(Duration::from_secs(60));
    command
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A node of no cluster with a server that runs.
fn fresh(id: &NodeId) -> NodeStatus {
    NodeStatus {
        id: id.clone(),
        state: "FOLLOWER".to_owned(),
        view_id: 0,
        epoch_id: 0,
        cluster: None,
        leader: None,
        members: Vec::new(),
        mysqld: MysqldStatus { running: true, pid: Some(77), monitor: true, ..MysqldStatus::default() },
        mysql: MysqlStatus { alive: true, ..MysqlStatus::default() },
        backup: BackupStatus { state: "NONE".to_owned(), last_error: String::new() },
        job: None,
        doubt: None,
        rejoin: Rejoin::default(),
        counters: Counters::default(),
        unfit: None,
        errant: GtidSet::default(),
        doing: Vec::new(),
        troubles: Vec::new(),
        purge: PurgeStatus::default(),
        holds_binlogs: None,
        service_address: Vec::new(),
        last_promotion: None,
        config_path: "/etc/xenon/xenon.json".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: 42,
        uptime_s: 60,
        state_uptime_s: 30,
    }
}

/// It becomes a member, as a replica.
pub(crate) fn join(status: &mut NodeStatus, members: &[NodeId], leader: &NodeId) {
    status.cluster = Some(CLUSTER.parse().unwrap());
    status.view_id = 5;
    status.epoch_id = 2;
    status.leader = Some(leader.clone());
    status.members = members
        .iter()
        .map(|id| MemberStatus { id: id.clone(), standing: Standing::Voter, priority: 1 })
        .collect();
    status.mysql.replication =
        Some(ReplicationStatus { io_running: true, sql_running: true, ..ReplicationStatus::default() });
}

/// It leads, and its server is open for writes.
pub(crate) fn lead(status: &mut NodeStatus) {
    status.state = "LEADER".to_owned();
    status.leader = Some(status.id.clone());
    status.mysql.writable = true;
    status.mysql.replication = None;
}
