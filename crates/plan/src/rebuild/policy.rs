//! What an agent rebuilds by itself, and when it may.

use crate::faults::Folder;
use crate::observation::ServerState;
use crate::step::brief;
use std::fmt;
use xenon_gtid::GtidSet;

/// Pauses before the tries, seconds. After the last one a person is asked.
const PAUSES_S: [u64; 6] = [0, 5, 20, 60, 300, 900];
/// What an operator has asked for is tried so often, while he waits.
const TRIES_BY_HAND: u32 = 3;
/// Room beyond the donor's data, bytes and part: it grows while it is copied.
const ROOM_LEAST: u64 = 128 << 20;
const ROOM_PART: u64 = 20;

/// Why a node cannot come back as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// F2: it has what the leader lacks.
    Invalid {
        /// What.
        errant: GtidSet,
    },
    /// There is nothing in its data folder, or nothing that outlives the process.
    DataLost {
        /// How that shows.
        why: String,
    },
    /// What it lacks is not in the leader's binary log any more.
    CannotFollow {
        /// What its receiver has stopped with.
        error: String,
    },
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Invalid { errant } => {
                write!(f, "it has {} transaction(s) that the leader lacks: {}", errant.count(), brief(errant))
            }
            Need::DataLost { why } => f.write_str(why),
            Need::CannotFollow { error } => {
                write!(f, "what it lacks is not in the leader's binary log any more: {error}")
            }
        }
    }
}

impl Need {
    /// What is seen of this node.
    pub fn of(folder: &Folder, server: Option<&ServerState>, errant: &GtidSet) -> Option<Need> {
        match folder {
            Folder::Deleted => {
                return Some(Need::DataLost { why: "its data folder was deleted".to_owned() });
            }
            Folder::Missing => {
                return Some(Need::DataLost { why: "its data folder holds no data".to_owned() });
            }
            // It exists, and whoever has moved it may bring it back.
            Folder::Moved(_) => return None,
            Folder::Unknown | Folder::Right => {}
        }
        if !errant.is_empty() {
            return Some(Need::Invalid { errant: errant.clone() });
        }
        let error = &server?.replication.as_ref()?.receiver_error;
        // Error 1236 has many causes; this one does not go away.
        let purged = error.contains("1236") && error.contains("purged");
        purged.then(|| Need::CannotFollow { error: error.clone() })
    }

    /// So long it must last before something is done, seconds: a disk may be mounted late, and a node that has what the
    /// leader lacks may be cured by less than a rebuild (W1).
    pub fn patience_s(&self) -> u64 {
        match self {
            Need::Invalid { .. } => 10,
            Need::DataLost { .. } => 15,
            Need::CannotFollow { .. } => 5,
        }
    }
}

/// What a node sees of its cluster before it rebuilds itself without being asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterSeen {
    /// A leader is heard, and its server is open for writes.
    pub leader_serves: bool,
    /// T4.
    pub paused: bool,
    /// Voters with data, this node included if it is one.
    pub data_voters: usize,
    /// This node is one of them.
    pub is_voter: bool,
    /// The others of them whose server answers and that lead, or follow without an error and without doubt.
    pub healthy_others: usize,
}

/// May a node rebuild itself without being asked? Its data is given up for the others', so they must be there: enough that
/// whatever was acknowledged is among them without this node (L4), and a leader that serves, which has all of it (I2).
///
/// # Errors
/// Why not.
pub fn permit(seen: &ClusterSeen) -> Result<(), String> {
    if seen.paused {
        return Err("the cluster is paused".to_owned());
    }
    if !seen.leader_serves {
        return Err("no leader serves".to_owned());
    }
    // A majority without this node; of two, the primary, which is in every majority (C5).
    let wanted = if seen.is_voter { seen.data_voters.div_ceil(2) } else { seen.data_voters / 2 + 1 };
    if seen.healthy_others < wanted {
        return Err(format!(
            "only {} other voter(s) with data are well, {wanted} are wanted, so that this node's old data cannot be the last \
             copy of anything",
            seen.healthy_others
        ));
    }
    Ok(())
}

/// Seconds to wait before the try with this number, counted from 1; `None`: no more tries.
pub fn pause_before_try_s(number: u32, automatic: bool) -> Option<u64> {
    if !automatic && number > TRIES_BY_HAND {
        return None;
    }
    PAUSES_S.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
}

/// Bytes that must be free for a copy of so much data.
pub fn room_needed(data_bytes: u64) -> u64 {
    data_bytes.saturating_add((data_bytes / ROOM_PART).max(ROOM_LEAST))
}
