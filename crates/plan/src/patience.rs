//! Time that was waited, counted by whoever was there to see it pass.

/// The longest step that counts: an agent that was itself stopped for a minute has seen nothing of that minute, and must
/// not hold it against its server.
const LONGEST_STEP_MS: u64 = 1_500;

/// Milliseconds that something has lasted. Clocks come in as arguments; they need only be monotonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Patience {
    waited_ms: u64,
    last_ms: Option<u64>,
}

impl Patience {
    /// It still lasts, at this moment.
    pub(crate) fn pass(&mut self, now_ms: u64) {
        let step = self.last_ms.map_or(0, |last| now_ms.saturating_sub(last));
        self.waited_ms = self.waited_ms.saturating_add(step.min(LONGEST_STEP_MS));
        self.last_ms = Some(now_ms);
    }

    /// How long it has lasted.
    pub(crate) fn waited_ms(&self) -> u64 {
        self.waited_ms
    }

    /// It is over; the next one begins when it is seen first.
    pub(crate) fn reset(&mut self) {
        *self = Patience::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_watched_counts() {
        let mut patience = Patience::default();
        for now_ms in [10_000, 10_200, 11_200] {
            patience.pass(now_ms);
        }
        assert_eq!(patience.waited_ms(), 1_200);
        // Stopped for a minute.
        patience.pass(71_200);
        assert_eq!(patience.waited_ms(), 2_700);
        patience.reset();
        patience.pass(80_000);
        assert_eq!(patience.waited_ms(), 0);
    }
}
