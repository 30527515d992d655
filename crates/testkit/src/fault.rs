//! What can go wrong, as data: it is done to a cluster, said in a sentence, and taken back.

use crate::cluster::LocalCluster;
use crate::disk::{Damage, Disk, Volume};
use crate::network::{Network, Reach, Way};
use crate::node::Node;
use crate::process::{Process, Signal};
use crate::sql::Sql;
use anyhow::{Context, Result, anyhow, bail};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A killed process is gone within this, unless its disk is stalled.
const KILLED: Duration = Duration::from_secs(30);
/// A server refuses one more connection within this.
const REFUSES: Duration = Duration::from_secs(10);
/// More connections than this are not tried.
const MANY: usize = 2_000;
/// A lock is got, behind whatever statement runs, within this.
const LOCKED: Duration = Duration::from_secs(20);

/// Which processes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whom {
    /// The server.
    Mysqld,
    /// The agent.
    Agent,
    /// The agent, and then the server.
    Both,
}

/// Something that goes wrong on one node, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Its packets are lost. Wants hosts.
    Cut(usize, Way, Reach),
    /// Processes stop and hold everything that they hold (SIGSTOP).
    Stop(usize, Whom),
    /// Processes are killed. Taken back by starting the agent again, which starts the server.
    Kill(usize, Whom),
    /// A disk breaks. Wants disks.
    Disk(usize, Volume, Damage),
    /// The data folder is moved away under the running server, and later back.
    DataMoved(usize),
    /// The data folder is removed under the running server. Taken back by an empty one, with the accounts only.
    DataDeleted(usize),
    /// Clients hold every connection that the server gives them.
    Connections(usize),
    /// The applier waits behind a lock, so that the node falls behind though it receives and acknowledges.
    Behind(usize),
}

impl Fault {
    /// The node.
    pub fn node(&self) -> usize {
        match *self {
            Self::Cut(node, ..)
            | Self::Stop(node, _)
            | Self::Kill(node, _)
            | Self::Disk(node, ..)
            | Self::DataMoved(node)
            | Self::DataDeleted(node)
            | Self::Connections(node)
            | Self::Behind(node) => node,
        }
    }

    /// An answer that the server has given may reach a client only when the fault is taken back.
    pub fn delays_answers(&self) -> bool {
        matches!(
            self,
            Self::Cut(_, _, Reach::Everybody)
                | Self::Stop(_, Whom::Mysqld | Whom::Both)
                | Self::Disk(_, _, Damage::Stalled)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = |whom: &Whom| match whom {
            Whom::Mysqld => "mysqld",
            Whom::Agent => "agent",
            Whom::Both => "agent and mysqld",
        };
        let text = match self {
            Self::Cut(_, way, reach) => {
                let way = match way {
                    Way::Both => "hears nobody, heard by nobody",
                    Way::Incoming => "hears nobody",
                    Way::Outgoing => "heard by nobody",
                };
                let reach = match reach {
                    Reach::Nodes => "among the nodes",
                    Reach::Everybody => "at all",
                };
                format!("{way} {reach}")
            }
            Self::Stop(_, who) => format!("{} stopped", whom(who)),
            Self::Kill(_, who) => format!("{} killed", whom(who)),
            Self::Disk(_, volume, damage) => {
                let damage = match damage {
                    Damage::Full => "full",
                    Damage::Stalled => "stalled",
                    Damage::ReadOnly => "read-only",
                };
                format!("disk of {} {damage}", volume.name())
            }
            Self::DataMoved(_) => "data folder moved away".to_owned(),
            Self::DataDeleted(_) => "data folder deleted".to_owned(),
            Self::Connections(_) => "no connection left".to_owned(),
            Self::Behind(_) => "applier held".to_owned(),
        };
        f.pad(&format!("node{}: {text}", self.node() + 1))
    }
}

/// A fault that has been done to a cluster.
#[derive(Debug)]
pub struct Struck {
    /// What it is.
    pub fault: Fault,
    /// When it was there.
    pub at: Instant,
    held: Held,
}

/// What has to be given back.
#[derive(Debug)]
enum Held {
    Nothing,
    Processes(Vec<Process>),
    Connections(Vec<Sql>),
    Folder(PathBuf),
}

impl LocalCluster {
    /// Does it.
    ///
    /// # Errors
    /// It cannot be done: the process does not run, the cluster has no hosts, or no such disk.
    pub async fn strike(&self, fault: Fault) -> Result<Struck> {
        let node = self.node(fault.node())?;
        let mut at = Instant::now();
        let held = match fault {
            Fault::Cut(index, way, reach) => {
                self.hosts()?.cut(index, way, reach)?;
                Held::Nothing
            }
            Fault::Stop(_, whom) => {
                let processes = self.processes(&node, whom)?;
                for process in &processes {
                    process.signal(Signal::STOP)?;
                }
                Held::Processes(processes)
            }
            Fault::Kill(index, whom) => {
                let processes = self.processes(&node, whom)?;
                for process in &processes {
                    process.signal(Signal::KILL)?;
                }
                if whom != Whom::Mysqld {
                    self.note_end(index, KILLED)?;
                }
                Held::Nothing
            }
            Fault::Disk(_, volume, damage) => {
                disk(&node, volume)?.damage(damage)?;
                // Filling takes a moment.
                at = Instant::now();
                Held::Nothing
            }
            Fault::DataMoved(_) => {
                let away = node.data().with_extension("away");
                std::fs::rename(node.data(), &away)?;
                Held::Folder(away)
            }
            Fault::DataDeleted(_) => {
                // A running server may make files meanwhile: its own are removed again when the fault is taken back.
                let _ = std::fs::remove_dir_all(node.data());
                Held::Nothing
            }
            Fault::Connections(_) => {
                let held = self.take_connections(&node).await?;
                at = Instant::now();
                Held::Connections(held)
            }
            Fault::Behind(index) => {
                let mut sql = self.admin(index).await?;
                sql.run("FLUSH TABLES app.history WITH READ LOCK", LOCKED).await?;
                Held::Connections(vec![sql])
            }
        };
        Ok(Struck { fault, at, held })
    }

    /// Takes it back. What the fault has broken is not mended by this, unless no agent could.
    ///
    /// # Errors
    /// It cannot be taken back.
    pub async fn heal(&self, struck: Struck) -> Result<()> {
        let node = self.node(struck.fault.node())?;
        match (struck.fault, struck.held) {
            (Fault::Cut(index, way, reach), _) => self.hosts()?.mend(index, way, reach),
            (Fault::Stop(..), Held::Processes(processes)) => {
                for process in processes {
                    // The agent may have ended a server that hung.
                    let _ = process.signal(Signal::CONT);
                }
                Ok(())
            }
            (Fault::Kill(_, Whom::Mysqld), _) => Ok(()),
            (Fault::Kill(index, _), _) => self.start_agent(index),
            (Fault::Disk(index, volume, Damage::ReadOnly), _) => {
                self.switch_off(index)?;
                disk(&node, volume)?.mend(Damage::ReadOnly)?;
                self.start_agent(index)
            }
            (Fault::Disk(_, volume, damage), _) => disk(&node, volume)?.mend(damage),
            (Fault::DataMoved(index), Held::Folder(away)) => {
                self.switch_off(index)?;
                remove_folder(&node.data())?;
                std::fs::rename(&away, node.data())?;
                self.start_agent(index)
            }
            (Fault::DataDeleted(index), _) => self.give_fresh_data(index),
            (Fault::Connections(_) | Fault::Behind(_), Held::Connections(held)) => {
                // The server sees their end, and gives back what they held.
                drop(held);
                Ok(())
            }
            (fault, held) => bail!("{fault} cannot be taken back with {held:?}"),
        }
    }

    /// Ends what runs on a node, as a power switch does.
    ///
    /// # Errors
    /// It does not end.
    pub fn switch_off(&self, index: usize) -> Result<()> {
        let node = self.node(index)?;
        if node.agent().is_some() {
            self.kill_agent(index)?;
        }
        for mysqld in node.mysqlds().into_iter().chain(node.scratch_servers()) {
            // One that ended meanwhile is what is wanted.
            let _ = mysqld.signal(Signal::KILL);
            if !mysqld.wait_dead(KILLED) {
                bail!("the mysqld of {} does not end, though it was killed", node.name);
            }
        }
        Ok(())
    }

    /// What an operator does with a node whose data is of no use any more: switches it off, gives it data without any
    /// transaction, starts its agent. It gets everything from the others' binlogs, which nobody purges here; with a new
    /// server id, because a server never takes back by replication what it has written itself under its present one.
    ///
    /// # Errors
    /// Something does not end, or files cannot be written.
    pub fn give_fresh_data(&self, index: usize) -> Result<()> {
        self.switch_off(index)?;
        let node = self.node(index)?;
        remove_folder(&node.data())?;
        if let Some(binlog) = node.binlog() {
            remove_folder(&binlog)?;
        }
        self.renumber(index)?;
        self.fill(&self.node(index)?)?;
        self.start_agent(index)
    }

    fn hosts(&self) -> Result<&Network> {
        self.network().ok_or_else(|| anyhow!("the nodes of this cluster have no hosts of their own"))
    }

    fn processes(&self, node: &Node, whom: Whom) -> Result<Vec<Process>> {
        let agent = || node.agent().ok_or_else(|| anyhow!("the agent of {} does not run", node.name));
        let mysqld = || node.mysqld().ok_or_else(|| anyhow!("the mysqld of {} does not run", node.name));
        // Both are found before either is touched: finding takes milliseconds, in which the other would react.
        Ok(match whom {
            Whom::Mysqld => vec![mysqld()?],
            Whom::Agent => vec![agent()?],
            Whom::Both => vec![agent()?, mysqld()?],
        })
    }

    async fn take_connections(&self, node: &Node) -> Result<Vec<Sql>> {
        let account = self.accounts().app;
        let mut held = Vec::new();
        let until = Instant::now() + REFUSES;
        while held.len() < MANY {
            match Sql::connect(node, &account).await {
                Ok(sql) => held.push(sql),
                Err(_) if !held.is_empty() => return Ok(held),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => {}
            }
        }
        bail!("{} refuses no connection, not even the {MANY}th", node.name)
    }
}

fn disk(node: &Node, volume: Volume) -> Result<Disk> {
    if !node.disks.contains(&volume) {
        bail!("{} has no disk of its own for {}", node.name, volume.name());
    }
    Ok(Disk::of(volume, &node.folder))
}

fn remove_folder(folder: &std::path::Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
