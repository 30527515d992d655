//! Which rules the core keeps: all of them, except in checks that prove that they would notice.

/// The rules in force. [`Rules::all`] is the only way to make them outside the `mutants` feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    #[cfg(feature = "mutants")]
    broken: Option<Rule>,
}

/// A rule that a mutant breaks. Each names one line of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// V2: a candidate reads its position only after its receiver has stopped.
    FreezeBeforeStanding,
    /// V3: a vote counts in the term that it was given in.
    VotesOfThisTerm,
    /// V3: a voter votes for one candidate a term.
    OneVoteATerm,
    /// V3, C2: a voter refuses a candidate whose config is older than its own.
    RefuseOldConfig,
    /// V3: a voter reads its position only after its receiver has stopped.
    FreezeBeforeVote,
    /// V3: a voter compares positions.
    ComparePositions,
    /// L3: a voter compares the markers, not only the data.
    CompareMarkers,
    /// L3: a voter compares the data, not only the markers.
    CompareData,
    /// V6: only voters are heard and counted in an election.
    OnlyVotersVote,
    /// L4: W is the larger of old and new while the config changes.
    LargerW,
    /// L4: W is not lowered before whoever lost its vote has stopped acknowledging.
    WaitForStrays,
    /// L4: only voters acknowledge.
    OnlyVotersAcknowledge,
    /// F2: a node with errant transactions does not follow.
    ErrantDoNotFollow,
    /// T1: the target stands after it has applied the old primary's set.
    CatchUpFirst,
    /// T1: a handover that is given up leaves the old primary writable.
    OpenAgain,
    /// T1: a candidate whose receiver still runs is elected only with the vote of who that replicates from.
    SourceVotesFirst,
    /// T1: what was read when writes were closed is a vote's position only until they are opened again.
    ClosedUntilOpened,
    /// T3: leadership is taken up again only after a majority has answered.
    MajorityToResume,
    /// C1: one voter in or out at a time.
    OneVoterAtATime,
    /// C1: a change settles on a majority before the next begins.
    SettleFirst,
    /// C1: a majority has what was acknowledged under the config before, before the next change begins.
    CarryOverFirst,
    /// C2: a node takes newer configs only.
    NewerConfigsOnly,
    /// S3: the vote of a node that may have lost what it acknowledged counts only beside all the others'.
    WeighDoubt,
    /// C5: commits wait for fewer only where nobody can be elected without the leader.
    LowerOnlyAlone,
    /// W2: a rescued transaction counts when it is executed here.
    ApplyRescued,
    /// C5: before a third voter comes in, one of the others has all that was told OK.
    HardenBeforeThird,
}

impl Rules {
    /// Every rule kept.
    pub const fn all() -> Rules {
        Rules {
            #[cfg(feature = "mutants")]
            broken: None,
        }
    }

    /// A mutant: every rule kept but this one.
    #[cfg(feature = "mutants")]
    pub const fn without(rule: Rule) -> Rules {
        Rules { broken: Some(rule) }
    }

    /// Always, outside of checks.
    #[cfg(not(feature = "mutants"))]
    pub(crate) const fn keep(self, _: Rule) -> bool {
        true
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn keep(self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
