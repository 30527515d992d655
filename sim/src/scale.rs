//! How elections grow with the number of nodes: no faults but the one that makes an election necessary.

use crate::log::Log;
use crate::run::Subject;
use crate::schedule::{Entry, Fault, Schedule};
use crate::world::queue::{MS, SECOND};
use crate::world::{Setup, World};
use std::fmt;

/// Clusters that are looked at.
pub const SIZES: [usize; 6] = [3, 7, 31, 101, 255, 511];
/// Runs of each; of the large ones one, for the leader's own work grows faster than the messages do.
fn seeds(nodes: usize) -> u64 {
    if nodes > 101 { 1 } else { 5 }
}

/// The leader's host loses power then: everybody has followed for a while.
const LOSS_MS: u64 = 12_000;

/// What elections of one size took, the medians of some runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Voters.
    pub nodes: usize,
    /// From the request to form the cluster until its first leader is open, milliseconds.
    pub forming_ms: u64,
    /// Messages between agents meanwhile.
    pub forming_messages: u64,
    /// From the leader's loss of power until the next one is open, milliseconds.
    pub failover_ms: u64,
    /// Messages between agents meanwhile.
    pub failover_messages: u64,
    /// Messages a second while nothing happens.
    pub idle_messages_a_second: u64,
}

/// Looks at clusters of this size.
pub fn scale(nodes: usize) -> Scale {
    let mut runs: Vec<Scale> = (1..=seeds(nodes)).map(|seed| one(seed, nodes)).collect();
    let mut median = |value: fn(&Scale) -> u64| {
        runs.sort_by_key(value);
        runs.get(runs.len() / 2).map_or(0, value)
    };
    Scale {
        nodes,
        forming_ms: median(|scale| scale.forming_ms),
        forming_messages: median(|scale| scale.forming_messages),
        failover_ms: median(|scale| scale.failover_ms),
        failover_messages: median(|scale| scale.failover_messages),
        idle_messages_a_second: median(|scale| scale.idle_messages_a_second),
    }
}

fn one(seed: u64, nodes: usize) -> Scale {
    let entries = vec![Entry { at_ms: LOSS_MS, fault: Fault::LeaderLost }];
    let schedule = Schedule { seed, nodes, spares: 0, witness: false, length_ms: 60_000, entries };
    let subject = Subject::real();
    let setup = Setup {
        seed,
        rules: subject.rules,
        mutant: None,
        messages_are_told: false,
        clients: 0,
        // Every server is up by then.
        forms_at_us: 4 * SECOND,
    };
    let mut world = World::new(&schedule, setup, Log::new(false));
    world.run_until(|world| world.now >= 4 * SECOND);
    let (began, sent) = (world.now, world.messages);
    world.run_until(|world| world.opened >= 1);
    let (forming_ms, forming_messages) = ((world.now - began) / MS, world.messages - sent);
    world.run_until(|world| world.now >= LOSS_MS * MS - 2 * SECOND);
    let before = world.messages;
    world.run_until(|world| world.now >= LOSS_MS * MS);
    let idle_messages_a_second = (world.messages - before) / 2;
    let (began, sent) = (world.now, world.messages);
    world.run_until(|world| world.opened >= 2);
    Scale {
        nodes,
        forming_ms,
        forming_messages,
        failover_ms: (world.now - began) / MS,
        failover_messages: world.messages - sent,
        idle_messages_a_second,
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {:>5} | {:>10} | {:>8} | {:>11} | {:>8} | {:>17} |",
            self.nodes,
            self.forming_ms,
            self.forming_messages,
            self.failover_ms,
            self.failover_messages,
            self.idle_messages_a_second
        )
    }
}
