//! What is going to happen, in the order of virtual time; at the same moment, in the order in which it was planned.

use crate::agent::input::Input;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Virtual time since the run began, and spans of it, microseconds.
pub(crate) type Us = u64;

/// A millisecond.
pub(crate) const MS: Us = 1_000;
/// A second.
pub(crate) const SECOND: Us = 1_000_000;

/// One thing that is going to happen. What belongs to an agent or to a server process carries its number, and is
/// void when that one is gone.
#[derive(Debug)]
pub(crate) enum Happening {
    /// An entry of the schedule begins.
    Fault(usize),
    /// Its time is over.
    FaultEnds(usize),
    /// All faults end.
    Heal,
    /// An operator forms the cluster.
    Form,
    /// Is all well?
    Inspect,
    /// The agent's program starts.
    AgentStarts { at: usize },
    /// It has looked at its server for the first time.
    AgentBooted { at: usize, agent: u64 },
    /// A timer of it may have run out.
    AgentWakes { at: usize, agent: u64 },
    /// Something reaches its inbox.
    Input { at: usize, agent: u64, input: Box<Input> },
    /// The disk has answered.
    Saved { at: usize, agent: u64, landed: bool, answered: bool },
    /// A look begins.
    Look { at: usize, agent: u64, turn: u64 },
    /// It reaches the server.
    LookReads { at: usize, agent: u64, began_us: Us },
    /// A probe begins.
    Probe { at: usize, agent: u64 },
    /// It ends.
    ProbeEnds { at: usize, agent: u64, began_us: Us },
    /// An attempt to write to the server's disk ends.
    Disk { at: usize, agent: u64 },
    /// The operation under way takes its next turn.
    Worker { at: usize, op: u64 },
    /// A hook ends.
    Hook { at: usize, agent: u64, up: bool, done: bool },
    /// The server process is up.
    Up { at: usize, process: u64 },
    /// Its orderly shutdown comes to the waiting commits.
    ShutdownReleases { at: usize, process: u64 },
    /// Its orderly shutdown ends.
    ShutdownEnds { at: usize, process: u64 },
    /// Its receiver tries to connect.
    Connect { at: usize, process: u64, receiver: u64 },
    /// The handshake is done.
    Connected { at: usize, process: u64, receiver: u64 },
    /// A source's dump thread begins to send.
    DumpBegins { link: u64 },
    /// Something arrives at the replica.
    Down { link: u64 },
    /// Something arrives at the source.
    Acknowledged { link: u64 },
    /// The applier's next transaction.
    Apply { at: usize, process: u64 },
    /// A client's next move.
    Client { client: usize, turn: u64 },
}

struct Planned {
    at_us: Us,
    number: u64,
    what: Happening,
}

/// The queue, and the present.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Planned>,
    planned: u64,
}

impl Queue {
    pub(crate) fn plan(&mut self, at_us: Us, what: Happening) {
        self.planned += 1;
        self.heap.push(Planned { at_us, number: self.planned, what });
    }

    pub(crate) fn next(&mut self) -> Option<(Us, Happening)> {
        self.heap.pop().map(|planned| (planned.at_us, planned.what))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        self.number == other.number
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    /// The earliest is the greatest: that is the one the heap gives out.
    fn cmp(&self, other: &Planned) -> Ordering {
        (other.at_us, other.number).cmp(&(self.at_us, self.number))
    }
}
