//! Raft's index: what a node has received.

use serde::{Deserialize, Serialize};
use std::fmt;
use xenon_gtid::{GtidSet, Uuid};

/// (marker(n), data(n)) of the protocol, with what is known errant on the node.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    /// Greatest term whose marker the node has received; 0 if none.
    pub marker: u64,
    /// Everything received, without the markers.
    pub data: GtidSet,
    /// The part of `data` that a leader was seen not to have. Never held against a candidate.
    #[serde(default, skip_serializing_if = "GtidSet::is_empty")]
    pub errant: GtidSet,
}

/// How two positions stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recency {
    /// Neither has anything that the other lacks.
    Equal,
    /// The first has everything that the second has, and more.
    Ahead,
    /// The second has everything that the first has, and more.
    Behind,
    /// Each has something that the other lacks: one of them is errant.
    Incomparable,
}

impl Position {
    /// Splits a received set into markers of cluster `cluster` and data.
    pub fn of(received: &GtidSet, cluster: &Uuid, errant: &GtidSet) -> Position {
        Position {
            marker: received.last_number(cluster).unwrap_or(0),
            data: received.without_uuid(cluster),
            errant: errant.clone(),
        }
    }

    /// The protocol's "at least as recent as": a greater marker, or an equal one and all data of
    /// `other` but what is known errant there.
    pub fn at_least_as_recent_as(&self, other: &Position) -> bool {
        if self.marker != other.marker {
            return self.marker > other.marker;
        }
        if other.errant.is_empty() {
            return self.data.contains_set(&other.data);
        }
        self.data.contains_set(&other.data.subtract(&other.errant))
    }

    /// Both directions of [`Position::at_least_as_recent_as`] in one word.
    pub fn recency(&self, other: &Position) -> Recency {
        match (self.at_least_as_recent_as(other), other.at_least_as_recent_as(self)) {
            (true, true) => Recency::Equal,
            (true, false) => Recency::Ahead,
            (false, true) => Recency::Behind,
            (false, false) => Recency::Incomparable,
        }
    }

    /// Transactions of `other` that this position lacks, errant ones left out.
    pub fn lacks(&self, other: &Position) -> GtidSet {
        other.data.subtract(&other.errant).subtract(&self.data)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "marker {} data [{}]", self.marker, self.data)?;
        if !self.errant.is_empty() {
            write!(f, " errant [{}]", self.errant)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({self})")
    }
}
