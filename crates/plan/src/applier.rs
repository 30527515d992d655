//! A broken applier stays broken until what it broke on is applied: one that is started again runs for a moment and looks
//! well, and a node that is called fit in that moment could be elected.

use crate::observation::ServerState;
use crate::patience::Patience;
use xenon_gtid::GtidSet;

/// Progress without an error for so long ends it, too: what it has received may never be applied to the last transaction.
const WELL_AGAIN_MS: u64 = 5_000;

/// Watches the applier of one server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplierWatch {
    broken: Option<Broken>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Broken {
    error: String,
    executed: GtidSet,
    well: Patience,
}

impl ApplierWatch {
    /// A look, at this moment.
    pub fn on_look(&mut self, now_ms: u64, server: &ServerState) {
        let Some(replication) = &server.replication else {
            self.broken = None;
            return;
        };
        if !replication.applier_running && !replication.applier_error.is_empty() {
            self.broken = Some(Broken {
                error: replication.applier_error.clone(),
                executed: server.executed.clone(),
                well: Patience::default(),
            });
            return;
        }
        let Some(broken) = &mut self.broken else { return };
        if replication.applier_running && broken.executed != server.executed {
            broken.well.pass(now_ms);
        }
        if server.unapplied().is_empty() || broken.well.waited_ms() >= WELL_AGAIN_MS {
            self.broken = None;
        }
    }

    /// What it stopped with; `None` when it is well.
    pub fn error(&self) -> Option<&str> {
        self.broken.as_ref().map(|broken| broken.error.as_str())
    }
}
