//! Two networks on the same hosts: between agents (messages, each for itself) and between servers (streams in order).

use super::queue::{MS, Us};
use crate::rng::Rng;
use std::collections::BTreeMap;

/// What is wrong with both networks now.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// One way: from, to; and how many faults cut it.
    agents: BTreeMap<(usize, usize), u32>,
    servers: BTreeMap<(usize, usize), u32>,
    pub(crate) loss_percent: u64,
    pub(crate) repeat_percent: u64,
    pub(crate) lost_acks_percent: u64,
    /// Messages take up to so much longer.
    pub(crate) agent_delay: Us,
    /// Replication takes up to so much longer.
    pub(crate) server_delay: Us,
}

impl Network {
    pub(crate) fn cut(&mut self, from: usize, to: usize, agents: bool, servers: bool) {
        for (wanted, cuts) in [(agents, &mut self.agents), (servers, &mut self.servers)] {
            if wanted {
                *cuts.entry((from, to)).or_default() += 1;
            }
        }
    }

    pub(crate) fn join(&mut self, from: usize, to: usize, agents: bool, servers: bool) {
        for (wanted, cuts) in [(agents, &mut self.agents), (servers, &mut self.servers)] {
            if let Some(count) = cuts.get_mut(&(from, to)).filter(|_| wanted) {
                *count -= 1;
                if *count == 0 {
                    cuts.remove(&(from, to));
                }
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        *self = Network::default();
    }

    pub(crate) fn agents_cut(&self, from: usize, to: usize) -> bool {
        !self.agents.is_empty() && self.agents.contains_key(&(from, to))
    }

    pub(crate) fn servers_cut(&self, from: usize, to: usize) -> bool {
        !self.servers.is_empty() && self.servers.contains_key(&(from, to))
    }

    pub(crate) fn loses(&self, rng: &mut Rng) -> bool {
        self.loss_percent > 0 && rng.percent(self.loss_percent)
    }

    pub(crate) fn repeats(&self, rng: &mut Rng) -> bool {
        self.repeat_percent > 0 && rng.percent(self.repeat_percent)
    }

    pub(crate) fn loses_ack(&self, rng: &mut Rng) -> bool {
        self.lost_acks_percent > 0 && rng.percent(self.lost_acks_percent)
    }

    pub(crate) fn agent_delay(&self, rng: &mut Rng) -> Us {
        rng.skewed(MS / 5, 5 * MS) + rng.below(self.agent_delay + 1)
    }

    pub(crate) fn server_delay(&self, rng: &mut Rng) -> Us {
        rng.skewed(MS / 10, 3 * MS) + rng.below(self.server_delay + 1)
    }
}
