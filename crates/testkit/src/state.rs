//! What is written down about a local cluster, so that another process can look at it and end it.

use crate::disk;
use crate::files::{Accounts, write_private};
use crate::folder::LOCK_FILE;
use crate::node::Node;
use crate::process::{Process, Signal};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file in a cluster's folder that says what is there.
pub const STATE_FILE: &str = "playground.json";

/// Of the words in the file.
const VERSION: u32 = 1;
/// A clean stop of all servers may take this long before they are killed.
const CLEAN_STOP: Duration = Duration::from_secs(30);
/// A killed process is gone within this, unless its disk hangs.
const KILLED: Duration = Duration::from_secs(30);

/// A local cluster as its folder tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// The process that started it and ends it.
    pub owner: Option<Process>,
    /// How far it has come, for a person.
    pub phase: String,
    /// It is complete, and serves.
    pub ready: bool,
    /// Its data stays when it ends.
    pub keep: bool,
    /// Base folder of its servers.
    pub basedir: PathBuf,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Their accounts.
    pub accounts: Accounts,
}

/// What becomes of the data when a cluster ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// The servers are killed and their folders removed.
    Removed,
    /// The servers are stopped cleanly; everything stays.
    Kept,
}

impl State {
    pub(crate) fn new(basedir: &Path, nodes: Vec<Node>, accounts: Accounts, keep: bool) -> Self {
        Self {
            version: VERSION,
            owner: Process::own(),
            phase: "begun".to_owned(),
            ready: false,
            keep,
            basedir: basedir.to_owned(),
            nodes,
            accounts,
        }
    }

    /// What a folder says; `None` when no local cluster was ever made there.
    ///
    /// # Errors
    /// The file cannot be read, or is no such file.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(STATE_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let state: Self = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} does not describe a local cluster; remove it by hand if you know what it is",
                path.display()
            )
        })?;
        if state.version != VERSION {
            bail!(
                "{} is of another version of xenoncli; use that one, or remove the folder by hand",
                path.display()
            );
        }
        Ok(Some(state))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write_private(&folder.join(STATE_FILE), &(serde_json::to_string_pretty(self)? + "\n"))
    }

    /// What becomes of its data.
    pub fn data(&self) -> Data {
        if self.keep { Data::Kept } else { Data::Removed }
    }

    /// Ends what is left of a cluster whose owner is gone: its processes and, unless they are to be kept, its files.
    ///
    /// # Errors
    /// Something cannot be ended or removed.
    pub fn end_abandoned(&self, folder: &Path) -> Result<()> {
        self.end_processes(self.data())?;
        match self.data() {
            Data::Removed => self.remove(folder),
            Data::Kept => self.write_ended(folder),
        }
    }

    pub(crate) fn write_ended(&self, folder: &Path) -> Result<()> {
        let phase = "ended; its data is kept".to_owned();
        Self { owner: None, ready: false, phase, ..self.clone() }.write(folder)
    }

    /// The owner still runs.
    pub fn is_owned(&self) -> bool {
        self.owner.is_some_and(|owner| owner.is_alive())
    }

    /// Any agent or server of it runs.
    pub fn is_running(&self) -> bool {
        self.nodes.iter().any(|node| node.agent().is_some() || node.mysqld().is_some())
    }

    /// Ends every agent and server of it.
    ///
    /// # Errors
    /// Something cannot be ended: what, and as which process.
    pub fn end_processes(&self, data: Data) -> Result<()> {
        for node in &self.nodes {
            disk::thaw_below(&node.folder);
        }
        // Agents first: they would start their servers again. Without ceremony, because a hand-over from the first to the
        // second and the third would only take time.
        for agent in self.nodes.iter().filter_map(Node::agent) {
            end(agent, Signal::KILL, "agent", KILLED)?;
        }
        let servers: Vec<Process> = self.nodes.iter().flat_map(Node::mysqlds).collect();
        if data == Data::Kept {
            for server in &servers {
                // It may hang, and then is killed below.
                let _ = server.signal(Signal::TERM);
                let _ = server.signal(Signal::CONT);
            }
            let until = Instant::now() + CLEAN_STOP;
            for server in &servers {
                server.wait_dead(until.saturating_duration_since(Instant::now()));
            }
        }
        for server in servers.iter().filter(|server| server.is_alive()) {
            // One that ended meanwhile is what is wanted.
            let _ = server.signal(Signal::KILL);
        }
        for server in servers.into_iter().chain(self.nodes.iter().flat_map(Node::scratch_servers)) {
            end(server, Signal::KILL, "mysqld", KILLED)?;
        }
        Ok(())
    }

    /// Removes what was made in a folder, and the folder when nothing else is in it.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn remove(&self, folder: &Path) -> Result<()> {
        self.remove_files(folder)?;
        remove(fs::remove_file(folder.join(LOCK_FILE)), &folder.join(LOCK_FILE))?;
        // Another's file may be in it, and then it stays.
        let _ = fs::remove_dir(folder);
        Ok(())
    }

    /// As [`State::remove`], but for the folder and the lock on it.
    pub(crate) fn remove_files(&self, folder: &Path) -> Result<()> {
        for node in &self.nodes {
            // Only what is below: the file could have been changed by hand.
            if node.folder.parent() == Some(folder) {
                disk::unmount_below(&node.folder)?;
                remove(fs::remove_dir_all(&node.folder), &node.folder)?;
            }
        }
        // The state last: without it nobody would know what else to remove.
        for file in [LOG_FILE, STATE_FILE] {
            remove(fs::remove_file(folder.join(file)), &folder.join(file))?;
        }
        Ok(())
    }
}

/// What a detached playground says.
pub const LOG_FILE: &str = "playground.log";

fn end(process: Process, signal: Signal, what: &str, bound: Duration) -> Result<()> {
    match process.signal(signal) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{what}, process {}, cannot be ended", process.pid));
        }
        Ok(()) | Err(_) => {}
    }
    if !process.wait_dead(bound) {
        bail!(
            "{what}, process {}, does not end, though it was killed {} s ago",
            process.pid,
            bound.as_secs()
        );
    }
    Ok(())
}

fn remove(outcome: std::io::Result<()>, path: &Path) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
