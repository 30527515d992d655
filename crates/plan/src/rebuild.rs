//! W4: building a node anew from another member's data, as data: which phase is next, who gives, who may.
//!
//! The order is the rule: nothing of this node's own data is touched before the copy is there and looks right; then the
//! old data is moved aside, not removed; it is removed when the node follows again, and put back when the copy does not
//! start. [`resume`] looks at what *is* on the disk beside what the journal says, so an agent that was killed at any
//! step goes on from there or begins cleanly.

mod donor;
mod method;
mod policy;

pub use donor::{Candidate, NoDonor, Recipient, choose, series};
pub use method::{Side, ToolSeen, Way, choose_way};
pub use policy::{ClusterSeen, Need, pause_before_try_s, permit, room_needed};

use serde::{Deserialize, Serialize};
use std::fmt;
use xenon_gtid::GtidSet;

/// The phases, in their order; [`Phase::PutBack`] stands outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// This node, the donor, the room on the disk, and whether the cluster allows it now.
    #[default]
    Check,
    /// The donor's data is copied into a folder beside this node's own.
    Copy,
    /// The copy is looked at: is it whole, whose is it, does it have the right owner?
    Verify,
    /// This node's own mysqld is ended.
    Stop,
    /// The old data is moved aside, and the copy takes its place.
    Swap,
    /// mysqld starts on the copy, and what it has is compared with what the donor had.
    Start,
    /// It follows the leader and catches up.
    Follow,
    /// The old data is removed.
    Clean,
    /// The copy did not start: the old data takes its place again.
    PutBack,
}

impl Phase {
    /// The word that status shows.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Check => "check",
            Phase::Copy => "copy",
            Phase::Verify => "verify",
            Phase::Stop => "stop",
            Phase::Swap => "swap",
            Phase::Start => "start",
            Phase::Follow => "follow",
            Phase::Clean => "clean",
            Phase::PutBack => "put-back",
        }
    }

    /// Until here nothing of this node's own has been touched: it can be given up at once.
    pub fn may_be_cancelled(self) -> bool {
        self < Phase::Stop
    }

    /// The data folder is between two contents: nobody else may start mysqld.
    pub fn holds_mysqld(self) -> bool {
        matches!(self, Phase::Stop | Phase::Swap | Phase::PutBack)
    }

    /// The server's role waits: it is about to be ended, or what it has is not proved yet.
    pub fn holds_role(self) -> bool {
        self.holds_mysqld() || self == Phase::Start
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a rebuild ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The node follows with its new data.
    Done,
    /// Given up after the last try.
    Failed,
    /// By an operator.
    Cancelled,
}

/// Whom the data comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Donor {
    /// The endpoint of its agent.
    pub id: String,
    /// Host of its server.
    pub host: String,
    /// Port of its server.
    pub port: u16,
    /// How much it has, bytes.
    pub data_bytes: u64,
    /// What it had executed before the copy began: the copy has at least that.
    pub executed: GtidSet,
}

/// All that is durable of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Journal {
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// It was this node's own idea ([`Need`]).
    pub automatic: bool,
    /// The donor that the operator wants.
    pub from: Option<String>,
    /// It is a restore: the data comes from the backup in this folder, and from no donor.
    #[serde(default)]
    pub backup: Option<String>,
    /// The way to copy that the operator wants; `None` = the first that is possible.
    #[serde(default)]
    pub wanted: Option<Way>,
    /// The way that was chosen.
    #[serde(default)]
    pub way: Way,
    /// At most so many MiB a second.
    pub throttle_mib_s: Option<u32>,
    /// Though this node was well.
    pub force: bool,
    /// Where it is.
    pub phase: Phase,
    /// Whom it copies from.
    pub donor: Option<Donor>,
    /// The copy is there and was found whole.
    pub copied: bool,
    /// Transactions of the old data that the leader lacks (W3): without a quarantine the old data is kept.
    pub errant: GtidSet,
    /// S3: the old data may have holes. If it is put back, it has them again.
    pub holes: bool,
    /// The old data was put back after a copy had taken its place.
    #[serde(default)]
    pub put_back: bool,
    /// Attempts begun.
    pub tries: u32,
    /// Why the last one failed.
    pub last_error: String,
    /// When the first began, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// How it ended; `None` while it goes on.
    pub ended: Option<Ended>,
}

impl Journal {
    /// What an operator calls it.
    pub fn word(&self) -> &'static str {
        if self.backup.is_some() { "restore" } else { "rebuild" }
    }
}

/// What is on the disk of the folders that take each other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisk {
    /// No such exchange is known, or its parts are gone.
    #[default]
    Unknown,
    /// The data folder is the old one, the copy lies beside it.
    Before,
    /// Half done: no server may start.
    Between,
    /// The data folder is the copy.
    After,
}

/// What an agent that has just started does with a journal that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Nothing: it is over.
    Nothing,
    /// The next try, from the start; a half copy is removed first.
    Anew,
    /// It goes on with this phase.
    At(Phase),
}

/// Goes by what is on the disk; the journal only says what was meant.
pub fn resume(journal: &Journal, disk: OnDisk) -> Resume {
    if journal.ended.is_some() {
        return Resume::Nothing;
    }
    match (journal.phase, disk) {
        (Phase::Check | Phase::Copy | Phase::Verify, _) => Resume::Anew,
        // Proved, and nothing has been touched: the doubt is not even on disk, perhaps, so it begins with that again.
        (Phase::Stop | Phase::Swap, OnDisk::Before) if journal.copied => Resume::At(Phase::Stop),
        (Phase::Swap, OnDisk::Between) => Resume::At(Phase::Swap),
        (Phase::Swap, OnDisk::After) => Resume::At(Phase::Start),
        (Phase::PutBack, OnDisk::Between | OnDisk::After) => Resume::At(Phase::PutBack),
        (Phase::Stop | Phase::Swap | Phase::PutBack, _) => Resume::Anew,
        (phase, OnDisk::After) => Resume::At(phase),
        (_, OnDisk::Between) => Resume::At(Phase::PutBack),
        // Somebody has put the old data back by hand: a copy beside it begins anew.
        (_, OnDisk::Before | OnDisk::Unknown) => Resume::Anew,
    }
}
