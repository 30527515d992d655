//! What reaches an agent's loop, as in `crates/agent/src/input.rs`.

use crate::world::queue::Us;
use xenon_election::{Message, NodeId, Request, Ticket};
use xenon_gtid::{GtidSet, Uuid};
use xenon_plan::Planned;
use xenon_plan::disk::DiskReport;
use xenon_plan::health::Probe;
use xenon_plan::observation::ServerState;

/// One thing that happened outside the loop.
#[derive(Debug)]
pub(crate) enum Input {
    Peer {
        from: NodeId,
        cluster: Uuid,
        message: Message,
    },
    /// `Err(true)`: no answer within the deadline; `Err(false)`: nobody there.
    Looked {
        began_us: Us,
        result: Result<Box<ServerState>, bool>,
    },
    Probed {
        began_us: Us,
        probe: Probe,
    },
    Started {
        process: u64,
    },
    Exiting {
        process: u64,
    },
    Gone {
        process: u64,
    },
    Disk(DiskReport),
    Step {
        op: u64,
        planned: Planned,
        result: Result<StepOutcome, String>,
    },
    Done {
        op: u64,
        what: What,
        state: Option<Box<ServerState>>,
    },
    Hook {
        up: bool,
        done: bool,
    },
    Ask(Request),
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepOutcome {
    Done,
    /// D1's bound passed.
    DrainTimedOut,
    /// Not yet: look again.
    NotYet,
    /// The loop does it.
    ForTheLoop,
}

/// What an operation has come to.
#[derive(Debug)]
pub(crate) enum What {
    Steps,
    Frozen { result: Result<GtidSet, String>, drain_timed_out: bool },
    Quiesced { ticket: Ticket, result: Result<GtidSet, String> },
    CaughtUp { ticket: Ticket, result: Result<(), String> },
}
