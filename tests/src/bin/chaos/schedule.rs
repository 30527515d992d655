//! Which faults come, in which order and for how long: all of it from one number.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::time::Duration;
use xenon_testkit::{Damage, Fault, Reach, Volume, Way, Whom};

/// Whom a fault strikes, before it is known who leads then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The node that leads at that moment.
    Primary,
    /// The so-manyth node after it, from 1.
    Replica(usize),
}

/// What clients do meanwhile, beside inserting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Nothing.
    None,
    /// A transaction of some ten megabytes.
    LargeTransaction,
    /// An ALTER that copies a table.
    Alter,
}

/// What is awaited before the next round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settle {
    /// Clients are served.
    Serving,
    /// All nodes follow.
    Whole,
}

/// Faults that are there at the same time.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// Each on a node of its own, with the pause before it.
    pub(crate) faults: Vec<(Target, Kind, Duration)>,
    /// How long all of them are there.
    pub(crate) hold: Duration,
    pub(crate) load: Load,
    pub(crate) settle: Settle,
}

/// A fault, without its node.
pub(crate) type Kind = fn(usize) -> Fault;

/// Every fault, with how often it comes relative to the others.
const KINDS: [(u32, Kind); 22] = [
    (4, |node| Fault::Kill(node, Whom::Mysqld)),
    (3, |node| Fault::Kill(node, Whom::Agent)),
    (3, |node| Fault::Kill(node, Whom::Both)),
    (3, |node| Fault::Stop(node, Whom::Mysqld)),
    (3, |node| Fault::Stop(node, Whom::Agent)),
    (3, |node| Fault::Stop(node, Whom::Both)),
    (3, |node| Fault::Cut(node, Way::Both, Reach::Nodes)),
    (2, |node| Fault::Cut(node, Way::Both, Reach::Everybody)),
    (2, |node| Fault::Cut(node, Way::Incoming, Reach::Nodes)),
    (2, |node| Fault::Cut(node, Way::Outgoing, Reach::Nodes)),
    (1, |node| Fault::Cut(node, Way::Incoming, Reach::Everybody)),
    (1, |node| Fault::Cut(node, Way::Outgoing, Reach::Everybody)),
    (2, |node| Fault::Disk(node, Volume::Data, Damage::Full)),
    (2, |node| Fault::Disk(node, Volume::Binlog, Damage::Full)),
    (2, |node| Fault::Disk(node, Volume::Record, Damage::Full)),
    (1, |node| Fault::Disk(node, Volume::Data, Damage::Stalled)),
    (1, |node| Fault::Disk(node, Volume::Record, Damage::ReadOnly)),
    (1, |node| Fault::Disk(node, Volume::Data, Damage::ReadOnly)),
    (1, Fault::DataMoved),
    (1, Fault::DataDeleted),
    (2, Fault::Connections),
    (2, Fault::Behind),
];

/// Rounds without end.
pub(crate) struct Schedule {
    random: StdRng,
    nodes: usize,
    kinds: Vec<(u32, Kind)>,
}

impl Schedule {
    /// The one of a seed, with the faults whose names are wanted.
    pub(crate) fn new(seed: u64, nodes: usize, wanted: impl Fn(&str) -> bool) -> Self {
        let kinds = KINDS.into_iter().filter(|(_, kind)| wanted(&kind(0).to_string())).collect();
        Self { random: StdRng::seed_from_u64(seed), nodes, kinds }
    }

    fn kind(&mut self) -> Option<Kind> {
        self.kinds.choose_weighted(&mut self.random, |(weight, _)| *weight).ok().map(|(_, kind)| *kind)
    }

    fn target(&mut self) -> Target {
        if self.random.random_bool(0.6) {
            return Target::Primary;
        }
        Target::Replica(self.random.random_range(1..self.nodes))
    }
}

impl Iterator for Schedule {
    type Item = Round;

    fn next(&mut self) -> Option<Round> {
        let first = self.target();
        let mut faults = vec![(first, self.kind()?, Duration::ZERO)];
        // Two at once, sometimes at the same moment, sometimes while the first one is being dealt with.
        if self.random.random_bool(0.35) {
            let second = match first {
                Target::Primary => Target::Replica(self.random.random_range(1..self.nodes)),
                Target::Replica(_) => Target::Primary,
            };
            let pause = if self.random.random_bool(0.5) { 0 } else { self.random.random_range(50..2500) };
            faults.push((second, self.kind()?, Duration::from_millis(pause)));
        }
        // A node whose data is gone is one copy less: alone, and until it has caught up.
        let deleted = faults.iter().any(|(_, kind, _)| matches!(kind(0), Fault::DataDeleted(_)));
        if deleted {
            faults.truncate(1);
        }
        let hold = Duration::from_millis(self.random.random_range(100..7_000));
        let load = match self.random.random_range(0..10) {
            0 => Load::LargeTransaction,
            1 => Load::Alter,
            _ => Load::None,
        };
        let whole = self.random.random_bool(0.6) || deleted;
        Some(Round { faults, hold, load, settle: if whole { Settle::Whole } else { Settle::Serving } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, wanted: &str) -> String {
        Schedule::new(seed, 3, |name| name.contains(wanted))
            .take(50)
            .map(|round| {
                let faults: Vec<String> =
                    round.faults.iter().map(|(_, kind, _)| kind(0).to_string()).collect();
                format!("{} for {:?}\n", faults.join(" + "), round.hold)
            })
            .collect()
    }

    #[test]
    fn a_seed_gives_the_same_faults_again() {
        assert_eq!(text(7, ""), text(7, ""));
        assert_ne!(text(7, ""), text(8, ""));
        assert_eq!(text(7, "nothing that has this name"), "");
        assert!(!text(7, "killed").contains("stopped"));
    }

    #[test]
    fn no_node_is_struck_twice_in_a_round() {
        for round in Schedule::new(1, 3, |_| true).take(300) {
            if let [(one, ..), (another, ..)] = round.faults.as_slice() {
                assert_ne!(one, another);
            }
        }
    }
}
