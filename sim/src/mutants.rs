//! Planted mistakes in plans: each must be caught, or the simulator shows nothing. Those of the election core are its
//! own (`Rules::without_…`).

use xenon_plan::{Planned, Step};

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// D2: semi-sync is switched off while clients still wait for their commits, as the Go tool does.
    SemiSyncOffBeforeTheDrain,
    /// L2: the server opens before its marker is acknowledged.
    OpenBeforeTheMarker,
    /// S3: relay logs are thrown away when a replica is pointed elsewhere.
    DropRelayLogs,
    /// L4: a primary waits for nobody.
    NoSemiSync,
    /// L2: the marker is written before everything received is applied.
    MarkerBeforeApplying,
}

impl Mutant {
    pub(crate) const ALL: [Mutant; 5] = [
        Mutant::SemiSyncOffBeforeTheDrain,
        Mutant::OpenBeforeTheMarker,
        Mutant::DropRelayLogs,
        Mutant::NoSemiSync,
        Mutant::MarkerBeforeApplying,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mutant::SemiSyncOffBeforeTheDrain => "semi-sync-off-before-the-drain",
            Mutant::OpenBeforeTheMarker => "open-before-the-marker",
            Mutant::DropRelayLogs => "drop-relay-logs",
            Mutant::NoSemiSync => "no-semi-sync",
            Mutant::MarkerBeforeApplying => "marker-before-applying",
        }
    }

    /// The door to MySQL would refuse what some of them do.
    pub(crate) fn skips_the_door(self) -> bool {
        matches!(self, Mutant::SemiSyncOffBeforeTheDrain | Mutant::DropRelayLogs)
    }

    /// Changes a plan.
    pub(crate) fn change(self, steps: &mut Vec<Planned>) {
        let is = |step: &Step| match self {
            Mutant::SemiSyncOffBeforeTheDrain => matches!(step, Step::GoOffline | Step::CloseWrites),
            Mutant::OpenBeforeTheMarker => matches!(step, Step::WriteMarker { .. }),
            Mutant::DropRelayLogs => matches!(step, Step::Repoint { .. }),
            Mutant::NoSemiSync => matches!(step, Step::SemiSyncSourceOn { .. }),
            Mutant::MarkerBeforeApplying => matches!(step, Step::WaitApplied { .. }),
        };
        let Some(at) = steps.iter().position(|planned| is(&planned.step)) else { return };
        let why = "a planted mistake".to_owned();
        match self {
            Mutant::SemiSyncOffBeforeTheDrain => {
                steps.insert(at, Planned { step: Step::SemiSyncSourceOff, why });
            }
            Mutant::OpenBeforeTheMarker => steps.insert(at, Planned { step: Step::Open, why }),
            Mutant::DropRelayLogs => {
                let Step::Repoint { source } = steps[at].step.clone() else { return };
                steps[at].step = Step::PointAnew { source };
                steps.insert(at, Planned { step: Step::StopReplication, why });
            }
            Mutant::NoSemiSync | Mutant::MarkerBeforeApplying => {
                steps.remove(at);
            }
        }
    }
}
