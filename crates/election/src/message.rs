//! What agents tell each other. One-way: an answer is a message of its own.

use crate::group::{ConfigId, GroupConfig};
use crate::ids::{NodeId, Term};
use crate::position::Position;
use serde::{Deserialize, Serialize};
use std::fmt;
use xenon_gtid::{GtidSet, Uuid};

/// Where the leader's mysqld is, and what it has: enough to follow it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaderInfo {
    /// Host at which the others reach the leader's mysqld.
    pub source_host: String,
    /// Its port.
    pub source_port: u16,
    /// Its `server_uuid`: left out of the comparison for errant transactions (F2).
    pub server_uuid: Option<Uuid>,
    /// received(leader) at its last look at its mysqld.
    pub received: GtidSet,
    /// Counts those looks: a follower holds nothing for errant before the leader looked again.
    pub look: u64,
    /// The leader's mysqld accepts writes: its marker has been acknowledged.
    pub open: bool,
    /// D4: it has lost its lease and asks whether it may go on: no reason to wait for it with an election.
    #[serde(default)]
    pub suspended: bool,
}

/// A message between agents.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// C4: "be a member of this"; from the node on which the cluster is formed.
    Offer {
        /// The config to take.
        config: GroupConfig,
    },
    /// V1: "would you vote for me?"; changes nothing on the receiver.
    PreVote {
        /// The term that the sender would stand in.
        term: Term,
        /// The sender's config.
        config: ConfigId,
    },
    /// Answer to [`Message::PreVote`].
    PreVoteReply {
        /// The answering node's own term.
        term: Term,
        /// The term that was asked about.
        asked: Term,
        /// `None`: yes.
        refusal: Option<Refusal>,
    },
    /// V2: "vote for me".
    Vote {
        /// The term that the sender stands in.
        term: Term,
        /// The sender's config.
        config: ConfigId,
        /// The sender's position, read after its receiver had stopped.
        position: Position,
        /// It was told to stand (T1, T2, V7), so a leader that is still heard is no reason to refuse.
        #[serde(default)]
        told: bool,
        /// The sender's `server_uuid`: a receiver that replicates from it need not stop for the vote (V3).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_uuid: Option<Uuid>,
    },
    /// Answer to [`Message::Vote`].
    VoteReply {
        /// The answering node's term.
        term: Term,
        /// `None`: granted.
        refusal: Option<Refusal>,
    },
    /// The leader lives; carries all that following it takes.
    Heartbeat {
        /// The leader's term.
        term: Term,
        /// Counts the leader's heartbeats of this term: the lease is measured from its sending.
        round: u64,
        /// The leader's config.
        config: ConfigId,
        /// The config itself, when the receiver is not known to have it.
        members: Option<GroupConfig>,
        /// The leader's mysqld.
        info: LeaderInfo,
        /// The receiver's place in the order of succession (V8); 0 = first.
        rank: u8,
    },
    /// Answer to [`Message::Heartbeat`].
    HeartbeatReply {
        /// The answering node's term.
        term: Term,
        /// The round answered.
        round: u64,
        /// The answering node's config.
        config: ConfigId,
        /// How the answering node is.
        report: Report,
    },
    /// T1, T2, V7: "stand at once, without pre-vote".
    Stand {
        /// The sender's term.
        term: Term,
        /// What the receiver has to have applied first (T1: the old primary's final set).
        after: Option<GtidSet>,
    },
    /// The receiver of a [`Message::Stand`] will not stand.
    StandRefused {
        /// The answering node's term.
        term: Term,
        /// Why not.
        reason: String,
    },
}

/// The greatest term, and version of a config, that is heard: a marker's number ends at 2^63 - 2, and counting on from
/// here ends never.
const COUNT_MAX: u64 = 1 << 62;

impl Message {
    /// It has a term or config that no cluster ever reaches: taking it up would leave no greater one to go on with.
    pub(crate) fn is_beyond_counting(&self) -> bool {
        let beyond = |id: &ConfigId| id.term.max(id.version) > COUNT_MAX;
        let config = match self {
            Message::Offer { config } => beyond(&config.id),
            Message::Heartbeat { config, members, .. } => {
                beyond(config) || members.as_ref().is_some_and(|members| beyond(&members.id))
            }
            _ => false,
        };
        config || self.term().is_some_and(|term| term > COUNT_MAX)
    }

    /// The sender's term, where the message claims one that the receiver must take seriously. A pre-vote
    /// claims none (V1), an offer precedes all terms.
    pub fn term(&self) -> Option<Term> {
        match self {
            Message::Offer { .. } | Message::PreVote { .. } => None,
            Message::PreVoteReply { term, .. }
            | Message::Vote { term, .. }
            | Message::VoteReply { term, .. }
            | Message::Heartbeat { term, .. }
            | Message::HeartbeatReply { term, .. }
            | Message::Stand { term, .. }
            | Message::StandRefused { term, .. } => Some(*term),
        }
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Offer { .. } => "Offer",
            Message::PreVote { .. } => "PreVote",
            Message::PreVoteReply { .. } => "PreVoteReply",
            Message::Vote { .. } => "Vote",
            Message::VoteReply { .. } => "VoteReply",
            Message::Heartbeat { .. } => "Heartbeat",
            Message::HeartbeatReply { .. } => "HeartbeatReply",
            Message::Stand { .. } => "Stand",
            Message::StandRefused { .. } => "StandRefused",
        }
    }
}

/// What a follower says of itself with every heartbeat it answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Report {
    /// Its position at its last look; `None` while its mysqld does not answer.
    pub position: Option<Position>,
    /// Transactions received and not yet applied.
    pub unapplied: u64,
    /// Its mysqld may acknowledge to the leader's: the semi-sync replica side is switched on, or its receiver has yet
    /// to take up that it is off.
    pub acknowledging: bool,
    /// Why it may not stand; `None` when it may.
    pub unfit: Option<String>,
    /// What its own configuration asks for; `None` = nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// Its mysqld hangs.
    #[serde(default)]
    pub stuck: bool,
    /// How often its mysqld died or hung lately.
    #[serde(default)]
    pub failures: u32,
    /// Where the others reach its mysqld: host. Before a handover they are pointed there (T1).
    #[serde(default)]
    pub source_host: String,
    /// Its port.
    #[serde(default)]
    pub source_port: u16,
    /// Its `server_uuid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_uuid: Option<Uuid>,
    /// The `server_uuid` that its receiver is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receives_from: Option<Uuid>,
}

/// What a node's own configuration says of its place in the group. The leader puts it into the config of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Wish {
    /// Preference among equally recent nodes (V8); 0 = never leads.
    pub priority: u32,
    /// It follows for ever.
    pub idle: bool,
    /// C5: it has no mysqld; it only votes.
    #[serde(default)]
    pub witness: bool,
}

/// Why a vote was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Refusal {
    /// The asking node's term is over.
    OldTerm,
    /// The asking node's config has a successor.
    OldConfig {
        /// The answering node's.
        mine: ConfigId,
    },
    /// A leader was heard within T.
    LeaderAlive {
        /// That leader.
        leader: NodeId,
    },
    /// The vote of this term is given.
    AlreadyVoted {
        /// To whom.
        to: NodeId,
    },
    /// The answering node has what the asking one lacks.
    Behind {
        /// The answering node's position.
        mine: Position,
        /// The answering node may stand itself.
        can_stand: bool,
        /// W2: its mysqld is dead, and its position was read from its files.
        #[serde(default)]
        dead: bool,
    },
    /// The answering node does not vote.
    NotVoter,
    /// S3: the vote is given, but it counts only beside every other voter's.
    Doubtful {
        /// Why the answering node may have lost what it had acknowledged.
        reason: String,
    },
    /// The answering node could not stop its receiver or read its position.
    Unreadable {
        /// What went wrong.
        reason: String,
    },
}

impl Refusal {
    /// Its kinds, for counters.
    pub const WORDS: [&'static str; 8] = [
        "old-term",
        "old-config",
        "leader-alive",
        "already-voted",
        "behind",
        "not-voter",
        "doubtful",
        "unreadable",
    ];

    /// One of [`Refusal::WORDS`].
    pub fn word(&self) -> &'static str {
        match self {
            Refusal::OldTerm => "old-term",
            Refusal::OldConfig { .. } => "old-config",
            Refusal::LeaderAlive { .. } => "leader-alive",
            Refusal::AlreadyVoted { .. } => "already-voted",
            Refusal::Behind { .. } => "behind",
            Refusal::NotVoter => "not-voter",
            Refusal::Doubtful { .. } => "doubtful",
            Refusal::Unreadable { .. } => "unreadable",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::OldTerm => write!(f, "the term is over"),
            Refusal::OldConfig { mine } => write!(f, "its config is older than mine ({mine})"),
            Refusal::LeaderAlive { leader } => write!(f, "I hear leader {leader}"),
            Refusal::AlreadyVoted { to } => write!(f, "I voted for {to} in this term"),
            Refusal::Behind { mine, dead: true, .. } => {
                write!(f, "it lacks what my mysqld has, which is dead: {mine}")
            }
            Refusal::Behind { mine, can_stand: true, .. } => write!(f, "it lacks what I have: {mine}"),
            Refusal::Behind { mine, can_stand: false, .. } => {
                write!(f, "it lacks what I have, and I may not lead myself (my status says why): {mine}")
            }
            Refusal::NotVoter => write!(f, "I am no voter"),
            Refusal::Doubtful { reason } => {
                write!(f, "yes, but my vote counts only beside everybody's (S3): {reason}")
            }
            Refusal::Unreadable { reason } => write!(f, "my position cannot be read: {reason}"),
        }
    }
}
