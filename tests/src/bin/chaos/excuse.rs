//! When a server may be found open for writes though another one is, too: while nobody can close it. No client may be told OK
//! by it all the same; that is checked without any excuse.

use std::time::{Duration, Instant};
use xenon_testkit::{Damage, Fault, LocalCluster, Sighting, Whom};

/// An agent that runs again has closed its server within this.
const CLOSES: Duration = Duration::from_secs(5);

/// A time in which a node's server may stay open.
#[derive(Debug)]
pub(crate) struct Excuse {
    node: String,
    from: Instant,
    until: Option<Instant>,
}

/// All of them so far.
#[derive(Debug, Default)]
pub(crate) struct Excuses(Vec<Excuse>);

impl Excuses {
    /// A fault is about to come.
    pub(crate) fn on_strike(&mut self, cluster: &LocalCluster, fault: Fault) {
        let open = matches!(
            fault,
            Fault::Stop(_, Whom::Agent | Whom::Both)
                | Fault::Kill(_, Whom::Agent | Whom::Both)
                | Fault::Disk(_, _, Damage::Stalled)
        );
        if let Some(node) = cluster.node(fault.node()).ok().filter(|_| open) {
            self.0.push(Excuse { node: node.name, from: Instant::now(), until: None });
        }
    }

    /// All faults are taken back.
    pub(crate) fn on_healed(&mut self) {
        for excuse in &mut self.0 {
            excuse.until.get_or_insert(Instant::now() + CLOSES);
        }
    }

    /// Those sightings that nothing excuses.
    pub(crate) fn unexcused(&self, mut sightings: Vec<Sighting>) -> Vec<Sighting> {
        sightings.retain(|sighting| {
            let (one, another) = &sighting.nodes;
            !self.0.iter().any(|excuse| {
                (excuse.node == *one || excuse.node == *another)
                    && sighting.at >= excuse.from
                    && excuse.until.is_none_or(|until| sighting.at <= until)
            })
        });
        sightings
    }
}
