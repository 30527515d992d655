//! Chance, from a seed: the same numbers on every machine and in every version.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and three multiplications a number, any seed is good.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng { state: seed }
    }

    /// A stream of its own: what is drawn from it shifts nothing in any other. So an entry that is dropped from a
    /// schedule changes no node's election timeouts, and a shrunk failure stays one more often.
    pub(crate) fn of(seed: u64, stream: u64) -> Rng {
        let mut rng = Rng::new(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The bias of the remainder is below 2^-40 for the ends used here.
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// An index of something that has `count` entries; 0 when it has none.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or(0)
    }

    /// Mostly quick, now and then up to the longest: between `low` and `high`, nearer to `low` by far.
    pub(crate) fn skewed(&mut self, low: u64, high: u64) -> u64 {
        let high = if self.percent(90) { low + (high - low) / 10 } else { high };
        self.between(low, high)
    }
}
