//! When to start a dead mysqld again: at once, then later and later, and when to say that it will not come up.

use std::collections::VecDeque;

/// What to do about one exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartDecision {
    /// Start it again after so many milliseconds.
    After(u64),
    /// It dies again and again: show it to the operator; try again rarely.
    CrashLoop {
        /// Exits within the window.
        exits: usize,
        /// Milliseconds between the first and the last of them.
        within_ms: u64,
        /// Try again after so many milliseconds.
        retry_after_ms: u64,
    },
}

/// Back-off and verdict. Pure: the uptimes are passed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPolicy {
    /// An uptime from which the server counts as well again, milliseconds.
    pub well_after_ms: u64,
    /// The second delay (the first is none), milliseconds; doubles from there.
    pub first_delay_ms: u64,
    /// The longest delay before the verdict, milliseconds.
    pub longest_delay_ms: u64,
    /// So many exits within the window are a crash loop.
    pub exits: usize,
    /// The window, milliseconds.
    pub window_ms: u64,
    /// How often a crash loop is tried again, milliseconds.
    pub rarely_ms: u64,
    /// Delay that the last decision gave, milliseconds.
    delay_ms: u64,
    /// Exits in a row without a good uptime in between.
    in_a_row: u32,
    /// Milliseconds from each recent exit to the one before it.
    gaps_ms: VecDeque<u64>,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            well_after_ms: 60_000,
            first_delay_ms: 1_000,
            longest_delay_ms: 30_000,
            exits: 6,
            window_ms: 600_000,
            rarely_ms: 300_000,
            delay_ms: 0,
            in_a_row: 0,
            gaps_ms: VecDeque::new(),
        }
    }
}

impl RestartPolicy {
    /// The process has ended after `uptime_ms`.
    pub fn next(&mut self, uptime_ms: u64) -> RestartDecision {
        if uptime_ms >= self.well_after_ms {
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        self.gaps_ms.push_front(self.delay_ms.saturating_add(uptime_ms));
        self.gaps_ms.truncate(self.exits);
        self.delay_ms = self.back_off_ms();
        // The gap of the oldest exit lies before it: n exits span n - 1 gaps.
        let within_ms = self
            .gaps_ms
            .iter()
            .take(self.exits.saturating_sub(1))
            .fold(0_u64, |sum, gap| sum.saturating_add(*gap));
        let in_a_row = usize::try_from(self.in_a_row).unwrap_or(usize::MAX);
        if self.gaps_ms.len() >= self.exits && within_ms <= self.window_ms {
            self.delay_ms = self.rarely_ms;
            return RestartDecision::CrashLoop {
                exits: self.exits,
                within_ms,
                retry_after_ms: self.rarely_ms,
            };
        }
        // Tried rarely and dead again at once: still the same loop, though the exits are far apart now.
        if in_a_row > self.exits {
            self.delay_ms = self.rarely_ms;
            return RestartDecision::CrashLoop { exits: in_a_row, within_ms, retry_after_ms: self.rarely_ms };
        }
        RestartDecision::After(self.delay_ms)
    }

    /// Forgets what was: an operator has started it by hand.
    pub fn reset(&mut self) {
        self.delay_ms = 0;
        self.in_a_row = 0;
        self.gaps_ms.clear();
    }

    fn back_off_ms(&self) -> u64 {
        match self.in_a_row {
            0 | 1 => 0,
            n => self
                .first_delay_ms
                .saturating_mul(1_u64.checked_shl(n - 2).unwrap_or(u64::MAX))
                .min(self.longest_delay_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RestartDecision::{After, CrashLoop};
    use super::*;

    #[test]
    fn decisions() {
        let table: &[(&str, &[u64], RestartDecision)] = &[
            ("the first exit: at once", &[5_000], After(0)),
            ("the second in a row", &[5_000, 100], After(1_000)),
            ("doubling", &[5_000, 100, 100, 100], After(4_000)),
            ("a good uptime begins anew", &[100, 100, 100, 60_000], After(0)),
            (
                "six within the window",
                &[9_999_999, 100, 100, 100, 100, 100],
                CrashLoop { exits: 6, within_ms: 15_500, retry_after_ms: 300_000 },
            ),
            ("six, far apart", &[200_000; 6], After(0)),
            (
                "the rare try fails too",
                &[0, 0, 0, 0, 0, 0, 0],
                CrashLoop { exits: 6, within_ms: 315_000, retry_after_ms: 300_000 },
            ),
        ];
        for (name, uptimes, expected) in table {
            let mut policy = RestartPolicy::default();
            let last = uptimes.iter().map(|uptime| policy.next(*uptime)).last();
            assert_eq!(last, Some(*expected), "{name}");
        }
    }

    #[test]
    fn a_loop_stays_one_however_rarely_it_is_tried() {
        let mut policy = RestartPolicy::default();
        let last = (0..40).map(|_| policy.next(0)).last();
        assert!(matches!(last, Some(CrashLoop { retry_after_ms: 300_000, .. })), "{last:?}");
        assert_eq!(policy.next(3_600_000), After(0));
    }

    #[test]
    fn six_exits_of_a_server_that_lives_for_two_minutes_are_a_loop() {
        let mut policy = RestartPolicy::default();
        let last = (0..6).map(|_| policy.next(119_000)).last();
        assert!(matches!(last, Some(CrashLoop { .. })), "{last:?}");
    }
}
