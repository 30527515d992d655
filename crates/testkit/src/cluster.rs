//! A cluster of real servers and agents on this machine.

use crate::address::Block;
use crate::caller::Caller;
use crate::data::{LOOPBACK, Template};
use crate::disk::{self, Disk, Volume};
use crate::files::{self, Accounts, Settings, random_text};
use crate::folder::{check_space, clear, make_private, take_lock};
use crate::guard::Guard;
use crate::network::{EVERYBODY, Network};
use crate::node::{Account, Node};
use crate::orphans::Reaper;
use crate::process::{Process, Signal};
use crate::programs::{Base, Bins};
use crate::sql::Sql;
use crate::state::{Data, State};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use xenon_api::{NodeStatus, Request};

/// The system's limit for a socket's path, bytes, its end mark included.
const LONGEST_SOCKET: usize = 108;
/// A killed agent is gone within this.
const KILLED: Duration = Duration::from_secs(10);
/// Pause between two looks whether an agent has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Forming a cluster, or changing its members, is answered within this.
const CHANGE: Duration = Duration::from_secs(30);

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    /// Where; `None` for a new folder among the temporary files.
    pub dir: Option<PathBuf>,
    /// Leave the data behind.
    pub keep: bool,
    /// The server.
    pub base: Base,
    /// The agent.
    pub bins: Bins,
    /// More lines for the servers' option files.
    pub server_lines: Vec<String>,
    /// More keys for the agents' configurations: section, key, value.
    pub agent_keys: Vec<(String, String, serde_json::Value)>,
    /// Hosts of their own, instead of loopback addresses. Whoever asks the cluster runs on the clients' host of it:
    /// [`Network::run_client`].
    pub network: Option<Arc<Network>>,
    /// What lies on a disk of its own, on every node.
    pub disks: Vec<Volume>,
    /// The agents' configurations are to be written anew by the caller, as those of the Go tool are: without a secret, so that
    /// the agents derive theirs from the replication account.
    pub without_secret: bool,
}

impl Options {
    /// A cluster among the temporary files that is removed afterwards.
    pub fn new(nodes: usize, base: Base, bins: Bins) -> Self {
        Self {
            nodes,
            dir: None,
            keep: false,
            base,
            bins,
            server_lines: Vec::new(),
            agent_keys: Vec::new(),
            network: None,
            disks: Vec::new(),
            without_secret: false,
        }
    }
}

/// A cluster that this process made; its end is the end of all its processes.
#[derive(Debug)]
pub struct LocalCluster {
    folder: PathBuf,
    base: Base,
    bins: Bins,
    block: Block,
    network: Option<Arc<Network>>,
    disks: Vec<Volume>,
    settings: Settings,
    template: Template,
    caller: Caller,
    state: Mutex<State>,
    agents: Mutex<BTreeMap<usize, Child>>,
    guard: Mutex<Option<Guard>>,
    ended: Mutex<bool>,
    _reaper: Reaper,
    _lock: File,
}

impl LocalCluster {
    /// Makes folders, data and files; starts nothing yet. Blocking: up to some seconds when a server version is used for
    /// the first time.
    ///
    /// # Errors
    /// What is in the way and what to do about it: a cluster that is there already, no space, no free ports.
    pub fn create(options: Options) -> Result<Self> {
        if !options.disks.is_empty() {
            disk::sweep();
        }
        let temporary = options.dir.is_none();
        let folder = match options.dir {
            Some(dir) => {
                make_private(&dir)?;
                dir.canonicalize().with_context(|| format!("{} cannot be entered", dir.display()))?
            }
            None => tempfile::Builder::new().prefix("xenon-").tempdir()?.keep(),
        };
        let lock = take_lock(&folder)?;
        clear(&folder, temporary)?;
        check_space(&folder)?;
        let (block, clients) = match options.network {
            Some(_) => (Block::on_hosts(), EVERYBODY),
            None => (Block::choose(options.nodes)?, LOOPBACK),
        };
        let nodes = (0..options.nodes)
            .map(|index| node(&folder, &block, index, &options.disks))
            .collect::<Result<Vec<_>>>()?;
        let template = Template::obtain(&options.base, clients, &folder)?;
        let replication = Account { user: "repl".to_owned(), password: random_text(24) };
        let secret = if options.without_secret {
            // As crate xenon-config derives it.
            format!("xenon replication account\0{}\0{}", replication.user, replication.password)
        } else {
            random_text(40)
        };
        let accounts = Accounts {
            admin: template.logins.admin.clone(),
            app: template.logins.app.clone(),
            replication,
            secret,
        };
        let state = State::new(&options.base.dir, nodes.clone(), accounts, options.keep);
        state.write(&folder)?;
        let cluster = Self {
            caller: Caller::new(state.accounts.secret.as_bytes())?,
            guard: Mutex::new(Some(Guard::start(&options.bins.xenoncli, &folder)?)),
            folder,
            base: options.base,
            bins: options.bins,
            block,
            network: options.network,
            disks: options.disks,
            settings: Settings { server: options.server_lines, agent: options.agent_keys },
            template,
            state: Mutex::new(state),
            agents: Mutex::default(),
            ended: Mutex::new(false),
            _reaper: Reaper::start(),
            _lock: lock,
        };
        // From here on, dropping the cluster removes what an error leaves behind.
        for (index, node) in nodes.iter().enumerate() {
            cluster.make(index, node)?;
        }
        Ok(cluster)
    }

    fn make(&self, index: usize, node: &Node) -> Result<()> {
        make_private(&node.folder)?;
        if let Some(network) = &self.network {
            network.add_host(index)?;
        }
        for volume in &node.disks {
            Disk::of(*volume, &node.folder).create()?;
        }
        make_private(&node.meta())?;
        self.fill(node)?;
        files::write(node, &self.accounts(), &self.base.dir, &self.settings)
    }

    /// Gives a node data with the accounts and no transaction.
    pub(crate) fn fill(&self, node: &Node) -> Result<()> {
        if let Some(binlog) = node.binlog() {
            make_private(&binlog)?;
        }
        self.template.copy_to(&node.data())
    }

    /// Gives a node a server id that no server here has had.
    pub(crate) fn renumber(&self, index: usize) -> Result<()> {
        let mut state = lock(&self.state);
        let highest = state.nodes.iter().map(|node| node.server_id).max().unwrap_or_default();
        let node = state.nodes.get_mut(index).ok_or_else(|| anyhow!("there is no node {}", index + 1))?;
        node.server_id = highest + 1;
        let node = node.clone();
        state.write(&self.folder)?;
        drop(state);
        files::write(&node, &self.accounts(), &self.base.dir, &self.settings)
    }

    /// The cluster's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's installation.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Our programs.
    pub fn bins(&self) -> &Bins {
        &self.bins
    }

    /// The nodes.
    pub fn nodes(&self) -> Vec<Node> {
        lock(&self.state).nodes.clone()
    }

    /// One node, counted from 0.
    ///
    /// # Errors
    /// There are fewer.
    pub fn node(&self, index: usize) -> Result<Node> {
        lock(&self.state).nodes.get(index).cloned().ok_or_else(|| anyhow!("there is no node {}", index + 1))
    }

    /// The hosts, when the nodes have some of their own.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_deref()
    }

    /// The accounts.
    pub fn accounts(&self) -> Accounts {
        lock(&self.state).accounts.clone()
    }

    /// Asks agents.
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Writes down how far it has come.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub fn note(&self, phase: &str, ready: bool) -> Result<()> {
        let mut state = lock(&self.state);
        phase.clone_into(&mut state.phase);
        state.ready = ready;
        state.write(&self.folder)
    }

    /// Makes one more node; starts nothing.
    ///
    /// # Errors
    /// Its ports are taken, or its files cannot be written.
    pub fn add_node(&self) -> Result<usize> {
        let mut state = lock(&self.state);
        let index = state.nodes.len();
        if !self.block.is_free(index) {
            bail!("the ports of {} are taken", self.block.address(index));
        }
        let node = node(&self.folder, &self.block, index, &self.disks)?;
        state.nodes.push(node.clone());
        state.write(&self.folder)?;
        drop(state);
        self.make(index, &node)?;
        Ok(index)
    }

    /// Starts the agents of all nodes.
    ///
    /// # Errors
    /// One cannot be started.
    pub fn start_agents(&self) -> Result<()> {
        (0..self.nodes().len()).try_for_each(|index| self.start_agent(index))
    }

    /// Starts one agent. That it serves is seen by asking it.
    ///
    /// # Errors
    /// It runs already, or its program does not run.
    pub fn start_agent(&self, index: usize) -> Result<()> {
        let node = self.node(index)?;
        self.reap(index);
        if let Some(agent) = node.agent() {
            bail!("the agent of {} runs already, as process {}", node.name, agent.pid);
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(node.agent_log())
            .with_context(|| format!("{} cannot be written", node.agent_log().display()))?;
        let mut command = Command::new(&self.bins.xenon);
        command
            .arg("-c")
            .arg(node.config())
            .current_dir(&node.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let child = match &self.network {
            Some(network) => network.spawn(index, &mut command),
            None => command.spawn().map_err(Into::into),
        }
        .with_context(|| format!("{} does not run", self.bins.xenon.display()))?;
        lock(&self.agents).insert(index, child);
        Ok(())
    }

    /// Nodes, counted from 0, whose agents this process has started and not ended.
    pub fn started(&self) -> Vec<usize> {
        lock(&self.agents).keys().copied().collect()
    }

    /// Takes note of the end of an agent, and says how it ended, if it did.
    pub fn agent_exit(&self, index: usize) -> Option<String> {
        self.reap(index)
    }

    /// Waits until the last thread of an agent has ended, and takes note of it. A process counts as dead a moment before, when
    /// another thread may still hold the lock on the agent's record: on a slow disk for seconds.
    pub(crate) fn note_end(&self, index: usize, bound: Duration) -> Result<()> {
        let until = Instant::now() + bound;
        while lock(&self.agents).contains_key(&index) && self.reap(index).is_none() {
            if Instant::now() > until {
                bail!("the agent of node{} does not end within {} s", index + 1, bound.as_secs_f64());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn reap(&self, index: usize) -> Option<String> {
        let mut agents = lock(&self.agents);
        let status = agents.get_mut(&index)?.try_wait().ok()??;
        agents.remove(&index);
        Some(status.to_string())
    }

    /// Stops an agent as an operator does (SIGTERM), and waits for its end.
    ///
    /// # Errors
    /// It does not run, or does not end within the bound.
    pub fn stop_agent(&self, index: usize, bound: Duration) -> Result<()> {
        self.end_agent(index, Signal::TERM, bound)
    }

    /// Kills an agent (SIGKILL) and waits for its end.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_agent(&self, index: usize) -> Result<()> {
        self.end_agent(index, Signal::KILL, KILLED)
    }

    fn end_agent(&self, index: usize, signal: Signal, bound: Duration) -> Result<()> {
        let node = self.node(index)?;
        let agent = node.agent().ok_or_else(|| anyhow!("the agent of {} does not run", node.name))?;
        agent.signal(signal)?;
        self.note_end(index, bound)
    }

    /// The server of a node.
    ///
    /// # Errors
    /// It does not run.
    pub fn mysqld(&self, index: usize) -> Result<Process> {
        let node = self.node(index)?;
        node.mysqld().ok_or_else(|| anyhow!("the mysqld of {} does not run", node.name))
    }

    /// Connects to a node's server as the administrator.
    ///
    /// # Errors
    /// See [`Sql::connect`].
    pub async fn admin(&self, index: usize) -> Result<Sql> {
        Sql::connect(&self.node(index)?, &self.accounts().admin).await
    }

    /// The status of one node.
    ///
    /// # Errors
    /// Its agent does not answer.
    pub async fn status(&self, index: usize) -> Result<NodeStatus> {
        self.caller.status(&self.node(index)?.endpoint, Duration::from_secs(1)).await
    }

    /// Makes one cluster of all nodes; returns when the first agent has taken it on.
    ///
    /// # Errors
    /// It refuses, or does not answer.
    pub async fn form(&self) -> Result<()> {
        let nodes = self.nodes();
        let Some((first, others)) = nodes.split_first() else { return Ok(()) };
        let request = Request::ClusterAdd { nodes: others.iter().map(Node::id).collect(), idle: false };
        self.caller.demand(&first.endpoint, request, CHANGE).await.map(drop)
    }

    /// Starts the agents, forms the cluster, and waits until it serves: the usual beginning of a test. Gives the index of
    /// the leader's node.
    ///
    /// # Errors
    /// It does not come up within the bound; with the logs.
    pub async fn serve(&self, bound: Duration) -> Result<usize> {
        self.start_agents()?;
        self.wait_for_agents(bound).await?;
        self.form().await?;
        Ok(self.wait_all_following(self.nodes().len() - 1, bound).await?.value)
    }

    /// Ends all processes of the cluster and, unless the data is to be kept, removes it. Dropping does the same, without a
    /// word about what goes wrong.
    ///
    /// # Errors
    /// Something does not end, or cannot be removed.
    pub fn end(&self) -> Result<()> {
        let mut ended = lock(&self.ended);
        if *ended {
            return Ok(());
        }
        let state = lock(&self.state).clone();
        state.end_processes(state.data())?;
        for (_, mut child) in std::mem::take(&mut *lock(&self.agents)) {
            child.wait()?;
        }
        match state.data() {
            Data::Removed => state.remove(&self.folder)?,
            Data::Kept => state.write_ended(&self.folder)?,
        }
        if let Some(guard) = lock(&self.guard).take() {
            guard.dismiss();
        }
        *ended = true;
        Ok(())
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            // The only place left to say it.
            eprintln!("the cluster in {} did not end cleanly: {error:#}", self.folder.display());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn node(folder: &Path, block: &Block, index: usize, disks: &[Volume]) -> Result<Node> {
    let name = format!("node{}", index + 1);
    let address = block.address(index);
    let node = Node {
        endpoint: format!("{address}:{}", block.agent_port),
        folder: folder.join(&name),
        name,
        address,
        mysql_port: block.mysql_port,
        server_id: u32::try_from(index + 1)?,
        disks: disks.to_vec(),
    };
    let socket = node.socket();
    if socket.as_os_str().len() >= LONGEST_SOCKET {
        bail!(
            "{} is too long for the path of a socket; choose a folder with a shorter path",
            socket.display()
        );
    }
    Ok(node)
}
