//! The versioned member list (rules C1–C5, V6, L4).

use crate::ids::{NodeId, Term};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use xenon_gtid::Uuid;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Votes, may be elected, acknowledges.
    Voter,
    /// Being built, repaired or let go: none of these. `Joining` learners are raised once caught up.
    Joining,
    /// A learner on its way out (rule C1 lets go of one voter at a time, this is the first half).
    Leaving,
    /// Follows for ever, none of these.
    Idle,
}

/// One member of the group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// What it may do.
    pub standing: Standing,
    /// Preference among equally recent nodes (V8); 0 = never leads.
    #[serde(default = "one")]
    pub priority: u32,
    /// An operator has set the priority: what the node's own config file says counts no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// C5: an agent without mysqld. It votes, has no data, and never stands.
    #[serde(default, skip_serializing_if = "is_false")]
    pub witness: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

fn one() -> u32 {
    1
}

impl Member {
    /// A voter of ordinary priority.
    pub fn voter() -> Member {
        Member::new(Standing::Voter)
    }

    /// A member of ordinary priority with data.
    pub fn new(standing: Standing) -> Member {
        Member { standing, priority: 1, pinned: false, witness: false }
    }
}

/// Orders configs: (config term, version), rule C2. Shown as EpochID (the version).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ConfigId {
    /// Term of the leader that made or took over the config.
    pub term: Term,
    /// Counts the changes.
    pub version: u64,
}

impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.version)
    }
}

/// What agents do by themselves with a node that cannot come back as it is: its data is gone, or it has transactions that
/// the leader lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rejoin {
    /// It is rebuilt from another member, when that loses nothing.
    #[default]
    Auto,
    /// An operator is asked.
    Ask,
}

impl Rejoin {
    fn is_default(&self) -> bool {
        *self == Rejoin::default()
    }

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Rejoin::Auto => "auto",
            Rejoin::Ask => "ask",
        }
    }
}

/// The member list with its order and the cluster that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupConfig {
    /// M of the protocol: names the cluster, and is the UUID of its term markers.
    pub cluster: Uuid,
    /// Where it stands in the order of configs.
    pub id: ConfigId,
    /// The members by name.
    pub members: BTreeMap<NodeId, Member>,
    /// T4: nobody stands, and nobody steps down for a lost lease.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
    /// What becomes of a node that cannot come back as it is; no rule of elections looks at it.
    #[serde(default, skip_serializing_if = "Rejoin::is_default")]
    pub rejoin: Rejoin,
}

/// Why two configs may not follow each other (rule C1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NotOneVoterApart {
    /// How many voters differ.
    pub differing: usize,
}

impl GroupConfig {
    /// The voters' names, in order.
    pub fn voters(&self) -> impl Iterator<Item = &NodeId> {
        self.members.iter().filter(|(_, member)| member.standing == Standing::Voter).map(|(id, _)| id)
    }

    /// How many votes decide (V6).
    pub fn majority(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// The voters that have data: all but a witness.
    pub fn data_voters(&self) -> impl Iterator<Item = &NodeId> {
        self.voters().filter(|id| !self.is_witness(id))
    }

    /// An agent without mysqld (C5).
    pub fn is_witness(&self, id: &NodeId) -> bool {
        self.members.get(id).is_some_and(|member| member.witness)
    }

    /// One of the voters is a witness.
    pub(crate) fn has_witness(&self) -> bool {
        self.voters().any(|id| self.is_witness(id))
    }

    /// C5: no majority is without any one voter, so none is without the leader: whatever only the leader has is seen
    /// by every election. True of one and two voters.
    pub fn needs_every_voter(&self) -> bool {
        self.majority() == self.voters().count()
    }

    /// W of rule L4: acknowledgements a commit needs besides the primary itself, so that every majority of voters
    /// has somebody who holds it. A witness holds nothing, and cannot acknowledge.
    pub fn acknowledgements(&self) -> u32 {
        let replicas = self.data_voters().count().saturating_sub(1);
        u32::try_from((self.voters().count() / 2).min(replicas)).unwrap_or(u32::MAX)
    }

    /// The greatest W that can have been in force before the last change, if that took a vote away (one at a
    /// time, C1); `None` if nobody here can have lost one.
    pub(crate) fn acknowledgements_before_a_loss(&self) -> Option<u32> {
        let witness = self.has_witness();
        let lost = |member: &Member| match member.standing {
            Standing::Leaving | Standing::Idle => true,
            // C5: beside a witness, a voter that is not reached becomes a learner.
            Standing::Joining => witness,
            Standing::Voter => false,
        };
        let voters = self.voters().count() + 1;
        self.members.values().any(lost).then(|| u32::try_from(voters / 2).unwrap_or(u32::MAX))
    }

    /// What this member may do; `None` for a stranger.
    pub fn standing(&self, id: &NodeId) -> Option<Standing> {
        self.members.get(id).map(|member| member.standing)
    }

    /// It votes.
    pub fn is_voter(&self, id: &NodeId) -> bool {
        self.standing(id) == Some(Standing::Voter)
    }

    /// V8's preference; 0 for strangers.
    pub fn priority(&self, id: &NodeId) -> u32 {
        self.members.get(id).map_or(0, |member| member.priority)
    }

    /// C1: majorities of two configs overlap when at most one voter differs.
    pub fn check_follows(&self, old: &GroupConfig) -> Result<(), NotOneVoterApart> {
        let gone = old.voters().filter(|id| !self.is_voter(id)).count();
        let new = self.voters().filter(|id| !old.is_voter(id)).count();
        match gone + new {
            0 | 1 => Ok(()),
            differing => Err(NotOneVoterApart { differing }),
        }
    }
}
