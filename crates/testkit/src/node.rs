//! One node of a local cluster: where everything of it is.

use crate::disk::Volume;
use crate::process::Process;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use xenon_election::NodeId;

/// An account of a server, and the option file that logs in with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:***", self.user)
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `node1`, `node2` …
    pub name: String,
    /// The agent's endpoint, which is the node's name in the cluster.
    pub endpoint: String,
    /// The node's folder.
    pub folder: PathBuf,
    /// The address of agent and server.
    pub address: Ipv4Addr,
    /// The server's port.
    pub mysql_port: u16,
    /// Tells the server apart in replication.
    pub server_id: u32,
    /// What lies on a disk of its own.
    #[serde(default)]
    pub disks: Vec<Volume>,
}

impl Node {
    /// The node as the cluster knows it.
    pub fn id(&self) -> NodeId {
        NodeId::new(self.endpoint.clone())
    }

    /// Where the agent's HTTP API listens when `server.enable-apis` is on: the port after the agent's own.
    pub fn http(&self) -> String {
        let port =
            self.endpoint.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or_default();
        format!("{}:{}", self.address, port.saturating_add(1))
    }

    /// The agent's configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("xenon.json")
    }

    /// The server's option file.
    pub fn defaults_file(&self) -> PathBuf {
        self.folder.join("my.cnf")
    }

    /// The server's data.
    pub fn data(&self) -> PathBuf {
        self.place(Volume::Data)
    }

    /// The server's binlog, when it is not with the data.
    pub fn binlog(&self) -> Option<PathBuf> {
        self.disks.contains(&Volume::Binlog).then(|| self.place(Volume::Binlog))
    }

    /// The agent's durable record.
    pub fn meta(&self) -> PathBuf {
        self.place(Volume::Record)
    }

    fn place(&self, volume: Volume) -> PathBuf {
        if self.disks.contains(&volume) {
            return volume.on_disk(&self.folder);
        }
        self.folder.join(volume.name())
    }

    /// The agent's log.
    pub fn agent_log(&self) -> PathBuf {
        self.folder.join("xenon.log")
    }

    /// The server's log.
    pub fn server_log(&self) -> PathBuf {
        self.folder.join("mysqld.log")
    }

    /// The server's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("mysqld.sock")
    }

    /// Option file with which a client program logs in as the administrator.
    pub fn admin_login(&self) -> PathBuf {
        self.folder.join("admin.cnf")
    }

    /// Option file with which a client program logs in as the application.
    pub fn app_login(&self) -> PathBuf {
        self.folder.join("app.cnf")
    }

    /// The agent, when it runs.
    pub fn agent(&self) -> Option<Process> {
        Process::with_argument("xenon", self.config().as_os_str()).into_iter().next()
    }

    /// The server, when it runs; whoever started it.
    pub fn mysqld(&self) -> Option<Process> {
        self.mysqlds().into_iter().next()
    }

    pub(crate) fn mysqlds(&self) -> Vec<Process> {
        Process::with_argument("mysqld", &defaults_argument(&self.defaults_file()))
    }

    /// Servers that its agent has made for a moment, to receive or prove a copy: they work somewhere below the node's folder.
    pub(crate) fn scratch_servers(&self) -> Vec<Process> {
        Process::working_below("mysqld", &self.folder)
    }
}

/// The argument by which a server is known as this node's.
fn defaults_argument(file: &Path) -> OsString {
    let mut argument = OsString::from("--defaults-file=");
    argument.push(file);
    argument
}
