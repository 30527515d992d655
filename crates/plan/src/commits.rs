//! L6: commits that do not end. Two kinds: nobody tells them that their acknowledgement is there, or the server itself is
//! wedged. Neither is seen by a probe, which commits nothing.

use crate::disk::Disk;
use crate::observation::ServerState;
use crate::patience::Patience;
use std::collections::BTreeSet;
use xenon_gtid::GtidSet;

/// An acknowledgement that is missing for so long, though the replicas have what waits for it, has been lost.
pub const LOST_MS: u64 = 3_000;
/// When releasing them has not helped until then, this server does not get its acknowledgements any more.
pub const DEAF_MS: u64 = 15_000;
/// The same commits under way for so long, and none has ended meanwhile, though the disk answers quickly.
pub const WEDGED_MS: u64 = 8_000;
/// When it is not known whether the disk does: a huge transaction on a slow one takes long and is no wedge.
pub const WEDGED_UNSURE_MS: u64 = 30_000;
/// Looks without progress before the sessions are looked at, and how often after that.
const LOOKS: u32 = 3;

/// Whether commits make progress on one server process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commits {
    executed: Option<GtidSet>,
    /// Looks in a row that showed no progress.
    idle_looks: u32,
    /// The last look got no answer.
    unanswered: bool,
    /// What waits, and is known to be with enough replicas.
    held: GtidSet,
    lost: Patience,
    /// Sessions that were seen committing every time since.
    stuck: BTreeSet<u64>,
    wedged: Patience,
    binlog_bytes: Option<u64>,
}

impl Commits {
    /// A look has ended. `held`: what at least so many voters report to have as this server's commits wait for; empty when
    /// this server does not lead.
    pub fn on_look(&mut self, server: &ServerState, held: &GtidSet) {
        if self.executed.as_ref() != Some(&server.executed) {
            *self = Commits {
                executed: Some(server.executed.clone()),
                binlog_bytes: self.binlog_bytes,
                // What had no answer may be stuck since just after that progress.
                unanswered: self.unanswered,
                ..Commits::default()
            };
            return;
        }
        self.idle_looks = self.idle_looks.saturating_add(1);
        self.unanswered = false;
        let waiting =
            server.semi_sync_source.is_some_and(|source| source.enabled && source.waiting_sessions > 0);
        // Nothing but its own transactions waits at it.
        let unheard = if waiting {
            held.subtract(&server.executed).only_uuid(&server.server_uuid)
        } else {
            GtidSet::new()
        };
        if self.held.is_empty() || unheard.is_empty() {
            self.held = unheard;
            self.lost.reset();
        }
        if waiting {
            // They wait for replicas, and those behind them for them: that is no wedge.
            self.stuck.clear();
            self.wedged.reset();
        }
    }

    /// A look has got no answer in time. One that is wedged may not even answer that.
    pub fn on_no_look(&mut self) {
        self.unanswered = true;
    }

    /// Which sessions are committing at this moment ("waiting for handler commit").
    pub fn on_sessions(&mut self, committing: &BTreeSet<u64>) {
        let same: BTreeSet<u64> = self.stuck.intersection(committing).copied().collect();
        if same.is_empty() {
            self.stuck.clone_from(committing);
            self.wedged.reset();
        } else {
            self.stuck = same;
        }
    }

    /// The size of the binlog that is being written. One that grows is progress: a huge transaction takes its time.
    pub fn on_binlog(&mut self, bytes: u64) {
        if self.binlog_bytes.is_some_and(|before| before != bytes) {
            self.wedged.reset();
        }
        self.binlog_bytes = Some(bytes);
    }

    /// Time goes by.
    pub fn on_tick(&mut self, now_ms: u64) {
        if !self.held.is_empty() {
            self.lost.pass(now_ms);
        }
        if !self.stuck.is_empty() {
            self.wedged.pass(now_ms);
        }
    }

    /// Whether the sessions are worth a look now. Nothing has been executed for some looks: mostly because nothing was to be.
    pub fn wants_sessions(&self) -> bool {
        self.unanswered
            || !self.stuck.is_empty()
            || self.idle_looks > 0 && self.idle_looks.is_multiple_of(LOOKS)
    }

    /// What waits for acknowledgements that were lost.
    pub fn unreleased(&self) -> Option<&GtidSet> {
        (self.lost.waited_ms() >= LOST_MS && !self.held.is_empty()).then_some(&self.held)
    }

    /// This server gets no acknowledgements any more, or commits nothing; for so long, milliseconds.
    pub fn stand_still(&self, disk: &Disk) -> Option<Standstill> {
        if self.lost.waited_ms() >= DEAF_MS {
            return Some(Standstill::Deaf { waited_ms: self.lost.waited_ms() });
        }
        let bound_ms = if disk.is_quick() { WEDGED_MS } else { WEDGED_UNSURE_MS };
        let waited_ms = self.wedged.waited_ms();
        (waited_ms >= bound_ms).then_some(Standstill::Wedged { sessions: self.stuck.len(), waited_ms })
    }
}

/// Commits that nothing can be expected of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standstill {
    /// Enough voters have what waits, and neither their acknowledgements nor later ones are heard.
    Deaf {
        /// For so long, milliseconds.
        waited_ms: u64,
    },
    /// The server takes statements and ends no commit, though no disk keeps it from that.
    Wedged {
        /// So many sessions are stuck.
        sessions: usize,
        /// For so long, milliseconds.
        waited_ms: u64,
    },
}
