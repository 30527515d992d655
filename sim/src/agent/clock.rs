//! The core's timers, as in `crates/agent/src/clock.rs`, on a clock that runs a little fast or slow.

use crate::rng::Rng;
use crate::world::queue::{MS, SECOND, Us};
use std::collections::{BTreeMap, VecDeque};
use xenon_election::{Delay, Term, Timer};

const HANDOVER: Us = 10 * SECOND;
const ROUNDS: usize = 64;

/// The times of protocol.md, section 11.
pub(crate) const HEARTBEAT: Us = 200 * MS;
/// T.
pub(crate) const ELECTION: Us = 1_000 * MS;
const LEASE: Us = 800 * MS;

/// Armed timers, and when heartbeat rounds were sent.
#[derive(Debug)]
pub(crate) struct Clock {
    armed: BTreeMap<Timer, Us>,
    rounds: VecDeque<(Term, u64, Us)>,
    /// Real microseconds of a second on this clock.
    second: Us,
    rng: Rng,
}

impl Clock {
    pub(crate) fn new(second: Us, rng: Rng) -> Clock {
        Clock { armed: BTreeMap::new(), rounds: VecDeque::new(), second, rng }
    }

    /// How long this clock takes for it.
    pub(crate) fn real(&self, span: Us) -> Us {
        span * self.second / SECOND
    }

    pub(crate) fn arm(&mut self, timer: Timer, delay: Delay, term: Term, now: Us) {
        let at = match delay {
            Delay::Now => now,
            Delay::Heartbeat => now + self.real(HEARTBEAT),
            Delay::ElectionBase => now + self.real(ELECTION),
            Delay::HandOver => now + self.real(HANDOVER),
            Delay::Election { rank } => {
                let timeout = self.election_timeout(rank);
                now + self.real(timeout)
            }
            // L1: counted from the sending, not from the answer.
            Delay::LeaseFrom { round } => self
                .rounds
                .iter()
                .find(|(sent_in, sent, _)| *sent_in == term && *sent == round)
                .map_or(now, |(_, _, at)| *at + self.real(LEASE)),
        };
        self.armed.insert(timer, at);
    }

    /// V1, V8.
    fn election_timeout(&mut self, rank: u8) -> Us {
        let third = ELECTION / 3;
        let (from, to) = if rank == 0 { (0, third) } else { (third, ELECTION) };
        ELECTION + from + self.rng.below(to - from)
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.armed.remove(&timer);
    }

    pub(crate) fn round_sent(&mut self, term: Term, round: u64, now: Us) {
        if self.rounds.back().is_some_and(|(last_term, last, _)| *last_term == term && *last >= round) {
            return;
        }
        if self.rounds.len() == ROUNDS {
            self.rounds.pop_front();
        }
        self.rounds.push_back((term, round, now));
    }

    pub(crate) fn next(&self) -> Option<Us> {
        self.armed.values().min().copied()
    }

    pub(crate) fn pop(&mut self, now: Us) -> Option<Timer> {
        let timer = self.armed.iter().find(|(_, at)| **at <= now).map(|(timer, _)| *timer)?;
        self.armed.remove(&timer);
        Some(timer)
    }
}
