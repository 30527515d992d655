//! A schedule out of a seed. Each seed allows only some kinds of fault, drawn anew: a run in which everything breaks at
//! once explores less than many runs that each break a few things in earnest.

use super::{Entry, Fault, Schedule, Traffic};
use crate::rng::Rng;

/// The schedule's own stream of chance.
const STREAM: u64 = 1;

/// Makes one fault for a cluster of so many nodes.
type Maker = fn(&mut Rng, usize) -> Fault;

/// The kinds of fault, each with a weight.
const KINDS: &[(u64, Maker)] = &[
    (6, |rng, nodes| Fault::AgentKill { node: rng.index(nodes), for_ms: short(rng) }),
    (3, |rng, nodes| Fault::AgentKillAtSave {
        node: rng.index(nodes),
        landed: rng.percent(50),
        for_ms: short(rng),
    }),
    (6, |rng, nodes| Fault::AgentHang { node: rng.index(nodes), for_ms: short(rng) }),
    (10, |rng, nodes| Fault::ServerKill { node: rng.index(nodes) }),
    (6, |rng, nodes| Fault::ServerHang { node: rng.index(nodes), for_ms: long(rng) }),
    (4, |rng, nodes| Fault::ServerStop { node: rng.index(nodes) }),
    (3, |rng, nodes| Fault::ServerSlow { node: rng.index(nodes), for_ms: long(rng) }),
    (4, |rng, nodes| Fault::ApplierSlow { node: rng.index(nodes), for_ms: long(rng) }),
    (6, |rng, nodes| Fault::PowerLoss { node: rng.index(nodes), for_ms: long(rng) }),
    (10, cut),
    (10, split),
    (3, |rng, _| Fault::Loss { percent: rng.between(5, 60), for_ms: long(rng) }),
    (3, |rng, _| Fault::Delay { up_to_ms: rng.between(20, 900), for_ms: long(rng) }),
    (3, |rng, _| Fault::Lag { up_to_ms: rng.between(20, 900), for_ms: long(rng) }),
    (2, |rng, _| Fault::Repeat { percent: rng.between(5, 60), for_ms: long(rng) }),
    (4, |rng, _| Fault::LostAcks { percent: rng.between(10, 100), for_ms: long(rng) }),
    (2, |rng, nodes| Fault::SavesFail { node: rng.index(nodes), for_ms: long(rng) }),
    (2, |rng, nodes| Fault::SavesStall { node: rng.index(nodes), for_ms: long(rng) }),
    (3, |rng, nodes| Fault::DiskFull { node: rng.index(nodes), for_ms: long(rng) }),
    (2, |rng, nodes| Fault::DropRelayLogs { node: rng.index(nodes) }),
    (2, |rng, _| Fault::Pause { for_ms: long(rng) }),
    // Not 0: see schedules/sim-6.
    (2, |rng, nodes| Fault::Prefer { node: rng.index(nodes), priority: [1, 2, 5][rng.index(3)] }),
    (6, |rng, nodes| Fault::HandOver { target: rng.percent(50).then(|| rng.index(nodes)) }),
    (4, |rng, nodes| Fault::Add { node: rng.index(nodes) }),
    (4, |rng, nodes| Fault::Remove { node: rng.index(nodes) }),
    (2, |rng, nodes| Fault::Disable { node: rng.index(nodes), for_ms: long(rng) }),
];

/// The kinds where members come and go.
const CHANGES: &[(u64, Maker)] = &[
    (6, |rng, nodes| Fault::Add { node: rng.index(nodes) }),
    (6, |rng, nodes| Fault::Remove { node: rng.index(nodes) }),
    (3, |rng, nodes| Fault::HandOver { target: rng.percent(50).then(|| rng.index(nodes)) }),
    (2, |rng, nodes| Fault::ServerKill { node: rng.index(nodes) }),
    (2, |rng, nodes| Fault::AgentKill { node: rng.index(nodes), for_ms: short(rng) }),
    (2, |rng, nodes| Fault::AgentHang { node: rng.index(nodes), for_ms: short(rng) }),
    (3, cut),
    (3, split),
];

/// The schedule of this seed: of three or five nodes, sometimes another number, and perhaps a spare.
pub(crate) fn schedule(seed: u64) -> Schedule {
    let mut rng = Rng::of(seed, STREAM);
    let nodes = [3, 3, 3, 3, 5, 5, 5, 4, 2, 2, 1][rng.index(11)];
    of_size(seed, nodes, &mut rng)
}

/// The schedule of this seed for so many voters.
pub(crate) fn schedule_of(seed: u64, nodes: usize) -> Schedule {
    let mut rng = Rng::of(seed, STREAM);
    of_size(seed, nodes, &mut rng)
}

fn of_size(seed: u64, nodes: usize, rng: &mut Rng) -> Schedule {
    let spares = rng.index(2);
    let witness = nodes == 3 && rng.percent(20);
    let length_ms = rng.between(8_000, 25_000);
    // At least two kinds, so that one can meet the other.
    let wanted = rng.between(2, 8);
    // Some clusters are rebuilt all the time, for what a change of members risks shows only where another meets it.
    let of = if rng.percent(12) { CHANGES } else { KINDS };
    let kinds: Vec<Maker> = (0..wanted).map(|_| kind(rng, of)).collect();
    let count = rng.between(1, length_ms / 1_200);
    let mut entries: Vec<Entry> = (0..count)
        .map(|_| {
            let maker = kinds.get(rng.index(kinds.len())).copied().unwrap_or(split);
            // Some at the very beginning, while the cluster forms; most once it serves.
            let from_ms = if rng.percent(5) { 0 } else { 3_000 };
            Entry { at_ms: rng.between(from_ms, length_ms), fault: maker(rng, nodes + spares) }
        })
        .collect();
    // Faults that meet within a moment find more than those that are seconds apart.
    for index in 1..entries.len() {
        if rng.percent(30) {
            let near_ms = entries[index - 1].at_ms;
            entries[index].at_ms = (near_ms + rng.below(1_500)).min(length_ms);
        }
    }
    entries.sort_by_key(|entry| entry.at_ms);
    Schedule { seed, nodes, spares, witness, length_ms, entries }
}

fn kind(rng: &mut Rng, of: &[(u64, Maker)]) -> Maker {
    let sum = of.iter().map(|(weight, _)| weight).sum();
    let mut at = rng.below(sum);
    for (weight, maker) in of {
        if at < *weight {
            return *maker;
        }
        at -= weight;
    }
    split
}

/// Around the length of a lease and an election.
fn short(rng: &mut Rng) -> u64 {
    if rng.percent(50) { rng.between(1, 400) } else { rng.between(400, 4_000) }
}

fn long(rng: &mut Rng) -> u64 {
    if rng.percent(50) { rng.between(200, 2_000) } else { rng.between(2_000, 12_000) }
}

fn traffic(rng: &mut Rng) -> Traffic {
    match rng.below(4) {
        0 => Traffic::Agents,
        1 => Traffic::Servers,
        _ => Traffic::All,
    }
}

fn cut(rng: &mut Rng, nodes: usize) -> Fault {
    let from = rng.index(nodes);
    let to = (from + 1 + rng.index(nodes.saturating_sub(1))) % nodes;
    Fault::Cut { from, to, traffic: traffic(rng), for_ms: long(rng) }
}

fn split(rng: &mut Rng, nodes: usize) -> Fault {
    let all = (1_u64 << nodes) - 1;
    let group = u32::try_from(rng.between(1, all)).unwrap_or(1);
    Fault::Split { group, traffic: traffic(rng), for_ms: long(rng) }
}
