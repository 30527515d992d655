//! L6: what is wrong with a server that answers its probes: where its files lie, and whether its commits end.

use crate::commits::Standstill;
use crate::disk::Disk;
use crate::step::brief;
use xenon_gtid::GtidSet;

/// Where the process works, compared with where its data folder should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Folder {
    /// Cannot be told (no such right, or no process).
    #[default]
    Unknown,
    /// There.
    Right,
    /// Somebody has moved it under the running server, to here.
    Moved(String),
    /// Somebody has deleted it under the running server.
    Deleted,
    /// No server runs, and there is nothing there that one could be started with.
    Missing,
}

impl Folder {
    /// A restart would find nothing, so what is received now may be gone then.
    pub fn is_lost(&self) -> bool {
        matches!(self, Folder::Moved(_) | Folder::Deleted | Folder::Missing)
    }
}

/// What is wrong, of what probes do not show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// The data folder, as the server names it.
    pub data_folder: String,
    /// Whether it is where it should be.
    pub folder: Folder,
    /// The folder whose disk is the worst.
    pub disk_folder: String,
    /// That disk.
    pub disk: Disk,
    /// Commits that do not end.
    pub standstill: Option<Standstill>,
    /// Transactions that enough voters have, and whose commits wait all the same.
    pub unreleased: Option<GtidSet>,
    /// What its applier has stopped with, between two attempts at it, too.
    pub applier: Option<String>,
    /// mysqld has no connection left, and for some time the agent has not been let in.
    pub locked_out: bool,
}

impl Faults {
    /// Why the local server cannot be a primary; `None` when it can.
    pub fn cannot_serve(&self) -> Option<String> {
        match &self.folder {
            Folder::Moved(to) => {
                return Some(format!("its data folder {} was moved to {to} while it runs", self.data_folder));
            }
            Folder::Deleted => {
                return Some(format!("its data folder {} was deleted while it runs", self.data_folder));
            }
            Folder::Missing => {
                return Some(format!(
                    "its data folder {} holds no data: it was deleted or moved away, or its disk is not mounted",
                    self.data_folder
                ));
            }
            Folder::Unknown | Folder::Right => {}
        }
        if let Some(why) = self.disk.cannot_serve() {
            return Some(format!("the disk of {} {why}", self.disk_folder));
        }
        match self.standstill {
            Some(Standstill::Deaf { waited_ms }) => Some(format!(
                "its commits have waited for {} s for acknowledgements of what the voters have",
                waited_ms / 1000
            )),
            Some(Standstill::Wedged { sessions, waited_ms }) => Some(format!(
                "mysqld answers, but no commit has ended for {} s, {sessions} of them under way",
                waited_ms / 1000
            )),
            None => None,
        }
    }

    /// What an operator should know, and do.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        match &self.folder {
            Folder::Moved(to) => troubles.push(format!(
                "the data folder {} was moved to {to} under the running mysqld: move it back, or stop mysqld (xenoncli mysql \
                 shutdown) and rebuild this node",
                self.data_folder
            )),
            Folder::Deleted => troubles.push(format!(
                "the data folder {} was deleted under the running mysqld: what it has exists only in the files that it holds \
                 open, and is gone when it ends; rebuild this node",
                self.data_folder
            )),
            Folder::Missing => troubles.push(format!(
                "the data folder {} holds no data, so mysqld is not started: it was deleted or moved away, or its disk is not \
                 mounted. Bring it back, or rebuild this node",
                self.data_folder
            )),
            Folder::Unknown | Folder::Right => {}
        }
        if self.disk.cannot_serve().is_some() || matches!(self.disk, Disk::Low { .. } | Disk::Slow { .. }) {
            let cure = self.disk.cure();
            let cure = if cure.is_empty() { String::new() } else { format!("; {cure}") };
            troubles.push(format!("the disk of {} {}{cure}", self.disk_folder, self.disk));
        }
        if let Some(Standstill::Wedged { .. }) = self.standstill
            && let Some(why) = self.cannot_serve()
        {
            troubles.push(format!("{why}; its own log and SHOW ENGINE INNODB STATUS may tell why"));
        }
        if let Some(set) = &self.unreleased {
            troubles.push(format!(
                "enough voters have {}, and its commits wait for an acknowledgement that was lost (MySQL bugs 104015, 101056)",
                brief(set)
            ));
        }
        if self.locked_out {
            troubles.push(
                "mysqld has no free connection, not even for this agent: raise max_connections, give it an admin_address, or \
                 take SUPER and CONNECTION_ADMIN from the clients' accounts"
                    .to_owned(),
            );
        }
        troubles
    }
}
