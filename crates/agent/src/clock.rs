//! The core's timers on the monotonic clock (protocol.md section 11).

use crate::chance;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;
use xenon_config::Timers;
use xenon_election::{Delay, Term, Timer};

/// How long a planned handover may take before it is undone. Closing writes has its own, shorter bound.
const HANDOVER: Duration = Duration::from_secs(10);
/// Heartbeat rounds whose sending time is kept: more than fit into a lease.
const ROUNDS: usize = 64;

/// Armed timers, and when heartbeat rounds were sent.
pub(crate) struct Clock {
    times: Timers,
    armed: BTreeMap<Timer, Instant>,
    rounds: VecDeque<(Term, u64, Instant)>,
}

impl Clock {
    pub(crate) fn new(times: Timers) -> Clock {
        Clock { times, armed: BTreeMap::new(), rounds: VecDeque::new() }
    }

    /// T.
    pub(crate) fn election(&self) -> Duration {
        Duration::from_millis(self.times.election_ms)
    }

    pub(crate) fn arm(&mut self, timer: Timer, delay: Delay, term: Term) {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let at = match delay {
            Delay::Now => now,
            Delay::Heartbeat => now + ms(self.times.heartbeat_ms),
            Delay::ElectionBase => now + self.election(),
            Delay::HandOver => now + HANDOVER,
            Delay::Election { rank } => now + self.election_timeout(rank),
            // L1: counted from the sending, not from the answer. A round whose sending is not known any more
            // is as old as a round can be.
            Delay::LeaseFrom { round } => self
                .rounds
                .iter()
                .find(|(sent_in, sent, _)| *sent_in == term && *sent == round)
                .map_or(now, |(_, _, at)| *at + ms(self.times.lease_ms)),
        };
        self.armed.insert(timer, at);
    }

    /// V1: in [T, 2T). V8: the first in the order of succession draws from the first third.
    fn election_timeout(&self, rank: u8) -> Duration {
        let t = self.times.election_ms as f64;
        let third = t / 3.0;
        let (from, to) = if rank == 0 { (0.0, third) } else { (third, t) };
        let extra = chance::between(from..to);
        Duration::from_secs_f64((t + extra) / 1000.0)
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.armed.remove(&timer);
    }

    /// A heartbeat of this round goes out.
    pub(crate) fn round_sent(&mut self, term: Term, round: u64) {
        if self.rounds.back().is_some_and(|(last_term, last, _)| *last_term == term && *last >= round) {
            return;
        }
        if self.rounds.len() == ROUNDS {
            self.rounds.pop_front();
        }
        self.rounds.push_back((term, round, Instant::now()));
    }

    /// L1: when the lease of this node's leadership runs out, counted from the sending of the last round that a majority has
    /// answered.
    pub(crate) fn lease(&self) -> Option<Instant> {
        self.armed.get(&Timer::Lease).copied()
    }

    /// What is left of T when a lease has run out: nobody stands before it is over.
    pub(crate) fn beyond_lease(&self) -> Duration {
        Duration::from_millis(self.times.election_ms.saturating_sub(self.times.lease_ms))
    }

    /// When the next timer runs out.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.armed.values().min().copied()
    }

    /// L1: when leadership ends unless a majority confirms it before; `None` when nothing ends it.
    pub(crate) fn lease_until(&self) -> Option<Instant> {
        self.armed.get(&Timer::Lease).copied()
    }

    /// Takes one timer that has run out.
    pub(crate) fn pop(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let timer = self.armed.iter().find(|(_, at)| **at <= now).map(|(timer, _)| *timer)?;
        self.armed.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::new(Timers {
            heartbeat_ms: 200,
            election_ms: 1000,
            lease_ms: 800,
            probe_interval_ms: 250,
            probe_deadline_ms: 1000,
            probe_misses: 2,
        })
    }

    #[test]
    fn v1_election_timeouts_lie_between_t_and_2t_and_the_first_in_line_is_first() {
        let clock = clock();
        for _ in 0..1000 {
            let (first, other) = (clock.election_timeout(0), clock.election_timeout(1));
            assert!(first >= Duration::from_millis(1000) && first < Duration::from_millis(1334));
            assert!(other >= Duration::from_millis(1333) && other < Duration::from_millis(2000));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn l1_the_lease_counts_from_the_sending() {
        let mut clock = clock();
        clock.round_sent(3, 1);
        tokio::time::advance(Duration::from_millis(500)).await;
        clock.round_sent(3, 2);
        clock.arm(Timer::Lease, Delay::LeaseFrom { round: 1 }, 3);
        assert_eq!(clock.next().unwrap() - Instant::now(), Duration::from_millis(300));
        clock.arm(Timer::Lease, Delay::LeaseFrom { round: 2 }, 3);
        assert_eq!(clock.next().unwrap() - Instant::now(), Duration::from_millis(800));
        // Another term's round says nothing.
        clock.arm(Timer::Lease, Delay::LeaseFrom { round: 2 }, 4);
        assert_eq!(clock.pop(), Some(Timer::Lease));
    }
}
