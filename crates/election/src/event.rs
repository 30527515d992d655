//! What the core is told.

use crate::group::{Rejoin, Standing};
use crate::ids::{NodeId, Term, Ticket};
use crate::message::{Message, Wish};
use crate::position::Position;
use std::fmt;
use xenon_gtid::{GtidSet, Uuid};

/// Everything that can happen to a node, as the core sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A timer that was armed has run out.
    Timer(Timer),
    /// A message of a member (the channel has proved who sent it).
    Message {
        /// Who sent it.
        from: NodeId,
        /// The cluster it was sent in.
        cluster: Uuid,
        /// What it says.
        message: Message,
    },
    /// The record could not be saved: nothing that depended on it has left (S1).
    SaveFailed {
        /// What went wrong.
        reason: String,
    },
    /// The record is on disk again after [`Event::SaveFailed`].
    Saved,
    /// The answer to [`crate::Effect::Freeze`].
    Frozen {
        /// The request answered.
        ticket: Ticket,
        /// The position, read after the server could accept nothing more; or why not.
        result: Result<GtidSet, String>,
    },
    /// The local mysqld was looked at. The look began after the last [`crate::Directive::Fence`] (F2: what
    /// was seen before may have grown until the fence stood) or [`crate::Directive::Lead`] (C1: its W is in
    /// force) had been carried out; an older look is not told.
    Looked(Box<LocalView>),
    /// L2 is through: marker acknowledged, server open.
    Promoted {
        /// In this term.
        term: Term,
    },
    /// L6: the primary cannot serve (dead, hung, a step of L2 failed).
    CannotServe {
        /// In this term; an older term's news is ignored.
        term: Term,
        /// What was seen.
        reason: String,
    },
    /// T1: the answer to [`crate::Effect::Quiesce`].
    Quiesced {
        /// The request answered.
        ticket: Ticket,
        /// The final set; or why the server stays open.
        result: Result<GtidSet, String>,
    },
    /// T1: the answer to [`crate::Effect::CatchUp`].
    CaughtUp {
        /// The request answered.
        ticket: Ticket,
        /// Why not, if not.
        result: Result<(), String>,
    },
    /// W2: the answer to [`crate::Effect::Rescue`]: all of it is executed here; or why not. Part of it may be executed
    /// in either case, in the order in which it was written and never part of a transaction.
    Rescued {
        /// The request answered.
        ticket: Ticket,
        /// Why not, if not.
        result: Result<(), String>,
    },
    /// W1, W4: the data folder of the local mysqld, which is dead, is about to hold other data, by this agent's own doing.
    /// Nothing is changed there before the record that follows from this is on disk.
    DataReplaced {
        /// By what.
        by: Replaced,
        /// Why, in words: becomes the reason of the doubt (S3).
        reason: String,
    },
    /// An operator's request.
    Request(Request),
}

/// What takes the place of a data folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Replaced {
    /// W1: the same data without a tail that nobody acknowledged. What was missing before is missing still.
    Rewound {
        /// The server goes on under this `server_uuid`.
        server_uuid: Uuid,
    },
    /// W4: a whole and consistent copy of another member's data, or a backup of it: as it was at some moment, without holes.
    Copied,
}

/// What an operator may ask of the core. Answers come as [`crate::Effect::Answer`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// C4: form a cluster of these voters (this node among them) and idle nodes.
    Form {
        /// The new cluster's UUID; the agent draws it.
        cluster: Uuid,
        /// Its voters.
        voters: Vec<NodeId>,
        /// Its idle nodes.
        idle: Vec<NodeId>,
    },
    /// C1: take nodes in.
    Add {
        /// Who.
        nodes: Vec<NodeId>,
        /// As idle nodes for ever.
        idle: bool,
    },
    /// C1: let nodes go.
    Remove {
        /// Who.
        nodes: Vec<NodeId>,
    },
    /// T1: hand over to this node, or to the best one.
    HandOver {
        /// The wanted successor.
        target: Option<NodeId>,
    },
    /// T4: nobody stands, and nobody steps down for a lost lease, until [`Request::Resume`].
    Pause,
    /// T4: elections again. On a node that hears no leader: this node may stand although its config says pause.
    Resume,
    /// W4: what becomes of a node that cannot come back as it is.
    Rejoin(Rejoin),
    /// V8: a preference that overrides the node's own config file; `None` = what that file says.
    Prefer {
        /// Whose.
        node: NodeId,
        /// 0 = never leads.
        priority: Option<u32>,
    },
    /// Take no part any more (state STOPPED).
    Disable,
    /// Take part again.
    Enable,
}

/// What was seen at the local mysqld, as far as it matters to who leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LocalView {
    /// `None` while mysqld does not answer.
    pub server: Option<ServerView>,
    /// Why this node may not stand; `None` when it may.
    pub unfit: Option<String>,
    /// Where the others reach this mysqld: host.
    pub source_host: String,
    /// Where the others reach this mysqld: port.
    pub source_port: u16,
    /// What this node's own configuration asks for.
    pub wish: Option<Wish>,
    /// mysqld runs and does not answer (it hangs): connected, but nothing is to be expected of it.
    pub stuck: bool,
    /// How often mysqld died or hung lately; such a node is not preferred.
    pub failures: u32,
}

/// A mysqld that answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ServerView {
    /// Its `server_uuid`.
    pub server_uuid: Uuid,
    /// received(n).
    pub received: GtidSet,
    /// Transactions received and not yet applied.
    pub unapplied: u64,
    /// It acknowledges to its source.
    pub acknowledging: bool,
    /// Replicas that acknowledge to it.
    pub acknowledging_clients: u32,
    /// Commits that wait for an acknowledgement now.
    pub waiting_commits: u32,
    /// Its commits wait for acknowledgements now: switched on, and not fallen back to going on without (C5).
    pub semi_sync_on: bool,
    /// Tells one start of this server from another; `None` = cannot be told.
    pub start: Option<String>,
    /// S3: it throws relay logs away when it starts (`relay_log_recovery`).
    pub drops_relay_logs: bool,
    /// The `server_uuid` that its receiver is connected to; `None` when it is not.
    pub receives_from: Option<Uuid>,
    /// S3: binlog, relay log and redo log are synced with every transaction: a loss of power loses nothing.
    pub synced: bool,
}

/// Timers the core arms; the agent knows how long they are (protocol.md section 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// No leader heard for the election timeout.
    Election,
    /// T after the last heartbeat heard: the leader is not fresh any more (V1).
    LeaderFresh,
    /// Time to send heartbeats.
    Heartbeat,
    /// The lease ran out (L1).
    Lease,
    /// A planned handover took too long (T1).
    HandOver,
    /// Try again to save the record (S1).
    SaveRetry,
    /// Offer the new config again (C4).
    Offer,
    /// W2: other votes were waited for long enough.
    Rescue,
}

/// How an operator sees a node (protocol.md section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The elected agent.
    Leader,
    /// Asks for votes.
    Candidate,
    /// Follows, or waits for whom to follow.
    Follower,
    /// Is being built, repaired or let go.
    Learner,
    /// Follows for ever.
    Idle,
    /// Errant: votes, never stands.
    Invalid,
    /// Takes no part.
    Stopped,
}

impl State {
    /// The word that tables show.
    pub fn word(self) -> &'static str {
        match self {
            State::Leader => "LEADER",
            State::Candidate => "CANDIDATE",
            State::Follower => "FOLLOWER",
            State::Learner => "LEARNER",
            State::Idle => "IDLE",
            State::Invalid => "INVALID",
            State::Stopped => "STOPPED",
        }
    }

    /// The state of a member that neither leads nor stands.
    pub(crate) fn of_follower(standing: Option<Standing>, errant: bool) -> State {
        match standing {
            Some(Standing::Leaving) => State::Learner,
            Some(Standing::Idle) => State::Idle,
            _ if errant => State::Invalid,
            Some(Standing::Joining) => State::Learner,
            _ => State::Follower,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl LocalView {
    /// The position that this view amounts to.
    pub fn position(&self, cluster: &Uuid, errant: &GtidSet) -> Option<Position> {
        self.server.as_ref().map(|server| Position::of(&server.received, cluster, errant))
    }
}
