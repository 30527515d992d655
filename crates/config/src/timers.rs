//! The timers of the protocol (its section 11), from the configuration.

use crate::config::Config;

/// How long a probe may take unless `ping-timeout` asks for more, milliseconds.
const PROBE_DEADLINE_MS: u64 = 1000;
/// The rarest probes: waiting longer between two only delays the verdict, and a probe costs next to nothing.
const PROBE_INTERVAL_MAX_MS: u64 = 2000;
/// The most frequent probes.
const PROBE_INTERVAL_MIN_MS: u64 = 50;
/// The longest patience with one probe.
const PROBE_DEADLINE_MAX_MS: u64 = 10_000;

/// Every clock that an agent runs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timers {
    /// Pause between two heartbeats of the leader, milliseconds.
    pub heartbeat_ms: u64,
    /// T: election timeouts are random from T to 2T, milliseconds.
    pub election_ms: u64,
    /// A leader that heard no majority for this long steps down, milliseconds: 80 % of T.
    pub lease_ms: u64,
    /// Pause between the starts of two probes of mysqld, milliseconds.
    pub probe_interval_ms: u64,
    /// A probe that has no answer by then has failed, milliseconds.
    pub probe_deadline_ms: u64,
    /// So many failed probes in a row make mysqld dead; at least 1.
    pub probe_misses: u32,
}

impl Config {
    /// The timers that this configuration asks for.
    ///
    /// The lease is 80 % of `election-timeout`. Probes: `ping-timeout` is the pause between two, held within 50 ms and
    /// 2 s; it is also how long one may take, but at least 1 s and at most 10 s, since a server under load answers late
    /// and is not dead; `admit-defeat-ping-count` is how many must fail. Without these keys: 250 ms, 1 s, two.
    pub fn timers(&self) -> Timers {
        let ping = self.mysql.ping_timeout_ms;
        Timers {
            heartbeat_ms: self.raft.heartbeat_timeout_ms,
            election_ms: self.raft.election_timeout_ms,
            lease_ms: self.raft.election_timeout_ms.saturating_mul(4) / 5,
            probe_interval_ms: ping.clamp(PROBE_INTERVAL_MIN_MS, PROBE_INTERVAL_MAX_MS),
            probe_deadline_ms: ping.clamp(PROBE_DEADLINE_MS, PROBE_DEADLINE_MAX_MS),
            probe_misses: self.mysql.admit_defeat_ping_count.max(1),
        }
    }
}
