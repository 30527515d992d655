//! A long job of an agent: a rebuild, a backup, a restore. One at a time.

use serde::{Deserialize, Serialize};
use xenon_election::NodeId;

/// The job of an agent that is under way, or its last one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobStatus {
    /// What it is.
    pub kind: JobKind,
    /// How it stands.
    pub state: JobState,
    /// The phase that it is in, or ended in: a short name.
    pub phase: String,
    /// Who asked for it: an operator's `user@host`, or `policy`.
    #[serde(default)]
    pub by: String,
    /// Where the data comes from.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub donor: Option<NodeId>,
    /// Bytes copied.
    pub bytes_done: u64,
    /// Bytes to copy, as far as known; 0 = not yet known.
    pub bytes_total: u64,
    /// Of 100; no more than the phase of copying can say.
    pub percent: u8,
    /// Bytes a second, lately.
    pub bytes_per_s: u64,
    /// Seconds until the copy is there, at that speed; `None` = cannot be said.
    pub eta_s: Option<u64>,
    /// Attempts begun.
    pub tries: u32,
    /// Why the last attempt failed; empty when none did.
    pub last_error: String,
    /// When it began, milliseconds since 1970 by the node's own clock.
    pub started_unix_ms: u64,
    /// Seconds until it is tried again.
    #[serde(default)]
    pub again_in_s: Option<u64>,
    /// What was done so far, a sentence each, oldest first; the newest [`JobStatus::LINES`].
    #[serde(default)]
    pub lines: Vec<String>,
    /// Sentences that are no longer in `lines`, so that a reader who counts knows where it is.
    #[serde(default)]
    pub lines_before: u64,
}

impl JobStatus {
    /// So many sentences are kept.
    pub const LINES: usize = 60;

    /// It is under way.
    pub fn is_active(&self) -> bool {
        self.state.is_active()
    }
}

/// Kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Another member's data takes the place of this node's.
    #[default]
    Rebuild,
    /// A copy of this node's data is made.
    Backup,
    /// A backup takes the place of this node's data.
    Restore,
}

impl JobKind {
    /// The word that tables show.
    pub fn word(self) -> &'static str {
        match self {
            JobKind::Rebuild => "rebuild",
            JobKind::Backup => "backup",
            JobKind::Restore => "restore",
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Something is done for it now.
    #[default]
    Running,
    /// It waits for its next attempt.
    Waiting,
    /// It ended well.
    Done,
    /// It was given up.
    Failed,
    /// An operator ended it.
    Cancelled,
}

impl JobState {
    /// It is under way.
    pub fn is_active(self) -> bool {
        matches!(self, JobState::Running | JobState::Waiting)
    }

    /// The word that tables show.
    pub fn word(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Waiting => "waiting",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }
}

/// How data is copied from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The servers' own CLONE.
    #[default]
    Clone,
    /// A stream of xtrabackup.
    Xtrabackup,
    /// A stream of mariabackup.
    Mariabackup,
}

impl Method {
    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Method::Clone => "clone",
            Method::Xtrabackup => "xtrabackup",
            Method::Mariabackup => "mariabackup",
        }
    }
}

/// An operator's wish for a rebuild of the node that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RebuildOptions {
    /// The node to copy from; `None` = the best one.
    pub from: Option<NodeId>,
    /// How; `None` = CLONE where both servers can, else the tool that suits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Though this node is well.
    pub force: bool,
    /// At most so many MiB a second; `None` = as fast as it goes.
    pub throttle_mib_s: Option<u32>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// An operator's wish for a backup of the node that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackupOptions {
    /// The folder, on the node's own host: absolute, new or empty.
    pub to: String,
    /// At most so many MiB a second; `None` = as fast as it goes.
    pub throttle_mib_s: Option<u32>,
}

/// An operator's wish to bring a backup back on the node that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestoreOptions {
    /// The backup's folder, on the node's own host: absolute.
    pub from: String,
    /// Though this node has data of its own, which is moved aside and kept.
    pub force: bool,
}

/// What a node says of its data to one who wants to copy it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DonorFacts {
    /// Bytes of its data, binary logs left out.
    pub data_bytes: u64,
    /// Host at which the others reach its server.
    pub host: String,
    /// Port of its server.
    pub port: u16,
    /// Clone sessions that it serves now.
    pub clone_sessions: u32,
    /// `@@version` of its server.
    #[serde(default)]
    pub version: String,
    /// Why its server cannot be copied by CLONE. Only said to who can do something else (`streams`).
    #[serde(default)]
    pub no_clone: Option<String>,
    /// The tools for streams on its host.
    #[serde(default)]
    pub tools: Vec<ToolFacts>,
}

/// What a host has of a tool that copies by stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolFacts {
    /// Which; never [`Method::Clone`].
    pub method: Method,
    /// Its version, when it is there.
    pub version: Option<String>,
    /// Else what is missing, and what to install.
    #[serde(default)]
    pub lacks: String,
}
