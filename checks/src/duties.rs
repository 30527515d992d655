//! What the agent must do for the core, and mutants of that.

/// The duties that the model's agents keep: all, or all but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Duties(Option<Duty>);

/// A duty that a mutant neglects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// S1: what depends on the record leaves after it is on disk.
    SaveFirst,
    /// V4: a position that cannot be read is not taken for an empty one.
    ReadPosition,
    /// V3: a freeze spares no receiver but the candidate's own.
    SpareCandidatesOnly,
    /// V5: a deposed primary says its position when it can acknowledge nothing more.
    CloseBeforeReading,
    /// L3: a server opens when its marker has been acknowledged, not before.
    MarkerFirst,
    /// L5: a server is started read-only.
    StartReadOnly,
    /// D2: no waiting commit is told OK because its server is deposed.
    KeepSemiSync,
    /// T3: only the open primary of the record's term takes leadership up again.
    ResumeAsPrimary,
    /// T1: the old primary's final set is read when writes are closed.
    CloseBeforeHandingOver,
    /// W2: what is fetched is applied in the order in which it was written.
    RescueInOrder,
    /// W1: what is rewound is what the new leader lacks.
    RewindWhatLeaderLacks,
    /// W1: a rewound server gets a new `server_uuid`.
    NewServerUuid,
}

impl Duties {
    /// Every duty kept.
    pub const fn all() -> Duties {
        Duties(None)
    }

    /// A mutant.
    pub const fn without(duty: Duty) -> Duties {
        Duties(Some(duty))
    }

    pub(crate) fn keep(self, duty: Duty) -> bool {
        self.0 != Some(duty)
    }
}
