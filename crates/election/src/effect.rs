//! What the core asks for. The agent carries effects out in order and decides nothing.

use crate::event::Timer;
use crate::ids::{NodeId, Term, Ticket};
use crate::message::{LeaderInfo, Message};
use crate::record::Record;
use xenon_gtid::{GtidSet, Uuid};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// S1: put `record` on disk; only when it is there do `then`. If it cannot be saved, drop `then` and
    /// report [`crate::Event::SaveFailed`]. That an answer waits for the disk is data here, not a habit of
    /// the agent. No other event is stepped before the save has ended: a repeated vote request, say, would be
    /// answered at once out of memory that the disk does not have yet.
    Save {
        /// The whole durable state.
        record: Record,
        /// What depends on it.
        then: Vec<Effect>,
    },
    /// Tell the core [`crate::Event::Saved`]: stands behind a [`Effect::Save`] that repeats a failed one.
    ReportSaved,
    /// Send to a member, one-way, may be lost.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// V2, V3, V5: make the local mysqld unable to accept anything more from an older leader and to
    /// acknowledge anything more to a client; *then* read its position; answer [`crate::Event::Frozen`].
    Freeze {
        /// To be given back.
        ticket: Ticket,
        /// V3: a receiver that replicates from this very server goes on: it is the candidate's, and what comes from there
        /// is acknowledged to nobody else. Any other receiver is stopped.
        spare: Option<Uuid>,
    },
    /// T1: stop writes on the primary within a bound, or undo and say why; answer
    /// [`crate::Event::Quiesced`].
    Quiesce {
        /// To be given back.
        ticket: Ticket,
    },
    /// T1: wait, bounded, until exactly this has been applied; answer [`crate::Event::CaughtUp`].
    CatchUp {
        /// To be given back.
        ticket: Ticket,
        /// What to have applied.
        set: GtidSet,
    },
    /// W2: fetch from a member whose mysqld is dead what its binlog has and this server lacks, and apply it, bounded in
    /// time and size; answer [`crate::Event::Rescued`]. A freeze ends it, and so does any directive but
    /// [`Directive::Hold`] and [`Directive::Fence`].
    Rescue {
        /// To be given back.
        ticket: Ticket,
        /// Whose.
        from: NodeId,
        /// What is known to be lacking here, markers left out.
        lacks: GtidSet,
    },
    /// What the local mysqld is to be from now on; holds until the next one.
    Direct(Directive),
    /// (Re)start a timer.
    Arm {
        /// Which.
        timer: Timer,
        /// How long, in terms of the configured times.
        delay: Delay,
    },
    /// Stop a timer.
    Disarm(Timer),
    /// Answer an operator's request.
    Answer(Result<String, Refused>),
    /// Something worth telling.
    Note(Note),
}

/// An operator's request that is refused: what, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// What is refused and why.
    pub what: String,
    /// What to try.
    pub cure: String,
}

/// How long a timer runs, in the units of protocol.md section 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delay {
    /// Random in [T, 2T) (V1); a low rank draws from the early part (V8).
    Election {
        /// 0 stands first.
        rank: u8,
    },
    /// T.
    ElectionBase,
    /// At once: a node that may take its own leadership up again, or forms a group of one.
    Now,
    /// The heartbeat interval.
    Heartbeat,
    /// The lease, counted from the *first* sending of this heartbeat round of this term: between two rounds
    /// the last one is sent again when something is news.
    LeaseFrom {
        /// The round.
        round: u64,
    },
    /// The bound of a planned handover.
    HandOver,
}

/// What the local mysqld is to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Directive {
    /// No member of any cluster: leave it alone.
    Unmanaged,
    /// Change nothing (leadership is being taken up again, or nothing is known yet).
    Hold,
    /// L2: be the primary of `term`, commits waiting for `acknowledgements` replicas (L4).
    Lead {
        /// The leader's term: goes into the marker.
        term: Term,
        /// W.
        acknowledgements: u32,
        /// C5: a commit goes on without them while no replica is connected: nobody is elected without this node.
        soft: bool,
        /// T1: writes are closed for a handover.
        closed: bool,
        /// T1: everything is applied, and who the local server still replicates from has closed for good and voted for
        /// this node: nothing more can come, so replication is stopped after opening.
        handed_over: bool,
    },
    /// D4: the lease is lost, the term is not: serve no client, and keep mysqld with its waiting commits as it is.
    Suspend {
        /// Why.
        reason: String,
    },
    /// D: accept no writes, and no replication either until a leader is known.
    Fence {
        /// Why.
        reason: String,
    },
    /// F1: replicate from `leader`.
    Follow {
        /// The leader's term.
        term: Term,
        /// The leader.
        leader: NodeId,
        /// Its mysqld's host.
        source_host: String,
        /// Its mysqld's port.
        source_port: u16,
        /// Semi-sync replica side on (L4: voters only).
        acknowledge: bool,
    },
    /// F2: errant; stay read-only, do not follow.
    Invalid {
        /// What the leader lacks.
        errant: GtidSet,
    },
    /// Let go by the cluster: read-only, no replication, no acknowledgements (L4).
    Removed,
    /// Taking no part: leave mysqld alone.
    Stopped,
}

/// Things worth telling, for log, events and counters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Note {
    /// Someone was asked for a pre-vote.
    AskingPreVotes {
        /// For this term.
        term: Term,
        /// Why an election is held.
        why: String,
    },
    /// This node stands.
    Standing {
        /// In this term.
        term: Term,
        /// Why.
        why: String,
    },
    /// A vote came in.
    VoteReceived {
        /// Whose.
        from: NodeId,
        /// In this term.
        term: Term,
        /// How many it makes.
        votes: usize,
        /// Of how many needed.
        needed: usize,
    },
    /// A vote was refused to this node.
    VoteRefused {
        /// By whom.
        from: NodeId,
        /// In this term.
        term: Term,
        /// Why.
        why: String,
    },
    /// This node gave its vote.
    VoteGranted {
        /// To whom.
        to: NodeId,
        /// In this term.
        term: Term,
    },
    /// This node refused its vote.
    VoteDenied {
        /// To whom.
        to: NodeId,
        /// In this term.
        term: Term,
        /// Why.
        why: String,
    },
    /// This node leads.
    Leading {
        /// In this term.
        term: Term,
        /// Its leadership was taken up again after a restart, not won (T3).
        resumed: bool,
    },
    /// D4: this node has lost its lease and serves nobody until it hears a majority, or of a newer term.
    Suspended {
        /// Its term.
        term: Term,
        /// Why.
        why: String,
    },
    /// This node leads no more.
    SteppedDown {
        /// From this term.
        term: Term,
        /// Why.
        why: String,
    },
    /// A leader was recognised.
    Following {
        /// Whom.
        leader: NodeId,
        /// In this term.
        term: Term,
    },
    /// No leader is known any more.
    LeaderLost {
        /// Who led.
        leader: NodeId,
        /// In this term.
        term: Term,
    },
    /// W2: what a dead server has is being fetched, for without that node's vote there is no majority.
    Rescuing {
        /// Whose.
        from: NodeId,
        /// How many transactions.
        transactions: u64,
    },
    /// W2: how that ended; an error is its reason.
    Rescued {
        /// Whose.
        from: NodeId,
        /// Why not, if not.
        result: Result<(), String>,
    },
    /// This node would stand, but may not.
    MayNotStand {
        /// Why.
        why: String,
    },
    /// Errant transactions were found here, or are gone.
    Errant {
        /// What the leader lacks; empty when cured.
        errant: GtidSet,
    },
    /// The config changed.
    Config {
        /// What, in words.
        what: String,
    },
    /// A planned handover goes on.
    HandOver {
        /// What happened, in words.
        what: String,
        /// It is over, and this node leads on.
        given_up: bool,
    },
    /// Something is wrong that an operator should know.
    Trouble {
        /// What, in words.
        what: String,
    },
}

/// What [`Delay`]-free parts of the agent need to know of a leader, kept for displays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KnownLeader {
    /// Who.
    pub id: NodeId,
    /// Its mysqld.
    pub info: LeaderInfo,
}
