//! Which rules the core keeps: all of them, except in checks that prove that they would notice.

/// Switches for mutants. [`Rules::all`] is the only way to make one outside the `mutants` feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    pub(crate) freeze_before_vote: bool,
    pub(crate) compare_positions: bool,
    pub(crate) one_vote_a_term: bool,
    pub(crate) refuse_old_config: bool,
}

impl Rules {
    /// Every rule kept.
    pub const fn all() -> Rules {
        Rules {
            freeze_before_vote: true,
            compare_positions: true,
            one_vote_a_term: true,
            refuse_old_config: true,
        }
    }

    /// Mutant of V3: the voter reads its position without stopping its receiver first.
    #[cfg(feature = "mutants")]
    pub const fn without_freeze() -> Rules {
        Rules { freeze_before_vote: false, ..Rules::all() }
    }

    /// Mutant of V3: the voter does not compare positions.
    #[cfg(feature = "mutants")]
    pub const fn without_comparison() -> Rules {
        Rules { compare_positions: false, ..Rules::all() }
    }

    /// Mutant of V3: the voter votes as often as it is asked.
    #[cfg(feature = "mutants")]
    pub const fn without_single_vote() -> Rules {
        Rules { one_vote_a_term: false, ..Rules::all() }
    }

    /// Mutant of V3 and C2: the voter does not look at the candidate's config.
    #[cfg(feature = "mutants")]
    pub const fn without_config_check() -> Rules {
        Rules { refuse_old_config: false, ..Rules::all() }
    }
}
